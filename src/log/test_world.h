/* log/test_world.h: what the log's tests share: a log with small limits on the simulated world, a workload whose every
 * record can be recognised, and the check after a crash: every acknowledged record is there once, in order, dense; none
 * was invented. */
#ifndef WEIR_LOG_TEST_WORLD_H
#define WEIR_LOG_TEST_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/prng.h"
#include "log/state.h"
#include "sys/sim.h"

#include <stdio.h>
#include <stdlib.h>

#define WORLD_PARTITIONS 5
#define WORLD_RECORDS    4096

struct world_partition {
    uint64_t submitted, acked; /* records below it */
};
struct world {
    struct sys *sys;
    struct log_options options;
    struct log *log;
    struct log_writer *writer;
    struct log_topic *in, *out;
    struct world_partition inputs[WORLD_PARTITIONS], outputs[WORLD_PARTITIONS];
    struct prng prng;
    int poller;
    uint64_t commits;
    bool dead; /* an error was met that a dying process meets */
    uint8_t *read_buffer;
};

#define WORLD_READ_SIZE (64u << 10)

#define must(call)                                                                                                     \
    do {                                                                                                               \
        enum weir_error must_error_ = (call);                                                                          \
        if (must_error_ != WEIR_OK) fail_msg("%s: %s: %s", #call, weir_error_name(must_error_), weir_error_text());    \
    } while (0)

__attribute__((unused)) static void world_options(struct log_options *o) {
    log_options_default(o);
    o->folder = "data";
    o->partitions_max = 64;
    o->commit_bytes_max = 16u << 10;
    o->output_bytes_max = 64u << 10;
    o->batch_bytes_max = 8u << 10;
    o->journal_file_bytes = 32u << 10;
    o->journal_bytes_max = 192u << 10;
    o->checkpoint_bytes = 48u << 10;
    o->segment_bytes = 8u << 10;
    o->commits_per_lane = 4;
    o->disk_reserve_bytes = 0;
}

__attribute__((unused)) static void world_init(struct world *w, uint64_t seed) {
    *w = (struct world){.prng = prng_seed(seed), .poller = -1};
    struct sys_sim_plan plan = {.seed = seed,
        .keep_unsynced_percent = 40,
        .tear_percent = 40,
        .keep_entry_percent = 50,
        .sync_ns = 1000000,
        .write_ns = 1000};
    must(sys_sim_new(&plan, &w->sys));
    world_options(&w->options);
    w->read_buffer = malloc(WORLD_READ_SIZE);
}

__attribute__((unused)) static void world_done(struct world *w) {
    log_close(w->log);
    sys_sim_free(w->sys);
    free(w->read_buffer);
}

/* Opens and starts. On an error of a dying process w->dead is set and nothing is open; any other error is returned. */
__attribute__((unused)) static enum weir_error world_open(struct world *w) {
    struct log_topic_config plain = {.durability = LOG_DURABLE}, derived = {.durability = LOG_DURABLE, .derived = true};
    w->dead = false;
    w->log = NULL;
    enum weir_error e = log_open(w->sys, &w->options, &w->log);
    if (!e) e = log_topic_create(w->log, "in", WORLD_PARTITIONS, &plain, &w->in);
    if (e == WEIR_E_EXISTS) e = WEIR_OK;
    if (!e) e = log_topic_create(w->log, "out", WORLD_PARTITIONS, &derived, &w->out);
    if (e == WEIR_E_EXISTS) e = WEIR_OK;
    if (!e) e = w->sys->poller_open(w->sys, &w->poller);
    if (!e) e = log_writer_open(w->log, 0, w->poller, &w->writer);
    if (!e) e = log_start(w->log);
    if (e) {
        log_close(w->log);
        w->log = NULL;
        w->dead = sys_sim_dead(w->sys) || e == WEIR_E_CLOSED;
    }
    return e;
}

/* The process is gone, by a crash. */
__attribute__((unused)) static void world_crash(struct world *w, bool process_only) {
    sys_sim_crash(w->sys, process_only);
    log_close(w->log);
    w->log = NULL;
}

/* ---- records
 * ------------------------------------------------------------------------------------------------------------ */

/* The value of record n of a partition: its number, the partition, and bytes that follow from them. */
__attribute__((unused)) static struct weir_slice world_value(uint32_t uid, uint64_t n, uint8_t value[600]) {
    struct prng p = prng_seed(n * 64 + uid);
    size_t size = 12 + (size_t)prng_below(&p, 300);
    prng_bytes(&p, value, size);
    store_le64(value, n);
    store_le32(value + 8, uid);
    return weir_slice(value, size);
}

/* Appends some records to a commit, submits it. False: it could not begin. */
__attribute__((unused)) static bool world_commit(struct world *w, uint32_t records) {
    struct log_commit *c = NULL;
    enum weir_error e = log_commit_begin(w->writer, &c);
    if (e) {
        assert_true(e == WEIR_E_AGAIN || e == WEIR_E_FULL || e == WEIR_E_CLOSED || e == WEIR_E_NO_SPACE);
        return false;
    }
    for (uint32_t i = 0; i < records; i++) {
        uint32_t k = (uint32_t)prng_below(&w->prng, WORLD_PARTITIONS);
        struct log_partition *p = w->in->partitions[k];
        uint8_t value[600];
        struct log_record r = {.time_ms = 1000 + w->commits, .value = world_value(p->uid, p->next, value)};
        uint64_t offset = 0, next = p->next;
        e = log_commit_append(c, p, &r, &offset);
        if (e == WEIR_E_AGAIN) break;
        assert_int_equal(e, WEIR_OK);
        assert_int_equal(offset, next);
        w->inputs[k].submitted = p->next;
    }
    w->commits++;
    log_commit_submit(c);
    return true;
}

/* Takes what is durable: acknowledges, adds an output per input partition touched, releases. */
__attribute__((unused)) static void world_take(struct world *w) {
    struct log_commit *c;
    while ((c = log_writer_durable(w->writer))) {
        for (uint32_t i = 0; i < c->batch_count; i++) {
            struct log_partition *p = NULL;
            struct weir_slice batch;
            log_commit_batch(c, i, &p, &batch);
            uint64_t end = load_be64(batch.data) + load_be32(batch.data + WEIR_BATCH_AT_LAST_OFFSET_DELTA) + 1;
            if (end > w->inputs[p->index].acked) w->inputs[p->index].acked = end;
            struct log_partition *o = w->out->partitions[p->index];
            uint8_t value[600];
            struct weir_slice v = world_value(o->uid, o->next, value);
            uint8_t *at = log_commit_output(
                c, o, 1, (struct weir_slice){0}, (struct weir_slice){0}, (struct weir_slice){0}, v.size);
            assert_non_null(at);
            memcpy(at, v.data, v.size);
            w->outputs[p->index].submitted = o->next;
        }
        log_commit_release(c);
    }
}

/* Runs the agents until they rest, taking what becomes durable. */
__attribute__((unused)) static void world_run(struct world *w) {
    for (int i = 0; i < 50; i++) {
        uint64_t steps = sys_sim_run(w->sys, 100000);
        world_take(w);
        if (steps == 0 && i > 0) break;
    }
}

__attribute__((unused)) static void write_on(struct world *w, int commits, uint32_t records) {
    for (int i = 0; i < commits; i++) {
        world_commit(w, records);
        world_run(w);
    }
}

/* Reads everything stored of a partition; every record must be the one that belongs there. Returns the offset behind
 * the last. */
__attribute__((unused)) static uint64_t world_check_partition(struct world *w, struct log_partition *p) {
    uint64_t next = atomic_load(&p->start), high = atomic_load(&p->high);
    while (next < high) {
        size_t size = 0, at = 0;
        enum weir_error e = log_read(w->log, p, next, true, w->read_buffer, WORLD_READ_SIZE, &size);
        if (sys_sim_dead(w->sys)) return UINT64_MAX;
        must(e);
        assert_true(size > 0);
        while (at < size) {
            struct weir_record_batch batch;
            struct weir_record_reader reader;
            struct weir_record record;
            struct weir_slice bytes = weir_slice(w->read_buffer + at, size - at);
            must(weir_record_batch_check(bytes, NULL, &batch));
            must(weir_record_reader_init(&reader, bytes, &batch));
            while (weir_record_reader_next(&reader, &record)) {
                uint8_t value[600];
                if ((uint64_t)record.offset < next) continue; /* the batch began before */
                assert_int_equal(record.offset, next);
                assert_true(weir_slice_equal(record.value, world_value(p->uid, next, value)));
                next++;
            }
            assert_int_equal(reader.error, WEIR_OK);
            at += batch.size;
        }
    }
    assert_int_equal(next, high);
    return next;
}

/* After a reopen: nothing acknowledged is missing, nothing was invented. */
__attribute__((unused)) static void world_check(struct world *w) {
    for (uint32_t k = 0; k < WORLD_PARTITIONS; k++) {
        struct log_partition *p = w->in->partitions[k];
        uint64_t end = world_check_partition(w, p);
        if (end == UINT64_MAX) return;
        if (end < w->inputs[k].acked)
            fail_msg("partition %u lost records: %llu were acknowledged, %llu are there", k,
                (unsigned long long)w->inputs[k].acked, (unsigned long long)end);
        assert_true(end <= w->inputs[k].submitted);
        assert_int_equal(p->next, end);
        w->inputs[k].acked = w->inputs[k].submitted = end; /* what is there now stays there */
        struct log_partition *o = w->out->partitions[k];
        uint64_t out_end = world_check_partition(w, o);
        if (out_end == UINT64_MAX) return;
        assert_true(out_end <= w->outputs[k].submitted);
        assert_int_equal(o->next, out_end);
        w->outputs[k].submitted = out_end;
    }
}

#endif
