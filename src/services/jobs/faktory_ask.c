/* What is read for Faktory's questions: INFO, QUEUE LATENCY, TRACK GET, and which jobs a MUTATE means. */
#include "jobs/faktory_ask.h"

#include "base/text.h"
#include "jobs/job.h"
#include "jobs/names.h"
#include "jobs/ready.h"

#define LOOKS_MAX    65536u /* jobs that one selection looks at */
#define QUEUES_BYTES 7000u  /* of the queues' text in one answer */

static enum weir_error answer_bytes(struct weir_answer *answer, const void *data, size_t size) {
    void *room = weir_answer_room(answer, size);
    if (!room) return weir_error_context(WEIR_E_NO_MEMORY, "no room for an answer");
    memcpy(room, data, size);
    weir_answer_commit(answer, size);
    return WEIR_OK;
}

/* ---- INFO ---- */
/* `"name":count,` for each queue that somebody uses. */
static void list_queues(const struct jobs *s, struct faktory_sums *sums) {
    struct text_builder text = text_builder(sums->text, QUEUES_BYTES);
    for (uint32_t i = 0; i < s->head->names_used[JOBS_NAME_QUEUE]; i++) {
        const struct jobs_name *name = &s->names[JOBS_NAME_QUEUE][i];
        if (name->size == 0 || (name->jobs == 0 && !name->is_set && name->pushed == 0)) continue;
        sums->queues++;
        if (text.cap - text.size < JOBS_NAME_MAX + 32) {
            sums->left_out++;
            continue;
        }
        text_add_char(&text, '"');
        json_escape(&text, names_text(s, JOBS_NAME_QUEUE, i));
        text_printf(&text, "\":%u,", s->queues[i].states[JOBS_READY]);
    }
    sums->text_size = (uint32_t)text.size;
}

enum weir_error faktory_query_sums(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct jobs *s = state;
    const struct jobs_head *h = s->head;
    struct faktory_sums *sums = weir_scratch(request, sizeof *sums);
    if (!sums) return weir_error_context(WEIR_E_NO_MEMORY, "no room for the sums");
    memset(sums, 0, offsetof(struct faktory_sums, text));
    for (uint32_t i = 0; i < WEIR_ARRAY_COUNT(h->states); i++)
        sums->states[i] = h->states[i];
    sums->pushed = h->pushed;
    sums->done = h->done;
    sums->failed = h->failed;
    sums->lost = h->timed_out;
    sums->bytes = h->job_count * sizeof(struct job) + s->blob.head->bytes;
    sums->workers = h->worker_count;
    sums->started_s = h->started_s;
    for (uint32_t i = 0; i < h->workers_used; i++)
        if (s->workers[i].is_used) sums->connections += s->workers[i].connections;
    list_queues(s, sums);
    return answer_bytes(answer, sums, offsetof(struct faktory_sums, text) + sums->text_size);
}

/* ---- QUEUE LATENCY: since when the oldest ready job of the queue waits; 0: there is none ---- */
enum weir_error faktory_query_oldest(
    const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct jobs *s = state;
    uint32_t queue = names_find(s, JOBS_NAME_QUEUE, request->packed);
    uint64_t oldest_ns = queue == JOBS_NONE ? 0 : ready_oldest_ns(s, queue);
    return answer_bytes(answer, &oldest_ns, sizeof oldest_ns);
}

/* ---- TRACK GET ---- */
enum weir_error faktory_query_track(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct jobs *s = state;
    struct faktory_track track = {0};
    uint32_t i = job_find_name(s, request->packed);
    if (i != JOBS_NONE) {
        track.since_ns = s->jobs[i].since_ns;
        track.state = s->jobs[i].state;
        track.progress = s->jobs[i].progress;
    }
    return answer_bytes(answer, &track, sizeof track);
}

/* ---- which jobs a MUTATE means ---- */
static bool fits(const struct jobs *s, const struct job *job, const struct faktory_select *select,
    struct weir_slice type, struct weir_slice pattern, void *room) {
    if (!job->id || job->state != select->state) return false;
    if (type.size && !weir_slice_equal(names_text(s, JOBS_NAME_TYPE, job->type), type)) return false;
    if (!pattern.size) return true;
    job_payload(s, job, room);
    return weir_faktory_glob(pattern, weir_slice(room, job->payload_size));
}

static void select_named(
    const struct jobs *s, const struct faktory_select *select, struct weir_slice jids, struct faktory_selected *ret) {
    for (size_t at = 0; at < jids.size && at + 1 + jids.data[at] <= jids.size; at += 1u + jids.data[at]) {
        uint32_t i = job_find_name(s, weir_slice(jids.data + at + 1, jids.data[at]));
        if (i == JOBS_NONE || s->jobs[i].state != select->state) continue;
        if (ret->count < FAKTORY_SELECT_MAX) ret->ids[ret->count++] = s->jobs[i].id;
    }
}

/* The pattern is held against the whole of a payload: one of the largest, so room for it is asked of the answer, which
 * gives back what is not committed. */
enum weir_error faktory_query_select(
    const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct jobs *s = state;
    struct faktory_select select;
    struct faktory_selected *found = weir_scratch(request, sizeof *found);
    if (request->packed.size < sizeof select || !found)
        return weir_error_context(WEIR_E_INVALID, "a selection is malformed, or there is no memory for it");
    memcpy(&select, request->packed.data, sizeof select);
    const uint8_t *at = request->packed.data + sizeof select;
    size_t rest = request->packed.size - sizeof select, names = (size_t)select.type_size + select.pattern_size;
    if (names > rest) return weir_error_context(WEIR_E_INVALID, "a selection is malformed");
    struct weir_slice type = weir_slice(at, select.type_size);
    struct weir_slice pattern = weir_slice(at + select.type_size, select.pattern_size);
    *found = (struct faktory_selected){0};
    if (rest > names) {
        select_named(s, &select, weir_slice(at + names, rest - names), found);
    } else {
        void *room = pattern.size ? weir_answer_room(answer, JOBS_PAYLOAD_MAX) : NULL;
        uint32_t i = select.from, looks = 0;
        if (pattern.size && !room) return weir_error_context(WEIR_E_NO_MEMORY, "no room to read payloads");
        for (; i < s->head->jobs_used && looks < LOOKS_MAX && found->count < FAKTORY_SELECT_MAX; i++, looks++)
            if (fits(s, &s->jobs[i], &select, type, pattern, room)) found->ids[found->count++] = s->jobs[i].id;
        found->next = i < s->head->jobs_used ? i : 0;
    }
    return answer_bytes(answer, found, offsetof(struct faktory_selected, ids) + found->count * sizeof(uint64_t));
}
