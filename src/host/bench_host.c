/* One lane on this thread, durable on a real disk: small commands with three outputs each, then the same log replayed.
 *     bench_host [FOLDER] [COMMANDS]      prints one JSON object */
#include "host/node.h"
#include "host/test_services.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t replies;
static void on_delivery(void *ctx, struct host_lane *lane, const struct host_delivery *d) {
    (void)ctx, (void)lane;
    if (d->kind == HOST_REPLY && d->error == WEIR_OK) replies++;
}
static void on_event(void *ctx, struct host_lane *lane, uint64_t token, uint32_t bits) {
    (void)ctx, (void)lane, (void)token, (void)bits;
}
static const struct host_edge edge = {.on_event = on_event, .on_delivery = on_delivery};

static void check(enum weir_error e) {
    if (e == WEIR_OK) return;
    fprintf(stderr, "bench_host: %s\n", weir_error_text());
    exit(1);
}

struct bench {
    struct sys *sys;
    struct log *log;
    struct settings *settings;
    struct host *host;
};
static void begin(struct bench *b, const char *folder) {
    struct log_options options;
    log_options_default(&options);
    options.folder = folder;
    options.lanes = 1;
    check(log_open(b->sys, &options, &b->log));
    struct host_options o = {
        .services = test_services, .settings = b->settings, .lanes = 1, .folder = folder, .edge = &edge};
    check(host_open(b->sys, b->log, &o, &b->host));
    check(log_start(b->log));
}
static void end(struct bench *b) {
    log_stop(b->log);
    host_close(b->host);
    log_close(b->log);
}
static double seconds(struct bench *b, uint64_t since_ns) {
    return (double)(b->sys->mono_ns(b->sys) - since_ns) / 1e9;
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : "/tmp/weir-bench-host";
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000, sent = 0;
    struct bench b = {0};
    check(sys_linux_new(&b.sys));
    check(settings_new(test_services, &b.settings));
    check(settings_set(b.settings, "waiting_max", "1000000", "bench"));
    begin(&b, folder);
    struct host_lane *lane = &b.host->lanes[0];
    while (!host_ready(b.host))
        host_lane_work(lane, 1000000);
    uint64_t begin_ns = b.sys->mono_ns(b.sys);
    while (replies < count) {
        for (int i = 0; i < 256 && sent < count; i++) {
            struct test_value v = {OP_WIDE, 0, sent, 16};
            struct host_command c = {
                .command = {.partition = (uint32_t)(sent & 1), .type = 1, .value = weir_slice(&v, sizeof v)},
                .wants_reply = true};
            if (host_submit(lane, &c) != WEIR_OK) break;
            sent++;
        }
        host_lane_work(lane, sent < count ? 0 : 1000000);
    }
    double live_s = seconds(&b, begin_ns);
    uint64_t commits = metric_get(&lane->metrics.commits);
    double apply_ns = (double)atomic_load(&lane->metrics.apply_ns.sum) / (double)count;
    end(&b);
    begin_ns = b.sys->mono_ns(b.sys);
    begin(&b, folder);
    double open_s = seconds(&b, begin_ns);
    lane = &b.host->lanes[0];
    begin_ns = b.sys->mono_ns(b.sys);
    while (!host_ready(b.host))
        host_lane_work(lane, 1000000);
    double replay_s = seconds(&b, begin_ns);
    printf("{\"commands_per_s\":%.0f,\"apply_ns_per_record\":%.0f,\"records_per_commit\":%.0f,\"log_open_s\":%.3f,"
           "\"replay_per_s\":%.0f}\n",
        (double)count / live_s, apply_ns, (double)count / (double)commits, open_s, (double)count / replay_s);
    end(&b);
    settings_free(b.settings);
    sys_linux_free(b.sys);
    return 0;
}
