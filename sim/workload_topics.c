/* Plain topics: many producers append over HTTP, each record can be told from all others. Acknowledged: it is at its
 * offset. In doubt: it is there once or not at all. Refused or never sent: it is not there. */
#include "sim/workload.h"

#include "base/hash.h"
#include "host/batch.h"
#include "sim/frame.h"

#include <stdlib.h>

#define TOPICS_MAX     2u
#define PARTITIONS_MAX 3u
#define WRITERS_MAX    6u
#define BATCH_MAX      5u
#define RECORDS_MAX    4000u
#define VALUE_MAX      6000u
#define NOT_SEEN       UINT64_MAX

enum fate { FATE_ASKED, FATE_ACKED, FATE_DOUBT, FATE_ABSENT };
struct asked {
    enum fate fate;
    uint8_t topic, partition;
    uint64_t offset; /* ACKED */
    uint64_t seen;   /* offset it was found at */
    uint64_t frame;  /* ACKED: the newest journal frame when it was heard of */
    uint32_t life;   /* ACKED: in which it was heard of */
};
struct writer {
    struct client client;
    uint64_t first; /* of its request */
    uint32_t count; /* 0: it makes its topic */
};
struct topics {
    struct sim *sim;
    uint32_t topic_count, partition_count, writer_count;
    uint32_t life;
    bool made[TOPICS_MAX];
    struct writer writers[WRITERS_MAX];
    struct asked *asked;
    uint64_t count;
    uint64_t frame_ready, frame_last; /* of the journal: when this life began to serve; newest known */
    char *body;
};

static void *topics_open(struct sim *sim) {
    struct topics *t = calloc(1, sizeof *t);
    WEIR_ASSERT(t != NULL);
    t->sim = sim;
    t->topic_count = (uint32_t)prng_between(&sim->prng, 1, TOPICS_MAX);
    t->partition_count = (uint32_t)prng_between(&sim->prng, 1, PARTITIONS_MAX);
    t->writer_count = (uint32_t)prng_between(&sim->prng, 1, WRITERS_MAX);
    t->asked = calloc(RECORDS_MAX, sizeof *t->asked);
    t->body = malloc(BATCH_MAX * (VALUE_MAX + 32));
    WEIR_ASSERT(t->asked && t->body);
    for (uint32_t i = 0; i < t->writer_count; i++)
        client_init(&t->writers[i].client, sim);
    return t;
}

static void topics_close(void *state) {
    struct topics *t = state;
    for (uint32_t i = 0; i < t->writer_count; i++)
        client_done(&t->writers[i].client);
    free(t->asked);
    free(t->body);
    free(t);
}

static void topics_begin(void *state) {
    struct topics *t = state;
    for (uint32_t i = 0; i < t->writer_count; i++)
        client_hang_up(&t->writers[i].client);
    t->frame_ready = 0;
    t->life++;
}

/* ---- values: "<number>:" and letters that follow from it --------------------------------------------------------- */
static size_t value_of(uint64_t n, char *value) {
    struct prng p = prng_seed(n ^ 0x70b1c5);
    size_t size = prng_chance(&p, 1, 20) ? (size_t)prng_below(&p, VALUE_MAX - 32) : (size_t)prng_below(&p, 200);
    int head = snprintf(value, 24, "%llu:", (unsigned long long)n);
    for (size_t i = 0; i < size; i++)
        value[(size_t)head + i] = (char)('a' + (n * 7 + i * i) % 26);
    return (size_t)head + size;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */
static void ask_topic(struct topics *t, struct writer *w, uint32_t topic) {
    snprintf(t->body, 100, "{\"name\":\"raw-%u\",\"partitions\":%u}", topic, t->partition_count);
    w->count = 0;
    w->first = topic;
    client_ask(&w->client, "POST", "/v1/topics", NULL, t->body);
}

static void ask_records(struct topics *t, struct writer *w, uint32_t topic) {
    uint32_t partition = sim_pick(t->sim, t->partition_count);
    w->count = 1 + sim_pick(t->sim, BATCH_MAX);
    w->first = t->count;
    size_t at = 0;
    t->body[at++] = '[';
    for (uint32_t i = 0; i < w->count; i++) {
        at += (size_t)snprintf(t->body + at, 16, "%s{\"value\":\"", i ? "," : "");
        at += value_of(t->count, t->body + at);
        at += (size_t)snprintf(t->body + at, 16, "\"}");
        t->asked[t->count++] =
            (struct asked){.topic = (uint8_t)topic, .partition = (uint8_t)partition, .seen = NOT_SEEN};
    }
    t->body[at++] = ']';
    t->body[at] = 0;
    char target[80];
    snprintf(target, sizeof target, "/v1/topics/raw-%u/records?partition=%u", topic, partition);
    client_ask(&w->client, "POST", target, NULL, t->body);
}

static void ask(struct topics *t, struct writer *w) {
    uint32_t topic = sim_pick(t->sim, t->topic_count);
    if (!t->made[topic])
        ask_topic(t, w, topic);
    else if (t->count + BATCH_MAX <= RECORDS_MAX)
        ask_records(t, w, topic);
}

/* ---- hearing ----------------------------------------------------------------------------------------------------- */
static uint64_t newest_frame(const struct topics *t) {
    return node_is_open(&t->sim->node) ? sim_newest_frame(t->sim->node.log) : t->frame_last;
}

static void heard(struct topics *t, struct writer *w, enum fate fate, uint64_t offset) {
    for (uint32_t i = 0; i < w->count; i++) {
        struct asked *a = &t->asked[w->first + i];
        a->fate = fate;
        a->offset = offset + i;
        a->frame = newest_frame(t);
        a->life = t->life;
    }
}

static void take_answer(struct topics *t, struct writer *w) {
    struct client *c = &w->client;
    const char *offset = memmem(c->body.data, c->body.size, "\"offset\":", 9);
    if (w->count == 0) {
        if (c->status == 200 || c->status == 201 || c->status == 409) t->made[w->first] = true;
    } else if (c->status == 200 || c->status == 201) {
        uint64_t base = 0;
        if (!offset)
            sim_fail(t->sim, "an append is answered without an offset: %.*s", (int)c->body.size, c->body.data);
        else
            base = strtoull(offset + 9 + (offset[9] == '"'), NULL, 10);
        heard(t, w, FATE_ACKED, base);
    } else if (c->status == 404) {
        sim_fail(t->sim, "the topic raw-%u was made and is gone: %.*s", t->asked[w->first].topic, (int)c->body.size,
            c->body.data);
    } else if (c->status >= 500 && c->status != 507) {
        heard(t, w, FATE_DOUBT, 0);
    } else {
        heard(t, w, FATE_ABSENT, 0);
    }
}

static void topics_step(void *state, bool calm) {
    struct topics *t = state;
    if (node_is_open(&t->sim->node)) {
        t->frame_last = newest_frame(t);
        if (t->frame_ready == 0) t->frame_ready = t->frame_last;
    }
    for (uint32_t i = 0; i < t->writer_count; i++) {
        struct writer *w = &t->writers[i];
        client_step(&w->client);
        if (w->client.state == CLIENT_ANSWERED) take_answer(t, w);
        if (w->client.state == CLIENT_DOUBT) heard(t, w, FATE_DOUBT, 0);
        if (w->client.state == CLIENT_UNSENT) heard(t, w, FATE_ABSENT, 0);
        if (w->client.state == CLIENT_WAITS) continue;
        client_done_with(&w->client);
        if (!calm && sim_percent(t->sim, 60)) ask(t, w);
    }
}

static bool topics_settled(void *state) {
    struct topics *t = state;
    for (uint32_t i = 0; i < t->writer_count; i++)
        if (t->writers[i].client.state != CLIENT_FREE) return false;
    return true;
}

/* ---- checking ---------------------------------------------------------------------------------------------------- */
struct looking {
    struct topics *t;
    uint32_t topic, partition;
};

static bool look_at(void *ctx, const struct batch_record *record) {
    struct looking *l = ctx;
    struct topics *t = l->t;
    struct weir_slice value = record->record.value;
    unsigned long long n = strtoull((const char *)value.data, NULL, 10), offset = record->offset;
    char expected[VALUE_MAX];
    t->sim->tally.records_checked++;
    if (n >= t->count || !weir_slice_equal(value, weir_slice(expected, value_of(n, expected)))) {
        sim_fail(t->sim, "raw-%u-%u holds at offset %llu what nobody sent", l->topic, l->partition, offset);
        return false;
    }
    struct asked *a = &t->asked[n];
    if (a->topic != l->topic || a->partition != l->partition)
        sim_fail(t->sim, "record %llu was sent to raw-%u-%u and is in raw-%u-%u", n, a->topic, a->partition, l->topic,
            l->partition);
    else if (a->fate == FATE_ABSENT)
        sim_fail(t->sim, "record %llu was refused or never sent, and is at offset %llu", n, offset);
    else if (a->seen != NOT_SEEN && a->seen != offset)
        sim_fail(t->sim, "record %llu is doubled: at offsets %llu and %llu", n, (unsigned long long)a->seen, offset);
    else if (a->fate == FATE_ACKED && a->offset != offset)
        sim_fail(
            t->sim, "record %llu is at offset %llu, acknowledged was %llu", n, offset, (unsigned long long)a->offset);
    a->seen = offset;
    return !t->sim->failed;
}

/* Rot in the last frame can't be told from a torn write, so the log cuts it: that one loss is nobody's fault. */
static bool may_be_lost(const struct topics *t, const struct asked *a) {
    return sys_sim_damages(t->sim->sys) > 0 && (a->frame >= t->frame_last || t->frame_last == t->frame_ready);
}

/* What was acknowledged in this life is durable, but may not be readable yet: it is in the journal first. */
static void look_for_lost(struct topics *t, bool whole) {
    for (uint64_t n = 0; n < t->count && !t->sim->failed; n++) {
        struct asked *a = &t->asked[n];
        if (a->fate != FATE_ACKED || a->seen != NOT_SEEN || (a->life == t->life && !whole)) continue;
        if (may_be_lost(t, a)) {
            a->fate = FATE_DOUBT;
            continue;
        }
        sim_fail(t->sim, "record %llu was acknowledged at offset %llu of raw-%u-%u, and is lost", (unsigned long long)n,
            (unsigned long long)a->offset, a->topic, a->partition);
    }
}

static bool topics_check(void *state, bool whole) {
    struct topics *t = state;
    for (uint64_t n = 0; n < t->count; n++)
        t->asked[n].seen = NOT_SEEN;
    for (uint32_t topic = 0; topic < t->topic_count; topic++)
        for (uint32_t p = 0; t->made[topic] && p < t->partition_count; p++) {
            char name[16];
            snprintf(name, sizeof name, "raw-%u", topic);
            struct looking l = {t, topic, p};
            if (!sim_read(t->sim, name, p, 0, look_at, &l)) return false;
        }
    look_for_lost(t, whole);
    return true;
}

extern const struct sim_workload sim_workload_topics;
const struct sim_workload sim_workload_topics = {
    .name = "topics",
    .summary = "many producers append to plain topics",
    .open = topics_open,
    .close = topics_close,
    .begin = topics_begin,
    .step = topics_step,
    .settled = topics_settled,
    .check = topics_check,
};
