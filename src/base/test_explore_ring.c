/* The rings in every interleaving of small cases: a message lost, doubled, torn, out of order, or a slot that is
 * written while it is read. The order of every atomic operation is weakened once and the cases must see it. */
#define WEIR_EXPLORE
#include "base/test_explored.h"

#include "base/ring.c"
#include "base/ring.h"

/* ---- slots: four items through two slots, so that each slot is used again -----------------------------------------
 */
#define ITEMS 4

static struct slot_ring slots;
static uint64_t slot_memory[4];
static uint64_t taken, refused;

static void slots_begin(size_t count) {
    slot_ring_init(&slots, slot_memory, sizeof(uint64_t), count);
    memset(slot_memory, 0, sizeof slot_memory);
    taken = refused = 0;
}
static void one_slot(void) {
    slots_begin(1);
}
static void two_slots(void) {
    slots_begin(2);
}
static void four_slots(void) {
    slots_begin(4);
}

static void push_all(void) {
    for (uint64_t i = 1; i <= ITEMS; i++)
        while (!slot_ring_push(&slots, &i))
            atomics_spin();
}
static void pop_all(void) {
    for (uint64_t i = 1; i <= ITEMS; i++) {
        uint64_t item;
        while (!slot_ring_pop(&slots, &item))
            atomics_spin();
        EXPLORE_CHECK(item == i);
        taken++;
    }
}
static void all_taken(void) {
    EXPLORE_CHECK(taken == ITEMS && slot_ring_count(&slots) == 0);
}

/* Full and empty are answers: what was refused is not there, what was accepted is. */
static void push_some(void) {
    for (uint64_t i = 1; i <= 3; i++)
        if (!slot_ring_push(&slots, &(uint64_t){i - refused})) refused++;
}
static void pop_some(void) {
    uint64_t item;
    for (int i = 0; i < 3; i++)
        if (slot_ring_pop(&slots, &item)) EXPLORE_CHECK(item == ++taken);
}
static void nothing_lost(void) {
    uint64_t item;
    while (slot_ring_pop(&slots, &item))
        EXPLORE_CHECK(item == ++taken);
    EXPLORE_CHECK(taken + refused == 3);
}

/* Batches: slots are filled in place and appear together; the reader looks ahead and gives back two at once. */
static void push_batches(void) {
    for (uint64_t i = 1; i <= ITEMS; i += 2) {
        uint64_t *second;
        while (!(second = slot_ring_reserve(&slots, 1)))
            atomics_spin();
        uint64_t *first = slot_ring_reserve(&slots, 0);
        explore_write(first, 8), *first = i;
        explore_write(second, 8), *second = i + 1;
        slot_ring_commit(&slots, 2);
    }
}
static void peek_batches(void) {
    for (uint64_t i = 1; i <= ITEMS; i += 2) {
        const uint64_t *first;
        while (!(first = slot_ring_peek(&slots, 0)))
            atomics_spin();
        const uint64_t *second = slot_ring_peek(&slots, 1);
        EXPLORE_CHECK(second != NULL); /* a batch appears whole */
        explore_read(first, 8), explore_read(second, 8);
        EXPLORE_CHECK(*first == i && *second == i + 1);
        slot_ring_release(&slots, 2);
        taken += 2;
    }
}

/* Room is a promise to the writer, and the count is never more than there are slots. */
static void push_by_room(void) {
    for (uint64_t i = 1; i <= ITEMS;) {
        uint64_t room = slot_ring_room(&slots);
        if (room == 0) atomics_spin();
        for (; room > 0 && i <= ITEMS; room--, i++)
            EXPLORE_CHECK(slot_ring_push(&slots, &i));
    }
}
static void count_slots(void) {
    EXPLORE_CHECK(slot_ring_count(&slots) <= 2);
}

/* A metric that says full of a ring that never held more than one item would be a lie. */
static void push_one(void) {
    EXPLORE_CHECK(slot_ring_push(&slots, &(uint64_t){1}));
}
static void pop_one(void) {
    uint64_t item;
    while (!slot_ring_pop(&slots, &item))
        atomics_spin();
}
static void count_one(void) {
    EXPLORE_CHECK(slot_ring_count(&slots) <= 1);
}

static const struct explore_case slots_wrap = {"slots-wrap", two_slots, {push_all, pop_all}, all_taken, false};
static const struct explore_case slots_one = {"slots-one", one_slot, {push_all, pop_all}, all_taken, false};
static const struct explore_case slots_full_or_empty = {
    "slots-full-or-empty", two_slots, {push_some, pop_some}, nothing_lost, false};
static const struct explore_case slots_batches = {
    "slots-batches", two_slots, {push_batches, peek_batches}, all_taken, false};
static const struct explore_case slots_no_wrap = {"slots-no-wrap", four_slots, {push_all, pop_all}, all_taken, false};
static const struct explore_case slots_room = {
    "slots-room", two_slots, {push_by_room, pop_all, count_slots}, all_taken, false};

static const struct explore_case slots_count = {"slots-count", two_slots, {push_one, pop_one, count_one}, NULL, false};

static void slots_arrive_once_in_order_and_whole(void **state) {
    (void)state;
    explored(&slots_one);
    explored(&slots_wrap);
    explored(&slots_no_wrap);
    explored(&slots_full_or_empty);
    explored(&slots_batches);
    explored(&slots_room);
    explored(&slots_count);
}

/* ---- bytes: 64 of them, messages of 1, 24 and 8 bytes, so that the third does not fit behind the second
 * -------------- */
static struct byte_ring bytes;
static uint64_t byte_memory[8];
static const uint8_t sizes[] = {1, 24, 17, 8};

static void bytes_begin(void) {
    memset(byte_memory, 0, sizeof byte_memory);
    byte_ring_init(&bytes, byte_memory, sizeof byte_memory);
    taken = 0;
}

static bool send_one(unsigned i) {
    uint8_t text[24];
    memset(text, (int)i + 1, sizeof text);
    return byte_ring_send(&bytes, weir_slice(text, sizes[i]), i + 1);
}
static bool take_one(unsigned i) {
    struct weir_slice m;
    uint32_t tag;
    if (!byte_ring_peek(&bytes, &m, &tag)) return false;
    EXPLORE_CHECK(tag == i + 1 && m.size == sizes[i]);
    explore_read(m.data, m.size);
    for (size_t k = 0; k < m.size; k++)
        EXPLORE_CHECK(m.data[k] == i + 1);
    byte_ring_release(&bytes);
    taken++;
    return true;
}
static void send_all(void) {
    for (unsigned i = 0; i < sizeof sizes; i++)
        while (!send_one(i))
            atomics_spin();
}
static void take_all(void) {
    for (unsigned i = 0; i < sizeof sizes; i++)
        while (!take_one(i))
            atomics_spin();
}
static void bytes_taken(void) {
    EXPLORE_CHECK(taken == sizeof sizes && byte_ring_bytes_used(&bytes) == 0);
}

/* A commit of less than was reserved, by what room promised. */
static void send_by_room(void) {
    for (unsigned i = 0; i < sizeof sizes;) {
        size_t room = byte_ring_room(&bytes, 24);
        if (room == 0) atomics_spin();
        for (; room > 0 && i < sizeof sizes; room--, i++) {
            uint8_t *place = byte_ring_reserve(&bytes, 24);
            EXPLORE_CHECK(place != NULL);
            explore_write(place, sizes[i]);
            memset(place, (int)i + 1, sizes[i]);
            byte_ring_commit(&bytes, sizes[i], i + 1);
        }
    }
}
static void count_bytes(void) {
    EXPLORE_CHECK(byte_ring_bytes_used(&bytes) <= sizeof byte_memory);
}

static void send_first(void) {
    EXPLORE_CHECK(send_one(0));
}
static void take_first(void) {
    while (!take_one(0))
        atomics_spin();
}
static void count_first(void) {
    EXPLORE_CHECK(byte_ring_bytes_used(&bytes) <= 16);
}

static const struct explore_case bytes_wrap = {"bytes-wrap", bytes_begin, {send_all, take_all}, bytes_taken, false};
static const struct explore_case bytes_room = {
    "bytes-room", bytes_begin, {send_by_room, take_all, count_bytes}, bytes_taken, false};

static const struct explore_case bytes_count = {
    "bytes-count", bytes_begin, {send_first, take_first, count_first}, NULL, false};

static void messages_arrive_once_in_order_and_whole(void **state) {
    (void)state;
    explored(&bytes_wrap);
    explored(&bytes_room);
    explored(&bytes_count);
}

/* ---- faults ------------------------------------------------------------------------------------------------------ */
static void every_order_of_the_rings_is_needed(void **state) {
    (void)state;
    static const struct explore_case *const cases[] = {&slots_one, &slots_wrap, &slots_full_or_empty, &slots_batches,
        &slots_room, &slots_count, &bytes_wrap, &bytes_room, &bytes_count};
    /* The counts are for metrics: the reader's position comes first and is acquired, so that the writer's is not older;
     * that one may be anything. */
    static const struct explored_spare spare[] = {
        {"slot_ring_count", "load", "&r->writer.position", __ATOMIC_RELAXED},
        {"byte_ring_bytes_used", "load", "&r->writer.position", __ATOMIC_RELAXED},
    };
    explored_orders("", cases, sizeof cases / sizeof cases[0], spare, sizeof spare / sizeof spare[0]);
}

/* The item is published before it is there. */
static void push_before_writing(void) {
    for (uint64_t i = 1; i <= ITEMS; i++) {
        uint64_t *slot;
        while (!(slot = slot_ring_reserve(&slots, 0)))
            atomics_spin();
        slot_ring_commit(&slots, 1);
        explore_write(slot, 8), *slot = i;
    }
}
/* The slot is given back before it is read. */
static void release_before_reading(void) {
    for (uint64_t i = 1; i <= ITEMS; i++) {
        const uint64_t *slot;
        while (!(slot = slot_ring_peek(&slots, 0)))
            atomics_spin();
        slot_ring_release(&slots, 1);
        explore_read(slot, 8);
        EXPLORE_CHECK(*slot == i);
        taken++;
    }
}
/* Full is asked of a position that is one too far: a slot is written over while it holds an unread item. */
static void push_one_too_many(void) {
    for (uint64_t i = 1; i <= ITEMS; i++) {
        if (i == 3) slots.writer.other = 1;
        while (!slot_ring_push(&slots, &i))
            atomics_spin();
    }
}
/* Padding is published on its own, before the message behind it: the reader takes what is not there. */
static void send_padding_first(void) {
    send_one(0);
    uint64_t start = bytes.writer.position;
    explore_write(byte_memory + start / 8, 8);
    *(struct message_header *)(void *)(byte_memory + start / 8) =
        (struct message_header){(uint32_t)(sizeof byte_memory - start - BYTE_RING_HEADER), BYTE_RING_PADDING};
    atomics_store(&bytes.writer.position, sizeof byte_memory, RELEASE);
}
static void take_two(void) {
    for (unsigned i = 0; i < 2; i++)
        if (!take_one(i)) return;
}

static void wrong_steps_are_found(void **state) {
    (void)state;
    explored_fault(
        &(struct explore_case){"published before written", two_slots, {push_before_writing, pop_all}, all_taken, false},
        "race");
    explored_fault(
        &(struct explore_case){"released before read", one_slot, {push_all, release_before_reading}, all_taken, false},
        "race");
    explored_fault(
        &(struct explore_case){"one too many", two_slots, {push_one_too_many, pop_all}, all_taken, false}, "");
    explored_fault(
        &(struct explore_case){"padding on its own", bytes_begin, {send_padding_first, take_two}, NULL, false}, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_arrive_once_in_order_and_whole),
        cmocka_unit_test(messages_arrive_once_in_order_and_whole),
        cmocka_unit_test(every_order_of_the_rings_is_needed),
        cmocka_unit_test(wrong_steps_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
