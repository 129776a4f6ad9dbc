/* sim/kafka_client.h: a Kafka client of the simulated node: one connection, one request at a time, with the bad manners
 * of client.h: it sends in pieces, vanishes in the middle, loses patience.
 *
 *     struct kafka_coder *m = kafka_client_begin(&c, KAFKA_HEARTBEAT);   encode the request into it
 *     kafka_client_ask(&c);
 *     kafka_client_step(&c);     at every step of its workload
 *     switch (c.state) ...       ANSWERED: decode from c.body, valid until the next begin; DOUBT, UNSENT: see client.h
 *     kafka_client_done_with(&c);
 *
 * The version of each request is drawn from those that the node says it serves.
 */
#ifndef WEIR_SIM_KAFKA_CLIENT_H
#define WEIR_SIM_KAFKA_CLIENT_H
#include "sim/client.h"
#include "wire/kafka.h"

#define KAFKA_PORT 9092 /* in the simulated world; what kafka.listen must say */

struct kafka_client {
    struct sim *sim;
    int connection; /* -1: none */
    enum client_state state;
    struct arena arena; /* of the answer's arrays */
    uint8_t *out, *in;
    size_t out_size, out_sent, in_size;
    uint64_t deadline_ns;
    int32_t correlation;
    struct kafka_coder request, body;
};
void kafka_client_init(struct kafka_client *client, struct sim *sim);
void kafka_client_done(struct kafka_client *client);
struct kafka_coder *kafka_client_begin(struct kafka_client *client, enum kafka_api api);
void kafka_client_ask(struct kafka_client *client);
void kafka_client_step(struct kafka_client *client);
void kafka_client_done_with(struct kafka_client *client);
void kafka_client_hang_up(struct kafka_client *client);

#endif
