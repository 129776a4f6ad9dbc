/* weir/gate.h: how much may be asked of something in the world, and how long after a failure it is asked again.
 *
 * A gate stands in front of a destination, a queue, a tenant: at most so many at once, so many a second, none while a
 * circuit breaker is open; and it knows how long an answer takes. A fold keeps gates in its state:
 *
 *     enum weir_gate_answer a = weir_gate_ask(&gate, &limits, record->time_ns, &again_ns);
 *     if (a == WEIR_GATE_GO) job->ticket = weir_gate_begin(&gate, &limits, record->time_ns);
 *     else if (again_ns != WEIR_GATE_NEVER) ...   set a timer; else wait until one of those that run has ended
 *     ...
 *     weir_gate_end(&gate, &limits, record->time_ns, job->ticket, WEIR_GATE_FAILED, duration_ns);
 *
 * State is plain: no pointers, no padding, all zero at first, snapshotted as it lies in memory. It changes by these
 * calls alone, and time is what the caller gives: that of records, never going back. So it is a function of the log.
 * Limits are not part of it and may change between any two calls; a limit that is lowered holds from the next begin on.
 *
 * Breaker. Closed: outcomes of the last window_ns are counted in tenths of it. When there are at least calls_min of
 * them and failed_percent failed, it opens for open_ns. Then, half open, one probe is let through, and after its
 * success up to `probes` at a time until as many have succeeded: closed again, with empty counts. A failed probe opens
 * it again for twice as long, at most open_ns_max. What began before a transition counts for the breaker no more when
 * it ends.
 *
 * Timeout. Smoothed duration of what succeeded plus four times its mean deviation, as TCP's (RFC 6298, section 2),
 * doubled with each timeout since the last success (section 5.5): durations that never end can't be measured. Between
 * timeout_min_ns and timeout_max_ns, and the latter until WEIR_GATE_SAMPLES_MIN have succeeded.
 *
 * Pure; any thread, one at a time for a gate.
 */
#ifndef WEIR_GATE_H
#define WEIR_GATE_H
#include <weir/slice.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_GATE_NEVER       UINT64_MAX
#define WEIR_GATE_SLOTS       10u
#define WEIR_GATE_SAMPLES_MIN 8u

/* Zero: no such limit, except where a default is named. */
struct weir_gate_limits {
    uint32_t running_max;                    /* at once */
    uint32_t per_second, burst;              /* begun; burst 0: what a second gives */
    uint32_t failed_percent;                 /* 1 to 100; 0: no breaker */
    uint32_t calls_min;                      /* 0: 20 */
    uint32_t probes;                         /* after the first one; 0: 5 */
    uint64_t window_ns;                      /* 0: 30 s */
    uint64_t open_ns, open_ns_max;           /* 0: 30 s, 10 min */
    uint64_t timeout_min_ns, timeout_max_ns; /* 0: 1 s, 30 s */
};
/* The breaker of weir's own effects and jobs: 50 % of at least 20 in 30 s. */
#define WEIR_GATE_BREAKER .failed_percent = 50

enum weir_gate_state { WEIR_GATE_CLOSED, WEIR_GATE_OPEN, WEIR_GATE_HALF_OPEN };

struct weir_gate_slot {
    uint32_t calls, failed;
};
struct weir_gate {
    uint64_t full_at_ns;   /* of the rate: when its bucket is full again */
    uint64_t held_till_ns; /* by weir_gate_hold */
    uint64_t open_until_ns, opened_for_ns;
    uint64_t window_at_ns; /* where the newest slot begins */
    uint64_t smoothed_ns, deviation_ns;
    uint64_t used_ns; /* of the last call that changed it */
    uint32_t running, samples;
    uint32_t round;                 /* transitions of the breaker so far */
    uint16_t probing, probed;       /* half open: under way, succeeded */
    uint8_t state, slot, doublings; /* enum weir_gate_state; newest slot; of the timeout */
    uint8_t unused[5];
    struct weir_gate_slot slots[WEIR_GATE_SLOTS];
};

enum weir_gate_answer {
    WEIR_GATE_GO,
    WEIR_GATE_BUSY, /* running_max run, or all probes: when one has ended */
    WEIR_GATE_RATE, /* at *ret_again_ns */
    WEIR_GATE_HELD, /* until *ret_again_ns */
    WEIR_GATE_SHUT, /* the breaker is open until *ret_again_ns */
};
/* Whether one may begin now. Changes nothing, so several gates can be asked before any is passed. ret_again_ns: record
 * time at which it is worth asking again; WEIR_GATE_NEVER with BUSY and GO. */
enum weir_gate_answer weir_gate_ask(
    const struct weir_gate *gate, const struct weir_gate_limits *limits, uint64_t now_ns, uint64_t *ret_again_ns);
/* Passes: weir_gate_ask just said GO at this time (asserted). The ticket belongs to weir_gate_end. */
uint32_t weir_gate_begin(struct weir_gate *gate, const struct weir_gate_limits *limits, uint64_t now_ns);

enum weir_gate_outcome {
    WEIR_GATE_SUCCEEDED,
    WEIR_GATE_FAILED,    /* the destination's fault */
    WEIR_GATE_TIMED_OUT, /* likewise, and the timeout doubles */
    WEIR_GATE_DROPPED,   /* says nothing of the destination: canceled, lost with the process, a request it rightly
                            refused */
};
/* Once for each begin. duration_ns: of SUCCEEDED. */
void weir_gate_end(struct weir_gate *gate, const struct weir_gate_limits *limits, uint64_t now_ns, uint32_t ticket,
    enum weir_gate_outcome outcome, uint64_t duration_ns);

/* None may begin before: the destination has asked for that (429 or 503 with Retry-After). Never shortens a hold. */
void weir_gate_hold(struct weir_gate *gate, uint64_t until_ns);

/* How long an attempt that begins now may take. */
uint64_t weir_gate_timeout(const struct weir_gate *gate, const struct weir_gate_limits *limits);
/* As an observer sees it at now_ns: an open breaker whose time is over is half open. */
enum weir_gate_state weir_gate_state(const struct weir_gate *gate, uint64_t now_ns);
/* Outcomes that the breaker counts at now_ns. */
struct weir_gate_slot weir_gate_counts(
    const struct weir_gate *gate, const struct weir_gate_limits *limits, uint64_t now_ns);

/* ---- a gate for each key (tenant, destination), bounded ---- */
/* Lies in memory of the caller's as one block without pointers, to be saved and loaded as it is. */
struct weir_gates;
size_t weir_gates_bytes(uint32_t capacity); /* capacity: 1 to 2^24 */
/* memory: zeroed, 8-aligned, weir_gates_bytes() long. */
struct weir_gates *weir_gates_init(void *memory, uint32_t capacity);
/* The key's gate, made if need be; then one that nothing runs behind has to go: of some of those the one not used for
 * longest, a closed one first. NULL: something runs behind each of them. Valid until the next take. */
struct weir_gate *weir_gates_take(struct weir_gates *gates, uint64_t key, uint64_t now_ns);
struct weir_gate *weir_gates_find(struct weir_gates *gates, uint64_t key); /* NULL: it has none */
uint32_t weir_gates_count(const struct weir_gates *gates);
/* Each gate in turn; *place is 0 at first. False: that was all. */
bool weir_gates_each(struct weir_gates *gates, uint32_t *place, uint64_t *ret_key, struct weir_gate **ret_gate);
/* Whether bytes that were loaded over a table are one of this capacity. */
bool weir_gates_valid(const struct weir_gates *gates, uint32_t capacity);

/* ---- when to try again ---- */
enum weir_backoff_kind {
    WEIR_BACKOFF_EXPONENTIAL, /* full jitter: anything from 0 to first_ns * 2^(attempt - 1), at most most_ns */
    WEIR_BACKOFF_FIXED,       /* first_ns */
};
struct weir_backoff_policy {
    uint64_t kind;              /* enum weir_backoff_kind */
    uint64_t first_ns, most_ns; /* 0: 1 s, 10 min; most_ns also bounds what a Retry-After may ask for */
};
/* The wait after attempt number `attempt` (from 1) has failed. The same arguments give the same wait: draw the seed
 * from what is in the log (weir_backoff_seed). */
uint64_t weir_backoff(const struct weir_backoff_policy *policy, uint32_t attempt, uint64_t seed);
/* The same when whoever refused said how long (0: it did not): never sooner than that, as far as most_ns allows, and
 * spread over as much again as weir_backoff() would have waited, so that those who were sent away do not return as
 * one. */
uint64_t weir_backoff_after(
    const struct weir_backoff_policy *policy, uint32_t attempt, uint64_t seed, uint64_t retry_after_ns);
/* Of a record (its partition and offset) and a number within it. */
uint64_t weir_backoff_seed(uint32_t partition, uint64_t offset, uint32_t index);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
