#include "edge/tokens.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/units.h"

void tokens_init(struct tokens *tokens, const uint8_t salt[SECRET_SALT_SIZE]) {
    memcpy(tokens->salt, salt, SECRET_SALT_SIZE);
    tokens->tenants[0].used = true;
}

/* ---- names and rates ---- */

enum weir_error token_check_name(const char *what, struct weir_slice name) {
    bool good = name.size >= 1 && name.size <= TOKEN_NAME_MAX;
    for (size_t i = 0; good && i < name.size; i++) {
        uint8_t c = name.data[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
               c == '-';
    }
    if (good) return WEIR_OK;
    return weir_error_context(
        WEIR_E_INVALID, "%s has 1 to %d letters, digits, '.', '_' and '-'", what, (int)TOKEN_NAME_MAX);
}

enum weir_error token_parse_rate(struct weir_slice text, uint64_t *ret_per_second) {
    uint64_t per = 1, number;
    const uint8_t *slash = memchr(text.data, '/', text.size);
    struct weir_slice digits = text;
    if (slash) {
        struct weir_slice unit = weir_slice(slash + 1, text.size - (size_t)(slash + 1 - text.data));
        digits.size = (size_t)(slash - text.data);
        per = weir_slice_equal(unit, weir_slice_text("s")) ? 1 : weir_slice_equal(unit, weir_slice_text("m")) ? 60 : 0;
    }
    if (per == 0 || parse_u64(digits, &number) || number < per || number / per > TOKEN_RATE_MAX || number % per)
        return weir_error_context(WEIR_E_INVALID,
            "a rate is a whole number per second such as 100/s (or 6000/m), at least 1/s and at most %u/s",
            TOKEN_RATE_MAX);
    *ret_per_second = number / per;
    return WEIR_OK;
}

/* ---- finding ---- */

static uint32_t place_of(struct weir_slice id) {
    return (uint32_t)hash_bytes(id.data, id.size, 0) % TOKENS_INDEX;
}

const struct token *tokens_by_id(const struct tokens *tokens, struct weir_slice id) {
    if (id.size != SECRET_ID_SIZE) return NULL;
    for (uint32_t at = place_of(id); tokens->index[at]; at = (at + 1) % TOKENS_INDEX) {
        const struct token *token = &tokens->rows[tokens->index[at] - 1];
        if (memcmp(token->id, id.data, SECRET_ID_SIZE) == 0) return token;
    }
    return NULL;
}

const struct token *tokens_by_name(const struct tokens *tokens, struct weir_slice name) {
    for (uint32_t i = 0; i < TOKENS_MAX; i++)
        if (tokens->rows[i].id[0] && weir_slice_equal(name, weir_slice_text(tokens->rows[i].name)))
            return &tokens->rows[i];
    return NULL;
}

bool token_proven(const struct token *token, const struct token_proof *proof, uint64_t now_ms, uint64_t *ret_until_ms) {
    const uint8_t *hash = proof->is_login ? token->login_hash : token->hash;
    const uint8_t *old_hash = proof->is_login ? token->old_login_hash : token->old_hash;
    if (proof->is_login && !token->has_login) return false;
    bool is_new = secret_equal(hash, proof->hash, SECRET_HASH_SIZE);
    bool is_old = secret_equal(old_hash, proof->hash, SECRET_HASH_SIZE) && token->old_until_ms > now_ms;
    if ((!is_new && !is_old) || token_is_over(token, now_ms)) return false;
    uint64_t until = token->expires_ms;
    if (!is_new && (until == 0 || token->old_until_ms < until)) until = token->old_until_ms;
    *ret_until_ms = until;
    return true;
}

const struct token *tokens_by_secret(
    const struct tokens *tokens, struct weir_slice text, uint64_t now_ms, struct token_proof *ret_proof) {
    struct weir_slice id;
    uint64_t until;
    if (!secret_parse(text, &id)) return NULL;
    const struct token *token = tokens_by_id(tokens, id);
    if (!token) return NULL;
    ret_proof->is_login = false;
    secret_hash(text, ret_proof->hash);
    return token_proven(token, ret_proof, now_ms, &until) ? token : NULL;
}

const struct token *tokens_by_login(
    const struct tokens *tokens, struct weir_slice text, uint64_t now_ms, struct token_proof *ret_proof) {
    uint64_t until;
    const struct token *found = tokens_by_secret(tokens, text, now_ms, ret_proof);
    if (found || !secret_hash_login(text, tokens->salt, ret_proof->hash)) return found;
    ret_proof->is_login = true;
    for (uint32_t i = 0; i < TOKENS_MAX; i++)
        if (tokens->rows[i].id[0] && token_proven(&tokens->rows[i], ret_proof, now_ms, &until))
            found = &tokens->rows[i];
    return found;
}

bool token_allows(const struct token *token, const struct permission *permission) {
    for (uint32_t i = 0; i < token->role_count; i++)
        if (role_allows(&token->roles[i], permission)) return true;
    return false;
}

/* ---- changing ---- */

static void build_index(struct tokens *tokens) {
    memset(tokens->index, 0, sizeof tokens->index);
    tokens->count = 0;
    for (uint32_t i = 0; i < TOKENS_MAX; i++) {
        if (!tokens->rows[i].id[0]) continue;
        uint32_t at = place_of(weir_slice(tokens->rows[i].id, SECRET_ID_SIZE));
        while (tokens->index[at])
            at = (at + 1) % TOKENS_INDEX;
        tokens->index[at] = (uint16_t)(i + 1);
        tokens->count++;
    }
}

static enum weir_error find_tenant(struct tokens *tokens, struct weir_slice name, uint16_t *ret_row) {
    uint16_t room = 0;
    for (uint16_t i = 0; i < TENANTS_MAX; i++) {
        const struct tenant *t = &tokens->tenants[i];
        if (t->used && weir_slice_equal(name, weir_slice_text(t->name))) {
            *ret_row = i;
            return WEIR_OK;
        }
        if (!t->used && !room) room = i;
    }
    enum weir_error e = token_check_name("a tenant", name);
    if (e) return e;
    if (!room)
        return weir_error_context(
            WEIR_E_FULL, "there are %u tenants already; a tenant goes with its last token and limit", TENANTS_MAX - 1);
    tokens->tenants[room] = (struct tenant){.used = true};
    memcpy(tokens->tenants[room].name, name.data, name.size);
    *ret_row = room;
    return WEIR_OK;
}

/* Rows of tenants that nothing names any more are free again. */
static void drop_tenants(struct tokens *tokens) {
    bool named[TENANTS_MAX] = {true};
    for (uint32_t i = 0; i < TOKENS_MAX; i++)
        if (tokens->rows[i].id[0]) named[tokens->rows[i].tenant] = true;
    for (uint32_t i = 1; i < TENANTS_MAX; i++)
        if (!named[i] && tokens->tenants[i].rate == 0) tokens->tenants[i] = (struct tenant){0};
}

static void give_secret(struct tokens *tokens, struct token *token, bool is_new, const uint8_t *random,
    bool wants_login, struct token_shown *shown) {
    *shown = (struct token_shown){0};
    secret_make(random, is_new ? NULL : token->id, shown->secret);
    if (is_new) memcpy(token->id, shown->secret + sizeof SECRET_PREFIX - 1, SECRET_ID_SIZE);
    secret_hash(weir_slice(shown->secret, SECRET_TEXT_SIZE), token->hash);
    token->has_login = wants_login;
    if (!wants_login) return;
    secret_make_login(random, shown->login);
    WEIR_ASSERT(secret_hash_login(weir_slice(shown->login, SECRET_LOGIN_SIZE), tokens->salt, token->login_hash));
}

static enum weir_error check_wish(const struct tokens *tokens, const struct token_wish *wish, uint32_t *ret_row) {
    enum weir_error e = token_check_name("a token's name", weir_slice_text(wish->name));
    if (e) return e;
    if (weir_slice_equal(weir_slice_text(wish->name), weir_slice_text("local")))
        return weir_error_context(WEIR_E_INVALID, "the name local is for requests without a token (auth: off)");
    if (tokens_by_name(tokens, weir_slice_text(wish->name)))
        return weir_error_context(WEIR_E_EXISTS, "there is a token %s; rotate it, or revoke it first", wish->name);
    if (wish->role_count == 0)
        return weir_error_context(WEIR_E_INVALID, "a token without a role could do nothing: name at least one");
    for (uint32_t i = 0; i < TOKENS_MAX; i++)
        if (!tokens->rows[i].id[0]) {
            *ret_row = i;
            return WEIR_OK;
        }
    return weir_error_context(WEIR_E_FULL, "there are %u tokens already; revoke one first", TOKENS_MAX);
}

enum weir_error tokens_create(struct tokens *tokens, const struct token_wish *wish, const uint8_t random[SECRET_RANDOM],
    uint64_t now_ms, struct token_shown *ret_shown) {
    uint32_t row = 0;
    uint16_t tenant;
    WEIR_ASSERT(wish != NULL && wish->role_count <= TOKEN_ROLES_MAX);
    enum weir_error e = check_wish(tokens, wish, &row);
    if (!e) e = find_tenant(tokens, weir_slice_text(wish->tenant), &tenant);
    if (e) return e;
    struct token *token = &tokens->rows[row];
    memset(token, 0, sizeof *token);
    memcpy(token->name, wish->name, sizeof token->name);
    token->tenant = tenant;
    token->created_ms = now_ms;
    token->expires_ms = wish->lifetime_ms ? now_ms + wish->lifetime_ms : 0;
    token->rate = wish->rate;
    token->burst = wish->burst;
    token->limit = rate_limit(wish->rate, wish->burst);
    token->role_count = wish->role_count;
    memcpy(token->roles, wish->roles, sizeof token->roles);
    give_secret(tokens, token, true, random, wish->wants_login, ret_shown);
    build_index(tokens);
    return WEIR_OK;
}

static enum weir_error find(struct tokens *tokens, struct weir_slice name, struct token **ret_token) {
    const struct token *token = tokens_by_name(tokens, name);
    char shown[80];
    struct text_builder t = TEXT_BUILDER(shown);
    text_add_quoted(&t, name, TOKEN_NAME_MAX);
    if (!token) return weir_error_context(WEIR_E_NOT_FOUND, "there is no token %s", shown);
    *ret_token = &tokens->rows[token - tokens->rows];
    return WEIR_OK;
}

enum weir_error tokens_rotate(struct tokens *tokens, struct weir_slice name, uint64_t grace_ms,
    const uint8_t random[SECRET_RANDOM], uint64_t now_ms, struct token_shown *ret_shown) {
    struct token *token;
    enum weir_error e = find(tokens, name, &token);
    if (e) return e;
    memcpy(token->old_hash, token->hash, sizeof token->old_hash);
    memcpy(token->old_login_hash, token->login_hash, sizeof token->old_login_hash);
    token->old_until_ms = grace_ms ? now_ms + grace_ms : 0;
    give_secret(tokens, token, false, random, token->has_login, ret_shown);
    return WEIR_OK;
}

enum weir_error tokens_revoke(struct tokens *tokens, struct weir_slice name) {
    struct token *token;
    enum weir_error e = find(tokens, name, &token);
    if (e) return e;
    memset(token, 0, sizeof *token);
    build_index(tokens);
    drop_tenants(tokens);
    return WEIR_OK;
}

enum weir_error tokens_limit_tenant(struct tokens *tokens, struct weir_slice name, uint64_t rate, uint64_t burst) {
    uint16_t row;
    enum weir_error e = token_check_name("a tenant", name);
    if (!e) e = find_tenant(tokens, name, &row);
    if (e) return e;
    tokens->tenants[row].rate = rate;
    tokens->tenants[row].burst = burst;
    tokens->tenants[row].limit = rate_limit(rate, burst);
    drop_tenants(tokens);
    return WEIR_OK;
}

enum weir_error tokens_adopt(struct tokens *tokens, uint32_t row, struct weir_slice tenant) {
    struct token *token = &tokens->rows[row];
    struct weir_slice id = weir_slice(token->id, SECRET_ID_SIZE);
    if (tokens_by_id(tokens, id) || tokens_by_name(tokens, weir_slice_text(token->name)) != token)
        return weir_error_context(WEIR_E_CORRUPT, "the token %s is there twice", token->name);
    enum weir_error e = find_tenant(tokens, tenant, &token->tenant);
    if (!e) build_index(tokens);
    return e;
}
