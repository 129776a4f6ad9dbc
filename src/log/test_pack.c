/* What would break topics that compress: a batch that comes back as another one, a result that two threads wrote, a
 * store that waits for a pool which has no time. With threads, meant for TSan as well. Run with "time" it prints how
 * long the same work takes alone and with workers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "log/pack.h"
#include "log/state.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCHES     24u
#define BATCH_BYTES (48u << 10)
#define WORKERS     2u

struct world {
    struct sys *sys;
    int poller;
    struct shared_pool pool;
    struct packer packer;
    struct log_topic topic;
    struct partition partition;
    struct commit_batch batches[BATCHES];
    struct weir_compression codec;
    uint8_t plain[BATCH_BYTES * 2];
};

static void must(enum weir_error e) {
    if (e) fail_msg("%s: %s", weir_error_name(e), weir_error_text());
}

/* Values of 1 KB of which a part repeats; every seventh batch is noise, which compression makes no smaller. */
static void make_batch(struct world *w, struct prng *prng, uint32_t index) {
    struct commit_batch *b = &w->batches[index];
    struct weir_record_builder builder;
    uint8_t value[1000];
    b->bytes = malloc(BATCH_BYTES);
    assert_non_null(b->bytes);
    weir_record_builder_init(&builder, b->bytes, BATCH_BYTES, &WEIR_RECORD_BUILDER_OPTIONS);
    for (;;) {
        for (size_t i = 0; i < sizeof value; i++)
            value[i] = index % 7 == 6 || i % 4 == 0 ? (uint8_t)prng_next(prng) : (uint8_t)('a' + i % 13);
        if (weir_record_builder_append(&builder, 5, weir_slice(NULL, 0), weir_slice(value, sizeof value), NULL, 0))
            break;
    }
    b->size = (uint32_t)weir_record_builder_finish(&builder).size;
    b->next = index + 1 < BATCHES ? &w->batches[index + 1] : NULL;
}

static struct world *begin(bool has_pool) {
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    struct prng prng = prng_seed(7);
    must(sys_linux_new(&w->sys));
    must(w->sys->poller_open(w->sys, &w->poller));
    shared_pool_init(&w->pool, w->sys, WORKERS);
    must(pack_init(&w->packer, w->sys, has_pool ? &w->pool : NULL, w->poller, 1u << 20));
    must(weir_compression_open(&w->codec));
    w->topic.config.compression = LOG_COMPRESSION_ZSTD;
    w->partition.partition.topic = &w->topic;
    for (uint32_t i = 0; i < BATCHES; i++)
        make_batch(w, &prng, i);
    return w;
}

static void end(struct world *w) {
    pack_done(&w->packer);
    shared_pool_stop(&w->pool);
    weir_compression_close(&w->codec);
    for (uint32_t i = 0; i < BATCHES; i++)
        free(w->batches[i].bytes);
    w->sys->poller_close(w->sys, w->poller);
    sys_linux_free(w->sys);
    free(w);
}

/* All of the chain, as the store does it. */
static void pack_chain(struct world *w) {
    for (struct commit_batch *b = w->batches; b;) {
        pack_ahead(&w->packer, &w->partition, b);
        bool first = true;
        for (; b && pack_batch(&w->packer, &w->partition, b); b = b->next, first = false)
            continue;
        assert_false(first);
    }
}

static void check(struct world *w) {
    for (uint32_t i = 0; i < BATCHES; i++) {
        const struct commit_batch *b = &w->batches[i];
        struct weir_slice plain;
        must(weir_batch_decompress(&w->codec, b->stored, w->plain, sizeof w->plain, &plain));
        assert_true(weir_slice_equal(plain, weir_slice(b->bytes, b->size)));
        assert_int_equal(b->stored.size < b->size, i % 7 != 6);
    }
}

static void a_chain_comes_back_as_it_was(void **state) {
    (void)state;
    for (int has_pool = 0; has_pool < 2; has_pool++) {
        struct world *w = begin(has_pool);
        for (int round = 0; round < 30; round++) {
            pack_chain(w);
            check(w);
        }
        assert_int_equal(metric_get(&w->packer.kept), 30 * (BATCHES / 7));
        assert_int_equal(w->packer.ns.count, 30 * BATCHES);
        if (!has_pool) assert_int_equal(metric_get(&w->packer.helped), 0);
        end(w);
    }
}

struct blocker {
    struct weir_task task;
    struct sys *sys;
    _Atomic bool *go;
};
static void block(struct weir_worker *worker, struct weir_task *task) {
    const struct blocker *b = (const struct blocker *)(const void *)task;
    (void)worker;
    while (!atomic_load(b->go))
        b->sys->pause(b->sys, SYS_NANOS_PER_MS);
}

static void workers_that_are_busy_delay_nothing_and_come_late_harmlessly(void **state) {
    struct world *w = begin(true);
    struct weir_pool *pool;
    struct weir_group group;
    struct blocker blockers[WORKERS];
    _Atomic bool go = false;
    (void)state;
    must(shared_pool_get(&w->pool, &pool));
    weir_group_begin(&group, pool, WEIR_POOL_INTERACTIVE, w->poller);
    for (uint32_t i = 0; i < WORKERS; i++) {
        blockers[i] = (struct blocker){{.run = block}, w->sys, &go};
        must(weir_pool_submit(&group, &blockers[i].task));
    }
    for (int round = 0; round < 3; round++) { /* would never end if it waited for them */
        pack_chain(w);
        check(w);
    }
    assert_int_equal(metric_get(&w->packer.helped), 0);
    atomic_store(&go, true);
    assert_int_equal(weir_group_wait(&group), 0);
    for (int round = 0; round < 20; round++) {
        pack_chain(w);
        check(w);
    }
    end(w);
}

static void little_is_not_worth_sharing(void **state) {
    struct world *w = begin(true);
    (void)state;
    w->batches[2].next = NULL; /* three batches, 144 KB */
    for (int round = 0; round < 10; round++)
        pack_chain(w);
    assert_null(w->pool.pool);
    end(w);
}

static uint64_t time_ns(bool has_pool) {
    struct world *w = begin(has_pool);
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < 200; round++) {
        uint64_t from = w->sys->mono_ns(w->sys);
        pack_chain(w);
        uint64_t ns = w->sys->mono_ns(w->sys) - from;
        if (ns < best) best = ns;
    }
    printf("%s: %.2f ms, %llu of %u helped\n", has_pool ? "with workers" : "alone", (double)best / 1e6,
        (unsigned long long)metric_get(&w->packer.helped), 200 * BATCHES);
    end(w);
    return best;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_comes_back_as_it_was),
        cmocka_unit_test(workers_that_are_busy_delay_nothing_and_come_late_harmlessly),
        cmocka_unit_test(little_is_not_worth_sharing),
    };
    if (argc > 1 && strcmp(argv[1], "time") == 0) {
        uint64_t alone = time_ns(false), shared = time_ns(true);
        printf("ratio %.2f\n", (double)alone / (double)shared);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
