/* The Faktory gateway, whole sessions: a client that sends anything in any pieces, and a host that answers in its own
 * time and order of partitions, refuses, has no room or no memory. Whatever happens: what is sent is whole RESP
 * answers, each line that was taken gets one, in the end; commands can be read by what reads them in the log; nothing
 * is asked while the session has paused and is not offered anything. Input: u8 password or not, partitions, then steps
 * of {u8 what, u8 size, bytes}. Covers: gateway_faktory.c faktory_push.c faktory_work.c faktory_orders.c
 * faktory_info.c. */
#include "base/assert.h"
#include "jobs/faktory_ask.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ASKED_MAX   64
#define IN_MAX      (32u << 10)
#define SCRATCH_MAX 64
#define PASSWORD    "sesame"

struct asked {
    uint64_t correlation;
    faktory_query_fn query; /* NULL: a command */
    uint16_t type;
    uint32_t entries;
};
struct weir_session {
    struct faktory *state;
    uint32_t partitions;
    bool asks_password, closed, full, starved, paused, resumed, refused; /* full: the host takes nothing now */
    uint64_t mono_ns, wake_at_ns;
    uint32_t first, count;
    struct asked asked[ASKED_MAX];
    void *scratch[SCRATCH_MAX];
    uint32_t scratch_count;
    uint64_t lines, answers; /* taken; sent */
    size_t in_size;
    uint8_t in[IN_MAX];
};

/* ---- the edge, as far as the gateway sees it ---- */
void *weir_session_state(struct weir_session *s) {
    return s->state;
}
const struct weir_setting_value *weir_session_settings(struct weir_session *s) {
    static struct weir_setting_value values[JOBS_SET_COUNT];
    values[JOBS_SET_PAYLOAD_BYTES_MAX].number = 4096;
    values[JOBS_SET_ATTEMPTS_MAX].number = 5;
    values[JOBS_SET_FAKTORY_PASSWORD].text = s->asks_password ? PASSWORD : "";
    values[JOBS_SET_FAKTORY_FLUSH].number = s->partitions & 1;
    return values;
}
enum weir_error weir_session_login(struct weir_session *s, struct weir_slice secret) {
    WEIR_ASSERT((secret.size != 0) == s->asks_password);
    return WEIR_OK;
}
uint32_t weir_session_partition_count(struct weir_session *s) {
    return s->partitions;
}
const char *weir_session_tenant(struct weir_session *s) {
    (void)s;
    return "acme";
}
uint64_t weir_session_mono_ns(struct weir_session *s) {
    return s->mono_ns;
}
uint64_t weir_session_wall_ns(struct weir_session *s) {
    return UINT64_C(1767323045000000000) + s->mono_ns;
}
uint64_t weir_session_random(struct weir_session *s) {
    (void)s;
    return 4; /* few rounds of the hash */
}
void *weir_session_scratch(struct weir_session *s, size_t size) {
    if (s->starved || s->scratch_count == SCRATCH_MAX || size > WEIR_SESSION_SCRATCH_MAX) return NULL;
    return s->scratch[s->scratch_count++] = malloc(size ? size : 1);
}
static void scratch_end(struct weir_session *s) {
    while (s->scratch_count)
        free(s->scratch[--s->scratch_count]);
}
void weir_session_close(struct weir_session *s, const char *reason) {
    WEIR_ASSERT(reason != NULL);
    s->closed = true;
}
void weir_session_wake_at(struct weir_session *s, uint64_t mono_ns) {
    s->wake_at_ns = mono_ns;
}
void weir_session_pause(struct weir_session *s) {
    s->paused = true;
}
void weir_session_resume(struct weir_session *s) {
    if (!s->paused) return;
    s->paused = false;
    s->resumed = true;
}
/* Of the live view, which no Faktory session has. */
enum weir_error weir_session_subscribe(struct weir_session *s, const struct weir_subscribe *subscribe) {
    (void)s, (void)subscribe;
    return WEIR_E_UNSUPPORTED;
}
void weir_session_unsubscribe(struct weir_session *s, uint32_t id) {
    (void)s, (void)id;
}
enum weir_error weir_session_send(struct weir_session *s, struct weir_slice bytes, bool text) {
    struct weir_faktory_reply reply;
    enum weir_error e = weir_faktory_reply_parse(bytes, SIZE_MAX, &reply);
    WEIR_ASSERT(!text && !e && reply.size == bytes.size);
    struct json_reader json = json_reader(reply.text, JSON_DEPTH_MAX);
    if (reply.type == WEIR_FAKTORY_REPLY_BULK)
        WEIR_ASSERT(json_next(&json) && json_skip_value(&json) && json_next(&json) == JSON_END);
    s->answers++;
    return WEIR_OK;
}

static enum weir_error ask(struct weir_session *s, struct asked asked) {
    if (s->full || s->count == ASKED_MAX) {
        s->refused = true;
        return weir_error_context(WEIR_E_FULL, "the queue is full");
    }
    s->asked[(s->first + s->count++) % ASKED_MAX] = asked;
    return WEIR_OK;
}

/* The entries of a command, which its reader in the log must take to its end. */
static uint32_t entries_of(const struct weir_command *c) {
    struct jobs_new_view pushed;
    struct jobs_report_view said;
    struct jobs_fetch_view fetch;
    uint32_t count = 0;
    size_t at = 0;
    if (c->type == JOBS_RECORD_FETCH) WEIR_ASSERT(jobs_fetch_read(c->value, &fetch));
    if (c->type != JOBS_RECORD_PUSH && (c->type < JOBS_RECORD_ACK || c->type > JOBS_RECORD_RETURN)) return 1;
    for (; at < c->value.size; count++) {
        bool read = c->type == JOBS_RECORD_PUSH ? jobs_new_next(c->value, &at, &pushed)
                                                : jobs_report_next(c->value, &at, &said);
        WEIR_ASSERT(read);
    }
    WEIR_ASSERT(count > 0 && count <= JOBS_ENTRIES_MAX);
    return count;
}
enum weir_error weir_session_command(struct weir_session *s, const struct weir_command *c, uint64_t correlation) {
    WEIR_ASSERT(c->partition < s->partitions && c->type >= JOBS_RECORD_PUSH && c->type <= JOBS_RECORD_QUEUE);
    return ask(s, (struct asked){.correlation = correlation, .type = c->type, .entries = entries_of(c)});
}
enum weir_error weir_session_query(struct weir_session *s, uint32_t partition, faktory_query_fn query,
    struct weir_slice packed, uint64_t correlation) {
    WEIR_ASSERT(partition < s->partitions && query && (packed.size == 0 || packed.data));
    return ask(s, (struct asked){.correlation = correlation, .query = query});
}

/* ---- what the partitions say ---- */
static uint8_t answer_room[1 << 16];

static size_t leased(uint8_t seed, struct weir_slice text) {
    struct jobs_leased h = {.id = 1u + seed,
        .epoch = 1,
        .lease_ms = 60000,
        .attempt = (uint8_t)(1 + (seed >> 6)),
        .attempts_max = 5,
        .queue_size = 1,
        .type_size = 1,
        .pushed_ns = 1,
        .ready_ns = 1,
        .failed_ns = seed >> 6};
    static const char kept[] = "{\"jid\":\"12345678\",\"queue\":\"q\"}";
    bool is_faktory = seed & 1;
    h.flags = (uint8_t)(is_faktory ? JOBS_NEW_TEXT | JOBS_NEW_FAKTORY : seed & 2 ? JOBS_NEW_TEXT : 0);
    if (!(seed & 2) || !utf8_valid(text)) text = weir_slice_text("[1,2]");
    if (is_faktory) text = weir_slice_text(kept);
    h.payload_size = (uint32_t)text.size;
    h.error_size = seed & 64 ? 1 : 0;
    h.size = (uint32_t)JOBS_ALIGN(sizeof h + 2 + text.size + h.error_size);
    memset(answer_room, 0, h.size);
    memcpy(answer_room, &h, sizeof h);
    memcpy(answer_room + sizeof h, "qt", 2);
    if (text.size) memcpy(answer_room + sizeof h + 2, text.data, text.size);
    if (h.error_size) answer_room[sizeof h + 2 + text.size] = 'E';
    return h.size;
}

static size_t command_answer(const struct asked *asked, uint8_t seed, struct weir_slice text) {
    struct jobs_pushed pushed = {.reason = seed & 7 ? JOBS_OK : seed >> 3};
    struct jobs_reported said = {.reason = seed % 10 < 8 ? seed % 10 : 0};
    struct jobs_beaten beaten = {.state = seed % 3};
    struct jobs_operated operated = {.next = seed % 5 == 0, .count = seed};
    switch (asked->type) {
    case JOBS_RECORD_PUSH:
        for (uint32_t i = 0; i < asked->entries; i++)
            memcpy(answer_room + i * sizeof pushed, &pushed, sizeof pushed);
        return asked->entries * sizeof pushed;
    case JOBS_RECORD_FETCH:
        return seed % 3 == 0 ? 0 : leased(seed, text);
    case JOBS_RECORD_BEAT:
        memcpy(answer_room, &beaten, sizeof beaten);
        return sizeof beaten;
    case JOBS_RECORD_OPERATE:
    case JOBS_RECORD_QUEUE:
        memcpy(answer_room, &operated, sizeof operated);
        return sizeof operated;
    default:
        memcpy(answer_room, &said, sizeof said);
        return sizeof said;
    }
}

static size_t query_answer(const struct asked *asked, uint8_t seed) {
    if (asked->query == faktory_query_sums) {
        static struct faktory_sums sums;
        sums = (struct faktory_sums){.queues = seed, .states = {seed}, .text_size = seed % 3 ? 7 : 0, .workers = seed};
        memcpy(sums.text, "\"q\":12,", 7);
        memcpy(answer_room, &sums, sizeof sums);
        return offsetof(struct faktory_sums, text) + sums.text_size;
    }
    if (asked->query == faktory_query_track) {
        struct faktory_track track = {.state = seed % 8, .progress = seed % 101, .since_ns = seed};
        memcpy(answer_room, &track, sizeof track);
        return sizeof track;
    }
    if (asked->query == faktory_query_select) {
        static struct faktory_selected found;
        found.next = seed % 7 == 0;
        found.count = seed % 5;
        memcpy(answer_room, &found, sizeof found);
        return offsetof(struct faktory_selected, ids) + found.count * sizeof(uint64_t);
    }
    memset(answer_room, seed, sizeof(uint64_t));
    return sizeof(uint64_t);
}

/* The oldest, or the next one after it: partitions answer in their own order. mode 0: well; 1: refused; 2: an error. */
static void host_answers(struct weir_session *s, uint8_t mode, uint8_t seed, struct weir_slice text) {
    if (s->count == 0) return;
    struct asked asked = s->asked[s->first];
    s->first = (s->first + 1) % ASKED_MAX;
    s->count--;
    uint8_t reason[3] = {0, seed % 14, 0};
    size_t size = asked.query ? query_answer(&asked, seed) : command_answer(&asked, seed, text);
    struct weir_slice value = mode == 0 ? weir_slice(answer_room, size) : weir_slice(reason, mode == 1 ? 3 : 0);
    enum weir_error e = mode == 2 ? WEIR_E_PARKED : WEIR_OK;
    uint16_t status = mode == 0 ? 200 : mode == 1 ? 409 : 503;
    if (asked.query)
        jobs_faktory_protocol.on_answer(s, asked.correlation, e, status, value);
    else
        jobs_faktory_protocol.on_reply(s, asked.correlation, e, status, value);
    scratch_end(s);
}

/* ---- what happens ---- */
static void offer(struct weir_session *s) {
    size_t consumed = 0;
    s->resumed = s->refused = false;
    if (s->paused || s->closed || s->in_size == 0) return;
    uint8_t *copy = malloc(s->in_size); /* its own block: ASan sees a read behind it */
    WEIR_ASSERT(copy);
    memcpy(copy, s->in, s->in_size);
    jobs_faktory_protocol.on_bytes(s, weir_slice(copy, s->in_size), false, &consumed);
    free(copy);
    scratch_end(s);
    WEIR_ASSERT(consumed <= s->in_size);
    for (size_t i = 0; i < consumed; i++)
        s->lines += s->in[i] == '\n';
    s->in_size -= consumed;
    memmove(s->in, s->in + consumed, s->in_size);
}

static void bytes_come(struct weir_session *s, struct weir_slice bytes) {
    if (s->paused) return; /* nothing is read */
    size_t take = bytes.size < IN_MAX - s->in_size ? bytes.size : IN_MAX - s->in_size;
    if (take) memcpy(s->in + s->in_size, bytes.data, take);
    s->in_size += take;
    offer(s);
}

static void time_goes(struct weir_session *s, uint64_t ns) {
    s->mono_ns += ns;
    if (!s->wake_at_ns || s->wake_at_ns > s->mono_ns || s->closed) return;
    s->wake_at_ns = 0;
    jobs_faktory_protocol.on_time(s, s->mono_ns);
    scratch_end(s);
}

static void happens(struct weir_session *s, uint8_t what, struct weir_slice bytes) {
    switch (what & 7) {
    case 0:
    case 1:
        host_answers(s, what >> 3 & 7 ? 0 : what & 1 ? 1 : 2, what >> 3, bytes);
        break;
    case 2:
        time_goes(s, UINT64_C(20000000) * (what >> 3));
        break;
    case 3:
        s->full = what & 8;
        s->starved = (what & 0xf0) == 0xf0;
        break;
    default:
        bytes_come(s, bytes);
    }
    if (s->resumed || s->refused) offer(s);
}

/* In the end the host answers all, and every line that was taken has its answer. */
static void settle(struct weir_session *s) {
    s->full = s->starved = false;
    offer(s);
    for (int i = 0; i < 30000 && !s->closed && (s->count || s->paused || s->answers != s->lines + 1); i++) {
        offer(s);
        host_answers(s, 0, 9, weir_slice_text("\"x\""));
        time_goes(s, UINT64_C(50000000));
    }
    WEIR_ASSERT(s->closed || (s->count == 0 && !s->paused));
    WEIR_ASSERT(s->closed || s->answers == s->lines + 1); /* and the greeting */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct weir_session s;
    if (size < 1) return 0;
    s = (struct weir_session){.asks_password = data[0] & 1, .partitions = 1u + (data[0] >> 1) % 3, .mono_ns = 1000};
    s.state = calloc(1, jobs_faktory_protocol.session_bytes);
    WEIR_ASSERT(s.state);
    enum weir_error e = jobs_faktory_protocol.open(&s);
    WEIR_ASSERT(!e);
    for (size_t at = 1; at + 2 <= size && !s.closed;) {
        size_t take = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;
        happens(&s, data[at], weir_slice(data + at + 2, take));
        at += 2 + take;
    }
    settle(&s);
    s.full = false;
    s.count = 0;
    jobs_faktory_protocol.on_close(&s);
    scratch_end(&s);
    free(s.state);
    return 0;
}
