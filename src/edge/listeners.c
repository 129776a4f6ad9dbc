/* Addresses as they are written, and the sockets that listen on them. */
#include "edge/listeners.h"

#include "base/units.h"
#include "edge/kafka.h"
#include "edge/lane.h"

#include <stdio.h>

void listener_address(const struct listener *l, char buf[LISTENER_ADDRESS_MAX]) {
    snprintf(buf, LISTENER_ADDRESS_MAX,
        l->is_unix             ? "unix:%s"
        : strchr(l->host, ':') ? "[%s]:%u"
                               : "%s:%u",
        l->host, l->port);
}

/* ---- what is written ---- */

static bool is_loopback(const char *host) {
    return strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0 ||
           text_starts_with(weir_slice_text(host), "127.");
}

static enum weir_error parse_tcp(struct listener *l, const char *text) {
    const char *colon = strrchr(text, ':');
    uint64_t port;
    size_t n = colon ? (size_t)(colon - text) : 0;
    bool brackets = n >= 2 && text[0] == '[' && text[n - 1] == ']';
    if (!colon || n == 0 || n >= sizeof l->host || parse_u64(weir_slice_text(colon + 1), &port) || port > 65535)
        return weir_error_context(WEIR_E_CONFIG,
            "%s is '%.80s'; write it as HOST:PORT, such as 127.0.0.1:7070, or as unix:/PATH", l->name, text);
    memcpy(l->host, text + brackets, n - 2 * brackets);
    l->host[n - 2 * brackets] = 0;
    l->port = (uint16_t)port;
    return WEIR_OK;
}

static enum weir_error parse_unix(struct listener *l, const char *path) {
    l->is_unix = true;
    if (path[0] != '/' || strlen(path) >= sizeof l->host)
        return weir_error_context(WEIR_E_CONFIG,
            "%s is 'unix:%.120s'; write the socket's whole path, such as unix:/run/weir.sock, of at most %d bytes",
            l->name, path, SYS_UNIX_PATH_MAX);
    snprintf(l->host, sizeof l->host, "%s", path);
    return WEIR_OK;
}

/* Closed by default: what other machines can reach is encrypted, or somebody said in so many words that it need not be,
 * and asks who is there. Every listener passes here, whatever it speaks. */
static enum weir_error may_listen(const struct weir_setting_value *node, const struct listener *l) {
    if (l->is_unix || is_loopback(l->host)) return WEIR_OK;
    if (!auth_is_on(node))
        return weir_error_context(WEIR_E_FORBIDDEN,
            "%s is '%s:%u', which other machines can reach, and auth is off, so that everybody there could do "
            "everything; set `auth: tokens` (and TLS), make a token with `weir token create`, or use 127.0.0.1:%u",
            l->name, l->host, l->port, l->port);
    if (!l->has_tls && !node[NODE_INSECURE].number)
        return weir_error_context(WEIR_E_FORBIDDEN,
            "%s is '%s:%u', which other machines can reach, without TLS, so that everybody on the way could read "
            "tokens; set tls.cert and tls.key, or use 127.0.0.1:%u behind a proxy with TLS; where the network itself "
            "is "
            "private, say `insecure: true`",
            l->name, l->host, l->port, l->port);
    return WEIR_OK;
}

/* `tls:` or `plain:` in front. */
static bool take_word(const char **text, const char *word) {
    if (!text_starts_with(weir_slice_text(*text), word)) return false;
    *text += strlen(word);
    return true;
}

static enum weir_error parse_address(const struct weir_setting_value *node, struct listener *l, const char *text) {
    bool has_certificate = node[NODE_TLS_CERT].text[0] != 0;
    bool wants_tls = take_word(&text, "tls:"), wants_plain = !wants_tls && take_word(&text, "plain:");
    if (wants_tls && !has_certificate)
        return weir_error_context(WEIR_E_CONFIG,
            "%s is 'tls:%.80s', and there is no certificate; set tls.cert and tls.key (`weir tls create` makes a pair "
            "to try)",
            l->name, text);
    bool is_unix = take_word(&text, "unix:");
    enum weir_error e = is_unix ? parse_unix(l, text) : parse_tcp(l, text);
    l->has_tls = wants_tls || (has_certificate && !wants_plain && !is_unix);
    return e ? e : may_listen(node, l);
}

static enum weir_error parse_mode(const char *text, uint32_t *ret_mode) {
    uint32_t mode = 0;
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '7') n = 0;
        mode = mode * 8 + (uint32_t)(text[i] - '0');
    }
    if (n < 3 || n > 4 || mode > 0777)
        return weir_error_context(WEIR_E_CONFIG, "unix_mode is '%.40s'; write three octal digits, such as 0660", text);
    *ret_mode = mode;
    return WEIR_OK;
}

/* ---- sockets ---- */

/* With several lanes the port is shared; a first socket that does not share finds out whether somebody else has it. */
static enum weir_error listen_tcp(struct edge *edge, struct listener *l) {
    struct sys *sys = edge->sys;
    bool share = edge->options.lanes > 1;
    if (share) {
        int probe;
        enum weir_error e = sys->tcp_listen(sys, l->host, l->port, false, &probe, &l->port);
        if (e) return e;
        sys->socket_close(sys, probe);
    }
    for (uint32_t i = 0; i < edge->options.lanes; i++) {
        enum weir_error e = sys->tcp_listen(sys, l->host, l->port, share, &l->sockets[i], &l->port);
        if (e) return e;
    }
    return WEIR_OK;
}

/* What each address of a list is handed to. */
typedef enum weir_error (*address_fn)(void *ctx, struct listener *listener);

static enum weir_error each_address(const struct weir_setting_value *node, const struct listener *model,
    const char *addresses, address_fn fn, void *ctx) {
    enum weir_error e = WEIR_OK;
    do {
        char address[LISTENER_ADDRESS_MAX];
        size_t n = strcspn(addresses, ",");
        struct weir_slice item = text_trim(weir_slice(addresses, n));
        struct listener listener = *model;
        if (item.size >= sizeof address)
            return weir_error_context(WEIR_E_CONFIG, "%s: an address is longer than %zu bytes: %.40s...", model->name,
                sizeof address - 1, addresses);
        memcpy(address, item.data, item.size);
        address[item.size] = 0;
        e = parse_address(node, &listener, address);
        if (!e && fn) e = fn(ctx, &listener);
        addresses += n + (addresses[n] == ',');
    } while (!e && *addresses);
    return e;
}

struct opening {
    struct edge *edge;
    uint32_t unix_mode;
    bool any_port;
};

static enum weir_error open_one(void *ctx, struct listener *listener) {
    const struct opening *o = ctx;
    struct edge *edge = o->edge;
    if (edge->listener_count == EDGE_LISTENERS_MAX)
        return weir_error_context(WEIR_E_CONFIG, "more than %d listeners", EDGE_LISTENERS_MAX);
    struct listener *l = &edge->listeners[edge->listener_count++];
    *l = *listener;
    if (o->any_port) l->port = 0;
    l->lock = -1;
    for (uint32_t i = 0; i < LOG_LANES_MAX; i++)
        l->sockets[i] = -1;
    if (!l->is_unix) return listen_tcp(edge, l);
    return edge->sys->unix_listen(edge->sys, l->host, o->unix_mode, edge->options.lanes, l->sockets, &l->lock);
}

static enum weir_error add_listeners(
    struct edge *edge, const struct listener *model, const char *addresses, bool any_port) {
    struct opening opening = {.edge = edge, .any_port = any_port};
    enum weir_error e = parse_mode(edge->node[NODE_UNIX_MODE].text, &opening.unix_mode);
    return e ? e : each_address(edge->node, model, addresses, open_one, &opening);
}

static const char *setting_text(const struct settings *settings, const struct weir_service *service, const char *name) {
    const struct weir_setting_value *values = settings_of(settings, service->name);
    for (uint32_t i = 0; values && service->settings && service->settings[i].name; i++)
        if (strcmp(service->settings[i].name, name) == 0) return values[i].text;
    return NULL;
}

/* A node that takes any port for HTTP (a test, a second node beside the first) means that for the rest too, unless
 * somebody chose their addresses. */
static bool may_take_any_port(const struct edge *edge, const struct weir_service *service, const char *name) {
    const struct settings *settings = edge->options.settings;
    const char *listen = edge->node[NODE_LISTEN].text;
    bool takes_any = false;
    for (const char *at = listen; (at = strstr(at, ":0")); at += 2)
        takes_any |= at[2] == 0 || at[2] == ',' || at[2] == ' ';
    if (!settings || !takes_any) return false;
    for (uint32_t g = 0; g < settings->count; g++) {
        const struct settings_group *group = &settings->groups[g];
        for (uint32_t i = 0; strcmp(group->name, service->name) == 0 && i < group->count; i++)
            if (strcmp(group->rows[i].name, name) == 0) return strcmp(group->origins[i], "initial") == 0;
    }
    return false;
}

static bool is_off(const char *address) {
    return !*address || strcmp(address, "off") == 0;
}

static enum weir_error add_service_listeners(struct edge *edge, uint32_t index) {
    const struct weir_service *service = edge_service(edge, index);
    for (const struct weir_listener *row = service->listeners; row && row->name; row++) {
        struct listener model = {.protocol = row->protocol, .service = index};
        const char *address = setting_text(edge->options.settings, service, row->setting);
        snprintf(model.name, sizeof model.name, "%s.%s", service->name, row->name);
        if (!address)
            return weir_error_context(
                WEIR_E_CONFIG, "%s: the setting %s.%s does not exist", model.name, service->name, row->setting);
        if (is_off(address)) continue;
        enum weir_error e = add_listeners(edge, &model, address, may_take_any_port(edge, service, row->setting));
        if (e) return weir_error_wrap(e, "%s.%s", service->name, row->setting);
    }
    return WEIR_OK;
}

enum weir_error listeners_open(struct edge *edge) {
    const struct listener http = {.name = "http", .service = EDGE_NO_SERVICE};
    const struct listener kafka = {.name = "kafka", .service = EDGE_NO_SERVICE, .protocol = &kafka_protocol};
    enum weir_error e = add_listeners(edge, &http, edge->node[NODE_LISTEN].text, false);
    if (!e && !is_off(edge->node[NODE_KAFKA_LISTEN].text))
        e = add_listeners(edge, &kafka, edge->node[NODE_KAFKA_LISTEN].text, false);
    for (uint32_t i = 0; !e && i < edge->service_count; i++)
        e = add_service_listeners(edge, i);
    return e;
}

void listeners_check(const struct settings *settings, const struct weir_service *const *services,
    settings_mistake_fn mistake, void *ctx) {
    const struct weir_setting_value *node = settings_node(settings);
    const struct listener http = {.name = "listen"};
    uint32_t mode;
    if (parse_mode(node[NODE_UNIX_MODE].text, &mode)) mistake(ctx, weir_error_text());
    if (each_address(node, &http, node[NODE_LISTEN].text, NULL, NULL)) mistake(ctx, weir_error_text());
    const struct listener kafka = {.name = "kafka.listen", .protocol = &kafka_protocol};
    if (!is_off(node[NODE_KAFKA_LISTEN].text) && each_address(node, &kafka, node[NODE_KAFKA_LISTEN].text, NULL, NULL))
        mistake(ctx, weir_error_text());
    for (uint32_t i = 0; services[i]; i++)
        for (const struct weir_listener *row = services[i]->listeners; row && row->name; row++) {
            struct listener model = {.protocol = row->protocol};
            const char *address = setting_text(settings, services[i], row->setting);
            snprintf(model.name, sizeof model.name, "%s.%s", services[i]->name, row->setting);
            if (!address || is_off(address)) continue;
            if (each_address(node, &model, address, NULL, NULL)) mistake(ctx, weir_error_text());
        }
}

void listeners_close(struct edge *edge) {
    struct sys *sys = edge->sys;
    for (uint32_t i = 0; i < edge->listener_count; i++) {
        struct listener *l = &edge->listeners[i];
        for (uint32_t k = 0; k < edge->options.lanes; k++)
            if (l->sockets[k] >= 0) sys->socket_close(sys, l->sockets[k]);
        if (l->is_unix) sys->unix_unlisten(sys, l->host, l->lock);
    }
    edge->listener_count = 0;
}
