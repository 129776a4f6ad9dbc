/* wire/faktory.h: the Faktory work protocol, version 2, as a pure codec for a server; with what its tests and clients
 * need.
 *
 * Purpose     split a TCP stream into commands, read their payloads, write replies and jobs.
 * Threads     pure over its arguments.
 * Allocation  none. Slices point into the caller's bytes, or into the arena `scratch` where a text has escapes to be
 * decoded; an arena over a buffer as large as the payload always suffices.
 * Limits      arguments: struct weir_faktory_limits.
 * Errors      AGAIN more bytes are needed; INVALID, TOO_LARGE with weir_error_context() text fit to be sent as an error
 * reply; NO_MEMORY scratch is too small. Source      docs/protocol-specification.md of Faktory 1.10, "The Faktory Work
 * Protocol"; for batches, tracking and the keys of `custom` the wiki's pages on them.
 *
 * A client sends lines, VERB[ PAYLOAD] and CR LF (a bare LF will do); the server answers each with one RESP value:
 *   +TEXT   -CODE TEXT   :INTEGER   $LENGTH CR LF BYTES   $-1     each followed by CR LF
 * The server speaks first: +HI {"v":2}, with "i" (rounds) and "s" (salt) when it wants a password. HELLO answers it.
 *
 * A job is a JSON object. Its bytes are kept as they came: args are never decoded and written again, so an integer
 * above 2^53 or an unknown key arrives as it was sent. Only what is the server's (enqueued_at, failure) is cut from
 * what a client pushes and written anew when the job is delivered.
 */
#ifndef WEIR_WIRE_FAKTORY_H
#define WEIR_WIRE_FAKTORY_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"

#include <weir/error.h>

/* The server whose behaviour this is. */
#define WEIR_FAKTORY_SERVER_VERSION "1.10.0"

enum {
    WEIR_FAKTORY_VERSION = 2,
    WEIR_FAKTORY_JID_BYTES_MIN = 8,
    WEIR_FAKTORY_RESERVE_S_DEFAULT = 1800,
    WEIR_FAKTORY_RESERVE_S_MIN = 60,
    WEIR_FAKTORY_RESERVE_S_MAX = 86400,
    WEIR_FAKTORY_RETRY_DEFAULT = 25,
    WEIR_FAKTORY_ERRTYPE_BYTES_MAX = 100, /* longer ones are cut, as by Faktory */
    WEIR_FAKTORY_MESSAGE_BYTES_MAX = 1000,
    WEIR_FAKTORY_BACKTRACE_LINES_MAX = 50,
    WEIR_FAKTORY_PASSWORD_BYTES_MAX = 256,
    WEIR_FAKTORY_SALT_BYTES_MAX = 64,
    WEIR_FAKTORY_PWDHASH_SIZE = 64,
    WEIR_FAKTORY_BULK_HEAD_SIZE = 13, /* '$', ten digits, CR, LF */
};

struct weir_faktory_limits {
    size_t line_bytes_max; /* a command with its line's end */
    size_t job_bytes_max;  /* the text of one job */
    size_t jid_bytes_max;  /* also of batch ids */
    size_t name_bytes_max; /* queues, job types, worker ids */
};

/* ---- commands ---- */
enum weir_faktory_verb {
    WEIR_FAKTORY_UNKNOWN,
    WEIR_FAKTORY_HELLO,
    WEIR_FAKTORY_PUSH,
    WEIR_FAKTORY_PUSHB,
    WEIR_FAKTORY_FETCH,
    WEIR_FAKTORY_ACK,
    WEIR_FAKTORY_FAIL,
    WEIR_FAKTORY_BEAT,
    WEIR_FAKTORY_INFO,
    WEIR_FAKTORY_FLUSH,
    WEIR_FAKTORY_END,
    WEIR_FAKTORY_MUTATE,
    WEIR_FAKTORY_QUEUE,
    WEIR_FAKTORY_BATCH,
    WEIR_FAKTORY_TRACK,
};

struct weir_faktory_command {
    enum weir_faktory_verb verb;
    struct weir_slice name;    /* the verb as sent */
    struct weir_slice payload; /* behind the blank; without the line's end */
    size_t size;               /* of the line with its end: drop that many bytes */
};

/* Between two calls it remembers how far a line's end was looked for, so that a long line which arrives in pieces is
 * read once. `searched` counts from the first byte of the line: 0 again when bytes in front were dropped otherwise. */
struct weir_faktory_lines {
    size_t line_bytes_max;
    size_t searched;
};
/* The first line of bytes. AGAIN; TOO_LARGE once more than line_bytes_max bytes hold no line's end: the stream is lost.
 */
WEIR_MUST enum weir_error weir_faktory_command_next(
    struct weir_faktory_lines *lines, struct weir_slice bytes, struct weir_faktory_command *ret_command);
/* The next word of a payload such as "q1 q2", which is shortened by it. False: there is none. */
bool weir_faktory_word(struct weir_slice *rest, struct weir_slice *ret_word);
/* [a-zA-Z0-9._-]+, which is what a queue may be called. */
bool weir_faktory_is_queue(struct weir_slice name);

/* ---- the handshake ---- */
struct weir_faktory_hello {
    int64_t version;
    struct weir_slice hostname, wid, username, pwdhash; /* wid: a worker; empty: a producer */
    struct weir_slice labels;                           /* JSON array, as sent; empty: none */
    int64_t pid;
};
WEIR_MUST enum weir_error weir_faktory_hello_parse(struct weir_slice payload, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_hello *ret_hello);

/* "+HI {...}"; rounds 0: no password is asked for. */
void weir_faktory_hi_write(struct byte_writer *out, struct weir_slice salt, uint32_t rounds);

/* SHA-256 of password and salt, then of the digest, `rounds` times in all (at least once). It takes milliseconds at the
 * thousands of rounds that clients expect, so it is done in steps. */
struct weir_faktory_hash {
    uint8_t digest[32];
    uint32_t left; /* rounds */
};
/* TOO_LARGE: password or salt. */
WEIR_MUST enum weir_error weir_faktory_hash_start(
    struct weir_faktory_hash *hash, struct weir_slice password, struct weir_slice salt, uint32_t rounds);
/* At most that many rounds more; true: done. */
bool weir_faktory_hash_step(struct weir_faktory_hash *hash, uint32_t rounds);
void weir_faktory_hash_text(const struct weir_faktory_hash *hash, char out[WEIR_FAKTORY_PWDHASH_SIZE]);
/* In a time that does not depend on where they differ. */
bool weir_faktory_hash_equal(const struct weir_faktory_hash *hash, struct weir_slice pwdhash);

/* ---- jobs ---- */
/* Keys of `custom` that Faktory Enterprise gives a meaning to. */
struct weir_faktory_custom {
    uint64_t unique_for_s;   /* 0: not unique */
    bool unique_until_start; /* else until success */
    int64_t expires_at_ns;   /* 0: never */
    struct weir_slice bid;   /* batch */
    bool track;
};

struct weir_faktory_job {
    struct weir_slice text; /* the object as sent */
    struct weir_slice jid, type, queue;
    struct weir_slice args;       /* JSON array, as sent */
    int64_t at_ns;                /* 0: at once */
    int64_t retry;                /* as sent; -1: straight to the dead, 0: dropped on failure */
    uint32_t reserve_s;           /* within MIN..MAX */
    int64_t priority;             /* 0: not given */
    struct weir_slice created_at; /* empty: not given */
    struct weir_faktory_custom custom;
    bool queue_given;
    struct {
        size_t from, to; /* in text: what is not kept, with its comma */
    } cuts[4];
    unsigned cut_count;
};
/* INVALID also for what Faktory refuses: no jid of at least 8 bytes, no jobtype, no args, reserve_for above a day, a
 * malformed `at`, a queue's name; and for a key known here that is given twice. */
WEIR_MUST enum weir_error weir_faktory_job_parse(struct weir_slice payload, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_job *ret_job);

/* The jobs of a PUSHB. */
struct weir_faktory_jobs {
    struct json_reader reader;
};
WEIR_MUST enum weir_error weir_faktory_jobs_open(struct weir_slice payload, struct weir_faktory_jobs *ret_jobs);
/* False: there are no more. *ret_error is about this job alone, whose jid stands in ret_job when it has one; the others
 * may be good. */
bool weir_faktory_jobs_next(struct weir_faktory_jobs *jobs, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_job *ret_job, enum weir_error *ret_error);
/* INVALID: what came was not a JSON array to its end, nothing of it counts. */
WEIR_MUST enum weir_error weir_faktory_jobs_close(struct weir_faktory_jobs *jobs);

/* Most bytes that weir_faktory_job_store() adds to a job's text. */
#define WEIR_FAKTORY_STORE_BYTES 80
/* The job as it is kept: its text without what is the server's, and with its queue and when it was made (now_ns),
 * should it not say so. */
void weir_faktory_job_store(const struct weir_faktory_job *job, int64_t now_ns, struct byte_writer *out);
/* What makes two jobs the same one for unique_for: queue, type and the bytes of args; a digest as text. */
#define WEIR_FAKTORY_UNIQUE_SIZE 32
void weir_faktory_job_unique(const struct weir_faktory_job *job, char out[WEIR_FAKTORY_UNIQUE_SIZE]);

/* A job that came by another way than a PUSH, as one that was kept. */
struct weir_faktory_made {
    struct weir_slice jid, type, queue;
    struct weir_slice args; /* JSON array */
    int64_t at_ns;          /* 0: none */
    int64_t retry;
    uint32_t reserve_s;
};
void weir_faktory_job_make(const struct weir_faktory_made *made, struct byte_writer *out);

struct weir_faktory_failure {
    uint32_t count;     /* failures so far; 0: none */
    uint32_t remaining; /* attempts left */
    int64_t failed_at_ns, next_at_ns;
    struct weir_slice errtype, message;
    struct weir_slice backtrace; /* elements of a JSON array, as in struct weir_faktory_fail */
};
/* What a FETCH answers, without the bulk's frame: the job as it was kept and what the server knows of it. Most bytes it
 * adds: WEIR_FAKTORY_DELIVER_BYTES, and six times the failure's texts. */
#define WEIR_FAKTORY_DELIVER_BYTES 320
void weir_faktory_job_deliver(
    struct weir_slice kept, int64_t enqueued_ns, const struct weir_faktory_failure *failure, struct byte_writer *out);

/* ---- other payloads ---- */
/* ACK, and the jid of anything else. */
WEIR_MUST enum weir_error weir_faktory_ack_parse(struct weir_slice payload, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_slice *ret_jid);

struct weir_faktory_fail {
    struct weir_slice jid, errtype, message; /* cut to their limits */
    struct weir_slice backtrace;             /* the first lines: strings of a JSON array with commas, as sent */
};
WEIR_MUST enum weir_error weir_faktory_fail_parse(struct weir_slice payload, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_fail *ret_fail);

enum weir_faktory_state { WEIR_FAKTORY_RUNNING, WEIR_FAKTORY_QUIET, WEIR_FAKTORY_TERMINATE };
struct weir_faktory_beat {
    struct weir_slice wid;
    int64_t rss_kb;
    enum weir_faktory_state state; /* what the worker says it is; RUNNING when it says nothing */
};
WEIR_MUST enum weir_error weir_faktory_beat_parse(struct weir_slice payload, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_beat *ret_beat);

enum weir_faktory_change {
    WEIR_FAKTORY_CLEAR,
    WEIR_FAKTORY_KILL,
    WEIR_FAKTORY_DISCARD,
    WEIR_FAKTORY_REQUEUE,
};
enum weir_faktory_set { WEIR_FAKTORY_SCHEDULED, WEIR_FAKTORY_RETRIES, WEIR_FAKTORY_DEAD };
struct weir_faktory_mutate {
    enum weir_faktory_change change;
    enum weir_faktory_set target;
    struct weir_slice jids;    /* JSON array of strings, read by weir_faktory_text_next(); empty: no such filter */
    struct weir_slice type;    /* empty: any */
    struct weir_slice pattern; /* a glob over the job's text, weir_faktory_glob(); empty: any */
};
WEIR_MUST enum weir_error weir_faktory_mutate_parse(struct weir_slice payload, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_mutate *ret_mutate);
/* Each text of an array, which is json_reader(array, 0) at first. False: no more (it was checked when parsed), or
 * scratch is full, then its data is NULL. */
bool weir_faktory_text_next(struct json_reader *array, struct arena *scratch, struct weir_slice *ret_text);
/* Redis' globs: '*', '?', [a-z], [^...], a backslash before what is meant as it is. Time: pattern times text. */
bool weir_faktory_glob(struct weir_slice pattern, struct weir_slice text);

enum weir_faktory_queue_change {
    WEIR_FAKTORY_PAUSE,
    WEIR_FAKTORY_RESUME,
    WEIR_FAKTORY_REMOVE,
    WEIR_FAKTORY_LATENCY,
};
struct weir_faktory_queue {
    enum weir_faktory_queue_change change;
    struct weir_slice names; /* words; "*" among them: all */
};
WEIR_MUST enum weir_error weir_faktory_queue_parse(struct weir_slice payload, struct weir_faktory_queue *ret_queue);

enum weir_faktory_batch_change {
    WEIR_FAKTORY_BATCH_NEW,
    WEIR_FAKTORY_BATCH_OPEN,
    WEIR_FAKTORY_BATCH_COMMIT,
    WEIR_FAKTORY_BATCH_STATUS,
};
struct weir_faktory_batch {
    enum weir_faktory_batch_change change;
    struct weir_slice bid;               /* all but NEW */
    struct weir_slice parent_bid;        /* NEW; empty: none */
    struct weir_slice description;       /* NEW */
    struct weir_slice success, complete; /* NEW: jobs, for weir_faktory_job_parse(); empty: none */
};
WEIR_MUST enum weir_error weir_faktory_batch_parse(struct weir_slice payload, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_batch *ret_batch);

struct weir_faktory_track {
    bool is_set;
    struct weir_slice jid;
    int64_t percent;          /* SET; -1: not given */
    struct weir_slice desc;   /* SET */
    int64_t reserve_until_ns; /* SET; 0: not given */
};
WEIR_MUST enum weir_error weir_faktory_track_parse(struct weir_slice payload, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_track *ret_track);

/* ---- replies ---- */
/* Written whole or not at all: out->failed when there is no room. CR, LF and other control bytes of a text become
 * blanks. */
void weir_faktory_write_simple(struct byte_writer *out, const char *text);
/* code: "ERR", "NOTUNIQUE", ... */
void weir_faktory_write_error(struct byte_writer *out, const char *code, struct weir_slice text);
void weir_faktory_write_integer(struct byte_writer *out, int64_t value);
void weir_faktory_write_null(struct byte_writer *out);
void weir_faktory_write_bulk(struct byte_writer *out, struct weir_slice bytes);
/* A bulk whose bytes are put between the two. */
size_t weir_faktory_bulk_open(struct byte_writer *out);
void weir_faktory_bulk_close(struct byte_writer *out, size_t opened);

/* The client's side: the first reply of bytes. */
enum weir_faktory_reply_type {
    WEIR_FAKTORY_REPLY_SIMPLE,
    WEIR_FAKTORY_REPLY_ERROR,
    WEIR_FAKTORY_REPLY_INTEGER,
    WEIR_FAKTORY_REPLY_BULK,
    WEIR_FAKTORY_REPLY_NULL,
};
struct weir_faktory_reply {
    enum weir_faktory_reply_type type;
    struct weir_slice text; /* of SIMPLE, ERROR (with its code), BULK */
    int64_t integer;
    size_t size; /* with its end: drop that many bytes */
};
WEIR_MUST enum weir_error weir_faktory_reply_parse(
    struct weir_slice bytes, size_t reply_bytes_max, struct weir_faktory_reply *ret_reply);

#endif
