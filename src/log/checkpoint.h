/* log/checkpoint.h: the root of the log: which journal epoch counts, where its first needed frame is, and how much of
 * every partition is synced in segments. One small file, replaced atomically; everything recovery does starts from it.
 *
 *   <folder>/checkpoint, little-endian:
 *     u32 magic "WCP1"   u16 version 1   u16 flags (1: clean stop)
 *     u64 generation     rises with every replacement
 *     u64 epoch number   u64 epoch salt
 *     u64 start sequence u32 previous CRC   u32 start file (UINT32_MAX: the first block of any)   u64 start offset
 *     u32 rows, then per partition that has any data:
 *       u32 uid  u64 start  u64 end  u64 segment base  u64 segment size
 *       producers: u32 count { u64 id, u16 epoch, u8 batches, 5 x { u32 first, u32 last sequence, u64 base offset } }
 *     u32 CRC32C of everything before
 *
 * Procedure to change: raise CHECKPOINT_VERSION and FORMAT; a version not known is refused.
 */
#ifndef WEIR_LOG_CHECKPOINT_H
#define WEIR_LOG_CHECKPOINT_H
#include "log/journal_format.h"
#include "log/partition.h"

#define CHECKPOINT_MAGIC     0x31504357u
#define CHECKPOINT_VERSION   1u
#define CHECKPOINT_BYTES_MAX ((size_t)256 << 20)
#define CHECKPOINT_ANY_FILE  UINT32_MAX

struct checkpoint {
    uint64_t generation;
    bool clean;
    struct journal_epoch epoch;
    uint64_t start_sequence;
    uint32_t start_previous_crc;
    uint32_t start_file;
    uint64_t start_offset;
};
struct checkpoint_row {
    uint32_t uid;
    struct partition_row row;
    struct producer_table producers; /* the decoder gives it away to the callback, which empties or moves it */
};
/* Called per row; an error ends the reading. */
typedef enum weir_error (*checkpoint_row_fn)(void *ctx, struct checkpoint_row *row);

/* CORRUPT, VERSION, or what fn says. */
WEIR_MUST enum weir_error log_checkpoint_decode(
    struct weir_slice bytes, struct checkpoint *ret_checkpoint, checkpoint_row_fn fn, void *ctx);
/* <folder>/checkpoint; NOT_FOUND. fn may be NULL. */
WEIR_MUST enum weir_error log_checkpoint_read(
    struct sys *sys, const char *folder, struct checkpoint *ret_checkpoint, checkpoint_row_fn fn, void *ctx);

/* Encodes from the partitions' rows and stored producers (taken under each partition's lock) and replaces the file
 * durably. */
WEIR_MUST enum weir_error log_checkpoint_write(struct log *log, const struct checkpoint *checkpoint);

#endif
