/* cli/client.h: a blocking HTTP/1.1 client of a node, for the commands that talk to one. One connection, one request at
 * a time. */
#ifndef WEIR_CLI_CLIENT_H
#define WEIR_CLI_CLIENT_H
#include "cli/command.h"
#include "sys/sys.h"
#include "wire/http.h"

#define CLIENT_ANSWER_BYTES_MAX (64u << 20)

struct client {
    struct sys *sys;
    int poller, socket;
    char host[64];
    uint16_t port;
    uint8_t *buffer; /* mapped, CLIENT_ANSWER_BYTES_MAX long, touched as far as needed */
};
struct client_answer { /* slices are valid until the next request */
    int status;
    struct weir_slice body;
};

/* A row of a command whose struct of values has `const char *node`. */
#define CLIENT_NODE_FLAG(values)                                                                                       \
    {                                                                                                                  \
        "node", CLI_TEXT, offsetof(values, node), "HOST:PORT",                                                         \
            "the node to talk to (default $WEIR_NODE or 127.0.0.1:7070)"                                               \
    }
/* Rows of .exits that every command has which talks to a node. */
#define CLIENT_EXITS                                                                                                   \
    {WEIR_E_CLOSED, "no node answers there"}, {                                                                        \
        WEIR_E_FULL, "the node is full or starting: try again"                                                         \
    }

/* node NULL: $WEIR_NODE, else 127.0.0.1:7070. */
WEIR_MUST enum weir_error client_open(struct client *client, const char *node);
void client_close(struct client *client);
/* body.data NULL: none; else application/json. An HTTP status >= 400 is an error whose context is the problem's detail.
 */
WEIR_MUST enum weir_error client_request(struct client *client, enum weir_http_method method, const char *target,
    struct weir_slice body, struct client_answer *ret_answer);

#endif
