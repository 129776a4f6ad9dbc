#include "otlp/answer.h"

#include "base/text.h"
#include "host/message.h"
#include "otlp.pb-c.h"

/* It goes to the log: one line, and no control characters. */
static void keep_text(struct otlp_answer *answer, const char *text) {
    size_t size = 0;
    for (; *text && size + 1 < sizeof answer->text; text++)
        answer->text[size++] = (char)((uint8_t)*text < 0x20 || *text == 0x7f ? ' ' : *text);
    answer->text[size] = 0;
    answer->text[utf8_valid_size(weir_slice_text(answer->text))] = 0; /* not cut inside of a character */
}

static void read_success(struct weir_slice body, uint32_t spans, struct arena *arena, struct otlp_answer *answer) {
    const Otlp__ExportResponse *r = (void *)message_unpack_arena(&otlp__export_response__descriptor, body, arena);
    if (!r || !r->partial_success) return; /* spans were taken, whatever else was said */
    int64_t rejected = r->partial_success->rejected_spans;
    answer->rejected = rejected <= 0 ? 0 : rejected < (int64_t)spans ? (uint32_t)rejected : spans;
    keep_text(answer, r->partial_success->error_message);
}

void otlp_answer_read(
    int status, struct weir_slice body, uint32_t spans, struct arena *arena, struct otlp_answer *ret_answer) {
    bool later = status == 429 || status == 502 || status == 503 || status == 504;
    struct otlp_answer answer = {.verdict = status / 100 == 2 ? OTLP_TAKEN : later ? OTLP_LATER : OTLP_REFUSED};
    struct arena_mark mark = arena_save(arena);
    if (answer.verdict == OTLP_TAKEN) {
        read_success(body, spans, arena, &answer);
    } else {
        const Otlp__Failure *f = (void *)message_unpack_arena(&otlp__failure__descriptor, body, arena);
        if (f) keep_text(&answer, f->message);
    }
    arena_restore(arena, mark);
    *ret_answer = answer;
}
