/* RecordBatch v2 against bytes of an independent implementation, and the builder against the reader. */
#include "base/bytes.h"
#include "base/encode.h"
#include "base/prng.h"
#include "wire/record_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Made by kafka-python 3.0.12 (kafka.record.default_records.DefaultRecordBatchBuilder, magic 2, batch_size 1 MiB):
 *   plain     compression 0, not transactional, producer (-1, -1, -1); append(offset, timestamp, key, value, headers):
 *             (0, 1700000000123, "key-1", "value-1", none)
 *             (1, 1700000000100, null, "no key, earlier, with headers", trace=01 02, empty="", null=null)
 *             (2, 1700000100000, "", null, none)
 *             (3, 1700000000123, 70 times "k", 300 times "v", none)
 *   producer  transactional, producer (4242, 7, 99); for i in 0..69: (i, 1600000000000 + 3 i, decimal i, i times "x")
 *   gzip      compression 1; five times (i, 1600000000000, null, 8 times "squeeze ") */
static const char plain_hex[] =
    "000000000000000000000203000000000242811df90000000000030000018bcfe5687b0000018bcfe6eea0ffffffffffffff"
    "ffffffffffffff00000004240000000a6b65792d310e76616c75652d310072002d02013a6e6f206b65792c206561726c6965"
    "722c20776974682068656164657273060a74726163650401020a656d70747900086e756c6c011000ca980c04000100f40500"
    "00068c016b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b"
    "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6bd804767676767676767676767676767676767676767676767676"
    "7676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676"
    "7676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676"
    "7676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676"
    "7676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676"
    "7676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676"
    "767676767676767676767676767676767676767676767676767600";
static const char producer_hex[] =
    "000000000000000000000c57000000000232cb950200100000004500000174876e800000000174876e80cf00000000000010"
    "92000700000063000000460e0000000230000010000602023102780012000c04023204787800140012060233067878780016"
    "001808023408787878780018001e0a02350a7878787878001a00240c02360c787878787878001c002a0e02370e7878787878"
    "7878001e003010023810787878787878787800200036120239127878787878787878780024003c1404313014787878787878"
    "787878780026004216043131167878787878787878787878002800481804313218787878787878787878787878002a004e1a"
    "0431331a78787878787878787878787878002c00541c0431341c7878787878787878787878787878002e005a1e0431351e78"
    "7878787878787878787878787878003000602004313620787878787878787878787878787878780032006622043137227878"
    "7878787878787878787878787878780034006c24043138247878787878787878787878787878787878780036007226043139"
    "2678787878787878787878787878787878787878003800782804323028787878787878787878787878787878787878787800"
    "3a007e2a0432312a787878787878787878787878787878787878787878003e0084012c0432322c7878787878787878787878"
    "78787878787878787878780040008a012e0432332e7878787878787878787878787878787878787878787878004200900130"
    "0432343078787878787878787878787878787878787878787878787800440096013204323532787878787878787878787878"
    "787878787878787878787878780046009c013404323634787878787878787878787878787878787878787878787878787800"
    "4800a2013604323736787878787878787878787878787878787878787878787878787878004a00a801380432383878787878"
    "787878787878787878787878787878787878787878787878004c00ae013a0432393a78787878787878787878787878787878"
    "78787878787878787878787878004e00b4013c0433303c787878787878787878787878787878787878787878787878787878"
    "787878005000ba013e0433313e78787878787878787878787878787878787878787878787878787878787878005200c00140"
    "043332407878787878787878787878787878787878787878787878787878787878787878005400c601420433334278787878"
    "7878787878787878787878787878787878787878787878787878787878005600cc0144043334447878787878787878787878"
    "7878787878787878787878787878787878787878787878005800d20146043335467878787878787878787878787878787878"
    "787878787878787878787878787878787878005a00d801480433364878787878787878787878787878787878787878787878"
    "7878787878787878787878787878005c00de014a0433374a7878787878787878787878787878787878787878787878787878"
    "7878787878787878787878005e00e4014c0433384c7878787878787878787878787878787878787878787878787878787878"
    "787878787878787878006000ea014e0433394e78787878787878787878787878787878787878787878787878787878787878"
    "7878787878787878006200f00150043430507878787878787878787878787878787878787878787878787878787878787878"
    "7878787878787878006400f60152043431527878787878787878787878787878787878787878787878787878787878787878"
    "787878787878787878006600fc01540434325478787878787878787878787878787878787878787878787878787878787878"
    "7878787878787878787878006800820256043433567878787878787878787878787878787878787878787878787878787878"
    "7878787878787878787878787878006a00880258043434587878787878787878787878787878787878787878787878787878"
    "787878787878787878787878787878787878006c008e025a0434355a78787878787878787878787878787878787878787878"
    "7878787878787878787878787878787878787878787878006e0094025c0434365c7878787878787878787878787878787878"
    "78787878787878787878787878787878787878787878787878787878780070009a025e0434375e7878787878787878787878"
    "787878787878787878787878787878787878787878787878787878787878787878787878007200a002600434386078787878"
    "7878787878787878787878787878787878787878787878787878787878787878787878787878787878787878007400a60262"
    "0434396278787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "787878007600ac02640435306478787878787878787878787878787878787878787878787878787878787878787878787878"
    "78787878787878787878787878007800b2026604353166787878787878787878787878787878787878787878787878787878"
    "787878787878787878787878787878787878787878787878007a00b802680435326878787878787878787878787878787878"
    "787878787878787878787878787878787878787878787878787878787878787878787878007c00be026a0435336a78787878"
    "7878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787800"
    "7e00c4026c0435346c7878787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "7878787878787878787878787800800100ca026e0435356e7878787878787878787878787878787878787878787878787878"
    "787878787878787878787878787878787878787878787878787878787800820100d002700435367078787878787878787878"
    "7878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787800840100"
    "d602720435377278787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "787878787878787878787878787800860100dc02740435387478787878787878787878787878787878787878787878787878"
    "78787878787878787878787878787878787878787878787878787878787878787800880100e2027604353976787878787878"
    "7878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "787878008a0100e8027804363078787878787878787878787878787878787878787878787878787878787878787878787878"
    "787878787878787878787878787878787878787878787878008c0100ee027a0436317a787878787878787878787878787878"
    "78787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878008e0100"
    "f4027c0436327c78787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "7878787878787878787878787878787878787800900100fa027e0436337e7878787878787878787878787878787878787878"
    "7878787878787878787878787878787878787878787878787878787878787878787878787878787878787800960100800380"
    "0104363480017878787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "7878787878787878787878787878787878787878009801008603820104363582017878787878787878787878787878787878"
    "787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878009a"
    "01008c0384010436368401787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "787878787878787878787878787878787878787878787878787878009c010092038601043637860178787878787878787878"
    "7878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "78787878787878009e0100980388010436388801787878787878787878787878787878787878787878787878787878787878"
    "787878787878787878787878787878787878787878787878787878787878787878787878787800a001009e038a010436398a"
    "0178787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "787878787878787878787878787878787878787800";
static const char gzip_hex[] =
    "000000000000000000000069000000000242de8b9200010000000400000174876e800000000174876e8000ffffffffffffff"
    "ffffffffffffff000000051f8b0800ad53016b02ffeb63646060606c602c2e2c4d4dad4a55209766e8031ac4442d8358a865"
    "101bb50ce2a0864100393943616d010000";

static const struct weir_record_batch_limits no_limits = {0};

struct bytes {
    uint8_t *data;
    size_t size;
};

static struct bytes unhex(const char *hex) {
    struct bytes bytes = {malloc(strlen(hex) / 2), strlen(hex) / 2};
    assert_non_null(bytes.data);
    assert_true(hex_decode(weir_slice_text(hex), bytes.data));
    return bytes;
}

static struct weir_slice slice(struct bytes bytes) {
    return weir_slice(bytes.data, bytes.size);
}

static void assert_slice(struct weir_slice actual, const char *expected) {
    assert_true(weir_slice_equal(actual, weir_slice_text(expected)));
}

/* ---- vectors ---- */

static void batch_of_another_implementation_reads_as_written(void **state) {
    (void)state;
    struct bytes bytes = unhex(plain_hex);
    struct weir_record_batch batch;
    assert_int_equal(weir_record_batch_check(slice(bytes), &no_limits, &batch), WEIR_OK);
    assert_int_equal(batch.size, bytes.size);
    assert_int_equal(batch.record_count, 4);
    assert_int_equal(batch.last_offset_delta, 3);
    assert_true(batch.base_timestamp_ms == 1700000000123 && batch.max_timestamp_ms == 1700000100000);
    assert_true(batch.producer_id == -1 && batch.producer_epoch == -1 && batch.base_sequence == -1);
    assert_int_equal(
        weir_record_batch_validate_records(&batch, weir_record_batch_records(slice(bytes), &batch)), WEIR_OK);

    struct weir_record_reader reader;
    struct weir_record record;
    assert_int_equal(weir_record_reader_init(&reader, slice(bytes), &batch), WEIR_OK);
    assert_true(weir_record_reader_next(&reader, &record));
    assert_slice(record.key, "key-1");
    assert_slice(record.value, "value-1");
    assert_true(record.offset == 0 && record.timestamp_ms == 1700000000123 && record.header_count == 0);
    assert_true(weir_record_reader_next(&reader, &record));
    assert_null(record.key.data);
    assert_true(record.timestamp_ms == 1700000000100 && record.header_count == 3);
    struct weir_slice value;
    assert_true(weir_record_header_find(&record, weir_slice_text("trace"), &value));
    assert_true(weir_slice_equal(value, weir_slice("\1\2", 2)));
    assert_true(weir_record_header_find(&record, weir_slice_text("empty"), &value));
    assert_true(value.data != NULL && value.size == 0);
    assert_true(weir_record_header_find(&record, weir_slice_text("null"), &value));
    assert_null(value.data);
    assert_false(weir_record_header_find(&record, weir_slice_text("absent"), &value));
    assert_true(weir_record_reader_next(&reader, &record));
    assert_true(record.key.data != NULL && record.key.size == 0 && record.value.data == NULL);
    assert_true(record.timestamp_ms == 1700000100000);
    assert_true(weir_record_reader_next(&reader, &record));
    assert_true(record.key.size == 70 && record.value.size == 300 && record.offset == 3);
    assert_false(weir_record_reader_next(&reader, &record));
    assert_int_equal(reader.error, WEIR_OK);
    free(bytes.data);
}

static void builder_makes_the_same_bytes_as_another_implementation(void **state) {
    (void)state;
    struct bytes plain = unhex(plain_hex), producer = unhex(producer_hex);
    uint8_t buffer[8192];
    struct weir_record_builder builder;
    struct weir_record_builder_options options = WEIR_RECORD_BUILDER_OPTIONS;
    options.base_timestamp_ms = 1700000000123;
    struct weir_record_header headers[] = {{weir_slice_text("trace"), weir_slice("\1\2", 2)},
        {weir_slice_text("empty"), weir_slice_text("")}, {weir_slice_text("null"), weir_slice(NULL, 0)}};
    struct weir_slice null = {NULL, 0};
    uint8_t k[70], v[300];
    memset(k, 'k', sizeof k);
    memset(v, 'v', sizeof v);
    weir_record_builder_init(&builder, buffer, sizeof buffer, &options);
    assert_int_equal(weir_record_builder_append(
                         &builder, 1700000000123, weir_slice_text("key-1"), weir_slice_text("value-1"), NULL, 0),
        WEIR_OK);
    assert_int_equal(weir_record_builder_append(
                         &builder, 1700000000100, null, weir_slice_text("no key, earlier, with headers"), headers, 3),
        WEIR_OK);
    assert_int_equal(weir_record_builder_append(&builder, 1700000100000, weir_slice_text(""), null, NULL, 0), WEIR_OK);
    assert_int_equal(
        weir_record_builder_append(&builder, 1700000000123, weir_slice(k, sizeof k), weir_slice(v, sizeof v), NULL, 0),
        WEIR_OK);
    assert_true(weir_slice_equal(weir_record_builder_finish(&builder), slice(plain)));

    options = (struct weir_record_builder_options){.base_timestamp_ms = 1600000000000,
        .producer_id = 4242,
        .producer_epoch = 7,
        .base_sequence = 99,
        .attributes = WEIR_BATCH_TRANSACTIONAL};
    weir_record_builder_init(&builder, buffer, sizeof buffer, &options);
    for (int i = 0; i < 70; i++) {
        char key[8];
        snprintf(key, sizeof key, "%d", i);
        memset(v, 'x', sizeof v);
        assert_int_equal(weir_record_builder_append(
                             &builder, 1600000000000 + 3 * i, weir_slice_text(key), weir_slice(v, (size_t)i), NULL, 0),
            WEIR_OK);
    }
    assert_true(weir_slice_equal(weir_record_builder_finish(&builder), slice(producer)));
    free(plain.data);
    free(producer.data);
}

static void compressed_batch_is_checked_but_its_records_are_not_guessed(void **state) {
    (void)state;
    struct bytes bytes = unhex(gzip_hex);
    struct weir_record_batch batch;
    struct weir_record_reader reader;
    assert_int_equal(weir_record_batch_check(slice(bytes), &no_limits, &batch), WEIR_OK);
    assert_int_equal(weir_record_batch_compression(&batch), WEIR_BATCH_GZIP);
    assert_int_equal(batch.record_count, 5);
    assert_int_equal(weir_record_reader_init(&reader, slice(bytes), &batch), WEIR_E_UNSUPPORTED);
    free(bytes.data);
}

/* ---- damage ---- */

static void cut_batch_is_never_taken_for_a_whole_one(void **state) {
    (void)state;
    struct bytes bytes = unhex(plain_hex);
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *copy = malloc(size ? size : 1); /* its own block, so that a read past the cut is seen */
        memcpy(copy, bytes.data, size);
        struct weir_record_batch batch;
        assert_int_equal(weir_record_batch_check(weir_slice(copy, size), &no_limits, &batch), WEIR_E_AGAIN);
        free(copy);
    }
    free(bytes.data);
}

static void flipped_bit_is_caught_everywhere_but_outside_the_crc(void **state) {
    (void)state;
    struct bytes bytes = unhex(plain_hex);
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        struct weir_record_batch batch;
        size_t at = bit / 8;
        bytes.data[at] ^= (uint8_t)(1u << (bit % 8));
        enum weir_error error = weir_record_batch_check(slice(bytes), &no_limits, &batch);
        bool is_free = at < WEIR_BATCH_AT_LENGTH || (at >= WEIR_BATCH_AT_LEADER_EPOCH && at < WEIR_BATCH_AT_MAGIC);
        if (!is_free) assert_int_not_equal(error, WEIR_OK);
        if (at > WEIR_BATCH_AT_RECORD_COUNT + 3) assert_int_equal(error, WEIR_E_CORRUPT);
        bytes.data[at] ^= (uint8_t)(1u << (bit % 8));
    }
    free(bytes.data);
}

/* Walks records that may be anything; ASan watches. */
static void walk(struct weir_slice records, const struct weir_record_batch *batch) {
    struct weir_record_reader reader;
    struct weir_record record;
    int count = 0;
    weir_record_reader_init_records(&reader, records, batch);
    while (weir_record_reader_next(&reader, &record)) {
        struct weir_slice headers = record.headers;
        struct weir_record_header header;
        while (weir_record_header_next(&headers, &header)) {
        }
        count++;
    }
    if (!reader.error) assert_int_equal(count, batch->record_count);
}

static void damaged_records_never_lead_the_reader_out_of_them(void **state) {
    (void)state;
    struct bytes bytes = unhex(plain_hex);
    struct weir_record_batch batch;
    assert_int_equal(weir_record_batch_parse(slice(bytes), &no_limits, &batch), WEIR_OK);
    struct prng prng = prng_seed(1);
    for (int round = 0; round < 20000; round++) {
        size_t size = bytes.size - WEIR_BATCH_HEADER_SIZE;
        uint8_t *copy = malloc(size);
        memcpy(copy, bytes.data + WEIR_BATCH_HEADER_SIZE, size);
        uint64_t changes = prng_between(&prng, 1, 4);
        for (uint64_t i = 0; i < changes; i++)
            copy[prng_below(&prng, i & 1 ? 120 : size)] = (uint8_t)prng_next(&prng);
        walk(weir_slice(copy, size), &batch);
        if (!weir_record_batch_validate_records(&batch, weir_slice(copy, size))) walk(weir_slice(copy, size), &batch);
        free(copy);
    }
    free(bytes.data);
}

/* Records written by hand: what the strict pass says about them. */
static enum weir_error validate_hex(const char *hex, int32_t count) {
    struct bytes bytes = unhex(hex);
    struct weir_record_batch batch = {.record_count = count, .last_offset_delta = count - 1};
    enum weir_error error = weir_record_batch_validate_records(&batch, slice(bytes));
    free(bytes.data);
    return error;
}

static void strict_pass_refuses_every_deviation(void **state) {
    (void)state;
    static const struct {
        const char *hex;
        int32_t count;
        enum weir_error error;
    } cases[] = {
        {"0c000000010100", 1, WEIR_OK},                      /* null key, null value */
        {"0c0000000101000c000002010100", 2, WEIR_OK},        /* deltas 0, 1 */
        {"0c0000000101000c000004010100", 2, WEIR_E_INVALID}, /* a gap */
        {"0c0000000101000c000000010100", 2, WEIR_E_INVALID}, /* twice the same */
        {"0c00000001010000", 1, WEIR_E_INVALID},             /* a byte too many */
        {"0c000000010100", 2, WEIR_E_INVALID},               /* a record too few */
        {"0c010000010100", 1, WEIR_E_INVALID},               /* attributes set */
        {"8c0000000000010100", 1, WEIR_E_INVALID},           /* over-long length */
        {"0e00008000010100", 1, WEIR_E_INVALID},             /* over-long offset delta */
        {"0c000000030100", 1, WEIR_E_INVALID},               /* key length -2 */
        {"0c000000010300", 1, WEIR_E_INVALID},               /* value length -2 */
        {"0c000000010101", 1, WEIR_E_INVALID},               /* header count -1 */
        {"0c000000010102", 1, WEIR_E_INVALID},               /* a header that is not there */
        {"100000000101020002", 1, WEIR_E_INVALID},           /* header value runs over the record */
        {"100000000101020001", 1, WEIR_OK},                  /* header "" = null */
        {"100000000101020101", 1, WEIR_E_INVALID},           /* header with a null key */
        {"0e00000001010000", 1, WEIR_E_INVALID},             /* a byte after the headers, inside the record */
        {"0c000000020100", 1, WEIR_E_INVALID},               /* key runs over the value */
        {"0c000200010100", 1, WEIR_E_INVALID},               /* timestamp 1 above the batch's max */
        {"", 0, WEIR_E_INVALID},                             /* nothing */
        {"01", 1, WEIR_E_INVALID},                           /* negative length */
        {"ffffffff0f", 1, WEIR_E_INVALID},                   /* length INT32_MIN */
        {"ffffffffff0f", 1, WEIR_E_INVALID},                 /* a varint of six bytes */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (validate_hex(cases[i].hex, cases[i].count) != cases[i].error) fail_msg("case %zu: %s", i, cases[i].hex);
    }
}

static void header_fields_that_cannot_be_are_refused(void **state) {
    (void)state;
    static const struct {
        size_t at;
        uint8_t size;
        uint64_t value;
        enum weir_error error;
    } cases[] = {
        {WEIR_BATCH_AT_LENGTH, 4, 48, WEIR_E_INVALID},
        {WEIR_BATCH_AT_LENGTH, 4, UINT32_MAX, WEIR_E_INVALID},
        {WEIR_BATCH_AT_LENGTH, 4, INT32_MAX, WEIR_E_AGAIN},
        {WEIR_BATCH_AT_MAGIC, 1, 1, WEIR_E_UNSUPPORTED},
        {WEIR_BATCH_AT_ATTRIBUTES, 2, 5, WEIR_E_UNSUPPORTED},
        {WEIR_BATCH_AT_BASE_OFFSET, 8, UINT64_MAX, WEIR_E_INVALID},
        {WEIR_BATCH_AT_BASE_OFFSET, 8, INT64_MAX, WEIR_E_INVALID},
        {WEIR_BATCH_AT_LAST_OFFSET_DELTA, 4, 2, WEIR_E_INVALID},
        {WEIR_BATCH_AT_LAST_OFFSET_DELTA, 4, UINT32_MAX, WEIR_E_INVALID},
        {WEIR_BATCH_AT_RECORD_COUNT, 4, UINT32_MAX, WEIR_E_INVALID},
        {WEIR_BATCH_AT_RECORD_COUNT, 4, 100000, WEIR_E_INVALID},
        {WEIR_BATCH_AT_PRODUCER_ID, 8, 5, WEIR_E_INVALID},
        {WEIR_BATCH_AT_PRODUCER_ID, 8, (uint64_t)-2, WEIR_E_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes bytes = unhex(plain_hex);
        uint8_t *at = bytes.data + cases[i].at;
        if (cases[i].size == 1) *at = (uint8_t)cases[i].value;
        if (cases[i].size == 2) store_be16(at, (uint16_t)cases[i].value);
        if (cases[i].size == 4) store_be32(at, (uint32_t)cases[i].value);
        if (cases[i].size == 8) store_be64(at, cases[i].value);
        struct weir_record_batch batch;
        if (weir_record_batch_parse(slice(bytes), &no_limits, &batch) != cases[i].error) fail_msg("case %zu", i);
        free(bytes.data);
    }
}

static void limits_are_named_before_anything_is_read(void **state) {
    (void)state;
    struct bytes bytes = unhex(plain_hex);
    struct weir_record_batch batch;
    struct weir_record_batch_limits limits = {.batch_bytes_max = (uint32_t)bytes.size - 1};
    assert_int_equal(weir_record_batch_parse(weir_slice(bytes.data, 12), &limits, &batch), WEIR_E_TOO_LARGE);
    limits = (struct weir_record_batch_limits){.batch_bytes_max = (uint32_t)bytes.size, .records_max = 3};
    assert_int_equal(weir_record_batch_parse(slice(bytes), &limits, &batch), WEIR_E_TOO_LARGE);
    limits.records_max = 4;
    assert_int_equal(weir_record_batch_parse(slice(bytes), &limits, &batch), WEIR_OK);
    free(bytes.data);
}

/* ---- patches ---- */

static void assigning_offset_epoch_and_time_leaves_a_valid_batch(void **state) {
    (void)state;
    struct bytes bytes = unhex(plain_hex);
    struct weir_record_batch batch;
    struct weir_record_reader reader;
    struct weir_record record;
    weir_record_batch_assign(bytes.data, bytes.size, 1000, 17, 1800000000000);
    assert_int_equal(weir_record_batch_check(slice(bytes), &no_limits, &batch), WEIR_OK);
    assert_true(batch.base_offset == 1000 && batch.leader_epoch == 17 && weir_record_batch_last_offset(&batch) == 1003);
    assert_true((batch.attributes & WEIR_BATCH_LOG_APPEND_TIME) && batch.max_timestamp_ms == 1800000000000);
    assert_int_equal(
        weir_record_batch_validate_records(&batch, weir_record_batch_records(slice(bytes), &batch)), WEIR_OK);
    assert_int_equal(weir_record_reader_init(&reader, slice(bytes), &batch), WEIR_OK);
    for (int64_t i = 0; i < 4; i++) {
        assert_true(weir_record_reader_next(&reader, &record));
        assert_true(record.offset == 1000 + i && record.timestamp_ms == 1800000000000);
    }
    weir_record_batch_set_base_offset(bytes.data, 5);
    weir_record_batch_set_leader_epoch(bytes.data, 6);
    assert_int_equal(weir_record_batch_check(slice(bytes), &no_limits, &batch), WEIR_OK);
    assert_true(batch.base_offset == 5 && batch.leader_epoch == 6);
    weir_record_batch_set_producer(bytes.data, bytes.size, 9, 8, 7);
    weir_record_batch_set_log_append_time(bytes.data, bytes.size, 3);
    assert_int_equal(weir_record_batch_check(slice(bytes), &no_limits, &batch), WEIR_OK);
    assert_true(batch.producer_id == 9 && batch.producer_epoch == 8 && batch.base_sequence == 7);
    assert_true(batch.max_timestamp_ms == 3);
    free(bytes.data);
}

static void append_time_keeps_the_other_attributes(void **state) {
    (void)state;
    struct bytes bytes = unhex(producer_hex);
    struct weir_record_batch batch;
    weir_record_batch_assign(bytes.data, bytes.size, 0, 0, 1);
    assert_int_equal(weir_record_batch_check(slice(bytes), &no_limits, &batch), WEIR_OK);
    assert_int_equal(batch.attributes, WEIR_BATCH_TRANSACTIONAL | WEIR_BATCH_LOG_APPEND_TIME);
    free(bytes.data);
}

static void header_that_runs_over_its_record_is_not_read(void **state) {
    (void)state;
    uint8_t *bytes = malloc(2);
    assert_non_null(bytes);
    memcpy(bytes, "\0\2", 2); /* key "", value of one byte that is not there */
    struct weir_slice headers = weir_slice(bytes, 2);
    struct weir_record_header header;
    assert_false(weir_record_header_next(&headers, &header));
    assert_int_equal(headers.size, 2);
    free(bytes);
}

/* ---- builder ---- */

static void full_builder_is_unchanged_and_a_mark_takes_records_off(void **state) {
    (void)state;
    uint8_t bytes[WEIR_BATCH_HEADER_SIZE + 40];
    struct weir_record_builder builder;
    struct weir_slice value = weir_slice_text("0123456789");
    struct weir_record_builder_options options = WEIR_RECORD_BUILDER_OPTIONS;
    weir_record_builder_init(&builder, bytes, sizeof bytes, &options);
    assert_int_equal(weir_record_builder_append(&builder, 0, value, value, NULL, 0), WEIR_OK); /* 27 bytes */
    struct weir_record_builder mark = builder;
    assert_int_equal(weir_record_builder_append(&builder, 0, value, value, NULL, 0), WEIR_E_FULL);
    assert_memory_equal(&builder, &mark, sizeof mark);
    assert_int_equal(weir_record_builder_append(&builder, 9, weir_slice(NULL, 0), weir_slice("abcdef", 6), NULL, 0),
        WEIR_OK); /* exactly the 13 bytes left */
    assert_int_equal(builder.size, sizeof bytes);
    struct weir_record_batch batch;
    assert_int_equal(weir_record_batch_check(weir_record_builder_finish(&builder), &no_limits, &batch), WEIR_OK);
    assert_true(batch.record_count == 2 && batch.max_timestamp_ms == 9);
    builder = mark;
    assert_int_equal(weir_record_batch_check(weir_record_builder_finish(&builder), &no_limits, &batch), WEIR_OK);
    assert_true(batch.record_count == 1 && batch.max_timestamp_ms == 0 && batch.size == mark.size);
}

static void value_encoded_in_place_is_the_same_as_a_copied_one(void **state) {
    (void)state;
    uint8_t copied[256], placed[256];
    struct weir_record_builder a, b;
    struct weir_record_builder_options options = WEIR_RECORD_BUILDER_OPTIONS;
    struct weir_record_header header = {weir_slice_text("h"), weir_slice_text("x")};
    uint8_t *value = NULL;
    weir_record_builder_init(&a, copied, sizeof copied, &options);
    weir_record_builder_init(&b, placed, sizeof placed, &options);
    assert_int_equal(
        weir_record_builder_append(&a, 5, weir_slice_text("k"), weir_slice_text("abc"), &header, 1), WEIR_OK);
    assert_int_equal(weir_record_builder_append_place(&b, 5, weir_slice_text("k"), 3, &header, 1, &value), WEIR_OK);
    memcpy(value, "abc", 3);
    assert_true(weir_slice_equal(weir_record_builder_finish(&a), weir_record_builder_finish(&b)));
}

/* A record at random; the same seed draws the same one again. */
struct sample {
    int64_t time;
    struct weir_slice key;
    struct weir_slice value;
    struct weir_record_header headers[3];
    size_t header_count;
};

static uint8_t noise[4096];

static struct weir_slice slice_draw(struct prng *prng, uint64_t size_max, bool may_be_null) {
    size_t size = prng_below(prng, size_max);
    return may_be_null && prng_chance(prng, 1, 4) ? weir_slice(NULL, 0) : weir_slice(noise, size);
}

static struct sample sample_draw(struct prng *prng) {
    struct sample sample = {.time = (int64_t)prng_next(prng) >> prng_below(prng, 60) >> 2};
    sample.key = slice_draw(prng, 200, true);
    sample.value = slice_draw(prng, 300, true);
    sample.header_count = prng_below(prng, 4);
    for (size_t i = 0; i < sample.header_count; i++) {
        sample.headers[i].key = slice_draw(prng, 20, false);
        sample.headers[i].value = slice_draw(prng, 30, true);
    }
    return sample;
}

static void assert_same(struct weir_slice a, struct weir_slice b) {
    assert_true(weir_slice_equal(a, b) && !a.data == !b.data);
}

static void sample_assert(const struct sample *sample, const struct weir_record *record) {
    assert_true(record->timestamp_ms == sample->time);
    assert_same(record->key, sample->key);
    assert_same(record->value, sample->value);
    assert_int_equal(record->header_count, sample->header_count);
    struct weir_slice headers = record->headers;
    for (size_t i = 0; i < sample->header_count; i++) {
        struct weir_record_header header;
        assert_true(weir_record_header_next(&headers, &header));
        assert_same(header.key, sample->headers[i].key);
        assert_same(header.value, sample->headers[i].value);
    }
    assert_int_equal(headers.size, 0);
}

/* Fills a batch until it is full. */
static void batch_draw(struct weir_record_builder *builder, struct prng prng) {
    for (;;) {
        struct sample sample = sample_draw(&prng);
        size_t before = builder->size;
        if (weir_record_builder_append(
                builder, sample.time, sample.key, sample.value, sample.headers, sample.header_count)) {
            break;
        }
        assert_true(builder->size - before <=
                    weir_record_size_max(sample.key.size, sample.value.size, sample.headers, sample.header_count));
    }
}

static void whatever_is_built_is_read_back_and_passes_the_strict_pass(void **state) {
    (void)state;
    static uint8_t bytes[1 << 16];
    struct prng prng = prng_seed(2);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)prng_next(&prng);
    for (int round = 0; round < 300; round++) {
        struct weir_record_builder builder;
        struct weir_record_builder_options options = WEIR_RECORD_BUILDER_OPTIONS;
        options.base_timestamp_ms = (int64_t)prng_below(&prng, 1u << 31);
        options.base_offset = (int64_t)prng_below(&prng, 1u << 31);
        weir_record_builder_init(&builder, bytes, prng_between(&prng, 2000, sizeof bytes), &options);
        batch_draw(&builder, prng);
        struct weir_slice whole = weir_record_builder_finish(&builder);
        struct weir_record_batch batch;
        struct weir_record_reader reader;
        struct weir_record record;
        assert_int_equal(weir_record_batch_check(whole, &no_limits, &batch), WEIR_OK);
        assert_int_equal(weir_record_batch_validate_records(&batch, weir_record_batch_records(whole, &batch)), WEIR_OK);
        assert_int_equal(weir_record_reader_init(&reader, whole, &batch), WEIR_OK);
        int64_t offset = options.base_offset;
        while (weir_record_reader_next(&reader, &record)) {
            struct sample sample = sample_draw(&prng);
            assert_true(record.offset == offset++);
            sample_assert(&sample, &record);
        }
        assert_int_equal(reader.error, WEIR_OK);
        assert_true(offset == options.base_offset + builder.count);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_of_another_implementation_reads_as_written),
        cmocka_unit_test(builder_makes_the_same_bytes_as_another_implementation),
        cmocka_unit_test(compressed_batch_is_checked_but_its_records_are_not_guessed),
        cmocka_unit_test(cut_batch_is_never_taken_for_a_whole_one),
        cmocka_unit_test(flipped_bit_is_caught_everywhere_but_outside_the_crc),
        cmocka_unit_test(damaged_records_never_lead_the_reader_out_of_them),
        cmocka_unit_test(strict_pass_refuses_every_deviation),
        cmocka_unit_test(header_fields_that_cannot_be_are_refused),
        cmocka_unit_test(limits_are_named_before_anything_is_read),
        cmocka_unit_test(assigning_offset_epoch_and_time_leaves_a_valid_batch),
        cmocka_unit_test(append_time_keeps_the_other_attributes),
        cmocka_unit_test(header_that_runs_over_its_record_is_not_read),
        cmocka_unit_test(full_builder_is_unchanged_and_a_mark_takes_records_off),
        cmocka_unit_test(value_encoded_in_place_is_the_same_as_a_copied_one),
        cmocka_unit_test(whatever_is_built_is_read_back_and_passes_the_strict_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
