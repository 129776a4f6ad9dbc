/* An output that is kept in memory: after a restart it is derived again, from the last snapshot on, at the same
 * offsets. */
#include "host/test_world.h"

static const struct weir_topic memory_topics[] = {
    {"left.in", WEIR_TOPIC_INPUT, test_types, "Commands."},
    {"left.out", WEIR_TOPIC_OUTPUT, test_types, "Totals.", .in_memory = true},
    {"left.wide", WEIR_TOPIC_OUTPUT, test_types, "Bytes."},
    {0},
};
static const struct weir_topic wrong_topics[] = {
    {"left.in", WEIR_TOPIC_INPUT, test_types, "Commands.", .in_memory = true},
    {"left.out", WEIR_TOPIC_OUTPUT, test_types, "Totals."},
    {"left.wide", WEIR_TOPIC_OUTPUT, test_types, "Bytes."},
    {0},
};

static struct log_partition *output(struct world *w) {
    return log_topic_find(w->log, "left.out")->partitions[0];
}

/* The record's bytes at an offset, as a hash; 0: not there. */
static uint64_t record_at(struct world *w, uint64_t offset) {
    static uint8_t bytes[1 << 20];
    size_t size = 0;
    struct batch_reader reader;
    struct batch_header header;
    struct batch_record record;
    if (offset < atomic_load(&output(w)->start)) return 0;
    must(log_read(w->log, output(w), offset, true, bytes, sizeof bytes, &size));
    must(batch_open(&reader, weir_slice(bytes, size), &header));
    while (batch_next(&reader, &record))
        if (record.offset == offset) return hash_bytes(record.record.value.data, record.record.value.size, 1) | 1;
    return 0;
}

static void send_some(struct world *w, uint64_t from, uint64_t count) {
    for (uint64_t i = from; i < from + count; i++)
        must(world_send(w, 0, 0, 0, (struct test_value){OP_ADD, 0, i, 1 + i}, i));
    world_run(w);
}

static void an_output_in_memory_is_derived_again(void **state) {
    (void)state;
    struct world w;
    left_service.topics = memory_topics;
    world_init(&w, 3);
    world_open(&w, 1);
    send_some(&w, 0, 100);
    world_stop(&w); /* with a snapshot */
    world_open(&w, 1);
    uint64_t behind = output(&w)->next;
    assert_true(behind >= 100);
    assert_int_equal(atomic_load(&output(&w)->start), behind); /* what the snapshot has behind it is gone */
    send_some(&w, 100, 100);
    uint64_t end = output(&w)->next;
    uint64_t before = record_at(&w, behind + 50);
    assert_true(end >= behind + 100 && before != 0);
    world_crash(&w, false);
    world_open(&w, 1);
    world_run(&w);
    assert_int_equal(atomic_load(&output(&w)->start), behind);
    assert_true(output(&w)->next >= end);
    assert_int_equal(record_at(&w, behind + 50), before); /* the same record at its offset */
    bool exists = true;
    must(w.sys->path_exists(w.sys, "data/topics/left.out", &exists));
    assert_false(exists);
    world_stop(&w);
    world_done(&w);
    left_service.topics = left_topics;
}

static void what_a_topic_is_kept_in_stays_as_it_was_made(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 4);
    world_open(&w, 1);
    world_stop(&w);
    left_service.topics = memory_topics;
    assert_int_equal(world_try(&w, 1), WEIR_E_CONFIG);
    assert_non_null(strstr(weir_error_text(), "durability"));
    left_service.topics = wrong_topics;
    assert_int_equal(world_try(&w, 1), WEIR_E_CONFIG);
    assert_non_null(strstr(weir_error_text(), "replayed"));
    left_service.topics = left_topics;
    world_open(&w, 1);
    world_stop(&w);
    world_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_output_in_memory_is_derived_again),
        cmocka_unit_test(what_a_topic_is_kept_in_stays_as_it_was_made),
    };
    return cmocka_run_group_tests_name("host memory", tests, NULL, NULL);
}
