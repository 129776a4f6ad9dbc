/* weir/plugin.h: a service in a shared object of its own, loaded by `weir up --service ./counter.so`.
 *
 *     #include <weir/plugin.h>
 *     WEIR_SERVICE(counter) = {.name = "counter", ...};
 *
 * The macro defines `const struct weir_service weir_service_counter` and the object's one symbol that weir looks for,
 * `weir_service`. Nothing is to be linked but what the service itself calls: the functions of these headers come from
 * the binary that loads it. In C++ the value is what a function returns: WEIR_SERVICE(tally) = declare();
 *
 * Compatibility. WEIR_API_MAJOR rises when something of the API changes its meaning or goes, WEIR_API_MINOR when
 * something is added. A binary loads objects built with its major and its minor or an older one. Structs of the
 * declaration (those with a size in struct weir_plugin) grow at their ends only; a field that an older object does not
 * have is zero, which always means "as before". All other structs stay as they are within a major.
 *
 * Exceptions must not leave a function of a service: there is nobody to catch them, and the process ends with SIGABRT.
 * Declare such functions noexcept. A record whose apply ends the process twice parks its partition, see
 * docs/services.md.
 */
#ifndef WEIR_PLUGIN_H
#define WEIR_PLUGIN_H
#include <weir/gateway.h>
#include <weir/service.h>

#define WEIR_API_MAJOR 1
#define WEIR_API_MINOR 1

#define WEIR_PLUGIN_MAGIC 0x72696577u /* "weir", read on a little-endian machine */

/* The order of struct weir_plugin.bytes. */
enum weir_plugin_struct {
    WEIR_PLUGIN_SERVICE,
    WEIR_PLUGIN_SETTING,
    WEIR_PLUGIN_TOPIC,
    WEIR_PLUGIN_RECORD_TYPE,
    WEIR_PLUGIN_EMIT_ROW,
    WEIR_PLUGIN_ROUTE,
    WEIR_PLUGIN_LISTENER,
    WEIR_PLUGIN_PROTOCOL,
    WEIR_PLUGIN_METRIC,
    WEIR_PLUGIN_REASON,
    WEIR_PLUGIN_TOOL,
    WEIR_PLUGIN_STRUCT_COUNT
};

/* What the symbol `weir_service` of a plugin is. The first three fields stay as they are in every major. */
struct weir_plugin {
    uint32_t magic;                /* WEIR_PLUGIN_MAGIC */
    uint16_t api_major, api_minor; /* of the headers it was built with */
    const struct weir_service *service;
    uint32_t struct_count;                    /* entries of bytes */
    uint32_t bytes[WEIR_PLUGIN_STRUCT_COUNT]; /* sizes there, by enum weir_plugin_struct */
};

#define WEIR_PLUGIN_INITIALISER(service)                                                                               \
    {                                                                                                                  \
        WEIR_PLUGIN_MAGIC, WEIR_API_MAJOR, WEIR_API_MINOR, &(service), WEIR_PLUGIN_STRUCT_COUNT, {                     \
            sizeof(struct weir_service), sizeof(struct weir_setting), sizeof(struct weir_topic),                       \
                sizeof(struct weir_record_type), sizeof(struct weir_emit_row), sizeof(struct weir_route),              \
                sizeof(struct weir_listener), sizeof(struct weir_protocol), sizeof(struct weir_metric),                \
                sizeof(struct weir_reason), sizeof(struct weir_tool)                                                   \
        }                                                                                                              \
    }

#ifdef __cplusplus
#define WEIR_PLUGIN_C extern "C"
#else
#define WEIR_PLUGIN_C extern
#endif

/* WEIR_BUILT_IN: set where weir builds its own services and examples into its binary, by their names. */
#ifdef WEIR_BUILT_IN
#define WEIR_SERVICE(name_)                                                                                            \
    WEIR_PLUGIN_C const struct weir_service weir_service_##name_;                                                      \
    const struct weir_service weir_service_##name_
#else
#define WEIR_SERVICE(name_)                                                                                            \
    WEIR_PLUGIN_C const struct weir_service weir_service_##name_;                                                      \
    WEIR_PLUGIN_C const struct weir_plugin weir_service __attribute__((visibility("default")));                        \
    const struct weir_plugin weir_service = WEIR_PLUGIN_INITIALISER(weir_service_##name_);                             \
    const struct weir_service weir_service_##name_
#endif

#endif
