/* services/registry.h: the services in this binary. The array is generated from the folders src/services/NAME and
 * examples/NAME that hold a service.c, each of which defines `const struct weir_service weir_service_NAME`. Only the
 * command line includes this; nothing else in the tree names a service. */
#ifndef SERVICES_REGISTRY_H
#define SERVICES_REGISTRY_H

#include <stddef.h>

struct weir_service;

extern const struct weir_service *const weir_services[]; /* ends with NULL */
extern const size_t weir_services_count;

#endif
