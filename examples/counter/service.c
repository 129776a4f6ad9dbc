/* counter: the smallest whole service, and the pattern for the next one. README.md beside it walks through it. */
#include "counter.h"
#include "counter.pb-c.h"

#include <weir/plugin.h>

enum { RECORD_ADD = 1, RECORD_RESET = 2, RECORD_CHANGED = 1 }; /* of the input; of the output */
enum { TOPIC_COMMANDS, TOPIC_CHANGES };
enum { REASON_FULL = 1, REASON_NAME };

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
static void change(struct counters *counters, const char *text, bool reset, int64_t amount, struct weir_out *out) {
    struct weir_slice name = weir_slice_text(text);
    if (name.size < 1 || name.size > COUNTER_NAME_MAX) {
        weir_refuse(out, REASON_NAME);
        return;
    }
    struct counter *counter = counters_find(counters, name);
    if (reset) amount = counter ? (int64_t)(0 - (uint64_t)counter->value) : 0;
    counter = counters_add(counters, name, amount);
    if (!counter) {
        weir_refuse(out, REASON_FULL);
        return;
    }
    char room[COUNTER_NAME_MAX + 1];
    Weir__Counter__Counter message = message_of(counter, room);
    size_t size = weir__counter__counter__get_packed_size(&message);
    uint64_t key = (uint8_t)counter->name[0]; /* subscribers may filter by first letter */
    weir__counter__counter__pack(&message, weir_output(out, TOPIC_CHANGES, RECORD_CHANGED, key, size, NULL));
    weir__counter__counter__pack(&message, weir_reply(out, 200, size));
    weir_metric_add(out, 0, 1);
}
static void apply(void *state, const struct weir_record *record, struct weir_out *out) {
    if (record->kind != WEIR_RECORD_COMMAND) return;
    if (record->type == RECORD_ADD) {
        const Weir__Counter__Add *add = weir_message(out, &weir__counter__add__descriptor, record->value);
        if (add) change(state, add->name, false, add->amount, out);
    } else if (record->type == RECORD_RESET) {
        const Weir__Counter__Name *name = weir_message(out, &weir__counter__name__descriptor, record->value);
        if (name) change(state, name->name, true, 0, out);
    }
}

/* ---- queries -------------------------------------------------------------------------------------------------------
 */
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
    {RECORD_ADD, "add", "Adds to a counter.", &weir__counter__add__descriptor},
    {RECORD_RESET, "reset", "Sets a counter to zero.", &weir__counter__name__descriptor},
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
        .request = &weir__counter__add__descriptor, .response = &weir__counter__counter__descriptor, .type = RECORD_ADD,
        .partition_by = "name"},
    {WEIR_ROUTE_COMMAND, "POST", "/v1/counter/{name}/reset", "Sets a counter to zero.",
        .request = &weir__counter__name__descriptor, .response = &weir__counter__counter__descriptor,
        .type = RECORD_RESET, .partition_by = "name"},
    {WEIR_ROUTE_QUERY, "GET", "/v1/counter/{name}", "A counter's value.", .request = &weir__counter__name__descriptor,
        .response = &weir__counter__counter__descriptor, .query = query_get, .partition_by = "name"},
    {0},
};
static const struct weir_metric metrics[] = {{"changes_total", WEIR_METRIC_COUNTER, "Counters changed."}, {0}};
static const struct weir_reason reasons[] = {
    {REASON_FULL, "NAMES_FULL", "There is no room for another name: raise counter.names_max.", 507},
    {REASON_NAME, "NAME_LENGTH", "A name has 1 to 56 bytes.", 400}, {0}};

WEIR_SERVICE(counter) = {
    .name = "counter",
    .summary = "Named counters: the example service.",
    .version = 2, /* 1 had 8 bytes for an amount where a message is now */
    .version_replays = 2,
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
