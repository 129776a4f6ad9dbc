/* A topic that an admin of Kafka alters and gives more partitions, while it is written over HTTP and the node dies and
 * rises. What was answered is so in every life after it, what was asked and not answered is so or not, and nothing else
 * is: its number of partitions, its retention, and the records of each partition. Retention is far above what there
 * is; each order sets another number, so that it can be told which one holds. */
#include "sim/kafka_client.h"
#include "sim/workload.h"

#include "wire/kafka_admin_messages.h"
#include "wire/kafka_messages.h"

#include <stdlib.h>

#define TOPIC          "altered"
#define PARTITIONS_MAX 12u
#define ORDERS_MAX     400u                /* before the calm */
#define ALL_ORDERS_MAX 2000u               /* those that are asked again in the calm, too */
#define KEPT_BYTES     (UINT64_C(1) << 40) /* and the number of the order */

enum order { MAKES, GROWS, ALTERS };
enum fate { NEVER, IN_DOUBT, DONE };
struct altered {
    struct sim *sim;
    struct kafka_client admin;
    struct client writer;
    enum order order;
    uint32_t calm_orders, calm_records;
    bool made;
    uint32_t told, asked;          /* partitions: so many at least, at most */
    uint32_t wanted;               /* by the order under way */
    uint32_t count, holds;         /* alterations asked; the last one that was answered, 0: none */
    uint8_t fates[ALL_ORDERS_MAX]; /* enum fate */
    uint32_t to, told_then;        /* partition that is written; told, when that was asked */
    uint64_t ends[PARTITIONS_MAX]; /* behind what was acknowledged */
};

static const struct weir_service *const none[] = {NULL}; /* needs no service; where bytes are damaged it is not run */
static const struct weir_service *const *altered_services(void *state) {
    (void)state;
    return none;
}

static void *altered_open(struct sim *sim) {
    struct altered *a = calloc(1, sizeof *a);
    WEIR_ASSERT(a != NULL);
    a->sim = sim;
    kafka_client_init(&a->admin, sim);
    client_init(&a->writer, sim);
    return a;
}

static void altered_close(void *state) {
    struct altered *a = state;
    kafka_client_done(&a->admin);
    client_done(&a->writer);
    free(a);
}

static void altered_configure(void *state, struct settings *settings) {
    (void)state;
    enum weir_error e = settings_set(settings, "kafka.listen", "127.0.0.1:9092", "sim");
    WEIR_ASSERT(e == WEIR_OK);
}

static void altered_begin(void *state) {
    struct altered *a = state;
    client_hang_up(&a->admin.base);
    client_hang_up(&a->writer);
    a->calm_orders = sim_calm_requests(a->sim);
    a->calm_records = sim_calm_requests(a->sim);
}

/* ---- the admin --------------------------------------------------------------------------------------------------- */
static void ask_make(struct altered *a) {
    struct kafka_new_topic topic = {.name = weir_slice_text(TOPIC), .partition_count = 1, .replication_factor = 1};
    struct kafka_create_topics_request m = {.topic_count = 1, .topics = &topic, .timeout_ms = 1000};
    if (a->asked == 0) a->asked = 1;
    kafka_create_topics_request(kafka_client_begin(&a->admin, KAFKA_CREATE_TOPICS), &m);
}

static void ask_grow(struct altered *a) {
    uint32_t most = a->told + 1 + sim_pick(a->sim, 2);
    if (most > PARTITIONS_MAX) most = PARTITIONS_MAX;
    struct kafka_more_partitions topic = {.name = weir_slice_text(TOPIC), .count = (int32_t)most};
    struct kafka_create_partitions_request m = {.topic_count = 1, .topics = &topic, .timeout_ms = 1000};
    a->wanted = most;
    if (most > a->asked) a->asked = most;
    kafka_create_partitions_request(kafka_client_begin(&a->admin, KAFKA_CREATE_PARTITIONS), &m);
}

static void ask_alter(struct altered *a) {
    char value[24];
    snprintf(value, sizeof value, "%llu", (unsigned long long)(KEPT_BYTES + ++a->count));
    a->fates[a->count] = IN_DOUBT;
    bool one = sim_percent(a->sim, 50);
    struct kafka_config_change change = {.name = weir_slice_text("retention.bytes"), .value = weir_slice_text(value)};
    struct kafka_altered_resource topic = {
        .type = KAFKA_RESOURCE_TOPIC, .name = weir_slice_text(TOPIC), .config_count = 1, .configs = &change};
    struct kafka_alter_configs_request m = {.resource_count = 1, .resources = &topic};
    if (one)
        kafka_incremental_alter_configs_request(kafka_client_begin(&a->admin, KAFKA_INCREMENTAL_ALTER_CONFIGS), &m);
    else
        kafka_alter_configs_request(kafka_client_begin(&a->admin, KAFKA_ALTER_CONFIGS), &m);
}

/* The one answer to the one thing asked. */
static int16_t error_of(struct altered *a) {
    struct kafka_coder *body = &a->admin.body;
    struct kafka_create_topics_response made = {0};
    struct kafka_create_partitions_response grown = {0};
    struct kafka_alter_configs_response altered = {0};
    if (a->order == MAKES) kafka_create_topics_response(body, &made);
    if (a->order == GROWS) kafka_create_partitions_response(body, &grown);
    if (a->order == ALTERS) kafka_alter_configs_response(body, &altered);
    if (body->failed || made.topic_count + grown.result_count + altered.result_count != 1) {
        sim_fail(a->sim, "altered: the answer to order %d is malformed", a->order);
        return KAFKA_UNKNOWN_SERVER_ERROR;
    }
    return made.topic_count     ? made.topics[0].error
           : grown.result_count ? grown.results[0].error
                                : altered.results[0].error;
}

static void hear_admin(struct altered *a) {
    if (a->admin.base.state == CLIENT_UNSENT && a->order == ALTERS) a->fates[a->count] = NEVER;
    if (a->admin.base.state != CLIENT_ANSWERED) return;
    int16_t error = error_of(a);
    bool there = error == KAFKA_TOPIC_ALREADY_EXISTS || (error == KAFKA_INVALID_PARTITIONS && a->order == GROWS);
    if (error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION && a->made)
        sim_fail(a->sim, "altered: the topic was made and is gone");
    if (error && !there) return;
    if (a->sim->calm && a->calm_orders > 0) a->calm_orders--;
    if (a->order == MAKES) {
        a->made = true;
        if (a->told == 0) a->told = 1;
    } else if (a->order == GROWS) { /* or it had so many by an order that was in doubt */
        a->told = a->wanted;
    } else if (a->order == ALTERS) {
        a->fates[a->count] = DONE;
        a->holds = a->count;
    }
}

static void next_order(struct altered *a, bool calm) {
    if (calm ? a->calm_orders == 0 : !sim_percent(a->sim, 5)) return;
    if (!calm && a->count == ORDERS_MAX) return;
    WEIR_ASSERT(a->count + 1 < ALL_ORDERS_MAX);
    a->order = !a->made ? MAKES : a->told < PARTITIONS_MAX && sim_percent(a->sim, 30) ? GROWS : ALTERS;
    if (a->order == MAKES) ask_make(a);
    if (a->order == GROWS) ask_grow(a);
    if (a->order == ALTERS) ask_alter(a);
    kafka_client_ask(&a->admin);
}

/* ---- the writer -------------------------------------------------------------------------------------------------- */
static void hear_writer(struct altered *a) {
    const struct client *c = &a->writer;
    if (c->state != CLIENT_ANSWERED) return;
    if (c->status == 404 && a->to < a->told_then)
        sim_fail(a->sim, "altered: partition %u was made and is gone: %.*s", a->to, (int)c->body.size, c->body.data);
    const char *offset = c->status == 200 ? memmem(c->body.data, c->body.size, "\"offset\":", 9) : NULL;
    if (!offset) return;
    uint64_t end = strtoull(offset + 9, NULL, 10) + 1;
    if (end > a->ends[a->to]) a->ends[a->to] = end;
    if (a->sim->calm && a->calm_records > 0) a->calm_records--;
}

static void next_record(struct altered *a, bool calm) {
    char target[64];
    if (!a->made || (calm ? a->calm_records == 0 : !sim_percent(a->sim, 20))) return;
    a->to = sim_pick(a->sim, calm ? a->told : a->asked);
    a->told_then = a->told;
    snprintf(target, sizeof target, "/v1/topics/" TOPIC "/records?partition=%u", a->to);
    client_ask(&a->writer, "POST", target, NULL, "[{\"value\":\"v\"}]");
}

static void altered_step(void *state, bool calm) {
    struct altered *a = state;
    client_step(&a->admin.base);
    if (a->admin.base.state != CLIENT_WAITS) {
        if (a->admin.base.state != CLIENT_FREE) hear_admin(a);
        client_done_with(&a->admin.base);
        next_order(a, calm);
    }
    client_step(&a->writer);
    if (a->writer.state == CLIENT_WAITS) return;
    if (a->writer.state != CLIENT_FREE) hear_writer(a);
    client_done_with(&a->writer);
    next_record(a, calm);
}

static bool altered_settled(void *state) {
    const struct altered *a = state;
    bool rest = a->admin.base.state == CLIENT_FREE && a->writer.state == CLIENT_FREE;
    return rest && a->calm_orders == 0 && (a->calm_records == 0 || !a->made);
}

/* ---- what is there ----------------------------------------------------------------------------------------------- */
static bool may_hold(const struct altered *a, uint64_t bytes) {
    if (bytes == 0) return a->holds == 0;
    uint64_t n = bytes - KEPT_BYTES;
    return bytes > KEPT_BYTES && n <= a->count && (n == a->holds || a->fates[n] == IN_DOUBT);
}

static bool altered_check(void *state, bool whole) {
    struct altered *a = state;
    (void)whole;
    const struct log_topic *topic = log_topic_find(a->sim->node.log, TOPIC);
    if (!topic) {
        if (a->made) sim_fail(a->sim, "altered: the topic was made and is gone");
        return true;
    }
    uint64_t bytes = log_topic_setting(&topic->config.retention_bytes);
    uint32_t count = topic->partition_count;
    if (count < a->told || count > a->asked)
        sim_fail(a->sim, "altered: there are %u partitions; %u were acknowledged, at most %u asked for", count, a->told,
            a->asked);
    if (!may_hold(a, bytes))
        sim_fail(a->sim, "altered: retention.bytes is that of order %lld; order %u was acknowledged",
            bytes ? (long long)(bytes - KEPT_BYTES) : 0, a->holds);
    for (uint32_t i = 0; i < count && !a->sim->failed; i++)
        if (log_partition_end(topic->partitions[i]) < a->ends[i])
            sim_fail(a->sim, "altered: partition %u ends at %llu; up to %llu was acknowledged", i,
                (unsigned long long)log_partition_end(topic->partitions[i]), (unsigned long long)a->ends[i]);
    a->sim->tally.records_checked += count;
    return true;
}

extern const struct sim_workload sim_workload_altered;
const struct sim_workload sim_workload_altered = {
    .name = "altered",
    .summary = "a topic that is altered and gets more partitions while it is written",
    .services = altered_services,
    .open = altered_open,
    .close = altered_close,
    .configure = altered_configure,
    .begin = altered_begin,
    .step = altered_step,
    .settled = altered_settled,
    .check = altered_check,
};
