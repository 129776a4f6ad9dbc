/* log/catalogue.h: which topics there are. One small file, replaced atomically.
 *
 *   <folder>/catalogue, little-endian:
 *     u32 magic "WCT1"  u16 version 1 or 2  u16 zero
 *     u32 next uid      u64 next producer id
 *     u32 topics, each: u8 name bytes, name; u8 folder bytes, folder; u8 durability; u8 flags (1 derived, 2 internal,
 *                       4 x compression)
 *                       u64 retention bytes; u64 retention ms; u64 segment bytes; u32 partitions { u32 uid }
 *     u32 CRC32C of everything before
 *
 * A partition's uid is never used again, so that frames and checkpoint rows of deleted topics can't be taken for
 * others'. Before log_start topics are made in memory only and the journal agent makes them durable before the first
 * commit is acknowledged; after that every change is durable when the call returns. Version 2 is written when a topic
 * is there that a binary of version 1 would take for another kind (lazy, memory, compressed), so that it refuses the
 * folder; else
 * version 1 is. Procedure to change: CATALOGUE_VERSION and FORMAT.
 */
#ifndef WEIR_LOG_CATALOGUE_H
#define WEIR_LOG_CATALOGUE_H
#include "log/partition.h"

#define CATALOGUE_MAGIC         0x31544357u
#define CATALOGUE_VERSION_PLAIN 1u
#define CATALOGUE_VERSION       2u
#define CATALOGUE_BYTES_MAX     ((size_t)64 << 20)
#define PRODUCER_ID_BLOCK       1000u

struct catalogue_topic {
    struct weir_slice name, folder;
    struct log_topic_config config;
    uint32_t partition_count;
    struct weir_slice uids; /* u32 little-endian each */
};
struct catalogue_header {
    uint32_t next_uid;
    uint64_t next_producer_id;
};
typedef enum weir_error (*catalogue_topic_fn)(void *ctx, const struct catalogue_topic *topic);
WEIR_MUST enum weir_error log_catalogue_decode(
    struct weir_slice bytes, struct catalogue_header *ret_header, catalogue_topic_fn fn, void *ctx);

/* Reads <folder>/catalogue and makes its topics. CORRUPT, VERSION, NOT_FOUND. */
WEIR_MUST enum weir_error log_catalogue_load(struct log *log);
/* Its bytes as they are now, to be freed. Under the log's control lock, or before start. */
WEIR_MUST enum weir_error log_catalogue_encode(struct log *log, struct weir_slice *ret_bytes);
/* Writes it durably. Under the log's control lock, or before start. */
WEIR_MUST enum weir_error log_catalogue_save(struct log *log);
/* The partition with that uid, among those loaded; NULL. Before start. */
struct partition *log_catalogue_partition(struct log *log, uint32_t uid);
/* Removes folders below topics/ that no topic owns: left behind by a delete that was cut short. */
WEIR_MUST enum weir_error log_catalogue_sweep(struct log *log);
bool log_catalogue_name_valid(const char *name);

#endif
