#include "otlp/target.h"

#include "base/decimal.h"
#include "base/text.h"
#include "wire/http.h"

static enum weir_error keep(const char *key, struct weir_slice text, char *out, size_t size) {
    if (text.size >= size)
        return weir_error_context(WEIR_E_CONFIG, "trace.%s has %zu bytes; at most %zu", key, text.size, size - 1);
    if (text.size) memcpy(out, text.data, text.size);
    out[text.size] = 0;
    return WEIR_OK;
}

/* ---- where ---- */

static bool has_space(const char *text) {
    for (; *text; text++)
        if ((uint8_t)*text <= ' ' || *text == 0x7f) return true;
    return false;
}

/* A collector's address alone means its usual path. */
static enum weir_error read_endpoint(const char *endpoint, char *out) {
    out[0] = 0;
    if (!*endpoint) return WEIR_OK;
    struct weir_slice given = weir_slice_text(endpoint);
    size_t scheme = text_starts_with(given, "http://") ? 7 : text_starts_with(given, "https://") ? 8 : 0;
    size_t host = scheme ? strcspn(endpoint + scheme, "/?#") : 0;
    if (!scheme || host == 0 || has_space(endpoint))
        return weir_error_context(WEIR_E_CONFIG,
            "trace.endpoint is '%.80s'; write http://HOST:PORT or https://HOST:PORT, perhaps with a path", endpoint);
    if (memchr(endpoint + scheme, '@', host))
        return weir_error_context(
            WEIR_E_CONFIG, "trace.endpoint names a user; put credentials into the file trace.headers");
    const char *path = endpoint + scheme + host;
    char url[OTLP_URL_MAX + sizeof OTLP_PATH];
    struct text_builder t = TEXT_BUILDER(url);
    bool bare = *path == 0 || strcmp(path, "/") == 0;
    text_add_slice(&t, weir_slice(endpoint, bare ? scheme + host : given.size));
    if (bare) text_add(&t, OTLP_PATH);
    return keep("endpoint", text_slice(&t), out, OTLP_URL_MAX);
}

static enum weir_error read_ratio(const char *text, double *ret_ratio) {
    struct weir_slice s = weir_slice_text(text);
    bool whole;
    double ratio;
    if (s.size == 0 || decimal_scan(s, &whole) != s.size || !decimal_to_double(s, &ratio) || ratio < 0 || ratio > 1)
        return weir_error_context(
            WEIR_E_CONFIG, "trace.ratio is '%.40s'; it must be a number from 0 (none) to 1 (all)", text);
    *ret_ratio = ratio;
    return WEIR_OK;
}

/* ---- name=value pairs, as W3C Baggage writes them ---- */

struct pairs {
    struct weir_slice rest;
};

/* False: no further one. */
static bool next_pair(struct pairs *p, struct weir_slice *ret_name, struct weir_slice *ret_value, bool *ret_good) {
    while (p->rest.size) {
        const uint8_t *comma = memchr(p->rest.data, ',', p->rest.size);
        size_t n = comma ? (size_t)(comma - p->rest.data) : p->rest.size, past = n + (comma != NULL);
        struct weir_slice pair = text_trim(weir_slice(p->rest.data, n));
        p->rest = weir_slice(p->rest.data + past, p->rest.size - past);
        if (pair.size == 0) continue;
        const uint8_t *equals = memchr(pair.data, '=', pair.size);
        *ret_good = equals != NULL && equals != pair.data;
        if (!*ret_good) return true;
        *ret_name = text_trim(weir_slice(pair.data, (size_t)(equals - pair.data)));
        *ret_value = text_trim(weir_slice(equals + 1, (size_t)(pair.data + pair.size - equals - 1)));
        return true;
    }
    return false;
}

/* Decoded into `room`, with a NUL behind it. */
static bool decode(struct weir_slice text, uint8_t **room, size_t *left, struct weir_slice *ret_text) {
    if (text.size + 1 > *left || weir_http_percent_decode(text, false, *room, text.size, ret_text)) return false;
    if (memchr(ret_text->data, 0, ret_text->size) || !utf8_valid(*ret_text)) return false;
    (*room)[ret_text->size] = 0;
    *left -= ret_text->size + 1;
    *room += ret_text->size + 1;
    return true;
}

static uint16_t place(const struct otlp_target *t, struct weir_slice text) {
    return (uint16_t)(text.data - (const uint8_t *)t->pairs);
}

static enum weir_error read_attributes(const char *text, struct otlp_target *t) {
    struct pairs pairs = {weir_slice_text(text)};
    struct weir_slice name, value, decoded[2];
    uint8_t *room = (uint8_t *)t->pairs;
    size_t left = sizeof t->pairs;
    bool good;
    while (next_pair(&pairs, &name, &value, &good)) {
        if (t->attribute_count == OTLP_ATTRIBUTES_MAX)
            return weir_error_context(WEIR_E_CONFIG, "trace.attributes has more than %u", OTLP_ATTRIBUTES_MAX);
        if (!good || !decode(name, &room, &left, &decoded[0]) || !decode(value, &room, &left, &decoded[1]))
            return weir_error_context(WEIR_E_CONFIG,
                "trace.attributes is '%.80s'; write name=value,name=value, commas and other marks percent-encoded, at "
                "most %u bytes",
                text, OTLP_PAIRS_BYTES);
        t->attributes[t->attribute_count++] = (struct otlp_pair){place(t, decoded[0]), place(t, decoded[1])};
    }
    return WEIR_OK;
}

/* ---- headers ---- */

static bool is_header(struct weir_slice name, struct weir_slice value) {
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool token = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!token) return false;
    }
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] < 0x20 || value.data[i] == 0x7f) return false;
    return name.size > 0;
}

static bool add_header(struct otlp_target *t, size_t *used, struct weir_slice name, struct weir_slice value) {
    size_t size = name.size + 2 + value.size + 1;
    if (!is_header(name, value) || *used + size + 1 > sizeof t->headers || t->header_count == OTLP_HEADERS_MAX)
        return false;
    t->header_count++;
    char *at = t->headers + *used;
    memcpy(at, name.data, name.size);
    memcpy(at + name.size, ": ", 2);
    if (value.size) memcpy(at + name.size + 2, value.data, value.size);
    at[size - 1] = at[size] = 0;
    *used += size;
    return true;
}

static enum weir_error read_header_pairs(const char *text, struct otlp_target *t) {
    struct pairs pairs = {weir_slice_text(text)};
    struct weir_slice name, value, decoded;
    uint8_t room[OTLP_HEADERS_BYTES];
    size_t used = 0;
    bool good;
    while (next_pair(&pairs, &name, &value, &good)) {
        uint8_t *at = room;
        size_t left = sizeof room;
        if (!good || !decode(value, &at, &left, &decoded) || !add_header(t, &used, name, decoded))
            return weir_error_context(WEIR_E_CONFIG,
                "OTEL_EXPORTER_OTLP_HEADERS must be name=value,name=value, values percent-encoded, at most %u",
                OTLP_HEADERS_MAX);
    }
    return WEIR_OK;
}

static enum weir_error read_header_file(struct sys *sys, const char *path, struct otlp_target *t) {
    struct weir_slice text, rest;
    size_t used = 0;
    enum weir_error e = sys_read_all(sys, path, OTLP_HEADERS_BYTES, &text);
    if (e) return weir_error_wrap(WEIR_E_CONFIG, "trace.headers");
    rest = text;
    for (unsigned number = 1; !e && rest.size; number++) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        size_t n = end ? (size_t)(end - rest.data) : rest.size, past = n + (end != NULL);
        struct weir_slice line = text_trim(weir_slice(rest.data, n && rest.data[n - 1] == '\r' ? n - 1 : n));
        rest = weir_slice(rest.data + past, rest.size - past);
        if (line.size == 0) continue;
        const uint8_t *colon = memchr(line.data, ':', line.size);
        size_t name = colon ? (size_t)(colon - line.data) : 0;
        struct weir_slice value = colon ? text_trim(weir_slice(colon + 1, line.size - name - 1)) : weir_slice(NULL, 0);
        if (!colon || !add_header(t, &used, weir_slice(line.data, name), value))
            e = weir_error_context(WEIR_E_CONFIG,
                "trace.headers: line %u of %s is no header, or one too many; write Name: value, at most %u of them",
                number, path, OTLP_HEADERS_MAX);
    }
    sys_bytes_free(text);
    return e;
}

/* ---- all ---- */

enum weir_error otlp_target_read(
    struct sys *sys, const struct settings *settings, const char *env_headers, struct otlp_target *ret_target) {
    const struct weir_setting_value *s = settings_of(settings, TRACE_GROUP);
    struct otlp_target *t = ret_target;
    *t = (struct otlp_target){.gzip = s[TRACE_GZIP].number,
        .every_ns = s[TRACE_EVERY].number,
        .timeout_ns = s[TRACE_TIMEOUT].number,
        .sampling = {.on = s[TRACE_ENDPOINT].text[0] != 0, .follows = s[TRACE_FOLLOW].number}};
    const char *file = s[TRACE_HEADERS].text;
    enum weir_error e = read_endpoint(s[TRACE_ENDPOINT].text, t->url);
    if (!e) e = read_ratio(s[TRACE_RATIO].text, &t->sampling.ratio);
    if (!e)
        e = keep("service_name", weir_slice_text(s[TRACE_SERVICE_NAME].text), t->service_name, sizeof t->service_name);
    if (!e) e = read_attributes(s[TRACE_ATTRIBUTES].text, t);
    if (!e && file[0]) e = read_header_file(sys, file, t);
    if (!e && !file[0] && env_headers) e = read_header_pairs(env_headers, t);
    return e;
}
