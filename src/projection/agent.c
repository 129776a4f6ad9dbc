#include "projection/agent.h"

#include "base/text.h"

#include <stdio.h>

#define IDLE_NS         (20 * SYS_NANOS_PER_MS) /* between two looks for new records */
#define PROJECTIONS_MAX 64u

struct entry {
    struct follower follower;
    char where[ADDRESS_MAX + 64];
    _Atomic uint64_t rebuild_asked;
    struct projection_facts facts; /* under the lock, as the positions */
    struct projection_position *positions;
};
struct projection_agent {
    struct sys *sys;
    struct host *host;
    int poller, handle;
    _Atomic bool stop, locked;
    struct address address;
    struct source source;
    struct reader reader;
    uint32_t count;
    struct entry *entries[PROJECTIONS_MAX];
    char owner[128];
};

static void lock(struct projection_agent *a) {
    while (atomic_exchange_explicit(&a->locked, true, memory_order_acquire))
        a->sys->pause(a->sys, 1000);
}

static void unlock(struct projection_agent *a) {
    atomic_store_explicit(&a->locked, false, memory_order_release);
}

static struct projection_agent *mutable_of(const struct projection_agent *agent) {
    return (struct projection_agent *)(uintptr_t)agent;
}

/* ---- which ones run ---- */

static void name_of(
    const struct weir_service *service, const struct weir_projection *projection, char name[FOLLOWER_NAME_MAX]) {
    snprintf(name, FOLLOWER_NAME_MAX, "%s.%s", service->name, projection->name);
}

static bool is_named(const char *list, const char *name) {
    for (size_t n; *list; list += n + (list[n] == ',')) {
        n = strcspn(list, ",");
        if (weir_slice_equal(text_trim(weir_slice(list, n)), weir_slice_text(name))) return true;
    }
    return false;
}

static bool is_wanted(const char *run, const struct weir_projection *projection, const char *name) {
    if (strcmp(run, "all") == 0) return true;
    if (strcmp(run, "none") == 0) return false;
    if (is_named(run, "default") && !projection->on_request) return true;
    return is_named(run, name);
}

/* One of projection.run's names that there is not. */
static enum weir_error check_run(const char *run, const struct weir_service *const *services) {
    char names[PROJECTIONS_MAX + 3][FOLLOWER_NAME_MAX] = {"default", "all", "none"};
    const char *list[PROJECTIONS_MAX + 3] = {names[0], names[1], names[2]};
    size_t count = 3;
    for (uint32_t i = 0; services[i]; i++)
        for (const struct weir_projection *p = services[i]->projections; p && p->name; p++)
            if (count < WEIR_ARRAY_COUNT(list)) {
                name_of(services[i], p, names[count]);
                list[count] = names[count];
                count++;
            }
    for (size_t n; *run; run += n + (run[n] == ',')) {
        n = strcspn(run, ",");
        struct weir_slice word = text_trim(weir_slice(run, n));
        bool found = false;
        for (size_t i = 0; i < count; i++)
            found |= weir_slice_equal(word, weir_slice_text(list[i]));
        int nearest = text_nearest(word, list, count);
        if (!found)
            return weir_error_context(WEIR_E_CONFIG, "projection.run: there is no projection %.*s%s%s%s",
                (int)word.size, word.data, nearest >= 0 ? "; did you mean " : "", nearest >= 0 ? list[nearest] : "",
                nearest >= 0 ? "?" : "; default, all, none, or names as `weir projection list` has them");
    }
    return WEIR_OK;
}

enum weir_error projection_check(const struct settings *settings, const struct weir_service *const *services) {
    const struct weir_setting_value *s = settings_of(settings, PROJECTION_GROUP);
    struct address address;
    enum weir_error e = address_parse(weir_slice_text(s[PROJECTION_URL].text), &address);
    return e ? weir_error_wrap(e, "projection.url") : check_run(s[PROJECTION_RUN].text, services);
}

/* ---- facts ---- */

static void publish(struct projection_agent *a, struct entry *entry) {
    const struct follower *f = &entry->follower;
    struct projection_facts *facts = &entry->facts;
    uint64_t time_ns = 0;
    lock(a);
    facts->state = follower_state_name(f->state);
    memcpy(facts->error, f->error, sizeof facts->error);
    facts->epoch = (uint64_t)f->ledger.epoch;
    facts->records = metric_get(&f->metrics.records);
    facts->rows = metric_get(&f->metrics.rows);
    facts->errors = metric_get(&f->metrics.errors);
    facts->gap_records = metric_get(&f->metrics.gap_records);
    facts->expired_rows = metric_get(&f->metrics.expired_rows);
    for (uint32_t i = 0; i < f->part_count; i++) {
        entry->positions[i].next = f->parts[i].stored;
        if (f->parts[i].time_ns > time_ns) time_ns = f->parts[i].time_ns;
    }
    facts->last_record_ms = time_ns / SYS_NANOS_PER_MS;
    unlock(a);
}

static void publish_rebuild(struct projection_agent *a, struct entry *entry, uint64_t number, enum weir_error e) {
    lock(a);
    entry->facts.rebuilds = number;
    snprintf(entry->facts.rebuild_error, sizeof entry->facts.rebuild_error, "%s", e ? weir_error_text() : "");
    unlock(a);
}

uint32_t projection_count(const struct projection_agent *agent) {
    return agent ? agent->count : 0;
}

void projection_position(
    const struct projection_agent *agent, uint32_t i, uint32_t partition, struct projection_position *ret_position) {
    struct projection_agent *a = mutable_of(agent);
    const struct entry *entry = a->entries[i];
    const struct log_partition *p = entry->follower.parts[partition].partition;
    lock(a);
    *ret_position = entry->positions[partition];
    unlock(a);
    ret_position->partition = partition;
    ret_position->start = atomic_load_explicit(&p->start, memory_order_acquire);
    ret_position->high = atomic_load_explicit(&p->high, memory_order_acquire);
}

void projection_facts(const struct projection_agent *agent, uint32_t i, struct projection_facts *ret_facts) {
    struct projection_agent *a = mutable_of(agent);
    lock(a);
    *ret_facts = a->entries[i]->facts;
    unlock(a);
    ret_facts->lag = 0;
    for (uint32_t p = 0; p < ret_facts->position_count; p++) {
        struct projection_position position;
        projection_position(agent, i, p, &position);
        if (position.high > position.next) ret_facts->lag += position.high - position.next;
    }
}

int projection_find(const struct projection_agent *agent, struct weir_slice name) {
    for (uint32_t i = 0; i < projection_count(agent); i++)
        if (weir_slice_equal(name, weir_slice_text(agent->entries[i]->follower.name))) return (int)i;
    return -1;
}

uint64_t projection_rebuild(struct projection_agent *a, uint32_t i) {
    uint64_t number = atomic_fetch_add(&a->entries[i]->rebuild_asked, 1) + 1;
    a->sys->poller_wake(a->sys, a->poller);
    return number;
}

/* ---- questions ---- */

bool projection_has_records(const struct projection_agent *agent, uint32_t i) {
    return follower_has_records(&agent->entries[i]->follower);
}

enum weir_error projection_ask(struct projection_agent *a, uint32_t lane, int wake_poller, uint32_t i,
    const struct search *search, struct host_origin origin) {
    return reader_ask(&a->reader, lane, wake_poller, i, search, origin);
}

void projection_answers(struct projection_agent *a, uint32_t lane,
    void (*deliver)(void *ctx, const struct host_delivery *delivery), void *ctx) {
    if (a) reader_answers(&a->reader, lane, deliver, ctx);
}

/* ---- the thread ---- */

static uint32_t work_on(struct projection_agent *a, struct entry *entry) {
    uint64_t asked = atomic_load_explicit(&entry->rebuild_asked, memory_order_acquire);
    if (asked > entry->facts.rebuilds) {
        enum weir_error e = follower_rebuild(&entry->follower);
        publish(a, entry);
        publish_rebuild(a, entry, asked, e);
    }
    uint32_t work = follower_work(&entry->follower);
    publish(a, entry);
    return work;
}

static uint32_t work(void *self, uint64_t block_ns) {
    struct projection_agent *a = self;
    struct sys_poll_event event;
    uint32_t done = 0;
    bool ready = host_ready(a->host);
    for (uint32_t i = 0; ready && i < a->count && !atomic_load(&a->stop); i++)
        done += work_on(a, a->entries[i]);
    if (done == 0) (void)a->sys->poller_wait(a->sys, a->poller, &event, 1, block_ns < IDLE_NS ? block_ns : IDLE_NS);
    return done;
}

/* ---- life ---- */

static void register_metrics(struct entry *entry, struct metric_registry *r) {
    const struct follower_metrics *m = &entry->follower.metrics;
    const struct {
        enum metric_kind kind;
        const void *metric;
        const char *name, *help;
    } rows[] = {
        {METRIC_COUNTER, &m->records, "weir_projection_records_total", "Records whose rows were written."},
        {METRIC_COUNTER, &m->rows, "weir_projection_rows_total", "Row operations written."},
        {METRIC_COUNTER, &m->transactions, "weir_projection_transactions_total", "Transactions committed."},
        {METRIC_COUNTER, &m->errors, "weir_projection_errors_total", "Times that the database could not be written."},
        {METRIC_COUNTER, &m->gap_records, "weir_projection_gap_records_total",
            "Records that retention took before their rows were written."},
        {METRIC_COUNTER, &m->expired_rows, "weir_projection_expired_rows_total", "Rows deleted for their age."},
        {METRIC_GAUGE, &m->up, "weir_projection_up", "1 while it takes rows; 0: see `weir projection status`."},
        {METRIC_GAUGE, &m->epoch, "weir_projection_epoch", "Of this node as its writer."},
        {METRIC_HISTOGRAM_NS, &m->transaction_ns, "weir_projection_transaction_seconds",
            "From reading records to their commit."},
    };
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows); i++)
        metric_register(
            r, rows[i].kind, rows[i].metric, rows[i].name, rows[i].help, "projection=\"%s\"", entry->follower.name);
    for (uint32_t i = 0; i < entry->follower.part_count; i++) {
        const struct follower_part *part = &entry->follower.parts[i];
        const char *labels = "projection=\"%s\",partition=\"%u\"", *name = entry->follower.name;
        metric_register(r, METRIC_GAUGE, &part->lag, "weir_projection_lag_records",
            "Records of the topic whose rows are not there yet.", labels, name, i);
        metric_register(r, METRIC_GAUGE, &part->offset, "weir_projection_offset",
            "Offset of the first record whose rows are not there yet.", labels, name, i);
        metric_register(r, METRIC_GAUGE, &part->time_s, "weir_projection_record_timestamp_seconds",
            "Unix time of the last record whose rows were written; 0: none in this life.", labels, name, i);
    }
}

static void say_where(const struct projection_agent *a, const char *folder, struct entry *entry) {
    const char *in = a->address.kind == ADDRESS_SQLITE ? a->address.folder : folder;
    const char *service = entry->follower.service->name;
    if (a->address.kind == ADDRESS_POSTGRES)
        snprintf(entry->where, sizeof entry->where, "%s", a->address.shown);
    else if (a->address.kind == ADDRESS_SQLITE)
        snprintf(entry->where, sizeof entry->where, "%s/%s.db", in, service);
    else
        snprintf(entry->where, sizeof entry->where, "%s/projections/%s.db", in, service);
}

static uint64_t keep_ms(const struct weir_service *service, const struct weir_projection *projection,
    const struct weir_setting_value *values) {
    for (uint32_t i = 0; projection->keep_setting && service->settings && service->settings[i].name; i++)
        if (strcmp(service->settings[i].name, projection->keep_setting) == 0)
            return values[i].number / SYS_NANOS_PER_MS;
    return 0;
}

static enum weir_error add(struct projection_agent *a, const struct projection_options *o,
    const struct weir_service *service, const struct weir_projection *projection) {
    const struct weir_setting_value *s = settings_of(o->settings, PROJECTION_GROUP);
    const char *topic_name = service->topics[projection->topic].name;
    struct log_topic *topic = log_topic_find(o->log, topic_name);
    struct entry *entry = weir_alloc(NULL, sizeof *entry, _Alignof(struct entry));
    if (!entry || !topic || a->count == PROJECTIONS_MAX) {
        weir_dealloc(NULL, entry, sizeof *entry, _Alignof(struct entry));
        return weir_error_context(WEIR_E_NO_MEMORY, "no room for projection %s.%s", service->name, projection->name);
    }
    memset(entry, 0, sizeof *entry);
    a->entries[a->count++] = entry;
    struct follower *f = &entry->follower;
    f->service = service;
    f->projection = projection;
    name_of(service, projection, f->name);
    memcpy(f->owner, a->owner, sizeof f->owner);
    f->sys = o->sys;
    f->source = &a->source;
    f->kind = a->address.kind == ADDRESS_POSTGRES ? &database_postgres : &database_sqlite;
    say_where(a, settings_node(o->settings)[NODE_DATA].text, entry);
    f->options = (struct database_options){.sys = o->sys,
        .url = a->address.kind == ADDRESS_POSTGRES ? s[PROJECTION_URL].text : entry->where,
        .timeout_ns = s[PROJECTION_TIMEOUT].number,
        .poller = a->poller,
        .stop = &a->stop};
    f->hold_bytes = s[PROJECTION_HOLD].number;
    f->keep_ms = keep_ms(service, projection, settings_of(o->settings, service->name));
    f->report = o->report;
    f->report_ctx = o->report_ctx;
    entry->facts.summary = projection->summary;
    entry->facts.topic = topic_name;
    entry->facts.database = f->kind->name;
    entry->facts.state = follower_state_name(f->state);
    memcpy(entry->facts.name, f->name, sizeof f->name);
    snprintf(entry->facts.where, sizeof entry->facts.where, "%s", entry->where);
    enum weir_error e = follower_open(f, topic);
    if (e) return e;
    entry->facts.position_count = f->part_count;
    entry->positions = weir_alloc(NULL, f->part_count * sizeof *entry->positions, 8);
    if (!entry->positions) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for projection %s", f->name);
    memset(entry->positions, 0, f->part_count * sizeof *entry->positions);
    if (o->metrics) register_metrics(entry, o->metrics);
    return WEIR_OK;
}

static enum weir_error add_all(struct projection_agent *a, const struct projection_options *o) {
    const char *run = settings_of(o->settings, PROJECTION_GROUP)[PROJECTION_RUN].text;
    enum weir_error e = WEIR_OK;
    for (uint32_t i = 0; !e && i < host_service_count(o->host); i++) {
        const struct weir_service *service = host_service_at(o->host, i);
        for (const struct weir_projection *p = service->projections; !e && p && p->name; p++) {
            char name[FOLLOWER_NAME_MAX];
            name_of(service, p, name);
            if (is_wanted(run, p, name)) e = add(a, o, service, p);
        }
    }
    return e;
}

static enum weir_error open_reader(struct projection_agent *a, const struct projection_options *o) {
    uint64_t timeout_ns = settings_of(o->settings, PROJECTION_GROUP)[PROJECTION_QUERY_TIMEOUT].number;
    enum weir_error e = reader_open(&a->reader, a->sys, host_lane_count(a->host), a->count);
    for (uint32_t i = 0; !e && i < a->count; i++) {
        struct database_options options = a->entries[i]->follower.options;
        options.timeout_ns = timeout_ns;
        reader_add(&a->reader, a->entries[i]->follower.kind, &options);
    }
    return e;
}

static enum weir_error make_folder(const struct projection_agent *a, const char *data) {
    char path[ADDRESS_MAX + 64];
    if (a->address.kind == ADDRESS_POSTGRES) return WEIR_OK;
    if (a->address.kind == ADDRESS_SQLITE) return sys_make_folders(a->sys, a->address.folder);
    snprintf(path, sizeof path, "%s/projections", data);
    return sys_make_folders(a->sys, path);
}

enum weir_error projection_agent_open(const struct projection_options *o, struct projection_agent **ret_agent) {
    const struct weir_setting_value *s = settings_of(o->settings, PROJECTION_GROUP);
    *ret_agent = NULL;
    struct projection_agent *a = weir_alloc(NULL, sizeof *a, _Alignof(struct projection_agent));
    if (!a) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for projections");
    memset(a, 0, sizeof *a);
    a->sys = o->sys;
    a->host = o->host;
    a->poller = a->handle = -1;
    snprintf(a->owner, sizeof a->owner, "%s", o->owner ? o->owner : "weir");
    enum weir_error e = address_parse(weir_slice_text(s[PROJECTION_URL].text), &a->address);
    if (!e) e = a->sys->poller_open(a->sys, &a->poller);
    if (!e) e = add_all(a, o);
    if (!e && a->count) e = source_open(o->log, &a->source);
    if (!e && a->count) e = open_reader(a, o);
    if (!e && a->count) e = make_folder(a, settings_node(o->settings)[NODE_DATA].text);
    if (e || a->count == 0) {
        projection_agent_close(a);
        return e ? weir_error_wrap(e, "projections") : WEIR_OK;
    }
    *ret_agent = a;
    return WEIR_OK;
}

enum weir_error projection_agent_start(struct projection_agent *a) {
    if (!a) return WEIR_OK;
    const struct sys_agent agent = {.name = "weir-project", .do_work = work, .self = a, .background = true};
    enum weir_error e = a->sys->agent_start(a->sys, &agent, a->poller, &a->handle);
    return e ? e : reader_start(&a->reader);
}

void projection_agent_stop(struct projection_agent *a) {
    if (!a || a->handle < 0) return;
    atomic_store(&a->stop, true);
    a->sys->agent_stop(a->sys, a->handle);
    a->handle = -1;
    reader_stop(&a->reader);
}

void projection_agent_close(struct projection_agent *a) {
    if (!a) return;
    projection_agent_stop(a);
    for (uint32_t i = 0; i < a->count; i++) {
        struct entry *entry = a->entries[i];
        uint32_t count = entry->follower.part_count;
        if (entry->positions) weir_dealloc(NULL, entry->positions, count * sizeof *entry->positions, 8);
        follower_close(&entry->follower);
        weir_dealloc(NULL, entry, sizeof *entry, _Alignof(struct entry));
    }
    source_close(&a->source);
    reader_close(&a->reader);
    if (a->poller >= 0) a->sys->poller_close(a->sys, a->poller);
    weir_dealloc(NULL, a, sizeof *a, _Alignof(struct projection_agent));
}
