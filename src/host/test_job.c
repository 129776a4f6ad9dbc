/* What would break lanes that have work done on the pool: a job lost, done twice, done on another lane or before its
 * work was; a stop that does not wait for it. With threads, meant for TSan as well. */
#include "host/test_world.h"

#include "base/hash.h"

#define JOBS     64u
#define PER_LANE 3000u
#define LANES    3u

struct hashing {
    struct host_job job; /* first */
    uint64_t input, output;
    uint32_t lane;
    bool under_way;
};
struct lane_jobs {
    struct hashing jobs[JOBS];
    uint64_t submitted, done, wrong, refused;
    enum weir_error error; /* of the last submission that was refused */
};
struct load {
    struct lane_jobs lanes[LANES];
    uint64_t per_lane;
    bool slow;
    _Atomic uint32_t finished, submitted;
};

static uint64_t hash_of(uint64_t input) {
    for (int i = 0; i < 50; i++)
        input = hash_bytes(&input, sizeof input, (uint64_t)i);
    return input;
}
static void hash(struct host_job *job) {
    struct hashing *h = (struct hashing *)job;
    h->output = hash_of(h->input); /* plain memory: handed over by the host alone */
}
static void hash_slowly(struct host_job *job) {
    for (int i = 0; i < 1000; i++) /* a few milliseconds */
        hash(job);
}
static void hashed(struct host_lane *lane, struct host_job *job) {
    struct hashing *h = (struct hashing *)job;
    struct lane_jobs *l = host_lane_edge(lane);
    if (!h->under_way || h->lane != host_lane_index(lane) || h->output != hash_of(h->input)) l->wrong++;
    h->under_way = false;
    l->done++;
}

static enum weir_error on_start(void *ctx, struct host_lane *lane) {
    struct load *load = ctx;
    host_lane_set_edge(lane, &load->lanes[host_lane_index(lane)]);
    return WEIR_OK;
}
static void on_event(void *ctx, struct host_lane *lane, uint64_t token, uint32_t bits) {
    (void)ctx, (void)lane, (void)token, (void)bits;
}
static void on_delivery(void *ctx, struct host_lane *lane, const struct host_delivery *d) {
    (void)ctx, (void)lane, (void)d;
}
static void submit(struct load *load, struct host_lane *lane, struct lane_jobs *l, struct hashing *h) {
    h->job = (struct host_job){.run = load->slow ? hash_slowly : hash, .done = hashed};
    h->input = l->submitted << 8 | host_lane_index(lane);
    h->lane = host_lane_index(lane);
    enum weir_error e = host_job_submit(lane, (enum weir_pool_class)(l->submitted % WEIR_POOL_CLASS_COUNT), &h->job);
    if (e) {
        l->refused++;
        l->error = e;
        return;
    }
    h->under_way = true;
    l->submitted++;
}
static uint64_t on_cycle(void *ctx, struct host_lane *lane, uint64_t mono_ns) {
    struct load *load = ctx;
    struct lane_jobs *l = host_lane_edge(lane);
    uint64_t before = l->submitted;
    for (uint32_t i = 0; i < JOBS && l->submitted < load->per_lane; i++)
        if (!l->jobs[i].under_way) submit(load, lane, l, &l->jobs[i]);
    if (before < load->per_lane && l->submitted == load->per_lane) atomic_fetch_add(&load->submitted, 1);
    if (l->done == load->per_lane && l->submitted == l->done) {
        l->submitted++; /* once */
        atomic_fetch_add(&load->finished, 1);
    }
    return l->submitted < load->per_lane ? mono_ns + 100000 : UINT64_MAX;
}

struct node {
    char folder[64];
    struct sys *sys;
    struct settings *settings;
    struct log *log;
    struct host *host;
    struct host_edge edge;
    struct shared_pool pool;
};

static void begin(struct node *n, struct load *load, bool has_pool) {
    struct log_options log_options;
    snprintf(n->folder, sizeof n->folder, "/tmp/weir-job-XXXXXX");
    assert_non_null(mkdtemp(n->folder));
    must(sys_linux_new(&n->sys));
    must(settings_new(test_services, &n->settings));
    shared_pool_init(&n->pool, n->sys, 2);
    world_log_options(&log_options);
    log_options.folder = n->folder;
    log_options.lanes = LANES;
    must(log_open(n->sys, &log_options, &n->log));
    n->edge = (struct host_edge){
        .ctx = load, .on_start = on_start, .on_event = on_event, .on_delivery = on_delivery, .on_cycle = on_cycle};
    struct host_options options = {.services = test_services,
        .settings = n->settings,
        .lanes = LANES,
        .folder = n->folder,
        .pool = has_pool ? &n->pool : NULL,
        .edge = &n->edge};
    must(host_open(n->sys, n->log, &options, &n->host));
    must(log_start(n->log));
    must(host_start(n->host));
}

static void wait_until(struct node *n, const _Atomic uint32_t *count, uint32_t wanted) {
    while (!host_ready(n->host) || atomic_load(count) < wanted)
        n->sys->pause(n->sys, SYS_NANOS_PER_MS);
}

static void end(struct node *n) {
    char command[96];
    host_stop(n->host);
    log_stop(n->log);
    host_close(n->host);
    log_close(n->log);
    shared_pool_stop(&n->pool);
    settings_free(n->settings);
    sys_linux_free(n->sys);
    snprintf(command, sizeof command, "rm -rf %s", n->folder);
    assert_int_equal(system(command), 0);
}

static void every_job_is_done_once_on_its_lane_after_its_work(void **state) {
    static struct load load = {.per_lane = PER_LANE};
    struct node n = {0};
    (void)state;
    begin(&n, &load, true);
    wait_until(&n, &load.finished, LANES);
    shared_pool_measure(&n.pool);
    assert_int_equal(metric_get(&n.pool.run), LANES * PER_LANE);
    assert_int_equal(metric_get(&n.pool.workers), 2);
    end(&n);
    for (uint32_t i = 0; i < LANES; i++) {
        assert_int_equal(load.lanes[i].done, PER_LANE);
        assert_int_equal(load.lanes[i].wrong, 0);
    }
}

static void a_stop_waits_for_the_jobs_under_way(void **state) {
    static struct load load = {.per_lane = 40, .slow = true};
    struct node n = {0};
    (void)state;
    begin(&n, &load, true);
    wait_until(&n, &load.submitted, LANES);
    end(&n);
    for (uint32_t i = 0; i < LANES; i++) {
        assert_int_equal(load.lanes[i].done, 40);
        assert_int_equal(load.lanes[i].wrong, 0);
    }
}

static void a_host_without_a_pool_says_so(void **state) {
    static struct load load = {.per_lane = 1};
    struct node n = {0};
    (void)state;
    begin(&n, &load, false);
    while (!host_ready(n.host))
        n.sys->pause(n.sys, SYS_NANOS_PER_MS);
    end(&n);
    assert_true(load.lanes[0].refused > 0);
    assert_int_equal(load.lanes[0].error, WEIR_E_UNSUPPORTED);
}

static void a_pool_that_nobody_uses_is_not_there(void **state) {
    static struct load load;
    struct node n = {0};
    (void)state;
    begin(&n, &load, true);
    while (!host_ready(n.host))
        n.sys->pause(n.sys, SYS_NANOS_PER_MS);
    shared_pool_measure(&n.pool);
    assert_int_equal(metric_get(&n.pool.workers), 0);
    assert_null(n.pool.pool);
    end(&n);
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_is_done_once_on_its_lane_after_its_work),
        cmocka_unit_test(a_stop_waits_for_the_jobs_under_way),
        cmocka_unit_test(a_host_without_a_pool_says_so),
        cmocka_unit_test(a_pool_that_nobody_uses_is_not_there),
    };
    return cmocka_run_group_tests_name("host jobs", tests, NULL, NULL);
}
