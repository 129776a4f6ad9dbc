#include "sim/cycle.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "cycle.pb-c.h"

struct cycle_hooks cycle_hooks;

enum setting_row { ROW_PARTITIONS, ROW_SCALE, ROW_LABEL, ROW_ROOM };
struct state {
    uint64_t counters[CYCLE_COUNTERS];
    uint64_t seen, digest;
    uint32_t service, partition;
};

uint32_t cycle_label(struct weir_slice text) {
    return (uint32_t)hash_bytes(text.data, text.size, 7);
}

static bool is_valid(const Weir__Sim__Step *m) {
    static const uint64_t amounts_max[CYCLE_OP_END] = {
        [CYCLE_WIDE] = CYCLE_WIDE_MAX, [CYCLE_FAN] = CYCLE_FAN_BYTES, [CYCLE_LONG] = CYCLE_LONG_MAX};
    if (m->op < 1 || m->op >= CYCLE_OP_END) return false;
    return amounts_max[m->op] == 0 || m->amount <= amounts_max[m->op];
}

static enum weir_error encode(const struct weir_request *request, struct weir_command *ret) {
    const Weir__Sim__Step *m = request->message;
    struct cycle_step *step = weir_scratch(request, sizeof *step);
    if (!is_valid(m)) return weir_error_context(WEIR_E_INVALID, "no such step");
    *step = (struct cycle_step){m->id, m->op, m->hops, m->key, m->amount};
    *ret = (struct weir_command){
        .partition = (uint32_t)(m->key % request->partition_count), .type = 1, .value = weir_slice(step, sizeof *step)};
    return WEIR_OK;
}

static enum weir_error decode(uint16_t status, struct weir_slice value, struct weir_answer *answer) {
    (void)status;
    Weir__Sim__Total total = WEIR__SIM__TOTAL__INIT;
    total.total = value.size >= 8 ? load_le64(value.data) : 0; /* a long reply is not kept for repetitions */
    void *room = weir_answer_room(answer, weir__sim__total__get_packed_size(&total));
    weir_answer_commit(answer, weir__sim__total__pack(&total, room));
    return WEIR_OK;
}

static void put(struct state *s, const struct weir_record *r, const struct cycle_step *step, struct weir_out *out) {
    struct cycle_output o = {step->id, step->key, s->counters[step->key % CYCLE_COUNTERS], s->seen, r->kind, step->op,
        cycle_label(weir_slice_text(weir_settings(out)[ROW_LABEL].text)), 0};
    memcpy(weir_output(out, CYCLE_OUT, 1, step->key, sizeof o, NULL), &o, sizeof o);
}

static void emit_next(const struct cycle_step *step, struct weir_out *out) {
    for (uint32_t n = 0; n < cycle_fan(step); n++) {
        struct cycle_step next = cycle_next(step, n);
        size_t size = (size_t)cycle_emit_size(step);
        uint8_t *value = weir_emit(out, 0, 1, next.key, size);
        memset(value, 0, size);
        memcpy(value, &next, sizeof next);
    }
}

static void reply(const struct state *s, const struct cycle_step *step, struct weir_out *out) {
    size_t size = step->op == CYCLE_LONG && step->amount > 8 ? (size_t)step->amount : 8;
    uint8_t *value = weir_reply(out, 200, size);
    memset(value, 0, size);
    store_le64(value, s->counters[step->key % CYCLE_COUNTERS]);
}

static void take_step(struct state *s, uint32_t version, const struct weir_record *r, const struct cycle_step *step,
    struct weir_out *out) {
    if (step->op == CYCLE_POISON && step->hops == 0 && cycle_hooks.poison)
        cycle_hooks.poison(cycle_hooks.ctx, s->service, s->partition, r->offset);
    if (step->op == CYCLE_TIMER)
        weir_timer_set(out, step->key, r->time_ns + step->amount);
    else if (step->op == CYCLE_CANCEL)
        weir_timer_cancel(out, step->key);
    else
        s->counters[step->key % CYCLE_COUNTERS] += cycle_amount(version, weir_settings(out)[ROW_SCALE].number, step);
    put(s, r, step, out);
    if (step->op == CYCLE_WIDE) {
        size_t size = (size_t)cycle_wide(s->service, step);
        memset(weir_output(out, CYCLE_WIDE_OUT, 2, step->key, size, NULL), (int)step->key, size);
    }
    emit_next(step, out);
    if (r->kind == WEIR_RECORD_COMMAND) reply(s, step, out);
}

static void apply(void *state, uint32_t version, const struct weir_record *r, struct weir_out *out) {
    struct state *s = state;
    struct digest d = {s->digest};
    s->seen++;
    weir_metric_add(out, 0, 1);
    weir_metric_set(out, 1, r->offset);
    digest_u64(&d, r->kind);
    digest_bytes(&d, r->value.data, r->value.size);
    s->digest = d.state;
    if (r->kind == WEIR_RECORD_TIMER) {
        const struct cycle_step fired = {.key = r->timer_id};
        if (r->timer_id == CYCLE_POISON_TIMER && cycle_hooks.poison)
            cycle_hooks.poison(cycle_hooks.ctx, s->service, s->partition, r->offset);
        s->counters[r->timer_id % CYCLE_COUNTERS]++;
        put(s, r, &fired, out);
    } else if (r->value.size >= sizeof(struct cycle_step)) {
        struct cycle_step step;
        memcpy(&step, r->value.data, sizeof step);
        take_step(s, version, r, &step, out);
    }
    /* What a fold must not do: whether it replays is not in its log. */
    if (!weir_replaying(out) && cycle_hooks.drifts && cycle_hooks.drifts(cycle_hooks.ctx)) s->digest++;
}

static void apply_1(void *state, const struct weir_record *record, struct weir_out *out) {
    apply(state, 1, record, out);
}
static void apply_2(void *state, const struct weir_record *record, struct weir_out *out) {
    apply(state, 2, record, out);
}
static size_t state_bytes(const struct weir_setting_value *settings) {
    return sizeof(struct state) + (size_t)settings[ROW_ROOM].number;
}
static enum weir_error open_state(const struct weir_open *open, uint32_t service, void **ret_state) {
    struct state *s = open->memory;
    s->service = service;
    s->partition = open->partition;
    *ret_state = s;
    return WEIR_OK;
}
static enum weir_error open_left(const struct weir_open *open, void **ret_state) {
    return open_state(open, 0, ret_state);
}
static enum weir_error open_right(const struct weir_open *open, void **ret_state) {
    return open_state(open, 1, ret_state);
}
static enum weir_error save(const void *state, struct weir_sink *sink) {
    return weir_sink_put(sink, state, sizeof(struct state));
}
static enum weir_error load(void *state, struct weir_source *source) {
    return weir_source_get(source, state, sizeof(struct state));
}
static uint64_t digest(const void *state) {
    const struct state *s = state;
    uint64_t sum = s->digest;
    for (uint32_t i = 0; i < CYCLE_COUNTERS; i++)
        sum = hash_u64(s->counters[i], sum);
    return sum;
}

static const struct weir_setting settings[] = {
    [ROW_PARTITIONS] = {"partitions", WEIR_SETTING_UINT, "2", 1, 16, "Input partitions."},
    [ROW_SCALE] = {"scale", WEIR_SETTING_UINT, "1", 1, 100, "What amounts are multiplied with.", true},
    [ROW_LABEL] = {"label", WEIR_SETTING_TEXT, "", .summary = "Part of every output.", .folded = true},
    [ROW_ROOM] = {"room", WEIR_SETTING_BYTES, "64KB", 4096, 1 << 20, "State bytes that nobody uses.", true},
    {0},
};
static const struct weir_metric metrics[] = {{"steps", WEIR_METRIC_COUNTER, "Records seen."},
    {"newest", WEIR_METRIC_GAUGE, "Offset of the newest record."}, {0}};
static const struct weir_record_type types[] = {{1, "step", "A step, or what came of it."}, {2, "wide", "Bytes."}, {0}};

#define TOPICS(name)                                                                                                   \
    {                                                                                                                  \
        {name ".in", WEIR_TOPIC_INPUT, types, "Steps."}, {name ".out", WEIR_TOPIC_OUTPUT, types, "Totals."},           \
            {name ".wide", WEIR_TOPIC_OUTPUT, types, "Bytes."}, {                                                      \
            0                                                                                                          \
        }                                                                                                              \
    }
static const struct weir_topic left_topics[] = TOPICS("left");
static const struct weir_topic right_topics[] = TOPICS("right");
static const struct weir_emit_row left_emits[] = {{"right", "The next hop."}, {0}};
static const struct weir_emit_row right_emits[] = {{"left", "The next hop."}, {0}};

#define ROUTES(name_)                                                                                                  \
    {                                                                                                                  \
        {WEIR_ROUTE_COMMAND, "POST", "/v1/" name_ "/steps", "A step.", .request = &weir__sim__step__descriptor,        \
            .response = &weir__sim__total__descriptor, .encode = encode, .decode = decode},                            \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }
static const struct weir_route left_routes[] = ROUTES("left");
static const struct weir_route right_routes[] = ROUTES("right");

#define SERVICE(name_, version_, replays_, apply_, output_bytes_)                                                      \
    {                                                                                                                  \
        .name = #name_, .summary = "Of the simulator.", .version = version_, .version_replays = replays_,              \
        .partitions_setting = "partitions", .settings = settings, .topics = name_##_topics, .emits = name_##_emits,    \
        .routes = name_##_routes, .metrics = metrics, .output_bytes_max = output_bytes_, .emits_max = CYCLE_FAN_MAX,   \
        .state_bytes = state_bytes, .open = open_##name_, .apply = apply_, .save = save, .load = load,                 \
        .digest = digest,                                                                                              \
    }
/* Outputs of different sizes, so that a commit is full for one of them and not for the other. */
#define LEFT(version_, replays_, apply_)  SERVICE(left, version_, replays_, apply_, 12 << 10)
#define RIGHT(version_, replays_, apply_) SERVICE(right, version_, replays_, apply_, 68 << 10)
static const struct weir_service left_1 = LEFT(1, 1, apply_1), right_1 = RIGHT(1, 1, apply_1);
static const struct weir_service left_2 = LEFT(2, 2, apply_2), right_2 = RIGHT(2, 2, apply_2);
static const struct weir_service left_3 = LEFT(3, 2, apply_2), right_3 = RIGHT(3, 2, apply_2);

const struct weir_service *const *cycle_services(uint32_t version, bool alone) {
    static const struct weir_service *const pairs[CYCLE_VERSIONS][3] = {
        {&left_1, &right_1, NULL}, {&left_2, &right_2, NULL}, {&left_3, &right_3, NULL}};
    static const struct weir_service *const lefts[CYCLE_VERSIONS][2] = {
        {&left_1, NULL}, {&left_2, NULL}, {&left_3, NULL}};
    return alone ? lefts[version - 1] : pairs[version - 1];
}
