/* Which bucket of failures a peer's address has. */
#include "base/hash.h"
#include "base/text.h"
#include "edge/auth.h"

#define GROUPS 8u

/* The first four groups of an IPv6 address, however it is written: whoever has one address of a /64 has all. */
static size_t network_of(struct weir_slice host, char *out, size_t size) {
    struct weir_slice groups[GROUPS];
    uint32_t count = 0, gap = GROUPS; /* gap: groups before "::" */
    for (size_t at = 0; at < host.size && count < GROUPS;) {
        size_t n = 0;
        while (at + n < host.size && host.data[at + n] != ':')
            n++;
        if (n)
            groups[count++] = weir_slice(host.data + at, n);
        else if (at == 0 || host.data[at - 1] == ':')
            gap = count;
        at += n + 1;
    }
    uint32_t zeros = gap < GROUPS ? GROUPS - count : 0;
    struct text_builder t = text_builder(out, size);
    for (uint32_t i = 0; i < 4; i++) {
        if (i >= gap && i < gap + zeros)
            text_add_char(&t, '0');
        else if ((i < gap ? i : i - zeros) < count)
            text_add_slice(&t, groups[i < gap ? i : i - zeros]);
        text_add_char(&t, ':');
    }
    return t.size;
}

uint32_t auth_peer_bucket(const char *peer, uint64_t seed) {
    char network[64];
    struct weir_slice host = weir_slice_text(peer);
    const char *port = strrchr(peer, ':');
    if (port) host.size = (size_t)(port - peer);
    if (host.size >= 2 && host.data[0] == '[') {
        host = weir_slice(host.data + 1, host.size - 2);
        host = weir_slice(network, network_of(host, network, sizeof network));
    }
    return (uint32_t)(hash_bytes(host.data, host.size, seed) % AUTH_PEERS);
}
