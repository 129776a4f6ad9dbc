/* host/test_services.h: two services that the host's tests run: `left` and `right` emit into each other.
 *
 * A command {op, hops, key, amount} adds to one of 64 counters, puts out the new total and replies with it; while hops
 * > 0 it also emits the same with one hop less to the other service. What a fold saw is hashed in order, so that two
 * instances that differ anywhere differ here.
 */
#ifndef WEIR_HOST_TEST_SERVICES_H
#define WEIR_HOST_TEST_SERVICES_H
#include "base/bytes.h"
#include "base/hash.h"

#include <weir/service.h>

enum test_op { OP_ADD = 1, OP_TIMER, OP_CANCEL, OP_SILENT, OP_WIDE, OP_CHANCE, OP_CRASH };
struct test_value {
    uint32_t op, hops;
    uint64_t key, amount;
};
struct test_output {
    uint64_t key, total, seen;
    uint32_t kind, op;
};
struct test_state {
    uint64_t counters[64];
    uint64_t seen, digest, limit, settings_seen, timers_seen, emits_seen;
};
/* Set by a test: makes the fold depend on what is not in the log, as no fold may. */
static uint64_t test_chance;
/* Set by a test: OP_CRASH crashes the process. */
static bool test_crash;

static size_t test_state_bytes(const struct weir_setting_value *settings) {
    (void)settings;
    return sizeof(struct test_state);
}
static enum weir_error test_open(const struct weir_open *open, void **ret_state) {
    struct test_state *s = open->memory;
    s->limit = open->settings[1].number;
    *ret_state = s;
    return WEIR_OK;
}

static void test_put(
    struct test_state *s, const struct weir_record *r, struct weir_out *out, uint64_t key, uint32_t op) {
    struct test_output o = {.key = key, .total = s->counters[key % 64], .seen = s->seen, .kind = r->kind, .op = op};
    memcpy(weir_output(out, 1, (uint16_t)op, key, sizeof o, NULL), &o, sizeof o);
}

static void test_apply(void *state, const struct weir_record *r, struct weir_out *out) {
    struct test_state *s = state;
    struct digest d = {s->digest};
    s->seen++;
    digest_u64(&d, r->kind);
    digest_bytes(&d, r->value.data, r->value.size);
    s->digest = d.state;
    if (r->kind == WEIR_RECORD_SETTINGS) {
        s->settings_seen++;
        s->limit = weir_settings(out)[1].number;
        return;
    }
    if (r->kind == WEIR_RECORD_TIMER) {
        s->timers_seen++;
        s->counters[r->timer_id % 64]++;
        test_put(s, r, out, r->timer_id, OP_TIMER);
        return;
    }
    struct test_value v;
    if (r->value.size < sizeof v) return;
    memcpy(&v, r->value.data, sizeof v);
    if (v.op == OP_CRASH && test_crash) __builtin_trap();
    if (r->kind == WEIR_RECORD_EMIT) s->emits_seen++;
    if (v.op == OP_TIMER)
        weir_timer_set(out, v.key, r->time_ns + v.amount);
    else if (v.op == OP_CANCEL)
        weir_timer_cancel(out, v.key);
    else
        s->counters[v.key % 64] += v.amount + (v.op == OP_CHANCE ? test_chance : 0);
    if (v.op != OP_SILENT) test_put(s, r, out, v.key, v.op);
    if (v.op == OP_WIDE) {
        test_put(s, r, out, v.key, v.op);
        memset(weir_output(out, 2, 9, v.key, (size_t)v.amount, NULL), (int)v.key, (size_t)v.amount);
    }
    if (v.hops > 0) {
        struct test_value e = v;
        e.hops--;
        memcpy(weir_emit(out, 0, (uint16_t)v.op, v.key + v.hops, sizeof e), &e, sizeof e);
    }
    if (r->kind == WEIR_RECORD_COMMAND && v.op != OP_SILENT) {
        uint8_t *reply = weir_reply(out, 201, 8);
        store_le64(reply, s->counters[v.key % 64]);
    }
}

static enum weir_error test_save(const void *state, struct weir_sink *sink) {
    return weir_sink_put(sink, state, sizeof(struct test_state));
}
static enum weir_error test_load(void *state, struct weir_source *source) {
    return weir_source_get(source, state, sizeof(struct test_state));
}
static uint64_t test_digest(const void *state) {
    const struct test_state *s = state;
    uint64_t sum = s->digest;
    for (int i = 0; i < 64; i++)
        sum = hash_u64(s->counters[i], sum);
    return sum;
}
static __attribute__((unused)) enum weir_error test_query(
    const void *state, const struct weir_request *request, struct weir_answer *answer) {
    (void)request;
    void *room = weir_answer_room(answer, sizeof(struct test_state));
    memcpy(room, state, sizeof(struct test_state));
    weir_answer_commit(answer, sizeof(struct test_state));
    return WEIR_OK;
}

static const struct weir_setting test_settings[] = {
    {"partitions", WEIR_SETTING_UINT, "2", 1, 64, "Input partitions."},
    {"limit", WEIR_SETTING_UINT, "7", 0, 0, "Folded.", .folded = true},
    {0},
};
static const struct weir_record_type test_types[] = {{1, "any", "Anything."}, {0}};
static const struct weir_topic left_topics[] = {
    {"left.in", WEIR_TOPIC_INPUT, test_types, "Commands."},
    {"left.out", WEIR_TOPIC_OUTPUT, test_types, "Totals."},
    {"left.wide", WEIR_TOPIC_OUTPUT, test_types, "Bytes."},
    {0},
};
static const struct weir_topic right_topics[] = {
    {"right.in", WEIR_TOPIC_INPUT, test_types, "Commands."},
    {"right.out", WEIR_TOPIC_OUTPUT, test_types, "Totals."},
    {"right.wide", WEIR_TOPIC_OUTPUT, test_types, "Bytes."},
    {0},
};
static const struct weir_emit_row left_emits[] = {{"right", "Hops."}, {0}};
static const struct weir_emit_row right_emits[] = {{"left", "Hops."}, {0}};

#define TEST_SERVICE(name_, topics_, emits_)                                                                           \
    {                                                                                                                  \
        .name = name_, .summary = "Tests.", .version = 1, .version_replays = 1, .partitions_setting = "partitions",    \
        .settings = test_settings, .topics = topics_, .emits = emits_, .output_bytes_max = 4096, .emits_max = 1,       \
        .state_bytes = test_state_bytes, .open = test_open, .apply = test_apply, .save = test_save, .load = test_load, \
        .digest = test_digest,                                                                                         \
    }
static struct weir_service left_service = TEST_SERVICE("left", left_topics, left_emits);
static struct weir_service right_service = TEST_SERVICE("right", right_topics, right_emits);
static const struct weir_service *const test_services[] = {&left_service, &right_service, NULL};

#endif
