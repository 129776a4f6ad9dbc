/* host/request.h: what comes from the edge: commands, queries, appends to plain topics; here or on another lane.
 *
 * host_submit and the others run on the session's lane. When the partition is another lane's the request goes over a
 * bounded ring, and what that lane has to refuse comes back as a delivery.
 */
#ifndef WEIR_HOST_REQUEST_H
#define WEIR_HOST_REQUEST_H
#include "host/answer.h"
#include "host/lane.h"

/* Runs the query now, on the partition's own lane; the answer lives in the lane's arena until the next one. */
WEIR_MUST enum weir_error host_query_run(
    struct host_partition *partition, const struct host_query *query, struct weir_answer *ret_answer);

/* Who asks, on the way to another lane. */
struct mail_query;
void host_query_store_who(const struct host_query *query, struct mail_query *mail);
void host_query_load_who(const struct mail_query *mail, struct host_query *query);

bool host_request_command(struct host_lane *lane, struct weir_slice message); /* MAIL_COMMAND */
bool host_request_query(struct host_lane *lane, struct weir_slice message);   /* MAIL_QUERY */
bool host_request_append(struct host_lane *lane, struct weir_slice message);  /* MAIL_APPEND */
bool host_request_mark(struct host_lane *lane, struct weir_slice message);    /* MAIL_MARK */
bool host_request_order(struct host_lane *lane, struct weir_slice message);   /* effects_show.c */
bool host_request_skip(struct host_lane *lane, struct weir_slice message);    /* MAIL_SKIP */
#endif
