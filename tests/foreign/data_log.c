/* A log with topics of every kind that is kept on the disk. */
#include "base/bytes.h"
#include "base/hash.h"
#include "data_folder.h"
#include "log/log.h"
#include "wire/compression.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PARTITIONS 3
#define READ_BYTES (4u << 20)
#define APPENDS    16 /* of a commit and partition */

static const struct {
    const char *name;
    struct log_topic_config config;
} topics[] = {
    {"plain", {0}},
    {"lz4", {.compression = LOG_COMPRESSION_LZ4}},
    {"zstd", {.compression = LOG_COMPRESSION_ZSTD, .retention_bytes = 1u << 30}},
    {"lazy", {.durability = LOG_LAZY}},
};
#define TOPICS (sizeof topics / sizeof topics[0])

struct open_log {
    struct log *log;
    struct log_writer *writer;
    struct log_topic *topics[TOPICS];
    int poller;
};

static struct open_log log_of(struct sys *sys, const char *folder) {
    static char path[512];
    struct open_log o = {.poller = -1};
    struct log_options options;
    snprintf(path, sizeof path, "%s/log", folder);
    data_must(sys_make_folders(sys, path), "folder");
    log_options_default(&options);
    options.folder = path;
    options.segment_bytes = 64u << 10;
    options.commit_bytes_max = 256u << 10;
    options.output_bytes_max = 256u << 10;
    options.batch_bytes_max = 32u << 10;
    options.journal_file_bytes = 512u << 10;
    options.journal_bytes_max = 4u << 20;
    options.disk_reserve_bytes = 0;
    data_must(log_open(sys, &options, &o.log), "open");
    for (size_t i = 0; i < TOPICS; i++) {
        enum weir_error e = log_topic_create(o.log, topics[i].name, PARTITIONS, &topics[i].config, &o.topics[i]);
        data_must(e == WEIR_E_EXISTS ? WEIR_OK : e, topics[i].name);
    }
    data_must(sys->poller_open(sys, &o.poller), "poller");
    data_must(log_writer_open(o.log, 0, o.poller, &o.writer), "writer");
    data_must(log_start(o.log), "start");
    return o;
}

static void close_log(struct sys *sys, struct open_log *o) {
    log_stop(o->log);
    log_close(o->log);
    sys->poller_close(sys, o->poller);
}

/* Record n: its bytes follow from n, and repeat enough to be worth compressing. */
static void append(struct log_commit *commit, struct log_partition *p, uint64_t n) {
    uint8_t value[400], key[8];
    uint64_t offset = 0;
    store_be64(key, hash_u64(n, 1));
    for (size_t i = 0; i < sizeof value; i += 8)
        store_le64(value + i, i % 64 ? n : hash_u64(n, i));
    struct log_record r = {.time_ms = 1700000000000u + n,
        .key = n % 3 ? weir_slice(key, sizeof key) : (struct weir_slice){0},
        .value = weir_slice(value, 1 + hash_u64(n, 2) % sizeof value)};
    if (n % 5 == 0) r.header_key = weir_slice_text("n"), r.header_value = weir_slice(key, 3);
    data_must(log_commit_append(commit, p, &r, &offset), "append");
}

void data_log_write(struct sys *sys, const char *folder, uint64_t records, bool crashes) {
    struct open_log o = log_of(sys, folder);
    uint64_t submitted = 0, durable = 0, n = 0;
    while (n < records || durable < submitted) {
        struct log_commit *c = NULL;
        if (n < records && log_commit_begin(o.writer, &c) == WEIR_OK) {
            for (size_t t = 0; t < TOPICS; t++)
                for (uint64_t i = 0; i < APPENDS; i++)
                    append(c, o.topics[t]->partitions[(n + i) % PARTITIONS], n + i);
            n += APPENDS;
            log_commit_submit(c);
            submitted++;
        } else {
            struct sys_poll_event event;
            (void)sys->poller_wait(sys, o.poller, &event, 1, SYS_NANOS_PER_MS);
        }
        while ((c = log_writer_durable(o.writer))) {
            log_commit_release(c);
            durable++;
        }
    }
    if (crashes) _exit(0);
    close_log(sys, &o);
}

static void read_batch(struct weir_compression *codec, struct weir_slice batch, uint8_t *plain, struct digest *d) {
    struct weir_slice bytes;
    struct weir_record_batch b;
    struct weir_record_reader reader;
    struct weir_record r;
    data_must(weir_batch_decompress(codec, batch, plain, LOG_PLAIN_BYTES_MAX, &bytes), "decompress");
    data_must(weir_record_batch_check(bytes, NULL, &b), "batch");
    data_must(weir_record_reader_init(&reader, bytes, &b), "records");
    while (weir_record_reader_next(&reader, &r)) {
        digest_u64(d, (uint64_t)r.offset);
        digest_u64(d, (uint64_t)r.timestamp_ms);
        digest_bytes(d, r.key.data, r.key.size);
        digest_bytes(d, r.value.data, r.value.size);
        digest_bytes(d, r.headers.data, r.headers.size);
    }
    data_must(reader.error, "record");
}

static void read_partition(
    struct log *log, const char *topic, struct log_partition *p, struct weir_compression *codec) {
    uint64_t next = atomic_load(&p->start), high = atomic_load(&p->high);
    uint8_t *bytes = malloc(READ_BYTES), *plain = malloc(LOG_PLAIN_BYTES_MAX);
    struct digest stored = {0}, read = {0};
    printf("partition %s/%u offsets %" PRIu64 "..%" PRIu64, topic, p->index, next, high);
    while (next < high) {
        size_t size = 0;
        data_must(log_read(log, p, next, true, bytes, READ_BYTES, &size), "read");
        if (size == 0) { /* behind what a crash took of a lazy topic */
            if (next >= p->resumed) break;
            next = p->resumed;
        }
        for (size_t at = 0; at < size;) {
            struct weir_record_batch b;
            data_must(weir_record_batch_check(weir_slice(bytes + at, size - at), NULL, &b), "batch");
            digest_bytes(&stored, bytes + at, b.size);
            read_batch(codec, weir_slice(bytes + at, b.size), plain, &read);
            next = (uint64_t)weir_record_batch_last_offset(&b) + 1;
            at += b.size;
        }
    }
    printf(" stored %016" PRIx64 " read %016" PRIx64 "\n", stored.state, read.state);
    free(bytes);
    free(plain);
}

void data_log_read(struct sys *sys, const char *folder) {
    struct open_log o = log_of(sys, folder);
    struct weir_compression codec;
    const struct log_recovery *found = log_recovered(o.log);
    printf("recovered %s frames %" PRIu64 " records %" PRIu64 " lazy %" PRIu64 "\n", found->clean ? "clean" : "a crash",
        found->frames, found->records, found->lazy_records);
    data_must(weir_compression_open(&codec), "codecs");
    for (size_t t = 0; t < TOPICS; t++)
        for (uint32_t i = 0; i < PARTITIONS; i++)
            read_partition(o.log, topics[t].name, o.topics[t]->partitions[i], &codec);
    weir_compression_close(&codec);
    close_log(sys, &o);
}
