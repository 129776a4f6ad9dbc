/* log/salvage.h: what of a lazy partition a crash left behind the checkpoint.
 *
 * The keeper syncs lazy segments some seconds after they were written; a process that is killed leaves them with the
 * system, and a power cut leaves some of them. Whole batches with the right checksum at the offset that is due are what
 * was written: they are kept up to the first that is not, and synced before the checkpoint counts on them.
 */
#ifndef WEIR_LOG_SALVAGE_H
#define WEIR_LOG_SALVAGE_H
#include "log/partition.h"

/* After an unclean stop, before the partition is loaded: its row goes on as far as its files do. Others than lazy ones
 * are left alone. Counts the records in *records. IO. */
WEIR_MUST enum weir_error log_partition_salvage(struct partition *p, uint64_t *records);

#endif
