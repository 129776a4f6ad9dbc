/* The Linux poller: epoll, level-triggered, with an eventfd for wakes from other threads.
 *
 * A wake costs a system call only while the owner is asleep, and none is lost: sys/wake.h.
 * The eventfd is edge-triggered and never read: each write is a new edge, and 2^64 wakes do not happen.
 */
#include "base/assert.h"
#include "sys/sys_linux.h"
#include "sys/wake.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define WAKE_TOKEN SYS_POLL_TOKEN_NONE
#define EVENTS_MAX 256

struct sys_linux_poller {
    struct wake wake;
    int epoll, event;
    bool coarse; /* the kernel lacks epoll_pwait2: waits are in milliseconds */
};

static struct sys_linux_poller *poller_of(struct sys *sys, int poller) {
    WEIR_ASSERT(poller >= 0 && poller < SYS_LINUX_POLLERS_MAX);
    struct sys_linux_poller *p = atomic_load_explicit(&sys_linux_of(sys)->pollers[poller], memory_order_acquire);
    WEIR_ASSERT(p != NULL);
    return p;
}

static enum weir_error poller_init(struct sys_linux_poller *p) {
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (p->epoll < 0) return sys_linux_error(errno, "make", "a poller");
    p->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->event < 0) return sys_linux_error(errno, "make", "a poller's wake-up");
    struct epoll_event want = {.events = EPOLLIN | EPOLLET, .data.u64 = WAKE_TOKEN};
    if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->event, &want) != 0)
        return sys_linux_error(errno, "watch", "a poller's wake-up");
    return WEIR_OK;
}

static void poller_free(struct sys_linux_poller *p) {
    if (p->event >= 0) (void)close(p->event);
    if (p->epoll >= 0) (void)close(p->epoll);
    free(p);
}

static enum weir_error linux_poller_open(struct sys *sys, int *ret_poller) {
    struct sys_linux *world = sys_linux_of(sys);
    struct sys_linux_poller *p = calloc(1, sizeof *p);
    if (!p) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a poller");
    p->epoll = p->event = -1;
    enum weir_error e = poller_init(p);
    int slot = 0;
    pthread_mutex_lock(&world->lock);
    while (!e && slot < SYS_LINUX_POLLERS_MAX && atomic_load(&world->pollers[slot]))
        slot++;
    if (!e && slot == SYS_LINUX_POLLERS_MAX)
        e = weir_error_context(WEIR_E_FULL, "all %d pollers are in use", SYS_LINUX_POLLERS_MAX);
    if (!e) atomic_store_explicit(&world->pollers[slot], p, memory_order_release);
    pthread_mutex_unlock(&world->lock);
    if (e) {
        poller_free(p);
        return e;
    }
    *ret_poller = slot;
    return WEIR_OK;
}

static void linux_poller_close(struct sys *sys, int poller) {
    if (poller < 0) return;
    struct sys_linux *world = sys_linux_of(sys);
    struct sys_linux_poller *p = poller_of(sys, poller);
    pthread_mutex_lock(&world->lock);
    atomic_store(&world->pollers[poller], NULL);
    pthread_mutex_unlock(&world->lock);
    poller_free(p);
}

static enum weir_error control(struct sys *sys, int poller, int how, int socket, uint64_t token, uint32_t bits) {
    WEIR_ASSERT(token != WAKE_TOKEN);
    struct epoll_event want = {.data.u64 = token};
    if (bits & SYS_POLL_READ) want.events |= EPOLLIN;
    if (bits & SYS_POLL_WRITE) want.events |= EPOLLOUT;
    if (epoll_ctl(poller_of(sys, poller)->epoll, how, socket, &want) == 0) return WEIR_OK;
    return sys_linux_file_error(errno, "watch", socket);
}

static enum weir_error linux_poller_add(struct sys *sys, int poller, int socket, uint64_t token, uint32_t bits) {
    return control(sys, poller, EPOLL_CTL_ADD, socket, token, bits);
}

static enum weir_error linux_poller_change(struct sys *sys, int poller, int socket, uint64_t token, uint32_t bits) {
    return control(sys, poller, EPOLL_CTL_MOD, socket, token, bits);
}

static void linux_poller_remove(struct sys *sys, int poller, int socket) {
    struct epoll_event unused = {0};
    (void)epoll_ctl(poller_of(sys, poller)->epoll, EPOLL_CTL_DEL, socket, &unused);
}

static int wait_coarse(int epoll, struct epoll_event *events, int max, uint64_t timeout_ns) {
    uint64_t ms = timeout_ns / SYS_NANOS_PER_MS + (timeout_ns % SYS_NANOS_PER_MS ? 1 : 0);
    return epoll_wait(epoll, events, max, ms > 3600 * 1000 ? 3600 * 1000 : (int)ms);
}

static int wait_kernel(struct sys_linux_poller *p, struct epoll_event *events, int max, uint64_t timeout_ns) {
    if (timeout_ns == 0) return epoll_wait(p->epoll, events, max, 0);
    if (p->coarse) return wait_coarse(p->epoll, events, max, timeout_ns);
    struct timespec timeout = {(time_t)(timeout_ns / SYS_NANOS_PER_S), (long)(timeout_ns % SYS_NANOS_PER_S)};
    int count = epoll_pwait2(p->epoll, events, max, &timeout, NULL);
    if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
    p->coarse = true; /* an older kernel, or a container that does not know the call */
    return wait_coarse(p->epoll, events, max, timeout_ns);
}

static uint32_t bits_of(uint32_t events) {
    uint32_t bits = 0;
    if (events & EPOLLIN) bits |= SYS_POLL_READ;
    if (events & EPOLLOUT) bits |= SYS_POLL_WRITE;
    if (events & (EPOLLERR | EPOLLHUP)) bits |= SYS_POLL_CLOSED;
    return bits;
}

static size_t linux_poller_wait(
    struct sys *sys, int poller, struct sys_poll_event *events, size_t max, uint64_t timeout_ns) {
    struct sys_linux_poller *p = poller_of(sys, poller);
    struct epoll_event raw[EVENTS_MAX];
    int limit = max < EVENTS_MAX ? (int)max : EVENTS_MAX;
    WEIR_ASSERT(limit > 0);
    if (timeout_ns > 0 && !wake_fall_asleep(&p->wake)) timeout_ns = 0;
    int count = wait_kernel(p, raw, limit, timeout_ns);
    wake_up(&p->wake);
    /* Only EINTR is left once the arguments are right; it counts as nothing there, and the caller comes back. */
    WEIR_ASSERT(count >= 0 || errno == EINTR);
    size_t reported = 0;
    for (int i = 0; i < count; i++) {
        if (raw[i].data.u64 == WAKE_TOKEN) continue;
        events[reported].token = raw[i].data.u64;
        events[reported].bits = bits_of(raw[i].events);
        reported++;
    }
    return reported;
}

static void linux_poller_wake(struct sys *sys, int poller) {
    struct sys_linux_poller *p = poller_of(sys, poller);
    if (!wake_notify(&p->wake)) return;
    uint64_t one = 1;
    ssize_t ignored = write(p->event, &one, sizeof one); /* a full counter is readable already */
    (void)ignored;
}

void sys_linux_poller_table(struct sys *table) {
    table->poller_open = linux_poller_open;
    table->poller_close = linux_poller_close;
    table->poller_add = linux_poller_add;
    table->poller_change = linux_poller_change;
    table->poller_remove = linux_poller_remove;
    table->poller_wait = linux_poller_wait;
    table->poller_wake = linux_poller_wake;
}
