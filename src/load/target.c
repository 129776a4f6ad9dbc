#include "load/target.h"
#include "base/units.h"

static const struct {
    const char *name;
    uint16_t port; /* 0: must be given */
    enum load_scheme scheme;
    bool is_tls;
} schemes[] = {[LOAD_HTTP] = {"http", 80, LOAD_HTTP, false},
    [LOAD_WS] = {"ws", 80, LOAD_WS, false},
    [LOAD_OUCH] = {"ouch", 0, LOAD_OUCH, false},
    [LOAD_UDP] = {"udp", 0, LOAD_UDP, false},
    {"https", 443, LOAD_HTTP, true},
    {"wss", 443, LOAD_WS, true},
    {"ouch+tls", 0, LOAD_OUCH, true}};

const char *load_scheme_name(const struct load_target *target) {
    size_t i = 0;
    while (schemes[i].scheme != target->scheme || schemes[i].is_tls != target->is_tls)
        i++;
    return schemes[i].name;
}

static enum weir_error scheme_parse(const char *url, struct load_target *target, const char **ret_rest) {
    const char *colon = strstr(url, "://");
    struct weir_slice name = weir_slice(url, colon ? (size_t)(colon - url) : 0);
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (weir_slice_equal(name, weir_slice_text(schemes[i].name))) {
            target->scheme = schemes[i].scheme;
            target->is_tls = schemes[i].is_tls;
            target->port = schemes[i].port;
            *ret_rest = colon + 3;
            return WEIR_OK;
        }
    return weir_error_context(WEIR_E_INVALID,
        "%.100s is no URL; write http://, https://, ws://, wss://, ouch://, ouch+tls:// or udp:// and HOST:PORT", url);
}

/* The colon before the port: not one of those inside the brackets of an IPv6 address. */
static size_t host_size(struct weir_slice authority) {
    size_t at = authority.size;
    while (at > 0 && authority.data[at - 1] != ':' && authority.data[at - 1] != ']')
        at--;
    return at > 0 && authority.data[at - 1] == ':' ? at - 1 : authority.size;
}

enum weir_error load_target_parse(const char *url, struct load_target *ret_target) {
    struct load_target target = {.path = "/"};
    const char *rest = NULL;
    enum weir_error e = scheme_parse(url, &target, &rest);
    if (e != WEIR_OK) return e;
    struct weir_slice authority = weir_slice(rest, strcspn(rest, "/?#"));
    if (authority.size == 0 || authority.size >= sizeof target.authority)
        return weir_error_context(WEIR_E_INVALID, "%.100s: HOST:PORT is missing or too long", url);
    memcpy(target.authority, authority.data, authority.size);
    size_t host = host_size(authority);
    if (host < authority.size) {
        uint64_t port = 0;
        struct weir_slice digits = weir_slice(authority.data + host + 1, authority.size - host - 1);
        if (parse_u64(digits, &port) != WEIR_OK || port == 0 || port > 65535)
            return weir_error_context(WEIR_E_INVALID, "%.100s: the port is not a number from 1 to 65535", url);
        target.port = (uint16_t)port;
    }
    if (target.port == 0) return weir_error_context(WEIR_E_INVALID, "%.100s: the port is missing", url);
    bool bracketed = host > 2 && authority.data[0] == '[' && authority.data[host - 1] == ']';
    size_t bare = bracketed ? host - 2 : host;
    if (bare == 0 || bare >= sizeof target.host)
        return weir_error_context(WEIR_E_INVALID, "%.100s: the host is missing or too long", url);
    memcpy(target.host, authority.data + bracketed, bare);
    const char *path = rest + authority.size;
    if (*path == '#' || *path == '?')
        return weir_error_context(WEIR_E_INVALID, "%.100s: write a / between the port and what follows", url);
    if (strchr(path, '#')) return weir_error_context(WEIR_E_INVALID, "%.100s: a fragment (#) is never sent", url);
    if (*path) target.path = path;
    *ret_target = target;
    return WEIR_OK;
}

enum weir_error load_rate_parse(struct weir_slice text, double *ret_rate) {
    double unit = 1, value = 0;
    struct weir_slice number = text;
    uint8_t last = text.size ? text.data[text.size - 1] : 0;
    if (last == 'k' || last == 'K') unit = 1e3;
    if (last == 'm' || last == 'M') unit = 1e6;
    if (unit > 1) number.size--;
    if (parse_double(number, &value) != WEIR_OK || !(value * unit > 0) || value * unit > LOAD_RATE_MAX)
        return weir_error_context(WEIR_E_INVALID,
            "\"%.*s\" is not a rate per second; write 500, 10k or 1M, at most 10M",
            (int)(text.size < 40 ? text.size : 40), (const char *)text.data);
    *ret_rate = value * unit;
    return WEIR_OK;
}

enum weir_error load_share_parse(struct weir_slice text, uint32_t *ret_ppm) {
    uint32_t ppm = 0;
    enum weir_error e = parse_ratio(text, &ppm);
    if (e != WEIR_OK) return e;
    if (ppm > 1000000)
        return weir_error_context(WEIR_E_INVALID, "%.*s is more than all; write a share such as 1%%", (int)text.size,
            (const char *)text.data);
    *ret_ppm = ppm;
    return WEIR_OK;
}
