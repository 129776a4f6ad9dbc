#include "host/mailbox.h"

/* The ring from an endpoint to itself exists too: the same code serves a partition of the own lane where that is
 * simpler. */
static struct byte_ring *ring_of(struct mailbox *m, enum mail_class class, uint32_t from, uint32_t to) {
    WEIR_DEBUG_ASSERT(from < m->endpoints && to < m->endpoints);
    return &m->rings[((size_t) class * m->endpoints + from) * m->endpoints + to];
}

enum weir_error mailbox_init(struct mailbox *mailbox, struct sys *sys, uint32_t endpoints) {
    WEIR_ASSERT(endpoints > 0 && endpoints <= MAIL_ENDPOINTS_MAX);
    memset(mailbox, 0, sizeof *mailbox);
    size_t count = (size_t)MAIL_CLASSES * endpoints * endpoints;
    size_t head = (count * sizeof(struct byte_ring) + endpoints * 2 * sizeof(uint64_t) + 4095) & ~(size_t)4095;
    size_t size = head + count * MAIL_RING_BYTES;
    void *memory;
    enum weir_error e = sys_memory_map(size, &memory);
    if (e != WEIR_OK) return e;
    mailbox->sys = sys;
    mailbox->endpoints = endpoints;
    mailbox->memory = memory;
    mailbox->memory_size = size;
    mailbox->rings = memory;
    mailbox->wakes = (uint64_t *)(mailbox->rings + count);
    for (size_t i = 0; i < count; i++)
        byte_ring_init(&mailbox->rings[i], (uint8_t *)memory + head + i * MAIL_RING_BYTES, MAIL_RING_BYTES);
    for (uint32_t i = 0; i < MAIL_ENDPOINTS_MAX; i++)
        mailbox->pollers[i] = -1;
    return WEIR_OK;
}

void mailbox_done(struct mailbox *mailbox) {
    if (mailbox->memory) sys_memory_unmap(mailbox->memory, mailbox->memory_size);
    memset(mailbox, 0, sizeof *mailbox);
}

void *mailbox_reserve(struct mailbox *mailbox, enum mail_class class, uint32_t from, uint32_t to, size_t size) {
    WEIR_ASSERT(size <= MAIL_MESSAGE_MAX);
    return byte_ring_reserve(ring_of(mailbox, class, from, to), size);
}

void mailbox_commit(
    struct mailbox *mailbox, enum mail_class class, uint32_t from, uint32_t to, size_t size, uint32_t tag) {
    byte_ring_commit(ring_of(mailbox, class, from, to), size, tag);
    mailbox->wakes[from * 2 + to / 64] |= (uint64_t)1 << (to % 64);
}

bool mailbox_peek(struct mailbox *mailbox, enum mail_class class, uint32_t from, uint32_t to,
    struct weir_slice *ret_message, uint32_t *ret_tag) {
    return byte_ring_peek(ring_of(mailbox, class, from, to), ret_message, ret_tag);
}

void mailbox_release(struct mailbox *mailbox, enum mail_class class, uint32_t from, uint32_t to) {
    byte_ring_release(ring_of(mailbox, class, from, to));
}

void mailbox_wake(struct mailbox *mailbox, uint32_t from) {
    for (uint32_t word = 0; word < 2; word++) {
        uint64_t bits = mailbox->wakes[from * 2 + word];
        mailbox->wakes[from * 2 + word] = 0;
        while (bits) {
            uint32_t to = word * 64 + (uint32_t)__builtin_ctzll(bits);
            bits &= bits - 1;
            if (to != from && mailbox->pollers[to] >= 0) mailbox->sys->poller_wake(mailbox->sys, mailbox->pollers[to]);
        }
    }
}
