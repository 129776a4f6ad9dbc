/* edge/kafka.h: the Kafka protocol on the node's topics: what the files kafka_*.c share.
 *
 * A session answers requests in the order in which they came, as the protocol demands, and works on up to KAFKA_TURNS
 * of them at once: a turn is one request under way. A request is handled in two steps. `begin` decodes it and asks the
 * host for what it takes (records appended, topics made, ...), each asking with a result of its own: struct
 * kafka_result, by number. When all have come, `finish` decodes the same request again, now with the results, and makes
 * the answer. A request that waits keeps its body meanwhile; produce keeps it without the records. Turns at the head
 * that have their answer are sent.
 *
 * Owner: the lane. Memory: the lane's buffers; what a step decodes lives in the lane's arena until the step ends.
 */
#ifndef WEIR_EDGE_KAFKA_H
#define WEIR_EDGE_KAFKA_H
#include "edge/lane.h"
#include "wire/kafka_messages.h"

#define KAFKA_TURNS          8u
#define KAFKA_REQUEST_MAX    (4u << 20)
#define KAFKA_RESPONSE_MAX   (8u << 20)
#define KAFKA_FETCH_BYTES    (2u << 20) /* records of one fetch; the client asks again for the rest */
#define KAFKA_NODE_ID        0          /* of the only broker there is */
#define KAFKA_PARTITIONS_MAX 10000

/* What the host answered to one thing that was asked of it. */
struct kafka_result {
    int16_t error; /* enum kafka_error */
    int64_t value; /* produce: the base offset; list offsets: the offset; producer id: it; fetch: high watermark */
    /* of a fetch's partition */
    const struct log_topic *topic;
    uint32_t partition, bytes_max, at, size; /* its records: `size` bytes at `at` of the turn's data */
    uint64_t offset;
};
struct kafka_turn {
    struct kafka_request_header header;
    uint16_t generation;
    bool under_way;
    bool silent;       /* acks=0: no answer */
    bool waits;        /* a fetch for which there was nothing */
    uint32_t left;     /* results to come */
    uint64_t until_ns; /* waits: until then */
    struct buffer kept, results, data, frame;
};
enum kafka_sasl { KAFKA_SASL_NONE, KAFKA_SASL_FRAMED, KAFKA_SASL_BARE }; /* how the exchange comes */
struct kafka_session {
    struct kafka_turn turns[KAFKA_TURNS];
    uint32_t first, count;
    enum kafka_sasl sasl;
    bool sasl_failed; /* the connection ends behind the answer */
    bool counted;     /* the next request is within its token's limit */
};

/* What a step has at hand. */
struct kafka_call {
    struct weir_session *session;
    struct edge_lane *lane;
    struct kafka_turn *turn;
    struct weir_slice client_id; /* begin */
    struct kafka_coder in;       /* at the request's body */
};
/* OK; AGAIN (begin): no room in the host and nothing was done, to be called again with the same bytes. Any other: the
 * connection is closed, its context says why. */
typedef enum weir_error (*kafka_step)(struct kafka_call *call);
struct kafka_handler {
    int16_t api;
    kafka_step begin, finish; /* begin NULL: nothing is asked of the host */
    /* Of a delivery: takes it into the result. NULL: error and number are taken. */
    void (*take)(struct weir_session *session, struct kafka_turn *turn, uint32_t number, const struct host_delivery *d);
};
extern const struct kafka_handler kafka_topic_handlers[], kafka_record_handlers[], kafka_fetch_handlers[],
    kafka_config_handlers[], kafka_group_handlers[]; /* api -1 ends */
/* Whatever is in none of these tables is a service's (struct weir_kafka_row). */
extern const struct kafka_handler kafka_service_handler;
bool kafka_is_served(const struct edge *edge, int16_t api); /* by the node or a service that runs */
bool kafka_service_has(const struct edge *edge, int16_t api);
uint32_t kafka_service_of(const struct edge *edge, int16_t api); /* EDGE_NO_SERVICE: none has it */

/* ---- kafka_session.c ---- */
struct kafka_session *kafka_session_of(struct weir_session *session);
WEIR_MUST enum weir_error kafka_malformed(const struct kafka_call *call);
/* begin: zeroed results, which finish finds again. NULL: no memory. */
struct kafka_result *kafka_results_new(struct kafka_call *call, size_t count);
struct kafka_result *kafka_results(const struct kafka_turn *turn);
/* begin: who gets the host's delivery for that result; one more is to come. */
struct host_origin kafka_origin(struct weir_session *session, struct kafka_turn *turn, size_t number);
/* The host did not take it after all: the result is its error. */
void kafka_not_taken(struct kafka_turn *turn, size_t number, enum weir_error error);
void kafka_forget_rest(struct kafka_turn *turn); /* results that did not come yet never will */
void kafka_turn_done(struct weir_session *session, struct kafka_turn *turn); /* finish, and what that allows to send */
/* finish: begins the answer of at most `size` bytes. */
WEIR_MUST enum weir_error kafka_answer_begin(const struct kafka_call *call, size_t size, struct kafka_coder *ret_coder);
WEIR_MUST enum weir_error kafka_answer_end(const struct kafka_call *call, struct kafka_coder *coder);
int16_t kafka_error_of(enum weir_error error);
/* Whether the name may be a topic's; copied with a NUL. */
WEIR_MUST bool kafka_topic_name(struct weir_slice name, char buf[LOG_TOPIC_NAME_MAX + 1]);
struct log_topic *kafka_topic_find(struct weir_session *session, struct weir_slice name); /* NULL: none */

/* ---- kafka_configs.c ---- */
/* One of a topic's settings by Kafka's name. False: there is none of it, or it can't be that. */
WEIR_MUST bool kafka_config_take(struct log_topic_config *config, struct weir_slice name, struct weir_slice value);
/* What a topic that was made is set to, into the answer; in the lane's arena. How many bytes of the answer it takes at
 * most. */
size_t kafka_config_created(struct kafka_call *call, const struct log_topic *topic, struct kafka_created_topic *m);

extern const struct weir_protocol kafka_protocol;
#endif
