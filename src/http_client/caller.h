/* http_client/caller.h: one HTTP call at a time, which blocks: for agents and tools that may wait, never a lane.
 *
 * A caller keeps its connections for its next calls. It belongs to one thread at a time. What it costs is libcurl's:
 * some allocations per call. The table is the seam: who is handed a caller can be handed another one by a test.
 */
#ifndef WEIR_HTTP_CLIENT_CALLER_H
#define WEIR_HTTP_CLIENT_CALLER_H
#include "http_client/http.h"

/* Takes the next bytes of the answer's body; an error ends the call with it (its text is the thread's context). */
typedef enum weir_error (*http_body_fn)(void *ctx, struct weir_slice bytes);

struct http_caller {
    /* Returns ret_reply->error, with ret_reply->text as the context. The reply is filled in every case. body NULL: the
     * answer's is thrown away. stop (NULL: none): raised by any thread it ends the call with CLOSED within a second.
     * INVALID: the request is none. FORBIDDEN: the address is not allowed. TIMEOUT. TOO_LARGE: the answer's headers.
     * IO: all else that can happen on the way, in words. */
    WEIR_MUST enum weir_error (*call)(struct http_caller *, const struct http_request *request, http_body_fn body,
        void *body_ctx, const _Atomic bool *stop, struct http_reply *ret_reply);
    void (*close)(struct http_caller *);
};

/* UNSUPPORTED: libcurl is not there or too old, with what to install. CONFIG: an option. */
WEIR_MUST enum weir_error http_caller_open(
    struct sys *sys, const struct http_options *options, struct http_caller **ret_caller);
void http_caller_close(struct http_caller *caller); /* accepts NULL */

/* A body into the caller's buffer: pass http_buffer_take and one of these. TOO_LARGE: it has more than `room` bytes. */
struct http_buffer {
    uint8_t *data;
    size_t room, size;
};
WEIR_MUST enum weir_error http_buffer_take(void *buffer, struct weir_slice bytes);

#endif
