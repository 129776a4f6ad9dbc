/* The gate against a slow model that keeps every outcome, over random histories; and its own promises one by one. */
#include <weir/gate.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MS       1000000ull
#define S        1000000000ull
#define CALLS    64u
#define OUTCOMES 4096u

static uint64_t seed = 11;
static uint64_t draw(uint64_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

/* ---- the model: lists, and what the header says in words ---- */
struct outcome {
    uint64_t at_ns;
    uint32_t round;
    bool failed;
};
struct model {
    struct weir_gate_limits l;
    enum weir_gate_state state;
    uint32_t round, running, probing, probed;
    uint64_t open_until_ns, opened_for_ns;
    uint64_t level_ns; /* of the bucket, in time */
    uint64_t held_till_ns;
    uint64_t now_ns;
    struct outcome outcomes[OUTCOMES];
    uint32_t outcome_count;
};

static uint64_t interval(const struct model *m) {
    return m->l.per_second ? S / m->l.per_second : 0;
}
static uint64_t depth(const struct model *m) {
    return (m->l.burst ? m->l.burst : m->l.per_second) * interval(m);
}

static void model_pass_time(struct model *m, uint64_t now_ns) {
    m->level_ns += now_ns - m->now_ns;
    if (m->level_ns > depth(m)) m->level_ns = depth(m);
    m->now_ns = now_ns;
}

static bool model_may(const struct model *m) {
    if (m->l.failed_percent) {
        if (m->state == WEIR_GATE_OPEN && m->now_ns < m->open_until_ns) return false;
        uint32_t probes = m->probed == 0 ? 1 : m->l.probes + 1 - m->probed;
        if (m->state == WEIR_GATE_HALF_OPEN && m->probing >= probes) return false;
    }
    if (m->now_ns < m->held_till_ns) return false;
    if (m->l.running_max && m->running >= m->l.running_max) return false;
    return !m->l.per_second || m->level_ns >= interval(m);
}

static void model_turn(struct model *m, enum weir_gate_state state) {
    m->state = state;
    m->round++;
    m->probing = m->probed = 0;
}

static uint32_t model_begin(struct model *m) {
    if (m->l.per_second) m->level_ns -= interval(m);
    m->running++;
    if (m->state == WEIR_GATE_OPEN) model_turn(m, WEIR_GATE_HALF_OPEN);
    if (m->state == WEIR_GATE_HALF_OPEN) m->probing++;
    return m->round;
}

static void model_open(struct model *m) {
    uint64_t wait = m->state == WEIR_GATE_HALF_OPEN ? 2 * m->opened_for_ns : m->l.open_ns;
    m->opened_for_ns = wait < m->l.open_ns_max ? wait : m->l.open_ns_max;
    m->open_until_ns = m->now_ns + m->opened_for_ns;
    model_turn(m, WEIR_GATE_OPEN);
}

static struct weir_gate_slot model_counts(const struct model *m) {
    struct weir_gate_slot counts = {0, 0};
    uint64_t width = m->l.window_ns / WEIR_GATE_SLOTS;
    for (uint32_t i = 0; i < m->outcome_count; i++) {
        const struct outcome *o = &m->outcomes[i];
        if (o->round != m->round || o->at_ns / width + WEIR_GATE_SLOTS <= m->now_ns / width) continue;
        counts.calls++;
        counts.failed += o->failed;
    }
    return counts;
}

static void model_end(struct model *m, uint32_t ticket, enum weir_gate_outcome outcome) {
    m->running--;
    if (ticket != m->round) return;
    if (m->state == WEIR_GATE_HALF_OPEN) m->probing--;
    if (outcome == WEIR_GATE_DROPPED || !m->l.failed_percent) return;
    bool failed = outcome != WEIR_GATE_SUCCEEDED;
    if (m->state == WEIR_GATE_HALF_OPEN) {
        if (failed)
            model_open(m);
        else if (++m->probed == m->l.probes + 1)
            model_turn(m, WEIR_GATE_CLOSED);
        return;
    }
    if (m->outcome_count == OUTCOMES) { /* only the newest can count */
        memmove(m->outcomes, m->outcomes + OUTCOMES / 2, sizeof m->outcomes / 2);
        m->outcome_count = OUTCOMES / 2;
    }
    m->outcomes[m->outcome_count++] = (struct outcome){m->now_ns, m->round, failed};
    struct weir_gate_slot c = model_counts(m);
    if (failed && c.calls >= m->l.calls_min && c.failed * 100 >= c.calls * m->l.failed_percent) model_open(m);
}

static struct weir_gate_limits draw_limits(void) {
    return (struct weir_gate_limits){
        .running_max = (uint32_t)draw(3) ? 1 + (uint32_t)draw(12) : 0,
        .per_second = (uint32_t)draw(2) ? 1 + (uint32_t)draw(100) : 0,
        .burst = (uint32_t)draw(4),
        .failed_percent = draw(5) ? 10 + (uint32_t)draw(90) : 0,
        .calls_min = 1 + (uint32_t)draw(20),
        .probes = 1 + (uint32_t)draw(5),
        .window_ns = (1 + draw(30)) * S,
        .open_ns = (1 + draw(10)) * S,
        .open_ns_max = (10 + draw(60)) * S,
        .timeout_min_ns = 10 * MS,
        .timeout_max_ns = 5 * S,
    };
}

struct call {
    uint32_t ticket;
};
struct history {
    struct weir_gate gate;
    struct model model;
    struct call calls[CALLS];
    uint32_t call_count, failing; /* percent */
    bool seen[3];
};

static void compare(const struct history *h) {
    const struct model *m = &h->model;
    const struct weir_gate *g = &h->gate;
    assert_int_equal(g->state, m->state);
    assert_int_equal(g->running, m->running);
    assert_int_equal(g->round, m->round);
    if (m->state == WEIR_GATE_OPEN) assert_int_equal(g->open_until_ns, m->open_until_ns);
    struct weir_gate_slot counts = weir_gate_counts(g, &m->l, m->now_ns), slow = model_counts(m);
    if (m->state == WEIR_GATE_CLOSED) assert_int_equal(counts.calls, slow.calls);
    if (m->state == WEIR_GATE_CLOSED) assert_int_equal(counts.failed, slow.failed);
    uint64_t timeout = weir_gate_timeout(g, &m->l);
    assert_true(timeout >= m->l.timeout_min_ns && timeout <= m->l.timeout_max_ns);
    assert_true(!m->l.running_max || g->running <= m->l.running_max);
}

static void begin(struct history *h) {
    uint64_t again, other;
    struct model *m = &h->model;
    struct weir_gate before = h->gate;
    enum weir_gate_answer answer = weir_gate_ask(&h->gate, &m->l, m->now_ns, &again);
    assert_memory_equal(&before, &h->gate, sizeof before);
    assert_int_equal(answer == WEIR_GATE_GO, model_may(m));
    if (answer == WEIR_GATE_GO && h->call_count < CALLS) {
        h->calls[h->call_count].ticket = weir_gate_begin(&h->gate, &m->l, m->now_ns);
        assert_int_equal(h->calls[h->call_count++].ticket, model_begin(m));
    } else if (again != WEIR_GATE_NEVER) {
        /* Not a moment too late, and then something else at most is in the way. */
        assert_true(again > m->now_ns);
        assert_int_equal(weir_gate_ask(&h->gate, &m->l, again - 1, &other), answer);
        assert_int_not_equal(weir_gate_ask(&h->gate, &m->l, again, &other), answer);
    }
}

static void end(struct history *h) {
    if (h->call_count == 0) return;
    struct call *call = &h->calls[draw(h->call_count)];
    enum weir_gate_outcome outcome = WEIR_GATE_SUCCEEDED;
    if (draw(100) < h->failing) outcome = draw(2) ? WEIR_GATE_FAILED : WEIR_GATE_TIMED_OUT;
    if (draw(20) == 0) outcome = WEIR_GATE_DROPPED;
    weir_gate_end(&h->gate, &h->model.l, h->model.now_ns, call->ticket, outcome, draw(3 * S));
    if (outcome == WEIR_GATE_FAILED && draw(4) == 0) {
        uint64_t until = h->model.now_ns + draw(5 * S);
        weir_gate_hold(&h->gate, until);
        if (h->model.held_till_ns < until) h->model.held_till_ns = until;
    }
    model_end(&h->model, call->ticket, outcome);
    *call = h->calls[--h->call_count];
}

static void random_histories_are_the_models(void **unused) {
    (void)unused;
    static struct history h;
    uint32_t opened = 0, closed = 0;
    for (int run = 0; run < 200; run++) {
        memset(&h, 0, sizeof h);
        h.model.l = draw_limits();
        h.model.now_ns = 1000 * S;
        h.model.level_ns = depth(&h.model);
        for (int i = 0; i < 2000; i++) {
            if (i % 200 == 0) h.failing = (uint32_t)draw(3) ? (uint32_t)draw(100) : 0;
            model_pass_time(&h.model, h.model.now_ns + draw(draw(50) ? 100 * MS : 20 * S));
            enum weir_gate_state before = h.model.state;
            if (draw(5) < 3)
                begin(&h);
            else
                end(&h);
            compare(&h);
            opened += before == WEIR_GATE_CLOSED && h.model.state == WEIR_GATE_OPEN;
            closed += before == WEIR_GATE_HALF_OPEN && h.model.state == WEIR_GATE_CLOSED;
        }
    }
    assert_true(opened > 100 && closed > 50); /* the histories came by what they are to show */
}

/* ---- one by one ---- */
static const struct weir_gate_limits usual = {WEIR_GATE_BREAKER};

static uint32_t pass(struct weir_gate *g, const struct weir_gate_limits *l, uint64_t now) {
    uint64_t again;
    assert_int_equal(weir_gate_ask(g, l, now, &again), WEIR_GATE_GO);
    return weir_gate_begin(g, l, now);
}

static void fail_times(struct weir_gate *g, const struct weir_gate_limits *l, uint64_t now, int times) {
    for (int i = 0; i < times; i++)
        weir_gate_end(g, l, now, pass(g, l, now), WEIR_GATE_FAILED, 0);
}

static void the_breaker_opens_doubles_and_closes_by_1_then_5_probes(void **unused) {
    (void)unused;
    struct weir_gate g = {0};
    uint64_t now = 100 * S, again;
    fail_times(&g, &usual, now, 19);
    assert_int_equal(weir_gate_state(&g, now), WEIR_GATE_CLOSED);
    fail_times(&g, &usual, now, 1);
    uint64_t waits[] = {30, 60, 120, 240, 480, 600, 600};
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        assert_int_equal(weir_gate_ask(&g, &usual, now, &again), WEIR_GATE_SHUT);
        assert_int_equal(again, now + waits[i] * S);
        now = again;
        assert_int_equal(weir_gate_state(&g, now), WEIR_GATE_HALF_OPEN);
        fail_times(&g, &usual, now, 1);
    }
    now = g.open_until_ns;
    uint32_t first = pass(&g, &usual, now);
    assert_int_equal(weir_gate_ask(&g, &usual, now, &again), WEIR_GATE_BUSY);
    weir_gate_end(&g, &usual, now, first, WEIR_GATE_SUCCEEDED, MS);
    uint32_t tickets[5];
    for (int i = 0; i < 5; i++)
        tickets[i] = pass(&g, &usual, now);
    assert_int_equal(weir_gate_ask(&g, &usual, now, &again), WEIR_GATE_BUSY);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(g.state, WEIR_GATE_HALF_OPEN);
        weir_gate_end(&g, &usual, now, tickets[i], WEIR_GATE_SUCCEEDED, MS);
    }
    assert_int_equal(g.state, WEIR_GATE_CLOSED);
    fail_times(&g, &usual, now, 20); /* and the next time it is 30 s again */
    assert_int_equal(g.open_until_ns, now + 30 * S);
}

static void what_began_before_it_opened_does_not_judge_a_probe(void **unused) {
    (void)unused;
    struct weir_gate g = {0};
    uint64_t now = S;
    uint32_t old[3];
    for (int i = 0; i < 3; i++)
        old[i] = pass(&g, &usual, now);
    fail_times(&g, &usual, now, 20);
    now = g.open_until_ns;
    uint32_t probe = pass(&g, &usual, now);
    weir_gate_end(&g, &usual, now, old[0], WEIR_GATE_SUCCEEDED, MS);
    weir_gate_end(&g, &usual, now, old[1], WEIR_GATE_FAILED, 0);
    assert_int_equal(g.state, WEIR_GATE_HALF_OPEN);
    assert_int_equal(g.probed, 0);
    weir_gate_end(&g, &usual, now, probe, WEIR_GATE_DROPPED, 0); /* the next one may probe */
    pass(&g, &usual, now);
    weir_gate_end(&g, &usual, now, old[2], WEIR_GATE_FAILED, 0);
    assert_int_equal(g.state, WEIR_GATE_HALF_OPEN);
}

static void failures_that_left_the_window_do_not_count(void **unused) {
    (void)unused;
    struct weir_gate g = {0};
    uint64_t now = 300 * S;
    fail_times(&g, &usual, now, 19);
    fail_times(&g, &usual, now + 30 * S, 19);
    assert_int_equal(g.state, WEIR_GATE_CLOSED);
    assert_int_equal(weir_gate_counts(&g, &usual, now + 30 * S).calls, 19);
    assert_int_equal(weir_gate_counts(&g, &usual, now + 60 * S).calls, 0);
}

static void the_timeout_follows_what_succeeds_and_grows_with_timeouts(void **unused) {
    (void)unused;
    struct weir_gate g = {0};
    const struct weir_gate_limits l = {.timeout_min_ns = 5 * MS, .timeout_max_ns = 10 * S};
    uint64_t now = S;
    for (uint32_t i = 0; i < WEIR_GATE_SAMPLES_MIN; i++) {
        assert_int_equal(weir_gate_timeout(&g, &l), 10 * S);
        weir_gate_end(&g, &l, now, pass(&g, &l, now), WEIR_GATE_SUCCEEDED, 20 * MS);
    }
    for (int i = 0; i < 40; i++)
        weir_gate_end(&g, &l, now, pass(&g, &l, now), WEIR_GATE_SUCCEEDED, 20 * MS);
    assert_in_range(weir_gate_timeout(&g, &l), 20 * MS, 21 * MS);
    /* It has become slower than that for all: the timeout must find the new duration by itself. */
    for (int i = 0; i < 60 && weir_gate_timeout(&g, &l) < S; i++)
        weir_gate_end(&g, &l, now, pass(&g, &l, now), WEIR_GATE_TIMED_OUT, 0);
    assert_true(weir_gate_timeout(&g, &l) >= S);
    weir_gate_end(&g, &l, now, pass(&g, &l, now), WEIR_GATE_SUCCEEDED, S);
    assert_in_range(weir_gate_timeout(&g, &l), S, 10 * S);
    for (int i = 0; i < 40; i++) /* durations without measure overflow nothing */
        weir_gate_end(&g, &l, now, pass(&g, &l, now), WEIR_GATE_SUCCEEDED, UINT64_MAX);
    assert_int_equal(weir_gate_timeout(&g, &l), 10 * S);
}

static void limits_may_change_between_two_calls(void **unused) {
    (void)unused;
    struct weir_gate g = {0};
    uint64_t again, now = S;
    struct weir_gate_limits l = {.running_max = 4, WEIR_GATE_BREAKER, .calls_min = 1};
    uint32_t tickets[4];
    for (int i = 0; i < 4; i++)
        tickets[i] = pass(&g, &l, now);
    l.running_max = 2;
    weir_gate_end(&g, &l, now, tickets[0], WEIR_GATE_SUCCEEDED, MS);
    weir_gate_end(&g, &l, now, tickets[1], WEIR_GATE_SUCCEEDED, MS);
    assert_int_equal(weir_gate_ask(&g, &l, now, &again), WEIR_GATE_BUSY);
    weir_gate_end(&g, &l, now, tickets[2], WEIR_GATE_FAILED, 0);
    weir_gate_end(&g, &l, now, pass(&g, &l, now), WEIR_GATE_FAILED, 0);
    assert_int_equal(g.state, WEIR_GATE_OPEN);
    l.failed_percent = 0; /* no breaker any more: an open one lets through */
    weir_gate_end(&g, &l, now, pass(&g, &l, now), WEIR_GATE_FAILED, 0);
    assert_int_equal(g.state, WEIR_GATE_CLOSED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_are_the_models),
        cmocka_unit_test(the_breaker_opens_doubles_and_closes_by_1_then_5_probes),
        cmocka_unit_test(what_began_before_it_opened_does_not_judge_a_probe),
        cmocka_unit_test(failures_that_left_the_window_do_not_count),
        cmocka_unit_test(the_timeout_follows_what_succeeds_and_grows_with_timeouts),
        cmocka_unit_test(limits_may_change_between_two_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
