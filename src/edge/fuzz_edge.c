/* A client of the edge that sends anything: over a simulated socket, to the HTTP listener or to a gateway's. Every
 * answer is whole HTTP, there is at most one for each request and one more for what is none, in their order, and which
 * they are does not depend on how the bytes came; when the client has gone, no connection is left. Input: u8 listener,
 * u8 seed of the cuts, what is sent. Covers: http_session.c http_answer.c conn.c routes.c service_call.c ws_session.c.
 */
#include "base/assert.h"
#include "base/prng.h"
#include "edge/lane.h"
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
        /* How many wrong tokens are too many depends on when they came. */
        answers->status[answers->count++] = parser.response.status == 429 ? 401 : parser.response.status;
        if (parser.response.status == 101) return;
        at += parser.consumed;
    }
}

/* What else happens to the node meanwhile. */
enum mode {
    MODE_LINES = 1,
    MODE_FULL = 2,
    MODE_SLOW = 4,
    MODE_IDLE = 8,
    MODE_DRAIN = 16,
    MODE_LOG = 32,
    MODE_AUTH = 64
};

/* A step of the lane. A slow host answers now and then only, the youngest command first, some of them with an error. */
static void step(uint8_t mode, uint32_t number) {
    if (mode & MODE_SLOW && number % 8 == 7)
        for (uint32_t i = fake.command_count; i-- > 0;)
            if (!fake.commands[i].done)
                fake_finish(i, i % 3 == 2 ? WEIR_E_PARKED : WEIR_OK, (uint16_t)(i % 3 == 2 ? 503 : 200), i % 3 == 1);
    fake_step();
}

static size_t talk(uint8_t mode, struct weir_slice bytes, struct prng *cuts) {
    int client = -1;
    size_t size = 0, sent = 0, quiet = 0;
    uint32_t number = 0;
    fake.command_count = 0;
    fake.full = mode & MODE_FULL;
    fake.manual = mode & MODE_SLOW;
    enum weir_error e = sys_sim_connect(sys, fake_port(mode & MODE_LINES ? "fake.lines" : "http"), &client);
    WEIR_ASSERT(e == WEIR_OK);
    while (quiet < QUIET_STEPS || sent < bytes.size) {
        size_t piece = cuts && sent < bytes.size ? prng_between(cuts, 1, bytes.size - sent) : bytes.size - sent;
        e = sent < bytes.size ? sys_sim_client_send(sys, client, weir_slice(bytes.data + sent, piece)) : WEIR_OK;
        sent = e ? bytes.size : sent + piece; /* closed: nobody hears the rest */
        step(mode, number++);
        size_t got = sys_sim_client_receive(sys, client, received + size, sizeof received - size);
        size += got;
        quiet = got || sent < bytes.size ? 0 : quiet + 1;
        if (quiet == QUIET_STEPS / 2 && mode & MODE_IDLE) fake.skew_ns += 61 * SYS_NANOS_PER_S;
        if (quiet == QUIET_STEPS / 2 && mode & MODE_DRAIN) edge_drain(fake.edge);
    }
    sys_sim_client_close(sys, client);
    fake.full = false; /* or what a gateway could not hand on would keep its session */
    for (int i = 0; i < QUIET_STEPS && edge_connections(fake.edge) > 0; i++)
        step(mode, number++);
    WEIR_ASSERT(edge_connections(fake.edge) == 0);
    return size;
}

/* The node asks for tokens, and has one, which the corpus knows: it may do everything of the fake service. */
static void ask_for_tokens(struct auth *auth) {
    static const uint8_t random[SECRET_RANDOM] = {0};
    struct token_wish wish = {.name = "fuzz", .tenant = "acme", .rate = TOKEN_RATE_MAX, .role_count = 1};
    struct token_shown shown;
    tokens_init(auth->tables[0], random);
    enum weir_error e = role_parse(weir_slice_text("*:*"), &wish.roles[0]);
    if (!e) e = tokens_create(auth->tables[0], &wish, random, 1, &shown);
    WEIR_ASSERT(!e);
    auth->on = true;
}

/* One run of the whole input in a world of its own, where it comes in the pieces of `cuts`, NULL: at once. */
static void run(uint8_t mode, struct weir_slice bytes, struct prng *cuts, struct answers *ret_answers) {
    struct sys_sim_plan plan = {.seed = 1};
    enum weir_error e = sys_sim_new(&plan, &sys);
    WEIR_ASSERT(e == WEIR_OK);
    fake_open_in(sys, 8, 0, mode & MODE_LOG ? "debug" : "error");
    if (mode & MODE_AUTH) ask_for_tokens(&fake.edge->auth);
    ret_answers->count = 0;
    size_t size = talk(mode, bytes, cuts);
    if (!(mode & MODE_LINES)) read_answers(bytes, size, ret_answers);
    fake_close_in();
    sys_sim_free(sys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct answers whole, pieces;
    if (size < 3 || size > 1 << 15) return 0;
    struct prng cuts = prng_seed(data[1]);
    struct weir_slice bytes = weir_slice(data + 2, size - 2);
    run(data[0], bytes, NULL, &whole);
    run(data[0], bytes, &cuts, &pieces);
    if (data[0] & MODE_SLOW) return 0; /* which commands share an answer's turn depends on when they came */
    WEIR_ASSERT(whole.count == pieces.count);
    WEIR_ASSERT(memcmp(whole.status, pieces.status, whole.count * sizeof whole.status[0]) == 0);
    return 0;
}
