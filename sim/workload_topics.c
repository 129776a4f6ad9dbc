/* Plain topics in full: made, written, read, followed, kept for a while, deleted, made again. topics.h says who is
 * who. */
#include "sim/topics.h"
#include "sim/workload.h"

#include "sim/frame.h"

#include <stdlib.h>

#define CALM_NS (9 * SYS_NANOS_PER_S) /* a checkpoint and then a round of retention */

static void *topics_open(struct sim *sim) {
    struct topics *t = calloc(1, sizeof *t);
    WEIR_ASSERT(t != NULL);
    bool many = sim_percent(sim, 20); /* enough to be worth a sync of the whole disk */
    t->sim = sim;
    t->topic_count = (uint32_t)prng_between(&sim->prng, 1, many ? TOPICS_MAX : 3);
    t->writer_count = (uint32_t)prng_between(&sim->prng, 1, many ? TOPICS_WRITERS_MAX : 8);
    t->reader_count = sim_pick(sim, TOPICS_READERS_MAX + 1);
    t->tail_count = sim_pick(sim, TOPICS_TAILS_MAX + 1);
    t->crowd = t->topic_count > 1 && sim_percent(sim, 8);
    t->records = calloc(TOPICS_RECORDS_MAX + TOPICS_CALM_RECORDS, sizeof *t->records);
    t->body = malloc(TOPICS_BODY_MAX);
    t->scratch = malloc(TOPICS_BODY_MAX);
    WEIR_ASSERT(t->records && t->body && t->scratch);
    for (uint32_t i = 0; i < t->topic_count; i++) {
        snprintf(t->topics[i].name, sizeof t->topics[i].name, "raw-%u", i);
        t->topics[i].partitions = (uint32_t)prng_between(&sim->prng, 1, many ? TOPIC_PARTITIONS_MAX : 3);
    }
    if (t->crowd) t->topics[0].partitions = 1;
    topics_writers_open(t);
    topics_readers_open(t);
    topics_tails_open(t);
    topics_operator_open(t);
    topics_loose_open(t);
    return t;
}

static void topics_close(void *state) {
    struct topics *t = state;
    topics_writers_close(t);
    topics_readers_close(t);
    topics_tails_close(t);
    topics_operator_close(t);
    topics_loose_close(t);
    free(t->records);
    free(t->body);
    free(t->scratch);
    free(t);
}

static void topics_begin(void *state) {
    struct topics *t = state;
    topics_writers_hang_up(t);
    topics_readers_hang_up(t);
    topics_tails_hang_up(t);
    topics_operator_hang_up(t);
    topics_loose_hang_up(t);
    /* Without a frame of its own a life's newest one is the copy that its recovery made, with any record in it. */
    uint64_t died = t->frame_ready > 0 && t->frame_last > t->frame_ready ? t->frame_last : 0;
    if (t->judged || died < t->frame_died) t->frame_died = died; /* what nobody looked for stays excused */
    t->judged = false;
    t->frame_ready = t->calm_ns = 0;
    t->calm_left = sim_calm_requests(t->sim);
    if (t->count + 2 * t->calm_left * TOPICS_BATCH_MAX > TOPICS_RECORDS_MAX + TOPICS_CALM_RECORDS) t->calm_left = 0;
    t->looked = false;
    t->life++;
}

static void topics_step(void *state, bool calm) {
    struct topics *t = state;
    if (node_is_open(&t->sim->node)) {
        t->frame_last = sim_newest_frame(t->sim->node.log);
        if (t->frame_ready == 0) t->frame_ready = t->frame_last;
    }
    if (calm && (t->calm_ns == 0 || !topics_writers_settled(t))) t->calm_ns = sim_now_ns(t->sim);
    topics_operator_step(t, calm);
    topics_writers_step(t, calm);
    topics_readers_step(t, calm);
    topics_tails_step(t, calm);
    topics_loose_step(t, calm);
}

static bool retains(const struct topics *t) {
    for (uint32_t i = 0; i < t->topic_count; i++)
        if (t->topics[i].retention_bytes > 0 && t->topics[i].state == TOPIC_THERE) return true;
    return false;
}

static bool topics_settled(void *state) {
    const struct topics *t = state;
    bool rest =
        topics_writers_settled(t) && topics_readers_settled(t) && topics_operator_settled(t) && topics_loose_settled(t);
    return rest && t->calm_ns > 0 && (!retains(t) || sim_now_ns(t->sim) > t->calm_ns + CALM_NS);
}

static bool topics_check_all(void *state, bool whole) {
    struct topics *t = state;
    if (!topics_check(t, whole)) return false;
    topics_loose_check(t, whole);
    return !t->sim->failed;
}

extern const struct sim_workload sim_workload_topics;
const struct sim_workload sim_workload_topics = {
    .name = "topics",
    .summary = "plain topics: producers, readers, retention, deletion",
    .open = topics_open,
    .close = topics_close,
    .begin = topics_begin,
    .step = topics_step,
    .settled = topics_settled,
    .check = topics_check_all,
};
