/* weir load: runs the generator (src/load), and tells how it went. */
#include "cli/load_job.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#define EXIT_NOT_HELD 1 /* an objective was missed, or the run is invalid */

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
    (void)number;
    interrupted = 1;
}

/* ---- while it runs, and after ---- */

struct screen {
    struct load_progress before;
    bool is_terminal;
};

static bool show(void *context, const struct load_progress *now) {
    struct screen *screen = context;
    if (screen->is_terminal && now->seconds >= screen->before.seconds + 1) {
        char line[200];
        struct text_builder t = TEXT_BUILDER(line);
        load_report_live(&t, now, &screen->before);
        fprintf(stderr, "%s\n", line);
        screen->before = *now;
    }
    return !interrupted;
}

static enum weir_error write_file(const char *path, const struct text_builder *text) {
    FILE *file = fopen(path, "wb");
    bool good = file && fwrite(text->data, 1, text->size, file) == text->size;
    if (file && fclose(file) != 0) good = false;
    return good ? WEIR_OK : weir_error_context(WEIR_E_IO, "--hdr: cannot write %s: %s", path, strerror(errno));
}

static int tell(struct load_job *job, const struct load_words *w) {
    struct load_result *r = &job->result;
    char invalid[200];
    bool is_met = !job->has_objectives || load_objectives_judge(&job->objectives, r);
    struct text_builder t = text_builder(job->text, LOAD_TEXT_BYTES);
    if (w->hdr) {
        load_report_hgrm(&t, &r->latency);
        enum weir_error e = write_file(w->hdr, &t);
        if (e != WEIR_OK) return cli_fail(e);
        text_clear(&t);
    }
    if (w->json)
        load_report_json(&t, &job->options, r, job->has_objectives ? &job->objectives : NULL);
    else
        load_report_text(&t, &job->options, r);
    printf("%s%s", t.data, w->json ? "\n" : "");
    for (uint32_t i = 0; job->has_objectives && !w->json && i < job->objectives.count; i++) {
        const struct load_objective *o = &job->objectives.items[i];
        bool is_time = o->kind < LOAD_OBJECTIVE_ERRORS;
        double unit = is_time ? 1e6 : o->kind == LOAD_OBJECTIVE_ERRORS ? 0.01 : 1;
        printf("objective %-8s %12.3f of %.3f%s: %s\n", o->name, o->measured / unit, o->bound / unit,
            is_time                            ? " ms"
            : o->kind == LOAD_OBJECTIVE_ERRORS ? " %"
                                               : "/s",
            o->is_met ? "met" : "MISSED");
    }
    return is_met && !load_result_invalid(r, invalid) ? 0 : EXIT_NOT_HELD;
}

static int compare(char **paths) {
    struct sys *sys = NULL;
    struct weir_slice a = {0}, b = {0};
    char text[4096];
    struct text_builder t = TEXT_BUILDER(text);
    enum weir_error e = sys_linux_new(&sys);
    if (e == WEIR_OK) e = sys_read_all(sys, paths[0], LOAD_FILE_BYTES_MAX, &a);
    if (e == WEIR_OK) e = sys_read_all(sys, paths[1], LOAD_FILE_BYTES_MAX, &b);
    if (e == WEIR_OK) e = load_report_compare(&t, a, b);
    if (e == WEIR_OK) printf("%s", text);
    sys_bytes_free(a);
    sys_bytes_free(b);
    if (sys) sys_linux_free(sys);
    return e == WEIR_OK ? 0 : cli_fail(e);
}

static int run(const char *url, const struct load_words *w) {
    struct load_job job = {0};
    struct screen screen = {.is_terminal = isatty(STDERR_FILENO) == 1 && !w->json};
    enum weir_error e = load_job_init(&job, url, w);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    if (e == WEIR_OK && job.hdr_file) {
        struct text_builder head = text_builder(job.hdr_text, LOAD_TEXT_BYTES);
        load_hdr_log_head(&head, job.sys->wall_ns(job.sys));
        e = load_job_hdr_write(&job, &head);
    }
    if (e == WEIR_OK) e = load_run(job.sys, &job.options, show, &screen, &job.result);
    int code = e == WEIR_OK ? tell(&job, w) : cli_fail(e);
    load_job_done(&job);
    return code;
}

static int load(const struct cli_command *command, int argc, char **argv) {
    struct load_words w = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &w, &count);
    if (code >= 0) return code;
    if (w.compare && count == 2) return compare(argv);
    if (count != 1 || w.compare) {
        fprintf(stderr, "weir: load takes one URL, or with --compare two files\n");
        return CLI_EXIT_USAGE;
    }
    return run(argv[0], &w);
}

const struct cli_command cli_load_commands[] = {
    {
        .name = "load",
        .summary = "put an open-loop load on an http, ws, ouch or udp address and measure it",
        .description = "Requests leave when the schedule says, whatever the answers do; latency runs from then. "
                       "docs/load.md says how to\n"
                       "read the result. Ends with 1 when an objective was missed or the generator itself was late.",
        .positionals = CLI_POSITIONALS({"URL", CLI_ANY, false,
                                           "http://HOST:PORT/PATH, ws://..., ouch://HOST:PORT, udp://HOST:PORT; https, "
                                           "wss, ouch+tls; a file with --compare"},
            {"FILE", CLI_FILE, true, "with --compare: the second file"}),
        .flags = CLI_FLAGS(
            {"rate", CLI_TEXT, offsetof(struct load_words, rate), "N", "requests per second: 500, 10k, 1M"},
            {"duration", CLI_TEXT, offsetof(struct load_words, duration), "TIME", "how long (default 10s)"},
            {"curve", CLI_TEXT, offsetof(struct load_words, curve), "CURVE",
                "steady (default), ramp, spike[:3], burst[:1s], trace:FILE of \"SECONDS RATE\", capture"},
            {"poisson", CLI_SWITCH, offsetof(struct load_words, random), NULL,
                "arrivals at random along the curve instead of at even gaps"},
            {"connections", CLI_TEXT, offsetof(struct load_words, connections), "N",
                "connections (default 10 for http, else 1)"},
            {"pipeline", CLI_TEXT, offsetof(struct load_words, pipeline), "N",
                "requests under way on each (default 1 for http, else 1024)"},
            {"threads", CLI_TEXT, offsetof(struct load_words, threads), "N", "threads of the generator (default 1)"},
            {"timeout", CLI_TEXT, offsetof(struct load_words, timeout), "TIME",
                "of a request, and of what is left at the end (default 10s)"},
            {"method", CLI_TEXT, offsetof(struct load_words, method), "NAME",
                "HTTP method (default POST with a body, else GET)"},
            {"header", CLI_LIST, offsetof(struct load_words, headers), "'NAME: VALUE'",
                "a header, of http and of the WebSocket handshake; repeatable"},
            {"body", CLI_TEXT, offsetof(struct load_words, body), "TEMPLATE",
                "body, message or datagram; {{n}} {{uuid}} {{rand 1 9}} {{choice a b}} {{line}}"},
            {"body-file", CLI_TEXT, offsetof(struct load_words, body_file), "FILE", "the same from a file"},
            {"data", CLI_TEXT, offsetof(struct load_words, data), "FILE", "lines for {{line}}"},
            {"pcap", CLI_TEXT, offsetof(struct load_words, pcap), "FILE",
                "udp: the datagrams of a capture, over and over"},
            {"idempotent", CLI_SWITCH, offsetof(struct load_words, idempotent), NULL,
                "http: an Idempotency-Key of its own for each request"},
            {"retry", CLI_NUMBER, offsetof(struct load_words, retries), "N",
                "attempts beyond the first, with the same bytes (default 0)"},
            {"hello", CLI_TEXT, offsetof(struct load_words, hello), "TEXT", "ws: a message first on each connection"},
            {"match", CLI_TEXT, offsetof(struct load_words, match), "HOW",
                "ws, udp: which message answers: order, none, field:NAME (its value is {{n}})"},
            {"symbol", CLI_TEXT, offsetof(struct load_words, symbol), "NAME", "ouch: what to trade"},
            {"price", CLI_TEXT, offsetof(struct load_words, price), "LOW-HIGH",
                "ouch: between which prices (default 990-1010)"},
            {"quantity", CLI_TEXT, offsetof(struct load_words, quantity), "N", "ouch: of each order (default 10)"},
            {"account", CLI_TEXT, offsetof(struct load_words, account), "N",
                "ouch: of the first connection, the next ones count on (default 61000)"},
            {"session", CLI_TEXT, offsetof(struct load_words, session), "NAME",
                "ouch: P and the symbol's partition (default: the gateway's choice)"},
            {"password", CLI_TEXT, offsetof(struct load_words, password), "WORD", "ouch: of the login"},
            {"ca", CLI_TEXT, offsetof(struct load_words, ca), "FILE",
                "TLS: PEM file of whom to trust (default: the system's store)"},
            {"cert", CLI_TEXT, offsetof(struct load_words, cert), "FILE",
                "TLS: our certificate, where the target asks for one"},
            {"key", CLI_TEXT, offsetof(struct load_words, key), "FILE", "TLS: its key"},
            {"insecure", CLI_SWITCH, offsetof(struct load_words, insecure), NULL, "TLS: take any certificate"},
            {"jitter", CLI_TEXT, offsetof(struct load_words, jitter), "TIME",
                "each request is due up to that much later than the curve says"},
            {"reorder", CLI_TEXT, offsetof(struct load_words, reorder), "SHARE",
                "that share is held back until later ones have gone"},
            {"reorder-by", CLI_TEXT, offsetof(struct load_words, reorder_by), "TIME",
                "for how long (default: three gaps)"},
            {"loss", CLI_TEXT, offsetof(struct load_words, loss), "SHARE",
                "udp: datagrams lost; else requests that a retransmission delays"},
            {"duplicate", CLI_TEXT, offsetof(struct load_words, duplicate), "SHARE", "udp: datagrams sent twice"},
            {"net", CLI_TEXT, offsetof(struct load_words, net), "trace:FILE[,DOWN]",
                "a recorded mobile network on each connection, from a place of its own"},
            {"delay", CLI_TEXT, offsetof(struct load_words, delay), "TIME", "of the network, each way"},
            {"delay-sd", CLI_TEXT, offsetof(struct load_words, delay_sd), "TIME", "its standard deviation"},
            {"rtt", CLI_TEXT, offsetof(struct load_words, rtt), "FILE[:NAME]",
                "round trips of real networks (NAME, mean and deviation in ms), instead of --delay"},
            {"slow", CLI_TEXT, offsetof(struct load_words, slow), "SHARE", "of the connections read slowly"},
            {"slow-rate", CLI_TEXT, offsetof(struct load_words, slow_rate), "BYTES", "per second (default 1KB)"},
            {"dribble", CLI_TEXT, offsetof(struct load_words, dribble), "SHARE",
                "of the connections send byte by byte"},
            {"dribble-gap", CLI_TEXT, offsetof(struct load_words, dribble_gap), "TIME",
                "between two bytes (default 10ms)"},
            {"half-open", CLI_TEXT, offsetof(struct load_words, half_open), "SHARE",
                "of the connections send half a request and stay silent"},
            {"reset", CLI_TEXT, offsetof(struct load_words, reset), "SHARE",
                "of requests: the connection is reset as soon as they are sent"},
            {"reconnect-every", CLI_TEXT, offsetof(struct load_words, reconnect), "N|TIME",
                "a connection lasts for so many requests, or so long"},
            {"seed", CLI_TEXT, offsetof(struct load_words, seed), "N",
                "of all that is random (default: another one each time, told in the result)"},
            {"late-max", CLI_TEXT, offsetof(struct load_words, late), "TIME",
                "above, at p99, the generator's own lateness makes the run invalid (default 10ms)"},
            {"slo", CLI_TEXT, offsetof(struct load_words, slo), "LIST",
                "p99=50ms,errors=0.1%,rate=9k: exit code 1 when one is missed"},
            {"hdr", CLI_TEXT, offsetof(struct load_words, hdr), "FILE",
                "write HdrHistogram's percentile distribution (.hgrm)"},
            {"hdr-log", CLI_TEXT, offsetof(struct load_words, hdr_log), "FILE",
                "write HdrHistogram's interval log (.hlog) while it runs"},
            {"hdr-interval", CLI_TEXT, offsetof(struct load_words, hdr_interval), "TIME",
                "of a line of it (default 1s)"},
            {"json", CLI_SWITCH, offsetof(struct load_words, json), NULL, "the result as one JSON object"},
            {"compare", CLI_SWITCH, offsetof(struct load_words, compare), NULL,
                "two files of --json instead of a URL: print ratios"}),
        .exits = CLI_EXITS({WEIR_E_INVALID, "a flag's value is wrong"}, {WEIR_E_CLOSED, "nobody listens there"}),
        .examples = CLI_EXAMPLES({"weir load http://127.0.0.1:7070/healthz --rate 5k --duration 5s --slo p99=50ms",
            "a steady rate, and an objective"}),
        .run = load,
    },
    {0},
};
