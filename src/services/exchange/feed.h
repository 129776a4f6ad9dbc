/* exchange/feed.h: the JSON of the WebSocket feed: requests read, messages written. Pure over their arguments.
 *
 * Requests (numbers may also be strings of digits; unknown fields are refused):
 *   {"op":"subscribe","channel":"l1"|"l2"|"trades","symbol":S[,"depth":N][,"offset":O]}   offset: resume, no snapshot
 *   {"op":"unsubscribe","channel":C,"symbol":S}      {"op":"ping"}
 *   {"op":"order","symbol":S,"side":"BUY"|"SELL","quantity":Q,"account":A[,"price":P][,"type":"MARKET"]
 *       [,"timeInForce":T][,"postOnly":B][,"selfTrade":M][,"clientRef":R][,"expireAtMs":E]}
 *   {"op":"cancel","id":I[,"account":A]}             {"op":"reduce","id":I,"by":Q[,"account":A]}
 *   {"op":"replace","id":I,"price":P[,"quantity":Q][,"account":A][,"clientRef":R]}
 *   Each may carry "request":N, which its answer repeats.
 */
#ifndef WEIR_EXCHANGE_FEED_H
#define WEIR_EXCHANGE_FEED_H
#include "base/json.h"
#include "exchange/fold.h"

enum feed_op {
    FEED_NONE,
    FEED_SUBSCRIBE,
    FEED_UNSUBSCRIBE,
    FEED_PING,
    FEED_ORDER,
    FEED_CANCEL,
    FEED_REDUCE,
    FEED_REPLACE,
};
enum feed_channel { FEED_L1 = EXCHANGE_TOPIC_L1, FEED_L2 = EXCHANGE_TOPIC_L2, FEED_TRADES = EXCHANGE_TOPIC_TRADES };

#define FEED_DEPTH_INITIAL 100
#define FEED_DEPTH_MAX     1000
#define FEED_MESSAGE_MAX   1024 /* of all but snapshots and replies */

struct feed_request {
    enum feed_op op;
    uint32_t request; /* echoed; 0: none */
    uint32_t channel; /* enum feed_channel; 0: none given */
    char symbol[EXCHANGE_NAME_SIZE + 1];
    uint64_t depth, offset; /* offset UINT64_MAX: none given */
    struct exchange_command command;
    uint64_t public_id;
};
/* False: *ret_error is a sentence. *ret_request.request is set as far as it could be read. */
bool feed_request_read(struct weir_slice text, struct feed_request *ret_request, const char **ret_error);

const char *feed_channel_name(uint32_t channel);
/* A public record as one message; returns its bytes, 0 when the record is none of the feed's. */
size_t feed_record_write(const struct weir_record *record, const char *symbol, char *out, size_t size);
size_t feed_error_write(uint32_t request, const char *code, const char *sentence, char *out, size_t size);
size_t feed_note_write(
    const char *type, uint32_t request, uint32_t channel, const char *symbol, char *out, size_t size);
size_t feed_reply_write(uint32_t request, uint16_t status, struct weir_slice reply, char *out, size_t size);

/* Queries: the number of a symbol, and a snapshot as the message to send. */
struct feed_question {
    char symbol[EXCHANGE_NAME_SIZE];
    uint32_t channel, depth, request, reserved;
};
WEIR_MUST enum weir_error feed_query_number(
    const void *state, const struct weir_request *request, struct weir_answer *answer);
WEIR_MUST enum weir_error feed_query_snapshot(
    const void *state, const struct weir_request *request, struct weir_answer *answer);
#endif
