/* The codecs of Kafka's record format. See compression.h; batches: batch_compression.c. */
#include "wire/compression.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define ZSTD_LEVEL         1
#define GZIP_WINDOW        (15 + 16) /* the largest window, and a gzip header */
#define SNAPPY_HEADER_SIZE 16u
static const uint8_t snappy_magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

static_assert(sizeof(z_stream) <= sizeof((struct weir_compression *)0)->gzip, "a z_stream has room");

static z_stream *gzip_of(struct weir_compression *c) {
    return (z_stream *)(void *)c->gzip;
}

enum weir_error weir_compression_open(struct weir_compression *c) {
    *c = (struct weir_compression){0};
    c->zstd_in = ZSTD_createDCtx();
    c->zstd_out = ZSTD_createCCtx();
    c->has_gzip = inflateInit2(gzip_of(c), GZIP_WINDOW) == Z_OK;
    if (c->zstd_in && c->zstd_out && c->has_gzip) return WEIR_OK;
    weir_compression_close(c);
    return weir_error_context(WEIR_E_NO_MEMORY, "no memory for compression");
}

void weir_compression_close(struct weir_compression *c) {
    LZ4F_freeDecompressionContext(c->lz4);
    ZSTD_freeDCtx(c->zstd_in);
    ZSTD_freeCCtx(c->zstd_out);
    if (c->has_gzip) inflateEnd(gzip_of(c));
    *c = (struct weir_compression){0};
}

static WEIR_COLD enum weir_error too_large(const char *codec, size_t out_max) {
    return weir_error_context(WEIR_E_TOO_LARGE, "%s: more than %zu bytes decompressed", codec, out_max);
}

static WEIR_COLD enum weir_error invalid(const char *codec, const char *what) {
    return weir_error_context(WEIR_E_INVALID, "%s: %s", codec, what);
}

/* ---- gzip ---- */

/* Members may follow one another (RFC 1952, 2.2). */
static enum weir_error gzip_decompress(
    struct weir_compression *c, struct weir_slice in, uint8_t *out, size_t out_max, size_t *ret_size) {
    z_stream *z = gzip_of(c);
    size_t used = 0, made = 0;
    while (used < in.size) {
        if (inflateReset(z) != Z_OK) return invalid("gzip", "its state can't be reset");
        int status = Z_OK;
        while (status == Z_OK) {
            z->next_in = (uint8_t *)(uintptr_t)in.data + used;
            z->avail_in = in.size - used > UINT32_MAX ? UINT32_MAX : (uInt)(in.size - used);
            uint8_t beyond; /* tells "full" from "at its end" */
            bool full = made == out_max;
            size_t room = full ? 1 : out_max - made;
            z->next_out = full ? &beyond : out + made;
            z->avail_out = room > UINT32_MAX ? UINT32_MAX : (uInt)room;
            uInt in_before = z->avail_in, out_before = z->avail_out;
            status = inflate(z, Z_NO_FLUSH);
            used += in_before - z->avail_in;
            if (full && z->avail_out == 0) return too_large("gzip", out_max);
            if (!full) made += out_before - z->avail_out;
        }
        if (status == Z_MEM_ERROR) return weir_error_context(WEIR_E_NO_MEMORY, "gzip: no memory");
        if (status == Z_BUF_ERROR) return invalid("gzip", "it ends too early");
        if (status != Z_STREAM_END) return invalid("gzip", z->msg ? z->msg : "malformed");
    }
    *ret_size = made;
    return in.size > 0 ? WEIR_OK : invalid("gzip", "nothing is there");
}

/* ---- snappy ---- */

static enum weir_error snappy_block(
    struct weir_slice in, uint8_t *out, size_t out_max, size_t limit, size_t *ret_size) {
    size_t size = 0;
    if (snappy_uncompressed_length((const char *)in.data, in.size, &size) != SNAPPY_OK)
        return invalid("snappy", "no length");
    if (size > out_max) return too_large("snappy", limit);
    if (snappy_uncompress((const char *)in.data, in.size, (char *)out, &size) != SNAPPY_OK)
        return invalid("snappy", "malformed");
    *ret_size = size;
    return WEIR_OK;
}

static bool is_framed(struct weir_slice in) {
    return in.size >= SNAPPY_HEADER_SIZE && memcmp(in.data, snappy_magic, sizeof snappy_magic) == 0;
}

/* Raw as the format says, or in the frames of snappy-java: magic, two versions, then blocks with their size before. */
static enum weir_error snappy_decompress(struct weir_slice in, uint8_t *out, size_t out_max, size_t *ret_size) {
    if (!is_framed(in)) return snappy_block(in, out, out_max, out_max, ret_size);
    size_t made = 0;
    for (size_t at = SNAPPY_HEADER_SIZE; at < in.size;) {
        if (in.size - at < 4) return invalid("snappy", "it ends too early");
        uint32_t size = load_be32(in.data + at);
        at += 4;
        if (size > in.size - at) return invalid("snappy", "a block ends too early");
        size_t block = 0;
        enum weir_error e = snappy_block(weir_slice(in.data + at, size), out + made, out_max - made, out_max, &block);
        if (e) return e;
        made += block;
        at += size;
    }
    *ret_size = made;
    return WEIR_OK;
}

/* ---- lz4 ---- */

/* Frames may follow one another. */
static enum weir_error lz4_frames(
    struct weir_compression *c, struct weir_slice in, uint8_t *out, size_t out_max, size_t *ret_size) {
    size_t used = 0, made = 0, hint = 0;
    while (used < in.size) {
        uint8_t beyond; /* tells "full" from "at its end" */
        bool full = made == out_max;
        size_t took = in.size - used, gave = full ? 1 : out_max - made;
        hint = LZ4F_decompress(c->lz4, full ? &beyond : out + made, &gave, in.data + used, &took, NULL);
        if (LZ4F_isError(hint)) return invalid("lz4", LZ4F_getErrorName(hint));
        if (full && gave > 0) return too_large("lz4", out_max);
        if (took == 0 && gave == 0) return invalid("lz4", "malformed");
        used += took;
        made += gave;
    }
    if (hint != 0) return invalid("lz4", "it ends too early");
    *ret_size = made;
    return WEIR_OK;
}

static enum weir_error lz4_decompress(
    struct weir_compression *c, struct weir_slice in, uint8_t *out, size_t out_max, size_t *ret_size) {
    LZ4F_dctx *fresh = NULL;
    if (!c->lz4 && LZ4F_isError(LZ4F_createDecompressionContext(&fresh, LZ4F_VERSION)))
        return weir_error_context(WEIR_E_NO_MEMORY, "lz4: no memory");
    if (!c->lz4) c->lz4 = fresh;
    if (in.size == 0) return invalid("lz4", "nothing is there");
    enum weir_error e = lz4_frames(c, in, out, out_max, ret_size);
    if (!e) return WEIR_OK;
    /* Resetting it is not enough (1.9.4): it remembers the size that an unfinished frame had announced. */
    LZ4F_freeDecompressionContext(c->lz4);
    c->lz4 = NULL;
    return e;
}

static enum weir_error lz4_compress(struct weir_slice in, uint8_t *out, size_t out_max, size_t *ret_size) {
    const LZ4F_preferences_t preferences = {
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent}};
    size_t size = LZ4F_compressFrame(out, out_max, in.data, in.size, &preferences);
    if (LZ4F_isError(size)) return WEIR_E_FULL;
    *ret_size = size;
    return WEIR_OK;
}

/* ---- zstd ---- */

static enum weir_error zstd_decompress(
    struct weir_compression *c, struct weir_slice in, uint8_t *out, size_t out_max, size_t *ret_size) {
    size_t size = ZSTD_decompressDCtx(c->zstd_in, out, out_max, in.data, in.size);
    if (ZSTD_isError(size)) {
        ZSTD_ErrorCode code = ZSTD_getErrorCode(size);
        if (code == ZSTD_error_dstSize_tooSmall) return too_large("zstd", out_max);
        if (code == ZSTD_error_memory_allocation) return weir_error_context(WEIR_E_NO_MEMORY, "zstd: no memory");
        return invalid("zstd", ZSTD_getErrorName(size));
    }
    if (in.size == 0) return invalid("zstd", "nothing is there");
    *ret_size = size;
    return WEIR_OK;
}

static enum weir_error zstd_compress(
    struct weir_compression *c, struct weir_slice in, uint8_t *out, size_t out_max, size_t *ret_size) {
    size_t size = ZSTD_compressCCtx(c->zstd_out, out, out_max, in.data, in.size, ZSTD_LEVEL);
    if (ZSTD_isError(size)) return WEIR_E_FULL;
    *ret_size = size;
    return WEIR_OK;
}

/* ---- one of them ---- */

enum weir_error weir_decompress(struct weir_compression *c, enum weir_batch_compression kind, struct weir_slice in,
    void *out, size_t out_max, size_t *ret_size) {
    switch (kind) {
    case WEIR_BATCH_NONE:
        if (in.size > out_max) return too_large("plain", out_max);
        if (in.size > 0) memcpy(out, in.data, in.size);
        *ret_size = in.size;
        return WEIR_OK;
    case WEIR_BATCH_GZIP:
        return gzip_decompress(c, in, out, out_max, ret_size);
    case WEIR_BATCH_SNAPPY:
        return snappy_decompress(in, out, out_max, ret_size);
    case WEIR_BATCH_LZ4:
        return lz4_decompress(c, in, out, out_max, ret_size);
    case WEIR_BATCH_ZSTD:
        return zstd_decompress(c, in, out, out_max, ret_size);
    }
    return weir_error_context(WEIR_E_UNSUPPORTED, "compression %d", (int)kind);
}

enum weir_error weir_compress(struct weir_compression *c, enum weir_batch_compression kind, struct weir_slice in,
    void *out, size_t out_max, size_t *ret_size) {
    if (kind == WEIR_BATCH_LZ4) return lz4_compress(in, out, out_max, ret_size);
    if (kind == WEIR_BATCH_ZSTD) return zstd_compress(c, in, out, out_max, ret_size);
    return weir_error_context(WEIR_E_UNSUPPORTED, "compression %d is read, not written", (int)kind);
}

size_t weir_compress_bound(size_t size) {
    size_t lz4 = LZ4F_compressFrameBound(size, NULL), zstd = ZSTD_compressBound(size);
    return lz4 > zstd ? lz4 : zstd;
}
