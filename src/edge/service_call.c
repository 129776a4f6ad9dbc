/* A route of a service: parameters and body become its request message; a command goes into the log, a query to the
 * state; what comes back becomes JSON, or a problem that names the service's reason. */
#include "base/hash.h"
#include "edge/http_session.h"
#include "edge/rows_call.h"
#include "edge/transcode.h"
#include "host/answer.h"

static const struct weir_route *row_of(const struct http_turn *turn) {
    return turn->route->row;
}

/* ---- the request ---- */

static bool is_json(const struct weir_http_request *request) {
    struct weir_slice type;
    if (!weir_http_request_header(request, weir_slice_text("Content-Type"), &type)) return true;
    const uint8_t *end = memchr(type.data, ';', type.size);
    if (end) type.size = (size_t)(end - type.data);
    type = text_trim(type);
    /* curl -d without a header says form; no browser can send JSON that way across sites without asking, so refusing
     * it costs newcomers more than it protects: nothing here trusts a browser's cookies. */
    return text_equal_nocase(type, weir_slice_text("application/json")) ||
           text_equal_nocase(type, weir_slice_text("application/x-www-form-urlencoded"));
}

static enum weir_error add_query(struct http_call *call, ProtobufCMessage *message) {
    struct weir_slice rest = call->request->query, name, value;
    struct weir_http_query_pair pair;
    while (weir_http_query_next(&rest, &pair)) {
        uint8_t *room = arena_alloc(&call->lane->arena, pair.name.size + pair.value.size + 1);
        if (!room) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the query");
        enum weir_error e = weir_http_percent_decode(pair.name, true, room, pair.name.size, &name);
        if (!e) e = weir_http_percent_decode(pair.value, true, room + pair.name.size, pair.value.size, &value);
        if (!e) e = transcode_set(&call->lane->arena, message, name, value, "query parameter");
        if (e) return e;
    }
    return WEIR_OK;
}

static enum weir_error build_message(struct http_call *call, ProtobufCMessage **ret_message) {
    const ProtobufCMessageDescriptor *type = call->route->row->request;
    struct arena *arena = &call->lane->arena;
    *ret_message = NULL;
    if (!type) return WEIR_OK;
    ProtobufCMessage *message = transcode_new(arena, type);
    if (!message) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the request");
    enum weir_error e = WEIR_OK;
    if (call->request->body.size) e = transcode_read(arena, call->request->body, message);
    for (uint32_t i = 0; !e && i < call->param_count; i++)
        e = transcode_set(arena, message, call->route->params[i], call->params[i], "path parameter");
    if (!e) e = add_query(call, message);
    if (!e) *ret_message = message;
    return e;
}

static enum weir_error build_request(struct http_call *call, struct weir_request *request) {
    struct edge *edge = call->lane->edge;
    ProtobufCMessage *message;
    enum weir_error e = build_message(call, &message);
    if (e) return e;
    *request = (struct weir_request){
        .message = message,
        .principal = auth_principal(call->conn, call->token),
        .tenant = auth_tenant(call->lane, call->token),
        .partition_count = host_service_partitions(edge->host, call->route->service),
        .settings = host_service_settings(edge->host, call->route->service),
        .scratch = &call->lane->arena,
    };
    return message ? transcode_pack(&call->lane->arena, message, &request->packed) : WEIR_OK;
}

static uint32_t default_partition(const struct weir_route *row, const struct weir_request *request) {
    if (!row->partition_by || !request->message || request->partition_count <= 1) return 0;
    const ProtobufCMessage *message = request->message;
    const ProtobufCFieldDescriptor *f = transcode_field(message->descriptor, weir_slice_text(row->partition_by));
    struct weir_slice text;
    uint64_t number;
    WEIR_ASSERT(f != NULL); /* edge_open looked */
    if (transcode_text(message, f, &text)) return weir_partition_of(text, request->partition_count);
    if (transcode_number(message, f, &number))
        return weir_partition_of(weir_slice(&number, sizeof number), request->partition_count);
    return 0;
}

/* ---- the answer ---- */

/* Members of a refusal: the service's reason when the response has a field "reason", then the response itself. */
struct refusal {
    const ProtobufCMessage *message;
};

static const struct weir_reason *reason_of(const struct weir_service *service, const ProtobufCMessage *message) {
    const ProtobufCFieldDescriptor *f = transcode_field(message->descriptor, weir_slice_text("reason"));
    uint64_t code;
    struct weir_slice name;
    for (const struct weir_reason *r = service->reasons; f && r && r->name; r++)
        if ((transcode_number(message, f, &code) && code == r->code) ||
            (transcode_text(message, f, &name) && weir_slice_equal(name, weir_slice_text(r->name))))
            return r;
    return NULL;
}

static void refusal_fields(void *ctx, struct json_writer *w) {
    const struct refusal *refusal = ctx;
    json_write_key(w, "response");
    transcode_write(refusal->message, w);
}

static void answer_refusal(
    struct conn *conn, struct http_turn *turn, uint16_t status, const ProtobufCMessage *message) {
    const struct weir_service *service = edge_service(conn->lane->edge, turn->route->service);
    const struct weir_reason *reason = reason_of(service, message);
    struct refusal refusal = {message};
    http_problem(conn, turn,
        &(struct http_problem){.status = status,
            .code = reason ? reason->name : "REFUSED",
            .title = reason ? reason->sentence : NULL,
            .fields = refusal_fields,
            .ctx = &refusal});
}

/* weir_refuse() */
static void answer_reason(struct conn *conn, struct http_turn *turn, uint16_t status, uint16_t code) {
    const struct weir_reason *row = edge_service(conn->lane->edge, turn->route->service)->reasons;
    while (row && row->name && row->code != code)
        row++;
    http_problem(conn, turn,
        &(struct http_problem){.status = status,
            .code = row && row->name ? row->name : "REFUSED",
            .title = row && row->name ? row->sentence : NULL});
}

static void answer_packed(
    struct conn *conn, struct http_turn *turn, uint16_t status, struct weir_slice packed, bool replayed) {
    struct arena *arena = &conn->lane->arena;
    const ProtobufCMessageDescriptor *type = row_of(turn)->response;
    uint16_t reason;
    if (status < 200 || status > 599) status = 200; /* below it is no answer yet, and the client waits on */
    if (status >= 400 && host_refusal(packed, &reason)) {
        answer_reason(conn, turn, status, reason);
        return;
    }
    if (!type) {
        if (status >= 400)
            http_fail_status(conn, turn, WEIR_E_INVALID, status, "the service refused it");
        else
            http_answer(conn, turn, &(struct http_answer){.status = 204, .replayed = replayed});
        return;
    }
    ProtobufCMessage *message;
    enum weir_error e = transcode_unpack(arena, type, packed, &message);
    if (e) {
        logline_error(&conn->lane->edge->log, LOGLINE_ERROR, "answer_not_decoded", e, NULL);
        http_fail_status(conn, turn, e, 500, NULL);
        return;
    }
    if (status >= 400) {
        answer_refusal(conn, turn, status, message);
        return;
    }
    struct http_json json;
    http_json_begin(conn->lane, &json);
    transcode_write(message, &json.w);
    if (!json_writer_finished(&json.w)) {
        http_fail(conn, turn, WEIR_E_NO_MEMORY, "the answer is larger than the lane's memory for one request");
        return;
    }
    http_answer(
        conn, turn, &(struct http_answer){.status = status, .body = text_slice(&json.text), .replayed = replayed});
}

void service_outcome(struct conn *conn, struct http_turn *turn, const struct host_delivery *d) {
    if (d->error) {
        int status = d->status >= 400 ? d->status : weir_error_http(d->error);
        if (status < 400) status = 500;
        http_fail_status(conn, turn, d->error, status, d->text && *d->text ? d->text : weir_error_sentence(d->error));
        return;
    }
    const struct weir_route *row = row_of(turn);
    uint16_t status = d->status ? d->status : 200;
    if (!row->decode) {
        answer_packed(conn, turn, status, d->value, d->repeated);
        return;
    }
    struct weir_answer answer;
    weir_answer_init(&answer, &conn->lane->arena, WEIR_ANSWER_BYTES_MAX);
    answer.status = status;
    weir_error_clear();
    enum weir_error e = row->decode(status, d->value, &answer);
    if (e) {
        http_fail_status(conn, turn, e, status >= 400 ? status : weir_error_http(e), NULL);
        return;
    }
    answer_packed(conn, turn, answer.status, weir_answer_slice(&answer), d->repeated);
}

/* ---- the two ways in ---- */

/* The key covers what the client means by "the same request": method, path, query and body. */
static bool read_key(struct http_call *call, struct host_idempotency *key) {
    struct weir_slice given;
    if (!weir_http_request_header(call->request, weir_slice_text("Idempotency-Key"), &given)) return true;
    bool plain = given.size > 0 && given.size <= 255;
    for (size_t i = 0; plain && i < given.size; i++)
        plain = given.data[i] >= 0x20 && given.data[i] < 0x7f;
    if (!plain) {
        http_fail(
            call->conn, call->turn, WEIR_E_INVALID, "Idempotency-Key must be 1 to 255 printable ASCII characters");
        return false;
    }
    key->principal = weir_slice_text(auth_principal(call->conn, call->token));
    key->route = weir_slice_text(call->route->path);
    key->key = given;
    for (int i = 0; i < 2; i++) {
        uint64_t hash = hash_bytes(call->request->target.data, call->request->target.size,
            0x77656972u + (uint64_t)i + (uint64_t)call->request->method * 16);
        key->body_hash[i] = hash_bytes(call->request->body.data, call->request->body.size, hash);
    }
    return true;
}

static void command_call(struct http_call *call, const struct weir_request *request) {
    const struct weir_route *row = call->route->row;
    struct host_command command = {.service = call->route->service, .wants_reply = true};
    if (call->turn->trace) command.trace = call->turn->trace->link;
    enum weir_error e = WEIR_OK;
    if (!read_key(call, &command.idempotency)) return;
    weir_error_clear();
    if (row->encode) {
        e = row->encode(request, &command.command);
    } else {
        command.command = (struct weir_command){
            .partition = default_partition(row, request), .type = row->type, .value = request->packed};
    }
    if (!e && command.command.partition >= request->partition_count)
        e = weir_error_context(WEIR_E_INVALID, "there is no partition %u", command.command.partition);
    command.origin = http_wait(call, service_outcome);
    metric_add(&call->lane->metrics.commands, 1);
    if (!e) {
        e = host_submit(call->lane->host, &command);
        if (e) metric_add(&call->lane->metrics.commands_refused, 1);
    }
    if (e) http_fail(call->conn, call->turn, e, NULL);
}

static void query_call(struct http_call *call, const struct weir_request *request) {
    const struct weir_route *row = call->route->row;
    struct host_query query = {.service = call->route->service,
        .query = row->query,
        .descriptor = row->request,
        .packed = request->packed,
        .principal = request->principal,
        .tenant = request->tenant};
    enum weir_error e = WEIR_OK;
    weir_error_clear();
    if (row->partition)
        e = row->partition(request, &query.partition);
    else
        query.partition = default_partition(row, request);
    if (!e && query.partition >= request->partition_count)
        e = weir_error_context(WEIR_E_INVALID, "there is no partition %u", query.partition);
    query.origin = http_wait(call, service_outcome);
    metric_add(&call->lane->metrics.queries, 1);
    if (!e) e = host_query(call->lane->host, &query);
    if (e) http_fail(call->conn, call->turn, e, NULL);
}

void service_call(struct http_call *call) {
    struct weir_request request;
    if (call->request->body.size && !is_json(call->request)) {
        http_problem(call->conn, call->turn,
            &(struct http_problem){
                .status = 415, .code = "UNSUPPORTED", .detail = "send the body as Content-Type: application/json"});
        return;
    }
    weir_error_clear();
    enum weir_error e = build_request(call, &request);
    if (e)
        http_fail(call->conn, call->turn, e, NULL);
    else if (call->route->row->kind == WEIR_ROUTE_COMMAND)
        command_call(call, &request);
    else if (call->route->row->kind == WEIR_ROUTE_ROWS)
        rows_call(call, &request);
    else
        query_call(call, &request);
}
