#include "sim/client.h"

#include <stdlib.h>

#define PATIENCE_NS_MAX (20 * SYS_NANOS_PER_S)

void client_init(struct client *c, struct sim *sim) {
    *c = (struct client){.sim = sim, .connection = -1};
    c->out = malloc(CLIENT_BYTES_MAX);
    c->in = malloc(CLIENT_BYTES_MAX);
    WEIR_ASSERT(c->out && c->in);
}

void client_hang_up(struct client *c) {
    if (c->connection >= 0) sys_sim_client_close(c->sim->sys, c->connection);
    c->connection = -1;
    if (c->state == CLIENT_WAITS) c->state = c->out_sent > 0 ? CLIENT_DOUBT : CLIENT_UNSENT;
}

void client_done(struct client *c) {
    if (c->out) client_hang_up(c);
    free(c->out);
    free(c->in);
    *c = (struct client){.connection = -1};
}

void client_done_with(struct client *c) {
    c->state = CLIENT_FREE;
}

void client_ask(struct client *c, const char *method, const char *target, const char *key, const char *body) {
    WEIR_ASSERT(c->state == CLIENT_FREE);
    size_t size = body ? strlen(body) : 0;
    int n = snprintf((char *)c->out, CLIENT_BYTES_MAX,
        "%s %s HTTP/1.1\r\nHost: sim\r\n%s%s%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", method,
        target, key ? "Idempotency-Key: " : "", key ? key : "", key ? "\r\n" : "", size);
    WEIR_ASSERT(n > 0 && (size_t)n + size < CLIENT_BYTES_MAX);
    if (size) memcpy(c->out + n, body, size);
    c->out_size = (size_t)n + size;
    c->out_sent = c->in_size = 0;
    c->deadline_ns = sim_now_ns(c->sim) + prng_between(&c->sim->prng, SYS_NANOS_PER_S / 10, PATIENCE_NS_MAX);
    c->state = CLIENT_WAITS;
    c->sim->tally.requests++;
}

static void send_some(struct client *c) {
    size_t left = c->out_size - c->out_sent;
    size_t part = sim_percent(c->sim, 80) ? left : (size_t)prng_between(&c->sim->prng, 1, left);
    if (sys_sim_client_send(c->sim->sys, c->connection, weir_slice(c->out + c->out_sent, part)) != WEIR_OK) {
        client_hang_up(c);
        return;
    }
    c->out_sent += part;
}

/* The value of a header that ends in CR; NULL when it is not there. */
static const char *header_of(const uint8_t *head, size_t size, const char *name) {
    const char *at = memmem(head, size, name, strlen(name));
    return at ? at + strlen(name) : NULL;
}

/* True when the answer is whole. */
static bool parse(struct client *c) {
    const uint8_t *end = memmem(c->in, c->in_size, "\r\n\r\n", 4);
    if (!end) return false;
    size_t head = (size_t)(end - c->in) + 4;
    if (head < 16 || memcmp(c->in, "HTTP/1.1 ", 9) != 0) {
        sim_fail(c->sim, "an answer is not HTTP: %.60s", (const char *)c->in);
        return false;
    }
    const char *length = header_of(c->in, head, "Content-Length: ");
    size_t size = length ? (size_t)strtoull(length, NULL, 10) : 0;
    if (c->in_size < head + size) return false;
    c->status = (int)strtol((const char *)c->in + 9, NULL, 10);
    c->body = weir_slice(c->in + head, size);
    if (header_of(c->in, head, "Connection: close")) client_hang_up(c);
    return true;
}

static void receive_some(struct client *c) {
    size_t room = CLIENT_BYTES_MAX - 1 - c->in_size;
    size_t got = sys_sim_client_receive(c->sim->sys, c->connection, c->in + c->in_size, room);
    c->in_size += got;
    c->in[c->in_size] = 0;
    if (got > 0 && parse(c)) {
        c->state = CLIENT_ANSWERED;
        c->sim->tally.answered++;
    }
}

void client_step(struct client *c) {
    if (c->state != CLIENT_WAITS) return;
    if (c->connection < 0) {
        if (sys_sim_connect(c->sim->sys, NODE_PORT, &c->connection) != WEIR_OK) {
            c->connection = -1;
            c->state = CLIENT_UNSENT;
            return;
        }
    }
    if (c->out_sent < c->out_size) send_some(c);
    if (c->state == CLIENT_WAITS && sim_percent(c->sim, 90)) receive_some(c);
    if (c->state != CLIENT_WAITS) return;
    bool vanishes = prng_below(&c->sim->prng, 2000) == 0;
    if (vanishes || sim_now_ns(c->sim) > c->deadline_ns || sys_sim_client_closed(c->sim->sys, c->connection))
        client_hang_up(c);
    if (c->state == CLIENT_DOUBT) c->sim->tally.in_doubt++;
}
