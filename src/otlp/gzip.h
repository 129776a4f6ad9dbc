/* otlp/gzip.h: bytes compressed as one gzip member (RFC 1952), into the arena. zlib allocates while it works. */
#ifndef WEIR_OTLP_GZIP_H
#define WEIR_OTLP_GZIP_H
#include "base/arena.h"

#include <weir/error.h>

WEIR_MUST enum weir_error otlp_gzip(struct arena *arena, struct weir_slice plain, struct weir_slice *ret_packed);

#endif
