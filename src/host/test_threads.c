/* Real threads on the real disk: every lane sends to every partition, emits cross lanes, taps and queries run,
 * snapshots are made meanwhile; then a clean stop, and a second life that finds it all. */
#include "host/test_world.h"

#include <unistd.h>

#define PER_LANE 600u
#define HOPS     3u

struct lane_load {
    uint64_t sent, replies, answers, records, live;
    bool subscribed;
};
struct load {
    struct lane_load lanes[8];
    uint32_t lane_count;
    _Atomic uint32_t finished;
};

static enum weir_error on_start(void *ctx, struct host_lane *lane) {
    struct load *load = ctx;
    host_lane_set_edge(lane, &load->lanes[host_lane_index(lane)]);
    return WEIR_OK;
}
static void on_event(void *ctx, struct host_lane *lane, uint64_t token, uint32_t bits) {
    (void)ctx, (void)lane, (void)token, (void)bits;
}
static void on_delivery(void *ctx, struct host_lane *lane, const struct host_delivery *d) {
    struct load *load = ctx;
    struct lane_load *l = host_lane_edge(lane);
    assert_int_equal(d->origin.lane, host_lane_index(lane));
    if (d->kind == HOST_REPLY && d->error == WEIR_OK && ++l->replies == PER_LANE) atomic_fetch_add(&load->finished, 1);
    if (d->kind == HOST_REPLY && d->error != WEIR_OK) l->sent--; /* refused on the other lane: once more */
    l->answers += d->kind == HOST_ANSWER;
    l->records += d->kind == HOST_RECORD;
    l->live += d->kind == HOST_LIVE;
}
static uint64_t on_cycle(void *ctx, struct host_lane *lane, uint64_t mono_ns) {
    (void)ctx;
    struct lane_load *l = host_lane_edge(lane);
    uint32_t index = host_lane_index(lane);
    if (!host_ready(host_lane_host(lane))) return mono_ns + 100000;
    if (!l->subscribed) {
        struct host_subscription s = {.topic = "right.out",
            .partition = index % 2,
            .key = WEIR_KEY_ANY,
            .from = index % 2 ? 0 : WEIR_FROM_NOW,
            .origin = {.lane = index, .subscription = 1}};
        l->subscribed = host_subscribe(lane, &s) == WEIR_OK;
    }
    for (int i = 0; i < 8 && l->sent < PER_LANE; i++) {
        struct test_value v = {OP_ADD, HOPS, l->sent, 1};
        struct host_command c = {.service = (uint32_t)(l->sent % 2),
            .command = {.partition = (uint32_t)(l->sent / 2 % 2), .type = 1, .value = weir_slice(&v, sizeof v)},
            .origin = {.lane = index, .correlation = l->sent},
            .wants_reply = true};
        if (host_submit(lane, &c) != WEIR_OK) break;
        l->sent++;
        if (l->sent % 50 == 0) {
            struct host_query q = {.service = 0, .partition = 1, .query = test_query, .origin = {.lane = index}};
            (void)!host_query(lane, &q);
        }
    }
    return l->sent < PER_LANE ? mono_ns + 200000 : UINT64_MAX;
}
static void wait_for(struct sys *sys, struct load *load, struct host *host) {
    int poller;
    struct sys_poll_event event;
    must(sys->poller_open(sys, &poller));
    while (!host_ready(host) || (load && atomic_load(&load->finished) < load->lane_count))
        sys->poller_wait(sys, poller, &event, 1, SYS_NANOS_PER_MS);
    sys->poller_close(sys, poller);
}

static void life(struct sys *sys, const char *folder, uint32_t lanes, struct load *load, uint64_t *ret_emits) {
    struct settings *settings;
    struct log *log;
    struct host *host;
    struct log_options log_options;
    struct host_edge edge = {.ctx = load, .on_start = on_start, .on_event = on_event, .on_delivery = on_delivery};
    if (load) edge.on_cycle = on_cycle;
    struct host_edge none = {.on_event = on_event};
    must(settings_new(test_services, &settings));
    world_log_options(&log_options);
    log_options.folder = folder;
    log_options.lanes = lanes;
    must(log_open(sys, &log_options, &log));
    struct host_options options = {.services = test_services,
        .settings = settings,
        .lanes = lanes,
        .folder = folder,
        .edge = load ? &edge : &none};
    must(host_open(sys, log, &options, &host));
    must(log_start(log));
    must(host_start(host));
    wait_for(sys, load, host);
    host_stop(host);
    *ret_emits = 0;
    for (uint32_t i = 0; i < host->partition_count; i++) {
        const struct test_state *s = host->partitions[i].fold.state;
        *ret_emits += s->emits_seen;
        assert_int_equal(atomic_load(&host->partitions[i].facts.snapshot), host->partitions[i].fold.applied);
    }
    log_stop(log);
    host_close(host);
    log_close(log);
    settings_free(settings);
}

static void lanes_share_nothing_but_their_rings(uint32_t lanes) {
    char folder[] = "/tmp/weir-threads-XXXXXX", command[64];
    assert_non_null(mkdtemp(folder));
    struct sys *sys;
    must(sys_linux_new(&sys));
    struct load load = {.lane_count = lanes};
    uint64_t emits;
    life(sys, folder, lanes, &load, &emits);
    assert_int_equal(emits, (uint64_t)lanes * PER_LANE * HOPS);
    for (uint32_t i = 0; i < lanes; i++) {
        assert_int_equal(load.lanes[i].replies, PER_LANE);
        assert_true(load.lanes[i].answers > 0);
        assert_true(load.lanes[i].records > 0);
    }
    life(sys, folder, lanes == 4 ? 1 : lanes * 2, NULL, &emits);
    assert_int_equal(emits, (uint64_t)lanes * PER_LANE * HOPS);
    sys_linux_free(sys);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}
static void one_lane(void **state) {
    (void)state;
    lanes_share_nothing_but_their_rings(1);
}
static void two_lanes(void **state) {
    (void)state;
    lanes_share_nothing_but_their_rings(2);
}
static void four_lanes(void **state) {
    (void)state;
    lanes_share_nothing_but_their_rings(4);
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_lane), cmocka_unit_test(two_lanes), cmocka_unit_test(four_lanes)};
    return cmocka_run_group_tests_name("host threads", tests, NULL, NULL);
}
