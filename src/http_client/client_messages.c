/* Requests as bytes in a ring. See client_messages.h. */
#include "http_client/client_messages.h"

#include "base/assert.h"

static size_t text_size(const struct http_request *request) {
    size_t size = strlen(request->method) + 1 + strlen(request->url) + 1;
    for (size_t i = 0; i < request->header_count; i++)
        size += strlen(request->headers[i].name) + 1 + strlen(request->headers[i].value) + 1;
    return size;
}

size_t call_message_size(const struct http_request *request) {
    return sizeof(struct call_message) + text_size(request) + request->body.size;
}

static char *put(char *out, const char *text) {
    size_t size = strlen(text) + 1;
    memcpy(out, text, size);
    return out + size;
}

void call_message_write(void *out, uint64_t tag, const struct http_request *request) {
    struct call_message *m = out;
    *m = (struct call_message){.tag = tag,
        .connect_ms = request->connect_ms,
        .total_ms = request->total_ms,
        .silence_ms = request->silence_ms,
        .redirects_max = request->redirects_max,
        .header_count = (uint32_t)request->header_count,
        .body_size = (uint32_t)request->body.size,
        .text_size = (uint32_t)text_size(request)};
    char *p = put((char *)(m + 1), request->method);
    p = put(p, request->url);
    for (size_t i = 0; i < request->header_count; i++)
        p = put(put(p, request->headers[i].name), request->headers[i].value);
    WEIR_ASSERT(p == (char *)(m + 1) + m->text_size);
    if (request->body.size > 0) memcpy(p, request->body.data, request->body.size);
}

static const char *take(const char **at) {
    const char *text = *at;
    *at += strlen(text) + 1;
    return text;
}

void call_message_read(const void *message, struct http_request *ret_request, struct http_header *headers) {
    const struct call_message *m = message;
    const char *p = (const char *)(m + 1);
    *ret_request = (struct http_request){.headers = headers,
        .header_count = m->header_count,
        .connect_ms = m->connect_ms,
        .total_ms = m->total_ms,
        .silence_ms = m->silence_ms,
        .redirects_max = m->redirects_max};
    ret_request->method = take(&p);
    ret_request->url = take(&p);
    for (uint32_t i = 0; i < m->header_count; i++) {
        headers[i].name = take(&p);
        headers[i].value = take(&p);
    }
    ret_request->body = weir_slice(p, m->body_size);
}
