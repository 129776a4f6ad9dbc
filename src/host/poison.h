/* host/poison.h: a record that crashes the node must not do so for ever.
 *
 * Each apply leaves (uid, offset) in a place of its thread. When the process dies of its own fault (sys->on_crash),
 * that becomes a note at the end of <folder>/snapshots/poison. At the next start a record with two notes parks its
 * partition in front of it; the rest run. An operator's skip is a record of the same partition, behind the poison: at
 * start it is looked for in the log, so that every later replay passes over the poison too. File: 32-byte notes,
 * little-endian: u64 magic | u64 uid | u64 offset | u64 hash of both; others are passed over.
 */
#ifndef WEIR_HOST_POISON_H
#define WEIR_HOST_POISON_H
#include "log/log.h"

#define POISON_NOTE_SIZE 32u
#define POISON_NOTES_MAX 1024u /* of distinct records; the newest are kept */
#define POISON_PARKS     2u    /* crashes at one record */

struct poison_place {
    uint64_t offset;
    uint32_t uid;
    volatile uint32_t armed;
};
extern __thread struct poison_place poison_place;

static inline void poison_mark(uint32_t uid, uint64_t offset) {
    poison_place.uid = uid;
    poison_place.offset = offset;
    poison_place.armed = 1;
}
static inline void poison_clear(void) {
    poison_place.armed = 0;
}

struct poison_note {
    uint64_t offset;
    uint32_t uid, crashes;
};
struct poison {
    struct sys *sys;
    int file;
    uint32_t count;
    struct poison_note notes[POISON_NOTES_MAX];
};
/* Reads the notes, writes them again without repetition, and arms the process's last words. */
WEIR_MUST enum weir_error poison_open(struct poison *poison, struct sys *sys, const char *folder);
void poison_close(struct poison *poison);
/* True when the last life crashed at a record of the partition that never reached the log: its client may send it
 * again. */
bool poison_beyond(const struct poison *poison, const struct log_partition *partition);

/* The first record from an offset to an end that has POISON_PARKS notes; UINT64_MAX: none. */
uint64_t poison_next(const struct poison *poison, uint32_t uid, uint64_t from, uint64_t end);

/* Records of the partition with POISON_PARKS notes: those that a later record passes over go to skips (at most max),
 * the first of the others at or above `from` to ret_park (UINT64_MAX: none). */
WEIR_MUST enum weir_error poison_judge(const struct poison *poison, struct log *log, struct log_partition *partition,
    uint64_t from, uint64_t *skips, uint32_t max, uint32_t *ret_skip_count, uint64_t *ret_park);
/* All records that the partition's log orders to pass over, for whoever has no notes: an offline replay. FULL: there
 * are more than max. */
WEIR_MUST enum weir_error poison_orders(
    struct log *log, struct log_partition *partition, uint64_t *skips, uint32_t max, uint32_t *ret_count);
/* The note as the file holds it. */
void poison_store(uint32_t uid, uint64_t offset, uint8_t out[POISON_NOTE_SIZE]);
#endif
