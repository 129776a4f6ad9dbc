/* What the edge itself costs, the host being a fake that answers at once: CPU time per message of a binary gateway over
 * loopback TCP (32-byte messages, replies of 32 bytes), per pipelined GET and POST, and per transcoded message.
 * Prints one JSON object. */
#include "backup/agent.h"
#include "edge/lane.h"
#include "edge/transcode.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <test_transcode.pb-c.h>
#include <time.h>
#include <unistd.h>
#include <weir/gateway.h>

#define MESSAGE_SIZE 32u
#define QUEUE        65536u

struct host {
    struct sys *sys;
};
struct host_lane {
    struct host *host;
    int poller;
    uint64_t mono_ns;
    void *edge;
};
static struct host host;
static struct host_lane lane = {.host = &host};
static struct edge *edge;
static struct weir_setting_value node_values[NODE_SETTING_COUNT], service_values[1];
static struct host_origin queue[QUEUE];
static uint32_t queue_at, queue_count;
static uint64_t replies;

/* ---- a service: fixed messages in, one reply each ---- */

static void on_bytes(struct weir_session *session, struct weir_slice bytes, bool text, size_t *ret_consumed) {
    size_t at = 0;
    (void)text;
    for (; bytes.size - at >= MESSAGE_SIZE; at += MESSAGE_SIZE) {
        struct weir_command command = {.type = 1, .value = weir_slice(bytes.data + at, MESSAGE_SIZE)};
        if (weir_session_command(session, &command, at) != WEIR_OK) break;
    }
    *ret_consumed = at;
}

static void on_reply(struct weir_session *session, uint64_t correlation, enum weir_error error, uint16_t status,
    struct weir_slice value) {
    uint8_t out[MESSAGE_SIZE] = {0};
    (void)correlation, (void)error, (void)status, (void)value;
    (void)weir_session_send(session, weir_slice(out, sizeof out), false);
}

static const struct weir_protocol fixed = {.name = "fixed",
    .receive_bytes_max = 1 << 20,
    .send_bytes_max = 64 << 20,
    .on_bytes = on_bytes,
    .on_reply = on_reply};
static const struct weir_setting settings[] = {{"fixed", WEIR_SETTING_TEXT, "127.0.0.1:0", 0, 0, "where", false}, {0}};
static const struct weir_topic topics[] = {{"bench.in", WEIR_TOPIC_INPUT, NULL, "in", 0}, {0}};
static const struct weir_route routes[] = {{.kind = WEIR_ROUTE_COMMAND,
                                               .method = "POST",
                                               .path = "/v1/bench/items",
                                               .request = &weir__edge__test__item_request__descriptor,
                                               .response = &weir__edge__test__item_reply__descriptor},
    {0}};
static const struct weir_listener listeners[] = {{"fixed", "fixed messages", "fixed", &fixed}, {0}};
static const struct weir_service service = {
    .name = "bench", .summary = "", .settings = settings, .topics = topics, .routes = routes, .listeners = listeners};
static const struct weir_service *const services[] = {&service, NULL};

/* ---- the host: every command is taken and answered in the next cycle ---- */

uint32_t host_lane_index(const struct host_lane *l) {
    return (void)l, 0;
}
int host_lane_poller(const struct host_lane *l) {
    return l->poller;
}
struct host *host_lane_host(const struct host_lane *l) {
    return l->host;
}
uint64_t host_lane_mono_ns(const struct host_lane *l) {
    return l->mono_ns;
}
void *host_lane_edge(const struct host_lane *l) {
    return l->edge;
}
struct trace_lane *host_lane_trace(const struct host_lane *l) {
    (void)l;
    return NULL;
}
void host_lane_set_edge(struct host_lane *l, void *e) {
    l->edge = e;
}
uint32_t host_service_partitions(const struct host *h, uint32_t i) {
    return (void)h, (void)i, 1;
}
const struct weir_setting_value *host_service_settings(const struct host *h, uint32_t i) {
    return (void)h, (void)i, service_values;
}
const struct weir_setting_value *settings_node(const struct settings *s) {
    return (void)s, node_values;
}
void settings_key(const struct settings *s, uint32_t group, uint32_t row, char *buf, size_t size) {
    (void)s;
    snprintf(buf, size, "%u.%u", group, row);
}
const struct weir_setting_value *settings_of(const struct settings *s, const char *n) {
    return (void)s, (void)n, service_values;
}
void host_forget(struct host_lane *l, const struct host_origin *o) {
    (void)l, (void)o;
}
enum weir_error host_submit(struct host_lane *l, const struct host_command *c) {
    (void)l;
    if (queue_count == QUEUE) return WEIR_E_FULL;
    queue[(queue_at + queue_count++) % QUEUE] = c->origin;
    return WEIR_OK;
}

/* Not called here, but named by the library; more of the kind is in test_nothing.c. */
uint64_t backup_agent_ask(struct backup_agent *agent) {
    return (void)agent, 0;
}
void backup_agent_facts(const struct backup_agent *agent, struct backup_facts *ret_facts) {
    (void)agent, (void)ret_facts;
}
void backup_agent_refresh(struct backup_agent *agent) {
    (void)agent;
}
bool host_ready(const struct host *h) {
    return (void)h, true;
}
void host_partition_facts(const struct host *h, uint32_t i, struct host_partition_facts *f) {
    (void)h, (void)i, (void)f;
}
enum weir_error host_query(struct host_lane *l, const struct host_query *q) {
    return (void)l, (void)q, WEIR_E_FULL;
}
enum weir_error host_subscribe(struct host_lane *l, const struct host_subscription *s) {
    return (void)l, (void)s, WEIR_E_FULL;
}
void host_unsubscribe(struct host_lane *l, const struct host_origin *o) {
    (void)l, (void)o;
}

static void cycle(void) {
    const struct host_edge *side = edge_side(edge);
    struct sys_poll_event events[64];
    static const uint8_t packed[] = {8, 7, 16, 9};
    for (; queue_count; queue_count--, queue_at = (queue_at + 1) % QUEUE, replies++) {
        struct host_delivery d = {.kind = HOST_REPLY,
            .origin = queue[queue_at],
            .status = 200,
            .value = weir_slice(packed, sizeof packed),
            .text = ""};
        side->on_delivery(side->ctx, &lane, &d);
    }
    size_t n = host.sys->poller_wait(host.sys, lane.poller, events, 64, 0);
    lane.mono_ns = host.sys->mono_ns(host.sys);
    for (size_t i = 0; i < n; i++)
        side->on_event(side->ctx, &lane, events[i].token, events[i].bits);
    side->on_cycle(side->ctx, &lane, lane.mono_ns);
}

static void die(const char *what) {
    fprintf(stderr, "bench: %s: %s\n", what, weir_error_text());
    exit(1);
}

static void open_edge(void) {
    if (sys_linux_new(&host.sys) || host.sys->poller_open(host.sys, &lane.poller)) die("sys");
    node_values[NODE_LISTEN].text = service_values[0].text = "127.0.0.1:0";
    node_values[NODE_KAFKA_LISTEN].text = "off";
    node_values[NODE_AUTH].text = "off";
    node_values[NODE_LOG_FORMAT].text = "logfmt";
    node_values[NODE_LOG_LEVEL].text = "error";
    node_values[NODE_CONNECTIONS_MAX].number = 16;
    node_values[NODE_HEADER_BYTES].number = 8192;
    node_values[NODE_BODY_BYTES].number = 1 << 20;
    node_values[NODE_IDLE].number = 60 * SYS_NANOS_PER_S;
    node_values[NODE_UNIX_MODE].text = "0660";
    node_values[NODE_TLS_CERT].text = node_values[NODE_TLS_KEY].text = node_values[NODE_TLS_CLIENT_CA].text = "";
    node_values[NODE_TLS_CLIENT].text = "optional";
    struct edge_options options = {.sys = host.sys, .services = services, .lanes = 1, .version = "bench"};
    if (edge_open(&options, &edge)) die("edge_open");
    const struct host_edge *side = edge_side(edge);
    if (side->on_start(side->ctx, &lane)) die("on_start");
}

static int connect_to(const char *name) {
    char line[256], want[64];
    edge_print_ready(edge, line, sizeof line);
    snprintf(want, sizeof want, " %s=127.0.0.1:", name);
    unsigned long port = strtoul(strstr(line, want) + strlen(want), NULL, 10);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (void *)&to, sizeof to) != 0) die("connect");
    fcntl(s, F_SETFL, O_NONBLOCK);
    return s;
}

static double cpu_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Sends `unit` over and over, reads and throws away what comes, until `total` units were answered. The client's own
 * reads and writes are in the figure: they are few, 64 KB each. Returns units per CPU second. */
static double drive(const char *listener, const void *unit, size_t unit_size, uint64_t total, const char *mark) {
    static uint8_t out[65536 * 2], in[1 << 20];
    size_t per = sizeof out / unit_size, at = 0;
    for (size_t i = 0; i < per; i++)
        memcpy(out + i * unit_size, unit, unit_size);
    int s = connect_to(listener);
    uint64_t sent = 0, done = 0;
    double start = cpu_now();
    while (done < total) {
        if (sent < total) {
            ssize_t put = send(s, out + at, per * unit_size - at, MSG_NOSIGNAL);
            if (put > 0) {
                at += (size_t)put;
                if (at == per * unit_size) {
                    at = 0;
                    sent += per;
                }
            }
        }
        cycle();
        ssize_t got = recv(s, in, sizeof in, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN)) die("the connection ended");
        if (got > 0 && !mark) done += (uint64_t)got / MESSAGE_SIZE;
        for (ssize_t i = 0; mark && i < got; i++)
            done += in[i] == (uint8_t)mark[0];
    }
    double rate = (double)done / (cpu_now() - start);
    close(s);
    for (int i = 0; i < 100; i++)
        cycle();
    return rate;
}

/* The same, a request at a time: what a client sees that waits for its answers. */
static double drive_one_by_one(const void *unit, size_t unit_size, uint64_t total, char mark) {
    static uint8_t in[4096];
    int s = connect_to("http");
    double start = cpu_now();
    for (uint64_t i = 0; i < total; i++) {
        if (send(s, unit, unit_size, MSG_NOSIGNAL) != (ssize_t)unit_size) die("send");
        for (bool answered = false; !answered;) {
            cycle();
            ssize_t got = recv(s, in, sizeof in, 0);
            if (got == 0 || (got < 0 && errno != EAGAIN)) die("the connection ended");
            answered = got > 0 && memchr(in, mark, (size_t)got);
        }
    }
    double rate = (double)total / (cpu_now() - start);
    close(s);
    for (int i = 0; i < 100; i++)
        cycle();
    return rate;
}

static double transcode_rate(bool read) {
    struct arena arena;
    static const char json[] =
        "{\"id\":\"18446744073709551615\",\"text\":\"a text of usual length\",\"status\":200,\"delay\":7}";
    arena_init(&arena, NULL, 65536, 0);
    double start = cpu_now();
    int rounds = 1000000;
    ProtobufCMessage *m = transcode_new(&arena, &weir__edge__test__item_request__descriptor);
    if (transcode_read(&arena, weir_slice_text(json), m)) die("transcode");
    struct arena_mark mark = arena_save(&arena);
    for (int i = 0; i < rounds; i++) {
        arena_restore(&arena, mark);
        if (read) {
            struct weir_slice packed;
            ProtobufCMessage *fresh = transcode_new(&arena, m->descriptor);
            if (transcode_read(&arena, weir_slice_text(json), fresh) || transcode_pack(&arena, fresh, &packed))
                die("read");
        } else {
            struct text_builder text = text_builder_arena(&arena, 0);
            struct json_writer w = json_writer(&text, 0);
            transcode_write(m, &w);
        }
    }
    double rate = rounds / (cpu_now() - start);
    arena_done(&arena);
    return rate;
}

/* ---- what asking for a token costs ---- */

#define AUTH_ROUNDS 7

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Commands per CPU second with auth: tokens over those with auth: off, in turns, on the same edge; the median. With
 * tokens the request carries its header, and with a limit the answer carries two more. */
static double auth_ratio(uint64_t rate, bool pipelined) {
    static const uint8_t random[SECRET_RANDOM] = {1, 2, 3};
    static const char body[] = "{\"id\":\"7\",\"text\":\"abcd\"}";
    struct token_wish wish = {.name = "bench", .rate = rate, .burst = rate * 1000, .role_count = 1};
    struct token_shown shown;
    char plain[512], signed_in[512];
    double ratios[AUTH_ROUNDS];
    struct auth *auth = &edge->auth;
    memset(auth->tables[0], 0, sizeof *auth->tables[0]);
    tokens_init(auth->tables[0], random);
    if (role_parse(weir_slice_text("*:write"), &wish.roles[0]) ||
        tokens_create(auth->tables[0], &wish, random, 1, &shown))
        die("a token");
    int a =
        snprintf(plain, sizeof plain, "POST /v1/bench/items HTTP/1.1\r\nHost: a\r\nContent-Length: 24\r\n\r\n%s", body);
    int b = snprintf(signed_in, sizeof signed_in,
        "POST /v1/bench/items HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Length: 24\r\n\r\n%s",
        shown.secret, body);
    for (int i = 0; i < AUTH_ROUNDS; i++) {
        double rates[2];
        for (int on = 0; on < 2; on++) {
            const char *unit = on ? signed_in : plain;
            size_t size = (size_t)(on ? b : a);
            auth->on = on;
            rates[on] = pipelined ? drive("http", unit, size, 100000, "}") : drive_one_by_one(unit, size, 20000, '}');
        }
        ratios[i] = rates[1] / rates[0];
    }
    auth->on = false;
    qsort(ratios, AUTH_ROUNDS, sizeof *ratios, by_size);
    return ratios[AUTH_ROUNDS / 2];
}

int main(void) {
    static const uint8_t message[MESSAGE_SIZE] = {1};
    static const char get[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    static const char post[] =
        "POST /v1/bench/items HTTP/1.1\r\nHost: a\r\nContent-Length: 24\r\n\r\n{\"id\":\"7\",\"text\":\"abcd\"}";
    open_edge();
    printf("{\"gateway_messages_per_cpu_s\":%.0f,", drive("bench.fixed", message, sizeof message, 5000000, NULL));
    printf("\"http_get_pipelined_per_cpu_s\":%.0f,", drive("http", get, sizeof get - 1, 1000000, "k"));
    printf("\"http_post_pipelined_per_cpu_s\":%.0f,", drive("http", post, sizeof post - 1, 500000, "}"));
    printf(
        "\"auth_on_over_off\":%.3f,\"auth_limited_over_off\":%.3f,", auth_ratio(0, false), auth_ratio(1000000, false));
    printf("\"auth_on_over_off_pipelined\":%.3f,\"auth_limited_over_off_pipelined\":%.3f,", auth_ratio(0, true),
        auth_ratio(1000000, true));
    printf("\"json_to_packed_per_cpu_s\":%.0f,\"message_to_json_per_cpu_s\":%.0f}\n", transcode_rate(true),
        transcode_rate(false));
    return 0;
}
