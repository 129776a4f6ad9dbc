/* The tables of ouch.h as data, for the printed documentation, and the reasons' sentences. */
#include "base/assert.h"
#include "wire/ouch.h"

enum {
    SIZE_TYPE = 1,
    SIZE_CHAR = 1,
    SIZE_U16 = 2,
    SIZE_U32 = 4,
    SIZE_U64 = 8,
    SIZE_ALPHA4 = 4,
    SIZE_ALPHA8 = 8,
    SIZE_ALPHA14 = 14,
    SIZE_TEXT = 0, /* as long as the option says */
};

#define FIELD_ROW(offset, field, kind, meaning) {offset, SIZE_##kind, #field, #kind, meaning},
#define FIELD_ROWS(NAME, name, letter, size, title)                                                                    \
    static const struct weir_ouch_field_doc name##_fields[] = {WEIR_OUCH_##NAME##_FIELDS(FIELD_ROW)};
WEIR_OUCH_REQUESTS(FIELD_ROWS)
WEIR_OUCH_RESPONSES(FIELD_ROWS)

#define REQUEST_ROW(NAME, name, letter, size, title)                                                                   \
    {letter, true, size, title, name##_fields, (uint32_t)WEIR_ARRAY_COUNT(name##_fields)},
#define RESPONSE_ROW(NAME, name, letter, size, title)                                                                  \
    {letter, false, size, title, name##_fields, (uint32_t)WEIR_ARRAY_COUNT(name##_fields)},
static const struct weir_ouch_message_doc message_rows[] = {
    WEIR_OUCH_REQUESTS(REQUEST_ROW) WEIR_OUCH_RESPONSES(RESPONSE_ROW)};

#define OPTION_ROW(NAME, name, tag, kind, meaning) {tag, SIZE_##kind, #name, #kind, meaning},
static const struct weir_ouch_field_doc option_rows[] = {WEIR_OUCH_OPTIONS(OPTION_ROW)};

const struct weir_ouch_message_doc *weir_ouch_message_docs(uint32_t *ret_count) {
    *ret_count = (uint32_t)WEIR_ARRAY_COUNT(message_rows);
    return message_rows;
}

const struct weir_ouch_field_doc *weir_ouch_option_docs(uint32_t *ret_count) {
    *ret_count = (uint32_t)WEIR_ARRAY_COUNT(option_rows);
    return option_rows;
}

const char *weir_ouch_reason_sentence(enum weir_ouch_reason reason) {
    switch ((int)reason) {
#define REASON_CASE(NAME, code, sentence)                                                                              \
    case (code):                                                                                                       \
        return sentence;
        WEIR_OUCH_REASONS(REASON_CASE)
    default:
        return "";
    }
}
