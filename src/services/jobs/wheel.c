#include "jobs/wheel.h"

#include <string.h>

static uint32_t slot_of(uint64_t tick, uint32_t level) {
    return (uint32_t)(tick >> (level * WHEEL_BITS)) & (WHEEL_SLOTS - 1);
}

void wheel_init(struct wheel *wheel, uint64_t now_ns) {
    memset(wheel, 0, sizeof *wheel);
    memset(wheel->heads, 0xff, sizeof wheel->heads);
    memset(wheel->tails, 0xff, sizeof wheel->tails);
    wheel->tick = now_ns / WHEEL_TICK_NS;
}

static void mark(struct wheel *wheel, uint32_t place, bool used) {
    uint64_t *word = &wheel->used[place / WHEEL_SLOTS][place % WHEEL_SLOTS / 64], bit = (uint64_t)1 << place % 64;
    *word = used ? *word | bit : *word & ~bit;
}

static void append(const struct wheel_items *items, uint32_t item, uint32_t place) {
    struct wheel *wheel = items->wheel;
    struct wheel_node *node = wheel_node(items, item);
    node->slot = (uint16_t)place;
    node->next = WHEEL_NONE;
    node->previous = wheel->tails[place];
    if (node->previous == WHEEL_NONE)
        wheel->heads[place] = item;
    else
        wheel_node(items, node->previous)->next = item;
    wheel->tails[place] = item;
    mark(wheel, place, true);
}

static void unlink_item(const struct wheel_items *items, uint32_t item) {
    struct wheel *wheel = items->wheel;
    struct wheel_node *node = wheel_node(items, item);
    uint32_t place = node->slot;
    if (node->previous == WHEEL_NONE)
        wheel->heads[place] = node->next;
    else
        wheel_node(items, node->previous)->next = node->next;
    if (node->next == WHEEL_NONE)
        wheel->tails[place] = node->previous;
    else
        wheel_node(items, node->next)->previous = node->previous;
    if (wheel->heads[place] == WHEEL_NONE) mark(wheel, place, false);
    node->slot = WHEEL_OUT;
}

/* The lowest level on which its tick is within one turn of the wheel; what is further away than the highest turns
 * waits there for its next turn. */
static uint32_t place_of(const struct wheel *wheel, uint64_t due_ns) {
    uint64_t tick = due_ns / WHEEL_TICK_NS + (due_ns % WHEEL_TICK_NS != 0);
    if (tick < wheel->tick) tick = wheel->tick;
    for (uint32_t level = 0; level < WHEEL_LEVELS; level++)
        if ((tick >> (level + 1) * WHEEL_BITS) == (wheel->tick >> (level + 1) * WHEEL_BITS))
            return level * WHEEL_SLOTS + slot_of(tick, level);
    /* In the highest level's last slot before it comes round: looked at again when time gets there. */
    uint32_t last = (slot_of(wheel->tick, WHEEL_LEVELS - 1) + WHEEL_SLOTS - 1) % WHEEL_SLOTS;
    return (WHEEL_LEVELS - 1) * WHEEL_SLOTS + last;
}

void wheel_add(const struct wheel_items *items, uint32_t item, uint64_t due_ns) {
    struct wheel_node *node = wheel_node(items, item);
    WEIR_DEBUG_ASSERT(node->slot == WHEEL_OUT);
    node->due_ns = due_ns;
    append(items, item, place_of(items->wheel, due_ns));
    items->wheel->count++;
}

void wheel_remove(const struct wheel_items *items, uint32_t item) {
    if (wheel_node(items, item)->slot == WHEEL_OUT) return;
    unlink_item(items, item);
    items->wheel->count--;
}

/* ---- time goes on ---- */
/* The next used slot of a level at or behind `from` in this turn; WHEEL_SLOTS: none. */
static uint32_t next_used(const struct wheel *wheel, uint32_t level, uint32_t from) {
    for (uint32_t word = from / 64; from < WHEEL_SLOTS && word < WHEEL_SLOTS / 64; word++) {
        uint64_t bits = wheel->used[level][word];
        if (word == from / 64) bits &= ~(uint64_t)0 << from % 64;
        if (bits) return word * 64 + (uint32_t)__builtin_ctzll(bits);
    }
    return WHEEL_SLOTS;
}

/* Where time stands on a level; its list, but for level 0, is to move down. */
static uint32_t here(const struct wheel *wheel, uint32_t level) {
    return level * WHEEL_SLOTS + slot_of(wheel->tick, level);
}

/* The next tick at which anything is to be done: an item of level 0, or the beginning of a used slot further up. */
static uint64_t next_tick(const struct wheel *wheel) {
    for (uint32_t level = 1; level < WHEEL_LEVELS; level++)
        if (wheel->heads[here(wheel, level)] != WHEEL_NONE) return wheel->tick;
    for (uint32_t level = 0; level < WHEEL_LEVELS; level++) {
        uint32_t shift = level * WHEEL_BITS, at = slot_of(wheel->tick, level);
        uint64_t turn = wheel->tick >> shift >> WHEEL_BITS << WHEEL_BITS;
        uint32_t slot = next_used(wheel, level, level == 0 ? at : at + 1);
        if (slot < WHEEL_SLOTS) return (turn + slot) << shift;
    }
    uint32_t top = WHEEL_LEVELS - 1, slot = next_used(wheel, top, 0); /* of the highest level's next turn */
    uint64_t turn = (wheel->tick >> WHEEL_LEVELS * WHEEL_BITS) + 1;
    return slot < WHEEL_SLOTS ? (turn * WHEEL_SLOTS + slot) << top * WHEEL_BITS : UINT64_MAX;
}

/* False: there is more to move than one call may. */
static bool move_down(const struct wheel_items *items, uint32_t *moves) {
    struct wheel *wheel = items->wheel;
    for (uint32_t level = WHEEL_LEVELS - 1; level > 0; level--) {
        uint32_t place = here(wheel, level);
        while (wheel->heads[place] != WHEEL_NONE) {
            if ((*moves)++ == WHEEL_MOVES_MAX) return false;
            uint32_t item = wheel->heads[place];
            unlink_item(items, item);
            append(items, item, place_of(wheel, wheel_node(items, item)->due_ns));
        }
    }
    return true;
}

uint32_t wheel_take(const struct wheel_items *items, uint64_t now_ns, bool *ret_more) {
    struct wheel *wheel = items->wheel;
    uint64_t now = now_ns / WHEEL_TICK_NS;
    uint32_t moves = 0;
    *ret_more = false;
    for (;;) {
        if (!move_down(items, &moves)) {
            *ret_more = true;
            return WHEEL_NONE;
        }
        uint32_t first = wheel->heads[here(wheel, 0)];
        if (first != WHEEL_NONE && wheel->tick <= now) {
            wheel_remove(items, first);
            return first;
        }
        uint64_t next = next_tick(wheel);
        if (next > now) { /* so that what is added later is placed from now on */
            if (now > wheel->tick) wheel->tick = now;
            return WHEEL_NONE;
        }
        wheel->tick = next;
    }
}

uint64_t wheel_next_ns(const struct wheel *wheel) {
    uint64_t tick = next_tick(wheel);
    return tick == UINT64_MAX || tick > UINT64_MAX / WHEEL_TICK_NS ? UINT64_MAX : tick * WHEEL_TICK_NS;
}
