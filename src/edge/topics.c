/* Topics over HTTP, and the WebSocket tail. */
#include "edge/topics.h"

#include "base/units.h"
#include "edge/batch_build.h"
#include "edge/desk.h"

#include <stdio.h>

#define BATCH_BYTES_MAX (1u << 20)
enum { ARG_TOPIC, ARG_PARTITION, ARG_OFFSET, ARG_LIMIT };

/* ---- listing ---- */

static const char *kind_of(const struct log_topic *topic) {
    if (host_topic_is_nodes(weir_slice_text(topic->name))) return "node";
    if (!topic->config.internal) return "plain";
    return topic->config.derived ? "output" : "input";
}

static uint64_t load(const _Atomic uint64_t *value) {
    return atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)value, memory_order_relaxed);
}

static void put_topic(struct json_writer *w, const struct log_topic *topic) {
    json_write_object_open(w);
    json_put_text(w, "name", topic->name);
    json_put_u64(w, "partitions", topic->partition_count);
    json_put_text(w, "kind", kind_of(topic));
    json_put_text(w, "durability", log_durability_name(topic->config.durability));
    json_put_text(w, "compression", log_compression_name(topic->config.compression));
    json_put_u64(w, "retentionBytes", log_topic_setting(&topic->config.retention_bytes));
    json_put_u64(w, "retentionMs", log_topic_setting(&topic->config.retention_ms));
    json_put_u64(w, "segmentBytes", log_topic_setting(&topic->config.segment_bytes));
    json_write_key(w, "offsets");
    json_write_array_open(w);
    for (uint32_t i = 0; i < topic->partition_count; i++) {
        const struct log_partition *p = topic->partitions[i];
        json_write_object_open(w);
        json_put_u64(w, "partition", i);
        json_put_u64(w, "start", load(&p->start));
        json_put_u64(w, "high", load(&p->high));
        json_put_u64(w, "checkpointed", load(&p->checkpointed));
        if (topic->config.durability != LOG_DURABLE && !topic->config.derived) json_put_u64(w, "resumed", p->resumed);
        json_put_u64(w, "bytes", load(&p->bytes));
        json_write_object_close(w);
    }
    json_write_array_close(w);
    json_write_object_close(w);
}

void topics_list(struct http_call *call) {
    struct log *log = host_log(call->lane->edge->host);
    struct http_json json;
    http_json_begin(call->lane, &json);
    json_write_object_open(&json.w);
    json_write_key(&json.w, "topics");
    json_write_array_open(&json.w);
    for (uint32_t i = 0; i < log_topic_count(log); i++) {
        const struct log_topic *topic = log_topic_at(log, i);
        if (topic && auth_may_see_topic(call, topic->name)) put_topic(&json.w, topic);
    }
    json_write_array_close(&json.w);
    json_write_object_close(&json.w);
    http_json_answer(call->conn, call->turn, &json, 200);
}

/* The topic of the path, or a 404 with the nearest name. */
static struct log_topic *find_topic(struct http_call *call) {
    struct log *log = host_log(call->lane->edge->host);
    char name[LOG_TOPIC_NAME_MAX + 1], shown[100], detail[300];
    struct weir_slice wanted = call->params[0];
    if (wanted.size <= LOG_TOPIC_NAME_MAX) {
        struct text_builder t = TEXT_BUILDER(name);
        text_add_slice(&t, wanted);
        struct log_topic *topic = log_topic_find(log, name);
        if (topic) return topic;
    }
    const char *names[512];
    uint32_t count = 0;
    for (uint32_t i = 0; i < log_topic_count(log) && count < WEIR_ARRAY_COUNT(names); i++) {
        const struct log_topic *topic = log_topic_at(log, i);
        if (topic) names[count++] = topic->name;
    }
    int nearest = text_nearest(wanted, names, count);
    struct text_builder s = TEXT_BUILDER(shown), d = TEXT_BUILDER(detail);
    text_add_quoted(&s, wanted, 64);
    text_printf(&d, "there is no topic %s", shown);
    if (nearest >= 0) text_printf(&d, "; did you mean %s?", names[nearest]);
    http_fail(call->conn, call->turn, WEIR_E_NOT_FOUND, detail);
    return NULL;
}

void topics_get(struct http_call *call) {
    const struct log_topic *topic = find_topic(call);
    if (!topic) return;
    struct http_json json;
    http_json_begin(call->lane, &json);
    put_topic(&json.w, topic);
    http_json_answer(call->conn, call->turn, &json, 200);
}

/* ---- creating and deleting, on the background agent ---- */

struct topic_work {
    char name[LOG_TOPIC_NAME_MAX + 1];
    uint32_t partitions;
    struct log_topic_config config;
};

static enum weir_error create_work(struct host *host, void *arg, char *text, size_t text_size) {
    const struct topic_work *work = arg;
    enum weir_error e = host_topic_create(host, work->name, work->partitions, &work->config);
    if (!e) snprintf(text, text_size, "{\"name\":\"%s\",\"partitions\":%u}", work->name, work->partitions);
    return e;
}

static enum weir_error delete_work(struct host *host, void *arg, char *text, size_t text_size) {
    const struct topic_work *work = arg;
    enum weir_error e = host_topic_delete(host, work->name);
    if (!e) snprintf(text, text_size, "{\"name\":\"%s\",\"deleted\":true}", work->name);
    return e;
}

static void work_done(struct conn *conn, struct http_turn *turn, const struct host_delivery *d) {
    if (d->error) {
        http_fail(conn, turn, d->error, d->text && *d->text ? d->text : weir_error_sentence(d->error));
        return;
    }
    struct weir_slice body = d->value.size ? d->value : weir_slice_text(d->text && *d->text ? d->text : "{}");
    http_answer(conn, turn, &(struct http_answer){.status = (int)turn->args[0], .body = body});
}

static void start_work(
    struct http_call *call, const char *action, host_work_fn fn, const struct topic_work *work, int status) {
    call->turn->args[0] = (uint64_t)status;
    desk_begin(call, &(struct desk_order){.action = action,
                         .target = weir_slice_text(work->name),
                         .fn = fn,
                         .arg = work,
                         .arg_size = sizeof *work,
                         .deliver = work_done});
}

static enum weir_error read_topic_member(struct json_reader *r, struct topic_work *work) {
    const struct {
        const char *name;
        uint64_t *number;
    } rows[] = {{"retentionBytes", &work->config.retention_bytes}, {"retentionMs", &work->config.retention_ms},
        {"segmentBytes", &work->config.segment_bytes}};
    if (json_text_is(r, "name")) {
        if (json_next(r) != JSON_STRING || r->escaped || r->text.size == 0 || r->text.size > LOG_TOPIC_NAME_MAX)
            return weir_error_context(
                WEIR_E_INVALID, "name is a text of 1 to %d letters, digits, '.', '_' or '-'", LOG_TOPIC_NAME_MAX);
        struct text_builder t = TEXT_BUILDER(work->name);
        text_add_slice(&t, r->text);
        return WEIR_OK;
    }
    if (json_text_is(r, "durability")) {
        if (json_next(r) == JSON_STRING && !r->escaped && log_durability_parse(r->text, &work->config.durability))
            return WEIR_OK;
        return weir_error_context(WEIR_E_INVALID, "durability is \"durable\", \"lazy\" or \"memory\"");
    }
    if (json_text_is(r, "compression")) {
        if (json_next(r) == JSON_STRING && !r->escaped && log_compression_parse(r->text, &work->config.compression))
            return WEIR_OK;
        return weir_error_context(WEIR_E_INVALID, "compression is \"producer\", \"none\", \"lz4\" or \"zstd\"");
    }
    if (json_text_is(r, "partitions")) {
        uint64_t count;
        if ((void)json_next(r), !json_get_u64(r, &count) || count == 0 || count > UINT32_MAX)
            return weir_error_context(WEIR_E_INVALID, "partitions is a whole number from 1");
        work->partitions = (uint32_t)count;
        return WEIR_OK;
    }
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows); i++)
        if (json_text_is(r, rows[i].name)) {
            (void)json_next(r);
            return json_get_u64(r, rows[i].number)
                       ? WEIR_OK
                       : weir_error_context(WEIR_E_INVALID, "%s is a whole number", rows[i].name);
        }
    return weir_error_context(WEIR_E_INVALID,
        "unknown member; a topic has name, partitions, durability, compression, retentionBytes, retentionMs, "
        "segmentBytes");
}

void topics_create(struct http_call *call) {
    struct topic_work work = {.partitions = 1};
    struct json_reader r = json_reader(call->request->body, 4);
    enum weir_error e = WEIR_OK;
    if (json_next(&r) != JSON_OBJECT_OPEN)
        e = weir_error_context(WEIR_E_INVALID, "expected {\"name\": \"...\", \"partitions\": N}");
    while (!e && json_next(&r) == JSON_KEY)
        e = read_topic_member(&r, &work);
    if (!e && (r.token != JSON_OBJECT_CLOSE || json_next(&r) != JSON_END))
        e = weir_error_context(WEIR_E_INVALID, "not valid JSON at byte %zu: %s", r.offset, r.error ? r.error : "");
    if (!e && !work.name[0]) e = weir_error_context(WEIR_E_INVALID, "the topic needs a name");
    if (e)
        http_fail(call->conn, call->turn, e, NULL);
    else if (auth_allow_topic(call, weir_slice_text(work.name), ROLE_ADMIN))
        start_work(call, "topic.create", create_work, &work, 201);
}

void topics_delete(struct http_call *call) {
    const struct log_topic *topic = find_topic(call);
    struct topic_work work = {0};
    if (!topic) return;
    if (topic->config.internal || host_topic_is_nodes(weir_slice_text(topic->name))) {
        http_fail(call->conn, call->turn, WEIR_E_FORBIDDEN,
            "this topic belongs to a service or to the node; it cannot be deleted");
        return;
    }
    memcpy(work.name, topic->name, sizeof work.name);
    start_work(call, "topic.delete", delete_work, &work, 200);
}

/* ---- appending ---- */

static bool has_partition(struct http_call *call, const struct log_topic *topic, uint64_t partition) {
    if (partition < topic->partition_count) return true;
    char detail[160];
    struct text_builder d = TEXT_BUILDER(detail);
    text_printf(&d, "%s has the partitions 0 to %u; there is no partition %llu", topic->name,
        topic->partition_count - 1, (unsigned long long)partition);
    http_fail(call->conn, call->turn, WEIR_E_NOT_FOUND, detail);
    return false;
}

static void appended(struct conn *conn, struct http_turn *turn, const struct host_delivery *d) {
    if (d->error) {
        http_fail(conn, turn, d->error, d->text && *d->text ? d->text : weir_error_sentence(d->error));
        return;
    }
    struct http_json json;
    http_json_begin(conn->lane, &json);
    json_write_object_open(&json.w);
    json_put_u64(&json.w, "partition", turn->args[ARG_PARTITION]);
    json_put_u64(&json.w, "offset", d->offset);
    json_put_u64(&json.w, "count", turn->args[ARG_LIMIT]);
    json_put_bool(&json.w, "repeated", d->repeated);
    json_write_object_close(&json.w);
    http_json_answer(conn, turn, &json, 200);
}

static bool read_producer(struct http_call *call, struct batch_producer *producer) {
    struct weir_slice unused;
    int given = http_query(call, "producerId", &unused) + http_query(call, "producerEpoch", &unused) +
                http_query(call, "sequence", &unused);
    producer->given = given == 3;
    if (given % 3) {
        http_fail(call->conn, call->turn, WEIR_E_INVALID,
            "an idempotent append names all three: producerId, producerEpoch and sequence");
        return false;
    }
    if (weir_http_request_header(call->request, weir_slice_text("Idempotency-Key"), &unused)) {
        http_fail(call->conn, call->turn, WEIR_E_INVALID,
            "appending to a topic is made idempotent by producerId, producerEpoch and sequence, not by "
            "Idempotency-Key");
        return false;
    }
    return http_query_u64(call, "producerId", 0, &producer->id) &&
           http_query_u64(call, "producerEpoch", 0, &producer->epoch) &&
           http_query_u64(call, "sequence", 0, &producer->sequence);
}

/* Whether the body is a RecordBatch and not JSON. */
static bool is_batch(struct http_call *call) {
    struct weir_slice type;
    return weir_http_request_header(call->request, weir_slice_text("Content-Type"), &type) &&
           text_equal_nocase(text_trim(type), weir_slice_text(TOPICS_BATCH_TYPE));
}

/* The body as one batch to be appended. */
static enum weir_error take_body(struct http_call *call, const struct log_topic *topic,
    const struct batch_producer *producer, struct batch_built *ret_built) {
    struct edge_lane *lane = call->lane;
    weir_error_clear();
    if (!is_batch(call)) {
        uint64_t now_ms = lane->sys->wall_ns(lane->sys) / SYS_NANOS_PER_MS;
        return batch_build(&lane->arena, call->request->body, now_ms, BATCH_BYTES_MAX, producer, ret_built);
    }
    if (producer->given)
        return weir_error_context(WEIR_E_INVALID, "a record batch carries its producer, epoch and sequence itself");
    return batch_sent(&lane->checker, call->request->body, BATCH_BYTES_MAX,
        topic->config.compression == LOG_COMPRESSION_NONE, ret_built);
}

void topics_append(struct http_call *call) {
    struct log_topic *topic = find_topic(call);
    struct batch_producer producer = {0};
    struct batch_built built;
    uint64_t partition;
    if (!topic || !read_producer(call, &producer) || !http_query_u64(call, "partition", UINT64_MAX, &partition)) return;
    if (topic->config.internal) {
        http_fail(
            call->conn, call->turn, WEIR_E_FORBIDDEN, "this topic belongs to a service; use the service's own API");
        return;
    }
    enum weir_error e = take_body(call, topic, &producer, &built);
    if (e) {
        http_fail(call->conn, call->turn, e, NULL);
        return;
    }
    if (partition == UINT64_MAX) {
        partition = topic->partition_count == 1 ? 0 : UINT64_MAX;
        if (built.count == 1 && built.first_key.data)
            partition = weir_partition_of(built.first_key, topic->partition_count);
    }
    if (partition == UINT64_MAX) {
        http_fail(call->conn, call->turn, WEIR_E_INVALID,
            "this topic has several partitions: name one with ?partition=N, or send one record with a key");
        return;
    }
    if (!has_partition(call, topic, partition)) return;
    call->turn->args[ARG_PARTITION] = partition;
    call->turn->args[ARG_LIMIT] = built.count;
    const struct trace_request *trace = call->turn->trace;
    e = host_append(call->lane->host, topic->name, (uint32_t)partition, built.batch, http_wait(call, appended),
        trace ? &trace->link : NULL);
    if (e) http_fail(call->conn, call->turn, e, NULL);
}

/* ---- reading ---- */

static void answer_records(struct conn *conn, struct http_turn *turn, struct weir_slice batches) {
    struct edge_lane *lane = conn->lane;
    const struct log_topic *topic = (const struct log_topic *)(uintptr_t)turn->args[ARG_TOPIC];
    const struct log_partition *p = topic->partitions[turn->args[ARG_PARTITION]];
    struct topic_printer printer = topic_printer(lane->edge, topic->name, &lane->arena);
    uint64_t next = turn->args[ARG_OFFSET];
    if (batches.size == 0 && next < p->resumed) next = p->resumed; /* the records in between were lost in a crash */
    /* Written as JSON a byte takes at most 6, and a record's own members less than 256. */
    uint64_t records_max = batches.size / 7 < turn->args[ARG_LIMIT] ? batches.size / 7 : turn->args[ARG_LIMIT];
    size_t size = batches.size * 8 + records_max * 256 + 4096;
    char *room = arena_alloc(&lane->arena, size);
    if (!room) {
        http_fail(conn, turn, WEIR_E_NO_MEMORY, "no memory for the records");
        return;
    }
    struct http_json json = {.text = text_builder(room, size)};
    json.w = json_writer(&json.text, 0);
    struct json_writer *w = &json.w;
    json_write_object_open(w);
    json_put_text(w, "topic", topic->name);
    json_put_u64(w, "partition", turn->args[ARG_PARTITION]);
    json_write_key(w, "records");
    json_write_array_open(w);
    enum weir_error e = topic_print_batches(&printer, batches, turn->args[ARG_OFFSET], turn->args[ARG_LIMIT], w, &next);
    json_write_array_close(w);
    json_put_u64(w, "next", next);
    json_put_u64(w, "start", load(&p->start));
    json_put_u64(w, "high", log_partition_end(p));
    json_write_object_close(w);
    if (e)
        http_fail(conn, turn, e, NULL);
    else
        http_json_answer(conn, turn, &json, 200);
}

static void records_read(struct conn *conn, struct http_turn *turn, const struct host_delivery *d) {
    if (d->error)
        http_fail(conn, turn, d->error, d->text && *d->text ? d->text : weir_error_sentence(d->error));
    else
        answer_records(conn, turn, d->value);
}

static bool read_wait(struct http_call *call, uint64_t *ret_ns) {
    struct weir_slice text;
    *ret_ns = 0;
    if (!http_query(call, "wait", &text)) return true;
    enum weir_error e = parse_duration(text, ret_ns);
    if (e) {
        http_fail(call->conn, call->turn, WEIR_E_INVALID, NULL);
        return false;
    }
    if (*ret_ns > TOPICS_WAIT_NS_MAX) *ret_ns = TOPICS_WAIT_NS_MAX;
    return true;
}

void topics_read(struct http_call *call) {
    struct log_topic *topic = find_topic(call);
    struct weir_slice text;
    uint64_t partition, offset = 0, limit, wait;
    if (!topic || !http_query_u64(call, "partition", 0, &partition) || !has_partition(call, topic, partition) ||
        !http_query_u64(call, "limit", TOPICS_LIMIT_INITIAL, &limit) || !read_wait(call, &wait))
        return;
    const struct log_partition *p = topic->partitions[partition];
    if (http_query(call, "offset", &text) && weir_slice_equal(text, weir_slice_text("-1")))
        offset = log_partition_end(p);
    else if (!http_query_u64(call, "offset", load(&p->start), &offset))
        return;
    if (limit > TOPICS_LIMIT_MAX) limit = TOPICS_LIMIT_MAX;
    call->turn->args[ARG_TOPIC] = (uintptr_t)topic;
    call->turn->args[ARG_PARTITION] = partition;
    call->turn->args[ARG_OFFSET] = offset;
    call->turn->args[ARG_LIMIT] = limit;
    if (offset == log_partition_end(p) && wait == 0) {
        answer_records(call->conn, call->turn, weir_slice(NULL, 0));
        return;
    }
    enum weir_error e = host_read(call->lane->host, topic->name, (uint32_t)partition, offset, TOPICS_READ_BYTES, wait,
        http_wait(call, records_read));
    if (e) http_fail(call->conn, call->turn, e, NULL);
}

/* ---- the tail: a built-in protocol on a WebSocket ---- */

static void tail_bytes(struct weir_session *session, struct weir_slice bytes, bool text, size_t *ret_consumed) {
    (void)session, (void)text;
    *ret_consumed = bytes.size; /* a tail is not talked to */
}

static void tail_record(struct weir_session *session, uint32_t subscription, const struct weir_record *record) {
    struct edge_lane *lane = session->conn->lane;
    const struct log_topic *topic = (const struct log_topic *)(uintptr_t)session->args[ARG_TOPIC];
    struct arena_mark mark = arena_save(&lane->arena);
    struct topic_printer printer = topic_printer(lane->edge, topic->name, &lane->arena);
    struct http_json json;
    char *room = arena_alloc(&lane->arena, record->value.size * 8 + record->key.size * 8 + 1024);
    if (room) {
        json.text = text_builder(room, record->value.size * 8 + record->key.size * 8 + 1024);
        json.w = json_writer(&json.text, 0);
        json_write_object_open(&json.w);
        json_put_u64(&json.w, "partition", subscription);
        json_write_key(&json.w, "record");
        topic_print_record(&printer, record, &json.w);
        json_write_object_close(&json.w);
        if (json_writer_finished(&json.w)) (void)weir_session_send(session, text_slice(&json.text), true);
    }
    arena_restore(&lane->arena, mark);
}

static void tail_live(struct weir_session *session, uint32_t subscription, enum weir_error error) {
    char text[160];
    struct text_builder t = TEXT_BUILDER(text);
    if (error) {
        weir_session_close(session, weir_error_sentence(error));
        return;
    }
    text_printf(&t, "{\"partition\":%u,\"live\":true}", subscription);
    (void)weir_session_send(session, text_slice(&t), true);
}

const struct weir_protocol topics_tail = {
    .name = "topic tail",
    .receive_bytes_max = 4096,
    .send_bytes_max = 16u << 20,
    .on_bytes = tail_bytes,
    .on_record = tail_record,
    .on_live = tail_live,
};

static bool parse_number(const struct http_call *call, const char *name, uint64_t initial, uint64_t *ret_value) {
    struct weir_slice text;
    *ret_value = initial;
    return !http_query(call, name, &text) || parse_u64(text, ret_value) == WEIR_OK;
}

void topics_tail_open(struct conn *conn, const struct weir_protocol *protocol, const struct http_call *call) {
    char name[LOG_TOPIC_NAME_MAX + 1];
    struct text_builder t = TEXT_BUILDER(name);
    uint64_t partition, from;
    text_add_slice(&t, call->params[0]);
    gateway_open(conn, protocol, EDGE_NO_SERVICE, true);
    struct log_topic *topic = t.truncated ? NULL : log_topic_find(host_log(conn->lane->edge->host), name);
    bool good = topic && parse_number(call, "partition", UINT64_MAX, &partition) &&
                parse_number(call, "from", WEIR_FROM_NOW, &from) &&
                (partition == UINT64_MAX || partition < topic->partition_count);
    if (!good) {
        ws_session_close(conn, WEIR_WS_CODE_POLICY, topic ? "bad partition or from" : "there is no such topic");
        return;
    }
    conn->session.args[ARG_TOPIC] = (uintptr_t)topic;
    for (uint32_t i = 0; i < topic->partition_count; i++) {
        if (partition != UINT64_MAX && partition != i) continue;
        struct host_subscription subscription = {
            .topic = topic->name, .partition = i, .key = WEIR_KEY_ANY, .from = from, .origin = conn_origin(conn, 0)};
        subscription.origin.subscription = i;
        enum weir_error e = host_subscribe(conn->lane->host, &subscription);
        if (e) {
            ws_session_close(conn, WEIR_WS_CODE_TRY_LATER, weir_error_sentence(e));
            return;
        }
    }
}
