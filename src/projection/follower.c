#include "projection/follower.h"

#include "base/assert.h"
#include "base/text.h"

#include <stdio.h>

#define RETRY_NS_MIN (100 * SYS_NANOS_PER_MS)
#define RETRY_NS_MAX (30 * SYS_NANOS_PER_S)
#define GROUP_VALUES 4096                  /* of rows that go out as one statement */
#define SETTLE_NS    (1 * SYS_NANOS_PER_S) /* what a loss of power can make the database read again */

const char *follower_state_name(enum follower_state state) {
    static const char *const names[] = {"starting", "running", "retrying", "refused", "fenced"};
    return names[state];
}

static uint64_t now_ns(const struct follower *f) {
    return f->sys->mono_ns(f->sys);
}

static uint64_t wall_ms(const struct follower *f) {
    return f->sys->wall_ns(f->sys) / SYS_NANOS_PER_MS;
}

static uint64_t high_of(const struct follower_part *part) {
    return atomic_load_explicit(&part->partition->high, memory_order_acquire);
}

static uint64_t lag_of(const struct follower_part *part) {
    uint64_t high = high_of(part);
    return high > part->stored ? high - part->stored : 0;
}

bool follower_has_records(const struct follower *f) {
    for (uint32_t i = 0; i < f->part_count; i++)
        if (high_of(&f->parts[i]) > 0) return true;
    return false;
}

uint64_t follower_lag(const struct follower *f) {
    uint64_t lag = 0;
    for (uint32_t i = 0; i < f->part_count; i++)
        lag += lag_of(&f->parts[i]);
    return lag;
}

static void measure(struct follower *f) {
    for (uint32_t i = 0; i < f->part_count; i++) {
        metric_set(&f->parts[i].offset, f->parts[i].stored);
        metric_set(&f->parts[i].lag, lag_of(&f->parts[i]));
    }
    metric_set(&f->metrics.up, f->state == FOLLOWER_RUNNING);
}

/* Of the records that are not safe in the database yet, if all of the partition's are of one size. */
static uint64_t bytes_waiting(const struct follower_part *part) {
    uint64_t bytes = atomic_load_explicit(&part->partition->bytes, memory_order_relaxed);
    uint64_t start = atomic_load_explicit(&part->partition->start, memory_order_acquire), high = high_of(part);
    uint64_t from = part->settled > start ? part->settled : start;
    return high > from ? (uint64_t)((double)bytes * (double)(high - from) / (double)(high - start)) : 0;
}

/* Retention waits for them, as long as they are not too many for that. */
static void hold(struct follower *f) {
    for (uint32_t i = 0; i < f->part_count; i++) {
        struct log_partition *p = f->parts[i].partition;
        bool too_many =
            bytes_waiting(&f->parts[i]) > log_topic_setting(&p->topic->config.retention_bytes) + f->hold_bytes;
        atomic_store_explicit(&p->hold, too_many ? UINT64_MAX : f->parts[i].settled, memory_order_release);
    }
}

/* ---- a connection ---- */

static bool take_hash(void *ctx, const struct weir_record *record, uint32_t partition) {
    (void)partition;
    *(uint64_t *)ctx = source_hash(record);
    return false; /* one is enough */
}

/* Whether the database's position can be one of this log. */
static enum weir_error check_part(struct follower *f, const struct follower_part *part) {
    const struct log_partition *p = part->partition;
    uint64_t start = atomic_load_explicit(&p->start, memory_order_acquire), hash = 0, next;
    if (part->stored > high_of(part))
        return weir_error_context(WEIR_E_MISMATCH,
            "the database has %s/%u up to offset %llu, and the log ends at %llu: it is of a later state or another "
            "log. "
            "Restore the log that belongs to it, or make the rows again: weir projection rebuild %s",
            p->topic->name, p->index, (unsigned long long)part->stored, (unsigned long long)high_of(part), f->name);
    if (part->stored == 0 || part->stored - 1 < start) return WEIR_OK;
    enum weir_error e = source_read(f->source, part->partition, part->stored - 1, take_hash, &hash, &next);
    if (e || hash == part->stored_hash) return e;
    return weir_error_context(WEIR_E_MISMATCH,
        "the database has another record at offset %llu of %s/%u than the log: it is of another log. Restore the one "
        "that belongs to it, or make the rows again: weir projection rebuild %s",
        (unsigned long long)(part->stored - 1), p->topic->name, p->index, f->name);
}

/* Back to what the database has. */
static void rewind_parts(struct follower *f) {
    rows_reset(&f->rows);
    f->records = 0;
    for (uint32_t i = 0; i < f->part_count; i++) {
        struct follower_part *part = &f->parts[i];
        part->next = part->stored;
        part->hash = part->stored_hash;
        part->gap = 0;
    }
}

static enum weir_error read_positions(struct follower *f) {
    enum weir_error e = f->kind->begin(f->database);
    for (uint32_t i = 0; !e && i < f->part_count; i++) {
        struct follower_part *part = &f->parts[i];
        struct ledger_position position = {0};
        e = ledger_position(f->database, &f->ledger, part->partition->topic->name, part->partition->index, &position);
        part->stored = position.next;
        part->stored_hash = position.hash;
        if (part->settled > part->stored) part->settled = part->stored; /* it went back */
    }
    if (!e) e = f->kind->commit(f->database);
    f->unsettled = true; /* what is there may be a transaction of before, not yet on its disk */
    rewind_parts(f);
    return e;
}

static void say_version(struct follower *f, uint32_t version) {
    char text[300];
    if (version == 0 || version == f->projection->version) return;
    snprintf(text, sizeof text,
        "projection %s writes version %u from here on, and what is there is of version %u; to have all of it alike: "
        "weir "
        "projection rebuild %s",
        f->name, f->projection->version, version, f->name);
    f->report(f->report_ctx, false, text);
}

static enum weir_error take(struct follower *f) {
    uint32_t version = 0;
    enum weir_error e = ledger_create(f->database);
    if (!e) e = ledger_take(f->database, &f->ledger, wall_ms(f), &version);
    if (e) return e;
    f->taken = true;
    metric_set(&f->metrics.epoch, (uint64_t)f->ledger.epoch);
    say_version(f, version);
    return WEIR_OK;
}

static enum weir_error connect_database(struct follower *f) {
    enum weir_error e = f->kind->open(&f->options, &f->database);
    if (e) return e;
    e = f->taken ? ledger_check(f->database, &f->ledger) : WEIR_OK;
    if (e == WEIR_E_CONFLICT || !f->taken) e = take(f); /* a database from a backup forgot that it was ours */
    return e ? e : read_positions(f);
}

static void check_all(struct follower *f, enum weir_error *e) {
    for (uint32_t i = 0; !*e && i < f->part_count; i++)
        *e = check_part(f, &f->parts[i]);
}

/* ---- a transaction ---- */

struct filling { /* of a batch from one partition */
    struct follower *follower;
    struct follower_part *part;
    bool too_large;
};

static bool take_record(void *ctx, const struct weir_record *record, uint32_t partition) {
    struct filling *filling = ctx;
    struct follower *f = filling->follower;
    if (f->records == f->records_max || rows_bytes(&f->rows) >= ROWS_BATCH_BYTES) return false;
    struct rows_mark mark = rows_save(&f->rows);
    f->projection->project(record, partition, &f->rows);
    if (f->rows.failed) {
        filling->too_large = f->records == 0;
        rows_undo(&f->rows, &mark);
        return false;
    }
    filling->part->hash = source_hash(record);
    filling->part->time_ns = record->time_ns;
    f->records++;
    return true;
}

/* What retention took before it was read. */
static bool pass_gap(struct follower_part *part) {
    uint64_t start = atomic_load_explicit(&part->partition->start, memory_order_acquire);
    if (part->next >= start) return false;
    part->gap += start - part->next;
    part->next = start;
    return true;
}

static enum weir_error fill_from(struct follower *f, struct follower_part *part) {
    for (;;) {
        struct filling filling = {f, part, false};
        uint64_t next = part->next;
        if (next >= high_of(part)) return WEIR_OK;
        enum weir_error e = source_read(f->source, part->partition, next, take_record, &filling, &next);
        if (e == WEIR_E_OUT_OF_RANGE && pass_gap(part)) continue;
        if (e) return e;
        if (filling.too_large)
            return weir_error_context(WEIR_E_TOO_LARGE,
                "the record at offset %llu of %s/%u makes rows of more than %u MB", (unsigned long long)next,
                part->partition->topic->name, part->partition->index, ROWS_BYTES >> 20);
        if (next == part->next) return WEIR_OK;
        part->next = next;
    }
}

/* A partition whose next record was refused, and that is to be tried again. */
static struct follower_part *refused_part(struct follower *f) {
    for (uint32_t i = 0; i < f->part_count; i++)
        if (f->parts[i].refused_retry_ns && now_ns(f) >= f->parts[i].refused_due_ns) return &f->parts[i];
    return NULL;
}

/* One partition after the other, beginning with another one each time. */
static enum weir_error fill(struct follower *f) {
    enum weir_error e = WEIR_OK;
    struct follower_part *refused = refused_part(f);
    WEIR_ASSERT(f->part_count > 0);
    if (refused) {
        f->records_max = 1;
        return fill_from(f, refused);
    }
    for (uint32_t i = 0; !e && i < f->part_count; i++) {
        struct follower_part *part = &f->parts[(f->first_part + i) % f->part_count];
        if (!part->refused_retry_ns) e = fill_from(f, part);
    }
    f->first_part = (f->first_part + 1) % f->part_count;
    return e;
}

/* Rows of one statement, as many at a time as there is room for. */
static enum weir_error write_group(struct follower *f, const struct merged *group, const struct statement *statement) {
    struct database_value values[GROUP_VALUES];
    uint32_t count = (uint32_t)__builtin_popcountll(statement->set), rows = 0;
    enum weir_error e = WEIR_OK;
    for (const struct row *row = group->first; !e && row; row = row->next) {
        (void)statement_values(statement, row, &values[(size_t)rows++ * count]);
        if (row->next && (rows + 1) * count <= GROUP_VALUES) continue;
        e = f->kind->run_rows(f->database, statement->sql, values, count, rows);
        rows = 0;
    }
    return e;
}

/* Deletes first: a row that is replaced is in both. */
static enum weir_error write_rows(struct follower *f) {
    enum weir_error e = merge_rows(&f->rows, &f->statements, &f->merge);
    for (int deletes = 1; deletes >= 0; deletes--)
        for (uint32_t i = 0; !e && i < f->statements.count; i++)
            if (f->merge.is_delete[i] == deletes && f->merge.groups[i].count)
                e = write_group(f, &f->merge.groups[i], &f->statements.rows[i]);
    return e;
}

static enum weir_error write_all(struct follower *f) {
    uint64_t now_ms = wall_ms(f);
    enum weir_error e = f->kind->begin(f->database);
    for (uint32_t i = 0; !e && i < f->part_count; i++) {
        const struct follower_part *part = &f->parts[i];
        const struct ledger_position to = {part->next, part->hash};
        if (part->next != part->stored)
            e = ledger_advance(f->database, &f->ledger, part->partition->topic->name, part->partition->index,
                part->stored, &to, now_ms);
    }
    if (!e) e = write_rows(f);
    return e ? e : f->kind->commit(f->database);
}

static void say_gap(struct follower *f, const struct follower_part *part) {
    char text[300];
    snprintf(text, sizeof text,
        "projection %s lacks %llu records before offset %llu of %s/%u: retention took them first; see projection.hold",
        f->name, (unsigned long long)part->gap, (unsigned long long)part->next, part->partition->topic->name,
        part->partition->index);
    f->report(f->report_ctx, true, text);
    metric_add(&f->metrics.gap_records, part->gap);
}

static void note_written(struct follower *f, uint64_t began_ns) {
    for (uint32_t i = 0; i < f->part_count; i++) {
        struct follower_part *part = &f->parts[i];
        if (part->gap) say_gap(f, part);
        part->gap = 0;
        if (part->next != part->stored) part->refused_retry_ns = 0;
        part->stored = part->next;
        part->stored_hash = part->hash;
        metric_set(&part->time_s, part->time_ns / SYS_NANOS_PER_S);
    }
    metric_add(&f->metrics.records, f->records);
    metric_add(&f->metrics.rows, f->rows.count);
    metric_add(&f->metrics.transactions, 1);
    metric_record(&f->metrics.transaction_ns, now_ns(f) - began_ns);
    f->unsettled = true;
    if (f->records_max < FOLLOWER_RECORDS_MAX) f->records_max *= 2;
}

static enum weir_error copy(struct follower *f, uint32_t *ret_records) {
    uint64_t began_ns = now_ns(f);
    rewind_parts(f);
    enum weir_error e = fill(f);
    bool moved = false;
    for (uint32_t i = 0; i < f->part_count; i++)
        moved |= f->parts[i].next != f->parts[i].stored;
    if (e || !moved) return e;
    e = write_all(f);
    if (e) return e;
    note_written(f, began_ns);
    *ret_records = f->records;
    return WEIR_OK;
}

/* ---- what is done now and then ---- */

static enum weir_error settle(struct follower *f) {
    if (!f->unsettled || now_ns(f) < f->settle_ns) return WEIR_OK;
    f->settle_ns = now_ns(f) + SETTLE_NS;
    enum weir_error e = f->kind->settle(f->database);
    if (e) return e;
    f->unsettled = false;
    for (uint32_t i = 0; i < f->part_count; i++)
        f->parts[i].settled = f->parts[i].stored;
    return WEIR_OK;
}

static enum weir_error expire(struct follower *f, uint32_t *work) {
    uint32_t rows = 0;
    enum weir_error e = expiry_work(&f->expiry, f->sys, f->database, &rows);
    metric_add(&f->metrics.expired_rows, rows);
    *work += rows;
    return e;
}

/* ---- failure and recovery ---- */

static void disconnect(struct follower *f) {
    if (f->database) f->kind->close(f->database);
    f->database = NULL;
}

/* Each kind of failure is said once, until it is over. */
static void say_failure(struct follower *f, enum weir_error e) {
    char text[700];
    if (f->told == e) return;
    f->told = e;
    snprintf(text, sizeof text, "projection %s %s: %s", f->name,
        f->state == FOLLOWER_FENCED    ? "has stopped"
        : f->state == FOLLOWER_REFUSED ? "does not run"
                                       : "waits and tries again",
        f->error);
    f->report(f->report_ctx, true, text);
}

static bool is_refusal(enum weir_error e) {
    return e == WEIR_E_MISMATCH || e == WEIR_E_VERSION || e == WEIR_E_NOT_FOUND || e == WEIR_E_UNSUPPORTED;
}

/* A value the database refuses: fewer and fewer records at a time, until it is known which one it is. */
static bool narrow(struct follower *f, enum weir_error e) {
    if ((e != WEIR_E_CONFLICT && e != WEIR_E_INVALID) || f->records <= 1) return false;
    f->records_max = f->records / 2;
    return true;
}

static uint64_t longer(uint64_t retry_ns) {
    return retry_ns == 0 ? RETRY_NS_MIN : 2 * retry_ns < RETRY_NS_MAX ? 2 * retry_ns : RETRY_NS_MAX;
}

/* Half of the time at least, so that many nodes do not come back as one. */
static uint64_t after(const struct follower *f, uint64_t retry_ns) {
    uint64_t dice;
    f->sys->random(f->sys, &dice, sizeof dice);
    return now_ns(f) + retry_ns / 2 + dice % (retry_ns / 2);
}

/* Says which record it is, and sets its partition aside. False: it was none alone. */
static bool set_aside(struct follower *f, enum weir_error e) {
    if ((e != WEIR_E_CONFLICT && e != WEIR_E_INVALID) || f->records != 1) return false;
    for (uint32_t i = 0; i < f->part_count; i++) {
        struct follower_part *part = &f->parts[i];
        if (part->next == part->stored) continue;
        (void)weir_error_wrap(e, "the record at offset %llu of %s/%u", (unsigned long long)part->next - 1,
            part->partition->topic->name, part->partition->index);
        part->refused_retry_ns = longer(part->refused_retry_ns);
        part->refused_due_ns = after(f, part->refused_retry_ns);
    }
    return true;
}

static void failed(struct follower *f, enum weir_error e) {
    bool narrowed = narrow(f, e);
    bool others_go_on = !narrowed && set_aside(f, e);
    if (!narrowed) snprintf(f->error, sizeof f->error, "%s", weir_error_text());
    disconnect(f);
    rewind_parts(f);
    if (narrowed) return;
    f->state = e == WEIR_E_FENCED ? FOLLOWER_FENCED : is_refusal(e) ? FOLLOWER_REFUSED : FOLLOWER_RETRYING;
    metric_add(&f->metrics.errors, 1);
    say_failure(f, e);
    if (others_go_on) return;
    f->retry_ns = longer(f->retry_ns);
    f->due_ns = after(f, f->retry_ns);
}

static void succeeded(struct follower *f) {
    char text[200];
    f->retry_ns = 0;
    for (uint32_t i = 0; i < f->part_count; i++)
        if (f->parts[i].refused_retry_ns) return; /* it is not over for this one */
    if (f->told) {
        snprintf(text, sizeof text, "projection %s goes on, %llu records behind", f->name,
            (unsigned long long)follower_lag(f));
        f->report(f->report_ctx, false, text);
    }
    f->told = WEIR_OK;
    f->state = FOLLOWER_RUNNING;
    f->error[0] = 0;
}

static enum weir_error step(struct follower *f, uint32_t *ret_records) {
    enum weir_error e = WEIR_OK;
    if (!f->database && !follower_has_records(f)) return WEIR_OK; /* an idle node carries no database's library */
    if (!f->database) {
        e = connect_database(f);
        check_all(f, &e);
    }
    if (!e) e = copy(f, ret_records);
    if (!e) e = settle(f);
    return e ? e : expire(f, ret_records);
}

uint32_t follower_work(struct follower *f) {
    uint32_t records = 0;
    if (f->state != FOLLOWER_FENCED && now_ns(f) >= f->due_ns) {
        weir_error_clear();
        enum weir_error e = step(f, &records);
        if (e == WEIR_E_CLOSED && f->options.stop && atomic_load(f->options.stop)) return 0;
        if (e)
            failed(f, e);
        else
            succeeded(f);
    }
    hold(f);
    measure(f);
    return records;
}

enum weir_error follower_rebuild(struct follower *f) {
    enum weir_error e = f->database ? WEIR_OK : connect_database(f);
    if (!e) e = ledger_rebuild(f->database, &f->ledger);
    if (!e) e = read_positions(f);
    if (e) {
        failed(f, e);
        return e;
    }
    for (uint32_t i = 0; i < f->part_count; i++)
        f->parts[i].settled = f->parts[i].refused_retry_ns = 0;
    succeeded(f);
    return WEIR_OK;
}

/* ---- life ---- */

enum weir_error follower_open(struct follower *f, struct log_topic *topic) {
    f->ledger = (struct ledger){.name = f->name, .owner = f->owner, .projection = f->projection};
    f->records_max = FOLLOWER_RECORDS_MAX;
    f->part_count = topic->partition_count;
    statements_init(&f->statements, f->projection, f->kind->arrays);
    f->parts = weir_alloc(NULL, f->part_count * sizeof *f->parts, _Alignof(struct follower_part));
    if (!f->parts) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for projection %s", f->name);
    memset(f->parts, 0, f->part_count * sizeof *f->parts);
    for (uint32_t i = 0; i < f->part_count; i++)
        f->parts[i].partition = topic->partitions[i];
    hold(f);
    enum weir_error e = expiry_open(f->projection, f->keep_ms, &f->expiry);
    return e ? e : rows_open(f->projection, f->part_count, &f->rows);
}

void follower_close(struct follower *f) {
    disconnect(f);
    rows_close(&f->rows);
    statements_done(&f->statements);
    expiry_close(&f->expiry);
    if (f->parts) weir_dealloc(NULL, f->parts, f->part_count * sizeof *f->parts, _Alignof(struct follower_part));
    f->parts = NULL;
}
