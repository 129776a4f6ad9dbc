/* See topics.h. */
#include "sim/topics.h"

#include "host/batch.h"
#include "sim/frame.h"
#include "sim/workload.h"

#define ULL(x) ((unsigned long long)(x))

uint64_t topics_wall_ms(const struct topics *t) {
    return t->sim->sys->wall_ns(t->sim->sys) / SYS_NANOS_PER_MS;
}

static uint32_t clock_jumps(const struct topics *t) {
    return (uint32_t)sys_sim_faults(t->sim->sys, SYS_SIM_FAULT_CLOCK);
}

void topic_change(struct sim_topic *topic, enum topic_state state) {
    topic->state = state;
    topic->changes++;
}

/* ---- what was asked and heard -------------------------------------------------------------------------------- */
uint64_t topics_record(struct topics *t, uint32_t topic, uint32_t partition, uint32_t size) {
    WEIR_ASSERT(topics_room(t, 1));
    t->records[t->count] = (struct sim_record){.fate = RECORD_DOUBT,
        .topic = (uint8_t)topic,
        .partition = (uint8_t)partition,
        .size = size,
        .first = t->topics[topic].incarnation,
        .last = UINT32_MAX,
        .jumps = clock_jumps(t),
        .sent_ms = topics_wall_ms(t),
        .seen = TOPICS_NOT_SEEN};
    return t->count++;
}

uint64_t topics_some_records(struct topics *t, uint32_t topic, uint32_t partition, uint32_t *ret_count) {
    uint64_t first = t->count;
    *ret_count = 1 + sim_pick(t->sim, TOPICS_BATCH_MAX);
    for (uint32_t i = 0; i < *ret_count; i++) {
        uint32_t size = sim_pick(t->sim, 200);
        if (sim_percent(t->sim, 20)) size = 0;
        if (sim_percent(t->sim, 5)) size = sim_pick(t->sim, 6000);
        topics_record(t, topic, partition, size);
    }
    return first;
}

static uint64_t newest_frame(const struct topics *t) {
    return node_is_open(&t->sim->node) ? sim_newest_frame(t->sim->node.log) : t->frame_last;
}

void topics_heard(struct topics *t, uint64_t first, uint32_t count, enum record_fate fate, uint64_t offset) {
    for (uint32_t i = 0; i < count; i++) {
        struct sim_record *r = &t->records[first + i];
        uint32_t now = t->topics[r->topic].incarnation;
        if (r->fate != RECORD_DOUBT) continue; /* a reader was faster */
        /* Answered while its topic was made anew: it may be in either, and neither owes it. */
        if (fate == RECORD_ACKED && r->first != now) fate = RECORD_DOUBT;
        if (fate != RECORD_DOUBT) r->last = now;
        r->fate = (uint8_t)fate;
        r->offset = offset + i;
        r->frame = newest_frame(t);
        r->life = t->life;
    }
}

/* A wrong sequence is right where nobody knows the producer: in a topic made anew while the request was under way. */
static bool arrived_late(const struct sim_record *r, const struct sim_topic *topic) {
    return r->resent && topic->incarnation > r->first;
}

bool topics_saw(struct topics *t, uint32_t topic, uint32_t partition, uint64_t offset, uint64_t n) {
    struct sim_record *r = &t->records[n];
    const struct sim_topic *of = &t->topics[topic];
    t->sim->tally.records_checked++;
    if (r->topic != topic || r->partition != partition)
        sim_fail(t->sim, "a reader finds record %llu in %s-%u; it was sent to %s-%u", ULL(n), of->name, partition,
            t->topics[r->topic].name, r->partition);
    else if (r->fate == RECORD_ABSENT && !arrived_late(r, of))
        sim_fail(t->sim, "a reader finds record %llu, which was refused or never sent, in %s-%u at offset %llu", ULL(n),
            of->name, partition, ULL(offset));
    else if (r->fate != RECORD_DOUBT && r->last == of->incarnation && r->offset != offset)
        sim_fail(t->sim, "a reader finds record %llu in %s-%u at offset %llu; it was acknowledged at %llu", ULL(n),
            of->name, partition, ULL(offset), ULL(r->offset));
    else if (of->incarnation < r->first || (of->incarnation > r->last && !r->resent))
        sim_fail(t->sim, "a reader finds record %llu of an earlier %s in the present one", ULL(n), of->name);
    if (r->fate == RECORD_DOUBT && !t->sim->failed) {
        r->first = of->incarnation;
        topics_heard(t, n, 1, RECORD_ACKED, offset);
    }
    return !t->sim->failed;
}

static bool blameless(const struct topics *t) {
    uint64_t faults = sim_damages(t->sim);
    for (int f = SYS_SIM_FAULT_READ; f <= SYS_SIM_FAULT_SPACE; f++)
        faults += sys_sim_faults(t->sim->sys, (enum sys_sim_fault)f);
    return faults == 0;
}

/* A stop's patience may end while the work agent is held up in the middle of an operator's order: what was done is
 * told, and the record of its outcome finds the lanes closed. */
static bool was_overtaken_by_a_stop(const struct topics *t, const struct client *client) {
    static const char says[] = "it was done, and could not be recorded: the node is stopping";
    return t->sim->node.stop_wanted && memmem(client->body.data, client->body.size, says, sizeof says - 1) != NULL;
}

void topics_judge(struct topics *t, const struct client *client, const struct sim_topic *topic, uint32_t changes) {
    int size = (int)client->body.size;
    if (client->status == 404 && topic && topic_stands(topic, changes))
        sim_fail(t->sim, "the topic %s was made and is gone: %.*s", topic->name, size, client->body.data);
    if (client->status == 500 && blameless(t) && !was_overtaken_by_a_stop(t, client))
        sim_fail(t->sim, "an answer 500 with no fault to blame: %.*s", size, client->body.data);
}

/* ---- the log as it is after a recovery ----------------------------------------------------------------------- */
struct looking {
    struct topics *t;
    uint32_t topic, partition;
    uint64_t wanted_ms, found; /* the first record of that time or later */
    uint64_t last_ms;
    bool rises; /* times do, up to here */
};

static bool judge_place(struct looking *l, uint64_t n, unsigned long long offset) {
    struct topics *t = l->t;
    const struct sim_topic *topic = &t->topics[l->topic];
    const struct sim_record *r = &t->records[n];
    bool acked_here = r->fate == RECORD_ACKED && r->last == topic->incarnation;
    if (r->topic != l->topic || r->partition != l->partition)
        sim_fail(t->sim, "record %llu was sent to %s-%u and is in %s-%u", ULL(n), t->topics[r->topic].name,
            r->partition, topic->name, l->partition);
    else if (r->fate == RECORD_ABSENT && !arrived_late(r, topic))
        sim_fail(t->sim, "record %llu was refused or never sent, and is in %s-%u at offset %llu", ULL(n), topic->name,
            l->partition, offset);
    else if (topic->incarnation < r->first || (topic->incarnation > r->last && !r->resent))
        sim_fail(
            t->sim, "record %llu of an earlier %s is in the present one at offset %llu", ULL(n), topic->name, offset);
    else if (r->seen != TOPICS_NOT_SEEN)
        sim_fail(t->sim, "record %llu is doubled: at offsets %llu and %llu of %s-%u", ULL(n), ULL(r->seen), offset,
            topic->name, l->partition);
    else if (acked_here && r->offset != offset)
        sim_fail(t->sim, "record %llu is at offset %llu of %s-%u, acknowledged was %llu", ULL(n), offset, topic->name,
            l->partition, ULL(r->offset));
    return !t->sim->failed;
}

static bool look_at(void *ctx, const struct batch_record *record) {
    struct looking *l = ctx;
    struct topics *t = l->t;
    uint64_t n = 0;
    t->sim->tally.records_checked++;
    if (!topics_identify(t, record->record.key, record->record.value, &n)) {
        sim_fail(t->sim, "%s-%u holds at offset %llu what nobody sent", t->topics[l->topic].name, l->partition,
            ULL(record->offset));
        return false;
    }
    if (record->record.time_ms < l->last_ms) l->rises = false;
    l->last_ms = record->record.time_ms;
    if (l->found == UINT64_MAX && record->record.time_ms >= l->wanted_ms) l->found = record->offset;
    if (!judge_place(l, n, record->offset)) return false;
    t->records[n].seen = record->offset;
    return true;
}

/* Starts only rise; whatever is kept by bytes still has as many. */
static void check_start(struct topics *t, struct sim_topic *topic, uint32_t partition, const struct log_partition *p) {
    uint64_t start = atomic_load(&p->start), bytes = atomic_load(&p->bytes);
    if (sim_damages_ever(t->sim) > 0) {
        topic->start[partition] = start; /* a repair may have nothing left before it */
        return;
    }
    if (start < topic->start[partition])
        sim_fail(t->sim, "%s-%u begins at offset %llu; it was %llu before", topic->name, partition, ULL(start),
            ULL(topic->start[partition]));
    if (start > 0 && topic->retention_bytes == 0 && topic->retention_ms == 0)
        sim_fail(t->sim, "%s-%u keeps everything and begins at offset %llu", topic->name, partition, ULL(start));
    if (start > topic->start[partition] && topic->retention_ms == 0 && bytes < topic->retention_bytes)
        sim_fail(t->sim, "%s-%u holds %llu bytes; %llu are to be kept", topic->name, partition, ULL(bytes),
            ULL(topic->retention_bytes));
    topic->start[partition] = start;
}

/* The first record at or after some time, where times rise as the search expects. */
static void check_time(struct looking *l, struct log_partition *p) {
    uint64_t found = 0, expected = l->found == UINT64_MAX ? atomic_load(&p->high) : l->found;
    if (!l->rises) return;
    enum weir_error e = log_offset_at(l->t->sim->node.log, p, l->wanted_ms, &found);
    if (e && sim_damages(l->t->sim) > 0) return;
    if (e || found != expected)
        sim_fail(l->t->sim, "%s-%u: from time %llu on the search finds offset %llu, the records say %llu (%s)",
            l->t->topics[l->topic].name, l->partition, ULL(l->wanted_ms), ULL(found), ULL(expected),
            e ? weir_error_text() : "no error");
}

static bool look_through(struct topics *t, uint32_t i, const struct log_topic *found) {
    struct sim_topic *topic = &t->topics[i];
    if (found->partition_count != topic->partitions) {
        sim_fail(t->sim, "%s has %u partitions; made were %u", topic->name, found->partition_count, topic->partitions);
        return false;
    }
    for (uint32_t k = 0; k < found->partition_count && !t->sim->failed; k++) {
        uint64_t now_ms = topics_wall_ms(t), span_ms = sim_now_ns(t->sim) / SYS_NANOS_PER_MS + 1;
        struct looking l = {.t = t, .topic = i, .partition = k, .found = UINT64_MAX, .rises = true};
        l.wanted_ms = now_ms - prng_below(&t->sim->prng, span_ms + 1);
        check_start(t, topic, k, found->partitions[k]);
        if (!sim_read(t->sim, topic->name, k, 0, look_at, &l)) return false;
        check_time(&l, found->partitions[k]);
    }
    return !t->sim->failed;
}

/* What was in doubt about a topic when its process died is settled by what is there. False: stop looking. */
static bool settle(struct topics *t, struct sim_topic *topic, const struct log_topic *found) {
    if (topic->state == TOPIC_ABSENT && found)
        sim_fail(t->sim, "the topic %s was deleted or never made, and is there", topic->name);
    if (topic->state == TOPIC_THERE && !found) sim_fail(t->sim, "the topic %s was made and is gone", topic->name);
    bool of_this_life = topic->state == TOPIC_MAKING || topic->state == TOPIC_DELETING;
    if (topic->state == TOPIC_UNSURE && !t->looked) topic_change(topic, found ? TOPIC_THERE : TOPIC_ABSENT);
    return !t->sim->failed && !of_this_life && topic->state == TOPIC_THERE;
}

/* Rot in the last frame can't be told from a torn write, so the log cuts it: that one loss is nobody's fault. */
static bool may_be_lost(const struct topics *t, const struct sim_record *r) {
    return sim_damages_ever(t->sim) > 0 && r->frame >= t->frame_died;
}

/* Retention by time alone, and no clock that jumped: then it is known what may not have gone yet. */
static void check_expired(struct topics *t, const struct sim_topic *topic, const struct sim_record *r, uint64_t n) {
    if (topic->retention_bytes > 0 || topic->retention_ms == 0 || r->jumps != clock_jumps(t)) return;
    if (sim_damages_ever(t->sim) > 0) return;
    if (topics_wall_ms(t) < r->sent_ms + topic->retention_ms)
        sim_fail(t->sim, "record %llu of %s-%u has gone after %llu ms; it is to be kept for %llu", ULL(n), topic->name,
            r->partition, ULL(topics_wall_ms(t) - r->sent_ms), ULL(topic->retention_ms));
}

/* Up to where records of earlier lives are there. */
static void measure(const struct topics *t, uint64_t reach[TOPICS_MAX][TOPIC_PARTITIONS_MAX]) {
    memset(reach, 0, TOPICS_MAX * sizeof *reach);
    for (uint64_t n = 0; n < t->count; n++) {
        const struct sim_record *r = &t->records[n];
        if (r->topic >= TOPICS_MAX) continue; /* topics_loose.c knows what became of it */
        uint64_t *end = &reach[r->topic][r->partition];
        if (r->fate == RECORD_ACKED && r->life < t->life && r->seen != TOPICS_NOT_SEEN && r->seen >= *end)
            *end = r->seen + 1;
    }
}

/* What was acknowledged in this life is durable, but may not be readable yet: it is in the journal first. */
static void look_for_lost(struct topics *t, bool whole) {
    uint64_t reach[TOPICS_MAX][TOPIC_PARTITIONS_MAX];
    measure(t, reach);
    for (uint64_t n = 0; n < t->count && !t->sim->failed; n++) {
        struct sim_record *r = &t->records[n];
        const struct sim_topic *topic = &t->topics[r->topic];
        if (r->fate != RECORD_ACKED || r->topic >= TOPICS_MAX) continue;
        if (r->last != topic->incarnation || topic->state == TOPIC_ABSENT) {
            r->fate = RECORD_GONE; /* with its topic */
            continue;
        }
        if (r->seen != TOPICS_NOT_SEEN || topic->state != TOPIC_THERE || (r->life == t->life && !whole)) continue;
        if (r->offset < topic->start[r->partition]) {
            check_expired(t, topic, r, n);
            r->fate = RECORD_GONE;
        } else if (sim_given_up(t->sim, topic->name, r->partition, r->offset) ||
                   (t->sim->frames_given_up && r->offset >= reach[r->topic][r->partition])) {
            r->fate = RECORD_GONE;
        } else if (may_be_lost(t, r)) {
            r->fate = RECORD_DOUBT;
        } else {
            sim_fail(t->sim, "record %llu was acknowledged at offset %llu of %s-%u, and is lost", ULL(n),
                ULL(r->offset), topic->name, r->partition);
        }
    }
}

bool topics_check(struct topics *t, bool whole) {
    for (uint64_t n = 0; n < t->count; n++)
        t->records[n].seen = TOPICS_NOT_SEEN;
    bool read = true;
    for (uint32_t i = 0; i < t->topic_count && read; i++) {
        const struct log_topic *found = log_topic_find(t->sim->node.log, t->topics[i].name);
        if (settle(t, &t->topics[i], found)) read = look_through(t, i, found);
        if (t->sim->failed) return false;
    }
    t->looked = true;
    if (read) look_for_lost(t, whole);
    t->judged = t->judged || read;
    return read;
}
