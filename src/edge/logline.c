/* Log lines: built in a local buffer, put in one call, so that lines of several threads never mix. */
#include "edge/logline.h"

#include "base/civil.h"
#include "base/hash.h"

static const char *const level_names[] = {"debug", "info", "warn", "error"};

enum weir_error logline_set(struct logline *log, const char *level_name, const char *format) {
    unsigned level = 0;
    while (level < WEIR_ARRAY_COUNT(level_names) && strcmp(level_names[level], level_name) != 0)
        level++;
    if (level == WEIR_ARRAY_COUNT(level_names))
        return weir_error_context(
            WEIR_E_CONFIG, "log_level is '%.40s'; it may be debug, info, warn or error", level_name);
    bool json = strcmp(format, "json") == 0;
    if (!json && strcmp(format, "logfmt") != 0)
        return weir_error_context(WEIR_E_CONFIG, "log_format is '%.40s'; it may be logfmt or json", format);
    if (!log) return WEIR_OK;
    atomic_store_explicit(&log->level, (enum logline_level)level, memory_order_relaxed);
    atomic_store_explicit(&log->json, json, memory_order_relaxed);
    return WEIR_OK;
}

enum weir_error logline_init(struct logline *log, struct sys *sys, const char *level_name, const char *format) {
    log->sys = sys;
    return logline_set(log, level_name, format);
}

static bool is_bare(const char *text) {
    if (!*text) return false;
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c >= 127 || *c == '"' || *c == '=' || *c == '\\') return false;
    return true;
}

static void add_logfmt(struct text_builder *t, const struct logline_field *f) {
    text_add_char(t, ' ');
    text_add(t, f->key);
    text_add_char(t, '=');
    if (!f->text)
        text_add_u64(t, f->number);
    else if (is_bare(f->text) && strlen(f->text) <= LOGLINE_DETAIL_MAX)
        text_add(t, f->text);
    else
        text_add_quoted(t, weir_slice_text(f->text), LOGLINE_DETAIL_MAX);
}

static void add_json(struct json_writer *w, const struct logline_field *f) {
    json_write_key(w, f->key);
    if (!f->text) {
        json_write_u64(w, f->number);
        return;
    }
    struct weir_slice s = weir_slice_text(f->text);
    json_write_slice(w, weir_slice(s.data, utf8_cut(s, s.size < LOGLINE_DETAIL_MAX ? s.size : LOGLINE_DETAIL_MAX)));
}

void logline_fields(struct logline *log, enum logline_level level, const char *event,
    const struct logline_field *fields, size_t count) {
    if (!logline_wants(log, level)) return;
    char line[LOGLINE_BYTES_MAX], time[CIVIL_TEXT_SIZE];
    civil_format((int64_t)log->sys->wall_ns(log->sys), 3, time);
    struct text_builder t = text_builder(line, sizeof line - 1); /* one byte is kept for the newline */
    if (log->json) {
        struct json_writer w = json_writer(&t, 0);
        json_write_object_open(&w);
        json_put_text(&w, "time", time);
        json_put_text(&w, "level", level_names[level]);
        json_put_text(&w, "event", event);
        for (size_t i = 0; i < count; i++)
            add_json(&w, &fields[i]);
        json_write_object_close(&w);
    } else {
        text_printf(&t, "time=%s level=%s event=%s", time, level_names[level], event);
        for (size_t i = 0; i < count; i++)
            add_logfmt(&t, &fields[i]);
    }
    line[t.size] = '\n';
    log->put(log->ctx, line, t.size + 1);
}

#define FIELDS_MAX 16
#define SEPARATOR  '\x1f'

void logline_write(struct logline *log, enum logline_level level, const char *event, const char *format, ...) {
    if (!logline_wants(log, level)) return;
    /* The format's own blanks become separators before values are put in, so that a blank in a value stays one. */
    char split[256], text[1024];
    struct text_builder s = TEXT_BUILDER(split), t = TEXT_BUILDER(text);
    for (const char *c = format; *c; c++)
        text_add_char(&s, *c == ' ' ? SEPARATOR : *c);
    va_list args;
    va_start(args, format);
    text_vprintf(&t, split, args);
    va_end(args);
    struct logline_field fields[FIELDS_MAX];
    size_t count = 0;
    for (char *at = text; at && *at && count < FIELDS_MAX;) {
        char *next = strchr(at, SEPARATOR), *equal = strchr(at, '=');
        if (next) *next++ = 0;
        if (equal && (!next || equal < next)) {
            *equal = 0;
            fields[count++] = LOGLINE_TEXT(at, equal + 1);
        }
        at = next;
    }
    logline_fields(log, level, event, fields, count);
}

static struct logline_site *site_of(
    struct logline *log, enum logline_level level, const char *event, const char *detail) {
    uint64_t hash = hash_bytes(event, strlen(event), hash_bytes(detail, strlen(detail), 1)) | 1;
    for (unsigned i = 0; i < LOGLINE_SITES; i++) {
        struct logline_site *s = &log->sites[i];
        uint64_t found = atomic_load_explicit(&s->hash, memory_order_acquire);
        if (found == 0 && atomic_compare_exchange_strong(&s->hash, &found, hash)) {
            struct text_builder e = TEXT_BUILDER(s->event), d = TEXT_BUILDER(s->detail);
            text_add(&e, event);
            text_add(&d, detail);
            s->level = (uint8_t)level;
            atomic_store_explicit(&s->named, true, memory_order_release);
            return s;
        }
        if (found == hash) return s;
    }
    return NULL;
}

void logline_error(
    struct logline *log, enum logline_level level, const char *event, enum weir_error error, const char *detail) {
    if (!detail) detail = error ? weir_error_text() : "";
    if (!*detail && error) detail = weir_error_sentence(error);
    struct logline_site *site = site_of(log, level, event, detail);
    uint64_t left_out = 0;
    if (site) {
        uint64_t now = log->sys->mono_ns(log->sys);
        bool first = atomic_fetch_add(&site->count, 1) == 0;
        atomic_store(&site->last_wall_ns, log->sys->wall_ns(log->sys));
        uint64_t written = atomic_load(&site->written_ns);
        if (!first && now - written < LOGLINE_QUIET_NS) {
            atomic_fetch_add(&site->left_out, 1);
            return;
        }
        atomic_store(&site->written_ns, now);
        left_out = atomic_exchange(&site->left_out, 0);
    } else {
        atomic_fetch_add(&log->overflowed, 1);
        return;
    }
    struct logline_field fields[] = {LOGLINE_TEXT("error", weir_error_name(error)), LOGLINE_TEXT("detail", detail),
        LOGLINE_NUMBER("repeated", left_out)};
    logline_fields(log, level, event, fields, left_out ? 3 : 2);
}

void logline_print_errors(struct logline *log, struct json_writer *w) {
    json_write_array_open(w);
    for (unsigned i = 0; i < LOGLINE_SITES; i++) {
        struct logline_site *s = &log->sites[i];
        if (!atomic_load_explicit(&s->named, memory_order_acquire)) continue;
        char time[CIVIL_TEXT_SIZE];
        civil_format((int64_t)atomic_load(&s->last_wall_ns), 3, time);
        json_write_object_open(w);
        json_put_text(w, "event", s->event);
        json_put_text(w, "level", level_names[s->level]);
        json_put_u64(w, "count", atomic_load(&s->count));
        json_put_text(w, "lastTime", time);
        json_put_text(w, "detail", s->detail);
        json_write_object_close(w);
    }
    json_write_array_close(w);
}
