/* Topics that are less than durable: what they cost the disk, what a crash leaves of them, how their offsets go on. */
#include "base/bytes.h"
#include "log/memory.h"
#include "log/test_world.h"

#define LIVES_MAX 12

struct life { /* offsets it gave, and below which a reader may have seen them */
    uint64_t from, to, seen;
};
struct loose {
    struct world w;
    struct log_topic *lazy, *memory;
    struct life lazy_lives[LIVES_MAX], memory_lives[LIVES_MAX];
    uint32_t life;   /* of the present */
    uint64_t synced; /* offsets of the lazy topic that a checkpoint was seen to cover */
    uint64_t stored; /* that were seen in segments */
};

static enum weir_error make_topics(struct loose *l) {
    struct log_topic_config lazy = {.durability = LOG_LAZY, .segment_bytes = 2048};
    struct log_topic_config memory = {.durability = LOG_MEMORY, .retention_bytes = LOG_MEMORY_BYTES_MIN};
    enum weir_error e = log_topic_create(l->w.log, "lazy", 1, &lazy, &l->lazy);
    if (!e || e == WEIR_E_EXISTS) e = log_topic_create(l->w.log, "memory", 1, &memory, &l->memory);
    return e == WEIR_E_EXISTS ? WEIR_OK : e;
}

/* Opens, begins a life. False: it died. */
static bool begin(struct loose *l) {
    enum weir_error e = world_open(&l->w);
    if (!e) e = make_topics(l);
    if (e) {
        if (!sys_sim_dead(l->w.sys) && !l->w.dead) fail_msg("%s: %s", weir_error_name(e), weir_error_text());
        return false;
    }
    uint64_t lazy = l->lazy->partitions[0]->next, memory = l->memory->partitions[0]->next;
    for (uint32_t i = 0; i < l->life; i++) {
        if (lazy < l->lazy_lives[i].seen || memory < l->memory_lives[i].seen)
            fail_msg("an offset is given twice: life %u told up to %llu and %llu, this one goes on at %llu and %llu", i,
                (unsigned long long)l->lazy_lives[i].seen, (unsigned long long)l->memory_lives[i].seen,
                (unsigned long long)lazy, (unsigned long long)memory);
    }
    assert_true(l->life < LIVES_MAX);
    l->lazy_lives[l->life] = (struct life){lazy, lazy, lazy};
    l->memory_lives[l->life] = (struct life){memory, memory, memory};
    l->life++;
    return true;
}

static void append(struct loose *l, struct log_commit *c, struct log_topic *topic, struct life *life) {
    uint8_t value[600], key[4];
    struct log_partition *p = topic->partitions[0];
    store_le32(key, l->life);
    struct log_record r = {
        .time_ms = 1000 * l->life, .key = weir_slice(key, sizeof key), .value = world_value(p->uid, p->next, value)};
    uint64_t offset = 0, next = p->next;
    must(log_commit_append(c, p, &r, &offset));
    assert_int_equal(offset, next);
    life->to = p->next;
}

/* One commit with a record of each; false: none could begin. */
static bool commit_loose(struct loose *l) {
    struct log_commit *c = NULL;
    if (log_commit_begin(l->w.writer, &c)) return false;
    append(l, c, l->lazy, &l->lazy_lives[l->life - 1]);
    append(l, c, l->memory, &l->memory_lives[l->life - 1]);
    log_commit_submit(c);
    return true;
}

/* Takes what is durable, acknowledges it to the durable and the loose, gives it back. */
static void take(struct loose *l) {
    struct log_commit *c;
    while ((c = log_writer_durable(l->w.writer))) {
        for (uint32_t i = 0; i < c->batch_count; i++) {
            struct log_partition *p = NULL;
            struct weir_slice batch;
            log_commit_batch(c, i, &p, &batch);
            uint64_t end = load_be64(batch.data) + load_be32(batch.data + WEIR_BATCH_AT_LAST_OFFSET_DELTA) + 1;
            if (p->topic == l->lazy) l->lazy_lives[l->life - 1].seen = end;
            if (p->topic == l->memory) l->memory_lives[l->life - 1].seen = end;
            if (p->topic == l->w.in && end > l->w.inputs[p->index].acked) l->w.inputs[p->index].acked = end;
        }
        log_commit_release(c);
    }
}

static void run(struct loose *l) {
    for (int i = 0; i < 50; i++) {
        uint64_t steps = sys_sim_run(l->w.sys, 100000);
        take(l);
        if (steps == 0 && i > 0) break;
    }
}

static void note_synced(struct loose *l) {
    if (!l->w.log) return;
    l->synced = atomic_load(&l->lazy->partitions[0]->checkpointed);
    l->stored = atomic_load(&l->lazy->partitions[0]->high);
}

/* Everything that can be read is what some life wrote there, in order; *ret_last is behind the last record. */
static uint64_t check(struct loose *l, struct log_topic *topic, const struct life *lives, uint64_t *ret_last) {
    struct log_partition *p = topic->partitions[0];
    uint64_t next = atomic_load(&p->start), high = atomic_load(&p->high), records = 0;
    *ret_last = next;
    while (next < high) {
        size_t size = 0;
        must(log_read(l->w.log, p, next, true, l->w.read_buffer, WORLD_READ_SIZE, &size));
        if (size == 0) {
            assert_true(next < p->resumed);
            next = p->resumed;
        }
        for (size_t at = 0; at < size;) {
            struct weir_record_batch batch;
            struct weir_record_reader reader;
            struct weir_record record;
            struct weir_slice bytes = weir_slice(l->w.read_buffer + at, size - at);
            must(weir_record_batch_check(bytes, NULL, &batch));
            must(weir_record_reader_init(&reader, bytes, &batch));
            while (weir_record_reader_next(&reader, &record)) {
                uint8_t value[600];
                uint32_t life = load_le32(record.key.data);
                uint64_t offset = (uint64_t)record.offset;
                if (offset < next) continue;
                assert_true(life > 0 && life <= l->life);
                assert_true(offset >= lives[life - 1].from && offset < lives[life - 1].to);
                assert_true(weir_slice_equal(record.value, world_value(p->uid, offset, value)));
                assert_true(offset == next || offset == lives[life - 1].from); /* a gap only where a life begins */
                next = *ret_last = offset + 1;
                records++;
            }
            at += batch.size;
        }
    }
    return records;
}

static void neither_costs_a_frame_or_a_sync(void **state) {
    (void)state;
    struct loose l = {0};
    world_init(&l.w, 3);
    assert_true(begin(&l));
    run(&l);
    uint64_t frames = metric_get(&l.w.log->journal.frames), syncs = sys_sim_calls(l.w.sys, SYS_SIM_SYNC);
    for (int i = 0; i < 200; i++) {
        assert_true(commit_loose(&l));
        do { /* without the keeper, which syncs in its own time */
            log_journal_work(&l.w.log->journal, 0);
            take(&l);
        } while (log_store_work(&l.w.log->store, 0) > 0);
    }
    assert_int_equal(metric_get(&l.w.log->journal.frames), frames);
    assert_int_equal(sys_sim_calls(l.w.sys, SYS_SIM_SYNC), syncs);
    uint64_t last = 0;
    assert_int_equal(check(&l, l.lazy, l.lazy_lives, &last), 200);
    assert_int_equal(last, 200);
    /* One with a durable record beside them has a frame, and only that record is in it. */
    struct log_commit *c = NULL;
    must(log_commit_begin(l.w.writer, &c));
    append(&l, c, l.lazy, &l.lazy_lives[0]);
    struct log_record r = {.time_ms = 1, .value = weir_slice_text("kept")};
    uint64_t offset = 0;
    must(log_commit_append(c, l.w.in->partitions[0], &r, &offset));
    log_commit_submit(c);
    run(&l);
    assert_int_equal(metric_get(&l.w.log->journal.frames), frames + 1);
    world_crash(&l.w, false);
    assert_true(begin(&l));
    assert_int_equal(l.w.in->partitions[0]->next, 1);
    assert_int_equal(log_recovered(l.w.log)->records, 1);
    world_done(&l.w);
}

static void the_oldest_of_a_memory_topic_make_room(void **state) {
    (void)state;
    struct loose l = {0};
    world_init(&l.w, 4);
    assert_true(begin(&l));
    struct log_partition *p = l.memory->partitions[0];
    size_t size = 0;
    for (int i = 0; i < 2000; i++) {
        assert_true(commit_loose(&l));
        run(&l);
        assert_true(atomic_load(&p->bytes) <= LOG_MEMORY_BYTES_MIN);
        assert_true(partition_of(p)->memory_mapped <= LOG_MEMORY_BYTES_MIN);
    }
    uint64_t start = atomic_load(&p->start), last = 0;
    assert_true(start > 0 && atomic_load(&p->high) == 2000);
    assert_true(atomic_load(&p->bytes) > LOG_MEMORY_BYTES_MIN / 2); /* and no more than they must */
    assert_int_equal(check(&l, l.memory, l.memory_lives, &last), 2000 - start);
    assert_int_equal(
        log_read(l.w.log, p, start - 1, true, l.w.read_buffer, WORLD_READ_SIZE, &size), WEIR_E_OUT_OF_RANGE);
    assert_true(metric_get(&l.w.log->store.memory_dropped) > 0);
    bool exists = true;
    must(l.w.sys->path_exists(l.w.sys, "data/topics/memory", &exists));
    assert_false(exists); /* nothing of it on the disk */
    world_done(&l.w);
}

static void a_batch_larger_than_a_memory_topic_stands_alone(void **state) {
    (void)state;
    struct loose l = {0};
    world_init(&l.w, 4);
    l.w.options.batch_bytes_max = l.w.options.commit_bytes_max = 256u << 10;
    l.w.options.journal_file_bytes = 1u << 20;
    l.w.options.journal_bytes_max = 4u << 20;
    assert_true(begin(&l));
    struct log_partition *p = l.memory->partitions[0];
    uint8_t *large = calloc(1, 100u << 10);
    for (int i = 0; i < 3; i++) {
        struct log_commit *c = NULL;
        uint64_t offset = 0;
        struct log_record r = {.time_ms = 1, .value = weir_slice(large, 100u << 10)};
        must(log_commit_begin(l.w.writer, &c));
        must(log_commit_append(c, p, &r, &offset));
        log_commit_submit(c);
        run(&l);
        assert_int_equal(atomic_load(&p->start), i);
        assert_int_equal(atomic_load(&p->high), i + 1);
    }
    free(large);
    world_done(&l.w);
}

static void a_clean_stop_keeps_the_lazy_and_goes_on_with_every_offset(void **state) {
    (void)state;
    struct loose l = {0};
    world_init(&l.w, 5);
    assert_true(begin(&l));
    for (int i = 0; i < 50; i++) {
        commit_loose(&l);
        run(&l);
    }
    log_stop(l.w.log);
    log_close(l.w.log);
    assert_true(begin(&l));
    uint64_t last = 0;
    assert_int_equal(l.lazy->partitions[0]->next, 50);
    assert_int_equal(check(&l, l.lazy, l.lazy_lives, &last), 50);
    assert_int_equal(l.memory->partitions[0]->next, 50);
    assert_int_equal(atomic_load(&l.memory->partitions[0]->start), 50);
    commit_loose(&l);
    run(&l);
    assert_int_equal(check(&l, l.lazy, l.lazy_lives, &last), 51);
    assert_int_equal(check(&l, l.memory, l.memory_lives, &last), 1);
    world_done(&l.w);
}

static void after_a_crash_a_gap_says_what_is_lost(void **state) {
    (void)state;
    struct loose l = {0};
    world_init(&l.w, 6);
    assert_true(begin(&l));
    for (int i = 0; i < 30; i++) {
        commit_loose(&l);
        run(&l);
    }
    log_checkpoint_soon(l.w.log);
    run(&l);
    note_synced(&l);
    assert_int_equal(l.synced, 30);
    commit_loose(&l);
    world_crash(&l.w, false);
    assert_true(begin(&l));
    struct log_partition *p = l.lazy->partitions[0], *m = l.memory->partitions[0];
    uint64_t last = 0, at = 0;
    size_t size = 1;
    assert_int_equal(p->next, 2 * LOG_LOOSE_AHEAD);
    assert_int_equal(p->resumed, p->next);
    assert_int_equal(check(&l, l.lazy, l.lazy_lives, &last), 30);
    assert_int_equal(last, 30);
    assert_int_equal(atomic_load(&m->start), 2 * LOG_LOOSE_AHEAD);
    assert_int_equal(check(&l, l.memory, l.memory_lives, &last), 0);
    must(log_read(l.w.log, p, 31, true, l.w.read_buffer, WORLD_READ_SIZE, &size)); /* one that was given, and lost */
    assert_int_equal(size, 0);
    must(log_offset_at(l.w.log, p, 2000, &at));
    assert_int_equal(at, p->next);
    commit_loose(&l);
    run(&l);
    must(log_read(l.w.log, p, 31, true, l.w.read_buffer, WORLD_READ_SIZE, &size));
    assert_true(size > 0);
    assert_int_equal(load_be64(l.w.read_buffer), p->resumed);
    must(log_offset_at(l.w.log, p, 2000, &at));
    assert_int_equal(at, p->resumed);
    must(log_offset_at(l.w.log, p, 1000, &at));
    assert_int_equal(at, 0);
    assert_int_equal(check(&l, l.lazy, l.lazy_lives, &last), 31);
    log_stop(l.w.log);
    log_close(l.w.log);
    l.w.log = NULL;
    must(log_verify(l.w.sys, "data", NULL, NULL)); /* a gap is no damage */
    must(log_repair(l.w.sys, "data", NULL, NULL));
    assert_true(begin(&l)); /* nobody knows what was given before a repair: it passes over, too */
    assert_true(l.lazy->partitions[0]->next > 3 * LOG_LOOSE_AHEAD);
    assert_int_equal(check(&l, l.lazy, l.lazy_lives, &last), 31);
    world_done(&l.w);
}

/* The system has what the process wrote, and knows the producer of it. */
static void a_killed_process_leaves_what_was_written(void **state) {
    (void)state;
    struct loose l = {0};
    world_init(&l.w, 11);
    assert_true(begin(&l));
    for (int i = 0; i < 40; i++) {
        assert_true(commit_loose(&l));
        do { /* without the keeper: nothing is synced, let alone checkpointed */
            log_journal_work(&l.w.log->journal, 0);
            take(&l);
        } while (log_store_work(&l.w.log->store, 0) > 0);
    }
    assert_int_equal(atomic_load(&l.lazy->partitions[0]->checkpointed), 0);
    world_crash(&l.w, true);
    assert_true(begin(&l));
    uint64_t last = 0;
    assert_int_equal(check(&l, l.lazy, l.lazy_lives, &last), 40);
    assert_int_equal(last, 40);
    assert_int_equal(log_recovered(l.w.log)->lazy_records, 40);
    world_crash(&l.w, false); /* synced by that start: a power cut does not take it */
    assert_true(begin(&l));
    assert_int_equal(check(&l, l.lazy, l.lazy_lives, &last), 40);
    world_done(&l.w);
}

static void no_offset_is_given_that_a_crash_would_give_again(void **state) {
    (void)state;
    struct loose l = {0};
    world_init(&l.w, 7);
    assert_true(begin(&l));
    struct log_commit *c = NULL;
    struct log_record r = {.time_ms = 1, .value = weir_slice_text("x")};
    uint64_t offset = 0;
    must(log_commit_begin(l.w.writer, &c));
    l.memory->partitions[0]->next = LOG_LOOSE_AHEAD - 1; /* as if so many had been given without a checkpoint */
    must(log_commit_append(c, l.memory->partitions[0], &r, &offset));
    assert_int_equal(log_commit_append(c, l.memory->partitions[0], &r, &offset), WEIR_E_FULL);
    world_crash(&l.w, true);
    world_done(&l.w);
}

/* Lives that end anywhere, by a power cut or a kill. */
static void any_crash_leaves_a_prefix_and_new_offsets(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct loose l = {0};
        world_init(&l.w, seed);
        for (int life = 0; life < 6; life++) {
            sys_sim_fail_at(l.w.sys, SYS_SIM_ANY, 20 + prng_below(&l.w.prng, 300), WEIR_E_CLOSED);
            l.stored = 0;
            bool alive = begin(&l);
            for (int i = 0; alive && i < 60; i++) {
                commit_loose(&l);
                world_commit(&l.w, 3);
                sys_sim_run(l.w.sys, 1 + prng_below(&l.w.prng, 20));
                take(&l);
                if (i % 13 == 7) log_checkpoint_soon(l.w.log);
                alive = !sys_sim_dead(l.w.sys);
                if (alive) note_synced(&l);
            }
            bool process_only = prng_chance(&l.w.prng, 1, 3);
            if (l.w.log)
                world_crash(&l.w, process_only);
            else
                sys_sim_crash(l.w.sys, process_only);
            sys_sim_fail_at(l.w.sys, SYS_SIM_ANY, 0, WEIR_OK);
            assert_true(begin(&l));
            uint64_t last = 0;
            check(&l, l.lazy, l.lazy_lives, &last);
            if (last < l.synced && l.synced % LOG_LOOSE_AHEAD != 0)
                fail_msg("seed %llu: a checkpoint covered %llu, the last record there is %llu",
                    (unsigned long long)seed, (unsigned long long)l.synced, (unsigned long long)last);
            if (process_only && last < l.stored && l.stored % LOG_LOOSE_AHEAD != 0)
                fail_msg(
                    "seed %llu: the process was killed with offsets up to %llu written, the last one there is %llu",
                    (unsigned long long)seed, (unsigned long long)l.stored, (unsigned long long)last);
            assert_int_equal(check(&l, l.memory, l.memory_lives, &last), 0);
            world_check(&l.w); /* the durable ones beside them */
            log_stop(l.w.log);
            log_close(l.w.log);
            l.w.log = NULL;
            l.life--; /* it gave no offset */
            must(log_verify(l.w.sys, "data", NULL, NULL));
        }
        world_done(&l.w);
    }
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    struct loose l = {0};
    world_init(&l.w, 8);
    l.w.options.memory_bytes_max = 1u << 20;
    assert_true(begin(&l));
    struct log_topic *t;
    const struct {
        struct log_topic_config config;
        enum weir_error error;
    } rows[] = {
        {{.durability = LOG_DURABILITIES}, WEIR_E_INVALID},
        {{.durability = LOG_LAZY, .derived = true}, WEIR_E_INVALID},
        {{.durability = LOG_MEMORY, .retention_ms = 1}, WEIR_E_INVALID},
        {{.durability = LOG_MEMORY, .retention_bytes = LOG_MEMORY_BYTES_MIN - 1}, WEIR_E_INVALID},
        {{.durability = LOG_MEMORY, .retention_bytes = 600u << 10},
            WEIR_E_FULL}, /* two partitions, and the one there */
        {{.durability = LOG_MEMORY, .retention_bytes = UINT64_MAX}, WEIR_E_FULL},
        {{.durability = LOG_MEMORY}, WEIR_E_FULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(log_topic_create(l.w.log, "wrong", 2, &rows[i].config, &t), rows[i].error);
    struct log_topic_config fits = {.durability = LOG_MEMORY, .retention_bytes = 480u << 10};
    must(log_topic_create(l.w.log, "fits", 2, &fits, &t));
    assert_int_equal(log_topic_create(l.w.log, "more", 1, &fits, &t), WEIR_E_FULL);
    must(log_topic_delete(l.w.log, "fits")); /* and gives its memory back */
    must(log_topic_create(l.w.log, "more", 1, &fits, &t));
    world_done(&l.w);
}

/* A binary that knows only durable topics must refuse the folder, and may open one that has no others. */
static void a_folder_with_other_topics_than_durable_says_so(void **state) {
    (void)state;
    struct weir_slice bytes;
    struct loose l = {0};
    world_init(&l.w, 9);
    must(world_open(&l.w));
    world_run(&l.w);
    must(sys_read_all(l.w.sys, "data/catalogue", 1u << 20, &bytes));
    assert_int_equal(load_le16(bytes.data + 4), 1);
    sys_bytes_free(bytes);
    must(make_topics(&l));
    must(sys_read_all(l.w.sys, "data/catalogue", 1u << 20, &bytes));
    assert_int_equal(load_le16(bytes.data + 4), 2);
    sys_bytes_free(bytes);
    must(log_topic_delete(l.w.log, "lazy"));
    must(log_topic_delete(l.w.log, "memory"));
    must(sys_read_all(l.w.sys, "data/catalogue", 1u << 20, &bytes));
    assert_int_equal(load_le16(bytes.data + 4), 1);
    sys_bytes_free(bytes);
    world_done(&l.w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neither_costs_a_frame_or_a_sync),
        cmocka_unit_test(the_oldest_of_a_memory_topic_make_room),
        cmocka_unit_test(a_batch_larger_than_a_memory_topic_stands_alone),
        cmocka_unit_test(a_clean_stop_keeps_the_lazy_and_goes_on_with_every_offset),
        cmocka_unit_test(after_a_crash_a_gap_says_what_is_lost),
        cmocka_unit_test(a_killed_process_leaves_what_was_written),
        cmocka_unit_test(no_offset_is_given_that_a_crash_would_give_again),
        cmocka_unit_test(any_crash_leaves_a_prefix_and_new_offsets),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(a_folder_with_other_topics_than_durable_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
