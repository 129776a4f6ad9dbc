/* The one who makes and deletes topics, and looks at what the node says of itself. One request at a time; a topic whose
 * making or deletion is in doubt is left alone until the next life shows what became of it. See topics.h. */
#include "sim/topics.h"

#include <stdlib.h>

enum errand { ERRAND_MAKE, ERRAND_DELETE, ERRAND_REFUSED, ERRAND_LOOK };
struct topics_operator {
    struct client client;
    enum errand errand;
    struct sim_topic *topic;
    uint32_t changes;
};

void topics_operator_open(struct topics *t) {
    t->operator= calloc(1, sizeof *t->operator);
    WEIR_ASSERT(t->operator!= NULL);
    client_init(&t->operator->client, t->sim);
}

void topics_operator_close(struct topics *t) {
    client_done(&t->operator->client);
    free(t->operator);
}

void topics_operator_hang_up(struct topics *t) {
    client_hang_up(&t->operator->client);
}

/* ---- asking -------------------------------------------------------------------------------------------------- */
static void make(struct topics *t, struct sim_topic *topic) {
    static const char *const compressions[] = {"producer", "lz4", "zstd", "none"};
    static const uint64_t segments[] = {0, 4096, 16384}, bytes[] = {1, 10000, 60000}, times[] = {1, 2000, 30000};
    topic->incarnation++;
    topic_change(topic, TOPIC_MAKING);
    memset(topic->start, 0, sizeof topic->start);
    memset(topic->high, 0, sizeof topic->high);
    topic->segment_bytes = segments[sim_pick(t->sim, 3)];
    topic->retention_bytes = sim_percent(t->sim, 25) ? bytes[sim_pick(t->sim, 3)] : 0;
    topic->retention_ms = sim_percent(t->sim, 20) ? times[sim_pick(t->sim, 3)] : 0;
    snprintf(t->body, TOPICS_BODY_MAX,
        "{\"name\":\"%s\",\"partitions\":%u,\"retentionBytes\":%llu,\"retentionMs\":%llu,\"segmentBytes\":%llu,"
        "\"compression\":\"%s\"}",
        topic->name, topic->partitions, (unsigned long long)topic->retention_bytes,
        (unsigned long long)topic->retention_ms, (unsigned long long)topic->segment_bytes,
        compressions[(topic - t->topics + topic->incarnation) % 4]);
    t->operator->errand = ERRAND_MAKE;
    client_ask(&t->operator->client, "POST", "/v1/topics", NULL, t->body);
}

static void delete (struct topics *t, struct sim_topic *topic) {
    char target[64];
    topic_change(topic, TOPIC_DELETING);
    snprintf(target, sizeof target, "/v1/topics/%s", topic->name);
    t->operator->errand = ERRAND_DELETE;
    client_ask(&t->operator->client, "DELETE", target, NULL, NULL);
}

static void ask_what_is_refused(struct topics *t) {
    char again[64] = "{}"; /* one that is there; only this client makes and deletes */
    if (t->operator->topic->state == TOPIC_THERE)
        snprintf(again, sizeof again, "{\"name\":\"%s\",\"partitions\":2}", t->operator->topic->name);
    const struct {
        const char *method, *target, *body;
    } rows[] = {
        {"POST", "/v1/topics", "{\"name\":\"sl/ash\"}"},
        {"POST", "/v1/topics", "{\"name\":\"..\"}"},
        {"POST", "/v1/topics", "{\"name\":\"huge\",\"partitions\":65}"},
        {"POST", "/v1/topics", "{\"name\":\"huge\",\"partitions\":4000000000}"},
        {"POST", "/v1/topics", "{\"name\":\"none\",\"partitions\":0}"},
        {"POST", "/v1/topics", "{\"name\":\"odd\",\"shape\":1}"},
        {"POST", "/v1/topics", "{\"name\":\"raw-0\""},
        {"POST", "/v1/topics", "{}"},
        {"DELETE", "/v1/topics/never-made", NULL},
        {"POST", "/v1/topics", again},
        {"POST", "/v1/topics", again},
        {"GET", "/v1/topics/never-made", NULL},
        {"GET", "/v1/topics/never-made/records", NULL},
    };
    uint32_t row = sim_pick(t->sim, sizeof rows / sizeof *rows);
    t->operator->errand = ERRAND_REFUSED;
    client_ask(&t->operator->client, rows[row].method, rows[row].target, NULL, rows[row].body);
}

/* A service's topics are not the clients' to write or delete. */
static bool ask_for_what_is_a_services(struct topics *t) {
    struct log *log = t->sim->node.log;
    uint32_t count = log_topic_count(log);
    const struct log_topic *topic = count > 0 ? log_topic_at(log, sim_pick(t->sim, count)) : NULL;
    if (!topic || !topic->config.internal) return false;
    char target[LOG_TOPIC_NAME_MAX + 32];
    bool append = sim_percent(t->sim, 50);
    snprintf(target, sizeof target, append ? "/v1/topics/%s/records?partition=0" : "/v1/topics/%s", topic->name);
    t->operator->errand = ERRAND_REFUSED;
    client_ask(&t->operator->client, append ? "POST" : "DELETE", target, NULL, append ? "[{\"value\":\"x\"}]" : NULL);
    return true;
}

static void look_around(struct topics *t) {
    static const char *const pages[] = {"/v1/topics", "/v1/topics", "/v1/node", "/metrics", "/v1/errors", "/readyz"};
    char target[64];
    uint32_t page = sim_pick(t->sim, 10);
    t->operator->errand = ERRAND_LOOK;
    if (page < 6)
        snprintf(target, sizeof target, "%s", pages[page]);
    else
        snprintf(target, sizeof target, "/v1/topics/%s", t->operator->topic->name);
    client_ask(&t->operator->client, "GET", target, NULL, NULL);
}

static void ask(struct topics *t) {
    struct topics_operator *o = t->operator;
    struct sim_topic *topic = &t->topics[sim_pick(t->sim, t->topic_count)];
    o->topic = topic;
    o->changes = topic->changes;
    if (!t->looked) return; /* what was in doubt is not settled yet */
    uint32_t dice = sim_pick(t->sim, 100);
    if (topic->state == TOPIC_ABSENT)
        make(t, topic);
    else if (dice < 4 && topic->state == TOPIC_THERE)
        delete (t, topic);
    else if (dice < 8)
        ask_what_is_refused(t);
    else if (dice < 12 && node_is_open(&t->sim->node) && ask_for_what_is_a_services(t))
        return;
    else if (dice < 25)
        look_around(t);
}

/* ---- hearing ------------------------------------------------------------------------------------------------- */
/* Refused for certain: nothing was begun. Other answers from 500 on leave it open. */
static bool refused(const struct client *c) {
    bool full = c->body.size > 0 && memmem(c->body.data, c->body.size, "\"FULL\"", 6) != NULL;
    return c->state == CLIENT_UNSENT || (c->state == CLIENT_ANSWERED && (c->status < 500 || c->status == 507 || full));
}

static void take_change(struct topics *t, struct topics_operator *o, enum topic_state done, enum topic_state before) {
    const struct client *c = &o->client;
    bool good = c->state == CLIENT_ANSWERED && (c->status == 200 || c->status == 201);
    if (good)
        topic_change(o->topic, done);
    else if (refused(c))
        topic_change(o->topic, before);
    else
        topic_change(o->topic, TOPIC_UNSURE);
    if (c->state == CLIENT_ANSWERED && c->status >= 400 && c->status < 500)
        sim_fail(t->sim, "%s is to be %s, and is refused: %.*s", o->topic->name,
            o->errand == ERRAND_MAKE ? "made" : "deleted", (int)c->body.size, c->body.data);
    topics_judge(t, c, NULL, 0);
}

static void take_answer(struct topics *t, struct topics_operator *o) {
    const struct client *c = &o->client;
    bool answered = c->state == CLIENT_ANSWERED;
    if (o->errand == ERRAND_MAKE) take_change(t, o, TOPIC_THERE, TOPIC_ABSENT);
    if (o->errand == ERRAND_DELETE) take_change(t, o, TOPIC_ABSENT, TOPIC_THERE);
    if (o->errand == ERRAND_REFUSED && answered && c->status < 400)
        sim_fail(t->sim, "what must be refused is answered: %.*s", (int)c->body.size, c->body.data);
    if (o->errand == ERRAND_LOOK && answered) topics_judge(t, c, o->topic, o->changes);
}

void topics_operator_step(struct topics *t, bool calm) {
    struct topics_operator *o = t->operator;
    bool asked = o->client.state != CLIENT_FREE;
    client_step(&o->client);
    if (o->client.state == CLIENT_WAITS) return;
    if (asked) take_answer(t, o);
    client_done_with(&o->client);
    if (!calm && sim_percent(t->sim, 50)) ask(t);
}

bool topics_operator_settled(const struct topics *t) {
    return t->operator->client.state == CLIENT_FREE;
}
