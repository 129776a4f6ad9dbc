/* weir gate advise: how much a destination can be asked for, measured: rising concurrency, the knee, Little's law. */
#include "base/histogram.h"
#include "cli/command.h"
#include "cli/print.h"
#include "http_client/client.h"
#include "sys/sys.h"
#include <stdio.h>

#define STEPS_MAX    10u  /* 1, 2, 4, ... 512 */
#define GAIN_MIN     1.10 /* doubling that brings less than a tenth more throughput is behind the knee */
#define FAILED_MAX   0.05 /* of a step's calls: beyond it more is not asked for */
#define RATE_OF_BEST 0.9  /* proposed: some room below what it can do at most */
#define VALUE_MAX_NS (1ull << 40)

struct gate_values {
    const char *method, *body;
    uint64_t seconds, most;
    bool json;
};
struct step {
    uint32_t at_once;
    uint64_t done, failed;
    double per_second, mean_ms;
    uint64_t p50_ns, p99_ns;
};
struct measurement {
    struct sys *sys;
    struct http_client *client;
    int poller;
    struct http_request request;
    uint64_t tag;
    struct histogram durations;
    uint64_t buckets[HISTOGRAM_BUCKETS_MAX];
    struct step steps[STEPS_MAX];
    uint32_t step_count;
};
struct advice {
    uint32_t cap;
    double rate, per_second, at_rest_ms; /* the most there was; a call's duration when it is alone */
    const char *why;
};

/* ---- one step: so many calls at once, for so long ---- */
static enum weir_error submit(struct measurement *m, uint32_t *at_once) {
    enum weir_error e = m->client->submit(m->client, 0, m->tag, &m->request);
    if (e == WEIR_E_FULL) return WEIR_OK; /* the ring: when one has ended */
    if (e != WEIR_OK) return e;
    m->tag++;
    ++*at_once;
    return WEIR_OK;
}

static void take(struct measurement *m, struct step *step, uint32_t *at_once) {
    struct http_result result;
    while (m->client->take(m->client, 0, &result)) {
        --*at_once;
        bool failed = result.reply.error != WEIR_OK || result.reply.status >= 400;
        step->done++;
        step->failed += failed;
        if (!failed) histogram_record_many(&m->durations, result.reply.duration_ns, 1);
    }
}

static enum weir_error run_step(struct measurement *m, uint32_t wanted, uint64_t seconds, struct step *ret_step) {
    struct step step = {.at_once = wanted};
    struct sys_poll_event event;
    uint32_t at_once = 0;
    enum weir_error e = WEIR_OK;
    histogram_reset(&m->durations);
    uint64_t begin_ns = m->sys->mono_ns(m->sys), end_ns = begin_ns + seconds * SYS_NANOS_PER_S, now_ns = begin_ns;
    while (e == WEIR_OK && now_ns < end_ns) {
        while (e == WEIR_OK && at_once < wanted) {
            uint32_t before = at_once;
            e = submit(m, &at_once);
            if (at_once == before) break;
        }
        m->sys->poller_wait(m->sys, m->poller, &event, 1, end_ns - now_ns < 1000000 ? end_ns - now_ns : 1000000);
        take(m, &step, &at_once);
        now_ns = m->sys->mono_ns(m->sys);
    }
    step.per_second = (double)(step.done - step.failed) * 1e9 / (double)(now_ns - begin_ns);
    while (e == WEIR_OK && at_once > 0) { /* of the next step's calls none stands behind these */
        struct step late = {0};
        m->sys->poller_wait(m->sys, m->poller, &event, 1, 1000000);
        take(m, &late, &at_once);
    }
    step.mean_ms = m->durations.count ? histogram_mean(&m->durations) / 1e6 : 0;
    step.p50_ns = histogram_quantile(&m->durations, 0.5);
    step.p99_ns = histogram_quantile(&m->durations, 0.99);
    *ret_step = step;
    return e;
}

/* ---- what follows from them ---- */
/* Little's law, N = X * R: with the throughput X that is the most there is and the duration R of a call that waits for
 * nobody, N calls are in service; more than that only wait. */
static struct advice advise(const struct measurement *m) {
    const struct step *steps = m->steps;
    struct advice a = {.why = "the throughput still rose at the last step: try a larger --max"};
    for (uint32_t i = 0; i < m->step_count; i++)
        if (steps[i].per_second > a.per_second) a.per_second = steps[i].per_second;
    a.at_rest_ms = steps[0].mean_ms;
    double in_service = a.per_second * a.at_rest_ms / 1e3;
    uint32_t last = m->step_count - 1;
    if (last > 0 && steps[last].per_second < steps[last - 1].per_second * GAIN_MIN)
        a.why = "more at once brings no more throughput, only waiting";
    if ((double)steps[last].failed > FAILED_MAX * (double)steps[last].done) a.why = "beyond it calls fail";
    a.cap = in_service < 1 ? 1 : (uint32_t)(in_service + 0.5);
    a.rate = a.per_second * RATE_OF_BEST;
    return a;
}

static enum weir_error measure(struct measurement *m, const struct gate_values *given) {
    enum weir_error e = WEIR_OK;
    uint32_t flat = 0;
    for (uint32_t n = 1; e == WEIR_OK && n <= given->most && m->step_count < STEPS_MAX && flat < 2; n *= 2) {
        struct step *step = &m->steps[m->step_count];
        e = run_step(m, n, given->seconds, step);
        if (e != WEIR_OK) break;
        m->step_count++;
        if (m->step_count == 1 && step->done == step->failed)
            return weir_error_context(
                WEIR_E_IO, "none of %llu calls succeeded: look at the URL first", (unsigned long long)step->done);
        if (n > 1 && step->per_second < step[-1].per_second * GAIN_MIN)
            flat++;
        else
            flat = 0;
        if ((double)step->failed > FAILED_MAX * (double)step->done) break;
    }
    return e;
}

/* ---- output ---- */
static void print_table(const struct measurement *m, const struct advice *a) {
    printf("%8s %12s %9s %9s %9s %8s\n", "AT ONCE", "PER SECOND", "MEAN ms", "P50 ms", "P99 ms", "FAILED");
    for (uint32_t i = 0; i < m->step_count; i++) {
        const struct step *s = &m->steps[i];
        printf("%8u %12.1f %9.2f %9.2f %9.2f %8llu\n", s->at_once, s->per_second, s->mean_ms, (double)s->p50_ns / 1e6,
            (double)s->p99_ns / 1e6, (unsigned long long)s->failed);
    }
    printf("\n%.1f a second at most, %.2f ms for one alone: by Little's law %.1f are in service at once.\n",
        a->per_second, a->at_rest_ms, a->per_second * a->at_rest_ms / 1e3);
    printf("Proposed: %u at once, %.0f a second (%s).\n", a->cap, a->rate, a->why);
}

static void print_advice(const struct measurement *m, const struct advice *a) {
    struct print_json print;
    struct json_writer *w = print_json_open(&print);
    json_write_object_open(w);
    json_write_key(w, "steps");
    json_write_array_open(w);
    for (uint32_t i = 0; i < m->step_count; i++) {
        const struct step *s = &m->steps[i];
        json_write_object_open(w);
        json_put_u64(w, "atOnce", s->at_once);
        json_put_u64(w, "done", s->done);
        json_put_u64(w, "failed", s->failed);
        json_put_double(w, "perSecond", s->per_second);
        json_put_double(w, "meanMs", s->mean_ms);
        json_put_double(w, "p50Ms", (double)s->p50_ns / 1e6);
        json_put_double(w, "p99Ms", (double)s->p99_ns / 1e6);
        json_write_object_close(w);
    }
    json_write_array_close(w);
    json_put_u64(w, "runningMax", a->cap);
    json_put_double(w, "perSecond", a->rate);
    json_put_double(w, "mostPerSecond", a->per_second);
    json_put_double(w, "aloneMs", a->at_rest_ms);
    json_put_text(w, "why", a->why);
    json_write_object_close(w);
    print_json_close(&print);
}

static enum weir_error open_measurement(struct measurement *m, const char *url, const struct gate_values *given) {
    histogram_init(&m->durations, m->buckets, histogram_bucket_count(VALUE_MAX_NS));
    m->request = (struct http_request){.method = given->method, .url = url, .body = weir_slice_text(given->body)};
    enum weir_error e = m->sys->poller_open(m->sys, &m->poller);
    if (e != WEIR_OK) return e;
    const struct http_client_options options = {.submitters = 1,
        .pollers = &m->poller,
        .calls_max = 2 * (uint32_t)given->most,
        .connections_max = (uint32_t)given->most,
        .connections_host_max = (uint32_t)given->most};
    return http_client_start(m->sys, &options, &m->client);
}

static int gate_advise(const struct cli_command *command, int argc, char **argv) {
    struct gate_values given = {.method = "GET", .body = "", .seconds = 2, .most = 64};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    if (given.most < 1 || given.most > 512 || given.seconds < 1 || given.seconds > 60)
        return cli_fail(weir_error_context(WEIR_E_INVALID, "--max is 1 to 512 and --seconds 1 to 60"));
    static struct measurement m; /* some 30 KB of histogram */
    m.poller = -1;
    enum weir_error e = sys_linux_new(&m.sys);
    if (e != WEIR_OK) return cli_fail(e);
    e = open_measurement(&m, argv[0], &given);
    if (e == WEIR_OK) e = measure(&m, &given);
    if (m.client) m.client->stop(m.client);
    if (e == WEIR_OK) {
        struct advice a = advise(&m);
        if (given.json)
            print_advice(&m, &a);
        else
            print_table(&m, &a);
    }
    code = e == WEIR_OK ? 0 : cli_fail(e);
    if (m.poller >= 0) m.sys->poller_close(m.sys, m.poller);
    sys_linux_free(m.sys);
    return code;
}

const struct cli_command cli_gate_commands[] = {
    {
        .name = "gate advise",
        .summary = "measure a destination at rising concurrency and propose cap and rate of its gate",
        .description =
            "Calls the URL with 1, 2, 4, ... calls at once, each for --seconds, until twice as many bring no more\n"
            "throughput or calls begin to fail. The proposed cap is what Little's law says is in service then; calls\n"
            "beyond it would only wait there instead of here. The calls are real: use a URL that may be called.",
        .positionals = CLI_POSITIONALS({"URL", CLI_ANY, false, "http://HOST:PORT/PATH or https://HOST/PATH"}),
        .flags = CLI_FLAGS({"method", CLI_TEXT, offsetof(struct gate_values, method), "METHOD", "default GET"},
            {"body", CLI_TEXT, offsetof(struct gate_values, body), "TEXT", "sent with each call"},
            {"seconds", CLI_NUMBER, offsetof(struct gate_values, seconds), "N", "per step (default 2)"},
            {"max", CLI_NUMBER, offsetof(struct gate_values, most), "N", "at once at most (default 64, most 512)"},
            CLI_JSON_FLAG(struct gate_values, "print steps and proposal as JSON")),
        .exits = CLI_EXITS({WEIR_E_IO, "no call succeeded"}, {WEIR_E_INVALID, "the URL is none"}),
        .examples = CLI_EXAMPLES({"weir gate advise https://api.example.com/ping", "before its effect is declared"}),
        .run = gate_advise,
    },
    {0},
};
