/* Sessions of protocols: lines over TCP and messages over WebSocket, with a fake host. */
#include "test_fake.h"

#include "edge/routes.h"
#include "wire/ws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int set_up(void **unused) {
    (void)unused;
    fake_open(0, 0, NULL);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    fake_close();
    return 0;
}

static void lines_in_one_write_become_commands_and_replies_come_back(void **unused) {
    (void)unused;
    int c = client_open("fake.lines");
    client_text(c, "a\nbb\nccc\ndd");
    const char *got = client_wait_count(c, "reply", 3);
    assert_string_equal(got, "reply 1 0 200\nreply 2 0 200\nreply 3 0 200\n");
    assert_int_equal(fake.command_count, 3); /* the half line waits for its end */
    client_text(c, "d\n");
    assert_string_equal(client_wait(c, "\n"), "reply 3 0 200\n");
    client_close(c);
}

static void a_full_host_stops_the_reading_and_loses_nothing(void **unused) {
    (void)unused;
    int c = client_open("fake.lines");
    fake.full = true;
    client_text(c, "first\nsecond\n");
    static char much[64 << 10];
    memset(much, 'x', sizeof much);
    for (size_t i = 99; i < sizeof much; i += 100)
        much[i] = '\n';
    size_t sent = 0;
    for (int i = 0; i < 3000; i++) { /* until the window is closed: nothing more is taken from us */
        ssize_t put = write(c, much + sent % 100, 100 - sent % 100);
        if (put > 0) sent += (size_t)put;
        fake_step();
        if (sent > (sizeof much)) break;
    }
    assert_int_equal(fake.command_count, 0);
    fake.full = false;
    for (int i = 0; i < 20000 && fake.command_count < 2 + sent / 100; i++)
        fake_step();
    assert_int_equal(fake.command_count, 2 + sent / 100);
    assert_int_equal(fake.commands[0].value_size, 5);
    assert_int_equal(fake.commands[1].value_size, 6);
    client_close(c);
}

static void a_client_that_does_not_read_is_closed_as_a_slow_consumer(void **unused) {
    (void)unused;
    int c = client_open("fake.lines");
    client_text(c, "flood\n");
    for (int i = 0; i < 20; i++)
        fake_step();
    assert_int_equal(edge_connections(fake.edge), 0);
    assert_non_null(strstr(fake.log, "event=slow_consumer"));
    client_close(c);
}

static void a_line_without_end_closes_only_its_connection(void **unused) {
    (void)unused;
    int c = client_open("fake.lines"), other = client_open("fake.lines");
    char much[8000];
    memset(much, 'y', sizeof much);
    client_send(c, much, sizeof much);
    assert_string_equal(client_wait(c, NULL), "");
    client_text(other, "a\n");
    client_wait(other, "reply 1");
    client_close(c);
    client_close(other);
}

static void wakes_and_silence(void **unused) {
    (void)unused;
    int c = client_open("fake.lines");
    client_text(c, "wake\n");
    client_wait(c, "time\n");
    fake.skew_ns += 6 * SYS_NANOS_PER_S;
    assert_string_equal(client_wait(c, NULL), "");
    client_close(c);
}

static void what_comes_behind_a_pause_is_heard_after_it_and_nothing_new_need_come(void **unused) {
    (void)unused;
    int c = client_open("fake.lines");
    client_text(c, "a\npause\nbb\nccc\nscratch\n");
    assert_string_equal(client_wait(c, "reply 3 0 200\n"), "reply 1 0 200\ntime\ny\nreply 2 0 200\nreply 3 0 200\n");
    /* A client that says its last words in a pause is heard to the end too. */
    client_text(c, "pause\nfour\n");
    shutdown(c, SHUT_WR);
    client_wait(c, NULL);
    assert_int_equal(fake.command_count, 4);
    client_close(c);
}

static void closing_sends_what_is_queued_first(void **unused) {
    (void)unused;
    int c = client_open("fake.lines");
    client_text(c, "a\n");
    client_wait(c, "reply 1");
    client_text(c, "close\n");
    assert_string_equal(client_wait(c, NULL), "");
    client_close(c);
    assert_int_equal(fake.forgotten, 1);
}

static void last_words_that_meet_a_full_queue_are_said_later(void **unused) {
    (void)unused;
    fake.says_bye = fake.full = true;
    int c = client_open("fake.lines");
    for (int i = 0; i < 5; i++)
        fake_step();
    assert_int_equal(edge_connections(fake.edge), 1);
    client_close(c);
    for (int i = 0; i < 20; i++)
        fake_step();
    assert_true(fake.byes_refused > 1);
    assert_int_equal(fake.command_count, 0);
    assert_int_equal(fake.forgotten, 1);
    /* The slot is not given to anybody else meanwhile, and others are served. */
    int other = client_open("fake.lines");
    fake.full = false;
    client_text(other, "abc\n");
    client_wait(other, "reply 3");
    for (int i = 0; i < 5; i++)
        fake_step();
    assert_int_equal(fake.command_count, 2);
    assert_int_equal(fake.commands[0].type + fake.commands[1].type, 7 + 8);
    assert_int_equal(edge_connections(fake.edge), 1);
    /* A node that stops does not wait for it. */
    fake.full = true;
    client_close(other);
}

/* ---- WebSocket ---- */

static int chat(void) {
    int c = client_open("http");
    client_text(c, "GET /v1/fake/chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    const char *got = client_wait(c, "\r\n\r\n");
    assert_non_null(strstr(got, "101 Switching Protocols"));
    assert_non_null(strstr(got, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    return c;
}

static void frame(int c, enum weir_ws_opcode opcode, const char *payload, bool masked) {
    uint8_t out[2100];
    static const uint8_t mask[4] = {1, 2, 3, 4};
    size_t size;
    assert_int_equal(
        weir_ws_frame_write(out, sizeof out, opcode, true, weir_slice_text(payload), masked ? mask : NULL, &size),
        WEIR_OK);
    client_send(c, out, size);
}

static void messages_pings_and_records(void **unused) {
    (void)unused;
    int c = chat();
    assert_int_equal(fake.subscriptions, 1);
    assert_int_equal(fake.subscriber.subscription, 5);
    frame(c, WEIR_WS_TEXT, "hello", true);
    assert_string_equal(client_wait(c, "hello"), "\x81\x05hello");
    frame(c, WEIR_WS_BINARY, "bin", true);
    assert_string_equal(client_wait(c, "bin"), "\x82\x03"
                                               "bin");
    frame(c, WEIR_WS_PING, "p1", true);
    assert_string_equal(client_wait(c, "p1"), "\x8a\x02"
                                              "p1");
    fake_record(77, "news");
    assert_string_equal(client_wait(c, "news"), "\x81\x10record 5 77 news");
    frame(c, WEIR_WS_CLOSE,
        "\x03\xe8"
        "bye",
        true);
    const char *got = client_wait(c, NULL);
    assert_memory_equal(got, "\x88\x02\x03\xe8", 4);
    client_close(c);
    assert_int_equal(fake.forgotten, 1);
}

static void a_message_behind_the_upgrade_in_one_segment_is_heard(void **unused) {
    (void)unused;
    int c = client_open("http");
    client_text(c, "GET /v1/fake/chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                   "\x81\x82\x01\x01\x01\x01hi"); /* "hi" masked with 1s */
    client_wait(c, "\x81\x02ih");
    client_close(c);
}

static void broken_frames_close_with_a_code(void **unused) {
    (void)unused;
    int c = chat();
    frame(c, WEIR_WS_TEXT, "not masked", false);
    assert_memory_equal(client_wait(c, NULL), "\x88", 1);
    client_close(c);
    c = chat();
    char big[2000];
    memset(big, 'z', sizeof big);
    big[1999] = 0;
    frame(c, WEIR_WS_TEXT, big, true);
    const char *got = client_wait(c, NULL);
    assert_memory_equal(got, "\x88", 1);
    assert_memory_equal(got + 2, "\x03\xf1", 2); /* 1009 */
    client_close(c);
}

static void a_handshake_that_is_not_one_is_refused(void **unused) {
    (void)unused;
    int c = client_open("http");
    client_text(c, "GET /v1/fake/chat HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_non_null(strstr(client_wait(c, "}"), " 426 "));
    client_text(c, "GET /v1/fake/chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n");
    assert_non_null(strstr(client_wait(c, "}"), " 400 "));
    client_text(c, "GET /v1/topics/none/tail HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    assert_non_null(strstr(client_wait(c, NULL), "there is no such topic"));
    client_close(c);
}

/* ---- routing table ---- */

static void literals_win_over_parameters_and_doubles_are_refused(void **unused) {
    (void)unused;
    struct routes *routes = calloc(1, sizeof *routes);
    struct route_match m;
    routes_init(routes);
    const struct {
        const char *method, *path;
    } rows[] = {{"GET", "/a/{x}/c"}, {"GET", "/a/b/{y}"}, {"GET", "/a/b"}, {"POST", "/a/{x}"}, {"GET", "/"}};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(
            routes_add(routes, &(struct route){.path = rows[i].path, .access = ROUTE_OPEN}, rows[i].method), WEIR_OK);
    const struct {
        enum weir_http_method method;
        const char *path, *template;
    } asks[] = {{WEIR_HTTP_GET, "/a/b/c", "/a/b/{y}"}, {WEIR_HTTP_GET, "/a/q/c", "/a/{x}/c"},
        {WEIR_HTTP_HEAD, "/a/b", "/a/b"}, {WEIR_HTTP_POST, "/a/q", "/a/{x}"}, {WEIR_HTTP_GET, "/", "/"}};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(routes_match(routes, asks[i].method, weir_slice_text(asks[i].path), &m), ROUTE_FOUND);
        assert_string_equal(m.route->path, asks[i].template);
    }
    assert_int_equal(routes_match(routes, WEIR_HTTP_GET, weir_slice_text("/a/q/d"), &m), ROUTE_NONE);
    assert_int_equal(routes_match(routes, WEIR_HTTP_GET, weir_slice_text("/a//c"), &m), ROUTE_NONE);
    assert_int_equal(routes_match(routes, WEIR_HTTP_GET, weir_slice_text("/a/b/c/"), &m), ROUTE_NONE);
    assert_int_equal(routes_match(routes, WEIR_HTTP_DELETE, weir_slice_text("/a/q"), &m), ROUTE_OTHER_METHOD);
    const struct {
        struct route route;
        const char *method;
    } bad[] = {{{.path = "/a/{other}", .access = ROUTE_OPEN}, "POST"}, {{.path = "a", .access = ROUTE_OPEN}, "GET"},
        {{.path = "/x", .access = ROUTE_OPEN}, "BREW"}, {{.path = "/unsaid"}, "GET"}};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(bad); i++)
        assert_int_equal(routes_add(routes, &bad[i].route, bad[i].method), WEIR_E_CONFIG);
    free(routes);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(lines_in_one_write_become_commands_and_replies_come_back),
        T(a_full_host_stops_the_reading_and_loses_nothing),
        T(a_client_that_does_not_read_is_closed_as_a_slow_consumer),
        T(a_line_without_end_closes_only_its_connection),
        T(wakes_and_silence),
        T(what_comes_behind_a_pause_is_heard_after_it_and_nothing_new_need_come),
        T(closing_sends_what_is_queued_first),
        T(last_words_that_meet_a_full_queue_are_said_later),
        T(messages_pings_and_records),
        T(a_message_behind_the_upgrade_in_one_segment_is_heard),
        T(broken_frames_close_with_a_code),
        T(a_handshake_that_is_not_one_is_refused),
        cmocka_unit_test(literals_win_over_parameters_and_doubles_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
