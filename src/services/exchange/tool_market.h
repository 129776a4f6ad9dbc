/* exchange/tool_market.h: what a replay needs of a node over HTTP: its symbols before, its public market data after.
 *
 * market_l2_check() reads the topic exchange.l2 back and applies its increments: the book they make must pass through
 * every book the answers made, in order, however the two are interleaved. Then it must be equal to what
 * GET /v1/exchange/book shows.
 * Owner: one thread. Allocates.
 */
#ifndef WEIR_EXCHANGE_TOOL_MARKET_H
#define WEIR_EXCHANGE_TOOL_MARKET_H
#include "exchange/tool_check.h"
#include "exchange/tool_http.h"

#define MARKET_PARTITIONS_MAX CHECK_SESSIONS_MAX

struct market_symbol {
    char name[16];
    uint32_t partition, number; /* as the node numbers it there */
};
struct market {
    struct tool_http http;
    struct market_symbol *symbols;
    uint32_t symbol_count, partition_count; /* partitions: of the symbols in use, highest + 1 */
    uint64_t l2_start[MARKET_PARTITIONS_MAX];
    uint64_t l2_increments;
};

/* node: HOST:PORT of its HTTP. */
WEIR_MUST enum weir_error market_open(struct market *market, const char *node);
void market_done(struct market *market);
/* HOST:PORT of a listener, as the node tells it. */
WEIR_MUST enum weir_error market_listener(struct market *market, const char *name, char ret_address[80]);
/* Defines name (count 1) or name0, name1 ... with tick and lot 1; those that exist are taken as they are. */
WEIR_MUST enum weir_error market_define(struct market *market, const char *name, uint32_t count);
/* Every symbol's book must be empty; remembers where exchange.l2 ends. */
WEIR_MUST enum weir_error market_begin(struct market *market);
WEIR_MUST enum weir_error market_l2_check(struct market *market, struct check *check);
#endif
