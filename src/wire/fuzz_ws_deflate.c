/* permessage-deflate on any bytes: a message inflates to the same whatever room there is for it, and what is deflated
 * comes back; an answer is one that is an offer which is met. Input: byte 0 the room, the rest an offer, a deflated
 * message and a message. Covers: ws_deflate.c. */
#include "base/assert.h"
#include "base/hash.h"
#include "wire/ws_deflate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct weir_ws_deflate deflate;
static uint8_t memory[WEIR_WS_DEFLATE_MEMORY];
#define INFLATED_MAX 65536u /* a bomb is a bomb: by then the caller has said that it is too large */

/* A hash of what it inflates to, *ret_size of how much; 0: refused. */
static uint64_t inflated(struct weir_slice message, size_t room, size_t *ret_size) {
    static uint8_t out[4096];
    struct digest digest = {1};
    enum weir_error e = WEIR_E_AGAIN;
    *ret_size = 0;
    weir_ws_inflate_begin(&deflate, message);
    while (e == WEIR_E_AGAIN && *ret_size < INFLATED_MAX) {
        size_t got = 0;
        e = weir_ws_inflate_some(&deflate, out, room, &got);
        if (e && e != WEIR_E_AGAIN) return 0;
        WEIR_ASSERT(got <= room && (e == WEIR_OK || got == room));
        for (size_t i = 0; i < got; i++)
            digest_u64(&digest, out[i]);
        *ret_size += got;
    }
    return digest.state | 1;
}

static void offer(struct weir_slice text) {
    static struct weir_http_request request;
    char answer[WEIR_WS_DEFLATE_ANSWER_MAX];
    request.headers[0] = (struct weir_http_header){weir_slice_text("Sec-WebSocket-Extensions"), text};
    request.header_count = 1;
    struct weir_ws_deflate_terms terms = weir_ws_deflate_agree(&request);
    if (!terms.window_bits) return;
    request.headers[0].value = weir_ws_deflate_answer(&terms, answer);
    struct weir_ws_deflate_terms again = weir_ws_deflate_agree(&request);
    WEIR_ASSERT(again.window_bits == terms.window_bits && again.has_window == terms.has_window);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    if (!deflate.memory) {
        enum weir_error e = weir_ws_deflate_open(&deflate, memory);
        WEIR_ASSERT(!e);
    }
    struct weir_slice rest = weir_slice(data + 1, size - 1);
    size_t room = data[0] + 1u, large = 0, small = 0, packed_size = 0;
    offer(rest);
    uint64_t whole = inflated(rest, 4096, &large), pieces = inflated(rest, room, &small);
    WEIR_ASSERT(large >= INFLATED_MAX || small >= INFLATED_MAX || (whole == pieces && (!whole || large == small)));
    uint8_t packed[4096];
    const struct weir_ws_deflate_terms terms = {.window_bits = data[0] & 1 ? 15 : 9};
    if (weir_ws_deflate_message(&deflate, &terms, rest, packed, sizeof packed, &packed_size)) return 0;
    struct digest digest = {1};
    for (size_t i = 0; i < rest.size; i++)
        digest_u64(&digest, rest.data[i]);
    WEIR_ASSERT(inflated(weir_slice(packed, packed_size), room, &small) == (digest.state | 1) && small == rest.size);
    return 0;
}
