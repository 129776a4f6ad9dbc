/* An operator: looks at the node while it works, takes snapshots when it pleases, orders poison to be passed over, and
 * gets names wrong. What he is told must parse and never run backwards while the node lives. */
#include "sim/workload.h"

#include "base/json.h"

#include <stdlib.h>

#define PARTITIONS_MAX 64u
#define ORDERS_MAX     64u
#define PAUSE_NS_MAX   (4 * SYS_NANOS_PER_S)

enum question { LOOK, LOOK_SERVICE, LOOK_TEXT, SNAPSHOT, SKIP, WRONG };
struct seen { /* of a partition, as the node tells */
    char service[32];
    uint64_t partition, applied, durable, high, snapshot, parked_offset;
    bool parked, replaying;
};
struct order { /* to pass over a record; answered with done */
    char service[32];
    uint64_t partition, offset;
};
struct operator{
    struct sim *sim;
    struct client client;
    enum question question;
    struct order order; /* SKIP */
    struct seen seen[PARTITIONS_MAX];
    uint32_t seen_count;
    struct order done[ORDERS_MAX];
    uint32_t done_count;
    uint64_t next_ns;
    bool asked_open; /* LOOK: when the node was ready */
    bool calm_look;  /* in calm weather: nothing was parked then */
};

static void *operator_open(struct sim *sim) {
    struct operator* o = calloc(1, sizeof *o);
    WEIR_ASSERT(o != NULL);
    o->sim = sim;
    client_init(&o->client, sim);
    return o;
}

static void operator_close(void *state) {
    struct operator* o = state;
    client_done(&o->client);
    free(o);
}

static void operator_begin(void *state) {
    struct operator* o = state;
    client_hang_up(&o->client);
    o->seen_count = 0;
    o->calm_look = false;
    o->next_ns = 0;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */
static const struct seen *find_parked(const struct operator* o) {
    for (uint32_t i = 0; i < o->seen_count; i++)
        if (o->seen[i].parked) return &o->seen[i];
    return NULL;
}

static void ask_skip(struct operator* o, const struct seen *parked) {
    char target[128];
    o->question = SKIP;
    o->order = (struct order){.partition = parked->partition, .offset = parked->parked_offset};
    memcpy(o->order.service, parked->service, sizeof o->order.service);
    snprintf(target, sizeof target, "/v1/services/%s/skip?partition=%llu&offset=%llu", parked->service,
        (unsigned long long)parked->partition, (unsigned long long)parked->parked_offset);
    client_ask(&o->client, "POST", target, NULL, NULL);
}

/* Of what is not there: refused, and nothing happens. */
static void ask_wrong(struct operator* o, const char *service) {
    static const struct {
        const char *method, *before, *behind; /* the service's name */
    } forms[] = {
        {"POST", "/v1/services/nobody-", "/skip?partition=0&offset=1"},
        {"POST", "/v1/services/nobody-", "/snapshot"},
        {"GET", "/v1/services/nobody-", ""},
        {"POST", "/v1/services/", "/skip?partition=99&offset=1"},
        {"POST", "/v1/services/", "/skip?partition=0"},
        {"POST", "/v1/services/", "/skip?partition=0&offset=9999999"},
        {"DELETE", "/v1/topics/", ".in"},
        {"DELETE", "/v1/topics/", ".out"},
        {"DELETE", "/v1/topics/nobody-", ".in"},
    };
    char target[128], body[64];
    o->question = WRONG;
    uint32_t form = sim_pick(o->sim, WEIR_ARRAY_COUNT(forms) + 1);
    if (form == WEIR_ARRAY_COUNT(forms)) {
        snprintf(body, sizeof body, "{\"name\":\"%s.own\"}", service);
        client_ask(&o->client, "POST", "/v1/topics", NULL, body);
        return;
    }
    snprintf(target, sizeof target, "%s%s%s", forms[form].before, service, forms[form].behind);
    client_ask(&o->client, forms[form].method, target, NULL, NULL);
}

static void ask_of(struct operator* o, const struct seen *some) {
    static const char *const texts[] = {"/metrics", "/v1/errors", "/openapi.json", "/healthz", "/readyz", "/"};
    char target[128];
    uint32_t roll = some ? sim_pick(o->sim, 100) : 100;
    if (roll < 30) {
        o->question = SNAPSHOT;
        snprintf(target, sizeof target, "/v1/services/%s/snapshot", some->service);
        client_ask(&o->client, "POST", target, NULL, NULL);
    } else if (roll < 40) {
        o->question = LOOK_SERVICE;
        snprintf(target, sizeof target, "/v1/services/%s", some->service);
        client_ask(&o->client, "GET", target, NULL, NULL);
    } else if (roll < 50) {
        ask_wrong(o, some->service);
    } else {
        o->question = LOOK_TEXT;
        client_ask(&o->client, "GET", texts[sim_pick(o->sim, WEIR_ARRAY_COUNT(texts))], NULL, NULL);
    }
}

static void ask(struct operator* o, bool calm) {
    const struct seen *parked = find_parked(o);
    if (parked && sim_percent(o->sim, calm ? 100 : 30)) {
        ask_skip(o, parked);
    } else if (o->seen_count == 0 || calm || sim_percent(o->sim, 50)) {
        o->question = LOOK;
        o->asked_open = node_is_open(&o->sim->node);
        client_ask(&o->client, "GET", "/v1/node", NULL, NULL);
    } else {
        ask_of(o, &o->seen[sim_pick(o->sim, o->seen_count)]);
    }
}

/* ---- hearing ----------------------------------------------------------------------------------------------------- */
static void take_field(struct json_reader *r, struct seen *s) {
    struct {
        const char *name;
        uint64_t *to;
    } numbers[] = {{"partition", &s->partition}, {"applied", &s->applied}, {"durable", &s->durable}, {"high", &s->high},
        {"snapshot", &s->snapshot}, {"parkedOffset", &s->parked_offset}};
    for (uint32_t i = 0; i < WEIR_ARRAY_COUNT(numbers); i++)
        if (json_text_is(r, numbers[i].name)) {
            json_next(r);
            if (!json_get_u64(r, numbers[i].to)) *numbers[i].to = 0;
            return;
        }
    bool is_parked = json_text_is(r, "parked"), is_replaying = json_text_is(r, "replaying");
    if (json_text_is(r, "service")) {
        json_next(r);
        if (r->text.size < sizeof s->service) memcpy(s->service, r->text.data, r->text.size);
    } else if (is_parked || is_replaying) {
        bool yes = json_next(r) == JSON_TRUE;
        *(is_parked ? &s->parked : &s->replaying) = yes;
    } else {
        json_skip_value(r);
    }
}

static bool was_ordered(const struct operator* o, const struct seen *s) {
    for (uint32_t i = 0; i < o->done_count; i++)
        if (strcmp(o->done[i].service, s->service) == 0 && o->done[i].partition == s->partition &&
            o->done[i].offset == s->parked_offset)
            return true;
    return false;
}

static void judge(struct operator* o, const struct seen *now) {
    struct seen *then = NULL;
    for (uint32_t i = 0; i < o->seen_count && !then; i++)
        if (o->seen[i].partition == now->partition && strcmp(o->seen[i].service, now->service) == 0) then = &o->seen[i];
    if (now->parked && was_ordered(o, now))
        sim_fail(o->sim, "%s-%llu is parked at offset %llu, which was ordered to be passed over", now->service,
            (unsigned long long)now->partition, (unsigned long long)now->parked_offset);
    if (then && (now->applied < then->applied || now->durable < then->durable || now->high < then->high ||
                    now->snapshot < then->snapshot || (now->replaying && !then->replaying && !then->parked)))
        sim_fail(o->sim, "%s-%llu: a fact runs backwards: applied %llu after %llu, high %llu after %llu", now->service,
            (unsigned long long)now->partition, (unsigned long long)now->applied, (unsigned long long)then->applied,
            (unsigned long long)now->high, (unsigned long long)then->high);
    if (now->snapshot > now->applied)
        sim_fail(o->sim, "%s-%llu: a snapshot of offset %llu, applied is %llu", now->service,
            (unsigned long long)now->partition, (unsigned long long)now->snapshot, (unsigned long long)now->applied);
    if (!then && o->seen_count < PARTITIONS_MAX) then = &o->seen[o->seen_count++];
    if (then) *then = *now;
}

static void hear_partitions(struct operator* o) {
    struct json_reader r = json_reader(o->client.body, 0);
    if (json_next(&r) != JSON_OBJECT_OPEN) sim_fail(o->sim, "/v1/node is no object");
    while (json_next(&r) == JSON_KEY) {
        if (!json_text_is(&r, "partitions") || json_next(&r) != JSON_ARRAY_OPEN) {
            json_skip_value(&r);
            continue;
        }
        while (json_next(&r) == JSON_OBJECT_OPEN) {
            struct seen now = {0};
            while (json_next(&r) == JSON_KEY)
                take_field(&r, &now);
            judge(o, &now);
        }
    }
    if (r.token == JSON_ERROR || json_next(&r) != JSON_END)
        sim_fail(o->sim, "what the node tells of itself is no JSON: byte %zu", r.offset);
}

static void hear(struct operator* o) {
    int status = o->client.status;
    if ((o->question == LOOK || o->question == LOOK_SERVICE) && status == 200) hear_partitions(o);
    if (o->question == LOOK && status == 200) o->calm_look = o->sim->calm && o->asked_open && !find_parked(o);
    if (o->question == WRONG && status < 400)
        sim_fail(o->sim, "an order that makes no sense is answered with %d", status);
    if (o->question != SKIP || status != 200) return;
    if (o->done_count < ORDERS_MAX) o->done[o->done_count++] = o->order;
    for (uint32_t i = 0; i < o->seen_count; i++) /* what it does now is to be looked at again */
        if (o->seen[i].parked_offset == o->order.offset) o->seen[i].parked = false;
}

static void operator_step(void *state, bool calm) {
    struct operator* o = state;
    client_step(&o->client);
    if (o->client.state == CLIENT_WAITS) return;
    if (o->client.state == CLIENT_ANSWERED) hear(o);
    if (o->client.state == CLIENT_ANSWERED && o->question == SKIP && o->client.status == 409)
        o->seen_count = 0; /* it has moved since: looks again */
    client_done_with(&o->client);
    if (!calm) o->calm_look = false;
    if (sim_now_ns(o->sim) < o->next_ns || (calm && o->calm_look)) return;
    o->next_ns = sim_now_ns(o->sim) + prng_below(&o->sim->prng, calm ? SYS_NANOS_PER_S : PAUSE_NS_MAX);
    ask(o, calm);
}

static bool operator_settled(void *state) {
    const struct operator* o = state;
    return o->client.state == CLIENT_FREE && o->calm_look;
}

static bool operator_check(void *state, bool whole) {
    (void)state, (void)whole;
    return true;
}

const struct sim_workload sim_workload_operator = {
    .name = "operator",
    .summary = "looks at the node, takes snapshots, passes over poison",
    .open = operator_open,
    .close = operator_close,
    .begin = operator_begin,
    .step = operator_step,
    .settled = operator_settled,
    .check = operator_check,
};
