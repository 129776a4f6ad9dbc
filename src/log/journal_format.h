/* log/journal_format.h: a journal frame as bytes. Pure: no files, no clock, no allocation; any thread.
 *
 * A journal file is a sequence of frames. A frame is one group commit: one write, one sync. It starts at a multiple of
 * JOURNAL_BLOCK and is padded with zeros to the next one, so that writing frame k + 1 never touches a block of frame k.
 *
 *   offset size field (little-endian)
 *        0    4 magic            "WJF1"
 *        4    2 version          1
 *        6    2 header size      64
 *        8    8 sequence         of the frame, rises by one, never reused within the folder's life
 *       16    8 epoch            number of the journal epoch
 *       24    8 salt             of the epoch, random: bytes of a record can't pass for a frame of an epoch to come,
 * and a copy of an older frame inside a record has a sequence that is behind already 32    4 previous CRC     the CRC
 * field of frame sequence - 1; of the first frame of an epoch: the low half of salt 36    4 payload bytes 40    4 entry
 * count 44    8 time             wall clock, Unix milliseconds; for people who read a dump 52    8 zero 60    4 CRC32C
 * of bytes 0..59 and the payload 64    - payload: entries { u32 partition uid, u32 batch bytes, RecordBatch v2 }
 *
 * Procedure to change: raise JOURNAL_VERSION and the folder's FORMAT; recovery refuses a version it does not know.
 */
#ifndef WEIR_LOG_JOURNAL_FORMAT_H
#define WEIR_LOG_JOURNAL_FORMAT_H
#include <weir/slice.h>

#define JOURNAL_BLOCK      4096u
#define JOURNAL_MAGIC      0x31464a57u /* "WJF1" */
#define JOURNAL_VERSION    1u
#define FRAME_HEADER_SIZE  64u
#define FRAME_ENTRY_HEADER 8u

struct journal_epoch {
    uint64_t number, salt;
};

struct frame_header {
    uint64_t sequence;
    struct journal_epoch epoch;
    uint32_t previous_crc;
    uint32_t payload_bytes;
    uint32_t entry_count;
    uint64_t time_ms;
    uint32_t crc; /* set by frame_seal, read by frame_look */
};

/* Bytes a frame takes on disk, header and padding included. */
static inline uint64_t frame_bytes(uint64_t payload_bytes) {
    return (FRAME_HEADER_SIZE + payload_bytes + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
}

/* Writes the header in front of the payload that stands at frame + FRAME_HEADER_SIZE already, sets header->crc, clears
 * the padding. The buffer has frame_bytes(payload) bytes. Returns frame_bytes(payload). */
size_t log_frame_seal(uint8_t *frame, struct frame_header *header);

/* Only the fields, no checksum: true when the first 64 bytes look like a header (magic, header size). Of any epoch. */
bool log_frame_peek(struct weir_slice bytes, struct frame_header *ret_header, uint16_t *ret_version);

enum frame_look {
    FRAME_NONE, /* no header of this epoch here: zeros, a stale frame, other bytes */
    FRAME_BAD,  /* a header of this epoch, but the frame ends behind the bytes or its CRC does not match */
    FRAME_GOOD,
};
/* Looks at the frame that starts at bytes (which may hold more behind it). *ret_header is set for BAD and GOOD. */
enum frame_look log_frame_look(
    struct weir_slice bytes, const struct journal_epoch *epoch, struct frame_header *ret_header);

/* Puts an entry's header and bytes at `at`; returns the bytes used. */
size_t log_frame_entry_put(uint8_t *at, uint32_t uid, struct weir_slice batch);
/* Takes the next entry off the front of *payload. False at the end, or on bytes that are no entry (then payload->size
 * is not 0). */
bool log_frame_entry_next(struct weir_slice *payload, uint32_t *ret_uid, struct weir_slice *ret_batch);

/* Journal files are named J- and eight digits. */
#define JOURNAL_NAME_FORMAT "J-%08u"
bool log_journal_name_parse(const char *name, uint32_t *ret_number);

#endif
