/* log/fuzz_world.h: what the log's fuzzers share: a small log made once on a simulated disk, copied and damaged per
 * input. */
#ifndef WEIR_LOG_FUZZ_WORLD_H
#define WEIR_LOG_FUZZ_WORLD_H
#include "base/bytes.h"
#include "log/reader.h"
#include "log/state.h"
#include "sys/sim.h"

#include <stdio.h>
#include <stdlib.h>

#define FUZZ_FILES_MAX 64
#define FUZZ_READ      (64u << 10)

static struct {
    char path[128];
    struct weir_slice bytes;
} fuzz_files[FUZZ_FILES_MAX];
static size_t fuzz_file_count;
static uint8_t fuzz_read_buffer[FUZZ_READ];

static void fuzz_must(enum weir_error e) {
    if (!e) return;
    fprintf(stderr, "fuzz: %s: %s\n", weir_error_name(e), weir_error_text());
    abort();
}

static void fuzz_options(struct log_options *o) {
    log_options_default(o);
    o->folder = "data";
    o->partitions_max = 16;
    o->commit_bytes_max = 16u << 10;
    o->output_bytes_max = 16u << 10;
    o->batch_bytes_max = 8u << 10;
    o->journal_file_bytes = 32u << 10;
    o->journal_bytes_max = 128u << 10;
    o->checkpoint_bytes = 32u << 10;
    o->segment_bytes = 4u << 10;
    o->commits_per_lane = 2;
    o->disk_reserve_bytes = 0;
}

static struct sys *fuzz_sim(void) {
    struct sys_sim_plan plan = {.seed = 1};
    struct sys *sys = NULL;
    fuzz_must(sys_sim_new(&plan, &sys));
    return sys;
}

struct fuzz_walk {
    struct sys *sys;
    const char *folder;
};
static bool fuzz_take_file(void *ctx, const char *name, bool is_folder) {
    struct fuzz_walk *w = ctx;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", w->folder, name);
    if (is_folder) {
        struct fuzz_walk inner = {w->sys, path};
        fuzz_must(w->sys->dir_list(w->sys, path, fuzz_take_file, &inner));
        return true;
    }
    if (strcmp(name, "LOCK") == 0) return true;
    WEIR_ASSERT(fuzz_file_count < FUZZ_FILES_MAX);
    snprintf(fuzz_files[fuzz_file_count].path, sizeof path, "%s", path);
    fuzz_must(sys_read_all(w->sys, path, 1 << 24, &fuzz_files[fuzz_file_count].bytes));
    fuzz_file_count++;
    return true;
}

/* A log with checkpointed segments, a journal tail, and a producer; its files are kept as the images to damage. */
static void fuzz_make(void) {
    struct sys *sys = fuzz_sim();
    struct log *log = NULL;
    struct log_writer *w = NULL;
    struct log_topic *in = NULL;
    struct log_options o;
    struct log_topic_config config = {0};
    int poller = -1;
    fuzz_options(&o);
    fuzz_must(log_open(sys, &o, &log));
    fuzz_must(log_topic_create(log, "in", 2, &config, &in));
    fuzz_must(sys->poller_open(sys, &poller));
    fuzz_must(log_writer_open(log, 0, poller, &w));
    fuzz_must(log_start(log));
    for (int i = 0; i < 24; i++) {
        struct log_commit *c = NULL;
        fuzz_must(log_commit_begin(w, &c));
        for (uint32_t k = 0; k < 10; k++) {
            static const uint8_t value[100] = "value";
            struct log_record r = {.time_ms = 1000 + (uint64_t)i, .value = weir_slice(value, 20 + k * 8)};
            uint64_t offset = 0;
            fuzz_must(log_commit_append(c, in->partitions[k % 2], &r, &offset));
        }
        log_commit_submit(c);
        sys_sim_run(sys, 100000);
        while ((c = log_writer_durable(w)))
            log_commit_release(c);
        sys_sim_run(sys, 100000);
        if (i == 14) log_checkpoint_soon(log);
    }
    struct fuzz_walk walk = {sys, "data"};
    fuzz_must(sys->dir_list(sys, "data", fuzz_take_file, &walk));
    log_close(log);
    sys_sim_free(sys);
}

/* The images on a new simulated disk. */
static struct sys *fuzz_restore(void) {
    struct sys *sys = fuzz_sim();
    static const char *const folders[] = {"data", "data/journal", "data/topics", "data/topics/in", "data/topics/in/0",
        "data/topics/in/1", "data/topics/lazy", "data/topics/lazy/0"};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(folders); i++)
        fuzz_must(sys->dir_make(sys, folders[i]));
    for (size_t i = 0; i < fuzz_file_count; i++) {
        int file = -1;
        struct sys_iovec part = {(void *)(uintptr_t)fuzz_files[i].bytes.data, fuzz_files[i].bytes.size};
        fuzz_must(sys->file_open(sys, fuzz_files[i].path, SYS_OPEN_WRITE | SYS_OPEN_CREATE, &file));
        fuzz_must(sys->file_write(sys, file, 0, &part, 1));
        sys->file_close(sys, file);
    }
    return sys;
}

/* Everything that may be read of an open log is either right or refused. */
static void fuzz_read_all(struct log *log) {
    struct log_topic *t = log_topic_find(log, "in");
    for (uint32_t k = 0; t && k < t->partition_count; k++) {
        struct log_partition *p = t->partitions[k];
        uint64_t at = atomic_load(&p->start), found = 0;
        while (at < atomic_load(&p->high)) {
            size_t size = 0, done = 0;
            if (log_read(log, p, at, true, fuzz_read_buffer, FUZZ_READ, &size)) break;
            WEIR_ASSERT(size > 0 && size <= FUZZ_READ);
            while (done < size) {
                struct weir_record_batch b;
                fuzz_must(weir_record_batch_check(weir_slice(fuzz_read_buffer + done, size - done), NULL, &b));
                at = (uint64_t)b.base_offset + (uint64_t)b.last_offset_delta + 1;
                done += b.size;
            }
        }
        enum weir_error ignored = log_offset_at(log, p, 1005, &found);
        (void)ignored;
    }
}

#endif
