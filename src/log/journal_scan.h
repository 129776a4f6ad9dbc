/* log/journal_scan.h: reading the journal after a stop: which frames count, and whether any is damaged.
 *
 * Every block of every journal file is looked at, so that the rule holds wherever the bytes are: from the checkpoint's
 * start, frames follow one another by sequence and by the previous frame's checksum. The first one that is missing or
 * damaged, k, is the torn end when nothing valid of this epoch stands behind it, as frame k + 1 is only written after
 * k's sync; else it is damage: CORRUPT, with the file and byte, and nothing is cut.
 *
 * Memory: 24 bytes per frame, and one file's worth of address space. One thread, before the agents run, or an offline
 * tool.
 */
#ifndef WEIR_LOG_JOURNAL_SCAN_H
#define WEIR_LOG_JOURNAL_SCAN_H
#include "log/checkpoint.h"

#include <weir/vec.h>

struct scan_file {
    uint32_t number;
    int file;
    uint64_t size;
    bool taken; /* by the copy of the tail */
};
struct scan_frame {
    uint64_t sequence;
    uint64_t offset;
    uint32_t file; /* index in files */
    uint32_t size; /* on disk */
};
WEIR_VEC(scan_files, struct scan_file);
WEIR_VEC(scan_frames, struct scan_frame);

struct journal_scan {
    struct sys *sys;
    struct scan_files files;   /* open for reading; ascending by number */
    struct scan_frames frames; /* accepted, in order */
    struct scan_frames later;  /* of this epoch, with a higher sequence than the last accepted, valid: damage */
    uint64_t next_sequence;
    uint32_t last_crc;
    uint64_t torn_bytes;
    /* where the first frame that does not count stands, when one is there (CORRUPT: the damaged one) */
    bool bad_found;
    struct scan_frame bad;
    uint8_t *buffer; /* holds one frame */
    size_t buffer_size;
};

/* Opens and reads everything. CORRUPT leaves the struct filled, for tools; log_journal_scan_done() in every case. */
WEIR_MUST enum weir_error log_journal_scan(
    struct journal_scan *scan, struct sys *sys, const char *folder, const struct checkpoint *checkpoint);
/* Only finds and opens the files: after a clean stop nothing is in them. */
WEIR_MUST enum weir_error log_journal_scan_list(struct journal_scan *scan, struct sys *sys, const char *folder);
/* The payload of an accepted frame, in the scan's buffer until the next call. */
WEIR_MUST enum weir_error log_journal_scan_payload(
    struct journal_scan *scan, const struct scan_frame *frame, struct weir_slice *ret_payload);
/* Closes the files that were not taken (file = -1). Accepts a zeroed struct. */
void log_journal_scan_done(struct journal_scan *scan);

#endif
