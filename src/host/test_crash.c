/* Crashes at every n-th call of the disk, lanes changed between lives: what was acknowledged is there once, an output
 * never changes, outputs are what a fresh fold over the whole log puts out, emits are delivered exactly once. */
#include "host/test_world.h"

#define COMMANDS 240u
#define EARLY    30u /* sent before the disk begins to count */

struct run {
    struct world w;
    bool acked[COMMANDS];
    struct world_records seen[2][2]; /* [service][partition]: outputs that were once visible */
};
static const char *const out_topics[2] = {"left.out", "right.out"};

static struct test_value command_of(uint64_t i) {
    return (struct test_value){.op = OP_ADD, .hops = (uint32_t)(i % 4), .key = i, .amount = 1};
}

static void collect_acks(struct run *r) {
    for (size_t i = 0; i < r->w.delivery_count; i++) {
        const struct world_delivery *d = &r->w.deliveries[i];
        if (d->kind != HOST_REPLY) continue;
        assert_int_equal(d->error, WEIR_OK);
        assert_int_equal(d->status, 201);
        r->acked[d->origin.correlation] = true;
    }
    r->w.delivery_count = 0;
}

/* Now and then outputs become durable, and snapshots are made. */
static void stir(struct run *r, uint64_t i) {
    if (i % 7 == 3) log_checkpoint_soon(r->w.log);
    if (i % 11 == 5)
        for (uint32_t p = 0; p < r->w.host->partition_count; p++)
            r->w.host->work->shadow.paces[p].wanted = true;
}

/* Sends what is not acknowledged, until all is or the process dies. */
static void drive(struct run *r, uint64_t count, bool to_the_end) {
    for (int round = 0; round < (to_the_end ? 200 : 6) && !sys_sim_dead(r->w.sys); round++) {
        bool all = true;
        for (uint64_t i = 0; i < count; i++) {
            if (r->acked[i]) continue;
            all = false;
            if (i % 6 != (uint64_t)round % 6 && !to_the_end) continue;
            (void)world_send_once(
                &r->w, (uint32_t)(i % r->w.lane_count), (uint32_t)(i / 2 % 2), (uint32_t)(i % 2), command_of(i), i);
        }
        stir(r, (uint64_t)round + r->w.lane_count);
        world_run(&r->w);
        collect_acks(r);
        if (all) return;
    }
    assert_true(!to_the_end);
}

/* What was visible before is there unchanged; then what is visible now is remembered. */
static void check_outputs_unchanged(struct run *r) {
    for (uint32_t s = 0; s < 2; s++)
        for (uint32_t p = 0; p < 2; p++) {
            struct world_records now = {0}, *then = &r->seen[s][p];
            assert_true(world_read(&r->w, out_topics[s], p, &now));
            assert_true(now.count >= then->count);
            for (size_t i = 0; i < then->count; i++)
                assert_int_equal(now.data[i].hash, then->data[i].hash);
            free(then->data);
            *then = now;
        }
}

static void remember_outputs(struct run *r) {
    for (uint32_t s = 0; s < 2; s++)
        for (uint32_t p = 0; p < 2; p++) {
            struct world_records now = {0}, *then = &r->seen[s][p];
            bool read = world_read(&r->w, out_topics[s], p, &now);
            free(read ? then->data : now.data);
            if (read) *then = now;
        }
}

/* Each command once, each hop once; totals agree. */
static void check_exactly_once(struct run *r) {
    uint32_t commands[COMMANDS] = {0};
    uint64_t emits = 0, expected = 0;
    for (uint64_t i = 0; i < COMMANDS; i++)
        expected += command_of(i).hops;
    for (uint32_t s = 0; s < 2; s++)
        for (uint32_t p = 0; p < 2; p++)
            for (size_t i = 0; i < r->seen[s][p].count; i++) {
                const struct test_output *o = &r->seen[s][p].data[i].output;
                if (o->kind == WEIR_RECORD_COMMAND) commands[o->key]++;
                if (o->kind == WEIR_RECORD_EMIT) emits++;
            }
    for (uint64_t i = 0; i < COMMANDS; i++)
        assert_int_equal(commands[i], 1);
    assert_int_equal(emits, expected);
}

/* A fresh fold over the whole input puts out exactly what the output topics hold. */
struct capture {
    struct world_records records;
};
static void check_derivable(struct run *r) {
    for (uint32_t s = 0; s < 2; s++)
        for (uint32_t p = 0; p < 2; p++) {
            struct host_partition *live = world_partition(&r->w, s, p);
            uint64_t emission = live->fold.emission.state, next = live->fold.outputs_next[1];
            assert_int_equal(next, r->seen[s][p].count);
            struct fold fold;
            struct fold_options options;
            host_fold_options(live, &options);
            must(snapshot_open_empty(&fold, &options, r->w.log, live->log));
            struct weir_out out = {.fold = &fold, .scratch_size = out_scratch_size(options.service)};
            out.scratch = malloc(out.scratch_size);
            uint8_t *buffer = malloc(1u << 20);
            while (fold.applied < live->fold.applied) {
                size_t size, at = 0;
                must(log_read(r->w.log, live->log, fold.applied, true, buffer, 1u << 20, &size));
                while (at < size) {
                    struct batch_reader reader;
                    struct batch_header header;
                    struct batch_record record;
                    struct fold_applied applied;
                    must(batch_open(&reader, weir_slice(buffer + at, size - at), &header));
                    while (batch_next(&reader, &record))
                        if (record.offset >= fold.applied) must(fold_apply(&fold, &record, &out, &applied));
                    at += header.size;
                }
            }
            assert_int_equal(fold.emission.state, emission);
            assert_int_equal(fold.outputs_next[1], next);
            free(buffer);
            free(out.scratch);
            fold_done(&fold);
        }
}

static void run_done(struct run *r) {
    for (uint32_t s = 0; s < 2; s++)
        for (uint32_t p = 0; p < 2; p++)
            free(r->seen[s][p].data);
    world_done(&r->w);
}

static bool one_life_after_another(uint64_t seed, enum sys_sim_call call, uint64_t nth, bool process_only) {
    static const uint32_t lanes[] = {1, 2, 4};
    struct run r;
    memset(&r, 0, sizeof r);
    world_init(&r.w, seed);
    world_open(&r.w, lanes[seed % 3]);
    drive(&r, EARLY, false);
    check_outputs_unchanged(&r);
    sys_sim_fail_at(r.w.sys, call, nth, WEIR_E_CLOSED);
    for (uint64_t i = EARLY; i < COMMANDS && !sys_sim_dead(r.w.sys); i++) {
        uint32_t lane = (uint32_t)(i % r.w.lane_count);
        (void)world_send_once(&r.w, lane, (uint32_t)(i / 2 % 2), (uint32_t)(i % 2), command_of(i), i);
        stir(&r, i / 5);
        if (i % 5 == 0) sys_sim_run(r.w.sys, 3 + i % 40);
    }
    world_run(&r.w);
    collect_acks(&r);
    if (!sys_sim_dead(r.w.sys)) remember_outputs(&r);
    bool died = sys_sim_dead(r.w.sys);
    world_crash(&r.w, process_only);
    world_open(&r.w, lanes[(seed + 1) % 3]);
    world_run(&r.w);
    check_outputs_unchanged(&r);
    drive(&r, COMMANDS, true);
    world_run(&r.w);
    check_outputs_unchanged(&r);
    check_exactly_once(&r);
    check_derivable(&r);
    world_stop(&r.w);
    run_done(&r);
    return died;
}

/* As long as the n-th call is reached before the work is done; `step` keeps the test short. */
static void sweep(enum sys_sim_call call, bool process_only, uint64_t seed, uint64_t step, uint64_t deaths_min) {
    uint64_t deaths = 0, missed = 0;
    for (uint64_t nth = 1; nth < 400 && missed < 3; nth += step) {
        bool died = one_life_after_another(seed + nth, call, nth, process_only);
        deaths += died;
        missed = died ? 0 : missed + 1;
    }
    assert_true(deaths >= deaths_min);
}
static void power_cut_at_every_write(void **state) {
    (void)state;
    sweep(SYS_SIM_WRITE, false, 0, 3, 20);
}
static void power_cut_at_every_sync(void **state) {
    (void)state;
    sweep(SYS_SIM_SYNC, false, 1000, 2, 20);
}
static void power_cut_at_every_rename(void **state) {
    (void)state;
    sweep(SYS_SIM_RENAME, false, 2000, 1, 5);
}
static void power_cut_at_any_call(void **state) {
    (void)state;
    sweep(SYS_SIM_ANY, false, 3000, 13, 15);
}
static void process_killed_at_every_write(void **state) {
    (void)state;
    sweep(SYS_SIM_WRITE, true, 4000, 4, 20);
}
static void no_crash_at_all(void **state) {
    (void)state;
    for (uint64_t seed = 300; seed < 306; seed++)
        one_life_after_another(seed, SYS_SIM_WRITE, 1000000, false);
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_crash_at_all),
        cmocka_unit_test(power_cut_at_every_write),
        cmocka_unit_test(power_cut_at_every_sync),
        cmocka_unit_test(power_cut_at_every_rename),
        cmocka_unit_test(power_cut_at_any_call),
        cmocka_unit_test(process_killed_at_every_write),
    };
    return cmocka_run_group_tests_name("host crashes", tests, NULL, NULL);
}
