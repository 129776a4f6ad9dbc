/* Any bytes as the log's catalogue or checkpoint, in a folder whose other files are whole: opening succeeds or refuses;
 * what was opened can be read, closed and opened again with the same topics. Input: u8 which file, then its bytes
 * without the checksum, which is made right. Or what producers sent, against the table that remembers them. Covers:
 * catalogue.c checkpoint.c producer.c. */
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

/* Batches of few producers, each step {u8 producer, u8 epoch, u8 sequence, u8 records}: a batch that was taken is a
 * duplicate with its offset when it comes again, and the table decodes to what it was. */
static void produce(struct weir_slice steps) {
    struct producer_table table = {0}, copy = {0}, decoded = {0};
    uint64_t base = 0, found = 0;
    for (size_t at = 0; at + 4 <= steps.size; at += 4, base += 1000) {
        const uint8_t *s = steps.data + at;
        struct weir_record_batch batch = {.producer_id = s[0] == 255 ? -1 : s[0] * 300 / 256 + (s[3] & 128) * 3,
            .producer_epoch = s[1] & 3,
            .base_sequence = s[2] == 255 ? INT32_MAX - 1 : s[2] & 15,
            .last_offset_delta = s[3] & 7,
            .base_offset = (int64_t)base};
        enum weir_error e = log_producer_check(&table, &batch, &found);
        WEIR_ASSERT(!e || e == WEIR_E_DUPLICATE || e == WEIR_E_OUT_OF_SEQUENCE || e == WEIR_E_FENCED);
        if (e) continue;
        fuzz_must(log_producer_note(&table, &batch));
        if (batch.producer_id < 0) continue;
        WEIR_ASSERT(log_producer_check(&table, &batch, &found) == WEIR_E_DUPLICATE && found == base);
    }
    fuzz_must(log_producer_table_copy(&copy, &table));
    size_t size = log_producer_table_encoded_size(&table);
    uint8_t *first = malloc(2 * size);
    WEIR_ASSERT(first);
    struct byte_writer w = byte_writer(first, size), w2 = byte_writer(first + size, size);
    log_producer_table_encode(&copy, &w);
    struct byte_reader r = byte_reader(byte_writer_slice(&w));
    fuzz_must(log_producer_table_decode(&decoded, &r));
    log_producer_table_encode(&decoded, &w2);
    WEIR_ASSERT(byte_reader_finished(&r) && w.at == size && w2.at == size && memcmp(first, first + size, size) == 0);
    free(first);
    log_producer_table_done(&table);
    log_producer_table_done(&copy);
    log_producer_table_done(&decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct log_options o;
    struct log *log = NULL;
    if (size == 0 || size > 4096) return 0;
    if (data[0] & 2) {
        produce(weir_slice(data + 1, size - 1));
        return 0;
    }
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
