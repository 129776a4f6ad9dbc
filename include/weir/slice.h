/* weir/slice.h: bytes as pointer and length. Not NUL-terminated, not owned. A zero slice is valid and empty. */
#ifndef WEIR_SLICE_H
#define WEIR_SLICE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct weir_slice {
    const uint8_t *data;
    size_t size;
};

static inline struct weir_slice weir_slice(const void *data, size_t size) {
    struct weir_slice s = {(const uint8_t *)data, size};
    return s;
}
static inline struct weir_slice weir_slice_text(const char *text) {
    return weir_slice(text, text ? strlen(text) : 0);
}
static inline bool weir_slice_equal(struct weir_slice a, struct weir_slice b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}
#endif
