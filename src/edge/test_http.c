/* HTTP sessions over real sockets and a fake host: what a client may rely on. */
#include "test_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

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

static void post(int c, const char *path, const char *headers, const char *body) {
    char text[4096];
    snprintf(text, sizeof text, "POST %s HTTP/1.1\r\nHost: a\r\n%sContent-Length: %zu\r\n\r\n%s", path, headers,
        strlen(body), body);
    client_text(c, text);
}

static void expect(const char *got, const char *what) {
    if (!strstr(got, what)) fail_msg("no '%s' in: %.2000s", what, got);
}

static void refuse(const char *got, const char *what) {
    if (strstr(got, what)) fail_msg("there is '%s' in: %.2000s", what, got);
}

static void a_command_goes_to_the_host_and_its_reply_comes_back_as_json(void **unused) {
    (void)unused;
    int c = client_open("http");
    post(c, "/v1/fake/items", "", "{\"id\":\"7\",\"text\":\"abc\"}");
    const char *got = client_wait(c, "}");
    expect(got, "HTTP/1.1 200 OK\r\n");
    expect(got, "Content-Type: application/json\r\n");
    expect(got, "{\"id\":\"7\",\"offset\":\"0\",\"text\":\"abc\",\"reason\":0}");
    expect(got, "X-Request-Id: ");
    expect(got, "Date: ");
    assert_int_equal(fake.commands[0].type, 3);
    assert_int_equal(fake.commands[0].partition, 'a' % 4);
    client_close(c);
}

static void pipelined_answers_keep_the_order_of_their_requests(void **unused) {
    (void)unused;
    int c = client_open("http");
    fake.manual = true;
    for (int i = 0; i < 5; i++) {
        char body[64];
        snprintf(body, sizeof body, "{\"id\":%d}", i);
        post(c, "/v1/fake/items", "", body);
    }
    while (fake.command_count < 5)
        fake_step();
    fake_finish(4, WEIR_OK, 200, false);
    fake_finish(2, WEIR_OK, 200, false);
    fake_finish(0, WEIR_OK, 200, false);
    fake_finish(1, WEIR_OK, 200, false);
    fake_finish(3, WEIR_OK, 200, false);
    const char *got = client_wait_count(c, "\"reason\"", 5), *at = got;
    for (int i = 0; i < 5; i++) {
        char want[32];
        snprintf(want, sizeof want, "{\"id\":\"%d\"", i);
        at = strstr(at, want);
        if (!at) fail_msg("%s is out of order in %s", want, got);
    }
    client_close(c);
}

static void a_read_waits_for_the_writes_before_it_on_its_connection(void **unused) {
    (void)unused;
    int c = client_open("http");
    fake.manual = true;
    post(c, "/v1/fake/items", "", "{\"id\":1}");
    client_text(c, GET("/v1/fake/items/1"));
    for (int i = 0; i < 20; i++)
        fake_step();
    assert_int_equal(fake.command_count, 1);
    fake_finish(0, WEIR_OK, 200, false);
    while (fake.command_count < 2)
        fake_step();
    assert_true(fake.commands[1].is_query);
    fake_finish(1, WEIR_OK, 200, false);
    client_wait_count(c, "\"reason\"", 2);
    client_close(c);
}

static void more_than_a_ring_of_pipelined_requests_all_get_answers(void **unused) {
    (void)unused;
    int c = client_open("http");
    char all[200 * 40];
    size_t n = 0;
    for (int i = 0; i < 200; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, GET("/healthz"));
    client_send(c, all, n);
    client_wait_count(c, "ok\n", 200);
    n = 0;
    char *commands = malloc(100000);
    for (int i = 0; i < 200; i++)
        n += (size_t)snprintf(commands + n, 100000 - n, "DELETE /v1/fake/items/%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
    client_send(c, commands, n);
    free(commands);
    const char *got = client_wait_count(c, "\"reason\"", 200);
    expect(got, "{\"id\":\"199\"");
    client_close(c);
}

static void a_request_a_byte_at_a_time_is_the_same_request(void **unused) {
    (void)unused;
    int c = client_open("http");
    const char *text = "POST /v1/fake/items HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                       "chunked\r\n\r\n5\r\n{\"id\"\r\n4\r\n:42}\r\n0\r\n\r\n";
    for (const char *t = text; *t; t++) {
        client_send(c, t, 1);
        fake_step();
    }
    expect(client_wait(c, "\"reason\""), "{\"id\":\"42\"");
    client_close(c);
}

static void head_has_the_length_and_no_body(void **unused) {
    (void)unused;
    int c = client_open("http");
    client_text(c, "HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n" GET("/healthz"));
    const char *got = client_wait(c, "ok\n");
    expect(got, "Content-Length: 3\r\n");
    refuse(strstr(got, "\r\n\r\n") + 4 - 1, "\nok\nHTTP");
    assert_memory_equal(strstr(got, "\r\n\r\n") + 4, "HTTP/1.1 200", 12);
    client_close(c);
}

static void methods_and_paths_that_are_not_there_say_what_is(void **unused) {
    (void)unused;
    int c = client_open("http");
    client_text(c, "OPTIONS /v1/fake/items/3 HTTP/1.1\r\nHost: a\r\n\r\n");
    const char *got = client_wait(c, "\r\n\r\n");
    expect(got, "204 No Content");
    expect(got, "Allow: GET, HEAD, DELETE, OPTIONS\r\n");
    client_text(c, "PATCH /v1/fake/items HTTP/1.1\r\nHost: a\r\n\r\n");
    got = client_wait(c, "}");
    expect(got, "405 Method Not Allowed");
    expect(got, "Allow: POST, OPTIONS\r\n");
    client_text(c, GET("/v1/fake/itens"));
    got = client_wait(c, "}");
    expect(got, "404 Not Found");
    expect(got, "application/problem+json");
    expect(got, "did you mean /v1/fake/items?");
    expect(got, "\"type\":\"urn:weir:error:not_found\"");
    client_close(c);
}

static void bad_requests_get_a_problem_that_names_the_mistake(void **unused) {
    (void)unused;
    int c = client_open("http");
    const struct {
        const char *path, *headers, *body, *status, *says;
    } rows[] = {
        {"/v1/fake/items", "", "{\"idd\":1}", " 400 ", "did you mean id?"},
        {"/v1/fake/items", "", "{\"id\":-1}", " 400 ", "field id"},
        {"/v1/fake/items", "", "{", " 400 ", "JSON"},
        {"/v1/fake/items?texd=1", "", "{}", " 400 ", "query parameter"},
        {"/v1/fake/items?text=%ff", "", "{}", " 400 ", ""},
        {"/v1/fake/items?id=1", "", "{\"id\":1}", " 400 ", "given twice"},
        {"/v1/fake/items", "Content-Type: text/plain\r\n", "{}", " 415 ", "application/json"},
        {"/v1/fake/items", "Idempotency-Key: \r\n", "{}", " 400 ", "Idempotency-Key"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        post(c, rows[i].path, rows[i].headers, rows[i].body);
        const char *got = client_wait(c, "}");
        expect(got, rows[i].status);
        expect(got, rows[i].says);
        expect(got, "\"requestId\"");
    }
    assert_int_equal(fake.command_count, 0);
    client_close(c);
}

static void a_refusal_names_the_services_reason(void **unused) {
    (void)unused;
    int c = client_open("http");
    post(c, "/v1/fake/items", "", "{\"id\":3,\"status\":409}");
    const char *got = client_wait(c, "}}");
    expect(got, "HTTP/1.1 409 Conflict");
    expect(got, "\"code\":\"no_stock\"");
    expect(got, "\"title\":\"there is nothing left\"");
    expect(got, "\"response\":{\"id\":\"3\"");
    client_close(c);
}

static void the_hosts_errors_become_statuses(void **unused) {
    (void)unused;
    int c = client_open("http");
    fake.manual = true;
    const struct {
        enum weir_error error;
        const char *status, *code;
    } rows[] = {{WEIR_E_KEY_REUSED, " 422 ", "KEY_REUSED"}, {WEIR_E_PARKED, " 503 ", "PARKED"},
        {WEIR_E_TIMEOUT, " 504 ", "TIMEOUT"}};
    for (uint32_t i = 0; i < 3; i++) {
        post(c, "/v1/fake/items", "", "{}");
        while (fake.command_count <= i)
            fake_step();
        fake_finish(i, rows[i].error, 0, false);
        const char *got = client_wait(c, "}");
        expect(got, rows[i].status);
        expect(got, rows[i].code);
        expect(got, "said the host");
    }
    fake.full = true;
    post(c, "/v1/fake/items", "", "{}");
    const char *got = client_wait(c, "}");
    expect(got, " 503 ");
    expect(got, "Retry-After: 1\r\n");
    client_close(c);
}

static void an_idempotency_key_covers_the_body(void **unused) {
    (void)unused;
    int c = client_open("http");
    fake.manual = true;
    post(c, "/v1/fake/items", "Idempotency-Key: k1\r\n", "{\"id\":1}");
    post(c, "/v1/fake/items", "Idempotency-Key: k1\r\n", "{\"id\":1}");
    post(c, "/v1/fake/items", "Idempotency-Key: k1\r\n", "{\"id\":2}");
    while (fake.command_count < 3)
        fake_step();
    assert_true(fake.commands[0].hash != 0);
    assert_true(fake.commands[0].hash == fake.commands[1].hash);
    assert_true(fake.commands[0].hash != fake.commands[2].hash);
    fake_finish(0, WEIR_OK, 200, false);
    refuse(client_wait(c, "}"), "Idempotency-Replayed");
    fake_finish(1, WEIR_OK, 200, true);
    expect(client_wait(c, "}"), "Idempotency-Replayed: true\r\n");
    fake_finish(2, WEIR_E_KEY_REUSED, 0, false);
    expect(client_wait(c, "}"), " 422 ");
    client_close(c);
}

static void limits_answer_and_close(void **unused) {
    (void)unused;
    const struct {
        const char *head, *status;
    } rows[] = {
        {"POST /v1/fake/items HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n", " 413 "},
        {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", " 505 "},
        {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", " 501 "},
        {"GET / HTTP/1.1\r\n\r\n", " 400 "},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", " 400 "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int c = client_open("http");
        client_text(c, rows[i].head);
        const char *got = client_wait(c, NULL);
        expect(got, rows[i].status);
        expect(got, "Connection: close");
        client_close(c);
    }
    int c = client_open("http");
    char *much = malloc(20000);
    memset(much, 'a', 20000);
    memcpy(much, "GET / HTTP/1.1\r\nHost: a\r\nX: ", 28);
    client_send(c, much, 20000);
    expect(client_wait(c, NULL), " 431 ");
    client_close(c);
    memcpy(much, "GET /", 5);
    memset(much + 5, 'a', 19000);
    c = client_open("http");
    client_send(c, much, 20000);
    const char *got = client_wait(c, NULL);
    if (!strstr(got, " 414 ") && !strstr(got, " 431 ")) fail_msg("%s", got);
    client_close(c);
    free(much);
}

static void expect_continue_is_answered_before_the_body(void **unused) {
    (void)unused;
    int c = client_open("http");
    client_text(c, "POST /v1/fake/items HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n");
    expect(client_wait(c, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client_text(c, "{\"id\":5}");
    expect(client_wait(c, "}"), "{\"id\":\"5\"");
    client_text(c, "POST /v1/nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n");
    expect(client_wait(c, NULL), " 404 ");
    client_close(c);
}

static void idle_and_slow_clients_are_let_go(void **unused) {
    (void)unused;
    int idle = client_open("http"), slow = client_open("http"), waiting = client_open("http");
    fake.manual = true;
    client_text(slow, "GET /heal");
    post(waiting, "/v1/fake/items", "", "{}");
    while (fake.command_count < 1)
        fake_step();
    fake.skew_ns += 30 * SYS_NANOS_PER_S;
    client_text(slow, "t"); /* a byte now and then does not buy more time */
    fake_step();
    fake.skew_ns += 31 * SYS_NANOS_PER_S;
    expect(client_wait(slow, NULL), " 408 ");
    assert_string_equal(client_wait(idle, NULL), "");
    fake_finish(0, WEIR_OK, 200, false); /* who waits for us is not idle */
    expect(client_wait(waiting, "}"), " 200 ");
    client_close(idle);
    client_close(slow);
    client_close(waiting);
}

static void a_client_that_never_reads_holds_little_and_is_closed(void **unused) {
    (void)unused;
    int c = client_open("http");
    char all[100 * 50];
    size_t n = 0;
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, GET("/openapi.json"));
    for (int i = 0; i < 40; i++) { /* far more than the socket's buffers hold */
        if (write(c, all, n) < 0) break;
        for (int k = 0; k < 20; k++)
            fake_step();
    }
    assert_int_equal(edge_connections(fake.edge), 1);
    fake.skew_ns += 61 * SYS_NANOS_PER_S;
    for (int i = 0; i < 50; i++)
        fake_step();
    assert_int_equal(edge_connections(fake.edge), 0);
    close(c);
}

static void connections_beyond_the_limit_are_told_so(void **unused) {
    (void)unused;
    fake_close();
    fake_open(2, 0, NULL);
    int a = client_open("http"), b = client_open("http"), d = client_open("http");
    const char *got = client_wait(d, NULL);
    expect(got, " 503 ");
    expect(got, "Retry-After: 1\r\n");
    const char *body = strstr(got, "\r\n\r\n") + 4;
    assert_int_equal(strlen(body), strtoul(strstr(got, "Content-Length: ") + 16, NULL, 10));
    client_close(a);
    client_close(d);
    int e = client_open("http");
    client_text(e, GET("/healthz"));
    client_wait(e, "ok\n");
    client_close(b);
    client_close(e);
}

static void draining_answers_what_is_under_way_and_then_closes(void **unused) {
    (void)unused;
    int idle = client_open("http"), busy = client_open("http");
    fake.manual = true;
    post(busy, "/v1/fake/items", "", "{\"id\":9}");
    while (fake.command_count < 1)
        fake_step();
    edge_drain(fake.edge);
    assert_string_equal(client_wait(idle, NULL), "");
    fake_finish(0, WEIR_OK, 200, false);
    const char *got = client_wait(busy, NULL);
    expect(got, "{\"id\":\"9\"");
    expect(got, "Connection: close");
    client_close(idle);
    client_close(busy);
    assert_int_equal(edge_connections(fake.edge), 0);
}

static void a_client_that_goes_away_is_forgotten_and_late_answers_find_nobody(void **unused) {
    (void)unused;
    int c = client_open("http");
    fake.manual = true;
    post(c, "/v1/fake/items", "", "{}");
    while (fake.command_count < 1)
        fake_step();
    client_close(c);
    /* The half-closed client could still read: its answer is under way, and only then is the connection gone. */
    fake_finish(0, WEIR_OK, 200, false);
    for (int i = 0; i < 10; i++)
        fake_step();
    assert_int_equal(fake.forgotten, 1);
    fake_finish(0, WEIR_OK, 200, false); /* a second time: the slot's generation has moved on */
    int d = client_open("http");
    client_text(d, GET("/healthz"));
    client_wait(d, "ok\n");
    client_close(d);
}

static void the_pages_of_the_node_are_served(void **unused) {
    (void)unused;
    int c = client_open("http");
    client_text(c, GET("/metrics"));
    const char *got = client_wait(c, "weir_http_requests_total{lane=\"0\"} 1");
    expect(got, "text/plain; version=0.0.4");
    client_text(c, GET("/v1/node"));
    got = client_wait(c, "\"recovery\":{");
    expect(got, "\"version\":\"1.2.3\"");
    expect(got, "\"lag\":1");
    client_text(c, GET("/"));
    expect(client_wait(c, "</html>"), "text/html");
    client_text(c, GET("/openapi.json"));
    got = client_wait(c, "#/components/schemas/Problem\"}}}}}}}");
    expect(got, "\"/v1/fake/items/{id}\"");
    expect(got, "no_stock: there is nothing left");
    fake.is_ready = false;
    client_text(c, GET("/readyz"));
    expect(client_wait(c, "}"), " 503 ");
    client_text(c, GET("/v1/services/fakw"));
    expect(client_wait(c, "}"), "did you mean fake?");
    client_text(c, GET("/v1/errors"));
    client_wait(c, "\"errors\":[");
    client_close(c);
}

static void http_1_0_and_connection_close_end_the_connection(void **unused) {
    (void)unused;
    int c = client_open("http");
    client_text(c, "GET /healthz HTTP/1.0\r\n\r\n" GET("/healthz"));
    const char *got = client_wait(c, NULL);
    expect(got, "ok\n");
    refuse(strstr(got, "ok\n") + 3, "HTTP");
    client_close(c);
}

static void web_pages_of_other_origins_are_kept_out(void **unused) {
    (void)unused;
    int c = client_open("http");
    const struct {
        const char *head, *status;
    } rows[] = {
        {"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", " 421 "},
        {"GET /healthz HTTP/1.1\r\nHost: 1.evil.example:80\r\n\r\n", " 421 "},
        {"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:70\r\n\r\n", " 200 "},
        {"GET /healthz HTTP/1.1\r\nHost: a.localhost:70\r\n\r\n", " 200 "},
        {"GET /healthz HTTP/1.1\r\nHost: [::1]:70\r\nOrigin: http://evil.example\r\n\r\n", " 200 "},
        {"DELETE /v1/fake/items/1 HTTP/1.1\r\nHost: localhost:70\r\nOrigin: http://evil.example\r\n\r\n", " 403 "},
        {"DELETE /v1/fake/items/1 HTTP/1.1\r\nHost: localhost:70\r\nOrigin: null\r\n\r\n", " 403 "},
        {"DELETE /v1/fake/items/1 HTTP/1.1\r\nHost: localhost:70\r\nOrigin: http://localhost:70\r\n\r\n", " 200 "},
        {"GET /v1/fake/chat HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            " 403 "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        client_text(c, rows[i].head);
        expect(client_wait(c, "\r\n\r\n"), rows[i].status);
        for (int k = 0; k < 3; k++)
            fake_step();
    }
    client_close(c);
}

static void http_1_0_clients_are_told_that_the_connection_stays(void **unused) {
    (void)unused;
    int c = client_open("http");
    client_text(c, "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect(client_wait(c, "ok\n"), "Connection: keep-alive\r\n");
    client_text(c, GET("/healthz"));
    refuse(client_wait(c, "ok\n"), "Connection:");
    client_close(c);
}

static void a_request_id_of_the_client_is_kept_when_it_is_plain(void **unused) {
    (void)unused;
    int c = client_open("http");
    client_text(c, "GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: my-id.7\r\n\r\n");
    expect(client_wait(c, "ok\n"), "X-Request-Id: my-id.7\r\n");
    client_text(c, "GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: a b\r\n\r\n");
    refuse(client_wait(c, "ok\n"), "a b");
    client_close(c);
}

static void backups_are_told_and_asked_for(void **unused) {
    (void)unused;
    int c = client_open("http");
    client_text(c, GET("/v1/backup"));
    assert_non_null(strstr(client_wait(c, "backup.to"), "404"));
    edge_set_backup(fake.edge, (struct backup_agent *)&fake.backup); /* the fake's is never looked into */
    client_text(c, GET("/v1/backup"));
    assert_non_null(strstr(client_wait(c, "\"last\":null"), "\"rpoSeconds\":null,\"cutUnixMs\":null"));
    fake.backup = (struct backup_facts){.to = "s3://b",
        .finished = 3,
        .cut_ms = 1000,
        .rpo_ns = 2 * SYS_NANOS_PER_S,
        .failed = 1,
        .failure = "no \"way\"",
        .verified_ms = 77,
        .last = {.id = "an-id", .bytes = 9, .bytes_new = 4}};
    client_text(c, GET("/v1/node"));
    const char *answer = client_wait(c, "\"bytesNew\":4");
    assert_non_null(strstr(answer, "\"rpoSeconds\":2"));
    assert_non_null(strstr(answer, "\"failure\":\"no \\\"way\\\"\""));
    assert_non_null(strstr(answer, "\"verifiedRestoreUnixMs\":77"));
    client_text(c, "POST /v1/backup HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_non_null(strstr(client_wait(c, "{\"number\":1}"), "202"));
    client_text(c, GET("/metrics"));
    client_wait(c, "200");
    assert_int_equal(fake.backups_refreshed, 1);
    client_close(c);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_command_goes_to_the_host_and_its_reply_comes_back_as_json),
        T(pipelined_answers_keep_the_order_of_their_requests),
        T(a_read_waits_for_the_writes_before_it_on_its_connection),
        T(more_than_a_ring_of_pipelined_requests_all_get_answers),
        T(a_request_a_byte_at_a_time_is_the_same_request),
        T(backups_are_told_and_asked_for),
        T(head_has_the_length_and_no_body),
        T(methods_and_paths_that_are_not_there_say_what_is),
        T(bad_requests_get_a_problem_that_names_the_mistake),
        T(a_refusal_names_the_services_reason),
        T(the_hosts_errors_become_statuses),
        T(an_idempotency_key_covers_the_body),
        T(limits_answer_and_close),
        T(expect_continue_is_answered_before_the_body),
        T(idle_and_slow_clients_are_let_go),
        T(a_client_that_never_reads_holds_little_and_is_closed),
        T(connections_beyond_the_limit_are_told_so),
        T(draining_answers_what_is_under_way_and_then_closes),
        T(a_client_that_goes_away_is_forgotten_and_late_answers_find_nobody),
        T(the_pages_of_the_node_are_served),
        T(http_1_0_and_connection_close_end_the_connection),
        T(web_pages_of_other_origins_are_kept_out),
        T(http_1_0_clients_are_told_that_the_connection_stays),
        T(a_request_id_of_the_client_is_kept_when_it_is_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
