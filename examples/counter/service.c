/* counter: the smallest whole service, and the pattern for the next one. README.md beside it walks through it. */
#include "base/bytes.h"
#include "counter.h"
#include "schema/counter.pb-c.h"

#include <weir/service.h>

enum { RECORD_ADD = 1, RECORD_RESET = 2, RECORD_CHANGED = 1 }; /* of the input; of the output */
enum { TOPIC_COMMANDS, TOPIC_CHANGES };
enum { REASON_FULL = 1 };

/* ---- requests: from JSON (unpacked by the host) to a record of the input topic -------------------------------------
 */
static enum weir_error check_name(const char *name, const struct weir_request *request, struct weir_command *ret) {
    size_t size = strlen(name);
    if (size < 1 || size > COUNTER_NAME_MAX)
        return weir_error_context(WEIR_E_INVALID, "a name has 1 to %u bytes", COUNTER_NAME_MAX);
    ret->key = weir_slice(name, size);
    ret->partition = weir_partition_of(ret->key, request->partition_count);
    return WEIR_OK;
}
static enum weir_error encode_add(const struct weir_request *request, struct weir_command *ret) {
    const Weir__Counter__Add *add = request->message;
    uint8_t *amount = weir_scratch(request, 8);
    store_le64(amount, (uint64_t)add->amount);
    *ret = (struct weir_command){.type = RECORD_ADD, .value = weir_slice(amount, 8)};
    return check_name(add->name, request, ret);
}
static enum weir_error encode_reset(const struct weir_request *request, struct weir_command *ret) {
    *ret = (struct weir_command){.type = RECORD_RESET};
    return check_name(((const Weir__Counter__Name *)request->message)->name, request, ret);
}

/* ---- the fold: state and one record in, state, outputs and a reply out. No clock, no randomness, no I/O. ----------
 */
static Weir__Counter__Counter message_of(const struct counter *counter, char name[COUNTER_NAME_MAX + 1]) {
    Weir__Counter__Counter message = WEIR__COUNTER__COUNTER__INIT;
    memcpy(name, counter->name, counter->name_size);
    name[counter->name_size] = 0;
    message.name = name;
    message.value = counter->value;
    return message;
}
static void apply(void *state, const struct weir_record *record, struct weir_out *out) {
    if (record->kind != WEIR_RECORD_COMMAND || record->key.size < 1 || record->key.size > COUNTER_NAME_MAX) return;
    int64_t amount = record->value.size == 8 ? (int64_t)load_le64(record->value.data) : 0;
    struct counter *counter = counters_find(state, record->key);
    if (record->type == RECORD_RESET) amount = counter ? (int64_t)(0 - (uint64_t)counter->value) : 0;
    counter = counters_add(state, record->key, amount);
    if (!counter) {
        store_le16(weir_reply(out, 507, 2), REASON_FULL);
        return;
    }
    char name[COUNTER_NAME_MAX + 1];
    Weir__Counter__Counter message = message_of(counter, name);
    size_t size = weir__counter__counter__get_packed_size(&message);
    uint64_t key =
        load_le64((const uint8_t[8]){(uint8_t)counter->name[0]}); /* subscribers may filter by first letter */
    weir__counter__counter__pack(&message, weir_output(out, TOPIC_CHANGES, RECORD_CHANGED, key, size, NULL));
    weir__counter__counter__pack(&message, weir_reply(out, 200, size));
    weir_metric_add(out, 0, 1);
}

/* ---- replies and queries
 * ---------------------------------------------------------------------------------------------- */
static enum weir_error decode(uint16_t status, struct weir_slice value, struct weir_answer *answer) {
    if (status != 200) return weir_error_context(WEIR_E_NO_SPACE, "no room for another name: raise counter.names_max");
    void *room = weir_answer_room(answer, value.size);
    if (!room) return WEIR_E_TOO_LARGE;
    memcpy(room, value.data, value.size);
    weir_answer_commit(answer, value.size);
    return WEIR_OK;
}
static enum weir_error partition(const struct weir_request *request, uint32_t *ret_partition) {
    struct weir_command command;
    enum weir_error e = check_name(((const Weir__Counter__Name *)request->message)->name, request, &command);
    if (e == WEIR_OK) *ret_partition = command.partition;
    return e;
}
static enum weir_error query_get(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const Weir__Counter__Name *wanted = request->message;
    const struct counter *counter = counters_find(state, weir_slice_text(wanted->name));
    if (!counter) return weir_error_context(WEIR_E_NOT_FOUND, "there is no counter named %s", wanted->name);
    char name[COUNTER_NAME_MAX + 1];
    Weir__Counter__Counter message = message_of(counter, name);
    size_t size = weir__counter__counter__get_packed_size(&message);
    weir__counter__counter__pack(&message, weir_answer_room(answer, size));
    weir_answer_commit(answer, size);
    return WEIR_OK;
}

/* ---- state: opened, saved, loaded
 * ------------------------------------------------------------------------------------- */
static size_t state_bytes(const struct weir_setting_value *settings) {
    return counters_bytes(settings[1].number);
}
static enum weir_error open_state(const struct weir_open *open, void **ret_state) {
    struct counters *counters = open->memory;
    counters->places = 2 * open->settings[1].number;
    *ret_state = counters;
    return WEIR_OK;
}
static enum weir_error save(const void *state, struct weir_sink *sink) {
    const struct counters *counters = state;
    enum weir_error e = weir_sink_put(sink, &counters->count, sizeof counters->count);
    for (uint64_t i = 0; e == WEIR_OK && i < counters->places; i++)
        if (counters->table[i].name_size) e = weir_sink_put(sink, &counters->table[i], sizeof counters->table[i]);
    return e;
}
static enum weir_error load(void *state, struct weir_source *source) {
    uint64_t count = 0;
    struct counter counter;
    enum weir_error e = weir_source_get(source, &count, sizeof count);
    for (uint64_t i = 0; e == WEIR_OK && i < count; i++) {
        e = weir_source_get(source, &counter, sizeof counter);
        if (e == WEIR_OK && (counter.name_size < 1 || counter.name_size > COUNTER_NAME_MAX ||
                                !counters_add(state, weir_slice(counter.name, counter.name_size), counter.value)))
            e = weir_error_context(WEIR_E_CORRUPT, "a saved counter cannot be taken");
    }
    return e;
}
static uint64_t digest(const void *state) {
    return ((const struct counters *)state)->digest;
}

/* ---- the declaration: everything else is derived from it -----------------------------------------------------------
 */
static const struct weir_setting settings[] = {
    {"partitions", WEIR_SETTING_UINT, "1", 1, 256, "Partitions of counter.commands; stays as it was first made."},
    {"names_max", WEIR_SETTING_UINT, "65536", 1, 1 << 24, "Names per partition.", .folded = true},
    {0},
};
static const struct weir_record_type commands[] = {
    {RECORD_ADD, "add", "Key: the name. Value: 8 bytes, the amount, little-endian."},
    {RECORD_RESET, "reset", "Key: the name."},
    {0},
};
static const struct weir_record_type changes[] = {
    {RECORD_CHANGED, "changed", "A counter's new value.", &weir__counter__counter__descriptor},
    {0},
};
static const struct weir_topic topics[] = {
    [TOPIC_COMMANDS] = {"counter.commands", WEIR_TOPIC_INPUT, commands, "What clients asked for."},
    [TOPIC_CHANGES] = {"counter.changes", WEIR_TOPIC_OUTPUT, changes, "Every change, in order."},
    {0},
};
static const struct weir_route routes[] = {
    {WEIR_ROUTE_COMMAND, "POST", "/v1/counter/{name}/add", "Adds to a counter.",
        .request = &weir__counter__add__descriptor, .response = &weir__counter__counter__descriptor,
        .encode = encode_add, .decode = decode},
    {WEIR_ROUTE_COMMAND, "POST", "/v1/counter/{name}/reset", "Sets a counter to zero.",
        .request = &weir__counter__name__descriptor, .response = &weir__counter__counter__descriptor,
        .encode = encode_reset, .decode = decode},
    {WEIR_ROUTE_QUERY, "GET", "/v1/counter/{name}", "A counter's value.", .request = &weir__counter__name__descriptor,
        .response = &weir__counter__counter__descriptor, .partition = partition, .query = query_get},
    {0},
};
static const struct weir_metric metrics[] = {{"changes_total", WEIR_METRIC_COUNTER, "Counters changed."}, {0}};
static const struct weir_reason reasons[] = {
    {REASON_FULL, "NAMES_FULL", "There is no room for another name.", 507}, {0}};

extern const struct weir_service weir_service_counter;
const struct weir_service weir_service_counter = {
    .abi = WEIR_SERVICE_ABI,
    .name = "counter",
    .summary = "Named counters: the example service.",
    .version = 1,
    .version_replays = 1,
    .partitions_setting = "partitions",
    .settings = settings,
    .topics = topics,
    .routes = routes,
    .metrics = metrics,
    .reasons = reasons,
    .output_bytes_max = 512,
    .state_bytes = state_bytes,
    .open = open_state,
    .apply = apply,
    .save = save,
    .load = load,
    .digest = digest,
};
