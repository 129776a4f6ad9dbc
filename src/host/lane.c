#include "host/lane.h"
#include "base/assert.h"
#include "host/emits.h"
#include "host/mail.h"
#include "host/node.h"
#include "host/request.h"
#include "host/tap.h"
#include "host/traced.h"

/* ---- commits --------------------------------------------------------------------------------------------------- */
typedef enum weir_error (*begin_fn)(struct log_writer *writer, struct log_commit **ret_commit);

static enum weir_error open_commit(struct host_lane *lane, begin_fn begin, struct held **ret_held) {
    if (lane->open) {
        *ret_held = lane->open;
        return WEIR_OK;
    }
    struct held *held = NULL;
    for (uint32_t i = 0; i < HELD_PER_LANE && !held; i++)
        if (!lane->helds[i].in_use) held = &lane->helds[i];
    if (!held) return weir_error_context(WEIR_E_FULL, "all commits of the lane are under way");
    struct log_commit *commit;
    enum weir_error e = begin(lane->writer, &commit);
    if (e == WEIR_E_AGAIN) return weir_error_context(WEIR_E_FULL, "all commits of the lane are under way");
    if (e != WEIR_OK) return e;
    uint8_t *memory = held->memory;
    *held = (struct held){.commit = commit, .memory = memory, .in_use = true};
    commit->host = held;
    lane->open = held;
    *ret_held = held;
    return WEIR_OK;
}

enum weir_error host_lane_commit(struct host_lane *lane, struct held **ret_held) {
    return open_commit(lane, log_commit_begin, ret_held);
}

enum weir_error host_lane_carrier(struct host_lane *lane, struct held **ret_held) {
    return open_commit(lane, log_commit_begin_outputs, ret_held);
}

void host_lane_submit(struct host_lane *lane) {
    struct held *held = lane->open;
    WEIR_ASSERT(held && lane->flight_count < HELD_PER_LANE);
    held->sequence = ++lane->sequence;
    log_commit_submit(held->commit);
    lane->flight[lane->flight_count++] = held;
    lane->open = NULL;
    for (uint32_t i = 0; i < held->commit->batch_count; i++) {
        struct log_partition *log_partition;
        struct weir_slice batch;
        log_commit_batch(held->commit, i, &log_partition, &batch);
        struct host_partition *partition = lane->host->by_uid[log_partition->uid];
        if (partition) partition->submitted = log_partition->next;
    }
    metric_add(&lane->metrics.commits, 1);
    metric_record(&lane->metrics.commit_records, held->records);
}

enum weir_error host_lane_append(struct host_lane *lane, struct log_partition *partition,
    const struct log_record *record, size_t reserve, uint64_t *ret_offset) {
    struct held *held = NULL;
    for (int attempt = 0; attempt < 2; attempt++) {
        enum weir_error e = host_lane_commit(lane, &held);
        if (e != WEIR_OK) return e;
        bool roomy = log_commit_room(held->commit) >= reserve || held->records == 0;
        /* The last commit's reserve stays: handed in now, nothing would be left for what the reserve is for. */
        if (!roomy && log_writer_left(lane->writer) == 0) break;
        e = roomy ? log_commit_append(held->commit, partition, record, ret_offset) : WEIR_E_AGAIN;
        if (e == WEIR_OK) held->records++;
        if (e != WEIR_E_AGAIN) return e;
        host_lane_submit(lane);
    }
    return weir_error_context(WEIR_E_FULL, "the lane's commits are full");
}

struct held *host_lane_flight(struct host_lane *lane, uint64_t sequence) {
    for (uint32_t i = 0; i < lane->flight_count; i++)
        if (lane->flight[i]->sequence >= sequence && !lane->flight[i]->durable) return lane->flight[i];
    return NULL;
}

void host_lane_lag(struct host_lane *lane, struct host_partition *partition) {
    if (partition->lagging) return;
    partition->lagging = true;
    partition->lagging_next = NULL;
    struct host_partition **at = &lane->lagging;
    while (*at)
        at = &(*at)->lagging_next;
    *at = partition;
    metric_set(&lane->metrics.lagging, metric_get(&lane->metrics.lagging) + 1);
}

/* ---- deliveries ------------------------------------------------------------------------------------------------ */
void host_lane_hand_over(struct host_lane *lane, const struct host_delivery *delivery) {
    metric_add(&lane->metrics.deliveries, 1);
    const struct host_edge *edge = lane->host->edge;
    if (edge && edge->on_delivery) edge->on_delivery(edge->ctx, lane, delivery);
}

enum weir_error host_lane_deliver(struct host_lane *lane, const struct host_delivery *delivery, uint64_t sequence) {
    struct held *held = host_lane_flight(lane, sequence);
    if (held)
        return held_delivery(held, delivery) ? WEIR_OK : weir_error_context(WEIR_E_FULL, "the commit holds too much");
    size_t size = delivery_size(delivery);
    if (size > MAIL_MESSAGE_MAX) return weir_error_context(WEIR_E_TOO_LARGE, "an answer of %zu bytes", size);
    void *room = mailbox_reserve(&lane->host->mailbox, MAIL_REPLY, lane->index, delivery->origin.lane, size);
    if (!room) return weir_error_context(WEIR_E_FULL, "lane %u has too many answers to take", delivery->origin.lane);
    delivery_store(delivery, room);
    mailbox_commit(&lane->host->mailbox, MAIL_REPLY, lane->index, delivery->origin.lane, size, MAIL_DELIVERY);
    return WEIR_OK;
}

static bool ack_now(struct host_lane *lane, uint32_t source_partition, uint64_t position) {
    struct host_partition *source = &lane->host->partitions[source_partition];
    if (source->lane == lane) {
        host_partition_acked(source, position);
        return true;
    }
    struct mail_ack *ack =
        mailbox_reserve(&lane->host->mailbox, MAIL_REPLY, lane->index, source->lane->index, sizeof *ack);
    if (!ack) return false;
    *ack = (struct mail_ack){.partition = source_partition, .position = position};
    mailbox_commit(&lane->host->mailbox, MAIL_REPLY, lane->index, source->lane->index, sizeof *ack, MAIL_ACK);
    return true;
}

enum weir_error host_lane_ack(struct host_lane *lane, uint32_t source_partition, uint64_t position, uint64_t sequence) {
    struct held *held = host_lane_flight(lane, sequence);
    bool done =
        held ? held_mark(held, HELD_ACK, source_partition, position) : ack_now(lane, source_partition, position);
    return done ? WEIR_OK : WEIR_E_FULL;
}

/* ---- release: everything a durable commit held, in order; false: a ring is full, go on in the next cycle -------- */
static bool release_entry(struct host_lane *lane, const struct held *held, const struct held_entry *entry) {
    if (entry->kind == HELD_ACK) return ack_now(lane, entry->partition, entry->position);
    if (entry->kind == HELD_EMITS) {
        lane->host->partitions[entry->partition].outbox.released = entry->position;
        return true;
    }
    if (entry->kind == HELD_TRACED) {
        traced_release(lane, held, entry);
        return true;
    }
    if (entry->kind == HELD_STARTS) {
        host_dispatch_release(&lane->host->partitions[entry->partition], entry->position);
        return true;
    }
    if (entry->kind == HELD_SKIP) {
        host_partition_skip(&lane->host->partitions[entry->partition], entry->position);
        return true;
    }
    struct host_delivery delivery;
    delivery_load(entry + 1, &delivery);
    if (delivery.origin.lane == lane->index) {
        host_lane_hand_over(lane, &delivery);
        return true;
    }
    struct mailbox *mailbox = &lane->host->mailbox;
    size_t size = entry->size - sizeof *entry;
    void *room = mailbox_reserve(mailbox, MAIL_REPLY, lane->index, delivery.origin.lane, size);
    if (!room) return false;
    memcpy(room, entry + 1, size);
    mailbox_commit(mailbox, MAIL_REPLY, lane->index, delivery.origin.lane, size, MAIL_DELIVERY);
    return true;
}

static bool release_held(struct host_lane *lane, struct held *held) {
    const struct held_entry *entry;
    while ((entry = held_front(held))) {
        if (!release_entry(lane, held, entry)) return false;
        held_pass(held);
    }
    return host_taps_serve(lane, held);
}

uint32_t host_lane_release(struct host_lane *lane) {
    uint32_t work = 0;
    while (lane->flight_count > 0 && lane->flight[0]->applied) {
        struct held *held = lane->flight[0];
        if (!held->durable) {
            struct log_commit *commit = log_writer_durable(lane->writer);
            if (!commit) break;
            WEIR_ASSERT(commit == held->commit); /* durable in the order of submission */
            held->durable = true;
            metric_record(&lane->metrics.commit_ns, commit->durable_ns - commit->submit_ns);
        }
        if (!release_held(lane, held)) {
            lane->retry = true;
            break;
        }
        log_commit_release(held->commit);
        lane->released = held->sequence;
        held->in_use = false;
        held->commit = NULL;
        lane->flight_count--;
        memmove(&lane->flight[0], &lane->flight[1], lane->flight_count * sizeof lane->flight[0]);
        work++;
    }
    return work;
}

/* ---- mail ------------------------------------------------------------------------------------------------------ */
static bool take_delivery(struct host_lane *lane, struct weir_slice message) {
    struct host_delivery delivery;
    delivery_load(message.data, &delivery);
    host_lane_hand_over(lane, &delivery);
    return true;
}

static bool take_ack(struct host_lane *lane, struct weir_slice message) {
    const struct mail_ack *ack = (const void *)message.data;
    host_partition_acked(&lane->host->partitions[ack->partition], ack->position);
    return true;
}

typedef bool (*mail_handler)(struct host_lane *lane, struct weir_slice message);
static const mail_handler handlers[MAIL_TAGS] = {
    [MAIL_COMMAND] = host_request_command,
    [MAIL_QUERY] = host_request_query,
    [MAIL_SUBSCRIBE] = host_taps_subscribe,
    [MAIL_UNSUBSCRIBE] = host_taps_unsubscribe,
    [MAIL_FORGET] = host_taps_forget,
    [MAIL_APPEND] = host_request_append,
    [MAIL_MARK] = host_request_mark,
    [MAIL_SKIP] = host_request_skip,
    [MAIL_ORDER] = host_request_order,
    [MAIL_DELIVERY] = take_delivery,
    [MAIL_ACK] = take_ack,
    [MAIL_CAUGHT] = host_taps_caught,
    [MAIL_EMITTED] = host_emits_take,
};

/* Messages of one ring until one must wait. */
static uint32_t receive_from(struct host_lane *lane, enum mail_class class, uint32_t from) {
    struct mailbox *mailbox = &lane->host->mailbox;
    struct weir_slice message;
    uint32_t tag, taken = 0;
    while (mailbox_peek(mailbox, class, from, lane->index, &message, &tag)) {
        WEIR_ASSERT(tag < MAIL_TAGS && handlers[tag]);
        if (!handlers[tag](lane, message)) {
            lane->retry = true;
            break;
        }
        mailbox_release(mailbox, class, from, lane->index);
        taken++;
    }
    return taken;
}

uint32_t host_lane_receive(struct host_lane *lane) {
    uint32_t taken = 0;
    for (uint32_t class = 0; class < MAIL_CLASSES; class ++)
        for (uint32_t from = 0; from < lane->host->mailbox.endpoints; from++)
            taken += receive_from(lane, (enum mail_class) class, from);
    return taken;
}

void host_lane_receive_own(struct host_lane *lane) {
    receive_from(lane, MAIL_REPLY, lane->index);
}
