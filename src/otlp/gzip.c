#include "otlp/gzip.h"

#include <zlib.h>

#define WINDOW_GZIP (15 + 16) /* deflate's largest window, with gzip's header */
#define MEMORY      8

enum weir_error otlp_gzip(struct arena *arena, struct weir_slice plain, struct weir_slice *ret_packed) {
    z_stream z = {.next_in = (Bytef *)(uintptr_t)plain.data, .avail_in = (uInt)plain.size};
    /* Spans repeat themselves: the fastest level makes a tenth of them. */
    if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, WINDOW_GZIP, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory to compress");
    size_t room = deflateBound(&z, plain.size);
    uint8_t *packed = arena_alloc(arena, room);
    z.next_out = packed;
    z.avail_out = (uInt)room;
    int code = packed ? deflate(&z, Z_FINISH) : Z_MEM_ERROR;
    deflateEnd(&z);
    if (code != Z_STREAM_END) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the compressed spans");
    *ret_packed = weir_slice(packed, z.total_out);
    return WEIR_OK;
}
