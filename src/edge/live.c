/* What a reload may change, on its way to a lane. */
#include "edge/live.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/text.h"

/* Whoever moves an offer to BUSY has `next` to itself until it sets another state; nobody waits for the other. */
enum live_state { LIVE_EMPTY, LIVE_FULL, LIVE_BUSY };

static bool claim(struct live_offer *offer, uint32_t from) {
    return atomic_compare_exchange_strong_explicit(
        &offer->state, &from, LIVE_BUSY, memory_order_acquire, memory_order_relaxed);
}

enum weir_error live_read(struct sys *sys, const struct settings *settings, bool at_start, struct live *ret_live) {
    const struct weir_setting_value *s = settings_node(settings);
    struct live live = {.limits = WEIR_HTTP_LIMITS_DEFAULT};
    live.limits.head_bytes_max = (uint32_t)s[NODE_HEADER_BYTES].number;
    if (live.limits.target_bytes_max > live.limits.head_bytes_max)
        live.limits.target_bytes_max = live.limits.head_bytes_max;
    live.limits.body_bytes_max = s[NODE_BODY_BYTES].number;
    live.idle_ns = s[NODE_IDLE].number;
    live.handshake_ns = s[NODE_TLS_HANDSHAKE].number;
    live.handshakes_max = (uint32_t)s[NODE_TLS_HANDSHAKES_MAX].number;
    const struct tls_files files = {.certs = s[NODE_TLS_CERT].text,
        .keys = s[NODE_TLS_KEY].text,
        .client_ca = s[NODE_TLS_CLIENT_CA].text,
        .client_required = strcmp(s[NODE_TLS_CLIENT].text, "required") == 0,
        .takes_expired = at_start};
    if (!files.client_required && strcmp(s[NODE_TLS_CLIENT].text, "optional") != 0)
        return weir_error_context(
            WEIR_E_CONFIG, "tls.client is '%.40s'; it may be optional or required", s[NODE_TLS_CLIENT].text);
    if (files.client_required && !*files.client_ca)
        return weir_error_context(WEIR_E_CONFIG, "tls.client is required, and tls.client_ca names nobody to trust");
    if (*files.certs) {
        enum weir_error e = tls_open(sys, &files, &live.tls);
        if (e) return e;
    } else if (*files.keys || *files.client_ca) {
        return weir_error_context(
            WEIR_E_CONFIG, "%s is set, and tls.cert is not", *files.keys ? "tls.key" : "tls.client_ca");
    }
    *ret_live = live;
    return WEIR_OK;
}

static uint64_t hash_file(struct sys *sys, struct weir_slice path, uint64_t seed) {
    char name[512];
    struct weir_slice bytes;
    struct text_builder t = TEXT_BUILDER(name);
    text_add_slice(&t, path);
    if (t.truncated || sys_read_all(sys, name, TLS_FILE_BYTES_MAX, &bytes) != WEIR_OK) return 0;
    uint64_t hash = hash_bytes(bytes.data, bytes.size, seed) | 1;
    sys_bytes_free(bytes);
    return hash;
}

uint64_t live_files_hash(struct sys *sys, const struct settings *settings) {
    const struct weir_setting_value *s = settings_node(settings);
    const char *lists[] = {s[NODE_TLS_CERT].text, s[NODE_TLS_KEY].text, s[NODE_TLS_CLIENT_CA].text};
    uint64_t hash = 1;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(lists); i++)
        for (const char *at = lists[i]; *at && hash;) {
            size_t n = strcspn(at, ",");
            hash = hash_file(sys, text_trim(weir_slice(at, n)), hash);
            at += n + (at[n] == ',');
        }
    return hash;
}

void live_copy(struct live *ret_to, const struct live *from) {
    *ret_to = *from;
    ret_to->tls = tls_take(from->tls);
}

void live_done(struct live *live) {
    tls_give(live->tls);
    live->tls = NULL;
}

void live_offer(struct live_offer *offer, const struct live *next) {
    /* One that was not taken yet is replaced. While the lane takes it, it is BUSY for a few instructions. */
    while (!claim(offer, LIVE_EMPTY)) {
        if (!claim(offer, LIVE_FULL)) continue;
        live_done(&offer->next);
        break;
    }
    live_copy(&offer->next, next);
    atomic_store_explicit(&offer->state, LIVE_FULL, memory_order_release);
}

void live_take(struct live_offer *offer, struct live *live) {
    if (atomic_load_explicit(&offer->state, memory_order_relaxed) != LIVE_FULL || !claim(offer, LIVE_FULL)) return;
    live_done(live);
    *live = offer->next;
    offer->next.tls = NULL;
    atomic_store_explicit(&offer->state, LIVE_EMPTY, memory_order_release);
}

bool live_is_taken(const struct live_offer *offer) {
    return atomic_load_explicit(&((struct live_offer *)(uintptr_t)offer)->state, memory_order_acquire) == LIVE_EMPTY;
}
