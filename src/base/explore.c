/* base/explore.c: depth-first search over schedules.
 *
 * A run is a path of choices: which thread makes its next step, and which store a load returns. The path is kept from
 * run to run; the next run follows it up to its last choice that has an option left, takes that, and is free from there
 * on.
 *
 * Sleep sets keep runs apart that differ only in the order of steps that do not influence each other. A thread whose
 * step was explored at a choice sleeps in the choice's other branches until another thread makes a step that matters to
 * it. If that is a store which a sleeping load could read, the load wakes only for it: what it could read before was
 * explored. A run in which only sleeping threads are left is given up.
 */
#include "base/explore.h"

#include "base/assert.h"
#include "base/explore_memory.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define EXPLORE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EXPLORE_ASAN 1
#endif
#endif
#ifdef EXPLORE_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_BYTES (128 * 1024)
#define CHECKER     EXPLORE_THREADS_MAX       /* the thread that runs the case's check */
#define MAIN        (EXPLORE_THREADS_MAX + 1) /* not a thread of the case: who called explore() */

enum kind { STEP_SPIN, STEP_LOAD, STEP_STORE, STEP_UPDATE, STEP_FENCE };

struct step {
    enum kind kind;
    int location; /* -1: none */
    int order;
};

struct fiber {
    ucontext_t context;
    void *stack, *asan_stack;
    size_t stack_size;
    void (*run)(void);
    bool exists, ended;
    struct step next;  /* what it does when it goes on */
    int spin_location; /* what it loaded last, and which store it got */
    unsigned spin_index;
    unsigned least; /* its next load returns this store or a newer one: the others are explored */
};

struct choice {
    uint8_t taken;      /* a thread, or 0 for the newest store, 1 for the one before it, ... */
    uint8_t count;      /* of a store: options; 0: this is a choice of a thread */
    uint8_t open, done; /* of a thread: those that may be taken, those explored; bit sets */
};

enum ending { RUNNING, ENDED, PRUNED, FAILED };

static struct {
    const struct explore_case *c;
    struct fiber fibers[EXPLORE_THREADS_MAX + 2];
    unsigned self; /* the fiber that runs */
    bool starting; /* threads run up to their first step, one after the other */
    unsigned asleep;
    enum ending ending;
    struct choice path[EXPLORE_DEPTH_MAX];
    size_t depth, known;        /* choices of this run so far; those that it has to repeat */
    struct text_builder *trace; /* NULL: not wanted */
    char what[200];
    struct explore_site *sites;
} x = {.self = MAIN};

static _Alignas(64) uint8_t stacks[EXPLORE_THREADS_MAX + 1][STACK_BYTES];

/* ---- fibers ------------------------------------------------------------------------------------------------------ */
static void arrive(void) {
#ifdef EXPLORE_ASAN
    struct fiber *main = &x.fibers[MAIN];
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(x.fibers[x.self].asan_stack, &bottom, &size);
    if (!main->stack) main->stack = (void *)(uintptr_t)bottom, main->stack_size = size;
#endif
}

static void switch_to(unsigned other) {
    struct fiber *from = &x.fibers[x.self], *to = &x.fibers[other];
    unsigned self = x.self;
#ifdef EXPLORE_ASAN
    __sanitizer_start_switch_fiber(&from->asan_stack, to->stack, to->stack_size);
#endif
    x.self = other;
    if (swapcontext(&from->context, &to->context) != 0) abort();
    x.self = self;
    arrive();
}

__attribute__((noreturn)) static void leave(enum ending ending) {
    x.ending = ending;
    switch_to(MAIN);
    abort(); /* nobody comes back to a run that is over */
}

static void schedule(void);

static void fiber_main(void) {
    arrive();
    struct fiber *f = &x.fibers[x.self];
    f->run();
    f->ended = true;
    if (x.self == CHECKER) leave(ENDED);
    schedule();
    abort(); /* nothing chooses an ended thread */
}

static void fiber_start(unsigned thread, void (*run)(void)) {
    struct fiber *f = &x.fibers[thread];
    f->stack = stacks[thread];
    f->stack_size = STACK_BYTES;
    f->run = run;
    f->exists = true;
    f->ended = false;
    f->asan_stack = NULL;
    f->least = 0;
    f->spin_location = -1;
#ifdef EXPLORE_ASAN
    __asan_unpoison_memory_region(f->stack, f->stack_size); /* a run that was given up left its frames there */
#endif
    if (getcontext(&f->context) != 0) abort();
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = f->stack_size;
    makecontext(&f->context, fiber_main, 0);
    switch_to(thread);
}

void explore_fail(const char *format, ...) {
    struct text_builder what = TEXT_BUILDER(x.what);
    va_list args;
    va_start(args, format);
    text_vprintf(&what, format, args);
    va_end(args);
    if (x.self != MAIN) leave(FAILED);
    fprintf(stderr, "explore: outside a run: %s\n", x.what);
    abort();
}

/* An assertion of the explored code is a failure of the run; this one stands in for base/assert.c's. */
void weir_assert_fail(const char *expression, const char *file, int line) {
    explore_fail("assertion failed: %s at %s:%d", expression, file, line);
}

/* ---- choices ----------------------------------------------------------------------------------------------------- */
/* Of a thread, out of the bit set open; or of a store, when count is not 0. */
static const struct choice *choice_next(unsigned open, unsigned count) {
    if (x.depth == EXPLORE_DEPTH_MAX) explore_fail("the run does not end: a loop without atomics_spin?");
    struct choice *choice = &x.path[x.depth++];
    if (x.depth > x.known) {
        unsigned thread = open >> x.self & 1 ? x.self : (unsigned)__builtin_ctz(open | 1u << 8);
        *choice = (struct choice){.taken = count ? 0 : (uint8_t)thread};
        x.known = x.depth;
    }
    bool possible = count ? choice->taken < count : open >> choice->taken & 1;
    if (!possible) explore_fail("the case does not do the same in the same schedule");
    choice->open = (uint8_t)open;
    choice->count = (uint8_t)count;
    return choice;
}

/* To the next run's path. False: there is none. */
static bool advance(void) {
    for (; x.depth > 0; x.depth--) {
        struct choice *last = &x.path[x.depth - 1];
        if (last->taken + 1 < last->count) {
            last->taken++;
            break;
        }
        if (last->count) continue;
        last->done |= (uint8_t)(1u << last->taken);
        unsigned left = last->open & ~(unsigned)last->done;
        if (left) {
            last->taken = (uint8_t)__builtin_ctz(left);
            break;
        }
    }
    x.known = x.depth;
    return x.depth > 0;
}

static bool can_go_on(const struct fiber *f) {
    if (!f->exists || f->ended) return false;
    return f->next.kind != STEP_SPIN || memory_newest(f->spin_location) > f->spin_index;
}

/* Gives way to the thread whose step is next; returns when that is the caller's. */
static void schedule(void) {
    if (x.starting) {
        switch_to(MAIN);
        return;
    }
    unsigned able = 0, alive = 0;
    for (unsigned t = 0; t < EXPLORE_THREADS_MAX; t++) {
        able |= (unsigned)can_go_on(&x.fibers[t]) << t;
        alive |= (unsigned)(x.fibers[t].exists && !x.fibers[t].ended) << t;
    }
    if (!alive && x.self == MAIN) {
        x.ending = ENDED; /* no thread has a single step */
        return;
    }
    if (!alive) leave(ENDED);
    if (!able) explore_fail("every thread that has not ended waits, and nobody is left to end it");
    if (!(able & ~x.asleep)) leave(PRUNED);
    const struct choice *choice = choice_next(able & ~x.asleep, 0);
    unsigned next = choice->taken;
    if (!x.c->every_order) x.asleep = (x.asleep | choice->done) & ~(1u << next);
    if (next != x.self) switch_to(next);
}

static bool writes(enum kind kind) {
    return kind == STEP_STORE || kind == STEP_UPDATE;
}

/* Whether the order of the two steps can matter, apart from a load that could read a store which is not there yet. */
static bool depend(const struct step *a, const struct step *b) {
    bool a_changes = writes(a->kind) || a->kind == STEP_FENCE, b_changes = writes(b->kind) || b->kind == STEP_FENCE;
    if (!a_changes || !b_changes) return false;
    if (a->order == __ATOMIC_SEQ_CST && b->order == __ATOMIC_SEQ_CST) return true; /* their single order */
    return a->location == b->location && a->kind != STEP_FENCE;
}

/* The step was made: who sleeps and is touched by it wakes. */
static void wake(const struct step *made) {
    for (unsigned t = 0; t < EXPLORE_THREADS_MAX; t++) {
        struct fiber *f = &x.fibers[t];
        if (!(x.asleep >> t & 1)) continue;
        bool reads = f->next.kind == STEP_LOAD || f->next.kind == STEP_UPDATE;
        bool news = writes(made->kind) && reads && f->next.location == made->location;
        if (news) f->least = memory_newest(made->location);
        if (news || depend(made, &f->next)) x.asleep &= ~(1u << t);
    }
    x.fibers[x.self].least = 0;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */
const char *explore_order_name(int order) {
    static const char *const names[] = {"relaxed", "consume", "acquire", "release", "acq_rel", "seq_cst"};
    return names[order];
}

struct explore_site *explore_sites(void) {
    return x.sites;
}

unsigned explore_weaker(const struct explore_site *site, int ret_orders[2]) {
    bool loads = strcmp(site->operation, "load") == 0, stores = strcmp(site->operation, "store") == 0;
    switch (site->order) {
    case __ATOMIC_ACQUIRE:
    case __ATOMIC_RELEASE:
        ret_orders[0] = __ATOMIC_RELAXED;
        return 1;
    case __ATOMIC_ACQ_REL:
        ret_orders[0] = __ATOMIC_ACQUIRE, ret_orders[1] = __ATOMIC_RELEASE;
        return 2;
    case __ATOMIC_SEQ_CST:
        ret_orders[0] = loads ? __ATOMIC_ACQUIRE : stores ? __ATOMIC_RELEASE : __ATOMIC_ACQ_REL;
        return 1;
    default:
        return 0;
    }
}

/* index: the store that was read or made. */
static void trace(const struct explore_site *site, int location, unsigned index, const char *format, ...) {
    if (!x.trace) return;
    text_printf(x.trace, "  thread %u  %-20s  %-8s %-7s", x.self, site->function, site->operation,
        explore_order_name(site->used));
    if (location >= 0) text_printf(x.trace, "  %s ", site->object);
    va_list args;
    va_start(args, format);
    text_vprintf(x.trace, format, args);
    va_end(args);
    if (location >= 0 && index < memory_newest(location))
        text_printf(x.trace, ", though %u newer", memory_newest(location) - index);
    text_add_char(x.trace, '\n');
}

/* Announces the step and waits for its turn; returns the variable. */
static int turn(enum kind kind, const void *p, size_t size, struct explore_site *site) {
    if (!site->known) {
        site->known = true;
        site->next = x.sites;
        x.sites = site;
    }
    int location = p ? memory_location(p, size) : -1;
    if (p && location < 0) explore_fail("too many variables: make the case smaller");
    x.fibers[x.self].next = (struct step){kind, location, site->used};
    if (x.self != CHECKER) schedule();
    return location;
}

static void demand(const char *problem) {
    if (problem) explore_fail("%s", problem);
}

/* The store that a load returns: one of those not hidden whose value is not skip; the newest always may be. */
static unsigned choose(int location, int order, const uint64_t *skip) {
    struct fiber *f = &x.fibers[x.self];
    unsigned newest = memory_newest(location), oldest = memory_oldest(x.self, location, order);
    uint8_t options[MEMORY_STORES_MAX] = {(uint8_t)newest};
    unsigned all = 1, unexplored = 1;
    for (unsigned i = newest; i-- > oldest;) {
        if (skip && memory_value(location, i) == *skip) continue;
        unexplored += i >= f->least;
        options[all++] = (uint8_t)i;
    }
    unsigned index = options[all > 1 ? choice_next(0, unexplored)->taken : 0];
    f->spin_location = location;
    f->spin_index = index;
    return index;
}

uint64_t explore_load(const void *p, size_t size, struct explore_site *site) {
    uint64_t value = 0;
    if (x.self == MAIN) return memcpy(&value, p, size), value;
    int location = turn(STEP_LOAD, p, size, site);
    unsigned index = choose(location, site->used, NULL);
    value = memory_value(location, index);
    memory_load(x.self, location, index, site->used);
    trace(site, location, index, "is %llu", (unsigned long long)value);
    wake(&x.fibers[x.self].next);
    return value;
}

void explore_store(void *p, size_t size, uint64_t value, struct explore_site *site) {
    if (x.self == MAIN) {
        memcpy(p, &value, size);
        return;
    }
    int location = turn(STEP_STORE, p, size, site);
    demand(memory_store(x.self, location, value, site->used));
    trace(site, location, memory_newest(location), "becomes %llu", (unsigned long long)value);
    wake(&x.fibers[x.self].next);
}

static void update(int location, uint64_t value, struct explore_site *site) {
    uint64_t found = memory_value(location, memory_newest(location));
    demand(memory_update(x.self, location, value, site->used));
    trace(site, location, memory_newest(location), "was %llu, becomes %llu", (unsigned long long)found,
        (unsigned long long)value);
    x.fibers[x.self].spin_location = location;
    x.fibers[x.self].spin_index = memory_newest(location); /* a loop does not end by its own store */
    wake(&x.fibers[x.self].next);
}

uint64_t explore_exchange(void *p, size_t size, uint64_t value, struct explore_site *site) {
    uint64_t found = 0;
    if (x.self == MAIN) return memcpy(&found, p, size), memcpy(p, &value, size), found;
    int location = turn(STEP_UPDATE, p, size, site);
    found = memory_value(location, memory_newest(location));
    update(location, value, site);
    return found;
}

uint64_t explore_fetch_add(void *p, size_t size, uint64_t value, struct explore_site *site) {
    uint64_t found = 0;
    if (x.self == MAIN) return memcpy(&found, p, size), value += found, memcpy(p, &value, size), found;
    int location = turn(STEP_UPDATE, p, size, site);
    found = memory_value(location, memory_newest(location));
    update(location, found + value, site);
    return found;
}

bool explore_compare_exchange(void *p, size_t size, uint64_t *expected, uint64_t value, struct explore_site *site) {
    uint64_t found = 0, wanted = *expected;
    if (x.self == MAIN) {
        *expected = (memcpy(&found, p, size), found);
        if (found == wanted) memcpy(p, &value, size);
        return found == wanted;
    }
    int location = turn(STEP_UPDATE, p, size, site);
    unsigned index = choose(location, __ATOMIC_RELAXED, &wanted); /* a failure is a relaxed load */
    *expected = memory_value(location, index);
    if (*expected == wanted) {
        update(location, value, site);
        return true;
    }
    memory_load(x.self, location, index, __ATOMIC_RELAXED);
    trace(site, location, index, "stays %llu", (unsigned long long)*expected);
    wake(&(struct step){STEP_LOAD, location, __ATOMIC_RELAXED});
    return false;
}

void explore_fence(struct explore_site *site) {
    if (x.self == MAIN) return;
    (void)turn(STEP_FENCE, NULL, 0, site);
    demand(memory_fence(x.self, site->used));
    trace(site, -1, 0, "%s", "");
    wake(&x.fibers[x.self].next);
}

void explore_spin(void) {
    if (x.self == MAIN || x.self == CHECKER) explore_fail("a loop outside the case's threads");
    struct fiber *f = &x.fibers[x.self];
    if (f->spin_location < 0) explore_fail("atomics_spin before any load");
    f->next = (struct step){STEP_SPIN, f->spin_location, __ATOMIC_RELAXED};
    if (x.trace) text_printf(x.trace, "  thread %u  waits for a newer value\n", x.self);
    if (!can_go_on(f)) schedule();
    memory_raise(x.self, f->spin_location, f->spin_index + 1);
}

static void plain(const void *memory, size_t size, bool is_write) {
    if (x.self == MAIN) return;
    const char *race = memory_plain(x.self, memory, size, is_write);
    if (race) explore_fail("thread %u: %s", x.self, race);
}

void explore_read(const void *memory, size_t size) {
    plain(memory, size, false);
}

void explore_write(const void *memory, size_t size) {
    plain(memory, size, true);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */
static void run(void) {
    x.depth = 0;
    x.asleep = 0;
    x.ending = RUNNING;
    memory_begin();
    x.c->setup();
    x.starting = true;
    for (unsigned t = 0; t < EXPLORE_THREADS_MAX; t++) {
        x.fibers[t].exists = false;
        if (x.c->threads[t]) fiber_start(t, x.c->threads[t]);
        if (x.ending != RUNNING) return;
    }
    x.starting = false;
    schedule();
    if (x.ending != ENDED || !x.c->check) return;
    x.ending = RUNNING;
    memory_join_all(CHECKER);
    fiber_start(CHECKER, x.c->check);
}

static void describe(struct explore_result *ret) {
    struct text_builder t = TEXT_BUILDER(ret->schedule);
    for (size_t i = 0; i < x.depth; i++)
        text_printf(&t, "%s%u", i ? "," : "", x.path[i].taken);
    ret->failed = true;
    memcpy(ret->what, x.what, sizeof ret->what);
}

void explore(const struct explore_case *c, uint64_t limit, struct explore_result *ret) {
    memset(ret, 0, sizeof *ret);
    x.c = c;
    x.trace = NULL;
    x.known = 0;
    do {
        if (ret->executions + ret->pruned == limit) {
            snprintf(x.what, sizeof x.what, "not all explored after %llu runs", (unsigned long long)limit);
            describe(ret);
            return;
        }
        run();
        if (ret->depth_max < x.depth) ret->depth_max = x.depth;
        ret->executions += x.ending != PRUNED;
        ret->pruned += x.ending == PRUNED;
        if (x.ending == FAILED) {
            describe(ret);
            struct explore_result again;
            explore_replay(c, ret->schedule, &again);
            memcpy(ret->trace, again.trace, sizeof ret->trace);
            return;
        }
    } while (advance());
}

void explore_replay(const struct explore_case *c, const char *schedule, struct explore_result *ret) {
    static struct explore_case whole; /* nothing sleeps: the schedule says it all */
    memset(ret, 0, sizeof *ret);
    struct text_builder t = TEXT_BUILDER(ret->trace);
    whole = *c;
    whole.every_order = true;
    x.c = &whole;
    x.known = 0;
    for (char *at = (char *)(uintptr_t)schedule; *at && x.known < EXPLORE_DEPTH_MAX; at += *at == ',')
        x.path[x.known++] = (struct choice){.taken = (uint8_t)strtoul(at, &at, 10)};
    ret->executions = 1;
    x.trace = &t;
    run();
    x.trace = NULL;
    if (x.ending == FAILED) describe(ret);
}
