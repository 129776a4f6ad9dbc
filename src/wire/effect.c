#include "wire/effect.h"

#include <weir/service.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/encode.h"
#include "base/json.h"

#define LAYOUT     1u
#define PRINT_HEAD 8192u /* names and numbers of a dead letter with all its attempts */

const char *weir_effect_class_name(enum weir_effect_class class_) {
    static const char *const names[WEIR_EFFECT_CLASSES] = {
        "ok", "status", "timeout", "refused", "reset", "dns", "tls", "failed", "rejected", "dropped"};
    return (unsigned)class_ < WEIR_EFFECT_CLASSES ? names[class_] : "unknown";
}

/* ---- headers ---- */
static size_t header_size(const struct weir_effect_header *h) {
    return 4 + h->name.size + h->value.size;
}

bool weir_effect_header_next(struct weir_slice *headers, struct weir_effect_header *ret_header) {
    struct byte_reader r = byte_reader(*headers);
    uint16_t name_size = byte_get_le16(&r), value_size = byte_get_le16(&r);
    struct weir_effect_header h = {.name = byte_get_slice(&r, name_size)};
    h.value = byte_get_slice(&r, value_size);
    if (r.failed) return false;
    *ret_header = h;
    *headers = weir_slice(headers->data + header_size(&h), headers->size - header_size(&h));
    return true;
}

static void put_header(struct byte_writer *w, const struct weir_effect_header *h) {
    byte_put_le16(w, (uint16_t)h->name.size);
    byte_put_le16(w, (uint16_t)h->value.size);
    byte_put_slice(w, h->name);
    byte_put_slice(w, h->value);
}

/* ---- requests ---- */
static size_t headers_size(const struct weir_effect_request *q) {
    size_t size = 0;
    for (uint32_t i = 0; i < q->header_count; i++)
        size += header_size(&q->headers[i]);
    return size;
}

size_t weir_effect_request_size(const struct weir_effect_request *request) {
    return 12 + request->method.size + request->url.size + headers_size(request) + request->body.size;
}

void weir_effect_request_store(const struct weir_effect_request *request, void *ret_bytes) {
    WEIR_ASSERT(request->method.size <= UINT8_MAX && request->url.size <= UINT16_MAX);
    WEIR_ASSERT(request->header_count <= WEIR_EFFECT_HEADERS_MAX);
    struct byte_writer w = byte_writer(ret_bytes, weir_effect_request_size(request));
    byte_put_u8(&w, LAYOUT);
    byte_put_u8(&w, (uint8_t)request->method.size);
    byte_put_le16(&w, (uint16_t)request->url.size);
    byte_put_le32(&w, (uint32_t)headers_size(request));
    byte_put_le32(&w, (uint32_t)request->body.size);
    byte_put_slice(&w, request->method);
    byte_put_slice(&w, request->url);
    for (uint32_t i = 0; i < request->header_count; i++) {
        WEIR_ASSERT(request->headers[i].name.size <= UINT16_MAX && request->headers[i].value.size <= UINT16_MAX);
        put_header(&w, &request->headers[i]);
    }
    byte_put_slice(&w, request->body);
    WEIR_ASSERT(!w.failed);
}

bool weir_effect_request_load(
    struct weir_slice bytes, struct weir_effect_header *headers, struct weir_effect_request *ret_request) {
    struct byte_reader r = byte_reader(bytes);
    struct weir_effect_request q = {.headers = headers};
    uint8_t layout = byte_get_u8(&r), method_size = byte_get_u8(&r);
    uint16_t url_size = byte_get_le16(&r);
    uint32_t all_size = byte_get_le32(&r), body_size = byte_get_le32(&r);
    q.method = byte_get_slice(&r, method_size);
    q.url = byte_get_slice(&r, url_size);
    struct weir_slice all = byte_get_slice(&r, all_size);
    q.body = byte_get_slice(&r, body_size);
    if (!byte_reader_finished(&r) || layout != LAYOUT) return false;
    while (all.size > 0 && q.header_count < WEIR_EFFECT_HEADERS_MAX)
        if (!weir_effect_header_next(&all, &headers[q.header_count++])) return false;
    if (all.size > 0) return false;
    *ret_request = q;
    return true;
}

/* ---- answers ---- */
static struct weir_slice cut(struct weir_slice s, size_t max) {
    return weir_slice(s.data, s.size < max ? s.size : max);
}

/* As many whole headers as fit. */
static struct weir_slice fitting(struct weir_slice headers, size_t max) {
    struct weir_slice rest = headers;
    struct weir_effect_header h;
    size_t size = 0;
    while (weir_effect_header_next(&rest, &h) && size + header_size(&h) <= max)
        size += header_size(&h);
    return weir_slice(headers.data, size);
}

size_t effect_answer_store(const struct effect_answer *answer, uint32_t bytes_max, uint8_t *out) {
    WEIR_ASSERT(bytes_max <= WEIR_EFFECT_BYTES_MAX && (unsigned)answer->class_ < WEIR_EFFECT_CLASSES);
    struct weir_slice text = cut(answer->text, EFFECT_TEXT_MAX), headers = fitting(answer->headers, bytes_max);
    out[0] = LAYOUT;
    out[1] = (uint8_t)answer->class_;
    store_le16(out + 2, answer->status);
    store_le64(out + 4, answer->duration_ns);
    store_le64(out + 12, answer->retry_after_ns);
    store_le16(out + 20, (uint16_t)text.size);
    store_le32(out + 22, (uint32_t)headers.size);
    size_t room = EFFECT_ANSWER_MAX - EFFECT_ANSWER_HEAD;
    struct byte_writer w = byte_writer(out + EFFECT_ANSWER_HEAD, room);
    byte_put_slice(&w, text);
    byte_put_slice(&w, headers);
    byte_put_slice(&w, cut(answer->body, bytes_max - headers.size));
    WEIR_ASSERT(!w.failed);
    return EFFECT_ANSWER_HEAD + w.at;
}

bool effect_answer_load(struct weir_slice bytes, struct effect_answer *ret_answer) {
    struct byte_reader r = byte_reader(bytes);
    uint8_t layout = byte_get_u8(&r), class_ = byte_get_u8(&r);
    struct effect_answer a = {.class_ = (enum weir_effect_class)class_, .status = byte_get_le16(&r)};
    a.duration_ns = byte_get_le64(&r);
    a.retry_after_ns = byte_get_le64(&r);
    uint16_t text_size = byte_get_le16(&r);
    uint32_t all_size = byte_get_le32(&r);
    a.text = byte_get_slice(&r, text_size);
    a.headers = byte_get_slice(&r, all_size);
    a.body = byte_get_slice(&r, byte_reader_left(&r));
    if (r.failed || layout != LAYOUT || class_ >= WEIR_EFFECT_CLASSES) return false;
    *ret_answer = a;
    return true;
}

/* ---- dead letters ---- */
size_t effect_dead_size(const struct weir_dead_letter *letter) {
    return EFFECT_DEAD_HEAD + letter->row.size + letter->text.size + letter->attempt_count * EFFECT_ATTEMPT_SIZE +
           letter->request.size + letter->body.size;
}

void effect_dead_store(const struct weir_dead_letter *letter, const struct weir_attempt *attempts, uint8_t *out) {
    WEIR_ASSERT(letter->row.size <= UINT8_MAX && letter->text.size <= UINT8_MAX);
    struct byte_writer w = byte_writer(out, effect_dead_size(letter));
    byte_put_u8(&w, LAYOUT);
    byte_put_u8(&w, (uint8_t)letter->row.size);
    byte_put_u8(&w, (uint8_t)letter->class_);
    byte_put_u8(&w, (uint8_t)letter->text.size);
    byte_put_le32(&w, letter->attempt_count);
    byte_put_le64(&w, letter->offset);
    byte_put_le32(&w, letter->index);
    byte_put_le32(&w, (uint32_t)letter->request.size);
    const uint64_t numbers[] = {letter->key, letter->tag, letter->created_ns, letter->died_ns};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(numbers); i++)
        byte_put_le64(&w, numbers[i]);
    byte_put_slice(&w, letter->row);
    byte_put_slice(&w, letter->text);
    for (uint32_t i = 0; i < letter->attempt_count; i++) {
        byte_put_le64(&w, attempts[i].begun_ns);
        byte_put_le64(&w, attempts[i].duration_ns);
        byte_put_le32(&w, attempts[i].attempt);
        byte_put_le16(&w, attempts[i].status);
        byte_put_u8(&w, attempts[i].class_);
        byte_put_u8(&w, 0);
    }
    byte_put_slice(&w, letter->request);
    byte_put_slice(&w, letter->body);
    WEIR_ASSERT(!w.failed);
}

bool weir_dead_letter_load(struct weir_slice value, struct weir_dead_letter *ret_letter) {
    struct byte_reader r = byte_reader(value);
    uint8_t layout = byte_get_u8(&r), row_size = byte_get_u8(&r), class_ = byte_get_u8(&r), text_size = byte_get_u8(&r);
    struct weir_dead_letter l = {.class_ = (enum weir_effect_class)class_, .attempt_count = byte_get_le32(&r)};
    l.offset = byte_get_le64(&r);
    l.index = byte_get_le32(&r);
    uint32_t request_size = byte_get_le32(&r);
    l.key = byte_get_le64(&r);
    l.tag = byte_get_le64(&r);
    l.created_ns = byte_get_le64(&r);
    l.died_ns = byte_get_le64(&r);
    l.row = byte_get_slice(&r, row_size);
    l.text = byte_get_slice(&r, text_size);
    if (l.attempt_count > WEIR_EFFECT_ATTEMPTS_MAX || class_ >= WEIR_EFFECT_CLASSES || layout != LAYOUT) return false;
    l.attempts = byte_get_slice(&r, l.attempt_count * EFFECT_ATTEMPT_SIZE);
    l.request = byte_get_slice(&r, request_size);
    l.body = byte_get_slice(&r, byte_reader_left(&r));
    if (r.failed) return false;
    *ret_letter = l;
    return true;
}

struct weir_attempt weir_dead_letter_attempt(const struct weir_dead_letter *letter, uint32_t i) {
    WEIR_ASSERT(i < letter->attempt_count);
    const uint8_t *at = letter->attempts.data + i * EFFECT_ATTEMPT_SIZE;
    return (struct weir_attempt){.begun_ns = load_le64(at),
        .duration_ns = load_le64(at + 8),
        .attempt = load_le32(at + 16),
        .status = load_le16(at + 20),
        .class_ = at[22]};
}

static void print_request(struct json_writer *w, struct weir_slice bytes) {
    struct weir_effect_header headers[WEIR_EFFECT_HEADERS_MAX];
    struct weir_effect_request q;
    if (!weir_effect_request_load(bytes, headers, &q)) {
        json_put_slice(w, "request", bytes);
        return;
    }
    json_put_slice(w, "method", q.method);
    json_put_slice(w, "url", q.url);
    json_put_slice(w, "request", q.body);
}

size_t weir_dead_letter_print(struct weir_slice value, char *buf, size_t size) {
    struct text_builder t = text_builder(buf, size);
    struct weir_dead_letter l;
    if (!weir_dead_letter_load(value, &l)) {
        text_printf(&t, "null");
        return t.size;
    }
    struct json_writer w = json_writer(&t, 0);
    json_write_object_open(&w);
    json_put_slice(&w, "effect", l.row);
    json_put_u64(&w, "offset", l.offset);
    json_put_u64(&w, "index", l.index);
    json_put_u64(&w, "key", l.key);
    json_put_u64(&w, "tag", l.tag);
    json_put_text(&w, "class", weir_effect_class_name(l.class_));
    json_put_slice(&w, "text", l.text);
    json_put_u64(&w, "created_ns", l.created_ns);
    json_put_u64(&w, "died_ns", l.died_ns);
    json_write_key(&w, "attempts");
    json_write_array_open(&w);
    for (uint32_t i = 0; i < l.attempt_count; i++) {
        struct weir_attempt a = weir_dead_letter_attempt(&l, i);
        json_write_object_open(&w);
        json_put_u64(&w, "attempt", a.attempt);
        json_put_u64(&w, "begun_ns", a.begun_ns);
        json_put_u64(&w, "duration_ns", a.duration_ns);
        json_put_text(&w, "class", weir_effect_class_name((enum weir_effect_class)a.class_));
        json_put_u64(&w, "status", a.status);
        json_write_object_close(&w);
    }
    json_write_array_close(&w);
    print_request(&w, l.request);
    json_put_slice(&w, "answer", l.body);
    json_write_object_close(&w);
    return t.truncated ? 6 * value.size + PRINT_HEAD : t.size; /* a byte takes six characters at most */
}

const struct weir_record_type weir_dead_types[] = {
    {1, "dead", "An effect that was given up, with every attempt.", .print = weir_dead_letter_print},
    {0},
};
