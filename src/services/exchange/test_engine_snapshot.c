/* Replay and restore: a state that was saved and loaded says, byte for byte, what the first one says ever after. */
#include "exchange/test_engine_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define STEPS 700

static const struct exchange_limits limits = {
    .orders_max = 2000, .symbols_max = 4, .accounts_max = 12, .sessions_max = 4, .work_max = 7};

struct step {
    uint8_t bytes[sizeof(struct exchange_terms)];
    size_t size;
    uint64_t time_ns;
};

static uint64_t next_random(uint64_t *x) {
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
    return *x;
}

static struct exchange_command random_command(uint64_t *x, uint64_t now) {
    struct exchange_command c = {.type = EXCHANGE_COMMAND_NEW, .symbol = 1 + (uint32_t)(next_random(x) % 3)};
    uint64_t kind = next_random(x) % 100;
    c.account = 1 + (uint32_t)(next_random(x) % 10);
    c.side = (uint8_t)(next_random(x) % 2);
    c.price = 1000 + (int64_t)(next_random(x) % 40);
    c.quantity = 1 + next_random(x) % 9;
    c.tif = (uint8_t)(next_random(x) % 3);
    c.stp = (uint8_t)(next_random(x) % 5);
    c.expire_ns = c.tif == EXCHANGE_TIF_GTD ? now + next_random(x) % 900 : 0;
    if (kind < 30) c.price += c.side ? 20 : -20; /* so that books fill */
    if (kind % 2) c.client_ref = now;
    if (kind % 10 == 3) c.session = 1 + (uint32_t)(next_random(x) % 4), c.account = c.session;
    if (kind < 60) return c;
    c.order_id = 1 + next_random(x) % (now / 5);
    c.account = 0;
    c.session = 0;
    c.client_ref = 0;
    c.type = kind < 75 ? EXCHANGE_COMMAND_CANCEL : kind < 80 ? EXCHANGE_COMMAND_REDUCE : EXCHANGE_COMMAND_REPLACE;
    if (kind < 90) return c;
    static const uint8_t types[] = {EXCHANGE_COMMAND_MASS_CANCEL, EXCHANGE_COMMAND_TICK, EXCHANGE_COMMAND_TICK,
        EXCHANGE_COMMAND_END_OF_DAY, EXCHANGE_COMMAND_CONNECT, EXCHANGE_COMMAND_CONNECT, EXCHANGE_COMMAND_DISCONNECT,
        EXCHANGE_COMMAND_SUSPEND, EXCHANGE_COMMAND_REINSTATE, EXCHANGE_COMMAND_REINSTATE, EXCHANGE_COMMAND_HALT,
        EXCHANGE_COMMAND_RESUME, EXCHANGE_COMMAND_RESUME};
    c.type = types[next_random(x) % sizeof(types)];
    c.side = (uint8_t)(next_random(x) % 3);
    c.account = (uint32_t)(next_random(x) % 11);
    if (c.type == EXCHANGE_COMMAND_MASS_CANCEL && next_random(x) % 4)
        c.symbol = 1, c.account = c.account > 8 ? 0 : c.account;
    if (c.type >= EXCHANGE_COMMAND_CONNECT) c.session = 1 + (uint32_t)(next_random(x) % 4);
    if (c.type == EXCHANGE_COMMAND_CONNECT) c.account = c.session, c.flags = EXCHANGE_FLAG_CANCEL_ON_DISCONNECT;
    return c;
}

/* Symbols, then commands of every kind; the small work limit keeps mass work under way most of the time. */
static void make_stream(struct step *steps) {
    uint64_t x = 0x2545F4914F6CDD1Du, now = 1000;
    static const char *const names[] = {"AAA", "BBB", "CCC"};
    for (int i = 0; i < STEPS; i++) {
        struct step *s = &steps[i];
        now += 1 + next_random(&x) % 20;
        s->time_ns = now;
        if (i < 3) {
            struct exchange_terms terms = world_terms(names[i]);
            s->size = sizeof(terms);
            memcpy(s->bytes, &terms, sizeof(terms));
            continue;
        }
        struct exchange_command c = random_command(&x, now);
        s->size = sizeof(c);
        memcpy(s->bytes, &c, sizeof(c));
    }
}

/* Applies a step; what came out goes to `out`. */
static void apply(struct exchange_core *core, const struct step *s, struct bytes *out) {
    exchange_core_apply(core, s->bytes, s->size, s->time_ns);
    size_t count;
    const union exchange_output *outputs = exchange_core_outputs(core, &count);
    for (size_t i = 0; i < count; i++)
        bytes_write(out, &outputs[i], exchange_output_size(outputs[i].type));
}

static struct bytes save(const struct exchange_core *core) {
    struct bytes b = {0};
    assert_true(exchange_core_save(core, bytes_write, &b));
    return b;
}

static void test_snapshot_at_every_position_then_replay_gives_the_same_bytes(void **state) {
    (void)state;
    static struct step steps[STEPS];
    make_stream(steps);
    struct world live = world_new(&limits), other = world_new(&limits);
    struct bytes all = {0};
    size_t ends[STEPS + 1] = {0};
    uint64_t digests[STEPS + 1];
    digests[0] = exchange_core_digest(live.core);
    for (int i = 0; i < STEPS; i++) {
        apply(live.core, &steps[i], &all);
        ends[i + 1] = all.size;
        digests[i + 1] = exchange_core_digest(live.core);
    }
    struct bytes last = save(live.core);
    int unfinished = 0;
    exchange_core_reset(live.core);
    for (int at = 0; at <= STEPS; at++) {
        struct bytes snapshot = save(live.core), tail = {0};
        unfinished += exchange_core_unfinished(live.core);
        exchange_core_reset(other.core);
        const char *error = NULL;
        if (!exchange_core_load(other.core, bytes_read, &snapshot, &error)) fail_msg("position %d: %s", at, error);
        assert_int_equal(exchange_core_digest(other.core), digests[at]);
        struct bytes again = save(other.core);
        assert_int_equal(again.size, snapshot.size);
        assert_memory_equal(again.data, snapshot.data, snapshot.size);
        for (int i = at; i < STEPS; i++)
            apply(other.core, &steps[i], &tail);
        assert_int_equal(tail.size, all.size - ends[at]);
        assert_memory_equal(tail.data ? tail.data : last.data, tail.size ? all.data + ends[at] : last.data, tail.size);
        struct bytes end = save(other.core);
        assert_int_equal(end.size, last.size);
        assert_memory_equal(end.data, last.data, last.size);
        free(end.data), free(again.data), free(tail.data), free(snapshot.data);
        if (at < STEPS) {
            struct bytes ignored = {0};
            apply(live.core, &steps[at], &ignored);
            free(ignored.data);
        }
    }
    assert_true(unfinished > 20);
    free(all.data), free(last.data);
    world_free(&live), world_free(&other);
}

/* Two engines that came to the same orders on other ways, with other slots, nodes and table places. */
static void test_snapshot_depends_on_the_state_not_on_its_history(void **state) {
    (void)state;
    static struct step steps[STEPS];
    make_stream(steps);
    struct exchange_limits larger = limits;
    larger.orders_max = 5000, larger.hash_seed = 99, larger.nodes_max = 9000;
    struct world a = world_new(&limits), b = world_new(&larger);
    struct bytes out_a = {0}, out_b = {0};
    for (int i = 0; i < STEPS; i++) {
        apply(a.core, &steps[i], &out_a);
        apply(b.core, &steps[i], &out_b);
    }
    struct bytes saved_a = save(a.core), saved_b = save(b.core);
    assert_int_equal(out_a.size, out_b.size);
    assert_memory_equal(out_a.data, out_b.data, out_a.size);
    assert_int_equal(saved_a.size, saved_b.size);
    assert_memory_equal(saved_a.data, saved_b.data, saved_a.size);
    free(out_a.data), free(out_b.data), free(saved_a.data), free(saved_b.data);
    world_free(&a), world_free(&b);
}

static void test_damaged_or_cut_snapshot_is_refused_with_a_sentence(void **state) {
    (void)state;
    static struct step steps[STEPS];
    make_stream(steps);
    struct world w = world_new(&limits);
    struct bytes ignored = {0};
    for (int i = 0; i < STEPS / 2; i++)
        apply(w.core, &steps[i], &ignored);
    struct bytes saved = save(w.core);
    assert_true(saved.size > 2000);
    size_t accepted = 0;
    for (size_t at = 0; at < saved.size; at += 3) {
        saved.data[at] ^= 0x41;
        saved.at = 0;
        exchange_core_reset(w.core);
        const char *error = NULL;
        if (exchange_core_load(w.core, bytes_read, &saved, &error))
            accepted++; /* a byte outside the digest: padding, a sequence, a volume */
        else
            assert_non_null(error);
        saved.data[at] ^= 0x41;
    }
    assert_true(accepted < saved.size / 3 / 4);
    size_t whole = saved.size;
    for (saved.size = 0; saved.size < whole; saved.size += 7) {
        saved.at = 0;
        exchange_core_reset(w.core);
        const char *error = NULL;
        assert_false(exchange_core_load(w.core, bytes_read, &saved, &error));
        assert_non_null(error);
    }
    free(saved.data), free(ignored.data);
    world_free(&w);
}

static void test_counters_go_on_after_a_restore(void **state) {
    (void)state;
    struct world w = world_new(&limits);
    world_define(&w, world_terms("AAA"));
    struct exchange_command sell = {
        .type = EXCHANGE_COMMAND_NEW, .side = EXCHANGE_SIDE_SELL, .symbol = 1, .account = 1, .price = 5, .quantity = 2};
    struct exchange_command buy = sell;
    buy.side = EXCHANGE_SIDE_BUY, buy.quantity = 1;
    size_t count;
    world_do(&w, sell, &count);
    world_do(&w, buy, &count);
    struct bytes saved = save(w.core);
    exchange_core_reset(w.core);
    const char *error = NULL;
    assert_true(exchange_core_load(w.core, bytes_read, &saved, &error));
    const union exchange_output *outputs = world_do(&w, buy, &count);
    assert_int_equal(outputs[0].event.order_id, 3);
    assert_int_equal(outputs[1].event.match_id, 2);
    assert_int_equal(outputs[1].event.order_id, 1);
    free(saved.data);
    world_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot_at_every_position_then_replay_gives_the_same_bytes),
        cmocka_unit_test(test_snapshot_depends_on_the_state_not_on_its_history),
        cmocka_unit_test(test_damaged_or_cut_snapshot_is_refused_with_a_sentence),
        cmocka_unit_test(test_counters_go_on_after_a_restore),
    };
    return cmocka_run_group_tests_name("exchange snapshots", tests, NULL, NULL);
}
