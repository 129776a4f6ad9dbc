/* cli/client.h: a blocking HTTP/1.1 client of a node, for the commands that talk to one. One connection, one request at
 * a time. */
#ifndef WEIR_CLI_CLIENT_H
#define WEIR_CLI_CLIENT_H
#include "cli/command.h"
#include "sys/sys.h"
#include "tls/tls.h"
#include "wire/http.h"

#define CLIENT_ANSWER_BYTES_MAX (64u << 20)

struct client {
    struct sys *sys;
    int poller, socket;
    char host[SYS_UNIX_PATH_MAX + 1]; /* or a Unix socket's path */
    uint16_t port;
    bool is_unix, is_https;
    char shown[160]; /* the address for people */
    struct tls *tls;
    struct tls_link link; /* .ssl NULL: plain */
    uint8_t *buffer;      /* mapped, CLIENT_ANSWER_BYTES_MAX long, touched as far as needed */
};
struct client_answer { /* slices are valid until the next request */
    int status;
    struct weir_slice body;
};

/* Of every command that talks to a node. */
struct client_options {
    const char *node; /* NULL: $WEIR_NODE, else 127.0.0.1:7070 */
    const char *ca;   /* NULL: $WEIR_CA, else the system's store */
};
/* Rows of a command whose struct of values has `struct client_options client`. */
#define CLIENT_FLAGS(values)                                                                                           \
    {"node", CLI_TEXT, offsetof(values, client.node), "ADDRESS",                                                       \
        "the node to talk to: HOST:PORT, https://HOST:PORT, unix:/PATH or https+unix:/PATH (default $WEIR_NODE or "    \
        "127.0.0.1:7070)"},                                                                                            \
    {                                                                                                                  \
        "ca", CLI_TEXT, offsetof(values, client.ca), "FILE",                                                           \
            "PEM file of whom to trust for https (default $WEIR_CA or the system's store)", CLI_FILE                   \
    }
/* Rows of .exits that every command has which talks to a node. */
#define CLIENT_EXITS                                                                                                   \
    {WEIR_E_CLOSED, "no node answers there"}, {                                                                        \
        WEIR_E_FULL, "the node is full or starting: try again"                                                         \
    }

/* For https $WEIR_CERT and $WEIR_KEY name a certificate of our own to show.
 */
WEIR_MUST enum weir_error client_open(struct client *client, const struct client_options *options);
void client_close(struct client *client);
/* body.data NULL: none; else application/json. An HTTP status >= 400 is an error whose context is the problem's detail.
 */
WEIR_MUST enum weir_error client_request(struct client *client, enum weir_http_method method, const char *target,
    struct weir_slice body, struct client_answer *ret_answer);

#endif
