/* `weir up`: a node in the foreground, from its settings to a clean stop. */
#include "base/metric.h"
#include "base/text.h"
#include "cli/services.h"
#include "edge/edge.h"
#include "edge/logline.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define CONFIG_FILE_BYTES_MAX (1u << 20)
#define DRAIN_MS_MAX          5000

struct node {
    struct sys *sys;
    struct settings *settings;
    struct log *log;
    struct host *host;
    struct edge *edge;
    struct metric_registry *metrics;
    struct cli_services known;
    const struct weir_service *services[CLI_SERVICES_MAX + 1]; /* those that run */
    uint32_t lanes;
    sigset_t signals;
};

/* ---- settings -------------------------------------------------------------------------------------------------------
 */

struct flags {
    const char *config;
    const char *values[NODE_SETTING_COUNT]; /* given on the command line */
    struct cli_list set, services;
};

static enum weir_error load_settings(struct node *node, const struct flags *flags) {
    struct weir_slice text = {0};
    enum weir_error e = WEIR_OK;
    if (flags->config) e = sys_read_all(node->sys, flags->config, CONFIG_FILE_BYTES_MAX, &text);
    if (e == WEIR_OK) e = cli_services_load(&node->known, node->sys, flags->config, text, &flags->services);
    if (e == WEIR_OK) e = settings_new(node->known.all, &node->settings);
    if (e == WEIR_OK && flags->config) e = settings_load_yaml(node->settings, flags->config, text);
    sys_bytes_free(text);
    for (int i = 0; i < NODE_SETTING_COUNT && e == WEIR_OK; i++)
        if (flags->values[i]) {
            char origin[64];
            snprintf(origin, sizeof origin, "--%s", node_settings[i].name);
            e = settings_set(node->settings, node_settings[i].name, flags->values[i], origin);
        }
    for (uint32_t i = 0; i < flags->set.count && e == WEIR_OK; i++) {
        const char *equals = strchr(flags->set.items[i], '=');
        char key[200];
        if (!equals || (size_t)(equals - flags->set.items[i]) >= sizeof key)
            return weir_error_context(
                WEIR_E_CONFIG, "--set %s: write KEY=VALUE, as in --set exchange.partitions=4", flags->set.items[i]);
        memcpy(key, flags->set.items[i], (size_t)(equals - flags->set.items[i]));
        key[equals - flags->set.items[i]] = 0;
        e = settings_set(node->settings, key, equals + 1, "--set");
    }
    return e;
}

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
    enum weir_error e = sys_make_folders(node->sys, options.folder);
    return e == WEIR_OK ? log_open(node->sys, &options, &node->log) : e;
}

/* What the host has to tell an operator: a snapshot refused, a partition parked. */
static void report(void *ctx, const char *sentence) {
    const struct node *node = ctx;
    const struct logline_field field = LOGLINE_TEXT("text", sentence);
    logline_fields(edge_log(node->edge), LOGLINE_WARN, "host", &field, 1);
}

static enum weir_error open_node(struct node *node) {
    const struct weir_setting_value *s = settings_node(node->settings);
    uint32_t cores = sys_core_count();
    node->lanes = s[NODE_LANES].number ? (uint32_t)s[NODE_LANES].number : cores > 1 ? cores - 1 : 1;
    node->metrics = calloc(1, sizeof *node->metrics);
    if (!node->metrics) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the metrics table");
    struct edge_options edge_options = {
        node->sys, node->settings, node->services, node->lanes, node->metrics, WEIR_VERSION, put_log, NULL};
    enum weir_error e = edge_open(&edge_options, &node->edge);
    if (e == WEIR_OK) e = open_log(node);
    if (e != WEIR_OK) return e;
    log_metrics(node->log, node->metrics);
    struct host_options host_options = {
        .services = node->services,
        .settings = node->settings,
        .lanes = node->lanes,
        .folder = s[NODE_DATA].text,
        .edge = edge_side(node->edge),
        .metrics = node->metrics,
        .report = report,
        .report_ctx = node,
    };
    e = host_open(node->sys, node->log, &host_options, &node->host);
    if (e == WEIR_OK) e = log_start(node->log);
    if (e == WEIR_OK) e = host_start(node->host);
    return e;
}

static void close_node(struct node *node) {
    if (node->host) host_close(node->host);
    if (node->log) log_close(node->log);
    if (node->edge) edge_close(node->edge);
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

static void print_ready(const struct node *node) {
    char line[2048];
    edge_print_ready(node->edge, line, sizeof line);
    printf("%s\n", line);
    fflush(stdout);
}

/* Waits for replay, says so, then for the signal to stop. */
static void serve(struct node *node) {
    int number = 0;
    while (!host_ready(node->host) && number == 0)
        number = wait_signal(node, 1);
    if (number == 0) print_ready(node);
    while (number == 0)
        number = wait_signal(node, 3600000);
    logline_write(edge_log(node->edge), LOGLINE_INFO, "stopping", "signal=%d", number);
}

static void stop(struct node *node) {
    edge_drain(node->edge);
    for (uint64_t waited = 0; edge_connections(node->edge) > 0 && waited < DRAIN_MS_MAX; waited += 5)
        if (wait_signal(node, 5) != 0) {
            logline_fields(edge_log(node->edge), LOGLINE_WARN, "second_signal", NULL, 0);
            break;
        }
    host_stop(node->host);
    log_stop(node->log);
    logline_fields(edge_log(node->edge), LOGLINE_INFO, "stopped", NULL, 0);
}

static void say_recovered(const struct node *node) {
    const struct log_recovery *r = log_recovered(node->log);
    logline_write(edge_log(node->edge), LOGLINE_INFO, r->clean ? "opened" : "recovered",
        "data=%s journal_bytes=%llu records=%llu torn_bytes=%llu ms=%.1f lanes=%u",
        settings_node(node->settings)[NODE_DATA].text, (unsigned long long)r->journal_bytes,
        (unsigned long long)r->records, (unsigned long long)r->torn_bytes, (double)r->elapsed_ns / 1e6, node->lanes);
}

int cli_up(const struct cli_command *command, int argc, char **argv) {
    struct flags given = {0};
    const struct cli_flag flags[] = {
        {"config", CLI_TEXT, &given.config, "FILE", "YAML file; every flag here is a key there too"},
        {"data", CLI_TEXT, &given.values[NODE_DATA], "DIR", node_settings[NODE_DATA].summary},
        {"listen", CLI_TEXT, &given.values[NODE_LISTEN], "HOST:PORT", node_settings[NODE_LISTEN].summary},
        {"only", CLI_TEXT, &given.values[NODE_ONLY], "LIST", node_settings[NODE_ONLY].summary},
        CLI_SERVICE_FLAG(given.services),
        {"lanes", CLI_TEXT, &given.values[NODE_LANES], "N", node_settings[NODE_LANES].summary},
        {"log-format", CLI_TEXT, &given.values[NODE_LOG_FORMAT], "FORM", node_settings[NODE_LOG_FORMAT].summary},
        {"log-level", CLI_TEXT, &given.values[NODE_LOG_LEVEL], "LEVEL", node_settings[NODE_LOG_LEVEL].summary},
        {"set", CLI_LIST, &given.set, "KEY=VALUE", "any key of the configuration; may be given several times"},
        {0},
    };
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 0, 0, &positionals);
    if (code >= 0) return code;
    struct node node = {0};
    /* Before any thread exists: all inherit the mask, and only this one takes the signals. */
    sigemptyset(&node.signals);
    sigaddset(&node.signals, SIGINT);
    sigaddset(&node.signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &node.signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    enum weir_error e = sys_linux_new(&node.sys);
    if (e == WEIR_OK) e = cli_services_init(&node.known);
    if (e == WEIR_OK) e = load_settings(&node, &given);
    if (e == WEIR_OK) e = choose_services(&node);
    if (e == WEIR_OK) e = open_node(&node);
    if (e == WEIR_OK) {
        say_recovered(&node);
        serve(&node);
        stop(&node);
    }
    if (e != WEIR_OK) code = cli_fail(e);
    close_node(&node);
    return e == WEIR_OK ? 0 : code;
}
