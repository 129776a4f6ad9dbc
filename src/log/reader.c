/* Reading batches from segments. See log.h (log_read, log_offset_at) and reader.h. */
#include "log/reader.h"

#include "base/bytes.h"
#include "log/state.h"

#include <stdlib.h>

/* A walk over the batch headers of one segment, from a mark on. */
struct cursor {
    struct log *log;
    struct partition *p;
    struct segment *s;
    int file;
    uint64_t byte, limit; /* of the next batch; bytes that are whole batches */
    uint64_t expected;    /* its base offset */
};

static enum weir_error corrupt(const struct cursor *c, const char *what) {
    struct log_path path;
    log_partition_segment_path(c->p, c->s->base, &path);
    return weir_error_context(WEIR_E_CORRUPT, "%s: byte %llu: %s; run: weir log verify %s", path.text,
        (unsigned long long)c->byte, what, c->log->folder);
}

static enum weir_error expired(uint64_t offset) {
    return weir_error_context(WEIR_E_OUT_OF_RANGE, "offset %llu is not stored any more", (unsigned long long)offset);
}

/* On the segment, whose reference it takes over, at the mark. */
static enum weir_error cursor_on(
    struct cursor *c, struct log *log, struct partition *p, struct segment *s, struct segment_mark mark) {
    *c = (struct cursor){.log = log, .p = p, .s = s, .file = -1, .byte = mark.byte, .expected = mark.offset};
    c->limit = atomic_load_explicit(&s->size, memory_order_acquire);
    if (s->memory) return WEIR_OK;
    enum weir_error e = log_segment_pin(&log->cache, s, false, &c->file);
    if (e) log_segment_drop(&log->cache, s);
    /* Retention may have taken the file since it was found in the table. */
    bool gone = e == WEIR_E_NOT_FOUND && mark.offset < atomic_load_explicit(&p->partition.start, memory_order_acquire);
    return gone ? expired(mark.offset) : e;
}

/* Opens at the last mark before offset, which is in start..high. */
static enum weir_error cursor_open(struct cursor *c, struct log *log, struct partition *p, uint64_t offset) {
    struct segment_mark mark;
    struct segment *s = log_partition_segment_at(p, offset, &mark);
    return s ? cursor_on(c, log, p, s, mark) : expired(offset);
}

static void cursor_close(struct cursor *c) {
    if (!c->s) return;
    if (c->file >= 0) log_segment_unpin(&c->log->cache, c->s);
    log_segment_drop(&c->log->cache, c->s);
}

/* The first batch behind an offset that a crash took; c->s NULL: none yet. */
static enum weir_error cursor_behind(struct cursor *c, struct log *log, struct partition *p, uint64_t offset) {
    struct segment *s = log_partition_segment_after(p, offset);
    uint64_t due = c->expected;
    *c = (struct cursor){.log = log, .p = p, .file = -1};
    if (!s) return WEIR_OK;
    if (!partition_may_resume(p, due, s->base)) {
        log_segment_drop(&log->cache, s);
        return weir_error_context(WEIR_E_CORRUPT,
            "%s-%u: the segment with offset %llu is missing; run: weir log verify %s", p->partition.topic->name,
            p->partition.index, (unsigned long long)due, log->folder);
    }
    if (atomic_load_explicit(&s->size, memory_order_acquire) > 0)
        return cursor_on(c, log, p, s, (struct segment_mark){s->base, 0});
    log_segment_drop(&log->cache, s); /* its first write is on its way */
    return WEIR_OK;
}

/* Checks the header at the front of bytes, which stand at c->byte. *ret_end: offset behind the batch. */
static enum weir_error check_header(
    const struct cursor *c, const uint8_t *bytes, uint64_t *ret_size, uint64_t *ret_end) {
    uint64_t size = (uint64_t)load_be32(bytes + WEIR_BATCH_AT_LENGTH) + WEIR_BATCH_LENGTH_BIAS;
    uint32_t delta = load_be32(bytes + WEIR_BATCH_AT_LAST_OFFSET_DELTA);
    if (bytes[WEIR_BATCH_AT_MAGIC] != WEIR_BATCH_MAGIC || size < WEIR_BATCH_HEADER_SIZE || size > c->limit - c->byte ||
        delta > INT32_MAX)
        return corrupt(c, "these bytes are no batch");
    if (load_be64(bytes) != c->expected) return corrupt(c, "the batch has another offset than the one that is due");
    *ret_size = size;
    *ret_end = c->expected + delta + 1;
    return WEIR_OK;
}

static void step_over(struct cursor *c, uint64_t size, uint64_t end) {
    c->byte += size;
    c->expected = end;
}

/* Marks what was passed, so that the next reader begins nearer. */
static void leave_mark(struct cursor *c) {
    spin_lock(&c->p->lock);
    log_segment_note(c->s, c->expected, c->byte);
    spin_unlock(&c->p->lock);
}

/* Goes to the batch that holds offset, or to the end of a loose partition's segment; `bytes` of `size` is working room.
 */
static enum weir_error seek_offset(struct cursor *c, uint64_t offset, uint8_t *bytes, size_t size) {
    while (c->byte < c->limit) {
        size_t got = 0, at = 0;
        enum weir_error e = log_segment_read(&c->log->cache, c->s, c->file, c->byte, bytes, size, &got);
        if (e) return e;
        if (got > c->limit - c->byte) got = (size_t)(c->limit - c->byte);
        if (got < WEIR_BATCH_HEADER_SIZE) return corrupt(c, "the file ends too early");
        while (at + WEIR_BATCH_HEADER_SIZE <= got) {
            uint64_t batch = 0, end = 0;
            e = check_header(c, bytes + at, &batch, &end);
            if (e) return e;
            if (offset < end) {
                leave_mark(c);
                return WEIR_OK;
            }
            step_over(c, batch, end);
            if (batch > got - at) break;
            at += (size_t)batch;
        }
        leave_mark(c);
    }
    return partition_loose(c->p) ? WEIR_OK : corrupt(c, "the segment ends before the offset that is due");
}

/* Opens at the batch that holds offset, or at the first one behind it when a crash took that; c->s NULL: there is none
 * yet. To be closed when it returns OK. */
static enum weir_error cursor_find(
    struct cursor *c, struct log *log, struct partition *p, uint64_t offset, uint8_t *bytes, size_t size) {
    enum weir_error e = cursor_open(c, log, p, offset);
    if (e) return e;
    e = seek_offset(c, offset, bytes, size);
    bool passed = !e && c->byte == c->limit;
    if (e || passed) cursor_close(c);
    return passed ? cursor_behind(c, log, p, offset) : e;
}

/* Trims what was read at the cursor to whole batches below high, checks each. */
static enum weir_error trim(
    struct cursor *c, uint64_t high, bool verify, const uint8_t *bytes, size_t got, size_t *ret_size) {
    size_t at = 0;
    while (at + WEIR_BATCH_HEADER_SIZE <= got) {
        uint64_t size = 0, end = 0;
        if (c->expected >= high) break;
        enum weir_error e = check_header(c, bytes + at, &size, &end);
        if (e) return e;
        if (size > got - at) {
            if (at == 0) *ret_size = (size_t)size;
            return at == 0 ? WEIR_E_TOO_LARGE : (*ret_size = at, WEIR_OK);
        }
        struct weir_slice batch = weir_slice(bytes + at, (size_t)size);
        struct weir_record_batch header;
        if (verify && weir_record_batch_check(batch, NULL, &header))
            return corrupt(c, "the batch is malformed or does not match its checksum");
        step_over(c, size, end);
        at += (size_t)size;
    }
    *ret_size = at;
    return WEIR_OK;
}

static enum weir_error check_range(struct partition *p, uint64_t offset, uint64_t *ret_high) {
    uint64_t high = atomic_load_explicit(&p->partition.high, memory_order_acquire);
    uint64_t start = atomic_load_explicit(&p->partition.start, memory_order_acquire);
    if (offset < start || offset > high)
        return weir_error_context(WEIR_E_OUT_OF_RANGE, "offset %llu of %s-%u; stored are %llu to %llu",
            (unsigned long long)offset, p->partition.topic->name, p->partition.index, (unsigned long long)start,
            (unsigned long long)high);
    if (atomic_load_explicit(&p->deleted, memory_order_acquire))
        return weir_error_context(WEIR_E_NOT_FOUND, "topic %s was deleted", p->partition.topic->name);
    *ret_high = high;
    return WEIR_OK;
}

/* Reads from the cursor, which stands on the batch wanted. */
static enum weir_error read_here(
    struct cursor *c, uint64_t high, bool verify, void *data, size_t size, size_t *ret_size) {
    size_t want = size, got = 0;
    if (want > c->limit - c->byte) want = (size_t)(c->limit - c->byte);
    enum weir_error e = log_segment_read(&c->log->cache, c->s, c->file, c->byte, data, want, &got);
    if (e) return e;
    if (got < want) return corrupt(c, "the file ends too early");
    if (got < WEIR_BATCH_HEADER_SIZE) { /* not even the header fits: a larger buffer tells */
        *ret_size = WEIR_BATCH_HEADER_SIZE;
        return WEIR_E_TOO_LARGE;
    }
    return trim(c, high, verify, data, got, ret_size);
}

enum weir_error log_read(struct log *log, struct log_partition *partition, uint64_t offset, bool verify, void *data,
    size_t size, size_t *ret_size) {
    struct partition *p = partition_of(partition);
    struct cursor c;
    uint64_t high = 0;
    uint8_t small[4096];
    enum weir_error e = check_range(p, offset, &high);
    if (e) return e;
    if (offset == high) {
        *ret_size = 0;
        return WEIR_OK;
    }
    e = size > sizeof small ? cursor_find(&c, log, p, offset, data, size < READER_CHUNK ? size : READER_CHUNK)
                            : cursor_find(&c, log, p, offset, small, sizeof small);
    if (e) return e;
    if (c.s && c.expected < high)
        e = read_here(&c, high, verify, data, size, ret_size);
    else
        *ret_size = 0;
    cursor_close(&c);
    return e;
}

enum weir_error log_batch_time(struct log *log, struct partition *p, uint64_t offset, uint64_t *ret_time_ms) {
    struct cursor c;
    uint8_t bytes[4096];
    size_t got = 0;
    enum weir_error e = cursor_find(&c, log, p, offset, bytes, sizeof bytes);
    if (e) return e;
    if (!c.s) return expired(offset);
    if (!e) e = log_segment_read(&log->cache, c.s, c.file, c.byte, bytes, WEIR_BATCH_HEADER_SIZE, &got);
    if (!e && got < WEIR_BATCH_HEADER_SIZE) e = corrupt(&c, "the file ends too early");
    if (!e) *ret_time_ms = load_be64(bytes + WEIR_BATCH_AT_MAX_TIMESTAMP);
    cursor_close(&c);
    return e;
}

enum weir_error log_batch_place(struct log *log, struct partition *p, uint64_t offset, struct batch_place *ret_place) {
    struct cursor c;
    uint8_t bytes[4096];
    size_t got = 0;
    enum weir_error e = cursor_open(&c, log, p, offset);
    if (e) return e;
    struct batch_place place = {.segment = c.s->base};
    e = seek_offset(&c, offset, bytes, sizeof bytes);
    if (!e) e = log->sys->file_read(log->sys, c.file, c.byte, bytes, WEIR_BATCH_HEADER_SIZE, &got);
    if (!e && got < WEIR_BATCH_HEADER_SIZE) e = corrupt(&c, "the file ends too early");
    if (!e) e = check_header(&c, bytes, &place.size, &place.end);
    place.byte = c.byte;
    place.offset = c.expected;
    cursor_close(&c);
    if (!e) *ret_place = place;
    return e;
}

/* ---- by time
 * -------------------------------------------------------------------------------------------------------------------
 */

static uint64_t next_segment(struct partition *p, uint64_t base, uint64_t high) {
    struct segment *s = log_partition_segment_after(p, base);
    if (!s) return high;
    uint64_t next = s->base;
    log_segment_drop(&p->log->cache, s);
    return next;
}

/* The first batch from `from` on, in its segment, whose time is not before time_ms. *ret_offset UINT64_MAX: none here;
 * *ret_next is where the next segment goes on. */
static enum weir_error scan_time(struct log *log, struct partition *p, uint64_t from, uint64_t high, uint64_t time_ms,
    uint8_t *bytes, uint64_t *ret_offset, uint64_t *ret_next) {
    struct cursor c;
    enum weir_error e = cursor_open(&c, log, p, from);
    if (e) return e;
    *ret_offset = UINT64_MAX;
    while (!e && c.byte < c.limit && c.expected < high && *ret_offset == UINT64_MAX) {
        size_t got = 0, at = 0;
        e = log_segment_read(&log->cache, c.s, c.file, c.byte, bytes, READER_CHUNK, &got);
        if (!e && got < WEIR_BATCH_HEADER_SIZE) e = corrupt(&c, "the file ends too early");
        while (!e && at + WEIR_BATCH_HEADER_SIZE <= got && c.byte < c.limit) {
            uint64_t size = 0, end = 0;
            e = check_header(&c, bytes + at, &size, &end);
            if (e) break;
            if (c.expected >= from && load_be64(bytes + at + WEIR_BATCH_AT_MAX_TIMESTAMP) >= time_ms) {
                *ret_offset = c.expected;
                break;
            }
            step_over(&c, size, end);
            if (size > got - at) break;
            at += (size_t)size;
        }
    }
    if (!e && *ret_offset == UINT64_MAX && c.expected <= from && !partition_loose(p))
        e = corrupt(&c, "the segment ends before the offset that is due");
    *ret_next = partition_loose(p) ? next_segment(p, c.s->base, high) : c.expected;
    cursor_close(&c);
    return e;
}

/* Halves start..high by whole batches while the time in the middle is too early: times of appended records only rise.
 */
static enum weir_error narrow(struct log *log, struct partition *p, uint64_t time_ms, uint64_t *low, uint64_t high) {
    while (high - *low > 1024) {
        uint64_t middle = *low + (high - *low) / 2, found = 0;
        enum weir_error e = log_batch_time(log, p, middle, &found);
        if (e == WEIR_E_OUT_OF_RANGE) found = UINT64_MAX; /* taken by a crash, with nothing behind it yet */
        if (e && e != WEIR_E_OUT_OF_RANGE) return e;
        if (found < time_ms)
            *low = middle;
        else
            high = middle;
    }
    return WEIR_OK;
}

enum weir_error log_offset_at(
    struct log *log, struct log_partition *partition, uint64_t time_ms, uint64_t *ret_offset) {
    struct partition *p = partition_of(partition);
    uint64_t high = 0, from = atomic_load_explicit(&partition->start, memory_order_acquire), found = UINT64_MAX;
    enum weir_error e = check_range(p, from, &high);
    if (e) return e;
    e = narrow(log, p, time_ms, &from, high);
    if (e) return e;
    uint8_t *bytes = malloc(READER_CHUNK);
    if (!bytes) return weir_error_context(WEIR_E_NO_MEMORY, "no memory to search by time");
    while (!e && from < high && found == UINT64_MAX)
        e = scan_time(log, p, from, high, time_ms, bytes, &found, &from);
    free(bytes);
    if (!e) *ret_offset = found < high ? found : high;
    return e;
}
