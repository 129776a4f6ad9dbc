#include "edge/token_routes.h"

#include "edge/desk.h"
#include "edge/token_wish.h"

/* ---- listing ---- */

void tokens_list_get(struct http_call *call) {
    const struct tokens *tokens = auth_tokens(call->lane);
    uint64_t now_ms = call->lane->sys->wall_ns(call->lane->sys) / SYS_NANOS_PER_MS;
    struct http_json json;
    http_json_begin(call->lane, &json);
    json_write_object_open(&json.w);
    json_write_key(&json.w, "tokens");
    json_write_array_open(&json.w);
    for (uint32_t i = 0; i < TOKENS_MAX; i++)
        if (tokens->rows[i].id[0]) token_print(tokens, &tokens->rows[i], now_ms, &json.w);
    json_write_array_close(&json.w);
    json_write_object_close(&json.w);
    http_json_answer(call->conn, call->turn, &json, 200);
}

void tenants_list_get(struct http_call *call) {
    const struct tokens *tokens = auth_tokens(call->lane);
    struct http_json json;
    http_json_begin(call->lane, &json);
    json_write_object_open(&json.w);
    json_write_key(&json.w, "tenants");
    json_write_array_open(&json.w);
    for (uint32_t i = 1; i < TENANTS_MAX; i++) {
        const struct tenant *tenant = &tokens->tenants[i];
        if (!tenant->used) continue;
        json_write_object_open(&json.w);
        json_put_text(&json.w, "name", tenant->name);
        json_put_u64(&json.w, "rate", tenant->rate ? tenant->rate : call->lane->edge->node[NODE_TENANT_RATE].number);
        json_put_u64(&json.w, "burst", tenant->burst);
        json_put_bool(&json.w, "ownLimit", tenant->rate != 0);
        json_write_object_close(&json.w);
    }
    json_write_array_close(&json.w);
    json_write_object_close(&json.w);
    http_json_answer(call->conn, call->turn, &json, 200);
}

/* ---- changes, on the work agent ---- */

struct token_work {
    struct edge *edge;
    uint32_t stage; /* of auth_change */
    enum { TOKEN_CREATE, TOKEN_ROTATE, TOKEN_REVOKE, TENANT_LIMIT } kind;
    struct token_wish wish; /* create: all; else its name, rate, burst; the tenant's for a limit */
    uint64_t grace_ms;
    uint8_t random[SECRET_RANDOM];
    struct token_shown shown;
    uint64_t expires_ms;
};
_Static_assert(sizeof(struct token_work) <= DESK_ARG_MAX, "an order's argument");

static enum weir_error change(struct tokens *tokens, uint64_t now_ms, void *ctx) {
    struct token_work *work = ctx;
    struct weir_slice name = weir_slice_text(work->wish.name);
    enum weir_error e = WEIR_OK;
    switch (work->kind) {
    case TOKEN_CREATE:
        e = tokens_create(tokens, &work->wish, work->random, now_ms, &work->shown);
        break;
    case TOKEN_ROTATE:
        e = tokens_rotate(tokens, name, work->grace_ms, work->random, now_ms, &work->shown);
        break;
    case TOKEN_REVOKE:
        return tokens_revoke(tokens, name);
    case TENANT_LIMIT:
        return tokens_limit_tenant(tokens, name, work->wish.rate, work->wish.burst);
    }
    const struct token *token = e ? NULL : tokens_by_name(tokens, name);
    if (token) work->expires_ms = token->expires_ms;
    return e;
}

static enum weir_error run(struct host *host, void *arg, char *text, size_t text_size) {
    struct token_work *work = arg;
    (void)host;
    enum weir_error e = auth_change(work->edge, &work->stage, change, work);
    if (e) return e;
    struct text_builder t = text_builder(text, text_size);
    struct json_writer w = json_writer(&t, 0);
    if (work->shown.secret[0]) {
        struct token token = {.expires_ms = work->expires_ms};
        memcpy(token.name, work->wish.name, sizeof token.name);
        token_print_shown(&token, &work->shown, &w);
    } else {
        json_write_object_open(&w);
        json_put_text(&w, "name", work->wish.name);
        if (work->kind == TOKEN_REVOKE) json_put_bool(&w, "revoked", true);
        json_write_object_close(&w);
    }
    return WEIR_OK;
}

static void changed(struct conn *conn, struct http_turn *turn, const struct host_delivery *d) {
    if (d->error)
        http_fail(conn, turn, d->error, d->text && *d->text ? d->text : weir_error_sentence(d->error));
    else
        http_answer(conn, turn, &(struct http_answer){.status = (int)turn->args[0], .body = d->value});
}

static void begin(struct http_call *call, const char *action, struct token_work *work, int status) {
    struct sys *sys = call->lane->sys;
    work->edge = call->lane->edge;
    call->turn->args[0] = (uint64_t)status;
    if (work->kind == TOKEN_CREATE || work->kind == TOKEN_ROTATE) sys->random(sys, work->random, sizeof work->random);
    desk_begin(call, &(struct desk_order){.action = action,
                         .target = weir_slice_text(work->wish.name),
                         .fn = run,
                         .arg = work,
                         .arg_size = sizeof *work,
                         .deliver = changed});
}

/* ---- routes ---- */

/* A role for a service that does not run here is a mistake more often than foresight. */
static enum weir_error check_services(const struct edge *edge, const struct token_wish *wish) {
    const char *names[64];
    size_t count = 0;
    for (; count < edge->service_count && count < WEIR_ARRAY_COUNT(names); count++)
        names[count] = edge_service(edge, (uint32_t)count)->name;
    for (uint32_t i = 0; i < wish->role_count; i++) {
        const struct role *role = &wish->roles[i];
        bool found = role->object != ROLE_SERVICE || role->is_prefix;
        for (size_t k = 0; !found && k < count; k++)
            found = weir_slice_equal(role_name(role), weir_slice_text(names[k]));
        if (found) continue;
        int nearest = text_nearest(role_name(role), names, count);
        return weir_error_context(WEIR_E_INVALID, "the role %s: no such service runs here%s%s%s", role->text,
            nearest >= 0 ? "; did you mean " : "", nearest >= 0 ? names[nearest] : "", nearest >= 0 ? "?" : "");
    }
    return WEIR_OK;
}

void tokens_create_post(struct http_call *call) {
    struct token_work work = {.kind = TOKEN_CREATE};
    weir_error_clear();
    enum weir_error e = token_wish_read(call->request->body, &work.wish);
    if (!e) e = check_services(call->lane->edge, &work.wish);
    if (e)
        http_fail(call->conn, call->turn, e, NULL);
    else
        begin(call, "token.create", &work, 201);
}

/* The name of the path; false: answered. */
static bool take_name(struct http_call *call, const char *what, struct token_work *work) {
    enum weir_error e = token_check_name(what, call->params[0]);
    if (e)
        http_fail(call->conn, call->turn, e, NULL);
    else
        memcpy(work->wish.name, call->params[0].data, call->params[0].size);
    return !e;
}

void tokens_rotate_post(struct http_call *call) {
    struct token_work work = {.kind = TOKEN_ROTATE};
    if (!take_name(call, "a token's name", &work)) return;
    weir_error_clear();
    enum weir_error e = token_grace_read(call->request->body, &work.grace_ms);
    if (e)
        http_fail(call->conn, call->turn, e, NULL);
    else
        begin(call, "token.rotate", &work, 200);
}

void tokens_revoke_delete(struct http_call *call) {
    struct token_work work = {.kind = TOKEN_REVOKE};
    if (take_name(call, "a token's name", &work)) begin(call, "token.revoke", &work, 200);
}

void tenants_limit_put(struct http_call *call) {
    struct token_work work = {.kind = TENANT_LIMIT};
    if (!take_name(call, "a tenant", &work)) return;
    weir_error_clear();
    enum weir_error e = token_limit_read(call->request->body, &work.wish.rate, &work.wish.burst);
    if (e)
        http_fail(call->conn, call->turn, e, NULL);
    else
        begin(call, "tenant.limit", &work, 200);
}
