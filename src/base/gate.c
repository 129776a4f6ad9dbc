#include <weir/gate.h>

#include "base/assert.h"
#include "base/rate.h"

_Static_assert(sizeof(struct weir_gate) == 168, "kept in snapshots as it lies in memory: a change needs a new format");

#define NANOS_PER_MS  1000000ull
#define DURATION_MAX  ((uint64_t)1 << 56) /* two years: sums of a few of them do not overflow */
#define DOUBLINGS_MAX 16u

/* ---- limits, with the defaults that their zeros mean ---- */
static uint64_t or_default(uint64_t value, uint64_t initial) {
    return value ? value : initial;
}
static uint64_t slot_ns(const struct weir_gate_limits *l) {
    uint64_t width = or_default(l->window_ns, 30 * RATE_NANOS_PER_S) / WEIR_GATE_SLOTS;
    return width ? width : 1;
}
static uint32_t probes_of(const struct weir_gate_limits *l) {
    uint64_t probes = or_default(l->probes, 5);
    return probes < UINT16_MAX ? (uint32_t)probes : UINT16_MAX - 1;
}
static uint64_t open_max_of(const struct weir_gate_limits *l) {
    uint64_t most = or_default(l->open_ns_max, 600 * RATE_NANOS_PER_S);
    return most < DURATION_MAX ? most : DURATION_MAX;
}

/* ---- the window ---- */
static void clear_slots(struct weir_gate *g) {
    for (uint32_t i = 0; i < WEIR_GATE_SLOTS; i++)
        g->slots[i] = (struct weir_gate_slot){0, 0};
}

/* Makes the slot of now_ns the newest one; those that fell out of the window are empty again. */
static void roll(struct weir_gate *g, uint64_t width_ns, uint64_t now_ns) {
    if (now_ns < g->window_at_ns) return;
    uint64_t steps = (now_ns - g->window_at_ns) / width_ns;
    if (steps == 0) return;
    g->window_at_ns += steps * width_ns;
    if (steps >= WEIR_GATE_SLOTS) {
        clear_slots(g);
        return;
    }
    for (uint64_t i = 0; i < steps; i++) {
        g->slot = (uint8_t)((g->slot + 1) % WEIR_GATE_SLOTS);
        g->slots[g->slot] = (struct weir_gate_slot){0, 0};
    }
}

static struct weir_gate_slot sum(const struct weir_gate *g) {
    struct weir_gate_slot total = {0, 0};
    for (uint32_t i = 0; i < WEIR_GATE_SLOTS; i++) {
        total.calls += g->slots[i].calls;
        total.failed += g->slots[i].failed;
    }
    return total;
}

struct weir_gate_slot weir_gate_counts(
    const struct weir_gate *gate, const struct weir_gate_limits *limits, uint64_t now_ns) {
    struct weir_gate rolled = *gate;
    roll(&rolled, slot_ns(limits), now_ns);
    return sum(&rolled);
}

/* ---- the breaker ---- */
static void turn(struct weir_gate *g, enum weir_gate_state state) {
    g->state = (uint8_t)state;
    g->round++;
    g->probing = g->probed = 0;
    clear_slots(g);
}

static void open_breaker(struct weir_gate *g, const struct weir_gate_limits *l, uint64_t now_ns) {
    uint64_t most = open_max_of(l), first = or_default(l->open_ns, 30 * RATE_NANOS_PER_S);
    uint64_t wait = g->state == WEIR_GATE_HALF_OPEN ? g->opened_for_ns * 2 : first;
    g->opened_for_ns = wait < most ? wait : most;
    g->open_until_ns = now_ns + g->opened_for_ns;
    turn(g, WEIR_GATE_OPEN);
}

/* An outcome of the breaker's present round. */
static void judge(struct weir_gate *g, const struct weir_gate_limits *l, uint64_t now_ns, bool failed) {
    if (g->state == WEIR_GATE_HALF_OPEN) {
        if (failed)
            open_breaker(g, l, now_ns);
        else if (++g->probed > probes_of(l))
            turn(g, WEIR_GATE_CLOSED);
        return;
    }
    roll(g, slot_ns(l), now_ns);
    g->slots[g->slot].calls++;
    g->slots[g->slot].failed += failed;
    struct weir_gate_slot total = sum(g);
    bool enough = total.calls >= or_default(l->calls_min, 20);
    if (failed && enough && (uint64_t)total.failed * 100 >= (uint64_t)total.calls * l->failed_percent)
        open_breaker(g, l, now_ns);
}

/* Half open: the first probe alone, then as many as are still to succeed. */
static bool probes_left(const struct weir_gate *g, const struct weir_gate_limits *l) {
    uint32_t wanted = g->probed == 0 ? 1 : probes_of(l) + 1 - (g->probed <= probes_of(l) ? g->probed : probes_of(l));
    return g->probing < wanted;
}

enum weir_gate_state weir_gate_state(const struct weir_gate *gate, uint64_t now_ns) {
    if (gate->state == WEIR_GATE_OPEN && now_ns >= gate->open_until_ns) return WEIR_GATE_HALF_OPEN;
    return (enum weir_gate_state)gate->state;
}

/* ---- passing ---- */
enum weir_gate_answer weir_gate_ask(
    const struct weir_gate *gate, const struct weir_gate_limits *limits, uint64_t now_ns, uint64_t *ret_again_ns) {
    *ret_again_ns = WEIR_GATE_NEVER;
    if (limits->failed_percent) {
        if (gate->state == WEIR_GATE_OPEN && now_ns < gate->open_until_ns) {
            *ret_again_ns = gate->open_until_ns;
            return WEIR_GATE_SHUT;
        }
        if (gate->state == WEIR_GATE_HALF_OPEN && !probes_left(gate, limits)) return WEIR_GATE_BUSY;
    }
    if (now_ns < gate->held_till_ns) {
        *ret_again_ns = gate->held_till_ns;
        return WEIR_GATE_HELD;
    }
    if (limits->running_max && gate->running >= limits->running_max) return WEIR_GATE_BUSY;
    struct rate rate = {gate->full_at_ns};
    uint64_t wait_ns = 0;
    if (rate_take(&rate, rate_limit(limits->per_second, limits->burst), now_ns, &wait_ns)) return WEIR_GATE_GO;
    *ret_again_ns = now_ns + wait_ns;
    return WEIR_GATE_RATE;
}

uint32_t weir_gate_begin(struct weir_gate *gate, const struct weir_gate_limits *limits, uint64_t now_ns) {
    uint64_t again_ns;
    WEIR_ASSERT(weir_gate_ask(gate, limits, now_ns, &again_ns) == WEIR_GATE_GO);
    struct rate rate = {gate->full_at_ns};
    WEIR_ASSERT(rate_take(&rate, rate_limit(limits->per_second, limits->burst), now_ns, &again_ns));
    gate->full_at_ns = rate.full_at_ns;
    gate->running++;
    gate->used_ns = now_ns;
    if (!limits->failed_percent && gate->state != WEIR_GATE_CLOSED) turn(gate, WEIR_GATE_CLOSED);
    if (gate->state == WEIR_GATE_OPEN) turn(gate, WEIR_GATE_HALF_OPEN);
    if (gate->state == WEIR_GATE_HALF_OPEN) gate->probing++;
    return gate->round;
}

static void measure(struct weir_gate *g, uint64_t duration_ns) {
    uint64_t d = duration_ns < DURATION_MAX ? duration_ns : DURATION_MAX;
    if (g->samples == 0) {
        g->smoothed_ns = d;
        g->deviation_ns = d / 2;
    } else {
        uint64_t off = d > g->smoothed_ns ? d - g->smoothed_ns : g->smoothed_ns - d;
        g->deviation_ns = (3 * g->deviation_ns + off) / 4;
        g->smoothed_ns = (7 * g->smoothed_ns + d) / 8;
    }
    if (g->samples < WEIR_GATE_SAMPLES_MIN) g->samples++;
    g->doublings = 0;
}

void weir_gate_end(struct weir_gate *gate, const struct weir_gate_limits *limits, uint64_t now_ns, uint32_t ticket,
    enum weir_gate_outcome outcome, uint64_t duration_ns) {
    WEIR_ASSERT(gate->running > 0);
    gate->running--;
    gate->used_ns = now_ns;
    if (outcome == WEIR_GATE_SUCCEEDED) measure(gate, duration_ns);
    if (outcome == WEIR_GATE_TIMED_OUT && gate->doublings < DOUBLINGS_MAX) gate->doublings++;
    if (ticket != gate->round) return;
    if (gate->state == WEIR_GATE_HALF_OPEN && gate->probing > 0) gate->probing--;
    if (outcome != WEIR_GATE_DROPPED && limits->failed_percent)
        judge(gate, limits, now_ns, outcome != WEIR_GATE_SUCCEEDED);
}

void weir_gate_hold(struct weir_gate *gate, uint64_t until_ns) {
    if (gate->held_till_ns < until_ns) gate->held_till_ns = until_ns;
}

uint64_t weir_gate_timeout(const struct weir_gate *gate, const struct weir_gate_limits *limits) {
    uint64_t least = or_default(limits->timeout_min_ns, RATE_NANOS_PER_S);
    uint64_t most = or_default(limits->timeout_max_ns, 30 * RATE_NANOS_PER_S);
    if (gate->samples < WEIR_GATE_SAMPLES_MIN) return most;
    uint64_t timeout = gate->smoothed_ns + 4 * gate->deviation_ns;
    for (uint32_t i = 0; i < gate->doublings && timeout < most; i++)
        timeout *= 2;
    if (timeout < least) timeout = least;
    return timeout < most ? timeout : most;
}
