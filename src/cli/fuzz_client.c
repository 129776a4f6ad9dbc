/* The command line's HTTP client against a node that answers anything: an answer, or an error with a sentence.
 * Input: what the node sends. Covers: client.c. */
#include "cli/client.h"

#include "sys/fuzz_peer.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is no address is refused before anything is opened, and closing what was not opened does nothing. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static const char *const bad[] = {"", ":", "a:", ":1", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536",
        "127.0.0.1:-1", "unix:", "https://", "https://a", "https+unix:", "[]:1", "http://:1"};
    struct client client;
    (void)argc, (void)argv;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(bad); i++) {
        enum weir_error e = client_open(&client, &(struct client_options){.node = bad[i]});
        WEIR_ASSERT(e == WEIR_E_INVALID);
        client_close(&client);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct fuzz_peer peer;
    struct client client;
    struct client_answer answer;
    fuzz_peer_start(&peer, weir_slice(data, size));
    enum weir_error e = client_open(&client, &(struct client_options){.node = peer.address});
    WEIR_ASSERT(!e);
    struct weir_slice body = weir_slice(size % 2 ? "{}" : NULL, size % 2 ? 2 : 0);
    e = client_request(&client, WEIR_HTTP_POST, "/v1/x", body, &answer);
    WEIR_ASSERT(e ? weir_error_text()[0] != 0 : answer.status < 400);
    client_close(&client);
    fuzz_peer_join(&peer);
    return 0;
}
