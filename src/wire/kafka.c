#include "wire/kafka.h"

#include "base/bytes.h"

#define NOT_FLEXIBLE INT16_MAX

const struct kafka_api_row kafka_apis[] = {
    {KAFKA_PRODUCE, 11, 9, 3, "Produce"},
    {KAFKA_FETCH, 12, 12, 4, "Fetch"},
    {KAFKA_LIST_OFFSETS, 7, 6, 1, "ListOffsets"},
    {KAFKA_METADATA, 12, 9, 0, "Metadata"},
    {KAFKA_OFFSET_COMMIT, 8, 8, 2, "OffsetCommit"},
    {KAFKA_OFFSET_FETCH, 8, 6, 1, "OffsetFetch"},
    {KAFKA_FIND_COORDINATOR, 4, 3, 0, "FindCoordinator"},
    {KAFKA_JOIN_GROUP, 9, 6, 2, "JoinGroup"},
    {KAFKA_HEARTBEAT, 4, 4, 0, "Heartbeat"},
    {KAFKA_LEAVE_GROUP, 5, 4, 0, "LeaveGroup"},
    {KAFKA_SYNC_GROUP, 5, 4, 0, "SyncGroup"},
    {KAFKA_DESCRIBE_GROUPS, 5, 5, 0, "DescribeGroups"},
    {KAFKA_LIST_GROUPS, 5, 3, 0, "ListGroups"},
    {KAFKA_SASL_HANDSHAKE, 1, NOT_FLEXIBLE, 0, "SaslHandshake"},
    {KAFKA_API_VERSIONS, 4, 3, 0, "ApiVersions"},
    {KAFKA_CREATE_TOPICS, 7, 5, 2, "CreateTopics"},
    {KAFKA_DELETE_TOPICS, 6, 4, 1, "DeleteTopics"},
    {KAFKA_INIT_PRODUCER_ID, 4, 2, 0, "InitProducerId"},
    {KAFKA_SASL_AUTHENTICATE, 2, 2, 0, "SaslAuthenticate"},
    {KAFKA_ADD_PARTITIONS_TO_TXN, 3, 3, 0, "AddPartitionsToTxn"},
    {KAFKA_ADD_OFFSETS_TO_TXN, 3, 3, 0, "AddOffsetsToTxn"},
    {KAFKA_END_TXN, 3, 3, 0, "EndTxn"},
    {KAFKA_TXN_OFFSET_COMMIT, 3, 3, 0, "TxnOffsetCommit"},
    {KAFKA_DESCRIBE_CONFIGS, 4, 4, 0, "DescribeConfigs"},
    {KAFKA_ALTER_CONFIGS, 2, 2, 0, "AlterConfigs"},
    {KAFKA_CREATE_PARTITIONS, 3, 2, 0, "CreatePartitions"},
    {KAFKA_DELETE_GROUPS, 2, 2, 0, "DeleteGroups"},
    {KAFKA_INCREMENTAL_ALTER_CONFIGS, 1, 1, 0, "IncrementalAlterConfigs"},
    {KAFKA_OFFSET_DELETE, 0, NOT_FLEXIBLE, 0, "OffsetDelete"},
    {KAFKA_DESCRIBE_TRANSACTIONS, 0, 0, 0, "DescribeTransactions"},
    {KAFKA_LIST_TRANSACTIONS, 1, 0, 0, "ListTransactions"},
    {0, 0, 0, 0, NULL},
};

const struct kafka_api_row *kafka_api_find(int16_t api) {
    for (const struct kafka_api_row *row = kafka_apis; row->name; row++)
        if (row->api == api) return row;
    return NULL;
}

/* ---- bytes ---- */
static const uint8_t *take(struct kafka_coder *c, size_t n) {
    if (c->failed || n > (size_t)(c->end - c->at)) {
        c->failed = true;
        return NULL;
    }
    const uint8_t *p = c->at;
    c->at += n;
    return p;
}

static uint8_t *room(struct kafka_coder *c, size_t n) {
    if (c->failed || n > c->out_size - c->out_at) {
        c->failed = true;
        return NULL;
    }
    uint8_t *p = c->out + c->out_at;
    c->out_at += n;
    return p;
}

static void put(struct kafka_coder *c, const void *data, size_t n) {
    uint8_t *p = room(c, n);
    if (p && n) memcpy(p, data, n);
}

static void unsigned_varint(struct kafka_coder *c, uint32_t *x) {
    if (c->encoding) {
        uint8_t bytes[VARINT64_SIZE_MAX];
        put(c, bytes, varint_store(bytes, *x));
        return;
    }
    uint64_t value = 0;
    size_t n = c->failed ? 0 : varint64_load(c->at, (size_t)(c->end - c->at), &value);
    if (n == 0 || n > VARINT32_SIZE_MAX || value > UINT32_MAX) {
        c->failed = true;
        value = 0;
    } else {
        c->at += n;
    }
    *x = (uint32_t)value;
}

/* ---- fields ---- */
void kafka_i8(struct kafka_coder *c, int8_t *x) {
    if (c->encoding) {
        put(c, x, 1);
        return;
    }
    const uint8_t *p = take(c, 1);
    *x = p ? (int8_t)*p : 0;
}

void kafka_bool(struct kafka_coder *c, bool *x) {
    int8_t byte = *x;
    kafka_i8(c, &byte);
    *x = byte != 0;
}

#define INTEGER(bits)                                                                                                  \
    void kafka_i##bits(struct kafka_coder *c, int##bits##_t *x) {                                                      \
        if (c->encoding) {                                                                                             \
            uint8_t *w = room(c, (bits) / 8);                                                                          \
            if (w) store_be##bits(w, (uint##bits##_t) * x);                                                            \
            return;                                                                                                    \
        }                                                                                                              \
        const uint8_t *p = take(c, (bits) / 8);                                                                        \
        *x = p ? (int##bits##_t)load_be##bits(p) : 0;                                                                  \
    }
INTEGER(16)
INTEGER(32)
INTEGER(64)
#undef INTEGER

void kafka_uuid(struct kafka_coder *c, uint8_t x[16]) {
    if (c->encoding) {
        put(c, x, 16);
        return;
    }
    const uint8_t *p = take(c, 16);
    if (p)
        memcpy(x, p, 16);
    else
        memset(x, 0, 16);
}

enum { NULL_LENGTH = -1 };

/* The length in front of a string (16 bits, unless flexible), bytes or array (32 bits); NULL_LENGTH is a null. */
static void length(struct kafka_coder *c, unsigned bits, int64_t *n) {
    if (c->flexible) {
        uint32_t plus_one = (uint32_t)(*n + 1);
        unsigned_varint(c, &plus_one);
        *n = (int64_t)plus_one - 1;
    } else if (bits == 16) {
        int16_t x = (int16_t)*n;
        if (c->encoding && *n > INT16_MAX) c->failed = true;
        kafka_i16(c, &x);
        *n = x;
    } else {
        int32_t x = (int32_t)*n;
        kafka_i32(c, &x);
        *n = x;
    }
    if (*n < NULL_LENGTH) c->failed = true;
}

static void run(struct kafka_coder *c, unsigned bits, struct weir_slice *x, enum kafka_null null) {
    int64_t n = x->data || null == KAFKA_NOT_NULL ? (int64_t)x->size : NULL_LENGTH;
    length(c, bits, &n);
    if (n == NULL_LENGTH && null == KAFKA_NOT_NULL) c->failed = true;
    if (c->encoding) {
        if (n > 0) put(c, x->data, (size_t)n);
        return;
    }
    *x = (struct weir_slice){0};
    if (n == NULL_LENGTH || c->failed) return;
    const uint8_t *p = take(c, (size_t)n);
    if (p) *x = weir_slice(p, (size_t)n);
}

void kafka_string(struct kafka_coder *c, struct weir_slice *x, enum kafka_null null) {
    run(c, 16, x, null);
}

void kafka_bytes(struct kafka_coder *c, struct weir_slice *x, enum kafka_null null) {
    run(c, 32, x, null);
}

uint8_t *kafka_bytes_room(struct kafka_coder *c, size_t size) {
    int64_t n = (int64_t)size;
    length(c, 32, &n);
    return room(c, size);
}

void kafka_raw(struct kafka_coder *c, struct weir_slice bytes) {
    put(c, bytes.data, bytes.size);
}

void kafka_tags(struct kafka_coder *c) {
    if (!c->flexible) return;
    uint32_t count = 0, tag = 0, size = 0;
    unsigned_varint(c, &count);
    for (uint32_t i = 0; i < count && !c->failed; i++) {
        unsigned_varint(c, &tag);
        unsigned_varint(c, &size);
        (void)take(c, size);
    }
}

void kafka_array(struct kafka_coder *c, uint32_t *count, void **items, size_t item_size, enum kafka_null null) {
    int64_t n = *items || null == KAFKA_NOT_NULL ? (int64_t)*count : NULL_LENGTH;
    length(c, 32, &n);
    if (c->encoding) return;
    *count = 0;
    *items = NULL;
    if (n == NULL_LENGTH && null == KAFKA_NOT_NULL) c->failed = true;
    if (n == NULL_LENGTH || c->failed) return;
    if (n > c->end - c->at) { /* an item takes at least a byte */
        c->failed = true;
        return;
    }
    *items = arena_alloc(c->arena, (size_t)n * item_size);
    if (!*items) {
        c->failed = true;
        return;
    }
    memset(*items, 0, (size_t)n * item_size);
    *count = (uint32_t)n;
}

void kafka_array_count(struct kafka_coder *c, uint32_t *ret_count) {
    int64_t n = 0;
    length(c, 32, &n);
    *ret_count = c->failed || n < 0 ? 0 : (uint32_t)n;
}

/* ---- frames ---- */
enum weir_error kafka_request_begin(struct weir_slice frame, struct arena *arena,
    struct kafka_request_header *ret_header, struct kafka_coder *ret_coder) {
    struct kafka_coder c = {.at = frame.data, .end = frame.data + frame.size, .arena = arena};
    struct kafka_request_header h = {0};
    kafka_i16(&c, &h.api);
    kafka_i16(&c, &h.version);
    kafka_i32(&c, &h.correlation_id);
    kafka_string(&c, &h.client_id, KAFKA_NULLABLE);
    if (c.failed)
        return weir_error_context(
            WEIR_E_INVALID, "%zu bytes do not begin with the header of a Kafka request", frame.size);
    const struct kafka_api_row *row = kafka_api_find(h.api);
    c.version = h.version;
    c.flexible = row && h.version >= row->flexible;
    *ret_header = h;
    if (!row || h.version < row->version_min || h.version > row->version_max)
        return weir_error_context(WEIR_E_UNSUPPORTED, "Kafka api %d, version %d is not served", h.api, h.version);
    kafka_tags(&c);
    if (c.failed) return weir_error_context(WEIR_E_INVALID, "the header of a Kafka request is cut");
    *ret_coder = c;
    return WEIR_OK;
}

struct kafka_coder kafka_response_begin(const struct kafka_request_header *request, uint8_t *out, size_t size) {
    const struct kafka_api_row *row = kafka_api_find(request->api);
    struct kafka_coder c = {.encoding = true, .version = request->version, .out = out, .out_size = size};
    int32_t correlation_id = request->correlation_id;
    (void)room(&c, KAFKA_FRAME_HEADER);
    kafka_i32(&c, &correlation_id);
    c.flexible = row && request->version >= row->flexible;
    /* A client that does not know the broker yet must be able to read its answer (KIP-511). */
    if (request->api != KAFKA_API_VERSIONS) kafka_tags(&c);
    return c;
}

bool kafka_response_end(struct kafka_coder *c, struct weir_slice *ret_frame) {
    if (c->failed) return false;
    store_be32(c->out, (uint32_t)(c->out_at - KAFKA_FRAME_HEADER));
    *ret_frame = weir_slice(c->out, c->out_at);
    return true;
}
