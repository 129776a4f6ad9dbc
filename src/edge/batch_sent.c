/* A RecordBatch that a client sent as one. See batch_build.h. */
#include "base/bytes.h"
#include "edge/batch_build.h"
#include "wire/compression.h"

#define INFLATED_BYTES (WEIR_BATCH_HEADER_SIZE + LOG_PLAIN_BYTES_MAX)

#define CODEC_BYTES  4096u
#define MEMORY_BYTES (CODEC_BYTES + INFLATED_BYTES)
static_assert(sizeof(struct weir_compression) <= CODEC_BYTES, "the codecs have room");

enum weir_error batch_checker_open(struct batch_checker *checker) {
    *checker = (struct batch_checker){0};
    enum weir_error e = sys_memory_map(MEMORY_BYTES, &checker->memory);
    if (!e) e = weir_compression_open(checker->memory);
    if (e) batch_checker_close(checker);
    return e;
}

void batch_checker_close(struct batch_checker *checker) {
    if (!checker->memory) return;
    weir_compression_close(checker->memory);
    sys_memory_unmap(checker->memory, MEMORY_BYTES);
    *checker = (struct batch_checker){0};
}

enum weir_error batch_sent(struct batch_checker *checker, struct weir_slice bytes, size_t bytes_max, bool plain,
    struct batch_built *ret_built) {
    const struct weir_record_batch_limits limits = {
        .batch_bytes_max = (uint32_t)bytes_max, .record_bytes_max = (uint32_t)bytes_max};
    uint8_t *inflated = (uint8_t *)checker->memory + CODEC_BYTES;
    struct weir_slice unfolded;
    enum weir_error e = weir_batch_validate(checker->memory, bytes, &limits, inflated, INFLATED_BYTES, &unfolded);
    if (e == WEIR_E_CORRUPT) e = WEIR_E_INVALID; /* nothing stored is: the line that brought it, or its maker */
    if (!e && plain && unfolded.size > bytes_max)
        e = weir_error_context(WEIR_E_TOO_LARGE,
            "the topic's compression is none, and the batch has %zu bytes decompressed; the limit is %zu",
            unfolded.size, bytes_max);
    if (e) return e;
    *ret_built = (struct batch_built){
        .batch = plain ? unfolded : bytes, .count = load_be32(bytes.data + WEIR_BATCH_AT_RECORD_COUNT)};
    return WEIR_OK;
}

static bool has_attribute(struct weir_slice bytes, uint16_t attribute) {
    return bytes.size >= WEIR_BATCH_HEADER_SIZE && load_be16(bytes.data + WEIR_BATCH_AT_ATTRIBUTES) & attribute;
}

bool batch_is_transactional(struct weir_slice bytes) {
    return has_attribute(bytes, WEIR_BATCH_TRANSACTIONAL);
}

bool batch_is_marker(struct weir_slice bytes) {
    return has_attribute(bytes, WEIR_BATCH_CONTROL);
}
