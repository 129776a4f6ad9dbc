/* exchange/trailer.h: what stands behind an event in `exchange.events`, so that whoever reads it later can say all that
 * was said at once: what a request wanted repeated, and what self-trade prevention prevented.
 *
 * Derived beside the engine, from the command and its events in their order. Owner: the fold. Nothing is allocated. */
#ifndef WEIR_EXCHANGE_TRAILER_H
#define WEIR_EXCHANGE_TRAILER_H
#include "exchange/core.h"

union exchange_trailer {
    struct exchange_echo echo;
    struct exchange_prevented prevented;
};

struct exchange_trailers {
    const struct exchange_core *core;
    struct exchange_echo echo;
    bool has_echo;
    uint8_t stp;                   /* mode of the order the command is about */
    uint64_t taker;                /* its id, once an event named it */
    uint64_t taker_leaves;         /* so far */
    struct exchange_prevented met; /* what the last event of a maker prevented */
};

/* Before the engine applies the command. echo: NULL when the record has none. */
void exchange_trailers_begin(struct exchange_trailers *t, const struct exchange_core *core,
    const struct exchange_command *command, const struct exchange_echo *echo);
/* After it, for each private event in order: the bytes behind it, 0 for none. */
size_t exchange_trailers_next(
    struct exchange_trailers *t, const struct exchange_event *event, union exchange_trailer *ret_trailer);
#endif
