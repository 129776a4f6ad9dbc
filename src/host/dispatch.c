#include "host/dispatch.h"
#include "base/assert.h"
#include "host/node.h"

#include <stdio.h>

/* ---- flights ---- */
static uint64_t tag_of(const struct dispatch *d, const struct dispatch_flight *f) {
    return (uint64_t)f->generation << 32 | (uint64_t)(f - d->flights);
}

static struct dispatch_flight *find_flight(struct dispatch *d, uint64_t tag) {
    uint32_t index = (uint32_t)tag;
    WEIR_ASSERT(index < DISPATCH_FLIGHTS);
    struct dispatch_flight *f = &d->flights[index];
    return f->kind && f->generation == tag >> 32 ? f : NULL;
}

static void end_flight(struct dispatch *d, struct dispatch_flight *f) {
    f->kind = 0;
    f->generation++;
    d->count--;
}

/* ---- results ---- */
static bool append_result(struct host_lane *lane) {
    struct dispatch *d = &lane->dispatch;
    if (d->result_size == 0) return true;
    struct envelope envelope = {.kind = WEIR_RECORD_RESULT, .effect = d->result_effect, .attempt = d->result_attempt};
    struct host_partition *p = &lane->host->partitions[d->result_partition];
    enum weir_error e =
        host_partition_append(p, &envelope, (struct weir_slice){0}, weir_slice(d->result, d->result_size), NULL);
    if (e != WEIR_OK) {
        lane->retry = true; /* no room in the journal, or on the disk */
        return false;
    }
    d->result_size = 0;
    return true;
}

static void put_result(struct host_lane *lane, const struct host_partition *p, const struct effect *effect, uint64_t id,
    uint32_t attempt, const struct effect_answer *answer) {
    struct dispatch *d = &lane->dispatch;
    WEIR_ASSERT(d->result_size == 0);
    uint32_t most = effect ? p->fold.effects.rows[effect->row].row->result_bytes_max : 0;
    d->result_size = effect_answer_store(answer, most ? most : 4096, d->result);
    d->result_effect = id;
    d->result_partition = p->number;
    d->result_attempt = attempt;
    append_result(lane);
}

static void finish(struct host_lane *lane, struct dispatch_flight *f, const struct effect_answer *answer) {
    struct host_partition *p = &lane->host->partitions[f->partition];
    struct effect_answer timed = *answer;
    if (!timed.duration_ns) timed.duration_ns = lane->mono_ns - f->begun_ns;
    uint64_t id = f->effect;
    uint32_t attempt = f->attempt;
    end_flight(&lane->dispatch, f);
    const struct effect *e = effects_find(&p->fold.effects, id);
    if (e && p->effect_metrics) metric_record(&p->effect_metrics[e->row].duration_ns, timed.duration_ns);
    put_result(lane, p, e, id, attempt, &timed);
}

static uint32_t take_ends(struct host_lane *lane) {
    struct dispatch *d = &lane->dispatch;
    uint32_t taken = 0;
    for (uint32_t kind = 1; kind < EXECUTOR_KINDS; kind++) {
        struct effect_executor *x = lane->host->executors[kind];
        struct effect_end end;
        while (x && append_result(lane) && x->take(x, lane->index, &end)) {
            struct dispatch_flight *f = find_flight(d, end.tag);
            taken++;
            if (f)
                finish(lane, f, &end.answer);
            else
                metric_add(&d->late, 1);
        }
    }
    return taken;
}

static uint32_t give_up_late(struct host_lane *lane) {
    static const struct effect_answer late = {.class_ = WEIR_EFFECT_TIMEOUT};
    struct dispatch *d = &lane->dispatch;
    uint32_t given_up = 0;
    if (d->count == 0 || lane->mono_ns < d->next_ns) return 0;
    d->next_ns = UINT64_MAX;
    for (uint32_t i = 0; i < DISPATCH_FLIGHTS; i++) {
        struct dispatch_flight *f = &d->flights[i];
        if (!f->kind) continue;
        if (lane->mono_ns < f->deadline_ns || !append_result(lane)) {
            if (f->deadline_ns < d->next_ns) d->next_ns = f->deadline_ns;
            continue;
        }
        struct effect_executor *x = lane->host->executors[f->kind];
        x->cancel(x, lane->index, tag_of(d, f));
        metric_add(&d->timed_out, 1);
        finish(lane, f, &late);
        given_up++;
    }
    return given_up;
}

/* ---- starts ---- */
/* Stable over attempts and lives, and another one on another node: the time is part of it. */
static void write_key(const struct host_partition *p, const struct effect *e, char out[WEIR_EFFECT_KEY_MAX]) {
    snprintf(out, WEIR_EFFECT_KEY_MAX, "%s-%u-%llu-%u-%llx", p->owner->service->name, p->index,
        (unsigned long long)effect_offset(e->id), effect_index(e->id), (unsigned long long)e->created_ns);
}

static enum weir_error start(struct host_lane *lane, struct host_partition *p, struct effect *e) {
    struct dispatch *d = &lane->dispatch;
    uint32_t index = 0;
    while (d->flights[index].kind)
        index++;
    struct dispatch_flight *f = &d->flights[index];
    const struct weir_effect_row *row = p->fold.effects.rows[e->row].row;
    char key[WEIR_EFFECT_KEY_MAX];
    write_key(p, e, key);
    struct effect_call call = {.tag = tag_of(d, f),
        .service = p->owner->index,
        .partition = p->index,
        .row_index = e->row,
        .row = row,
        .settings = host_service_values(lane->host, p->owner),
        .request = weir_slice(effect_request(e), e->request_size),
        .key = key,
        .attempt = e->attempt,
        .timeout_ns = e->limit_ns,
        .wall_ns = lane->wall_ns};
    struct effect_executor *x = lane->host->executors[row->kind];
    enum weir_error error = x->start(x, lane->index, &call);
    if (error == WEIR_E_FULL) return error;
    effects_take_start(&p->fold.effects, e);
    if (error != WEIR_OK) {
        const struct effect_answer rejected = {
            .class_ = WEIR_EFFECT_REJECTED, .text = weir_slice_text(weir_error_text())};
        put_result(lane, p, e, e->id, e->attempt, &rejected);
        return WEIR_OK;
    }
    uint64_t deadline_ns = lane->mono_ns + e->limit_ns + DISPATCH_GRACE_NS;
    if (d->count++ == 0 || deadline_ns < d->next_ns) d->next_ns = deadline_ns;
    *f = (struct dispatch_flight){.effect = e->id,
        .deadline_ns = deadline_ns,
        .begun_ns = lane->mono_ns,
        .partition = p->number,
        .attempt = e->attempt,
        .generation = f->generation,
        .kind = (uint8_t)row->kind};
    metric_add(&d->dispatched, 1);
    return WEIR_OK;
}

static uint32_t start_released(struct host_lane *lane, struct host_partition *p) {
    struct effects *effects = &p->fold.effects;
    uint32_t started = 0;
    if (!p->announced || p->parked) return 0;
    while (effects->starting.count > 0 && lane->dispatch.count < DISPATCH_FLIGHTS && append_result(lane)) {
        struct effect *e = effects_at(effects, effects->starting.first);
        if (e->start > p->starts_released || start(lane, p, e) != WEIR_OK) break;
        started++;
    }
    return started;
}

uint32_t host_dispatch(struct host_lane *lane) {
    struct dispatch *d = &lane->dispatch;
    if (!d->flights) return 0;
    uint32_t work = take_ends(lane) + give_up_late(lane);
    if (atomic_load_explicit(&lane->host->phase, memory_order_acquire) >= HOST_DRAINING) return work;
    for (uint32_t i = 0; i < lane->partition_count; i++)
        if (lane->partitions[i]->fold.effects.row_count) work += start_released(lane, lane->partitions[i]);
    return work;
}

bool host_dispatch_idle(struct host_lane *lane) {
    struct dispatch *d = &lane->dispatch;
    if (!d->flights) return true;
    if (d->drain_till_ns == 0) d->drain_till_ns = lane->mono_ns + DISPATCH_DRAIN_NS;
    if (lane->mono_ns >= d->drain_till_ns) { /* dispatched again at the next start, under the same key */
        for (uint32_t i = 0; i < DISPATCH_FLIGHTS; i++)
            if (d->flights[i].kind) end_flight(d, &d->flights[i]);
        d->result_size = 0;
    }
    return d->count == 0 && d->result_size == 0;
}

void host_dispatch_release(struct host_partition *partition, uint64_t start) {
    if (partition->starts_released < start) partition->starts_released = start;
}

/* ---- open ---- */
static bool has_effects(const struct host *host, uint32_t kind) {
    for (uint32_t i = 0; i < host->service_count; i++)
        for (const struct weir_effect_row *row = host->services[i].service->effects; row && row->name; row++)
            if (kind == 0 || row->kind == kind) return true;
    return false;
}

enum weir_error host_dispatch_open(struct host_lane *lane) {
    if (!has_effects(lane->host, 0)) return WEIR_OK;
    struct dispatch *d = &lane->dispatch;
    d->flights = ARENA_NEW_ARRAY(&lane->host->arena, struct dispatch_flight, DISPATCH_FLIGHTS);
    d->result = arena_alloc(&lane->host->arena, EFFECT_ANSWER_MAX);
    return d->flights && d->result ? WEIR_OK : weir_error_context(WEIR_E_NO_MEMORY, "no room for effects");
}

enum weir_error host_executors_open(struct host *host) {
    typedef enum weir_error (*open_fn)(struct host * host, struct effect_executor * *ret_executor);
    static const open_fn opens[EXECUTOR_KINDS] = {
        [WEIR_EFFECT_HTTP] = executor_http_open, [WEIR_EFFECT_WORK] = executor_work_open};
    enum weir_error e = WEIR_OK;
    for (uint32_t kind = 1; e == WEIR_OK && kind < EXECUTOR_KINDS; kind++)
        if (!host->executors[kind] && has_effects(host, kind)) e = opens[kind](host, &host->executors[kind]);
    return e;
}

void host_executors_close(struct host *host) {
    for (uint32_t kind = 1; kind < EXECUTOR_KINDS; kind++)
        if (host->executors[kind]) host->executors[kind]->stop(host->executors[kind]);
    memset(host->executors, 0, sizeof host->executors);
}
