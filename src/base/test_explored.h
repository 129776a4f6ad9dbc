/* What the tests that explore share: run cases, show what failed, weaken memory orders one after the other.
 *
 *   WEIR_EXPLORE_REPLAY='CASE=SCHEDULE'   prints the trace of one run of one case instead of exploring it; a failure
 * prints the line to set
 */
#ifndef WEIR_BASE_TEST_EXPLORED_H
#define WEIR_BASE_TEST_EXPLORED_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPLORED_RUNS_MAX 20000000

/* A failing trace on stderr, where the test runner shows it. */
static inline void explored_show(const struct explore_case *c, const struct explore_result *r) {
    fprintf(stderr, "case %s: %s\n%sreplay: WEIR_EXPLORE_REPLAY='%s=%s'\n", c->name, r->what, r->trace, c->name,
        r->schedule);
}

static inline bool explored_replayed(const struct explore_case *c, struct explore_result *r) {
    const char *wanted = getenv("WEIR_EXPLORE_REPLAY");
    size_t size = strlen(c->name);
    if (!wanted || strncmp(wanted, c->name, size) != 0 || wanted[size] != '=') return false;
    explore_replay(c, wanted + size + 1, r);
    fprintf(stderr, "case %s: %s\n%s", c->name, r->failed ? r->what : "nothing failed", r->trace);
    return true;
}

/* No run of the case fails; tells how many there were. */
static inline void explored(const struct explore_case *c) {
    static struct explore_result r;
    if (explored_replayed(c, &r)) return;
    explore(c, EXPLORED_RUNS_MAX, &r);
    printf("# %s: %llu executions, %llu pruned, at most %zu choices\n", c->name, (unsigned long long)r.executions,
        (unsigned long long)r.pruned, r.depth_max);
    if (r.failed) explored_show(c, &r);
    assert_false(r.failed);
}

/* Some run of the case fails, for a reason that has why in it, and fails again when it is replayed. */
static inline void explored_fault(const struct explore_case *c, const char *why) {
    static struct explore_result r, again;
    explore(c, EXPLORED_RUNS_MAX, &r);
    printf("# %s: found in execution %llu: %s\n", c->name, (unsigned long long)r.executions, r.what);
    assert_true(r.failed);
    if (!strstr(r.what, why)) explored_show(c, &r);
    assert_non_null(strstr(r.what, why));
    explore_replay(c, r.schedule, &again);
    assert_true(again.failed);
    assert_string_equal(again.what, r.what);
}

/* An order that may be one step weaker as far as the explorer can see, and why it is not. */
struct explored_spare {
    const char *function, *operation, *object;
    int weaker;
};

static inline bool explored_is_spare(
    const struct explored_spare *spare, size_t count, const struct explore_site *s, int order) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(spare[i].function, s->function) == 0 && strcmp(spare[i].operation, s->operation) == 0 &&
            strcmp(spare[i].object, s->object) == 0 && spare[i].weaker == order)
            return true;
    return false;
}

/* Weakens every order that the cases came by, one step and one place at a time: some case must then fail, or the place
 * is in the list of spare ones; and no place of that list may fail. */
static inline void explored_orders(const char *prefix, const struct explore_case *const *cases, size_t case_count,
    const struct explored_spare *spare, size_t spare_count) {
    static struct explore_result r;
    unsigned planted = 0, spared = 0, wrong = 0;
    for (size_t i = 0; i < case_count; i++) {
        explore(cases[i], EXPLORED_RUNS_MAX, &r);
        assert_false(r.failed);
    }
    for (struct explore_site *s = explore_sites(); s; s = s->next) {
        int weaker[2];
        if (strncmp(s->function, prefix, strlen(prefix)) != 0) continue;
        for (unsigned w = explore_weaker(s, weaker); w > 0; w--) {
            s->used = weaker[w - 1];
            r.failed = false;
            for (size_t i = 0; i < case_count && !r.failed; i++)
                explore(cases[i], EXPLORED_RUNS_MAX, &r);
            bool is_spare = explored_is_spare(spare, spare_count, s, s->used);
            printf("# %s %s() %s %s, %s for %s: %s\n", r.failed ? "found:" : "spare:", s->function, s->operation,
                s->object, explore_order_name(s->used), explore_order_name(s->order),
                r.failed ? r.what : "nothing fails");
            planted++;
            spared += is_spare;
            wrong += is_spare == r.failed;
            s->used = s->order;
        }
    }
    printf("# %u orders weakened, %u found\n", planted, planted - spared);
    assert_int_equal(wrong, 0);
    assert_int_equal(spared, spare_count);
    assert_true(planted > 0);
}

#endif
