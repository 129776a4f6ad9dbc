/* cli/reload.h: the configuration of a running node, read again.
 *
 * All of it is loaded and checked first, by the code of `weir config check`; one mistake refuses the whole. Then what
 * may change at run time is put in force, and the rest stays as it is until a restart. Threads: any; who comes while
 * another reload is under way gets CONFLICT. Memory: three sets of settings at most: the one of the start, the one in
 * force, and the one before it, which a lane may still look at.
 */
#ifndef WEIR_CLI_RELOAD_H
#define WEIR_CLI_RELOAD_H
#include "cli/configuration.h"
#include "edge/edge.h"
#include "otlp/agent.h"
#include <stdatomic.h>

struct reload {
    struct sys *sys;
    const struct configuration *configuration;
    struct cli_services *services; /* of the start */
    const struct settings *started;
    struct edge *edge;
    struct host *host;
    struct otlp_agent *otlp;
    struct settings *current, *previous; /* NULL: `started` is in force */
    struct mistakes mistakes;            /* of the last one */
    _Atomic bool busy;
};

/* ret_text: {"generation":..,"changed":[..],"needsRestart":[..]}. CONFIG: refused; then it is a mistake per line. */
WEIR_MUST enum weir_error reload_run(struct reload *reload, char *ret_text, size_t size);
void reload_look(struct reload *reload); /* at the certificates' files */
void reload_done(struct reload *reload); /* after the host is closed */

#endif
