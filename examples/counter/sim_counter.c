/* The counter's workload: clients add under idempotency keys, ask again until they are answered, and ask what is there.
 * Each add counts once, however often it was asked; an answered reading is never undone, whatever crashes. */
#include "sim/workload.h"

#include "counter.pb-c.h"
#include "host/batch.h"
#include "host/envelope.h"

#include <limits.h>
#include <stdlib.h>

extern const struct weir_service weir_service_counter;

#define CLIENTS_MAX    5u
#define NAMES          6u
#define PARTITIONS_MAX 3u
#define OPS_MAX        1500u
#define CALM_OPS_MAX   1000u /* beside them */
#define NOWHERE        UINT64_MAX

enum question { ASK_ADD, ASK_REPEAT, ASK_OTHER_BODY, ASK_READ };
struct op {
    uint8_t name;
    uint64_t amount;
    bool acked;
    uint64_t reply;   /* ACKED: the counter's value then */
    uint64_t offset;  /* in the log; NOWHERE: not found yet */
    uint64_t running; /* the value by the log */
};
struct asker {
    struct client client;
    enum question question;
    bool busy;       /* has an op to bring to its end */
    uint64_t op;     /* or the name read */
    uint64_t floor;  /* of that name, when it was asked for */
    uint64_t behind; /* an op that has its answer and is asked again on the same connection, behind the other one */
};
struct counting {
    struct sim *sim;
    uint32_t client_count, partition_count;
    struct asker askers[CLIENTS_MAX];
    struct op *ops;
    uint64_t count;
    uint64_t floor[NAMES];     /* a value somebody has read: it can't become less */
    uint64_t by_log[NAMES];    /* sums, as of the last look */
    uint64_t asked_sum[NAMES]; /* of all adds ever begun */
    uint32_t adds_left;        /* calm: to be begun yet */
    uint32_t reads_left;       /* calm: names whose final value was not read yet */
};

static const struct weir_service *const services[] = {&weir_service_counter, NULL};
static const struct weir_service *const *counting_services(void *state) {
    (void)state;
    return services;
}

static void *counting_open(struct sim *sim) {
    struct counting *c = calloc(1, sizeof *c);
    WEIR_ASSERT(c != NULL);
    c->sim = sim;
    c->client_count = (uint32_t)prng_between(&sim->prng, 1, CLIENTS_MAX);
    c->partition_count = (uint32_t)prng_between(&sim->prng, 1, PARTITIONS_MAX);
    c->ops = calloc(OPS_MAX + CALM_OPS_MAX, sizeof *c->ops);
    WEIR_ASSERT(c->ops != NULL);
    for (uint32_t i = 0; i < c->client_count; i++)
        client_init(&c->askers[i].client, sim);
    return c;
}

static void counting_close(void *state) {
    struct counting *c = state;
    for (uint32_t i = 0; i < c->client_count; i++)
        client_done(&c->askers[i].client);
    free(c->ops);
    free(c);
}

static void counting_configure(void *state, struct settings *settings) {
    const struct counting *c = state;
    char text[8];
    snprintf(text, sizeof text, "%u", c->partition_count);
    enum weir_error e = settings_set(settings, "counter.partitions", text, "sim");
    if (e == WEIR_OK) e = settings_set(settings, "counter.names_max", "64", "sim");
    WEIR_ASSERT(e == WEIR_OK);
}

static void counting_begin(void *state) {
    struct counting *c = state;
    for (uint32_t i = 0; i < c->client_count; i++)
        client_hang_up(&c->askers[i].client);
    c->adds_left = sim_calm_requests(c->sim);
    c->reads_left = NAMES;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */
static void put_add(
    const struct counting *c, uint64_t n, uint64_t amount, char target[64], char key[32], char body[64]) {
    snprintf(target, 64, "/v1/counter/name-%u/add", c->ops[n].name);
    snprintf(key, 32, "op-%llu", (unsigned long long)n);
    snprintf(body, 64, "{\"amount\":%llu}", (unsigned long long)amount);
}

/* Sometimes with one at once behind it that the node can answer earlier. */
static void send_add(struct counting *c, struct asker *a, uint64_t amount) {
    char target[64], key[32], body[64];
    put_add(c, a->op, amount, target, key, body);
    client_ask(&a->client, "POST", target, key, body);
    if (!sim_percent(c->sim, 25)) return;
    a->behind = prng_below(&c->sim->prng, c->count);
    if (!c->ops[a->behind].acked) return;
    put_add(c, a->behind, c->ops[a->behind].amount, target, key, body);
    client_ask_behind(&a->client, "POST", target, key, body);
}

static void send_read(const struct counting *c, struct asker *a) {
    char target[64];
    snprintf(target, sizeof target, "/v1/counter/name-%llu", (unsigned long long)a->op);
    a->question = ASK_READ;
    a->floor = c->floor[a->op];
    client_ask(&a->client, "GET", target, NULL, NULL);
}

static void begin_op(struct counting *c, struct asker *a) {
    if (c->count >= OPS_MAX + (c->sim->calm ? CALM_OPS_MAX : 0)) return;
    a->op = c->count++;
    a->busy = true;
    a->question = ASK_ADD;
    struct op *op = &c->ops[a->op];
    *op = (struct op){.name = (uint8_t)sim_pick(c->sim, NAMES), .offset = NOWHERE};
    op->amount = 1 + sim_pick(c->sim, 100);
    c->asked_sum[op->name] += op->amount;
    send_add(c, a, op->amount);
}

/* Asks what was answered before: the reply must be the same one. Or with another body: that is no repetition. */
static bool ask_again(struct counting *c, struct asker *a) {
    if (c->count == 0) return false;
    uint64_t n = prng_below(&c->sim->prng, c->count);
    if (!c->ops[n].acked) return false;
    a->op = n;
    a->question = sim_percent(c->sim, 70) ? ASK_REPEAT : ASK_OTHER_BODY;
    send_add(c, a, c->ops[n].amount + (a->question == ASK_OTHER_BODY));
    return true;
}

static void ask(struct counting *c, struct asker *a) {
    uint32_t roll = sim_pick(c->sim, 100);
    if (roll < 15 && ask_again(c, a)) return;
    if (roll < 35) {
        a->op = sim_pick(c->sim, NAMES);
        send_read(c, a);
    } else {
        begin_op(c, a);
    }
}

/* ---- hearing ----------------------------------------------------------------------------------------------------- */
static bool value_of(struct weir_slice body, uint64_t *ret_value) {
    const char *at = memmem(body.data, body.size, "\"value\":", 8);
    if (!at) return false;
    *ret_value = strtoull(at + 8 + (at[8] == '"'), NULL, 10);
    return true;
}

/* True: it was. */
static bool is_done(struct counting *c, uint64_t n, int status, struct weir_slice body) {
    struct op *op = &c->ops[n];
    uint64_t value = 0;
    if (status != 200) return false; /* asked again */
    if (!value_of(body, &value)) {
        sim_fail(c->sim, "counter: an add is answered without a value: %.*s", (int)body.size, body.data);
        return false;
    }
    if (op->acked && op->reply != value)
        sim_fail(c->sim, "counter: op %llu was answered with %llu and, asked again, with %llu", (unsigned long long)n,
            (unsigned long long)op->reply, (unsigned long long)value);
    op->acked = true;
    op->reply = value;
    if (value > c->floor[op->name]) c->floor[op->name] = value;
    return true;
}

/* True: it was a reading. */
static bool heard_read(struct counting *c, const struct asker *a) {
    uint64_t value = 0, name = a->op;
    if (a->client.status != 200 && a->client.status != 404) return false;
    if (a->client.status == 200 && !value_of(a->client.body, &value)) {
        sim_fail(c->sim, "counter: a reading without a value");
        return false;
    }
    if (value < a->floor)
        sim_fail(c->sim, "counter: name-%llu reads %llu, and somebody had seen %llu before it was asked for",
            (unsigned long long)name, (unsigned long long)value, (unsigned long long)a->floor);
    if (value > c->asked_sum[name])
        sim_fail(c->sim, "counter: name-%llu reads %llu, more than all adds together (%llu)", (unsigned long long)name,
            (unsigned long long)value, (unsigned long long)c->asked_sum[name]);
    if (value > c->floor[name]) c->floor[name] = value;
    return true;
}

static void take_answer(struct counting *c, struct asker *a, bool calm) {
    if (a->question == ASK_READ) {
        bool read = heard_read(c, a);
        if (read && calm && c->reads_left > 0 && a->op == c->reads_left - 1) c->reads_left--;
    } else if (a->question == ASK_OTHER_BODY) {
        if (a->client.status < 400)
            sim_fail(c->sim, "counter: the key of op %llu with another body is answered with %d, not refused",
                (unsigned long long)a->op, a->client.status);
    } else {
        if (is_done(c, a->op, a->client.status, a->client.body)) a->busy = false;
    }
    if (a->client.has_behind) (void)is_done(c, a->behind, a->client.behind.status, a->client.behind.body);
}

static void next_question(struct counting *c, struct asker *a, bool calm) {
    if (a->busy && (calm || sim_percent(c->sim, 97))) {
        a->question = ASK_ADD;
        send_add(c, a, c->ops[a->op].amount);
        return;
    }
    a->busy = false; /* gives up: it may have counted or not */
    if (!calm) {
        if (sim_percent(c->sim, 60)) ask(c, a);
    } else if (c->adds_left > 0) {
        c->adds_left--;
        begin_op(c, a);
    } else if (c->reads_left > 0 && a == &c->askers[0]) {
        a->op = c->reads_left - 1;
        send_read(c, a);
    }
}

static void counting_step(void *state, bool calm) {
    struct counting *c = state;
    for (uint32_t i = 0; i < c->client_count; i++) {
        struct asker *a = &c->askers[i];
        client_step(&a->client);
        if (a->client.state == CLIENT_WAITS) continue;
        if (a->client.state == CLIENT_ANSWERED) take_answer(c, a, calm);
        client_done_with(&a->client);
        next_question(c, a, calm);
    }
}

static bool counting_settled(void *state) {
    const struct counting *c = state;
    for (uint32_t i = 0; i < c->client_count; i++)
        if (c->askers[i].busy || c->askers[i].client.state != CLIENT_FREE) return false;
    return c->adds_left + c->reads_left == 0;
}

/* ---- checking: the log is the truth ------------------------------------------------------------------------------ */
static int64_t amount_of(struct weir_slice value) {
    Weir__Counter__Add *add = weir__counter__add__unpack(NULL, value.size, value.data);
    int64_t amount = add ? add->amount : -1;
    if (add) weir__counter__add__free_unpacked(add, NULL);
    return amount;
}

static bool look_at(void *ctx, const struct batch_record *record) {
    struct counting *c = ctx;
    struct envelope envelope;
    c->sim->tally.records_checked++;
    if (envelope_load(&record->record, &envelope) != WEIR_OK) {
        sim_fail(c->sim, "counter.commands holds a record without an envelope");
        return false;
    }
    if (envelope.kind != WEIR_RECORD_COMMAND) return true;
    char text[ENVELOPE_KEY_BYTES_MAX + 1];
    memcpy(text, envelope.key.data, envelope.key.size);
    text[envelope.key.size] = 0;
    const char *key = memmem(text, envelope.key.size, "op-", 3);
    unsigned long long n = key ? strtoull(key + 3, NULL, 10) : ULLONG_MAX;
    if (n >= c->count) {
        sim_fail(c->sim, "counter.commands holds a command nobody asked for");
        return false;
    }
    struct op *op = &c->ops[n];
    if (amount_of(record->record.value) != (int64_t)op->amount)
        sim_fail(c->sim, "counter.commands holds op %llu with another amount", n);
    if (op->offset != NOWHERE)
        sim_fail(c->sim, "counter: op %llu is in the log twice, at offsets %llu and %llu", n,
            (unsigned long long)op->offset, (unsigned long long)record->offset);
    op->offset = record->offset;
    c->by_log[op->name] += op->amount;
    op->running = c->by_log[op->name];
    return !c->sim->failed;
}

static bool counting_check(void *state, bool whole) {
    struct counting *c = state;
    (void)whole;
    memset(c->by_log, 0, sizeof c->by_log);
    for (uint64_t n = 0; n < c->count; n++)
        c->ops[n].offset = NOWHERE;
    for (uint32_t p = 0; p < c->partition_count; p++)
        if (!sim_read(c->sim, "counter.commands", p, 0, look_at, c)) return false;
    for (uint64_t n = 0; n < c->count && !c->sim->failed; n++) {
        const struct op *op = &c->ops[n];
        if (op->acked && op->offset == NOWHERE && whole)
            sim_fail(c->sim, "counter: op %llu was answered, and is not in the log", (unsigned long long)n);
        if (op->acked && op->offset != NOWHERE && op->reply != op->running)
            sim_fail(c->sim, "counter: op %llu was answered with %llu, its log says %llu", (unsigned long long)n,
                (unsigned long long)op->reply, (unsigned long long)op->running);
    }
    for (uint32_t i = 0; whole && i < NAMES && !c->sim->failed; i++)
        if (c->floor[i] > c->by_log[i])
            sim_fail(c->sim, "counter: name-%u is %llu by the log, and somebody has seen %llu", i,
                (unsigned long long)c->by_log[i], (unsigned long long)c->floor[i]);
    return true;
}

extern const struct sim_workload sim_workload_counter;
const struct sim_workload sim_workload_counter = {
    .name = "counter",
    .summary = "adds under idempotency keys, asked until they are answered",
    .services = counting_services,
    .open = counting_open,
    .close = counting_close,
    .configure = counting_configure,
    .begin = counting_begin,
    .step = counting_step,
    .settled = counting_settled,
    .check = counting_check,
};
