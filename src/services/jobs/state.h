/* jobs/state.h: all that the fold of one partition remembers, in the memory given at open.
 *
 * A job is in one place for what it waits for (`next`, `previous`: the ready jobs of a flow, the leases of a worker,
 * the dead) and at most in one for when (`time`: run, retry, end of lease or of expiry). Everything is named by u32
 * index; nothing holds a pointer, so a snapshot is the used part of each table as it lies there, and only the look-up
 * tables are made again. What is not of the state, the pointers to the tables, is struct jobs, which open makes.
 *
 * Owner: the fold's thread. Allocation: none after open; what is full is a reason by which a command is refused.
 */
#ifndef WEIR_JOBS_STATE_H
#define WEIR_JOBS_STATE_H
#include "jobs/blob.h"
#include "jobs/command.h"
#include "jobs/index.h"
#include "jobs/wheel.h"

#include <weir/gate.h>

#define JOBS_NONE UINT32_MAX

/* Settings, in the order of the table. */
enum jobs_setting {
    JOBS_SET_PARTITIONS,
    JOBS_SET_JOBS_MAX,
    JOBS_SET_PAYLOAD_MEMORY,
    JOBS_SET_PAYLOAD_BYTES_MAX,
    JOBS_SET_QUEUES_MAX,
    JOBS_SET_TYPES_MAX,
    JOBS_SET_TENANTS_MAX,
    JOBS_SET_WORKERS_MAX,
    JOBS_SET_WAITERS_MAX,
    JOBS_SET_UNIQUES_MAX,
    JOBS_SET_SCHEDULES_MAX,
    JOBS_SET_DEAD_MAX,
    JOBS_SET_DEAD_AGE,
    JOBS_SET_ATTEMPTS_MAX,
    JOBS_SET_LEASE,
    JOBS_SET_BACKOFF,
    JOBS_SET_BACKOFF_MAX,
    JOBS_SET_WORKER_TIMEOUT,
    JOBS_SET_WORKER_GRACE,
    JOBS_SET_FAKTORY,
    JOBS_SET_FAKTORY_PASSWORD,
    JOBS_SET_FAKTORY_FLUSH,
    JOBS_SET_WIRE,
    JOBS_SET_HISTORY_KEEP,
    JOBS_SET_DESTINATIONS_MAX,
    JOBS_SET_WEBHOOKS,
    JOBS_SET_WEBHOOKS_EACH,
    JOBS_SET_WEBHOOK_TIMEOUT,
    JOBS_SET_WEBHOOK_SECRET,
    JOBS_SET_BREAKER_CALLS,
    JOBS_SET_BREAKER_OPEN,
    JOBS_SET_BATCHES_MAX,
    JOBS_SET_COUNT
};

/* ---- a job ---- */
#define JOB_TEXT      JOBS_NEW_TEXT
#define JOB_NO_DEAD   JOBS_NEW_NO_DEAD
#define JOB_FAKTORY   JOBS_NEW_FAKTORY
#define JOB_TIMED_OUT 0x10u /* its last attempt ended by the lease's end */
struct job {
    uint64_t id; /* 0: the place is free, and `next` is the next free one */
    struct wheel_node time;
    uint64_t pushed_ns, since_ns /* in this state */, expires_ns /* 0: never */;
    uint32_t next, previous; /* in the list of its state */
    uint32_t flow;           /* READY */
    uint32_t worker;         /* RUNNING; JOBS_NONE: nameless */
    uint32_t bytes;          /* blob: jid, unique, tags, payload, then */
    uint32_t attempts;       /* blob of the newest failed attempt, from which the older ones follow */
    uint32_t unique;         /* its entry while it holds its unique key */
    uint32_t epoch;
    uint32_t lease_ms, backoff_ms, backoff_max_ms;
    uint32_t payload_size, then_size;
    uint32_t batch; /* JOBS_NONE: none */
    uint16_t queue, type, tenant, tags_size;
    uint8_t jid_size, unique_size, state, attempt;
    uint8_t attempts_max, priority, backoff, flags;
    uint8_t unique_until, progress;
    uint16_t destination, url_size; /* of its own URL, which is behind the others in `bytes` */
    uint8_t unused[2];
};
WEIR_STATIC_ASSERT(sizeof(struct job) == 136, "what a waiting job costs beside its bytes and its place in the index");

/* A failed attempt, in a blob: then worker, error's class, message. */
struct job_attempt {
    uint64_t started_ns, ended_ns;
    uint32_t older; /* blob */
    uint16_t error_size, message_size;
    uint8_t worker_size, attempt, unused[6];
};

/* ---- names: queues, types, tenants, destinations ---- */
struct jobs_limit {
    uint32_t concurrency, running; /* 0: no limit; jobs that run now */
    uint32_t rate_per_s, burst;    /* 0: no limit */
    uint64_t full_ns;              /* rate: when the bucket is full again (GCRA) */
};
struct jobs_name {
    struct jobs_limit limit;
    uint64_t pushed, done, failed, dead; /* ever */
    uint32_t jobs;                       /* that are of it: it cannot be forgotten while there are any */
    uint32_t unused;
    uint16_t weight; /* 0: 1 */
    uint8_t size;    /* 0: a free place */
    uint8_t is_set;  /* by an order: it is not forgotten */
    char text[JOBS_NAME_MAX];
    uint8_t unused2[4];
};
#define JOBS_PRIORITIES (JOBS_PRIORITY_MAX + 1)
/* Ready jobs without a URL of their own, which go where their queue does; and those with one. */
enum jobs_side { JOBS_SIDE_QUEUE, JOBS_SIDE_OWN, JOBS_SIDES };
struct jobs_flows {
    uint32_t first[JOBS_PRIORITIES], last[JOBS_PRIORITIES]; /* those that have ready jobs; the first one's turn */
    uint32_t used;                                          /* priorities with ready jobs, by bit */
};
struct jobs_queue { /* beside its name, at the same index */
    struct jobs_flows sides[JOBS_SIDES];
    uint32_t waiters, waiters_last; /* fetches that wait: nodes */
    uint32_t states[JOBS_HELD + 1]; /* jobs by state */
    uint32_t dirty_next, hook_next; /* of the lists of those to be served */
    uint32_t url;                   /* blob: where its jobs are sent */
    uint32_t timeout_ms;            /* of an attempt there; 0: the default */
    uint16_t url_size, destination; /* JOBS_NO_DESTINATION: workers fetch them */
    uint8_t paused, is_dirty, is_hook_dirty, unused;
};
/* The ready jobs of one queue, priority, tenant and, with URLs of their own, destination: first in, first out. */
struct jobs_flow {
    uint32_t first, last; /* jobs; first of a free place: the next free one */
    uint32_t next, previous;
    uint32_t count, credit; /* how many more before the next flow's turn */
    uint16_t queue, tenant;
    uint8_t priority, side;
    uint16_t destination;
};

/* ---- who fetches ---- */
struct jobs_node {           /* a waiter in a queue's list */
    uint32_t next, previous; /* nodes: waiter * JOBS_QUEUES_MAX + i */
};
struct jobs_waiter {
    uint64_t ticket; /* 0: free, and `max` is the next free one */
    struct wheel_node time;
    uint32_t max, lease_ms, worker, unused;
    uint16_t queues[JOBS_QUEUES_MAX];
    struct jobs_node nodes[JOBS_QUEUES_MAX];
    uint8_t queue_count, unused2[7];
};
struct jobs_worker {
    struct wheel_node time; /* of the next beat, when it beats */
    uint64_t since_ns, beat_ns, rss_kb;
    uint32_t leases, leases_last, lease_count; /* jobs */
    uint32_t waiters;                          /* fetches of it that wait */
    uint32_t next_free;
    uint32_t connections; /* that said so, in this life of the node */
    uint8_t size, state, beats, is_used, unused2[4];
    char name[JOBS_NAME_MAX];
};

/* ---- jobs that are sent ---- */
#define JOBS_NO_DESTINATION UINT16_MAX
#define JOBS_CALLS_MAX      256u  /* under way at once */
#define JOBS_TYPE_GATES     2048u /* breakers of types at destinations that are remembered */
struct jobs_call {                /* an attempt under way */
    uint64_t tag;                 /* of its effect; 0: free */
    uint64_t job, type_key;
    uint32_t epoch, ticket, type_ticket;
    uint16_t destination, type;
};

/* ---- unique keys ---- */
struct jobs_unique_entry {
    uint64_t job; /* id of who has it, or had it when it is held for a time */
    uint64_t hash;
    struct wheel_node time; /* end of its window */
    uint32_t key;           /* blob: 1 byte of size and the key */
    uint32_t next_free;
    uint8_t until, is_used, unused[6];
};

/* ---- schedules ---- */
struct jobs_schedule {
    struct wheel_node time; /* when it is due next; in no slot: paused, or never again */
    uint64_t every_ns, last_ns, pushed, passed;
    uint64_t next_ns; /* as planned; also while it is paused */
    uint32_t bytes;   /* blob: cron, zone's name, zone, job */
    uint32_t job_size;
    uint32_t next_free;
    uint16_t zone_size;
    uint8_t is_used, paused, catch_up, name_size, cron_size, zone_name_size;
    char name[JOBS_NAME_MAX];
    uint8_t unused[4];
};

/* ---- batches ---- */
struct jobs_batch {
    uint64_t id, created_ns;
    uint64_t ended_ns;               /* 0: not complete yet */
    uint32_t total, pending, failed; /* jobs, and batches in it */
    uint32_t members;                /* jobs that are still here, and batches in it that are not over */
    uint32_t parent;                 /* JOBS_NONE: none */
    uint32_t next;                   /* of those to be settled, of those that are over, or of the free ones */
    uint32_t bytes;                  /* blob: description, success, complete */
    uint32_t success_size, complete_size;
    uint8_t is_used, is_open, is_due, is_complete, is_success, is_over, is_counted /* as failed in its parent */;
    uint8_t description_size;
};

/* ---- all of it ---- */
struct jobs_head { /* the part of the state that is not a table */
    uint64_t sequence, digest, timer_ns;
    uint64_t rate_ns; /* when what a rate held back may go on; UINT64_MAX: nothing is */
    uint64_t states[JOBS_HELD + 1];
    uint64_t pushed, done, failed, dead, cancelled, expired, timed_out, retried, dropped, stale,
        followers_refused;                    /* ever */
    uint32_t jobs_used, jobs_free, job_count; /* high-water mark; free list */
    uint32_t flows_used, flows_free;
    uint32_t waiters_used, waiters_free, waiter_count;
    uint32_t workers_used, workers_free, worker_count;
    uint32_t uniques_used, uniques_free, unique_count;
    uint32_t names_used[JOBS_NAME_KINDS];
    uint32_t dead_first, dead_last;   /* oldest first */
    uint32_t dirty_first;             /* queues whose waiters may be served */
    uint32_t hooks_first, hooks_last; /* queues whose jobs may be sent */
    uint32_t calls;                   /* under way */
    uint32_t destinations_open;       /* whose breaker is not closed */
    uint32_t schedules_used, schedules_free, schedule_count;
    uint32_t started_s; /* Unix time of the newest SETTINGS record */
    uint64_t call_serial;
    struct wheel job_times, waiter_times, worker_times, unique_times, schedule_times;
    uint64_t batch_sequence;
    uint32_t batches_used, batches_free, batch_count;
    uint32_t batches_due, batches_due_last;   /* to be settled */
    uint32_t batches_over, batches_over_last; /* oldest first: they go when their place is needed */
    uint32_t batch_unused;
};
struct jobs_sizes { /* what the tables are laid out for */
    uint32_t jobs, queues, types, tenants, destinations, workers, waiters, uniques, flows, schedules, batches;
    uint64_t payload_bytes;
};
struct jobs {
    struct jobs_head *head;
    struct job *jobs;
    struct jobs_name *names[JOBS_NAME_KINDS];
    struct jobs_queue *queues;
    struct jobs_flow *flows;
    struct jobs_waiter *waiters;
    struct jobs_worker *workers;
    struct jobs_unique_entry *uniques;
    struct jobs_schedule *schedules;
    struct weir_gate *gates; /* of destinations, at their index */
    struct weir_gates *type_gates;
    struct jobs_call *calls;
    struct jobs_batch *batches;
    struct blob blob;
    struct index by_id, by_jid, by_flow, by_unique, by_worker, by_batch, by_name[JOBS_NAME_KINDS];
    struct jobs_sizes sizes;
    uint32_t partition, partition_count;
    struct jobs_defaults {
        uint64_t payload_bytes_max, lease_ms, backoff_ms, backoff_max_ms, worker_timeout_ns, worker_grace_ns, dead_max,
            dead_age_ns;
        uint64_t webhook_timeout_ns, breaker_open_ns;
        uint32_t attempts_max, jobs_max, webhooks, webhooks_each, breaker_calls;
    } in_force;
    uint32_t picked[JOBS_ENTRIES_MAX];   /* scratch of one fetch */
    uint64_t ready_ns[JOBS_ENTRIES_MAX]; /* of each: since when it waited */
    uint8_t *then;                       /* scratch: JOBS_PAYLOAD_MAX bytes */
};

/* One record being applied. */
struct jobs_turn {
    struct jobs *s;
    struct weir_out *out;
    uint64_t now_ns;
    uint32_t leases_left, replies_left; /* what may still be handed out */
    size_t reply_bytes_left;
    bool is_full; /* a reply found no room in what is left */
    bool follows; /* pushes of jobs that follow one that is done */
    bool sent;    /* it has asked for its effect */
};

size_t jobs_state_bytes(const struct weir_setting_value *settings);
WEIR_MUST enum weir_error jobs_open(const struct weir_open *open, void **ret_state);
void jobs_take_settings(struct jobs *s, const struct weir_setting_value *settings);
/* The look-up tables, from what the others hold. */
void jobs_index_all(struct jobs *s);
WEIR_MUST enum weir_error jobs_save(const void *state, struct weir_sink *sink);
WEIR_MUST enum weir_error jobs_load(void *state, struct weir_source *source);
uint64_t jobs_digest(const void *state);
uint64_t jobs_bytes_per_job(
    const struct jobs *s); /* its row, its places in look-up tables, its bytes and what they leave unused */

static inline struct job *jobs_at(const struct jobs *s, uint32_t i) {
    WEIR_DEBUG_ASSERT(i < s->head->jobs_used);
    return &s->jobs[i];
}
static inline uint32_t jobs_index_of(const struct jobs *s, const struct job *job) {
    return (uint32_t)(job - s->jobs);
}
static inline struct wheel_items jobs_times(const struct jobs *s) {
    return (struct wheel_items){&s->head->job_times, (uint8_t *)&s->jobs[0].time, sizeof(struct job)};
}
static inline struct wheel_items jobs_waiter_times(const struct jobs *s) {
    return (struct wheel_items){&s->head->waiter_times, (uint8_t *)&s->waiters[0].time, sizeof(struct jobs_waiter)};
}
static inline struct wheel_items jobs_worker_times(const struct jobs *s) {
    return (struct wheel_items){&s->head->worker_times, (uint8_t *)&s->workers[0].time, sizeof(struct jobs_worker)};
}
static inline struct wheel_items jobs_unique_times(const struct jobs *s) {
    return (struct wheel_items){
        &s->head->unique_times, (uint8_t *)&s->uniques[0].time, sizeof(struct jobs_unique_entry)};
}
static inline struct wheel_items jobs_schedule_times(const struct jobs *s) {
    return (struct wheel_items){
        &s->head->schedule_times, (uint8_t *)&s->schedules[0].time, sizeof(struct jobs_schedule)};
}
#endif
