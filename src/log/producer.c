/* What a partition remembers of idempotent producers. See producer.h. */
#include "log/producer.h"

#include "base/assert.h"

#include <stdlib.h>

#define PRODUCER_ENCODED (8 + 2 + 1 + PRODUCER_BATCHES * 16)

void log_producer_table_done(struct producer_table *t) {
    free(t->producers);
    *t = (struct producer_table){0};
}

static struct producer *find(const struct producer_table *t, int64_t id) {
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->producers[i].id == id) return &t->producers[i];
    }
    return NULL;
}

/* Sequences wrap from INT32_MAX to 0. */
static int32_t sequence_add(int32_t sequence, int32_t n) {
    return (int32_t)(((uint32_t)sequence + (uint32_t)n) & INT32_MAX);
}

static int32_t last_sequence(const struct weir_record_batch *batch) {
    return sequence_add(batch->base_sequence, batch->last_offset_delta);
}

static const struct producer_batch *find_batch(const struct producer *p, const struct weir_record_batch *batch) {
    for (uint32_t i = 0; i < p->batch_count; i++) {
        const struct producer_batch *b = &p->batches[i];
        if (b->first_sequence == batch->base_sequence && b->last_sequence == last_sequence(batch)) return b;
    }
    return NULL;
}

enum weir_error log_producer_check(
    const struct producer_table *t, const struct weir_record_batch *batch, uint64_t *ret_base_offset) {
    if (batch->producer_id < 0) return WEIR_OK;
    const struct producer *p = find(t, batch->producer_id);
    if (!p) return WEIR_OK;
    if (batch->producer_epoch < p->epoch)
        return weir_error_context(WEIR_E_FENCED, "producer %lld has epoch %d; the batch came with the older epoch %d",
            (long long)p->id, p->epoch, batch->producer_epoch);
    if (batch->producer_epoch > p->epoch) {
        if (batch->base_sequence == 0) return WEIR_OK;
        return weir_error_context(WEIR_E_OUT_OF_SEQUENCE, "producer %lld begins epoch %d with sequence %d instead of 0",
            (long long)p->id, batch->producer_epoch, batch->base_sequence);
    }
    const struct producer_batch *known = find_batch(p, batch);
    if (known) {
        *ret_base_offset = known->base_offset;
        return WEIR_E_DUPLICATE;
    }
    int32_t next = sequence_add(p->batches[p->newest].last_sequence, 1);
    if (p->batch_count == 0 || batch->base_sequence == next) return WEIR_OK;
    return weir_error_context(WEIR_E_OUT_OF_SEQUENCE, "producer %lld sent sequence %d; the next one is %d",
        (long long)p->id, batch->base_sequence, next);
}

/* A place for a new producer: a free one, a grown table, or that of the producer that was quiet longest. */
static struct producer *place(struct producer_table *t) {
    if (t->count < t->capacity) return &t->producers[t->count++];
    if (t->capacity < PRODUCERS_MAX) {
        uint32_t capacity = t->capacity ? t->capacity * 4 : 4;
        if (capacity > PRODUCERS_MAX) capacity = PRODUCERS_MAX;
        struct producer *grown = realloc(t->producers, capacity * sizeof *grown);
        if (!grown) return NULL;
        t->producers = grown;
        t->capacity = capacity;
        return &t->producers[t->count++];
    }
    struct producer *oldest = &t->producers[0];
    for (uint32_t i = 1; i < t->count; i++) {
        if (t->producers[i].used < oldest->used) oldest = &t->producers[i];
    }
    return oldest;
}

enum weir_error log_producer_note(struct producer_table *t, const struct weir_record_batch *batch) {
    if (batch->producer_id < 0) return WEIR_OK;
    struct producer *p = find(t, batch->producer_id);
    if (p && (batch->producer_epoch < p->epoch || (batch->producer_epoch == p->epoch && find_batch(p, batch))))
        return WEIR_OK; /* replayed over a table that is ahead */
    if (!p || p->epoch != batch->producer_epoch) {
        if (!p) p = place(t);
        if (!p) return weir_error_context(WEIR_E_NO_MEMORY, "no memory to remember one more producer");
        *p = (struct producer){.id = batch->producer_id, .epoch = batch->producer_epoch};
    }
    p->newest = p->batch_count == 0 ? 0 : (uint8_t)((p->newest + 1) % PRODUCER_BATCHES);
    if (p->batch_count < PRODUCER_BATCHES) p->batch_count++;
    p->batches[p->newest] = (struct producer_batch){
        .first_sequence = batch->base_sequence,
        .last_sequence = last_sequence(batch),
        .base_offset = (uint64_t)batch->base_offset,
    };
    p->used = ++t->clock;
    return WEIR_OK;
}

enum weir_error log_producer_table_copy(struct producer_table *to, const struct producer_table *from) {
    struct producer *producers = NULL;
    if (from->count > 0) {
        producers = malloc(from->count * sizeof *producers);
        if (!producers) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a table of producers");
        memcpy(producers, from->producers, from->count * sizeof *producers);
    }
    free(to->producers);
    *to = (struct producer_table){producers, from->count, from->count, from->clock};
    return WEIR_OK;
}

size_t log_producer_table_encoded_size(const struct producer_table *t) {
    return 4 + (size_t)t->count * PRODUCER_ENCODED;
}

static int compare_used(const void *a, const void *b) {
    const struct producer *x = a, *y = b;
    return x->used < y->used ? -1 : x->used > y->used;
}

/* Oldest first, so that the decoded table knows who was quiet longest. Sorting moves producers, which nobody points at.
 */
void log_producer_table_encode(const struct producer_table *t, struct byte_writer *w) {
    if (t->count > 1) qsort(t->producers, t->count, sizeof *t->producers, compare_used);
    byte_put_le32(w, t->count);
    for (uint32_t i = 0; i < t->count; i++) {
        const struct producer *p = &t->producers[i];
        byte_put_le64(w, (uint64_t)p->id);
        byte_put_le16(w, (uint16_t)p->epoch);
        byte_put_u8(w, p->batch_count);
        for (uint32_t k = 0; k < PRODUCER_BATCHES; k++) { /* oldest batch first */
            const struct producer_batch *b = &p->batches[(p->newest + 1 + k) % PRODUCER_BATCHES];
            if (p->batch_count < PRODUCER_BATCHES) b = &p->batches[k];
            byte_put_le32(w, (uint32_t)b->first_sequence);
            byte_put_le32(w, (uint32_t)b->last_sequence);
            byte_put_le64(w, b->base_offset);
        }
    }
}

static bool decode_one(struct producer *p, struct byte_reader *r) {
    *p = (struct producer){.id = (int64_t)byte_get_le64(r)};
    p->epoch = (int16_t)byte_get_le16(r);
    p->batch_count = byte_get_u8(r);
    for (uint32_t k = 0; k < PRODUCER_BATCHES; k++) {
        p->batches[k].first_sequence = (int32_t)byte_get_le32(r);
        p->batches[k].last_sequence = (int32_t)byte_get_le32(r);
        p->batches[k].base_offset = byte_get_le64(r);
    }
    if (r->failed || p->id < 0 || p->batch_count == 0 || p->batch_count > PRODUCER_BATCHES) return false;
    p->newest = (uint8_t)(p->batch_count - 1);
    return true;
}

enum weir_error log_producer_table_decode(struct producer_table *t, struct byte_reader *r) {
    uint32_t count = byte_get_le32(r);
    if (r->failed || count > PRODUCERS_MAX || byte_reader_left(r) / PRODUCER_ENCODED < count)
        return weir_error_context(WEIR_E_CORRUPT, "a table of producers is damaged");
    struct producer_table fresh = {0};
    if (count > 0) {
        fresh.producers = calloc(count, sizeof *fresh.producers);
        if (!fresh.producers) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a table of producers");
    }
    fresh.capacity = fresh.count = count;
    for (uint32_t i = 0; i < count; i++) {
        if (!decode_one(&fresh.producers[i], r)) {
            log_producer_table_done(&fresh);
            return weir_error_context(WEIR_E_CORRUPT, "a table of producers is damaged");
        }
        fresh.producers[i].used = ++fresh.clock;
    }
    log_producer_table_done(t);
    *t = fresh;
    return WEIR_OK;
}
