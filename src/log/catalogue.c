/* The catalogue file, and reading it into topics. See catalogue.h; creating and deleting: topic.c. */
#include "log/catalogue.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "log/state.h"
#include "log/topic.h"

#include <stdlib.h>

#define FLAG_DERIVED      1u
#define FLAG_INTERNAL     2u
#define COMPRESSION_SHIFT 2
#define FLAGS_END         (1u << (COMPRESSION_SHIFT + 2))

bool log_catalogue_name_valid(const char *name) {
    size_t size = strlen(name);
    if (size == 0 || size > LOG_TOPIC_NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == size;
}

static enum weir_error damaged(const char *what) {
    return weir_error_context(WEIR_E_CORRUPT, "the catalogue is damaged (%s); run: weir log repair", what);
}

static enum weir_error decode_topic(struct byte_reader *r, catalogue_topic_fn fn, void *ctx) {
    struct catalogue_topic t = {0};
    t.name = byte_get_slice(r, byte_get_u8(r));
    t.folder = byte_get_slice(r, byte_get_u8(r));
    uint8_t durability = byte_get_u8(r);
    t.config.durability = (enum log_durability)durability;
    uint8_t flags = byte_get_u8(r);
    t.config.derived = flags & FLAG_DERIVED;
    t.config.internal = flags & FLAG_INTERNAL;
    t.config.compression = (enum log_compression)(flags >> COMPRESSION_SHIFT);
    t.config.retention_bytes = byte_get_le64(r);
    t.config.retention_ms = byte_get_le64(r);
    t.config.segment_bytes = byte_get_le64(r);
    t.partition_count = byte_get_le32(r);
    if (r->failed || t.partition_count > byte_reader_left(r) / 4) return damaged("a topic");
    t.uids = byte_get_slice(r, (size_t)t.partition_count * 4);
    if (r->failed || durability >= LOG_DURABILITIES || flags >= FLAGS_END || t.name.size == 0 ||
        t.name.size > LOG_TOPIC_NAME_MAX || t.folder.size < t.name.size || t.folder.size > LOG_TOPIC_NAME_MAX + 15)
        return damaged("a topic");
    return fn ? fn(ctx, &t) : WEIR_OK;
}

enum weir_error log_catalogue_decode(
    struct weir_slice bytes, struct catalogue_header *ret_header, catalogue_topic_fn fn, void *ctx) {
    if (bytes.size < 28) return damaged("it is too short");
    if (crc32c(bytes.data, bytes.size - 4) != load_le32(bytes.data + bytes.size - 4))
        return damaged("its checksum does not match");
    struct byte_reader r = byte_reader(weir_slice(bytes.data, bytes.size - 4));
    if (byte_get_le32(&r) != CATALOGUE_MAGIC) return damaged("its first bytes");
    uint16_t version = byte_get_le16(&r);
    if (version < CATALOGUE_VERSION_PLAIN || version > CATALOGUE_VERSION)
        return weir_error_context(WEIR_E_VERSION, "the catalogue has version %u; this binary knows %u to %u", version,
            CATALOGUE_VERSION_PLAIN, CATALOGUE_VERSION);
    byte_skip(&r, 2);
    ret_header->next_uid = byte_get_le32(&r);
    ret_header->next_producer_id = byte_get_le64(&r);
    uint32_t topics = byte_get_le32(&r);
    for (uint32_t i = 0; i < topics; i++) {
        enum weir_error e = decode_topic(&r, fn, ctx);
        if (e) return e;
    }
    return byte_reader_finished(&r) ? WEIR_OK : damaged("bytes behind its topics");
}

static enum weir_error load_topic(void *ctx, const struct catalogue_topic *t) {
    struct log *log = ctx;
    char name[LOG_TOPIC_NAME_MAX + 1], folder[LOG_TOPIC_NAME_MAX + 16];
    memcpy(name, t->name.data, t->name.size);
    name[t->name.size] = 0;
    memcpy(folder, t->folder.data, t->folder.size);
    folder[t->folder.size] = 0;
    if (!log_catalogue_name_valid(name) || strchr(folder, '/')) return damaged("a topic's name");
    struct topic *topic = NULL;
    enum weir_error e = log_topic_new(log, name, folder, &t->config, t->partition_count, &topic);
    for (uint32_t i = 0; !e && i < t->partition_count; i++)
        topic->topic.partitions[i]->uid = load_le32(t->uids.data + (size_t)i * 4);
    if (!e) e = log_topic_publish(log, topic);
    return e;
}

enum weir_error log_catalogue_load(struct log *log) {
    struct log_path path;
    struct weir_slice bytes;
    struct catalogue_header header = {0};
    log_path(log, &path, "catalogue");
    enum weir_error e = sys_read_all(log->sys, path.text, CATALOGUE_BYTES_MAX, &bytes);
    if (e) return e;
    e = log_catalogue_decode(bytes, &header, load_topic, log);
    sys_bytes_free(bytes);
    if (e) return weir_error_wrap(e, "%s", path.text);
    log->next_uid = header.next_uid;
    log->next_producer_id = log->producer_id_end = header.next_producer_id;
    return WEIR_OK;
}

/* ---- writing
 * -------------------------------------------------------------------------------------------------------------- */

static struct topic_change as_it_is(struct topic *t) {
    return (struct topic_change){t, t->topic.config, t->topic.partitions, t->topic.partition_count};
}

static struct topic_change as_it_will_be(const struct log *log, struct topic *t) {
    return log->change && log->change->topic == t ? *log->change : as_it_is(t);
}

static void put_topic(struct byte_writer *w, const struct topic_change *c) {
    const struct topic *t = c->topic;
    const struct log_topic *topic = &t->topic;
    byte_put_u8(w, (uint8_t)strlen(topic->name));
    byte_put_slice(w, weir_slice_text(topic->name));
    byte_put_u8(w, (uint8_t)strlen(t->folder));
    byte_put_slice(w, weir_slice_text(t->folder));
    byte_put_u8(w, (uint8_t)c->config.durability);
    byte_put_u8(w, (uint8_t)((c->config.derived ? FLAG_DERIVED : 0) | (c->config.internal ? FLAG_INTERNAL : 0) |
                             (unsigned)c->config.compression << COMPRESSION_SHIFT));
    byte_put_le64(w, c->config.retention_bytes);
    byte_put_le64(w, c->config.retention_ms);
    byte_put_le64(w, c->config.segment_bytes);
    byte_put_le32(w, c->partition_count);
    for (uint32_t i = 0; i < c->partition_count; i++)
        byte_put_le32(w, c->partitions[i]->uid);
}

/* What binaries of the first version know how to keep. */
static bool is_plain(const struct topic *t) {
    const struct log_topic_config *c = &t->topic.config;
    return c->durability == LOG_DURABLE && c->compression == LOG_COMPRESSION_PRODUCER;
}

enum weir_error log_catalogue_encode(struct log *log, struct weir_slice *ret_bytes) {
    uint32_t slots = atomic_load(&log->topic_count), count = 0;
    size_t size = 32;
    bool plain = !log->coming || is_plain(log->coming);
    for (uint32_t i = 0; i < slots; i++) {
        struct topic *t = atomic_load(&log->topics[i]);
        if (!t || t == log->leaving) continue;
        plain = plain && is_plain(t);
        size += 320 + (size_t)as_it_will_be(log, t).partition_count * 4;
        count++;
    }
    if (log->coming) size += 320 + (size_t)log->coming->topic.partition_count * 4;
    uint8_t *bytes = malloc(size);
    if (!bytes) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a catalogue of %zu bytes", size);
    struct byte_writer w = byte_writer(bytes, size);
    byte_put_le32(&w, CATALOGUE_MAGIC);
    byte_put_le16(&w, plain ? CATALOGUE_VERSION_PLAIN : CATALOGUE_VERSION);
    byte_put_le16(&w, 0);
    byte_put_le32(&w, log->next_uid);
    byte_put_le64(&w, log->producer_id_end);
    byte_put_le32(&w, count + (log->coming != NULL));
    for (uint32_t i = 0; i < slots; i++) {
        struct topic *t = atomic_load(&log->topics[i]);
        if (!t || t == log->leaving) continue;
        struct topic_change c = as_it_will_be(log, t);
        put_topic(&w, &c);
    }
    if (log->coming) {
        struct topic_change c = as_it_is(log->coming);
        put_topic(&w, &c);
    }
    byte_put_le32(&w, crc32c(w.data, w.at));
    WEIR_ASSERT(!w.failed);
    *ret_bytes = byte_writer_slice(&w);
    return WEIR_OK;
}

enum weir_error log_catalogue_save(struct log *log) {
    struct log_path path;
    struct weir_slice bytes = {0};
    enum weir_error e = log_catalogue_encode(log, &bytes);
    if (e) return e;
    log_path(log, &path, "catalogue");
    e = sys_replace_file(log->sys, path.text, bytes);
    free((void *)(uintptr_t)bytes.data);
    if (!e) log->catalogue_dirty = false;
    return e;
}

struct partition *log_catalogue_partition(struct log *log, uint32_t uid) {
    uint32_t count = atomic_load(&log->partition_count);
    /* Slots were filled in the catalogue's order, mostly ascending: the slot at the uid or before it is the usual one.
     */
    for (uint32_t i = uid < count ? uid + 1 : count; i-- > 0;) {
        struct partition *p = atomic_load(&log->partitions[i]);
        if (p && p->partition.uid == uid) return p;
    }
    for (uint32_t i = uid; i < count; i++) {
        struct partition *p = atomic_load(&log->partitions[i]);
        if (p && p->partition.uid == uid) return p;
    }
    return NULL;
}

/* ---- leftovers
 * -------------------------------------------------------------------------------------------------------------- */

struct sweep {
    struct log *log;
    enum weir_error error;
};

static bool sweep_folder(void *ctx, const char *name, bool is_folder) {
    struct sweep *s = ctx;
    uint32_t slots = atomic_load(&s->log->topic_count);
    if (!is_folder) return true;
    for (uint32_t i = 0; i < slots; i++) {
        struct topic *t = atomic_load(&s->log->topics[i]);
        if (t && strcmp(t->folder, name) == 0) return true;
    }
    s->error = log_topic_remove_folder(s->log, name);
    return s->error == WEIR_OK;
}

enum weir_error log_catalogue_sweep(struct log *log) {
    struct sweep s = {log, WEIR_OK};
    struct log_path path;
    bool exists = false;
    log_path(log, &path, "topics");
    enum weir_error e = log->sys->path_exists(log->sys, path.text, &exists);
    if (!e && exists) e = log->sys->dir_list(log->sys, path.text, sweep_folder, &s);
    return e ? e : s.error;
}
