#include "jobs/gateway_wire.h"

#include "jobs/routes.h"

#define SEND_BYTES_MAX (32u << 20)

struct wire_session {
    bool logged_in, over;
    uint8_t worker_size;
    uint16_t partition; /* of its last fetch */
    uint8_t worker[JOBS_NAME_MAX];
};

static void answer(struct weir_session *session, uint32_t correlation, uint16_t status, struct weir_slice value) {
    struct jobs_wire head = {.size = (uint32_t)value.size, .correlation = correlation, .type = status};
    if (weir_session_send(session, weir_slice(&head, sizeof head), false) == WEIR_OK && value.size)
        (void)weir_session_send(session, value, false); /* FULL: it was closed, which on_close hears */
}

static void answer_error(struct weir_session *session, uint32_t correlation, enum weir_error error) {
    const char *text = weir_error_text()[0] ? weir_error_text() : weir_error_sentence(error);
    answer(session, correlation, (uint16_t)weir_error_http(error), weir_slice_text(text));
}

static void end(struct weir_session *session, const char *why) {
    struct wire_session *w = weir_session_state(session);
    w->over = true;
    weir_session_close(session, why);
}

static void login(struct weir_session *session, const struct jobs_wire *head, struct weir_slice value) {
    struct wire_session *w = weir_session_state(session);
    weir_error_clear();
    enum weir_error e = weir_session_login(session, value);
    w->logged_in = e == WEIR_OK;
    if (e)
        answer_error(session, head->correlation, e);
    else
        answer(session, head->correlation, 200, weir_slice("", 0));
    if (e) end(session, "the login was refused");
}

/* With one partition everything is in it; with several a queue that is sent to another one would live in two. */
static bool is_at_home(struct weir_session *session, const struct jobs_wire *head, struct weir_slice value) {
    uint32_t count = weir_session_partition_count(session);
    struct jobs_fetch_view fetch;
    struct jobs_new_view job;
    if (head->partition >= count) return false;
    if (count == 1) return true;
    if (head->type == JOBS_RECORD_FETCH && jobs_fetch_read(value, &fetch)) {
        for (uint32_t i = 0; i < fetch.head.queue_count; i++)
            if (weir_partition_of(fetch.queues[i], count) != head->partition) return false;
    } else if (head->type == JOBS_RECORD_PUSH) {
        for (size_t at = 0; at < value.size && jobs_new_next(value, &at, &job);)
            if (weir_partition_of(job.queue, count) != head->partition) return false;
    }
    return true;
}

static void note_worker(struct wire_session *w, const struct jobs_wire *head, struct weir_slice value) {
    struct jobs_fetch_view fetch;
    if (head->type != JOBS_RECORD_FETCH || !jobs_fetch_read(value, &fetch) || fetch.worker.size == 0) return;
    w->worker_size = (uint8_t)fetch.worker.size;
    w->partition = head->partition;
    memcpy(w->worker, fetch.worker.data, fetch.worker.size);
}

/* FULL: nothing was taken, the message is to be offered again. */
static enum weir_error take(struct weir_session *session, const struct jobs_wire *head, struct weir_slice value) {
    struct wire_session *w = weir_session_state(session);
    if (head->type == JOBS_WIRE_LOGIN) {
        login(session, head, value);
        return WEIR_OK;
    }
    weir_error_clear();
    enum weir_error e = WEIR_OK;
    struct weir_command command = {.partition = head->partition, .type = head->type, .value = value};
    if (head->type > JOBS_RECORD_SCHEDULE)
        e = weir_error_context(WEIR_E_UNSUPPORTED, "there is no command %u", head->type);
    else if (!is_at_home(session, head, value))
        e = weir_error_context(WEIR_E_INVALID, "partition %u is not that of the queue", head->partition);
    if (!e) e = weir_session_command(session, &command, head->correlation);
    if (e == WEIR_E_FULL) return e;
    if (e)
        answer_error(session, head->correlation, e);
    else
        note_worker(w, head, value);
    return WEIR_OK;
}

static void on_bytes(struct weir_session *session, struct weir_slice bytes, bool text, size_t *ret_consumed) {
    const struct wire_session *w = weir_session_state(session);
    size_t at = 0;
    (void)text;
    while (!w->over && bytes.size - at >= sizeof(struct jobs_wire)) {
        struct jobs_wire head;
        memcpy(&head, bytes.data + at, sizeof head);
        if (head.size > JOBS_WIRE_VALUE_MAX) {
            end(session, "a message is longer than the limit");
            break;
        }
        if (bytes.size - at - sizeof head < head.size) break;
        if (take(session, &head, weir_slice(bytes.data + at + sizeof head, head.size)) == WEIR_E_FULL) break;
        at += sizeof head + head.size;
    }
    *ret_consumed = w->over ? bytes.size : at;
}

static void on_reply(struct weir_session *session, uint64_t correlation, enum weir_error error, uint16_t status,
    struct weir_slice value) {
    weir_error_clear();
    if (error)
        answer_error(session, (uint32_t)correlation, error);
    else
        answer(session, (uint32_t)correlation, status, value);
}

static void on_close(struct weir_session *session) {
    const struct wire_session *w = weir_session_state(session);
    uint8_t bytes[sizeof(struct jobs_beat) + JOBS_NAME_MAX];
    struct jobs_beat gone = {.worker_size = w->worker_size, .flags = JOBS_BEAT_GONE};
    if (w->worker_size == 0) return;
    memcpy(bytes, &gone, sizeof gone);
    memcpy(bytes + sizeof gone, w->worker, w->worker_size);
    struct weir_command command = {
        .partition = w->partition, .type = JOBS_RECORD_BEAT, .value = weir_slice(bytes, sizeof gone + w->worker_size)};
    enum weir_error e = weir_session_command(session, &command, 0);
    (void)e; /* FULL: called again; else its leases have their own ends */
}

static enum weir_error open_session(struct weir_session *session) {
    (void)session;
    return WEIR_OK;
}

const struct weir_protocol jobs_wire_protocol = {
    .name = "jobs-wire",
    .session_bytes = sizeof(struct wire_session),
    .receive_bytes_max = JOBS_WIRE_VALUE_MAX + sizeof(struct jobs_wire),
    .send_bytes_max = SEND_BYTES_MAX,
    .open = open_session,
    .on_bytes = on_bytes,
    .on_reply = on_reply,
    .on_close = on_close,
};
