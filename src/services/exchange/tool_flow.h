/* exchange/tool_flow.h: recorded order streams for the tools: the file into memory, records into commands, an engine to
 * run them. Owner: one thread. Allocates; runs outside any node. */
#ifndef WEIR_EXCHANGE_TOOL_FLOW_H
#define WEIR_EXCHANGE_TOOL_FLOW_H
#include "exchange/core.h"
#include "wire/orderflow.h"
#include <weir/error.h>
#include <weir/slice.h>

struct flow {
    struct weir_orderflow_record *records;
    size_t count;
    uint32_t symbols, orders,
        open_max; /* symbols used (largest number + 1), orders entered, an upper bound of those open at once */
    bool dense;   /* ids are 1, 2, 3 ... in the order of entry: equal to the engine's own */
};

/* The whole file, decompressed when its name ends in .zst; at most 16 GB. Free data with free(). */
WEIR_MUST enum weir_error flow_read_file(const char *path, struct weir_slice *ret_bytes);
WEIR_MUST enum weir_error flow_load(const char *path, struct flow *ret_flow);
void flow_done(struct flow *flow);

/* Address space for an engine of these limits, its symbols "S0", "S1" ... with tick 1 and lot 1 defined. */
WEIR_MUST enum weir_error flow_engine_open(
    const struct exchange_limits *limits, uint32_t symbols, struct exchange_core **ret_core);
void flow_engine_define(struct exchange_core *core, uint32_t symbols);
void flow_engine_close(struct exchange_core *core, const struct exchange_limits *limits);

/* A record as a command. By reference: the stream's id is the client's; else it is the engine's own. */
static inline void flow_command(const struct weir_orderflow_record *r, bool by_ref, struct exchange_command *ret) {
    ret->side = r->side;
    ret->tif = EXCHANGE_TIF_GTC;
    ret->stp = EXCHANGE_STP_NONE;
    ret->flags = 0;
    ret->reserved = 0;
    ret->symbol = (uint32_t)r->symbol + 1;
    ret->account = 1 + (uint32_t)(r->order_id & 1023);
    ret->session = ret->reserved2 = 0;
    ret->order_id = r->order_id;
    ret->client_ref = 0;
    ret->price = r->price;
    ret->quantity = 0;
    ret->expire_ns = 0;
    switch (r->op) {
    case WEIR_ORDERFLOW_CANCEL:
        ret->type = EXCHANGE_COMMAND_CANCEL;
        ret->flags = by_ref ? EXCHANGE_FLAG_BY_REF : 0;
        break;
    case WEIR_ORDERFLOW_MOVE:
        ret->type = EXCHANGE_COMMAND_REPLACE;
        ret->flags = EXCHANGE_FLAG_REQUEUE | (by_ref ? EXCHANGE_FLAG_BY_REF : 0);
        break;
    default:
        ret->type = EXCHANGE_COMMAND_NEW;
        ret->order_id = 0;
        ret->tif = r->op == WEIR_ORDERFLOW_IOC ? EXCHANGE_TIF_IOC : EXCHANGE_TIF_GTC;
        ret->client_ref = by_ref ? r->order_id : 0;
        ret->quantity = r->quantity;
        break;
    }
}

/* The core alone over a stream: what `weir exchange match` does and prints. */
struct match_options {
    const char *file, *trades; /* trades: NULL or the file with the expected ones */
    uint64_t repeat;           /* timed passes */
    bool by_ref;               /* name orders by client reference even where the stream's ids are the engine's */
};
struct match_result {
    uint64_t ops, trades, volume, open, rejected, hash, digest, events;
    double cpu_best, cpu_median, wall_best; /* operations per second */
    double p50, p99, p999;                  /* ns */
    uint64_t mismatches;
};
WEIR_MUST enum weir_error match_run(const struct match_options *options, struct match_result *ret_result);

int tool_match(int argc, char **argv);
#endif
