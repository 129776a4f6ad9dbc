#include "host/shadow.h"
#include "base/assert.h"
#include "host/node.h"
#include "host/poison.h"
#include "host/snapshot.h"

#include <stdio.h>

#define BUFFER_BYTES  (2u << 20)
#define SLICE_RECORDS 65536u
#define CHECKPOINT_NS (50 * SYS_NANOS_PER_MS)

enum weir_error shadow_open(struct shadow *shadow, struct host *host) {
    size_t scratch = 0;
    for (uint32_t i = 0; i < host->service_count; i++) {
        size_t size = out_scratch_size(host->services[i].service);
        if (size > scratch) scratch = size;
    }
    shadow->host = host;
    shadow->memory_size = BUFFER_BYTES + scratch;
    enum weir_error e = sys_memory_map(shadow->memory_size, &shadow->memory);
    if (e != WEIR_OK) {
        shadow->memory = NULL;
        return e;
    }
    shadow->buffer = shadow->memory;
    shadow->out =
        (struct weir_out){.scratch = shadow->buffer + BUFFER_BYTES, .scratch_size = scratch, .replaying = true};
    shadow->paces = ARENA_NEW_ARRAY(&host->arena, struct shadow_pace, host->partition_count + 1);
    if (!shadow->paces) return weir_error_context(WEIR_E_NO_MEMORY, "too many partitions");
    uint64_t now_ns = host->sys->mono_ns(host->sys);
    for (uint32_t i = 0; i < host->partition_count; i++)
        shadow->paces[i].mono_ns = now_ns;
    return WEIR_OK;
}

void shadow_close(struct shadow *shadow) {
    fold_done(&shadow->fold);
    if (shadow->memory) sys_memory_unmap(shadow->memory, shadow->memory_size);
    shadow->memory = NULL;
}

/* ---- which partition
 * ------------------------------------------------------------------------------------------------- */
static uint64_t applied_of(const struct host_partition *p) {
    return atomic_load_explicit(&p->facts.applied, memory_order_acquire);
}

static uint64_t snapshot_of(const struct host_partition *p) {
    return atomic_load_explicit(&p->facts.snapshot, memory_order_relaxed);
}

static bool is_due(const struct shadow *s, const struct host_partition *p) {
    const struct shadow_pace *pace = &s->paces[p->number];
    if (atomic_load_explicit(&p->facts.replaying, memory_order_acquire) || applied_of(p) <= snapshot_of(p))
        return false;
    if (pace->wanted) return true;
    const struct host *host = s->host;
    if (atomic_load_explicit(&host->phase, memory_order_acquire) >= HOST_DRAINING) return pace->error == WEIR_OK;
    uint64_t bytes = atomic_load_explicit(&p->facts.bytes_applied, memory_order_relaxed) - pace->bytes;
    if (bytes >= atomic_load_explicit(&host->snapshot_bytes, memory_order_relaxed)) return true;
    uint64_t age_ns = atomic_load_explicit(&host->snapshot_age_ns, memory_order_relaxed);
    return host->sys->mono_ns(host->sys) - pace->mono_ns >= age_ns;
}

static struct host_partition *pick(struct shadow *s) {
    for (uint32_t i = 0; i < s->host->partition_count; i++) {
        struct host_partition *p = &s->host->partitions[(s->next + i) % s->host->partition_count];
        if (!is_due(s, p)) {
            s->paces[p->number].wanted = false; /* an empty wish is fulfilled */
            continue;
        }
        s->next = p->number + 1;
        return p;
    }
    return NULL;
}

bool shadow_finished(const struct shadow *shadow) {
    if (shadow->step != SHADOW_IDLE) return false;
    for (uint32_t i = 0; i < shadow->host->partition_count; i++)
        if (is_due(shadow, &shadow->host->partitions[i])) return false;
    return true;
}

/* ---- steps
 * ------------------------------------------------------------------------------------------------------------ */
static uint32_t finish(struct shadow *s, enum weir_error e) {
    struct shadow_pace *pace = &s->paces[s->partition->number];
    pace->wanted = false;
    pace->error = e;
    if (e != WEIR_OK) {
        snprintf(s->failure, sizeof s->failure, "%s", weir_error_text());
        metric_add(e == WEIR_E_MISMATCH ? &s->refused : &s->failed, 1);
        host_report(s->host, "no snapshot of service %s, partition %u: %s", s->partition->owner->service->name,
            s->partition->index, s->failure);
    }
    fold_done(&s->fold);
    s->step = SHADOW_IDLE;
    return 1;
}

static uint32_t begin(struct shadow *s) {
    struct host_partition *p = pick(s);
    if (!p) return 0;
    struct mailbox *mailbox = &s->host->mailbox;
    uint32_t self = host_work_endpoint(s->host);
    uint32_t *number = mailbox_reserve(mailbox, MAIL_REQUEST, self, p->lane->index, sizeof *number);
    if (!number) return 0;
    *number = p->number;
    mailbox_commit(mailbox, MAIL_REQUEST, self, p->lane->index, sizeof *number, MAIL_MARK);
    s->partition = p;
    s->step = SHADOW_MARK;
    s->paces[p->number].bytes = atomic_load_explicit(&p->facts.bytes_applied, memory_order_relaxed);
    s->paces[p->number].mono_ns = s->host->sys->mono_ns(s->host->sys);
    return 1;
}

void shadow_marked(struct shadow *s, const struct shadow_mark *mark) {
    WEIR_ASSERT(s->step == SHADOW_MARK && mark->partition == s->partition->number);
    s->mark = *mark;
    s->step = SHADOW_LOAD;
}

/* The newest snapshot at or below N that can be read; else the beginning. */
static uint32_t load(struct shadow *s) {
    struct host_partition *p = s->partition;
    struct fold_options options;
    host_fold_options(p, &options);
    struct snapshot_offsets list;
    enum weir_error e = snapshot_list(s->host->sys, s->host->folder, options.service->name, p->index, &list);
    bool loaded = false;
    for (uint32_t i = 0; e == WEIR_OK && i < list.count && !loaded; i++) {
        if (list.offsets[i] > s->mark.applied) continue;
        char path[SNAPSHOT_PATH_MAX];
        struct weir_slice bytes;
        snapshot_path(path, sizeof path, s->host->folder, options.service->name, p->index, list.offsets[i]);
        if (sys_read_all(s->host->sys, path, SNAPSHOT_BYTES_MAX, &bytes) != WEIR_OK) continue;
        loaded = snapshot_load(&s->fold, &options, bytes) == WEIR_OK;
        sys_bytes_free(bytes);
    }
    if (e == WEIR_OK && !loaded) e = snapshot_open_empty(&s->fold, &options, s->host->log, p->log);
    if (e != WEIR_OK) return finish(s, e);
    s->step = SHADOW_REPLAY;
    return 1;
}

static enum weir_error apply_batch(struct shadow *s, struct weir_slice batch, size_t *ret_size) {
    struct batch_reader reader;
    struct batch_header header;
    struct batch_record record;
    struct fold_applied applied;
    enum weir_error e = batch_open(&reader, batch, &header);
    while (e == WEIR_OK && s->fold.applied < s->mark.applied && batch_next(&reader, &record)) {
        if (record.offset < s->fold.applied) continue;
        poison_mark(s->partition->log->uid, record.offset);
        e = fold_apply(&s->fold, &record, &s->out, &applied);
        poison_clear();
    }
    *ret_size = header.size;
    return e;
}

static enum weir_error compare(struct shadow *s) {
    const struct shadow_mark *live = &s->mark;
    uint64_t digest = fold_digest(&s->fold);
    bool outputs = memcmp(live->outputs_next, s->fold.outputs_next, sizeof live->outputs_next) == 0;
    if (s->fold.emission.state == live->emission && digest == live->digest && outputs) return WEIR_OK;
    return weir_error_context(WEIR_E_MISMATCH,
        "replaying its log up to offset %llu gives another result than the live fold had (%s%s%s differ): the fold "
        "depends "
        "on something that is not in its log",
        (unsigned long long)live->applied, outputs ? "" : "number of outputs, ",
        s->fold.emission.state == live->emission ? "" : "outputs, ", digest == live->digest ? "" : "state");
}

static uint32_t replay(struct shadow *s) {
    s->out.fold = &s->fold;
    uint64_t before = s->fold.applied;
    enum weir_error e = WEIR_OK;
    while (e == WEIR_OK && s->fold.applied < s->mark.applied && s->fold.applied - before < SLICE_RECORDS) {
        size_t size = 0, at = 0, batch_size = 0;
        uint64_t from = s->fold.applied;
        e = log_read(s->host->log, s->partition->log, from, true, s->buffer, BUFFER_BYTES, &size);
        while (e == WEIR_OK && at < size && s->fold.applied < s->mark.applied) {
            e = apply_batch(s, weir_slice(s->buffer + at, size - at), &batch_size);
            at += batch_size;
        }
        if (e == WEIR_OK && s->fold.applied == from) return 0; /* not stored yet */
    }
    if (e == WEIR_OK && s->fold.applied < s->mark.applied) return 1;
    if (e == WEIR_OK) e = compare(s);
    if (e != WEIR_OK) return finish(s, e);
    s->step = SHADOW_WAIT;
    s->asked_mono_ns = 0;
    return 1;
}

/* What the snapshot stands on must be as durable as the snapshot: it lets the input be forgotten. */
static bool stands_firm(const struct shadow *s) {
    const struct host_partition *p = s->partition;
    for (uint32_t row = 0; row < s->fold.topic_count; row++) {
        const struct log_partition *output = p->sink.outputs[row];
        if (output && atomic_load_explicit(&output->checkpointed, memory_order_acquire) < s->fold.outputs_next[row])
            return false;
    }
    return atomic_load_explicit(&p->facts.emits_acked, memory_order_acquire) >= s->mark.applied;
}

static uint32_t wait(struct shadow *s) {
    if (stands_firm(s)) {
        s->step = SHADOW_SAVE;
        return 1;
    }
    uint64_t now_ns = s->host->sys->mono_ns(s->host->sys);
    if (s->asked_mono_ns == 0 || now_ns - s->asked_mono_ns >= CHECKPOINT_NS) {
        s->asked_mono_ns = now_ns;
        log_checkpoint_soon(s->host->log);
    }
    return 0;
}

static uint32_t save(struct shadow *s) {
    struct weir_sink sink = {0};
    uint64_t hold = 0;
    enum weir_error e = snapshot_store(&s->fold, &sink);
    if (e == WEIR_OK) e = snapshot_write(s->host->sys, s->host->folder, &s->fold, &sink, &hold);
    uint64_t bytes = sink.size;
    sink_done(&sink);
    if (e != WEIR_OK) return finish(s, e);
    atomic_store_explicit(&s->partition->log->hold, hold, memory_order_release);
    atomic_store_explicit(&s->partition->facts.snapshot_bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&s->partition->facts.snapshot_time_ns, s->fold.time_ns, memory_order_relaxed);
    atomic_store_explicit(&s->partition->facts.snapshot, s->fold.applied, memory_order_release);
    metric_add(&s->made, 1);
    return finish(s, WEIR_OK);
}

uint32_t shadow_work(struct shadow *shadow) {
    static uint32_t (*const steps[])(struct shadow *) = {[SHADOW_IDLE] = begin,
        [SHADOW_LOAD] = load,
        [SHADOW_REPLAY] = replay,
        [SHADOW_WAIT] = wait,
        [SHADOW_SAVE] = save};
    return shadow->step == SHADOW_MARK ? 0 : steps[shadow->step](shadow);
}
