#include "load/link.h"
#include "base/units.h"
#include "load/curve.h"
#include <stdlib.h>

#define US_PER_S  1000000.0
#define NS_PER_US 1000u
#define SHAPE_MAX 64

static enum weir_error add(struct load_trace *trace, uint64_t at_us) {
    if (trace->count == LOAD_LINK_MOMENTS_MAX || at_us > UINT32_MAX)
        return weir_error_context(WEIR_E_TOO_LARGE, "a network trace has at most %u packets and lasts at most an hour",
            LOAD_LINK_MOMENTS_MAX);
    if (trace->count == trace->room) {
        uint32_t room = trace->room ? trace->room * 2 : 4096;
        uint32_t *moments = realloc(trace->moments_us, room * sizeof *moments);
        if (!moments) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a network trace of %u packets", room);
        trace->moments_us = moments;
        trace->room = room;
    }
    trace->moments_us[trace->count++] = (uint32_t)at_us;
    return WEIR_OK;
}

/* ---- reading ---- */

static struct weir_slice line_take(struct weir_slice *text) {
    const uint8_t *lf = memchr(text->data, '\n', text->size);
    size_t size = lf ? (size_t)(lf - text->data) : text->size;
    struct weir_slice line = text_trim(weir_slice(text->data, size));
    *text = weir_slice(text->data + size + (lf != NULL), text->size - size - (lf != NULL));
    if (line.size && line.data[line.size - 1] == '\r') line.size--;
    return line;
}

/* One number a line: mahimahi's. Two: seconds and Mbit/s. */
static bool is_mahimahi(struct weir_slice text) {
    struct weir_slice line = {0};
    while (text.size > 0 && (line.size == 0 || line.data[0] == '#'))
        line = line_take(&text);
    for (size_t i = 0; i < line.size; i++)
        if (line.data[i] < '0' || line.data[i] > '9') return false;
    return line.size > 0;
}

static enum weir_error read_mahimahi(struct load_trace *trace, struct weir_slice text) {
    uint64_t number = 0, before = 0;
    while (text.size > 0) {
        struct weir_slice line = line_take(&text);
        uint64_t ms = 0;
        number++;
        if (line.size == 0 || line.data[0] == '#') continue;
        if (parse_u64(line, &ms) != WEIR_OK || ms < before || ms > UINT32_MAX)
            return weir_error_context(
                WEIR_E_INVALID, "line %llu is not a rising number of milliseconds", (unsigned long long)number);
        before = ms;
        enum weir_error e = add(trace, ms * 1000);
        if (e != WEIR_OK) return e;
    }
    trace->length_us = before * 1000;
    return WEIR_OK;
}

/* The rate holds from its line's time to the next one's; a packet crosses when its last bit has. */
static enum weir_error take_average(void *context, double at_s, double mbit) {
    struct load_trace *trace = context;
    if (trace->count == 0 && trace->length_us == 0 && !(trace->before_mbit > 0))
        trace->first_s = trace->before_s = at_s;
    double packet_us = trace->before_mbit > 0 ? LOAD_LINK_PACKET * 8 / trace->before_mbit : 0;
    double at_us = (trace->before_s - trace->first_s) * US_PER_S - (double)trace->spare_us;
    double end_us = (at_s - trace->first_s) * US_PER_S;
    enum weir_error e = WEIR_OK;
    while (packet_us > 0 && e == WEIR_OK && at_us + packet_us <= end_us) {
        at_us += packet_us;
        e = add(trace, at_us > 0 ? (uint64_t)at_us : 0);
    }
    trace->spare_us = packet_us > 0 && end_us > at_us ? (uint64_t)(end_us - at_us) : 0;
    trace->before_s = at_s;
    trace->before_mbit = mbit;
    trace->length_us = (uint64_t)end_us;
    return e;
}

enum weir_error load_trace_init(struct load_trace *trace, struct weir_slice text) {
    *trace = (struct load_trace){0};
    enum weir_error e = is_mahimahi(text) ? read_mahimahi(trace, text) : load_pairs_parse(text, take_average, trace);
    if (e == WEIR_OK && (trace->count == 0 || trace->length_us == 0))
        e = weir_error_context(WEIR_E_INVALID, "no packet ever crosses in this trace");
    if (e != WEIR_OK) load_trace_done(trace);
    return e;
}

void load_trace_done(struct load_trace *trace) {
    free(trace->moments_us);
    *trace = (struct load_trace){0};
}

/* ---- crossing ---- */

/* Moment i of the endless repetition, us from the trace's first start. */
static uint64_t moment_us(const struct load_trace *trace, uint64_t i) {
    return i / trace->count * trace->length_us + trace->moments_us[i % trace->count];
}

/* The first moment at or after at_us. */
static uint64_t moment_after(const struct load_trace *trace, uint64_t at_us) {
    uint64_t round = at_us / trace->length_us, within = at_us % trace->length_us;
    uint32_t low = 0, high = trace->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (trace->moments_us[middle] < within)
            low = middle + 1;
        else
            high = middle;
    }
    return round * trace->count + low;
}

void load_link_init(struct load_link *link, const struct load_trace *trace, uint64_t delay_ns, uint64_t delay_sd_ns,
    uint32_t loss_ppm, struct prng *random) {
    *link = (struct load_link){.trace = trace, .delay_ns = delay_ns, .loss_ppm = loss_ppm};
    if (trace) link->start_us = prng_below(random, trace->length_us);
    if (delay_sd_ns) {
        double shape = (double)delay_ns / (double)delay_sd_ns;
        shape = shape * shape + 0.5;
        link->delay_shape = shape < 1 ? 1 : shape > SHAPE_MAX ? SHAPE_MAX : (uint32_t)shape;
    }
}

/* A gamma distribution of whole shape is a sum of exponential ones. */
uint64_t load_link_delay(const struct load_link *link, struct prng *random) {
    if (!link->delay_shape) return link->delay_ns;
    double sum = 0;
    for (uint32_t i = 0; i < link->delay_shape; i++)
        sum += prng_exponential(random, (double)link->delay_ns / link->delay_shape);
    return (uint64_t)sum;
}

/* Unused moments are over. */
static void pass(struct load_link *link, uint64_t now_ns) {
    uint64_t first = moment_after(link->trace, link->start_us + now_ns / NS_PER_US);
    if (first > link->next) link->next = first;
}

static uint64_t moment_ns(const struct load_link *link, uint64_t i) {
    uint64_t us = moment_us(link->trace, i);
    return us > link->start_us ? (us - link->start_us) * NS_PER_US : 0;
}

uint64_t load_link_cross(struct load_link *link, uint64_t now_ns, size_t size, struct prng *random, uint64_t *lost) {
    uint64_t packets = size / LOAD_LINK_PAYLOAD + (size % LOAD_LINK_PAYLOAD > 0), at = now_ns;
    if (link->trace) {
        pass(link, now_ns);
        link->next += packets;
        at = packets ? moment_ns(link, link->next - 1) : now_ns;
        if (at < now_ns) at = now_ns;
    }
    at += load_link_delay(link, random);
    /* Each loss doubles the wait, as TCP's timer does; ten in a row are beyond any plan. */
    for (unsigned again = 0; link->loss_ppm && again < 10 && prng_chance(random, link->loss_ppm, 1000000); again++) {
        at += LOAD_LINK_RETRY_NS << again;
        ++*lost;
    }
    if (at < link->last_ns) at = link->last_ns;
    link->last_ns = at;
    return at;
}

size_t load_link_allows(
    struct load_link *link, uint64_t since_ns, uint64_t now_ns, size_t size_max, uint64_t *ret_next_ns) {
    if (!link->trace) return size_max;
    pass(link, since_ns);
    uint64_t end = moment_after(link->trace, link->start_us + now_ns / NS_PER_US + 1);
    if (link->next >= end) {
        *ret_next_ns = moment_ns(link, link->next);
        return 0;
    }
    uint64_t packets = end - link->next, want = size_max / LOAD_LINK_PAYLOAD;
    if (want == 0) want = 1;
    if (packets > want) packets = want;
    link->next += packets;
    size_t bytes = (size_t)packets * LOAD_LINK_PAYLOAD;
    return bytes < size_max ? bytes : size_max;
}
