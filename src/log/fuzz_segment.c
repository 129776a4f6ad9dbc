/* Fuzzes reading: the bytes of a segment are the input; reads, searches by time and dumps must be refused or right.
 * Input: u8 offset wanted, then the segment's bytes.
 * Covers: reader.c. */
#include "log/fuzz_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore_line(void *ctx, const char *line) {
    *(size_t *)ctx += strlen(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char path[] = "data/topics/in/0/00000000000000000000.log";
    struct log_options o;
    struct log *log = NULL;
    size_t length = 0;
    if (size < 2) return 0;
    if (fuzz_file_count == 0) fuzz_make();
    struct sys *sys = fuzz_restore();
    int file = -1;
    fuzz_must(sys->file_open(sys, path, SYS_OPEN_READ | SYS_OPEN_WRITE, &file));
    struct sys_iovec part = {(void *)(uintptr_t)(data + 1), size - 1};
    fuzz_must(sys->file_write(sys, file, 0, &part, 1));
    sys->file_close(sys, file);
    fuzz_options(&o);
    o.read_only = true;
    if (log_open(sys, &o, &log) == WEIR_OK) {
        struct log_topic *t = log_topic_find(log, "in");
        fuzz_read_all(log);
        enum weir_error e = log_read(log, t->partitions[0], data[0], false, fuzz_read_buffer, FUZZ_READ, &length);
        WEIR_ASSERT(e || length <= FUZZ_READ);
        e = log_read(log, t->partitions[0], data[0], true, fuzz_read_buffer, 200, &length);
        WEIR_ASSERT(e || length <= 200);
        e = log_read(log, t->partitions[0], data[0], false, fuzz_read_buffer, WEIR_BATCH_HEADER_SIZE - 1, &length);
        WEIR_ASSERT(e || length == 0); /* no batch is that small */
        uint64_t time_ms = 0, found = 0;
        e = log_batch_time(log, partition_of(t->partitions[0]), data[0], &time_ms);
        if (!e) e = log_offset_at(log, t->partitions[0], time_ms, &found);
        log_close(log);
    }
    enum weir_error ignored = log_dump(sys, path, true, ignore_line, &length);
    (void)ignored;
    sys_sim_free(sys);
    return 0;
}
