/* The store agent: from released commits to segments. See store.h. */
#include "log/store.h"

#include "base/bytes.h"
#include "log/state.h"

#include <stdlib.h>

#define SPACE_RETRY_NS   (100 * SYS_NANOS_PER_MS)
#define REST_WRITES      64u /* in a round: fewer are not worth waiting for */
#define REST_WRITE_BYTES (16u << 10)
#define REST_NS_MAX      (4 * SYS_NANOS_PER_MS)

enum weir_error log_store_init(struct store *s, struct log *log) {
    s->log = log;
    s->poller = -1;
    atomic_init(&s->waiter, -1);
    s->pending_tail = &s->pending;
    s->round_max = log->options.lanes * log->options.commits_per_lane;
    s->round = calloc(s->round_max, sizeof(struct commit *));
    if (!s->round) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the store's tables");
    enum weir_error e = log->sys->poller_open(log->sys, &s->poller);
    return e ? e : pack_init(&s->packer, log->sys, log->options.pool, s->poller, log->options.batch_bytes_max);
}

void log_store_done(struct store *s) {
    if (!s->log) return;
    pack_done(&s->packer);
    if (s->poller >= 0) s->log->sys->poller_close(s->log->sys, s->poller);
    free(s->round);
    s->log = NULL;
}

void log_store_chain(struct store *s, struct partition *p, struct commit_batch *batch) {
    batch->next = NULL;
    batch->stored = weir_slice(NULL, 0);
    if (p->pending_first) {
        p->pending_last->next = batch;
        p->pending_last = batch;
        return;
    }
    p->pending_first = p->pending_last = batch;
    p->pending_next = NULL;
    *s->pending_tail = p;
    s->pending_tail = &p->pending_next;
}

enum weir_error log_store_write(struct store *s) {
    while (s->pending) {
        struct partition *p = s->pending;
        enum weir_error e = log_partition_store(p);
        if (e) return e;
        s->pending = p->pending_next;
        if (!s->pending) s->pending_tail = &s->pending;
    }
    return WEIR_OK;
}

/* Takes what was released; true when there is anything to do. */
static bool gather(struct store *s) {
    struct log *log = s->log;
    for (uint32_t lane = 0; lane < log->options.lanes; lane++) {
        struct log_writer *w = atomic_load_explicit(&log->writers[lane], memory_order_acquire);
        struct commit *c = NULL;
        while (w && slot_ring_pop(&w->released, &c)) {
            s->round[s->round_count++] = c;
            for (uint32_t i = 0; i < c->input.count; i++)
                log_store_chain(s, c->input.batches[i].partition, &c->input.batches[i]);
            for (uint32_t i = 0; i < c->output.count; i++)
                log_store_chain(s, c->output.batches[i].partition, &c->output.batches[i]);
        }
    }
    return s->round_count > 0;
}

/* The round is in segments: its journal files may go, its commits are free. */
static void finish(struct store *s) {
    struct sys *sys = s->log->sys;
    uint64_t wake = 0;
    for (uint32_t i = 0; i < s->round_count; i++) {
        struct commit *c = s->round[i];
        struct log_writer *w = c->writer;
        if (c->file) atomic_fetch_sub_explicit(&c->file->unstored, 1, memory_order_release);
        bool pushed = slot_ring_push(&w->freed, &c);
        WEIR_ASSERT(pushed);
        wake |= 1ull << w->lane;
    }
    s->round_count = 0;
    for (uint32_t lane = 0; wake; lane++, wake >>= 1) {
        struct log_writer *w = atomic_load_explicit(&s->log->writers[lane], memory_order_relaxed);
        if ((wake & 1) && w->wake_poller >= 0) sys->poller_wake(sys, w->wake_poller);
    }
    int waiter = atomic_exchange_explicit(&s->waiter, -1, memory_order_acq_rel);
    if (waiter >= 0) sys->poller_wake(sys, waiter);
}

/* Both sides exchange: who comes second sees what the first one did before, the watermarks or the poller. */
void log_wake_when_stored(struct log *log, int poller) {
    (void)atomic_exchange_explicit(&log->store.waiter, poller, memory_order_acq_rel);
}

/* After a round of many small writes the next one waits a little, so that more comes together per partition: else a
 * thousand partitions cost a thousand writes per commit. Not so long that a lane runs out of commits. */
static uint64_t rest_ns(struct store *s) {
    struct log *log = s->log;
    if (s->rest_until_ns == 0 || s->round_count > 0) return 0;
    uint64_t now = log->sys->mono_ns(log->sys);
    if (now >= s->rest_until_ns) return 0;
    for (uint32_t lane = 0; lane < log->options.lanes; lane++) {
        struct log_writer *w = atomic_load_explicit(&log->writers[lane], memory_order_acquire);
        if (w && slot_ring_count(&w->released) * 4 >= w->commit_count * 3ull) return 0;
    }
    return s->rest_until_ns - now;
}

static void plan_rest(struct store *s, uint64_t begin_ns, uint64_t writes, uint64_t bytes) {
    s->rest_until_ns = 0;
    if (writes < REST_WRITES || bytes / writes >= REST_WRITE_BYTES) return;
    uint64_t now = s->log->sys->mono_ns(s->log->sys), rest = (now - begin_ns) * 2;
    s->rest_until_ns = now + (rest < REST_NS_MAX ? rest : REST_NS_MAX);
}

static enum weir_error write_round(struct store *s) {
    uint64_t begin = s->log->sys->mono_ns(s->log->sys), writes = metric_get(&s->writes), bytes = metric_get(&s->bytes);
    enum weir_error e = log_store_write(s);
    if (e) return e;
    plan_rest(s, begin, metric_get(&s->writes) - writes, metric_get(&s->bytes) - bytes);
    s->waiting = false;
    finish(s);
    return WEIR_OK;
}

uint32_t log_store_work(void *store, uint64_t block_ns) {
    struct store *s = store;
    struct log *log = s->log;
    struct sys *sys = log->sys;
    uint64_t rest = block_ns > 0 ? rest_ns(s) : 0; /* block 0: at a stop, or in the simulator: at once */
    if (rest > 0) {
        if (rest < block_ns) block_ns = rest;
    } else if (!log_failed(log) && (s->round_count > 0 || gather(s))) {
        uint32_t done = s->round_count;
        enum weir_error e = write_round(s);
        if (!e) return done;
        if (e != WEIR_E_NO_SPACE) {
            log_fail(log, "a segment can't be written");
            return 0;
        }
        metric_add(&s->space_waits, 1);
        s->waiting = true;
        atomic_store_explicit(&log->space_short, true, memory_order_relaxed); /* the keeper clears it */
        if (block_ns > SPACE_RETRY_NS) block_ns = SPACE_RETRY_NS;
    }
    if (block_ns > 0) log_wait(sys, s->poller, block_ns);
    return 0;
}
