/* jobs/gateway_wire.h: the commands of command.h over TCP as they are: for workers and producers that care for every
 * microsecond. Nothing is transcoded, and many commands may be under way on one connection.
 *
 * Both ways a message is struct jobs_wire and `size` bytes of value, which are the command's or the reply's; an answer
 * has the correlation of its command. Answers come in the order in which commands were applied, but for fetches that
 * wait. Where tokens are asked for (auth: on) the first message is a LOGIN with the token's login or the token itself.
 *
 * When a connection ends, the worker that its last fetch named is lost: its leases are released at once. So each
 * connection of a worker that fetches has a name of its own; a nameless one's leases have only their own end.
 */
#ifndef WEIR_JOBS_GATEWAY_WIRE_H
#define WEIR_JOBS_GATEWAY_WIRE_H
#include "jobs/command.h"

#include <weir/gateway.h>

#define JOBS_WIRE_LOGIN 0u
struct jobs_wire {
    uint32_t size; /* of the value, at most JOBS_WIRE_VALUE_MAX */
    uint32_t correlation;
    uint16_t type;      /* enum jobs_record, or LOGIN; in an answer: HTTP's status */
    uint16_t partition; /* whose command it is; a queue's is weir_partition_of(its name, jobs.partitions) */
    uint32_t unused;
};
#define JOBS_WIRE_VALUE_MAX (2u << 20)
WEIR_STATIC_ASSERT(sizeof(struct jobs_wire) == 16, "a layout on the wire");

extern const struct weir_protocol jobs_wire_protocol;
#endif
