#include "host/snapshot.h"
#include "base/assert.h"
#include "base/crc32c.h"
#include "base/text.h"

#define HEAD_SIZE   24u
#define CHECKSUM_AT 12u

/* ---- store ---------------------------------------------------------------------------------------------------------
 */
static enum weir_error put_u32(struct weir_sink *sink, uint32_t x) {
    uint8_t b[4];
    store_le32(b, x);
    return weir_sink_put(sink, b, sizeof b);
}

static enum weir_error put_u64(struct weir_sink *sink, uint64_t x) {
    uint8_t b[8];
    store_le64(b, x);
    return weir_sink_put(sink, b, sizeof b);
}

static enum weir_error put_head(const struct fold *fold, struct weir_sink *sink) {
    uint8_t bytes[HEAD_SIZE + 16 + 32 + 2 + 256 + 4 + 8 * FOLD_TOPICS_MAX];
    struct byte_writer w = byte_writer(bytes, sizeof bytes);
    byte_put(&w, "WEIRSNAP", 8);
    byte_put_le32(&w, fold->effects.row_count ? SNAPSHOT_FORMAT : SNAPSHOT_FORMAT_NO_EFFECTS);
    byte_put_zeros(&w, 12); /* CRC and size, at the end */
    byte_put_le32(&w, fold->uid);
    byte_put_le32(&w, fold->options.partition);
    byte_put_le32(&w, fold->options.partition_count);
    byte_put_le32(&w, fold->in_force.version);
    byte_put_le64(&w, fold->applied);
    byte_put_le64(&w, fold->time_ns);
    byte_put_le64(&w, fold->emission.state);
    byte_put_le64(&w, fold_digest(fold));
    struct weir_slice name = weir_slice_text(fold->service->name);
    byte_put_le16(&w, (uint16_t)name.size);
    byte_put_slice(&w, name);
    byte_put_le32(&w, fold->topic_count);
    for (uint32_t i = 0; i < fold->topic_count; i++)
        byte_put_le64(&w, fold->outputs_next[i]);
    WEIR_ASSERT(!w.failed);
    enum weir_error e = weir_sink_put(sink, bytes, w.at);
    uint8_t in_force[IN_FORCE_RECORD_MAX];
    size_t size = in_force_store(&fold->in_force, fold->service, in_force);
    if (e == WEIR_OK) e = put_u32(sink, (uint32_t)size);
    return e == WEIR_OK ? weir_sink_put(sink, in_force, size) : e;
}

static enum weir_error put_timers(const struct fold *fold, struct weir_sink *sink) {
    enum weir_error e = put_u32(sink, fold->timers.count);
    for (uint32_t i = 0; e == WEIR_OK && i < fold->timers.count; i++) {
        e = put_u64(sink, fold->timers.heap[i].at_ns);
        if (e == WEIR_OK) e = put_u64(sink, fold->timers.heap[i].id);
    }
    return e;
}

static enum weir_error put_sources(const struct fold *fold, struct weir_sink *sink) {
    enum weir_error e = put_u32(sink, fold->sources.count);
    uint32_t place = 0;
    struct envelope_source s;
    while (e == WEIR_OK && sources_each(&fold->sources, &place, &s)) {
        uint8_t b[20];
        store_le32(b, s.uid);
        store_le32(b + 4, s.epoch);
        store_le64(b + 8, s.offset);
        store_le32(b + 16, s.index);
        e = weir_sink_put(sink, b, sizeof b);
    }
    return e;
}

static enum weir_error put_idempotency(const struct fold *fold, struct weir_sink *sink) {
    enum weir_error e = put_u32(sink, fold->idempotency.count);
    uint64_t position = fold->idempotency.head;
    const struct idempotency_entry *entry;
    while (e == WEIR_OK && (entry = idempotency_next(&fold->idempotency, &position))) {
        uint8_t b[42];
        store_le64(b, entry->time_ns);
        store_le64(b + 8, entry->offset);
        store_le64(b + 16, entry->body_hash[0]);
        store_le64(b + 24, entry->body_hash[1]);
        store_le16(b + 32, entry->status);
        store_le16(b + 34, entry->replied);
        store_le32(b + 36, entry->value_size);
        store_le16(b + 40, entry->key_size);
        e = weir_sink_put(sink, b, sizeof b);
        if (e == WEIR_OK) e = weir_sink_put(sink, entry + 1, (size_t)entry->key_size + entry->value_size);
    }
    return e;
}

uint32_t snapshot_checksum(struct weir_slice bytes) {
    uint32_t crc = crc32c(bytes.data, CHECKSUM_AT);
    return crc32c_update(crc, bytes.data + CHECKSUM_AT + 4, bytes.size - CHECKSUM_AT - 4);
}

enum weir_error snapshot_store(const struct fold *fold, struct weir_sink *sink) {
    WEIR_ASSERT(!sink->put && sink->size == 0);
    enum weir_error e = put_head(fold, sink);
    if (e == WEIR_OK) e = put_timers(fold, sink);
    if (e == WEIR_OK) e = put_sources(fold, sink);
    if (e == WEIR_OK) e = put_idempotency(fold, sink);
    if (e == WEIR_OK && fold->effects.row_count) e = effects_save(&fold->effects, sink);
    size_t state_at = sink->size;
    if (e == WEIR_OK) e = put_u64(sink, 0);
    if (e == WEIR_OK) e = fold_save(fold, sink);
    if (e != WEIR_OK) return weir_error_wrap(e, "service %s cannot save its state", fold->service->name);
    store_le64(sink->data + state_at, sink->size - state_at - 8);
    store_le64(sink->data + 16, sink->size);
    store_le32(sink->data + CHECKSUM_AT, snapshot_checksum(weir_slice(sink->data, sink->size)));
    return WEIR_OK;
}

/* ---- load ----------------------------------------------------------------------------------------------------------
 */
static enum weir_error check_frame(struct weir_slice bytes) {
    if (bytes.size < HEAD_SIZE || memcmp(bytes.data, "WEIRSNAP", 8) != 0)
        return weir_error_context(WEIR_E_CORRUPT, "it is not a snapshot");
    if (load_le64(bytes.data + 16) != bytes.size)
        return weir_error_context(WEIR_E_CORRUPT, "it has %zu bytes and should have %llu", bytes.size,
            (unsigned long long)load_le64(bytes.data + 16));
    if (load_le32(bytes.data + CHECKSUM_AT) != snapshot_checksum(bytes))
        return weir_error_context(WEIR_E_CORRUPT, "its checksum is wrong");
    /* Only now: a format number that has rotted is damage, and an older snapshot will do. */
    uint32_t format = load_le32(bytes.data + 8);
    if (format != SNAPSHOT_FORMAT && format != SNAPSHOT_FORMAT_NO_EFFECTS)
        return weir_error_context(
            WEIR_E_VERSION, "its format is %u and this binary reads up to %u", format, SNAPSHOT_FORMAT);
    return WEIR_OK;
}

enum weir_error snapshot_check(struct weir_slice bytes, const struct fold_options *options,
    struct snapshot_head *ret_head, struct byte_reader *ret_rest) {
    enum weir_error e = check_frame(bytes);
    if (e != WEIR_OK) return e;
    struct byte_reader r = byte_reader(bytes);
    byte_skip(&r, HEAD_SIZE);
    struct snapshot_head *h = ret_head;
    h->uid = byte_get_le32(&r);
    h->partition = byte_get_le32(&r);
    h->partition_count = byte_get_le32(&r);
    h->version = byte_get_le32(&r);
    h->applied = byte_get_le64(&r);
    h->time_ns = byte_get_le64(&r);
    h->emission = byte_get_le64(&r);
    h->digest = byte_get_le64(&r);
    struct weir_slice name = byte_get_slice(&r, byte_get_le16(&r));
    h->output_rows = byte_get_le32(&r);
    memset(h->outputs_next, 0, sizeof h->outputs_next);
    if (h->output_rows > FOLD_TOPICS_MAX) r.failed = true;
    for (uint32_t i = 0; i < h->output_rows && !r.failed; i++)
        h->outputs_next[i] = byte_get_le64(&r);
    struct weir_slice in_force = byte_get_slice(&r, byte_get_le32(&r));
    if (r.failed) return weir_error_context(WEIR_E_CORRUPT, "its head cannot be read");
    if (!weir_slice_equal(name, weir_slice_text(options->service->name)) || h->uid != options->uid ||
        h->partition != options->partition)
        return weir_error_context(WEIR_E_CORRUPT, "it is another partition's");
    e = in_force_load(&h->in_force, options->service, options->initial, in_force);
    *ret_rest = r;
    return e;
}

static void get_timers(struct fold *fold, struct byte_reader *r) {
    uint32_t count = byte_get_le32(r);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        uint64_t at_ns = byte_get_le64(r), id = byte_get_le64(r);
        if (!r->failed) timers_set(&fold->timers, id, at_ns);
    }
}

static void get_sources(struct fold *fold, struct byte_reader *r) {
    uint32_t count = byte_get_le32(r);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        struct envelope_source s = {.uid = byte_get_le32(r)};
        s.epoch = byte_get_le32(r);
        s.offset = byte_get_le64(r);
        s.index = byte_get_le32(r);
        if (s.epoch == 0) r->failed = true;
        if (!r->failed) sources_raise(&fold->sources, &s);
    }
}

static void get_idempotency(struct fold *fold, struct byte_reader *r) {
    uint32_t count = byte_get_le32(r);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        struct idempotency_new n = {.time_ns = byte_get_le64(r)};
        n.offset = byte_get_le64(r);
        n.body_hash[0] = byte_get_le64(r);
        n.body_hash[1] = byte_get_le64(r);
        n.status = byte_get_le16(r);
        n.replied = byte_get_le16(r) != 0;
        uint32_t value_size = byte_get_le32(r);
        uint16_t key_size = byte_get_le16(r);
        n.key = byte_get_slice(r, key_size);
        n.value = byte_get_slice(r, value_size);
        if (!r->failed) idempotency_add(&fold->idempotency, &n);
    }
}

enum weir_error snapshot_load(struct fold *fold, const struct fold_options *options, struct weir_slice bytes) {
    struct snapshot_head head = {0};
    struct byte_reader r;
    enum weir_error e = snapshot_check(bytes, options, &head, &r);
    if (e == WEIR_OK) e = fold_open(fold, options, &head.in_force);
    if (e != WEIR_OK) return e;
    fold->applied = head.applied;
    fold->time_ns = head.time_ns;
    fold->emission.state = head.emission;
    memcpy(fold->outputs_next, head.outputs_next, sizeof fold->outputs_next);
    get_timers(fold, &r);
    get_sources(fold, &r);
    get_idempotency(fold, &r);
    if (load_le32(bytes.data + 8) == SNAPSHOT_FORMAT) e = effects_load(&fold->effects, &r);
    uint64_t state_size = byte_get_le64(&r);
    struct weir_source source = {
        .reader = byte_reader(byte_get_slice(&r, (size_t)state_size)), .version = head.version};
    if (e == WEIR_OK && r.failed) e = weir_error_context(WEIR_E_CORRUPT, "its parts do not fit together");
    if (e == WEIR_OK) e = fold_load(fold, &source);
    /* Another version may keep its digest in another way. */
    if (e == WEIR_OK && head.version == fold->service->version && fold_digest(fold) != head.digest)
        e = weir_error_context(WEIR_E_MISMATCH, "the loaded state's digest differs from the saved one's");
    if (e != WEIR_OK) fold_done(fold);
    return e;
}
