/* What the exchange's command-line tools read from others, any bytes of it: a node's OUCH session, a node's HTTP
 * answer, a file of best prices. Each is taken or refused with a sentence, and nothing outside it is touched. Input: u8
 * which, then the bytes. Covers: tool_client.c tool_http.c. */
#include "exchange/tool_check.h"
#include "exchange/tool_client.h"
#include "exchange/tool_http.h"
#include "sys/fuzz_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PATIENCE_NS 20000000 /* for a node that says nothing more */

static struct fuzz_peer peer;

static void note(void *context, struct tool_client *client, const struct tool_client_pending *asked,
    const struct weir_ouch_response *answer) {
    char text[160];
    (void)asked;
    WEIR_ASSERT(client->pending_count <= client->pending_max);
    WEIR_ASSERT(strlen(tool_client_refusal(answer, text)) < sizeof text);
    ++*(uint32_t *)context;
}

static void queue(struct tool_client *client, uint32_t ref) {
    struct weir_ouch_request request;
    tool_client_enter(&request, ref, 'B', "ABC     ");
    if (ref % 4 == 3)
        request =
            (struct weir_ouch_request){.type = WEIR_OUCH_REPLACE, .replace = {.user_ref = ref, .orig_user_ref = 1}};
    if (ref % 4 == 0) request = (struct weir_ouch_request){.type = WEIR_OUCH_CANCEL, .cancel = {.user_ref = 2}};
    tool_client_put(client, &request, ref, 0);
}

/* A login, four requests, and at the end either a mass cancel or a goodbye: as far as the node's words let it come. */
static void fuzz_session(struct weir_slice bytes) {
    struct tool_client client;
    uint32_t answers = 0;
    fuzz_peer_start(&peer, bytes);
    enum weir_error e = tool_client_init(&client, peer.address, "1", "", 8);
    WEIR_ASSERT(!e);
    if (bytes.size % 3 == 0) tool_client_partition(&client, 1);
    if (bytes.size % 3 == 1) client.sequence = 1;
    e = tool_client_login(&client, PATIENCE_NS, note, &answers);
    for (uint32_t ref = 1; e == WEIR_OK && ref <= 4; ref++)
        queue(&client, ref);
    if (e == WEIR_OK && bytes.size % 2) e = tool_client_cancel_all(&client, PATIENCE_NS);
    if (e == WEIR_OK) e = tool_client_send(&client, 1);
    for (int i = 0; e == WEIR_OK && i < 100; i++)
        e = tool_client_receive(&client, note, &answers);
    WEIR_ASSERT(!e || weir_error_text()[0] != 0);
    tool_client_logout(&client);
    tool_client_done(&client);
    fuzz_peer_join(&peer);
}

static void fuzz_answer(struct weir_slice bytes) {
    static struct tool_http http; /* once: so large a buffer costs more than the rest */
    struct weir_slice answer;
    char text[40];
    int64_t number;
    fuzz_peer_start(&peer, bytes);
    if (!http.buffer) {
        enum weir_error failed = tool_http_init(&http, peer.address);
        WEIR_ASSERT(!failed);
    }
    enum weir_error e = tool_http_call(&http, WEIR_HTTP_GET, "/", bytes.size % 2 ? "{}" : NULL, &answer);
    WEIR_ASSERT(!e || weir_error_text()[0] != 0);
    if (e == WEIR_OK) {
        (void)tool_json_number(answer, "id", &number);
        if (tool_json_text(answer, "text", text, sizeof text)) WEIR_ASSERT(memchr(text, 0, sizeof text));
    }
    if (http.fd >= 0) close(http.fd);
    http.fd = -1;
    fuzz_peer_join(&peer);
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
