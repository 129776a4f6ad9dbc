/* The bytes of a connection: a socket, or TLS over it. */
#include "base/assert.h"
#include "load/worker.h"
#include "tls/tls.h"

static struct tls_link *link_of(const struct load_worker *w, const struct load_conn *c) {
    return w->links ? &w->links[load_conn_index(w, c)] : NULL;
}

enum weir_error load_stream_shake(struct load_worker *w, struct load_conn *c, bool *ret_wants_write) {
    struct tls_link *link = link_of(w, c);
    enum tls_failure failure = TLS_FAILURE_COUNT;
    enum weir_error e = WEIR_OK;
    *ret_wants_write = false;
    if (!link->ssl) e = tls_link_connect(link, w->options->tls, w->sys, c->socket, w->options->target.host);
    if (e == WEIR_OK) e = tls_link_handshake(link, &failure);
    *ret_wants_write = e == WEIR_E_AGAIN && link->wants_write;
    if (failure == TLS_FAILURE_CERTIFICATE)
        return weir_error_wrap(e, "the target is not trusted; name its certificate, or who signed it, with --ca, or "
                                  "take anybody's with --insecure");
    if (failure == TLS_FAILURE_PLAIN)
        return weir_error_context(e, "the target answers without TLS; aim at it without the s of its scheme");
    return e;
}

enum weir_error load_stream_put(
    struct load_worker *w, struct load_conn *c, uint8_t *bytes, size_t size, size_t *ret_size) {
    struct tls_link *link = link_of(w, c);
    if (link) return tls_link_write(link, bytes, size, ret_size);
    struct sys_iovec part = {bytes, size};
    return w->sys->socket_write(w->sys, c->socket, &part, 1, ret_size);
}

enum weir_error load_stream_get(
    struct load_worker *w, struct load_conn *c, uint8_t *bytes, size_t size, size_t *ret_size) {
    struct tls_link *link = link_of(w, c);
    return link ? tls_link_read(link, bytes, size, ret_size)
                : w->sys->socket_read(w->sys, c->socket, bytes, size, ret_size);
}

bool load_stream_holds(const struct load_worker *w, const struct load_conn *c) {
    const struct tls_link *link = link_of(w, c);
    return link && tls_link_pending(link);
}

void load_stream_close(struct load_worker *w, struct load_conn *c, bool resets) {
    struct tls_link *link = link_of(w, c);
    if (link) {
        if (!resets) tls_link_say_bye(link);
        tls_link_done(link);
        *link = (struct tls_link){0};
    }
    if (c->socket >= 0) resets ? w->sys->socket_reset(w->sys, c->socket) : w->sys->socket_close(w->sys, c->socket);
    c->socket = -1;
}
