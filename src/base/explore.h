/* base/explore.h: every interleaving of a small case of two or three threads, and every value that C11 lets a load
 * return.
 *
 * A stateless model checker in the manner of CDSChecker, Relacy and loom, for tests only: it is in no library. The
 * case's threads are fibers of one thread. Every atomic operation is a choice of which thread goes on; every atomic
 * load is, in addition, a choice among the stores that coherence and happens-before do not hide from it
 * (base/explore_memory.h). The case is run again and again, depth first, until no choice is left. A run fails by
 * explore_fail(), a WEIR_ASSERT, a data race on plain memory that was declared with explore_read/explore_write, or
 * because every thread that has not ended spins on something nobody will write: a lost wake-up.
 *
 * Each failure comes with its schedule, a text of numbers, and a trace of its operations. The same schedule gives the
 * same run again, as long as the case is deterministic in it: no time, no randomness, no addresses in decisions.
 *
 * One exploration at a time, from one thread. No allocation; a case has at most EXPLORE_THREADS_MAX threads,
 * MEMORY_LOCATIONS_MAX atomic variables and EXPLORE_DEPTH_MAX choices a run.
 */
#ifndef WEIR_BASE_EXPLORE_H
#define WEIR_BASE_EXPLORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPLORE_THREADS_MAX 3
#define EXPLORE_DEPTH_MAX   500

struct explore_case {
    const char *name;
    void (*setup)(void);                        /* before every run, alone: must make the same world each time */
    void (*threads[EXPLORE_THREADS_MAX])(void); /* NULL: fewer */
    void (*check)(void);                        /* after all threads ended, seeing all they did; may be NULL */
    bool every_order;                           /* no partial-order reduction: to test the reduction itself */
};

struct explore_result {
    bool failed;
    uint64_t executions; /* runs that came to their end, the failing one included */
    uint64_t pruned;     /* runs given up because they would only have repeated another one in a different order */
    size_t depth_max;    /* choices of the longest run */
    char what[200];      /* failed: why, in a sentence */
    char schedule[4 * EXPLORE_DEPTH_MAX];
    char trace[24000]; /* failed: a line an operation */
};

/* Stops at the first failure, or after limit runs (then what says so and failed is set). */
void explore(const struct explore_case *c, uint64_t limit, struct explore_result *ret);
/* One run by a schedule that explore() gave, with its trace, whether it fails or not. */
void explore_replay(const struct explore_case *c, const char *schedule, struct explore_result *ret);

/* ---- inside a case: what its threads call ------------------------------------------------------------------------ */
__attribute__((noreturn, format(printf, 1, 2))) void explore_fail(const char *format, ...);
#define EXPLORE_CHECK(cond) ((cond) ? (void)0 : explore_fail("line %d: %s does not hold", __LINE__, #cond))
/* Plain memory that several threads use at different times. Two accesses, one of them a write, must be ordered. */
void explore_read(const void *memory, size_t size);
void explore_write(const void *memory, size_t size);
/* The thread can do nothing until what it loaded last has a newer value; it then sees one. */
void explore_spin(void);

/* ---- base/atomics.h calls these ---------------------------------------------------------------------------------- */
/* One place in the code with an atomic operation. used is the order in force: a test may weaken it. */
struct explore_site {
    const char *function, *object, *operation;
    int line, order, used;
    bool known;
    struct explore_site *next;
};
/* The sites that runs have come by so far, newest first. */
struct explore_site *explore_sites(void);
/* The orders that are one step weaker than order: at most two, and their number. */
unsigned explore_weaker(const struct explore_site *site, int ret_orders[2]);
const char *explore_order_name(int order);

#define EXPLORE_SITE(p, operation, memory_order)                                                                       \
    ({                                                                                                                 \
        static struct explore_site explore_site = {                                                                    \
            __func__, #p, operation, __LINE__, __ATOMIC_##memory_order, __ATOMIC_##memory_order, false, NULL};         \
        &explore_site;                                                                                                 \
    })

/* Outside a run these are plain: setup may use the structure too. */
uint64_t explore_load(const void *p, size_t size, struct explore_site *site);
void explore_store(void *p, size_t size, uint64_t value, struct explore_site *site);
uint64_t explore_exchange(void *p, size_t size, uint64_t value, struct explore_site *site);
uint64_t explore_fetch_add(void *p, size_t size, uint64_t value, struct explore_site *site);
bool explore_compare_exchange(void *p, size_t size, uint64_t *expected, uint64_t value, struct explore_site *site);
void explore_fence(struct explore_site *site);

#endif
