/* The face that blocks. See caller.h. */
#include "http_client/caller.h"

#include "http_client/transfer.h"

#include <weir/vec.h>

struct curl_caller {
    struct http_caller caller; /* first: a struct http_caller * is one of these */
    struct sys *sys;
    struct curl_library curl;
    struct http_policy policy;
    CURL *easy;
};

static struct curl_caller *caller_of(struct http_caller *caller) {
    return (struct curl_caller *)caller;
}

static enum weir_error caller_call(struct http_caller *caller, const struct http_request *request, http_body_fn body,
    void *body_ctx, const _Atomic bool *stop, struct http_reply *ret_reply) {
    struct curl_caller *c = caller_of(caller);
    struct http_transfer t = {.sys = c->sys,
        .curl = &c->curl,
        .policy = &c->policy,
        .easy = c->easy,
        .body = body,
        .body_ctx = body_ctx,
        .stop = stop,
        .reply = ret_reply};
    enum weir_error e = transfer_begin(&t, request);
    if (!e) e = transfer_end(&t, c->curl.easy_perform(c->easy));
    return e ? weir_error_context(e, "%s", ret_reply->text) : WEIR_OK;
}

static void caller_close(struct http_caller *caller) {
    struct curl_caller *c = caller_of(caller);
    if (c->easy) c->curl.easy_cleanup(c->easy);
    weir_dealloc(NULL, c, sizeof *c, _Alignof(struct curl_caller));
}

enum weir_error http_caller_open(struct sys *sys, const struct http_options *options, struct http_caller **ret_caller) {
    struct curl_caller *c = weir_alloc(NULL, sizeof *c, _Alignof(struct curl_caller));
    if (!c) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for an HTTP client");
    *c = (struct curl_caller){.caller = {caller_call, caller_close}, .sys = sys};
    enum weir_error e = http_policy_init(&c->policy, sys, options);
    if (!e) e = curl_library_load(&c->curl);
    if (!e && !(c->easy = c->curl.easy_init())) e = weir_error_context(WEIR_E_NO_MEMORY, "no memory for libcurl");
    if (e) {
        caller_close(&c->caller);
        return e;
    }
    *ret_caller = &c->caller;
    return WEIR_OK;
}

void http_caller_close(struct http_caller *caller) {
    if (caller) caller->close(caller);
}

enum weir_error http_buffer_take(void *buffer, struct weir_slice bytes) {
    struct http_buffer *b = buffer;
    if (bytes.size > b->room - b->size)
        return weir_error_context(WEIR_E_TOO_LARGE, "the answer has more than %zu bytes", b->room);
    if (bytes.size > 0) memcpy(b->data + b->size, bytes.data, bytes.size);
    b->size += bytes.size;
    return WEIR_OK;
}
