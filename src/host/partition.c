#include "host/partition.h"
#include "base/assert.h"
#include "host/lane.h"
#include "host/mailbox.h"
#include "host/node.h"
#include "host/poison.h"
#include "host/traced.h"

#define CATCH_UP_RECORDS 8192u

/* ---- facts ----------------------------------------------------------------------------------------------------- */
void host_partition_publish(struct host_partition *p) {
    struct partition_facts *f = &p->facts;
    const struct fold *fold = &p->fold;
    atomic_store_explicit(&f->digest, fold_digest(fold), memory_order_relaxed);
    atomic_store_explicit(&f->emission, fold->emission.state, memory_order_relaxed);
    atomic_store_explicit(&f->bytes_applied, p->bytes_applied, memory_order_relaxed);
    atomic_store_explicit(&f->version, fold->in_force.version, memory_order_relaxed);
    atomic_store_explicit(&f->emits_acked, outbox_acked_below(&p->outbox, fold->applied), memory_order_release);
    atomic_store_explicit(&f->applied, fold->applied, memory_order_release);
    uint64_t next_ns = timers_next_ns(&fold->timers);
    if (next_ns == UINT64_MAX) return;
    /* Record time runs at most 1/8 faster than the monotonic clock. */
    uint64_t time_ns = p->clock.ns, gap = next_ns > time_ns ? (next_ns - time_ns) / 9 * 8 : 0;
    uint64_t mono_ns = p->clock.mono_ns + gap;
    if (mono_ns < p->lane->timer_next_mono_ns) p->lane->timer_next_mono_ns = mono_ns;
}

void host_partition_acked(struct host_partition *p, uint64_t position) {
    outbox_acked(&p->outbox, position);
    uint64_t below = outbox_acked_below(&p->outbox, p->fold.applied);
    atomic_store_explicit(&p->facts.emits_acked, below, memory_order_release);
}

uint64_t host_partition_time(struct host_partition *p) {
    return clock_read(&p->clock, p->lane->mono_ns, p->lane->wall_ns);
}

/* ---- apply ------------------------------------------------------------------------------------------------------- */
static bool has_room(const struct host_partition *p, const struct held *held) {
    return log_commit_output_room(held->commit) >= p->output_needed && held_room(held) >= p->held_needed &&
           (!p->outbox.memory || outbox_fits(&p->outbox, p->fold.service->emits_max));
}

static void reply(struct host_partition *p, struct held *held, const struct host_origin *origin, uint64_t offset,
    bool joined, bool conflict) {
    const struct weir_out *out = &p->lane->out;
    struct host_delivery d = {.kind = HOST_REPLY,
        .origin = *origin,
        .text = "",
        .offset = offset,
        .status = 200,
        .repeated = joined,
        .service = (uint16_t)(p->owner->index + 1),
        .partition = p->index};
    if (conflict) {
        d.error = WEIR_E_KEY_REUSED;
        d.status = (uint16_t)weir_error_http(d.error);
    } else if (out->replied) {
        d.status = out->reply_status;
        d.value = weir_slice(out->reply, out->reply_size);
    }
    WEIR_ASSERT(held_delivery(held, &d)); /* has_room() saw to it */
}

/* ---- late replies: late.h ---- */
static void refuse_late(
    struct held *held, const struct host_origin *origin, uint64_t offset, enum weir_error error, const char *why) {
    struct host_delivery d = {.kind = HOST_REPLY,
        .origin = *origin,
        .error = error,
        .status = (uint16_t)weir_error_http(error),
        .text = why,
        .offset = offset};
    WEIR_ASSERT(held_delivery(held, &d)); /* has_room() saw to it */
}

/* Its sender goes on waiting. A duplicate that joined it does not: what it would get belongs to one. */
static void keep_waiting(struct host_partition *p, struct held *held, const struct waiter *waiter) {
    for (uint32_t i = waiter->joined; i != POOL_NONE;) {
        const struct waiter_joined *joined = waiters_joined(&p->waiters, i);
        refuse_late(held, &joined->origin, waiter->offset, WEIR_E_AGAIN, "the first request of this key still waits");
        i = joined->next;
    }
    if (!waiter->wants_reply) return;
    if (atomic_load_explicit(&p->host->late_ended, memory_order_acquire))
        refuse_late(held, &waiter->origin, waiter->offset, WEIR_E_CLOSED, "the node is stopping");
    else if (!late_add(&p->late, waiter->offset, &waiter->origin))
        refuse_late(held, &waiter->origin, waiter->offset, WEIR_E_FULL, "too many requests wait for something to come");
}

static void answer_late(struct host_partition *p, struct held *held) {
    const struct weir_out *out = &p->lane->out;
    for (uint32_t i = 0; i < out->late_count; i++) {
        const struct out_late *late = &out->late[i];
        struct host_delivery d = {.kind = HOST_REPLY,
            .text = "",
            .offset = late->ticket,
            .status = late->status,
            .service = (uint16_t)(p->owner->index + 1),
            .partition = p->index,
            .value = weir_slice(late->data, late->size)};
        if (late_take(&p->late, late->ticket, &d.origin)) WEIR_ASSERT(held_delivery(held, &d));
    }
}

bool host_partition_end_late(struct host_partition *p) {
    struct host_delivery d = {.kind = HOST_REPLY,
        .error = WEIR_E_CLOSED,
        .status = (uint16_t)weir_error_http(WEIR_E_CLOSED),
        .text = "the node is stopping"};
    while (late_tell(&p->late, &d.offset, &d.origin)) {
        if (host_lane_deliver(p->lane, &d, p->last_commit) == WEIR_OK) continue;
        late_untold(&p->late, d.offset);
        return false;
    }
    return true;
}

static void answer_waiters(struct host_partition *p, struct held *held, uint64_t offset) {
    if (p->lane->out.late_count) answer_late(p, held);
    const struct waiter *waiter = waiters_at(&p->waiters, offset);
    if (!waiter) return;
    if (p->lane->out.later) {
        keep_waiting(p, held, waiter);
        waiters_pop(&p->waiters);
        metric_set(&p->lane->metrics.waiting, metric_get(&p->lane->metrics.waiting) - 1);
        return;
    }
    if (waiter->wants_reply) reply(p, held, &waiter->origin, offset, false, false);
    for (uint32_t i = waiter->joined; i != POOL_NONE;) {
        const struct waiter_joined *joined = waiters_joined(&p->waiters, i);
        reply(p, held, &joined->origin, offset, true, joined->conflict);
        i = joined->next;
    }
    waiters_pop(&p->waiters);
    metric_set(&p->lane->metrics.waiting, metric_get(&p->lane->metrics.waiting) - 1);
}

WEIR_COLD void host_partition_refuse(struct host_partition *p, enum weir_error e) {
    (void)e;
    p->host->sys->fatal(p->host->sys, weir_error_text());
    p->parked = true;
}

/* Replayed, or as far as it goes. */
static void count_ready(struct host_partition *p) {
    p->replaying = false;
    atomic_store_explicit(&p->facts.replaying, false, memory_order_release);
    if (!p->counted) atomic_fetch_add_explicit(&p->host->partitions_ready, 1, memory_order_acq_rel);
    p->counted = true;
}

static void count_replayed(struct host_partition *p) {
    if (!p->replayed) atomic_fetch_add_explicit(&p->host->partitions_replayed, 1, memory_order_acq_rel);
    p->replayed = true;
}

static WEIR_COLD void park(struct host_partition *p) {
    p->parked = true;
    count_replayed(p);
    atomic_store_explicit(&p->facts.takes_emits, true, memory_order_release);
    atomic_store_explicit(&p->facts.parked_offset, p->park_at, memory_order_relaxed);
    atomic_store_explicit(&p->facts.parked, true, memory_order_release);
    metric_set(&p->lane->metrics.parked, metric_get(&p->lane->metrics.parked) + 1);
    count_ready(p);
    host_report(p->host, "service %s, partition %u is parked in front of record %llu, which crashed the node twice",
        p->fold.service->name, p->index, (unsigned long long)p->park_at);
}

static bool is_skipped(const struct host_partition *p, uint64_t offset) {
    for (uint32_t i = 0; i < p->skip_count; i++)
        if (p->skips[i] == offset) return true;
    return false;
}

void host_partition_skip(struct host_partition *p, uint64_t offset) {
    if (!p->parked || offset != p->park_at || p->skip_count == FOLD_SKIPS_MAX) return;
    p->skips[p->skip_count] = offset;
    atomic_store_explicit(&p->skip_count, p->skip_count + 1, memory_order_release);
    p->fold.options.skips[p->fold.options.skip_count++] = offset;
    /* The tail may hold another one; notes beyond it are of records that never were. */
    do
        p->park_at = poison_next(p->host->poison, p->log->uid, offset + 1, p->replay_end);
    while (p->park_at != UINT64_MAX && is_skipped(p, offset = p->park_at));
    p->parked = false;
    p->replaying = p->fold.applied < p->replay_end;
    atomic_store_explicit(&p->facts.parked, false, memory_order_release);
    metric_set(&p->lane->metrics.parked, metric_get(&p->lane->metrics.parked) - 1);
    host_lane_lag(p->lane, p);
}

static bool apply_one(struct host_partition *p, struct held *held, const struct batch_record *record) {
    struct weir_out *out = &p->lane->out;
    struct fold_applied applied;
    uint64_t traced_ns = traced_begin(p, record);
    poison_mark(p->log->uid, record->offset);
    enum weir_error e = fold_apply(&p->fold, record, out, &applied);
    poison_clear();
    if (WEIR_UNLIKELY(e != WEIR_OK)) {
        host_partition_refuse(p, e);
        return false;
    }
    if (WEIR_UNLIKELY(applied.passed_over)) metric_add(&p->lane->metrics.records_passed_over, 1);
    if (traced_ns) traced_hold(p, held, traced_ns, record->offset, &applied.envelope);
    answer_waiters(p, held, record->offset);
    p->bytes_applied += record->record.value.size + record->record.key.size;
    return true;
}

/* Applies what it can of one batch. False: no room, or the end of the road. */
static bool apply_batch(
    struct host_partition *p, struct held *held, struct weir_slice batch, uint32_t *ret_applied, size_t *ret_size) {
    struct batch_reader reader;
    struct batch_header header;
    struct batch_record record;
    enum weir_error e = batch_open(&reader, batch, &header);
    uint64_t from = p->fold.applied;
    bool going = e == WEIR_OK;
    if (e != WEIR_OK) host_partition_refuse(p, e);
    struct weir_out *out = &p->lane->out;
    out->fold = &p->fold;
    out->sink = &p->sink;
    out->commit = held->commit;
    out->replaying = p->replaying;
    while (going && batch_next(&reader, &record)) {
        if (record.offset < p->fold.applied) continue;
        if (WEIR_UNLIKELY(record.offset >= p->park_at)) {
            park(p);
            going = false;
        } else {
            going = has_room(p, held) && apply_one(p, held, &record);
        }
    }
    *ret_applied = (uint32_t)(p->fold.applied - from);
    *ret_size = e == WEIR_OK ? header.size : 0;
    metric_add(&p->lane->metrics.records_applied, *ret_applied);
    return going;
}

/* After a run of records whose outputs went to `held`. */
static void settle(struct host_partition *p, struct held *held, uint64_t emits_before) {
    p->last_commit = held->sequence;
    if (p->timer_offset < p->fold.applied) p->timer_offset = UINT64_MAX;
    if (p->outbox.tail != emits_before) WEIR_ASSERT(held_mark(held, HELD_EMITS, p->number, p->outbox.tail));
    host_partition_publish(p);
}

static bool contains(struct weir_slice batch, uint64_t offset) {
    struct batch_reader reader;
    struct batch_header header;
    return batch_open(&reader, batch, &header) == WEIR_OK && header.base_offset <= offset &&
           offset < header.next_offset;
}

void host_partition_apply(struct host_partition *p, struct held *held, struct weir_slice batch) {
    uint32_t applied;
    size_t size;
    uint64_t emits_before = p->outbox.tail;
    if (!p->parked && !p->replaying && !p->cautious && contains(batch, p->fold.applied)) {
        apply_batch(p, held, batch, &applied, &size);
        settle(p, held, emits_before);
    }
    if (p->fold.applied < p->submitted && !p->parked) host_lane_lag(p->lane, p);
}

/* ---- catching up ----------------------------------------------------------------------------------------------- */
bool host_partition_may_catch_up(const struct host_partition *p) {
    if (p->parked || p->fold.applied >= p->submitted) return false;
    if (p->outbox.memory && !outbox_fits(&p->outbox, p->fold.service->emits_max)) return false;
    if (p->fold.applied < atomic_load_explicit(&p->log->high, memory_order_acquire)) return true;
    return p->lane->flight_count > 0 && !p->cautious;
}

static void finish_replay(struct host_partition *p) {
    if (!p->replaying || p->fold.applied < p->replay_end) return;
    p->replaying = false;
    count_replayed(p);
}

/* From commits that are still in memory. */
static uint32_t apply_flights(struct host_partition *p, struct held *held) {
    struct host_lane *lane = p->lane;
    uint32_t applied, total = 0;
    size_t size;
    for (uint32_t i = 0; i < lane->flight_count; i++) {
        struct log_commit *commit = lane->flight[i]->commit;
        for (uint32_t b = 0; b < commit->batch_count; b++) {
            struct log_partition *log_partition;
            struct weir_slice batch;
            log_commit_batch(commit, b, &log_partition, &batch);
            if (log_partition != p->log || !contains(batch, p->fold.applied)) continue;
            bool going = apply_batch(p, held, batch, &applied, &size);
            total += applied;
            if (!going) return total;
        }
    }
    return total;
}

static uint32_t apply_stored(struct host_partition *p, struct held *held) {
    struct host_lane *lane = p->lane;
    size_t size = 0, at = 0;
    enum weir_error e =
        log_read(p->host->log, p->log, p->fold.applied, true, lane->read_buffer, LANE_READ_BYTES, &size);
    if (e != WEIR_OK) {
        host_partition_refuse(
            p, weir_error_wrap(e, "service %s, partition %u cannot replay", p->fold.service->name, p->index));
        return 0;
    }
    uint32_t applied, total = 0;
    size_t batch_size;
    bool going = true;
    while (going && at < size && total < CATCH_UP_RECORDS) {
        going = apply_batch(p, held, weir_slice(lane->read_buffer + at, size - at), &applied, &batch_size);
        at += batch_size;
        total += applied;
    }
    return total;
}

uint32_t host_partition_catch_up(struct host_partition *p, struct held *held) {
    uint64_t emits_before = p->outbox.tail;
    uint32_t applied = p->replaying || p->cautious ? 0 : apply_flights(p, held);
    if (applied == 0 && p->fold.applied < atomic_load_explicit(&p->log->high, memory_order_acquire))
        applied = apply_stored(p, held);
    finish_replay(p);
    settle(p, held, emits_before);
    return applied;
}

/* ---- appends of the host's own ----------------------------------------------------------------------------------- */
enum weir_error host_partition_append(struct host_partition *p, const struct envelope *envelope, struct weir_slice key,
    struct weir_slice value, uint64_t *ret_offset) {
    uint8_t header[ENVELOPE_SIZE_MAX];
    struct envelope timed = *envelope;
    timed.time_ns = host_partition_time(p);
    struct log_record record = {
        .time_ms = timed.time_ns / SYS_NANOS_PER_MS,
        .key = key,
        .value = value,
        .header_key = weir_slice(ENVELOPE_KEY, sizeof ENVELOPE_KEY - 1),
        .header_value = weir_slice(header, envelope_store(&timed, header)),
    };
    size_t reserve = envelope->kind == WEIR_RECORD_COMMAND ? LANE_COMMAND_RESERVE : 0;
    uint64_t offset;
    enum weir_error e = host_lane_append(p->lane, p->log, &record, reserve, &offset);
    if (e == WEIR_OK && ret_offset) *ret_offset = offset;
    return e;
}

/* Replayed outputs are derived now and stored later. Before they are, a reader who had them in the last life would be
 * told that its offset is beyond the end. */
static bool outputs_stored(const struct host_partition *p) {
    for (uint32_t row = 0; row < FOLD_TOPICS_MAX; row++) {
        const struct log_partition *output = p->sink.outputs[row];
        if (output && atomic_load_explicit(&output->high, memory_order_acquire) < output->next) return false;
    }
    return true;
}

bool host_partition_announce(struct host_partition *p) {
    finish_replay(p);
    /* Nothing of this version is written before every partition could be replayed by it: else the one that can't, and
     * those that were announced, would each need another version, and no binary could start any more. */
    uint32_t replayed = atomic_load_explicit(&p->host->partitions_replayed, memory_order_acquire);
    if (replayed < p->host->partition_count || !outputs_stored(p)) {
        p->lane->retry = true;
        return false;
    }
    struct in_force today;
    const struct in_force *then = &p->fold.in_force;
    const struct settings *settings = atomic_load_explicit(&p->host->offered, memory_order_acquire);
    const struct weir_setting_value *values =
        settings ? settings_of(settings, p->fold.service->name) : p->owner->values;
    if (in_force_from(&today, p->fold.service, values, then->epoch + 1) != WEIR_OK) return false;
    /* The tickets of late replies are of the last life. */
    bool forgets = p->fold.service->replies_max > 0;
    if (then->version == 0 || p->host->may_have_lost || forgets || !in_force_same(then, &today, p->fold.service)) {
        enum weir_error e = host_partition_put_settings(p, &today);
        if (e == WEIR_E_NO_SPACE) count_ready(p); /* it takes no commands yet, but who reads or frees space is served */
        if (e != WEIR_OK) return false;
    }
    p->settled = settings;
    p->announced = true;
    atomic_store_explicit(&p->facts.takes_emits, true, memory_order_release);
    count_ready(p);
    host_partition_publish(p);
    return true;
}

uint32_t host_partition_fire(struct host_partition *p) {
    struct timer due[256];
    if (p->timer_offset != UINT64_MAX || !p->announced || p->parked) return 0;
    uint64_t now_ns = host_partition_time(p);
    uint32_t count = timers_due(&p->fold.timers, now_ns, 256, due), fired = 0;
    for (; fired < count; fired++) {
        struct envelope envelope = {.kind = WEIR_RECORD_TIMER, .timer_id = due[fired].id};
        uint64_t offset;
        if (host_partition_append(p, &envelope, (struct weir_slice){0}, (struct weir_slice){0}, &offset) != WEIR_OK)
            break;
        p->timer_offset = offset;
    }
    host_partition_publish(p); /* when the next one is due */
    if (fired < count) p->lane->retry = true;
    return fired;
}

/* ---- commands
 * -------------------------------------------------------------------------------------------------------- */
static enum weir_error admit(const struct host_partition *p) {
    uint32_t phase = atomic_load_explicit(&p->host->phase, memory_order_acquire);
    if (phase >= HOST_DRAINING) return weir_error_context(WEIR_E_CLOSED, "the node is stopping");
    const char *name = p->fold.service->name;
    if (p->parked)
        return weir_error_context(WEIR_E_PARKED,
            "partition %u of %s stopped at record %llu, which crashed the node twice; weir service skip %s --partition "
            "%u --offset %llu passes over it",
            p->index, name, (unsigned long long)p->park_at, name, p->index, (unsigned long long)p->park_at);
    if (!p->announced && p->counted)
        return weir_error_context(WEIR_E_NO_SPACE, "partition %u of %s waits for space on the disk", p->index, name);
    if (!p->announced)
        return weir_error_context(WEIR_E_CLOSED, "partition %u of %s is replaying its log", p->index, name);
    if (waiters_full(&p->waiters))
        return weir_error_context(WEIR_E_FULL, "%u commands of partition %u of %s wait for the disk",
            waiters_count(&p->waiters), p->index, name);
    return WEIR_OK;
}

/* A key seen before. True: answered (ret_error tells) without an append. */
static bool repeated(struct host_partition *p, const struct host_command *command, struct weir_slice packed_key,
    const struct waiter_key *key, enum weir_error *ret_error) {
    const uint64_t *body = command->idempotency.body_hash;
    struct waiter *waiter = waiters_find(&p->waiters, key);
    if (waiter) {
        bool conflict = waiter->key.body_hash[0] != body[0] || waiter->key.body_hash[1] != body[1];
        *ret_error = waiters_join(&p->waiters, waiter, &command->origin, conflict)
                         ? WEIR_OK
                         : weir_error_context(WEIR_E_FULL, "too many repetitions of one request wait for its reply");
        return true;
    }
    const struct idempotency_entry *entry = idempotency_find(&p->fold.idempotency, packed_key);
    if (!entry) return false;
    struct host_delivery d = {.kind = HOST_REPLY,
        .origin = command->origin,
        .text = "",
        .offset = entry->offset,
        .status = entry->replied ? entry->status : 200,
        .repeated = true,
        .value = idempotency_value(entry)};
    if (entry->body_hash[0] != body[0] || entry->body_hash[1] != body[1]) {
        d.error = WEIR_E_KEY_REUSED;
    } else if (!entry->replied && entry->status == IDEMPOTENCY_SKIPPED) {
        d.error = WEIR_E_SKIPPED;
    }
    if (d.error) {
        d.status = (uint16_t)weir_error_http(d.error);
        d.value = (struct weir_slice){0};
    }
    *ret_error = host_lane_deliver(p->lane, &d, p->last_commit);
    return true;
}

enum weir_error host_partition_submit(
    struct host_partition *p, const struct host_command *command, struct weir_slice packed_key) {
    enum weir_error e = admit(p);
    if (e != WEIR_OK) return e;
    struct waiter waiter = {.origin = command->origin, .wants_reply = command->wants_reply};
    if (packed_key.size) {
        const struct idempotency *table = &p->fold.idempotency;
        waiter.key.hash[0] = idempotency_hash(table, packed_key) | 1;
        waiter.key.hash[1] =
            siphash13(packed_key.data, packed_key.size, table->options.secret[1], table->options.secret[0]);
        memcpy(waiter.key.body_hash, command->idempotency.body_hash, sizeof waiter.key.body_hash);
        if (repeated(p, command, packed_key, &waiter.key, &e)) return e;
    }
    struct envelope envelope = {
        .kind = WEIR_RECORD_COMMAND, .type = command->command.type, .key = packed_key, .trace = command->trace};
    memcpy(envelope.body_hash, command->idempotency.body_hash, sizeof envelope.body_hash);
    e = host_partition_append(p, &envelope, command->command.key, command->command.value, &waiter.offset);
    if (e != WEIR_OK) return e;
    if (command->wants_reply || packed_key.size) {
        waiters_add(&p->waiters, &waiter);
        metric_set(&p->lane->metrics.waiting, metric_get(&p->lane->metrics.waiting) + 1);
    }
    metric_add(&p->lane->metrics.commands, 1);
    return WEIR_OK;
}
