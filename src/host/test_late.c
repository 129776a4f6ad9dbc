/* Replies that come later than the apply of their command, on the simulated world. */
#include "host/test_world.h"

enum { OP_LATER = 20, OP_ANSWER }; /* waits; answers who waits for the ticket in `amount` */

static uint64_t settings_seen;

static void late_apply(void *state, const struct weir_record *r, struct weir_out *out) {
    struct test_value v;
    if (r->kind == WEIR_RECORD_SETTINGS && !weir_replaying(out)) settings_seen++;
    if (r->kind != WEIR_RECORD_COMMAND || r->value.size < sizeof v) return;
    memcpy(&v, r->value.data, sizeof v);
    ((struct test_state *)state)->seen++;
    if (v.op == OP_LATER) {
        assert_true(weir_reply_later(out) == r->offset);
        return;
    }
    store_le64(weir_reply_to(out, v.amount, 202, 8), v.key);
    store_le64(weir_reply(out, 201, 8), 0);
}

static struct test_value later(void) {
    return (struct test_value){OP_LATER, 0, 0, 0};
}
static struct test_value answer(uint64_t ticket, uint64_t value) {
    return (struct test_value){OP_ANSWER, 0, value, ticket};
}
/* The offset that the next command will have. */
static uint64_t next_offset(struct world *w) {
    return world_partition(w, 0, 0)->fold.applied;
}

static void a_late_reply_reaches_its_sender_once_its_cause_is_durable(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 1);
    world_open(&w, 4);
    world_run(&w);
    uint64_t ticket = next_offset(&w);
    must(world_send(&w, 3, 0, 0, later(), 1)); /* from another lane than the partition's */
    world_run(&w);
    assert_null(world_reply(&w, 1));
    must(world_send(&w, 2, 0, 0, answer(ticket, 77), 2));
    uint32_t owner = world_partition(&w, 0, 0)->lane->index;
    for (int i = 0; i < 4; i++) {
        host_lane_work(w.lanes[owner], 0); /* applied; the journal's agent has not run */
        host_lane_work(w.lanes[3], 0);
    }
    assert_null(world_reply(&w, 1));
    world_run(&w);
    assert_int_equal(world_reply(&w, 2)->status, 201);
    assert_int_equal(world_reply(&w, 1)->status, 202);
    assert_int_equal(world_reply(&w, 1)->total, 77);
    assert_int_equal(world_reply(&w, 1)->lane, 3);
    size_t count = w.delivery_count;
    must(world_send(&w, 0, 0, 0, answer(ticket, 78), 3)); /* nobody waits any more */
    world_run(&w);
    assert_int_equal(w.delivery_count, count + 1);
    world_stop(&w);
    world_done(&w);
}

static void after_any_restart_a_settings_record_says_that_nobody_waits(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 2);
    for (int clean = 0; clean < 2; clean++) {
        world_open(&w, 1);
        world_run(&w);
        uint64_t ticket = next_offset(&w);
        must(world_send(&w, 0, 0, 0, later(), 1));
        world_run(&w);
        uint64_t seen = settings_seen;
        if (clean)
            world_stop(&w);
        else
            world_crash(&w, true);
        size_t count = w.delivery_count;
        world_open(&w, 1);
        world_run(&w);
        assert_true(settings_seen > seen);
        must(world_send(&w, 0, 0, 0, answer(ticket, 5), 2));
        world_run(&w);
        assert_int_equal(w.delivery_count, count + 1); /* the answerer's own reply */
        world_stop(&w);
    }
    world_done(&w);
}

static void who_waits_hears_of_the_end_when_the_edge_drains(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 3);
    world_open(&w, 2);
    world_run(&w);
    uint64_t ticket = next_offset(&w);
    for (uint64_t i = 0; i < 100; i++)
        must(world_send(&w, (uint32_t)(i % 2), 0, 0, later(), 100 + i));
    world_run(&w);
    host_late_end(w.host);
    world_run(&w);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(world_reply(&w, 100 + i)->error, WEIR_E_CLOSED);
    size_t count = w.delivery_count;
    must(world_send(&w, 0, 0, 0, later(), 300)); /* would begin to wait */
    world_run(&w);
    assert_int_equal(world_reply(&w, 300)->error, WEIR_E_CLOSED);
    /* What the fold gives to one that was told comes out all the same, for the edge to give back. */
    must(world_send(&w, 0, 0, 0, answer(ticket, 9), 301));
    world_run(&w);
    assert_int_equal(w.delivery_count, count + 3);
    world_stop(&w);
    world_done(&w);
}

static void a_key_whose_request_waits_is_not_remembered_and_its_duplicate_is_told(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 4);
    world_open(&w, 1);
    world_run(&w);
    uint64_t ticket = next_offset(&w);
    must(world_send_once(&w, 0, 0, 0, later(), 1));
    must(world_send_once(&w, 0, 0, 0, later(), 1)); /* joins it before it is applied */
    world_run(&w);
    assert_int_equal(w.delivery_count, 1);
    assert_int_equal(world_reply(&w, 1)->error, WEIR_E_AGAIN);
    must(world_send(&w, 0, 0, 0, answer(ticket, 6), 2));
    world_run(&w);
    assert_int_equal(world_reply(&w, 1)->total, 6);
    must(world_send_once(&w, 0, 0, 0, later(), 1)); /* a new request, which waits */
    size_t count = w.delivery_count;
    world_run(&w);
    assert_int_equal(w.delivery_count, count);
    world_stop(&w);
    world_done(&w);
}

static void the_table_is_bounded_and_forgets_nobody(void **state) {
    (void)state;
    struct late late;
    must(late_init(&late, 7));
    struct host_origin origin = {0}, got;
    for (uint64_t i = 0; i < LATE_MAX; i++) {
        origin.correlation = i;
        assert_true(late_add(&late, 3 * i, &origin));
    }
    assert_false(late_add(&late, 1, &origin));
    uint64_t ticket;
    assert_true(late_tell(&late, &ticket, &got));
    late_untold(&late, ticket);
    for (uint64_t i = 0; i < LATE_MAX; i += 2) {
        assert_true(late_take(&late, 3 * i, &got));
        assert_int_equal(got.correlation, i);
        assert_false(late_take(&late, 3 * i, &got));
    }
    uint32_t told = 0;
    while (late_tell(&late, &ticket, &got))
        told++;
    assert_int_equal(told, LATE_MAX / 2);
    for (uint64_t i = 1; i < LATE_MAX; i += 2)
        assert_true(late_take(&late, 3 * i, &got)); /* told or not */
    assert_int_equal(late_count(&late), 0);
    late_done(&late);
}

int main(void) {
    left_service.apply = late_apply;
    left_service.replies_max = 4;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_reply_reaches_its_sender_once_its_cause_is_durable),
        cmocka_unit_test(after_any_restart_a_settings_record_says_that_nobody_waits),
        cmocka_unit_test(who_waits_hears_of_the_end_when_the_edge_drains),
        cmocka_unit_test(a_key_whose_request_waits_is_not_remembered_and_its_duplicate_is_told),
        cmocka_unit_test(the_table_is_bounded_and_forgets_nobody),
    };
    return cmocka_run_group_tests_name("late", tests, NULL, NULL);
}
