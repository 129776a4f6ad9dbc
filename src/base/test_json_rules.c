/* The rules of JSON one by one, after the categories of Nicolas Seriot's JSONTestSuite (the texts are our own): what
 * every parser must accept, what every parser must refuse, and what RFC 8259 leaves to the parser, with what ours does
 * and why. jansson judges the same, but where the row says that it need not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/test_jansson.h"

#include <stdlib.h>

struct rule {
    const char *name;
    const char *text;
    size_t size;
    bool is_accepted;
    bool is_alone; /* jansson decides otherwise, by its own right */
};
/* Texts are literals, so that NUL may be in them. */
#define YES(name, text)                                                                                                \
    { name, text, sizeof(text) - 1, true, false }
#define NO(name, text)                                                                                                 \
    { name, text, sizeof(text) - 1, false, false }
#define YES_ALONE(name, text)                                                                                          \
    { name, text, sizeof(text) - 1, true, true }
#define NO_ALONE(name, text)                                                                                           \
    { name, text, sizeof(text) - 1, false, true }

static const struct rule must_accept[] = {
    /* arrays */
    YES("arrays with blanks", "[ [ ]\t,\r\n[7] ]"),
    YES("array empty", "[]"),
    YES("array of an empty string", "[\"\"]"),
    YES("array and a newline behind", "[\"k\"]\n"),
    YES("array of a literal", "[false]"),
    YES("array of all kinds", "[null,7,\"7\",{\"a\":[]},true]"),
    YES("array with a newline inside", "[7\n]"),
    YES("blank before an array", " [7]"),
    YES("blank behind an array", "[7] "),
    YES("array of several nulls", "[7,null,null,8]"),
    /* numbers */
    YES("number", "[47e11]"),
    YES("zero with a signed exponent", "[0e+7]"),
    YES("zero with an exponent", "[0e7]"),
    YES("number behind a blank", "[ 7]"),
    YES("close to zero", "[-0.00000000000000000000000000000000000000000000000000000000000000000007]"),
    YES("integer with an exponent", "[30e2]"),
    YES("minus zero", "[-0]"),
    YES("negative integer", "[-747]"),
    YES("minus one", "[-1]"),
    YES("capital E", "[3E7]"),
    YES("capital E, negative", "[3E-7]"),
    YES("capital E, positive", "[3E+7]"),
    YES("real with an exponent", "[34.56e7]"),
    YES("real with a negative exponent", "[3.4e-7]"),
    YES("real with a positive exponent", "[3.4e+7]"),
    YES("simple integer", "[747]"),
    YES("simple real", "[747.47747]"),
    /* objects */
    YES("object", "{\"ab\":\"cd\",\"ef\":\"gh\"}"),
    YES("object of one", "{\"ab\":7}"),
    YES("key twice", "{\"a\":7,\"a\":8}"),
    YES("key and value twice", "{\"a\":7,\"a\":7}"),
    YES("object empty", "{}"),
    YES("key empty", "{\"\":7}"),
    YES_ALONE("key with an escaped NUL", "{\"a\\u0000b\":7}"), /* its keys are C strings */
    YES("extreme numbers", "{\"low\":-2.5e+35,\"high\":2.5e+35}"),
    YES("long strings", "{\"k\":[{\"id\":\"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\"}]}"),
    YES("object in an array", "[{\"k\":[]}]"),
    YES("key and value in escapes", "{\"\\u0442\":\"\\u041f\\u043e\\u043b\"}"),
    YES("object over lines", "{\n\"k\"\n:\n7\n}"),
    /* strings */
    YES("UTF-8 of one, two and three bytes by escape", "[\"\\u0062\\u014b\\u12ac\"]"),
    YES("surrogate pair", "[\"\\ud834\\udd1e\"]"),
    YES("surrogate pairs", "[\"\\uD83D\\uDE39\\ud83d\\ude39\"]"),
    YES("all escapes", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
    YES("escaped backslash, then a u", "[\"\\\\u0041\"]"),
    YES("escaped quote", "[\"\\\"\"]"),
    YES("comment in a string", "[\"k/*l*/m//n\"]"),
    YES("escaped backslash, then a letter", "[\"\\\\k\"]"),
    YES("escaped backslash, then an n", "[\"\\\\n\"]"),
    YES("control character by escape", "[\"\\u0013\"]"),
    YES("noncharacter by escape", "[\"\\uFFFE\"]"),
    YES("string behind a blank", "[ \"kl\"]"),
    YES("the last surrogates", "[\"\\uDBFF\\uDFFF\"]"),
    YES("no-break space by escape", "[\"k\\u00A0l\"]"),
    YES("noncharacter U+10FFFF", "[\"\xf4\x8f\xbf\xbf\"]"),
    YES("noncharacter U+FFFF", "[\"\xef\xbf\xbf\"]"),
    YES("NUL by escape", "[\"\\u0000\"]"),
    YES("space by escape", "[\"\\u0020\"]"),
    YES("a Greek letter", "[\"\xcf\x80\"]"),
    YES("reserved code point", "[\"\xf0\x9b\xbf\xbf\"]"),
    YES("ASCII", "[\"klm \"]"),
    YES("a blank alone", "\" \""),
    YES("U+1D11E as a pair", "[\"\\uD834\\uDd1e\"]"),
    YES("three bytes by escape", "[\"\\u0832\"]"),
    YES("two bytes by escape", "[\"\\u0134\"]"),
    YES("line separator U+2028", "[\"\xe2\x80\xa8\"]"),
    YES("paragraph separator U+2029", "[\"\xe2\x80\xa9\"]"),
    YES("letters by escapes", "[\"\\u0062\\u014B\\u12AC\"]"),
    YES("newline by escape", "[\"k\\u000Al\"]"),
    YES("DEL as it is", "[\"\x7f\"]"),
    YES("an ideograph by escape", "[\"\\uA67D\"]"),
    YES("backslash by escape", "[\"\\u005C\"]"),
    YES("letters of two bytes", "[\"\xe2\x8d\x82\xe3\x88\xb4\"]"),
    YES("noncharacter U+10FFFE by escapes", "[\"\\uDBFF\\uDFFE\"]"),
    YES("noncharacter U+1FFFE by escapes", "[\"\\uD83F\\uDFFE\"]"),
    YES("zero width space by escape", "[\"\\u200B\"]"),
    YES("invisible plus by escape", "[\"\\u2064\"]"),
    YES("noncharacter U+FDD0 by escape", "[\"\\uFDD0\"]"),
    YES("quote by escape", "[\"\\u0022\"]"),
    YES("UTF-8 of four bytes", "[\"\xe2\x82\xac\xf0\x9d\x84\x9e\"]"),
    YES("DEL between letters", "[\"k\x7fl\"]"),
    /* whole texts */
    YES("false alone", "false"),
    YES("integer alone", "47"),
    YES("negative real alone", "-0.7"),
    YES("null alone", "null"),
    YES("string alone", "\"klm\""),
    YES("true alone", "true"),
    YES("empty string alone", "\"\""),
    YES("newline behind the text", "[\"k\"]\n"),
    YES("true in an array", "[true]"),
    YES("blanks around an array", " \t\r\n[] \t\r\n"),
};

static const struct rule must_refuse[] = {
    /* arrays */
    NO("no comma", "[7 false]"),
    NO("a letter of Latin-1", "[k\xe5]"),
    NO("colon for comma", "[\"\": 7]"),
    NO("comma behind the text", "[\"\"],"),
    NO("comma first", "[,7]"),
    NO("two commas", "[7,,8]"),
    NO("two commas at the end", "[\"k\",,]"),
    NO("closed twice", "[\"k\"]]"),
    NO("comma at the end", "[\"\",]"),
    NO("array not closed", "[\"k\""),
    NO("not a value", "[k"),
    NO("no comma before an array", "[7[8]]"),
    NO("a byte that is no UTF-8", "[\xff]"),
    NO("semicolon for comma", "[7;8]"),
    NO("only a comma", "[,]"),
    NO("only a minus", "[-]"),
    NO("value missing", "[   , \"\"]"),
    NO("not closed over lines", "[\"k\",\n7\n,7,"),
    NO("number and comma", "[7,]"),
    NO("number and several commas", "[7,,]"),
    NO("vertical tab and form feed", "[\"\vk\"\\f]"),
    NO("a star", "[*]"),
    NO("not closed", "[\"\""),
    NO("not closed behind a comma", "[7,"),
    NO("not closed with newlines", "[7,\n7\n,7"),
    NO("not closed with an object in it", "[{}"),
    /* literals */
    NO("false not whole", "[fals]"),
    NO("null not whole", "[nul]"),
    NO("true not whole", "[tru]"),
    NO_ALONE("NUL behind a number", "47\0"),
    /* numbers */
    NO("two plus signs", "[++7]"),
    NO("a plus sign", "[+7]"),
    NO("+Inf", "[+Inf]"),
    NO("minus and a leading zero", "[-07]"),
    NO("two points", "[-7.0.]"),
    NO("point at the end", "[-7.]"),
    NO("-NaN", "[-NaN]"),
    NO("point and minus", "[.-7]"),
    NO("point first, exponent", "[.7e-3]"),
    NO("two fractions", "[0.7.8]"),
    NO("signed exponent missing", "[0.7e+]"),
    NO("exponent missing", "[0.7e]"),
    NO("fraction missing before an exponent", "[0.e7]"),
    NO("capital E and nothing", "[0E]"),
    NO("capital E, sign and nothing", "[0E+]"),
    NO("e and nothing", "[0e]"),
    NO("e, sign and nothing", "[0e+]"),
    NO("real, e and minus", "[7.0e-]"),
    NO("real, e and plus", "[7.0e+]"),
    NO("real and e", "[7.0e]"),
    NO("blank in a number", "[7 000.0]"),
    NO("two es", "[7eE8]"),
    NO("no fraction, signed exponent", "[7.e+8]"),
    NO("no fraction, negative exponent", "[7.e-8]"),
    NO("no fraction, exponent", "[7.e8]"),
    NO("no fraction, sign alone", "[7.e+]"),
    NO("Inf", "[Inf]"),
    NO("NaN", "[NaN]"),
    NO("a digit of full width", "[\xef\xbc\x97]"),
    NO("an expression", "[7+8]"),
    NO("hexadecimal, one digit", "[0x7]"),
    NO("hexadecimal, two digits", "[0x47]"),
    NO("Infinity", "[Infinity]"),
    NO("plus and minus in an exponent", "[0e+-7]"),
    NO("a real with letters", "[-747.47foo]"),
    NO("no UTF-8 in a large integer", "[747\xe5]"),
    NO("no UTF-8 in an exponent", "[7e7\xe5]"),
    NO("no UTF-8 behind a zero", "[0\xe5]"),
    NO("-Infinity", "[-Infinity]"),
    NO("minus and garbage", "[-foo]"),
    NO("minus, blank, digit", "[- 7]"),
    NO("negative with a leading zero", "[-074]"),
    NO("negative without an integer", "[-.747]"),
    NO("negative with garbage behind", "[-7x]"),
    NO("garbage behind the e", "[7ek]"),
    NO("no UTF-8 behind the e", "[7e\xe5]"),
    NO("no fraction", "[7.]"),
    NO("point first", "[.747]"),
    NO("letters behind a real", "[7.8k-]"),
    NO("a letter behind a number", "[7.8kl]"),
    NO("a leading zero", "[074]"),
    /* objects */
    NO("bad value", "[\"k\", truth]"),
    NO("bracket for key", "{[: \"k\"}"),
    NO("comma for colon", "{\"k\", null}"),
    NO("two colons", "{\"k\"::\"l\"}"),
    NO("a sign for an object", "{\xf0\x9f\x87\xa8}"),
    NO("garbage at the end", "{\"k\":\"l\" 747}"),
    NO("key in single quotes", "{'k':7}"),
    NO("continuation byte for a key", "{\"\xb9\":\"0\",}"),
    NO("colon missing", "{\"k\" l}"),
    NO("key missing", "{:\"l\"}"),
    NO("colon and value missing", "{\"k\" \"l\"}"),
    NO("value missing", "{\"k\":"),
    NO("nothing behind the key", "{\"k\""),
    NO("key that is a number", "{7:7}"),
    NO("key that is a large number", "{7777E77777:7}"),
    NO("keys that are null", "{null:null,null:null}"),
    NO("several commas at the end", "{\"k\":7,,,,,}"),
    NO("single quotes", "{'k'}"),
    NO("comma at the end", "{\"k\":7,}"),
    NO("comment behind", "{\"k\":\"l\"}/**/"),
    NO("comment behind, open", "{\"k\":\"l\"}/**//"),
    NO("line comment behind", "{\"k\":\"l\"}//"),
    NO("slash behind", "{\"k\":\"l\"}/"),
    NO("two commas in a row", "{\"k\":\"l\",,\"m\":\"n\"}"),
    NO("key without quotes", "{k:\"l\"}"),
    NO("value not ended", "{\"k\":\"l"),
    NO("a string alone in an object", "{\"k\":\"l\",\"m\"}"),
    NO("garbage behind", "{\"k\":\"l\"}#"),
    NO("a blank alone", " "),
    /* strings */
    NO("surrogate, then an escape not whole", "[\"\\uD834\\\"]"),
    NO("surrogate and u", "[\"\\uD834\\u\"]"),
    NO("surrogate, u and a digit", "[\"\\uD834\\u7\"]"),
    NO("surrogate, u, digit and x", "[\"\\uD834\\u7x\"]"),
    NO("a letter without quotes", "[\xc3\xa9]"),
    NO("backslash and NUL", "[\"\\\0\"]"),
    NO("escape x", "[\"\\x07\"]"),
    NO("escaped backslash, not closed", "[\"\\\\\\\"]"),
    NO("backslash and a tab", "[\"\\\t\"]"),
    NO("backslash and a sign", "[\"\\\xf0\x9f\x8c\x80\"]"),
    NO("escape not whole", "[\"\\\"]"),
    NO("escape of three digits", "[\"\\u00A\"]"),
    NO("second surrogate of three digits", "[\"\\uD834\\uDd\"]"),
    NO("second surrogate, bad escape", "[\"\\uD800\\uD800\\x\"]"),
    NO("no UTF-8 in an escape", "[\"\\u\xe5\"]"),
    NO("escape of a letter", "[\"\\k\"]"),
    NO("escape of no digits", "[\"\\uqqqq\"]"),
    NO("no UTF-8 behind a backslash", "[\"\\\xe5\"]"),
    NO("a thin space by escape before the text", "[\\u2009\"k\"]"),
    NO("escape without quotes", "[\\n]"),
    NO("a quote alone", "\""),
    NO("single quotes around a string", "['k']"),
    NO("letters alone", "klm"),
    NO("backslash, not closed", "[\"\\"),
    NO("NUL as it is", "[\"k\0k\"]"),
    NO("newline as it is", "[\"new\nline\"]"),
    NO("tab as it is", "[\"\t\"]"),
    NO("escape of a capital U", "\"\\UA66D\""),
    NO("string and garbage", "\"\"k"),
    /* whole texts */
    NO("not closed over and over", "[{\"\":[{\"\":[{\"\":"),
    NO("word joiner", "[\xe2\x81\xa0]"),
    NO("byte order mark alone", "\xef\xbb\xbf"),
    NO("angle brackets", "<.>"),
    NO("null in angle brackets", "[<null>]"),
    NO("array and garbage", "[7]k"),
    NO("array and a bracket", "[7]]"),
    NO("array with a string not closed", "[\"klm]"),
    NO("a letter of another script", "\xc3\xa5"),
    NO("True", "[True]"),
    NO("bracket never opened", "7]"),
    NO("comma for a brace", "{\"k\":true,"),
    NO("two arrays", "[][]"),
    NO("bracket alone", "]"),
    NO("byte order mark not whole", "\xef\xbb{}"),
    NO("a byte alone", "\xe5"),
    NO("open bracket alone", "["),
    NO("nothing", ""),
    NO("NUL outside a string", "[\0]"),
    NO("number and garbage", "7@"),
    NO("object and a brace", "{}}"),
    NO("object with no value, not closed", "{\"\":"),
    NO("comment in an object", "{\"k\":/*comment*/\"l\"}"),
    NO("object and garbage", "{\"k\":true} \"l\""),
    NO("open array, apostrophe", "['"),
    NO("open array, comma", "[,"),
    NO("open array, object", "[{\"k\":"),
    NO("open array, open object", "[{"),
    NO("open array, open string", "[\"k"),
    NO("open array, string", "[\"k\""),
    NO("open object", "{"),
    NO("open object, closing bracket", "{]"),
    NO("open object, comma", "{,"),
    NO("open object, open array", "{["),
    NO("open object, open string", "{\"k"),
    NO("open object, apostrophes", "{'k'"),
    NO("opened over and over", "[\"\\{[\"\\{[\"\\{"),
    NO("a letter's byte", "\xe9"),
    NO("star", "*"),
    NO("hash behind", "{\"k\":\"l\"}#{}"),
    NO("newline by escape before a string", "[\\u000A\"\"]"),
    NO("array not closed", "[7"),
    NO("array not closed, null not whole", "[ false, nul"),
    NO("array not closed, false not whole", "[ true, fals"),
    NO("array not closed, true not whole", "[ false, tru"),
    NO("object not closed", "{\"klm\":\"nop\""),
    NO("identifier of letters", "k\xc3\xa5"),
    NO("word joiner for a blank", "\xe2\x81\xa0"),
    NO("form feed for a blank", "[\f]"),
};

/* What RFC 8259 leaves open. */
static const struct rule our_choice[] = {
    /* Numbers of any size are valid tokens: JSON_REAL keeps the text, and who wants a value is told when it does not
     * fit. jansson refuses those beyond its types. */
    YES("underflow", "[747.456e-789]"),
    YES_ALONE("huge exponent", "[0.7e00777777777777777777777777]"),
    YES_ALONE("negative, huge exponent", "[-7e+9999]"),
    YES_ALONE("positive, huge exponent", "[7.5e+9999]"),
    YES_ALONE("overflow, negative", "[-747747e747]"),
    YES_ALONE("overflow, positive", "[747747e747]"),
    YES("underflow, negative exponent", "[747e-10000]"),
    YES_ALONE("integer below 64 bits", "[-747747747747747747747]"),
    YES_ALONE("integer above 64 bits", "[747747747747747747747]"),
    YES_ALONE("integer far below", "[-7477477477477477477477477477477477]"),
    /* A text is a sequence of Unicode characters, so that it can be UTF-8 everywhere behind: surrogates only in pairs.
     */
    NO("key is a second surrogate", "{\"\\uDFAA\":7}"),
    NO("first surrogate alone", "[\"\\uDADA\"]"),
    NO("first surrogate, then no second", "[\"\\uD888\\u1234\"]"),
    NO("pair not whole, then an escape", "[\"\\uD800\\n\"]"),
    NO("pair not whole", "[\"\\uDd1ek\"]"),
    NO("two first surrogates", "[\"\\uD800\\uD800\\n\"]"),
    NO("lonely surrogate", "[\"\\ud800\"]"),
    NO("surrogate and letters", "[\"\\ud800klm\"]"),
    NO("surrogates the wrong way round", "[\"\\uDd1e\\uD834\"]"),
    NO("second surrogate alone", "[\"\\uDFAA\"]"),
    /* Bytes are UTF-8 and nothing else (RFC 8259 8.1): no other encoding, none over-long, none beyond U+10FFFF. */
    NO("a sequence that breaks off", "[\"\xe6\x97\xa5\xd1\x88\xfa\"]"),
    NO("surrogate in UTF-8", "[\"\xed\xa0\x80\"]"),
    NO("no UTF-8", "[\"\xff\"]"),
    NO("Latin-1", "[\"\xe9\"]"),
    NO("continuation byte alone", "[\"\x81\"]"),
    NO("beyond Unicode", "[\"\xf4\xbf\xbf\xbf\"]"),
    NO("over-long, two bytes", "[\"\xc0\xaf\"]"),
    NO("over-long, six bytes", "[\"\xfc\x83\xbf\xbf\xbf\xbf\"]"),
    NO("over-long NUL", "[\"\xfc\x80\x80\x80\x80\x80\"]"),
    NO("cut off", "[\"\xe0\xff\"]"),
    NO("UTF-16, little end first, with a mark", "\xff\xfe[\0\"\0\xe9\0\"\0]\0"),
    NO("UTF-16, big end first", "\0[\0\"\0\xe9\0\"\0]"),
    NO("UTF-16, little end first", "[\0\"\0\xe9\0\"\0]\0"),
    /* A byte order mark may be ignored or refused (8.1); refused, because who writes one is no sender of ours. */
    NO("byte order mark before a text", "\xef\xbb\xbf{}"),
};

static bool accepts(const char *text, size_t size, unsigned depth) {
    uint8_t *copy = malloc(size ? size : 1); /* of exactly its size, so that a sanitizer sees a read behind it */
    if (size) memcpy(copy, text, size);
    struct json_reader r = json_reader(weir_slice(copy, size), depth);
    while (json_next(&r) != JSON_ERROR && r.token != JSON_END)
        continue;
    free(copy);
    return r.token == JSON_END;
}

static void check(const struct rule *rules, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct rule *rule = &rules[i];
        if (accepts(rule->text, rule->size, 0) != rule->is_accepted)
            fail_msg("%s: should be %s", rule->name, rule->is_accepted ? "accepted" : "refused");
        json_t *theirs = json_loadb(rule->text, rule->size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if ((theirs != NULL) != (rule->is_accepted != rule->is_alone))
            fail_msg("%s: jansson %s it", rule->name, theirs ? "accepts" : "refuses");
        json_decref(theirs);
    }
}

static void what_every_parser_must_accept_is_accepted(void **state) {
    (void)state;
    check(must_accept, WEIR_ARRAY_COUNT(must_accept));
}

static void what_every_parser_must_refuse_is_refused(void **state) {
    (void)state;
    check(must_refuse, WEIR_ARRAY_COUNT(must_refuse));
}

static void what_is_left_to_the_parser_is_decided_as_documented(void **state) {
    (void)state;
    check(our_choice, WEIR_ARRAY_COUNT(our_choice));
}

/* Nesting is limited to what the caller asks for, at most JSON_DEPTH_MAX: 500 arrays are read by who allows it, 100,000
 * by nobody, and neither costs stack. */
static void deep_nesting_is_the_callers_choice(void **state) {
    (void)state;
    static char text[100000];
    memset(text, '[', 500);
    memset(text + 500, ']', 500);
    assert_true(accepts(text, 1000, 500));
    assert_false(accepts(text, 1000, 0));
    memset(text, '[', sizeof text);
    assert_false(accepts(text, sizeof text, JSON_DEPTH_MAX));
    for (size_t i = 0; i + 5 <= sizeof text; i += 5)
        memcpy(text + i, "[{\"\":", 5);
    assert_false(accepts(text, sizeof text, JSON_DEPTH_MAX));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_every_parser_must_accept_is_accepted),
        cmocka_unit_test(what_every_parser_must_refuse_is_refused),
        cmocka_unit_test(what_is_left_to_the_parser_is_decided_as_documented),
        cmocka_unit_test(deep_nesting_is_the_callers_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
