#include "sim/cycle.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "cycle.pb-c.h"

struct state {
    uint64_t counters[CYCLE_COUNTERS];
    uint64_t seen, digest;
};

static enum weir_error encode(const struct weir_request *request, struct weir_command *ret) {
    const Weir__Sim__Step *m = request->message;
    struct cycle_step *step = weir_scratch(request, sizeof *step);
    if (m->op < 1 || m->op >= CYCLE_OP_END || (m->op == CYCLE_WIDE && m->amount > CYCLE_WIDE_MAX))
        return weir_error_context(WEIR_E_INVALID, "no such step");
    *step = (struct cycle_step){m->id, m->op, m->hops, m->key, m->amount};
    *ret = (struct weir_command){
        .partition = (uint32_t)(m->key % request->partition_count), .type = 1, .value = weir_slice(step, sizeof *step)};
    return WEIR_OK;
}

static enum weir_error decode(uint16_t status, struct weir_slice value, struct weir_answer *answer) {
    (void)status;
    Weir__Sim__Total total = WEIR__SIM__TOTAL__INIT;
    total.total = load_le64(value.data);
    void *room = weir_answer_room(answer, weir__sim__total__get_packed_size(&total));
    weir_answer_commit(answer, weir__sim__total__pack(&total, room));
    return WEIR_OK;
}

static void put(struct state *s, const struct weir_record *r, const struct cycle_step *step, struct weir_out *out) {
    struct cycle_output o = {step->id, step->key, s->counters[step->key % CYCLE_COUNTERS], s->seen, r->kind, step->op};
    memcpy(weir_output(out, CYCLE_OUT, 1, step->key, sizeof o, NULL), &o, sizeof o);
}

static void take_step(struct state *s, uint32_t version, const struct weir_record *r, const struct cycle_step *step,
    struct weir_out *out) {
    if (step->op == CYCLE_TIMER)
        weir_timer_set(out, step->key, r->time_ns + step->amount);
    else if (step->op == CYCLE_CANCEL)
        weir_timer_cancel(out, step->key);
    else
        s->counters[step->key % CYCLE_COUNTERS] += cycle_amount(version, step);
    put(s, r, step, out);
    if (step->op == CYCLE_WIDE)
        memset(weir_output(out, CYCLE_WIDE_OUT, 2, step->key, (size_t)step->amount, NULL), (int)step->key,
            (size_t)step->amount);
    if (step->hops > 0) {
        struct cycle_step next = *step;
        next.hops--;
        next.key += step->hops;
        memcpy(weir_emit(out, 0, 1, next.key, sizeof next), &next, sizeof next);
    }
    if (r->kind == WEIR_RECORD_COMMAND) store_le64(weir_reply(out, 200, 8), s->counters[step->key % CYCLE_COUNTERS]);
}

static void apply(void *state, uint32_t version, const struct weir_record *r, struct weir_out *out) {
    struct state *s = state;
    struct digest d = {s->digest};
    s->seen++;
    digest_u64(&d, r->kind);
    digest_bytes(&d, r->value.data, r->value.size);
    s->digest = d.state;
    if (r->kind == WEIR_RECORD_TIMER) {
        const struct cycle_step fired = {.key = r->timer_id};
        s->counters[r->timer_id % CYCLE_COUNTERS]++;
        put(s, r, &fired, out);
    } else if (r->value.size == sizeof(struct cycle_step)) {
        struct cycle_step step;
        memcpy(&step, r->value.data, sizeof step);
        take_step(s, version, r, &step, out);
    }
}

static void apply_1(void *state, const struct weir_record *record, struct weir_out *out) {
    apply(state, 1, record, out);
}
static void apply_2(void *state, const struct weir_record *record, struct weir_out *out) {
    apply(state, 2, record, out);
}
static size_t state_bytes(const struct weir_setting_value *settings) {
    (void)settings;
    return sizeof(struct state);
}
static enum weir_error open_state(const struct weir_open *open, void **ret_state) {
    *ret_state = open->memory;
    return WEIR_OK;
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
    {"partitions", WEIR_SETTING_UINT, "2", 1, 16, "Input partitions."},
    {0},
};
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

#define SERVICE(name_, version_, topics_, emits_, routes_)                                                             \
    {                                                                                                                  \
        .abi = WEIR_SERVICE_ABI, .name = name_, .summary = "Of the simulator.", .version = version_,                   \
        .version_replays = version_, .partitions_setting = "partitions", .settings = settings, .topics = topics_,      \
        .emits = emits_, .routes = routes_, .output_bytes_max = 4096, .emits_max = 1, .state_bytes = state_bytes,      \
        .open = open_state, .apply = apply_##version_, .save = save, .load = load, .digest = digest,                   \
    }
static const struct weir_service left_1 = SERVICE("left", 1, left_topics, left_emits, left_routes);
static const struct weir_service right_1 = SERVICE("right", 1, right_topics, right_emits, right_routes);
static const struct weir_service left_2 = SERVICE("left", 2, left_topics, left_emits, left_routes);
static const struct weir_service right_2 = SERVICE("right", 2, right_topics, right_emits, right_routes);

const struct weir_service *const *cycle_services(uint32_t version) {
    static const struct weir_service *const pairs[2][3] = {{&left_1, &right_1, NULL}, {&left_2, &right_2, NULL}};
    return pairs[version - 1];
}
