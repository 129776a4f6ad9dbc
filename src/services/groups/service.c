/* groups: consumer groups of the Kafka protocol. docs/kafka.md says what clients see. */
#include "groups/groups.h"

#define SERVICE_KAFKA_APIS(ROW)                                                                                        \
    ROW(KAFKA_JOIN_GROUP, "join_group", groups_join)                                                                   \
    ROW(KAFKA_SYNC_GROUP, "sync_group", groups_sync)                                                                   \
    ROW(KAFKA_HEARTBEAT, "heartbeat", groups_heartbeat)                                                                \
    ROW(KAFKA_LEAVE_GROUP, "leave_group", groups_leave)                                                                \
    ROW(KAFKA_OFFSET_COMMIT, "offset_commit", groups_offset_commit)                                                    \
    ROW(KAFKA_OFFSET_FETCH, "offset_fetch", groups_offset_fetch)                                                       \
    ROW(KAFKA_OFFSET_DELETE, "offset_delete", groups_offset_delete)                                                    \
    ROW(KAFKA_DESCRIBE_GROUPS, "describe_groups", groups_describe)                                                     \
    ROW(KAFKA_LIST_GROUPS, "list_groups", groups_list)                                                                 \
    ROW(KAFKA_DELETE_GROUPS, "delete_groups", groups_delete)

static const struct {
    int16_t api;
    void (*apply)(struct groups_call *call);
} handlers[] = {
#define ROW(api, name, apply) {api, apply},
    SERVICE_KAFKA_APIS(ROW)
#undef ROW
};

/* False: it is not a request of a version that is served. */
static bool read_request(const struct weir_record *record, struct weir_kafka_request *ret) {
    const struct kafka_api_row *row = kafka_api_find((int16_t)record->type);
    if (!row || !groups_read_request(record->value, ret)) return false;
    ret->api = row->api;
    return ret->version >= row->version_min && ret->version <= row->version_max && groups_body_fits(ret);
}

static void apply_request(struct groups_call *call, const struct weir_record *record) {
    if (!read_request(record, &call->request)) return;
    call->in = (struct kafka_coder){.version = call->request.version,
        .flexible = call->request.version >= kafka_api_find(call->request.api)->flexible,
        .at = call->request.body.data,
        .end = call->request.body.data + call->request.body.size,
        .arena = call->arena};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(handlers); i++)
        if (handlers[i].api == call->request.api) handlers[i].apply(call);
    if (call->waits && !call->answered) (void)weir_reply_later(call->out); /* the ticket is the offset */
    weir_metric_add(call->out, 0, 1);
}

static void on_settings(struct groups_call *call) {
    call->groups->chunks_max = groups_chunks_max(&call->settings);
    groups_on_start(call);
}

static void apply(void *state, const struct weir_record *record, struct weir_out *out) {
    struct groups *g = state;
    struct arena arena;
    arena_init_fixed(&arena, g->scratch, GROUPS_SCRATCH_BYTES);
    struct groups_call call = {.groups = g,
        .out = out,
        .arena = &arena,
        .settings = groups_settings(weir_settings(out)),
        .now_ns = record->time_ns,
        .offset = record->offset,
        .ticket = GROUPS_NOW};
    if (record->kind == WEIR_RECORD_SETTINGS) on_settings(&call);
    if (record->kind == WEIR_RECORD_COMMAND) apply_request(&call, record);
    if (record->kind == WEIR_RECORD_TIMER) {
        struct group *group = groups_find_serial(g, record->timer_id);
        if (group) group_on_timer(&call, group);
    }
    arena_done(&arena);
    weir_metric_set(out, 1, g->groups.count);
    weir_metric_set(out, 2, g->members.count);
    weir_metric_set(out, 3, g->offsets.count);
}

/* ---- state ---- */
static size_t state_bytes(const struct weir_setting_value *values) {
    struct groups_settings settings = groups_settings(values);
    return groups_bytes(&settings);
}

static enum weir_error open_state(const struct weir_open *open, void **ret_state) {
    struct groups *g = open->memory;
    struct groups_settings settings = groups_settings(open->capacity);
    g->partition = open->partition;
    g->partition_count = open->partition_count;
    groups_init(g, &settings);
    settings = groups_settings(open->settings);
    g->chunks_max = groups_chunks_max(&settings);
    *ret_state = g;
    return WEIR_OK;
}

static uint64_t digest(const void *state) {
    return ((const struct groups *)state)->digest;
}

/* ---- the declaration ---- */
static const struct weir_setting settings[] = {
    {"partitions", WEIR_SETTING_UINT, "1", 1, 64, "Partitions of groups.commands; stays as it was first made."},
    {"groups_max", WEIR_SETTING_UINT, "1000", 1, 1500, "Groups per partition.", .folded = true},
    {"group_members_max", WEIR_SETTING_UINT, "250", 1, GROUPS_MEMBERS_MAX, "Members of a group.", .folded = true},
    {"members_max", WEIR_SETTING_UINT, "5000", 1, 1 << 20, "Members of all groups of a partition.", .folded = true},
    {"offsets_max", WEIR_SETTING_UINT, "100000", 1, 1 << 24, "Committed offsets per partition.", .folded = true},
    {"memory", WEIR_SETTING_BYTES, "32MB", 1 << 20, 1ull << 36,
        "Per partition, for names, metadata and assignments, in pieces of 64 bytes.", .folded = true},
    {"offset_metadata_max", WEIR_SETTING_BYTES, "4096", 0, 32 << 10, "Metadata beside a committed offset.",
        .folded = true},
    {"session_timeout_min", WEIR_SETTING_DURATION, "6s", 1, 0, "The shortest session timeout a member may ask for.",
        .folded = true},
    {"session_timeout_max", WEIR_SETTING_DURATION, "30m", 1, 0, "The longest.", .folded = true},
    {"initial_rebalance_delay", WEIR_SETTING_DURATION, "200ms", 0, 0,
        "What the first member of an empty group waits for others; 0: not at all.", .folded = true},
    {"offsets_retention", WEIR_SETTING_DURATION, "168h", 1, 0,
        "A group without members is forgotten with its offsets after that time.", .folded = true},
    {0},
};
static const struct weir_record_type commands[] = {
#define ROW(api, name, apply) {api, name, "A Kafka request: version, client, address, body.", .print = groups_print},
    SERVICE_KAFKA_APIS(ROW)
#undef ROW
        {0},
};
static const struct weir_topic topics[] = {
    /* Heartbeats would grow it without end; what no snapshot covers stays whatever this says. */
    {"groups.commands", WEIR_TOPIC_INPUT, commands, "What members and tools asked of consumer groups.",
        .retention_bytes = 256u << 20},
    {0},
};
static const struct weir_metric metrics[] = {
    {"requests_total", WEIR_METRIC_COUNTER, "Requests applied."},
    {"groups", WEIR_METRIC_GAUGE, "Groups there are."},
    {"members", WEIR_METRIC_GAUGE, "Members, and clients that were given an id to join with."},
    {"offsets", WEIR_METRIC_GAUGE, "Committed offsets there are."},
    {0},
};

const struct weir_service weir_service_groups = {
    .name = "groups",
    .summary = "consumer groups of Kafka clients: members, generations, assignments, committed offsets",
    .version = 1,
    .version_replays = 1,
    .partitions_setting = "partitions",
    .settings = settings,
    .topics = topics,
    .metrics = metrics,
    /* The leader's answer, and 250 of one type, protocol, leader and member each; or all assignments. */
    .output_bytes_max = GROUPS_REPLY_MAX + GROUPS_MEMBERS_MAX * 1024u,
    .state_bytes = state_bytes,
    .open = open_state,
    .apply = apply,
    .save = groups_save,
    .load = groups_load,
    .digest = digest,
    .dump = groups_dump,
    .replies_max = WEIR_REPLIES_MAX,
    .kafka = groups_kafka_rows,
};
