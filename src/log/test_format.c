/* The formats and tables by themselves: frames, producers, checkpoint, catalogue, segment names and marks. */
#include "log/catalogue.h"
#include "log/journal_format.h"
#include "log/test_world.h"

static void a_frame_is_found_whole_and_no_flipped_bit_passes(void **state) {
    (void)state;
    enum { PAYLOAD = 5000 };
    uint8_t *frame = malloc((size_t)frame_bytes(PAYLOAD));
    struct prng prng = prng_seed(1);
    struct frame_header h = {.sequence = 9,
                            .epoch = {3, 77},
                            .previous_crc = 5,
                            .payload_bytes = PAYLOAD,
                            .entry_count = 1},
                        got;
    prng_bytes(&prng, frame, (size_t)frame_bytes(PAYLOAD));
    assert_int_equal(log_frame_seal(frame, &h), 2 * JOURNAL_BLOCK);
    struct weir_slice bytes = weir_slice(frame, 2 * JOURNAL_BLOCK);
    assert_int_equal(log_frame_look(bytes, &h.epoch, &got), FRAME_GOOD);
    assert_int_equal(got.sequence, 9);
    assert_int_equal(got.crc, h.crc);
    for (size_t i = FRAME_HEADER_SIZE + PAYLOAD; i < 2 * JOURNAL_BLOCK; i++)
        assert_int_equal(frame[i], 0);
    for (size_t bit = 0; bit < (FRAME_HEADER_SIZE + PAYLOAD) * 8; bit += bit < 512 ? 1 : 97) {
        frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_true(log_frame_look(bytes, &h.epoch, &got) != FRAME_GOOD);
        frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t size = 0; size < FRAME_HEADER_SIZE + PAYLOAD; size += 13) {
        uint8_t *cut = malloc(size + 1); /* of exactly that size: reading on would be seen */
        memcpy(cut, frame, size);
        assert_true(log_frame_look(weir_slice(cut, size), &h.epoch, &got) != FRAME_GOOD);
        free(cut);
    }
    struct journal_epoch other = {3, 78};
    assert_int_equal(log_frame_look(bytes, &other, &got), FRAME_NONE);
    free(frame);
}

static void entries_come_back_and_a_cut_one_ends_the_walk(void **state) {
    (void)state;
    uint8_t bytes[200];
    size_t size = log_frame_entry_put(bytes, 7, weir_slice_text("first"));
    size += log_frame_entry_put(bytes + size, 8, weir_slice_text("second one"));
    for (size_t cut = 0; cut <= size; cut++) {
        struct weir_slice payload = weir_slice(bytes, cut), batch;
        uint32_t uid = 0, count = 0;
        while (log_frame_entry_next(&payload, &uid, &batch))
            count++;
        assert_int_equal(count, cut < 13 ? 0 : cut < size ? 1 : 2);
        assert_int_equal(payload.size == 0, cut == 0 || cut == 13 || cut == size);
    }
}

static struct weir_record_batch producer_batch(
    int64_t id, int16_t epoch, int32_t sequence, int32_t count, int64_t offset) {
    return (struct weir_record_batch){.producer_id = id,
        .producer_epoch = epoch,
        .base_sequence = sequence,
        .last_offset_delta = count - 1,
        .record_count = count,
        .base_offset = offset};
}

static void the_last_five_batches_are_duplicates_and_sequences_wrap(void **state) {
    (void)state;
    struct producer_table t = {0};
    uint64_t offset = 0;
    int32_t sequence = INT32_MAX - 7;
    for (int i = 0; i < 8; i++) {
        struct weir_record_batch b = producer_batch(1, 0, sequence, 3, i * 3);
        must(log_producer_check(&t, &b, &offset));
        must(log_producer_note(&t, &b));
        sequence = (int32_t)(((uint32_t)sequence + 3) & INT32_MAX);
    }
    for (int i = 0; i < 8; i++) {
        int32_t first = (int32_t)(((uint32_t)INT32_MAX - 7 + 3 * (uint32_t)i) & INT32_MAX);
        struct weir_record_batch b = producer_batch(1, 0, first, 3, 0);
        enum weir_error e = log_producer_check(&t, &b, &offset);
        assert_int_equal(e, i < 3 ? WEIR_E_OUT_OF_SEQUENCE : WEIR_E_DUPLICATE);
        if (i >= 3) assert_int_equal(offset, i * 3);
    }
    struct weir_record_batch newer = producer_batch(1, 1, 5, 1, 0), first = producer_batch(1, 1, 0, 1, 24);
    assert_int_equal(log_producer_check(&t, &newer, &offset), WEIR_E_OUT_OF_SEQUENCE);
    must(log_producer_check(&t, &first, &offset));
    must(log_producer_note(&t, &first));
    struct weir_record_batch older = producer_batch(1, 0, 0, 1, 0);
    assert_int_equal(log_producer_check(&t, &older, &offset), WEIR_E_FENCED);
    log_producer_table_done(&t);
}

static void the_producer_that_was_quiet_longest_is_forgotten_and_the_rest_survive_encoding(void **state) {
    (void)state;
    struct producer_table t = {0}, copy = {0};
    uint64_t offset = 0;
    for (int64_t id = 0; id < PRODUCERS_MAX + 10; id++) {
        struct weir_record_batch b = producer_batch(id, 0, 0, 1, id);
        must(log_producer_note(&t, &b));
    }
    assert_int_equal(t.count, PRODUCERS_MAX);
    size_t size = log_producer_table_encoded_size(&t);
    uint8_t *bytes = malloc(size);
    struct byte_writer w = byte_writer(bytes, size);
    log_producer_table_encode(&t, &w);
    assert_true(!w.failed && w.at == size);
    for (size_t cut = 0; cut < size; cut += 101) {
        struct byte_reader r = byte_reader(weir_slice(bytes, cut));
        assert_int_equal(log_producer_table_decode(&copy, &r), WEIR_E_CORRUPT);
    }
    struct byte_reader r = byte_reader(weir_slice(bytes, size));
    must(log_producer_table_decode(&copy, &r));
    for (int64_t id = 0; id < PRODUCERS_MAX + 10; id++) {
        struct weir_record_batch b = producer_batch(id, 0, 0, 1, 0);
        assert_int_equal(log_producer_check(&copy, &b, &offset), id < 10 ? WEIR_OK : WEIR_E_DUPLICATE);
    }
    log_producer_table_done(&t);
    log_producer_table_done(&copy);
    free(bytes);
}

/* A log with topics, rows and producers; its checkpoint and catalogue with every bit flipped in turn. */
static void no_flipped_bit_or_cut_of_checkpoint_and_catalogue_passes(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 3);
    must(world_open(&w));
    for (int i = 0; i < 5; i++) {
        world_commit(&w, 10);
        world_run(&w);
    }
    log_stop(w.log);
    static const char *const names[] = {"data/checkpoint", "data/catalogue"};
    for (int which = 0; which < 2; which++) {
        struct weir_slice bytes;
        must(sys_read_all(w.sys, names[which], 1 << 20, &bytes));
        uint8_t *data = (uint8_t *)(uintptr_t)bytes.data;
        for (size_t bit = 0; bit <= bytes.size * 8; bit++) {
            struct checkpoint c;
            struct catalogue_header h;
            bool whole = bit == bytes.size * 8;
            if (!whole) data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            enum weir_error e =
                which ? log_catalogue_decode(bytes, &h, NULL, NULL) : log_checkpoint_decode(bytes, &c, NULL, NULL);
            assert_int_equal(e, whole ? WEIR_OK : WEIR_E_CORRUPT);
            if (!whole) data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t size = 0; size < bytes.size; size++) {
            struct checkpoint c;
            struct catalogue_header h;
            struct weir_slice cut = weir_slice(bytes.data, size);
            enum weir_error e =
                which ? log_catalogue_decode(cut, &h, NULL, NULL) : log_checkpoint_decode(cut, &c, NULL, NULL);
            assert_int_equal(e, WEIR_E_CORRUPT);
        }
        sys_bytes_free(bytes);
    }
    world_done(&w);
}

static void names_are_parsed_strictly(void **state) {
    (void)state;
    char name[SEGMENT_NAME_SIZE];
    uint64_t base = 0;
    uint32_t number = 0;
    log_segment_name(1234567890123456789ull, name);
    assert_string_equal(name, "01234567890123456789.log");
    assert_true(log_segment_name_parse(name, &base));
    assert_int_equal(base, 1234567890123456789ull);
    assert_false(log_segment_name_parse("1.log", &base));
    assert_false(log_segment_name_parse("01234567890123456789.log2", &base));
    assert_false(log_segment_name_parse("99999999999999999999.log", &base));
    assert_true(log_journal_name_parse("J-00000042", &number));
    assert_int_equal(number, 42);
    assert_false(log_journal_name_parse("J-0000004", &number));
    assert_false(log_journal_name_parse("J-000000420", &number));
    assert_true(log_catalogue_name_valid("a.B-c_9"));
    assert_false(log_catalogue_name_valid(""));
    assert_false(log_catalogue_name_valid("."));
    assert_false(log_catalogue_name_valid("a~b"));
}

/* Marks are never wrong, whatever order they are left in. */
static void a_mark_is_always_at_or_before_the_offset_wanted(void **state) {
    (void)state;
    struct prng prng = prng_seed(4);
    struct segment s = {.base = 100};
    uint64_t bytes[400]; /* batch i has offset 100 + i and begins at bytes[i] */
    bytes[0] = 0;
    for (int i = 1; i < 400; i++)
        bytes[i] = bytes[i - 1] + 1 + prng_below(&prng, 60000);
    for (int i = 0; i < 2000; i++) {
        uint64_t k = prng_below(&prng, 400), wanted = prng_below(&prng, 400);
        log_segment_note(&s, 100 + k, bytes[k]);
        struct segment_mark m = log_segment_find(&s, 100 + wanted);
        assert_true(m.offset <= 100 + wanted && m.byte == bytes[m.offset - 100]);
    }
    for (uint32_t i = 1; i < s.mark_count; i++)
        assert_true(s.marks[i].byte >= s.marks[i - 1].byte + SEGMENT_MARK_BYTES);
    assert_true(s.mark_count > 20);
    free(s.marks);
}

static void more_segments_than_open_files_are_read_and_written(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 6);
    w.options.segment_bytes = 1024;
    must(world_open(&w));
    w.log->cache.open_max = 3;
    for (int i = 0; i < 40; i++) {
        world_commit(&w, 20);
        world_run(&w);
    }
    world_check(&w);
    assert_true(w.log->cache.open_count <= 3);
    sys_sim_fail_at(w.sys, SYS_SIM_OPEN, 1, WEIR_E_FULL); /* the process has no more handles: some are given back */
    assert_true(world_commit(&w, 20));
    world_run(&w);
    world_check(&w);
    world_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_found_whole_and_no_flipped_bit_passes),
        cmocka_unit_test(entries_come_back_and_a_cut_one_ends_the_walk),
        cmocka_unit_test(the_last_five_batches_are_duplicates_and_sequences_wrap),
        cmocka_unit_test(the_producer_that_was_quiet_longest_is_forgotten_and_the_rest_survive_encoding),
        cmocka_unit_test(no_flipped_bit_or_cut_of_checkpoint_and_catalogue_passes),
        cmocka_unit_test(names_are_parsed_strictly),
        cmocka_unit_test(a_mark_is_always_at_or_before_the_offset_wanted),
        cmocka_unit_test(more_segments_than_open_files_are_read_and_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
