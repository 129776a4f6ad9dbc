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

/* A record of the size its first byte asks for, names cut to few so that they meet. */
static void apply(struct exchange_core *core, struct stream *in, uint64_t *now) {
    uint8_t record[sizeof(struct exchange_terms)] = {0}, head[2];
    if (!take(in, head, sizeof(head))) {
        in->at = in->size;
        return;
    }
    size_t size = head[0] & 0x40   ? head[1]
                  : head[0] & 0x80 ? sizeof(struct exchange_terms)
                                   : sizeof(struct exchange_command);
    if (size > sizeof(record)) size = sizeof(record);
    size_t left = in->size - in->at;
    (void)take(in, record, size < left ? size : left);
    record[0] = head[0] & 15;
    *now += head[1];
    exchange_core_apply(core, record, size, *now);
    size_t count;
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
