#include "sim/kafka_client.h"

#include "base/bytes.h"

/* The answer is whole: one frame, to what was asked. */
static bool take(struct client *base) {
    struct kafka_client *c = (struct kafka_client *)base;
    if (base->in_size < KAFKA_FRAME_HEADER) return false;
    size_t size = KAFKA_FRAME_HEADER + (size_t)load_be32(base->in);
    if (size >= CLIENT_BYTES_MAX) sim_fail(base->sim, "kafka: an answer says that it has %zu bytes", size);
    if (base->in_size < size || base->sim->failed) return false;
    arena_reset(&c->arena);
    c->body = (struct kafka_coder){.version = c->request.version,
        .flexible = c->request.flexible,
        .at = base->in + KAFKA_FRAME_HEADER,
        .end = base->in + size,
        .arena = &c->arena};
    int32_t correlation = 0;
    kafka_i32(&c->body, &correlation);
    kafka_tags(&c->body);
    if (c->body.failed || correlation != c->correlation || base->in_size > size)
        sim_fail(base->sim, "kafka: request %d gets an answer to %d, of %zu bytes where it says %zu", c->correlation,
            correlation, base->in_size, size);
    return true;
}

void kafka_client_init(struct kafka_client *c, struct sim *sim) {
    *c = (struct kafka_client){0};
    client_init(&c->base, sim);
    c->base.port = KAFKA_PORT;
    c->base.take = take;
    arena_init(&c->arena, NULL, 4096, 1 << 20);
}

void kafka_client_done(struct kafka_client *c) {
    client_done(&c->base);
    arena_done(&c->arena);
}

/* The header ("Protocol guide", Request Header v1, v2). */
struct kafka_coder *kafka_client_begin(struct kafka_client *c, enum kafka_api api) {
    const struct kafka_api_row *row = kafka_api_find((int16_t)api);
    client_begin(&c->base);
    int16_t version = (int16_t)prng_between(&c->base.sim->prng, (uint64_t)row->version_min, (uint64_t)row->version_max);
    c->request = (struct kafka_coder){.encoding = true,
        .version = version,
        .out = c->base.out,
        .out_at = KAFKA_FRAME_HEADER,
        .out_size = CLIENT_BYTES_MAX};
    int16_t key = row->api;
    int32_t correlation = ++c->correlation;
    struct weir_slice name = weir_slice_text("sim");
    kafka_i16(&c->request, &key);
    kafka_i16(&c->request, &version);
    kafka_i32(&c->request, &correlation);
    kafka_string(&c->request, &name, KAFKA_NULLABLE); /* never a compact one */
    c->request.flexible = version >= row->flexible;
    kafka_tags(&c->request);
    return &c->request;
}

void kafka_client_ask(struct kafka_client *c) {
    WEIR_ASSERT(!c->request.failed);
    store_be32(c->base.out, (uint32_t)(c->request.out_at - KAFKA_FRAME_HEADER));
    c->base.out_size = c->request.out_at;
    client_send(&c->base);
}
