/* The client of the binary gateway against a server of a few lines: answers split anywhere, refusals, a link that
 * breaks with requests under way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "exchange/tool_client.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE UINT64_C(20000000000)

/* A gateway that remembers one session: UserRefNums taken, sequenced messages sent. */
struct server {
    int listener;
    char address[32];
    pthread_t thread;
    size_t piece;        /* bytes of an answer sent at once */
    uint32_t drop_after; /* the first link breaks after so many requests were applied, before they are answered */
    bool refuse;         /* logins */
    uint32_t last_ref;   /* highest taken */
    uint32_t applied, ignored, links;
    uint8_t *messages[4096]; /* sequenced, from 1 */
    uint16_t sizes[4096];
    uint64_t count;
    uint64_t asked_sequence; /* of the last login */
};

static void ok(enum weir_error error) {
    if (error) fail_msg("%s: %s", weir_error_name(error), weir_error_text());
}

static bool send_pieces(const struct server *s, int fd, const uint8_t *bytes, size_t size) {
    for (size_t at = 0; at < size;) {
        size_t n = s->piece && s->piece < size - at ? s->piece : size - at;
        ssize_t sent = send(fd, bytes + at, n, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        at += (size_t)sent;
    }
    return true;
}

static void send_message(const struct server *s, int fd, uint64_t i) {
    uint8_t out[512];
    weir_soupbin_header(out, WEIR_SOUPBIN_SEQUENCED, s->sizes[i]);
    memcpy(out + WEIR_SOUPBIN_HEADER_SIZE, s->messages[i], s->sizes[i]);
    (void)send_pieces(s, fd, out, WEIR_SOUPBIN_HEADER_SIZE + (size_t)s->sizes[i]);
}

static void answer(struct server *s, const struct weir_ouch_response *response) {
    uint8_t *bytes = malloc(WEIR_OUCH_MESSAGE_SIZE_MAX);
    s->sizes[s->count] = (uint16_t)weir_ouch_response_encode(response, bytes);
    s->messages[s->count++] = bytes;
}

/* Enter: accepted, and traded at once when its quantity is odd. Cancel: canceled, refused when the order is unknown. */
static void apply(struct server *s, const struct weir_ouch_request *r) {
    struct weir_ouch_response a = {0};
    if (r->type == WEIR_OUCH_ENTER) {
        if (r->enter.user_ref <= s->last_ref) {
            s->ignored++;
            return;
        }
        s->last_ref = r->enter.user_ref;
        a.type = WEIR_OUCH_R_ACCEPTED;
        a.accepted.user_ref = r->enter.user_ref;
        a.accepted.state = 'L';
        a.accepted.side = r->enter.side;
        memset(a.accepted.symbol, ' ', sizeof(a.accepted.symbol));
        memset(a.accepted.client_id, ' ', sizeof(a.accepted.client_id));
        answer(s, &a);
        if (r->enter.quantity % 2) {
            a = (struct weir_ouch_response){.type = WEIR_OUCH_R_EXECUTED, .executed = {.user_ref = r->enter.user_ref}};
            answer(s, &a);
        }
    } else if (r->cancel.user_ref > s->last_ref) {
        a.type = WEIR_OUCH_R_CANCEL_REJECT;
        a.cancel_reject.user_ref = r->cancel.user_ref;
        answer(s, &a);
    } else {
        a.type = WEIR_OUCH_R_CANCELED;
        a.canceled.user_ref = r->cancel.user_ref;
        a.canceled.reason = 'U';
        answer(s, &a);
    }
    s->applied++;
}

/* Returns false when the link shall end. */
static bool take(struct server *s, int fd, const struct weir_soupbin_packet *p) {
    uint8_t out[64];
    size_t size = 0;
    struct weir_soupbin_login login;
    if (p->type == WEIR_SOUPBIN_LOGIN_REQUEST) {
        ok(weir_soupbin_login_parse(p->payload, &login));
        s->asked_sequence = login.sequence;
        if (s->refuse) {
            ok(weir_soupbin_rejected_write(out, sizeof(out), WEIR_SOUPBIN_REJECT_NOT_AUTHORIZED, &size));
            (void)send_pieces(s, fd, out, size);
            return false;
        }
        uint64_t from = login.sequence ? login.sequence : s->count + 1;
        struct weir_soupbin_accepted accepted = {weir_slice_text("S1"), from};
        ok(weir_soupbin_accepted_write(out, sizeof(out), &accepted, &size));
        (void)send_pieces(s, fd, out, size);
        for (uint64_t i = from - 1; i < s->count; i++)
            send_message(s, fd, i);
        return true;
    }
    if (p->type == WEIR_SOUPBIN_LOGOUT) return false;
    if (p->type != WEIR_SOUPBIN_UNSEQUENCED) return true;
    struct weir_ouch_request r;
    assert_int_equal(weir_ouch_request_decode(p->payload, &r), WEIR_OUCH_REASON_NONE);
    if (r.type == WEIR_OUCH_QUERY) {
        struct weir_ouch_response q = {.type = WEIR_OUCH_R_NEXT_REF, .next_ref = {.user_ref = s->last_ref + 1}};
        size = weir_ouch_response_encode(&q, out + WEIR_SOUPBIN_HEADER_SIZE);
        weir_soupbin_header(out, WEIR_SOUPBIN_UNSEQUENCED, size);
        return send_pieces(s, fd, out, WEIR_SOUPBIN_HEADER_SIZE + size);
    }
    uint64_t before = s->count;
    apply(s, &r);
    if (s->links == 1 && s->drop_after && s->applied >= s->drop_after) return false;
    for (uint64_t i = before; i < s->count; i++)
        send_message(s, fd, i);
    return true;
}

static void *serve(void *context) {
    struct server *s = context;
    for (;;) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0) return NULL;
        uint8_t in[65536];
        size_t size = 0;
        bool open = true;
        s->links++;
        while (open) {
            ssize_t n = recv(fd, in + size, sizeof(in) - size, 0);
            if (n <= 0) break;
            size += (size_t)n;
            struct weir_soupbin_packet p;
            while (open && weir_soupbin_parse(weir_slice(in, size), WEIR_SOUPBIN_CLIENT, 0, &p) == WEIR_OK) {
                open = take(s, fd, &p);
                size -= p.size;
                memmove(in, in + p.size, size);
            }
        }
        close(fd);
    }
}

static void start(struct server *s) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(at);
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(s->listener, 4), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&at, &length), 0);
    snprintf(s->address, sizeof(s->address), "127.0.0.1:%d", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop(struct server *s) {
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    for (uint64_t i = 0; i < s->count; i++)
        free(s->messages[i]);
}

struct heard {
    uint32_t answers, executions, refusals, next_tag;
};

static void hear(void *context, struct tool_client *client, const struct tool_client_pending *asked,
    const struct weir_ouch_response *r) {
    struct heard *h = context;
    (void)client;
    h->executions += r->type == WEIR_OUCH_R_EXECUTED;
    if (!asked) return;
    assert_int_equal(asked->tag, h->next_tag++);
    h->answers++;
    h->refusals += r->type == WEIR_OUCH_R_CANCEL_REJECT;
}

static void request(uint32_t i, uint32_t ref, struct weir_ouch_request *ret) {
    if (i % 4 == 3) {
        *ret = (struct weir_ouch_request){.type = WEIR_OUCH_CANCEL, .cancel = {.user_ref = ref}};
        return;
    }
    tool_client_enter(ret, ref, 'B', "S0      ");
    ret->enter.quantity = 1 + i % 3;
    ret->enter.price = 100;
}

/* References of request i: enters rise, a cancel names the one before, every eighth nobody. */
static uint32_t ref_of(uint32_t i) {
    return i % 8 == 7 ? 1000000 : i - (i + 1) / 4 + 1;
}

static enum weir_error pump(struct tool_client *client, struct heard *heard) {
    enum weir_error error = tool_client_send(client, tool_client_now_ns());
    struct pollfd p = {client->fd, POLLIN, 0};
    if (error == WEIR_OK && poll(&p, 1, 50) > 0) error = tool_client_receive(client, hear, heard);
    return error;
}

#define REQUESTS 800u

static void run(struct server *server, struct heard *heard) {
    struct tool_client client;
    struct weir_ouch_request r;
    uint32_t next = 0, unsent = 0;
    start(server);
    ok(tool_client_init(&client, server->address, "60000", "", 256));
    ok(tool_client_login(&client, PATIENCE, hear, heard));
    assert_int_equal(client.next_ref, 1);
    uint64_t deadline = tool_client_now_ns() + PATIENCE;
    while (heard->answers < REQUESTS && tool_client_now_ns() < deadline) {
        for (; unsent; unsent--) {
            const struct tool_client_pending *p = tool_client_pending_at(&client, client.pending_count - unsent);
            request(p->tag, p->ref, &r);
            tool_client_put_again(&client, &r);
        }
        while (next < REQUESTS && tool_client_has_room(&client)) {
            request(next, ref_of(next), &r);
            tool_client_put(&client, &r, next, 0);
            next++;
        }
        enum weir_error error = pump(&client, heard);
        if (error == WEIR_OK) continue;
        assert_int_equal(error, WEIR_E_CLOSED);
        ok(tool_client_login(&client, PATIENCE, hear, heard));
        unsent = client.pending_count;
    }
    tool_client_logout(&client);
    tool_client_done(&client);
    stop(server);
    assert_int_equal(heard->answers, REQUESTS);
    assert_int_equal(heard->refusals, REQUESTS / 8);
    assert_int_equal(server->applied, REQUESTS + server->links - 1); /* a barrier a resumption */
}

static void every_answer_is_matched_however_the_bytes_are_split(void **state) {
    (void)state;
    static const size_t pieces[] = {0, 1, 3, 64};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        struct server server = {.piece = pieces[i]};
        struct heard heard = {0};
        run(&server, &heard);
        assert_int_equal(server.ignored, 0);
        assert_true(heard.executions > 100);
    }
}

static void a_broken_link_is_resumed_without_loss_or_repetition(void **state) {
    (void)state;
    for (uint32_t after = 1; after < 60; after += 7) {
        struct server server = {.drop_after = after};
        struct heard heard = {0};
        run(&server, &heard);
        assert_int_equal(server.links, 2);
        assert_true(server.asked_sequence > 0);
        assert_int_equal(server.ignored, 0);
    }
}

static void a_refused_login_is_an_error_that_names_the_user(void **state) {
    (void)state;
    struct server server = {.refuse = true};
    struct tool_client client;
    struct heard heard = {0};
    start(&server);
    ok(tool_client_init(&client, server.address, "60000", "", 16));
    assert_int_equal(tool_client_login(&client, PATIENCE, hear, &heard), WEIR_E_FORBIDDEN);
    assert_non_null(strstr(weir_error_text(), "60000"));
    tool_client_done(&client);
    stop(&server);
}

static void addresses_are_host_and_port(void **state) {
    (void)state;
    char host[64], port[8];
    ok(tool_client_address("127.0.0.1:9879", host, port));
    assert_string_equal(host, "127.0.0.1");
    assert_string_equal(port, "9879");
    ok(tool_client_address("[::1]:80", host, port));
    assert_string_equal(host, "::1");
    assert_int_equal(tool_client_address("9879", host, port), WEIR_E_INVALID);
    assert_int_equal(tool_client_address(":9879", host, port), WEIR_E_INVALID);
    assert_int_equal(tool_client_address("a:", host, port), WEIR_E_INVALID);
    assert_int_equal(tool_client_address("a:123456", host, port), WEIR_E_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_host_and_port),
        cmocka_unit_test(every_answer_is_matched_however_the_bytes_are_split),
        cmocka_unit_test(a_broken_link_is_resumed_without_loss_or_repetition),
        cmocka_unit_test(a_refused_login_is_an_error_that_names_the_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
