/* exchange/tool_plan.h: a recorded flow as the requests a client sends, made before the first one leaves.
 *
 * Some requests need what only the state of the book tells: a move carries the quantity still open, a LOBSTER file
 * hides what lies below its window. So the plan is made by running the flow through an engine in this process. What
 * comes back from the node is then checked against files this program did not write. Owner: one thread. Allocates. Line
 * and record numbers in errors are those of the file.
 */
#ifndef WEIR_EXCHANGE_TOOL_PLAN_H
#define WEIR_EXCHANGE_TOOL_PLAN_H
#include "exchange/tool_flow.h"
#include "wire/lobster.h"

enum plan_kind {
    PLAN_NOTHING, /* keeps the place of a row that sends nothing */
    PLAN_ENTER,   /* limit, good till cancel */
    PLAN_IOC,
    PLAN_CANCEL,
    PLAN_REDUCE,  /* quantity: what stays open */
    PLAN_REPLACE, /* quantity: open from now on; to the tail of the new price's queue */
};
struct plan_request {
    uint8_t kind;
    uint8_t side;
    bool row_ends; /* the row's last request: after it the book must be as expected */
    uint16_t symbol;
    uint32_t quantity;
    uint32_t key; /* the order: dense from 1, rising in the order of entry */
    uint32_t row; /* from 0: record or line of the file */
    int64_t price;
};

struct plan {
    struct plan_request *requests;
    size_t count, room;
    uint32_t rows, symbols, keys; /* numbers in use: 0..rows-1, 0..symbols-1, 1..keys */
    /* LOBSTER only. */
    struct weir_lobster_level *levels; /* rows x depth: the book expected after each row */
    uint32_t *makers;                  /* per row: key of the order an execution must hit; 0: none */
    uint32_t depth;
    uint32_t executions, revealed, unknown; /* unknown: reduces and deletes of what is nowhere in the book */
};

#define PLAN_QUANTITY_MAX 999999999u /* of the binary gateway */

WEIR_MUST enum weir_error plan_flow(const char *path, struct plan *ret_plan);
WEIR_MUST enum weir_error plan_lobster(const char *messages, const char *books, struct plan *ret_plan);
void plan_done(struct plan *plan);

/* For the planners: adds a request (row_ends false). */
WEIR_MUST enum weir_error plan_add(struct plan *plan, const struct plan_request *request);
/* The request as a command of an engine of its own, where orders are found by client reference = key. `core` tells what
 * has been executed, which a replacement's total includes. */
void plan_command(
    const struct plan_request *request, const struct exchange_core *core, struct exchange_command *ret_command);
#define PLAN_ACCOUNT 1u
#endif
