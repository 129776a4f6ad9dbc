/* weir exchange load: a made-up order flow at a steady rate through a node's binary gateway. */
#include "exchange/tool_load.h"
#include "exchange/tool_flow.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(const char *what, const char *argument) {
    if (what) fprintf(stderr, "weir: %s%s\n", what, argument);
    fprintf(what ? stderr : stdout,
        "usage: weir exchange load [--rate N] [--seconds S] [--symbols K] [--sessions C] ...\n"
        "  --rate N          requests/s over all sessions, open loop (default 10000)\n"
        "  --seconds S       how long (default 10)\n"
        "  --symbols K       symbols, named L0, L1 ... (default 1)\n"
        "  --symbol NAME     what they are called before their number (default L)\n"
        "  --sessions C      sessions, each with an account of its own (default 1)\n"
        "  --seed N          of the flow; the same seed gives the same requests (default 1)\n"
        "  --ramp            search the highest rate that holds, from --rate on, then hold it for --seconds\n"
        "  --step-seconds S  of each step of the search (default 2)\n"
        "  --timings FILE    write when each request was to leave and when it was answered: pairs of u64 ns\n"
        "  --generate-only FILE [--count N]  write the flow as 32-byte records instead (default 1000000)\n"
        "  --node H:P --ouch H:P --user NAME --password P   as for replay\n"
        "  --json            one JSON object\n");
    return what ? 64 : 0;
}

static bool number(const char *text, uint64_t *ret) {
    char *end;
    *ret = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == 0;
}

static const char *parse(int argc, char **argv, struct order_load_options *o) {
    const struct {
        const char *name;
        const char **text;
        uint64_t *number;
    } rows[] = {{"--rate", NULL, &o->rate}, {"--seconds", NULL, &o->seconds}, {"--symbols", NULL, &o->symbols},
        {"--symbol", &o->symbol, NULL}, {"--sessions", NULL, &o->sessions}, {"--seed", NULL, &o->seed},
        {"--step-seconds", NULL, &o->step_seconds}, {"--timings", &o->timings, NULL},
        {"--generate-only", &o->generate, NULL}, {"--count", NULL, &o->count}, {"--node", &o->node, NULL},
        {"--ouch", &o->ouch, NULL}, {"--user", &o->user, NULL}, {"--password", &o->password, NULL}};
    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        while (k < sizeof(rows) / sizeof(*rows) && strcmp(argv[i], rows[k].name) != 0)
            k++;
        if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
        } else if (strcmp(argv[i], "--ramp") == 0) {
            o->ramp = true;
        } else if (k == sizeof(rows) / sizeof(*rows) || i + 1 == argc) {
            return argv[i];
        } else if (rows[k].number) {
            if (!number(argv[++i], rows[k].number)) return argv[i];
        } else {
            *rows[k].text = argv[++i];
        }
    }
    return NULL;
}

static double us(const struct order_load_result *r, double quantile) {
    return (double)histogram_quantile(&r->measured.latency, quantile) / 1e3;
}

static void print(const struct order_load *load) {
    const struct order_load_result *r = &load->result;
    double max = (double)histogram_max(&r->measured.latency) / 1e3;
    if (load->options->json) {
        printf("{\"rate\": %" PRIu64 ", \"seconds\": %.0f, \"sent\": %" PRIu64 ", \"acked\": %" PRIu64
               ", \"accepted\": %" PRIu64 ", \"rejected\": %" PRIu64 ", \"too_late\": %" PRIu64
               ", \"executions\": %" PRIu64 ", \"outstanding\": %" PRIu64 ", \"outstanding_max\": %" PRIu64
               ", \"backlog_end\": %" PRIu64 ", \"held\": %s, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, "
               "\"max_us\": %.1f, \"send_late_p99_us\": %.1f, \"send_late_max_us\": %.1f}\n",
            r->rate, r->seconds, r->sent, r->answered, r->accepted, r->refused, r->too_late, r->executions,
            r->sent - r->answered, r->outstanding_max, r->backlog_end, r->held ? "true" : "false", us(r, 0.5),
            us(r, 0.99), us(r, 0.999), max, (double)histogram_quantile(&r->measured.late, 0.99) / 1e3,
            (double)histogram_max(&r->measured.late) / 1e3);
        return;
    }
    printf("%" PRIu64 " requests/s for %.0f s: %s\n", r->rate, r->seconds, r->held ? "held" : "not held");
    printf("  sent %" PRIu64 ", acknowledged %" PRIu64 " (accepted %" PRIu64 ", too late %" PRIu64 ", rejected %" PRIu64
           "), executions %" PRIu64 ", under way at most %" PRIu64 "\n",
        r->sent, r->answered, r->accepted, r->too_late, r->refused, r->executions, r->outstanding_max);
    printf("  from the intended send time: p50 %.0f us, p99 %.0f us, p99.9 %.0f us, max %.0f us\n", us(r, 0.5),
        us(r, 0.99), us(r, 0.999), max);
    if (r->refused) printf("  last rejection: %s\n", load->last_refusal);
}

int tool_load(int argc, char **argv) {
    struct order_load_options o = {.node = "127.0.0.1:7070",
        .symbol = "L",
        .rate = 10000,
        .seconds = 10,
        .symbols = 1,
        .sessions = 1,
        .seed = 1,
        .count = 1000000,
        .step_seconds = 2};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return usage(NULL, NULL);
    const char *wrong = parse(argc, argv, &o);
    if (wrong) return usage("unexpected argument, or one without its value: ", wrong);
    if (o.rate == 0 || o.rate > 10000000 || o.seconds == 0 || o.step_seconds == 0 || o.seconds > 100000)
        return usage("--rate or the seconds", " are out of range");
    if (o.symbols == 0 || o.symbols > 10000 || o.sessions == 0 || o.sessions > 256)
        return usage("--symbols takes 1 to 10000, --sessions 1 to 256", "");
    struct order_load load = {0};
    enum weir_error error;
    if (o.generate) {
        error = generate_file(o.generate, o.seed, (uint32_t)o.symbols, o.count);
    } else {
        error = order_load_open(&load, &o);
        if (error == WEIR_OK)
            error = o.ramp ? order_load_ramp(&load) : order_load_run(&load, o.rate, (double)o.seconds);
        if (error == WEIR_OK && o.timings) error = order_load_timings_write(&load, o.timings);
        if (error == WEIR_OK) print(&load);
    }
    bool all = load.result.answered == load.result.sent;
    if (load.options) order_load_done(&load);
    if (error == WEIR_OK) return all ? 0 : 1;
    fprintf(stderr, "weir: %s: %s\n", weir_error_sentence(error), weir_error_text());
    return weir_error_exit(error);
}
