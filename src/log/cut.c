/* A consistent prefix of a running log. See cut.h. */
#include "log/cut.h"

#include "log/catalogue.h"
#include "log/reader.h"
#include "log/state.h"

#include <stdio.h>
#include <stdlib.h>

#define CUT_PAUSE_NS (SYS_NANOS_PER_MS / 2)
#define CUT_NS_MAX   (30 * SYS_NANOS_PER_S) /* for what is durable to reach the segments */

void log_keep_all(struct log *log, bool on) {
    if (on)
        atomic_fetch_add(&log->keep_all, 1);
    else
        atomic_fetch_sub(&log->keep_all, 1);
}

static enum weir_error rest(struct log *log, uint64_t since_ns, const char *what) {
    if (log_failed(log)) return weir_error_context(WEIR_E_CLOSED, "the log has failed");
    if (log->sys->mono_ns(log->sys) - since_ns > CUT_NS_MAX)
        return weir_error_context(WEIR_E_TIMEOUT, "no cut of the log: %s", what);
    log->sys->pause(log->sys, CUT_PAUSE_NS);
    return WEIR_OK;
}

/* Under the control lock: no topic comes or goes. Outputs as far as they are checkpointed now. */
static enum weir_error list_partitions(struct log *log, struct log_cut *cut) {
    uint32_t topics = log_topic_count(log);
    for (uint32_t i = 0; i < topics; i++) {
        struct log_topic *t = log_topic_at(log, i);
        for (uint32_t k = 0; t && k < t->partition_count; k++) {
            struct log_cut_partition p = {.partition = t->partitions[k]};
            if (t->config.derived) p.end = atomic_load_explicit(&p.partition->checkpointed, memory_order_acquire);
            if (!log_cut_partitions_push(&cut->partitions, p))
                return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a cut of the log");
        }
    }
    return WEIR_OK;
}

/* The journal agent takes it between two frames. */
static enum weir_error cut_journal(struct log *log, struct log_cut *cut) {
    struct journal *j = &log->journal;
    uint64_t begin = log->sys->mono_ns(log->sys);
    uint64_t wanted = atomic_load_explicit(&j->cut_wanted, memory_order_relaxed) + 1;
    enum weir_error e = WEIR_OK;
    atomic_store_explicit(&j->cut_wanted, wanted, memory_order_release);
    log->sys->poller_wake(log->sys, j->poller);
    while (!e && atomic_load_explicit(&j->cut_taken, memory_order_acquire) != wanted)
        e = rest(log, begin, "the journal does not come to it");
    cut->sequence = atomic_load_explicit(&j->cut_sequence, memory_order_relaxed);
    for (size_t i = 0; !e && i < cut->partitions.count; i++) {
        struct log_cut_partition *p = &cut->partitions.data[i];
        if (!p->partition->topic->config.derived)
            p->end = atomic_load_explicit(&partition_of(p->partition)->cut_end, memory_order_relaxed);
    }
    return e;
}

/* A log whose agents do not run: nothing is on its way. */
static void cut_still(struct log *log, struct log_cut *cut) {
    cut->sequence = log->journal.next_sequence;
    for (size_t i = 0; i < cut->partitions.count; i++) {
        struct log_cut_partition *p = &cut->partitions.data[i];
        if (!p->partition->topic->config.derived) p->end = p->partition->next;
    }
}

static enum weir_error cut_held(struct log *log, struct log_cut *cut) {
    enum weir_error e = list_partitions(log, cut);
    if (!e) e = log_catalogue_encode(log, &cut->catalogue);
    cut->epoch = log->journal.epoch.number;
    if (!e && log->started) return cut_journal(log, cut);
    if (!e) cut_still(log, cut);
    return e;
}

static enum weir_error wait_settled(struct log *log) {
    uint64_t begin = log->sys->mono_ns(log->sys);
    enum weir_error e = WEIR_OK;
    while (!e && log->started && !atomic_load_explicit(&log->journal.settled, memory_order_acquire))
        e = rest(log, begin, "its folder is not ready");
    return e;
}

static bool is_deleted(const struct log_cut_partition *p) {
    return atomic_load_explicit(&partition_of(p->partition)->deleted, memory_order_acquire);
}

static enum weir_error deleted(const struct log_cut_partition *p) {
    return weir_error_context(WEIR_E_AGAIN, "topic %s was deleted meanwhile", p->partition->topic->name);
}

static enum weir_error wait_stored(struct log *log, const struct log_cut *cut) {
    uint64_t begin = log->sys->mono_ns(log->sys);
    for (size_t i = 0; i < cut->partitions.count; i++) {
        const struct log_cut_partition *p = &cut->partitions.data[i];
        while (atomic_load_explicit(&p->partition->high, memory_order_acquire) < p->end) {
            if (is_deleted(p)) return deleted(p);
            enum weir_error e = rest(log, begin, "what is durable does not reach the segments; is the disk full?");
            if (e) return e;
        }
    }
    return WEIR_OK;
}

/* Its segments, the last one up to the end of the cut. */
static enum weir_error list_segments(struct log *log, struct log_cut_partition *cut) {
    struct partition *p = partition_of(cut->partition);
    cut->start = atomic_load_explicit(&cut->partition->start, memory_order_acquire);
    if (cut->end <= cut->start) { /* nothing of it is kept, or nothing was ever there */
        cut->start = cut->end;
        return WEIR_OK;
    }
    struct batch_place last;
    enum weir_error e = log_batch_place(log, p, cut->end - 1, &last);
    if (e) return e;
    if (last.end != cut->end)
        return weir_error_context(WEIR_E_MISMATCH, "%s-%u: the cut at offset %llu is inside a batch",
            cut->partition->topic->name, cut->partition->index, (unsigned long long)cut->end);
    struct segment *s;
    for (uint32_t i = 0; !e && (s = log_partition_segment(p, i)); i++) {
        struct log_cut_segment found = {
            s->base, s->base == last.segment ? last.byte + last.size : atomic_load(&s->size)};
        bool counts = s->base <= last.segment;
        log_segment_drop(&log->cache, s);
        if (!counts) break;
        if (!log_cut_segments_push(&cut->segments, found))
            e = weir_error_context(WEIR_E_NO_MEMORY, "no memory for a cut of the log");
    }
    if (!e && cut->segments.count > 0) cut->start = cut->segments.data[0].base;
    return e;
}

enum weir_error log_cut_open(struct log *log, struct log_cut *ret_cut) {
    *ret_cut = (struct log_cut){0};
    enum weir_error e = wait_settled(log);
    if (e) return e;
    log_control_take(log);
    e = cut_held(log, ret_cut);
    log_control_give(log);
    if (!e) e = wait_stored(log, ret_cut);
    for (size_t i = 0; !e && i < ret_cut->partitions.count; i++) {
        e = list_segments(log, &ret_cut->partitions.data[i]);
        if (e && is_deleted(&ret_cut->partitions.data[i])) e = deleted(&ret_cut->partitions.data[i]);
    }
    return e;
}

void log_cut_close(struct log_cut *cut) {
    for (size_t i = 0; i < cut->partitions.count; i++)
        log_cut_segments_done(&cut->partitions.data[i].segments);
    log_cut_partitions_done(&cut->partitions);
    free((void *)(uintptr_t)cut->catalogue.data);
    cut->catalogue = (struct weir_slice){0};
}

enum weir_error log_cut_whole(const struct log_cut *cut) {
    for (size_t i = 0; i < cut->partitions.count; i++)
        if (is_deleted(&cut->partitions.data[i])) return deleted(&cut->partitions.data[i]);
    return WEIR_OK;
}

void log_cut_path(const struct log_cut_partition *p, uint64_t base, char path[LOG_CUT_PATH_MAX]) {
    char name[SEGMENT_NAME_SIZE];
    const struct topic *t = (const struct topic *)p->partition->topic;
    log_segment_name(base, name);
    snprintf(path, LOG_CUT_PATH_MAX, "topics/%s/%u/%s", t->folder, p->partition->index, name);
}
