/* A node's host with the smallest service whose state, records and snapshot have one form on every machine. */
#include "base/bytes.h"
#include "base/hash.h"
#include "data_folder.h"
#include "host/host.h"

#include <weir/service.h>

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define SUMS       256
#define PARTITIONS 2
#define COMMAND    16 /* key, amount: little-endian */

struct sums {
    uint64_t sums[SUMS], count;
};

static size_t sums_bytes(const struct weir_setting_value *settings) {
    (void)settings;
    return sizeof(struct sums);
}
static enum weir_error sums_open(const struct weir_open *open, void **ret_state) {
    *ret_state = open->memory;
    return WEIR_OK;
}
static void sums_apply(void *state, const struct weir_record *r, struct weir_out *out) {
    struct sums *s = state;
    if (r->kind != WEIR_RECORD_COMMAND || r->value.size != COMMAND) return;
    uint64_t key = load_le64(r->value.data) % SUMS;
    s->count++;
    s->sums[key] = hash_u64(s->sums[key] + load_le64(r->value.data + 8), s->count);
    uint8_t *output = weir_output(out, 1, 1, key, COMMAND, NULL);
    store_le64(output, key);
    store_le64(output + 8, s->sums[key]);
    store_le64(weir_reply(out, 200, 8), s->sums[key]);
}
static enum weir_error sums_save(const void *state, struct weir_sink *sink) {
    const struct sums *s = state;
    uint8_t bytes[8];
    enum weir_error e = WEIR_OK;
    for (uint32_t i = 0; i <= SUMS && e == WEIR_OK; i++) {
        store_le64(bytes, i < SUMS ? s->sums[i] : s->count);
        e = weir_sink_put(sink, bytes, sizeof bytes);
    }
    return e;
}
static enum weir_error sums_load(void *state, struct weir_source *source) {
    struct sums *s = state;
    uint8_t bytes[8];
    enum weir_error e = WEIR_OK;
    for (uint32_t i = 0; i <= SUMS && e == WEIR_OK; i++) {
        e = weir_source_get(source, bytes, sizeof bytes);
        if (e == WEIR_OK) *(i < SUMS ? &s->sums[i] : &s->count) = load_le64(bytes);
    }
    return e;
}
static uint64_t sums_digest(const void *state) {
    const struct sums *s = state;
    uint64_t digest = s->count;
    for (uint32_t i = 0; i < SUMS; i++)
        digest = hash_u64(s->sums[i], digest);
    return digest;
}

static const struct weir_setting sums_settings[] = {
    {"partitions", WEIR_SETTING_UINT, "2", 1, 64, "Input partitions."},
    {"label", WEIR_SETTING_TEXT, "as set", 0, 32, "A folded text.", .folded = true},
    {0},
};
static const struct weir_record_type sums_types[] = {{1, "any", "Anything."}, {0}};
static const struct weir_topic sums_topics[] = {
    {"sums.in", WEIR_TOPIC_INPUT, sums_types, "Commands."},
    {"sums.out", WEIR_TOPIC_OUTPUT, sums_types, "Sums."},
    {0},
};
static const struct weir_service sums_service = {
    .name = "sums",
    .summary = "Sums, for the comparison of machines.",
    .version = 1,
    .version_replays = 1,
    .partitions_setting = "partitions",
    .settings = sums_settings,
    .topics = sums_topics,
    .output_bytes_max = 256,
    .state_bytes = sums_bytes,
    .open = sums_open,
    .apply = sums_apply,
    .save = sums_save,
    .load = sums_load,
    .digest = sums_digest,
};
static const struct weir_service *const services[] = {&sums_service, NULL};

/* ---- a node of one lane, whose edge is this ---- */

struct client {
    uint64_t wanted, sent;
    _Atomic uint64_t replies;
};

static void on_event(void *ctx, struct host_lane *lane, uint64_t token, uint32_t bits) {
    (void)ctx, (void)lane, (void)token, (void)bits;
}
static void on_delivery(void *ctx, struct host_lane *lane, const struct host_delivery *d) {
    struct client *client = ctx;
    (void)lane;
    if (d->kind != HOST_REPLY) return;
    data_must(d->error, "command");
    atomic_fetch_add(&client->replies, 1);
}
static uint64_t on_cycle(void *ctx, struct host_lane *lane, uint64_t mono_ns) {
    struct client *client = ctx;
    if (!host_ready(host_lane_host(lane))) return mono_ns + SYS_NANOS_PER_MS;
    for (int i = 0; i < 16 && client->sent < client->wanted; i++) {
        uint8_t value[COMMAND];
        store_le64(value, hash_u64(client->sent, 3));
        store_le64(value + 8, client->sent);
        struct host_command c = {.command = {.partition = (uint32_t)(client->sent % PARTITIONS),
                                     .type = 1,
                                     .value = weir_slice(value, sizeof value)},
            .origin = {.correlation = client->sent},
            .wants_reply = true};
        if (host_submit(lane, &c) != WEIR_OK) break;
        client->sent++;
    }
    return client->sent < client->wanted ? mono_ns + SYS_NANOS_PER_MS : UINT64_MAX;
}

struct node {
    struct host_edge edge; /* the host keeps its address */
    struct log *log;
    struct host *host;
    struct settings *settings;
};

static void node_run(struct node *n, struct sys *sys, const char *folder, struct client *client) {
    static char path[512];
    struct log_options log_options;
    *n = (struct node){.edge = {.ctx = client, .on_event = on_event, .on_delivery = on_delivery, .on_cycle = on_cycle}};
    snprintf(path, sizeof path, "%s/node", folder);
    data_must(sys_make_folders(sys, path), "folder");
    log_options_default(&log_options);
    log_options.folder = path;
    log_options.disk_reserve_bytes = 0;
    log_options.output_bytes_max = 1u << 20; /* address space, of which a machine of 32 bits has little */
    data_must(settings_new(services, &n->settings), "settings");
    data_must(log_open(sys, &log_options, &n->log), "open");
    struct host_options options = {
        .services = services, .settings = n->settings, .lanes = 1, .folder = path, .edge = &n->edge};
    data_must(host_open(sys, n->log, &options, &n->host), "host");
    data_must(log_start(n->log), "start");
    data_must(host_start(n->host), "host");
    while (!host_ready(n->host) || atomic_load(&client->replies) < client->wanted)
        sys->pause(sys, SYS_NANOS_PER_MS);
}

static void node_stop(struct node *n) {
    host_stop(n->host);
    log_stop(n->log);
    host_close(n->host);
    log_close(n->log);
    settings_free(n->settings);
}

void data_node_write(struct sys *sys, const char *folder, uint64_t commands, bool crashes) {
    struct client client = {.wanted = commands};
    struct node n;
    node_run(&n, sys, folder, &client);
    if (crashes) _exit(0);
    node_stop(&n);
}

void data_node_read(struct sys *sys, const char *folder) {
    struct client client = {0};
    struct node n;
    node_run(&n, sys, folder, &client);
    for (uint32_t i = 0; i < host_partition_count(n.host); i++) {
        struct host_partition_facts f;
        host_partition_facts(n.host, i, &f);
        /* Not `applied`: a start behind a crash appends a record of its own. */
        printf("state %s/%u digest %016" PRIx64 " emission %016" PRIx64 "\n", f.service, f.partition, f.digest,
            f.emission_hash);
    }
    node_stop(&n);
}
