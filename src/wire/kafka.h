/* wire/kafka.h: the Kafka protocol as a pure codec: frames, headers, and how its messages are made of fields.
 *
 * One function per message says its fields once, for every version and both directions: struct kafka_coder decodes into
 * the message's struct or encodes from it. Kafka's own schema files are the source of the fields (kafka.apache.org,
 * "Protocol guide", and clients/src/main/resources/common/message); names here are theirs in snake case.
 *
 *     frame:    int32 size | request header | body            and the same with a response header
 *     request:  int16 api key | int16 version | int32 correlation id | nullable string client id | tags (flexible)
 *     response: int32 correlation id | tags (flexible, but ApiVersions)
 *
 * Integers are big-endian. From a message's first flexible version on, lengths are unsigned varints of length + 1, and
 * every struct ends with tagged fields: those read are skipped, none are written.
 *
 * Decoding: slices point into the frame, arrays lie in the arena; nothing else is allocated. An array's count is held
 * against the bytes left before room for it is taken: an item takes at least one. The first field that does not fit
 * sets `failed`, after which nothing is read or written any more. Encoding writes at most out_size bytes.
 * Null strings, bytes and arrays have data (items) NULL.
 */
#ifndef WEIR_WIRE_KAFKA_H
#define WEIR_WIRE_KAFKA_H
#include "base/arena.h"

#include <weir/error.h>
#include <weir/slice.h>

enum kafka_api {
    KAFKA_PRODUCE = 0,
    KAFKA_FETCH = 1,
    KAFKA_LIST_OFFSETS = 2,
    KAFKA_METADATA = 3,
    KAFKA_OFFSET_COMMIT = 8,
    KAFKA_OFFSET_FETCH = 9,
    KAFKA_FIND_COORDINATOR = 10,
    KAFKA_JOIN_GROUP = 11,
    KAFKA_HEARTBEAT = 12,
    KAFKA_LEAVE_GROUP = 13,
    KAFKA_SYNC_GROUP = 14,
    KAFKA_DESCRIBE_GROUPS = 15,
    KAFKA_LIST_GROUPS = 16,
    KAFKA_SASL_HANDSHAKE = 17,
    KAFKA_API_VERSIONS = 18,
    KAFKA_CREATE_TOPICS = 19,
    KAFKA_DELETE_TOPICS = 20,
    KAFKA_INIT_PRODUCER_ID = 22,
    KAFKA_ADD_PARTITIONS_TO_TXN = 24,
    KAFKA_ADD_OFFSETS_TO_TXN = 25,
    KAFKA_END_TXN = 26,
    KAFKA_TXN_OFFSET_COMMIT = 28,
    KAFKA_DESCRIBE_CONFIGS = 32,
    KAFKA_ALTER_CONFIGS = 33,
    KAFKA_SASL_AUTHENTICATE = 36,
    KAFKA_CREATE_PARTITIONS = 37,
    KAFKA_DELETE_GROUPS = 42,
    KAFKA_INCREMENTAL_ALTER_CONFIGS = 44,
    KAFKA_OFFSET_DELETE = 47,
    KAFKA_DESCRIBE_TRANSACTIONS = 65,
    KAFKA_LIST_TRANSACTIONS = 66,
};

/* Error codes that are sent ("Protocol guide", Error Codes). */
enum kafka_error {
    KAFKA_UNKNOWN_SERVER_ERROR = -1,
    KAFKA_NONE = 0,
    KAFKA_OFFSET_OUT_OF_RANGE = 1,
    KAFKA_CORRUPT_MESSAGE = 2,
    KAFKA_UNKNOWN_TOPIC_OR_PARTITION = 3,
    KAFKA_LEADER_NOT_AVAILABLE = 5,
    KAFKA_REQUEST_TIMED_OUT = 7,
    KAFKA_MESSAGE_TOO_LARGE = 10,
    KAFKA_OFFSET_METADATA_TOO_LARGE = 12,
    KAFKA_COORDINATOR_NOT_AVAILABLE = 15,
    KAFKA_INVALID_TOPIC = 17,
    KAFKA_INVALID_REQUIRED_ACKS = 21,
    KAFKA_ILLEGAL_GENERATION = 22,
    KAFKA_INCONSISTENT_GROUP_PROTOCOL = 23,
    KAFKA_INVALID_GROUP_ID = 24,
    KAFKA_UNKNOWN_MEMBER_ID = 25,
    KAFKA_INVALID_SESSION_TIMEOUT = 26,
    KAFKA_REBALANCE_IN_PROGRESS = 27,
    KAFKA_INVALID_COMMIT_OFFSET_SIZE = 28,
    KAFKA_TOPIC_AUTHORIZATION_FAILED = 29,
    KAFKA_GROUP_AUTHORIZATION_FAILED = 30,
    KAFKA_CLUSTER_AUTHORIZATION_FAILED = 31,
    KAFKA_UNSUPPORTED_SASL_MECHANISM = 33,
    KAFKA_ILLEGAL_SASL_STATE = 34,
    KAFKA_UNSUPPORTED_VERSION = 35,
    KAFKA_TOPIC_ALREADY_EXISTS = 36,
    KAFKA_INVALID_PARTITIONS = 37,
    KAFKA_INVALID_REPLICATION_FACTOR = 38,
    KAFKA_INVALID_CONFIG = 40,
    KAFKA_INVALID_REQUEST = 42,
    KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER = 45,
    KAFKA_INVALID_PRODUCER_EPOCH = 47,
    KAFKA_INVALID_TXN_STATE = 48,
    KAFKA_STORAGE_ERROR = 56,
    KAFKA_SASL_AUTHENTICATION_FAILED = 58,
    KAFKA_NON_EMPTY_GROUP = 68,
    KAFKA_GROUP_ID_NOT_FOUND = 69,
    KAFKA_FETCH_SESSION_ID_NOT_FOUND = 70,
    KAFKA_UNSUPPORTED_COMPRESSION_TYPE = 76,
    KAFKA_MEMBER_ID_REQUIRED = 79,
    KAFKA_GROUP_MAX_SIZE_REACHED = 81,
    KAFKA_FENCED_INSTANCE_ID = 82,
    KAFKA_GROUP_SUBSCRIBED_TO_TOPIC = 86,
    KAFKA_INVALID_RECORD = 87,
    KAFKA_THROTTLING_QUOTA_EXCEEDED = 89,
    KAFKA_UNKNOWN_TOPIC_ID = 100,
};

struct kafka_coder {
    bool encoding, flexible, failed;
    int16_t version;
    const uint8_t *at, *end; /* decoding */
    struct arena *arena;     /* decoding: arrays */
    uint8_t *out;            /* encoding */
    size_t out_at, out_size;
};

/* ---- what there is ---- */
struct kafka_api_row {
    int16_t api, version_max, flexible; /* versions are served from `version_min`, and advertised from 0 */
    int16_t version_min;
    const char *name;
};
/* Ends with name NULL. The advertised minimum is 0 for all: librdkafka before 2.11.1 turns features off otherwise. */
extern const struct kafka_api_row kafka_apis[];
const struct kafka_api_row *kafka_api_find(int16_t api); /* NULL: unknown */

#define KAFKA_FRAME_HEADER 4u
struct kafka_request_header {
    int16_t api, version;
    int32_t correlation_id;
    struct weir_slice client_id;
};
/* The frame's content behind its size. The coder stands at the body afterwards, at the version's encoding. INVALID: it
 * is not a header. UNSUPPORTED: an api or version that is not served; *ret_header is filled. */
WEIR_MUST enum weir_error kafka_request_begin(struct weir_slice frame, struct arena *arena,
    struct kafka_request_header *ret_header, struct kafka_coder *ret_coder);
/* Begins a response of that version into out; leaves room for the frame's size. */
struct kafka_coder kafka_response_begin(const struct kafka_request_header *request, uint8_t *out, size_t size);
/* Its whole frame. False: it did not fit. */
WEIR_MUST bool kafka_response_end(struct kafka_coder *coder, struct weir_slice *ret_frame);

/* ---- fields ---- */
enum kafka_null { KAFKA_NOT_NULL, KAFKA_NULLABLE };
void kafka_bool(struct kafka_coder *c, bool *x);
void kafka_i8(struct kafka_coder *c, int8_t *x);
void kafka_i16(struct kafka_coder *c, int16_t *x);
void kafka_i32(struct kafka_coder *c, int32_t *x);
void kafka_i64(struct kafka_coder *c, int64_t *x);
void kafka_uuid(struct kafka_coder *c, uint8_t x[16]);
void kafka_string(struct kafka_coder *c, struct weir_slice *x, enum kafka_null null);
void kafka_bytes(struct kafka_coder *c, struct weir_slice *x, enum kafka_null null);
/* Room in an encoding for bytes to be filled by the caller, behind their length. NULL: it does not fit. */
uint8_t *kafka_bytes_room(struct kafka_coder *c, size_t size);
void kafka_raw(struct kafka_coder *c, struct weir_slice bytes); /* encoding: bytes that are fields already */
void kafka_tags(struct kafka_coder *c);                         /* where a struct ends */
/* The count of an array whose items the caller codes next; decoding makes room for them, zeroed. */
void kafka_array(struct kafka_coder *c, uint32_t *count, void **items, size_t item_size, enum kafka_null null);
/* Decoding: an array's count alone, 0 for null; the coder stands at its first item. */
void kafka_array_count(struct kafka_coder *c, uint32_t *ret_count);
#define KAFKA_ARRAY(coder, count, items, null, each)                                                                   \
    do {                                                                                                               \
        void *room_ = (items);                                                                                         \
        kafka_array((coder), &(count), &room_, sizeof *(items), (null));                                               \
        (items) = room_;                                                                                               \
        for (uint32_t i_ = 0; i_ < (count) && !(coder)->failed; i_++)                                                  \
            each((coder), &(items)[i_]);                                                                               \
    } while (0)

#endif
