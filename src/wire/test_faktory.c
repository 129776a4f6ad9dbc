/* The Faktory work protocol: lines however they are cut, the handshake's published vector, jobs to the byte, payloads
 * as clients send them. */
#include "wire/faktory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(literal) weir_slice(literal, sizeof(literal) - 1)
#define PUSHED_NS     INT64_C(1767323045000000000) /* 2026-01-02T03:04:05Z */

static const struct weir_faktory_limits limits = {
    .line_bytes_max = 1 << 16, .job_bytes_max = 4096, .jid_bytes_max = 64, .name_bytes_max = 128};

static char scratch_room[1 << 16];
static struct arena scratch_new(void) {
    struct arena a;
    arena_init_fixed(&a, scratch_room, sizeof scratch_room);
    return a;
}

static void assert_slice(struct weir_slice actual, const char *expected) {
    if (weir_slice_equal(actual, weir_slice_text(expected))) return;
    fail_msg("\"%.*s\" is not \"%s\"", (int)actual.size, (const char *)actual.data, expected);
}

static void assert_said(const char *part) {
    if (!strstr(weir_error_text(), part)) fail_msg("\"%s\" does not say \"%s\"", weir_error_text(), part);
}

/* ---- lines ---- */
static void lines_are_the_same_however_they_are_cut(void **state) {
    (void)state;
    static const char stream[] = "PUSH {\"a\": 1}\r\nFETCH a b\nEND\r\n\r\nPUSH\n ACK\n";
    static const struct {
        enum weir_faktory_verb verb;
        const char *name, *payload;
    } expected[] = {{WEIR_FAKTORY_PUSH, "PUSH", "{\"a\": 1}"}, {WEIR_FAKTORY_FETCH, "FETCH", "a b"},
        {WEIR_FAKTORY_END, "END", ""}, {WEIR_FAKTORY_UNKNOWN, "", ""}, {WEIR_FAKTORY_PUSH, "PUSH", ""},
        {WEIR_FAKTORY_UNKNOWN, "", "ACK"}};
    for (size_t piece = 1; piece < sizeof stream; piece++) {
        struct weir_faktory_lines lines = {.line_bytes_max = 64};
        struct weir_faktory_command command;
        size_t at = 0, have = 0, found = 0;
        while (at < sizeof stream - 1) {
            enum weir_error e = weir_faktory_command_next(&lines, weir_slice(stream + at, have - at), &command);
            if (e == WEIR_E_AGAIN) {
                assert_true(have < sizeof stream - 1);
                have = have + piece < sizeof stream - 1 ? have + piece : sizeof stream - 1;
                continue;
            }
            assert_int_equal(e, WEIR_OK);
            assert_true(found < sizeof expected / sizeof *expected);
            assert_int_equal(command.verb, expected[found].verb);
            assert_slice(command.name, expected[found].name);
            assert_slice(command.payload, expected[found].payload);
            at += command.size;
            found++;
        }
        assert_int_equal(found, sizeof expected / sizeof *expected);
    }
}

static void a_line_above_the_limit_is_refused_before_it_ends(void **state) {
    (void)state;
    struct weir_faktory_lines lines = {.line_bytes_max = 8};
    struct weir_faktory_command command;
    assert_int_equal(weir_faktory_command_next(&lines, TEXT("INFO 12\n"), &command), WEIR_OK);
    assert_int_equal(weir_faktory_command_next(&lines, TEXT("INFO 123\n"), &command), WEIR_E_TOO_LARGE);
    assert_int_equal(weir_faktory_command_next(&lines, TEXT("INFO 123"), &command), WEIR_E_AGAIN);
    assert_int_equal(weir_faktory_command_next(&lines, TEXT("INFO 1234"), &command), WEIR_E_TOO_LARGE);
    assert_said("8 bytes");
}

static void every_verb_is_known_by_its_name_alone(void **state) {
    (void)state;
    static const char *const names[] = {"HELLO", "PUSH", "PUSHB", "FETCH", "ACK", "FAIL", "BEAT", "INFO", "FLUSH",
        "END", "MUTATE", "QUEUE", "BATCH", "TRACK"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct weir_faktory_lines lines = {.line_bytes_max = 64};
        struct weir_faktory_command command;
        char line[16];
        int size = snprintf(line, sizeof line, "%s\n", names[i]);
        assert_int_equal(weir_faktory_command_next(&lines, weir_slice(line, (size_t)size), &command), WEIR_OK);
        assert_int_equal(command.verb, i + 1);
        line[0] |= 0x20;
        assert_int_equal(weir_faktory_command_next(&lines, weir_slice(line, (size_t)size), &command), WEIR_OK);
        assert_int_equal(command.verb, WEIR_FAKTORY_UNKNOWN);
    }
}

static void words_are_what_stands_between_blanks(void **state) {
    (void)state;
    struct weir_slice rest = TEXT("  critical default  b.u-l_k "), word;
    assert_true(weir_faktory_word(&rest, &word));
    assert_slice(word, "critical");
    assert_true(weir_faktory_word(&rest, &word));
    assert_slice(word, "default");
    assert_true(weir_faktory_word(&rest, &word));
    assert_slice(word, "b.u-l_k");
    assert_true(weir_faktory_is_queue(word));
    assert_false(weir_faktory_word(&rest, &word));
    assert_false(weir_faktory_is_queue(TEXT("a b")));
    assert_false(weir_faktory_is_queue(TEXT("caf\xc3\xa9")));
    assert_false(weir_faktory_is_queue(TEXT("")));
}

/* ---- handshake ---- */
static void the_password_hash_is_that_of_the_published_vector(void **state) {
    (void)state;
    static const char expected[] = "ef646abadf4ffba660d9bbb8de8e45576970de917b4c9da8cad96b49e64636d9";
    struct weir_faktory_hash hash;
    char text[WEIR_FAKTORY_PWDHASH_SIZE];
    assert_int_equal(weir_faktory_hash_start(&hash, TEXT("abcde123"), TEXT("123"), 3), WEIR_OK);
    assert_false(weir_faktory_hash_step(&hash, 1));
    assert_true(weir_faktory_hash_step(&hash, 1));
    weir_faktory_hash_text(&hash, text);
    assert_memory_equal(text, expected, sizeof text);
    assert_true(weir_faktory_hash_equal(&hash, TEXT(expected)));
    assert_false(weir_faktory_hash_equal(&hash, weir_slice(expected, 63)));
    assert_false(weir_faktory_hash_equal(&hash, weir_slice(NULL, 0)));
    text[63] ^= 1;
    assert_false(weir_faktory_hash_equal(&hash, weir_slice(text, sizeof text)));
    static const char long_one[WEIR_FAKTORY_PASSWORD_BYTES_MAX + 1] = {'a'};
    assert_int_equal(
        weir_faktory_hash_start(&hash, weir_slice(long_one, sizeof long_one), TEXT("1"), 1), WEIR_E_TOO_LARGE);
}

static void the_greeting_asks_for_a_password_only_when_there_is_one(void **state) {
    (void)state;
    char room[128];
    struct byte_writer out = byte_writer(room, sizeof room);
    weir_faktory_hi_write(&out, weir_slice(NULL, 0), 0);
    assert_slice(byte_writer_slice(&out), "+HI {\"v\":2}\r\n");
    out.at = 0;
    weir_faktory_hi_write(&out, TEXT("3c0f"), 4096);
    assert_slice(byte_writer_slice(&out), "+HI {\"v\":2,\"i\":4096,\"s\":\"3c0f\"}\r\n");
}

static void a_hello_tells_a_worker_from_a_producer(void **state) {
    (void)state;
    struct arena scratch = scratch_new();
    struct weir_faktory_hello hello;
    assert_int_equal(weir_faktory_hello_parse(TEXT("{\"hostname\":\"box\",\"wid\":\"w-1\",\"pid\":12,\"labels\":"
                                                   "[\"a\",\"b\"],\"v\":2,\"pwdhash\":\"ab\",\"else\":{\"x\":[]}}"),
                         &scratch, &limits, &hello),
        WEIR_OK);
    assert_slice(hello.wid, "w-1");
    assert_slice(hello.hostname, "box");
    assert_slice(hello.labels, "[\"a\",\"b\"]");
    assert_slice(hello.pwdhash, "ab");
    assert_int_equal(hello.pid, 12);
    assert_int_equal(hello.version, 2);
    assert_int_equal(weir_faktory_hello_parse(TEXT("{\"v\":2}"), &scratch, &limits, &hello), WEIR_OK);
    assert_int_equal(hello.wid.size, 0);
    assert_int_equal(weir_faktory_hello_parse(TEXT("{\"v\":\"2\"}"), &scratch, &limits, &hello), WEIR_E_INVALID);
    assert_said("v: expected a whole number, not string");
    assert_int_equal(weir_faktory_hello_parse(TEXT("[2]"), &scratch, &limits, &hello), WEIR_E_INVALID);
    assert_int_equal(weir_faktory_hello_parse(TEXT("{\"v\":2} x"), &scratch, &limits, &hello), WEIR_E_INVALID);
}

/* ---- jobs ---- */
static enum weir_error parse(const char *text, struct weir_faktory_job *ret_job) {
    struct arena scratch = scratch_new();
    return weir_faktory_job_parse(weir_slice_text(text), &scratch, &limits, ret_job);
}

static void a_job_is_read_field_by_field(void **state) {
    (void)state;
    struct weir_faktory_job job;
    assert_int_equal(
        parse(" {\"jid\":\"12345678\",\"jobtype\":\"Mail\\u0065r\",\"queue\":\"critical\",\"args\":[1, {\"a\":[2]}],"
              "\"at\":\"2026-01-02T04:04:05+01:00\",\"retry\":3,\"reserve_for\":90,\"priority\":5,"
              "\"created_at\":\"2026-01-01T00:00:00Z\",\"custom\":{\"unique_for\":60,\"unique_until\":\"start\","
              "\"expires_at\":\"2026-01-02T03:04:05Z\",\"bid\":\"b-1\",\"track\":1,\"locale\":\"en\"}} ",
            &job),
        WEIR_OK);
    assert_slice(job.jid, "12345678");
    assert_slice(job.type, "Mailer");
    assert_slice(job.queue, "critical");
    assert_slice(job.args, "[1, {\"a\":[2]}]");
    assert_slice(job.created_at, "2026-01-01T00:00:00Z");
    assert_slice(job.custom.bid, "b-1");
    assert_true(job.at_ns == PUSHED_NS && job.custom.expires_at_ns == PUSHED_NS);
    assert_int_equal(job.retry, 3);
    assert_int_equal(job.reserve_s, 90);
    assert_int_equal(job.priority, 5);
    assert_int_equal(job.custom.unique_for_s, 60);
    assert_true(job.custom.unique_until_start && job.custom.track && job.queue_given);
    assert_int_equal(job.cut_count, 0);
}

static void what_a_job_does_not_say_is_as_in_faktory(void **state) {
    (void)state;
    struct weir_faktory_job job;
    assert_int_equal(
        parse("{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"queue\":null,\"at\":\"\"}", &job), WEIR_OK);
    assert_slice(job.queue, "default");
    assert_int_equal(job.retry, 25);
    assert_int_equal(job.reserve_s, 1800);
    assert_true(job.at_ns == 0 && !job.queue_given && job.custom.unique_for_s == 0);
    assert_int_equal(
        parse("{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"reserve_for\":1,\"retry\":-1}", &job), WEIR_OK);
    assert_int_equal(job.reserve_s, 60);
    assert_int_equal(job.retry, -1);
}

static void a_job_that_faktory_refuses_is_refused_with_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *job, *says;
        enum weir_error error;
    } cases[] = {
        {"{\"jid\":\"1234567\",\"jobtype\":\"A\",\"args\":[]}", "jid of at least 8", WEIR_E_INVALID},
        {"{\"jobtype\":\"A\",\"args\":[]}", "jid of at least 8", WEIR_E_INVALID},
        {"{\"jid\":12345678,\"jobtype\":\"A\",\"args\":[]}", "jid: expected a string, not integer", WEIR_E_INVALID},
        {"{\"jid\":\"12345678\",\"args\":[]}", "jobtype", WEIR_E_INVALID},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\"}", "args, an array", WEIR_E_INVALID},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":{\"a\":{\"b\":1}}}", "args: expected an array",
            WEIR_E_INVALID},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"at\":\"soon\"}", "at: \"soon\" is no RFC 3339",
            WEIR_E_INVALID},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"at\":\"2026-01-02\"}", "no RFC 3339", WEIR_E_INVALID},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"reserve_for\":86401}", "one day", WEIR_E_INVALID},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"reserve_for\":1.5}", "whole number", WEIR_E_INVALID},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"retry\":-2}", "retry", WEIR_E_INVALID},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"queue\":\"a b\"}", "queue: a name", WEIR_E_INVALID},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"jid\":\"abcdefgh\"}", "jid is given twice",
            WEIR_E_INVALID},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"failure\":1,\"failure\":2,\"failure\":3}", "twice",
            WEIR_E_INVALID},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"custom\":{\"unique_until\":\"never\"}}", "unique_until",
            WEIR_E_INVALID},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"custom\":{\"unique_for\":-1}}", "unique_for",
            WEIR_E_INVALID},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"custom\":[{\"a\":1}]}", "custom: expected an object",
            WEIR_E_INVALID},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],}", "invalid JSON at byte", WEIR_E_INVALID},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[]} {}", "something follows", WEIR_E_INVALID},
        {"[]", "expected a JSON object, not array", WEIR_E_INVALID},
        {"", "invalid JSON", WEIR_E_INVALID},
    };
    struct weir_faktory_job job;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum weir_error e = parse(cases[i].job, &job);
        if (e != cases[i].error) fail_msg("case %zu: %s, %s", i, weir_error_name(e), weir_error_text());
        assert_said(cases[i].says);
    }
}

static void a_job_beyond_a_limit_is_refused_by_its_name(void **state) {
    (void)state;
    struct weir_faktory_job job;
    char text[5000], filler[4097];
    memset(filler, 'x', sizeof filler);
    static const struct {
        const char *format, *says;
        int size;
    } cases[] = {{"{\"jid\":\"%.*s\",\"jobtype\":\"A\",\"args\":[]}", "jid: 65 bytes, the limit is 64", 65},
        {"{\"jid\":\"12345678\",\"jobtype\":\"%.*s\",\"args\":[]}", "jobtype: 129 bytes, the limit is 128", 129},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"queue\":\"%.*s\"}", "queue: 129 bytes", 129},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"custom\":{\"bid\":\"%.*s\"}}", "bid: 65 bytes", 65},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[\"%.*s\"]}", "the job: 4140 bytes, the limit is 4096",
            4096}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(text, sizeof text, cases[i].format, cases[i].size, filler);
        if (parse(text, &job) != WEIR_E_TOO_LARGE) fail_msg("case %zu: %s", i, weir_error_text());
        assert_said(cases[i].says);
    }
}

#define MADE ",\"created_at\":\"2026-01-02T03:04:05.000000000Z\""
static void a_job_is_kept_to_the_byte_but_for_what_is_the_servers(void **state) {
    (void)state;
    static const struct {
        const char *pushed, *kept;
    } cases[] = {
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"queue\":\"q\",\"args\":[9007199254740993, 1e400, 0.10],\"x\": "
         "{\"y\":1},\"created_at\":\"then\" }",
            "{\"jid\":\"12345678\",\"jobtype\":\"A\",\"queue\":\"q\",\"args\":[9007199254740993, 1e400, 0.10],\"x\": "
            "{\"y\":1},\"created_at\":\"then\" }"},
        {"{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[]}",
            "{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"queue\":\"default\"" MADE "}"},
        {"{\"failure\":{\"a\":[1]}, \"enqueued_at\":\"x\", "
         "\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"queue\":\"q\"}",
            "{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"queue\":\"q\"" MADE "}"},
        {"{\"jid\":\"12345678\" , \"failure\":null,\"jobtype\":\"A\",\"args\":[],\"queue\":\"q\",\"enqueued_at\":1}",
            "{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"queue\":\"q\"" MADE "}"},
        {"{\"created_at\":\"\",\"jid\":\"12345678\",\"jobtype\":\"A\",\"queue\":null,\"args\":[]}",
            "{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"queue\":\"default\"" MADE "}"},
        {"{\"enqueued_at\":1,\"jid\":\"12345678\",\"failure\":{},\"jobtype\":\"A\",\"args\":[],\"queue\":\"q\"}",
            "{\"jid\":\"12345678\",\"jobtype\":\"A\",\"args\":[],\"queue\":\"q\"" MADE "}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir_faktory_job job;
        char room[256];
        struct byte_writer out = byte_writer(room, sizeof room);
        assert_int_equal(parse(cases[i].pushed, &job), WEIR_OK);
        weir_faktory_job_store(&job, PUSHED_NS, &out);
        assert_false(out.failed);
        assert_slice(byte_writer_slice(&out), cases[i].kept);
        assert_true(out.at <= job.text.size + WEIR_FAKTORY_STORE_BYTES);
        struct byte_writer small = byte_writer(room, out.at - 1);
        weir_faktory_job_store(&job, PUSHED_NS, &small);
        assert_true(small.failed);
    }
}

static void a_delivered_job_says_what_the_server_knows(void **state) {
    (void)state;
    struct weir_slice kept = TEXT("{\"jid\":\"12345678\",\"args\":[9007199254740993]}");
    char room[1024];
    struct byte_writer out = byte_writer(room, sizeof room);
    weir_faktory_job_deliver(kept, PUSHED_NS, NULL, &out);
    assert_slice(byte_writer_slice(&out),
        "{\"jid\":\"12345678\",\"args\":[9007199254740993],\"enqueued_at\":\"2026-01-02T03:04:05.000000000Z\"}");
    struct weir_faktory_failure failure = {.count = 2,
        .remaining = 3,
        .failed_at_ns = PUSHED_NS,
        .next_at_ns = PUSHED_NS + 1000000001,
        .errtype = TEXT("E"),
        .message = TEXT("\"no\""),
        .backtrace = TEXT("\"a\",\"b\"")};
    out.at = 0;
    weir_faktory_job_deliver(kept, PUSHED_NS, &failure, &out);
    assert_slice(byte_writer_slice(&out),
        "{\"jid\":\"12345678\",\"args\":[9007199254740993],\"enqueued_at\":\"2026-01-02T03:04:05.000000000Z\","
        "\"failure\":{\"retry_count\":2,\"remaining\":3,"
        "\"failed_at\":\"2026-01-02T03:04:05.000000000Z\",\"next_at\":\"2026-01-02T03:04:06.000000001Z\","
        "\"message\":\"\\\"no\\\"\",\"errtype\":\"E\",\"backtrace\":[\"a\",\"b\"]}}");
    size_t whole = out.at;
    for (size_t size = 0; size < whole; size++) {
        struct byte_writer small = byte_writer(room, size);
        weir_faktory_job_deliver(kept, PUSHED_NS, &failure, &small);
        assert_true(small.failed);
    }
    failure = (struct weir_faktory_failure){
        .count = UINT32_MAX, .remaining = UINT32_MAX, .failed_at_ns = PUSHED_NS, .next_at_ns = PUSHED_NS};
    out = byte_writer(room, kept.size + WEIR_FAKTORY_DELIVER_BYTES);
    weir_faktory_job_deliver(kept, PUSHED_NS, &failure, &out);
    assert_false(out.failed);
}

static void a_job_of_another_way_looks_like_one_that_was_pushed(void **state) {
    (void)state;
    char room[512];
    struct byte_writer out = byte_writer(room, sizeof room);
    struct weir_faktory_made made = {.jid = TEXT("00000000-1"),
        .type = TEXT("mail\n"),
        .queue = TEXT("q"),
        .args = TEXT("[{\"a\":1}]"),
        .at_ns = PUSHED_NS,
        .retry = 5,
        .reserve_s = 90};
    weir_faktory_job_make(&made, &out);
    assert_slice(byte_writer_slice(&out),
        "{\"jid\":\"00000000-1\",\"queue\":\"q\",\"jobtype\":\"mail\\n\",\"args\":[{\"a\":1}],"
        "\"at\":\"2026-01-02T03:04:05.000000000Z\",\"reserve_for\":90,\"retry\":5}");
    struct weir_faktory_job job;
    struct arena scratch = scratch_new();
    assert_int_equal(weir_faktory_job_parse(byte_writer_slice(&out), &scratch, &limits, &job), WEIR_OK);
    assert_slice(job.type, "mail\n");
}

static void a_bad_job_of_a_bulk_push_does_not_hurt_the_others(void **state) {
    (void)state;
    struct arena scratch = scratch_new();
    struct weir_faktory_jobs jobs;
    struct weir_faktory_job job;
    enum weir_error e;
    assert_int_equal(
        weir_faktory_jobs_open(TEXT("[{\"jid\":\"job-0001\",\"jobtype\":\"A\",\"args\":[1],\"enqueued_at\":0},"
                                    "{\"jid\":\"job-0002\",\"args\":[{}],\"custom\":[1]}, [7, {}], 8,"
                                    "{\"jid\":\"job-0003\",\"jobtype\":\"A\",\"args\":[]}]"),
            &jobs),
        WEIR_OK);
    assert_true(weir_faktory_jobs_next(&jobs, &scratch, &limits, &job, &e));
    assert_int_equal(e, WEIR_OK);
    assert_slice(job.text, "{\"jid\":\"job-0001\",\"jobtype\":\"A\",\"args\":[1],\"enqueued_at\":0}");
    assert_memory_equal(job.text.data + job.cuts[0].from, ",\"enqueued_at\":0", job.cuts[0].to - job.cuts[0].from);
    assert_true(weir_faktory_jobs_next(&jobs, &scratch, &limits, &job, &e));
    assert_int_equal(e, WEIR_E_INVALID);
    assert_slice(job.jid, "job-0002");
    for (int i = 0; i < 2; i++) {
        assert_true(weir_faktory_jobs_next(&jobs, &scratch, &limits, &job, &e));
        assert_int_equal(e, WEIR_E_INVALID);
        assert_int_equal(job.jid.size, 0);
    }
    assert_true(weir_faktory_jobs_next(&jobs, &scratch, &limits, &job, &e));
    assert_int_equal(e, WEIR_OK);
    assert_slice(job.jid, "job-0003");
    assert_false(weir_faktory_jobs_next(&jobs, &scratch, &limits, &job, &e));
    assert_false(weir_faktory_jobs_next(&jobs, &scratch, &limits, &job, &e));
    assert_int_equal(weir_faktory_jobs_close(&jobs), WEIR_OK);
}

static void a_bulk_push_that_is_no_json_counts_for_nothing(void **state) {
    (void)state;
    struct arena scratch = scratch_new();
    struct weir_faktory_jobs jobs;
    struct weir_faktory_job job;
    enum weir_error e;
    static const char *const cases[] = {
        "[{\"jid\":\"job-0001\",\"jobtype\":\"A\",\"args\":[1]}", "[{\"jid\":]", "[] x", "[{},"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(weir_faktory_jobs_open(weir_slice_text(cases[i]), &jobs), WEIR_OK);
        while (weir_faktory_jobs_next(&jobs, &scratch, &limits, &job, &e)) {
        }
        assert_int_equal(weir_faktory_jobs_close(&jobs), WEIR_E_INVALID);
    }
    assert_int_equal(weir_faktory_jobs_open(TEXT("{}"), &jobs), WEIR_E_INVALID);
    assert_int_equal(weir_faktory_jobs_open(TEXT(""), &jobs), WEIR_E_INVALID);
}

/* ---- other payloads ---- */
static void a_failure_is_cut_to_what_faktory_keeps(void **state) {
    (void)state;
    struct arena scratch = scratch_new();
    struct weir_faktory_fail fail;
    assert_int_equal(weir_faktory_fail_parse(TEXT("{\"jid\":\"12345678\",\"errtype\":\"E\",\"message\":\"m\","
                                                  "\"backtrace\":[ \"one\", \"two\" ]}"),
                         &scratch, &limits, &fail),
        WEIR_OK);
    assert_slice(fail.backtrace, "\"one\", \"two\"");
    char text[8192];
    struct text_builder t = TEXT_BUILDER(text);
    text_add(&t, "{\"jid\":\"12345678\",\"errtype\":\"");
    for (int i = 0; i < 60; i++)
        text_add(&t, "\xc3\xa9");
    text_add(&t, "\",\"message\":\"");
    for (int i = 0; i < 1001; i++)
        text_add(&t, "m");
    text_add(&t, "\",\"backtrace\":[");
    for (int i = 0; i < 60; i++)
        text_printf(&t, "%s%d", i ? "," : "", i);
    text_add(&t, "]}");
    assert_int_equal(weir_faktory_fail_parse(text_slice(&t), &scratch, &limits, &fail), WEIR_OK);
    assert_int_equal(fail.errtype.size, 100);
    assert_int_equal(fail.message.size, 1000);
    assert_true(fail.backtrace.size > 3 && memcmp(fail.backtrace.data + fail.backtrace.size - 3, ",49", 3) == 0);
    assert_int_equal(
        weir_faktory_fail_parse(TEXT("{\"jid\":\"12345678\",\"backtrace\":[]}"), &scratch, &limits, &fail), WEIR_OK);
    assert_int_equal(fail.backtrace.size, 0);
    assert_int_equal(weir_faktory_fail_parse(TEXT("{\"errtype\":\"E\"}"), &scratch, &limits, &fail), WEIR_E_INVALID);
    struct weir_slice jid;
    assert_int_equal(weir_faktory_ack_parse(TEXT("{\"jid\":\"12345678\"}"), &scratch, &limits, &jid), WEIR_OK);
    assert_slice(jid, "12345678");
    assert_int_equal(weir_faktory_ack_parse(TEXT("{\"jid\":\"\"}"), &scratch, &limits, &jid), WEIR_E_INVALID);
}

static void a_beat_says_which_state_the_worker_is_in(void **state) {
    (void)state;
    struct arena scratch = scratch_new();
    struct weir_faktory_beat beat;
    assert_int_equal(
        weir_faktory_beat_parse(TEXT("{\"wid\":\"w\",\"rss_kb\":54176}"), &scratch, &limits, &beat), WEIR_OK);
    assert_int_equal(beat.state, WEIR_FAKTORY_RUNNING);
    assert_int_equal(beat.rss_kb, 54176);
    assert_int_equal(
        weir_faktory_beat_parse(TEXT("{\"wid\":\"w\",\"current_state\":\"quiet\"}"), &scratch, &limits, &beat),
        WEIR_OK);
    assert_int_equal(beat.state, WEIR_FAKTORY_QUIET);
    assert_int_equal(
        weir_faktory_beat_parse(TEXT("{\"wid\":\"w\",\"current_state\":\"terminate\"}"), &scratch, &limits, &beat),
        WEIR_OK);
    assert_int_equal(beat.state, WEIR_FAKTORY_TERMINATE);
    assert_int_equal(
        weir_faktory_beat_parse(TEXT("{\"wid\":\"w\",\"current_state\":\"idle\"}"), &scratch, &limits, &beat),
        WEIR_E_INVALID);
    assert_said("\"idle\" is none of");
    assert_int_equal(weir_faktory_beat_parse(TEXT("{}"), &scratch, &limits, &beat), WEIR_E_INVALID);
}

static void a_mutation_names_what_where_and_whom(void **state) {
    (void)state;
    struct arena scratch = scratch_new();
    struct weir_faktory_mutate m;
    assert_int_equal(
        weir_faktory_mutate_parse(TEXT("{\"cmd\":\"kill\",\"target\":\"retries\",\"filter\":{\"jobtype\":\"Q\","
                                       "\"jids\":[\"a\\u0062c\",\"d\"],\"regexp\":\"*uid:1*\"}}"),
            &scratch, &limits, &m),
        WEIR_OK);
    assert_int_equal(m.change, WEIR_FAKTORY_KILL);
    assert_int_equal(m.target, WEIR_FAKTORY_RETRIES);
    assert_slice(m.type, "Q");
    assert_slice(m.pattern, "*uid:1*");
    struct json_reader jids = json_reader(m.jids, 1);
    struct weir_slice jid;
    assert_true(weir_faktory_text_next(&jids, &scratch, &jid));
    assert_slice(jid, "abc");
    assert_true(weir_faktory_text_next(&jids, &scratch, &jid));
    assert_slice(jid, "d");
    assert_false(weir_faktory_text_next(&jids, &scratch, &jid));
    assert_int_equal(
        weir_faktory_mutate_parse(TEXT("{\"cmd\":\"clear\",\"target\":\"dead\"}"), &scratch, &limits, &m), WEIR_OK);
    assert_true(!m.jids.data && !m.type.size && !m.pattern.size);
    assert_int_equal(weir_faktory_mutate_parse(TEXT("{\"cmd\":\"drop\",\"target\":\"dead\"}"), &scratch, &limits, &m),
        WEIR_E_INVALID);
    assert_said("cmd: \"drop\" is none of clear, kill, discard, requeue");
    assert_int_equal(weir_faktory_mutate_parse(TEXT("{\"cmd\":\"kill\",\"target\":\"all\"}"), &scratch, &limits, &m),
        WEIR_E_INVALID);
    assert_int_equal(weir_faktory_mutate_parse(TEXT("{\"cmd\":\"kill\",\"target\":\"dead\",\"filter\":{\"jids\":[1]}}"),
                         &scratch, &limits, &m),
        WEIR_E_INVALID);
    assert_int_equal(
        weir_faktory_mutate_parse(
            TEXT("{\"cmd\":\"kill\",\"target\":\"dead\",\"filter\":{\"jids\":[[]]}}"), &scratch, &limits, &m),
        WEIR_E_INVALID);
}

static void a_glob_matches_as_in_redis(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "anything", true}, {"a?c", "abc", true},
        {"a?c", "ac", false}, {"*uid:123*", "{\"uid:1234\"}", true}, {"*uid:123", "uid:1234", false},
        {"a*b*c", "a1b2b3c", true}, {"a*b*c", "a1c2b", false}, {"[abc]x", "bx", true}, {"[a-c]x", "bx", true},
        {"[c-a]x", "bx", true}, {"[^a-c]x", "bx", false}, {"[^a-c]x", "dx", true}, {"\\*a", "*a", true},
        {"\\*a", "ba", false}, {"[\\]]", "]", true}, {"[", "[", false}, {"[a", "a", true}, {"[a-", "-", true},
        {"a\\", "a\\", true}, {"*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (weir_faktory_glob(weir_slice_text(cases[i].pattern), weir_slice_text(cases[i].text)) != cases[i].matches)
            fail_msg("\"%s\" on \"%s\"", cases[i].pattern, cases[i].text);
    }
}

static void queues_batches_and_tracking_are_read_by_their_first_word(void **state) {
    (void)state;
    struct arena scratch = scratch_new();
    struct weir_faktory_queue queue;
    assert_int_equal(weir_faktory_queue_parse(TEXT("PAUSE a b"), &queue), WEIR_OK);
    assert_int_equal(queue.change, WEIR_FAKTORY_PAUSE);
    assert_slice(queue.names, " a b");
    assert_int_equal(weir_faktory_queue_parse(TEXT("LATENCY *"), &queue), WEIR_OK);
    assert_int_equal(weir_faktory_queue_parse(TEXT("PAUSE"), &queue), WEIR_E_INVALID);
    assert_int_equal(weir_faktory_queue_parse(TEXT("STOP a"), &queue), WEIR_E_INVALID);
    assert_int_equal(weir_faktory_queue_parse(TEXT("PAUSE a/b"), &queue), WEIR_E_INVALID);
    assert_int_equal(weir_faktory_queue_parse(TEXT(""), &queue), WEIR_E_INVALID);
    struct weir_faktory_batch batch;
    assert_int_equal(
        weir_faktory_batch_parse(TEXT("NEW {\"description\":\"d\",\"parent_bid\":\"p\",\"success\":{\"jid\":\"x\"}}"),
            &scratch, &limits, &batch),
        WEIR_OK);
    assert_slice(batch.success, "{\"jid\":\"x\"}");
    assert_slice(batch.parent_bid, "p");
    assert_int_equal(batch.complete.size, 0);
    assert_int_equal(
        weir_faktory_batch_parse(TEXT("NEW {\"description\":\"d\"}"), &scratch, &limits, &batch), WEIR_E_INVALID);
    assert_int_equal(weir_faktory_batch_parse(TEXT("COMMIT b-1"), &scratch, &limits, &batch), WEIR_OK);
    assert_int_equal(batch.change, WEIR_FAKTORY_BATCH_COMMIT);
    assert_slice(batch.bid, "b-1");
    assert_int_equal(weir_faktory_batch_parse(TEXT("OPEN"), &scratch, &limits, &batch), WEIR_E_INVALID);
    assert_int_equal(weir_faktory_batch_parse(TEXT("STATUS a b"), &scratch, &limits, &batch), WEIR_E_INVALID);
    struct weir_faktory_track track;
    assert_int_equal(weir_faktory_track_parse(TEXT("GET 12345678"), &scratch, &limits, &track), WEIR_OK);
    assert_false(track.is_set);
    assert_int_equal(weir_faktory_track_parse(TEXT("SET {\"jid\":\"12345678\",\"percent\":9,\"desc\":\"half\","
                                                   "\"reserve_until\":\"2026-01-02T03:04:05Z\"}"),
                         &scratch, &limits, &track),
        WEIR_OK);
    assert_true(track.is_set && track.percent == 9 && track.reserve_until_ns == PUSHED_NS);
    assert_slice(track.desc, "half");
    assert_int_equal(
        weir_faktory_track_parse(TEXT("SET {\"jid\":\"12345678\",\"percent\":101}"), &scratch, &limits, &track),
        WEIR_E_INVALID);
    assert_int_equal(weir_faktory_track_parse(TEXT("PUT x"), &scratch, &limits, &track), WEIR_E_INVALID);
}

/* ---- replies ---- */
static void replies_have_the_bytes_of_resp(void **state) {
    (void)state;
    char room[256];
    struct byte_writer out = byte_writer(room, sizeof room);
    weir_faktory_write_simple(&out, "OK");
    weir_faktory_write_error(&out, "ERR", TEXT("line\r\none"));
    weir_faktory_write_integer(&out, -12);
    weir_faktory_write_null(&out);
    weir_faktory_write_bulk(&out, TEXT("hello\r\n"));
    weir_faktory_write_bulk(&out, TEXT(""));
    static const char expected[] = "+OK\r\n-ERR line  one\r\n:-12\r\n$-1\r\n$7\r\nhello\r\n\r\n$0\r\n\r\n";
    assert_slice(byte_writer_slice(&out), expected);
    static const enum weir_faktory_reply_type types[] = {WEIR_FAKTORY_REPLY_SIMPLE, WEIR_FAKTORY_REPLY_ERROR,
        WEIR_FAKTORY_REPLY_INTEGER, WEIR_FAKTORY_REPLY_NULL, WEIR_FAKTORY_REPLY_BULK, WEIR_FAKTORY_REPLY_BULK};
    size_t at = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct weir_faktory_reply reply = {0};
        for (size_t size = 0; weir_faktory_reply_parse(weir_slice(expected + at, size), 64, &reply) == WEIR_E_AGAIN;)
            size++;
        assert_int_equal(reply.type, types[i]);
        if (i == 2) assert_int_equal(reply.integer, -12);
        if (i == 4) assert_slice(reply.text, "hello\r\n");
        at += reply.size;
    }
    assert_int_equal(at, sizeof expected - 1);
}

static void a_reply_that_does_not_fit_is_not_written_at_all(void **state) {
    (void)state;
    char room[32];
    for (size_t size = 0; size < 20; size++) {
        struct byte_writer out = byte_writer(room, size);
        weir_faktory_write_bulk(&out, TEXT("hello"));
        assert_true(out.failed && out.at == 0);
    }
    struct byte_writer out = byte_writer(room, 4);
    weir_faktory_write_simple(&out, "OK");
    assert_true(out.failed && out.at == 0);
}

static void a_malformed_reply_is_refused(void **state) {
    (void)state;
    static const char *const cases[] = {"OK\r\n", "+OK\n", "\n", ":1x\r\n", ":\r\n", ":-\r\n", "$-2\r\n", "$x\r\n",
        "$2\r\nabcd", ":1234567890123456789\r\n"};
    struct weir_faktory_reply reply;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (weir_faktory_reply_parse(weir_slice_text(cases[i]), 64, &reply) != WEIR_E_INVALID)
            fail_msg("\"%s\"", cases[i]);
    }
    assert_int_equal(weir_faktory_reply_parse(TEXT("$65\r\n"), 64, &reply), WEIR_E_TOO_LARGE);
    assert_int_equal(weir_faktory_reply_parse(TEXT("+0123456789"), 10, &reply), WEIR_E_TOO_LARGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_the_same_however_they_are_cut),
        cmocka_unit_test(a_line_above_the_limit_is_refused_before_it_ends),
        cmocka_unit_test(every_verb_is_known_by_its_name_alone),
        cmocka_unit_test(words_are_what_stands_between_blanks),
        cmocka_unit_test(the_password_hash_is_that_of_the_published_vector),
        cmocka_unit_test(the_greeting_asks_for_a_password_only_when_there_is_one),
        cmocka_unit_test(a_hello_tells_a_worker_from_a_producer),
        cmocka_unit_test(a_job_is_read_field_by_field),
        cmocka_unit_test(what_a_job_does_not_say_is_as_in_faktory),
        cmocka_unit_test(a_job_that_faktory_refuses_is_refused_with_what_is_wrong),
        cmocka_unit_test(a_job_beyond_a_limit_is_refused_by_its_name),
        cmocka_unit_test(a_job_is_kept_to_the_byte_but_for_what_is_the_servers),
        cmocka_unit_test(a_delivered_job_says_what_the_server_knows),
        cmocka_unit_test(a_job_of_another_way_looks_like_one_that_was_pushed),
        cmocka_unit_test(a_bad_job_of_a_bulk_push_does_not_hurt_the_others),
        cmocka_unit_test(a_bulk_push_that_is_no_json_counts_for_nothing),
        cmocka_unit_test(a_failure_is_cut_to_what_faktory_keeps),
        cmocka_unit_test(a_beat_says_which_state_the_worker_is_in),
        cmocka_unit_test(a_mutation_names_what_where_and_whom),
        cmocka_unit_test(a_glob_matches_as_in_redis),
        cmocka_unit_test(queues_batches_and_tracking_are_read_by_their_first_word),
        cmocka_unit_test(replies_have_the_bytes_of_resp),
        cmocka_unit_test(a_reply_that_does_not_fit_is_not_written_at_all),
        cmocka_unit_test(a_malformed_reply_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
