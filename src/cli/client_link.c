/* How a command reaches its node: the address it was given, TCP or a Unix socket, with or without TLS. */
#include "cli/client_link.h"
#include "base/units.h"
#include <stdio.h>
#include <stdlib.h>

#define CLIENT_TIMEOUT_NS (60 * SYS_NANOS_PER_S)

static bool take_word(const char **text, const char *word) {
    size_t n = strlen(word);
    if (strncmp(*text, word, n) != 0) return false;
    *text += n;
    return true;
}

static enum weir_error bad_address(const char *node) {
    return weir_error_context(WEIR_E_INVALID,
        "%s is not an address; write HOST:PORT, as in 127.0.0.1:7070, https://HOST:PORT or unix:/PATH", node);
}

static enum weir_error split_address(struct client *client, const char *node) {
    const char *text = node;
    client->is_https = take_word(&text, "https://");
    if (!client->is_https) (void)take_word(&text, "http://");
    if (take_word(&text, "https+unix:")) client->is_unix = client->is_https = true;
    if (!client->is_unix) client->is_unix = take_word(&text, "unix:");
    snprintf(client->shown, sizeof client->shown, "%s", node);
    size_t size = strlen(text);
    if (client->is_unix) {
        if (size == 0 || size >= sizeof client->host) return bad_address(node);
        memcpy(client->host, text, size + 1);
        return WEIR_OK;
    }
    if (size > 0 && text[size - 1] == '/') size--; /* as a browser shows it */
    const char *colon = memrchr(text, ':', size);
    size_t n = colon ? (size_t)(colon - text) : 0;
    bool brackets = n >= 2 && text[0] == '[' && text[n - 1] == ']';
    uint64_t port = 0;
    if (n == 0 || n >= sizeof client->host || parse_u64(weir_slice(colon + 1, size - n - 1), &port) != WEIR_OK ||
        port > 65535)
        return bad_address(node);
    memcpy(client->host, text + brackets, n - 2 * brackets);
    client->host[n - 2 * brackets] = 0;
    client->port = (uint16_t)port;
    return WEIR_OK;
}

static const char *from_environment(const char *flag, const char *name) {
    const char *value = flag ? flag : getenv(name);
    return value ? value : "";
}

static enum weir_error connect_to(struct client *client) {
    struct sys *sys = client->sys;
    enum weir_error e = client->is_unix ? sys->unix_connect(sys, client->host, &client->socket)
                                        : sys->tcp_connect(sys, client->host, client->port, &client->socket);
    if (e == WEIR_OK) e = sys->poller_add(sys, client->poller, client->socket, 1, SYS_POLL_WRITE);
    return e;
}

enum weir_error client_link_wait(struct client *client, uint32_t bits) {
    struct sys *sys = client->sys;
    enum weir_error e = sys->poller_change(sys, client->poller, client->socket, 1, bits);
    if (e != WEIR_OK) return e;
    uint64_t end = sys->mono_ns(sys) + CLIENT_TIMEOUT_NS;
    struct sys_poll_event event;
    while (sys->poller_wait(sys, client->poller, &event, 1, SYS_NANOS_PER_S) == 0)
        if (sys->mono_ns(sys) > end)
            return weir_error_context(WEIR_E_TIMEOUT, "%s did not answer in time", client->shown);
    return WEIR_OK;
}

static enum weir_error shake_hands(struct client *client, const struct client_options *options) {
    struct tls_client who = {.ca = from_environment(options->ca, "WEIR_CA"),
        .cert = from_environment(NULL, "WEIR_CERT"),
        .key = from_environment(NULL, "WEIR_KEY")};
    enum weir_error e = tls_open_client(client->sys, &who, &client->tls);
    const char *name = client->is_unix ? "localhost" : client->host;
    if (e == WEIR_OK) e = tls_link_connect(&client->link, client->tls, client->sys, client->socket, name);
    while (e == WEIR_OK && !client->link.done) {
        enum tls_failure failure;
        e = tls_link_handshake(&client->link, &failure);
        if (e == WEIR_E_AGAIN) {
            e = client_link_wait(client, client->link.wants_write ? SYS_POLL_WRITE : SYS_POLL_READ);
        } else if (e != WEIR_OK && failure == TLS_FAILURE_CERTIFICATE) {
            return weir_error_wrap(e, "not trusted; name its certificate, or who signed it, with --ca FILE or WEIR_CA");
        } else if (e != WEIR_OK && failure == TLS_FAILURE_PLAIN) {
            return weir_error_context(e, "the node answers without TLS; leave https out");
        }
    }
    return e;
}

enum weir_error client_link_put(struct client *client, struct weir_slice bytes, size_t *ret_size) {
    if (client->is_https) return tls_link_write(&client->link, bytes.data, bytes.size, ret_size);
    struct sys_iovec part = {(void *)(uintptr_t)bytes.data, bytes.size};
    return client->sys->socket_write(client->sys, client->socket, &part, 1, ret_size);
}

enum weir_error client_link_get(struct client *client, uint8_t *data, size_t size, size_t *ret_size) {
    if (client->is_https) return tls_link_read(&client->link, data, size, ret_size);
    return client->sys->socket_read(client->sys, client->socket, data, size, ret_size);
}

enum weir_error client_open(struct client *client, const struct client_options *options) {
    *client = (struct client){.poller = -1, .socket = -1};
    const char *node = options->node ? options->node : getenv("WEIR_NODE");
    if (!node) node = "127.0.0.1:7070";
    enum weir_error e = split_address(client, node);
    if (e == WEIR_OK) e = sys_linux_new(&client->sys);
    void *memory = NULL;
    if (e == WEIR_OK) e = sys_memory_map(CLIENT_ANSWER_BYTES_MAX, &memory);
    client->buffer = memory;
    if (e == WEIR_OK) e = client->sys->poller_open(client->sys, &client->poller);
    if (e == WEIR_OK) e = connect_to(client);
    if (e != WEIR_OK) {
        client_close(client);
        return weir_error_wrap(e, "no node at %s; start one with `weir up`, or name it with --node", node);
    }
    if (client->is_https) e = shake_hands(client, options);
    if (e != WEIR_OK) {
        client_close(client);
        return weir_error_wrap(e, "%s", node);
    }
    return WEIR_OK;
}

void client_close(struct client *client) {
    if (!client->sys) return;
    tls_link_say_bye(&client->link);
    tls_link_done(&client->link);
    tls_give(client->tls);
    if (client->socket >= 0) client->sys->socket_close(client->sys, client->socket);
    if (client->poller >= 0) client->sys->poller_close(client->sys, client->poller);
    if (client->buffer) sys_memory_unmap(client->buffer, CLIENT_ANSWER_BYTES_MAX);
    sys_linux_free(client->sys);
    *client = (struct client){.poller = -1, .socket = -1};
}
