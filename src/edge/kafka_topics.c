/* Which topics there are, and making and deleting them. See kafka.h. */
#include "edge/kafka_sasl.h"

/* ---- what is served ---- */
static enum weir_error api_versions(struct kafka_call *call) {
    struct kafka_api_versions_request request = {0};
    struct kafka_api_versions_row rows[64];
    struct kafka_api_versions_response m = {.rows = rows};
    struct kafka_coder out;
    kafka_api_versions_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    for (const struct kafka_api_row *row = kafka_apis; row->name; row++)
        if (kafka_is_served(call->lane->edge, row->api))
            rows[m.row_count++] = (struct kafka_api_versions_row){row->api, 0, row->version_max};
    enum weir_error e = kafka_answer_begin(call, 1024, &out);
    if (e) return e;
    kafka_api_versions_response(&out, &m);
    return kafka_answer_end(call, &out);
}

/* ---- orders for the work agent ---- */
struct topic_order {
    char name[LOG_TOPIC_NAME_MAX + 1];
    uint32_t partitions;
    struct log_topic_config config;
};

static enum weir_error create_topic(struct host *host, void *arg, char *text, size_t size) {
    (void)text, (void)size;
    const struct topic_order *order = arg;
    return host_topic_create(host, order->name, order->partitions, &order->config);
}

static enum weir_error delete_topic(struct host *host, void *arg, char *text, size_t size) {
    (void)text, (void)size;
    const struct topic_order *order = arg;
    return host_topic_delete(host, order->name);
}

static void ask(struct kafka_call *call, size_t number, host_work_fn fn, const struct topic_order *order) {
    struct host_origin origin = kafka_origin(call->session, call->turn, number);
    enum weir_error e = host_work(call->lane->host, fn, order, sizeof *order, origin);
    if (e) kafka_not_taken(call->turn, number, e);
}

static uint32_t default_partitions(const struct kafka_call *call) {
    return (uint32_t)call->lane->edge->node[NODE_KAFKA_PARTITIONS].number;
}

/* ---- metadata ---- */
static int32_t the_node[] = {KAFKA_NODE_ID};

static void fill_topic(struct arena *arena, const struct log_topic *topic, struct kafka_metadata_topic *m) {
    m->name = weir_slice_text(topic->name);
    m->is_internal = host_topic_is_nodes(m->name);
    uint32_t count = topic->partition_count;
    m->partitions = arena_alloc(arena, count * sizeof *m->partitions);
    if (!m->partitions) {
        m->error = KAFKA_UNKNOWN_SERVER_ERROR;
        return;
    }
    m->partition_count = count;
    for (uint32_t i = 0; i < count; i++)
        m->partitions[i] = (struct kafka_metadata_partition){.index = (int32_t)i,
            .leader = KAFKA_NODE_ID,
            .replica_count = 1,
            .replicas = the_node,
            .isr_count = 1,
            .isr = the_node};
}

/* A topic that was asked for by name, or by an id, which none has. */
static void fill_asked(
    struct kafka_call *call, const struct kafka_metadata_topic_name *asked, struct kafka_metadata_topic *m) {
    char text[LOG_TOPIC_NAME_MAX + 1];
    const struct log_topic *topic = asked->name.data ? kafka_topic_find(call->session, asked->name) : NULL;
    if (asked->name.data && !kafka_may_see(call->session, asked->name)) {
        m->name = asked->name;
        m->error = KAFKA_TOPIC_AUTHORIZATION_FAILED;
        return;
    }
    if (topic) {
        fill_topic(&call->lane->arena, topic, m);
        return;
    }
    m->name = asked->name.data ? asked->name : weir_slice("", 0);
    memcpy(m->topic_id, asked->topic_id, sizeof m->topic_id);
    m->error = !asked->name.data                     ? KAFKA_UNKNOWN_TOPIC_ID
               : kafka_topic_name(asked->name, text) ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION
                                                     : KAFKA_INVALID_TOPIC;
}

static enum weir_error fill(
    struct kafka_call *call, const struct kafka_metadata_request *request, struct kafka_metadata_response *m) {
    struct log *log = host_log(call->lane->edge->host);
    bool all = !request->topics || (call->turn->header.version == 0 && request->topic_count == 0);
    uint32_t count = all ? log_topic_count(log) : request->topic_count;
    m->topics = arena_alloc(&call->lane->arena, (count + 1) * sizeof *m->topics);
    if (!m->topics) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the metadata of so many topics");
    for (uint32_t i = 0; i < count; i++) {
        const struct log_topic *topic = all ? log_topic_at(log, i) : NULL;
        if (all && (!topic || !kafka_may_see(call->session, weir_slice_text(topic->name)))) continue;
        struct kafka_metadata_topic *next = &m->topics[m->topic_count++];
        *next = (struct kafka_metadata_topic){.operations = INT32_MIN /* was not asked for */};
        if (all)
            fill_topic(&call->lane->arena, topic, next);
        else
            fill_asked(call, &request->topics[i], next);
    }
    return WEIR_OK;
}

/* Topics that are asked for and are not there are made. */
static enum weir_error metadata_begin(struct kafka_call *call) {
    struct kafka_metadata_request request = {0};
    kafka_metadata_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    if (!request.allow_auto_topic_creation || !call->lane->edge->node[NODE_KAFKA_AUTO_CREATE].number) return WEIR_OK;
    if (!kafka_results_new(call, request.topic_count)) return WEIR_E_AGAIN;
    for (uint32_t i = 0; i < request.topic_count; i++) {
        struct topic_order order = {.partitions = default_partitions(call)};
        struct weir_slice name = request.topics[i].name;
        bool wanted = kafka_topic_name(name, order.name) && !host_topic_is_nodes(name);
        if (!wanted || kafka_topic_find(call->session, name)) continue;
        if (kafka_may(call->session, name, ROLE_ADMIN)) ask(call, i, create_topic, &order);
    }
    return WEIR_OK;
}

static enum weir_error metadata_finish(struct kafka_call *call) {
    struct kafka_metadata_request request = {0};
    const struct listener *listener = call->session->conn->listener;
    struct kafka_broker node = {
        .node_id = KAFKA_NODE_ID, .host = weir_slice_text(listener->host), .port = listener->port};
    struct kafka_metadata_response m = {.broker_count = 1,
        .brokers = &node,
        .cluster_id = weir_slice_text("weir"),
        .controller_id = KAFKA_NODE_ID,
        .operations = INT32_MIN};
    struct kafka_coder out;
    kafka_metadata_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    enum weir_error e = fill(call, &request, &m);
    if (e) return e;
    size_t size = 512;
    for (uint32_t i = 0; i < m.topic_count; i++)
        size += 64 + m.topics[i].name.size + (size_t)48 * m.topics[i].partition_count;
    e = kafka_answer_begin(call, size, &out);
    if (e) return e;
    kafka_metadata_response(&out, &m);
    return kafka_answer_end(call, &out);
}

/* ---- creating ---- */
static int16_t take_topic(struct kafka_call *call, const struct kafka_new_topic *m, struct topic_order *order) {
    if (!kafka_topic_name(m->name, order->name)) return KAFKA_INVALID_TOPIC;
    if (host_topic_is_nodes(m->name) || !kafka_may(call->session, m->name, ROLE_ADMIN))
        return KAFKA_TOPIC_AUTHORIZATION_FAILED;
    if (kafka_topic_find(call->session, m->name)) return KAFKA_TOPIC_ALREADY_EXISTS;
    if (m->replication_factor != 1 && m->replication_factor != -1) return KAFKA_INVALID_REPLICATION_FACTOR;
    int64_t count = m->assignment_count ? (int64_t)m->assignment_count : m->partition_count;
    if (count == -1) count = default_partitions(call);
    if (count < 1 || count > KAFKA_PARTITIONS_MAX) return KAFKA_INVALID_PARTITIONS;
    order->partitions = (uint32_t)count;
    for (uint32_t i = 0; i < m->config_count; i++)
        if (!kafka_config_take(&order->config, m->configs[i].name, m->configs[i].value)) return KAFKA_INVALID_CONFIG;
    return KAFKA_NONE;
}

static enum weir_error create_begin(struct kafka_call *call) {
    struct kafka_create_topics_request request = {0};
    kafka_create_topics_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    struct kafka_result *results = kafka_results_new(call, request.topic_count);
    if (!results) return WEIR_E_AGAIN;
    for (uint32_t i = 0; i < request.topic_count; i++) {
        struct topic_order order = {0};
        results[i].error = take_topic(call, &request.topics[i], &order);
        results[i].partition = order.partitions;
        if (!results[i].error && !request.validate_only) ask(call, i, create_topic, &order);
    }
    return WEIR_OK;
}

static enum weir_error create_finish(struct kafka_call *call) {
    struct kafka_create_topics_request request = {0};
    kafka_create_topics_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    struct kafka_create_topics_response m = {.topic_count = request.topic_count};
    struct kafka_topic_config none = {0}; /* the Java client takes no null for settings, as Kafka sends none */
    m.topics = arena_alloc(&call->lane->arena, (request.topic_count + 1) * sizeof *m.topics);
    if (!m.topics) return weir_error_context(WEIR_E_NO_MEMORY, "too many topics in one request");
    size_t size = 64;
    for (uint32_t i = 0; i < request.topic_count; i++) {
        const struct kafka_result *result = &kafka_results(call->turn)[i];
        m.topics[i] = (struct kafka_created_topic){.name = request.topics[i].name,
            .error = result->error,
            .partition_count = result->error ? -1 : (int32_t)result->partition,
            .replication_factor = result->error ? -1 : 1,
            .configs = &none};
        size += 64 + request.topics[i].name.size;
        const struct log_topic *topic = result->error ? NULL : kafka_topic_find(call->session, request.topics[i].name);
        /* There is none when it was only tried; those of very many are left out, as the answer has a bound. */
        if (topic && size < KAFKA_RESPONSE_MAX / 2) size += kafka_config_created(call, topic, &m.topics[i]);
    }
    struct kafka_coder out;
    enum weir_error e = kafka_answer_begin(call, size, &out);
    if (e) return e;
    kafka_create_topics_response(&out, &m);
    return kafka_answer_end(call, &out);
}

/* ---- deleting ---- */
static enum weir_error delete_begin(struct kafka_call *call) {
    struct kafka_delete_topics_request request = {0};
    kafka_delete_topics_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    struct kafka_result *results = kafka_results_new(call, request.topic_count);
    if (!results) return WEIR_E_AGAIN;
    for (uint32_t i = 0; i < request.topic_count; i++) {
        struct topic_order order = {0};
        struct weir_slice name = request.topics[i].name;
        const struct log_topic *topic = name.data ? kafka_topic_find(call->session, name) : NULL;
        if (name.data && !kafka_may(call->session, name, ROLE_ADMIN))
            results[i].error = KAFKA_TOPIC_AUTHORIZATION_FAILED;
        else if (!topic)
            results[i].error = name.data ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION : KAFKA_UNKNOWN_TOPIC_ID;
        else if (topic->config.internal || host_topic_is_nodes(name))
            results[i].error = KAFKA_TOPIC_AUTHORIZATION_FAILED;
        else if (kafka_topic_name(name, order.name))
            ask(call, i, delete_topic, &order);
    }
    return WEIR_OK;
}

static enum weir_error delete_finish(struct kafka_call *call) {
    struct kafka_delete_topics_request request = {0};
    kafka_delete_topics_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    struct kafka_delete_topics_response m = {.topic_count = request.topic_count};
    m.topics = arena_alloc(&call->lane->arena, (request.topic_count + 1) * sizeof *m.topics);
    if (!m.topics) return weir_error_context(WEIR_E_NO_MEMORY, "too many topics in one request");
    size_t size = 64;
    for (uint32_t i = 0; i < request.topic_count; i++) {
        m.topics[i] =
            (struct kafka_deleted_topic){.name = request.topics[i].name, .error = kafka_results(call->turn)[i].error};
        memcpy(m.topics[i].topic_id, request.topics[i].topic_id, sizeof m.topics[i].topic_id);
        size += 64 + request.topics[i].name.size;
    }
    struct kafka_coder out;
    enum weir_error e = kafka_answer_begin(call, size, &out);
    if (e) return e;
    kafka_delete_topics_response(&out, &m);
    return kafka_answer_end(call, &out);
}

const struct kafka_handler kafka_topic_handlers[] = {
    {KAFKA_API_VERSIONS, NULL, api_versions, NULL},
    {KAFKA_METADATA, metadata_begin, metadata_finish, NULL},
    {KAFKA_CREATE_TOPICS, create_begin, create_finish, NULL},
    {KAFKA_DELETE_TOPICS, delete_begin, delete_finish, NULL},
    {-1, NULL, NULL, NULL},
};
