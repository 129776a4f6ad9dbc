#include "projection/reader.h"

#include <stdio.h>

#define QUESTION_RING (128u << 10)
#define ANSWER_RING   (1u << 20)
#define PAGE_BYTES    (SEARCH_ANSWER_MAX + 4096u) /* `next` behind the rows */
#define IDLE_NS       (100 * SYS_NANOS_PER_MS)
#define RETRY_NS      (1 * SYS_NANOS_PER_MS) /* while a lane's ring of answers is full */

struct question { /* the texts of its values follow; their pointers are offsets there */
    struct host_origin origin;
    struct search search;
    uint32_t source;
    int wake_poller;
};
struct answer { /* text, then the packed response */
    struct host_origin origin;
    enum weir_error error;
    uint32_t text_size, value_size;
};

/* ---- a lane's side ---- */

static bool has_bytes(const struct database_value *value) {
    return value->kind >= DATABASE_TEXT;
}

enum weir_error reader_ask(struct reader *r, uint32_t lane, int wake_poller, uint32_t source,
    const struct search *search, struct host_origin origin) {
    struct byte_ring *ring = &r->lanes[lane].questions;
    size_t size = 0;
    for (uint32_t i = 0; i < WEIR_FILTERS_MAX; i++)
        if (search->set >> i & 1 && has_bytes(&search->values[i])) size += search->values[i].bytes.size;
    if (size > SEARCH_TEXT_MAX)
        return weir_error_context(WEIR_E_TOO_LARGE, "the texts of a question have at most %u bytes", SEARCH_TEXT_MAX);
    struct question *q = byte_ring_reserve(ring, sizeof *q + size);
    if (!q) return weir_error_context(WEIR_E_FULL, "too many questions about rows wait");
    *q = (struct question){origin, *search, source, wake_poller};
    size_t at = 0;
    for (uint32_t i = 0; i < WEIR_FILTERS_MAX; i++) {
        struct database_value *v = &q->search.values[i];
        if (!(search->set >> i & 1) || !has_bytes(v)) continue;
        if (v->bytes.size) memcpy((uint8_t *)(q + 1) + at, v->bytes.data, v->bytes.size);
        v->bytes.data = (const uint8_t *)at;
        at += v->bytes.size;
    }
    byte_ring_commit(ring, sizeof *q + size, 0);
    r->sys->poller_wake(r->sys, r->poller);
    return WEIR_OK;
}

void reader_answers(
    struct reader *r, uint32_t lane, void (*deliver)(void *ctx, const struct host_delivery *delivery), void *ctx) {
    struct byte_ring *ring = &r->lanes[lane].answers;
    struct weir_slice message;
    uint32_t tag;
    while (byte_ring_peek(ring, &message, &tag)) {
        struct answer a;
        char text[512];
        memcpy(&a, message.data, sizeof a);
        const uint8_t *at = message.data + sizeof a;
        snprintf(text, sizeof text, "%.*s", (int)a.text_size, at);
        const struct host_delivery d = {.kind = HOST_ANSWER,
            .origin = a.origin,
            .error = a.error,
            .status = (uint16_t)weir_error_http(a.error),
            .text = text,
            .value = weir_slice(at + a.text_size, a.value_size)};
        deliver(ctx, &d);
        byte_ring_release(ring);
    }
}

/* ---- the reader's thread ---- */

static void forget(struct reader_source *s) {
    if (s->database) s->kind->close(s->database);
    s->database = NULL;
    s->count = 0;
    arena_reset(&s->texts);
}

/* The same text has the same address for as long as the connection lives. */
static const char *intern(struct reader_source *s, const char *sql) {
    for (uint32_t i = 0; i < s->count; i++)
        if (strcmp(s->sql[i], sql) == 0) return s->sql[i];
    if (s->count == DATABASE_STATEMENTS_MAX) return NULL;
    const char *copy = arena_strdup(&s->texts, sql);
    if (copy) s->sql[s->count++] = copy;
    return copy;
}

static enum weir_error connect_source(struct reader_source *s, const char *sql, const char **ret_sql) {
    enum weir_error e = s->database ? WEIR_OK : s->kind->open(&s->options, &s->database);
    if (e) return e;
    *ret_sql = intern(s, sql);
    if (*ret_sql) return WEIR_OK;
    forget(s); /* too many kinds of questions on one connection: a fresh one */
    e = s->kind->open(&s->options, &s->database);
    if (e) return e;
    *ret_sql = intern(s, sql);
    return *ret_sql ? WEIR_OK : weir_error_context(WEIR_E_NO_MEMORY, "no memory for a question");
}

static enum weir_error find_rows(struct reader *r, const struct question *q, struct search_answer *answer) {
    struct reader_source *s = &r->sources[q->source];
    char text[SEARCH_SQL_MAX];
    struct text_builder built = TEXT_BUILDER(text);
    struct database_value values[WEIR_FILTERS_MAX + SEARCH_KEY_MAX + 1];
    uint32_t count;
    const char *sql;
    *answer = (struct search_answer){.search = &q->search, .out = byte_writer(r->page, PAGE_BYTES)};
    enum weir_error e = search_build(&q->search, &built, values, &count);
    if (!e) e = connect_source(s, text, &sql);
    if (!e) e = s->kind->select(s->database, sql, values, count, search_take_row, answer);
    if (e) {
        forget(s);
        return e;
    }
    return search_finish(answer);
}

/* False: there is no room for its answer yet. */
static bool serve(struct reader *r, struct reader_lane *lane, struct weir_slice message) {
    struct question q;
    struct search_answer found;
    /* What an answer needs at most, before anything is asked: no question is asked twice. */
    uint8_t *room = byte_ring_reserve(&lane->answers, sizeof(struct answer) + 512 + PAGE_BYTES);
    if (!room) return false;
    memcpy(&q, message.data, sizeof q);
    for (uint32_t i = 0; i < WEIR_FILTERS_MAX; i++)
        if (q.search.set >> i & 1 && has_bytes(&q.search.values[i]))
            q.search.values[i].bytes.data = message.data + sizeof q + (uintptr_t)q.search.values[i].bytes.data;
    weir_error_clear();
    enum weir_error e = find_rows(r, &q, &found);
    struct weir_slice text = weir_slice_text(e ? weir_error_text() : "");
    struct answer a = {q.origin, e, (uint32_t)text.size, e ? 0 : (uint32_t)found.out.at};
    memcpy(room, &a, sizeof a);
    memcpy(room + sizeof a, text.data, text.size);
    if (a.value_size) memcpy(room + sizeof a + text.size, r->page, a.value_size);
    byte_ring_commit(&lane->answers, sizeof a + text.size + a.value_size, 0);
    r->sys->poller_wake(r->sys, q.wake_poller);
    return true;
}

/* One question of each lane in turn. */
static uint32_t work(void *self, uint64_t block_ns) {
    struct reader *r = self;
    struct sys_poll_event event;
    struct weir_slice message;
    uint32_t tag, done = 0;
    bool full = false;
    for (uint32_t i = 0; i < r->lane_count; i++) {
        if (!byte_ring_peek(&r->lanes[i].questions, &message, &tag)) continue;
        if (serve(r, &r->lanes[i], message)) {
            byte_ring_release(&r->lanes[i].questions);
            done++;
        } else {
            full = true;
        }
    }
    uint64_t limit = full ? RETRY_NS : IDLE_NS;
    if (done == 0) (void)r->sys->poller_wait(r->sys, r->poller, &event, 1, block_ns < limit ? block_ns : limit);
    return done;
}

/* ---- life ---- */

enum weir_error reader_open(struct reader *r, struct sys *sys, uint32_t lanes, uint32_t sources) {
    size_t rings = (size_t)lanes * (QUESTION_RING + ANSWER_RING);
    size_t heads = (size_t)lanes * sizeof(struct reader_lane);
    *r = (struct reader){.sys = sys, .poller = -1, .handle = -1, .lane_count = lanes};
    r->memory_size = rings + PAGE_BYTES + sources * sizeof(struct reader_source) + heads + 64;
    enum weir_error e = sys_memory_map(r->memory_size, &r->memory);
    if (e) {
        r->memory = NULL;
        return e;
    }
    uint8_t *at = r->memory;
    r->page = at + rings;
    r->sources = (void *)(r->page + PAGE_BYTES); /* PAGE_BYTES is a multiple of a cache line */
    r->lanes = (void *)(r->sources + sources);
    for (uint32_t i = 0; i < lanes; i++, at += QUESTION_RING + ANSWER_RING) {
        byte_ring_init(&r->lanes[i].questions, at, QUESTION_RING);
        byte_ring_init(&r->lanes[i].answers, at + QUESTION_RING, ANSWER_RING);
    }
    return sys->poller_open(sys, &r->poller);
}

void reader_add(struct reader *r, const struct database_kind *kind, const struct database_options *options) {
    struct reader_source *s = &r->sources[r->source_count++];
    *s = (struct reader_source){.kind = kind, .options = *options};
    s->options.reader = true;
    s->options.poller = r->poller;
    arena_init(&s->texts, NULL, SEARCH_SQL_MAX, (size_t)DATABASE_STATEMENTS_MAX * SEARCH_SQL_MAX);
}

enum weir_error reader_start(struct reader *r) {
    const struct sys_agent agent = {.name = "weir-rows", .do_work = work, .self = r};
    return r->sys->agent_start(r->sys, &agent, r->poller, &r->handle);
}

void reader_stop(struct reader *r) {
    if (r->memory && r->handle >= 0) r->sys->agent_stop(r->sys, r->handle);
    r->handle = -1;
}

void reader_close(struct reader *r) {
    if (!r->memory) return;
    reader_stop(r);
    for (uint32_t i = 0; i < r->source_count; i++) {
        forget(&r->sources[i]);
        arena_done(&r->sources[i].texts);
    }
    if (r->poller >= 0) r->sys->poller_close(r->sys, r->poller);
    sys_memory_unmap(r->memory, r->memory_size);
    r->memory = NULL;
}
