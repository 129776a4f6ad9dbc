#include "sim/audit.h"

#include "base/hash.h"
#include "host/batch.h"
#include "host/node.h"
#include "host/snapshot.h"
#include "host/unfold.h"

#include "sim/workload.h"

#include <stdlib.h>

#define READ_BYTES  (1u << 20)
#define MOMENTS_MAX 8u

struct remembered { /* of one partition */
    char topic[LOG_TOPIC_NAME_MAX + 1];
    uint32_t partition;
    uint32_t uid;     /* a topic that was deleted and made again is another */
    uint64_t *hashes; /* by offset; 0: retention took it before it was seen */
    uint64_t count, capacity;
    struct remembered *next;
};
struct moment { /* of a fold, at an offset */
    const char *service;
    uint32_t partition;
    uint64_t offset, emission, digest;
};
struct audit {
    struct remembered *all;
    struct moment moments[MOMENTS_MAX];
    uint32_t moment_count;
    struct unfold unfold;
};

struct audit *audit_new(void) {
    struct audit *audit = calloc(1, sizeof *audit);
    WEIR_ASSERT(audit != NULL);
    enum weir_error e = unfold_open(&audit->unfold);
    WEIR_ASSERT(e == WEIR_OK);
    return audit;
}

void audit_free(struct audit *audit) {
    while (audit->all) {
        struct remembered *r = audit->all;
        audit->all = r->next;
        free(r->hashes);
        free(r);
    }
    unfold_close(&audit->unfold);
    free(audit);
}

/* ---- reading ------------------------------------------------------------------------------------------------- */
struct reading {
    struct sim *sim;
    const char *topic;
    uint32_t partition;
    uint64_t next;
    sim_record_fn fn;
    void *ctx;
    bool stopped;
};

bool sim_plain(struct sim *sim, struct weir_slice batches, uint64_t offset, struct weir_slice *ret_plain) {
    if (unfold_batches(&sim->audit->unfold, batches, offset, ret_plain) == WEIR_OK) return true;
    sim_fail(sim, "what is stored behind offset %llu can't be decompressed: %s", (unsigned long long)offset,
        weir_error_text());
    return false;
}

static bool read_batch(struct reading *r, struct weir_slice bytes, size_t *ret_size) {
    struct batch_reader reader;
    struct batch_header header;
    struct batch_record record;
    if (batch_open(&reader, bytes, &header) != WEIR_OK) {
        sim_fail(r->sim, "%s-%u: a batch cannot be read at offset %llu: %s", r->topic, r->partition,
            (unsigned long long)r->next, weir_error_text());
        return false;
    }
    while (!r->stopped && batch_next(&reader, &record)) {
        if (record.offset < r->next) continue; /* the batch began before */
        if (record.offset != r->next) {
            sim_fail(r->sim, "%s-%u: offset %llu follows %llu", r->topic, r->partition,
                (unsigned long long)record.offset, (unsigned long long)r->next - 1);
            return false;
        }
        r->stopped = !r->fn(r->ctx, &record);
        r->next++;
    }
    *ret_size = header.size;
    return true;
}

static bool read_all(struct reading *r, struct log *log, struct log_partition *p, uint8_t *buffer) {
    while (!r->stopped && r->next < atomic_load(&p->high)) {
        size_t size = 0, at = 0, batch = 0;
        enum weir_error e = log_read(log, p, r->next, true, buffer, READ_BYTES, &size);
        if (e == WEIR_E_CORRUPT && sim_damages(r->sim) > 0) return false; /* refused by name: as it should be */
        if (e != WEIR_OK || size == 0) {
            sim_fail(r->sim, "%s-%u cannot be read at offset %llu of %llu: %s", r->topic, r->partition,
                (unsigned long long)r->next, (unsigned long long)atomic_load(&p->high), weir_error_text());
            return false;
        }
        struct weir_slice plain;
        if (!sim_plain(r->sim, weir_slice(buffer, size), r->next, &plain)) return false;
        for (; at < plain.size; at += batch)
            if (!read_batch(r, weir_slice(plain.data + at, plain.size - at), &batch)) return false;
    }
    return true;
}

bool sim_read(struct sim *sim, const char *topic, uint32_t partition, uint64_t from, sim_record_fn fn, void *ctx) {
    struct log_topic *t = log_topic_find(sim->node.log, topic);
    if (!t || partition >= t->partition_count) {
        sim_fail(sim, "the topic %s is gone, or its partition %u", topic, partition);
        return false;
    }
    struct log_partition *p = t->partitions[partition];
    uint64_t start = atomic_load(&p->start);
    struct reading r = {sim, topic, partition, from > start ? from : start, fn, ctx, false};
    uint8_t *buffer = malloc(READ_BYTES);
    WEIR_ASSERT(buffer != NULL);
    bool whole = read_all(&r, sim->node.log, p, buffer);
    free(buffer);
    return whole;
}

/* ---- records do not change ----------------------------------------------------------------------------------- */
struct comparing {
    struct sim *sim;
    struct remembered *r;
};

static uint64_t hash_of(const struct batch_record *record) {
    const struct log_record *r = &record->record;
    uint64_t hash = hash_bytes(r->value.data, r->value.size, r->time_ms);
    hash = hash_bytes(r->key.data, r->key.size, hash);
    return hash_bytes(r->header_value.data, r->header_value.size, hash);
}

static bool compare(void *ctx, const struct batch_record *record) {
    struct comparing *c = ctx;
    struct remembered *r = c->r;
    uint64_t hash = hash_of(record);
    c->sim->tally.outputs_checked++;
    if (record->offset < r->count) {
        if (r->hashes[record->offset] == hash || r->hashes[record->offset] == 0) return true;
        sim_fail(c->sim, "%s-%u: the record at offset %llu is not the one that could be read there before", r->topic,
            r->partition, (unsigned long long)record->offset);
        return false;
    }
    if (record->offset >= r->capacity) {
        r->capacity = r->capacity ? r->capacity * 2 : 256;
        if (r->capacity <= record->offset) r->capacity = record->offset + 1;
        r->hashes = realloc(r->hashes, r->capacity * sizeof *r->hashes);
        WEIR_ASSERT(r->hashes != NULL);
    }
    while (r->count < record->offset)
        r->hashes[r->count++] = 0;
    r->hashes[r->count++] = hash;
    return true;
}

static struct remembered *remember(struct audit *audit, const struct log_partition *p) {
    struct remembered **at = &audit->all;
    while (*at && ((*at)->uid != p->uid || strcmp((*at)->topic, p->topic->name) != 0))
        at = &(*at)->next;
    if (!*at) {
        *at = calloc(1, sizeof **at);
        WEIR_ASSERT(*at != NULL);
        snprintf((*at)->topic, sizeof(*at)->topic, "%s", p->topic->name);
        (*at)->partition = p->index;
        (*at)->uid = p->uid;
    }
    return *at;
}

/* Whether the service that derives these outputs runs and is not parked. */
static bool is_derived_now(const struct sim *sim, const struct log_partition *output) {
    const struct host *host = sim->node.host;
    for (uint32_t i = 0; i < host->partition_count; i++) {
        const struct host_partition *p = &host->partitions[i];
        for (uint32_t row = 0; row < p->fold.topic_count; row++)
            if (p->sink.outputs[row] == output) return !p->parked;
    }
    return false;
}

void audit_records(struct sim *sim) {
    if (sim_damages_ever(sim) > 0) return; /* the last frame may be cut for torn, and its offsets given anew */
    for (uint32_t i = 0; i < log_topic_count(sim->node.log) && !sim->failed; i++) {
        const struct log_topic *topic = log_topic_at(sim->node.log, i);
        /* Of less than durable ones other things are promised: topics_loose.c looks at those. */
        if (topic && topic->config.durability != LOG_DURABLE) continue;
        for (uint32_t k = 0; topic && k < topic->partition_count && !sim->failed; k++) {
            struct comparing c = {sim, remember(sim->audit, topic->partitions[k])};
            if (!sim_read(sim, topic->name, k, 0, compare, &c)) return;
            uint64_t high = atomic_load(&topic->partitions[k]->high);
            /* Outputs come again by replay: the node is not ready before. A parked partition waits for its operator. */
            bool excused = topic->config.derived && !is_derived_now(sim, topic->partitions[k]);
            if (!excused && high < c.r->count)
                sim_fail(sim, "%s-%u ends at offset %llu; records up to %llu could be read before", topic->name, k,
                    (unsigned long long)high, (unsigned long long)c.r->count);
        }
    }
}

/* ---- folds can be derived again ------------------------------------------------------------------------------ */
struct deriving {
    struct fold fold;
    struct weir_out out;
    struct audit *audit;
    uint64_t until, moment; /* moment: where to take note of it */
    enum weir_error error;
};

static bool derive(void *ctx, const struct batch_record *record) {
    struct deriving *d = ctx;
    struct fold_applied applied;
    if (d->fold.applied < d->until) d->error = fold_apply(&d->fold, record, &d->out, &applied);
    const struct fold *f = &d->fold;
    if (d->error == WEIR_OK && f->applied == d->moment && d->audit->moment_count < MOMENTS_MAX)
        d->audit->moments[d->audit->moment_count++] =
            (struct moment){f->service->name, f->options.partition, f->applied, f->emission.state, fold_digest(f)};
    return d->error == WEIR_OK && d->fold.applied < d->until;
}

static void compare_folds(struct sim *sim, const struct host_partition *live, const struct deriving *d) {
    const char *service = live->owner->service->name;
    const struct fold *a = &live->fold, *b = &d->fold;
    if (a->emission.state != b->emission.state)
        sim_fail(sim, "%s-%u: what it put out up to offset %llu is not what its input says", service, live->index,
            (unsigned long long)a->applied);
    else if (memcmp(a->outputs_next, b->outputs_next, sizeof a->outputs_next) != 0)
        sim_fail(sim, "%s-%u: the numbers of its outputs are not what its input says", service, live->index);
    else if (fold_digest(a) != fold_digest(b))
        sim_fail(sim, "%s-%u: its state at offset %llu is not what its input says", service, live->index,
            (unsigned long long)a->applied);
    for (uint32_t row = 0; row < a->topic_count && !sim->failed; row++) {
        const struct log_partition *output = live->sink.outputs[row];
        if (output && atomic_load(&output->high) != b->outputs_next[row])
            sim_fail(sim, "%s-%u holds %llu records, its input says %llu", output->topic->name, live->index,
                (unsigned long long)atomic_load(&output->high), (unsigned long long)b->outputs_next[row]);
    }
}

static void audit_fold(struct sim *sim, struct host_partition *live) {
    struct deriving d = {.until = live->fold.applied, .audit = sim->audit};
    d.moment = prng_between(&sim->prng, 1, d.until + 1);
    struct fold_options options;
    host_fold_options(live, &options);
    if (snapshot_open_empty(&d.fold, &options, sim->node.log, live->log) != WEIR_OK) return; /* of another version */
    d.out = (struct weir_out){.fold = &d.fold, .scratch_size = out_scratch_size(options.service)};
    d.out.scratch = malloc(d.out.scratch_size);
    WEIR_ASSERT(d.out.scratch != NULL);
    bool read = sim_read(sim, live->log->topic->name, live->index, 0, derive, &d);
    if (d.error != WEIR_OK && d.error != WEIR_E_VERSION)
        sim_fail(sim, "%s-%u cannot be derived again at offset %llu: %s", live->owner->service->name, live->index,
            (unsigned long long)d.fold.applied, weir_error_text());
    if (read && d.error == WEIR_OK && !sim->failed) {
        compare_folds(sim, live, &d);
        sim->tally.replays_checked++;
    }
    free(d.out.scratch);
    fold_done(&d.fold);
}

void audit_folds(struct sim *sim) {
    struct host *host = sim->node.host;
    for (uint32_t i = 0; i < host->partition_count && !sim->failed; i++) {
        struct host_partition *live = &host->partitions[i];
        bool rests = live->fold.applied == live->log->next && atomic_load(&live->log->high) == live->log->next;
        for (uint32_t row = 0; row < live->fold.topic_count; row++) {
            const struct log_partition *output = live->sink.outputs[row];
            rests = rests && (!output || atomic_load(&output->high) == output->next);
        }
        if (rests && !live->parked) audit_fold(sim, live);
    }
}

/* ---- offline, from the folder ------------------------------------------------------------------------------------ */
struct dump { /* the head of what host_replay writes; the state behind it may be long */
    char text[512];
    size_t size;
};

static enum weir_error put(void *ctx, const void *data, size_t size) {
    struct dump *dump = ctx;
    size_t room = sizeof dump->text - 1 - dump->size, part = size < room ? size : room;
    memcpy(dump->text + dump->size, data, part);
    dump->size += part;
    return WEIR_OK;
}

static void replay(struct sim *sim, const struct weir_service *service, const struct moment *m) {
    struct dump dump = {0};
    char expected[128];
    enum weir_error e = host_replay(sim->sys, sim->plan.log.folder, service, m->partition, m->offset, put, &dump);
    snprintf(expected, sizeof expected, "\"emission\":\"%016llx\",\"digest\":\"%016llx\"",
        (unsigned long long)m->emission, (unsigned long long)m->digest);
    if (e != WEIR_OK)
        sim_fail(sim, "%s-%u: the offline replay up to offset %llu fails: %s", m->service, m->partition,
            (unsigned long long)m->offset, weir_error_text());
    else if (!strstr(dump.text, expected))
        sim_fail(sim, "%s-%u: the offline replay up to offset %llu gives %.200s, expected is %s", m->service,
            m->partition, (unsigned long long)m->offset, dump.text, expected);
    sim->tally.states_replayed++;
}

void audit_replays(struct sim *sim, const struct weir_service *const *services) {
    for (uint32_t i = 0; i < sim->audit->moment_count && !sim->failed; i++)
        for (const struct weir_service *const *s = services; *s; s++)
            if (strcmp((*s)->name, sim->audit->moments[i].service) == 0) replay(sim, *s, &sim->audit->moments[i]);
    sim->audit->moment_count = 0;
}
