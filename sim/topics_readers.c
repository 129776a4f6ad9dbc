/* Readers over HTTP: from anywhere, a few records at a time, waiting for what comes. What they are given is dense, in
 * order, byte for byte what was sent, and there for ever. See topics.h. */
#include "sim/topics.h"

#include "base/json.h"

#include <stdlib.h>

#define ULL(x) ((unsigned long long)(x))

struct topics_reader {
    struct client client;
    uint32_t topic, partition, changes, incarnation;
    uint64_t offset, limit;
    uint64_t start, high;      /* what a reader was told before this one asked */
    bool named;                /* the offset was, else it is the start or the end */
    uint64_t next[TOPICS_MAX]; /* follows one partition of each topic */
};
struct answer {
    uint64_t next, start, high, count;
};

void topics_readers_open(struct topics *t) {
    t->readers = calloc(TOPICS_READERS_MAX, sizeof *t->readers);
    WEIR_ASSERT(t->readers != NULL);
    for (uint32_t i = 0; i < t->reader_count; i++)
        client_init(&t->readers[i].client, t->sim);
}

void topics_readers_close(struct topics *t) {
    for (uint32_t i = 0; i < t->reader_count; i++)
        client_done(&t->readers[i].client);
    free(t->readers);
}

void topics_readers_hang_up(struct topics *t) {
    for (uint32_t i = 0; i < t->reader_count; i++)
        client_hang_up(&t->readers[i].client);
}

/* ---- asking -------------------------------------------------------------------------------------------------- */
static void ask_malformed(struct topics *t, struct topics_reader *r) {
    static const char *const queries[] = {"?partition=x", "?partition=77", "?limit=-1", "?wait=soon", "?offset=-2"};
    char target[80];
    snprintf(target, sizeof target, "/v1/topics/%s/records%s", t->topics[r->topic].name, queries[sim_pick(t->sim, 5)]);
    r->limit = 0; /* of no interest */
    client_ask(&r->client, "GET", target, NULL, NULL);
}

static void ask(struct topics *t, struct topics_reader *r, uint32_t index) {
    r->topic = sim_pick(t->sim, t->topic_count);
    const struct sim_topic *topic = &t->topics[r->topic];
    if (!topic_may_be_there(topic)) return;
    r->partition = (index + r->topic) % topic->partitions;
    r->changes = topic->changes;
    r->incarnation = topic->incarnation;
    uint32_t dice = sim_pick(t->sim, 100);
    if (dice < 2) {
        ask_malformed(t, r);
        return;
    }
    uint64_t high = topic->high[r->partition];
    char target[160], offset[40] = "", wait[24] = "";
    r->named = dice >= 15;
    r->offset = r->next[r->topic];
    if (dice >= 60 && high > 0) r->offset = prng_below(&t->sim->prng, high);
    if (dice >= 95) r->offset = high + prng_below(&t->sim->prng, 40); /* beyond the end, perhaps */
    r->limit = 1 + sim_pick(t->sim, 12);
    r->start = topic->start[r->partition];
    r->high = high;
    if (r->named)
        snprintf(offset, sizeof offset, "&offset=%llu", ULL(r->offset));
    else if (dice < 8)
        snprintf(offset, sizeof offset, "&offset=-1");
    if (sim_percent(t->sim, 40)) snprintf(wait, sizeof wait, "&wait=%ums", 1 + sim_pick(t->sim, 4000));
    snprintf(target, sizeof target, "/v1/topics/%s/records?partition=%u&limit=%llu%s%s", topic->name, r->partition,
        ULL(r->limit), offset, wait);
    client_ask(&r->client, "GET", target, NULL, NULL);
}

/* ---- hearing ------------------------------------------------------------------------------------------------- */
static bool take_records(struct topics *t, struct topics_reader *r, struct json_reader *json, struct answer *a) {
    if (json_next(json) != JSON_ARRAY_OPEN) return false;
    while (json_next(json) != JSON_ARRAY_CLOSE) {
        uint64_t offset = 0, n = 0;
        if (json->token == JSON_ERROR || !topics_parse_record(t, json, &offset, &n)) return false;
        if ((r->named || a->count > 0) && offset != r->offset + a->count) {
            sim_fail(t->sim, "a reader of %s-%u from offset %llu on gets record %llu as number %llu",
                t->topics[r->topic].name, r->partition, ULL(r->offset), ULL(offset), ULL(a->count));
            return true;
        }
        if (a->count++ == 0) r->offset = offset;
        if (!topics_saw(t, r->topic, r->partition, offset, n)) return true;
    }
    return true;
}

static bool take_body(struct topics *t, struct topics_reader *r, struct answer *a) {
    struct json_reader json = json_reader(r->client.body, 0);
    bool good = json_next(&json) == JSON_OBJECT_OPEN;
    while (good && !t->sim->failed && json_next(&json) == JSON_KEY) {
        uint64_t *number = json_text_is(&json, "next")    ? &a->next
                           : json_text_is(&json, "start") ? &a->start
                           : json_text_is(&json, "high")  ? &a->high
                                                          : NULL;
        if (number)
            good = ((void)json_next(&json), json_get_u64(&json, number));
        else if (json_text_is(&json, "records"))
            good = take_records(t, r, &json, a);
        else
            good = json_skip_value(&json);
    }
    return good && (t->sim->failed || json.token == JSON_OBJECT_CLOSE);
}

/* The numbers beside the records. */
static void judge_numbers(struct topics *t, struct topics_reader *r, const struct answer *a) {
    struct sim_topic *topic = &t->topics[r->topic];
    uint64_t *start = &topic->start[r->partition], *high = &topic->high[r->partition];
    bool damaged = sim_damages_ever(t->sim) > 0;
    if (a->count > r->limit || (a->count > 0 && a->next != r->offset + a->count) || a->next > a->high ||
        a->start > a->high)
        sim_fail(t->sim, "%s-%u: %llu records from %llu on (at most %llu), next %llu, start %llu, high %llu",
            topic->name, r->partition, ULL(a->count), ULL(r->offset), ULL(r->limit), ULL(a->next), ULL(a->start),
            ULL(a->high));
    if ((a->start < r->start || a->high < r->high) && !damaged)
        sim_fail(t->sim, "%s-%u: a reader is told %llu to %llu; an earlier one was told %llu to %llu", topic->name,
            r->partition, ULL(a->start), ULL(a->high), ULL(r->start), ULL(r->high));
    if (a->start > *start || damaged) *start = a->start;
    if (a->high > *high || damaged) *high = a->high;
    r->next[r->topic] = a->next;
}

/* 416 for what was readable before, and is behind the start now, has no excuse. */
static void judge_range(struct topics *t, const struct topics_reader *r) {
    const struct sim_topic *topic = &t->topics[r->topic];
    struct log_topic *found = node_is_open(&t->sim->node) ? log_topic_find(t->sim->node.log, topic->name) : NULL;
    if (!found || !topic_stands(topic, r->changes) || sim_damages_ever(t->sim) > 0) return;
    if (r->offset >= atomic_load(&found->partitions[r->partition]->start) && r->offset <= r->high)
        sim_fail(t->sim, "%s-%u: offset %llu is refused as out of range; a reader was told of %llu", topic->name,
            r->partition, ULL(r->offset), ULL(r->high));
}

static void take_answer(struct topics *t, struct topics_reader *r) {
    const struct sim_topic *topic = &t->topics[r->topic];
    struct answer a = {0};
    if (r->limit == 0) {
        if (r->client.status == 200)
            sim_fail(t->sim, "a malformed read is answered: %.*s", (int)r->client.body.size, r->client.body.data);
        return;
    }
    topics_judge(t, &r->client, topic, r->changes);
    if (r->client.status == 416) {
        if (r->named) judge_range(t, r);
        r->next[r->topic] = topic->start[r->partition];
    }
    if (r->client.status != 200 || topic->incarnation != r->incarnation || topic->state == TOPIC_ABSENT) return;
    if (!take_body(t, r, &a)) {
        sim_fail(t->sim, "%s-%u: a reader gets what nobody sent: %.*s", topic->name, r->partition,
            (int)r->client.body.size, r->client.body.data);
        return;
    }
    if (!t->sim->failed && topic_stands(topic, r->changes)) judge_numbers(t, r, &a);
}

void topics_readers_step(struct topics *t, bool calm) {
    for (uint32_t i = 0; i < t->reader_count; i++) {
        struct topics_reader *r = &t->readers[i];
        client_step(&r->client);
        if (r->client.state == CLIENT_WAITS) continue;
        if (r->client.state == CLIENT_ANSWERED) take_answer(t, r);
        client_done_with(&r->client);
        if (!calm && sim_percent(t->sim, 50)) ask(t, r, i);
    }
}

bool topics_readers_settled(const struct topics *t) {
    for (uint32_t i = 0; i < t->reader_count; i++)
        if (t->readers[i].client.state != CLIENT_FREE) return false;
    return true;
}
