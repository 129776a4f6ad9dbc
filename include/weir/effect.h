/* weir/effect.h: work in the world that a fold asks for, and what came of it.
 *
 * A row of the service's .effects says what kind of work it is and how much of it may be done. In apply, weir_effect()
 * asks for one; the bytes of the request are the fold's and stay until the effect has ended. The host, as part of the
 * same fold, decides when it starts (gates, priorities, fair over keys), what a failure means (again after a backoff,
 * or the dead letter), and hands apply a WEIR_RECORD_RESULT for each attempt, the last one with `final`:
 *
 *     uint8_t *room = weir_effect(out, EFFECT_CALL, &(struct weir_effect_options){.key = destination, .tag = id},
 * size); if (!room) ...      outstanding_max are outstanding: refuse the command, or try at a timer
 *     ...
 *     if (record->kind == WEIR_RECORD_RESULT && weir_result(record, &result) && result.final) ...
 *
 * At least once: an attempt whose result was not durable when the process died is made again in its next life, with the
 * same idempotency key and the same attempt number. Never by a replay. Exactly one result of an effect is final, and
 * after an operator's requeue one more.
 *
 * Memory of a partition: (outstanding_max + dead_max) times (1 KiB + request_bytes_max), touched as used.
 */
#ifndef WEIR_EFFECT_H
#define WEIR_EFFECT_H
#include <weir/error.h>
#include <weir/gate.h>
#include <weir/service.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_EFFECT_ATTEMPTS_MAX 32u
#define WEIR_EFFECT_BYTES_MAX    (64u << 10) /* of a request, and of a result's headers and body together */
#define WEIR_EFFECT_KEY_MAX      96u         /* an idempotency key as text, with its end */
#define WEIR_EFFECT_PRIORITIES   4u

enum weir_effect_kind {
    WEIR_EFFECT_HTTP = 1, /* the request is one of weir_effect_request_store() */
    WEIR_EFFECT_WORK = 2, /* the row's .work, on the node's pool */
};

/* What came of an attempt. */
enum weir_effect_class {
    WEIR_EFFECT_OK,       /* HTTP: a status of 200 to 299 */
    WEIR_EFFECT_STATUS,   /* HTTP: another status; 408, 425, 429 and 500 to 599 are tried again, others are final */
    WEIR_EFFECT_TIMEOUT,  /* no whole answer in time; the destination may have done it */
    WEIR_EFFECT_REFUSED,  /* no connection */
    WEIR_EFFECT_RESET,    /* the connection broke; the destination may have done it */
    WEIR_EFFECT_DNS,      /* the name leads nowhere */
    WEIR_EFFECT_TLS,      /* the certificate or the handshake */
    WEIR_EFFECT_FAILED,   /* WORK: try again. HTTP: whatever else went wrong on the way */
    WEIR_EFFECT_REJECTED, /* WORK: trying again is no use. HTTP: the request can't be sent, or not there */
    WEIR_EFFECT_DROPPED,  /* by an operator */
    WEIR_EFFECT_CLASSES
};
const char *weir_effect_class_name(enum weir_effect_class class_); /* "ok", "status", ... */

struct weir_work;
/* A row; the table ends with name NULL. Zeros mean the default that is named. Gates and limits are those of one
 * partition. */
struct weir_effect_row {
    const char *name, *summary;
    enum weir_effect_kind kind;
    uint32_t attempts_max;        /* 5; at most WEIR_EFFECT_ATTEMPTS_MAX */
    uint32_t outstanding_max;     /* 1024: waiting, running and resting between attempts */
    uint32_t dead_max;            /* 256: dead letters that can be requeued; older ones are in the topic alone */
    uint32_t request_bytes_max;   /* 4096; at most WEIR_EFFECT_BYTES_MAX */
    uint32_t result_bytes_max;    /* 4096: of headers and body; what is longer is cut; at most WEIR_EFFECT_BYTES_MAX */
    uint32_t keys_max;            /* 1024: gates by key that are remembered */
    struct weir_gate_limits gate; /* of all together; running_max 0: 16 */
    struct weir_gate_limits key_gate; /* of those with one key; all zero: none */
    struct weir_backoff_policy backoff;
    /* Names of UINT settings of the service that are .folded and take the place of gate.running_max, gate.per_second
     * and attempts_max; NULL: none. */
    const char *running_setting, *per_second_setting, *attempts_setting;
    /* HTTP: name of a TEXT setting with the path of a file that holds the secret which requests are signed with
     * (Standard Webhooks: "whsec_" and base64, or any text); NULL or empty value: they are not signed. */
    const char *secret_setting;
    bool any_address; /* HTTP: URLs come from who runs the node, so that private addresses are reached too */
    /* WORK: on a worker of the pool; may block. */
    enum weir_effect_class (*work)(struct weir_work *work);
};

struct weir_effect_options {
    uint64_t key;           /* of key_gate and of fairness: a hash of the destination, the tenant; 0: none */
    uint64_t tag;           /* the service's own; comes back with each result */
    uint64_t not_before_ns; /* record time; 0: at once */
    uint64_t timeout_ns;    /* of an attempt; 0: what the gates measured */
    struct weir_backoff_policy backoff; /* all zero: the row's */
    uint32_t attempts_max;              /* 0: the row's; at most that */
    uint32_t priority;                  /* 0 goes first; below WEIR_EFFECT_PRIORITIES */
};
/* Room for a request of `size` bytes, to be filled before the next call on `out`. NULL: outstanding_max are. Commands
 * are refused (FULL) before they are appended once what is outstanding, and what those before them may still ask for,
 * leaves no room for .effects_max more; results, timers and emits are never refused. options NULL: all zero. */
void *weir_effect(struct weir_out *out, uint32_t row, const struct weir_effect_options *options, size_t size);
/* How many more the row could take now. */
uint32_t weir_effect_room(const struct weir_out *out, uint32_t row);

/* ---- results ---- */
struct weir_result {
    uint64_t offset; /* of the record whose apply asked for it */
    uint32_t index;  /* within that apply, from 0 */
    uint32_t row;
    uint64_t key, tag;
    uint32_t attempt; /* from 1, over requeues too */
    bool final;       /* no further attempt follows; not OK: it is a dead letter */
    enum weir_effect_class class_;
    uint16_t status;                 /* HTTP: 0: none came */
    uint64_t duration_ns;            /* of the attempt */
    uint64_t retry_after_ns;         /* as far as the destination said it; else 0 */
    uint64_t next_ns;                /* not final: record time before which no other attempt begins */
    struct weir_slice text;          /* why it failed, in words */
    struct weir_slice headers, body; /* HTTP: see weir_effect_header_next. All borrowed from the record */
};
/* False: not a WEIR_RECORD_RESULT. */
bool weir_result(const struct weir_record *record, struct weir_result *ret_result);

/* ---- HTTP requests as bytes ----
 * Little-endian: u8 layout, 1 | u8 method size | u16 URL size | u32 headers' size | u32 body size | method | URL |
 * headers, each u16 name size, u16 value size, name, value | body. Host, Content-Length and Connection are the
 * client's; Idempotency-Key is added, and of a row with a secret Webhook-Id, -Timestamp and -Signature. */
struct weir_effect_header {
    struct weir_slice name, value;
};
struct weir_effect_request {
    struct weir_slice method, url; /* "POST", "https://example.com/hook" */
    const struct weir_effect_header *headers;
    uint32_t header_count; /* at most WEIR_EFFECT_HEADERS_MAX */
    struct weir_slice body;
};
#define WEIR_EFFECT_HEADERS_MAX 48u
size_t weir_effect_request_size(const struct weir_effect_request *request);
/* Into weir_effect_request_size() bytes. */
void weir_effect_request_store(const struct weir_effect_request *request, void *ret_bytes);
/* headers: room for WEIR_EFFECT_HEADERS_MAX, which ret_request->headers will be. False: not such bytes. */
bool weir_effect_request_load(
    struct weir_slice bytes, struct weir_effect_header *headers, struct weir_effect_request *ret_request);
/* Each header of a request's or a result's in turn. False: that was the last. */
bool weir_effect_header_next(struct weir_slice *headers, struct weir_effect_header *ret_header);

/* ---- WORK: a function of the service's, off the lanes ---- */
struct weir_work {
    struct weir_slice request;
    const char *idempotency_key;
    uint32_t attempt;
    uint64_t timeout_ns; /* after that nobody waits for it any more */
    const struct weir_setting_value *settings;
    /* To be filled: */
    uint8_t *answer; /* room of answer_max bytes: the result's body */
    size_t answer_max, answer_size;
    uint64_t retry_after_ns;
    char text[128]; /* why it failed */
};

/* ---- dead letters: what is in the topic <service>.dead, an output of the service's with the record types
 * weir_dead_types ----
 * Little-endian: u8 layout, 1 | u8 row's name size | u8 class | u8 text size | u32 attempts | u64 offset | u32 index |
 * u32 request size | u64 key, tag, created, died | name | text | attempts, each u64 begun, u64 duration, u32 attempt,
 * u16 status, u8 class, u8 0 | request | the last result's body, to the end. Times in ns. The record's key is the
 * effect's. */
struct weir_dead_letter {
    struct weir_slice row, text, attempts, request, body;
    enum weir_effect_class class_;
    uint32_t attempt_count, index;
    uint64_t offset, key, tag, created_ns, died_ns;
};
struct weir_attempt {
    uint64_t begun_ns, duration_ns;
    uint32_t attempt;
    uint16_t status;
    uint8_t class_, unused;
};
bool weir_dead_letter_load(struct weir_slice value, struct weir_dead_letter *ret_letter);
/* i below attempt_count. */
struct weir_attempt weir_dead_letter_attempt(const struct weir_dead_letter *letter, uint32_t i);
size_t weir_dead_letter_print(struct weir_slice value, char *buf, size_t size); /* as JSON; the bytes it needs */
extern const struct weir_record_type weir_dead_types[];
/* The topic's row: a service with .effects has it. */
#define WEIR_DEAD_TOPIC(service_)                                                                                      \
    { service_ ".dead", WEIR_TOPIC_OUTPUT, weir_dead_types, "Effects that were given up, with every attempt." }

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
