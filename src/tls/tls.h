/* tls/tls.h: TLS 1.2 and 1.3 by OpenSSL, as a thin layer between a connection and its socket.
 *
 * struct tls is a set of certificates that was read and checked as a whole. It never changes; a reload makes another
 * one, and connections keep the one they began with (reference counted, any thread). struct tls_link is one
 * connection's end. It reads and writes the non-blocking socket through `struct sys` itself, so there is no second
 * buffer, no thread, and a plain connection has none of it.
 *
 * What is agreed on: TLS 1.2 with ECDHE and an AEAD, or 1.3 (Mozilla's "intermediate" of 2024); curves X25519, P-256,
 * P-384; no renegotiation, no compression, no early data. Tickets are sealed with keys that live TLS_TICKET_NS each and
 * die with the set: after a reload everybody shakes hands in full. With several certificates the client's server name
 * chooses; the first is for who names none of them.
 * Owner: struct tls_link: the lane. Memory: OpenSSL's own (about 40 KB while a connection is busy, buffers of idle ones
 * are given back). Errors: CONFIG for files, with the path and what to do; the rest as socket_read and socket_write
 * say.
 */
#ifndef WEIR_TLS_H
#define WEIR_TLS_H
#include "sys/sys.h"

#define TLS_CERTIFICATES_MAX 8
#define TLS_FILE_BYTES_MAX   (1u << 20)
#define TLS_TICKET_NS        (6 * 3600 * SYS_NANOS_PER_S) /* a ticket is good for one to two of these */
#define TLS_NAME_MAX         256
#define TLS_FINGERPRINT_SIZE 96 /* SHA-256 as AA:BB:...: 95 characters and the NUL */

struct ssl_st;
struct tls;

struct tls_files {
    const char *certs, *keys; /* PEM files, as many keys as certificates, separated by commas; chains leaf first */
    const char *client_ca;    /* PEM file of who signs clients' certificates; "": clients are not asked */
    bool client_required;     /* no handshake without one */
    bool takes_expired;       /* at start an expired certificate is better than no node */
};
struct tls_facts {
    uint32_t certificates;
    int64_t not_after_s; /* Unix time; the first to expire */
    bool expired;
    char subject[TLS_NAME_MAX];             /* of the first */
    char fingerprint[TLS_FINGERPRINT_SIZE]; /* of the first */
};

/* Reads and checks everything: keys fit their certificates, none is expired or not valid yet. */
WEIR_MUST enum weir_error tls_open(struct sys *sys, const struct tls_files *files, struct tls **ret_tls);
struct tls *tls_take(struct tls *tls); /* one more owner */
void tls_give(struct tls *tls);        /* the last one frees it; NULL is fine */
const struct tls_facts *tls_facts(const struct tls *tls);
/* For programs that connect: who they trust, and who they are. */
struct tls_client {
    const char *ca;         /* PEM file; "": the system's store */
    const char *cert, *key; /* PEM files of the client's own; "": none */
    bool trusts_anyone;     /* no certificate is checked */
};
WEIR_MUST enum weir_error tls_open_client(struct sys *sys, const struct tls_client *client, struct tls **ret_tls);

/* ---- one connection ---- */
enum tls_failure {
    TLS_FAILURE_PLAIN,       /* what came was no TLS but text, such as HTTP */
    TLS_FAILURE_GARBAGE,     /* no TLS either */
    TLS_FAILURE_PARAMETERS,  /* no version, cipher, curve or protocol in common */
    TLS_FAILURE_CERTIFICATE, /* the client's is missing, expired, or of nobody we know; or the client refuses ours */
    TLS_FAILURE_CLOSED,      /* the client went away */
    TLS_FAILURE_TIMEOUT,
    TLS_FAILURE_CROWDED, /* the oldest had to go for newer ones */
    TLS_FAILURE_COUNT
};
extern const char *const tls_failure_names[TLS_FAILURE_COUNT];

struct tls_link {
    struct ssl_st *ssl; /* NULL: a plain connection */
    struct sys *sys;
    struct tls *tls;
    int socket;
    int first;         /* first byte the peer sent, -1 before it */
    bool is_http;      /* ALPN: http/1.1 or nothing */
    bool done;         /* the handshake is */
    bool wants_write;  /* goes on when the socket can be written */
    bool peer_is_gone; /* a read or write on the socket said so */
    bool is_dry;       /* the last read found less than a record */
    uint64_t bytes_in, bytes_out;
};

WEIR_MUST enum weir_error tls_link_accept(
    struct tls_link *link, struct tls *tls, struct sys *sys, int socket, bool is_http);
/* host: what the certificate must be for. */
WEIR_MUST enum weir_error tls_link_connect(
    struct tls_link *link, struct tls *tls, struct sys *sys, int socket, const char *host);
void tls_link_done(struct tls_link *link);
/* OK: done. AGAIN: wants_write tells for what. Else it failed: *ret_failure, and the context says how. */
WEIR_MUST enum weir_error tls_link_handshake(struct tls_link *link, enum tls_failure *ret_failure);
/* As socket_read and socket_write of sys. A peer that vanishes without close_notify is CLOSED, not an end: what it sent
 * may have been cut by somebody on the way. */
WEIR_MUST enum weir_error tls_link_read(struct tls_link *link, void *data, size_t size, size_t *ret_size);
WEIR_MUST enum weir_error tls_link_write(struct tls_link *link, const void *data, size_t size, size_t *ret_size);
/* Bytes that the socket does not hold any more: the poller will not tell of them. */
bool tls_link_pending(const struct tls_link *link);
void tls_link_say_bye(struct tls_link *link); /* close_notify, if it fits */
/* The subject of the client's verified certificate as RFC 2253 text; "" without one. False: it does not fit, and a part
 * of a name is none. */
WEIR_MUST bool tls_link_subject(const struct tls_link *link, char *buf, size_t size);
bool tls_link_resumed(const struct tls_link *link);        /* by a ticket */
const char *tls_link_version(const struct tls_link *link); /* "TLSv1.3" */

#endif
