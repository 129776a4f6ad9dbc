/* WORK effects: a function of the service's on a worker of the pool. A worker that is done puts its slot on its lane's
 * stack, which the lane takes as a whole. */
#include "base/assert.h"
#include "host/dispatch.h"
#include "host/node.h"

#include <stdio.h>
#include <weir/pool.h>

#define WORK_SLOTS 64u /* of a lane */
#define NOBODY     UINT32_MAX

struct work_slot {
    struct weir_task task; /* first */
    struct work_executor *executor;
    uint64_t tag, begun_ns, duration_ns;
    uint32_t lane, index, next; /* on a stack or list */
    const struct weir_effect_row *row;
    struct weir_work work;
    enum weir_effect_class class_;
    char key[WEIR_EFFECT_KEY_MAX];
    uint8_t *request, *answer;
};
struct work_lane {
    struct work_slot slots[WORK_SLOTS];
    uint32_t free;           /* the lane's list */
    uint32_t ended;          /* the lane's: taken off the stack, oldest first */
    uint32_t shown;          /* the lane's: its answer is being read; free at the next take */
    _Atomic uint32_t stack;  /* of those that ended; workers push */
    struct weir_group group; /* of all that run: ends at the stop */
    uint8_t separation[64];
};
struct work_executor {
    struct effect_executor executor; /* first */
    struct sys *sys;
    struct host *host;
    struct weir_pool *pool;
    bool owns_pool;
    int poller; /* where the stop waits */
    struct work_lane *lanes;
};

static struct work_executor *executor_of(struct effect_executor *x) {
    return (struct work_executor *)x;
}

/* ---- on a worker ---- */
static void run(struct weir_worker *worker, struct weir_task *task) {
    (void)worker;
    struct work_slot *s = (struct work_slot *)task;
    struct work_executor *x = s->executor;
    s->begun_ns = x->sys->mono_ns(x->sys);
    s->class_ = s->row->work(&s->work);
    s->duration_ns = x->sys->mono_ns(x->sys) - s->begun_ns;
    struct work_lane *lane = &x->lanes[s->lane];
    s->next = atomic_load_explicit(&lane->stack, memory_order_relaxed);
    uint32_t number = s->lane; /* the slot may be used anew as soon as it is pushed */
    uint32_t index = s->index;
    while (!atomic_compare_exchange_weak_explicit(
        &lane->stack, &s->next, index, memory_order_release, memory_order_relaxed))
        ;
    x->sys->poller_wake(x->sys, x->host->lanes[number].poller);
}

/* ---- on the lane ---- */
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
    s->task.run = run;
    if (weir_pool_submit(&l->group, &s->task) != WEIR_OK) return WEIR_E_FULL;
    l->free = s->next;
    return WEIR_OK;
}

static void give_back(struct work_lane *l) {
    if (l->shown == NOBODY) return;
    l->slots[l->shown].next = l->free;
    l->free = l->shown;
    l->shown = NOBODY;
}

/* The newest ended one is on top of the stack: turned over, the oldest comes first. */
static void take_stack(struct work_lane *l) {
    uint32_t index = atomic_exchange_explicit(&l->stack, NOBODY, memory_order_acquire);
    while (index != NOBODY) {
        uint32_t next = l->slots[index].next;
        l->slots[index].next = l->ended;
        l->ended = index;
        index = next;
    }
}

static bool work_take(struct effect_executor *executor, uint32_t lane, struct effect_end *ret_end) {
    struct work_lane *l = &executor_of(executor)->lanes[lane];
    give_back(l);
    if (l->ended == NOBODY) take_stack(l);
    if (l->ended == NOBODY) return false;
    struct work_slot *s = &l->slots[l->ended];
    l->shown = l->ended;
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
    struct work_executor *x = executor_of(executor);
    if (!x->pool) return;
    for (uint32_t i = 0; i < x->host->lane_count; i++)
        weir_group_cancel(&x->lanes[i].group);
    for (uint32_t i = 0; i < x->host->lane_count; i++)
        weir_group_wait(&x->lanes[i].group);
    if (x->owns_pool) weir_pool_stop(x->pool, WEIR_POOL_CANCEL);
    x->pool = NULL;
    x->sys->poller_close(x->sys, x->poller);
}

/* ---- open ---- */
static enum weir_error open_lane(struct work_executor *x, uint32_t index) {
    struct work_lane *l = &x->lanes[index];
    l->ended = l->shown = NOBODY;
    atomic_store(&l->stack, NOBODY);
    uint8_t *memory = arena_alloc(&x->host->arena, WORK_SLOTS * 2 * (size_t)WEIR_EFFECT_BYTES_MAX);
    if (!memory) return weir_error_context(WEIR_E_NO_MEMORY, "no room for the work of effects");
    for (uint32_t i = 0; i < WORK_SLOTS; i++) {
        struct work_slot *s = &l->slots[i];
        s->executor = x;
        s->lane = index;
        s->index = i;
        s->next = i + 1 < WORK_SLOTS ? i + 1 : NOBODY;
        s->request = memory + 2 * (size_t)i * WEIR_EFFECT_BYTES_MAX;
        s->answer = s->request + WEIR_EFFECT_BYTES_MAX;
    }
    return WEIR_OK;
}

enum weir_error executor_work_open(struct host *host, struct effect_executor **ret_executor) {
    struct work_executor *x = ARENA_NEW(&host->arena, struct work_executor);
    if (x) x->lanes = ARENA_NEW_ARRAY(&host->arena, struct work_lane, host->lane_count);
    if (!x || !x->lanes) return weir_error_context(WEIR_E_NO_MEMORY, "no room for the work of effects");
    x->executor = (struct effect_executor){work_start, work_take, work_cancel, work_stop};
    x->sys = host->sys;
    x->host = host;
    x->pool = host->pool;
    enum weir_error e = WEIR_OK;
    for (uint32_t i = 0; e == WEIR_OK && i < host->lane_count; i++)
        e = open_lane(x, i);
    if (e == WEIR_OK && !x->pool) {
        e = weir_pool_start(host->sys, &(struct weir_pool_options){0}, &x->pool);
        x->owns_pool = e == WEIR_OK;
    }
    if (e == WEIR_OK) e = host->sys->poller_open(host->sys, &x->poller);
    if (e != WEIR_OK) return e;
    for (uint32_t i = 0; i < host->lane_count; i++)
        weir_group_begin(&x->lanes[i].group, x->pool, WEIR_POOL_NORMAL, x->poller);
    *ret_executor = &x->executor;
    return WEIR_OK;
}
