/* The command line's HTTP client against a node that answers anything, on a simulated connection: an answer, or an
 * error with a sentence. Input: what the node sends. Covers: client.c. */
#include "cli/client.h"

#include "base/assert.h"
#include "sys/sim.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A node that accepts, sends its bytes and closes. */
static void node_answers(struct sys *sys, int listener, struct weir_slice bytes) {
    struct sys_address peer;
    int socket = -1;
    enum weir_error e = sys->tcp_accept(sys, listener, &socket, &peer);
    WEIR_ASSERT(!e);
    while (bytes.size > 0) {
        struct sys_iovec part = {(void *)(uintptr_t)bytes.data, bytes.size};
        size_t sent = 0;
        if (sys->socket_write(sys, socket, &part, 1, &sent)) break;
        bytes = weir_slice(bytes.data + sent, bytes.size - sent);
    }
    sys->socket_shutdown(sys, socket);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t *buffer;
    struct sys_sim_plan plan = {.seed = size};
    struct client client = {.host = "127.0.0.1", .poller = -1, .socket = -1};
    struct client_answer answer;
    int listener = -1;
    if (size == 0) return 0;
    if (!buffer) buffer = malloc(CLIENT_ANSWER_BYTES_MAX);
    client.buffer = buffer;
    enum weir_error e = sys_sim_new(&plan, &client.sys);
    struct sys *sys = client.sys;
    if (!e) e = sys->tcp_listen(sys, "127.0.0.1", 0, false, &listener, &client.port);
    if (!e) e = sys->tcp_connect(sys, "127.0.0.1", client.port, &client.socket);
    if (!e) e = sys->poller_open(sys, &client.poller);
    if (!e) e = sys->poller_add(sys, client.poller, client.socket, 1, SYS_POLL_WRITE);
    WEIR_ASSERT(!e);
    node_answers(sys, listener, weir_slice(data, size));
    struct weir_slice body = weir_slice(size % 2 ? "{}" : NULL, size % 2 ? 2 : 0);
    e = client_request(&client, WEIR_HTTP_POST, "/v1/x", body, &answer);
    WEIR_ASSERT(e ? weir_error_text()[0] != 0 : answer.status < 400);
    sys_sim_free(sys);
    return 0;
}
