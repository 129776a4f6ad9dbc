#include "sim/cycle_model.h"

#include "base/bytes.h"
#include "host/batch.h"
#include "host/envelope.h"
#include "host/idempotency.h"
#include "sim/workload.h"

#include <stdlib.h>

#define SERVICES  2u
#define SOURCES   (SERVICES * CYCLE_PARTITIONS_MAX)
#define TIMER_IDS 64u
#define NO_TIMER  UINT64_MAX
#define UIDS_MAX  256u
#define SKIPS_MAX 64u
#define KEY_BYTES 192u /* at most, of an entry of the idempotency table without its reply */

static const char *const names[SERVICES] = {"left", "right"};

/* An emit that was or should have been made: by which record of which partition. */
struct hop {
    uint32_t source; /* partition, 0 to SOURCES - 1 */
    uint64_t offset; /* of its cause */
    uint32_t index;  /* among what its cause emits */
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
/* Where the command of an id stood last, and how many keys its partition had remembered by then. */
struct found {
    uint32_t times;
    uint64_t keys, bytes, time_ns;
};
struct cycle_model {
    struct sim *sim;
    struct cycle_limits limits;
    uint32_t partitions;
    const struct cycle_asked *asked;
    uint64_t asked_count;
    struct found *found;              /* by id */
    uint32_t source_of_uid[UIDS_MAX]; /* + 1 */
    struct hops due, made;
    uint64_t read_to[SOURCES]; /* behind the last input record that could be read */
};
/* One input partition on its way through the model. */
struct pass {
    struct cycle_model *model;
    uint32_t service, partition, source;
    struct outputs out, wide;
    size_t out_next, wide_next;
    uint64_t counters[CYCLE_COUNTERS], seen, time_ns;
    uint64_t timers[TIMER_IDS];
    struct {
        uint64_t end; /* offset + 1 of the newest emit taken from each */
        uint32_t index;
    } highest[SOURCES];
    uint32_t version, label;
    uint64_t scale, keys, key_bytes;
    uint64_t skips[SKIPS_MAX]; /* offsets that operators ordered to pass over */
    uint32_t skip_count;
};

struct cycle_model *cycle_model_new(struct sim *sim, const struct cycle_limits *limits) {
    struct cycle_model *m = calloc(1, sizeof *m);
    WEIR_ASSERT(m != NULL);
    m->sim = sim;
    m->limits = *limits;
    m->partitions = limits->partitions;
    return m;
}

void cycle_model_free(struct cycle_model *m) {
    free(m->found);
    free(m->due.data);
    free(m->made.data);
    free(m);
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
    if (p->wide.sizes[p->wide_next++] != cycle_wide(p->service, step))
        fail(p, offset, "the wide output has another size");
}

/* ---- the model --------------------------------------------------------------------------------------------------- */
static void put(struct pass *p, uint64_t offset, uint32_t kind, const struct cycle_step *step) {
    struct cycle_output o = {
        step->id, step->key, p->counters[step->key % CYCLE_COUNTERS], p->seen, kind, step->op, p->label, 0};
    expect(p, offset, &o);
}

static void take_step(struct pass *p, uint64_t offset, uint32_t kind, const struct cycle_step *step) {
    if (step->op == CYCLE_TIMER)
        p->timers[step->key] = p->time_ns + step->amount;
    else if (step->op == CYCLE_CANCEL)
        p->timers[step->key] = NO_TIMER;
    else
        p->counters[step->key % CYCLE_COUNTERS] += cycle_amount(p->version, p->scale, step);
    put(p, offset, kind, step);
    if (step->op == CYCLE_WIDE) expect_wide(p, offset, step);
    for (uint32_t n = 0; n < cycle_fan(step); n++) {
        struct cycle_step next = cycle_next(step, n);
        uint8_t key[8];
        store_be64(key, next.key);
        uint32_t target = (1 - p->service) * p->model->partitions;
        target += weir_partition_of(weir_slice(key, sizeof key), p->model->partitions);
        hop_add(&p->model->due, (struct hop){p->source, offset, n, target, next});
    }
}

static bool was_asked(const struct cycle_asked *asked, struct cycle_step step) {
    if (memcmp(&step, &asked->step, sizeof step) == 0) return true;
    step.amount--;
    return asked->twisted && memcmp(&step, &asked->step, sizeof step) == 0;
}

/* A key is forgotten when newer ones need its place, or when it is old: then the request counts as a new one. */
static bool may_be_forgotten(const struct pass *p, const struct found *f) {
    const struct cycle_limits *l = &p->model->limits;
    uint64_t ring = 64u << 10, slack = ring / 4; /* for what a wrap wastes */
    while (ring < (uint64_t)l->keys_max * IDEMPOTENCY_ENTRY_BYTES)
        ring *= 2;
    return p->keys - f->keys > l->keys_max || p->key_bytes - f->bytes > ring - slack ||
           p->time_ns - f->time_ns > l->key_age_ns;
}

static void take_command(struct pass *p, uint64_t offset, const struct cycle_step *step) {
    struct cycle_model *m = p->model;
    p->keys++;
    p->key_bytes += KEY_BYTES + (step->op == CYCLE_LONG ? step->amount : 8);
    if (step->id >= m->asked_count || !was_asked(&m->asked[step->id], *step)) {
        fail(p, offset, "nobody asked");
        return;
    }
    struct found *f = &m->found[step->id];
    if (m->asked[step->id].service != p->service)
        fail(p, offset, "the command was for the other service");
    else if (f->times++ > 0 && !may_be_forgotten(p, f))
        fail(p, offset, "the command was there before: one request was taken twice");
    *f = (struct found){f->times, p->keys, p->key_bytes, p->time_ns};
}

/* False: the host passes it over, because it came before. */
static bool take_emit(struct pass *p, uint64_t offset, const struct envelope *e, const struct cycle_step *step) {
    uint32_t source = e->source.uid < UIDS_MAX ? p->model->source_of_uid[e->source.uid] : 0;
    if (source == 0) {
        fail(p, offset, "the emit's source is no partition of ours");
        return false;
    }
    uint64_t end = e->source.offset + 1, newest = p->highest[source - 1].end;
    if (end < newest || (end == newest && e->source.index <= p->highest[source - 1].index)) return false;
    p->highest[source - 1].end = end;
    p->highest[source - 1].index = e->source.index;
    uint32_t here = p->service * p->model->partitions + p->partition;
    hop_add(&p->model->made, (struct hop){source - 1, e->source.offset, e->source.index, here, *step});
    return true;
}

static void take_settings(struct pass *p, uint64_t offset, struct weir_slice value) {
    struct byte_reader r = byte_reader(value);
    uint32_t version = byte_get_le32(&r);
    if (version < p->version) fail(p, offset, "the version is older than that in front of it");
    p->version = version;
    (void)byte_get_le32(&r); /* epoch */
    for (uint16_t left = byte_get_le16(&r); left > 0; left--) {
        struct weir_slice name = byte_get_slice(&r, byte_get_u8(&r)), text = {0};
        uint64_t number = 0;
        if (byte_get_u8(&r) == WEIR_SETTING_TEXT)
            text = byte_get_slice(&r, byte_get_le16(&r));
        else
            number = byte_get_le64(&r);
        if (weir_slice_equal(name, weir_slice_text("scale"))) p->scale = number;
        if (weir_slice_equal(name, weir_slice_text("label"))) p->label = cycle_label(text);
    }
    if (!byte_reader_finished(&r)) fail(p, offset, "the settings cannot be read");
}

static bool is_skipped(const struct pass *p, uint64_t offset) {
    for (uint32_t i = 0; i < p->skip_count; i++)
        if (p->skips[i] == offset) return true;
    return false;
}

static void see(struct pass *p, uint64_t offset, const struct envelope *e, const struct cycle_step *step) {
    p->seen++;
    if (e->kind == WEIR_RECORD_TIMER) {
        const struct cycle_step fired = {.key = e->timer_id};
        p->counters[fired.key % CYCLE_COUNTERS]++;
        put(p, offset, e->kind, &fired);
    } else if (e->kind != WEIR_RECORD_SETTINGS) {
        take_step(p, offset, e->kind, step);
    }
}

static bool take_record(void *ctx, const struct batch_record *record) {
    struct pass *p = ctx;
    struct envelope e;
    struct cycle_step step = {0};
    const struct sim *sim = p->model->sim;
    p->model->sim->tally.records_checked++;
    p->model->read_to[p->source] = record->offset + 1;
    if (envelope_load(&record->record, &e) != WEIR_OK) fail(p, record->offset, "the envelope cannot be read");
    if (sim->failed) return false;
    if (e.time_ns < p->time_ns) fail(p, record->offset, "the time is before that of the record in front of it");
    p->time_ns = e.time_ns;
    struct weir_slice value = record->record.value;
    if (e.kind == WEIR_RECORD_COMMAND || e.kind == WEIR_RECORD_EMIT) {
        if (value.size < sizeof step) fail(p, record->offset, "the value is no step");
        memcpy(&step, value.data, value.size < sizeof step ? value.size : sizeof step);
    }
    if (e.kind == WEIR_RECORD_COMMAND) take_command(p, record->offset, &step);
    if (e.kind == WEIR_RECORD_EMIT && !take_emit(p, record->offset, &e, &step)) return !sim->failed;
    if (e.kind == WEIR_RECORD_TIMER) {
        if (e.timer_id >= TIMER_IDS || p->timers[e.timer_id] > p->time_ns) return true; /* moved or canceled since */
        p->timers[e.timer_id] = NO_TIMER;
    }
    if (e.kind == WEIR_RECORD_SETTINGS) take_settings(p, record->offset, value);
    if (e.kind != WEIR_RECORD_SKIP && !is_skipped(p, record->offset)) see(p, record->offset, &e, &step);
    return !sim->failed;
}

/* An order stands behind what it passes over, and holds for every replay. */
static bool note_skip(void *ctx, const struct batch_record *record) {
    struct pass *p = ctx;
    struct envelope e;
    if (envelope_load(&record->record, &e) != WEIR_OK || e.kind != WEIR_RECORD_SKIP) return true;
    WEIR_ASSERT(p->skip_count < SKIPS_MAX);
    p->skips[p->skip_count++] = e.skip;
    return true;
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
    read = read && sim_read(m->sim, topic, partition, 0, note_skip, p);
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
    if (x->index != y->index) return x->index < y->index ? -1 : 1;
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
    for (size_t i = 0; i < m->made.count && !m->sim->failed; i++) {
        const struct hop *made = &m->made.data[i];
        /* An emit leaves when its cause is in the journal, which may be before that can be read. */
        if (!whole && made->offset >= m->read_to[made->source]) continue;
        while (due < m->due.count && compare_hops(&m->due.data[due], made) < 0 && !whole)
            due++;
        if (due == m->due.count || compare_hops(&m->due.data[due], made) != 0 || !same_hop(&m->due.data[due], made))
            sim_fail(m->sim, "an emit of %s-%u offset %llu is missing, doubled, changed or invented",
                names[made->source / m->partitions], made->source % m->partitions, (unsigned long long)made->offset);
        due++;
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
    m->found = calloc(count + 1, sizeof *m->found);
    WEIR_ASSERT(m->found != NULL);
    m->due.count = m->made.count = 0;
    memset(m->read_to, 0, sizeof m->read_to);
    find_sources(m);
    for (uint32_t s = 0; s < SERVICES; s++)
        for (uint32_t i = 0; i < m->partitions && !m->sim->failed; i++)
            if (!check_partition(m, s, i, whole)) return false;
    if (!m->sim->failed) match_hops(m, whole);
    for (uint64_t id = 0; whole && id < count && !m->sim->failed; id++)
        if (asked[id].acked && m->found[id].times == 0)
            sim_fail(m->sim, "step %llu was answered, and is in no input", (unsigned long long)id);
    return true;
}
