/* exchange/test_engine_model.h: the exchange's rules once more, as slow and plain as they can be said. Tests run it in
 * lock step with the engine. No structure is shared with the engine but the messages.
 * Suspensions have tests of their own; what sessions are is told by whoever runs the model (check_session). */
#ifndef WEIR_EXCHANGE_TEST_ENGINE_MODEL_H
#define WEIR_EXCHANGE_TEST_ENGINE_MODEL_H
#include "exchange/message.h"
#include <stdbool.h>

#define MODEL_ORDERS  4096
#define MODEL_EVENTS  8192
#define MODEL_SYMBOLS 8

struct model_order {
    struct exchange_event o; /* id, reference, account, session, symbol, side, price, leaves, executed */
    uint64_t priority, expire_ns;
    uint8_t tif, stp, flags;
};
struct model {
    struct model_order orders[MODEL_ORDERS];
    size_t order_count;
    struct exchange_terms symbols[MODEL_SYMBOLS];
    bool halted[MODEL_SYMBOLS];
    uint32_t symbol_count, accounts_max, open_max;
    uint64_t ids, matches, priorities, now;
    struct exchange_event events[MODEL_EVENTS]; /* of the last command */
    size_t event_count;
    /* Whether a session may send this command that enters or renames an order: a reason. NULL: all may. */
    uint8_t (*check_session)(void *sessions, const struct exchange_command *command, uint32_t account);
    void *sessions;
};
void model_apply(struct model *m, const void *record, size_t size, uint64_t time_ns);
#endif
