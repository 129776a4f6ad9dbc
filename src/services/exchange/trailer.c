#include "exchange/trailer.h"
#include <string.h>

static char tif_letter(uint8_t tif) {
    static const char letters[] = {[EXCHANGE_TIF_GTC] = '1',
        [EXCHANGE_TIF_DAY] = '0',
        [EXCHANGE_TIF_GTD] = '6',
        [EXCHANGE_TIF_IOC] = '3',
        [EXCHANGE_TIF_FOK] = '4'};
    return tif < sizeof letters ? letters[tif] : '1';
}

void exchange_trailers_begin(struct exchange_trailers *t, const struct exchange_core *core,
    const struct exchange_command *command, const struct exchange_echo *echo) {
    *t = (struct exchange_trailers){.core = core, .stp = command->stp, .has_echo = echo != NULL};
    if (echo) t->echo = *echo;
    if (command->type != EXCHANGE_COMMAND_REPLACE) return;
    /* The order's own mode and time in force hold, whatever the request says; afterwards it may be gone. */
    struct exchange_order_view order;
    bool is_found = command->flags & EXCHANGE_FLAG_BY_REF
                        ? exchange_core_order_by_ref(core, command->account, command->order_id, &order)
                        : exchange_core_order(core, command->order_id, &order);
    if (!is_found) return;
    t->stp = order.stp;
    t->echo.time_in_force = tif_letter(order.tif);
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* The incoming order ended where it met its own: the resting one is untouched and still the first of its side. */
static struct exchange_prevented met_newest(const struct exchange_trailers *t, const struct exchange_event *e) {
    struct exchange_level_view best = {.price = e->price, .quantity = e->quantity};
    enum exchange_side other = e->side == EXCHANGE_SIDE_BUY ? EXCHANGE_SIDE_SELL : EXCHANGE_SIDE_BUY;
    (void)exchange_core_depth(t->core, e->symbol, other, &best, 1);
    return (struct exchange_prevented){.price = best.price, .quantity = smaller(e->quantity, best.quantity)};
}

static struct exchange_prevented prevented(struct exchange_trailers *t, const struct exchange_event *e) {
    bool is_taker = e->order_id == t->taker;
    if (!is_taker)
        t->met = (struct exchange_prevented){
            .price = e->price, .quantity = smaller(e->quantity + e->leaves, t->taker_leaves)};
    struct exchange_prevented p = is_taker && t->stp == EXCHANGE_STP_CANCEL_NEWEST ? met_newest(t, e) : t->met;
    p.is_maker = !is_taker;
    p.mode = t->stp;
    if (is_taker) t->taker_leaves = e->leaves;
    return p;
}

size_t exchange_trailers_next(
    struct exchange_trailers *t, const struct exchange_event *e, union exchange_trailer *ret_trailer) {
    bool is_about = e->type == EXCHANGE_EVENT_ACCEPTED || e->type == EXCHANGE_EVENT_REPLACED;
    if (is_about) {
        t->taker = e->order_id;
        t->taker_leaves = e->leaves;
    }
    if (t->has_echo && (is_about || e->type == EXCHANGE_EVENT_REJECTED)) {
        ret_trailer->echo = t->echo;
        return sizeof ret_trailer->echo;
    }
    if (e->reason == EXCHANGE_REASON_SELF_TRADE) {
        ret_trailer->prevented = prevented(t, e);
        return sizeof ret_trailer->prevented;
    }
    if (e->type == EXCHANGE_EVENT_EXECUTED && e->order_id == t->taker) t->taker_leaves = e->leaves;
    return 0;
}
