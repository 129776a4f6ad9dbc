/* The exchange as HTTP clients meet it, without the sockets: JSON for one of its routes becomes a message, the message
 * a record, the record is applied, the reply or the query's answer becomes JSON. Any JSON is refused with a sentence or
 * answered by a whole message; and the state comes back from its own snapshot. Input: steps of {u8 route, u8 size,
 * JSON}. Covers: order_routes.c market_routes.c print.c. */
#include "base/assert.h"
#include "edge/transcode.h"
#include "host/answer.h"
#include "host/out.h"
#include "host/snapshot.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct weir_service weir_service_exchange;
static const struct weir_service *const service = &weir_service_exchange;

static struct weir_setting_value values[] = {{.number = 1}, {.number = 1024}, {.number = 4}, {.number = 8},
    {.number = 64}, {.text = "off"}, {.number = 0}, {.number = 0}};
static const struct fold_options options = {.service = &weir_service_exchange,
    .values = values,
    .initial = values,
    .uid = 1,
    .partition_count = 1,
    .idempotency = {.keys_max = 8, .age_ns_max = 1000, .secret = {1, 2}}};

static struct fold fold;
static struct weir_out out;
static struct arena arena;

/* What goes to a client is a message of the type that the route declares, and can be written. */
static void check_answer(const struct weir_route *route, struct weir_slice packed) {
    ProtobufCMessage *message;
    struct text_builder text = text_builder_arena(&arena, 0);
    struct json_writer w = json_writer(&text, 0);
    enum weir_error e = transcode_unpack(&arena, route->response, packed, &message);
    WEIR_ASSERT(e == WEIR_OK || e == WEIR_E_NO_MEMORY);
    if (e) return;
    transcode_write(message, &w);
    struct json_reader r = json_reader(text_slice(&text), 0);
    WEIR_ASSERT(!json_writer_finished(&w) || json_skip_value(&r));
}

/* What the console shows of the record. */
static void print(const struct weir_command *command) {
    const struct weir_record_type *type = service->topics[0].types;
    char text[2048];
    while (type->type && type->type != command->type)
        type++;
    WEIR_ASSERT(type->type && type->print(command->value, text, sizeof text) < sizeof text);
    struct json_reader r = json_reader(weir_slice_text(text), 0);
    WEIR_ASSERT(json_skip_value(&r));
}

/* Any bytes as a record of an output topic: what the console shows is whole JSON. The first byte is the type. */
static void print_any(struct weir_slice value) {
    char text[4096];
    for (const struct weir_topic *topic = service->topics; topic->name; topic++) {
        size_t size = topic->types[0].print(value, text, sizeof text);
        struct json_reader r = json_reader(weir_slice(text, size < sizeof text ? size : 0), 0);
        WEIR_ASSERT(json_skip_value(&r));
    }
}

static void check_dump(void) {
    struct weir_sink text = {0};
    enum weir_error e = service->dump(fold.state, &text);
    struct json_reader r = json_reader(weir_slice(text.data, text.size), 0);
    WEIR_ASSERT(e == WEIR_OK && json_skip_value(&r));
    sink_done(&text);
}

static void apply(const struct weir_route *route, const struct weir_command *command) {
    struct envelope envelope = {.kind = WEIR_RECORD_COMMAND, .type = command->type, .time_ns = fold.time_ns + 1000};
    struct batch_record record = {.offset = fold.applied};
    struct weir_answer answer;
    struct fold_applied applied;
    uint8_t header[ENVELOPE_SIZE_MAX];
    print(command);
    record.record = (struct log_record){.value = command->value,
        .header_key = weir_slice_text(ENVELOPE_KEY),
        .header_value = weir_slice(header, envelope_store(&envelope, header))};
    enum weir_error e = fold_apply(&fold, &record, &out, &applied);
    WEIR_ASSERT(e == WEIR_OK && out.replied);
    weir_answer_init(&answer, &arena, WEIR_ANSWER_BYTES_MAX);
    e = route->decode(out.reply_status, weir_slice(out.reply, out.reply_size), &answer);
    WEIR_ASSERT(e == WEIR_OK);
    check_answer(route, weir_answer_slice(&answer));
}

static void call(const struct weir_route *route, struct weir_slice json) {
    struct weir_request request = {.principal = "local", .partition_count = 1, .settings = values, .scratch = &arena};
    struct weir_command command = {0};
    struct weir_answer answer;
    uint32_t partition = 0;
    ProtobufCMessage *message = transcode_new(&arena, route->request);
    if (!message || transcode_read(&arena, json, message) || transcode_pack(&arena, message, &request.packed)) return;
    request.message = message;
    weir_error_clear();
    if (route->kind == WEIR_ROUTE_COMMAND) {
        enum weir_error e = route->encode(&request, &command);
        WEIR_ASSERT(e == WEIR_OK || weir_error_text()[0] != 0);
        if (e == WEIR_OK && command.partition == 0) apply(route, &command);
        return;
    }
    if (!route->query) return; /* rows of a projection are the database's */
    weir_answer_init(&answer, &arena, WEIR_ANSWER_BYTES_MAX);
    enum weir_error e = route->partition ? route->partition(&request, &partition) : WEIR_OK;
    if (e || partition >= request.partition_count) return; /* the edge refuses it */
    e = route->query(fold.state, &request, &answer);
    WEIR_ASSERT(!e || weir_error_text()[0] != 0);
    if (!e) check_answer(route, weir_answer_slice(&answer));
}

static void check_snapshot(void) {
    struct weir_sink sink = {0}, again = {0};
    struct fold copy;
    enum weir_error e = snapshot_store(&fold, &sink);
    WEIR_ASSERT(e == WEIR_OK);
    e = snapshot_load(&copy, &options, weir_slice(sink.data, sink.size));
    WEIR_ASSERT(e == WEIR_OK);
    e = snapshot_store(&copy, &again);
    WEIR_ASSERT(e == WEIR_OK && weir_slice_equal(weir_slice(sink.data, sink.size), weir_slice(again.data, again.size)));
    sink_done(&sink);
    sink_done(&again);
    fold_done(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t *scratch;
    struct in_force in_force = {.version = 0};
    size_t route_count = 0;
    while (service->routes[route_count].path)
        route_count++;
    if (!scratch) scratch = malloc(out_scratch_size(service));
    enum weir_error e = fold_open(&fold, &options, &in_force);
    WEIR_ASSERT(scratch && e == WEIR_OK);
    out = (struct weir_out){
        .fold = &fold, .scratch = scratch, .scratch_size = out_scratch_size(service), .replaying = true};
    for (size_t at = 0; at + 2 <= size;) {
        const struct weir_route *route = &service->routes[data[at] % route_count];
        size_t take = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;
        arena_init(&arena, NULL, 64 << 10, 8 << 20);
        if (route->kind == WEIR_ROUTE_SOCKET)
            print_any(weir_slice(data + at + 2, take));
        else
            call(route, weir_slice(data + at + 2, take));
        arena_done(&arena);
        at += 2 + take;
    }
    check_dump();
    check_snapshot();
    fold_done(&fold);
    return 0;
}
