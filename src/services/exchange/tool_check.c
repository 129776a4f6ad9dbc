#include "exchange/tool_check.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MISMATCHES_PRINTED 10

void check_mismatch(struct check *check, const char *format, ...) {
    if (check->mismatches++ >= MISMATCHES_PRINTED) return;
    va_list args;
    va_start(args, format);
    fputs("weir: ", stderr);
    vfprintf(stderr, format, args);
    fputs("\n", stderr);
    va_end(args);
}

enum weir_error check_open(const struct plan *plan, struct check *ret_check) {
    struct check check = {.plan = plan, .hash = WEIR_ORDERFLOW_HASH_START};
    check.books = calloc(plan->symbols + 1u, sizeof(*check.books));
    check.orders = calloc(plan->keys + 1u, sizeof(*check.orders));
    check.hashes = calloc(plan->count + 1u, sizeof(*check.hashes));
    if (check.books == NULL || check.orders == NULL || check.hashes == NULL) {
        free(check.books);
        free(check.orders);
        free(check.hashes);
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory to check %zu requests", plan->count);
    }
    *ret_check = check;
    return WEIR_OK;
}

void check_done(struct check *check) {
    for (uint32_t i = 0; check->books && i < check->plan->symbols; i++)
        tool_book_done(&check->books[i]);
    free(check->books);
    free(check->orders);
    free(check->hashes);
    free(check->trades);
    free(check->tops);
    *check = (struct check){0};
}

/* ---- the book after a row ---- */

static bool is_level(const struct tool_book *book, unsigned side, size_t depth, struct tool_level want) {
    struct tool_level have = tool_book_level(book, side, depth);
    return have.price == want.price && have.quantity == want.quantity;
}

static void compare_lobster(struct check *check, uint32_t row) {
    const struct plan *plan = check->plan;
    const struct tool_book *book = &check->books[0];
    const struct weir_lobster_level *want = plan->levels + (size_t)row * plan->depth;
    bool equal = true, top_equal = true;
    for (uint32_t i = 0; i < plan->depth; i++)
        for (unsigned side = 0; side < 2; side++) {
            struct tool_level level = side ? (struct tool_level){want[i].ask_price, want[i].ask_size}
                                           : (struct tool_level){want[i].bid_price, want[i].bid_size};
            if (is_level(book, side, i, level)) continue;
            struct tool_level have = tool_book_level(book, side, i);
            if (equal)
                check_mismatch(check,
                    "line %u: %s level %u is %" PRIu64 " at %" PRId64 ", expected %" PRIu64 " at %" PRId64, row + 1,
                    side ? "ask" : "bid", i + 1, have.quantity, have.price, level.quantity, level.price);
            equal = false;
            top_equal = top_equal && i > 0;
        }
    check->rows_checked++;
    check->tops_checked++;
    check->rows_equal += equal;
    check->tops_equal += top_equal;
}

static int compare_row(const void *key, const void *top) {
    uint32_t a = *(const uint32_t *)key, b = ((const struct check_top *)top)->row;
    return (a > b) - (a < b);
}

static void compare_top(struct check *check, uint32_t row) {
    const struct check_top *top = bsearch(&row, check->tops, check->top_count, sizeof(*top), compare_row);
    if (top == NULL || top->symbol >= check->plan->symbols) return;
    const struct tool_book *book = &check->books[top->symbol];
    bool equal = is_level(book, 0, 0, top->best[0]) && is_level(book, 1, 0, top->best[1]);
    check->tops_checked++;
    check->tops_equal += equal;
    if (equal) return;
    struct tool_level bid = tool_book_level(book, 0, 0), ask = tool_book_level(book, 1, 0);
    check_mismatch(check,
        "record %u: best of symbol %u is %" PRIu64 " at %" PRId64 " / %" PRIu64 " at %" PRId64 ", expected %" PRIu64
        " at %" PRId64 " / %" PRIu64 " at %" PRId64 " (line %td of the top-of-book file)",
        row, top->symbol, bid.quantity, bid.price, ask.quantity, ask.price, top->best[0].quantity, top->best[0].price,
        top->best[1].quantity, top->best[1].price, top - check->tops + 2);
}

static void request_over(struct check *check, uint32_t session) {
    uint32_t index = check->sessions[session].current;
    if (index == 0) return;
    const struct plan_request *request = &check->plan->requests[index - 1];
    check->hashes[index - 1] = check->books[request->symbol].hash;
    if (!request->row_ends) return;
    if (check->plan->levels)
        compare_lobster(check, request->row);
    else if (check->top_count)
        compare_top(check, request->row);
}

/* ---- the answers ---- */

static void change(struct check *check, uint32_t key, int64_t by) {
    struct check_order *order = &check->orders[key];
    enum weir_error error = tool_book_add(&check->books[order->symbol], order->side, order->price, by);
    if (error) check_mismatch(check, "order %u: %s", key, weir_error_text());
    if (error == WEIR_E_NO_MEMORY) check->failed = true;
    order->quantity = (uint32_t)(order->quantity + by);
}

static const struct plan_request *current(const struct check *check, uint32_t session) {
    return &check->plan->requests[check->sessions[session].current - 1];
}

void check_begin(struct check *check, uint32_t session, uint32_t request) {
    request_over(check, session);
    check->sessions[session].current = request + 1;
    if (check->plan->requests[request].kind != PLAN_NOTHING) check->answered++;
}

void check_accepted(struct check *check, uint32_t session) {
    const struct plan_request *request = current(check, session);
    struct check_order *order = &check->orders[request->key];
    if (request->kind != PLAN_ENTER && request->kind != PLAN_IOC) {
        check_mismatch(check, "record %u: accepted as a new order", request->row);
        return;
    }
    *order = (struct check_order){.price = request->price, .symbol = request->symbol, .side = request->side};
    change(check, request->key, request->quantity);
}

void check_rejected(struct check *check, uint32_t session, const char *why) {
    check->rejected++;
    const struct plan_request *request = current(check, session);
    check_mismatch(check, "%s %u: refused: %s", check->plan->levels ? "line" : "record",
        request->row + (check->plan->levels != NULL), why);
}

void check_replaced(struct check *check, uint32_t session, int64_t price, uint32_t quantity) {
    const struct plan_request *request = current(check, session);
    struct check_order *order = &check->orders[request->key];
    if (price != request->price || quantity != request->quantity)
        check_mismatch(check, "record %u: replaced to %u at %" PRId64 " instead of %u at %" PRId64, request->row,
            quantity, price, request->quantity, request->price);
    change(check, request->key, -(int64_t)order->quantity);
    order->price = price;
    change(check, request->key, quantity);
}

void check_reduced(struct check *check, uint32_t key, uint32_t quantity) {
    if (quantity > check->orders[key].quantity)
        check_mismatch(check, "order %u: %u taken off, %u were open", key, quantity, check->orders[key].quantity);
    else
        change(check, key, -(int64_t)quantity);
}

static void keep(struct check *check, const struct check_trade *trade) {
    if (check->trade_count == check->trade_room) {
        size_t room = check->trade_room ? check->trade_room * 2 : 4096;
        struct check_trade *trades = realloc(check->trades, room * sizeof(*trades));
        if (trades == NULL) {
            check_mismatch(check, "no memory for %zu trades", room);
            check->failed = true;
            return;
        }
        check->trades = trades;
        check->trade_room = room;
    }
    check->trades[check->trade_count++] = *trade;
    check->volume += trade->quantity;
}

void check_executed(struct check *check, uint32_t session, uint32_t key, const struct check_trade *trade,
    uint64_t match_id, bool maker) {
    struct check_session *s = &check->sessions[session];
    if (s->current == 0) {
        check_mismatch(check, "an execution before the first answer");
        return;
    }
    const struct plan_request *request = current(check, session);
    check_reduced(check, key, (uint32_t)trade->quantity);
    if (maker) {
        s->maker = key;
        s->match_id = match_id;
        return;
    }
    if (s->match_id != match_id || s->maker == 0)
        check_mismatch(check, "record %u: trade %" PRIu64 " has no maker", request->row, match_id);
    if (key != request->key) check_mismatch(check, "record %u: order %u took, not %u", request->row, key, request->key);
    struct check_trade whole = *trade;
    whole.row = request->row;
    whole.symbol = request->symbol;
    whole.maker = s->maker;
    whole.taker = key;
    keep(check, &whole);
    s->maker = 0;
    if (check->plan->makers == NULL) return;
    uint32_t want = check->plan->makers[request->row];
    check->executions++;
    check->makers_equal += want == whole.maker;
    check->makers_seeded += want == 0;
    if (want && want != whole.maker)
        check_mismatch(check, "line %u: order %u was hit, expected %u", request->row + 1, whole.maker, want);
}

void check_end(struct check *check, uint32_t session) {
    request_over(check, session);
    check->sessions[session].current = 0;
}

uint64_t check_open_orders(const struct check *check) {
    uint64_t open = 0;
    for (uint32_t key = 1; key <= check->plan->keys; key++)
        open += check->orders[key].quantity > 0;
    return open;
}
