/* Snapshots, settings and versions as history: what was saved at any point and replayed gives the same bytes; what does
 * not is refused with a sentence. */
#include "host/test_dump.h"

#define STEPS 120u

static struct test_value step_value(uint64_t i) {
    static const uint32_t ops[] = {OP_ADD, OP_WIDE, OP_TIMER, OP_SILENT, OP_ADD, OP_CANCEL};
    return (struct test_value){.op = ops[i % 6], .hops = i % 5 == 4, .key = i % 17, .amount = 1 + i % 50};
}
static void send_steps(struct world *w, uint64_t from, uint64_t to) {
    for (uint64_t i = from; i < to; i++) {
        must(world_send_once(w, 0, (uint32_t)(i % 2), 0, step_value(i), i));
        if (i % 9 == 8) world_run(w);
        sys_sim_advance(w->sys, 10 * SYS_NANOS_PER_MS);
    }
    world_run(w);
}

/* ---- snapshot at every position
 * ------------------------------------------------------------------------------------------ */
struct fresh {
    struct fold fold;
    struct weir_out out;
    uint8_t *buffer;
};
static void fresh_begin(struct fresh *f, struct world *w, struct host_partition *live) {
    struct fold_options options;
    host_fold_options(live, &options);
    memset(f, 0, sizeof *f);
    must(snapshot_open_empty(&f->fold, &options, w->log, live->log));
    f->out = (struct weir_out){.fold = &f->fold, .scratch_size = out_scratch_size(options.service)};
    f->out.scratch = malloc(f->out.scratch_size);
    f->buffer = malloc(1u << 20);
}
static void fresh_done(struct fresh *f) {
    fold_done(&f->fold);
    free(f->out.scratch);
    free(f->buffer);
}
static void fresh_apply(struct fresh *f, struct world *w, struct log_partition *partition, uint64_t until) {
    struct fold_applied applied;
    f->out.fold = &f->fold;
    while (f->fold.applied < until) {
        size_t size, at = 0;
        must(log_read(w->log, partition, f->fold.applied, true, f->buffer, 1u << 20, &size));
        while (at < size && f->fold.applied < until) {
            struct batch_reader reader;
            struct batch_header header;
            struct batch_record record;
            must(batch_open(&reader, weir_slice(f->buffer + at, size - at), &header));
            while (f->fold.applied < until && batch_next(&reader, &record))
                if (record.offset >= f->fold.applied) must(fold_apply(&f->fold, &record, &f->out, &applied));
            at += header.size;
        }
    }
}
static void save_fold(const struct fold *fold, struct weir_sink *sink) {
    memset(sink, 0, sizeof *sink);
    must(snapshot_store(fold, sink));
}

static void a_snapshot_at_every_position_then_replay_is_the_same_to_the_byte(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 1);
    world_open(&w, 1);
    send_steps(&w, 0, STEPS);
    sys_sim_advance(w.sys, SYS_NANOS_PER_S);
    world_run(&w);
    struct host_partition *live = world_partition(&w, 0, 0);
    uint64_t end = live->fold.applied;
    assert_true(end > STEPS / 2);
    struct weir_sink whole, part;
    struct fresh straight;
    fresh_begin(&straight, &w, live);
    fresh_apply(&straight, &w, live->log, end);
    assert_int_equal(straight.fold.emission.state, live->fold.emission.state);
    assert_int_equal(fold_digest(&straight.fold), fold_digest(&live->fold));
    save_fold(&straight.fold, &whole);
    for (uint64_t at = 0; at <= end; at++) {
        struct fresh first, second;
        fresh_begin(&first, &w, live);
        fresh_apply(&first, &w, live->log, at);
        save_fold(&first.fold, &part);
        fresh_begin(&second, &w, live);
        fold_done(&second.fold);
        must(snapshot_load(&second.fold, &first.fold.options, weir_slice(part.data, part.size)));
        sink_done(&part);
        fresh_apply(&second, &w, live->log, end);
        assert_int_equal(second.fold.emission.state, straight.fold.emission.state);
        save_fold(&second.fold, &part);
        assert_int_equal(part.size, whole.size);
        assert_memory_equal(part.data, whole.data, whole.size);
        sink_done(&part);
        fresh_done(&first);
        fresh_done(&second);
    }
    sink_done(&whole);
    fresh_done(&straight);
    world_stop(&w);
    world_done(&w);
}

/* ---- the shadow
 * ------------------------------------------------------------------------------------------------------------ */
static enum weir_error snapshot_work(struct host *host, void *arg, char *text, size_t size) {
    (void)arg, (void)text, (void)size;
    return host_service_snapshot(host, "left");
}
static enum weir_error snapshot_now(struct world *w) {
    w->delivery_count = 0;
    must(host_work(w->lanes[0], snapshot_work, NULL, 0, (struct host_origin){.correlation = 1}));
    for (int i = 0; i < 100 && w->delivery_count == 0; i++)
        world_run(w);
    assert_true(w->delivery_count > 0);
    return w->deliveries[w->delivery_count - 1].error;
}
static uint32_t snapshot_count(struct world *w, uint64_t *ret_newest) {
    struct snapshot_offsets list;
    must(snapshot_list(w->sys, "data", "left", 0, &list));
    *ret_newest = list.count ? list.offsets[0] : 0;
    return list.count;
}

static void a_snapshot_counts_and_shortens_the_replay(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 2);
    world_open(&w, 2);
    uint64_t newest;
    for (uint64_t round = 0; round < 4; round++) {
        send_steps(&w, round * 30, round * 30 + 30);
        must(snapshot_now(&w));
    }
    assert_int_equal(snapshot_count(&w, &newest), 2); /* older ones are gone */
    assert_int_equal(newest, world_partition(&w, 0, 0)->fold.applied);
    assert_int_not_equal(atomic_load(&world_partition(&w, 0, 0)->log->hold), 0);
    uint64_t digest = test_digest(world_state(&w, 0, 0));
    world_crash(&w, false);
    must(world_try(&w, 1));
    assert_int_equal(world_partition(&w, 0, 0)->fold.applied, newest); /* loaded, nothing replayed yet */
    assert_int_equal(test_digest(world_state(&w, 0, 0)), digest);
    world_ready(&w);
    send_steps(&w, 200, 230);
    world_stop(&w);
    world_done(&w);
}

static void a_fold_that_depends_on_anything_but_its_log_gets_no_snapshot_and_is_reported(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 3);
    world_open(&w, 1);
    test_chance = 1;
    must(world_send(&w, 0, 0, 0, (struct test_value){OP_CHANCE, 0, 3, 1}, 1));
    world_run(&w);
    test_chance = 2; /* another time of day, so to speak */
    assert_int_equal(snapshot_now(&w), WEIR_E_MISMATCH);
    uint64_t newest;
    assert_int_equal(snapshot_count(&w, &newest), 0);
    assert_true(w.report_count > 0);
    assert_non_null(strstr(w.reports[0], "not in its log"));
    test_chance = 0;
    world_crash(&w, true);
    world_done(&w);
}

static void flip_newest(struct world *w, uint64_t byte) {
    uint64_t newest;
    assert_true(snapshot_count(w, &newest) > 0);
    char path[SNAPSHOT_PATH_MAX];
    snapshot_path(path, sizeof path, "data", "left", 0, newest);
    must(sys_sim_flip(w->sys, path, byte, 4));
}

static void a_damaged_snapshot_is_passed_over_with_a_sentence_and_the_older_one_used(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 4);
    world_open(&w, 1);
    send_steps(&w, 0, 30);
    must(snapshot_now(&w));
    uint64_t older = world_partition(&w, 0, 0)->fold.applied;
    send_steps(&w, 30, 60);
    must(snapshot_now(&w));
    uint64_t digest = test_digest(world_state(&w, 0, 0)), seen = world_state(&w, 0, 0)->seen;
    world_crash(&w, false);
    flip_newest(&w, 100);
    must(world_try(&w, 1));
    assert_int_equal(world_partition(&w, 0, 0)->fold.applied, older);
    assert_true(w.report_count > 0);
    assert_non_null(strstr(w.reports[0], "checksum"));
    world_ready(&w);
    struct test_state *s = world_state(&w, 0, 0);
    assert_true(s->seen >= seen);
    (void)digest;
    world_crash(&w, false);
    flip_newest(&w, 4); /* not even its magic */
    must(world_try(&w, 1));
    world_ready(&w);
    world_stop(&w);
    world_done(&w);
}

static void every_byte_of_a_snapshot_is_guarded(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 5);
    world_open(&w, 1);
    send_steps(&w, 0, 20);
    struct host_partition *p = world_partition(&w, 0, 0);
    struct fold_options options;
    host_fold_options(p, &options);
    struct weir_sink sink;
    save_fold(&p->fold, &sink);
    struct snapshot_head head;
    struct byte_reader rest;
    must(snapshot_check(weir_slice(sink.data, sink.size), &options, &head, &rest));
    for (size_t i = 0; i < sink.size; i++) {
        sink.data[i] ^= 0x10;
        assert_int_equal(snapshot_check(weir_slice(sink.data, sink.size), &options, &head, &rest), WEIR_E_CORRUPT);
        sink.data[i] ^= 0x10;
    }
    for (size_t size = 0; size < sink.size; size += 7)
        assert_int_not_equal(snapshot_check(weir_slice(sink.data, size), &options, &head, &rest), WEIR_OK);
    sink_done(&sink);
    world_stop(&w);
    world_done(&w);
}

/* ---- settings and versions
 * ----------------------------------------------------------------------------------------------------- */
static void apply_sees_the_settings_in_force_at_its_offset(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 6);
    world_open(&w, 1);
    send_steps(&w, 0, 10);
    assert_int_equal(world_state(&w, 0, 0)->limit, 7);
    assert_int_equal(world_state(&w, 0, 0)->settings_seen, 1);
    world_stop(&w);
    world_open(&w, 1);
    world_run(&w);
    assert_int_equal(world_state(&w, 0, 0)->settings_seen, 1); /* nothing has changed: no record */
    world_stop(&w);
    must(settings_set(w.settings, "left.limit", "9", "test"));
    world_open(&w, 1);
    world_run(&w);
    assert_int_equal(world_state(&w, 0, 0)->limit, 9);
    assert_int_equal(world_state(&w, 0, 0)->settings_seen, 2);
    send_steps(&w, 10, 20);
    uint64_t end = world_partition(&w, 0, 0)->fold.applied;
    must(settings_set(w.settings, "left.limit", "11", "test"));
    struct fresh f; /* today's settings are others: the fold must not see them */
    fresh_begin(&f, &w, world_partition(&w, 0, 0));
    fresh_apply(&f, &w, world_partition(&w, 0, 0)->log, 3);
    assert_int_equal(((struct test_state *)f.fold.state)->limit, 7);
    fresh_apply(&f, &w, world_partition(&w, 0, 0)->log, end);
    assert_int_equal(((struct test_state *)f.fold.state)->limit, 9);
    fresh_done(&f);
    world_stop(&w);
    world_done(&w);
}

static void a_tail_of_a_version_this_binary_cannot_replay_is_refused(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 7);
    world_open(&w, 1);
    send_steps(&w, 0, 10);
    world_crash(&w, false);
    left_service.version = left_service.version_replays = 2; /* a fold that gives other outputs */
    assert_int_equal(world_try(&w, 1), WEIR_E_VERSION);
    assert_non_null(strstr(weir_error_text(), "version 1"));
    left_service.version_replays = 1; /* one that replays the old records identically */
    world_open(&w, 1);
    world_run(&w);
    assert_int_equal(world_partition(&w, 0, 0)->fold.in_force.version, 2);
    send_steps(&w, 10, 20);
    world_stop(&w);
    left_service.version = left_service.version_replays = 3; /* after a clean stop there is no tail */
    world_open(&w, 1);
    world_run(&w);
    assert_int_equal(world_partition(&w, 0, 0)->fold.in_force.version, 3);
    send_steps(&w, 20, 30);
    world_crash(&w, false);
    left_service.version = left_service.version_replays = 2; /* back to the older binary */
    enum weir_error e = world_try(&w, 1);
    const char *message = NULL;
    if (e == WEIR_OK) { /* the tail itself says it */
        world_run(&w);
        assert_true(sys_sim_fatal(w.sys, &message));
        assert_non_null(strstr(message, "version 3"));
        world_crash(&w, false);
    } else {
        assert_int_equal(e, WEIR_E_VERSION);
    }
    left_service.version = left_service.version_replays = 1;
    world_done(&w);
}

/* Behind such a record the tail would begin with what the older version is taken to have written, and end with what
 * only the newer one can read: no binary could start. */
static void an_emit_never_stands_in_front_of_the_version_that_will_apply_it(void **state) {
    (void)state;
    uint32_t waited = 0;
    for (uint64_t seed = 0; seed < 8; seed++) { /* who is first, the keeper that looks at the disk or the lane */
        struct world w;
        world_init(&w, seed);
        w.log_options.disk_reserve_bytes = 1u << 20;
        world_open(&w, 1);
        world_stop(&w);
        world_open(&w, 1);
        for (uint32_t p = 0; p < 2; p++) /* the emits stay with their source */
            atomic_store(&world_partition(&w, 1, p)->facts.takes_emits, false);
        for (uint64_t i = 0; i < 8; i++)
            must(world_send(&w, 0, 0, 0, (struct test_value){OP_ADD, 1, i, 1}, i));
        world_run(&w);
        world_crash(&w, true);
        right_service.version = right_service.version_replays = 2;
        int filler;
        must(w.sys->file_open(w.sys, "filler", SYS_OPEN_WRITE | SYS_OPEN_CREATE, &filler));
        must(w.sys->file_allocate(w.sys, filler, 0, (uint64_t)1 << 40));
        world_open(&w, 1);
        world_run(&w);
        waited += !world_partition(&w, 1, 0)->announced;
        must(w.sys->file_truncate(w.sys, filler, 0));
        for (int i = 0; i < 5; i++) {
            sys_sim_advance(w.sys, SYS_NANOS_PER_S);
            world_run(&w);
        }
        assert_int_equal(world_state(&w, 1, 0)->emits_seen + world_state(&w, 1, 1)->emits_seen, 8);
        w.sys->file_close(w.sys, filler);
        world_crash(&w, true);
        world_open(&w, 1);
        world_run(&w);
        assert_int_equal(world_state(&w, 1, 0)->emits_seen + world_state(&w, 1, 1)->emits_seen, 8);
        world_stop(&w);
        right_service.version = right_service.version_replays = 1;
        world_done(&w);
    }
    assert_true(waited > 0);
}

/* A source that can't replay on before the target takes: what it has to say belongs to the time before the upgrade. */
static void emits_of_a_replay_that_only_the_older_version_may_take_are_refused_with_a_sentence(void **state) {
    (void)state;
    struct world w;
    const char *message = NULL;
    world_init(&w, 71);
    must(settings_set(w.settings, "waiting_max", "8192", "test"));
    world_open(&w, 1);
    world_stop(&w);
    world_open(&w, 1);
    for (uint32_t p = 0; p < 2; p++)
        atomic_store(&world_partition(&w, 1, p)->facts.takes_emits, false);
    uint64_t sent = 0;
    for (const struct outbox *o = &world_partition(&w, 0, 0)->outbox; o->tail < 600u << 10; world_run(&w))
        for (int i = 0; i < 40; i++, sent++)
            must(world_send(&w, 0, 0, 0, (struct test_value){OP_ADD, 1, sent, 1}, sent));
    for (uint32_t replays = 2; replays > 0; replays--) {
        world_crash(&w, true);
        right_service.version = 2;
        right_service.version_replays = replays;
        must(world_try(&w, 1));
        world_partition(&w, 0, 0)->outbox.size = 512u << 10;
        for (int i = 0; i < 40; i++)
            world_run(&w);
        assert_int_equal(sys_sim_fatal(w.sys, &message), replays == 2);
        if (replays == 2) assert_non_null(strstr(message, "was meant for version 1 of service right"));
    }
    assert_true(host_ready(w.host));
    assert_int_equal(world_state(&w, 1, 0)->emits_seen + world_state(&w, 1, 1)->emits_seen, sent);
    world_stop(&w);
    right_service.version = right_service.version_replays = 1;
    world_done(&w);
}

static void partitions_of_a_service_cannot_be_changed(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 8);
    world_open(&w, 1);
    world_stop(&w);
    must(settings_set(w.settings, "left.partitions", "3", "test"));
    assert_int_equal(world_try(&w, 1), WEIR_E_CONFIG);
    assert_non_null(strstr(weir_error_text(), "partitions"));
    world_done(&w);
}

/* ---- offline
 * --------------------------------------------------------------------------------------------------------------------
 */
struct watched {
    uint64_t applied, end;
    uint32_t calls;
};

static void watch_replay(void *ctx, uint64_t applied, uint64_t end) {
    struct watched *watched = ctx;
    assert_true(applied >= watched->applied && applied <= end);
    *watched = (struct watched){applied, end, watched->calls + 1};
}

static void the_state_as_of_any_offset_can_be_had_offline(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 9);
    world_open(&w, 1);
    send_steps(&w, 0, 30);
    uint64_t end = world_partition(&w, 0, 0)->fold.applied, emission = world_partition(&w, 0, 0)->fold.emission.state;
    world_stop(&w);
    const char *text = world_replay(&w, &left_service, 0, UINT64_MAX);
    char expected[128];
    snprintf(expected, sizeof expected, "\"applied\":%llu,", (unsigned long long)end);
    assert_non_null(strstr(text, expected));
    snprintf(expected, sizeof expected, "\"emission\":\"%016llx\"", (unsigned long long)emission);
    assert_non_null(strstr(text, expected));
    assert_non_null(strstr(world_replay(&w, &left_service, 0, 5), "\"applied\":5,"));
    struct world_dump none = {.size = 0};
    struct watched watched = {0};
    must(host_replay_watched(w.sys, "data", &left_service, 0, 5, dump_put, &none,
        &(struct host_watch){watch_replay, &watched})); /* the end that is told is the one that was asked for */
    assert_true(watched.calls > 0);
    assert_int_equal(watched.applied, 5);
    assert_int_equal(watched.end, 5);
    assert_int_equal(host_replay(w.sys, "data", &left_service, 9, 5, dump_put, &none), WEIR_E_NOT_FOUND);
    world_done(&w);
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_at_every_position_then_replay_is_the_same_to_the_byte),
        cmocka_unit_test(a_snapshot_counts_and_shortens_the_replay),
        cmocka_unit_test(a_fold_that_depends_on_anything_but_its_log_gets_no_snapshot_and_is_reported),
        cmocka_unit_test(a_damaged_snapshot_is_passed_over_with_a_sentence_and_the_older_one_used),
        cmocka_unit_test(every_byte_of_a_snapshot_is_guarded),
        cmocka_unit_test(apply_sees_the_settings_in_force_at_its_offset),
        cmocka_unit_test(a_tail_of_a_version_this_binary_cannot_replay_is_refused),
        cmocka_unit_test(an_emit_never_stands_in_front_of_the_version_that_will_apply_it),
        cmocka_unit_test(emits_of_a_replay_that_only_the_older_version_may_take_are_refused_with_a_sentence),
        cmocka_unit_test(partitions_of_a_service_cannot_be_changed),
        cmocka_unit_test(the_state_as_of_any_offset_can_be_had_offline),
    };
    return cmocka_run_group_tests_name("host history", tests, NULL, NULL);
}
