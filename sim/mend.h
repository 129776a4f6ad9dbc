/* sim/mend.h: the operator after damage, with the log's own offline tools: dump, verify, repair. What repair says it
 * gave up is remembered (sim_given_up()); everything else must be there afterwards, which the workloads look for. */
#ifndef WEIR_SIM_MEND_H
#define WEIR_SIM_MEND_H
#include "sim/sim.h"

/* Between two lives, in weather of damage: a file of the log is hurt as no crash does it. Only in ways that must be
 * found: the end of a journal that is gone without a trace can't be told from one that was never written. */
void sim_harm(struct sim *sim);
/* No process runs. True: the folder is whole again, or was all along (reads were lied to), so that a start without
 * faults must succeed. False: not even repair could, and said so by name; or the run has failed. */
bool sim_mend(struct sim *sim);
/* After a clean stop and no damage: nothing may be found, and who opens the folder only to read may do no more. */
void sim_verify(struct sim *sim);
/* No process runs: options that can't work are refused before anything is touched. */
void sim_misconfigure(struct sim *sim);

#endif
