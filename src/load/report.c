#include "load/report.h"
#include "base/units.h"
#include "load/run.h"

static const struct {
    const char *name, *key;
    double quantile;
} quantiles[] = {{"50 %", "p50", 0.5}, {"90 %", "p90", 0.9}, {"95 %", "p95", 0.95}, {"99 %", "p99", 0.99},
    {"99.9 %", "p99.9", 0.999}, {"99.99 %", "p99.99", 0.9999}, {"99.999 %", "p99.999", 0.99999}, {"max", "max", 1}};
#define QUANTILES (sizeof quantiles / sizeof *quantiles)

static double per_second(uint64_t count, const struct load_result *r) {
    double seconds = r->seconds > r->wanted_s ? r->seconds : r->wanted_s;
    return seconds > 0 ? (double)count / seconds : 0;
}

static void add_ms(struct text_builder *out, const struct histogram *h, double quantile) {
    if (h->count)
        text_printf(out, " %12.3f", (double)histogram_quantile(h, quantile) / 1e6);
    else
        text_printf(out, " %12s", "-");
}

/* ---- for a person ---- */

static void add_latencies(struct text_builder *out, const struct load_result *r) {
    text_printf(out, "  %-10s %12s %12s %12s %12s\n", "ms", "latency", "from send", "failed", "slow clients");
    for (size_t i = 0; i < QUANTILES; i++) {
        text_printf(out, "  %-10s", quantiles[i].name);
        add_ms(out, &r->latency, quantiles[i].quantile);
        add_ms(out, &r->service, quantiles[i].quantile);
        add_ms(out, &r->failed, quantiles[i].quantile);
        add_ms(out, &r->slow, quantiles[i].quantile);
        text_add_char(out, '\n');
    }
    text_add(out, "  latency: from the moment a request was to be sent. from send: what a closed loop would report.\n");
}

static void add_failures(struct text_builder *out, const struct load_result *r) {
    for (int i = 0; i < LOAD_FAILURES; i++)
        if (r->counts.failed[i])
            text_printf(out, "  failed      %llu: %s\n", (unsigned long long)r->counts.failed[i],
                load_failure_words((enum load_failure)i));
    if (r->first_failure[0]) text_printf(out, "  first       %s\n", r->first_failure);
    bool any = false;
    for (int i = 0; i < LOAD_STATUS_MAX; i++) {
        if (!r->counts.statuses[i]) continue;
        text_printf(out, "%s %d %llu", any ? "," : "  statuses   ", i, (unsigned long long)r->counts.statuses[i]);
        any = true;
    }
    if (any) text_add_char(out, '\n');
}

static void add_counts(struct text_builder *out, const struct load_result *r) {
    const struct load_counts *c = &r->counts;
    text_printf(out, "  requests    %llu planned, %llu answered (%.0f/s), %llu failed", (unsigned long long)c->planned,
        (unsigned long long)c->answered, per_second(c->answered, r), (unsigned long long)load_result_failures(r));
    if (c->given_up) text_printf(out, ", %llu cut by the client itself", (unsigned long long)c->given_up);
    text_add_char(out, '\n');
    if (c->retries)
        text_printf(out, "  retries     %llu; %llu answered after more than one attempt\n",
            (unsigned long long)c->retries, (unsigned long long)c->answered_late);
    if (c->lost || c->doubled)
        text_printf(out, "  network     %llu lost, %llu doubled\n", (unsigned long long)c->lost,
            (unsigned long long)c->doubled);
    if (c->pushes) text_printf(out, "  messages    %llu that answer no request\n", (unsigned long long)c->pushes);
    text_add(out, "  bytes       ");
    text_add_bytes_short(out, c->bytes_out);
    text_add(out, " out, ");
    text_add_bytes_short(out, c->bytes_in);
    text_printf(out,
        " in\n  connections %u of %u at the start, %llu made, %llu failed to be, %llu ended by the other side",
        r->opened, r->connections, (unsigned long long)c->connects, (unsigned long long)c->connect_failures,
        (unsigned long long)c->cuts);
    if (r->opened) text_printf(out, "; %llu bytes each here", (unsigned long long)(r->memory_bytes / r->opened));
    text_add_char(out, '\n');
}

static double busy_share(const struct load_result *r) {
    return r->run_ns ? (double)r->busy_ns / (double)r->run_ns : 0;
}

void load_report_text(struct text_builder *out, const struct load_options *options, const struct load_result *r) {
    char text[200];
    const char *invalid = load_result_invalid(r, text);
    text_printf(out, "%s://%s%s  %.0f requests in %.1f s\n", load_scheme_name(&options->target),
        options->target.authority,
        options->target.scheme == LOAD_UDP || options->target.scheme == LOAD_OUCH ? "" : options->target.path,
        options->curve.total, r->wanted_s);
    add_latencies(out, r);
    add_counts(out, r);
    add_failures(out, r);
    text_printf(out, "  generator   late by p50 %.3f, p99 %.3f, max %.3f ms; %.0f %% busy; %u thread%s; seed %llu\n",
        (double)histogram_quantile(&r->late, 0.5) / 1e6, (double)histogram_quantile(&r->late, 0.99) / 1e6,
        (double)histogram_max(&r->late) / 1e6, 100 * busy_share(r), r->threads, r->threads == 1 ? "" : "s",
        (unsigned long long)r->seed);
    if (invalid)
        text_printf(out, "INVALID: %s. More --threads, less load on this machine, or another machine.\n", invalid);
}

void load_report_live(struct text_builder *out, const struct load_progress *now, const struct load_progress *before) {
    double seconds = now->seconds - before->seconds;
    double rate = seconds > 0 ? (double)(now->answered - before->answered) / seconds : 0;
    text_printf(out, "%6.0f s  %8.0f answers/s  %10llu answered  %8llu failed  %8llu under way", now->seconds, rate,
        (unsigned long long)now->answered, (unsigned long long)now->failed, (unsigned long long)now->under_way);
}

/* ---- for machines ---- */

static void put_histogram(struct text_builder *out, const char *key, const struct histogram *h) {
    text_printf(out, ", \"%s\": {\"count\": %llu, \"mean_ms\": %.6f, \"min_ms\": %.6f", key,
        (unsigned long long)h->count, histogram_mean(h) / 1e6, (double)histogram_min(h) / 1e6);
    for (size_t i = 0; i < QUANTILES; i++)
        text_printf(
            out, ", \"%s_ms\": %.6f", quantiles[i].key, (double)histogram_quantile(h, quantiles[i].quantile) / 1e6);
    text_add_char(out, '}');
}

static void put_counts(struct text_builder *out, const struct load_result *r) {
    const struct load_counts *c = &r->counts;
    const struct {
        const char *key;
        uint64_t value;
    } rows[] = {{"planned", c->planned}, {"attempts", c->attempts}, {"answered", c->answered},
        {"failures", load_result_failures(r)}, {"given_up", c->given_up}, {"retries", c->retries},
        {"answered_late", c->answered_late}, {"lost", c->lost}, {"doubled", c->doubled}, {"pushes", c->pushes},
        {"bytes_out", c->bytes_out}, {"bytes_in", c->bytes_in}, {"connections", r->connections}, {"opened", r->opened},
        {"connects", c->connects}, {"connect_failures", c->connect_failures}, {"cuts", c->cuts},
        {"memory_bytes", r->memory_bytes}, {"threads", r->threads}, {"seed", r->seed}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        text_printf(out, ", \"%s\": %llu", rows[i].key, (unsigned long long)rows[i].value);
    text_add(out, ", \"failed\": {");
    bool any = false;
    for (int i = 0; i < LOAD_FAILURES; i++) {
        text_printf(out, "%s\"%s\": %llu", any ? ", " : "", load_failure_key((enum load_failure)i),
            (unsigned long long)c->failed[i]);
        any = true;
    }
    text_add(out, "}, \"statuses\": {");
    any = false;
    for (int i = 0; i < LOAD_STATUS_MAX; i++) {
        if (!c->statuses[i]) continue;
        text_printf(out, "%s\"%d\": %llu", any ? ", " : "", i, (unsigned long long)c->statuses[i]);
        any = true;
    }
    text_add_char(out, '}');
}

void load_report_json(struct text_builder *out, const struct load_options *options, const struct load_result *r,
    const struct load_objectives *objectives) {
    char text[200];
    const char *invalid = load_result_invalid(r, text);
    text_printf(out,
        "{\"scheme\": \"%s\", \"valid\": %s, \"seconds\": %.6f, \"duration_s\": %.6f, \"answered_per_s\": %.3f",
        load_scheme_name(&options->target), invalid ? "false" : "true", r->seconds, r->wanted_s,
        per_second(r->counts.answered, r));
    if (invalid) text_printf(out, ", \"why_invalid\": \"%s\"", invalid);
    put_counts(out, r);
    put_histogram(out, "latency", &r->latency);
    put_histogram(out, "from_send", &r->service);
    put_histogram(out, "failed_after", &r->failed);
    put_histogram(out, "slow", &r->slow);
    put_histogram(out, "late", &r->late);
    put_histogram(out, "connect", &r->connect);
    text_printf(out, ", \"busy\": %.4f", busy_share(r));
    for (uint32_t i = 0; objectives && i < objectives->count; i++) {
        const struct load_objective *o = &objectives->items[i];
        text_printf(out, "%s{\"name\": \"%s\", \"bound\": %.6f, \"measured\": %.6f, \"met\": %s}%s",
            i ? ", " : ", \"objectives\": [", o->name, o->bound, o->measured, o->is_met ? "true" : "false",
            i + 1 == objectives->count ? "]" : "");
    }
    text_add_char(out, '}');
}
