/* projection/reader.h: questions about rows from the lanes, and the database's answers back to them.
 *
 * One thread asks, one question at a time, on connections of its own that can only read. A lane puts a question into
 * its ring and takes answers out of another one; a full ring refuses (FULL). Questions take as long as
 * projection.query_timeout at most. Memory: two rings of address space per lane, touched as used.
 */
#ifndef WEIR_PROJECTION_READER_H
#define WEIR_PROJECTION_READER_H
#include "base/ring.h"
#include "host/host.h"
#include "projection/search.h"

#define READER_SOURCES_MAX 64u

struct reader_source { /* a projection's database, opened when it is first asked for */
    const struct database_kind *kind;
    struct database_options options;
    struct database *database;
    struct arena texts; /* of statements: a connection knows them by their address */
    const char *sql[DATABASE_STATEMENTS_MAX];
    uint32_t count;
};
struct reader_lane {
    struct byte_ring questions, answers;
};
struct reader {
    struct sys *sys;
    int poller, handle;
    uint32_t lane_count, source_count;
    struct reader_lane *lanes;
    struct reader_source *sources; /* in the agent's order of projections */
    uint8_t *page;                 /* an answer being made */
    void *memory;
    size_t memory_size;
};
/* sources: filled by reader_add, at most `sources` of them. */
WEIR_MUST enum weir_error reader_open(struct reader *reader, struct sys *sys, uint32_t lanes, uint32_t sources);
void reader_add(struct reader *reader, const struct database_kind *kind, const struct database_options *options);
WEIR_MUST enum weir_error reader_start(struct reader *reader);
void reader_stop(struct reader *reader);
void reader_close(struct reader *reader); /* accepts a zeroed one */

/* ---- a lane's side; wake_poller: its own ---- */
WEIR_MUST enum weir_error reader_ask(struct reader *reader, uint32_t lane, int wake_poller, uint32_t source,
    const struct search *search, struct host_origin origin);
void reader_answers(
    struct reader *reader, uint32_t lane, void (*deliver)(void *ctx, const struct host_delivery *delivery), void *ctx);

#endif
