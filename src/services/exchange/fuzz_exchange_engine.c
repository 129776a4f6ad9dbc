/* Any records in any order: the engine answers each, keeps its limits, and comes back from its own snapshot. The
 * snapshot reader is fed the same bytes, and must refuse or accept them without harm.
 * Covers: core.c levels.c mass.c matching.c orders.c parties.c snapshot.c symbols.c expiry.c. */
#include "exchange/core.h"
#include <stdlib.h>
#include <string.h>

#define WORK 16

static const struct exchange_limits limits = {
    .orders_max = 64, .symbols_max = 3, .accounts_max = 4, .sessions_max = 4, .nodes_max = 80, .work_max = WORK};

struct stream {
    uint8_t *data;
    size_t size, at;
};
static bool take(void *context, void *bytes, size_t size) {
    struct stream *s = context;
    if (s->size - s->at < size) return false;
    memcpy(bytes, s->data + s->at, size);
    s->at += size;
    return true;
}
static bool add(void *context, const void *bytes, size_t size) {
    struct stream *s = context;
    s->data = realloc(s->data, s->size + size);
    memcpy(s->data + s->size, bytes, size);
    s->size += size;
    return true;
}

static struct exchange_core *open_engine(void) {
    size_t size = exchange_core_size(&limits);
    void *region = aligned_alloc(4096, size);
    memset(region, 0, size);
    return exchange_core_open(region, size, &limits);
}

/* A command of few symbols, accounts, prices and ids, so that orders meet. */
static void fill(uint8_t type, const uint8_t b[8], struct exchange_command *c) {
    *c = (struct exchange_command){.type = type,
        .side = b[0] & 1,
        .tif = (b[0] >> 1) % 6,
        .stp = (b[0] >> 4) % 6,
        .flags = (uint16_t)(b[1] | (b[0] & 128) << 1),
        .symbol = b[2] & 1 ? 1 : b[2] >> 6,
        .account = b[2] >> 1 & 7,
        .session = b[3] & 7,
        .order_id = b[4],
        .client_ref = b[5],
        .price = (int64_t)(b[6] & 31) - 4,
        .quantity = b[7],
        .expire_ns = b[3]};
    if (type == EXCHANGE_COMMAND_MASS_CANCEL) c->side = b[0] % 3;
}

/* Symbols with a tick and a lot of one or two, and sometimes bounds. */
static void define(uint8_t type, const uint8_t b[8], struct exchange_terms *terms) {
    *terms = (struct exchange_terms){.type = type,
        .symbol = b[0] & 3,
        .name = {(char)('A' + b[1] % 4)},
        .tick = 1 + (b[2] & 1),
        .lot = 1 + (b[2] >> 1 & 1),
        .quantity_max = b[3],
        .notional_max = (uint64_t)b[4] * 16,
        .reference = b[5],
        .band = b[6],
        .collar = b[7] & 15};
}

/* Any bytes as a record of about the right size. */
static size_t take_any(struct stream *in, const uint8_t head[2], uint8_t *record) {
    size_t size = head[0] & 0x40   ? head[1]
                  : head[0] & 0x80 ? sizeof(struct exchange_terms)
                                   : sizeof(struct exchange_command);
    if (size > sizeof(struct exchange_terms)) size = sizeof(struct exchange_terms);
    size_t left = in->size - in->at;
    (void)take(in, record, size < left ? size : left);
    record[0] = head[0] & 15;
    return size;
}

/* Two bytes say what comes: with bit 5 a record that makes sense to the engine, else any bytes. */
static void apply(struct exchange_core *core, struct stream *in, uint64_t *now) {
    union {
        uint8_t bytes[sizeof(struct exchange_terms)];
        struct exchange_command command;
        struct exchange_terms terms;
    } record = {.bytes = {0}};
    uint8_t head[2], few[8];
    size_t size = sizeof record.command, count;
    if (!take(in, head, sizeof head)) {
        in->at = in->size;
        return;
    }
    uint8_t type = head[0] & 15;
    if (!(head[0] & 0x20) || !take(in, few, sizeof few)) {
        size = take_any(in, head, record.bytes);
    } else if (type == EXCHANGE_COMMAND_DEFINE || type == EXCHANGE_COMMAND_ALTER) {
        define(type, few, &record.terms);
        size = sizeof record.terms;
    } else {
        fill(type, few, &record.command);
    }
    *now += head[1];
    exchange_core_apply(core, record.bytes, size, *now);
    (void)exchange_core_outputs(core, &count);
    if (count > EXCHANGE_OUTPUTS_MAX(WORK)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct stream in = {(uint8_t *)(uintptr_t)data, size, 0}, saved = {0}, again = {0};
    struct exchange_core *core = open_engine();
    const char *error = NULL;
    uint64_t now = 1;
    while (in.at < in.size)
        apply(core, &in, &now);
    uint64_t digest = exchange_core_digest(core);
    exchange_core_save(core, add, &saved);
    exchange_core_reset(core);
    if (!exchange_core_load(core, take, &saved, &error) || exchange_core_digest(core) != digest) abort();
    exchange_core_save(core, add, &again);
    if (again.size != saved.size || memcmp(again.data, saved.data, saved.size) != 0) abort();
    exchange_core_reset(core);
    in.at = 0;
    (void)exchange_core_load(core, take, &in, &error);
    free(saved.data);
    free(again.data);
    free(core);
    return 0;
}
