/* sim/shrink.h: from a seed that fails to the least of its plan that still fails in the same way. */
#ifndef WEIR_SIM_SHRINK_H
#define WEIR_SIM_SHRINK_H
#include "sim/sim.h"

/* Tries the seed again with one kind of fault, one workload, one life less after another, and keeps what still fails
 * with the same sentence (numbers aside) or the same signal. Each try is a process of its own. */
void shrink(struct sim_options *options);
/* " --without slow-disk,counter --lives 2": the options as they are given on the command line; "" for none. */
void shrink_print(const struct sim_options *options, char *buf, size_t size);
/* A name of such a list; false: there is no such fault or workload. */
bool shrink_parse(struct sim_options *options, const char *name);

#endif
