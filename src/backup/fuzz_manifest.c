/* Fuzzes manifests: bytes of a store, which may be anybody's. Input: u8 whether the rest is a whole manifest ('w'), or
 * only its inner object, around which the right checksum is put; then the text. What is accepted names no path outside
 * the data folder, has sizes that add up, and is the same when printed and read again.
 * Covers: manifest.c manifest_parse.c. */
#include "backup/manifest.h"
#include "base/assert.h"
#include "base/encode.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct manifest *m) {
    WEIR_ASSERT(object_key_valid(m->id) && strlen(m->node) == MANIFEST_NODE_SIZE - 1);
    WEIR_ASSERT(manifest_file_find(m, "catalogue"));
    for (size_t i = 0; i < m->files.count; i++) {
        const struct manifest_file *f = &m->files.data[i];
        uint64_t sum = 0;
        WEIR_ASSERT(!strstr(f->path, "..") || !strstr(f->path, "/../"));
        WEIR_ASSERT(f->path[0] != '/' && manifest_path_valid(f->path) && manifest_file_find(m, f->path) == f);
        WEIR_ASSERT(f->first + f->count <= m->objects.count);
        for (size_t k = 0; k < f->count; k++) {
            WEIR_ASSERT(m->objects.data[f->first + k].bytes - 1 < MANIFEST_OBJECT_MAX);
            sum += m->objects.data[f->first + k].bytes;
        }
        WEIR_ASSERT(sum == f->bytes);
    }
    for (size_t i = 0; i < m->partitions.count; i++)
        WEIR_ASSERT(m->partitions.data[i].start <= m->partitions.data[i].end);
}

static void check_again(struct manifest *m) {
    struct manifest again;
    struct weir_slice first, second;
    if (manifest_print(m, &first)) abort();
    enum weir_error e = manifest_parse(first, &again);
    WEIR_ASSERT(e == WEIR_OK);
    if (manifest_print(&again, &second)) abort();
    WEIR_ASSERT(weir_slice_equal(first, second));
    manifest_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct manifest m;
    if (size < 1) return 0;
    struct weir_slice text = weir_slice(data + 1, size - 1);
    char *whole = NULL;
    if (data[0] != 'w') {
        uint8_t digest[OBJECT_DIGEST_SIZE];
        char hex[2 * OBJECT_DIGEST_SIZE];
        object_digest(&text, 1, digest);
        hex_encode(weir_slice(digest, sizeof digest), hex);
        whole = malloc(size + 128);
        int n = snprintf(whole, size + 128, "{\"manifest\":%.*s,\"sha256\":\"%.64s\"}", (int)text.size,
            (const char *)text.data, hex);
        text = weir_slice(whole, (size_t)n);
    }
    enum weir_error e = manifest_parse(text, &m);
    WEIR_ASSERT(e == WEIR_OK || e == WEIR_E_CORRUPT || e == WEIR_E_VERSION);
    if (e == WEIR_OK) {
        check(&m);
        check_again(&m);
    }
    manifest_done(&m);
    free(whole);
    return 0;
}
