#include "exchange/tool_generate.h"
#include "exchange/tool_flow.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIDDLE_START    INT64_C(100000)
#define MIDDLE_MIN      INT64_C(1000)
#define STEP_NS         UINT64_C(10000)
#define OPEN_FEW        32u /* below, it only enters */
#define WANDER_ODDS     64
#define FILE_ENGINE_MAX (1u << 22)

/* Of a hundred steps. */
enum { SHARE_PASSIVE = 52, SHARE_CROSSING = 4, SHARE_IOC = 6, SHARE_MOVE = 10 }; /* the rest cancels */

enum weir_error generate_init(struct generate *generate, uint64_t seed, uint32_t symbol_count) {
    *generate = (struct generate){.random = prng_seed(seed), .next_id = 1, .symbol_count = symbol_count};
    generate->middles = malloc(symbol_count * sizeof(*generate->middles));
    generate->orders = malloc(GENERATE_OPEN_MAX * sizeof(*generate->orders));
    if (generate->middles == NULL || generate->orders == NULL) {
        generate_done(generate);
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory to generate a flow");
    }
    for (uint32_t i = 0; i < symbol_count; i++)
        generate->middles[i] = MIDDLE_START;
    return WEIR_OK;
}

void generate_done(struct generate *generate) {
    free(generate->middles);
    free(generate->orders);
    generate->middles = NULL;
    generate->orders = NULL;
}

/* How far from the middle: one tick most often, then ever more rarely up to about sixty. */
static int64_t distance(struct prng *random) {
    uint64_t bits = prng_next(random);
    return 1 + __builtin_ctzll(bits | UINT64_C(1) << 10) * 3 + (int64_t)(bits >> 40) % 4 +
           ((bits >> 50) % 8 == 0 ? (int64_t)(bits >> 53) % 24 : 0);
}

static int64_t away(struct generate *g, uint32_t symbol, unsigned side, int64_t ticks) {
    return side == WEIR_ORDERFLOW_BUY ? g->middles[symbol] - ticks : g->middles[symbol] + ticks;
}

static void enter(struct generate *g, uint32_t symbol, uint64_t choice, struct generate_step *step) {
    struct weir_orderflow_record *r = &step->record;
    r->side = (uint8_t)(prng_next(&g->random) & 1);
    r->symbol = (uint16_t)symbol;
    r->quantity = (uint32_t)(1 + prng_below(&g->random, 10)) * 10;
    r->order_id = g->next_id++;
    if (choice < SHARE_PASSIVE) {
        r->op = WEIR_ORDERFLOW_LIMIT;
        r->price = away(g, symbol, r->side, distance(&g->random));
    } else {
        r->op = choice < SHARE_PASSIVE + SHARE_CROSSING ? WEIR_ORDERFLOW_LIMIT : WEIR_ORDERFLOW_IOC;
        r->price = away(g, symbol, r->side, -4);
    }
    if (choice >= SHARE_PASSIVE) return; /* what crosses trades at once: nobody would cancel it */
    struct generate_order *order = &g->orders[g->order_count++];
    *order = (struct generate_order){
        .id = r->order_id, .price = r->price, .quantity = r->quantity, .symbol = r->symbol, .side = r->side};
    step->ret_ref = &order->ref;
}

static void change(struct generate *g, bool move, struct generate_step *step) {
    struct weir_orderflow_record *r = &step->record;
    uint32_t i = (uint32_t)prng_below(&g->random, g->order_count);
    struct generate_order *order = &g->orders[i];
    step->ref = order->ref;
    if (move) {
        int64_t price = away(g, order->symbol, order->side, distance(&g->random));
        order->price = price == order->price ? price + 1 : price;
        step->ret_ref = &order->ref;
    }
    r->op = move ? WEIR_ORDERFLOW_MOVE : WEIR_ORDERFLOW_CANCEL;
    r->side = order->side;
    r->symbol = order->symbol;
    r->quantity = order->quantity;
    r->order_id = order->id;
    r->price = order->price;
    if (!move) *order = g->orders[--g->order_count];
}

void generate_next(struct generate *generate, struct generate_step *ret_step) {
    uint64_t choice = prng_below(&generate->random, 100);
    uint32_t symbol = (uint32_t)prng_below(&generate->random, generate->symbol_count);
    if (prng_chance(&generate->random, 1, WANDER_ODDS)) {
        generate->middles[symbol] += prng_next(&generate->random) & 1 ? 1 : -1;
        if (generate->middles[symbol] < MIDDLE_MIN) generate->middles[symbol] = MIDDLE_MIN;
    }
    *ret_step = (struct generate_step){0};
    ret_step->record.time_ns = generate->time_ns += STEP_NS;
    bool few = generate->order_count < OPEN_FEW, many = generate->order_count >= GENERATE_OPEN_MAX;
    if (few || (choice < SHARE_PASSIVE + SHARE_CROSSING + SHARE_IOC && !many))
        enter(generate, symbol, few ? 0 : choice, ret_step);
    else
        change(generate, !many && choice < SHARE_PASSIVE + SHARE_CROSSING + SHARE_IOC + SHARE_MOVE, ret_step);
}

/* ---- into a file ---- */

static bool is_dead(const struct exchange_core *core, const struct weir_orderflow_record *r) {
    struct exchange_order_view order;
    return (r->op == WEIR_ORDERFLOW_CANCEL || r->op == WEIR_ORDERFLOW_MOVE) &&
           !exchange_core_order(core, r->order_id, &order);
}

static enum weir_error write_records(
    FILE *file, const char *path, struct generate *g, struct exchange_core *core, uint64_t count) {
    uint8_t bytes[WEIR_ORDERFLOW_RECORD_SIZE];
    for (uint64_t i = 0; i < count;) {
        struct generate_step step;
        struct exchange_command command;
        generate_next(g, &step);
        if (is_dead(core, &step.record)) continue;
        flow_command(&step.record, false, &command);
        exchange_core_apply(core, &command, sizeof(command), step.record.time_ns);
        weir_orderflow_encode(&step.record, bytes);
        if (fwrite(bytes, sizeof(bytes), 1, file) != 1)
            return weir_error_context(WEIR_E_IO, "cannot write %s: %s", path, strerror(errno));
        i++;
    }
    return WEIR_OK;
}

enum weir_error generate_file(const char *path, uint64_t seed, uint32_t symbol_count, uint64_t count) {
    struct exchange_limits limits = {
        .orders_max = FILE_ENGINE_MAX, .symbols_max = symbol_count + 1, .accounts_max = 1024};
    struct exchange_core *core;
    struct generate generate;
    enum weir_error error = generate_init(&generate, seed, symbol_count);
    if (error) return error;
    error = flow_engine_open(&limits, symbol_count, &core);
    FILE *file = error ? NULL : fopen(path, "wb");
    if (error == WEIR_OK && file == NULL)
        error = weir_error_context(WEIR_E_IO, "cannot write %s: %s", path, strerror(errno));
    if (file) {
        error = write_records(file, path, &generate, core, count);
        if (fclose(file) != 0 && error == WEIR_OK)
            error = weir_error_context(WEIR_E_IO, "cannot write %s: %s", path, strerror(errno));
    }
    if (error == WEIR_OK || file) flow_engine_close(core, &limits);
    generate_done(&generate);
    return error;
}
