/* The life of a node: open, start, stop. host.h is the contract; node.h the struct. */
#include "base/assert.h"
#include "host/declaration.h"
#include "host/node.h"
#include "host/snapshot.h"
#include "host/tap.h"
#include "host/traced.h"

#include <stdio.h>

#define ARENA_BYTES    (256u << 20) /* address space, touched as used */
#define PARTITIONS_MAX 8192u
#define STOP_NS_MAX    (120 * SYS_NANOS_PER_S) /* for the last snapshots; a supervisor's patience ends about then */

struct host_service *host_service_find(const struct host *host, const char *name) {
    for (uint32_t i = 0; i < host->service_count; i++)
        if (strcmp(host->services[i].service->name, name) == 0) return &host->services[i];
    return NULL;
}

struct host_lane *host_writer(const struct host *host, const struct log_partition *partition) {
    const struct host_partition *p = partition->uid < HOST_UIDS_MAX ? host->writers[partition->uid] : NULL;
    return p ? p->lane : &host->lanes[partition->uid % host->lane_count];
}

/* ---- services ---------------------------------------------------------------------------------------------------- */
static enum weir_error count_partitions(struct host_service *s) {
    s->partition_count = 1;
    const char *name = s->service->partitions_setting;
    for (uint32_t i = 0; name && i < in_force_rows(s->service); i++) {
        if (strcmp(s->service->settings[i].name, name) != 0) continue;
        if (s->values[i].number < 1 || s->values[i].number > PARTITIONS_MAX)
            return weir_error_context(WEIR_E_CONFIG, "%s.%s is %llu; it must be 1 to %u", s->service->name, name,
                (unsigned long long)s->values[i].number, PARTITIONS_MAX);
        s->partition_count = (uint32_t)s->values[i].number;
        return WEIR_OK;
    }
    return name ? weir_error_context(WEIR_E_CONFIG, "service %s has no setting %s", s->service->name, name) : WEIR_OK;
}

static enum weir_error open_topic(struct host *host, struct host_service *s, uint32_t row) {
    const struct weir_topic *t = &s->service->topics[row];
    struct log_topic_config config = {.durability = t->in_memory ? LOG_MEMORY : LOG_DURABLE,
        .retention_bytes = t->retention_bytes,
        .derived = t->role == WEIR_TOPIC_OUTPUT,
        .internal = true};
    if (t->in_memory && t->role == WEIR_TOPIC_INPUT)
        return weir_error_context(WEIR_E_CONFIG,
            "service %s: its input %s can't be kept in memory: the state is replayed from it", s->service->name,
            t->name);
    enum weir_error e = log_topic_create(host->log, t->name, s->partition_count, &config, &s->topics[row]);
    if (e != WEIR_OK && e != WEIR_E_EXISTS) return e;
    const struct log_topic *topic = s->topics[row];
    if (topic->partition_count != s->partition_count)
        return weir_error_context(WEIR_E_CONFIG,
            "service %s is set to %u partitions and topic %s has %u; a service's partitions stay as they were made",
            s->service->name, s->partition_count, t->name, topic->partition_count);
    if (topic->config.durability != config.durability)
        return weir_error_context(WEIR_E_CONFIG,
            "topic %s is %s and service %s has it as %s; a topic's durability stays as it was made", t->name,
            log_durability_name(topic->config.durability), s->service->name, log_durability_name(config.durability));
    if (topic->config.derived != config.derived || !topic->config.internal)
        return weir_error_context(WEIR_E_CONFIG, "topic %s exists and is not service %s's", t->name, s->service->name);
    return WEIR_OK;
}

static enum weir_error open_service(struct host *host, struct host_service *s) {
    const struct weir_service *service = s->service;
    s->values = settings_of(host->settings, service->name);
    s->initial = settings_of(host->initial, service->name);
    if (!s->values || !s->initial)
        return weir_error_context(WEIR_E_CONFIG, "service %s has no settings here", service->name);
    if (service->output_bytes_max > DECLARATION_OUTPUT_BYTES_MAX)
        return weir_error_context(
            WEIR_E_CONFIG, "service %s: output_bytes_max is above %u", service->name, DECLARATION_OUTPUT_BYTES_MAX);
    enum weir_error e = count_partitions(s);
    uint32_t inputs = 0;
    for (uint32_t row = 0; e == WEIR_OK && service->topics && service->topics[row].name; row++) {
        if (row >= FOLD_TOPICS_MAX)
            return weir_error_context(WEIR_E_CONFIG, "service %s: too many topics", service->name);
        if (service->topics[row].role == WEIR_TOPIC_INPUT) {
            s->input = row;
            inputs++;
        }
        e = open_topic(host, s, row);
    }
    if (e == WEIR_OK && inputs != 1)
        return weir_error_context(WEIR_E_CONFIG, "service %s must have exactly one input topic", service->name);
    return e;
}

static enum weir_error open_services(struct host *host, const struct weir_service *const *services) {
    while (services[host->service_count])
        host->service_count++;
    host->services = ARENA_NEW_ARRAY(&host->arena, struct host_service, host->service_count + 1);
    enum weir_error e = host->services ? WEIR_OK : weir_error_context(WEIR_E_NO_MEMORY, "too many services");
    for (uint32_t i = 0; e == WEIR_OK && i < host->service_count; i++) {
        struct host_service *s = &host->services[i];
        s->service = services[i];
        s->index = i;
        s->first = host->partition_count;
        e = open_service(host, s);
        if (e == WEIR_OK) host->partition_count += s->partition_count;
    }
    return e;
}

/* ---- partitions ----------------------------------------------------------------------------------------------------
 */
static enum weir_error open_sink(struct host *host, struct host_partition *p) {
    const struct weir_service *service = p->owner->service;
    struct out_sink *sink = &p->sink;
    sink->outbox = &p->outbox;
    for (uint32_t row = 0; service->topics[row].name; row++)
        sink->outputs[row] =
            service->topics[row].role == WEIR_TOPIC_OUTPUT ? p->owner->topics[row]->partitions[p->index] : NULL;
    for (uint32_t row = 0; service->emits && service->emits[row].service; row++) {
        const struct host_service *target = host_service_find(host, service->emits[row].service);
        if (!target)
            return weir_error_context(WEIR_E_CONFIG,
                "service %s emits to %s, which does not run here; add it to `only`", service->name,
                service->emits[row].service);
        sink->targets[row] = (struct out_target){.first = target->first, .count = target->partition_count};
    }
    uint32_t metrics = 0;
    while (service->metrics && service->metrics[metrics].name)
        metrics++;
    sink->metrics = ARENA_NEW_ARRAY(&host->arena, struct metric_counter, metrics + 1);
    if (!sink->metrics) return weir_error_context(WEIR_E_NO_MEMORY, "too many metrics");
    for (uint32_t row = 0; host->metrics && row < metrics; row++) {
        char name[64];
        snprintf(name, sizeof name, "weir_%s_%s", service->name, service->metrics[row].name);
        metric_register(host->metrics,
            service->metrics[row].kind == WEIR_METRIC_COUNTER ? METRIC_COUNTER : METRIC_GAUGE, &sink->metrics[row],
            name, service->metrics[row].help, "partition=\"%u\"", p->index);
    }
    return outbox_init(&p->outbox, service->emits_max);
}

static enum weir_error judge(struct host_partition *p, uint64_t from) {
    uint32_t skips = 0;
    enum weir_error e =
        poison_judge(p->host->poison, p->host->log, p->log, from, p->skips, FOLD_SKIPS_MAX, &skips, &p->park_at);
    atomic_store(&p->skip_count, skips);
    p->cautious = poison_beyond(p->host->poison, p->log);
    return e;
}

/* What they held is gone; the replay from the snapshot on derives it again, at the same offsets. */
static enum weir_error refill_memory_outputs(struct host_partition *p) {
    enum weir_error e = WEIR_OK;
    for (uint32_t row = 0; !e && p->owner->service->topics[row].name; row++)
        if (p->sink.outputs[row] && p->owner->service->topics[row].in_memory)
            e = log_partition_set_next(p->sink.outputs[row], p->fold.outputs_next[row]);
    return e;
}

static enum weir_error open_partition(
    struct host *host, struct host_partition *p, struct host_service *s, uint32_t index) {
    WEIR_ASSERT(host->lane_count > 0);
    p->host = host;
    p->owner = s;
    p->number = s->first + index;
    p->index = index;
    p->log = s->topics[s->input]->partitions[index];
    if (p->log->uid >= HOST_UIDS_MAX)
        return weir_error_context(WEIR_E_NO_MEMORY, "more than %u partitions", HOST_UIDS_MAX);
    p->lane = &host->lanes[p->log->uid % host->lane_count];
    p->timer_offset = p->settings_offset = p->park_at = UINT64_MAX;
    p->submitted = p->replay_end = p->log->next;
    p->replaying = true;
    atomic_store(&p->facts.replaying, true);
    size_t outputs = s->service->output_bytes_max;
    p->output_needed = 4 * outputs + (64u << 10);
    if (p->output_needed > 8u << 20) p->output_needed = 8u << 20;
    p->held_needed = TRACED_BYTES + (1 + WAITERS_JOINED_MAX) * ((outputs > 1u << 20 ? 1u << 20 : outputs) + 512);
    p->held_needed += s->service->replies_max * (sizeof(struct held_entry) + 512);
    enum weir_error e = open_sink(host, p);
    uint64_t seed;
    host->sys->random(host->sys, &seed, sizeof seed);
    if (e == WEIR_OK) e = waiters_init(&p->waiters, (uint32_t)host->node[NODE_WAITING_MAX].number, seed);
    if (e == WEIR_OK && s->service->replies_max) e = late_init(&p->late, seed);
    if (e == WEIR_OK) e = judge(p, 0);
    if (e == WEIR_OK) e = host_snapshot_restore(p);
    if (e == WEIR_OK) e = refill_memory_outputs(p);
    if (e == WEIR_OK && p->park_at < p->fold.applied) e = judge(p, p->fold.applied); /* a snapshot is past that one */
    if (e != WEIR_OK) return e;
    host->by_uid[p->log->uid] = host->writers[p->log->uid] = p;
    for (uint32_t row = 0; s->service->topics[row].name; row++)
        if (p->sink.outputs[row] && p->sink.outputs[row]->uid < HOST_UIDS_MAX)
            host->writers[p->sink.outputs[row]->uid] = p;
    /* Of the log's last record, not of the snapshot's: records may be appended before the tail is replayed. */
    uint64_t last_ns = 0;
    e = host_last_time(host->log, p->log, &last_ns);
    if (e != WEIR_OK) return e;
    if (last_ns < p->fold.time_ns) last_ns = p->fold.time_ns;
    clock_init(&p->clock, last_ns, host->sys->mono_ns(host->sys), host->sys->wall_ns(host->sys));
    host_partition_publish(p); /* who looks before the lane's first cycle is told of the snapshot's offset, not of 0 */
    p->lane->partitions[p->lane->partition_count++] = p;
    host_lane_lag(p->lane, p); /* replay, then its settings record */
    return WEIR_OK;
}

static enum weir_error open_partitions(struct host *host) {
    host->partitions = ARENA_NEW_ARRAY(&host->arena, struct host_partition, host->partition_count + 1);
    if (!host->partitions) return weir_error_context(WEIR_E_NO_MEMORY, "too many partitions");
    for (uint32_t i = 0; i < host->lane_count; i++) {
        host->lanes[i].partitions = ARENA_NEW_ARRAY(&host->arena, struct host_partition *, host->partition_count + 1);
        if (!host->lanes[i].partitions) return weir_error_context(WEIR_E_NO_MEMORY, "too many partitions");
    }
    enum weir_error e = WEIR_OK;
    for (uint32_t s = 0; s < host->service_count; s++)
        for (uint32_t i = 0; e == WEIR_OK && i < host->services[s].partition_count; i++)
            e = open_partition(host, &host->partitions[host->services[s].first + i], &host->services[s], i);
    return e;
}

/* ---- open
 * ------------------------------------------------------------------------------------------------------------ */
static enum weir_error take_options(struct host *host, struct sys *sys, struct log *log, const struct host_options *o) {
    host->sys = sys;
    host->log = log;
    host->settings = o->settings;
    host->node = settings_node(o->settings);
    host_pace(host, host->node);
    host->edge = o->edge;
    host->metrics = o->metrics;
    host->tracer = o->tracer;
    host->pool = o->pool;
    host->report = o->report;
    host->report_ctx = o->report_ctx;
    host->lane_count = o->lanes;
    host->may_have_lost = !log_recovered(log)->clean;
    if (o->lanes < 1 || o->lanes > LOG_LANES_MAX)
        return weir_error_context(WEIR_E_CONFIG, "lanes is %u; it must be 1 to %u", o->lanes, LOG_LANES_MAX);
    if (strlen(o->folder) >= sizeof host->folder)
        return weir_error_context(WEIR_E_CONFIG, "the data folder's path is too long");
    memcpy(host->folder, o->folder, strlen(o->folder) + 1);
    host->idempotency.keys_max = (uint32_t)host->node[NODE_IDEMPOTENCY_KEYS].number;
    host->idempotency.age_ns_max = host->node[NODE_IDEMPOTENCY_AGE].number;
    sys->random(sys, host->idempotency.secret, sizeof host->idempotency.secret);
    /* The arena's memory is fresh and zero: clearing these would only make it resident. */
    host->by_uid = arena_alloc(&host->arena, HOST_UIDS_MAX * sizeof *host->by_uid);
    host->writers = arena_alloc(&host->arena, HOST_UIDS_MAX * sizeof *host->writers);
    host->taps = arena_alloc(&host->arena, HOST_UIDS_MAX * sizeof *host->taps);
    host->lanes = ARENA_NEW_ARRAY(&host->arena, struct host_lane, o->lanes);
    if (!host->by_uid || !host->writers || !host->taps || !host->lanes)
        return weir_error_context(WEIR_E_NO_MEMORY, "no room for lanes");
    return settings_new(o->services, &host->initial);
}

/* Made at the first start, so that it is there before anything that is to be recorded in it; after the services, whose
 * partitions are spread over the lanes in the order in which they were made. */
static enum weir_error open_audit(struct host *host) {
    struct log_topic *topic;
    struct log_topic_config config = {.retention_bytes = HOST_AUDIT_BYTES};
    enum weir_error e = log_topic_create(host->log, HOST_TOPIC_AUDIT, 1, &config, &topic);
    return e == WEIR_E_EXISTS ? WEIR_OK : e;
}

static enum weir_error open_parts(struct host *host, const struct host_options *options) {
    enum weir_error e = mailbox_init(&host->mailbox, host->sys, host->lane_count + 2);
    host->poison = ARENA_NEW(&host->arena, struct poison);
    if (e == WEIR_OK && !host->poison) e = weir_error_context(WEIR_E_NO_MEMORY, "no room for notes");
    if (e == WEIR_OK) e = poison_open(host->poison, host->sys, host->folder);
    if (e == WEIR_OK) e = open_services(host, options->services);
    if (e == WEIR_OK) e = open_audit(host);
    for (uint32_t i = 0; e == WEIR_OK && i < host->lane_count; i++)
        e = host_lane_open(&host->lanes[i], host, i);
    if (e == WEIR_OK) e = open_partitions(host);
    if (e == WEIR_OK) e = host_work_open(host);
    if (e == WEIR_OK && host->metrics) host_metrics(host);
    return e;
}

enum weir_error host_open(
    struct sys *sys, struct log *log, const struct host_options *options, struct host **ret_host) {
    void *memory;
    enum weir_error e = sys_memory_map(ARENA_BYTES, &memory);
    if (e != WEIR_OK) return e;
    struct arena arena;
    arena_init_fixed(&arena, memory, ARENA_BYTES);
    struct host *host = ARENA_NEW(&arena, struct host);
    host->arena = arena;
    host->arena_memory = memory;
    e = take_options(host, sys, log, options);
    if (e == WEIR_OK) e = open_parts(host, options);
    if (e != WEIR_OK) {
        host_close(host);
        return e;
    }
    *ret_host = host;
    return WEIR_OK;
}

void host_close(struct host *host) {
    if (!host) return;
    host_work_close(host);
    for (uint32_t i = 0; host->partitions && i < host->partition_count; i++) {
        fold_done(&host->partitions[i].fold);
        outbox_done(&host->partitions[i].outbox);
        waiters_done(&host->partitions[i].waiters);
        late_done(&host->partitions[i].late);
    }
    for (uint32_t i = 0; host->lanes && i < host->lane_count; i++)
        host_lane_close(&host->lanes[i]);
    if (host->poison) poison_close(host->poison);
    mailbox_done(&host->mailbox);
    if (host->initial) settings_free(host->initial);
    struct arena arena = host->arena; /* the host itself lies in it */
    void *memory = host->arena_memory;
    arena_done(&arena);
    sys_memory_unmap(memory, ARENA_BYTES);
}

void host_late_end(struct host *host) {
    atomic_store_explicit(&host->late_ended, true, memory_order_release);
    for (uint32_t i = 0; i < host->lane_count; i++)
        host->sys->poller_wake(host->sys, host->lanes[i].poller);
}

/* ---- start and stop
 * ---------------------------------------------------------------------------------------------------- */
enum weir_error host_start(struct host *host) {
    enum weir_error e = host_work_start(host);
    for (uint32_t i = 0; e == WEIR_OK && i < host->lane_count; i++) {
        struct host_lane *lane = &host->lanes[i];
        lane->mono_ns = host->sys->mono_ns(host->sys);
        lane->wall_ns = host->sys->wall_ns(host->sys);
        if (host->edge && host->edge->on_start) e = host->edge->on_start(host->edge->ctx, lane);
    }
    for (uint32_t i = 0; e == WEIR_OK && i < host->lane_count; i++) {
        struct host_lane *lane = &host->lanes[i];
        snprintf(lane->name, sizeof lane->name, "weir-lane-%u", i % 100); /* 15 bytes at most */
        struct sys_agent agent = {.name = lane->name, .do_work = host_lane_work, .self = lane};
        e = host->sys->agent_start(host->sys, &agent, lane->poller, &lane->agent);
    }
    return e;
}

bool host_ready(const struct host *host) {
    return atomic_load_explicit(&host->partitions_ready, memory_order_acquire) == host->partition_count;
}

bool host_alive(struct host *host) {
    bool all = true;
    for (uint32_t i = 0; i < host->lane_count; i++) {
        struct host_lane *lane = &host->lanes[i];
        uint64_t cycles = metric_get(&lane->metrics.cycles);
        all = all && cycles != lane->cycles_seen;
        lane->cycles_seen = cycles;
        host->sys->poller_wake(host->sys, lane->poller);
    }
    return all;
}

enum weir_error host_not_ready(const struct log_partition *partition) {
    return weir_error_context(WEIR_E_AGAIN,
        "%s is not whole yet: the node starts and derives outputs again; try again when it is ready",
        partition->topic->name);
}

void host_stop_begin(struct host *host) {
    atomic_store_explicit(&host->phase, HOST_DRAINING, memory_order_release);
    for (uint32_t i = 0; i < host->mailbox.endpoints; i++)
        if (host->mailbox.pollers[i] >= 0) host->sys->poller_wake(host->sys, host->mailbox.pollers[i]);
}

static bool ask_lanes(const struct host *host, uint64_t *ret_changes) {
    *ret_changes = 0;
    for (uint32_t i = 0; i < host->lane_count; i++)
        if (!drain_ask(&host->lanes[i].drain, ret_changes)) return false;
    return true;
}

bool host_lanes_idle(const struct host *host) {
    uint64_t before, after;
    return ask_lanes(host, &before) && ask_lanes(host, &after) && before == after;
}

static void end_lanes(struct host *host) {
    atomic_store_explicit(&host->phase, HOST_ENDED, memory_order_release);
    for (uint32_t i = 0; i < host->lane_count; i++)
        host->sys->poller_wake(host->sys, host->lanes[i].poller);
}

bool host_stopped(struct host *host) {
    uint32_t phase = atomic_load_explicit(&host->phase, memory_order_acquire);
    if (phase == HOST_DRAINING) {
        if (!host_lanes_idle(host) || !host_work_idle(host)) return false;
        end_lanes(host);
    }
    return atomic_load_explicit(&host->lanes_ended, memory_order_acquire) == host->lane_count;
}

void host_stop(struct host *host) {
    if (atomic_load_explicit(&host->phase, memory_order_acquire) < HOST_DRAINING) host_stop_begin(host);
    int poller;
    if (host->sys->poller_open(host->sys, &poller) == WEIR_OK) {
        struct sys_poll_event event;
        uint64_t until_ns = host->sys->mono_ns(host->sys) + STOP_NS_MAX;
        while (!host_stopped(host)) {
            host->sys->poller_wait(host->sys, poller, &event, 1, SYS_NANOS_PER_MS);
            if (host->sys->mono_ns(host->sys) < until_ns) continue;
            host_report(host, "the node does not come to rest; it stops without its last snapshots");
            end_lanes(host);
            until_ns = UINT64_MAX;
        }
        host->sys->poller_close(host->sys, poller);
    }
    for (uint32_t i = 0; i < host->lane_count; i++)
        if (host->lanes[i].agent >= 0) host->sys->agent_stop(host->sys, host->lanes[i].agent);
    host_work_stop(host);
}
