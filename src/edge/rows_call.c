#include "edge/rows_call.h"

#include "edge/transcode.h"
#include "projection/agent.h"

#include <stdio.h>

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessage *message, const char *name) {
    return message ? transcode_field(message->descriptor, weir_slice_text(name)) : NULL;
}

static struct database_value enum_name(const ProtobufCFieldDescriptor *field, uint64_t number) {
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(field->descriptor, (int)(int64_t)number);
    return value ? database_text(value->name) : database_integer((int64_t)number);
}

static int64_t signed_of(const ProtobufCFieldDescriptor *field, uint64_t number) {
    bool is_narrow = field->type == PROTOBUF_C_TYPE_INT32 || field->type == PROTOBUF_C_TYPE_SINT32 ||
                     field->type == PROTOBUF_C_TYPE_SFIXED32;
    return is_narrow ? (int32_t)(uint32_t)number : (int64_t)number;
}

/* False: the request does not have it. */
static bool read_value(
    const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, struct database_value *ret_value) {
    struct weir_slice text;
    uint64_t number;
    if (!transcode_is_set(message, field)) return false;
    if (transcode_text(message, field, &text))
        *ret_value = (struct database_value){.kind = DATABASE_TEXT, .bytes = text};
    else if (transcode_number(message, field, &number))
        *ret_value =
            field->type == PROTOBUF_C_TYPE_ENUM ? enum_name(field, number) : database_integer(signed_of(field, number));
    else
        return false;
    return true;
}

static enum weir_error read_page(const ProtobufCMessage *message, struct search *search) {
    const ProtobufCFieldDescriptor *limit = field_of(message, "limit"), *after = field_of(message, "after");
    struct database_value value;
    uint32_t max = search->select->limit_max;
    search->limit = max < SEARCH_LIMIT ? max : SEARCH_LIMIT;
    if (limit && read_value(message, limit, &value)) {
        if (value.kind != DATABASE_INTEGER || value.integer < 1 || value.integer > max)
            return weir_error_context(WEIR_E_INVALID, "limit is 1 to %u", max);
        search->limit = (uint32_t)value.integer;
    }
    search->has_after = after && read_value(message, after, &value);
    if (search->has_after && !search_parse_after(search->select, value.bytes, search->after))
        return weir_error_context(WEIR_E_INVALID, "after is what `next` was in the page before");
    return WEIR_OK;
}

static enum weir_error read_search(
    const struct weir_route *row, const ProtobufCMessage *message, struct search *search) {
    *search = (struct search){.select = row->select, .response = row->response};
    for (uint32_t i = 0; row->select->filters && row->select->filters[i].field; i++) {
        const ProtobufCFieldDescriptor *field = field_of(message, row->select->filters[i].field);
        if (field && read_value(message, field, &search->values[i])) search->set |= 1u << i;
    }
    return read_page(message, search);
}

/* Index of the projection that has the rows. */
static enum weir_error find_projection(const struct http_call *call, uint32_t *ret_index) {
    const struct edge *edge = call->lane->edge;
    const struct weir_service *service = edge_service(edge, call->route->service);
    const struct weir_select *select = call->route->row->select;
    char name[FOLLOWER_NAME_MAX];
    snprintf(name, sizeof name, "%s.%s", service->name, service->projections[select->projection].name);
    int i = projection_find(edge->projection, weir_slice_text(name));
    if (i < 0)
        return weir_error_context(WEIR_E_UNSUPPORTED,
            "the projection %s, which has these rows, does not run on this node; add its name to projection.run", name);
    *ret_index = (uint32_t)i;
    return WEIR_OK;
}

void rows_call(struct http_call *call, const struct weir_request *request) {
    struct edge_lane *lane = call->lane;
    struct search search;
    uint32_t index;
    enum weir_error e = find_projection(call, &index);
    if (!e) e = read_search(call->route->row, request->message, &search);
    if (!e && !projection_has_records(lane->edge->projection, index)) {
        service_outcome(
            call->conn, call->turn, &(struct host_delivery){.kind = HOST_ANSWER, .status = 200, .text = ""});
        return;
    }
    if (!e) {
        struct host_origin origin = http_wait(call, service_outcome);
        metric_add(&lane->metrics.queries, 1);
        e = projection_ask(lane->edge->projection, lane->index, lane->poller, index, &search, origin);
    }
    if (e) http_fail(call->conn, call->turn, e, NULL);
}

static void deliver(void *ctx, const struct host_delivery *d) {
    struct edge_lane *lane = ctx;
    struct conn *conn = edge_lane_conn(lane, d->origin.slot, d->origin.generation);
    if (conn && conn->kind == CONN_HTTP) http_session_deliver(conn, d);
}

void rows_cycle(struct edge_lane *lane) {
    projection_answers(lane->edge->projection, lane->index, deliver, lane);
}
