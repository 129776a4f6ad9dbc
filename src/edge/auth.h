/* edge/auth.h: who may do what: tokens on the lanes, limits, and what a refused client hears.
 *
 * The table of tokens (tokens.h) exists twice. Lanes read the one in force and take over a new one between two cycles;
 * the work agent builds the next one in the other and waits until every lane has left it. So a request costs no lock
 * and no reference count, and when a change is answered no lane knows the old table any more: sessions of a token that
 * is gone have been told to leave.
 *
 * A connection remembers what it has shown: the same header again is one comparison of bytes. Limits are buckets
 * that all lanes take from (base/rate.h), so they are exact whatever the number of lanes. With `auth: off` every
 * request is "local" and may do all there is.
 *
 * Owner: the lane for what has a lane or connection in it; the work agent for auth_change. No allocation after open.
 */
#ifndef WEIR_EDGE_AUTH_H
#define WEIR_EDGE_AUTH_H
#include "base/metric.h"
#include "edge/tokens.h"

#define AUTH_HEADER_MAX     128   /* a longer Authorization header is never remembered */
#define AUTH_PEERS          4096u /* buckets of failures; addresses share one by chance */
#define AUTH_FAILURES_BURST 10u
/* Refusals recorded in weir.audit; the rest are counted. At most 40 MB a day, so that a flood of refusals needs weeks
 * to push out what administrators did. */
#define AUTH_NOTES_PER_S   1u
#define AUTH_NOTES_AT_ONCE 20u

struct conn;
struct edge;
struct edge_lane;
struct http_call;
struct route;

/* Of a connection. */
struct conn_auth {
    bool known;    /* it has shown a token */
    uint16_t row;  /* in the table */
    uint16_t size; /* of header */
    uint64_t generation;
    uint64_t until_ms; /* Unix time; 0: for ever */
    char id[SECRET_ID_SIZE + 1];
    struct token_proof proof;
    uint8_t header[AUTH_HEADER_MAX]; /* as it was sent, so that a repetition is known */
};

/* Of a tenant, on a lane. */
struct tenant_metrics {
    struct metric_counter requests, commands, limited;
};

struct auth {
    bool on, metrics_open;
    struct rate_limit tenant_limit; /* of a tenant that has none of its own */
    struct tokens *tables[2];
    _Atomic uint64_t generation; /* tables[generation % 2] is in force */
    uint64_t peer_seed;
    _Atomic uint64_t notes_left_out;
    struct rate notes;
    struct rate token_rates[TOKENS_MAX], tenant_rates[TENANTS_MAX], peer_rates[AUTH_PEERS];
    void *mapped;
    size_t mapped_size;
};

/* ---- settings ---- */
bool auth_is_on(const struct weir_setting_value *node);
WEIR_MUST enum weir_error auth_check_settings(const struct weir_setting_value *node); /* CONFIG */

/* ---- life ---- */
WEIR_MUST enum weir_error auth_open(struct edge *edge);
/* Reads the file of tokens; before the first lane starts, when the data folder is this process's. */
WEIR_MUST enum weir_error auth_load(struct edge *edge);
void auth_close(struct edge *edge);
/* Between two cycles: takes over a new table, ends sessions of tokens that are gone. Returns when to come again. */
uint64_t auth_cycle(struct edge_lane *lane);
void auth_lane_stop(struct edge_lane *lane);
const struct tokens *auth_tokens(const struct edge_lane *lane); /* in force on this lane, until the end of the cycle */

/* ---- on a lane ---- */
/* False: it was answered (401, 403, 429). Sets call->token, NULL with auth: off. */
WEIR_MUST bool auth_admit(struct http_call *call);
/* Would it be refused with 401 or 403? Nothing is answered, counted or remembered. */
bool auth_would_admit(const struct http_call *call);
/* May this request do that too? False: 403 was answered. */
WEIR_MUST bool auth_allow_topic(struct http_call *call, struct weir_slice topic, enum role_verb verb);
bool auth_may_see_topic(const struct http_call *call, const char *topic);
/* What a route needs, as text: "exchange:write", "topic/{name}:read"; "" for none. */
void auth_print_need(const struct edge *edge, const struct route *route, struct text_builder *text);

uint32_t auth_service_named(const struct edge *edge, struct weir_slice name); /* ROLE_NO_SERVICE: none */

/* The token of a connection that has shown one that still holds, or NULL. */
const struct token *auth_of(struct conn *conn);
/* The connection has shown this token. header: what it sent, to know it again; empty: none. */
void auth_remember(
    struct conn *conn, const struct token *token, const struct token_proof *proof, struct weir_slice header);
/* A session's login; FORBIDDEN, FULL (too many tries from there). */
WEIR_MUST enum weir_error auth_login(struct conn *conn, uint32_t service, struct weir_slice secret);
/* A login by another way failed: counted and noted. What the client is told: detail, or that it tried too often. */
const char *auth_login_failed(struct conn *conn, const char *detail);
/* May the session do it? FORBIDDEN. */
WEIR_MUST enum weir_error auth_session(struct conn *conn, uint32_t service, enum role_verb verb);
/* One command of a session: FULL while its token or tenant has none left. */
WEIR_MUST enum weir_error auth_session_take(struct conn *conn);
/* Principal and tenant; without a token what the transport knows (conn_principal) and "". Valid until the end of the
 * cycle. */
const char *auth_principal(const struct conn *conn, const struct token *token);
const char *auth_tenant(const struct edge_lane *lane, const struct token *token);
void auth_print_metrics(const struct edge *edge, struct text_builder *text);

/* ---- on the work agent ---- */
/* change: edits the copy of the table it is given. Stored durably, then put in force on every lane. AGAIN: to be called
 * again with the same *stage (0 at first); change is not. */
WEIR_MUST enum weir_error auth_change(struct edge *edge, uint32_t *stage,
    enum weir_error (*change)(struct tokens *tokens, uint64_t now_ms, void *ctx), void *ctx);

/* ---- addresses (peer.c) ---- */
/* The bucket of a peer "1.2.3.4:5" or "[::1]:5": one per IPv4 address and per IPv6 /64. */
uint32_t auth_peer_bucket(const char *peer, uint64_t seed);

#endif
