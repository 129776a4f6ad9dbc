#include "sim/client.h"

#include <stdlib.h>

#define PATIENCE_NS_MAX (20 * SYS_NANOS_PER_S)

static bool parse_all(struct client *c);

void client_init(struct client *c, struct sim *sim) {
    *c = (struct client){.sim = sim, .port = NODE_PORT, .take = parse_all, .connection = -1};
    c->out = malloc(CLIENT_BYTES_MAX);
    c->in = malloc(CLIENT_BYTES_MAX);
    WEIR_ASSERT(c->out && c->in);
}

void client_hang_up(struct client *c) {
    if (c->connection >= 0) sys_sim_client_close(c->sim->sys, c->connection);
    c->connection = -1;
    if (c->state != CLIENT_WAITS) return;
    c->state = c->status > 0 ? CLIENT_ANSWERED : c->out_sent > 0 ? CLIENT_DOUBT : CLIENT_UNSENT;
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

static void put_request(struct client *c, const char *method, const char *target, const char *key, const char *body) {
    size_t size = body ? strlen(body) : 0, room = CLIENT_BYTES_MAX - c->out_size;
    int n = snprintf((char *)c->out + c->out_size, room,
        "%s %s HTTP/1.1\r\nHost: sim\r\nX-Request-Id: %llu\r\n%s%s%sContent-Type: application/json\r\n"
        "Content-Length: %zu\r\n\r\n",
        method, target, (unsigned long long)++c->number, key ? "Idempotency-Key: " : "", key ? key : "",
        key ? "\r\n" : "", size);
    WEIR_ASSERT(n > 0 && (size_t)n + size < room);
    c->out_size += (size_t)n;
    if (size) memcpy(c->out + c->out_size, body, size);
    c->out_size += size;
}

void client_ask_behind(struct client *c, const char *method, const char *target, const char *key, const char *body) {
    WEIR_ASSERT(c->state == CLIENT_WAITS && c->out_sent == 0 && !c->has_behind);
    put_request(c, method, target, key, body);
    c->sim->tally.requests++;
    c->has_behind = true;
}

void client_begin(struct client *c) {
    WEIR_ASSERT(c->state == CLIENT_FREE);
    c->out_size = c->out_sent = c->in_size = 0;
    c->has_behind = false;
    c->behind = (struct client_answer){0};
    c->status = 0;
}

void client_ask(struct client *c, const char *method, const char *target, const char *key, const char *body) {
    client_begin(c);
    put_request(c, method, target, key, body);
    client_send(c);
}

void client_send(struct client *c) {
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

/* Bytes of the answer at `at`, which must be that to request `number`; 0 when it is not whole yet. */
static size_t parse(struct client *c, size_t at, uint64_t number, struct client_answer *ret_answer, bool *ret_closes) {
    const uint8_t *in = c->in + at, *end = memmem(in, c->in_size - at, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t)(end - in) + 4;
    if (head < 16 || memcmp(in, "HTTP/1.1 ", 9) != 0) {
        sim_fail(c->sim, "an answer is not HTTP: %.60s", (const char *)in);
        return 0;
    }
    const char *length = header_of(in, head, "Content-Length: ");
    size_t size = length ? (size_t)strtoull(length, NULL, 10) : 0;
    if (c->in_size - at < head + size) return 0;
    const char *id = header_of(in, head, "X-Request-Id: ");
    bool turned_away = !id && strncmp((const char *)in + 9, "503", 3) == 0; /* one connection too many: not heard */
    if (!turned_away && (!id || strtoull(id, NULL, 10) != number))
        sim_fail(c->sim, "request %llu of a connection gets the answer to another: %.*s", (unsigned long long)number,
            (int)head, (const char *)in);
    *ret_answer = (struct client_answer){(int)strtol((const char *)in + 9, NULL, 10), weir_slice(in + head, size)};
    *ret_closes = header_of(in, head, "Connection: close") != NULL;
    return head + size;
}

/* True when everything asked is answered, or will never be. */
static bool parse_all(struct client *c) {
    struct client_answer first;
    bool closes = false;
    size_t size = parse(c, 0, c->number - c->has_behind, &first, &closes);
    if (size == 0) return false;
    c->status = first.status;
    c->body = first.body;
    if (c->has_behind && !closes && parse(c, size, c->number, &c->behind, &closes) == 0) return false;
    if (closes) client_hang_up(c);
    return true;
}

static void receive_some(struct client *c) {
    size_t room = CLIENT_BYTES_MAX - 1 - c->in_size;
    size_t got = sys_sim_client_receive(c->sim->sys, c->connection, c->in + c->in_size, room);
    c->in_size += got;
    c->in[c->in_size] = 0;
    if (got > 0 && c->take(c)) {
        c->state = CLIENT_ANSWERED;
        c->sim->tally.answered++;
    }
}

void client_step(struct client *c) {
    if (c->state != CLIENT_WAITS) return;
    if (c->connection < 0) {
        if (sys_sim_connect(c->sim->sys, c->port, &c->connection) != WEIR_OK) {
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
