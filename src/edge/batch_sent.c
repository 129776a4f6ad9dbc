/* A RecordBatch that a client sent as one. See batch_build.h. */
#include "base/bytes.h"
#include "edge/batch_build.h"
#include "wire/compression.h"

#define INFLATED_BYTES (WEIR_BATCH_HEADER_SIZE + LOG_PLAIN_BYTES_MAX)

enum weir_error batch_checker_open(struct batch_checker *checker) {
    *checker = (struct batch_checker){0};
    enum weir_error e = weir_compression_open(&checker->codec);
    if (!e) e = sys_memory_map(INFLATED_BYTES, &checker->inflated);
    if (e) batch_checker_close(checker);
    return e;
}

void batch_checker_close(struct batch_checker *checker) {
    weir_compression_close(checker->codec);
    if (checker->inflated) sys_memory_unmap(checker->inflated, INFLATED_BYTES);
    *checker = (struct batch_checker){0};
}

enum weir_error batch_sent(struct batch_checker *checker, struct weir_slice bytes, size_t bytes_max, bool plain,
    struct batch_built *ret_built) {
    const struct weir_record_batch_limits limits = {
        .batch_bytes_max = (uint32_t)bytes_max, .record_bytes_max = (uint32_t)bytes_max};
    struct weir_slice unfolded;
    enum weir_error e =
        weir_batch_validate(checker->codec, bytes, &limits, checker->inflated, INFLATED_BYTES, &unfolded);
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
