/* cli/services.h: the services a command knows: those of the binary, and those in shared objects that the configuration
 * or a flag names. They stay loaded until the process ends. */
#ifndef WEIR_CLI_SERVICES_H
#define WEIR_CLI_SERVICES_H
#include "base/arena.h"
#include "cli/command.h"
#include "sys/sys.h"
#include <weir/plugin.h>

#define CLI_SERVICES_MAX 64

struct cli_services {
    const struct weir_service *all[CLI_SERVICES_MAX + 1]; /* ends with NULL */
    const char *paths[CLI_SERVICES_MAX];                  /* of the same row; NULL: in the binary */
    uint32_t count;
    struct arena arena;
};

/* The row of a command whose struct of values has `struct cli_list services`. */
#define CLI_SERVICE_FLAG(values)                                                                                       \
    {                                                                                                                  \
        "service", CLI_LIST, offsetof(values, services), "FILE",                                                       \
            "a service in a shared object, as ./counter.so; may be given several times", CLI_FILE                      \
    }

/* Those of the binary. */
WEIR_MUST enum weir_error cli_services_init(struct cli_services *services);
void cli_services_done(struct cli_services *services);
struct cli_plugin {
    const char *path;
    void *library;
    const struct weir_service *service;
    uint16_t api_major, api_minor; /* that it was built for */
};
/* `word`: a file, or a name in the plugin folder. Loaded and of the right API; its functions and its declaration may
 * still be wrong. */
WEIR_MUST enum weir_error cli_plugin_open(
    struct cli_services *services, struct sys *sys, struct weir_slice word, struct cli_plugin *ret_plugin);
/* The sentence for a function that it calls and nobody has. */
enum weir_error cli_plugin_lacks(const char *path, const char *function);
/* OK, or the sentence for a name that is a command's. */
WEIR_MUST enum weir_error cli_plugin_check_name(const struct cli_plugin *plugin);
/* `plugins`: files, or names in the plugin folder, separated by commas. Refused, with a sentence: what cannot be
 * loaded, what is built for another API, what is declared wrongly, a name that is there already. */
WEIR_MUST enum weir_error cli_services_add(struct cli_services *services, struct sys *sys, const char *plugins);
/* The configuration's `services` and the flags'. config may be NULL; text is its content. */
WEIR_MUST enum weir_error cli_services_load(struct cli_services *services, struct sys *sys, const char *config,
    struct weir_slice text, const struct cli_list *flags);
/* NULL: none, and the error's context names the nearest. */
const struct weir_service *cli_services_find(const struct cli_services *services, struct weir_slice name);

#endif
