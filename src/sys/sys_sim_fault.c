/* Faults at rates, damage that nobody is told of, and the trace. What each fault means: sim.h. */
#include "base/crc32c.h"
#include "base/hash.h"
#include "sys/sys_sim_world.h"

#include <stdio.h>

#define MILLION     1000000u
#define SLOW_NS_MIN SYS_NANOS_PER_MS

static const char *const fault_names[SYS_SIM_FAULT_COUNT] = {
    [SYS_SIM_FAULT_DIE] = "die at a call",
    [SYS_SIM_FAULT_READ] = "EIO on read",
    [SYS_SIM_FAULT_WRITE] = "EIO on write",
    [SYS_SIM_FAULT_SYNC] = "EIO on sync",
    [SYS_SIM_FAULT_NAME] = "EIO on names",
    [SYS_SIM_FAULT_SPACE] = "ENOSPC",
    [SYS_SIM_FAULT_SLOW] = "slow disk",
    [SYS_SIM_FAULT_ROT] = "bit rot",
    [SYS_SIM_FAULT_READ_WRONG] = "misdirected read",
    [SYS_SIM_FAULT_WRITE_WRONG] = "misdirected write",
    [SYS_SIM_FAULT_STALL] = "stalled thread",
    [SYS_SIM_FAULT_CLOCK] = "clock jump",
    [SYS_SIM_FAULT_CUT] = "connection reset",
    [SYS_SIM_FAULT_HALF_OPEN] = "half-open connection",
    [SYS_SIM_FAULT_DRIBBLE] = "byte by byte",
};

const char *sys_sim_fault_name(enum sys_sim_fault fault) {
    return fault_names[fault];
}

void sys_sim_rates(struct sys *sys, const uint32_t per_million[SYS_SIM_FAULT_COUNT]) {
    struct sys_sim *sim = sim_of(sys);
    for (size_t i = 0; i < SYS_SIM_FAULT_COUNT; i++)
        sim->rates[i] = per_million ? per_million[i] : 0;
}

uint64_t sys_sim_faults(struct sys *sys, enum sys_sim_fault fault) {
    return sim_of(sys)->injected[fault];
}

uint64_t sys_sim_damages(struct sys *sys) {
    const uint64_t *n = sim_of(sys)->injected;
    return n[SYS_SIM_FAULT_ROT] + n[SYS_SIM_FAULT_READ_WRONG] + n[SYS_SIM_FAULT_WRITE_WRONG];
}

static bool draw(struct sys_sim *sim, enum sys_sim_fault fault) {
    uint32_t rate = sim->rates[fault];
    return rate > 0 && prng_chance(&sim->prng_faults[fault], rate, MILLION);
}

bool sim_happens(struct sys_sim *sim, enum sys_sim_fault fault) {
    if (!draw(sim, fault)) return false;
    sim->injected[fault]++;
    return true;
}

bool sim_chance(struct sys_sim *sim, enum sys_sim_fault fault) {
    return sim->running && sim_happens(sim, fault);
}

/* ---- calls that fail ----------------------------------------------------------------------------------------- */
static enum weir_error failure_of(struct sys_sim *sim, enum sys_sim_call call) {
    switch (call) {
    case SYS_SIM_READ:
        return sim_chance(sim, SYS_SIM_FAULT_READ) ? WEIR_E_IO : WEIR_OK;
    case SYS_SIM_WRITE:
        if (sim_chance(sim, SYS_SIM_FAULT_WRITE)) return WEIR_E_IO;
        return sim_chance(sim, SYS_SIM_FAULT_SPACE) ? WEIR_E_NO_SPACE : WEIR_OK;
    case SYS_SIM_SYNC:
    case SYS_SIM_DIR_SYNC:
        return sim_chance(sim, SYS_SIM_FAULT_SYNC) ? WEIR_E_IO : WEIR_OK;
    default:
        return sim_chance(sim, SYS_SIM_FAULT_NAME) ? WEIR_E_IO : WEIR_OK;
    }
}

static uint64_t duration_of(struct sys_sim *sim, enum sys_sim_call call) {
    if (sim_chance(sim, SYS_SIM_FAULT_SLOW))
        return prng_between(&sim->prng_faults[SYS_SIM_FAULT_SLOW], SLOW_NS_MIN, SYS_SIM_SLOW_NS_MAX);
    bool syncs = call == SYS_SIM_SYNC || call == SYS_SIM_DIR_SYNC;
    uint64_t usual = syncs ? sim->plan.sync_ns : sim->plan.write_ns;
    return prng_between(&sim->prng_time, usual / 4, usual / 4 * 7);
}

enum weir_error sim_fault_rated(struct sys_sim *sim, enum sys_sim_call call, const char *verb, const char *what) {
    if (!sim->running) return WEIR_OK;
    if (sim_chance(sim, SYS_SIM_FAULT_DIE)) {
        sim_process_die(sim, NULL);
        return sim_closed();
    }
    enum weir_error e = failure_of(sim, call);
    sim_threads_wait(sim, duration_of(sim, call));
    if (sim_dead(sim)) return sim_closed();
    return e ? weir_error_context(e, "cannot %s %s: simulated failure", verb, what) : WEIR_OK;
}

/* ---- damage -------------------------------------------------------------------------------------------------- */
void sim_rot(struct sys_sim *sim) {
    struct prng *prng = &sim->prng_faults[SYS_SIM_FAULT_ROT];
    uint64_t count = 0;
    struct sim_inode *chosen = NULL;
    for (size_t i = 0; i < sim->inode_count; i++) {
        struct sim_inode *inode = sim->inodes[i];
        if (!inode->linked || inode->is_folder || inode->durable.size == 0) continue;
        if (prng_below(prng, ++count) == 0) chosen = inode;
    }
    if (!chosen) {
        sim->injected[SYS_SIM_FAULT_ROT]--; /* there was nothing to rot */
        return;
    }
    uint64_t at = prng_below(prng, chosen->durable.size);
    uint8_t mask = (uint8_t)(1u << prng_below(prng, 8)), byte;
    struct sim_content *contents[] = {&chosen->live, &chosen->durable};
    for (size_t i = 0; i < 2; i++) {
        if (sim_content_read(contents[i], at, &byte, 1) == 0) continue;
        byte ^= mask;
        sim_content_write(contents[i], at, &byte, 1);
    }
    sim_note(sim, "rots", chosen->label, at, mask, WEIR_OK);
}

void sim_damage_read(struct sys_sim *sim, const struct sim_inode *inode, uint8_t *data, size_t size) {
    struct prng *prng = &sim->prng_faults[SYS_SIM_FAULT_READ_WRONG];
    if (size == 0 || !sim_chance(sim, SYS_SIM_FAULT_READ_WRONG)) return;
    uint8_t other[SIM_SECTOR_SIZE];
    size_t part = size < sizeof other ? size : sizeof other;
    uint64_t from = prng_below(prng, inode->live.size / SIM_SECTOR_SIZE + 1) * SIM_SECTOR_SIZE;
    size_t to = (size_t)prng_below(prng, size - part + 1), got;
    got = sim_content_read(&inode->live, from, other, part);
    if (got == 0 || memcmp(data + to, other, got) == 0) {
        sim->injected[SYS_SIM_FAULT_READ_WRONG]--; /* the same bytes: no harm */
        return;
    }
    memcpy(data + to, other, got);
    sim_note(sim, "reads wrong", inode->label, from, got, WEIR_OK);
}

uint64_t sim_damage_write(struct sys_sim *sim, const struct sim_inode *inode, uint64_t offset, size_t size) {
    struct prng *prng = &sim->prng_faults[SYS_SIM_FAULT_WRITE_WRONG];
    if (inode->live.size <= size || !sim_chance(sim, SYS_SIM_FAULT_WRITE_WRONG)) return offset;
    uint64_t to = prng_below(prng, (inode->live.size - size) / SIM_SECTOR_SIZE + 1) * SIM_SECTOR_SIZE;
    if (to == offset) sim->injected[SYS_SIM_FAULT_WRITE_WRONG]--;
    sim_note(sim, "writes wrong", inode->label, offset, to, WEIR_OK);
    return to;
}

/* ---- the trace ----------------------------------------------------------------------------------------------- */
uint64_t sys_sim_trace_hash(struct sys *sys) {
    return sim_of(sys)->trace_hash;
}

void sys_sim_trace(struct sys *sys, void (*line)(void *ctx, const char *text), void *ctx) {
    sim_of(sys)->trace_line = line;
    sim_of(sys)->trace_ctx = ctx;
}

void sim_note(struct sys_sim *sim, const char *verb, const char *what, uint64_t a, uint64_t b, enum weir_error result) {
    uint64_t words[6] = {sim->mono_ns, (uint64_t)sim_process(sim), a, b, (uint64_t)result, sim->trace_hash};
    uint64_t hash = hash_bytes(words, sizeof words, 0);
    hash = hash_bytes(verb, strlen(verb), hash);
    sim->trace_hash = hash_bytes(what, strlen(what), hash);
    if (!sim->trace_line) return;
    char line[512];
    uint64_t now = sys_sim_elapsed_ns(&sim->table);
    snprintf(line, sizeof line, "%llu.%09llu p%d %s: %s %s %llu %llu%s%s", (unsigned long long)(now / SYS_NANOS_PER_S),
        (unsigned long long)(now % SYS_NANOS_PER_S), sim_process(sim), sim_thread_name(sim), verb, what,
        (unsigned long long)a, (unsigned long long)b, result ? " -> " : "", result ? weir_error_name(result) : "");
    sim->trace_line(sim->trace_ctx, line);
}
