/* See until.h. */
#include "backup/until.h"

#include "backup/backup.h"
#include "host/envelope.h"
#include "host/snapshot.h"

#include <stdio.h>
#include <stdlib.h>

#define READ_BYTES (4u << 20)

/* One input or plain partition. */
struct flow {
    struct log_partition *partition;
    uint64_t end;   /* it is cut here; a cut point */
    uint64_t limit; /* a snapshot of it behind this offset counts on an emit that was cut from its target */
};
WEIR_VEC(flows, struct flow);

struct taking_back {
    struct sys *sys;
    const char *folder;
    const struct until *until;
    const struct weir_service *const *services;
    struct settings *settings;
    struct log *log;
    struct flows flows; /* by uid */
    struct adopt_rows *rows;
    void *memory; /* READ_BYTES */
};

static bool is_input(const struct log_partition *p) {
    return p->topic->config.internal && !p->topic->config.derived;
}

static uint64_t high_of(const struct log_partition *p) {
    return atomic_load(&((struct log_partition *)(uintptr_t)p)->high);
}

static uint64_t start_of(const struct log_partition *p) {
    return atomic_load(&((struct log_partition *)(uintptr_t)p)->start);
}

static int compare_flows(const void *a, const void *b) {
    const struct flow *x = a, *y = b;
    return x->partition->uid < y->partition->uid ? -1 : x->partition->uid > y->partition->uid;
}

static struct flow *find_flow(struct taking_back *t, uint32_t uid) {
    size_t low = 0, high = t->flows.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->flows.data[middle].partition->uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < t->flows.count && t->flows.data[low].partition->uid == uid;
    return found ? &t->flows.data[low] : NULL;
}

/* ---- where each ends by time ---- */

static enum weir_error list_flows(struct taking_back *t) {
    for (uint32_t i = 0; i < log_topic_count(t->log); i++) {
        struct log_topic *topic = log_topic_at(t->log, i);
        for (uint32_t k = 0; topic && !topic->config.derived && k < topic->partition_count; k++) {
            struct flow f = {topic->partitions[k], high_of(topic->partitions[k]), UINT64_MAX};
            if (!flows_push(&t->flows, f)) return weir_error_context(WEIR_E_NO_MEMORY, "no memory to go back");
        }
    }
    if (t->flows.count > 1) qsort(t->flows.data, t->flows.count, sizeof(struct flow), compare_flows);
    return WEIR_OK;
}

/* The moment that the offset of one partition stands for. */
static enum weir_error find_moment(struct taking_back *t, struct log_partition **ret_named, uint64_t *ret_ms) {
    const struct until *u = t->until;
    *ret_named = NULL;
    *ret_ms = u->unix_ms;
    if (!u->topic) return WEIR_OK;
    struct log_topic *topic = log_topic_find(t->log, u->topic);
    if (!topic || u->partition >= topic->partition_count || topic->config.derived)
        return weir_error_context(
            WEIR_E_NOT_FOUND, "there is no input or plain topic %s with a partition %u", u->topic, u->partition);
    struct log_partition *p = topic->partitions[u->partition];
    if (u->offset < start_of(p) || u->offset >= high_of(p))
        return weir_error_context(WEIR_E_OUT_OF_RANGE, "%s-%u holds offsets %llu to %llu", u->topic, u->partition,
            (unsigned long long)start_of(p), (unsigned long long)high_of(p));
    *ret_named = p;
    return log_time_at(t->log, p, u->offset, ret_ms);
}

static enum weir_error cut_by_time(struct taking_back *t) {
    struct log_partition *named;
    uint64_t unix_ms = 0;
    enum weir_error e = find_moment(t, &named, &unix_ms);
    for (size_t i = 0; !e && i < t->flows.count; i++) {
        struct flow *f = &t->flows.data[i];
        uint64_t end = high_of(f->partition);
        if (f->partition == named)
            end = t->until->offset;
        else if (unix_ms < UINT64_MAX && start_of(f->partition) < end)
            e = log_offset_at(t->log, f->partition, unix_ms + 1, &end);
        if (!e) e = log_cut_point(t->log, f->partition, end, &f->end);
    }
    return e;
}

/* ---- emits ---- */

/* Called per emit; false: no more. */
typedef bool (*emit_fn)(
    struct taking_back *t, struct flow *target, uint64_t offset, const struct envelope_source *source);

static bool each_emit(
    struct taking_back *t, struct flow *f, struct batch_reader *reader, uint64_t from, uint64_t to, emit_fn fn) {
    struct batch_record record;
    struct envelope envelope;
    while (batch_next(reader, &record)) {
        if (record.offset < from) continue;
        if (record.offset >= to) return false;
        bool emit = envelope_load(&record.record, &envelope) == WEIR_OK && envelope.kind == WEIR_RECORD_EMIT;
        if (emit && !fn(t, f, record.offset, &envelope.source)) return false;
    }
    return true;
}

/* The emits among records from..to of an input. */
static enum weir_error scan(struct taking_back *t, struct flow *f, uint64_t from, uint64_t to, emit_fn fn) {
    const uint8_t *bytes = t->memory;
    enum weir_error e = WEIR_OK;
    bool more = true;
    while (!e && more && from < to) {
        size_t size = 0;
        e = log_read(t->log, f->partition, from, true, t->memory, READ_BYTES, &size);
        more = size > 0;
        for (size_t at = 0; !e && more && at < size;) {
            struct batch_header header;
            struct batch_reader reader;
            e = batch_open(&reader, weir_slice(bytes + at, size - at), &header);
            if (e) break;
            more = each_emit(t, f, &reader, from, to, fn);
            from = header.next_offset;
            at += header.size;
        }
    }
    return e;
}

/* Its cause was cut: the target ends in front of it. */
static bool keep_caused(
    struct taking_back *t, struct flow *target, uint64_t offset, const struct envelope_source *source) {
    const struct flow *cause = find_flow(t, source->uid);
    if (!cause || source->offset < cause->end) return true;
    target->end = offset;
    return false;
}

static bool limit_snapshots(
    struct taking_back *t, struct flow *target, uint64_t offset, const struct envelope_source *source) {
    struct flow *cause = find_flow(t, source->uid);
    (void)target;
    (void)offset;
    if (cause && source->offset < cause->limit) cause->limit = source->offset;
    return true;
}

/* Until every emit that is kept has its cause. Ends only fall, so this ends. */
static enum weir_error follow_emits(struct taking_back *t) {
    bool fell = true;
    enum weir_error e = WEIR_OK;
    while (!e && fell) {
        fell = false;
        for (size_t i = 0; !e && i < t->flows.count; i++) {
            struct flow *f = &t->flows.data[i];
            uint64_t before = f->end;
            if (!is_input(f->partition)) continue;
            e = scan(t, f, start_of(f->partition), f->end, keep_caused);
            if (!e && f->end < before) e = log_cut_point(t->log, f->partition, f->end, &f->end);
            fell |= f->end < before;
        }
    }
    for (size_t i = 0; !e && i < t->flows.count; i++) {
        struct flow *f = &t->flows.data[i];
        if (is_input(f->partition)) e = scan(t, f, f->end, high_of(f->partition), limit_snapshots);
    }
    return e;
}

/* ---- services: a snapshot, and outputs that end there ---- */

struct taken { /* one partition of a service */
    const struct weir_service *service;
    struct flow *input;
    uint32_t partition;
};

static enum weir_error load_head(
    const struct taking_back *t, const struct taken *k, uint64_t offset, struct snapshot_head *ret_head) {
    char path[SNAPSHOT_PATH_MAX];
    struct weir_slice bytes;
    struct byte_reader rest;
    const struct fold_options options = {.service = k->service,
        .initial = settings_of(t->settings, k->service->name),
        .uid = k->input->partition->uid,
        .partition = k->partition};
    snapshot_path(path, sizeof path, t->folder, k->service->name, k->partition, offset);
    enum weir_error e = sys_read_all(t->sys, path, SNAPSHOT_BYTES_MAX, &bytes);
    if (e) return e;
    e = snapshot_check(bytes, &options, ret_head, &rest);
    sys_bytes_free(bytes);
    return e ? weir_error_wrap(e, "snapshot %s", path) : WEIR_OK;
}

static enum weir_error remove_snapshot(const struct taking_back *t, const struct taken *k, uint64_t offset) {
    char path[SNAPSHOT_PATH_MAX];
    snapshot_path(path, sizeof path, t->folder, k->service->name, k->partition, offset);
    return t->sys->path_unlink(t->sys, path);
}

/* The newest that may be kept; newer ones go. *ret_found false: none. */
static enum weir_error choose_snapshot(
    const struct taking_back *t, const struct taken *k, struct snapshot_head *ret_head, bool *ret_found) {
    struct snapshot_offsets list;
    uint64_t most = k->input->end < k->input->limit ? k->input->end : k->input->limit;
    *ret_found = false;
    enum weir_error e = snapshot_list(t->sys, t->folder, k->service->name, k->partition, &list);
    for (uint32_t i = 0; !e && i < list.count && !*ret_found; i++) {
        *ret_found = list.offsets[i] <= most && list.offsets[i] >= start_of(k->input->partition);
        e = *ret_found ? load_head(t, k, list.offsets[i], ret_head) : remove_snapshot(t, k, list.offsets[i]);
    }
    return e;
}

static struct log_adopt_row *row_of(struct taking_back *t, uint32_t uid) {
    for (size_t i = 0; i < t->rows->count; i++)
        if (t->rows->data[i].uid == uid) return &t->rows->data[i];
    return NULL;
}

static enum weir_error cut_to(struct taking_back *t, struct log_partition *p, uint64_t end) {
    struct log_adopt_row *row = row_of(t, p->uid);
    if (!row || end >= high_of(p)) return WEIR_OK;
    enum weir_error e = log_cut_back(t->log, p, end);
    row->end = end;
    if (row->start > end) row->start = end;
    return e;
}

static enum weir_error cut_outputs(struct taking_back *t, const struct taken *k, const struct snapshot_head *head) {
    enum weir_error e = WEIR_OK;
    for (uint32_t row = 0; !e && k->service->topics[row].name; row++) {
        struct log_topic *topic = log_topic_find(t->log, k->service->topics[row].name);
        if (k->service->topics[row].role != WEIR_TOPIC_OUTPUT || !topic || k->partition >= topic->partition_count)
            continue;
        e = cut_to(t, topic->partitions[k->partition], head->outputs_next[row]);
    }
    return e;
}

static enum weir_error take_partition_back(struct taking_back *t, const struct taken *k) {
    struct snapshot_head head = {0}; /* without a snapshot all outputs are derived again */
    bool found = false;
    const struct log_partition *p = k->input->partition;
    if (k->input->end == high_of(p) && k->input->limit == UINT64_MAX) return WEIR_OK; /* as the cut has it */
    enum weir_error e = choose_snapshot(t, k, &head, &found);
    if (!e && !found && start_of(p) > 0)
        e = weir_error_context(WEIR_E_OUT_OF_RANGE,
            "service %s, partition %u: no snapshot is as old as that, and its input is there from offset %llu on only; "
            "take an older backup or a later moment",
            k->service->name, k->partition, (unsigned long long)start_of(p));
    return e ? e : cut_outputs(t, k, &head);
}

static const struct weir_topic *input_of(const struct weir_service *service) {
    const struct weir_topic *topic = service->topics;
    while (topic && topic->name && topic->role != WEIR_TOPIC_INPUT)
        topic++;
    return topic && topic->name ? topic : NULL;
}

static enum weir_error take_service_back(struct taking_back *t, const struct weir_service *service) {
    const struct weir_topic *input = input_of(service);
    struct log_topic *topic = input ? log_topic_find(t->log, input->name) : NULL;
    enum weir_error e = WEIR_OK;
    for (uint32_t i = 0; !e && topic && i < topic->partition_count; i++) {
        const struct taken k = {service, find_flow(t, topic->partitions[i]->uid), i};
        if (k.input) e = take_partition_back(t, &k);
    }
    return e;
}

/* Every output belongs to a service that can derive it again. */
static enum weir_error check_owners(const struct taking_back *t) {
    for (uint32_t i = 0; i < log_topic_count(t->log); i++) {
        const struct log_topic *topic = log_topic_at(t->log, i);
        bool owned = !topic || !topic->config.derived;
        for (const struct weir_service *const *s = t->services; *s && !owned; s++)
            for (const struct weir_topic *row = (*s)->topics; row && row->name && !owned; row++)
                owned = strcmp(row->name, topic->name) == 0;
        if (!owned)
            return weir_error_context(WEIR_E_UNSUPPORTED,
                "topic %s is a service's that this binary does not have; go back with the binary that ran it",
                topic->name);
    }
    return WEIR_OK;
}

/* ---- the whole ---- */

static enum weir_error take_back(struct taking_back *t, uint64_t *ret_dropped) {
    enum weir_error e = check_owners(t);
    if (!e) e = list_flows(t);
    if (!e) e = cut_by_time(t);
    if (!e) e = follow_emits(t);
    for (const struct weir_service *const *s = t->services; !e && *s; s++)
        e = take_service_back(t, *s);
    uint64_t dropped = 0;
    for (size_t i = 0; !e && i < t->flows.count; i++) {
        const struct flow *f = &t->flows.data[i];
        dropped += high_of(f->partition) - f->end;
        e = cut_to(t, f->partition, f->end);
    }
    if (!e) *ret_dropped = dropped;
    return e;
}

enum weir_error backup_until(struct sys *sys, const char *folder, const struct until *until,
    const struct weir_service *const *services, struct adopt_rows *rows, uint64_t *ret_dropped) {
    struct taking_back t = {.sys = sys, .folder = folder, .until = until, .services = services, .rows = rows};
    struct log_options options;
    log_options_default(&options);
    options.folder = folder;
    options.read_only = true;
    enum weir_error e = settings_new(services, &t.settings);
    if (!e) e = sys_memory_map(READ_BYTES, &t.memory);
    if (!e) e = log_open(sys, &options, &t.log);
    if (!e) e = take_back(&t, ret_dropped);
    log_close(t.log);
    flows_done(&t.flows);
    sys_memory_unmap(t.memory, READ_BYTES);
    settings_free(t.settings);
    return e;
}
