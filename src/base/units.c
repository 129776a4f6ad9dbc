/* base/units.c: numbers with units. Exact: a decimal is whole and fraction as integers until the unit is applied. */
#include "base/units.h"

#include "base/decimal.h"

#include <stdio.h>

struct unit {
    const char *name;
    uint64_t size;
};

static const struct unit byte_units[] = {{"", 1}, {"b", 1}, {"k", 1ull << 10}, {"kb", 1ull << 10}, {"kib", 1ull << 10},
    {"m", 1ull << 20}, {"mb", 1ull << 20}, {"mib", 1ull << 20}, {"g", 1ull << 30}, {"gb", 1ull << 30},
    {"gib", 1ull << 30}, {"t", 1ull << 40}, {"tb", 1ull << 40}, {"tib", 1ull << 40}, {"p", 1ull << 50},
    {"pb", 1ull << 50}, {"pib", 1ull << 50}};

#define MINUTE 60000000000ull
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
static const struct unit time_units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"m", MINUTE},
    {"min", MINUTE}, {"h", HOUR}, {"d", DAY}, {"w", 7 * DAY}};

static enum weir_error refuse(enum weir_error e, struct weir_slice s, const char *what) {
    char quoted[128];
    struct text_builder t = TEXT_BUILDER(quoted);
    text_add_quoted(&t, s, 64);
    return weir_error_context(e, "%s is not %s", quoted, what);
}

static bool is_digit(uint8_t c) {
    return (uint8_t)(c - '0') <= 9;
}

static int digit_value(uint8_t c, unsigned base) {
    int v = is_digit(c) ? c - '0' : (uint8_t)((c | 0x20) - 'a') < 6 ? (c | 0x20) - 'a' + 10 : 99;
    return v < (int)base ? v : -1;
}

/* All of s as digits; '_' only between two of them. */
static enum weir_error natural(struct weir_slice s, uint64_t *ret) {
    unsigned base = 10;
    if (s.size > 2 && s.data[0] == '0' && (s.data[1] | 0x20) == 'x') {
        base = 16;
        s = weir_slice(s.data + 2, s.size - 2);
    }
    uint64_t value = 0;
    bool after_digit = false, overflow = false;
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] == '_' && after_digit && i + 1 < s.size) {
            after_digit = false;
            continue;
        }
        int v = digit_value(s.data[i], base);
        if (v < 0) return WEIR_E_INVALID;
        after_digit = true;
        overflow |= __builtin_mul_overflow(value, (uint64_t)base, &value);
        overflow |= __builtin_add_overflow(value, (uint64_t)v, &value);
    }
    if (s.size == 0) return WEIR_E_INVALID;
    if (overflow) return WEIR_E_OUT_OF_RANGE;
    *ret = value;
    return WEIR_OK;
}

enum weir_error parse_u64(struct weir_slice s, uint64_t *ret) {
    enum weir_error e = natural(s, ret);
    return e ? refuse(e, s, "a whole number between 0 and 18446744073709551615") : WEIR_OK;
}

enum weir_error parse_i64(struct weir_slice s, int64_t *ret) {
    bool negative = s.size > 0 && s.data[0] == '-', sign = negative || (s.size > 0 && s.data[0] == '+');
    struct weir_slice digits = sign ? weir_slice(s.data + 1, s.size - 1) : s;
    uint64_t value = 0;
    enum weir_error e = natural(digits, &value);
    if (!e && value > (uint64_t)INT64_MAX + negative) e = WEIR_E_OUT_OF_RANGE;
    if (e) return refuse(e, s, "a whole number between -9223372036854775808 and 9223372036854775807");
    *ret = negative ? (int64_t)(0u - value) : (int64_t)value;
    return WEIR_OK;
}

enum weir_error parse_double(struct weir_slice s, double *ret) {
    bool plus = s.size > 0 && s.data[0] == '+', whole;
    struct weir_slice literal = plus ? weir_slice(s.data + 1, s.size - 1) : s;
    bool good = literal.size > 0 && !(plus && literal.data[0] == '-') && decimal_scan(literal, &whole) == literal.size;
    if (!good) return refuse(WEIR_E_INVALID, s, "a number");
    if (!decimal_to_double(literal, ret)) return refuse(WEIR_E_OUT_OF_RANGE, s, "a number a double can hold");
    return WEIR_OK;
}

enum weir_error parse_bool(struct weir_slice s, bool *ret) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(words); i++) {
        if (text_equal_nocase(s, weir_slice_text(words[i]))) {
            *ret = i % 2;
            return WEIR_OK;
        }
    }
    return refuse(WEIR_E_INVALID, s, "true or false");
}

/* An unsigned decimal: digits / 10^places. */
struct amount {
    uint64_t digits;
    unsigned places;
};

/* Takes "12", "12.5" or ".5" from the front; false when there is none or it has more digits than 64 bits. */
static bool take_amount(struct weir_slice *s, struct amount *ret) {
    struct amount a = {0};
    bool point = false, any = false;
    size_t at = 0;
    for (; at < s->size; at++) {
        uint8_t c = s->data[at];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (!is_digit(c)) break;
        if (__builtin_mul_overflow(a.digits, 10u, &a.digits) ||
            __builtin_add_overflow(a.digits, (uint64_t)(c - '0'), &a.digits))
            return false;
        a.places += point;
        any = true;
    }
    if (!any || (at > 0 && s->data[at - 1] == '.')) return false;
    *s = weir_slice(s->data + at, s->size - at);
    *ret = a;
    return true;
}

/* amount * size as a whole number; INVALID when it is not whole. */
static enum weir_error apply_unit(struct amount a, uint64_t size, uint64_t *ret) {
    static const uint64_t primes_of_ten[] = {2, 5};
    for (unsigned i = 0; i < 2 * a.places; i++) {
        uint64_t prime = primes_of_ten[i % 2];
        if (a.digits % prime == 0)
            a.digits /= prime;
        else if (size % prime == 0)
            size /= prime;
        else
            return WEIR_E_INVALID;
    }
    uint64_t value = 0;
    if (__builtin_mul_overflow(a.digits, size, &value)) return WEIR_E_OUT_OF_RANGE;
    *ret = value;
    return WEIR_OK;
}

/* Takes the letters in front; NULL when they name no unit. */
static const struct unit *take_unit(struct weir_slice *s, const struct unit *units, size_t count) {
    size_t n = 0;
    while (n < s->size && (uint8_t)((s->data[n] | 0x20) - 'a') < 26)
        n++;
    struct weir_slice name = weir_slice(s->data, n);
    for (size_t i = 0; i < count; i++) {
        if (text_equal_nocase(name, weir_slice_text(units[i].name))) {
            *s = weir_slice(s->data + n, s->size - n);
            return units + i;
        }
    }
    return NULL;
}

enum weir_error parse_bytes(struct weir_slice s, uint64_t *ret) {
    struct weir_slice rest = s;
    struct amount a;
    const struct unit *unit = NULL;
    enum weir_error e = WEIR_E_INVALID;
    if (take_amount(&rest, &a)) {
        if (rest.size > 1 && rest.data[0] == ' ') rest = weir_slice(rest.data + 1, rest.size - 1);
        unit = take_unit(&rest, byte_units, WEIR_ARRAY_COUNT(byte_units));
        if (unit && rest.size == 0) e = apply_unit(a, unit->size, ret);
    }
    return e ? refuse(e, s, "a size: expected a number and B, KB, MB, GB, TB or PB, such as 64MB") : WEIR_OK;
}

enum weir_error parse_duration(struct weir_slice s, uint64_t *ret_ns) {
    struct weir_slice rest = s;
    uint64_t total = 0, last = UINT64_MAX;
    enum weir_error e = s.size ? WEIR_OK : WEIR_E_INVALID;
    if (s.size == 1 && s.data[0] == '0') rest.size = 0;
    while (rest.size > 0 && !e) {
        struct amount a;
        uint64_t part = 0;
        const struct unit *unit =
            take_amount(&rest, &a) ? take_unit(&rest, time_units, WEIR_ARRAY_COUNT(time_units)) : NULL;
        if (!unit || unit->size >= last)
            e = WEIR_E_INVALID;
        else
            e = apply_unit(a, unit->size, &part);
        if (!e && __builtin_add_overflow(total, part, &total)) e = WEIR_E_OUT_OF_RANGE;
        last = unit ? unit->size : 0;
    }
    if (e) return refuse(e, s, "a duration: expected a number and ns, us, ms, s, m, h, d or w, such as 10ms or 1h30m");
    *ret_ns = total;
    return WEIR_OK;
}

enum weir_error parse_ratio(struct weir_slice s, uint32_t *ret_ppm) {
    struct weir_slice rest = s;
    struct amount a;
    uint64_t ppm = 0;
    enum weir_error e = WEIR_E_INVALID;
    if (take_amount(&rest, &a)) {
        bool percent = rest.size == 1 && rest.data[0] == '%';
        if (percent || rest.size == 0) e = apply_unit(a, percent ? 10000 : 1000000, &ppm);
    }
    if (!e && ppm > UINT32_MAX) e = WEIR_E_OUT_OF_RANGE;
    if (e) return refuse(e, s, "a ratio: expected a number such as 0.5 or 50% with at most 6 decimals");
    *ret_ppm = (uint32_t)ppm;
    return WEIR_OK;
}

static const struct unit bytes_shown[] = {
    {"PB", 1ull << 50}, {"TB", 1ull << 40}, {"GB", 1ull << 30}, {"MB", 1ull << 20}, {"KB", 1ull << 10}, {"B", 1}};
static const struct unit times_shown[] = {
    {"d", DAY}, {"h", HOUR}, {"m", MINUTE}, {"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}};

static void add_exact(struct text_builder *t, uint64_t value, const struct unit *units) {
    while (value % units->size)
        units++;
    text_add_u64(t, value / units->size);
    text_add(t, units->name);
}

static void add_short(struct text_builder *t, uint64_t value, const struct unit *units) {
    while (value < units->size && units->size > 1)
        units++;
    uint64_t size = units->size;
    double x = (double)value / (double)size;
    /* Three significant digits; what would round up to four keeps none behind the point. */
    int decimals = size == 1 || x >= 99.95 ? 0 : x >= 9.995 ? 1 : 2;
    text_printf(t, "%.*f%s", decimals, x, units->name);
}

void text_add_bytes(struct text_builder *t, uint64_t bytes) {
    add_exact(t, bytes, bytes ? bytes_shown : bytes_shown + 5);
}

void text_add_duration(struct text_builder *t, uint64_t ns) {
    add_exact(t, ns, ns ? times_shown : times_shown + 3);
}

void text_add_bytes_short(struct text_builder *t, uint64_t bytes) {
    add_short(t, bytes, bytes_shown);
}

void text_add_duration_short(struct text_builder *t, uint64_t ns) {
    add_short(t, ns, ns ? times_shown : times_shown + 3);
}

void text_add_grouped(struct text_builder *t, uint64_t value) {
    char digits[20];
    size_t n = text_format_u64(digits, value);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0) text_add_char(t, ',');
        text_add_char(t, digits[i]);
    }
}
