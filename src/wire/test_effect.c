/* Requests, answers and dead letters of effects survive their way through bytes; signatures are those of the standard.
 */
#include "wire/effect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct weir_slice text(const char *s) {
    return weir_slice_text(s);
}

static void a_request_comes_back_as_it_was(void **unused) {
    (void)unused;
    const struct weir_effect_header sent[] = {{text("Content-Type"), text("text/plain")}, {text("X-Empty"), text("")}};
    const struct weir_effect_request q = {.method = text("POST"),
        .url = text("http://127.0.0.1:1/a?b"),
        .headers = sent,
        .header_count = 2,
        .body = text("hello")};
    uint8_t bytes[200];
    size_t size = weir_effect_request_size(&q);
    weir_effect_request_store(&q, bytes);
    struct weir_effect_header headers[WEIR_EFFECT_HEADERS_MAX];
    struct weir_effect_request back;
    assert_true(weir_effect_request_load(weir_slice(bytes, size), headers, &back));
    assert_true(weir_slice_equal(back.method, q.method) && weir_slice_equal(back.url, q.url));
    assert_true(weir_slice_equal(back.body, q.body));
    assert_int_equal(back.header_count, 2);
    for (int i = 0; i < 2; i++) {
        assert_true(weir_slice_equal(back.headers[i].name, sent[i].name));
        assert_true(weir_slice_equal(back.headers[i].value, sent[i].value));
    }
    for (size_t cut = 0; cut < size; cut++) /* and nothing shorter is one */
        assert_false(weir_effect_request_load(weir_slice(bytes, cut), headers, &back));
}

static void an_answer_is_cut_where_the_row_says(void **unused) {
    (void)unused;
    const uint8_t headers[] = {1, 0, 1, 0, 'a', 'b', 1, 0, 2, 0, 'c', 'd', 'e'};
    static uint8_t bytes[EFFECT_ANSWER_MAX];
    char words[300];
    memset(words, 'w', sizeof words);
    struct effect_answer a = {.class_ = WEIR_EFFECT_STATUS,
        .status = 503,
        .duration_ns = 5,
        .retry_after_ns = 6,
        .text = weir_slice(words, sizeof words),
        .headers = weir_slice(headers, sizeof headers),
        .body = text("0123456789")};
    struct effect_answer back;
    assert_true(effect_answer_load(weir_slice(bytes, effect_answer_store(&a, 100, bytes)), &back));
    assert_int_equal(back.status, 503);
    assert_int_equal(back.duration_ns, 5);
    assert_int_equal(back.retry_after_ns, 6);
    assert_int_equal(back.text.size, EFFECT_TEXT_MAX);
    assert_int_equal(back.headers.size, sizeof headers);
    assert_int_equal(back.body.size, 10);
    assert_true(effect_answer_load(weir_slice(bytes, effect_answer_store(&a, 10, bytes)), &back));
    assert_int_equal(back.headers.size, 6); /* whole ones only */
    assert_int_equal(back.body.size, 4);
    bytes[1] = WEIR_EFFECT_CLASSES;
    assert_false(effect_answer_load(weir_slice(bytes, 100), &back));
}

static void a_dead_letter_tells_every_attempt(void **unused) {
    (void)unused;
    const struct weir_attempt attempts[] = {
        {10, 2, 1, 500, WEIR_EFFECT_STATUS, 0}, {20, 3, 2, 0, WEIR_EFFECT_TIMEOUT, 0}};
    const struct weir_dead_letter l = {.row = text("call"),
        .text = text("no answer"),
        .class_ = WEIR_EFFECT_TIMEOUT,
        .attempt_count = 2,
        .offset = 7,
        .index = 1,
        .key = 3,
        .tag = 4,
        .created_ns = 5,
        .died_ns = 6,
        .request = text("req"),
        .body = text("late")};
    uint8_t bytes[300];
    effect_dead_store(&l, attempts, bytes);
    size_t size = effect_dead_size(&l);
    struct weir_dead_letter back;
    assert_true(weir_dead_letter_load(weir_slice(bytes, size), &back));
    for (uint32_t i = 0; i < 2; i++) {
        struct weir_attempt a = weir_dead_letter_attempt(&back, i);
        assert_memory_equal(&a, &attempts[i], sizeof a);
    }
    char json[600];
    size_t needed = weir_dead_letter_print(weir_slice(bytes, size), json, sizeof json);
    assert_true(needed < sizeof json);
    assert_string_equal(json,
        "{\"effect\":\"call\",\"offset\":7,\"index\":1,\"key\":3,\"tag\":4,\"class\":\"timeout\",\"text\":\"no "
        "answer\","
        "\"created_ns\":5,\"died_ns\":6,\"attempts\":[{\"attempt\":1,\"begun_ns\":10,\"duration_ns\":2,\"class\":"
        "\"status\",\"status\":500},{\"attempt\":2,\"begun_ns\":20,\"duration_ns\":3,\"class\":\"timeout\",\"status\":"
        "0}],"
        "\"request\":\"req\",\"answer\":\"late\"}");
    for (size_t cut = 0; cut < size - l.body.size; cut++)
        assert_false(weir_dead_letter_load(weir_slice(bytes, cut), &back));
}

/* The example of the standard's own libraries. */
static void signatures_are_those_of_standard_webhooks(void **unused) {
    (void)unused;
    struct webhook_secret secret;
    char signature[WEBHOOK_SIGNATURE_MAX];
    assert_int_equal(webhook_secret_load(text(" whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), &secret), WEIR_OK);
    webhook_sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, text("{\"test\": 2432232314}"), signature);
    assert_string_equal(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_int_equal(webhook_secret_load(text("whsec_MfKQ"), &secret), WEIR_E_INVALID);
    assert_int_equal(webhook_secret_load(text("whsec_*fKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &secret), WEIR_E_INVALID);
    assert_int_equal(webhook_secret_load(text("short"), &secret), WEIR_E_INVALID);
    assert_null(strstr(weir_error_text(), "short"));
    assert_int_equal(webhook_secret_load(text("a plain text of 26 letters"), &secret), WEIR_OK);
    assert_int_equal(secret.size, 26);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_comes_back_as_it_was),
        cmocka_unit_test(an_answer_is_cut_where_the_row_says),
        cmocka_unit_test(a_dead_letter_tells_every_attempt),
        cmocka_unit_test(signatures_are_those_of_standard_webhooks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
