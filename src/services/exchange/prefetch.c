/* Hints: what a coming command will touch is asked for in two steps, the second of which needs the first to have
 * arrived. A hint may be wrong or late; it reads only, and only memory that is always there. */
#include "exchange/state.h"

/* GCC takes a function that only prefetches for one without effects and drops the calls, unless they are gone before it
 * looks. */
#define INLINE static inline __attribute__((always_inline))

/* The index node of the price, if it is near. */
INLINE const struct node *near_node(
    const struct exchange_core *core, const struct exchange_command *c, unsigned *ret_bit) {
    const struct symbol *symbol = core_symbol(core, c->symbol);
    if (symbol == NULL) return NULL;
    uint64_t key = level_key(symbol->tick, c->price);
    *ret_bit = (unsigned)(key & 63);
    uint32_t leaf = levels_near(core, &symbol->sides[c->side & 1], key >> 6);
    return leaf ? &core->nodes[leaf] : NULL;
}

/* The order a command names, if it stands where it most likely does. */
INLINE uint32_t guess(const struct exchange_core *core, const struct exchange_command *c) {
    bool by_ref = c->flags & EXCHANGE_FLAG_BY_REF;
    const struct table *t = by_ref ? &core->refs : &core->ids;
    uint32_t tag = by_ref ? ref_tag(core, c->account, c->order_id) : id_tag(c->order_id);
    uint32_t home = table_home(t, tag);
    uint64_t entry = t->entries[home];
    if (LIKELY((uint32_t)(entry >> 32) == tag)) return (uint32_t)entry;
    for (uint32_t i = 1; i < 8; i++) {
        entry = t->entries[(home & ~UINT32_C(7)) | ((home + i) & 7)];
        if ((uint32_t)(entry >> 32) == tag) return (uint32_t)entry;
    }
    return 0;
}

INLINE void hint_far(const struct exchange_core *core, const struct exchange_command *c) {
    if (c->type == EXCHANGE_COMMAND_NEW) {
        unsigned bit = 0;
        const struct node *node = near_node(core, c, &bit);
        if (node == NULL) return;
        __builtin_prefetch(&node->mask);
        __builtin_prefetch(&node->child[bit]);
    } else if (c->flags & EXCHANGE_FLAG_BY_REF) {
        uint32_t tag = ref_tag(core, c->account, c->order_id);
        __builtin_prefetch(&core->refs.entries[table_home(&core->refs, tag)]);
    } else {
        __builtin_prefetch(&core->ids.entries[table_home(&core->ids, id_tag(c->order_id))]);
    }
}

INLINE void hint_middle(const struct exchange_core *core, const struct exchange_command *c) {
    if (c->type == EXCHANGE_COMMAND_NEW) {
        unsigned bit = 0;
        const struct node *node = near_node(core, c, &bit);
        if (node && node->mask >> bit & 1) __builtin_prefetch(&core->levels[node->child[bit]], 1);
        return;
    }
    uint32_t slot = guess(core, c);
    __builtin_prefetch(&core->orders[slot], 1);
    __builtin_prefetch(&core->links[slot], 1);
}

INLINE void hint_near(const struct exchange_core *core, const struct exchange_command *c) {
    if (c->type == EXCHANGE_COMMAND_NEW) {
        unsigned bit = 0;
        const struct node *node = near_node(core, c, &bit);
        if (node && node->mask >> bit & 1) __builtin_prefetch(&core->orders[core->levels[node->child[bit]].tail], 1);
        if (c->account <= core->limits.accounts_max)
            __builtin_prefetch(&core->links[core->accounts[c->account].tail], 1);
        return;
    }
    uint32_t slot = guess(core, c);
    const struct order *order = &core->orders[slot];
    struct order_links links = core->links[slot];
    __builtin_prefetch(&core->levels[order->level], 1);
    __builtin_prefetch(&core->orders[order->next], 1);
    __builtin_prefetch(&core->orders[order->prev], 1);
    __builtin_prefetch(&core->links[links.next], 1);
    __builtin_prefetch(&core->links[links.prev], 1);
}

void exchange_core_prefetch(const struct exchange_core *core, const struct exchange_command *far,
    const struct exchange_command *middle, const struct exchange_command *near) {
    hint_far(core, far);
    hint_middle(core, middle);
    hint_near(core, near);
}
