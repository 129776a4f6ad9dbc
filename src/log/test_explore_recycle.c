/* A journal file may be used again only when all that it holds is in segments and the checkpoint that counts on it says
 * so. The journal, store and keeper agents find that out from each other without a lock; this is a model of what they
 * do, step by step, in every interleaving:
 *
 *   journal   acknowledge(), next_file()        counts a file's batches, then hands them on; then begins the next file
 *   store     log_store_work(), finish()        writes batches to the segment, raises its mark, then counts them off
 *   keeper    count_stored_files(), capture()   a file that is not the newest and has nothing unstored; then the mark
 *
 * The lane between journal and store is left out: two rings in a row order no less than one. Who changes one of these
 * functions changes it here as well. */
#define WEIR_EXPLORE
#include "base/test_explored.h"

#include "base/ring.c"
#include "base/ring.h"
#include "log/spin.h"

#define FILES   2
#define BATCHES 2 /* in the first file; one more in the second */

static struct slot_ring in_use, released;
static uint64_t memory[2][4];
static uint32_t unstored[FILES];
static struct spin lock;
static uint64_t high;    /* the partition's mark: batches in its segment */
static uint64_t segment; /* plain: what a sync by the keeper has to cover */

static void begin(void) {
    memset(memory, 0, sizeof memory);
    slot_ring_init(&in_use, memory[0], 8, 2);
    slot_ring_init(&released, memory[1], 8, 4);
    memset(unstored, 0, sizeof unstored);
    lock = (struct spin){0};
    high = segment = 0;
    (void)slot_ring_push(&in_use, &(uint64_t){0});
}

static void use(uint64_t file) {
    EXPLORE_CHECK(slot_ring_push(&in_use, &file));
}
static void acknowledge(uint64_t file) {
    (void)atomics_fetch_add(&unstored[file], 1, RELAXED);
    EXPLORE_CHECK(slot_ring_push(&released, &file));
}
static void journal(void) {
    for (int i = 0; i < BATCHES; i++)
        acknowledge(0);
    use(1);
    acknowledge(1);
}

static void write_batch(void) {
    explore_write(&segment, 8);
    segment++;
    spin_lock(&lock);
    atomics_store(&high, segment, RELEASE);
    spin_unlock(&lock);
}
static void store(void) {
    for (int i = 0; i < BATCHES + 1; i++) {
        uint64_t file;
        while (!slot_ring_pop(&released, &file))
            atomics_spin();
        write_batch();
        (void)atomics_fetch_add(&unstored[file], (uint32_t)-1, RELEASE);
    }
}

static uint32_t count_stored_files(void) {
    if (!slot_ring_peek(&in_use, 0) || !slot_ring_peek(&in_use, 1)) return 0;
    return atomics_load(&unstored[0], ACQUIRE) > 0 ? 0 : 1;
}
static uint64_t capture(void) {
    spin_lock(&lock);
    uint64_t end = atomics_load(&high, RELAXED);
    spin_unlock(&lock);
    return end;
}
/* The checkpoint says `end`; the file goes, and with it whatever it held that the checkpoint does not say. */
static void keeper(void) {
    uint32_t count = count_stored_files();
    uint64_t end = capture();
    EXPLORE_CHECK(count == 0 || end >= BATCHES);
}
static void all_stored(void) {
    EXPLORE_CHECK(count_stored_files() == 1 && capture() == BATCHES + 1);
}

static const struct explore_case recycle = {"recycle", begin, {journal, store, keeper}, all_stored, false};

static void a_file_goes_only_when_the_checkpoint_says_what_it_held(void **state) {
    (void)state;
    explored(&recycle);
}

static void the_order_of_the_count_is_beyond_the_model(void **state) {
    (void)state;
    static const struct explore_case *const cases[] = {&recycle};
    /* Where the capture's lock is taken before the count is read, the count may be newer than the mark. A later lock
     * that overtakes an earlier load is outside the explorer's memory: its orders of stores are those of execution. */
    static const struct explored_spare spare[] = {{"count_stored_files", "load", "&unstored[0]", __ATOMIC_RELAXED}};
    explored_orders("count_", cases, 1, spare, 1);
}

/* ---- faults ------------------------------------------------------------------------------------------------------ */
static void journal_counting_late(void) {
    for (int i = 0; i < BATCHES; i++)
        EXPLORE_CHECK(slot_ring_push(&released, &(uint64_t){0}));
    use(1);
    (void)atomics_fetch_add(&unstored[0], BATCHES, RELAXED);
    acknowledge(1);
}
static void store_counting_first(void) {
    for (int i = 0; i < BATCHES + 1; i++) {
        uint64_t file;
        while (!slot_ring_pop(&released, &file))
            atomics_spin();
        (void)atomics_fetch_add(&unstored[file], (uint32_t)-1, RELEASE);
        write_batch();
    }
}
static void keeper_capturing_first(void) {
    uint64_t end = capture();
    uint32_t count = count_stored_files();
    EXPLORE_CHECK(count == 0 || end >= BATCHES);
}
static void keeper_of_the_newest_file(void) {
    uint32_t count = slot_ring_peek(&in_use, 0) && atomics_load(&unstored[0], ACQUIRE) == 0;
    uint64_t end = capture();
    EXPLORE_CHECK(count == 0 || end >= BATCHES);
}

static void wrong_agents_are_found(void **state) {
    (void)state;
    const struct {
        const char *name;
        void (*threads[3])(void);
    } faults[] = {
        {"counted after handed on", {journal_counting_late, store, keeper}},
        {"counted off before written", {journal, store_counting_first, keeper}},
        {"captured before counted", {journal, store, keeper_capturing_first}},
        {"the newest file counted", {journal, store, keeper_of_the_newest_file}},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct explore_case c = {.name = faults[i].name, .setup = begin};
        memcpy(c.threads, faults[i].threads, sizeof c.threads);
        explored_fault(&c, "does not hold");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_goes_only_when_the_checkpoint_says_what_it_held),
        cmocka_unit_test(the_order_of_the_count_is_beyond_the_model),
        cmocka_unit_test(wrong_agents_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
