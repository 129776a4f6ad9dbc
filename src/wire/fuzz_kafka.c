/* Any bytes as a request's frame, or as the body of any message of any version: what is decoded, encoded again and
 * decoded once more encodes to the same bytes, whose count is bounded by what came in. The first byte picks the message
 * (0: a whole request; else its api + 1, and 128 more for its response), the second its version.
 * Covers: kafka.c kafka_admin_messages.c kafka_group_messages.c kafka_messages.c kafka_sasl_messages.c
 * kafka_txn_messages.c. */
#include "base/assert.h"
#include "wire/kafka_admin_messages.h"
#include "wire/kafka_group_messages.h"
#include "wire/kafka_messages.h"
#include "wire/kafka_sasl_messages.h"
#include "wire/kafka_txn_messages.h"

#include <stdlib.h>

#define OUT_MAX (1u << 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGES(X)                                                                                                    \
    X(KAFKA_API_VERSIONS, api_versions)                                                                                \
    X(KAFKA_METADATA, metadata)                                                                                        \
    X(KAFKA_PRODUCE, produce)                                                                                          \
    X(KAFKA_FETCH, fetch)                                                                                              \
    X(KAFKA_LIST_OFFSETS, list_offsets)                                                                                \
    X(KAFKA_CREATE_TOPICS, create_topics)                                                                              \
    X(KAFKA_DELETE_TOPICS, delete_topics)                                                                              \
    X(KAFKA_INIT_PRODUCER_ID, init_producer_id)                                                                        \
    X(KAFKA_FIND_COORDINATOR, find_coordinator)                                                                        \
    X(KAFKA_JOIN_GROUP, join_group)                                                                                    \
    X(KAFKA_SYNC_GROUP, sync_group)                                                                                    \
    X(KAFKA_HEARTBEAT, heartbeat)                                                                                      \
    X(KAFKA_LEAVE_GROUP, leave_group)                                                                                  \
    X(KAFKA_OFFSET_COMMIT, offset_commit)                                                                              \
    X(KAFKA_OFFSET_FETCH, offset_fetch)                                                                                \
    X(KAFKA_DESCRIBE_GROUPS, describe_groups)                                                                          \
    X(KAFKA_LIST_GROUPS, list_groups)                                                                                  \
    X(KAFKA_DELETE_GROUPS, delete_groups)                                                                              \
    X(KAFKA_OFFSET_DELETE, offset_delete)                                                                              \
    X(KAFKA_SASL_HANDSHAKE, sasl_handshake)                                                                            \
    X(KAFKA_SASL_AUTHENTICATE, sasl_authenticate)                                                                      \
    X(KAFKA_ADD_PARTITIONS_TO_TXN, add_partitions_to_txn)                                                              \
    X(KAFKA_ADD_OFFSETS_TO_TXN, add_offsets_to_txn)                                                                    \
    X(KAFKA_END_TXN, end_txn)                                                                                          \
    X(KAFKA_TXN_OFFSET_COMMIT, txn_offset_commit)                                                                      \
    X(KAFKA_DESCRIBE_TRANSACTIONS, describe_transactions)                                                              \
    X(KAFKA_LIST_TRANSACTIONS, list_transactions)                                                                      \
    X(KAFKA_DESCRIBE_CONFIGS, describe_configs)                                                                        \
    X(KAFKA_ALTER_CONFIGS, alter_configs)                                                                              \
    X(KAFKA_CREATE_PARTITIONS, create_partitions)

union message {
#define FIELDS(api, name)                                                                                              \
    struct kafka_##name##_request name##_request;                                                                      \
    struct kafka_##name##_response name##_response;
    MESSAGES(FIELDS)
#undef FIELDS
};

#define CODE(api, name)                                                                                                \
    static void code_##name##_request(struct kafka_coder *c, union message *m) {                                       \
        kafka_##name##_request(c, &m->name##_request);                                                                 \
    }                                                                                                                  \
    static void code_##name##_response(struct kafka_coder *c, union message *m) {                                      \
        kafka_##name##_response(c, &m->name##_response);                                                               \
    }
MESSAGES(CODE)
#undef CODE

static void code_incremental_alter_configs_request(struct kafka_coder *c, union message *m) {
    kafka_incremental_alter_configs_request(c, &m->alter_configs_request);
}

static const struct message_row {
    int16_t api;
    void (*code[2])(struct kafka_coder *c, union message *m); /* of the request, of the response */
} messages[] = {
#define ROW(api, name) {api, {code_##name##_request, code_##name##_response}},
    MESSAGES(ROW)
#undef ROW
        {KAFKA_INCREMENTAL_ALTER_CONFIGS, {code_incremental_alter_configs_request, code_alter_configs_response}},
};

typedef void (*coder)(struct kafka_coder *c, union message *m);
static struct arena arena;

static bool decode(
    const struct kafka_api_row *row, coder code, int16_t version, struct weir_slice body, union message *m) {
    struct kafka_coder c = {.version = version,
        .flexible = version >= row->flexible,
        .at = body.data,
        .end = body.data + body.size,
        .arena = &arena};
    memset(m, 0, sizeof *m);
    code(&c, m);
    return !c.failed;
}

static size_t encode(const struct kafka_api_row *row, coder code, int16_t version, union message *m, uint8_t *out) {
    struct kafka_coder c = {
        .encoding = true, .version = version, .flexible = version >= row->flexible, .out = out, .out_size = OUT_MAX};
    code(&c, m);
    /* Too little room is told, wherever it ends. */
    struct kafka_coder cut = c;
    cut.out_at = 0;
    cut.failed = false;
    cut.out_size = c.out_at ? c.out_at - 1 : 0;
    code(&cut, m);
    WEIR_ASSERT(c.failed || c.out_at == 0 || cut.failed);
    return c.failed ? 0 : c.out_at;
}

/* A version that is served is itself, whatever versions are added. */
static int16_t version_of(const struct kafka_api_row *row, uint8_t byte) {
    bool served = byte >= row->version_min && byte <= row->version_max;
    return (int16_t)(served ? byte : row->version_min + byte % (row->version_max - row->version_min + 1));
}

static void fuzz_message(coder code, const struct kafka_api_row *row, int16_t version, struct weir_slice body) {
    static uint8_t once[OUT_MAX], twice[OUT_MAX];
    union message m;
    if (!decode(row, code, version, body, &m)) return;
    size_t n = encode(row, code, version, &m, once);
    if (n == 0) return;
    WEIR_ASSERT(n <= 2 * body.size + 8); /* a null of records is encoded as empty */
    WEIR_ASSERT(decode(row, code, version, weir_slice(once, n), &m));
    WEIR_ASSERT(encode(row, code, version, &m, twice) == n && memcmp(once, twice, n) == 0);
}

static void fuzz_any(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(messages); i++) {
        const struct kafka_api_row *row = kafka_api_find(messages[i].api);
        if (messages[i].api != (bytes[0] & 0x7f) - 1) continue;
        fuzz_message(messages[i].code[bytes[0] >> 7], row, version_of(row, bytes[1]), weir_slice(bytes + 2, size - 2));
    }
}

static void fuzz_request(struct weir_slice frame) {
    struct kafka_request_header h;
    struct kafka_coder c;
    uint8_t out[64];
    struct weir_slice response;
    if (kafka_request_begin(frame, &arena, &h, &c)) return;
    WEIR_ASSERT(c.at <= c.end && c.end == frame.data + frame.size);
    struct kafka_coder answer = kafka_response_begin(&h, out, sizeof out);
    WEIR_ASSERT(kafka_response_end(&answer, &response) && response.size >= KAFKA_FRAME_HEADER + 4);
    answer = kafka_response_begin(&h, out, 3);
    WEIR_ASSERT(!kafka_response_end(&answer, &response));
}

static void fuzz_plain(struct weir_slice bytes) {
    struct sasl_plain m;
    if (!sasl_plain_read(bytes, &m)) return;
    WEIR_ASSERT(m.user.size > 0 && m.password.size > 0);
    WEIR_ASSERT(m.act_as.size + m.user.size + m.password.size + 2 == bytes.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    /* On the heap, to the byte, so that a read behind the end is seen. */
    uint8_t *copy = malloc(size);
    memcpy(copy, data, size);
    if (!arena.allocator && !arena.block_size) arena_init(&arena, NULL, 1 << 16, 0);
    arena_reset(&arena);
    fuzz_plain(weir_slice(copy + 1, size - 1));
    if (data[0] == 0)
        fuzz_request(weir_slice(copy + 1, size - 1));
    else
        fuzz_any(copy, size);
    free(copy);
    return 0;
}
