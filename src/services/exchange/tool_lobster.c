/* LOBSTER's engine mode: the rows of a message file as orders for an engine, and the book expected after each.
 *
 * Row 0's book becomes one anonymous order per level. Type 1 enters, 2 reduces, 3 deletes, 4 becomes an immediate-or-
 * cancel order of the other side that must hit the named order. What the file never told about (a level that slides
 * into the window at its deep edge, or one that came back changed) is taken from the book row: the reveal rule. */
#include "base/map.h"
#include "exchange/tool_plan.h"
#include <stdlib.h>

#define LEVELS_MAX  256 /* of a book row, and of one side of the engine's book */
#define ORDERS_MAX  65536
#define SYMBOL      1u
#define WHOLE_DEPTH 50 /* a file this deep shows every level near the market: nothing stale can slide back into it */

struct planner {
    struct plan *plan;
    struct exchange_core *core;
    struct map64 keys;      /* the file's order id -> key */
    struct map64 anonymous; /* price and side -> key of the level's anonymous order */
    uint32_t row;
    struct weir_lobster_level *expected, *before; /* book rows */
};

struct side_level {
    int64_t price;
    uint32_t size;
};

static struct side_level row_level(const struct weir_lobster_level *level, unsigned side) {
    return side == EXCHANGE_SIDE_BUY ? (struct side_level){level->bid_price, level->bid_size}
                                     : (struct side_level){level->ask_price, level->ask_size};
}

/* Levels that are not empty; they come first. */
static uint32_t row_depth(const struct planner *p, const struct weir_lobster_level *row, unsigned side) {
    uint32_t n = 0;
    while (n < p->plan->depth && row_level(&row[n], side).size)
        n++;
    return n;
}

static enum weir_error send(struct planner *p, struct plan_request request) {
    struct exchange_command command;
    request.row = p->row;
    plan_command(&request, p->core, &command);
    exchange_core_apply(p->core, &command, sizeof(command), 0);
    return plan_add(p->plan, &request);
}

static enum weir_error enter(
    struct planner *p, enum plan_kind kind, unsigned side, struct side_level at, uint32_t *ret_key) {
    if (at.size > PLAN_QUANTITY_MAX || at.price <= 0)
        return weir_error_context(WEIR_E_INVALID, "line %u: the gateway takes sizes 1 to %u and prices from 1",
            p->row + 1, PLAN_QUANTITY_MAX);
    *ret_key = ++p->plan->keys;
    return send(p, (struct plan_request){
                       .kind = (uint8_t)kind,
                       .side = (uint8_t)side,
                       .quantity = at.size,
                       .key = *ret_key,
                       .price = at.price,
                   });
}

static uint64_t level_key(unsigned side, int64_t price) {
    return (uint64_t)price * 2 + side;
}

static enum weir_error enter_anonymous(struct planner *p, unsigned side, struct side_level at) {
    uint32_t key;
    enum weir_error error = enter(p, PLAN_ENTER, side, at, &key);
    if (error == WEIR_OK && map64_put(&p->anonymous, level_key(side, at.price), key) == MAP_PUT_FULL)
        error = weir_error_context(WEIR_E_NO_MEMORY, "no memory for the levels");
    return error;
}

static bool is_open(const struct planner *p, uint64_t key, struct exchange_order_view *ret_order) {
    return exchange_core_order_by_ref(p->core, PLAN_ACCOUNT, key, ret_order);
}

/* Takes `size` off an order; the whole of it when `all`. */
static enum weir_error take(struct planner *p, const struct exchange_order_view *order, uint32_t size, bool all) {
    bool ends = all || order->leaves <= size;
    return send(p, (struct plan_request){
                       .kind = ends ? PLAN_CANCEL : PLAN_REDUCE,
                       .side = order->side,
                       .quantity = ends ? 0 : (uint32_t)order->leaves - size,
                       .key = (uint32_t)order->client_ref,
                       .price = order->price,
                   });
}

static enum weir_error cancel_level(struct planner *p, unsigned side, int64_t price) {
    struct exchange_order_view orders[64];
    enum weir_error error = WEIR_OK;
    uint64_t after = 0;
    size_t n;
    while (error == WEIR_OK && (n = exchange_core_account_orders(p->core, PLAN_ACCOUNT, after, orders, 64)) > 0) {
        after = orders[n - 1].id;
        for (size_t i = 0; i < n && error == WEIR_OK; i++)
            if (orders[i].side == side && orders[i].price == price) error = take(p, &orders[i], 0, true);
    }
    return error;
}

static enum weir_error seed(struct planner *p, const struct weir_lobster_message *m) {
    unsigned own_side = m->direction > 0 ? EXCHANGE_SIDE_BUY : EXCHANGE_SIDE_SELL;
    for (unsigned side = 0; side < 2; side++)
        for (uint32_t i = 0; i < row_depth(p, p->expected, side); i++) {
            struct side_level at = row_level(&p->expected[i], side);
            bool own = m->type == WEIR_LOBSTER_NEW && side == own_side && at.price == m->price;
            if (own) at.size -= m->size < at.size ? m->size : at.size;
            enum weir_error error = at.size ? enter_anonymous(p, side, at) : WEIR_OK;
            uint32_t key;
            if (error == WEIR_OK && own) {
                error = enter(p, PLAN_ENTER, side, (struct side_level){m->price, m->size}, &key);
                if (error == WEIR_OK && map64_put(&p->keys, m->order_id, key) == MAP_PUT_FULL)
                    error = weir_error_context(WEIR_E_NO_MEMORY, "no memory for the orders");
            }
            if (error) return error;
        }
    return WEIR_OK;
}

static enum weir_error take_by_message(struct planner *p, const struct weir_lobster_message *m, unsigned side) {
    struct exchange_order_view order;
    uint64_t *key = map64_find(&p->keys, m->order_id);
    bool known = key && is_open(p, *key, &order);
    if (!known) {
        key = map64_find(&p->anonymous, level_key(side, m->price));
        if (key == NULL || !is_open(p, *key, &order)) {
            p->plan->unknown++;
            return WEIR_OK;
        }
    }
    return take(p, &order, m->size, known && m->type == WEIR_LOBSTER_DELETE);
}

static enum weir_error message(struct planner *p, const struct weir_lobster_message *m) {
    unsigned side = m->direction > 0 ? EXCHANGE_SIDE_BUY : EXCHANGE_SIDE_SELL;
    struct side_level at = {m->price, m->size};
    enum weir_error error = WEIR_OK;
    uint32_t key;
    uint64_t *maker;
    switch (m->type) {
    case WEIR_LOBSTER_NEW:
        error = enter(p, PLAN_ENTER, side, at, &key);
        if (error == WEIR_OK && map64_put(&p->keys, m->order_id, key) == MAP_PUT_FULL)
            error = weir_error_context(WEIR_E_NO_MEMORY, "no memory for the orders");
        return error;
    case WEIR_LOBSTER_REDUCE:
    case WEIR_LOBSTER_DELETE:
        return take_by_message(p, m, side);
    case WEIR_LOBSTER_EXECUTE:
        maker = map64_find(&p->keys, m->order_id);
        p->plan->makers[p->row] = maker ? (uint32_t)*maker : 0;
        p->plan->executions++;
        return enter(p, PLAN_IOC, !side, at, &key);
    default:
        return WEIR_OK;
    }
}

static bool is_expected(const struct planner *p, unsigned side, int64_t price) {
    for (uint32_t i = 0; i < row_depth(p, p->expected, side); i++)
        if (row_level(&p->expected[i], side).price == price) return true;
    return false;
}

/* The deepest level of the row, when it slid in from below the window; then levels the venue does not have. */
static enum weir_error reveal(struct planner *p, const struct weir_lobster_message *m, unsigned side) {
    struct exchange_level_view levels[LEVELS_MAX];
    uint32_t depth = row_depth(p, p->expected, side), depth_before = row_depth(p, p->before, side);
    if (depth == 0) return WEIR_OK;
    struct side_level last = row_level(&p->expected[depth - 1], side);
    size_t count = exchange_core_depth(p->core, SYMBOL, side, levels, LEVELS_MAX);
    bool there = false, equal = false;
    for (size_t i = 0; i < count; i++)
        if (levels[i].price == last.price) {
            there = true;
            equal = i < p->plan->depth && levels[i].quantity == last.size;
        }
    bool slid = depth == p->plan->depth && m->type != WEIR_LOBSTER_NEW && depth_before &&
                row_level(&p->before[depth_before - 1], side).price != last.price;
    enum weir_error error = WEIR_OK;
    if (!there || (!equal && slid)) {
        error = cancel_level(p, side, last.price);
        if (error == WEIR_OK) error = enter_anonymous(p, side, last);
        p->plan->revealed++;
    }
    for (size_t i = 0; i < count && p->plan->depth < WHOLE_DEPTH && error == WEIR_OK; i++) {
        bool inside = side == EXCHANGE_SIDE_BUY ? levels[i].price >= last.price : levels[i].price <= last.price;
        if (inside && !is_expected(p, side, levels[i].price)) error = cancel_level(p, side, levels[i].price);
    }
    return error;
}

static enum weir_error plan_row(struct planner *p, const struct weir_lobster_message *m) {
    struct plan *plan = p->plan;
    size_t first = plan->count;
    enum weir_error error = p->row ? message(p, m) : seed(p, m);
    for (unsigned side = 0; side < 2 && error == WEIR_OK && p->row; side++)
        error = reveal(p, m, side);
    if (error == WEIR_OK && plan->count == first)
        error = plan_add(plan, &(struct plan_request){.kind = PLAN_NOTHING, .row = p->row});
    if (error == WEIR_OK) plan->requests[plan->count - 1].row_ends = true;
    return error;
}

static uint32_t line_count(struct weir_slice text) {
    struct weir_slice line;
    bool whole;
    uint32_t n = 0;
    while (weir_lobster_line_next(&text, &line, &whole))
        n++;
    return n;
}

static enum weir_error room_for(struct plan *plan, struct weir_slice messages, struct weir_slice books) {
    struct weir_lobster_level levels[LEVELS_MAX];
    struct weir_slice line;
    bool whole;
    enum weir_error error = WEIR_E_INVALID;
    plan->symbols = 1;
    plan->rows = line_count(messages);
    if (plan->rows == 0 || line_count(books) != plan->rows)
        return weir_error_context(
            error, "%u messages and %u book rows; they must be as many, and some", plan->rows, line_count(books));
    if (!weir_lobster_line_next(&books, &line, &whole)) return error;
    error = weir_lobster_book_parse(line, LEVELS_MAX, levels, &plan->depth);
    if (error) return weir_error_wrap(error, "book line 1");
    plan->levels = calloc((size_t)plan->rows * plan->depth, sizeof(*plan->levels));
    plan->makers = calloc(plan->rows, sizeof(*plan->makers));
    if (plan->levels == NULL || plan->makers == NULL) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for rows");
    return WEIR_OK;
}

static enum weir_error plan_rows(struct planner *p, struct weir_slice messages, struct weir_slice books) {
    struct plan *plan = p->plan;
    for (p->row = 0; p->row < plan->rows; p->row++) {
        struct weir_lobster_message m;
        struct weir_slice line, book;
        uint32_t depth = 0;
        bool whole;
        if (!weir_lobster_line_next(&messages, &line, &whole) || !weir_lobster_line_next(&books, &book, &whole))
            return weir_error_context(WEIR_E_INVALID, "line %u is missing", p->row + 1);
        p->before = p->expected;
        p->expected = plan->levels + (size_t)p->row * plan->depth;
        enum weir_error error = weir_lobster_message_parse(line, &m);
        if (error == WEIR_OK) error = weir_lobster_book_parse(book, plan->depth, p->expected, &depth);
        if (error == WEIR_OK && depth != plan->depth)
            error = weir_error_context(WEIR_E_INVALID, "%u levels instead of %u", depth, plan->depth);
        if (error == WEIR_OK) error = plan_row(p, &m);
        if (error) return weir_error_wrap(error, "line %u", p->row + 1);
    }
    return WEIR_OK;
}

enum weir_error plan_lobster(const char *messages, const char *books, struct plan *ret_plan) {
    struct plan plan = {0};
    struct planner p = {.plan = &plan};
    struct weir_slice message_text = {0}, book_text = {0};
    struct exchange_limits limits = {.orders_max = ORDERS_MAX, .symbols_max = 2, .accounts_max = PLAN_ACCOUNT};
    enum weir_error error = flow_read_file(messages, &message_text);
    if (error == WEIR_OK) error = flow_read_file(books, &book_text);
    if (error == WEIR_OK) error = room_for(&plan, message_text, book_text);
    if (error == WEIR_OK) error = flow_engine_open(&limits, 1, &p.core);
    struct map_options options = {.growable = true};
    if (error == WEIR_OK && (!map64_init(&p.keys, &options) || !map64_init(&p.anonymous, &options)))
        error = weir_error_context(WEIR_E_NO_MEMORY, "no memory for the orders");
    if (error == WEIR_OK) error = plan_rows(&p, message_text, book_text);
    if (error) error = weir_error_wrap(error, "%s with %s", messages, books);
    map64_done(&p.keys);
    map64_done(&p.anonymous);
    if (p.core) flow_engine_close(p.core, &limits);
    free((void *)(uintptr_t)message_text.data);
    free((void *)(uintptr_t)book_text.data);
    if (error) {
        plan_done(&plan);
        return error;
    }
    *ret_plan = plan;
    return WEIR_OK;
}
