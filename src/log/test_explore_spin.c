/* The spin lock in every interleaving: two holders at once, what one holder wrote and the next does not see, a waiter
 * that waits for ever. */
#define WEIR_EXPLORE
#include "base/test_explored.h"

#include "log/spin.h"

static struct spin lock;
static uint64_t guarded;

static void begin(void) {
    lock = (struct spin){0};
    guarded = 0;
}
static void add_once(void) {
    spin_lock(&lock);
    explore_write(&guarded, sizeof guarded);
    guarded++;
    spin_unlock(&lock);
}
static void add_twice(void) {
    add_once();
    add_once();
}
static void two_added(void) {
    EXPLORE_CHECK(guarded == 2);
}
static void three_added(void) {
    EXPLORE_CHECK(guarded == 3);
}
static void four_added(void) {
    EXPLORE_CHECK(guarded == 4);
}

static const struct explore_case two = {"spin-two", begin, {add_once, add_once}, two_added, false};
static const struct explore_case three = {"spin-three", begin, {add_once, add_once, add_once}, three_added, false};
static const struct explore_case again = {"spin-again", begin, {add_twice, add_twice}, four_added, false};

static void one_holds_it_and_sees_what_the_one_before_wrote(void **state) {
    (void)state;
    explored(&two);
    explored(&three);
    explored(&again);
}

static void every_order_of_the_lock_is_needed(void **state) {
    (void)state;
    static const struct explore_case *const cases[] = {&two, &three};
    explored_orders("spin_", cases, sizeof cases / sizeof cases[0], NULL, 0);
}

static void add_after_looking(void) {
    while (atomics_load(&lock.held, ACQUIRE))
        atomics_spin();
    (void)atomics_exchange(&lock.held, true, ACQUIRE);
    explore_write(&guarded, sizeof guarded);
    guarded++;
    spin_unlock(&lock);
}
static void add_and_keep(void) {
    spin_lock(&lock);
    guarded++;
}

static void wrong_locks_are_found(void **state) {
    (void)state;
    explored_fault(
        &(struct explore_case){"look, then take", begin, {add_after_looking, add_after_looking}, NULL, false}, "race");
    explored_fault(
        &(struct explore_case){"never unlocked", begin, {add_and_keep, add_once}, NULL, false}, "nobody is left");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_holds_it_and_sees_what_the_one_before_wrote),
        cmocka_unit_test(every_order_of_the_lock_is_needed),
        cmocka_unit_test(wrong_locks_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
