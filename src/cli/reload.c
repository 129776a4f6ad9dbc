#include "cli/reload.h"
#include "edge/logline.h"

static const struct settings *in_force(const struct reload *r) {
    return r->current ? r->current : r->started;
}

/* Which listeners have TLS is decided at the start: the first certificate, or none any more, has to wait. */
static bool tls_comes_or_goes(const struct reload *r, const struct settings *next) {
    return !settings_node(r->started)[NODE_TLS_CERT].text[0] != !settings_node(next)[NODE_TLS_CERT].text[0];
}

static bool may_change(const struct reload *r, const struct settings *next, uint32_t group, uint32_t row) {
    const struct settings_group *g = &next->groups[group];
    bool is_tls = group == 0 && text_starts_with(weir_slice_text(g->rows[row].name), "tls.");
    if (is_tls && tls_comes_or_goes(r, next)) return false;
    return g->rows[row].live && (group == 0 || host_reload_has_room(r->host, g->name, row, g->values[row].number));
}

/* What has to wait stays in `next` as it was at the start, so that `next` is what is in force. */
static enum weir_error hold_back(const struct reload *r, struct settings *next, struct settings_rows *ret_pending) {
    enum weir_error e = WEIR_OK;
    struct settings_rows differ;
    settings_compare(r->started, next, &differ);
    *ret_pending = differ;
    for (uint32_t g = 0; g < next->count; g++)
        for (uint32_t i = 0; i < next->groups[g].count; i++)
            if ((differ.bits[g] >> i & 1) && may_change(r, next, g, i)) ret_pending->bits[g] &= ~(1ull << i);
    for (uint32_t g = 0; g < next->count; g++)
        for (uint32_t i = 0; i < next->groups[g].count && e == WEIR_OK; i++)
            if (ret_pending->bits[g] >> i & 1) e = settings_copy_row(next, in_force(r), g, i);
    return e;
}

static void put_rows(
    struct json_writer *w, const char *name, const struct settings *s, const struct settings_rows *rows) {
    json_write_key(w, name);
    json_write_array_open(w);
    for (uint32_t g = 0; g < s->count; g++)
        for (uint32_t i = 0; i < s->groups[g].count; i++) {
            char key[200];
            if (!(rows->bits[g] >> i & 1)) continue;
            settings_key(s, g, i, key, sizeof key);
            json_write_text(w, key);
        }
    json_write_array_close(w);
}

static void describe(struct text_builder *t, const struct settings *s, const struct settings_rows *changed,
    const struct settings_rows *pending) {
    struct json_writer w = json_writer(t, false);
    json_write_object_open(&w);
    put_rows(&w, "changed", s, changed);
    put_rows(&w, "needsRestart", s, pending);
    json_write_object_close(&w);
}

/* Two sets back nobody looks any more. */
static void keep(struct reload *r, struct settings *next) {
    settings_free(r->previous);
    r->previous = r->current;
    r->current = next;
}

static enum weir_error put_in_force(struct reload *r, struct settings *next, struct text_builder *t) {
    struct settings_rows changed, pending;
    struct live live = {0};
    struct otlp_target target;
    enum weir_error e = hold_back(r, next, &pending);
    if (e == WEIR_OK) e = host_reload_check(r->host, next);
    if (e == WEIR_OK) e = otlp_reload_prepare(r->otlp, next, &target);
    if (e == WEIR_OK) e = edge_reload_prepare(r->edge, next, &live);
    if (e != WEIR_OK) {
        mistakes_add(&r->mistakes, weir_error_text());
        return WEIR_E_CONFIG;
    }
    settings_compare(in_force(r), next, &changed);
    host_reload(r->host, next);
    otlp_reload_commit(r->otlp, &target);
    edge_reload_commit(r->edge, &live, next, &pending);
    describe(t, next, &changed, &pending);
    keep(r, next);
    return WEIR_OK;
}

static enum weir_error run(struct reload *r, struct text_builder *t) {
    if (r->current && (!host_reload_taken(r->host) || !edge_reload_taken(r->edge)))
        return weir_error_context(WEIR_E_CONFLICT, "lanes have not taken the previous reload yet; try again");
    struct settings *next = NULL;
    enum weir_error e = configuration_load(r->sys, r->configuration, r->services, &r->mistakes, &next);
    if (e == WEIR_OK) e = put_in_force(r, next, t);
    if (e == WEIR_OK) return WEIR_OK;
    if (next) settings_free(next);
    edge_reload_refused(r->edge);
    text_add(t, r->mistakes.text);
    return weir_error_context(WEIR_E_CONFIG, "the configuration has %u mistake%s, and the old one stays in force: %.*s",
        r->mistakes.count, r->mistakes.count == 1 ? "" : "s", (int)strcspn(r->mistakes.text, "\n"), r->mistakes.text);
}

static bool enter(struct reload *r) {
    return !atomic_exchange_explicit(&r->busy, true, memory_order_acquire);
}

enum weir_error reload_run(struct reload *r, char *ret_text, size_t size) {
    struct text_builder t = text_builder(ret_text, size);
    if (!enter(r)) return weir_error_context(WEIR_E_CONFLICT, "another reload is under way");
    enum weir_error e = run(r, &t);
    if (e == WEIR_E_CONFLICT) {
        (void)e;
    } else if (e == WEIR_OK) {
        const struct logline_field field = LOGLINE_TEXT("result", ret_text);
        logline_fields(edge_log(r->edge), LOGLINE_INFO, "config_reloaded", &field, 1);
    } else {
        const struct logline_field field = LOGLINE_TEXT("detail", weir_error_text());
        logline_fields(edge_log(r->edge), LOGLINE_ERROR, "config_refused", &field, 1);
    }
    atomic_store_explicit(&r->busy, false, memory_order_release);
    return e;
}

void reload_look(struct reload *r) {
    if (!enter(r)) return; /* a reload reads them itself */
    edge_certificates_look(r->edge, in_force(r));
    atomic_store_explicit(&r->busy, false, memory_order_release);
}

void reload_done(struct reload *r) {
    settings_free(r->previous);
    settings_free(r->current);
    r->previous = r->current = NULL;
}
