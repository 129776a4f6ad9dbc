/* JSON objects of the Faktory protocol by tables of their keys. */
#include "wire/faktory_fields.h"

#include "base/civil.h"

enum weir_error faktory_fields_refuse(struct faktory_reading *reading, enum weir_error error, const char *format, ...) {
    char sentence[256];
    if (reading->error) return reading->error;
    va_list args;
    va_start(args, format);
    struct text_builder text = TEXT_BUILDER(sentence);
    text_vprintf(&text, format, args);
    va_end(args);
    return reading->error = weir_error_context(error, "%s", sentence);
}

enum weir_error faktory_json_error(const char *what, const struct json_reader *reader) {
    if (reader->token == JSON_ERROR)
        return weir_error_context(
            WEIR_E_INVALID, "%s: invalid JSON at byte %zu: %s", what, reader->offset, reader->error);
    return weir_error_context(
        WEIR_E_INVALID, "%s: expected a JSON object, not %s", what, json_token_name(reader->token));
}

static void wrong_kind(struct faktory_reading *reading, const struct faktory_field *field, const char *expected) {
    (void)faktory_fields_refuse(reading, WEIR_E_INVALID, "%s: expected %s, not %s", field->name, expected,
        json_token_name(reading->reader->token));
}

static bool text_read(struct faktory_reading *reading, const struct faktory_field *field, struct weir_slice *ret) {
    if (reading->reader->token != JSON_STRING) {
        wrong_kind(reading, field, "a string");
        return false;
    }
    struct weir_slice text = json_text(reading->reader, reading->scratch);
    if (!text.data) {
        (void)faktory_fields_refuse(reading, WEIR_E_NO_MEMORY, "%s: no room to decode its escapes", field->name);
        return false;
    }
    if (field->bytes_max && text.size > field->bytes_max) {
        (void)faktory_fields_refuse(
            reading, WEIR_E_TOO_LARGE, "%s: %zu bytes, the limit is %zu", field->name, text.size, field->bytes_max);
        return false;
    }
    *ret = text;
    return true;
}

static void time_read(struct faktory_reading *reading, const struct faktory_field *field, int64_t *ret) {
    struct weir_slice text;
    int64_t ns;
    if (!text_read(reading, field, &text) || text.size == 0) return;
    /* A date alone is a time to the calendar, but not to this protocol. */
    if (text.size < sizeof "2026-01-02T03:04:05Z" - 1 || civil_parse(text, &ns)) {
        char quoted[64];
        struct text_builder shown = TEXT_BUILDER(quoted);
        text_add_quoted(&shown, text, 40);
        (void)faktory_fields_refuse(
            reading, WEIR_E_INVALID, "%s: %s is no RFC 3339 time such as 2026-01-02T03:04:05Z", field->name, quoted);
        return;
    }
    *ret = ns;
}

static void flag_read(struct faktory_reading *reading, const struct faktory_field *field, bool *ret) {
    const struct json_reader *r = reading->reader;
    if (r->token == JSON_TRUE || r->token == JSON_FALSE)
        *ret = r->token == JSON_TRUE;
    else if (r->token == JSON_INTEGER)
        *ret = r->integer != 0;
    else if (r->token == JSON_STRING)
        *ret = r->text.size != 0 && !json_text_is(r, "0") && !json_text_is(r, "false");
    else
        wrong_kind(reading, field, "true or false");
}

/* The value's bytes; the reader stands on its first token. */
static bool raw_read(struct faktory_reading *reading, struct weir_slice *ret) {
    struct json_reader *r = reading->reader;
    size_t begin = r->offset;
    if (!json_skip_value(r)) return false;
    *ret = weir_slice(r->data + begin, r->at - begin);
    return true;
}

static void value_read(struct faktory_reading *reading, const struct faktory_field *field, void *member) {
    struct json_reader *r = reading->reader;
    switch (field->kind) {
    case FAKTORY_TEXT:
        (void)text_read(reading, field, member);
        break;
    case FAKTORY_TIME:
        time_read(reading, field, member);
        break;
    case FAKTORY_FLAG:
        flag_read(reading, field, member);
        break;
    case FAKTORY_INTEGER:
        if (!json_get_i64(r, member)) wrong_kind(reading, field, "a whole number");
        break;
    case FAKTORY_ARRAY:
        if (r->token != JSON_ARRAY_OPEN) wrong_kind(reading, field, "an array");
        (void)raw_read(reading, member);
        break;
    case FAKTORY_OBJECT:
        if (r->token != JSON_OBJECT_OPEN) wrong_kind(reading, field, "an object");
        (void)raw_read(reading, member);
        break;
    case FAKTORY_RAW:
        (void)raw_read(reading, member);
        break;
    }
    if (r->token != JSON_ERROR) json_skip_value(r); /* of a wrong kind, perhaps with much inside */
}

static int row_find(const struct json_reader *r, const struct faktory_field *fields, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (json_text_is(r, fields[i].name)) return (int)i;
    return -1;
}

static void member_read(struct faktory_reading *reading, int row, const struct faktory_field *fields, void *ret) {
    struct json_reader *r = reading->reader;
    if (row < 0 || reading->error) {
        (void)json_skip_value(r);
        return;
    }
    bool again = reading->seen >> row & 1;
    reading->seen |= 1u << row;
    if (again) (void)faktory_fields_refuse(reading, WEIR_E_INVALID, "%s is given twice", fields[row].name);
    if (json_next(r) == JSON_ERROR) return;
    if (again || r->token == JSON_NULL) {
        (void)json_skip_value(r);
        return;
    }
    value_read(reading, &fields[row], (char *)ret + fields[row].offset);
}

void faktory_fields_read(struct faktory_reading *reading, const struct faktory_field *fields, size_t count, void *ret) {
    struct json_reader *r = reading->reader;
    for (size_t before = r->at; json_next(r) == JSON_KEY; before = r->at) {
        size_t begin = r->offset;
        int row = row_find(r, fields, count);
        member_read(reading, row, fields, ret);
        if (r->token == JSON_ERROR) return;
        if (reading->on_member) reading->on_member(reading->context, row, before, begin, r->at);
    }
}

enum weir_error faktory_object_read(const char *what, struct weir_slice text, struct arena *scratch,
    const struct faktory_field *fields, size_t count, void *ret) {
    struct json_reader reader = json_reader(text, JSON_DEPTH_MAX);
    struct faktory_reading reading = {.reader = &reader, .scratch = scratch};
    if (json_next(&reader) != JSON_OBJECT_OPEN) return faktory_json_error(what, &reader);
    faktory_fields_read(&reading, fields, count, ret);
    if (reader.token == JSON_ERROR || json_next(&reader) != JSON_END) return faktory_json_error(what, &reader);
    return reading.error ? weir_error_wrap(reading.error, "%s", what) : WEIR_OK;
}
