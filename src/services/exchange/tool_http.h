/* exchange/tool_http.h: the little HTTP a tool needs: one request at a time to a node, and numbers out of JSON answers.
 * Owner: one thread. The answer's bytes are valid until the next request. */
#ifndef WEIR_EXCHANGE_TOOL_HTTP_H
#define WEIR_EXCHANGE_TOOL_HTTP_H
#include "wire/http.h"

#define TOOL_HTTP_ANSWER_BYTES (32u << 20)

struct tool_http {
    int fd;
    char host[64], port[8];
    uint8_t *buffer;
};

WEIR_MUST enum weir_error tool_http_init(struct tool_http *http, const char *address);
void tool_http_done(struct tool_http *http);
/* body NULL: none. Connects when needed, once more when a kept connection turns out to be closed. Any status is OK. */
WEIR_MUST enum weir_error tool_http_request(struct tool_http *http, enum weir_http_method method, const char *target,
    const char *body, int *ret_status, struct weir_slice *ret_answer);
/* The same, and a status of 400 or more is an error with the problem's detail. */
WEIR_MUST enum weir_error tool_http_call(struct tool_http *http, enum weir_http_method method, const char *target,
    const char *body, struct weir_slice *ret_answer);

/* A member of the outermost object, as a number or as the text of one. */
bool tool_json_number(struct weir_slice json, const char *name, int64_t *ret);
bool tool_json_text(struct weir_slice json, const char *name, char *ret, size_t size);
#endif
