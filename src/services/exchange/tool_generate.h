/* exchange/tool_generate.h: a made-up order flow with the habits of a real one: most orders rest near a price that
 * wanders, many are canceled or moved before they trade, some take what is there. The same seed gives the same flow.
 *
 * It does not look at what became of its orders: cancels of orders that have traded are part of life.
 * Owner: one thread. All memory at init.
 */
#ifndef WEIR_EXCHANGE_TOOL_GENERATE_H
#define WEIR_EXCHANGE_TOOL_GENERATE_H
#include "base/prng.h"
#include "wire/orderflow.h"
#include <stdbool.h>

#define GENERATE_OPEN_MAX 4096u /* orders it remembers; beyond, it cancels before it enters */

struct generate_order {
    uint64_t id;
    int64_t price;
    uint32_t quantity;
    uint32_t ref; /* the caller's */
    uint16_t symbol;
    uint8_t side;
};
struct generate {
    struct prng random;
    uint64_t next_id, time_ns;
    uint32_t symbol_count, order_count;
    int64_t *middles; /* per symbol */
    struct generate_order *orders;
};
struct generate_step {
    struct weir_orderflow_record record; /* symbol: 0 .. symbol_count - 1; move: quantity is the original one */
    uint32_t ref;                        /* of the order canceled or moved, as the caller left it */
    uint32_t *ret_ref; /* where the caller leaves the reference of what it entered or moved; or NULL */
};

WEIR_MUST enum weir_error generate_init(struct generate *generate, uint64_t seed, uint32_t symbol_count);
void generate_done(struct generate *generate);
void generate_next(struct generate *generate, struct generate_step *ret_step);
/* `count` records into a file, without cancels and moves of what has traded. */
WEIR_MUST enum weir_error generate_file(const char *path, uint64_t seed, uint32_t symbol_count, uint64_t count);
#endif
