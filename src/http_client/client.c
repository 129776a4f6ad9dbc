/* The agent that carries the lanes' calls: libcurl's multi handle between rings. See client.h. */
#include "http_client/client.h"

#include "base/ring.h"
#include "http_client/client_messages.h"
#include "http_client/transfer.h"
#include "sys/wake.h"

#include <stdio.h>
#include <weir/vec.h>

#define CALLS_MAX            256u
#define REQUEST_MAX          (1u << 20)
#define BODY_MAX             4096u
#define CONNECTIONS_MAX      256u
#define CONNECTIONS_HOST_MAX 8u
#define TOTAL_MS             30000u

struct call { /* allocated by the agent while it runs; message and body follow in the same block */
    struct http_transfer transfer;
    struct http_request request;
    struct http_header headers[HTTP_HEADERS_MAX];
    struct http_reply reply;
    struct submitter *submitter;
    uint64_t tag;
    uint32_t index; /* in its submitter's calls */
    uint32_t body_size, body_max;
    bool is_canceled;
    uint8_t *body;
    size_t memory_size;
};

struct submitter {
    struct byte_ring requests, results;
    struct slot_ring cancels; /* tags */
    uint32_t open;            /* the submitter's: calls whose result it has not taken */
    bool is_shown;            /* the submitter's: a result is in its hands */
    uint8_t separation[RING_SEPARATION];
    int poller;
    struct call **calls; /* the agent's: [calls_max], NULL: free */
    uint32_t running;
};

struct curl_client {
    struct http_client client; /* first: a struct http_client * is one of these */
    struct sys *sys;
    struct curl_library curl;
    struct http_policy policy;
    CURLM *multi;
    int agent;
    uint32_t submitter_count, calls_max, request_max, body_max;
    size_t memory_size;
    _Atomic bool stopping;
    struct wake wake;
    struct http_client_metrics metrics;
    struct submitter submitters[];
};

static struct curl_client *client_of(struct http_client *client) {
    return (struct curl_client *)client;
}

/* ---- the submitters' side ---- */

static void wake_agent(struct curl_client *c) {
    if (wake_notify(&c->wake)) (void)c->curl.multi_wakeup(c->multi);
}

static enum weir_error client_submit(
    struct http_client *client, uint32_t submitter, uint64_t tag, const struct http_request *request) {
    struct curl_client *c = client_of(client);
    WEIR_ASSERT(submitter < c->submitter_count);
    struct submitter *s = &c->submitters[submitter];
    enum weir_error e = http_request_check(request);
    if (e) return e;
    size_t size = call_message_size(request);
    if (size - sizeof(struct call_message) > c->request_max)
        return weir_error_context(WEIR_E_TOO_LARGE, "the call has %zu bytes, at most may be %u",
            size - sizeof(struct call_message), c->request_max);
    void *room = s->open < c->calls_max ? byte_ring_reserve(&s->requests, size) : NULL;
    if (!room) return weir_error_context(WEIR_E_FULL, "%u HTTP calls are under way: try again later", s->open);
    call_message_write(room, tag, request);
    byte_ring_commit(&s->requests, size, 0);
    s->open++;
    wake_agent(c);
    return WEIR_OK;
}

static enum weir_error client_cancel(struct http_client *client, uint32_t submitter, uint64_t tag) {
    struct curl_client *c = client_of(client);
    WEIR_ASSERT(submitter < c->submitter_count);
    if (!slot_ring_push(&c->submitters[submitter].cancels, &tag))
        return weir_error_context(WEIR_E_FULL, "too many calls are being canceled: try again later");
    wake_agent(c);
    return WEIR_OK;
}

static bool client_take(struct http_client *client, uint32_t submitter, struct http_result *ret_result) {
    struct curl_client *c = client_of(client);
    WEIR_ASSERT(submitter < c->submitter_count);
    struct submitter *s = &c->submitters[submitter];
    struct weir_slice bytes;
    uint32_t tag;
    if (s->is_shown) byte_ring_release(&s->results);
    s->is_shown = byte_ring_peek(&s->results, &bytes, &tag);
    if (!s->is_shown) return false;
    const struct result_message *m = (const void *)bytes.data;
    WEIR_ASSERT(s->open > 0 && bytes.size == sizeof *m + m->body_size);
    s->open--;
    ret_result->tag = m->tag;
    ret_result->reply = m->reply;
    ret_result->body = weir_slice(m + 1, m->body_size);
    return true;
}

/* ---- the agent: a call's end ---- */

/* Room was set aside when the call was accepted. */
static void tell(
    struct curl_client *c, struct submitter *s, uint64_t tag, const struct http_reply *reply, struct weir_slice body) {
    struct result_message *m = byte_ring_reserve(&s->results, sizeof *m + body.size);
    WEIR_ASSERT(m != NULL);
    m->tag = tag;
    m->reply = *reply;
    m->body_size = (uint32_t)body.size;
    m->unused = 0;
    if (body.size > 0) memcpy(m + 1, body.data, body.size);
    byte_ring_commit(&s->results, sizeof *m + body.size, 0);
    if (s->poller >= 0) c->sys->poller_wake(c->sys, s->poller);
}

static void count_call(struct curl_client *c, const struct call *call) {
    long connects = 0, request = 0, head = 0;
    curl_off_t sent = 0;
    CURL *easy = call->transfer.easy;
    (void)c->curl.easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    (void)c->curl.easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request);
    (void)c->curl.easy_getinfo(easy, CURLINFO_HEADER_SIZE, &head);
    (void)c->curl.easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    metric_add(&c->metrics.connects, (uint64_t)connects);
    metric_add(&c->metrics.bytes_sent, (uint64_t)request + (uint64_t)sent);
    metric_add(&c->metrics.bytes_received, (uint64_t)head + call->reply.body_size);
    metric_record(&c->metrics.duration_ns, call->reply.duration_ns);
}

static void forget_call(struct curl_client *c, struct call *call) {
    call->submitter->calls[call->index] = NULL;
    call->submitter->running--;
    if (call->transfer.easy) c->curl.easy_cleanup(call->transfer.easy);
    weir_dealloc(NULL, call, call->memory_size, _Alignof(struct call));
}

/* The reply is filled. */
static void end_call(struct curl_client *c, struct call *call) {
    struct metric_counter *count = call->is_canceled   ? &c->metrics.canceled
                                   : call->reply.error ? &c->metrics.failed
                                                       : &c->metrics.answered;
    metric_add(count, 1);
    tell(c, call->submitter, call->tag, &call->reply, weir_slice(call->body, call->body_size));
    forget_call(c, call);
}

/* It was given to libcurl, which is done with it or is to be. */
static void take_back(struct curl_client *c, struct call *call, CURLcode code) {
    (void)c->curl.multi_remove_handle(c->multi, call->transfer.easy);
    (void)transfer_end(&call->transfer, code);
    count_call(c, call);
    metric_set(&c->metrics.running, metric_get(&c->metrics.running) - 1);
    end_call(c, call);
}

/* ---- the agent: a call's beginning ---- */

static enum weir_error keep_body(void *ctx, struct weir_slice bytes) {
    struct call *call = ctx;
    size_t room = call->body_max - call->body_size, kept = bytes.size < room ? bytes.size : room;
    if (kept > 0) memcpy(call->body + call->body_size, bytes.data, kept);
    call->body_size += (uint32_t)kept;
    call->reply.body_cut = call->reply.body_cut || kept < bytes.size;
    if (call->reply.body_size <= call->body_max + HTTP_CLIENT_DISCARD_BYTES) return WEIR_OK;
    call->transfer.is_cut = true;
    return weir_error_context(WEIR_E_TOO_LARGE, "the answer has more than anybody wants");
}

static uint32_t free_index(const struct curl_client *c, const struct submitter *s) {
    for (uint32_t i = 0; i < c->calls_max; i++)
        if (!s->calls[i]) return i;
    WEIR_ASSERT(false); /* a submitter has no more calls open than there are places */
    return 0;
}

/* NULL: no memory. */
static struct call *make_call(struct curl_client *c, struct submitter *s, struct weir_slice message) {
    size_t size = sizeof(struct call) + ((message.size + 7) & ~(size_t)7) + c->body_max;
    struct call *call = weir_alloc(NULL, size, _Alignof(struct call));
    if (!call) return NULL;
    uint8_t *copy = (uint8_t *)(call + 1);
    memcpy(copy, message.data, message.size);
    *call = (struct call){.submitter = s,
        .tag = ((const struct call_message *)(const void *)message.data)->tag,
        .index = free_index(c, s),
        .body = (uint8_t *)call + size - c->body_max,
        .body_max = c->body_max,
        .memory_size = size};
    call_message_read(copy, &call->request, call->headers);
    if (call->request.total_ms == 0) call->request.total_ms = TOTAL_MS;
    call->transfer = (struct http_transfer){.sys = c->sys,
        .curl = &c->curl,
        .policy = &c->policy,
        .easy = c->curl.easy_init(),
        .body = keep_body,
        .body_ctx = call,
        .reply = &call->reply};
    s->calls[call->index] = call;
    s->running++;
    return call;
}

static void begin_call(struct curl_client *c, struct submitter *s, struct weir_slice message) {
    struct call *call = make_call(c, s, message);
    if (!call) {
        struct http_reply reply;
        http_reply_refuse(&reply, weir_error_context(WEIR_E_NO_MEMORY, "no memory for an HTTP call"));
        reply.may_pass = true;
        metric_add(&c->metrics.failed, 1);
        tell(c, s, ((const struct call_message *)(const void *)message.data)->tag, &reply, weir_slice(NULL, 0));
        return;
    }
    bool good = call->transfer.easy != NULL;
    if (!good)
        http_reply_refuse(&call->reply, weir_error_context(WEIR_E_NO_MEMORY, "no memory for an HTTP call"));
    else
        good = transfer_begin(&call->transfer, &call->request) == WEIR_OK;
    if (!good) {
        end_call(c, call);
        return;
    }
    (void)c->curl.easy_setopt(call->transfer.easy, CURLOPT_PRIVATE, call);
    metric_set(&c->metrics.running, metric_get(&c->metrics.running) + 1);
    CURLMcode code = c->curl.multi_add_handle(c->multi, call->transfer.easy);
    if (code != CURLM_OK) take_back(c, call, CURLE_OUT_OF_MEMORY);
}

/* ---- the agent ---- */

static uint32_t take_requests(struct curl_client *c, struct submitter *s) {
    struct weir_slice message;
    uint32_t tag, count = 0;
    while (byte_ring_peek(&s->requests, &message, &tag)) {
        begin_call(c, s, message);
        byte_ring_release(&s->requests);
        count++;
    }
    return count;
}

/* After the requests, so that a call is known before its cancel is. */
static uint32_t take_cancels(struct curl_client *c, struct submitter *s) {
    uint64_t tag;
    uint32_t count = 0;
    while (slot_ring_pop(&s->cancels, &tag)) {
        count++;
        for (uint32_t i = 0; i < c->calls_max; i++) {
            if (!s->calls[i] || s->calls[i]->tag != tag) continue;
            s->calls[i]->is_canceled = true;
            take_back(c, s->calls[i], CURLE_ABORTED_BY_CALLBACK);
            break;
        }
    }
    return count;
}

static uint32_t take_ends(struct curl_client *c) {
    uint32_t count = 0;
    int left;
    for (CURLMsg *m; (m = c->curl.multi_info_read(c->multi, &left)); count++) {
        struct call *call = NULL;
        WEIR_ASSERT(m->msg == CURLMSG_DONE);
        CURLcode code = m->data.result; /* the message goes with the handle */
        (void)c->curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call);
        take_back(c, call, code);
    }
    return count;
}

static uint32_t client_do_work(void *self, uint64_t block_ns) {
    struct curl_client *c = self;
    uint32_t count = 0;
    int running = 0;
    for (uint32_t i = 0; i < c->submitter_count; i++) {
        count += take_requests(c, &c->submitters[i]);
        count += take_cancels(c, &c->submitters[i]);
    }
    (void)c->curl.multi_perform(c->multi, &running); /* what fails of it shows in the calls */
    count += take_ends(c);
    if (count > 0 || block_ns == 0 || atomic_load_explicit(&c->stopping, memory_order_acquire)) return count;
    bool asleep = wake_fall_asleep(&c->wake);
    uint64_t wait_ms = asleep ? block_ns / SYS_NANOS_PER_MS : 0;
    (void)c->curl.multi_poll(c->multi, NULL, 0, (int)wait_ms, NULL); /* sooner: bytes, one of its timers, a wake-up */
    wake_up(&c->wake);
    return 1; /* it waited already */
}

/* ---- life ---- */

static void drop_calls(struct curl_client *c, struct submitter *s) {
    for (uint32_t i = 0; i < c->calls_max; i++) {
        struct call *call = s->calls ? s->calls[i] : NULL;
        if (!call) continue;
        (void)c->curl.multi_remove_handle(c->multi, call->transfer.easy);
        (void)transfer_end(&call->transfer, CURLE_ABORTED_BY_CALLBACK);
        forget_call(c, call);
    }
}

static void client_stop(struct http_client *client) {
    struct curl_client *c = client_of(client);
    atomic_store_explicit(&c->stopping, true, memory_order_release);
    if (c->multi) (void)c->curl.multi_wakeup(c->multi);
    c->sys->agent_stop(c->sys, c->agent);
    for (uint32_t i = 0; i < c->submitter_count; i++)
        drop_calls(c, &c->submitters[i]);
    if (c->multi) (void)c->curl.multi_cleanup(c->multi);
    sys_memory_unmap(c, c->memory_size);
}

static size_t power_of_two(size_t at_least) {
    size_t size = 64;
    while (size < at_least)
        size *= 2;
    return size;
}

struct client_sizes {
    size_t requests, results, cancels, calls; /* bytes, of a submitter */
    size_t all;
};

static struct client_sizes sizes_of(const struct http_client_options *o) {
    size_t result = sizeof(struct result_message) + o->body_max + 2 * BYTE_RING_HEADER;
    struct client_sizes sizes = {/* A message of half the ring always fits once the agent has caught up. */
        .requests = power_of_two(2 * ((size_t)o->request_max + sizeof(struct call_message) + 2 * BYTE_RING_HEADER)),
        /* All that may be open, the one in the submitter's hands, and what the ring's end may waste. */
        .results = power_of_two(((size_t)o->calls_max + 2) * result),
        .cancels = power_of_two(o->calls_max) * sizeof(uint64_t),
        .calls = o->calls_max * sizeof(struct call *)};
    sizes.all = sizes.requests + sizes.results + sizes.cancels + sizes.calls;
    return sizes;
}

static void init_submitter(struct submitter *s, const struct client_sizes *sizes, uint8_t *memory, int poller) {
    byte_ring_init(&s->requests, memory, sizes->requests);
    byte_ring_init(&s->results, memory + sizes->requests, sizes->results);
    uint8_t *cancels = memory + sizes->requests + sizes->results;
    slot_ring_init(&s->cancels, cancels, sizeof(uint64_t), sizes->cancels / sizeof(uint64_t));
    s->calls = (struct call **)(void *)(cancels + sizes->cancels);
    s->poller = poller;
}

static enum weir_error open_multi(struct curl_client *c, const struct http_client_options *o) {
    enum weir_error e = curl_library_load(&c->curl);
    if (e) return e;
    c->multi = c->curl.multi_init();
    if (!c->multi) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for libcurl");
    (void)c->curl.multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)o->connections_max);
    (void)c->curl.multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)o->connections_host_max);
    (void)c->curl.multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)o->connections_max);
    return WEIR_OK;
}

static struct http_client_options completed(const struct http_client_options *options) {
    struct http_client_options o = *options;
    if (o.calls_max == 0) o.calls_max = CALLS_MAX;
    if (o.request_max == 0) o.request_max = REQUEST_MAX;
    if (o.body_max == 0) o.body_max = BODY_MAX;
    if (o.connections_max == 0) o.connections_max = CONNECTIONS_MAX;
    if (o.connections_host_max == 0) o.connections_host_max = CONNECTIONS_HOST_MAX;
    return o;
}

static enum weir_error make_client(
    struct sys *sys, const struct http_client_options *o, struct curl_client **ret_client) {
    const struct client_sizes sizes = sizes_of(o);
    size_t head = sizeof(struct curl_client) + o->submitters * sizeof(struct submitter);
    head = (head + 63) & ~(size_t)63;
    void *memory = NULL;
    enum weir_error e = sys_memory_map(head + o->submitters * sizes.all, &memory);
    if (e) return e;
    struct curl_client *c = memory;
    c->client = (struct http_client){client_submit, client_cancel, client_take, client_stop};
    c->sys = sys;
    c->agent = -1;
    c->memory_size = head + o->submitters * sizes.all;
    c->submitter_count = o->submitters;
    c->calls_max = o->calls_max;
    c->request_max = o->request_max;
    c->body_max = o->body_max;
    for (uint32_t i = 0; i < o->submitters; i++)
        init_submitter(
            &c->submitters[i], &sizes, (uint8_t *)memory + head + i * sizes.all, o->pollers ? o->pollers[i] : -1);
    *ret_client = c;
    return WEIR_OK;
}

enum weir_error http_client_start(
    struct sys *sys, const struct http_client_options *options, struct http_client **ret_client) {
    const struct http_client_options o = completed(options);
    struct curl_client *c = NULL;
    WEIR_ASSERT(o.submitters > 0 && o.submitters <= HTTP_CLIENT_SUBMITTERS_MAX);
    WEIR_ASSERT(o.calls_max <= 65536 && o.request_max <= (256u << 20) && o.body_max <= (1u << 20));
    enum weir_error e = make_client(sys, &o, &c);
    if (e) return e;
    e = http_policy_init(&c->policy, sys, &o.http);
    if (!e) e = open_multi(c, &o);
    if (!e)
        e = sys->agent_start(
            sys, &(struct sys_agent){.name = "http-client", .do_work = client_do_work, .self = c}, -1, &c->agent);
    if (e) {
        client_stop(&c->client);
        return e;
    }
    *ret_client = &c->client;
    return WEIR_OK;
}

const struct http_client_metrics *http_client_metrics(const struct http_client *client) {
    return &((const struct curl_client *)client)->metrics;
}

void http_client_register(const struct http_client *client, struct metric_registry *registry) {
    const struct http_client_metrics *m = http_client_metrics(client);
    static const char calls[] = "HTTP calls of the node that ended.";
    metric_register(registry, METRIC_COUNTER, &m->answered, "weir_http_client_calls_total", calls, "end=\"answered\"");
    metric_register(registry, METRIC_COUNTER, &m->failed, "weir_http_client_calls_total", calls, "end=\"failed\"");
    metric_register(registry, METRIC_COUNTER, &m->canceled, "weir_http_client_calls_total", calls, "end=\"canceled\"");
    metric_register(
        registry, METRIC_GAUGE, &m->running, "weir_http_client_calls_running", "HTTP calls under way.", NULL);
    metric_register(registry, METRIC_COUNTER, &m->connects, "weir_http_client_connections_total",
        "Connections that the node made for HTTP calls.", NULL);
    metric_register(registry, METRIC_COUNTER, &m->bytes_sent, "weir_http_client_bytes_sent_total",
        "Bytes of requests, without TLS.", NULL);
    metric_register(registry, METRIC_COUNTER, &m->bytes_received, "weir_http_client_bytes_received_total",
        "Bytes of answers, without TLS.", NULL);
    metric_register(registry, METRIC_HISTOGRAM_NS, &m->duration_ns, "weir_http_client_call_seconds",
        "Duration of HTTP calls, waiting for a connection included.", NULL);
}
