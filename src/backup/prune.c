/* Old backups go, and the objects that only they named. See backup.h. */
#include "backup/backup.h"

#include "base/encode.h"

#include <stdio.h>
#include <stdlib.h>

struct digest {
    uint8_t bytes[OBJECT_DIGEST_SIZE];
};
WEIR_VEC(digests, struct digest);

struct pruning {
    const struct backup_job *job;
    const char *node;
    struct digests named;   /* by the manifests that stay, sorted */
    struct digests unnamed; /* objects that are there and in none of them */
};

static int compare_digests(const void *a, const void *b) {
    return memcmp(a, b, OBJECT_DIGEST_SIZE);
}

static enum weir_error no_memory(void) {
    return weir_error_context(WEIR_E_NO_MEMORY, "no memory to prune backups");
}

static enum weir_error gather_named(struct pruning *p, const struct backup_entry *entry) {
    struct manifest m;
    enum weir_error e = backup_load(p->job->store, entry, &m);
    for (size_t i = 0; !e && i < m.objects.count; i++) {
        struct digest d;
        memcpy(d.bytes, m.objects.data[i].digest, sizeof d.bytes);
        if (!digests_push(&p->named, d)) e = no_memory();
    }
    manifest_done(&m);
    return e;
}

static enum weir_error gather_unnamed(void *ctx, const char *key, uint64_t size) {
    struct pruning *p = ctx;
    struct digest d;
    const char *hex = strrchr(key, '/') + 1;
    (void)size;
    if (strlen(hex) != 2 * sizeof d.bytes || !hex_decode(weir_slice_text(hex), d.bytes)) return WEIR_OK;
    if (p->named.count > 0 && bsearch(&d, p->named.data, p->named.count, sizeof d, compare_digests)) return WEIR_OK;
    return digests_push(&p->unnamed, d) ? WEIR_OK : no_memory();
}

/* A manifest that can't be read may name anything: then no object goes. */
static enum weir_error remove_objects(struct pruning *p, const struct backup_entries *entries, size_t first) {
    enum weir_error e = WEIR_OK;
    for (size_t i = first; !e && i < entries->count; i++)
        e = gather_named(p, &entries->data[i]);
    if (e) return weir_error_wrap(e, "objects of old backups stay");
    if (p->named.count > 1) qsort(p->named.data, p->named.count, sizeof(struct digest), compare_digests);
    char key[OBJECT_KEY_MAX + 1];
    snprintf(key, sizeof key, "objects/%s/", p->node);
    e = p->job->store->list(p->job->store, key, gather_unnamed, p);
    for (size_t i = 0; !e && i < p->unnamed.count; i++) {
        backup_object_key(p->node, p->unnamed.data[i].bytes, key);
        e = p->job->store->remove(p->job->store, key);
    }
    return e;
}

/* One that can't be read is not taken for old. */
static bool is_older(const struct backup_entry *entry, uint64_t unix_ms, struct object_store *store) {
    struct manifest m;
    bool older = backup_load(store, entry, &m) == WEIR_OK && m.cut_ms < unix_ms;
    manifest_done(&m);
    return older;
}

enum weir_error backup_prune(const struct backup_job *job, const char *node, uint64_t *ret_pruned) {
    struct backup_entries entries;
    struct pruning p = {.job = job, .node = node};
    uint64_t now_ms = job->sys->wall_ns(job->sys) / SYS_NANOS_PER_MS;
    size_t gone = 0;
    enum weir_error e = backup_list(job->store, node, &entries);
    while (!e && entries.count - gone > job->keep) {
        if (job->keep_ms > 0 && !is_older(&entries.data[gone], now_ms - job->keep_ms, job->store)) break;
        char key[OBJECT_KEY_MAX + 1];
        backup_manifest_key(&entries.data[gone], key);
        e = job->store->remove(job->store, key);
        if (!e) gone++;
    }
    if (!e && gone > 0) e = remove_objects(&p, &entries, gone);
    digests_done(&p.named);
    digests_done(&p.unnamed);
    backup_entries_done(&entries);
    *ret_pruned = gone;
    return e;
}
