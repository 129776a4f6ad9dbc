/* Snapshot files of a partition: their names, which of them counts, and how a partition begins from it. */
#include "base/assert.h"
#include "base/text.h"
#include "host/node.h"
#include "host/snapshot.h"

#define ONE_BATCH_MAX (4u << 20)

void snapshot_folder(char *buf, size_t size, const char *folder, const char *service, uint32_t partition) {
    struct text_builder t = text_builder(buf, size);
    text_printf(&t, "%s/snapshots/%s/%u", folder, service, partition);
}

void snapshot_path(
    char *buf, size_t size, const char *folder, const char *service, uint32_t partition, uint64_t offset) {
    struct text_builder t = text_builder(buf, size);
    text_printf(&t, "%s/snapshots/%s/%u/%020llu.snap", folder, service, partition, (unsigned long long)offset);
}

static bool add_name(void *ctx, const char *name, bool is_folder) {
    struct snapshot_offsets *list = ctx;
    uint64_t offset = 0;
    if (is_folder || strlen(name) != 25 || strcmp(name + 20, ".snap") != 0) return true;
    for (int i = 0; i < 20; i++) {
        if (name[i] < '0' || name[i] > '9') return true;
        offset = offset * 10 + (uint64_t)(name[i] - '0');
    }
    if (list->count == WEIR_ARRAY_COUNT(list->offsets)) { /* names come in order: keep the newest */
        memmove(&list->offsets[0], &list->offsets[1], sizeof list->offsets - sizeof list->offsets[0]);
        list->count--;
    }
    list->offsets[list->count++] = offset;
    return true;
}

enum weir_error snapshot_list(
    struct sys *sys, const char *folder, const char *service, uint32_t partition, struct snapshot_offsets *ret_list) {
    char path[SNAPSHOT_PATH_MAX];
    snapshot_folder(path, sizeof path, folder, service, partition);
    struct snapshot_offsets ascending = {0};
    bool exists = false;
    enum weir_error e = sys->path_exists(sys, path, &exists);
    if (e == WEIR_OK && exists) e = sys->dir_list(sys, path, add_name, &ascending);
    if (e != WEIR_OK) return e;
    ret_list->count = ascending.count;
    for (uint32_t i = 0; i < ascending.count; i++)
        ret_list->offsets[i] = ascending.offsets[ascending.count - 1 - i];
    return WEIR_OK;
}

enum weir_error snapshot_write(
    struct sys *sys, const char *folder, const struct fold *fold, struct weir_sink *sink, uint64_t *ret_hold) {
    char path[SNAPSHOT_PATH_MAX];
    const char *service = fold->service->name;
    uint32_t partition = fold->options.partition;
    snapshot_folder(path, sizeof path, folder, service, partition);
    enum weir_error e = sys_make_folders(sys, path);
    if (e != WEIR_OK) return e;
    snapshot_path(path, sizeof path, folder, service, partition, fold->applied);
    e = sys_replace_file(sys, path, weir_slice(sink->data, sink->size));
    struct snapshot_offsets list;
    if (e == WEIR_OK) e = snapshot_list(sys, folder, service, partition, &list);
    if (e != WEIR_OK) return e;
    *ret_hold = list.count >= SNAPSHOTS_KEPT ? list.offsets[SNAPSHOTS_KEPT - 1] : 0;
    for (uint32_t i = SNAPSHOTS_KEPT; e == WEIR_OK && i < list.count; i++) {
        snapshot_path(path, sizeof path, folder, service, partition, list.offsets[i]);
        e = sys->path_unlink(sys, path);
    }
    return e;
}

/* ---- single records ------------------------------------------------------------------------------------------------
 */
struct found {
    void *memory; /* the record lies in it */
    struct batch_record record;
    struct envelope envelope;
    bool is_there;
};

static void found_done(struct found *found) {
    sys_memory_unmap(found->memory, ONE_BATCH_MAX);
}

static enum weir_error find_record(
    struct log *log, struct log_partition *partition, uint64_t offset, struct found *ret_found) {
    *ret_found = (struct found){0};
    enum weir_error e = sys_memory_map(ONE_BATCH_MAX, &ret_found->memory);
    if (e != WEIR_OK) return e;
    size_t size = 0;
    struct batch_reader reader;
    struct batch_header header;
    e = log_read(log, partition, offset, true, ret_found->memory, ONE_BATCH_MAX, &size);
    if (e == WEIR_OK && size > 0) e = batch_open(&reader, weir_slice(ret_found->memory, size), &header);
    while (e == WEIR_OK && size > 0 && !ret_found->is_there && batch_next(&reader, &ret_found->record))
        ret_found->is_there = ret_found->record.offset == offset; /* the batch may begin before */
    if (ret_found->is_there)
        ret_found->is_there = envelope_load(&ret_found->record.record, &ret_found->envelope) == WEIR_OK;
    if (e != WEIR_OK) found_done(ret_found);
    return e;
}

/* What the record at that offset puts in force; untouched when it is no SETTINGS record. */
static enum weir_error settings_at(struct log *log, struct log_partition *partition, uint64_t offset,
    const struct fold_options *options, struct in_force *ret_in_force) {
    struct found found;
    enum weir_error e = find_record(log, partition, offset, &found);
    if (e != WEIR_OK) return e;
    if (found.is_there && found.envelope.kind == WEIR_RECORD_SETTINGS)
        e = in_force_load(ret_in_force, options->service, options->initial, found.record.record.value);
    found_done(&found);
    return e;
}

enum weir_error host_last_time(struct log *log, struct log_partition *partition, uint64_t *ret_time_ns) {
    *ret_time_ns = 0;
    if (partition->next == atomic_load(&partition->start)) return WEIR_OK;
    struct found found;
    enum weir_error e = find_record(log, partition, partition->next - 1, &found);
    if (e != WEIR_OK) return e;
    if (found.is_there) *ret_time_ns = found.envelope.time_ns;
    found_done(&found);
    return WEIR_OK;
}

/* ---- without a snapshot --------------------------------------------------------------------------------------------
 */

enum weir_error snapshot_open_empty(
    struct fold *fold, const struct fold_options *options, struct log *log, struct log_partition *partition) {
    uint64_t start = atomic_load(&partition->start);
    if (start > 0)
        return weir_error_context(WEIR_E_OUT_OF_RANGE,
            "service %s, partition %u: no snapshot can be used, and its input begins at offset %llu: what came before "
            "is gone",
            options->service->name, options->partition, (unsigned long long)start);
    struct in_force in_force = {0};
    enum weir_error e = WEIR_OK;
    if (atomic_load(&partition->high) > 0) e = settings_at(log, partition, 0, options, &in_force);
    if (e == WEIR_OK && in_force.version) e = fold_check_version(options->service, in_force.version);
    in_force.epoch = 0;
    if (e == WEIR_OK) e = fold_open(fold, options, &in_force);
    /* The record itself puts it in force. */
    if (e == WEIR_OK) fold->in_force.version = 0;
    return e;
}

/* ---- which one counts ----------------------------------------------------------------------------------------------
 */
/* An older version's state is load()'s matter, if nothing that it wrote has to be replayed: there is no tail, or the
 * tail begins where a later version came into force (which died before it made a snapshot of its own). */
enum weir_error snapshot_check_versions(struct log *log, struct log_partition *partition,
    const struct fold_options *options, const struct snapshot_head *head, uint64_t end) {
    uint32_t wrote_tail = head->version;
    if (head->applied < end) {
        struct in_force first = {.version = head->version};
        enum weir_error e = settings_at(log, partition, head->applied, options, &first);
        if (e != WEIR_OK) return e;
        wrote_tail = first.version;
    }
    bool loads = head->version <= options->service->version;
    if (loads && head->applied == end) return WEIR_OK;
    return fold_check_version(options->service, loads ? wrote_tail : head->version);
}

static enum weir_error counts(
    const struct host_partition *p, const struct fold_options *options, const struct snapshot_head *head) {
    uint64_t next = p->log->next, start = atomic_load(&p->log->start);
    if (head->applied > next)
        return weir_error_context(WEIR_E_MISMATCH, "it is of offset %llu, and the input ends at %llu",
            (unsigned long long)head->applied, (unsigned long long)next);
    if (head->applied < start) return weir_error_context(WEIR_E_OUT_OF_RANGE, "the input behind it is gone");
    for (uint32_t row = 0; row < head->output_rows && p->owner->service->topics[row].name; row++) {
        const struct log_partition *output = p->sink.outputs[row];
        if (output && head->outputs_next[row] > output->next)
            return weir_error_context(WEIR_E_MISMATCH, "topic %s ends at %llu, before the %llu it tells",
                output->topic->name, (unsigned long long)output->next, (unsigned long long)head->outputs_next[row]);
    }
    return snapshot_check_versions(p->host->log, p->log, options, head, next);
}

static enum weir_error try_one(struct host_partition *p, const struct fold_options *options, uint64_t offset) {
    char path[SNAPSHOT_PATH_MAX];
    snapshot_path(path, sizeof path, p->host->folder, p->owner->service->name, p->index, offset);
    struct weir_slice bytes;
    enum weir_error e = sys_read_all(p->host->sys, path, SNAPSHOT_BYTES_MAX, &bytes);
    if (e != WEIR_OK) return e;
    struct snapshot_head head;
    struct byte_reader rest;
    e = snapshot_check(bytes, options, &head, &rest);
    if (e == WEIR_OK) e = counts(p, options, &head);
    if (e == WEIR_OK) e = snapshot_load(&p->fold, options, bytes);
    atomic_store(&p->facts.snapshot_bytes, bytes.size);
    sys_bytes_free(bytes);
    return e == WEIR_OK ? e : weir_error_wrap(e, "snapshot %s", path);
}

/* Kept for whoever wants to know why, and no longer among those that count. */
static void set_aside(const struct host_partition *p, uint64_t offset) {
    char path[SNAPSHOT_PATH_MAX], aside[SNAPSHOT_PATH_MAX + 4];
    snapshot_path(path, sizeof path, p->host->folder, p->owner->service->name, p->index, offset);
    struct text_builder t = TEXT_BUILDER(aside);
    text_printf(&t, "%s.bad", path);
    if (p->host->sys->path_rename(p->host->sys, path, aside) != WEIR_OK) host_report(p->host, "%s", weir_error_text());
}

void host_fold_options(const struct host_partition *p, struct fold_options *ret_options) {
    *ret_options = (struct fold_options){
        .service = p->owner->service,
        .values = p->owner->values,
        .initial = p->owner->initial,
        .uid = p->log->uid,
        .partition = p->index,
        .partition_count = p->owner->partition_count,
        .idempotency = p->host->idempotency,
    };
    ret_options->skip_count = atomic_load_explicit(&p->skip_count, memory_order_acquire);
    memcpy(ret_options->skips, p->skips, ret_options->skip_count * sizeof p->skips[0]);
}

enum weir_error host_snapshot_restore(struct host_partition *p) {
    struct fold_options options;
    host_fold_options(p, &options);
    struct snapshot_offsets list;
    enum weir_error e = snapshot_list(p->host->sys, p->host->folder, options.service->name, p->index, &list);
    bool loaded = false;
    uint64_t hold = 0;
    for (uint32_t i = 0; e == WEIR_OK && i < list.count && !loaded; i++) {
        enum weir_error tried = try_one(p, &options, list.offsets[i]);
        loaded = tried == WEIR_OK;
        if (tried == WEIR_E_VERSION || tried == WEIR_E_NO_MEMORY || tried == WEIR_E_IO) return tried;
        if (loaded) {
            hold = i + 1 < list.count ? list.offsets[i + 1] : 0;
            continue;
        }
        host_report(p->host, "%s; it is passed over", weir_error_text());
        set_aside(p, list.offsets[i]);
    }
    if (e == WEIR_OK && !loaded) e = snapshot_open_empty(&p->fold, &options, p->host->log, p->log);
    if (e != WEIR_OK) return e;
    atomic_store(&p->log->hold, hold);
    if (!loaded) atomic_store(&p->facts.snapshot_bytes, 0);
    atomic_store(&p->facts.snapshot_time_ns, loaded ? p->fold.time_ns : 0);
    atomic_store(&p->facts.snapshot, loaded ? p->fold.applied : 0);
    return WEIR_OK;
}
