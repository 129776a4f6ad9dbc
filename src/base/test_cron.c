/* What would break users of schedules: a job on the wrong hour of the wrong day, twice or never when the clock changes;
 * a zone that is not the one of the machine's own tables. libc is the zones' judge, a walk over every minute cron's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/civil.h"
#include "base/cron.h"
#include "base/prng.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ZONES "/usr/share/zoneinfo/"

static struct weir_slice text(const char *s) {
    return weir_slice(s, strlen(s));
}

static bool read_file(const char *path, uint8_t *buf, size_t size, size_t *ret_size) {
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    *ret_size = fread(buf, 1, size, f);
    (void)fclose(f);
    return true;
}

static bool load(const char *name, struct zone *ret) {
    static uint8_t bytes[65536];
    char path[512];
    size_t size;
    (void)snprintf(path, sizeof path, ZONES "%s", name);
    return read_file(path, bytes, sizeof bytes, &size) && zone_load(weir_slice(bytes, size), ret) == WEIR_OK;
}

static struct zone zone_named(const char *name) {
    struct zone z;
    if (!load(name, &z)) {
        print_message("SKIP: %s%s is absent; apt-get install tzdata\n", ZONES, name);
        skip();
    }
    return z;
}

static int64_t utc(const char *s) {
    int64_t ns;
    assert_int_equal(civil_parse(text(s), &ns), WEIR_OK);
    return ns / 1000000000;
}

static void check_zone_against_libc(const char *name, struct prng *p, unsigned *checked) {
    struct zone z, back;
    if (!load(name, &z)) return;
    assert_int_equal(setenv("TZ", name, 1), 0);
    tzset();
    for (int i = 0; i < 300; i++) {
        time_t at = (time_t)(ZONE_SINCE + (int64_t)prng_below(p, 4000000000ull));
        struct tm tm;
        assert_non_null(localtime_r(&at, &tm));
        struct zone_span s = zone_span(&z, at);
        if (s.offset != tm.tm_gmtoff || s.begin > at || s.end <= at)
            fail_msg("%s at %lld: %d, libc %ld", name, (long long)at, s.offset, tm.tm_gmtoff);
        if (s.begin > ZONE_SINCE) assert_int_equal(zone_span(&z, s.begin - 1).offset, s.before);
    }
    uint8_t bytes[ZONE_BYTES_MAX], again[ZONE_BYTES_MAX];
    struct byte_writer w = byte_writer(bytes, sizeof bytes), v = byte_writer(again, sizeof again);
    zone_encode(&z, &w);
    assert_false(w.failed);
    struct byte_reader r = byte_reader(byte_writer_slice(&w));
    assert_int_equal(zone_decode(&r, &back), WEIR_OK);
    zone_encode(&back, &v);
    assert_true(weir_slice_equal(byte_writer_slice(&w), byte_writer_slice(&v)));
    ++*checked;
}

static void every_zone_of_the_machine_is_as_libc_says(void **state) {
    (void)state;
    static const char *const folders[] = {
        "", "Africa/", "America/", "Antarctica/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/", "Pacific/"};
    struct prng p = prng_seed(1);
    unsigned checked = 0;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char path[512], name[512];
        (void)snprintf(path, sizeof path, ZONES "%s", folders[i]);
        DIR *folder = opendir(path);
        for (struct dirent *e; folder && (e = readdir(folder));) {
            if (e->d_name[0] == '.') continue;
            (void)snprintf(name, sizeof name, "%s%.200s", folders[i], e->d_name);
            check_zone_against_libc(name, &p, &checked);
        }
        if (folder) (void)closedir(folder);
    }
    (void)unsetenv("TZ");
    tzset();
    if (checked == 0) {
        print_message("SKIP: no %s; apt-get install tzdata\n", ZONES);
        skip();
    }
    assert_true(checked > 300);
}

/* ---- cron ---- */
struct due {
    const char *cron, *zone, *after, *due;
};
static void known_times_come_out(void **state) {
    (void)state;
    static const struct due rows[] = {
        {"*/5 * * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"},
        {"*/10 * * * * *", "UTC", "2026-01-01T00:00:55Z", "2026-01-01T00:01:00Z"},
        {"0 9 * * MON-FRI", "UTC", "2026-11-27T09:00:00Z", "2026-11-30T09:00:00Z"},
        {"0 0 13 * FRI", "UTC", "2026-11-01T00:00:00Z", "2026-11-06T00:00:00Z"},
        {"0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
        {"0 12 L * *", "UTC", "2028-02-01T00:00:00Z", "2028-02-29T12:00:00Z"},
        {"0 12 L-2 * *", "UTC", "2026-04-01T00:00:00Z", "2026-04-28T12:00:00Z"},
        {"0 12 15W * *", "UTC", "2026-08-01T00:00:00Z", "2026-08-14T12:00:00Z"},
        {"0 12 1W * *", "UTC", "2026-08-01T00:00:00Z", "2026-08-03T12:00:00Z"},
        {"0 12 LW * *", "UTC", "2026-05-01T00:00:00Z", "2026-05-29T12:00:00Z"},
        {"0 12 * * 5L", "UTC", "2026-11-01T00:00:00Z", "2026-11-27T12:00:00Z"},
        {"0 12 * * TUE#2", "UTC", "2026-11-01T00:00:00Z", "2026-11-10T12:00:00Z"},
        {"0 12 * * 7", "UTC", "2026-11-23T00:00:00Z", "2026-11-29T12:00:00Z"},
        {"0 12 * * FRI-SUN", "UTC", "2026-11-28T13:00:00Z", "2026-11-29T12:00:00Z"},
        {"@monthly", "UTC", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
        {"0 8 * * *", "Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-01T02:15:00Z"},
        /* Berlin skips 02:00 to 03:00 on 29 March 2026 and repeats it on 25 October. */
        {"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
        {"30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"},
        {"0,20,40 2 * * *", "Europe/Berlin", "2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z"},
        {"0,20,40 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"},
        {"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
        {"30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
        {"30 * * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"},
        {"30 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"},
        {"0 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
        /* Lord Howe moves its clock by half an hour; Dublin's winter is its rule's daylight time. */
        {"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T15:30:00Z"},
        {"30 1 * * *", "Europe/Dublin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct zone z = zone_named(rows[i].zone);
        struct cron c;
        int64_t at = 0;
        assert_int_equal(cron_parse(text(rows[i].cron), &c), WEIR_OK);
        assert_true(cron_next(&c, &z, utc(rows[i].after), &at));
        char out[CIVIL_TEXT_SIZE];
        civil_format(at * 1000000000, 0, out);
        if (strcmp(out, rows[i].due) != 0)
            fail_msg("%s in %s after %s: %s, expected %s", rows[i].cron, rows[i].zone, rows[i].after, out, rows[i].due);
    }
}

static void what_is_no_expression_is_refused_with_the_field(void **state) {
    (void)state;
    static const struct {
        const char *cron, *says;
    } rows[] = {{"", "five fields"}, {"* * * *", "five fields"}, {"* * * * * * *", "five fields"},
        {"60 * * * *", "minute"}, {"* 24 * * *", "hour"}, {"* * 0 * *", "day of the month"}, {"* * 32 * *", "day of"},
        {"* * * 13 *", "month"}, {"* * * * 8", "day of the week"}, {"5-1 * * * *", "minute"}, {"*/0 * * * *", "minute"},
        {"1,,2 * * * *", "minute"}, {"a * * * *", "minute"}, {"* * * FOO *", "month"}, {"@never", "five fields"},
        {"0 0 30 2 *", "none of its months"}, {"0 0 31 4,6,9,11 *", "none of its months"}, {"* * * * 5#6", "week"},
        {"* * L-31 * *", "day of the month"}, {"* * 32W * *", "day of the month"}, {"61 * * * * *", "second"},
        {"99999999999 * * * *", "minute"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cron c;
        assert_int_equal(cron_parse(text(rows[i].cron), &c), WEIR_E_INVALID);
        if (!strstr(weir_error_text(), rows[i].says)) fail_msg("\"%s\": %s", rows[i].cron, weir_error_text());
    }
}

/* ---- the model: every minute of the clock, one after the other ---- */
static bool shows(const struct cron *c, int64_t local) {
    struct civil t = civil_from_ns(local * 1000000000);
    bool day = c->days >> t.day & 1, weekday = c->weekdays >> t.weekday & 1;
    bool date = c->any_day || c->any_weekday ? day && weekday : day || weekday;
    return t.second == 0 && c->minutes >> t.minute & 1 && c->hours >> t.hour & 1 && c->months >> t.month & 1 && date;
}

static int64_t model_next(const struct cron *c, const struct zone *z, int64_t after) {
    for (int64_t at = after + 60;; at += 60) {
        int32_t offset = zone_span(z, at).offset, before = zone_span(z, at - 60).offset;
        if (c->elapsed) {
            if (shows(c, at + offset)) return at;
            continue;
        }
        for (int64_t local = at + before; local < at + offset; local += 60)
            if (shows(c, local)) return at;
        bool shown_before = false, far = zone_span(z, at).begin < at - 3 * 3600;
        for (int64_t ago = 60; !far && ago <= 3 * 3600 && !shown_before; ago += 60)
            shown_before = at - ago + zone_span(z, at - ago).offset == at + offset;
        if (!shown_before && shows(c, at + offset)) return at;
    }
}

static void random_expressions_are_due_when_the_model_says(void **state) {
    (void)state;
    static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
        "Africa/Casablanca", "Europe/Dublin", "America/St_Johns", "Pacific/Chatham"};
    struct prng p = prng_seed(7);
    for (int i = 0; i < 150; i++) {
        struct zone z = zone_named(zones[prng_below(&p, 8)]);
        /* Near a change, where it is difficult. */
        struct zone_span s = zone_span(&z, ZONE_SINCE + (int64_t)prng_below(&p, 600000000));
        int64_t at = s.begin > ZONE_SINCE ? s.begin : ZONE_SINCE + 86400;
        at = at / 60 * 60 - 6 * 3600 + (int64_t)prng_below(&p, 600) * 60;
        char expression[128], minute[16] = "*", hour[16] = "*";
        if (prng_chance(&p, 3, 4))
            (void)snprintf(
                minute, sizeof minute, "%u/%u", (unsigned)prng_below(&p, 60), 7 + (unsigned)prng_below(&p, 30));
        if (prng_chance(&p, 2, 3))
            (void)snprintf(hour, sizeof hour, "%u-%u", (unsigned)prng_below(&p, 3), 2 + (unsigned)prng_below(&p, 3));
        (void)snprintf(expression, sizeof expression, "%s %s %s * %s", minute, hour,
            prng_chance(&p, 1, 4) ? "1-20" : "*", prng_chance(&p, 1, 4) ? "0-3" : "*");
        struct cron c;
        assert_int_equal(cron_parse(text(expression), &c), WEIR_OK);
        for (int k = 0; k < 12; k++) {
            int64_t due, expected = model_next(&c, &z, at);
            assert_true(cron_next(&c, &z, at, &due));
            if (due != expected)
                fail_msg("%s after %lld: %lld, the model says %lld", expression, (long long)at, (long long)due,
                    (long long)expected);
            at = due;
        }
    }
}

static void damaged_zones_are_refused(void **state) {
    (void)state;
    uint8_t bytes[65536], copy[65536];
    size_t size;
    if (!read_file(ZONES "Europe/Berlin", bytes, sizeof bytes, &size)) skip();
    struct zone z;
    assert_int_equal(zone_load(weir_slice(bytes, size), &z), WEIR_OK);
    for (size_t cut = 0; cut < size; cut++)
        if (zone_load(weir_slice(bytes, cut), &z) == WEIR_OK) fail_msg("cut at %zu it is taken", cut);
    memcpy(copy, bytes, size);
    copy[4] = 0; /* version 1 */
    assert_int_equal(zone_load(weir_slice(copy, size), &z), WEIR_E_INVALID);
    assert_non_null(strstr(weir_error_text(), "version 1"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_zone_of_the_machine_is_as_libc_says),
        cmocka_unit_test(known_times_come_out),
        cmocka_unit_test(what_is_no_expression_is_refused_with_the_field),
        cmocka_unit_test(random_expressions_are_due_when_the_model_says),
        cmocka_unit_test(damaged_zones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
