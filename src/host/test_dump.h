/* host/test_dump.h: what the offline replay says of a partition of a stopped node, as of an offset. */
#ifndef WEIR_HOST_TEST_DUMP_H
#define WEIR_HOST_TEST_DUMP_H
#include "host/test_world.h"

struct world_dump {
    char text[65536];
    size_t size;
};
static enum weir_error dump_put(void *ctx, const void *data, size_t size) {
    struct world_dump *dump = ctx;
    assert_true(dump->size + size < sizeof dump->text);
    memcpy(dump->text + dump->size, data, size);
    dump->size += size;
    dump->text[dump->size] = 0;
    return WEIR_OK;
}

/* Good until the next call. */
static const char *world_replay(
    struct world *w, const struct weir_service *service, uint32_t partition, uint64_t offset) {
    static struct world_dump dump;
    dump.size = 0;
    must(host_replay(w->sys, "data", service, partition, offset, dump_put, &dump));
    return dump.text;
}
#endif
