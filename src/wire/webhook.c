/* Signatures after Standard Webhooks. */
#include "wire/effect.h"

#include "base/assert.h"
#include "base/encode.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#define SECRET_MIN 24u
#define PREFIX     "whsec_"

static struct weir_slice trimmed(struct weir_slice s) {
    while (s.size > 0 && s.data[s.size - 1] <= ' ')
        s.size--;
    while (s.size > 0 && s.data[0] <= ' ')
        s = weir_slice(s.data + 1, s.size - 1);
    return s;
}

enum weir_error webhook_secret_load(struct weir_slice text, struct webhook_secret *ret_secret) {
    struct webhook_secret secret = {.size = 0};
    struct weir_slice s = trimmed(text);
    size_t prefix = sizeof PREFIX - 1;
    if (s.size > prefix && memcmp(s.data, PREFIX, prefix) == 0) {
        uint8_t bytes[2 * WEBHOOK_SECRET_MAX];
        s = weir_slice(s.data + prefix, s.size - prefix);
        if (base64_decoded_size_max(s.size) > sizeof bytes || !base64_decode(s, bytes, &secret.size))
            return weir_error_context(
                WEIR_E_INVALID, "behind " PREFIX " stands base64 of %u to %u bytes", SECRET_MIN, WEBHOOK_SECRET_MAX);
        if (secret.size <= WEBHOOK_SECRET_MAX) memcpy(secret.bytes, bytes, secret.size);
    } else {
        secret.size = s.size;
        if (s.size <= WEBHOOK_SECRET_MAX && s.size > 0) memcpy(secret.bytes, s.data, s.size);
    }
    if (secret.size < SECRET_MIN || secret.size > WEBHOOK_SECRET_MAX)
        return weir_error_context(WEIR_E_INVALID, "a secret has %u to %u bytes, and this one has %zu", SECRET_MIN,
            WEBHOOK_SECRET_MAX, secret.size);
    *ret_secret = secret;
    return WEIR_OK;
}

void webhook_sign(const struct webhook_secret *secret, const char *id, uint64_t timestamp_s, struct weir_slice body,
    char ret_signature[WEBHOOK_SIGNATURE_MAX]) {
    /* Head and body lie apart: HMAC in parts, by the EVP interface. */
    char head[WEIR_EFFECT_KEY_MAX + 32];
    int head_size = snprintf(head, sizeof head, "%s.%llu.", id, (unsigned long long)timestamp_s);
    WEIR_ASSERT(head_size > 0 && (size_t)head_size < sizeof head);
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t size = 0;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, secret->bytes, secret->size);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = key && ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSignUpdate(ctx, head, (size_t)head_size) == 1;
    if (ok && body.size) ok = EVP_DigestSignUpdate(ctx, body.data, body.size) == 1;
    size = sizeof digest;
    ok = ok && EVP_DigestSignFinal(ctx, digest, &size) == 1 && size == 32;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    WEIR_ASSERT(ok); /* SHA-256 is always there; without memory nothing else would work either */
    memcpy(ret_signature, "v1,", 3);
    base64_encode(weir_slice(digest, 32), ret_signature + 3);
    ret_signature[3 + base64_size(32)] = 0;
}
