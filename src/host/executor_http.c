/* HTTP effects, over the node's client: requests out of their bytes, signed where the row has a secret; answers as
 * classes. One client for rows whose URLs come from who runs the node, and one that reaches public addresses only. */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/text.h"
#include "host/dispatch.h"
#include "host/node.h"
#include "http_client/client.h"

#include <stdio.h>

#define SCRATCH_BYTES (3 * WEIR_EFFECT_BYTES_MAX) /* of a lane: the strings of one request, or an answer's headers */
#define OWN_HEADERS   4u                          /* Idempotency-Key, Webhook-Id, -Timestamp, -Signature */
#define SECRET_BYTES  4096u

enum client { PUBLIC, ANYWHERE, CLIENTS };

struct signer {
    const struct weir_effect_row *row;
    struct webhook_secret secret;
};
struct http_executor {
    struct effect_executor executor; /* first */
    struct host *host;
    _Atomic(struct http_client *)
        clients[CLIENTS]; /* started when first needed: a node that calls nobody loads no libcurl */
    _Atomic bool starting[CLIENTS];
    struct http_network networks[HTTP_NETWORKS_MAX];
    size_t network_count;
    uint32_t request_max, body_max;
    struct signer *signers;
    uint32_t signer_count;
    uint8_t *scratch; /* SCRATCH_BYTES for each lane */
};

static struct http_executor *executor_of(struct effect_executor *x) {
    return (struct http_executor *)x;
}

/* ---- requests ---- */
static const char *text_of(struct byte_writer *w, struct weir_slice s) {
    const char *at = (const char *)w->data + w->at;
    byte_put_slice(w, s);
    byte_put_u8(w, 0);
    return at;
}

static bool has_nul(struct weir_slice s) {
    return s.size > 0 && memchr(s.data, 0, s.size) != NULL;
}

static const struct webhook_secret *secret_of(const struct http_executor *x, const struct weir_effect_row *row) {
    for (uint32_t i = 0; i < x->signer_count; i++)
        if (x->signers[i].row == row) return &x->signers[i].secret;
    return NULL;
}

static enum weir_error copy_headers(
    const struct weir_effect_request *q, struct byte_writer *w, struct http_header *headers, uint32_t *ret_count) {
    for (uint32_t i = 0; i < q->header_count; i++) {
        if (has_nul(q->headers[i].name) || has_nul(q->headers[i].value))
            return weir_error_context(WEIR_E_INVALID, "header %u has a NUL byte", i);
        headers[i].name = text_of(w, q->headers[i].name);
        headers[i].value = text_of(w, q->headers[i].value);
    }
    *ret_count = q->header_count;
    return WEIR_OK;
}

struct own_headers {
    char timestamp[24], signature[WEBHOOK_SIGNATURE_MAX];
};

static uint32_t add_own(const struct http_executor *x, const struct effect_call *call, struct weir_slice body,
    struct own_headers *own, struct http_header *headers) {
    uint32_t count = 0;
    headers[count++] = (struct http_header){"Idempotency-Key", call->key};
    const struct webhook_secret *secret = secret_of(x, call->row);
    if (!secret) return count;
    uint64_t timestamp_s = call->wall_ns / SYS_NANOS_PER_S;
    snprintf(own->timestamp, sizeof own->timestamp, "%llu", (unsigned long long)timestamp_s);
    webhook_sign(secret, call->key, timestamp_s, body, own->signature);
    headers[count++] = (struct http_header){"Webhook-Id", call->key};
    headers[count++] = (struct http_header){"Webhook-Timestamp", own->timestamp};
    headers[count++] = (struct http_header){"Webhook-Signature", own->signature};
    return count;
}

static struct http_client *client_at(const struct http_executor *x, enum client which) {
    return atomic_load_explicit(&x->clients[which], memory_order_acquire);
}

/* The first lane that needs it starts it, once: some 20 ms, most of it the loading of libcurl. AGAIN: another lane is
 * at it. */
static enum weir_error client_for(struct http_executor *x, enum client which, struct http_client **ret_client) {
    *ret_client = client_at(x, which);
    if (*ret_client) return WEIR_OK;
    if (atomic_exchange_explicit(&x->starting[which], true, memory_order_acq_rel)) return WEIR_E_AGAIN;
    *ret_client = client_at(x, which); /* another lane may have been done between the two lines above */
    if (*ret_client) {
        atomic_store_explicit(&x->starting[which], false, memory_order_release);
        return WEIR_OK;
    }
    const struct host *host = x->host;
    int pollers[LOG_LANES_MAX];
    for (uint32_t i = 0; i < host->lane_count; i++)
        pollers[i] = host->lanes[i].poller;
    const struct http_client_options o = {.submitters = host->lane_count,
        .pollers = pollers,
        .calls_max = DISPATCH_FLIGHTS,
        .request_max = x->request_max + (16u << 10),
        .body_max = x->body_max,
        .http = {.reach = which == PUBLIC ? HTTP_PUBLIC : HTTP_ANYWHERE,
            .allowed = x->networks,
            .allowed_count = x->network_count,
            .ca_file = host->node[NODE_EFFECTS_CA].text}};
    enum weir_error e = http_client_start(host->sys, &o, ret_client);
    if (e == WEIR_OK) atomic_store_explicit(&x->clients[which], *ret_client, memory_order_release);
    atomic_store_explicit(&x->starting[which], false, memory_order_release);
    return e;
}

static enum weir_error http_start(struct effect_executor *executor, uint32_t lane, const struct effect_call *call) {
    struct http_executor *x = executor_of(executor);
    struct byte_writer w = byte_writer(x->scratch + (size_t)lane * SCRATCH_BYTES, SCRATCH_BYTES);
    struct weir_effect_header parts[WEIR_EFFECT_HEADERS_MAX];
    struct http_header headers[WEIR_EFFECT_HEADERS_MAX + OWN_HEADERS];
    struct weir_effect_request q;
    struct own_headers own;
    uint32_t count;
    if (!weir_effect_request_load(call->request, parts, &q) || has_nul(q.method) || has_nul(q.url))
        return weir_error_context(WEIR_E_INVALID, "it is no request as weir_effect_request_store() writes it");
    struct http_request request = {.method = text_of(&w, q.method), .url = text_of(&w, q.url), .body = q.body};
    enum weir_error e = copy_headers(&q, &w, headers, &count);
    if (e != WEIR_OK) return e;
    WEIR_ASSERT(!w.failed); /* three times what a request may have */
    request.headers = headers;
    request.header_count = count + add_own(x, call, q.body, &own, headers + count);
    request.total_ms = call->timeout_ns / SYS_NANOS_PER_MS + 1;
    struct http_client *client;
    e = client_for(x, call->row->any_address ? ANYWHERE : PUBLIC, &client);
    if (e == WEIR_E_AGAIN) {
        x->host->lanes[lane].retry = true;
        return WEIR_E_FULL;
    }
    return e ? e : client->submit(client, lane, call->tag, &request);
}

/* ---- answers ---- */
static enum weir_effect_class class_of(const struct http_reply *r) {
    if (r->error == WEIR_OK) return r->status >= 200 && r->status < 300 ? WEIR_EFFECT_OK : WEIR_EFFECT_STATUS;
    if (r->error == WEIR_E_TIMEOUT) return WEIR_EFFECT_TIMEOUT;
    if (r->error == WEIR_E_FORBIDDEN || r->error == WEIR_E_INVALID) return WEIR_EFFECT_REJECTED;
    switch (r->failure) {
    case HTTP_FAILURE_CONNECT:
        return WEIR_EFFECT_REFUSED;
    case HTTP_FAILURE_RESET:
        return WEIR_EFFECT_RESET;
    case HTTP_FAILURE_NAME:
        return WEIR_EFFECT_DNS;
    case HTTP_FAILURE_TLS:
        return WEIR_EFFECT_TLS;
    default:
        return WEIR_EFFECT_FAILED;
    }
}

static void put_header(struct byte_writer *w, const char *name, const char *value) {
    struct weir_slice n = weir_slice_text(name), v = weir_slice_text(value);
    if (v.size == 0) return;
    byte_put_le16(w, (uint16_t)n.size);
    byte_put_le16(w, (uint16_t)v.size);
    byte_put_slice(w, n);
    byte_put_slice(w, v);
}

static bool http_take(struct effect_executor *executor, uint32_t lane, struct effect_end *ret_end) {
    struct http_executor *x = executor_of(executor);
    struct http_result result;
    bool taken = false;
    for (uint32_t i = 0; i < CLIENTS && !taken; i++) {
        struct http_client *client = client_at(x, (enum client)i);
        taken = client && client->take(client, lane, &result);
    }
    if (!taken) return false;
    struct byte_writer w = byte_writer(x->scratch + (size_t)lane * SCRATCH_BYTES, SCRATCH_BYTES);
    put_header(&w, "content-type", result.reply.content_type);
    put_header(&w, "location", result.reply.location);
    put_header(&w, "etag", result.reply.etag);
    size_t headers_size = w.at;
    struct weir_slice text = weir_slice_text(text_of(&w, weir_slice_text(result.reply.text)));
    uint64_t retry_ms = result.reply.retry_after_ms;
    *ret_end = (struct effect_end){.tag = result.tag,
        .answer = {.class_ = class_of(&result.reply),
            .status = result.reply.status > 0 ? (uint16_t)result.reply.status : 0,
            .duration_ns = result.reply.duration_ns,
            .retry_after_ns = retry_ms == HTTP_RETRY_AFTER_NONE ? 0 : retry_ms * SYS_NANOS_PER_MS,
            .text = text,
            .headers = weir_slice(w.data, headers_size),
            .body = result.body}};
    return true;
}

static void http_cancel(struct effect_executor *executor, uint32_t lane, uint64_t tag) {
    struct http_executor *x = executor_of(executor);
    for (uint32_t i = 0; i < CLIENTS; i++) { /* which of them has it is not kept; to the other one it is nothing */
        struct http_client *client = client_at(x, (enum client)i);
        if (client) (void)!client->cancel(client, lane, tag);
    }
}

static void http_stop(struct effect_executor *executor) {
    struct http_executor *x = executor_of(executor);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct http_client *client = client_at(x, (enum client)i);
        if (client) client->stop(client);
    }
}

/* ---- open ---- */
static const char *setting_text(const struct host_service *s, const char *name) {
    for (uint32_t i = 0; name && i < in_force_rows(s->service); i++)
        if (strcmp(s->service->settings[i].name, name) == 0) return s->values[i].text;
    return NULL;
}

static enum weir_error read_secret(
    struct host *host, const struct host_service *s, const struct weir_effect_row *row, struct signer *ret_signer) {
    struct weir_slice bytes;
    const char *path = setting_text(s, row->secret_setting);
    enum weir_error e = sys_read_all(host->sys, path, SECRET_BYTES, &bytes);
    if (e == WEIR_OK) {
        e = webhook_secret_load(bytes, &ret_signer->secret);
        sys_bytes_free(bytes);
    }
    if (e != WEIR_OK)
        return weir_error_wrap(
            e, "%s.%s: the secret in %s cannot be used", s->service->name, row->secret_setting, path);
    ret_signer->row = row;
    return WEIR_OK;
}

static enum weir_error read_secrets(struct host *host, struct http_executor *x) {
    enum weir_error e = WEIR_OK;
    for (uint32_t i = 0; i < host->service_count; i++) {
        const struct host_service *s = &host->services[i];
        for (const struct weir_effect_row *row = s->service->effects; e == WEIR_OK && row && row->name; row++) {
            const char *path = row->kind == WEIR_EFFECT_HTTP ? setting_text(s, row->secret_setting) : NULL;
            if (path && path[0]) e = read_secret(host, s, row, &x->signers[x->signer_count++]);
        }
    }
    return e;
}

/* The largest request and result of all rows; returns how many rows there are. */
static uint32_t measure_rows(const struct host *host, struct http_executor *x) {
    uint32_t rows = 0;
    x->request_max = x->body_max = 4096;
    for (uint32_t i = 0; i < host->service_count; i++)
        for (const struct weir_effect_row *row = host->services[i].service->effects; row && row->name; row++) {
            if (row->kind != WEIR_EFFECT_HTTP) continue;
            rows++;
            if (row->request_bytes_max > x->request_max) x->request_max = row->request_bytes_max;
            if (row->result_bytes_max > x->body_max) x->body_max = row->result_bytes_max;
        }
    return rows;
}

/* "10.0.0.0/8, fd00::/8" */
static enum weir_error read_networks(const char *text, struct http_network *networks, size_t *ret_count) {
    size_t count = 0;
    while (*text) {
        char one[64];
        size_t size = strcspn(text, ",");
        size_t from = strspn(text, " ");
        if (count == HTTP_NETWORKS_MAX || from > size || size - from >= sizeof one)
            return weir_error_context(WEIR_E_CONFIG,
                "effects.networks is a list of at most %u networks such as 10.0.0.0/8", HTTP_NETWORKS_MAX);
        memcpy(one, text + from, size - from);
        one[size - from] = 0;
        enum weir_error e = http_network_parse(one, &networks[count++]);
        if (e != WEIR_OK) return weir_error_wrap(e, "effects.networks");
        text += size + (text[size] == ',');
    }
    *ret_count = count;
    return WEIR_OK;
}

enum weir_error executor_http_open(struct host *host, struct effect_executor **ret_executor) {
    struct http_executor *x = ARENA_NEW(&host->arena, struct http_executor);
    if (x) x->signers = ARENA_NEW_ARRAY(&host->arena, struct signer, measure_rows(host, x));
    if (x) x->scratch = arena_alloc(&host->arena, (size_t)host->lane_count * SCRATCH_BYTES);
    if (!x || !x->signers || !x->scratch) return weir_error_context(WEIR_E_NO_MEMORY, "no room for HTTP effects");
    x->executor = (struct effect_executor){http_start, http_take, http_cancel, http_stop};
    x->host = host;
    enum weir_error e = read_secrets(host, x);
    if (e == WEIR_OK) e = read_networks(host->node[NODE_EFFECTS_NETWORKS].text, x->networks, &x->network_count);
    if (e == WEIR_OK) *ret_executor = &x->executor;
    return e;
}
