#include "base/cron.h"

#include "base/civil.h"
#include "base/text.h"

#define DAY 86400

/* ---- parsing ---- */
struct field {
    const char *name, *range; /* for the sentence */
    unsigned min, max;
    const char *names; /* three letters each, of min, min + 1, ... */
};
enum field_row { SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, FIELDS };
static const struct field fields[FIELDS] = {
    [SECOND] = {"second", "0-59", 0, 59, NULL},
    [MINUTE] = {"minute", "0-59", 0, 59, NULL},
    [HOUR] = {"hour", "0-23", 0, 23, NULL},
    [DAY_OF_MONTH] = {"day of the month", "1-31, L, L-3, 15W, LW", 1, 31, NULL},
    [MONTH] = {"month", "1-12 or JAN-DEC", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    [DAY_OF_WEEK] = {"day of the week", "0-7 (0 and 7 are Sunday) or SUN-SAT, 5L, 5#2", 0, 7, "sunmontuewedthufrisat"},
};
static const struct {
    const char *name, *means;
} shorthands[] = {{"@yearly", "0 0 0 1 1 *"}, {"@annually", "0 0 0 1 1 *"}, {"@monthly", "0 0 0 1 * *"},
    {"@weekly", "0 0 0 * * 0"}, {"@daily", "0 0 0 * * *"}, {"@midnight", "0 0 0 * * *"}, {"@hourly", "0 0 * * * *"}};

struct text {
    const uint8_t *p, *end;
};

static bool take(struct text *t, char wanted) {
    bool there = t->p < t->end && (*t->p | 0x20) == ((uint8_t)wanted | 0x20);
    t->p += there;
    return there;
}

static bool take_number(struct text *t, unsigned *ret) {
    const uint8_t *from = t->p;
    unsigned value = 0;
    for (; t->p < t->end && *t->p >= '0' && *t->p <= '9' && t->p - from < 4; t->p++)
        value = value * 10 + (unsigned)(*t->p - '0');
    *ret = value;
    return t->p > from;
}

/* A number or a name, within the field's range. */
static bool take_value(struct text *t, const struct field *f, unsigned *ret) {
    if (take_number(t, ret)) return *ret >= f->min && *ret <= f->max;
    if (!f->names || t->end - t->p < 3) return false;
    for (unsigned i = 0; f->names[(size_t)3 * i]; i++)
        if (text_equal_nocase(weir_slice(f->names + (size_t)3 * i, 3), weir_slice(t->p, 3))) {
            t->p += 3;
            *ret = f->min + i;
            return true;
        }
    return false;
}

/* "*", "n", "n-m", each with "/step"; "n/step" runs to the end. */
static bool take_range(struct text *t, const struct field *f, uint64_t *bits) {
    unsigned from = f->min, to = f->max, step = 1;
    bool star = take(t, '*') || take(t, '?');
    if (!star) {
        if (!take_value(t, f, &from)) return false;
        to = from;
        if (take(t, '-')) {
            if (!take_value(t, f, &to)) return false;
            if (to == 0 && f == &fields[DAY_OF_WEEK]) to = 7; /* FRI-SUN */
            if (to < from) return false;
        }
    }
    if (take(t, '/')) {
        if (!take_number(t, &step) || step == 0 || step > f->max) return false;
        if (!star && to == from) to = f->max;
    }
    for (unsigned i = from; i <= to; i += step)
        *bits |= 1ull << i;
    return true;
}

/* L, L-3, LW, 15W */
static bool take_special_day(struct text *t, struct cron *c) {
    struct text at = *t;
    unsigned n;
    if (take(&at, 'l')) {
        if (take(&at, 'w')) {
            c->working_days |= 1;
        } else if (take(&at, '-')) {
            if (!take_number(&at, &n) || n > 30) return false;
            c->last_days |= 1u << n;
        } else {
            c->last_days |= 1;
        }
    } else if (take_number(&at, &n) && n >= 1 && n <= 31 && take(&at, 'w')) {
        c->working_days |= 1u << n;
    } else {
        return false;
    }
    *t = at;
    return true;
}

/* 5L, 5#2 */
static bool take_special_weekday(struct text *t, struct cron *c) {
    struct text at = *t;
    unsigned day, n;
    if (!take_value(&at, &fields[DAY_OF_WEEK], &day)) return false;
    if (take(&at, 'l')) {
        c->last_weekdays |= (uint8_t)(1u << day % 7);
    } else if (at.p < at.end && *at.p == '#') {
        at.p++;
        if (!take_number(&at, &n) || n < 1 || n > 5) return false;
        c->nth_weekdays[n - 1] |= (uint8_t)(1u << day % 7);
    } else {
        return false;
    }
    *t = at;
    return true;
}

static bool take_field(struct text t, enum field_row row, struct cron *c, uint64_t *ret_bits) {
    *ret_bits = 0;
    do {
        bool special =
            (row == DAY_OF_MONTH && take_special_day(&t, c)) || (row == DAY_OF_WEEK && take_special_weekday(&t, c));
        if (!special && !take_range(&t, &fields[row], ret_bits)) return false;
    } while (take(&t, ','));
    return t.p == t.end;
}

static bool is_blank(uint8_t c) {
    return c == ' ' || c == '\t';
}

/* Fields between blanks; FIELDS + 1 when there are more. */
static unsigned split(struct weir_slice s, struct text ret[FIELDS]) {
    unsigned count = 0;
    const uint8_t *p = s.data, *end = s.size ? s.data + s.size : s.data;
    while (p < end) {
        while (p < end && is_blank(*p))
            p++;
        if (p == end) break;
        const uint8_t *from = p;
        while (p < end && !is_blank(*p))
            p++;
        if (count == FIELDS) return FIELDS + 1;
        ret[count++] = (struct text){from, p};
    }
    return count;
}

static struct weir_slice spell_out(struct weir_slice s) {
    for (size_t i = 0; i < sizeof shorthands / sizeof *shorthands; i++) {
        size_t n = strlen(shorthands[i].name);
        if (text_equal_nocase(s, weir_slice(shorthands[i].name, n)))
            return weir_slice(shorthands[i].means, strlen(shorthands[i].means));
    }
    return s;
}

static bool is_star(struct text t) {
    return t.p < t.end && (*t.p == '*' || *t.p == '?');
}

/* Some day of the month lies in some month. What names no day of the month can be in every month. */
static bool is_possible(const struct cron *c) {
    static const uint8_t longest[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (c->any_day || !c->any_weekday || c->last_days & 0x0fffffff || c->working_days & 0x1fffffff) return true;
    for (unsigned m = 1; m <= 12; m++) {
        if (!(c->months & 1u << m)) continue;
        uint32_t within = (uint32_t)((1ull << (longest[m - 1] + 1)) - 2);
        if ((c->days | c->working_days) & within || c->last_days & (within >> 1)) return true;
    }
    return false;
}

enum weir_error cron_parse(struct weir_slice text, struct cron *ret) {
    struct text parts[FIELDS] = {0};
    struct cron c = {0};
    uint64_t bits[FIELDS] = {[SECOND] = 1};
    unsigned count = split(spell_out(text), parts);
    if (count != FIELDS && count != FIELDS - 1)
        return weir_error_context(WEIR_E_INVALID,
            "\"%.*s\" is not a cron expression: it needs five fields (minute hour day month weekday), or six with "
            "seconds in front, or one of @yearly @monthly @weekly @daily @hourly",
            (int)(text.size < 80 ? text.size : 80), text.size ? (const char *)text.data : "");
    unsigned skip = FIELDS - count;
    for (unsigned row = skip; row < FIELDS; row++) {
        struct text t = parts[row - skip];
        if (!take_field(t, row, &c, &bits[row]))
            return weir_error_context(WEIR_E_INVALID,
                "cron expression \"%.*s\": \"%.*s\" is no %s: %s; lists a,b ranges a-b steps */n",
                (int)(text.size < 80 ? text.size : 80), (const char *)text.data,
                (int)(t.end - t.p < 40 ? t.end - t.p : 40), (const char *)t.p, fields[row].name, fields[row].range);
    }
    c.seconds = bits[SECOND];
    c.minutes = bits[MINUTE];
    c.hours = (uint32_t)bits[HOUR];
    c.days = (uint32_t)bits[DAY_OF_MONTH];
    c.months = (uint32_t)bits[MONTH];
    c.weekdays = (uint8_t)((bits[DAY_OF_WEEK] | bits[DAY_OF_WEEK] >> 7) & 0x7f);
    c.any_day = is_star(parts[DAY_OF_MONTH - skip]);
    c.any_weekday = is_star(parts[DAY_OF_WEEK - skip]);
    c.elapsed = is_star(parts[MINUTE - skip]) || is_star(parts[HOUR - skip]);
    if (!is_possible(&c))
        return weir_error_context(WEIR_E_INVALID, "cron expression \"%.*s\": none of its months has such a day",
            (int)(text.size < 80 ? text.size : 80), (const char *)text.data);
    *ret = c;
    return WEIR_OK;
}

/* ---- when ---- */
struct month {
    int year;
    unsigned month, days, first_weekday;
};

static struct month month_of(int year, unsigned month) {
    int64_t first = civil_days(year, month, 1);
    int64_t next = month == 12 ? civil_days(year + 1, 1, 1) : civil_days(year, month + 1, 1);
    return (struct month){year, month, (unsigned)(next - first), (unsigned)(((first + 4) % 7 + 7) % 7)};
}

static unsigned weekday_of(const struct month *m, unsigned day) {
    return (m->first_weekday + day - 1) % 7;
}

/* Monday to Friday nearest to the day, in its month. 0: the month has no such day. */
static unsigned nearest_working_day(const struct month *m, unsigned day) {
    if (day > m->days) return 0;
    unsigned weekday = weekday_of(m, day);
    if (weekday == 6) return day > 1 ? day - 1 : 3;
    if (weekday == 0) return day < m->days ? day + 1 : day - 2;
    return day;
}

static bool is_day_of_month(const struct cron *c, const struct month *m, unsigned day) {
    if (c->days & 1u << day || c->last_days & 1u << (m->days - day)) return true;
    for (unsigned n = 1; n <= 31 && c->working_days >> 1; n++)
        if (c->working_days & 1u << n && nearest_working_day(m, n) == day) return true;
    unsigned last = nearest_working_day(m, m->days);
    return c->working_days & 1 && day == last;
}

static bool is_day_of_week(const struct cron *c, const struct month *m, unsigned day) {
    unsigned bit = 1u << weekday_of(m, day);
    return c->weekdays & bit || c->nth_weekdays[(day - 1) / 7] & bit || (c->last_weekdays & bit && day + 7 > m->days);
}

static bool is_day(const struct cron *c, const struct month *m, unsigned day) {
    if (!(c->months & 1u << m->month)) return false;
    bool of_month = is_day_of_month(c, m, day), of_week = is_day_of_week(c, m, day);
    return c->any_day || c->any_weekday ? of_month && of_week : of_month || of_week;
}

/* The first set bit from `from` on; 64: none. */
static unsigned bit_from(uint64_t bits, unsigned from) {
    if (from > 63) return 64;
    bits = bits >> from << from;
    return bits ? (unsigned)__builtin_ctzll(bits) : 64;
}

/* The first matching second of the day from `from` on; -1: none. */
static int32_t second_of_day(const struct cron *c, unsigned from) {
    unsigned h = from / 3600, m = from / 60 % 60, s = from % 60;
    unsigned second = h == bit_from(c->hours, h) && m == bit_from(c->minutes, m) ? bit_from(c->seconds, s) : 64;
    if (second < 64) return (int32_t)(h * 3600 + m * 60 + second);
    unsigned minute = h == bit_from(c->hours, h) ? bit_from(c->minutes, m + 1) : 64;
    second = bit_from(c->seconds, 0);
    if (minute < 64) return (int32_t)(h * 3600 + minute * 60 + second);
    unsigned hour = bit_from(c->hours, h + 1);
    return hour < 64 ? (int32_t)(hour * 3600 + bit_from(c->minutes, 0) * 60 + second) : -1;
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

/* The first matching time of a clock without changes, in [from, end). */
static bool next_of_clock(const struct cron *c, int64_t from, int64_t end, int64_t *ret) {
    int64_t day = floor_div(from, DAY);
    unsigned second = (unsigned)(from - day * DAY);
    struct civil date = civil_from_ns(day * DAY * 1000000000);
    struct month m = month_of(date.year, date.month);
    for (unsigned d = date.day; day * DAY < end; day++, d++, second = 0) {
        if (d > m.days) {
            m = m.month == 12 ? month_of(m.year + 1, 1) : month_of(m.year, m.month + 1);
            d = 1;
        }
        int32_t found = is_day(c, &m, d) ? second_of_day(c, second) : -1;
        if (found < 0) continue;
        *ret = day * DAY + found;
        return *ret < end;
    }
    return false;
}

bool cron_next(const struct cron *c, const struct zone *zone, int64_t after, int64_t *ret_at) {
    if (after < CRON_AFTER_MIN || after > CRON_AFTER_MAX) return false;
    int64_t at = after + 1, limit = at + (int64_t)CRON_YEARS_MAX * 366 * DAY, local;
    while (at < limit) {
        struct zone_span s = zone_span(zone, at);
        int64_t from = at + s.offset, end = (s.end < limit ? s.end : limit) + s.offset;
        if (!c->elapsed && at == s.begin && next_of_clock(c, s.begin + s.before, from, &local)) {
            *ret_at = at; /* skipped by the clock */
            return true;
        }
        /* What the clock shows a second time. */
        if (!c->elapsed && s.before > s.offset && from < s.begin + s.before) from = s.begin + s.before;
        if (from < end && next_of_clock(c, from, end, &local)) {
            *ret_at = local - s.offset;
            return true;
        }
        at = s.end;
    }
    return false;
}
