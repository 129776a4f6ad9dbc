/* See node.h. */
#include "sim/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <weir/effect.h>

#define LOOK_NS      (2 * SYS_NANOS_PER_MS)  /* between two looks whether it is ready or stopped */
#define IDLE_LOOK_NS (20 * SYS_NANOS_PER_MS) /* whether it should stop */
#define DRAIN_NS_MAX (5 * SYS_NANOS_PER_S)   /* as `weir up` */

static void report(void *ctx, const char *sentence) {
    struct node *node = ctx;
    if (node->report_count < NODE_REPORTS_MAX)
        snprintf(node->reports[node->report_count++], sizeof node->reports[0], "%s", sentence);
}

static enum weir_error open_all(struct node *node) {
    struct node_options *o = &node->options;
    struct edge_options edge_options = {
        node->sys, o->settings, o->services, o->log.lanes, node->metrics, WEIR_VERSION, NULL, NULL};
    enum weir_error e = edge_open(&edge_options, &node->edge);
    if (e == WEIR_OK) e = sys_make_folders(node->sys, o->log.folder);
    if (e == WEIR_OK) e = log_open(node->sys, &o->log, &node->log);
    if (e != WEIR_OK) return e;
    log_metrics(node->log, node->metrics);
    struct host_options host_options = {
        .services = o->services,
        .settings = o->settings,
        .lanes = o->log.lanes,
        .folder = o->log.folder,
        .edge = edge_side(node->edge),
        .metrics = node->metrics,
        .report = report,
        .report_ctx = node,
        .executors = {[WEIR_EFFECT_HTTP] = o->http},
    };
    e = host_open(node->sys, node->log, &host_options, &node->host);
    if (e == WEIR_OK) e = log_start(node->log);
    if (e == WEIR_OK) e = host_start(node->host);
    return e;
}

/* Waits a little. False: the process is dead. */
static bool pause_in(struct node *node, int poller, uint64_t ns) {
    struct sys_poll_event event;
    node->sys->poller_wait(node->sys, poller, &event, 1, ns);
    return !sys_sim_dead(node->sys);
}

static uint64_t count_tail(const struct host *host) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < host_partition_count(host); i++) {
        struct host_partition_facts facts;
        host_partition_facts(host, i, &facts);
        if (!facts.parked) sum += facts.high - facts.snapshot;
    }
    return sum;
}

static bool stop(struct node *node, int poller) {
    node->state = NODE_STOPPING;
    edge_drain(node->edge);
    for (uint64_t waited = 0; edge_connections(node->edge) > 0 && waited < DRAIN_NS_MAX; waited += LOOK_NS)
        if (!pause_in(node, poller, LOOK_NS)) return false;
    host_stop_begin(node->host);
    /* As host_stop() waits, but a dead process has nobody to wait for; one that never comes to rest is for the observer
     * to find. */
    while (!host_stopped(node->host))
        if (!pause_in(node, poller, LOOK_NS)) return false;
    host_stop(node->host);
    node->tail_records = count_tail(node->host);
    log_stop(node->log);
    return !sys_sim_dead(node->sys);
}

static void close_all(struct node *node) {
    host_close(node->host);
    log_close(node->log);
    if (node->edge) edge_close(node->edge);
    settings_free(node->options.settings);
    free(node->metrics);
    node->host = NULL;
    node->log = NULL;
    node->edge = NULL;
    node->options.settings = NULL;
    node->metrics = NULL;
}

static void node_main(void *ctx) {
    struct node *node = ctx;
    int poller = -1;
    enum weir_error e = node->sys->poller_open(node->sys, &poller);
    if (e == WEIR_OK) e = open_all(node);
    if (e != WEIR_OK) {
        node->error = e;
        snprintf(node->error_text, sizeof node->error_text, "%s", weir_error_text());
    } else {
        bool lives = true;
        while (lives && !host_ready(node->host) && !node->stop_wanted)
            lives = pause_in(node, poller, LOOK_NS);
        if (lives && !node->stop_wanted) node->state = NODE_READY;
        while (lives && !node->stop_wanted)
            lives = pause_in(node, poller, IDLE_LOOK_NS);
        if (lives) node->stopped_cleanly = stop(node, poller);
    }
    node->sys->poller_close(node->sys, poller);
    close_all(node);
    node->state = NODE_ENDED;
}

void node_start(struct node *node, struct sys *sys, const struct node_options *options) {
    *node = (struct node){.sys = sys, .options = *options};
    node->metrics = calloc(1, sizeof *node->metrics);
    WEIR_ASSERT(node->metrics != NULL);
    node->process = sys_sim_spawn(sys, node_main, node);
}
