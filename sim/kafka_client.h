/* sim/kafka_client.h: a Kafka client of the simulated node: client.h with frames for HTTP, one request at a time.
 *
 *     struct kafka_coder *m = kafka_client_begin(&c, KAFKA_HEARTBEAT);   encode the request into it
 *     kafka_client_ask(&c);
 *     client_step(&c.base);              at every step of its workload
 *     switch (c.base.state) ...          ANSWERED: decode from c.body, valid until the next begin; the rest as there
 *     client_done_with(&c.base);
 *
 * The version of each request is drawn from those that the node says it serves.
 */
#ifndef WEIR_SIM_KAFKA_CLIENT_H
#define WEIR_SIM_KAFKA_CLIENT_H
#include "sim/client.h"
#include "wire/kafka.h"

#define KAFKA_PORT 9092 /* in the simulated world; what kafka.listen must say */

struct kafka_client {
    struct client base; /* first; its state is this one's */
    struct arena arena; /* of the answer's arrays */
    int32_t correlation;
    struct kafka_coder request, body;
};
void kafka_client_init(struct kafka_client *client, struct sim *sim);
void kafka_client_done(struct kafka_client *client);
struct kafka_coder *kafka_client_begin(struct kafka_client *client, enum kafka_api api);
void kafka_client_ask(struct kafka_client *client);

#endif
