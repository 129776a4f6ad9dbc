/* jobs/test_out.h: what stands behind struct weir_out in the unit tests: everything that one apply gave out, kept until
 * the next one begins; and a state with its settings. */
#ifndef WEIR_JOBS_TEST_OUT_H
#define WEIR_JOBS_TEST_OUT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/prng.h"
#include "jobs/event.h"
#include "jobs/fold.h"

#include <stdio.h>
#include <stdlib.h>

#define OUT_BYTES  (8u << 20)
#define OUT_PIECES 8192u
struct out_piece {
    struct weir_slice bytes;
    uint64_t ticket; /* late replies */
    uint16_t type, status;
};
struct weir_out {
    uint8_t *memory;
    size_t used;
    struct out_piece events[OUT_PIECES], late[WEIR_REPLIES_MAX];
    uint32_t event_count, late_count;
    struct weir_slice reply;
    uint16_t status, refused; /* refused: the reason */
    bool replied, later;
    uint64_t offset, timer_ns;
    const struct weir_setting_value *settings;
};

/* A state and the log it has seen so far. */
struct jobs_world {
    struct weir_out out;
    struct jobs *s;
    void *memory;
    struct weir_setting_value settings[JOBS_SET_COUNT];
    uint64_t now_ns, offset;
    struct jobs_world *twin; /* gets the same records, and must give out the same */
};
void world_open(struct jobs_world *w, uint32_t jobs_max);
void world_done(struct jobs_world *w);
/* Applies a record at the world's time; what came of it is in w->out. */
void world_apply(struct jobs_world *w, uint8_t kind, uint16_t type, struct weir_slice value);
static inline void world_command(struct jobs_world *w, uint16_t type, struct weir_slice value) {
    world_apply(w, WEIR_RECORD_COMMAND, type, value);
}
/* Time goes on to `to_ns`, and a timer record is applied whenever the fold's timer is due on the way. */
void world_pass(struct jobs_world *w, uint64_t to_ns);
/* A second world as a start from a snapshot of the first one would be. */
void world_copy(const struct jobs_world *from, struct jobs_world *to);
/* The same from a snapshot as version 1 wrote it: without batches, of which there are none yet. */
void world_copy_of_version_1(const struct jobs_world *from, struct jobs_world *to);
/* Every job stands where its state says, and nowhere else; counts are what they count. */
void world_check(const struct jobs_world *w);

/* ---- commands ---- */
struct world_push {
    const char *queue, *type, *tenant, *jid, *unique;
    struct weir_slice payload;
    struct jobs_new head;
    struct weir_slice then;
};
size_t world_new(const struct world_push *push, uint8_t *at);
struct jobs_pushed world_push(struct jobs_world *w, const struct world_push *push);
/* How many were leased now; *ret gets the first one. */
uint32_t world_fetch(struct jobs_world *w, const char *worker, const char *queue, uint32_t max, uint32_t wait_ms,
    struct jobs_leased_view *ret, uint32_t ret_max);
struct jobs_reported world_report(struct jobs_world *w, uint16_t type, const struct jobs_report *head);
#endif
