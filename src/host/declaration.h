/* host/declaration.h: is a service's declaration one that a node can run? Everything that its tables say by themselves;
 * what needs the node (ports, other services' routes) is found at start. Pure. Any thread. */
#ifndef WEIR_HOST_DECLARATION_H
#define WEIR_HOST_DECLARATION_H
#include <weir/service.h>

#define DECLARATION_OUTPUT_BYTES_MAX (4u << 20)

/* CONFIG when something is wrong: the context is the first fault. found (may be NULL) gets a sentence for each. */
WEIR_MUST enum weir_error declaration_check(
    const struct weir_service *service, void (*found)(void *ctx, const char *sentence), void *ctx);
#endif
