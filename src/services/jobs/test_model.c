/* Random operations against a slow, obvious model: a row per job, which follows the audit alone. Each event must be one
 * that the row's state allows, each answer what the rows say; nothing is overdue; a copy made from a snapshot on the
 * way does the same, byte for byte. */
#include "jobs/batch.h"
#include "jobs/test_out.h"

#define ROWS    20000u
#define QUEUES  3u
#define KEYS    6u
#define MS      1000000ull
#define BATCHES 3000u

struct row {
    uint64_t id, due_ns, expires_ns, place; /* place: order among the ready */
    uint32_t epoch;
    uint32_t batch; /* 1 + which */
    uint8_t state, attempt, attempts_max, priority, queue, key /* unique: 1 + which */, until;
};
struct bunch { /* a batch: what it counts is worked out from the rows each time */
    uint64_t id;
    uint32_t parent; /* 1 + which */
    bool open, complete, success;
};
struct sums {
    uint32_t total, pending, failed;
};
struct model {
    struct row rows[ROWS];
    uint32_t count;
    uint64_t back, front; /* places */
    struct jobs_world w;
    struct prng prng;
    uint64_t ended[JOBS_EXPIRED + 1];
    struct bunch bunches[BATCHES];
    uint32_t bunch_count, successes, with_failures;
};

static struct row *row_of(struct model *m, uint64_t id) {
    assert_true(id > 0 && id <= m->count); /* one partition: ids count up */
    return m->rows + (id - 1) % ROWS;
}

static uint32_t number(struct weir_slice name) { /* "q2" */
    assert_int_equal(name.size, 2);
    return (uint32_t)(name.data[1] - '0');
}

/* ---- the audit ---- */
static bool allowed(const struct row *r, uint32_t transition, uint32_t to) {
    uint32_t from = r->state;
    bool waits = from == JOBS_SCHEDULED || from == JOBS_RETRY;
    switch (transition) {
    case JOBS_RELEASED:
        return waits && to == JOBS_READY;
    case JOBS_LEASED:
        return from == JOBS_READY && to == JOBS_RUNNING;
    case JOBS_EXTENDED:
        return from == JOBS_RUNNING && to == JOBS_RUNNING;
    case JOBS_RETURNED:
        return from == JOBS_RUNNING && to == JOBS_READY;
    case JOBS_FAILED:
    case JOBS_TIMED_OUT:
        return from == JOBS_RUNNING && (to == JOBS_RETRY || to == JOBS_DEAD || to == JOBS_READY);
    case JOBS_ENDED:
        return to == JOBS_DONE      ? from == JOBS_RUNNING
               : to == JOBS_EXPIRED ? waits || from == JOBS_READY
                                    : from < JOBS_DEAD;
    case JOBS_REQUEUED:
        return (waits || from == JOBS_DEAD) && to == JOBS_READY;
    case JOBS_KILLED:
        return from < JOBS_DEAD && to == JOBS_DEAD;
    case JOBS_DROPPED:
        return from == JOBS_DEAD;
    default:
        return false;
    }
}

/* ---- batches ---- */
static struct sums sums_of(const struct model *m, uint32_t bunch) {
    struct sums sums = {0};
    for (uint32_t i = 0; i < m->count; i++) {
        const struct row *r = &m->rows[i];
        if (r->batch != bunch + 1) continue;
        bool failed =
            r->state == JOBS_DEAD || r->state == JOBS_FREE || r->state == JOBS_CANCELLED || r->state == JOBS_EXPIRED;
        sums.total++;
        sums.failed += failed;
        sums.pending += !failed && r->state != JOBS_DONE;
    }
    for (uint32_t i = 0; i < m->bunch_count; i++) {
        const struct bunch *b = &m->bunches[i];
        if (b->parent != bunch + 1) continue;
        sums.total++;
        sums.pending += !b->complete;
        sums.failed += b->complete && !b->success;
    }
    return sums;
}

/* A callback's jid is "c12" or "s12". A batch's success comes in the record that completes it, or later. */
static void follow_callback(struct model *m, struct weir_slice jid) {
    char text[16] = "";
    memcpy(text, jid.data, jid.size);
    uint32_t which = (uint32_t)strtoul(text + 1, NULL, 10);
    struct bunch *b = &m->bunches[which];
    struct sums sums = sums_of(m, which);
    assert_true(which < m->bunch_count && !b->open && sums.pending == 0);
    assert_true(text[0] == 'c' ? !b->complete : b->complete && !b->success && sums.failed == 0);
    if (text[0] == 's') {
        b->success = true;
        m->successes++;
    } else {
        b->complete = true;
        m->with_failures += sums.failed > 0;
    }
}

/* Nothing is left to be pushed, and the fold counts what the rows say. */
static void check_bunches(const struct model *m) {
    const struct jobs *s = m->w.s;
    assert_int_equal(s->head->followers_refused, 0);
    for (uint32_t i = 0; i < m->bunch_count; i++) {
        const struct bunch *b = &m->bunches[i];
        uint32_t at = batch_find(s, b->id);
        if (at == JOBS_NONE) {
            assert_true(b->complete); /* only one that is over is forgotten */
            continue;
        }
        struct sums sums = sums_of(m, i);
        struct jobs_batched counts = batch_counts(&s->batches[at]);
        assert_int_equal(counts.total, sums.total);
        assert_int_equal(counts.pending, sums.pending);
        assert_int_equal(counts.failed, sums.failed);
        bool ended = !b->open && sums.pending == 0;
        if (ended) assert_true(b->complete && b->success == (sums.failed == 0 || b->success));
        if (ended && sums.failed == 0) assert_true(b->success);
    }
}

static void follow(struct model *m, const struct jobs_event_view *v) {
    const struct jobs_event *e = &v->head;
    if (e->transition == JOBS_PUSHED) {
        assert_int_equal(e->job, m->count + 1);
        assert_true(m->count < ROWS);
        if (v->jid.size) follow_callback(m, v->jid);
        m->rows[m->count++] = (struct row){.id = e->job, .queue = (uint8_t)number(v->queue), .priority = e->priority};
    }
    struct row *r = row_of(m, e->job);
    if (e->transition != JOBS_PUSHED) assert_true(allowed(r, e->transition, e->state));
    if (e->transition == JOBS_RELEASED) assert_true(r->due_ns <= m->w.now_ns && m->w.now_ns < r->due_ns + 2 * MS);
    if (e->transition == JOBS_LEASED) assert_int_equal(e->epoch, r->epoch + 1);
    if (e->transition == JOBS_TIMED_OUT && e->state == JOBS_RETRY) fail_msg("a lost lease is tried again at once");
    assert_true(e->attempt <= e->attempts_max && e->attempts_max <= 5);
    if (e->state == JOBS_READY) r->place = e->transition == JOBS_RETURNED ? --m->front : ++m->back;
    r->state = e->transition == JOBS_DROPPED ? JOBS_FREE : e->state;
    if (e->state == JOBS_DEAD) r->key = 0; /* released, also when it is requeued later */
    r->due_ns = e->due_ns;
    r->epoch = e->epoch;
    r->attempt = e->attempt;
    r->attempts_max = e->attempts_max;
    if (e->transition == JOBS_ENDED) m->ended[e->state]++;
}

static void follow_all(struct model *m) {
    for (uint32_t i = 0; i < m->w.out.event_count; i++) {
        struct jobs_event_view v;
        assert_true(jobs_event_read(m->w.out.events[i].bytes, &v));
        follow(m, &v);
    }
    for (uint32_t i = 0; i < m->w.out.late_count; i++) {
        struct jobs_leased_view v;
        for (size_t at = 0; at < m->w.out.late[i].bytes.size;) {
            assert_true(jobs_leased_next(m->w.out.late[i].bytes, &at, &v));
            assert_int_equal(row_of(m, v.head.id)->epoch, v.head.epoch);
        }
    }
}

static void pass(struct model *m, uint64_t span_ns) {
    struct jobs_world *w = &m->w;
    uint64_t to_ns = w->now_ns + span_ns;
    while (w->out.timer_ns <= to_ns) {
        if (w->out.timer_ns > w->now_ns) w->now_ns = w->out.timer_ns;
        world_apply(w, WEIR_RECORD_TIMER, 0, weir_slice("", 0));
        follow_all(m);
    }
    w->now_ns = to_ns;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct row *r = &m->rows[i];
        bool timed = r->state == JOBS_SCHEDULED || r->state == JOBS_RETRY || r->state == JOBS_RUNNING;
        if (timed) assert_true(r->due_ns + MS >= w->now_ns);
    }
}

/* ---- what clients do ---- */
static const char *const queues[QUEUES] = {"q0", "q1", "q2"};
static const char *const workers[] = {"", "w1", "w2", "w3"};

static uint64_t below(struct model *m, uint64_t bound) {
    return prng_below(&m->prng, bound);
}

/* Who holds a key, by the rows: one that has not ended and did not let it go. */
static uint64_t holder(const struct model *m, uint32_t key) {
    for (uint32_t i = m->count; key && i-- > 0;) {
        const struct row *r = &m->rows[i];
        bool lives = r->state >= JOBS_SCHEDULED && r->state <= JOBS_RETRY;
        if (r->key == key && lives && (r->until == JOBS_UNIQUE_SUCCESS || r->epoch == 0)) return r->id;
    }
    return 0;
}

static void do_push(struct model *m) {
    uint8_t payload[600];
    char key[16];
    uint32_t which = below(m, 4) == 0 ? 1 + (uint32_t)below(m, KEYS) : 0;
    struct world_push p = {.queue = queues[below(m, QUEUES)], .payload = weir_slice(payload, below(m, sizeof payload))};
    memset(payload, (int)below(m, 256), sizeof payload);
    p.head.priority = (uint8_t)below(m, 10);
    p.head.attempts_max = (uint8_t)below(m, 8);
    p.head.unique_until = (uint8_t)below(m, 2);
    p.head.backoff = (uint8_t)below(m, 2);
    p.head.backoff_ms = (uint32_t)below(m, 3000);
    p.head.lease_ms = below(m, 3) ? 0 : 1 + (uint32_t)below(m, 5000);
    if (below(m, 3) == 0) p.head.delay_ns = below(m, 200000) * MS / 7;
    if (below(m, 5) == 0) p.head.expires_in_ns = 1 + below(m, 100000) * MS / 7;
    if (which) {
        snprintf(key, sizeof key, "key %u", which);
        p.unique = key;
    }
    uint32_t bunch = m->bunch_count && below(m, 2)
                         ? m->bunch_count - (uint32_t)below(m, m->bunch_count < 6 ? m->bunch_count : 6)
                         : 0;
    if (bunch) p.head.batch = m->bunches[bunch - 1].id;
    bool closed = bunch && m->bunches[bunch - 1].complete;
    uint64_t held = holder(m, which);
    struct jobs_pushed pushed = world_push(&m->w, &p);
    follow_all(m);
    if (held) {
        assert_int_equal(pushed.reason, JOBS_E_NOT_UNIQUE);
        assert_int_equal(pushed.id, held);
    } else if (closed) {
        assert_true(pushed.reason == JOBS_E_BATCH_ENDED || pushed.reason == JOBS_E_BATCH);
    } else if (pushed.reason == JOBS_OK) {
        struct row *r = row_of(m, pushed.id);
        r->key = (uint8_t)which;
        r->batch = bunch;
        r->until = p.head.unique_until;
        r->expires_ns = p.head.expires_in_ns;
    } else {
        assert_int_equal(pushed.reason, JOBS_E_JOBS_FULL);
    }
}

static struct row *best(struct model *m, uint32_t queue) {
    struct row *found = NULL;
    for (uint32_t i = 0; i < m->count; i++) {
        struct row *r = &m->rows[i];
        if (r->state != JOBS_READY || r->queue != queue) continue;
        bool first =
            !found || r->priority > found->priority || (r->priority == found->priority && r->place < found->place);
        if (first) found = r;
    }
    return found;
}

static void do_fetch(struct model *m) {
    struct jobs_leased_view got[8];
    uint32_t queue = (uint32_t)below(m, QUEUES), max = 1 + (uint32_t)below(m, 8), expected = 0;
    uint64_t want[8];
    struct row *r;
    for (; expected < max && (r = best(m, queue)); expected++) {
        want[expected] = r->id;
        r->state = JOBS_FREE; /* for the next look */
    }
    for (uint32_t i = 0; i < expected; i++)
        row_of(m, want[i])->state = JOBS_READY;
    uint32_t wait_ms = below(m, 4) == 0 ? 1 + (uint32_t)below(m, 20000) : 0;
    uint32_t count = world_fetch(&m->w, workers[below(m, 4)], queues[queue], max, wait_ms, got, 8);
    follow_all(m);
    if (m->w.out.refused) { /* too many wait */
        assert_int_equal(expected, 0);
        return;
    }
    assert_int_equal(count, expected);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(got[i].head.id, want[i]);
}

static void do_report(struct model *m) {
    static const uint16_t types[] = {
        JOBS_RECORD_ACK, JOBS_RECORD_ACK, JOBS_RECORD_FAIL, JOBS_RECORD_EXTEND, JOBS_RECORD_RETURN};
    if (m->count == 0) return;
    struct row *r = NULL;
    for (uint32_t tries = 0; tries < 40 && (!r || r->state != JOBS_RUNNING); tries++)
        r = &m->rows[m->count - 1 - below(m, m->count < 500 ? m->count : 500)];
    struct jobs_report head = {.id = r->id, .epoch = r->epoch};
    if (below(m, 10) == 0) head.epoch = (uint32_t)below(m, 4);
    uint8_t state = r->state;
    bool living = state >= JOBS_SCHEDULED && state <= JOBS_DEAD, right = head.epoch == 0 || head.epoch == r->epoch;
    struct jobs_reported said = world_report(&m->w, types[below(m, 5)], &head);
    follow_all(m);
    uint32_t want = !living                 ? JOBS_E_NOT_FOUND
                    : !right                ? JOBS_E_STALE
                    : state == JOBS_RUNNING ? JOBS_OK
                    : head.epoch            ? JOBS_E_STALE
                                            : JOBS_E_NOT_RUNNING;
    assert_int_equal(said.reason, want);
    if (want != JOBS_OK) return;
    bool taken_again = said.state == JOBS_READY && r->state == JOBS_RUNNING; /* by one that waited */
    assert_true(said.state == r->state || taken_again);
}

static void do_operate(struct model *m) {
    if (m->count == 0) return;
    struct row *r = &m->rows[below(m, m->count)];
    struct jobs_operate o = {.id = r->id, .action = (uint8_t)(1 + below(m, 4))};
    if (below(m, 4) == 0) {
        o.id = 0;
        o.state = below(m, 2) ? JOBS_DEAD : JOBS_SCHEDULED;
        o.max = 1 + (uint32_t)below(m, 5);
    }
    world_command(&m->w, JOBS_RECORD_OPERATE, weir_slice(&o, sizeof o));
    follow_all(m);
}

static void do_beat(struct model *m) {
    uint8_t bytes[64] = {0};
    const char *name = workers[1 + below(m, 3)];
    struct jobs_beat beat = {.worker_size = (uint8_t)strlen(name), .flags = below(m, 6) == 0 ? JOBS_BEAT_GONE : 0};
    memcpy(bytes, &beat, sizeof beat);
    memcpy(bytes + sizeof beat, name, beat.worker_size);
    world_command(&m->w, JOBS_RECORD_BEAT, weir_slice(bytes, sizeof beat + beat.worker_size));
    follow_all(m);
    if (beat.flags) return;
    assert_true(m->w.out.replied);
}

static void do_queue(struct model *m) {
    uint8_t bytes[32] = {0};
    const char *name = queues[below(m, QUEUES)];
    struct jobs_queue_order o = {.action = JOBS_QUEUE_CLEAR, .name_size = 2};
    memcpy(bytes, &o, sizeof o);
    memcpy(bytes + sizeof o, name, 2);
    world_command(&m->w, JOBS_RECORD_QUEUE, weir_slice(bytes, sizeof o + 2));
    follow_all(m);
}

static size_t put_callback(const struct model *m, char kind, uint8_t *at) {
    char jid[16];
    snprintf(jid, sizeof jid, "%c%u", kind, m->bunch_count);
    struct world_push p = {.queue = queues[m->bunch_count % QUEUES], .jid = jid, .payload = weir_slice("", 0)};
    return world_new(&p, at);
}

static void do_bunch(struct model *m) {
    uint8_t bytes[1024];
    uint32_t which =
        m->bunch_count ? m->bunch_count - 1 - (uint32_t)below(m, m->bunch_count < 6 ? m->bunch_count : 6) : 0;
    struct bunch *b = &m->bunches[which];
    struct jobs_batch_order o = {.id = b->id, .action = (uint8_t)(1 + below(m, 3))};
    if (below(m, 2)) o.action = JOBS_BATCH_COMMIT;
    if (m->bunch_count == 0 || below(m, 3) == 0) o.action = JOBS_BATCH_NEW;
    size_t size = sizeof o;
    if (o.action == JOBS_BATCH_NEW) {
        if (below(m, 2)) o.id = 0;
        o.success_size = (uint32_t)put_callback(m, 's', bytes + size);
        size += o.success_size;
        o.complete_size = (uint32_t)put_callback(m, 'c', bytes + size);
        size += o.complete_size;
    }
    if (o.action == JOBS_BATCH_COMMIT) b->open = false;
    bool complete = o.id && b->complete;
    memcpy(bytes, &o, sizeof o);
    world_command(&m->w, JOBS_RECORD_BATCH, weir_slice(bytes, size));
    uint32_t refused = m->w.out.refused;
    if (complete && o.action != JOBS_BATCH_COMMIT)
        assert_true(refused == JOBS_E_BATCH_ENDED || refused == JOBS_E_BATCH);
    if (o.action == JOBS_BATCH_OPEN && !refused) b->open = true;
    if (o.action == JOBS_BATCH_NEW && !refused) {
        struct jobs_batched reply;
        memcpy(&reply, m->w.out.reply.data, sizeof reply);
        assert_true(m->bunch_count < BATCHES);
        m->bunches[m->bunch_count++] = (struct bunch){.id = reply.id, .parent = o.id ? which + 1 : 0, .open = true};
    }
    follow_all(m);
}

static void step(struct model *m) {
    uint64_t dice = below(m, 100);
    if (dice < 4)
        do_bunch(m);
    else if (dice < 37)
        do_push(m);
    else if (dice < 60)
        do_fetch(m);
    else if (dice < 85)
        do_report(m);
    else if (dice < 88)
        do_operate(m);
    else if (dice < 91)
        do_beat(m);
    else if (dice == 91 && below(m, 8) == 0)
        do_queue(m);
    else
        pass(m, below(m, 2000) * MS / 3);
}

static void twin_begin(struct model *m) {
    if (m->w.twin) {
        world_check(m->w.twin);
        world_done(m->w.twin);
        free(m->w.twin);
    }
    m->w.twin = malloc(sizeof *m->w.twin);
    world_copy(&m->w, m->w.twin);
}

static uint32_t batches_succeeded, batches_with_failures;
static void run(uint64_t seed) {
    struct model *m = calloc(1, sizeof *m);
    m->prng = prng_seed(seed);
    m->back = m->front = (uint64_t)1 << 40;
    world_open(&m->w, 300);
    for (uint32_t i = 0; i < 6000; i++) {
        step(m);
        if (i % 100 == 0) world_check(&m->w);
        if (i % 100 == 0) check_bunches(m);
        if (i % 900 == 450) twin_begin(m);
        if (i % 2500 == 2499) { /* a new life: those who waited are gone */
            world_apply(&m->w, WEIR_RECORD_SETTINGS, 0, weir_slice("", 0));
            follow_all(m);
            assert_int_equal(m->w.s->head->waiter_count, 0);
        }
    }
    check_bunches(m);
    batches_succeeded += m->successes;
    batches_with_failures += m->with_failures;
    uint64_t sum = 0, by_state[JOBS_EXPIRED + 1] = {0};
    for (uint32_t i = 0; i < m->count; i++) {
        by_state[m->rows[i].state]++;
        sum++;
    }
    for (uint32_t state = JOBS_SCHEDULED; state <= JOBS_HELD; state++)
        assert_int_equal(by_state[state], m->w.s->head->states[state]);
    assert_int_equal(sum, m->w.s->head->pushed);
    for (uint32_t state = JOBS_DONE; state <= JOBS_EXPIRED; state++)
        assert_true(m->ended[state] > 0 && m->ended[state] == by_state[state]);
    world_done(m->w.twin);
    free(m->w.twin);
    world_done(&m->w);
    free(m);
}

static void the_fold_does_what_the_model_does_and_so_does_a_copy_of_it(void **state) {
    (void)state;
    const char *one = getenv("WEIR_SEED");
    if (one) {
        run(strtoull(one, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= 8; seed++)
        run(seed);
    assert_true(batches_succeeded > 50 && batches_with_failures > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fold_does_what_the_model_does_and_so_does_a_copy_of_it),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
