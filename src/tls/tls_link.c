/* One connection's end of TLS: OpenSSL's state machine over the socket functions of sys. */
#include "tls/tls_set.h"

#include "base/assert.h"

#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>

const char *const tls_failure_names[TLS_FAILURE_COUNT] = {[TLS_FAILURE_PLAIN] = "plain",
    [TLS_FAILURE_GARBAGE] = "garbage",
    [TLS_FAILURE_PARAMETERS] = "parameters",
    [TLS_FAILURE_CERTIFICATE] = "certificate",
    [TLS_FAILURE_CLOSED] = "closed",
    [TLS_FAILURE_TIMEOUT] = "timeout",
    [TLS_FAILURE_CROWDED] = "crowded"};

/* ---- the socket, as OpenSSL sees it ---- */

static bool is_text(int byte) {
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

static int bio_read(BIO *bio, char *data, size_t size, size_t *ret_size) {
    struct tls_link *link = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *ret_size = 0;
    if (size == 0) return 0;
    size_t got = 0;
    enum weir_error e = link->sys->socket_read(link->sys, link->socket, data, size, &got);
    if (e == WEIR_E_AGAIN) {
        BIO_set_retry_read(bio);
        return 0;
    }
    if (e || got == 0) {
        link->peer_is_gone = true;
        return 0;
    }
    if (link->first < 0) link->first = (uint8_t)data[0];
    link->bytes_in += got;
    *ret_size = got;
    return 1;
}

static int bio_write(BIO *bio, const char *data, size_t size, size_t *ret_size) {
    struct tls_link *link = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *ret_size = size;
    if (is_text(link->first)) return 1; /* an alert would stand in front of the sentence it is answered with */
    struct sys_iovec part = {(void *)(uintptr_t)data, size};
    size_t put = 0;
    *ret_size = 0;
    enum weir_error e = link->sys->socket_write(link->sys, link->socket, &part, 1, &put);
    if (e == WEIR_E_AGAIN) {
        BIO_set_retry_write(bio);
        return 0;
    }
    if (e) {
        link->peer_is_gone = true;
        return 0;
    }
    link->bytes_out += put;
    *ret_size = put;
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer) {
    const struct tls_link *link = BIO_get_data(bio);
    (void)number, (void)pointer;
    if (command == BIO_CTRL_EOF) return link->peer_is_gone;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP; /* nothing is held back */
}

static const BIO_METHOD *socket_method(void) {
    static _Atomic(BIO_METHOD *) made; /* by whoever comes first; never freed */
    BIO_METHOD *method = atomic_load_explicit(&made, memory_order_acquire), *none = NULL;
    if (method) return method;
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir socket");
    if (!method) return NULL;
    BIO_meth_set_read_ex(method, bio_read);
    BIO_meth_set_write_ex(method, bio_write);
    BIO_meth_set_ctrl(method, bio_control);
    if (atomic_compare_exchange_strong(&made, &none, method)) return method;
    BIO_meth_free(method);
    return none;
}

/* ---- life ---- */

static enum weir_error link_open(struct tls_link *link, struct tls *tls, struct sys *sys, int socket) {
    *link = (struct tls_link){.sys = sys, .socket = socket, .first = -1};
    const BIO_METHOD *method = socket_method();
    BIO *bio = method ? BIO_new(method) : NULL;
    link->ssl = bio ? SSL_new(tls->contexts[0]) : NULL;
    if (!link->ssl) {
        BIO_free(bio);
        ERR_clear_error();
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a TLS connection");
    }
    link->tls = tls_take(tls);
    BIO_set_data(bio, link);
    BIO_set_init(bio, 1);
    SSL_set_bio(link->ssl, bio, bio);
    SSL_set_app_data(link->ssl, link);
    /* Whether a certificate is valid is judged by the world's clock, as everything is. */
    X509_VERIFY_PARAM_set_time(SSL_get0_param(link->ssl), (time_t)(sys->wall_ns(sys) / SYS_NANOS_PER_S));
    return WEIR_OK;
}

enum weir_error tls_link_accept(struct tls_link *link, struct tls *tls, struct sys *sys, int socket, bool is_http) {
    enum weir_error e = link_open(link, tls, sys, socket);
    if (e) return e;
    link->is_http = is_http;
    SSL_set_accept_state(link->ssl);
    return WEIR_OK;
}

enum weir_error tls_link_connect(
    struct tls_link *link, struct tls *tls, struct sys *sys, int socket, const char *host) {
    enum weir_error e = link_open(link, tls, sys, socket);
    if (e) return e;
    SSL_set_connect_state(link->ssl);
    bool is_address = host[strspn(host, "0123456789.")] == 0 || strchr(host, ':');
    X509_VERIFY_PARAM *verify = SSL_get0_param(link->ssl);
    int ok = is_address ? X509_VERIFY_PARAM_set1_ip_asc(verify, host)
                        : X509_VERIFY_PARAM_set1_host(verify, host, 0) && SSL_set_tlsext_host_name(link->ssl, host);
    if (ok == 1 && SSL_set_alpn_protos(link->ssl, (const unsigned char *)"\x08http/1.1", 9) == 0) return WEIR_OK;
    tls_link_done(link);
    return weir_error_context(WEIR_E_INVALID, "'%.80s' is no name a certificate could be for", host);
}

void tls_link_done(struct tls_link *link) {
    if (!link->ssl) return;
    SSL_free(link->ssl);
    ERR_clear_error();
    link->ssl = NULL;
    tls_give(link->tls);
    link->tls = NULL;
}

/* ---- the handshake ---- */

static enum tls_failure classify(const struct tls_link *link) {
    if (is_text(link->first)) return TLS_FAILURE_PLAIN;
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    if (code == 0 || ERR_GET_LIB(code) != ERR_LIB_SSL || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return link->peer_is_gone ? TLS_FAILURE_CLOSED : TLS_FAILURE_GARBAGE;
    switch (reason) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_BAD_SIGNATURE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        return TLS_FAILURE_CERTIFICATE;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return TLS_FAILURE_PARAMETERS;
    default:
        return link->peer_is_gone ? TLS_FAILURE_CLOSED : TLS_FAILURE_GARBAGE;
    }
}

static enum weir_error fail_handshake(struct tls_link *link, enum tls_failure *ret_failure) {
    char reason[160];
    long verified = SSL_get_verify_result(link->ssl);
    *ret_failure = classify(link);
    tls_reason(reason, sizeof reason);
    if (*ret_failure == TLS_FAILURE_PLAIN)
        return weir_error_context(WEIR_E_INVALID, "the client speaks no TLS; this address takes only TLS");
    if (*ret_failure == TLS_FAILURE_CLOSED)
        return weir_error_context(WEIR_E_CLOSED, "the connection ended during the TLS handshake");
    if (*ret_failure == TLS_FAILURE_CERTIFICATE && verified != X509_V_OK)
        return weir_error_context(
            WEIR_E_FORBIDDEN, "the certificate is refused: %s", X509_verify_cert_error_string(verified));
    return weir_error_context(WEIR_E_INVALID, "TLS handshake: %s", reason);
}

enum weir_error tls_link_handshake(struct tls_link *link, enum tls_failure *ret_failure) {
    WEIR_ASSERT(link->ssl && !link->done);
    ERR_clear_error();
    link->wants_write = false;
    int result = SSL_do_handshake(link->ssl);
    if (result == 1) {
        link->done = true;
        return WEIR_OK;
    }
    switch (SSL_get_error(link->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return WEIR_E_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        link->wants_write = true;
        return WEIR_E_AGAIN;
    default:
        return fail_handshake(link, ret_failure);
    }
}

/* ---- bytes ---- */

static enum weir_error stream_failed(const struct tls_link *link, const char *verb) {
    char reason[160];
    if (link->peer_is_gone) {
        ERR_clear_error();
        return weir_error_context(WEIR_E_CLOSED, "cannot %s: the peer is gone without a goodbye", verb);
    }
    return weir_error_context(WEIR_E_CLOSED, "cannot %s: TLS: %s", verb, tls_reason(reason, sizeof reason));
}

enum weir_error tls_link_read(struct tls_link *link, void *data, size_t size, size_t *ret_size) {
    WEIR_ASSERT(link->done && size > 0);
    ERR_clear_error();
    link->wants_write = link->is_dry = false;
    size_t got = 0;
    int result = SSL_read_ex(link->ssl, data, size, &got);
    if (result == 1) {
        *ret_size = got;
        return WEIR_OK;
    }
    switch (SSL_get_error(link->ssl, result)) {
    case SSL_ERROR_ZERO_RETURN:
        *ret_size = 0;
        return WEIR_OK;
    case SSL_ERROR_WANT_WRITE: /* an answer to the peer's new key */
        link->wants_write = true;
        return WEIR_E_AGAIN;
    case SSL_ERROR_WANT_READ:
        link->is_dry = true;
        return WEIR_E_AGAIN;
    default:
        return stream_failed(link, "read");
    }
}

enum weir_error tls_link_write(struct tls_link *link, const void *data, size_t size, size_t *ret_size) {
    WEIR_ASSERT(link->done && size > 0);
    ERR_clear_error();
    size_t put = 0;
    int result = SSL_write_ex(link->ssl, data, size, &put);
    if (result == 1) {
        *ret_size = put;
        return WEIR_OK;
    }
    switch (SSL_get_error(link->ssl, result)) {
    case SSL_ERROR_WANT_WRITE:
    case SSL_ERROR_WANT_READ:
        return WEIR_E_AGAIN;
    default:
        return stream_failed(link, "write");
    }
}

bool tls_link_pending(const struct tls_link *link) {
    return link->ssl && link->done && !link->is_dry && SSL_has_pending(link->ssl);
}

void tls_link_say_bye(struct tls_link *link) {
    if (!link->ssl || !link->done || link->peer_is_gone) return;
    ERR_clear_error();
    (void)SSL_shutdown(link->ssl); /* a full socket: then the peer sees an end without it */
    ERR_clear_error();
}

bool tls_link_subject(const struct tls_link *link, char *buf, size_t size) {
    X509 *certificate = link->ssl ? SSL_get0_peer_certificate(link->ssl) : NULL;
    buf[0] = 0;
    if (!certificate || SSL_get_verify_result(link->ssl) != X509_V_OK) return true;
    return tls_print_subject(certificate, buf, size);
}

bool tls_link_resumed(const struct tls_link *link) {
    return link->ssl && SSL_session_reused(link->ssl);
}

const char *tls_link_version(const struct tls_link *link) {
    return link->ssl ? SSL_get_version(link->ssl) : "";
}
