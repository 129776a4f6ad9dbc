/* wire/lobster.h: rows of LOBSTER files: messages and the book after each.
 *
 * Purpose     parse one CSV row at a time; the caller counts lines and names the file in its errors.
 * Threads     pure over its arguments. Allocation: none.
 * Limits      a row's levels go into the caller's array.
 * Errors      INVALID with weir_error_context() naming the column (1-based); TOO_LARGE more levels than the array
 * holds. Source      LOBSTER sample files' readme (2013): messages are "time,type,order id,size,price,direction", the
 * book is "ask price,ask size,bid price,bid size" per level.
 */
#ifndef WEIR_WIRE_LOBSTER_H
#define WEIR_WIRE_LOBSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/error.h>
#include <weir/slice.h>

enum weir_lobster_type {
    WEIR_LOBSTER_NEW = 1,    /* new limit order */
    WEIR_LOBSTER_REDUCE = 2, /* partial cancel */
    WEIR_LOBSTER_DELETE = 3,
    WEIR_LOBSTER_EXECUTE = 4,        /* of a visible order */
    WEIR_LOBSTER_EXECUTE_HIDDEN = 5, /* the book does not change */
    WEIR_LOBSTER_CROSS = 6,          /* auction trade */
    WEIR_LOBSTER_HALT = 7,
};

struct weir_lobster_message {
    uint64_t time_ns; /* since midnight; digits after the ninth decimal are refused */
    enum weir_lobster_type type;
    int8_t direction; /* of the resting order: 1 buy, -1 sell */
    uint32_t size;
    uint64_t order_id;
    int64_t price; /* 1/10,000; -1, 0 or 1 in a halt */
};

/* One side of a level; an empty one (price +-9999999999) has price 0 and size 0. */
struct weir_lobster_level {
    int64_t ask_price;
    int64_t bid_price;
    uint32_t ask_size;
    uint32_t bid_size;
};

/* Takes the next line off the front of *text, without its LF or CRLF. False when no bytes are left. A last line without
 * LF is returned like any other: a caller that reads in pieces keeps it back unless the file ended (*ret_is_whole
 * false). */
bool weir_lobster_line_next(struct weir_slice *text, struct weir_slice *ret_line, bool *ret_is_whole);

WEIR_MUST enum weir_error weir_lobster_message_parse(struct weir_slice line, struct weir_lobster_message *ret_message);

/* level_count_max: room in ret_levels, which is scribbled on when the row is refused. */
WEIR_MUST enum weir_error weir_lobster_book_parse(
    struct weir_slice line, uint32_t level_count_max, struct weir_lobster_level *ret_levels, uint32_t *ret_count);

#endif
