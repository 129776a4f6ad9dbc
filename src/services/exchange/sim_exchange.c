/* The exchange under the simulator: traders over HTTP, binary sessions, and a plain model of what the durable log of
 * commands means. What was answered is in the log once; what was not sent, or refused, is not there; the topics of
 * events and trades hold what the model gives, byte for byte; sessions hear all of it once and in order. */
#include "exchange/sim_exchange.h"

#include <stdlib.h>

static const struct weir_service *const *exchange_services(void *state) {
    extern const struct weir_service weir_service_exchange;
    static const struct weir_service *const services[] = {&weir_service_exchange, NULL};
    (void)state;
    return services;
}

/* Names until every partition has one. */
static void name_symbols(struct exchange_sim *x) {
    static const int64_t ticks[] = {1, 1, 5};
    uint32_t wanted = (uint32_t)prng_between(&x->sim->prng, 1, 3);
    for (uint32_t i = 0, missing = x->partitions; i < EX_SYMBOLS_MAX && (i < wanted || missing > 0); i++) {
        snprintf(x->names[i], EXCHANGE_NAME_SIZE, "S%u", i);
        bool first = true;
        for (uint32_t k = 0; k < i; k++)
            first = first && ex_partition(x, k) != ex_partition(x, i);
        if (first) missing--;
        struct exchange_terms *t = &x->terms[i];
        *t = (struct exchange_terms){.tick = ticks[sim_pick(x->sim, 3)]};
        t->lot = sim_percent(x->sim, 50) ? 1 : 10;
        if (sim_percent(x->sim, 30)) t->quantity_max = 80;
        if (sim_percent(x->sim, 30)) t->collar = 5;
        if (sim_percent(x->sim, 30)) {
            t->reference = 1000;
            t->band = 100;
        }
        memcpy(t->name, x->names[i], EXCHANGE_NAME_SIZE);
        x->symbol_count++;
    }
}

static void *exchange_sim_open(struct sim *sim) {
    struct exchange_sim *x = calloc(1, sizeof *x);
    WEIR_ASSERT(x != NULL);
    x->sim = sim;
    x->trusts = sim->plan.weather != WEATHER_DAMAGE;
    x->partitions = (uint32_t)prng_between(&sim->prng, 1, EX_PARTITIONS_MAX);
    x->trader_count = (uint32_t)prng_between(&sim->prng, 1, EX_TRADERS_MAX);
    x->binary_count = sim_pick(sim, EX_BINARIES_MAX + 1);
    x->cancels_on_disconnect = sim_percent(sim, 30);
    x->asks = calloc(EX_ASKS_MAX + EX_CALM_ASKS_MAX, sizeof *x->asks);
    WEIR_ASSERT(x->asks != NULL);
    name_symbols(x);
    for (uint32_t i = 0; i < x->partitions; i++)
        ex_ledger_open(&x->ledgers[i], x, i);
    for (uint32_t i = 0; i < x->trader_count; i++)
        client_init(&x->traders[i].client, sim);
    for (uint32_t i = 0; i < x->binary_count; i++)
        ex_binary_open(x, &x->binaries[i], i + 1);
    return x;
}

static void exchange_sim_close(void *state) {
    struct exchange_sim *x = state;
    for (uint32_t i = 0; i < x->partitions; i++)
        ex_ledger_close(&x->ledgers[i]);
    for (uint32_t i = 0; i < x->trader_count; i++)
        client_done(&x->traders[i].client);
    for (uint32_t i = 0; i < x->binary_count; i++)
        ex_binary_close(x, &x->binaries[i]);
    free(x->asks);
    free(x);
}

static void set(struct settings *settings, const char *key, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    enum weir_error e = settings_set(settings, key, text, "sim");
    WEIR_ASSERT(e == WEIR_OK);
}

static void exchange_sim_configure(void *state, struct settings *settings) {
    const struct exchange_sim *x = state;
    set(settings, "exchange.partitions", x->partitions);
    set(settings, "exchange.orders_max", 1024);
    set(settings, "exchange.symbols_max", EX_SYMBOLS_MAX);
    set(settings, "exchange.accounts_max", EX_ACCOUNTS);
    set(settings, "exchange.open_max", EX_OPEN_MAX);
    enum weir_error e = settings_set(settings, "exchange.ouch", "127.0.0.1:9879", "sim");
    if (e == WEIR_OK)
        e = settings_set(
            settings, "exchange.ouch_cancel_on_disconnect", x->cancels_on_disconnect ? "true" : "false", "sim");
    /* The wall clock jumps by days: no key is forgotten while its command is in doubt. */
    if (e == WEIR_OK) e = settings_set(settings, "idempotency_age", "8760h", "sim");
    WEIR_ASSERT(e == WEIR_OK);
}

static void exchange_sim_begin(void *state) {
    struct exchange_sim *x = state;
    x->life++;
    for (uint32_t i = 0; i < x->trader_count; i++)
        client_hang_up(&x->traders[i].client);
    for (uint32_t i = 0; i < x->binary_count; i++)
        ex_binary_hang_up(x, &x->binaries[i]);
    x->looks_until_ns = 0;
    x->calm_left = sim_calm_requests(x->sim);
    memset(x->looked, 0, sizeof x->looked);
    memset(x->looked_account, 0, sizeof x->looked_account);
}

static void exchange_sim_step(void *state, bool calm) {
    struct exchange_sim *x = state;
    ex_http_step(x, calm);
    for (uint32_t i = 0; i < x->binary_count; i++)
        ex_binary_step(x, &x->binaries[i], calm);
}

static bool exchange_sim_settled(void *state) {
    const struct exchange_sim *x = state;
    /* A session whose events are damaged is closed each time, by right. */
    for (uint32_t i = 0; i < x->binary_count && x->trusts; i++)
        if (!ex_binary_settled(&x->binaries[i])) return false;
    return ex_http_settled(x);
}

/* The log may end earlier than it did, and go on with something else. */
static void begin_anew(struct exchange_sim *x) {
    for (uint32_t i = 0; i < x->partitions; i++) {
        ex_ledger_close(&x->ledgers[i]);
        ex_ledger_open(&x->ledgers[i], x, i);
    }
    for (uint32_t i = 0; i < x->ask_count; i++)
        x->asks[i].seen = 0;
}

static bool exchange_sim_check(void *state, bool whole) {
    struct exchange_sim *x = state;
    if (!x->trusts) begin_anew(x);
    for (uint32_t i = 0; i < x->partitions && !x->sim->failed; i++) {
        struct ex_ledger *l = &x->ledgers[i];
        if (!ex_ledger_take(l) || !ex_ledger_compare(l, whole)) return false;
    }
    ex_http_check(x, whole);
    for (uint32_t i = 0; i < x->binary_count && !x->sim->failed; i++)
        ex_binary_check(x, &x->binaries[i], whole);
    return true;
}

extern const struct sim_workload sim_workload_exchange;
const struct sim_workload sim_workload_exchange = {
    .name = "exchange",
    .summary = "order entry over HTTP and OUCH against a plain model",
    .services = exchange_services,
    .open = exchange_sim_open,
    .close = exchange_sim_close,
    .configure = exchange_sim_configure,
    .begin = exchange_sim_begin,
    .step = exchange_sim_step,
    .settled = exchange_sim_settled,
    .check = exchange_sim_check,
};
