/* What the layers above rely on from sockets and pollers, in both worlds. Loopback only. */
#include "sys/test_world.h"

#define WAIT_NS (2 * SYS_NANOS_PER_S) /* how long a test waits for what must come */

struct pair { /* a listener on a port of its own, and one connection through it */
    int listener, client, server;
    uint16_t port;
    struct sys_address peer;
};

static int accept_one(struct sys *sys, int listener, struct sys_address *ret_peer) {
    int poller = -1, server = -1;
    struct sys_poll_event event;
    assert_ok(sys->poller_open(sys, &poller));
    assert_ok(sys->poller_add(sys, poller, listener, 1, SYS_POLL_READ));
    assert_int_equal(sys->poller_wait(sys, poller, &event, 1, WAIT_NS), 1);
    assert_int_equal(event.bits, SYS_POLL_READ);
    assert_ok(sys->tcp_accept(sys, listener, &server, ret_peer));
    sys->poller_close(sys, poller);
    return server;
}

static struct pair connect_pair(struct sys *sys) {
    struct pair pair = {-1, -1, -1, 0, {{0}, 0}};
    assert_ok(sys->tcp_listen(sys, "127.0.0.1", 0, false, &pair.listener, &pair.port));
    assert_int_not_equal(pair.port, 0);
    assert_ok(sys->tcp_connect(sys, "127.0.0.1", pair.port, &pair.client));
    pair.server = accept_one(sys, pair.listener, &pair.peer);
    return pair;
}

static void close_pair(struct sys *sys, struct pair *pair) {
    sys->socket_close(sys, pair->client);
    sys->socket_close(sys, pair->server);
    sys->socket_close(sys, pair->listener);
}

static uint32_t wait_for(struct sys *sys, int socket, uint32_t bits, uint64_t timeout_ns) {
    int poller = -1;
    struct sys_poll_event event = {0};
    assert_ok(sys->poller_open(sys, &poller));
    assert_ok(sys->poller_add(sys, poller, socket, 42, bits));
    size_t count = sys->poller_wait(sys, poller, &event, 1, timeout_ns);
    if (count > 0) assert_int_equal(event.token, 42);
    sys->poller_close(sys, poller);
    return count > 0 ? event.bits : 0;
}

static void send_all(struct sys *sys, int socket, const void *data, size_t size) {
    for (size_t done = 0; done < size;) {
        struct sys_iovec part = {(uint8_t *)(uintptr_t)data + done, size - done};
        size_t put = 0;
        enum weir_error e = sys->socket_write(sys, socket, &part, 1, &put);
        if (e == WEIR_E_AGAIN) {
            assert_true(wait_for(sys, socket, SYS_POLL_WRITE, WAIT_NS) & SYS_POLL_WRITE);
            continue;
        }
        assert_ok(e);
        done += put;
    }
}

static void receive_all(struct sys *sys, int socket, void *data, size_t size) {
    for (size_t done = 0; done < size;) {
        size_t got = 0;
        assert_true(wait_for(sys, socket, SYS_POLL_READ, WAIT_NS) & SYS_POLL_READ);
        assert_ok(sys->socket_read(sys, socket, (uint8_t *)data + done, size - done, &got));
        assert_int_not_equal(got, 0);
        done += got;
    }
}

static void bytes_go_both_ways_in_order(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    struct pair pair = connect_pair(sys);
    assert_string_equal(pair.peer.host, "127.0.0.1");
    assert_int_not_equal(pair.peer.port, 0);
    char got[16];
    send_all(sys, pair.client, "ping", 4);
    receive_all(sys, pair.server, got, 4);
    assert_memory_equal(got, "ping", 4);
    send_all(sys, pair.server, "pong!", 5);
    receive_all(sys, pair.client, got, 5);
    assert_memory_equal(got, "pong!", 5);
    close_pair(sys, &pair);
}

static void nothing_there_is_again_and_leaves_outputs_alone(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    struct pair pair = connect_pair(sys);
    char byte;
    size_t size = 77;
    int socket = 78;
    struct sys_address peer;
    assert_int_equal(sys->socket_read(sys, pair.server, &byte, 1, &size), WEIR_E_AGAIN);
    assert_int_equal(sys->tcp_accept(sys, pair.listener, &socket, &peer), WEIR_E_AGAIN);
    assert_int_equal(size, 77);
    assert_int_equal(socket, 78);
    assert_int_equal(wait_for(sys, pair.server, SYS_POLL_READ, SYS_NANOS_PER_MS), 0);
    close_pair(sys, &pair);
}

static void a_reader_that_stops_stops_the_writer(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    struct pair pair = connect_pair(sys);
    static uint8_t block[65536];
    uint64_t sent = 0;
    for (int refused = 0; refused < 3;) { /* the kernel may make room once or twice more */
        struct sys_iovec part = {block, sizeof block};
        size_t put = 0;
        for (size_t i = 0; i < sizeof block; i++)
            block[i] = (uint8_t)((sent + i) % 251);
        enum weir_error e = sys->socket_write(sys, pair.server, &part, 1, &put);
        if (e == WEIR_E_AGAIN) {
            refused++;
            (void)wait_for(sys, pair.server, SYS_POLL_WRITE, 20 * SYS_NANOS_PER_MS);
            continue;
        }
        assert_ok(e);
        sent += put;
        assert_true(sent < 256u << 20); /* bounded */
    }
    for (uint64_t taken = 0; taken < sent;) {
        size_t want = sent - taken < sizeof block ? (size_t)(sent - taken) : sizeof block;
        receive_all(sys, pair.client, block, want);
        for (size_t i = 0; i < want; i++)
            assert_int_equal(block[i], (taken + i) % 251);
        taken += want;
    }
    assert_true(wait_for(sys, pair.server, SYS_POLL_WRITE, WAIT_NS) & SYS_POLL_WRITE);
    close_pair(sys, &pair);
}

static void a_half_closed_stream_still_answers(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    struct pair pair = connect_pair(sys);
    send_all(sys, pair.client, "last", 4);
    sys->socket_shutdown(sys, pair.client);
    char got[8];
    size_t size = 9;
    receive_all(sys, pair.server, got, 4);
    assert_true(wait_for(sys, pair.server, SYS_POLL_READ, WAIT_NS) & SYS_POLL_READ);
    assert_ok(sys->socket_read(sys, pair.server, got, sizeof got, &size));
    assert_int_equal(size, 0); /* the end */
    send_all(sys, pair.server, "reply", 5);
    receive_all(sys, pair.client, got, 5);
    assert_memory_equal(got, "reply", 5);
    struct sys_iovec part = {got, 1};
    assert_int_equal(sys->socket_write(sys, pair.client, &part, 1, &size), WEIR_E_CLOSED);
    sys->socket_shutdown(sys, pair.server);
    assert_true(wait_for(sys, pair.server, 0, WAIT_NS) & SYS_POLL_CLOSED); /* reported unasked */
    close_pair(sys, &pair);
}

static void writing_to_a_closed_peer_is_closed_and_no_signal(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    struct pair pair = connect_pair(sys);
    int file = world_create(world, "f");
    assert_ok(world_write(sys, file, 0, "bytes", 5));
    send_all(sys, pair.server, "unread", 6);
    assert_true(wait_for(sys, pair.client, SYS_POLL_READ, WAIT_NS) & SYS_POLL_READ);
    sys->socket_close(sys, pair.client);
    pair.client = -1;
    assert_true(wait_for(sys, pair.server, SYS_POLL_READ, WAIT_NS) & SYS_POLL_READ);
    char got;
    struct sys_iovec part = {&got, 1};
    size_t size = 0;
    assert_int_equal(sys->socket_read(sys, pair.server, &got, 1, &size), WEIR_E_CLOSED); /* unread bytes: a reset */
    assert_int_equal(sys->socket_write(sys, pair.server, &part, 1, &size), WEIR_E_CLOSED);
    assert_true(strlen(weir_error_text()) > 0);
    assert_int_equal(sys->file_send(sys, file, 0, 5, pair.server, &size), WEIR_E_CLOSED);
    sys->file_close(sys, file);
    close_pair(sys, &pair);
}

static void parts_are_gathered_in_order(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    struct pair pair = connect_pair(sys);
    char a[] = "ab", b[] = "", c[] = "cdefg", got[8] = {0};
    struct sys_iovec parts[] = {{a, 2}, {b, 0}, {c, 5}};
    size_t put = 0;
    assert_ok(sys->socket_write(sys, pair.client, parts, 3, &put));
    assert_true(put >= 1 && put <= 7);
    if (put < 7) send_all(sys, pair.client, &"abcdefg"[put], 7 - put);
    receive_all(sys, pair.server, got, 7);
    assert_string_equal(got, "abcdefg");
    close_pair(sys, &pair);
}

static void a_file_is_sent_from_any_place_until_its_end(void **state) {
    struct test_world *world = *state;
    struct sys *sys = world->sys;
    struct pair pair = connect_pair(sys);
    int file = world_create(world, "f");
    static uint8_t bytes[20000], got[20000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i % 253);
    assert_ok(world_write(sys, file, 0, bytes, sizeof bytes));
    size_t sent = 0, part = 0;
    while (sent < 15000) {
        assert_ok(sys->file_send(sys, file, 5000 + sent, 15000 - sent, pair.server, &part));
        sent += part;
    }
    assert_ok(sys->file_send(sys, file, 20000, 10, pair.server, &part));
    assert_int_equal(part, 0); /* behind the end */
    receive_all(sys, pair.client, got, 15000);
    assert_memory_equal(got, bytes + 5000, 15000);
    sys->file_close(sys, file);
    close_pair(sys, &pair);
}

static void a_port_in_use_is_named(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    int first = -1, second = -1;
    uint16_t port = 0, again = 0;
    char number[16];
    assert_ok(sys->tcp_listen(sys, "127.0.0.1", 0, false, &first, &port));
    assert_int_equal(sys->tcp_listen(sys, "127.0.0.1", port, false, &second, &again), WEIR_E_EXISTS);
    assert_int_equal(second, -1);
    snprintf(number, sizeof number, "port %u", port);
    assert_non_null(strstr(weir_error_text(), number));
    assert_non_null(strstr(weir_error_text(), "--listen"));
    sys->socket_close(sys, first);
    assert_ok(sys->tcp_listen(sys, "127.0.0.1", port, true, &first, &port));
    assert_ok(sys->tcp_listen(sys, "127.0.0.1", port, true, &second, &again)); /* shared on purpose */
    assert_int_equal(again, port);
    sys->socket_close(sys, first);
    sys->socket_close(sys, second);
}

static void a_bad_address_is_refused_by_name(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    static const char *const bad[] = {"", "127.0.0", "example.invalid", "127.0.0.1:80", "[::1]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int socket = -1;
        uint16_t port = 0;
        assert_int_equal(sys->tcp_listen(sys, bad[i], 0, false, &socket, &port), WEIR_E_INVALID);
        assert_non_null(strstr(weir_error_text(), bad[i]));
        assert_int_equal(sys->tcp_connect(sys, bad[i], 1, &socket), WEIR_E_INVALID);
        assert_int_equal(socket, -1);
    }
}

static void connecting_to_nobody_is_closed(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    int socket = -1;
    uint16_t port = 0;
    assert_ok(sys->tcp_listen(sys, "127.0.0.1", 0, false, &socket, &port));
    sys->socket_close(sys, socket);
    enum weir_error e = sys->tcp_connect(sys, "127.0.0.1", port, &socket);
    if (!e) { /* told late: the socket becomes ready, and then says so */
        char byte;
        size_t size = 0;
        assert_true(wait_for(sys, socket, SYS_POLL_READ, WAIT_NS) != 0);
        e = sys->socket_read(sys, socket, &byte, 1, &size);
        sys->socket_close(sys, socket);
    }
    assert_int_equal(e, WEIR_E_CLOSED);
}

static void polling_is_level_triggered_and_follows_changes(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    struct pair pair = connect_pair(sys);
    int poller = -1;
    struct sys_poll_event events[4];
    assert_ok(sys->poller_open(sys, &poller));
    assert_ok(sys->poller_add(sys, poller, pair.server, 5, SYS_POLL_READ));
    assert_int_equal(sys->poller_add(sys, poller, pair.server, 5, SYS_POLL_READ), WEIR_E_EXISTS);
    assert_int_equal(sys->poller_wait(sys, poller, events, 4, 0), 0);
    send_all(sys, pair.client, "x", 1);
    for (int i = 0; i < 2; i++) { /* unread, so told again */
        assert_int_equal(sys->poller_wait(sys, poller, events, 4, WAIT_NS), 1);
        assert_int_equal(events[0].token, 5);
        assert_int_equal(events[0].bits, SYS_POLL_READ);
    }
    assert_ok(sys->poller_change(sys, poller, pair.server, 6, SYS_POLL_WRITE));
    assert_int_equal(sys->poller_wait(sys, poller, events, 4, WAIT_NS), 1);
    assert_int_equal(events[0].token, 6);
    assert_int_equal(events[0].bits, SYS_POLL_WRITE);
    assert_ok(sys->poller_change(sys, poller, pair.server, 6, 0)); /* paused */
    assert_int_equal(sys->poller_wait(sys, poller, events, 4, 0), 0);
    sys->poller_remove(sys, poller, pair.server);
    assert_int_equal(sys->poller_change(sys, poller, pair.server, 6, SYS_POLL_READ), WEIR_E_NOT_FOUND);
    assert_ok(sys->poller_add(sys, poller, pair.server, 7, SYS_POLL_READ));
    assert_ok(sys->poller_add(sys, poller, pair.client, 8, SYS_POLL_WRITE));
    assert_int_equal(sys->poller_wait(sys, poller, events, 4, WAIT_NS), 2);
    assert_int_equal(events[0].token + events[1].token, 15);
    sys->socket_close(sys, pair.client); /* a closed socket leaves its poller */
    pair.client = -1;
    assert_int_equal(sys->poller_wait(sys, poller, events, 4, WAIT_NS), 1);
    assert_int_equal(events[0].token, 7);
    sys->poller_close(sys, poller);
    close_pair(sys, &pair);
}

static void a_wait_ends_at_its_timeout_and_not_before(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    int poller = -1;
    struct sys_poll_event event;
    assert_ok(sys->poller_open(sys, &poller));
    uint64_t before = sys->mono_ns(sys);
    assert_int_equal(sys->poller_wait(sys, poller, &event, 1, 3 * SYS_NANOS_PER_MS), 0);
    assert_true(sys->mono_ns(sys) - before >= 3 * SYS_NANOS_PER_MS);
    sys->poller_close(sys, poller);
}

static void a_wake_before_the_wait_is_not_lost_and_counts_once(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    int poller = -1;
    struct sys_poll_event event;
    assert_ok(sys->poller_open(sys, &poller));
    sys->poller_wake(sys, poller);
    sys->poller_wake(sys, poller);
    uint64_t before = sys->mono_ns(sys);
    assert_int_equal(sys->poller_wait(sys, poller, &event, 1, 3600 * SYS_NANOS_PER_S), 0); /* or hangs for an hour */
    assert_true(sys->mono_ns(sys) - before < 3600 * SYS_NANOS_PER_S);
    before = sys->mono_ns(sys);
    assert_int_equal(sys->poller_wait(sys, poller, &event, 1, 2 * SYS_NANOS_PER_MS), 0);
    assert_true(sys->mono_ns(sys) - before >= 2 * SYS_NANOS_PER_MS);
    sys->poller_close(sys, poller);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_BOTH(bytes_go_both_ways_in_order),
        IN_BOTH(nothing_there_is_again_and_leaves_outputs_alone),
        IN_BOTH(a_reader_that_stops_stops_the_writer),
        IN_BOTH(a_half_closed_stream_still_answers),
        IN_BOTH(writing_to_a_closed_peer_is_closed_and_no_signal),
        IN_BOTH(parts_are_gathered_in_order),
        IN_BOTH(a_file_is_sent_from_any_place_until_its_end),
        IN_BOTH(a_port_in_use_is_named),
        IN_BOTH(a_bad_address_is_refused_by_name),
        IN_BOTH(connecting_to_nobody_is_closed),
        IN_BOTH(polling_is_level_triggered_and_follows_changes),
        IN_BOTH(a_wait_ends_at_its_timeout_and_not_before),
        IN_BOTH(a_wake_before_the_wait_is_not_lost_and_counts_once),
    };
    return cmocka_run_group_tests_name("sys net", tests, NULL, NULL);
}
