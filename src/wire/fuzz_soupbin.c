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

static void accepted_round_trip(struct weir_slice payload) {
    struct weir_soupbin_accepted accepted, again;
    struct weir_soupbin_packet packet;
    uint8_t out[WEIR_SOUPBIN_LOGIN_ACCEPTED_SIZE];
    size_t size = 0;
    if (weir_soupbin_accepted_parse(payload, &accepted)) return;
    WEIR_ASSERT(weir_soupbin_accepted_write(out, sizeof out - 1, &accepted, &size) == WEIR_E_FULL);
    enum weir_error error = weir_soupbin_accepted_write(out, sizeof out, &accepted, &size);
    WEIR_ASSERT(!error);
    error = weir_soupbin_parse(weir_slice(out, size), WEIR_SOUPBIN_SERVER, 0, &packet);
    WEIR_ASSERT(!error);
    error = weir_soupbin_accepted_parse(packet.payload, &again);
    WEIR_ASSERT(!error && again.sequence == accepted.sequence && weir_slice_equal(again.session, accepted.session));
}

/* Any bytes as fields of a login, or as the payload of a packet, are refused or come back as they were. */
static void write_any(enum weir_soupbin_side side, struct weir_slice bytes) {
    static const char types[] = {'+', 'S', 'U', 'H', 'Z', 'R', 'O', 'J'};
    uint8_t out[WEIR_SOUPBIN_HEADER_SIZE + 256];
    struct weir_soupbin_packet packet;
    size_t size = 0, third = bytes.size / 3;
    struct weir_soupbin_login login = {weir_slice(bytes.data, third), weir_slice(bytes.data + third, third),
        weir_slice(bytes.data, third), bytes.size};
    if (!weir_soupbin_login_write(out, sizeof out, &login, &size))
        login_round_trip(weir_slice(out + WEIR_SOUPBIN_HEADER_SIZE, size - WEIR_SOUPBIN_HEADER_SIZE));
    for (size_t i = 0; i < sizeof types; i++) {
        enum weir_soupbin_type type = (enum weir_soupbin_type)types[i];
        if (weir_soupbin_write(out, sizeof out, type, bytes, &size)) continue;
        if (weir_soupbin_parse(weir_slice(out, size), side, 0, &packet))
            continue; /* the other side's, or too long for it */
        WEIR_ASSERT(packet.type == type && packet.size == size && weir_slice_equal(packet.payload, bytes));
    }
    if (bytes.size == 0 || weir_soupbin_rejected_write(out, bytes.size, (char)bytes.data[0], &size)) return;
    enum weir_error error = weir_soupbin_parse(weir_slice(out, size), WEIR_SOUPBIN_SERVER, 0, &packet);
    WEIR_ASSERT(!error && packet.type == WEIR_SOUPBIN_LOGIN_REJECTED && packet.payload.data[0] == bytes.data[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    enum weir_soupbin_side side = data[0] & 1 ? WEIR_SOUPBIN_CLIENT : WEIR_SOUPBIN_SERVER;
    size_t cut = data[1], at = 0;
    data += 2;
    size -= 2;
    login_round_trip(weir_slice(data, size < 46 ? size : 46));
    accepted_round_trip(weir_slice(data, size < 30 ? size : 30));
    write_any(side, weir_slice(data, size));
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
