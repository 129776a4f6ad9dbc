/* weir exchange match: the matching core alone over a recorded stream, its trades checked, its speed measured.
 *
 * Three kinds of pass over the same reset engine: one that looks at every event (trade hash, volume, trades file),
 * `repeat` timed ones without a clock inside, and one with the cycle counter around each operation. All must end in the
 * same state. */
#include "exchange/tool_flow.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RING 32

static uint64_t now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t cycles(void) {
#if defined(__x86_64__)
    unsigned int aux;
    return __builtin_ia32_rdtscp(&aux);
#else
    return now_ns(CLOCK_MONOTONIC);
#endif
}

/* ---- pass 1: every event ---- */
struct checker {
    struct match_result *result;
    bool by_ref;
    struct weir_slice expected; /* the rest of the trades file */
    uint64_t line;
    uint64_t maker; /* of the execution whose taker follows */
};

static bool number(struct weir_slice *text, int64_t *ret) {
    bool negative = text->size && text->data[0] == '-';
    size_t i = negative;
    uint64_t value = 0;
    for (; i < text->size && text->data[i] >= '0' && text->data[i] <= '9'; i++)
        value = value * 10 + (uint64_t)(text->data[i] - '0');
    bool some = i > negative;
    if (i < text->size && text->data[i] == ',') i++;
    *ret = negative ? -(int64_t)value : (int64_t)value;
    *text = weir_slice(text->data + i, text->size - i);
    return some;
}

static bool expected_next(struct checker *c, int64_t fields[6]) {
    while (c->expected.size) {
        const uint8_t *end = memchr(c->expected.data, '\n', c->expected.size);
        size_t size = end ? (size_t)(end - c->expected.data) : c->expected.size;
        struct weir_slice line = weir_slice(c->expected.data, size);
        size_t skip = size + (end != NULL);
        c->expected = weir_slice(c->expected.data + skip, c->expected.size - skip);
        c->line++;
        bool good = true;
        for (int i = 0; i < 6 && good; i++)
            good = number(&line, &fields[i]);
        if (good) return true;
        /* A header line. */
        if (c->line > 1) break;
    }
    return false;
}

static void check_trade(struct checker *c, const int64_t have[6]) {
    int64_t want[6];
    if (expected_next(c, want) && memcmp(have, want, sizeof(want)) == 0) return;
    if (c->result->mismatches++ == 0)
        fprintf(stderr,
            "weir: trades line %" PRIu64 " differs: op %" PRId64 " symbol %" PRId64 " maker %" PRId64 " taker %" PRId64
            " price %" PRId64 " quantity %" PRId64 "\n",
            c->line, have[0], have[1], have[2], have[3], have[4], have[5]);
}

static void look(struct checker *c, const struct exchange_event *e, uint64_t op) {
    uint64_t id = c->by_ref ? e->client_ref : e->order_id;
    if (e->type == EXCHANGE_EVENT_REJECTED) c->result->rejected++;
    if (e->type != EXCHANGE_EVENT_EXECUTED) return;
    if (e->flags & EXCHANGE_EVENT_MAKER) {
        c->maker = id;
        return;
    }
    struct match_result *r = c->result;
    uint64_t fields[5] = {e->symbol - 1, c->maker, id, (uint64_t)e->price, e->quantity};
    for (int i = 0; i < 5; i++)
        r->hash = weir_orderflow_hash(r->hash, fields[i]);
    r->trades++;
    r->volume += e->quantity;
    if (c->expected.data) {
        int64_t have[6] = {
            (int64_t)op, (int64_t)fields[0], (int64_t)c->maker, (int64_t)id, e->price, (int64_t)e->quantity};
        check_trade(c, have);
    }
}

static void pass_check(struct exchange_core *core, const struct flow *flow, struct checker *c) {
    struct exchange_command command;
    for (size_t i = 0; i < flow->count; i++) {
        flow_command(&flow->records[i], c->by_ref, &command);
        exchange_core_apply(core, &command, sizeof(command), flow->records[i].time_ns);
        size_t count;
        const union exchange_output *outputs = exchange_core_outputs(core, &count);
        c->result->events += count;
        for (size_t k = 0; k < count; k++)
            if (outputs[k].type < EXCHANGE_EVENT_L2) look(c, &outputs[k].event, i);
    }
    int64_t more[6];
    if (c->expected.data && expected_next(c, more)) {
        c->result->mismatches++;
        fprintf(stderr, "weir: trades line %" PRIu64 ": expected a trade that did not happen\n", c->line);
    }
}

/* ---- pass 2: speed ---- */
struct ahead {
    struct exchange_command ring[RING];
    struct exchange_hints hints;
};

static void ahead_start(struct ahead *ahead, const struct exchange_core *core, const struct flow *flow, bool by_ref) {
    memset(ahead->ring, 0, sizeof(ahead->ring));
    exchange_core_prefetch_start(core, &ahead->hints);
    for (size_t i = 0; i < EXCHANGE_AHEAD && i < flow->count; i++)
        flow_command(&flow->records[i], by_ref, &ahead->ring[i]);
}

static inline void ahead_step(
    struct ahead *ahead, const struct exchange_core *core, const struct flow *flow, bool by_ref, size_t i) {
    struct exchange_command *far = &ahead->ring[(i + EXCHANGE_AHEAD) % RING];
    if (i + EXCHANGE_AHEAD < flow->count) flow_command(&flow->records[i + EXCHANGE_AHEAD], by_ref, far);
    exchange_core_prefetch(core, &ahead->hints, far);
}

static void pass_speed(struct exchange_core *core, const struct flow *flow, bool by_ref) {
    struct ahead ahead;
    ahead_start(&ahead, core, flow, by_ref);
    for (size_t i = 0; i < flow->count; i++) {
        ahead_step(&ahead, core, flow, by_ref, i);
        exchange_core_apply(core, &ahead.ring[i % RING], sizeof(ahead.ring[0]), flow->records[i].time_ns);
    }
}

/* ---- pass 3: latency ---- */
static void pass_latency(struct exchange_core *core, const struct flow *flow, bool by_ref, uint32_t *spent) {
    struct ahead ahead;
    ahead_start(&ahead, core, flow, by_ref);
    for (size_t i = 0; i < flow->count; i++) {
        ahead_step(&ahead, core, flow, by_ref, i);
        uint64_t start = cycles();
        exchange_core_apply(core, &ahead.ring[i % RING], sizeof(ahead.ring[0]), flow->records[i].time_ns);
        uint64_t took = cycles() - start;
        spent[i] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
    }
}

static int compare_u32(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}
static int compare_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void again(struct exchange_core *core, const struct flow *flow) {
    exchange_core_reset(core);
    flow_engine_define(core, flow->symbols);
}

static enum weir_error measure(
    struct exchange_core *core, const struct flow *flow, const struct match_options *o, struct match_result *r) {
    uint64_t *cpu = malloc(o->repeat * sizeof(*cpu));
    uint32_t *spent = malloc((flow->count + 1) * sizeof(*spent));
    enum weir_error error = WEIR_OK;
    uint64_t wall_best = UINT64_MAX;
    if (cpu == NULL || spent == NULL) error = weir_error_context(WEIR_E_NO_MEMORY, "no memory for the measurements");
    for (uint64_t k = 0; k < o->repeat && error == WEIR_OK; k++) {
        again(core, flow);
        uint64_t wall = now_ns(CLOCK_MONOTONIC), start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        pass_speed(core, flow, o->by_ref);
        cpu[k] = now_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
        wall = now_ns(CLOCK_MONOTONIC) - wall;
        wall_best = wall < wall_best ? wall : wall_best;
        if (exchange_core_digest(core) != r->digest)
            error =
                weir_error_context(WEIR_E_MISMATCH, "pass %" PRIu64 " ended in another state than the first", k + 1);
    }
    if (error == WEIR_OK && o->repeat) {
        qsort(cpu, o->repeat, sizeof(*cpu), compare_u64);
        r->cpu_best = (double)flow->count * 1e9 / (double)cpu[0];
        r->cpu_median = (double)flow->count * 1e9 / (double)cpu[o->repeat / 2];
        r->wall_best = (double)flow->count * 1e9 / (double)wall_best;
    }
    if (error == WEIR_OK && flow->count) {
        again(core, flow);
        uint64_t wall = now_ns(CLOCK_MONOTONIC), start = cycles();
        pass_latency(core, flow, o->by_ref, spent);
        double ns_per_cycle = (double)(now_ns(CLOCK_MONOTONIC) - wall) / (double)(cycles() - start + 1);
        qsort(spent, flow->count, sizeof(*spent), compare_u32);
        r->p50 = spent[flow->count / 2] * ns_per_cycle;
        r->p99 = spent[flow->count - 1 - flow->count / 100] * ns_per_cycle;
        r->p999 = spent[flow->count - 1 - flow->count / 1000] * ns_per_cycle;
    }
    free(cpu);
    free(spent);
    return error;
}

enum weir_error match_run(const struct match_options *o, struct match_result *r) {
    struct flow flow;
    struct weir_slice trades = {0};
    enum weir_error error = flow_load(o->file, &flow);
    if (error) return error;
    if (o->trades) error = flow_read_file(o->trades, &trades);
    struct exchange_limits limits = {
        .orders_max = flow.open_max + 64, .symbols_max = flow.symbols + 1, .accounts_max = 1024};
    struct exchange_core *core = NULL;
    if (error == WEIR_OK) error = flow_engine_open(&limits, flow.symbols, &core);
    if (error == WEIR_OK) {
        struct match_options own = *o;
        own.by_ref = o->by_ref || !flow.dense;
        struct checker checker = {.result = r, .by_ref = own.by_ref, .expected = trades};
        *r = (struct match_result){.hash = WEIR_ORDERFLOW_HASH_START};
        r->ops = flow.count;
        pass_check(core, &flow, &checker);
        struct exchange_stats stats;
        exchange_core_stats(core, &stats);
        r->open = stats.open;
        r->digest = exchange_core_digest(core);
        error = measure(core, &flow, &own, r);
        flow_engine_close(core, &limits);
    }
    free((void *)(uintptr_t)trades.data);
    flow_done(&flow);
    return error;
}

static void print(const struct match_options *o, const struct match_result *r) {
    printf("{\"ops\": %" PRIu64 ", \"cpu_ops_per_s\": %.0f, \"cpu_ops_per_s_median\": %.0f, \"wall_ops_per_s\": %.0f, "
           "\"p50_ns\": %.0f, \"p99_ns\": %.0f, \"p999_ns\": %.0f, \"trades\": %" PRIu64 ", \"volume\": %" PRIu64
           ", \"open\": %" PRIu64 ", \"trade_hash\": \"%016" PRIx64 "\", \"rejected\": %" PRIu64
           ", \"events\": %" PRIu64 ", \"repeat\": %" PRIu64,
        r->ops, r->cpu_best, r->cpu_median, r->wall_best, r->p50, r->p99, r->p999, r->trades, r->volume, r->open,
        r->hash, r->rejected, r->events, o->repeat);
    if (o->trades) printf(", \"trades_equal\": %s", r->mismatches ? "false" : "true");
    printf("}\n");
}

static int usage(const char *what, const char *argument) {
    fprintf(stderr,
        "weir: %s%s\nusage: weir exchange match FILE [--trades FILE] [--repeat N] [--refs]\n"
        "  FILE       32-byte records, plain or .zst\n"
        "  --trades   the expected trades (op,sym,maker,taker,price,qty per line), plain or .zst\n"
        "  --repeat   timed passes, the best counts (default 9)\n"
        "  --refs     name orders by client reference instead of by the engine's ids\n",
        what, argument);
    return 64;
}

int tool_match(int argc, char **argv) {
    struct match_options o = {.repeat = 9};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trades") == 0 && i + 1 < argc) {
            o.trades = argv[++i];
        } else if (strcmp(argv[i], "--repeat") == 0 && i + 1 < argc) {
            char *end;
            o.repeat = strtoull(argv[++i], &end, 10);
            if (*end || o.repeat == 0 || o.repeat > 100000)
                return usage("--repeat takes a number from 1 to 100000, not ", argv[i]);
        } else if (strcmp(argv[i], "--refs") == 0) {
            o.by_ref = true;
        } else if (argv[i][0] == '-' || o.file) {
            return usage("unexpected argument ", argv[i]);
        } else {
            o.file = argv[i];
        }
    }
    if (o.file == NULL) return usage("no file given", "");
    struct match_result r = {0};
    enum weir_error error = match_run(&o, &r);
    if (error) {
        fprintf(stderr, "weir: %s: %s\n", weir_error_sentence(error), weir_error_text());
        return weir_error_exit(error);
    }
    print(&o, &r);
    return r.mismatches ? weir_error_exit(WEIR_E_MISMATCH) : 0;
}
