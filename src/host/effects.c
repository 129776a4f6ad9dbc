#include "host/effects.h"
#include "base/assert.h"
#include "sys/sys.h"

static uint32_t or_default(uint32_t value, uint32_t initial) {
    return value ? value : initial;
}

/* ---- lists ---- */
void effect_list_init(struct effect_list *list) {
    *list = (struct effect_list){.first = POOL_NONE, .last = POOL_NONE};
}

void effect_list_insert(
    struct effects *effects, struct effect_list *list, struct effect *before, struct effect *effect) {
    uint32_t index = pool_index(&effects->effects, effect);
    effect->previous = before ? pool_index(&effects->effects, before) : POOL_NONE;
    effect->next = before ? before->next : list->first;
    if (before)
        before->next = index;
    else
        list->first = index;
    if (effect->next == POOL_NONE)
        list->last = index;
    else
        effects_at(effects, effect->next)->previous = index;
    list->count++;
}

void effect_list_push(struct effects *effects, struct effect_list *list, struct effect *effect) {
    effect_list_insert(effects, list, list->last == POOL_NONE ? NULL : effects_at(effects, list->last), effect);
}

void effect_list_remove(struct effects *effects, struct effect_list *list, struct effect *effect) {
    WEIR_ASSERT(list->count > 0);
    if (effect->previous == POOL_NONE)
        list->first = effect->next;
    else
        effects_at(effects, effect->previous)->next = effect->next;
    if (effect->next == POOL_NONE)
        list->last = effect->previous;
    else
        effects_at(effects, effect->next)->previous = effect->previous;
    list->count--;
}

/* ---- open ---- */
static int32_t setting_row(const struct weir_service *s, const char *name) {
    for (int32_t i = 0; name && s->settings && s->settings[i].name; i++)
        if (strcmp(s->settings[i].name, name) == 0) return i;
    return -1;
}

static bool any_limit(const struct weir_gate_limits *l) {
    return l->running_max || l->per_second || l->failed_percent || l->timeout_max_ns || l->timeout_min_ns;
}

static void open_row(struct effects *effects, struct effect_row *r, const struct weir_effect_row *row) {
    const struct weir_service *s = effects->service;
    r->row = row;
    r->outstanding_max = or_default(row->outstanding_max, 1024);
    r->dead_max = or_default(row->dead_max, 256);
    r->keys_max = or_default(row->keys_max, 1024);
    r->has_key_gate = any_limit(&row->key_gate);
    r->running_setting = setting_row(s, row->running_setting);
    r->per_second_setting = setting_row(s, row->per_second_setting);
    r->attempts_setting = setting_row(s, row->attempts_setting);
    effect_list_init(&r->dead);
    for (uint32_t p = 0; p < WEIR_EFFECT_PRIORITIES; p++)
        effect_list_init(&r->ring[p]);
    size_t room = or_default(row->request_bytes_max, 4096);
    if (room > effects->request_room) effects->request_room = room;
}

static size_t aligned(size_t size) {
    return (size + 63) & ~(size_t)63;
}

struct layout {
    size_t effect_size, effects, queues, by_id, keys[EFFECT_ROWS_MAX], by_key[EFFECT_ROWS_MAX], end;
    uint32_t outstanding, all;
};

static struct layout lay_out(const struct effects *effects) {
    struct layout l = {.effect_size = aligned(sizeof(struct effect) + effects->request_room)};
    for (uint32_t i = 0; i < effects->row_count; i++) {
        l.outstanding += effects->rows[i].outstanding_max;
        l.all += effects->rows[i].outstanding_max + effects->rows[i].dead_max;
    }
    l.queues = aligned(l.all * l.effect_size);
    l.by_id = l.queues + aligned(l.outstanding * sizeof(struct effect_queue));
    l.end = l.by_id + aligned(map32_memory_size(l.all));
    for (uint32_t i = 0; i < effects->row_count; i++) {
        l.keys[i] = l.end;
        l.by_key[i] = l.keys[i] + aligned(weir_gates_bytes(effects->rows[i].keys_max));
        l.end = l.by_key[i] + WEIR_EFFECT_PRIORITIES * aligned(map32_memory_size(effects->rows[i].outstanding_max));
    }
    return l;
}

static void open_map(struct map32 *map, uint8_t *memory, uint32_t capacity) {
    struct map_options options = {.capacity = capacity, .seed = 1, .memory = memory, .memory_is_zero = true};
    WEIR_ASSERT(map32_init(map, &options));
}

enum weir_error effects_open(struct effects *effects, const struct weir_service *service, uint32_t partition) {
    memset(effects, 0, sizeof *effects);
    effects->service = service;
    effects->partition = partition;
    effect_list_init(&effects->starting);
    for (const struct weir_effect_row *row = service->effects; row && row->name; row++) {
        if (effects->row_count == EFFECT_ROWS_MAX)
            return weir_error_context(
                WEIR_E_CONFIG, "service %s has more than %u rows of effects", service->name, EFFECT_ROWS_MAX);
        open_row(effects, &effects->rows[effects->row_count++], row);
    }
    if (effects->row_count == 0) return WEIR_OK;
    while (service->topics[effects->dead_topic].name && service->topics[effects->dead_topic].types != weir_dead_types)
        effects->dead_topic++;
    if (!service->topics[effects->dead_topic].name)
        return weir_error_context(WEIR_E_CONFIG,
            "service %s has effects and no topic %s.dead: add WEIR_DEAD_TOPIC(\"%s\")", service->name, service->name,
            service->name);
    struct layout l = lay_out(effects);
    enum weir_error e = sys_memory_map(l.end, &effects->memory);
    if (e != WEIR_OK) {
        effects->memory = NULL;
        return weir_error_wrap(e, "service %s needs %zu bytes for its effects", service->name, l.end);
    }
    effects->memory_size = l.end;
    uint8_t *memory = effects->memory;
    pool_init(&effects->effects, memory, (uint32_t)l.effect_size, l.all);
    pool_init(&effects->queues, memory + l.queues, sizeof(struct effect_queue), l.outstanding);
    open_map(&effects->by_id, memory + l.by_id, l.all);
    for (uint32_t i = 0; i < effects->row_count; i++) {
        struct effect_row *r = &effects->rows[i];
        r->keys = weir_gates_init(memory + l.keys[i], r->keys_max);
        for (uint32_t p = 0; p < WEIR_EFFECT_PRIORITIES; p++)
            open_map(&r->by_key[p], memory + l.by_key[i] + p * aligned(map32_memory_size(r->outstanding_max)),
                r->outstanding_max);
    }
    return WEIR_OK;
}

void effects_done(struct effects *effects) {
    if (effects->memory) sys_memory_unmap(effects->memory, effects->memory_size);
    timers_done(&effects->timers);
    memset(effects, 0, sizeof *effects);
}

/* ---- life of one ---- */
struct effect *effects_find(const struct effects *effects, uint64_t id) {
    uint32_t index;
    return effects->memory && map32_find(&effects->by_id, id, &index) ? effects_at(effects, index) : NULL;
}

uint32_t effects_outstanding(const struct effect_row *row) {
    return row->waiting + row->resting + row->gate.running;
}

void effects_forget(struct effects *effects, struct effect *effect) {
    WEIR_ASSERT(map32_erase(&effects->by_id, effect->id));
    pool_give(&effects->effects, pool_index(&effects->effects, effect));
}

static void rest(struct effects *effects, struct effect *effect, uint64_t until_ns) {
    effect->state = EFFECT_RESTING;
    effect->at_ns = until_ns;
    effects->rows[effect->row].resting++;
    timers_set(&effects->timers, effect->id, until_ns);
}

struct effect *effects_add(struct effects *effects, uint32_t row, const struct weir_effect_options *options,
    uint64_t id, uint64_t now_ns, size_t size) {
    struct effect_row *r = &effects->rows[row];
    WEIR_ASSERT(row < effects->row_count && size <= or_default(r->row->request_bytes_max, 4096));
    if (effects_outstanding(r) >= r->outstanding_max) return NULL;
    uint32_t index = pool_take(&effects->effects);
    WEIR_ASSERT(index != POOL_NONE); /* there is one for each of all rows' outstanding and dead */
    struct effect *e = effects_at(effects, index);
    memset(e, 0, sizeof *e);
    e->id = id;
    e->row = (uint8_t)row;
    e->request_size = (uint32_t)size;
    e->created_ns = e->at_ns = now_ns;
    e->key = options->key;
    e->tag = options->tag;
    e->timeout_ns = options->timeout_ns;
    e->attempts_max = options->attempts_max;
    WEIR_ASSERT(options->priority < WEIR_EFFECT_PRIORITIES);
    e->priority = (uint8_t)options->priority;
    bool own = options->backoff.kind || options->backoff.first_ns || options->backoff.most_ns;
    e->backoff = own ? options->backoff : r->row->backoff;
    WEIR_ASSERT(map32_put(&effects->by_id, id, index) == MAP_PUT_NEW);
    if (options->not_before_ns > now_ns)
        rest(effects, e, options->not_before_ns);
    else
        effects_enqueue(effects, e);
    return e;
}

static bool passes(const struct effect_answer *a) { /* worth another attempt */
    switch (a->class_) {
    case WEIR_EFFECT_STATUS:
        return a->status == 408 || a->status == 425 || a->status == 429 || a->status >= 500;
    case WEIR_EFFECT_OK:
    case WEIR_EFFECT_REJECTED:
    case WEIR_EFFECT_DROPPED:
        return false;
    default:
        return true;
    }
}

/* What a result says of whoever is behind the gate: a refused request or "too many" is no fault of it. */
static enum weir_gate_outcome outcome_of(const struct effect_answer *a) {
    if (a->class_ == WEIR_EFFECT_OK) return WEIR_GATE_SUCCEEDED;
    if (a->class_ == WEIR_EFFECT_TIMEOUT) return WEIR_GATE_TIMED_OUT;
    bool fault = a->class_ == WEIR_EFFECT_STATUS ? a->status >= 500 : passes(a);
    return fault ? WEIR_GATE_FAILED : WEIR_GATE_DROPPED;
}

/* Out of its gates; who waits for its key may go on. */
static void leave_gates(struct effects *effects, struct effect *e, const struct effect_answer *a, uint64_t hold_ns,
    const struct weir_setting_value *values, uint64_t now_ns) {
    struct effect_row *r = &effects->rows[e->row];
    struct weir_gate_limits limits;
    effects_limits(r, values, &limits);
    enum weir_gate_outcome outcome = outcome_of(a);
    weir_gate_end(&r->gate, &limits, now_ns, e->row_ticket, outcome, a->duration_ns);
    struct weir_gate *key = e->passed_key ? weir_gates_find(r->keys, e->key) : NULL;
    if (key) {
        weir_gate_end(key, &r->row->key_gate, now_ns, e->key_ticket, outcome, a->duration_ns);
        if (hold_ns) weir_gate_hold(key, hold_ns);
        effects_free_key(effects, r, e->key);
    }
    if (e->listed) effects_take_start(effects, e);
}

static void remember(struct effect *e, const struct effect_answer *a) {
    if (e->attempt_count == WEIR_EFFECT_ATTEMPTS_MAX) {
        memmove(&e->attempts[0], &e->attempts[1], sizeof e->attempts - sizeof e->attempts[0]);
        e->attempt_count--;
    }
    e->attempts[e->attempt_count++] = (struct weir_attempt){.begun_ns = e->at_ns,
        .duration_ns = a->duration_ns,
        .attempt = e->attempt,
        .status = a->status,
        .class_ = (uint8_t)a->class_};
    e->class_ = (uint8_t)a->class_;
    e->status = a->status;
    e->text_size = (uint8_t)(a->text.size < EFFECT_TEXT_MAX ? a->text.size : EFFECT_TEXT_MAX);
    if (e->text_size) memcpy(e->text, a->text.data, e->text_size);
}

static void die(struct effects *effects, struct effect *e, uint64_t now_ns) {
    struct effect_row *r = &effects->rows[e->row];
    if (r->dead.count == r->dead_max) { /* it is in the topic for good */
        struct effect *oldest = effects_at(effects, r->dead.first);
        effect_list_remove(effects, &r->dead, oldest);
        effects_forget(effects, oldest);
    }
    e->state = EFFECT_DEAD;
    e->at_ns = now_ns;
    r->dead_total++;
    effect_list_push(effects, &r->dead, e);
}

static uint32_t attempts_of(
    const struct effect_row *r, const struct effect *e, const struct weir_setting_value *values) {
    uint64_t most = or_default(r->row->attempts_max, 5);
    if (r->attempts_setting >= 0) most = values[r->attempts_setting].number;
    if (e->attempts_max && e->attempts_max < most) most = e->attempts_max;
    return most < 1 ? 1 : most < WEIR_EFFECT_ATTEMPTS_MAX ? (uint32_t)most : WEIR_EFFECT_ATTEMPTS_MAX;
}

static uint64_t wait_of(const struct effects *effects, const struct effect *e, const struct effect_answer *a) {
    uint64_t seed = weir_backoff_seed(effects->partition, effect_offset(e->id), effect_index(e->id));
    return weir_backoff_after(&e->backoff, e->attempt - e->round_from, seed, a->retry_after_ns);
}

enum effect_ended effects_end(struct effects *effects, struct effect *effect, uint32_t attempt,
    const struct effect_answer *answer, const struct weir_setting_value *values, uint64_t now_ns) {
    if (!effect || effect->state != EFFECT_RUNNING || effect->attempt != attempt) return EFFECT_STALE;
    struct effect_row *r = &effects->rows[effect->row];
    uint64_t again_ns = now_ns + wait_of(effects, effect, answer);
    leave_gates(effects, effect, answer, answer->retry_after_ns ? again_ns : 0, values, now_ns);
    remember(effect, answer);
    r->attempts++;
    if (answer->class_ == WEIR_EFFECT_OK) return EFFECT_DONE;
    r->failures++;
    if (!passes(answer) || effect->attempt - effect->round_from >= attempts_of(r, effect, values)) {
        die(effects, effect, now_ns);
        return EFFECT_GAVE_UP;
    }
    rest(effects, effect, again_ns);
    return EFFECT_GOES_ON;
}

/* ---- orders ---- */
bool effects_requeue(struct effects *effects, struct effect *effect, uint64_t now_ns) {
    struct effect_row *r = &effects->rows[effect->row];
    WEIR_ASSERT(effect->state == EFFECT_DEAD);
    if (effects_outstanding(r) >= r->outstanding_max) return false;
    effect_list_remove(effects, &r->dead, effect);
    effect->round_from = effect->attempt;
    effect->at_ns = now_ns;
    effects_enqueue(effects, effect);
    return true;
}

void effects_drop(
    struct effects *effects, struct effect *effect, const struct weir_setting_value *values, uint64_t now_ns) {
    struct effect_row *r = &effects->rows[effect->row];
    if (effect->state == EFFECT_DEAD) {
        effect_list_remove(effects, &r->dead, effect);
    } else if (effect->state == EFFECT_WAITING) {
        effects_dequeue(effects, effect);
    } else if (effect->state == EFFECT_RESTING) {
        r->resting--;
        timers_cancel(&effects->timers, effect->id);
    } else {
        const struct effect_answer dropped = {.class_ = WEIR_EFFECT_DROPPED};
        leave_gates(effects, effect, &dropped, 0, values, now_ns);
    }
}
