#include "exchange/tool_client.h"
#include "base/assert.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BARRIER_REF_MIN    UINT32_C(0xFF000000) /* references above are never orders */
#define POLL_MS            100
#define TOOL_ACCOUNT_FIRST 60000u              /* the tools' own accounts, out of the way of others */
#define HEARTBEAT_NS       UINT64_C(900000000) /* a little before the second is over */

uint64_t tool_client_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

enum weir_error tool_client_address(const char *text, char host[64], char port[8]) {
    const char *colon = strrchr(text, ':');
    size_t host_size = colon ? (size_t)(colon - text) : 0;
    if (colon == NULL || host_size == 0 || host_size > 63 || strlen(colon + 1) == 0 || strlen(colon + 1) > 5)
        return weir_error_context(WEIR_E_INVALID, "\"%s\" is not HOST:PORT", text);
    bool bracketed = text[0] == '[' && text[host_size - 1] == ']';
    snprintf(host, 64, "%.*s", (int)(host_size - (bracketed ? 2 : 0)), text + bracketed);
    snprintf(port, 8, "%s", colon + 1);
    return WEIR_OK;
}

enum weir_error tool_client_init(
    struct tool_client *client, const char *address, const char *user, const char *password, uint32_t pending_max) {
    WEIR_ASSERT(pending_max && (pending_max & (pending_max - 1)) == 0);
    *client = (struct tool_client){.fd = -1, .pending_max = pending_max};
    enum weir_error error = tool_client_address(address, client->host, client->port);
    if (error) return error;
    snprintf(client->user, sizeof(client->user), "%s", user);
    snprintf(client->password, sizeof(client->password), "%s", password);
    client->out = malloc(TOOL_CLIENT_SEND_BYTES);
    client->in = malloc(TOOL_CLIENT_RECEIVE_BYTES);
    client->pending = malloc(pending_max * sizeof(*client->pending));
    if (client->out && client->in && client->pending) return WEIR_OK;
    tool_client_done(client);
    return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a session");
}

void tool_client_disconnect(struct tool_client *client) {
    if (client->fd >= 0) close(client->fd);
    client->fd = -1;
    client->out_size = client->out_sent = client->in_size = 0;
    client->synced = false;
}

void tool_client_done(struct tool_client *client) {
    if (client->out == NULL && client->in == NULL) return;
    tool_client_disconnect(client);
    free(client->out);
    free(client->in);
    free(client->pending);
    *client = (struct tool_client){.fd = -1};
}

/* ---- requests ---- */

void tool_client_enter(
    struct weir_ouch_request *ret, uint32_t ref, char side, const char symbol[WEIR_OUCH_SYMBOL_SIZE]) {
    *ret = (struct weir_ouch_request){
        .type = WEIR_OUCH_ENTER,
        .enter = {.user_ref = ref,
            .side = side,
            .time_in_force = '1',
            .display = 'Y',
            .capacity = 'A',
            .sweep = 'N',
            .cross = 'N'},
    };
    memcpy(ret->enter.symbol, symbol, WEIR_OUCH_SYMBOL_SIZE);
    memset(ret->enter.client_id, ' ', sizeof(ret->enter.client_id));
}

void tool_client_put_again(struct tool_client *client, const struct weir_ouch_request *request) {
    WEIR_ASSERT(TOOL_CLIENT_SEND_BYTES - client->out_size >= WEIR_OUCH_MESSAGE_SIZE_MAX + WEIR_SOUPBIN_HEADER_SIZE);
    uint8_t *at = client->out + client->out_size;
    size_t size = weir_ouch_request_encode(request, at + WEIR_SOUPBIN_HEADER_SIZE);
    weir_soupbin_header(at, WEIR_SOUPBIN_UNSEQUENCED, size);
    client->out_size += WEIR_SOUPBIN_HEADER_SIZE + size;
}

void tool_client_put(
    struct tool_client *client, const struct weir_ouch_request *request, uint32_t tag, uint64_t at_ns) {
    WEIR_ASSERT(client->pending_count < client->pending_max);
    struct tool_client_pending pending = {.at_ns = at_ns, .tag = tag, .type = (char)request->type};
    switch (request->type) {
    case WEIR_OUCH_ENTER:
        pending.ref = pending.ref_before = request->enter.user_ref;
        break;
    case WEIR_OUCH_REPLACE:
        pending.ref = request->replace.user_ref;
        pending.ref_before = request->replace.orig_user_ref;
        break;
    case WEIR_OUCH_CANCEL:
        pending.ref = pending.ref_before = request->cancel.user_ref;
        break;
    case WEIR_OUCH_MODIFY:
        pending.ref = pending.ref_before = request->modify.user_ref;
        break;
    case WEIR_OUCH_MASS_CANCEL:
        pending.ref = pending.ref_before = request->mass_cancel.user_ref;
        break;
    case WEIR_OUCH_QUERY:
        break;
    }
    client->pending[(client->pending_first + client->pending_count++) & (client->pending_max - 1)] = pending;
    tool_client_put_again(client, request);
}

/* Does this answer name the request that is next in line? */
static bool is_answer_to(const struct tool_client_pending *p, const struct weir_ouch_response *r) {
    switch (r->type) {
    case WEIR_OUCH_R_ACCEPTED:
        return p->type == WEIR_OUCH_ENTER && r->accepted.user_ref == p->ref;
    case WEIR_OUCH_R_REPLACED:
        return p->type == WEIR_OUCH_REPLACE && r->replaced.user_ref == p->ref;
    case WEIR_OUCH_R_CANCELED:
        return p->type == WEIR_OUCH_CANCEL && r->canceled.user_ref == p->ref && r->canceled.reason == 'U';
    case WEIR_OUCH_R_MODIFIED:
        return p->type == WEIR_OUCH_MODIFY && r->modified.user_ref == p->ref;
    case WEIR_OUCH_R_MASS_CANCELED:
        return p->type == WEIR_OUCH_MASS_CANCEL && r->mass_canceled.user_ref == p->ref;
    case WEIR_OUCH_R_REJECTED:
        return r->rejected.user_ref == p->ref || r->rejected.user_ref == p->ref_before;
    case WEIR_OUCH_R_CANCEL_REJECT:
        return p->type != WEIR_OUCH_ENTER &&
               (r->cancel_reject.user_ref == p->ref_before || r->cancel_reject.user_ref == p->ref);
    case WEIR_OUCH_R_NEXT_REF:
        return p->type == WEIR_OUCH_QUERY;
    default:
        return false;
    }
}

const char *tool_client_refusal(const struct weir_ouch_response *answer, char text[160]) {
    if (answer->options.present & WEIR_OUCH_HAS_TEXT)
        snprintf(text, 160, "%.*s", (int)answer->options.text.size, (const char *)answer->options.text.data);
    else if (answer->type == WEIR_OUCH_R_REJECTED)
        snprintf(text, 160, "reason %u", answer->rejected.reason);
    else
        snprintf(text, 160, "the order is not open any more");
    return text;
}

/* ---- the wire ---- */

static enum weir_error lost(struct tool_client *client, const char *what) {
    enum weir_error error = weir_error_context(WEIR_E_CLOSED, "%s:%s %s%s%s", client->host, client->port, what,
        errno ? ": " : "", errno ? strerror(errno) : "");
    tool_client_disconnect(client);
    return error;
}

enum weir_error tool_client_send(struct tool_client *client, uint64_t now_ns) {
    if (client->fd < 0) return weir_error_context(WEIR_E_CLOSED, "%s:%s: not connected", client->host, client->port);
    if (client->out_size == 0 && now_ns - client->sent_ns > HEARTBEAT_NS) {
        weir_soupbin_header(client->out, WEIR_SOUPBIN_CLIENT_HEARTBEAT, 0);
        client->out_size = WEIR_SOUPBIN_HEADER_SIZE;
    }
    while (client->out_sent < client->out_size) {
        ssize_t n = send(client->fd, client->out + client->out_sent, client->out_size - client->out_sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n <= 0) return lost(client, "does not take any more");
        client->out_sent += (size_t)n;
        client->sent_ns = now_ns;
    }
    if (client->out_sent == client->out_size) {
        client->out_sent = client->out_size = 0;
    } else if (client->out_sent > TOOL_CLIENT_SEND_BYTES / 2) {
        client->out_size -= client->out_sent;
        memmove(client->out, client->out + client->out_sent, client->out_size);
        client->out_sent = 0;
    }
    return WEIR_OK;
}

static enum weir_error take_message(
    struct tool_client *client, struct weir_slice message, tool_client_answer_fn *answer, void *context) {
    struct weir_ouch_response response;
    enum weir_ouch_reason reason = weir_ouch_response_decode(message, &response);
    if (reason)
        return weir_error_context(WEIR_E_INVALID, "the node sent a message that is not OUCH (%zu bytes, '%c'): %s",
            message.size, message.size ? (int)message.data[0] : '-', weir_ouch_reason_sentence(reason));
    if (response.type == WEIR_OUCH_R_NEXT_REF && !client->synced) {
        client->next_ref = response.next_ref.user_ref;
        client->synced = client->barrier == 0;
        return WEIR_OK;
    }
    if (response.type == WEIR_OUCH_R_CANCEL_REJECT && response.cancel_reject.user_ref >= BARRIER_REF_MIN) {
        if (response.cancel_reject.user_ref != client->barrier) return WEIR_OK; /* of a login that was cut */
        client->barrier = 0;
        client->synced = client->next_ref != 0;
        return WEIR_OK;
    }
    struct tool_client_pending first;
    const struct tool_client_pending *asked = NULL;
    if (client->pending_count && is_answer_to(tool_client_pending_at(client, 0), &response))
        asked = memcpy(&first, tool_client_pending_at(client, 0), sizeof(first));
    if (asked) {
        client->pending_first = (client->pending_first + 1) & (client->pending_max - 1);
        client->pending_count--;
    }
    answer(context, client, asked, &response);
    return WEIR_OK;
}

static enum weir_error take_packet(struct tool_client *client, const struct weir_soupbin_packet *packet,
    tool_client_answer_fn *answer, void *context) {
    struct weir_soupbin_accepted accepted;
    enum weir_error error = WEIR_OK;
    switch (packet->type) {
    case WEIR_SOUPBIN_LOGIN_ACCEPTED:
        error = weir_soupbin_accepted_parse(packet->payload, &accepted);
        if (error) return error;
        snprintf(client->session, sizeof(client->session), "%.*s", (int)accepted.session.size,
            (const char *)accepted.session.data);
        client->sequence = accepted.sequence;
        return WEIR_OK;
    case WEIR_SOUPBIN_LOGIN_REJECTED:
        return weir_error_context(WEIR_E_FORBIDDEN, "%s:%s refuses the login of \"%s\" (%s)", client->host,
            client->port, client->user,
            packet->payload.size && packet->payload.data[0] == WEIR_SOUPBIN_REJECT_SESSION ? "session unknown"
                                                                                           : "not authorised");
    case WEIR_SOUPBIN_SEQUENCED:
        client->sequence++;
        return take_message(client, packet->payload, answer, context);
    case WEIR_SOUPBIN_UNSEQUENCED:
        return take_message(client, packet->payload, answer, context);
    case WEIR_SOUPBIN_END_OF_SESSION:
        client->ended = true;
        return WEIR_OK;
    default:
        return WEIR_OK;
    }
}

enum weir_error tool_client_take(struct tool_client *client, struct weir_slice bytes, tool_client_answer_fn *answer,
    void *context, size_t *ret_taken) {
    size_t at = 0;
    enum weir_error error = WEIR_OK;
    while (error == WEIR_OK) {
        struct weir_soupbin_packet packet;
        error = weir_soupbin_parse(weir_slice(bytes.data + at, bytes.size - at), WEIR_SOUPBIN_SERVER, 0, &packet);
        if (error) break;
        at += packet.size;
        error = take_packet(client, &packet, answer, context);
    }
    *ret_taken = at;
    return error == WEIR_E_AGAIN ? WEIR_OK : error;
}

enum weir_error tool_client_receive(struct tool_client *client, tool_client_answer_fn *answer, void *context) {
    if (client->fd < 0) return weir_error_context(WEIR_E_CLOSED, "%s:%s: not connected", client->host, client->port);
    ssize_t n = recv(client->fd, client->in + client->in_size, TOOL_CLIENT_RECEIVE_BYTES - client->in_size, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return WEIR_OK;
    if (n == 0) errno = 0;
    if (n <= 0) return lost(client, "closed the connection");
    client->received_ns = tool_client_now_ns();
    client->in_size += (size_t)n;
    size_t at = 0;
    enum weir_error error = tool_client_take(client, weir_slice(client->in, client->in_size), answer, context, &at);
    if (client->fd < 0) return error;
    client->in_size -= at;
    memmove(client->in, client->in + at, client->in_size);
    return error;
}

/* ---- login ---- */

static enum weir_error dial(struct tool_client *client) {
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    int failure = getaddrinfo(client->host, client->port, &hints, &found);
    if (failure)
        return weir_error_context(WEIR_E_INVALID, "%s:%s: %s", client->host, client->port, gai_strerror(failure));
    for (struct addrinfo *a = found; a && client->fd < 0; a = a->ai_next) {
        client->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (client->fd >= 0 && connect(client->fd, a->ai_addr, a->ai_addrlen) != 0) {
            int saved = errno;
            tool_client_disconnect(client);
            errno = saved;
        }
    }
    freeaddrinfo(found);
    if (client->fd < 0) return lost(client, "does not answer");
    int on = 1;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    int flags = fcntl(client->fd, F_GETFL);
    if (fcntl(client->fd, F_SETFL, flags | O_NONBLOCK) != 0) return lost(client, "cannot be polled");
    return WEIR_OK;
}

enum weir_error tool_client_greet(struct tool_client *client) {
    struct weir_soupbin_login login = {
        .user = weir_slice(client->user, strlen(client->user)),
        .password = weir_slice(client->password, strlen(client->password)),
        .session = weir_slice(client->session, strlen(client->session)),
        .sequence = client->sequence,
    };
    client->out_sent = 0;
    client->synced = false;
    enum weir_error error = weir_soupbin_login_write(client->out, TOOL_CLIENT_SEND_BYTES, &login, &client->out_size);
    if (error) return error;
    tool_client_put_again(client, &(struct weir_ouch_request){.type = WEIR_OUCH_QUERY});
    client->next_ref = 0;
    client->barrier = login.sequence ? UINT32_MAX - client->barriers++ : 0;
    if (client->barrier)
        tool_client_put_again(
            client, &(struct weir_ouch_request){.type = WEIR_OUCH_CANCEL, .cancel = {.user_ref = client->barrier}});
    return WEIR_OK;
}

enum weir_error tool_client_login(
    struct tool_client *client, uint64_t patience_ns, tool_client_answer_fn *answer, void *context) {
    tool_client_disconnect(client);
    enum weir_error error = dial(client);
    if (error == WEIR_OK) error = tool_client_greet(client);
    if (error) return error;
    uint64_t now = tool_client_now_ns(), deadline = now + patience_ns;
    client->sent_ns = now;
    while (error == WEIR_OK && !client->synced) {
        error = tool_client_send(client, now);
        if (error) break;
        struct pollfd p = {client->fd, POLLIN, 0};
        if (poll(&p, 1, POLL_MS) > 0) error = tool_client_receive(client, answer, context);
        now = tool_client_now_ns();
        if (error == WEIR_OK && now > deadline)
            error = weir_error_context(WEIR_E_TIMEOUT, "%s:%s does not answer the login", client->host, client->port);
    }
    if (error) tool_client_disconnect(client);
    return error;
}

void tool_client_logout(struct tool_client *client) {
    if (client->fd < 0) return;
    weir_soupbin_header(client->out, WEIR_SOUPBIN_LOGOUT, 0);
    client->out_size = WEIR_SOUPBIN_HEADER_SIZE;
    client->out_sent = 0;
    if (tool_client_send(client, tool_client_now_ns()) == WEIR_OK) tool_client_disconnect(client);
}

static void note_done(void *context, struct tool_client *client, const struct tool_client_pending *asked,
    const struct weir_ouch_response *answer) {
    (void)client, (void)answer;
    if (asked) *(bool *)context = true;
}

enum weir_error tool_client_cancel_all(struct tool_client *client, uint64_t patience_ns) {
    bool done = false;
    struct weir_ouch_request request = {.type = WEIR_OUCH_MASS_CANCEL, .mass_cancel = {.user_ref = client->next_ref++}};
    memset(request.mass_cancel.firm, ' ', sizeof(request.mass_cancel.firm));
    memset(request.mass_cancel.symbol, ' ', sizeof(request.mass_cancel.symbol));
    uint64_t now = tool_client_now_ns(), deadline = now + patience_ns;
    tool_client_put(client, &request, 0, now);
    enum weir_error error = WEIR_OK;
    while (error == WEIR_OK && !done) {
        error = tool_client_send(client, now);
        struct pollfd p = {client->fd, POLLIN, 0};
        if (error == WEIR_OK && poll(&p, 1, POLL_MS) > 0) error = tool_client_receive(client, note_done, &done);
        now = tool_client_now_ns();
        if (error == WEIR_OK && now > deadline)
            error = weir_error_context(WEIR_E_TIMEOUT, "the mass cancel of \"%s\" is not answered", client->user);
    }
    return error;
}

void tool_login_user(const char *given, uint32_t session, char *ret, size_t size) {
    if (given)
        snprintf(ret, size, "%s", given);
    else
        snprintf(ret, size, "%u", TOOL_ACCOUNT_FIRST + session);
}

void tool_client_partition(struct tool_client *client, uint32_t partition) {
    snprintf(client->session, sizeof(client->session), "P%u", partition);
}
