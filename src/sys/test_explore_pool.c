/* The pool's protocols in every interleaving of small cases: an item of the queue lost, doubled or read before it is
 * there; a worker that sleeps beside work; a group that is used after who waited for it has freed it.
 *
 * Sleeping is modelled as in test_explore_wake.c: a counter that promises nothing beyond its value, behind sys/wake.h,
 * which is proved there. Workers park as pool_worker.c does, step by step. */
#define WEIR_EXPLORE
#include "base/test_explored.h"

#include "base/deque.c"
#include "sys/countdown.h"
#include "sys/parking.h"
#include "sys/task_queue.h"
#include "sys/wake.h"

#define ITEMS_MAX 4

static struct task_queue q;
static struct task_cell cells[2];
static uint64_t payload[ITEMS_MAX + 1]; /* what item i points to: 10 i */
static uint8_t taken[EXPLORE_THREADS_MAX][ITEMS_MAX + 1];
static bool pushed[ITEMS_MAX + 1], refused[ITEMS_MAX + 1];

static void queue_begin(void) {
    task_queue_init(&q, cells, 2);
    memset(payload, 0, sizeof payload);
    memset(taken, 0, sizeof taken);
    memset(pushed, 0, sizeof pushed);
    memset(refused, 0, sizeof refused);
}
static enum task_queue_answer push(uint64_t item) {
    explore_write(&payload[item], 8);
    payload[item] = 10 * item;
    enum task_queue_answer answer = task_queue_push(&q, item);
    pushed[item] = answer == TASK_QUEUE_OK;
    refused[item] = answer != TASK_QUEUE_OK;
    return answer;
}
static bool pop(unsigned thread) {
    uint64_t item;
    if (!task_queue_pop(&q, &item)) return false;
    EXPLORE_CHECK(item > 0 && item <= ITEMS_MAX);
    explore_read(&payload[item], 8);
    EXPLORE_CHECK(payload[item] == 10 * item);
    taken[thread][item]++;
    return true;
}
static void each_once(void) {
    while (pop(0))
        continue;
    EXPLORE_CHECK(task_queue_count(&q) == 0);
    for (uint64_t i = 1; i <= ITEMS_MAX; i++)
        EXPLORE_CHECK(taken[0][i] + taken[1][i] + taken[2][i] == pushed[i]);
}

static void push_1(void) {
    EXPLORE_CHECK(push(1) == TASK_QUEUE_OK);
}
static void push_2(void) {
    EXPLORE_CHECK(push(2) == TASK_QUEUE_OK);
}
static void push_1_3(void) {
    (void)push(1), (void)push(3);
}
static void push_three(void) {
    (void)push(1), (void)push(2), (void)push(3);
}
static void pop_in_1(void) {
    (void)pop(1);
}
static void pop_in_2(void) {
    (void)pop(2);
}
static void pop_twice_in_1(void) {
    (void)pop(1), (void)pop(1);
}
static void pop_twice_in_2(void) {
    (void)pop(2), (void)pop(2);
}
static void pop_in_order(void) {
    for (uint64_t i = 1; i <= 3;) {
        if (!pop(1)) {
            atomics_spin();
            continue;
        }
        EXPLORE_CHECK(taken[1][i] == 1); /* oldest first */
        i++;
    }
}
static void push_when_room(void) {
    for (uint64_t i = 1; i <= 3; i++)
        while (push(i) != TASK_QUEUE_OK)
            atomics_spin();
}
static void two_there(void) {
    queue_begin();
    (void)push(1), (void)push(2);
}
static void one_there(void) {
    queue_begin();
    (void)push(1);
}
static void push_3(void) {
    (void)push(3);
}

static void push_into_full(void) {
    (void)push(2);
}

static const struct explore_case writers = {
    "queue-two-writers", queue_begin, {push_1, push_2, pop_in_2}, each_once, false};
static const struct explore_case readers = {
    "queue-two-readers", two_there, {push_3, pop_in_1, pop_in_2}, each_once, false};
static const struct explore_case filling = {
    "queue-filling", one_there, {push_2, pop_twice_in_1, pop_in_2}, each_once, false};
static const struct explore_case wrap = {"queue-wrap", queue_begin, {push_three, pop_twice_in_1}, each_once, false};
static const struct explore_case wrap_two = {
    "queue-wrap-two", one_there, {push_into_full, push_3, pop_twice_in_2}, each_once, false};
static const struct explore_case order = {"queue-order", queue_begin, {push_when_room, pop_in_order}, each_once, false};
static const struct explore_case three = {
    "queue-three", queue_begin, {push_1_3, push_into_full, pop_twice_in_2}, each_once, false};

/* After the closing every push was either refused, or is found by who goes on until there is none left. */
static void close_and_empty(void) {
    task_queue_close(&q);
    while (task_queue_count(&q) > 0)
        if (!pop(1)) atomics_spin();
}
static void closed_each_once(void) {
    EXPLORE_CHECK(pushed[2] != refused[2]);
    EXPLORE_CHECK(taken[1][1] == 1 && taken[1][2] == pushed[2]); /* nothing came later */
    each_once();
}
static const struct explore_case closing = {
    "queue-closing", one_there, {push_into_full, close_and_empty}, closed_each_once, false};

static void the_queue_hands_each_item_to_one_reader(void **state) {
    (void)state;
    static const struct explore_case *const cases[] = {
        &writers, &readers, &filling, &wrap, &wrap_two, &order, &three, &closing};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        explored(cases[i]);
}

/* ---- parking ----------------------------------------------------------------------------------------------------- */
#define WORKERS 2

static uint64_t parked;
static struct wake wakes[WORKERS];
static uint64_t eventfds[WORKERS], seen[WORKERS];
static struct deque d; /* of the third thread, where that is a worker too */
static uint64_t slots[2];
static bool from_deque;       /* what the third thread submits goes there */
static uint64_t wanted;       /* tasks to be run before the pool is stopped */
static uint64_t run, started; /* tasks */
static uint64_t stop;

static void poller_wake(int worker) {
    if (wake_notify(&wakes[worker])) (void)atomics_fetch_add(&eventfds[worker], 1, RELAXED);
}
static void poller_wait(int worker) {
    uint64_t value;
    if (wake_fall_asleep(&wakes[worker]))
        while ((value = atomics_load(&eventfds[worker], RELAXED)) == seen[worker])
            atomics_spin();
    seen[worker] = atomics_load(&eventfds[worker], RELAXED);
    wake_up(&wakes[worker]);
}
static void notify(void) {
    int worker = parking_claim(&parked, PARKING_ANY);
    if (worker >= 0) poller_wake(worker);
}
static bool look(uint64_t *ret_item) {
    if (!from_deque) return task_queue_pop(&q, ret_item);
    enum deque_answer answer;
    while ((answer = deque_steal(&d, ret_item)) == DEQUE_LOST)
        continue;
    return answer == DEQUE_ITEM;
}
static bool park(int worker, uint64_t *ret_item) {
    uint64_t bit = parking_bit((uint32_t)worker, true);
    parking_enter(&parked, bit);
    bool found = look(ret_item);
    if (!found) poller_wait(worker);
    if (parking_leave(&parked, bit)) return found;
    if (!found) return look(ret_item);
    notify();
    return true;
}

static void parking_begin(uint64_t tasks, bool deque) {
    queue_begin();
    deque_init(&d, slots, 2);
    memset(wakes, 0, sizeof wakes);
    memset(eventfds, 0, sizeof eventfds);
    memset(seen, 0, sizeof seen);
    parked = run = started = stop = 0;
    from_deque = deque;
    wanted = tasks;
}
static void one_from_outside(void) {
    parking_begin(1, false);
}
static void two_from_outside(void) {
    parking_begin(2, false);
}
static void one_from_a_task(void) {
    parking_begin(1, true);
}
static void two_from_a_task(void) {
    parking_begin(2, true);
}

/* Sleeps for ever, which the explorer reports, unless somebody wakes it for each task. */
static void work_alone(void) {
    for (uint64_t item; run < wanted;)
        if (look(&item) || park(0, &item)) run++;
}
static void submit(uint64_t item) {
    if (from_deque)
        EXPLORE_CHECK(deque_push_then_look(&d, item));
    else
        EXPLORE_CHECK(task_queue_push(&q, item) == TASK_QUEUE_OK);
    notify();
}
static void submit_1(void) {
    submit(1);
}
static void submit_2(void) {
    submit(2);
}
static void submit_both(void) {
    submit(1), submit(2);
}

static const struct explore_case outside = {"park-outside", one_from_outside, {work_alone, submit_1}, NULL, false};
static const struct explore_case outside_two = {
    "park-outside-two", two_from_outside, {work_alone, submit_1, submit_2}, NULL, false};
static const struct explore_case outside_both = {
    "park-outside-both", two_from_outside, {work_alone, submit_both}, NULL, false};
static const struct explore_case inside = {"park-inside", one_from_a_task, {work_alone, submit_1}, NULL, false};
static const struct explore_case inside_both = {
    "park-inside-both", two_from_a_task, {work_alone, submit_both}, NULL, false};

/* Two tasks, each of which lasts until the other one runs too. The first is in the queue, worker 0 has not seen it yet
 * and is about to park, worker 1 sleeps. A worker that runs the first must not keep the wake meant for the second. */
static void one_there_one_asleep(void) {
    parking_begin(2, false);
    (void)task_queue_push(&q, 1);
    parking_enter(&parked, parking_bit(1, true));
    (void)wake_fall_asleep(&wakes[1]);
}
static void run_together(void) {
    (void)atomics_fetch_add(&started, 1, RELAXED);
    while (atomics_load(&started, RELAXED) < 2)
        atomics_spin();
}
static void park_and_run(void) {
    uint64_t item;
    while (!park(0, &item) && !look(&item))
        continue;
    run_together();
}
static void awake_and_run(void) {
    uint64_t item;
    bool found = false;
    while (atomics_load(&eventfds[1], RELAXED) == 0)
        atomics_spin();
    seen[1] = 1;
    wake_up(&wakes[1]);
    (void)parking_leave(&parked, parking_bit(1, true));
    while (!found)
        found = look(&item) || park(1, &item);
    run_together();
}
static const struct explore_case pair = {
    "park-pair", one_there_one_asleep, {park_and_run, awake_and_run, submit_2}, NULL, false};

static void no_worker_sleeps_beside_work(void **state) {
    (void)state;
    static const struct explore_case *const cases[] = {&outside, &outside_two, &outside_both, &inside, &inside_both};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        explored(cases[i]);
}

static void two_tasks_have_two_workers(void **state) {
    (void)state;
    explored(&pair);
}

/* ---- groups ------------------------------------------------------------------------------------------------------ */
struct box { /* a group on the stack of who waits for it */
    uint64_t running;
    uint64_t freed;
};
static struct box box;
static uint64_t results[2];

static void box_begin(void) {
    parking_begin(0, false);
    memset(&box, 0, sizeof box);
    memset(results, 0, sizeof results);
    (void)countdown_add(&box.running);
    (void)countdown_add(&box.running);
}
static void end_task(unsigned i) {
    explore_write(&results[i], 8);
    results[i] = 1;
    explore_read(&box.freed, 8); /* the group is used until here */
    if (countdown_end(&box.running)) poller_wake(0);
}
static void end_0(void) {
    end_task(0);
}
static void end_1(void) {
    end_task(1);
}
static void end_both(void) {
    end_task(0), end_task(1);
}
static void wait_and_free(void) {
    while (!countdown_is_done(&box.running))
        if (!countdown_fall_asleep(&box.running)) poller_wait(0);
    explore_write(&box.freed, 8);
    box.freed = 1;
    for (unsigned i = 0; i < 2; i++) {
        explore_read(&results[i], 8);
        EXPLORE_CHECK(results[i] == 1);
    }
}
static const struct explore_case joined = {"group-two", box_begin, {wait_and_free, end_0, end_1}, NULL, false};
static const struct explore_case joined_one = {"group-one", box_begin, {wait_and_free, end_both}, NULL, false};
/* Somebody wakes the waiter for another reason, and it goes to sleep again. */
static void wake_for_nothing(void) {
    poller_wake(0);
}
static const struct explore_case disturbed = {
    "group-disturbed", box_begin, {wait_and_free, end_both, wake_for_nothing}, NULL, false};

static void a_group_is_woken_once_done_and_left_alone_after(void **state) {
    (void)state;
    explored(&joined);
    explored(&joined_one);
    explored(&disturbed);
}

/* ---- orders and faults ------------------------------------------------------------------------------------------- */
static void every_order_is_needed(void **state) {
    (void)state;
    static const struct explore_case *const queue_cases[] = {
        &writers, &readers, &filling, &wrap, &wrap_two, &order, &closing, &outside, &outside_two};
    static const struct explore_case *const parking_cases[] = {&outside, &inside, &outside_both};
    static const struct explore_case *const group_cases[] = {&joined, &joined_one, &disturbed};
    explored_orders("task_queue_", queue_cases, sizeof queue_cases / sizeof queue_cases[0], NULL, 0);
    explored_orders("parking_", parking_cases, sizeof parking_cases / sizeof parking_cases[0], NULL, 0);
    explored_orders("deque_push_then_look", parking_cases, sizeof parking_cases / sizeof parking_cases[0], NULL, 0);
    explored_orders("countdown_", group_cases, sizeof group_cases / sizeof group_cases[0], NULL, 0);
}

static bool park_without_passing_on(int worker, uint64_t *ret_item) {
    uint64_t bit = parking_bit((uint32_t)worker, true);
    parking_enter(&parked, bit);
    bool found = look(ret_item);
    if (!found) poller_wait(worker);
    if (parking_leave(&parked, bit) || found) return found;
    return look(ret_item);
}
static void park_selfishly_and_run(void) {
    uint64_t item;
    while (!park_without_passing_on(0, &item) && !look(&item))
        continue;
    run_together();
}
/* Looks, then says that it sleeps. */
static void work_parking_late(void) {
    uint64_t item;
    while (!look(&item)) {
        parking_enter(&parked, 1);
        poller_wait(0);
        (void)parking_leave(&parked, 1);
    }
}
static void submit_notifying_first(void) {
    notify();
    EXPLORE_CHECK(task_queue_push(&q, 1) == TASK_QUEUE_OK);
}
/* A push that other threads may see after its owner has looked for sleepers. */
static void submit_without_looking(void) {
    EXPLORE_CHECK(deque_push(&d, 1));
    notify();
}
/* Who ends the last task looks at the group again. */
static void end_and_look(void) {
    end_task(0), end_task(1);
    explore_read(&box.freed, 8);
}

static void wrong_protocols_are_found(void **state) {
    (void)state;
    explored_fault(&(struct explore_case){"does not pass on", one_there_one_asleep,
                       {park_selfishly_and_run, awake_and_run, submit_2}, NULL, false},
        "nobody is left");
    explored_fault(&(struct explore_case){"parks late", one_from_outside, {work_parking_late, submit_1}, NULL, false},
        "nobody is left");
    explored_fault(
        &(struct explore_case){"notifies first", one_from_outside, {work_alone, submit_notifying_first}, NULL, false},
        "nobody is left");
    explored_fault(&(struct explore_case){"pushes without looking", one_from_a_task,
                       {work_alone, submit_without_looking}, NULL, false},
        "nobody is left");
    explored_fault(
        &(struct explore_case){"uses a group that is done", box_begin, {wait_and_free, end_and_look}, NULL, false},
        "race");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_queue_hands_each_item_to_one_reader),
        cmocka_unit_test(no_worker_sleeps_beside_work),
        cmocka_unit_test(two_tasks_have_two_workers),
        cmocka_unit_test(a_group_is_woken_once_done_and_left_alone_after),
        cmocka_unit_test(every_order_is_needed),
        cmocka_unit_test(wrong_protocols_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
