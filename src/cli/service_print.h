/* cli/service_print.h: what a service declares, for a person and as JSON: one without a node to ask. */
#ifndef WEIR_CLI_SERVICE_PRINT_H
#define WEIR_CLI_SERVICE_PRINT_H
#include "cli/services.h"

/* All of them, one line or one object each. */
void service_print_list(const struct cli_services *services, bool json);
/* One, its whole table. */
void service_print(const struct weir_service *service, bool json);

#endif
