/* Any bytes as JSON for a message of every type. What is accepted must pack, unpack and write; what was written must be
 * read again and written the same. Then the bytes as a packed message: what unpacks must be writable and readable.
 * Covers: transcode.c transcode_write.c. */
#include "edge/transcode.h"

#include <stdlib.h>
#include <test_transcode.pb-c.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct weir_slice write_message(struct arena *arena, const ProtobufCMessage *message) {
    struct text_builder text = text_builder_arena(arena, 0);
    struct json_writer w = json_writer(&text, 0);
    transcode_write(message, &w);
    return json_writer_finished(&w) ? text_slice(&text) : weir_slice(NULL, 0);
}

static ProtobufCMessage *read_message(struct arena *arena, struct weir_slice json) {
    ProtobufCMessage *message = transcode_new(arena, &weir__edge__test__everything__descriptor);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    arena_init(&arena, NULL, 64 << 10, 16 << 20);
    check_json(&arena, weir_slice(data, size));
    ProtobufCMessage *message;
    if (transcode_unpack(&arena, &weir__edge__test__everything__descriptor, weir_slice(data, size), &message) ==
        WEIR_OK)
        (void)write_message(&arena, message);
    arena_done(&arena);
    return 0;
}
