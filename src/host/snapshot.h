/* host/snapshot.h: a fold at an offset as a file, and how a partition begins from the newest one that counts.
 *
 * File <folder>/snapshots/<service>/<partition>/<next offset to apply, 20 digits>.snap, little-endian:
 *   0  8 magic "WEIRSNAP"   8  4 format   12  4 CRC32C of everything else   16  8 size of everything
 *   24 body: u32 uid, partition, partition count, fold version | u64 applied, time_ns, emission hash, digest
 *      | u16 size, service name | u32 rows, per topic row u64 next output offset | u32 size, settings in force
 * (in_force.h) | u32 count, timers {u64 at_ns, u64 id} | u32 count, sources {u32 uid, u32 epoch, u64 offset, u32 index}
 *      | u32 count, idempotency entries {u64 time_ns, offset, body hash[2] | u16 status, u16 replied, u32 value size,
 * u16 key size | key, value} | format 2: effects (effects_save.c)
 *      | u64 size, the service's state as its save() wrote it
 * Format 1 has no effects, and is written for services that declare none. Procedure to change: a new format
 * number, the first 24 bytes as they are; readers keep the old one; the two are compared by a test. Written with
 * sys_replace_file: whole or not at all. The newest two are kept; the log may forget input below the older one.
 */
#ifndef WEIR_HOST_SNAPSHOT_H
#define WEIR_HOST_SNAPSHOT_H
#include "host/fold.h"
#include "host/partition.h"
#include "host/stream.h"

#define SNAPSHOT_FORMAT            2u
#define SNAPSHOT_FORMAT_NO_EFFECTS 1u
#define SNAPSHOT_PATH_MAX          1024u
#define SNAPSHOTS_KEPT             2u
#define SNAPSHOT_BYTES_MAX         (UINT64_C(1) << 36)

struct snapshot_head {
    uint32_t uid, partition, partition_count, version;
    uint64_t applied, time_ns, emission, digest;
    uint64_t outputs_next[FOLD_TOPICS_MAX];
    uint32_t output_rows;
    struct in_force in_force;
};
struct snapshot_offsets { /* offsets, newest first */
    uint64_t offsets[64];
    uint32_t count;
};

WEIR_MUST enum weir_error snapshot_store(const struct fold *fold, struct weir_sink *sink);
/* What a snapshot file's checksum must be. */
uint32_t snapshot_checksum(struct weir_slice bytes);
/* Checks magic, format, size, CRC and the head. CORRUPT, VERSION (a newer format). */
WEIR_MUST enum weir_error snapshot_check(struct weir_slice bytes, const struct fold_options *options,
    struct snapshot_head *ret_head, struct byte_reader *ret_rest);
/* VERSION: this binary does not load that version's state, or does not replay what was written from there to `end`. */
WEIR_MUST enum weir_error snapshot_check_versions(struct log *log, struct log_partition *partition,
    const struct fold_options *options, const struct snapshot_head *head, uint64_t end);
/* Opens `fold` as the snapshot says and loads it. */
WEIR_MUST enum weir_error snapshot_load(struct fold *fold, const struct fold_options *options, struct weir_slice bytes);

void snapshot_folder(char *buf, size_t size, const char *folder, const char *service, uint32_t partition);
void snapshot_path(
    char *buf, size_t size, const char *folder, const char *service, uint32_t partition, uint64_t offset);
WEIR_MUST enum weir_error snapshot_list(
    struct sys *sys, const char *folder, const char *service, uint32_t partition, struct snapshot_offsets *ret_list);
/* Writes the file, removes all but the newest SNAPSHOTS_KEPT. ret_hold: the oldest offset kept. */
WEIR_MUST enum weir_error snapshot_write(
    struct sys *sys, const char *folder, const struct fold *fold, struct weir_sink *sink, uint64_t *ret_hold);
/* A fold at the first record: settings in force from there. OUT_OF_RANGE: the log's beginning is gone. */
WEIR_MUST enum weir_error snapshot_open_empty(
    struct fold *fold, const struct fold_options *options, struct log *log, struct log_partition *partition);

/* The time of the partition's last record, 0 without one: no record to come may be older. */
WEIR_MUST enum weir_error host_last_time(struct log *log, struct log_partition *partition, uint64_t *ret_time_ns);
void host_fold_options(const struct host_partition *partition, struct fold_options *ret_options);
/* host_open: the partition's fold from the newest snapshot that counts, or from the first record. */
WEIR_MUST enum weir_error host_snapshot_restore(struct host_partition *partition);
#endif
