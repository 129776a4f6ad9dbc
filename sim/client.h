/* sim/client.h: an HTTP client of the simulated node: one connection, one request at a time or two, with bad manners by
 * the seed: it sends in pieces, reads late, vanishes in the middle, loses patience. It sees to it that answers come in
 * the order of what was asked.
 *
 *     client_init(&c, sim);
 *     if (client_is_free(&c)) client_ask(&c, "POST", "/v1/...", key, body);
 *     client_step(&c);               at every step of its workload
 *     switch (c.state) ...           ANSWERED: c.status and c.body, valid until the next call; DOUBT: it may have
 *                                    been done or not; client_done_with(&c) makes it free again
 */
#ifndef WEIR_SIM_CLIENT_H
#define WEIR_SIM_CLIENT_H
#include "sim/sim.h"

#define CLIENT_BYTES_MAX (256u << 10)

enum client_state {
    CLIENT_FREE,
    CLIENT_WAITS,    /* its request is on its way */
    CLIENT_ANSWERED, /* whole: status and body */
    CLIENT_DOUBT,    /* the connection ended, or patience did, before the answer */
    CLIENT_UNSENT,   /* nothing of it can have reached the node */
};
struct client {
    struct sim *sim;
    uint16_t port;                       /* of the node */
    bool (*take)(struct client *client); /* Bytes came. True: all that was asked is answered, or will never be. */
    int connection;                      /* -1: none */
    enum client_state state;
    uint8_t *out, *in;
    size_t out_size, out_sent, in_size;
    uint64_t deadline_ns;
    uint64_t number; /* of the newest request, which its answer must carry */
    bool has_behind;
    struct client_answer {
        int status; /* 0: none, the connection ended with the answer before it */
        struct weir_slice body;
    } behind;   /* to client_ask_behind() */
    int status; /* 0: none yet */
    struct weir_slice body;
};
void client_init(struct client *client, struct sim *sim);
void client_done(struct client *client);
/* Key NULL: no Idempotency-Key. body NULL: none. */
void client_ask(struct client *client, const char *method, const char *target, const char *key, const char *body);
/* At once behind it, on the same connection. It is ANSWERED when both are, or when the first is and
 * the connection ends. */
void client_ask_behind(
    struct client *client, const char *method, const char *target, const char *key, const char *body);
void client_step(struct client *client);
/* For clients of other protocols (kafka_client.h): out is written and sent, take hears. */
void client_begin(struct client *client);
void client_send(struct client *client);
void client_done_with(struct client *client);
void client_hang_up(struct client *client); /* the machine at the other end is gone: a new life begins */

#endif
