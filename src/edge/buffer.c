/* Buffers: a size class is found by doubling from 1 KB; the last pool's size is where mapping begins. */
#include "edge/buffer.h"

#include "sys/sys.h"

#define SIZE_MIN        1024u
#define SIZE_POOLED_MAX (SIZE_MIN << (2 * (BUFFER_CLASSES - 1)))

static size_t class_size(unsigned i) {
    return (size_t)SIZE_MIN << (2 * i);
}

enum weir_error buffers_open(struct buffers *buffers, uint64_t bytes_max) {
    memset(buffers, 0, sizeof *buffers);
    buffers->bytes_max = bytes_max;
    buffers->memory_size = bytes_max;
    for (unsigned i = 0; i < BUFFER_CLASSES; i++) {
        enum weir_error e = sys_memory_map(bytes_max, &buffers->memory[i]);
        if (e) return e;
        pool_init(
            &buffers->pools[i], buffers->memory[i], (uint32_t)class_size(i), (uint32_t)(bytes_max / class_size(i)));
    }
    return WEIR_OK;
}

/* ---- spares ---- */
static void drop_oldest_spare(struct buffers *buffers) {
    WEIR_ASSERT(buffers->spare_count > 0);
    struct buffer_spare oldest = buffers->spares[0];
    memmove(buffers->spares, buffers->spares + 1, --buffers->spare_count * sizeof oldest);
    buffers->spare_bytes -= oldest.cap;
    sys_memory_unmap(oldest.data, oldest.cap);
}

static void drop_spares(struct buffers *buffers) {
    while (buffers->spare_count)
        drop_oldest_spare(buffers);
    WEIR_ASSERT(buffers->spare_bytes == 0);
}

static void keep_spare(struct buffers *buffers, uint8_t *data, size_t cap) {
    if (cap > BUFFER_SPARE_MAX) {
        sys_memory_unmap(data, cap);
        return;
    }
    if (buffers->spare_count == BUFFER_SPARES) drop_oldest_spare(buffers);
    buffers->spares[buffers->spare_count++] = (struct buffer_spare){data, cap};
    buffers->spare_bytes += cap;
    buffers->spares_end_ns = 0;
}

static bool holds_spare(const struct buffers *buffers, size_t cap) {
    for (uint32_t i = 0; i < buffers->spare_count; i++)
        if (buffers->spares[i].cap == cap) return true;
    return false;
}

/* The newest one of that size, whose pages are the warmest. */
static uint8_t *take_spare(struct buffers *buffers, size_t cap) {
    for (uint32_t i = buffers->spare_count; i-- > 0;) {
        if (buffers->spares[i].cap != cap) continue;
        uint8_t *data = buffers->spares[i].data;
        memmove(buffers->spares + i, buffers->spares + i + 1, (--buffers->spare_count - i) * sizeof *buffers->spares);
        buffers->spare_bytes -= cap;
        buffers->spares_end_ns = 0;
        return data;
    }
    return NULL;
}

uint64_t buffers_rest(struct buffers *buffers, uint64_t now_ns) {
    if (buffers->spare_count == 0) return UINT64_MAX;
    if (buffers->spares_end_ns == 0) buffers->spares_end_ns = now_ns + BUFFER_SPARE_REST_NS;
    if (now_ns < buffers->spares_end_ns) return buffers->spares_end_ns;
    drop_spares(buffers);
    return UINT64_MAX;
}

void buffers_close(struct buffers *buffers) {
    drop_spares(buffers);
    for (unsigned i = 0; i < BUFFER_CLASSES; i++)
        if (buffers->memory[i]) sys_memory_unmap(buffers->memory[i], buffers->memory_size);
    memset(buffers, 0, sizeof *buffers);
}

static unsigned class_of(size_t cap) {
    unsigned i = 0;
    while (class_size(i) < cap)
        i++;
    return i;
}

static uint8_t *take(struct buffers *buffers, size_t cap) {
    if (cap > buffers->bytes_max - buffers->bytes_used) {
        buffers->refused++;
        return NULL;
    }
    while (cap > buffers->bytes_max - buffers->bytes_used - buffers->spare_bytes && !holds_spare(buffers, cap))
        drop_oldest_spare(buffers);
    void *memory = NULL;
    if (cap > SIZE_POOLED_MAX) {
        memory = take_spare(buffers, cap);
        if (!memory && sys_memory_map(cap, &memory)) return NULL;
    } else {
        struct pool *pool = &buffers->pools[class_of(cap)];
        uint32_t index = pool_take(pool);
        if (index == POOL_NONE) return NULL;
        memory = pool_at(pool, index);
    }
    buffers->bytes_used += cap;
    return memory;
}

static void give(struct buffers *buffers, uint8_t *data, size_t cap) {
    if (!data) return;
    WEIR_ASSERT(buffers->bytes_used >= cap);
    buffers->bytes_used -= cap;
    if (cap > SIZE_POOLED_MAX) {
        keep_spare(buffers, data, cap);
    } else {
        struct pool *pool = &buffers->pools[class_of(cap)];
        pool_give(pool, pool_index(pool, data));
    }
}

/* The smallest capacity we hand out that holds `need`: 1, 4, 16, 64 KB, then powers of two. */
static size_t cap_for(size_t need) {
    size_t cap = SIZE_MIN;
    while (cap < need)
        cap <<= cap < SIZE_POOLED_MAX ? 2 : 1;
    return cap;
}

bool buffer_reserve(struct buffers *buffers, struct buffer *b, size_t room, size_t cap_max) {
    if (buffer_room(b) >= room) return true;
    WEIR_ASSERT(b->at <= b->size && b->size <= b->cap);
    size_t count = buffer_count(b);
    if (b->cap - count >= room) {
        memmove(b->data, b->data + b->at, count);
    } else {
        size_t need = count + room;
        if (room > cap_max || need > cap_max || need > UINT32_MAX / 2) return false;
        size_t cap = cap_for(need);
        uint8_t *data = take(buffers, cap);
        if (!data) return false;
        if (count) memcpy(data, b->data + b->at, count);
        give(buffers, b->data, b->cap);
        b->data = data;
        b->cap = (uint32_t)cap;
    }
    b->at = 0;
    b->size = (uint32_t)count;
    return true;
}

bool buffer_add(struct buffers *buffers, struct buffer *b, struct weir_slice bytes, size_t cap_max) {
    if (bytes.size == 0) return true;
    if (!buffer_reserve(buffers, b, bytes.size, cap_max)) return false;
    memcpy(b->data + b->size, bytes.data, bytes.size);
    b->size += (uint32_t)bytes.size;
    return true;
}

void buffer_release(struct buffers *buffers, struct buffer *b) {
    give(buffers, b->data, b->cap);
    memset(b, 0, sizeof *b);
}
