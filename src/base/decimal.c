/* base/decimal.c: an exact fast path, the C library for the rest. */
#include "base/decimal.h"

#include "base/assert.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* No double needs more significant digits to be told from its neighbours' midpoint than 767; one more stands for
 * "and something not zero behind". */
#define DIGITS_MAX 768

static bool is_digit(uint8_t c) {
    return (uint8_t)(c - '0') <= 9;
}

static size_t digits_end(struct weir_slice s, size_t at) {
    while (at < s.size && is_digit(s.data[at]))
        at++;
    return at;
}

size_t decimal_scan(struct weir_slice s, bool *ret_whole) {
    size_t at = s.size > 0 && s.data[0] == '-', start = at;
    at = digits_end(s, at);
    if (at == start || (s.data[start] == '0' && at > start + 1)) return 0;
    bool whole = true;
    if (at < s.size && s.data[at] == '.') {
        whole = false;
        start = at + 1;
        at = digits_end(s, start);
        if (at == start) return 0;
    }
    if (at < s.size && (s.data[at] | 0x20) == 'e') {
        whole = false;
        start = at + 1;
        if (start < s.size && (s.data[start] == '+' || s.data[start] == '-')) start++;
        at = digits_end(s, start);
        if (at == start) return 0;
    }
    *ret_whole = whole;
    return at;
}

/* A literal taken apart: value = digits * 10^exponent. */
struct parts {
    bool negative;
    uint64_t digits;     /* the first 19 significant ones */
    unsigned count;      /* of significant digits, all of them, capped */
    int64_t exponent;    /* of the last significant digit */
    struct weir_slice s; /* mantissa: digits and at most one point */
};

static struct parts take_apart(struct weir_slice s) {
    struct parts p = {.negative = s.size && s.data[0] == '-'};
    size_t at = p.negative;
    int64_t scale = 0;
    bool point = false;
    p.s.data = s.data + at;
    for (; at < s.size && (s.data[at] | 0x20) != 'e'; at++) {
        if (s.data[at] == '.') {
            point = true;
            continue;
        }
        scale -= point;
        if (p.count == 0 && s.data[at] == '0') continue;
        if (p.count < 19) p.digits = p.digits * 10 + (uint64_t)(s.data[at] - '0');
        p.count += p.count < UINT32_MAX;
    }
    p.s.size = (size_t)(s.data + at - p.s.data);
    int64_t exponent = 0;
    if (at < s.size) {
        bool negative = s.data[at + 1] == '-';
        for (at += 1 + (negative || s.data[at + 1] == '+'); at < s.size; at++)
            if (exponent < 1000000000) exponent = exponent * 10 + (s.data[at] - '0');
        exponent = negative ? -exponent : exponent;
    }
    p.exponent = exponent + scale;
    return p;
}

/* Any literal, through strtod over digits and an exponent only: no point, so no locale. */
static bool convert_slowly(const struct parts *p, double *ret) {
    char text[DIGITS_MAX + 32];
    size_t n = 0, significant = 0;
    int64_t exponent = p->exponent;
    bool more = false;
    for (size_t i = 0; i < p->s.size; i++) {
        uint8_t c = p->s.data[i];
        if (c == '.' || (significant == 0 && c == '0')) continue;
        if (significant++ < DIGITS_MAX) {
            text[n++] = (char)c;
        } else {
            more |= c != '0';
            exponent++;
        }
    }
    if (more) text[n - 1] = text[n - 1] == '0' ? '1' : text[n - 1]; /* sticky: below the last digit that can matter */
    exponent = exponent > 2000000000 ? 2000000000 : exponent < -2000000000 ? -2000000000 : exponent;
    snprintf(text + n, sizeof text - n, "e%lld", (long long)exponent);
    double x = strtod(text, NULL);
    if (isinf(x)) return false;
    *ret = p->negative ? -x : x;
    return true;
}

bool decimal_to_double(struct weir_slice literal, double *ret) {
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
        1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct parts p = take_apart(literal);
    if (p.digits == 0) {
        *ret = p.negative ? -0.0 : 0.0;
        return true;
    }
    /* Both operands are exact, so one operation rounds once (Clinger, 1990). */
    if (p.count <= 19 && p.digits <= (1ull << 53) && p.exponent >= -22 && p.exponent <= 22) {
        double x = (double)p.digits;
        x = p.exponent < 0 ? x / powers[-p.exponent] : x * powers[p.exponent];
        *ret = p.negative ? -x : x;
        return true;
    }
    return convert_slowly(&p, ret);
}

/* Digits and exponent (of the first digit) of a positive value, trailing zeros dropped; digits has room for 17. */
static size_t shortest_digits(double value, char *digits, int *ret_exponent) {
    char text[40];
    /* 15 digits always survive a normal double, so its shortest form is found there; a subnormal has fewer. */
    for (int precision = value < DBL_MIN ? 1 : 15;; precision++) {
        snprintf(text, sizeof text, "%.*e", precision - 1, value);
        if (precision == 17 || strtod(text, NULL) == value) break;
    }
    size_t n = 0;
    const char *p = text;
    for (; *p && *p != 'e'; p++)
        if (is_digit((uint8_t)*p)) digits[n++] = *p;
    bool negative = p[1] == '-';
    int exponent = 0;
    for (p += 2; *p; p++)
        exponent = exponent * 10 + (*p - '0');
    *ret_exponent = negative ? -exponent : exponent;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    return n;
}

static size_t put(char *out, size_t at, const char *bytes, size_t count) {
    memcpy(out + at, bytes, count);
    return at + count;
}

static size_t put_zeros(char *out, size_t at, int count) {
    for (int i = 0; i < count; i++)
        out[at++] = '0';
    return at;
}

size_t decimal_from_double(double value, char *out) {
    WEIR_ASSERT(isfinite(value));
    char digits[20];
    int exponent;
    size_t at = 0;
    if (signbit(value)) out[at++] = '-';
    /* "-0" would read back as an integer and lose its sign. */
    if (value == 0) return put(out, at, "0.0", at ? 3 : 1);
    size_t count = shortest_digits(fabs(value), digits, &exponent);
    if (exponent >= 17 || exponent < -5) {
        at = put(out, at, digits, 1);
        if (count > 1) {
            out[at++] = '.';
            at = put(out, at, digits + 1, count - 1);
        }
        return at + (size_t)snprintf(out + at, DECIMAL_SIZE - at, "e%d", exponent);
    }
    if (exponent < 0) {
        at = put(out, at, "0.", 2);
        at = put_zeros(out, at, -exponent - 1);
        return put(out, at, digits, count);
    }
    size_t whole = (size_t)exponent + 1;
    if (count <= whole) {
        at = put(out, at, digits, count);
        return put_zeros(out, at, (int)(whole - count));
    }
    at = put(out, at, digits, whole);
    out[at++] = '.';
    return put(out, at, digits + whole, count - whole);
}
