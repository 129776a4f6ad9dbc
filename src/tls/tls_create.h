/* tls/tls_create.h: a self-signed certificate for a first try, or for machines that are told its fingerprint.
 *
 * ECDSA on P-256, valid for the names given, as a PEM pair in two files; the key's can be read by its owner alone.
 * Threads: any. Errors: EXISTS when one of the files is there already (nothing is ever overwritten); INVALID for a
 * name.
 */
#ifndef WEIR_TLS_CREATE_H
#define WEIR_TLS_CREATE_H
#include "tls/tls.h"

struct tls_create {
    const char *cert_path, *key_path;
    const char *names; /* host names and addresses separated by commas; the first is the subject's common name */
    uint32_t days;
};
WEIR_MUST enum weir_error tls_create(
    struct sys *sys, const struct tls_create *create, char ret_fingerprint[TLS_FINGERPRINT_SIZE]);
#endif
