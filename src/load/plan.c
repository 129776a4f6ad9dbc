#include "load/plan.h"
#include "base/assert.h"
#include <math.h>
#include <stdlib.h>

#define ROOM_MAX (1u << 24)

static void advance(struct load_plan *plan, double by) {
    plan->position += by;
    plan->next_ns = plan->position + 1e-9 < plan->curve->total
                        ? load_curve_due_ns(plan->curve, plan->position, &plan->cursor)
                        : UINT64_MAX;
}

enum weir_error load_plan_init(
    struct load_plan *plan, const struct load_curve *curve, const struct load_plan_options *options) {
    *plan = (struct load_plan){.curve = curve, .options = *options, .next_n = options->index};
    plan->random = prng_seed(options->seed + options->index);
    /* What may be ahead of the curve at once: all that is due within the longest delay, at the highest rate. */
    double ahead_s = (double)(options->jitter_ns + (options->reorder_ppm ? options->reorder_ns : 0)) / 1e9;
    double ahead = curve->rate_max / options->step * ahead_s * 1.5 + 64;
    if (curve->period_s > 0) ahead += curve->rate_max / options->step * curve->period_s;
    if (ahead + options->waiting_max > ROOM_MAX)
        return weir_error_context(WEIR_E_TOO_LARGE,
            "so much jitter at this rate keeps more than %u requests in mind; lower --jitter or --rate", ROOM_MAX);
    plan->room = (uint32_t)ahead + options->waiting_max;
    plan->heap = calloc(plan->room, sizeof *plan->heap);
    if (!plan->heap) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for a plan of %u requests", plan->room);
    advance(plan, options->random_arrivals ? prng_exponential(&plan->random, options->step) : options->index);
    return WEIR_OK;
}

void load_plan_done(struct load_plan *plan) {
    free(plan->heap);
    *plan = (struct load_plan){0};
}

/* ---- the heap ---- */

static void heap_add(struct load_plan *plan, const struct load_due *due) {
    WEIR_ASSERT(plan->count < plan->room);
    uint32_t i = plan->count++;
    for (; i > 0 && plan->heap[(i - 1) / 2].at_ns > due->at_ns; i = (i - 1) / 2)
        plan->heap[i] = plan->heap[(i - 1) / 2];
    plan->heap[i] = *due;
}

static void heap_take(struct load_plan *plan) {
    WEIR_ASSERT(plan->count > 0);
    struct load_due last = plan->heap[--plan->count];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= plan->count) break;
        if (child + 1 < plan->count && plan->heap[child + 1].at_ns < plan->heap[child].at_ns) child++;
        if (plan->heap[child].at_ns >= last.at_ns) break;
        plan->heap[i] = plan->heap[child];
        i = child;
    }
    plan->heap[i] = last;
}

/* ---- from the curve into the heap ---- */

static void draw(struct load_plan *plan) {
    const struct load_plan_options *o = &plan->options;
    uint64_t at = plan->next_ns;
    if (o->jitter_ns) at += prng_below(&plan->random, o->jitter_ns + 1);
    if (o->reorder_ppm && prng_chance(&plan->random, o->reorder_ppm, 1000000)) at += o->reorder_ns;
    heap_add(plan, &(struct load_due){.at_ns = at, .origin_ns = at, .n = plan->next_n});
    plan->next_n += o->step;
    advance(plan, o->random_arrivals ? prng_exponential(&plan->random, o->step) : o->step);
}

bool load_plan_peek(struct load_plan *plan, struct load_due *ret_due) {
    /* What the curve has not given yet is never due before next_ns. */
    while (plan->next_ns != UINT64_MAX && plan->count - plan->waiting < plan->room - plan->options.waiting_max &&
           (plan->count == 0 || plan->heap[0].at_ns > plan->next_ns))
        draw(plan);
    if (plan->count == 0) return false;
    *ret_due = plan->heap[0];
    return true;
}

void load_plan_pop(struct load_plan *plan) {
    plan->waiting -= plan->heap[0].attempt > 0;
    heap_take(plan);
}

bool load_plan_again(struct load_plan *plan, const struct load_due *due) {
    WEIR_ASSERT(due->attempt > 0);
    if (plan->waiting == plan->options.waiting_max) return false;
    plan->waiting++;
    heap_add(plan, due);
    return true;
}
