/* Transcoding: every type there and back, and every way JSON can be wrong. */
#include "edge/transcode.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <test_presence.pb-c.h>
#include <test_transcode.pb-c.h>

#include <cmocka.h>

static struct arena arena;

static Weir__Edge__Test__Everything *fresh(void) {
    arena_reset(&arena);
    return (void *)transcode_new(&arena, &weir__edge__test__everything__descriptor);
}

static enum weir_error read_text(const char *json, Weir__Edge__Test__Everything **ret) {
    *ret = fresh();
    return transcode_read(&arena, weir_slice_text(json), &(*ret)->base);
}

static const char *written(const ProtobufCMessage *message) {
    struct text_builder text = text_builder_arena(&arena, 0);
    struct json_writer w = json_writer(&text, 0);
    transcode_write(message, &w);
    assert_true(json_writer_finished(&w));
    return text.data;
}

static void good(const char *json, const char *expect_inside) {
    Weir__Edge__Test__Everything *m, *again;
    struct weir_slice packed;
    if (read_text(json, &m)) fail_msg("%s: %s", json, weir_error_text());
    const char *text = written(&m->base);
    if (!strstr(text, expect_inside)) fail_msg("%s: no %s in %s", json, expect_inside, text);
    /* Packed and unpacked it must say the same, and what is written must be read as the same. */
    assert_int_equal(transcode_pack(&arena, &m->base, &packed), WEIR_OK);
    ProtobufCMessage *copy;
    assert_int_equal(transcode_unpack(&arena, m->base.descriptor, packed, &copy), WEIR_OK);
    assert_string_equal(written(copy), text);
    again = (void *)transcode_new(&arena, m->base.descriptor);
    if (transcode_read(&arena, weir_slice_text(text), &again->base)) fail_msg("own text: %s", weir_error_text());
    assert_string_equal(written(&again->base), text);
}

static void bad(const char *json, const char *expect_error) {
    Weir__Edge__Test__Everything *m;
    enum weir_error e = read_text(json, &m);
    if (e != WEIR_E_INVALID) fail_msg("%s: accepted (%d)", json, e);
    if (!strstr(weir_error_text(), expect_error)) fail_msg("%s: %s", json, weir_error_text());
}

static void integers_are_exact_at_their_bounds(void **unused) {
    (void)unused;
    good("{\"i32\":-2147483648,\"s32\":2147483647,\"sf32\":-1}", "\"i32\":-2147483648,\"s32\":2147483647,\"sf32\":-1");
    good("{\"u32\":4294967295,\"f32\":0}", "\"u32\":4294967295");
    good("{\"i64\":-9223372036854775808}", "\"i64\":\"-9223372036854775808\"");
    good("{\"s64\":\"9223372036854775807\"}", "\"s64\":\"9223372036854775807\"");
    good("{\"u64\":18446744073709551615}", "\"u64\":\"18446744073709551615\"");
    good("{\"f64\":\"18446744073709551615\"}", "\"f64\":\"18446744073709551615\"");
    good("{\"i64\":9007199254740993}", "\"i64\":\"9007199254740993\""); /* 2^53 + 1: no double in between */
    good("{\"i32\":1e3,\"i64\":2.0}", "\"i32\":1000");
}

static void numbers_out_of_range_are_refused_not_wrapped(void **unused) {
    (void)unused;
    bad("{\"i32\":2147483648}", "32 bits");
    bad("{\"u32\":-1}", "unsigned");
    bad("{\"u32\":4294967296}", "32 bits");
    bad("{\"i64\":9223372036854775808}", "64 bits");
    bad("{\"u64\":18446744073709551616}", "64 bits");
    bad("{\"u64\":\"18446744073709551616\"}", "64 bits");
    bad("{\"i32\":1.5}", "integer");
    bad("{\"i32\":\"\"}", "integer");
    bad("{\"i32\":\"12x\"}", "integer");
    bad("{\"i64\":\"1 2\"}", "integer");
    bad("{\"real32\":1e39}", "float");
    bad("{\"side\":99999999999}", "enum");
}

static void reals_keep_their_value_and_their_infinities(void **unused) {
    (void)unused;
    good("{\"real64\":0.1}", "\"real64\":0.1");
    good("{\"real32\":0.1}", "\"real32\":0.1,");
    good("{\"real64\":\"NaN\"}", "\"real64\":\"NaN\"");
    good("{\"real64\":\"-Infinity\",\"real32\":\"Infinity\"}", "\"real64\":\"-Infinity\"");
    good("{\"real64\":1.7976931348623157e308}", "308");
    bad("{\"real64\":\"nan\"}", "number");
}

static void names_are_read_in_both_forms_and_written_in_one(void **unused) {
    (void)unused;
    good("{\"display_name\":\"a\"}", "\"displayName\":\"a\"");
    good("{\"displayName\":\"b \\u00e9\\n\"}", "\"displayName\":\"b \xc3\xa9\\n\"");
    bad("{\"display_name\":\"a\",\"displayName\":\"b\"}", "given twice");
    bad("{\"dispalyName\":\"a\"}", "did you mean displayName?");
    bad("{\"leg\":{\"symbl\":\"a\"}}", "in leg; did you mean symbol?");
    bad("{\"nothingLikeIt\":1}", "there is no field");
}

static void enums_by_name_and_number(void **unused) {
    (void)unused;
    good("{\"side\":\"SIDE_SELL\"}", "\"side\":\"SIDE_SELL\"");
    good("{\"side\":1}", "\"side\":\"SIDE_BUY\"");
    good("{\"side\":77}", "\"side\":77"); /* proto3 enums are open */
    good("{\"sides\":[\"SIDE_BUY\",2]}", "[\"SIDE_BUY\",\"SIDE_SELL\"]");
    bad("{\"side\":\"SIDE_SEL\"}", "did you mean SIDE_SELL?");
}

static void bytes_in_either_alphabet_with_or_without_padding(void **unused) {
    (void)unused;
    good("{\"blob\":\"+/8=\"}", "\"blob\":\"+/8=\"");
    good("{\"blob\":\"-_8\"}", "\"blob\":\"+/8=\"");
    good("{\"blob\":\"\"}", "\"blob\":\"\"");
    good("{\"blobs\":[\"AA==\",\"AAA\"]}", "[\"AA==\",\"AAA=\"]");
    bad("{\"blob\":\"A\"}", "base64");
    bad("{\"blob\":\"A===\"}", "base64");
    bad("{\"blob\":\"AA=\"}", "base64");
    bad("{\"blob\":\"A*==\"}", "base64");
    bad("{\"blob\":5}", "base64");
}

static void presence_null_and_oneof(void **unused) {
    (void)unused;
    Weir__Edge__Test__Everything *m;
    assert_int_equal(read_text("{\"i32\":null,\"leg\":null,\"legs\":null}", &m), WEIR_OK);
    assert_null(strstr(written(&m->base), "\"leg\""));
    good("{\"choiceNumber\":0}", "\"choiceNumber\":\"0\"");
    good("{\"choiceLeg\":{\"symbol\":\"X\"}}", "\"choiceLeg\":{\"symbol\":\"X\"");
    bad("{\"choiceNumber\":1,\"choiceText\":\"a\"}", "another alternative");
    bad("{\"i32\":1,\"i32\":1}", "given twice");
}

static void optional_fields_are_written_only_when_given(void **unused) {
    (void)unused;
    ProtobufCMessage *m;
    const ProtobufCMessageDescriptor *type = &weir__edge__test__presence__descriptor;
    arena_reset(&arena);
    m = transcode_new(&arena, type);
    assert_int_equal(transcode_read(&arena, weir_slice_text("{\"must\":\"a\"}"), m), WEIR_OK);
    assert_string_equal(written(m), "{\"must\":\"a\"}");
    m = transcode_new(&arena, type);
    const char *all = "{\"maybeI32\":0,\"maybeText\":\"\",\"must\":\"\",\"maybeBlob\":\"\"}";
    assert_int_equal(transcode_read(&arena, weir_slice_text(all), m), WEIR_OK);
    assert_string_equal(written(m), all);
    m = transcode_new(&arena, type);
    assert_int_equal(transcode_read(&arena, weir_slice_text("{\"maybeI32\":1}"), m), WEIR_E_INVALID);
    assert_non_null(strstr(weir_error_text(), "must is missing"));
}

static void arrays_and_nesting_grow_without_end_but_not_without_bound(void **unused) {
    (void)unused;
    Weir__Edge__Test__Everything *m;
    char json[20000] = "{\"numbers\":[";
    size_t n = strlen(json);
    for (int i = 0; i < 1000; i++)
        n += (size_t)snprintf(json + n, sizeof json - n, "%s%d", i ? "," : "", i);
    snprintf(json + n, sizeof json - n, "]}");
    assert_int_equal(read_text(json, &m), WEIR_OK);
    assert_int_equal(m->n_numbers, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(m->numbers[i], i);
    good("{\"legs\":[{},{\"inner\":{\"inner\":{\"quantity\":\"7\"}}}]}", "\"quantity\":\"7\"");
    bad("{\"legs\":[null]}", "legs[0]");
    bad("{\"legs\":[{\"quantity\":[]}]}", "legs[0].quantity");
    char deep[2000] = "{\"leg\":";
    n = strlen(deep);
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(deep + n, sizeof deep - n, "{\"inner\":");
    bad(deep, "not valid JSON");
}

static void what_is_not_an_object_is_refused(void **unused) {
    (void)unused;
    bad("", "JSON");
    bad("[]", "expected a JSON object");
    bad("{} {}", "JSON");
    bad("{\"i32\":1", "JSON");
    bad("{\"flag\":1}", "true or false");
    bad("{\"displayName\":1}", "a string");
    bad("{\"displayName\":\"a\\u0000b\"}", "NUL");
    bad("{\"leg\":[]}", "an object");
    bad("{\"numbers\":1}", "an array");
}

static void parameters_set_fields_from_text(void **unused) {
    (void)unused;
    const struct {
        const char *name, *value;
        enum weir_error error;
    } rows[] = {
        {"i64", "-5", WEIR_OK},
        {"u64", "18446744073709551615", WEIR_OK},
        {"flag", "true", WEIR_OK},
        {"displayName", "12", WEIR_OK},
        {"side", "SIDE_BUY", WEIR_OK},
        {"numbers", "1", WEIR_OK},
        {"numbers", "2", WEIR_OK},
        {"real64", "1.5", WEIR_OK},
        {"i64", "6", WEIR_E_INVALID},
        {"leg", "{}", WEIR_E_INVALID},
        {"none", "1", WEIR_E_INVALID},
        {"u32", "x", WEIR_E_INVALID},
        {"u32", "", WEIR_E_INVALID},
    };
    Weir__Edge__Test__Everything *m = fresh();
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows); i++)
        assert_int_equal(
            transcode_set(&arena, &m->base, weir_slice_text(rows[i].name), weir_slice_text(rows[i].value), "p"),
            rows[i].error);
    assert_int_equal(m->i64, -5);
    assert_int_equal(m->side, WEIR__EDGE__TEST__SIDE__SIDE_BUY);
    assert_int_equal(m->n_numbers, 2);
    assert_string_equal(m->display_name, "12");
}

static void packed_rubbish_is_corrupt_and_a_full_arena_is_no_memory(void **unused) {
    (void)unused;
    ProtobufCMessage *message;
    fresh();
    assert_int_equal(
        transcode_unpack(&arena, &weir__edge__test__everything__descriptor, weir_slice("\xff\xff", 2), &message),
        WEIR_E_CORRUPT);
    uint8_t memory[512];
    struct arena small;
    arena_init_fixed(&small, memory, sizeof memory);
    ProtobufCMessage *m = transcode_new(&small, &weir__edge__test__leg__descriptor);
    assert_non_null(m);
    char json[1024] = "{\"symbol\":\"";
    memset(json + strlen(json), 'x', 900);
    memcpy(json + 911, "\"}", 3);
    assert_int_equal(transcode_read(&small, weir_slice_text(json), m), WEIR_E_NO_MEMORY);
}

static void an_alternative_that_was_not_chosen_has_no_value(void **unused) {
    (void)unused;
    Weir__Edge__Test__Everything *m;
    const ProtobufCMessageDescriptor *type = &weir__edge__test__everything__descriptor;
    const ProtobufCFieldDescriptor *text_field = transcode_field(type, weir_slice_text("choice_text"));
    const ProtobufCFieldDescriptor *number_field = transcode_field(type, weir_slice_text("choice_number"));
    struct weir_slice text;
    uint64_t number;
    assert_int_equal(read_text("{\"choiceNumber\":7}", &m), WEIR_OK);
    assert_false(transcode_text(&m->base, text_field, &text)); /* 7 is no address */
    assert_true(transcode_number(&m->base, number_field, &number) && number == 7);
    assert_int_equal(read_text("{\"choiceText\":\"a\"}", &m), WEIR_OK);
    assert_false(transcode_number(&m->base, number_field, &number));
    assert_true(transcode_text(&m->base, text_field, &text) && weir_slice_equal(text, weir_slice_text("a")));
    assert_int_equal(read_text("{}", &m), WEIR_OK);
    assert_false(transcode_text(&m->base, text_field, &text) || transcode_number(&m->base, number_field, &number));
}

int main(void) {
    arena_init(&arena, NULL, 65536, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_exact_at_their_bounds),
        cmocka_unit_test(numbers_out_of_range_are_refused_not_wrapped),
        cmocka_unit_test(reals_keep_their_value_and_their_infinities),
        cmocka_unit_test(names_are_read_in_both_forms_and_written_in_one),
        cmocka_unit_test(enums_by_name_and_number),
        cmocka_unit_test(bytes_in_either_alphabet_with_or_without_padding),
        cmocka_unit_test(presence_null_and_oneof),
        cmocka_unit_test(optional_fields_are_written_only_when_given),
        cmocka_unit_test(arrays_and_nesting_grow_without_end_but_not_without_bound),
        cmocka_unit_test(what_is_not_an_object_is_refused),
        cmocka_unit_test(parameters_set_fields_from_text),
        cmocka_unit_test(an_alternative_that_was_not_chosen_has_no_value),
        cmocka_unit_test(packed_rubbish_is_corrupt_and_a_full_arena_is_no_memory),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_done(&arena);
    return failed;
}
