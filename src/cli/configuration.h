/* cli/configuration.h: settings from a file and flags, with every mistake in them: what `weir up`, `weir config check`
 * and a reload have in common. */
#ifndef WEIR_CLI_CONFIGURATION_H
#define WEIR_CLI_CONFIGURATION_H
#include "base/text.h"
#include "cli/services.h"
#include "host/settings.h"
#include <stdio.h>

/* What was given on the command line; strings of argv. */
struct configuration {
    const char *file;                       /* NULL: none */
    const char *values[NODE_SETTING_COUNT]; /* by --NAME */
    struct cli_list set;                    /* by --set KEY=VALUE */
    struct cli_list services;               /* by --service FILE */
    bool self_signed;
    bool at_start; /* an expired certificate will do */
};
/* Sentences, one per line. What does not fit is counted. */
struct mistakes {
    char text[3600];
    size_t size;
    uint32_t count, left_out;
};
void mistakes_add(void *mistakes, const char *sentence); /* a settings_mistake_fn */
void mistakes_print(const struct mistakes *mistakes, FILE *to);

/* Loads and checks all of it. services: all zero, and those of the binary and those that the file and the flags name
 * are loaded into it; or what an earlier call left there, which stays as it is: what `services` says now waits for a
 * restart. The settings look at its tables; the caller ends it after them. CONFIG: something is wrong, and `mistakes`
 * says what; no settings then. */
WEIR_MUST enum weir_error configuration_load(struct sys *sys, const struct configuration *configuration,
    struct cli_services *services, struct mistakes *mistakes, struct settings **ret_settings);

/* Headers for the collector of traces, which may hold secrets: never among the settings. NULL: none. */
const char *configuration_trace_headers(void);

#endif
