/* Any bytes through every small parser of base: they stay inside their input, and what they accept comes back when it
 * is printed and parsed again. The first byte picks the parser.
 * Covers: civil.c decimal.c encode.c units.c utf8.c. */
#include "base/bytes.h"
#include "base/civil.h"
#include "base/decimal.h"
#include "base/encode.h"
#include "base/units.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_units(struct weir_slice s) {
    char out[64];
    struct text_builder t = TEXT_BUILDER(out);
    uint64_t value, back;
    int64_t number;
    uint32_t ppm;
    double x;
    bool b;
    if (!parse_bytes(s, &value)) {
        text_add_bytes(&t, value);
        WEIR_ASSERT(!parse_bytes(text_slice(&t), &back) && back == value);
    }
    text_clear(&t);
    if (!parse_duration(s, &value)) {
        text_add_duration(&t, value);
        WEIR_ASSERT(!parse_duration(text_slice(&t), &back) && back == value);
    }
    text_clear(&t);
    if (!parse_u64(s, &value)) {
        text_add_u64(&t, value);
        WEIR_ASSERT(!parse_u64(text_slice(&t), &back) && back == value);
    }
    text_clear(&t);
    if (!parse_i64(s, &number)) {
        int64_t again;
        text_add_i64(&t, number);
        WEIR_ASSERT(!parse_i64(text_slice(&t), &again) && again == number);
    }
    if (!parse_double(s, &x)) {
        double again;
        size_t n = decimal_from_double(x, out);
        WEIR_ASSERT(n <= DECIMAL_SIZE && decimal_to_double(weir_slice(out, n), &again) && again == x);
    }
    (void)!parse_ratio(s, &ppm);
    (void)!parse_bool(s, &b);
}

static void fuzz_times(struct weir_slice s) {
    int64_t ns, back;
    char out[CIVIL_TEXT_SIZE];
    if (civil_parse_http(s, &ns) && ns >= 0) {
        civil_format_http(ns, out);
        WEIR_ASSERT(civil_parse_http(weir_slice(out, CIVIL_HTTP_SIZE - 1), &back) && back == ns);
    }
    if (!civil_parse(s, &ns)) {
        size_t n = civil_format(ns, 9, out);
        WEIR_ASSERT(!civil_parse(weir_slice(out, n), &back) && back == ns);
    }
    if (s.size >= 8) {
        ns = (int64_t)load_le64(s.data);
        struct civil c = civil_from_ns(ns);
        WEIR_ASSERT(civil_to_ns(&c, &back) && back == ns);
        int64_t second = 1000000000;
        /* Any number of digits is the time, cut. */
        for (unsigned digits = 0; digits <= 9; digits += 3) {
            size_t n = civil_format(ns, digits, out);
            if (ns < INT64_MIN + second) continue; /* cut, it may lie before the first time there is */
            WEIR_ASSERT(!civil_parse(weir_slice(out, n), &back) && back <= ns && ns - back < second);
        }
        char date[CIVIL_HTTP_SIZE];
        civil_format_http(ns, date);
        WEIR_ASSERT(strlen(date) == CIVIL_HTTP_SIZE - 1);
    }
}

/* A date with every field as the input says is refused or stands for a time. */
static void fuzz_date(struct weir_slice s) {
    int64_t ns;
    if (s.size < 8) return;
    struct civil c = {.year = (int)(int16_t)load_le16(s.data),
        .month = s.data[2] % 14,
        .day = s.data[3] % 33,
        .hour = s.data[4] % 26,
        .minute = s.data[5] % 62,
        .second = s.data[6] % 62};
    if (!civil_to_ns(&c, &ns)) return;
    struct civil again = civil_from_ns(ns);
    WEIR_ASSERT(again.year == c.year && again.month == c.month && again.day == c.day && again.hour == c.hour);
    WEIR_ASSERT(again.minute == c.minute && again.second == c.second);
}

static void fuzz_encodings(struct weir_slice s) {
    uint8_t *bytes = malloc(s.size + 4);
    char *text = malloc(base64_size(s.size) + 2 * s.size + 1);
    size_t n;
    if (base64_decode(s, bytes, &n)) {
        base64_encode(weir_slice(bytes, n), text);
        WEIR_ASSERT(weir_slice_equal(weir_slice(text, base64_size(n)), s));
    }
    if (base64url_decode(s, bytes, &n)) {
        size_t characters = base64url_encode(weir_slice(bytes, n), text);
        WEIR_ASSERT(weir_slice_equal(weir_slice(text, characters), s));
    }
    if (hex_decode(s, bytes)) hex_encode(weir_slice(bytes, s.size / 2), text);
    hex_encode(s, text);
    WEIR_ASSERT(hex_decode(weir_slice(text, 2 * s.size), bytes) && memcmp(bytes, s.size ? s.data : bytes, s.size) == 0);
    free(bytes);
    free(text);
}

static void fuzz_utf8(struct weir_slice s) {
    char out[100];
    struct text_builder t = TEXT_BUILDER(out);
    size_t valid = utf8_valid_size(s);
    WEIR_ASSERT(valid <= s.size && utf8_valid(weir_slice(s.data, valid)));
    for (size_t cut = 0; cut <= valid && cut < 40; cut++)
        WEIR_ASSERT(utf8_valid(weir_slice(s.data, utf8_cut(weir_slice(s.data, valid), cut))));
    uint8_t encoded[4];
    uint32_t code = s.size >= 4 ? load_le32(s.data) % 0x110000 : 'a';
    bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    if (!is_surrogate) WEIR_ASSERT(utf8_valid(weir_slice(encoded, utf8_encode(code, encoded))));
    text_add_quoted(&t, s, 60);
    WEIR_ASSERT(utf8_valid(text_slice(&t)) && t.size < sizeof out && out[t.size] == 0);
}

static void fuzz_varints(struct weir_slice s) {
    struct byte_reader r = byte_reader(s);
    while (!r.failed && byte_reader_left(&r) > 0) {
        uint8_t out[VARINT64_SIZE_MAX];
        uint64_t x = byte_get_varint64(&r);
        size_t n = varint_store(out, x);
        uint64_t back;
        WEIR_ASSERT(n == varint_size(x) && varint64_load(out, n, &back) == n && back == x);
    }
    WEIR_ASSERT(r.at <= s.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"listen", "lanes", "data"};
    if (size == 0) return 0;
    struct weir_slice s = weir_slice(data + 1, size - 1);
    switch (data[0] % 5) {
    case 0:
        fuzz_units(s);
        break;
    case 1:
        fuzz_times(s);
        fuzz_date(s);
        break;
    case 2:
        fuzz_encodings(s);
        break;
    case 3:
        fuzz_utf8(s);
        break;
    default:
        fuzz_varints(s);
        break;
    }
    (void)text_nearest(s, names, 3);
    return 0;
}
