/* edge/tokens.h: the node's tokens and tenants as one table, and the file they live in.
 *
 * The file is DATA/tokens, JSON and a line with its CRC32C, replaced as a whole and durably at each change. A file and
 * not a topic of the log, because it must be there before the first byte of a client is believed, also on a node
 * that is not ready; because the first token is made while no node runs, by a command that should not have to open a
 * log; and because hashes of secrets do not belong where records are read, copied and kept. What was changed, when and
 * by whom is in the log: every change is a record of weir.audit. A backup of the folder takes both.
 *
 * Memory: the table is one block of a fixed size, TOKENS_MAX tokens and TENANTS_MAX tenants; it costs what is touched.
 * A token keeps its place as long as it exists. Owner: whoever builds it; what lanes see is never changed (auth.h).
 * Errors: INVALID, EXISTS, NOT_FOUND, FULL with a sentence; the table is as it was. CORRUPT, VERSION for a file.
 */
#ifndef WEIR_EDGE_TOKENS_H
#define WEIR_EDGE_TOKENS_H
#include "base/rate.h"
#include "base/text.h"
#include "edge/roles.h"
#include "edge/secret.h"
#include "host/host.h"

#define TOKENS_FILE       "tokens"
#define TOKENS_MAX        1024u
#define TENANTS_MAX       256u /* [0] is no tenant: "" */
#define TOKEN_ROLES_MAX   16u
#define TOKEN_NAME_MAX    HOST_WHO_MAX
#define TOKENS_INDEX      4096u
#define TOKENS_FILE_BYTES (8u << 20)
#define TOKEN_RATE_MAX    1000000u /* per second */

struct token {
    char id[SECRET_ID_SIZE + 1]; /* "": the place is free */
    char name[TOKEN_NAME_MAX + 1];
    uint16_t tenant; /* row of tenants */
    bool has_login;
    uint8_t hash[SECRET_HASH_SIZE], old_hash[SECRET_HASH_SIZE];
    uint8_t login_hash[SECRET_HASH_SIZE], old_login_hash[SECRET_HASH_SIZE];
    uint64_t created_ms, expires_ms, old_until_ms; /* Unix time; 0: never, no old one */
    uint64_t rate, burst;                          /* per second; 0: none, one second's */
    struct rate_limit limit;
    uint32_t role_count;
    struct role roles[TOKEN_ROLES_MAX];
};
struct tenant {
    char name[TOKEN_NAME_MAX + 1];
    bool used; /* a row stays while a token names it or it has a limit */
    uint64_t rate, burst;
    struct rate_limit limit;
};
struct tokens {
    uint8_t salt[SECRET_SALT_SIZE]; /* of the logins */
    uint32_t count;
    struct token rows[TOKENS_MAX];
    struct tenant tenants[TENANTS_MAX];
    uint16_t index[TOKENS_INDEX]; /* by id: row + 1 */
};

/* What a new token is to be. */
struct token_wish {
    char name[TOKEN_NAME_MAX + 1], tenant[TOKEN_NAME_MAX + 1];
    uint64_t lifetime_ms; /* 0: for ever */
    uint64_t rate, burst;
    bool wants_login;
    uint32_t role_count;
    struct role roles[TOKEN_ROLES_MAX];
};
/* What is shown once. */
struct token_shown {
    char secret[SECRET_TEXT_SIZE + 1];
    char login[SECRET_LOGIN_SIZE + 1]; /* "": none */
};

/* tokens: zeroed memory. The salt is drawn when it has none yet. */
void tokens_init(struct tokens *tokens, const uint8_t salt[SECRET_SALT_SIZE]);
WEIR_MUST enum weir_error tokens_create(struct tokens *tokens, const struct token_wish *wish,
    const uint8_t random[SECRET_RANDOM], uint64_t now_ms, struct token_shown *ret_shown);
/* A new secret (and login) under the same name; the old secret works until now + grace. */
WEIR_MUST enum weir_error tokens_rotate(struct tokens *tokens, struct weir_slice name, uint64_t grace_ms,
    const uint8_t random[SECRET_RANDOM], uint64_t now_ms, struct token_shown *ret_shown);
WEIR_MUST enum weir_error tokens_revoke(struct tokens *tokens, struct weir_slice name);
WEIR_MUST enum weir_error tokens_limit_tenant(
    struct tokens *tokens, struct weir_slice name, uint64_t rate, uint64_t burst);

/* NULL: there is none. Expiry is the caller's to look at. */
const struct token *tokens_by_id(const struct tokens *tokens, struct weir_slice id);
const struct token *tokens_by_name(const struct tokens *tokens, struct weir_slice name);
/* What a client showed, as it is remembered while it is connected: never the secret. */
struct token_proof {
    uint8_t hash[SECRET_HASH_SIZE];
    bool is_login;
};
/* The token whose secret this text is, or NULL. */
const struct token *tokens_by_secret(
    const struct tokens *tokens, struct weir_slice text, uint64_t now_ms, struct token_proof *ret_proof);
/* The same for what was typed into a protocol's password field: a login, or a whole token. */
const struct token *tokens_by_login(
    const struct tokens *tokens, struct weir_slice text, uint64_t now_ms, struct token_proof *ret_proof);
/* Does the proof (still) hold? *ret_until_ms is when it ends; 0: never. */
bool token_proven(const struct token *token, const struct token_proof *proof, uint64_t now_ms, uint64_t *ret_until_ms);
static inline bool token_is_over(const struct token *token, uint64_t now_ms) {
    return token->expires_ms && token->expires_ms <= now_ms;
}
bool token_allows(const struct token *token, const struct permission *permission);

/* A name of a token or tenant: 1 to TOKEN_NAME_MAX letters, digits, '.', '_', '-'. INVALID with `what`. */
WEIR_MUST enum weir_error token_check_name(const char *what, struct weir_slice name);
/* "100/s", "6000/m", "100": per second. */
WEIR_MUST enum weir_error token_parse_rate(struct weir_slice text, uint64_t *ret_per_second);

/* ---- the file ---- */
/* rows[row] was filled in: it becomes part of the table. CORRUPT: another one has its name or id. */
WEIR_MUST enum weir_error tokens_adopt(struct tokens *tokens, uint32_t row, struct weir_slice tenant);
void tokens_write(const struct tokens *tokens, struct text_builder *text);
/* tokens: zeroed memory. */
WEIR_MUST enum weir_error tokens_read(struct weir_slice text, struct tokens *tokens);
/* Of a data folder. load: no file is an empty table. Any thread. */
WEIR_MUST enum weir_error tokens_load(struct sys *sys, const char *folder, struct tokens *tokens);
WEIR_MUST enum weir_error tokens_store(struct sys *sys, const char *folder, const struct tokens *tokens);

#endif
