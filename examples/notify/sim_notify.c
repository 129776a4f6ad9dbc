/* The notifications' workload: clients ask for texts to be sent, and a simulated world of destinations answers, fails,
 * asks for patience, hangs, answers twice, or too late. It knows every call and what it said; the log says what was
 * made of it: nothing is dispatched by a replay or before its cause is durable, no attempt is made twice in a life or
 * beyond the cap, no result is another call's, and every effect has exactly one final result or is outstanding. */
#include "sim/workload.h"

#include "host/batch.h"
#include "host/node.h"

#include <stdlib.h>

extern const struct weir_service weir_service_notify;

#define CLIENTS_MAX  4u
#define OPS_MAX      500u
#define CALM_OPS_MAX 300u
#define CALLS_MAX    8192u
#define ATTEMPTS     3u
#define AT_ONCE      6u
#define NOWHERE      UINT64_MAX

struct call { /* of the world's */
    uint64_t offset, tag, due_ns;
    uint32_t attempt, lane, life, serial, ends; /* ends: still to be told, 0 to 2 */
    enum weir_effect_class class_;
    uint16_t status;
    uint64_t retry_after_ns;
    bool open, ended; /* counts for the cap; was told to the node */
};
struct fate { /* of an effect, by the log */
    uint64_t offset, tag;
    uint32_t results;
    bool final, delivered;
    struct weir_attempt attempts[ATTEMPTS];
    uint32_t letters;
};
struct notifying {
    struct effect_executor executor; /* first */
    struct sim *sim;
    uint32_t client_count, life, ops, ops_left;
    struct client clients[CLIENTS_MAX];
    char bodies[CLIENTS_MAX][160];
    uint32_t busy[CLIENTS_MAX]; /* the op it brings to its end, + 1 */
    struct call *calls;
    uint32_t call_count;
    struct fate *fates; /* of the last look */
    uint32_t fate_count;
    uint64_t applied;
    char text[64]; /* of the end that was told last */
};

/* ---- the world: an executor ---- */
/* notify-PARTITION-OFFSET-INDEX-TIME */
static bool read_offset(const char *key, uint64_t *ret_offset) {
    char *end;
    if (strncmp(key, "notify-0-", 9) != 0) return false;
    *ret_offset = strtoull(key + 9, &end, 10);
    return strncmp(end, "-0-", 3) == 0;
}

static const struct host_partition *partition_of(const struct notifying *n) {
    const struct host *host = n->sim->node.host;
    for (uint32_t i = 0; host && i < host->service_count; i++)
        if (host->services[i].service == &weir_service_notify) return &host->partitions[host->services[i].first];
    return NULL;
}

/* What was called before: a cap that is kept, each attempt once a life, and none before the one in front has ended. */
static void judge_call(struct notifying *n, const struct call *now) {
    uint32_t open = 0;
    bool before = now->attempt == 1;
    for (uint32_t i = 0; i < n->call_count; i++) {
        const struct call *c = &n->calls[i];
        open += c->open;
        if (c->offset != now->offset) continue;
        before |= c->attempt + 1 == now->attempt && c->ended;
        if (c->attempt == now->attempt && c->life == now->life)
            sim_fail(n->sim, "notify: attempt %u of effect %llu is dispatched twice in one life", now->attempt,
                (unsigned long long)now->offset);
    }
    if (open >= AT_ONCE) sim_fail(n->sim, "notify: more than %u calls at once", AT_ONCE);
    if (now->attempt > ATTEMPTS) sim_fail(n->sim, "notify: attempt %u, the cap is %u", now->attempt, ATTEMPTS);
    if (!before)
        sim_fail(n->sim, "notify: attempt %u of effect %llu, and the one in front of it has not ended", now->attempt,
            (unsigned long long)now->offset);
}

static void draw_answer(struct notifying *n, struct call *c) {
    uint32_t roll = sim_pick(n->sim, 100);
    c->ends = 1;
    c->class_ = WEIR_EFFECT_OK;
    c->status = 200;
    c->due_ns = sim_now_ns(n->sim) + prng_below(&n->sim->prng, 150 * SYS_NANOS_PER_MS);
    if (n->sim->calm) return;
    if (roll < 20) {
        c->class_ = WEIR_EFFECT_STATUS;
        c->status = roll < 12 ? 503 : roll < 16 ? 404 : 429;
        if (c->status == 429) c->retry_after_ns = SYS_NANOS_PER_S;
    } else if (roll < 26) {
        c->class_ = WEIR_EFFECT_RESET;
        c->status = 0;
    } else if (roll < 31) {
        c->ends = 0; /* hangs */
    } else if (roll < 36) {
        c->due_ns += 13 * SYS_NANOS_PER_S; /* nobody waits for it any more */
    } else if (roll < 45) {
        c->ends = 2; /* answers twice */
    }
}

static enum weir_error world_start(struct effect_executor *executor, uint32_t lane, const struct effect_call *call) {
    struct notifying *n = (struct notifying *)executor;
    const struct host_partition *p = partition_of(n);
    if (n->call_count == CALLS_MAX || sim_percent(n->sim, 3)) return WEIR_E_FULL;
    struct call *c = &n->calls[n->call_count];
    *c = (struct call){.tag = call->tag,
        .attempt = call->attempt,
        .lane = lane,
        .life = n->life,
        .serial = n->call_count,
        .open = true};
    if (!read_offset(call->key, &c->offset)) sim_fail(n->sim, "notify: the idempotency key is %s", call->key);
    if (p && (p->replaying || !p->announced)) sim_fail(n->sim, "notify: dispatched while the log is replayed");
    judge_call(n, c);
    draw_answer(n, c);
    n->call_count++;
    return WEIR_OK;
}

static bool world_take(struct effect_executor *executor, uint32_t lane, struct effect_end *ret_end) {
    struct notifying *n = (struct notifying *)executor;
    for (uint32_t i = 0; i < n->call_count; i++) {
        struct call *c = &n->calls[i];
        if (c->life != n->life || c->lane != lane || c->ends == 0 || c->due_ns > sim_now_ns(n->sim)) continue;
        c->ends--;
        c->open = false;
        c->ended = true;
        c->due_ns += prng_below(&n->sim->prng, SYS_NANOS_PER_S); /* of a second end */
        snprintf(n->text, sizeof n->text, "call %u", c->serial);
        *ret_end = (struct effect_end){.tag = c->tag,
            .answer = {.class_ = c->class_,
                .status = c->status,
                .duration_ns = 1000,
                .retry_after_ns = c->retry_after_ns,
                .body = weir_slice_text(n->text)}};
        return true;
    }
    return false;
}

static void world_cancel(struct effect_executor *executor, uint32_t lane, uint64_t tag) {
    struct notifying *n = (struct notifying *)executor;
    for (uint32_t i = 0; i < n->call_count; i++)
        if (n->calls[i].life == n->life && n->calls[i].lane == lane && n->calls[i].tag == tag) {
            n->calls[i].open = false;
            n->calls[i].ended = true; /* for the node: its result is a timeout */
        }
}

static void world_stop(struct effect_executor *executor) {
    (void)executor; /* the workload's own */
}

static struct effect_executor *notifying_effects(void *state) {
    return &((struct notifying *)state)->executor;
}

/* Lanes are woken when an end is due: in the real world its agent does that. */
static void wake_lanes(struct notifying *n) {
    if (!node_is_open(&n->sim->node) || !n->sim->node.host) return;
    for (uint32_t i = 0; i < n->call_count; i++) {
        const struct call *c = &n->calls[i];
        if (c->life == n->life && c->ends > 0 && c->due_ns <= sim_now_ns(n->sim))
            n->sim->sys->poller_wake(n->sim->sys, n->sim->node.host->lanes[c->lane].poller);
    }
}

/* ---- clients ---- */
static const struct weir_service *const services[] = {&weir_service_notify, NULL};
static const struct weir_service *const *notifying_services(void *state) {
    (void)state;
    return services;
}

static void *notifying_open(struct sim *sim) {
    struct notifying *n = calloc(1, sizeof *n);
    WEIR_ASSERT(n != NULL);
    n->sim = sim;
    n->executor = (struct effect_executor){world_start, world_take, world_cancel, world_stop};
    n->client_count = (uint32_t)prng_between(&sim->prng, 1, CLIENTS_MAX);
    n->calls = calloc(CALLS_MAX, sizeof *n->calls);
    n->fates = calloc(OPS_MAX + CALM_OPS_MAX, sizeof *n->fates);
    WEIR_ASSERT(n->calls && n->fates);
    for (uint32_t i = 0; i < n->client_count; i++)
        client_init(&n->clients[i], sim);
    return n;
}

static void notifying_close(void *state) {
    struct notifying *n = state;
    for (uint32_t i = 0; i < n->client_count; i++)
        client_done(&n->clients[i]);
    free(n->calls);
    free(n->fates);
    free(n);
}

static void notifying_configure(void *state, struct settings *settings) {
    (void)state;
    enum weir_error e = settings_set(settings, "notify.concurrency", "6", "sim");
    if (e == WEIR_OK) e = settings_set(settings, "notify.attempts", "3", "sim");
    WEIR_ASSERT(e == WEIR_OK);
}

static void notifying_begin(void *state) {
    struct notifying *n = state;
    n->life++;
    for (uint32_t i = 0; i < n->call_count; i++)
        n->calls[i].open = false;
    for (uint32_t i = 0; i < n->client_count; i++)
        client_hang_up(&n->clients[i]);
    n->ops_left = sim_calm_requests(n->sim);
}

static void ask(struct notifying *n, uint32_t i) {
    char key[32];
    uint32_t op = n->busy[i] - 1;
    snprintf(key, sizeof key, "op-%u", op);
    snprintf(n->bodies[i], sizeof n->bodies[i], "{\"url\":\"http://host-%u/x\",\"text\":\"op %u\"}", op % 3, op);
    client_ask(&n->clients[i], "POST", "/v1/notify/messages", key, n->bodies[i]);
}

static void next(struct notifying *n, uint32_t i, bool calm) {
    if (n->busy[i] && (calm || sim_percent(n->sim, 95))) {
        ask(n, i);
        return;
    }
    n->busy[i] = 0;
    bool more = calm ? n->ops_left > 0 : sim_percent(n->sim, 50);
    if (!more || n->ops >= OPS_MAX + (calm ? CALM_OPS_MAX : 0)) {
        if (calm) n->ops_left = 0;
        return;
    }
    if (calm) n->ops_left--;
    n->busy[i] = ++n->ops;
    ask(n, i);
}

static void notifying_step(void *state, bool calm) {
    struct notifying *n = state;
    wake_lanes(n);
    for (uint32_t i = 0; i < n->client_count; i++) {
        struct client *c = &n->clients[i];
        client_step(c);
        if (c->state == CLIENT_WAITS) continue;
        if (c->state == CLIENT_ANSWERED && c->status == 202) n->busy[i] = 0;
        client_done_with(c);
        next(n, i, calm);
    }
}

static bool notifying_settled(void *state) {
    const struct notifying *n = state;
    for (uint32_t i = 0; i < n->client_count; i++)
        if (n->busy[i] || n->clients[i].state != CLIENT_FREE) return false;
    return n->ops_left == 0;
}

/* ---- checking: what the log says became of each ---- */
static struct fate *fate_of(const struct notifying *n, uint64_t offset) {
    for (uint32_t i = 0; i < n->fate_count; i++)
        if (n->fates[i].offset == offset) return &n->fates[i];
    return NULL;
}

/* The world said this of that very attempt; or it said nothing in time. */
static bool was_said(const struct notifying *n, uint64_t offset, uint32_t attempt, const struct effect_answer *a) {
    char text[64];
    for (uint32_t i = 0; i < n->call_count; i++) {
        const struct call *c = &n->calls[i];
        if (c->offset != offset || c->attempt != attempt) continue;
        if (a->class_ == WEIR_EFFECT_TIMEOUT && !a->body.size) return true;
        snprintf(text, sizeof text, "call %u", c->serial);
        if (c->class_ == a->class_ && c->status == a->status && weir_slice_equal(a->body, weir_slice_text(text)))
            return true;
    }
    return false;
}

static bool ends_it(const struct effect_answer *a, uint32_t attempt) {
    bool may_pass =
        a->class_ == WEIR_EFFECT_STATUS ? a->status == 429 || a->status == 503 : a->class_ != WEIR_EFFECT_OK;
    return !may_pass || attempt == ATTEMPTS;
}

static void take_result(struct notifying *n, const struct envelope *envelope, struct weir_slice value) {
    struct effect_answer a;
    uint64_t offset = envelope->effect >> EFFECT_INDEX_BITS;
    struct fate *f = fate_of(n, offset);
    if (!effect_answer_load(value, &a) || !f) {
        sim_fail(n->sim, "notify: a result of nothing that was asked for");
        return;
    }
    if (!was_said(n, offset, envelope->attempt, &a))
        sim_fail(n->sim, "notify: the result of attempt %u of effect %llu is not what the world said",
            envelope->attempt, (unsigned long long)offset);
    if (f->final || envelope->attempt != f->results + 1) return; /* stale */
    f->attempts[f->results++] =
        (struct weir_attempt){.attempt = envelope->attempt, .status = a.status, .class_ = (uint8_t)a.class_};
    f->final = ends_it(&a, envelope->attempt);
    f->delivered = a.class_ == WEIR_EFFECT_OK;
}

static bool look_at(void *ctx, const struct batch_record *record) {
    struct notifying *n = ctx;
    struct envelope envelope;
    n->sim->tally.records_checked++;
    if (record->offset >= n->applied) return true;
    if (envelope_load(&record->record, &envelope) != WEIR_OK) {
        sim_fail(n->sim, "notify.commands holds a record without an envelope");
    } else if (envelope.kind == WEIR_RECORD_COMMAND) {
        WEIR_ASSERT(n->fate_count < OPS_MAX + CALM_OPS_MAX);
        struct fate *f = &n->fates[n->fate_count++];
        *f = (struct fate){.offset = record->offset, .tag = n->fate_count};
    } else if (envelope.kind == WEIR_RECORD_RESULT) {
        take_result(n, &envelope, record->record.value);
    }
    return !n->sim->failed;
}

static bool look_at_letter(void *ctx, const struct batch_record *record) {
    struct notifying *n = ctx;
    struct weir_dead_letter l;
    if (!weir_dead_letter_load(record->record.value, &l)) {
        sim_fail(n->sim, "notify.dead holds what is no dead letter");
        return false;
    }
    struct fate *f = fate_of(n, l.offset);
    if (!f || !f->final) return true; /* of records behind those that were looked at */
    f->letters++;
    bool same = !f->delivered && l.attempt_count == f->results && l.tag == f->tag;
    for (uint32_t i = 0; same && i < l.attempt_count; i++) {
        struct weir_attempt a = weir_dead_letter_attempt(&l, i);
        same = a.attempt == f->attempts[i].attempt && a.status == f->attempts[i].status &&
               a.class_ == f->attempts[i].class_;
    }
    if (!same || f->letters > 1)
        sim_fail(
            n->sim, "notify: the dead letter of effect %llu does not tell what happened", (unsigned long long)l.offset);
    return !n->sim->failed;
}

/* The fold's table, against what the log says. */
static void judge_table(struct notifying *n, const struct fold *fold) {
    for (uint32_t i = 0; i < n->fate_count && !n->sim->failed; i++) {
        const struct fate *f = &n->fates[i];
        const struct effect *e = effects_find(&fold->effects, f->offset << EFFECT_INDEX_BITS);
        if (f->final && f->delivered && e)
            sim_fail(n->sim, "notify: effect %llu was delivered, and is still there", (unsigned long long)f->offset);
        if (f->final && !f->delivered && e && e->state != EFFECT_DEAD)
            sim_fail(
                n->sim, "notify: effect %llu has its final result, and is still tried", (unsigned long long)f->offset);
        if (!f->final && (!e || e->state == EFFECT_DEAD))
            sim_fail(n->sim, "notify: effect %llu has no final result, and is not outstanding",
                (unsigned long long)f->offset);
        if (e && !f->final && e->attempt != f->results + (e->state == EFFECT_RUNNING))
            sim_fail(n->sim, "notify: effect %llu had %u results, and counts %u attempts",
                (unsigned long long)f->offset, f->results, e->attempt);
    }
}

/* Each call's cause must have survived, whatever crashed since. */
static void judge_causes(struct notifying *n) {
    for (uint32_t i = 0; i < n->call_count && !n->sim->failed; i++) {
        const struct call *c = &n->calls[i];
        const struct fate *f = fate_of(n, c->offset);
        if (c->life == n->life) continue;
        if (!f)
            sim_fail(n->sim, "notify: effect %llu was dispatched, and nothing in the log asks for it",
                (unsigned long long)c->offset);
        else if (c->attempt > f->results + 1)
            sim_fail(n->sim, "notify: attempt %u of effect %llu was dispatched, and the log has %u results", c->attempt,
                (unsigned long long)c->offset, f->results);
    }
}

static bool notifying_check(void *state, bool whole) {
    struct notifying *n = state;
    const struct host_partition *p = partition_of(n);
    if (!p || p->parked) return true;
    n->applied = p->fold.applied;
    n->fate_count = 0;
    if (!sim_read(n->sim, "notify.commands", 0, 0, look_at, n)) return false;
    if (n->sim->failed || n->applied > atomic_load(&p->log->high)) return true;
    judge_table(n, &p->fold);
    judge_causes(n);
    if (whole && !n->sim->failed && !sim_read(n->sim, "notify.dead", 0, 0, look_at_letter, n)) return false;
    return true;
}

extern const struct sim_workload sim_workload_notify;
const struct sim_workload sim_workload_notify = {
    .name = "notify",
    .summary = "effects in a world that answers, fails, hangs and answers twice",
    .services = notifying_services,
    .open = notifying_open,
    .close = notifying_close,
    .configure = notifying_configure,
    .effects = notifying_effects,
    .begin = notifying_begin,
    .step = notifying_step,
    .settled = notifying_settled,
    .check = notifying_check,
};
