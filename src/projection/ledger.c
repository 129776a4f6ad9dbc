#include "projection/ledger.h"

#include <stdio.h>

static const char create_sql[] =
    "CREATE TABLE IF NOT EXISTS weir_projections ("
    "name TEXT PRIMARY KEY, epoch BIGINT NOT NULL, owner TEXT NOT NULL, version BIGINT NOT NULL, "
    "migration BIGINT NOT NULL, taken_ms BIGINT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS weir_projection_positions ("
    "name TEXT NOT NULL, topic TEXT NOT NULL, part BIGINT NOT NULL, next BIGINT NOT NULL, last_hash BIGINT NOT NULL, "
    "epoch BIGINT NOT NULL, updated_ms BIGINT NOT NULL, PRIMARY KEY (name, topic, part));";
static const char before_sql[] = "SELECT version FROM weir_projections WHERE name = $1";
static const char take_sql[] =
    "INSERT INTO weir_projections (name, epoch, owner, version, migration, taken_ms) VALUES ($1, 1, $2, $3, 0, $4) "
    "ON CONFLICT (name) DO UPDATE SET epoch = weir_projections.epoch + 1, owner = excluded.owner, "
    "version = excluded.version, taken_ms = excluded.taken_ms RETURNING epoch, migration";
static const char migrated_sql[] = "UPDATE weir_projections SET migration = $1 WHERE name = $2";
static const char check_sql[] = "SELECT epoch, owner FROM weir_projections WHERE name = $1";
static const char position_sql[] =
    "INSERT INTO weir_projection_positions (name, topic, part, next, last_hash, epoch, updated_ms) "
    "VALUES ($1, $2, $3, 0, 0, $4, 0) "
    "ON CONFLICT (name, topic, part) DO UPDATE SET epoch = excluded.epoch RETURNING next, last_hash";
static const char advance_sql[] =
    "UPDATE weir_projection_positions SET next = $1, last_hash = $2, updated_ms = $3 "
    "WHERE name = $4 AND topic = $5 AND part = $6 AND next = $7 AND epoch = $8 RETURNING next";
static const char reset_sql[] =
    "UPDATE weir_projection_positions SET next = 0, last_hash = 0, updated_ms = 0 WHERE name = $1 AND epoch = $2 "
    "RETURNING next";

enum weir_error ledger_create(struct database *database) {
    return database->kind->script(database, create_sql);
}

struct numbers { /* the first two columns of the first row */
    int64_t values[2];
    bool found;
};
static bool take_numbers(void *ctx, const struct database_value *values, uint32_t count) {
    struct numbers *n = ctx;
    for (uint32_t i = 0; i < count && i < 2; i++)
        n->values[i] = values[i].integer;
    n->found = true;
    return true;
}

static const struct weir_migration *migration_of(const struct weir_projection *projection, int64_t number) {
    const struct weir_migration *m = projection->migrations;
    while (m->summary && m->number != (uint64_t)number)
        m++;
    return m->summary ? m : NULL;
}

static enum weir_error migrate_one(struct database *database, const struct weir_migration *m) {
    const char *own = database->kind == &database_postgres ? m->postgres : m->sqlite;
    enum weir_error e = m->sql ? database->kind->script(database, m->sql) : WEIR_OK;
    if (!e && own) e = database->kind->script(database, own);
    return e ? weir_error_wrap(e, "migration %u, %s", m->number, m->summary) : WEIR_OK;
}

static enum weir_error migrate(struct database *database, const struct ledger *ledger, int64_t done) {
    enum weir_error e = WEIR_OK;
    if (done && !migration_of(ledger->projection, done))
        return weir_error_context(WEIR_E_VERSION,
            "its tables are at migration %lld, which this weir does not know; run the newer weir, or drop the tables "
            "and the row of %s in weir_projections",
            (long long)done, ledger->name);
    const struct weir_migration *m;
    for (int64_t number = done + 1; !e && (m = migration_of(ledger->projection, number)); number++) {
        const struct database_value values[] = {database_integer(number), database_text(ledger->name)};
        e = migrate_one(database, m);
        if (!e) e = database->kind->run(database, migrated_sql, values, 2);
    }
    return e;
}

static enum weir_error take(struct database *database, struct ledger *ledger, uint64_t now_ms, uint32_t *ret_version) {
    struct numbers before = {0}, taken = {0};
    const struct database_value values[] = {database_text(ledger->name), database_text(ledger->owner),
        database_integer(ledger->projection->version), database_integer((int64_t)now_ms)};
    enum weir_error e = database->kind->select(database, before_sql, values, 1, take_numbers, &before);
    if (!e) e = database->kind->select(database, take_sql, values, 4, take_numbers, &taken);
    if (e) return e;
    if (before.values[0] > ledger->projection->version)
        return weir_error_context(WEIR_E_VERSION,
            "its rows are of version %lld, and this weir writes version %u; run the newer weir, or rebuild it there",
            (long long)before.values[0], ledger->projection->version);
    e = migrate(database, ledger, taken.values[1]);
    if (e) return e;
    ledger->epoch = taken.values[0];
    *ret_version = (uint32_t)before.values[0];
    return WEIR_OK;
}

enum weir_error ledger_take(struct database *database, struct ledger *ledger, uint64_t now_ms, uint32_t *ret_version) {
    enum weir_error e = database->kind->begin(database);
    if (!e) e = take(database, ledger, now_ms, ret_version);
    if (!e) e = database->kind->commit(database);
    return e;
}

struct owner {
    int64_t epoch;
    char name[128];
};
static bool take_owner(void *ctx, const struct database_value *values, uint32_t count) {
    struct owner *o = ctx;
    o->epoch = values[0].integer;
    if (count > 1) snprintf(o->name, sizeof o->name, "%.*s", (int)values[1].bytes.size, values[1].bytes.data);
    return true;
}

enum weir_error ledger_check(struct database *database, const struct ledger *ledger) {
    struct owner owner = {0};
    const struct database_value name = database_text(ledger->name);
    enum weir_error e = database->kind->select(database, check_sql, &name, 1, take_owner, &owner);
    if (e || owner.epoch == ledger->epoch) return e;
    if (owner.epoch < ledger->epoch)
        return weir_error_context(WEIR_E_CONFLICT, "the database has epoch %lld and we were given %lld: it went back",
            (long long)owner.epoch, (long long)ledger->epoch);
    return weir_error_context(WEIR_E_FENCED,
        "%s writes it now (epoch %lld, ours is %lld); stop one of the two, then start this node again to take it back",
        owner.name, (long long)owner.epoch, (long long)ledger->epoch);
}

enum weir_error ledger_position(struct database *database, const struct ledger *ledger, const char *topic,
    uint32_t partition, struct ledger_position *ret_position) {
    struct numbers n = {0};
    const struct database_value values[] = {database_text(ledger->name), database_text(topic),
        database_integer(partition), database_integer(ledger->epoch)};
    enum weir_error e = database->kind->select(database, position_sql, values, 4, take_numbers, &n);
    if (e) return e;
    if (!n.found || n.values[0] < 0)
        return weir_error_context(
            WEIR_E_CORRUPT, "weir_projection_positions has no good row of %s, partition %u", topic, partition);
    *ret_position = (struct ledger_position){(uint64_t)n.values[0], (uint64_t)n.values[1]};
    return WEIR_OK;
}

enum weir_error ledger_advance(struct database *database, const struct ledger *ledger, const char *topic,
    uint32_t partition, uint64_t from, const struct ledger_position *to, uint64_t now_ms) {
    struct numbers n = {0};
    const struct database_value values[] = {database_integer((int64_t)to->next), database_integer((int64_t)to->hash),
        database_integer((int64_t)now_ms), database_text(ledger->name), database_text(topic),
        database_integer(partition), database_integer((int64_t)from), database_integer(ledger->epoch)};
    enum weir_error e = database->kind->select(database, advance_sql, values, 8, take_numbers, &n);
    if (e || n.found) return e;
    return weir_error_context(WEIR_E_OUT_OF_SEQUENCE, "%s/%u does not stand at %llu under epoch %lld", topic, partition,
        (unsigned long long)from, (long long)ledger->epoch);
}

static enum weir_error rebuild(struct database *database, const struct ledger *ledger) {
    const struct database_value values[] = {database_text(ledger->name), database_integer(ledger->epoch)};
    struct numbers n = {0};
    enum weir_error e = database->kind->select(database, reset_sql, values, 2, take_numbers, &n);
    if (!e && !n.found) e = ledger_check(database, ledger); /* says who has them */
    if (!e && !n.found)
        e = weir_error_context(WEIR_E_CONFLICT, "it has no positions under epoch %lld", (long long)ledger->epoch);
    for (const struct weir_table *t = ledger->projection->tables; !e && t->name; t++)
        e = database->kind->empty(database, t->name);
    return e;
}

enum weir_error ledger_rebuild(struct database *database, const struct ledger *ledger) {
    enum weir_error e = database->kind->begin(database);
    if (!e) e = rebuild(database, ledger);
    if (!e) e = database->kind->commit(database);
    return e;
}
