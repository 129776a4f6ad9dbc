#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "host/delivery.h"
#include "host/envelope.h"
#include "host/outbox.h"
#include "host/sources.h"

#include <stdlib.h>

static struct log_record record_of(const uint8_t *bytes, size_t size) {
    return (struct log_record){
        .time_ms = 77, .header_key = weir_slice(ENVELOPE_KEY, 1), .header_value = weir_slice(bytes, size)};
}

static void an_envelope_comes_back_as_it_was_and_cut_ones_are_refused(void **state) {
    (void)state;
    struct prng prng = prng_seed(1);
    uint8_t key[ENVELOPE_KEY_BYTES_MAX], bytes[ENVELOPE_SIZE_MAX];
    for (int i = 0; i < 2000; i++) {
        prng_bytes(&prng, key, sizeof key);
        struct envelope e = {.kind = (uint8_t)(prng_chance(&prng, 1, 7) ? ENVELOPE_ORDER : prng_below(&prng, 6)),
            .type = (uint16_t)prng_next(&prng),
            .time_ns = prng_next(&prng)};
        if (e.kind == WEIR_RECORD_EMIT)
            e.source = (struct envelope_source){(uint32_t)prng_next(&prng), 3, prng_next(&prng), 9};
        if (e.kind == WEIR_RECORD_TIMER) e.timer_id = prng_next(&prng);
        if (e.kind == WEIR_RECORD_SKIP) e.skip = prng_next(&prng);
        if (e.kind == WEIR_RECORD_RESULT || e.kind == ENVELOPE_ORDER) e.effect = prng_next(&prng);
        if (e.kind == WEIR_RECORD_RESULT) e.attempt = (uint32_t)prng_next(&prng);
        if (e.kind == ENVELOPE_ORDER) e.order = e.row = (uint8_t)prng_next(&prng);
        if (prng_chance(&prng, 1, 2)) {
            e.key = weir_slice(key, prng_between(&prng, 1, sizeof key));
            e.body_hash[0] = prng_next(&prng);
            e.body_hash[1] = prng_next(&prng);
        }
        if (prng_chance(&prng, 1, 2)) prng_bytes(&prng, &e.trace, sizeof e.trace);
        size_t size = envelope_store(&e, bytes);
        assert_true(size <= sizeof bytes);
        struct log_record record = record_of(bytes, size);
        struct envelope back;
        assert_int_equal(envelope_load(&record, &back), WEIR_OK);
        assert_int_equal(back.kind, e.kind);
        assert_int_equal(back.type, e.type);
        assert_int_equal(back.time_ns, e.time_ns);
        assert_int_equal(back.timer_id, e.timer_id);
        assert_int_equal(back.skip, e.skip);
        assert_int_equal(back.effect, e.effect);
        assert_int_equal(back.attempt, e.attempt);
        assert_int_equal(back.order, e.order);
        assert_int_equal(back.row, e.row);
        assert_int_equal(back.source.offset, e.source.offset);
        assert_int_equal(back.source.uid, e.source.uid);
        assert_true(weir_slice_equal(back.key, e.key));
        assert_int_equal(back.body_hash[1], e.body_hash[1]);
        assert_memory_equal(&back.trace, &e.trace, sizeof e.trace);
        assert_int_equal(envelope_is_traced(&record), weir_trace_link_is_set(&e.trace));
        for (size_t cut = 0; cut < size; cut += 1 + size / 20) {
            record.header_value.size = cut;
            assert_int_equal(envelope_load(&record, &back), WEIR_E_INVALID);
        }
    }
    uint8_t unknown[] = {1 | 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    struct log_record later = record_of(unknown, sizeof unknown);
    struct envelope none;
    assert_int_equal(envelope_load(&later, &none), WEIR_E_INVALID); /* a flag of a later version */
    struct log_record plain = {.time_ms = 5};
    struct envelope back;
    assert_int_equal(envelope_load(&plain, &back), WEIR_OK); /* a client of the log wrote it */
    assert_int_equal(back.kind, WEIR_RECORD_COMMAND);
    assert_int_equal(back.time_ns, 5000000);
}

static void keys_that_differ_in_any_part_differ_when_packed(void **state) {
    (void)state;
    uint8_t a[ENVELOPE_KEY_BYTES_MAX], b[ENVELOPE_KEY_BYTES_MAX];
    const char *parts[][3] = {{"a", "b", "c"}, {"ab", "", "c"}, {"a", "bc", ""}, {"", "ab", "c"}, {"a", "b", "d"}};
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++) {
            size_t x = envelope_pack_key(
                weir_slice_text(parts[i][0]), weir_slice_text(parts[i][1]), weir_slice_text(parts[i][2]), a);
            size_t y = envelope_pack_key(
                weir_slice_text(parts[j][0]), weir_slice_text(parts[j][1]), weir_slice_text(parts[j][2]), b);
            assert_int_equal(weir_slice_equal(weir_slice(a, x), weir_slice(b, y)), i == j);
        }
    uint8_t large[ENVELOPE_KEY_BYTES_MAX] = {0};
    assert_int_equal(
        envelope_pack_key(weir_slice_text("a"), weir_slice_text("b"), weir_slice(large, sizeof large), a), 0);
}

static void a_source_is_seen_up_to_its_mark_and_an_epoch_begins_anew(void **state) {
    (void)state;
    struct sources sources = {0};
    struct envelope_source s = {.uid = 4, .epoch = 1, .offset = 10, .index = 1};
    assert_false(sources_seen(&sources, &s));
    sources_raise(&sources, &s);
    assert_true(sources_seen(&sources, &s));
    s.index = 2;
    assert_false(sources_seen(&sources, &s));
    s.offset = 9;
    assert_true(sources_seen(&sources, &s));
    s.epoch = 2; /* offsets given anew */
    assert_false(sources_seen(&sources, &s));
    sources_raise(&sources, &s);
    s.epoch = 1;
    s.offset = 1000;
    assert_true(sources_seen(&sources, &s)); /* of a past that is gone */
    for (uint32_t uid = 0; uid < 5000; uid++)
        sources_raise(&sources, &(struct envelope_source){.uid = uid, .epoch = 3, .offset = uid});
    uint32_t place = 0, count = 0;
    while (sources_each(&sources, &place, &s)) {
        assert_int_equal(s.offset, s.uid);
        count++;
    }
    assert_int_equal(count, 5000);
    sources_done(&sources);
}

static void an_outbox_gives_room_back_in_order_whatever_the_order_of_acks(void **state) {
    (void)state;
    struct prng prng = prng_seed(5);
    struct outbox outbox;
    assert_int_equal(outbox_init(&outbox, 1), WEIR_OK);
    uint64_t waiting[64], offset = 0, tag = 0;
    uint32_t count = 0;
    for (int step = 0; step < 20000; step++) {
        if (outbox_fits(&outbox, 1) && prng_chance(&prng, 1, 2)) {
            size_t size = prng_below(&prng, 10) ? prng_below(&prng, 300) : prng_below(&prng, EMIT_BYTES_MAX);
            struct outbox_entry *e = outbox_add(&outbox, size);
            e->source.offset = offset++;
            memset(outbox_value(e), (int)e->source.offset, size);
        }
        if (prng_chance(&prng, 1, 3)) outbox.released = outbox.tail;
        uint64_t position;
        const struct outbox_entry *next = count < 64 ? outbox_next(&outbox, &position) : NULL;
        if (next) {
            assert_int_equal(next->source.offset, tag++); /* each once, in order */
            if (next->value_size)
                assert_int_equal(
                    outbox_value(outbox_at(&outbox, position))[next->value_size - 1], (uint8_t)next->source.offset);
            waiting[count++] = position;
            outbox_sent(&outbox);
        }
        if (count && prng_chance(&prng, 1, 2)) {
            uint32_t i = (uint32_t)prng_below(&prng, count);
            uint64_t at = waiting[i];
            waiting[i] = waiting[--count];
            uint64_t mine = outbox_at(&outbox, at)->source.offset;
            assert_true(outbox_acked_below(&outbox, offset) <= mine);
            outbox_acked(&outbox, at);
        }
        assert_true(outbox.tail - outbox.head <= outbox.size);
    }
    outbox_done(&outbox);
}

static void a_delivery_survives_the_ring(void **state) {
    (void)state;
    struct host_delivery d = {.kind = HOST_RECORD,
        .origin = {1, 2, 3, 4, 5},
        .text = "why",
        .status = 404,
        .record = {.offset = 9,
            .time_ns = 8,
            .kind = 6,
            .type = 7,
            .key = weir_slice_text("key"),
            .value = weir_slice_text("value")}};
    uint64_t bytes[64];
    assert_true(delivery_size(&d) <= sizeof bytes);
    delivery_store(&d, bytes);
    struct host_delivery back;
    delivery_load(bytes, &back);
    assert_string_equal(back.text, "why");
    assert_int_equal(back.record.type, 7);
    assert_int_equal(back.origin.correlation, 5);
    assert_true(weir_slice_equal(back.record.key, d.record.key));
    assert_true(weir_slice_equal(back.record.value, d.record.value));
    d.record.key = (struct weir_slice){0}; /* null, which is not empty */
    d.record.value = weir_slice("", 0);
    delivery_store(&d, bytes);
    delivery_load(bytes, &back);
    assert_null(back.record.key.data);
    assert_non_null(back.record.value.data);
    d = (struct host_delivery){.kind = HOST_REPLY, .value = weir_slice_text("v"), .error = WEIR_E_FULL};
    delivery_store(&d, bytes);
    delivery_load(bytes, &back);
    assert_string_equal(back.text, "");
    assert_int_equal(back.error, WEIR_E_FULL);
    assert_true(weir_slice_equal(back.value, d.value));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_envelope_comes_back_as_it_was_and_cut_ones_are_refused),
        cmocka_unit_test(keys_that_differ_in_any_part_differ_when_packed),
        cmocka_unit_test(a_source_is_seen_up_to_its_mark_and_an_epoch_begins_anew),
        cmocka_unit_test(an_outbox_gives_room_back_in_order_whatever_the_order_of_acks),
        cmocka_unit_test(a_delivery_survives_the_ring),
    };
    return cmocka_run_group_tests_name("host envelope", tests, NULL, NULL);
}
