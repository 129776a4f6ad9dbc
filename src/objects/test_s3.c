/* What would break users of S3: a signature no service takes, a list that loses objects, an answer believed that is
 * none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_client/caller.h"
#include "objects/objects.h"
#include "objects/s3_xml.h"
#include "objects/sigv4.h"

#include <stdio.h>
#include <weir/slice.h>

#define EMPTY_SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* The examples of "Authenticating Requests: Using the Authorization Header", with their credentials. */
static void check_signature(struct sigv4_request r, const char *want) {
    char text[1024];
    struct text_builder t = TEXT_BUILDER(text);
    r.key_id = "AKIAIOSFODNN7EXAMPLE";
    r.secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    r.region = "us-east-1";
    r.service = "s3";
    r.date = "20130524T000000Z";
    assert_true(sigv4_sign(&r, &t));
    const char *found = strstr(text, ",Signature=");
    assert_non_null(found);
    assert_string_equal(found + strlen(",Signature="), want);
    assert_non_null(strstr(text, "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"));
}

static void signatures_are_those_of_the_reference(void **state) {
    (void)state;
    const struct sigv4_header get[] = {{"host", "examplebucket.s3.amazonaws.com"}, {"range", "bytes=0-9"},
        {"x-amz-content-sha256", EMPTY_SHA}, {"x-amz-date", "20130524T000000Z"}};
    check_signature((struct sigv4_request){.method = "GET",
                        .path = "/test.txt",
                        .query = "",
                        .headers = get,
                        .header_count = 4,
                        .body_sha256 = EMPTY_SHA},
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    const char *put_sha = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    const struct sigv4_header put[] = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
        {"host", "examplebucket.s3.amazonaws.com"}, {"x-amz-content-sha256", put_sha},
        {"x-amz-date", "20130524T000000Z"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
    check_signature((struct sigv4_request){.method = "PUT",
                        .path = "/test%24file.text",
                        .query = "",
                        .headers = put,
                        .header_count = 5,
                        .body_sha256 = put_sha},
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    const struct sigv4_header list[] = {{"host", "examplebucket.s3.amazonaws.com"}, {"x-amz-content-sha256", EMPTY_SHA},
        {"x-amz-date", "20130524T000000Z"}};
    check_signature((struct sigv4_request){.method = "GET",
                        .path = "/",
                        .query = "max-keys=2&prefix=J",
                        .headers = list,
                        .header_count = 3,
                        .body_sha256 = EMPTY_SHA},
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void a_date_is_that_of_the_reference(void **state) {
    (void)state;
    char date[SIGV4_DATE_SIZE];
    sigv4_date(1369353600, date);
    assert_string_equal(date, "20130524T000000Z");
}

static void a_signature_without_room_is_refused(void **state) {
    (void)state;
    char text[100];
    struct text_builder t = TEXT_BUILDER(text);
    const struct sigv4_header host = {"host", "a"};
    const struct sigv4_request r = {"GET", "/", "", &host, 1, EMPTY_SHA, "id", "secret", "r", "s3", "20130524T000000Z"};
    assert_false(sigv4_sign(&r, &t));
}

/* ---- answers ---- */

struct seen {
    char text[256];
    enum weir_error error;
};

static enum weir_error note(void *ctx, const char *key, uint64_t size) {
    struct seen *s = ctx;
    size_t at = strlen(s->text);
    snprintf(s->text + at, sizeof s->text - at, "%s=%llu;", key, (unsigned long long)size);
    return s->error;
}

static enum weir_error parse(const char *text, struct seen *seen, struct s3_answer *answer) {
    *seen = (struct seen){.error = seen->error};
    return s3_answer_parse(weir_slice_text(text), note, seen, answer);
}

static void a_page_tells_its_objects_and_where_the_next_begins(void **state) {
    (void)state;
    struct seen seen = {0};
    struct s3_answer a;
    assert_int_equal(parse("<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><Name>b</Name><Prefix>Key</Prefix>"
                           "<Contents><Key>a/&#98;</Key><Owner><ID>7</ID></Owner><Size>12</Size></Contents>"
                           "<Contents><Size>0</Size><Key>c</Key></Contents><IsTruncated>true</IsTruncated>"
                           "<NextContinuationToken>t=&amp;</NextContinuationToken></ListBucketResult>",
                         &seen, &a),
        WEIR_OK);
    assert_string_equal(seen.text, "a/b=12;c=0;");
    assert_true(a.is_list && a.truncated);
    assert_string_equal(a.token, "t=&");
}

static void an_error_tells_its_code(void **state) {
    (void)state;
    struct seen seen = {0};
    struct s3_answer a;
    assert_int_equal(
        parse("<Error><Code>NoSuchBucket</Code><Message>It is gone</Message></Error>", &seen, &a), WEIR_OK);
    assert_false(a.is_list);
    assert_string_equal(a.code, "NoSuchBucket");
    assert_string_equal(a.message, "It is gone");
}

static void what_is_no_answer_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"", "no", "<ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct seen seen = {0};
        struct s3_answer a;
        assert_int_equal(parse(texts[i], &seen, &a), WEIR_E_INVALID);
    }
}

static void an_error_of_who_listens_ends_the_list(void **state) {
    (void)state;
    struct seen seen = {.error = WEIR_E_NO_MEMORY};
    struct s3_answer a;
    assert_int_equal(parse("<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents>"
                           "<Contents><Key>b</Key><Size>1</Size></Contents></ListBucketResult>",
                         &seen, &a),
        WEIR_E_NO_MEMORY);
    assert_string_equal(seen.text, "a=1;");
}

/* ---- the store, over a network that is a script ---- */

struct script {
    struct http_caller caller; /* first */
    struct {
        enum weir_error error;
        bool may_pass;
        int status;
        const char *body;
    } answers[8];
    uint32_t calls;
    char last[600], checksum[64];
};

static enum weir_error script_call(struct http_caller *caller, const struct http_request *q, http_body_fn body,
    void *body_ctx, const _Atomic bool *stop, struct http_reply *ret_reply) {
    struct script *s = (struct script *)caller;
    uint32_t i = s->calls++;
    (void)stop;
    *ret_reply = (struct http_reply){
        .error = s->answers[i].error, .may_pass = s->answers[i].may_pass, .status = s->answers[i].status};
    snprintf(s->last, sizeof s->last, "%s %s", q->method, q->url);
    for (size_t k = 0; k < q->header_count; k++)
        if (strcmp(q->headers[k].name, "x-amz-checksum-sha256") == 0)
            snprintf(s->checksum, sizeof s->checksum, "%s", q->headers[k].value);
    if (ret_reply->error) return weir_error_context(ret_reply->error, "as the script says");
    const char *text = s->answers[i].body ? s->answers[i].body : "";
    for (size_t k = 0; text[k]; k++) { /* byte by byte: an answer comes in any pieces */
        ret_reply->error = body(body_ctx, weir_slice(text + k, 1));
        if (ret_reply->error) return ret_reply->error;
    }
    return WEIR_OK;
}

static struct object_store *store_over(struct sys *sys, struct script *s) {
    struct object_store *store = NULL;
    s->caller.call = script_call;
    const struct object_store_options o = {.url = "s3://bucket/pre",
        .endpoint = "http://there",
        .key_id = "id",
        .secret = "secret",
        .attempts = 3,
        .http = &s->caller};
    assert_int_equal(object_store_open(sys, &o, &store), WEIR_OK);
    return store;
}

static void what_may_pass_is_tried_again_and_what_may_not_is_not(void **state) {
    struct sys *sys;
    (void)state;
    assert_int_equal(sys_linux_new(&sys), WEIR_OK);
    struct script passes = {.answers = {{.status = 503}, {WEIR_E_IO, true, 0, NULL}, {.status = 200}}};
    struct object_store *store = store_over(sys, &passes);
    assert_int_equal(store->put(store, "a/b", weir_slice("x", 1)), WEIR_OK);
    assert_int_equal(passes.calls, 3);
    assert_string_equal(passes.last, "PUT http://there/bucket/pre/a/b");
    assert_string_equal(passes.checksum, "LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE="); /* of "x" */
    object_store_close(store);
    struct script fails = {.answers = {{WEIR_E_IO, true, 0, NULL}, {WEIR_E_IO, true, 0, NULL}, {.status = 500}}};
    store = store_over(sys, &fails);
    assert_int_equal(store->put(store, "a", weir_slice("x", 1)), WEIR_E_IO);
    assert_int_equal(fails.calls, 3);
    object_store_close(store);
    struct script final = {.answers = {{WEIR_E_IO, false, 0, NULL}, {.status = 200}}};
    store = store_over(sys, &final);
    assert_int_equal(store->put(store, "a", weir_slice("x", 1)), WEIR_E_IO);
    assert_int_equal(final.calls, 1);
    object_store_close(store);
    sys_linux_free(sys);
}

static void an_answer_in_pieces_is_whole_and_one_too_large_is_refused(void **state) {
    struct sys *sys;
    struct weir_slice bytes;
    bool exists = true;
    (void)state;
    assert_int_equal(sys_linux_new(&sys), WEIR_OK);
    struct script s = {.answers = {{.status = 200, .body = "whole"}, {.status = 200, .body = "whole"}, {.status = 404},
                           {.status = 403, .body = "<Error><Code>No</Code><Message>why</Message></Error>"}}};
    struct object_store *store = store_over(sys, &s);
    assert_int_equal(store->get(store, "k", 5, &bytes), WEIR_OK);
    assert_true(weir_slice_equal(bytes, weir_slice_text("whole")));
    sys_bytes_free(bytes);
    assert_int_equal(store->get(store, "k", 4, &bytes), WEIR_E_TOO_LARGE);
    assert_int_equal(store->exists(store, "k", &exists), WEIR_OK);
    assert_false(exists);
    assert_int_equal(store->get(store, "k", 5, &bytes), WEIR_E_PERMISSION);
    assert_non_null(strstr(weir_error_text(), "there answered 403 No: why"));
    object_store_close(store);
    sys_linux_free(sys);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_those_of_the_reference),
        cmocka_unit_test(a_date_is_that_of_the_reference),
        cmocka_unit_test(a_signature_without_room_is_refused),
        cmocka_unit_test(a_page_tells_its_objects_and_where_the_next_begins),
        cmocka_unit_test(an_error_tells_its_code),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(an_error_of_who_listens_ends_the_list),
        cmocka_unit_test(what_may_pass_is_tried_again_and_what_may_not_is_not),
        cmocka_unit_test(an_answer_in_pieces_is_whole_and_one_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
