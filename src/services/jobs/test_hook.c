/* Jobs that are sent, in random order, to destinations that answer, fail, ask for a pause and never answer: no gate is
 * passed that is shut, no attempt is counted that was not made, none is lost, and a copy from a snapshot does the same.
 */
#include "jobs/test_out.h"

#include "jobs/hook.h"
#include "jobs/job.h"
#include "jobs/names.h"

#include <weir/effect.h>

#define MS    1000000ull
#define HOSTS 6u /* more than destinations_max */
#define JOBS  4096u

struct sending {
    struct jobs_world w;
    struct prng prng;
    uint32_t failed[JOBS]; /* results of each job, by its sequence */
    uint64_t seen;         /* newest tag */
    uint32_t refused, sent, opened;
};

static uint64_t below(struct sending *x, uint64_t bound) {
    return prng_below(&x->prng, bound);
}

/* Whoever is under way has passed: what it stands behind is not open since. */
static void look(struct sending *x) {
    struct jobs *s = x->w.s;
    for (uint32_t i = 0; i < JOBS_CALLS_MAX; i++) {
        const struct jobs_call *call = &s->calls[i];
        if (call->tag <= x->seen) continue;
        const struct weir_gate *gate = &s->gates[call->destination];
        struct weir_gate_limits limits = hook_limits(s, call->destination);
        assert_true(gate->state != WEIR_GATE_OPEN);
        assert_true(gate->running <= limits.running_max);
        assert_true(x->w.now_ns >= gate->held_till_ns);
        uint32_t job = job_find(s, call->job);
        assert_true(job != JOBS_NONE && s->jobs[job].state == JOBS_RUNNING && s->jobs[job].time.slot == WHEEL_OUT);
        assert_int_equal(s->jobs[job].attempt, x->failed[call->job % JOBS] + 1);
        x->sent++;
    }
    x->seen = s->head->call_serial * JOBS_CALLS_MAX + JOBS_CALLS_MAX - 1;
    world_check(&x->w);
}

/* One record after the other, so that each send is looked at where it happens. */
static void pass(struct sending *x, uint64_t span_ns) {
    uint64_t to_ns = x->w.now_ns + span_ns;
    while (x->w.out.timer_ns <= to_ns) {
        world_pass(&x->w, x->w.out.timer_ns > x->w.now_ns ? x->w.out.timer_ns : x->w.now_ns);
        look(x);
    }
    world_pass(&x->w, to_ns);
}

static void do_push(struct sending *x, bool own) {
    char url[64];
    snprintf(url, sizeof url, "http://host-%u/x", (unsigned)below(x, HOSTS));
    struct world_push push = {.queue = below(x, 2) ? "qa" : "qb",
        .type = below(x, 3) ? "ta" : "tb",
        .url = own ? weir_slice_text(url) : weir_slice("", 0),
        .head = {.attempts_max = 5, .backoff = JOBS_BACKOFF_FIXED, .backoff_ms = 10}};
    struct jobs_pushed pushed = world_push(&x->w, &push);
    x->refused += pushed.reason == JOBS_E_DESTINATIONS_FULL;
    assert_true(
        pushed.reason == JOBS_OK || pushed.reason == JOBS_E_JOBS_FULL || pushed.reason == JOBS_E_DESTINATIONS_FULL);
}

static void do_set(struct sending *x, bool off) {
    uint8_t bytes[64];
    char url[32];
    int size = off ? 0 : snprintf(url, sizeof url, "https://host-%u", (unsigned)below(x, HOSTS));
    struct jobs_destination_order o = {.url_size = (uint16_t)size, .queue_size = 2};
    memcpy(bytes, &o, sizeof o);
    memcpy(bytes + sizeof o, below(x, 2) ? "qa" : "qb", 2);
    memcpy(bytes + sizeof o + 2, url, (size_t)size);
    world_command(&x->w, JOBS_RECORD_DESTINATION, weir_slice(bytes, sizeof o + 2 + (size_t)size));
    assert_true(x->w.out.replied || x->w.out.refused == JOBS_E_DESTINATIONS_FULL);
}

/* Host 0 and 1 are well; of the others' answers most are bad. */
static struct weir_result draw(struct sending *x, const struct jobs_call *call, bool calm) {
    struct weir_result r = {.tag = call->tag, .final = true, .attempt = 1, .status = 200, .duration_ns = 3 * MS};
    struct weir_slice name = names_text(x->w.s, JOBS_NAME_DESTINATION, call->destination);
    uint64_t dice = calm || name.data[5] < '2' ? 100 : below(x, 100);
    if (dice < 40)
        r.class_ = WEIR_EFFECT_STATUS, r.status = 500;
    else if (dice < 50)
        r.class_ = WEIR_EFFECT_STATUS, r.status = 404;
    else if (dice < 60)
        r.class_ = WEIR_EFFECT_TIMEOUT, r.status = 0;
    else if (dice < 70)
        r.class_ = WEIR_EFFECT_STATUS, r.status = 429, r.retry_after_ns = 700 * MS;
    r.text = r.body = weir_slice("", 0);
    return r;
}

static void do_result(struct sending *x, bool calm) {
    struct jobs *s = x->w.s;
    uint32_t first = (uint32_t)below(x, JOBS_CALLS_MAX);
    for (uint32_t k = 0; k < JOBS_CALLS_MAX; k++) {
        const struct jobs_call call = s->calls[(first + k) % JOBS_CALLS_MAX];
        if (!call.tag) continue;
        struct weir_result r = draw(x, &call, calm);
        uint32_t open = s->head->destinations_open, job = job_find(s, call.job);
        bool lives = job != JOBS_NONE && s->jobs[job].state == JOBS_RUNNING && s->jobs[job].epoch == call.epoch;
        if (r.class_ != WEIR_EFFECT_OK && lives) x->failed[call.job % JOBS]++;
        world_apply(&x->w, WEIR_RECORD_RESULT, 0, weir_slice(&r, sizeof r));
        x->opened += s->head->destinations_open > open;
        look(x);
        world_apply(&x->w, WEIR_RECORD_RESULT, 0, weir_slice(&r, sizeof r)); /* a requeued dead letter's: of nobody */
        return;
    }
}

static void do_cancel(struct sending *x) {
    const struct jobs_head *h = x->w.s->head;
    if (h->sequence == 0) return;
    struct jobs_operate o = {.id = 1 + below(x, h->sequence), .action = JOBS_CANCEL};
    world_command(&x->w, JOBS_RECORD_OPERATE, weir_slice(&o, sizeof o));
}

static void twin(struct sending *x) {
    if (x->w.twin) {
        world_done(x->w.twin);
        free(x->w.twin);
    }
    x->w.twin = malloc(sizeof *x->w.twin);
    world_copy(&x->w, x->w.twin);
}

/* Jobs that have a destination are ready. */
static bool waits(const struct jobs *s) {
    for (uint32_t i = 0; i < s->head->flows_used; i++) {
        const struct jobs_flow *f = &s->flows[i];
        if (f->count && (f->side == JOBS_SIDE_OWN || s->queues[f->queue].destination != JOBS_NO_DESTINATION))
            return true;
    }
    return false;
}

static void run(uint64_t seed, struct sending *x) {
    x->prng = prng_seed(seed);
    world_open(&x->w, 300);
    for (uint32_t i = 0; i < 4000; i++) {
        uint64_t dice = below(x, 100);
        if (dice < 25)
            do_push(x, below(x, 4) != 0);
        else if (dice < 65)
            do_result(x, false);
        else if (dice < 67)
            do_set(x, below(x, 3) == 0);
        else if (dice < 69)
            do_cancel(x);
        else
            pass(x, below(x, 200) * MS);
        look(x);
        if (i % 500 == 250) twin(x);
    }
    /* All are well again: whatever has a destination is done, by time and results alone. */
    struct jobs_head *h = x->w.s->head;
    for (uint32_t i = 0; i < 20000 && (h->calls || h->states[JOBS_RETRY] || waits(x->w.s)); i++) {
        do_result(x, true);
        pass(x, 700 * MS);
    }
    assert_int_equal(h->calls, 0);
    assert_int_equal(h->states[JOBS_RUNNING] + h->states[JOBS_RETRY], 0);
    assert_false(waits(x->w.s));
    assert_int_equal(h->pushed, h->done + h->cancelled + h->expired + h->dropped + h->job_count);
    world_done(x->w.twin);
    free(x->w.twin);
    world_done(&x->w);
}

static void gates_hold_and_nothing_is_lost(void **state) {
    (void)state;
    uint32_t refused = 0, sent = 0, opened = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct sending *x = calloc(1, sizeof *x);
        run(seed, x);
        refused += x->refused;
        sent += x->sent;
        opened += x->opened;
        free(x);
    }
    assert_true(refused > 0 && sent > 1000 && opened > 20);
}

static void hosts_are_what_a_url_says(void **state) {
    (void)state;
    static const struct {
        const char *url, *host; /* NULL: refused */
    } rows[] = {{"http://A.example/x?y", "a.example:80"}, {"https://a", "a:443"}, {"http://a:8080?x", "a:8080"},
        {"http://[::1]/", "[::1]:80"}, {"http://[::1]:7/", "[::1]:7"}, {"https://a#b", "a:443"}, {"a", NULL},
        {"http://", NULL}, {"http:///x", NULL}, {"http://u:p@a/", NULL}, {"http://a\r\nb/", NULL},
        {"http://:80/", NULL}, {"ftp://a/", NULL}, {"http://a/x y", NULL}};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows); i++) {
        char host[JOBS_NAME_MAX];
        size_t size = 0;
        bool is_url = hook_host(weir_slice_text(rows[i].url), host, &size);
        assert_int_equal(is_url, rows[i].host != NULL);
        if (is_url) assert_true(weir_slice_equal(weir_slice(host, size), weir_slice_text(rows[i].host)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gates_hold_and_nothing_is_lost),
        cmocka_unit_test(hosts_are_what_a_url_says),
    };
    return cmocka_run_group_tests_name("hook", tests, NULL, NULL);
}
