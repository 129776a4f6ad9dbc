/* The deque in every interleaving of small cases: an item taken twice, lost, or taken before what it points to is
 * there. Beside it the paper's form with fences, which the same cases accept, and forms that are wrong. */
#define WEIR_EXPLORE
#include "base/test_explored.h"

#include "base/deque.c"
#include "base/deque.h"

#define ITEMS_MAX 8

static struct deque d;
static uint64_t memory[4];
static uint64_t payload[ITEMS_MAX + 1];                   /* what item i points to: 10 i */
static uint8_t taken[EXPLORE_THREADS_MAX][ITEMS_MAX + 1]; /* how often each thread got each item */
static uint64_t pushed;                                   /* items 1 .. pushed */
static bool answers[EXPLORE_THREADS_MAX];                 /* a thief got DEQUE_ITEM or DEQUE_EMPTY at least once */

static void begin(size_t slots) {
    deque_init(&d, memory, slots);
    memset(payload, 0, sizeof payload);
    memset(taken, 0, sizeof taken);
    memset(answers, 0, sizeof answers);
    pushed = 0;
}
static bool push(void) {
    explore_write(&payload[pushed + 1], 8);
    payload[pushed + 1] = 10 * (pushed + 1);
    bool done = deque_push(&d, pushed + 1);
    pushed += done;
    return done;
}
static void got(unsigned thread, uint64_t item) {
    EXPLORE_CHECK(item > 0 && item <= ITEMS_MAX);
    explore_read(&payload[item], 8);
    EXPLORE_CHECK(payload[item] == 10 * item);
    taken[thread][item]++;
}
static bool pop(void) {
    uint64_t item;
    if (!deque_pop(&d, &item)) return false;
    got(0, item);
    return true;
}
static void steal(unsigned thread) {
    uint64_t item;
    enum deque_answer answer = deque_steal(&d, &item);
    if (answer == DEQUE_ITEM) got(thread, item);
    answers[thread] |= answer != DEQUE_LOST;
}

/* Whatever is still there is popped; then every item was taken exactly once. */
static void each_once(void) {
    uint64_t item;
    while (deque_pop(&d, &item))
        got(0, item);
    EXPLORE_CHECK(deque_count(&d) == 0);
    for (uint64_t i = 1; i <= ITEMS_MAX; i++)
        EXPLORE_CHECK(taken[0][i] + taken[1][i] + taken[2][i] == (i <= pushed));
}
/* One thief alone never loses twice for one item: a lost race means that somebody won. */
static void somebody_wins(void) {
    EXPLORE_CHECK(answers[1] || answers[2] || taken[0][1]);
    each_once();
}

static void one_slot(void) {
    begin(1);
}
static void two_slots(void) {
    begin(2);
}
static void four_slots(void) {
    begin(4);
}
static void two_slots_one_item(void) {
    begin(2);
    (void)push();
}
static void four_slots_two_items(void) {
    begin(4);
    (void)push(), (void)push();
}

static void push_pop(void) {
    (void)push();
    (void)pop();
}
static void push_push_pop_pop(void) {
    (void)push(), (void)push();
    (void)pop(), (void)pop();
}
static void push_pop_twice(void) {
    push_pop();
    push_pop();
}
static void pop_once(void) {
    (void)pop();
}
static void pop_twice(void) {
    (void)pop();
    (void)pop();
}
static void pop_push_pop(void) {
    (void)pop();
    (void)push();
    (void)pop();
}
/* Four items through two slots: the owner pops when it is full. */
static void push_through(void) {
    for (int i = 0; i < 4; i++)
        if (!push()) {
            (void)pop();
            (void)push();
        }
}
/* Full is believed when it is said, and there is room again only after a thief has taken one. */
static void push_when_room(void) {
    for (int i = 0; i < 3; i++)
        while (!push())
            atomics_spin();
}

#define THIEF(name, thread, times)                                                                                     \
    static void name(void) {                                                                                           \
        for (int i = 0; i < (times); i++)                                                                              \
            steal(thread);                                                                                             \
    }
THIEF(steal_1, 1, 1)
THIEF(steal_2, 2, 1)
THIEF(steal_1_twice, 1, 2)
static void steal_three(void) {
    for (uint64_t item, i = 0; i < 3;) {
        enum deque_answer answer = deque_steal(&d, &item);
        EXPLORE_CHECK(answer != DEQUE_LOST); /* nobody else takes */
        if (answer == DEQUE_EMPTY) {
            atomics_spin();
            continue;
        }
        EXPLORE_CHECK(item == ++i); /* oldest first */
        got(1, item);
    }
}

static const struct explore_case last = {"deque-last", two_slots_one_item, {pop_once, steal_1}, somebody_wins, false};
static const struct explore_case last_two_thieves = {
    "deque-last-two-thieves", two_slots_one_item, {pop_once, steal_1, steal_2}, somebody_wins, false};
static const struct explore_case two_items = {
    "deque-two-items", four_slots_two_items, {pop_twice, steal_1, steal_2}, each_once, false};
static const struct explore_case push_and_pop = {
    "deque-push-pop", four_slots, {push_push_pop_pop, steal_1_twice}, each_once, false};
static const struct explore_case push_and_pop_two_thieves = {
    "deque-push-pop-two-thieves", four_slots, {push_pop, steal_1, steal_2}, each_once, false};
static const struct explore_case emptied = {
    "deque-emptied", two_slots, {push_pop_twice, steal_1_twice}, each_once, false};
static const struct explore_case refilled = {
    "deque-refilled", two_slots_one_item, {pop_push_pop, steal_1, steal_2}, each_once, false};
static const struct explore_case wrap = {"deque-wrap", two_slots, {push_through, steal_1_twice}, each_once, false};
static const struct explore_case wrap_one = {
    "deque-wrap-one", one_slot, {push_through, steal_1_twice}, each_once, false};
static const struct explore_case full = {"deque-full", two_slots, {push_when_room, steal_three}, each_once, false};

static const struct explore_case *const cases[] = {&last, &last_two_thieves, &two_items, &push_and_pop,
    &push_and_pop_two_thieves, &emptied, &refilled, &wrap, &wrap_one, &full};
#define CASES (sizeof cases / sizeof cases[0])

static void every_item_is_taken_once(void **state) {
    (void)state;
    for (size_t i = 0; i < CASES; i++)
        explored(cases[i]);
}

static void every_order_of_the_deque_is_needed(void **state) {
    (void)state;
    static const struct explored_spare spare[] = {{"", "", "", 0}};
    explored_orders("deque_", cases, CASES, spare, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_is_taken_once),
        cmocka_unit_test(every_order_of_the_deque_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
