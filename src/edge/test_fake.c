/* The fake host. Everything of host.h and log.h that the edge calls. */
#include "test_fake.h"

#include "base/metric.h"
#include "edge/logline.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <test_transcode.pb-c.h>
#include <unistd.h>
#include <weir/gateway.h>

#include <cmocka.h>

#define STEPS_MAX 20000

struct host {
    struct sys *sys;
};
struct host_lane {
    struct host *host;
    int poller;
    uint64_t mono_ns;
    void *edge;
    struct trace_lane *trace;
};
struct fake fake;
static struct host host;
static struct host_lane lane = {.host = &host};
static struct metric_registry registry;
static struct weir_setting_value node_values[NODE_SETTING_COUNT], service_values[1];
static uint64_t next_ns;

/* ---- the service ---- */

static enum weir_error item_query(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    (void)state, (void)request, (void)answer;
    return WEIR_OK;
}

static void lines_bytes(struct weir_session *session, struct weir_slice bytes, bool text, size_t *ret_consumed) {
    size_t at = 0;
    (void)text;
    for (;;) {
        const uint8_t *end = memchr(bytes.data + at, '\n', bytes.size - at);
        if (!end) break;
        struct weir_slice line = weir_slice(bytes.data + at, (size_t)(end - bytes.data) - at);
        if (weir_slice_equal(line, weir_slice_text("close"))) {
            weir_session_close(session, "asked to");
        } else if (weir_slice_equal(line, weir_slice_text("flood"))) {
            static char much[100000];
            memset(much, 'x', sizeof much);
            while (weir_session_send(session, weir_slice(much, sizeof much), false) == WEIR_OK)
                ;
        } else if (weir_slice_equal(line, weir_slice_text("pause"))) {
            weir_session_pause(session);
            weir_session_wake_at(session, weir_session_mono_ns(session) + 1000);
            *ret_consumed = (size_t)(end - bytes.data) + 1;
            return;
        } else if (weir_slice_equal(line, weir_slice_text("scratch"))) {
            uint8_t *room = weir_session_scratch(session, 100);
            memset(room, 'y', 100);
            room[99] = '\n';
            WEIR_ASSERT(!weir_session_scratch(session, WEIR_SESSION_SCRATCH_MAX + 1));
            (void)weir_session_send(session, weir_slice(room + 98, 2), false);
        } else if (weir_slice_equal(line, weir_slice_text("wake"))) {
            weir_session_wake_at(session, weir_session_mono_ns(session) + 1000);
        } else if (weir_session_command(session, &(struct weir_command){.type = 7, .value = line}, line.size) !=
                   WEIR_OK) {
            break;
        }
        at = (size_t)(end - bytes.data) + 1;
    }
    *ret_consumed = at;
}

static void lines_reply(struct weir_session *session, uint64_t correlation, enum weir_error error, uint16_t status,
    struct weir_slice value) {
    char text[80];
    (void)value;
    int n = snprintf(text, sizeof text, "reply %llu %d %u\n", (unsigned long long)correlation, error, status);
    (void)weir_session_send(session, weir_slice(text, (size_t)n), false);
}

/* Says goodbye into the log once somebody said anything. */
static void lines_close(struct weir_session *session) {
    struct weir_command command = {.type = 8, .value = weir_slice_text("bye")};
    if (fake.says_bye && weir_session_command(session, &command, 0) != WEIR_OK) fake.byes_refused++;
}

static void lines_time(struct weir_session *session, uint64_t mono_ns) {
    (void)mono_ns;
    (void)weir_session_send(session, weir_slice_text("time\n"), false);
    weir_session_resume(session);
}

static void chat_bytes(struct weir_session *session, struct weir_slice bytes, bool text, size_t *ret_consumed) {
    *ret_consumed = bytes.size;
    (void)weir_session_send(session, bytes, text);
}

static enum weir_error chat_open(struct weir_session *session) {
    WEIR_ASSERT(*(uint64_t *)weir_session_state(session) == 0);
    struct weir_subscribe subscribe = {.id = 5, .topic = 1, .key = WEIR_KEY_ANY, .from = WEIR_FROM_NOW};
    return weir_session_subscribe(session, &subscribe);
}

static void chat_record(struct weir_session *session, uint32_t subscription, const struct weir_record *record) {
    char text[300];
    int n = snprintf(text, sizeof text, "record %u %llu %.*s", subscription, (unsigned long long)record->offset,
        (int)record->value.size, (const char *)record->value.data);
    (void)weir_session_send(session, weir_slice(text, (size_t)n), true);
}

static const struct weir_protocol lines = {.name = "lines",
    .session_bytes = 64,
    .receive_bytes_max = 4096,
    .send_bytes_max = 1 << 20,
    .idle_ns_max = 5 * SYS_NANOS_PER_S,
    .on_bytes = lines_bytes,
    .on_reply = lines_reply,
    .on_time = lines_time,
    .on_close = lines_close};
static const struct weir_protocol chat = {.name = "chat",
    .session_bytes = 8,
    .receive_bytes_max = 1000,
    .open = chat_open,
    .on_bytes = chat_bytes,
    .on_record = chat_record};
static const struct weir_setting settings[] = {{"lines", WEIR_SETTING_TEXT, "127.0.0.1:0", 0, 0, "where", false}, {0}};
static const struct weir_topic topics[] = {
    {"fake.in", WEIR_TOPIC_INPUT, NULL, "in", 0}, {"fake.out", WEIR_TOPIC_OUTPUT, NULL, "out", 0}, {0}};
static const struct weir_route routes[] = {{.kind = WEIR_ROUTE_COMMAND,
                                               .method = "POST",
                                               .path = "/v1/fake/items",
                                               .summary = "adds",
                                               .request = &weir__edge__test__item_request__descriptor,
                                               .response = &weir__edge__test__item_reply__descriptor,
                                               .type = 3,
                                               .partition_by = "text"},
    {.kind = WEIR_ROUTE_COMMAND,
        .method = "DELETE",
        .path = "/v1/fake/items/{id}",
        .summary = "removes",
        .request = &weir__edge__test__item_request__descriptor,
        .response = &weir__edge__test__item_reply__descriptor,
        .type = 4},
    {.kind = WEIR_ROUTE_QUERY,
        .method = "GET",
        .path = "/v1/fake/items/{id}",
        .summary = "reads",
        .request = &weir__edge__test__item_request__descriptor,
        .response = &weir__edge__test__item_reply__descriptor,
        .query = item_query},
    {.kind = WEIR_ROUTE_SOCKET, .method = "GET", .path = "/v1/fake/chat", .summary = "talks", .protocol = &chat}, {0}};
static const struct weir_listener listeners[] = {{"lines", "a line protocol", "lines", &lines}, {0}};
static const struct weir_reason reasons[] = {{1, "no_stock", "there is nothing left", 409}, {0}};
static const struct weir_service service = {.name = "fake",
    .summary = "a service for tests",
    .version = 1,
    .settings = settings,
    .topics = topics,
    .routes = routes,
    .listeners = listeners,
    .reasons = reasons};
static const struct weir_service *const services[] = {&service, NULL};

/* ---- host.h ---- */

uint32_t host_lane_index(const struct host_lane *l) {
    (void)l;
    return 0;
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
    return l->trace;
}

void host_lane_set_edge(struct host_lane *l, void *edge) {
    l->edge = edge;
}
bool host_ready(const struct host *h) {
    (void)h;
    return fake.is_ready;
}
uint32_t host_service_partitions(const struct host *h, uint32_t i) {
    (void)h, (void)i;
    return 4;
}
const struct weir_setting_value *host_service_settings(const struct host *h, uint32_t i) {
    (void)h, (void)i;
    return service_values;
}
void host_partition_facts(const struct host *h, uint32_t i, struct host_partition_facts *ret_facts) {
    (void)h, (void)i;
    *ret_facts = (struct host_partition_facts){.service = "fake", .topic = "fake.in", .applied = 9, .durable = 10};
}

enum weir_error host_submit(struct host_lane *l, const struct host_command *command) {
    (void)l;
    if (fake.full) return weir_error_context(WEIR_E_FULL, "the partition's queue is full");
    WEIR_ASSERT(fake.command_count < FAKE_COMMANDS_MAX);
    struct fake_command *c = &fake.commands[fake.command_count++];
    *c = (struct fake_command){.origin = command->origin,
        .type = command->command.type,
        .partition = command->command.partition,
        .hash = command->idempotency.key.size ? command->idempotency.body_hash[0] : 0};
    if (command->command.value.size <= sizeof c->value) {
        memcpy(c->value, command->command.value.data, command->command.value.size);
        c->value_size = command->command.value.size;
    }
    return WEIR_OK;
}

enum weir_error host_query(struct host_lane *l, const struct host_query *query) {
    (void)l;
    WEIR_ASSERT(fake.command_count < FAKE_COMMANDS_MAX);
    struct fake_command *c = &fake.commands[fake.command_count++];
    *c = (struct fake_command){.origin = query->origin, .is_query = true, .partition = query->partition};
    memcpy(c->value, query->packed.data, query->packed.size);
    c->value_size = query->packed.size;
    return WEIR_OK;
}

enum weir_error host_subscribe(struct host_lane *l, const struct host_subscription *s) {
    (void)l;
    fake.subscriptions++;
    fake.subscriber = s->origin;
    return strcmp(s->topic, "fake.out") == 0 ? WEIR_OK : WEIR_E_NOT_FOUND;
}
void host_unsubscribe(struct host_lane *l, const struct host_origin *origin) {
    (void)l, (void)origin;
}
void host_forget(struct host_lane *l, const struct host_origin *origin) {
    (void)l, (void)origin;
    fake.forgotten++;
}
const struct weir_setting_value *settings_node(const struct settings *s) {
    (void)s;
    return node_values;
}
void settings_key(const struct settings *s, uint32_t group, uint32_t row, char *buf, size_t size) {
    (void)s;
    snprintf(buf, size, "%u.%u", group, row);
}
const struct weir_setting_value *settings_of(const struct settings *s, const char *name) {
    (void)s, (void)name;
    return service_values;
}

/* ---- backup/agent.h: what the test says ---- */
uint64_t backup_agent_ask(struct backup_agent *agent) {
    (void)agent;
    return ++fake.backups_asked;
}
void backup_agent_facts(const struct backup_agent *agent, struct backup_facts *ret_facts) {
    (void)agent;
    *ret_facts = fake.backup;
}
void backup_agent_refresh(struct backup_agent *agent) {
    (void)agent;
    fake.backups_refreshed++;
}

/* ---- driving ---- */

static void put_log(void *ctx, const char *line, size_t size) {
    (void)ctx;
    if (fake.log_size + size >= sizeof fake.log) return;
    memcpy(fake.log + fake.log_size, line, size);
    fake.log_size += size;
    fake.log[fake.log_size] = 0;
}

void fake_open(uint64_t connections_max, uint64_t idle_ns, const char *log_level) {
    struct sys *sys = NULL;
    assert_int_equal(sys_linux_new(&sys), WEIR_OK);
    fake_open_in(sys, connections_max, idle_ns, log_level);
}

void fake_open_in(struct sys *sys, uint64_t connections_max, uint64_t idle_ns, const char *log_level) {
    memset(&fake, 0, sizeof fake);
    memset(&registry, 0, sizeof registry);
    fake.is_ready = true;
    host.sys = sys;
    assert_int_equal(host.sys->poller_open(host.sys, &lane.poller), WEIR_OK);
    node_values[NODE_LISTEN].text = "127.0.0.1:0";
    node_values[NODE_DATA].text = "/tmp";
    node_values[NODE_AUTH].text = "off";
    node_values[NODE_LOG_FORMAT].text = "logfmt";
    node_values[NODE_LOG_LEVEL].text = log_level ? log_level : "info";
    node_values[NODE_CONNECTIONS_MAX].number = connections_max ? connections_max : 64;
    node_values[NODE_HEADER_BYTES].number = 8192;
    node_values[NODE_WEBSOCKET_DEFLATE].number = 1;
    node_values[NODE_BODY_BYTES].number = 65536;
    node_values[NODE_UNIX_MODE].text = "0660";
    node_values[NODE_KAFKA_LISTEN].text = "off";
    node_values[NODE_TLS_CERT].text = node_values[NODE_TLS_KEY].text = node_values[NODE_TLS_CLIENT_CA].text = "";
    node_values[NODE_TLS_CLIENT].text = "optional";
    node_values[NODE_IDLE].number = idle_ns ? idle_ns : 60 * SYS_NANOS_PER_S;
    service_values[0].text = "127.0.0.1:0";
    lane.mono_ns = host.sys->mono_ns(host.sys);
    struct edge_options options = {.sys = host.sys,
        .services = services,
        .lanes = 1,
        .metrics = &registry,
        .version = "1.2.3",
        .log_put = put_log};
    enum weir_error e = edge_open(&options, &fake.edge);
    if (e) fail_msg("edge_open: %s", weir_error_text());
    const struct host_edge *side = edge_side(fake.edge);
    assert_int_equal(side->on_start(side->ctx, &lane), WEIR_OK);
}

void fake_close_in(void) {
    const struct host_edge *side = edge_side(fake.edge);
    side->on_stop(side->ctx, &lane);
    assert_int_equal(edge_connections(fake.edge), 0);
    edge_close(fake.edge);
    host.sys->poller_close(host.sys, lane.poller);
}

void fake_close(void) {
    fake_close_in();
    sys_linux_free(host.sys);
}

/* The reply repeats the request: id and text; its status field becomes the status, 409 gets reason 1, and 410 is a
 * refusal for it.
 */
void fake_finish(uint32_t i, enum weir_error error, uint16_t status, bool repeated) {
    struct fake_command *c = &fake.commands[i];
    uint8_t packed[512];
    Weir__Edge__Test__ItemReply reply = WEIR__EDGE__TEST__ITEM_REPLY__INIT;
    Weir__Edge__Test__ItemRequest *request =
        c->type == 7 ? NULL : weir__edge__test__item_request__unpack(NULL, c->value_size, c->value);
    c->done = true;
    if (request) {
        reply.id = request->id;
        reply.text = request->text;
        if (request->status) status = (uint16_t)request->status;
    }
    reply.offset = i;
    reply.reason = status == 409;
    size_t size = weir__edge__test__item_reply__pack(&reply, packed);
    static const uint8_t refusal[HOST_REFUSAL_BYTES] = {HOST_REFUSAL_MARK, 1, 0};
    struct host_delivery d = {.kind = c->is_query ? HOST_ANSWER : HOST_REPLY,
        .origin = c->origin,
        .error = error,
        .status = status,
        .text = error ? "said the host" : "",
        .offset = i,
        .repeated = repeated,
        .value = status == 410 ? weir_slice(refusal, sizeof refusal) : weir_slice(packed, size)};
    const struct host_edge *side = edge_side(fake.edge);
    side->on_delivery(side->ctx, &lane, &d);
    if (request) weir__edge__test__item_request__free_unpacked(request, NULL);
}

void fake_record(uint64_t offset, const char *value) {
    struct host_delivery d = {.kind = HOST_RECORD,
        .origin = fake.subscriber,
        .record = {.offset = offset, .kind = WEIR_RECORD_OUTPUT, .value = weir_slice_text(value)}};
    const struct host_edge *side = edge_side(fake.edge);
    side->on_delivery(side->ctx, &lane, &d);
}

void fake_step(void) {
    const struct host_edge *side = edge_side(fake.edge);
    struct sys_poll_event events[64];
    lane.mono_ns = host.sys->mono_ns(host.sys) + fake.skew_ns;
    for (uint32_t i = 0; !fake.manual && i < fake.command_count; i++)
        if (!fake.commands[i].done) fake_finish(i, WEIR_OK, 200, false);
    size_t n = host.sys->poller_wait(host.sys, lane.poller, events, 64, next_ns <= lane.mono_ns ? 0 : SYS_NANOS_PER_MS);
    lane.mono_ns = host.sys->mono_ns(host.sys) + fake.skew_ns;
    for (size_t i = 0; i < n; i++)
        side->on_event(side->ctx, &lane, events[i].token, events[i].bits);
    next_ns = side->on_cycle(side->ctx, &lane, lane.mono_ns);
}

uint16_t fake_port(const char *listener) {
    char line[512], want[64];
    edge_print_ready(fake.edge, line, sizeof line);
    snprintf(want, sizeof want, " %s=127.0.0.1:", listener);
    const char *at = strstr(line, want);
    assert_non_null(at);
    return (uint16_t)strtoul(at + strlen(want), NULL, 10);
}

/* ---- the client ---- */

static char received[8 << 20];

int client_open(const char *listener) {
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(fake_port(listener)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(s, (void *)&to, sizeof to), 0);
    fcntl(s, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 3; i++)
        fake_step();
    return s;
}

void client_close(int client) {
    close(client);
    for (int i = 0; i < 3; i++)
        fake_step();
}

void client_send(int client, const void *bytes, size_t size) {
    for (int i = 0; size && i < STEPS_MAX; i++) {
        ssize_t put = send(client, bytes, size, MSG_NOSIGNAL);
        if (put > 0) {
            bytes = (const char *)bytes + put;
            size -= (size_t)put;
        } else if (errno != EAGAIN) {
            return;
        }
        fake_step();
    }
}

void client_text(int client, const char *text) {
    client_send(client, text, strlen(text));
}

static unsigned occurrences(const char *text, const char *what) {
    unsigned n = 0;
    for (const char *at = strstr(text, what); at; at = strstr(at + strlen(what), what))
        n++;
    return n;
}

const char *client_wait_count(int client, const char *what, unsigned count) {
    size_t size = 0;
    received[0] = 0;
    for (int i = 0; i < STEPS_MAX; i++) {
        ssize_t got = recv(client, received + size, sizeof received - size - 1, 0);
        if (got > 0) {
            for (ssize_t k = 0; k < got; k++)
                if (!received[size + (size_t)k]) received[size + (size_t)k] = '~'; /* frames hold zeros */
            size += (size_t)got;
            received[size] = 0;
        }
        if (what && occurrences(received, what) >= count) return received;
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            if (!what) return received;
            fail_msg("closed before %u of '%s' came: %.500s", count, what, received);
        }
        fake_step();
    }
    fail_msg("%u of '%s' did not come: %.500s", count, what ? what : "the end", received);
    return NULL;
}

const char *client_wait(int client, const char *until) {
    return client_wait_count(client, until, 1);
}
