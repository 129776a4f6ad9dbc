/* host/sources.h: exactly-once for emits: per source partition the highest (epoch, offset, index) taken so far.
 *
 * Part of the target's fold and snapshot; no window: emits of one source arrive in order, so one mark per source is
 * enough. The epoch rises at a source's start that may have lost input, so that offsets given anew are not taken for
 * old ones. Owner: the fold's thread. Memory: mapped at the first emit; SOURCES_MAX sources (asserted: the log's
 * partition limit).
 */
#ifndef WEIR_HOST_SOURCES_H
#define WEIR_HOST_SOURCES_H
#include "host/envelope.h"

#define SOURCES_MAX 8192u

struct sources {
    struct envelope_source *marks; /* mapped */
    uint32_t count;
};
void sources_done(struct sources *sources);                                             /* accepts zeroed */
bool sources_seen(const struct sources *sources, const struct envelope_source *source); /* at or below the mark */
/* Iteration: start with *place = 0. */
bool sources_each(const struct sources *sources, uint32_t *place, struct envelope_source *ret_source);
void sources_raise(struct sources *sources, const struct envelope_source *source);
#endif
