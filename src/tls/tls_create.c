#include "tls/tls_create.h"

#include "base/text.h"
#include "tls/tls_set.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define NAMES_MAX 32

static enum weir_error failed(const char *what) {
    char reason[120];
    return weir_error_context(
        WEIR_E_INVALID, "cannot make a certificate: %s: %s", what, tls_reason(reason, sizeof reason));
}

static bool is_address(const char *name) {
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);
    ASN1_OCTET_STRING_free(address);
    ERR_clear_error();
    return address != NULL;
}

/* What may stand in a host's name, in an address, or as a wildcard; nothing that the list's own syntax uses. */
static bool is_plain_name(struct weir_slice name) {
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '.' || c == '_' || c == '*' || c == ':';
        if (!plain) return false;
    }
    return name.size > 0 && name.size <= 253;
}

/* "DNS:localhost,IP:127.0.0.1", as OpenSSL's extensions are written. */
static enum weir_error alternative_names(const char *names, char first[256], struct text_builder *ret_list) {
    uint32_t count = 0;
    for (const char *at = names; *at || count == 0;) {
        size_t n = strcspn(at, ",");
        struct weir_slice item = text_trim(weir_slice(at, n));
        char name[256];
        if (!is_plain_name(item) || count == NAMES_MAX)
            return weir_error_context(WEIR_E_INVALID,
                "'%.80s' is no list of 1 to %d host names and addresses separated by commas", names, NAMES_MAX);
        snprintf(name, sizeof name, "%.*s", (int)item.size, (const char *)item.data);
        if (count++ == 0) snprintf(first, 256, "%.64s", name); /* X.520: a common name has at most 64 characters */
        text_printf(ret_list, "%s%s:%s", count > 1 ? "," : "", is_address(name) ? "IP" : "DNS", name);
        at += n + (at[n] == ',');
    }
    return ret_list->truncated ? weir_error_context(WEIR_E_TOO_LARGE, "the names are too long together") : WEIR_OK;
}

static bool add_extension(X509 *certificate, int kind, const char *value) {
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, kind, value);
    bool added = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static bool fill(X509 *certificate, EVP_PKEY *key, const char *common_name, const char *names,
    const struct tls_create *c, int64_t now_s) {
    uint64_t serial = 0;
    X509_NAME *subject = X509_get_subject_name(certificate);
    if (RAND_bytes((unsigned char *)&serial, sizeof serial) != 1) return false;
    /* An hour back, for who connects from a machine whose clock is a little behind. */
    return X509_set_version(certificate, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1 &&
           ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)(now_s - 3600)) &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)(now_s + (int64_t)c->days * 86400)) &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0) ==
               1 &&
           X509_set_issuer_name(certificate, subject) == 1 && X509_set_pubkey(certificate, key) == 1 &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(certificate, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth,clientAuth") &&
           add_extension(certificate, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, NID_subject_alt_name, names) && X509_sign(certificate, key, EVP_sha256()) > 0;
}

static enum weir_error write_new(struct sys *sys, const char *path, BIO *bio, bool is_private) {
    char *data = NULL;
    long size = BIO_get_mem_data(bio, &data);
    int file = -1;
    uint32_t flags = SYS_OPEN_WRITE | SYS_OPEN_CREATE | SYS_OPEN_EXCLUSIVE | (is_private ? SYS_OPEN_PRIVATE : 0);
    enum weir_error e = sys->file_open(sys, path, flags, &file);
    if (e) return e;
    struct sys_iovec part = {data, size > 0 ? (size_t)size : 0};
    e = sys->file_write(sys, file, 0, &part, 1);
    if (!e) e = sys->file_sync(sys, file);
    sys->file_close(sys, file);
    return e;
}

/* The key first: a certificate without its key is of no use, and a key alone harms nobody. */
static enum weir_error write_pair(struct sys *sys, const struct tls_create *create, X509 *certificate, EVP_PKEY *key) {
    BIO *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_secmem());
    enum weir_error e = WEIR_OK;
    if (!cert_bio || !key_bio || PEM_write_bio_X509(cert_bio, certificate) != 1 ||
        PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        e = failed("writing PEM");
    bool exists = false;
    if (!e) e = sys->path_exists(sys, create->cert_path, &exists);
    if (!e && exists) e = weir_error_context(WEIR_E_EXISTS, "%s is there already", create->cert_path);
    if (!e) e = write_new(sys, create->key_path, key_bio, true);
    if (!e) e = write_new(sys, create->cert_path, cert_bio, false);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    return e;
}

enum weir_error tls_create(
    struct sys *sys, const struct tls_create *create, char ret_fingerprint[TLS_FINGERPRINT_SIZE]) {
    char names[4096], first[256] = "", fingerprint[TLS_FINGERPRINT_SIZE];
    struct text_builder list = TEXT_BUILDER(names);
    enum weir_error e = alternative_names(create->names, first, &list);
    if (e) return e;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    int64_t now_s = (int64_t)(sys->wall_ns(sys) / SYS_NANOS_PER_S);
    if (!key || !certificate || !fill(certificate, key, first, names, create, now_s)) e = failed("signing");
    if (!e) e = write_pair(sys, create, certificate, key);
    if (!e) tls_fingerprint(certificate, fingerprint);
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (!e) memcpy(ret_fingerprint, fingerprint, sizeof fingerprint);
    return e;
}
