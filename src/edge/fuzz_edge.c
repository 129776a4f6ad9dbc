/* A client of the edge that sends anything: over a simulated socket, to the HTTP listener or to a gateway's. Every
 * answer is whole HTTP, there is at most one for each request and one more for what is none, in their order, and which
 * they are does not depend on how the bytes came; when the client has gone, no connection is left. Input: u8 listener,
 * u8 seed of the cuts, what is sent. Covers: http_session.c http_answer.c conn.c routes.c service_call.c ws_session.c.
 */
#include "base/assert.h"
#include "base/prng.h"
#include "sys/sim.h"
#include "test_fake.h"
#include "wire/http.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ANSWERS_MAX  512
#define ANSWER_BYTES (4u << 20)
#define QUIET_STEPS  32 /* of which a step that reads takes a part at the least, and a command takes two */

static const struct weir_http_limits limits = {
    .head_bytes_max = 8192, .target_bytes_max = 8192, .header_count_max = 64, .body_bytes_max = 65536};
static struct sys *sys;
static uint8_t received[ANSWER_BYTES];

struct answers {
    uint32_t count;
    int status[ANSWERS_MAX];
};

static void open_edge(void) {
    struct sys_sim_plan plan = {.seed = 1};
    enum weir_error e = sys_sim_new(&plan, &sys);
    WEIR_ASSERT(e == WEIR_OK);
    fake_open_in(sys, 8, 0, "error");
}

static void close_edge(void) {
    fake_close_in();
    sys_sim_free(sys);
}

static bool is_head(struct weir_slice *requests) {
    static struct weir_http_parser parser;
    static uint8_t bytes[1 << 16];
    if (requests->size == 0 || requests->size > sizeof bytes) return false;
    memcpy(bytes, requests->data, requests->size);
    weir_http_parser_init(&parser, &limits);
    if (weir_http_parser_feed(&parser, bytes, requests->size) != WEIR_HTTP_COMPLETE) {
        requests->size = 0;
        return false;
    }
    *requests = weir_slice(requests->data + parser.consumed, requests->size - parser.consumed);
    return parser.request.method == WEIR_HTTP_HEAD;
}

/* Reads what came back as answers to the requests; what stands behind an upgrade is not HTTP any more. */
static void read_answers(struct weir_slice requests, size_t size, struct answers *answers) {
    static struct weir_http_response_parser parser;
    static const struct weir_http_limits large = {
        .head_bytes_max = 8192, .target_bytes_max = 8192, .header_count_max = 64, .body_bytes_max = ANSWER_BYTES};
    size_t at = 0;
    while (at < size && answers->count < ANSWERS_MAX) {
        WEIR_ASSERT(requests.size > 0); /* no answer to nothing */
        weir_http_response_parser_init(&parser, &large, is_head(&requests));
        enum weir_http_result result = weir_http_response_parser_feed(&parser, received + at, size - at);
        if (result == WEIR_HTTP_MORE) {
            /* An interim answer alone: the client was told to go on, and did not. */
            WEIR_ASSERT(parser.skipped == size - at);
            return;
        }
        WEIR_ASSERT(result == WEIR_HTTP_COMPLETE);
        answers->status[answers->count++] = parser.response.status;
        if (parser.response.status == 101) return;
        at += parser.consumed;
    }
}

static size_t talk(const char *listener, struct weir_slice bytes, struct prng *cuts) {
    int client = -1;
    size_t size = 0, sent = 0, quiet = 0;
    fake.command_count = 0;
    enum weir_error e = sys_sim_connect(sys, fake_port(listener), &client);
    WEIR_ASSERT(e == WEIR_OK);
    while (quiet < QUIET_STEPS || sent < bytes.size) {
        size_t step = cuts && sent < bytes.size ? prng_between(cuts, 1, bytes.size - sent) : bytes.size - sent;
        e = sent < bytes.size ? sys_sim_client_send(sys, client, weir_slice(bytes.data + sent, step)) : WEIR_OK;
        sent = e ? bytes.size : sent + step; /* closed: nobody hears the rest */
        fake_step();
        size_t got = sys_sim_client_receive(sys, client, received + size, sizeof received - size);
        size += got;
        quiet = got || sent < bytes.size ? 0 : quiet + 1;
    }
    sys_sim_client_close(sys, client);
    for (int i = 0; i < QUIET_STEPS && edge_connections(fake.edge) > 0; i++)
        fake_step();
    WEIR_ASSERT(edge_connections(fake.edge) == 0);
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct answers whole, pieces;
    if (size < 3 || size > 1 << 15) return 0;
    open_edge();
    struct prng cuts = prng_seed(data[1]);
    struct weir_slice bytes = weir_slice(data + 2, size - 2);
    if (data[0] & 1) {
        (void)talk("fake.lines", bytes, &cuts);
    } else {
        whole.count = pieces.count = 0;
        read_answers(bytes, talk("http", bytes, NULL), &whole);
        read_answers(bytes, talk("http", bytes, &cuts), &pieces);
        WEIR_ASSERT(whole.count == pieces.count);
        WEIR_ASSERT(memcmp(whole.status, pieces.status, whole.count * sizeof whole.status[0]) == 0);
    }
    close_edge();
    return 0;
}
