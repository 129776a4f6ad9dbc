#include "host/emits.h"
#include "base/bytes.h"
#include "host/mail.h"
#include "host/node.h"

/* False: not now, it stays where it is. */
static bool take(struct host_lane *lane, uint32_t source, uint64_t position, const struct outbox_entry *entry) {
    struct host_partition *target = &lane->host->partitions[entry->target];
    if (sources_seen(&target->fold.sources, &entry->source)) {
        /* Within one life a source sends each emit once: the first one came with an earlier life and is durable. */
        return host_lane_ack(lane, source, position, target->last_commit) == WEIR_OK;
    }
    struct held *held;
    if (host_lane_commit(lane, &held) != WEIR_OK || held_room(held) < 4096) return false;
    uint8_t key[8];
    store_be64(key, entry->key);
    struct envelope envelope = {
        .kind = WEIR_RECORD_EMIT, .type = entry->type, .source = entry->source, .trace = entry->trace};
    struct weir_slice value = weir_slice(entry + 1, entry->value_size);
    if (host_partition_append(target, &envelope, weir_slice(key, sizeof key), value, NULL) != WEIR_OK) return false;
    metric_add(&lane->metrics.emits_taken, 1);
    /* The append may have begun another commit: that one carries the record. */
    WEIR_ASSERT(held_mark(lane->open, HELD_ACK, source, position));
    return true;
}

bool host_emits_take(struct host_lane *lane, struct weir_slice message) {
    const struct mail_emitted *mail = (const void *)message.data;
    return take(lane, mail->source_partition, mail->position, &mail->entry);
}

static bool send(struct host_partition *source, uint64_t position, const struct outbox_entry *entry) {
    struct host_lane *lane = source->lane;
    struct host_partition *target = &source->host->partitions[entry->target];
    if (target->lane == lane) {
        /* Sent first: an ack that comes at once must find it so. */
        outbox_sent(&source->outbox);
        if (take(lane, source->number, position, entry)) return true;
        source->outbox.sent = position;
        return false;
    }
    size_t size = sizeof(struct mail_emitted) + entry->value_size;
    struct mailbox *mailbox = &source->host->mailbox;
    struct mail_emitted *mail = mailbox_reserve(mailbox, MAIL_EMIT, lane->index, target->lane->index, size);
    if (!mail) return false;
    mail->position = position;
    mail->source_partition = source->number;
    mail->unused = 0;
    memcpy(&mail->entry, entry, sizeof *entry + entry->value_size);
    mailbox_commit(mailbox, MAIL_EMIT, lane->index, target->lane->index, size, MAIL_EMITTED);
    outbox_sent(&source->outbox);
    return true;
}

/* Before the target has announced itself. A record in front of its settings record is applied by this version, and the
 * next start takes it for one that the version before wrote: sound only if this binary replays those too. */
static bool may_precede_settings(const struct host_partition *target) {
    const struct weir_service *service = target->fold.service;
    uint32_t version = atomic_load_explicit(&target->facts.version, memory_order_relaxed);
    bool has_tail = atomic_load_explicit(&target->facts.applied, memory_order_acquire) < target->replay_end;
    return has_tail || version == 0 || version >= service->version_replays; /* a tail is only there if it replays it */
}

/* A target that has not announced itself is waited for as long as that is possible: until the node has replayed, half
 * of the outbox; then the announcement waits for nothing but the disk, as the emit would too. */
static bool may_send(struct host_partition *source, const struct host_partition *target) {
    const struct outbox *outbox = &source->outbox;
    const struct host *host = source->host;
    if (atomic_load_explicit(&target->facts.takes_emits, memory_order_acquire)) return true;
    bool patient = outbox->tail - outbox->head <= outbox->size / 2;
    if (patient || atomic_load_explicit(&host->partitions_replayed, memory_order_acquire) == host->partition_count)
        return false;
    if (may_precede_settings(target)) return true;
    /* The target announces itself when all have replayed, and the source can't go on before the target takes. */
    bool stuck = !outbox_under_way(outbox) && !outbox_fits(outbox, source->fold.service->emits_max);
    if (source->replaying && !source->parked && stuck)
        host_partition_refuse(source,
            weir_error_context(WEIR_E_VERSION,
                "service %s, partition %u: what it derives again was meant for version %u of service %s, and this "
                "binary's version %u replays versions from %u on; start the binary that was stopped, stop it cleanly, "
                "then start this one",
                source->fold.service->name, source->index,
                atomic_load_explicit(&target->facts.version, memory_order_relaxed), target->fold.service->name,
                target->fold.service->version, target->fold.service->version_replays));
    return false;
}

uint32_t host_emits_pump(struct host_partition *source) {
    struct outbox *outbox = &source->outbox;
    uint32_t sent = 0;
    uint64_t position;
    struct outbox_entry *entry;
    while ((entry = outbox_next(outbox, &position))) {
        const struct host_partition *target = &source->host->partitions[entry->target];
        if (!may_send(source, target) || !send(source, position, entry)) {
            source->lane->retry = true;
            break;
        }
        sent++;
    }
    return sent;
}
