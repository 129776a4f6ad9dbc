/* backup/until.h: a restored folder taken back to an earlier moment.
 *
 * Inputs and plain topics end before the first batch with a later record time (of a service's input: the time its host
 * gave it). Partitions have clocks of their own, so an emit may be kept whose cause was cut: then its target ends in
 * front of it, and so on until every emit that is left has its cause. A snapshot is kept when its offset is left of its
 * input and no emit that it counts on was cut from a target. Outputs end where the newest snapshot kept says, and are
 * derived again from there by the node that starts, as after a crash: none is there without its cause.
 */
#ifndef WEIR_BACKUP_UNTIL_H
#define WEIR_BACKUP_UNTIL_H
#include "backup/manifest.h"
#include "log/cut.h"

struct weir_service;
WEIR_VEC(adopt_rows, struct log_adopt_row);

struct until {
    uint64_t unix_ms; /* records of later times are left out; UINT64_MAX: none */
    const char
        *topic; /* this partition ends at that offset, and all others at the time of the record there; NULL: none */
    uint32_t partition;
    uint64_t offset;
};
/* folder: a log that was adopted and runs nowhere. rows: what is there, then what is left of it. *ret_dropped: records
 * of inputs and plain topics. OUT_OF_RANGE: the input is there only from a later moment on. UNSUPPORTED: a service that
 * this binary does not know, whose outputs nobody could derive again. */
WEIR_MUST enum weir_error backup_until(struct sys *sys, const char *folder, const struct until *until,
    const struct weir_service *const *services, struct adopt_rows *rows, uint64_t *ret_dropped);

#endif
