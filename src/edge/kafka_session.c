/* Frames in, turns, frames out. See kafka.h. */
#include "edge/kafka_sasl.h"

#include "base/bytes.h"

struct kafka_session *kafka_session_of(struct weir_session *session) {
    return weir_session_state(session);
}

int16_t kafka_error_of(enum weir_error error) {
    static const struct {
        enum weir_error error;
        int16_t code;
    } rows[] = {
        {WEIR_OK, KAFKA_NONE},
        {WEIR_E_DUPLICATE, KAFKA_NONE},
        {WEIR_E_NOT_FOUND, KAFKA_UNKNOWN_TOPIC_OR_PARTITION},
        {WEIR_E_EXISTS, KAFKA_TOPIC_ALREADY_EXISTS},
        {WEIR_E_OUT_OF_RANGE, KAFKA_OFFSET_OUT_OF_RANGE},
        {WEIR_E_TOO_LARGE, KAFKA_MESSAGE_TOO_LARGE},
        {WEIR_E_INVALID, KAFKA_INVALID_RECORD},
        {WEIR_E_CORRUPT, KAFKA_STORAGE_ERROR},
        {WEIR_E_IO, KAFKA_STORAGE_ERROR},
        {WEIR_E_NO_SPACE, KAFKA_STORAGE_ERROR},
        {WEIR_E_OUT_OF_SEQUENCE, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER},
        {WEIR_E_FENCED, KAFKA_INVALID_PRODUCER_EPOCH},
        {WEIR_E_FORBIDDEN, KAFKA_TOPIC_AUTHORIZATION_FAILED},
        {WEIR_E_UNSUPPORTED, KAFKA_UNSUPPORTED_COMPRESSION_TYPE},
        {WEIR_E_CONFIG, KAFKA_INVALID_CONFIG},
        /* retried by every client */
        {WEIR_E_FULL, KAFKA_REQUEST_TIMED_OUT},
        {WEIR_E_AGAIN, KAFKA_REQUEST_TIMED_OUT},
        {WEIR_E_CLOSED, KAFKA_LEADER_NOT_AVAILABLE},
    };
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows); i++)
        if (rows[i].error == error) return rows[i].code;
    return KAFKA_UNKNOWN_SERVER_ERROR;
}

bool kafka_topic_name(struct weir_slice name, char buf[LOG_TOPIC_NAME_MAX + 1]) {
    if (name.size == 0 || name.size > LOG_TOPIC_NAME_MAX) return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                    c == '_' || c == '-';
        if (!good) return false;
    }
    memcpy(buf, name.data, name.size);
    buf[name.size] = 0;
    return strcmp(buf, ".") != 0 && strcmp(buf, "..") != 0;
}

struct log_topic *kafka_topic_find(struct weir_session *session, struct weir_slice name) {
    char text[LOG_TOPIC_NAME_MAX + 1];
    return kafka_topic_name(name, text) ? log_topic_find(host_log(session->conn->lane->edge->host), text) : NULL;
}

enum weir_error kafka_malformed(const struct kafka_call *call) {
    const struct kafka_api_row *row = kafka_api_find(call->turn->header.api);
    return weir_error_context(WEIR_E_INVALID, "the body of a Kafka %s request, version %d, is malformed", row->name,
        call->turn->header.version);
}

static const struct kafka_handler *find_handler(int16_t api) {
    const struct kafka_handler *const tables[] = {kafka_topic_handlers, kafka_record_handlers, kafka_fetch_handlers,
        kafka_config_handlers, kafka_group_handlers, kafka_sasl_handlers};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(tables); i++)
        for (const struct kafka_handler *h = tables[i]; h->api >= 0; h++)
            if (h->api == api) return h;
    return &kafka_service_handler;
}

bool kafka_is_served(const struct edge *edge, int16_t api) {
    if (api == KAFKA_FIND_COORDINATOR) return kafka_service_has(edge, KAFKA_JOIN_GROUP);
    return find_handler(api) != &kafka_service_handler || kafka_service_has(edge, api);
}

/* ---- turns ---- */
static struct kafka_turn *turn_take(struct weir_session *session, const struct kafka_request_header *header) {
    struct kafka_session *k = kafka_session_of(session);
    struct kafka_turn *turn = &k->turns[(k->first + k->count++) % KAFKA_TURNS];
    turn->header = *header;
    turn->header.client_id = (struct weir_slice){0};
    turn->under_way = true;
    return turn;
}

static void turn_give(struct weir_session *session, struct kafka_turn *turn) {
    struct buffers *buffers = &session->conn->lane->buffers;
    buffer_release(buffers, &turn->kept);
    buffer_release(buffers, &turn->results);
    buffer_release(buffers, &turn->data);
    buffer_release(buffers, &turn->frame);
    *turn = (struct kafka_turn){.generation = (uint16_t)(turn->generation + 1)};
}

static void send_done(struct weir_session *session) {
    struct kafka_session *k = kafka_session_of(session);
    while (k->count > 0) {
        struct kafka_turn *turn = &k->turns[k->first];
        if (turn->left > 0) return;
        if (!turn->silent && gateway_send_buffer(session, &turn->frame)) return; /* it is closed */
        turn_give(session, turn);
        k->first = (k->first + 1) % KAFKA_TURNS;
        k->count--;
    }
}

struct kafka_result *kafka_results(const struct kafka_turn *turn) {
    return (struct kafka_result *)(void *)turn->results.data;
}

struct kafka_result *kafka_results_new(struct kafka_call *call, size_t count) {
    size_t size = (count + 1) * sizeof(struct kafka_result);
    if (!buffer_reserve(&call->lane->buffers, &call->turn->results, size, KAFKA_RESPONSE_MAX)) return NULL;
    memset(call->turn->results.data, 0, size);
    return kafka_results(call->turn);
}

struct host_origin kafka_origin(struct weir_session *session, struct kafka_turn *turn, size_t number) {
    uint64_t slot = (uint64_t)(turn - kafka_session_of(session)->turns);
    turn->left++;
    return conn_origin(session->conn, slot << 48 | (uint64_t)turn->generation << 32 | (uint32_t)number);
}

void kafka_not_taken(struct kafka_turn *turn, size_t number, enum weir_error error) {
    turn->left--;
    kafka_results(turn)[number].error = kafka_error_of(error);
}

void kafka_forget_rest(struct kafka_turn *turn) {
    turn->left = 0;
    turn->generation++;
}

enum weir_error kafka_answer_begin(const struct kafka_call *call, size_t size, struct kafka_coder *ret_coder) {
    struct buffer *frame = &call->turn->frame;
    if (!buffer_reserve(&call->lane->buffers, frame, size, KAFKA_RESPONSE_MAX))
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory for an answer of %zu bytes", size);
    *ret_coder = kafka_response_begin(&call->turn->header, frame->data, buffer_room(frame));
    return WEIR_OK;
}

enum weir_error kafka_answer_end(const struct kafka_call *call, struct kafka_coder *coder) {
    struct weir_slice frame;
    if (!kafka_response_end(coder, &frame))
        return weir_error_context(WEIR_E_NO_MEMORY, "an answer takes more than %zu bytes", coder->out_size);
    call->turn->frame.size = (uint32_t)frame.size;
    return WEIR_OK;
}

/* ---- in ---- */

/* An api or version that is not served. ApiVersions is answered in the form of its version 0 with what is served
 * (KIP-511); any other cannot be answered in a form that the client would understand. */
static enum weir_error refuse_version(struct weir_session *session, struct kafka_request_header *header) {
    if (header->api != KAFKA_API_VERSIONS) return WEIR_E_UNSUPPORTED;
    struct kafka_api_versions_row range = {KAFKA_API_VERSIONS, 0, kafka_api_find(KAFKA_API_VERSIONS)->version_max};
    struct kafka_api_versions_response m = {.error = KAFKA_UNSUPPORTED_VERSION, .row_count = 1, .rows = &range};
    struct kafka_coder out;
    header->version = 0;
    struct kafka_call call = {.session = session, .lane = session->conn->lane, .turn = turn_take(session, header)};
    enum weir_error e = kafka_answer_begin(&call, 64, &out);
    if (e) return e;
    kafka_api_versions_response(&out, &m);
    return kafka_answer_end(&call, &out);
}

/* The body is needed again when the results are there. */
static enum weir_error keep(struct kafka_call *call, const struct kafka_coder *body) {
    struct weir_slice bytes = weir_slice(body->at, (size_t)(body->end - body->at));
    if (buffer_count(&call->turn->kept)) return WEIR_OK; /* begin has done it its own way */
    if (buffer_add(&call->lane->buffers, &call->turn->kept, bytes, KAFKA_REQUEST_MAX)) return WEIR_OK;
    return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a request that waits");
}

/* What a service is asked is refused here: the service knows no tokens. */
static const struct kafka_handler *handler_for(struct weir_session *session, int16_t api) {
    const struct kafka_handler *handler = find_handler(api);
    if (handler != &kafka_service_handler) return handler;
    uint32_t service = kafka_service_of(session->conn->lane->edge, api);
    return kafka_may_ask(session, service, api) ? handler : &kafka_denied_handler;
}

static enum weir_error take_request(struct weir_session *session, struct weir_slice frame) {
    struct kafka_call call = {.session = session, .lane = session->conn->lane};
    struct kafka_request_header header;
    enum weir_error e = kafka_request_begin(frame, &call.lane->arena, &header, &call.in);
    if (e == WEIR_E_UNSUPPORTED) return refuse_version(session, &header);
    if (e) return e;
    if (!kafka_is_served(call.lane->edge, header.api)) return WEIR_E_UNSUPPORTED;
    e = kafka_sasl_admit(session, header.api);
    if (e) return e;
    const struct kafka_handler *handler = handler_for(session, header.api);
    struct kafka_coder body = call.in;
    call.client_id = header.client_id;
    call.turn = turn_take(session, &header);
    if (handler->begin) e = handler->begin(&call);
    if (e == WEIR_E_AGAIN) {
        turn_give(session, call.turn);
        kafka_session_of(session)->count--;
    }
    if (e) return e;
    if (call.turn->left > 0) return keep(&call, &body);
    call.in = body;
    return handler->finish(&call);
}

/* Bytes of the next whole request, its size field included; 0: it is not all there. */
static size_t whole_request(struct weir_session *session, struct weir_slice bytes) {
    if (bytes.size < KAFKA_FRAME_HEADER) return 0;
    size_t size = load_be32(bytes.data);
    size_t most = kafka_sasl_is_done(session) ? KAFKA_REQUEST_MAX : KAFKA_SASL_REQUEST_MAX;
    if (size > most - KAFKA_FRAME_HEADER) {
        weir_session_close(session, "a Kafka request is longer than the limit, or this is no Kafka client");
        return 0;
    }
    return bytes.size >= KAFKA_FRAME_HEADER + size ? KAFKA_FRAME_HEADER + size : 0;
}

static void refuse(struct weir_session *session, enum weir_error e) {
    logline_error(&session->conn->lane->edge->log, LOGLINE_WARN, "kafka_request_refused", e, NULL);
    weir_session_close(session, weir_error_text());
}

static void on_bytes(struct weir_session *session, struct weir_slice bytes, bool text, size_t *ret_consumed) {
    (void)text;
    struct conn *conn = session->conn;
    struct edge_lane *lane = conn->lane;
    size_t at = 0, n;
    while ((n = whole_request(session, weir_slice(bytes.data + at, bytes.size - at))) > 0) {
        bool busy = kafka_session_of(session)->count == KAFKA_TURNS || buffer_count(&conn->out) > EDGE_OUT_PAUSE_BYTES;
        struct arena_mark mark = arena_save(&lane->arena);
        struct weir_slice frame = weir_slice(bytes.data + at + KAFKA_FRAME_HEADER, n - KAFKA_FRAME_HEADER);
        enum weir_error e = busy ? WEIR_E_AGAIN : WEIR_OK;
        if (!e && !kafka_sasl_take_bare(session, frame)) e = take_request(session, frame);
        arena_restore(&lane->arena, mark);
        session->was_full |= e == WEIR_E_AGAIN; /* the same bytes come again */
        if (e == WEIR_E_AGAIN) break;
        at += n;
        kafka_session_of(session)->counted = false;
        if (e) {
            refuse(session, e);
            break;
        }
        send_done(session);
        if (kafka_session_of(session)->sasl_failed) weir_session_close(session, "the login failed");
        if (conn->closing || conn->dead) break;
    }
    *ret_consumed = at;
}

/* ---- results ---- */
void kafka_turn_done(struct weir_session *session, struct kafka_turn *turn) {
    struct edge_lane *lane = session->conn->lane;
    struct arena_mark mark = arena_save(&lane->arena);
    struct weir_slice body = buffer_slice(&turn->kept);
    struct kafka_call call = {.session = session, .lane = lane, .turn = turn};
    call.in = (struct kafka_coder){.version = turn->header.version,
        .flexible = turn->header.version >= kafka_api_find(turn->header.api)->flexible,
        .at = body.data,
        .end = body.data + body.size,
        .arena = &lane->arena};
    enum weir_error e = find_handler(turn->header.api)->finish(&call);
    arena_restore(&lane->arena, mark);
    if (e)
        refuse(session, e);
    else
        send_done(session);
}

static void deliver(struct weir_session *session, const struct host_delivery *d) {
    uint64_t correlation = d->origin.correlation;
    struct kafka_turn *turn = &kafka_session_of(session)->turns[correlation >> 48 & (KAFKA_TURNS - 1)];
    if (!turn->under_way || turn->generation != (uint16_t)(correlation >> 32)) return; /* of a fetch that went on */
    WEIR_ASSERT(turn->left > 0);
    turn->left--;
    const struct kafka_handler *handler = find_handler(turn->header.api);
    struct kafka_result *result = &kafka_results(turn)[(uint32_t)correlation];
    if (handler->take) {
        handler->take(session, turn, (uint32_t)correlation, d);
    } else {
        result->error = kafka_error_of(d->error);
        if (!d->error) result->value = (int64_t)d->offset;
    }
    if (turn->left == 0) kafka_turn_done(session, turn);
}

static void on_time(struct weir_session *session, uint64_t mono_ns) {
    struct kafka_session *k = kafka_session_of(session);
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; i < KAFKA_TURNS; i++) {
        struct kafka_turn *turn = &k->turns[i];
        if (!turn->under_way || !turn->waits) continue;
        if (turn->until_ns <= mono_ns) {
            turn->waits = false;
            kafka_forget_rest(turn);
            kafka_turn_done(session, turn);
        } else if (turn->until_ns < next) {
            next = turn->until_ns;
        }
    }
    if (next != UINT64_MAX) weir_session_wake_at(session, next);
}

static void on_close(struct weir_session *session) {
    struct kafka_session *k = kafka_session_of(session);
    for (uint32_t i = 0; i < KAFKA_TURNS; i++)
        turn_give(session, &k->turns[i]);
    k->count = 0;
}

static enum weir_error open_session(struct weir_session *session) {
    session->deliver = deliver;
    return WEIR_OK;
}

const struct weir_protocol kafka_protocol = {
    .name = "kafka",
    .session_bytes = sizeof(struct kafka_session),
    .receive_bytes_max = KAFKA_REQUEST_MAX,
    .send_bytes_max = 4 * KAFKA_RESPONSE_MAX,
    .open = open_session,
    .on_bytes = on_bytes,
    .on_time = on_time,
    .on_close = on_close,
};
