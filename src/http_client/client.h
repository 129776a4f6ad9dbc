/* http_client/client.h: HTTP calls of the lanes, carried by one agent: webhooks, and whatever else a service wants done
 * in the world.
 *
 *     http_client_start(sys, &(struct http_client_options){.submitters = lanes, .pollers = pollers, ...}, &client);
 *     client->submit(client, lane, tag, &request)        on the lane: copies it into a ring; FULL: later
 *     client->take(client, lane, &result)                in each of its cycles: what has ended since
 *     client->cancel(client, lane, tag)                  it ends with CLOSED if it has not ended yet
 *     client->stop(client)
 *
 * Submitters are numbered; each is one thread at a time and has two rings of its own, for requests and for results, so
 * none waits for another and nobody takes a lock. A submitter may have calls_max calls that it has not taken the
 * results of; room for every result is set aside before a call is accepted, so the agent never waits either. Nothing is
 * allocated on the submitter's thread. The agent allocates for a call while it runs.
 *
 * Connections are kept and shared by all submitters, at most connections_host_max to one host and connections_max in
 * all; calls over one connection of HTTP/2 run side by side. A call that waits for a connection has begun: its total_ms
 * runs. Of an answer's body the first body_max bytes are kept; up to DISCARD more are read, so that the connection can
 * be used again, then it is cut.
 *
 * stop() drops what has not ended: nobody is told, so whoever must know asks again in its next life. The table is the
 * seam: a test or the simulator hands out another one.
 */
#ifndef WEIR_HTTP_CLIENT_CLIENT_H
#define WEIR_HTTP_CLIENT_CLIENT_H
#include "base/metric.h"
#include "http_client/http.h"

#define HTTP_CLIENT_SUBMITTERS_MAX 66u /* as many as a mailbox has endpoints */
#define HTTP_CLIENT_DISCARD_BYTES  (256u << 10)

struct http_client_options {
    struct http_options http;
    uint32_t submitters;
    const int *pollers;            /* [submitters]: woken when there is a result; -1: nobody waits in one */
    uint32_t calls_max;            /* of a submitter; 0: 256 */
    uint32_t request_max;          /* bytes of URL, headers and body together; 0: 1 MiB */
    uint32_t body_max;             /* bytes kept of an answer's body; 0: 4096 */
    uint32_t connections_max;      /* 0: 256 */
    uint32_t connections_host_max; /* 0: 8 */
};

struct http_result {
    uint64_t tag; /* as given at submit */
    struct http_reply reply;
    struct weir_slice body; /* valid until the submitter's next take */
};

struct http_client {
    /* tag is the submitter's, any value that none of its calls has now. FULL: calls_max of them, or the ring has no
     * room until the agent comes by. TOO_LARGE: more than request_max. INVALID: see http.h. */
    WEIR_MUST enum weir_error (*submit)(
        struct http_client *, uint32_t submitter, uint64_t tag, const struct http_request *request);
    /* The result comes in any case, soon: CLOSED, or what the call came to before. A tag nobody has: nothing. FULL:
     * more cancels than calls_max before the agent came by. */
    WEIR_MUST enum weir_error (*cancel)(struct http_client *, uint32_t submitter, uint64_t tag);
    /* False: nothing has ended. */
    bool (*take)(struct http_client *, uint32_t submitter, struct http_result *ret_result);
    void (*stop)(struct http_client *); /* by who started it; no submitter is inside a call */
};

struct http_client_metrics {                          /* of the agent; any thread reads them */
    struct metric_counter answered, failed, canceled; /* calls that ended: with a status, an error, CLOSED by cancel */
    struct metric_counter running;                    /* calls now */
    struct metric_counter connects;                   /* connections made */
    struct metric_counter bytes_sent, bytes_received;
    struct metric_histogram duration_ns; /* from the agent's taking it to its end */
};

/* Loads libcurl. UNSUPPORTED: it is not there or too old, with what to install. CONFIG: an option. */
WEIR_MUST enum weir_error http_client_start(
    struct sys *sys, const struct http_client_options *options, struct http_client **ret_client);
const struct http_client_metrics *http_client_metrics(const struct http_client *client); /* of one started so */
void http_client_register(const struct http_client *client, struct metric_registry *registry);

#endif
