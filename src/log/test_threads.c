/* The log on real files with real threads: lanes that write, readers that read while segments roll and are deleted,
 * agents behind. Run under ThreadSanitizer in the tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/prng.h"
#include "log/state.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LANES      2
#define PARTITIONS 8
#define must(call) assert_int_equal((call), WEIR_OK)

struct lane {
    struct log *log;
    struct log_topic *in, *out;
    struct log_writer *writer;
    struct sys *sys;
    uint32_t index;
    int poller;
    uint64_t records, appended, acked;
};

static void take(struct lane *l) {
    struct log_commit *c;
    while ((c = log_writer_durable(l->writer))) {
        for (uint32_t i = 0; i < c->batch_count; i++) {
            struct log_partition *p = NULL;
            struct weir_slice batch;
            log_commit_batch(c, i, &p, &batch);
            uint8_t *at = log_commit_output(c, l->out->partitions[p->index], 1, (struct weir_slice){0},
                (struct weir_slice){0}, (struct weir_slice){0}, 8);
            WEIR_ASSERT(at);
            store_le64(at, 42);
            l->acked += load_be32(batch.data + WEIR_BATCH_AT_RECORD_COUNT);
        }
        log_commit_release(c);
    }
}

static void *run_lane(void *arg) {
    struct lane *l = arg;
    struct prng prng = prng_seed(l->index + 1);
    while (l->appended < l->records || l->acked < l->appended) { /* a stop is clean when all is released */
        struct log_commit *c = NULL;
        if (l->appended < l->records && log_commit_begin(l->writer, &c) == WEIR_OK) {
            for (int i = 0; i < 20; i++) {
                struct log_partition *p = l->in->partitions[prng_below(&prng, PARTITIONS / LANES) * LANES + l->index];
                uint8_t value[64] = {0};
                uint64_t offset = 0;
                store_le64(value, p->next);
                struct log_record r = {.time_ms = 1, .value = weir_slice(value, 8 + prng_below(&prng, 56))};
                if (log_commit_append(c, p, &r, &offset)) break;
                l->appended++;
            }
            log_commit_submit(c);
        } else {
            log_wait(l->sys, l->poller, 10 * SYS_NANOS_PER_MS);
        }
        take(l);
    }
    return NULL;
}

struct reader {
    struct log *log;
    struct log_topic *in;
    _Atomic bool stop;
    uint64_t records;
};

/* Reads all partitions over and over; what retention took away is skipped. */
static void *run_reader(void *arg) {
    struct reader *r = arg;
    uint64_t next[PARTITIONS] = {0};
    uint8_t *bytes = malloc(64 << 10);
    while (!atomic_load(&r->stop)) {
        for (uint32_t k = 0; k < PARTITIONS; k++) {
            size_t size = 0, at = 0;
            enum weir_error e = log_read(r->log, r->in->partitions[k], next[k], true, bytes, 64 << 10, &size);
            if (e == WEIR_E_OUT_OF_RANGE) next[k] = atomic_load(&r->in->partitions[k]->start);
            if (e) {
                WEIR_ASSERT(e == WEIR_E_OUT_OF_RANGE);
                continue;
            }
            while (at < size) {
                struct weir_record_batch b;
                WEIR_ASSERT(weir_record_batch_check(weir_slice(bytes + at, size - at), NULL, &b) == WEIR_OK);
                next[k] = (uint64_t)b.base_offset + (uint64_t)b.last_offset_delta + 1;
                r->records += (uint64_t)b.record_count;
                at += b.size;
            }
        }
    }
    free(bytes);
    return NULL;
}

static void small_options(struct log_options *o, const char *folder) {
    log_options_default(o);
    o->folder = folder;
    o->lanes = LANES;
    o->segment_bytes = 16 << 10;
    o->commit_bytes_max = 16 << 10;
    o->batch_bytes_max = 8 << 10;
    o->journal_file_bytes = 128 << 10;
    o->journal_bytes_max = 1 << 20;
    o->checkpoint_bytes = 128 << 10;
    o->disk_reserve_bytes = 0;
}

static void run_all(const struct log_topic_config *plain) {
    char folder[64], command[128];
    snprintf(folder, sizeof folder, "/tmp/weir-test-log-%ld", (long)getpid());
    struct sys *sys = NULL;
    struct log *log = NULL;
    struct log_options o;
    small_options(&o, folder);
    must(sys_linux_new(&sys));
    struct log_topic_config derived = {.derived = true};
    struct log_topic *in = NULL, *out = NULL;
    must(log_open(sys, &o, &log));
    must(log_topic_create(log, "in", PARTITIONS, plain, &in));
    must(log_topic_create(log, "out", PARTITIONS, &derived, &out));
    struct lane lanes[LANES];
    struct reader reader = {.log = log, .in = in};
    pthread_t threads[LANES], reading;
    for (uint32_t i = 0; i < LANES; i++) {
        lanes[i] = (struct lane){.log = log, .in = in, .out = out, .sys = sys, .index = i, .records = 20000};
        must(sys->poller_open(sys, &lanes[i].poller));
        must(log_writer_open(log, i, lanes[i].poller, &lanes[i].writer));
    }
    must(log_start(log));
    pthread_create(&reading, NULL, run_reader, &reader);
    for (uint32_t i = 0; i < LANES; i++)
        pthread_create(&threads[i], NULL, run_lane, &lanes[i]);
    for (uint32_t i = 0; i < LANES; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&reader.stop, true);
    pthread_join(reading, NULL);
    uint64_t acked = lanes[0].acked + lanes[1].acked, stored = 0;
    log_stop(log);
    log_close(log);
    must(log_verify(sys, folder, NULL, NULL));
    must(log_open(sys, &o, &log));
    assert_true(log_recovered(log)->clean);
    in = log_topic_find(log, "in");
    for (uint32_t k = 0; k < PARTITIONS; k++)
        stored += atomic_load(&in->partitions[k]->high);
    assert_int_equal(stored, acked);
    assert_true(reader.records > 0);
    log_close(log);
    for (uint32_t i = 0; i < LANES; i++)
        sys->poller_close(sys, lanes[i].poller);
    sys_linux_free(sys);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

static void lanes_readers_and_agents_together_lose_nothing(void **state) {
    (void)state;
    run_all(&(struct log_topic_config){.retention_bytes = 64 << 10});
}

static void nor_do_they_of_lazy_topics_compressed(void **state) {
    (void)state;
    run_all(&(struct log_topic_config){
        .durability = LOG_LAZY, .compression = LOG_COMPRESSION_ZSTD, .retention_bytes = 64 << 10});
}

/* The ring goes round under the reader: it is given whole batches, or told that it was overtaken. */
static void nor_do_they_of_memory_topics(void **state) {
    (void)state;
    run_all(&(struct log_topic_config){
        .durability = LOG_MEMORY, .retention_bytes = LOG_MEMORY_BYTES_MIN, .segment_bytes = 16 << 10});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_readers_and_agents_together_lose_nothing),
        cmocka_unit_test(nor_do_they_of_lazy_topics_compressed),
        cmocka_unit_test(nor_do_they_of_memory_topics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
