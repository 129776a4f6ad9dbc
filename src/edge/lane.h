/* edge/lane.h: what the files of the edge share: the edge, its part on a lane, and a connection. Private to src/edge.
 *
 * A connection is a slot of its lane's table with a generation, so that an answer for a closed connection finds nobody.
 * Its socket is read once per event into `in`, its session consumes; what it sends gathers in `out` and is written once
 * per cycle. A connection that ends is marked dead and reaped at the end of the cycle, never inside a callback. A
 * session whose last words meet a full queue keeps its slot without a socket until they are taken.
 */
#ifndef WEIR_EDGE_LANE_H
#define WEIR_EDGE_LANE_H
#include "base/arena.h"
#include "base/civil.h"
#include "base/metric.h"
#include "base/pool.h"
#include "edge/auth.h"
#include "edge/batch_build.h"
#include "edge/buffer.h"
#include "edge/deadlines.h"
#include "edge/edge.h"
#include "edge/file.h"
#include "edge/listeners.h"
#include "edge/live.h"
#include "edge/logline.h"
#include "edge/routes.h"
#include "trace/trace.h"
#include "wire/ws_deflate.h"

#include <stdatomic.h>

#define EDGE_SLOT_NONE  UINT32_MAX
#define EDGE_NO_SERVICE UINT32_MAX
#define EDGE_LINGER_NS  (2 * SYS_NANOS_PER_S)  /* a closing connection may take that long to read our last words */
#define EDGE_RETRY_NS   (SYS_NANOS_PER_MS / 2) /* a stalled session tries again that soon */
/* A client that does not read holds at most this of ready answers before its next request waits. */
#define EDGE_OUT_PAUSE_BYTES (256u << 10)

struct http_call;
struct http_session;
struct edge_lane;

/* A service's session as gateway.h shows it; also the built-in topic tail. */
struct weir_session {
    struct conn *conn;
    const struct weir_protocol *protocol;
    uint32_t service; /* index, or EDGE_NO_SERVICE */
    uint64_t number;
    struct buffer state;      /* session_bytes, zeroed */
    struct weir_ws_stream ws; /* message mode */
    struct weir_ws_deflate_terms deflate;
    bool is_message, opened, was_full, met_full, close_sent, paused, resumed;
    /* Of a protocol of the edge's own: takes deliveries as they are, instead of the protocol's callbacks. */
    void (*deliver)(struct weir_session *session, const struct host_delivery *delivery);
    uint64_t args[4]; /* the tail's */
};

enum conn_kind { CONN_FREE, CONN_HANDSHAKE /* of TLS; no session yet */, CONN_HTTP, CONN_STREAM, CONN_SOCKET };
struct conn {
    uint32_t pool_link; /* the pool's while free */
    uint32_t slot, generation;
    int socket;
    uint8_t kind;      /* enum conn_kind */
    uint8_t poll_bits; /* as registered */
    bool dirty;        /* on the lane's dirty list */
    bool stalled;      /* on the lane's stalled list: has input, or last words, that wait for room in the host */
    bool read_paused;  /* the socket is not read: TCP's window closes */
    bool peer_closed;  /* the peer sends no more */
    bool closing;      /* after `out` is written: shut down, linger, close */
    bool lingering;    /* shut down; input is thrown away */
    bool dead;         /* to be reaped; nothing is read or written any more */
    uint32_t dirty_next, stalled_next;
    uint32_t shake_older, shake_newer; /* CONN_HANDSHAKE: on the lane's list */
    struct edge_lane *lane;
    const struct listener *listener;
    struct tls_link tls; /* .ssl NULL: plain */
    struct buffer in, out;
    uint64_t accepted_ns;
    uint64_t idle_at_ns, wake_at_ns; /* DEADLINE_NEVER: none */
    struct http_session *http;       /* CONN_HTTP */
    struct weir_session session;     /* CONN_STREAM, CONN_SOCKET */
    struct conn_auth auth;
    char peer[72]; /* "127.0.0.1:53211", "unix:uid=1000,pid=4711" */
    /* Who it is, as far as the transport knows: a client certificate's subject ("CN=alice,O=Example"), the user of a
     * Unix socket ("uid=1000"), or "". */
    char identity[TLS_NAME_MAX];
    bool is_certified; /* the identity was proven by a certificate of tls.client_ca */
};

struct edge_lane_metrics {
    struct metric_counter connections_open, connections_total, connections_refused, accept_errors;
    struct metric_counter bytes_received, bytes_sent, slow_consumers, timeouts, buffer_bytes;
    struct metric_counter requests, responses[6]; /* by status class; [0] unused */
    struct metric_counter unauthorized, forbidden, limited, sessions_ended;
    struct metric_counter sessions_open, sessions_total, commands, commands_refused, queries, records_sent;
    struct metric_histogram request_ns;
    struct metric_counter tls_handshakes, tls_resumed, tls_handshakes_open, tls_failures[TLS_FAILURE_COUNT];
    struct metric_histogram tls_handshake_ns;
};

struct edge_lane {
    struct edge *edge;
    struct sys *sys;
    struct host_lane *host;
    struct trace_lane *trace; /* NULL: none */
    uint32_t index;
    int poller;
    uint64_t now_ns;
    struct live live;        /* what a reload may change */
    struct live_offer offer; /* what the last reload wants it to be */
    struct conn *conns;
    struct pool conn_pool;
    struct http_session *http_sessions; /* one per slot, touched when used */
    uint32_t capacity;
    uint32_t dirty_head, stalled_head;
    uint32_t shake_oldest, shake_newest, shake_count; /* TLS handshakes under way */
    struct deadlines deadlines;
    struct buffers buffers;
    struct batch_checker checker;   /* looks into what clients send compressed */
    struct weir_ws_deflate deflate; /* of all its WebSockets; open with websocket_deflate */
    struct arena arena;             /* of the request or delivery being handled */
    char date[CIVIL_HTTP_SIZE];
    uint64_t date_s;
    uint64_t request_number, session_number;
    uint64_t accept_again_ns;       /* listeners are paused until then; DEADLINE_NEVER: they are not */
    bool drained;                   /* drain was carried out on this lane */
    bool stopping;                  /* last words that meet a full queue are not waited for any more */
    uint64_t auth_generation;       /* of the table of tokens this lane reads */
    _Atomic uint64_t auth_seen;     /* the same, for who writes the next one */
    uint64_t auth_until_ms;         /* the earliest end of what connections have shown; 0: none ends */
    struct tenant_metrics *tenants; /* TENANTS_MAX */
    struct desk *desk;
    void *mapped; /* everything above that is sized by capacity, tenants and desk */
    size_t mapped_size;
    struct edge_lane_metrics metrics;
};

/* Written by whoever reloads, one at a time; read by anybody. */
struct reload_state {
    struct live live;                /* as last offered to the lanes */
    uint64_t files_hash, files_seen; /* of what is in force; of the last look */
    struct metric_counter generation, wall_ns, reloads, refused, certificates, certificates_refused;
    struct metric_counter pending, not_after_s, left_s;
    _Atomic uint64_t pending_rows[SETTINGS_GROUPS_MAX];
};

struct memory_state {
    struct metric_counter resident, heap, heap_held, mapped;
};

struct edge {
    struct sys *sys;
    struct edge_options options;
    const struct weir_setting_value *node; /* settings, by enum node_setting */
    uint32_t service_count;
    struct host_edge side;
    struct backup_agent *backup;         /* NULL: none */
    struct projection_agent *projection; /* NULL: none */
    struct host *host;                   /* known when the first lane has started */
    struct logline log;
    struct routes routes;
    struct auth auth;
    uint64_t started_mono_ns, started_wall_ns;
    uint32_t listener_count;
    struct listener listeners[EDGE_LISTENERS_MAX];
    struct edge_lane *lanes; /* options.lanes of them */
    size_t lanes_size;
    struct arena arena; /* what is made once at open: the OpenAPI text */
    struct file page, openapi;
    _Atomic bool draining;
    struct reload_state reload;
    struct memory_state memory;
};

/* ---- lane.c: connections of a lane ------------------------------------------------------------------------------ */
WEIR_MUST enum weir_error edge_lane_open(struct edge_lane *lane, struct edge *edge, uint32_t index);
void edge_lane_close(struct edge_lane *lane);
WEIR_MUST enum weir_error edge_lane_start(struct edge_lane *lane, struct host_lane *host);
void edge_lane_stop(struct edge_lane *lane);
void edge_lane_event(struct edge_lane *lane, uint64_t token, uint32_t bits);
uint64_t edge_lane_cycle(struct edge_lane *lane, uint64_t now_ns);
struct conn *edge_lane_conn(struct edge_lane *lane, uint32_t slot, uint32_t generation); /* NULL: gone */

/* ---- handshake.c: TLS before there is a session -------------------------------------------------------------- */
void handshake_open(struct conn *conn);
void handshake_advance(struct conn *conn); /* at its end the session opens */
void handshake_fail(struct conn *conn, enum tls_failure failure);
void handshake_forget(struct conn *conn);  /* off the lane's list, if it is on it */
void lane_open_session(struct conn *conn); /* lane.c: whose bytes are now the listener's protocol */

/* ---- reload.c ---- */
void reload_begin(struct edge *edge, struct live *live); /* at open; takes what `live` holds */
void reload_measure(struct edge *edge);                  /* the time until a certificate expires */
void reload_say_certificates(struct edge *edge, const struct live *live);
void reload_print(const struct edge *edge, struct json_writer *w); /* "config": {...} */

/* ---- memory.c: what the process holds, as the metrics page shows it ---- */
void memory_begin(struct edge *edge);   /* at open */
void memory_measure(struct edge *edge); /* before a page is printed; by any lane */

/* ---- conn.c -------------------------------------------------------------------------------------------------------
 */
void conn_open(struct conn *conn, int socket, const struct sys_address *peer, const struct listener *listener);
/* Who commands come from: the certified identity, else "local". */
const char *conn_principal(const struct conn *conn);
bool conn_has_more(const struct conn *conn); /* bytes of which the poller does not tell, and which may be read */
void conn_touch(struct conn *conn);          /* on the dirty list: flushed, deadlines looked at, reaped */
void conn_stall(struct conn *conn);
void conn_read(struct conn *conn);
void conn_advance(struct conn *conn); /* the session looks at its input again */
void conn_flush(struct conn *conn);
void conn_kill(struct conn *conn);              /* dead at once */
void conn_close_after_flush(struct conn *conn); /* dead once everything queued was sent */
WEIR_MUST bool conn_send(
    struct conn *conn, struct weir_slice bytes, size_t queued_max); /* false: it would pass queued_max */
/* The same; where nothing waits to be sent the buffer itself is taken over, and is empty afterwards. */
WEIR_MUST bool conn_send_buffer(struct conn *conn, struct buffer *bytes, size_t queued_max);
void conn_reap(struct conn *conn);
void conn_due(struct conn *conn); /* its timer came to the top */
uint64_t conn_deadline(const struct conn *conn);
struct host_origin conn_origin(const struct conn *conn, uint64_t correlation);

/* ---- gateway.c, ws_session.c: sessions of protocols
 * ------------------------------------------------------------------ */
/* weir_session_send of a stream, with conn_send_buffer. */
WEIR_MUST enum weir_error gateway_send_buffer(struct weir_session *session, struct buffer *bytes);
void gateway_open(struct conn *conn, const struct weir_protocol *protocol, uint32_t service, bool is_message);
void gateway_advance(struct conn *conn);
/* False: nobody is there to hear it. */
bool gateway_deliver(struct conn *conn, const struct host_delivery *delivery);
void gateway_due(struct conn *conn);
/* on_close, at reaping. False: a command of it met a full queue; to be called again. */
WEIR_MUST bool gateway_close(struct conn *conn);
size_t gateway_receive_max(const struct weir_session *session);
void gateway_idle_restart(struct conn *conn);
void ws_session_open(struct conn *conn, const struct route *route, const struct http_call *call,
    const struct weir_ws_deflate_terms *terms); /* after the 101 */
void ws_session_advance(struct conn *conn);
bool ws_session_send(struct conn *conn, enum weir_ws_opcode opcode, struct weir_slice payload);
void ws_session_close(struct conn *conn, uint16_t code, const char *reason);

/* Seconds of wall time and its text for the Date header. */
struct weir_slice edge_lane_date(struct edge_lane *lane);

static inline const struct weir_service *edge_service(const struct edge *edge, uint32_t i) {
    return edge->options.services[i];
}

#endif
