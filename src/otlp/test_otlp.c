/* The exporter against a collector that the test plays, on the simulator's clock; and what settings say of it. */
#include "http_client/caller.h"
#include "otlp.pb-c.h"
#include "otlp/agent.h"
#include "otlp/answer.h"
#include "otlp/batch.h"
#include "sys/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define must(call)                                                                                                     \
    do {                                                                                                               \
        enum weir_error must_error_ = (call);                                                                          \
        if (must_error_ != WEIR_OK) fail_msg("%s: %s: %s", #call, weir_error_name(must_error_), weir_error_text());    \
    } while (0)

/* What the collector does with the next calls; the last one stays. */
struct plan {
    enum weir_error error;
    int status;
    uint64_t after_ms; /* Retry-After; 0: none */
    uint32_t rejected; /* partial success */
    bool hangs;        /* for as long as it is waited for */
};
struct world {
    struct http_caller caller; /* first: a caller is one of these */
    struct sys *sys;
    struct settings *settings;
    struct otlp_agent *agent;
    struct tracer *tracer;
    struct metric_registry metrics;
    struct plan plans[8];
    size_t plan, calls;
    uint64_t called_ns[64];
    char url[OTLP_URL_MAX], authorization[64];
    size_t spans, last_spans; /* taken; of the last call */
    char names[8][64];        /* of the last call's first spans */
    char reports[8][512];
    size_t report_count;
};

static void read_body(struct world *w, struct weir_slice body) {
    Otlp__ExportRequest *r = otlp__export_request__unpack(NULL, body.size, body.data);
    assert_non_null(r);
    assert_int_equal(r->n_resource_spans, 1);
    const Otlp__ScopeSpans *of = r->resource_spans[0]->scope_spans[0];
    w->last_spans = of->n_spans;
    for (size_t i = 0; i < of->n_spans && i < 8; i++)
        snprintf(w->names[i], sizeof w->names[i], "%s", of->spans[i]->name);
    otlp__export_request__free_unpacked(r, NULL);
}

static enum weir_error answer_partially(uint32_t rejected, http_body_fn body, void *ctx) {
    Otlp__ExportResponse response = OTLP__EXPORT_RESPONSE__INIT;
    Otlp__PartialSuccess partial = OTLP__PARTIAL_SUCCESS__INIT;
    uint8_t bytes[128];
    partial.rejected_spans = rejected;
    partial.error_message = (char *)(uintptr_t) "too\nold";
    response.partial_success = &partial;
    return body(ctx, weir_slice(bytes, otlp__export_response__pack(&response, bytes)));
}

static enum weir_error call(struct http_caller *caller, const struct http_request *request, http_body_fn body,
    void *body_ctx, const _Atomic bool *stop, struct http_reply *ret_reply) {
    struct world *w = (struct world *)caller;
    const struct plan *p = &w->plans[w->plan];
    (void)stop;
    if (p[1].status || p[1].error) w->plan++;
    assert_true(w->calls < 64);
    w->called_ns[w->calls++] = sys_sim_elapsed_ns(w->sys);
    snprintf(w->url, sizeof w->url, "%s", request->url);
    w->authorization[0] = 0;
    for (size_t i = 0; i < request->header_count; i++)
        if (strcmp(request->headers[i].name, "Authorization") == 0)
            snprintf(w->authorization, sizeof w->authorization, "%s", request->headers[i].value);
    read_body(w, request->body);
    *ret_reply = (struct http_reply){
        .error = p->error, .status = p->status, .retry_after_ms = p->after_ms ? p->after_ms : HTTP_RETRY_AFTER_NONE};
    if (p->hangs) sys_sim_advance(w->sys, request->total_ms * SYS_NANOS_PER_MS);
    if (p->error) return weir_error_context(p->error, "nobody answers");
    if (p->status == 200) w->spans += w->last_spans - p->rejected;
    return p->rejected ? answer_partially(p->rejected, body, body_ctx) : WEIR_OK;
}

static void report(void *ctx, bool failed, const char *sentence) {
    struct world *w = ctx;
    assert_true(w->report_count < 8);
    snprintf(w->reports[w->report_count++], sizeof w->reports[0], "%s%s", failed ? "failed: " : "", sentence);
}

static void set(struct world *w, const char *key, const char *value) {
    must(settings_set(w->settings, key, value, "test"));
}

static void world_open(struct world *w, const struct plan *plans, size_t count) {
    static const struct weir_service *const none[] = {NULL};
    const struct sys_sim_plan plan = {.seed = 1};
    memset(w, 0, sizeof *w);
    w->caller.call = call;
    memcpy(w->plans, plans, count * sizeof *plans);
    must(sys_sim_new(&plan, &w->sys));
    must(settings_new(none, &w->settings));
    set(w, "trace.endpoint", "http://collector:4318");
    set(w, "trace.ratio", "1");
    set(w, "trace.gzip", "false");
    set(w, "trace.queue_bytes", "64KB");
    const struct otlp_agent_options options = {.sys = w->sys,
        .settings = w->settings,
        .lanes = 2,
        .env_headers = "Authorization=Bearer%20secret",
        .metrics = &w->metrics,
        .caller = &w->caller,
        .report = report,
        .report_ctx = w};
    must(otlp_agent_open(&options, &w->agent));
    w->tracer = otlp_agent_tracer(w->agent);
    must(otlp_agent_start(w->agent));
}

static void world_close(struct world *w) {
    otlp_agent_close(w->agent);
    settings_free(w->settings);
    sys_sim_free(w->sys);
}

static uint64_t metric(const struct world *w, const char *name, const char *labels) {
    for (uint32_t i = 0; i < w->metrics.count; i++)
        if (strcmp(w->metrics.rows[i].name, name) == 0 && strcmp(w->metrics.rows[i].labels, labels) == 0)
            return metric_get(w->metrics.rows[i].metric);
    fail_msg("there is no %s{%s}", name, labels);
    return 0;
}
#define DROPPED(w, why) metric(w, "weir_trace_spans_dropped_total", why)

/* A request and its record: six spans. */
static void trace_one(struct world *w, uint32_t lane_index) {
    struct trace_lane *lane = trace_lane(w->tracer, lane_index);
    const struct trace_headers headers = {.parents = 0};
    struct trace_request *r = trace_request_begin(lane, &headers, 1000);
    assert_non_null(r);
    r->method = "POST";
    r->route = "/v1/x";
    r->status = 201;
    const struct trace_record record = {
        .cause = r->link, .service = "x", .topic = "x.in", .appended_ns = 1, .apply_ns = 2};
    trace_record(lane, &record);
    trace_request_end(lane, r, 2000);
}

static void run(struct world *w, uint64_t ms) {
    for (uint64_t i = 0; i < ms; i += 10) {
        sys_sim_run(w->sys, 4);
        sys_sim_advance(w->sys, 10 * SYS_NANOS_PER_MS);
    }
    sys_sim_run(w->sys, 4);
}

static void spans_leave_together_when_the_first_has_waited_long_enough(void **state) {
    (void)state;
    struct world w;
    world_open(&w, (const struct plan[]){{.status = 200}}, 1);
    trace_one(&w, 0);
    run(&w, 500);
    trace_one(&w, 1);
    assert_int_equal(w.calls, 0);
    run(&w, 700);
    assert_int_equal(w.calls, 1);
    assert_int_equal(w.spans, 12);
    assert_string_equal(w.url, "http://collector:4318/v1/traces");
    assert_string_equal(w.authorization, "Bearer secret");
    assert_string_equal(w.names[0], "process x.in");
    assert_string_equal(w.names[5], "POST /v1/x");
    run(&w, 5000);
    assert_int_equal(w.calls, 1); /* nothing, nothing is sent */
    assert_int_equal(metric(&w, "weir_trace_spans_exported_total", ""), 12);
    assert_int_equal(metric(&w, "weir_trace_collector_up", ""), 1);
    world_close(&w);
}

static void a_collector_that_is_busy_is_asked_again_when_it_said_and_gets_the_same_spans(void **state) {
    (void)state;
    struct world w;
    world_open(&w, (const struct plan[]){{.status = 429, .after_ms = 3000}, {.status = 503}, {.status = 200}}, 3);
    trace_one(&w, 0);
    run(&w, 3500);
    assert_int_equal(w.calls, 1);
    run(&w, 4000);
    assert_int_equal(w.calls, 3);
    assert_true(w.called_ns[1] - w.called_ns[0] >= 3000 * SYS_NANOS_PER_MS);
    assert_int_equal(w.spans, 6);
    assert_int_equal(metric(&w, "weir_trace_export_retries_total", ""), 2);
    assert_int_equal(w.report_count, 2);
    assert_string_equal(
        w.reports[0], "failed: spans cannot be sent to http://collector:4318/v1/traces: it answered 429");
    assert_string_equal(w.reports[1], "spans are sent to http://collector:4318/v1/traces again; 0 were lost");
    world_close(&w);
}

static void what_a_collector_refuses_is_dropped_counted_and_told_once(void **state) {
    (void)state;
    struct world w;
    world_open(&w, (const struct plan[]){{.status = 400}, {.status = 400}, {.status = 200}}, 3);
    for (int i = 0; i < 3; i++) {
        trace_one(&w, 0);
        run(&w, 1500);
    }
    assert_int_equal(w.calls, 3);
    assert_int_equal(DROPPED(&w, "reason=\"refused\""), 12);
    assert_int_equal(w.report_count, 2);
    assert_string_equal(w.reports[1], "spans are sent to http://collector:4318/v1/traces again; 12 were lost");
    world_close(&w);
}

static void a_collector_that_is_gone_costs_spans_and_no_lane_waits(void **state) {
    (void)state;
    struct world w;
    world_open(&w, (const struct plan[]){{.error = WEIR_E_IO}}, 1);
    for (int i = 0; i < 1000; i++)
        trace_one(&w, 0); /* more than the ring holds */
    uint64_t written = metric(&w, "weir_trace_spans_total", "lane=\"0\"");
    assert_int_equal(written + DROPPED(&w, "lane=\"0\",reason=\"queue_full\""), 6000);
    assert_true(written > 300 && written < 3000);
    run(&w, 60000);
    assert_int_equal(DROPPED(&w, "reason=\"unsent\""), written);
    assert_int_equal(w.calls % OTLP_ATTEMPTS, 0);
    assert_int_equal(w.report_count, 1);
    assert_int_equal(metric(&w, "weir_trace_collector_up", ""), 0);
    world_close(&w);
}

static void spans_that_a_collector_rejects_are_counted_and_its_words_are_told_on_one_line(void **state) {
    (void)state;
    struct world w;
    world_open(&w, (const struct plan[]){{.status = 200, .rejected = 2}}, 1);
    trace_one(&w, 0);
    run(&w, 1500);
    assert_int_equal(metric(&w, "weir_trace_spans_exported_total", ""), 4);
    assert_int_equal(DROPPED(&w, "reason=\"rejected\""), 2);
    assert_string_equal(w.reports[0], "failed: http://collector:4318/v1/traces took 4 spans and rejected 2: too old");
    world_close(&w);
}

static void the_goodbye_sends_what_is_left_and_does_not_wait_for_ever(void **state) {
    (void)state;
    struct world w;
    world_open(&w, (const struct plan[]){{.status = 200}}, 1);
    trace_one(&w, 0);
    trace_one(&w, 1);
    otlp_agent_stop(w.agent);
    assert_int_equal(w.spans, 12);
    world_close(&w);
    world_open(&w, (const struct plan[]){{.error = WEIR_E_TIMEOUT, .hangs = true}}, 1);
    trace_one(&w, 0);
    uint64_t before = sys_sim_elapsed_ns(w.sys);
    otlp_agent_stop(w.agent);
    assert_true(sys_sim_elapsed_ns(w.sys) - before <= OTLP_GOODBYE_NS + 10 * SYS_NANOS_PER_MS);
    assert_int_equal(w.calls, 1);
    assert_int_equal(DROPPED(&w, "reason=\"unsent\""), 6);
    world_close(&w);
}

static void a_reload_sends_what_waits_to_the_new_place_and_may_switch_off(void **state) {
    (void)state;
    struct world w;
    struct otlp_target target;
    world_open(&w, (const struct plan[]){{.error = WEIR_E_IO}, {.status = 200}}, 2);
    trace_one(&w, 0);
    run(&w, 1100);
    assert_int_equal(w.calls, 1);
    set(&w, "trace.endpoint", "https://other/path");
    must(otlp_reload_prepare(w.agent, w.settings, &target));
    otlp_reload_commit(w.agent, &target);
    run(&w, 100);
    assert_int_equal(w.spans, 6);
    assert_string_equal(w.url, "https://other/path");
    trace_one(&w, 0);
    set(&w, "trace.endpoint", "");
    must(otlp_reload_prepare(w.agent, w.settings, &target));
    otlp_reload_commit(w.agent, &target);
    assert_false(trace_is_on(trace_lane(w.tracer, 0)));
    run(&w, 3000);
    assert_int_equal(w.calls, 2);
    assert_int_equal(DROPPED(&w, "reason=\"unsent\""), 6);
    world_close(&w);
}

static void more_spans_than_fit_a_batch_leave_in_several(void **state) {
    (void)state;
    struct world w;
    world_open(&w, (const struct plan[]){{.status = 200}}, 1);
    uint64_t lost = 0;
    for (int i = 0; i < 40; i++) {
        for (int k = 0; k < 40; k++)
            trace_one(&w, (uint32_t)i % 2);
        run(&w, 100);
    }
    run(&w, 1500);
    lost = DROPPED(&w, "lane=\"0\",reason=\"queue_full\"") + DROPPED(&w, "lane=\"1\",reason=\"queue_full\"");
    assert_int_equal(w.spans + lost, 9600);
    assert_int_equal(lost, 0);
    assert_true(w.calls >= 3);
    world_close(&w);
}

/* ---- a span that cannot be text ---- */

static void a_name_that_is_no_text_does_not_cost_the_batch(void **state) {
    (void)state;
    struct world w;
    world_open(&w, (const struct plan[]){{.status = 200}}, 1);
    struct trace_lane *lane = trace_lane(w.tracer, 0);
    const struct trace_headers headers = {.parents = 0};
    struct trace_request *r = trace_request_begin(lane, &headers, 1000);
    r->method = "GET";
    r->status = 500;
    snprintf(r->principal, sizeof r->principal, "CN=\xc3"); /* cut inside of a character */
    snprintf(r->peer, sizeof r->peer, "[::1]:443");
    trace_request_end(lane, r, 900); /* a clock that went back makes no negative span */
    run(&w, 1500);
    assert_int_equal(w.spans, 1);
    assert_string_equal(w.names[0], "GET");
    world_close(&w);
}

/* ---- settings ---- */

struct mistakes {
    char text[512];
    int count;
};
static void mistake(void *ctx, const char *sentence) {
    struct mistakes *m = ctx;
    m->count++;
    snprintf(m->text, sizeof m->text, "%s", sentence);
}

static void a_setting_that_is_wrong_is_named_with_what_to_write(void **state) {
    (void)state;
    static const struct {
        const char *key, *value, *headers, *says;
    } rows[] = {
        {"endpoint", "collector:4318", NULL, "write http://HOST:PORT"},
        {"endpoint", "http://", NULL, "write http://HOST:PORT"},
        {"endpoint", "http://a b", NULL, "write http://HOST:PORT"},
        {"endpoint", "ftp://collector", NULL, "write http://HOST:PORT"},
        {"endpoint", "http://user:word@collector", NULL, "put credentials into the file trace.headers"},
        {"ratio", "1.5", NULL, "from 0 (none) to 1 (all)"},
        {"ratio", "-1", NULL, "from 0 (none) to 1 (all)"},
        {"ratio", "", NULL, "from 0 (none) to 1 (all)"},
        {"ratio", "0.5x", NULL, "from 0 (none) to 1 (all)"},
        {"attributes", "a", NULL, "write name=value"},
        {"attributes", "=b", NULL, "write name=value"},
        {"attributes", "a=%zz", NULL, "write name=value"},
        {"attributes", "a=%00", NULL, "write name=value"},
        {"attributes", "a=%ff", NULL, "write name=value"},
        {"headers", "/nowhere/at/all", NULL, "trace.headers"},
        {"ratio", "1", "Authorization", "OTEL_EXPORTER_OTLP_HEADERS"},
        {"ratio", "1", "a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1", "at most 16"},
        {"ratio", "1", "a b=c", "OTEL_EXPORTER_OTLP_HEADERS"},
        {"ratio", "1", "a=%0d%0ab", "OTEL_EXPORTER_OTLP_HEADERS"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        struct mistakes m = {.count = 0};
        char key[64];
        world_open(&w, (const struct plan[]){{.status = 200}}, 1);
        snprintf(key, sizeof key, "trace.%s", rows[i].key);
        set(&w, key, rows[i].value);
        otlp_check(w.sys, w.settings, rows[i].headers, mistake, &m);
        if (m.count != 1 || !strstr(m.text, rows[i].says))
            fail_msg("%s %s: %d mistakes: %s", rows[i].key, rows[i].value, m.count, m.text);
        world_close(&w);
    }
}

static void put_file(struct world *w, const char *path, const char *text) {
    must(sys_replace_file(w->sys, path, weir_slice_text(text)));
}

static void settings_are_read_as_they_are_meant(void **state) {
    (void)state;
    struct world w;
    struct otlp_target t;
    world_open(&w, (const struct plan[]){{.status = 200}}, 1);
    set(&w, "trace.endpoint", "https://collector/");
    set(&w, "trace.attributes", " deployment.environment = prod ,, host=a%2cb ");
    put_file(&w, "headers", "Authorization: Bearer x\r\n\nX-Scope-OrgID: 7 \n");
    set(&w, "trace.headers", "headers");
    must(otlp_target_read(w.sys, w.settings, "ignored=1", &t));
    assert_string_equal(t.url, "https://collector/v1/traces");
    assert_int_equal(t.attribute_count, 2);
    assert_string_equal(t.pairs + t.attributes[0].name, "deployment.environment");
    assert_string_equal(t.pairs + t.attributes[1].value, "a,b");
    assert_string_equal(t.headers, "Authorization: Bearer x");
    put_file(&w, "headers", "no header\n");
    assert_int_equal(otlp_target_read(w.sys, w.settings, NULL, &t), WEIR_E_CONFIG);
    assert_non_null(strstr(weir_error_text(), "line 1 of headers"));
    world_close(&w);
}

/* ---- answers ---- */

static void every_status_means_what_the_protocol_says(void **state) {
    (void)state;
    static const struct {
        int status;
        enum otlp_verdict verdict;
    } rows[] = {{200, OTLP_TAKEN}, {202, OTLP_TAKEN}, {429, OTLP_LATER}, {502, OTLP_LATER}, {503, OTLP_LATER},
        {504, OTLP_LATER}, {500, OTLP_REFUSED}, {400, OTLP_REFUSED}, {404, OTLP_REFUSED}, {301, OTLP_REFUSED}};
    struct arena arena;
    arena_init(&arena, NULL, 4096, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct otlp_answer answer;
        otlp_answer_read(rows[i].status, weir_slice(NULL, 0), 5, &arena, &answer);
        assert_int_equal(answer.verdict, rows[i].verdict);
        assert_int_equal(answer.rejected, 0);
    }
    struct otlp_answer answer;
    uint8_t failure[] = {0x12, 3, 'w', 'h', 'y'}, garbage[] = {0xff, 0xff, 0xff};
    otlp_answer_read(400, weir_slice(failure, sizeof failure), 5, &arena, &answer);
    assert_string_equal(answer.text, "why");
    otlp_answer_read(200, weir_slice(garbage, sizeof garbage), 5, &arena, &answer);
    assert_int_equal(answer.verdict, OTLP_TAKEN); /* whatever else it said */
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_leave_together_when_the_first_has_waited_long_enough),
        cmocka_unit_test(a_collector_that_is_busy_is_asked_again_when_it_said_and_gets_the_same_spans),
        cmocka_unit_test(what_a_collector_refuses_is_dropped_counted_and_told_once),
        cmocka_unit_test(a_collector_that_is_gone_costs_spans_and_no_lane_waits),
        cmocka_unit_test(spans_that_a_collector_rejects_are_counted_and_its_words_are_told_on_one_line),
        cmocka_unit_test(the_goodbye_sends_what_is_left_and_does_not_wait_for_ever),
        cmocka_unit_test(a_reload_sends_what_waits_to_the_new_place_and_may_switch_off),
        cmocka_unit_test(more_spans_than_fit_a_batch_leave_in_several),
        cmocka_unit_test(a_name_that_is_no_text_does_not_cost_the_batch),
        cmocka_unit_test(a_setting_that_is_wrong_is_named_with_what_to_write),
        cmocka_unit_test(settings_are_read_as_they_are_meant),
        cmocka_unit_test(every_status_means_what_the_protocol_says),
    };
    return cmocka_run_group_tests_name("otlp", tests, NULL, NULL);
}
