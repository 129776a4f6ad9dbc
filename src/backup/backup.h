/* backup/backup.h: copies of a data folder in an object store, made while the node runs, and folders made of them.
 *
 * In the store:
 *   manifests/NODE/ID.json   one per backup, written last: what it names is there (manifest.h)
 *   objects/NODE/SHA256      pieces of files, at most MANIFEST_OBJECT_MAX bytes each, written once
 *   verified/NODE/ID.json    the last restore of that backup that was verified by replay (verify.h)
 * NODE is the data folder's identity, made at its first backup and new in every restored folder: what two folders write
 * never meets. Only the process that holds a folder's lock writes below its NODE, so backups of one node and their
 * pruning are one after the other.
 *
 * A backup is a cut of the log (log/cut.h), the catalogue, and the snapshots that were there before the cut: each
 * counts on outputs and emits that were durable by then. Segments are immutable up to the cut: of one that the backup
 * before holds a part, only the bytes behind that part are read and sent. Interrupted, the next one finds the pieces
 * that are there already by their checksum. Nothing on a lane waits for any of it.
 */
#ifndef WEIR_BACKUP_BACKUP_H
#define WEIR_BACKUP_BACKUP_H
#include "backup/manifest.h"
#include "log/log.h"

#define BACKUP_PATH_MAX 1024u

struct backup_job {
    struct sys *sys;
    struct object_store *store;
    struct log *log;           /* open; may be running */
    const char *folder;        /* the data folder */
    const char *weir;          /* version of the binary, for the manifest */
    uint64_t bytes_per_second; /* read and sent; 0: no limit */
    bool full;        /* trusts nothing of the backup before: reads every byte, sends what the store does not have */
    uint64_t keep;    /* newest backups of this node that stay, at least 1; 0: all */
    uint64_t keep_ms; /* and those younger than that; 0: no matter how old */
    const _Atomic bool *stop; /* raised: ends with CLOSED between two pieces; NULL: none */
};
struct backup_result {
    char id[MANIFEST_ID_SIZE], node[MANIFEST_NODE_SIZE];
    uint64_t cut_ms; /* every record that was acknowledged before is in it */
    uint64_t bytes, bytes_new, objects, objects_new, pruned;
    uint64_t elapsed_ns;
};
/* One whole backup. Errors leave no manifest; what was sent is found by the next one. */
WEIR_MUST enum weir_error backup_make(const struct backup_job *job, struct backup_result *ret_result);

/* ---- what is there ---- */
struct backup_entry {
    char id[MANIFEST_ID_SIZE], node[MANIFEST_NODE_SIZE];
};
WEIR_VEC(backup_entries, struct backup_entry);
/* Oldest first; of all nodes when node is NULL. backup_entries_done() in every case. */
WEIR_MUST enum weir_error backup_list(struct object_store *store, const char *node, struct backup_entries *ret_entries);
/* The manifest of that entry, checked. manifest_done() in every case. */
WEIR_MUST enum weir_error backup_load(
    struct object_store *store, const struct backup_entry *entry, struct manifest *ret_manifest);
/* The entry with that id; "" or NULL: the newest. NOT_FOUND; CONFLICT: "newest" and backups of several nodes. */
WEIR_MUST enum weir_error backup_find(struct object_store *store, const char *id, struct backup_entry *ret_entry);
/* The oldest one whose cut is not before that moment. NOT_FOUND: the newest is older; CONFLICT: as above. */
WEIR_MUST enum weir_error backup_find_since(
    struct object_store *store, uint64_t unix_ms, struct backup_entry *ret_entry);
/* Reads every object and compares its checksum. CORRUPT or NOT_FOUND: names it and the file it is part of. */
WEIR_MUST enum weir_error backup_check(struct object_store *store, const struct manifest *m);

/* ---- within this layer ---- */
void backup_object_key(const char *node, const uint8_t digest[OBJECT_DIGEST_SIZE], char key[OBJECT_KEY_MAX + 1]);
void backup_manifest_key(const struct backup_entry *entry, char key[OBJECT_KEY_MAX + 1]);
/* One object's bytes, whose size and checksum are right. sys_bytes_free(). */
WEIR_MUST enum weir_error backup_object_get(
    struct object_store *store, const char *node, const struct manifest_object *object, struct weir_slice *ret_bytes);
/* Deletes what keep and keep_ms let go: manifests first, then objects that no manifest left names. */
WEIR_MUST enum weir_error backup_prune(const struct backup_job *job, const char *node, uint64_t *ret_pruned);

#endif
