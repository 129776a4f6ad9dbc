/* host/message.h: Protobuf messages unpacked into memory of the caller's, which all of it lies in afterwards: nothing
 * is freed. NULL: the bytes are no such message, or it does not fit.
 */
#ifndef WEIR_HOST_MESSAGE_H
#define WEIR_HOST_MESSAGE_H
#include "base/arena.h"

#include <protobuf-c/protobuf-c.h>

/* Into one run of bytes, 16-byte aligned: what fits is the same on every machine and in every build. */
ProtobufCMessage *message_unpack(
    const ProtobufCMessageDescriptor *descriptor, struct weir_slice value, struct weir_slice room);
ProtobufCMessage *message_unpack_arena(
    const ProtobufCMessageDescriptor *descriptor, struct weir_slice value, struct arena *arena);
#endif
