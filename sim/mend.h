/* sim/mend.h: the operator after damage, with the log's own offline tools: dump, verify, repair. What repair says it
 * gave up is remembered (sim_given_up()); everything else must be there afterwards, which the workloads look for. */
#ifndef WEIR_SIM_MEND_H
#define WEIR_SIM_MEND_H
#include "sim/sim.h"

/* No process runs. True: the folder is whole again, or was all along (reads were lied to), so that a start without
 * faults must succeed. False: not even repair could, and said so by name; or the run has failed. */
bool sim_mend(struct sim *sim);
/* After a clean stop and no damage: nothing may be found. */
void sim_verify(struct sim *sim);

#endif
