/* Which requests are traced, what is written of them, and what happens when there is no room. */
#include "sys/sim.h"
#include "trace/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"

struct world {
    struct sys *sys;
    struct tracer *tracer;
    struct trace_lane *lane;
};

static void open_world(struct world *w, bool follows, double ratio) {
    const struct sys_sim_plan plan = {.seed = 3};
    assert_int_equal(sys_sim_new(&plan, &w->sys), WEIR_OK);
    const struct trace_options options = {.sys = w->sys, .lanes = 2, .queue_bytes = 1};
    assert_int_equal(trace_open(&options, &w->tracer), WEIR_OK);
    trace_set(w->tracer, &(struct trace_sampling){.on = true, .follows = follows, .ratio = ratio});
    w->lane = trace_lane(w->tracer, 1);
}

static void close_world(struct world *w) {
    trace_close(w->tracer);
    sys_sim_free(w->sys);
}

static struct trace_request *begin(struct world *w, const char *parent, uint32_t parents, const char *state) {
    struct trace_headers h = {.parent = weir_slice_text(parent), .parents = parents};
    if (state) h.states[h.state_count++] = weir_slice_text(state);
    return trace_request_begin(w->lane, &h, 5);
}

static void a_request_follows_its_parent(void **state) {
    (void)state;
    struct world w;
    open_world(&w, true, 0);
    assert_null(begin(&w, "", 0, NULL));
    assert_null(begin(&w, PARENT "00", 1, NULL));
    assert_null(begin(&w, PARENT "01", 2, NULL)); /* which of them? */
    assert_null(begin(&w, "garbage", 1, NULL));
    struct trace_request *r = begin(&w, PARENT "03", 1, "a=1");
    assert_non_null(r);
    assert_int_equal(r->link.trace_id[0], 0x4b);
    assert_int_equal(r->parent_id[7], 0xb7);
    assert_memory_not_equal(r->link.span_id, r->parent_id, sizeof r->parent_id);
    assert_int_equal(r->flags, 3);
    assert_memory_equal(r->state, "a=1", r->state_size);
    assert_int_equal(r->state_size, 3);
    trace_request_end(w.lane, r, 9);
    struct weir_slice message;
    uint32_t tag;
    assert_true(byte_ring_peek(&w.lane->ring, &message, &tag));
    assert_int_equal(tag, TRACE_REQUEST);
    const struct trace_request *written = (const void *)message.data;
    assert_int_equal(written->begin_ns, 5);
    assert_int_equal(written->end_ns, 9);
    assert_int_equal(message.size, offsetof(struct trace_request, state) + 3);
    close_world(&w);
    open_world(&w, true, 1);
    assert_null(begin(&w, PARENT "00", 1, NULL)); /* its client said no */
    close_world(&w);
}

static void a_client_that_is_not_trusted_begins_no_trace_and_ends_none(void **state) {
    (void)state;
    struct world w;
    open_world(&w, false, 0);
    assert_null(begin(&w, PARENT "01", 1, NULL));
    close_world(&w);
    open_world(&w, false, 1);
    struct trace_request *r = begin(&w, PARENT "00", 1, "a=1");
    assert_non_null(r);
    assert_true(weir_trace_link_is_set(&r->link));
    assert_memory_not_equal(r->link.trace_id, "\x4b\xf9\x2f\x35", 4);
    assert_int_equal(r->parent_id[7] | r->state_size, 0);
    assert_int_equal(r->flags, WEIR_TRACE_FLAG_SAMPLED | WEIR_TRACE_FLAG_RANDOM);
    close_world(&w);
}

static void a_share_of_those_without_a_parent_is_traced(void **state) {
    (void)state;
    struct world w;
    open_world(&w, true, 0.1);
    uint32_t traced = 0;
    uint8_t last[WEIR_TRACE_ID_SIZE] = {0};
    for (int i = 0; i < 20000; i++) {
        struct trace_request *r = begin(&w, "", 0, NULL);
        if (!r) continue;
        assert_memory_not_equal(r->link.trace_id, last, sizeof last);
        memcpy(last, r->link.trace_id, sizeof last);
        traced++;
        trace_request_end(w.lane, r, 6);
    }
    assert_true(traced > 1800 && traced < 2200); /* of 2000: five standard deviations, by a fixed seed */
    close_world(&w);
}

static void what_finds_no_room_is_counted_and_what_follows_goes_on(void **state) {
    (void)state;
    struct world w;
    open_world(&w, true, 1);
    static struct trace_request *open[TRACE_OPEN_MAX];
    for (uint32_t i = 0; i < TRACE_OPEN_MAX; i++)
        assert_non_null(open[i] = begin(&w, "", 0, NULL));
    assert_null(begin(&w, "", 0, NULL));
    assert_int_equal(metric_get(&w.lane->metrics.dropped_open), 1);
    for (uint32_t i = 0; i < TRACE_OPEN_MAX; i++)
        trace_request_end(w.lane, open[i], 6);
    uint64_t written = metric_get(&w.lane->metrics.spans), lost = metric_get(&w.lane->metrics.dropped_full);
    assert_int_equal(written + lost, TRACE_OPEN_MAX);
    assert_true(written > 0 && lost > 0);
    trace_record(w.lane, &(struct trace_record){.offset = 1, .apply_ns = 1});
    struct weir_slice message;
    uint32_t tag;
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(byte_ring_peek(&w.lane->ring, &message, &tag));
        byte_ring_release(&w.lane->ring);
    }
    uint64_t before = metric_get(&w.lane->metrics.spans);
    trace_record(w.lane, &(struct trace_record){.offset = 1, .apply_ns = 1});
    assert_int_equal(metric_get(&w.lane->metrics.spans), before + TRACE_SPANS_PER_RECORD);
    close_world(&w);
}

static void the_span_of_a_record_is_a_function_of_its_cause_and_place(void **state) {
    (void)state;
    struct weir_trace_link cause = {.trace_id = {1}, .span_id = {2}}, other = {.trace_id = {1}, .span_id = {3}};
    struct weir_trace_link a = trace_record_link(&cause, 4, 5), b = trace_record_link(&cause, 4, 5);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_equal(a.trace_id, cause.trace_id, sizeof a.trace_id);
    b = trace_record_link(&cause, 4, 6);
    assert_memory_not_equal(a.span_id, b.span_id, sizeof a.span_id);
    b = trace_record_link(&cause, 5, 5);
    assert_memory_not_equal(a.span_id, b.span_id, sizeof a.span_id);
    b = trace_record_link(&other, 4, 5);
    assert_memory_not_equal(a.span_id, b.span_id, sizeof a.span_id);
    /* Of the format: emits in a log name these. */
    static const uint8_t known[WEIR_SPAN_ID_SIZE] = {0x77, 0xd9, 0x8c, 0xfe, 0x57, 0x47, 0xfb, 0x0a};
    assert_memory_equal(a.span_id, known, sizeof known);
}

static void a_node_without_a_tracer_traces_nothing(void **state) {
    (void)state;
    assert_null(trace_lane(NULL, 3));
    assert_false(trace_is_on(NULL));
    trace_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_follows_its_parent),
        cmocka_unit_test(a_client_that_is_not_trusted_begins_no_trace_and_ends_none),
        cmocka_unit_test(a_share_of_those_without_a_parent_is_traced),
        cmocka_unit_test(what_finds_no_room_is_counted_and_what_follows_goes_on),
        cmocka_unit_test(the_span_of_a_record_is_a_function_of_its_cause_and_place),
        cmocka_unit_test(a_node_without_a_tracer_traces_nothing),
    };
    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
