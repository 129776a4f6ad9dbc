/* Good-till-date orders in a binary heap by (time, id): what expires and in which order is a function of the state
 * alone. */
#include "exchange/book.h"

static bool sooner(const struct exchange_core *core, uint32_t a, uint32_t b) {
    uint64_t at = core->cold[a].expire_ns, bt = core->cold[b].expire_ns;
    return at != bt ? at < bt : core->orders[a].id < core->orders[b].id;
}

static void place(struct exchange_core *core, uint32_t position, uint32_t slot) {
    core->heap[position] = slot;
    core->cold[slot].heap_position = position;
}

static void sift_up(struct exchange_core *core, uint32_t position, uint32_t slot) {
    while (position > 1 && sooner(core, slot, core->heap[position / 2])) {
        place(core, position, core->heap[position / 2]);
        position /= 2;
    }
    place(core, position, slot);
}

static void sift_down(struct exchange_core *core, uint32_t position, uint32_t slot) {
    for (;;) {
        uint32_t child = position * 2;
        if (child > core->heap_count) break;
        if (child < core->heap_count && sooner(core, core->heap[child + 1], core->heap[child])) child++;
        if (!sooner(core, core->heap[child], slot)) break;
        place(core, position, core->heap[child]);
        position = child;
    }
    place(core, position, slot);
}

void expiry_add(struct exchange_core *core, uint32_t slot) {
    sift_up(core, ++core->heap_count, slot);
}

void expiry_remove(struct exchange_core *core, uint32_t slot) {
    uint32_t position = core->cold[slot].heap_position;
    uint32_t last = core->heap[core->heap_count--];
    core->cold[slot].heap_position = 0;
    if (last == slot) return;
    if (position > 1 && sooner(core, last, core->heap[position / 2]))
        sift_up(core, position, last);
    else
        sift_down(core, position, last);
}

void expiry_run(struct exchange_core *core, uint64_t now) {
    uint32_t left = core->limits.work_max;
    while (core->heap_count && core->cold[core->heap[1]].expire_ns <= now && left-- > 0) {
        uint32_t slot = core->heap[1];
        struct symbol *symbol = &core->symbols[core->orders[slot].symbol];
        book_end(core, slot, EXCHANGE_EVENT_EXPIRED, EXCHANGE_REASON_TIME_REACHED);
        book_publish_top(core, symbol);
    }
}

uint64_t exchange_core_next_expiry(const struct exchange_core *core) {
    return core->heap_count ? core->cold[core->heap[1]].expire_ns : UINT64_MAX;
}
