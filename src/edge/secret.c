#include "edge/secret.h"

#include "base/crc32c.h"
#include "base/text.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#define CHECK_SIZE 7
#define CHECK_AT   (SECRET_TEXT_SIZE - CHECK_SIZE)
#define ID_AT      (sizeof SECRET_PREFIX - 1)
#define SECRET_AT  (ID_AT + SECRET_ID_SIZE + 1)
#define MADE_SIZE  (CHECK_AT - SECRET_AT)
_Static_assert(MADE_SIZE == 52, "260 bits");
_Static_assert(MADE_SIZE + SECRET_ID_SIZE + SECRET_LOGIN_SIZE <= SECRET_RANDOM, "a random byte per character");

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

static void put_random(const uint8_t *random, size_t size, char *out) {
    for (size_t i = 0; i < size; i++)
        out[i] = alphabet[random[i] & 31];
}

static void put_check(const char *text, char out[CHECK_SIZE]) {
    uint64_t check = crc32c(text, CHECK_AT);
    for (size_t i = 0; i < CHECK_SIZE; i++, check >>= 5)
        out[i] = alphabet[check & 31];
}

void secret_make(const uint8_t *random, const char *id, char *out) {
    memcpy(out, SECRET_PREFIX, ID_AT);
    if (id)
        memcpy(out + ID_AT, id, SECRET_ID_SIZE);
    else
        put_random(random + MADE_SIZE, SECRET_ID_SIZE, out + ID_AT);
    out[ID_AT + SECRET_ID_SIZE] = '_';
    put_random(random, MADE_SIZE, out + SECRET_AT);
    put_check(out, out + CHECK_AT);
    out[SECRET_TEXT_SIZE] = 0;
}

void secret_make_login(const uint8_t *random, char *out) {
    put_random(random + MADE_SIZE + SECRET_ID_SIZE, SECRET_LOGIN_SIZE, out);
    out[SECRET_LOGIN_SIZE] = 0;
}

static bool in_alphabet(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (!((bytes[i] >= 'a' && bytes[i] <= 'z') || (bytes[i] >= '2' && bytes[i] <= '7'))) return false;
    return true;
}

bool secret_parse(struct weir_slice text, struct weir_slice *ret_id) {
    char check[CHECK_SIZE];
    if (text.size != SECRET_TEXT_SIZE || !text_starts_with(text, SECRET_PREFIX)) return false;
    if (!in_alphabet(text.data + ID_AT, SECRET_ID_SIZE) || text.data[SECRET_AT - 1] != '_' ||
        !in_alphabet(text.data + SECRET_AT, SECRET_TEXT_SIZE - SECRET_AT))
        return false;
    put_check((const char *)text.data, check);
    if (memcmp(check, text.data + CHECK_AT, CHECK_SIZE) != 0) return false;
    *ret_id = weir_slice(text.data + ID_AT, SECRET_ID_SIZE);
    return true;
}

void secret_hash(struct weir_slice text, uint8_t out[SECRET_HASH_SIZE]) {
    SHA256(text.data, text.size, out);
}

bool secret_equal(const void *a, const void *b, size_t size) {
    return CRYPTO_memcmp(a, b, size) == 0;
}

bool secret_hash_login(struct weir_slice login, const uint8_t salt[SECRET_SALT_SIZE], uint8_t out[SECRET_HASH_SIZE]) {
    uint8_t first[SECRET_SALT_SIZE + SECRET_TEXT_SIZE];
    if (login.size == 0 || login.size > SECRET_TEXT_SIZE) return false;
    memcpy(first, salt, SECRET_SALT_SIZE);
    for (size_t i = 0; i < login.size; i++) {
        uint8_t c = login.data[i];
        first[SECRET_SALT_SIZE + i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
    }
    secret_hash(weir_slice(first, SECRET_SALT_SIZE + login.size), out);
    for (int i = 1; i < LOGIN_ROUNDS; i++)
        secret_hash(weir_slice(out, SECRET_HASH_SIZE), out);
    return true;
}

static bool is_b64token(struct weir_slice text) {
    size_t end = text.size;
    while (end && text.data[end - 1] == '=')
        end--;
    for (size_t i = 0; i < end; i++) {
        uint8_t c = text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     memchr("-._~+/", c, 6) != NULL;
        if (!plain) return false;
    }
    return end > 0;
}

enum weir_error secret_bearer(struct weir_slice header, struct weir_slice *ret_token) {
    static const char scheme[] = "Bearer";
    size_t n = sizeof scheme - 1;
    if (header.size < n || !text_equal_nocase(weir_slice(header.data, n), weir_slice(scheme, n)) ||
        (header.size > n && header.data[n] != ' '))
        return weir_error_context(WEIR_E_INVALID, "the Authorization header has another scheme than Bearer");
    while (n < header.size && header.data[n] == ' ')
        n++;
    struct weir_slice token = weir_slice(header.data + n, header.size - n);
    if (!is_b64token(token))
        return weir_error_context(WEIR_E_INVALID, "write the header as `Authorization: Bearer TOKEN`, with one token");
    *ret_token = token;
    return WEIR_OK;
}
