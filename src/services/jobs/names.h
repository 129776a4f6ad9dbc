/* jobs/names.h: queues, job types, tenants and destinations by number.
 *
 * A name gets the next free number when it is first used; when there is none, the first one of which there is no job
 * and which no order has set is forgotten. Tenant "" and the like are names too, of no bytes: number 0 of its kind.
 */
#ifndef WEIR_JOBS_NAMES_H
#define WEIR_JOBS_NAMES_H
#include "jobs/state.h"

/* JOBS_NONE: there is none of that name. */
uint32_t names_find(const struct jobs *s, enum jobs_name_kind kind, struct weir_slice name);
/* JOBS_NONE: all are in use. */
uint32_t names_find_or_make(struct jobs *s, enum jobs_name_kind kind, struct weir_slice name);
static inline struct weir_slice names_text(const struct jobs *s, enum jobs_name_kind kind, uint32_t i) {
    const struct jobs_name *name = &s->names[kind][i];
    return weir_slice(name->text, name->size - 1u);
}
/* Whether an order has set something of a queue, by which it is not forgotten. */
void names_settle_queue(struct jobs *s, uint32_t queue);
uint64_t names_hash_queue(const void *state, uint32_t i);
uint64_t names_hash_type(const void *state, uint32_t i);
uint64_t names_hash_tenant(const void *state, uint32_t i);
uint64_t names_hash_destination(const void *state, uint32_t i);
#endif
