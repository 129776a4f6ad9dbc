/* The workload of jobs: producers push under idempotency keys and ask until they are answered, workers fetch, ack,
 * fail, give back, vanish with what they have, an operator cancels. The audit is the truth: its transitions must be
 * ones that a job's state allows, no job may be lost or end twice, attempts stay within their limit, a unique key has
 * one holder, and whatever anybody was told must stand in it. */
#include "sim/workload.h"

#include "host/batch.h"
#include "host/envelope.h"
#include "jobs/event.h"

#include <stdlib.h>

extern const struct weir_service weir_service_jobs;

#define PRODUCERS_MAX 3u
#define WORKERS_MAX   4u
#define JOBS_MOST     3000u
#define CALM_JOBS_MAX 1000u
#define TOLD_MAX      20000u
#define ID_TEXT       (JOBS_ID_SIZE + 1)

enum asked { ASK_PUSH, ASK_FETCH, ASK_REPORT, ASK_CANCEL, ASK_STATS };
struct pushed {    /* what a producer wants: job n has jid "op-n" */
    uint64_t id;   /* answered; 0: not yet, or refused */
    uint32_t told; /* what workers had been told when it was first asked */
    bool refused, unique;
};
struct known { /* a job by the audit */
    uint64_t id;
    uint32_t epoch, pushed /* its op */;
    uint8_t state, attempt, is_there;
};
struct told { /* what a worker was told: it has a lease, or its report was taken */
    uint64_t id;
    uint32_t epoch;
    bool done;
};
struct actor {
    struct client client;
    enum asked asked;
    bool works, busy;
    uint64_t op;
    char id[ID_TEXT]; /* the lease under way */
    uint32_t epoch;
    char path[40], body[160];
};
struct hiring {
    struct sim *sim;
    uint32_t actor_count, calm_left, fetches;
    uint32_t answered; /* pushes */
    bool all_ended;    /* the node says so, and no push was answered since it was asked */
    struct actor actors[PRODUCERS_MAX + WORKERS_MAX];
    struct pushed *ops;
    uint32_t count;
    struct known *jobs;
    uint32_t job_count;
    struct told *told;
    uint32_t told_count;
    uint64_t holder; /* of the one unique key, by the audit */
};

static const struct weir_service *const services[] = {&weir_service_jobs, NULL};
static const struct weir_service *const *jobs_services(void *state) {
    (void)state;
    return services;
}

static void *hiring_open(struct sim *sim) {
    struct hiring *h = calloc(1, sizeof *h);
    WEIR_ASSERT(h != NULL);
    h->sim = sim;
    uint32_t producers = (uint32_t)prng_between(&sim->prng, 1, PRODUCERS_MAX);
    h->actor_count = producers + (uint32_t)prng_between(&sim->prng, 1, WORKERS_MAX);
    h->ops = calloc(JOBS_MOST + CALM_JOBS_MAX, sizeof *h->ops);
    h->jobs = calloc(JOBS_MOST + CALM_JOBS_MAX + 1, sizeof *h->jobs);
    h->told = calloc(TOLD_MAX, sizeof *h->told);
    WEIR_ASSERT(h->ops && h->jobs && h->told);
    for (uint32_t i = 0; i < h->actor_count; i++) {
        client_init(&h->actors[i].client, sim);
        h->actors[i].works = i >= producers;
    }
    return h;
}

static void hiring_close(void *state) {
    struct hiring *h = state;
    for (uint32_t i = 0; i < h->actor_count; i++)
        client_done(&h->actors[i].client);
    free(h->ops);
    free(h->jobs);
    free(h->told);
    free(h);
}

static void hiring_configure(void *state, struct settings *settings) {
    static const char *const rows[][2] = {{"jobs.jobs_max", "400"}, {"jobs.payload_memory", "8MB"},
        {"jobs.queues_max", "8"}, {"jobs.types_max", "8"}, {"jobs.tenants_max", "16"}, {"jobs.workers_max", "8"},
        {"jobs.waiters_max", "8"}, {"jobs.uniques_max", "16"}, {"jobs.lease", "3s"}, {"jobs.backoff", "200ms"},
        {"jobs.backoff_max", "2s"}, {"jobs.dead_age", "10000h"}, {"jobs.dead_max", "300"}};
    (void)state;
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows); i++) {
        enum weir_error e = settings_set(settings, rows[i][0], rows[i][1], "sim");
        WEIR_ASSERT(e == WEIR_OK);
    }
}

static void hiring_begin(void *state) {
    struct hiring *h = state;
    for (uint32_t i = 0; i < h->actor_count; i++) {
        client_hang_up(&h->actors[i].client);
        if (h->actors[i].works) h->actors[i].busy = false; /* the worker's machine is another one now */
    }
    h->calm_left = sim_calm_requests(h->sim);
    h->all_ended = false;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */
static void post(struct actor *a, enum asked asked, const char *path, const char *key) {
    a->asked = asked;
    snprintf(a->path, sizeof a->path, "%s", path);
    client_ask(&a->client, "POST", a->path, key, a->body);
}

static void send_push(const struct hiring *h, struct actor *a) {
    char key[32];
    snprintf(key, sizeof key, "op-%llu", (unsigned long long)a->op);
    snprintf(a->body, sizeof a->body,
        "{\"queue\":\"q%llu\",\"type\":\"t\",\"jid\":\"op-%llu\",\"delayMs\":%llu,\"attemptsMax\":%llu%s}",
        (unsigned long long)a->op % 2, (unsigned long long)a->op,
        (unsigned long long)(a->op % 5 ? 0 : a->op * 37 % 3000), (unsigned long long)(1 + a->op % 3),
        h->ops[a->op].unique ? ",\"uniqueKey\":\"the one\"" : "");
    post(a, ASK_PUSH, "/v1/jobs", key);
}

static void begin_push(struct hiring *h, struct actor *a) {
    if (h->count >= JOBS_MOST + (h->sim->calm ? CALM_JOBS_MAX : 0)) return;
    a->op = h->count++;
    a->busy = true;
    h->ops[a->op] = (struct pushed){.unique = sim_percent(h->sim, 10), .told = h->told_count};
    send_push(h, a);
}

static void send_fetch(struct hiring *h, struct actor *a, bool calm) {
    unsigned first = h->fetches++ % 2;
    snprintf(a->body, sizeof a->body, "{\"queues\":[\"q%u\",\"q%u\"],\"worker\":\"w%td\",\"waitMs\":%u}", first,
        1 - first, a - h->actors, sim_pick(h->sim, 3) * (calm ? 50 : 200));
    post(a, ASK_FETCH, "/v1/jobs/fetch", NULL);
}

static void send_report(struct hiring *h, struct actor *a, bool calm) {
    uint32_t roll = calm ? 0 : sim_pick(h->sim, 10);
    const char *path = roll < 6   ? "/v1/jobs/ack"
                       : roll < 8 ? "/v1/jobs/fail"
                       : roll < 9 ? "/v1/jobs/return"
                                  : "/v1/jobs/extend";
    char id[sizeof a->id];
    memcpy(id, a->id, sizeof id); /* gcc does not see that body ends in front of it */
    snprintf(a->body, sizeof a->body, "{\"jobs\":[{\"id\":\"%s\",\"epoch\":%u}]}", id, a->epoch);
    post(a, ASK_REPORT, path, NULL);
}

static void send_cancel(struct hiring *h, struct actor *a) {
    if (h->count == 0) return;
    uint64_t id = h->ops[prng_below(&h->sim->prng, h->count)].id;
    char text[ID_TEXT], path[64];
    if (!id) return;
    jobs_id_print(id, text);
    snprintf(path, sizeof path, "/v1/jobs/%s/cancel", text);
    a->body[0] = 0;
    a->asked = ASK_CANCEL;
    client_ask(&a->client, "POST", path, NULL, NULL);
}

/* ---- hearing ----------------------------------------------------------------------------------------------------- */
static bool text_after(struct weir_slice body, const char *name, char *ret, size_t size) {
    const char *at = memmem(body.data, body.size, name, strlen(name));
    if (!at) return false;
    at += strlen(name);
    size_t n = 0;
    while (n + 1 < size && at + n < (const char *)body.data + body.size && at[n] != '"' && at[n] != ',' && at[n] != '}')
        n++;
    memcpy(ret, at, n);
    ret[n] = 0;
    return true;
}

/* A key is free once its holder's ack was answered. */
static void check_holder(struct hiring *h, const struct pushed *op, uint64_t holder) {
    for (uint32_t i = 0; i < op->told; i++)
        if (h->told[i].done && h->told[i].id == holder)
            sim_fail(h->sim, "jobs: a push is refused for the unique key of job %llu, which was done before",
                (unsigned long long)holder);
}

static void heard_push(struct hiring *h, struct actor *a) {
    struct pushed *op = &h->ops[a->op];
    char id[ID_TEXT], reason[32];
    struct weir_slice body = a->client.body;
    int status = a->client.status;
    uint64_t number = 0;
    bool has_id = text_after(body, "\"id\":\"", id, sizeof id) && jobs_id_parse(weir_slice_text(id), &number);
    bool refused = text_after(body, "\"reason\":\"", reason, sizeof reason) &&
                   (strcmp(reason, "NOT_UNIQUE") == 0 || strcmp(reason, "JOBS_FULL") == 0);
    if (status != 200 && status != 201 && !refused) return; /* asked again */
    if (op->id && (refused || op->id != number))
        sim_fail(
            h->sim, "jobs: op %llu was answered with a job and, asked again, otherwise", (unsigned long long)a->op);
    if (!refused && !has_id) sim_fail(h->sim, "jobs: a push is answered without an id");
    if (refused && has_id) check_holder(h, op, number);
    op->refused = refused;
    h->answered++;
    h->all_ended = false;
    if (!refused) op->id = number;
    a->busy = false;
}

static void tell(struct hiring *h, const struct actor *a, bool done) {
    struct told t = {.epoch = a->epoch, .done = done};
    if (h->told_count == TOLD_MAX || !jobs_id_parse(weir_slice_text(a->id), &t.id)) return;
    h->told[h->told_count++] = t;
}

static void heard_fetch(struct hiring *h, struct actor *a) {
    char epoch[16];
    if (a->client.status != 200) return;
    a->busy = text_after(a->client.body, "\"id\":\"", a->id, sizeof a->id) &&
              text_after(a->client.body, "\"epoch\":", epoch, sizeof epoch);
    if (!a->busy) return;
    a->epoch = (uint32_t)strtoul(epoch, NULL, 10);
    tell(h, a, false);
}

static void heard_report(struct hiring *h, struct actor *a) {
    char reason[32], state[16];
    if (a->client.status != 200) return; /* said again */
    a->busy = false;
    if (!text_after(a->client.body, "\"reason\":\"", reason, sizeof reason) || reason[0]) return;
    if (text_after(a->client.body, "\"state\":\"", state, sizeof state) && strcmp(state, "DONE") == 0) tell(h, a, true);
}

static void heard_stats(struct hiring *h, const struct actor *a) {
    static const char *const names[] = {"\"scheduled\":\"", "\"ready\":\"", "\"running\":\"", "\"retry\":\""};
    char number[24];
    bool ended = a->client.status == 200;
    for (size_t i = 0; ended && i < WEIR_ARRAY_COUNT(names); i++)
        ended = text_after(a->client.body, names[i], number, sizeof number) && strcmp(number, "0") == 0;
    h->all_ended = ended && a->op == h->answered;
}

static void hear(struct hiring *h, struct actor *a) {
    if (a->client.state != CLIENT_ANSWERED) {
        if (a->asked == ASK_REPORT && sim_percent(h->sim, 30)) a->busy = false; /* leaves the job to its lease */
        return;
    }
    if (a->asked == ASK_PUSH) heard_push(h, a);
    if (a->asked == ASK_FETCH) heard_fetch(h, a);
    if (a->asked == ASK_REPORT) heard_report(h, a);
    if (a->asked == ASK_STATS) heard_stats(h, a);
}

static void work_on(struct hiring *h, struct actor *a, bool calm) {
    if (a->busy && (calm || sim_percent(h->sim, 95))) {
        send_report(h, a, calm);
    } else if (!calm && a->id[0] && sim_percent(h->sim, 10)) {
        send_report(h, a, false); /* of a lease that it left long ago: it was only slow */
    } else if (calm && a->asked == ASK_FETCH && !h->all_ended) {
        a->asked = ASK_STATS;
        a->op = h->answered;
        client_ask(&a->client, "GET", "/v1/jobs/stats", NULL, NULL);
    } else if (calm ? !h->all_ended : sim_percent(h->sim, 70)) {
        send_fetch(h, a, calm);
    } else {
        a->busy = false; /* vanishes with what it has */
    }
}

static void next_of(struct hiring *h, struct actor *a, bool calm) {
    if (a->works) {
        work_on(h, a, calm);
        return;
    }
    if (a->busy && (calm || sim_percent(h->sim, 97))) {
        send_push(h, a);
        return;
    }
    a->busy = false;
    if (calm && h->calm_left > 0) {
        h->calm_left--;
        begin_push(h, a);
    } else if (!calm) {
        uint32_t roll = sim_pick(h->sim, 100);
        if (roll < 50) begin_push(h, a);
        if (roll > 95) send_cancel(h, a);
    }
}

static void hiring_step(void *state, bool calm) {
    struct hiring *h = state;
    for (uint32_t i = 0; i < h->actor_count; i++) {
        struct actor *a = &h->actors[i];
        client_step(&a->client);
        if (a->client.state == CLIENT_WAITS) continue;
        if (a->client.state != CLIENT_FREE) hear(h, a);
        client_done_with(&a->client);
        next_of(h, a, calm);
    }
}

static bool hiring_settled(void *state) {
    const struct hiring *h = state;
    for (uint32_t i = 0; i < h->actor_count; i++)
        if (h->actors[i].busy || h->actors[i].client.state != CLIENT_FREE) return false;
    return h->calm_left == 0 && h->all_ended;
}

/* ---- checking: the audit ----------------------------------------------------------------------------------------- */
static bool is_allowed(uint8_t from, const struct jobs_event *e) {
    bool waits = from == JOBS_SCHEDULED || from == JOBS_RETRY, ends = e->state >= JOBS_DONE;
    switch (e->transition) {
    case JOBS_RELEASED:
        return waits && e->state == JOBS_READY;
    case JOBS_LEASED:
        return from == JOBS_READY && e->state == JOBS_RUNNING;
    case JOBS_EXTENDED:
        return from == JOBS_RUNNING && e->state == JOBS_RUNNING;
    case JOBS_RETURNED:
        return from == JOBS_RUNNING && e->state == JOBS_READY;
    case JOBS_FAILED:
    case JOBS_TIMED_OUT:
        return from == JOBS_RUNNING && (e->state == JOBS_RETRY || e->state == JOBS_READY || e->state == JOBS_DEAD);
    case JOBS_ENDED:
        return ends && from < JOBS_DEAD && (e->state != JOBS_DONE || from == JOBS_RUNNING);
    case JOBS_DROPPED:
        return from == JOBS_DEAD;
    default:
        return false;
    }
}

static void take_pushed(struct hiring *h, const struct jobs_event_view *v, struct known *k) {
    char text[16] = "";
    if (v->jid.size < sizeof text) memcpy(text, v->jid.data, v->jid.size);
    unsigned long op = strncmp(text, "op-", 3) == 0 ? strtoul(text + 3, NULL, 10) : JOBS_MOST * 2;
    if (op >= h->count) {
        sim_fail(h->sim, "jobs: the audit has a job that nobody pushed");
        return;
    }
    *k = (struct known){.id = v->head.job, .pushed = (uint32_t)op, .is_there = 1};
    if (h->ops[op].id && h->ops[op].id != k->id)
        sim_fail(h->sim, "jobs: op %lu is job %llu by its answer and %llu by the audit", op,
            (unsigned long long)h->ops[op].id, (unsigned long long)k->id);
    if (!h->ops[op].unique) return;
    if (h->holder)
        sim_fail(h->sim, "jobs: job %llu has a unique key that %llu holds", (unsigned long long)k->id,
            (unsigned long long)h->holder);
    h->holder = k->id;
}

static bool look_at(void *ctx, const struct batch_record *record) {
    struct hiring *h = ctx;
    struct jobs_event_view v;
    h->sim->tally.records_checked++;
    if (!jobs_event_read(record->record.value, &v) || v.head.job == 0 || v.head.job > JOBS_MOST + CALM_JOBS_MAX) {
        sim_fail(h->sim, "jobs.events holds what is no event");
        return false;
    }
    struct known *k = &h->jobs[v.head.job];
    const struct jobs_event *e = &v.head;
    if (e->transition == JOBS_PUSHED && !k->is_there)
        take_pushed(h, &v, k);
    else if (!k->is_there || !is_allowed(k->state, e))
        sim_fail(h->sim, "jobs: job %llu goes from state %u by transition %u to %u", (unsigned long long)e->job,
            k->state, e->transition, e->state);
    if (e->attempt > e->attempts_max || e->attempts_max > 5)
        sim_fail(
            h->sim, "jobs: job %llu has attempt %u of %u", (unsigned long long)e->job, e->attempt, e->attempts_max);
    if (e->epoch != k->epoch + (e->transition == JOBS_LEASED))
        sim_fail(h->sim, "jobs: job %llu has epoch %u after %u", (unsigned long long)e->job, e->epoch, k->epoch);
    bool gone = e->state == JOBS_DEAD || e->state >= JOBS_DONE;
    if (gone && h->holder == e->job) h->holder = 0;
    k->epoch = e->epoch;
    k->attempt = e->attempt;
    k->state = e->transition == JOBS_DROPPED ? (uint8_t)JOBS_EXPIRED : e->state;
    return !h->sim->failed;
}

static void check_told(struct hiring *h) {
    for (uint32_t n = 0; n < h->count && !h->sim->failed; n++)
        if (h->ops[n].id && (h->ops[n].id > JOBS_MOST + CALM_JOBS_MAX || !h->jobs[h->ops[n].id].is_there))
            sim_fail(h->sim, "jobs: op %u was answered with job %llu, which the audit does not have", n,
                (unsigned long long)h->ops[n].id);
    for (uint32_t i = 0; i < h->told_count && !h->sim->failed; i++) {
        const struct told *t = &h->told[i];
        const struct known *k = &h->jobs[t->id <= JOBS_MOST + CALM_JOBS_MAX ? t->id : 0];
        if (k->epoch < t->epoch)
            sim_fail(h->sim, "jobs: a worker was told lease %u of job %llu, the audit has %u", t->epoch,
                (unsigned long long)t->id, k->epoch);
        if (t->done && (k->state != JOBS_DONE || k->epoch != t->epoch))
            sim_fail(h->sim, "jobs: an ack of job %llu was taken, the audit has it in state %u",
                (unsigned long long)t->id, k->state);
    }
}

static bool hiring_check(void *state, bool whole) {
    struct hiring *h = state;
    memset(h->jobs, 0, (JOBS_MOST + CALM_JOBS_MAX + 1) * sizeof *h->jobs);
    h->holder = 0;
    if (!sim_read(h->sim, "jobs.events", 0, 0, look_at, h)) return false;
    if (whole) check_told(h);
    /* A push that its producer gave up may still have come after the node was asked. */
    for (uint32_t id = 1; whole && h->sim->calm && hiring_settled(h) && id <= JOBS_MOST + CALM_JOBS_MAX; id++) {
        const struct known *k = &h->jobs[id];
        bool answered = k->is_there && h->ops[k->pushed].id != 0;
        if (answered && k->state != JOBS_DEAD && k->state < JOBS_DONE)
            sim_fail(h->sim, "jobs: all have ended, says the node; job %u is in state %u", id, k->state);
    }
    return true;
}

extern const struct sim_workload sim_workload_jobs;
const struct sim_workload sim_workload_jobs = {
    .name = "jobs",
    .summary = "pushes under idempotency keys, workers that fetch, report and vanish, an operator who cancels",
    .services = jobs_services,
    .open = hiring_open,
    .close = hiring_close,
    .configure = hiring_configure,
    .begin = hiring_begin,
    .step = hiring_step,
    .settled = hiring_settled,
    .check = hiring_check,
};
