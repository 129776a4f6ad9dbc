/* Services that emit into each other in cycles, timers, large outputs, poison, and upgrades in the middle. What their
 * output topics must hold follows from their input topics by the model in cycle_model.c; what a start is like is in
 * cycle_start.c, what ends the process in cycle_poison.c. */
#include "sim/cycle_model.h"
#include "sim/cycle_poison.h"
#include "sim/cycle_start.h"
#include "sim/workload.h"

#include <stdlib.h>

#define FEW          5u
#define CLIENTS_MAX  48u /* more than may wait for one partition */
#define STEPS_MAX    1500u
#define CALM_STEPS   1000u /* beside them */
#define HOPS_MAX     4u
#define FAN_HOPS_MAX 2u
#define KEYS         24u
#define POISONS_MAX  3u
#define TIMER_NS_MAX (2 * SYS_NANOS_PER_S)
#define CALM_NS      (6 * SYS_NANOS_PER_S) /* by then every timer has fired, every hop was made */

/* A run of its own kind: many clients want one thing of one partition until something is full: the queue of those who
 * wait, of those who join, the outbox, the table of replies, the room for outputs. */
enum theme { MIXED, CROWD, CHORUS, FANS, LONG_REPLIES, WIDE_OUTPUTS, THEME_COUNT };
#define THEME_STEPS 300u
#define THEME_KEY   3u /* a fan of four */

struct asker {
    struct client client;
    bool busy, twisted; /* twisted: asks for one more with a key that may be in use */
    uint64_t id;
};
struct cycle {
    struct sim *sim;
    uint32_t client_count;
    struct asker askers[CLIENTS_MAX];
    struct cycle_asked *asked;
    uint64_t count;
    enum theme theme;
    uint32_t poisons_left, repeats_percent, steps_max;
    uint32_t calm_left;        /* in the calm: to be begun yet */
    uint8_t ops[CYCLE_POISON]; /* that this run is made of: few kinds at a time reach what a mixture does not */
    uint32_t op_count;
    bool may_drift, drifted; /* in this run; in this life */
    uint64_t calm_ns;        /* since when nothing has been asked, and nothing has been parked */
    struct cycle_start start;
    struct cycle_poison poison;
    struct cycle_model *model;
};

static bool drifts(void *ctx) {
    struct cycle *c = ctx;
    if (!c->may_drift || c->sim->calm || !sys_sim_in_process(c->sim->sys) || !sim_percent(c->sim, 5)) return false;
    c->drifted = true;
    return true;
}

static void meet_poison(void *ctx, uint32_t service, uint32_t partition, uint64_t offset) {
    struct cycle *c = ctx;
    cycle_poison_meets(&c->poison, service, partition, offset);
}

static void choose_ops(struct cycle *c) {
    uint32_t percent = sim_percent(c->sim, 50) ? 100 : 30;
    for (uint32_t op = CYCLE_ADD; op < CYCLE_POISON; op++)
        if (sim_percent(c->sim, percent)) c->ops[c->op_count++] = (uint8_t)op;
    if (c->op_count == 0) c->ops[c->op_count++] = CYCLE_FAN;
}

static void choose_theme(struct cycle *c) {
    static const uint8_t ops[THEME_COUNT] = {[CROWD] = CYCLE_ADD,
        [CHORUS] = CYCLE_ADD,
        [FANS] = CYCLE_FAN,
        [LONG_REPLIES] = CYCLE_LONG,
        [WIDE_OUTPUTS] = CYCLE_WIDE};
    struct sim *sim = c->sim;
    c->steps_max = STEPS_MAX;
    c->repeats_percent = 10;
    c->client_count = (uint32_t)prng_between(&sim->prng, 1, FEW);
    if (sim_percent(sim, 75)) {
        choose_ops(c);
        return;
    }
    c->theme = CROWD + sim_pick(sim, THEME_COUNT - CROWD);
    c->ops[c->op_count++] = ops[c->theme];
    c->steps_max = THEME_STEPS;
    c->client_count = CLIENTS_MAX;
    if (c->theme == CHORUS) c->repeats_percent = 90;
    c->start.limits.partitions = 1;
    c->start.waiting_max = 16;
    if (c->theme == LONG_REPLIES) c->start.limits.keys_max = 64;
}

static void *cycle_open(struct sim *sim) {
    struct cycle *c = calloc(1, sizeof *c);
    WEIR_ASSERT(c != NULL);
    c->sim = sim;
    c->asked = calloc(STEPS_MAX + CALM_STEPS, sizeof *c->asked);
    WEIR_ASSERT(c->asked != NULL);
    c->poisons_left = sim_percent(sim, 30) ? POISONS_MAX : 0;
    c->may_drift = sim_percent(sim, 5);
    c->poison.sim = sim;
    cycle_start_init(&c->start, sim);
    choose_theme(c);
    c->model = cycle_model_new(sim, &c->start.limits);
    for (uint32_t i = 0; i < c->client_count; i++)
        client_init(&c->askers[i].client, sim);
    cycle_hooks = (struct cycle_hooks){c, meet_poison, drifts};
    return c;
}

static void cycle_close(void *state) {
    struct cycle *c = state;
    cycle_hooks = (struct cycle_hooks){0};
    for (uint32_t i = 0; i < c->client_count; i++)
        client_done(&c->askers[i].client);
    cycle_model_free(c->model);
    free(c->asked);
    free(c);
}

static const struct weir_service *const *cycle_these(void *state) {
    struct cycle *c = state;
    return cycle_services(c->start.tried, c->start.left_alone);
}

static void cycle_begin(void *state) {
    struct cycle *c = state;
    for (uint32_t i = 0; i < c->client_count; i++)
        client_hang_up(&c->askers[i].client);
    c->calm_ns = 0;
    c->calm_left = sim_calm_requests(c->sim);
    c->drifted = false;
    cycle_start_begin(&c->start);
}

static bool cycle_expects(void *state, const char *sentence) {
    struct cycle *c = state;
    if (strstr(sentence, "gives another result")) return c->drifted;
    return cycle_poison_expects(&c->poison, sentence) || cycle_start_expects(&c->start, sentence);
}

static void cycle_configure(void *state, struct settings *settings) {
    const struct cycle *c = state;
    cycle_start_configure(&c->start, settings);
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */
static void send_step(struct cycle *c, struct asker *a) {
    const struct cycle_asked *asked = &c->asked[a->id];
    const struct cycle_step *s = &asked->step;
    char key[32], body[200];
    snprintf(key, sizeof key, "step-%llu", (unsigned long long)a->id);
    snprintf(body, sizeof body, "{\"id\":\"%llu\",\"op\":%u,\"hops\":%u,\"key\":\"%llu\",\"amount\":\"%llu\"}",
        (unsigned long long)s->id, s->op, s->hops, (unsigned long long)s->key,
        (unsigned long long)s->amount + a->twisted);
    client_ask(&a->client, "POST", asked->service ? "/v1/right/steps" : "/v1/left/steps", key, body);
}

static uint32_t choose_op(struct cycle *c) {
    if (c->poisons_left == 0 || c->sim->calm || !sim_percent(c->sim, 3)) return c->ops[sim_pick(c->sim, c->op_count)];
    c->poisons_left--;
    return CYCLE_POISON;
}

static uint64_t choose_amount(struct cycle *c, uint32_t op) {
    static const uint64_t most[THEME_COUNT] = {
        [FANS] = CYCLE_FAN_BYTES, [LONG_REPLIES] = CYCLE_LONG_MAX * 2 / 3, [WIDE_OUTPUTS] = CYCLE_WIDE_MAX - 1};
    struct prng *p = &c->sim->prng;
    if (most[c->theme] && op == c->ops[0]) return most[c->theme] - 1;
    switch (op) {
    case CYCLE_TIMER:
        return prng_between(p, 0, TIMER_NS_MAX);
    case CYCLE_WIDE:
        return prng_between(p, 1, sim_percent(c->sim, 10) ? CYCLE_WIDE_MAX - 1 : CYCLE_NARROW_MAX);
    case CYCLE_FAN:
        return prng_between(p, 1, sim_percent(c->sim, 20) ? CYCLE_FAN_BYTES - 1 : 200);
    case CYCLE_LONG:
        return prng_between(p, 1, CYCLE_LONG_MAX - 1);
    default:
        return 1 + sim_pick(c->sim, 50);
    }
}

static void begin_step(struct cycle *c, struct asker *a) {
    if (c->count >= c->steps_max + (c->sim->calm ? CALM_STEPS : 0)) return;
    a->id = c->count++;
    a->busy = true;
    a->twisted = false;
    struct cycle_asked *asked = &c->asked[a->id];
    struct cycle_step *s = &asked->step;
    *asked = (struct cycle_asked){.service = sim_pick(c->sim, 2), .step = {.id = a->id}};
    s->op = choose_op(c);
    s->amount = choose_amount(c, s->op);
    s->hops = sim_pick(c->sim, (s->op == CYCLE_FAN ? FAN_HOPS_MAX : HOPS_MAX) + 1);
    s->key = sim_pick(c->sim, KEYS);
    if (c->theme != MIXED) {
        asked->service = 1;
        s->hops = c->theme == FANS;
        s->key = THEME_KEY;
    }
    if (s->op == CYCLE_POISON && sim_percent(c->sim, 30)) { /* the timer's record will be one */
        *s = (struct cycle_step){a->id, CYCLE_TIMER, 0, CYCLE_POISON_TIMER, choose_amount(c, CYCLE_TIMER)};
    }
    send_step(c, a);
}

/* Asks for what was asked before, perhaps by somebody who waits for it now, perhaps with another body. */
static void repeat_step(struct cycle *c, struct asker *a) {
    const struct asker *other = &c->askers[sim_pick(c->sim, c->client_count)];
    a->id = other->busy && sim_percent(c->sim, 80) ? other->id : prng_below(&c->sim->prng, c->count);
    a->busy = true;
    a->twisted = sim_percent(c->sim, 20);
    if (a->twisted) c->asked[a->id].twisted = true;
    send_step(c, a);
}

/* True when it is known what became of the request. 409: a repetition of a record that operators passed over. 422: of
 * one with another body. */
static bool is_decided(struct cycle *c, const struct asker *a) {
    if (a->client.state != CLIENT_ANSWERED) return false;
    if (a->client.status == 200) c->asked[a->id].acked = true;
    return a->client.status == 200 || a->client.status == 409 || a->client.status == 422;
}

static void step_asker(struct cycle *c, struct asker *a, bool calm) {
    client_step(&a->client);
    if (a->client.state == CLIENT_WAITS) return;
    if (is_decided(c, a)) a->busy = false;
    client_done_with(&a->client);
    if (a->busy && (calm || sim_percent(c->sim, 97))) {
        if (sim_percent(c->sim, 50)) send_step(c, a);
        return;
    }
    a->busy = false; /* gives up: it may have been taken or not */
    if (!sim_percent(c->sim, 50) || (calm && c->calm_left == 0)) return;
    c->calm_left -= calm;
    if (!calm && c->count > 0 && sim_percent(c->sim, c->repeats_percent))
        repeat_step(c, a);
    else
        begin_step(c, a);
}

/* Whatever was begun has its answer, and nothing more is to be begun in the calm. */
static bool clients_rest(const struct cycle *c) {
    for (uint32_t i = 0; i < c->client_count; i++)
        if (c->askers[i].busy || c->askers[i].client.state != CLIENT_FREE) return false;
    return c->calm_left == 0;
}

static void cycle_step(void *state, bool calm) {
    struct cycle *c = state;
    cycle_start_step(&c->start);
    bool open = node_is_open(&c->sim->node), parked = open && cycle_poison_parks(&c->poison);
    if (calm && (c->calm_ns == 0 || !clients_rest(c) || !open || parked)) c->calm_ns = sim_now_ns(c->sim);
    for (uint32_t i = 0; i < c->client_count; i++)
        step_asker(c, &c->askers[i], calm);
}

static bool cycle_settled(void *state) {
    const struct cycle *c = state;
    return clients_rest(c) && c->calm_ns > 0 && sim_now_ns(c->sim) > c->calm_ns + CALM_NS;
}

static bool cycle_check(void *state, bool whole) {
    struct cycle *c = state;
    return cycle_model_check(c->model, c->asked, c->count, whole);
}

extern const struct sim_workload sim_workload_cycle;
const struct sim_workload sim_workload_cycle = {
    .name = "cycle",
    .summary = "two services that emit into each other, timers, poison, upgrades in the middle",
    .services = cycle_these,
    .expects = cycle_expects,
    .open = cycle_open,
    .close = cycle_close,
    .configure = cycle_configure,
    .begin = cycle_begin,
    .step = cycle_step,
    .settled = cycle_settled,
    .check = cycle_check,
};
