/* edge/transcode.h: JSON to Protobuf and back by protobuf-c's descriptors, for every service alike.
 *
 * The proto3 JSON mapping: names in lowerCamelCase or as in the .proto are read, lowerCamelCase is written; 64-bit
 * integers are written as strings and read from strings or numbers, exactly; enums by name or number; bytes as base64
 * (standard or URL alphabet, padding optional); null means absent; NaN and the infinities as strings. Written are all
 * fields without presence, also when zero, so that an answer's shape is always the same; fields with presence only when
 * set. An unknown field, a field or oneof given twice, and a number out of its type's range are errors that name the
 * path and, for a name, the nearest one. Maps are not supported: routes do not use them.
 *
 * Allocation: everything in the caller's arena; a message lives as long as that. Limits: depth TRANSCODE_DEPTH, and the
 * arena's size. Threads: pure over its arguments. Errors: INVALID with "field a.b[2]: ...", NO_MEMORY, CORRUPT for
 * packed bytes that do not decode.
 */
#ifndef WEIR_EDGE_TRANSCODE_H
#define WEIR_EDGE_TRANSCODE_H
#include "base/arena.h"
#include "base/json.h"

#include <protobuf-c/protobuf-c.h>
#include <weir/error.h>

#define TRANSCODE_DEPTH 32

/* A message of that type with every field at its default. NULL: no memory. */
ProtobufCMessage *transcode_new(struct arena *arena, const ProtobufCMessageDescriptor *type);
/* Merges a JSON object into a fresh message. */
WEIR_MUST enum weir_error transcode_read(struct arena *arena, struct weir_slice json, ProtobufCMessage *message);
/* Sets one field from text, as a path or query parameter gives it: scalars, enums, strings; a repeated field gets one
 * more element. INVALID when there is no such field, or it is set already and not repeated. `what` names the place for
 * the error: "query parameter". */
WEIR_MUST enum weir_error transcode_set(
    struct arena *arena, ProtobufCMessage *message, struct weir_slice name, struct weir_slice value, const char *what);

/* Packs into the arena. */
WEIR_MUST enum weir_error transcode_pack(
    struct arena *arena, const ProtobufCMessage *message, struct weir_slice *ret_packed);
/* CORRUPT when the bytes are not a message of that type. */
WEIR_MUST enum weir_error transcode_unpack(struct arena *arena, const ProtobufCMessageDescriptor *type,
    struct weir_slice packed, ProtobufCMessage **ret_message);

/* Writes the message as a JSON object, or only its members into an object that is open. */
void transcode_write(const ProtobufCMessage *message, struct json_writer *w);
void transcode_write_members(const ProtobufCMessage *message, struct json_writer *w);

/* ---- descriptors, also for OpenAPI ---- */
/* lowerCamelCase of a field's name, NUL-terminated, cut at size - 1. */
size_t transcode_json_name(const char *name, char *buf, size_t size);
/* By either name; NULL: none. */
const ProtobufCFieldDescriptor *transcode_field(const ProtobufCMessageDescriptor *type, struct weir_slice name);
size_t transcode_element_size(ProtobufCType type); /* bytes of a value in protobuf-c's struct */
/* True when the field is in the message's struct as given (for presence: has_, oneof case, non-NULL). */
bool transcode_is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
/* An integer or enum field's value, for partition_by and reasons; strings and bytes as slices. False: it is of another
 * type, repeated, or an alternative that was not chosen. */
bool transcode_number(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, uint64_t *ret_value);
bool transcode_text(
    const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, struct weir_slice *ret_value);

#endif
