/* projection/test_fake.h: a database in memory that fails on order: what a follower must live with. It understands the
 * statements of ledger.c and of the test's two tables by their beginnings. A transaction counts when it was committed;
 * a commit can fail before it happened, or happen and be told as a failure. */
#ifndef WEIR_PROJECTION_TEST_FAKE_H
#define WEIR_PROJECTION_TEST_FAKE_H
#include "projection/database.h"

#define FAKE_PARTS   5
#define FAKE_OFFSETS 4096

struct fake_state {
    bool exists;
    int64_t epoch, version, migration;
    struct {
        int64_t next, hash, epoch;
    } positions[FAKE_PARTS];
    uint8_t rows[FAKE_PARTS][FAKE_OFFSETS]; /* how often each was inserted */
    int64_t last[FAKE_PARTS];               /* of the table with one row per partition */
};
struct fake {
    struct fake_state now, before; /* with the transaction under way; when it began */
    bool in_transaction, is_open;
    uint64_t calls, fail_at, fail_count; /* from the fail_at-th call on, so many fail */
    enum weir_error error;
    bool commits_anyway; /* a commit that fails has happened */
    uint64_t opens, settles;
    bool has_poison; /* this row is refused */
    int64_t poison_part, poison_record;
};
extern struct fake fake; /* the one database there is */
extern const struct database_kind fake_kind;

#endif
