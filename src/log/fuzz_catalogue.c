/* Any bytes as the log's catalogue or checkpoint, in a folder whose other files are whole: opening succeeds or refuses;
 * what was opened can be read, closed and opened again with the same topics. Input: u8 which file, then its bytes
 * without the checksum, which is made right. Covers: catalogue.c checkpoint.c producer.c. */
#include "base/crc32c.h"
#include "log/catalogue.h"
#include "log/checkpoint.h"
#include "log/fuzz_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_file(struct sys *sys, const char *path, struct weir_slice bytes) {
    int file = -1;
    struct sys_iovec part = {(void *)(uintptr_t)bytes.data, bytes.size};
    fuzz_must(sys->file_open(sys, path, SYS_OPEN_WRITE | SYS_OPEN_CREATE | SYS_OPEN_TRUNCATE, &file));
    fuzz_must(sys->file_write(sys, file, 0, &part, 1));
    sys->file_close(sys, file);
}

static uint64_t topics_hash(struct log *log) {
    uint64_t hash = 1;
    for (uint32_t i = 0; i < log_topic_count(log); i++) {
        const struct log_topic *t = log_topic_at(log, i);
        for (const char *c = t ? t->name : "-"; *c; c++)
            hash = hash * 31 + (uint8_t)*c;
        hash = hash * 31 + (t ? t->partition_count : 0);
    }
    return hash;
}

/* The decoders alone, which stop where the log stops: at the first thing they refuse. */
static void decode(struct weir_slice bytes) {
    struct catalogue_header header;
    struct checkpoint checkpoint;
    enum weir_error e = log_catalogue_decode(bytes, &header, NULL, NULL);
    WEIR_ASSERT(!e || e == WEIR_E_CORRUPT || e == WEIR_E_VERSION);
    e = log_checkpoint_decode(bytes, &checkpoint, NULL, NULL);
    WEIR_ASSERT(!e || e == WEIR_E_CORRUPT || e == WEIR_E_VERSION);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct log_options o;
    struct log *log = NULL;
    if (size == 0 || size > 4096) return 0;
    if (fuzz_file_count == 0) fuzz_make();
    struct sys *sys = fuzz_restore();
    uint8_t bytes[4096 + 4];
    memcpy(bytes, data + 1, size - 1);
    store_le32(bytes + size - 1, crc32c(bytes, size - 1));
    struct weir_slice file = weir_slice(bytes, size + 3);
    decode(file);
    bool is_catalogue = data[0] & 1;
    put_file(sys, is_catalogue ? "data/catalogue" : "data/checkpoint", file);
    fuzz_options(&o);
    if (log_open(sys, &o, &log) == WEIR_OK) {
        fuzz_read_all(log);
        uint64_t hash = topics_hash(log);
        log_close(log);
        log = NULL;
        enum weir_error e = log_open(sys, &o, &log);
        /* A checkpoint that was forged whole may name an epoch that the journal's files then contradict. */
        WEIR_ASSERT(!e || (e == WEIR_E_CORRUPT && !is_catalogue));
        WEIR_ASSERT(e || topics_hash(log) == hash);
        if (!e) log_close(log);
    }
    sys_sim_free(sys);
    return 0;
}
