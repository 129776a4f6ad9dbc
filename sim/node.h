/* sim/node.h: a weir process in the simulated world: what `weir up` does, from its settings to a clean stop, as the
 * main thread of a process that may die at any call. */
#ifndef WEIR_SIM_NODE_H
#define WEIR_SIM_NODE_H
#include "base/assert.h"
#include "base/metric.h"
#include "edge/edge.h"
#include "host/host.h"
#include "log/log.h"
#include "sys/sim.h"

#define NODE_PORT        7070 /* of HTTP in the simulated world */
#define NODE_REPORTS_MAX 8

enum node_state {
    NODE_STARTING, /* opens, recovers, replays */
    NODE_READY,    /* says so */
    NODE_STOPPING, /* asked to stop */
    NODE_ENDED,    /* main has returned */
};
struct node_options {
    struct log_options log;                     /* folder, lanes and limits */
    const struct weir_service *const *services; /* NULL-terminated */
    struct settings *settings;                  /* taken over: freed when the node ends */
    struct effect_executor *http;               /* who does HTTP effects; NULL: nobody asks for any */
};
struct node {
    struct sys *sys;
    int process; /* 0: none yet */
    struct node_options options;
    enum node_state state;
    bool stop_wanted, stopped_cleanly;
    uint64_t tail_records; /* after a clean stop: of partitions that are not parked, behind their snapshots */
    enum weir_error error; /* why it did not start */
    char error_text[512];
    struct log *log; /* while it is open: for the observer */
    struct host *host;
    struct edge *edge;
    struct metric_registry *metrics;
    char reports[NODE_REPORTS_MAX][512]; /* sentences for the operator */
    uint32_t report_count;
};

void node_start(struct node *node, struct sys *sys, const struct node_options *options);
/* Between two turns of its life its log and host may be looked at. */
static inline bool node_is_open(const struct node *node) {
    return node->state == NODE_READY && !sys_sim_died(node->sys, node->process);
}

#endif
