/* exchange/tool_check.h: what a node answers to a plan, checked against what the files say must happen.
 *
 * The answers alone rebuild every book: all orders are the client's own. Answers of one session come in the order of
 * its requests, and each request is answered by one that names it before the trades it caused; so a request is over
 * when the next one of its session is answered. Then the book is compared (after every LOBSTER row, after the records a
 * stream's top-of-book file names), and its hash kept, so that the public L2 increments can be held against the same
 * books. Owner: one thread. Allocates. Mismatches are counted; the first few are printed.
 */
#ifndef WEIR_EXCHANGE_TOOL_CHECK_H
#define WEIR_EXCHANGE_TOOL_CHECK_H
#include "exchange/tool_book.h"
#include "exchange/tool_plan.h"

#define CHECK_SESSIONS_MAX 256

struct check_order {
    int64_t price;
    uint32_t quantity; /* open; 0: none such */
    uint16_t symbol;
    uint8_t side;
};
struct check_trade {
    uint32_t row, symbol, maker, taker;
    uint64_t quantity;
    int64_t price;
};
struct check_top {
    uint32_t row, symbol;
    struct tool_level best[2];
};
struct check_session {
    uint32_t current; /* request being answered + 1; 0: none yet */
    uint32_t maker;   /* of the execution whose taker's half comes next */
    uint64_t match_id;
};

struct check {
    const struct plan *plan;
    struct tool_book *books;    /* per symbol */
    struct check_order *orders; /* per key */
    uint64_t *hashes;           /* per request: hash of its symbol's book when it was over */
    struct check_trade *trades;
    size_t trade_count, trade_room;
    struct check_top *tops;
    size_t top_count;
    struct check_session sessions[CHECK_SESSIONS_MAX];
    uint64_t rows_checked, tops_equal, rows_equal, tops_checked; /* all levels; best level of each side */
    uint64_t executions, makers_equal, makers_seeded;
    uint64_t answered, rejected, volume, hash, trades_expected, mismatches;
    bool has_trades; /* a trades file was given */
    bool failed;     /* out of memory: the sentence was printed */
};

WEIR_MUST enum weir_error check_open(const struct plan *plan, struct check *ret_check);
void check_done(struct check *check);
/* The stream's top-of-book file. */
WEIR_MUST enum weir_error check_tops_load(struct check *check, const char *path);

/* The node's answers, in the order they came on the session. */
void check_begin(struct check *check, uint32_t session, uint32_t request); /* the request's own answer; then one of: */
void check_accepted(struct check *check, uint32_t session);
void check_rejected(struct check *check, uint32_t session, const char *why);
void check_replaced(struct check *check, uint32_t session, int64_t price, uint32_t quantity);
/* And what it caused, beside the answer to a cancel: */
void check_reduced(struct check *check, uint32_t key, uint32_t quantity);
void check_executed(struct check *check, uint32_t session, uint32_t key, const struct check_trade *trade,
    uint64_t match_id, bool maker);
void check_end(struct check *check, uint32_t session); /* nothing more will come */

/* Sorts the trades by the record that caused them, hashes and compares them; trades_path may be NULL. */
WEIR_MUST enum weir_error check_finish(struct check *check, const char *trades_path);
/* Runs the plan in this process and checks it all the same: the checker's own proof. */
WEIR_MUST enum weir_error check_offline(struct check *check);
uint64_t check_open_orders(const struct check *check);

void check_mismatch(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
