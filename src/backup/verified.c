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

struct newest {
    struct object_store *store;
    uint64_t unix_ms;
};

static enum weir_error look_at(void *ctx, const char *key, uint64_t size) {
    struct newest *n = ctx;
    struct weir_slice text;
    uint64_t unix_ms = 0;
    (void)size;
    enum weir_error e = n->store->get(n->store, key, RECORD_BYTES_MAX, &text);
    if (e) return e == WEIR_E_NOT_FOUND || e == WEIR_E_TOO_LARGE ? WEIR_OK : e;
    struct json_reader r = json_reader(text, 0);
    if (json_next(&r) == JSON_OBJECT_OPEN)
        while (json_next(&r) == JSON_KEY) {
            bool wanted = json_text_is(&r, "unix_ms");
            if (!wanted && !json_skip_value(&r)) break;
            if (wanted && (json_next(&r), !json_get_u64(&r, &unix_ms))) break;
        }
    sys_bytes_free(text);
    if (unix_ms > n->unix_ms) n->unix_ms = unix_ms;
    return WEIR_OK;
}

enum weir_error backup_verified_at(struct object_store *store, const char *node, uint64_t *ret_unix_ms) {
    struct newest n = {.store = store};
    char prefix[OBJECT_KEY_MAX];
    snprintf(prefix, sizeof prefix, VERIFIED "%s/", node);
    enum weir_error e = store->list(store, prefix, look_at, &n);
    if (!e) *ret_unix_ms = n.unix_ms;
    return e;
}
