/* exchange/limits.h: the limits an engine enforces, apart from those its memory was laid out for.
 *
 * What is refused for want of room is part of the history: the limits in force are those a record says, while the
 * memory has room for the larger of them and the present settings'. An engine that enforces smaller limits gives the
 * same outputs as one that was laid out for them. Pure; owner: the engine's thread. */
#ifndef WEIR_EXCHANGE_LIMITS_H
#define WEIR_EXCHANGE_LIMITS_H
#include "exchange/core.h"

/* Those in force now, with defaults filled in. */
void exchange_limits_get(const struct exchange_core *core, struct exchange_limits *ret_limits);
/* From the next command on. What is larger than in `room` (the limits at open) is cut down to it. */
void exchange_limits_enforce(
    struct exchange_core *core, const struct exchange_limits *limits, const struct exchange_limits *room);
#endif
