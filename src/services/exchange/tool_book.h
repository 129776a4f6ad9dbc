/* exchange/tool_book.h: a price-level book as a client rebuilds it, and a hash of it that every change keeps up to
 * date.
 *
 * Owner: one thread. Allocates as levels appear. Not the engine's book (exchange/book.h): it exists to check that one.
 */
#ifndef WEIR_EXCHANGE_TOOL_BOOK_H
#define WEIR_EXCHANGE_TOOL_BOOK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/error.h>

struct tool_level {
    int64_t price;
    uint64_t quantity;
};
struct tool_book_side {
    struct tool_level *levels; /* the best one last, so that changes at the top move little */
    size_t count, room;
};
struct tool_book {
    struct tool_book_side sides[2]; /* enum exchange_side */
    uint64_t hash;                  /* of the set of levels; 0: empty */
};

void tool_book_done(struct tool_book *book);
/* The level's quantity from now on; 0 takes it away. */
WEIR_MUST enum weir_error tool_book_set(struct tool_book *book, unsigned side, int64_t price, uint64_t quantity);
/* MISMATCH: more is taken off than the level holds. */
WEIR_MUST enum weir_error tool_book_add(struct tool_book *book, unsigned side, int64_t price, int64_t change);
uint64_t tool_book_quantity(const struct tool_book *book, unsigned side, int64_t price);
/* The level at `depth` (0: the best); price 0 and quantity 0 when there is none. */
struct tool_level tool_book_level(const struct tool_book *book, unsigned side, size_t depth);
#endif
