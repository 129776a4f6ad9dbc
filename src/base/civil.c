/* base/civil.c: the proleptic Gregorian calendar in eras of 400 years (146,097 days), years beginning in March so that
 * the leap day comes last. */
#include "base/civil.h"

#include "base/assert.h"

#include <stdio.h>

#define NS_PER_SECOND 1000000000ll
#define SECONDS_A_DAY 86400ll

int64_t civil_days(int year, unsigned month, unsigned day) {
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_of_days(int64_t days, struct civil *ret) {
    days += 719468; /* since 0000-03-01 */
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    ret->day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1);
    ret->month = (unsigned)(month < 10 ? month + 3 : month - 9);
    ret->year = (int)(year_of_era + era * 400 + (ret->month <= 2));
}

struct civil civil_from_ns(int64_t ns) {
    struct civil c = {0};
    int64_t seconds = ns / NS_PER_SECOND, rest = ns % NS_PER_SECOND;
    if (rest < 0) {
        rest += NS_PER_SECOND;
        seconds--;
    }
    int64_t days = seconds / SECONDS_A_DAY, of_day = seconds % SECONDS_A_DAY;
    if (of_day < 0) {
        of_day += SECONDS_A_DAY;
        days--;
    }
    date_of_days(days, &c);
    c.hour = (unsigned)(of_day / 3600);
    c.minute = (unsigned)(of_day / 60 % 60);
    c.second = (unsigned)(of_day % 60);
    c.nanosecond = (unsigned)rest;
    c.weekday = (unsigned)(((days + 4) % 7 + 7) % 7);
    return c;
}

static unsigned days_in_month(int year, unsigned month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

bool civil_to_ns(const struct civil *c, int64_t *ret_ns) {
    if (c->month < 1 || c->month > 12 || c->day < 1 || c->day > days_in_month(c->year, c->month) || c->hour > 23 ||
        c->minute > 59 || c->second > 59 || c->nanosecond >= NS_PER_SECOND)
        return false;
    __int128 seconds = (__int128)civil_days(c->year, c->month, c->day) * SECONDS_A_DAY;
    seconds += (__int128)c->hour * 3600 + c->minute * 60 + c->second;
    __int128 ns = seconds * NS_PER_SECOND + c->nanosecond;
    if (ns < INT64_MIN || ns > INT64_MAX) return false;
    *ret_ns = (int64_t)ns;
    return true;
}

/* value as exactly n digits */
static char *digits_put(char *out, unsigned value, unsigned n) {
    for (unsigned i = n; i-- > 0; value /= 10)
        out[i] = (char)('0' + value % 10);
    return out + n;
}

size_t civil_format(int64_t ns, unsigned digits, char *out) {
    WEIR_ASSERT(digits <= 9);
    struct civil c = civil_from_ns(ns);
    char *p = digits_put(out, (unsigned)c.year, 4);
    *p++ = '-';
    p = digits_put(p, c.month, 2);
    *p++ = '-';
    p = digits_put(p, c.day, 2);
    *p++ = 'T';
    p = digits_put(p, c.hour, 2);
    *p++ = ':';
    p = digits_put(p, c.minute, 2);
    *p++ = ':';
    p = digits_put(p, c.second, 2);
    if (digits) {
        char fraction[9];
        digits_put(fraction, c.nanosecond, 9);
        *p++ = '.';
        memcpy(p, fraction, digits);
        p += digits;
    }
    *p++ = 'Z';
    *p = 0;
    return (size_t)(p - out);
}

static const char day_names[] = "SunMonTueWedThuFriSat";
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

void civil_format_http(int64_t ns, char *out) {
    struct civil c = civil_from_ns(ns);
    memcpy(out, day_names + (size_t)3 * c.weekday, 3);
    memcpy(out + 3, ", ", 2);
    char *p = digits_put(out + 5, c.day, 2);
    *p++ = ' ';
    memcpy(p, month_names + (size_t)3 * (c.month - 1), 3);
    p[3] = ' ';
    p = digits_put(p + 4, (unsigned)c.year, 4);
    *p++ = ' ';
    p = digits_put(p, c.hour, 2);
    *p++ = ':';
    p = digits_put(p, c.minute, 2);
    *p++ = ':';
    p = digits_put(p, c.second, 2);
    memcpy(p, " GMT", 5);
}

/* A cursor over the text; every step answers false at the first thing out of place. */
struct cursor {
    const uint8_t *p, *end;
};

static bool take_digits(struct cursor *c, unsigned n, unsigned *ret) {
    unsigned value = 0;
    if ((size_t)(c->end - c->p) < n) return false;
    for (unsigned i = 0; i < n; i++) {
        if (c->p[i] < '0' || c->p[i] > '9') return false;
        value = value * 10 + (unsigned)(c->p[i] - '0');
    }
    c->p += n;
    *ret = value;
    return true;
}

static bool take_char(struct cursor *c, char wanted) {
    bool there = c->p < c->end && *c->p == (uint8_t)wanted;
    c->p += there;
    return there;
}

static bool take_fraction(struct cursor *c, unsigned *ret_ns) {
    unsigned value = 0, n = 0;
    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++, n++)
        if (n < 9) value = value * 10 + (unsigned)(*c->p - '0');
    for (unsigned i = n; i < 9; i++)
        value *= 10;
    *ret_ns = value;
    return n > 0;
}

/* "Z" or "+hh:mm"; seconds east of Greenwich. */
static bool take_offset(struct cursor *c, int64_t *ret_seconds) {
    *ret_seconds = 0;
    if (take_char(c, 'Z') || take_char(c, 'z')) return true;
    bool west = take_char(c, '-');
    unsigned hours, minutes;
    if (!west && !take_char(c, '+')) return false;
    if (!take_digits(c, 2, &hours) || !take_char(c, ':') || !take_digits(c, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_seconds = (int64_t)(hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

static bool take_time(struct cursor *c, struct civil *ret, int64_t *ret_offset) {
    if (!take_char(c, 'T') && !take_char(c, 't') && !take_char(c, ' ')) return false;
    if (!take_digits(c, 2, &ret->hour) || !take_char(c, ':') || !take_digits(c, 2, &ret->minute) ||
        !take_char(c, ':') || !take_digits(c, 2, &ret->second))
        return false;
    if (take_char(c, '.') && !take_fraction(c, &ret->nanosecond)) return false;
    return take_offset(c, ret_offset);
}

/* A leap second is the last second of a UTC day and becomes the first instant of the next. */
static bool shift(struct civil *c, int64_t offset, int64_t *ret_ns) {
    bool leap = c->second == 60;
    int64_t ns;
    if (leap) {
        c->second = 59;
        c->nanosecond = 0;
    }
    if (!civil_to_ns(c, &ns) || __builtin_sub_overflow(ns, offset * NS_PER_SECOND, &ns)) return false;
    if (leap && __builtin_add_overflow(ns, NS_PER_SECOND, &ns)) return false;
    if (leap && ns % (SECONDS_A_DAY * NS_PER_SECOND) != 0) return false;
    *ret_ns = ns;
    return true;
}

enum weir_error civil_parse(struct weir_slice s, int64_t *ret_ns) {
    struct cursor c = {s.data, s.size ? s.data + s.size : s.data};
    struct civil t = {0};
    unsigned year = 0;
    int64_t offset = 0;
    bool good = take_digits(&c, 4, &year) && take_char(&c, '-') && take_digits(&c, 2, &t.month) && take_char(&c, '-') &&
                take_digits(&c, 2, &t.day);
    t.year = (int)year;
    if (good && c.p < c.end) good = take_time(&c, &t, &offset) && c.p == c.end;
    if (!good || !shift(&t, offset, ret_ns))
        return weir_error_context(WEIR_E_INVALID,
            "\"%.*s\" is not a time: expected RFC 3339 such as 2026-01-31T23:59:59.123Z between 1678 and 2262",
            (int)(s.size < 64 ? s.size : 64), s.size ? (const char *)s.data : "");
    return WEIR_OK;
}

/* ---- the three forms of a date in HTTP ---- */

/* One of the names of three letters; *ret: which, from 0. */
static bool take_name(struct cursor *c, const char *names, unsigned *ret) {
    if (c->end - c->p < 3) return false;
    for (unsigned i = 0; names[(size_t)3 * i]; i++) {
        if (memcmp(c->p, names + (size_t)3 * i, 3) != 0) continue;
        c->p += 3;
        *ret = i;
        return true;
    }
    return false;
}

/* RFC 850 has two digits of the year. Without a clock: those of 1970 to 2069. */
static bool take_short_year(struct cursor *c, unsigned *ret_year) {
    unsigned year;
    if (!take_digits(c, 2, &year)) return false;
    *ret_year = year + (year < 70 ? 2000 : 1900);
    return true;
}

/* One element of a form: a letter for a part of the time, anything else for itself. */
static bool take_part(struct cursor *c, char part, struct civil *t, unsigned *year) {
    unsigned unused;
    switch (part) {
    case 'w':
        return take_name(c, day_names, &unused);
    case 'W': /* the rest of its long name */
        while (c->p < c->end && *c->p >= 'a' && *c->p <= 'z')
            c->p++;
        return true;
    case 'd':
        return take_digits(c, 2, &t->day);
    case 'D': /* a blank in front of one digit */
        return take_char(c, ' ') ? take_digits(c, 1, &t->day) : take_digits(c, 2, &t->day);
    case 'm':
        return take_name(c, month_names, &t->month);
    case 'y':
        return take_short_year(c, year);
    case 'Y':
        return take_digits(c, 4, year);
    case 'h':
        return take_digits(c, 2, &t->hour);
    case 'n':
        return take_digits(c, 2, &t->minute);
    case 's':
        return take_digits(c, 2, &t->second);
    default:
        return take_char(c, part);
    }
}

bool civil_parse_http(struct weir_slice s, int64_t *ret_ns) {
    static const char *const forms[] = {"w, d m Y h:n:s GMT", "wW, d-m-y h:n:s GMT", "w m D h:n:s Y"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct cursor c = {s.data, s.size ? s.data + s.size : s.data};
        struct civil t = {0};
        unsigned year = 0;
        const char *form = forms[i];
        while (*form && take_part(&c, *form, &t, &year))
            form++;
        if (*form || c.p != c.end) continue;
        t.year = (int)year;
        t.month++;
        return shift(&t, 0, ret_ns);
    }
    return false;
}
