/* A lazy and a memory topic: what is less than durable still keeps its word. See topics.h.
 *
 *   always          an offset never stands for two records, in whatever life it was told
 *   while it runs   what was acknowledged can be read until it makes room; nothing is passed over
 *   after a stop    lazy: all of it when the stop was clean, else at least what a checkpoint was seen to cover; a gap
 *                   only where a life began. memory: nothing, from an offset on that nobody was told before
 */
#include "sim/topics.h"

#include "base/json.h"
#include "host/batch.h"
#include "sim/workload.h"

#include <stdlib.h>

#define LOOSE_TOPICS  2u
#define LOOSE_RECORDS 1500u
#define ULL(x)        ((unsigned long long)(x))

struct place { /* what was told to stand there */
    uint64_t offset, n;
};
struct loose_topic {
    bool made;
    struct place places[LOOSE_RECORDS * 2]; /* ascending by offset */
    uint32_t count;
    uint64_t told;    /* offsets below it were told of in earlier lives */
    uint64_t covered; /* by a checkpoint that was seen in the life before */
    uint64_t now_covered;
    bool rotten; /* bytes were damaged: what is known of it no longer holds */
};
struct topics_loose {
    struct client writer, reader;
    bool making;
    uint32_t to, from;
    uint64_t first, offset, records; /* of the append; of the read; sent in all */
    uint64_t high;                   /* when the read was asked */
    uint32_t count;
    bool looked;
    struct loose_topic topics[LOOSE_TOPICS];
};

void topics_loose_open(struct topics *t) {
    t->loose = calloc(1, sizeof *t->loose);
    WEIR_ASSERT(t->loose != NULL);
    client_init(&t->loose->writer, t->sim);
    client_init(&t->loose->reader, t->sim);
    for (uint32_t i = 0; i < LOOSE_TOPICS; i++)
        snprintf(t->topics[TOPICS_MAX + i].name, sizeof t->topics[0].name, i == 0 ? "lazy" : "memory");
}

void topics_loose_close(struct topics *t) {
    client_done(&t->loose->writer);
    client_done(&t->loose->reader);
    free(t->loose);
}

void topics_loose_hang_up(struct topics *t) {
    client_hang_up(&t->loose->writer);
    client_hang_up(&t->loose->reader);
    t->loose->looked = t->loose->making = false;
    for (uint32_t i = 0; i < LOOSE_TOPICS; i++) {
        struct loose_topic *l = &t->loose->topics[i];
        if (l->count > 0) l->told = l->places[l->count - 1].offset + 1;
        l->covered = l->now_covered;
    }
}

static const struct log_partition *partition_of_loose(const struct topics *t, uint32_t i) {
    if (!node_is_open(&t->sim->node)) return NULL;
    const struct log_topic *found = log_topic_find(t->sim->node.log, t->topics[TOPICS_MAX + i].name);
    return found ? found->partitions[0] : NULL;
}

/* ---- what stands where --------------------------------------------------------------------------------------- */
/* Somebody was told that record n stands at the offset. False: the run has failed. */
static bool told(struct topics *t, uint32_t i, uint64_t offset, uint64_t n) {
    struct loose_topic *l = &t->loose->topics[i];
    struct sim_record *r = &t->records[n];
    uint32_t at = l->count;
    while (at > 0 && l->places[at - 1].offset >= offset)
        at--;
    bool there = at < l->count && l->places[at].offset == offset;
    if (r->topic != TOPICS_MAX + i || r->fate == RECORD_ABSENT)
        sim_fail(t->sim, "%s holds record %llu, which was not sent there", t->topics[TOPICS_MAX + i].name, ULL(n));
    else if (l->rotten)
        return true;
    else if (there && l->places[at].n != n)
        sim_fail(t->sim, "%s: offset %llu is record %llu, and was record %llu before", t->topics[TOPICS_MAX + i].name,
            ULL(offset), ULL(n), ULL(l->places[at].n));
    else if (r->fate == RECORD_ACKED && r->offset != offset)
        sim_fail(t->sim, "%s: record %llu is at offset %llu and at %llu", t->topics[TOPICS_MAX + i].name, ULL(n),
            ULL(r->offset), ULL(offset));
    if (t->sim->failed) return false;
    if (!there) {
        memmove(&l->places[at + 1], &l->places[at], (l->count - at) * sizeof *l->places);
        l->places[at] = (struct place){offset, n};
        l->count++;
        r->life = t->life;
    }
    r->fate = RECORD_ACKED;
    r->offset = offset;
    return true;
}

/* ---- writing ------------------------------------------------------------------------------------------------- */
static void make(struct topics_loose *l) {
    static const char *const bodies[LOOSE_TOPICS] = {
        "{\"name\":\"lazy\",\"durability\":\"lazy\",\"compression\":\"lz4\",\"segmentBytes\":4096}",
        "{\"name\":\"memory\",\"durability\":\"memory\",\"retentionBytes\":65536}"};
    l->making = true;
    l->count = 0; /* no records: a new life forgets what it was that was asked */
    client_ask(&l->writer, "POST", "/v1/topics", NULL, bodies[l->to]);
}

static void append(struct topics *t, struct topics_loose *l) {
    size_t at = 1;
    char target[64];
    l->first = t->count;
    l->count = 1 + sim_pick(t->sim, 3);
    l->records += l->count;
    t->body[0] = '[';
    for (uint32_t i = 0; i < l->count; i++) {
        /* Large ones to the memory topic, so that it is full before most lives end. */
        bool large = l->to == 1 || sim_percent(t->sim, 10);
        uint32_t size = sim_pick(t->sim, large ? 6000 : 200);
        uint64_t n = topics_record(t, TOPICS_MAX + l->to, 0, size);
        if (i > 0) t->body[at++] = ',';
        at += topics_put_record(t, n, t->body + at);
    }
    memcpy(t->body + at, "]", 2);
    l->making = false;
    snprintf(target, sizeof target, "/v1/topics/%s/records?partition=0", t->topics[TOPICS_MAX + l->to].name);
    client_ask(&l->writer, "POST", target, NULL, t->body);
}

static void take_written(struct topics *t, struct topics_loose *l) {
    const struct client *c = &l->writer;
    struct loose_topic *topic = &l->topics[l->to];
    bool answered = c->state == CLIENT_ANSWERED;
    if (answered) topics_judge(t, c, NULL, 0);
    if (l->making) {
        topic->made = topic->made || (answered && (c->status == 201 || c->status == 409));
        return;
    }
    bool refused = c->state == CLIENT_UNSENT || (answered && c->status < 500 && c->status != 200);
    const char *offset = answered && c->status == 200 ? memmem(c->body.data, c->body.size, "\"offset\":", 9) : NULL;
    for (uint32_t i = 0; i < l->count && !t->sim->failed; i++) {
        if (refused && t->records[l->first + i].fate == RECORD_DOUBT) t->records[l->first + i].fate = RECORD_ABSENT;
        if (offset) told(t, l->to, strtoull(offset + 9, NULL, 10) + i, l->first + i);
    }
    if (answered && c->status == 404 && topic->made)
        sim_fail(t->sim, "the topic %s was made and is gone", t->topics[TOPICS_MAX + l->to].name);
}

/* ---- reading ------------------------------------------------------------------------------------------------- */
static void read_some(struct topics *t, struct topics_loose *l) {
    const struct log_partition *p = partition_of_loose(t, l->from);
    char target[96];
    if (!p) return;
    const struct loose_topic *topic = &l->topics[l->from];
    l->offset = atomic_load(&p->start);
    l->high = atomic_load(&p->high);
    if (topic->count > 0 && sim_percent(t->sim, 70)) {
        l->offset = topic->places[sim_pick(t->sim, topic->count)].offset;
        l->offset += sim_pick(t->sim, 2);
    }
    bool waits = sim_percent(t->sim, 30);
    uint32_t limit = 1 + sim_pick(t->sim, 20);
    snprintf(target, sizeof target, "/v1/topics/%s/records?offset=%llu&limit=%u%s",
        t->topics[TOPICS_MAX + l->from].name, ULL(l->offset), limit, waits ? "&wait=500ms" : "");
    client_ask(&l->reader, "GET", target, NULL, NULL);
}

/* The next one of a partition, behind `*last` when there was one. */
static bool follows(struct topics *t, uint32_t i, uint64_t offset, uint64_t *next) {
    if (offset != *next && (offset < *next || offset % LOG_LOOSE_AHEAD != 0))
        sim_fail(t->sim, "%s: offset %llu comes where %llu is due; no life began there", t->topics[TOPICS_MAX + i].name,
            ULL(offset), ULL(*next));
    *next = offset + 1;
    return !t->sim->failed;
}

static void take_read(struct topics *t, struct topics_loose *l) {
    const struct client *c = &l->reader;
    const struct log_partition *p = partition_of_loose(t, l->from);
    if (c->state != CLIENT_ANSWERED) return;
    topics_judge(t, c, NULL, 0);
    if (c->status == 416 && p && !l->topics[l->from].rotten && l->offset >= atomic_load(&p->start) &&
        l->offset <= l->high)
        sim_fail(t->sim, "%s: offset %llu is refused and is between its start and end", p->topic->name, ULL(l->offset));
    if (c->status != 200) return;
    struct json_reader json = json_reader(c->body, 0);
    uint64_t next = l->offset, offset = 0, n = 0;
    bool good = json_next(&json) == JSON_OBJECT_OPEN;
    while (good && json_next(&json) == JSON_KEY) {
        if (!json_text_is(&json, "records")) {
            good = json_skip_value(&json);
            continue;
        }
        good = json_next(&json) == JSON_ARRAY_OPEN;
        while (good && json_next(&json) != JSON_ARRAY_CLOSE) {
            good = json.token != JSON_ERROR && topics_parse_record(t, &json, &offset, &n);
            if (good && (!follows(t, l->from, offset, &next) || !told(t, l->from, offset, n))) return;
        }
    }
    if (!good || json.token != JSON_OBJECT_CLOSE)
        sim_fail(t->sim, "%s: a reader gets what nobody sent: %.*s", t->topics[TOPICS_MAX + l->from].name,
            (int)c->body.size, c->body.data);
}

void topics_loose_step(struct topics *t, bool calm) {
    struct topics_loose *l = t->loose;
    const struct log_partition *lazy = partition_of_loose(t, 0);
    if (lazy && l->looked) {
        uint64_t covered = atomic_load(&lazy->checkpointed);
        if (covered > lazy->resumed) l->topics[0].now_covered = covered;
    }
    bool wrote = l->writer.state != CLIENT_FREE;
    client_step(&l->writer);
    if (l->writer.state != CLIENT_WAITS) {
        if (wrote) take_written(t, l);
        client_done_with(&l->writer);
        l->to = sim_pick(t->sim, LOOSE_TOPICS);
        bool room = l->records + 3 <= LOOSE_RECORDS && topics_room(t, 3);
        if (!calm && l->looked && sim_percent(t->sim, 30) && (room || !l->topics[l->to].made)) {
            if (!l->topics[l->to].made)
                make(l);
            else
                append(t, l);
        }
    }
    client_step(&l->reader);
    if (l->reader.state == CLIENT_WAITS) return;
    take_read(t, l);
    client_done_with(&l->reader);
    l->from = sim_pick(t->sim, LOOSE_TOPICS);
    if (!calm && sim_percent(t->sim, 20)) read_some(t, l);
}

bool topics_loose_settled(const struct topics *t) {
    return t->loose->writer.state == CLIENT_FREE && t->loose->reader.state == CLIENT_FREE;
}

/* ---- the log as it is ---------------------------------------------------------------------------------------- */
/* Walks what is stored; *ret_old is behind the last record of earlier lives. */
static bool walk(struct topics *t, uint32_t i, struct log_partition *p, uint64_t *ret_old) {
    uint64_t next = atomic_load(&p->start), high = atomic_load(&p->high);
    uint8_t *bytes = malloc(1u << 20);
    WEIR_ASSERT(bytes != NULL);
    *ret_old = next;
    while (next < high && !t->sim->failed) {
        size_t size = 0, at = 0;
        enum weir_error e = log_read(t->sim->node.log, p, next, true, bytes, 1u << 20, &size);
        if (e == WEIR_E_CORRUPT && sim_damages(t->sim) > 0) break;
        if (e) sim_fail(t->sim, "%s can't be read at offset %llu: %s", p->topic->name, ULL(next), weir_error_text());
        if (!e && size == 0) {
            if (next >= p->resumed) sim_fail(t->sim, "%s has nothing at offset %llu", p->topic->name, ULL(next));
            next = p->resumed;
        }
        struct weir_slice plain;
        if (!sim_plain(t->sim, weir_slice(bytes, size), next, &plain)) break;
        while (at < plain.size && !t->sim->failed) {
            struct batch_reader reader;
            struct batch_header header;
            struct batch_record record;
            uint64_t n = 0;
            e = batch_open(&reader, weir_slice(plain.data + at, plain.size - at), &header);
            WEIR_ASSERT(e == WEIR_OK);
            while (batch_next(&reader, &record) && !t->sim->failed) {
                if (record.offset < next) continue;
                if (!topics_identify(t, record.record.key, record.record.value, &n))
                    sim_fail(t->sim, "%s holds at offset %llu what nobody sent", p->topic->name, ULL(record.offset));
                else if (follows(t, i, record.offset, &next) && told(t, i, record.offset, n))
                    t->records[n].seen = record.offset;
                if (record.offset < p->resumed) *ret_old = record.offset + 1;
                t->sim->tally.records_checked++;
            }
            at += header.size;
        }
    }
    free(bytes);
    return next >= high && !t->sim->failed;
}

/* Once in each life: what the stop before it left. */
static void judge_start(struct topics *t, uint32_t i, const struct log_partition *p, uint64_t old) {
    const struct loose_topic *l = &t->loose->topics[i];
    if (p->resumed < l->told)
        sim_fail(t->sim, "%s goes on with offset %llu; %llu was told before", p->topic->name, ULL(p->resumed),
            ULL(l->told - 1));
    if (i == 0 && old < l->covered)
        sim_fail(t->sim, "lazy ends at offset %llu; a checkpoint had covered %llu", ULL(old), ULL(l->covered));
    if (i == 1 && atomic_load(&p->start) < l->told)
        sim_fail(t->sim, "memory begins at offset %llu; up to %llu was told before", ULL(atomic_load(&p->start)),
            ULL(l->told));
}

static void look_for_lost_loose(struct topics *t, uint32_t i, const struct log_partition *p, bool whole) {
    bool clean = i == 0 && log_recovered(t->sim->node.log)->clean;
    for (uint64_t n = 0; n < t->count && !t->sim->failed; n++) {
        struct sim_record *r = &t->records[n];
        if (r->topic != TOPICS_MAX + i || r->fate != RECORD_ACKED || r->seen != TOPICS_NOT_SEEN) continue;
        bool owed = r->life == t->life ? whole : clean && r->life + 1 == t->life;
        if (owed && r->offset >= atomic_load(&p->start))
            sim_fail(t->sim, "%s: record %llu at offset %llu was acknowledged and is lost", p->topic->name, ULL(n),
                ULL(r->offset));
        if (r->life < t->life) r->fate = RECORD_GONE;
    }
}

void topics_loose_check(struct topics *t, bool whole) {
    struct topics_loose *l = t->loose;
    for (uint32_t i = 0; i < LOOSE_TOPICS && !t->sim->failed; i++) {
        struct log_topic *found = log_topic_find(t->sim->node.log, t->topics[TOPICS_MAX + i].name);
        uint64_t old = 0;
        l->topics[i].rotten = l->topics[i].rotten || sim_damages_ever(t->sim) > 0;
        if (!found && l->topics[i].made)
            sim_fail(t->sim, "the topic %s was made and is gone", t->topics[TOPICS_MAX + i].name);
        if (!found || !walk(t, i, found->partitions[0], &old) || l->topics[i].rotten) continue;
        if (!l->looked) judge_start(t, i, found->partitions[0], old);
        look_for_lost_loose(t, i, found->partitions[0], whole);
    }
    l->looked = true;
}
