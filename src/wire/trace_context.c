#include "wire/trace_context.h"

#include "base/encode.h"

#define AT_TRACE_ID 3u
#define AT_SPAN_ID  36u
#define AT_FLAGS    53u
#define KEY_MAX     256u
#define TENANT_MAX  241u
#define SYSTEM_MAX  14u
#define VALUE_MAX   256u

/* ---- traceparent ---- */

/* Upper case is not allowed (2.2.2). */
static bool is_hex(struct weir_slice s) {
    for (size_t i = 0; i < s.size; i++) {
        uint8_t c = s.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
    }
    return true;
}

static bool take_hex(struct weir_slice value, size_t at, size_t bytes, uint8_t *out) {
    struct weir_slice digits = weir_slice(value.data + at, 2 * bytes);
    return is_hex(digits) && hex_decode(digits, out);
}

static bool is_zero(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (bytes[i]) return false;
    return true;
}

bool weir_traceparent_parse(struct weir_slice value, struct weir_traceparent *ret_parent) {
    struct weir_traceparent p;
    uint8_t version;
    if (value.size < WEIR_TRACEPARENT_SIZE || !take_hex(value, 0, 1, &version) || version == 0xff) return false;
    /* A later version may go on behind the flags, with a dash (section 4.1). */
    if (value.size > WEIR_TRACEPARENT_SIZE && (version == 0 || value.data[WEIR_TRACEPARENT_SIZE] != '-')) return false;
    if (value.data[AT_TRACE_ID - 1] != '-' || value.data[AT_SPAN_ID - 1] != '-' || value.data[AT_FLAGS - 1] != '-')
        return false;
    if (!take_hex(value, AT_TRACE_ID, sizeof p.link.trace_id, p.link.trace_id) ||
        !take_hex(value, AT_SPAN_ID, sizeof p.link.span_id, p.link.span_id) || !take_hex(value, AT_FLAGS, 1, &p.flags))
        return false;
    if (!weir_trace_link_is_set(&p.link) || is_zero(p.link.span_id, sizeof p.link.span_id)) return false;
    p.flags &= WEIR_TRACE_FLAGS_KNOWN;
    *ret_parent = p;
    return true;
}

void weir_traceparent_write(const struct weir_traceparent *p, char out[WEIR_TRACEPARENT_SIZE]) {
    out[0] = out[1] = '0';
    out[AT_TRACE_ID - 1] = out[AT_SPAN_ID - 1] = out[AT_FLAGS - 1] = '-';
    hex_encode(weir_slice(p->link.trace_id, sizeof p->link.trace_id), out + AT_TRACE_ID);
    hex_encode(weir_slice(p->link.span_id, sizeof p->link.span_id), out + AT_SPAN_ID);
    hex_encode(weir_slice(&p->flags, 1), out + AT_FLAGS);
}

/* ---- tracestate ---- */

struct members {
    struct weir_slice list[WEIR_TRACESTATE_MEMBERS]; /* key=value */
    size_t key_sizes[WEIR_TRACESTATE_MEMBERS];
    size_t count;
};

static bool is_alnum(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_id(struct weir_slice id, size_t size_max) {
    if (id.size == 0 || id.size > size_max || !is_alnum(id.data[0])) return false;
    for (size_t i = 1; i < id.size; i++) {
        uint8_t c = id.data[i];
        if (!is_alnum(c) && c != '_' && c != '-' && c != '*' && c != '/') return false;
    }
    return true;
}

/* A name, or TENANT@SYSTEM (3.3.1.3.1). */
static bool is_key(struct weir_slice key) {
    const uint8_t *at = key.size ? memchr(key.data, '@', key.size) : NULL;
    if (!at) return is_id(key, KEY_MAX);
    size_t tenant = (size_t)(at - key.data);
    return is_id(weir_slice(key.data, tenant), TENANT_MAX) &&
           is_id(weir_slice(at + 1, key.size - tenant - 1), SYSTEM_MAX);
}

/* Does not end with a blank: those around a member were taken off. */
static bool is_value(struct weir_slice value) {
    if (value.size == 0 || value.size > VALUE_MAX) return false;
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if (c < 0x20 || c > 0x7e || c == ',' || c == '=') return false;
    }
    return true;
}

static struct weir_slice trim(struct weir_slice s) {
    while (s.size && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = weir_slice(s.data + 1, s.size - 1);
    while (s.size && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

static bool add_member(struct members *m, struct weir_slice member) {
    const uint8_t *equals = member.size ? memchr(member.data, '=', member.size) : NULL;
    if (!equals || m->count == WEIR_TRACESTATE_MEMBERS) return false;
    struct weir_slice key = weir_slice(member.data, (size_t)(equals - member.data));
    if (!is_key(key) || !is_value(weir_slice(equals + 1, member.size - key.size - 1))) return false;
    for (size_t i = 0; i < m->count; i++)
        if (weir_slice_equal(key, weir_slice(m->list[i].data, m->key_sizes[i]))) return false;
    m->list[m->count] = member;
    m->key_sizes[m->count++] = key.size;
    return true;
}

/* Empty members are allowed (3.3.1.1). */
static bool add_header(struct members *m, struct weir_slice value) {
    while (value.size) {
        const uint8_t *comma = memchr(value.data, ',', value.size);
        size_t n = comma ? (size_t)(comma - value.data) : value.size;
        struct weir_slice member = trim(weir_slice(value.data, n));
        if (member.size && !add_member(m, member)) return false;
        n += comma != NULL;
        value = weir_slice(value.data + n, value.size - n);
    }
    return true;
}

static size_t joined_size(const struct members *m) {
    size_t size = 0;
    for (size_t i = 0; i < m->count; i++)
        size += m->list[i].size + (size > 0);
    return size;
}

static void remove_member(struct members *m, size_t at) {
    m->count--;
    memmove(&m->list[at], &m->list[at + 1], (m->count - at) * sizeof m->list[0]);
}

static void shorten(struct members *m) {
    for (size_t i = m->count; i-- > 0 && joined_size(m) > WEIR_TRACESTATE_MAX;)
        if (m->list[i].size > WEIR_TRACESTATE_LARGE) remove_member(m, i);
    while (joined_size(m) > WEIR_TRACESTATE_MAX)
        remove_member(m, m->count - 1);
}

size_t weir_tracestate_join(const struct weir_slice *values, size_t count, char out[WEIR_TRACESTATE_MAX]) {
    struct members m = {.count = 0};
    for (size_t i = 0; i < count; i++)
        if (!add_header(&m, values[i])) return 0;
    shorten(&m);
    size_t size = 0;
    for (size_t i = 0; i < m.count; i++) {
        if (size) out[size++] = ',';
        memcpy(out + size, m.list[i].data, m.list[i].size);
        size += m.list[i].size;
    }
    return size;
}
