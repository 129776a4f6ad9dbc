/* The record of a restore that was verified. See verify.h. */
#include "backup/verify.h"

#include "base/json.h"

#include <stdio.h>

#define VERIFIED         "verified/"
#define RECORD_BYTES_MAX ((size_t)64 << 10)

enum weir_error backup_verified(const struct restore_job *job, const struct verify_result *r) {
    char key[OBJECT_KEY_MAX + 1], text[512];
    const struct manifest *m = job->manifest;
    struct text_builder t = TEXT_BUILDER(text);
    struct json_writer w = json_writer(&t, 0);
    snprintf(key, sizeof key, VERIFIED "%s/%s.json", m->node, m->id);
    json_write_object_open(&w);
    json_put_text(&w, "backup", m->id);
    json_put_u64(&w, "unix_ms", job->sys->wall_ns(job->sys) / SYS_NANOS_PER_MS);
    json_put_text(&w, "weir", m->weir);
    json_put_u64(&w, "partitions", r->partitions);
    json_put_u64(&w, "records", r->records);
    json_write_object_close(&w);
    return job->store->put(job->store, key, text_slice(&t));
}

/* Of the newest backup that has one: ids begin with their time. */
static enum weir_error note_newest(void *ctx, const char *key, uint64_t size) {
    char *newest = ctx;
    (void)size;
    if (strcmp(key, newest) > 0) snprintf(newest, OBJECT_KEY_MAX + 1, "%s", key);
    return WEIR_OK;
}

static uint64_t read_time(struct weir_slice text) {
    struct json_reader r = json_reader(text, 0);
    uint64_t unix_ms = 0;
    if (json_next(&r) != JSON_OBJECT_OPEN) return 0;
    while (json_next(&r) == JSON_KEY) {
        if (json_text_is(&r, "unix_ms")) return json_next(&r) != JSON_ERROR && json_get_u64(&r, &unix_ms) ? unix_ms : 0;
        if (!json_skip_value(&r)) return 0;
    }
    return 0;
}

enum weir_error backup_verified_at(struct object_store *store, const char *node, uint64_t *ret_unix_ms) {
    char prefix[OBJECT_KEY_MAX], newest[OBJECT_KEY_MAX + 1] = "";
    struct weir_slice text;
    snprintf(prefix, sizeof prefix, VERIFIED "%s/", node);
    enum weir_error e = store->list(store, prefix, note_newest, newest);
    if (e) return e;
    *ret_unix_ms = 0;
    if (!newest[0]) return WEIR_OK;
    e = store->get(store, newest, RECORD_BYTES_MAX, &text);
    if (e) return e == WEIR_E_NOT_FOUND || e == WEIR_E_TOO_LARGE ? WEIR_OK : e;
    *ret_unix_ms = read_time(text);
    sys_bytes_free(text);
    return WEIR_OK;
}
