#include "base/zone.h"

#include "base/assert.h"
#include "base/civil.h"

#include <stdlib.h>

#define DAY           86400
#define HEADER_BYTES  44u
#define TYPES_MAX     256u
#define RULE_TIME_MAX (167 * 3600)

struct zone zone_utc(void) {
    return (struct zone){0};
}

/* ---- the yearly rule ---- */
static bool is_leap(int year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t day_of_date(const struct zone_date *d, int year) {
    int64_t first = civil_days(year, 1, 1);
    if (d->day == ZONE_ORDINAL) return first + d->number;
    if (d->day == ZONE_JULIAN) return first + d->number - 1 + (is_leap(year) && d->number > 59);
    int64_t month = civil_days(year, d->month, 1);
    int64_t next = d->month == 12 ? civil_days(year + 1, 1, 1) : civil_days(year, d->month + 1u, 1);
    int64_t weekday = ((month + 4) % 7 + 7) % 7;
    int64_t day = month + (d->weekday - weekday + 7) % 7 + 7 * (d->week - 1);
    return day < next ? day : day - 7; /* week 5 is the last one */
}

/* The rule's changes around a year, in order, each to another offset than the one before. Of two at one instant (a rule
 * for daylight time all year has them) the one to daylight time counts. */
#define RULE_YEARS   5
#define RULE_CHANGES (2u * RULE_YEARS)
static unsigned rule_changes(const struct zone *z, int year, struct zone_change ret[RULE_CHANGES]) {
    struct zone_change all[RULE_CHANGES];
    unsigned count = 0, kept = 0;
    for (int y = year - RULE_YEARS / 2; y <= year + RULE_YEARS / 2; y++) {
        all[count++] = (struct zone_change){day_of_date(&z->end, y) * DAY + z->end.second - z->daylight, z->standard};
        all[count++] =
            (struct zone_change){day_of_date(&z->begin, y) * DAY + z->begin.second - z->standard, z->daylight};
    }
    for (unsigned i = 1; i < count; i++)
        for (unsigned k = i; k > 0 && all[k].at < all[k - 1].at; k--) {
            struct zone_change swap = all[k];
            all[k] = all[k - 1];
            all[k - 1] = swap;
        }
    for (unsigned i = 0; i < count; i++) {
        bool last_of_instant = i + 1 == count || all[i + 1].at > all[i].at;
        if (!last_of_instant || (kept > 0 && ret[kept - 1].offset == all[i].offset)) continue;
        ret[kept++] = all[i];
    }
    return kept;
}

static int year_of(int64_t at) {
    return civil_from_ns(at * 1000000000).year;
}

/* What civil times hold; beyond it nothing changes. */
static bool is_in_civil_range(int64_t at) {
    return at > -9000000000ll && at < 9000000000ll;
}

/* A stretch is cut where the years that were looked at end; a change by nothing is none. */
static struct zone_span rule_span(const struct zone *z, int64_t at) {
    struct zone_change c[RULE_CHANGES] = {0};
    int year = year_of(at);
    unsigned count = rule_changes(z, year, c), i = 0;
    while (i < count && c[i].at <= at)
        i++;
    struct zone_span s = {.begin = (civil_days(year, 1, 1) - 1) * DAY, .end = (civil_days(year + 1, 1, 1) + 1) * DAY};
    s.offset = s.before = i > 0 ? c[i - 1].offset : c[0].offset == z->standard ? z->daylight : z->standard;
    if (i > 1) s.before = c[i - 2].offset;
    if (i > 0 && c[i - 1].at >= s.begin)
        s.begin = c[i - 1].at;
    else
        s.before = s.offset;
    if (i < count && c[i].at < s.end) s.end = c[i].at;
    return s;
}

/* ---- lookup ---- */
struct zone_span zone_span(const struct zone *z, int64_t at) {
    uint32_t low = 0, high = z->count; /* changes below low are at or before `at` */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (z->changes[middle].at <= at)
            low = middle + 1;
        else
            high = middle;
    }
    struct zone_span s = {INT64_MIN, INT64_MAX, z->first, z->first};
    if (low > 0) {
        s.begin = z->changes[low - 1].at;
        s.offset = z->changes[low - 1].offset;
        s.before = low > 1 ? z->changes[low - 2].offset : z->first;
    }
    if (low < z->count) s.end = z->changes[low].at;
    if (low < z->count || !z->ruled || !is_in_civil_range(at)) return s;
    /* Behind the last listed change the rule holds, but not before it. */
    struct zone_span r = rule_span(z, at);
    if (r.begin > s.begin) return r;
    r.begin = s.begin;
    r.before = s.before;
    return r;
}

/* ---- the rule's text: POSIX TZ as RFC 8536 section 3.3.1 extends it ---- */
struct cursor {
    const uint8_t *p, *end;
};

static bool take_char(struct cursor *c, char wanted) {
    bool there = c->p < c->end && *c->p == (uint8_t)wanted;
    c->p += there;
    return there;
}

static bool take_number(struct cursor *c, int max, int *ret) {
    int value = 0, digits = 0;
    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9' && digits < 4; c->p++, digits++)
        value = value * 10 + (*c->p - '0');
    *ret = value;
    return digits > 0 && value <= max;
}

/* "EST", or between angle brackets with digits and signs. */
static bool take_name(struct cursor *c) {
    const uint8_t *from = c->p;
    if (take_char(c, '<')) {
        while (c->p < c->end && *c->p != '>')
            c->p++;
        return take_char(c, '>');
    }
    while (c->p < c->end && ((*c->p >= 'A' && *c->p <= 'Z') || (*c->p >= 'a' && *c->p <= 'z')))
        c->p++;
    return c->p - from >= 3;
}

static bool take_time(struct cursor *c, int hours_max, int32_t *ret_seconds) {
    bool minus = take_char(c, '-');
    if (!minus) (void)take_char(c, '+');
    int hours, minutes = 0, seconds = 0;
    if (!take_number(c, hours_max, &hours)) return false;
    if (take_char(c, ':') && !take_number(c, 59, &minutes)) return false;
    if (take_char(c, ':') && !take_number(c, 59, &seconds)) return false;
    int32_t all = hours * 3600 + minutes * 60 + seconds;
    *ret_seconds = minus ? -all : all;
    return true;
}

static bool take_date(struct cursor *c, struct zone_date *ret) {
    int number = 0, week = 0, weekday = 0;
    struct zone_date d = {.second = 7200};
    if (take_char(c, 'M')) {
        if (!take_number(c, 12, &number) || !take_char(c, '.') || !take_number(c, 5, &week) || !take_char(c, '.') ||
            !take_number(c, 6, &weekday) || number == 0 || week == 0)
            return false;
        d.day = ZONE_WEEKDAY;
        d.month = (uint8_t)number;
        d.week = (uint8_t)week;
        d.weekday = (uint8_t)weekday;
    } else {
        bool julian = take_char(c, 'J');
        if (!take_number(c, 365, &number) || (julian && number == 0)) return false;
        d.day = julian ? ZONE_JULIAN : ZONE_ORDINAL;
        d.number = (uint16_t)number;
    }
    if (take_char(c, '/') && !take_time(c, RULE_TIME_MAX / 3600, &d.second)) return false;
    *ret = d;
    return true;
}

static bool take_rule(struct weir_slice text, struct zone *z) {
    struct cursor c = {text.data, text.data + text.size};
    int32_t west;
    if (!take_name(&c) || !take_time(&c, 24, &west)) return false;
    z->standard = -west;
    if (c.p == c.end) return true;
    if (!take_name(&c)) return false;
    z->daylight = z->standard + 3600;
    if (c.p < c.end && *c.p != ',') {
        if (!take_time(&c, 24, &west)) return false;
        z->daylight = -west;
    }
    z->ruled = true;
    return take_char(&c, ',') && take_date(&c, &z->begin) && take_char(&c, ',') && take_date(&c, &z->end) &&
           c.p == c.end;
}

/* ---- the file ---- */
struct header {
    uint8_t version;
    uint32_t ut_count, wall_count, leap_count, change_count, type_count, name_bytes;
};

static bool take_header(struct byte_reader *r, struct header *ret) {
    const uint8_t *p = byte_get_raw(r, HEADER_BYTES);
    if (!p || memcmp(p, "TZif", 4) != 0) return false;
    *ret = (struct header){.version = p[4],
        .ut_count = load_be32(p + 20),
        .wall_count = load_be32(p + 24),
        .leap_count = load_be32(p + 28),
        .change_count = load_be32(p + 32),
        .type_count = load_be32(p + 36),
        .name_bytes = load_be32(p + 40)};
    return true;
}

static bool take_types(struct byte_reader *r, uint32_t count, int32_t *offsets) {
    for (uint32_t i = 0; i < count; i++) {
        offsets[i] = (int32_t)byte_get_be32(r);
        byte_skip(r, 2);
        if (offsets[i] <= -ZONE_OFFSET_MAX || offsets[i] >= ZONE_OFFSET_MAX) return false;
    }
    return !r->failed;
}

/* NULL when all is taken; else what is wrong. */
static const char *take_changes(struct byte_reader *r, const struct header *h, struct zone *z) {
    const uint8_t *times = byte_get_raw(r, (size_t)h->change_count * 8);
    const uint8_t *indices = byte_get_raw(r, h->change_count);
    int32_t offsets[TYPES_MAX];
    if (!times || !indices || !take_types(r, h->type_count, offsets)) return "it is cut, or an offset is out of range";
    z->first = offsets[0];
    int64_t last = INT64_MIN;
    for (uint32_t i = 0; i < h->change_count; i++) {
        struct zone_change c = {(int64_t)load_be64(times + (size_t)8 * i), 0};
        if (indices[i] >= h->type_count || (i > 0 && c.at <= last)) return "its changes are out of order";
        c.offset = offsets[indices[i]];
        last = c.at;
        if (c.at < ZONE_SINCE) {
            z->first = c.offset;
            continue;
        }
        int32_t before = z->count ? z->changes[z->count - 1].offset : z->first;
        if (c.offset == before) continue; /* only its name changes */
        if (z->count == ZONE_CHANGES_MAX) return "it has too many changes";
        z->changes[z->count++] = c;
    }
    return NULL;
}

static bool rule_says(const struct zone *z, const struct zone_change *from, const struct zone_change *to) {
    if (!is_in_civil_range(from->at) || !is_in_civil_range(to->at)) return false;
    int64_t at = from->at;
    while (at < to->at) {
        struct zone_span s = rule_span(z, at);
        if (s.offset != from->offset) return false;
        at = s.end;
    }
    return at == to->at && rule_span(z, at).offset == to->offset;
}

/* Files list what the rule says too, for readers without rules. The change from which on it holds stays. */
static void drop_ruled(struct zone *z) {
    while (z->ruled && z->count > 1 && rule_says(z, &z->changes[z->count - 2], &z->changes[z->count - 1]))
        z->count--;
}

static const char *take_body(struct byte_reader *r, struct zone *z) {
    struct header h;
    if (!take_header(r, &h)) return "it is no TZif file";
    if (h.version < '2') return "it is of version 1, which ends in 2037; version 2 is needed";
    uint64_t skipped = (uint64_t)h.change_count * 5 + (uint64_t)h.type_count * 6 + h.name_bytes +
                       (uint64_t)h.leap_count * 8 + h.wall_count + h.ut_count;
    if (skipped > r->size) return "it is cut";
    byte_skip(r, (size_t)skipped);
    if (!take_header(r, &h) || h.version < '2') return "its second half is missing";
    if (h.leap_count) return "it counts leap seconds, which times here do not";
    if (h.type_count == 0 || h.type_count > TYPES_MAX || h.change_count > r->size) return "its counts are out of range";
    const char *wrong = take_changes(r, &h, z);
    if (wrong) return wrong;
    uint64_t rest = (uint64_t)h.name_bytes + h.wall_count + h.ut_count;
    if (rest > r->size) return "it is cut";
    byte_skip(r, (size_t)rest);
    if (byte_get_u8(r) != '\n') return "its rule is missing";
    struct weir_slice rule = weir_slice(r->data + r->at, byte_reader_left(r));
    if (rule.size == 0 || rule.data[rule.size - 1] != '\n') return "its rule is cut";
    rule.size--;
    if (rule.size > 0 && !take_rule(rule, z)) return "its rule can't be read";
    return NULL;
}

enum weir_error zone_load(struct weir_slice tzif, struct zone *ret) {
    struct zone z = {0};
    struct byte_reader r = byte_reader(tzif);
    const char *wrong = take_body(&r, &z);
    if (wrong)
        return weir_error_context(WEIR_E_INVALID, "these %zu bytes are no time zone (RFC 8536): %s", tzif.size, wrong);
    drop_ruled(&z);
    *ret = z;
    return WEIR_OK;
}

/* ---- as bytes ---- */
static void encode_date(const struct zone_date *d, struct byte_writer *w) {
    byte_put_u8(w, d->day);
    byte_put_u8(w, d->month);
    byte_put_u8(w, d->week);
    byte_put_u8(w, d->weekday);
    byte_put_le16(w, d->number);
    byte_put_le32(w, (uint32_t)d->second);
}

void zone_encode(const struct zone *z, struct byte_writer *w) {
    byte_put_u8(w, z->ruled);
    byte_put_u8(w, (uint8_t)z->count);
    byte_put_le32(w, (uint32_t)z->first);
    for (uint32_t i = 0; i < z->count; i++) {
        byte_put_le64(w, (uint64_t)z->changes[i].at);
        byte_put_le32(w, (uint32_t)z->changes[i].offset);
    }
    if (!z->ruled) return;
    byte_put_le32(w, (uint32_t)z->standard);
    byte_put_le32(w, (uint32_t)z->daylight);
    encode_date(&z->begin, w);
    encode_date(&z->end, w);
}

static bool is_offset(int32_t seconds) {
    return seconds > -ZONE_OFFSET_MAX && seconds < ZONE_OFFSET_MAX;
}

static bool decode_date(struct byte_reader *r, struct zone_date *d) {
    d->day = byte_get_u8(r);
    d->month = byte_get_u8(r);
    d->week = byte_get_u8(r);
    d->weekday = byte_get_u8(r);
    d->number = byte_get_le16(r);
    d->second = (int32_t)byte_get_le32(r);
    if (r->failed || abs(d->second) > RULE_TIME_MAX + 3599) return false;
    if (d->day == ZONE_WEEKDAY)
        return d->month >= 1 && d->month <= 12 && d->week >= 1 && d->week <= 5 && d->weekday <= 6;
    return d->day < ZONE_WEEKDAY && d->number <= 365 && (d->day == ZONE_ORDINAL || d->number > 0);
}

enum weir_error zone_decode(struct byte_reader *r, struct zone *ret) {
    struct zone z = {0};
    uint8_t ruled = byte_get_u8(r);
    z.count = byte_get_u8(r);
    z.first = (int32_t)byte_get_le32(r);
    bool good = ruled <= 1 && z.count <= ZONE_CHANGES_MAX && is_offset(z.first);
    for (uint32_t i = 0; good && i < z.count; i++) {
        z.changes[i].at = (int64_t)byte_get_le64(r);
        z.changes[i].offset = (int32_t)byte_get_le32(r);
        good = is_offset(z.changes[i].offset) && (i == 0 || z.changes[i].at > z.changes[i - 1].at);
    }
    z.ruled = ruled;
    if (good && z.ruled) {
        z.standard = (int32_t)byte_get_le32(r);
        z.daylight = (int32_t)byte_get_le32(r);
        good = decode_date(r, &z.begin) && decode_date(r, &z.end) && is_offset(z.standard) && is_offset(z.daylight);
    }
    if (!good || r->failed) return weir_error_context(WEIR_E_INVALID, "these bytes are no stored time zone");
    *ret = z;
    return WEIR_OK;
}
