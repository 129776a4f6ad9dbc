/* The codecs against bytes of independent implementations, and against themselves; what is malformed or unfolds too
 * far. */
#include "base/bytes.h"
#include "base/encode.h"
#include "base/prng.h"
#include "wire/compression.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* plain, gzip, snappy, lz4, zstd: made by kafka-python 3.0.12 (DefaultRecordBatchBuilder, magic 2) with lz4 4.4.5,
 * python-snappy 0.7.3 and zstandard 0.25.0: for i in 0..19: (i, 1600000000000 + i, "key-" + decimal i % 3,
 * 8 times "squeeze me " + decimal i). */
static const char plain_hex[] =
    "00000000000000000000084700000000026f43dd0a00000000001300000174876e800000000174876e8013ffffffffffffff"
    "ffffffffffffff00000014ca010000000a6b65792d30b20173717565657a65206d652073717565657a65206d652073717565"
    "657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d65"
    "2073717565657a65206d65203000ca010002020a6b65792d31b20173717565657a65206d652073717565657a65206d652073"
    "717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65"
    "206d652073717565657a65206d65203100ca010004040a6b65792d32b20173717565657a65206d652073717565657a65206d"
    "652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565"
    "657a65206d652073717565657a65206d65203200ca010006060a6b65792d30b20173717565657a65206d652073717565657a"
    "65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073"
    "717565657a65206d652073717565657a65206d65203300ca010008080a6b65792d31b20173717565657a65206d6520737175"
    "65657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d"
    "652073717565657a65206d652073717565657a65206d65203400ca01000a0a0a6b65792d32b20173717565657a65206d6520"
    "73717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a"
    "65206d652073717565657a65206d652073717565657a65206d65203500ca01000c0c0a6b65792d30b20173717565657a6520"
    "6d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d6520737175"
    "65657a65206d652073717565657a65206d652073717565657a65206d65203600ca01000e0e0a6b65792d31b2017371756565"
    "7a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d6520"
    "73717565657a65206d652073717565657a65206d652073717565657a65206d65203700ca010010100a6b65792d32b2017371"
    "7565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a6520"
    "6d652073717565657a65206d652073717565657a65206d652073717565657a65206d65203800ca010012120a6b65792d30b2"
    "0173717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d65207371756565"
    "7a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d65203900cc010014140a6b6579"
    "2d31b40173717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d65207371"
    "7565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d6520313000cc01001616"
    "0a6b65792d32b40173717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d"
    "652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d6520313100cc"
    "010018180a6b65792d30b40173717565657a65206d652073717565657a65206d652073717565657a65206d65207371756565"
    "7a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d6520"
    "313200cc01001a1a0a6b65792d31b40173717565657a65206d652073717565657a65206d652073717565657a65206d652073"
    "717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65"
    "206d6520313300cc01001c1c0a6b65792d32b40173717565657a65206d652073717565657a65206d652073717565657a6520"
    "6d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d6520737175"
    "65657a65206d6520313400cc01001e1e0a6b65792d30b40173717565657a65206d652073717565657a65206d652073717565"
    "657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d65"
    "2073717565657a65206d6520313500cc010020200a6b65792d31b40173717565657a65206d652073717565657a65206d6520"
    "73717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a"
    "65206d652073717565657a65206d6520313600cc010022220a6b65792d32b40173717565657a65206d652073717565657a65"
    "206d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d65207371"
    "7565657a65206d652073717565657a65206d6520313700cc010024240a6b65792d30b40173717565657a65206d6520737175"
    "65657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d"
    "652073717565657a65206d652073717565657a65206d6520313800cc010026260a6b65792d31b40173717565657a65206d65"
    "2073717565657a65206d652073717565657a65206d652073717565657a65206d652073717565657a65206d65207371756565"
    "7a65206d652073717565657a65206d652073717565657a65206d6520313900";
static const char gzip_hex[] =
    "0000000000000000000000f900000000023b2b93fb00010000001300000174876e800000000174876e8013ffffffffffffff"
    "ffffffffffffff000000141f8b0800a872086b02ffb5d33b0a83501484e17345444444444444e4226217f0fd58d0ad244508"
    "29926585ac42b2a830ba854c37dd073fccae44c4dbccf3d2bcd5fdf630e665f4d5e8bfce4676259675302d8f69c1d8f6c174"
    "3ca603e338ec683d18d765471bc0781e3bda08c6f7d9d1263041c08e3683094376b4054c14b1a3adf25512c767b40fef9e0d"
    "9c2439ab119d164e9a9ed9884e0727cbe8dd7a38794eef36c0290a7ab7118ed6f46e139cb2a4779be15415bddb02a7aee9dd"
    "56f901a21bab9916080000";
static const char snappy_hex[] =
    "00000000000000000000019400000000025655c11700020000001300000174876e800000000174876e8013ffffffffffffff"
    "ffffffffffffff0000001482534e415050590000000001000000010000014f96105cca010000000a6b65792d30b201737175"
    "65657a65206d6520fe0b00320b00183000ca0100020205670031fe67006667000031016704040405670032fe670066670000"
    "3201670406060567fe35016a3501003301670408080567fe35016a350100340167040a0a0567fe35016a350100350167040c"
    "0c0567fe35016a350100360167040e0e0567fe35016a3501003701670410100567fe35016a3501003801670412120567fe35"
    "016a3501183900cc0100141405670431b4fe0604620604043130016804161605680032fe68006a6800003101680418180568"
    "0030fe68006a680000320168041a1a0568fe38016e380100330168041c1c0568fe38016e380100340168041e1e0568fe3801"
    "6e3801003501680420200568fe38016e3801003601680422220568fe38016e3801003701680424240568fe38016e38010038"
    "01680426260568fe38016e3801043900";
static const char lz4_hex[] =
    "00000000000000000000016b0000000002d56484c600030000001300000174876e800000000174876e8013ffffffffffffff"
    "ffffffffffffff0000001404224d18684016080000000000006823010000ff09ca010000000a6b65792d30b2017371756565"
    "7a65206d65200b003a713000ca0100020267001f316700471031670021040467001f326700471032670021060667000f3501"
    "481033670021080867000f35014810346700210a0a67000f35014810356700210c0c67000f35014810366700210e0e67000f"
    "3501481037670021101067000f3501481038670021121267000f350148713900cc0100141467002f31b40604462031306800"
    "21161668001f326800481031680021181868001f3068004810326800211a1a68000f38014910336800211c1c68000f380149"
    "10346800211e1e68000f3801491035680021202068000f3801491036680021222268000f3801491037680021242468000f38"
    "01491038680021262668000f38014650652031390000000000";
static const char zstd_hex[] =
    "0000000000000000000000ff00000000027df4463000040000001300000174876e800000000174876e8013ffffffffffffff"
    "ffffffffffffff0000001428b52ffd60160725060002871a2180571d263ad4044d0886310ac4e4488c87244988cc1b99ccff"
    "f7fbfdefefe76f19d9ddb23857d5a614a53dc6ccd384a9245d8f2235045d9fc74fdc71f22db273d370ca30db9745b3a2640a"
    "21f624b98c20aac7f11b463e453aae20ee61b730203c8401860dc0cc7c8a3820f0953538a2716538a2716538a271653862e3"
    "ca7044e3ca7044e3ca7044e3caf088c695e108d3785db10d6eede636aeec8e685cd98d685cd98d685cd98dd0b8b21bd1b8b2"
    "1bd1b8b21bd1b8b2eb23d4d41ad4a81c03";
/* 40 times "squeeze me ", as other writers frame it. */
static const char snappy_raw_hex[] = "b8032873717565657a65206d6520fe0b00fe0b00fe0b00fe0b00fe0b00fe0b00b20b00";
static const char gzip_members_hex[] =
    "1f8b08000000000002032b2e2c4d4dad4a55c84d5528a6151300e60c487f640000001f8b08000000000002032b2c4d4dad4a"
    "55c84d55282e1c6552870900bc66af9754010000";
static const char lz4_linked_hex[] =
    "04224d186c40b8010000000000001b16000000bf73717565657a65206d65200b00ff965065206d652000000000f7b89f29";
static const char lz4_frames_hex[] =
    "04224d18684064000000000000002315000000bf73717565657a65206d65200b004150206d6520730000000004224d186840"
    "54010000000000002f16000000bf717565657a65206d6520730b00ff325065206d652000000000";
static const char zstd_unsized_hex[] = "28b52ffd00589500005873717565657a65206d65200100aa568b17";

struct bytes {
    uint8_t *data;
    size_t size;
};

static struct bytes unhex(const char *hex) {
    struct bytes bytes = {malloc(strlen(hex) / 2 + 1), strlen(hex) / 2};
    assert_non_null(bytes.data);
    assert_true(hex_decode(weir_slice_text(hex), bytes.data));
    return bytes;
}

static struct weir_slice slice(struct bytes bytes) {
    return weir_slice(bytes.data, bytes.size);
}

static int open_codec(void **state) {
    static struct weir_compression c;
    assert_int_equal(weir_compression_open(&c), WEIR_OK);
    *state = &c;
    return 0;
}

static int close_codec(void **state) {
    weir_compression_close(*state);
    return 0;
}

static const struct {
    enum weir_batch_compression kind;
    const char *hex;
} batches[] = {{WEIR_BATCH_GZIP, gzip_hex}, {WEIR_BATCH_SNAPPY, snappy_hex}, {WEIR_BATCH_LZ4, lz4_hex},
    {WEIR_BATCH_ZSTD, zstd_hex}};
static const struct {
    enum weir_batch_compression kind;
    const char *hex;
} texts[] = {{WEIR_BATCH_SNAPPY, snappy_raw_hex}, {WEIR_BATCH_GZIP, gzip_members_hex}, {WEIR_BATCH_LZ4, lz4_linked_hex},
    {WEIR_BATCH_LZ4, lz4_frames_hex}, {WEIR_BATCH_ZSTD, zstd_unsized_hex}};
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TEXT_SIZE    (40 * 11)

static void batches_of_a_client_unfold_to_the_plain_one(void **state) {
    struct bytes plain = unhex(plain_hex);
    for (size_t i = 0; i < COUNT(batches); i++) {
        struct bytes bytes = unhex(batches[i].hex);
        uint8_t out[8192];
        struct weir_slice batch;
        assert_int_equal(weir_batch_validate(*state, slice(bytes), NULL, out, sizeof out, &batch), WEIR_OK);
        assert_true(weir_slice_equal(batch, slice(plain)));
        assert_int_equal(
            weir_batch_decompress(*state, slice(bytes), out, plain.size, &batch), WEIR_OK); /* to the byte */
        assert_int_equal(weir_batch_decompress(*state, slice(bytes), out, plain.size - 1, &batch), WEIR_E_TOO_LARGE);
        assert_int_equal(weir_batch_decompress(*state, slice(bytes), out, 60, &batch), WEIR_E_TOO_LARGE);
        free(bytes.data);
    }
    struct weir_slice same;
    uint8_t out[8192];
    assert_int_equal(weir_batch_validate(*state, slice(plain), NULL, NULL, 0, &same), WEIR_OK);
    assert_ptr_equal(same.data, plain.data);
    assert_int_equal(weir_batch_decompress(*state, slice(plain), out, sizeof out, &same), WEIR_OK);
    assert_true(weir_slice_equal(same, slice(plain)));
    free(plain.data);
}

static void frames_of_every_kind_are_read(void **state) {
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct bytes bytes = unhex(texts[i].hex);
        char out[1000];
        size_t size = 0;
        assert_int_equal(weir_decompress(*state, texts[i].kind, slice(bytes), out, sizeof out, &size), WEIR_OK);
        assert_int_equal(size, TEXT_SIZE);
        for (size_t k = 0; k < size; k++)
            assert_int_equal(out[k], "squeeze me "[k % 11]);
        assert_int_equal(weir_decompress(*state, texts[i].kind, slice(bytes), out, TEXT_SIZE, &size), WEIR_OK);
        assert_int_equal(
            weir_decompress(*state, texts[i].kind, slice(bytes), out, TEXT_SIZE - 1, &size), WEIR_E_TOO_LARGE);
        free(bytes.data);
    }
}

/* However it is cut it is refused, but at a frame's end. */
static void what_is_cut_short_is_refused(void **state) {
    for (size_t i = 0; i < COUNT(batches); i++) {
        struct bytes bytes = unhex(batches[i].hex);
        uint8_t out[8192];
        for (size_t cut = 0; cut + WEIR_BATCH_HEADER_SIZE < bytes.size; cut++) {
            uint8_t *copy = malloc(cut + 1); /* its own block: a read behind it is seen */
            size_t size = 0;
            memcpy(copy, bytes.data + WEIR_BATCH_HEADER_SIZE, cut);
            enum weir_error e = weir_decompress(*state, batches[i].kind, weir_slice(copy, cut), out, sizeof out, &size);
            bool in_magic = batches[i].kind == WEIR_BATCH_SNAPPY && cut < 16;   /* then it is read as a raw one */
            bool at_an_end = batches[i].kind == WEIR_BATCH_SNAPPY && cut == 16; /* of no block */
            if (at_an_end) assert_int_equal(size, 0);
            if (!at_an_end && !in_magic) assert_int_equal(e, WEIR_E_INVALID);
            if (!at_an_end) assert_int_not_equal(e, WEIR_OK);
            free(copy);
        }
        free(bytes.data);
    }
}

/* Each time with the same contexts: liblz4 carries the announced size of an unfinished frame over to the next. */
static void a_bad_frame_leaves_nothing_behind(void **state) {
    struct bytes sized = unhex(lz4_linked_hex), unsized = unhex(lz4_frames_hex);
    char out[1000];
    size_t size = 0;
    for (size_t cut = 1; cut < sized.size; cut++) {
        assert_int_equal(weir_decompress(*state, WEIR_BATCH_LZ4, weir_slice(sized.data, cut), out, sizeof out, &size),
            WEIR_E_INVALID);
        assert_int_equal(weir_decompress(*state, WEIR_BATCH_LZ4, slice(unsized), out, sizeof out, &size), WEIR_OK);
        assert_int_equal(size, TEXT_SIZE);
    }
    free(sized.data);
    free(unsized.data);
}

static void a_batch_of_which_the_records_are_wrong_is_refused(void **state) {
    uint8_t out[8192], copy[8192];
    struct weir_slice batch;
    struct bytes bytes = unhex(zstd_hex);
    memcpy(copy, bytes.data, bytes.size);
    struct weir_slice whole = weir_slice(copy, bytes.size);
    const struct {
        size_t at;
        uint8_t value;
        enum weir_error error;
    } rows[] = {{WEIR_BATCH_AT_RECORD_COUNT + 3, 19, WEIR_E_INVALID},
        {WEIR_BATCH_AT_RECORD_COUNT + 3, 0, WEIR_E_INVALID},
        {WEIR_BATCH_AT_ATTRIBUTES + 1, WEIR_BATCH_ZSTD | WEIR_BATCH_CONTROL, WEIR_E_UNSUPPORTED},
        {WEIR_BATCH_AT_ATTRIBUTES + 1, WEIR_BATCH_ZSTD | WEIR_BATCH_TRANSACTIONAL, WEIR_E_UNSUPPORTED},
        {WEIR_BATCH_AT_ATTRIBUTES + 1, WEIR_BATCH_LZ4, WEIR_E_INVALID},
        {WEIR_BATCH_AT_ATTRIBUTES + 1, 7, WEIR_E_UNSUPPORTED}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        memcpy(copy, bytes.data, bytes.size);
        copy[rows[i].at] = rows[i].value;
        store_be32(copy + WEIR_BATCH_AT_CRC, weir_record_batch_crc(whole));
        assert_int_equal(weir_batch_validate(*state, whole, NULL, out, sizeof out, &batch), rows[i].error);
    }
    memcpy(copy, bytes.data, bytes.size);
    copy[bytes.size - 1] ^= 1;
    assert_int_equal(weir_batch_validate(*state, whole, NULL, out, sizeof out, &batch), WEIR_E_CORRUPT);
    assert_int_equal(weir_batch_validate(*state, weir_slice(copy, 70), NULL, out, sizeof out, &batch), WEIR_E_INVALID);
    memcpy(copy, bytes.data, bytes.size);
    assert_int_equal(
        weir_batch_validate(*state, weir_slice(copy, bytes.size + 1), NULL, out, sizeof out, &batch), WEIR_E_INVALID);
    free(bytes.data);
}

static void a_batch_comes_back_as_it_was(void **state) {
    struct bytes plain = unhex(plain_hex);
    const enum weir_batch_compression kinds[] = {WEIR_BATCH_LZ4, WEIR_BATCH_ZSTD};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        uint8_t packed[8192], out[8192];
        struct weir_slice batch, back;
        struct weir_record_batch header;
        assert_int_equal(weir_batch_compress(*state, kinds[i], slice(plain), packed, sizeof packed, &batch), WEIR_OK);
        assert_true(batch.size < plain.size);
        assert_int_equal(weir_record_batch_check(batch, NULL, &header), WEIR_OK);
        assert_int_equal(weir_record_batch_compression(&header), kinds[i]);
        assert_int_equal(weir_batch_validate(*state, batch, NULL, out, sizeof out, &back), WEIR_OK);
        assert_true(weir_slice_equal(back, slice(plain)));
        assert_int_equal(weir_batch_compress(*state, kinds[i], slice(plain), packed, 70, &batch), WEIR_E_FULL);
    }
    uint8_t out[8192];
    size_t size = 0;
    assert_int_equal(weir_compress(*state, WEIR_BATCH_GZIP, slice(plain), out, sizeof out, &size), WEIR_E_UNSUPPORTED);
    assert_int_equal(weir_decompress(*state, (enum weir_batch_compression)5, slice(plain), out, sizeof out, &size),
        WEIR_E_UNSUPPORTED);
    free(plain.data);
}

static void noise_is_not_made_larger(void **state) {
    uint8_t bytes[4096], packed[8192];
    struct prng prng = prng_seed(1);
    struct weir_record_builder b;
    const struct weir_record_builder_options options = WEIR_RECORD_BUILDER_OPTIONS;
    uint8_t noise[3000];
    prng_bytes(&prng, noise, sizeof noise);
    weir_record_builder_init(&b, bytes, sizeof bytes, &options);
    assert_int_equal(
        weir_record_builder_append(&b, 1, weir_slice(NULL, 0), weir_slice(noise, sizeof noise), NULL, 0), WEIR_OK);
    struct weir_slice batch = weir_record_builder_finish(&b), out;
    assert_int_equal(weir_batch_compress(*state, WEIR_BATCH_LZ4, batch, packed, sizeof packed, &out), WEIR_E_FULL);
    assert_int_equal(weir_batch_compress(*state, WEIR_BATCH_ZSTD, batch, packed, sizeof packed, &out), WEIR_E_FULL);
}

/* From each offset, in pieces of each size: every record once, in order. */
static void a_trimmed_batch_has_what_was_asked_for(void **state) {
    (void)state;
    struct bytes plain = unhex(plain_hex);
    for (uint64_t from = 0; from < 20; from++) {
        for (size_t most = 1; most < plain.size + 100; most += 97) {
            uint64_t next = from;
            while (next < 20) {
                uint8_t copy[8192];
                struct weir_slice batch;
                struct weir_record_batch header;
                struct weir_record_reader reader;
                struct weir_record record;
                memcpy(copy, plain.data, plain.size);
                assert_int_equal(weir_batch_trim(copy, next, most, &batch), WEIR_OK);
                assert_int_equal(weir_record_batch_check(batch, NULL, &header), WEIR_OK);
                assert_true(batch.size <= most || header.record_count == 1);
                assert_int_equal(weir_record_reader_init(&reader, batch, &header), WEIR_OK);
                while (weir_record_reader_next(&reader, &record)) {
                    assert_int_equal(record.offset, next);
                    assert_int_equal(record.timestamp_ms, 1600000000000 + (int64_t)next);
                    next++;
                }
                assert_int_equal(reader.error, WEIR_OK);
                assert_int_equal(weir_record_batch_last_offset(&header) + 1, next);
            }
        }
    }
    free(plain.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_of_a_client_unfold_to_the_plain_one),
        cmocka_unit_test(frames_of_every_kind_are_read),
        cmocka_unit_test(what_is_cut_short_is_refused),
        cmocka_unit_test(a_bad_frame_leaves_nothing_behind),
        cmocka_unit_test(a_batch_of_which_the_records_are_wrong_is_refused),
        cmocka_unit_test(a_batch_comes_back_as_it_was),
        cmocka_unit_test(noise_is_not_made_larger),
        cmocka_unit_test(a_trimmed_batch_has_what_was_asked_for),
    };
    return cmocka_run_group_tests(tests, open_codec, close_codec);
}
