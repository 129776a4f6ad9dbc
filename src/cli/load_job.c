/* From the words of `weir load` to the options of its generator: each with its check and its sentence. */
#include "cli/load_job.h"
#include "base/units.h"
#include "load/pcap.h"
#include "tls/tls.h"

#include <errno.h>

/* ---- pieces ---- */

static enum weir_error named(enum weir_error e, const char *flag) {
    return e == WEIR_OK ? e : weir_error_wrap(e, "--%s", flag);
}

static enum weir_error read_file(struct load_job *job, const char *path, struct weir_slice *ret) {
    WEIR_ASSERT(job->file_count < WEIR_ARRAY_COUNT(job->files));
    enum weir_error e = sys_read_all(job->sys, path, LOAD_FILE_BYTES_MAX, &job->files[job->file_count]);
    if (e == WEIR_OK) *ret = job->files[job->file_count++];
    return e;
}

static enum weir_error take_duration(const char *text, const char *flag, uint64_t *ret) {
    return text ? named(parse_duration(weir_slice_text(text), ret), flag) : WEIR_OK;
}

static enum weir_error take_share(const char *text, const char *flag, uint32_t *ret) {
    return text ? named(load_share_parse(weir_slice_text(text), ret), flag) : WEIR_OK;
}

/* A number with a decimal unit, within bounds. */
static enum weir_error take_count(const char *text, const char *flag, uint64_t low, uint64_t high, uint64_t *ret) {
    uint64_t value = 0;
    if (!text) return WEIR_OK;
    enum weir_error e = parse_u64(weir_slice_text(text), &value);
    if (e == WEIR_OK && (value < low || value > high))
        e = weir_error_context(
            WEIR_E_INVALID, "%s is not from %llu to %llu", text, (unsigned long long)low, (unsigned long long)high);
    if (e == WEIR_OK) *ret = value;
    return named(e, flag);
}

static enum weir_error take_count32(const char *text, const char *flag, uint32_t high, uint32_t *ret) {
    uint64_t value = *ret;
    enum weir_error e = take_count(text, flag, 1, high, &value);
    if (e == WEIR_OK) *ret = (uint32_t)value;
    return e;
}

/* ---- what is sent ---- */

static enum weir_error body_init(struct load_job *job, const struct load_words *w) {
    struct load_options *o = &job->options;
    struct weir_slice text = weir_slice_text(w->body ? w->body : ""), file;
    enum weir_error e = WEIR_OK;
    if (w->data) {
        e = read_file(job, w->data, &file);
        if (e == WEIR_OK) e = load_lines_init(&job->lines, file);
        if (e != WEIR_OK) return named(e, "data");
    }
    if (w->body_file) {
        e = read_file(job, w->body_file, &text);
        if (e != WEIR_OK) return named(e, "body-file");
    }
    if (w->pcap) {
        e = read_file(job, w->pcap, &file);
        if (e == WEIR_OK) e = load_pcap_init(&o->packets, file);
        if (e != WEIR_OK) return named(e, "pcap");
    }
    bool is_message = o->target.scheme == LOAD_WS || o->target.scheme == LOAD_UDP;
    if (is_message && !w->body && !w->body_file && !w->pcap)
        text = weir_slice_text(w->data ? "{{line}}" : "{\"n\":{{n}}}");
    o->has_body = w->body || w->body_file;
    return named(load_template_init(&o->body, text, w->data ? &job->lines : NULL), "body");
}

static bool header_split(const char *text, struct weir_http_header *ret) {
    const char *colon = strchr(text, ':');
    if (!colon || colon == text || strpbrk(text, "\r\n")) return false;
    *ret = (struct weir_http_header){weir_slice(text, (size_t)(colon - text)), text_trim(weir_slice_text(colon + 1))};
    return true;
}

static enum weir_error headers_init(struct load_job *job, const struct load_words *w, bool *ret_has_type) {
    struct load_options *o = &job->options;
    for (uint32_t i = 0; i < w->headers.count; i++) {
        struct weir_http_header *h = &o->headers[o->header_count];
        if (o->header_count == LOAD_HEADERS_MAX)
            return weir_error_context(WEIR_E_TOO_LARGE, "--header may be given %u times", LOAD_HEADERS_MAX);
        if (!header_split(w->headers.items[i], h))
            return weir_error_context(WEIR_E_INVALID, "--header %s: write 'Name: value'", w->headers.items[i]);
        *ret_has_type |= text_equal_nocase(h->name, weir_slice_text("content-type"));
        o->header_count++;
    }
    return WEIR_OK;
}

static enum weir_error head_init(struct load_job *job, const struct load_words *w) {
    struct load_options *o = &job->options;
    struct text_builder *t = &job->head;
    bool has_type = false;
    enum weir_error e = headers_init(job, w, &has_type);
    if (e != WEIR_OK || o->target.scheme != LOAD_HTTP) return e;
    const char *method = w->method ? w->method : o->has_body ? "POST" : "GET";
    if (method[0] == 0 || strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(method))
        return weir_error_context(WEIR_E_INVALID, "--method %s is no method; write GET, POST, PUT ...", method);
    o->is_head = strcmp(method, "HEAD") == 0;
    *t = text_builder(job->text, LOAD_TEXT_BYTES);
    text_printf(t, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, o->target.path, o->target.authority);
    for (uint32_t i = 0; i < o->header_count; i++) {
        text_add_slice(t, o->headers[i].name);
        text_add(t, ": ");
        text_add_slice(t, o->headers[i].value);
        text_add(t, "\r\n");
    }
    if (o->has_body && !has_type) text_add(t, "Content-Type: application/json\r\n");
    if (w->idempotent) text_add(t, "Idempotency-Key: {{uuid}}\r\n");
    if (!o->has_body && strcmp(method, "GET") != 0 && !o->is_head) text_add(t, "Content-Length: 0\r\n");
    if (strpbrk(o->target.path, " \t\r\n") && !strstr(o->target.path, "{{"))
        return weir_error_context(WEIR_E_INVALID, "the path holds a blank; write %%20");
    e = load_template_init(&o->head, text_slice(t), w->data ? &job->lines : NULL);
    return e == WEIR_OK ? e : weir_error_wrap(e, "the path or a --header");
}

static enum weir_error match_init(struct load_options *o, const char *text) {
    o->match = o->target.scheme == LOAD_UDP ? LOAD_MATCH_NONE : LOAD_MATCH_ORDER;
    if (!text) return WEIR_OK;
    if (o->target.scheme != LOAD_WS && o->target.scheme != LOAD_UDP)
        return weir_error_context(WEIR_E_INVALID,
            "--match is for ws:// and udp://: the answers of %s:// are told apart by "
            "their protocol",
            load_scheme_name(&o->target));
    if (strcmp(text, "none") == 0) {
        o->match = LOAD_MATCH_NONE;
    } else if (strcmp(text, "order") == 0) {
        o->match = LOAD_MATCH_ORDER;
    } else if (strncmp(text, "field:", 6) == 0 && text[6] && o->target.scheme == LOAD_WS) {
        o->match = LOAD_MATCH_FIELD;
        o->match_field = text + 6;
    } else {
        return weir_error_context(WEIR_E_INVALID, "--match %s: there are order, none and, for ws://, field:NAME", text);
    }
    return WEIR_OK;
}

static enum weir_error ouch_init(struct load_options *o, const struct load_words *w) {
    const char *dash = w->price ? strchr(w->price, '-') : NULL;
    o->ouch.account = 61000;
    o->ouch.price_low = 990;
    o->ouch.price_high = 1010;
    o->ouch.quantity = 10;
    o->ouch.symbol = w->symbol ? w->symbol : "";
    o->ouch.password = w->password ? w->password : "";
    o->ouch.session = w->session ? w->session : "";
    if (o->target.scheme != LOAD_OUCH) return WEIR_OK;
    if (!w->symbol || strlen(w->symbol) > 8)
        return weir_error_context(WEIR_E_INVALID,
            "--symbol is missing or too long: what to trade; define it first with "
            "POST /v1/exchange/symbols");
    if (w->price &&
        (!dash || parse_u64(weir_slice(w->price, (size_t)(dash - w->price)), &o->ouch.price_low) != WEIR_OK ||
            parse_u64(weir_slice_text(dash + 1), &o->ouch.price_high) != WEIR_OK || o->ouch.price_low == 0 ||
            o->ouch.price_low > o->ouch.price_high))
        return weir_error_context(
            WEIR_E_INVALID, "--price %s: write the lowest and the highest, as in 990-1010", w->price);
    enum weir_error e = take_count(w->account, "account", 1, 999999 - LOAD_CONNECTIONS_MAX, &o->ouch.account);
    return e == WEIR_OK ? take_count(w->quantity, "quantity", 1, 999999, &o->ouch.quantity) : e;
}

/* ---- when, over what ---- */

static enum weir_error schedule_init(struct load_job *job, const struct load_words *w) {
    struct load_options *o = &job->options;
    const char *curve = w->curve ? w->curve : "steady", *path = load_curve_file(curve);
    struct weir_slice trace = {0};
    double rate = 0;
    uint64_t duration_ns = 0;
    enum weir_error e = w->rate ? named(load_rate_parse(weir_slice_text(w->rate), &rate), "rate") : WEIR_OK;
    if (e == WEIR_OK) e = take_duration(w->duration, "duration", &duration_ns);
    if (e == WEIR_OK && path) e = named(read_file(job, path, &trace), "curve");
    bool is_capture = strcmp(curve, "capture") == 0;
    if (e == WEIR_OK && is_capture && (!w->pcap || o->target.scheme != LOAD_UDP || w->random))
        e = weir_error_context(
            WEIR_E_INVALID, "--curve capture replays the times of --pcap FILE to udp://, and not with --poisson");
    if (e == WEIR_OK && is_capture)
        e = load_curve_capture(&o->curve, o->packets.times_ns, o->packets.count, rate, (double)duration_ns / 1e9);
    else if (e == WEIR_OK)
        e = load_curve_init(&o->curve, curve, trace, rate, (double)duration_ns / 1e9);
    if (e == WEIR_OK) e = take_duration(w->jitter, "jitter", &o->jitter_ns);
    if (e == WEIR_OK) e = take_share(w->reorder, "reorder", &o->reorder_ppm);
    /* Three gaps at the mean rate: late enough for the next ones to overtake. */
    o->reorder_ns = e == WEIR_OK ? (uint64_t)(3e9 * o->curve.duration_s / o->curve.total) : 0;
    if (e == WEIR_OK) e = take_duration(w->reorder_by, "reorder-by", &o->reorder_ns);
    o->random_arrivals = w->random;
    o->retries = (uint32_t)(w->retries < 100 ? w->retries : 100);
    return e;
}

static enum weir_error clients_init(struct load_options *o, const struct load_words *w) {
    enum weir_error e = take_share(w->slow, "slow", &o->slow_ppm);
    o->slow_bytes_s = 1024;
    o->dribble_gap_ns = 10 * SYS_NANOS_PER_MS;
    if (e == WEIR_OK && w->slow_rate)
        e = named(parse_bytes(weir_slice_text(w->slow_rate), &o->slow_bytes_s), "slow-rate");
    if (e == WEIR_OK) e = take_share(w->dribble, "dribble", &o->dribble_ppm);
    if (e == WEIR_OK) e = take_duration(w->dribble_gap, "dribble-gap", &o->dribble_gap_ns);
    if (e == WEIR_OK) e = take_share(w->half_open, "half-open", &o->half_open_ppm);
    if (e == WEIR_OK) e = take_share(w->reset, "reset", &o->reset_ppm);
    if (e == WEIR_OK && (uint64_t)o->slow_ppm + o->dribble_ppm + o->half_open_ppm > 1000000)
        e = weir_error_context(
            WEIR_E_INVALID, "--slow, --dribble and --half-open together are more than all connections");
    if (e == WEIR_OK && o->slow_bytes_s == 0) e = weir_error_context(WEIR_E_INVALID, "--slow-rate must be above 0");
    if (e != WEIR_OK || !w->reconnect) return e;
    if (parse_u64(weir_slice_text(w->reconnect), &o->reconnect_requests) == WEIR_OK && o->reconnect_requests > 0)
        return WEIR_OK;
    return named(parse_duration(weir_slice_text(w->reconnect), &o->reconnect_ns),
        "reconnect-every (a number of requests or a time)");
}

static enum weir_error trace_init(struct load_job *job, const char *path, struct load_trace *trace) {
    struct weir_slice text;
    enum weir_error e = read_file(job, path, &text);
    if (e == WEIR_OK) e = load_trace_init(trace, text);
    return e == WEIR_OK ? e : weir_error_wrap(e, "--net %s", path);
}

/* --rtt FILE or FILE:NAME; a colon in the path is one of a file that is there. */
static enum weir_error rtt_init(struct load_job *job, const struct load_words *w) {
    char path[512];
    struct weir_slice text;
    bool is_whole = false;
    if (w->delay) return weir_error_context(WEIR_E_INVALID, "--rtt and --delay are two ways to say the same; give one");
    enum weir_error e = job->sys->path_exists(job->sys, w->rtt, &is_whole);
    const char *colon = is_whole ? NULL : strrchr(w->rtt, ':');
    size_t size = colon ? (size_t)(colon - w->rtt) : strlen(w->rtt);
    if (e == WEIR_OK && size >= sizeof path) e = weir_error_context(WEIR_E_TOO_LARGE, "the path is too long");
    if (e != WEIR_OK) return named(e, "rtt");
    memcpy(path, w->rtt, size);
    path[size] = 0;
    e = read_file(job, path, &text);
    if (e == WEIR_OK) e = load_rtts_init(&job->options.rtts, text, colon ? colon + 1 : "");
    return named(e, "rtt");
}

/* --net FILE (both ways) or UP,DOWN; "trace:" before it may stand. */
static enum weir_error network_init(struct load_job *job, const struct load_words *w) {
    struct load_options *o = &job->options;
    char path[512];
    enum weir_error e = take_duration(w->delay, "delay", &o->delay_ns);
    if (e == WEIR_OK) e = take_duration(w->delay_sd, "delay-sd", &o->delay_sd_ns);
    if (e == WEIR_OK) e = take_share(w->loss, "loss", &o->loss_ppm);
    if (e == WEIR_OK) e = take_share(w->duplicate, "duplicate", &o->duplicate_ppm);
    if (e == WEIR_OK && o->duplicate_ppm && o->target.scheme != LOAD_UDP)
        e = weir_error_context(WEIR_E_INVALID, "--duplicate is for udp://: TCP removes what comes twice");
    if (e == WEIR_OK && w->delay_sd && !o->delay_ns)
        e = weir_error_context(WEIR_E_INVALID, "--delay-sd needs --delay, the mean");
    if (e == WEIR_OK && w->rtt) e = rtt_init(job, w);
    if (e != WEIR_OK || !w->net) return e;
    const char *net = strncmp(w->net, "trace:", 6) == 0 ? w->net + 6 : w->net, *comma = strchr(net, ',');
    size_t size = comma ? (size_t)(comma - net) : strlen(net);
    if (size >= sizeof path) return weir_error_context(WEIR_E_TOO_LARGE, "--net: the path is too long");
    memcpy(path, net, size);
    path[size] = 0;
    e = trace_init(job, path, &o->up);
    if (e == WEIR_OK) e = trace_init(job, comma ? comma + 1 : path, &o->down);
    o->has_up = o->has_down = e == WEIR_OK;
    return e;
}

static enum weir_error sizes_init(struct load_job *job, const struct load_words *w) {
    struct load_options *o = &job->options;
    o->connections = o->target.scheme == LOAD_HTTP ? 10 : 1;
    o->pipeline = o->target.scheme == LOAD_HTTP ? 1 : 1024;
    o->threads = 1;
    o->timeout_ns = 10 * SYS_NANOS_PER_S;
    o->late_max_ns = 10 * SYS_NANOS_PER_MS;
    job->sys->random(job->sys, &o->seed, sizeof o->seed);
    o->seed >>= 11; /* so that JSON's readers can hold it */
    enum weir_error e = take_count32(w->connections, "connections", LOAD_CONNECTIONS_MAX, &o->connections);
    if (e == WEIR_OK) e = take_count32(w->pipeline, "pipeline", LOAD_PIPELINE_MAX, &o->pipeline);
    if (e == WEIR_OK) e = take_count32(w->threads, "threads", LOAD_THREADS_MAX, &o->threads);
    if (o->threads > o->connections) o->threads = o->connections;
    if (e == WEIR_OK) e = take_duration(w->timeout, "timeout", &o->timeout_ns);
    if (e == WEIR_OK) e = take_duration(w->late, "late-max", &o->late_max_ns);
    if (e == WEIR_OK) e = take_count(w->seed, "seed", 0, UINT64_MAX, &o->seed);
    return e;
}

/* ---- to whom ---- */

static enum weir_error target_init(struct load_job *job, const char *url, const struct load_words *w) {
    struct load_options *o = &job->options;
    enum weir_error e = load_target_parse(url, &o->target);
    if (e == WEIR_OK && !o->target.is_tls && (w->ca || w->cert || w->key || w->insecure))
        e = weir_error_context(WEIR_E_INVALID,
            "--ca, --cert, --key and --insecure are for targets with TLS: https://, wss:// and ouch+tls://");
    if (e == WEIR_OK && !w->cert != !w->key)
        e = weir_error_context(WEIR_E_INVALID, "--cert and --key go together: a certificate and its key");
    if (e == WEIR_OK && w->ca && w->insecure)
        e = weir_error_context(
            WEIR_E_INVALID, "--ca says whom to trust and --insecure trusts anybody; give one of them");
    struct tls_client who = {.ca = w->ca ? w->ca : "",
        .cert = w->cert ? w->cert : "",
        .key = w->key ? w->key : "",
        .trusts_anyone = w->insecure};
    if (e == WEIR_OK && o->target.is_tls) e = tls_open_client(job->sys, &who, &o->tls);
    if (e == WEIR_OK) e = load_resolve(job->sys, &o->target, &job->addresses);
    o->addresses = &job->addresses;
    return e;
}

/* ---- latency while it runs ---- */

enum weir_error load_job_hdr_write(struct load_job *job, struct text_builder *text) {
    bool good = !text->truncated && fwrite(text->data, 1, text->size, job->hdr_file) == text->size &&
                fflush(job->hdr_file) == 0;
    text_clear(text);
    return good ? WEIR_OK : weir_error_context(WEIR_E_IO, "--hdr-log: cannot write: %s", strerror(errno));
}

static enum weir_error on_interval(
    void *context, uint64_t start_ns, uint64_t length_ns, const struct histogram *latency) {
    struct load_job *job = context;
    struct text_builder text = text_builder(job->hdr_text, LOAD_TEXT_BYTES);
    enum weir_error e = load_hdr_log_line(&job->hdr_log, &text, start_ns, length_ns, latency);
    return e == WEIR_OK ? load_job_hdr_write(job, &text) : e;
}

static enum weir_error hdr_log_init(struct load_job *job, const struct load_words *w) {
    struct load_options *o = &job->options;
    if (!w->hdr_log && w->hdr_interval)
        return weir_error_context(WEIR_E_INVALID, "--hdr-interval is of --hdr-log FILE, which is not given");
    if (!w->hdr_log) return WEIR_OK;
    o->interval_ns = SYS_NANOS_PER_S;
    o->on_interval = on_interval;
    o->interval_context = job;
    enum weir_error e = take_duration(w->hdr_interval, "hdr-interval", &o->interval_ns);
    if (e == WEIR_OK && o->interval_ns < 100 * SYS_NANOS_PER_MS)
        e = weir_error_context(WEIR_E_INVALID, "--hdr-interval %s is less than 100ms", w->hdr_interval);
    if (e == WEIR_OK) e = load_hdr_log_init(&job->hdr_log);
    if (e == WEIR_OK) e = sys_memory_map(LOAD_TEXT_BYTES, &job->hdr_text);
    if (e != WEIR_OK) return e;
    job->hdr_file = fopen(w->hdr_log, "wb");
    if (!job->hdr_file)
        return weir_error_context(WEIR_E_IO, "--hdr-log: cannot write %s: %s", w->hdr_log, strerror(errno));
    return WEIR_OK;
}

enum weir_error load_job_init(struct load_job *job, const char *url, const struct load_words *w) {
    struct load_options *o = &job->options;
    enum weir_error e = sys_linux_new(&job->sys);
    if (e == WEIR_OK) e = sys_memory_map(LOAD_TEXT_BYTES, &job->text);
    if (e == WEIR_OK) e = target_init(job, url, w);
    if (e == WEIR_OK) e = sizes_init(job, w);
    if (e == WEIR_OK) e = body_init(job, w);
    if (e == WEIR_OK) e = head_init(job, w);
    if (e == WEIR_OK && w->hello) o->hello = weir_slice_text(w->hello);
    if (e == WEIR_OK) e = match_init(o, w->match);
    if (e == WEIR_OK) e = ouch_init(o, w);
    if (e == WEIR_OK) e = schedule_init(job, w);
    if (e == WEIR_OK) e = clients_init(o, w);
    if (e == WEIR_OK) e = network_init(job, w);
    job->has_objectives = w->slo != NULL;
    if (e == WEIR_OK && w->slo) e = named(load_objectives_parse(w->slo, &job->objectives), "slo");
    if (e == WEIR_OK) e = load_result_init(&job->result);
    if (e == WEIR_OK) e = hdr_log_init(job, w);
    return e;
}

void load_job_done(struct load_job *job) {
    struct load_options *o = &job->options;
    tls_give(o->tls);
    load_hdr_log_done(&job->hdr_log);
    if (job->hdr_file) fclose(job->hdr_file);
    if (job->hdr_text) sys_memory_unmap(job->hdr_text, LOAD_TEXT_BYTES);
    load_template_done(&o->head);
    load_template_done(&o->body);
    load_lines_done(&o->packets);
    load_lines_done(&job->lines);
    load_curve_done(&o->curve);
    load_rtts_done(&o->rtts);
    load_trace_done(&o->up);
    load_trace_done(&o->down);
    load_result_done(&job->result);
    for (uint32_t i = 0; i < job->file_count; i++)
        sys_bytes_free(job->files[i]);
    sys_memory_unmap(job->text, LOAD_TEXT_BYTES);
    if (job->sys) sys_linux_free(job->sys);
}
