/* Tokens on the lanes: from the file into the two tables, from one table to the next, and the end of sessions. */
#include "edge/auth.h"

#include "edge/http_session.h"

#define LOOK_NS_MAX       SYS_NANOS_PER_S /* the wall clock may jump: expiry is looked at that often, if anything expires */
#define WAITING_FOR_LANES 1u

static uint64_t wall_ms(struct edge *edge) {
    return edge->sys->wall_ns(edge->sys) / SYS_NANOS_PER_MS;
}

/* ---- life ---- */

/* Roles name services; the node knows them by number. */
static void bind_services(const struct edge *edge, struct tokens *tokens) {
    for (uint32_t i = 0; i < TOKENS_MAX; i++)
        for (uint32_t k = 0; tokens->rows[i].id[0] && k < tokens->rows[i].role_count; k++) {
            struct role *role = &tokens->rows[i].roles[k];
            if (role->object != ROLE_SERVICE || role->is_prefix) continue;
            role->service = auth_service_named(edge, role_name(role));
        }
}

bool auth_is_on(const struct weir_setting_value *node) {
    return strcmp(node[NODE_AUTH].text, "tokens") == 0;
}

enum weir_error auth_check_settings(const struct weir_setting_value *node) {
    if (auth_is_on(node) || strcmp(node[NODE_AUTH].text, "off") == 0) return WEIR_OK;
    return weir_error_context(WEIR_E_CONFIG, "auth is '%.40s'; it is off or tokens", node[NODE_AUTH].text);
}

enum weir_error auth_open(struct edge *edge) {
    struct auth *auth = &edge->auth;
    const struct weir_setting_value *s = edge->node;
    enum weir_error e = auth_check_settings(s);
    if (e) return e;
    auth->on = auth_is_on(s);
    auth->metrics_open = s[NODE_METRICS_OPEN].number;
    auth->tenant_limit = rate_limit(s[NODE_TENANT_RATE].number, 0);
    edge->sys->random(edge->sys, &auth->peer_seed, sizeof auth->peer_seed);
    auth->mapped_size = 2 * sizeof(struct tokens);
    e = sys_memory_map(auth->mapped_size, &auth->mapped);
    if (e) return e;
    auth->tables[0] = auth->mapped;
    auth->tables[1] = auth->tables[0] + 1;
    return WEIR_OK;
}

enum weir_error auth_load(struct edge *edge) {
    struct auth *auth = &edge->auth;
    if (!auth->on) return WEIR_OK;
    enum weir_error e = tokens_load(edge->sys, edge->node[NODE_DATA].text, auth->tables[0]);
    if (!e) bind_services(edge, auth->tables[0]);
    if (!e && auth->tables[0]->count == 0)
        logline_error(&edge->log, LOGLINE_WARN, "no_tokens", WEIR_E_FORBIDDEN,
            "auth is on and there is no token yet: nobody may do anything; stop the node and run "
            "`weir token create admin --role admin --data DIR`");
    return e;
}

void auth_close(struct edge *edge) {
    if (edge->auth.mapped) sys_memory_unmap(edge->auth.mapped, edge->auth.mapped_size);
}

const struct tokens *auth_tokens(const struct edge_lane *lane) {
    return lane->edge->auth.tables[lane->auth_generation % 2];
}

const char *auth_principal(const struct conn *conn, const struct token *token) {
    return token ? token->name : conn_principal(conn);
}

const char *auth_tenant(const struct edge_lane *lane, const struct token *token) {
    return token ? auth_tokens(lane)->tenants[token->tenant].name : "";
}

/* ---- what a connection has shown ---- */

const struct token *auth_of(struct conn *conn) {
    struct conn_auth *a = &conn->auth;
    struct edge_lane *lane = conn->lane;
    if (!a->known) return NULL;
    const struct token *token = &auth_tokens(lane)->rows[a->row];
    if (a->generation != lane->auth_generation) {
        bool is_same = memcmp(token->id, a->id, sizeof a->id) == 0;
        a->known = is_same && token_proven(token, &a->proof, wall_ms(lane->edge), &a->until_ms);
        a->generation = lane->auth_generation;
    }
    if (a->known && a->until_ms && a->until_ms <= wall_ms(lane->edge)) a->known = false;
    return a->known ? token : NULL;
}

void auth_remember(
    struct conn *conn, const struct token *token, const struct token_proof *proof, struct weir_slice header) {
    struct edge_lane *lane = conn->lane;
    struct conn_auth *a = &conn->auth;
    *a = (struct conn_auth){.known = true,
        .row = (uint16_t)(token - auth_tokens(lane)->rows),
        .generation = lane->auth_generation,
        .proof = *proof};
    memcpy(a->id, token->id, sizeof a->id);
    if (header.size && header.size <= AUTH_HEADER_MAX) {
        memcpy(a->header, header.data, header.size);
        a->size = (uint16_t)header.size;
    }
    a->known = token_proven(token, proof, wall_ms(lane->edge), &a->until_ms);
    if (a->until_ms && (!lane->auth_until_ms || a->until_ms < lane->auth_until_ms)) lane->auth_until_ms = a->until_ms;
}

/* ---- the end of what a token began ---- */

static void end_session(struct conn *conn) {
    static const char why[] = "the token was revoked or has expired";
    metric_add(&conn->lane->metrics.sessions_ended, 1);
    if (conn->kind == CONN_SOCKET)
        ws_session_close(conn, WEIR_WS_CODE_POLICY, why);
    else
        weir_session_close(&conn->session, why);
    conn_touch(conn);
}

/* Reads that wait (up to half a minute) would still be answered. */
static bool waits_for_reads(const struct conn *conn) {
    const struct http_session *s = conn->http;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct http_turn *turn = &s->turns[(s->first + i) % HTTP_TURNS];
        if (turn->state == HTTP_TURN_PENDING && !turn->is_command) return true;
    }
    return false;
}

static void look_at(struct conn *conn) {
    struct edge_lane *lane = conn->lane;
    if (conn->kind == CONN_FREE || conn->dead || !conn->auth.known) return;
    if (auth_of(conn)) {
        uint64_t until = conn->auth.until_ms;
        if (until && (!lane->auth_until_ms || until < lane->auth_until_ms)) lane->auth_until_ms = until;
    } else if (conn->kind != CONN_HTTP) {
        end_session(conn);
    } else if (waits_for_reads(conn)) {
        conn_kill(conn);
    }
}

static void clear(struct tenant_metrics *m) {
    metric_set(&m->requests, 0);
    metric_set(&m->commands, 0);
    metric_set(&m->limited, 0);
}

static void forget_tenants(struct edge_lane *lane, const struct tokens *before, const struct tokens *now) {
    for (uint32_t i = 0; i < TENANTS_MAX; i++)
        if (strcmp(before->tenants[i].name, now->tenants[i].name) != 0) clear(&lane->tenants[i]);
}

uint64_t auth_cycle(struct edge_lane *lane) {
    struct edge *edge = lane->edge;
    struct auth *auth = &edge->auth;
    if (!auth->on) return DEADLINE_NEVER;
    uint64_t generation = atomic_load_explicit(&auth->generation, memory_order_acquire);
    bool is_new = generation != lane->auth_generation;
    if (is_new) {
        forget_tenants(lane, auth_tokens(lane), auth->tables[generation % 2]);
        lane->auth_generation = generation;
    }
    if (is_new || (lane->auth_until_ms && lane->auth_until_ms <= wall_ms(edge))) {
        lane->auth_until_ms = 0;
        for (uint32_t slot = 0; slot < lane->conn_pool.fresh; slot++)
            look_at(&lane->conns[slot]);
    }
    if (is_new) atomic_store_explicit(&lane->auth_seen, generation, memory_order_release);
    if (!lane->auth_until_ms) return DEADLINE_NEVER;
    uint64_t now_ms = wall_ms(edge);
    uint64_t in_ns = lane->auth_until_ms > now_ms ? (lane->auth_until_ms - now_ms) * SYS_NANOS_PER_MS : 0;
    return lane->now_ns + (in_ns < LOOK_NS_MAX ? in_ns : LOOK_NS_MAX);
}

void auth_lane_stop(struct edge_lane *lane) {
    atomic_store_explicit(&lane->auth_seen, UINT64_MAX, memory_order_release);
}

/* ---- a change, on the work agent ---- */

static bool lanes_follow(struct edge *edge) {
    uint64_t generation = atomic_load_explicit(&edge->auth.generation, memory_order_relaxed);
    bool all = true;
    for (uint32_t i = 0; i < edge->options.lanes; i++) {
        if (atomic_load_explicit(&edge->lanes[i].auth_seen, memory_order_acquire) >= generation) continue;
        edge->sys->poller_wake(edge->sys, edge->lanes[i].poller);
        all = false;
    }
    return all;
}

/* A bucket belongs to who has the row: whoever gets it next begins with a full one. */
static void fill_buckets(struct auth *auth, const struct tokens *before, const struct tokens *now) {
    for (uint32_t i = 0; i < TOKENS_MAX; i++)
        if (memcmp(before->rows[i].id, now->rows[i].id, SECRET_ID_SIZE) != 0)
            atomics_store(&auth->token_rates[i].full_at_ns, 0, RELAXED);
    for (uint32_t i = 0; i < TENANTS_MAX; i++)
        if (strcmp(before->tenants[i].name, now->tenants[i].name) != 0)
            atomics_store(&auth->tenant_rates[i].full_at_ns, 0, RELAXED);
}

enum weir_error auth_change(struct edge *edge, uint32_t *stage,
    enum weir_error (*change)(struct tokens *tokens, uint64_t now_ms, void *ctx), void *ctx) {
    struct auth *auth = &edge->auth;
    if (!auth->on)
        return weir_error_context(WEIR_E_CONFLICT, "this node asks for no tokens: set `auth: tokens`, then make some");
    if (*stage == WAITING_FOR_LANES) return lanes_follow(edge) ? WEIR_OK : WEIR_E_AGAIN;
    uint64_t generation = atomic_load_explicit(&auth->generation, memory_order_relaxed);
    const struct tokens *before = auth->tables[generation % 2];
    struct tokens *next = auth->tables[(generation + 1) % 2];
    WEIR_ASSERT(lanes_follow(edge)); /* jobs run one after the other, each to this point */
    memcpy(next, before, sizeof *next);
    enum weir_error e = change(next, wall_ms(edge), ctx);
    if (!e) e = tokens_store(edge->sys, edge->node[NODE_DATA].text, next);
    if (e) return e;
    bind_services(edge, next);
    fill_buckets(auth, before, next);
    atomic_store_explicit(&auth->generation, generation + 1, memory_order_release);
    *stage = WAITING_FOR_LANES;
    return lanes_follow(edge) ? WEIR_OK : WEIR_E_AGAIN;
}
