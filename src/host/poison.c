#include "host/poison.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/text.h"
#include "host/batch.h"
#include "host/envelope.h"

#define MAGIC      0x6e6f73696f707277u /* "wrpoison" */
#define FILE_MAX   (1u << 20)
#define READ_BYTES (2u << 20)

__thread struct poison_place poison_place;

void poison_store(uint32_t uid, uint64_t offset, uint8_t out[POISON_NOTE_SIZE]) {
    store_le64(out, MAGIC);
    store_le64(out + 8, uid);
    store_le64(out + 16, offset);
    store_le64(out + 24, hash_u64(offset, uid));
}

/* In the signal handler of the dying thread. */
static size_t last_words(void *out) {
    if (!poison_place.armed) return 0;
    poison_store(poison_place.uid, poison_place.offset, out);
    return POISON_NOTE_SIZE;
}

static void take_note(struct poison *poison, uint32_t uid, uint64_t offset) {
    for (uint32_t i = 0; i < poison->count; i++)
        if (poison->notes[i].uid == uid && poison->notes[i].offset == offset) {
            poison->notes[i].crashes++;
            return;
        }
    if (poison->count == POISON_NOTES_MAX) {
        memmove(&poison->notes[0], &poison->notes[1], (POISON_NOTES_MAX - 1) * sizeof poison->notes[0]);
        poison->count--;
    }
    poison->notes[poison->count++] = (struct poison_note){.uid = uid, .offset = offset, .crashes = 1};
}

static void parse(struct poison *poison, struct weir_slice bytes) {
    struct byte_reader r = byte_reader(bytes);
    while (byte_reader_left(&r) >= POISON_NOTE_SIZE) {
        uint64_t magic = byte_get_le64(&r), uid = byte_get_le64(&r), offset = byte_get_le64(&r),
                 check = byte_get_le64(&r);
        if (magic == MAGIC && uid <= UINT32_MAX && check == hash_u64(offset, uid))
            take_note(poison, (uint32_t)uid, offset);
    }
}

static enum weir_error rewrite(const struct poison *poison, const char *path, uint64_t *ret_size) {
    static uint8_t bytes[POISON_NOTES_MAX * POISON_PARKS * POISON_NOTE_SIZE];
    size_t size = 0;
    for (uint32_t i = 0; i < poison->count; i++)
        for (uint32_t n = 0; n < poison->notes[i].crashes && n < POISON_PARKS; n++, size += POISON_NOTE_SIZE)
            poison_store(poison->notes[i].uid, poison->notes[i].offset, bytes + size);
    *ret_size = size;
    return sys_replace_file(poison->sys, path, weir_slice(bytes, size));
}

enum weir_error poison_open(struct poison *poison, struct sys *sys, const char *folder) {
    poison->sys = sys;
    poison->file = -1;
    char snapshots[1024], path[sizeof snapshots + sizeof "/poison"];
    struct text_builder s = TEXT_BUILDER(snapshots), p = TEXT_BUILDER(path);
    text_printf(&s, "%s/snapshots", folder);
    text_printf(&p, "%s/poison", snapshots);
    enum weir_error e = sys_make_folders(sys, snapshots);
    if (e != WEIR_OK) return e;
    bool exists = false;
    e = sys->path_exists(sys, path, &exists);
    struct weir_slice bytes;
    if (e == WEIR_OK && exists && (e = sys_read_all(sys, path, FILE_MAX, &bytes)) == WEIR_OK) {
        parse(poison, bytes);
        sys_bytes_free(bytes);
    }
    uint64_t size = 0;
    if (e == WEIR_OK && poison->count) e = rewrite(poison, path, &size);
    if (e != WEIR_OK) return e;
    e = sys->file_open(sys, path, SYS_OPEN_WRITE | SYS_OPEN_CREATE, &poison->file);
    /* The last words are synced, which does not keep the file's name if it is new, or was when the last life died. */
    if (e == WEIR_OK && size == 0) e = sys->dir_sync(sys, snapshots);
    if (e == WEIR_OK) sys->on_crash(sys, poison->file, size, last_words);
    return e;
}

void poison_close(struct poison *poison) {
    if (!poison->sys || poison->file < 0) return;
    poison->sys->on_crash(poison->sys, -1, 0, NULL);
    poison->sys->file_close(poison->sys, poison->file);
    poison->file = -1;
}

/* ---- skips
 * ------------------------------------------------------------------------------------------------------------ */
typedef bool (*order_fn)(void *ctx, uint64_t skip);

/* Calls fn for every order to skip, from an offset to the end, until it returns false. */
static enum weir_error each_order(
    struct log *log, struct log_partition *partition, uint64_t from, uint8_t *buffer, order_fn fn, void *ctx) {
    bool going = true;
    while (going && from < atomic_load(&partition->high)) {
        size_t size = 0;
        enum weir_error e = log_read(log, partition, from, true, buffer, READ_BYTES, &size);
        if (e != WEIR_OK || size == 0) return e;
        for (size_t pos = 0; pos < size;) {
            struct batch_reader reader;
            struct batch_header header;
            struct batch_record record;
            struct envelope envelope;
            e = batch_open(&reader, weir_slice(buffer + pos, size - pos), &header);
            if (e != WEIR_OK) return e;
            while (going && batch_next(&reader, &record))
                if (record.offset >= from && envelope_load(&record.record, &envelope) == WEIR_OK &&
                    envelope.kind == WEIR_RECORD_SKIP)
                    going = fn(ctx, envelope.skip);
            pos += header.size;
            from = header.next_offset;
        }
    }
    return WEIR_OK;
}

struct sought {
    uint64_t offset;
    bool found;
};
static bool is_sought(void *ctx, uint64_t skip) {
    struct sought *sought = ctx;
    sought->found = sought->found || skip == sought->offset;
    return !sought->found;
}

static enum weir_error find_skip(
    struct log *log, struct log_partition *partition, uint64_t offset, uint8_t *buffer, bool *ret_found) {
    struct sought sought = {.offset = offset};
    enum weir_error e = each_order(log, partition, offset + 1, buffer, is_sought, &sought);
    *ret_found = sought.found;
    return e;
}

struct orders {
    uint64_t *skips;
    uint32_t max, count;
    bool full;
};
static bool take_order(void *ctx, uint64_t skip) {
    struct orders *o = ctx;
    o->full = o->count == o->max;
    if (!o->full) o->skips[o->count++] = skip;
    return !o->full;
}

enum weir_error poison_orders(
    struct log *log, struct log_partition *partition, uint64_t *skips, uint32_t max, uint32_t *ret_count) {
    void *buffer;
    enum weir_error e = sys_memory_map(READ_BYTES, &buffer);
    if (e != WEIR_OK) return e;
    struct orders orders = {.skips = skips, .max = max};
    e = each_order(log, partition, atomic_load(&partition->start), buffer, take_order, &orders);
    sys_memory_unmap(buffer, READ_BYTES);
    if (e == WEIR_OK && orders.full)
        e = weir_error_context(WEIR_E_FULL, "more than %u records are ordered to be passed over", max);
    if (e == WEIR_OK) *ret_count = orders.count;
    return e;
}

uint64_t poison_next(const struct poison *poison, uint32_t uid, uint64_t from, uint64_t end) {
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; i < poison->count; i++) {
        const struct poison_note *note = &poison->notes[i];
        if (note->uid == uid && note->crashes >= POISON_PARKS && note->offset >= from && note->offset < end &&
            note->offset < next)
            next = note->offset;
    }
    return next;
}

bool poison_beyond(const struct poison *poison, const struct log_partition *partition) {
    for (uint32_t i = 0; i < poison->count; i++)
        if (poison->notes[i].uid == partition->uid && poison->notes[i].offset >= partition->next) return true;
    return false;
}

enum weir_error poison_judge(const struct poison *poison, struct log *log, struct log_partition *partition,
    uint64_t from, uint64_t *skips, uint32_t max, uint32_t *ret_skip_count, uint64_t *ret_park) {
    uint64_t park = UINT64_MAX;
    uint32_t count = 0;
    enum weir_error e = WEIR_OK;
    void *buffer = NULL;
    for (uint32_t i = 0; e == WEIR_OK && i < poison->count; i++) {
        const struct poison_note *note = &poison->notes[i];
        if (note->uid != partition->uid || note->crashes < POISON_PARKS) continue;
        if (note->offset < atomic_load(&partition->start) || note->offset >= partition->next) continue;
        bool skipped = false;
        if (!buffer) e = sys_memory_map(READ_BYTES, &buffer);
        if (e == WEIR_OK) e = find_skip(log, partition, note->offset, buffer, &skipped);
        if (skipped && count < max)
            skips[count++] = note->offset;
        else if (note->offset >= from && note->offset < park)
            park = note->offset;
    }
    if (buffer) sys_memory_unmap(buffer, READ_BYTES);
    *ret_skip_count = count;
    *ret_park = park;
    return e;
}
