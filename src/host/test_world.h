/* host/test_world.h: a node of the test services on the simulated world: open, run, crash, and what came out of it. */
#ifndef WEIR_HOST_TEST_WORLD_H
#define WEIR_HOST_TEST_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "host/batch.h"
#include "host/node.h"
#include "host/snapshot.h"
#include "host/test_services.h"
#include "sys/sim.h"

#include <stdio.h>
#include <stdlib.h>

#define must(call)                                                                                                     \
    do {                                                                                                               \
        enum weir_error must_error_ = (call);                                                                          \
        if (must_error_ != WEIR_OK) fail_msg("%s: %s: %s", #call, weir_error_name(must_error_), weir_error_text());    \
    } while (0)

#define WORLD_DELIVERIES_MAX 65536
struct world_delivery {
    enum host_delivery_kind kind;
    struct host_origin origin;
    enum weir_error error;
    uint16_t status;
    bool repeated;
    uint64_t offset, record_offset, total; /* total: first 8 bytes of the value */
    size_t size;
    uint32_t lane;
};
struct world {
    struct sys *sys;
    struct log *log;
    struct settings *settings;
    struct host *host;
    struct host_lane *lanes[LOG_LANES_MAX];
    struct log_options log_options;
    struct tracer *tracer; /* a test's; NULL: none */
    uint32_t lane_count;
    struct world_delivery *deliveries;
    size_t delivery_count;
    char reports[16][1024];
    uint32_t report_count;
    uint8_t last_value[8192]; /* of the newest delivery */
};

static enum weir_error world_on_start(void *ctx, struct host_lane *lane) {
    struct world *w = ctx;
    w->lanes[host_lane_index(lane)] = lane;
    return WEIR_OK;
}
static void world_on_event(void *ctx, struct host_lane *lane, uint64_t token, uint32_t bits) {
    (void)ctx, (void)lane, (void)token, (void)bits;
}
static void world_on_delivery(void *ctx, struct host_lane *lane, const struct host_delivery *d) {
    struct world *w = ctx;
    assert_true(w->delivery_count < WORLD_DELIVERIES_MAX);
    assert_int_equal(d->origin.lane, host_lane_index(lane));
    struct weir_slice value = d->kind == HOST_RECORD ? d->record.value : d->value;
    struct world_delivery *to = &w->deliveries[w->delivery_count++];
    *to = (struct world_delivery){.kind = d->kind,
        .origin = d->origin,
        .error = d->error,
        .status = d->status,
        .repeated = d->repeated,
        .offset = d->offset,
        .record_offset = d->record.offset,
        .size = value.size,
        .lane = host_lane_index(lane)};
    if (value.size >= 8) to->total = load_le64(value.data);
    if (value.size)
        memcpy(w->last_value, value.data, value.size < sizeof w->last_value ? value.size : sizeof w->last_value);
}
static void world_report(void *ctx, const char *sentence) {
    struct world *w = ctx;
    if (w->report_count < 16) snprintf(w->reports[w->report_count++], sizeof w->reports[0], "%s", sentence);
}
static const struct host_edge world_edge_table = {
    .on_start = world_on_start, .on_event = world_on_event, .on_delivery = world_on_delivery};

static __attribute__((unused)) void world_log_options(struct log_options *o) {
    log_options_default(o);
    o->folder = "data";
    o->partitions_max = 64;
    o->commit_bytes_max = 512u << 10;
    o->output_bytes_max = 512u << 10;
    o->batch_bytes_max = 64u << 10;
    o->journal_file_bytes = 1u << 20;
    o->journal_bytes_max = 8u << 20;
    o->checkpoint_bytes = 256u << 10;
    o->segment_bytes = 1u << 20;
    o->commits_per_lane = 4;
    o->disk_reserve_bytes = 0;
}

/* OK, or why the log or the host did not open (then neither is). */
static __attribute__((unused)) enum weir_error world_try(struct world *w, uint32_t lanes) {
    static struct host_edge edge;
    edge = world_edge_table;
    edge.ctx = w;
    w->lane_count = lanes;
    w->log_options.lanes = lanes;
    enum weir_error e = log_open(w->sys, &w->log_options, &w->log);
    if (e != WEIR_OK) return e;
    struct host_options options = {.services = test_services,
        .settings = w->settings,
        .lanes = lanes,
        .folder = "data",
        .edge = &edge,
        .tracer = w->tracer,
        .report = world_report,
        .report_ctx = w};
    e = host_open(w->sys, w->log, &options, &w->host);
    if (e == WEIR_OK) e = log_start(w->log);
    if (e == WEIR_OK) e = host_start(w->host);
    if (e != WEIR_OK) {
        host_close(w->host);
        log_close(w->log);
        w->host = NULL;
        w->log = NULL;
    }
    return e;
}

static __attribute__((unused)) void world_init(struct world *w, uint64_t seed) {
    memset(w, 0, sizeof *w);
    struct sys_sim_plan plan = {
        .seed = seed, .keep_unsynced_percent = 40, .tear_percent = 50, .keep_entry_percent = 50};
    must(sys_sim_new(&plan, &w->sys));
    must(settings_new(test_services, &w->settings));
    world_log_options(&w->log_options);
    w->deliveries = calloc(WORLD_DELIVERIES_MAX, sizeof *w->deliveries);
}
static __attribute__((unused)) void world_done(struct world *w) {
    host_close(w->host);
    if (w->log) log_close(w->log);
    settings_free(w->settings);
    sys_sim_free(w->sys);
    free(w->deliveries);
}

/* Lets the agents run and a little time pass, until nothing happens any more. */
static __attribute__((unused)) void world_run(struct world *w) {
    for (int i = 0; i < 50 && !sys_sim_dead(w->sys); i++) {
        if (sys_sim_run(w->sys, 1000000) <= w->lane_count + 8 && i > 5) break;
        sys_sim_advance(w->sys, 300000);
    }
}
static __attribute__((unused)) void world_ready(struct world *w) {
    for (int i = 0; i < 1000 && !host_ready(w->host) && !sys_sim_dead(w->sys); i++) {
        sys_sim_run(w->sys, 10000);
        sys_sim_advance(w->sys, 300000);
    }
}
static __attribute__((unused)) void world_open(struct world *w, uint32_t lanes) {
    must(world_try(w, lanes));
    world_ready(w);
    assert_true(host_ready(w->host));
}
/* The process dies (or the power, unless process_only); memory of the old life is given back. */
static __attribute__((unused)) void world_crash(struct world *w, bool process_only) {
    sys_sim_crash(w->sys, process_only);
    host_close(w->host);
    if (w->log) log_close(w->log);
    w->host = NULL;
    w->log = NULL;
}
static __attribute__((unused)) void world_stop(struct world *w) {
    host_stop_begin(w->host);
    for (int i = 0; i < 10000 && !host_stopped(w->host); i++) {
        sys_sim_run(w->sys, 1000);
        sys_sim_advance(w->sys, 1000000);
    }
    assert_true(host_stopped(w->host));
    host_stop(w->host);
    host_close(w->host);
    log_stop(w->log);
    log_close(w->log);
    w->host = NULL;
    w->log = NULL;
}

static __attribute__((unused)) enum weir_error world_send(struct world *w, uint32_t lane, uint32_t service,
    uint32_t partition, struct test_value value, uint64_t correlation) {
    struct host_command command = {.service = service,
        .command = {.partition = partition, .type = (uint16_t)value.op, .value = weir_slice(&value, sizeof value)},
        .origin = {.lane = lane, .correlation = correlation},
        .wants_reply = true};
    return host_submit(w->lanes[lane], &command);
}
/* With an idempotency key made of the correlation, so that it can be sent again after a crash. */
static __attribute__((unused)) enum weir_error world_send_once(struct world *w, uint32_t lane, uint32_t service,
    uint32_t partition, struct test_value value, uint64_t correlation) {
    char key[32];
    snprintf(key, sizeof key, "request-%llu", (unsigned long long)correlation);
    struct host_command command = {.service = service,
        .command = {.partition = partition, .type = (uint16_t)value.op, .value = weir_slice(&value, sizeof value)},
        .idempotency = {.principal = weir_slice_text("local"),
            .route = weir_slice_text("/v1/add"),
            .key = weir_slice_text(key),
            .body_hash = {value.amount, value.key}},
        .origin = {.lane = lane, .correlation = correlation},
        .wants_reply = true};
    return host_submit(w->lanes[lane], &command);
}
static __attribute__((unused)) const struct world_delivery *world_reply(const struct world *w, uint64_t correlation) {
    for (size_t i = w->delivery_count; i-- > 0;)
        if (w->deliveries[i].kind == HOST_REPLY && w->deliveries[i].origin.correlation == correlation)
            return &w->deliveries[i];
    return NULL;
}
static __attribute__((unused)) struct host_partition *world_partition(
    struct world *w, uint32_t service, uint32_t partition) {
    return &w->host->partitions[w->host->services[service].first + partition];
}
static __attribute__((unused)) struct test_state *world_state(struct world *w, uint32_t service, uint32_t partition) {
    return world_partition(w, service, partition)->fold.state;
}

/* ---- what is in the log ------------------------------------------------------------------------------------------ */
struct world_record {
    uint64_t offset;
    uint16_t type;
    uint64_t key;
    size_t size;
    uint64_t hash; /* of the value */
    struct test_output output;
};
struct world_records {
    struct world_record *data;
    size_t count, cap;
};
static __attribute__((unused)) void records_add(struct world_records *r, const struct world_record *record) {
    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 256;
        r->data = realloc(r->data, r->cap * sizeof *r->data);
    }
    r->data[r->count++] = *record;
}
static __attribute__((unused)) struct world_record record_of(
    uint64_t offset, uint16_t type, uint64_t key, struct weir_slice value) {
    struct world_record r = {
        .offset = offset, .type = type, .key = key, .size = value.size, .hash = hash_bytes(value.data, value.size, 0)};
    if (value.size == sizeof r.output) memcpy(&r.output, value.data, value.size);
    return r;
}
/* Every stored record of an output partition. False: the process died over it. */
static __attribute__((unused)) bool world_read(
    struct world *w, const char *topic, uint32_t partition, struct world_records *ret) {
    struct log_topic *t = log_topic_find(w->log, topic);
    assert_non_null(t);
    struct log_partition *p = t->partitions[partition];
    size_t room = 1u << 20, size;
    uint8_t *buffer = malloc(room);
    for (uint64_t at = 0; at < atomic_load(&p->high);) {
        enum weir_error e = log_read(w->log, p, at, true, buffer, room, &size);
        if (e && sys_sim_dead(w->sys)) {
            free(buffer);
            return false;
        }
        must(e);
        assert_true(size > 0);
        for (size_t pos = 0; pos < size;) {
            struct batch_reader reader;
            struct batch_header header;
            struct batch_record record;
            must(batch_open(&reader, weir_slice(buffer + pos, size - pos), &header));
            while (batch_next(&reader, &record)) {
                if (record.offset < at) continue;
                assert_int_equal(record.offset, ret->count); /* dense */
                struct weir_record seen;
                envelope_load_output(record.offset, &record.record, &seen);
                struct world_record r = record_of(seen.offset, seen.type, load_be64(seen.key.data), seen.value);
                records_add(ret, &r);
            }
            pos += header.size;
            at = header.next_offset;
        }
    }
    free(buffer);
    return true;
}
#endif
