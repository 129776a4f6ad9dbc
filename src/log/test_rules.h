/* log/test_rules.h: what the tests of the log's rules share: a disk without luck, and lives in which the keeper rests.
 */
#ifndef WEIR_LOG_TEST_RULES_H
#define WEIR_LOG_TEST_RULES_H
#include "log/test_world.h"

/* As world_init, but names that were not synced are never there after a power cut, and content neither. */
__attribute__((unused)) static void strict_init(struct world *w, uint64_t seed) {
    world_init(w, seed);
    sys_sim_free(w->sys);
    struct sys_sim_plan plan = {.seed = seed, .sync_ns = 1000000, .write_ns = 1000};
    must(sys_sim_new(&plan, &w->sys));
}

/* One commit with records of one partition. */
__attribute__((unused)) static void commit_one(struct world *w, uint32_t index, uint32_t records) {
    struct log_commit *c = NULL;
    struct log_partition *p = w->in->partitions[index];
    must(log_commit_begin(w->writer, &c));
    for (uint32_t i = 0; i < records; i++) {
        uint8_t value[600];
        uint64_t offset = 0;
        struct log_record r = {.time_ms = 1, .value = world_value(p->uid, p->next, value)};
        must(log_commit_append(c, p, &r, &offset));
    }
    w->inputs[index].submitted = p->next;
    log_commit_submit(c);
}

/* The journal and the store without the keeper: nothing is made ahead, no folder is synced by the way. */
__attribute__((unused)) static void run_without_keeper(struct world *w) {
    for (int i = 0; i < 20; i++) {
        log_journal_work(&w->log->journal, 0);
        world_take(w);
        log_store_work(&w->log->store, 0);
    }
}

#endif
