/* What a supervisor hears: each line of sd_notify's protocol, at both kinds of address, and that nothing of it can stop
 * or delay a node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/notify.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct supervisor {
    struct sys *sys;
    int socket;
    char folder[64], path[96];
};

static void listen_at(struct supervisor *s, const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@') address.sun_path[0] = 0;
    s->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(s->socket >= 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    assert_int_equal(bind(s->socket, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
}

static int setup(void **state) {
    struct supervisor *s = calloc(1, sizeof *s);
    *state = s;
    if (!s || sys_linux_new(&s->sys) != WEIR_OK) return -1;
    snprintf(s->folder, sizeof s->folder, "/tmp/weir-notify-XXXXXX");
    if (!mkdtemp(s->folder)) return -1;
    snprintf(s->path, sizeof s->path, "%s/notify", s->folder);
    listen_at(s, s->path);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return 0;
}

static int teardown(void **state) {
    struct supervisor *s = *state;
    if (s->socket >= 0) close(s->socket);
    unlink(s->path);
    rmdir(s->folder);
    sys_linux_free(s->sys);
    free(s);
    unsetenv("NOTIFY_SOCKET");
    return 0;
}

/* The next datagram; "" when there is none. */
static const char *heard(const struct supervisor *s) {
    static char text[256];
    ssize_t size = recv(s->socket, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = 0;
    return text;
}

static void each_state_is_one_datagram(void **state) {
    struct supervisor *s = *state;
    struct notify n;
    notify_init(&n, s->sys);
    notify_ready(&n);
    assert_string_equal(heard(s), "READY=1\nSTATUS=serving\n");
    uint64_t before = s->sys->mono_ns(s->sys) / 1000;
    notify_reloading(&n);
    const char *head = "RELOADING=1\nMONOTONIC_USEC=", *said = heard(s);
    assert_memory_equal(said, head, strlen(head));
    uint64_t at = strtoull(said + strlen(head), NULL, 10);
    assert_in_range(at, before, s->sys->mono_ns(s->sys) / 1000);
    notify_stopping(&n);
    assert_string_equal(heard(s), "STOPPING=1\nSTATUS=stopping\n");
    assert_string_equal(heard(s), "");
}

static void the_watchdog_is_told_of_only_where_it_is_ours(void **state) {
    struct supervisor *s = *state;
    const struct {
        const char *usec, *pid;
        uint64_t ns, pause_ms;
    } cases[] = {{NULL, NULL, 0, 3600000}, {"4000000", NULL, 4000000000u, 1000}, {"4000000", "1", 0, 3600000},
        {"4000", "", 0, 3600000}, {"2000", NULL, 2000000, 1}, {"18446744073709551615", NULL, 0, 3600000},
        {"soon", NULL, 0, 3600000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsetenv("WATCHDOG_USEC");
        unsetenv("WATCHDOG_PID");
        if (cases[i].usec) setenv("WATCHDOG_USEC", cases[i].usec, 1);
        if (cases[i].pid) setenv("WATCHDOG_PID", cases[i].pid, 1);
        struct notify n;
        notify_init(&n, s->sys);
        assert_int_equal(n.watchdog_ns, cases[i].ns);
        assert_int_equal(notify_pause_ms(&n), cases[i].pause_ms);
        notify_alive(&n);
        assert_string_equal(heard(s), cases[i].ns ? "WATCHDOG=1\n" : "");
    }
    char own[16];
    snprintf(own, sizeof own, "%d", (int)getpid());
    setenv("WATCHDOG_USEC", "8000000", 1);
    setenv("WATCHDOG_PID", own, 1);
    struct notify n;
    notify_init(&n, s->sys);
    assert_int_equal(notify_pause_ms(&n), 2000);
}

static void an_abstract_name_is_an_address_too(void **state) {
    struct supervisor *s = *state;
    char name[64];
    snprintf(name, sizeof name, "@weir-notify-%d", (int)getpid());
    close(s->socket);
    listen_at(s, name);
    struct notify n;
    notify_init(&n, s->sys);
    notify_ready(&n);
    assert_string_equal(heard(s), "READY=1\nSTATUS=serving\n");
}

static void a_supervisor_that_is_gone_or_full_stops_nobody(void **state) {
    struct supervisor *s = *state;
    struct notify n;
    notify_init(&n, s->sys);
    enum weir_error e = WEIR_OK;
    for (int i = 0; i < 100000 && e == WEIR_OK; i++)
        e = s->sys->datagram_send(s->sys, s->path, "x", 1);
    assert_int_equal(e, WEIR_E_AGAIN);
    notify_ready(&n);
    close(s->socket);
    s->socket = -1;
    assert_int_equal(s->sys->datagram_send(s->sys, s->path, "x", 1), WEIR_E_NOT_FOUND);
    notify_ready(&n);
    unlink(s->path);
    assert_int_equal(s->sys->datagram_send(s->sys, s->path, "x", 1), WEIR_E_NOT_FOUND);
    char longest[200];
    memset(longest, 'a', sizeof longest);
    longest[0] = '/', longest[sizeof longest - 1] = 0;
    const char *const bad[] = {"", "relative", longest};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(s->sys->datagram_send(s->sys, bad[i], "x", 1), WEIR_E_INVALID);
    unsetenv("NOTIFY_SOCKET");
    notify_init(&n, s->sys);
    assert_null(n.path);
    notify_ready(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_state_is_one_datagram, setup, teardown),
        cmocka_unit_test_setup_teardown(the_watchdog_is_told_of_only_where_it_is_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(an_abstract_name_is_an_address_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_supervisor_that_is_gone_or_full_stops_nobody, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
