/* Offline: where a service's partitions stand in a data folder, and which snapshots they have. One JSON object, of the
 * shape that a node answers /v1/services/NAME with. */
#include "base/json.h"
#include "host/node.h"
#include "host/snapshot.h"

#define TEXT_BYTES_MAX (16u << 20)

struct inspect {
    struct sys *sys;
    const char *folder;
    const struct weir_service *service;
    const struct weir_setting_value *initial;
    const struct log_topic *input;
    struct json_writer w;
};

static void put_snapshot(struct inspect *in, uint32_t partition, uint64_t offset) {
    char path[SNAPSHOT_PATH_MAX];
    struct weir_slice bytes = {0};
    struct snapshot_head head = {0};
    struct byte_reader rest;
    struct fold_options options = {.service = in->service,
        .values = in->initial,
        .initial = in->initial,
        .uid = in->input->partitions[partition]->uid,
        .partition = partition,
        .partition_count = in->input->partition_count};
    snapshot_path(path, sizeof path, in->folder, in->service->name, partition, offset);
    enum weir_error e = sys_read_all(in->sys, path, SNAPSHOT_BYTES_MAX, &bytes);
    if (e == WEIR_OK) e = snapshot_check(bytes, &options, &head, &rest);
    json_write_object_open(&in->w);
    json_put_u64(&in->w, "partition", partition);
    json_put_u64(&in->w, "offset", offset);
    json_put_u64(&in->w, "bytes", bytes.size);
    if (e == WEIR_OK) {
        uint64_t now_ns = in->sys->wall_ns(in->sys);
        json_put_u64(&in->w, "version", head.version);
        json_put_u64(&in->w, "ageSeconds", now_ns > head.time_ns ? (now_ns - head.time_ns) / SYS_NANOS_PER_S : 0);
    }
    json_put_text(&in->w, "state", e == WEIR_OK ? "whole" : weir_error_text());
    json_write_object_close(&in->w);
    sys_bytes_free(bytes);
}

static enum weir_error put_snapshots(struct inspect *in) {
    enum weir_error e = WEIR_OK;
    json_write_key(&in->w, "snapshots");
    json_write_array_open(&in->w);
    for (uint32_t p = 0; e == WEIR_OK && p < in->input->partition_count; p++) {
        struct snapshot_offsets list = {0};
        e = snapshot_list(in->sys, in->folder, in->service->name, p, &list);
        for (uint32_t i = 0; e == WEIR_OK && i < list.count; i++)
            put_snapshot(in, p, list.offsets[i]);
    }
    json_write_array_close(&in->w);
    return e;
}

static void put_partitions(struct inspect *in) {
    json_write_key(&in->w, "partitions");
    json_write_array_open(&in->w);
    for (uint32_t p = 0; p < in->input->partition_count; p++) {
        const struct log_partition *partition = in->input->partitions[p];
        struct snapshot_offsets list = {0};
        uint64_t high = atomic_load(&partition->high);
        bool listed = snapshot_list(in->sys, in->folder, in->service->name, p, &list) == WEIR_OK && list.count > 0;
        uint64_t snapshot = listed ? list.offsets[0] : 0;
        json_write_object_open(&in->w);
        json_put_text(&in->w, "topic", in->input->name);
        json_put_u64(&in->w, "partition", p);
        json_put_u64(&in->w, "start", atomic_load(&partition->start));
        json_put_u64(&in->w, "high", high);
        json_put_u64(&in->w, "snapshot", snapshot);
        json_put_u64(&in->w, "tail", high > snapshot ? high - snapshot : 0);
        json_write_object_close(&in->w);
    }
    json_write_array_close(&in->w);
}

static enum weir_error put_all(struct inspect *in, struct log *log) {
    const struct weir_topic *row = in->service->topics;
    while (row && row->name && row->role != WEIR_TOPIC_INPUT)
        row++;
    in->input = row && row->name ? log_topic_find(log, row->name) : NULL;
    if (!in->input)
        return weir_error_context(WEIR_E_NOT_FOUND, "%s has no input of service %s", in->folder, in->service->name);
    json_write_object_open(&in->w);
    json_put_text(&in->w, "name", in->service->name);
    json_put_text(&in->w, "summary", in->service->summary);
    json_put_u64(&in->w, "version", in->service->version);
    json_put_u64(&in->w, "versionReplays", in->service->version_replays);
    json_put_text(&in->w, "data", in->folder);
    put_partitions(in);
    enum weir_error e = put_snapshots(in);
    if (e == WEIR_OK) json_write_object_close(&in->w);
    return e;
}

enum weir_error host_inspect(struct sys *sys, const char *folder, const struct weir_service *service,
    enum weir_error (*put)(void *ctx, const void *data, size_t size), void *ctx) {
    struct arena arena;
    arena_init(&arena, NULL, 64u << 10, TEXT_BYTES_MAX + (1u << 20));
    struct text_builder text = text_builder_arena(&arena, TEXT_BYTES_MAX);
    struct inspect in = {.sys = sys, .folder = folder, .service = service, .w = json_writer(&text, 0)};
    const struct weir_service *const services[] = {service, NULL};
    struct settings *settings = NULL;
    struct log *log = NULL;
    struct log_options options;
    log_options_default(&options);
    options.folder = folder;
    options.lanes = 1;
    options.read_only = true;
    enum weir_error e = settings_new(services, &settings);
    if (e == WEIR_OK) in.initial = settings_of(settings, service->name);
    if (e == WEIR_OK) e = log_open(sys, &options, &log);
    if (e == WEIR_OK) e = put_all(&in, log);
    if (e == WEIR_OK && text.truncated)
        e = weir_error_context(WEIR_E_NO_MEMORY, "more partitions than fit into a text");
    if (e == WEIR_OK) e = put(ctx, text.data, text.size);
    if (log) log_close(log);
    settings_free(settings);
    arena_done(&arena);
    return e;
}
