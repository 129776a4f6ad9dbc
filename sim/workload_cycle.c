/* Services that emit into each other in cycles, timers, large outputs, and an upgrade in the middle. What their output
 * topics must hold follows from their input topics by the model in cycle_model.c. */
#include "sim/cycle_model.h"
#include "sim/workload.h"

#include <stdlib.h>

#define CLIENTS_MAX  5u
#define STEPS_MAX    1500u
#define HOPS_MAX     4u
#define KEYS         24u
#define TIMER_NS_MAX (2 * SYS_NANOS_PER_S)
#define CALM_NS      (6 * SYS_NANOS_PER_S) /* by then every timer has fired, every hop was made */

struct asker {
    struct client client;
    bool busy;
    uint64_t id;
};
struct cycle {
    struct sim *sim;
    uint32_t client_count;
    struct asker askers[CLIENTS_MAX];
    struct cycle_asked *asked;
    uint64_t count;
    uint32_t version, tried; /* in force; of this start */
    bool perhaps;            /* a start with version 2 died before it said it was ready: it may be in force */
    uint64_t calm_ns;        /* since when */
    struct cycle_model *model;
};

static void *cycle_open(struct sim *sim) {
    struct cycle *c = calloc(1, sizeof *c);
    WEIR_ASSERT(c != NULL);
    c->sim = sim;
    c->version = c->tried = 1;
    c->client_count = (uint32_t)prng_between(&sim->prng, 1, CLIENTS_MAX);
    c->asked = calloc(STEPS_MAX, sizeof *c->asked);
    WEIR_ASSERT(c->asked != NULL);
    c->model = cycle_model_new(sim, (uint32_t)prng_between(&sim->prng, 1, CYCLE_PARTITIONS_MAX));
    for (uint32_t i = 0; i < c->client_count; i++)
        client_init(&c->askers[i].client, sim);
    return c;
}

static void cycle_close(void *state) {
    struct cycle *c = state;
    for (uint32_t i = 0; i < c->client_count; i++)
        client_done(&c->askers[i].client);
    cycle_model_free(c->model);
    free(c->asked);
    free(c);
}

/* Once in a while an upgrade is tried; it succeeds where no tail is left, and is refused by name elsewhere. */
static const struct weir_service *const *cycle_these(void *state) {
    struct cycle *c = state;
    return cycle_services(c->tried);
}

static void cycle_begin(void *state) {
    struct cycle *c = state;
    for (uint32_t i = 0; i < c->client_count; i++)
        client_hang_up(&c->askers[i].client);
    c->calm_ns = 0;
    c->perhaps = c->perhaps || c->tried > c->version;
    if (c->version == 2) c->tried = 2;
    if (c->version == 1) c->tried = !c->sim->calm && sim_percent(c->sim, 20) ? 2 : 1;
}

static bool cycle_refused(void *state, enum weir_error error) {
    struct cycle *c = state;
    if (error != WEIR_E_VERSION) return false;
    if (c->tried == 1) {
        c->version = c->tried = 2;
        return c->perhaps;
    }
    c->sim->tally.upgrades_refused++;
    return c->version == 1;
}

static void cycle_configure(void *state, struct settings *settings) {
    const struct cycle *c = state;
    char text[8];
    snprintf(text, sizeof text, "%u", cycle_model_partitions(c->model));
    enum weir_error e = settings_set(settings, "left.partitions", text, "sim");
    if (e == WEIR_OK) e = settings_set(settings, "right.partitions", text, "sim");
    WEIR_ASSERT(e == WEIR_OK);
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */
static void send_step(struct cycle *c, struct asker *a) {
    const struct cycle_asked *asked = &c->asked[a->id];
    const struct cycle_step *s = &asked->step;
    char key[32], body[200];
    snprintf(key, sizeof key, "step-%llu", (unsigned long long)a->id);
    snprintf(body, sizeof body, "{\"id\":\"%llu\",\"op\":%u,\"hops\":%u,\"key\":\"%llu\",\"amount\":\"%llu\"}",
        (unsigned long long)s->id, s->op, s->hops, (unsigned long long)s->key, (unsigned long long)s->amount);
    client_ask(&a->client, "POST", asked->service ? "/v1/right/steps" : "/v1/left/steps", key, body);
}

static void begin_step(struct cycle *c, struct asker *a) {
    if (c->count == STEPS_MAX) return;
    a->id = c->count++;
    a->busy = true;
    uint32_t op = CYCLE_ADD + sim_pick(c->sim, CYCLE_OP_END - CYCLE_ADD);
    uint64_t amount = 1 + sim_pick(c->sim, 50);
    if (op == CYCLE_TIMER) amount = prng_between(&c->sim->prng, 0, TIMER_NS_MAX);
    if (op == CYCLE_WIDE) amount = prng_between(&c->sim->prng, 1, CYCLE_WIDE_MAX);
    c->asked[a->id] =
        (struct cycle_asked){.service = sim_pick(c->sim, 2), .step = {.id = a->id, .op = op, .amount = amount}};
    c->asked[a->id].step.hops = sim_pick(c->sim, HOPS_MAX + 1);
    c->asked[a->id].step.key = sim_pick(c->sim, KEYS);
    send_step(c, a);
}

static void cycle_step(void *state, bool calm) {
    struct cycle *c = state;
    if (node_is_open(&c->sim->node) && c->tried != c->version) {
        c->version = c->tried;
        c->sim->tally.upgrades++;
    }
    if (calm && c->calm_ns == 0) c->calm_ns = sim_now_ns(c->sim);
    for (uint32_t i = 0; i < c->client_count; i++) {
        struct asker *a = &c->askers[i];
        client_step(&a->client);
        if (a->client.state == CLIENT_WAITS) continue;
        if (a->client.state == CLIENT_ANSWERED && a->client.status == 200) {
            c->asked[a->id].acked = true;
            a->busy = false;
        }
        client_done_with(&a->client);
        if (a->busy && (calm || sim_percent(c->sim, 97))) {
            if (sim_percent(c->sim, 50)) send_step(c, a);
            continue;
        }
        a->busy = false; /* gives up: it may have been taken or not */
        if (!calm && sim_percent(c->sim, 50)) begin_step(c, a);
    }
}

static bool cycle_settled(void *state) {
    const struct cycle *c = state;
    for (uint32_t i = 0; i < c->client_count; i++)
        if (c->askers[i].busy || c->askers[i].client.state != CLIENT_FREE) return false;
    return c->calm_ns > 0 && sim_now_ns(c->sim) > c->calm_ns + CALM_NS;
}

static bool cycle_check(void *state, bool whole) {
    struct cycle *c = state;
    return cycle_model_check(c->model, c->asked, c->count, whole);
}

extern const struct sim_workload sim_workload_cycle;
const struct sim_workload sim_workload_cycle = {
    .name = "cycle",
    .summary = "two services that emit into each other, timers, an upgrade in the middle",
    .services = cycle_these,
    .refused = cycle_refused,
    .open = cycle_open,
    .close = cycle_close,
    .configure = cycle_configure,
    .begin = cycle_begin,
    .step = cycle_step,
    .settled = cycle_settled,
    .check = cycle_check,
};
