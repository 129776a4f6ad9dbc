/* Objects in a bucket, by the S3 API. See objects.h. */
#include "base/encode.h"
#include "base/text.h"
#include "http_client/caller.h"
#include "objects/kinds.h"
#include "objects/s3_xml.h"
#include "objects/sigv4.h"

#include <stdatomic.h>
#include <stdio.h>
#include <weir/vec.h>

#define S3_URL_MAX       2048u
#define S3_PATH_MAX      1024u
#define S3_PAGE_BYTES    ((size_t)8 << 20) /* of a list or an error */
#define ATTEMPTS         6u
#define SILENCE_MS       30000u
#define BACKOFF_NS_FIRST (200 * SYS_NANOS_PER_MS)
#define BACKOFF_NS_MAX   (10 * SYS_NANOS_PER_S)
#define PAUSE_NS         (50 * SYS_NANOS_PER_MS)

struct s3_store {
    struct object_store store; /* first: a struct object_store * is one of these */
    struct sys *sys;
    struct http_caller *http;
    bool is_own;                                                           /* opened here */
    char endpoint[512], host[300], bucket[64], prefix[OBJECT_KEY_MAX + 2]; /* prefix: "" or with a slash behind it */
    char region[64], key_id[256], secret[256], token[2048];
    uint32_t attempts;
    uint64_t silence_ms;
    const _Atomic bool *stop;
};
struct s3_request {
    const char *method;
    const char *key;   /* "": the bucket itself */
    const char *query; /* encoded and sorted; "" */
    struct weir_slice body;
    size_t answer_max;
};
struct s3_reply {
    int status;
    uint8_t *bytes; /* weir_alloc, `room` of them */
    size_t size, room, max;
};

static struct s3_store *s3_of(struct object_store *store) {
    return (struct s3_store *)store;
}

static bool is_stopped(const struct s3_store *s) {
    return s->stop && atomic_load_explicit(s->stop, memory_order_relaxed);
}

/* ---- one try ---- */

static enum weir_error on_answer(void *ctx, struct weir_slice bytes) {
    struct s3_reply *r = ctx;
    if (bytes.size > r->max - r->size)
        return weir_error_context(WEIR_E_TOO_LARGE, "the object has more than %zu bytes", r->max);
    if (r->size + bytes.size > r->room) {
        size_t room = r->room * 2 > r->size + bytes.size ? r->room * 2 : r->size + bytes.size + 4096;
        uint8_t *grown = weir_allocator_system.resize(weir_allocator_system.ctx, r->bytes, r->room, room, 1);
        if (!grown) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for an answer");
        r->bytes = grown;
        r->room = room;
    }
    if (bytes.size > 0) memcpy(r->bytes + r->size, bytes.data, bytes.size);
    r->size += bytes.size;
    return WEIR_OK;
}

#define SIGNED_MAX 5u
struct s3_headers {
    char date[SIGV4_DATE_SIZE], body_hex[2 * OBJECT_DIGEST_SIZE + 1], checksum[64], path[S3_PATH_MAX];
    char authorization[1024];
    struct http_header list[SIGNED_MAX + 2];
    size_t count;
};

static void add_header(struct s3_headers *h, const char *name, const char *value) {
    h->list[h->count++] = (struct http_header){name, value};
}

/* The request's headers, signed. */
static bool make_headers(const struct s3_store *s, const struct s3_request *q, struct s3_headers *h) {
    uint8_t digest[OBJECT_DIGEST_SIZE];
    bool put = strcmp(q->method, "PUT") == 0;
    object_digest(&q->body, 1, digest);
    hex_encode(weir_slice(digest, sizeof digest), h->body_hex);
    base64_encode(weir_slice(digest, sizeof digest), h->checksum);
    h->checksum[base64_size(sizeof digest)] = 0;
    sigv4_date(s->sys->wall_ns(s->sys) / SYS_NANOS_PER_S, h->date);
    struct sigv4_header signed_ones[SIGNED_MAX];
    size_t count = 0;
    signed_ones[count++] = (struct sigv4_header){"host", s->host};
    if (put) signed_ones[count++] = (struct sigv4_header){"x-amz-checksum-sha256", h->checksum};
    signed_ones[count++] = (struct sigv4_header){"x-amz-content-sha256", h->body_hex};
    signed_ones[count++] = (struct sigv4_header){"x-amz-date", h->date};
    if (s->token[0]) signed_ones[count++] = (struct sigv4_header){"x-amz-security-token", s->token};
    const struct sigv4_request r = {
        q->method, h->path, q->query, signed_ones, count, h->body_hex, s->key_id, s->secret, s->region, "s3", h->date};
    struct text_builder t = TEXT_BUILDER(h->authorization);
    bool good = sigv4_sign(&r, &t);
    for (size_t i = 0; i < count; i++)
        add_header(h, signed_ones[i].name, signed_ones[i].value);
    add_header(h, "Authorization", h->authorization);
    add_header(h, "Content-Type", "application/octet-stream");
    return good;
}

static enum weir_error status_error(const struct s3_store *s, const struct s3_reply *r, bool *ret_again) {
    struct s3_answer answer = {0};
    int status = r->status;
    *ret_again = status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
    if (status < 300) return WEIR_OK;
    if (r->size > 0 && s3_answer_parse(weir_slice(r->bytes, r->size), NULL, NULL, &answer)) answer.code[0] = 0;
    enum weir_error e = status == 404                    ? WEIR_E_NOT_FOUND
                        : status == 401 || status == 403 ? WEIR_E_PERMISSION
                        : status == 507                  ? WEIR_E_NO_SPACE
                                                         : WEIR_E_IO;
    return weir_error_context(e, "%s answered %d%s%s%s%s", s->host, status, answer.code[0] ? " " : "", answer.code,
        answer.message[0] ? ": " : "", answer.message);
}

static enum weir_error try_once(struct s3_store *s, const struct s3_request *q, struct s3_reply *r, bool *ret_again) {
    char url[S3_URL_MAX];
    struct s3_headers h = {0};
    struct text_builder p = TEXT_BUILDER(h.path), u = TEXT_BUILDER(url);
    *ret_again = false;
    r->size = 0;
    text_printf(&p, "/%s%s%s%s", s->bucket, q->key[0] ? "/" : "", q->key[0] ? s->prefix : "", q->key);
    text_printf(&u, "%s%s%s%s", s->endpoint, h.path, q->query[0] ? "?" : "", q->query);
    if (p.truncated || u.truncated || !make_headers(s, q, &h))
        return weir_error_context(WEIR_E_TOO_LARGE, "the request can't be made: its key or query is too long");
    const struct http_request request = {.method = q->method,
        .url = url,
        .headers = h.list,
        .header_count = h.count,
        .body = q->body,
        .silence_ms = s->silence_ms};
    struct http_reply reply;
    enum weir_error e = s->http->call(s->http, &request, on_answer, r, s->stop, &reply);
    if (e) {
        *ret_again = reply.may_pass;
        return e;
    }
    r->status = reply.status;
    return status_error(s, r, ret_again);
}

/* ---- until it works or has failed ---- */

static void back_off(const struct s3_store *s, uint32_t failures) {
    uint64_t most = BACKOFF_NS_FIRST << (failures < 16 ? failures : 16), random;
    if (most > BACKOFF_NS_MAX) most = BACKOFF_NS_MAX;
    s->sys->random(s->sys, &random, sizeof random);
    uint64_t until = s->sys->mono_ns(s->sys) + random % most;
    while (!is_stopped(s) && s->sys->mono_ns(s->sys) < until)
        s->sys->pause(s->sys, PAUSE_NS);
}

/* weir_dealloc the reply's bytes in every case: reply_done(). */
static enum weir_error perform(struct s3_store *s, const struct s3_request *q, struct s3_reply *r) {
    *r = (struct s3_reply){.max = q->answer_max};
    bool again = true;
    enum weir_error e = WEIR_OK;
    for (uint32_t i = 0; again && i < s->attempts; i++) {
        if (i > 0) back_off(s, i - 1);
        e = try_once(s, q, r, &again);
        if (!e) return e;
    }
    return weir_error_wrap(e, "%s s3://%s/%s%s", q->method, s->bucket, s->prefix, q->key);
}

static void reply_done(struct s3_reply *r) {
    weir_dealloc(NULL, r->bytes, r->room, 1);
}

static enum weir_error check_key(const char *key) {
    return object_key_valid(key) ? WEIR_OK : weir_error_context(WEIR_E_INVALID, "'%.200s' is no object's key", key);
}

/* ---- the store ---- */

static enum weir_error s3_put(struct object_store *store, const char *key, struct weir_slice bytes) {
    struct s3_reply r = {0};
    enum weir_error e = check_key(key);
    if (!e && bytes.size > OBJECT_BYTES_MAX)
        e = weir_error_context(WEIR_E_TOO_LARGE, "%s has %zu bytes", key, bytes.size);
    if (!e) e = perform(s3_of(store), &(struct s3_request){"PUT", key, "", bytes, S3_PAGE_BYTES}, &r);
    reply_done(&r);
    return e;
}

static enum weir_error s3_get(
    struct object_store *store, const char *key, size_t size_max, struct weir_slice *ret_bytes) {
    struct s3_reply r = {0};
    enum weir_error e = check_key(key);
    size_t max = size_max > S3_PAGE_BYTES ? size_max : S3_PAGE_BYTES; /* an error has room, too */
    if (!e) e = perform(s3_of(store), &(struct s3_request){"GET", key, "", {0}, max}, &r);
    if (!e && r.size > size_max) e = weir_error_context(WEIR_E_TOO_LARGE, "%s has %zu bytes", key, r.size);
    uint8_t *bytes = e ? NULL : weir_alloc(NULL, r.size + 1, 1); /* what sys_bytes_free() frees: of the system's heap */
    if (!e && !bytes) e = weir_error_context(WEIR_E_NO_MEMORY, "no memory for %s", key);
    if (!e) {
        if (r.size > 0) memcpy(bytes, r.bytes, r.size);
        bytes[r.size] = 0;
        *ret_bytes = weir_slice(bytes, r.size);
    }
    reply_done(&r);
    return e;
}

static enum weir_error s3_exists(struct object_store *store, const char *key, bool *ret_exists) {
    struct s3_reply r = {0};
    enum weir_error e = check_key(key);
    if (!e) e = perform(s3_of(store), &(struct s3_request){"HEAD", key, "", {0}, S3_PAGE_BYTES}, &r);
    reply_done(&r);
    if (e && e != WEIR_E_NOT_FOUND) return e;
    *ret_exists = e == WEIR_OK;
    return WEIR_OK;
}

static enum weir_error s3_remove(struct object_store *store, const char *key) {
    struct s3_reply r = {0};
    enum weir_error e = check_key(key);
    if (!e) e = perform(s3_of(store), &(struct s3_request){"DELETE", key, "", {0}, S3_PAGE_BYTES}, &r);
    reply_done(&r);
    return e == WEIR_E_NOT_FOUND ? WEIR_OK : e;
}

/* RFC 3986: all but unreserved characters, as a query's value must have it. */
static void add_encoded(struct text_builder *t, const char *text) {
    for (; *text; text++) {
        char c = *text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c);
        if (plain)
            text_add_char(t, c);
        else
            text_printf(t, "%%%02X", (unsigned char)c);
    }
}

struct s3_page {
    const struct s3_store *s;
    object_list_fn fn;
    void *ctx;
};

static enum weir_error on_key(void *ctx, const char *key, uint64_t size) {
    const struct s3_page *p = ctx;
    size_t prefix = strlen(p->s->prefix);
    if (strncmp(key, p->s->prefix, prefix) != 0 || !object_key_valid(key + prefix)) return WEIR_OK; /* not ours */
    return p->fn(p->ctx, key + prefix, size);
}

static enum weir_error s3_list(struct object_store *store, const char *prefix, object_list_fn fn, void *ctx) {
    struct s3_store *s = s3_of(store);
    struct s3_page page = {s, fn, ctx};
    struct s3_answer answer = {.truncated = true};
    enum weir_error e = WEIR_OK;
    while (!e && answer.truncated) {
        char query[4096];
        struct text_builder t = TEXT_BUILDER(query);
        struct s3_reply r = {0};
        if (answer.token[0]) {
            text_add(&t, "continuation-token=");
            add_encoded(&t, answer.token);
            text_add_char(&t, '&');
        }
        text_add(&t, "list-type=2&prefix=");
        add_encoded(&t, s->prefix);
        add_encoded(&t, prefix);
        e = t.truncated ? weir_error_context(WEIR_E_TOO_LARGE, "the list's query is too long")
                        : perform(s, &(struct s3_request){"GET", "", query, {0}, S3_PAGE_BYTES}, &r);
        if (!e) e = s3_answer_parse(weir_slice(r.bytes, r.size), on_key, &page, &answer);
        if (!e && !answer.is_list) e = weir_error_context(WEIR_E_INVALID, "%s: the answer is no list", s->host);
        reply_done(&r);
    }
    return e;
}

static void s3_close(struct object_store *store) {
    struct s3_store *s = s3_of(store);
    if (s->is_own) http_caller_close(s->http);
    weir_dealloc(NULL, s, sizeof *s, _Alignof(struct s3_store));
}

/* ---- open ---- */

/* "s3://BUCKET/PREFIX": the bucket's name by S3's rules, the prefix whole parts of a key. */
static enum weir_error take_url(struct s3_store *s, const char *url) {
    const char *name = url + strlen("s3://");
    size_t bucket = strcspn(name, "/"), size;
    if (bucket < 3 || bucket >= sizeof s->bucket || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") < bucket)
        return weir_error_context(WEIR_E_CONFIG, "%s: a bucket's name has 3 to 63 of a-z, 0-9, '.' and '-'", url);
    memcpy(s->bucket, name, bucket);
    const char *prefix = name + bucket + (name[bucket] == '/');
    size = strlen(prefix);
    while (size > 0 && prefix[size - 1] == '/')
        size--;
    if (size == 0) return WEIR_OK;
    if (size >= sizeof s->prefix - 1) return weir_error_context(WEIR_E_CONFIG, "%s: the prefix is too long", url);
    memcpy(s->prefix, prefix, size);
    if (!object_key_valid(s->prefix) || size > 100)
        return weir_error_context(
            WEIR_E_CONFIG, "%s: a prefix has at most 100 letters, digits, '.', '_', '-' and single '/'", url);
    s->prefix[size] = '/';
    return WEIR_OK;
}

static enum weir_error take_endpoint(struct s3_store *s, const char *endpoint) {
    if (endpoint && endpoint[0])
        snprintf(s->endpoint, sizeof s->endpoint, "%s", endpoint);
    else
        snprintf(s->endpoint, sizeof s->endpoint, "https://s3.%s.amazonaws.com", s->region);
    size_t size = strlen(s->endpoint);
    if (size > 0 && s->endpoint[size - 1] == '/') s->endpoint[--size] = 0;
    const char *host = strstr(s->endpoint, "://");
    bool known = strncmp(s->endpoint, "http://", 7) == 0 || strncmp(s->endpoint, "https://", 8) == 0;
    if (!known || !host[3] || strchr(host + 3, '/') || strlen(host + 3) >= sizeof s->host)
        return weir_error_context(
            WEIR_E_CONFIG, "the endpoint %s is no URL of a service: https://HOST or http://HOST:PORT", s->endpoint);
    snprintf(s->host, sizeof s->host, "%s", host + 3);
    return WEIR_OK;
}

static enum weir_error take_keys(struct s3_store *s, const struct object_store_options *o) {
    if (!o->key_id || !o->key_id[0] || !o->secret || !o->secret[0])
        return weir_error_context(WEIR_E_CONFIG,
            "%s needs a key: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or a file in "
            "backup.credentials",
            o->url);
    snprintf(s->key_id, sizeof s->key_id, "%s", o->key_id);
    snprintf(s->secret, sizeof s->secret, "%s", o->secret);
    snprintf(s->token, sizeof s->token, "%s", o->token ? o->token : "");
    return WEIR_OK;
}

enum weir_error object_store_open_s3(
    struct sys *sys, const struct object_store_options *o, struct object_store **ret_store) {
    struct s3_store *s = weir_alloc(NULL, sizeof *s, _Alignof(struct s3_store));
    if (!s) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a store");
    memset(s, 0, sizeof *s);
    s->store = (struct object_store){s3_close, s3_put, s3_get, s3_exists, s3_remove, s3_list};
    s->sys = sys;
    s->attempts = o->attempts ? o->attempts : ATTEMPTS;
    s->silence_ms = o->silence_ms ? o->silence_ms : SILENCE_MS;
    s->stop = o->stop;
    snprintf(s->region, sizeof s->region, "%s", o->region && o->region[0] ? o->region : "us-east-1");
    enum weir_error e = take_url(s, o->url);
    if (!e) e = take_endpoint(s, o->endpoint);
    if (!e) e = take_keys(s, o);
    s->http = o->http;
    s->is_own = !o->http;
    if (!e && s->is_own) e = http_caller_open(sys, &(struct http_options){.reach = HTTP_ANYWHERE}, &s->http);
    if (e) {
        s3_close(&s->store);
        return e;
    }
    *ret_store = &s->store;
    return WEIR_OK;
}
