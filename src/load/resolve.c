#include "load/resolve.h"

#define TRY_NS (2 * SYS_NANOS_PER_S)

/* Whether a connection to it can be made now. */
static bool takes_connections(struct sys *sys, const char *host, uint16_t port) {
    int poller = -1, connection = -1;
    struct sys_poll_event event;
    bool good = false;
    if (sys->poller_open(sys, &poller) != WEIR_OK) return false;
    if (sys->tcp_connect(sys, host, port, &connection) == WEIR_OK &&
        sys->poller_add(sys, poller, connection, 1, SYS_POLL_WRITE) == WEIR_OK) {
        uint8_t nothing = 0;
        struct sys_iovec none = {&nothing, 0};
        size_t sent = 0;
        good = sys->poller_wait(sys, poller, &event, 1, TRY_NS) == 1 && !(event.bits & SYS_POLL_CLOSED) &&
               sys->socket_write(sys, connection, &none, 1, &sent) == WEIR_OK;
    }
    if (connection >= 0) sys->socket_close(sys, connection);
    sys->poller_close(sys, poller);
    return good;
}

enum weir_error load_resolve(struct sys *sys, const struct load_target *target, struct load_addresses *ret_addresses) {
    struct load_addresses found = {0};
    enum weir_error e = sys_addresses_find(target->host, found.items, &found.count);
    if (e != WEIR_OK) return e;
    *ret_addresses = found;
    if (target->scheme == LOAD_UDP || found.count < 2) return WEIR_OK;
    ret_addresses->count = 0;
    for (uint32_t i = 0; i < found.count; i++)
        if (takes_connections(sys, found.items[i], target->port))
            memcpy(ret_addresses->items[ret_addresses->count++], found.items[i], sizeof found.items[i]);
    if (ret_addresses->count == 0) *ret_addresses = found;
    return WEIR_OK;
}
