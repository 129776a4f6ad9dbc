/* Bytes of any length in chunks of one size. */
#include "groups/groups.h"

uint32_t blob_chunks(size_t size) {
    return (uint32_t)((size + GROUPS_CHUNK_PAYLOAD - 1) / GROUPS_CHUNK_PAYLOAD);
}

bool groups_have_room(const struct groups *g, size_t chunks) {
    return chunks + g->chunks.count <= g->chunks_max;
}

void blob_clear(struct groups *g, struct blob *blob) {
    uint32_t at = blob->size ? blob->first : GROUPS_NONE;
    while (at != GROUPS_NONE) {
        uint32_t next = ((struct chunk *)pool_at(&g->chunks, at))->next;
        pool_give(&g->chunks, at);
        at = next;
    }
    *blob = (struct blob){GROUPS_NONE, 0};
}

void blob_set(struct groups *g, struct blob *blob, struct weir_slice bytes) {
    struct blob made = {GROUPS_NONE, (uint32_t)bytes.size};
    uint32_t *link = &made.first;
    for (size_t at = 0; at < bytes.size; at += GROUPS_CHUNK_PAYLOAD) {
        uint32_t index = pool_take(&g->chunks);
        WEIR_ASSERT(index != POOL_NONE); /* groups_have_room() said so */
        struct chunk *chunk = pool_at(&g->chunks, index);
        size_t n = bytes.size - at < GROUPS_CHUNK_PAYLOAD ? bytes.size - at : GROUPS_CHUNK_PAYLOAD;
        memcpy(chunk->bytes, bytes.data + at, n);
        *link = index;
        chunk->next = GROUPS_NONE;
        link = &chunk->next;
    }
    blob_clear(g, blob);
    *blob = made;
}

void blob_copy(const struct groups *g, struct blob blob, uint8_t *ret_bytes) {
    uint32_t index = blob.first;
    for (size_t at = 0; at < blob.size; at += GROUPS_CHUNK_PAYLOAD) {
        const struct chunk *chunk = pool_at(&g->chunks, index);
        size_t n = blob.size - at < GROUPS_CHUNK_PAYLOAD ? blob.size - at : GROUPS_CHUNK_PAYLOAD;
        memcpy(ret_bytes + at, chunk->bytes, n);
        index = chunk->next;
    }
}

bool blob_try(const struct groups *g, struct blob blob, struct arena *arena, struct weir_slice *ret) {
    uint8_t *bytes = arena_alloc(arena, blob.size);
    if (!bytes) return false;
    blob_copy(g, blob, bytes);
    *ret = weir_slice(bytes, blob.size);
    return true;
}

struct weir_slice blob_get(const struct groups *g, struct blob blob, struct arena *arena) {
    struct weir_slice bytes = {0};
    WEIR_ASSERT(blob_try(g, blob, arena, &bytes)); /* GROUPS_SCRATCH_BYTES: what a group may hold, several times */
    return bytes;
}

bool blob_equal(const struct groups *g, struct blob blob, struct weir_slice bytes) {
    if (blob.size != bytes.size) return false;
    uint32_t index = blob.first;
    for (size_t at = 0; at < blob.size; at += GROUPS_CHUNK_PAYLOAD) {
        const struct chunk *chunk = pool_at(&g->chunks, index);
        size_t n = blob.size - at < GROUPS_CHUNK_PAYLOAD ? blob.size - at : GROUPS_CHUNK_PAYLOAD;
        if (memcmp(chunk->bytes, bytes.data + at, n) != 0) return false;
        index = chunk->next;
    }
    return true;
}
