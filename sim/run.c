/* One seed, from an empty disk to the verdict. */
#include "sim/audit.h"
#include "sim/call_trace.h"
#include "sim/mend.h"
#include "sim/workload.h"

#include <stdlib.h>

#define NS_PER_MINUTE  (60 * SYS_NANOS_PER_S)
#define CALM_NS_MAX    (10 * NS_PER_MINUTE) /* once faults have stopped: to be ready, to answer, to stop */
#define CALM_TURNS_MAX 3000000u
#define SETTLE_NS      (SYS_NANOS_PER_S / 2) /* after the last answer: snapshots, segments */
#define AUDIT_STEPS    64u                   /* of clients, between two looks in the middle of a life */
#define SERVICES_MAX   16u
#define CALM_ENDS_MAX  32u /* poison records there are at most, by the crashes that each may need */

void sim_fail(struct sim *sim, const char *format, ...) {
    if (sim->failed) return;
    sim->failed = true;
    int n = snprintf(sim->failure, sizeof sim->failure, "at %.9f s: ", (double)sim_now_ns(sim) / 1e9);
    va_list args;
    va_start(args, format);
    vsnprintf(sim->failure + n, sizeof sim->failure - (size_t)n, format, args);
    va_end(args);
}

/* ---- the node's lives ---------------------------------------------------------------------------------------- */
static void gather_services(struct sim *sim, const struct weir_service *services[SERVICES_MAX + 1]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < sim->workload_count; i++) {
        const struct sim_workload *w = sim->workloads[i];
        const struct weir_service *const *own = w->services ? w->services(sim->states[i]) : NULL;
        for (; own && *own; own++) {
            WEIR_ASSERT(count < SERVICES_MAX);
            services[count++] = *own;
        }
    }
    services[count] = NULL;
}

static void set(struct settings *settings, const char *key, const char *value) {
    enum weir_error e = settings_set(settings, key, value, "sim");
    WEIR_ASSERT(e == WEIR_OK);
}

#define HOST_OUTPUT_MAX ((8u << 20) + (96u << 10)) /* it wants no more than 8 MB free, whatever a service says */
/* Of a commit: plenty, or just what the host wants free for the service that may put out most. */
static size_t output_bytes(struct sim *sim, const struct weir_service **services) {
    size_t most = 0;
    for (uint32_t i = 0; services[i]; i++)
        if (services[i]->output_bytes_max > most) most = services[i]->output_bytes_max;
    size_t least = 4 * most + (96u << 10), plenty = sim->plan.log.output_bytes_max;
    if (least > HOST_OUTPUT_MAX) least = HOST_OUTPUT_MAX;
    return sim_percent(sim, 50) && plenty > least ? plenty : least;
}

/* How this life writes its journal; the next one may write on in another way. Drawn apart, so that the rest of the run
 * does not depend on it. */
static enum sys_commit_path pick_path(const struct sim *sim) {
    struct prng p = prng_seed(sim->seed * 1000003 + sim->tally.lives);
    return prng_chance(&p, 1, 2) ? SYS_COMMIT_SYNC : (enum sys_commit_path)prng_below(&p, SYS_COMMIT_PATHS);
}

static struct node_options node_options(
    struct sim *sim, const struct weir_service **services, const char *listen, uint32_t lanes) {
    struct node_options o = {.log = sim->plan.log, .services = services};
    o.log.output_bytes_max = output_bytes(sim, services);
    o.log.lanes = lanes;
    o.log.journal_write = pick_path(sim);
    enum weir_error e = settings_new(services, &o.settings);
    WEIR_ASSERT(e == WEIR_OK);
    set(o.settings, "listen", listen);
    set(o.settings, "snapshot_age", sim_percent(sim, 80) ? "1s" : "10m");
    set(o.settings, "snapshot_bytes", "64KB");
    set(o.settings, "connections_max", "64");
    set(o.settings, "idempotency_keys", "4096");
    set(o.settings, "idempotency_age", "10000h"); /* clocks jump by days here */
    set(o.settings, "waiting_max", "256");
    for (uint32_t i = 0; i < sim->workload_count; i++) {
        if (sim->workloads[i]->configure) sim->workloads[i]->configure(sim->states[i], o.settings);
        if (sim->workloads[i]->effects) o.http = sim->workloads[i]->effects(sim->states[i]);
    }
    if (sim_percent(sim, 5)) sim_check_settings(sim, o.settings, services);
    return o;
}

static uint64_t disk_errors(const struct sim *sim) {
    uint64_t sum = 0;
    for (int f = SYS_SIM_FAULT_READ; f <= SYS_SIM_FAULT_SPACE; f++)
        sum += sys_sim_faults(sim->sys, (enum sys_sim_fault)f);
    return sum;
}

/* A start of the node on the disk as it is, and what it met since. */
struct life {
    const struct weir_service *services[SERVICES_MAX + 1];
    struct node rival; /* a second process that was started on the same folder */
    uint64_t errors_before;
    bool checked;
    bool began_calm; /* with settings that can replay everything there ever was */
    uint32_t steps;
};

static void begin(struct sim *sim, struct life *life, bool calm) {
    static const uint32_t lanes[] = {1, 2, 4};
    *life = (struct life){.errors_before = disk_errors(sim), .began_calm = calm};
    sim->calm = calm;
    for (uint32_t i = 0; i < sim->workload_count; i++)
        if (sim->workloads[i]->begin) sim->workloads[i]->begin(sim->states[i]);
    gather_services(sim, life->services);
    sys_sim_rates(sim->sys, calm ? NULL : sim->plan.rates);
    uint32_t lane_count = lanes[sim_pick(sim, 3)];
    struct node_options options = node_options(sim, life->services, "127.0.0.1:7070", lane_count);
    node_start(&sim->node, sim->sys, &options);
    sys_sim_observe(sim->sys, sim->node.process);
    if (!calm && sim_percent(sim, 5)) {
        struct node_options other = node_options(sim, life->services, "127.0.0.1:0", 1);
        set(other.settings, "kafka.listen", "off");
        for (uint32_t i = 0; i < SERVICES_MAX && life->services[i]; i++) {
            const struct weir_listener *l = life->services[i]->listeners;
            for (; l && l->name; l++) {
                char key[96];
                snprintf(key, sizeof key, "%s.%s", life->services[i]->name, l->setting);
                set(other.settings, key, "off");
            }
        }
        node_start(&life->rival, sim->sys, &other);
        sim->tally.races++;
    }
    /* Die at one of the calls to come, each as likely: the early ones are those of recovery. */
    if (!calm && sim_percent(sim, sim->plan.early_percent))
        sys_sim_fail_at(sim->sys, SYS_SIM_ANY, prng_between(&sim->prng, 1, 120), WEIR_E_CLOSED);
    else if (!calm && sim_percent(sim, 20))
        sys_sim_fail_at(sim->sys, SYS_SIM_ANY, prng_between(&sim->prng, 1, 600), WEIR_E_CLOSED);
    sim->tally.lives++;
    sim->tally.lives_by_way[options.log.journal_write]++;
}

static void judge_rival(struct sim *sim, struct life *life) {
    struct node *rival = &life->rival;
    if (!rival->process) return;
    if (rival->state == NODE_READY && sim->node.state == NODE_READY && !sys_sim_died(sim->sys, sim->node.process) &&
        !sys_sim_died(sim->sys, rival->process))
        sim_fail(sim, "two processes work on one folder");
}

static bool expected(struct sim *sim, const char *sentence) {
    for (uint32_t i = 0; i < sim->workload_count; i++)
        if (sim->workloads[i]->expects && sim->workloads[i]->expects(sim->states[i], sentence)) return true;
    return false;
}

/* The process ended by itself. Is there a reason? True: a workload expected it, or made it crash. */
static bool judge_end(struct sim *sim, const struct life *life) {
    struct node *node = &sim->node;
    const char *message = "";
    uint64_t errors = disk_errors(sim) - life->errors_before, damages = sim_damages(sim);
    sim->tally.own_ends++;
    if (sys_sim_process_fatal(sim->sys, node->process, &message)) {
        if (message[0] == 0) sim_fail(sim, "the process ended itself without a word");
        if (expected(sim, message)) return true;
        if (errors + damages == 0) sim_fail(sim, "the process ended itself with no fault to blame: %s", message);
        return false;
    }
    if (sys_sim_segfaulted(sim->sys, node->process)) return true;
    if (sys_sim_died(sim->sys, node->process)) return false; /* by a fault: what it thought then does not count */
    if (node->error == WEIR_OK) return false;
    sim->tally.refused_starts++;
    if (node->error_text[0] == 0) sim_fail(sim, "a start is refused without a word (%s)", weir_error_name(node->error));
    if (node->error == WEIR_E_LOCKED && life->rival.process) return false;
    if (expected(sim, node->error_text)) return true;
    if (node->error == WEIR_E_CORRUPT && damages > 0) {
        sim->tally.corruption_named++;
        return false;
    }
    if ((node->error == WEIR_E_IO || node->error == WEIR_E_NO_SPACE) && errors > 0) return false;
    if (damages > 0) return false;
    sim_fail(sim, "a start is refused with no fault to blame: %s: %s", weir_error_name(node->error), node->error_text);
    return false;
}

static void judge_reports(struct sim *sim) {
    for (uint32_t i = 0; i < sim->node.report_count; i++) {
        const char *sentence = sim->node.reports[i];
        if ((strstr(sentence, "gives another result") || strstr(sentence, "parked")) && !expected(sim, sentence))
            sim_fail(sim, "the node reports: %s", sentence);
    }
}

static void look(struct sim *sim, bool whole) {
    for (uint32_t i = 0; i < sim->workload_count && !sim->failed; i++)
        (void)sim->workloads[i]->check(sim->states[i], whole);
    if (!sim->failed) audit_records(sim);
}

static bool ended(const struct sim *sim) {
    return sim->node.state == NODE_ENDED || sys_sim_died(sim->sys, sim->node.process);
}

static void step_clients(struct sim *sim, struct life *life) {
    life->steps++;
    for (uint32_t i = 0; i < sim->workload_count; i++)
        sim->workloads[i]->step(sim->states[i], sim->calm);
}

/* A few turns of the node's threads, then one of its clients. */
static void go_on(struct sim *sim, struct life *life) {
    uint64_t until = sim_now_ns(sim) + prng_between(&sim->prng, 1, 30 * SYS_NANOS_PER_MS);
    uint32_t turns = (uint32_t)prng_between(&sim->prng, 1, 60);
    while (turns-- > 0 && !ended(sim) && sys_sim_turn(sim->sys, until))
        sim->tally.turns++;
    judge_rival(sim, life);
    if (ended(sim)) return;
    step_clients(sim, life);
    if (!node_is_open(&sim->node)) return;
    if (!life->checked) {
        life->checked = true;
        sim->tally.recoveries++;
        look(sim, false);
    } else if (life->steps % AUDIT_STEPS == 0) {
        audit_records(sim);
    }
}

/* ---- how a life ends ----------------------------------------------------------------------------------------- */
static bool stop_cleanly(struct sim *sim, struct life *life) {
    sim->node.stop_wanted = true;
    uint64_t until = sim_now_ns(sim) + CALM_NS_MAX;
    while (!ended(sim) && sim_now_ns(sim) < until && !sim->failed)
        go_on(sim, life);
    if (!ended(sim)) sim_fail(sim, "the node does not stop");
    return sim->node.stopped_cleanly;
}

/* Whoever stops a node in order to upgrade it counts on the last snapshots. */
static void judge_tail(struct sim *sim, const struct life *life) {
    bool excused = sim->node.report_count > 0 || disk_errors(sim) > life->errors_before;
    if (excused || sim_damages_ever(sim) > 0) return;
    sim->tally.tails_checked++;
    if (sim->node.tail_records > 0)
        sim_fail(sim, "a clean stop leaves %llu records that no snapshot covers",
            (unsigned long long)sim->node.tail_records);
}

static void crash(struct sim *sim, bool process_only) {
    sys_sim_crash(sim->sys, process_only);
    judge_reports(sim);
    process_only ? sim->tally.kills++ : sim->tally.power_cuts++;
}

static void live(struct sim *sim) {
    struct life *life = calloc(1, sizeof *life);
    WEIR_ASSERT(life != NULL);
    if (sim_percent(sim, 5)) sim_misconfigure(sim);
    begin(sim, life, false);
    uint32_t steps = (uint32_t)prng_between(&sim->prng, 1, sim->plan.steps_max);
    while (life->steps < steps && !ended(sim) && !sim->failed)
        go_on(sim, life);
    if (ended(sim)) {
        judge_end(sim, life);
    } else if (sim_percent(sim, 15) && !sim->failed) {
        if (stop_cleanly(sim, life)) {
            sim->tally.clean_stops++;
            judge_tail(sim, life);
        } else {
            judge_end(sim, life);
        }
    }
    bool damaged = sim->node.error == WEIR_E_CORRUPT && sim_damages(sim) > 0;
    crash(sim, sim_percent(sim, 40));
    if (damaged && !sim->failed && sim_percent(sim, 70)) (void)sim_mend(sim);
    if (sim->plan.weather == WEATHER_DAMAGE && !sim->failed && sim_percent(sim, 20)) sim_harm(sim);
    free(life);
}

/* ---- faults have stopped: everything must come right --------------------------------------------------------- */
/* NULL: none. */
static const struct sim_workload *unsettled(const struct sim *sim) {
    for (uint32_t i = 0; i < sim->workload_count; i++)
        if (!sim->workloads[i]->settled(sim->states[i])) return sim->workloads[i];
    return NULL;
}

/* A slow call that began before the calm goes on in it; what it holds up is durable and not yet stored. */
static uint64_t rest_of(const struct sim *sim) {
    return sys_sim_faults(sim->sys, SYS_SIM_FAULT_SLOW) > 0 ? SYS_SIM_SLOW_NS_MAX + SETTLE_NS : SETTLE_NS;
}

/* Until everything has come right, in a life that has begun. */
static bool settle(struct sim *sim, struct life *life) {
    uint64_t until = sim_now_ns(sim) + CALM_NS_MAX, turns_until = sim->tally.turns + CALM_TURNS_MAX, rest = 0;
    while (!sim->failed && !ended(sim)) {
        go_on(sim, life);
        const struct sim_workload *waits = unsettled(sim);
        if (sim->node.state == NODE_READY && !waits) {
            if (rest == 0) rest = sim_now_ns(sim) + rest_of(sim);
            if (sim_now_ns(sim) >= rest) return true;
        }
        if (sim_now_ns(sim) > until || sim->tally.turns > turns_until) {
            if (sim->node.state == NODE_READY)
                sim_fail(sim, "no fault happens any more, and still some requests of %s get no good answer",
                    waits ? waits->name : "nobody");
            else
                sim_fail(sim, "no fault happens any more, and still the node does not get ready");
        }
    }
    return false;
}

/* The weather clears up over a node that has lived through some of it, and nobody starts it anew: what it met may not
 * have left it unable to go on. False: it ended, and whether it had reason to is judged. */
static bool clear_up(struct sim *sim, struct life *life) {
    begin(sim, life, false);
    uint32_t steps = (uint32_t)prng_between(&sim->prng, 1, sim->plan.steps_max);
    while (life->steps < steps && !ended(sim) && !sim->failed)
        go_on(sim, life);
    sys_sim_rates(sim->sys, NULL);
    sys_sim_fail_at(sim->sys, SYS_SIM_ANY, 0, WEIR_OK);
    sim->calm = true;
    return settle(sim, life);
}

/* Everything has come right: it is looked at, the node is stopped, and its folder is looked at. */
static void look_and_stop(struct sim *sim, struct life *life) {
    look(sim, true);
    if (!sim->failed && life->began_calm) audit_folds(sim);
    if (!sim->failed && !stop_cleanly(sim, life)) sim_fail(sim, "a stop in calm weather is not clean");
    if (!sim->failed) judge_tail(sim, life);
    sys_sim_crash(sim->sys, sim_percent(sim, 50));
    judge_reports(sim);
    if (sim->failed) return;
    if (sim_damages(sim) == 0)
        sim_verify(sim);
    else if (!sim_mend(sim))
        return;
    if (!sim->failed && sim_damages_ever(sim) == 0) audit_replays(sim, life->services);
}

static void come_right(struct sim *sim) {
    struct life *life = calloc(1, sizeof *life);
    WEIR_ASSERT(life != NULL);
    uint32_t ends = 0; /* a refused upgrade, poison that waits for its operator, damage, which is repaired then */
    if (sim->plan.weather != WEATHER_DAMAGE && sim_percent(sim, 50)) {
        if (clear_up(sim, life)) {
            look_and_stop(sim, life);
        } else {
            if (!sim->failed) judge_end(sim, life);
            crash(sim, sim_percent(sim, 70));
        }
    }
    for (int round = 0; round < 2 && !sim->failed; round++) { /* once more from what the first one left */
        begin(sim, life, true);
        if (settle(sim, life)) {
            look_and_stop(sim, life);
            if (sim_damages(sim) > 0) break;
            continue;
        }
        bool was_expected = !sim->failed && judge_end(sim, life);
        crash(sim, sim_percent(sim, 70));
        bool mended = !sim->failed && sim_damages(sim) > 0 && sim_mend(sim);
        if ((was_expected || mended) && ends++ < CALM_ENDS_MAX) {
            round--;
            continue;
        }
        if (!sim->failed && sim_damages(sim) == 0)
            sim_fail(sim, "no fault happens any more, and still the node ends: %s", sim->node.error_text);
        break;
    }
    free(life);
}

/* ---- the run ------------------------------------------------------------------------------------------------- */
static void choose_workloads(struct sim *sim, const char *only, uint32_t off) {
    bool operated = false;
    for (const struct sim_workload *const *w = sim_workloads; *w; w++) {
        bool chosen = only ? strcmp((*w)->name, only) == 0 : sim_percent(sim, 40);
        if (off >> (w - sim_workloads) & 1) continue;
        operated = operated || *w == &sim_workload_operator; /* in every run, and the last of them */
        if (!chosen || *w == &sim_workload_operator || sim->workload_count == SIM_WORKLOADS_MAX - 1) continue;
        if (sim->plan.weather == WEATHER_DAMAGE && (*w)->services && !only) continue;
        sim->workloads[sim->workload_count++] = *w;
    }
    bool judges = sim->workload_count == 0 || !sim->workloads[0]->services; /* damage: plain topics alone do */
    if (sim->plan.weather == WEATHER_DAMAGE && !judges) {
        sim->plan.weather = WEATHER_CRASHES;
        for (int f = SYS_SIM_FAULT_ROT; f <= SYS_SIM_FAULT_WRITE_WRONG; f++)
            sim->plan.rates[f] = 0;
    }
    if (sim->workload_count == 0) sim->workloads[sim->workload_count++] = sim_workloads[0];
    if (operated) sim->workloads[sim->workload_count++] = &sim_workload_operator;
    for (uint32_t i = 0; i < sim->workload_count; i++) {
        WEIR_ASSERT(sim->workloads[i] != NULL);
        sim->states[i] = sim->workloads[i]->open(sim);
    }
}

static void finish(struct sim *sim, struct sim_tally *tally, uint64_t *ret_hash) {
    sys_sim_crash(sim->sys, true);
    for (uint32_t i = 0; i < sim->workload_count; i++)
        sim->workloads[i]->close(sim->states[i]);
    audit_free(sim->audit);
    *ret_hash = sys_sim_trace_hash(sim->sys);
    sim->tally.seeds = 1;
    sim->tally.virtual_ns = sim_now_ns(sim);
    for (int f = 0; f < SYS_SIM_FAULT_COUNT; f++)
        sim->tally.faults[f] = sys_sim_faults(sim->sys, (enum sys_sim_fault)f);
    sys_sim_free(sim->sys);
    sim_tally_add(tally, &sim->tally);
}

bool sim_run(const struct sim_options *options, struct sim_tally *tally, char *ret_failure, uint64_t *ret_hash) {
    struct sim *sim = calloc(1, sizeof *sim);
    WEIR_ASSERT(sim != NULL);
    sim->seed = options->seed;
    sim->prng = prng_seed(options->seed ^ 0x5eed);
    plan_make(options->seed, &sim->plan);
    enum weir_error e = sys_sim_new(&sim->plan.world, &sim->sys);
    WEIR_ASSERT(e == WEIR_OK);
    sim->options = options;
    call_trace_begin(sim, options);
    sim->audit = audit_new();
    for (uint32_t f = 0; f < SYS_SIM_FAULT_COUNT; f++)
        if (options->faults_off >> f & 1) sim->plan.rates[f] = 0;
    if (options->lives_max > 0 && sim->plan.lives > options->lives_max) sim->plan.lives = options->lives_max;
    choose_workloads(sim, options->only, options->workloads_off);
    for (uint32_t i = 0; i < sim->plan.lives && !sim->failed; i++)
        live(sim);
    if (!sim->failed) come_right(sim);
    sys_sim_trace(sim->sys, NULL, NULL);
    finish(sim, tally, ret_hash);
    bool good = !sim->failed;
    snprintf(ret_failure, SIM_FAILURE_MAX, "%s", sim->failure);
    free(sim->gaps);
    free(sim);
    return good;
}
