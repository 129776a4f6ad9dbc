/* What topics and the broker are set to, changing it, and more partitions of a topic. See kafka.h.
 *
 * Changes are orders of the desk: each is in weir.audit before it is done, and again when it was. An order names what
 * changes and no more, and orders are done one after the other: of two clients that change different settings of a
 * topic at the same time, neither undoes the other's.
 */
#include "edge/desk.h"
#include "edge/kafka.h"
#include "edge/kafka_sasl.h"

#include "base/units.h"
#include "wire/kafka_admin_messages.h"

#define SEGMENT_BYTES_MIN 1024u

/* ---- the settings ---- */
enum number { RETENTION_MS, RETENTION_BYTES, SEGMENT_BYTES, NUMBERS };
static const size_t number_offset[NUMBERS] = {offsetof(struct log_topic_config, retention_ms),
    offsetof(struct log_topic_config, retention_bytes), offsetof(struct log_topic_config, segment_bytes)};

struct config_row {
    const char *name;
    enum kafka_config_type type;
    int number;        /* enum number; -1: it is `fixed`, or what the topic was made with */
    const char *fixed; /* there is one way of it here; another value is taken and without meaning */
    const char *documentation;
};
#define COMPRESSION    "compression.type"
#define CLEANUP_POLICY "cleanup.policy"
#define DURABILITY     "weir.durability"
static const struct config_row topic_rows[] = {
    {"retention.ms", KAFKA_TYPE_LONG, RETENTION_MS, NULL,
        "How old records become before their segment goes, in milliseconds; -1: they stay."},
    {"retention.bytes", KAFKA_TYPE_LONG, RETENTION_BYTES, NULL,
        "How much a partition keeps, in whole segments; -1: everything."},
    {"segment.bytes", KAFKA_TYPE_INT, SEGMENT_BYTES, NULL,
        "How large a segment becomes; retention takes whole ones, and never the newest."},
    {COMPRESSION, KAFKA_TYPE_STRING, -1, NULL,
        "What batches are stored as: producer, none, lz4 or zstd. Given when the topic is made."},
    {CLEANUP_POLICY, KAFKA_TYPE_LIST, -1, "delete", "Old segments are deleted; there is no compaction."},
    {DURABILITY, KAFKA_TYPE_STRING, -1, NULL,
        "durable: acknowledged when it is synced; lazy: synced behind; memory: gone with the process."},
    {"min.insync.replicas", KAFKA_TYPE_INT, -1, "1", "There is one replica."},
    {"unclean.leader.election.enable", KAFKA_TYPE_BOOLEAN, -1, "false", "There is one replica."},
    {"flush.messages", KAFKA_TYPE_LONG, -1, "1", "A durable topic's records are synced before they are acknowledged."},
    {"flush.ms", KAFKA_TYPE_LONG, -1, "0", "A durable topic's records are synced before they are acknowledged."},
    {"message.format.version", KAFKA_TYPE_STRING, -1, "3.0-IV1", "Batches of format 2."},
};

static const struct config_row *find_row(struct weir_slice name) {
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(topic_rows); i++)
        if (weir_slice_equal(name, weir_slice_text(topic_rows[i].name))) return &topic_rows[i];
    return NULL;
}

/* In the log 0 is without a limit, which is -1 here; what Kafka takes 0 for is as near as 1. */
static bool parse_number(const struct config_row *row, struct weir_slice value, uint64_t *ret) {
    if (!value.data) return false;
    if (weir_slice_equal(value, weir_slice_text("-1"))) {
        *ret = 0;
        return true;
    }
    if (parse_u64(value, ret)) return false;
    if (row->number == SEGMENT_BYTES) return *ret >= SEGMENT_BYTES_MIN && *ret <= INT32_MAX;
    if (*ret == 0) *ret = 1;
    return *ret <= INT64_MAX;
}

static uint64_t *number_of(struct log_topic_config *config, int number) {
    return (uint64_t *)(void *)((uint8_t *)config + number_offset[number]);
}

bool kafka_config_take(struct log_topic_config *config, struct weir_slice name, struct weir_slice value) {
    const struct config_row *row = find_row(name);
    if (!row || !value.data || strcmp(row->name, DURABILITY) == 0) return false; /* to unset is another operation */
    if (row->number >= 0) return parse_number(row, value, number_of(config, row->number));
    if (strcmp(row->name, COMPRESSION) == 0) return log_compression_parse(value, &config->compression);
    return strcmp(row->name, CLEANUP_POLICY) != 0 || weir_slice_equal(value, weir_slice_text("delete"));
}

/* ---- describing ---- */
struct description {
    struct kafka_call *call;
    const struct kafka_config_resource *asked;
    bool synonyms, documentation;
    struct kafka_described_resource *m;
    size_t size; /* of the answer so far, at most */
};

static bool was_asked(const struct kafka_config_resource *asked, const char *name) {
    for (uint32_t i = 0; asked->keys && i < asked->key_count; i++)
        if (weir_slice_equal(asked->keys[i], weir_slice_text(name))) return true;
    return !asked->keys;
}

static struct weir_slice number_text(struct arena *arena, uint64_t number) {
    char *text = arena_alloc(arena, 24);
    if (!text) return weir_slice("", 0);
    struct text_builder t = text_builder(text, 24);
    text_printf(&t, "%llu", (unsigned long long)number);
    return text_slice(&t);
}

struct value {
    struct weir_slice now, initial;
    int8_t source;
    bool read_only;
};

static void describe(struct description *d, const struct config_row *row, const struct value *value) {
    if (!was_asked(d->asked, row->name)) return;
    struct kafka_described_config *c = &d->m->configs[d->m->config_count++];
    *c = (struct kafka_described_config){.name = weir_slice_text(row->name),
        .value = value->now,
        .read_only = value->read_only,
        .is_default = value->source == KAFKA_SOURCE_DEFAULT,
        .source = value->source,
        .type = (int8_t)row->type};
    if (d->documentation) c->documentation = weir_slice_text(row->documentation);
    d->size += 64 + 3 * strlen(row->name) + 2 * value->now.size + value->initial.size + strlen(row->documentation);
    if (!d->synonyms) return;
    /* What holds first, then what would without it. */
    c->synonyms = arena_alloc(&d->call->lane->arena, 2 * sizeof *c->synonyms);
    if (!c->synonyms) return;
    c->synonyms[c->synonym_count++] = (struct kafka_config_synonym){c->name, value->now, value->source};
    if (value->source != KAFKA_SOURCE_DEFAULT)
        c->synonyms[c->synonym_count++] = (struct kafka_config_synonym){c->name, value->initial, KAFKA_SOURCE_DEFAULT};
}

static struct value topic_value(struct description *d, const struct log_topic *topic, const struct config_row *row) {
    struct arena *arena = &d->call->lane->arena;
    const struct log_topic_config *config = &topic->config;
    bool is_clients = !config->internal && !host_topic_is_nodes(weir_slice_text(topic->name));
    if (row->number >= 0) {
        const uint64_t *number = (const void *)((const uint8_t *)config + number_offset[row->number]);
        uint64_t now = log_topic_setting(number), segment = log_segment_bytes(host_log(d->call->lane->edge->host));
        struct value v = {.source = now ? KAFKA_SOURCE_TOPIC : KAFKA_SOURCE_DEFAULT,
            .read_only = !is_clients || config->durability == LOG_MEMORY};
        v.initial = row->number == SEGMENT_BYTES ? number_text(arena, segment) : weir_slice_text("-1");
        v.now = now ? number_text(arena, now) : v.initial;
        return v;
    }
    if (row->fixed)
        return (struct value){weir_slice_text(row->fixed), weir_slice_text(row->fixed), KAFKA_SOURCE_DEFAULT, true};
    bool is_compression = strcmp(row->name, COMPRESSION) == 0;
    bool as_usual =
        is_compression ? config->compression == LOG_COMPRESSION_PRODUCER : config->durability == LOG_DURABLE;
    return (struct value){.now = weir_slice_text(is_compression ? log_compression_name(config->compression)
                                                                : log_durability_name(config->durability)),
        .initial = weir_slice_text(
            is_compression ? log_compression_name(LOG_COMPRESSION_PRODUCER) : log_durability_name(LOG_DURABLE)),
        .source = as_usual ? KAFKA_SOURCE_DEFAULT : KAFKA_SOURCE_TOPIC,
        .read_only = true};
}

static const struct config_row broker_rows[] = {
    {"auto.create.topics.enable", KAFKA_TYPE_BOOLEAN, -1, NULL, "kafka.auto_create of the node."},
    {"num.partitions", KAFKA_TYPE_INT, -1, NULL, "kafka.partitions of the node: of topics that are made unasked."},
    {"log.segment.bytes", KAFKA_TYPE_INT, -1, NULL, "segment.bytes of topics that don't set it."},
    {"log.retention.ms", KAFKA_TYPE_LONG, -1, "-1", "retention.ms of topics that don't set it."},
    {"log.retention.bytes", KAFKA_TYPE_LONG, -1, "-1", "retention.bytes of topics that don't set it."},
    {"log.cleanup.policy", KAFKA_TYPE_LIST, -1, "delete", "Old segments are deleted; there is no compaction."},
    {"default.replication.factor", KAFKA_TYPE_INT, -1, "1", "There is one broker."},
    {"min.insync.replicas", KAFKA_TYPE_INT, -1, "1", "There is one replica."},
    {"broker.id", KAFKA_TYPE_INT, -1, "0", "There is one broker."},
};
#define CONFIGS_MAX                                                                                                    \
    (WEIR_ARRAY_COUNT(topic_rows) > WEIR_ARRAY_COUNT(broker_rows) ? WEIR_ARRAY_COUNT(topic_rows)                       \
                                                                  : WEIR_ARRAY_COUNT(broker_rows))

static struct value broker_value(struct description *d, const struct config_row *row) {
    const struct edge *edge = d->call->lane->edge;
    struct arena *arena = &d->call->lane->arena;
    struct value v = {.source = KAFKA_SOURCE_BROKER, .read_only = true};
    if (row->fixed) {
        v.now = weir_slice_text(row->fixed);
        v.source = KAFKA_SOURCE_DEFAULT;
    } else if (row == &broker_rows[0]) {
        v.now = weir_slice_text(edge->node[NODE_KAFKA_AUTO_CREATE].number ? "true" : "false");
    } else if (row == &broker_rows[1]) {
        v.now = number_text(arena, edge->node[NODE_KAFKA_PARTITIONS].number);
    } else {
        v.now = number_text(arena, log_segment_bytes(host_log(edge->host)));
    }
    v.initial = v.now;
    return v;
}

static void describe_resource(struct description *d) {
    struct kafka_described_resource *m = d->m;
    const struct log_topic *topic = NULL;
    if (d->asked->type == KAFKA_RESOURCE_TOPIC && kafka_may_see(d->call->session, d->asked->name))
        topic = kafka_topic_find(d->call->session, d->asked->name);
    bool is_broker = d->asked->type == KAFKA_RESOURCE_BROKER && weir_slice_equal(d->asked->name, weir_slice_text("0"));
    if (!topic && !is_broker) {
        bool is_topic = d->asked->type == KAFKA_RESOURCE_TOPIC;
        m->error = is_topic ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION : KAFKA_INVALID_REQUEST;
        m->message =
            weir_slice_text(is_topic ? "there is no such topic" : "topics and broker 0 have settings, nothing else");
        d->size += 64;
        return;
    }
    m->configs = arena_alloc(&d->call->lane->arena, CONFIGS_MAX * sizeof *m->configs);
    if (!m->configs) {
        m->error = KAFKA_UNKNOWN_SERVER_ERROR;
        return;
    }
    for (size_t i = 0; topic && i < WEIR_ARRAY_COUNT(topic_rows); i++) {
        struct value v = topic_value(d, topic, &topic_rows[i]);
        describe(d, &topic_rows[i], &v);
    }
    for (size_t i = 0; is_broker && i < WEIR_ARRAY_COUNT(broker_rows); i++) {
        struct value v = broker_value(d, &broker_rows[i]);
        describe(d, &broker_rows[i], &v);
    }
}

size_t kafka_config_created(struct kafka_call *call, const struct log_topic *topic, struct kafka_created_topic *m) {
    struct arena *arena = &call->lane->arena;
    struct kafka_config_resource asked = {.type = KAFKA_RESOURCE_TOPIC, .name = weir_slice_text(topic->name)};
    struct kafka_described_resource all = {0};
    struct description d = {.call = call, .asked = &asked, .m = &all};
    describe_resource(&d);
    struct kafka_topic_config *told = arena_alloc(arena, CONFIGS_MAX * sizeof *told);
    if (!told) return 0;
    for (uint32_t i = 0; i < all.config_count; i++) {
        const struct kafka_described_config *c = &all.configs[i];
        told[i] = (struct kafka_topic_config){
            .name = c->name, .value = c->value, .read_only = c->read_only, .source = c->source};
    }
    m->configs = told;
    m->config_count = all.config_count;
    return d.size;
}

static enum weir_error describe_finish(struct kafka_call *call) {
    struct kafka_describe_configs_request request = {0};
    kafka_describe_configs_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    struct kafka_describe_configs_response m = {.result_count = request.resource_count};
    m.results = arena_alloc(&call->lane->arena, (request.resource_count + 1) * sizeof *m.results);
    if (!m.results) return weir_error_context(WEIR_E_NO_MEMORY, "too many resources in one request");
    struct description d = {
        .call = call, .synonyms = request.synonyms, .documentation = request.documentation, .size = 64};
    for (uint32_t i = 0; i < request.resource_count; i++) {
        d.asked = &request.resources[i];
        d.m = &m.results[i];
        *d.m = (struct kafka_described_resource){.type = d.asked->type, .name = d.asked->name};
        d.size += 32 + d.asked->name.size;
        describe_resource(&d);
    }
    struct kafka_coder out;
    enum weir_error e = kafka_answer_begin(call, d.size, &out);
    if (e) return e;
    kafka_describe_configs_response(&out, &m);
    return kafka_answer_end(call, &out);
}

/* ---- orders ---- */
struct alter_order {
    char name[LOG_TOPIC_NAME_MAX + 1];
    bool sets[NUMBERS], sets_compression;
    struct log_topic_config config;
};
struct grow_order {
    char name[LOG_TOPIC_NAME_MAX + 1];
    uint32_t partitions;
};

static enum weir_error alter_topic(struct host *host, void *arg, char *text, size_t size) {
    (void)text, (void)size;
    struct alter_order *order = arg;
    const struct log_topic *topic = log_topic_find(host_log(host), order->name);
    if (!topic) return weir_error_context(WEIR_E_NOT_FOUND, "there is no topic %s", order->name);
    struct log_topic_config config = topic->config; /* this agent alone changes it */
    if (order->sets_compression) config.compression = order->config.compression;
    for (int i = 0; i < NUMBERS; i++)
        if (order->sets[i]) *number_of(&config, i) = *number_of(&order->config, i);
    return host_topic_alter(host, order->name, &config);
}

static enum weir_error grow_topic(struct host *host, void *arg, char *text, size_t size) {
    (void)text, (void)size;
    const struct grow_order *order = arg;
    return host_topic_grow(host, order->name, order->partitions);
}

/* The answer's sentence for that result, kept in the turn's data. */
static void say(
    struct weir_session *session, struct kafka_turn *turn, size_t number, int16_t error, struct weir_slice text) {
    struct kafka_result *r = &kafka_results(turn)[number];
    uint32_t at = turn->data.size;
    r->error = error;
    if (!text.size || !buffer_add(&session->conn->lane->buffers, &turn->data, text, KAFKA_RESPONSE_MAX)) return;
    r->at = at;
    r->size = (uint32_t)text.size;
}

static struct weir_slice said(const struct kafka_turn *turn, size_t number) {
    const struct kafka_result *r = &kafka_results(turn)[number];
    return r->size ? weir_slice(turn->data.data + r->at, r->size) : (struct weir_slice){0};
}

static int16_t outcome(const struct kafka_turn *turn, enum weir_error e) {
    if (e != WEIR_E_INVALID) return kafka_error_of(e);
    return turn->header.api == KAFKA_CREATE_PARTITIONS ? KAFKA_INVALID_PARTITIONS : KAFKA_INVALID_CONFIG;
}

static void take_outcome(
    struct weir_session *session, struct kafka_turn *turn, uint32_t number, const struct host_delivery *d) {
    const char *text = d->error && d->text ? d->text : "";
    say(session, turn, number, outcome(turn, d->error), weir_slice_text(text));
}

static void give_order(
    struct kafka_call *call, size_t number, const struct desk_order *order, struct weir_slice detail) {
    struct desk_asker asker = {
        .conn = call->session->conn, .body = detail, .origin = kafka_origin(call->session, call->turn, number)};
    weir_error_clear();
    enum weir_error e = desk_take(order, &asker);
    if (!e) return;
    kafka_not_taken(call->turn, number, e);
    say(call->session, call->turn, number, kafka_error_of(e), weir_slice_text(weir_error_text()));
}

/* Whether it is a topic that clients may change; else says why not. */
static bool may_change(struct kafka_call *call, size_t number, struct weir_slice name) {
    const struct log_topic *topic = NULL;
    if (kafka_may_see(call->session, name)) topic = kafka_topic_find(call->session, name);
    bool is_clients = topic && !topic->config.internal && !host_topic_is_nodes(name);
    if (is_clients && kafka_may(call->session, name, ROLE_ADMIN)) return true;
    if (is_clients)
        say(call->session, call->turn, number, KAFKA_TOPIC_AUTHORIZATION_FAILED,
            weir_slice_text("the token has no admin role on the topic"));
    else if (!topic)
        say(call->session, call->turn, number, KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
            weir_slice_text("there is no such topic"));
    else
        say(call->session, call->turn, number, KAFKA_TOPIC_AUTHORIZATION_FAILED,
            weir_slice_text("the topic belongs to a service or to the node and stays as it is"));
    return false;
}

/* ---- altering ---- */
static void decode_alter(struct kafka_call *call, struct kafka_alter_configs_request *m) {
    if (call->turn->header.api == KAFKA_ALTER_CONFIGS)
        kafka_alter_configs_request(&call->in, m);
    else
        kafka_incremental_alter_configs_request(&call->in, m);
}

static bool take_change(const struct kafka_config_change *change, struct alter_order *order) {
    const struct config_row *row = find_row(change->name);
    if (!row) return false;
    if (row->number >= 0) order->sets[row->number] = true;
    if (change->operation == KAFKA_CONFIG_DELETE) { /* as it is when nothing is said */
        if (row->number >= 0) *number_of(&order->config, row->number) = 0;
        return row->number >= 0 || row->fixed;
    }
    bool is_list = row->type == KAFKA_TYPE_LIST && change->operation == KAFKA_CONFIG_APPEND;
    if (change->operation != KAFKA_CONFIG_SET && !is_list) return false;
    if (strcmp(row->name, COMPRESSION) == 0) order->sets_compression = true;
    return kafka_config_take(&order->config, change->name, change->value);
}

static bool take_changes(struct kafka_call *call, size_t number, const struct kafka_altered_resource *m,
    struct alter_order *order, struct text_builder *detail) {
    char text[200];
    struct text_builder t = TEXT_BUILDER(text);
    if (m->type != KAFKA_RESOURCE_TOPIC || !kafka_topic_name(m->name, order->name)) {
        say(call->session, call->turn, number, KAFKA_INVALID_REQUEST,
            weir_slice_text("only topics can be set; the broker's settings are the node's (weir config)"));
        return false;
    }
    if (!may_change(call, number, m->name)) return false;
    for (int i = 0; call->turn->header.api == KAFKA_ALTER_CONFIGS && i < NUMBERS; i++)
        order->sets[i] = true; /* what is not named is as if nothing had been said */
    for (uint32_t i = 0; i < m->config_count; i++) {
        text_printf(detail, "%s%.*s=%.*s", i ? " " : "", (int)m->configs[i].name.size,
            (const char *)m->configs[i].name.data, (int)m->configs[i].value.size,
            m->configs[i].value.data ? (const char *)m->configs[i].value.data : "");
        if (take_change(&m->configs[i], order)) continue;
        text_add(&t, "not a setting of topics, or it can't be that: ");
        text_add_quoted(&t, m->configs[i].name, 64);
        text_add(&t, "; the settings are told by DescribeConfigs");
        say(call->session, call->turn, number, KAFKA_INVALID_CONFIG, text_slice(&t));
        return false;
    }
    return true;
}

static enum weir_error alter_begin(struct kafka_call *call) {
    struct kafka_alter_configs_request request = {0};
    decode_alter(call, &request);
    if (call->in.failed) return kafka_malformed(call);
    if (!kafka_results_new(call, request.resource_count)) return WEIR_E_AGAIN;
    for (uint32_t i = 0; i < request.resource_count; i++) {
        char text[DESK_BODY_MAX];
        struct text_builder detail = TEXT_BUILDER(text);
        struct alter_order order = {0};
        if (!take_changes(call, i, &request.resources[i], &order, &detail) || request.validate_only) continue;
        struct desk_order desk = {.action = "topic.alter",
            .target = request.resources[i].name,
            .fn = alter_topic,
            .arg = &order,
            .arg_size = sizeof order};
        give_order(call, i, &desk, text_slice(&detail));
    }
    return WEIR_OK;
}

static enum weir_error alter_finish(struct kafka_call *call) {
    struct kafka_alter_configs_request request = {0};
    decode_alter(call, &request);
    if (call->in.failed) return kafka_malformed(call);
    struct kafka_alter_configs_response m = {.result_count = request.resource_count};
    m.results = arena_alloc(&call->lane->arena, (request.resource_count + 1) * sizeof *m.results);
    if (!m.results) return weir_error_context(WEIR_E_NO_MEMORY, "too many resources in one request");
    size_t size = 64 + buffer_count(&call->turn->data);
    for (uint32_t i = 0; i < request.resource_count; i++) {
        const struct kafka_altered_resource *asked = &request.resources[i];
        m.results[i] = (struct kafka_alter_configs_result){
            kafka_results(call->turn)[i].error, said(call->turn, i), asked->type, asked->name};
        size += 32 + asked->name.size;
    }
    struct kafka_coder out;
    enum weir_error e = kafka_answer_begin(call, size, &out);
    if (e) return e;
    kafka_alter_configs_response(&out, &m);
    return kafka_answer_end(call, &out);
}

/* ---- more partitions ---- */
static bool take_more(struct kafka_call *call, size_t number, const struct kafka_more_partitions *m) {
    if (!may_change(call, number, m->name)) return false;
    const struct log_topic *topic = kafka_topic_find(call->session, m->name);
    uint32_t count = topic->partition_count;
    char text[160];
    struct text_builder t = TEXT_BUILDER(text);
    if (m->count > 0 && (uint32_t)m->count > count && m->count <= KAFKA_PARTITIONS_MAX) return true;
    text_printf(&t, "it has %u partitions; they only become more, and at most %d", count, KAFKA_PARTITIONS_MAX);
    say(call->session, call->turn, number, KAFKA_INVALID_PARTITIONS, text_slice(&t));
    return false;
}

static enum weir_error more_begin(struct kafka_call *call) {
    struct kafka_create_partitions_request request = {0};
    kafka_create_partitions_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    if (!kafka_results_new(call, request.topic_count)) return WEIR_E_AGAIN;
    for (uint32_t i = 0; i < request.topic_count; i++) {
        const struct kafka_more_partitions *m = &request.topics[i];
        if (!take_more(call, i, m) || request.validate_only) continue;
        char text[40];
        struct text_builder detail = TEXT_BUILDER(text);
        struct grow_order order = {.partitions = (uint32_t)m->count};
        if (!kafka_topic_name(m->name, order.name)) continue; /* it was found by it */
        text_printf(&detail, "partitions=%d", m->count);
        struct desk_order desk = {
            .action = "topic.partitions", .target = m->name, .fn = grow_topic, .arg = &order, .arg_size = sizeof order};
        give_order(call, i, &desk, text_slice(&detail));
    }
    return WEIR_OK;
}

static enum weir_error more_finish(struct kafka_call *call) {
    struct kafka_create_partitions_request request = {0};
    kafka_create_partitions_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    struct kafka_create_partitions_response m = {.result_count = request.topic_count};
    m.results = arena_alloc(&call->lane->arena, (request.topic_count + 1) * sizeof *m.results);
    if (!m.results) return weir_error_context(WEIR_E_NO_MEMORY, "too many topics in one request");
    size_t size = 64 + buffer_count(&call->turn->data);
    for (uint32_t i = 0; i < request.topic_count; i++) {
        m.results[i] = (struct kafka_create_partitions_result){
            request.topics[i].name, kafka_results(call->turn)[i].error, said(call->turn, i)};
        size += 32 + request.topics[i].name.size;
    }
    struct kafka_coder out;
    enum weir_error e = kafka_answer_begin(call, size, &out);
    if (e) return e;
    kafka_create_partitions_response(&out, &m);
    return kafka_answer_end(call, &out);
}

const struct kafka_handler kafka_config_handlers[] = {
    {KAFKA_DESCRIBE_CONFIGS, NULL, describe_finish, NULL},
    {KAFKA_ALTER_CONFIGS, alter_begin, alter_finish, take_outcome},
    {KAFKA_INCREMENTAL_ALTER_CONFIGS, alter_begin, alter_finish, take_outcome},
    {KAFKA_CREATE_PARTITIONS, more_begin, more_finish, take_outcome},
    {-1, NULL, NULL, NULL},
};
