/* Appending records: produce, producer ids; and where to begin to read them. See kafka.h. */
#include "edge/kafka_sasl.h"

#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>

#define BATCH_BYTES_MAX (1u << 20) /* as over HTTP */

/* ---- produce ---- */
static size_t produce_count(const struct kafka_produce_request *request) {
    size_t count = 0;
    for (uint32_t t = 0; t < request->topic_count; t++)
        count += request->topics[t].partition_count;
    return count;
}

static enum weir_error check_batch(
    struct kafka_call *call, const struct log_topic *topic, struct weir_slice records, struct batch_built *ret_built) {
    bool plain = topic->config.compression == LOG_COMPRESSION_NONE;
    return batch_sent(&call->lane->checker, records, BATCH_BYTES_MAX, plain, ret_built);
}

/* One partition's batch into the host. */
static enum weir_error append(struct kafka_call *call, const struct kafka_produce_topic *m,
    const struct kafka_produce_partition *partition, size_t number) {
    const struct log_topic *topic = kafka_topic_find(call->session, m->name);
    struct batch_built built;
    if (!kafka_may(call->session, m->name, ROLE_WRITE)) return WEIR_E_FORBIDDEN;
    if (!topic || partition->index < 0 || (uint32_t)partition->index >= topic->partition_count) return WEIR_E_NOT_FOUND;
    enum weir_error e = check_batch(call, topic, partition->records, &built);
    if (e) return e;
    struct host_origin origin = kafka_origin(call->session, call->turn, number);
    e = host_append(call->lane->host, topic->name, (uint32_t)partition->index, built.batch, origin, NULL);
    if (e) call->turn->left--;
    return e;
}

/* What a batch may be only inside of a transaction, and none can be open: stored, it would be read as committed.
 * Markers are the coordinator's alone, as with Apache Kafka. */
static int16_t refuse_transactional(struct weir_slice batch) {
    if (batch_is_marker(batch)) return KAFKA_INVALID_RECORD;
    return batch_is_transactional(batch) ? KAFKA_INVALID_TXN_STATE : KAFKA_NONE;
}

/* The request without its records, which finish does not need. */
static enum weir_error keep_names(struct kafka_call *call, struct kafka_produce_request *request) {
    size_t size = 64 + request->transactional_id.size;
    for (uint32_t t = 0; t < request->topic_count; t++) {
        size += 16 + request->topics[t].name.size + (size_t)16 * request->topics[t].partition_count;
        for (uint32_t p = 0; p < request->topics[t].partition_count; p++)
            request->topics[t].partitions[p].records = (struct weir_slice){0};
    }
    struct buffer *kept = &call->turn->kept;
    if (!buffer_reserve(&call->lane->buffers, kept, size, KAFKA_REQUEST_MAX))
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a request that waits");
    struct kafka_coder c = {.encoding = true,
        .version = call->in.version,
        .flexible = call->in.flexible,
        .out = kept->data,
        .out_size = buffer_room(kept)};
    kafka_produce_request(&c, request);
    WEIR_ASSERT(!c.failed);
    kept->size = (uint32_t)c.out_at;
    return WEIR_OK;
}

static enum weir_error produce_begin(struct kafka_call *call) {
    struct kafka_produce_request request = {0};
    kafka_produce_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    struct kafka_result *results = kafka_results_new(call, produce_count(&request));
    if (!results) return WEIR_E_AGAIN;
    bool good_acks = request.acks >= -1 && request.acks <= 1;
    size_t number = 0;
    call->turn->silent = request.acks == 0;
    for (uint32_t t = 0; t < request.topic_count; t++)
        for (uint32_t p = 0; p < request.topics[t].partition_count; p++, number++) {
            const struct kafka_produce_partition *partition = &request.topics[t].partitions[p];
            int16_t refused = good_acks ? refuse_transactional(partition->records) : KAFKA_INVALID_REQUIRED_ACKS;
            enum weir_error e = refused ? WEIR_OK : append(call, &request.topics[t], partition, number);
            if (e == WEIR_E_FULL && number == 0) return WEIR_E_AGAIN; /* TCP's window closes instead */
            results[number].error = refused ? refused : kafka_error_of(e);
            results[number].value = -1;
        }
    return call->turn->left ? keep_names(call, &request) : WEIR_OK;
}

static void fill_produced(struct kafka_call *call, const struct kafka_produce_topic *asked,
    const struct kafka_result *results, struct kafka_produced_topic *m) {
    const struct log_topic *topic = kafka_topic_find(call->session, asked->name);
    m->name = asked->name;
    m->partition_count = asked->partition_count;
    for (uint32_t p = 0; p < asked->partition_count; p++) {
        uint32_t index = (uint32_t)asked->partitions[p].index;
        bool known = topic && index < topic->partition_count;
        uint64_t start = known ? atomic_load_explicit(&topic->partitions[index]->start, memory_order_relaxed) : 0;
        m->partitions[p] = (struct kafka_produced_partition){.index = asked->partitions[p].index,
            .error = results[p].error,
            .base_offset = results[p].error ? -1 : results[p].value,
            .log_append_time_ms = -1, /* the records' own time counts */
            .log_start_offset = results[p].error ? -1 : (int64_t)start};
    }
}

static enum weir_error produce_finish(struct kafka_call *call) {
    struct kafka_produce_request request = {0};
    kafka_produce_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    size_t count = produce_count(&request), size = 64;
    struct kafka_produce_response m = {.topic_count = request.topic_count};
    struct kafka_produced_partition *partitions = arena_alloc(&call->lane->arena, (count + 1) * sizeof *partitions);
    m.topics = arena_alloc(&call->lane->arena, (request.topic_count + 1) * sizeof *m.topics);
    if (!partitions || !m.topics) return weir_error_context(WEIR_E_NO_MEMORY, "too many partitions in one request");
    const struct kafka_result *results = kafka_results(call->turn);
    for (uint32_t t = 0; t < request.topic_count; t++) {
        m.topics[t] = (struct kafka_produced_topic){.partitions = partitions};
        fill_produced(call, &request.topics[t], results, &m.topics[t]);
        partitions += request.topics[t].partition_count;
        results += request.topics[t].partition_count;
        size += 32 + request.topics[t].name.size + (size_t)48 * request.topics[t].partition_count;
    }
    struct kafka_coder out;
    enum weir_error e = kafka_answer_begin(call, size, &out);
    if (e) return e;
    kafka_produce_response(&out, &m);
    return kafka_answer_end(call, &out);
}

/* ---- producer ids ---- */
static enum weir_error new_producer_id(struct host *host, void *arg, char *text, size_t size) {
    (void)arg;
    uint64_t id;
    enum weir_error e = log_producer_id_new(host_log(host), &id);
    if (!e) (void)snprintf(text, size, "%" PRIu64, id);
    return e;
}

static void take_number(
    struct weir_session *session, struct kafka_turn *turn, uint32_t number, const struct host_delivery *d) {
    (void)session;
    uint64_t value = 0;
    struct kafka_result *result = &kafka_results(turn)[number];
    struct weir_slice text = d->value.size ? d->value : weir_slice_text(d->text ? d->text : "");
    result->error = kafka_error_of(d->error);
    if (!d->error && parse_u64(text, &value)) result->error = KAFKA_UNKNOWN_SERVER_ERROR;
    result->value = (int64_t)value;
}

static enum weir_error producer_id_begin(struct kafka_call *call) {
    struct kafka_init_producer_id_request request = {0};
    kafka_init_producer_id_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    struct kafka_result *results = kafka_results_new(call, 1);
    if (!results) return WEIR_E_AGAIN;
    if (request.transactional_id.data) {
        results[0].error = KAFKA_INVALID_REQUEST; /* there are no transactions */
        return WEIR_OK;
    }
    struct host_origin origin = kafka_origin(call->session, call->turn, 0);
    enum weir_error e = host_work(call->lane->host, new_producer_id, "", 1, origin);
    if (e) kafka_not_taken(call->turn, 0, e);
    return WEIR_OK;
}

static enum weir_error producer_id_finish(struct kafka_call *call) {
    const struct kafka_result *result = kafka_results(call->turn);
    struct kafka_init_producer_id_response m = {.error = result->error,
        .producer_id = result->error ? -1 : result->value,
        .producer_epoch = result->error ? -1 : 0};
    struct kafka_coder out;
    enum weir_error e = kafka_answer_begin(call, 64, &out);
    if (e) return e;
    kafka_init_producer_id_response(&out, &m);
    return kafka_answer_end(call, &out);
}

/* ---- offsets by time ---- */
struct time_order {
    char name[LOG_TOPIC_NAME_MAX + 1];
    uint32_t partition;
    uint64_t time_ms;
};

static enum weir_error offset_at(struct host *host, void *arg, char *text, size_t size) {
    const struct time_order *order = arg;
    struct log *log = host_log(host);
    const struct log_topic *topic = log_topic_find(log, order->name);
    uint64_t offset;
    if (!topic || order->partition >= topic->partition_count) return WEIR_E_NOT_FOUND;
    enum weir_error e = log_offset_at(log, topic->partitions[order->partition], order->time_ms, &offset);
    if (!e) (void)snprintf(text, size, "%" PRIu64, offset);
    return e;
}

static void list_one(struct kafka_call *call, const struct kafka_list_offsets_topic *m,
    const struct kafka_list_offsets_partition *asked, size_t number) {
    struct kafka_result *result = &kafka_results(call->turn)[number];
    if (!kafka_may_see(call->session, m->name)) {
        result->error = KAFKA_TOPIC_AUTHORIZATION_FAILED;
        return;
    }
    const struct log_topic *topic = kafka_topic_find(call->session, m->name);
    if (!topic || asked->index < 0 || (uint32_t)asked->index >= topic->partition_count) {
        result->error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        return;
    }
    const struct log_partition *p = topic->partitions[asked->index];
    if (asked->timestamp_ms == KAFKA_OFFSET_EARLIEST) {
        result->value = (int64_t)atomic_load_explicit(&p->start, memory_order_acquire);
    } else if (asked->timestamp_ms < 0) {
        result->value = (int64_t)log_partition_end(p);
    } else {
        struct time_order order = {.partition = (uint32_t)asked->index, .time_ms = (uint64_t)asked->timestamp_ms};
        if (!kafka_topic_name(m->name, order.name)) return;
        struct host_origin origin = kafka_origin(call->session, call->turn, number);
        enum weir_error e = host_work(call->lane->host, offset_at, &order, sizeof order, origin);
        if (e) kafka_not_taken(call->turn, number, e);
    }
}

static size_t list_count(const struct kafka_list_offsets_request *request) {
    size_t count = 0;
    for (uint32_t t = 0; t < request->topic_count; t++)
        count += request->topics[t].partition_count;
    return count;
}

static enum weir_error list_begin(struct kafka_call *call) {
    struct kafka_list_offsets_request request = {0};
    kafka_list_offsets_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    if (!kafka_results_new(call, list_count(&request))) return WEIR_E_AGAIN;
    size_t number = 0;
    for (uint32_t t = 0; t < request.topic_count; t++)
        for (uint32_t p = 0; p < request.topics[t].partition_count; p++)
            list_one(call, &request.topics[t], &request.topics[t].partitions[p], number++);
    return WEIR_OK;
}

/* Nothing is that young: offset -1, as Kafka says it. */
static void fill_listed(struct kafka_call *call, const struct kafka_list_offsets_topic *asked,
    const struct kafka_result *results, struct kafka_listed_topic *m) {
    const struct log_topic *topic = kafka_topic_find(call->session, asked->name);
    m->name = asked->name;
    m->partition_count = asked->partition_count;
    for (uint32_t p = 0; p < asked->partition_count; p++) {
        const struct kafka_list_offsets_partition *a = &asked->partitions[p];
        bool by_time = a->timestamp_ms >= 0 && !results[p].error && topic;
        uint64_t high =
            by_time ? atomic_load_explicit(&topic->partitions[a->index]->high, memory_order_acquire) : UINT64_MAX;
        bool none = results[p].error || (by_time && (uint64_t)results[p].value >= high);
        m->partitions[p] = (struct kafka_listed_partition){.index = a->index,
            .error = results[p].error,
            .timestamp_ms = by_time && !none ? a->timestamp_ms : -1,
            .offset = none ? -1 : results[p].value};
    }
}

static enum weir_error list_finish(struct kafka_call *call) {
    struct kafka_list_offsets_request request = {0};
    kafka_list_offsets_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    size_t count = list_count(&request), size = 64;
    struct kafka_list_offsets_response m = {.topic_count = request.topic_count};
    struct kafka_listed_partition *partitions = arena_alloc(&call->lane->arena, (count + 1) * sizeof *partitions);
    m.topics = arena_alloc(&call->lane->arena, (request.topic_count + 1) * sizeof *m.topics);
    if (!partitions || !m.topics) return weir_error_context(WEIR_E_NO_MEMORY, "too many partitions in one request");
    const struct kafka_result *results = kafka_results(call->turn);
    for (uint32_t t = 0; t < request.topic_count; t++) {
        m.topics[t] = (struct kafka_listed_topic){.partitions = partitions};
        fill_listed(call, &request.topics[t], results, &m.topics[t]);
        partitions += request.topics[t].partition_count;
        results += request.topics[t].partition_count;
        size += 32 + request.topics[t].name.size + (size_t)40 * request.topics[t].partition_count;
    }
    struct kafka_coder out;
    enum weir_error e = kafka_answer_begin(call, size, &out);
    if (e) return e;
    kafka_list_offsets_response(&out, &m);
    return kafka_answer_end(call, &out);
}

const struct kafka_handler kafka_record_handlers[] = {
    {KAFKA_PRODUCE, produce_begin, produce_finish, NULL},
    {KAFKA_INIT_PRODUCER_ID, producer_id_begin, producer_id_finish, take_number},
    {KAFKA_LIST_OFFSETS, list_begin, list_finish, take_number},
    {-1, NULL, NULL, NULL},
};
