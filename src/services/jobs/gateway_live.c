/* The live view over WebSocket: subscriptions to jobs.events, one for each partition that is asked for, whose id is the
 * partition's number. Owner: the session's lane. Nothing is allocated. */
#include "jobs/gateway_live.h"
#include "jobs/fold.h"
#include "jobs/live.h"

#define ERROR_MAX 1024u

struct live {
    struct live_request wanted;
    bool is_open;
};

static void say(struct weir_session *session, const char *text, size_t size) {
    if (size) (void)weir_session_send(session, weir_slice(text, size), true);
}

static void say_note(struct weir_session *session, const char *what, uint32_t partition) {
    char text[ERROR_MAX];
    say(session, text, live_note_write(what, partition, text, sizeof text));
}

static void say_error(struct weir_session *session, const char *code, const char *sentence) {
    char text[ERROR_MAX];
    say(session, text, live_error_write(code, sentence, text, sizeof text));
}

static void say_failure(struct weir_session *session, enum weir_error error) {
    const char *context = weir_error_text();
    say_error(session, weir_error_name(error), context[0] ? context : weir_error_sentence(error));
}

/* The partitions of a request: from *ret_first on, *ret_end is the first one that is none of it. */
static void partitions_of(
    struct weir_session *session, const struct live_request *r, uint32_t *ret_first, uint32_t *ret_end) {
    bool all = r->partition == LIVE_PARTITIONS_ALL;
    *ret_first = all ? 0 : r->partition;
    *ret_end = all ? weir_session_partition_count(session) : r->partition + 1;
}

static void stop(struct weir_session *session) {
    struct live *live = weir_session_state(session);
    uint32_t first, end;
    if (!live->is_open) return;
    partitions_of(session, &live->wanted, &first, &end);
    for (uint32_t p = first; p < end; p++)
        weir_session_unsubscribe(session, p);
    live->is_open = false;
}

static void start(struct weir_session *session, const struct live_request *r) {
    struct live *live = weir_session_state(session);
    uint32_t first, end;
    partitions_of(session, r, &first, &end);
    live->wanted = *r;
    live->is_open = true;
    say_note(session, "subscribed", LIVE_PARTITIONS_ALL);
    for (uint32_t p = first; p < end; p++) {
        struct weir_subscribe s = {.id = p,
            .topic = JOBS_TOPIC_EVENTS,
            .partition = p,
            .key = WEIR_KEY_ANY,
            .from = r->offset == UINT64_MAX ? WEIR_FROM_NOW : r->offset};
        enum weir_error e = weir_session_subscribe(session, &s);
        if (e) say_failure(session, e);
    }
}

static void on_bytes(struct weir_session *session, struct weir_slice bytes, bool text, size_t *ret_consumed) {
    struct live_request r;
    const char *error = NULL;
    uint32_t count = weir_session_partition_count(session);
    (void)text;
    *ret_consumed = bytes.size;
    if (!live_request_read(bytes, &r, &error)) {
        say_error(session, "INVALID", error);
    } else if (r.partition != LIVE_PARTITIONS_ALL && r.partition >= count) {
        say_error(session, "NOT_FOUND", "partition: there is none of that number");
    } else if (r.offset != UINT64_MAX && r.partition == LIVE_PARTITIONS_ALL && count > 1) {
        say_error(session, "INVALID", "offset: it is one of a partition; say which");
    } else if (r.op == LIVE_UNSUBSCRIBE) {
        stop(session);
        say_note(session, "unsubscribed", LIVE_PARTITIONS_ALL);
    } else {
        stop(session);
        start(session, &r);
    }
}

static void on_record(struct weir_session *session, uint32_t subscription, const struct weir_record *record) {
    const struct live *live = weir_session_state(session);
    char text[LIVE_MESSAGE_MAX];
    say(session, text, live_event_write(&live->wanted, subscription, record, text, sizeof text));
}

static void on_live(struct weir_session *session, uint32_t subscription, enum weir_error error) {
    if (error)
        say_failure(session, error);
    else
        say_note(session, "live", subscription);
}

const struct weir_protocol jobs_live_protocol = {
    .name = "live",
    .session_bytes = sizeof(struct live),
    .receive_bytes_max = 4096,
    .send_bytes_max = 8u << 20,
    .on_bytes = on_bytes,
    .on_record = on_record,
    .on_live = on_live,
};
