/* projection/agent.h: the projections of a running node: one thread that follows topics and writes rows, and what is
 * known of it.
 *
 * No lane ever waits for it: it reads the log as any reader does, and what a database does holds up projections only.
 * A library of a database is loaded when the first projection runs; a node without one has neither thread nor library.
 *
 *   projection_agent_open()   after the host has opened, before the log starts: retention must know of it. CONFIG: a
 *                             setting is wrong
 *   projection_agent_start()  begins once all outputs may be read (host_ready)
 *   projection_agent_stop()   between two transactions, or in the midst of one, which the database then takes back
 *
 * Threads: open, start, stop, close: one. The rest: any.
 */
#ifndef WEIR_PROJECTION_AGENT_H
#define WEIR_PROJECTION_AGENT_H
#include "base/metric.h"
#include "host/host.h"
#include "projection/address.h"
#include "projection/follower.h"
#include "projection/reader.h"

struct projection_agent;
struct projection_options {
    struct sys *sys;
    struct log *log;
    struct host *host;
    const struct settings *settings;
    const char *owner;                                            /* how another node's operator recognises this one */
    struct metric_registry *metrics;                              /* NULL: none */
    void (*report)(void *ctx, bool failed, const char *sentence); /* the agent's thread */
    void *report_ctx;
};
/* *ret_agent NULL with OK: no projection runs. */
WEIR_MUST enum weir_error projection_agent_open(
    const struct projection_options *options, struct projection_agent **ret_agent);
WEIR_MUST enum weir_error projection_agent_start(struct projection_agent *agent); /* NULL: nothing, as below */
void projection_agent_stop(struct projection_agent *agent);
void projection_agent_close(struct projection_agent *agent);
/* Whether the settings can be: the URL, the names in projection.run. CONFIG. */
WEIR_MUST enum weir_error projection_check(const struct settings *settings, const struct weir_service *const *services);

/* ---- facts ---- */
struct projection_position {
    uint32_t partition;
    uint64_t start, next, high; /* of the log; next: the first record whose rows are not there yet */
};
struct projection_facts {
    char name[FOLLOWER_NAME_MAX];
    const char *summary, *topic, *database;
    char where[ADDRESS_MAX]; /* file or URL, without its password */
    const char *state;       /* follower_state_name */
    char error[512];
    uint64_t epoch, lag, records, rows, errors, gap_records, expired_rows;
    uint64_t last_record_ms; /* time of the last record whose rows are there; 0: none in this life */
    uint64_t rebuilds;       /* asked ones up to this number have been done or have failed */
    char rebuild_error[512]; /* of the last one; "": it was done */
    uint32_t position_count;
};
uint32_t projection_count(const struct projection_agent *agent); /* those that run */
void projection_facts(const struct projection_agent *agent, uint32_t i, struct projection_facts *ret_facts);
void projection_position(
    const struct projection_agent *agent, uint32_t i, uint32_t partition, struct projection_position *ret_position);
/* Index of the one that runs under SERVICE.NAME, -1: none. */
int projection_find(const struct projection_agent *agent, struct weir_slice name);
/* Makes all its rows again. The number by which facts tell that it was done: rebuilds >= number. */
uint64_t projection_rebuild(struct projection_agent *agent, uint32_t i);

/* ---- questions about rows, from a lane ---- */
bool projection_has_records(
    const struct projection_agent *agent, uint32_t i); /* if not, there are no rows, and no tables */
/* As reader_ask: the answer comes by projection_answers, in a cycle of the lane for which its poller is woken. */
WEIR_MUST enum weir_error projection_ask(struct projection_agent *agent, uint32_t lane, int wake_poller, uint32_t i,
    const struct search *search, struct host_origin origin);
void projection_answers(struct projection_agent *agent, uint32_t lane,
    void (*deliver)(void *ctx, const struct host_delivery *delivery), void *ctx); /* NULL: nothing */

#endif
