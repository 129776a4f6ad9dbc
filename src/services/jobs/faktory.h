/* jobs/faktory.h: a session of the Faktory protocol: what its verbs share.
 *
 * A line is answered in one of two ways. Most are commands whose replies come in the order in which they were asked:
 * each has a slot in a ring, and slots are answered from the oldest on, so that a client may send many lines without
 * waiting. The others are errands: they ask several things, or again until all is done. An errand waits until the ring
 * is empty, stops the reading, leaves its line where it is and is offered it again each time all that it asked has been
 * answered.
 *
 * Owner: the session's lane. Nothing is allocated; what a callback needs for itself is the session's scratch.
 */
#ifndef WEIR_JOBS_FAKTORY_H
#define WEIR_JOBS_FAKTORY_H
#include "jobs/command.h"
#include "wire/faktory.h"

#include <weir/gateway.h>

#define FAKTORY_SLOTS          256u
#define FAKTORY_LINE_BYTES_MAX (8u << 20)
#define FAKTORY_PUSHB_MAX      8192u /* jobs of one PUSHB */
#define FAKTORY_QUEUES_MAX     64u   /* of one FETCH or LATENCY */
#define FAKTORY_SELECT_MAX     1024u /* jobs that are told of at once */
#define FAKTORY_WAIT_MS        2000u
#define FAKTORY_NANOS_PER_MS   UINT64_C(1000000)

enum faktory_phase {
    FAKTORY_GREETED,
    FAKTORY_CHECKING, /* its password */
    FAKTORY_ACCEPTED, /* its HELLO is to be answered */
    FAKTORY_LIVE,
    FAKTORY_OVER
};

/* What a slot is answered with once nothing is awaited for it and all before it are answered. */
enum faktory_answer {
    FAKTORY_ANSWER_OK,
    FAKTORY_ANSWER_NULL,
    FAKTORY_ANSWER_NULL_LATER, /* at asked_ns + FAKTORY_WAIT_MS */
    FAKTORY_ANSWER_STATE,      /* `code`: the worker's */
    FAKTORY_ANSWER_REASON,     /* `code`: enum jobs_reason */
    FAKTORY_ANSWER_ERROR,      /* `code`: enum weir_error */
    FAKTORY_ANSWER_SAID,       /* it was the oldest, and its answer is sent */
};
struct faktory_slot {
    uint64_t asked_ns;
    uint32_t waits; /* replies still to come */
    uint16_t code;
    uint8_t verb, answer;
    bool is_settled; /* ACK, FAIL: the partition that has the job has spoken */
};
#define FAKTORY_CORRELATION_NOBODY (UINT64_C(1) << 62) /* nobody waits for the reply */

struct faktory_errand {
    uint8_t verb; /* WEIR_FAKTORY_UNKNOWN: there is none */
    bool said;    /* its answer is sent */
    bool failed;
    uint32_t waits;      /* replies and answers still to come */
    uint32_t step, sent; /* its own */
    uint64_t since_ns, count;
    uint64_t next[64]; /* per partition, its own */
    union {
        uint8_t reasons[FAKTORY_PUSHB_MAX]; /* of the jobs in the order in which they were sent */
        struct faktory_sums {
            uint64_t states[16], pushed, done, failed, lost, bytes;
            uint64_t workers, connections, queues, started_s;
            uint32_t text_size, left_out; /* queues that found no room in the text */
            char text[FAKTORY_PUSHB_MAX - 256];
        } sums;
        uint64_t ids[FAKTORY_SELECT_MAX];
    };
};

struct faktory {
    uint8_t phase;
    bool asks_password;
    bool is_known;       /* its worker was told of this connection */
    bool waits_for_node; /* which takes no commands yet, or any more */
    uint8_t name_size;   /* 0: a producer */
    char name[JOBS_NAME_MAX];
    char salt[16];
    char pwdhash[WEIR_FAKTORY_PWDHASH_SIZE];
    uint32_t rounds;
    struct weir_faktory_hash hash;
    struct weir_faktory_lines lines;
    uint32_t head, tail;   /* slots by number; the oldest, the next */
    uint32_t parts_sent;   /* of the line that is being offered: to how many partitions it went */
    uint32_t resume_below; /* the reading goes on when at most so many slots are open; UINT32_MAX: it is not stopped */
    uint32_t shut_sent;
    struct faktory_slot slots[FAKTORY_SLOTS];
    struct faktory_errand errand;
};

enum faktory_taken { FAKTORY_TAKEN, FAKTORY_LATER };

/* ---- saying ---- */
void faktory_say(struct weir_session *session, struct weir_slice bytes);
void faktory_say_ok(struct weir_session *session);
void faktory_say_null(struct weir_session *session);
void faktory_say_error(struct weir_session *session, const char *code, struct weir_slice text);
void faktory_say_reason(struct weir_session *session, uint32_t reason);
/* "NOT_UNIQUE: ..." for an entry of a PUSHB's answer; code "ERR" or one of its own. */
const char *faktory_reason_text(uint32_t reason, const char **ret_code);
/* Refuses the line that is being offered, with weir_error_text(), once all before it are answered. */
enum faktory_taken faktory_refuse(struct weir_session *session);

/* ---- asking ---- */
struct weir_faktory_limits faktory_limits(struct weir_session *session);
uint32_t faktory_partition(struct weir_session *session, struct weir_slice queue);
/* Scratch for decoding a payload. False: none is left; the line is refused. */
bool faktory_arena(struct weir_session *session, struct weir_slice payload, struct arena *ret_arena);
/* A command whose reply fills a slot; everywhere: to each partition, and the slot waits for all. */
enum faktory_taken faktory_ask(
    struct weir_session *session, enum weir_faktory_verb verb, const struct weir_command *command, bool everywhere);
static inline struct faktory_slot *faktory_oldest(struct faktory *f) {
    return &f->slots[f->head % FAKTORY_SLOTS];
}

/* ---- errands ---- */
/* Begins, or goes on with, the errand of the line that is being offered. False: not yet (FAKTORY_LATER). */
bool faktory_errand(struct weir_session *session, enum weir_faktory_verb verb);
/* Ends it: the line is taken. */
enum faktory_taken faktory_errand_end(struct weir_session *session);
/* The same, after words of regret: something was refused on the way. */
enum faktory_taken faktory_errand_fail(struct weir_session *session);
/* What is asked in an errand; `part` comes back with the reply. True: asked. False: it is asked again when the line is
 * offered again (errand->failed is set instead when that would not help). */
bool faktory_errand_ask(struct weir_session *session, const struct weir_command *command, uint32_t part);
typedef enum weir_error (*faktory_query_fn)(
    const void *state, const struct weir_request *request, struct weir_answer *answer);
bool faktory_errand_query(
    struct weir_session *session, uint32_t partition, faktory_query_fn query, struct weir_slice packed, uint32_t part);

/* ---- verbs: take the line; then what comes back, for a slot or for the errand ---- */
enum faktory_taken faktory_push(struct weir_session *session, struct weir_slice payload);
enum faktory_taken faktory_push_many(struct weir_session *session, struct weir_slice payload);
enum faktory_taken faktory_fetch(struct weir_session *session, struct weir_slice payload);
enum faktory_taken faktory_ack(struct weir_session *session, struct weir_slice payload);
enum faktory_taken faktory_fail(struct weir_session *session, struct weir_slice payload);
enum faktory_taken faktory_beat(struct weir_session *session, struct weir_slice payload);
enum faktory_taken faktory_info(struct weir_session *session, struct weir_slice payload);
enum faktory_taken faktory_flush(struct weir_session *session, struct weir_slice payload);
enum faktory_taken faktory_mutate(struct weir_session *session, struct weir_slice payload);
enum faktory_taken faktory_queue(struct weir_session *session, struct weir_slice payload);
enum faktory_taken faktory_latency(struct weir_session *session, struct weir_slice names);
enum faktory_taken faktory_track(struct weir_session *session, struct weir_slice payload);
enum faktory_taken faktory_track_set(struct weir_session *session, const struct weir_faktory_track *track);
void faktory_push_slot(struct weir_session *session, struct faktory_slot *slot, struct weir_slice value);
void faktory_fetch_slot(struct weir_session *session, struct faktory_slot *slot, struct weir_slice value);
void faktory_report_slot(struct weir_session *session, struct faktory_slot *slot, struct weir_slice value);
void faktory_beat_slot(struct weir_session *session, struct faktory_slot *slot, struct weir_slice value);
void faktory_push_part(struct weir_session *session, uint32_t part, uint16_t status, struct weir_slice value);
void faktory_fetch_part(struct weir_session *session, uint32_t part, uint16_t status, struct weir_slice value);
void faktory_info_part(struct weir_session *session, uint32_t part, uint16_t status, struct weir_slice value);
void faktory_flush_part(struct weir_session *session, uint32_t part, uint16_t status, struct weir_slice value);
void faktory_mutate_part(struct weir_session *session, uint32_t part, uint16_t status, struct weir_slice value);
void faktory_queue_part(struct weir_session *session, uint32_t part, uint16_t status, struct weir_slice value);
void faktory_latency_part(struct weir_session *session, uint32_t part, uint16_t status, struct weir_slice value);
void faktory_track_part(struct weir_session *session, uint32_t part, uint16_t status, struct weir_slice value);

extern const struct weir_protocol jobs_faktory_protocol;
#endif
