/* What would break users of the rings: a message lost, doubled, torn, reordered, or one that never fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/prng.h"
#include "base/ring.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define TRANSFERS 200000

static void slot_ring_in_lock_step_with_a_counter_pair(void **state) {
    (void)state;
    uint64_t memory[8];
    for (size_t slots = 1; slots <= 8; slots *= 2) {
        struct slot_ring r;
        struct prng p = prng_seed(slots);
        slot_ring_init(&r, memory, sizeof(uint64_t), slots);
        uint64_t written = 0, read = 0, item;
        for (int i = 0; i < 20000; i++) {
            assert_int_equal(slot_ring_count(&r), written - read);
            assert_int_equal(slot_ring_room(&r), slots - (written - read));
            if (prng_chance(&p, 1, 2)) {
                assert_int_equal(slot_ring_push(&r, &written), written - read < slots);
                written += written - read < slots;
                continue;
            }
            bool there = read < written;
            assert_int_equal(slot_ring_pop(&r, &item), there);
            if (there) assert_int_equal(item, read++);
        }
    }
}

static void slot_ring_batches_appear_at_commit(void **state) {
    (void)state;
    uint64_t memory[4];
    struct slot_ring r;
    slot_ring_init(&r, memory, sizeof(uint64_t), 4);
    for (uint64_t i = 0; i < 4; i++)
        *(uint64_t *)slot_ring_reserve(&r, i) = i;
    assert_null(slot_ring_reserve(&r, 4));
    assert_null(slot_ring_peek(&r, 0));
    slot_ring_commit(&r, 3);
    assert_int_equal(*(const uint64_t *)slot_ring_peek(&r, 2), 2);
    assert_null(slot_ring_peek(&r, 3));
    slot_ring_release(&r, 2);
    assert_int_equal(*(const uint64_t *)slot_ring_peek(&r, 0), 2);
    assert_int_equal(slot_ring_room(&r), 3);
}

/* A message whose every byte follows from its number. */
static size_t message_fill(uint64_t number, size_t max, uint8_t *out) {
    size_t size = (size_t)((number * 2654435761u) % (max + 1));
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(number + i * 7);
    return size;
}

static void message_check(struct weir_slice m, uint32_t tag, uint64_t number, size_t max) {
    uint8_t expected[600];
    size_t size = message_fill(number, max, expected);
    assert_int_equal(tag, (uint32_t)number & 0xffff);
    assert_int_equal((uintptr_t)m.data % 8, 0);
    assert_int_equal(m.size, size);
    if (size) assert_memory_equal(m.data, expected, size);
}

static void byte_ring_in_lock_step_with_a_queue(void **state) {
    (void)state;
    for (size_t bytes = 64; bytes <= 1024; bytes *= 2) {
        uint8_t *memory = aligned_alloc(64, bytes);
        struct byte_ring r;
        byte_ring_init(&r, memory, bytes);
        size_t max = byte_ring_message_max(&r);
        assert_int_equal(max, bytes / 2 - 8);
        struct prng p = prng_seed(bytes);
        uint64_t sent = 0, taken = 0;
        uint8_t text[600];
        for (int i = 0; i < 30000; i++) {
            struct weir_slice m;
            uint32_t tag;
            if (prng_chance(&p, 1, 2)) {
                size_t size = message_fill(sent, max, text);
                bool certain = byte_ring_room(&r, size) > 0 || sent == taken;
                bool done = byte_ring_send(&r, weir_slice(text, size), (uint32_t)sent & 0xffff);
                assert_true(done || !certain);
                sent += done;
            } else if (byte_ring_peek(&r, &m, &tag)) {
                message_check(m, tag, taken, max);
                assert_true(byte_ring_bytes_used(&r) >= m.size + 8);
                byte_ring_release(&r);
                taken++;
            } else {
                assert_int_equal(sent, taken);
                assert_int_equal(byte_ring_bytes_used(&r), 0);
            }
        }
        assert_true(taken > 1000);
        free(memory);
    }
}

static void byte_ring_room_is_a_promise(void **state) {
    (void)state;
    uint64_t memory[32];
    struct byte_ring r;
    struct prng p = prng_seed(4);
    byte_ring_init(&r, memory, sizeof memory);
    for (int round = 0; round < 3000; round++) {
        size_t size = prng_below(&p, 60), n = byte_ring_room(&r, size);
        for (size_t i = 0; i < n; i++) {
            void *place = byte_ring_reserve(&r, prng_below(&p, size + 1));
            assert_non_null(place);
            byte_ring_commit(&r, 0, 1); /* less than reserved is fine */
        }
        struct weir_slice m;
        uint32_t tag;
        for (uint64_t k = prng_below(&p, 20); k > 0 && byte_ring_peek(&r, &m, &tag); k--)
            byte_ring_release(&r);
    }
}

static void *slot_writer(void *arg) {
    struct slot_ring *r = arg;
    for (uint64_t i = 0; i < TRANSFERS;) {
        uint64_t *slot = slot_ring_reserve(r, 0);
        if (!slot) {
            sched_yield();
            continue;
        }
        slot[0] = i;
        slot[1] = ~i;
        slot_ring_commit(r, 1);
        i++;
    }
    return NULL;
}

static void slot_ring_between_threads_keeps_order(void **state) {
    (void)state;
    static uint64_t memory[2 * 64];
    struct slot_ring r;
    slot_ring_init(&r, memory, 2 * sizeof(uint64_t), 64);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, slot_writer, &r), 0);
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < TRANSFERS;) {
        const uint64_t *slot = slot_ring_peek(&r, 0);
        if (!slot) {
            sched_yield();
            continue;
        }
        wrong += slot[0] != i || slot[1] != ~i;
        slot_ring_release(&r, 1);
        i++;
    }
    pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
    assert_int_equal(slot_ring_count(&r), 0);
}

static void *byte_writer_thread(void *arg) {
    struct byte_ring *r = arg;
    uint8_t text[600];
    for (uint64_t i = 0; i < TRANSFERS;) {
        size_t size = message_fill(i, 100, text);
        if (byte_ring_send(r, weir_slice(text, size), (uint32_t)i & 0xffff))
            i++;
        else
            sched_yield();
    }
    return NULL;
}

static void byte_ring_between_threads_keeps_messages_whole(void **state) {
    (void)state;
    static uint64_t memory[128];
    struct byte_ring r;
    byte_ring_init(&r, memory, sizeof memory);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, byte_writer_thread, &r), 0);
    for (uint64_t i = 0; i < TRANSFERS;) {
        struct weir_slice m;
        uint32_t tag;
        if (!byte_ring_peek(&r, &m, &tag)) {
            sched_yield();
            continue;
        }
        message_check(m, tag, i, 100);
        byte_ring_release(&r);
        i++;
    }
    pthread_join(thread, NULL);
    assert_int_equal(byte_ring_bytes_used(&r), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slot_ring_in_lock_step_with_a_counter_pair),
        cmocka_unit_test(slot_ring_batches_appear_at_commit),
        cmocka_unit_test(byte_ring_in_lock_step_with_a_queue),
        cmocka_unit_test(byte_ring_room_is_a_promise),
        cmocka_unit_test(slot_ring_between_threads_keeps_order),
        cmocka_unit_test(byte_ring_between_threads_keeps_messages_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
