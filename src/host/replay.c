/* Offline: the state as of an offset, from a data folder that no node uses. One JSON object:
 *   {"service":NAME,"partition":N,"applied":OFFSET,"time_ns":N,"emission":HEX,"digest":HEX,"state":dump}
 * The state is what the service's dump() writes, or the bytes of its save() in hex. Records that no checkpoint covers
 * yet (after a crash, before the next start) are not seen. */
#include "base/encode.h"
#include "base/text.h"
#include "host/node.h"
#include "host/snapshot.h"

#include <stdio.h>

#define READ_BYTES (2u << 20)

struct replay {
    struct sys *sys;
    const char *folder;
    const struct weir_service *service;
    struct settings *settings;
    struct log *log;
    struct log_partition *partition;
    struct fold_options options;
    struct weir_setting_value
        values[IN_FORCE_ROWS_MAX]; /* the initial ones, capacities as large as the log wants them */
    struct fold fold;
    struct weir_out out;
    const struct host_watch *watch; /* NULL: nobody */
    uint8_t *memory;                /* reading, then scratch */
    size_t memory_size;
};

static enum weir_error find_partition(struct replay *r, uint32_t partition) {
    const struct weir_topic *input = r->service->topics;
    while (input && input->name && input->role != WEIR_TOPIC_INPUT)
        input++;
    struct log_topic *topic = input && input->name ? log_topic_find(r->log, input->name) : NULL;
    if (!topic)
        return weir_error_context(WEIR_E_NOT_FOUND, "%s has no input of service %s", r->folder, r->service->name);
    if (partition >= topic->partition_count)
        return weir_error_context(
            WEIR_E_NOT_FOUND, "service %s has %u partitions", r->service->name, topic->partition_count);
    r->partition = topic->partitions[partition];
    const struct weir_setting_value *initial = settings_of(r->settings, r->service->name);
    memcpy(r->values, initial, in_force_rows(r->service) * sizeof *initial);
    r->options = (struct fold_options){.service = r->service,
        .values = r->values,
        .initial = initial,
        .uid = r->partition->uid,
        .partition = partition,
        .partition_count = topic->partition_count,
        .idempotency = {.keys_max = (uint32_t)settings_node(r->settings)[NODE_IDEMPOTENCY_KEYS].number,
            .age_ns_max = settings_node(r->settings)[NODE_IDEMPOTENCY_AGE].number,
            .secret = {1, 2}}};
    return poison_orders(r->log, r->partition, r->options.skips, FOLD_SKIPS_MAX, &r->options.skip_count);
}

static enum weir_error load(struct replay *r, struct weir_slice bytes, uint64_t until) {
    struct snapshot_head head;
    struct byte_reader rest;
    enum weir_error e = snapshot_check(bytes, &r->options, &head, &rest);
    if (e == WEIR_OK) e = snapshot_check_versions(r->log, r->partition, &r->options, &head, until);
    return e == WEIR_OK ? snapshot_load(&r->fold, &r->options, bytes) : e;
}

static enum weir_error begin(struct replay *r, uint64_t until) {
    struct snapshot_offsets list;
    enum weir_error e = snapshot_list(r->sys, r->folder, r->service->name, r->options.partition, &list);
    for (uint32_t i = 0; e == WEIR_OK && i < list.count; i++) {
        char path[SNAPSHOT_PATH_MAX];
        struct weir_slice bytes;
        if (list.offsets[i] > until || list.offsets[i] > r->partition->next) continue;
        snapshot_path(path, sizeof path, r->folder, r->service->name, r->options.partition, list.offsets[i]);
        if (sys_read_all(r->sys, path, SNAPSHOT_BYTES_MAX, &bytes) != WEIR_OK) continue;
        enum weir_error loaded = load(r, bytes, until < r->partition->next ? until : r->partition->next);
        sys_bytes_free(bytes);
        if (loaded == WEIR_OK || loaded == WEIR_E_VERSION) return loaded;
    }
    return e == WEIR_OK ? snapshot_open_empty(&r->fold, &r->options, r->log, r->partition) : e;
}

/* Nobody tells an offline replay what capacities the node has: it learns of larger ones from the record that puts them
 * in force, and begins again with room for them. False: that is not what the record does. */
static bool raise(struct replay *r, const struct batch_record *record) {
    struct in_force in_force;
    bool raised = false;
    if (in_force_load(&in_force, r->service, r->options.initial, record->record.value) != WEIR_OK) return false;
    for (uint32_t i = 0; i < in_force_rows(r->service); i++) {
        const struct weir_setting *row = &r->service->settings[i];
        if (!row->folded || row->kind == WEIR_SETTING_TEXT || in_force.values[i].number <= r->values[i].number)
            continue;
        r->values[i].number = in_force.values[i].number;
        raised = true;
    }
    return raised;
}

/* AGAIN: from the beginning, with more room. */
static enum weir_error apply_record(struct replay *r, const struct batch_record *record) {
    struct fold_applied applied;
    enum weir_error e = fold_apply(&r->fold, record, &r->out, &applied);
    return e == WEIR_E_CONFIG && raise(r, record) ? WEIR_E_AGAIN : e;
}

static enum weir_error apply(struct replay *r, uint64_t until) {
    enum weir_error e = WEIR_OK;
    r->out.fold = &r->fold;
    while (e == WEIR_OK && r->fold.applied < until) {
        size_t size = 0;
        uint64_t from = r->fold.applied;
        if (from >= atomic_load(&r->partition->high)) break;
        e = log_read(r->log, r->partition, from, true, r->memory, READ_BYTES, &size);
        for (size_t at = 0; e == WEIR_OK && at < size && r->fold.applied < until;) {
            struct batch_reader reader;
            struct batch_header header;
            struct batch_record record;
            e = batch_open(&reader, weir_slice(r->memory + at, size - at), &header);
            while (e == WEIR_OK && r->fold.applied < until && batch_next(&reader, &record))
                if (record.offset >= r->fold.applied) e = apply_record(r, &record);
            at += header.size;
        }
        if (e == WEIR_OK && r->fold.applied == from) break;
        uint64_t high = atomic_load(&r->partition->high);
        if (r->watch) r->watch->at(r->watch->ctx, r->fold.applied, until < high ? until : high);
    }
    return e;
}

static enum weir_error put_hex(struct replay *r, struct weir_sink *out) {
    struct weir_sink state = {0};
    char text[2048];
    enum weir_error e = fold_save(&r->fold, &state);
    if (e == WEIR_OK) e = weir_sink_put(out, "\"", 1);
    for (size_t at = 0; e == WEIR_OK && at < state.size; at += sizeof text / 2) {
        size_t size = state.size - at < sizeof text / 2 ? state.size - at : sizeof text / 2;
        hex_encode(weir_slice(state.data + at, size), text);
        e = weir_sink_put(out, text, size * 2);
    }
    sink_done(&state);
    return e == WEIR_OK ? weir_sink_put(out, "\"", 1) : e;
}

static enum weir_error print(struct replay *r, struct weir_sink *out) {
    char head[512];
    int size = snprintf(head, sizeof head,
        "{\"service\":\"%s\",\"partition\":%u,\"applied\":%llu,\"time_ns\":%llu,\"emission\":\"%016llx\",\"digest\":\"%"
        "016llx\",\"state\":",
        r->service->name, r->options.partition, (unsigned long long)r->fold.applied,
        (unsigned long long)r->fold.time_ns, (unsigned long long)r->fold.emission.state,
        (unsigned long long)fold_digest(&r->fold));
    enum weir_error e = weir_sink_put(out, head, (size_t)size);
    if (e == WEIR_OK) e = r->service->dump ? r->service->dump(r->fold.state, out) : put_hex(r, out);
    return e == WEIR_OK ? weir_sink_put(out, "}\n", 2) : e;
}

static enum weir_error open_replay(struct replay *r, uint32_t partition) {
    const struct weir_service *const services[] = {r->service, NULL};
    enum weir_error e = settings_new(services, &r->settings);
    struct log_options options;
    log_options_default(&options);
    options.folder = r->folder;
    options.lanes = 1;
    options.read_only = true;
    if (e == WEIR_OK) e = log_open(r->sys, &options, &r->log);
    if (e == WEIR_OK) e = find_partition(r, partition);
    size_t scratch = out_scratch_size(r->service);
    void *memory;
    if (e == WEIR_OK) e = sys_memory_map(READ_BYTES + scratch, &memory);
    if (e != WEIR_OK) return e;
    r->memory = memory;
    r->memory_size = READ_BYTES + scratch;
    r->out = (struct weir_out){.scratch = r->memory + READ_BYTES, .scratch_size = scratch, .replaying = true};
    return WEIR_OK;
}

static void close_replay(struct replay *r) {
    fold_done(&r->fold);
    if (r->memory) sys_memory_unmap(r->memory, r->memory_size);
    if (r->log) log_close(r->log);
    if (r->settings) settings_free(r->settings);
}

static enum weir_error run(struct replay *r, uint32_t partition, uint64_t until, struct weir_sink *out) {
    enum weir_error e = open_replay(r, partition);
    if (e != WEIR_OK) return e;
    do {
        fold_done(&r->fold);
        e = begin(r, until);
        if (e == WEIR_OK) e = apply(r, until);
    } while (e == WEIR_E_AGAIN);
    return e == WEIR_OK ? print(r, out) : e;
}

enum weir_error host_replay(struct sys *sys, const char *folder, const struct weir_service *service, uint32_t partition,
    uint64_t until, enum weir_error (*put)(void *ctx, const void *data, size_t size), void *ctx) {
    return host_replay_watched(sys, folder, service, partition, until, put, ctx, NULL);
}

enum weir_error host_replay_watched(struct sys *sys, const char *folder, const struct weir_service *service,
    uint32_t partition, uint64_t until, enum weir_error (*put)(void *ctx, const void *data, size_t size), void *ctx,
    const struct host_watch *watch) {
    struct replay r = {.sys = sys, .folder = folder, .service = service, .watch = watch};
    struct weir_sink out = {.put = put, .ctx = ctx};
    enum weir_error e = run(&r, partition, until, &out);
    close_replay(&r);
    return e;
}

/* ---- check ---------------------------------------------------------------------------------------------------------
 */

/* The newest snapshot that the log reaches. NOT_FOUND: none. */
static enum weir_error newest_head(struct replay *r, struct snapshot_head *ret_head) {
    struct snapshot_offsets list;
    enum weir_error e = snapshot_list(r->sys, r->folder, r->service->name, r->options.partition, &list);
    for (uint32_t i = 0; e == WEIR_OK && i < list.count; i++) {
        char path[SNAPSHOT_PATH_MAX];
        struct weir_slice bytes;
        struct byte_reader rest;
        if (list.offsets[i] > r->partition->next) continue;
        snapshot_path(path, sizeof path, r->folder, r->service->name, r->options.partition, list.offsets[i]);
        e = sys_read_all(r->sys, path, SNAPSHOT_BYTES_MAX, &bytes);
        if (e != WEIR_OK) return e;
        e = snapshot_check(bytes, &r->options, ret_head, &rest);
        sys_bytes_free(bytes);
        return e == WEIR_OK ? e : weir_error_wrap(e, "snapshot %s", path);
    }
    return e == WEIR_OK ? WEIR_E_NOT_FOUND : e;
}

static enum weir_error compare(const struct replay *r, const struct snapshot_head *head) {
    const struct fold *f = &r->fold;
    bool outputs = memcmp(f->outputs_next, head->outputs_next, sizeof head->outputs_next) == 0;
    bool emission = f->emission.state == head->emission, digest = fold_digest(f) == head->digest;
    if (head->version != f->in_force.version || (outputs && emission && digest)) return WEIR_OK;
    return weir_error_context(WEIR_E_MISMATCH,
        "service %s, partition %u: replayed up to offset %llu it is not what its snapshot says (%s%s%s differ)",
        r->service->name, r->options.partition, (unsigned long long)head->applied, outputs ? "" : "number of outputs, ",
        emission ? "" : "outputs, ", digest ? "" : "state");
}

/* Up to the snapshot without it, then on to the end. */
static enum weir_error check(struct replay *r, struct host_check *ret_check) {
    struct snapshot_head head = {0};
    enum weir_error e = newest_head(r, &head);
    bool known = e == WEIR_OK && head.applied > 0;
    if (e != WEIR_OK && e != WEIR_E_NOT_FOUND) return e;
    e = begin(r, known ? head.applied - 1 : UINT64_MAX);
    if (e == WEIR_E_OUT_OF_RANGE &&
        known) { /* it is the only one, and the input before it is gone: nothing to compare */
        known = false;
        e = begin(r, UINT64_MAX);
    }
    uint64_t from = r->fold.applied;
    if (e == WEIR_OK && known) e = apply(r, head.applied);
    if (e == WEIR_OK && known) e = compare(r, &head);
    if (e == WEIR_OK) e = apply(r, UINT64_MAX);
    if (e != WEIR_OK) return e;
    if (r->fold.applied != r->partition->next)
        return weir_error_context(WEIR_E_MISMATCH,
            "service %s, partition %u: replay ends at offset %llu, the log at %llu", r->service->name,
            r->options.partition, (unsigned long long)r->fold.applied, (unsigned long long)r->partition->next);
    *ret_check = (struct host_check){r->partition->next, r->fold.applied - from, fold_digest(&r->fold), known};
    return WEIR_OK;
}

enum weir_error host_replay_check(struct sys *sys, const char *folder, const struct weir_service *service,
    uint32_t partition, struct host_check *ret_check) {
    struct replay r = {.sys = sys, .folder = folder, .service = service};
    enum weir_error e = open_replay(&r, partition);
    if (e == WEIR_OK) do {
            fold_done(&r.fold);
            e = check(&r, ret_check);
        } while (e == WEIR_E_AGAIN);
    close_replay(&r);
    return e;
}
