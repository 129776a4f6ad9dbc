/* What would break the lanes' HTTP calls: a result lost, told twice or to another lane; a bound that holds nobody back;
 * a stop that waits. Against a listener that never answers and a port where nobody listens. With threads, meant for
 * TSan as well; what servers do is tests/http_client's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_client/client.h"

#include <pthread.h>
#include <stdio.h>

#define CALLS 8u
#define LANES 3u

struct world {
    struct sys *sys;
    int pollers[LANES], listener;
    char silent[64], nobody[64]; /* URLs */
    struct http_client *client;
};

#define assert_ok(e)                                                                                                   \
    do {                                                                                                               \
        enum weir_error assert_e = (e);                                                                                \
        if (assert_e) fail_msg("%s: %s", weir_error_name(assert_e), weir_error_text());                                \
    } while (0)

static void begin(struct world *w) {
    uint16_t port = 0, closed_port = 0;
    int closed = -1;
    assert_ok(sys_linux_new(&w->sys));
    for (uint32_t i = 0; i < LANES; i++)
        assert_ok(w->sys->poller_open(w->sys, &w->pollers[i]));
    assert_ok(w->sys->tcp_listen(w->sys, "127.0.0.1", 0, false, &w->listener, &port));
    assert_ok(w->sys->tcp_listen(w->sys, "127.0.0.1", 0, false, &closed, &closed_port));
    w->sys->socket_close(w->sys, closed);
    snprintf(w->silent, sizeof w->silent, "http://127.0.0.1:%u/", port);
    snprintf(w->nobody, sizeof w->nobody, "http://127.0.0.1:%u/", closed_port);
    assert_ok(http_client_start(w->sys,
        &(struct http_client_options){
            .submitters = LANES, .pollers = w->pollers, .calls_max = CALLS, .request_max = 10000},
        &w->client));
}

static void end(struct world *w) {
    w->client->stop(w->client);
    w->sys->socket_close(w->sys, w->listener);
    for (uint32_t i = 0; i < LANES; i++)
        w->sys->poller_close(w->sys, w->pollers[i]);
    sys_linux_free(w->sys);
}

static enum weir_error submit(struct world *w, uint32_t lane, uint64_t tag, const char *url) {
    const struct http_request request = {.method = "POST", .url = url, .body = weir_slice("{}", 2)};
    return w->client->submit(w->client, lane, tag, &request);
}

static struct http_result take(struct world *w, uint32_t lane) {
    struct http_result result;
    struct sys_poll_event event;
    while (!w->client->take(w->client, lane, &result))
        (void)w->sys->poller_wait(w->sys, w->pollers[lane], &event, 1, SYS_NANOS_PER_S);
    return result;
}

static void a_lane_has_as_many_calls_as_it_may_and_others_are_not_held_back(void **state) {
    struct world w;
    (void)state;
    begin(&w);
    for (uint64_t i = 0; i < CALLS; i++)
        assert_ok(submit(&w, 0, i, w.silent));
    assert_int_equal(submit(&w, 0, 99, w.silent), WEIR_E_FULL);
    assert_ok(submit(&w, 1, 7, w.nobody));
    struct http_result result = take(&w, 1);
    assert_int_equal(result.tag, 7);
    assert_int_equal(result.reply.error, WEIR_E_IO);
    assert_true(result.reply.may_pass && !result.reply.is_sent && result.body.size == 0);
    assert_ok(w.client->cancel(w.client, 0, 3));
    result = take(&w, 0);
    assert_int_equal(result.tag, 3);
    assert_int_equal(result.reply.error, WEIR_E_CLOSED);
    assert_ok(submit(&w, 0, 3, w.silent)); /* room again, and the tag is free */
    assert_int_equal(metric_get(&http_client_metrics(w.client)->canceled), 1);
    end(&w);
}

static void what_is_no_call_is_refused_at_once_and_takes_no_room(void **state) {
    struct world w;
    static uint8_t large[10001];
    (void)state;
    begin(&w);
    for (uint32_t i = 0; i < 2 * CALLS; i++) {
        assert_int_equal(submit(&w, 0, 1, "gopher://x/"), WEIR_E_INVALID);
        const struct http_request request = {.method = "PUT", .url = w.nobody, .body = weir_slice(large, sizeof large)};
        assert_int_equal(w.client->submit(w.client, 0, 1, &request), WEIR_E_TOO_LARGE);
    }
    assert_ok(submit(&w, 0, 1, w.nobody));
    assert_int_equal(take(&w, 0).tag, 1);
    end(&w);
}

static void a_stop_drops_what_is_under_way_and_waits_for_nobody(void **state) {
    struct world w;
    (void)state;
    begin(&w);
    for (uint64_t i = 0; i < CALLS; i++)
        assert_ok(submit(&w, (uint32_t)i % LANES, i, w.silent));
    end(&w); /* the default limit of a call is 30 s, and the sanitizers see what is left behind */
}

struct lane {
    struct world *w;
    uint32_t lane;
    uint64_t rounds, wrong;
};

/* As many calls as there may be, all the time; results come back in any order, each once. */
static void *run_lane(void *ctx) {
    struct lane *l = ctx;
    bool open[CALLS] = {0};
    uint64_t sent = 0, told = 0, tag = 0;
    while (told < l->rounds) {
        for (; sent < l->rounds && sent - told < CALLS; sent++) {
            while (open[tag % CALLS])
                tag++;
            uint64_t full_tag = (tag % CALLS) << 8 | l->lane;
            open[tag % CALLS] = true;
            if (submit(l->w, l->lane, full_tag, l->w->nobody)) l->wrong++;
        }
        struct http_result result = take(l->w, l->lane);
        uint64_t place = result.tag >> 8;
        if ((result.tag & 255) != l->lane || place >= CALLS || !open[place] || result.reply.error != WEIR_E_IO)
            l->wrong++;
        if (place < CALLS) open[place] = false;
        told++;
    }
    return NULL;
}

static void every_lane_is_told_of_each_of_its_calls_once(void **state) {
    struct world w;
    struct lane lanes[LANES];
    pthread_t threads[LANES];
    (void)state;
    begin(&w);
    for (uint32_t i = 0; i < LANES; i++) {
        lanes[i] = (struct lane){&w, i, 300, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, run_lane, &lanes[i]), 0);
    }
    for (uint32_t i = 0; i < LANES; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(lanes[i].wrong, 0);
        struct http_result result;
        assert_false(w.client->take(w.client, i, &result));
    }
    assert_int_equal(metric_get(&http_client_metrics(w.client)->failed), 300 * LANES);
    assert_int_equal(metric_get(&http_client_metrics(w.client)->running), 0);
    end(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lane_has_as_many_calls_as_it_may_and_others_are_not_held_back),
        cmocka_unit_test(what_is_no_call_is_refused_at_once_and_takes_no_room),
        cmocka_unit_test(a_stop_drops_what_is_under_way_and_waits_for_nobody),
        cmocka_unit_test(every_lane_is_told_of_each_of_its_calls_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
