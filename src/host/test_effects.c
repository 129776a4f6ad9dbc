/* Effects as the fold keeps them: who starts, what a result does, and that a table which was saved and loaded at any
 * moment goes on as the other one would have. */
#include "base/prng.h"
#include "host/effects.h"
#include "host/snapshot.h"
#include "host/test_services.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S 1000000000ull

static const struct weir_effect_row rows[] = {
    {.name = "call",
        .kind = WEIR_EFFECT_HTTP,
        .attempts_max = 3,
        .outstanding_max = 40,
        .dead_max = 8,
        .request_bytes_max = 64,
        .keys_max = 6,
        .gate = {.running_max = 7},
        .key_gate = {.running_max = 2, .failed_percent = 50, .calls_min = 4, .open_ns = 3 * S},
        .backoff = {.first_ns = S, .most_ns = 8 * S}},
    {.name = "slow",
        .kind = WEIR_EFFECT_WORK,
        .outstanding_max = 10,
        .dead_max = 2,
        .gate = {.running_max = 3, .per_second = 2, .burst = 2}},
    {0},
};
static const struct weir_topic topics[] = {{"t.in", WEIR_TOPIC_INPUT, NULL, ""}, WEIR_DEAD_TOPIC("t"), {0}};
static const struct weir_service service = {.name = "t", .topics = topics, .effects = rows, .effects_max = 4};

struct table {
    struct effects effects;
    struct digest digest;
};

static struct weir_sink saved(const struct table *t) {
    struct weir_sink sink = {0};
    assert_int_equal(effects_save(&t->effects, &sink), WEIR_OK);
    return sink;
}

static void load(struct table *t, struct weir_slice bytes) {
    struct byte_reader r = byte_reader(bytes);
    assert_int_equal(effects_open(&t->effects, &service, 3), WEIR_OK);
    if (effects_load(&t->effects, &r) != WEIR_OK) fail_msg("%s", weir_error_text());
    assert_true(byte_reader_finished(&r));
}

/* ---- what must hold after each turn ---- */
static void check(const struct table *t) {
    uint32_t running[2] = {0}, waiting[2] = {0}, resting[2] = {0}, dead[2] = {0}, index;
    uint32_t by_key[16] = {0};
    uint64_t id;
    for (size_t at = 0; map32_each(&t->effects.by_id, &at, &id, &index);) {
        const struct effect *e = effects_at(&t->effects, index);
        assert_int_equal(e->id, id);
        running[e->row] += e->state == EFFECT_RUNNING;
        waiting[e->row] += e->state == EFFECT_WAITING;
        resting[e->row] += e->state == EFFECT_RESTING;
        dead[e->row] += e->state == EFFECT_DEAD;
        if (e->row == 0 && e->state == EFFECT_RUNNING) by_key[e->key]++;
        if (e->row == 0) assert_true(e->attempt - e->round_from <= 3);
    }
    for (int r = 0; r < 2; r++) {
        const struct effect_row *row = &t->effects.rows[r];
        assert_int_equal(running[r], row->gate.running);
        assert_int_equal(waiting[r], row->waiting);
        assert_int_equal(resting[r], row->resting);
        assert_int_equal(dead[r], row->dead.count);
        assert_true(running[r] <= rows[r].gate.running_max && effects_outstanding(row) <= row->outstanding_max);
        assert_true(dead[r] <= row->dead_max);
    }
    for (int k = 1; k < 16; k++)
        assert_true(by_key[k] <= 2);
}

static uint64_t pick(const struct table *t, struct prng *prng, uint32_t state) {
    uint64_t ids[64], id;
    uint32_t count = 0, index;
    for (size_t at = 0; map32_each(&t->effects.by_id, &at, &id, &index);)
        if (effects_at(&t->effects, index)->state == state) ids[count++] = id;
    return count ? ids[prng_below(prng, count)] : 0;
}

struct step {
    uint32_t kind, row, class_, status, attempt_off;
    uint64_t id, retry_after_ns;
    struct weir_effect_options options;
};

static struct step draw(const struct table *t, struct prng *prng, uint64_t offset) {
    struct step s = {.kind = (uint32_t)prng_below(prng, 20), .row = prng_below(prng, 4) == 0, .id = offset << 16};
    s.options.key = s.row ? 0 : prng_below(prng, 12);
    s.options.priority = (uint32_t)prng_below(prng, 3);
    s.options.attempts_max = (uint32_t)prng_below(prng, 4);
    if (s.kind >= 8) {
        static const uint8_t states[] = {EFFECT_DEAD, EFFECT_DEAD, EFFECT_WAITING, EFFECT_RESTING};
        s.id = s.kind < 16 ? pick(t, prng, EFFECT_RUNNING) : pick(t, prng, states[s.kind - 16]);
        s.class_ = prng_below(prng, 100) < 55 ? WEIR_EFFECT_OK : WEIR_EFFECT_STATUS + (uint32_t)prng_below(prng, 8);
        s.status = s.class_ == WEIR_EFFECT_STATUS ? 400 + 100 * (uint32_t)prng_below(prng, 2) + 4 : 0;
        s.attempt_off = prng_below(prng, 10) == 0;
        s.retry_after_ns = prng_below(prng, 10) == 0 ? 2 * S : 0;
    }
    return s;
}

static void take(struct table *t, const struct step *s, uint64_t now_ns) {
    struct effects *effects = &t->effects;
    if (s->kind < 8) {
        struct effect *e = effects_add(effects, s->row, &s->options, s->id, now_ns, 5);
        const struct effect_row *r = &effects->rows[s->row];
        assert_true(e || effects_outstanding(r) == r->outstanding_max);
        if (e) memcpy(effect_request(e), "bytes", 5);
    } else if (s->id) {
        struct effect *e = effects_find(effects, s->id);
        assert_non_null(e);
        assert_memory_equal(effect_request(e), "bytes", 5);
        struct effect_answer answer = {.class_ = (enum weir_effect_class)s->class_,
            .status = (uint16_t)s->status,
            .duration_ns = 1000000,
            .retry_after_ns = s->retry_after_ns};
        if (s->kind < 16) {
            enum effect_ended ended = effects_end(effects, e, e->attempt + s->attempt_off, &answer, NULL, now_ns);
            assert_int_equal(ended == EFFECT_STALE, s->attempt_off != 0);
            if (ended == EFFECT_DONE) effects_forget(effects, e);
        } else if (s->kind == 16) {
            effects_requeue(effects, e, now_ns);
        } else {
            effects_drop(effects, e, NULL, now_ns);
            effects_forget(effects, e);
        }
    }
    effects_turn(effects, NULL, now_ns, &t->digest);
}

static void a_loaded_table_goes_on_as_the_saved_one(void **unused) {
    (void)unused;
    struct prng prng = prng_seed(77);
    struct table a = {0}, b = {0};
    uint64_t now = 100 * S, starts = 0, dead = 0;
    assert_int_equal(effects_open(&a.effects, &service, 3), WEIR_OK);
    assert_int_equal(effects_open(&b.effects, &service, 3), WEIR_OK);
    for (uint64_t i = 1; i < 40000; i++) {
        now += prng_below(&prng, S / 3);
        struct step s = draw(&a, &prng, i);
        take(&a, &s, now);
        take(&b, &s, now);
        check(&a);
        assert_int_equal(a.digest.state, b.digest.state); /* the same starts in the same order */
        assert_int_equal(effects_next_ns(&a.effects, NULL, now), effects_next_ns(&b.effects, NULL, now));
        assert_true(effects_next_ns(&a.effects, NULL, now) > now);
        if (prng_below(&prng, 50)) continue;
        struct weir_sink one = saved(&a), two = saved(&b);
        assert_int_equal(one.size, two.size);
        assert_memory_equal(one.data, two.data, one.size);
        effects_done(&b.effects);
        load(&b, weir_slice(one.data, one.size));
        sink_done(&one);
        sink_done(&two);
    }
    starts = a.effects.starts;
    dead = a.effects.rows[0].dead_total;
    assert_true(starts > 5000 && dead > 200); /* it came by what it is to show */
    effects_done(&a.effects);
    effects_done(&b.effects);
}

static void damaged_bytes_are_refused_or_harmless(void **unused) {
    (void)unused;
    struct prng prng = prng_seed(5);
    struct table a = {0};
    uint64_t now = 100 * S;
    assert_int_equal(effects_open(&a.effects, &service, 3), WEIR_OK);
    for (uint64_t i = 1; i < 300; i++) {
        struct step s = draw(&a, &prng, i);
        take(&a, &s, now += S / 5);
    }
    struct weir_sink sink = saved(&a);
    for (size_t i = 0; i < sink.size; i += 1 + i / 200) {
        struct table b = {0};
        sink.data[i] ^= (uint8_t)(1u << prng_below(&prng, 8));
        struct byte_reader r = byte_reader(weir_slice(sink.data, sink.size));
        assert_int_equal(effects_open(&b.effects, &service, 3), WEIR_OK);
        if (effects_load(&b.effects, &r) == WEIR_OK) effects_turn(&b.effects, NULL, now, &b.digest);
        effects_done(&b.effects);
    }
    sink_done(&sink);
    effects_done(&a.effects);
}

/* ---- one by one ---- */
static struct effect *add(struct table *t, uint64_t id, uint64_t key, uint32_t priority, uint64_t now_ns) {
    struct effect *e = effects_add(
        &t->effects, 0, &(struct weir_effect_options){.key = key, .priority = priority}, id << 16, now_ns, 0);
    assert_non_null(e);
    return e;
}

static void keys_take_turns_and_priorities_come_first(void **unused) {
    (void)unused;
    struct table t = {0};
    assert_int_equal(effects_open(&t.effects, &service, 0), WEIR_OK);
    for (uint64_t i = 0; i < 10; i++) /* one key asks for much */
        add(&t, 1 + i, 1, 1, S);
    add(&t, 20, 2, 1, S);
    add(&t, 21, 3, 1, S);
    struct effect *urgent = add(&t, 30, 4, 0, S);
    effects_turn(&t.effects, NULL, S, &t.digest);
    assert_int_equal(urgent->start, 1);
    assert_int_equal(effects_find(&t.effects, 1 << 16)->start, 2);
    assert_int_equal(effects_find(&t.effects, 20 << 16)->start, 3);
    assert_int_equal(effects_find(&t.effects, 21 << 16)->start, 4);
    assert_int_equal(effects_find(&t.effects, 2 << 16)->start, 5);
    assert_int_equal(effects_find(&t.effects, 3 << 16)->state, EFFECT_WAITING); /* two of a key at once */
    effects_done(&t.effects);
}

static void an_open_breaker_holds_back_without_spending_attempts(void **unused) {
    (void)unused;
    struct table t = {0};
    const struct effect_answer down = {.class_ = WEIR_EFFECT_STATUS, .status = 503};
    uint64_t now = 10 * S;
    assert_int_equal(effects_open(&t.effects, &service, 0), WEIR_OK);
    for (uint64_t i = 1; i <= 6; i++)
        add(&t, i, 9, 0, now);
    for (int i = 0; i < 4; i++) {
        effects_turn(&t.effects, NULL, now, &t.digest);
        struct prng prng = prng_seed(1);
        struct effect *e = effects_find(&t.effects, pick(&t, &prng, EFFECT_RUNNING));
        assert_int_equal(effects_end(&t.effects, e, e->attempt, &down, NULL, now), EFFECT_GOES_ON);
    }
    assert_int_equal(weir_gates_find(t.effects.rows[0].keys, 9)->state, WEIR_GATE_OPEN);
    uint64_t starts = t.effects.starts;
    for (uint64_t at = now; at < now + 3 * S; at += S / 10)
        effects_turn(&t.effects, NULL, at, &t.digest);
    assert_int_equal(t.effects.starts, starts);
    assert_int_equal(effects_next_ns(&t.effects, NULL, now + 3 * S - 1), now + 3 * S);
    effects_turn(&t.effects, NULL, now + 3 * S, &t.digest);
    assert_int_equal(t.effects.starts, starts + 1); /* one probe */
    effects_done(&t.effects);
}

/* ---- the two formats of snapshots ---- */
static struct weir_sink snapshot_of(const struct fold *fold) {
    struct weir_sink sink = {0};
    assert_int_equal(snapshot_store(fold, &sink), WEIR_OK);
    return sink;
}

static void a_service_that_gained_effects_loads_what_it_saved_before(void **unused) {
    (void)unused;
    static const struct weir_setting_value values[2] = {{.number = 2}, {.number = 7}};
    const struct weir_topic more_topics[] = {
        left_topics[0], left_topics[1], left_topics[2], WEIR_DEAD_TOPIC("left"), {0}};
    struct weir_service grown = left_service;
    grown.topics = more_topics;
    grown.effects = rows;
    grown.effects_max = 1;
    struct fold_options before = {.service = &left_service,
        .values = values,
        .initial = values,
        .partition_count = 2,
        .idempotency = {.keys_max = 8, .age_ns_max = 1000}};
    struct fold_options after = before;
    after.service = &grown;
    struct in_force in_force;
    struct fold fold;
    assert_int_equal(in_force_from(&in_force, &left_service, values, 1), WEIR_OK);
    assert_int_equal(fold_open(&fold, &before, &in_force), WEIR_OK);
    fold.applied = 3;
    struct weir_sink one = snapshot_of(&fold);
    fold_done(&fold);
    assert_int_equal(load_le32(one.data + 8), SNAPSHOT_FORMAT_NO_EFFECTS);
    assert_int_equal(snapshot_load(&fold, &after, weir_slice(one.data, one.size)), WEIR_OK);
    assert_int_equal(fold.applied, 3);
    assert_non_null(effects_add(&fold.effects, 0, &(struct weir_effect_options){.key = 4}, 2 << 16, S, 5));
    struct weir_sink two = snapshot_of(&fold);
    fold_done(&fold);
    assert_int_equal(load_le32(two.data + 8), SNAPSHOT_FORMAT);
    assert_int_equal(snapshot_load(&fold, &after, weir_slice(two.data, two.size)), WEIR_OK);
    assert_int_equal(effects_find(&fold.effects, 2 << 16)->key, 4);
    fold_done(&fold);
    /* Without the row that has one outstanding there is no way back. */
    assert_int_equal(snapshot_load(&fold, &before, weir_slice(two.data, two.size)), WEIR_E_CORRUPT);
    assert_non_null(strstr(weir_error_text(), "effects"));
    sink_done(&one);
    sink_done(&two);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_table_goes_on_as_the_saved_one),
        cmocka_unit_test(damaged_bytes_are_refused_or_harmless),
        cmocka_unit_test(keys_take_turns_and_priorities_come_first),
        cmocka_unit_test(an_open_breaker_holds_back_without_spending_attempts),
        cmocka_unit_test(a_service_that_gained_effects_loads_what_it_saved_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
