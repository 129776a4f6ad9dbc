/* Datagrams: a template's or a capture's. Sent is done, unless answers are awaited. */
#include "load/worker.h"

#define BODY_SALT 1

static void udp_greet(struct load_worker *w, struct load_conn *c, uint64_t now) {
    load_conn_ready(w, c, now);
}

static size_t udp_render(struct load_worker *w, struct load_conn *c, struct load_pending *pending, uint8_t *out) {
    const struct load_options *o = w->options;
    (void)c;
    if (o->packets.count == 0) return load_template_render(&o->body, o->seed, pending->n, BODY_SALT, out);
    struct weir_slice packet = o->packets.items[pending->n % o->packets.count];
    if (packet.size) memcpy(out, packet.data, packet.size);
    return packet.size;
}

/* With --match order a datagram that comes back answers the oldest one under way. */
static size_t udp_take(struct load_worker *w, struct load_conn *c, uint8_t *bytes, size_t *size_io, uint64_t now) {
    (void)bytes;
    if (w->options->match == LOAD_MATCH_ORDER && c->pending_count > 0)
        load_conn_finish(w, c, 0, LOAD_ANSWERED, now);
    else
        w->result.counts.pushes++;
    return *size_io;
}

const struct load_protocol load_protocol_udp = {
    .is_datagram = true, .greet = udp_greet, .render = udp_render, .take = udp_take};
