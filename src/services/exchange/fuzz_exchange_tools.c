/* What the exchange's command-line tools read from others, any bytes of it: a node's OUCH session, a node's HTTP
 * answer, a file of best prices. Each is taken or refused with a sentence, and nothing outside it is touched. Input: u8
 * which, then the bytes. Covers: tool_client.c tool_http.c. */
#include "base/assert.h"
#include "exchange/tool_check.h"
#include "exchange/tool_client.h"
#include "exchange/tool_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* near: a socket on which the bytes are what a node sent before it closed. */
struct peer {
    int near, far;
};
static struct peer peer_that_sent(struct weir_slice bytes) {
    int pair[2];
    int failed = socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    WEIR_ASSERT(!failed);
    (void)!send(pair[1], bytes.data, bytes.size, MSG_NOSIGNAL | MSG_DONTWAIT); /* it fits the socket's buffer */
    shutdown(pair[1], SHUT_WR);
    return (struct peer){pair[0], pair[1]};
}

static void note(void *context, struct tool_client *client, const struct tool_client_pending *asked,
    const struct weir_ouch_response *answer) {
    char text[160];
    (void)asked;
    WEIR_ASSERT(client->pending_count <= client->pending_max);
    WEIR_ASSERT(strlen(tool_client_refusal(answer, text)) < sizeof text);
    ++*(uint32_t *)context;
}

static void fuzz_session(struct weir_slice bytes) {
    struct tool_client client;
    uint32_t answers = 0;
    enum weir_error e = tool_client_init(&client, "127.0.0.1:1", "1", "", 8);
    WEIR_ASSERT(!e);
    struct peer peer = peer_that_sent(bytes);
    client.fd = peer.near;
    for (uint32_t ref = 1; ref <= 4; ref++) {
        struct weir_ouch_request request;
        tool_client_enter(&request, ref, 'B', "ABC     ");
        if (ref == 3)
            request =
                (struct weir_ouch_request){.type = WEIR_OUCH_REPLACE, .replace = {.user_ref = 3, .orig_user_ref = 1}};
        if (ref == 4) request = (struct weir_ouch_request){.type = WEIR_OUCH_CANCEL, .cancel = {.user_ref = 2}};
        tool_client_put(&client, &request, ref, 0);
    }
    e = tool_client_send(&client, 1);
    while (e == WEIR_OK)
        e = tool_client_receive(&client, note, &answers);
    WEIR_ASSERT(weir_error_text()[0] != 0);
    tool_client_done(&client);
    close(peer.far);
}

static void fuzz_answer(struct weir_slice bytes) {
    static uint8_t *buffer; /* once: so large a block costs more than the rest */
    if (!buffer) buffer = malloc(TOOL_HTTP_ANSWER_BYTES);
    struct tool_http http = {.host = "127.0.0.1", .port = "1", .buffer = buffer};
    struct weir_slice answer;
    char text[40];
    int64_t number;
    struct peer peer = peer_that_sent(bytes);
    http.fd = peer.near;
    enum weir_error e = tool_http_call(&http, WEIR_HTTP_GET, "/", bytes.size % 2 ? "{}" : NULL, &answer);
    if (e == WEIR_OK) {
        (void)tool_json_number(answer, "id", &number);
        if (tool_json_text(answer, "text", text, sizeof text)) WEIR_ASSERT(memchr(text, 0, sizeof text));
    } else {
        WEIR_ASSERT(weir_error_text()[0] != 0);
    }
    if (http.fd >= 0) close(http.fd);
    close(peer.far);
}

static void fuzz_file(struct weir_slice bytes) {
    char path[64];
    int file = memfd_create("fuzz", 0);
    ssize_t put = write(file, bytes.data, bytes.size);
    WEIR_ASSERT(file >= 0 && put == (ssize_t)bytes.size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    struct plan plan = {0};
    struct check check = {.plan = &plan};
    enum weir_error e = check_tops_load(&check, path);
    WEIR_ASSERT(e == WEIR_OK || weir_error_text()[0] != 0);
    free(check.tops);
    close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 1 << 15) return 0;
    struct weir_slice bytes = weir_slice(data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        fuzz_session(bytes);
        break;
    case 1:
        fuzz_answer(bytes);
        break;
    default:
        fuzz_file(bytes);
    }
    return 0;
}
