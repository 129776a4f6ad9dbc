/* What lanes write down of a command that is traced: its record, the records it emits to other services and lanes, and
 * when; and what of it survives a crash. */
#include "host/test_world.h"
#include "host/traced.h"

#define LANES 2u

static const struct weir_trace_link request = {.trace_id = {1, 2, 3}, .span_id = {4, 5, 6}};

static void tracer_open(struct world *w, bool on) {
    const struct trace_options options = {.sys = w->sys, .lanes = LANES, .queue_bytes = 64 << 10};
    must(trace_open(&options, &w->tracer));
    trace_set(w->tracer, &(struct trace_sampling){.on = on, .follows = true, .ratio = 0});
}

static void send_traced(struct world *w, struct test_value value) {
    struct host_command command = {.service = 0,
        .command = {.partition = 0, .type = (uint16_t)value.op, .value = weir_slice(&value, sizeof value)},
        .origin = {.lane = 1, .correlation = 7},
        .trace = request,
        .wants_reply = true};
    must(host_submit(w->lanes[1], &command)); /* one of the two lanes is not the partition's */
}

static size_t take(struct world *w, struct trace_record *out, size_t max) {
    size_t count = 0;
    for (uint32_t i = 0; i < LANES; i++) {
        struct byte_ring *ring = &trace_lane(w->tracer, i)->ring;
        struct weir_slice message;
        uint32_t tag;
        for (; byte_ring_peek(ring, &message, &tag); byte_ring_release(ring)) {
            assert_int_equal(tag, TRACE_RECORD);
            assert_true(count < max);
            memcpy(&out[count++], message.data, sizeof *out);
        }
    }
    return count;
}

/* The record that this one led to, among those taken. */
static const struct trace_record *caused_by(
    const struct weir_trace_link *cause, const struct trace_record *records, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (memcmp(&records[i].cause, cause, sizeof *cause) == 0) return &records[i];
    return NULL;
}

static void assert_in_order(const struct trace_record *r) {
    assert_true(r->appended_ns <= r->submitted_ns && r->submitted_ns <= r->durable_ns);
    assert_true(r->durable_ns <= r->released_ns && r->apply_ns <= r->applied_ns && r->applied_ns <= r->released_ns);
    assert_true(r->appended_ns <= r->apply_ns && r->appended_ns > 0 && r->commit_records >= 1);
}

/* Returns the lanes that had a part in it. */
static uint32_t follow(const struct trace_record *records, size_t count) {
    struct weir_trace_link cause = request;
    uint32_t lanes = 0;
    for (size_t i = 0; i < count; i++) {
        const struct trace_record *r = caused_by(&cause, records, count);
        if (!r) fail_msg("record %zu of the chain is missing", i);
        assert_in_order(r);
        assert_int_equal(r->is_emit, i > 0);
        assert_string_equal(r->service, i % 2 ? "right" : "left");
        assert_string_equal(r->topic, i % 2 ? "right.in" : "left.in");
        lanes |= 1u << r->uid % LANES;
        cause = trace_record_link(&r->cause, r->uid, r->offset);
    }
    return lanes;
}

static void a_traced_command_and_all_it_emits_are_one_chain_with_times_in_order(void **state) {
    (void)state;
    struct world w;
    struct trace_record records[16];
    uint32_t lanes = 0;
    world_init(&w, 1);
    tracer_open(&w, true);
    world_open(&w, LANES);
    for (uint32_t key = 0; key < 8; key++) {
        for (uint32_t i = 0; i < 10; i++)
            must(world_send(&w, i % 2, i / 2 % 2, i % 2, (struct test_value){OP_ADD, 1, i, 1}, i)); /* not traced */
        send_traced(&w, (struct test_value){OP_ADD, 5, key, 2});
        world_run(&w);
        size_t count = take(&w, records, 16);
        assert_int_equal(count, 6);
        lanes |= follow(records, count);
    }
    assert_int_equal(lanes, 3);
    world_stop(&w);
    trace_close(w.tracer);
    world_done(&w);
}

static void while_tracing_is_off_nothing_is_written_but_the_record_keeps_its_cause(void **state) {
    (void)state;
    struct world w;
    struct trace_record records[4];
    world_init(&w, 2);
    tracer_open(&w, false);
    world_open(&w, LANES);
    send_traced(&w, (struct test_value){OP_ADD, 0, 1, 2});
    world_run(&w);
    assert_int_equal(w.delivery_count, 1);
    assert_int_equal(take(&w, records, 4), 0);
    world_stop(&w);
    trace_close(w.tracer);
    world_done(&w);
}

/* Emits in the log of `right` whose envelope is traced; each must name the record of `left` that caused it. */
static uint32_t emits_that_name_their_cause(struct world *w) {
    static uint8_t bytes[64 << 10];
    uint32_t found = 0;
    const struct host_partition *left = &w->host->partitions[w->host->services[0].first];
    for (uint32_t p = 0; p < 2; p++) {
        struct log_partition *log = w->host->services[1].topics[0]->partitions[p];
        size_t size;
        must(log_read(w->log, log, 0, true, bytes, sizeof bytes, &size));
        for (size_t at = 0; at < size;) {
            struct batch_reader reader;
            struct batch_header header;
            struct batch_record record;
            must(batch_open(&reader, weir_slice(bytes + at, size - at), &header));
            while (batch_next(&reader, &record)) {
                struct envelope e;
                must(envelope_load(&record.record, &e));
                if (e.kind != WEIR_RECORD_EMIT) continue;
                struct weir_trace_link cause = trace_record_link(&request, left->log->uid, e.source.offset);
                assert_memory_equal(&e.trace, &cause, sizeof cause);
                found++;
            }
            at += header.size;
        }
    }
    return found;
}

static void an_emit_that_is_derived_again_after_a_crash_names_the_same_cause_and_a_replay_traces_nothing(void **state) {
    (void)state;
    uint32_t derived = 0;
    for (uint32_t step = 1; step <= 60; step++) {
        struct world w;
        struct trace_record records[16];
        world_init(&w, step);
        tracer_open(&w, true);
        world_open(&w, LANES);
        send_traced(&w, (struct test_value){OP_ADD, 1, 1, 2});
        sys_sim_run(w.sys, step); /* dies at some point on the way */
        take(&w, records, 16);
        world_crash(&w, true);
        world_open(&w, LANES);
        world_run(&w);
        size_t count = take(&w, records, 16);
        for (size_t i = 0; i < count; i++)
            assert_true(records[i].is_emit); /* the command itself was replayed */
        uint32_t emits = emits_that_name_their_cause(&w);
        assert_true(emits <= 1 && count <= emits);
        derived += count > 0;
        world_crash(&w, true);
        trace_close(w.tracer);
        world_done(&w);
    }
    assert_true(derived > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_traced_command_and_all_it_emits_are_one_chain_with_times_in_order),
        cmocka_unit_test(while_tracing_is_off_nothing_is_written_but_the_record_keeps_its_cause),
        cmocka_unit_test(an_emit_that_is_derived_again_after_a_crash_names_the_same_cause_and_a_replay_traces_nothing),
    };
    return cmocka_run_group_tests_name("host traced", tests, NULL, NULL);
}
