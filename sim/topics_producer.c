/* An idempotent producer of one partition. What was in doubt it sends again with the same sequence until it is
 * acknowledged, or begins a new epoch; in between it does what must be refused. See topics.h. */
#include "sim/topics.h"

#define SEQUENCE_MASK 0x7fffffffu /* sequences go from INT32_MAX to 0 */
#define FAR_AWAY      1000000u    /* a wrong sequence that no delay can make right */

void topics_producer_reset(struct topics *t, struct topics_producer *p) {
    static const uint32_t first_sequences[] = {0, 0, 41, SEQUENCE_MASK - 6};
    uint32_t topic = p->topic, partition = p->partition;
    *p = (struct topics_producer){.id = 1 + prng_below(&t->sim->prng, 1u << 30), /* never the same twice, but by luck */
        .topic = topic,
        .partition = partition,
        .incarnation = t->topics[topic].incarnation};
    p->next = first_sequences[sim_pick(t->sim, 4)];
}

static void next_epoch(struct topics_producer *p) {
    if (p->pending || p->done_count > 0) {
        p->has_old = true;
        p->old = p->pending ? p->current : p->done[p->done_count - 1];
    }
    p->epoch++;
    p->next = p->done_count = 0;
    p->known = p->pending = p->tried = false;
}

static enum topics_expect send_again(struct topics *t, const struct topics_batch *batch, enum topics_expect expect) {
    for (uint32_t i = 0; i < batch->count; i++)
        t->records[batch->first + i].resent = true;
    return expect;
}

static enum topics_expect begin_batch(struct topics *t, struct topics_producer *p, struct topics_batch *ret_batch) {
    p->current = (struct topics_batch){.epoch = p->epoch, .sequence = p->next};
    p->current.first = topics_some_records(t, p->topic, p->partition, &p->current.count);
    p->pending = true;
    p->tried = false;
    *ret_batch = p->current;
    return EXPECT_STORED;
}

/* A batch that must be refused. */
static enum topics_expect begin_wrong(
    struct topics *t, struct topics_producer *p, uint32_t epoch, uint32_t sequence, struct topics_batch *ret_batch) {
    *ret_batch = (struct topics_batch){.epoch = epoch, .sequence = sequence & SEQUENCE_MASK};
    ret_batch->first = topics_some_records(t, p->topic, p->partition, &ret_batch->count);
    topics_heard(t, ret_batch->first, ret_batch->count, RECORD_ABSENT, 0);
    return send_again(t, ret_batch, EXPECT_REFUSED);
}

static enum topics_expect go_on(struct topics *t, struct topics_producer *p, struct topics_batch *ret_batch) {
    uint32_t dice = sim_pick(t->sim, 100);
    if (!p->known || dice < 65) return begin_batch(t, p, ret_batch);
    if (dice < 75) { /* one it remembers, or one it can't */
        uint32_t back = 1 + sim_pick(t->sim, p->done_count);
        *ret_batch = p->done[p->done_count - back];
        return send_again(t, ret_batch, back <= TOPICS_REMEMBERED ? EXPECT_REPEATED : EXPECT_REFUSED);
    }
    if (dice < 80) return begin_wrong(t, p, p->epoch, p->next + FAR_AWAY, ret_batch);
    if (dice < 85) return begin_wrong(t, p, p->epoch + 1, FAR_AWAY, ret_batch); /* an epoch begins with 0 */
    if (dice < 90 && p->has_old) {
        *ret_batch = p->old;
        return send_again(t, ret_batch, EXPECT_REFUSED);
    }
    if (dice < 94) next_epoch(p);
    return begin_batch(t, p, ret_batch);
}

enum topics_expect topics_producer_next(struct topics *t, struct topics_producer *p, struct topics_batch *ret_batch) {
    bool damaged = sim_damages_ever(t->sim) > 0; /* what it relies on may have been given up */
    if (p->id == 0 || p->incarnation != t->topics[p->topic].incarnation || (damaged && p->pending))
        topics_producer_reset(t, p);
    if (p->pending && (t->sim->calm || sim_percent(t->sim, 90))) {
        *ret_batch = p->current;
        return send_again(t, &p->current, EXPECT_STORED);
    }
    if (p->pending) next_epoch(p);
    return damaged ? begin_batch(t, p, ret_batch) : go_on(t, p, ret_batch);
}

void topics_producer_stored(struct topics *t, struct topics_producer *p, uint64_t offset, bool repeated) {
    if (repeated && !p->tried)
        sim_fail(t->sim, "producer %llu sent sequence %u of epoch %u for the first time, and it is called a repetition",
            (unsigned long long)p->id, p->current.sequence, p->current.epoch);
    p->current.offset = offset;
    if (p->done_count == TOPICS_HISTORY) {
        memmove(p->done, p->done + 1, (TOPICS_HISTORY - 1) * sizeof *p->done);
        p->done_count--;
    }
    p->done[p->done_count++] = p->current;
    p->next = (p->current.sequence + p->current.count) & SEQUENCE_MASK;
    p->known = true;
    p->pending = p->tried = false;
}
