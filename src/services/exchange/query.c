/* Read-only views of the engine between two commands. */
#include "exchange/state.h"

static void view_order(const struct exchange_core *core, uint32_t slot, struct exchange_order_view *ret) {
    const struct order *order = &core->orders[slot];
    bool cold = order->flags & ORDER_COLD;
    *ret = (struct exchange_order_view){
        .id = order->id,
        .client_ref = order->client_ref,
        .priority = order->priority,
        .leaves = order->leaves,
        .executed = order->executed,
        .expire_ns = cold ? core->cold[slot].expire_ns : 0,
        .price = core->levels[order->level].price,
        .symbol = order->symbol,
        .account = order->account,
        .session = cold ? core->cold[slot].session : 0,
        .side = order->side,
        .tif = order->tif,
        .stp = order->stp,
        .flags = (uint8_t)(order->flags & ~ORDER_COLD),
    };
}

bool exchange_core_order(const struct exchange_core *core, uint64_t id, struct exchange_order_view *ret_order) {
    uint32_t slot = id_find(core, id);
    if (slot) view_order(core, slot, ret_order);
    return slot != 0;
}

bool exchange_core_order_by_ref(
    const struct exchange_core *core, uint32_t account, uint64_t client_ref, struct exchange_order_view *ret_order) {
    uint32_t slot = client_ref ? ref_find(core, account, client_ref) : 0;
    if (slot) view_order(core, slot, ret_order);
    return slot != 0;
}

size_t exchange_core_account_orders(const struct exchange_core *core, uint32_t account, uint64_t after,
    struct exchange_order_view *ret_orders, size_t max) {
    size_t count = 0;
    if (account - 1 >= core->limits.accounts_max) return 0;
    uint32_t slot = core->accounts[account].head;
    uint32_t known = after ? id_find(core, after) : 0;
    if (known && core->orders[known].account == account) slot = core->links[known].next;
    for (; slot && count < max; slot = core->links[slot].next)
        if (core->orders[slot].id > after) view_order(core, slot, &ret_orders[count++]);
    return count;
}

size_t exchange_core_depth(const struct exchange_core *core, uint32_t symbol, enum exchange_side side,
    struct exchange_level_view *ret_levels, size_t max) {
    const struct symbol *s = core_symbol(core, symbol);
    size_t count = 0;
    if (s == NULL || side > EXCHANGE_SIDE_SELL) return 0;
    for (uint32_t level = s->sides[side].best; level && count < max; level = levels_worse(core, level, side)) {
        const struct level *l = &core->levels[level];
        ret_levels[count++] = (struct exchange_level_view){l->price, l->quantity, l->count};
    }
    return count;
}

bool exchange_core_symbol(const struct exchange_core *core, uint32_t symbol, struct exchange_symbol_view *ret_symbol) {
    const struct symbol *s = core_symbol(core, symbol);
    if (s == NULL) return false;
    *ret_symbol = (struct exchange_symbol_view){
        .terms = s->terms,
        .state = s->state,
        .sequence_l1 = s->sequence_l1,
        .sequence_l2 = s->sequence_l2,
        .volume = s->volume,
        .trades = s->trades,
        .last_price = s->last_price,
        .last_quantity = s->last_quantity,
        .orders = symbol_orders(s),
    };
    return true;
}

uint32_t exchange_core_symbol_find(const struct exchange_core *core, const char name[EXCHANGE_NAME_SIZE]) {
    return name[0] ? name_find(core, name) : 0;
}

void exchange_core_stats(const struct exchange_core *core, struct exchange_stats *ret_stats) {
    *ret_stats = (struct exchange_stats){
        .commands = core->counters.commands,
        .orders = core->counters.order_id,
        .trades = core->counters.match_id,
        .volume = core->counters.volume,
        .rejected = core->counters.rejected,
        .open = core->order_open,
        .levels = core->level_open,
        .nodes = core->node_open,
        .symbols = (uint32_t)core->counters.symbols,
        .bytes_touched_estimate = core->order_used * (sizeof(struct order) + sizeof(struct order_links)) +
                                  core->level_used * sizeof(struct level) + core->node_used * sizeof(struct node) +
                                  ((size_t)core->ids.mask + 1) * sizeof(uint64_t) +
                                  (size_t)core->counters.symbols * sizeof(struct symbol),
    };
}

bool exchange_core_session(
    const struct exchange_core *core, uint32_t session, struct exchange_session_view *ret_session) {
    if (session - 1 >= core->limits.sessions_max) return false;
    const struct session *s = &core->sessions[session];
    *ret_session = (struct exchange_session_view){
        .account = s->account,
        .connected = s->flags & SESSION_CONNECTED,
        .ref_last = s->ref_last,
        .events = s->events,
        .token = s->token,
    };
    return s->account != 0;
}

uint32_t exchange_core_sessions_used(const struct exchange_core *core) {
    return core->sessions_used;
}
