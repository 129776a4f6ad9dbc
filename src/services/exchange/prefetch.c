/* Hints: what a coming command will touch is asked for in four steps, each of which needs what the ones before fetched.
 * A hint may be wrong or late; it reads only, and only memory that is always there. Commands of all types go one way,
 * as what they lack leads to number 0, which is in every array: a branch on the type would be guessed wrong in each
 * step, which costs more than the useless half of the hints. */
#include "exchange/state.h"

/* GCC takes a function that only prefetches for one without effects and drops the calls, unless they are gone before it
 * looks. */
#define INLINE static inline __attribute__((always_inline))

/* So few orders (a symbol counts as eight) stay in the cache by themselves, some 200 bytes each: hints would only cost.
 */
#define HINTS_FROM 4096

/* The number where the condition holds, else 0. */
INLINE uint32_t when(uint64_t condition, uint32_t number) {
    return number & (0 - (uint32_t)condition);
}

/* The symbol, the account, and the place of the order in its table. */
INLINE void hint_begin(const struct exchange_core *core, struct exchange_hint *hint, const struct exchange_command *c) {
    uint64_t ref = c->flags & EXCHANGE_FLAG_BY_REF ? c->order_id : c->client_ref;
    const struct table *table = ref ? &core->refs : &core->ids;
    hint->tag = ref ? ref_tag(core, c->account, ref) : id_tag(c->order_id);
    hint->entry = &table->entries[table_home(table, hint->tag)];
    hint->symbol = when(c->symbol - 1 < core->counters.symbols, c->symbol);
    hint->account = when(c->account <= core->limits.accounts_max, c->account);
    hint->side = c->side & 1;
    hint->price = c->price;
    __builtin_prefetch(hint->entry, 1);
    __builtin_prefetch(&core->accounts[hint->account], 1);
    const char *symbol = (const char *)&core->symbols[hint->symbol];
    for (size_t at = 0; at <= offsetof(struct symbol, terms.name); at += 64)
        __builtin_prefetch(symbol + at, 1);
}

/* The index leaf of the price when it is at most one storey down, which is where a lively book has its levels; the
 * order when it stands where it most likely does. */
INLINE void hint_find(const struct exchange_core *core, struct exchange_hint *hint) {
    const struct symbol *symbol = &core->symbols[hint->symbol];
    uint64_t key = (uint64_t)((UNLIKELY(symbol->tick > 1) ? hint->price / symbol->tick : hint->price) + KEY_BIAS);
    uint32_t number = symbol->sides[hint->side].root;
    const struct node *root = &core->nodes[number];
    unsigned position = key >> 6 & 63;
    uint32_t child = when(root->mask >> position & 1 & (root->storey == 1), root->child[position]);
    hint->leaf = when(root->storey == 0, number) | child;
    hint->bit = key & 63;
    __builtin_prefetch(&core->nodes[hint->leaf].mask, 1);
    __builtin_prefetch(&core->nodes[hint->leaf].child[hint->bit], 1);
    uint64_t entry = *hint->entry;
    hint->slot = when((uint32_t)(entry >> 32) == hint->tag, (uint32_t)entry);
    __builtin_prefetch(&core->orders[hint->slot], 1);
    __builtin_prefetch(&core->links[hint->slot], 1);
}

/* The level a new order joins; all that is around an order that is there. */
INLINE void hint_enter(const struct exchange_core *core, struct exchange_hint *hint) {
    const struct node *leaf = &core->nodes[hint->leaf];
    hint->joined = when(leaf->mask >> hint->bit & 1 & (leaf->storey == 0), leaf->child[hint->bit]);
    __builtin_prefetch(&core->levels[hint->joined], 1);
    const struct order *order = &core->orders[hint->slot];
    struct order_links links = core->links[hint->slot];
    hint->left = order->level;
    hint->symbol = order->symbol | when(order->symbol == 0, hint->symbol);
    __builtin_prefetch(&core->levels[hint->left], 1);
    __builtin_prefetch(&core->orders[order->next], 1);
    __builtin_prefetch(&core->orders[order->prev], 1);
    __builtin_prefetch(&core->links[links.next], 1);
    __builtin_prefetch(&core->links[links.prev], 1);
    __builtin_prefetch(&core->symbols[hint->symbol].sides, 1);
    __builtin_prefetch(&core->symbols[hint->symbol].top_price, 1);
}

/* The tails of queue and account, the best levels, and the leaf a level leaves when it is empty. */
INLINE void hint_finish(const struct exchange_core *core, const struct exchange_hint *hint) {
    const struct symbol *symbol = &core->symbols[hint->symbol];
    const struct node *leaf = &core->nodes[core->levels[hint->left].place >> 6];
    __builtin_prefetch(&core->orders[core->levels[hint->joined].tail], 1);
    __builtin_prefetch(&core->links[core->accounts[hint->account].tail], 1);
    __builtin_prefetch(&core->levels[symbol->sides[0].best], 1);
    __builtin_prefetch(&core->levels[symbol->sides[1].best], 1);
    __builtin_prefetch(&leaf->mask, 1);
}

void exchange_core_prefetch(
    const struct exchange_core *core, struct exchange_hints *hints, const struct exchange_command *command) {
    if (core->order_used + 8 * core->counters.symbols < HINTS_FROM) return;
    unsigned at = hints->next++;
    hint_begin(core, &hints->ring[at % EXCHANGE_HINTS], command);
    hint_find(core, &hints->ring[(at - 8) % EXCHANGE_HINTS]);
    hint_enter(core, &hints->ring[(at - 16) % EXCHANGE_HINTS]);
    hint_finish(core, &hints->ring[(at - 23) % EXCHANGE_HINTS]);
}

void exchange_core_prefetch_start(const struct exchange_core *core, struct exchange_hints *ret_hints) {
    *ret_hints = (struct exchange_hints){0};
    for (unsigned i = 0; i < EXCHANGE_HINTS; i++)
        ret_hints->ring[i].entry = core->ids.entries;
}
