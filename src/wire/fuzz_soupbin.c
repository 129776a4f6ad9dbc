/* SoupBinTCP on any bytes: the packets must not depend on how the bytes are cut; logins are read back as written.
 * Input: byte 0 the sender, byte 1 the first cut, the rest is what came over the wire.
 * Covers: soupbin.c. */
#include "base/assert.h"
#include "wire/soupbin.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first packet of size bytes, from a block of their own. */
static enum weir_error first(const uint8_t *data, size_t size, enum weir_soupbin_side side, size_t *ret_size) {
    struct weir_soupbin_packet packet;
    uint8_t *copy = malloc(size ? size : 1);
    WEIR_ASSERT(copy);
    if (size) memcpy(copy, data, size);
    enum weir_error error = weir_soupbin_parse(weir_slice(copy, size), side, 1000, &packet);
    *ret_size = error ? 0 : packet.size;
    if (!error) WEIR_ASSERT(packet.size <= size && packet.payload.size == packet.size - WEIR_SOUPBIN_HEADER_SIZE);
    free(copy);
    return error;
}

static void login_round_trip(struct weir_slice payload) {
    struct weir_soupbin_login login, again;
    struct weir_soupbin_packet packet;
    uint8_t out[WEIR_SOUPBIN_LOGIN_REQUEST_SIZE];
    size_t size = 0;
    if (weir_soupbin_login_parse(payload, &login)) return;
    enum weir_error error = weir_soupbin_login_write(out, sizeof out, &login, &size);
    WEIR_ASSERT(!error);
    error = weir_soupbin_parse(weir_slice(out, size), WEIR_SOUPBIN_CLIENT, 0, &packet);
    WEIR_ASSERT(!error);
    error = weir_soupbin_login_parse(packet.payload, &again);
    WEIR_ASSERT(!error && again.sequence == login.sequence);
    WEIR_ASSERT(weir_slice_equal(again.user, login.user) && weir_slice_equal(again.password, login.password));
    WEIR_ASSERT(weir_slice_equal(again.session, login.session));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    enum weir_soupbin_side side = data[0] & 1 ? WEIR_SOUPBIN_CLIENT : WEIR_SOUPBIN_SERVER;
    size_t cut = data[1], at = 0;
    data += 2;
    size -= 2;
    login_round_trip(weir_slice(data, size < 46 ? size : 46));
    struct weir_soupbin_accepted accepted;
    (void)!weir_soupbin_accepted_parse(weir_slice(data, size < 30 ? size : 30), &accepted);
    for (;;) {
        size_t whole = 0, part = 0;
        enum weir_error error = first(data + at, size - at, side, &whole);
        /* A shorter view either waits or says the same. */
        size_t shorter = cut < size - at ? cut : size - at;
        enum weir_error early = first(data + at, shorter, side, &part);
        WEIR_ASSERT(early == WEIR_E_AGAIN || (early == error && part == whole));
        if (error) break;
        at += whole;
    }
    return 0;
}
