/* edge/topics.h: topics over HTTP and WebSocket: the twins of `weir topic ...`.
 *
 * Values are text where they are UTF-8, else base64 under "valueBase64" (keys likewise); records of a service's topics
 * are printed by their declared type. Offsets are JSON numbers. Clients may not write to a service's topics.
 * Threads, allocation: the lane's, in its arena. Limits: TOPICS_* below.
 */
#ifndef WEIR_EDGE_TOPICS_H
#define WEIR_EDGE_TOPICS_H
#include "edge/http_session.h"

/* Of a body that is one RecordBatch v2 as Kafka's clients make it, instead of JSON. */
#define TOPICS_BATCH_TYPE    "application/vnd.kafka.record-batch"
#define TOPICS_READ_BYTES    (1u << 20)
#define TOPICS_LIMIT_MAX     10000u
#define TOPICS_LIMIT_INITIAL 1000u
#define TOPICS_WAIT_NS_MAX   (30 * SYS_NANOS_PER_S)

void topics_list(struct http_call *call);
void topics_create(struct http_call *call);
void topics_delete(struct http_call *call);
void topics_append(struct http_call *call);
void topics_read(struct http_call *call);
void topics_get(struct http_call *call);

extern const struct weir_protocol topics_tail;
/* The upgraded session of /v1/topics/{name}/tail. */
void topics_tail_open(struct conn *conn, const struct weir_protocol *protocol, const struct http_call *call);

/* topic_print.c: a record as a JSON object. kind COMMAND etc. as decoded by the host. */
struct topic_printer {
    const struct edge *edge;
    const struct weir_topic *row; /* a service's topic; NULL: a plain one */
    struct arena *arena;
};
struct topic_printer topic_printer(const struct edge *edge, const char *topic, struct arena *arena);
void topic_print_record(const struct topic_printer *printer, const struct weir_record *record, struct json_writer *w);
/* Adds batches' records from offset on, at most limit; returns the next offset to ask for. */
WEIR_MUST enum weir_error topic_print_batches(const struct topic_printer *printer, struct weir_slice batches,
    uint64_t offset, uint64_t limit, struct json_writer *w, uint64_t *ret_next);

#endif
