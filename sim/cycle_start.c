#include "sim/cycle_start.h"

#include "host/settings.h"
#include "sim/workload.h"

#define HEAD_BYTES 24u /* of a snapshot file */

static const char *const names[] = {"left", "right"};

void cycle_start_init(struct cycle_start *s, struct sim *sim) {
    *s = (struct cycle_start){.sim = sim, .version = 1, .perhaps = 1, .tried = 1, .scale = 1, .room_kb = 64};
    s->room_kb_max = s->room_kb;
    s->limits.partitions = (uint32_t)prng_between(&sim->prng, 1, CYCLE_PARTITIONS_MAX);
    static const uint32_t keys[] = {16, 64, 4096, 4096, 4096}; /* the ring of 64 has no room for their long replies */
    s->limits.keys_max = keys[sim_pick(sim, 5)];
    s->limits.key_age_ns = sim_percent(sim, 10) ? 2 * SYS_NANOS_PER_S : UINT64_MAX;
    s->waiting_max = sim_percent(sim, 30) ? 16 : 256;
}

/* ---- a snapshot rots --------------------------------------------------------------------------------------------- */
struct newest {
    char name[40];
};

static bool take_name(void *ctx, const char *name, bool is_folder) {
    struct newest *n = ctx;
    size_t size = strlen(name); /* names come in order */
    if (!is_folder && size > 5 && size < sizeof n->name && strcmp(name + size - 5, ".snap") == 0)
        memcpy(n->name, name, size + 1);
    return true;
}

static enum weir_error cut_short(struct sys *sys, const char *path, uint64_t size) {
    int file;
    enum weir_error e = sys->file_open(sys, path, SYS_OPEN_WRITE, &file);
    if (e == WEIR_OK) e = sys->file_truncate(sys, file, size);
    if (e == WEIR_OK) e = sys->file_sync(sys, file);
    if (e == WEIR_OK) sys->file_close(sys, file);
    return e;
}

/* The newest snapshot of a partition: one bit turns, or its end is gone. */
static void damage_snapshot(struct cycle_start *s) {
    struct sys *sys = s->sim->sys;
    char folder[96];
    struct newest newest = {0};
    uint32_t partition = sim_pick(s->sim, s->limits.partitions);
    const char *name = names[sim_pick(s->sim, 2)];
    snprintf(folder, sizeof folder, "%s/snapshots/%s/%u", s->sim->plan.log.folder, name, partition);
    bool exists = false;
    enum weir_error e = sys->path_exists(sys, folder, &exists);
    if (e == WEIR_OK && exists) e = sys->dir_list(sys, folder, take_name, &newest);
    if (e != WEIR_OK || newest.name[0] == 0) return;
    snprintf(s->damaged, sizeof s->damaged, "%s/%s", folder, newest.name);
    struct weir_slice bytes;
    e = sys_read_all(sys, s->damaged, 16u << 20, &bytes);
    WEIR_ASSERT(e == WEIR_OK);
    if (bytes.size == 0) return; /* cut to nothing before an earlier start, which did not come so far */
    /* Its head is small and has most to say. */
    uint64_t at =
        prng_below(&s->sim->prng, bytes.size > HEAD_BYTES && sim_percent(s->sim, 40) ? HEAD_BYTES : bytes.size);
    sys_bytes_free(bytes);
    e = sim_percent(s->sim, 50) ? cut_short(sys, s->damaged, at)
                                : sys_sim_flip(sys, s->damaged, at, (uint8_t)(1u << sim_pick(s->sim, 8)));
    WEIR_ASSERT(e == WEIR_OK);
    s->sim->tally.snapshots_damaged++;
}

/* ---- a start ----------------------------------------------------------------------------------------------------- */
static uint32_t choose_version(struct cycle_start *s) {
    if (s->sim->calm || sim_percent(s->sim, 75)) return s->version;
    return 1 + sim_pick(s->sim, CYCLE_VERSIONS);
}

static void choose_settings(struct cycle_start *s) {
    s->wrong_partitions = !s->sim->calm && s->topics_made && sim_percent(s->sim, 4);
    s->left_alone = !s->sim->calm && sim_percent(s->sim, 2);
    if (sim_percent(s->sim, 20)) s->scale = 1 + sim_pick(s->sim, 5);
    if (sim_percent(s->sim, 20)) s->label = sim_pick(s->sim, 4);
    if (sim_percent(s->sim, 20)) s->room_kb = 16u << sim_pick(s->sim, 5);
    if (s->sim->calm) s->room_kb = s->room_kb_max; /* nobody is left who would answer a refusal */
    if (s->room_kb > s->room_kb_max) s->room_kb_max = s->room_kb;
}

static bool runs_alone(const struct sim *sim) {
    uint32_t with_services = 0;
    for (uint32_t i = 0; i < sim->workload_count; i++)
        with_services += sim->workloads[i]->services != NULL;
    return with_services == 1;
}

void cycle_start_begin(struct cycle_start *s) {
    s->alone = runs_alone(s->sim);
    s->tried = choose_version(s);
    if (s->tried > s->perhaps) s->perhaps = s->tried;
    if (s->tried < s->version && (s->below == 0 || s->tried < s->below)) s->below = s->tried;
    s->ready = false;
    s->damaged[0] = 0;
    choose_settings(s);
    /* Where one version wrote everything: an older snapshot and what follows it can be replayed. */
    if (s->perhaps == 1 && sim_percent(s->sim, 15)) damage_snapshot(s);
}

static void set(struct settings *settings, const char *key, const char *value) {
    enum weir_error e = settings_set(settings, key, value, "sim");
    WEIR_ASSERT(e == WEIR_OK);
}

void cycle_start_configure(const struct cycle_start *s, struct settings *settings) {
    static const char *const labels[] = {"", "a", "another label", "d\xc3\xa9j\xc3\xa0 vu"};
    char text[32], key[32];
    for (uint32_t i = 0; i < (s->left_alone ? 1u : 2u); i++) {
        snprintf(key, sizeof key, "%s.partitions", names[i]);
        snprintf(text, sizeof text, "%u", s->limits.partitions + s->wrong_partitions);
        set(settings, key, text);
        snprintf(key, sizeof key, "%s.scale", names[i]);
        snprintf(text, sizeof text, "%u", s->scale);
        set(settings, key, text);
        snprintf(key, sizeof key, "%s.label", names[i]);
        set(settings, key, labels[s->label]);
        snprintf(key, sizeof key, "%s.room", names[i]);
        snprintf(text, sizeof text, "%uKB", s->room_kb);
        set(settings, key, text);
    }
    if (!s->alone) return;
    snprintf(text, sizeof text, "%u", s->limits.keys_max);
    set(settings, "idempotency_keys", text);
    if (s->limits.key_age_ns < UINT64_MAX) set(settings, "idempotency_age", "2s");
    snprintf(text, sizeof text, "%u", s->waiting_max);
    set(settings, "waiting_max", text);
}

static bool was_reported(const struct sim *sim, const char *path) {
    for (uint32_t i = 0; i < sim->node.report_count; i++)
        if (strstr(sim->node.reports[i], path) && strstr(sim->node.reports[i], "passed over")) return true;
    return sim->node.report_count == NODE_REPORTS_MAX;
}

/* Ready is said before the first record is durable, and the topics with it. */
static bool topics_are_durable(const struct host *host) {
    for (uint32_t i = 0; i < host_partition_count(host); i++) {
        struct host_partition_facts facts;
        host_partition_facts(host, i, &facts);
        if (facts.high == 0) return false;
    }
    return true;
}

void cycle_start_step(struct cycle_start *s) {
    if (!node_is_open(&s->sim->node)) return;
    s->topics_made = s->topics_made || topics_are_durable(s->sim->node.host);
    if (s->ready) return;
    s->ready = true;
    if (s->tried > s->version) s->sim->tally.upgrades++;
    s->below = 0;
    s->version = s->tried; /* a newer one may still be in force behind a poison record */
    if (s->left_alone) sim_fail(s->sim, "the node starts without the service that another one emits to");
    if (s->wrong_partitions) sim_fail(s->sim, "the node starts with another number of partitions than there are");
    if (s->damaged[0] && !was_reported(s->sim, s->damaged))
        sim_fail(s->sim, "the damaged snapshot %s is not spoken of", s->damaged);
}

static bool version_may_be_refused(struct cycle_start *s) {
    if (s->tried < s->perhaps) { /* what was started and died is in force */
        s->sim->tally.upgrades_refused++;
        bool doubt = s->version < s->perhaps;
        if (s->tried == s->version) s->version = s->perhaps;
        return doubt || s->tried < s->version;
    }
    if (s->tried == s->version && s->below == 0) return false;
    if (s->tried == s->version) s->version = s->below; /* it came into force again before the newer one had written */
    s->sim->tally.upgrades_refused++;
    return s->version == 1; /* 3 replays what 2 wrote */
}

bool cycle_start_expects(struct cycle_start *s, const char *sentence) {
    if (strstr(sentence, "replays versions")) return version_may_be_refused(s);
    if (strstr(sentence, "a service's partitions stay as they were made")) return s->wrong_partitions;
    if (strstr(sentence, "which does not run here")) return s->left_alone;
    if (strstr(sentence, "larger capacities")) {
        bool lowered = s->room_kb < s->room_kb_max;
        s->room_kb = s->room_kb_max;
        return lowered;
    }
    return false;
}
