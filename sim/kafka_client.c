#include "sim/kafka_client.h"

#include "base/bytes.h"

#include <stdlib.h>

#define BYTES_MAX       (64u << 10)
#define PATIENCE_NS_MAX (20 * SYS_NANOS_PER_S)

void kafka_client_init(struct kafka_client *c, struct sim *sim) {
    *c = (struct kafka_client){.sim = sim, .connection = -1};
    c->out = malloc(BYTES_MAX);
    c->in = malloc(BYTES_MAX);
    WEIR_ASSERT(c->out && c->in);
    arena_init(&c->arena, NULL, 4096, 1 << 20);
}

void kafka_client_hang_up(struct kafka_client *c) {
    if (c->connection >= 0) sys_sim_client_close(c->sim->sys, c->connection);
    c->connection = -1;
    if (c->state == CLIENT_WAITS) c->state = c->out_sent > 0 ? CLIENT_DOUBT : CLIENT_UNSENT;
}

void kafka_client_done(struct kafka_client *c) {
    kafka_client_hang_up(c);
    free(c->out);
    free(c->in);
    arena_done(&c->arena);
    *c = (struct kafka_client){.connection = -1};
}

void kafka_client_done_with(struct kafka_client *c) {
    c->state = CLIENT_FREE;
}

/* The header ("Protocol guide", Request Header v1, v2). */
struct kafka_coder *kafka_client_begin(struct kafka_client *c, enum kafka_api api) {
    WEIR_ASSERT(c->state == CLIENT_FREE);
    const struct kafka_api_row *row = kafka_api_find((int16_t)api);
    int16_t version = (int16_t)prng_between(&c->sim->prng, (uint64_t)row->version_min, (uint64_t)row->version_max);
    c->request = (struct kafka_coder){
        .encoding = true, .version = version, .out = c->out, .out_at = KAFKA_FRAME_HEADER, .out_size = BYTES_MAX};
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
    store_be32(c->out, (uint32_t)(c->request.out_at - KAFKA_FRAME_HEADER));
    c->out_size = c->request.out_at;
    c->out_sent = c->in_size = 0;
    c->deadline_ns = sim_now_ns(c->sim) + prng_between(&c->sim->prng, SYS_NANOS_PER_S / 10, PATIENCE_NS_MAX);
    c->state = CLIENT_WAITS;
    c->sim->tally.requests++;
}

static void send_some(struct kafka_client *c) {
    size_t left = c->out_size - c->out_sent;
    size_t part = sim_percent(c->sim, 80) ? left : (size_t)prng_between(&c->sim->prng, 1, left);
    if (sys_sim_client_send(c->sim->sys, c->connection, weir_slice(c->out + c->out_sent, part)) != WEIR_OK) {
        kafka_client_hang_up(c);
        return;
    }
    c->out_sent += part;
}

static void take_answer(struct kafka_client *c, size_t size) {
    arena_reset(&c->arena);
    c->body = (struct kafka_coder){.version = c->request.version,
        .flexible = c->request.flexible,
        .at = c->in + KAFKA_FRAME_HEADER,
        .end = c->in + size,
        .arena = &c->arena};
    int32_t correlation = 0;
    kafka_i32(&c->body, &correlation);
    kafka_tags(&c->body);
    if (c->body.failed || correlation != c->correlation || c->in_size > size)
        sim_fail(c->sim, "kafka: request %d gets an answer to %d, of %zu bytes where it says %zu", c->correlation,
            correlation, c->in_size, size);
    c->state = CLIENT_ANSWERED;
    c->sim->tally.answered++;
}

static void receive_some(struct kafka_client *c) {
    c->in_size += sys_sim_client_receive(c->sim->sys, c->connection, c->in + c->in_size, BYTES_MAX - c->in_size);
    if (c->in_size < KAFKA_FRAME_HEADER) return;
    size_t size = KAFKA_FRAME_HEADER + (size_t)load_be32(c->in);
    if (size > BYTES_MAX)
        sim_fail(c->sim, "kafka: an answer says that it has %zu bytes", size);
    else if (c->in_size >= size)
        take_answer(c, size);
}

void kafka_client_step(struct kafka_client *c) {
    if (c->state != CLIENT_WAITS) return;
    if (c->connection < 0 && sys_sim_connect(c->sim->sys, KAFKA_PORT, &c->connection) != WEIR_OK) {
        c->connection = -1;
        c->state = CLIENT_UNSENT;
        return;
    }
    if (c->out_sent < c->out_size) send_some(c);
    if (c->state == CLIENT_WAITS && sim_percent(c->sim, 90)) receive_some(c);
    if (c->state != CLIENT_WAITS) return;
    bool vanishes = prng_below(&c->sim->prng, 2000) == 0;
    if (vanishes || sim_now_ns(c->sim) > c->deadline_ns || sys_sim_client_closed(c->sim->sys, c->connection))
        kafka_client_hang_up(c);
    if (c->state == CLIENT_DOUBT) c->sim->tally.in_doubt++;
}
