/* See manifest.h. Reading it: manifest_parse.c. */
#include "backup/manifest.h"

#include "base/civil.h"
#include "base/encode.h"
#include "base/json.h"

#include <stdlib.h>

void manifest_init(struct manifest *m) {
    *m = (struct manifest){0};
    arena_init(&m->arena, NULL, 64u << 10, 2 * MANIFEST_BYTES_MAX);
}

void manifest_done(struct manifest *m) {
    manifest_partitions_done(&m->partitions);
    manifest_files_done(&m->files);
    manifest_objects_done(&m->objects);
    arena_done(&m->arena);
}

struct manifest_file *manifest_file_add(struct manifest *m, const char *path) {
    struct manifest_file f = {.path = arena_strdup(&m->arena, path), .first = m->objects.count};
    if (!f.path || !manifest_files_push(&m->files, f)) return NULL;
    return &m->files.data[m->files.count - 1];
}

static int compare_files(const void *a, const void *b) {
    const struct manifest_file *x = a, *y = b;
    return strcmp(x->path, y->path);
}

void manifest_sort(struct manifest *m) {
    if (m->files.count > 1) qsort(m->files.data, m->files.count, sizeof(struct manifest_file), compare_files);
}

const struct manifest_file *manifest_file_find(const struct manifest *m, const char *path) {
    const struct manifest_file key = {.path = path};
    return m->files.count == 0
               ? NULL
               : bsearch(&key, m->files.data, m->files.count, sizeof(struct manifest_file), compare_files);
}

bool manifest_path_valid(const char *path) {
    struct weir_slice s = weir_slice_text(path);
    if (s.size >= MANIFEST_PATH_MAX) return false;
    if (strcmp(path, "catalogue") == 0) return true;
    if (!text_starts_with(s, "topics/") && !text_starts_with(s, "snapshots/")) return false;
    size_t part = 0;
    for (size_t i = 0; i <= s.size; i++) {
        char c = path[i];
        if (c == '/' || c == 0) {
            bool dots = part > 0 && part <= 2 && path[i - 1] == '.' && path[i - part] == '.';
            if (part == 0 || dots) return false;
            part = 0;
            continue;
        }
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && c != '.' && c != '_' && c != '-' && c != '~') return false;
        part++;
    }
    return true;
}

/* ---- print ---- */

static void put_digest(struct json_writer *w, const uint8_t digest[OBJECT_DIGEST_SIZE]) {
    char hex[2 * OBJECT_DIGEST_SIZE];
    hex_encode(weir_slice(digest, OBJECT_DIGEST_SIZE), hex);
    json_put_slice(w, "sha256", weir_slice(hex, sizeof hex));
}

static void put_partitions(struct json_writer *w, const struct manifest *m) {
    json_write_key(w, "partitions");
    json_write_array_open(w);
    for (size_t i = 0; i < m->partitions.count; i++) {
        const struct manifest_partition *p = &m->partitions.data[i];
        json_write_object_open(w);
        json_put_text(w, "topic", p->topic);
        json_put_u64(w, "partition", p->index);
        json_put_u64(w, "uid", p->uid);
        json_put_bool(w, "derived", p->derived);
        json_put_u64(w, "start", p->start);
        json_put_u64(w, "end", p->end);
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

static void put_files(struct json_writer *w, const struct manifest *m) {
    json_write_key(w, "files");
    json_write_array_open(w);
    for (size_t i = 0; i < m->files.count; i++) {
        const struct manifest_file *f = &m->files.data[i];
        json_write_object_open(w);
        json_put_text(w, "path", f->path);
        json_put_u64(w, "bytes", f->bytes);
        json_write_key(w, "objects");
        json_write_array_open(w);
        for (size_t k = 0; k < f->count; k++) {
            json_write_object_open(w);
            put_digest(w, m->objects.data[f->first + k].digest);
            json_put_u64(w, "bytes", m->objects.data[f->first + k].bytes);
            json_write_object_close(w);
        }
        json_write_array_close(w);
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

static void put_cut(struct json_writer *w, const struct manifest *m) {
    char time[CIVIL_TEXT_SIZE];
    civil_format((int64_t)(m->cut_ms * 1000000u), 3, time);
    json_write_key(w, "cut");
    json_write_object_open(w);
    json_put_text(w, "time", time);
    json_put_u64(w, "unix_ms", m->cut_ms);
    json_put_u64(w, "sequence", m->sequence);
    json_put_u64(w, "epoch", m->epoch);
    json_write_object_close(w);
}

static void put_body(struct json_writer *w, const struct manifest *m) {
    json_write_object_open(w);
    json_put_text(w, "format", "weir-backup");
    json_put_u64(w, "version", MANIFEST_VERSION);
    json_put_text(w, "id", m->id);
    json_put_text(w, "node", m->node);
    json_put_text(w, "parent", m->parent[0] ? m->parent : NULL);
    json_put_text(w, "weir", m->weir);
    put_cut(w, m);
    json_put_u64(w, "bytes", m->bytes);
    json_put_u64(w, "bytes_new", m->bytes_new);
    put_partitions(w, m);
    put_files(w, m);
    json_write_object_close(w);
}

enum weir_error manifest_print(struct manifest *m, struct weir_slice *ret_text) {
    struct text_builder body = text_builder_arena(&m->arena, MANIFEST_BYTES_MAX);
    struct json_writer w = json_writer(&body, 0);
    put_body(&w, m);
    if (!json_writer_finished(&w)) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a manifest");
    struct weir_slice raw = text_slice(&body);
    uint8_t digest[OBJECT_DIGEST_SIZE];
    object_digest(&raw, 1, digest);
    struct text_builder whole = text_builder_arena(&m->arena, MANIFEST_BYTES_MAX);
    w = json_writer(&whole, 0);
    json_write_object_open(&w);
    json_write_key(&w, "manifest");
    json_write_raw(&w, raw);
    put_digest(&w, digest);
    json_write_object_close(&w);
    if (!json_writer_finished(&w)) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a manifest");
    *ret_text = text_slice(&whole);
    return WEIR_OK;
}
