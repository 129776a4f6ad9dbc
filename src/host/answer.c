/* Answers being written, and scratch memory of a request: both live in the arena of whoever runs the call. */
#include "host/answer.h"

void weir_answer_init(struct weir_answer *answer, struct arena *arena, size_t size_max) {
    *answer = (struct weir_answer){.arena = arena, .size_max = size_max, .status = 200};
}

void *weir_answer_room(struct weir_answer *answer, size_t size) {
    if (size > answer->size_max || answer->size > answer->size_max - size) return NULL;
    size_t need = answer->size + size;
    if (need > answer->cap || !answer->data) {
        size_t cap = answer->cap * 2 > need ? answer->cap * 2 : need;
        if (cap < 256) cap = 256;
        if (cap > answer->size_max) cap = answer->size_max;
        uint8_t *data = arena_resize(answer->arena, answer->data, answer->cap, cap, 16);
        if (!data) return NULL;
        answer->data = data;
        answer->cap = cap;
    }
    answer->room = size;
    return answer->data + answer->size;
}

void weir_answer_commit(struct weir_answer *answer, size_t size) {
    WEIR_ASSERT(size <= answer->room);
    answer->size += size;
    answer->room = 0;
}

void weir_answer_status(struct weir_answer *answer, uint16_t status) {
    answer->status = status;
}

void *weir_scratch(const struct weir_request *request, size_t size) {
    if (size > WEIR_SCRATCH_BYTES_MAX) return NULL;
    return arena_alloc_aligned(request->scratch, size, 8);
}
