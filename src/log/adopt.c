/* A log made of a copy's catalogue and segments. See cut.h. */
#include "log/catalogue.h"
#include "log/cut.h"
#include "log/folder.h"
#include "log/tool.h"

#include <stdio.h>
#include <stdlib.h>

#define ADOPT_PARTITIONS_MAX (1u << 20)

struct adopting {
    struct sys *sys;
    struct log *log;
    struct partition *partition; /* being read */
    enum weir_error error;       /* of its producers */
};

static void note_batch(void *ctx, struct weir_slice bytes, const struct weir_record_batch *batch, uint64_t byte) {
    struct adopting *a = ctx;
    (void)byte;
    if (a->error || !producer_in(bytes.data)) return;
    a->error = log_producer_note(&a->partition->producers_stored, batch);
}

/* Every batch of one segment; the partition goes on behind it. */
static enum weir_error adopt_segment(struct adopting *a, uint64_t base, struct partition_row *row) {
    struct log_path path;
    struct tool_run run = {0};
    uint64_t size = 0;
    int file = -1;
    log_partition_segment_path(a->partition, base, &path);
    enum weir_error e = a->sys->file_open(a->sys, path.text, SYS_OPEN_READ, &file);
    if (e) return e;
    e = a->sys->file_size(a->sys, file, &size);
    if (!e) e = log_tool_walk(a->sys, file, 0, size, base, note_batch, a, &run);
    a->sys->file_close(a->sys, file);
    if (!e) e = a->error;
    if (e) return e;
    if (run.wrong || base != row->end)
        return weir_error_context(WEIR_E_CORRUPT, "%s: byte %llu: %s", path.text, (unsigned long long)run.byte,
            run.wrong ? run.wrong : "it does not go on where the segment before it ends");
    *row = (struct partition_row){row->start, run.next, base, size};
    return WEIR_OK;
}

static enum weir_error adopt_partition(struct adopting *a, const struct log_adopt_row *want) {
    struct partition *p = log_catalogue_partition(a->log, want->uid);
    uint64_t *bases = NULL;
    uint32_t count = 0;
    if (!p) return weir_error_context(WEIR_E_CORRUPT, "the catalogue does not know partition %u", want->uid);
    a->partition = p;
    enum weir_error e = log_partition_list(p, &bases, &count);
    struct partition_row row = {.start = want->start, .end = count > 0 ? want->start : want->end};
    for (uint32_t i = 0; !e && i < count; i++)
        e = adopt_segment(a, bases[i], &row);
    free(bases);
    if (e) return e;
    if (count == 0) row.start = row.end; /* offsets that were given may not be given again */
    if (row.end != want->end)
        return weir_error_context(WEIR_E_CORRUPT, "%s-%u ends at offset %llu, and should at %llu",
            p->partition.topic->name, p->partition.index, (unsigned long long)row.end, (unsigned long long)want->end);
    p->row = row;
    return log_partition_load(p);
}

static enum weir_error finish(struct adopting *a) {
    struct log *log = a->log;
    struct log_path path;
    char text[32];
    struct checkpoint c = {.generation = 1, .start_sequence = 1, .start_file = CHECKPOINT_ANY_FILE};
    c.epoch.number = 1;
    a->sys->random(a->sys, &c.epoch.salt, sizeof c.epoch.salt);
    c.start_previous_crc = (uint32_t)c.epoch.salt;
    log_path(log, &path, "journal");
    enum weir_error e = sys_make_folders(a->sys, path.text);
    log_path(log, &path, "topics");
    if (!e) e = sys_make_folders(a->sys, path.text);
    if (!e) e = log_checkpoint_write(log, &c);
    int size = snprintf(text, sizeof text, "weir log %u\n", FOLDER_FORMAT_VERSION);
    log_path(log, &path, "FORMAT");
    return e ? e : sys_replace_file(a->sys, path.text, weir_slice(text, (size_t)size));
}

enum weir_error log_adopt(struct sys *sys, const char *folder, const struct log_adopt_row *rows, uint32_t row_count) {
    struct adopting a = {.sys = sys};
    struct log_options o;
    log_options_default(&o);
    o.folder = folder;
    o.partitions_max = ADOPT_PARTITIONS_MAX;
    o.read_only = true;
    enum weir_error e = log_make(sys, &o, &a.log);
    if (e) return e;
    e = log_catalogue_load(a.log);
    for (uint32_t i = 0; !e && i < row_count; i++)
        e = adopt_partition(&a, &rows[i]);
    if (!e) e = finish(&a);
    log_close(a.log);
    return e;
}
