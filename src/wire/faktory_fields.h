/* wire/faktory_fields.h: a JSON object read into a struct by a table of its keys; private to the Faktory codec.
 *
 * A member's type follows from its row's kind: TEXT and RAW struct weir_slice, INTEGER and TIME int64_t, FLAG bool. A
 * key that is not in the table is skipped, one whose value is null counts as not given, one that is there twice is
 * refused. After a first refusal the rest is only read to its end, so that what follows the object can still be read.
 */
#ifndef WEIR_WIRE_FAKTORY_FIELDS_H
#define WEIR_WIRE_FAKTORY_FIELDS_H

#include "wire/faktory.h"

enum faktory_kind {
    FAKTORY_TEXT,    /* decoded */
    FAKTORY_RAW,     /* any value, as sent */
    FAKTORY_ARRAY,   /* an array, as sent */
    FAKTORY_OBJECT,  /* an object, as sent */
    FAKTORY_INTEGER, /* a whole number */
    FAKTORY_TIME,    /* RFC 3339; ns since 1970; an empty text counts as not given */
    FAKTORY_FLAG,    /* true, or a number or text other than 0, "" and "false" */
};

struct faktory_field {
    const char *name;
    enum faktory_kind kind;
    size_t offset;    /* of the member */
    size_t bytes_max; /* TEXT: longer ones are TOO_LARGE; 0: no limit */
};

struct faktory_reading {
    struct json_reader *reader;
    struct arena *scratch;
    enum weir_error error; /* the first; its context is set */
    uint32_t seen;         /* bit per row */
    /* Called behind each member with its row's index (-1: unknown) and where it began and ended; NULL: not. */
    void (*on_member)(void *context, int row, size_t before, size_t begin, size_t end);
    void *context;
};

enum weir_error faktory_fields_refuse(struct faktory_reading *reading, enum weir_error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The reader has just opened the object; afterwards it has closed it, or is in error. */
void faktory_fields_read(struct faktory_reading *reading, const struct faktory_field *fields, size_t count, void *ret);
/* A text that is one such object. `what` is for messages: "HELLO". */
WEIR_MUST enum weir_error faktory_object_read(const char *what, struct weir_slice text, struct arena *scratch,
    const struct faktory_field *fields, size_t count, void *ret);
WEIR_MUST enum weir_error faktory_json_error(const char *what, const struct json_reader *reader);

#endif
