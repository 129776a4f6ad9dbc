/* What a request or a session may do: the questions a lane asks, and what a refused client hears.
 *
 * 401 and 403 say which of the two it is and what is missing (RFC 6750 section 3); 429 says when to come again (RFC
 * 6585, RFC 9110 section 10.2.3) and carries the fields of draft-ietf-httpapi-ratelimit-headers. Failures are counted
 * per address: past AUTH_FAILURES_BURST and one per second, a wrong token is answered with 429, whatever was wrong with
 * it, and no longer recorded. A right one is always taken, so that nobody locks out the others behind their address.
 * Logins, whose secrets are short, are refused without a look in that case. */
#include "edge/auth.h"
#include "edge/desk.h"
#include "edge/http_session.h"

#include <stdio.h>

static const struct rate_limit failures = {RATE_NANOS_PER_S, AUTH_FAILURES_BURST *RATE_NANOS_PER_S};

static uint64_t wall_ms(const struct edge_lane *lane) {
    return lane->sys->wall_ns(lane->sys) / SYS_NANOS_PER_MS;
}

static uint32_t seconds_up(uint64_t ns) {
    return (uint32_t)((ns + SYS_NANOS_PER_S - 1) / SYS_NANOS_PER_S);
}

/* ---- what a route needs ---- */

static const struct {
    enum role_object object;
    enum role_verb verb;
} needs[] = {[ROUTE_NODE_READ] = {ROLE_NODE, ROLE_READ},
    [ROUTE_NODE_ADMIN] = {ROLE_NODE, ROLE_ADMIN},
    [ROUTE_SERVICE_READ] = {ROLE_SERVICE, ROLE_READ},
    [ROUTE_SERVICE_WRITE] = {ROLE_SERVICE, ROLE_WRITE},
    [ROUTE_SERVICE_ADMIN] = {ROLE_SERVICE, ROLE_ADMIN},
    [ROUTE_TOPIC_READ] = {ROLE_TOPIC, ROLE_READ},
    [ROUTE_TOPIC_WRITE] = {ROLE_TOPIC, ROLE_WRITE},
    [ROUTE_TOPIC_ADMIN] = {ROLE_TOPIC, ROLE_ADMIN}};

uint32_t auth_service_named(const struct edge *edge, struct weir_slice name) {
    for (uint32_t i = 0; i < edge->service_count; i++)
        if (weir_slice_equal(name, weir_slice_text(edge_service(edge, i)->name))) return i;
    return ROLE_NO_SERVICE;
}

static struct permission permission_of(const struct http_call *call) {
    const struct route *route = call->route;
    struct permission p = {.object = needs[route->access].object, .verb = needs[route->access].verb};
    if (p.object == ROLE_TOPIC && call->param_count) p.topic = call->params[0];
    if (p.object == ROLE_SERVICE)
        p.service =
            route->service != EDGE_NO_SERVICE ? route->service : auth_service_named(call->lane->edge, call->params[0]);
    return p;
}

static void print_need(const struct edge *edge, const struct permission *p, struct text_builder *t) {
    if (p->object == ROLE_NODE)
        text_add(t, "node");
    else if (p->object == ROLE_TOPIC)
        text_printf(t, "topic/%.*s", (int)p->topic.size, (const char *)p->topic.data);
    else
        text_add(t, p->service < edge->service_count ? edge_service(edge, p->service)->name : "*");
    text_printf(t, ":%s", role_verb_name(p->verb));
}

void auth_print_need(const struct edge *edge, const struct route *route, struct text_builder *text) {
    if (route->access <= ROUTE_ANY_TOKEN) return;
    const char *verb = role_verb_name(needs[route->access].verb);
    if (needs[route->access].object == ROLE_NODE)
        text_printf(text, "node:%s", verb);
    else if (needs[route->access].object == ROLE_TOPIC)
        text_printf(text, "topic/{name}:%s", verb);
    else
        text_printf(text, "%s:%s",
            route->service == EDGE_NO_SERVICE ? "{name}" : edge_service(edge, route->service)->name, verb);
}

/* ---- refusals ---- */

static void refuse_unknown(struct http_call *call, const char *error, const char *detail) {
    char header[160];
    struct text_builder t = TEXT_BUILDER(header);
    text_add(&t, "Bearer realm=\"weir\"");
    if (error) text_printf(&t, ", error=\"%s\", error_description=\"%s\"", error, detail);
    metric_add(&call->lane->metrics.unauthorized, 1);
    http_problem(call->conn, call->turn,
        &(struct http_problem){.status = 401,
            .code = "UNAUTHORIZED",
            .title = "a token is needed",
            .detail = detail,
            .www_authenticate = header});
}

static void refuse_limited(struct http_call *call, const char *detail, uint64_t wait_ns) {
    metric_add(&call->lane->metrics.limited, 1);
    uint32_t wait_s = seconds_up(wait_ns);
    http_problem(call->conn, call->turn,
        &(struct http_problem){.status = 429,
            .code = "RATE_LIMITED",
            .title = "more requests than this may make; try again later",
            .detail = detail,
            .retry_after_s = wait_s ? wait_s : 1});
}

static void refuse_forbidden(struct http_call *call, const struct permission *p) {
    char need[200], header[300], detail[300];
    struct text_builder n = TEXT_BUILDER(need), h = TEXT_BUILDER(header), d = TEXT_BUILDER(detail);
    print_need(call->lane->edge, p, &n);
    text_printf(&h, "Bearer realm=\"weir\", error=\"insufficient_scope\"");
    /* RFC 6750: a scope has no quotes, blanks or control characters; a topic that nobody could have has no place here.
     */
    bool plain = true;
    for (size_t i = 0; i < n.size; i++)
        plain = plain && need[i] > 0x20 && need[i] < 0x7f && need[i] != '"' && need[i] != '\\';
    if (plain) text_printf(&h, ", scope=\"%s\"", need);
    text_printf(&d, "the token %s has no role that includes %s", call->token->name, plain ? need : "this topic");
    metric_add(&call->lane->metrics.forbidden, 1);
    desk_note(call->conn, "denied", call->token, call->turn, d.data);
    http_problem(call->conn, call->turn,
        &(struct http_problem){.status = 403,
            .code = weir_error_name(WEIR_E_FORBIDDEN),
            .title = weir_error_sentence(WEIR_E_FORBIDDEN),
            .detail = detail,
            .www_authenticate = header});
}

/* ---- who ---- */

static struct rate *peer_rate(struct conn *conn) {
    struct auth *auth = &conn->lane->edge->auth;
    return &auth->peer_rates[auth_peer_bucket(conn->peer, auth->peer_seed)];
}

static void refuse_token(struct http_call *call, const char *detail) {
    uint64_t wait_ns;
    if (!rate_take(peer_rate(call->conn), failures, call->lane->now_ns, &wait_ns)) {
        metric_add(&call->lane->metrics.unauthorized, 1);
        refuse_limited(call, "too many wrong tokens came from this address", wait_ns);
        return;
    }
    desk_note(call->conn, "login.failed", NULL, call->turn, detail);
    refuse_unknown(call, "invalid_token", detail);
}

static const struct token *authenticate(struct http_call *call) {
    struct conn *conn = call->conn;
    struct conn_auth *a = &conn->auth;
    struct weir_slice header, secret;
    struct token_proof proof;
    if (!weir_http_request_header(call->request, weir_slice_text("Authorization"), &header)) {
        refuse_unknown(call, NULL,
            "send a token: `Authorization: Bearer weir_...`; an administrator makes one with "
            "`weir token create`");
        return NULL;
    }
    if (a->known && a->size && a->size == header.size && secret_equal(a->header, header.data, header.size)) {
        const struct token *token = auth_of(conn);
        if (token) return token;
    }
    enum weir_error e = secret_bearer(header, &secret);
    if (e) {
        refuse_token(call, "the header is not `Authorization: Bearer TOKEN`");
        return NULL;
    }
    const struct token *token = tokens_by_secret(auth_tokens(call->lane), secret, wall_ms(call->lane), &proof);
    if (!token) {
        refuse_token(call, "the token is wrong, revoked or expired");
        return NULL;
    }
    auth_remember(conn, token, &proof, header);
    return token;
}

/* ---- how much ---- */

static struct rate_limit limit_of_tenant(const struct edge_lane *lane, uint16_t row) {
    const struct tenant *tenant = &auth_tokens(lane)->tenants[row];
    if (row == 0 || tenant->limit.interval_ns) return tenant->limit;
    return lane->edge->auth.tenant_limit;
}

/* One from the token and one from its tenant, or none of both; *ret_tenant tells whose was empty. */
static bool take_one(struct edge_lane *lane, const struct token *token, uint64_t *ret_wait_ns, bool *ret_tenant) {
    struct auth *auth = &lane->edge->auth;
    struct rate *rate = &auth->token_rates[token - auth_tokens(lane)->rows];
    *ret_tenant = false;
    if (!rate_take(rate, token->limit, lane->now_ns, ret_wait_ns)) return false;
    struct rate_limit limit = limit_of_tenant(lane, token->tenant);
    if (rate_take(&auth->tenant_rates[token->tenant], limit, lane->now_ns, ret_wait_ns)) return true;
    rate_give(rate, token->limit);
    *ret_tenant = true;
    return false;
}

static bool within_limits(struct http_call *call) {
    struct edge_lane *lane = call->lane;
    struct auth *auth = &lane->edge->auth;
    const struct token *token = call->token;
    struct tenant_metrics *metrics = &lane->tenants[token->tenant];
    uint64_t wait_ns = 0, full_in_ns;
    bool by_tenant;
    metric_add(&metrics->requests, 1);
    bool taken = take_one(lane, token, &wait_ns, &by_tenant);
    if (token->limit.interval_ns) {
        uint64_t left =
            rate_left(&auth->token_rates[token - auth_tokens(lane)->rows], token->limit, lane->now_ns, &full_in_ns);
        call->turn->limit = (struct http_limit){.burst = token->limit.depth_ns / token->limit.interval_ns,
            .left = left,
            .full_in_s = seconds_up(full_in_ns),
            .window_s = seconds_up(token->limit.depth_ns)};
    }
    if (taken) return true;
    metric_add(&metrics->limited, 1);
    refuse_limited(call, by_tenant ? "the tenant's requests are used up" : "the token's requests are used up", wait_ns);
    return false;
}

/* ---- requests ---- */

static bool needs_token(const struct http_call *call) {
    const struct auth *auth = &call->lane->edge->auth;
    return auth->on && call->route->access != ROUTE_OPEN && !(auth->metrics_open && call->route->is_metrics);
}

/* False: the handler asks, or any token will do. */
static bool needs_permission(const struct http_call *call) {
    enum route_access access = call->route->access;
    return access != ROUTE_ANY_TOKEN && (access != ROUTE_TOPIC_ADMIN || call->param_count);
}

bool auth_admit(struct http_call *call) {
    call->token = NULL;
    if (!needs_token(call)) return true;
    call->token = authenticate(call);
    if (!call->token || !within_limits(call)) return false; /* also what is forbidden counts */
    if (!needs_permission(call)) return true;
    struct permission p = permission_of(call);
    if (token_allows(call->token, &p)) return true;
    refuse_forbidden(call, &p);
    return false;
}

bool auth_would_admit(const struct http_call *call) {
    struct weir_slice header, secret;
    struct token_proof proof;
    if (!needs_token(call)) return true;
    if (!weir_http_request_header(call->request, weir_slice_text("Authorization"), &header)) return false;
    if (secret_bearer(header, &secret)) return false;
    const struct token *token = tokens_by_secret(auth_tokens(call->lane), secret, wall_ms(call->lane), &proof);
    if (!token || !needs_permission(call)) return token != NULL;
    struct permission p = permission_of(call);
    return token_allows(token, &p);
}

bool auth_allow_topic(struct http_call *call, struct weir_slice topic, enum role_verb verb) {
    struct permission p = {.object = ROLE_TOPIC, .verb = verb, .topic = topic};
    if (!call->token || token_allows(call->token, &p)) return true;
    refuse_forbidden(call, &p);
    return false;
}

bool auth_may_see_topic(const struct http_call *call, const char *topic) {
    struct permission p = {.object = ROLE_NODE, .verb = ROLE_READ};
    if (!call->token || token_allows(call->token, &p)) return true;
    p = (struct permission){.object = ROLE_TOPIC, .topic = weir_slice_text(topic)};
    for (int verb = ROLE_READ; verb <= ROLE_ADMIN; verb *= 2) {
        p.verb = (enum role_verb)verb;
        if (token_allows(call->token, &p)) return true;
    }
    return false;
}

/* ---- sessions ---- */

enum weir_error auth_login(struct conn *conn, uint32_t service, struct weir_slice secret) {
    struct edge_lane *lane = conn->lane;
    struct token_proof proof;
    uint64_t wait_ns;
    if (!lane->edge->auth.on) return WEIR_OK;
    if (!rate_take(peer_rate(conn), failures, lane->now_ns, &wait_ns)) {
        metric_add(&lane->metrics.unauthorized, 1);
        return weir_error_context(WEIR_E_FULL, "too many logins came from this address");
    }
    const struct token *token = tokens_by_login(auth_tokens(lane), secret, wall_ms(lane), &proof);
    if (!token) {
        metric_add(&lane->metrics.unauthorized, 1);
        desk_note(conn, "login.failed", NULL, NULL, "the password is no login of a token");
        return weir_error_context(WEIR_E_FORBIDDEN, "the password is no login of a token");
    }
    rate_give(peer_rate(conn), failures);
    auth_remember(conn, token, &proof, weir_slice(NULL, 0));
    return auth_session(conn, service, ROLE_READ);
}

const char *auth_login_failed(struct conn *conn, const char *detail) {
    uint64_t wait_ns;
    metric_add(&conn->lane->metrics.unauthorized, 1);
    if (!rate_take(peer_rate(conn), failures, conn->lane->now_ns, &wait_ns))
        return "too many wrong tokens came from this address";
    desk_note(conn, "login.failed", NULL, NULL, detail);
    return detail;
}

enum weir_error auth_session(struct conn *conn, uint32_t service, enum role_verb verb) {
    struct edge *edge = conn->lane->edge;
    char need[100], detail[200];
    if (!edge->auth.on) return WEIR_OK;
    const struct token *token = auth_of(conn);
    if (!token) return weir_error_context(WEIR_E_FORBIDDEN, "the session has not logged in");
    struct permission p = {.object = ROLE_SERVICE, .verb = verb, .service = service};
    if (token_allows(token, &p)) return WEIR_OK;
    struct text_builder n = TEXT_BUILDER(need), d = TEXT_BUILDER(detail);
    print_need(edge, &p, &n);
    text_printf(&d, "the token %s has no role that includes %s", token->name, need);
    metric_add(&conn->lane->metrics.forbidden, 1);
    desk_note(conn, "denied", token, NULL, detail);
    return weir_error_context(WEIR_E_FORBIDDEN, "%s", detail);
}

enum weir_error auth_session_take(struct conn *conn) {
    struct edge_lane *lane = conn->lane;
    uint64_t wait_ns;
    bool by_tenant;
    if (!lane->edge->auth.on) return WEIR_OK;
    const struct token *token = auth_of(conn);
    if (!token) return weir_error_context(WEIR_E_FORBIDDEN, "the session has not logged in");
    if (!take_one(lane, token, &wait_ns, &by_tenant)) {
        metric_add(&lane->tenants[token->tenant].limited, 1);
        return weir_error_context(WEIR_E_FULL, "the %s's commands are used up for now", by_tenant ? "tenant" : "token");
    }
    metric_add(&lane->tenants[token->tenant].commands, 1);
    return WEIR_OK;
}

/* ---- metrics: a series per tenant, of which there are TENANTS_MAX at most ---- */

void auth_print_metrics(const struct edge *edge, struct text_builder *text) {
    static const struct {
        const char *name, *help;
        size_t at;
    } rows[] = {{"weir_tenant_requests_total", "HTTP requests of the tenant's tokens.",
                    offsetof(struct tenant_metrics, requests)},
        {"weir_tenant_session_commands_total", "Commands of the tenant's sessions.",
            offsetof(struct tenant_metrics, commands)},
        {"weir_tenant_limited_total", "Requests and commands that met the token's or tenant's limit.",
            offsetof(struct tenant_metrics, limited)}};
    uint64_t generation = atomic_load_explicit(&edge->auth.generation, memory_order_acquire);
    const struct tokens *tokens = edge->auth.tables[generation % 2];
    if (!edge->auth.on) return;
    for (size_t r = 0; r < WEIR_ARRAY_COUNT(rows); r++) {
        text_printf(text, "# HELP %s %s\n# TYPE %s counter\n", rows[r].name, rows[r].help, rows[r].name);
        for (uint32_t i = 0; i < TENANTS_MAX; i++) {
            if (!tokens->tenants[i].used) continue;
            uint64_t sum = 0;
            for (uint32_t k = 0; k < edge->options.lanes; k++)
                sum +=
                    metric_get((const struct metric_counter *)(const void *)((const char *)&edge->lanes[k].tenants[i] +
                                                                             rows[r].at));
            text_printf(
                text, "%s{tenant=\"%s\"} %llu\n", rows[r].name, tokens->tenants[i].name, (unsigned long long)sum);
        }
    }
}
