/* host/host.h: lanes, the life of services, snapshots, timers, emits, subscriptions: everything between the log and the
 * edge.
 *
 * A lane is one agent (thread) with its own poller. It owns sockets (handled by the edge through struct host_edge),
 * partitions (uid % lanes) and the services' states on them. One cycle of a lane:
 *   1. take durable commits in order: release what they held (replies, answers, records to subscribers, emits), outputs
 * to the store
 *   2. take messages from other lanes' rings (commands, queries, emits, deliveries)
 *   3. poll sockets: the edge decodes and calls host_submit, host_query, host_subscribe
 *   4. fire due timers (as records), close the open commit and submit it if the last one of this lane is durable
 * (natural group commit), then apply its records while the disk works, outputs HELD in the commit
 *   5. edge flushes its sockets
 * A partition whose application lags (start-up replay, no emit credit) applies from the log in slices and joins the
 * live commits when it has caught up; start-up replay, catch-up and a parked partition are one mechanism.
 *
 * Rules: the host chapter of the design. Where each is kept is listed in docs/host.md.
 */
#ifndef WEIR_HOST_HOST_H
#define WEIR_HOST_HOST_H
#include "host/settings.h"
#include "log/log.h"
#include "wire/trace_context.h"
#include <weir/gateway.h>

struct host;
struct effect_executor;
struct host_lane;
struct metric_registry;
struct tracer;
struct trace_lane;
struct shared_pool;

/* Who waits for something: an edge session's slot on a lane. generation guards against a reused slot. */
struct host_origin {
    uint32_t lane, slot, generation;
    uint32_t subscription; /* RECORD and LIVE */
    uint64_t correlation;
};

enum host_delivery_kind {
    HOST_REPLY,  /* a command's reply; error != OK when the host refused it after submission (parked, idempotency
                    conflict) */
    HOST_ANSWER, /* a query's or read's answer */
    HOST_RECORD, /* a subscribed output record */
    HOST_LIVE,   /* a subscription has caught up, or ended with error */
    HOST_DONE,   /* a background operation ended */
};
struct host_delivery {
    enum host_delivery_kind kind;
    struct host_origin origin;
    enum weir_error error;
    uint16_t status;
    const char *text;          /* error context or "" */
    uint64_t offset;           /* REPLY: the command's offset */
    bool repeated;             /* REPLY: from the idempotency table */
    uint16_t service;          /* REPLY: 1 + index of the service that answered a command; 0: a topic, or the host */
    uint32_t partition;        /* REPLY: of that service */
    struct weir_slice value;   /* borrowed: valid during the call */
    struct weir_record record; /* RECORD */
};

/* The edge's side. All called on the lane's thread. */
struct host_edge {
    void *ctx;
    WEIR_MUST enum weir_error (*on_start)(
        void *ctx, struct host_lane *lane); /* before the first cycle, on the starting thread */
    void (*on_event)(void *ctx, struct host_lane *lane, uint64_t token,
        uint32_t bits); /* a socket of the lane's poller; token < 2^63 */
    void (*on_delivery)(void *ctx, struct host_lane *lane, const struct host_delivery *delivery);
    uint64_t (*on_cycle)(void *ctx, struct host_lane *lane,
        uint64_t mono_ns); /* flush; returns the next mono time it must run, or UINT64_MAX */
    void (*on_stop)(void *ctx, struct host_lane *lane); /* last call on the lane's thread */
};

struct host_options {
    const struct weir_service *const *services; /* those that run, NULL-terminated */
    const struct settings *settings;
    uint32_t lanes;
    const char *folder; /* the data folder: snapshots/ and poison notes live below it */
    const struct host_edge *edge;
    struct metric_registry *metrics;
    struct tracer *tracer;    /* NULL: none. Outlives the host */
    struct shared_pool *pool; /* for jobs of lanes (job.h); outlives the host. NULL: none */
    /* A sentence for the operator (a snapshot passed over, a mismatch, a parked partition). Any thread. NULL: none. */
    void (*report)(void *ctx, const char *sentence);
    void *report_ctx;
    /* Who does effects, by enum weir_effect_kind, taken over and stopped with the host; NULL: the host's own, should a
     * service need one. */
    struct effect_executor *executors[3];
};
/* Creates missing topics, opens states, loads the last good snapshots. Refuses with a sentence: VERSION (tail of a fold
 * version this binary can't replay), CORRUPT, NO_MEMORY (budget), CONFIG. */
WEIR_MUST enum weir_error host_open(
    struct sys *sys, struct log *log, const struct host_options *options, struct host **ret_host);
WEIR_MUST enum weir_error host_start(
    struct host *host); /* starts lanes and the background agent; replay runs on the lanes */
bool host_ready(
    const struct host *host); /* any thread: every partition has replayed (or is parked) and its outputs may be read */
/* Whether every lane has come round since the last call. Those that sleep are woken, so that the next call can tell: a
 * lane that does not come round hangs. One thread at a time, after host_start. */
bool host_alive(struct host *host);
/* Whoever waits for a late reply (weir_reply_later) hears CLOSED, and who would begin to wait too: the edge drains. Any
 * thread. */
void host_late_end(struct host *host);
/* Clean stop: no new commands, waits for commits, snapshots every partition that has a tail, stops lanes. Any thread,
 * once. */
void host_stop(struct host *host);
/* The same in two halves, for who has no thread to wait with (the simulator): begin, then until stopped is true let
 * agents run. */
void host_stop_begin(struct host *host);
bool host_stopped(struct host *host);
void host_close(struct host *host); /* accepts NULL */

/* ---- calls of the edge, on a lane's own thread
 * ---------------------------------------------------------------------------------- */
uint32_t host_lane_index(const struct host_lane *lane);
int host_lane_poller(const struct host_lane *lane);
struct host *host_lane_host(const struct host_lane *lane);
uint64_t host_lane_mono_ns(const struct host_lane *lane); /* of this cycle */
void *host_lane_edge(const struct host_lane *lane);       /* the edge's own per-lane pointer */
void host_lane_set_edge(struct host_lane *lane, void *edge);
struct trace_lane *host_lane_trace(const struct host_lane *lane); /* NULL: the node has no tracer */

struct host_idempotency { /* key.size 0: none */
    struct weir_slice principal, route, key;
    uint64_t body_hash[2]; /* of the request as received */
};
struct host_command {
    uint32_t service; /* index in options.services */
    struct weir_command command;
    struct host_idempotency idempotency;
    struct host_origin origin; /* gets HOST_REPLY */
    bool wants_reply;
    struct weir_trace_link trace; /* the request's span, stored with the record; zeros: not traced */
    bool in_order; /* of a session: on its way to another lane it waits for room rather than let others pass it */
};
/* The value of a reply by weir_refuse(): the mark, with which no Protobuf message begins as there is no field 0, and
 * the code, little-endian. */
#define HOST_REFUSAL_MARK  0u
#define HOST_REFUSAL_BYTES 3u
static inline bool host_refusal(struct weir_slice value, uint16_t *ret_code) {
    if (value.size != HOST_REFUSAL_BYTES || value.data[0] != HOST_REFUSAL_MARK) return false;
    *ret_code = (uint16_t)(value.data[1] | value.data[2] << 8);
    return true;
}
/* OK: taken, a HOST_REPLY comes (now or later, even for a duplicate). FULL, PARKED, TOO_LARGE, CLOSED (stopping,
 * replaying): not taken. */
WEIR_MUST enum weir_error host_submit(struct host_lane *lane, const struct host_command *command);

#define HOST_WHO_MAX 40 /* of a principal and of a tenant */
typedef enum weir_error (*host_query_fn)(
    const void *state, const struct weir_request *request, struct weir_answer *answer);
struct host_query {
    uint32_t service, partition;
    host_query_fn query;
    const void *descriptor; /* unpacks `packed` into request->message when not NULL */
    struct weir_slice packed;
    struct host_origin origin; /* gets HOST_ANSWER, after everything it saw is durable */
    /* Who asks, as the query sees it (weir_request): at most HOST_WHO_MAX bytes; NULL: "local" and "". */
    const char *principal, *tenant;
    bool of_fold; /* the host's own: the state is the whole fold */
};
WEIR_MUST enum weir_error host_query(struct host_lane *lane, const struct host_query *query);

struct host_subscription {
    const char *topic; /* any topic */
    uint32_t partition;
    uint64_t key, from;          /* WEIR_KEY_ANY, WEIR_FROM_NOW */
    struct host_query *snapshot; /* NULL: none; see weir/gateway.h */
    struct host_origin origin;
};
WEIR_MUST enum weir_error host_subscribe(struct host_lane *lane, const struct host_subscription *subscription);
void host_unsubscribe(
    struct host_lane *lane, const struct host_origin *origin);              /* that subscription, of that session */
void host_forget(struct host_lane *lane, const struct host_origin *origin); /* everything of that session (it closed) */

/* The topics whose names begin with "weir." are the node's own: made by it, written by nobody else, never deleted. */
#define HOST_NODES_TOPICS "weir."
#define HOST_TOPIC_AUDIT  "weir.audit"
static inline bool host_topic_is_nodes(struct weir_slice name) {
    size_t size = sizeof HOST_NODES_TOPICS - 1;
    return name.size >= size && memcmp(name.data, HOST_NODES_TOPICS, size) == 0;
}
/* One partition, HOST_AUDIT_BYTES of retention, made by host_open. append: as host_append, which refuses the node's
 * topics. */
#define HOST_AUDIT_BYTES (1ull << 30)
WEIR_MUST enum weir_error host_audit_append(struct host_lane *lane, struct weir_slice batch, struct host_origin origin);

/* Plain topics. append: a validated RecordBatch; HOST_REPLY with offset when durable (DUPLICATE is OK with repeated =
 * true). read: batches of any topic, HOST_ANSWER with whole RecordBatches; with wait_ns it waits for data until then
 * (long poll). */
WEIR_MUST enum weir_error host_append(struct host_lane *lane, const char *topic, uint32_t partition,
    struct weir_slice batch, struct host_origin origin, const struct weir_trace_link *trace); /* NULL: not traced */
WEIR_MUST enum weir_error host_read(struct host_lane *lane, const char *topic, uint32_t partition, uint64_t offset,
    uint32_t bytes_max, uint64_t wait_ns, struct host_origin origin);

/* Blocking work off the lanes (create a topic, skip a record, take a snapshot): fn runs on the background agent, its
 * text (at most 4 KB, or JSON) comes back as HOST_DONE. */
typedef enum weir_error (*host_work_fn)(struct host *host, void *arg, char *text, size_t text_size);
WEIR_MUST enum weir_error host_work(
    struct host_lane *lane, host_work_fn fn, const void *arg, size_t arg_size, struct host_origin origin);

/* ---- background operations for host_work
 * ------------------------------------------------------------------------------------------ */
WEIR_MUST enum weir_error host_topic_create(
    struct host *host, const char *name, uint32_t partitions, const struct log_topic_config *config);
WEIR_MUST enum weir_error host_topic_delete(struct host *host, const char *name);
/* As log_topic_alter and log_topic_grow; FORBIDDEN for topics of a service or the node. */
WEIR_MUST enum weir_error host_topic_alter(struct host *host, const char *name, const struct log_topic_config *config);
WEIR_MUST enum weir_error host_topic_grow(struct host *host, const char *name, uint32_t partitions);
WEIR_MUST enum weir_error host_service_skip(
    struct host *host, const char *service, uint32_t partition, uint64_t offset);
WEIR_MUST enum weir_error host_service_snapshot(
    struct host *host, const char *service); /* now; waits until it counts */

/* ---- effects, for operators: effects_show.c ---- */
#define HOST_EFFECTS_ANY UINT32_MAX
#define HOST_EFFECTS_ALL UINT64_MAX
struct host_effects_ask {
    uint64_t id;                /* that one, with its history and request; 0: a list */
    uint64_t after;             /* only those with a larger id */
    uint32_t row, state, limit; /* enum effect_state: waiting, running, resting, dead */
    uint32_t unused;
};
/* HOST_ANSWER: one JSON object. NOT_FOUND. */
WEIR_MUST enum weir_error host_effects_show(struct host_lane *lane, uint32_t service, uint32_t partition,
    const struct host_effects_ask *ask, struct host_origin origin);
struct host_effect_order {
    uint64_t id;         /* of REQUEUE and DROP; HOST_EFFECTS_ALL: every dead one of the row */
    uint32_t order, row; /* enum effect_order: 1 requeue, 2 drop, 3 pause the row, 4 resume it */
};
/* For host_work; AGAIN until the record is durable. NOT_FOUND, CONFLICT: it means nothing now. */
WEIR_MUST enum weir_error host_effect_order(
    struct host *host, const char *service, uint32_t partition, const struct host_effect_order *order);

/* ---- a reload of the configuration, reload.c; one thread at a time ----------------------------------------------- */
/* CONFIG: these settings could not be put in force. */
WEIR_MUST enum weir_error host_reload_check(const struct host *host, const struct settings *next);
/* False: a folded number may not become larger than it was at start, for which the state was laid out. */
bool host_reload_has_room(const struct host *host, const char *service, uint32_t row, uint64_t number);
/* Puts in force what may change in a running host: the pace of snapshots at once, and services' folded settings as a
 * record in each of their partitions. Rows of `next` that may not change must be as they were. `next` stays until a
 * later one is taken, or the host is closed. */
void host_reload(struct host *host, const struct settings *next);
bool host_reload_taken(const struct host *host); /* by every lane */

/* ---- facts for /v1/node, the console and the CLI; any thread
 * ------------------------------------------------------------------------ */
struct host_partition_facts {
    const char *service, *topic;
    uint32_t partition, lane, version;
    uint64_t applied, durable, high,
        snapshot; /* offsets: next to apply, next to be durable, high watermark, last good snapshot */
    uint64_t snapshot_bytes, snapshot_time_ns; /* its file; the time of its last record. 0: there is none */
    uint64_t state_bytes, digest, emission_hash;
    bool replaying, parked;
    uint64_t parked_offset;
    char parked_text[128];
};
uint32_t host_partition_count(const struct host *host);
void host_partition_facts(const struct host *host, uint32_t i, struct host_partition_facts *ret_facts);
struct log *host_log(const struct host *host);
struct sys *host_sys(const struct host *host);
uint32_t host_lane_count(const struct host *host);
uint32_t host_service_count(const struct host *host);
const struct weir_service *host_service_at(const struct host *host, uint32_t i);
const struct weir_setting_value *host_service_settings(const struct host *host, uint32_t i);
uint32_t host_service_partitions(const struct host *host, uint32_t i);

/* ---- offline: the state as of an offset, by replay from the folder (no lane, no lock needed for reading)
 * ----------------------------- */
/* Loads the newest snapshot <= until, applies records below until, writes the dump. Also prints the emission hash and
 * digest. */
WEIR_MUST enum weir_error host_replay(struct sys *sys, const char *folder, const struct weir_service *service,
    uint32_t partition, uint64_t until, enum weir_error (*put)(void *ctx, const void *data, size_t size), void *ctx);
/* The same, and says on its way which records are applied, of those up to `end`. */
struct host_watch {
    void (*at)(void *ctx, uint64_t applied, uint64_t end);
    void *ctx;
};
WEIR_MUST enum weir_error host_replay_watched(struct sys *sys, const char *folder, const struct weir_service *service,
    uint32_t partition, uint64_t until, enum weir_error (*put)(void *ctx, const void *data, size_t size), void *ctx,
    const struct host_watch *watch);
struct host_check {
    uint64_t applied, records, digest; /* next offset at the end; records applied; the state's digest there */
    bool compared;                     /* with a snapshot of the node */
};
/* Whether the partition's snapshot follows from its input: replays from the one before it (or from the beginning) and
 * compares, then applies the rest. MISMATCH, CORRUPT, VERSION; NOT_FOUND: the log has no such partition. */
WEIR_MUST enum weir_error host_replay_check(struct sys *sys, const char *folder, const struct weir_service *service,
    uint32_t partition, struct host_check *ret_check);
/* Where the service's partitions stand in a folder, and which snapshots they have: one JSON object. What no checkpoint
 * covers yet is not seen. NOT_FOUND: the folder has no input of it. */
WEIR_MUST enum weir_error host_inspect(struct sys *sys, const char *folder, const struct weir_service *service,
    enum weir_error (*put)(void *ctx, const void *data, size_t size), void *ctx);

#endif
