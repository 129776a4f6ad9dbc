/* TCP and UDP of the Linux world: non-blocking, close-on-exec, NODELAY. "Not now" carries no context line: it is not
 * news. */
#include "base/assert.h"
#include "sys/sys_linux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG   1024
#define PARTS_MAX 1024 /* IOV_MAX of Linux */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage room;
};

static bool address_parse(const char *host, uint16_t port, union address *address, socklen_t *size) {
    memset(address, 0, sizeof *address);
    if (strcmp(host, "localhost") == 0) host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(port);
        *size = sizeof address->v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons(port);
        *size = sizeof address->v6;
        return true;
    }
    return false;
}

enum weir_error sys_addresses_find(
    const char *host, char addresses[SYS_ADDRESSES_MAX][SYS_ADDRESS_TEXT_SIZE], uint32_t *ret_count) {
    union address numeric;
    socklen_t size = 0;
    *ret_count = 0;
    if (address_parse(host, 0, &numeric, &size)) return WEIR_OK;
    struct addrinfo *found = NULL, wish = {.ai_socktype = SOCK_STREAM};
    int reason = getaddrinfo(host, NULL, &wish, &found);
    if (reason != 0)
        return weir_error_context(WEIR_E_NOT_FOUND, "the name %.100s has no address: %s", host, gai_strerror(reason));
    uint32_t count = 0;
    for (const struct addrinfo *a = found; a && count < SYS_ADDRESSES_MAX; a = a->ai_next) {
        char *text = addresses[count];
        if (getnameinfo(a->ai_addr, a->ai_addrlen, text, SYS_ADDRESS_TEXT_SIZE, NULL, 0, NI_NUMERICHOST) != 0) continue;
        bool is_new = strchr(text, '%') == NULL; /* of one link alone: tcp_connect takes no such address */
        for (uint32_t i = 0; i < count; i++)
            is_new &= strcmp(addresses[i], text) != 0;
        count += is_new;
    }
    freeaddrinfo(found);
    if (count == 0) return weir_error_context(WEIR_E_NOT_FOUND, "the name %.100s has no IPv4 or IPv6 address", host);
    *ret_count = count;
    return WEIR_OK;
}

static void address_tell(const union address *address, struct sys_address *ret_peer) {
    *ret_peer = (struct sys_address){.is_unix = address->any.sa_family == AF_UNIX};
    if (address->any.sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &address->v4.sin_addr, ret_peer->host, sizeof ret_peer->host);
        ret_peer->port = ntohs(address->v4.sin_port);
    } else if (address->any.sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &address->v6.sin6_addr, ret_peer->host, sizeof ret_peer->host);
        ret_peer->port = ntohs(address->v6.sin6_port);
    }
}

static enum weir_error bad_host(const char *host) {
    return weir_error_context(
        WEIR_E_INVALID, "'%.80s' is not a numeric IPv4 or IPv6 address (such as 127.0.0.1)", host);
}

static enum weir_error listen_error(int reason, const char *host, uint16_t port) {
    switch (reason) {
    case EADDRINUSE:
        return weir_error_context(
            WEIR_E_EXISTS, "port %u of %s is in use; another weir? choose another with --listen", port, host);
    case EADDRNOTAVAIL:
        return weir_error_context(WEIR_E_INVALID, "cannot listen on %s: this machine does not have that address", host);
    case EACCES:
    case EPERM:
        return weir_error_context(WEIR_E_PERMISSION,
            "cannot listen on port %u: %s; choose a port above 1023 with --listen", port, strerror(reason));
    default: {
        char what[96];
        snprintf(what, sizeof what, "%.64s port %u", host, port);
        return sys_linux_error(reason, "listen on", what);
    }
    }
}

static void set_option(int socket, int level, int option) {
    int on = 1;
    /* These options cannot fail on a fresh TCP socket, and none of them is needed for being right. */
    (void)setsockopt(socket, level, option, &on, sizeof on);
}

static enum weir_error linux_tcp_listen(
    struct sys *sys, const char *host, uint16_t port, bool share, int *ret_socket, uint16_t *ret_port) {
    (void)sys;
    union address address;
    socklen_t size;
    if (!address_parse(host, port, &address, &size)) return bad_host(host);
    int s = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0) return listen_error(errno, host, port);
    set_option(s, SOL_SOCKET, SO_REUSEADDR); /* a restart must not wait for the old connections' TIME_WAIT */
    if (share) set_option(s, SOL_SOCKET, SO_REUSEPORT);
    if (address.any.sa_family == AF_INET6) set_option(s, IPPROTO_IPV6, IPV6_V6ONLY);
    if (bind(s, &address.any, size) != 0 || listen(s, BACKLOG) != 0 || getsockname(s, &address.any, &size) != 0) {
        int reason = errno;
        (void)close(s);
        return listen_error(reason, host, port);
    }
    struct sys_address bound;
    address_tell(&address, &bound);
    *ret_socket = s;
    *ret_port = bound.port;
    return WEIR_OK;
}

static enum weir_error linux_tcp_accept(struct sys *sys, int listener, int *ret_socket, struct sys_address *ret_peer) {
    (void)sys;
    for (;;) {
        union address address = {0};
        socklen_t size = sizeof address;
        int s = accept4(listener, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (s >= 0) {
            *ret_socket = s;
            address_tell(&address, ret_peer);
            if (ret_peer->is_unix)
                sys_linux_unix_peer(s, ret_peer);
            else
                set_option(s, IPPROTO_TCP, TCP_NODELAY);
            return WEIR_OK;
        }
        switch (errno) {
        case EAGAIN:
            return WEIR_E_AGAIN;
        case EINTR:
        case ECONNABORTED: /* the client gave up while it waited; the next one may be fine */
        case EPROTO:
        case ENETDOWN:
        case ENETUNREACH:
        case EHOSTUNREACH:
            continue;
        default:
            return sys_linux_error(errno, "accept", "a connection");
        }
    }
}

static enum weir_error linux_tcp_connect(struct sys *sys, const char *host, uint16_t port, int *ret_socket) {
    (void)sys;
    union address address;
    socklen_t size;
    if (!address_parse(host, port, &address, &size)) return bad_host(host);
    char what[96];
    snprintf(what, sizeof what, "%.64s port %u", host, port);
    int s = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0) return sys_linux_error(errno, "connect to", what);
    set_option(s, IPPROTO_TCP, TCP_NODELAY);
    if (connect(s, &address.any, size) == 0 || errno == EINPROGRESS || errno == EINTR) {
        *ret_socket = s;
        return WEIR_OK;
    }
    int reason = errno;
    (void)close(s);
    if (reason == ECONNREFUSED)
        return weir_error_context(WEIR_E_CLOSED, "cannot connect to %s: nothing listens there", what);
    return sys_linux_error(reason, "connect to", what);
}

static enum weir_error linux_udp_connect(struct sys *sys, const char *host, uint16_t port, int *ret_socket) {
    (void)sys;
    union address address;
    socklen_t size;
    if (!address_parse(host, port, &address, &size)) return bad_host(host);
    char what[96];
    snprintf(what, sizeof what, "%.64s port %u (UDP)", host, port);
    int s = socket(address.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0) return sys_linux_error(errno, "connect to", what);
    if (connect(s, &address.any, size) == 0) {
        *ret_socket = s;
        return WEIR_OK;
    }
    int reason = errno;
    (void)close(s);
    return sys_linux_error(reason, "connect to", what);
}

/* What a read or write on a connection can mean, beyond "not now". */
static enum weir_error stream_error(int reason, const char *verb, int socket) {
    union address address = {0};
    socklen_t size = sizeof address;
    struct sys_address peer = {0};
    char what[128] = "its peer";
    if (getpeername(socket, &address.any, &size) == 0) {
        address_tell(&address, &peer);
        if (!peer.is_unix) snprintf(what, sizeof what, "%s port %u", peer.host, peer.port);
    }
    switch (reason) {
    case EPIPE:
    case ECONNRESET:
    case ECONNREFUSED:
    case ENOTCONN:
    case ETIMEDOUT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
        return weir_error_context(WEIR_E_CLOSED, "cannot %s %s: %s", verb, what, strerror(reason));
    default:
        return sys_linux_error(reason, verb, what);
    }
}

static enum weir_error linux_socket_read(struct sys *sys, int socket, void *data, size_t size, size_t *ret_size) {
    (void)sys;
    WEIR_ASSERT(size > 0); /* zero bytes read would look like the peer's end */
    ssize_t got;
    do
        got = recv(socket, data, size, 0);
    while (got < 0 && errno == EINTR);
    if (got >= 0) {
        *ret_size = (size_t)got;
        return WEIR_OK;
    }
    return errno == EAGAIN ? WEIR_E_AGAIN : stream_error(errno, "read from", socket);
}

static enum weir_error linux_socket_write(
    struct sys *sys, int socket, const struct sys_iovec *parts, size_t count, size_t *ret_size) {
    (void)sys;
    struct msghdr message = {
        .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count < PARTS_MAX ? count : PARTS_MAX};
    ssize_t put;
    do
        put = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    if (put >= 0) {
        *ret_size = (size_t)put;
        return WEIR_OK;
    }
    return errno == EAGAIN ? WEIR_E_AGAIN : stream_error(errno, "write to", socket);
}

static void linux_socket_shutdown(struct sys *sys, int socket) {
    (void)sys;
    (void)shutdown(socket, SHUT_WR);
}

static void linux_socket_close(struct sys *sys, int socket) {
    (void)sys;
    if (socket >= 0) (void)close(socket);
}

static enum weir_error linux_datagram_send(struct sys *sys, const char *path, const void *data, size_t size) {
    (void)sys;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return weir_error_context(WEIR_E_INVALID, "'%.120s' is no path of a Unix socket", path);
    memcpy(to.sun_path, path, length);
    if (path[0] == '@') to.sun_path[0] = 0;
    int socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket_fd < 0) return sys_linux_error(errno, "make a socket for", path);
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    ssize_t put = sendto(socket_fd, data, size, MSG_NOSIGNAL, (const struct sockaddr *)&to, bytes);
    int reason = errno;
    (void)close(socket_fd);
    if (put >= 0) return WEIR_OK;
    if (reason == EAGAIN) return WEIR_E_AGAIN;
    return sys_linux_error(reason == ECONNREFUSED ? ENOENT : reason, "send a datagram to", path);
}

static void linux_socket_reset(struct sys *sys, int socket) {
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    linux_socket_close(sys, socket);
}

static void linux_socket_narrow(struct sys *sys, int socket, size_t bytes) {
    (void)sys;
    int size = bytes < INT_MAX ? (int)bytes : INT_MAX;
    (void)setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

void sys_linux_net_table(struct sys *table) {
    table->tcp_listen = linux_tcp_listen;
    table->tcp_accept = linux_tcp_accept;
    table->tcp_connect = linux_tcp_connect;
    table->socket_read = linux_socket_read;
    table->socket_write = linux_socket_write;
    table->socket_shutdown = linux_socket_shutdown;
    table->socket_close = linux_socket_close;
    table->datagram_send = linux_datagram_send;
    table->udp_connect = linux_udp_connect;
    table->socket_reset = linux_socket_reset;
    table->socket_narrow = linux_socket_narrow;
}
