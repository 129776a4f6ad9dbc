/* projection/follower.h: one projection at work: records of its topic become rows, transaction by transaction.
 *
 *   STARTING   the database was not reached yet in this life
 *   RUNNING    it takes rows
 *   RETRYING   something failed; tried again at longer and longer intervals, from what the database has
 *   REFUSED    the database does not belong to this log, or a newer weir wrote it: somebody has to decide. Looked at
 *              again now and then
 *   FENCED     another node took the projection: final for this life
 *
 * A transaction has the rows of whole records and the offsets behind them. After any failure the follower asks the
 * database where it stands: so it needs not know what became of a transaction.
 *
 * Retention of the topic waits for what is not yet safely in the database, up to projection.hold bytes; beyond that it
 * goes on, and what was lost is counted (gap_records) and said.
 *
 * Owner: the agent's thread. Memory: sized at open.
 */
#ifndef WEIR_PROJECTION_FOLLOWER_H
#define WEIR_PROJECTION_FOLLOWER_H
#include "base/metric.h"
#include "projection/expiry.h"
#include "projection/ledger.h"
#include "projection/merge.h"
#include "projection/source.h"
#include "projection/statement.h"
#include <weir/projection.h>

#define FOLLOWER_NAME_MAX    80 /* "exchange.history" */
#define FOLLOWER_RECORDS_MAX 8192u

enum follower_state {
    FOLLOWER_STARTING,
    FOLLOWER_RUNNING,
    FOLLOWER_RETRYING,
    FOLLOWER_REFUSED,
    FOLLOWER_FENCED,
};
const char *follower_state_name(enum follower_state state); /* "starting", ... */

struct follower_part {
    struct log_partition *partition;
    uint64_t stored, stored_hash; /* what the database has */
    uint64_t settled;             /* of it, what survives a loss of power there */
    uint64_t next, hash;          /* with the transaction under way */
    uint64_t gap;                 /* records that retention took before they were read; counted with the transaction */
    uint64_t time_ns;             /* of the last record read */
    /* Its next record is one whose row the database refuses: the others go on, and it is tried alone. 0: it is not so.
     */
    uint64_t refused_retry_ns, refused_due_ns;
    struct metric_counter offset, lag, time_s;
};
struct follower_metrics {
    struct metric_counter records, rows, transactions, errors, gap_records, expired_rows;
    struct metric_counter up, epoch;
    struct metric_histogram transaction_ns;
};
struct follower {
    const struct weir_service *service;
    const struct weir_projection *projection;
    char name[FOLLOWER_NAME_MAX], owner[128];
    struct sys *sys;
    struct source *source;
    const struct database_kind *kind;
    struct database_options options;
    uint64_t hold_bytes, keep_ms;
    void (*report)(void *ctx, bool failed, const char *sentence);
    void *report_ctx;
    /* The rest is the follower's own. */
    struct database *database;
    struct ledger ledger;
    struct statements statements;
    struct expiry expiry;
    struct weir_rows rows;
    struct merge merge;
    struct follower_part *parts;
    uint32_t part_count, first_part; /* first_part: whose turn it is */
    enum follower_state state;
    bool taken;           /* in this life: later connections keep the epoch */
    bool unsettled;       /* something was committed since the last settle */
    enum weir_error told; /* the failure that was reported; OK: none */
    uint32_t records, records_max;
    uint64_t retry_ns, due_ns, settle_ns; /* mono time */
    char error[512];                      /* the last one; "" once it is over */
    struct follower_metrics metrics;
};

/* The options stand; the rest is zero. */
WEIR_MUST enum weir_error follower_open(struct follower *follower, struct log_topic *topic);
void follower_close(struct follower *follower); /* accepts a zeroed one */
/* Does what there is to do; returns how much that was. */
uint32_t follower_work(struct follower *follower);
/* All rows again, from the topic's first record. */
WEIR_MUST enum weir_error follower_rebuild(struct follower *follower);
/* Until the topic has its first record no database is opened. Any thread. */
bool follower_has_records(const struct follower *follower);
uint64_t follower_lag(const struct follower *follower); /* records */

#endif
