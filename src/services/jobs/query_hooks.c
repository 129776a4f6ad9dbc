/* Where jobs are sent, between records. */
#include "jobs/hook.h"
#include "jobs/names.h"
#include "jobs/routes.h"
#include "schema/jobs.pb-c.h"

#define NANOS_PER_MS 1000000u

static void fill(const struct jobs *s, const struct weir_request *request, uint32_t i, Weir__Jobs__DestinationView *m) {
    const struct weir_gate *gate = &s->gates[i];
    struct weir_gate_limits limits = hook_limits(s, i);
    uint64_t until_ns = gate->held_till_ns;
    if (gate->state == WEIR_GATE_OPEN && gate->open_until_ns > until_ns) until_ns = gate->open_until_ns;
    struct weir_gate_slot counts = weir_gate_counts(gate, &limits, gate->used_ns);
    weir__jobs__destination_view__init(m);
    m->destination = jobs_route_string(request, names_text(s, JOBS_NAME_DESTINATION, i));
    m->breaker = (Weir__Jobs__Breaker)gate->state;
    m->running = gate->running;
    m->calls = counts.calls;
    m->failed = counts.failed;
    m->again_ms = until_ns > gate->used_ns ? until_ns / NANOS_PER_MS : 0;
    m->concurrency = limits.running_max;
    m->rate_per_s = limits.per_second;
    m->smoothed_ms = gate->smoothed_ns / NANOS_PER_MS;
}

static void count_waiting(const struct jobs *s, Weir__Jobs__DestinationView *views) {
    for (uint32_t q = 0; q < s->head->names_used[JOBS_NAME_QUEUE]; q++)
        for (uint32_t side = 0; side < JOBS_SIDES; side++)
            for (uint32_t left = s->queues[q].sides[side].used; left; left &= left - 1)
                for (uint32_t f = s->queues[q].sides[side].first[__builtin_ctz(left)]; f != JOBS_NONE;
                     f = s->flows[f].next) {
                    uint16_t at = side == JOBS_SIDE_OWN ? s->flows[f].destination : s->queues[q].destination;
                    if (at != JOBS_NO_DESTINATION) views[at].waiting += s->flows[f].count;
                }
}

enum weir_error jobs_query_destinations(
    const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct jobs *s = state;
    uint32_t count = s->head->names_used[JOBS_NAME_DESTINATION];
    Weir__Jobs__DestinationView *views = weir_scratch(request, count * sizeof *views + 1);
    Weir__Jobs__DestinationView **list = weir_scratch(request, count * sizeof *list + 1);
    if (!views || !list) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the answer");
    for (uint32_t i = 0; i < count; i++) {
        fill(s, request, i, &views[i]);
        list[i] = &views[i];
    }
    count_waiting(s, views);
    Weir__Jobs__DestinationList m = WEIR__JOBS__DESTINATION_LIST__INIT;
    m.n_destinations = count;
    m.destinations = list;
    return jobs_route_answer(answer, &m.base);
}
