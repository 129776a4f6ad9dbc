/* Agents of the Linux world: one thread each, which calls do_work until it is told to stop.
 *
 * Signals stay with the thread that started the agents (the process's main thread): an agent's thread blocks all but
 * those that report its own faults.
 */
#include "base/assert.h"
#include "sys/sys_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Long enough to cost nothing when idle, short enough that a lost wake is a hiccup and not a hang. */
#define BLOCK_NS (100 * SYS_NANOS_PER_MS)
/* An agent without a poller has nothing to wait in, so the thread pauses for it: short first, for work that comes soon.
 */
#define PAUSE_NS_MIN 50000ull
#define PAUSE_NS_MAX (10 * SYS_NANOS_PER_MS)

#define BACKGROUND_NICE 10

struct sys_linux_agent {
    struct sys_agent agent;
    char name[16];
    int wake_poller;
    pthread_t thread;
    atomic_bool stop;
};

static void pause_ns(uint64_t ns) {
    struct timespec time = {0, (long)ns};
    (void)nanosleep(&time, NULL);
}

static void linux_pause(struct sys *sys, uint64_t ns) {
    (void)sys;
    pause_ns(ns);
}

static uint32_t linux_process_id(struct sys *sys) {
    (void)sys;
    return (uint32_t)getpid();
}

static uint64_t linux_memory_resident(struct sys *sys) {
    (void)sys;
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    char text[128];
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    if (size <= 0) return 0;
    text[size] = 0;
    char *space = strchr(text, ' '); /* "size resident shared ..." in pages */
    if (!space) return 0;
    return strtoull(space + 1, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Under a sanitizer, whose heap it is then, mallinfo2 may tell nothing. */
static void linux_memory_usage(struct sys *sys, struct sys_memory_usage *ret_usage) {
    struct mallinfo2 heap = mallinfo2();
    *ret_usage = (struct sys_memory_usage){
        .resident_bytes = linux_memory_resident(sys),
        .heap_bytes = heap.uordblks + heap.hblkhd,
        .heap_held_bytes = heap.arena + heap.hblkhd,
        .mapped_bytes = sys_memory_mapped(),
    };
}

static void *agent_run(void *arg) {
    struct sys_linux_agent *a = arg;
    (void)pthread_setname_np(pthread_self(), a->name);
    sys_linux_crash_thread();
    /* Linux keeps a priority per thread; whether it may be changed is not worth an error. */
    if (a->agent.background) (void)setpriority(PRIO_PROCESS, (id_t)gettid(), BACKGROUND_NICE);
    uint64_t pause = PAUSE_NS_MIN;
    while (!atomic_load_explicit(&a->stop, memory_order_acquire)) {
        uint32_t worked = a->agent.do_work(a->agent.self, BLOCK_NS);
        if (worked > 0 || a->wake_poller >= 0) {
            pause = PAUSE_NS_MIN;
            continue;
        }
        pause_ns(pause);
        pause = pause * 2 < PAUSE_NS_MAX ? pause * 2 : PAUSE_NS_MAX;
    }
    return NULL;
}

static int thread_start(struct sys_linux_agent *a) {
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGTRAP);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int reason = pthread_create(&a->thread, NULL, agent_run, a);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return reason;
}

static int slot_take(struct sys_linux *world, struct sys_linux_agent *a) {
    int slot = 0;
    pthread_mutex_lock(&world->lock);
    while (slot < SYS_LINUX_AGENTS_MAX && world->agents[slot])
        slot++;
    if (slot < SYS_LINUX_AGENTS_MAX) world->agents[slot] = a;
    pthread_mutex_unlock(&world->lock);
    return slot;
}

static void slot_give(struct sys_linux *world, int slot) {
    pthread_mutex_lock(&world->lock);
    world->agents[slot] = NULL;
    pthread_mutex_unlock(&world->lock);
}

static enum weir_error linux_agent_start(
    struct sys *sys, const struct sys_agent *agent, int wake_poller, int *ret_handle) {
    struct sys_linux *world = sys_linux_of(sys);
    WEIR_ASSERT(agent->do_work && agent->name && strlen(agent->name) < sizeof((struct sys_linux_agent *)0)->name);
    struct sys_linux_agent *a = calloc(1, sizeof *a);
    if (!a) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the thread %s", agent->name);
    a->agent = *agent;
    memcpy(a->name, agent->name, strlen(agent->name) + 1);
    a->wake_poller = wake_poller;
    int slot = slot_take(world, a);
    if (slot == SYS_LINUX_AGENTS_MAX) {
        free(a);
        return weir_error_context(WEIR_E_FULL, "all %d agents are in use", SYS_LINUX_AGENTS_MAX);
    }
    int reason = thread_start(a);
    if (reason != 0) {
        slot_give(world, slot);
        free(a);
        if (reason == EAGAIN)
            return weir_error_context(
                WEIR_E_FULL, "cannot start the thread %s: too many threads; raise ulimit -u", agent->name);
        return sys_linux_error(reason, "start the thread", agent->name);
    }
    *ret_handle = slot;
    return WEIR_OK;
}

static void linux_agent_stop(struct sys *sys, int handle) {
    if (handle < 0) return;
    struct sys_linux *world = sys_linux_of(sys);
    WEIR_ASSERT(handle < SYS_LINUX_AGENTS_MAX);
    pthread_mutex_lock(&world->lock);
    struct sys_linux_agent *a = world->agents[handle];
    pthread_mutex_unlock(&world->lock);
    WEIR_ASSERT(a != NULL);
    WEIR_ASSERT(!pthread_equal(a->thread, pthread_self())); /* an agent cannot wait for its own end */
    atomic_store_explicit(&a->stop, true, memory_order_release);
    if (a->wake_poller >= 0) sys->poller_wake(sys, a->wake_poller);
    int failed = pthread_join(a->thread, NULL);
    WEIR_ASSERT(failed == 0);
    slot_give(world, handle);
    free(a);
}

void sys_linux_thread_table(struct sys *table) {
    table->agent_start = linux_agent_start;
    table->agent_stop = linux_agent_stop;
    table->pause = linux_pause;
    table->process_id = linux_process_id;
    table->memory_resident = linux_memory_resident;
    table->memory_usage = linux_memory_usage;
}
