/* Two results side by side. */
#include "base/json.h"
#include "load/report.h"

static const char *const figures[][2] = {{"", "answered_per_s"}, {"", "answered"}, {"", "failures"}, {"", "bytes_in"},
    {"latency", "mean_ms"}, {"latency", "p50_ms"}, {"latency", "p90_ms"}, {"latency", "p99_ms"},
    {"latency", "p99.9_ms"}, {"latency", "p99.99_ms"}, {"latency", "max_ms"}, {"from_send", "p50_ms"},
    {"from_send", "p99_ms"}, {"late", "p99_ms"}};
#define FIGURES (sizeof figures / sizeof *figures)

struct figures {
    double values[FIGURES];
    bool has[FIGURES], is_valid;
};

static void take(struct figures *f, const char *object, const struct json_reader *key, struct json_reader *r) {
    double value = 0;
    for (size_t i = 0; i < FIGURES; i++)
        if (strcmp(figures[i][0], object) == 0 && json_text_is(key, figures[i][1]) && json_get_double(r, &value)) {
            f->values[i] = value;
            f->has[i] = true;
        }
}

static void read_object(struct figures *f, struct json_reader *r, const char *object) {
    while (json_next(r) == JSON_KEY) {
        struct json_reader key = *r;
        enum json_token token = json_next(r);
        if (token == JSON_OBJECT_OPEN && object[0] == 0 && json_text_is(&key, "latency"))
            read_object(f, r, "latency");
        else if (token == JSON_OBJECT_OPEN && object[0] == 0 && json_text_is(&key, "from_send"))
            read_object(f, r, "from_send");
        else if (token == JSON_OBJECT_OPEN && object[0] == 0 && json_text_is(&key, "late"))
            read_object(f, r, "late");
        else if (token == JSON_OBJECT_OPEN || token == JSON_ARRAY_OPEN)
            json_skip_value(r);
        else if (token == JSON_FALSE && object[0] == 0 && json_text_is(&key, "valid"))
            f->is_valid = false;
        else
            take(f, object, &key, r);
    }
}

static enum weir_error read_result(struct weir_slice text, const char *which, struct figures *f) {
    struct json_reader r = json_reader(text, 0);
    *f = (struct figures){.is_valid = true};
    if (json_next(&r) == JSON_OBJECT_OPEN) read_object(f, &r, "");
    if (json_next(&r) == JSON_END && f->has[0]) return WEIR_OK;
    return weir_error_context(WEIR_E_INVALID, "the %s file is no result of `weir load --json`%s%s", which,
        r.error ? ": " : "", r.error ? r.error : "");
}

enum weir_error load_report_compare(struct text_builder *out, struct weir_slice before, struct weir_slice after) {
    struct figures a, b;
    enum weir_error e = read_result(before, "first", &a);
    if (e == WEIR_OK) e = read_result(after, "second", &b);
    if (e != WEIR_OK) return e;
    text_printf(out, "%-22s %14s %14s %10s\n", "", "first", "second", "ratio");
    for (size_t i = 0; i < FIGURES; i++) {
        if (!a.has[i] || !b.has[i]) continue;
        char name[48];
        struct text_builder t = TEXT_BUILDER(name);
        text_printf(&t, "%s%s%s", figures[i][0], figures[i][0][0] ? " " : "", figures[i][1]);
        text_printf(out, "%-22s %14.3f %14.3f", name, a.values[i], b.values[i]);
        if (a.values[i] > 0)
            text_printf(out, " %9.2fx\n", b.values[i] / a.values[i]);
        else
            text_printf(out, " %10s\n", "-");
    }
    if (!a.is_valid || !b.is_valid)
        text_printf(out, "the %s is INVALID: its generator did not keep up\n",
            a.is_valid   ? "second"
            : b.is_valid ? "first"
                         : "first and the second");
    return WEIR_OK;
}
