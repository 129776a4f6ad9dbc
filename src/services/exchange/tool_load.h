/* exchange/tool_load.h: an open-loop load on a node's binary gateway: the order flow of tool_generate.h, sent by the
 * generator of load/run.h, which owns the schedule, the sockets and the figures. Owner: one thread. All memory at open.
 */
#ifndef WEIR_EXCHANGE_TOOL_LOAD_H
#define WEIR_EXCHANGE_TOOL_LOAD_H
#include "exchange/tool_client.h"
#include "exchange/tool_generate.h"
#include "exchange/tool_market.h"
#include "load/run.h"

struct order_load_options {
    const char *node, *ouch, *user, *password, *symbol, *timings, *generate;
    uint64_t rate, seconds, symbols, sessions, seed, count, step_seconds;
    bool json, ramp;
};

struct order_load_session {
    struct tool_client client;
    struct generate generate;
    char (*names)[WEIR_OUCH_SYMBOL_SIZE]; /* by the generator's symbol numbers */
    uint32_t partition;
};
struct order_load_timing {
    uint64_t intended_ns, answered_ns; /* from the start of the run */
};
/* One run at one rate. */
struct order_load_result {
    uint64_t rate, planned, sent, answered, accepted, refused, too_late, executions, outstanding_max, backlog_end;
    double seconds;              /* planned */
    bool held;                   /* everything was sent, and no queue grew */
    uint64_t answered_in_time;   /* before the schedule's end */
    struct load_result measured; /* latency, and how late the program itself was */
};
struct order_load {
    const struct order_load_options *options;
    struct market market;
    struct order_load_session *sessions;
    uint32_t session_count;
    struct order_load_result result;
    struct sys *sys;
    struct order_load_timing *timings;
    size_t timing_count, timing_room;
    char address[80]; /* of the gateway */
    bool link_lost;
    char last_refusal[160];
};

WEIR_MUST enum weir_error order_load_open(struct order_load *load, const struct order_load_options *options);
void order_load_done(struct order_load *load);
/* Runs for `seconds` at `rate`, then waits for what is under way. */
WEIR_MUST enum weir_error order_load_run(struct order_load *load, uint64_t rate, double seconds);
/* The highest rate that holds: steps upwards, halves the gap, and confirms with a whole run, whose result stays. */
WEIR_MUST enum weir_error order_load_ramp(struct order_load *load);
WEIR_MUST enum weir_error order_load_timings_write(const struct order_load *load, const char *path);
#endif
