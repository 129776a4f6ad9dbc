/* edge/desk.h: admin actions, each written down before it is done and again when it was.
 *
 * An action is the lane's, not its connection's: a client that leaves does not keep it from being recorded.
 *
 *     asked   a record in weir.audit, durable; without it nothing is done
 *     doing   the function on the work agent
 *     done    a record with the outcome, durable; only then the client is answered
 *
 * So after a crash there is an "asked" without a "done" at most, never an action without a record. A record is JSON:
 * time, phase, action, target, principal, tenant, peer, requestId, and outcome and detail (of what was asked: the
 * body). Bodies of admin requests hold no secrets; answers, which may, are not recorded.
 *
 * Owner: the lane. Limits: DESK_ACTIONS under way per lane, more are refused with 503; bodies are recorded up to
 * DESK_BODY_MAX bytes. Nothing is allocated.
 */
#ifndef WEIR_EDGE_DESK_H
#define WEIR_EDGE_DESK_H
#include "edge/http_session.h"
#include "host/host.h"

#define DESK_ACTIONS  32u
#define DESK_ARG_MAX  4000u /* host_work takes 4096 */
#define DESK_TEXT_MAX 4096u
#define DESK_BODY_MAX 1024u
#define DESK_SLOT     (EDGE_SLOT_NONE - 1) /* of a host_origin: this lane's desk */

enum desk_phase { DESK_FREE, DESK_ASKED, DESK_DOING, DESK_RECORDING /* the outcome has no room yet */, DESK_DONE };
struct desk_row {
    enum desk_phase phase;
    struct host_origin origin; /* of the request */
    host_work_fn fn;
    uint32_t arg_size, text_size;
    enum weir_error error;
    uint16_t status;
    char action[32], target[LOG_TOPIC_NAME_MAX + 1];
    char principal[HOST_WHO_MAX + 1], tenant[HOST_WHO_MAX + 1], peer[72], id[HTTP_ID_SIZE + 1];
    char body[DESK_BODY_MAX];
    uint32_t body_size;
    _Alignas(16) uint8_t arg[DESK_ARG_MAX];
    char text[DESK_TEXT_MAX]; /* the outcome: what fn said, or the error's context */
};
struct desk {
    uint32_t busy, recording;
    uint64_t retry_at_ns; /* of those recording: a refusal wakes this lane, and must not be answered at once */
    struct desk_row rows[DESK_ACTIONS];
};

struct desk_order {
    const char *action;       /* "topic.create" */
    struct weir_slice target; /* its name, or whatever says what it was about */
    host_work_fn fn;
    const void *arg; /* at most DESK_ARG_MAX bytes, copied; 16-byte aligned when fn sees it */
    size_t arg_size;
    /* Gets HOST_DONE with fn's text, or an error. */
    void (*deliver)(struct conn *conn, struct http_turn *turn, const struct host_delivery *delivery);
};
/* Who asks, and what of that is recorded. */
struct desk_asker {
    struct conn *conn;
    const struct token *token;  /* NULL: none */
    struct weir_slice id, body; /* may be empty */
    struct host_origin origin;  /* gets HOST_DONE with fn's text, or an error */
};
/* Takes the order, whose deliver counts for HTTP alone; or says why not, and nothing is done. */
WEIR_MUST enum weir_error desk_take(const struct desk_order *order, const struct desk_asker *asker);
/* Takes the order, or answers why not. */
void desk_begin(struct http_call *call, const struct desk_order *order);
/* A record about what was refused: at most AUTH_NOTES_PER_S (AUTH_NOTES_AT_ONCE together), the next one tells how many
 * were left out; nobody waits. token, turn NULL: none. */
void desk_note(
    struct conn *conn, const char *action, const struct token *token, const struct http_turn *turn, const char *detail);
void desk_deliver(struct edge_lane *lane, const struct host_delivery *delivery);
/* Outcomes that had no room are tried again, after a pause. Returns when to come again. */
uint64_t desk_cycle(struct edge_lane *lane);

#endif
