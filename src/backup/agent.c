/* See agent.h. */
#include "backup/agent.h"

#include "backup/identity.h"
#include "backup/verify.h"
#include "base/text.h"

#include <stdio.h>

#define RETRY_NS     (60 * SYS_NANOS_PER_S) /* after a failure, or `every` when that is less */
#define SECRET_BYTES 4096u

struct backup_agent {
    struct sys *sys;
    struct backup_job job;
    struct object_store_options store_options;
    struct object_store *store;
    void (*report)(void *ctx, bool failed, const char *sentence);
    void *report_ctx;
    char to[256], endpoint[256], region[64], key_id[256], secret[256], token[2048];
    int poller, handle;
    _Atomic bool stop;
    _Atomic uint64_t asked;
    /* agent only */
    uint64_t every_ns, due_ns; /* every 0: only when asked */
    bool looked;               /* what the store holds is known */
    struct metric_counter bytes_read, bytes_sent, failures, successes;
    struct metric_counter rpo, cut_s, success_s, failure_s, verified_s, duration, running, stored_bytes;
    /* under the lock */
    _Atomic bool locked;
    struct backup_facts facts;
};

static void lock(struct backup_agent *a) {
    while (atomic_exchange_explicit(&a->locked, true, memory_order_acquire))
        a->sys->pause(a->sys, 1000);
}

static void unlock(struct backup_agent *a) {
    atomic_store_explicit(&a->locked, false, memory_order_release);
}

/* ---- settings ---- */

/* Two or three lines: key id, secret, token of a temporary key. */
static enum weir_error read_credentials(struct backup_agent *a, const char *path) {
    struct weir_slice text;
    char *const out[] = {a->key_id, a->secret, a->token};
    const size_t size[] = {sizeof a->key_id, sizeof a->secret, sizeof a->token};
    enum weir_error e = sys_read_all(a->sys, path, SECRET_BYTES, &text);
    if (e) return weir_error_wrap(e, "backup.credentials");
    size_t at = 0;
    for (size_t i = 0; i < 3; i++) {
        size_t end = at;
        while (end < text.size && text.data[end] != '\n')
            end++;
        struct weir_slice line = text_trim(weir_slice(text.data + at, end - at));
        if (line.size < size[i]) {
            memcpy(out[i], line.data, line.size);
            out[i][line.size] = 0;
        }
        at = end < text.size ? end + 1 : end;
    }
    sys_bytes_free(text);
    if (a->key_id[0] && a->secret[0]) return WEIR_OK;
    return weir_error_context(WEIR_E_CONFIG,
        "backup.credentials: %s must hold the key id in its first line and the secret in the next", path);
}

static void keep_text(char *out, size_t size, const char *text) {
    snprintf(out, size, "%s", text ? text : "");
}

static enum weir_error take_options(struct backup_agent *a, const struct backup_agent_options *o) {
    const struct weir_setting_value *s = settings_of(o->settings, BACKUP_GROUP);
    a->sys = o->sys;
    a->report = o->report;
    a->report_ctx = o->report_ctx;
    a->poller = a->handle = -1;
    keep_text(a->to, sizeof a->to, s[BACKUP_TO].text);
    keep_text(a->endpoint, sizeof a->endpoint, s[BACKUP_ENDPOINT].text);
    keep_text(a->region, sizeof a->region, s[BACKUP_REGION].text);
    keep_text(a->key_id, sizeof a->key_id, o->key_id);
    keep_text(a->secret, sizeof a->secret, o->secret);
    keep_text(a->token, sizeof a->token, o->token);
    keep_text(a->facts.to, sizeof a->facts.to, a->to);
    a->every_ns = s[BACKUP_EVERY].number;
    a->job = (struct backup_job){.sys = o->sys,
        .log = o->log,
        .folder = settings_node(o->settings)[NODE_DATA].text,
        .weir = o->weir,
        .bytes_per_second = s[BACKUP_RATE].number,
        .keep = s[BACKUP_KEEP].number,
        .keep_ms = s[BACKUP_KEEP_AGE].number / SYS_NANOS_PER_MS,
        .stop = &a->stop};
    enum weir_error e = WEIR_OK;
    if (strlen(s[BACKUP_TO].text) >= sizeof a->to) e = weir_error_context(WEIR_E_CONFIG, "backup.to is too long");
    if (!e && s[BACKUP_CREDENTIALS].text[0]) e = read_credentials(a, s[BACKUP_CREDENTIALS].text);
    const struct object_store_options options = {.url = a->to,
        .endpoint = a->endpoint,
        .region = a->region,
        .key_id = a->key_id,
        .secret = a->secret,
        .token = a->token,
        .stop = &a->stop};
    if (!e) e = object_store_open(o->sys, &options, &a->store);
    a->job.store = a->store;
    return e ? weir_error_wrap(e, "backup.to") : WEIR_OK;
}

static void register_metrics(struct backup_agent *a, struct metric_registry *r) {
    const struct {
        enum metric_kind kind;
        const void *metric;
        const char *name, *help;
    } rows[] = {
        {METRIC_GAUGE_NS, &a->rpo, "weir_backup_rpo_seconds",
            "Since the last cut that is whole in the store: what a loss of this disk now would lose."},
        {METRIC_GAUGE, &a->cut_s, "weir_backup_cut_timestamp_seconds", "Of that cut, Unix time; 0: there is none."},
        {METRIC_GAUGE, &a->success_s, "weir_backup_success_timestamp_seconds", "When the last backup succeeded."},
        {METRIC_GAUGE, &a->failure_s, "weir_backup_failure_timestamp_seconds", "When the last backup failed."},
        {METRIC_GAUGE, &a->verified_s, "weir_backup_verified_restore_timestamp_seconds",
            "When a restore was last verified by replay (weir restore --verify); 0: never."},
        {METRIC_COUNTER, &a->successes, "weir_backup_successes_total", "Backups made."},
        {METRIC_COUNTER, &a->failures, "weir_backup_failures_total", "Backups that failed."},
        {METRIC_COUNTER, &a->bytes_sent, "weir_backup_sent_bytes_total", "Bytes that were new to the store."},
        {METRIC_GAUGE, &a->stored_bytes, "weir_backup_bytes", "Bytes of the last backup, all its files together."},
        {METRIC_GAUGE_NS, &a->duration, "weir_backup_duration_seconds", "Of the last backup that succeeded."},
        {METRIC_GAUGE, &a->running, "weir_backup_running", "1 while one is being made."},
    };
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows); i++)
        metric_register(r, rows[i].kind, rows[i].metric, rows[i].name, rows[i].help, NULL);
}

/* ---- one backup ---- */

/* What earlier lives of the node left in the store. */
static enum weir_error look(struct backup_agent *a) {
    char node[MANIFEST_NODE_SIZE];
    struct backup_entries entries;
    uint64_t cut_ms = 0, verified_ms = 0;
    enum weir_error e = identity_of(a->sys, a->job.folder, node);
    if (e) return e;
    e = backup_list(a->store, node, &entries);
    for (size_t i = entries.count; !e && i-- > 0 && cut_ms == 0;) {
        struct manifest m;
        enum weir_error loaded = backup_load(a->store, &entries.data[i], &m);
        if (!loaded) cut_ms = m.cut_ms;
        manifest_done(&m);
        if (loaded && loaded != WEIR_E_CORRUPT && loaded != WEIR_E_VERSION) e = loaded;
    }
    backup_entries_done(&entries);
    if (!e) e = backup_verified_at(a->store, node, &verified_ms);
    if (e) return e;
    lock(a);
    if (cut_ms > a->facts.cut_ms) a->facts.cut_ms = cut_ms;
    a->facts.verified_ms = verified_ms;
    unlock(a);
    return WEIR_OK;
}

static uint64_t now_ms(const struct backup_agent *a) {
    return a->sys->wall_ns(a->sys) / SYS_NANOS_PER_MS;
}

static void tell(struct backup_agent *a, enum weir_error e, const struct backup_result *r) {
    char text[400];
    if (e)
        snprintf(text, sizeof text, "the backup to %s failed: %s", a->to, weir_error_text());
    else
        snprintf(text, sizeof text, "backup %s to %s: %llu bytes, %llu new, in %.1f s", r->id, a->to,
            (unsigned long long)r->bytes, (unsigned long long)r->bytes_new, (double)r->elapsed_ns / 1e9);
    if (a->report) a->report(a->report_ctx, e != WEIR_OK, text);
}

static void note(struct backup_agent *a, enum weir_error e, const struct backup_result *r, uint64_t asked) {
    metric_add(e ? &a->failures : &a->successes, 1);
    metric_add(&a->bytes_sent, r->bytes_new);
    lock(a);
    if (r->id[0]) a->facts.cut_ms = r->cut_ms; /* the manifest is there, whatever went wrong behind it */
    if (e) {
        a->facts.failed++;
        a->facts.failure_ms = now_ms(a);
        snprintf(a->facts.failure, sizeof a->facts.failure, "%s", weir_error_text());
    } else {
        a->facts.made++;
        a->facts.success_ms = now_ms(a);
        a->facts.last = *r;
        metric_set(&a->duration, r->elapsed_ns);
        metric_set(&a->stored_bytes, r->bytes);
    }
    a->facts.finished = asked;
    a->facts.running = false;
    unlock(a);
    metric_set(&a->running, 0);
}

static void run(struct backup_agent *a, uint64_t asked) {
    struct backup_result result = {0};
    lock(a);
    a->facts.running = true;
    unlock(a);
    metric_set(&a->running, 1);
    enum weir_error e = backup_make(&a->job, &result);
    bool stopped = atomic_load(&a->stop) && e == WEIR_E_CLOSED;
    if (!stopped) tell(a, e, &result);
    note(a, e, &result, asked);
    a->looked = false; /* a restore may have been verified meanwhile */
    uint64_t retry = a->every_ns < RETRY_NS ? a->every_ns : RETRY_NS;
    a->due_ns = a->sys->mono_ns(a->sys) + (e ? retry : a->every_ns);
}

/* Of the first backup: `every` after the newest one that is there. */
static void schedule(struct backup_agent *a) {
    uint64_t wall = a->sys->wall_ns(a->sys), cut = a->facts.cut_ms * SYS_NANOS_PER_MS;
    uint64_t age = wall > cut ? wall - cut : 0;
    a->due_ns = a->sys->mono_ns(a->sys) + (age < a->every_ns ? a->every_ns - age : 0);
}

static uint32_t work(void *self, uint64_t block_ns) {
    struct backup_agent *a = self;
    struct sys_poll_event event;
    uint64_t asked = atomic_load_explicit(&a->asked, memory_order_acquire);
    if (!a->looked) {
        bool first = a->due_ns == 0;
        enum weir_error e = look(a);
        a->looked = true;
        if (e && first) tell(a, e, NULL);
        if (first) schedule(a);
    }
    bool due = a->every_ns > 0 && a->sys->mono_ns(a->sys) >= a->due_ns;
    if ((due || asked > a->facts.finished) && !atomic_load(&a->stop)) {
        run(a, asked);
        return 1;
    }
    (void)a->sys->poller_wait(a->sys, a->poller, &event, 1, block_ns);
    return 0;
}

/* ---- life ---- */

enum weir_error backup_agent_open(const struct backup_agent_options *options, struct backup_agent **ret_agent) {
    *ret_agent = NULL;
    if (settings_of(options->settings, BACKUP_GROUP)[BACKUP_TO].text[0] == 0) return WEIR_OK;
    struct backup_agent *a = weir_alloc(NULL, sizeof *a, _Alignof(struct backup_agent));
    if (!a) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for backups");
    memset(a, 0, sizeof *a);
    enum weir_error e = take_options(a, options);
    if (!e) e = a->sys->poller_open(a->sys, &a->poller);
    if (e) {
        backup_agent_close(a);
        return e;
    }
    if (options->metrics) register_metrics(a, options->metrics);
    *ret_agent = a;
    return WEIR_OK;
}

enum weir_error backup_agent_start(struct backup_agent *a) {
    if (!a) return WEIR_OK;
    const struct sys_agent agent = {.name = "backup", .do_work = work, .self = a, .background = true};
    return a->sys->agent_start(a->sys, &agent, a->poller, &a->handle);
}

void backup_agent_stop(struct backup_agent *a) {
    if (!a || a->handle < 0) return;
    atomic_store(&a->stop, true);
    a->sys->agent_stop(a->sys, a->handle);
    a->handle = -1;
}

void backup_agent_close(struct backup_agent *a) {
    if (!a) return;
    backup_agent_stop(a);
    if (a->poller >= 0) a->sys->poller_close(a->sys, a->poller);
    object_store_close(a->store);
    weir_dealloc(NULL, a, sizeof *a, _Alignof(struct backup_agent));
}

/* ---- for others ---- */

uint64_t backup_agent_ask(struct backup_agent *a) {
    uint64_t number = atomic_fetch_add(&a->asked, 1) + 1;
    a->sys->poller_wake(a->sys, a->poller);
    return number;
}

void backup_agent_facts(const struct backup_agent *agent, struct backup_facts *ret_facts) {
    struct backup_agent *a = (struct backup_agent *)(uintptr_t)agent;
    lock(a);
    *ret_facts = a->facts;
    unlock(a);
    uint64_t wall = a->sys->wall_ns(a->sys), cut = ret_facts->cut_ms * SYS_NANOS_PER_MS;
    ret_facts->rpo_ns = wall > cut ? wall - cut : 0;
}

void backup_agent_refresh(struct backup_agent *a) {
    struct backup_facts facts;
    backup_agent_facts(a, &facts);
    metric_set(&a->rpo, facts.rpo_ns);
    metric_set(&a->cut_s, facts.cut_ms / 1000);
    metric_set(&a->success_s, facts.success_ms / 1000);
    metric_set(&a->failure_s, facts.failure_ms / 1000);
    metric_set(&a->verified_s, facts.verified_ms / 1000);
}
