/* exchange/tool_client.h: a client of the exchange's binary gateway: OUCH-style messages over SoupBinTCP, pipelined.
 *
 * Requests are encoded into a buffer and leave with one send; answers are read in large pieces. The session remembers
 * what it asked, in order: every request has one answer that names it (accepted, replaced, canceled or refused), and
 * those come in the order of the requests; executions and what a request caused come in between. So an answer is
 * matched without a table, and after a lost connection what was asked and not answered can be sent again: the server
 * sends what was missed and ignores what it knows. Owner: one thread. All memory at open. Errors: CLOSED the link is
 * gone; FORBIDDEN the login was refused.
 */
#ifndef WEIR_EXCHANGE_TOOL_CLIENT_H
#define WEIR_EXCHANGE_TOOL_CLIENT_H
#include "wire/ouch.h"
#include "wire/soupbin.h"
#include <stdbool.h>
#include <weir/error.h>

#define TOOL_CLIENT_SEND_BYTES    (256u << 10)
#define TOOL_CLIENT_RECEIVE_BYTES (1u << 20)

struct tool_client_pending {
    uint64_t at_ns; /* when it was, or should have been, sent */
    uint32_t ref;   /* UserRefNum the answer names: of a replacement the original's in a refusal, the new one's else */
    uint32_t ref_before;
    uint32_t tag; /* the caller's */
    char type;    /* enum weir_ouch_request_type */
};

struct tool_client {
    int fd; /* -1: not connected */
    char host[64], port[8], user[8], password[16];
    char session[WEIR_SOUPBIN_SESSION_SIZE + 1]; /* as the server named it; "" before the first login */
    uint64_t sequence;                           /* of the next sequenced message; 0: whatever is new */
    uint64_t sent_ns, received_ns;               /* last time bytes moved */
    uint32_t next_ref;                           /* UserRefNum to give next */
    uint8_t *out, *in;
    size_t out_size, out_sent, in_size;
    struct tool_client_pending *pending;                /* ring */
    uint32_t pending_first, pending_count, pending_max; /* max: a power of two */
    bool ended;                                         /* the server ended the session */
    bool synced;                                        /* the login is over: nothing old is under way */
    uint32_t barrier;  /* reference whose refusal ends a resumed login; 0: none awaited */
    uint32_t barriers; /* used so far */
};

/* What the caller does with an answer: `asked` is the request it answers, or NULL when it answers none. */
typedef void tool_client_answer_fn(void *context, struct tool_client *client, const struct tool_client_pending *asked,
    const struct weir_ouch_response *answer);

uint64_t tool_client_now_ns(void); /* monotonic */
/* "HOST:PORT" into two fields. */
WEIR_MUST enum weir_error tool_client_address(const char *text, char host[64], char port[8]);

/* pending_max: requests under way at most, a power of two. Opens nothing yet. */
WEIR_MUST enum weir_error tool_client_init(
    struct tool_client *client, const char *address, const char *user, const char *password, uint32_t pending_max);
void tool_client_done(struct tool_client *client);
/* The session to log in to: the node's sessions are its partitions. */
void tool_client_partition(struct tool_client *client, uint32_t partition);
/* The login account of a session: `given`, or one of the tools' own. */
void tool_login_user(const char *given, uint32_t session, char *ret, size_t size);
/* Connects, logs in (with the session and sequence of the login before, if there was one), and asks for the next
 * UserRefNum; what the server sends meanwhile goes to `answer`. Pending requests stay pending. A resumed login ends
 * with a cancel of an order that cannot be: its refusal comes behind everything that was missed. */
WEIR_MUST enum weir_error tool_client_login(
    struct tool_client *client, uint64_t patience_ns, tool_client_answer_fn *answer, void *context);
void tool_client_disconnect(struct tool_client *client); /* as a crash would */
void tool_client_logout(struct tool_client *client);

static inline bool tool_client_has_room(const struct tool_client *client) {
    return client->pending_count < client->pending_max &&
           TOOL_CLIENT_SEND_BYTES - client->out_size >= WEIR_OUCH_MESSAGE_SIZE_MAX + WEIR_SOUPBIN_HEADER_SIZE;
}
/* Queues a request (tool_client_has_room() was true) as pending; its UserRefNum must be filled in. */
void tool_client_put(struct tool_client *client, const struct weir_ouch_request *request, uint32_t tag, uint64_t at_ns);
/* Queues it without a new entry in the ring: for what is pending already. */
void tool_client_put_again(struct tool_client *client, const struct weir_ouch_request *request);
static inline const struct tool_client_pending *tool_client_pending_at(const struct tool_client *client, uint32_t i) {
    return &client->pending[(client->pending_first + i) & (client->pending_max - 1)];
}
/* Sends what is queued, as far as the socket takes it; a heartbeat when nothing was sent for a second. */
WEIR_MUST enum weir_error tool_client_send(struct tool_client *client, uint64_t now_ns);
/* Reads what is there and hands out the answers. */
WEIR_MUST enum weir_error tool_client_receive(struct tool_client *client, tool_client_answer_fn *answer, void *context);

/* For one who has a socket of his own: queues the login, then take() until `synced`; bytes are what the server sent,
 * and *ret_taken of them are done with. What is queued (out, out_size) is the caller's to send. */
WEIR_MUST enum weir_error tool_client_greet(struct tool_client *client);
WEIR_MUST enum weir_error tool_client_take(struct tool_client *client, struct weir_slice bytes,
    tool_client_answer_fn *answer, void *context, size_t *ret_taken);

/* Mass cancel of the account's orders, waited for. Nothing else is under way. */
WEIR_MUST enum weir_error tool_client_cancel_all(struct tool_client *client, uint64_t patience_ns);

/* A request in the form every tool sends: good till cancel or IOC, visible, agency. */
void tool_client_enter(
    struct weir_ouch_request *ret, uint32_t ref, char side, const char symbol[WEIR_OUCH_SYMBOL_SIZE]);
const char *tool_client_refusal(const struct weir_ouch_response *answer, char text[160]);

/* The tools themselves: see exchange/tools.c. */
int tool_replay(int argc, char **argv);
int tool_load(int argc, char **argv);
#endif
