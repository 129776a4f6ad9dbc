/* MUTATE, QUEUE and FLUSH: orders to many jobs, carried out partition by partition in records of bounded size. */
#include "jobs/faktory_ask.h"

static enum jobs_action action_of(const struct weir_faktory_mutate *mutate) {
    switch (mutate->change) {
    case WEIR_FAKTORY_KILL:
        return JOBS_KILL;
    case WEIR_FAKTORY_REQUEUE:
        return JOBS_REQUEUE;
    default:
        return mutate->target == WEIR_FAKTORY_DEAD ? JOBS_DROP : JOBS_CANCEL;
    }
}

static uint8_t state_of(enum weir_faktory_set target) {
    static const uint8_t states[] = {[WEIR_FAKTORY_SCHEDULED] = JOBS_SCHEDULED,
        [WEIR_FAKTORY_RETRIES] = JOBS_RETRY,
        [WEIR_FAKTORY_DEAD] = JOBS_DEAD};
    return states[target];
}

/* ---- all of a state, perhaps of one type: the partition looks for them itself ---- */
static bool ask_operate(struct weir_session *session, const struct jobs_operate *operate, struct weir_slice type,
    uint32_t partition, uint32_t part) {
    uint8_t value[sizeof *operate + JOBS_NAME_MAX];
    struct jobs_operate order = *operate;
    order.type_size = (uint8_t)type.size;
    memcpy(value, &order, sizeof order);
    if (type.size) memcpy(value + sizeof order, type.data, type.size);
    struct weir_command command = {
        .partition = partition, .type = JOBS_RECORD_OPERATE, .value = weir_slice(value, sizeof order + type.size)};
    return faktory_errand_ask(session, &command, part);
}

/* One order after the other: errand->step says which partition and state, count where it is to go on. True: all done.
 */
static bool operate_on_all(
    struct weir_session *session, const struct jobs_operate *orders, uint32_t count, struct weir_slice type) {
    struct faktory *f = weir_session_state(session);
    struct faktory_errand *errand = &f->errand;
    uint32_t partitions = weir_session_partition_count(session);
    if (errand->sent && errand->count == 0) errand->step++;
    errand->sent = 0;
    if (errand->failed || errand->step == partitions * count) return true;
    struct jobs_operate order = orders[errand->step / partitions];
    order.after = errand->count;
    order.max = JOBS_ENTRIES_MAX;
    errand->sent = ask_operate(session, &order, type, errand->step % partitions, 0);
    return errand->failed;
}

static void operate_part(struct weir_session *session, uint16_t status, struct weir_slice value) {
    struct faktory *f = weir_session_state(session);
    struct jobs_operated said;
    f->errand.count = 0;
    if (status >= 300 || value.size != sizeof said) {
        f->errand.failed = true;
        return;
    }
    memcpy(&said, value.data, sizeof said);
    f->errand.count = said.next;
}

static enum faktory_taken end_in_ok(struct weir_session *session) {
    const struct faktory *f = weir_session_state(session);
    if (f->errand.failed) return faktory_errand_fail(session);
    faktory_say_ok(session);
    return faktory_errand_end(session);
}

/* ---- those that a pattern or jids mean: they are asked for, then each is told by its id ---- */
enum { SELECTING, TELLING };
#define JIDS_BYTES (FAKTORY_SELECT_MAX * (JOBS_JID_MAX + 1u))

/* The jids from the `skip`-th on, as many as one question holds; returns their bytes. */
static size_t pack_jids(
    struct weir_slice array, struct arena *arena, uint64_t skip, uint8_t *out, uint64_t *ret_count) {
    struct json_reader reader = json_reader(array, 1);
    struct weir_slice jid;
    size_t size = 0;
    *ret_count = 0;
    for (uint64_t i = 0; *ret_count < FAKTORY_SELECT_MAX && weir_faktory_text_next(&reader, arena, &jid); i++) {
        if (i < skip) continue;
        ++*ret_count;
        if (jid.size == 0 || jid.size > JOBS_JID_MAX) continue; /* no job is called that */
        out[size++] = (uint8_t)jid.size;
        memcpy(out + size, jid.data, jid.size);
        size += jid.size;
    }
    return size;
}

/* errand->next[0]: from where on; next[1]: jids looked for; step: partition; count: ids found; sent: of them told. */
static bool ask_select(
    struct weir_session *session, const struct weir_faktory_mutate *mutate, struct arena *arena, bool *ret_asked) {
    struct faktory *f = weir_session_state(session);
    struct faktory_errand *errand = &f->errand;
    size_t room = sizeof(struct faktory_select) + 2 * (size_t)JOBS_NAME_MAX + JIDS_BYTES,
           size = sizeof(struct faktory_select);
    uint8_t *packed = weir_session_scratch(session, room);
    struct faktory_select select = {.from = (uint32_t)errand->next[0],
        .type_size = (uint16_t)mutate->type.size,
        .pattern_size = (uint16_t)mutate->pattern.size,
        .state = state_of(mutate->target)};
    uint64_t jids = 0;
    *ret_asked = false;
    if (!packed) errand->failed = true;
    if (!packed) return false;
    if (mutate->jids.data) { /* they win over the rest of the filter */
        select.type_size = select.pattern_size = 0;
        size += pack_jids(mutate->jids, arena, errand->next[1], packed + size, &jids);
        if (jids == 0) return true;
    } else {
        if (mutate->type.size) memcpy(packed + size, mutate->type.data, mutate->type.size);
        size += mutate->type.size;
        if (mutate->pattern.size) memcpy(packed + size, mutate->pattern.data, mutate->pattern.size);
        size += mutate->pattern.size;
    }
    memcpy(packed, &select, sizeof select);
    *ret_asked = faktory_errand_query(session, errand->step, faktory_query_select, weir_slice(packed, size), SELECTING);
    if (*ret_asked) errand->next[1] += jids;
    return *ret_asked;
}

static void select_part(struct weir_session *session, uint16_t status, struct weir_slice value) {
    struct faktory *f = weir_session_state(session);
    static const size_t head_size = offsetof(struct faktory_selected, ids);
    struct faktory_selected head;
    f->errand.sent = 0;
    if (status >= 300 || value.size < head_size || (value.size - head_size) / 8 > FAKTORY_SELECT_MAX) {
        f->errand.failed = true;
        return;
    }
    memcpy(&head, value.data, head_size);
    f->errand.count = head.count;
    f->errand.next[0] = head.next;
    memcpy(f->errand.ids, value.data + head_size, head.count * sizeof(uint64_t));
}

static enum faktory_taken mutate_selected(
    struct weir_session *session, const struct weir_faktory_mutate *mutate, struct arena *arena) {
    struct faktory *f = weir_session_state(session);
    struct faktory_errand *errand = &f->errand;
    while (!errand->failed && errand->sent < errand->count) {
        struct jobs_operate order = {
            .id = errand->ids[errand->sent], .action = (uint8_t)action_of(mutate), .state = state_of(mutate->target)};
        if (ask_operate(session, &order, weir_slice("", 0), errand->step, TELLING))
            errand->sent++;
        else if (!errand->failed)
            return FAKTORY_LATER;
    }
    if (errand->waits) return FAKTORY_LATER;
    bool asked = false, more = mutate->jids.data || !errand->said || errand->next[0];
    errand->said = true; /* the partition was asked at least once */
    errand->sent = 0;
    errand->count = 0;
    if (more && !errand->failed && !ask_select(session, mutate, arena, &asked) && !errand->failed) return FAKTORY_LATER;
    if (asked) return FAKTORY_LATER;
    if (errand->failed || ++errand->step == weir_session_partition_count(session)) return end_in_ok(session);
    errand->next[0] = errand->next[1] = 0;
    errand->said = false;
    weir_session_pause(session); /* the next partition, when the line is offered again */
    weir_session_resume(session);
    return FAKTORY_LATER;
}

enum faktory_taken faktory_mutate(struct weir_session *session, struct weir_slice payload) {
    struct weir_faktory_limits limits = faktory_limits(session);
    struct weir_faktory_mutate mutate;
    struct arena arena;
    if (!faktory_arena(session, payload, &arena) || weir_faktory_mutate_parse(payload, &arena, &limits, &mutate))
        return faktory_refuse(session);
    if (!faktory_errand(session, WEIR_FAKTORY_MUTATE)) return FAKTORY_LATER;
    bool is_clear = mutate.change == WEIR_FAKTORY_CLEAR; /* as in Faktory it knows no filter */
    if (!is_clear && (mutate.jids.data || mutate.pattern.size)) return mutate_selected(session, &mutate, &arena);
    struct jobs_operate order = {.action = (uint8_t)action_of(&mutate), .state = state_of(mutate.target)};
    struct weir_slice type = is_clear ? weir_slice("", 0) : mutate.type;
    return operate_on_all(session, &order, 1, type) ? end_in_ok(session) : FAKTORY_LATER;
}

void faktory_mutate_part(struct weir_session *session, uint32_t part, uint16_t status, struct weir_slice value) {
    struct faktory *f = weir_session_state(session);
    if (part == TELLING) return; /* one that has moved on meanwhile is refused, and not meant any more */
    if (f->errand.said)
        select_part(session, status, value);
    else
        operate_part(session, status, value);
}

/* ---- FLUSH ---- */
enum faktory_taken faktory_flush(struct weir_session *session, struct weir_slice payload) {
    static const struct jobs_operate orders[] = {
        {.action = JOBS_CANCEL, .state = JOBS_SCHEDULED},
        {.action = JOBS_CANCEL, .state = JOBS_RETRY},
        {.action = JOBS_CANCEL, .state = JOBS_READY},
        {.action = JOBS_CANCEL, .state = JOBS_RUNNING},
        {.action = JOBS_DROP, .state = JOBS_DEAD},
    };
    (void)payload;
    if (!weir_session_settings(session)[JOBS_SET_FAKTORY_FLUSH].number) {
        (void)weir_error_context(
            WEIR_E_FORBIDDEN, "FLUSH forgets every job: it is taken where jobs.faktory_flush is true");
        return faktory_refuse(session);
    }
    if (!faktory_errand(session, WEIR_FAKTORY_FLUSH)) return FAKTORY_LATER;
    bool done = operate_on_all(session, orders, WEIR_ARRAY_COUNT(orders), weir_slice("", 0));
    return done ? end_in_ok(session) : FAKTORY_LATER;
}

void faktory_flush_part(struct weir_session *session, uint32_t part, uint16_t status, struct weir_slice value) {
    (void)part;
    operate_part(session, status, value);
}

/* ---- QUEUE ---- */
static bool ask_order(struct weir_session *session, uint8_t action, struct weir_slice name, uint32_t partition) {
    uint8_t value[sizeof(struct jobs_queue_order) + JOBS_NAME_MAX];
    struct jobs_queue_order order = {.action = action, .kind = JOBS_NAME_QUEUE, .name_size = (uint8_t)name.size};
    memcpy(value, &order, sizeof order);
    memcpy(value + sizeof order, name.data, name.size);
    struct weir_command command = {
        .partition = partition, .type = JOBS_RECORD_QUEUE, .value = weir_slice(value, sizeof order + name.size)};
    return faktory_errand_ask(session, &command, 0);
}

/* Says the order of each name that was not said yet: to its partition, all of them for "*". False: not all of it. */
static bool ask_orders(struct weir_session *session, uint8_t action, struct weir_slice names) {
    struct faktory *f = weir_session_state(session);
    struct weir_slice name;
    uint32_t number = 0;
    while (weir_faktory_word(&names, &name)) {
        bool all = weir_slice_equal(name, weir_slice_text("*"));
        uint32_t first = all ? 0 : faktory_partition(session, name);
        uint32_t end = all ? weir_session_partition_count(session) : first + 1;
        if (all) name = weir_slice("", 0);
        for (uint32_t p = first; p < end; p++) {
            if (number++ < f->errand.step) continue;
            if (!ask_order(session, action, name, p)) return false;
            f->errand.step++;
        }
    }
    return true;
}

static enum weir_error names_check(struct weir_slice names) {
    struct weir_slice name;
    while (weir_faktory_word(&names, &name))
        if (name.size >= JOBS_NAME_MAX)
            return weir_error_context(
                WEIR_E_TOO_LARGE, "QUEUE: a name of %zu bytes, the limit is %u", name.size, JOBS_NAME_MAX - 1);
    return WEIR_OK;
}

enum faktory_taken faktory_queue(struct weir_session *session, struct weir_slice payload) {
    static const uint8_t actions[] = {[WEIR_FAKTORY_PAUSE] = JOBS_QUEUE_PAUSE,
        [WEIR_FAKTORY_RESUME] = JOBS_QUEUE_RESUME,
        [WEIR_FAKTORY_REMOVE] = JOBS_QUEUE_CLEAR};
    struct faktory *f = weir_session_state(session);
    struct weir_faktory_queue queue;
    if (weir_faktory_queue_parse(payload, &queue) || names_check(queue.names)) return faktory_refuse(session);
    if (queue.change == WEIR_FAKTORY_LATENCY) return faktory_latency(session, queue.names);
    if (!faktory_errand(session, WEIR_FAKTORY_QUEUE)) return FAKTORY_LATER;
    if (f->errand.count) { /* there is more to be removed than a record removes: once more from the first name on */
        f->errand.count = 0;
        f->errand.step = 0;
    }
    f->errand.said = true; /* for what comes back: it is no answer to LATENCY */
    if (!f->errand.failed && !ask_orders(session, actions[queue.change], queue.names) && !f->errand.failed)
        return FAKTORY_LATER;
    return f->errand.waits ? FAKTORY_LATER : end_in_ok(session);
}

void faktory_queue_part(struct weir_session *session, uint32_t part, uint16_t status, struct weir_slice value) {
    struct faktory *f = weir_session_state(session);
    struct jobs_operated said;
    if (!f->errand.said) {
        faktory_latency_part(session, part, status, value);
    } else if (status >= 300 || value.size != sizeof said) {
        f->errand.failed = true;
    } else {
        memcpy(&said, value.data, sizeof said);
        f->errand.count += said.next != 0;
    }
}
