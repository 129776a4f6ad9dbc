/* log/recover.h: from what a stop left behind to a log that may be trusted.
 *
 *   1. read the checkpoint, and every journal block (journal_scan.h): the accepted tail
 *   2. after an unclean stop: copy what of the tail is not in synced segments, as frames of a new epoch, to new files,
 *      synced; of lazy partitions: see salvage.h, and their offsets go on behind a gap (log.h, LOG_LOOSE_AHEAD)
 *   3. replace the checkpoint by one that names the new epoch: from here on it counts, and the old frames are stale
 *   4. cut the segments to what the checkpoint says, and write the tail to them
 *   5. the old journal files are ready to be used again
 * A crash before 3 leaves the old epoch as it was; after 3 the new one, whose tail is the same.
 */
#ifndef WEIR_LOG_RECOVER_H
#define WEIR_LOG_RECOVER_H
#include "log/state.h"

/* The folder has a FORMAT; topics are loaded. Leaves the journal ready to go on, partitions at their ends. */
WEIR_MUST enum weir_error log_recover(struct log *log);

#endif
