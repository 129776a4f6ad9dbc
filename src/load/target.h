/* load/target.h: where a load goes: the URL, taken apart, and numbers with their units as a person writes them.
 * Pure. Errors: INVALID and UNSUPPORTED, with a context that quotes the text and says what was expected. */
#ifndef WEIR_LOAD_TARGET_H
#define WEIR_LOAD_TARGET_H
#include <stdbool.h>
#include <stdint.h>
#include <weir/error.h>
#include <weir/slice.h>

enum load_scheme { LOAD_HTTP, LOAD_WS, LOAD_OUCH, LOAD_UDP };

struct load_target {
    enum load_scheme scheme;
    bool is_tls;
    char host[256]; /* a name, or numeric */
    uint16_t port;
    char authority[272]; /* host:port as written: the Host header */
    const char *path;    /* from its '/' on, within the URL given; "/" when there is none */
};

/* http://HOST[:PORT][/PATH], ws://..., ouch://HOST:PORT, udp://HOST:PORT; with TLS https, wss, ouch+tls.
 * ret_target->path points into `url`. */
WEIR_MUST enum weir_error load_target_parse(const char *url, struct load_target *ret_target);
const char *load_scheme_name(const struct load_target *target); /* "http", "https" */

/* "500", "2.5k", "1M": per second, above 0 and at most LOAD_RATE_MAX. */
#define LOAD_RATE_MAX 1e7
WEIR_MUST enum weir_error load_rate_parse(struct weir_slice text, double *ret_rate);
/* "1%", "0.1%", "0.01": a share as parts per million, at most one million. */
WEIR_MUST enum weir_error load_share_parse(struct weir_slice text, uint32_t *ret_ppm);
#endif
