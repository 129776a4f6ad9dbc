#include "exchange/tool_load.h"
#include "load/worker.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGIN_PATIENCE UINT64_C(10000000000)
#define DRAIN_NS       UINT64_C(10000000000)
#define PENDING_MAX    (1u << 17) /* of one session: more than a second of the highest rate */
#define HEARTBEAT_NS   UINT64_C(900000000)
#define TIMINGS_MAX    (UINT64_C(1) << 26)
#define BACKLOG_S      0.1 /* held: at the end at most so many seconds of the rate are unanswered */
#define OUTSTANDING_S  0.5 /* and never so many */
#define RAMP_STEPS_MAX 24
#define CONFIRMS_MAX   5

/* ---- life ---- */

static enum weir_error open_session(struct order_load *load, uint32_t index, const char *address) {
    const struct order_load_options *o = load->options;
    struct order_load_session *s = &load->sessions[index];
    char user[32];
    uint32_t own = 0;
    s->partition = index % load->market.partition_count;
    s->names = calloc(o->symbols, sizeof(*s->names));
    if (s->names == NULL) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a session");
    /* Sessions of one partition share its symbols out: each has a middle price of its own in mind. */
    uint32_t sharing = 1, rank = index / load->market.partition_count, seen = 0;
    for (uint32_t i = s->partition + load->market.partition_count; i < o->sessions; i += load->market.partition_count)
        sharing++;
    for (uint32_t i = 0; i < load->market.symbol_count; i++)
        seen += load->market.symbols[i].partition == s->partition;
    bool shared_out = seen >= sharing;
    seen = 0;
    for (uint32_t i = 0; i < load->market.symbol_count; i++) {
        if (load->market.symbols[i].partition != s->partition) continue;
        if (!shared_out || seen % sharing == rank)
            weir_ouch_alpha_set(s->names[own++], WEIR_OUCH_SYMBOL_SIZE, weir_slice_text(load->market.symbols[i].name));
        seen++;
    }
    if (own == 0)
        return weir_error_context(WEIR_E_INVALID,
            "partition %u has none of the %u symbols; ask for more with --symbols", s->partition,
            load->market.symbol_count);
    enum weir_error error = generate_init(&s->generate, o->seed + index, own);
    if (error) return error;
    tool_login_user(o->user, index, user, sizeof(user));
    error = tool_client_init(&s->client, address, user, o->password ? o->password : "", PENDING_MAX);
    if (error == WEIR_OK) tool_client_partition(&s->client, s->partition);
    return error;
}

static void ignore(void *context, struct tool_client *client, const struct tool_client_pending *asked,
    const struct weir_ouch_response *answer) {
    (void)context, (void)client, (void)asked, (void)answer;
}

enum weir_error order_load_open(struct order_load *load, const struct order_load_options *options) {
    *load = (struct order_load){.options = options};
    load->sessions = calloc(options->sessions, sizeof(*load->sessions));
    if (load->sessions == NULL) return weir_error_context(WEIR_E_NO_MEMORY, "no memory to load");
    enum weir_error error = sys_linux_new(&load->sys);
    if (error == WEIR_OK) error = load_result_init(&load->result.measured);
    if (error == WEIR_OK) error = market_open(&load->market, options->node);
    if (error == WEIR_OK) error = market_define(&load->market, options->symbol, (uint32_t)options->symbols);
    if (error == WEIR_OK && options->ouch == NULL)
        error = market_listener(&load->market, "exchange.ouch", load->address);
    if (options->ouch) snprintf(load->address, sizeof(load->address), "%s", options->ouch);
    for (uint32_t i = 0; i < options->sessions && error == WEIR_OK; i++) {
        load->session_count = i + 1;
        error = open_session(load, i, load->address);
        struct tool_client *client = &load->sessions[i].client;
        if (error == WEIR_OK) error = tool_client_login(client, LOGIN_PATIENCE, ignore, NULL);
        if (error == WEIR_OK) error = tool_client_cancel_all(client, LOGIN_PATIENCE);
        tool_client_logout(client); /* each run has links of its own */
    }
    return error;
}

void order_load_done(struct order_load *load) {
    for (uint32_t i = 0; i < load->session_count; i++) {
        struct order_load_session *s = &load->sessions[i];
        tool_client_done(&s->client);
        generate_done(&s->generate);
        free(s->names);
    }
    free(load->sessions);
    load_result_done(&load->result.measured);
    if (load->sys) sys_linux_free(load->sys);
    free(load->timings);
    market_done(&load->market);
}

/* ---- one request, one answer ---- */

static void put(struct order_load_session *s, uint64_t due) {
    struct generate_step step;
    struct weir_ouch_request request;
    generate_next(&s->generate, &step);
    const struct weir_orderflow_record *r = &step.record;
    uint32_t ref;
    switch (r->op) {
    case WEIR_ORDERFLOW_CANCEL:
        request = (struct weir_ouch_request){.type = WEIR_OUCH_CANCEL, .cancel = {.user_ref = step.ref}};
        break;
    case WEIR_ORDERFLOW_MOVE:
        ref = s->client.next_ref++;
        request = (struct weir_ouch_request){.type = WEIR_OUCH_REPLACE,
            .replace = {.orig_user_ref = step.ref,
                .user_ref = ref,
                .quantity = r->quantity,
                .price = (uint64_t)r->price,
                .time_in_force = '1',
                .display = 'Y',
                .sweep = 'N'}};
        memset(request.replace.client_id, ' ', sizeof(request.replace.client_id));
        *step.ret_ref = ref;
        break;
    default:
        ref = s->client.next_ref++;
        tool_client_enter(&request, ref, r->side == WEIR_ORDERFLOW_SELL ? 'S' : 'B', s->names[r->symbol]);
        request.enter.quantity = r->quantity;
        request.enter.price = (uint64_t)r->price;
        if (r->op == WEIR_ORDERFLOW_IOC) request.enter.time_in_force = '3';
        if (step.ret_ref) *step.ret_ref = ref;
        break;
    }
    tool_client_put(&s->client, &request, 0, due);
}

/* Where an answer came, and when. */
struct hearing {
    struct order_load *load;
    struct load_worker *w;
    struct load_conn *c;
    uint64_t now;
};

static void hear(void *context, struct tool_client *client, const struct tool_client_pending *asked,
    const struct weir_ouch_response *answer) {
    struct hearing *h = context;
    struct order_load *load = h->load;
    struct order_load_result *r = &load->result;
    (void)client;
    r->executions += answer->type == WEIR_OUCH_R_EXECUTED;
    if (asked == NULL || h->c->pending_count == 0) return;
    r->answered++;
    r->answered_in_time += h->now <= h->w->end_ns;
    if (answer->type == WEIR_OUCH_R_CANCEL_REJECT) {
        r->too_late++;
    } else if (answer->type == WEIR_OUCH_R_REJECTED) {
        r->refused++;
        tool_client_refusal(answer, load->last_refusal);
    } else {
        r->accepted++;
    }
    uint64_t intended = load_conn_pending(h->w, h->c, 0)->origin_ns, base = h->w->base_ns;
    if (load->timing_count < load->timing_room)
        load->timings[load->timing_count++] = (struct order_load_timing){intended - base, h->now - base};
    load_conn_finish(h->w, h->c, 0, LOAD_ANSWERED, h->now); /* answers come in the order of the requests */
}

/* ---- the generator's view of a session ---- */

static struct order_load_session *session_of(const struct load_worker *w, const struct load_conn *c) {
    struct order_load *load = w->options->context;
    return &load->sessions[load_conn_index(w, c)];
}

static size_t queued_take(struct tool_client *client, uint8_t *out) {
    size_t size = client->out_size;
    memcpy(out, client->out, size);
    client->out_size = client->out_sent = 0;
    return size;
}

static void greet(struct load_worker *w, struct load_conn *c, uint64_t now) {
    struct order_load *load = w->options->context;
    struct tool_client *client = &session_of(w, c)->client;
    load->link_lost |= client->pending_count > 0;
    client->pending_count = client->pending_first = 0;
    client->sent_ns = now;
    enum weir_error error = tool_client_greet(client);
    size_t size = error ? 0 : queued_take(client, w->body);
    if (error || !load_conn_put(w, c, weir_slice(w->body, size)))
        load_conn_lose(w, c, LOAD_FAILURE_CONNECT, LOAD_FAILURE_CONNECT, now);
}

static size_t render(struct load_worker *w, struct load_conn *c, struct load_pending *pending, uint8_t *out) {
    struct order_load *load = w->options->context;
    struct order_load_session *s = session_of(w, c);
    uint64_t outstanding = w->under_way + 1;
    if (outstanding > load->result.outstanding_max) load->result.outstanding_max = outstanding;
    put(s, pending->origin_ns);
    s->client.sent_ns = pending->sent_ns;
    return queued_take(&s->client, out);
}

static size_t take(struct load_worker *w, struct load_conn *c, uint8_t *bytes, size_t *size_io, uint64_t now) {
    struct tool_client *client = &session_of(w, c)->client;
    struct hearing hearing = {w->options->context, w, c, now};
    size_t taken = 0;
    enum weir_error error = tool_client_take(client, weir_slice(bytes, *size_io), hear, &hearing, &taken);
    if (error) {
        load_worker_note(w, weir_error_text());
        return LOAD_TAKE_BAD;
    }
    if (c->state == LOAD_CONN_OPENING && client->synced) load_conn_ready(w, c, now);
    return taken;
}

static void tick(struct load_worker *w, struct load_conn *c, uint64_t now) {
    struct tool_client *client = &session_of(w, c)->client;
    uint8_t heartbeat[WEIR_SOUPBIN_HEADER_SIZE];
    if (now < client->sent_ns + HEARTBEAT_NS) return;
    weir_soupbin_header(heartbeat, WEIR_SOUPBIN_CLIENT_HEARTBEAT, 0);
    (void)load_conn_put(w, c, weir_slice(heartbeat, sizeof(heartbeat)));
    client->sent_ns = now;
}

static const struct load_protocol order_protocol = {.greet = greet, .render = render, .take = take, .tick = tick};

/* ---- a run ---- */

static enum weir_error prepare(struct order_load *load, uint64_t rate, double seconds) {
    uint64_t planned = (uint64_t)((double)rate * seconds);
    load_result_done(&load->result.measured);
    load->result = (struct order_load_result){.rate = rate, .seconds = seconds, .planned = planned};
    load->timing_count = 0;
    load->link_lost = false;
    enum weir_error error = load_result_init(&load->result.measured);
    if (error || load->options->timings == NULL || load->timing_room >= planned) return error;
    if (planned > TIMINGS_MAX)
        return weir_error_context(
            WEIR_E_TOO_LARGE, "--timings keeps at most %llu orders", (unsigned long long)TIMINGS_MAX);
    free(load->timings);
    load->timings = malloc(planned * sizeof(*load->timings));
    if (load->timings == NULL) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the timings");
    load->timing_room = planned;
    memset(load->timings, 0, load->timing_room * sizeof(*load->timings));
    return WEIR_OK;
}

static bool go_on(void *context, const struct load_progress *progress) {
    (void)context, (void)progress;
    return true;
}

enum weir_error order_load_run(struct order_load *load, uint64_t rate, double seconds) {
    struct order_load_result *r = &load->result;
    struct load_options options = {.protocol = &order_protocol,
        .context = load,
        .connections = load->session_count,
        .pipeline = PENDING_MAX,
        .threads = 1,
        .timeout_ns = DRAIN_NS};
    char url[96];
    snprintf(url, sizeof(url), "ouch://%s", load->address);
    enum weir_error error = load_target_parse(url, &options.target);
    if (error == WEIR_OK) error = load_curve_init(&options.curve, "steady", weir_slice(NULL, 0), (double)rate, seconds);
    if (error == WEIR_OK) error = prepare(load, rate, seconds);
    if (error == WEIR_OK) error = load_run(load->sys, &options, go_on, NULL, &r->measured);
    load_curve_done(&options.curve);
    if (error) return error;
    if (load->link_lost || r->measured.opened < load->session_count)
        return weir_error_context(WEIR_E_CLOSED, "%s: %s", load->address,
            r->measured.first_failure[0] ? r->measured.first_failure : "not every session could log in");
    r->planned = r->measured.counts.planned;
    r->sent = r->measured.counts.attempts;
    r->backlog_end = r->planned - r->answered_in_time; /* what is late to leave counts as well */
    r->held = (double)r->backlog_end <= (double)rate * BACKLOG_S &&
              (double)r->outstanding_max <= (double)rate * OUTSTANDING_S;
    return WEIR_OK;
}

/* What one run leaves unanswered would be counted in the next. */
static enum weir_error run_through(struct order_load *load, uint64_t rate, double seconds) {
    enum weir_error error = order_load_run(load, rate, seconds);
    uint64_t left = load->result.sent - load->result.answered;
    if (error || left == 0) return error;
    return weir_error_context(WEIR_E_TIMEOUT, "at %llu/s: %llu requests unanswered %llu s after the last was sent",
        (unsigned long long)rate, (unsigned long long)left, (unsigned long long)(DRAIN_NS / 1000000000u));
}

enum weir_error order_load_ramp(struct order_load *load) {
    const struct order_load_options *o = load->options;
    uint64_t held = 0, broken = 0, rate = o->rate;
    enum weir_error error = WEIR_OK;
    for (int step = 0; step < RAMP_STEPS_MAX && error == WEIR_OK; step++) {
        error = run_through(load, rate, (double)o->step_seconds);
        if (error) break;
        fprintf(stderr, "%8llu/s %s, p99 %.0f us\n", (unsigned long long)rate, load->result.held ? "held" : "not held",
            (double)histogram_quantile(&load->result.measured.latency, 0.99) / 1e3);
        if (load->result.held)
            held = rate;
        else
            broken = rate;
        if (broken && (broken - held < broken / 12 || held == 0)) break;
        rate = broken ? held + (broken - held) / 2 : rate * 3 / 2;
    }
    for (int round = 0; round < CONFIRMS_MAX && error == WEIR_OK && held; round++) {
        error = run_through(load, held, (double)o->seconds);
        if (error == WEIR_OK && load->result.held) break;
        held = held * 9 / 10;
    }
    return error;
}

enum weir_error order_load_timings_write(const struct order_load *load, const char *path) {
    FILE *file = fopen(path, "wb");
    bool good = file && fwrite(load->timings, sizeof(*load->timings), load->timing_count, file) == load->timing_count;
    if (file && fclose(file) != 0) good = false;
    return good ? WEIR_OK : weir_error_context(WEIR_E_IO, "cannot write %s: %s", path, strerror(errno));
}
