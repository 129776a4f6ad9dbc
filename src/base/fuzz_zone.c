/* Any bytes as a zone file or a cron expression: what is taken gives stretches of time that follow each other, comes
 * back from its own bytes, and is due at increasing seconds. The first byte picks.
 * Covers: cron.c zone.c. */
#include "base/assert.h"
#include "base/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_spans(const struct zone *z) {
    int64_t at = ZONE_SINCE;
    for (int i = 0; i < 200; i++) {
        struct zone_span s = zone_span(z, at);
        WEIR_ASSERT(s.begin <= at && s.end > at);
        if (s.end == INT64_MAX) return;
        at = s.end;
    }
}

static void fuzz_zone(struct weir_slice bytes) {
    struct zone z, back;
    uint8_t stored[ZONE_BYTES_MAX], again[ZONE_BYTES_MAX];
    if (zone_load(bytes, &z)) return;
    check_spans(&z);
    struct byte_writer w = byte_writer(stored, sizeof stored), v = byte_writer(again, sizeof again);
    zone_encode(&z, &w);
    struct byte_reader r = byte_reader(byte_writer_slice(&w));
    WEIR_ASSERT(!w.failed && zone_decode(&r, &back) == WEIR_OK);
    zone_encode(&back, &v);
    WEIR_ASSERT(weir_slice_equal(byte_writer_slice(&w), byte_writer_slice(&v)));
}

static void fuzz_stored_zone(struct weir_slice bytes) {
    struct zone z;
    struct byte_reader r = byte_reader(bytes);
    if (zone_decode(&r, &z) == WEIR_OK) check_spans(&z);
}

static void fuzz_cron(struct weir_slice text) {
    struct cron c;
    struct zone z = {.ruled = true,
        .standard = 3600,
        .daylight = 7200,
        .begin = {ZONE_WEEKDAY, 3, 5, 0, 0, 7200},
        .end = {ZONE_WEEKDAY, 10, 5, 0, 0, 10800}};
    if (cron_parse(text, &c)) return;
    int64_t at = ZONE_SINCE, due;
    for (int i = 0; i < 5 && cron_next(&c, &z, at, &due); i++) {
        WEIR_ASSERT(due > at);
        at = due;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    struct weir_slice s = weir_slice(data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        fuzz_zone(s);
        break;
    case 1:
        fuzz_stored_zone(s);
        break;
    default:
        fuzz_cron(s);
        break;
    }
    return 0;
}
