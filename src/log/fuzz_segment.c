/* Fuzzes reading: the bytes of a segment are the input; reads, searches by time and dumps must be refused or right.
 * Input: u8 offset wanted, its highest bit for a lazy topic with a gap between two segments; then bytes that are
 * written over the first segment's. Covers: reader.c. */
#include "log/fuzz_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct log *open_with_writer(struct sys *sys, struct log_writer **ret_writer) {
    struct log_options o;
    struct log *log = NULL;
    int poller = -1;
    fuzz_options(&o);
    fuzz_must(log_open(sys, &o, &log));
    fuzz_must(sys->poller_open(sys, &poller));
    fuzz_must(log_writer_open(log, 0, poller, ret_writer));
    fuzz_must(log_start(log));
    return log;
}

static void append_one(struct sys *sys, struct log_writer *w, struct log_partition *p, uint64_t time_ms) {
    struct log_commit *c = NULL;
    struct log_record r = {.time_ms = time_ms, .value = weir_slice("lazy", 4)};
    uint64_t offset = 0;
    fuzz_must(log_commit_begin(w, &c));
    fuzz_must(log_commit_append(c, p, &r, &offset));
    log_commit_submit(c);
    sys_sim_run(sys, 100000);
    while ((c = log_writer_durable(w)))
        log_commit_release(c);
    sys_sim_run(sys, 100000);
}

/* Two lives of a lazy topic, the first of which was killed: the second goes on in a segment far ahead. */
static void make_lazy(void) {
    struct log_topic_config config = {.durability = LOG_LAZY};
    struct log_topic *t = NULL;
    struct log_writer *w = NULL;
    fuzz_make();
    struct sys *sys = fuzz_restore();
    struct log *log = open_with_writer(sys, &w);
    fuzz_must(log_topic_create(log, "lazy", 1, &config, &t));
    for (uint64_t i = 0; i < 12; i++)
        append_one(sys, w, t->partitions[0], 1000 + i);
    sys_sim_crash(sys, true);
    log_close(log);
    log = open_with_writer(sys, &w);
    t = log_topic_find(log, "lazy");
    for (uint64_t i = 0; i < 3; i++)
        append_one(sys, w, t->partitions[0], 2000 + i);
    struct fuzz_walk walk = {sys, "data"};
    while (fuzz_file_count > 0)
        sys_bytes_free(fuzz_files[--fuzz_file_count].bytes);
    fuzz_must(sys->dir_list(sys, "data", fuzz_take_file, &walk));
    log_close(log);
    sys_sim_free(sys);
}

static void read_somewhere(struct log *log, struct log_partition *p, uint64_t offset) {
    uint64_t time_ms = 0, found = 0;
    struct batch_place place;
    size_t length = 0;
    enum weir_error e = log_read(log, p, offset, false, fuzz_read_buffer, FUZZ_READ, &length);
    WEIR_ASSERT(e || length <= FUZZ_READ);
    e = log_read(log, p, offset, true, fuzz_read_buffer, 200, &length);
    WEIR_ASSERT(e || length <= 200);
    e = log_read(log, p, offset, false, fuzz_read_buffer, WEIR_BATCH_HEADER_SIZE - 1, &length);
    WEIR_ASSERT(e || length == 0); /* no batch is that small */
    e = log_batch_time(log, partition_of(p), offset, &time_ms);
    if (!e) e = log_offset_at(log, p, time_ms, &found);
    WEIR_ASSERT(e || found <= atomic_load(&p->high));
    e = log_offset_at(log, p, 1999, &found);
    WEIR_ASSERT(e || found <= atomic_load(&p->high));
    e = log_batch_place(log, partition_of(p), offset, &place);
    WEIR_ASSERT(e || (place.offset <= offset && offset < place.end));
}

static void ignore_line(void *ctx, const char *line) {
    *(size_t *)ctx += strlen(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bool lazy = size > 0 && data[0] >= 128;
    const char *path =
        lazy ? "data/topics/lazy/0/00000000000000000000.log" : "data/topics/in/0/00000000000000000000.log";
    struct log_options o;
    struct log *log = NULL;
    size_t length = 0;
    if (size < 2) return 0;
    if (fuzz_file_count == 0) make_lazy();
    struct sys *sys = fuzz_restore();
    int file = -1;
    fuzz_must(sys->file_open(sys, path, SYS_OPEN_READ | SYS_OPEN_WRITE, &file));
    struct sys_iovec part = {(void *)(uintptr_t)(data + 1), size - 1};
    fuzz_must(sys->file_write(sys, file, 0, &part, 1));
    sys->file_close(sys, file);
    fuzz_options(&o);
    o.read_only = true;
    if (log_open(sys, &o, &log) == WEIR_OK) {
        struct log_topic *t = log_topic_find(log, lazy ? "lazy" : "in");
        fuzz_read_all(log);
        read_somewhere(log, t->partitions[0], data[0] & 127);
        log_close(log);
    }
    enum weir_error ignored = log_dump(sys, path, true, ignore_line, &length);
    (void)ignored;
    sys_sim_free(sys);
    return 0;
}
