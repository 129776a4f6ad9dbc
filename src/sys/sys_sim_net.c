/* TCP of the simulated world: pairs of endpoints in one process. Each holds the bytes on their way to it; reads and
 * writes move all of what they can or, by the seed, only a part. Clients (sim.h) are endpoints outside the node: they
 * outlive its crash, and what was sent to them before is still theirs to read.
 */
#include "sys/sys_sim_world.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#define PIPE_LIMIT   65536 /* a socket buffer's worth */
#define PORT_FIRST   20000 /* for listeners that ask for any */
#define CLIENT_FIRST 40000

/* ---- bytes on their way -------------------------------------------------------------------------------------- */
static size_t pipe_room(const struct sim_pipe *pipe) {
    if (pipe->limit == 0) return SIZE_MAX;
    return pipe->limit > pipe->size ? pipe->limit - pipe->size : 0;
}

static void pipe_put(struct sim_pipe *pipe, const void *data, size_t size) {
    if (size == 0) return;
    if (pipe->head + pipe->size + size > pipe->capacity) {
        if (pipe->size > 0) memmove(pipe->data, pipe->data + pipe->head, pipe->size);
        pipe->head = 0;
        while (pipe->size + size > pipe->capacity)
            pipe->capacity = pipe->capacity ? pipe->capacity * 2 : 1024;
        pipe->data = realloc(pipe->data, pipe->capacity);
        WEIR_ASSERT(pipe->data != NULL);
    }
    memcpy(pipe->data + pipe->head + pipe->size, data, size);
    pipe->size += size;
}

static size_t pipe_take(struct sim_pipe *pipe, void *data, size_t size) {
    if (size > pipe->size) size = pipe->size;
    if (size > 0) memcpy(data, pipe->data + pipe->head, size);
    pipe->head += size;
    pipe->size -= size;
    return size;
}

size_t sim_chunk(struct sys_sim *sim, const struct sim_socket *stream, size_t size) {
    if (stream->dribbles && size > 1) return 1;
    if (size < 2 || prng_chance(&sim->prng_net, 1, 2)) return size;
    return (size_t)prng_between(&sim->prng_net, 1, size);
}

size_t sim_stream_room(const struct sim_socket *stream) {
    if (stream->silent) return SIZE_MAX; /* into the void */
    return stream->peer ? pipe_room(&stream->peer->in) : 0;
}

void sim_stream_put(struct sys_sim *sim, struct sim_socket *stream, const void *data, size_t size) {
    sim_note(sim, "sends", stream->is_client ? "to the node" : "", stream->number, size, WEIR_OK);
    if (stream->silent || !stream->peer) return;
    sim->net_version++;
    pipe_put(&stream->peer->in, data, size);
}

uint32_t sim_socket_bits(const struct sim_socket *socket) {
    if (socket->listens) return socket->queue_count > 0 ? SYS_POLL_READ : 0;
    uint32_t bits = 0;
    if (socket->silent) return SYS_POLL_WRITE;
    if (socket->in.size > 0 || socket->in_ended || socket->reset) bits |= SYS_POLL_READ;
    /* A write that would fail does not block either. */
    if (!socket->peer || socket->out_ended || sim_stream_room(socket) > 0) bits |= SYS_POLL_WRITE;
    if (socket->reset || (socket->in_ended && socket->out_ended)) bits |= SYS_POLL_CLOSED;
    return bits;
}

/* ---- endpoints ----------------------------------------------------------------------------------------------- */
static struct sim_socket *socket_new(struct sys_sim *sim) {
    struct sim_socket *socket = sim_new(sizeof *socket);
    socket->handle = sim_handle(sim);
    sim_table_add(&sim->sockets, socket->handle, sim_process(sim), socket);
    return socket;
}

static void socket_end(struct sys_sim *sim, struct sim_socket *socket) {
    sim_pollers_forget(sim, socket->handle);
    (void)sim_table_take(&sim->sockets, socket->handle);
    sim->net_version++;
    for (size_t i = 0; i < socket->queue_count; i++)
        socket_end(sim, socket->queue[i]);
    if (socket->peer && socket->silent) {
        socket->peer->peer = NULL; /* and is not told */
    } else if (socket->peer) {
        socket->peer->in_ended = true;
        socket->peer->reset = socket->in.size > 0; /* unread bytes: TCP answers with a reset */
        socket->peer->peer = NULL;
    }
    free(socket->queue);
    free(socket->in.data);
    free(socket);
}

static void set_address(struct sys_address *address, uint16_t port) {
    snprintf(address->host, sizeof address->host, "127.0.0.1");
    address->port = port;
}

/* The listener a connection to that port reaches: one of those that share it, by the seed. */
static struct sim_socket *listener_find(struct sys_sim *sim, uint16_t port) {
    size_t count = 0;
    struct sim_socket *chosen = NULL;
    for (size_t i = 0; i < sim->sockets.count; i++) {
        struct sim_socket *socket = sim->sockets.slots[i].item;
        if (!socket->listens || socket->port != port) continue;
        count++;
        if (count == 1 || prng_below(&sim->prng_net, count) == 0) chosen = socket;
    }
    return chosen;
}

static enum weir_error connect_to(struct sys_sim *sim, uint16_t port, bool is_client, int *ret_socket) {
    struct sim_socket *listener = listener_find(sim, port);
    if (!listener) return weir_error_context(WEIR_E_CLOSED, "cannot connect to port %u: nothing listens there", port);
    struct sim_socket *near = socket_new(sim), *far = socket_new(sim);
    sim_table_own(&sim->sockets, far->handle, sim_table_owner(&sim->sockets, listener->handle));
    near->number = far->number = ++sim->connections;
    sim->net_version++;
    near->is_client = is_client;
    near->peer = far;
    far->peer = near;
    near->in.limit = PIPE_LIMIT;
    far->in.limit = is_client ? 0 : PIPE_LIMIT; /* a client's bytes wait on its side; it is never told AGAIN */
    set_address(&far->address, sim->client_port_next++);
    if (sim->client_port_next < CLIENT_FIRST) sim->client_port_next = CLIENT_FIRST;
    listener->queue =
        sim_grow(listener->queue, listener->queue_count, &listener->queue_capacity, sizeof(struct sim_socket *));
    listener->queue[listener->queue_count++] = far;
    *ret_socket = near->handle;
    return WEIR_OK;
}

static bool host_is_numeric(const char *host) {
    uint8_t room[sizeof(struct in6_addr)];
    return strcmp(host, "localhost") == 0 || inet_pton(AF_INET, host, room) == 1 ||
           inet_pton(AF_INET6, host, room) == 1;
}

static enum weir_error bad_host(const char *host) {
    return weir_error_context(
        WEIR_E_INVALID, "'%.80s' is not a numeric IPv4 or IPv6 address (such as 127.0.0.1)", host);
}

static bool port_is_free(struct sys_sim *sim, uint16_t port, bool share) {
    for (size_t i = 0; i < sim->sockets.count; i++) {
        const struct sim_socket *socket = sim->sockets.slots[i].item;
        if (socket->listens && socket->port == port && !(share && socket->share)) return false;
    }
    return true;
}

static enum weir_error sim_tcp_listen(
    struct sys *sys, const char *host, uint16_t port, bool share, int *ret_socket, uint16_t *ret_port) {
    struct sys_sim *sim = sim_of(sys);
    if (sim_dead(sim)) return sim_closed();
    if (!host_is_numeric(host)) return bad_host(host);
    while (port == 0) {
        if (port_is_free(sim, sim->port_next, false)) port = sim->port_next;
        sim->port_next = sim->port_next + 1 < CLIENT_FIRST ? sim->port_next + 1 : PORT_FIRST;
    }
    if (!port_is_free(sim, port, share))
        return weir_error_context(
            WEIR_E_EXISTS, "port %u of %s is in use; another weir? choose another with --listen", port, host);
    struct sim_socket *socket = socket_new(sim);
    socket->listens = true;
    socket->port = port;
    socket->share = share;
    *ret_socket = socket->handle;
    *ret_port = port;
    return WEIR_OK;
}

static enum weir_error sim_tcp_accept(struct sys *sys, int listener, int *ret_socket, struct sys_address *ret_peer) {
    struct sys_sim *sim = sim_of(sys);
    struct sim_socket *socket = sim_dead(sim) ? NULL : sim_find(sim, &sim->sockets, listener);
    if (!socket) return sim_closed();
    WEIR_ASSERT(socket->listens);
    if (socket->queue_count == 0) return WEIR_E_AGAIN;
    struct sim_socket *accepted = socket->queue[0];
    socket->queue_count--;
    memmove(socket->queue, socket->queue + 1, socket->queue_count * sizeof(struct sim_socket *));
    *ret_socket = accepted->handle;
    *ret_peer = accepted->address;
    return WEIR_OK;
}

static enum weir_error sim_tcp_connect(struct sys *sys, const char *host, uint16_t port, int *ret_socket) {
    struct sys_sim *sim = sim_of(sys);
    if (sim_dead(sim)) return sim_closed();
    if (!host_is_numeric(host)) return bad_host(host);
    return connect_to(sim, port, false, ret_socket);
}

/* Nothing in the simulated world shares a file system with its clients. */
static enum weir_error no_unix(const char *path) {
    return weir_error_context(WEIR_E_UNSUPPORTED, "the simulated world has no Unix sockets (unix:%.80s)", path);
}

static enum weir_error sim_unix_listen(
    struct sys *sys, const char *path, uint32_t mode, uint32_t count, int *ret_sockets, int *ret_lock) {
    (void)sys, (void)mode, (void)count, (void)ret_sockets, (void)ret_lock;
    return no_unix(path);
}

static void sim_unix_unlisten(struct sys *sys, const char *path, int lock) {
    (void)sys, (void)path;
    WEIR_ASSERT(lock < 0);
}

static enum weir_error sim_unix_connect(struct sys *sys, const char *path, int *ret_socket) {
    (void)sys, (void)ret_socket;
    return no_unix(path);
}

static enum weir_error sim_datagram_send(struct sys *sys, const char *path, const void *data, size_t size) {
    (void)data, (void)size;
    if (sim_dead(sim_of(sys))) return sim_closed();
    return weir_error_context(WEIR_E_NOT_FOUND, "nobody listens at %.120s", path);
}

/* ---- bytes --------------------------------------------------------------------------------------------------- */
static enum weir_error peer_gone(const struct sim_socket *stream, const char *verb) {
    return weir_error_context(WEIR_E_CLOSED, "cannot %s %s port %u: the peer has closed", verb,
        stream->address.host[0] ? stream->address.host : "its peer", stream->address.port);
}

/* Both ends see a reset; of what was under way some has arrived. */
static void cut(struct sys_sim *sim, struct sim_socket *stream) {
    struct sim_socket *ends[] = {stream, stream->peer};
    for (size_t i = 0; i < 2; i++) {
        if (!ends[i]) continue;
        ends[i]->in.size = (size_t)prng_between(&sim->prng_faults[SYS_SIM_FAULT_CUT], 0, ends[i]->in.size);
        ends[i]->in_ended = ends[i]->out_ended = ends[i]->reset = true;
        ends[i]->peer = NULL;
    }
    sim->net_version++;
}

/* What may befall a connection whenever the node uses it. */
static void net_weather(struct sys_sim *sim, struct sim_socket *stream) {
    if (!stream->peer || stream->silent) return;
    if (sim_chance(sim, SYS_SIM_FAULT_CUT)) {
        cut(sim, stream);
        return;
    }
    if (sim_chance(sim, SYS_SIM_FAULT_HALF_OPEN)) stream->silent = stream->peer->silent = true;
    if (!stream->dribbles && sim_chance(sim, SYS_SIM_FAULT_DRIBBLE)) stream->dribbles = stream->peer->dribbles = true;
}

static enum weir_error sim_socket_read(struct sys *sys, int socket, void *data, size_t size, size_t *ret_size) {
    struct sys_sim *sim = sim_of(sys);
    WEIR_ASSERT(size > 0);
    struct sim_socket *stream = sim_dead(sim) ? NULL : sim_find(sim, &sim->sockets, socket);
    if (!stream) return sim_closed();
    WEIR_ASSERT(!stream->listens);
    net_weather(sim, stream);
    if (stream->silent) return WEIR_E_AGAIN;
    if (stream->reset) return peer_gone(stream, "read from");
    if (stream->in.size == 0 && !stream->in_ended) return WEIR_E_AGAIN;
    size_t chunk = sim_chunk(sim, stream, size < stream->in.size ? size : stream->in.size);
    *ret_size = pipe_take(&stream->in, data, chunk);
    return WEIR_OK;
}

static enum weir_error sim_socket_write(
    struct sys *sys, int socket, const struct sys_iovec *parts, size_t count, size_t *ret_size) {
    struct sys_sim *sim = sim_of(sys);
    struct sim_socket *stream = sim_dead(sim) ? NULL : sim_find(sim, &sim->sockets, socket);
    if (!stream) return sim_closed();
    WEIR_ASSERT(!stream->listens);
    net_weather(sim, stream);
    if (!stream->silent && (!stream->peer || stream->out_ended)) return peer_gone(stream, "write to");
    size_t total = 0, room = sim_stream_room(stream);
    for (size_t i = 0; i < count; i++)
        total += parts[i].size;
    if (total > 0 && room == 0) return WEIR_E_AGAIN;
    size_t chunk = sim_chunk(sim, stream, total < room ? total : room), done = 0;
    for (size_t i = 0; done < chunk; i++) {
        size_t part = parts[i].size < chunk - done ? parts[i].size : chunk - done;
        sim_stream_put(sim, stream, parts[i].data, part);
        done += part;
    }
    *ret_size = done;
    return WEIR_OK;
}

static void sim_socket_shutdown(struct sys *sys, int socket) {
    struct sys_sim *sim = sim_of(sys);
    struct sim_socket *stream = sim_dead(sim) ? NULL : sim_find(sim, &sim->sockets, socket);
    if (!stream) return;
    stream->out_ended = true;
    sim->net_version++;
    if (stream->peer && !stream->silent) stream->peer->in_ended = true;
}

static void sim_socket_close(struct sys *sys, int socket) {
    struct sys_sim *sim = sim_of(sys);
    if (socket < 0 || sim_dead(sim)) return;
    struct sim_socket *found = sim_find(sim, &sim->sockets, socket);
    if (found) socket_end(sim, found);
}

void sim_sockets_crash(struct sys_sim *sim, bool clients_too) {
    /* Listeners first: each ends the connections that wait in its queue. Ending one may move those behind it. */
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < sim->sockets.count;) {
            struct sim_socket *socket = sim->sockets.slots[i].item;
            bool ends = pass == 0 ? socket->listens : (clients_too || !socket->is_client);
            if (ends) socket_end(sim, socket);
            i = ends ? 0 : i + 1;
        }
    }
}

void sim_sockets_release(struct sys_sim *sim, int process) {
    bool more = true;
    while (more) { /* ending one may end others */
        more = false;
        for (size_t i = 0; i < sim->sockets.count && !more; i++) {
            struct sim_slot slot = sim->sockets.slots[i];
            struct sim_socket *socket = slot.item;
            if (slot.process != process || socket->is_client) continue;
            socket_end(sim, socket);
            more = true;
        }
    }
}

/* ---- clients ------------------------------------------------------------------------------------------------- */
static struct sim_socket *client_of(struct sys *sys, int client) {
    struct sim_socket *socket = sim_table_find(&sim_of(sys)->sockets, client);
    WEIR_ASSERT(socket != NULL && socket->is_client);
    return socket;
}

enum weir_error sys_sim_connect(struct sys *sys, uint16_t port, int *ret_client) {
    if (sim_dead(sim_of(sys))) return weir_error_context(WEIR_E_CLOSED, "cannot connect: the process is dead");
    return connect_to(sim_of(sys), port, true, ret_client);
}

enum weir_error sys_sim_client_send(struct sys *sys, int client, struct weir_slice bytes) {
    struct sim_socket *socket = client_of(sys, client);
    if (!socket->peer) return peer_gone(socket, "write to");
    sim_stream_put(sim_of(sys), socket, bytes.data, bytes.size);
    return WEIR_OK;
}

size_t sys_sim_client_receive(struct sys *sys, int client, void *data, size_t size) {
    struct sim_socket *socket = client_of(sys, client);
    size_t taken = pipe_take(&socket->in, data, size);
    if (taken > 0) sim_of(sys)->net_version++; /* the node may write again */
    return taken;
}

bool sys_sim_client_closed(struct sys *sys, int client) {
    const struct sim_socket *socket = client_of(sys, client);
    return socket->in_ended && socket->in.size == 0;
}

void sys_sim_client_close(struct sys *sys, int client) {
    socket_end(sim_of(sys), client_of(sys, client));
}

void sim_net_table(struct sys *table) {
    table->tcp_listen = sim_tcp_listen;
    table->tcp_accept = sim_tcp_accept;
    table->tcp_connect = sim_tcp_connect;
    table->unix_listen = sim_unix_listen;
    table->unix_unlisten = sim_unix_unlisten;
    table->unix_connect = sim_unix_connect;
    table->socket_read = sim_socket_read;
    table->socket_write = sim_socket_write;
    table->socket_shutdown = sim_socket_shutdown;
    table->socket_close = sim_socket_close;
    table->datagram_send = sim_datagram_send;
}
