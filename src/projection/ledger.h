/* projection/ledger.h: what a database knows of a projection beside its rows: who may write it, which migrations have
 * run, and up to where it has each partition.
 *
 *     weir_projections           name, epoch, owner, version, migration, taken_ms
 *     weir_projection_positions  name, topic, part, next, last_hash, epoch, updated_ms
 *
 * `epoch` rises whenever a node takes the projection, and stands in each position. A position moves only from where
 * the writer believes it to be, under its own epoch: so neither a node that was overtaken, nor a transaction of our own
 * whose outcome got lost, can write a row twice or behind another's back. `last_hash` is of the record in front of
 * `next`: by it a database is recognised that belongs to another log.
 *
 * Procedure to change the tables: add columns with a default, as an ALTER at the end of ledger_create.
 */
#ifndef WEIR_PROJECTION_LEDGER_H
#define WEIR_PROJECTION_LEDGER_H
#include "projection/database.h"

#include <weir/projection.h>

struct ledger { /* whose, and under which epoch */
    const char *name, *owner;
    const struct weir_projection *projection;
    int64_t epoch;
};
struct ledger_position {
    uint64_t next, hash;
};

/* Makes the two tables where they are not there. */
WEIR_MUST enum weir_error ledger_create(struct database *database);
/* Takes the projection: a new epoch, the migrations that have not run. One transaction. VERSION: a newer weir has been
 * there. *ret_version: the projection's version that wrote before, 0: none. */
WEIR_MUST enum weir_error ledger_take(
    struct database *database, struct ledger *ledger, uint64_t now_ms, uint32_t *ret_version);
/* OK: nobody took it since. FENCED: somebody did; the context says who. */
WEIR_MUST enum weir_error ledger_check(struct database *database, const struct ledger *ledger);
/* Where a partition stands, under our epoch from here on; 0 for a new one. In a transaction. */
WEIR_MUST enum weir_error ledger_position(struct database *database, const struct ledger *ledger, const char *topic,
    uint32_t partition, struct ledger_position *ret_position);
/* Moves it, in the transaction that has the rows. OUT_OF_SEQUENCE: it is not at `from`, or not ours. */
WEIR_MUST enum weir_error ledger_advance(struct database *database, const struct ledger *ledger, const char *topic,
    uint32_t partition, uint64_t from, const struct ledger_position *to, uint64_t now_ms);
/* All positions at 0, all tables empty. One transaction. */
WEIR_MUST enum weir_error ledger_rebuild(struct database *database, const struct ledger *ledger);

#endif
