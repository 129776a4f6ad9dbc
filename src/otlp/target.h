/* otlp/target.h: the group "trace" of the settings, read and checked: where spans go, as whose, and which.
 *
 * Values are copied, so that a reload can hand over a whole one. CONFIG with a sentence that names the key.
 */
#ifndef WEIR_OTLP_TARGET_H
#define WEIR_OTLP_TARGET_H
#include "host/settings.h"
#include "trace/trace.h"

#define OTLP_PATH           "/v1/traces"
#define OTLP_URL_MAX        512u
#define OTLP_HEADERS_MAX    16u   /* lines */
#define OTLP_HEADERS_BYTES  4096u /* of all of them */
#define OTLP_ATTRIBUTES_MAX 32u
#define OTLP_PAIRS_BYTES    2048u

struct otlp_pair {
    uint16_t name, value; /* where in the target's pairs */
};
struct otlp_target {
    char url[OTLP_URL_MAX]; /* "": none */
    char service_name[128];
    struct otlp_pair attributes[OTLP_ATTRIBUTES_MAX];
    uint32_t attribute_count;
    char pairs[OTLP_PAIRS_BYTES];
    uint32_t header_count;
    char headers[OTLP_HEADERS_BYTES]; /* lines "Name: value", each ended by a NUL; a second one ends them all */
    bool gzip;
    uint64_t every_ns, timeout_ns;
    struct trace_sampling sampling;
};

/* env_headers: the value of OTEL_EXPORTER_OTLP_HEADERS, name=value pairs; NULL: none. */
WEIR_MUST enum weir_error otlp_target_read(
    struct sys *sys, const struct settings *settings, const char *env_headers, struct otlp_target *ret_target);

#endif
