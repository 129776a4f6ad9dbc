/* The file of tokens: written as JSON with a last line "crc32c XXXXXXXX", read strictly. */
#include "base/crc32c.h"
#include "base/encode.h"
#include "base/json.h"
#include "edge/tokens.h"

#include <stdio.h>

#define FILE_VERSION 1u

/* ---- writing ---- */

static void put_hex(struct json_writer *w, const char *key, const uint8_t *bytes, size_t size) {
    char hex[2 * SECRET_HASH_SIZE];
    hex_encode(weir_slice(bytes, size), hex);
    json_put_slice(w, key, weir_slice(hex, 2 * size));
}

static void put_token(struct json_writer *w, const struct tokens *tokens, const struct token *token) {
    json_write_object_open(w);
    json_put_text(w, "id", token->id);
    json_put_text(w, "name", token->name);
    json_put_text(w, "tenant", tokens->tenants[token->tenant].name);
    json_write_key(w, "roles");
    json_write_array_open(w);
    for (uint32_t i = 0; i < token->role_count; i++)
        json_write_text(w, token->roles[i].text);
    json_write_array_close(w);
    put_hex(w, "hash", token->hash, SECRET_HASH_SIZE);
    if (token->old_until_ms) put_hex(w, "oldHash", token->old_hash, SECRET_HASH_SIZE);
    if (token->old_until_ms) json_put_u64(w, "oldUntil", token->old_until_ms);
    if (token->has_login) put_hex(w, "loginHash", token->login_hash, SECRET_HASH_SIZE);
    if (token->has_login && token->old_until_ms) put_hex(w, "oldLoginHash", token->old_login_hash, SECRET_HASH_SIZE);
    json_put_u64(w, "created", token->created_ms);
    json_put_u64(w, "expires", token->expires_ms);
    json_put_u64(w, "rate", token->rate);
    json_put_u64(w, "burst", token->burst);
    json_write_object_close(w);
}

void tokens_write(const struct tokens *tokens, struct text_builder *text) {
    struct json_writer w = json_writer(text, 0);
    json_write_object_open(&w);
    json_put_u64(&w, "version", FILE_VERSION);
    put_hex(&w, "salt", tokens->salt, sizeof tokens->salt);
    json_write_key(&w, "tenants");
    json_write_array_open(&w);
    for (uint32_t i = 1; i < TENANTS_MAX; i++) {
        if (!tokens->tenants[i].used || tokens->tenants[i].rate == 0) continue;
        json_write_object_open(&w);
        json_put_text(&w, "name", tokens->tenants[i].name);
        json_put_u64(&w, "rate", tokens->tenants[i].rate);
        json_put_u64(&w, "burst", tokens->tenants[i].burst);
        json_write_object_close(&w);
    }
    json_write_array_close(&w);
    json_write_key(&w, "tokens");
    json_write_array_open(&w);
    for (uint32_t i = 0; i < TOKENS_MAX; i++)
        if (tokens->rows[i].id[0]) put_token(&w, tokens, &tokens->rows[i]);
    json_write_array_close(&w);
    json_write_object_close(&w);
    text_add_char(text, '\n');
    text_printf(text, "crc32c %08x\n", crc32c(text->data, text->size));
}

/* ---- reading ---- */

struct reading {
    struct json_reader r;
    struct tokens *tokens;
};

static enum weir_error bad(const struct reading *f, const char *what) {
    return weir_error_context(WEIR_E_CORRUPT, "at byte %zu: %s", f->r.offset, f->r.error ? f->r.error : what);
}

/* A member's value into its field. */
enum kind { TEXT, NUMBER, HEX };
struct member {
    const char *name;
    enum kind kind;
    void *to;
    size_t size; /* TEXT: with its NUL; HEX: bytes */
    bool *given;
};

static enum weir_error read_member(struct reading *f, const struct member *m) {
    enum json_token token = json_next(&f->r);
    if (m->given) *m->given = true;
    if (m->kind == NUMBER) return json_get_u64(&f->r, m->to) ? WEIR_OK : bad(f, "a whole number is expected");
    if (token != JSON_STRING || f->r.escaped) return bad(f, "a plain text is expected");
    struct weir_slice text = f->r.text;
    if (m->kind == HEX)
        return text.size == 2 * m->size && hex_decode(text, m->to) ? WEIR_OK : bad(f, "not hexadecimal");
    if (text.size >= m->size) return bad(f, "a text is too long");
    memset(m->to, 0, m->size);
    memcpy(m->to, text.data, text.size);
    return WEIR_OK;
}

static enum weir_error read_any(struct reading *f, const struct member *members, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (json_text_is(&f->r, members[i].name)) return read_member(f, &members[i]);
    return bad(f, "an unknown member");
}

static enum weir_error read_roles(struct reading *f, struct token *token) {
    if (json_next(&f->r) != JSON_ARRAY_OPEN) return bad(f, "a list of roles is expected");
    while (json_next(&f->r) == JSON_STRING) {
        if (token->role_count == TOKEN_ROLES_MAX) return bad(f, "too many roles");
        if (f->r.escaped || role_parse(f->r.text, &token->roles[token->role_count++])) return bad(f, "no role");
    }
    return f->r.token == JSON_ARRAY_CLOSE ? WEIR_OK : bad(f, "a list of roles is expected");
}

/* One more token, into the table by the way every token goes. */
static enum weir_error read_token(struct reading *f, uint32_t row) {
    struct token *token = &f->tokens->rows[row];
    char tenant[TOKEN_NAME_MAX + 1] = "";
    bool has_hash = false;
    const struct member members[] = {{"id", TEXT, token->id, sizeof token->id, NULL},
        {"name", TEXT, token->name, sizeof token->name, NULL}, {"tenant", TEXT, tenant, sizeof tenant, NULL},
        {"hash", HEX, token->hash, SECRET_HASH_SIZE, &has_hash},
        {"oldHash", HEX, token->old_hash, SECRET_HASH_SIZE, NULL}, {"oldUntil", NUMBER, &token->old_until_ms, 0, NULL},
        {"loginHash", HEX, token->login_hash, SECRET_HASH_SIZE, &token->has_login},
        {"oldLoginHash", HEX, token->old_login_hash, SECRET_HASH_SIZE, NULL},
        {"created", NUMBER, &token->created_ms, 0, NULL}, {"expires", NUMBER, &token->expires_ms, 0, NULL},
        {"rate", NUMBER, &token->rate, 0, NULL}, {"burst", NUMBER, &token->burst, 0, NULL}};
    enum weir_error e = WEIR_OK;
    if (f->r.token != JSON_OBJECT_OPEN) return bad(f, "a token is expected");
    while (!e && json_next(&f->r) == JSON_KEY)
        e = json_text_is(&f->r, "roles") ? read_roles(f, token) : read_any(f, members, WEIR_ARRAY_COUNT(members));
    if (e) return e;
    if (f->r.token != JSON_OBJECT_CLOSE) return bad(f, "a token is expected");
    if (strlen(token->id) != SECRET_ID_SIZE || !has_hash || token_check_name("a name", weir_slice_text(token->name)) ||
        token->rate > TOKEN_RATE_MAX)
        return bad(f, "the token is not whole");
    token->limit = rate_limit(token->rate, token->burst);
    return tokens_adopt(f->tokens, row, weir_slice_text(tenant));
}

static enum weir_error read_tenant(struct reading *f) {
    char name[TOKEN_NAME_MAX + 1] = "";
    uint64_t rate = 0, burst = 0;
    const struct member members[] = {
        {"name", TEXT, name, sizeof name, NULL}, {"rate", NUMBER, &rate, 0, NULL}, {"burst", NUMBER, &burst, 0, NULL}};
    enum weir_error e = WEIR_OK;
    if (f->r.token != JSON_OBJECT_OPEN) return bad(f, "a tenant is expected");
    while (!e && json_next(&f->r) == JSON_KEY)
        e = read_any(f, members, WEIR_ARRAY_COUNT(members));
    if (!e && (f->r.token != JSON_OBJECT_CLOSE || rate > TOKEN_RATE_MAX)) e = bad(f, "the tenant is not whole");
    return e ? e : tokens_limit_tenant(f->tokens, weir_slice_text(name), rate, burst);
}

static enum weir_error read_list(struct reading *f, bool is_tokens) {
    uint32_t row = 0;
    enum weir_error e = WEIR_OK;
    if (json_next(&f->r) != JSON_ARRAY_OPEN) return bad(f, "a list is expected");
    while (!e && json_next(&f->r) != JSON_ARRAY_CLOSE) {
        if (f->r.token == JSON_ERROR || row == TOKENS_MAX) return bad(f, "too many tokens");
        e = is_tokens ? read_token(f, row++) : read_tenant(f);
    }
    return e;
}

static enum weir_error read_whole(struct reading *f) {
    uint64_t version = 0;
    bool has_salt = false;
    const struct member members[] = {
        {"version", NUMBER, &version, 0, NULL}, {"salt", HEX, f->tokens->salt, SECRET_SALT_SIZE, &has_salt}};
    enum weir_error e = WEIR_OK;
    if (json_next(&f->r) != JSON_OBJECT_OPEN) return bad(f, "an object is expected");
    while (!e && json_next(&f->r) == JSON_KEY) {
        bool is_tokens = json_text_is(&f->r, "tokens");
        if (is_tokens || json_text_is(&f->r, "tenants"))
            e = read_list(f, is_tokens);
        else
            e = read_any(f, members, WEIR_ARRAY_COUNT(members));
        if (!e && version > FILE_VERSION)
            return weir_error_context(WEIR_E_VERSION, "it is of format %llu, newer than this binary's %u",
                (unsigned long long)version, FILE_VERSION);
    }
    if (e) return e;
    if (f->r.token != JSON_OBJECT_CLOSE || json_next(&f->r) != JSON_END || version == 0 || !has_salt)
        return bad(f, "the file is not whole");
    return WEIR_OK;
}

enum weir_error tokens_read(struct weir_slice text, struct tokens *tokens) {
    char want[32];
    static const size_t tail = sizeof "crc32c 01234567\n" - 1;
    if (text.size <= tail) return weir_error_context(WEIR_E_CORRUPT, "it is cut");
    struct weir_slice body = weir_slice(text.data, text.size - tail);
    snprintf(want, sizeof want, "crc32c %08x\n", crc32c(body.data, body.size));
    if (memcmp(want, body.data + body.size, tail) != 0)
        return weir_error_context(WEIR_E_CORRUPT, "its bytes do not match its checksum");
    struct reading f = {.r = json_reader(body, 8), .tokens = tokens};
    tokens->tenants[0].used = true;
    return read_whole(&f);
}

/* ---- in a folder ---- */

static void path_of(const char *folder, char *path, size_t size) {
    snprintf(path, size, "%s/" TOKENS_FILE, folder);
}

enum weir_error tokens_load(struct sys *sys, const char *folder, struct tokens *tokens) {
    char path[600];
    struct weir_slice text;
    bool is_there = false;
    path_of(folder, path, sizeof path);
    enum weir_error e = sys->path_exists(sys, path, &is_there);
    if (e) return e;
    if (!is_there) {
        uint8_t salt[SECRET_SALT_SIZE];
        sys->random(sys, salt, sizeof salt);
        tokens_init(tokens, salt);
        return WEIR_OK;
    }
    e = sys_read_all(sys, path, TOKENS_FILE_BYTES, &text);
    if (e) return e;
    e = tokens_read(text, tokens);
    sys_bytes_free(text);
    return e ? weir_error_wrap(e, "%s: put it back from a backup, or remove it and make new tokens", path) : WEIR_OK;
}

enum weir_error tokens_store(struct sys *sys, const char *folder, const struct tokens *tokens) {
    char path[600];
    struct arena arena;
    arena_init(&arena, NULL, 64u << 10, 2 * TOKENS_FILE_BYTES);
    struct text_builder text = text_builder_arena(&arena, TOKENS_FILE_BYTES);
    path_of(folder, path, sizeof path);
    tokens_write(tokens, &text);
    enum weir_error e = text.truncated ? weir_error_context(WEIR_E_NO_MEMORY, "no memory to write %s", path)
                                       : sys_replace_file(sys, path, text_slice(&text));
    arena_done(&arena);
    return e;
}
