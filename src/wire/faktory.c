/* The Faktory work protocol: lines, handshake, replies. */
#include "wire/faktory.h"

#include "base/encode.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

/* ---- commands ---- */
static const char *const verb_names[] = {
    [WEIR_FAKTORY_HELLO] = "HELLO",
    [WEIR_FAKTORY_PUSH] = "PUSH",
    [WEIR_FAKTORY_PUSHB] = "PUSHB",
    [WEIR_FAKTORY_FETCH] = "FETCH",
    [WEIR_FAKTORY_ACK] = "ACK",
    [WEIR_FAKTORY_FAIL] = "FAIL",
    [WEIR_FAKTORY_BEAT] = "BEAT",
    [WEIR_FAKTORY_INFO] = "INFO",
    [WEIR_FAKTORY_FLUSH] = "FLUSH",
    [WEIR_FAKTORY_END] = "END",
    [WEIR_FAKTORY_MUTATE] = "MUTATE",
    [WEIR_FAKTORY_QUEUE] = "QUEUE",
    [WEIR_FAKTORY_BATCH] = "BATCH",
    [WEIR_FAKTORY_TRACK] = "TRACK",
};

static enum weir_faktory_verb verb_find(struct weir_slice name) {
    for (size_t i = WEIR_FAKTORY_HELLO; i < WEIR_ARRAY_COUNT(verb_names); i++)
        if (weir_slice_equal(name, weir_slice_text(verb_names[i]))) return (enum weir_faktory_verb)i;
    return WEIR_FAKTORY_UNKNOWN;
}

enum weir_error weir_faktory_command_next(
    struct weir_faktory_lines *lines, struct weir_slice bytes, struct weir_faktory_command *ret_command) {
    const uint8_t *newline = NULL;
    WEIR_ASSERT(lines->searched <= bytes.size);
    if (bytes.size > lines->searched)
        newline = memchr(bytes.data + lines->searched, '\n', bytes.size - lines->searched);
    size_t size = newline ? (size_t)(newline - bytes.data) + 1 : bytes.size;
    if (size > lines->line_bytes_max)
        return weir_error_context(
            WEIR_E_TOO_LARGE, "a command of more than %zu bytes, the limit", lines->line_bytes_max);
    lines->searched = newline ? 0 : size;
    if (!newline) return WEIR_E_AGAIN;
    size_t end = size - 1;
    if (end && bytes.data[end - 1] == '\r') end--;
    const uint8_t *blank = end ? memchr(bytes.data, ' ', end) : NULL;
    size_t name_size = blank ? (size_t)(blank - bytes.data) : end;
    size_t payload_at = blank ? name_size + 1 : end;
    struct weir_slice name = weir_slice(bytes.data, name_size);
    *ret_command = (struct weir_faktory_command){
        .verb = verb_find(name),
        .name = name,
        .payload = weir_slice(bytes.data + payload_at, end - payload_at),
        .size = size,
    };
    return WEIR_OK;
}

bool weir_faktory_word(struct weir_slice *rest, struct weir_slice *ret_word) {
    size_t begin = 0, end;
    while (begin < rest->size && rest->data[begin] == ' ')
        begin++;
    for (end = begin; end < rest->size && rest->data[end] != ' ';)
        end++;
    if (begin == end) return false;
    *ret_word = weir_slice(rest->data + begin, end - begin);
    *rest = weir_slice(rest->data + end, rest->size - end);
    return true;
}

bool weir_faktory_is_queue(struct weir_slice name) {
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i], letter = c | 0x20;
        bool good = (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
        if (!good) return false;
    }
    return name.size != 0;
}

/* ---- the handshake ---- */
void weir_faktory_hi_write(struct byte_writer *out, struct weir_slice salt, uint32_t rounds) {
    char line[64 + 6 * WEIR_FAKTORY_SALT_BYTES_MAX];
    struct text_builder text = TEXT_BUILDER(line);
    text_add(&text, "HI ");
    struct json_writer w = json_writer(&text, 0);
    json_write_object_open(&w);
    json_put_u64(&w, "v", WEIR_FAKTORY_VERSION);
    if (rounds) {
        json_put_u64(&w, "i", rounds);
        json_put_slice(&w, "s", salt);
    }
    json_write_object_close(&w);
    WEIR_ASSERT(!text.truncated); /* of a salt within its limit */
    weir_faktory_write_simple(out, line);
}

enum weir_error weir_faktory_hash_start(
    struct weir_faktory_hash *hash, struct weir_slice password, struct weir_slice salt, uint32_t rounds) {
    uint8_t joined[WEIR_FAKTORY_PASSWORD_BYTES_MAX + WEIR_FAKTORY_SALT_BYTES_MAX];
    if (password.size > WEIR_FAKTORY_PASSWORD_BYTES_MAX || salt.size > WEIR_FAKTORY_SALT_BYTES_MAX)
        return weir_error_context(WEIR_E_TOO_LARGE, "a password has at most %d bytes, its salt %d",
            WEIR_FAKTORY_PASSWORD_BYTES_MAX, WEIR_FAKTORY_SALT_BYTES_MAX);
    if (password.size) memcpy(joined, password.data, password.size);
    if (salt.size) memcpy(joined + password.size, salt.data, salt.size);
    int done = EVP_Digest(joined, password.size + salt.size, hash->digest, NULL, EVP_sha256(), NULL);
    WEIR_ASSERT(done == 1); /* SHA-256 is in every provider */
    OPENSSL_cleanse(joined, sizeof joined);
    hash->left = rounds ? rounds - 1 : 0;
    return WEIR_OK;
}

bool weir_faktory_hash_step(struct weir_faktory_hash *hash, uint32_t rounds) {
    for (; hash->left && rounds; rounds--, hash->left--) {
        int done = EVP_Digest(hash->digest, sizeof hash->digest, hash->digest, NULL, EVP_sha256(), NULL);
        WEIR_ASSERT(done == 1);
    }
    return hash->left == 0;
}

void weir_faktory_hash_text(const struct weir_faktory_hash *hash, char out[WEIR_FAKTORY_PWDHASH_SIZE]) {
    hex_encode(weir_slice(hash->digest, sizeof hash->digest), out);
}

bool weir_faktory_hash_equal(const struct weir_faktory_hash *hash, struct weir_slice pwdhash) {
    char text[WEIR_FAKTORY_PWDHASH_SIZE];
    weir_faktory_hash_text(hash, text);
    return pwdhash.size == sizeof text && CRYPTO_memcmp(text, pwdhash.data, sizeof text) == 0;
}

/* ---- replies ---- */
static void write_line(struct byte_writer *out, char type, struct weir_slice code, struct weir_slice text) {
    size_t size = 1 + code.size + (code.size && text.size ? 1 : 0) + text.size + 2;
    uint8_t *line = byte_put_raw(out, size);
    if (!line) return;
    *line++ = (uint8_t)type;
    if (code.size) memcpy(line, code.data, code.size);
    line += code.size;
    if (code.size && text.size) *line++ = ' ';
    for (size_t i = 0; i < text.size; i++)
        *line++ = text.data[i] < 0x20 || text.data[i] == 0x7f ? ' ' : text.data[i];
    memcpy(line, "\r\n", 2);
}

void weir_faktory_write_simple(struct byte_writer *out, const char *text) {
    write_line(out, '+', weir_slice("", 0), weir_slice_text(text));
}

void weir_faktory_write_error(struct byte_writer *out, const char *code, struct weir_slice text) {
    write_line(out, '-', weir_slice_text(code), text);
}

void weir_faktory_write_integer(struct byte_writer *out, int64_t value) {
    char digits[20];
    write_line(out, ':', weir_slice("", 0), weir_slice(digits, text_format_i64(digits, value)));
}

void weir_faktory_write_null(struct byte_writer *out) {
    write_line(out, '$', weir_slice("", 0), weir_slice_text("-1"));
}

void weir_faktory_write_bulk(struct byte_writer *out, struct weir_slice bytes) {
    size_t opened = weir_faktory_bulk_open(out);
    uint8_t *room = byte_put_raw(out, bytes.size);
    if (room && bytes.size) memcpy(room, bytes.data, bytes.size);
    weir_faktory_bulk_close(out, opened);
}

size_t weir_faktory_bulk_open(struct byte_writer *out) {
    size_t opened = out->at;
    (void)byte_put_raw(out, WEIR_FAKTORY_BULK_HEAD_SIZE);
    return opened;
}

void weir_faktory_bulk_close(struct byte_writer *out, size_t opened) {
    const uint8_t *end = byte_put_raw(out, 2);
    if (!end || !out->data) {
        out->at = opened;
        return;
    }
    uint8_t *head = out->data + opened;
    size_t size = out->at - opened - WEIR_FAKTORY_BULK_HEAD_SIZE - 2;
    WEIR_ASSERT(size <= UINT32_MAX); /* ten digits */
    head[0] = '$';
    size_t digits = text_format_u64((char *)head + 1, size);
    memmove(head + 1 + digits + 2, head + WEIR_FAKTORY_BULK_HEAD_SIZE, size);
    memcpy(head + 1 + digits, "\r\n", 2);
    memcpy(head + 1 + digits + 2 + size, "\r\n", 2);
    out->at = opened + 1 + digits + 2 + size + 2;
}

/* The digits of ":" and "$". */
static enum weir_error integer_parse(struct weir_slice text, int64_t *ret) {
    bool negative = text.size && text.data[0] == '-';
    int64_t value = 0;
    bool good = text.size > negative && text.size <= 18u + negative;
    for (size_t i = negative; good && i < text.size; i++) {
        good = text.data[i] >= '0' && text.data[i] <= '9';
        value = value * 10 + (text.data[i] - '0');
    }
    if (!good) return weir_error_context(WEIR_E_INVALID, "a reply's number is malformed");
    *ret = negative ? -value : value;
    return WEIR_OK;
}

static enum weir_error bulk_parse(
    struct weir_slice bytes, size_t head_size, int64_t size, size_t reply_bytes_max, struct weir_faktory_reply *ret) {
    if (size == -1) {
        *ret = (struct weir_faktory_reply){.type = WEIR_FAKTORY_REPLY_NULL, .size = head_size};
        return WEIR_OK;
    }
    if (size < 0) return weir_error_context(WEIR_E_INVALID, "a reply's length is negative");
    if ((uint64_t)size > reply_bytes_max)
        return weir_error_context(
            WEIR_E_TOO_LARGE, "a reply of %lld bytes, the limit is %zu", (long long)size, reply_bytes_max);
    size_t whole = head_size + (size_t)size + 2;
    if (bytes.size < whole) return WEIR_E_AGAIN;
    if (memcmp(bytes.data + whole - 2, "\r\n", 2) != 0)
        return weir_error_context(WEIR_E_INVALID, "a reply does not end where its length says");
    *ret = (struct weir_faktory_reply){
        .type = WEIR_FAKTORY_REPLY_BULK, .text = weir_slice(bytes.data + head_size, (size_t)size), .size = whole};
    return WEIR_OK;
}

enum weir_error weir_faktory_reply_parse(
    struct weir_slice bytes, size_t reply_bytes_max, struct weir_faktory_reply *ret_reply) {
    const uint8_t *newline = bytes.size ? memchr(bytes.data, '\n', bytes.size) : NULL;
    size_t size = newline ? (size_t)(newline - bytes.data) + 1 : bytes.size;
    if (size > reply_bytes_max)
        return weir_error_context(WEIR_E_TOO_LARGE, "a reply of more than %zu bytes, the limit", reply_bytes_max);
    if (!newline) return WEIR_E_AGAIN;
    if (size < 3 || bytes.data[size - 2] != '\r')
        return weir_error_context(WEIR_E_INVALID, "a reply's line does not end in CR LF");
    struct weir_faktory_reply reply = {.text = weir_slice(bytes.data + 1, size - 3), .size = size};
    enum weir_error e = WEIR_OK;
    switch (bytes.data[0]) {
    case '+':
        reply.type = WEIR_FAKTORY_REPLY_SIMPLE;
        break;
    case '-':
        reply.type = WEIR_FAKTORY_REPLY_ERROR;
        break;
    case ':':
        reply.type = WEIR_FAKTORY_REPLY_INTEGER;
        e = integer_parse(reply.text, &reply.integer);
        break;
    case '$':
        e = integer_parse(reply.text, &reply.integer);
        return e ? e : bulk_parse(bytes, size, reply.integer, reply_bytes_max, ret_reply);
    default:
        return weir_error_context(WEIR_E_INVALID, "a reply begins with byte 0x%02x", bytes.data[0]);
    }
    if (!e) *ret_reply = reply;
    return e;
}
