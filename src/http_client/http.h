/* http_client/http.h: a request to somebody else's HTTP server and what came of it: what both faces of the client
 * share.
 *
 * caller.h blocks its thread, for agents that may; client.h is one agent that carries many calls for the lanes. Both
 * speak HTTP/1.1 and, over TLS, HTTP/2, by libcurl, which is loaded when the first of them is opened and not before: a
 * node that asks nobody anything does not pay for the 25 libraries that it brings along.
 *
 * Certificates are always verified. Only http and https, redirects too. What is sent is taken as it is: names and
 * values of headers with control characters are refused (INVALID), so that nothing of a user's ends up as a header of
 * its own. Answers are not decompressed: none was asked for.
 *
 * Where a call may go: HTTP_ANYWHERE trusts the URL, as an operator's setting, and honours the environment's proxies.
 * HTTP_PUBLIC is for URLs that come from users: the address is judged when the socket is made, whatever name led to it
 * (a name that resolves to something else the second time gains nothing), and no proxy is used. What is not globally
 * reachable (private, loopback, link-local with the clouds' metadata services, shared, multicast, documentation, and
 * IPv4 inside of IPv6) is FORBIDDEN unless it lies in one of the networks allowed.
 */
#ifndef WEIR_HTTP_CLIENT_HTTP_H
#define WEIR_HTTP_CLIENT_HTTP_H
#include "sys/sys.h"

#define HTTP_URL_MAX          8192u
#define HTTP_HEADERS_MAX      64u          /* of a request */
#define HTTP_ANSWER_HEAD_MAX  (256u << 10) /* bytes of an answer's headers, those of redirects and 1xx included */
#define HTTP_NETWORKS_MAX     32u
#define HTTP_RETRY_AFTER_NONE UINT64_MAX
#define HTTP_RETRY_AFTER_MAX  (366ull * 24 * 3600 * 1000) /* ms; a server that says more is believed that much */

struct http_header {
    const char *name, *value;
};

enum http_reach { HTTP_ANYWHERE, HTTP_PUBLIC };
struct http_network { /* IPv4 as ::ffff:a.b.c.d, its bits + 96 */
    uint8_t address[16];
    uint32_t bits;
};
/* "10.0.0.0/8", "fd00::/8", "127.0.0.1". INVALID: what it is not, in words. */
WEIR_MUST enum weir_error http_network_parse(const char *text, struct http_network *ret_network);

/* Of all calls of a caller or client. What pointers point to is read while it is opened, and no longer. */
struct http_options {
    enum http_reach reach;
    const struct http_network *allowed; /* of HTTP_PUBLIC, beside what is public */
    size_t allowed_count;               /* at most HTTP_NETWORKS_MAX */
    const char *ca_file;                /* PEM; NULL or "": the system's */
};

struct http_request {
    const char *method; /* a token, as it is sent: "POST" */
    const char *url;    /* http:// or https:// */
    const struct http_header *headers;
    size_t header_count;
    struct weir_slice body;
    uint64_t connect_ms;    /* until connected, TLS included; 0: 10,000 */
    uint64_t total_ms;      /* until the last byte of the answer; 0: no limit (client.h: 30,000) */
    uint64_t silence_ms;    /* that no byte moves, whole seconds; 0: 30,000 */
    uint32_t redirects_max; /* 0: an answer that redirects is the answer */
};

/* Where it broke, of IO. */
enum http_failure { HTTP_FAILURE_OTHER, HTTP_FAILURE_NAME, HTTP_FAILURE_CONNECT, HTTP_FAILURE_TLS, HTTP_FAILURE_RESET };
struct http_reply {
    enum weir_error error;   /* OK: the server answered, whatever its status is */
    int status;              /* 0: none came. It may have come although there is an error: the rest of it did not */
    bool may_pass;           /* error: the same call may work another time */
    bool is_sent;            /* the request may have reached a server; false: certainly none saw it */
    bool body_cut;           /* the answer had more than there was room for (client.h) */
    uint8_t http_major;      /* 1 or 2; 0: no answer */
    uint8_t failure;         /* enum http_failure */
    uint64_t retry_after_ms; /* from now; HTTP_RETRY_AFTER_NONE: the answer does not say */
    uint64_t duration_ns;    /* of the call */
    uint64_t body_size;      /* bytes of the answer's body that were received */
    char content_type[128], location[512], etag[128]; /* "": not told, or longer than that */
    char text[256];                                   /* error: what, where, what to do; else "" */
};

#endif
