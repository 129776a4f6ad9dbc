/* load/resolve.h: the addresses of a target's name, found before the run, so that no lookup is in anybody's latency.
 *
 * Numeric hosts and "localhost" need none. Of several addresses of a stream those that take a connection now are kept
 * (a name may have addresses of a kind that this machine, or the target, does not speak); when none does, all are, and
 * the run says why. Owner: one thread, before the run. Errors: NOT_FOUND, with the resolver's sentence.
 */
#ifndef WEIR_LOAD_RESOLVE_H
#define WEIR_LOAD_RESOLVE_H
#include "load/target.h"
#include "sys/sys.h"

struct load_addresses {
    char items[SYS_ADDRESSES_MAX][SYS_ADDRESS_TEXT_SIZE]; /* numeric */
    uint32_t count;                                       /* 0: the host is numeric itself */
};
WEIR_MUST enum weir_error load_resolve(
    struct sys *sys, const struct load_target *target, struct load_addresses *ret_addresses);
#endif
