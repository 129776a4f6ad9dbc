/* The book's steps off the hot paths. */
#include "exchange/book.h"

void book_publish_state(struct exchange_core *core, struct symbol *symbol) {
    struct exchange_state *state = &core_output(core)->state;
    *state = (struct exchange_state){
        .type = EXCHANGE_EVENT_STATE,
        .state = symbol->state,
        .symbol = symbol->number,
        .sequence = ++symbol->sequence_l1,
        .time_ns = core->now,
        .tick = symbol->tick,
        .lot = symbol->lot,
        .decimals = symbol->terms.decimals,
    };
    memcpy(state->name, symbol->terms.name, EXCHANGE_NAME_SIZE);
}

void book_end(struct exchange_core *core, uint32_t slot, uint8_t type, enum exchange_reason reason) {
    struct order *order = &core->orders[slot];
    uint32_t level = order->level;
    unsigned side = order->side;
    struct symbol *symbol = &core->symbols[order->symbol];
    struct exchange_event *event = book_event(core, type, slot, core->levels[level].price);
    event->reason = (uint8_t)reason;
    event->flags = EXCHANGE_EVENT_ENDED;
    event->quantity = order->leaves;
    event->leaves = 0;
    book_leave(core, slot);
    book_publish_level(core, symbol, side, level);
    book_unregister(core, slot);
    book_slot_give(core, slot);
}
