#include "host/message.h"

static void keep(void *at, void *memory) {
    (void)at;
    (void)memory;
}

static void *take(void *at, size_t size) {
    struct weir_slice *room = at;
    size = (size + 15) & ~(size_t)15;
    if (size > room->size) return NULL;
    void *memory = (void *)(uintptr_t)room->data;
    *room = weir_slice(room->data + size, room->size - size);
    return memory;
}

static void *take_arena(void *arena, size_t size) {
    return arena_alloc(arena, size);
}

ProtobufCMessage *message_unpack(
    const ProtobufCMessageDescriptor *descriptor, struct weir_slice value, struct weir_slice room) {
    ProtobufCAllocator allocator = {take, keep, &room};
    return protobuf_c_message_unpack(descriptor, &allocator, value.size, value.data);
}

ProtobufCMessage *message_unpack_arena(
    const ProtobufCMessageDescriptor *descriptor, struct weir_slice value, struct arena *arena) {
    ProtobufCAllocator allocator = {take_arena, keep, arena};
    return protobuf_c_message_unpack(descriptor, &allocator, value.size, value.data);
}
