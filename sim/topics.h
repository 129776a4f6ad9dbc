/* sim/topics.h: the parts of the workload "topics": what was asked of plain topics and what became of it.
 *
 * The ledger knows every topic and every record that any client ever sent, and says what may be read where. Its truth:
 *   acknowledged, or seen by any reader   it is at that offset, with those bytes, as long as the topic lives and its
 *                                         retention does not take it
 *   in doubt                              it is there once, or not at all
 *   refused, or never sent                it is not there
 * A topic may be deleted and made again under the same name: each is another incarnation, and no record of one is ever
 * seen in another. What was in doubt when the process died is settled by the next look at the log.
 *
 *   topics_ledger.c    topics and records, the check after a recovery
 *   topics_values.c    what a record holds, as JSON and back
 *   topics_writers.c   plain and idempotent appends, requests that must be refused
 *   topics_producer.c  what an idempotent producer sends next and what it must be told
 *   topics_readers.c   reads over HTTP
 *   topics_tail.c      the WebSocket tail
 *   topics_loose.c     a lazy and a memory topic, of which less is promised
 *   topics_operator.c  makes and deletes topics, looks at the node's pages
 */
#ifndef WEIR_SIM_TOPICS_H
#define WEIR_SIM_TOPICS_H
#include "sim/client.h"
#include "sim/sim.h"

#define TOPICS_MAX           12u
#define TOPICS_SLOTS         (TOPICS_MAX + 2u) /* behind them the two of topics_loose.c */
#define TOPIC_PARTITIONS_MAX 8u
#define TOPICS_RECORDS_MAX   6000u
#define TOPICS_CALM_RECORDS  4000u /* beside them */
#define TOPICS_BODY_MAX      (200u << 10)
#define TOPICS_WRITERS_MAX   24u
#define TOPICS_READERS_MAX   4u
#define TOPICS_TAILS_MAX     4u
#define TOPICS_PRODUCERS_MAX 6u
#define TOPICS_NOT_SEEN      UINT64_MAX

/* ---- topics ---- */
enum topic_state {
    TOPIC_ABSENT,
    TOPIC_MAKING, /* its creation is on its way */
    TOPIC_THERE,
    TOPIC_DELETING, /* its deletion is on its way */
    TOPIC_UNSURE,   /* one of the two is in doubt: the next life shows */
};
struct sim_topic {
    char name[16];
    enum topic_state state;
    uint32_t incarnation; /* of the last creation that was sent; the first is 1 */
    uint32_t changes;     /* counts what was asked and answered about it: equal twice means nothing happened between */
    uint32_t partitions;  /* the same in every incarnation */
    uint64_t retention_bytes, retention_ms, segment_bytes;
    uint64_t start[TOPIC_PARTITIONS_MAX]; /* the highest ever seen, of this incarnation */
    uint64_t high[TOPIC_PARTITIONS_MAX];  /* that a reader was told */
};

/* ---- records ---- */
enum record_fate {
    RECORD_DOUBT, /* asked, or in doubt */
    RECORD_ACKED, /* or seen by a reader */
    RECORD_ABSENT,
    RECORD_GONE, /* was acknowledged, and has gone the way it may */
};
struct sim_record {
    uint8_t fate, topic, partition;
    bool resent;           /* a repetition may be under way, and may meet another incarnation */
    uint32_t size;         /* of what its value holds beside its number */
    uint32_t first, last;  /* incarnations it may be in; last UINT32_MAX: not answered yet */
    uint32_t life;         /* in which it was heard of */
    uint32_t jumps;        /* of the wall clock before it was sent */
    uint64_t offset, seen; /* acknowledged; where the present look found it */
    uint64_t frame;        /* the newest journal frame when it was heard of */
    uint64_t sent_ms;      /* wall time */
};

struct topics_writer;
struct topics_reader;
struct topics_tail;
struct topics_loose;
struct topics_operator;
struct topics {
    struct sim *sim;
    uint32_t topic_count, writer_count, reader_count, tail_count;
    bool crowd; /* every batch to the first topic comes from a producer of its own: more than a partition remembers */
    struct sim_topic topics[TOPICS_SLOTS];
    struct sim_record *records;
    uint64_t count;
    struct topics_writer *writers;
    struct topics_reader *readers;
    struct topics_tail *tails;
    struct topics_loose *loose;
    struct topics_operator *operator;
    uint32_t life;
    bool looked;                      /* at the log in this life */
    uint64_t frame_ready, frame_last; /* of the journal: when this life began to serve; newest known */
    uint64_t frame_died;              /* the newest of the life before, which rot may take; 0: it may take anything */
    bool judged;                      /* in this life it was looked for what is lost */
    uint32_t calm_left;               /* appends to be done yet in the calm */
    uint64_t calm_ns;                 /* since when, and nothing new is begun */
    char *body, *scratch;             /* TOPICS_BODY_MAX each: one request, one value */
};

/* ---- topics_ledger.c ---- */
static inline bool topic_may_be_there(const struct sim_topic *topic) {
    return topic->state != TOPIC_ABSENT && topic->incarnation > 0;
}
/* Nothing was asked or answered about the topic since `changes` was read, and it is there: a 404 has no excuse. */
static inline bool topic_stands(const struct sim_topic *topic, uint32_t changes) {
    return topic->state == TOPIC_THERE && topic->changes == changes;
}
void topic_change(struct sim_topic *topic, enum topic_state state);
/* A new record for a partition; its number. The caller has checked the room: topics_room(). */
uint64_t topics_record(struct topics *t, uint32_t topic, uint32_t partition, uint32_t size);
static inline bool topics_room(const struct topics *t, uint32_t records) {
    return t->count + records <= TOPICS_RECORDS_MAX + (t->sim->calm ? TOPICS_CALM_RECORDS : 0);
}
/* 1 to 5 new records of usual sizes; *ret_count. */
#define TOPICS_BATCH_MAX 5u
uint64_t topics_some_records(struct topics *t, uint32_t topic, uint32_t partition, uint32_t *ret_count);
void topics_heard(struct topics *t, uint64_t first, uint32_t count, enum record_fate fate, uint64_t offset);
/* A reader was given record n at that offset: from now on it must be there. False: the run has failed. */
bool topics_saw(struct topics *t, uint32_t topic, uint32_t partition, uint64_t offset, uint64_t n);
/* An answer that needs a reason: 404, 416 and 5xx. Fails the run when there is none. */
void topics_judge(struct topics *t, const struct client *client, const struct sim_topic *topic, uint32_t changes);
bool topics_check(struct topics *t, bool whole);
uint64_t topics_wall_ms(const struct topics *t);

/* ---- topics_producer.c ---- */
struct topics_batch { /* as an idempotent producer sends it, each time the same */
    uint64_t first, offset;
    uint32_t count, epoch, sequence;
};
#define TOPICS_HISTORY    8u /* more than a partition remembers */
#define TOPICS_REMEMBERED 5u /* batches of a producer; a repetition of an older one is refused */
struct topics_producer {
    uint64_t id; /* 0: not begun */
    uint32_t topic, partition, incarnation, epoch, next;
    bool known;   /* a batch of this epoch was acknowledged */
    bool pending; /* `current` was not acknowledged yet */
    bool tried;   /* it may have arrived */
    struct topics_batch current;
    bool has_old;
    struct topics_batch old;                  /* the last one of an earlier epoch */
    struct topics_batch done[TOPICS_HISTORY]; /* of this epoch, newest last */
    uint32_t done_count;
};
enum topics_expect {
    EXPECT_STORED,   /* `current`: once, however often it is sent */
    EXPECT_REPEATED, /* 200 and the offset it had */
    EXPECT_REFUSED,  /* 4xx, and nothing is stored */
};
/* What it sends next; new records are made with topics_some_records(). */
enum topics_expect topics_producer_next(struct topics *t, struct topics_producer *p, struct topics_batch *ret_batch);
void topics_producer_stored(struct topics *t, struct topics_producer *p, uint64_t offset, bool repeated);
/* Its topic or the disk is not what it was: begins anew, as another. */
void topics_producer_reset(struct topics *t, struct topics_producer *p);

/* ---- topics_values.c ---- */
/* Writes the record as an element of a request's array; returns the bytes. */
size_t topics_put_record(const struct topics *t, uint64_t n, char *out);
/* Exactly the bytes of the batch that holds these records. */
size_t topics_batch_size(const struct topics *t, uint64_t first, uint32_t count);
/* Which record has that key and value; false when nobody sent such a one. data NULL: null. */
bool topics_identify(const struct topics *t, struct weir_slice key, struct weir_slice value, uint64_t *ret_n);
/* The same of an object {"offset", "timeMs", "key", "value"} as the node prints it; the reader stands on its open. */
struct json_reader;
bool topics_parse_record(const struct topics *t, struct json_reader *r, uint64_t *ret_offset, uint64_t *ret_n);

/* ---- clients: open, hang up at the start of a life, step, whether all rest, close ---- */
void topics_writers_open(struct topics *t);
void topics_writers_hang_up(struct topics *t);
void topics_writers_step(struct topics *t, bool calm);
bool topics_writers_settled(const struct topics *t);
void topics_writers_close(struct topics *t);

void topics_readers_open(struct topics *t);
void topics_readers_hang_up(struct topics *t);
void topics_readers_step(struct topics *t, bool calm);
bool topics_readers_settled(const struct topics *t);
void topics_readers_close(struct topics *t);

void topics_tails_open(struct topics *t);
void topics_tails_hang_up(struct topics *t);
void topics_tails_step(struct topics *t, bool calm);
void topics_tails_close(struct topics *t);

void topics_loose_open(struct topics *t);
void topics_loose_hang_up(struct topics *t);
void topics_loose_step(struct topics *t, bool calm);
bool topics_loose_settled(const struct topics *t);
void topics_loose_check(struct topics *t, bool whole);
void topics_loose_close(struct topics *t);

void topics_operator_open(struct topics *t);
void topics_operator_hang_up(struct topics *t);
void topics_operator_step(struct topics *t, bool calm);
bool topics_operator_settled(const struct topics *t);
void topics_operator_close(struct topics *t);

#endif
