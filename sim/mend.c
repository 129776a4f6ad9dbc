/* See mend.h. */
#include "sim/mend.h"

#include <stdlib.h>

#define ATTEMPTS_MAX 3      /* of a repair; all but the last may die */
#define CALLS_MAX    400    /* of a repair, before the one at which it dies */
#define TURNS_MAX    200000 /* of a repair: more is an endless loop */

static const char *folder_of(const struct sim *sim) {
    return sim->plan.log.folder;
}

/* ---- verify -------------------------------------------------------------------------------------------------- */
static void say_finding(void *ctx, const struct log_finding *finding) {
    struct sim *sim = ctx;
    if (finding->error != WEIR_OK)
        sim_fail(sim, "on a whole disk `log verify` says of %s byte %llu: %s", finding->path,
            (unsigned long long)finding->byte, finding->text);
}

void sim_verify(struct sim *sim) {
    if (log_verify(sim->sys, folder_of(sim), say_finding, sim) != WEIR_OK)
        sim_fail(sim, "on a whole disk `log verify` fails: %s", weir_error_text());
}

static void ignore_finding(void *ctx, const struct log_finding *finding) {
    (void)ctx;
    (void)finding;
}

/* ---- dump ---------------------------------------------------------------------------------------------------- */
static void ignore_line(void *ctx, const char *line) {
    (void)ctx;
    (void)line;
}

/* Whatever is in the files: it prints what it can, and comes back. */
static void dump(struct sim *sim) {
    enum weir_error ignored = log_dump(sim->sys, folder_of(sim), sim_percent(sim, 50), ignore_line, NULL);
    (void)ignored;
}

/* ---- repair -------------------------------------------------------------------------------------------------- */
struct repair {
    struct sim *sim;
    enum weir_error error;
    bool done;
    char text[512];
};

static void give_up(struct sim *sim, const char *topic, size_t topic_size, uint32_t partition, uint64_t from, uint64_t to) {
    if (topic_size > LOG_TOPIC_NAME_MAX) return;
    sim->gaps = realloc(sim->gaps, (sim->gap_count + 1) * sizeof *sim->gaps);
    WEIR_ASSERT(sim->gaps != NULL);
    struct sim_gap *g = &sim->gaps[sim->gap_count++];
    *g = (struct sim_gap){.partition = partition, .from = from, .to = to};
    memcpy(g->topic, topic, topic_size);
}

/* "TOPIC-PARTITION" up to a blank, colon or the end. */
static const char *split_name(const char *name, size_t *ret_size, uint32_t *ret_partition) {
    size_t size = strcspn(name, " :");
    const char *dash = memrchr(name, '-', size);
    if (!dash) return NULL;
    *ret_size = (size_t)(dash - name);
    *ret_partition = (uint32_t)strtoul(dash + 1, NULL, 10);
    return name;
}

/* "T-P: offsets A to B are given up" or "frame N: offsets A to B of T-P are given up": what an operator reads. */
static void take_finding(void *ctx, const struct log_finding *finding) {
    struct repair *r = ctx;
    const char *at = strstr(finding->text, "offsets ");
    unsigned long long from = 0, to = 0;
    if (strncmp(finding->text, "frames ", 7) == 0) r->sim->frames_given_up = true;
    if (!at || !strstr(finding->text, "given up") || sscanf(at, "offsets %llu to %llu", &from, &to) != 2) return;
    const char *of = strstr(at, " of "), *name = of ? of + 4 : finding->text;
    size_t size = 0;
    uint32_t partition = 0;
    if (split_name(name, &size, &partition)) give_up(r->sim, name, size, partition, from, to);
}

static void repair_main(void *ctx) {
    struct repair *r = ctx;
    r->error = log_repair(r->sim->sys, folder_of(r->sim), take_finding, r);
    snprintf(r->text, sizeof r->text, "%s", weir_error_text());
    r->done = true;
}

/* A process that may die in the middle. True: it came to its end. */
static bool repair_once(struct sim *sim, bool may_die, struct repair *r) {
    *r = (struct repair){.sim = sim};
    int process = sys_sim_spawn(sim->sys, repair_main, r);
    if (may_die) sys_sim_fail_at(sim->sys, SYS_SIM_ANY, prng_between(&sim->prng, 1, CALLS_MAX), WEIR_E_CLOSED);
    for (uint32_t turns = 0; sys_sim_running(sim->sys, process) && !sim->failed; turns++) {
        if (turns == TURNS_MAX) sim_fail(sim, "`log repair` does not end");
        sys_sim_turn(sim->sys, sim_now_ns(sim) + SYS_NANOS_PER_S);
    }
    bool whole = r->done && !sys_sim_died(sim->sys, process);
    sys_sim_crash(sim->sys, whole || sim_percent(sim, 50));
    return whole;
}

bool sim_mend(struct sim *sim) {
    sys_sim_rates(sim->sys, NULL);
    dump(sim);
    enum weir_error e = log_verify(sim->sys, folder_of(sim), ignore_finding, NULL);
    if (e == WEIR_OK) {
        sim->damages_mended = sys_sim_damages(sim->sys);
        return true;
    }
    if (weir_error_text()[0] == 0) sim_fail(sim, "`log verify` fails without a word (%s)", weir_error_name(e));
    if (e != WEIR_E_CORRUPT) return false; /* FORMAT or catalogue of a version nobody knows: named, for a human */
    struct repair r;
    for (int i = 1; i <= ATTEMPTS_MAX && !sim->failed; i++)
        if (repair_once(sim, i < ATTEMPTS_MAX && sim_percent(sim, 40), &r)) break;
    if (sim->failed) return false;
    if (r.error == WEIR_E_CORRUPT && strstr(r.text, "catalogue")) return false; /* the one thing it can't rebuild */
    if (r.error != WEIR_OK) {
        sim_fail(sim, "`log repair` fails: %s: %s", weir_error_name(r.error), r.text);
        return false;
    }
    sim->tally.repairs++;
    sim_verify(sim);
    sim->damages_mended = sys_sim_damages(sim->sys);
    return !sim->failed;
}
