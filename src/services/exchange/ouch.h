/* exchange/ouch.h: between OUCH messages and the engine's own: requests into commands, events into responses. Pure. */
#ifndef WEIR_EXCHANGE_OUCH_H
#define WEIR_EXCHANGE_OUCH_H
#include "exchange/fold.h"
#include "exchange/trailer.h"
#include "wire/ouch.h"

/* What stands behind the event in its topic; NULL: nothing of that kind. */
struct ouch_behind {
    const struct exchange_echo *echo;
    const struct exchange_prevented *prevented;
};
_Static_assert(sizeof(((struct exchange_echo *)0)->client_id) == WEIR_OUCH_CLIENT_ID_SIZE, "ClOrdID is kept as it is");

/* A decoded request as a command of the account's session; false when it is none (the Account Query). */
bool ouch_translate(
    uint32_t account, const struct weir_ouch_request *request, struct exchange_named_command *ret_command);
/* The response that tells of an event. order_id: the public one. */
void ouch_say(const struct exchange_event *event, const struct ouch_behind *behind, uint64_t order_id,
    struct weir_ouch_response *ret_response);
#endif
