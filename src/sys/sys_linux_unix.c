/* Unix sockets of the Linux world. A socket is bound under a name of its own, given its mode, made to listen, and only
 * then renamed to where clients look for it: nobody meets one that is half made, and a stale one is replaced at once.
 */
#include "base/assert.h"
#include "sys/sys_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024
#define SUFFIX  ".new"

static enum weir_error address_of(const char *path, const char *suffix, struct sockaddr_un *ret_address) {
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int size = snprintf(ret_address->sun_path, sizeof ret_address->sun_path, "%s%s", path, suffix);
    if (*path && size > 0 && (size_t)size < sizeof ret_address->sun_path) return WEIR_OK;
    return weir_error_context(WEIR_E_INVALID, "the path of a Unix socket has 1 to %zu bytes, this one %zu: %.80s",
        SYS_UNIX_PATH_MAX - strlen(suffix), strlen(path), path);
}

static enum weir_error in_use(const char *path, const char *why) {
    return weir_error_context(WEIR_E_EXISTS, "cannot listen on unix:%s: %s", path, why);
}

static enum weir_error take_lock(const char *path, int *ret_lock) {
    char name[SYS_UNIX_PATH_MAX + sizeof ".lock"];
    snprintf(name, sizeof name, "%s.lock", path);
    int lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0) return sys_linux_error(errno, "create", name);
    if (flock(lock, LOCK_EX | LOCK_NB) == 0) {
        *ret_lock = lock;
        return WEIR_OK;
    }
    int reason = errno;
    (void)close(lock);
    return reason == EWOULDBLOCK ? in_use(path, "another node listens there") : sys_linux_error(reason, "lock", name);
}

/* Only what is a socket, and only when nobody answers on it, may be replaced. */
static enum weir_error check_free(const char *path) {
    struct stat there;
    if (lstat(path, &there) != 0) return errno == ENOENT ? WEIR_OK : sys_linux_error(errno, "look at", path);
    if (!S_ISSOCK(there.st_mode)) return in_use(path, "there is something that is no socket");
    struct sockaddr_un address;
    enum weir_error e = address_of(path, "", &address);
    if (e) return e;
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0) return sys_linux_error(errno, "open a socket for", path);
    int reason = connect(s, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    (void)close(s);
    if (reason == EACCES || reason == EPERM) return sys_linux_error(reason, "look whether somebody listens on", path);
    return reason == ECONNREFUSED ? WEIR_OK : in_use(path, "another program listens there");
}

static enum weir_error bind_socket(const char *path, uint32_t mode, int *ret_socket) {
    struct sockaddr_un address;
    enum weir_error e = address_of(path, SUFFIX, &address);
    if (e) return e;
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0) return sys_linux_error(errno, "open a socket for", path);
    (void)unlink(address.sun_path); /* of a start that was killed here; the lock is ours */
    if (bind(s, (const struct sockaddr *)&address, sizeof address) == 0 && chmod(address.sun_path, (mode_t)mode) == 0 &&
        listen(s, BACKLOG) == 0 && rename(address.sun_path, path) == 0) {
        *ret_socket = s;
        return WEIR_OK;
    }
    int reason = errno;
    (void)unlink(address.sun_path);
    (void)close(s);
    return sys_linux_error(reason, "listen on", path);
}

static enum weir_error linux_unix_listen(
    struct sys *sys, const char *path, uint32_t mode, uint32_t count, int *ret_sockets, int *ret_lock) {
    (void)sys;
    WEIR_ASSERT(count > 0);
    struct sockaddr_un address;
    int lock = -1, sockets[256] = {-1};
    enum weir_error e = count <= WEIR_ARRAY_COUNT(sockets) ? address_of(path, SUFFIX, &address) : WEIR_E_INVALID;
    if (!e) e = take_lock(path, &lock);
    if (!e) e = check_free(path);
    if (!e) e = bind_socket(path, mode, &sockets[0]);
    for (uint32_t i = 1; i < count && !e; i++) {
        sockets[i] = fcntl(sockets[0], F_DUPFD_CLOEXEC, 0);
        if (sockets[i] >= 0) continue;
        e = sys_linux_error(errno, "listen on", path);
        while (i > 0)
            (void)close(sockets[--i]);
        (void)unlink(path);
        break;
    }
    if (e) {
        if (lock >= 0) (void)close(lock);
        return e;
    }
    memcpy(ret_sockets, sockets, count * sizeof *ret_sockets);
    *ret_lock = lock;
    return WEIR_OK;
}

static void linux_unix_unlisten(struct sys *sys, const char *path, int lock) {
    (void)sys;
    if (lock < 0) return;
    (void)unlink(path); /* nobody else can have put theirs there: the lock is still ours */
    (void)close(lock);
}

static enum weir_error linux_unix_connect(struct sys *sys, const char *path, int *ret_socket) {
    (void)sys;
    struct sockaddr_un address;
    enum weir_error e = address_of(path, "", &address);
    if (e) return e;
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0) return sys_linux_error(errno, "connect to", path);
    if (connect(s, (const struct sockaddr *)&address, sizeof address) == 0) {
        *ret_socket = s;
        return WEIR_OK;
    }
    int reason = errno;
    (void)close(s);
    if (reason == ECONNREFUSED || reason == ENOENT)
        return weir_error_context(WEIR_E_CLOSED, "cannot connect to unix:%s: nothing listens there", path);
    return sys_linux_error(reason, "connect to", path);
}

void sys_linux_unix_peer(int socket, struct sys_address *peer) {
    struct ucred who;
    socklen_t size = sizeof who;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return;
    peer->uid = who.uid;
    peer->process_id = (uint32_t)who.pid;
}

void sys_linux_unix_table(struct sys *table) {
    table->unix_listen = linux_unix_listen;
    table->unix_unlisten = linux_unix_unlisten;
    table->unix_connect = linux_unix_connect;
}
