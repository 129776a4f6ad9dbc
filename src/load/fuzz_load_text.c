/* Everything a person or a file tells the generator: URLs, numbers, templates, rates, network traces, captures,
 * objectives, results to compare. Taken apart, or refused with a sentence; what is taken keeps its promises.
 * Input: a byte that chooses, then the text. Covers: compare.c curve.c link.c objective.c pcap.c rtt.c target.c
 * template.c.
 */
#include "base/assert.h"
#include "load/link.h"
#include "load/pcap.h"
#include "load/report.h"
#include "load/target.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void refused(enum weir_error e) {
    WEIR_ASSERT(e == WEIR_OK || weir_error_text()[0] != 0);
}

static void try_target(const char *text) {
    struct load_target target;
    double rate;
    uint32_t ppm;
    enum weir_error e = load_target_parse(text, &target);
    refused(e);
    if (e == WEIR_OK)
        WEIR_ASSERT(target.port > 0 && target.host[0] && target.path[0] == '/' && load_scheme_name(&target));
    e = load_rate_parse(weir_slice_text(text), &rate);
    refused(e);
    if (e == WEIR_OK) WEIR_ASSERT(rate > 0 && rate <= LOAD_RATE_MAX);
    e = load_share_parse(weir_slice_text(text), &ppm);
    refused(e);
    if (e == WEIR_OK) WEIR_ASSERT(ppm <= 1000000);
}

static void try_template(struct weir_slice text) {
    struct load_lines lines = {0};
    struct load_template template;
    enum weir_error e = load_lines_init(&lines, text);
    refused(e);
    e = load_template_init(&template, text, e == WEIR_OK ? &lines : NULL);
    refused(e);
    if (e == WEIR_OK) {
        uint8_t *a = malloc(template.size_max + 1), *b = malloc(template.size_max + 1);
        for (uint64_t n = 0; n < 3; n++) {
            size_t first = load_template_render(&template, 5, n * UINT64_C(0x5555555555555555), 1, a);
            size_t again = load_template_render(&template, 5, n * UINT64_C(0x5555555555555555), 1, b);
            WEIR_ASSERT(first <= template.size_max && first == again && memcmp(a, b, first) == 0);
        }
        free(a);
        free(b);
        load_template_done(&template);
    }
    load_lines_done(&lines);
}

/* Every curve is a schedule that rises within its duration. */
static void try_curve(const char *text, struct weir_slice trace) {
    struct load_curve curve;
    enum weir_error e = load_curve_init(&curve, text, trace, text[0] == 't' ? 0 : 100, 3);
    refused(e);
    if (e != WEIR_OK) return;
    uint64_t before = 0;
    uint32_t cursor = 0;
    double step = curve.total > 200 ? curve.total / 200 : 1;
    for (int i = 0; i * step < curve.total; i++) {
        uint64_t at = load_curve_due_ns(&curve, i * step, &cursor);
        WEIR_ASSERT(at >= before && (double)at <= curve.duration_s * 1e9 + 1);
        before = at;
    }
    load_curve_done(&curve);
}

static void try_trace(struct weir_slice text) {
    struct load_trace trace;
    struct load_link link;
    struct prng random = prng_seed(text.size);
    enum weir_error e = load_trace_init(&trace, text);
    refused(e);
    if (e != WEIR_OK) return;
    load_link_init(&link, &trace, 1000, text.size % 2 ? 500 : 0, 10000, &random);
    uint64_t before = 0, lost = 0, next = 0;
    for (uint64_t now = 0; now < 100; now++) {
        uint64_t at = load_link_cross(&link, now * 1000000, now * 100, &random, &lost);
        WEIR_ASSERT(at >= now * 1000000 && at >= before);
        before = at;
    }
    load_link_init(&link, &trace, 0, 0, 0, &random);
    for (uint64_t now = 1; now < 100; now++) {
        size_t allowed = load_link_allows(&link, now * 1000000 - 1000, now * 1000000, 5000, &next);
        WEIR_ASSERT(allowed <= 5000 && (allowed || next > now * 1000000 - 1000));
    }
    load_link_init(&link, NULL, 0, 0, 0, &random);
    WEIR_ASSERT(load_link_allows(&link, 0, 0, 7, &next) == 7);
    load_trace_done(&trace);
}

/* The schedule of a capture rises, within its duration. */
static void try_times(const struct load_lines *packets) {
    struct load_curve curve;
    uint32_t cursor = 0;
    for (int i = 0; i < 2; i++) {
        enum weir_error e = load_curve_capture(&curve, packets->times_ns, packets->count, i ? 50 : 0, i ? 3 : 0);
        refused(e);
        uint64_t before = 0;
        for (uint64_t k = 0; e == WEIR_OK && k < 200 && (double)k < curve.total; k++) {
            uint64_t at = load_curve_due_ns(&curve, (double)k, &cursor);
            WEIR_ASSERT(at >= before && (double)at <= curve.duration_s * 1e9 + 1);
            before = at;
        }
        load_curve_done(&curve);
    }
}

static void try_capture(struct weir_slice file) {
    struct load_lines packets;
    enum weir_error e = load_pcap_init(&packets, file);
    refused(e);
    for (uint64_t i = 0; e == WEIR_OK && i < packets.count; i++)
        WEIR_ASSERT(packets.items[i].size <= packets.size_max && packets.items[i].data >= file.data &&
                    packets.items[i].data + packets.items[i].size <= file.data + file.size);
    if (e == WEIR_OK) try_times(&packets);
    load_lines_done(&packets);
}

static void try_rtts(struct weir_slice text) {
    struct load_rtts rtts;
    for (int i = 0; i < 2; i++) {
        enum weir_error e = load_rtts_init(&rtts, text, i ? "A" : "");
        refused(e);
        if (e != WEIR_OK) continue;
        for (uint32_t k = 0; k < rtts.count; k++)
            WEIR_ASSERT(rtts.items[k].delay_ns <= LOAD_RTT_MS_MAX * 1e6 && rtts.items[k].name[0]);
        load_rtts_done(&rtts);
    }
}

static void try_result(const char *text, struct weir_slice bytes) {
    static char words[4096];
    struct load_objectives all;
    struct load_result result;
    struct text_builder t = TEXT_BUILDER(words);
    enum weir_error e = load_result_init(&result);
    WEIR_ASSERT(e == WEIR_OK);
    e = load_objectives_parse(text, &all);
    refused(e);
    if (e == WEIR_OK) {
        WEIR_ASSERT(all.count >= 2 || all.items[0].kind == LOAD_OBJECTIVE_ERRORS);
        (void)load_objectives_judge(&all, &result);
        histogram_record(&result.latency, 1000);
        result.wanted_s = 1;
        (void)load_objectives_judge(&all, &result);
    }
    load_result_done(&result);
    const uint8_t *half = bytes.size ? memchr(bytes.data, '\n', bytes.size) : NULL;
    size_t first = half ? (size_t)(half - bytes.data) : bytes.size;
    refused(load_report_compare(&t, weir_slice(bytes.data, first), weir_slice(bytes.data + first, bytes.size - first)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 1 << 16) return 0;
    struct weir_slice bytes = weir_slice(data + 1, size - 1);
    char *text = malloc(size);
    memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = 0;
    switch (data[0] % 7) {
    case 0:
        try_target(text);
        break;
    case 1:
        try_template(bytes);
        break;
    case 2:
        try_curve(text, (struct weir_slice){0});
        break;
    case 3:
        try_curve("trace:", bytes);
        break;
    case 4:
        try_trace(bytes);
        try_rtts(bytes);
        break;
    case 5:
        try_capture(bytes);
        break;

    default:
        try_result(text, bytes);
        break;
    }
    free(text);
    return 0;
}
