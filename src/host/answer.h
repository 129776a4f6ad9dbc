/* host/answer.h: what stands behind struct weir_answer and weir_request.scratch of weir/service.h.
 *
 * A query (run by the host) and a route's decode (run by the edge) both write an answer: bytes in an arena, grown by
 * weir_answer_room() and counted by weir_answer_commit(). weir_request.scratch is a `struct arena *`.
 * Owner: the thread that runs the call. Allocation: the arena's. Limit: size_max bytes.
 */
#ifndef WEIR_HOST_ANSWER_H
#define WEIR_HOST_ANSWER_H
#include "base/arena.h"

#include <weir/service.h>

#define WEIR_ANSWER_BYTES_MAX  (1u << 20)
#define WEIR_SCRATCH_BYTES_MAX (4u << 20)

struct weir_answer {
    struct arena *arena;
    uint8_t *data; /* what was committed so far, then the last room */
    size_t size;   /* committed */
    size_t room;   /* of the last weir_answer_room(), not committed yet */
    size_t cap;
    size_t size_max;
    uint16_t status; /* 200 until set */
};

void weir_answer_init(struct weir_answer *answer, struct arena *arena, size_t size_max);
static inline struct weir_slice weir_answer_slice(const struct weir_answer *answer) {
    return weir_slice(answer->data, answer->size);
}

#endif
