/* Objectives: parsed, judged. */
#include "base/units.h"
#include "load/report.h"

static enum weir_error bad(struct weir_slice text) {
    char quoted[80];
    struct text_builder t = TEXT_BUILDER(quoted);
    text_add_quoted(&t, text, 40);
    return weir_error_context(WEIR_E_INVALID,
        "%s is no objective; write p99=50ms, p99.9=1s, max=2s, mean=5ms, errors=0.1%% or rate=9.9k, with commas "
        "between",
        quoted);
}

static enum weir_error bound_parse(struct load_objective *o, struct weir_slice name, struct weir_slice value) {
    uint64_t ns = 0;
    uint32_t ppm = 0;
    double percent = 0;
    if (weir_slice_equal(name, weir_slice_text("errors"))) {
        o->kind = LOAD_OBJECTIVE_ERRORS;
        enum weir_error e = load_share_parse(value, &ppm);
        o->bound = (double)ppm / 1e6;
        return e;
    }
    if (weir_slice_equal(name, weir_slice_text("rate"))) {
        o->kind = LOAD_OBJECTIVE_RATE;
        return load_rate_parse(value, &o->bound);
    }
    if (weir_slice_equal(name, weir_slice_text("max"))) {
        o->kind = LOAD_OBJECTIVE_MAX;
    } else if (weir_slice_equal(name, weir_slice_text("mean"))) {
        o->kind = LOAD_OBJECTIVE_MEAN;
    } else {
        struct weir_slice digits = weir_slice(name.data + 1, name.size - 1);
        if (name.data[0] != 'p' || parse_double(digits, &percent) != WEIR_OK || !(percent > 0) || percent >= 100)
            return WEIR_E_INVALID;
        o->kind = LOAD_OBJECTIVE_QUANTILE;
        o->quantile = percent / 100;
    }
    enum weir_error e = parse_duration(value, &ns);
    o->bound = (double)ns;
    return e;
}

static enum weir_error objective_parse(struct weir_slice text, struct load_objective *ret) {
    const uint8_t *equals = text.size ? memchr(text.data, '=', text.size) : NULL;
    size_t size = equals ? (size_t)(equals - text.data) : 0;
    struct load_objective o = {0};
    if (size == 0 || size >= sizeof o.name) return bad(text);
    memcpy(o.name, text.data, size);
    struct weir_slice value = weir_slice(equals + 1, text.size - size - 1);
    if (bound_parse(&o, weir_slice(text.data, size), value) != WEIR_OK) return bad(text);
    *ret = o;
    return WEIR_OK;
}

enum weir_error load_objectives_parse(const char *text, struct load_objectives *ret_objectives) {
    struct load_objectives all = {0};
    bool has_errors = false;
    while (*text) {
        size_t size = strcspn(text, ",");
        if (all.count + 1 >= LOAD_OBJECTIVES_MAX)
            return weir_error_context(WEIR_E_TOO_LARGE, "at most %d objectives", LOAD_OBJECTIVES_MAX - 1);
        enum weir_error e = objective_parse(weir_slice(text, size), &all.items[all.count]);
        if (e != WEIR_OK) return e;
        has_errors |= all.items[all.count++].kind == LOAD_OBJECTIVE_ERRORS;
        text += size + (text[size] == ',');
    }
    if (all.count == 0) return bad(weir_slice(text, 0));
    if (!has_errors) all.items[all.count++] = (struct load_objective){.kind = LOAD_OBJECTIVE_ERRORS, .name = "errors"};
    *ret_objectives = all;
    return WEIR_OK;
}

static double measure(const struct load_objective *o, const struct load_result *r) {
    double seconds = r->seconds > r->wanted_s ? r->seconds : r->wanted_s;
    switch (o->kind) {
    case LOAD_OBJECTIVE_QUANTILE:
        return (double)histogram_quantile(&r->latency, o->quantile);
    case LOAD_OBJECTIVE_MAX:
        return (double)histogram_max(&r->latency);
    case LOAD_OBJECTIVE_MEAN:
        return histogram_mean(&r->latency);
    case LOAD_OBJECTIVE_ERRORS:
        return r->counts.planned ? (double)load_result_failures(r) / (double)r->counts.planned : 0;
    case LOAD_OBJECTIVE_RATE:
        return seconds > 0 ? (double)r->counts.answered / seconds : 0;
    }
    return 0;
}

bool load_objectives_judge(struct load_objectives *objectives, const struct load_result *result) {
    bool all = true;
    for (uint32_t i = 0; i < objectives->count; i++) {
        struct load_objective *o = &objectives->items[i];
        o->measured = measure(o, result);
        o->is_met = o->kind == LOAD_OBJECTIVE_RATE ? o->measured >= o->bound : o->measured <= o->bound;
        /* Nothing was answered: there is no latency that could be good. */
        if (o->kind < LOAD_OBJECTIVE_ERRORS && result->latency.count == 0) o->is_met = false;
        all &= o->is_met;
    }
    return all;
}
