/* Fetch: whole batches of some partitions, at once or as soon as there are any. See kafka.h.
 *
 * A partition that has records is read by the host's read agent. When none has, every one of them is waited for; the
 * first that gets records ends the waiting, and the others are read if they have some by then.
 */
#include "edge/kafka_sasl.h"

static size_t count_of(const struct kafka_fetch_request *request) {
    size_t count = 0;
    for (uint32_t t = 0; t < request->topic_count; t++)
        count += request->topics[t].partition_count;
    return count;
}

static const struct log_partition *partition_of(const struct kafka_result *r) {
    return r->topic ? r->topic->partitions[r->partition] : NULL;
}

static uint64_t high_of(const struct log_partition *p) {
    return atomic_load_explicit(&p->high, memory_order_acquire);
}

static bool has_records(const struct kafka_result *r) {
    return !r->error && r->size == 0 && high_of(partition_of(r)) > r->offset;
}

static void read_one(struct weir_session *session, struct kafka_turn *turn, size_t number, uint64_t wait_ns) {
    const struct kafka_result *r = &kafka_results(turn)[number];
    struct host_origin origin = kafka_origin(session, turn, number);
    enum weir_error e =
        host_read(session->conn->lane->host, r->topic->name, r->partition, r->offset, r->bytes_max, wait_ns, origin);
    if (e == WEIR_E_FULL)
        turn->left--; /* the client asks again */
    else if (e)
        kafka_not_taken(turn, number, e);
}

static size_t read_ready(struct weir_session *session, struct kafka_turn *turn, size_t count) {
    size_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        if (!has_records(&kafka_results(turn)[i])) continue;
        read_one(session, turn, i, 0);
        ready++;
    }
    return ready;
}

static void fill_result(struct kafka_call *call, const struct kafka_fetch_topic *m,
    const struct kafka_fetch_partition *asked, struct kafka_result *r) {
    if (!kafka_may(call->session, m->name, ROLE_READ)) {
        r->error = KAFKA_TOPIC_AUTHORIZATION_FAILED;
        return;
    }
    const struct log_topic *topic = kafka_topic_find(call->session, m->name);
    if (!topic || asked->index < 0 || (uint32_t)asked->index >= topic->partition_count) {
        r->error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        return;
    }
    r->topic = topic;
    r->partition = (uint32_t)asked->index;
    r->offset = (uint64_t)asked->fetch_offset;
    r->bytes_max = asked->bytes_max > 0 && (uint32_t)asked->bytes_max < KAFKA_FETCH_BYTES ? (uint32_t)asked->bytes_max
                                                                                          : KAFKA_FETCH_BYTES;
    const struct log_partition *p = partition_of(r);
    uint64_t start = atomic_load_explicit(&p->start, memory_order_acquire);
    if (asked->fetch_offset < 0 || r->offset < start || r->offset > log_partition_end(p))
        r->error = KAFKA_OFFSET_OUT_OF_RANGE;
}

static enum weir_error fetch_begin(struct kafka_call *call) {
    struct kafka_fetch_request request = {.bytes_max = INT32_MAX};
    kafka_fetch_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    size_t count = count_of(&request), number = 0, failed = 0;
    struct kafka_result *results = kafka_results_new(call, count);
    if (!results) return WEIR_E_AGAIN;
    for (uint32_t t = 0; t < request.topic_count; t++)
        for (uint32_t p = 0; p < request.topics[t].partition_count; p++, number++) {
            fill_result(call, &request.topics[t], &request.topics[t].partitions[p], &results[number]);
            failed += results[number].error != KAFKA_NONE;
        }
    bool is_session = request.session_id != 0; /* none was given out */
    if (is_session || read_ready(call->session, call->turn, count) > 0) return WEIR_OK;
    if (failed || count == 0 || request.wait_ms_max <= 0) return WEIR_OK;
    uint64_t wait_ns = (uint64_t)request.wait_ms_max * SYS_NANOS_PER_MS;
    call->turn->waits = true;
    call->turn->until_ns = call->lane->now_ns + wait_ns;
    for (size_t i = 0; i < count; i++)
        read_one(call->session, call->turn, i, wait_ns);
    uint64_t wake = call->session->conn->wake_at_ns;
    if (call->turn->until_ns < wake) weir_session_wake_at(call->session, call->turn->until_ns);
    return WEIR_OK;
}

/* Records go to the turn's data, as long as they fit in one answer. */
static void take_records(
    struct weir_session *session, struct kafka_turn *turn, uint32_t number, const struct host_delivery *d) {
    struct kafka_result *r = &kafka_results(turn)[number];
    struct weir_slice records = d->value;
    if (d->error) r->error = kafka_error_of(d->error);
    bool fits = turn->data.size == 0 || turn->data.size + records.size <= KAFKA_FETCH_BYTES;
    if (!d->error && records.size && fits) {
        uint32_t at = turn->data.size;
        if (!buffer_add(&session->conn->lane->buffers, &turn->data, records, KAFKA_RESPONSE_MAX)) return;
        r->at = at;
        r->size = (uint32_t)records.size;
    }
    if (!turn->waits || (r->size == 0 && !r->error)) return;
    turn->waits = false;
    kafka_forget_rest(turn);
    for (size_t i = 0; kafka_results(turn)[i].topic; i++) /* behind the last one all is zero */
        if (has_records(&kafka_results(turn)[i])) read_one(session, turn, i, 0);
}

static void fill_fetched(const struct kafka_turn *turn, const struct kafka_fetch_topic *asked,
    const struct kafka_result *results, struct kafka_fetched_topic *m) {
    m->name = asked->name;
    m->partition_count = asked->partition_count;
    for (uint32_t p = 0; p < asked->partition_count; p++) {
        const struct kafka_result *r = &results[p];
        const struct log_partition *partition = partition_of(r);
        int64_t high =
            partition ? (int64_t)log_partition_end(partition) : -1; /* nobody at high_of() takes it for the end */
        int64_t start = partition ? (int64_t)atomic_load_explicit(&partition->start, memory_order_acquire) : -1;
        m->partitions[p] = (struct kafka_fetched_partition){.index = asked->partitions[p].index,
            .error = r->error,
            .high_watermark = high,
            .last_stable_offset = high,
            .log_start_offset = start,
            .preferred_read_replica = -1,
            .records = r->size ? weir_slice(turn->data.data + r->at, r->size) : weir_slice("", 0)};
    }
}

static enum weir_error fetch_finish(struct kafka_call *call) {
    struct kafka_fetch_request request = {0};
    kafka_fetch_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    size_t count = count_of(&request), size = 128 + buffer_count(&call->turn->data);
    struct kafka_fetch_response m = {.topic_count = request.topic_count};
    struct kafka_fetched_partition *partitions = arena_alloc(&call->lane->arena, (count + 1) * sizeof *partitions);
    m.topics = arena_alloc(&call->lane->arena, (request.topic_count + 1) * sizeof *m.topics);
    if (!partitions || !m.topics) return weir_error_context(WEIR_E_NO_MEMORY, "too many partitions in one request");
    const struct kafka_result *results = kafka_results(call->turn);
    for (uint32_t t = 0; t < request.topic_count; t++) {
        m.topics[t] = (struct kafka_fetched_topic){.partitions = partitions};
        fill_fetched(call->turn, &request.topics[t], results, &m.topics[t]);
        partitions += request.topics[t].partition_count;
        results += request.topics[t].partition_count;
        size += 32 + request.topics[t].name.size + (size_t)64 * request.topics[t].partition_count;
    }
    if (request.session_id != 0) {
        m.error = KAFKA_FETCH_SESSION_ID_NOT_FOUND;
        m.topic_count = 0;
    }
    struct kafka_coder out;
    enum weir_error e = kafka_answer_begin(call, size, &out);
    if (e) return e;
    kafka_fetch_response(&out, &m);
    return kafka_answer_end(call, &out);
}

const struct kafka_handler kafka_fetch_handlers[] = {
    {KAFKA_FETCH, fetch_begin, fetch_finish, take_records},
    {-1, NULL, NULL, NULL},
};
