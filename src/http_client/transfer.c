/* One call by libcurl: its options, what its callbacks do, what its codes mean. See transfer.h. */
#include "http_client/transfer.h"

#include "base/text.h"
#include "http_client/address.h"
#include "http_client/retry_after.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>

#define CONNECT_MS      10000u
#define SILENCE_MS      30000u
#define HEADER_LINE_MAX 16384u

/* setopt takes any type; -Wvla and friends have nothing to say about it, curl's own checks are of its macro. */
#define SET(t, option, value) ((void)(t)->curl->easy_setopt((t)->easy, CURLOPT_##option, value))

/* Scheme, host and port: a URL's path and query may hold what is nobody's business. */
static void add_origin(struct text_builder *text, const char *url) {
    const char *host = strstr(url, "://");
    if (!host) return;
    host += 3;
    size_t size = strcspn(host, "/?#");
    for (size_t i = size; i > 0; i--)
        if (host[i - 1] == '@') { /* user and password */
            text_add_slice(text, weir_slice(url, (size_t)(host - url)));
            text_add_slice(text, weir_slice(host + i, size - i));
            return;
        }
    text_add_slice(text, weir_slice(url, (size_t)(host - url) + size));
}

static void __attribute__((format(printf, 3, 4)))
set_error(struct http_transfer *t, enum weir_error e, const char *format, ...) {
    struct http_reply *r = t->reply;
    struct text_builder text = TEXT_BUILDER(r->text);
    va_list args;
    va_start(args, format);
    r->error = e;
    text_printf(&text, "%s ", t->request->method);
    add_origin(&text, t->request->url);
    text_add(&text, ": ");
    text_vprintf(&text, format, args);
    va_end(args);
}

/* A callback ends the call. */
static size_t give_up(struct http_transfer *t, enum weir_error e, const char *text) {
    set_error(t, e, "%s", text);
    t->error = e;
    return 0;
}

/* ---- callbacks ---- */

static size_t on_body(char *data, size_t one, size_t count, void *ctx) {
    struct http_transfer *t = ctx;
    size_t size = one * count;
    t->reply->body_size += size;
    enum weir_error e = t->body ? t->body(t->body_ctx, weir_slice(data, size)) : WEIR_OK;
    if (!e) return size;
    return give_up(t, e, weir_error_text());
}

static void copy_value(char *out, size_t room, struct weir_slice value) {
    if (value.size >= room) return;
    memcpy(out, value.data, value.size);
    out[value.size] = 0;
}

static void forget_head(struct http_reply *r) {
    r->content_type[0] = r->location[0] = r->etag[0] = 0;
    r->retry_after_ms = HTTP_RETRY_AFTER_NONE;
}

static void take_header(struct http_transfer *t, struct weir_slice name, struct weir_slice value) {
    struct http_reply *r = t->reply;
    if (text_equal_nocase(name, weir_slice_text("retry-after")))
        r->retry_after_ms = http_retry_after_parse(value, t->sys->wall_ns(t->sys));
    else if (text_equal_nocase(name, weir_slice_text("content-type")))
        copy_value(r->content_type, sizeof r->content_type, value);
    else if (text_equal_nocase(name, weir_slice_text("location")))
        copy_value(r->location, sizeof r->location, value);
    else if (text_equal_nocase(name, weir_slice_text("etag")))
        copy_value(r->etag, sizeof r->etag, value);
}

static size_t on_head(char *data, size_t one, size_t count, void *ctx) {
    struct http_transfer *t = ctx;
    size_t size = one * count;
    t->head_bytes += size;
    if (t->head_bytes > HTTP_ANSWER_HEAD_MAX) return give_up(t, WEIR_E_TOO_LARGE, "the answer's headers do not end");
    struct weir_slice line = weir_slice(data, size);
    while (line.size > 0 && (line.data[line.size - 1] == '\n' || line.data[line.size - 1] == '\r'))
        line.size--;
    if (text_starts_with(line, "HTTP/")) { /* the next answer of a chain: 100, a redirect, the one that counts */
        forget_head(t->reply);
        t->sockets_made = t->sockets_refused = 0; /* what comes next is another server, perhaps */
        return size;
    }
    const uint8_t *colon = memchr(line.data, ':', line.size);
    if (colon) {
        size_t name = (size_t)(colon - line.data);
        take_header(t, weir_slice(line.data, name), text_trim(weir_slice(colon + 1, line.size - name - 1)));
    }
    return size;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    const struct http_transfer *t = ctx;
    (void)a, (void)b, (void)c, (void)d;
    return t->stop && atomic_load_explicit(t->stop, memory_order_relaxed);
}

/* False: neither IPv4 nor IPv6. */
static bool address_of(const struct curl_sockaddr *a, uint8_t ret_address[HTTP_ADDRESS_SIZE]) {
    if (a->family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &a->addr, sizeof v4);
        http_address_of_v4((const uint8_t *)&v4.sin_addr, ret_address);
        return true;
    }
    if (a->family != AF_INET6) return false;
    struct sockaddr_in6 v6; /* curl keeps room for any address behind its struct sockaddr */
    memcpy(&v6, (const void *)&a->addr, sizeof v6);
    memcpy(ret_address, &v6.sin6_addr, HTTP_ADDRESS_SIZE);
    return true;
}

/* libcurl resolved a name and is about to connect to one of its addresses: the last moment to say no, and the only one
 * after which the address can't change any more. */
static curl_socket_t on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a) {
    struct http_transfer *t = ctx;
    uint8_t address[HTTP_ADDRESS_SIZE];
    (void)purpose;
    if (!address_of(a, address) || !http_policy_allows(t->policy, address)) {
        t->sockets_refused++;
        return CURL_SOCKET_BAD;
    }
    t->sockets_made++;
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- begin ---- */

static bool add_line(struct http_transfer *t, const char *name, const char *value) {
    char line[HEADER_LINE_MAX];
    struct text_builder text = TEXT_BUILDER(line);
    if (value[0])
        text_printf(&text, "%s: %s", name, value);
    else
        text_printf(&text, "%s;", name); /* how curl is told of a header without a value */
    struct curl_slist *list = text.truncated ? NULL : t->curl->slist_append(t->headers, line);
    if (list) t->headers = list;
    return list != NULL;
}

static enum weir_error add_headers(struct http_transfer *t) {
    const struct http_request *q = t->request;
    bool typed = false, good = true;
    for (size_t i = 0; good && i < q->header_count; i++) {
        good = add_line(t, q->headers[i].name, q->headers[i].value);
        typed = typed || text_equal_nocase(weir_slice_text(q->headers[i].name), weir_slice_text("content-type"));
    }
    if (good && !typed) { /* not curl's guess, that it were a form */
        struct curl_slist *list = t->curl->slist_append(t->headers, "Content-Type:");
        good = list != NULL;
        if (list) t->headers = list;
    }
    if (good) return WEIR_OK;
    return weir_error_context(
        WEIR_E_INVALID, "a header is longer than %u bytes, or there is no memory for it", HEADER_LINE_MAX);
}

static void set_method(struct http_transfer *t) {
    const struct http_request *q = t->request;
    bool post = strcmp(q->method, "POST") == 0, get = strcmp(q->method, "GET") == 0;
    if (strcmp(q->method, "HEAD") == 0) {
        SET(t, NOBODY, 1L);
        return;
    }
    if (post || q->body.size > 0 || strcmp(q->method, "PUT") == 0 || strcmp(q->method, "PATCH") == 0) {
        SET(t, POST, 1L);
        SET(t, POSTFIELDS, q->body.size > 0 ? (const char *)q->body.data : ""); /* not copied */
        SET(t, POSTFIELDSIZE_LARGE, (curl_off_t)q->body.size);
        if (!post) SET(t, CUSTOMREQUEST, q->method);
    } else if (!get) {
        SET(t, CUSTOMREQUEST, q->method);
    }
}

static void set_limits(struct http_transfer *t) {
    const struct http_request *q = t->request;
    uint64_t silence_ms = q->silence_ms ? q->silence_ms : SILENCE_MS;
    SET(t, CONNECTTIMEOUT_MS, (long)(q->connect_ms ? q->connect_ms : CONNECT_MS));
    SET(t, TIMEOUT_MS, (long)q->total_ms);
    SET(t, LOW_SPEED_LIMIT, 1L);
    SET(t, LOW_SPEED_TIME, (long)((silence_ms + 999) / 1000));
    SET(t, FOLLOWLOCATION, q->redirects_max > 0 ? 1L : 0L);
    SET(t, MAXREDIRS, (long)q->redirects_max);
    SET(t, XFERINFOFUNCTION, on_progress);
    SET(t, XFERINFODATA, t);
    SET(t, NOPROGRESS, 0L);
}

static void set_transport(struct http_transfer *t) {
    SET(t, PROTOCOLS_STR, "http,https");
    SET(t, REDIR_PROTOCOLS_STR, "http,https");
    SET(t, HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(t, SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(t, SSL_VERIFYPEER, 1L);
    SET(t, SSL_VERIFYHOST, 2L);
    if (t->policy->ca_file[0]) SET(t, CAINFO, t->policy->ca_file);
    SET(t, NOSIGNAL, 1L);
    SET(t, QUICK_EXIT, 1L); /* the end of a call does not wait for the thread that looks up its name; from 7.87 on */
    SET(t, OPENSOCKETFUNCTION, on_socket);
    SET(t, OPENSOCKETDATA, t);
    if (t->policy->reach != HTTP_ANYWHERE) SET(t, PROXY, ""); /* a proxy would connect in our place, unasked */
}

enum weir_error transfer_begin(struct http_transfer *t, const struct http_request *request) {
    *t->reply = (struct http_reply){.retry_after_ms = HTTP_RETRY_AFTER_NONE};
    t->request = request;
    t->headers = NULL;
    t->begun_ns = t->sys->mono_ns(t->sys);
    t->head_bytes = 0;
    t->sockets_made = t->sockets_refused = 0;
    t->error = WEIR_OK;
    t->is_cut = false;
    t->curl_text[0] = 0;
    enum weir_error e = http_request_check(request);
    if (!e) e = add_headers(t);
    if (e) {
        t->curl->slist_free_all(t->headers);
        http_reply_refuse(t->reply, e);
        return e;
    }
    t->curl->easy_reset(t->easy);
    SET(t, URL, request->url);
    SET(t, HTTPHEADER, t->headers);
    SET(t, USERAGENT, "weir/" WEIR_VERSION);
    SET(t, HEADERFUNCTION, on_head);
    SET(t, HEADERDATA, t);
    SET(t, WRITEFUNCTION, on_body);
    SET(t, WRITEDATA, t);
    SET(t, ERRORBUFFER, t->curl_text);
    set_method(t);
    set_limits(t);
    set_transport(t);
    return WEIR_OK;
}

/* ---- end ---- */

/* Codes that another try would give again. */
static bool is_final(CURLcode code) {
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_TOO_MANY_REDIRECTS:
        return true;
    default:
        return false;
    }
}

static enum http_failure failure_of(CURLcode code) {
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return HTTP_FAILURE_NAME;
    case CURLE_COULDNT_CONNECT:
        return HTTP_FAILURE_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
        return HTTP_FAILURE_TLS;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return HTTP_FAILURE_RESET;
    default:
        return HTTP_FAILURE_OTHER;
    }
}

static void set_failure(struct http_transfer *t, CURLcode code) {
    const char *said = t->curl_text[0] ? t->curl_text : t->curl->easy_strerror(code);
    if (t->error) return; /* its callback said why */
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        set_error(t, WEIR_E_CLOSED, "it was stopped");
    } else if (code == CURLE_COULDNT_CONNECT && t->sockets_refused > 0 && t->sockets_made == 0) {
        set_error(t, WEIR_E_FORBIDDEN, "its address is not public, and in no network that is allowed");
    } else {
        t->reply->may_pass = !is_final(code);
        t->reply->failure = (uint8_t)failure_of(code);
        enum weir_error e = code == CURLE_OPERATION_TIMEDOUT                                    ? WEIR_E_TIMEOUT
                            : code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ? WEIR_E_INVALID
                                                                                                : WEIR_E_IO;
        set_error(t, e, "%s", said);
    }
}

enum weir_error transfer_end(struct http_transfer *t, CURLcode code) {
    struct http_reply *r = t->reply;
    long status = 0, version = 0;
    curl_off_t ready_us = 0;
    (void)t->curl->easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)t->curl->easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
    (void)t->curl->easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
    r->status = (int)status;
    r->http_major = status == 0 ? 0 : version >= CURL_HTTP_VERSION_2_0 ? 2 : 1;
    r->is_sent = ready_us > 0 || status > 0;
    r->duration_ns = t->sys->mono_ns(t->sys) - t->begun_ns;
    if (t->is_cut) {
        r->error = t->error = WEIR_OK;
        r->body_cut = true;
        r->text[0] = 0;
    } else if (code != CURLE_OK) {
        set_failure(t, code);
    }
    t->curl->slist_free_all(t->headers);
    t->headers = NULL;
    return r->error;
}

void http_reply_refuse(struct http_reply *reply, enum weir_error e) {
    *reply = (struct http_reply){.error = e, .retry_after_ms = HTTP_RETRY_AFTER_NONE};
    snprintf(reply->text, sizeof reply->text, "%s", weir_error_text());
}
