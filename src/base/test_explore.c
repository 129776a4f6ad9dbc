/* Whether the explorer can be believed: on the litmus tests of the memory model it finds exactly the allowed outcomes,
 * it reports races, lost wake-ups and what is outside its model, and its reduction loses none of it. */
#define WEIR_EXPLORE
#include "base/test_explored.h"

#include "base/atomics.h"
#include "base/hash.h"
#include "base/prng.h"

static struct {
    uint64_t x, y, plain;
    uint64_t r[4]; /* what the threads read: each thread has its own */
} w;
static uint8_t outcomes[256]; /* by r[0] + 2 r[1] + 4 r[2] + 8 r[3] + 16 x: which were seen */

static void nothing(void) {
    memset(&w, 0, sizeof w);
}
static void note(void) {
    outcomes[w.r[0] + 2 * w.r[1] + 4 * w.r[2] + 8 * w.r[3] + 16 * w.x] = 1;
}

#define THREAD(name, ...)                                                                                              \
    static void name(void) {                                                                                           \
        __VA_ARGS__                                                                                                    \
    }
#define SET(p, order)    atomics_store(&w.p, 1, order);
#define GET(i, p, order) w.r[i] = atomics_load(&w.p, order);

THREAD(set_x_get_y, SET(x, RELAXED) GET(0, y, RELAXED))
THREAD(set_y_get_x, SET(y, RELAXED) GET(1, x, RELAXED))
THREAD(set_x_get_y_release, SET(x, RELEASE) GET(0, y, ACQUIRE))
THREAD(set_y_get_x_release, SET(y, RELEASE) GET(1, x, ACQUIRE))
THREAD(set_x_get_y_consistent, SET(x, SEQ_CST) GET(0, y, SEQ_CST))
THREAD(set_y_get_x_consistent, SET(y, SEQ_CST) GET(1, x, SEQ_CST))
THREAD(set_x_fence_get_y, SET(x, RELAXED) atomics_fence(SEQ_CST); GET(0, y, RELAXED))
THREAD(set_y_fence_get_x, SET(y, RELAXED) atomics_fence(SEQ_CST); GET(1, x, RELAXED))

THREAD(set_x_set_y, SET(x, RELAXED) SET(y, RELAXED))
THREAD(set_x_set_y_release, SET(x, RELAXED) SET(y, RELEASE))
THREAD(set_x_fence_set_y, SET(x, RELAXED) atomics_fence(RELEASE); SET(y, RELAXED))
THREAD(get_y_get_x, GET(0, y, RELAXED) GET(1, x, RELAXED))
THREAD(get_y_get_x_acquire, GET(0, y, ACQUIRE) GET(1, x, RELAXED))
THREAD(get_y_fence_get_x, GET(0, y, RELAXED) atomics_fence(ACQUIRE); GET(1, x, RELAXED))
THREAD(retake_y, uint64_t one = 1; (void)atomics_compare_exchange(&w.y, &one, 1, RELAXED);)

THREAD(set_x, SET(x, RELEASE))
THREAD(set_y, SET(y, RELEASE))
THREAD(set_x_consistent, SET(x, SEQ_CST))
THREAD(get_x_get_x, GET(0, x, RELAXED) GET(1, x, RELAXED))
THREAD(get_xy_acquire, GET(0, x, ACQUIRE) GET(1, y, ACQUIRE))
THREAD(set_y_get_xy, SET(y, RELEASE) GET(2, y, ACQUIRE) GET(3, x, ACQUIRE))
THREAD(get_xy_consistent, GET(0, x, SEQ_CST) GET(1, y, SEQ_CST))
THREAD(set_y_get_xy_consistent, SET(y, SEQ_CST) GET(2, y, SEQ_CST) GET(3, x, SEQ_CST))

THREAD(set_x_consistent_set_y, SET(x, SEQ_CST) SET(y, RELAXED))
THREAD(set_x_consistent_set_y_release, SET(x, SEQ_CST) SET(y, RELEASE))
THREAD(get_y_get_x_consistent, GET(0, y, RELAXED) GET(1, x, SEQ_CST))
THREAD(get_y_acquire_get_x_consistent, GET(0, y, ACQUIRE) GET(1, x, SEQ_CST))
THREAD(get_y_consistent_get_x, GET(0, y, SEQ_CST) GET(1, x, SEQ_CST))

THREAD(get_x_set_y, GET(0, x, RELAXED) SET(y, RELAXED))
THREAD(get_y_set_x, GET(1, y, RELAXED) SET(x, RELAXED))
THREAD(take_x_0, w.r[0] = atomics_exchange(&w.x, 1, RELAXED);)
THREAD(take_x_1, w.r[1] = atomics_exchange(&w.x, 1, RELAXED);)
THREAD(take_x_2, uint64_t old = 0; w.r[2] = atomics_compare_exchange(&w.x, &old, 1, RELAXED);)

/* The outcomes of a case as a text of numbers, in both ways of exploring; the reduced one must be cheaper or equal. */
static void allows(const char *name, void (*a)(void), void (*b)(void), void (*c)(void), const char *expected) {
    static struct explore_result r, all;
    struct explore_case whole = {.name = name, .setup = nothing, .threads = {a, b, c}, .check = note};
    for (int every = 0; every < 2; every++) {
        char found[600] = "";
        size_t size = 0;
        memset(outcomes, 0, sizeof outcomes);
        whole.every_order = every;
        explore(&whole, EXPLORED_RUNS_MAX, every ? &all : &r);
        for (unsigned i = 0; i < sizeof outcomes; i++)
            if (outcomes[i]) size += (size_t)snprintf(found + size, sizeof found - size, "%s%u", size ? " " : "", i);
        if (r.failed) explored_show(&whole, &r);
        assert_false(r.failed || all.failed);
        assert_string_equal(found, expected);
    }
    printf("# %s: %llu executions and %llu pruned, without reduction %llu\n", name, (unsigned long long)r.executions,
        (unsigned long long)r.pruned, (unsigned long long)all.executions);
    assert_true(r.executions <= all.executions);
}

static void the_litmus_tests_have_exactly_their_outcomes(void **state) {
    (void)state;
    /* r0 + 2 r1 + 16 x. Store buffering: both may miss the other's store, unless all is sequentially consistent. */
    allows("store buffering", set_x_get_y, set_y_get_x, NULL, "16 17 18 19");
    allows("store buffering, release", set_x_get_y_release, set_y_get_x_release, NULL, "16 17 18 19");
    allows("store buffering, seq_cst", set_x_get_y_consistent, set_y_get_x_consistent, NULL, "17 18 19");
    allows("store buffering, fences", set_x_fence_get_y, set_y_fence_get_x, NULL, "17 18 19");
    allows("store buffering, one fence", set_x_fence_get_y, set_y_get_x, NULL, "16 17 18 19");
    /* Message passing: 17 is y seen and x missed. */
    allows("message passing, relaxed", set_x_set_y, get_y_get_x, NULL, "16 17 18 19");
    allows("message passing, acquire only", set_x_set_y, get_y_get_x_acquire, NULL, "16 17 18 19");
    allows("message passing, release only", set_x_set_y_release, get_y_get_x, NULL, "16 17 18 19");
    allows("message passing", set_x_set_y_release, get_y_get_x_acquire, NULL, "16 18 19");
    allows("message passing, fences", set_x_fence_set_y, get_y_fence_get_x, NULL, "16 18 19");
    allows("message passing, release fence", set_x_fence_set_y, get_y_get_x_acquire, NULL, "16 18 19");
    allows("release sequence", set_x_set_y_release, get_y_get_x_acquire, retake_y, "16 18 19");
    /* Sequential consistency of x alone orders nothing about y. */
    allows("message passing, one seq_cst", set_x_consistent_set_y, get_y_get_x_consistent, NULL, "16 17 18 19");
    allows("message passing, two seq_cst", set_x_consistent_set_y, get_y_consistent_get_x, NULL, "16 17 18 19");
    allows("message passing, both", set_x_consistent_set_y_release, get_y_acquire_get_x_consistent, NULL, "16 18 19");
    /* Coherence: who saw the new value does not see the old one again. */
    allows("coherence of reads", set_x, get_x_get_x, NULL, "16 18 19");
    /* Two readers, two writers (the second writer reads its own store at once): 25 - 8 = r0, not r1, r2, not r3. */
    allows("two orders", set_x, get_xy_acquire, set_y_get_xy, "20 21 22 23 28 29 30 31");
    allows("one order", set_x_consistent, get_xy_consistent, set_y_get_xy_consistent, "20 22 23 28 29 30 31");
    /* Read-modify-writes: exactly one of three finds 0. */
    allows("exchange", take_x_0, take_x_1, take_x_2, "17 18 23");
    /* Load buffering is outside the model: C11 allows 19 here, no run shows it. */
    allows("load buffering", get_x_set_y, get_y_set_x, NULL, "16 17 18");
}

/* ---- random programs --------------------------------------------------------------------------------------------- */
#define OPS          3
#define PROGRAMS     60
#define OUTCOMES_MAX 4096 /* a power of two */

enum what { LOAD, STORE, EXCHANGE, ADD, CAS, FENCE, WHATS };

struct op {
    enum what what;
    unsigned variable;
    struct explore_site site;
};
static struct {
    struct op ops[EXPLORE_THREADS_MAX][OPS];
    uint64_t variables[2], found[EXPLORE_THREADS_MAX][OPS];
    uint64_t outcomes[2][OUTCOMES_MAX]; /* hash tables: with reduction, without */
    size_t count[2];
    int every;
} p;

/* Plain stores to a variable come from one thread, as in every structure here; anyone may read-modify-write. */
static void invent(struct prng *random) {
    static const char *const operations[] = {"load", "store", "exchange", "add", "cas", "fence"};
    static const int orders[WHATS][3] = {{__ATOMIC_RELAXED, __ATOMIC_ACQUIRE, __ATOMIC_SEQ_CST},
        {__ATOMIC_RELAXED, __ATOMIC_RELEASE, __ATOMIC_SEQ_CST}, {__ATOMIC_RELAXED, __ATOMIC_ACQ_REL, __ATOMIC_SEQ_CST},
        {__ATOMIC_RELAXED, __ATOMIC_RELEASE, __ATOMIC_SEQ_CST}, {__ATOMIC_RELAXED, __ATOMIC_ACQUIRE, __ATOMIC_SEQ_CST},
        {__ATOMIC_ACQUIRE, __ATOMIC_RELEASE, __ATOMIC_SEQ_CST}};
    for (unsigned t = 0; t < EXPLORE_THREADS_MAX; t++)
        for (unsigned i = 0; i < OPS; i++) {
            enum what what = prng_below(random, WHATS);
            unsigned variable = (unsigned)prng_below(random, 2);
            if (what == STORE && t != variable) what = LOAD;
            int order = orders[what][prng_below(random, 3)];
            p.ops[t][i] = (struct op){what, variable,
                {.function = "program",
                    .object = variable ? "y" : "x",
                    .operation = operations[what],
                    .order = order,
                    .used = order,
                    .known = true}};
        }
}

static void perform(unsigned t) {
    for (unsigned i = 0; i < OPS; i++) {
        struct op *op = &p.ops[t][i];
        uint64_t *v = &p.variables[op->variable], value = 10 * t + i + 1, expected = 0;
        switch (op->what) {
        case LOAD:
            p.found[t][i] = explore_load(v, 8, &op->site);
            break;
        case STORE:
            explore_store(v, 8, value, &op->site);
            break;
        case EXCHANGE:
            p.found[t][i] = explore_exchange(v, 8, value, &op->site);
            break;
        case ADD:
            p.found[t][i] = explore_fetch_add(v, 8, 100, &op->site);
            break;
        case CAS:
            (void)explore_compare_exchange(v, 8, &expected, value, &op->site);
            p.found[t][i] = expected;
            break;
        default:
            explore_fence(&op->site);
            break;
        }
    }
}
static void perform_0(void) {
    perform(0);
}
static void perform_1(void) {
    perform(1);
}
static void perform_2(void) {
    perform(2);
}
static void forget(void) {
    memset(p.variables, 0, sizeof p.variables);
    memset(p.found, 0, sizeof p.found);
}
/* Whether the table has the outcome; adds it when it is to. */
static bool outcome_in(int table, uint64_t hash, bool add) {
    for (size_t i = hash;; i++) {
        uint64_t *slot = &p.outcomes[table][i & (OUTCOMES_MAX - 1)];
        if (*slot == hash) return true;
        if (*slot) continue;
        if (add) *slot = hash, p.count[table]++;
        return false;
    }
}
static void collect(void) {
    uint64_t hash = hash_bytes(p.found, sizeof p.found, hash_bytes(p.variables, sizeof p.variables, 1)) | 1;
    (void)outcome_in(p.every, hash, true);
    EXPLORE_CHECK(p.count[p.every] < OUTCOMES_MAX / 2);
}

static void the_reduction_loses_no_outcome_of_random_programs(void **state) {
    (void)state;
    static struct explore_result r;
    struct prng random = prng_seed(7);
    uint64_t runs[2] = {0, 0}, outcomes_seen = 0;
    for (unsigned n = 0; n < PROGRAMS; n++) {
        invent(&random);
        memset(p.outcomes, 0, sizeof p.outcomes);
        memset(p.count, 0, sizeof p.count);
        for (p.every = 0; p.every < 2; p.every++) {
            struct explore_case c = {"random", forget, {perform_0, perform_1, perform_2}, collect, p.every};
            explore(&c, EXPLORED_RUNS_MAX, &r);
            if (r.failed) explored_show(&c, &r);
            assert_false(r.failed);
            runs[p.every] += r.executions + r.pruned;
        }
        assert_int_equal(p.count[0], p.count[1]);
        for (size_t i = 0; i < OUTCOMES_MAX; i++)
            assert_true(p.outcomes[1][i] == 0 || outcome_in(0, p.outcomes[1][i], false));
        outcomes_seen += p.count[0];
    }
    printf("# %d programs, %llu outcomes: %llu runs with reduction, %llu without\n", PROGRAMS,
        (unsigned long long)outcomes_seen, (unsigned long long)runs[0], (unsigned long long)runs[1]);
}

/* ---- failures ---------------------------------------------------------------------------------------------------- */
THREAD(write_plain, explore_write(&w.plain, 8); w.plain = 1; SET(y, RELEASE))
THREAD(
    read_plain, GET(0, y, ACQUIRE) if (w.r[0]) {
        explore_read(&w.plain, 8);
        EXPLORE_CHECK(w.plain == 1);
    })
THREAD(read_plain_relaxed, GET(0, y, RELAXED) if (w.r[0]) explore_read(&w.plain, 8);)
THREAD(read_plain_blindly, GET(0, y, ACQUIRE) explore_read(&w.plain, 8);)
THREAD(write_plain_first, explore_write(&w.plain, 8); GET(0, y, ACQUIRE))
THREAD(await_y, while (!atomics_load(&w.y, ACQUIRE)) atomics_spin(); explore_read(&w.plain, 8);)
THREAD(await_for_ever, while (atomics_load(&w.y, ACQUIRE) < 2) atomics_spin();)
THREAD(set_y_otherwise, atomics_store(&w.y, 2, RELAXED);)
THREAD(loop_without_spin, while (!atomics_load(&w.y, ACQUIRE)) w.r[0]++;)

static void plain_memory_is_watched(void **state) {
    (void)state;
    explored(&(struct explore_case){"plain, ordered", nothing, {write_plain, read_plain}, NULL, false});
    explored(&(struct explore_case){"plain, awaited", nothing, {write_plain, await_y}, NULL, false});
    explored_fault(
        &(struct explore_case){"plain, relaxed", nothing, {write_plain, read_plain_relaxed}, NULL, false}, "race");
    explored_fault(
        &(struct explore_case){"plain, blind", nothing, {write_plain, read_plain_blindly}, NULL, false}, "race");
    explored_fault(
        &(struct explore_case){"plain, writes", nothing, {write_plain, write_plain_first}, NULL, false}, "race");
}

static void what_cannot_end_or_be_judged_is_reported(void **state) {
    (void)state;
    explored_fault(
        &(struct explore_case){"nobody writes", nothing, {write_plain, await_for_ever}, NULL, false}, "waits");
    explored_fault(
        &(struct explore_case){"no spin", nothing, {write_plain, loop_without_spin}, NULL, false}, "does not end");
    explored_fault(
        &(struct explore_case){"unordered stores", nothing, {set_y, set_y_otherwise}, NULL, false}, "outside");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_litmus_tests_have_exactly_their_outcomes),
        cmocka_unit_test(the_reduction_loses_no_outcome_of_random_programs),
        cmocka_unit_test(plain_memory_is_watched),
        cmocka_unit_test(what_cannot_end_or_be_judged_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
