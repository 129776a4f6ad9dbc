/* host/effects.h: a partition's outstanding effects, part of its fold: what weir_effect() asked for until its final
 * result, and dead letters that can be requeued.
 *
 *     asked -> WAITING -- gates --> RUNNING -- result --> gone, or DEAD
 *                 ^                  | failed, attempts left
 *                 +---- RESTING <----+
 *
 * An effect is named by the offset of the record whose apply asked for it and its index there: id = offset << 16 |
 * index, so ids rise. Waiting ones stand in a queue for each row, priority and key; queues that may have a start stand
 * in a ring per row and priority, and get one start a turn. A queue whose key's gate says no leaves the ring until a
 * time (timers) or until one of that key has ended. Which effect starts depends on the calls alone, not on where things
 * lie in memory: a fold that was loaded goes on as the one that was saved.
 *
 * `starting` lists those RUNNING that nobody has dispatched in this life, in the order of their starts: the live
 * partition takes them from it (dispatch.h); shadows and replays never look. Owner: the fold's thread. Memory: mapped
 * at open, touched as used.
 */
#ifndef WEIR_HOST_EFFECTS_H
#define WEIR_HOST_EFFECTS_H
#include "base/hash.h"
#include "base/map.h"
#include "base/pool.h"
#include "host/stream.h"
#include "host/timers.h"
#include "wire/effect.h"

#define EFFECT_ROWS_MAX   16u
#define EFFECT_AT_ONCE    16u /* a row's default: at once */
#define EFFECT_INDEX_BITS 16u

enum effect_state { EFFECT_WAITING, EFFECT_RUNNING, EFFECT_RESTING, EFFECT_DEAD };
struct effect { /* its request follows */
    uint64_t id, key, tag, created_ns;
    uint64_t at_ns;      /* RUNNING: begun; RESTING: due; DEAD: since; else asked for, or since when it waits again */
    uint64_t timeout_ns; /* as asked for; 0: the gates' */
    uint64_t limit_ns;   /* of the attempt that runs */
    uint64_t start;      /* its number, while RUNNING */
    struct weir_backoff_policy backoff;
    uint32_t attempt, attempts_max; /* the last one begun; of a round */
    uint32_t round_from;            /* attempts before this round: a requeue begins another */
    uint32_t row_ticket, key_ticket;
    uint32_t request_size, attempt_count;
    uint32_t next, previous, queue;
    uint16_t status; /* of the last attempt, with class_ and text */
    uint8_t row, state, priority, class_, text_size;
    bool passed_key; /* RUNNING: a gate of its key has been passed */
    bool listed;     /* RUNNING: in `starting` */
    char text[EFFECT_TEXT_MAX];
    struct weir_attempt attempts[WEIR_EFFECT_ATTEMPTS_MAX]; /* the newest ones, oldest first */
};
struct effect_list {
    uint32_t first, last, count; /* POOL_NONE: none */
};
enum effect_queue_state { EFFECT_QUEUE_RING, EFFECT_QUEUE_TIMED, EFFECT_QUEUE_BUSY };
struct effect_queue {
    struct effect_list waiting;
    uint64_t key, again_ns;
    uint32_t next, previous; /* in the ring */
    uint8_t row, priority, state;
};
struct effect_row {
    const struct weir_effect_row *row;
    struct weir_gate gate;
    struct weir_gates *keys;
    uint32_t keys_max;
    struct map32 by_key[WEIR_EFFECT_PRIORITIES]; /* -> queue */
    struct effect_list ring[WEIR_EFFECT_PRIORITIES];
    struct effect_list dead;
    uint32_t waiting, resting; /* beside gate.running */
    uint32_t outstanding_max, dead_max;
    int32_t running_setting, per_second_setting, attempts_setting; /* rows of the settings; -1: none */
    bool paused, has_key_gate;
    uint64_t attempts, failures, dead_total; /* since the first record */
};
struct effects {
    const struct weir_service *service;
    uint32_t row_count, partition, dead_topic;
    size_t request_room;
    struct effect_row rows[EFFECT_ROWS_MAX];
    struct pool effects, queues;
    struct map32 by_id;
    struct timers timers; /* by id: RESTING, and the first of a queue that waits for a time */
    struct effect_list starting;
    uint64_t starts; /* number of the newest start */
    void *memory;
    size_t memory_size;
};

static inline uint64_t effect_offset(uint64_t id) {
    return id >> EFFECT_INDEX_BITS;
}
static inline uint32_t effect_index(uint64_t id) {
    return (uint32_t)(id & ((1u << EFFECT_INDEX_BITS) - 1));
}
/* A service without .effects: everything stays zero. */
WEIR_MUST enum weir_error effects_open(struct effects *effects, const struct weir_service *service, uint32_t partition);
void effects_done(struct effects *effects); /* accepts zeroed */
static inline struct effect *effects_at(const struct effects *effects, uint32_t index) {
    return pool_at(&effects->effects, index);
}
static inline uint8_t *effect_request(struct effect *effect) {
    return (uint8_t *)(effect + 1);
}
struct effect *effects_find(const struct effects *effects, uint64_t id); /* NULL: there is none */
uint32_t effects_outstanding(const struct effect_row *row);
/* NULL: no room. */
struct effect *effects_add(struct effects *effects, uint32_t row, const struct weir_effect_options *options,
    uint64_t id, uint64_t now_ns, size_t size);

/* What a result did. */
enum effect_ended { EFFECT_STALE, EFFECT_GOES_ON, EFFECT_DONE, EFFECT_GAVE_UP };
/* The attempt's result, at record time now_ns. DONE: the effect is gone when effects_forget() is called, which the
 * caller does next. GAVE_UP: it is DEAD and on its row's list. */
enum effect_ended effects_end(struct effects *effects, struct effect *effect, uint32_t attempt,
    const struct effect_answer *answer, const struct weir_setting_value *values, uint64_t now_ns);
void effects_forget(struct effects *effects, struct effect *effect);
/* Orders of an operator's. */
#define EFFECT_ALL UINT64_MAX /* in an order, instead of an id: all dead ones of the row */
enum effect_order { EFFECT_ORDER_REQUEUE = 1, EFFECT_ORDER_DROP, EFFECT_ORDER_PAUSE, EFFECT_ORDER_RESUME };
/* A dead one waits again, with attempts anew. False: outstanding_max are outstanding. */
bool effects_requeue(struct effects *effects, struct effect *effect, uint64_t now_ns);
/* Takes a WAITING, RUNNING or RESTING one out of everything, so that it can be forgotten. */
void effects_drop(
    struct effects *effects, struct effect *effect, const struct weir_setting_value *values, uint64_t now_ns);

/* ---- effects_turn.c: who starts ---- */
/* Timers that are due, then as many starts as gates let through. Each start goes into the digest. values: the settings
 * in force. */
void effects_turn(
    struct effects *effects, const struct weir_setting_value *values, uint64_t now_ns, struct digest *digest);
/* Record time at which a turn can do something without a result having come; UINT64_MAX: never. */
uint64_t effects_next_ns(const struct effects *effects, const struct weir_setting_value *values, uint64_t now_ns);
void effects_limits(
    const struct effect_row *row, const struct weir_setting_value *values, struct weir_gate_limits *ret_limits);
void effects_enqueue(struct effects *effects, struct effect *effect); /* WAITING */
void effects_dequeue(struct effects *effects, struct effect *effect);
/* Of a snapshot: a queue that was just made, to where it was. */
void effects_place_queue(struct effects *effects, uint32_t queue, enum effect_queue_state state, uint64_t again_ns);
void effects_free_key(struct effects *effects, struct effect_row *row, uint64_t key); /* one of it has ended */
/* Taken from `starting` by who dispatches it. */
void effects_take_start(struct effects *effects, struct effect *effect);

/* ---- effects_save.c: in snapshots, see snapshot.h ---- */
WEIR_MUST enum weir_error effects_save(const struct effects *effects, struct weir_sink *sink);
WEIR_MUST enum weir_error effects_load(struct effects *effects, struct byte_reader *reader);

/* ---- lists ---- */
void effect_list_init(struct effect_list *list);
void effect_list_push(struct effects *effects, struct effect_list *list, struct effect *effect);
/* Behind `before`; NULL: at the front. */
void effect_list_insert(
    struct effects *effects, struct effect_list *list, struct effect *before, struct effect *effect);
void effect_list_remove(struct effects *effects, struct effect_list *list, struct effect *effect);
#endif
