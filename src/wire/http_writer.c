/* Writes messages into a caller's buffer; errors stick and come out at finish(). */
#include "base/assert.h"
#include "base/text.h"
#include "wire/http_fields.h"

/* Room that body_begin() leaves for a length: more digits than a buffer in memory can need. */
#define LENGTH_DIGITS 12

void weir_http_writer_init(struct weir_http_writer *writer, uint8_t *bytes, size_t capacity) {
    *writer = (struct weir_http_writer){.bytes = bytes, .capacity = capacity};
}

void weir_http_writer_add(struct weir_http_writer *writer, struct weir_slice bytes) {
    if (writer->error) return;
    if (bytes.size > writer->capacity - writer->size) {
        writer->error = WEIR_E_FULL;
        return;
    }
    if (bytes.size) memcpy(writer->bytes + writer->size, bytes.data, bytes.size);
    writer->size += bytes.size;
}

/* A literal, without its NUL. */
#define ADD(writer, literal) weir_http_writer_add(writer, weir_slice(literal, sizeof(literal) - 1))

static void number_add(struct weir_http_writer *writer, uint64_t value) {
    char digits[20];
    weir_http_writer_add(writer, weir_slice(digits, text_format_u64(digits, value)));
}

/* Bytes of a class only: a CR or LF in a name or value would begin a header or a body of somebody's choice. */
static bool is_all(struct weir_slice text, enum http_class class) {
    for (size_t i = 0; i < text.size; i++) {
        if (!http_is(text.data[i], class)) return false;
    }
    return true;
}

void weir_http_writer_status(struct weir_http_writer *writer, int status, struct weir_slice date) {
    WEIR_ASSERT(status >= 100 && status <= 599);
    ADD(writer, "HTTP/1.1 ");
    number_add(writer, (uint64_t)status);
    ADD(writer, " ");
    weir_http_writer_add(writer, weir_slice_text(weir_http_status_text(status)));
    ADD(writer, "\r\n");
    if (date.size) weir_http_writer_header(writer, weir_slice("Date", 4), date);
}

void weir_http_writer_request(
    struct weir_http_writer *writer, enum weir_http_method method, struct weir_slice target, struct weir_slice host) {
    if (target.size == 0 || !is_all(target, HTTP_TARGET) || !http_host_is_valid(host)) writer->error = WEIR_E_INVALID;
    weir_http_writer_add(writer, weir_slice_text(weir_http_method_name(method)));
    ADD(writer, " ");
    weir_http_writer_add(writer, target);
    ADD(writer, " HTTP/1.1\r\n");
    weir_http_writer_header(writer, weir_slice("Host", 4), host);
}

void weir_http_writer_header(struct weir_http_writer *writer, struct weir_slice name, struct weir_slice value) {
    if (writer->error) return;
    if (name.size == 0 || !is_all(name, HTTP_TOKEN) || !is_all(value, HTTP_VALUE)) {
        writer->error = WEIR_E_INVALID;
        return;
    }
    weir_http_writer_add(writer, name);
    ADD(writer, ": ");
    weir_http_writer_add(writer, value);
    ADD(writer, "\r\n");
}

void weir_http_writer_header_u64(struct weir_http_writer *writer, struct weir_slice name, uint64_t value) {
    char digits[20];
    weir_http_writer_header(writer, name, weir_slice(digits, text_format_u64(digits, value)));
}

void weir_http_writer_no_body(struct weir_http_writer *writer) {
    ADD(writer, "\r\n");
}

void weir_http_writer_body(struct weir_http_writer *writer, struct weir_slice body) {
    weir_http_writer_header_u64(writer, weir_slice("Content-Length", 14), body.size);
    ADD(writer, "\r\n");
    weir_http_writer_add(writer, body);
}

void weir_http_writer_body_begin(struct weir_http_writer *writer) {
    ADD(writer, "Content-Length: ");
    writer->length_at = writer->size;
    ADD(writer, "            \r\n\r\n"); /* LENGTH_DIGITS spaces: whitespace around a value means nothing */
    writer->body_at = writer->size;
    WEIR_ASSERT(writer->error || writer->body_at - writer->length_at == LENGTH_DIGITS + 4);
}

uint8_t *weir_http_writer_space(struct weir_http_writer *writer, size_t *ret_capacity) {
    *ret_capacity = writer->error ? 0 : writer->capacity - writer->size;
    return writer->bytes + writer->size;
}

void weir_http_writer_advance(struct weir_http_writer *writer, size_t size) {
    WEIR_ASSERT(!writer->error && size <= writer->capacity - writer->size);
    writer->size += size;
}

void weir_http_writer_body_end(struct weir_http_writer *writer) {
    if (writer->error) return;
    WEIR_ASSERT(writer->body_at != 0);
    char digits[20];
    size_t digit_count = text_format_u64(digits, writer->size - writer->body_at);
    WEIR_ASSERT(digit_count <= LENGTH_DIGITS);
    memcpy(writer->bytes + writer->length_at + LENGTH_DIGITS - digit_count, digits, digit_count);
    writer->body_at = 0;
}

void weir_http_writer_chunked_begin(struct weir_http_writer *writer) {
    ADD(writer, "Transfer-Encoding: chunked\r\n\r\n");
}

void weir_http_writer_chunk(struct weir_http_writer *writer, struct weir_slice data) {
    static const char hex[] = "0123456789abcdef";
    char digits[16];
    size_t at = sizeof digits;
    if (data.size == 0) return; /* an empty chunk would end the body */
    for (size_t rest = data.size; rest; rest >>= 4)
        digits[--at] = hex[rest & 15];
    weir_http_writer_add(writer, weir_slice(digits + at, sizeof digits - at));
    ADD(writer, "\r\n");
    weir_http_writer_add(writer, data);
    ADD(writer, "\r\n");
}

void weir_http_writer_chunked_end(struct weir_http_writer *writer) {
    ADD(writer, "0\r\n\r\n");
}

enum weir_error weir_http_writer_finish(const struct weir_http_writer *writer, struct weir_slice *ret_bytes) {
    if (writer->error == WEIR_E_FULL) {
        return weir_error_context(WEIR_E_FULL, "an HTTP message does not fit %zu bytes", writer->capacity);
    }
    if (writer->error)
        return weir_error_context(writer->error, "an HTTP header has bytes that would break the message");
    *ret_bytes = weir_slice(writer->bytes, writer->size);
    return WEIR_OK;
}
