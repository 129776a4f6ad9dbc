/* WORK effects: a function of the service's as a job on the node's pool (job.h). */
#include "base/assert.h"
#include "host/dispatch.h"
#include "host/job.h"
#include "host/node.h"

#include <stdio.h>

#define WORK_SLOTS 64u /* of a lane */
#define NOBODY     UINT32_MAX

struct work_slot {
    struct host_job job; /* first */
    struct work_executor *executor;
    uint64_t tag, duration_ns;
    uint32_t index, next; /* on the lane's list of free or ended ones */
    const struct weir_effect_row *row;
    struct weir_work work;
    enum weir_effect_class class_;
    char key[WEIR_EFFECT_KEY_MAX];
    uint8_t *request, *answer;
};
struct work_lane {
    struct work_slot slots[WORK_SLOTS];
    uint32_t free, ended; /* lists */
    uint32_t shown;       /* its answer is being read; free at the next take */
};
struct work_executor {
    struct effect_executor executor; /* first */
    struct host *host;
    struct work_lane *lanes;
};

static struct work_executor *executor_of(struct effect_executor *x) {
    return (struct work_executor *)x;
}

/* ---- on a worker ---- */
static void run(struct host_job *job) {
    struct work_slot *s = (struct work_slot *)job;
    struct sys *sys = s->executor->host->sys;
    uint64_t begun_ns = sys->mono_ns(sys);
    s->class_ = s->row->work(&s->work);
    s->duration_ns = sys->mono_ns(sys) - begun_ns;
}

/* ---- on the lane ---- */
static void done(struct host_lane *lane, struct host_job *job) {
    struct work_slot *s = (struct work_slot *)job;
    struct work_lane *l = &s->executor->lanes[host_lane_index(lane)];
    s->next = l->ended;
    l->ended = s->index;
}

static enum weir_error work_start(struct effect_executor *executor, uint32_t lane, const struct effect_call *call) {
    struct work_executor *x = executor_of(executor);
    struct work_lane *l = &x->lanes[lane];
    if (l->free == NOBODY) return WEIR_E_FULL;
    struct work_slot *s = &l->slots[l->free];
    uint32_t most = call->row->result_bytes_max;
    s->tag = call->tag;
    s->row = call->row;
    snprintf(s->key, sizeof s->key, "%s", call->key);
    if (call->request.size) memcpy(s->request, call->request.data, call->request.size);
    s->work = (struct weir_work){.request = weir_slice(s->request, call->request.size),
        .idempotency_key = s->key,
        .attempt = call->attempt,
        .timeout_ns = call->timeout_ns,
        .settings = call->settings,
        .answer = s->answer,
        .answer_max = most ? most : 4096};
    s->job.run = run;
    s->job.done = done;
    /* Whatever stands in the way of a job passes: another lane starts the pool, or it is full. */
    if (host_job_submit(&x->host->lanes[lane], WEIR_POOL_NORMAL, &s->job) != WEIR_OK) {
        x->host->lanes[lane].retry = true;
        return WEIR_E_FULL;
    }
    l->free = s->next;
    return WEIR_OK;
}

static bool work_take(struct effect_executor *executor, uint32_t lane, struct effect_end *ret_end) {
    struct work_lane *l = &executor_of(executor)->lanes[lane];
    if (l->shown != NOBODY) {
        l->slots[l->shown].next = l->free;
        l->free = l->shown;
    }
    l->shown = l->ended;
    if (l->ended == NOBODY) return false;
    struct work_slot *s = &l->slots[l->ended];
    l->ended = s->next;
    size_t size = s->work.answer_size < s->work.answer_max ? s->work.answer_size : s->work.answer_max;
    s->work.text[sizeof s->work.text - 1] = 0;
    bool known = s->class_ == WEIR_EFFECT_OK || s->class_ == WEIR_EFFECT_REJECTED;
    *ret_end = (struct effect_end){.tag = s->tag,
        .answer = {.class_ = known ? s->class_ : WEIR_EFFECT_FAILED,
            .duration_ns = s->duration_ns ? s->duration_ns : 1,
            .retry_after_ns = s->work.retry_after_ns,
            .text = weir_slice_text(s->work.text),
            .body = weir_slice(s->answer, size)}};
    return true;
}

static void work_cancel(struct effect_executor *executor, uint32_t lane, uint64_t tag) {
    (void)executor, (void)lane, (void)tag; /* a function that runs can't be stopped: its end is ignored */
}

static void work_stop(struct effect_executor *executor) {
    (void)executor; /* the lanes have waited for their jobs, and the arena is the host's */
}

/* ---- open ---- */
static enum weir_error open_lane(struct work_executor *x, uint32_t index) {
    struct work_lane *l = &x->lanes[index];
    l->ended = l->shown = NOBODY;
    uint8_t *memory = arena_alloc(&x->host->arena, WORK_SLOTS * 2 * (size_t)WEIR_EFFECT_BYTES_MAX);
    if (!memory) return weir_error_context(WEIR_E_NO_MEMORY, "no room for the work of effects");
    for (uint32_t i = 0; i < WORK_SLOTS; i++) {
        struct work_slot *s = &l->slots[i];
        s->executor = x;
        s->index = i;
        s->next = i + 1 < WORK_SLOTS ? i + 1 : NOBODY;
        s->request = memory + 2 * (size_t)i * WEIR_EFFECT_BYTES_MAX;
        s->answer = s->request + WEIR_EFFECT_BYTES_MAX;
    }
    return WEIR_OK;
}

enum weir_error executor_work_open(struct host *host, struct effect_executor **ret_executor) {
    if (!host->pool)
        return weir_error_context(WEIR_E_UNSUPPORTED, "a service has effects of kind WORK, and there is no pool");
    struct work_executor *x = ARENA_NEW(&host->arena, struct work_executor);
    if (x) x->lanes = ARENA_NEW_ARRAY(&host->arena, struct work_lane, host->lane_count);
    if (!x || !x->lanes) return weir_error_context(WEIR_E_NO_MEMORY, "no room for the work of effects");
    x->executor = (struct effect_executor){work_start, work_take, work_cancel, work_stop};
    x->host = host;
    enum weir_error e = WEIR_OK;
    for (uint32_t i = 0; e == WEIR_OK && i < host->lane_count; i++)
        e = open_lane(x, i);
    if (e == WEIR_OK) *ret_executor = &x->executor;
    return e;
}
