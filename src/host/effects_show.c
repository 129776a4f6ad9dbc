/* What operators see of a partition's effects, as JSON: read on its lane, between records; and their orders. */
#include "base/assert.h"
#include "base/civil.h"
#include "base/json.h"
#include "host/mail.h"
#include "host/node.h"
#include "host/request.h"

#include <stdio.h>

#define SHOW_BYTES (1u << 20)
#define LIST_MAX   500u

static const char *const state_names[] = {"waiting", "running", "resting", "dead"};
static const char *const breaker_names[] = {"closed", "open", "half_open"};

/* ---- JSON ---- */
static void put_time(struct json_writer *w, const char *key, uint64_t ns) {
    char text[CIVIL_TEXT_SIZE];
    civil_format((int64_t)ns, 3, text);
    json_put_text(w, key, text);
}

static void put_row(struct json_writer *w, const struct fold *fold, const struct effect_row *r) {
    struct weir_gate_limits limits;
    effects_limits(r, fold->in_force.values, &limits);
    uint32_t place = 0, keys[3] = {0};
    uint64_t key;
    struct weir_gate *gate;
    while (weir_gates_each(r->keys, &place, &key, &gate))
        keys[weir_gate_state(gate, fold->time_ns)]++;
    json_write_object_open(w);
    json_put_text(w, "name", r->row->name);
    json_put_bool(w, "paused", r->paused);
    json_put_u64(w, "waiting", r->waiting);
    json_put_u64(w, "running", r->gate.running);
    json_put_u64(w, "resting", r->resting);
    json_put_u64(w, "dead", r->dead.count);
    json_put_u64(w, "outstandingMax", r->outstanding_max);
    json_put_u64(w, "runningMax", limits.running_max);
    json_put_u64(w, "perSecond", limits.per_second);
    json_put_text(w, "breaker", breaker_names[weir_gate_state(&r->gate, fold->time_ns)]);
    json_put_u64(w, "keysClosed", keys[WEIR_GATE_CLOSED]);
    json_put_u64(w, "keysOpen", keys[WEIR_GATE_OPEN]);
    json_put_u64(w, "keysHalfOpen", keys[WEIR_GATE_HALF_OPEN]);
    json_put_u64(w, "timeoutMs", weir_gate_timeout(&r->gate, &limits) / SYS_NANOS_PER_MS);
    json_put_u64(w, "attempts", r->attempts);
    json_put_u64(w, "failures", r->failures);
    json_put_u64(w, "deadTotal", r->dead_total);
    json_write_object_close(w);
}

static void put_head(struct json_writer *w, const struct fold *fold, const struct effect *e) {
    json_put_u64(w, "id", e->id);
    json_put_text(w, "effect", fold->effects.rows[e->row].row->name);
    json_put_text(w, "state", state_names[e->state]);
    json_put_u64(w, "attempts", e->attempt);
    json_put_u64(w, "priority", e->priority);
    json_put_u64(w, "tag", e->tag);
    json_put_u64(w, "key", e->key);
    put_time(w, "asked", e->created_ns);
    put_time(w, e->state == EFFECT_RESTING ? "again" : "since", e->at_ns);
    if (e->attempt_count == 0) return;
    json_put_text(w, "last", weir_effect_class_name((enum weir_effect_class)e->class_));
    if (e->status) json_put_u64(w, "status", e->status);
    if (e->text_size) json_put_slice(w, "text", weir_slice(e->text, e->text_size));
}

static void put_request(struct json_writer *w, struct effect *e) {
    struct weir_effect_header headers[WEIR_EFFECT_HEADERS_MAX];
    struct weir_effect_request q;
    struct weir_slice bytes = weir_slice(effect_request(e), e->request_size);
    if (!weir_effect_request_load(bytes, headers, &q)) {
        json_put_slice(w, "request", bytes);
        return;
    }
    json_put_slice(w, "method", q.method);
    json_put_slice(w, "url", q.url);
    json_put_slice(w, "request", q.body);
}

static void put_attempts(struct json_writer *w, const struct effect *e) {
    json_write_key(w, "history");
    json_write_array_open(w);
    for (uint32_t i = 0; i < e->attempt_count; i++) {
        const struct weir_attempt *a = &e->attempts[i];
        json_write_object_open(w);
        json_put_u64(w, "attempt", a->attempt);
        put_time(w, "begun", a->begun_ns);
        json_put_double(w, "durationMs", (double)(a->duration_ns / 1000) / 1000);
        json_put_text(w, "class", weir_effect_class_name((enum weir_effect_class)a->class_));
        if (a->status) json_put_u64(w, "status", a->status);
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

/* ---- the list ---- */
static bool wanted(const struct host_effects_ask *ask, const struct effect *e) {
    return (ask->row == HOST_EFFECTS_ANY || ask->row == e->row) &&
           (ask->state == HOST_EFFECTS_ANY || ask->state == e->state) && e->id > ask->after;
}

/* The ids of those that are wanted, in their order, which is the order in which they were asked for. */
static uint32_t choose(const struct fold *fold, const struct host_effects_ask *ask, uint64_t ids[LIST_MAX]) {
    uint32_t count = 0, index, most = ask->limit < LIST_MAX ? ask->limit : LIST_MAX;
    uint64_t id;
    for (size_t at = 0; fold->effects.memory && map32_each(&fold->effects.by_id, &at, &id, &index);) {
        if (!wanted(ask, effects_at(&fold->effects, index)) || (count == most && (most == 0 || id > ids[most - 1])))
            continue;
        uint32_t place = count < most ? count++ : most - 1;
        for (; place > 0 && ids[place - 1] > id; place--)
            ids[place] = ids[place - 1];
        ids[place] = id;
    }
    return count;
}

static void put_list(struct json_writer *w, const struct fold *fold, const struct host_effects_ask *ask) {
    uint64_t ids[LIST_MAX];
    uint32_t count = choose(fold, ask, ids);
    json_write_key(w, "rows");
    json_write_array_open(w);
    for (uint32_t i = 0; i < fold->effects.row_count; i++)
        put_row(w, fold, &fold->effects.rows[i]);
    json_write_array_close(w);
    json_write_key(w, "effects");
    json_write_array_open(w);
    for (uint32_t i = 0; i < count; i++) {
        json_write_object_open(w);
        put_head(w, fold, effects_find(&fold->effects, ids[i]));
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

static enum weir_error show(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct fold *fold = state;
    struct host_effects_ask ask;
    memcpy(&ask, request->packed.data, sizeof ask);
    struct effect *e = ask.id ? effects_find(&fold->effects, ask.id) : NULL;
    if (ask.id && !e)
        return weir_error_context(WEIR_E_NOT_FOUND, "no effect %llu is outstanding or dead in partition %u",
            (unsigned long long)ask.id, fold->options.partition);
    char *room = weir_answer_room(answer, SHOW_BYTES);
    if (!room) return weir_error_context(WEIR_E_NO_MEMORY, "no room for the answer");
    struct text_builder t = text_builder(room, SHOW_BYTES);
    struct json_writer w = json_writer(&t, 0);
    json_write_object_open(&w);
    json_put_u64(&w, "partition", fold->options.partition);
    if (e) {
        put_head(&w, fold, e);
        put_attempts(&w, e);
        put_request(&w, e);
    } else {
        put_list(&w, fold, &ask);
    }
    json_write_object_close(&w);
    if (t.truncated) return weir_error_context(WEIR_E_TOO_LARGE, "more than fits one answer: ask for fewer");
    weir_answer_commit(answer, t.size);
    return WEIR_OK;
}

enum weir_error host_effects_show(struct host_lane *lane, uint32_t service, uint32_t partition,
    const struct host_effects_ask *ask, struct host_origin origin) {
    const struct host_query query = {.service = service,
        .partition = partition,
        .query = show,
        .packed = weir_slice(ask, sizeof *ask),
        .origin = origin,
        .of_fold = true};
    return host_query(lane, &query);
}

/* ---- orders: on the work agent, then on the partition's lane ---- */
enum weir_error host_effect_order(
    struct host *host, const char *service, uint32_t partition, const struct host_effect_order *order) {
    const struct host_service *s = host_service_find(host, service);
    if (!s) return weir_error_context(WEIR_E_NOT_FOUND, "no service %s runs here", service);
    if (partition >= s->partition_count)
        return weir_error_context(WEIR_E_NOT_FOUND, "service %s has %u partitions", service, s->partition_count);
    struct work_skip *asked = &host->work->skip;
    uint32_t number = s->first + partition;
    if (!asked->asked) {
        uint32_t to = host->partitions[number].lane->index, self = host_work_endpoint(host);
        struct mail_order *mail = mailbox_reserve(&host->mailbox, MAIL_REQUEST, self, to, sizeof *mail);
        if (!mail) return WEIR_E_AGAIN;
        *mail = (struct mail_order){.order = *order, .partition = number};
        mailbox_commit(&host->mailbox, MAIL_REQUEST, self, to, sizeof *mail, MAIL_ORDER);
        *asked = (struct work_skip){.asked = true, .partition = number};
    }
    if (!asked->answered) return WEIR_E_AGAIN;
    asked->asked = false;
    return asked->error == WEIR_OK ? WEIR_OK : weir_error_context(asked->error, "%s", asked->text);
}

/* Whether the order means something now. What happens between this and its record makes it mean nothing at most. */
static enum weir_error judge(const struct host_partition *p, const struct host_effect_order *order) {
    const struct effects *effects = &p->fold.effects;
    uint32_t phase = atomic_load_explicit(&p->host->phase, memory_order_acquire);
    if (phase >= HOST_DRAINING) return weir_error_context(WEIR_E_CLOSED, "the node is stopping");
    if (!p->announced || p->parked) return weir_error_context(WEIR_E_CLOSED, "the partition is not ready");
    if (order->row >= effects->row_count)
        return weir_error_context(WEIR_E_NOT_FOUND, "service %s has no such effect", p->owner->service->name);
    bool one = order->order == EFFECT_ORDER_REQUEUE || order->order == EFFECT_ORDER_DROP;
    if (!one || order->id == EFFECT_ALL) return WEIR_OK;
    const struct effect *e = effects_find(effects, order->id);
    if (!e)
        return weir_error_context(
            WEIR_E_NOT_FOUND, "no effect %llu is outstanding or dead", (unsigned long long)order->id);
    if (order->order == EFFECT_ORDER_REQUEUE && e->state != EFFECT_DEAD)
        return weir_error_context(
            WEIR_E_CONFLICT, "effect %llu is %s, not dead", (unsigned long long)order->id, state_names[e->state]);
    return WEIR_OK;
}

bool host_request_order(struct host_lane *lane, struct weir_slice message) {
    const struct mail_order *mail = (const void *)message.data;
    struct host_partition *p = &lane->host->partitions[mail->partition];
    struct host_delivery d = {.kind = HOST_REPLY, .origin = {.lane = host_work_endpoint(lane->host)}, .text = ""};
    struct envelope envelope = {.kind = ENVELOPE_ORDER,
        .effect = mail->order.id,
        .order = (uint8_t)mail->order.order,
        .row = (uint8_t)mail->order.row};
    d.error = judge(p, &mail->order);
    if (d.error == WEIR_OK)
        d.error = host_partition_append(p, &envelope, (struct weir_slice){0}, (struct weir_slice){0}, &d.offset);
    if (d.error == WEIR_E_FULL || d.error == WEIR_E_AGAIN) return false;
    if (d.error != WEIR_OK) {
        d.text = weir_error_text();
        return host_lane_deliver(lane, &d, 0) == WEIR_OK;
    }
    WEIR_ASSERT(held_delivery(lane->open, &d)); /* told once it is durable */
    return true;
}
