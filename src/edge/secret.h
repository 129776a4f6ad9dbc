/* edge/secret.h: the text of a token: made once, shown once, recognised by its shape, stored only as a hash.
 *
 *     weir_ <id: 10> _ <secret: 52> <check: 7>       in base32 (a-z, 2-7): weir_[a-z2-7]{10}_[a-z2-7]{59}
 *
 * The secret is 260 bits from the system's generator. id finds the token without a search. check is the CRC32C of all
 * that stands before it, so that a scanner of repositories and logs can tell a real token from what only looks like
 * one, and a mistyped token is refused without a look-up.
 *
 * The stored hash is one SHA-256. Slow hashes (Argon2, scrypt) exist for secrets that people choose, which have 20 to
 * 40 bits; here a search of the hashes would have to try 2^259 secrets, and a slow hash would only be a way to make the
 * node work for whoever sends wrong tokens.
 *
 * A login is the one exception: protocols such as SoupBinTCP have ten bytes for a password, without case: 50 bits. Its
 * hash is salted and iterated LOGIN_ROUNDS times, so that a search of stolen hashes takes 2^60 blocks of SHA-256, and
 * logins are limited per peer address. Pure.
 */
#ifndef WEIR_EDGE_SECRET_H
#define WEIR_EDGE_SECRET_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/error.h>
#include <weir/slice.h>

#define SECRET_HASH_SIZE  32 /* SHA-256 */
#define SECRET_PREFIX     "weir_"
#define SECRET_ID_SIZE    10
#define SECRET_TEXT_SIZE  75
#define SECRET_LOGIN_SIZE 10
#define SECRET_RANDOM     80 /* bytes: enough for an id, a secret and a login */
#define SECRET_SALT_SIZE  16
#define LOGIN_ROUNDS      1024

void secret_hash(struct weir_slice text, uint8_t out[SECRET_HASH_SIZE]);
bool secret_equal(const void *a, const void *b, size_t size); /* in a time that does not tell where they differ */

/* NUL-terminated: out[SECRET_TEXT_SIZE + 1]. random: SECRET_RANDOM bytes nobody else has seen. id NULL: a new one. */
void secret_make(const uint8_t *random, const char *id, char *out);
void secret_make_login(const uint8_t *random, char *out); /* out[SECRET_LOGIN_SIZE + 1] */
/* True for a text of that shape with the right check; *ret_id is the part of it. */
bool secret_parse(struct weir_slice text, struct weir_slice *ret_id);
/* The login's hash; its letters' case does not count. False: longer than SECRET_TEXT_SIZE or empty. */
bool secret_hash_login(struct weir_slice login, const uint8_t salt[SECRET_SALT_SIZE], uint8_t out[SECRET_HASH_SIZE]);

/* The token of an Authorization header (RFC 9110 section 11.6.2, RFC 6750 section 2.1): "Bearer", blanks, b64token.
 * INVALID with what is wrong. */
WEIR_MUST enum weir_error secret_bearer(struct weir_slice header, struct weir_slice *ret_token);

#endif
