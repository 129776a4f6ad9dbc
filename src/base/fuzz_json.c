/* Any bytes as JSON: the reader stays inside them, and what it accepts is accepted again after a round through the
 * writer, with the same tokens; jansson, where it judges alike by design, is the oracle.
 * Covers: json.c json_write.c. */
#include "base/decimal.h"
#include "base/json.h"
#include "base/test_jansson.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the present token; the text is decoded and escaped again. */
static void copy_token(struct json_reader *r, struct json_writer *w, struct arena *a) {
    int64_t i = 0;
    uint64_t u = 0;
    double x = 0;
    switch (r->token) {
    case JSON_OBJECT_OPEN:
        json_write_object_open(w);
        break;
    case JSON_OBJECT_CLOSE:
        json_write_object_close(w);
        break;
    case JSON_ARRAY_OPEN:
        json_write_array_open(w);
        break;
    case JSON_ARRAY_CLOSE:
        json_write_array_close(w);
        break;
    case JSON_KEY:
        json_write_key_slice(w, json_text(r, a));
        break;
    case JSON_STRING:
        json_write_slice(w, json_text(r, a));
        break;
    case JSON_INTEGER:
        WEIR_ASSERT(json_get_i64(r, &i));
        json_write_i64(w, i);
        break;
    case JSON_UNSIGNED:
        WEIR_ASSERT(json_get_u64(r, &u));
        json_write_u64(w, u);
        break;
    case JSON_REAL:
        (void)!json_get_i64(r, &i);
        if (json_get_double(r, &x))
            json_write_double(w, x);
        else
            json_write_raw(w, r->text);
        break;
    case JSON_TRUE:
        json_write_bool(w, true);
        break;
    case JSON_FALSE:
        json_write_bool(w, false);
        break;
    case JSON_NULL:
        json_write_null(w);
        break;
    case JSON_ERROR:
    case JSON_END:
        abort();
    }
}

/* A text is itself and nothing longer, whatever escapes it is written with; a number is one only as what it is. */
static void check_token(struct json_reader *r, struct arena *a) {
    uint64_t u = 0;
    int64_t i = 0;
    bool b = false;
    if (r->token == JSON_KEY || r->token == JSON_STRING) {
        struct weir_slice text = json_text(r, a);
        char *copy = arena_dup_text(a, text);
        WEIR_ASSERT(json_text_is(r, copy) == !memchr(text.size ? text.data : (const uint8_t *)"x", 0, text.size));
        copy[text.size / 2] ^= 1;
        WEIR_ASSERT(text.size == 0 || !json_text_is(r, copy));
    }
    WEIR_ASSERT(json_get_bool(r, &b) == (r->token == JSON_TRUE || r->token == JSON_FALSE));
    if (json_get_u64(r, &u) && u <= INT64_MAX) WEIR_ASSERT(json_get_i64(r, &i) && (uint64_t)i == u);
    WEIR_ASSERT(json_token_name(r->token)[0] != 0);
}

/* Reads to the end; copies to w unless NULL. True when all of it was valid. */
static bool walk(struct weir_slice text, struct json_writer *w, struct arena *a) {
    struct json_reader r = json_reader(text, JSON_DEPTH_MAX);
    while (json_next(&r) != JSON_ERROR && r.token != JSON_END) {
        check_token(&r, a);
        if (w) copy_token(&r, w, a);
    }
    WEIR_ASSERT(r.offset <= text.size && r.at <= text.size);
    return r.token == JSON_END;
}

/* Any bytes as a text come out as valid JSON, unchanged when they are UTF-8. */
static void write_any(struct weir_slice bytes, struct arena *a) {
    struct text_builder out = text_builder_arena(a, 0);
    struct json_writer w = json_writer(&out, 3);
    json_write_object_open(&w);
    json_write_key(&w, "k");
    json_write_slice(&w, bytes);
    json_put_text(&w, "none", NULL);
    json_write_object_close(&w);
    WEIR_ASSERT(json_writer_finished(&w));
    struct json_reader r = json_reader(text_slice(&out), 0);
    WEIR_ASSERT(json_next(&r) == JSON_OBJECT_OPEN && json_next(&r) == JSON_KEY && json_next(&r) == JSON_STRING);
    struct weir_slice back = json_text(&r, a);
    WEIR_ASSERT(!utf8_valid(bytes) || weir_slice_equal(back, bytes));
    WEIR_ASSERT(json_next(&r) == JSON_KEY && json_next(&r) == JSON_NULL && json_next(&r) == JSON_OBJECT_CLOSE &&
                json_next(&r) == JSON_END);
}

static void compare_with_jansson(const uint8_t *data, size_t size, bool accepted) {
    /* jansson takes a NUL byte behind the value for the end of the text. */
    if (memchr(data, 0, size)) return;
    json_error_t error;
    json_t *theirs = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    /* Theirs refuses numbers beyond its types and has a depth limit of its own. */
    enum json_error_code code = theirs ? json_error_unknown : json_error_code(&error);
    bool limits = code == json_error_numeric_overflow || code == json_error_stack_overflow;
    struct json_reader r = json_reader(weir_slice(data, size), JSON_DEPTH_MAX);
    while (json_next(&r) != JSON_ERROR && r.token != JSON_END)
        continue;
    bool our_limit = r.error && strcmp(r.error, "nested too deeply") == 0;
    WEIR_ASSERT(limits || our_limit || accepted == (theirs != NULL));
    json_decref(theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct arena a;
    if (a.block_size == 0) arena_init(&a, NULL, 1 << 16, 0);
    struct text_builder first = text_builder_arena(&a, 0), second = text_builder_arena(&a, 0);
    struct json_writer w = json_writer(&first, size % 3), w2 = json_writer(&second, size % 3);
    bool good = walk(weir_slice(data, size), &w, &a);
    compare_with_jansson(data, size, good);
    if (good) {
        WEIR_ASSERT(json_writer_finished(&w));
        WEIR_ASSERT(walk(text_slice(&first), &w2, &a));
        WEIR_ASSERT(weir_slice_equal(text_slice(&first), text_slice(&second)));
    }
    write_any(weir_slice(data, size), &a);
    struct json_reader r = json_reader(weir_slice(data, size), 0);
    WEIR_ASSERT(json_raw_value(&r).data == NULL || r.at <= size);
    arena_reset(&a);
    arena_trim(&a, 1 << 18);
    return 0;
}
