#include "sim/cycle_model.h"

#include "base/bytes.h"
#include "host/batch.h"
#include "host/envelope.h"
#include "sim/workload.h"

#include <stdlib.h>

#define SERVICES  2u
#define SOURCES   (SERVICES * CYCLE_PARTITIONS_MAX)
#define TIMER_IDS 64u
#define NO_TIMER  UINT64_MAX
#define UIDS_MAX  256u

static const char *const names[SERVICES] = {"left", "right"};

/* An emit that was or should have been made: by which record of which partition. */
struct hop {
    uint32_t source; /* partition, 0 to SOURCES - 1 */
    uint64_t offset; /* of its cause */
    uint32_t target;
    struct cycle_step step;
};
struct hops {
    struct hop *data;
    size_t count, capacity;
};
struct outputs { /* of one output partition, as read */
    struct cycle_output *data;
    uint64_t *sizes; /* of a wide one: bytes, all of them key */
    size_t count, capacity;
};
struct cycle_model {
    struct sim *sim;
    uint32_t partitions;
    const struct cycle_asked *asked;
    uint64_t asked_count;
    uint8_t *found;                   /* by id: how often its command stands in an input */
    uint32_t source_of_uid[UIDS_MAX]; /* + 1 */
    struct hops due, made;
};
/* One input partition on its way through the model. */
struct pass {
    struct cycle_model *model;
    uint32_t service, partition, source;
    struct outputs out, wide;
    size_t out_next, wide_next;
    uint64_t counters[CYCLE_COUNTERS], seen, time_ns;
    uint64_t timers[TIMER_IDS];
    uint64_t highest[SOURCES]; /* offset + 1 of the newest emit taken from each */
    uint32_t version;
};

struct cycle_model *cycle_model_new(struct sim *sim, uint32_t partitions) {
    struct cycle_model *m = calloc(1, sizeof *m);
    WEIR_ASSERT(m != NULL);
    m->sim = sim;
    m->partitions = partitions;
    return m;
}

void cycle_model_free(struct cycle_model *m) {
    free(m->found);
    free(m->due.data);
    free(m->made.data);
    free(m);
}

uint32_t cycle_model_partitions(const struct cycle_model *m) {
    return m->partitions;
}

static void *grown(void *data, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity) return data;
    *capacity = *capacity ? *capacity * 2 : 64;
    data = realloc(data, *capacity * size);
    WEIR_ASSERT(data != NULL);
    return data;
}

static void hop_add(struct hops *hops, struct hop hop) {
    hops->data = grown(hops->data, hops->count, &hops->capacity, sizeof hop);
    hops->data[hops->count++] = hop;
}

/* ---- what the output topics hold --------------------------------------------------------------------------------- */
static bool read_out(void *ctx, const struct batch_record *record) {
    struct outputs *o = ctx;
    size_t capacity = o->capacity;
    o->data = grown(o->data, o->count, &capacity, sizeof *o->data);
    if (capacity != o->capacity) o->sizes = realloc(o->sizes, capacity * sizeof *o->sizes);
    o->capacity = capacity;
    WEIR_ASSERT(o->sizes != NULL);
    struct weir_slice value = record->record.value;
    struct cycle_output *to = &o->data[o->count];
    *to = (struct cycle_output){0};
    o->sizes[o->count++] = value.size;
    if (value.size == sizeof *to) memcpy(to, value.data, sizeof *to);
    if (record->record.key.size == 8 && value.size != sizeof *to) to->key = load_be64(record->record.key.data);
    return true;
}

static void fail(struct pass *p, uint64_t offset, const char *what) {
    sim_fail(p->model->sim, "%s-%u: of the input at offset %llu %s", names[p->service], p->partition,
        (unsigned long long)offset, what);
}

/* The next output record is this one; none yet is fine as long as something is under way. */
static void expect(struct pass *p, uint64_t offset, const struct cycle_output *expected) {
    if (p->out_next == p->out.count) return;
    const struct cycle_output *got = &p->out.data[p->out_next++];
    if (memcmp(got, expected, sizeof *got) != 0) fail(p, offset, "the output is not what the model says");
}

static void expect_wide(struct pass *p, uint64_t offset, const struct cycle_step *step) {
    if (p->wide_next == p->wide.count) return;
    if (p->wide.sizes[p->wide_next++] != step->amount) fail(p, offset, "the wide output has another size");
}

/* ---- the model --------------------------------------------------------------------------------------------------- */
static void put(struct pass *p, uint64_t offset, uint32_t kind, const struct cycle_step *step) {
    struct cycle_output o = {step->id, step->key, p->counters[step->key % CYCLE_COUNTERS], p->seen, kind, step->op};
    expect(p, offset, &o);
}

static void take_step(struct pass *p, uint64_t offset, uint32_t kind, const struct cycle_step *step) {
    if (step->op == CYCLE_TIMER)
        p->timers[step->key] = p->time_ns + step->amount;
    else if (step->op == CYCLE_CANCEL)
        p->timers[step->key] = NO_TIMER;
    else
        p->counters[step->key % CYCLE_COUNTERS] += cycle_amount(p->version, step);
    put(p, offset, kind, step);
    if (step->op == CYCLE_WIDE) expect_wide(p, offset, step);
    if (step->hops == 0) return;
    struct cycle_step next = *step;
    next.hops--;
    next.key += step->hops;
    uint8_t key[8];
    store_be64(key, next.key);
    uint32_t target = (1 - p->service) * p->model->partitions;
    target += weir_partition_of(weir_slice(key, sizeof key), p->model->partitions);
    hop_add(&p->model->due, (struct hop){p->source, offset, target, next});
}

static void take_command(struct pass *p, uint64_t offset, const struct cycle_step *step) {
    struct cycle_model *m = p->model;
    if (step->id >= m->asked_count || memcmp(step, &m->asked[step->id].step, sizeof *step) != 0)
        fail(p, offset, "nobody asked");
    else if (m->asked[step->id].service != p->service)
        fail(p, offset, "the command was for the other service");
    else if (++m->found[step->id] > 1)
        fail(p, offset, "the command was there before: one request was taken twice");
}

/* False: the host passes it over, because it came before. */
static bool take_emit(struct pass *p, uint64_t offset, const struct envelope *e, const struct cycle_step *step) {
    uint32_t source = e->source.uid < UIDS_MAX ? p->model->source_of_uid[e->source.uid] : 0;
    if (source == 0) {
        fail(p, offset, "the emit's source is no partition of ours");
        return false;
    }
    if (e->source.offset + 1 <= p->highest[source - 1]) return false;
    p->highest[source - 1] = e->source.offset + 1;
    uint32_t here = p->service * p->model->partitions + p->partition;
    hop_add(&p->model->made, (struct hop){source - 1, e->source.offset, here, *step});
    return true;
}

static bool take_record(void *ctx, const struct batch_record *record) {
    struct pass *p = ctx;
    struct envelope e;
    struct cycle_step step = {0};
    p->model->sim->tally.records_checked++;
    if (envelope_load(&record->record, &e) != WEIR_OK) fail(p, record->offset, "the envelope cannot be read");
    if (p->model->sim->failed) return false;
    if (e.time_ns < p->time_ns) fail(p, record->offset, "the time is before that of the record in front of it");
    p->time_ns = e.time_ns;
    struct weir_slice value = record->record.value;
    if (e.kind == WEIR_RECORD_COMMAND || e.kind == WEIR_RECORD_EMIT) {
        if (value.size != sizeof step) fail(p, record->offset, "the value is no step");
        memcpy(&step, value.data, value.size < sizeof step ? value.size : sizeof step);
    }
    if (e.kind == WEIR_RECORD_COMMAND) take_command(p, record->offset, &step);
    if (e.kind == WEIR_RECORD_EMIT && !take_emit(p, record->offset, &e, &step)) return !p->model->sim->failed;
    if (e.kind == WEIR_RECORD_TIMER) {
        if (e.timer_id >= TIMER_IDS || p->timers[e.timer_id] > p->time_ns) return true; /* moved or canceled since */
        p->timers[e.timer_id] = NO_TIMER;
    }
    p->seen++;
    if (e.kind == WEIR_RECORD_SETTINGS && value.size >= 4) p->version = load_le32(value.data);
    if (e.kind == WEIR_RECORD_TIMER) {
        step.key = e.timer_id;
        p->counters[step.key % CYCLE_COUNTERS]++;
        put(p, record->offset, e.kind, &step);
    } else if (e.kind != WEIR_RECORD_SETTINGS) {
        take_step(p, record->offset, e.kind, &step);
    }
    return !p->model->sim->failed;
}

/* ---- a partition ------------------------------------------------------------------------------------------------- */
static void end_pass(struct pass *p, bool whole) {
    struct sim *sim = p->model->sim;
    /* Until everything rests an output may be readable before its cause, which is durable, but not in a segment yet. */
    if (whole && (p->out_next < p->out.count || p->wide_next < p->wide.count))
        sim_fail(sim, "%s-%u has put out more than its input says", names[p->service], p->partition);
    for (uint32_t i = 0; whole && i < TIMER_IDS; i++)
        if (p->timers[i] != NO_TIMER)
            sim_fail(sim, "%s-%u: timer %u was due long ago and has not fired", names[p->service], p->partition, i);
}

static bool check_partition(struct cycle_model *m, uint32_t service, uint32_t partition, bool whole) {
    struct pass *p = calloc(1, sizeof *p);
    WEIR_ASSERT(p != NULL);
    *p = (struct pass){.model = m, .service = service, .partition = partition};
    p->source = service * m->partitions + partition;
    for (uint32_t i = 0; i < TIMER_IDS; i++)
        p->timers[i] = NO_TIMER;
    char topic[16];
    snprintf(topic, sizeof topic, "%s.out", names[service]);
    bool read = sim_read(m->sim, topic, partition, 0, read_out, &p->out);
    snprintf(topic, sizeof topic, "%s.wide", names[service]);
    read = read && sim_read(m->sim, topic, partition, 0, read_out, &p->wide);
    snprintf(topic, sizeof topic, "%s.in", names[service]);
    read = read && sim_read(m->sim, topic, partition, 0, take_record, p);
    if (read && !m->sim->failed) end_pass(p, whole);
    free(p->out.data);
    free(p->out.sizes);
    free(p->wide.data);
    free(p->wide.sizes);
    free(p);
    return read;
}

/* ---- between partitions ------------------------------------------------------------------------------------------ */
static int compare_hops(const void *a, const void *b) {
    const struct hop *x = a, *y = b;
    if (x->source != y->source) return x->source < y->source ? -1 : 1;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return 0;
}

static bool same_hop(const struct hop *a, const struct hop *b) {
    return a->target == b->target && memcmp(&a->step, &b->step, sizeof a->step) == 0;
}

/* Every emit that was taken was due, once; and when nothing is under way, every one that is due was taken. */
static void match_hops(struct cycle_model *m, bool whole) {
    WEIR_ASSERT(m->partitions > 0);
    if (m->due.count > 0) qsort(m->due.data, m->due.count, sizeof(struct hop), compare_hops);
    if (m->made.count > 0) qsort(m->made.data, m->made.count, sizeof(struct hop), compare_hops);
    size_t due = 0;
    for (size_t i = 0; i < m->made.count && !m->sim->failed; i++, due++) {
        const struct hop *made = &m->made.data[i];
        while (due < m->due.count && compare_hops(&m->due.data[due], made) < 0 && !whole)
            due++;
        if (due == m->due.count || compare_hops(&m->due.data[due], made) != 0 || !same_hop(&m->due.data[due], made))
            sim_fail(m->sim, "an emit of %s-%u offset %llu is missing, doubled, changed or invented",
                names[made->source / m->partitions], made->source % m->partitions, (unsigned long long)made->offset);
    }
    if (whole && due < m->due.count && !m->sim->failed) sim_fail(m->sim, "%zu emits never arrived", m->due.count - due);
}

static void find_sources(struct cycle_model *m) {
    memset(m->source_of_uid, 0, sizeof m->source_of_uid);
    for (uint32_t s = 0; s < SERVICES; s++) {
        char topic[16];
        snprintf(topic, sizeof topic, "%s.in", names[s]);
        const struct log_topic *t = log_topic_find(m->sim->node.log, topic);
        for (uint32_t i = 0; t && i < t->partition_count; i++)
            if (t->partitions[i]->uid < UIDS_MAX) m->source_of_uid[t->partitions[i]->uid] = s * m->partitions + i + 1;
    }
}

bool cycle_model_check(struct cycle_model *m, const struct cycle_asked *asked, uint64_t count, bool whole) {
    m->asked = asked;
    m->asked_count = count;
    free(m->found);
    m->found = calloc(count + 1, 1);
    WEIR_ASSERT(m->found != NULL);
    m->due.count = m->made.count = 0;
    find_sources(m);
    for (uint32_t s = 0; s < SERVICES; s++)
        for (uint32_t i = 0; i < m->partitions && !m->sim->failed; i++)
            if (!check_partition(m, s, i, whole)) return false;
    if (!m->sim->failed) match_hops(m, whole);
    for (uint64_t id = 0; whole && id < count && !m->sim->failed; id++)
        if (asked[id].acked && m->found[id] == 0)
            sim_fail(m->sim, "step %llu was answered, and is in no input", (unsigned long long)id);
    return true;
}
