/* weir/gateway.h: a service's own protocols: TCP listeners (OUCH, FIX, ...) and WebSocket routes.
 *
 * A session belongs to the lane of its socket. Its callbacks run on that lane and never overlap. It talks to partitions
 * only by command, query and subscribe; answers, replies and subscribed records come back as callbacks, in order per
 * partition, and only once their cause is durable. Partitions may live on other lanes; the session need not know.
 *
 * A session can do no harm: what it sends is buffered up to send_bytes_max; a client that never reads is closed as a
 * slow consumer; a command that meets a full queue gets WEIR_E_FULL, and the session says so in its protocol or keeps
 * the bytes (consume less).
 */
#ifndef WEIR_GATEWAY_H
#define WEIR_GATEWAY_H
#include <weir/service.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

struct weir_session;

struct weir_protocol {
    const char *name;
    size_t session_bytes;     /* zeroed memory per session: weir_session_state() */
    size_t receive_bytes_max; /* largest unconsumed input (stream) or message (WebSocket) */
    size_t send_bytes_max;    /* unsent output at which the client is a slow consumer; 0: 1 MB */
    uint64_t idle_ns_max;     /* no bytes received for that long: closed; 0: never */
    WEIR_MUST enum weir_error (*open)(struct weir_session *session);
    /* Stream: bytes received and not consumed yet; set *ret_consumed. WebSocket: one whole message, consumed always;
     * text tells its type. */
    void (*on_bytes)(struct weir_session *session, struct weir_slice bytes, bool text, size_t *ret_consumed);
    /* The reply to command `correlation`: durable now. status 0 < 200: error values never come here; host refusals
     * arrive as status = HTTP status and an empty value with error != OK. */
    void (*on_reply)(struct weir_session *session, uint64_t correlation, enum weir_error error, uint16_t status,
        struct weir_slice value);
    /* The answer to query `correlation`. */
    void (*on_answer)(struct weir_session *session, uint64_t correlation, enum weir_error error, uint16_t status,
        struct weir_slice value);
    /* A record of a subscription. */
    void (*on_record)(struct weir_session *session, uint32_t subscription, const struct weir_record *record);
    /* A subscription caught up with the live end (only for those started from an older offset), or failed (error). */
    void (*on_live)(struct weir_session *session, uint32_t subscription, enum weir_error error);
    void (*on_time)(struct weir_session *session, uint64_t mono_ns); /* see weir_session_wake_at */
    /* The connection is gone; commands may still be sent here. While one of them meets a full queue (FULL) the session
     * is kept and on_close called again, until none does or the node stops; it must say the same each time. */
    void (*on_close)(struct weir_session *session);
};

void *weir_session_state(struct weir_session *session);
const struct weir_setting_value *weir_session_settings(struct weir_session *session);
uint32_t weir_session_partition_count(struct weir_session *session);
const char *weir_session_peer(struct weir_session *session); /* "127.0.0.1:53211" */
uint64_t weir_session_number(struct weir_session *session);  /* unique for the life of the process */
uint64_t weir_session_mono_ns(struct weir_session *session); /* the lane's time of this cycle */
/* Unix time, for what a protocol tells people (the time in an answer); what the fold decides by is in its records. */
uint64_t weir_session_wall_ns(struct weir_session *session);
uint64_t weir_session_random(struct weir_session *session); /* from the system's generator: nobody guesses it */
/* Memory until on_bytes, on_reply, on_answer or on_time returns, 16-aligned, contents undefined. NULL: more than
 * WEIR_SESSION_SCRATCH_MAX at once, or the lane has none left. */
#define WEIR_SESSION_SCRATCH_MAX (8u << 20)
void *weir_session_scratch(struct weir_session *session, size_t size);

/* Who is at the other end. A WebSocket has shown its token in the upgrade's Authorization header. A stream logs in:
 * `secret` is what the protocol's password field holds, a token's login (ten characters) or a whole token. OK;
 * FORBIDDEN: it is wrong, or has no role that includes SERVICE:read; FULL: too many tries from that address. Until
 * then, and with a role too few, command is FORBIDDEN (SERVICE:write), and so are query and subscribe (SERVICE:read).
 * Always OK where no tokens are asked for (auth: off). A session whose token is revoked or expires is closed; on_close
 * may still send commands. A command that meets the token's or tenant's limit is FULL, as one that meets a full queue.
 */
WEIR_MUST enum weir_error weir_session_login(struct weir_session *session, struct weir_slice secret);
const char *weir_session_principal(struct weir_session *session); /* "": not logged in; valid during the callback */
const char *weir_session_tenant(struct weir_session *session);

/* Queues bytes to the client (WebSocket: one message). Copies. FULL: the client was closed as a slow consumer. */
enum weir_error weir_session_send(struct weir_session *session, struct weir_slice bytes, bool text);
void weir_session_close(struct weir_session *session, const char *reason); /* after what is queued was sent */
void weir_session_wake_at(struct weir_session *session, uint64_t mono_ns); /* one pending wake; 0 cancels */
/* Streams: from pause to resume nothing more is read from the client, and what on_bytes has left is not offered to it
 * again: for what has to be answered before the next message may be looked at. Resume offers what was left in this
 * cycle or the next one, though nothing new has come. */
void weir_session_pause(struct weir_session *session);
void weir_session_resume(struct weir_session *session);

/* Into the log. OK: a reply will come for correlation unless the process dies or the session closes first. FULL,
 * PARKED, TOO_LARGE. */
WEIR_MUST enum weir_error weir_session_command(
    struct weir_session *session, const struct weir_command *command, uint64_t correlation);
/* Runs the service's QUERY function `query` on the live state of `partition`; `packed` is passed as request->packed. */
WEIR_MUST enum weir_error weir_session_query(struct weir_session *session, uint32_t partition,
    enum weir_error (*query)(const void *state, const struct weir_request *request, struct weir_answer *answer),
    struct weir_slice packed, uint64_t correlation);

#define WEIR_KEY_ANY  UINT64_MAX
#define WEIR_FROM_NOW UINT64_MAX
struct weir_subscribe {
    uint32_t id;    /* the session's own number for it */
    uint32_t topic; /* index in the service's .topics */
    uint32_t partition;
    uint64_t key; /* only records with this key; WEIR_KEY_ANY: all */
    /* offset to start from (catches up from the log, then goes live without a gap), or WEIR_FROM_NOW */
    uint64_t from;
    /* With FROM_NOW: this query runs at the very point where the subscription starts, and its answer (on_answer, with
     * .correlation) precedes the first record: snapshot + increments without a gap. NULL: none. */
    enum weir_error (*query)(const void *state, const struct weir_request *request, struct weir_answer *answer);
    struct weir_slice packed;
    uint64_t correlation;
};
WEIR_MUST enum weir_error weir_session_subscribe(struct weir_session *session, const struct weir_subscribe *subscribe);
void weir_session_unsubscribe(struct weir_session *session, uint32_t id);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
