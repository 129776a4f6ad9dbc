/* exchange/book.h: what happens to a resting order and its level, and what the public is told about it. Inline: these
 * are the steps of the hot paths, a few dozen instructions each, and calls between them would cost as much again. */
#ifndef WEIR_EXCHANGE_BOOK_H
#define WEIR_EXCHANGE_BOOK_H
#include "exchange/state.h"

static inline uint32_t book_slot_take(struct exchange_core *core) {
    uint32_t slot = core->order_free;
    if (slot)
        core->order_free = core->orders[slot].next;
    else
        slot = ++core->order_used;
    core->order_open++;
    return slot;
}

static inline void book_slot_give(struct exchange_core *core, uint32_t slot) {
    core->orders[slot].next = core->order_free;
    core->order_free = slot;
    core->order_open--;
}

/* Into and out of the level's queue; publish the level afterwards. Returns the level. */
static inline uint32_t book_link(
    struct exchange_core *core, struct symbol *symbol, unsigned side, uint32_t slot, int64_t price) {
    struct order *order = &core->orders[slot];
    uint32_t number = levels_take(core, symbol, side, price);
    struct level *level = &core->levels[number];
    uint32_t tail = level->tail;
    order->level = number;
    order->priority = ++core->counters.priority;
    order->next = 0;
    order->prev = tail;
    *(tail ? &core->orders[tail].next : &level->head) = slot;
    level->tail = slot;
    level->count++;
    level->quantity += order->leaves;
    symbol->sides[side].orders++;
    return number;
}

static inline void book_unlink(struct exchange_core *core, uint32_t slot) {
    struct order *order = &core->orders[slot];
    struct level *level = &core->levels[order->level];
    /* Which neighbours there are is chance: an address is chosen, not a branch. */
    uint32_t next = order->next, prev = order->prev;
    *(prev ? &core->orders[prev].next : &level->head) = next;
    *(next ? &core->orders[next].prev : &level->tail) = prev;
    level->count--;
    level->quantity -= order->leaves;
    core->symbols[order->symbol].sides[order->side].orders--;
}

/* The same with the digest. */
static inline uint32_t book_join(
    struct exchange_core *core, struct symbol *symbol, unsigned side, uint32_t slot, int64_t price) {
    uint32_t level = book_link(core, symbol, side, slot, price);
    core->digest += digest_order(&core->orders[slot], price);
    return level;
}

static inline void book_leave(struct exchange_core *core, uint32_t slot) {
    core->digest -= digest_order(&core->orders[slot], core->levels[core->orders[slot].level].price);
    book_unlink(core, slot);
}

/* Into and out of the id and reference tables, the account's list and the expiry heap. */
static inline void book_register(struct exchange_core *core, uint32_t slot) {
    struct order *order = &core->orders[slot];
    struct account *account = &core->accounts[order->account];
    table_add(&core->ids, id_tag(order->id), slot);
    if (order->client_ref) table_add(&core->refs, ref_tag(core, order->account, order->client_ref), slot);
    core->links[slot] = (struct order_links){.prev = account->tail};
    *(account->tail ? &core->links[account->tail].next : &account->head) = slot;
    account->tail = slot;
    account->open++;
    if (UNLIKELY(order->account > core->accounts_used)) core->accounts_used = order->account;
    if (order->flags & ORDER_COLD && core->cold[slot].expire_ns) expiry_add(core, slot);
}

static inline void book_unregister(struct exchange_core *core, uint32_t slot) {
    struct order *order = &core->orders[slot];
    struct account *account = &core->accounts[order->account];
    struct order_links links = core->links[slot];
    table_remove(&core->ids, id_tag(order->id), slot);
    if (order->client_ref) table_remove(&core->refs, ref_tag(core, order->account, order->client_ref), slot);
    *(links.prev ? &core->links[links.prev].next : &account->head) = links.next;
    *(links.next ? &core->links[links.next].prev : &account->tail) = links.prev;
    account->open--;
    if (UNLIKELY(core->mass_count)) mass_moved(core, slot, links.next);
    if (order->flags & ORDER_COLD && core->cold[slot].heap_position) expiry_remove(core, slot);
}

/* An L2 delta for the level, which is given back when it is empty. */
static inline void book_publish_level(
    struct exchange_core *core, struct symbol *symbol, unsigned side_number, uint32_t number) {
    const struct level *level = &core->levels[number];
    core_output(core)->l2 = (struct exchange_l2){
        .type = EXCHANGE_EVENT_L2,
        .side = (uint8_t)side_number,
        .symbol = symbol->number,
        .sequence = ++symbol->sequence_l2,
        .price = level->price,
        .quantity = level->quantity,
        .orders = level->count,
        .time_ns = core->now,
    };
    if (level->count == 0) levels_give(core, symbol, side_number, number);
}

/* An L1 change if the best prices or quantities are others than last published. */
static inline void book_publish_top(struct exchange_core *core, struct symbol *symbol) {
    /* Level 0 is never written: all its fields are 0, which is what an empty side shows. */
    const struct level *bid = &core->levels[symbol->sides[EXCHANGE_SIDE_BUY].best];
    const struct level *ask = &core->levels[symbol->sides[EXCHANGE_SIDE_SELL].best];
    if (LIKELY(bid->price == symbol->top_price[0] && bid->quantity == symbol->top_quantity[0] &&
               ask->price == symbol->top_price[1] && ask->quantity == symbol->top_quantity[1]))
        return;
    symbol->top_price[0] = bid->price;
    symbol->top_quantity[0] = bid->quantity;
    symbol->top_price[1] = ask->price;
    symbol->top_quantity[1] = ask->quantity;
    core_output(core)->l1 = (struct exchange_l1){
        .type = EXCHANGE_EVENT_L1,
        .symbol = symbol->number,
        .sequence = ++symbol->sequence_l1,
        .bid_price = bid->price,
        .bid_quantity = bid->quantity,
        .ask_price = ask->price,
        .ask_quantity = ask->quantity,
        .time_ns = core->now,
    };
}

/* A private event about a resting order. */
static inline struct exchange_event *book_event(
    struct exchange_core *core, uint8_t type, uint32_t slot, int64_t price) {
    const struct order *order = &core->orders[slot];
    uint32_t session = book_session(core, slot);
    struct exchange_event *event = core_event(core, (struct event_fields){
                                                        .type = type,
                                                        .side = order->side,
                                                        .symbol = order->symbol,
                                                        .account = order->account,
                                                        .session = session,
                                                        .order_id = order->id,
                                                        .client_ref = order->client_ref,
                                                        .price = price,
                                                        .leaves = order->leaves,
                                                        .executed = order->executed,
                                                    });
    return event;
}
#endif
