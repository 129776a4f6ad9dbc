/* otlp/answer.h: what a collector's answer means. Pure; the arena is for the time of the call.
 *
 * Source: OTLP 1.x, "OTLP/HTTP Response": 200 with perhaps a partial success; 429, 502, 503 and 504 may be tried again;
 * every other status may not.
 */
#ifndef WEIR_OTLP_ANSWER_H
#define WEIR_OTLP_ANSWER_H
#include "base/arena.h"

#define OTLP_ANSWER_BYTES (64u << 10) /* of a body that are read; a longer one is passed over */

enum otlp_verdict { OTLP_TAKEN, OTLP_LATER, OTLP_REFUSED };
struct otlp_answer {
    enum otlp_verdict verdict;
    uint32_t rejected; /* TAKEN: of the spans that were sent */
    char text[200];    /* what the collector has to say; "" */
};
void otlp_answer_read(
    int status, struct weir_slice body, uint32_t spans, struct arena *arena, struct otlp_answer *ret_answer);

#endif
