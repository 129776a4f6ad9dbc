/* Effects in a snapshot, little-endian:
 *   u64 starts | u32 rows, each: u8 size, name | u8 paused | u64 attempts, failures, dead in all | gate (gate.h) |
 *       u32 keys_max | u64 size, gates by key (gate.h) | u32 dead, effects |
 *       u32 queues, each: u8 priority, state | u64 key, again_ns | u32 waiting, effects; those of a ring in its order
 *   u32 others (RUNNING and RESTING), effects
 * An effect: u64 id, key, tag, created_ns, at_ns, timeout_ns, limit_ns, start, backoff kind, first_ns, most_ns |
 *   u32 attempt, attempts_max, round_from, row_ticket, key_ticket, request size, attempts | u16 status |
 *   u8 row, state, priority, class, text size, passed_key | text | attempts as in a dead letter | request
 * Rows go by their names: a later version of the service may have others, but not drop one that has effects. */
#include "base/assert.h"
#include "host/effects.h"

#define EFFECT_FIXED (11 * 8 + 7 * 4 + 2 + 6)

static enum weir_error put_u32(struct weir_sink *sink, uint32_t x) {
    uint8_t b[4];
    store_le32(b, x);
    return weir_sink_put(sink, b, sizeof b);
}

static enum weir_error put_u64(struct weir_sink *sink, uint64_t x) {
    uint8_t b[8];
    store_le64(b, x);
    return weir_sink_put(sink, b, sizeof b);
}

/* ---- one effect ---- */
static enum weir_error put_effect(struct weir_sink *sink, struct effect *e) {
    uint8_t bytes[EFFECT_FIXED + EFFECT_TEXT_MAX + WEIR_EFFECT_ATTEMPTS_MAX * EFFECT_ATTEMPT_SIZE];
    struct byte_writer w = byte_writer(bytes, sizeof bytes);
    const uint64_t longs[] = {e->id, e->key, e->tag, e->created_ns, e->at_ns, e->timeout_ns, e->limit_ns, e->start,
        e->backoff.kind, e->backoff.first_ns, e->backoff.most_ns};
    const uint32_t words[] = {
        e->attempt, e->attempts_max, e->round_from, e->row_ticket, e->key_ticket, e->request_size, e->attempt_count};
    const uint8_t small[] = {e->row, e->state, e->priority, e->class_, e->text_size, e->passed_key};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(longs); i++)
        byte_put_le64(&w, longs[i]);
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(words); i++)
        byte_put_le32(&w, words[i]);
    byte_put_le16(&w, e->status);
    byte_put(&w, small, sizeof small);
    byte_put(&w, e->text, e->text_size);
    for (uint32_t i = 0; i < e->attempt_count; i++) {
        const struct weir_attempt *a = &e->attempts[i];
        byte_put_le64(&w, a->begun_ns);
        byte_put_le64(&w, a->duration_ns);
        byte_put_le32(&w, a->attempt);
        byte_put_le16(&w, a->status);
        byte_put_le16(&w, a->class_);
    }
    WEIR_ASSERT(!w.failed);
    enum weir_error error = weir_sink_put(sink, bytes, w.at);
    return error == WEIR_OK ? weir_sink_put(sink, effect_request(e), e->request_size) : error;
}

static void get_attempts(struct byte_reader *r, struct effect *e) {
    for (uint32_t i = 0; i < e->attempt_count; i++) {
        struct weir_attempt *a = &e->attempts[i];
        a->begun_ns = byte_get_le64(r);
        a->duration_ns = byte_get_le64(r);
        a->attempt = byte_get_le32(r);
        a->status = byte_get_le16(r);
        a->class_ = (uint8_t)byte_get_le16(r);
    }
}

/* Its own fields; row and state are checked, and in no list yet. NULL: the bytes are no effect of such a table. */
static struct effect *get_effect(struct effects *effects, struct byte_reader *r, const uint8_t *rows) {
    uint32_t index = r->failed ? POOL_NONE : pool_take(&effects->effects);
    if (index == POOL_NONE) return NULL;
    struct effect *e = effects_at(effects, index);
    memset(e, 0, sizeof *e);
    uint64_t *const longs[] = {&e->id, &e->key, &e->tag, &e->created_ns, &e->at_ns, &e->timeout_ns, &e->limit_ns,
        &e->start, &e->backoff.kind, &e->backoff.first_ns, &e->backoff.most_ns};
    uint32_t *const words[] = {&e->attempt, &e->attempts_max, &e->round_from, &e->row_ticket, &e->key_ticket,
        &e->request_size, &e->attempt_count};
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(longs); i++)
        *longs[i] = byte_get_le64(r);
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(words); i++)
        *words[i] = byte_get_le32(r);
    e->status = byte_get_le16(r);
    uint8_t row = byte_get_u8(r);
    e->state = byte_get_u8(r);
    e->priority = byte_get_u8(r);
    e->class_ = byte_get_u8(r);
    e->text_size = byte_get_u8(r);
    e->passed_key = byte_get_u8(r) != 0;
    bool fits = !r->failed && row < EFFECT_ROWS_MAX && rows[row] < effects->row_count && e->state <= EFFECT_DEAD &&
                e->priority < WEIR_EFFECT_PRIORITIES && e->class_ < WEIR_EFFECT_CLASSES &&
                e->text_size <= EFFECT_TEXT_MAX && e->attempt_count <= WEIR_EFFECT_ATTEMPTS_MAX &&
                e->request_size <= effects->request_room && e->round_from <= e->attempt;
    if (!fits) return NULL;
    e->row = rows[row];
    struct weir_slice text = byte_get_slice(r, e->text_size);
    if (text.size) memcpy(e->text, text.data, text.size);
    get_attempts(r, e);
    struct weir_slice request = byte_get_slice(r, e->request_size);
    if (request.size) memcpy(effect_request(e), request.data, request.size);
    return !r->failed && map32_put(&effects->by_id, e->id, index) == MAP_PUT_NEW ? e : NULL;
}

/* ---- save ---- */
static enum weir_error put_list(const struct effects *effects, const struct effect_list *list, struct weir_sink *sink) {
    enum weir_error e = put_u32(sink, list->count);
    for (uint32_t i = list->first; e == WEIR_OK && i != POOL_NONE; i = effects_at(effects, i)->next)
        e = put_effect(sink, effects_at(effects, i));
    return e;
}

static enum weir_error put_queue(const struct effects *effects, const struct effect_queue *q, struct weir_sink *sink) {
    uint8_t head[18] = {q->priority, q->state};
    store_le64(head + 2, q->key);
    store_le64(head + 10, q->again_ns);
    enum weir_error e = weir_sink_put(sink, head, sizeof head);
    return e == WEIR_OK ? put_list(effects, &q->waiting, sink) : e;
}

/* Those in the rings first, in their order; then the others, in the map's order, which is a function of the keys. */
static enum weir_error put_queues(const struct effects *effects, const struct effect_row *r, struct weir_sink *sink) {
    uint32_t count = 0, index;
    for (uint32_t p = 0; p < WEIR_EFFECT_PRIORITIES; p++)
        count += (uint32_t)r->by_key[p].count;
    enum weir_error e = put_u32(sink, count);
    for (uint32_t p = 0; p < WEIR_EFFECT_PRIORITIES; p++) {
        const struct effect_queue *q;
        for (uint32_t i = r->ring[p].first; e == WEIR_OK && i != POOL_NONE; i = q->next) {
            q = pool_at(&effects->queues, i);
            e = put_queue(effects, q, sink);
        }
        size_t at = 0;
        uint64_t key;
        while (e == WEIR_OK && map32_each(&r->by_key[p], &at, &key, &index)) {
            q = pool_at(&effects->queues, index);
            if (q->state != EFFECT_QUEUE_RING) e = put_queue(effects, q, sink);
        }
    }
    return e;
}

static enum weir_error put_row(const struct effects *effects, const struct effect_row *r, struct weir_sink *sink) {
    uint8_t head[1 + 64 + 1 + 24];
    struct byte_writer w = byte_writer(head, sizeof head);
    struct weir_slice name = weir_slice_text(r->row->name);
    byte_put_u8(&w, (uint8_t)name.size);
    byte_put_slice(&w, name);
    byte_put_u8(&w, r->paused);
    byte_put_le64(&w, r->attempts);
    byte_put_le64(&w, r->failures);
    byte_put_le64(&w, r->dead_total);
    WEIR_ASSERT(!w.failed);
    enum weir_error e = weir_sink_put(sink, head, w.at);
    if (e == WEIR_OK) e = weir_sink_put(sink, &r->gate, sizeof r->gate);
    if (e == WEIR_OK) e = put_u32(sink, r->keys_max);
    if (e == WEIR_OK) e = put_u64(sink, weir_gates_bytes(r->keys_max));
    if (e == WEIR_OK) e = weir_sink_put(sink, r->keys, weir_gates_bytes(r->keys_max));
    if (e == WEIR_OK) e = put_list(effects, &r->dead, sink);
    return e == WEIR_OK ? put_queues(effects, r, sink) : e;
}

static bool is_other(const struct effect *e) {
    return e->state == EFFECT_RUNNING || e->state == EFFECT_RESTING;
}

enum weir_error effects_save(const struct effects *effects, struct weir_sink *sink) {
    enum weir_error e = put_u64(sink, effects->starts);
    if (e == WEIR_OK) e = put_u32(sink, effects->row_count);
    for (uint32_t i = 0; e == WEIR_OK && i < effects->row_count; i++)
        e = put_row(effects, &effects->rows[i], sink);
    uint32_t others = 0, index;
    uint64_t id;
    for (size_t at = 0; map32_each(&effects->by_id, &at, &id, &index);)
        others += is_other(effects_at(effects, index));
    if (e == WEIR_OK) e = put_u32(sink, others);
    for (size_t at = 0; e == WEIR_OK && map32_each(&effects->by_id, &at, &id, &index);)
        if (is_other(effects_at(effects, index))) e = put_effect(sink, effects_at(effects, index));
    return e;
}

/* ---- load ---- */
static bool get_keys(struct effect_row *r, struct byte_reader *reader) {
    uint32_t keys_max = byte_get_le32(reader);
    struct weir_slice bytes = byte_get_slice(reader, (size_t)byte_get_le64(reader));
    if (reader->failed) return false;
    /* Another capacity, of another version of the service: the gates begin anew. */
    if (keys_max != r->keys_max || bytes.size != weir_gates_bytes(keys_max)) return true;
    memcpy(r->keys, bytes.data, bytes.size);
    if (!weir_gates_valid(r->keys, keys_max)) return false;
    uint32_t place = 0;
    uint64_t key;
    struct weir_gate *gate;
    while (weir_gates_each(r->keys, &place, &key, &gate)) {
        gate->running = 0; /* counted again, by those that run */
        if (gate->slot >= WEIR_GATE_SLOTS || gate->state > WEIR_GATE_HALF_OPEN) return false;
    }
    return true;
}

static bool get_dead(struct effects *effects, struct effect_row *r, struct byte_reader *reader, const uint8_t *rows) {
    uint32_t count = byte_get_le32(reader);
    for (uint32_t i = 0; i < count; i++) {
        struct effect *e = get_effect(effects, reader, rows);
        if (!e || e->state != EFFECT_DEAD || &effects->rows[e->row] != r || r->dead.count == r->dead_max) return false;
        effect_list_push(effects, &r->dead, e);
    }
    return true;
}

static bool get_queue(struct effects *effects, struct effect_row *r, struct byte_reader *reader, const uint8_t *rows) {
    uint8_t priority = byte_get_u8(reader), state = byte_get_u8(reader);
    uint64_t key = byte_get_le64(reader), again_ns = byte_get_le64(reader);
    uint32_t count = byte_get_le32(reader);
    uint32_t there;
    if (reader->failed || count == 0 || state > EFFECT_QUEUE_BUSY || priority >= WEIR_EFFECT_PRIORITIES ||
        map32_find(&r->by_key[priority], key, &there))
        return false;
    struct effect *e = NULL;
    for (uint32_t i = 0; i < count; i++) {
        e = get_effect(effects, reader, rows);
        if (!e || e->state != EFFECT_WAITING || &effects->rows[e->row] != r || e->key != key ||
            e->priority != priority || r->waiting == r->outstanding_max)
            return false;
        effects_enqueue(effects, e);
    }
    effects_place_queue(effects, e->queue, (enum effect_queue_state)state, again_ns);
    return true;
}

static bool get_row(struct effects *effects, struct byte_reader *reader, uint8_t *rows, uint32_t i) {
    struct weir_slice name = byte_get_slice(reader, byte_get_u8(reader));
    for (rows[i] = 0; rows[i] < effects->row_count; rows[i]++)
        if (weir_slice_equal(name, weir_slice_text(effects->rows[rows[i]].row->name))) break;
    if (reader->failed || rows[i] == effects->row_count) return false;
    for (uint32_t other = 0; other < i; other++)
        if (rows[other] == rows[i]) return false;
    struct effect_row *r = &effects->rows[rows[i]];
    r->paused = byte_get_u8(reader) != 0;
    r->attempts = byte_get_le64(reader);
    r->failures = byte_get_le64(reader);
    r->dead_total = byte_get_le64(reader);
    struct weir_slice gate = byte_get_slice(reader, sizeof r->gate);
    if (reader->failed) return false;
    memcpy(&r->gate, gate.data, sizeof r->gate);
    r->gate.running = 0;
    if (r->gate.slot >= WEIR_GATE_SLOTS || r->gate.state > WEIR_GATE_HALF_OPEN) return false;
    if (!get_keys(r, reader) || !get_dead(effects, r, reader, rows)) return false;
    uint32_t queues = byte_get_le32(reader);
    for (uint32_t q = 0; q < queues; q++)
        if (!get_queue(effects, r, reader, rows)) return false;
    return !reader->failed;
}

/* Into `starting`, which is in the order of starts. */
static void list_start(struct effects *effects, struct effect *e) {
    struct effect_list *list = &effects->starting;
    struct effect *before = list->last == POOL_NONE ? NULL : effects_at(effects, list->last);
    while (before && before->start > e->start)
        before = before->previous == POOL_NONE ? NULL : effects_at(effects, before->previous);
    e->listed = true;
    effect_list_insert(effects, list, before, e);
}

static bool get_others(struct effects *effects, struct byte_reader *reader, const uint8_t *rows) {
    uint32_t count = byte_get_le32(reader);
    for (uint32_t i = 0; i < count; i++) {
        struct effect *e = get_effect(effects, reader, rows);
        if (!e || !is_other(e)) return false;
        struct effect_row *r = &effects->rows[e->row];
        if (e->state == EFFECT_RUNNING) {
            struct weir_gate *key = e->passed_key ? weir_gates_find(r->keys, e->key) : NULL;
            e->passed_key = key != NULL;
            if (key) key->running++;
            r->gate.running++;
            list_start(effects, e);
        } else {
            r->resting++;
            timers_set(&effects->timers, e->id, e->at_ns);
        }
    }
    for (uint32_t i = 0; i < effects->row_count; i++)
        if (effects_outstanding(&effects->rows[i]) > effects->rows[i].outstanding_max) return false;
    return true;
}

enum weir_error effects_load(struct effects *effects, struct byte_reader *reader) {
    uint8_t rows[EFFECT_ROWS_MAX];
    memset(rows, 0xff, sizeof rows);
    effects->starts = byte_get_le64(reader);
    uint32_t row_count = byte_get_le32(reader);
    bool ok = !reader->failed && row_count <= EFFECT_ROWS_MAX;
    for (uint32_t i = 0; ok && i < row_count; i++)
        ok = get_row(effects, reader, rows, i);
    ok = ok && get_others(effects, reader, rows);
    return ok ? WEIR_OK
              : weir_error_context(WEIR_E_CORRUPT,
                    "its outstanding effects do not fit the service's rows (a row that has some may not go, nor take "
                    "fewer than there are)");
}
