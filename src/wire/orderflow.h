/* wire/orderflow.h: the 32-byte records of recorded order streams, the matching core's benchmark input.
 *
 * Purpose     decode, check and encode one record; fold trades into the stream's hash.
 * Threads     pure over its arguments. Allocation: none.
 * Errors      INVALID with weir_error_context() naming the field; the caller adds the record's number.
 *
 * Layout, little-endian; records follow each other without header:
 *   offset size field
 *        0    1 op        1 limit GTC, 2 limit IOC, 3 cancel, 4 move (new price, remaining quantity, loses time
 * priority, may trade at once) 1    1 side      0 buy, 1 sell 2    2 symbol 4    4 quantity  the order's original one
 * (filled in for 3 and 4 too), > 0 8    8 order id  > 0, dense from 1, never reused 16    8 price     signed, in ticks
 * (cancel: the present price; move: the new one) 24    8 time      nanoseconds, increasing
 */
#ifndef WEIR_WIRE_ORDERFLOW_H
#define WEIR_WIRE_ORDERFLOW_H

#include <stddef.h>
#include <stdint.h>
#include <weir/error.h>
#include <weir/slice.h>

enum { WEIR_ORDERFLOW_RECORD_SIZE = 32 };

enum weir_orderflow_op {
    WEIR_ORDERFLOW_LIMIT = 1,
    WEIR_ORDERFLOW_IOC = 2,
    WEIR_ORDERFLOW_CANCEL = 3,
    WEIR_ORDERFLOW_MOVE = 4,
};

enum weir_orderflow_side { WEIR_ORDERFLOW_BUY = 0, WEIR_ORDERFLOW_SELL = 1 };

struct weir_orderflow_record {
    uint8_t op;   /* enum weir_orderflow_op */
    uint8_t side; /* enum weir_orderflow_side */
    uint16_t symbol;
    uint32_t quantity;
    uint64_t order_id;
    int64_t price;
    uint64_t time_ns;
};

/* bytes.size must be WEIR_ORDERFLOW_RECORD_SIZE (a shorter last record is INVALID: the file is cut). */
WEIR_MUST enum weir_error weir_orderflow_decode(struct weir_slice bytes, struct weir_orderflow_record *ret_record);
void weir_orderflow_encode(const struct weir_orderflow_record *record, uint8_t out[WEIR_ORDERFLOW_RECORD_SIZE]);

/* The stream's trade hash: FNV-1a over 64-bit words; for each trade fold symbol, maker, taker, price, quantity. */
#define WEIR_ORDERFLOW_HASH_START UINT64_C(1469598103934665603)
static inline uint64_t weir_orderflow_hash(uint64_t hash, uint64_t field) {
    return (hash ^ field) * UINT64_C(1099511628211);
}

#endif
