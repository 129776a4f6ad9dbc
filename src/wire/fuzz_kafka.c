/* Any bytes as a request's frame, or as the body of any message of any version: what is decoded, encoded again and
 * decoded once more encodes to the same bytes, whose count is bounded by what came in. The first byte picks the message
 * (0: a whole request), the second its version.
 * Covers: kafka.c kafka_admin_messages.c kafka_group_messages.c kafka_messages.c. */
#include "base/assert.h"
#include "wire/kafka_admin_messages.h"
#include "wire/kafka_group_messages.h"
#include "wire/kafka_messages.h"

#include <stdlib.h>

#define OUT_MAX (1u << 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

union message {
    struct kafka_api_versions_request a;
    struct kafka_api_versions_response b;
    struct kafka_metadata_request c;
    struct kafka_metadata_response d;
    struct kafka_produce_request e;
    struct kafka_produce_response f;
    struct kafka_fetch_request g;
    struct kafka_fetch_response h;
    struct kafka_list_offsets_request i;
    struct kafka_list_offsets_response j;
    struct kafka_create_topics_request k;
    struct kafka_create_topics_response l;
    struct kafka_delete_topics_request m;
    struct kafka_delete_topics_response n;
    struct kafka_init_producer_id_request o;
    struct kafka_init_producer_id_response p;
    struct kafka_find_coordinator_request q;
    struct kafka_find_coordinator_response r;
    struct kafka_join_group_request s;
    struct kafka_join_group_response t;
    struct kafka_sync_group_request u;
    struct kafka_sync_group_response v;
    struct kafka_heartbeat_request w;
    struct kafka_heartbeat_response x;
    struct kafka_leave_group_request y;
    struct kafka_leave_group_response z;
    struct kafka_offset_commit_request A;
    struct kafka_offset_commit_response B;
    struct kafka_offset_fetch_request C;
    struct kafka_offset_fetch_response D;
    struct kafka_describe_groups_request E;
    struct kafka_describe_groups_response F;
    struct kafka_list_groups_request G;
    struct kafka_list_groups_response H;
    struct kafka_delete_groups_request I;
    struct kafka_delete_groups_response J;
    struct kafka_offset_delete_request K;
    struct kafka_offset_delete_response L;
    struct kafka_describe_configs_request M;
    struct kafka_describe_configs_response N;
    struct kafka_alter_configs_request O;
    struct kafka_alter_configs_response P;
    struct kafka_create_partitions_request Q;
    struct kafka_create_partitions_response R;
};

#define CODE(name)                                                                                                     \
    static void code_##name(struct kafka_coder *c, union message *m) {                                                 \
        kafka_##name(c, (struct kafka_##name *)(void *)m);                                                             \
    }
CODE(api_versions_request)
CODE(api_versions_response)
CODE(metadata_request)
CODE(metadata_response)
CODE(produce_request)
CODE(produce_response)
CODE(fetch_request)
CODE(fetch_response)
CODE(list_offsets_request)
CODE(list_offsets_response)
CODE(create_topics_request)
CODE(create_topics_response)
CODE(delete_topics_request)
CODE(delete_topics_response)
CODE(init_producer_id_request)
CODE(init_producer_id_response)
CODE(find_coordinator_request)
CODE(find_coordinator_response)
CODE(join_group_request)
CODE(join_group_response)
CODE(sync_group_request)
CODE(sync_group_response)
CODE(heartbeat_request)
CODE(heartbeat_response)
CODE(leave_group_request)
CODE(leave_group_response)
CODE(offset_commit_request)
CODE(offset_commit_response)
CODE(offset_fetch_request)
CODE(offset_fetch_response)
CODE(describe_groups_request)
CODE(describe_groups_response)
CODE(list_groups_request)
CODE(list_groups_response)
CODE(delete_groups_request)
CODE(delete_groups_response)
CODE(offset_delete_request)
CODE(offset_delete_response)
CODE(describe_configs_request)
CODE(describe_configs_response)
CODE(alter_configs_request)
CODE(alter_configs_response)
CODE(create_partitions_request)
CODE(create_partitions_response)
static void code_incremental_alter_configs_request(struct kafka_coder *c, union message *m) {
    kafka_incremental_alter_configs_request(c, &m->O);
}

static const struct {
    int16_t api;
    void (*code)(struct kafka_coder *c, union message *m);
} messages[] = {
    {KAFKA_API_VERSIONS, code_api_versions_request},
    {KAFKA_API_VERSIONS, code_api_versions_response},
    {KAFKA_METADATA, code_metadata_request},
    {KAFKA_METADATA, code_metadata_response},
    {KAFKA_PRODUCE, code_produce_request},
    {KAFKA_PRODUCE, code_produce_response},
    {KAFKA_FETCH, code_fetch_request},
    {KAFKA_FETCH, code_fetch_response},
    {KAFKA_LIST_OFFSETS, code_list_offsets_request},
    {KAFKA_LIST_OFFSETS, code_list_offsets_response},
    {KAFKA_CREATE_TOPICS, code_create_topics_request},
    {KAFKA_CREATE_TOPICS, code_create_topics_response},
    {KAFKA_DELETE_TOPICS, code_delete_topics_request},
    {KAFKA_DELETE_TOPICS, code_delete_topics_response},
    {KAFKA_INIT_PRODUCER_ID, code_init_producer_id_request},
    {KAFKA_INIT_PRODUCER_ID, code_init_producer_id_response},
    {KAFKA_FIND_COORDINATOR, code_find_coordinator_request},
    {KAFKA_FIND_COORDINATOR, code_find_coordinator_response},
    {KAFKA_JOIN_GROUP, code_join_group_request},
    {KAFKA_JOIN_GROUP, code_join_group_response},
    {KAFKA_SYNC_GROUP, code_sync_group_request},
    {KAFKA_SYNC_GROUP, code_sync_group_response},
    {KAFKA_HEARTBEAT, code_heartbeat_request},
    {KAFKA_HEARTBEAT, code_heartbeat_response},
    {KAFKA_LEAVE_GROUP, code_leave_group_request},
    {KAFKA_LEAVE_GROUP, code_leave_group_response},
    {KAFKA_OFFSET_COMMIT, code_offset_commit_request},
    {KAFKA_OFFSET_COMMIT, code_offset_commit_response},
    {KAFKA_OFFSET_FETCH, code_offset_fetch_request},
    {KAFKA_OFFSET_FETCH, code_offset_fetch_response},
    {KAFKA_DESCRIBE_GROUPS, code_describe_groups_request},
    {KAFKA_DESCRIBE_GROUPS, code_describe_groups_response},
    {KAFKA_LIST_GROUPS, code_list_groups_request},
    {KAFKA_LIST_GROUPS, code_list_groups_response},
    {KAFKA_DELETE_GROUPS, code_delete_groups_request},
    {KAFKA_DELETE_GROUPS, code_delete_groups_response},
    {KAFKA_OFFSET_DELETE, code_offset_delete_request},
    {KAFKA_OFFSET_DELETE, code_offset_delete_response},
    {KAFKA_DESCRIBE_CONFIGS, code_describe_configs_request},
    {KAFKA_DESCRIBE_CONFIGS, code_describe_configs_response},
    {KAFKA_ALTER_CONFIGS, code_alter_configs_request},
    {KAFKA_ALTER_CONFIGS, code_alter_configs_response},
    {KAFKA_CREATE_PARTITIONS, code_create_partitions_request},
    {KAFKA_CREATE_PARTITIONS, code_create_partitions_response},
    {KAFKA_INCREMENTAL_ALTER_CONFIGS, code_incremental_alter_configs_request},
};
#define MESSAGES (sizeof messages / sizeof *messages)

static struct arena arena;

static bool decode(size_t pick, int16_t version, struct weir_slice body, union message *m) {
    struct kafka_coder c = {.version = version,
        .flexible = version >= kafka_api_find(messages[pick].api)->flexible,
        .at = body.data,
        .end = body.data + body.size,
        .arena = &arena};
    memset(m, 0, sizeof *m);
    messages[pick].code(&c, m);
    return !c.failed;
}

static size_t encode(size_t pick, int16_t version, union message *m, uint8_t *out) {
    struct kafka_coder c = {.encoding = true,
        .version = version,
        .flexible = version >= kafka_api_find(messages[pick].api)->flexible,
        .out = out,
        .out_size = OUT_MAX};
    messages[pick].code(&c, m);
    /* Too little room is told, wherever it ends. */
    struct kafka_coder cut = c;
    cut.out_at = 0;
    cut.failed = false;
    cut.out_size = c.out_at ? c.out_at - 1 : 0;
    messages[pick].code(&cut, m);
    WEIR_ASSERT(c.failed || c.out_at == 0 || cut.failed);
    return c.failed ? 0 : c.out_at;
}

static void fuzz_message(size_t pick, uint8_t version_byte, struct weir_slice body) {
    const struct kafka_api_row *row = kafka_api_find(messages[pick].api);
    int16_t version = (int16_t)(row->version_min + version_byte % (row->version_max - row->version_min + 1));
    static uint8_t once[OUT_MAX], twice[OUT_MAX];
    union message m;
    if (!decode(pick, version, body, &m)) return;
    size_t n = encode(pick, version, &m, once);
    if (n == 0) return;
    WEIR_ASSERT(n <= 2 * body.size + 8); /* a null of records is encoded as empty */
    WEIR_ASSERT(decode(pick, version, weir_slice(once, n), &m));
    WEIR_ASSERT(encode(pick, version, &m, twice) == n && memcmp(once, twice, n) == 0);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    /* On the heap, to the byte, so that a read behind the end is seen. */
    uint8_t *copy = malloc(size);
    memcpy(copy, data, size);
    if (!arena.allocator && !arena.block_size) arena_init(&arena, NULL, 1 << 16, 0);
    arena_reset(&arena);
    if (data[0] == 0)
        fuzz_request(weir_slice(copy + 1, size - 1));
    else
        fuzz_message((data[0] - 1u) % MESSAGES, data[1], weir_slice(copy + 2, size - 2));
    free(copy);
    return 0;
}
