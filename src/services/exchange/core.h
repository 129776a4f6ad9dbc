/* exchange/core.h: the deterministic matching engine of one partition.
 *
 * A pure function of its commands: no allocation, no clock, no I/O, no libc beyond mem*. Everything lives in one region
 * of zeroed memory that the caller hands over; pages are touched only as they are needed, so an idle engine costs a few
 * kB. Equal commands at equal times give equal events, byte for byte, also when a save and a load stand in between.
 * Owner: one thread. Limits: struct exchange_limits, all fixed at open. Errors: a command that cannot be obeyed becomes
 * a REJECTED event; nothing a command holds can stop the engine.
 */
#ifndef WEIR_EXCHANGE_CORE_H
#define WEIR_EXCHANGE_CORE_H
#include "exchange/message.h"
#include <stdbool.h>

/* Capacities; 0 takes the default. Memory is reserved for all of them and touched only when used. */
struct exchange_limits {
    uint32_t orders_max;   /* resting orders, 1,000,000; at most 2^26 */
    uint32_t symbols_max;  /* 1,024 */
    uint32_t accounts_max; /* accounts are numbered 1 .. accounts_max; 65,536 */
    uint32_t sessions_max; /* likewise; 4,096 */
    uint32_t levels_max;   /* price levels in use; orders_max */
    uint32_t nodes_max;    /* nodes of the price index, 64 children each; orders_max / 4 + 32 x symbols_max */
    uint32_t open_max;     /* open orders of one account; orders_max */
    uint32_t work_max;     /* resting orders one command may touch; 1,024. See exchange_core_unfinished() */
    uint64_t hash_seed;    /* keys the reference table against chosen collisions; has no influence on any output */
};

/* Most outputs of one command, and the most bytes they have as records. */
#define EXCHANGE_OUTPUTS_MAX(work_max)      (8 * (size_t)(work_max) + 16)
#define EXCHANGE_OUTPUT_BYTES_MAX(work_max) (576 * (size_t)(work_max) + 1024)

struct exchange_core;

/* Bytes of region needed for the limits; 0 when a limit is out of range. */
size_t exchange_core_size(const struct exchange_limits *limits);

/* Builds an empty engine in region (zeroed, aligned to 64, exchange_core_size() bytes). NULL when the limits are out of
 * range. There is nothing to close: the region is the engine. */
struct exchange_core *exchange_core_open(void *region, size_t size, const struct exchange_limits *limits);

/* Back to the empty engine in the same region; costs what was used, not what was reserved. */
void exchange_core_reset(struct exchange_core *core);

/* Applies one record of `exchange.orders`. Its events replace the previous command's; there are at most
 * EXCHANGE_OUTPUTS_MAX of them. */
void exchange_core_apply(struct exchange_core *core, const void *record, size_t size, uint64_t time_ns);
const union exchange_output *exchange_core_outputs(const struct exchange_core *core, size_t *ret_count);

/* Mass work (mass cancel, end of day, disconnect, suspension, many expiries at once) is done work_max orders at a time.
 * While this is true the host must send a TICK soon, which goes on with it; other commands may come in between. An
 * order entered after such a command is never touched by it, and no good-till-date order trades after its time. */
bool exchange_core_unfinished(const struct exchange_core *core);

/* Hints that warm the cache for commands to come: each is announced once, EXCHANGE_AHEAD commands before it is applied,
 * and looked for step by step while others are announced. No effect on state; a wrong hint costs nothing but time.
 * Owner of the hints: the thread that applies; they hold until the core is reset. */
#define EXCHANGE_AHEAD 28
#define EXCHANGE_HINTS 32
struct exchange_hint {
    const uint64_t *entry;
    int64_t price;
    uint32_t tag, symbol, account, slot, leaf, joined, left;
    uint8_t side, bit;
};
struct exchange_hints {
    unsigned next;
    struct exchange_hint ring[EXCHANGE_HINTS];
};
void exchange_core_prefetch_start(const struct exchange_core *core, struct exchange_hints *ret_hints);
void exchange_core_prefetch(
    const struct exchange_core *core, struct exchange_hints *hints, const struct exchange_command *command);

/* When the first good-till-date order expires; UINT64_MAX when there is none. The host wants a tick then. */
uint64_t exchange_core_next_expiry(const struct exchange_core *core);

/* A hash of the state, kept up to date with every change; equal states have equal digests. */
uint64_t exchange_core_digest(const struct exchange_core *core);

/* Snapshot. The bytes are canonical: they depend on the state alone, not on how it came about. */
typedef bool exchange_write_fn(void *context, const void *bytes, size_t size);
typedef bool exchange_read_fn(void *context, void *bytes, size_t size);
bool exchange_core_save(const struct exchange_core *core, exchange_write_fn *write, void *context);
/* Into an empty engine. On failure ret_error is a sentence and the engine must be reset. Limits may be larger or
 * smaller than the saving engine's as long as the content fits. */
bool exchange_core_load(struct exchange_core *core, exchange_read_fn *read, void *context, const char **ret_error);

/* Views for queries, between commands. */
struct exchange_order_view {
    uint64_t id, client_ref, priority, leaves, executed, expire_ns;
    int64_t price;
    uint32_t symbol, account, session;
    uint8_t side, tif, stp, flags;
};
struct exchange_level_view {
    int64_t price;
    uint64_t quantity;
    uint64_t orders;
};
struct exchange_symbol_view {
    struct exchange_terms terms;
    uint8_t state; /* enum exchange_symbol_state */
    uint64_t sequence_l1, sequence_l2, volume,
        trades; /* of the topics; that of exchange.trades is the number of trades */
    int64_t last_price;
    uint64_t last_quantity;
    uint32_t orders;
};
struct exchange_session_view {
    uint32_t account;
    bool connected;
    uint64_t ref_last, events, token;
};
struct exchange_stats {
    uint64_t commands, orders, trades, volume, rejected; /* since the beginning */
    uint32_t open, levels, nodes, symbols;
    size_t bytes_touched_estimate;
};

bool exchange_core_order(const struct exchange_core *core, uint64_t id, struct exchange_order_view *ret_order);
bool exchange_core_order_by_ref(
    const struct exchange_core *core, uint32_t account, uint64_t client_ref, struct exchange_order_view *ret_order);
/* An account's open orders in the order of their ids, starting after the order `after` (0: from the first). */
size_t exchange_core_account_orders(const struct exchange_core *core, uint32_t account, uint64_t after,
    struct exchange_order_view *ret_orders, size_t max);
size_t exchange_core_depth(const struct exchange_core *core, uint32_t symbol, enum exchange_side side,
    struct exchange_level_view *ret_levels, size_t max); /* best first */
bool exchange_core_symbol(const struct exchange_core *core, uint32_t symbol, struct exchange_symbol_view *ret_symbol);
uint32_t exchange_core_sessions_used(const struct exchange_core *core); /* none above it was ever connected */
bool exchange_core_session(
    const struct exchange_core *core, uint32_t session, struct exchange_session_view *ret_session);
uint32_t exchange_core_symbol_find(const struct exchange_core *core, const char name[EXCHANGE_NAME_SIZE]); /* 0: none */
void exchange_core_stats(const struct exchange_core *core, struct exchange_stats *ret_stats);
#endif
