/* What stands in a store: keys, lists, reading, pruning. See backup.h. */
#include "backup/backup.h"

#include "base/encode.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define MANIFESTS "manifests/"
#define OBJECTS   "objects/"

void backup_object_key(const char *node, const uint8_t digest[OBJECT_DIGEST_SIZE], char key[OBJECT_KEY_MAX + 1]) {
    char hex[2 * OBJECT_DIGEST_SIZE];
    hex_encode(weir_slice(digest, OBJECT_DIGEST_SIZE), hex);
    snprintf(key, OBJECT_KEY_MAX + 1, OBJECTS "%s/%.*s", node, (int)sizeof hex, hex);
}

void backup_manifest_key(const struct backup_entry *entry, char key[OBJECT_KEY_MAX + 1]) {
    snprintf(key, OBJECT_KEY_MAX + 1, MANIFESTS "%s/%s.json", entry->node, entry->id);
}

/* ---- lists ---- */

/* "manifests/NODE/ID.json"; what is named otherwise is not ours. */
static enum weir_error add_manifest(void *ctx, const char *key, uint64_t size) {
    struct backup_entries *entries = ctx;
    struct backup_entry entry = {0};
    (void)size;
    const char *node = key + strlen(MANIFESTS), *slash = strchr(node, '/'), *dot = strrchr(key, '.');
    if (!slash || !dot || dot < slash || strcmp(dot, ".json") != 0) return WEIR_OK;
    size_t node_size = (size_t)(slash - node), id_size = (size_t)(dot - slash) - 1;
    if (node_size != sizeof entry.node - 1 || id_size == 0 || id_size >= sizeof entry.id) return WEIR_OK;
    memcpy(entry.node, node, node_size);
    memcpy(entry.id, slash + 1, id_size);
    return backup_entries_push(entries, entry)
               ? WEIR_OK
               : weir_error_context(WEIR_E_NO_MEMORY, "no memory for a list of backups");
}

static int compare_entries(const void *a, const void *b) {
    const struct backup_entry *x = a, *y = b;
    return strcmp(x->id, y->id); /* begins with the time */
}

enum weir_error backup_list(struct object_store *store, const char *node, struct backup_entries *ret_entries) {
    char prefix[OBJECT_KEY_MAX];
    backup_entries_init(ret_entries, NULL);
    snprintf(prefix, sizeof prefix, MANIFESTS "%s%s", node ? node : "", node ? "/" : "");
    enum weir_error e = store->list(store, prefix, add_manifest, ret_entries);
    if (ret_entries->count > 1)
        qsort(ret_entries->data, ret_entries->count, sizeof(struct backup_entry), compare_entries);
    return e;
}

enum weir_error backup_load(
    struct object_store *store, const struct backup_entry *entry, struct manifest *ret_manifest) {
    char key[OBJECT_KEY_MAX + 1];
    struct weir_slice text = {0};
    *ret_manifest = (struct manifest){0};
    backup_manifest_key(entry, key);
    enum weir_error e = store->get(store, key, MANIFEST_BYTES_MAX, &text);
    if (e) return e;
    e = manifest_parse(text, ret_manifest);
    sys_bytes_free(text);
    if (!e && (strcmp(ret_manifest->id, entry->id) != 0 || strcmp(ret_manifest->node, entry->node) != 0))
        e = weir_error_context(WEIR_E_CORRUPT, "it is the manifest of backup %s", ret_manifest->id);
    return e ? weir_error_wrap(e, "%s", key) : WEIR_OK;
}

enum weir_error backup_find(struct object_store *store, const char *id, struct backup_entry *ret_entry) {
    struct backup_entries entries;
    const struct backup_entry *found = NULL;
    bool newest = !id || !id[0];
    enum weir_error e = backup_list(store, NULL, &entries);
    for (size_t i = 0; !e && i < entries.count; i++) {
        const struct backup_entry *entry = &entries.data[i];
        if (newest && found && strcmp(found->node, entry->node) != 0)
            e = weir_error_context(WEIR_E_CONFLICT,
                "backups of several data folders are here; say which one: --backup ID (weir backup list shows them)");
        if (newest || strcmp(entry->id, id) == 0) found = entry;
    }
    if (!e && !found)
        e = newest ? weir_error_context(WEIR_E_NOT_FOUND, "there is no backup here")
                   : weir_error_context(WEIR_E_NOT_FOUND, "there is no backup %s here", id);
    if (!e) *ret_entry = *found;
    backup_entries_done(&entries);
    return e;
}

enum weir_error backup_find_since(struct object_store *store, uint64_t unix_ms, struct backup_entry *ret_entry) {
    struct backup_entries entries;
    bool found = false;
    enum weir_error e = backup_find(store, NULL, ret_entry); /* of one folder only */
    if (e) return e;
    e = backup_list(store, ret_entry->node, &entries);
    for (size_t i = 0; !e && i < entries.count && !found; i++) {
        struct manifest m;
        e = backup_load(store, &entries.data[i], &m);
        found = !e && m.cut_ms >= unix_ms;
        if (found) *ret_entry = entries.data[i];
        manifest_done(&m);
    }
    backup_entries_done(&entries);
    if (!e && !found)
        e = weir_error_context(WEIR_E_NOT_FOUND, "the newest backup, %s, was made before that moment", ret_entry->id);
    return e;
}

/* ---- objects ---- */

enum weir_error backup_object_get(
    struct object_store *store, const char *node, const struct manifest_object *object, struct weir_slice *ret_bytes) {
    char key[OBJECT_KEY_MAX + 1];
    uint8_t digest[OBJECT_DIGEST_SIZE];
    struct weir_slice bytes;
    backup_object_key(node, object->digest, key);
    enum weir_error e = store->get(store, key, MANIFEST_OBJECT_MAX, &bytes);
    if (e == WEIR_E_TOO_LARGE) e = weir_error_context(WEIR_E_CORRUPT, "it has more bytes than the manifest says");
    if (e) return weir_error_wrap(e, "object %s", key);
    object_digest(&bytes, 1, digest);
    if (bytes.size != object->bytes || memcmp(digest, object->digest, sizeof digest) != 0) {
        e = weir_error_context(
            WEIR_E_CORRUPT, "object %s: its %zu bytes are not those that were stored", key, bytes.size);
        sys_bytes_free(bytes);
        return e;
    }
    *ret_bytes = bytes;
    return WEIR_OK;
}

enum weir_error backup_check(struct object_store *store, const struct manifest *m) {
    for (size_t i = 0; i < m->files.count; i++) {
        const struct manifest_file *f = &m->files.data[i];
        for (size_t k = 0; k < f->count; k++) {
            struct weir_slice bytes;
            enum weir_error e = backup_object_get(store, m->node, &m->objects.data[f->first + k], &bytes);
            if (e) return weir_error_wrap(e, "backup %s, file %s", m->id, f->path);
            sys_bytes_free(bytes);
        }
    }
    return WEIR_OK;
}
