/* The simulated world as a whole: its life, tables of handles, faults, clock, agents, crashes. */
#include "sys/sys_sim_world.h"

#include <stdio.h>
#include <stdlib.h>

#define BOOT_NS       SYS_NANOS_PER_S       /* the monotonic clock after power came on */
#define WALL_START_NS 1767225600000000000ll /* 2026-01-01T00:00:00Z */
#define HANDLE_FIRST  3                     /* 0 to 2 are the standard streams in the other world */
#define PORT_FIRST    20000
#define CLIENT_FIRST  40000

/* ---- tables -------------------------------------------------------------------------------------------------- */
void *sim_new(size_t size) {
    void *memory = calloc(1, size);
    WEIR_ASSERT(memory != NULL);
    return memory;
}

void *sim_grow(void *items, size_t count, size_t *capacity, size_t element_size) {
    if (count < *capacity) return items;
    *capacity = *capacity ? *capacity * 2 : 8;
    items = realloc(items, *capacity * element_size);
    WEIR_ASSERT(items != NULL);
    return items;
}

static size_t table_place(const struct sim_table *table, int handle) {
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (table->slots[middle].handle < handle)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void sim_table_add(struct sim_table *table, int handle, int process, void *item) {
    WEIR_ASSERT(table->count == 0 || table->slots[table->count - 1].handle < handle);
    table->slots = sim_grow(table->slots, table->count, &table->capacity, sizeof *table->slots);
    table->slots[table->count++] = (struct sim_slot){handle, process, item};
}

void *sim_table_find(const struct sim_table *table, int handle) {
    size_t place = table_place(table, handle);
    return place < table->count && table->slots[place].handle == handle ? table->slots[place].item : NULL;
}

void sim_table_own(struct sim_table *table, int handle, int process) {
    table->slots[table_place(table, handle)].process = process;
}

int sim_table_owner(const struct sim_table *table, int handle) {
    return table->slots[table_place(table, handle)].process;
}

void *sim_table_take(struct sim_table *table, int handle) {
    void *item = sim_table_find(table, handle);
    if (!item) return NULL;
    size_t place = table_place(table, handle);
    table->count--;
    memmove(table->slots + place, table->slots + place + 1, (table->count - place) * sizeof *table->slots);
    return item;
}

void sim_table_done(struct sim_table *table) {
    free(table->slots);
    *table = (struct sim_table){0};
}

int sim_handle(struct sys_sim *sim) {
    return sim->handle_next++;
}

void *sim_find(struct sys_sim *sim, const struct sim_table *table, int handle) {
    void *item = sim_table_find(table, handle);
    WEIR_ASSERT(
        item != NULL || sim_dead(sim) || (handle >= 0 && handle < sim->handle_first)); /* used after its close */
    return item;
}

/* ---- faults -------------------------------------------------------------------------------------------------- */
static enum weir_error fault_of(struct sys_sim *sim, enum sys_sim_call call) {
    struct sim_fault *fault = &sim->faults[call];
    if (fault->calls_left == 0 || --fault->calls_left > 0) return WEIR_OK;
    return fault->error;
}

enum weir_error sim_call(struct sys_sim *sim, enum sys_sim_call call, const char *verb, const char *what) {
    if (sim_dead(sim)) return sim_closed();
    if (!sim->running && sim->processes) return WEIR_OK; /* the observer of processes only looks */
    sim->calls[call]++;
    enum weir_error e = fault_of(sim, call);
    if (call != SYS_SIM_ANY) {
        sim->calls[SYS_SIM_ANY]++;
        enum weir_error any = fault_of(sim, SYS_SIM_ANY);
        if (!e) e = any;
    }
    if (e == WEIR_E_CLOSED) {
        if (sim->running)
            sim_process_die(sim, NULL);
        else
            sim->dead = true;
        return sim_closed();
    }
    if (!e)
        e = sim_fault_rated(sim, call, verb, what);
    else
        (void)weir_error_context(e, "cannot %s %s: simulated failure", verb, what);
    sim_note(sim, verb, what, 0, 0, e);
    return e;
}

enum weir_error sim_linger(struct sys_sim *sim) {
    if (!sim->running || !prng_chance(&sim->prng_run, 1, 4)) return WEIR_OK;
    sim_threads_wait(sim, prng_between(&sim->prng_run, 0, sim->plan.write_ns));
    return sim_dead(sim) ? sim_closed() : WEIR_OK;
}

void sys_sim_fail_at(struct sys *sys, enum sys_sim_call call, uint64_t nth, enum weir_error error) {
    WEIR_ASSERT(call < SYS_SIM_CALL_COUNT);
    sim_of(sys)->faults[call] = (struct sim_fault){.calls_left = nth, .error = error};
}

bool sys_sim_dead(struct sys *sys) {
    return sim_dead(sim_of(sys));
}

uint64_t sys_sim_calls(struct sys *sys, enum sys_sim_call call) {
    WEIR_ASSERT(call < SYS_SIM_CALL_COUNT);
    return sim_of(sys)->calls[call];
}

static void sim_fatal(struct sys *sys, const char *message) {
    struct sys_sim *sim = sim_of(sys);
    if (sim->running) {
        sim_process_die(sim, message);
        return;
    }
    if (sim->dead) return; /* a process dies once; its first reason is the one to tell */
    sim->dead = sim->fatal = true;
    snprintf(sim->fatal_message, sizeof sim->fatal_message, "%s", message);
}

bool sys_sim_fatal(struct sys *sys, const char **ret_message) {
    struct sys_sim *sim = sim_of(sys);
    if (sim->fatal) *ret_message = sim->fatal_message;
    return sim->fatal;
}

/* ---- clock and randomness ------------------------------------------------------------------------------------ */
void sim_spend(struct sys_sim *sim, uint64_t ns) {
    sim->mono_ns += ns;
}

uint64_t sys_sim_elapsed_ns(struct sys *sys) {
    return sim_of(sys)->before_boot_ns + sim_of(sys)->mono_ns;
}

void sys_sim_advance(struct sys *sys, uint64_t ns) {
    sim_spend(sim_of(sys), ns);
}

void sys_sim_jump_wall(struct sys *sys, int64_t ns) {
    sim_of(sys)->wall_offset_ns += ns;
}

static uint64_t sim_mono_ns(struct sys *sys) {
    return sim_of(sys)->mono_ns;
}

static uint64_t sim_wall_ns(struct sys *sys) {
    return sim_of(sys)->mono_ns + (uint64_t)sim_of(sys)->wall_offset_ns;
}

void sys_sim_observe(struct sys *sys, int process) {
    sim_of(sys)->observed = process;
}

static void sim_random(struct sys *sys, void *data, size_t size) {
    prng_bytes(&sim_of(sys)->prng_given, data, size);
}

/* ---- agents -------------------------------------------------------------------------------------------------- */
static enum weir_error sim_agent_start(
    struct sys *sys, const struct sys_agent *agent, int wake_poller, int *ret_handle) {
    struct sys_sim *sim = sim_of(sys);
    WEIR_ASSERT(agent->do_work && agent->name && strlen(agent->name) < 16);
    if (sim_dead(sim)) return sim_closed();
    struct sim_agent *a = sim_new(sizeof *a);
    a->agent = *agent;
    int handle = sim_handle(sim);
    sim_table_add(&sim->agents, handle, sim_process(sim), a);
    if (sim->running) sim_thread_start(sim, a, wake_poller); /* the observer's never sleep */
    *ret_handle = handle;
    return WEIR_OK;
}

static void sim_agent_stop(struct sys *sys, int handle) {
    struct sys_sim *sim = sim_of(sys);
    struct sim_agent *agent = handle >= 0 ? sim_find(sim, &sim->agents, handle) : NULL;
    if (!agent) return;
    sim_thread_join(sim, agent);
    free(sim_table_take(&sim->agents, handle));
}

static uint32_t sim_process_id(struct sys *sys) {
    return (uint32_t)sim_process(sim_of(sys));
}

/* The machine's own would differ from run to run. */
static uint64_t sim_memory_resident(struct sys *sys) {
    (void)sys;
    return 0;
}

static void sim_memory_usage(struct sys *sys, struct sys_memory_usage *ret_usage) {
    (void)sys;
    *ret_usage = (struct sys_memory_usage){0};
}

static void sim_pause(struct sys *sys, uint64_t ns) {
    struct sys_sim *sim = sim_of(sys);
    WEIR_ASSERT(sim->running); /* the observer has nobody to wait for */
    sim_threads_wait(sim, ns);
}

/* One round: every agent once, in an order of the seed's choosing. Agents may start and stop others meanwhile. */
static uint64_t run_round(struct sys_sim *sim, uint64_t max_steps, uint64_t *steps) {
    size_t count = sim->agents.count;
    int *order = sim_new((count + 1) * sizeof *order);
    for (size_t i = 0; i < count; i++) {
        size_t place = (size_t)prng_between(&sim->prng_run, 0, i);
        order[i] = order[place];
        order[place] = sim->agents.slots[i].handle;
    }
    uint64_t worked = 0;
    for (size_t i = 0; i < count && *steps < max_steps && !sim->dead; i++) {
        struct sim_agent *a = sim_table_find(&sim->agents, order[i]);
        if (!a || a->thread) continue;
        struct sys_agent agent = a->agent;
        worked += agent.do_work(agent.self, 0);
        (*steps)++;
    }
    free(order);
    return worked;
}

uint64_t sys_sim_run(struct sys *sys, uint64_t max_steps) {
    struct sys_sim *sim = sim_of(sys);
    uint64_t steps = 0;
    while (steps < max_steps && !sim->dead && sim->agents.count > 0) {
        if (run_round(sim, max_steps, &steps) == 0) break;
    }
    return steps;
}

/* ---- life ---------------------------------------------------------------------------------------------------- */
static void agents_crash(struct sys_sim *sim) {
    for (size_t i = 0; i < sim->agents.count; i++)
        free(sim->agents.slots[i].item);
    sim->agents.count = 0;
}

void sys_sim_crash(struct sys *sys, bool process_only) {
    struct sys_sim *sim = sim_of(sys);
    WEIR_ASSERT(!sim->running);
    sim_processes_end(sim);
    sim_note(sim, process_only ? "all processes end" : "the power is cut", "", 0, 0, WEIR_OK);
    agents_crash(sim);
    sim_pollers_crash(sim);
    sim_sockets_crash(sim, false);
    sim_files_crash(sim, process_only);
    sim->dead = sim->fatal = false;
    sim->last_words = (struct sim_last_words){0};
    memset(sim->faults, 0, sizeof sim->faults);
    sim->handle_first = sim->handle_next;
    if (process_only) return;
    /* A new boot: the monotonic clock starts over, the wall clock goes on. */
    sim->wall_offset_ns += (int64_t)(sim->mono_ns - BOOT_NS);
    sim->before_boot_ns += sim->mono_ns - BOOT_NS;
    sim->mono_ns = BOOT_NS;
}

enum weir_error sys_sim_new(const struct sys_sim_plan *plan, struct sys **ret_sys) {
    WEIR_ASSERT(plan->keep_unsynced_percent <= 100 && plan->tear_percent <= 100 && plan->keep_entry_percent <= 100);
    struct sys_sim *sim = sim_new(sizeof *sim);
    sim->plan = *plan;
    struct prng seed = prng_seed(plan->seed);
    sim->prng_disk = prng_fork(&seed);
    sim->prng_net = prng_fork(&seed);
    sim->prng_run = prng_fork(&seed);
    sim->prng_given = prng_fork(&seed);
    sim->prng_time = prng_fork(&seed);
    for (size_t i = 0; i < SYS_SIM_FAULT_COUNT; i++)
        sim->prng_faults[i] = prng_fork(&seed);
    sim->mono_ns = BOOT_NS;
    sim->wall_offset_ns = WALL_START_NS - (int64_t)BOOT_NS;
    sim->handle_next = sim->handle_first = HANDLE_FIRST;
    sim->port_next = PORT_FIRST;
    sim->client_port_next = CLIENT_FIRST;
    sim->root = sim_inode_new(sim, true);
    sim->root->linked = true;
    sim->table.mono_ns = sim_mono_ns;
    sim->table.wall_ns = sim_wall_ns;
    sim->table.random = sim_random;
    sim->table.agent_start = sim_agent_start;
    sim->table.agent_stop = sim_agent_stop;
    sim->table.pause = sim_pause;
    sim->table.process_id = sim_process_id;
    sim->table.memory_resident = sim_memory_resident;
    sim->table.memory_usage = sim_memory_usage;
    sim->table.fatal = sim_fatal;
    sim->table.on_crash = sim_on_crash;
    sim_file_table(&sim->table);
    sim_path_table(&sim->table);
    sim_poller_table(&sim->table);
    sim_net_table(&sim->table);
    *ret_sys = &sim->table;
    return WEIR_OK;
}

void sys_sim_free(struct sys *sys) {
    if (!sys) return;
    struct sys_sim *sim = sim_of(sys);
    sim_processes_done(sim);
    agents_crash(sim);
    sim_pollers_crash(sim);
    sim_sockets_crash(sim, true);
    sim_files_crash(sim, true);
    for (size_t i = 0; i < sim->naming_count; i++) {
        free(sim->namings[i].name);
        free(sim->namings[i].from_name);
    }
    free(sim->namings);
    for (size_t i = 0; i < sim->inode_count; i++)
        sim_inode_free(sim->inodes[i]);
    free(sim->inodes);
    sim_table_done(&sim->files);
    sim_table_done(&sim->sockets);
    sim_table_done(&sim->pollers);
    sim_table_done(&sim->agents);
    free(sim);
}
