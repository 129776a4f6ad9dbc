/* backup/restore.h: a data folder made of a backup, as of its cut or of an earlier moment.
 *
 *   FOLDER.restoring   where it is put together; FORMAT, without which no node starts on it, is written last, after
 *                      every checksum was compared, every batch read and `log verify` found nothing
 *   FOLDER             gets that name when all of it is durable; it must not exist, or be empty
 *
 * A restore that fails leaves neither. One that was killed leaves FOLDER.restoring, which the next one removes.
 */
#ifndef WEIR_BACKUP_RESTORE_H
#define WEIR_BACKUP_RESTORE_H
#include "backup/backup.h"
#include "backup/until.h"

struct restore_job {
    struct sys *sys;
    struct object_store *store;
    const struct manifest *manifest;
    const char *folder;
    const struct until *until;                  /* NULL: as of the backup's cut */
    const struct weir_service *const *services; /* with until: all that may be in it, NULL-terminated */
};
struct restore_result {
    char node[MANIFEST_NODE_SIZE]; /* the folder's new identity */
    uint64_t bytes, files, records_dropped;
    uint64_t elapsed_ns;
};
/* EXISTS: the folder holds something. CORRUPT, NOT_FOUND: names the object or file. */
WEIR_MUST enum weir_error backup_restore(const struct restore_job *job, struct restore_result *ret_result);

/* Removes a folder and all below it; OK when there is none. */
WEIR_MUST enum weir_error folder_remove_all(struct sys *sys, const char *path);

#endif
