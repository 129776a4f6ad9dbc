/* log/cut.h: a consistent prefix of a log that goes on running, for whoever copies it; and a log made of such a copy.
 *
 * The journal is one order over all lanes and partitions, and an emit is appended only after its cause is durable. So
 * the partitions as far as the first n frames go are a state that a crash could have left behind: every input whose
 * record refers to another one has that other one. A cut is taken by the journal agent between two frames. A derived
 * partition is cut where its last checkpoint ended, which is looked at BEFORE the frames: what was stored of outputs
 * had its cause in a durable frame, so no output of the cut lacks its cause. What is missing of the outputs is derived
 * again by whoever starts on the copy.
 *
 * A cut says how many bytes of which segments belong to it. Segments only grow and what a cut counts on never changes
 * (journaled batches are rebuilt as they are, derived ones are counted up to their checkpoint), so the files are copied
 * while they grow on. Retention rests as long as log_keep_all() holds, unless the disk is short of space; a topic may
 * be deleted meanwhile: log_cut_whole() tells afterwards.
 *
 * Threads: one at a time, not a lane, not an agent of the log; blocks. Memory: malloc, by the number of segments.
 */
#ifndef WEIR_LOG_CUT_H
#define WEIR_LOG_CUT_H
#include "log/log.h"

#include <weir/vec.h>

#define LOG_CUT_PATH_MAX 256u /* below the log's folder */

struct log_cut_segment {
    uint64_t base;  /* offset of its first record */
    uint64_t bytes; /* of it that belong to the cut */
};
WEIR_VEC(log_cut_segments, struct log_cut_segment);
struct log_cut_partition {
    struct log_partition *partition;
    uint64_t start, end; /* offsets; equal: no segment */
    struct log_cut_segments segments;
};
WEIR_VEC(log_cut_partitions, struct log_cut_partition);
struct log_cut {
    struct weir_slice catalogue; /* the bytes of that file */
    uint64_t sequence;           /* of the first frame that is not in it */
    uint64_t epoch;              /* the journal's */
    struct log_cut_partitions partitions;
};

/* No retention from here on, until it is given back. */
void log_keep_all(struct log *log, bool on);
/* TIMEOUT: what is durable does not reach the segments (a full disk). CLOSED: the log has failed. AGAIN: a topic was
 * deleted meanwhile. log_cut_close() in every case. The log may also be open without having been started. */
WEIR_MUST enum weir_error log_cut_open(struct log *log, struct log_cut *ret_cut);
void log_cut_close(struct log_cut *cut);
/* AGAIN: a topic of it was deleted since. */
WEIR_MUST enum weir_error log_cut_whole(const struct log_cut *cut);
/* The segment's path below the log's folder. */
void log_cut_path(const struct log_cut_partition *p, uint64_t base, char path[LOG_CUT_PATH_MAX]);

/* ---- a copy cut back to an earlier moment: of a log that was opened read_only and is closed afterwards, adopted again
 * ----
 */
/* The largest time of the batch that holds the offset. */
WEIR_MUST enum weir_error log_time_at(
    struct log *log, struct log_partition *partition, uint64_t offset, uint64_t *ret_time_ms);
/* The last offset at or before `end` where the partition can end: inside a batch that is compressed or a producer's it
 * is the batch's first. Between its start and its high watermark. */
WEIR_MUST enum weir_error log_cut_point(
    struct log *log, struct log_partition *partition, uint64_t end, uint64_t *ret_end);
/* Takes what is at or behind `end`, a cut point, out of the files: whole segments, then the rest of one, whose last
 * batch is written again when the cut is inside it. At or before the partition's start nothing is left. Synced. */
WEIR_MUST enum weir_error log_cut_back(struct log *log, struct log_partition *partition, uint64_t end);

/* What a copy must have of a partition. */
struct log_adopt_row {
    uint32_t uid;
    uint64_t start, end;
};
/* Makes a log of a folder that holds a catalogue and topics/ with segments that end where the rows say: reads every
 * batch, learns the producers from them, writes a checkpoint that counts on all of it and, last, FORMAT. The log counts
 * as not stopped cleanly: its host must know that input behind it may be lost. CORRUPT: names the file and byte;
 * without FORMAT no node starts on it. */
WEIR_MUST enum weir_error log_adopt(
    struct sys *sys, const char *folder, const struct log_adopt_row *rows, uint32_t row_count);

#endif
