/* The simulated poller: level-triggered; a wait in which nothing is due moves the virtual clock to its end. */
#include "sys/sys_sim_world.h"

#include <stdlib.h>

static struct sim_poller *poller_of(struct sys *sys, int poller) {
    return sim_find(sim_of(sys), &sim_of(sys)->pollers, poller);
}

static enum weir_error sim_poller_open(struct sys *sys, int *ret_poller) {
    struct sys_sim *sim = sim_of(sys);
    if (sim_dead(sim)) return sim_closed();
    int handle = sim_handle(sim);
    sim_table_add(&sim->pollers, handle, sim_process(sim), sim_new(sizeof(struct sim_poller)));
    *ret_poller = handle;
    return WEIR_OK;
}

static void poller_free(struct sim_poller *p) {
    free(p->watches);
    free(p);
}

static void sim_poller_close(struct sys *sys, int poller) {
    struct sys_sim *sim = sim_of(sys);
    if (poller < 0 || sim_dead(sim) || !poller_of(sys, poller)) return;
    poller_free(sim_table_take(&sim->pollers, poller));
}

static struct sim_watch *watch_find(struct sim_poller *p, int socket) {
    for (size_t i = 0; i < p->count; i++) {
        if (p->watches[i].socket == socket) return &p->watches[i];
    }
    return NULL;
}

static enum weir_error sim_poller_add(struct sys *sys, int poller, int socket, uint64_t token, uint32_t bits) {
    struct sys_sim *sim = sim_of(sys);
    WEIR_ASSERT(token != SYS_POLL_TOKEN_NONE);
    if (sim_dead(sim)) return sim_closed();
    struct sim_poller *p = poller_of(sys, poller);
    if (!p || !sim_find(sim, &sim->sockets, socket)) return sim_closed();
    if (watch_find(p, socket))
        return weir_error_context(WEIR_E_EXISTS, "cannot watch socket %d: it is watched already", socket);
    p->watches = sim_grow(p->watches, p->count, &p->capacity, sizeof *p->watches);
    p->watches[p->count++] = (struct sim_watch){.socket = socket, .token = token, .bits = bits};
    return WEIR_OK;
}

static enum weir_error sim_poller_change(struct sys *sys, int poller, int socket, uint64_t token, uint32_t bits) {
    struct sys_sim *sim = sim_of(sys);
    WEIR_ASSERT(token != SYS_POLL_TOKEN_NONE);
    if (sim_dead(sim)) return sim_closed();
    struct sim_poller *p = poller_of(sys, poller);
    if (!p) return sim_closed();
    struct sim_watch *watch = watch_find(p, socket);
    if (!watch) return weir_error_context(WEIR_E_NOT_FOUND, "cannot watch socket %d: it was not added", socket);
    watch->token = token;
    watch->bits = bits;
    return WEIR_OK;
}

static void forget(struct sim_poller *p, int socket) {
    struct sim_watch *watch = watch_find(p, socket);
    if (!watch) return;
    size_t place = (size_t)(watch - p->watches);
    p->count--;
    memmove(watch, watch + 1, (p->count - place) * sizeof *watch);
}

static void sim_poller_remove(struct sys *sys, int poller, int socket) {
    struct sim_poller *p = sim_dead(sim_of(sys)) ? NULL : poller_of(sys, poller);
    if (p) forget(p, socket);
}

void sim_pollers_forget(struct sys_sim *sim, int socket) {
    for (size_t i = 0; i < sim->pollers.count; i++)
        forget(sim->pollers.slots[i].item, socket);
}

/* Starts at a place of the seed's choosing, so that no order of sockets can be relied on. */
static size_t collect(struct sys_sim *sim, struct sim_poller *p, struct sys_poll_event *events, size_t max) {
    size_t found = 0, start = p->count > 1 ? (size_t)prng_below(&sim->prng_net, p->count) : 0;
    for (size_t i = 0; i < p->count && found < max; i++) {
        const struct sim_watch *watch = &p->watches[(start + i) % p->count];
        const struct sim_socket *socket = sim_find(sim, &sim->sockets, watch->socket);
        uint32_t bits = socket ? sim_socket_bits(socket) & (watch->bits | SYS_POLL_CLOSED) : 0;
        if (bits) events[found++] = (struct sys_poll_event){.token = watch->token, .bits = bits};
    }
    return found;
}

static size_t sim_poller_wait(
    struct sys *sys, int poller, struct sys_poll_event *events, size_t max, uint64_t timeout_ns) {
    struct sys_sim *sim = sim_of(sys);
    struct sim_poller *p = sim_dead(sim) ? NULL : poller_of(sys, poller);
    if (!p) {
        sim_threads_wait(sim, 0); /* a thread that only waits still gives way */
        return 0;
    }
    WEIR_ASSERT(max > 0);
    size_t found = collect(sim, p, events, max);
    if (sim->running) {
        if (found > 0 || p->woken || timeout_ns == 0) timeout_ns = 0;
        sim_threads_wait_poller(sim, p, timeout_ns);
        if (sim_dead(sim)) return 0;
        found = collect(sim, p, events, max);
    } else if (found == 0 && !p->woken) {
        sim_spend(sim, timeout_ns);
    }
    p->woken = false;
    return found;
}

bool sim_poller_is_ready(struct sys_sim *sim, const struct sim_poller *p) {
    for (size_t i = 0; i < p->count; i++) {
        const struct sim_socket *socket = sim_table_find(&sim->sockets, p->watches[i].socket);
        if (socket && (sim_socket_bits(socket) & (p->watches[i].bits | SYS_POLL_CLOSED))) return true;
    }
    return false;
}

void sim_pollers_release(struct sys_sim *sim, int process) {
    for (size_t i = sim->pollers.count; i-- > 0;) {
        struct sim_slot slot = sim->pollers.slots[i];
        if (slot.process == process) poller_free(sim_table_take(&sim->pollers, slot.handle));
    }
}

static void sim_poller_wake(struct sys *sys, int poller) {
    struct sim_poller *p = sim_dead(sim_of(sys)) ? NULL : poller_of(sys, poller);
    if (p) p->woken = true;
}

void sim_pollers_crash(struct sys_sim *sim) {
    for (size_t i = 0; i < sim->pollers.count; i++)
        poller_free(sim->pollers.slots[i].item);
    sim->pollers.count = 0;
}

void sim_poller_table(struct sys *table) {
    table->poller_open = sim_poller_open;
    table->poller_close = sim_poller_close;
    table->poller_add = sim_poller_add;
    table->poller_change = sim_poller_change;
    table->poller_remove = sim_poller_remove;
    table->poller_wait = sim_poller_wait;
    table->poller_wake = sim_poller_wake;
}
