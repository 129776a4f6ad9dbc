/* tls/tls_set.h: a set of certificates as tls.c makes it and tls_link.c uses it. Private to tls*.c. */
#ifndef WEIR_TLS_SET_H
#define WEIR_TLS_SET_H
#include "tls/tls.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

struct tls_ticket_key {
    unsigned char name[16], secret[64]; /* of the cipher, then of the MAC */
    uint64_t made_ns;
};
struct tls {
    _Atomic uint32_t owners;
    struct sys *sys;
    uint32_t context_count;
    SSL_CTX *contexts[TLS_CERTIFICATES_MAX]; /* one per certificate, else alike */
    struct tls_facts facts;
    CRYPTO_RWLOCK *ticket_lock;
    struct tls_ticket_key tickets[2]; /* seals now; opens those sealed before */
};

const char *tls_reason(char *buf, size_t size);
/* RFC 2253; false: it has none, or it does not fit, and buf is "". */
bool tls_print_subject(const X509 *certificate, char *buf, size_t size);
void tls_fingerprint(const X509 *certificate, char buf[TLS_FINGERPRINT_SIZE]);

#endif
