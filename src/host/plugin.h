/* host/plugin.h: from what a plugin exports to a service that the host can run.
 *
 * An object built against an older minor of the API has shorter structs. Then its declaration is copied, row by row,
 * into structs of today whose new fields are zero; functions, names and descriptors stay the plugin's. Pure. One
 * thread.
 */
#ifndef WEIR_HOST_PLUGIN_H
#define WEIR_HOST_PLUGIN_H
#include "base/arena.h"
#include <weir/plugin.h>

/* path is for error texts. VERSION: built against another major or a newer minor. UNSUPPORTED: it is none at all.
 * NO_MEMORY. The service lives as long as the plugin and the arena. */
WEIR_MUST enum weir_error plugin_take(
    const struct weir_plugin *plugin, const char *path, struct arena *arena, const struct weir_service **ret_service);
#endif
