/* Processes and threads of the simulated world: each thread has a stack of its own and runs until it waits; one runs at
 * a time, and which is next is the seed's choice. See sim.h for what this explores and what it does not.
 */
#include "sys/sys_sim_world.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define FIBERS_TOLD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBERS_TOLD 1
#endif
#endif
#ifdef FIBERS_TOLD
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_BYTES    (512u << 10) /* the deepest stack seen is 80 KiB; sanitizers need a multiple of it */
#define BLOCK_NS       (SYS_NANOS_PER_S / 2)
#define PAUSE_NS_MIN   50000u /* as on Linux: an agent without a poller, when idle */
#define PAUSE_NS_MAX   (10 * SYS_NANOS_PER_MS)
#define STALL_NS_MIN   SYS_NANOS_PER_MS
#define STALL_NS_MAX   (2 * SYS_NANOS_PER_S)
#define CLOCK_NS_MAX   (86400 * SYS_NANOS_PER_S)
#define END_TURNS_MAX  1000000u /* of a thread of a dead process: it must not wait for anything any more */
#define NEVER          UINT64_MAX
#define ERROR_TEXT_MAX 512

struct sim_stack {
    struct sim_stack *next;
};
struct sim_thread {
    struct sim_thread *next;
    struct sim_process *process;
    struct sim_agent *agent; /* NULL: the main thread */
    void (*main)(void *ctx);
    void *ctx;
    const char *name;
    int wake_poller;
    bool started, stop, ended, waited;
    uint64_t wake_ns, not_before_ns; /* of the elapsed time; not_before: a stall */
    struct sim_poller *poller;       /* it waits in */
    uint64_t net_seen;               /* no socket of the poller was ready at this version */
    struct sim_thread *joins;        /* it waits for this one's end */
    struct sim_stack *stack;
    ucontext_t context; /* where it begins; afterwards a thread is where it jumped from: that costs no system call */
    jmp_buf here, back; /* back: whoever gave it its turn */
    void *fake_stack, *fake_back; /* AddressSanitizer's */
    const void *back_bottom;
    size_t back_size;
    char error_text[ERROR_TEXT_MAX]; /* every thread has an error context of its own */
};

/* ---- stacks -------------------------------------------------------------------------------------------------- */
static struct sim_stack *stack_take(struct sys_sim *sim) {
    struct sim_stack *stack = sim->stacks;
    if (stack) {
        sim->stacks = stack->next;
        return stack;
    }
    void *memory = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    WEIR_ASSERT(memory != MAP_FAILED);
    WEIR_ASSERT(mprotect(memory, 4096, PROT_NONE) == 0); /* running over the end is seen at once */
    return (struct sim_stack *)(void *)((uint8_t *)memory + 4096);
}

static void stack_give(struct sys_sim *sim, struct sim_stack *stack) {
    stack->next = sim->stacks;
    sim->stacks = stack;
}

/* ---- switching ----------------------------------------------------------------------------------------------- */
static void switch_told(void **fake, const void *bottom, size_t size) {
#ifdef FIBERS_TOLD
    __sanitizer_start_switch_fiber(fake, bottom, size);
#else
    (void)fake, (void)bottom, (void)size;
#endif
}

static void switched_told(void *fake, const void **bottom, size_t *size) {
#ifdef FIBERS_TOLD
    __sanitizer_finish_switch_fiber(fake, bottom, size);
#else
    (void)fake, (void)bottom, (void)size;
#endif
}

static void error_text_keep(char text[ERROR_TEXT_MAX]) {
    size_t size = strlen(weir_error_text()) + 1;
    WEIR_ASSERT(size <= ERROR_TEXT_MAX);
    memcpy(text, weir_error_text(), size);
}

static void error_text_restore(const char *text) {
    if (strcmp(text, weir_error_text()) == 0) return; /* mostly */
    weir_error_clear();
    if (text[0]) (void)weir_error_context(WEIR_OK, "%s", text);
}

/* From the running thread back to who gave it its turn. */
static void suspend(struct sys_sim *sim) {
    struct sim_thread *t = sim->running;
    t->waited = true;
    error_text_keep(t->error_text);
    switch_told(&t->fake_stack, t->back_bottom, t->back_size);
    if (_setjmp(t->here) == 0) _longjmp(t->back, 1);
    switched_told(t->fake_stack, &t->back_bottom, &t->back_size);
    error_text_restore(t->error_text);
}

static void agent_life(struct sys_sim *sim, struct sim_thread *t) {
    uint64_t pause = PAUSE_NS_MIN;
    while (!t->stop && !t->process->dead && !t->process->ended) {
        t->waited = false;
        uint32_t worked = t->agent->agent.do_work(t->agent->agent.self, BLOCK_NS);
        if (worked > 0 || t->wake_poller >= 0) {
            pause = PAUSE_NS_MIN;
            if (!t->waited) sim_threads_wait(sim, 0);
            continue;
        }
        sim_threads_wait(sim, pause);
        pause = pause * 2 < PAUSE_NS_MAX ? pause * 2 : PAUSE_NS_MAX;
    }
}

static void thread_life(unsigned high, unsigned low) {
    struct sys_sim *sim = (struct sys_sim *)(uintptr_t)((uint64_t)high << 32 | low);
    struct sim_thread *t = sim->running;
    switched_told(NULL, &t->back_bottom, &t->back_size);
    weir_error_clear();
    if (t->agent)
        agent_life(sim, t);
    else
        t->main(t->ctx);
    t->ended = true;
    switch_told(NULL, t->back_bottom, t->back_size); /* NULL: this stack ends */
    _longjmp(t->back, 1);
}

static struct sim_thread *thread_new(struct sys_sim *sim, struct sim_process *process, const char *name) {
    struct sim_thread *t = sim_new(sizeof *t);
    t->process = process;
    t->name = name;
    t->wake_poller = -1;
    t->wake_ns = sys_sim_elapsed_ns(&sim->table);
    t->stack = stack_take(sim);
    WEIR_ASSERT(getcontext(&t->context) == 0);
    t->context.uc_stack.ss_sp = t->stack;
    t->context.uc_stack.ss_size = STACK_BYTES - 4096;
    uint64_t at = (uint64_t)(uintptr_t)sim;
    makecontext(&t->context, (void (*)(void))(void *)thread_life, 2, (unsigned)(at >> 32), (unsigned)at);
    struct sim_thread **last = &sim->threads;
    while (*last)
        last = &(*last)->next;
    *last = t;
    process->thread_count++;
    return t;
}

static void release_held(struct sys_sim *sim, int process) {
    sim_sockets_release(sim, process);
    sim_pollers_release(sim, process);
    sim_files_release(sim, process);
}

static void thread_end(struct sys_sim *sim, struct sim_thread *t) {
    struct sim_thread **at = &sim->threads;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    for (struct sim_thread *other = sim->threads; other; other = other->next) {
        if (other->joins != t) continue;
        other->joins = NULL;
        other->wake_ns = 0;
    }
    if (t->agent) t->agent->thread = NULL;
    struct sim_process *process = t->process;
    if (!t->agent) process->ended = true; /* main has returned: what else runs ends too */
    if (--process->thread_count == 0) release_held(sim, process->number);
    stack_give(sim, t->stack);
    free(t);
}

/* Gives the thread its turn. */
static void resume(struct sys_sim *sim, struct sim_thread *t) {
    char observers[ERROR_TEXT_MAX];
    error_text_keep(observers);
    sim->running = t;
    t->poller = NULL;
    void *fake = NULL;
    switch_told(&fake, t->stack, STACK_BYTES - 4096);
    if (_setjmp(t->back) == 0) {
        if (t->started) _longjmp(t->here, 1);
        t->started = true;
        WEIR_ASSERT(setcontext(&t->context) == 0);
    }
    switched_told(fake, NULL, NULL);
    sim->running = NULL;
    if (t->ended) thread_end(sim, t);
    error_text_restore(observers);
}

/* ---- waiting ------------------------------------------------------------------------------------------------- */
void sim_threads_wait(struct sys_sim *sim, uint64_t ns) {
    if (!sim->running) return;
    sim->running->wake_ns = sys_sim_elapsed_ns(&sim->table) + ns;
    suspend(sim);
}

void sim_threads_wait_poller(struct sys_sim *sim, struct sim_poller *poller, uint64_t ns) {
    struct sim_thread *t = sim->running;
    uint64_t now = sys_sim_elapsed_ns(&sim->table);
    t->wake_ns = ns < NEVER - now ? now + ns : NEVER;
    t->poller = poller;
    t->net_seen = sim->net_version;
    suspend(sim);
}

void sim_thread_start(struct sys_sim *sim, struct sim_agent *agent, int wake_poller) {
    agent->thread = thread_new(sim, sim->running->process, agent->agent.name);
    agent->thread->agent = agent;
    agent->thread->wake_poller = wake_poller;
}

void sim_thread_join(struct sys_sim *sim, struct sim_agent *agent) {
    struct sim_thread *t = agent->thread;
    if (!t) return;
    WEIR_ASSERT(sim->running && sim->running != t); /* an agent cannot wait for its own end */
    t->stop = true;
    if (t->wake_poller >= 0) sim->table.poller_wake(&sim->table, t->wake_poller);
    sim->running->joins = t;
    sim->running->wake_ns = NEVER;
    while (sim->running->joins)
        suspend(sim);
}

/* ---- whose turn it is ---------------------------------------------------------------------------------------- */
static bool may_run(const struct sim_thread *t) {
    if (t->process->dead && !t->agent) return t->process->thread_count == 1; /* main is the last of a dead process */
    return t->joins == NULL;
}

static bool is_due(struct sys_sim *sim, struct sim_thread *t, uint64_t now) {
    if (!may_run(t) || t->not_before_ns > now) return false;
    if (t->wake_ns <= now || t->process->dead) return true;
    if (!t->poller) return false;
    if (t->poller->woken) return true;
    if (t->net_seen == sim->net_version) return false;
    t->net_seen = sim->net_version;
    if (!sim_poller_is_ready(sim, t->poller)) return false;
    t->wake_ns = now;
    return true;
}

static struct sim_thread *pick(struct sys_sim *sim, uint64_t now) {
    struct sim_thread *chosen = NULL;
    uint64_t count = 0;
    for (struct sim_thread *t = sim->threads; t; t = t->next)
        if (is_due(sim, t, now) && prng_below(&sim->prng_run, ++count) == 0) chosen = t;
    return chosen;
}

static uint64_t next_due_ns(const struct sys_sim *sim) {
    uint64_t next = NEVER;
    for (const struct sim_thread *t = sim->threads; t; t = t->next) {
        uint64_t due = t->wake_ns > t->not_before_ns ? t->wake_ns : t->not_before_ns;
        if (may_run(t) && due < next) next = due;
    }
    return next;
}

/* What happens to a machine while its programs run. */
static void weather(struct sys_sim *sim) {
    if (sim_happens(sim, SYS_SIM_FAULT_CLOCK)) {
        struct prng *prng = &sim->prng_faults[SYS_SIM_FAULT_CLOCK];
        bool back = prng_chance(prng, 1, 2);
        int64_t jump = (int64_t)prng_between(prng, 1, CLOCK_NS_MAX);
        sim->wall_offset_ns += back ? -jump : jump;
        sim_note(sim, "clock jumps", back ? "back" : "ahead", (uint64_t)jump, 0, WEIR_OK);
    }
    if (sim_happens(sim, SYS_SIM_FAULT_ROT)) sim_rot(sim);
}

bool sys_sim_turn(struct sys *sys, uint64_t until_ns) {
    struct sys_sim *sim = sim_of(sys);
    WEIR_ASSERT(!sim->running);
    uint64_t now = sys_sim_elapsed_ns(sys);
    struct sim_thread *t = pick(sim, now);
    if (!t) {
        uint64_t next = next_due_ns(sim);
        if (next > until_ns || until_ns <= now) {
            if (until_ns > now) sim_spend(sim, until_ns - now);
            return false;
        }
        if (next > now) sim_spend(sim, next - now);
        now = sys_sim_elapsed_ns(sys);
        t = pick(sim, now);
        if (!t) return true; /* its stall ends with the next turn */
    }
    weather(sim);
    if (sim_happens(sim, SYS_SIM_FAULT_STALL)) {
        t->not_before_ns = now + prng_between(&sim->prng_faults[SYS_SIM_FAULT_STALL], STALL_NS_MIN, STALL_NS_MAX);
        sim_note(sim, "stalls", t->name, t->not_before_ns - now, 0, WEIR_OK);
        return true;
    }
    sim_note(sim, "turn of", t->name, (uint64_t)t->process->number, 0, WEIR_OK);
    resume(sim, t);
    if (sim->plan.turn_ns) sim_spend(sim, prng_between(&sim->prng_run, 0, sim->plan.turn_ns));
    return true;
}

/* ---- processes ----------------------------------------------------------------------------------------------- */
static struct sim_process *process_find(const struct sys_sim *sim, int number) {
    struct sim_process *p = sim->processes;
    while (p && p->number != number)
        p = p->next;
    WEIR_ASSERT(p != NULL);
    return p;
}

bool sim_dead(const struct sys_sim *sim) {
    return sim->running ? sim->running->process->dead : sim->dead;
}

int sim_process(const struct sys_sim *sim) {
    return sim->running ? sim->running->process->number : sim->observed;
}

const char *sim_thread_name(const struct sys_sim *sim) {
    return sim->running ? sim->running->name : "observer";
}

int sys_sim_spawn(struct sys *sys, void (*main)(void *ctx), void *ctx) {
    struct sys_sim *sim = sim_of(sys);
    struct sim_process *p = sim_new(sizeof *p);
    p->number = ++sim->process_next;
    p->next = sim->processes;
    sim->processes = p;
    struct sim_thread *t = thread_new(sim, p, "main");
    t->main = main;
    t->ctx = ctx;
    return p->number;
}

bool sys_sim_running(struct sys *sys, int process) {
    return process_find(sim_of(sys), process)->thread_count > 0;
}

bool sys_sim_died(struct sys *sys, int process) {
    return process_find(sim_of(sys), process)->dead;
}

bool sys_sim_process_fatal(struct sys *sys, int process, const char **ret_message) {
    const struct sim_process *p = process_find(sim_of(sys), process);
    if (p->fatal) *ret_message = p->fatal_message;
    return p->fatal;
}

static void die(struct sys_sim *sim, struct sim_process *p) {
    p->dead = true;
    for (struct sim_thread *t = sim->threads; t; t = t->next) {
        if (t->process != p) continue;
        t->poller = NULL;
        t->not_before_ns = t->wake_ns = 0;
    }
    release_held(sim, p->number);
}

void sim_process_die(struct sys_sim *sim, const char *fatal) {
    struct sim_process *p = sim->running->process;
    if (p->dead) return; /* a process dies once; its first reason is the one to tell */
    if (fatal) {
        p->fatal = true;
        snprintf(p->fatal_message, sizeof p->fatal_message, "%s", fatal);
    }
    sim_note(sim, "dies", fatal ? fatal : "by a fault", (uint64_t)p->number, 0, WEIR_OK);
    die(sim, p);
}

void sim_on_crash(struct sys *sys, int file, uint64_t offset, size_t (*note)(void *out)) {
    struct sys_sim *sim = sim_of(sys);
    struct sim_last_words *words = sim->running ? &sim->running->process->last_words : &sim->last_words;
    *words = (struct sim_last_words){file, offset, file < 0 ? NULL : note};
}

bool sys_sim_segfault(struct sys *sys) {
    struct sys_sim *sim = sim_of(sys);
    if (sim_dead(sim) || (!sim->running && sim->processes)) return false;
    sim_write_last_words(sim, sim->running ? &sim->running->process->last_words : &sim->last_words);
    if (!sim->running) {
        sim->dead = true;
        return true;
    }
    sim->running->process->segfaulted = true;
    sim_process_die(sim, NULL);
    return true;
}

bool sys_sim_in_process(struct sys *sys) {
    return sim_of(sys)->running != NULL;
}

bool sys_sim_segfaulted(struct sys *sys, int process) {
    return process_find(sim_of(sys), process)->segfaulted;
}

/* One after another, because one may wait for what another one holds. */
static struct sim_thread *next_to_end(const struct sys_sim *sim, const struct sim_process *p, uint32_t turn) {
    uint32_t count = 0;
    for (const struct sim_thread *t = sim->threads; t; t = t->next)
        count += t->process == p && may_run(t);
    WEIR_ASSERT(count > 0);
    for (struct sim_thread *t = sim->threads; t; t = t->next)
        if (t->process == p && may_run(t) && turn % count-- == 0) return t;
    return NULL;
}

void sys_sim_kill(struct sys *sys, int process) {
    struct sys_sim *sim = sim_of(sys);
    WEIR_ASSERT(!sim->running);
    struct sim_process *p = process_find(sim, process);
    if (p->thread_count == 0) return;
    if (!p->dead) {
        sim_note(sim, "killed", "", (uint64_t)process, 0, WEIR_OK);
        die(sim, p);
    }
    for (uint32_t turns = 0; p->thread_count > 0; turns++) {
        WEIR_ASSERT(turns < END_TURNS_MAX);
        resume(sim, next_to_end(sim, p, turns));
    }
}

void sim_processes_end(struct sys_sim *sim) {
    for (struct sim_process *p = sim->processes; p; p = p->next)
        sys_sim_kill(&sim->table, p->number);
}

void sim_processes_done(struct sys_sim *sim) {
    sim_processes_end(sim);
    while (sim->processes) {
        struct sim_process *p = sim->processes;
        sim->processes = p->next;
        free(p);
    }
    while (sim->stacks) {
        struct sim_stack *stack = sim->stacks;
        sim->stacks = stack->next;
        WEIR_ASSERT(munmap((uint8_t *)stack - 4096, STACK_BYTES) == 0);
    }
}
