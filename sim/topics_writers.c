/* Those who append: plainly, as idempotent producers, or in ways that must be refused. See topics.h. */
#include "sim/topics.h"

#include <weir/service.h>

#include <stdlib.h>

enum request { REQUEST_PLAIN, REQUEST_PRODUCED, REQUEST_REFUSED };
struct topics_writer {
    struct client client;
    enum request request;
    uint64_t first; /* of its records */
    uint32_t count, topic, changes;
    int refusal;      /* the status it must get */
    uint64_t rest_ns; /* told to try again later: in the calm it does, else a stalled thread uses up the ledger */
    struct topics_producer producers[2], *producer;
    struct topics_batch batch;
    enum topics_expect expect;
};

void topics_writers_open(struct topics *t) {
    t->writers = calloc(t->writer_count, sizeof *t->writers);
    WEIR_ASSERT(t->writers != NULL);
    for (uint32_t i = 0; i < t->writer_count; i++) {
        struct topics_writer *w = &t->writers[i];
        client_init(&w->client, t->sim);
        for (uint32_t k = 0; k < 2; k++) {
            uint32_t topic = sim_pick(t->sim, t->topic_count);
            if (t->crowd && topic == 0) topic = t->topic_count - 1; /* where it is not pushed out */
            w->producers[k].topic = topic;
            w->producers[k].partition = sim_pick(t->sim, t->topics[topic].partitions);
        }
    }
}

void topics_writers_close(struct topics *t) {
    for (uint32_t i = 0; i < t->writer_count; i++)
        client_done(&t->writers[i].client);
    free(t->writers);
}

void topics_writers_hang_up(struct topics *t) {
    for (uint32_t i = 0; i < t->writer_count; i++)
        client_hang_up(&t->writers[i].client);
}

/* ---- asking -------------------------------------------------------------------------------------------------- */
static void send_body(struct topics *t, struct topics_writer *w, uint32_t topic, const char *query) {
    char target[160];
    snprintf(target, sizeof target, "/v1/topics/%s/records%s", t->topics[topic].name, query);
    w->topic = topic;
    w->changes = t->topics[topic].changes;
    client_ask(&w->client, "POST", target, NULL, t->body);
}

static void send_records(
    struct topics *t, struct topics_writer *w, uint64_t first, uint32_t count, uint32_t topic, const char *query) {
    bool wrapped = first % 8 == 0;
    size_t at = (size_t)snprintf(t->body, 32, wrapped ? "{\"records\":[" : "[");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) t->body[at++] = ',';
        at += topics_put_record(t, first + i, t->body + at);
    }
    snprintf(t->body + at, 8, wrapped ? "]}" : "]");
    w->first = first;
    w->count = count;
    send_body(t, w, topic, query);
}

static void ask_plain(struct topics *t, struct topics_writer *w, uint32_t topic) {
    const struct sim_topic *to = &t->topics[topic];
    char query[128], number[24];
    uint32_t partition = sim_pick(t->sim, to->partitions), count = 1;
    bool keyed = t->count % 6 == 1 && sim_percent(t->sim, 50); /* that record has its number as its key */
    if (keyed) {
        int size = snprintf(number, sizeof number, "%llu", (unsigned long long)t->count);
        partition = weir_partition_of(weir_slice(number, (size_t)size), to->partitions);
    }
    uint64_t first = t->count;
    if (keyed)
        topics_record(t, topic, partition, sim_pick(t->sim, 100));
    else
        first = topics_some_records(t, topic, partition, &count);
    snprintf(query, sizeof query, "?partition=%u", partition);
    if (keyed || (to->partitions == 1 && sim_percent(t->sim, 30))) query[0] = 0;
    w->request = REQUEST_PLAIN;
    if (t->crowd && topic == 0) {
        snprintf(query, sizeof query, "?partition=%u&producerId=%llu&producerEpoch=0&sequence=0", partition,
            (unsigned long long)((1ull << 40) + first));
    }
    send_records(t, w, first, count, topic, query);
}

/* One record that fills a batch to the last byte, or is larger than a batch may be. */
static void ask_large(struct topics *t, struct topics_writer *w, uint32_t topic) {
    static const int32_t beside[] = {0, 0, -1, 1, 30000};
    uint32_t limit = t->sim->plan.log.batch_bytes_max, partition = sim_pick(t->sim, t->topics[topic].partitions);
    int32_t more = beside[sim_pick(t->sim, 5)];
    uint64_t n = topics_record(t, topic, partition, limit - 200);
    t->records[n].size += (uint32_t)((int64_t)limit + more - (int64_t)topics_batch_size(t, n, 1));
    w->request = more > 0 ? REQUEST_REFUSED : REQUEST_PLAIN;
    w->refusal = 413;
    if (more > 0) topics_heard(t, n, 1, RECORD_ABSENT, 0);
    char query[32];
    snprintf(query, sizeof query, "?partition=%u", partition);
    send_records(t, w, n, 1, topic, query);
}

/* Nothing of it may ever be found: the value is not one of the ledger's. */
static void ask_malformed(struct topics *t, struct topics_writer *w, uint32_t topic) {
    static const struct {
        int status;
        const char *query, *body;
    } rows[] = {
        {400, "?partition=0", ""},
        {400, "?partition=0", "["},
        {400, "?partition=0", "[]"},
        {400, "?partition=0", "7"},
        {400, "?partition=0", "[{\"value\":7}]"},
        {400, "?partition=0", "[{\"value\":\"x\"},{\"other\":\"x\"}]"},
        {400, "?partition=0", "[{\"value\":\"x\",\"value\":\"y\"}]"},
        {400, "?partition=0", "[{\"valueBase64\":\"!\"}]"},
        {400, "?partition=0", "[{\"value\":\"x\"}] x"},
        {400, "?partition=0", "{\"records\":[{\"value\":\"x\"}],\"more\":1}"},
        {400, "?partition=x", "[{\"value\":\"x\"}]"},
        {404, "?partition=8", "[{\"value\":\"x\"}]"},
        {400, "?partition=0&producerId=1", "[{\"value\":\"x\"}]"},
        {400, "?partition=0&producerId=1&producerEpoch=0&sequence=-1", "[{\"value\":\"x\"}]"},
        {400, "?partition=0&producerId=1&producerEpoch=32768&sequence=0", "[{\"value\":\"x\"}]"},
    };
    uint32_t row = sim_pick(t->sim, sizeof rows / sizeof *rows);
    snprintf(t->body, 64, "%s", rows[row].body);
    w->request = REQUEST_REFUSED;
    w->refusal = rows[row].status;
    w->count = 0;
    send_body(t, w, topic, rows[row].query);
}

static void ask_as(struct topics *t, struct topics_writer *w, struct topics_producer *p) {
    char query[128];
    w->producer = p;
    w->expect = topics_producer_next(t, p, &w->batch);
    w->request = REQUEST_PRODUCED;
    snprintf(query, sizeof query, "?partition=%u&producerId=%llu&producerEpoch=%u&sequence=%u", p->partition,
        (unsigned long long)p->id, w->batch.epoch, w->batch.sequence);
    send_records(t, w, w->batch.first, w->batch.count, p->topic, query);
}

static void ask(struct topics *t, struct topics_writer *w) {
    uint32_t topic = sim_pick(t->sim, t->topic_count), dice = sim_pick(t->sim, 100);
    struct topics_producer *p = &w->producers[sim_pick(t->sim, 2)];
    if (t->crowd && sim_percent(t->sim, 60)) topic = 0, dice = 99;
    if (!topics_room(t, TOPICS_BATCH_MAX)) return;
    if (dice < 35 && topic_may_be_there(&t->topics[p->topic]))
        ask_as(t, w, p);
    else if (!topic_may_be_there(&t->topics[topic]))
        return;
    else if (dice < 37)
        ask_large(t, w, topic);
    else if (dice < 40)
        ask_malformed(t, w, topic);
    else
        ask_plain(t, w, topic);
}

/* ---- hearing ------------------------------------------------------------------------------------------------- */
static bool answer_offset(struct topics *t, const struct client *c, uint64_t *ret_offset) {
    const char *offset = memmem(c->body.data, c->body.size, "\"offset\":", 9);
    if (offset)
        *ret_offset = strtoull(offset + 9, NULL, 10);
    else
        sim_fail(t->sim, "an append is answered without an offset: %.*s", (int)c->body.size, c->body.data);
    return offset != NULL;
}

static enum record_fate fate_of(const struct client *c) {
    if (c->state == CLIENT_UNSENT) return RECORD_ABSENT;
    if (c->state == CLIENT_DOUBT) return RECORD_DOUBT;
    if (c->status == 200) return RECORD_ACKED;
    return c->status >= 500 && c->status != 507 ? RECORD_DOUBT : RECORD_ABSENT;
}

static void take_plain(struct topics *t, struct topics_writer *w) {
    uint64_t offset = 0;
    enum record_fate fate = fate_of(&w->client);
    if (fate == RECORD_ACKED && !answer_offset(t, &w->client, &offset)) return;
    if (fate == RECORD_ACKED && t->sim->calm && t->calm_left > 0) t->calm_left--;
    topics_heard(t, w->first, w->count, fate, offset);
    if (w->client.state == CLIENT_ANSWERED && (w->client.status == 400 || w->client.status == 413))
        sim_fail(t->sim, "a good append is refused: %.*s", (int)w->client.body.size, w->client.body.data);
}

static void take_refused(struct topics *t, const struct topics_writer *w) {
    const struct client *c = &w->client;
    if (c->state != CLIENT_ANSWERED || c->status == w->refusal || c->status == 404 || c->status >= 500) return;
    sim_fail(t->sim, "an append is answered with %d that must be refused with %d: %.*s", c->status, w->refusal,
        (int)c->body.size, c->body.data);
}

/* The answer to an idempotent batch whose topic nobody touched since it was sent, on a disk without damage. */
static void judge_produced(struct topics *t, struct topics_writer *w, uint64_t offset, bool repeated) {
    const struct client *c = &w->client;
    unsigned long long id = w->producer->id;
    if (w->expect == EXPECT_REFUSED && c->status != 409)
        sim_fail(t->sim,
            "producer %llu: sequence %u of epoch %u is answered with %d; it must be refused (next is %u of %u)", id,
            w->batch.sequence, w->batch.epoch, c->status, w->producer->next, w->producer->epoch);
    if (w->expect != EXPECT_REFUSED && c->status == 409)
        sim_fail(t->sim, "producer %llu: sequence %u of epoch %u is refused: %.*s", id, w->batch.sequence,
            w->batch.epoch, (int)c->body.size, c->body.data);
    if (w->expect == EXPECT_REPEATED && c->status == 200 && (!repeated || offset != w->batch.offset))
        sim_fail(t->sim, "producer %llu: sequence %u is at offset %llu; repeated it is answered with %llu", id,
            w->batch.sequence, (unsigned long long)w->batch.offset, (unsigned long long)offset);
}

static void take_produced(struct topics *t, struct topics_writer *w) {
    struct topics_producer *p = w->producer;
    const struct client *c = &w->client;
    enum record_fate fate = fate_of(c);
    uint64_t offset = 0;
    if (fate == RECORD_ACKED && !answer_offset(t, c, &offset)) return;
    bool repeated = fate == RECORD_ACKED && memmem(c->body.data, c->body.size, "\"repeated\":true", 15);
    bool stands = topic_stands(&t->topics[w->topic], w->changes);
    if (c->state == CLIENT_ANSWERED && c->status < 500 && c->status != 404 && stands && sim_damages_ever(t->sim) == 0)
        judge_produced(t, w, offset, repeated);
    if (w->expect != EXPECT_STORED) return;
    if (fate == RECORD_ACKED) {
        topics_heard(t, w->batch.first, w->batch.count, RECORD_ACKED, offset);
        if (stands)
            topics_producer_stored(t, p, offset, repeated);
        else
            topics_producer_reset(t, p);
    } else if (fate == RECORD_DOUBT) {
        p->tried = true;
    } else if (c->status == 404 || c->status == 409) {
        topics_producer_reset(t, p);
    }
}

#define REST_NS (50 * SYS_NANOS_PER_MS)

static void take_answer(struct topics *t, struct topics_writer *w) {
    if (w->client.state == CLIENT_ANSWERED && w->client.status == 503) w->rest_ns = sim_now_ns(t->sim) + REST_NS;
    if (w->client.state == CLIENT_ANSWERED && w->request != REQUEST_REFUSED)
        topics_judge(t, &w->client, &t->topics[w->topic], w->changes);
    if (w->request == REQUEST_PLAIN)
        take_plain(t, w);
    else if (w->request == REQUEST_REFUSED)
        take_refused(t, w);
    else
        take_produced(t, w);
}

/* In calm weather what is still in doubt is asked, until it is answered; then as much that is new as must succeed. */
static void ask_in_the_calm(struct topics *t, struct topics_writer *w) {
    if (sim_now_ns(t->sim) < w->rest_ns) return;
    for (uint32_t k = 0; k < 2; k++) {
        struct topics_producer *p = &w->producers[k];
        bool same = p->incarnation == t->topics[p->topic].incarnation && t->topics[p->topic].state == TOPIC_THERE;
        if (!p->pending || !same || sim_damages_ever(t->sim) > 0) continue;
        ask_as(t, w, p);
        return;
    }
    uint32_t topic = sim_pick(t->sim, t->topic_count);
    bool there = node_is_open(&t->sim->node) && t->topics[topic].state == TOPIC_THERE;
    if (t->calm_left == 0 || !there || !topics_room(t, TOPICS_BATCH_MAX)) return;
    if (sim_percent(t->sim, 10))
        ask_large(t, w, topic);
    else
        ask_plain(t, w, topic);
}

/* Some of what is new has not succeeded, and could: a topic is there, on a disk without damage. */
static bool misses_some(const struct topics *t) {
    if (t->calm_left == 0 || sim_damages_ever(t->sim) > 0) return false;
    for (uint32_t i = 0; i < t->topic_count; i++)
        if (t->topics[i].state == TOPIC_THERE) return true;
    return false;
}

void topics_writers_step(struct topics *t, bool calm) {
    for (uint32_t i = 0; i < t->writer_count; i++) {
        struct topics_writer *w = &t->writers[i];
        bool asked = w->client.state != CLIENT_FREE;
        client_step(&w->client);
        if (w->client.state == CLIENT_WAITS) continue;
        if (asked) take_answer(t, w);
        client_done_with(&w->client);
        if (calm)
            ask_in_the_calm(t, w);
        else if (sim_percent(t->sim, 60))
            ask(t, w);
    }
}

bool topics_writers_settled(const struct topics *t) {
    for (uint32_t i = 0; i < t->writer_count; i++)
        if (t->writers[i].client.state != CLIENT_FREE) return false;
    return !misses_some(t);
}
