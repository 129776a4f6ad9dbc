/* Effects of kind WORK on real threads and the real disk: what blocks does not hold up a lane, results come back on it,
 * failures are tried again, and a second life finds it all. Clients' commands are refused when too much is outstanding.
 */
#include "host/test_world.h"
#include "sys/shared_pool.h"

#include <unistd.h>
#include <weir/effect.h>

#define TASKS 240u

enum fate { FINE, FLAKY, HOPELESS };
struct work_state {
    uint64_t asked, refused, done, failed, attempts, wrong;
};
static _Atomic uint32_t at_once, most_at_once, calls;

static enum weir_effect_class work(struct weir_work *w) {
    uint32_t now = atomic_fetch_add(&at_once, 1) + 1, most = atomic_load(&most_at_once);
    while (now > most && !atomic_compare_exchange_weak(&most_at_once, &most, now))
        ;
    atomic_fetch_add(&calls, 1);
    static const uint8_t bytes[64u << 10];
    uint64_t busy = 0;
    for (int i = 0; i < 50; i++)
        busy = hash_bytes(bytes, sizeof bytes, busy);
    atomic_fetch_sub(&at_once, 1);
    uint32_t number;
    memcpy(&number, w->request.data, sizeof number);
    w->retry_after_ns = busy == 1; /* so that it is not left out */
    if (number % 3 == FLAKY && w->attempt == 1) {
        snprintf(w->text, sizeof w->text, "once more");
        return WEIR_EFFECT_FAILED;
    }
    if (number % 3 == HOPELESS) return WEIR_EFFECT_REJECTED;
    memcpy(w->answer, &number, sizeof number);
    w->answer_size = sizeof number;
    return WEIR_EFFECT_OK;
}

static void apply(void *state, const struct weir_record *r, struct weir_out *out) {
    struct work_state *s = state;
    struct weir_result result;
    if (weir_result(r, &result)) {
        uint32_t number = 0;
        s->attempts++;
        if (result.body.size == sizeof number) memcpy(&number, result.body.data, sizeof number);
        if (result.class_ == WEIR_EFFECT_OK) s->wrong += number != result.tag;
        s->done += result.final && result.class_ == WEIR_EFFECT_OK;
        s->failed += result.final && result.class_ != WEIR_EFFECT_OK;
    } else if (r->kind == WEIR_RECORD_COMMAND) {
        uint32_t number;
        memcpy(&number, r->value.data, sizeof number);
        void *room = weir_effect(out, 0, &(struct weir_effect_options){.tag = number}, sizeof number);
        if (room) memcpy(room, &number, sizeof number);
        s->asked += room != NULL;
        s->refused += room == NULL;
        weir_reply(out, room ? 200 : 503, 0);
    }
}

static const struct weir_setting settings_rows[] = {
    {"partitions", WEIR_SETTING_UINT, "2", 1, 64, "Input partitions."}, {0}};
static const struct weir_topic topics[] = {
    {"work.in", WEIR_TOPIC_INPUT, test_types, "Commands."}, WEIR_DEAD_TOPIC("work"), {0}};
static const struct weir_effect_row rows[] = {
    {.name = "think",
        .kind = WEIR_EFFECT_WORK,
        .outstanding_max = 32,
        .gate = {.running_max = 3},
        .backoff = {.kind = WEIR_BACKOFF_FIXED, .first_ns = 1000000},
        .work = work},
    {0},
};
static const struct weir_service work_service = {.name = "work",
    .summary = "Tests.",
    .version = 1,
    .version_replays = 1,
    .partitions_setting = "partitions",
    .settings = settings_rows,
    .topics = topics,
    .effects = rows,
    .effects_max = 1,
    .output_bytes_max = 64,
    .apply = apply,
    .flat_bytes = sizeof(struct work_state)};
static const struct weir_service *const services[] = {&work_service, NULL};

struct load {
    uint32_t to_send[TASKS], count, full; /* numbers not taken yet */
    _Atomic uint32_t ok, ended;
};

static uint64_t on_cycle(void *ctx, struct host_lane *lane, uint64_t mono_ns) {
    struct load *load = ctx;
    if (host_lane_index(lane) != 0 || !host_ready(host_lane_host(lane))) return mono_ns + 100000;
    while (load->count > 0) {
        uint32_t number = load->to_send[load->count - 1];
        struct host_command c = {
            .command = {.partition = number % 2, .type = 1, .value = weir_slice(&number, sizeof number)},
            .origin = {.lane = 0, .correlation = number},
            .wants_reply = true};
        enum weir_error e = host_submit(lane, &c);
        if (e != WEIR_OK) {
            assert_int_equal(e, WEIR_E_FULL);
            load->full++;
            break;
        }
        load->count--;
    }
    return mono_ns + 200000;
}
static void on_delivery(void *ctx, struct host_lane *lane, const struct host_delivery *d) {
    struct load *load = ctx;
    (void)lane;
    if (d->error == WEIR_E_FULL) { /* refused on the other lane */
        load->to_send[load->count++] = (uint32_t)d->origin.correlation;
        load->full++;
    }
    atomic_fetch_add(&load->ok, d->error == WEIR_OK && d->status == 200);
}
static void on_event(void *ctx, struct host_lane *lane, uint64_t token, uint32_t bits) {
    (void)ctx, (void)lane, (void)token, (void)bits;
}

static uint64_t outstanding(struct host *host) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < host->partition_count; i++) {
        const struct effect_metrics *m = host->partitions[i].effect_metrics;
        sum += metric_get(&m->waiting) + metric_get(&m->running) + metric_get(&m->resting);
    }
    return sum;
}

static struct work_state life(struct sys *sys, const char *folder, uint32_t lanes, struct load *load) {
    struct settings *settings;
    struct log *log;
    struct host *host;
    struct log_options log_options;
    struct shared_pool pool;
    struct host_edge edge = {.ctx = load, .on_event = on_event, .on_delivery = on_delivery};
    if (load) edge.on_cycle = on_cycle;
    must(settings_new(services, &settings));
    world_log_options(&log_options);
    log_options.folder = folder;
    log_options.lanes = lanes;
    must(log_open(sys, &log_options, &log));
    struct host_options options = {
        .services = services, .settings = settings, .lanes = lanes, .folder = folder, .edge = &edge, .pool = &pool};
    shared_pool_init(&pool, sys, 2);
    must(host_open(sys, log, &options, &host));
    must(log_start(log));
    must(host_start(host));
    int poller;
    struct sys_poll_event event;
    must(sys->poller_open(sys, &poller));
    while (!host_ready(host) || (load && atomic_load(&load->ok) < TASKS) || outstanding(host) > 0)
        sys->poller_wait(sys, poller, &event, 1, SYS_NANOS_PER_MS);
    sys->poller_close(sys, poller);
    host_stop(host);
    struct work_state sum = {0};
    for (uint32_t i = 0; i < host->partition_count; i++) {
        const struct work_state *s = host->partitions[i].fold.state;
        sum.asked += s->asked;
        sum.refused += s->refused;
        sum.done += s->done;
        sum.failed += s->failed;
        sum.attempts += s->attempts;
        sum.wrong += s->wrong;
    }
    log_stop(log);
    host_close(host);
    log_close(log);
    shared_pool_stop(&pool);
    settings_free(settings);
    return sum;
}

static void work_is_done_off_the_lanes(uint32_t lanes) {
    char folder[] = "/tmp/weir-work-XXXXXX", command[64];
    assert_non_null(mkdtemp(folder));
    struct sys *sys;
    must(sys_linux_new(&sys));
    static struct load load;
    memset(&load, 0, sizeof load);
    for (uint32_t i = 0; i < TASKS; i++)
        load.to_send[load.count++] = i;
    atomic_store(&most_at_once, 0);
    struct work_state s = life(sys, folder, lanes, &load);
    assert_int_equal(s.asked, TASKS);
    assert_int_equal(s.refused, 0); /* what could not be taken was refused before it was appended */
    assert_true(load.full > 0);
    assert_int_equal(s.done, TASKS * 2 / 3);
    assert_int_equal(s.failed, TASKS / 3);
    assert_int_equal(s.attempts, TASKS * 4 / 3);
    assert_int_equal(s.wrong, 0);
    assert_in_range(atomic_load(&most_at_once), 1, 6); /* three of each partition */
    uint32_t before = atomic_load(&calls);
    struct work_state again = life(sys, folder, lanes == 1 ? 2 : 1, NULL);
    assert_memory_equal(&s, &again, sizeof s);
    assert_int_equal(atomic_load(&calls), before); /* nothing was done again */
    sys_linux_free(sys);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}
static void on_one_lane(void **unused) {
    (void)unused;
    work_is_done_off_the_lanes(1);
}
static void on_two_lanes(void **unused) {
    (void)unused;
    work_is_done_off_the_lanes(2);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(on_one_lane), cmocka_unit_test(on_two_lanes)};
    return cmocka_run_group_tests_name("host work", tests, NULL, NULL);
}
