/* weir/service.h: what a service is. One declaration from which the config check, HTTP API, OpenAPI text, metrics page,
 * docs, console and CLI are derived.
 *
 * A service is a deterministic function of a log partition: state = fold(apply, records). apply, load and query see no
 * clock, no randomness, no I/O; time arrives in the records. The host gives each partition of the service's input topic
 * its own instance of state, on one lane (thread); no two calls on one instance overlap.
 *
 * Everything here is constant data with static life. Functions named in rows live beside the noun they work on.
 * Compatibility: see weir/plugin.h. Structs of the declaration grow at their ends only; the others stay as they are.
 */
#ifndef WEIR_SERVICE_H
#define WEIR_SERVICE_H
#include <weir/error.h>
#include <weir/slice.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* ---- records ---- */
enum weir_record_kind {
    WEIR_RECORD_COMMAND = 0,  /* from a client: HTTP, WebSocket, gateway, or produced to the input topic */
    WEIR_RECORD_EMIT = 1,     /* from another service's fold */
    WEIR_RECORD_TIMER = 2,    /* a timer set by this fold is due; type = 0, timer_id says which */
    WEIR_RECORD_SETTINGS = 3, /* first record of every partition and after each change of settings or version */
    WEIR_RECORD_RESULT = 4,   /* an effect's result */
    WEIR_RECORD_SKIP = 5,     /* an operator's order to pass over a poison record: the host's, never seen by apply */
    WEIR_RECORD_OUTPUT = 6,   /* a record of an output topic, as seen by subscribers */
};

struct weir_record {
    uint64_t offset;
    uint64_t time_ns;             /* Unix time; never goes back within a partition */
    uint8_t kind;                 /* enum weir_record_kind */
    uint16_t type;                /* the service's own record type number, see weir_record_type */
    uint64_t timer_id;            /* WEIR_RECORD_TIMER */
    struct weir_slice key, value; /* borrowed: valid during the call */
};

/* A row per record type of an input or output topic. Numbers are never reused. */
struct weir_record_type {
    uint16_t type;
    const char *name, *summary;
    const void *message; /* const ProtobufCMessageDescriptor *, NULL: fixed binary layout */
    /* Fixed layouts only: the record's value as text (JSON) for dumps, tails, the console. Returns the bytes needed. */
    size_t (*print)(struct weir_slice value, char *buf, size_t size);
};

/* ---- settings ---- */
enum weir_setting_kind {
    WEIR_SETTING_UINT,
    WEIR_SETTING_BYTES,
    WEIR_SETTING_DURATION /* ns */,
    WEIR_SETTING_BOOL,
    WEIR_SETTING_TEXT
};
struct weir_setting {
    const char *name; /* below the service's name in the file: exchange.orders_max */
    enum weir_setting_kind kind;
    const char *initial; /* as written in the file: "64MB", "10s", "true", "127.0.0.1:9879" */
    uint64_t min, max;   /* for numbers, bytes, durations; max 0: no bound */
    const char *summary;
    /* the fold reads it: its value is recorded in the input log, and apply sees the one in force at its offset */
    bool folded;
    /* a reload of the configuration puts a change in force; else it waits for a restart. Beside `folded`: the change is
     * a record, and from its offset on apply finds it in weir_settings(), which is where it has to look each time */
    bool live;
};
/* Values in force, in the order of the settings table. */
struct weir_setting_value {
    uint64_t number; /* UINT, BYTES, DURATION, BOOL */
    const char *text;
};

/* ---- topics ---- */
enum weir_topic_role { WEIR_TOPIC_INPUT, WEIR_TOPIC_OUTPUT };
struct weir_topic {
    const char *name;                     /* "exchange.orders" */
    enum weir_topic_role role;            /* exactly one INPUT per service; row order gives the output's index */
    const struct weir_record_type *types; /* ends with name NULL */
    const char *summary;
    uint64_t retention_bytes; /* outputs: per partition; 0 keeps all; in_memory: 0 is 16 MB */
    /* Outputs: kept in a ring of memory only. The fold derives it again from the last snapshot on, so that its offsets
     * are the same after a restart; what is older is gone, and it costs the disk nothing. */
    bool in_memory;
};

/* ---- the fold's way out: outputs, replies, emits, timers; all held until the record behind them is durable ---- */
struct weir_out;
/* Room for an output record of `size` bytes in the service's topic row `topic` (index in .topics), to be filled before
 * the next call on `out`. `key` is what subscribers filter by (account, symbol, ...). Never NULL: the host reserved
 * .output_bytes_max before apply. ret_offset may be NULL; it gets the output's offset, which is its identity. */
void *weir_output(struct weir_out *out, uint32_t topic, uint16_t type, uint64_t key, size_t size, uint64_t *ret_offset);
/* The answer to whoever sent this record (nothing happens when nobody waits). status: HTTP status; value: as the
 * route's decode expects. Room of `size` bytes to be filled. At most one per record; kept in the idempotency table when
 * the command had a key. */
void *weir_reply(struct weir_out *out, uint16_t status, size_t size);
/* The answer comes later: whoever sent this record goes on waiting, and gets what weir_reply_to() says to the ticket
 * that is returned (the record's offset). For services with .replies_max. Nobody waits for a ticket any more after a
 * restart: a WEIR_RECORD_SETTINGS record stands in front of the first command of each start of such a service, and the
 * fold forgets all tickets there. Nothing is kept for the command's idempotency key: repeated, it is a new command. */
uint64_t weir_reply_later(struct weir_out *out);
/* The answer to a ticket, in any later apply; counts to .output_bytes_max. Nothing happens when nobody waits. */
void *weir_reply_to(struct weir_out *out, uint64_t ticket, uint16_t status, size_t size);
/* The answer "no": the row of .reasons with that code gives status, name and sentence. Counts as the reply. Routes
 * without .decode answer it as problem JSON; to decode and to a session's on_reply its value is 0x00 (which begins no
 * Protobuf message) and the code, 2 bytes, little-endian. */
void weir_refuse(struct weir_out *out, uint16_t code);
/* A record's value unpacked by a const ProtobufCMessageDescriptor *, for the rest of this apply. NULL: the bytes are
 * not such a message, or it takes more than WEIR_MESSAGE_BYTES_MAX unpacked. One at a time: the next call reuses the
 * memory. */
#define WEIR_MESSAGE_BYTES_MAX (4u << 20)
const void *weir_message(struct weir_out *out, const void *descriptor, struct weir_slice value);
/* A record into another service's input: emit row `emit` (index in .emits), partition chosen by hash of key. Delivered
 * exactly once. */
void *weir_emit(struct weir_out *out, uint32_t emit, uint16_t type, uint64_t key, size_t size);
/* One pending timer per id; setting again moves it. When record time reaches at_ns, a WEIR_RECORD_TIMER arrives. Part
 * of the snapshot. */
void weir_timer_set(struct weir_out *out, uint64_t id, uint64_t at_ns);
void weir_timer_cancel(struct weir_out *out, uint64_t id);
/* True while the record is being replayed (start-up, shadow). For metrics only: a fold that branches on it is wrong. */
bool weir_replaying(const struct weir_out *out);
/* Settings in force at this record, in table order: what a WEIR_RECORD_SETTINGS record has put in force. Rows that are
 * not .folded are zero: a fold must not see what is not in its log. */
const struct weir_setting_value *weir_settings(const struct weir_out *out);

struct weir_effect_row; /* weir/effect.h */
struct weir_emit_row {
    const char *service; /* target; the row is refused at start when it does not run here */
    const char *summary;
};

/* ---- metrics: the fold's own counters, in memory given by the host ---- */
enum weir_metric_kind { WEIR_METRIC_COUNTER, WEIR_METRIC_GAUGE };
struct weir_metric {
    const char *name; /* exported as weir_<service>_<name>, with {partition=...} */
    enum weir_metric_kind kind;
    const char *help;
};
/* not part of state; counted live and during replay */
void weir_metric_add(struct weir_out *out, uint32_t row, uint64_t n);
void weir_metric_set(struct weir_out *out, uint32_t row, uint64_t n);

/* ---- requests: commands and queries from HTTP, WebSocket, gateways ---- */
struct weir_command {
    uint32_t partition; /* of the service's input topic */
    uint16_t type;
    struct weir_slice key, value; /* value is copied before the call returns */
};
struct weir_request {
    /* unpacked request (ProtobufCMessage *): body, path and query parameters merged by field name */
    const void *message;
    struct weir_slice packed; /* the same, packed */
    const char *principal;    /* who: the name of the token; "local" where no token is asked for (auth: off) */
    uint32_t partition_count; /* of the service's input topic */
    const struct weir_setting_value *settings;
    void *scratch; /* arena for encode: weir_scratch() */
    /* Whose: the tenant of the token, at most 40 letters, digits, '.', '_' or '-'; "" when it has none and with auth:
     * off. The fold sees neither it nor the principal: encode puts into the command what the fold must know. */
    const char *tenant;
};
/* 8-byte aligned, freed after the request; NULL: too large (4 MB) */
void *weir_scratch(const struct weir_request *request, size_t size);

enum weir_route_kind {
    WEIR_ROUTE_COMMAND, /* encode -> log -> apply -> weir_reply -> decode */
    WEIR_ROUTE_QUERY,   /* reads the live state between records; answered once what it saw is durable */
    WEIR_ROUTE_SOCKET,  /* WebSocket: a gateway protocol in message mode */
    WEIR_ROUTE_ROWS,    /* reads rows of a projection in its database, see weir/projection.h */
};
struct weir_answer;                                                   /* a query's answer being written */
void *weir_answer_room(struct weir_answer *answer, size_t size);      /* grows; NULL: larger than the limit (1 MB) */
void weir_answer_commit(struct weir_answer *answer, size_t size);     /* bytes really used of the last room */
void weir_answer_status(struct weir_answer *answer, uint16_t status); /* default 200 */

struct weir_protocol;
struct weir_select;
struct weir_route {
    enum weir_route_kind kind;
    const char *method; /* "GET", "POST", "DELETE", "PATCH", "PUT" */
    const char *path;   /* "/v1/exchange/orders/{id}" */
    const char *summary, *description;
    const void *request;  /* const ProtobufCMessageDescriptor *; path and query parameters are fields of it */
    const void *response; /* const ProtobufCMessageDescriptor * */
    /* COMMAND. NULL: value = packed request (apply reads it by weir_message), type = .type, partition = hash of the
     * field named .partition_by (or 0). Errors are answered as problem JSON with the context line. */
    WEIR_MUST enum weir_error (*encode)(const struct weir_request *request, struct weir_command *ret_command);
    /* COMMAND and QUERY: turns the reply's bytes into the packed response in `answer`. NULL: they are the packed
     * response. */
    WEIR_MUST enum weir_error (*decode)(uint16_t status, struct weir_slice value, struct weir_answer *answer);
    /* QUERY: which partition, then read state. NULL partition: by .partition_by, else 0. */
    WEIR_MUST enum weir_error (*partition)(const struct weir_request *request, uint32_t *ret_partition);
    WEIR_MUST enum weir_error (*query)(
        const void *state, const struct weir_request *request, struct weir_answer *answer);
    uint16_t type;
    const char *partition_by;
    const struct weir_protocol *protocol; /* SOCKET */
    const char *verb; /* on the command line: `weir SERVICE VERB`, of services in the binary; NULL: it is not there */
    const struct weir_select *select; /* ROWS */
};

/* A TCP listener that speaks a protocol of the service's own (see weir/gateway.h). */
struct weir_listener {
    const char *name, *summary;
    const char *setting; /* the TEXT setting with HOST:PORT ("" or "off": not listening) */
    const struct weir_protocol *protocol;
};

/* A reason a command can be refused, as data: listed in the docs and in OpenAPI. */
struct weir_reason {
    uint16_t code;
    const char *name, *sentence;
    uint16_t status; /* HTTP */
};

/* A command of the service's own on the command line: clients, offline tools. Runs outside any node: `weir <service>
 * <tool> ...` for a service of the binary, `weir service run FILE <tool> ...` for one in a shared object. */
struct weir_tool {
    const char *name, *usage, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the tool's name; returns the exit code */
};

/* ---- snapshot streams ---- */
struct weir_sink;
struct weir_source;
WEIR_MUST enum weir_error weir_sink_put(struct weir_sink *sink, const void *data, size_t size);
/* exactly size, else CORRUPT */
WEIR_MUST enum weir_error weir_source_get(struct weir_source *source, void *data, size_t size);
/* The fold's .version that saved it: an upgrade's load reads what older ones wrote. */
uint32_t weir_source_version(const struct weir_source *source);

/* ---- memory: all of a service's state, given at open ---- */
struct weir_open {
    const struct weir_setting_value *settings; /* in table order */
    uint32_t partition, partition_count;
    void *memory; /* .state_bytes() long, zeroed, page-aligned, costs only what is touched */
    size_t memory_bytes;
    /* Of each folded number the larger of .settings and what the present file says, which a SETTINGS record may put in
     * force: what memory is laid out for. Others: as in .settings. */
    const struct weir_setting_value *capacity;
};

struct weir_projection;
/* ---- requests of the Kafka protocol ---- */
/* A request as the input's record carries it; its type is the api's number, and its value in bytes, little-endian:
 * version (2), size of the client's id (2) and address (2), then these two and the body as it came, in that version. */
struct weir_kafka_request {
    int16_t api, version;
    struct weir_slice client_id, peer, body;
};
#define WEIR_KAFKA_HEAD_BYTES 6u
#define WEIR_KAFKA_EVERY      UINT32_MAX
/* An api that the service answers. The fold's reply, now or later, is the response's body in the request's version. */
struct weir_kafka_row {
    int16_t api; /* 0 ends the table: Produce is the node's own */
    const char *summary;
    /* Which partition of the input the request goes to; WEIR_KAFKA_EVERY: to all, each of which answers its part.
     * INVALID: the body is malformed, and the connection is closed. */
    WEIR_MUST enum weir_error (*partition)(
        const struct weir_request *request, const struct weir_kafka_request *kafka, uint32_t *ret_partition);
    /* One body of what all partitions answered. NULL where partition() never says EVERY. */
    WEIR_MUST enum weir_error (*merge)(const struct weir_kafka_request *kafka, const struct weir_slice *answers,
        uint32_t count, struct weir_answer *answer);
};

struct weir_service {
    const char *name, *summary;
    uint32_t version;         /* of the fold: raised whenever the same records would give other outputs or state */
    uint32_t version_replays; /* the oldest version whose records (a tail) this fold replays identically */
    const char *partitions_setting;      /* name of the UINT setting with the number of input partitions; NULL: 1 */
    const struct weir_setting *settings; /* each table ends with a zero row; NULL: none */
    const struct weir_topic *topics;
    const struct weir_emit_row *emits;
    const struct weir_route *routes;
    const struct weir_listener *listeners;
    const struct weir_metric *metrics;
    const struct weir_reason *reasons;
    size_t output_bytes_max; /* outputs + reply of one apply never exceed it */
    uint32_t emits_max;      /* emits of one apply never exceed it, each at most 64 KB */
    size_t (*state_bytes)(const struct weir_setting_value *settings); /* the budget, computed and printed at start */
    WEIR_MUST enum weir_error (*open)(const struct weir_open *open, void **ret_state);
    void (*apply)(void *state, const struct weir_record *record, struct weir_out *out);
    WEIR_MUST enum weir_error (*save)(const void *state, struct weir_sink *sink);
    WEIR_MUST enum weir_error (*load)(void *state, struct weir_source *source); /* state is freshly opened */
    uint64_t (*digest)(const void *state); /* incremental state hash, O(1); NULL: none kept */
    /* The state as JSON for `weir service replay --dump`; NULL: the snapshot bytes are dumped in hex. */
    WEIR_MUST enum weir_error (*dump)(const void *state, struct weir_sink *text);
    const struct weir_tool *tools;
    /* Ends what open made outside of the memory it was given (objects with destructors). NULL: there is nothing. */
    void (*close)(void *state);
    /* Not 0: the state is a struct of that many bytes without pointers or padding, at first all zero, kept in snapshots
     * as it lies in memory. Then .state_bytes, .open, .save and .load may be NULL; those that are there are called. */
    size_t flat_bytes;
    /* Answers that one apply gives by weir_reply_to(), at most WEIR_REPLIES_MAX; 0: the service answers nothing later.
     */
    uint32_t replies_max;
    /* A reply reached nobody, as its connection was gone: what the fold must hear of that (a lease that is to be given
     * back) is put into ret_command, for the partition that replied. Runs live, on a lane, for HTTP requests and for
     * sessions of gateways that are closed. NOT_FOUND: nothing. `request` has partition_count, settings and scratch.
     * NULL: nothing ever. */
    WEIR_MUST enum weir_error (*undelivered)(
        const struct weir_request *request, uint16_t status, struct weir_slice value, struct weir_command *ret_command);
    /* Work in the world that the fold asks for: weir/effect.h. Such a service has the output topic of WEIR_DEAD_TOPIC.
     */
    const struct weir_effect_row *effects;
    uint32_t effects_max;                      /* effects of one apply never exceed it; at most WEIR_EFFECTS_MAX */
    const struct weir_projection *projections; /* outputs as rows of a database, see weir/projection.h */
    /* Requests of Kafka clients that this service answers; the node forwards them. No other service has the same. */
    const struct weir_kafka_row *kafka;
};
#define WEIR_REPLIES_MAX 256
#define WEIR_EFFECTS_MAX 1024

/* Stable hash for partitioning: the same on every machine and in every version. */
uint32_t weir_partition_of(struct weir_slice key, uint32_t partition_count);
/* The same kind of hash, for tables and digests of state: fast, not for keys that an attacker chooses. */
uint64_t weir_hash(struct weir_slice bytes, uint64_t seed);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
