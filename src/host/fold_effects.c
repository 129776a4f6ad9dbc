#include "host/fold_effects.h"
#include "base/assert.h"
#include "host/out.h"

static uint32_t or_default(uint32_t value, uint32_t initial) {
    return value ? value : initial;
}

size_t fold_effects_output_bytes(const struct weir_service *service) {
    size_t most = 0;
    for (const struct weir_effect_row *row = service->effects; row && row->name; row++) {
        size_t size = EFFECT_DEAD_HEAD + UINT8_MAX + EFFECT_TEXT_MAX + WEIR_EFFECT_ATTEMPTS_MAX * EFFECT_ATTEMPT_SIZE +
                      or_default(row->request_bytes_max, 4096) + or_default(row->result_bytes_max, 4096);
        if (size > most) most = size;
    }
    return most;
}

/* ---- results ---- */
static void put_dead_letter(
    struct fold *fold, struct effect *e, const struct effect_answer *answer, struct weir_out *out) {
    struct weir_dead_letter letter = {.row = weir_slice_text(fold->effects.rows[e->row].row->name),
        .text = weir_slice(e->text, e->text_size),
        .request = weir_slice(effect_request(e), e->request_size),
        .body = answer->body,
        .class_ = answer->class_,
        .attempt_count = e->attempt_count,
        .index = effect_index(e->id),
        .offset = effect_offset(e->id),
        .key = e->key,
        .tag = e->tag,
        .created_ns = e->created_ns,
        .died_ns = fold->time_ns};
    uint32_t topic = fold->effects.dead_topic;
    uint8_t *room = weir_output(out, topic, weir_dead_types[0].type, e->key, effect_dead_size(&letter), NULL);
    effect_dead_store(&letter, e->attempts, room);
}

/* The record as apply sees it: the key is a struct weir_result without its slices, the value the answer. */
static void show(struct weir_out *out, const struct effect *e, const struct effect_answer *answer, bool final,
    struct weir_slice value, struct weir_record *ret_record) {
    struct weir_result *result = out_scratch(out, sizeof *result);
    *result = (struct weir_result){.offset = effect_offset(e->id),
        .index = effect_index(e->id),
        .row = e->row,
        .key = e->key,
        .tag = e->tag,
        .attempt = e->attempt,
        .final = final,
        .class_ = answer->class_,
        .status = answer->status,
        .duration_ns = answer->duration_ns,
        .retry_after_ns = answer->retry_after_ns,
        .next_ns = final ? 0 : e->at_ns};
    ret_record->kind = WEIR_RECORD_RESULT;
    ret_record->type = e->row;
    ret_record->key = weir_slice(result, sizeof *result);
    ret_record->value = value;
}

bool weir_result(const struct weir_record *record, struct weir_result *ret_result) {
    struct effect_answer answer;
    if (record->kind != WEIR_RECORD_RESULT || record->key.size != sizeof *ret_result) return false;
    if (!effect_answer_load(record->value, &answer)) return false;
    memcpy(ret_result, record->key.data, sizeof *ret_result);
    ret_result->text = answer.text;
    ret_result->headers = answer.headers;
    ret_result->body = answer.body;
    return true;
}

bool fold_take_result(struct fold *fold, const struct envelope *envelope, struct weir_slice value, struct weir_out *out,
    struct weir_record *ret_record) {
    struct effect_answer answer;
    struct effect *e = effects_find(&fold->effects, envelope->effect);
    if (!e || !effect_answer_load(value, &answer)) return false;
    enum effect_ended ended =
        effects_end(&fold->effects, e, envelope->attempt, &answer, fold->in_force.values, fold->time_ns);
    if (ended == EFFECT_STALE) return false;
    if (ended == EFFECT_GAVE_UP) put_dead_letter(fold, e, &answer, out);
    show(out, e, &answer, ended != EFFECT_GOES_ON, value, ret_record);
    if (ended == EFFECT_DONE) effects_forget(&fold->effects, e); /* apply may ask for another one in its place */
    return true;
}

/* ---- orders ---- */
static bool drop(struct fold *fold, struct effect *e, struct weir_out *out, struct weir_record *ret_record) {
    bool was_dead = e->state == EFFECT_DEAD; /* apply has seen its final result */
    const struct effect_answer answer = {
        .class_ = WEIR_EFFECT_DROPPED, .text = weir_slice_text("an operator dropped it")};
    effects_drop(&fold->effects, e, fold->in_force.values, fold->time_ns);
    if (!was_dead) {
        uint8_t *value = out_scratch(out, EFFECT_ANSWER_HEAD + EFFECT_TEXT_MAX);
        size_t size = effect_answer_store(&answer, 0, value);
        show(out, e, &answer, true, weir_slice(value, size), ret_record);
    }
    effects_forget(&fold->effects, e);
    return !was_dead;
}

/* All of a row's dead: to be tried again, as far as there is room, or to be forgotten. */
static void order_all_dead(struct fold *fold, struct effect_row *r, enum effect_order order) {
    uint32_t count = r->dead.count;
    for (uint32_t i = 0; i < count; i++) {
        struct effect *e = effects_at(&fold->effects, r->dead.first);
        if (order == EFFECT_ORDER_REQUEUE && !effects_requeue(&fold->effects, e, fold->time_ns)) return;
        if (order != EFFECT_ORDER_DROP) continue;
        effects_drop(&fold->effects, e, fold->in_force.values, fold->time_ns);
        effects_forget(&fold->effects, e);
    }
}

bool fold_take_order(
    struct fold *fold, const struct envelope *envelope, struct weir_out *out, struct weir_record *ret_record) {
    enum effect_order order = (enum effect_order)envelope->order;
    if (envelope->row >= fold->effects.row_count) return false;
    struct effect_row *r = &fold->effects.rows[envelope->row];
    if (order == EFFECT_ORDER_PAUSE || order == EFFECT_ORDER_RESUME) {
        r->paused = order == EFFECT_ORDER_PAUSE;
        return false;
    }
    if (envelope->effect == EFFECT_ALL) {
        order_all_dead(fold, r, order);
        return false;
    }
    struct effect *e = effects_find(&fold->effects, envelope->effect);
    if (!e) return false;
    if (order == EFFECT_ORDER_REQUEUE && e->state == EFFECT_DEAD) effects_requeue(&fold->effects, e, fold->time_ns);
    return order == EFFECT_ORDER_DROP && drop(fold, e, out, ret_record);
}

void fold_turn_effects(struct fold *fold) {
    effects_turn(&fold->effects, fold->in_force.values, fold->time_ns, &fold->emission);
}

uint64_t fold_effects_next_ns(const struct fold *fold) {
    if (fold->effects.effects.count == 0) return UINT64_MAX;
    return effects_next_ns(&fold->effects, fold->in_force.values, fold->time_ns);
}

/* ---- what apply asks for ---- */
void *weir_effect(struct weir_out *out, uint32_t row, const struct weir_effect_options *options, size_t size) {
    static const struct weir_effect_options none = {0};
    struct fold *fold = out->fold;
    WEIR_ASSERT(row < fold->effects.row_count && out->effect_index < fold->service->effects_max);
    if (!options) options = &none;
    uint32_t index = out->effect_index++;
    uint64_t id = out->offset << EFFECT_INDEX_BITS | index;
    struct effect *e = effects_add(&fold->effects, row, options, id, out->time_ns, size);
    if (!e) return NULL;
    out_await(out, effect_request(e), size, (uint64_t)1 << 62 | row, options->key, id);
    return effect_request(e);
}

uint32_t weir_effect_room(const struct weir_out *out, uint32_t row) {
    const struct effects *effects = &out->fold->effects;
    WEIR_ASSERT(row < effects->row_count);
    return effects->rows[row].outstanding_max - effects_outstanding(&effects->rows[row]);
}
