/* `weir up`: a node in the foreground, from its settings to a clean stop. */
#include "backup/agent.h"
#include "base/metric.h"
#include "base/text.h"
#include "cli/configuration.h"
#include "cli/notify.h"
#include "cli/reload.h"
#include "edge/edge.h"
#include "edge/logline.h"
#include "otlp/agent.h"
#include "projection/agent.h"
#include "sys/shared_pool.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define DRAIN_MS_MAX 5000
#define LOOK_MS      1000 /* between two looks at the certificates' files */

struct node {
    struct sys *sys;
    struct settings *settings;
    struct log *log;
    struct host *host;
    struct edge *edge;
    struct backup_agent *backup;
    struct otlp_agent *otlp;
    struct shared_pool pool;
    struct projection_agent *projection;
    struct metric_registry *metrics;
    struct cli_services known;
    const struct weir_service *services[CLI_SERVICES_MAX + 1]; /* those that run */
    uint32_t lanes;
    sigset_t signals;
    struct notify notify;
    struct configuration configuration;
    struct reload reload;
};

/* ---- services -------------------------------------------------------------------------------------------------------
 */

/* Chooses those named in `only`, all when it is empty. */
static enum weir_error choose_services(struct node *node) {
    const char *only = settings_node(node->settings)[NODE_ONLY].text;
    size_t count = 0;
    for (size_t i = 0; only[0] == 0 && i < node->known.count; i++)
        node->services[count++] = node->known.all[i];
    while (only[0]) {
        size_t n = strcspn(only, ",");
        struct weir_slice name = text_trim(weir_slice(only, n));
        const struct weir_service *found = cli_services_find(&node->known, name);
        if (!found) return weir_error_wrap(WEIR_E_CONFIG, "only");
        for (size_t i = 0; i < count; i++)
            if (node->services[i] == found)
                return weir_error_context(WEIR_E_CONFIG, "only: %s is named twice", found->name);
        node->services[count++] = found;
        only += n + (only[n] == ',');
    }
    node->services[count] = NULL;
    return WEIR_OK;
}

/* ---- life -----------------------------------------------------------------------------------------------------------
 */

static void put_log(void *ctx, const char *line, size_t size) {
    (void)ctx;
    fwrite(line, 1, size, stderr); /* one call, one lock: lines of several threads stay whole */
}

/* Sixteen files, so that recycling is smooth; a small journal has fewer and takes smaller commits. */
static void size_journal(struct log_options *options) {
    const uint64_t file_min = 4u << 20, file_max = 64u << 20, margin = 1u << 20;
    uint64_t bytes = (options->journal_bytes_max / 16) & ~(uint64_t)4095;
    bytes = bytes < file_min ? file_min : bytes > file_max ? file_max : bytes;
    options->journal_file_bytes = bytes;
    if (options->commit_bytes_max > bytes - margin) options->commit_bytes_max = (uint32_t)(bytes - margin);
}

static enum weir_error open_log(struct node *node) {
    const struct weir_setting_value *s = settings_node(node->settings);
    struct log_options options;
    log_options_default(&options);
    options.folder = s[NODE_DATA].text;
    options.lanes = node->lanes;
    options.journal_bytes_max = s[NODE_JOURNAL_BYTES].number;
    size_journal(&options);
    options.segment_bytes = s[NODE_SEGMENT_BYTES].number;
    options.checkpoint_bytes = s[NODE_CHECKPOINT_BYTES].number;
    options.disk_reserve_bytes = s[NODE_DISK_RESERVE].number;
    options.pool = &node->pool;
    enum weir_error e = settings_journal_write(node->settings, &options.journal_write);
    if (e == WEIR_OK) e = sys_make_folders(node->sys, options.folder);
    return e == WEIR_OK ? log_open(node->sys, &options, &node->log) : e;
}

/* What the host has to tell an operator: a snapshot refused, a partition parked. */
static void report(void *ctx, const char *sentence) {
    const struct node *node = ctx;
    const struct logline_field field = LOGLINE_TEXT("text", sentence);
    logline_fields(edge_log(node->edge), LOGLINE_WARN, "host", &field, 1);
}

static void report_backup(void *ctx, bool failed, const char *sentence) {
    const struct node *node = ctx;
    const struct logline_field field = LOGLINE_TEXT("text", sentence);
    logline_fields(
        edge_log(node->edge), failed ? LOGLINE_ERROR : LOGLINE_INFO, failed ? "backup_failed" : "backup", &field, 1);
}

static enum weir_error open_backups(struct node *node) {
    const struct backup_agent_options options = {
        .sys = node->sys,
        .log = node->log,
        .settings = node->settings,
        .weir = WEIR_VERSION,
        .key_id = getenv("AWS_ACCESS_KEY_ID"),
        .secret = getenv("AWS_SECRET_ACCESS_KEY"),
        .token = getenv("AWS_SESSION_TOKEN"),
        .metrics = node->metrics,
        .report = report_backup,
        .report_ctx = node,
    };
    enum weir_error e = backup_agent_open(&options, &node->backup);
    if (!e) edge_set_backup(node->edge, node->backup); /* before a lane serves */
    return e;
}

static void report_traces(void *ctx, bool failed, const char *sentence) {
    const struct node *node = ctx;
    const struct logline_field field = LOGLINE_TEXT("text", sentence);
    logline_fields(
        edge_log(node->edge), failed ? LOGLINE_WARN : LOGLINE_INFO, failed ? "traces_failed" : "traces", &field, 1);
}

static enum weir_error open_traces(struct node *node) {
    const struct otlp_agent_options options = {.sys = node->sys,
        .settings = node->settings,
        .lanes = node->lanes,
        .env_headers = configuration_trace_headers(),
        .metrics = node->metrics,
        .report = report_traces,
        .report_ctx = node};
    return otlp_agent_open(&options, &node->otlp);
}

static void report_projection(void *ctx, bool failed, const char *sentence) {
    const struct node *node = ctx;
    const struct logline_field field = LOGLINE_TEXT("text", sentence);
    logline_fields(edge_log(node->edge), failed ? LOGLINE_ERROR : LOGLINE_INFO,
        failed ? "projection_failed" : "projection", &field, 1);
}

/* The host has made the topics, and the log's agents do not run yet. */
static enum weir_error open_projections(struct node *node) {
    char host[64] = "", owner[128];
    (void)gethostname(host, sizeof host - 1);
    snprintf(owner, sizeof owner, "process %u on %s", node->sys->process_id(node->sys), host);
    const struct projection_options options = {
        .sys = node->sys,
        .log = node->log,
        .host = node->host,
        .settings = node->settings,
        .owner = owner,
        .metrics = node->metrics,
        .report = report_projection,
        .report_ctx = node,
    };
    enum weir_error e = projection_agent_open(&options, &node->projection);
    if (!e) edge_set_projection(node->edge, node->projection);
    return e;
}

static enum weir_error reload(void *ctx, char *text, size_t size) {
    return reload_run(&((struct node *)ctx)->reload, text, size);
}

static enum weir_error open_node(struct node *node) {
    const struct weir_setting_value *s = settings_node(node->settings);
    uint32_t cores = sys_core_count();
    node->lanes = s[NODE_LANES].number ? (uint32_t)s[NODE_LANES].number : cores > 1 ? cores - 1 : 1;
    node->metrics = calloc(1, sizeof *node->metrics);
    if (!node->metrics) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the metrics table");
    shared_pool_init(&node->pool, node->sys, (uint32_t)s[NODE_POOL_WORKERS].number);
    shared_pool_register(&node->pool, node->metrics);
    struct edge_options edge_options = {.sys = node->sys,
        .settings = node->settings,
        .services = node->services,
        .lanes = node->lanes,
        .metrics = node->metrics,
        .version = WEIR_VERSION,
        .reload = reload,
        .reload_ctx = node,
        .log_put = put_log};
    enum weir_error e = edge_open(&edge_options, &node->edge);
    if (e == WEIR_OK) e = open_log(node);
    if (e != WEIR_OK) return e;
    log_metrics(node->log, node->metrics);
    e = open_backups(node);
    if (e == WEIR_OK) e = open_traces(node);
    if (e != WEIR_OK) return e;
    struct host_options host_options = {
        .services = node->services,
        .settings = node->settings,
        .lanes = node->lanes,
        .folder = s[NODE_DATA].text,
        .edge = edge_side(node->edge),
        .metrics = node->metrics,
        .tracer = otlp_agent_tracer(node->otlp),
        .pool = &node->pool,
        .report = report,
        .report_ctx = node,
    };
    e = host_open(node->sys, node->log, &host_options, &node->host);
    node->reload.sys = node->sys;
    node->reload.configuration = &node->configuration;
    node->reload.services = &node->known;
    node->reload.started = node->settings;
    node->reload.edge = node->edge;
    node->reload.host = node->host;
    node->reload.otlp = node->otlp;
    if (e == WEIR_OK) e = open_projections(node);
    if (e == WEIR_OK) e = log_start(node->log);
    if (e == WEIR_OK) e = host_start(node->host);
    if (e == WEIR_OK) e = projection_agent_start(node->projection);
    if (e == WEIR_OK) e = backup_agent_start(node->backup);
    if (e == WEIR_OK) e = otlp_agent_start(node->otlp);
    return e;
}

static void close_node(struct node *node) {
    backup_agent_close(node->backup); /* it reads the log, as do the projections */
    projection_agent_close(node->projection);
    if (node->host) host_close(node->host);
    otlp_agent_close(node->otlp); /* lanes wrote to its tracer */
    if (node->log) log_close(node->log);
    shared_pool_stop(&node->pool);
    if (node->edge) edge_close(node->edge);
    reload_done(&node->reload);
    settings_free(node->settings);
    cli_services_done(&node->known);
    free(node->metrics);
    sys_linux_free(node->sys);
}

/* The number of a signal that arrived within ms, 0 for none. */
static int wait_signal(const struct node *node, uint64_t ms) {
    struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    int number = sigtimedwait(&node->signals, NULL, &time);
    return number > 0 ? number : 0;
}

static bool stops(int number) {
    return number != 0 && number != SIGHUP;
}

static void print_ready(const struct node *node) {
    char line[2048];
    edge_print_ready(node->edge, line, sizeof line);
    printf("%s\n", line);
    fflush(stdout);
}

/* A lane takes the last reload within a cycle; until then the next one waits. */
static void reload_by_signal(struct node *node) {
    char text[4096];
    notify_reloading(&node->notify);
    for (int tries = 0; tries < 100 && reload_run(&node->reload, text, sizeof text) == WEIR_E_CONFLICT; tries++)
        node->sys->pause(node->sys, 10 * SYS_NANOS_PER_MS);
    notify_ready(&node->notify);
}

/* Waits for replay, says so, then for the signal to stop. SIGHUP makes it read its configuration again. */
static void serve(struct node *node) {
    int number = 0;
    bool wants_reload = false;
    while (!host_ready(node->host) && (number == 0 || number == SIGHUP)) {
        number = wait_signal(node, 1);
        wants_reload |= number == SIGHUP;
    }
    if (number == 0 || number == SIGHUP) {
        number = wants_reload ? SIGHUP : 0;
        print_ready(node);
        notify_ready(&node->notify);
    }
    uint64_t pause_ms = notify_pause_ms(&node->notify);
    if (pause_ms > LOOK_MS) pause_ms = LOOK_MS;
    while (number == 0 || number == SIGHUP) {
        if (number == SIGHUP)
            reload_by_signal(node);
        else
            reload_look(&node->reload);
        if (host_alive(node->host)) notify_alive(&node->notify);
        number = wait_signal(node, pause_ms);
    }
    notify_stopping(&node->notify);
    logline_write(edge_log(node->edge), LOGLINE_INFO, "stopping", "signal=%d", number);
}

static void stop(struct node *node) {
    edge_drain(node->edge);
    for (uint64_t waited = 0; edge_connections(node->edge) > 0 && waited < DRAIN_MS_MAX; waited += 5)
        if (stops(wait_signal(node, 5))) {
            logline_fields(edge_log(node->edge), LOGLINE_WARN, "second_signal", NULL, 0);
            break;
        }
    backup_agent_stop(node->backup);
    projection_agent_stop(node->projection);
    host_stop(node->host);
    otlp_agent_stop(node->otlp);
    log_stop(node->log);
    logline_fields(edge_log(node->edge), LOGLINE_INFO, "stopped", NULL, 0);
}

static void say_recovered(const struct node *node) {
    const struct log_recovery *r = log_recovered(node->log);
    logline_write(edge_log(node->edge), LOGLINE_INFO, r->clean ? "opened" : "recovered",
        "data=%s journal_write=%s journal_bytes=%llu records=%llu lazy_records=%llu torn_bytes=%llu ms=%.1f lanes=%u",
        settings_node(node->settings)[NODE_DATA].text, sys_commit_path_name(log_journal_write(node->log)),
        (unsigned long long)r->journal_bytes, (unsigned long long)r->records, (unsigned long long)r->lazy_records,
        (unsigned long long)r->torn_bytes, (double)r->elapsed_ns / 1e6, node->lanes);
}

static int up(const struct cli_command *command, int argc, char **argv) {
    struct node node = {0};
    struct configuration *given = &node.configuration;
    int count = 0;
    int code = cli_parse(command, argc, argv, given, &count);
    if (code >= 0) return code;
    /* Before any thread exists: all inherit the mask, and only this one takes the signals. */
    sigemptyset(&node.signals);
    sigaddset(&node.signals, SIGINT);
    sigaddset(&node.signals, SIGTERM);
    sigaddset(&node.signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &node.signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    enum weir_error e = sys_linux_new(&node.sys);
    struct mistakes *mistakes = &node.reload.mistakes;
    given->at_start = true;
    if (e == WEIR_OK) {
        notify_init(&node.notify, node.sys);
        e = configuration_load(node.sys, given, &node.known, mistakes, &node.settings);
    }
    given->at_start = false;
    if (e == WEIR_OK) e = choose_services(&node);
    if (e == WEIR_OK) e = open_node(&node);
    if (e == WEIR_OK) {
        say_recovered(&node);
        serve(&node);
        stop(&node);
    }
    mistakes_print(mistakes, stderr);
    if (e != WEIR_OK) code = mistakes->count ? weir_error_exit(e) : cli_fail(e);
    close_node(&node);
    return e == WEIR_OK ? 0 : code;
}

/* A flag that is one of the node's settings: its summary is the setting's. */
#define UP_FLAG(name, setting, placeholder, word, choices)                                                             \
    { name, CLI_TEXT, offsetof(struct configuration, values[setting]), placeholder, NULL, word, choices }

const struct cli_command cli_up_commands[] = {
    {
        .name = "up",
        .summary = "start a node in the foreground",
        .description =
            "Recovers what the data folder holds, prints `weir ready` with its addresses on stdout when all of it is "
            "served\n"
            "again, and runs until SIGTERM or SIGINT: then it answers what is under way, snapshots and stops; a "
            "second\n"
            "signal does not wait for clients. Log lines go to stderr. Under systemd (Type=notify) it tells READY,\n"
            "STOPPING and WATCHDOG. A node that cannot go on, as after a failed sync, ends with 70.",
        .flags = CLI_FLAGS({"config", CLI_TEXT, offsetof(struct configuration, file), "FILE",
                               "YAML file; every flag here is a key there too", CLI_FILE},
            UP_FLAG("data", NODE_DATA, "DIR", CLI_FOLDER, NULL),
            UP_FLAG("listen", NODE_LISTEN, "ADDRESSES", CLI_ANY, NULL),
            UP_FLAG("only", NODE_ONLY, "LIST", CLI_SERVICE, NULL), CLI_SERVICE_FLAG(struct configuration),
            UP_FLAG("lanes", NODE_LANES, "N", CLI_ANY, NULL),
            UP_FLAG("log-format", NODE_LOG_FORMAT, "FORM", CLI_CHOICE, "logfmt json"),
            UP_FLAG("log-level", NODE_LOG_LEVEL, "LEVEL", CLI_CHOICE, "debug info warn error"),
            {"tls-self-signed", CLI_SWITCH, offsetof(struct configuration, self_signed), NULL,
                "speak TLS with a certificate of our own, made in DATA/tls when there is none"},
            {"set", CLI_LIST, offsetof(struct configuration, set), "KEY=VALUE",
                "any key of the configuration; may be given several times", CLI_SETTING}),
        .exits =
            CLI_EXITS({WEIR_E_CONFIG, "a key or a value is wrong"}, {WEIR_E_LOCKED, "another node runs on the folder"},
                {WEIR_E_CORRUPT, "the folder holds damage; the sentence names the command that repairs it"},
                {WEIR_E_VERSION, "the folder was written by a version that this binary does not replay"},
                {WEIR_E_EXISTS, "an address is taken"}, {WEIR_E_IO, "the disk failed"}),
        .examples = CLI_EXAMPLES({"weir up", "every service, data in ./data, on 127.0.0.1:7070"},
            {"weir up --only exchange --set exchange.partitions=4", "one service, with four partitions"},
            {"weir up --service ./counter.so", "a service in a shared object beside those of the binary"},
            {"weir up --config /etc/weir/weir.yaml", "settings from a file"}),
        .run = up,
    },
    {0},
};
