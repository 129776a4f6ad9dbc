/* sim/audit.h: what must hold of any node's log, whatever its services: remembers every record that could be read, and
 * after each recovery finds it unchanged; derives every service's outputs and state again from its input. */
#ifndef WEIR_SIM_AUDIT_H
#define WEIR_SIM_AUDIT_H
#include "sim/sim.h"

struct audit *audit_new(void);
void audit_free(struct audit *audit);
/* Everything readable is remembered; what was remembered is there, the same. The node must be open. */
void audit_records(struct sim *sim);
/* Each partition of a service that has come to rest: a fresh fold over its whole input gives its state, its outputs'
 * hash and their number. */
void audit_folds(struct sim *sim);
/* Of the folder of a node that has stopped: the offline replay gives what audit_folds() saw at some offsets on its way.
 * Forgets what it saw. */
void audit_replays(struct sim *sim, const struct weir_service *const *services);

#endif
