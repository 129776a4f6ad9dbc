/* Building commits: batches carved from a commit's memory. See commit.h for the scheme, log.h for the contract. */
#include "log/commit.h"

#include "base/bytes.h"
#include "log/state.h"

/* ---- batches in an area
 * ---------------------------------------------------------------------------------------------- */

static bool is_last_chunk(const struct commit_area *a, const struct commit_batch *b) {
    return b->bytes + b->capacity == a->bytes + a->used;
}

static void close_batch(struct commit_area *a, struct commit_batch *b) {
    if (b->size > 0) return;
    struct weir_slice batch = weir_record_builder_finish(&b->builder);
    b->size = (uint32_t)batch.size;
    if (is_last_chunk(a, b)) a->used = (uint64_t)(b->bytes - a->bytes) + b->size; /* what it did not need */
}

static void close_all(struct commit_area *a) {
    for (; a->closed < a->count; a->closed++)
        close_batch(a, &a->batches[a->closed]);
}

/* A new batch with room for at least `need` bytes behind its header; NULL when the area is full. */
static struct commit_batch *open_batch(struct commit *c, struct commit_area *a, struct partition *p, uint64_t time_ms,
    uint64_t need, uint16_t attributes) {
    uint64_t left = a->size - a->used, want = COMMIT_CHUNK_MIN;
    need += WEIR_BATCH_HEADER_SIZE;
    if (a->count == a->max || need > left) return NULL;
    if (p->open_stamp == c->stamp) want = p->chunk_size < COMMIT_CHUNK_MAX ? p->chunk_size * 2 : COMMIT_CHUNK_MAX;
    if (want < need) want = need;
    if (want > left) want = left;
    struct commit_batch *b = &a->batches[a->count++];
    b->partition = p;
    b->next = NULL;
    b->bytes = a->bytes + a->used;
    b->size = 0;
    b->capacity = (uint32_t)want;
    b->time_ms = time_ms;
    a->used += want;
    struct weir_record_builder_options o = WEIR_RECORD_BUILDER_OPTIONS;
    o.base_offset = (int64_t)p->partition.next;
    o.base_timestamp_ms = (int64_t)time_ms;
    o.attributes = attributes;
    weir_record_builder_init(&b->builder, b->bytes, (size_t)want, &o);
    p->open_stamp = c->stamp;
    p->open_batch = b;
    p->chunk_size = (uint32_t)want;
    return b;
}

/* Makes room for `need` more bytes in a batch that stands last in the area: it grows where it is. */
static bool extend_batch(struct commit_area *a, struct partition *p, struct commit_batch *b, uint64_t need) {
    if (!is_last_chunk(a, b)) return false;
    uint64_t wanted = b->builder.size + need, capacity = (uint64_t)b->capacity * 2;
    if (capacity > COMMIT_CHUNK_MAX) capacity = COMMIT_CHUNK_MAX;
    uint64_t most = b->capacity + (a->size - a->used);
    if (capacity > most) capacity = most;
    if (wanted > capacity) return false;
    a->used += capacity - b->capacity;
    b->capacity = (uint32_t)capacity;
    b->builder.capacity = (size_t)capacity;
    p->chunk_size = b->capacity;
    return true;
}

/* The batch that takes `need` more bytes for the partition, opened or grown as it must be; NULL when the area is full.
 */
static struct commit_batch *batch_with_room(struct commit *c, struct commit_area *a, struct partition *p,
    uint64_t time_ms, uint64_t need, uint16_t attributes) {
    struct commit_batch *b = p->open_stamp == c->stamp ? p->open_batch : NULL;
    if (b && (b->size > 0 || ((attributes & WEIR_BATCH_LOG_APPEND_TIME) && b->time_ms != time_ms))) {
        close_batch(a, b);
        b = NULL;
    }
    if (b && b->builder.capacity - b->builder.size >= need) return b;
    if (b && extend_batch(a, p, b, need)) return b;
    if (b) close_batch(a, b);
    return open_batch(c, a, p, time_ms, need, attributes);
}

/* ---- inputs
 * ------------------------------------------------------------------------------------------------------------ */

static enum weir_error refuse_deleted(const struct partition *p) {
    return weir_error_context(WEIR_E_NOT_FOUND, "topic %s was deleted", p->partition.topic->name);
}

static WEIR_COLD enum weir_error no_room(const struct commit *c, const struct partition *p, uint64_t need) {
    const struct log_options *o = &c->writer->log->options;
    uint64_t most = o->commit_bytes_max < o->batch_bytes_max ? o->commit_bytes_max : o->batch_bytes_max;
    if (need > most)
        return weir_error_context(WEIR_E_TOO_LARGE, "a batch of %llu bytes for %s-%u; the limit is %llu",
            (unsigned long long)need, p->partition.topic->name, p->partition.index, (unsigned long long)most);
    return WEIR_E_AGAIN;
}

/* Of a loose partition no offset may be given that a start after a crash would not pass over. Far ahead, so that it is
 * a matter of a disk that makes no checkpoint. */
static WEIR_COLD enum weir_error far_ahead(const struct partition *p) {
    log_checkpoint_soon(p->log);
    return weir_error_context(WEIR_E_FULL, "%s-%u has no checkpoint for %llu records", p->partition.topic->name,
        p->partition.index, (unsigned long long)LOG_LOOSE_AHEAD);
}

static bool is_far_ahead(struct partition *p, uint64_t records) {
    uint64_t checkpointed = atomic_load_explicit(&p->partition.checkpointed, memory_order_relaxed);
    return partition_loose(p) && p->partition.next - checkpointed > LOG_LOOSE_AHEAD - records;
}

enum weir_error log_commit_append(
    struct log_commit *commit, struct log_partition *partition, const struct log_record *record, uint64_t *ret_offset) {
    struct commit *c = commit_of(commit);
    struct partition *p = partition_of(partition);
    WEIR_ASSERT(c->state == COMMIT_OPEN && !partition->topic->config.derived);
    if (WEIR_UNLIKELY(atomic_load_explicit(&p->deleted, memory_order_relaxed))) return refuse_deleted(p);
    if (WEIR_UNLIKELY(is_far_ahead(p, 1))) return far_ahead(p);
    struct weir_record_header header = {record->header_key, record->header_value};
    size_t headers = record->header_key.data ? 1 : 0;
    uint64_t need = weir_record_size_max(record->key.size, record->value.size, &header, headers);
    if (WEIR_UNLIKELY(need + WEIR_BATCH_HEADER_SIZE > c->writer->log->options.batch_bytes_max))
        return no_room(c, p, need + WEIR_BATCH_HEADER_SIZE);
    struct commit_batch *b = batch_with_room(c, &c->input, p, record->time_ms, need, WEIR_BATCH_LOG_APPEND_TIME);
    if (WEIR_UNLIKELY(!b)) return no_room(c, p, need + WEIR_BATCH_HEADER_SIZE);
    enum weir_error e =
        weir_record_builder_append(&b->builder, (int64_t)record->time_ms, record->key, record->value, &header, headers);
    if (WEIR_UNLIKELY(e)) return e;
    *ret_offset = partition->next++;
    return WEIR_OK;
}

/* Room for a ready batch, as a closed batch of the commit. */
static struct commit_batch *place_batch(struct commit *c, struct partition *p, size_t size) {
    struct commit_area *a = &c->input;
    if (p->open_stamp == c->stamp && p->open_batch) close_batch(a, p->open_batch);
    if (a->count == a->max || size > a->size - a->used) return NULL;
    struct commit_batch *b = &a->batches[a->count++];
    *b = (struct commit_batch){.partition = p, .bytes = a->bytes + a->used, .size = (uint32_t)size};
    b->capacity = b->size;
    a->used += size;
    if (p->open_stamp != c->stamp) p->chunk_size = COMMIT_CHUNK_MIN;
    p->open_stamp = c->stamp;
    p->open_batch = NULL;
    return b;
}

enum weir_error log_commit_append_batch(struct log_commit *commit, struct log_partition *partition,
    struct weir_slice batch, uint64_t append_time_ms, uint64_t *ret_base_offset) {
    struct commit *c = commit_of(commit);
    struct partition *p = partition_of(partition);
    WEIR_ASSERT(c->state == COMMIT_OPEN && !partition->topic->config.derived);
    if (atomic_load_explicit(&p->deleted, memory_order_relaxed)) return refuse_deleted(p);
    struct weir_record_batch header;
    enum weir_error e = weir_record_batch_parse(batch, NULL, &header);
    if (e) return e;
    if (header.size != batch.size || header.record_count < 1)
        return weir_error_context(WEIR_E_INVALID, "expected exactly one batch with records");
    if (batch.size > c->writer->log->options.batch_bytes_max) return no_room(c, p, batch.size);
    if (is_far_ahead(p, (uint64_t)header.last_offset_delta + 1)) return far_ahead(p);
    e = log_producer_check(&p->producers, &header, ret_base_offset);
    if (e) return e;
    struct commit_batch *b = place_batch(c, p, batch.size);
    if (!b) return no_room(c, p, batch.size);
    memcpy(b->bytes, batch.data, batch.size);
    header.base_offset = (int64_t)partition->next;
    if (append_time_ms != 0) {
        weir_record_batch_assign(b->bytes, batch.size, header.base_offset, 0, (int64_t)append_time_ms);
    } else {
        weir_record_batch_set_base_offset(b->bytes, header.base_offset);
        weir_record_batch_set_leader_epoch(b->bytes, 0);
    }
    e = log_producer_note(&p->producers, &header);
    if (e) { /* nothing of it may stay: it was the last one carved */
        c->input.used -= batch.size;
        c->input.count--;
        return e;
    }
    *ret_base_offset = partition->next;
    partition->next += (uint64_t)header.last_offset_delta + 1;
    return WEIR_OK;
}

uint64_t log_commit_bytes(const struct log_commit *commit) {
    return commit_of(commit)->input.used;
}

uint64_t log_commit_room(const struct log_commit *commit) {
    const struct commit *c = commit_of(commit);
    return c->input.count == c->input.max ? 0 : c->input.size - c->input.used;
}

uint64_t log_commit_entry_bytes(const struct commit *c) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < c->input.count; i++) {
        const struct commit_batch *b = &c->input.batches[i];
        if (partition_journaled(b->partition)) bytes += FRAME_ENTRY_HEADER + b->size;
    }
    return bytes;
}

static uint32_t count_journaled(const struct commit *c) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->input.count; i++)
        count += partition_journaled(c->input.batches[i].partition);
    return count;
}

uint64_t log_commit_journal_bytes(uint64_t entry_bytes) {
    return 2 * frame_bytes(entry_bytes); /* itself, and at most as much left unused at the end of a file */
}

/* ---- life
 * -------------------------------------------------------------------------------------------------------------- */

static bool take_free(struct log_writer *w, struct commit **ret_commit) {
    struct commit *freed = NULL;
    while (slot_ring_pop(&w->freed, &freed)) {
        freed->state = COMMIT_FREE;
        w->free[w->free_count++] = freed;
    }
    if (w->free_count == 0) return false;
    *ret_commit = w->free[--w->free_count];
    return true;
}

uint32_t log_writer_left(const struct log_writer *writer) {
    return writer->free_count + (uint32_t)slot_ring_count(&writer->freed);
}

enum weir_error log_commit_begin(struct log_writer *writer, struct log_commit **ret_commit) {
    const struct log *log = writer->log;
    if (!log_failed(log) && atomic_load_explicit(&log->space_short, memory_order_relaxed)) {
        return weir_error_context(WEIR_E_NO_SPACE, "less than %llu MB are free below %s",
            (unsigned long long)(log->options.disk_reserve_bytes >> 20), log->folder);
    }
    return log_commit_begin_outputs(writer, ret_commit);
}

enum weir_error log_commit_begin_outputs(struct log_writer *writer, struct log_commit **ret_commit) {
    struct log *log = writer->log;
    struct journal *j = &log->journal;
    WEIR_ASSERT(!writer->open);
    if (log_failed(log)) return weir_error_context(WEIR_E_CLOSED, "the log stopped after a failed write");
    uint64_t need =
        log_commit_journal_bytes(log->options.commit_bytes_max + writer->commits[0].input.max * FRAME_ENTRY_HEADER);
    uint64_t reserved = atomic_fetch_add_explicit(&j->reserved, need, memory_order_relaxed) + need;
    uint64_t used = atomic_load_explicit(&j->used, memory_order_relaxed);
    struct commit *c = NULL;
    bool full = used + reserved > log->options.journal_bytes_max;
    if (full || !take_free(writer, &c)) {
        atomic_fetch_sub_explicit(&j->reserved, need, memory_order_relaxed);
        if (!full) return WEIR_E_AGAIN;
        log_checkpoint_soon(log);
        return weir_error_context(WEIR_E_FULL, "the journal is at its bound of %llu MB",
            (unsigned long long)(log->options.journal_bytes_max >> 20));
    }
    c->reserved = need;
    c->stamp = atomic_fetch_add_explicit(&log->stamps, 1, memory_order_relaxed) + 1;
    c->input.used = c->output.used = 0;
    c->input.count = c->output.count = c->input.closed = c->output.closed = 0;
    c->file = NULL;
    c->state = COMMIT_OPEN;
    c->commit = (struct log_commit){.sequence = writer->next_sequence++};
    writer->open = c;
    *ret_commit = &c->commit;
    return WEIR_OK;
}

void log_commit_submit(struct log_commit *commit) {
    struct commit *c = commit_of(commit);
    struct log *log = c->writer->log;
    WEIR_ASSERT(c->state == COMMIT_OPEN && c->writer->open == c);
    close_all(&c->input);
    commit->batch_count = c->input.count;
    c->journaled = count_journaled(c);
    uint64_t need = c->journaled > 0 ? log_commit_journal_bytes(log_commit_entry_bytes(c)) : 0;
    WEIR_ASSERT(need <= c->reserved);
    atomic_fetch_sub_explicit(&log->journal.reserved, c->reserved - need, memory_order_relaxed);
    c->reserved = need;
    c->state = COMMIT_SUBMITTED;
    c->writer->open = NULL;
    commit->submit_ns = log->sys->mono_ns(log->sys);
    bool pushed = slot_ring_push(&c->writer->submitted, &c);
    WEIR_ASSERT(pushed);
    log->sys->poller_wake(log->sys, log->journal.poller);
}

void log_commit_batch(
    const struct log_commit *commit, uint32_t i, struct log_partition **ret_partition, struct weir_slice *ret_batch) {
    const struct commit *c = commit_of(commit);
    WEIR_ASSERT(i < c->input.closed);
    const struct commit_batch *b = &c->input.batches[i];
    *ret_partition = &b->partition->partition;
    *ret_batch = weir_slice(b->bytes, b->size);
}

struct log_commit *log_writer_durable(struct log_writer *writer) {
    struct commit *c = NULL;
    if (!slot_ring_pop(&writer->durable, &c)) return NULL;
    WEIR_ASSERT(c->state == COMMIT_SUBMITTED);
    c->state = COMMIT_DURABLE;
    for (uint32_t i = 0; i < c->input.count; i++) {
        const struct commit_batch *b = &c->input.batches[i];
        atomic_store_explicit(&b->partition->partition.durable, commit_batch_end(b), memory_order_release);
    }
    return &c->commit;
}

void log_commit_release(struct log_commit *commit) {
    struct commit *c = commit_of(commit);
    struct log *log = c->writer->log;
    WEIR_ASSERT(c->state == COMMIT_DURABLE); /* nothing leaves before its cause is durable */
    close_all(&c->output);
    c->state = COMMIT_RELEASED;
    bool pushed = slot_ring_push(&c->writer->released, &c);
    WEIR_ASSERT(pushed);
    log->sys->poller_wake(log->sys, log->store.poller);
}

/* ---- outputs
 * ----------------------------------------------------------------------------------------------------------- */

uint8_t *log_commit_output(struct log_commit *commit, struct log_partition *partition, uint64_t time_ms,
    struct weir_slice key, struct weir_slice header_key, struct weir_slice header_value, size_t size) {
    struct commit *c = commit_of(commit);
    struct partition *p = partition_of(partition);
    WEIR_ASSERT(partition->topic->config.derived && (c->state == COMMIT_SUBMITTED || c->state == COMMIT_DURABLE));
    WEIR_ASSERT(
        p->open_stamp <= c->stamp); /* outputs of an older commit behind those of a younger would not be in order */
    struct weir_record_header header = {header_key, header_value};
    size_t headers = header_key.data ? 1 : 0;
    uint64_t need = weir_record_size_max(key.size, size, &header, headers);
    struct commit_batch *b = batch_with_room(c, &c->output, p, time_ms, need, 0);
    uint8_t *value = NULL;
    if (!b || weir_record_builder_append_place(&b->builder, (int64_t)time_ms, key, size, &header, headers, &value))
        return NULL;
    partition->next++;
    return value;
}

uint64_t log_commit_output_room(const struct log_commit *commit) {
    const struct commit *c = commit_of(commit);
    return c->output.count == c->output.max ? 0 : c->output.size - c->output.used;
}

bool log_commit_output_batch(
    struct log_commit *commit, uint32_t *cursor, struct log_partition **ret_partition, struct weir_slice *ret_batch) {
    struct commit *c = commit_of(commit);
    close_all(&c->output);
    if (*cursor >= c->output.count) return false;
    const struct commit_batch *b = &c->output.batches[(*cursor)++];
    *ret_partition = &b->partition->partition;
    *ret_batch = weir_slice(b->bytes, b->size);
    return true;
}
