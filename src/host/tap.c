#include "host/tap.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "host/node.h"
#include "host/request.h"

#define NONE POOL_NONE

static struct tap *tap_at(struct host_lane *lane, uint32_t index) {
    return pool_at(&lane->taps, index);
}

static uint32_t *bucket_of(struct host_lane *lane, const struct host_origin *origin) {
    uint64_t session = (uint64_t)origin->lane << 32 | origin->slot;
    return &lane->tap_sessions[hash_u64(session, 1) & (TAPS_BUCKETS - 1)];
}

enum weir_error host_taps_open(struct host_lane *lane) {
    size_t size = TAPS_BUCKETS * sizeof(uint32_t) + TAPS_MAX * sizeof(struct tap);
    void *memory;
    enum weir_error e = sys_memory_map(size, &memory);
    if (e != WEIR_OK) return e;
    lane->tap_memory = memory;
    lane->tap_memory_size = size;
    lane->tap_sessions = memory; /* index + 1; 0: empty */
    pool_init(&lane->taps, lane->tap_sessions + TAPS_BUCKETS, sizeof(struct tap), TAPS_MAX);
    return WEIR_OK;
}

void host_taps_close(struct host_lane *lane) {
    if (lane->tap_memory) sys_memory_unmap(lane->tap_memory, lane->tap_memory_size);
    lane->tap_memory = NULL;
}

/* ---- delivering ---------------------------------------------------------------------------------------------------
 */
static bool deliver(struct host_lane *lane, const struct host_delivery *d) {
    if (d->origin.lane == lane->index) {
        host_lane_hand_over(lane, d);
        return true;
    }
    size_t size = delivery_size(d);
    if (size > MAIL_MESSAGE_MAX) return true; /* larger than any record that can be appended */
    void *room = mailbox_reserve(&lane->host->mailbox, MAIL_REPLY, lane->index, d->origin.lane, size);
    if (!room) return false;
    delivery_store(d, room);
    mailbox_commit(&lane->host->mailbox, MAIL_REPLY, lane->index, d->origin.lane, size, MAIL_DELIVERY);
    return true;
}

static bool say_live(struct host_lane *lane, const struct tap *tap, enum weir_error e) {
    struct host_delivery d = {
        .kind = HOST_LIVE, .origin = tap->origin, .error = e, .text = e ? weir_error_text() : "", .offset = tap->next};
    return deliver(lane, &d);
}

/* A record as a subscriber sees it: an output; or, of an input topic, what the host's envelope says. */
static void view(
    const struct host_lane *lane, const struct tap *tap, const struct batch_record *record, struct weir_record *ret) {
    struct envelope envelope;
    envelope_load_output(record->offset, &record->record, ret);
    if (!lane->host->by_uid[tap->uid] || envelope_load(&record->record, &envelope) != WEIR_OK) return;
    ret->kind = envelope.kind;
    ret->type = envelope.type;
    ret->time_ns = envelope.time_ns;
    ret->timer_id = envelope.timer_id;
}

/* Passes on the batch's records from tap->next. False: a ring is full; tap->next tells how far it came. */
static bool pass_on(struct host_lane *lane, struct tap *tap, struct weir_slice batch) {
    struct batch_reader reader;
    struct batch_header header;
    struct batch_record record;
    enum weir_error e = batch_open(&reader, batch, &header);
    while (e == WEIR_OK && batch_next(&reader, &record)) {
        if (record.offset < tap->next) continue;
        const struct weir_slice *key = &record.record.key;
        bool wanted = tap->key == WEIR_KEY_ANY || (key->size == 8 && load_be64(key->data) == tap->key);
        struct host_delivery d = {.kind = HOST_RECORD, .origin = tap->origin, .text = ""};
        view(lane, tap, &record, &d.record);
        if (wanted && !deliver(lane, &d)) return false;
        tap->next = record.offset + 1;
    }
    if (e == WEIR_OK && tap->next < header.next_offset) tap->next = header.next_offset;
    return true;
}

static bool go_live(struct host_lane *lane, struct tap *tap) {
    if (!tap->said_live && !say_live(lane, tap, WEIR_OK)) return false;
    tap->live = tap->said_live = true;
    lane->taps_catching--;
    return true;
}

static bool is_compressed(struct weir_slice batch) {
    struct batch_reader reader;
    struct batch_header header;
    return batch_open(&reader, batch, &header) == WEIR_E_UNSUPPORTED;
}

static bool serve_batch(struct host_lane *lane, const struct log_partition *partition, struct weir_slice batch) {
    if (partition->uid >= HOST_UIDS_MAX) return true;
    bool compressed = lane->host->taps[partition->uid] && is_compressed(batch);
    for (uint32_t i = lane->host->taps[partition->uid]; i;) {
        struct tap *tap = tap_at(lane, i - 1);
        i = tap->next_of_partition;
        if (compressed) { /* no lane decompresses: the read agent brings it, as to one that catches up */
            lane->taps_catching += tap->live;
            tap->live = false;
            continue;
        }
        if (!tap->live) {
            struct batch_reader reader;
            struct batch_header header;
            if (batch_open(&reader, batch, &header) != WEIR_OK || tap->next < header.base_offset) continue;
            if (!go_live(lane, tap)) return false;
        }
        if (!pass_on(lane, tap, batch)) return false;
    }
    return true;
}

bool host_taps_serve(struct host_lane *lane, struct held *held) {
    if (lane->taps.count == 0) return true;
    struct log_partition *partition;
    struct weir_slice batch;
    for (; held->plain_cursor < held->commit->batch_count; held->plain_cursor++) {
        log_commit_batch(held->commit, held->plain_cursor, &partition, &batch);
        if (!serve_batch(lane, partition, batch)) return false;
    }
    uint32_t cursor = held->output_cursor;
    while (log_commit_output_batch(held->commit, &cursor, &partition, &batch)) {
        if (!serve_batch(lane, partition, batch)) return false;
        held->output_cursor = cursor;
    }
    return true;
}

/* ---- taking off
 * ------------------------------------------------------------------------------------------------------ */
static void unlink_from(struct host_lane *lane, uint32_t *head, uint32_t index, bool of_session) {
    for (uint32_t *at = head; *at;) {
        struct tap *tap = tap_at(lane, *at - 1);
        uint32_t *next = of_session ? &tap->next_of_session : &tap->next_of_partition;
        if (*at == index + 1) {
            *at = *next;
            return;
        }
        at = next;
    }
}

static void take_off(struct host_lane *lane, uint32_t index) {
    struct tap *tap = tap_at(lane, index);
    unlink_from(lane, bucket_of(lane, &tap->origin), index, true);
    unlink_from(lane, &lane->host->taps[tap->uid], index, false);
    if (!tap->live) lane->taps_catching--;
    tap->number = 0;
    pool_give(&lane->taps, index);
}

static void take_off_all(struct host_lane *lane, const struct host_origin *origin, bool one) {
    for (uint32_t at = *bucket_of(lane, origin); at;) {
        uint32_t index = at - 1;
        const struct tap *tap = tap_at(lane, index);
        at = tap->next_of_session;
        const struct host_origin *o = &tap->origin;
        if (o->lane == origin->lane && o->slot == origin->slot && o->generation == origin->generation &&
            (!one || o->subscription == origin->subscription))
            take_off(lane, index);
    }
}

bool host_taps_unsubscribe(struct host_lane *lane, struct weir_slice message) {
    take_off_all(lane, (const void *)message.data, true);
    return true;
}

bool host_taps_forget(struct host_lane *lane, struct weir_slice message) {
    take_off_all(lane, (const void *)message.data, false);
    return true;
}

static void forget_everywhere(struct host_lane *lane, const struct host_origin *origin, bool one) {
    for (uint32_t i = 0; i < lane->host->lane_count; i++) {
        if (!(lane->tap_lanes >> i & 1)) continue;
        /* By mail to this lane too: the call may come while the taps are being served. Among the replies, which are
         * always taken; if even that ring is full the tap stays, and the edge drops what it brings to nobody. */
        struct host_origin *mail = mailbox_reserve(&lane->host->mailbox, MAIL_REPLY, lane->index, i, sizeof *mail);
        if (!mail) continue;
        *mail = *origin;
        mailbox_commit(
            &lane->host->mailbox, MAIL_REPLY, lane->index, i, sizeof *mail, one ? MAIL_UNSUBSCRIBE : MAIL_FORGET);
    }
}

void host_unsubscribe(struct host_lane *lane, const struct host_origin *origin) {
    forget_everywhere(lane, origin, true);
}

void host_forget(struct host_lane *lane, const struct host_origin *origin) {
    forget_everywhere(lane, origin, false);
}

/* ---- putting on
 * ------------------------------------------------------------------------------------------------------- */
static struct tap *put_on(struct host_lane *lane, const struct mail_subscribe *s) {
    uint32_t index = pool_take(&lane->taps);
    if (index == NONE) return NULL;
    struct tap *tap = tap_at(lane, index);
    *tap = (struct tap){.uid = s->partition->uid,
        .number = ++lane->tap_number,
        .partition = s->partition,
        .origin = s->origin,
        .key = s->key,
        .next = s->from == WEIR_FROM_NOW ? s->partition->next : s->from,
        .live = s->from == WEIR_FROM_NOW,
        .said_live = s->from == WEIR_FROM_NOW};
    uint32_t *bucket = bucket_of(lane, &s->origin), *head = &lane->host->taps[tap->uid];
    tap->next_of_session = *bucket;
    *bucket = index + 1;
    tap->next_of_partition = *head;
    *head = index + 1;
    if (!tap->live) lane->taps_catching++;
    return tap;
}

static enum weir_error check_from(const struct host_lane *lane, const struct mail_subscribe *s) {
    uint64_t start = atomic_load_explicit(&s->partition->start, memory_order_acquire);
    if (s->from == WEIR_FROM_NOW || (s->from >= start && s->from <= s->partition->next)) return WEIR_OK;
    if (!host_ready(lane->host)) return host_not_ready(s->partition);
    return weir_error_context(WEIR_E_OUT_OF_RANGE, "offset %llu is outside what %s has: %llu to %llu",
        (unsigned long long)s->from, s->partition->topic->name, (unsigned long long)start,
        (unsigned long long)s->partition->next);
}

/* The snapshot's answer waits for what it saw; the tap begins behind exactly that. */
static enum weir_error answer_snapshot(struct host_lane *lane, const struct mail_subscribe *s) {
    const struct host *host = lane->host;
    if (s->snapshot.service >= host->service_count ||
        s->snapshot.partition >= host->services[s->snapshot.service].partition_count)
        return weir_error_context(WEIR_E_NOT_FOUND, "there is no partition %u", s->snapshot.partition);
    struct host_partition *p = &host->partitions[host->services[s->snapshot.service].first + s->snapshot.partition];
    if (host->writers[s->partition->uid] != p || s->from != WEIR_FROM_NOW)
        return weir_error_context(
            WEIR_E_INVALID, "a snapshot goes with the live end of an output of its own partition");
    struct host_query query = {.query = s->snapshot.query,
        .descriptor = s->snapshot.descriptor,
        .packed = weir_slice(s + 1, s->snapshot.packed_size)};
    host_query_load_who(&s->snapshot, &query);
    struct weir_answer answer;
    enum weir_error e = host_query_run(p, &query, &answer);
    if (e != WEIR_OK) return e;
    struct host_delivery d = {.kind = HOST_ANSWER,
        .origin = s->snapshot.origin,
        .status = answer.status,
        .text = "",
        .value = weir_answer_slice(&answer)};
    return host_lane_deliver(lane, &d, p->last_commit);
}

static enum weir_error subscribe(struct host_lane *lane, const struct mail_subscribe *s) {
    if (s->partition->uid >= HOST_UIDS_MAX) return weir_error_context(WEIR_E_UNSUPPORTED, "too many partitions");
    enum weir_error e = check_from(lane, s);
    if (e == WEIR_OK && lane->taps.count >= TAPS_MAX)
        e = weir_error_context(WEIR_E_FULL, "%u subscriptions on one lane", TAPS_MAX);
    if (e == WEIR_OK && s->snapshot.query) e = answer_snapshot(lane, s);
    if (e == WEIR_OK) WEIR_ASSERT(put_on(lane, s));
    return e;
}

bool host_taps_subscribe(struct host_lane *lane, struct weir_slice message) {
    const struct mail_subscribe *s = (const void *)message.data;
    enum weir_error e = subscribe(lane, s);
    if (e == WEIR_OK) return true;
    const struct tap refused = {.origin = s->origin};
    return say_live(lane, &refused, e);
}

enum weir_error host_subscribe(struct host_lane *lane, const struct host_subscription *subscription) {
    struct log_topic *topic = log_topic_find(lane->host->log, subscription->topic);
    if (!topic || subscription->partition >= topic->partition_count)
        return weir_error_context(
            WEIR_E_NOT_FOUND, "there is no topic %s with partition %u", subscription->topic, subscription->partition);
    const struct host_query *snapshot = subscription->snapshot;
    struct mail_subscribe s = {.partition = topic->partitions[subscription->partition],
        .key = subscription->key,
        .from = subscription->from,
        .origin = subscription->origin};
    if (snapshot)
        s.snapshot = (struct mail_query){.query = snapshot->query,
            .descriptor = snapshot->descriptor,
            .origin = snapshot->origin,
            .service = snapshot->service,
            .partition = snapshot->partition,
            .packed_size = (uint32_t)snapshot->packed.size};
    if (snapshot) host_query_store_who(snapshot, &s.snapshot);
    struct host_lane *writer = host_writer(lane->host, s.partition);
    size_t size = sizeof s + s.snapshot.packed_size;
    if (size > MAIL_MESSAGE_MAX) return weir_error_context(WEIR_E_TOO_LARGE, "a query of %zu bytes", size);
    /* To the own lane too: the answer and the records must not come inside this call. */
    struct mail_subscribe *mail = mailbox_reserve(&lane->host->mailbox, MAIL_REQUEST, lane->index, writer->index, size);
    if (!mail) return weir_error_context(WEIR_E_FULL, "lane %u has too many requests to take", writer->index);
    *mail = s;
    if (s.snapshot.packed_size) memcpy(mail + 1, snapshot->packed.data, s.snapshot.packed_size);
    mailbox_commit(&lane->host->mailbox, MAIL_REQUEST, lane->index, writer->index, size, MAIL_SUBSCRIBE);
    lane->tap_lanes |= (uint64_t)1 << writer->index;
    lane->again = true;
    return WEIR_OK;
}

/* ---- catching up
 * -------------------------------------------------------------------------------------------------------- */
static bool ask(struct host_lane *lane, uint32_t index, struct tap *tap) {
    uint32_t to = host_read_endpoint(lane->host);
    struct mail_read *mail = mailbox_reserve(&lane->host->mailbox, MAIL_REQUEST, lane->index, to, sizeof *mail);
    if (!mail) return false;
    *mail = (struct mail_read){.partition = tap->partition,
        .offset = tap->next,
        .bytes_max = TAP_READ_BYTES,
        .tap = index,
        .tap_number = tap->number,
        .is_tap = true};
    mailbox_commit(&lane->host->mailbox, MAIL_REQUEST, lane->index, to, sizeof *mail, MAIL_READ);
    tap->reading = true;
    return true;
}

uint32_t host_taps_pace(struct host_lane *lane) {
    uint32_t work = 0;
    if (lane->taps_catching == 0) return 0;
    for (uint32_t i = 0; i < lane->taps.fresh; i++) {
        struct tap *tap = tap_at(lane, i);
        if (tap->number == 0 || tap->live || tap->reading) continue;
        if (tap->next < atomic_load_explicit(&tap->partition->high, memory_order_acquire)) {
            work += ask(lane, i, tap);
        } else if (tap->next == tap->partition->next && host_lane_flight(lane, 0) == NULL) {
            work += go_live(lane, tap); /* nothing newer exists */
        }
    }
    lane->retry = true; /* until all are live, look again soon */
    return work;
}

bool host_taps_caught(struct host_lane *lane, struct weir_slice message) {
    const struct mail_caught *caught = (const void *)message.data;
    struct tap *tap = caught->tap < lane->taps.fresh ? tap_at(lane, caught->tap) : NULL;
    if (!tap || tap->number != caught->tap_number || tap->live) return true; /* gone, or live by now */
    if (caught->error != WEIR_OK) {
        (void)weir_error_context(caught->error, "the log cannot be read at offset %llu", (unsigned long long)tap->next);
        if (!say_live(lane, tap, caught->error)) return false;
        take_off(lane, caught->tap);
        return true;
    }
    if (caught->offset > tap->next) tap->next = caught->offset; /* what was lost in a crash is passed over */
    const uint8_t *bytes = (const uint8_t *)(caught + 1);
    for (size_t at = 0; at < caught->size;) {
        struct batch_reader reader;
        struct batch_header header;
        struct weir_slice batch = weir_slice(bytes + at, caught->size - at);
        enum weir_error e = batch_open(&reader, batch, &header);
        if (e != WEIR_OK) {
            if (!say_live(lane, tap, e)) return false;
            take_off(lane, caught->tap);
            return true;
        }
        if (!pass_on(lane, tap, batch)) return false;
        at += header.size;
    }
    tap->reading = false;
    return true;
}
