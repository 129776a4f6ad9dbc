/* http_client/transfer.h: one call as libcurl carries it: what the caller and the client share. Inside this layer only.
 *
 *     transfer_begin(&t, &request)     t.easy is ready for easy_perform or multi_add_handle; or the reply has the error
 *     transfer_end(&t, code)           fills the reply
 * Between them neither the transfer nor the request nor the reply moves. easy stays the owner's.
 */
#ifndef WEIR_HTTP_CLIENT_TRANSFER_H
#define WEIR_HTTP_CLIENT_TRANSFER_H
#include "http_client/caller.h"
#include "http_client/curl_library.h"

#define HTTP_CA_FILE_MAX 1024u

struct http_policy { /* the options, copied */
    enum http_reach reach;
    struct http_network allowed[HTTP_NETWORKS_MAX];
    size_t allowed_count;
    char ca_file[HTTP_CA_FILE_MAX];
};
WEIR_MUST enum weir_error http_policy_init(
    struct http_policy *policy, struct sys *sys, const struct http_options *options);
bool http_policy_allows(const struct http_policy *policy, const uint8_t *address);

struct http_transfer {
    /* The owner's, before transfer_begin. */
    struct sys *sys;
    const struct curl_library *curl;
    const struct http_policy *policy;
    CURL *easy;
    http_body_fn body; /* NULL: thrown away */
    void *body_ctx;
    const _Atomic bool *stop; /* NULL: none */
    struct http_reply *reply;
    /* Set by body with its error: the answer is there as far as anybody wants it. */
    bool is_cut;
    /* The transfer's. */
    const struct http_request *request;
    struct curl_slist *headers;
    uint64_t begun_ns;
    size_t head_bytes;
    uint32_t sockets_made, sockets_refused;
    enum weir_error error; /* why a callback ended the call, with reply->text */
    char curl_text[CURL_ERROR_SIZE];
};
WEIR_MUST enum weir_error transfer_begin(struct http_transfer *t, const struct http_request *request);
enum weir_error transfer_end(struct http_transfer *t, CURLcode code); /* returns reply->error */

/* Nobody could be asked: the reply of a call that ended before it began, with the thread's context as its text. */
void http_reply_refuse(struct http_reply *reply, enum weir_error e);
/* INVALID: what of it is no request. */
WEIR_MUST enum weir_error http_request_check(const struct http_request *request);

#endif
