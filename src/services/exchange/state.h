/* exchange/state.h: the engine's memory, private to the core's files.
 *
 * Arrays of plain structs addressed by 32-bit numbers, 0 = none. A resting order is one cache line (struct order) plus
 * eight bytes of account links, sixteen rarely touched bytes (struct order_cold) and one or two eight-byte table
 * entries. Nothing whose position depends on history (slots, table positions, nodes) may influence an output.
 */
#ifndef WEIR_EXCHANGE_STATE_H
#define WEIR_EXCHANGE_STATE_H
#include "exchange/core.h"
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
/* Pairs of scalars just stored would be read back as one vector, which waits for the store buffer: 25 cycles a time
 * here. */
#pragma GCC optimize("no-tree-slp-vectorize")
#endif

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

struct order {
    uint64_t id;
    uint64_t priority; /* rises with every joining of a queue's tail */
    uint64_t leaves;
    uint64_t executed;
    uint64_t client_ref;
    uint32_t next, prev; /* in the level's queue */
    uint32_t account;
    uint32_t symbol;
    uint32_t level;
    union {
        struct {
            uint8_t side, tif, stp, flags;
        };
        uint32_t how; /* all four, written as one so that they can be read as one at once */
    };
};
_Static_assert(sizeof(struct order) == 64, "an order is one cache line");
static inline uint32_t order_how(unsigned side, unsigned tif, unsigned stp, unsigned flags) {
    return side | tif << 8 | stp << 16 | flags << 24;
}
enum { ORDER_POST_ONLY = EXCHANGE_FLAG_POST_ONLY, ORDER_COLD = 128 /* struct order_cold is valid */ };

struct order_links {
    uint32_t next, prev; /* in the account's list, in the order of ids */
};

struct order_cold {
    uint64_t expire_ns;
    uint32_t session;
    uint32_t heap_position; /* 0: not in the expiry heap */
};

struct level {
    int64_t price;
    uint64_t quantity;
    uint32_t head, tail;
    uint32_t count;
    uint32_t place; /* leaf node << 6 | child number */
};
_Static_assert(sizeof(struct level) == 32, "two levels a cache line");

/* A node of a side's price index: a trie over the price in ticks, six bits a storey, with an occupancy bitmap in each
 * node, so that the next better or worse level is a few bit scans away. Storey 0 holds levels, the others hold nodes. A
 * side grows storeys only as far apart as its prices are: a book within 64 aligned ticks is one node, within 4,096 two
 * storeys. */
struct node {
    uint64_t mask;
    uint32_t parent;
    uint8_t position; /* in the parent */
    uint8_t storey;
    uint8_t reserved[2];
    uint32_t child[64];
};
#define NODES_PER_INSERT 20 /* two paths of nine storeys at most: one to raise the root, one down to the new leaf */
#define KEY_BIAS         (INT64_C(1) << 47)
#define TICKS_MAX        ((INT64_C(1) << 47) - 1)

struct side {
    uint32_t best;   /* level */
    uint32_t cursor; /* the leaf last used by an insert, or 0 */
    uint64_t cursor_key;
    uint64_t prefix; /* root key: keys of this side are prefix << 6 (storey + 1) */
    uint32_t root;
    uint32_t orders;
};

struct symbol {
    struct side sides[2];
    int64_t tick;
    uint64_t lot;
    uint64_t quantity_max;
    uint64_t notional_max;
    int64_t price_low, price_high; /* the band and the representable range in one check each */
    uint64_t sequence_l2;
    uint32_t number;
    uint8_t state;
    uint8_t reserved[3];
    int64_t top_price[2]; /* L1 as last published */
    uint64_t top_quantity[2];
    int64_t last_price;
    uint64_t last_quantity;
    uint64_t volume, trades; /* trades is also their topic's sequence */
    uint64_t sequence_l1;
    struct exchange_terms terms;
} __attribute__((aligned(64)));
_Static_assert(offsetof(struct symbol, tick) == 64 && offsetof(struct symbol, top_price) == 128,
    "a line each: book, terms, shown");

static inline uint32_t symbol_orders(const struct symbol *symbol) {
    return symbol->sides[0].orders + symbol->sides[1].orders;
}

struct account {
    uint32_t head, tail; /* open orders in the order of ids */
    uint32_t open;
    uint32_t suspended;
};

struct session {
    uint32_t account;
    uint32_t flags; /* SESSION_* */
    uint64_t ref_last;
    uint64_t events; /* said to it so far */
    uint64_t token;  /* of the connection */
};
enum {
    SESSION_CONNECTED = 1,
    SESSION_CANCEL = EXCHANGE_FLAG_CANCEL_ON_DISCONNECT,
    SESSION_REFS_RISE = EXCHANGE_FLAG_REFS_RISE,
};

/* Mass work: which orders end and how, and where it stands. It walks the lists of the accounts `account` to
 * `account_last`, each in the order of ids, or, when only a symbol (and side) is asked for, that book from the best
 * price. */
struct mass {
    uint64_t id_last;               /* later orders are not its */
    uint32_t account, account_last; /* 0: by the book of `symbol` */
    uint32_t slot;                  /* the next order of `account`; 0: none left there */
    uint32_t symbol, session;       /* filters; 0: any */
    uint8_t side, reason, type, day_only;
    uint32_t started; /* slot is meaningful */
    uint32_t origin;  /* session that gets DONE; 0: none */
    uint64_t client_ref, ended;
};
#define MASS_SPARE  64 /* operations beside one per session */
#define MASS_VISITS 16 /* orders looked at for each that may end */

/* Buckets of eight entries, one cache line each. A key's place is in its bucket, at its low three bits when that is
 * free: eight consecutive keys share a line, and the first look almost always decides. A full bucket sends an entry on
 * to the next and counts it in `passed`; 255 stays 255. */
struct table {
    uint64_t *entries; /* tag << 32 | slot; 0 = empty */
    uint8_t *passed;   /* per bucket: entries that belong here or before and stand behind */
    uint32_t mask;     /* entries - 1 */
    uint32_t shift;    /* 32 - log2(buckets) */
};

/* Numbers that never go back. Saved whole and part of the digest. */
struct counters {
    uint64_t order_id, priority, match_id, commands, volume, rejected, symbols, time_ns;
};

struct exchange_core {
    struct order *orders;
    struct order_links *links;
    struct order_cold *cold;
    struct level *levels;
    struct node *nodes;
    struct symbol *symbols;
    struct account *accounts;
    struct session *sessions;
    uint32_t *heap;  /* 1-based binary heap of slots by (expire_ns, id) */
    uint32_t *names; /* open-addressing table of symbol numbers by name */
    struct table ids, refs;
    union exchange_output *outputs, *output_next;
    uint32_t order_free, order_used, order_open; /* free list, high-water mark, open orders */
    uint32_t level_free, level_used, level_open;
    uint32_t node_free, node_used, node_open;
    uint32_t heap_count;
    uint32_t names_mask;
    struct mass *mass; /* under way, first in first out */
    uint32_t mass_count, mass_max;
    uint32_t work_left;                    /* resting orders this command may still touch */
    bool retransmitted;                    /* its session had sent this command's reference before */
    uint32_t accounts_used, sessions_used; /* high-water marks, so that a save need not touch every page */
    uint64_t now;
    uint64_t digest; /* sum over orders, symbols, accounts, sessions */
    struct counters counters;
    struct exchange_limits limits;
    size_t region_size;
};

/* ---- outputs ---- */
static inline union exchange_output *core_output(struct exchange_core *core) {
    return core->output_next++;
}
/* The number of the next event for a session. */
static inline uint64_t core_session_sequence(struct exchange_core *core, uint32_t session) {
    return UNLIKELY(session != 0) ? ++core->sessions[session].events : 0;
}

/* A private event from its fields, written one by one: a compound literal of this size is first filled with zeroes by a
 * string instruction that takes longer than all the rest. */
struct event_fields {
    uint8_t type, side;
    uint32_t symbol, account, session;
    uint64_t order_id, client_ref, quantity, leaves, executed;
    int64_t price;
};
static inline __attribute__((always_inline)) struct exchange_event *core_event(
    struct exchange_core *core, struct event_fields f) {
    struct exchange_event *event = &core_output(core)->event;
    event->type = f.type;
    event->side = f.side;
    event->flags = 0;
    event->reason = 0;
    event->symbol = f.symbol;
    event->account = f.account;
    event->session = f.session;
    event->order_id = f.order_id;
    event->client_ref = f.client_ref;
    event->price = f.price;
    event->quantity = f.quantity;
    event->leaves = f.leaves;
    event->executed = f.executed;
    event->match_id = 0;
    event->time_ns = core->now;
    event->session_sequence = core_session_sequence(core, f.session);
    return event;
}

/* ---- digest: a sum over orders of odd(id) times a linear form, so that a change costs one multiplication ---- */
#define DIGEST_LEAVES   UINT64_C(0x9E3779B97F4A7C15)
#define DIGEST_EXECUTED UINT64_C(0xC2B2AE3D27D4EB4F)
#define DIGEST_PRICE    UINT64_C(0x165667B19E3779F9)
#define DIGEST_PRIORITY UINT64_C(0xD6E8FEB86659FD93)
#define DIGEST_REF      UINT64_C(0xFF51AFD7ED558CCD)
#define DIGEST_FIXED    UINT64_C(0xC4CEB9FE1A85EC53)

static inline uint64_t digest_mix(uint64_t x) {
    x ^= x >> 32;
    x *= UINT64_C(0xD6E8FEB86659FD93);
    x ^= x >> 32;
    return x;
}
static inline uint64_t digest_factor(uint64_t id) {
    return (id * UINT64_C(0x9E3779B97F4A7C15) ^ (id >> 7)) | 1;
}
static inline uint64_t digest_order(const struct order *o, int64_t price) {
    uint64_t fixed = ((uint64_t)o->account << 32 | o->symbol) + ((uint64_t)o->how << 29);
    return digest_factor(o->id) *
           (o->leaves * DIGEST_LEAVES + o->executed * DIGEST_EXECUTED + (uint64_t)price * DIGEST_PRICE +
               o->priority * DIGEST_PRIORITY + o->client_ref * DIGEST_REF + fixed * DIGEST_FIXED);
}

/* ---- hash tables (table.c) ---- */
static inline uint32_t id_tag(uint64_t id) {
    return (uint32_t)id;
}
static inline uint32_t ref_tag(const struct exchange_core *core, uint32_t account, uint64_t ref) {
    uint64_t x = digest_mix((ref >> 3) + core->limits.hash_seed) ^ (uint64_t)account * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(digest_mix(x) >> 16) << 3 | (uint32_t)(ref & 7);
}
static inline uint32_t table_home(const struct table *t, uint32_t tag) {
    return ((tag >> 3) * UINT32_C(0x9E3779B1) >> t->shift) << 3 | (tag & 7);
}
static inline uint64_t table_entry(uint32_t tag, uint32_t slot) {
    return (uint64_t)tag << 32 | slot;
}
void table_add_far(struct table *t, uint32_t home, uint64_t entry);
void table_remove_far(struct table *t, uint32_t home, uint64_t entry);
static inline void table_add(struct table *t, uint32_t tag, uint32_t slot) {
    uint32_t home = table_home(t, tag);
    if (LIKELY(t->entries[home] == 0))
        t->entries[home] = table_entry(tag, slot);
    else
        table_add_far(t, home, table_entry(tag, slot));
}
static inline void table_remove(struct table *t, uint32_t tag, uint32_t slot) {
    uint32_t home = table_home(t, tag);
    if (LIKELY(t->entries[home] == table_entry(tag, slot)))
        t->entries[home] = 0;
    else
        table_remove_far(t, home, table_entry(tag, slot));
}
uint32_t id_find_far(const struct exchange_core *core, uint64_t id);
static inline uint32_t id_find(const struct exchange_core *core, uint64_t id) {
    uint64_t entry = core->ids.entries[table_home(&core->ids, id_tag(id))];
    if (LIKELY((uint32_t)(entry >> 32) == id_tag(id) && entry && core->orders[(uint32_t)entry].id == id))
        return (uint32_t)entry;
    return id_find_far(core, id);
}
uint32_t ref_find(const struct exchange_core *core, uint32_t account, uint64_t ref);
uint32_t name_find(const struct exchange_core *core, const char *name);
void name_add(struct exchange_core *core, uint32_t symbol);

/* ---- price index (levels.c) ---- */
uint32_t levels_leaf(struct exchange_core *core, struct side *side, uint64_t leaf_key);
void levels_leaf_emptied(struct exchange_core *core, struct side *side, uint32_t leaf);
/* The next level in the direction of worse prices for that side (bids: down, asks: up); 0 at the end. */
uint32_t levels_worse(const struct exchange_core *core, uint32_t level, unsigned side_number);

static inline uint64_t level_key(int64_t tick, int64_t price) {
    return (uint64_t)((tick == 1 ? price : price / tick) + KEY_BIAS);
}
/* Both sides with one comparison: ~x reverses the order of integers, so no branch has to guess the side. */
static inline bool price_better(unsigned side_number, int64_t a, int64_t b) {
    int64_t flip = -(int64_t)side_number;
    return (a ^ flip) > (b ^ flip);
}
/* Does a taker of side_number with this limit trade at this price of the other side? */
static inline bool price_crosses(unsigned side_number, int64_t limit, int64_t price) {
    int64_t flip = -(int64_t)side_number;
    return (price ^ flip) <= (limit ^ flip);
}

/* The leaf of the key when it is there and at most one storey down, which is where a lively book has its levels; else
 * 0. */
static inline uint32_t levels_near(const struct exchange_core *core, const struct side *side, uint64_t leaf_key) {
    if (side->cursor && side->cursor_key == leaf_key) return side->cursor;
    if (side->root == 0) return 0;
    const struct node *root = &core->nodes[side->root];
    if (root->storey != 1 || leaf_key >> 6 != side->prefix) return 0;
    return root->mask >> (leaf_key & 63) & 1 ? root->child[leaf_key & 63] : 0;
}

/* The level of that price, made if there is none. Capacity was checked by the caller. */
static inline uint32_t levels_take(
    struct exchange_core *core, struct symbol *symbol, unsigned side_number, int64_t price) {
    struct side *side = &symbol->sides[side_number];
    uint64_t key = level_key(symbol->tick, price);
    uint32_t leaf = levels_near(core, side, key >> 6);
    if (UNLIKELY(leaf == 0)) leaf = levels_leaf(core, side, key >> 6);
    struct node *node = &core->nodes[leaf];
    unsigned bit = (unsigned)(key & 63);
    if (LIKELY(node->mask >> bit & 1)) return node->child[bit];
    uint32_t number = core->level_free;
    struct level *level;
    if (number) {
        level = &core->levels[number];
        core->level_free = level->head;
    } else {
        number = ++core->level_used;
        level = &core->levels[number];
    }
    core->level_open++;
    node->mask |= UINT64_C(1) << bit;
    node->child[bit] = number;
    *level = (struct level){.price = price, .place = leaf << 6 | bit};
    if (side->best == 0 || price_better(side_number, price, core->levels[side->best].price)) side->best = number;
    return number;
}
static inline void levels_give(
    struct exchange_core *core, struct symbol *symbol, unsigned side_number, uint32_t number) {
    struct side *side = &symbol->sides[side_number];
    struct level *level = &core->levels[number];
    if (side->best == number) side->best = levels_worse(core, number, side_number);
    uint32_t leaf = level->place >> 6;
    struct node *node = &core->nodes[leaf];
    node->mask &= ~(UINT64_C(1) << (level->place & 63));
    level->head = core->level_free;
    core->level_free = number;
    core->level_open--;
    if (UNLIKELY(node->mask == 0)) levels_leaf_emptied(core, side, leaf);
}

/* ---- book (book.c, book.h) ---- */
/* Room for one more level, whatever its price. */
static inline bool book_has_level(const struct exchange_core *core) {
    return core->level_open < core->limits.levels_max && core->node_open + NODES_PER_INSERT <= core->limits.nodes_max;
}
void book_publish_state(struct exchange_core *core, struct symbol *symbol);
/* Ends a resting order: event, levels, tables. L1 is the caller's. */
void book_end(struct exchange_core *core, uint32_t slot, uint8_t type, enum exchange_reason reason);

static inline uint32_t book_session(const struct exchange_core *core, uint32_t slot) {
    return core->orders[slot].flags & ORDER_COLD ? core->cold[slot].session : 0;
}
static inline struct symbol *core_symbol(const struct exchange_core *core, uint32_t number) {
    return number - 1 < core->counters.symbols ? &core->symbols[number] : NULL;
}

/* ---- matching (matching.c) ---- */
struct taker {
    uint64_t id, client_ref, leaves, executed;
    int64_t limit; /* trades no worse than this */
    int64_t price; /* as events show it: 0 for a market order */
    uint32_t account, session, symbol;
    uint8_t side, stp;
    bool expiring; /* good-till-date orders past their time may still stand in the books */
};
void matching_run(struct exchange_core *core, struct symbol *symbol, struct taker *taker);
/* Could it be filled entirely, and within the work one command may do? */
bool matching_fillable(const struct exchange_core *core, const struct symbol *symbol, const struct taker *taker);

/* ---- expiry (expiry.c) ---- */
void expiry_add(struct exchange_core *core, uint32_t slot);
void expiry_remove(struct exchange_core *core, uint32_t slot);
void expiry_run(struct exchange_core *core, uint64_t now);

static inline bool expiry_due(const struct exchange_core *core) {
    return UNLIKELY(core->heap_count != 0) && core->cold[core->heap[1]].expire_ns <= core->now;
}

/* ---- command handlers ---- */
void core_reject(struct exchange_core *core, const struct exchange_command *command, enum exchange_reason reason);
void orders_new(struct exchange_core *core, const struct exchange_command *command);
void orders_cancel(struct exchange_core *core, const struct exchange_command *command);
void orders_reduce(struct exchange_core *core, const struct exchange_command *command);
void orders_replace(struct exchange_core *core, const struct exchange_command *command);
void mass_cancel(struct exchange_core *core, const struct exchange_command *command);
void mass_end_of_day(struct exchange_core *core, const struct exchange_command *command);
void mass_account(struct exchange_core *core, uint32_t account, uint32_t session, enum exchange_reason reason);
void mass_continue(struct exchange_core *core);
void mass_moved(struct exchange_core *core, uint32_t slot, uint32_t next); /* slot is leaving its account's list */
/* May this account's session send this reference? Notes it as used. */
enum exchange_reason sessions_check(struct exchange_core *core, uint32_t number, uint32_t account, uint64_t client_ref);
void sessions_connect(struct exchange_core *core, const struct exchange_command *command);
void sessions_disconnect(struct exchange_core *core, const struct exchange_command *command);
void accounts_suspend(struct exchange_core *core, const struct exchange_command *command);
void accounts_reinstate(struct exchange_core *core, const struct exchange_command *command);
void symbols_define(struct exchange_core *core, const struct exchange_terms *terms);
void symbols_alter(struct exchange_core *core, const struct exchange_terms *terms);
void symbols_halt(struct exchange_core *core, const struct exchange_command *command);
void symbols_resume(struct exchange_core *core, const struct exchange_command *command);
enum exchange_reason symbols_check(const struct exchange_terms *terms);
void symbols_set(struct symbol *symbol, const struct exchange_terms *terms);
uint64_t symbols_digest(const struct symbol *symbol);
uint64_t accounts_digest(const struct exchange_core *core, uint32_t account);
uint64_t sessions_digest(const struct exchange_core *core, uint32_t session);
#endif
