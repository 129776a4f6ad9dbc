/* jobs/faktory_ask.h: what the gateway reads of a partition's state: questions and answers, as bytes between lanes. */
#ifndef WEIR_JOBS_FAKTORY_ASK_H
#define WEIR_JOBS_FAKTORY_ASK_H
#include "jobs/faktory.h"
#include "jobs/state.h"

struct faktory_track {
    uint64_t since_ns;
    uint32_t state, progress; /* enum jobs_state; JOBS_FREE: there is no such job */
};

/* Jobs of a state; with `from` those behind that place in the table. Then type, pattern; then perhaps jids, each with
 * its size in front, which are looked for instead. */
struct faktory_select {
    uint32_t from;
    uint16_t type_size, pattern_size;
    uint8_t state, unused[7];
};
struct faktory_selected {
    uint32_t next, count; /* next: there may be more, from there on */
    uint64_t ids[FAKTORY_SELECT_MAX];
};

/* packed: nothing; answers struct faktory_sums, cut behind its text. */
enum weir_error faktory_query_sums(const void *state, const struct weir_request *request, struct weir_answer *answer);
/* packed: the queue's name; answers uint64_t, ns. */
enum weir_error faktory_query_oldest(const void *state, const struct weir_request *request, struct weir_answer *answer);
/* packed: the jid; answers struct faktory_track. */
enum weir_error faktory_query_track(const void *state, const struct weir_request *request, struct weir_answer *answer);
/* packed: struct faktory_select and what follows it; answers struct faktory_selected. */
enum weir_error faktory_query_select(const void *state, const struct weir_request *request, struct weir_answer *answer);
#endif
