#include "host/unfold.h"
#include "wire/compression.h"

#define INFLATED_BYTES (WEIR_BATCH_HEADER_SIZE + LOG_PLAIN_BYTES_MAX)
#define PIECE_BYTES    (1u << 20)
#define CODEC_BYTES    4096u /* a struct weir_compression */
#define MEMORY_BYTES   (CODEC_BYTES + UNFOLD_BYTES_MAX + INFLATED_BYTES)
static_assert(sizeof(struct weir_compression) <= CODEC_BYTES, "the codecs have room");

static struct weir_compression *codec_of(struct unfold *u) {
    return u->memory;
}

enum weir_error unfold_open(struct unfold *u) {
    *u = (struct unfold){0};
    enum weir_error e = sys_memory_map(MEMORY_BYTES, &u->memory);
    if (e) return e;
    u->plain = (uint8_t *)u->memory + CODEC_BYTES;
    u->inflated = u->plain + UNFOLD_BYTES_MAX;
    e = weir_compression_open(codec_of(u));
    if (e) unfold_close(u);
    return e;
}

void unfold_close(struct unfold *u) {
    if (!u->memory) return;
    weir_compression_close(codec_of(u));
    sys_memory_unmap(u->memory, MEMORY_BYTES);
    *u = (struct unfold){0};
}

static bool any_compressed(struct weir_slice batches) {
    struct weir_record_batch header;
    for (; batches.size > 0; batches = weir_slice(batches.data + header.size, batches.size - header.size)) {
        if (weir_record_batch_parse(batches, NULL, &header)) return false; /* who reads it is told why */
        if (weir_record_batch_compression(&header) != WEIR_BATCH_NONE) return true;
    }
    return false;
}

/* The first batch plain, from `offset` on, as far as a piece goes. *ret_whole: to its end. */
static enum weir_error unfold_one(struct unfold *u, struct weir_slice batches, uint64_t offset,
    const struct weir_record_batch *header, struct weir_slice *ret_piece, bool *ret_whole) {
    struct weir_slice piece;
    struct weir_record_batch part;
    enum weir_error e = weir_batch_decompress(codec_of(u), batches, u->inflated, INFLATED_BYTES, &piece);
    if (!e) e = weir_batch_trim(u->inflated, offset, PIECE_BYTES, &piece);
    if (!e) e = weir_record_batch_parse(piece, NULL, &part);
    if (e) return e;
    if (piece.size > UNFOLD_BYTES_MAX)
        return weir_error_context(
            WEIR_E_TOO_LARGE, "a record of %zu bytes behind offset %llu", piece.size, (unsigned long long)offset);
    *ret_piece = piece;
    *ret_whole = weir_record_batch_last_offset(&part) == weir_record_batch_last_offset(header);
    return WEIR_OK;
}

enum weir_error unfold_batches(
    struct unfold *u, struct weir_slice batches, uint64_t offset, struct weir_slice *ret_plain) {
    struct weir_record_batch header;
    size_t size = 0;
    bool whole = true;
    if (!any_compressed(batches)) {
        *ret_plain = batches;
        return WEIR_OK;
    }
    for (; whole && batches.size > 0; batches = weir_slice(batches.data + header.size, batches.size - header.size)) {
        struct weir_slice piece;
        enum weir_error e = weir_record_batch_parse(batches, NULL, &header);
        if (!e) e = unfold_one(u, batches, offset, &header, &piece, &whole);
        if (e) return e;
        if (piece.size > UNFOLD_BYTES_MAX - size) break;
        memcpy(u->plain + size, piece.data, piece.size);
        size += piece.size;
    }
    *ret_plain = weir_slice(u->plain, size);
    return WEIR_OK;
}
