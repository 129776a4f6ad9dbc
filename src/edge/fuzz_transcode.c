/* Any bytes as JSON for a message of every type. What is accepted must pack, unpack and write; what was written must be
 * read again and written the same. Then the bytes as a packed message: what unpacks must be writable and readable.
 * Covers: transcode.c transcode_write.c. */
#include "edge/transcode.h"

#include "base/assert.h"
#include "wire/http.h"

#include <stdlib.h>
#include <test_presence.pb-c.h>
#include <test_transcode.pb-c.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *type; /* of this input */

static struct weir_slice write_message(struct arena *arena, const ProtobufCMessage *message) {
    struct text_builder text = text_builder_arena(arena, 0);
    struct json_writer w = json_writer(&text, 0);
    transcode_write(message, &w);
    return json_writer_finished(&w) ? text_slice(&text) : weir_slice(NULL, 0);
}

static ProtobufCMessage *read_message(struct arena *arena, struct weir_slice json) {
    ProtobufCMessage *message = transcode_new(arena, type);
    return message && transcode_read(arena, json, message) == WEIR_OK ? message : NULL;
}

/* Written, read and written again it says the same. */
static void check_text_round(struct arena *arena, const ProtobufCMessage *message) {
    struct weir_slice first = write_message(arena, message);
    if (!first.data) return;
    ProtobufCMessage *again = read_message(arena, first);
    WEIR_ASSERT(again != NULL);
    struct weir_slice second = write_message(arena, again);
    WEIR_ASSERT(!second.data || weir_slice_equal(first, second));
}

static void check_json(struct arena *arena, struct weir_slice json) {
    ProtobufCMessage *message = read_message(arena, json), *copy;
    struct weir_slice packed;
    if (!message) return;
    check_text_round(arena, message);
    if (transcode_pack(arena, message, &packed) != WEIR_OK) return;
    enum weir_error e = transcode_unpack(arena, message->descriptor, packed, &copy);
    WEIR_ASSERT(e == WEIR_OK || e == WEIR_E_NO_MEMORY);
    if (e == WEIR_OK) check_text_round(arena, copy);
}

/* "name=value&name=value" as a query gives it: one field after the other is set or refused. */
static void check_parameters(struct arena *arena, struct weir_slice query) {
    ProtobufCMessage *message = transcode_new(arena, type);
    struct weir_http_query_pair pair;
    if (!message) return;
    while (weir_http_query_next(&query, &pair)) {
        const ProtobufCFieldDescriptor *f = transcode_field(type, pair.name);
        enum weir_error e = transcode_set(arena, message, pair.name, pair.value, "parameter");
        WEIR_ASSERT(e == WEIR_OK || e == WEIR_E_INVALID || e == WEIR_E_NO_MEMORY);
        WEIR_ASSERT(f || e != WEIR_OK);
        if (e == WEIR_OK && f->label != PROTOBUF_C_LABEL_REPEATED)
            WEIR_ASSERT(transcode_set(arena, message, pair.name, pair.value, "parameter") != WEIR_OK ||
                        !transcode_is_set(message, f));
    }
    check_text_round(arena, message);
}

/* What routes and partitions are chosen by can be asked of every field of any message. */
static void look_at_fields(const ProtobufCMessage *message) {
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &message->descriptor->fields[i];
        uint64_t number = 0;
        struct weir_slice text = {0};
        bool is_number = transcode_number(message, f, &number), is_text = transcode_text(message, f, &text);
        WEIR_ASSERT(!is_number || !is_text);
        (void)transcode_is_set(message, f);
    }
}

/* Input: u8 which message type, then the bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const ProtobufCMessageDescriptor *const types[] = {&weir__edge__test__everything__descriptor,
        &weir__edge__test__presence__descriptor, &weir__edge__test__item_request__descriptor};
    struct arena arena;
    if (size == 0) return 0;
    struct weir_slice bytes = weir_slice(data + 1, size - 1);
    type = types[data[0] % WEIR_ARRAY_COUNT(types)];
    arena_init(&arena, NULL, 64 << 10, 16 << 20);
    check_json(&arena, bytes);
    check_parameters(&arena, bytes);
    ProtobufCMessage *message;
    if (transcode_unpack(&arena, type, bytes, &message) == WEIR_OK) {
        look_at_fields(message);
        check_text_round(&arena, message);
    }
    arena_done(&arena);
    return 0;
}
