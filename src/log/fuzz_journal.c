/* Fuzzes recovery: journal files, checkpoint, catalogue and segments of a small log are damaged as the input says;
 * opening must succeed or refuse, never crash, and what it then serves must be whole. Then verify, repair, and opening
 * again. Input: steps of { u8 file, u16 offset, u8 length and flags (64: make the checksums right, 128: cut), bytes }.
 * Covers: journal_format.c journal_scan.c recover.c repair.c verify.c dump.c. */
#include "base/crc32c.h"
#include "log/fuzz_world.h"

#include <weir/slice.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Checksums made right again over damaged bytes, so that what stands behind them is reached too. */
static void mend_frames(uint8_t *bytes, size_t size) {
    uint32_t previous = 0;
    for (size_t at = 0; at + FRAME_HEADER_SIZE <= size; at += JOURNAL_BLOCK) {
        struct frame_header h;
        uint16_t version = 0;
        if (!log_frame_peek(weir_slice(bytes + at, size - at), &h, &version)) continue;
        if (h.payload_bytes > size - at - FRAME_HEADER_SIZE) continue;
        if (previous != 0) store_le32(bytes + at + 32, previous);
        previous = crc32c(bytes + at, 60);
        previous = crc32c_update(previous, bytes + at + FRAME_HEADER_SIZE, h.payload_bytes);
        store_le32(bytes + at + 60, previous);
    }
}
static void mend_batches(uint8_t *bytes, size_t size) {
    size_t batch = 0;
    for (size_t at = 0; at + WEIR_BATCH_HEADER_SIZE <= size; at += batch) {
        if (weir_record_batch_peek_size(weir_slice(bytes + at, size - at), &batch) || batch > size - at) return;
        store_be32(bytes + at + WEIR_BATCH_AT_CRC, weir_record_batch_crc(weir_slice(bytes + at, batch)));
    }
}
static void mend(struct sys *sys, size_t which, int file) {
    const char *path = fuzz_files[which].path;
    uint64_t size = 0;
    size_t got = 0;
    fuzz_must(sys->file_size(sys, file, &size));
    uint8_t *bytes = malloc(size + 1);
    fuzz_must(sys->file_read(sys, file, 0, bytes, size, &got));
    if (strstr(path, "journal/"))
        mend_frames(bytes, got);
    else if (strstr(path, ".log"))
        mend_batches(bytes, got);
    else if (got > 4)
        store_le32(bytes + got - 4, crc32c(bytes, got - 4));
    struct sys_iovec part = {bytes, got};
    if (got > 0) fuzz_must(sys->file_write(sys, file, 0, &part, 1));
    free(bytes);
}

/* Overwrites, cuts or lengthens a file. */
static void damage(struct sys *sys, size_t which, uint64_t offset, struct weir_slice bytes, uint8_t flags) {
    int file = -1;
    uint64_t size = 0;
    if (sys->file_open(sys, fuzz_files[which].path, SYS_OPEN_READ | SYS_OPEN_WRITE, &file)) return;
    fuzz_must(sys->file_size(sys, file, &size));
    struct sys_iovec part = {(void *)(uintptr_t)bytes.data, bytes.size};
    if (bytes.size > 0) fuzz_must(sys->file_write(sys, file, offset % (size + 1), &part, 1));
    if (flags & 128) fuzz_must(sys->file_truncate(sys, file, offset % (size + 1)));
    if (flags & 64) mend(sys, which, file);
    sys->file_close(sys, file);
}

static void ignore_line(void *ctx, const char *line) {
    *(size_t *)ctx += strlen(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct log_options o;
    struct log *log = NULL;
    size_t length = 0;
    if (fuzz_file_count == 0) fuzz_make();
    struct sys *sys = fuzz_restore();
    struct byte_reader r = byte_reader(weir_slice(data, size));
    for (int steps = 0; steps < 8 && byte_reader_left(&r) >= 4; steps++) {
        size_t which = byte_get_u8(&r) % fuzz_file_count;
        uint64_t offset = (uint64_t)byte_get_le16(&r);
        uint8_t flags = byte_get_u8(&r);
        size_t take = flags & 31;
        if (take > byte_reader_left(&r)) take = byte_reader_left(&r);
        damage(sys, which, offset, byte_get_slice(&r, take), flags);
    }
    fuzz_options(&o);
    if (log_open(sys, &o, &log) == WEIR_OK) {
        fuzz_read_all(log);
        log_close(log);
    }
    log = NULL;
    enum weir_error ignored = WEIR_OK;
    if (size % 4 == 1) ignored = log_verify(sys, "data", NULL, NULL);
    if (size % 4 == 2) ignored = log_dump(sys, "data", true, ignore_line, &length);
    if (size % 4 == 3) ignored = log_repair(sys, "data", NULL, NULL);
    if (size % 4 == 3 && ignored == WEIR_OK && log_open(sys, &o, &log) == WEIR_OK) {
        fuzz_read_all(log);
        log_close(log);
    }
    sys_sim_free(sys);
    return 0;
}
