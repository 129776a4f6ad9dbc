/* host/poison.h: a record that crashes the node must not do so for ever.
 *
 * Each apply leaves (uid, offset) in a place of its thread. A handler of SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT
 * writes it to <folder>/snapshots/poison with async-signal-safe calls only, then lets the signal do its work. At the
 * next start a note that stands there twice for one record parks its partition in front of it; the rest run.
 * File: 24-byte notes {u64 magic and check, u64 uid, u64 offset}; a torn one at the end is passed over.
 */
#ifndef WEIR_HOST_POISON_H
#define WEIR_HOST_POISON_H
#include "sys/sys.h"

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
#endif
