/* TLS over the sockets of the simulated world, where bytes come in any pieces: both ends are ours, so that each step
 * can be looked at; what other implementations think of it is in tests/edge/test_tls.py. */
#include "base/assert.h"
#include "edge/live.h"
#include "sys/sim.h"
#include "tls/tls_create.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <pthread.h>
#include <cmocka.h>

#define PORT  7070
#define STEPS 100000

struct world {
    struct sys *sys;
    struct tls *server, *client;
    struct tls_link near, far; /* the client's end, the node's */
    int listener, near_socket, far_socket;
};

static void create(struct sys *sys, const char *cert, const char *key, const char *names) {
    char fingerprint[TLS_FINGERPRINT_SIZE];
    const struct tls_create how = {cert, key, names, 30};
    assert_int_equal(tls_create(sys, &how, fingerprint), WEIR_OK);
    assert_int_equal(strlen(fingerprint), TLS_FINGERPRINT_SIZE - 1);
}

static int setup(void **state) {
    static struct world w;
    struct sys_sim_plan plan = {.seed = 11};
    memset(&w, 0, sizeof w);
    w.near_socket = w.far_socket = -1;
    assert_int_equal(sys_sim_new(&plan, &w.sys), WEIR_OK);
    create(w.sys, "/cert", "/key", "localhost,127.0.0.1");
    create(w.sys, "/other.cert", "/other.key", "other.example");
    const struct tls_files files = {.certs = "/cert, /other.cert", .keys = "/key, /other.key", .client_ca = ""};
    assert_int_equal(tls_open(w.sys, &files, &w.server), WEIR_OK);
    assert_int_equal(tls_open_client(w.sys, &(struct tls_client){"/cert", "", "", false}, &w.client), WEIR_OK);
    uint16_t port;
    assert_int_equal(w.sys->tcp_listen(w.sys, "127.0.0.1", PORT, false, &w.listener, &port), WEIR_OK);
    *state = &w;
    return 0;
}

static int teardown(void **state) {
    struct world *w = *state;
    tls_link_done(&w->near);
    tls_link_done(&w->far);
    tls_give(w->server);
    tls_give(w->client);
    sys_sim_free(w->sys);
    return 0;
}

static void connect_both(struct world *w, const char *name) {
    struct sys_address peer;
    tls_link_done(&w->near);
    tls_link_done(&w->far);
    w->sys->socket_close(w->sys, w->near_socket);
    w->sys->socket_close(w->sys, w->far_socket);
    assert_int_equal(w->sys->tcp_connect(w->sys, "127.0.0.1", PORT, &w->near_socket), WEIR_OK);
    assert_int_equal(w->sys->tcp_accept(w->sys, w->listener, &w->far_socket, &peer), WEIR_OK);
    assert_int_equal(tls_link_connect(&w->near, w->client, w->sys, w->near_socket, name), WEIR_OK);
    assert_int_equal(tls_link_accept(&w->far, w->server, w->sys, w->far_socket, true), WEIR_OK);
}

/* The first end that fails tells; OK when both are done. */
static enum weir_error shake(struct world *w, enum tls_failure *ret_failure) {
    for (int i = 0; i < STEPS && !(w->near.done && w->far.done); i++) {
        struct tls_link *link = i % 2 ? &w->near : &w->far;
        enum weir_error e = link->done ? WEIR_OK : tls_link_handshake(link, ret_failure);
        if (e != WEIR_OK && e != WEIR_E_AGAIN) return e;
    }
    assert_true(w->near.done && w->far.done);
    return WEIR_OK;
}

static void what_is_sent_arrives_whole_however_it_is_cut(void **state) {
    struct world *w = *state;
    static uint8_t out[300000], in[300000];
    enum tls_failure failure;
    connect_both(w, "localhost");
    assert_int_equal(shake(w, &failure), WEIR_OK);
    assert_string_equal(tls_link_version(&w->far), "TLSv1.3");
    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (uint8_t)(i * 2654435761u >> 16);
    size_t put = 0, got = 0;
    for (int i = 0; i < STEPS && got < sizeof in; i++) {
        size_t n = 0;
        if (put < sizeof out && tls_link_write(&w->near, out + put, sizeof out - put, &n) == WEIR_OK) put += n;
        n = 0;
        size_t room = sizeof in - got < 1000 ? sizeof in - got : 1000; /* less than a record holds */
        bool had_more = tls_link_pending(&w->far);
        enum weir_error e = tls_link_read(&w->far, in + got, room, &n);
        assert_true(e == WEIR_OK || e == WEIR_E_AGAIN);
        if (e == WEIR_E_AGAIN) assert_false(tls_link_pending(&w->far)); /* the poller has to tell of what comes next */
        if (had_more && e == WEIR_OK) assert_true(n > 0);
        if (e == WEIR_OK) got += n;
    }
    assert_int_equal(got, sizeof in);
    assert_memory_equal(in, out, sizeof in);
}

static void a_goodbye_is_an_end_and_none_is_a_cut(void **state) {
    struct world *w = *state;
    uint8_t byte;
    enum tls_failure failure;
    for (int polite = 0; polite < 2; polite++) {
        size_t n = 99;
        connect_both(w, "127.0.0.1");
        assert_int_equal(shake(w, &failure), WEIR_OK);
        if (polite) tls_link_say_bye(&w->near);
        w->sys->socket_shutdown(w->sys, w->near_socket);
        enum weir_error e = WEIR_E_AGAIN;
        for (int i = 0; i < STEPS && e == WEIR_E_AGAIN; i++)
            e = tls_link_read(&w->far, &byte, 1, &n);
        assert_int_equal(e, polite ? WEIR_OK : WEIR_E_CLOSED);
        assert_int_equal(n, polite ? 0 : 99);
        if (polite) assert_int_equal(tls_link_write(&w->far, "x", 1, &n), WEIR_OK); /* half a close */
    }
}

static void a_name_of_nobody_and_an_unknown_authority_are_refused_by_the_client(void **state) {
    struct world *w = *state;
    enum tls_failure failure = TLS_FAILURE_COUNT;
    connect_both(w, "elsewhere.example");
    assert_int_equal(shake(w, &failure), WEIR_E_FORBIDDEN);
    assert_int_equal(failure, TLS_FAILURE_CERTIFICATE);
    connect_both(w, "other.example"); /* chosen by its name; the client trusts only the first */
    assert_int_equal(shake(w, &failure), WEIR_E_FORBIDDEN);
    tls_give(w->client);
    assert_int_equal(tls_open_client(w->sys, &(struct tls_client){"/other.cert", "", "", false}, &w->client), WEIR_OK);
    connect_both(w, "other.example");
    assert_int_equal(shake(w, &failure), WEIR_OK);
}

static void text_where_tls_is_spoken_is_told_apart_from_garbage(void **state) {
    struct world *w = *state;
    static const struct {
        const char *bytes;
        enum tls_failure failure;
    } rows[] = {{"GET / HTTP/1.1\r\n\r\n", TLS_FAILURE_PLAIN}, {"patch / HTTP/1.1\r\n\r\n", TLS_FAILURE_PLAIN},
        {"\x16\x03\x01\x00\x05\x99\x99\x99\x99\x99", TLS_FAILURE_GARBAGE},
        {"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b", TLS_FAILURE_GARBAGE}};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows); i++) {
        enum tls_failure failure = TLS_FAILURE_COUNT;
        connect_both(w, "localhost");
        size_t size = 5 + strlen(rows[i].bytes + 5), n = 0;
        for (size_t at = 0; at < size; at += n) {
            struct sys_iovec part = {(void *)(uintptr_t)(rows[i].bytes + at), size - at};
            assert_int_equal(w->sys->socket_write(w->sys, w->near_socket, &part, 1, &n), WEIR_OK);
        }
        enum weir_error e = WEIR_E_AGAIN;
        for (int k = 0; k < STEPS && e == WEIR_E_AGAIN; k++)
            e = tls_link_handshake(&w->far, &failure);
        assert_int_equal(e, WEIR_E_INVALID);
        assert_int_equal(failure, rows[i].failure);
        assert_true(weir_error_text()[0] != 0);
    }
}

static void files_are_checked_before_they_count(void **state) {
    struct world *w = *state;
    struct tls *untouched = NULL;
    static const struct {
        const char *certs, *keys, *ca, *words;
    } rows[] = {{"/cert", "/other.key", "", "is not the key of the certificate"},
        {"/cert,/other.cert", "/key", "", "as many files"}, {"/key", "/key", "", "no certificate"},
        {"/cert", "/cert", "", "no private key"}, {"/none", "/key", "", "tls.cert"},
        {"/cert", "/key", "/key", "tls.client_ca"}, {"", "", "", "names no file"}};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows); i++) {
        const struct tls_files files = {.certs = rows[i].certs, .keys = rows[i].keys, .client_ca = rows[i].ca};
        assert_int_not_equal(tls_open(w->sys, &files, &untouched), WEIR_OK);
        assert_null(untouched);
        assert_non_null(strstr(weir_error_text(), rows[i].words));
    }
    const struct tls_files both = {.certs = "/cert", .keys = "/key", .client_ca = ""};
    for (int early = 0; early < 2; early++) {
        sys_sim_jump_wall(
            w->sys, early ? -40ll * 86400 * (int64_t)SYS_NANOS_PER_S : 31ll * 86400 * (int64_t)SYS_NANOS_PER_S);
        assert_int_equal(tls_open(w->sys, &both, &untouched), WEIR_E_CONFIG);
        assert_non_null(strstr(weir_error_text(), early ? "valid only from" : "expired on"));
    }
    char fingerprint[TLS_FINGERPRINT_SIZE];
    const struct tls_create again = {"/cert", "/new.key", "localhost", 30}, bad = {"/n.cert", "/n.key", "a b", 30};
    assert_int_equal(tls_create(w->sys, &again, fingerprint), WEIR_E_EXISTS);
    assert_int_equal(tls_create(w->sys, &bad, fingerprint), WEIR_E_INVALID);
}

/* ---- what a reload offers to a lane ---- */

struct offering {
    struct live_offer offer;
    struct tls *sets[2];
    _Atomic bool ended;
};

/* idle_ns and handshakes_max are of one generation: half of one and half of another would differ. */
static void *offer_many(void *arg) {
    struct offering *o = arg;
    for (uint32_t i = 1; i <= 20000; i++) {
        struct live next = {.idle_ns = i, .handshakes_max = i, .tls = o->sets[i % 2]};
        live_offer(&o->offer, &next);
    }
    atomic_store(&o->ended, true);
    return NULL;
}

static void a_lane_takes_a_whole_offer_or_none(void **state) {
    struct world *w = *state;
    static struct offering o;
    memset(&o, 0, sizeof o);
    const struct tls_files files = {.certs = "/cert", .keys = "/key", .client_ca = ""};
    for (int i = 0; i < 2; i++)
        assert_int_equal(tls_open(w->sys, &files, &o.sets[i]), WEIR_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, offer_many, &o), 0);
    struct live live = {0};
    uint64_t newest = 0;
    while (!atomic_load(&o.ended) || !live_is_taken(&o.offer)) {
        live_take(&o.offer, &live);
        assert_int_equal(live.idle_ns, live.handshakes_max);
        assert_true(live.idle_ns >= newest);
        newest = live.idle_ns;
        if (newest) assert_ptr_equal(live.tls, o.sets[newest % 2]);
    }
    pthread_join(thread, NULL);
    assert_int_equal(live.idle_ns, 20000);
    live_done(&live);
    for (int i = 0; i < 2; i++)
        tls_give(o.sets[i]); /* the last owner: what is missing or too much, the sanitizer tells */
}

#define TEST(body) cmocka_unit_test_setup_teardown(body, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_is_sent_arrives_whole_however_it_is_cut),
        TEST(a_goodbye_is_an_end_and_none_is_a_cut),
        TEST(a_name_of_nobody_and_an_unknown_authority_are_refused_by_the_client),
        TEST(text_where_tls_is_spoken_is_told_apart_from_garbage),
        TEST(files_are_checked_before_they_count),
        TEST(a_lane_takes_a_whole_offer_or_none),
    };
    return cmocka_run_group_tests_name("edge tls", tests, NULL, NULL);
}
