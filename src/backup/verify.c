/* See verify.h. */
#include "backup/verify.h"

#include "host/host.h"

#include <stdio.h>

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
                "this binary has no service %.*s and can't replay it; verify with the binary that ran it, or name its "
                "file by --service",
                (int)size, path + head);
    }
    return WEIR_OK;
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
    if (!removed) removed = backup_verified(job, &result);
    if (!removed) *ret_result = result;
    return removed;
}
