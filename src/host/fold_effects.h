/* host/fold_effects.h: effects as the fold meets them: RESULT and ORDER records before the service sees them.
 *
 * Owner: the fold's thread.
 */
#ifndef WEIR_HOST_FOLD_EFFECTS_H
#define WEIR_HOST_FOLD_EFFECTS_H
#include "host/fold.h"

/* Output bytes that the host itself may add to one apply of such a service: a dead letter. */
size_t fold_effects_output_bytes(const struct weir_service *service);
/* Does what the record means for its effect. True: apply sees `ret_record`, which then has the result (weir_result).
 * False: it is stale, or an order that changes nothing for the service. */
bool fold_take_result(struct fold *fold, const struct envelope *envelope, struct weir_slice value, struct weir_out *out,
    struct weir_record *ret_record);
bool fold_take_order(
    struct fold *fold, const struct envelope *envelope, struct weir_out *out, struct weir_record *ret_record);
/* After apply: what can start now starts. */
void fold_turn_effects(struct fold *fold);
/* For publishing when something is due; UINT64_MAX: never. */
uint64_t fold_effects_next_ns(const struct fold *fold);
#endif
