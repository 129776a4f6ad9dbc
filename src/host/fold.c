#include "host/fold.h"
#include "base/assert.h"
#include "host/out.h"
#include "host/stream.h"

static enum weir_error count_rows(struct fold *fold) {
    const struct weir_service *s = fold->service;
    while (s->topics && s->topics[fold->topic_count].name)
        fold->topic_count++;
    while (s->emits && s->emits[fold->emit_count].service)
        fold->emit_count++;
    while (s->metrics && s->metrics[fold->metric_count].name)
        fold->metric_count++;
    if (fold->topic_count > FOLD_TOPICS_MAX || fold->emit_count > FOLD_EMITS_MAX)
        return weir_error_context(WEIR_E_CONFIG, "service %s has more than %u topics or %u emit rows", s->name,
            FOLD_TOPICS_MAX, FOLD_EMITS_MAX);
    return WEIR_OK;
}

/* ---- the state: the service's own, or flat ---- */
static size_t state_bytes(const struct weir_service *s, const struct weir_setting_value *settings) {
    return s->state_bytes ? s->state_bytes(settings) : s->flat_bytes;
}

static enum weir_error open_state(struct fold *fold, const struct weir_open *open) {
    if (fold->service->open) return fold->service->open(open, &fold->state);
    fold->state = fold->memory;
    return WEIR_OK;
}

enum weir_error fold_save(const struct fold *fold, struct weir_sink *sink) {
    const struct weir_service *s = fold->service;
    return s->save ? s->save(fold->state, sink) : weir_sink_put(sink, fold->state, s->flat_bytes);
}

enum weir_error fold_load(struct fold *fold, struct weir_source *source) {
    const struct weir_service *s = fold->service;
    if (s->load) return s->load(fold->state, source);
    size_t saved = byte_reader_left(&source->reader);
    if (saved != s->flat_bytes)
        return weir_error_context(WEIR_E_VERSION,
            "its state has %zu bytes (version %u) and this version's has %zu; a .load reads what older versions saved",
            saved, source->version, s->flat_bytes);
    return weir_source_get(source, fold->state, s->flat_bytes);
}

enum weir_error fold_open(struct fold *fold, const struct fold_options *options, const struct in_force *in_force) {
    memset(fold, 0, sizeof *fold);
    fold->service = options->service;
    fold->options = *options;
    fold->uid = options->uid;
    in_force_copy(&fold->in_force, in_force);
    const struct weir_service *s = options->service;
    enum weir_error e = count_rows(fold);
    if (e != WEIR_OK) return e;
    struct weir_setting_value merged[IN_FORCE_ROWS_MAX];
    in_force_merge(in_force, s, options->values, merged);
    /* A settings record further on may raise a capacity: room for both. */
    struct weir_setting_value capacity[IN_FORCE_ROWS_MAX];
    in_force_capacity(s, merged, options->values, capacity);
    fold->memory_size = state_bytes(s, capacity);
    if (fold->memory_size == 0) fold->memory_size = 1;
    e = sys_memory_map(fold->memory_size, &fold->memory);
    if (e != WEIR_OK) {
        fold->memory = NULL;
        return weir_error_wrap(
            e, "service %s, partition %u needs %zu bytes of state", s->name, options->partition, fold->memory_size);
    }
    idempotency_init(&fold->idempotency, &options->idempotency);
    struct weir_open open = {.settings = merged,
        .partition = options->partition,
        .partition_count = options->partition_count,
        .memory = fold->memory,
        .memory_bytes = fold->memory_size,
        .capacity = capacity};
    e = open_state(fold, &open);
    if (e != WEIR_OK) {
        fold_done(fold);
        return weir_error_wrap(e, "service %s", s->name);
    }
    return WEIR_OK;
}

void fold_done(struct fold *fold) {
    if (fold->state && fold->service->close) fold->service->close(fold->state);
    if (fold->memory) sys_memory_unmap(fold->memory, fold->memory_size);
    timers_done(&fold->timers);
    sources_done(&fold->sources);
    idempotency_done(&fold->idempotency);
    fold->memory = fold->state = NULL;
}

enum weir_error fold_check_version(const struct weir_service *service, uint32_t version) {
    if (version >= service->version_replays && version <= service->version) return WEIR_OK;
    if (version > service->version)
        return weir_error_context(WEIR_E_VERSION,
            "service %s: its records and snapshots are of version %u, and this one is version %u, which replays "
            "versions "
            "%u to %u: there is no way back; start the newer one again",
            service->name, version, service->version, service->version_replays, service->version);
    return weir_error_context(WEIR_E_VERSION,
        "service %s: records that no snapshot covers were written by its version %u, and this one is version %u, which "
        "replays versions %u to %u; start the one that wrote them, stop it cleanly, then start this one",
        service->name, version, service->version, service->version_replays, service->version);
}

static bool is_skipped(const struct fold *fold, uint64_t offset) {
    for (uint32_t i = 0; i < fold->options.skip_count; i++)
        if (fold->options.skips[i] == offset) return true;
    return false;
}

/* The host's own part of a record, before the service sees it. False: the service must not see it. */
static bool prepare(struct fold *fold, const struct envelope *envelope) {
    switch (envelope->kind) {
    case WEIR_RECORD_EMIT:
        if (sources_seen(&fold->sources, &envelope->source)) return false;
        sources_raise(&fold->sources, &envelope->source);
        return true;
    case WEIR_RECORD_TIMER:
        return timers_take_due(&fold->timers, envelope->timer_id, fold->time_ns);
    case WEIR_RECORD_SKIP:
        return false;
    default:
        return true;
    }
}

static enum weir_error take_settings(struct fold *fold, struct weir_slice value) {
    struct in_force in_force;
    enum weir_error e = in_force_load(&in_force, fold->service, fold->options.initial, value);
    if (e == WEIR_OK) e = fold_check_version(fold->service, in_force.version);
    if (e != WEIR_OK) return e;
    struct weir_setting_value merged[IN_FORCE_ROWS_MAX];
    in_force_merge(&in_force, fold->service, fold->options.values, merged);
    /* Raised, and lowered again, since the last snapshot: what was done in between needs the room it had. */
    if (state_bytes(fold->service, merged) > fold->memory_size)
        return weir_error_context(WEIR_E_CONFIG,
            "this record puts larger capacities in force than the settings have now; start with the larger ones once "
            "and stop cleanly, then lower them");
    in_force_copy(&fold->in_force, &in_force);
    return WEIR_OK;
}

static void remember(
    struct fold *fold, const struct envelope *envelope, uint64_t offset, const struct weir_out *out, bool skipped) {
    struct idempotency_new entry = {
        .key = envelope->key,
        .value = weir_slice(out->reply, out->reply_size),
        .time_ns = fold->time_ns,
        .offset = offset,
        .body_hash = {envelope->body_hash[0], envelope->body_hash[1]},
        .status = out->replied ? out->reply_status
                  : skipped    ? IDEMPOTENCY_SKIPPED
                               : 0,
        .replied = out->replied,
    };
    idempotency_add(&fold->idempotency, &entry);
}

enum weir_error fold_apply(
    struct fold *fold, const struct batch_record *record, struct weir_out *out, struct fold_applied *ret_applied) {
    if (WEIR_UNLIKELY(record->offset != fold->applied))
        return weir_error_context(WEIR_E_CORRUPT,
            "service %s, partition %u: the record after offset %llu should be %llu and is %llu", fold->service->name,
            fold->options.partition, (unsigned long long)fold->applied - 1, (unsigned long long)fold->applied,
            (unsigned long long)record->offset);
    struct envelope *envelope = &ret_applied->envelope;
    enum weir_error e = envelope_load(&record->record, envelope);
    if (e == WEIR_OK && envelope->kind == WEIR_RECORD_SETTINGS) e = take_settings(fold, record->record.value);
    if (WEIR_UNLIKELY(e != WEIR_OK))
        return weir_error_wrap(e, "service %s, partition %u, offset %llu", fold->service->name, fold->options.partition,
            (unsigned long long)record->offset);
    if (envelope->time_ns > fold->time_ns) fold->time_ns = envelope->time_ns;
    idempotency_evict(&fold->idempotency, fold->time_ns);
    out_begin(out, record->offset, fold->time_ns, &envelope->trace);
    /* The host does its part of a skipped record too: otherwise its source would send it again, its timer fire again,
     * and its client's repetition be taken, each of them as poisonous as before. */
    bool skipped = WEIR_UNLIKELY(fold->options.skip_count > 0) && is_skipped(fold, record->offset);
    ret_applied->passed_over = !prepare(fold, envelope) || skipped;
    if (!ret_applied->passed_over) {
        struct weir_record r = {.offset = record->offset,
            .time_ns = fold->time_ns,
            .kind = envelope->kind,
            .type = envelope->type,
            .timer_id = envelope->timer_id,
            .key = record->record.key,
            .value = record->record.value};
        if (envelope->kind == WEIR_RECORD_SETTINGS) r.value = (struct weir_slice){0}; /* weir_settings() reads it */
        fold->service->apply(fold->state, &r, out);
        out_end(out);
    }
    if (envelope->key.size && !out->later) remember(fold, envelope, record->offset, out, skipped);
    fold->applied = record->offset + 1;
    return WEIR_OK;
}
