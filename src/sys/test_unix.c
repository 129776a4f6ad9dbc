/* Unix sockets of the Linux world: who is there, what a start may take over, and what it may not. */
#include "sys/test_world.h"

#include <sys/stat.h>

struct address {
    char path[128], lock[136];
};

static struct address address_in(const struct test_world *world) {
    struct address a;
    snprintf(a.path, sizeof a.path, "%s/s", world->folder);
    snprintf(a.lock, sizeof a.lock, "%s.lock", a.path);
    return a;
}

static bool is_there(struct sys *sys, const char *path) {
    bool exists = false;
    assert_int_equal(sys->path_exists(sys, path, &exists), WEIR_OK);
    return exists;
}

static void a_connection_says_who_made_it(void **state) {
    const struct test_world *world = *state;
    struct sys *sys = world->sys;
    struct address a = address_in(world);
    struct sys_address peer = {0};
    int listeners[2], lock = -1, client = -1, server = -1, poller = -1;
    struct sys_poll_event event;
    assert_int_equal(sys->unix_listen(sys, a.path, 0600, 2, listeners, &lock), WEIR_OK);
    struct stat stat_of;
    assert_int_equal(stat(a.path, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777, 0600);
    assert_int_equal(sys->unix_connect(sys, a.path, &client), WEIR_OK);
    assert_int_equal(sys->poller_open(sys, &poller), WEIR_OK);
    for (int i = 0; i < 2; i++) /* both wait on one queue */
        assert_int_equal(sys->poller_add(sys, poller, listeners[i], (uint64_t)i, SYS_POLL_READ), WEIR_OK);
    assert_true(sys->poller_wait(sys, poller, &event, 1, 2 * SYS_NANOS_PER_S) == 1);
    assert_int_equal(sys->tcp_accept(sys, listeners[1], &server, &peer), WEIR_OK);
    assert_int_equal(sys->tcp_accept(sys, listeners[0], &server, &peer), WEIR_E_AGAIN);
    assert_true(peer.is_unix);
    assert_int_equal(peer.uid, getuid());
    assert_int_equal(peer.process_id, getpid());
    sys->poller_close(sys, poller);
    sys->socket_close(sys, client);
    sys->socket_close(sys, server);
    for (int i = 0; i < 2; i++)
        sys->socket_close(sys, listeners[i]);
    sys->unix_unlisten(sys, a.path, lock);
    assert_false(is_there(sys, a.path));
    assert_true(is_there(sys, a.lock));
}

static void one_that_listens_keeps_its_name_and_a_dead_one_does_not(void **state) {
    const struct test_world *world = *state;
    struct sys *sys = world->sys;
    struct address a = address_in(world);
    int first, second, lock = -1, untouched = -7;
    assert_int_equal(sys->unix_listen(sys, a.path, 0660, 1, &first, &lock), WEIR_OK);
    assert_int_equal(sys->unix_listen(sys, a.path, 0660, 1, &untouched, &untouched), WEIR_E_EXISTS);
    assert_int_equal(untouched, -7);
    assert_non_null(strstr(weir_error_text(), "another node listens there"));
    close(lock); /* as when its process dies: the socket is closed, the name stays */
    assert_int_equal(sys->unix_listen(sys, a.path, 0660, 1, &untouched, &untouched), WEIR_E_EXISTS);
    assert_non_null(strstr(weir_error_text(), "another program listens there"));
    sys->socket_close(sys, first);
    assert_true(is_there(sys, a.path));
    assert_int_equal(sys->unix_listen(sys, a.path, 0660, 1, &second, &lock), WEIR_OK);
    int client = -1;
    assert_int_equal(sys->unix_connect(sys, a.path, &client), WEIR_OK);
    sys->socket_close(sys, client);
    sys->socket_close(sys, second);
    sys->unix_unlisten(sys, a.path, lock);
    assert_int_equal(sys->unix_connect(sys, a.path, &client), WEIR_E_CLOSED);
}

static void what_is_no_socket_is_left_alone(void **state) {
    const struct test_world *world = *state;
    struct sys *sys = world->sys;
    struct address a = address_in(world);
    int socket = -1, lock = -1;
    assert_int_equal(sys_replace_file(sys, a.path, weir_slice_text("precious")), WEIR_OK);
    assert_int_equal(sys->unix_listen(sys, a.path, 0660, 1, &socket, &lock), WEIR_E_EXISTS);
    struct weir_slice bytes;
    assert_int_equal(sys_read_all(sys, a.path, 100, &bytes), WEIR_OK);
    assert_int_equal(bytes.size, 8);
    sys_bytes_free(bytes);
    char longer[SYS_UNIX_PATH_MAX + 2];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = 0;
    assert_int_equal(sys->unix_listen(sys, longer, 0660, 1, &socket, &lock), WEIR_E_INVALID);
    assert_int_equal(sys->unix_connect(sys, longer, &socket), WEIR_E_INVALID);
    assert_int_equal(socket, -1);
}

static void the_simulated_world_says_that_it_has_none(void **state) {
    struct sys *sys = ((struct test_world *)*state)->sys;
    int socket = -1, lock = -1;
    assert_int_equal(sys->unix_listen(sys, "/s", 0660, 1, &socket, &lock), WEIR_E_UNSUPPORTED);
    assert_int_equal(sys->unix_connect(sys, "/s", &socket), WEIR_E_UNSUPPORTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_LINUX(a_connection_says_who_made_it),
        IN_LINUX(one_that_listens_keeps_its_name_and_a_dead_one_does_not),
        IN_LINUX(what_is_no_socket_is_left_alone),
        IN_SIM(the_simulated_world_says_that_it_has_none),
    };
    return cmocka_run_group_tests_name("sys unix", tests, NULL, NULL);
}
