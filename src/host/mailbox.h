/* host/mailbox.h: bounded rings between every pair of endpoints: the lanes, the work agent, the read agent.
 *
 * Three rings per pair, so that nothing that must flow stands behind something that may wait:
 *   REQUEST  commands, queries, subscriptions, appends; a full ring refuses at the sender (FULL)
 *   REPLY    deliveries, acks, marks; the receiver takes all of it in each cycle, whatever its own state, so a sender
 * that finds it full tries again in its next cycle and can rely on that EMIT     emits; taken while the receiver's open
 * commit has room; a sender keeps what does not fit in its outbox So a lane never waits on a ring, and no cycle of full
 * rings can form. Memory: address space per pair, touched as used. Wakes are collected and done once per cycle by
 * mailbox_wake().
 */
#ifndef WEIR_HOST_MAILBOX_H
#define WEIR_HOST_MAILBOX_H
#include "base/ring.h"
#include "sys/sys.h"

enum mail_class { MAIL_REQUEST, MAIL_REPLY, MAIL_EMIT, MAIL_CLASSES };
#define MAIL_RING_BYTES    (4u << 20)
#define MAIL_MESSAGE_MAX   (MAIL_RING_BYTES / 2 - 8)
#define MAIL_ENDPOINTS_MAX 66u

struct mailbox {
    struct sys *sys;
    uint32_t endpoints;
    int pollers[MAIL_ENDPOINTS_MAX];
    struct byte_ring *rings; /* [class][from][to] */
    void *memory;
    size_t memory_size;
    uint64_t *wakes; /* [from]: bit per endpoint (two words) */
};

WEIR_MUST enum weir_error mailbox_init(struct mailbox *mailbox, struct sys *sys, uint32_t endpoints);
void mailbox_done(struct mailbox *mailbox);
/* Room for a message of at most size <= MAIL_MESSAGE_MAX bytes, 8-aligned; NULL: full. Then mailbox_commit sends it. */
void *mailbox_reserve(struct mailbox *mailbox, enum mail_class class, uint32_t from, uint32_t to, size_t size);
void mailbox_commit(
    struct mailbox *mailbox, enum mail_class class, uint32_t from, uint32_t to, size_t size, uint32_t tag);
bool mailbox_peek(struct mailbox *mailbox, enum mail_class class, uint32_t from, uint32_t to,
    struct weir_slice *ret_message, uint32_t *ret_tag);
void mailbox_release(struct mailbox *mailbox, enum mail_class class, uint32_t from, uint32_t to);
void mailbox_wake(struct mailbox *mailbox, uint32_t from); /* those that were sent something since the last call */
#endif
