/* http_client/client_messages.h: what lies in the rings between a submitter and the client's agent. Inside this layer
 * only; written and read by the same binary, so nothing here is checked twice.
 */
#ifndef WEIR_HTTP_CLIENT_CLIENT_MESSAGES_H
#define WEIR_HTTP_CLIENT_CLIENT_MESSAGES_H
#include "http_client/client.h"

struct call_message { /* then method, URL, per header name and value, each with its NUL; then the body */
    uint64_t tag, connect_ms, total_ms, silence_ms;
    uint32_t redirects_max, header_count, body_size, text_size;
};
struct result_message { /* then the body */
    uint64_t tag;
    struct http_reply reply;
    uint32_t body_size, unused;
};

size_t call_message_size(const struct http_request *request);
void call_message_write(void *out, uint64_t tag, const struct http_request *request);
/* The request points into the message; headers has room for all of them. */
void call_message_read(const void *message, struct http_request *ret_request, struct http_header *headers);

#endif
