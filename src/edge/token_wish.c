#include "edge/token_wish.h"

#include "base/civil.h"
#include "base/units.h"

#define BURST_MAX UINT32_MAX

static enum weir_error bad_json(const struct json_reader *r, const char *want) {
    if (r->error) return weir_error_context(WEIR_E_INVALID, "not valid JSON at byte %zu: %s", r->offset, r->error);
    return weir_error_context(WEIR_E_INVALID, "expected %s", want);
}

static enum weir_error read_text(struct json_reader *r, const char *what, struct weir_slice *ret_text) {
    if (json_next(r) != JSON_STRING || r->escaped)
        return weir_error_context(WEIR_E_INVALID, "%s is a text in quotes, without escapes", what);
    *ret_text = r->text;
    return WEIR_OK;
}

static enum weir_error read_name(struct json_reader *r, const char *what, char out[TOKEN_NAME_MAX + 1]) {
    struct weir_slice text;
    enum weir_error e = read_text(r, what, &text);
    if (!e) e = token_check_name(what, text);
    if (e) return e;
    memset(out, 0, TOKEN_NAME_MAX + 1);
    memcpy(out, text.data, text.size);
    return WEIR_OK;
}

static enum weir_error read_duration_ms(struct json_reader *r, const char *what, uint64_t *ret_ms) {
    struct weir_slice text;
    uint64_t ns;
    enum weir_error e = read_text(r, what, &text);
    if (!e) e = parse_duration(text, &ns);
    if (e) return weir_error_wrap(WEIR_E_INVALID, "%s", what);
    if (ns < SYS_NANOS_PER_MS)
        return weir_error_context(WEIR_E_INVALID, "%s is a duration such as 90d or 12h, at least 1ms", what);
    *ret_ms = ns / SYS_NANOS_PER_MS;
    return WEIR_OK;
}

static enum weir_error read_rate(struct json_reader *r, uint64_t *ret_rate) {
    struct weir_slice text;
    enum weir_error e = read_text(r, "rate", &text);
    if (e) return e;
    if (weir_slice_equal(text, weir_slice_text("off"))) {
        *ret_rate = 0;
        return WEIR_OK;
    }
    return token_parse_rate(text, ret_rate);
}

static enum weir_error read_burst(struct json_reader *r, uint64_t *ret_burst) {
    (void)json_next(r);
    if (json_get_u64(r, ret_burst) && *ret_burst <= BURST_MAX) return WEIR_OK;
    return weir_error_context(WEIR_E_INVALID, "burst is a whole number, at most %u", BURST_MAX);
}

static enum weir_error read_roles(struct json_reader *r, struct token_wish *wish) {
    if (json_next(r) != JSON_ARRAY_OPEN) return weir_error_context(WEIR_E_INVALID, "roles is a list of texts");
    while (json_next(r) == JSON_STRING) {
        if (wish->role_count == TOKEN_ROLES_MAX)
            return weir_error_context(WEIR_E_INVALID, "a token has at most %u roles", TOKEN_ROLES_MAX);
        if (r->escaped) return weir_error_context(WEIR_E_INVALID, "a role has no escapes");
        enum weir_error e = role_parse(r->text, &wish->roles[wish->role_count++]);
        if (e) return e;
    }
    return r->token == JSON_ARRAY_CLOSE ? WEIR_OK : bad_json(r, "a list of texts under roles");
}

static enum weir_error read_member(struct json_reader *r, struct token_wish *wish) {
    if (json_text_is(r, "name")) return read_name(r, "name", wish->name);
    if (json_text_is(r, "tenant")) return read_name(r, "tenant", wish->tenant);
    if (json_text_is(r, "roles")) return read_roles(r, wish);
    if (json_text_is(r, "expires")) return read_duration_ms(r, "expires", &wish->lifetime_ms);
    if (json_text_is(r, "rate")) return read_rate(r, &wish->rate);
    if (json_text_is(r, "burst")) return read_burst(r, &wish->burst);
    if (json_text_is(r, "login")) {
        enum json_token t = json_next(r);
        wish->wants_login = t == JSON_TRUE;
        return t == JSON_TRUE || t == JSON_FALSE ? WEIR_OK
                                                 : weir_error_context(WEIR_E_INVALID, "login is true or false");
    }
    return weir_error_context(
        WEIR_E_INVALID, "unknown member; a token has name, tenant, roles, expires, rate, burst, login");
}

static enum weir_error read_end(struct json_reader *r) {
    return r->token == JSON_OBJECT_CLOSE && json_next(r) == JSON_END ? WEIR_OK : bad_json(r, "one object");
}

enum weir_error token_wish_read(struct weir_slice json, struct token_wish *ret_wish) {
    struct json_reader r = json_reader(json, 4);
    enum weir_error e = WEIR_OK;
    memset(ret_wish, 0, sizeof *ret_wish);
    if (json_next(&r) != JSON_OBJECT_OPEN) return bad_json(&r, "{\"name\": \"...\", \"roles\": [\"...\"]}");
    while (!e && json_next(&r) == JSON_KEY)
        e = read_member(&r, ret_wish);
    if (!e) e = read_end(&r);
    if (!e && (!ret_wish->name[0] || ret_wish->role_count == 0))
        e = weir_error_context(WEIR_E_INVALID, "a token needs a name and at least one role");
    return e;
}

enum weir_error token_grace_read(struct weir_slice json, uint64_t *ret_grace_ms) {
    struct json_reader r = json_reader(json, 4);
    enum weir_error e = WEIR_OK;
    *ret_grace_ms = 0;
    if (json.size == 0) return WEIR_OK;
    if (json_next(&r) != JSON_OBJECT_OPEN) return bad_json(&r, "{\"grace\": \"1h\"} or nothing");
    while (!e && json_next(&r) == JSON_KEY)
        e = json_text_is(&r, "grace") ? read_duration_ms(&r, "grace", ret_grace_ms)
                                      : weir_error_context(WEIR_E_INVALID, "unknown member; there is only grace");
    return e ? e : read_end(&r);
}

enum weir_error token_limit_read(struct weir_slice json, uint64_t *ret_rate, uint64_t *ret_burst) {
    struct json_reader r = json_reader(json, 4);
    enum weir_error e = WEIR_OK;
    bool has_rate = false;
    *ret_burst = 0;
    if (json_next(&r) != JSON_OBJECT_OPEN) return bad_json(&r, "{\"rate\": \"100/s\", \"burst\": 200}");
    while (!e && json_next(&r) == JSON_KEY) {
        has_rate = has_rate || json_text_is(&r, "rate");
        e = json_text_is(&r, "rate")    ? read_rate(&r, ret_rate)
            : json_text_is(&r, "burst") ? read_burst(&r, ret_burst)
                                        : weir_error_context(WEIR_E_INVALID, "unknown member; there are rate, burst");
    }
    if (!e) e = read_end(&r);
    return !e && !has_rate ? weir_error_context(WEIR_E_INVALID, "rate is missing: \"100/s\", or \"off\"") : e;
}

/* ---- printing ---- */

static void put_time(struct json_writer *w, const char *key, uint64_t ms) {
    char time[CIVIL_TEXT_SIZE];
    civil_format((int64_t)(ms * SYS_NANOS_PER_MS), 3, time);
    json_put_text(w, key, time);
}

void token_print_shown(const struct token *token, const struct token_shown *shown, struct json_writer *w) {
    json_write_object_open(w);
    json_put_text(w, "name", token->name);
    json_put_text(w, "token", shown->secret);
    if (shown->login[0]) json_put_text(w, "login", shown->login);
    if (token->expires_ms) put_time(w, "expires", token->expires_ms);
    json_write_object_close(w);
}

void token_print(const struct tokens *tokens, const struct token *token, uint64_t now_ms, struct json_writer *w) {
    json_write_object_open(w);
    json_put_text(w, "name", token->name);
    json_put_text(w, "id", token->id);
    json_put_text(w, "tenant", tokens->tenants[token->tenant].name);
    json_write_key(w, "roles");
    json_write_array_open(w);
    for (uint32_t i = 0; i < token->role_count; i++)
        json_write_text(w, token->roles[i].text);
    json_write_array_close(w);
    put_time(w, "created", token->created_ms);
    if (token->expires_ms) put_time(w, "expires", token->expires_ms);
    if (token->old_until_ms > now_ms) put_time(w, "oldSecretUntil", token->old_until_ms);
    json_put_u64(w, "rate", token->rate);
    json_put_u64(w, "burst", token->burst);
    json_put_bool(w, "login", token->has_login);
    json_put_bool(w, "expired", token_is_over(token, now_ms));
    json_write_object_close(w);
}
