/* A reload, as far as it is the edge's: what lanes take, the log's two settings, and the certificates. */
#include "edge/lane.h"

void reload_say_certificates(struct edge *edge, const struct live *live) {
    if (!live->tls) return;
    const struct tls_facts *facts = tls_facts(live->tls);
    char until[CIVIL_TEXT_SIZE];
    civil_format(facts->not_after_s * (int64_t)SYS_NANOS_PER_S, 0, until);
    const struct logline_field fields[] = {LOGLINE_TEXT("subject", facts->subject), LOGLINE_TEXT("until", until),
        LOGLINE_TEXT("sha256", facts->fingerprint), LOGLINE_NUMBER("certificates", facts->certificates)};
    logline_fields(&edge->log, facts->expired ? LOGLINE_WARN : LOGLINE_INFO,
        facts->expired ? "certificate_expired" : "certificate", fields, WEIR_ARRAY_COUNT(fields));
}

static void remember(struct edge *edge, const struct live *live) {
    struct reload_state *r = &edge->reload;
    live_done(&r->live);
    live_copy(&r->live, live);
    metric_set(&r->not_after_s, live->tls ? (uint64_t)tls_facts(live->tls)->not_after_s : 0);
    reload_measure(edge);
}

void reload_begin(struct edge *edge, struct live *live) {
    struct reload_state *r = &edge->reload;
    struct metric_registry *m = edge->options.metrics;
    remember(edge, live);
    live_done(live);
    r->files_hash = r->files_seen = live_files_hash(edge->sys, edge->options.settings);
    metric_set(&r->generation, 1);
    metric_set(&r->wall_ns, edge->started_wall_ns);
    if (!m) return;
    const struct {
        enum metric_kind kind;
        const void *metric;
        const char *name, *help;
    } rows[] = {
        {METRIC_GAUGE, &r->generation, "weir_config_generation", "Configurations put in force since the start."},
        {METRIC_GAUGE_NS, &r->wall_ns, "weir_config_loaded_seconds", "Unix time of the one in force."},
        {METRIC_COUNTER, &r->reloads, "weir_config_reloads_total", "Reloads that were put in force."},
        {METRIC_COUNTER, &r->refused, "weir_config_reloads_refused_total", "Reloads refused for a mistake."},
        {METRIC_GAUGE, &r->pending, "weir_config_pending_restart", "Settings whose change waits for a restart."},
        {METRIC_COUNTER, &r->certificates, "weir_tls_certificates_reloaded_total", "Changes of certificates' files."},
        {METRIC_COUNTER, &r->certificates_refused, "weir_tls_certificates_refused_total",
            "Changes of certificates' files that could not be put in force."},
        {METRIC_GAUGE, &r->not_after_s, "weir_tls_certificate_not_after_seconds",
            "Unix time at which the first certificate expires; 0: no TLS."},
        {METRIC_GAUGE, &r->days_left, "weir_tls_certificate_days_left", "Whole days until then; 0: none."},
    };
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows); i++)
        metric_register(m, rows[i].kind, rows[i].metric, rows[i].name, rows[i].help, NULL);
}

void reload_measure(struct edge *edge) {
    struct reload_state *r = &edge->reload;
    uint64_t now_s = edge->sys->wall_ns(edge->sys) / SYS_NANOS_PER_S, until_s = metric_get(&r->not_after_s);
    metric_set(&r->days_left, until_s > now_s ? (until_s - now_s) / 86400 : 0);
}

/* Every lane gets its own copy and takes it between two cycles. */
static void offer(struct edge *edge, const struct live *live) {
    for (uint32_t i = 0; i < edge->options.lanes; i++) {
        live_offer(&edge->lanes[i].offer, live);
        if (edge->lanes[i].poller >= 0) edge->sys->poller_wake(edge->sys, edge->lanes[i].poller);
    }
    remember(edge, live);
}

bool edge_reload_taken(const struct edge *edge) {
    for (uint32_t i = 0; i < edge->options.lanes; i++)
        if (!live_is_taken(&edge->lanes[i].offer)) return false;
    return true;
}

enum weir_error edge_reload_prepare(struct edge *edge, const struct settings *next, struct live *ret_live) {
    return live_read(edge->sys, next, false, ret_live);
}

void edge_reload_commit(
    struct edge *edge, struct live *live, const struct settings *next, const struct settings_rows *pending) {
    struct reload_state *r = &edge->reload;
    const struct weir_setting_value *s = settings_node(next);
    enum weir_error e = logline_set(&edge->log, s[NODE_LOG_LEVEL].text, s[NODE_LOG_FORMAT].text);
    WEIR_ASSERT(!e); /* edge_check() has seen them */
    uint64_t count = 0;
    for (uint32_t g = 0; g < SETTINGS_GROUPS_MAX; g++) {
        atomic_store_explicit(&r->pending_rows[g], pending->bits[g], memory_order_relaxed);
        count += (uint64_t)__builtin_popcountll(pending->bits[g]);
    }
    offer(edge, live);
    reload_say_certificates(edge, live);
    live_done(live);
    r->files_hash = r->files_seen = live_files_hash(edge->sys, next);
    metric_set(&r->pending, count);
    metric_set(&r->wall_ns, edge->sys->wall_ns(edge->sys));
    metric_add(&r->generation, 1);
    metric_add(&r->reloads, 1);
}

void edge_reload_refused(struct edge *edge) {
    metric_add(&edge->reload.refused, 1);
}

void edge_certificates_look(struct edge *edge, const struct settings *settings) {
    struct reload_state *r = &edge->reload;
    uint64_t hash = live_files_hash(edge->sys, settings);
    reload_measure(edge);
    /* Certificate and key are two files: what is seen twice alike is not half written. */
    bool settled = hash == r->files_seen;
    r->files_seen = hash;
    if (!settled || hash == r->files_hash) return;
    struct live live = {0};
    enum weir_error e = live_read(edge->sys, settings, false, &live);
    r->files_hash = hash; /* one that is wrong is told of once */
    if (e) {
        metric_add(&r->certificates_refused, 1);
        logline_error(&edge->log, LOGLINE_ERROR, "certificate_refused", e, NULL);
        return;
    }
    offer(edge, &live);
    reload_say_certificates(edge, &live);
    live_done(&live);
    metric_add(&r->certificates, 1);
}

void reload_print(const struct edge *edge, struct json_writer *w) {
    const struct reload_state *r = &edge->reload;
    const struct settings *settings = edge->options.settings;
    json_write_key(w, "config");
    json_write_object_open(w);
    json_put_u64(w, "generation", metric_get(&r->generation));
    json_put_u64(w, "loadedUnixMs", metric_get(&r->wall_ns) / SYS_NANOS_PER_MS);
    json_write_key(w, "needsRestart");
    json_write_array_open(w);
    for (uint32_t g = 0; settings && g < settings->count && g < SETTINGS_GROUPS_MAX; g++) {
        uint64_t bits =
            atomic_load_explicit(&((struct reload_state *)(uintptr_t)r)->pending_rows[g], memory_order_relaxed);
        for (uint32_t i = 0; i < settings->groups[g].count && i < SETTINGS_ROWS_MAX; i++) {
            char key[200];
            if (!(bits >> i & 1)) continue;
            settings_key(settings, g, i, key, sizeof key);
            json_write_text(w, key);
        }
    }
    json_write_array_close(w);
    json_write_object_close(w);
}
