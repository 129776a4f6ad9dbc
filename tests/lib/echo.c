/* A service for tests alone: a WebSocket route that says back what it hears, so that suites which expect an echo (the
 * public Autobahn cases) talk to the node's own code. */
#include <weir/gateway.h>
#include <weir/plugin.h>

/* The largest message of the Autobahn cases (9.1.6) is 16 MB; what they leave unread meanwhile may be as much. */
#define MESSAGE_BYTES_MAX (16u << 20)

struct echo { /* the fold has nothing to remember */
    uint64_t unused;
};

static void apply(void *state, const struct weir_record *record, struct weir_out *out) {
    (void)state;
    (void)record;
    (void)out;
}

static void echo_bytes(struct weir_session *session, struct weir_slice bytes, bool text, size_t *ret_consumed) {
    *ret_consumed = bytes.size;
    (void)weir_session_send(session, bytes, text); /* FULL: who never reads is closed */
}

static const struct weir_protocol protocol = {.name = "echo",
    .receive_bytes_max = MESSAGE_BYTES_MAX,
    .send_bytes_max = 2 * MESSAGE_BYTES_MAX,
    .on_bytes = echo_bytes};
static const struct weir_protocol small = {.name = "echo_small", .receive_bytes_max = 1000, .on_bytes = echo_bytes};

static const struct weir_topic topics[] = {{"echo.unused", WEIR_TOPIC_INPUT, .summary = "Nothing."}, {0}};
static const struct weir_route routes[] = {
    {WEIR_ROUTE_SOCKET, "GET", "/v1/echo", "Says back each message.", .protocol = &protocol},
    {WEIR_ROUTE_SOCKET, "GET", "/v1/echo/small", "The same, of messages up to 1,000 bytes.", .protocol = &small},
    {0},
};

WEIR_SERVICE(echo) = {
    .name = "echo",
    .summary = "Says back each WebSocket message; for tests.",
    .version = 1,
    .version_replays = 1,
    .topics = topics,
    .routes = routes,
    .flat_bytes = sizeof(struct echo),
    .apply = apply,
};
