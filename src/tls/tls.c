/* Sets of certificates: reading, checking, and what is agreed on in a handshake. */
#include "tls/tls_set.h"

#include "base/assert.h"
#include "base/civil.h"
#include "base/text.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define PATH_MAX_BYTES 512

static const char CIPHERS[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
                              "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/* The newest reason in OpenSSL's queue, which is emptied. */
const char *tls_reason(char *buf, size_t size) {
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    snprintf(buf, size, "%s", reason ? reason : "no reason given");
    ERR_clear_error();
    return buf;
}

static enum weir_error no_memory(void) {
    ERR_clear_error();
    return weir_error_context(WEIR_E_NO_MEMORY, "no memory for TLS");
}

/* ---- files ---- */

static enum weir_error bio_of_file(struct sys *sys, const char *setting, const char *path, BIO **ret_bio) {
    struct weir_slice bytes;
    enum weir_error e = sys_read_all(sys, path, TLS_FILE_BYTES_MAX, &bytes);
    if (e) return weir_error_wrap(e, "%s", setting);
    BIO *bio = BIO_new(BIO_s_mem());
    bool kept = bio && (bytes.size == 0 || BIO_write(bio, bytes.data, (int)bytes.size) == (int)bytes.size);
    OPENSSL_cleanse((void *)(uintptr_t)bytes.data, bytes.size); /* it may be a key */
    sys_bytes_free(bytes);
    if (!kept) {
        BIO_free(bio);
        return no_memory();
    }
    *ret_bio = bio;
    return WEIR_OK;
}

static int no_passphrase(char *buf, int size, int is_writing, void *ctx) {
    (void)buf, (void)size, (void)is_writing, (void)ctx;
    return -1;
}

static enum weir_error not_pem(const char *setting, const char *path, const char *what) {
    char reason[120];
    return weir_error_context(
        WEIR_E_CONFIG, "%s: %s holds no %s in PEM form (%s)", setting, path, what, tls_reason(reason, sizeof reason));
}

/* The leaf, then what leads from it to the authority. */
static enum weir_error use_chain(SSL_CTX *ctx, BIO *bio, const char *path) {
    X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
    if (!leaf) return not_pem("tls.cert", path, "certificate");
    bool used = SSL_CTX_use_certificate(ctx, leaf) == 1;
    X509_free(leaf);
    char reason[120];
    if (!used)
        return weir_error_context(
            WEIR_E_CONFIG, "tls.cert: %s cannot be used: %s", path, tls_reason(reason, sizeof reason));
    X509 *next;
    while ((next = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)))
        if (SSL_CTX_add0_chain_cert(ctx, next) != 1) {
            X509_free(next);
            return no_memory();
        }
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (!at_end) return not_pem("tls.cert", path, "certificate chain that can be read to its end");
    ERR_clear_error();
    return WEIR_OK;
}

static enum weir_error use_key(SSL_CTX *ctx, BIO *bio, const char *path, const char *cert_path) {
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    if (!key) return not_pem("tls.key", path, "private key without a passphrase");
    bool fits = SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
    EVP_PKEY_free(key);
    ERR_clear_error();
    if (fits) return WEIR_OK;
    return weir_error_context(WEIR_E_CONFIG,
        "tls.key: %s is not the key of the certificate %s; both must be of one pair, and in the same order", path,
        cert_path);
}

static enum weir_error use_client_ca(struct sys *sys, SSL_CTX *ctx, const struct tls_files *files) {
    if (!files->client_ca || !*files->client_ca) return WEIR_OK;
    BIO *bio;
    enum weir_error e = bio_of_file(sys, "tls.client_ca", files->client_ca, &bio);
    if (e) return e;
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    X509 *ca;
    uint32_t count = 0;
    while ((ca = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL))) {
        if (X509_STORE_add_cert(store, ca) == 1 && SSL_CTX_add_client_CA(ctx, ca) == 1) count++;
        X509_free(ca);
    }
    BIO_free(bio);
    if (count == 0) return not_pem("tls.client_ca", files->client_ca, "certificate");
    ERR_clear_error();
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (files->client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    SSL_CTX_set_verify_depth(ctx, 8);
    return WEIR_OK;
}

/* ---- what the certificates say ---- */

static int64_t unix_time(const ASN1_TIME *time) {
    int days = 0, seconds = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int known = epoch ? ASN1_TIME_diff(&days, &seconds, epoch, time) : 0;
    ASN1_TIME_free(epoch);
    return known ? (int64_t)days * 86400 + seconds : 0;
}

static enum weir_error check_dates(
    struct tls *tls, struct sys *sys, const X509 *leaf, const char *path, bool takes_expired) {
    int64_t now = (int64_t)(sys->wall_ns(sys) / SYS_NANOS_PER_S);
    int64_t from = unix_time(X509_get0_notBefore(leaf)), to = unix_time(X509_get0_notAfter(leaf));
    char text[CIVIL_TEXT_SIZE];
    if (tls->facts.certificates == 0 || to < tls->facts.not_after_s) tls->facts.not_after_s = to;
    if (now >= to) tls->facts.expired = true;
    if (now >= from && (now < to || takes_expired)) return WEIR_OK;
    civil_format((now < from ? from : to) * (int64_t)SYS_NANOS_PER_S, 0, text);
    return weir_error_context(WEIR_E_CONFIG, "tls.cert: %s %s %s; install a certificate that is valid now", path,
        now < from ? "is valid only from" : "expired on", text);
}

bool tls_print_subject(const X509 *certificate, char *buf, size_t size) {
    int n = -1;
    buf[0] = 0;
    BIO *bio = BIO_new(BIO_s_mem());
    if (!bio) return false;
    /* Not MSB-escaped: a name in UTF-8 stays one. Control characters and separators are escaped. */
    if (X509_NAME_print_ex(
            bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        n = BIO_read(bio, buf, (int)size);
        buf[n > 0 && n < (int)size ? n : 0] = 0;
    }
    BIO_free(bio);
    return n > 0 && n < (int)size;
}

void tls_fingerprint(const X509 *certificate, char buf[TLS_FINGERPRINT_SIZE]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    buf[0] = 0;
    if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1) return;
    for (unsigned i = 0; i < size && i < 32; i++)
        snprintf(buf + 3 * i, TLS_FINGERPRINT_SIZE - 3 * i, i + 1 < size ? "%02X:" : "%02X", digest[i]);
}

/* ---- what is agreed on ---- */

/* RFC 7301: a client that offers protocols and not this one is told so, instead of being answered in one it did not
 * offer. Binary sessions have no name there. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *in,
    unsigned in_size, void *arg) {
    static const unsigned char http[] = "\x08http/1.1";
    const struct tls_link *link = SSL_get_app_data(ssl);
    (void)arg;
    if (!link || !link->is_http) return SSL_TLSEXT_ERR_NOACK;
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, out_size, http, sizeof http - 1, in, in_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int choose_certificate(SSL *ssl, int *alert, void *arg) {
    const struct tls *tls = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    for (uint32_t i = 0; name && i < tls->facts.certificates; i++)
        if (X509_check_host(SSL_CTX_get0_certificate(tls->contexts[i]), name, 0, 0, NULL) == 1) {
            SSL_set_SSL_CTX(ssl, tls->contexts[i]);
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_OK; /* the first certificate; the client decides whether that will do */
}

/* The key to seal with, renewed when its time is over. Lanes share the keys, so that a ticket is good on all of them.
 */
static bool ticket_key(struct tls *tls, const unsigned char *name, struct tls_ticket_key *ret_key, bool *ret_is_old) {
    uint64_t now = tls->sys->mono_ns(tls->sys);
    bool found = false;
    if (!CRYPTO_THREAD_write_lock(tls->ticket_lock)) return false;
    while (now - tls->tickets[0].made_ns >= TLS_TICKET_NS) {
        tls->tickets[1] = tls->tickets[0];
        tls->tickets[0].made_ns += TLS_TICKET_NS;
        if (RAND_bytes(tls->tickets[0].name, sizeof tls->tickets[0].name) != 1 ||
            RAND_priv_bytes(tls->tickets[0].secret, sizeof tls->tickets[0].secret) != 1)
            break;
    }
    for (unsigned i = 0; i < 2 && !found; i++) {
        if (name && memcmp(name, tls->tickets[i].name, sizeof tls->tickets[i].name) != 0) continue;
        *ret_key = tls->tickets[i];
        *ret_is_old = i > 0;
        found = true;
    }
    CRYPTO_THREAD_unlock(tls->ticket_lock);
    return found;
}

static int seal_ticket(
    SSL *ssl, unsigned char name[16], unsigned char iv[], EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals) {
    const struct tls_link *link = SSL_get_app_data(ssl);
    struct tls_ticket_key key;
    bool is_old = false;
    if (!link || !ticket_key(link->tls, seals ? NULL : name, &key, &is_old)) return seals ? -1 : 0;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.secret + 32, 32),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    int ok = EVP_MAC_CTX_set_params(mac, params);
    if (seals && ok) {
        memcpy(name, key.name, 16);
        ok = RAND_bytes(iv, 16) == 1 && EVP_EncryptInit_ex2(cipher, EVP_aes_256_cbc(), key.secret, iv, NULL);
    } else if (ok) {
        ok = EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), key.secret, iv, NULL);
    }
    OPENSSL_cleanse(&key, sizeof key);
    if (!ok) return -1;
    return is_old ? 2 : 1; /* 2: it is good, and the client gets a new one */
}

static enum weir_error agree(SSL_CTX *ctx, struct tls *tls) {
    bool ok = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 && SSL_CTX_set_cipher_list(ctx, CIPHERS) == 1 &&
              SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1;
    if (!ok) return no_memory();
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(
        ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ctx, 1); /* one call for a record's head and body */
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    SSL_CTX_set_tlsext_servername_callback(ctx, choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(ctx, tls);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, seal_ticket);
    return SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"weir", 4) == 1 ? WEIR_OK : no_memory();
}

/* ---- a set ---- */

static enum weir_error new_context(
    struct tls *tls, struct sys *sys, const struct tls_files *files, const char *cert, const char *key) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx) return no_memory();
    tls->contexts[tls->context_count++] = ctx;
    enum weir_error e = agree(ctx, tls);
    BIO *bio = NULL;
    if (!e) e = bio_of_file(sys, "tls.cert", cert, &bio);
    if (!e) {
        e = use_chain(ctx, bio, cert);
        BIO_free(bio);
    }
    if (!e) e = bio_of_file(sys, "tls.key", key, &bio);
    if (!e) {
        e = use_key(ctx, bio, key, cert);
        BIO_free(bio);
    }
    if (!e) e = use_client_ca(sys, ctx, files);
    if (e) return e;
    const X509 *leaf = SSL_CTX_get0_certificate(ctx);
    e = check_dates(tls, sys, leaf, cert, files->takes_expired);
    if (!e && tls->facts.certificates++ == 0) {
        if (!tls_print_subject(leaf, tls->facts.subject, sizeof tls->facts.subject)) tls->facts.subject[0] = 0;
        tls_fingerprint(leaf, tls->facts.fingerprint);
    }
    return e;
}

/* The next of a list separated by commas; false at its end. */
static bool next_path(const char **list, char path[PATH_MAX_BYTES]) {
    size_t n = strcspn(*list, ",");
    struct weir_slice item = text_trim(weir_slice(*list, n));
    if (**list == 0 || item.size >= PATH_MAX_BYTES) return false;
    memcpy(path, item.data, item.size);
    path[item.size] = 0;
    *list += n + ((*list)[n] == ',');
    return true;
}

static enum weir_error read_all(struct tls *tls, struct sys *sys, const struct tls_files *files) {
    const char *certs = files->certs, *keys = files->keys;
    char cert[PATH_MAX_BYTES], key[PATH_MAX_BYTES];
    for (;;) {
        bool has_cert = next_path(&certs, cert), has_key = next_path(&keys, key);
        if (!has_cert && !has_key) return WEIR_OK;
        if (!has_cert || !has_key || *cert == 0 || *key == 0)
            return weir_error_context(
                WEIR_E_CONFIG, "tls.cert and tls.key must name as many files, in the same order, separated by commas");
        if (tls->context_count == TLS_CERTIFICATES_MAX)
            return weir_error_context(
                WEIR_E_CONFIG, "tls.cert: more than %d certificates are named", TLS_CERTIFICATES_MAX);
        enum weir_error e = new_context(tls, sys, files, cert, key);
        if (e) return e;
    }
}

static enum weir_error new_set(struct sys *sys, struct tls **ret_tls) {
    struct tls *tls = OPENSSL_zalloc(sizeof *tls);
    if (!tls) return no_memory();
    atomic_init(&tls->owners, 1);
    tls->sys = sys;
    tls->ticket_lock = CRYPTO_THREAD_lock_new();
    tls->tickets[0].made_ns = sys->mono_ns(sys);
    tls->tickets[1] = tls->tickets[0];
    for (unsigned i = 0; i < 2; i++)
        if (!tls->ticket_lock || RAND_bytes(tls->tickets[i].name, sizeof tls->tickets[i].name) != 1 ||
            RAND_priv_bytes(tls->tickets[i].secret, sizeof tls->tickets[i].secret) != 1) {
            tls_give(tls);
            return no_memory();
        }
    *ret_tls = tls;
    return WEIR_OK;
}

enum weir_error tls_open(struct sys *sys, const struct tls_files *files, struct tls **ret_tls) {
    struct tls *tls;
    enum weir_error e = new_set(sys, &tls);
    if (e) return e;
    ERR_clear_error();
    e = read_all(tls, sys, files);
    if (!e && tls->context_count == 0) e = weir_error_context(WEIR_E_CONFIG, "tls.cert names no file");
    if (e) {
        tls_give(tls);
        return e;
    }
    *ret_tls = tls;
    return WEIR_OK;
}

struct tls *tls_take(struct tls *tls) {
    if (tls) atomic_fetch_add_explicit(&tls->owners, 1, memory_order_relaxed);
    return tls;
}

void tls_give(struct tls *tls) {
    if (!tls || atomic_fetch_sub_explicit(&tls->owners, 1, memory_order_acq_rel) != 1) return;
    for (uint32_t i = 0; i < tls->context_count; i++)
        SSL_CTX_free(tls->contexts[i]);
    CRYPTO_THREAD_lock_free(tls->ticket_lock);
    OPENSSL_cleanse(tls->tickets, sizeof tls->tickets);
    OPENSSL_free(tls);
}

const struct tls_facts *tls_facts(const struct tls *tls) {
    return &tls->facts;
}

/* ---- who connects ---- */

static enum weir_error trust(struct sys *sys, SSL_CTX *ctx, const char *ca) {
    if (!*ca) return SSL_CTX_set_default_verify_paths(ctx) == 1 ? WEIR_OK : no_memory();
    BIO *bio;
    enum weir_error e = bio_of_file(sys, "--ca", ca, &bio);
    if (e) return e;
    uint32_t count = 0;
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL))) {
        count += X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), certificate) == 1;
        X509_free(certificate);
    }
    BIO_free(bio);
    if (count == 0) return not_pem("--ca", ca, "certificate");
    ERR_clear_error();
    return WEIR_OK;
}

static enum weir_error carry(struct sys *sys, SSL_CTX *ctx, const char *cert, const char *key) {
    BIO *bio;
    enum weir_error e = bio_of_file(sys, "--cert", cert, &bio);
    if (!e) {
        e = use_chain(ctx, bio, cert);
        BIO_free(bio);
    }
    if (!e) e = bio_of_file(sys, "--key", key, &bio);
    if (!e) {
        e = use_key(ctx, bio, key, cert);
        BIO_free(bio);
    }
    return e;
}

enum weir_error tls_open_client(struct sys *sys, const struct tls_client *client, struct tls **ret_tls) {
    struct tls *tls;
    enum weir_error e = new_set(sys, &tls);
    if (e) return e;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (ctx) tls->contexts[tls->context_count++] = ctx;
    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) e = no_memory();
    if (!e) e = trust(sys, ctx, client->ca);
    if (!e && *client->cert) e = carry(sys, ctx, client->cert, client->key);
    if (e) {
        tls_give(tls);
        return e;
    }
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(ctx, client->trusts_anyone ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    *ret_tls = tls;
    return WEIR_OK;
}
