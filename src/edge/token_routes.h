/* edge/token_routes.h: /v1/tokens and /v1/tenants: the twins of `weir token ...`. Changes are admin actions (desk.h)
 * and in force on every lane when they are answered. */
#ifndef WEIR_EDGE_TOKEN_ROUTES_H
#define WEIR_EDGE_TOKEN_ROUTES_H
#include "edge/http_session.h"

#define TOKEN_BODY_SCHEMA                                                                                              \
    "{\"type\":\"object\",\"required\":[\"name\",\"roles\"],\"properties\":{\"name\":{\"type\":\"string\"},"           \
    "\"tenant\":{\"type\":\"string\"},\"roles\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"                 \
    "\"expires\":{\"type\":\"string\"},\"rate\":{\"type\":\"string\"},\"burst\":{\"type\":\"integer\"},"               \
    "\"login\":{\"type\":\"boolean\"}}}"
#define TOKEN_GRACE_SCHEMA "{\"type\":\"object\",\"properties\":{\"grace\":{\"type\":\"string\"}}}"
#define TENANT_BODY_SCHEMA                                                                                             \
    "{\"type\":\"object\",\"required\":[\"rate\"],\"properties\":{\"rate\":{\"type\":\"string\"},"                     \
    "\"burst\":{\"type\":\"integer\"}}}"

void tokens_list_get(struct http_call *call);
void tokens_create_post(struct http_call *call);
void tokens_rotate_post(struct http_call *call);
void tokens_revoke_delete(struct http_call *call);
void tenants_list_get(struct http_call *call);
void tenants_limit_put(struct http_call *call);

#endif
