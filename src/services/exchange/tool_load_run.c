#include "exchange/tool_load.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define LATENCY_NS_MAX (UINT64_C(1) << 40)
#define LOGIN_PATIENCE UINT64_C(10000000000)
#define DRAIN_NS       UINT64_C(10000000000)
#define PENDING_MAX    (1u << 17)      /* of one session: more than a second of the highest rate */
#define BATCH_NS       UINT64_C(50000) /* at high rates it wakes no more often: waking costs the node's processor time */
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
    size_t buckets = histogram_bucket_count(LATENCY_NS_MAX);
    char listener[80];
    load->buckets = calloc(2 * buckets, sizeof(*load->buckets));
    load->sessions = calloc(options->sessions, sizeof(*load->sessions));
    if (load->buckets == NULL || load->sessions == NULL)
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory to load");
    histogram_init(&load->result.latency, load->buckets, buckets);
    histogram_init(&load->result.late, load->buckets + buckets, buckets);
    enum weir_error error = market_open(&load->market, options->node);
    if (error == WEIR_OK) error = market_define(&load->market, options->symbol, (uint32_t)options->symbols);
    if (error == WEIR_OK && options->ouch == NULL) error = market_listener(&load->market, "exchange.ouch", listener);
    for (uint32_t i = 0; i < options->sessions && error == WEIR_OK; i++) {
        load->session_count = i + 1;
        error = open_session(load, i, options->ouch ? options->ouch : listener);
        struct tool_client *client = &load->sessions[i].client;
        if (error == WEIR_OK) error = tool_client_login(client, LOGIN_PATIENCE, ignore, NULL);
        if (error == WEIR_OK) error = tool_client_cancel_all(client, LOGIN_PATIENCE);
    }
    /* A timer that is late by the default 50 us would be counted as the node's time. */
    prctl(PR_SET_TIMERSLACK, 1UL);
    return error;
}

void order_load_done(struct order_load *load) {
    for (uint32_t i = 0; i < load->session_count; i++) {
        struct order_load_session *s = &load->sessions[i];
        tool_client_logout(&s->client);
        tool_client_done(&s->client);
        generate_done(&s->generate);
        free(s->names);
    }
    free(load->sessions);
    free(load->buckets);
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

static void hear(void *context, struct tool_client *client, const struct tool_client_pending *asked,
    const struct weir_ouch_response *answer) {
    struct order_load *load = context;
    struct order_load_result *r = &load->result;
    r->executions += answer->type == WEIR_OUCH_R_EXECUTED;
    if (asked == NULL) return;
    r->answered++;
    if (answer->type == WEIR_OUCH_R_CANCEL_REJECT) {
        r->too_late++;
    } else if (answer->type == WEIR_OUCH_R_REJECTED) {
        r->refused++;
        tool_client_refusal(answer, load->last_refusal);
    } else {
        r->accepted++;
    }
    uint64_t now = client->received_ns;
    histogram_record(&r->latency, now > asked->at_ns ? now - asked->at_ns : 0);
    if (load->timing_count < load->timing_room)
        load->timings[load->timing_count++] =
            (struct order_load_timing){asked->at_ns - load->begin_ns, now - load->begin_ns};
}

/* ---- the loop ---- */

static uint64_t due_ns(const struct order_load *load, uint64_t i) {
    uint64_t rate = load->result.rate ? load->result.rate : 1; /* at rate 0 nothing is planned */
    return load->begin_ns + (uint64_t)((unsigned __int128)i * 1000000000u / rate);
}

static void put_due(struct order_load *load, uint64_t now) {
    struct order_load_result *r = &load->result;
    while (r->sent < r->planned) {
        struct order_load_session *s = &load->sessions[r->sent % load->session_count];
        uint64_t due = due_ns(load, r->sent);
        if (due > now || !tool_client_has_room(&s->client)) return;
        put(s, due);
        histogram_record(&r->late, now - due);
        r->sent++;
    }
}

static enum weir_error talk(struct order_load *load, struct pollfd *polls, uint64_t now, uint64_t wait_ns) {
    for (uint32_t i = 0; i < load->session_count; i++) {
        struct tool_client *client = &load->sessions[i].client;
        enum weir_error error = tool_client_send(client, now);
        if (error) return error;
        polls[i] = (struct pollfd){client->fd, (short)(POLLIN | (client->out_size ? POLLOUT : 0)), 0};
    }
    struct timespec wait = {(time_t)(wait_ns / 1000000000u), (long)(wait_ns % 1000000000u)};
    if (ppoll(polls, load->session_count, &wait, NULL) <= 0) return WEIR_OK;
    for (uint32_t i = 0; i < load->session_count; i++) {
        if (!(polls[i].revents & (POLLIN | POLLHUP | POLLERR))) continue;
        enum weir_error error = tool_client_receive(&load->sessions[i].client, hear, load);
        if (error) return error;
    }
    return WEIR_OK;
}

static uint64_t wait_ns(const struct order_load *load, uint64_t now) {
    const struct order_load_result *r = &load->result;
    if (r->sent >= r->planned) return 10000000;
    uint64_t due = due_ns(load, r->sent);
    uint64_t least = r->rate > 20000 ? BATCH_NS : 0;
    return due > now + least ? due - now : least;
}

static enum weir_error prepare(struct order_load *load, uint64_t rate, double seconds) {
    struct histogram latency = load->result.latency, late = load->result.late;
    histogram_reset(&latency);
    histogram_reset(&late);
    load->result = (struct order_load_result){.rate = rate,
        .seconds = seconds,
        .planned = (uint64_t)((double)rate * seconds),
        .latency = latency,
        .late = late};
    load->timing_count = 0;
    if (load->options->timings == NULL || load->timing_room >= load->result.planned) return WEIR_OK;
    if (load->result.planned > TIMINGS_MAX)
        return weir_error_context(
            WEIR_E_TOO_LARGE, "--timings keeps at most %llu orders", (unsigned long long)TIMINGS_MAX);
    free(load->timings);
    load->timings = malloc(load->result.planned * sizeof(*load->timings));
    if (load->timings == NULL) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the timings");
    load->timing_room = load->result.planned;
    memset(load->timings, 0, load->timing_room * sizeof(*load->timings));
    return WEIR_OK;
}

enum weir_error order_load_run(struct order_load *load, uint64_t rate, double seconds) {
    struct order_load_result *r = &load->result;
    struct pollfd *polls = calloc(load->session_count, sizeof(*polls));
    enum weir_error error = polls ? prepare(load, rate, seconds) : WEIR_E_NO_MEMORY;
    uint64_t now = load->begin_ns = tool_client_now_ns();
    uint64_t end = now + (uint64_t)(seconds * 1e9);
    while (error == WEIR_OK && now < end) {
        put_due(load, now);
        error = talk(load, polls, now, wait_ns(load, now));
        now = tool_client_now_ns();
        if (r->sent - r->answered > r->outstanding_max) r->outstanding_max = r->sent - r->answered;
    }
    r->backlog_end = r->planned - r->answered; /* what is late to leave counts as well */
    r->held = (double)r->backlog_end <= (double)rate * BACKLOG_S &&
              (double)r->outstanding_max <= (double)rate * OUTSTANDING_S;
    uint64_t deadline = now + DRAIN_NS;
    while (error == WEIR_OK && (r->answered < r->sent || (r->held && r->sent < r->planned)) && now < deadline) {
        if (r->held) put_due(load, now);
        error = talk(load, polls, now, wait_ns(load, now));
        now = tool_client_now_ns();
    }
    free(polls);
    return error;
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
            (double)histogram_quantile(&load->result.latency, 0.99) / 1e3);
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
