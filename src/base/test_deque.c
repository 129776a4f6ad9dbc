/* What would break users of the deque: an item lost or taken twice, an owner that does not get its newest, a thief that
 * does not get the oldest, full that is not said or said too early. test_explore_deque.c has the interleavings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/deque.h"
#include "base/prng.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define TRANSFERS 200000
#define THIEVES   2

static void the_owner_gets_its_newest_and_a_thief_the_oldest(void **state) {
    (void)state;
    uint64_t slots[4], item;
    struct deque d;
    deque_init(&d, slots, 4);
    assert_false(deque_pop(&d, &item));
    assert_int_equal(deque_steal(&d, &item), DEQUE_EMPTY);
    for (uint64_t i = 1; i <= 4; i++)
        assert_true(deque_push(&d, i));
    assert_false(deque_push(&d, 5));
    assert_int_equal(deque_count(&d), 4);
    assert_int_equal(deque_steal(&d, &item), DEQUE_ITEM);
    assert_int_equal(item, 1);
    assert_true(deque_pop(&d, &item));
    assert_int_equal(item, 4);
    assert_true(deque_push(&d, 5) && deque_push(&d, 6));
    assert_false(deque_push(&d, 7));
    for (uint64_t i = 6; i >= 2; i = i == 5 ? 3 : i - 1) {
        assert_true(deque_pop(&d, &item));
        assert_int_equal(item, i);
    }
    assert_false(deque_pop(&d, &item));
    assert_int_equal(deque_count(&d), 0);
}

static void in_lock_step_with_an_array(void **state) {
    (void)state;
    for (size_t size = 1; size <= 16; size *= 2) {
        uint64_t slots[16], model[20000], item;
        struct deque d;
        struct prng p = prng_seed(size);
        deque_init(&d, slots, size);
        size_t first = 0, end = 0;
        for (uint64_t i = 0; i < 20000; i++) {
            assert_int_equal(deque_count(&d), end - first);
            uint64_t what = prng_below(&p, 4);
            if (what < 2) {
                assert_int_equal(deque_push(&d, i), end - first < size);
                if (end - first < size) model[end++] = i;
            } else if (what == 2) {
                assert_int_equal(deque_pop(&d, &item), end > first);
                if (end > first) assert_int_equal(item, model[--end]);
            } else {
                assert_int_equal(deque_steal(&d, &item), end > first ? DEQUE_ITEM : DEQUE_EMPTY);
                if (end > first) assert_int_equal(item, model[first++]);
            }
        }
    }
}

/* An item is a pointer to a job; whoever gets it counts it there without an atomic operation, so that ThreadSanitizer
 * sees an item that two took, and one whose content was not there yet. */
struct job {
    uint64_t number, done;
};
struct load {
    struct deque d;
    struct job *jobs;
    uint64_t started, wrong[THIEVES + 1];
};
struct thief {
    struct load *load;
    size_t index;
    uint64_t taken;
};

static void work(struct load *load, size_t worker, uint64_t item) {
    struct job *job = (struct job *)(uintptr_t)item;
    load->wrong[worker] +=
        job < load->jobs || job >= load->jobs + TRANSFERS || job->number != (uint64_t)(job - load->jobs);
    job->done++;
}

static void *thief_main(void *arg) {
    struct thief *t = arg;
    for (;;) {
        uint64_t item;
        switch (deque_steal(&t->load->d, &item)) {
        case DEQUE_ITEM:
            work(t->load, t->index, item);
            t->taken++;
            break;
        case DEQUE_EMPTY:
            if (__atomic_load_n(&t->load->started, __ATOMIC_ACQUIRE) == TRANSFERS && deque_count(&t->load->d) == 0)
                return NULL;
            sched_yield();
            break;
        case DEQUE_LOST:
            break;
        }
    }
}

static void between_threads_every_item_is_taken_once(void **state) {
    (void)state;
    for (size_t slots = 2; slots <= 64; slots *= 8) { /* 2 is full and empty all the time */
        struct load *load = calloc(1, sizeof *load);
        uint64_t *memory = calloc(slots, sizeof *memory), popped = 0, item;
        struct thief thieves[THIEVES];
        pthread_t threads[THIEVES];
        load->jobs = calloc(TRANSFERS, sizeof *load->jobs);
        deque_init(&load->d, memory, slots);
        for (size_t i = 0; i < THIEVES; i++) {
            thieves[i] = (struct thief){load, i + 1, 0};
            assert_int_equal(pthread_create(&threads[i], NULL, thief_main, &thieves[i]), 0);
        }
        struct prng p = prng_seed(slots);
        for (uint64_t i = 0; i < TRANSFERS;) {
            load->jobs[i].number = i;
            if (deque_push(&load->d, (uintptr_t)&load->jobs[i]))
                i++;
            else
                sched_yield();
            if (prng_chance(&p, 1, 2) && deque_pop(&load->d, &item)) work(load, 0, item), popped++;
        }
        __atomic_store_n(&load->started, TRANSFERS, __ATOMIC_RELEASE);
        while (deque_pop(&load->d, &item))
            work(load, 0, item), popped++;
        uint64_t total = popped, wrong = load->wrong[0];
        for (size_t i = 0; i < THIEVES; i++) {
            pthread_join(threads[i], NULL);
            total += thieves[i].taken;
            wrong += load->wrong[i + 1];
        }
        assert_int_equal(total, TRANSFERS);
        for (size_t i = 0; i < TRANSFERS; i++)
            wrong += load->jobs[i].done != 1;
        assert_int_equal(wrong, 0);
        free(load->jobs);
        free(memory);
        free(load);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owner_gets_its_newest_and_a_thief_the_oldest),
        cmocka_unit_test(in_lock_step_with_an_array),
        cmocka_unit_test(between_threads_every_item_is_taken_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
