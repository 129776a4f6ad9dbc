/* Offers and answers of permessage-deflate, and zlib in memory of the caller. */
#include "wire/ws_deflate.h"
#include "base/assert.h"
#include "base/text.h"
#include "base/units.h"
#include "wire/http_fields.h"

#include <zlib.h>

#define TEXT(literal) weir_slice(literal, sizeof(literal) - 1)
#define BITS_MAX      15 /* a window of 32 KB, the format's largest */
#define BITS_SMALL    9  /* the smallest that zlib makes without a header */
#define MEMORY_LEVEL  8  /* zlib's own choice */

/* Of z_stream.data_type: inflate() stopped between two blocks. */
#define INFLATE_BETWEEN_BLOCKS 128

/* What every deflated message ends with, and no sender sends (RFC 7692 7.2.1). */
static const uint8_t tail[4] = {0x00, 0x00, 0xff, 0xff};

/* ---- offers ---- */

static void skip(struct weir_slice *rest, size_t size) {
    *rest = weir_slice(rest->data + size, rest->size - size);
}

static void skip_blanks(struct weir_slice *rest) {
    while (rest->size && (rest->data[0] == ' ' || rest->data[0] == '\t'))
        skip(rest, 1);
}

static bool byte_take(struct weir_slice *rest, uint8_t byte) {
    skip_blanks(rest);
    if (rest->size == 0 || rest->data[0] != byte) return false;
    skip(rest, 1);
    return true;
}

static bool token_take(struct weir_slice *rest, struct weir_slice *ret_token) {
    size_t size = 0;
    skip_blanks(rest);
    while (size < rest->size && http_is(rest->data[size], HTTP_TOKEN))
        size++;
    *ret_token = weir_slice(rest->data, size);
    skip(rest, size);
    return size > 0;
}

/* A value is a token, which may stand in quotes (RFC 6455 9.1). */
static bool value_take(struct weir_slice *rest, struct weir_slice *ret_value) {
    bool is_quoted = byte_take(rest, '"');
    return token_take(rest, ret_value) && (!is_quoted || (rest->size && byte_take(rest, '"')));
}

/* The bits of a window: 8 to 15, without a leading zero (RFC 7692 7.1.2). 0: it is none of these. */
static uint32_t window_bits(struct weir_slice value) {
    uint64_t bits = 0;
    if (value.size == 0 || value.data[0] == '0' || parse_u64(value, &bits)) return 0;
    return bits >= 8 && bits <= BITS_MAX ? (uint32_t)bits : 0;
}

enum parameter { SERVER_NO_CONTEXT = 1, CLIENT_NO_CONTEXT = 2, SERVER_WINDOW = 4, CLIENT_WINDOW = 8 };

/* One parameter of an offer. False: the offer can't be met. */
static bool parameter_note(
    struct weir_slice name, bool has_value, struct weir_slice value, unsigned *seen, uint32_t *bits) {
    static const struct {
        const char *name;
        enum parameter bit;
    } rows[] = {{"server_no_context_takeover", SERVER_NO_CONTEXT}, {"client_no_context_takeover", CLIENT_NO_CONTEXT},
        {"server_max_window_bits", SERVER_WINDOW}, {"client_max_window_bits", CLIENT_WINDOW}};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows); i++) {
        if (!text_equal_nocase(name, weir_slice_text(rows[i].name))) continue;
        if (*seen & rows[i].bit) return false;
        *seen |= rows[i].bit;
        if (rows[i].bit <= CLIENT_NO_CONTEXT) return !has_value;
        if (rows[i].bit == CLIENT_WINDOW) return !has_value || window_bits(value);
        *bits = window_bits(value);
        return has_value && *bits >= BITS_SMALL;
    }
    return false;
}

/* One offer, up to its comma. False: the header is malformed from here on. *ret_bits: 0 when it can't be met. */
static bool offer_take(struct weir_slice *rest, uint32_t *ret_bits, bool *ret_has_window) {
    struct weir_slice name, value = {0};
    unsigned seen = 0;
    uint32_t bits = BITS_MAX;
    if (!token_take(rest, &name)) return false;
    bool is_met = text_equal_nocase(name, TEXT("permessage-deflate"));
    while (byte_take(rest, ';')) {
        if (!token_take(rest, &name)) return false;
        bool has_value = byte_take(rest, '=');
        if (has_value && !value_take(rest, &value)) return false;
        is_met = is_met && parameter_note(name, has_value, value, &seen, &bits);
    }
    *ret_bits = is_met ? bits : 0;
    *ret_has_window = (seen & SERVER_WINDOW) != 0;
    skip_blanks(rest);
    return rest->size == 0 || byte_take(rest, ',');
}

struct weir_ws_deflate_terms weir_ws_deflate_agree(const struct weir_http_request *request) {
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (!text_equal_nocase(request->headers[i].name, TEXT("Sec-WebSocket-Extensions"))) continue;
        struct weir_slice rest = request->headers[i].value;
        uint32_t bits;
        bool has_window;
        while (rest.size && offer_take(&rest, &bits, &has_window)) {
            if (bits)
                return (struct weir_ws_deflate_terms){
                    .window_bits = bits == BITS_MAX ? BITS_MAX : BITS_SMALL, .has_window = has_window};
        }
    }
    return (struct weir_ws_deflate_terms){0};
}

struct weir_slice weir_ws_deflate_answer(
    const struct weir_ws_deflate_terms *terms, char out[WEIR_WS_DEFLATE_ANSWER_MAX]) {
    WEIR_ASSERT(terms->window_bits == BITS_MAX || terms->window_bits == BITS_SMALL);
    struct text_builder t = text_builder(out, WEIR_WS_DEFLATE_ANSWER_MAX);
    text_add(&t, "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    if (terms->has_window) text_printf(&t, "; server_max_window_bits=%u", terms->window_bits);
    WEIR_ASSERT(!t.truncated);
    return text_slice(&t);
}

/* ---- zlib ---- */

static void *memory_take(void *ctx, unsigned count, unsigned size) {
    struct weir_ws_deflate *d = ctx;
    size_t need = ((size_t)count * size + 63) & ~(size_t)63;
    if (need > WEIR_WS_DEFLATE_MEMORY - d->used) return NULL;
    d->used += need;
    return d->memory + d->used - need;
}

static void memory_give(void *ctx, void *address) {
    (void)ctx, (void)address; /* all of it goes at once, by whom it belongs to */
}

static z_stream *stream_new(struct weir_ws_deflate *d) {
    z_stream *z = memory_take(d, 1, sizeof *z);
    if (z) *z = (z_stream){.zalloc = memory_take, .zfree = memory_give, .opaque = d};
    return z;
}

static bool deflater_open(z_stream *z, int bits) {
    return z && deflateInit2(z, Z_BEST_SPEED, Z_DEFLATED, -bits, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
}

enum weir_error weir_ws_deflate_open(struct weir_ws_deflate *d, void *memory) {
    *d = (struct weir_ws_deflate){.memory = memory};
    z_stream *inflater = stream_new(d), *large = stream_new(d), *small = stream_new(d);
    if (!inflater || inflateInit2(inflater, -BITS_MAX) != Z_OK || !deflater_open(large, BITS_MAX) ||
        !deflater_open(small, BITS_SMALL))
        return weir_error_context(WEIR_E_NO_MEMORY, "zlib does not work in %d bytes", WEIR_WS_DEFLATE_MEMORY);
    d->inflater = inflater;
    d->deflaters[0] = large;
    d->deflaters[1] = small;
    return WEIR_OK;
}

static void input_set(z_stream *z, const void *data, size_t size) {
    WEIR_ASSERT(size <= UINT32_MAX);
    z->next_in = (Bytef *)(uintptr_t)data;
    z->avail_in = (uInt)size;
}

static void output_set(z_stream *z, uint8_t *out, size_t capacity) {
    WEIR_ASSERT(capacity > 0 && capacity <= UINT32_MAX);
    z->next_out = out;
    z->avail_out = (uInt)capacity;
}

void weir_ws_inflate_begin(struct weir_ws_deflate *d, struct weir_slice message) {
    int result = inflateReset(d->inflater);
    WEIR_ASSERT(result == Z_OK);
    input_set(d->inflater, message.data, message.size);
    d->is_in_tail = false;
}

enum weir_error weir_ws_inflate_some(struct weir_ws_deflate *d, uint8_t *out, size_t capacity, size_t *ret_size) {
    z_stream *z = d->inflater;
    output_set(z, out, capacity);
    do {
        if (z->avail_in == 0 && !d->is_in_tail) {
            input_set(z, tail, sizeof tail);
            d->is_in_tail = true;
        }
        int result = inflate(z, Z_SYNC_FLUSH);
        /* A block that says it is the last may have others behind it (RFC 7692 7.2.3.4). */
        if (result == Z_STREAM_END) result = inflateReset(z);
        if (result != Z_OK && result != Z_BUF_ERROR)
            return weir_error_context(WEIR_E_INVALID, "a message is not deflated as RFC 1951 says");
    } while (z->avail_out && (z->avail_in || !d->is_in_tail));
    if (z->avail_out && !(z->data_type & INFLATE_BETWEEN_BLOCKS))
        return weir_error_context(WEIR_E_INVALID, "a deflated message ends inside a block");
    *ret_size = capacity - z->avail_out;
    return z->avail_out ? WEIR_OK : WEIR_E_AGAIN;
}

enum weir_error weir_ws_deflate_message(struct weir_ws_deflate *d, const struct weir_ws_deflate_terms *terms,
    struct weir_slice message, uint8_t *out, size_t capacity, size_t *ret_size) {
    z_stream *z = d->deflaters[terms->window_bits != BITS_MAX];
    int result = deflateReset(z);
    WEIR_ASSERT(result == Z_OK);
    input_set(z, message.data, message.size);
    output_set(z, out, capacity);
    result = deflate(z, Z_SYNC_FLUSH);
    if (z->avail_out == 0)
        return weir_error_context(WEIR_E_FULL, "a message deflates to more than %zu bytes", capacity);
    size_t size = capacity - z->avail_out;
    WEIR_ASSERT(result == Z_OK && z->avail_in == 0);
    WEIR_ASSERT(size > sizeof tail && memcmp(out + size - sizeof tail, tail, sizeof tail) == 0);
    *ret_size = size - sizeof tail;
    return WEIR_OK;
}
