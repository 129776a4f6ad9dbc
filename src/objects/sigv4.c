/* See sigv4.h. */
#include "objects/sigv4.h"

#include "base/civil.h"
#include "base/encode.h"
#include "objects/objects.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define CANONICAL_BYTES 8192u
#define SECRET_BYTES    256u

void sigv4_date(uint64_t unix_s, char ret_date[SIGV4_DATE_SIZE]) {
    char time[CIVIL_TEXT_SIZE];
    size_t size = 0;
    civil_format((int64_t)(unix_s * 1000000000u), 0, time);
    for (const char *t = time; *t && size + 1 < SIGV4_DATE_SIZE; t++)
        if (*t != '-' && *t != ':') ret_date[size++] = *t;
    ret_date[size] = 0;
}

static bool mac(const uint8_t *key, size_t key_size, const char *text, uint8_t out[OBJECT_DIGEST_SIZE]) {
    unsigned size = OBJECT_DIGEST_SIZE;
    return HMAC(EVP_sha256(), key, (int)key_size, (const uint8_t *)text, strlen(text), out, &size) != NULL;
}

static void add_names(const struct sigv4_request *r, struct text_builder *t) {
    for (size_t i = 0; i < r->header_count; i++)
        text_printf(t, "%s%s", i ? ";" : "", r->headers[i].name);
}

static void canonical(const struct sigv4_request *r, struct text_builder *t) {
    text_printf(t, "%s\n%s\n%s\n", r->method, r->path, r->query);
    for (size_t i = 0; i < r->header_count; i++)
        text_printf(t, "%s:%s\n", r->headers[i].name, r->headers[i].value);
    text_add_char(t, '\n');
    add_names(r, t);
    text_printf(t, "\n%s", r->body_sha256);
}

static void add_hex(struct text_builder *t, const uint8_t digest[OBJECT_DIGEST_SIZE]) {
    char hex[2 * OBJECT_DIGEST_SIZE];
    hex_encode(weir_slice(digest, OBJECT_DIGEST_SIZE), hex);
    text_add_slice(t, weir_slice(hex, sizeof hex));
}

/* The key of that day, region and service. */
static bool signing_key(const struct sigv4_request *r, const char *day, uint8_t key[OBJECT_DIGEST_SIZE]) {
    char secret[SECRET_BYTES + 8];
    struct text_builder t = TEXT_BUILDER(secret);
    uint8_t a[OBJECT_DIGEST_SIZE], b[OBJECT_DIGEST_SIZE];
    text_printf(&t, "AWS4%s", r->secret);
    return !t.truncated && mac((const uint8_t *)secret, t.size, day, a) && mac(a, sizeof a, r->region, b) &&
           mac(b, sizeof b, r->service, a) && mac(a, sizeof a, "aws4_request", key);
}

bool sigv4_sign(const struct sigv4_request *r, struct text_builder *out) {
    char text[CANONICAL_BYTES], to_sign[512], day[9];
    uint8_t digest[OBJECT_DIGEST_SIZE], key[OBJECT_DIGEST_SIZE];
    memcpy(day, r->date, 8);
    day[8] = 0;
    struct text_builder c = TEXT_BUILDER(text), s = TEXT_BUILDER(to_sign);
    canonical(r, &c);
    struct weir_slice whole = text_slice(&c);
    object_digest(&whole, 1, digest);
    text_printf(&s, "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n", r->date, day, r->region, r->service);
    add_hex(&s, digest);
    if (c.truncated || s.truncated || !signing_key(r, day, key) || !mac(key, sizeof key, to_sign, digest)) return false;
    text_printf(out, "AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request,SignedHeaders=", r->key_id, day, r->region,
        r->service);
    add_names(r, out);
    text_add(out, ",Signature=");
    add_hex(out, digest);
    return !out->truncated;
}
