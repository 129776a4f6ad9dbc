/* edge/token_wish.h: the body of POST /v1/tokens, read; for the node and for the command line that makes a token
 * offline. Pure. */
#ifndef WEIR_EDGE_TOKEN_WISH_H
#define WEIR_EDGE_TOKEN_WISH_H
#include "base/json.h"
#include "edge/tokens.h"

/* {"name", "tenant", "roles": [...], "expires": "90d", "rate": "100/s", "burst": 200, "login": true}: name and roles
 * are needed. INVALID with what is wrong. */
WEIR_MUST enum weir_error token_wish_read(struct weir_slice json, struct token_wish *ret_wish);
/* {"grace": "1h"}: how long the old secret still works. An empty body is
 * no grace. */
WEIR_MUST enum weir_error token_grace_read(struct weir_slice json, uint64_t *ret_grace_ms);
/* {"rate": "100/s", "burst": 200}; rate "off": no limit of its own. */
WEIR_MUST enum weir_error token_limit_read(struct weir_slice json, uint64_t *ret_rate, uint64_t *ret_burst);

/* The answer that shows a secret, once: name, token, login when there is one, expires. */
void token_print_shown(const struct token *token, const struct token_shown *shown, struct json_writer *w);
/* One token without its secret: name, id, tenant, roles, created, expires, rate, burst, login, expired. */
void token_print(const struct tokens *tokens, const struct token *token, uint64_t now_ms, struct json_writer *w);

#endif
