/* Compressed bytes and batches, of any content.
 *
 * Input: a byte that says which codec; from 0x80 on, a whole batch follows instead. Oracle: nothing is written behind
 * the room that is given (ASan sees it); what fits a room fits a larger one with the same bytes, and not one byte less
 * than it takes; what a valid batch unfolds to is compressed by each codec that writes and comes back the same; every
 * piece that trim() makes of it is a valid batch, and the pieces together hold each record once. Covers:
 * compression.c batch_compression.c. */
#include "base/assert.h"
#include "base/bytes.h"
#include "wire/compression.h"

#include <stdlib.h>
#include <string.h>

#define ROOM 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct weir_compression contexts, *codec;

static void unfold(enum weir_batch_compression kind, struct weir_slice in) {
    uint8_t *out = malloc(ROOM), *exact;
    size_t size = 0, again = 0;
    WEIR_ASSERT(out);
    enum weir_error e = weir_decompress(codec, kind, in, out, ROOM, &size);
    if (!e) {
        exact = malloc(size + 1);
        WEIR_ASSERT(exact && weir_decompress(codec, kind, in, exact, size, &again) == WEIR_OK);
        WEIR_ASSERT(again == size && memcmp(out, exact, size) == 0);
        free(exact);
        exact = malloc(size ? size : 1);
        WEIR_ASSERT(exact);
        if (size > 0) WEIR_ASSERT(weir_decompress(codec, kind, in, exact, size - 1, &again) != WEIR_OK);
        free(exact);
    }
    free(out);
}

static void fold_and_unfold(struct weir_slice plain) {
    const enum weir_batch_compression kinds[] = {WEIR_BATCH_LZ4, WEIR_BATCH_ZSTD, WEIR_BATCH_GZIP};
    size_t bound = WEIR_BATCH_HEADER_SIZE + weir_compress_bound(plain.size);
    uint8_t *packed = malloc(bound), *back = malloc(plain.size);
    WEIR_ASSERT(packed && back);
    for (int i = 0; i < 3; i++) {
        struct weir_slice batch, again;
        enum weir_error e = weir_batch_compress(codec, kinds[i], plain, packed, bound, &batch);
        WEIR_ASSERT(i < 2 ? e == WEIR_OK || e == WEIR_E_FULL : e == WEIR_E_UNSUPPORTED);
        if (e) continue;
        WEIR_ASSERT(weir_batch_validate(codec, batch, NULL, back, plain.size, &again) == WEIR_OK);
        WEIR_ASSERT(weir_slice_equal(again, plain));
    }
    free(packed);
    free(back);
}

static void cut_in_pieces(struct weir_slice plain) {
    struct weir_record_batch header;
    uint8_t *copy = malloc(plain.size);
    WEIR_ASSERT(copy && weir_record_batch_check(plain, NULL, &header) == WEIR_OK);
    uint64_t next = (uint64_t)header.base_offset, end = (uint64_t)weir_record_batch_last_offset(&header) + 1;
    int32_t left = header.record_count;
    while (next < end) {
        struct weir_slice piece;
        struct weir_record_batch part;
        memcpy(copy, plain.data, plain.size);
        WEIR_ASSERT(weir_batch_trim(copy, next, 200, &piece) == WEIR_OK);
        WEIR_ASSERT(weir_record_batch_check(piece, NULL, &part) == WEIR_OK && part.record_count > 0);
        WEIR_ASSERT(piece.size <= 200 || part.record_count == 1);
        left -= part.record_count;
        next = (uint64_t)weir_record_batch_last_offset(&part) + 1;
    }
    WEIR_ASSERT(left == 0);
    free(copy);
}

static void take_batch(const uint8_t *data, size_t size) {
    struct weir_record_batch batch;
    struct weir_slice plain;
    if (weir_record_batch_parse(weir_slice(data, size), NULL, &batch)) {
        uint8_t unused[WEIR_BATCH_HEADER_SIZE];
        WEIR_ASSERT(weir_batch_validate(codec, weir_slice(data, size), NULL, unused, sizeof unused, &plain) != WEIR_OK);
        return;
    }
    uint8_t *copy = malloc(size), *out = malloc(ROOM);
    WEIR_ASSERT(copy && out);
    memcpy(copy, data, size);
    /* A fuzzer cannot guess a CRC: give it the right one. */
    store_be32(copy + WEIR_BATCH_AT_CRC, weir_record_batch_crc(weir_slice(copy, batch.size)));
    enum weir_error e = weir_batch_validate(codec, weir_slice(copy, size), NULL, out, ROOM, &plain);
    struct weir_slice unfolded;
    enum weir_error lenient = weir_batch_decompress(codec, weir_slice(copy, size), out, ROOM, &unfolded);
    if (!lenient) {
        struct weir_slice piece; /* of records that nobody validated: an error, or a batch */
        (void)(weir_batch_trim(out, (uint64_t)batch.base_offset, 300, &piece) == WEIR_OK);
        WEIR_ASSERT(e || !weir_batch_decompress(codec, weir_slice(copy, size), out, ROOM, &plain));
    }
    if (!e) {
        fold_and_unfold(plain);
        cut_in_pieces(plain);
    }
    free(copy);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    if (!codec) WEIR_ASSERT(weir_compression_open(&contexts) == WEIR_OK);
    codec = &contexts;
    if (data[0] >= 0x80) {
        take_batch(data + 1, size - 1);
        return 0;
    }
    uint8_t *in = malloc(size); /* its own block: a read behind it is seen */
    WEIR_ASSERT(in);
    memcpy(in, data + 1, size - 1);
    unfold((enum weir_batch_compression)(data[0] % 8), weir_slice(in, size - 1));
    free(in);
    return 0;
}
