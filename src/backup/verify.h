/* backup/verify.h: whether a backup is worth its bytes: restored as a whole, replayed, compared with what the node
 * said.
 *
 * The backup is restored into a folder of its own and removed again. Then, of every partition of a service: the state
 * is loaded from the older one of its snapshots (or begun empty), the restored input is applied up to where the newest
 * one was taken, and state digest and hash of everything emitted must be those which the node wrote into that snapshot;
 * and from there everything up to the end is applied. A service that is not among `services` can't be replayed, which
 * is said and counts as a failure. What was verified is recorded in the store: verified/NODE/ID.json
 *   {"backup":ID,"unix_ms":N,"weir":"0.1.0","partitions":N,"records":N}
 */
#ifndef WEIR_BACKUP_VERIFY_H
#define WEIR_BACKUP_VERIFY_H
#include "backup/restore.h"
#include "host/settings.h"

struct verify_result {
    uint64_t partitions; /* of services, replayed */
    uint64_t compared;   /* of them, whose result was compared with a snapshot of the node */
    uint64_t records;    /* applied */
};
/* job->folder is made and removed. MISMATCH: names the service, the partition and what differs. */
WEIR_MUST enum weir_error backup_verify(const struct restore_job *job, const struct weir_service *const *services,
    struct restore_result *ret_restored, struct verify_result *ret_result);
/* Writes that down in the store. */
WEIR_MUST enum weir_error backup_verified(const struct restore_job *job, const struct verify_result *result);
/* When the newest of that node's backups that was verified was so, Unix time; 0: never. */
WEIR_MUST enum weir_error backup_verified_at(struct object_store *store, const char *node, uint64_t *ret_unix_ms);

#endif
