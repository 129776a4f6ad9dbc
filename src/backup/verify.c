/* See verify.h. */
#include "backup/verify.h"

#include "base/json.h"
#include "host/host.h"

#include <stdio.h>

#define VERIFIED         "verified/"
#define RECORD_BYTES_MAX ((size_t)64 << 10)

/* ---- replay ---- */

static uint32_t partitions_of(const struct manifest *m, const char *topic) {
    uint32_t count = 0;
    for (size_t i = 0; i < m->partitions.count; i++)
        count += strcmp(m->partitions.data[i].topic, topic) == 0;
    return count;
}

static const char *input_of(const struct weir_service *service) {
    for (const struct weir_topic *t = service->topics; t && t->name; t++)
        if (t->role == WEIR_TOPIC_INPUT) return t->name;
    return "";
}

static enum weir_error replay_service(
    const struct restore_job *job, const struct weir_service *service, struct verify_result *result) {
    uint32_t partitions = partitions_of(job->manifest, input_of(service));
    for (uint32_t i = 0; i < partitions; i++) {
        struct host_check check;
        enum weir_error e = host_replay_check(job->sys, job->folder, service, i, &check);
        if (e) return e;
        result->partitions++;
        result->compared += check.compared;
        result->records += check.records;
    }
    return WEIR_OK;
}

/* "snapshots/NAME/...": of a service that this binary has. */
static enum weir_error check_known(const struct manifest *m, const struct weir_service *const *services) {
    const size_t head = strlen("snapshots/");
    for (size_t i = 0; i < m->files.count; i++) {
        const char *path = m->files.data[i].path;
        if (strncmp(path, "snapshots/", head) != 0) continue;
        size_t size = strcspn(path + head, "/");
        bool known = false;
        for (const struct weir_service *const *s = services; *s && !known; s++)
            known = strlen((*s)->name) == size && memcmp((*s)->name, path + head, size) == 0;
        if (!known)
            return weir_error_context(WEIR_E_UNSUPPORTED,
                "this binary has no service %.*s and can't replay it; verify with the binary that ran it", (int)size,
                path + head);
    }
    return WEIR_OK;
}

/* ---- the record of it ---- */

static enum weir_error record(const struct restore_job *job, const struct verify_result *r) {
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

/* ---- the whole ---- */

enum weir_error backup_verify(const struct restore_job *job, const struct weir_service *const *services,
    struct restore_result *ret_restored, struct verify_result *ret_result) {
    struct verify_result result = {0};
    enum weir_error e = check_known(job->manifest, services);
    if (!e) e = backup_restore(job, ret_restored);
    if (e) return e;
    for (const struct weir_service *const *s = services; !e && *s; s++)
        e = replay_service(job, *s, &result);
    char reason[512];
    snprintf(reason, sizeof reason, "%s", weir_error_text());
    enum weir_error removed = folder_remove_all(job->sys, job->folder);
    if (e) return weir_error_context(e, "%s", reason);
    if (!removed) removed = record(job, &result);
    if (!removed) *ret_result = result;
    return removed;
}
