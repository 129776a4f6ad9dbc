/* wire/compression.h: compressed RecordBatches: what Kafka's clients send, and what weir makes of it.
 *
 * Purpose     the four codecs of Kafka's format behind one function each way; a batch from plain to compressed and
 * back; the check of a batch that a client sent. Threads     a struct weir_compression belongs to one thread at a time;
 * otherwise pure over the arguments. Allocation  weir_compression_open() makes the libraries' contexts (about 400 KB);
 * lz4 grows its own with a frame's block size (to 8 MB at most), nothing else allocates after it. Limits      the room
 * given for what comes out: no input, however small, writes or unfolds more. Errors      INVALID     not what the codec
 * makes, cut short, or bytes behind its end TOO_LARGE   more comes out than there is room for FULL        compress: the
 * result does not fit, or saves nothing NO_MEMORY   a library can't have its memory Source      RFC 1952 (gzip), RFC
 * 8878 (zstd), lz4_Frame_format.md (1.6.3), snappy's format_description.txt, and the framing of xerial's snappy-java,
 * which the Java client and librdkafka put around it. Kafka reads of an lz4 frame only independent blocks, so that is
 * what is written.
 */
#ifndef WEIR_WIRE_COMPRESSION_H
#define WEIR_WIRE_COMPRESSION_H

#include "wire/record_batch.h"

/* The libraries' contexts; the fields are the module's own. Stays where it was opened. */
struct weir_compression {
    void *lz4, *zstd_in, *zstd_out; /* lz4 NULL: made when it is needed */
    uint64_t gzip[16];              /* a z_stream */
    bool has_gzip;
};

WEIR_MUST enum weir_error weir_compression_open(struct weir_compression *compression);
void weir_compression_close(struct weir_compression *compression); /* one that is zeroed, too */

/* All of `in`, to `out`. kind NONE copies. *ret_size untouched on failure; what stands in `out` then means nothing. */
WEIR_MUST enum weir_error weir_decompress(struct weir_compression *compression, enum weir_batch_compression kind,
    struct weir_slice in, void *out, size_t out_max, size_t *ret_size);

/* LZ4 and ZSTD (levels 1: what a log writes once and reads seldom is worth); others are UNSUPPORTED. FULL when it does
 * not fit out_max: there is always room in weir_compress_bound(). */
WEIR_MUST enum weir_error weir_compress(struct weir_compression *compression, enum weir_batch_compression kind,
    struct weir_slice in, void *out, size_t out_max, size_t *ret_size);
size_t weir_compress_bound(size_t size);

/* The same batch with its records compressed. `batch` is one whole, plain batch that parse() accepted. FULL: it would
 * not be smaller. out_max: WEIR_BATCH_HEADER_SIZE + weir_compress_bound(). */
WEIR_MUST enum weir_error weir_batch_compress(struct weir_compression *compression, enum weir_batch_compression kind,
    struct weir_slice batch, uint8_t *out, size_t out_max, struct weir_slice *ret_batch);

/* The same batch with its records plain, its CRC anew; the first in `bytes` (more may follow), which parse() accepts. A
 * plain one is copied. */
WEIR_MUST enum weir_error weir_batch_decompress(struct weir_compression *compression, struct weir_slice bytes,
    uint8_t *out, size_t out_max, struct weir_slice *ret_batch);

/* Takes away what stands before record `offset` and what goes beyond `size_max`, in place: of a plain batch whose
 * readers can't have all of it at once. At least one record stays. The CRC is made anew. INVALID: its records are
 * malformed. */
WEIR_MUST enum weir_error weir_batch_trim(
    uint8_t *batch, uint64_t offset, size_t size_max, struct weir_slice *ret_batch);

/* What a client sent as one batch: whole, its CRC right, plain or compressed, its records strictly as the format says
 * (weir_record_batch_validate_records), none larger than limits->record_bytes_max. *ret_plain is in `out`, or `batch`
 * itself when it is plain. Transactional and control batches are UNSUPPORTED. */
WEIR_MUST enum weir_error weir_batch_validate(struct weir_compression *compression, struct weir_slice batch,
    const struct weir_record_batch_limits *limits, uint8_t *out, size_t out_max, struct weir_slice *ret_plain);

#endif
