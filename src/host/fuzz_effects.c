/* The table of outstanding effects. Any bytes as its part of a snapshot: refused, or loaded, and what goes on from
 * there is saved and loaded again as it is. Any steps, in lock step with a table that is saved and loaded on the way.
 * Input: u8 way; then the bytes, or steps of {u8 what, u8 which, u8 time}.
 * Covers: effects.c effects_save.c effects_turn.c. */
#include "base/assert.h"
#include "host/effects.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define S 1000000000ull

static const struct weir_effect_row rows[] = {
    {.name = "call",
        .kind = WEIR_EFFECT_HTTP,
        .attempts_max = 3,
        .outstanding_max = 12,
        .dead_max = 3,
        .request_bytes_max = 64,
        .keys_max = 4,
        .gate = {.running_max = 4},
        .key_gate = {.running_max = 2, .failed_percent = 50, .calls_min = 2, .open_ns = 3 * S},
        .backoff = {.first_ns = S, .most_ns = 8 * S},
        .running_setting = "running",
        .attempts_setting = "attempts"},
    {.name = "slow",
        .kind = WEIR_EFFECT_WORK,
        .outstanding_max = 4,
        .dead_max = 1,
        .request_bytes_max = 8,
        .keys_max = 1,
        .gate = {.per_second = 2, .burst = 2}},
    {0},
};
static const struct weir_setting settings[] = {{"running", WEIR_SETTING_UINT, "4", 1, 9, "", .folded = true},
    {"attempts", WEIR_SETTING_UINT, "3", 1, 9, "", .folded = true}, {0}};
static const struct weir_setting_value values[] = {{.number = 4}, {.number = 3}};
static const struct weir_topic topics[] = {{"t.in", WEIR_TOPIC_INPUT, NULL, ""}, WEIR_DEAD_TOPIC("t"), {0}};
static const struct weir_service service = {
    .name = "t", .topics = topics, .settings = settings, .effects = rows, .effects_max = 4};

struct table {
    struct effects effects;
    struct digest digest;
};

static void open_table(struct table *t) {
    *t = (struct table){0};
    enum weir_error e = effects_open(&t->effects, &service, 1);
    WEIR_ASSERT(e == WEIR_OK);
}

static bool load(struct table *t, struct weir_slice bytes) {
    struct byte_reader r = byte_reader(bytes);
    open_table(t);
    if (effects_load(&t->effects, &r) == WEIR_OK) return true;
    effects_done(&t->effects);
    return false;
}

static struct weir_sink saved(const struct table *t) {
    struct weir_sink sink = {0};
    enum weir_error e = effects_save(&t->effects, &sink);
    WEIR_ASSERT(e == WEIR_OK);
    return sink;
}

/* The n-th effect in that state, in the order of the map. */
static struct effect *pick(const struct table *t, uint8_t state, uint8_t n) {
    uint64_t id;
    uint32_t index;
    struct effect *found = NULL;
    for (size_t at = 0; map32_each(&t->effects.by_id, &at, &id, &index);) {
        struct effect *e = effects_at(&t->effects, index);
        if (e->state == state && (!found || n-- > 0)) found = e;
    }
    return found;
}

static void end_one(struct table *t, uint8_t what, uint8_t which, uint64_t now_ns) {
    struct effect *e = pick(t, EFFECT_RUNNING, which % 4);
    struct effect_answer answer = {.class_ = (enum weir_effect_class)(which % WEIR_EFFECT_CLASSES),
        .status = what & 64 ? 503 : 404,
        .duration_ns = S / 10,
        .retry_after_ns = which & 128 ? S : 0,
        .text = weir_slice_text("text")};
    if (!e) return;
    enum effect_ended ended = effects_end(&t->effects, e, e->attempt + (what & 128 ? 1 : 0), &answer, values, now_ns);
    if (ended == EFFECT_DONE) effects_forget(&t->effects, e);
}

static void take(struct table *t, uint8_t what, uint8_t which, uint64_t number, uint64_t now_ns) {
    struct effects *effects = &t->effects;
    struct effect *e;
    struct weir_effect_options options = {.key = which % 6,
        .priority = which % 3,
        .attempts_max = what & 64 ? 2 : 0,
        .not_before_ns = which & 64 ? now_ns + S : 0,
        .backoff = {.kind = what & 128 ? WEIR_BACKOFF_FIXED : 0, .first_ns = what & 128 ? S : 0}};
    switch (what % 8) {
    case 0:
    case 1:
    case 2:
        e = effects_add(effects, what & 32 ? 1 : 0, &options, number << EFFECT_INDEX_BITS, now_ns, 4);
        if (e) memcpy(effect_request(e), "work", 4);
        break;
    case 5:
        e = pick(t, EFFECT_DEAD, which % 4);
        if (e) effects_requeue(effects, e, now_ns);
        break;
    case 6:
        e = pick(t, which % 4, which / 4 % 4);
        if (e) effects_drop(effects, e, values, now_ns);
        if (e) effects_forget(effects, e);
        break;
    case 7:
        effects->rows[which % 2].paused = (which & 2) != 0;
        break;
    default:
        end_one(t, what, which, now_ns);
    }
    effects_turn(effects, values, now_ns, &t->digest);
}

static void any_bytes(struct weir_slice bytes);

/* What was saved with a byte changed, or cut short. */
static void damage(struct weir_sink *sink, uint8_t where, uint8_t what) {
    size_t at = (size_t)where * sink->size / 256;
    uint8_t was = sink->data[at];
    sink->data[at] ^= what;
    any_bytes(weir_slice(sink->data, what % 4 ? sink->size : at));
    sink->data[at] = was;
}

static void steps(const uint8_t *data, size_t size) {
    struct table a, b;
    uint64_t now_ns = 100 * S;
    open_table(&a);
    open_table(&b);
    for (size_t i = 0; i + 3 <= size && i < 3000; i += 3) {
        now_ns += data[i + 2] * (S / 50);
        take(&a, data[i], data[i + 1], i + 1, now_ns);
        take(&b, data[i], data[i + 1], i + 1, now_ns);
        WEIR_ASSERT(a.digest.state == b.digest.state);
        uint64_t next_ns = effects_next_ns(&a.effects, values, now_ns);
        WEIR_ASSERT(next_ns == effects_next_ns(&b.effects, values, now_ns) && next_ns > now_ns);
        if (data[i + 2] % 8) continue;
        struct weir_sink one = saved(&a), two = saved(&b);
        WEIR_ASSERT(one.size == two.size && memcmp(one.data, two.data, one.size) == 0);
        if (data[i] & 16) damage(&two, data[i + 1], (uint8_t)(data[i + 2] + 3));
        struct digest digest = b.digest;
        effects_done(&b.effects);
        bool loaded = load(&b, weir_slice(one.data, one.size));
        WEIR_ASSERT(loaded);
        b.digest = digest;
        sink_done(&one);
        sink_done(&two);
    }
    effects_done(&a.effects);
    effects_done(&b.effects);
}

static void any_bytes(struct weir_slice bytes) {
    struct table a, b;
    if (!load(&a, bytes)) return;
    for (uint32_t i = 0; i < 8; i++)
        take(&a, (uint8_t)(i * 37), (uint8_t)(i * 11), (uint64_t)1 << 40 | i, 1000 * S + i * S);
    struct weir_sink sink = saved(&a);
    bool loaded = load(&b, weir_slice(sink.data, sink.size));
    WEIR_ASSERT(loaded);
    struct weir_sink again = saved(&b);
    WEIR_ASSERT(again.size == sink.size && memcmp(again.data, sink.data, sink.size) == 0);
    sink_done(&sink);
    sink_done(&again);
    effects_done(&a.effects);
    effects_done(&b.effects);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    if (data[0] % 2)
        steps(data + 1, size - 1);
    else
        any_bytes(weir_slice(data + 1, size - 1));
    return 0;
}
