/* edge/http_session.h: HTTP/1.1 on a connection: keep-alive, pipelining, limits, and answers in the order of requests.
 *
 * Each request gets a turn. Commands and queries finish in any order; an answer whose turn has not come waits in a
 * buffer of its own. A request that only reads waits for the commands sent before it on the same connection, so that a
 * client sees what it wrote. When all turns are taken, or the client does not read, the socket is not read either.
 * Owner: the lane. Limits: HTTP_TURNS requests under way per connection; the rest from settings.
 */
#ifndef WEIR_EDGE_HTTP_SESSION_H
#define WEIR_EDGE_HTTP_SESSION_H
#include "base/json.h"
#include "edge/lane.h"

#define HTTP_TURNS   64
#define HTTP_ID_SIZE 40
#define HTTP_OUT_MAX (64u << 20) /* of one connection's ready answers: bodies are at most a few MB each */

struct http_limit { /* of the token, after this request; burst 0: it has none */
    uint64_t burst, left;
    uint32_t full_in_s, window_s;
};
enum http_turn_state { HTTP_TURN_PENDING, HTTP_TURN_READY };
struct http_turn {
    uint8_t state;
    bool is_head, keep_alive, is_command;
    bool is_old; /* HTTP/1.0: wants to be told that the connection stays */
    uint8_t id_size;
    char id[HTTP_ID_SIZE]; /* X-Request-Id */
    const struct route *route;
    struct trace_request *trace; /* NULL: not traced */
    /* The host's answer; set before the host is asked. */
    void (*deliver)(struct conn *conn, struct http_turn *turn, const struct host_delivery *delivery);
    struct http_limit limit;
    uint64_t started_ns;
    uint64_t args[6];       /* the handler's */
    struct buffer response; /* READY, and an earlier turn is not */
};

struct http_session {
    struct weir_http_parser parser;
    uint64_t first_sequence; /* of the oldest turn */
    uint32_t first, count;   /* ring of turns */
    uint32_t commands;       /* turns that are commands and PENDING */
    bool complete;           /* a whole request stands at the front of `in` and waits */
    bool last;               /* no further request is read */
    bool continued;          /* "100 Continue" was sent for the present request */
    struct http_turn turns[HTTP_TURNS];
};

/* What a handler gets. The request's slices point into the connection's buffer: valid during the call. */
struct http_call {
    struct edge_lane *lane;
    struct conn *conn;
    struct http_turn *turn;
    uint64_t sequence; /* the turn's: host_origin.correlation */
    const struct weir_http_request *request;
    const struct route *route;
    const struct token *token; /* who asks; NULL with auth: off, and on open routes */
    uint32_t param_count;
    struct weir_slice params[ROUTE_PARAMS_MAX]; /* decoded, in the lane's arena */
};

struct http_answer {
    int status;               /* 0: 200 */
    const char *content_type; /* NULL: application/json */
    struct weir_slice body;
    const char *allow, *location, *www_authenticate; /* headers; NULL: none */
    const char *etag, *content_range;                /* of a file (file.h) */
    uint32_t retry_after_s;                          /* 0: none */
    bool replayed;                                   /* Idempotency-Replayed: true */
};
/* Answers the turn, which is gone afterwards. */
void http_answer(struct conn *conn, struct http_turn *turn, const struct http_answer *answer);

/* RFC 9457. Members that are NULL are left out; fields: further members, written by the caller's function. */
struct http_problem {
    int status;
    const char *code; /* "NOT_FOUND"; type is urn:weir:error:not_found */
    const char *title, *detail;
    const char *allow, *www_authenticate, *content_range;
    uint32_t retry_after_s;
    void (*fields)(void *ctx, struct json_writer *w);
    void *ctx;
};
void http_problem(struct conn *conn, struct http_turn *turn, const struct http_problem *problem);
/* The problem for an error value; detail NULL: weir_error_text(). */
void http_fail(struct conn *conn, struct http_turn *turn, enum weir_error error, const char *detail);
/* The same with a status of the caller's instead of the table's. */
void http_fail_status(struct conn *conn, struct http_turn *turn, enum weir_error error, int status, const char *detail);

/* JSON being built in the lane's arena: begin, write, then answer with its text. */
struct http_json {
    struct text_builder text;
    struct json_writer w;
};
void http_json_begin(struct edge_lane *lane, struct http_json *json);
void http_json_answer(struct conn *conn, struct http_turn *turn, const struct http_json *json, int status);

/* The value of a query parameter, decoded into the lane's arena. False: it is not there. */
bool http_query(const struct http_call *call, const char *name, struct weir_slice *ret_value);
/* A number from the query; initial when it is not there. False: a problem was answered. */
bool http_query_u64(struct http_call *call, const char *name, uint64_t initial, uint64_t *ret_value);
/* The call's origin for the host; sets turn->deliver. */
struct host_origin http_wait(struct http_call *call,
    void (*deliver)(struct conn *conn, struct http_turn *turn, const struct host_delivery *delivery));

/* ---- the session, as conn.c and lane.c drive it ---- */
void http_session_open(struct conn *conn);
void http_session_close(struct conn *conn);
void http_session_advance(struct conn *conn);
/* False: nobody waits for it there any more. */
bool http_session_deliver(struct conn *conn, const struct host_delivery *delivery);
void http_session_timeout(struct conn *conn);
void http_session_drain(struct conn *conn);
void http_session_idle_restart(struct conn *conn);
bool http_session_waits(const struct conn *conn);     /* for the host, not for the client */
bool http_session_can_go_on(const struct conn *conn); /* was held back, and need not be any more */

/* ---- http_trace.c: the span of a request that is traced ---- */
void http_trace_begin(struct conn *conn, struct http_turn *turn, const struct weir_http_request *request);
void http_trace_admitted(const struct http_call *call);                     /* its route and who asks are known */
void http_trace_end(struct conn *conn, struct http_turn *turn, int status); /* 0: the client is gone */

/* service_call.c: a route of a service. */
void service_call(struct http_call *call);

#endif
