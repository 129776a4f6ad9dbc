/* jobs/batch.h: jobs that belong together, and the jobs that are pushed when all of them have ended.
 *
 * A batch counts its members: jobs, and batches whose parent it is. It takes members until it is complete, which it is
 * once it is committed and none of them is pending: then its complete job is pushed, and its success job if none has
 * failed (died, was cancelled, expired). A dead job that is requeued is pending again; the success job comes when the
 * last one is done after all, the complete job never twice. Counts change with the member's end, in the same record;
 * what follows from them is settled at the record's end, up to BATCHES_SETTLED_MAX, the rest in records of its own.
 * It is over when nothing in the state belongs to it; then it is kept to be asked for until its place is needed.
 */
#ifndef WEIR_JOBS_BATCH_H
#define WEIR_JOBS_BATCH_H
#include "jobs/state.h"

#define BATCHES_SETTLED_MAX 256u /* of one record: two jobs may come of each */

void batches_init(struct jobs_head *h);
uint64_t batch_hash(const void *state, uint32_t i);
uint32_t batch_find(const struct jobs *s, uint64_t id); /* JOBS_NONE: there is none */
/* One that takes further members; or why not. */
enum jobs_reason batch_find_taking(const struct jobs *s, uint64_t id, uint32_t *ret_batch);
void batch_add(struct jobs *s, struct job *job, uint32_t batch);
/* A pending member has ended; one that had failed is pending again; a job of it leaves the state. */
void batch_ended(struct jobs *s, uint32_t batch, bool done);
void batch_revived(struct jobs *s, uint32_t batch);
void batch_leave(struct jobs *s, struct job *job);
/* The command. */
void batch_order(struct jobs_turn *t, struct weir_slice value);
/* False: there are more to be settled, in another record. */
WEIR_MUST bool batches_settle(struct jobs_turn *t);
struct jobs_batched batch_counts(const struct jobs_batch *b);
struct weir_slice batch_description(const struct jobs *s, const struct jobs_batch *b);
bool batch_is_whole(const struct jobs *s, const struct jobs_batch *b); /* of a snapshot */
#endif
