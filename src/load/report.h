/* load/report.h: a result in words, as JSON, as HdrHistogram's text, and held against an objective. Pure: texts are
 * built for the caller to print. */
#ifndef WEIR_LOAD_REPORT_H
#define WEIR_LOAD_REPORT_H
#include "base/text.h"
#include "load/options.h"
#include "load/result.h"

/* The table for a person. */
void load_report_text(struct text_builder *out, const struct load_options *options, const struct load_result *result);
/* One object; `objectives` may be NULL. */
struct load_objectives;
void load_report_json(struct text_builder *out, const struct load_options *options, const struct load_result *result,
    const struct load_objectives *objectives);
/* One line while it runs. */
struct load_progress;
void load_report_live(struct text_builder *out, const struct load_progress *now, const struct load_progress *before);

/* The percentile distribution of HdrHistogram (.hgrm: value in ms, percentile, count, 1/(1 - percentile)), as its
 * plotters read it. */
void load_report_hgrm(struct text_builder *out, const struct histogram *histogram);

/* ---- objectives: "p99=50ms,p99.9=200ms,max=1s,mean=5ms,errors=0.1%,rate=9.9k" ---- */
#define LOAD_OBJECTIVES_MAX 16
enum load_objective_kind {
    LOAD_OBJECTIVE_QUANTILE,
    LOAD_OBJECTIVE_MAX,
    LOAD_OBJECTIVE_MEAN,
    LOAD_OBJECTIVE_ERRORS,
    LOAD_OBJECTIVE_RATE
};
struct load_objective {
    enum load_objective_kind kind;
    char name[16];
    double quantile, bound, measured; /* bound: ns, a share, or answers per second */
    bool is_met;
};
struct load_objectives {
    struct load_objective items[LOAD_OBJECTIVES_MAX];
    uint32_t count;
};
/* Without errors= none are allowed: a percentile over the answered alone would be better the more failed. */
WEIR_MUST enum weir_error load_objectives_parse(const char *text, struct load_objectives *ret_objectives);
/* Fills in what was measured; true when all are met. */
bool load_objectives_judge(struct load_objectives *objectives, const struct load_result *result);

/* Two results of load_report_json() side by side, each figure of the second over that of the first. */
WEIR_MUST enum weir_error load_report_compare(
    struct text_builder *out, struct weir_slice before, struct weir_slice after);
#endif
