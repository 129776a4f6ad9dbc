/* Which addresses are globally reachable, as tables. See address.h. */
#include "http_client/address.h"

#include "base/decimal.h"
#include "base/units.h"

#include <arpa/inet.h>

#define MAPPED_BITS 96u /* ::ffff:0:0/96, where IPv4 lies in IPv6 */

void http_address_of_v4(const uint8_t v4[4], uint8_t ret_address[HTTP_ADDRESS_SIZE]) {
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    memcpy(ret_address, prefix, sizeof prefix);
    memcpy(ret_address + sizeof prefix, v4, 4);
}

static bool has_prefix(const uint8_t *address, const uint8_t *prefix, uint32_t bits) {
    if (memcmp(address, prefix, bits / 8) != 0) return false;
    uint8_t mask = (uint8_t)(0xff00u >> (bits % 8));
    return bits % 8 == 0 || ((address[bits / 8] ^ prefix[bits / 8]) & mask) == 0;
}

bool http_network_has(const struct http_network *network, const uint8_t address[HTTP_ADDRESS_SIZE]) {
    return has_prefix(address, network->address, network->bits);
}

/* The IANA IPv4 Special-Purpose Address Registry, what is not globally reachable of it, and multicast. The few
 * addresses of 192.0.0.0/24 that are reachable serve no HTTP. */
static const struct {
    uint8_t prefix[4];
    uint32_t bits;
} closed_v4[] = {
    {{0}, 8},             /* this host on this network, RFC 791 */
    {{10}, 8},            /* private, RFC 1918 */
    {{100, 64}, 10},      /* shared by carriers' NAT, RFC 6598 */
    {{127}, 8},           /* loopback, RFC 1122 */
    {{169, 254}, 16},     /* link-local, RFC 3927; metadata services of clouds */
    {{172, 16}, 12},      /* private */
    {{192, 0, 0}, 24},    /* IETF protocol assignments, RFC 6890 */
    {{192, 0, 2}, 24},    /* documentation, RFC 5737 */
    {{192, 88, 99}, 24},  /* 6to4 relays, RFC 7526 */
    {{192, 168}, 16},     /* private */
    {{198, 18}, 15},      /* benchmarks, RFC 2544 */
    {{198, 51, 100}, 24}, /* documentation */
    {{203, 0, 113}, 24},  /* documentation */
    {{224}, 4},           /* multicast, RFC 5771 */
    {{240}, 4},           /* reserved, RFC 1112, and limited broadcast */
};

/* Of IPv6 only 2000::/3 is global unicast (RFC 4291); these parts of it are not. */
static const struct {
    uint8_t prefix[HTTP_ADDRESS_SIZE];
    uint32_t bits;
} closed_v6[] = {
    {{0x20, 0x01, 0x00}, 23},       /* IETF protocol assignments with Teredo and ORCHID, RFC 2928 */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation, RFC 3849 */
    {{0x3f, 0xff, 0x00}, 20},       /* documentation, RFC 9637 */
};

static bool is_public_v4(const uint8_t *v4) {
    for (size_t i = 0; i < sizeof closed_v4 / sizeof *closed_v4; i++)
        if (has_prefix(v4, closed_v4[i].prefix, closed_v4[i].bits)) return false;
    return true;
}

bool http_address_is_public(const uint8_t address[HTTP_ADDRESS_SIZE]) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b}; /* RFC 6052 */
    static const uint8_t six_to_four[2] = {0x20, 0x02};        /* RFC 3056 */
    static const uint8_t global[1] = {0x20};
    if (has_prefix(address, mapped, 96) || has_prefix(address, nat64, 96)) return is_public_v4(address + 12);
    if (has_prefix(address, six_to_four, 16)) return is_public_v4(address + 2);
    if (!has_prefix(address, global, 3)) return false;
    for (size_t i = 0; i < sizeof closed_v6 / sizeof *closed_v6; i++)
        if (has_prefix(address, closed_v6[i].prefix, closed_v6[i].bits)) return false;
    return true;
}

enum weir_error http_network_parse(const char *text, struct http_network *ret_network) {
    struct http_network network = {0};
    char host[64];
    uint8_t v4[4];
    uint64_t bits = 0;
    size_t size = strcspn(text, "/");
    uint32_t most = 128, before = 0;
    if (size < sizeof host) {
        memcpy(host, text, size);
        host[size] = 0;
    }
    if (size < sizeof host && inet_pton(AF_INET, host, v4) == 1) {
        http_address_of_v4(v4, network.address);
        most = 32;
        before = MAPPED_BITS;
    } else if (size >= sizeof host || inet_pton(AF_INET6, host, network.address) != 1) {
        return weir_error_context(
            WEIR_E_INVALID, "'%.64s' is no address or network: write 10.0.0.0/8, fd00::/8 or 127.0.0.1", text);
    }
    bits = most;
    if (text[size] && (parse_u64(weir_slice_text(text + size + 1), &bits) != WEIR_OK || bits > most))
        return weir_error_context(WEIR_E_INVALID, "'%.64s': behind the / stand 0 to %u bits", text, most);
    network.bits = (uint32_t)bits + before;
    *ret_network = network;
    return WEIR_OK;
}
