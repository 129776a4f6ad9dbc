#include "jobs/unique.h"

#include "base/hash.h"
#include "jobs/job.h"

static uint64_t hash_key(struct weir_slice key) {
    return hash_bytes(key.data, key.size, 0x756e6971u);
}
uint64_t unique_hash(const void *state, uint32_t i) {
    return ((const struct jobs *)state)->uniques[i].hash;
}

uint32_t unique_find(const struct jobs *s, struct weir_slice key) {
    const struct index *t = &s->by_unique;
    uint64_t hash = hash_key(key);
    uint32_t i;
    for (uint32_t at = index_first(t, hash); (i = index_at(t, at)) != INDEX_NONE; at = index_next(t, at)) {
        const struct jobs_unique_entry *u = &s->uniques[i];
        if (u->hash != hash) continue;
        const uint8_t *kept = blob_at(&s->blob, u->key);
        if (weir_slice_equal(weir_slice(kept + 1, kept[0]), key)) return i;
    }
    return JOBS_NONE;
}

bool unique_hold(struct jobs_turn *t, struct job *job, struct weir_slice key, uint64_t for_ns) {
    struct jobs *s = t->s;
    struct jobs_head *h = s->head;
    bool is_room = h->uniques_free != JOBS_NONE || h->uniques_used < s->sizes.uniques;
    uint32_t bytes = is_room ? blob_take(&s->blob, key.size + 1) : BLOB_NONE;
    if (bytes == BLOB_NONE) return false;
    uint32_t i = h->uniques_free;
    if (i != JOBS_NONE)
        h->uniques_free = s->uniques[i].next_free;
    else
        i = h->uniques_used++;
    struct jobs_unique_entry *u = &s->uniques[i];
    *u = (struct jobs_unique_entry){
        .job = job->id, .hash = hash_key(key), .key = bytes, .until = job->unique_until, .is_used = 1};
    u->time.slot = WHEEL_OUT;
    uint8_t *to = blob_at(&s->blob, bytes);
    to[0] = (uint8_t)key.size;
    memcpy(to + 1, key.data, key.size);
    struct wheel_items times = jobs_unique_times(s);
    if (for_ns) wheel_add(&times, i, t->now_ns + for_ns);
    index_put(&s->by_unique, u->hash, i);
    h->unique_count++;
    job->unique = i;
    return true;
}

static void entry_free(struct jobs *s, uint32_t i) {
    struct jobs_unique_entry *u = &s->uniques[i];
    struct wheel_items times = jobs_unique_times(s);
    wheel_remove(&times, i);
    index_erase(&s->by_unique, u->hash, i);
    blob_give(&s->blob, u->key);
    u->is_used = 0;
    u->next_free = s->head->uniques_free;
    s->head->uniques_free = i;
    s->head->unique_count--;
}

void unique_release(struct jobs *s, struct job *job) {
    entry_free(s, job->unique);
    job->unique = JOBS_NONE;
}

void unique_end(struct jobs *s, struct job *job) {
    if (job->unique_until == JOBS_UNIQUE_TIME)
        job->unique = JOBS_NONE;
    else
        unique_release(s, job);
}

bool uniques_expire(struct jobs_turn *t) {
    struct jobs *s = t->s;
    struct wheel_items times = jobs_unique_times(s);
    bool more = false;
    for (uint32_t n = 0; n < JOBS_ENTRIES_MAX; n++) {
        uint32_t i = wheel_take(&times, t->now_ns, &more);
        if (i == WHEEL_NONE) return !more;
        uint32_t job = job_find(s, s->uniques[i].job);
        if (job != JOBS_NONE && s->jobs[job].unique == i) s->jobs[job].unique = JOBS_NONE;
        entry_free(s, i);
    }
    return false;
}
