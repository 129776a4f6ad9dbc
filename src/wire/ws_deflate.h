/* wire/ws_deflate.h: permessage-deflate: agreeing on it, and messages deflated and inflated one at a time.
 *
 * Purpose     nothing is remembered from one message to the next, on either side (no context takeover), so that one
 *             inflater and two deflaters serve every connection of a lane, and a connection costs nothing more.
 * Threads     a weir_ws_deflate belongs to one thread at a time; the rest is pure.
 * Allocation  none but of the memory given to open(); zlib works in it.
 * Limits      WEIR_WS_DEFLATE_MEMORY; what a message may become is what the caller gives room for.
 * Errors      enum weir_error.
 * Source      RFC 7692. RFC 1951 by zlib.
 */
#ifndef WEIR_WIRE_WS_DEFLATE_H
#define WEIR_WIRE_WS_DEFLATE_H

#include "wire/ws.h"

enum {
    WEIR_WS_DEFLATE_MEMORY = 512 << 10, /* 39 KB to inflate; to deflate 262 KB with 15 bits, 136 with 9 */
    WEIR_WS_DEFLATE_ANSWER_MAX = 128,
};

/* What was agreed on. */
struct weir_ws_deflate_terms {
    uint8_t window_bits; /* of what we send: 15 or 9; 0: messages are not compressed */
    bool has_window;     /* the client asked for a bound, so the answer names it */
};

/* The first offer in Sec-WebSocket-Extensions that can be met; window_bits 0: none. An offer that is malformed, or asks
 * for something unknown, or for a window of 8 bits (which zlib can't), is passed over, as RFC 7692 5.1 wants. */
struct weir_ws_deflate_terms weir_ws_deflate_agree(const struct weir_http_request *request);
/* The answer's Sec-WebSocket-Extensions, into out. */
struct weir_slice weir_ws_deflate_answer(
    const struct weir_ws_deflate_terms *terms, char out[WEIR_WS_DEFLATE_ANSWER_MAX]);

struct weir_ws_deflate { /* fields are its own */
    uint8_t *memory;
    size_t used;
    void *inflater, *deflaters[2];
    bool is_in_tail;
};

/* memory: WEIR_WS_DEFLATE_MEMORY bytes that outlive it; touched as they are used. NO_MEMORY: zlib wants more. */
WEIR_MUST enum weir_error weir_ws_deflate_open(struct weir_ws_deflate *d, void *memory);

/* A message is inflated piece by piece: begin() once, then some() until it is OK. AGAIN: `out` is full, and there is
 * more. INVALID: it is no deflated message. The message must stay where it is until then. */
void weir_ws_inflate_begin(struct weir_ws_deflate *d, struct weir_slice message);
WEIR_MUST enum weir_error weir_ws_inflate_some(
    struct weir_ws_deflate *d, uint8_t *out, size_t capacity, size_t *ret_size);

/* FULL: it does not fit; send it as it is. */
WEIR_MUST enum weir_error weir_ws_deflate_message(struct weir_ws_deflate *d, const struct weir_ws_deflate_terms *terms,
    struct weir_slice message, uint8_t *out, size_t capacity, size_t *ret_size);

#endif
