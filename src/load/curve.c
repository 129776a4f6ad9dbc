#include "load/curve.h"
#include "base/assert.h"
#include "base/units.h"
#include <math.h>
#include <stdlib.h>

#define DURATION_S 10.0
#define SPIKE      3.0
#define PERIOD_S   1.0
#define NANOS      1e9

static enum weir_error add(struct load_curve *curve, double at_s, double rate) {
    if (curve->count == curve->room) {
        uint32_t room = curve->room ? curve->room * 2 : 8;
        struct load_curve_point *points = realloc(curve->points, room * sizeof *points);
        if (curve->count >= LOAD_CURVE_POINTS_MAX)
            return weir_error_context(WEIR_E_TOO_LARGE, "a curve has at most %u points", LOAD_CURVE_POINTS_MAX);
        if (!points) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a curve of %u points", room);
        curve->points = points;
        curve->room = room;
    }
    struct load_curve_point *last = curve->count ? &curve->points[curve->count - 1] : NULL;
    double before = last ? last->before + (at_s - last->at_s) * (rate + last->rate) / 2 : 0;
    curve->points[curve->count++] = (struct load_curve_point){at_s, rate, before};
    curve->total = before;
    curve->duration_s = at_s;
    if (rate > curve->rate_max) curve->rate_max = rate;
    return WEIR_OK;
}

static enum weir_error add_all(struct load_curve *curve, const struct load_curve_point *points, size_t count) {
    enum weir_error e = WEIR_OK;
    for (size_t i = 0; i < count && e == WEIR_OK; i++)
        e = add(curve, points[i].at_s, points[i].rate);
    return e;
}

/* ---- traces ---- */

static bool is_blank(uint8_t c) {
    return c == ' ' || c == '\t' || c == ',';
}

/* The next word of a line; empty at its end. */
static struct weir_slice word_take(struct weir_slice *line) {
    size_t start = 0, end;
    while (start < line->size && is_blank(line->data[start]))
        start++;
    end = start;
    while (end < line->size && !is_blank(line->data[end]))
        end++;
    struct weir_slice word = weir_slice(line->data + start, end - start);
    *line = weir_slice(line->data + end, line->size - end);
    return word;
}

enum weir_error load_pairs_parse(struct weir_slice text, load_pair_fn *take, void *context) {
    uint64_t number = 0;
    double before = 0;
    while (text.size > 0) {
        const uint8_t *lf = memchr(text.data, '\n', text.size);
        size_t size = lf ? (size_t)(lf - text.data) : text.size;
        struct weir_slice line = weir_slice(text.data, size);
        text = weir_slice(text.data + size + (lf != NULL), text.size - size - (lf != NULL));
        if (line.size && line.data[line.size - 1] == '\r') line.size--;
        number++;
        struct weir_slice first = word_take(&line), second = word_take(&line);
        if (first.size == 0 || first.data[0] == '#') continue;
        double at = 0, value = 0;
        if (parse_double(first, &at) != WEIR_OK || parse_double(second, &value) != WEIR_OK || word_take(&line).size > 0)
            return weir_error_context(WEIR_E_INVALID, "line %llu is not two numbers", (unsigned long long)number);
        if (at < before || at > LOAD_SECONDS_MAX || value < 0 || value > LOAD_TRACE_VALUE_MAX)
            return weir_error_context(WEIR_E_INVALID,
                "line %llu: times rise, up to 1,000,000 s, and values are 0 to 1e9", (unsigned long long)number);
        before = at;
        enum weir_error e = take(context, at, value);
        if (e != WEIR_OK) return e;
    }
    return WEIR_OK;
}

static enum weir_error take_point(void *context, double at, double value) {
    struct load_curve *curve = context;
    /* A trace that begins later holds its first rate until then. */
    if (curve->count == 0 && at > 0) {
        enum weir_error e = add(curve, 0, value);
        if (e != WEIR_OK) return e;
    }
    return add(curve, at, value);
}

static enum weir_error trace_init(struct load_curve *curve, struct weir_slice text, double rate, double duration_s) {
    struct load_curve once = {0};
    enum weir_error e = load_pairs_parse(text, take_point, &once);
    if (e == WEIR_OK && (once.count < 2 || !(once.total > 0)))
        e = weir_error_context(WEIR_E_INVALID, "a trace of rates needs two lines and a rate above 0");
    double scale = rate > 0 && once.rate_max > 0 ? rate / once.rate_max : 1;
    if (!(duration_s > 0)) duration_s = once.duration_s;
    for (double start = 0; e == WEIR_OK && start < duration_s; start += once.duration_s)
        for (uint32_t i = 0; e == WEIR_OK && i < once.count && start + once.points[i].at_s <= duration_s; i++)
            e = add(curve, start + once.points[i].at_s, once.points[i].rate * scale);
    if (e == WEIR_OK && curve->duration_s < duration_s)
        e = add(curve, duration_s, curve->points[curve->count - 1].rate);
    load_curve_done(&once);
    return e;
}

/* ---- the forms ---- */

const char *load_curve_file(const char *text) {
    return text && strncmp(text, "trace:", 6) == 0 ? text + 6 : NULL;
}

/* "NAME" or "NAME:ARGUMENT"; the argument is empty without one. */
static bool form_is(const char *text, const char *name, struct weir_slice *ret_argument) {
    size_t size = strlen(name);
    if (strncmp(text, name, size) != 0 || (text[size] != 0 && text[size] != ':')) return false;
    *ret_argument = weir_slice_text(text[size] ? text + size + 1 : "");
    return text[size] == 0 || ret_argument->size > 0;
}

static enum weir_error form_init(struct load_curve *curve, const char *text, double r, double d) {
    struct weir_slice argument;
    double factor = SPIKE;
    uint64_t period_ns = 0;
    if (form_is(text, "steady", &argument) && argument.size == 0)
        return add_all(curve, (struct load_curve_point[]){{0, r, 0}, {d, r, 0}}, 2);
    if (form_is(text, "ramp", &argument) && argument.size == 0)
        return add_all(curve, (struct load_curve_point[]){{0, 0, 0}, {d, r, 0}}, 2);
    if (form_is(text, "spike", &argument)) {
        if (argument.size && (parse_double(argument, &factor) != WEIR_OK || !(factor > 0) || factor > 1e4))
            return weir_error_context(
                WEIR_E_INVALID, "%.60s: the factor is a number from 0 to 10,000, as in spike:3", text);
        double a = d / 3, b = 2 * d / 3;
        return add_all(curve,
            (struct load_curve_point[]){
                {0, r, 0}, {a, r, 0}, {a, r * factor, 0}, {b, r * factor, 0}, {b, r, 0}, {d, r, 0}},
            6);
    }
    if (form_is(text, "burst", &argument)) {
        if (argument.size && (parse_duration(argument, &period_ns) != WEIR_OK || period_ns == 0))
            return weir_error_context(WEIR_E_INVALID, "%.60s: the period is a time, as in burst:100ms", text);
        curve->period_s = period_ns ? (double)period_ns / NANOS : PERIOD_S;
        return add_all(curve, (struct load_curve_point[]){{0, r, 0}, {d, r, 0}}, 2);
    }
    return weir_error_context(WEIR_E_INVALID,
        "%.60s is no curve; there are steady, ramp, spike[:F], burst[:PERIOD], trace:FILE "
        "and, with --pcap, capture",
        text);
}

enum weir_error load_curve_init(
    struct load_curve *curve, const char *text, struct weir_slice trace, double rate, double duration_s) {
    *curve = (struct load_curve){0};
    enum weir_error e;
    if (load_curve_file(text))
        e = trace_init(curve, trace, rate, duration_s);
    else if (!(rate > 0))
        e = weir_error_context(WEIR_E_INVALID, "--rate is missing: requests per second, as in --rate 1k");
    else
        e = form_init(curve, text, rate, duration_s > 0 ? duration_s : DURATION_S);
    if (e == WEIR_OK && curve->total < 1)
        e = weir_error_context(WEIR_E_INVALID, "at this rate not one request is due within the duration");
    if (e != WEIR_OK) load_curve_done(curve);
    return e;
}

/* After the last one the mean gap passes, and it begins again. */
enum weir_error load_curve_capture(
    struct load_curve *curve, const uint64_t *times_ns, uint64_t count, double rate, double duration_s) {
    WEIR_ASSERT(count > 0);
    double last = (double)times_ns[count - 1];
    *curve = (struct load_curve){.times_ns = times_ns, .time_count = count, .stretch = 1};
    if (count < 2 || last <= 0)
        return weir_error_context(
            WEIR_E_INVALID, "the datagrams of this capture have no times that rise; give --rate and another --curve");
    curve->pass_ns = last * (double)count / (double)(count - 1);
    if (rate > 0) curve->stretch = (double)count / rate * NANOS / curve->pass_ns;
    double pass_s = curve->pass_ns * curve->stretch / NANOS;
    curve->duration_s = duration_s > 0 ? duration_s : pass_s;
    curve->rate_max = (double)count / pass_s;
    double passes = floor(curve->duration_s / pass_s);
    double rest_ns = (curve->duration_s - passes * pass_s) * NANOS / curve->stretch;
    uint64_t low = 0, high = count; /* those of the last pass that are due within the duration */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if ((double)times_ns[middle] < rest_ns)
            low = middle + 1;
        else
            high = middle;
    }
    curve->total = passes * (double)count + (double)low;
    if (curve->rate_max > LOAD_TRACE_VALUE_MAX || curve->duration_s > LOAD_SECONDS_MAX)
        return weir_error_context(WEIR_E_INVALID, "the capture is too fast or too long to be replayed; give --rate");
    if (curve->total < 1)
        return weir_error_context(WEIR_E_INVALID, "not one datagram of the capture is due within the duration");
    return WEIR_OK;
}

void load_curve_done(struct load_curve *curve) {
    free(curve->points);
    *curve = (struct load_curve){0};
}

uint64_t load_curve_due_ns(const struct load_curve *curve, double k, uint32_t *cursor) {
    if (curve->times_ns) {
        uint64_t n = (uint64_t)k, pass = n / curve->time_count;
        double at_ns = (double)pass * curve->pass_ns + (double)curve->times_ns[n % curve->time_count];
        return (uint64_t)(at_ns * curve->stretch);
    }
    uint32_t i = *cursor;
    while (i + 2 < curve->count && curve->points[i + 1].before <= k)
        i++;
    *cursor = i;
    const struct load_curve_point *a = &curve->points[i], *b = a + 1;
    /* m requests after a: the rate rises by `slope` a second, so m = t * rate + t^2 * slope / 2, in the form that does
     * not cancel. */
    double m = k - a->before, length = b->at_s - a->at_s;
    double slope = length > 0 ? (b->rate - a->rate) / length : 0;
    double root = a->rate * a->rate + 2 * slope * m;
    double bottom = a->rate + sqrt(root > 0 ? root : 0);
    double at = a->at_s + (bottom > 0 && m > 0 ? fmin(2 * m / bottom, length) : 0);
    if (curve->period_s > 0) at = floor(at / curve->period_s + 1e-9) * curve->period_s;
    return (uint64_t)(at * NANOS);
}
