/* cli/route.h: a route with a verb is a command: `weir jobs requeue ID`, `weir jobs list --state DEAD`.
 *
 * Parameters of its path are positionals, every other field of its request is a flag of that name; what they take and
 * mean comes from the service's own table and schema. */
#ifndef WEIR_CLI_ROUTE_H
#define WEIR_CLI_ROUTE_H
#include <weir/service.h>

bool cli_has_verbs(const struct weir_service *service);
/* argv begins with the verb. Without one, or with --help, prints the service's verbs. Returns the exit code. */
int cli_run_verb(const struct weir_service *service, int argc, char **argv);

#endif
