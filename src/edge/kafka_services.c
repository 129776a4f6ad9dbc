/* Requests that a service answers (struct weir_kafka_row): a command to its partitions, the reply's bytes behind the
 * response's header. And where the coordinator is: here. See kafka.h. */
#include "edge/kafka_sasl.h"

#include "base/bytes.h"
#include "host/answer.h"
#include "wire/kafka_group_messages.h"

struct served { /* by a service */
    uint32_t service;
    const struct weir_kafka_row *row;
};

static bool find_served(const struct edge *edge, int16_t api, struct served *ret) {
    for (uint32_t i = 0; i < host_service_count(edge->host); i++)
        for (const struct weir_kafka_row *row = edge_service(edge, i)->kafka; row && row->api; row++)
            if (row->api == api) {
                *ret = (struct served){i, row};
                return true;
            }
    return false;
}

bool kafka_service_has(const struct edge *edge, int16_t api) {
    struct served unused;
    return find_served(edge, api, &unused);
}

uint32_t kafka_service_of(const struct edge *edge, int16_t api) {
    struct served served;
    return find_served(edge, api, &served) ? served.service : EDGE_NO_SERVICE;
}

/* ---- to the service ---- */
struct asked {
    struct served served;
    struct weir_kafka_request request;
    uint32_t partition, count; /* the first, and how many */
};

static enum weir_error look_up(struct kafka_call *call, struct asked *ret) {
    const struct edge *edge = call->lane->edge;
    struct asked asked = {.request = {.api = call->turn->header.api,
                              .version = call->turn->header.version,
                              .client_id = call->client_id,
                              .peer = weir_slice_text(call->session->conn->peer),
                              .body = weir_slice(call->in.at, (size_t)(call->in.end - call->in.at))},
        .count = 1};
    if (!find_served(edge, asked.request.api, &asked.served)) return WEIR_E_UNSUPPORTED;
    uint32_t partitions = host_service_partitions(edge->host, asked.served.service);
    struct weir_request request = {.principal = "",
        .tenant = "",
        .partition_count = partitions,
        .settings = host_service_settings(edge->host, asked.served.service),
        .scratch = &call->lane->arena};
    weir_error_clear();
    enum weir_error e = asked.served.row->partition(&request, &asked.request, &asked.partition);
    if (e) return e;
    if (asked.partition == WEIR_KAFKA_EVERY) {
        asked.partition = 0;
        asked.count = partitions;
    }
    WEIR_ASSERT(asked.partition < partitions);
    *ret = asked;
    return WEIR_OK;
}

static enum weir_error make_value(
    struct arena *arena, const struct weir_kafka_request *request, struct weir_slice *ret) {
    size_t client = request->client_id.size, peer = request->peer.size;
    if (client > INT16_MAX) client = INT16_MAX; /* it cannot be: a string's length has 16 bits */
    size_t size = WEIR_KAFKA_HEAD_BYTES + client + peer + request->body.size;
    uint8_t *value = arena_alloc(arena, size), *at = value;
    if (!value) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a Kafka request of %zu bytes", size);
    store_le16(at, (uint16_t)request->version);
    store_le16(at + 2, (uint16_t)client);
    store_le16(at + 4, (uint16_t)peer);
    at += WEIR_KAFKA_HEAD_BYTES;
    if (client) memcpy(at, request->client_id.data, client);
    memcpy(at + client, request->peer.data, peer);
    if (request->body.size) memcpy(at + client + peer, request->body.data, request->body.size);
    *ret = weir_slice(value, size);
    return WEIR_OK;
}

static enum weir_error service_begin(struct kafka_call *call) {
    struct asked asked;
    struct weir_slice value;
    enum weir_error e = look_up(call, &asked);
    if (!e) e = make_value(&call->lane->arena, &asked.request, &value);
    if (e) return e;
    if (!kafka_results_new(call, asked.count)) return WEIR_E_AGAIN;
    for (uint32_t i = 0; i < asked.count; i++) {
        struct host_command command = {.service = asked.served.service,
            .command = {.partition = asked.partition + i, .type = (uint16_t)asked.request.api, .value = value},
            .origin = kafka_origin(call->session, call->turn, i),
            .wants_reply = true,
            .in_order = true};
        metric_add(&call->lane->metrics.commands, 1);
        e = host_submit(call->lane->host, &command);
        if (!e) continue;
        metric_add(&call->lane->metrics.commands_refused, 1);
        call->turn->left--;
        if (i == 0) return e == WEIR_E_FULL ? WEIR_E_AGAIN : e;
        kafka_results(call->turn)[i].error = kafka_error_of(e); /* the others were asked: finish closes */
    }
    return WEIR_OK;
}

/* ---- and back ---- */
static void service_take(
    struct weir_session *session, struct kafka_turn *turn, uint32_t number, const struct host_delivery *d) {
    struct kafka_result *r = &kafka_results(turn)[number];
    uint32_t at = turn->data.size;
    r->error = kafka_error_of(d->error);
    if (d->error) return;
    if (d->status != 200 || !buffer_add(&session->conn->lane->buffers, &turn->data, d->value, KAFKA_RESPONSE_MAX)) {
        r->error = KAFKA_UNKNOWN_SERVER_ERROR;
        return;
    }
    r->at = at;
    r->size = (uint32_t)d->value.size;
}

static enum weir_error join_answers(struct kafka_call *call, const struct asked *asked, struct weir_slice *ret_body) {
    struct weir_slice *answers = arena_alloc(&call->lane->arena, asked->count * sizeof *answers);
    if (!answers) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the answers of all partitions");
    for (uint32_t i = 0; i < asked->count; i++) {
        const struct kafka_result *r = &kafka_results(call->turn)[i];
        if (r->error)
            return weir_error_context(WEIR_E_CLOSED,
                "the service did not answer a Kafka %s request, error %d: it is stopping, "
                "starting or parked",
                kafka_api_find(asked->request.api)->name, r->error);
        answers[i] = weir_slice(call->turn->data.data + r->at, r->size);
    }
    if (asked->count == 1) {
        *ret_body = answers[0];
        return WEIR_OK;
    }
    struct weir_answer answer;
    weir_answer_init(&answer, &call->lane->arena, KAFKA_RESPONSE_MAX / 2);
    enum weir_error e = asked->served.row->merge(&asked->request, answers, asked->count, &answer);
    *ret_body = weir_answer_slice(&answer);
    return e;
}

static enum weir_error service_finish(struct kafka_call *call) {
    struct asked asked;
    struct weir_slice body;
    struct kafka_coder out;
    enum weir_error e = look_up(call, &asked);
    if (!e) e = join_answers(call, &asked, &body);
    if (!e) e = kafka_answer_begin(call, body.size + 64, &out);
    if (e) return e;
    kafka_raw(&out, body);
    return kafka_answer_end(call, &out);
}

const struct kafka_handler kafka_service_handler = {-1, service_begin, service_finish, service_take};

/* ---- where the coordinator is ---- */
static struct kafka_coordinator coordinator(const struct kafka_call *call, int8_t type, struct weir_slice key) {
    const struct listener *listener = call->session->conn->listener;
    if (type != KAFKA_COORDINATOR_GROUP)
        return (struct kafka_coordinator){.key = key,
            .node_id = -1,
            .host = weir_slice("", 0),
            .port = -1,
            .error = KAFKA_COORDINATOR_NOT_AVAILABLE,
            .message = weir_slice_text("transactions are not served")};
    uint32_t service = kafka_service_of(call->lane->edge, KAFKA_JOIN_GROUP);
    if (!kafka_may_ask(call->session, service, KAFKA_FIND_COORDINATOR))
        return (struct kafka_coordinator){.key = key,
            .node_id = -1,
            .host = weir_slice("", 0),
            .port = -1,
            .error = KAFKA_GROUP_AUTHORIZATION_FAILED,
            .message = weir_slice_text("the token has no role for groups")};
    return (struct kafka_coordinator){
        .key = key, .node_id = KAFKA_NODE_ID, .host = weir_slice_text(listener->host), .port = listener->port};
}

static enum weir_error find_coordinator(struct kafka_call *call) {
    struct kafka_find_coordinator_request request = {0};
    struct kafka_find_coordinator_response m = {0};
    struct kafka_coder out;
    kafka_find_coordinator_request(&call->in, &request);
    if (call->in.failed) return kafka_malformed(call);
    m.one = coordinator(call, request.key_type, request.key);
    m.coordinators = arena_alloc(&call->lane->arena, (request.key_count + 1) * sizeof *m.coordinators);
    if (!m.coordinators) return weir_error_context(WEIR_E_NO_MEMORY, "too many keys in one request");
    size_t size = 256;
    for (; m.coordinator_count < request.key_count; m.coordinator_count++) {
        m.coordinators[m.coordinator_count] = coordinator(call, request.key_type, request.keys[m.coordinator_count]);
        size += 256 + request.keys[m.coordinator_count].size;
    }
    enum weir_error e = kafka_answer_begin(call, size, &out);
    if (e) return e;
    kafka_find_coordinator_response(&out, &m);
    return kafka_answer_end(call, &out);
}

const struct kafka_handler kafka_group_handlers[] = {
    {KAFKA_FIND_COORDINATOR, NULL, find_coordinator, NULL},
    {-1, NULL, NULL, NULL},
};
