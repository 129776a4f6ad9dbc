#include "exchange/limits.h"
#include "exchange/state.h"

static uint32_t at_most(uint32_t value, uint32_t max) {
    return value < max ? value : max;
}

void exchange_limits_get(const struct exchange_core *core, struct exchange_limits *ret_limits) {
    *ret_limits = core->limits;
}

void exchange_limits_enforce(
    struct exchange_core *core, const struct exchange_limits *limits, const struct exchange_limits *room) {
    struct exchange_limits *l = &core->limits;
    *l = *room;
    l->orders_max = at_most(limits->orders_max, room->orders_max);
    l->symbols_max = at_most(limits->symbols_max, room->symbols_max);
    l->accounts_max = at_most(limits->accounts_max, room->accounts_max);
    l->sessions_max = at_most(limits->sessions_max, room->sessions_max);
    l->open_max = limits->open_max;
    /* As exchange_core_open() derives them. */
    l->levels_max = at_most(l->orders_max, room->levels_max);
    l->nodes_max = at_most(l->orders_max / 4 + 32 * l->symbols_max + NODES_PER_INSERT, room->nodes_max);
    core->mass_max = l->sessions_max + MASS_SPARE;
}
