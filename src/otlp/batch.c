#include "otlp/batch.h"

#include "base/text.h"
#include "otlp.pb-c.h"

#include <stdio.h>
#include <stdlib.h>

#define ARENA_BLOCK     (256u << 10)
#define ARENA_BYTES_MAX (32u << 20)
#define ATTRIBUTES_MAX  12u /* of a span */
#define FLAG_HAS_REMOTE 0x100u
#define FLAG_IS_REMOTE  0x200u
#define SCHEMA          "https://opentelemetry.io/schemas/1.23.0"
#define PHASES          (TRACE_SPANS_PER_RECORD - 1)

void otlp_batch_init(struct otlp_batch *b) {
    arena_init(&b->arena, NULL, ARENA_BLOCK, ARENA_BYTES_MAX);
    b->count = 0;
}

void otlp_batch_done(struct otlp_batch *b) {
    arena_done(&b->arena);
}

void otlp_batch_reset(struct otlp_batch *b) {
    arena_reset(&b->arena);
    arena_trim(&b->arena, ARENA_BLOCK);
    b->count = 0;
}

bool otlp_batch_is_full(const struct otlp_batch *b) {
    return b->count + TRACE_SPANS_PER_RECORD > OTLP_BATCH_SPANS;
}

/* ---- attributes ---- */

/* protobuf refuses a message one of whose strings is not UTF-8: a name that was cut inside of a character must not cost
 * the whole batch. */
static char *as_text(struct otlp_batch *b, const char *text) {
    char *copy = arena_strdup(&b->arena, text);
    if (!copy || utf8_valid(weir_slice_text(copy))) return copy;
    for (char *c = copy; *c; c++)
        if ((uint8_t)*c >= 0x80) *c = '?';
    return copy;
}

struct attributes {
    Otlp__KeyValue **list;
    size_t count, max;
    bool failed;
};

static struct attributes attributes(struct otlp_batch *b, size_t max) {
    struct attributes a = {.list = ARENA_NEW_ARRAY(&b->arena, Otlp__KeyValue *, max), .max = max};
    a.failed = !a.list;
    return a;
}

static Otlp__AnyValue *put(struct otlp_batch *b, struct attributes *a, const char *key) {
    struct pair {
        Otlp__KeyValue pair;
        Otlp__AnyValue value;
    } *p = ARENA_NEW(&b->arena, struct pair);
    if (!p || a->failed) {
        a->failed = true;
        return NULL;
    }
    WEIR_ASSERT(a->count < a->max);
    otlp__key_value__init(&p->pair);
    otlp__any_value__init(&p->value);
    p->pair.key = (char *)(uintptr_t)key;
    p->pair.value = &p->value;
    a->list[a->count++] = &p->pair;
    return &p->value;
}

/* Nothing for an empty text: it says nothing. */
static void put_text(struct otlp_batch *b, struct attributes *a, const char *key, const char *text) {
    if (!text || !text[0]) return;
    Otlp__AnyValue *v = put(b, a, key);
    char *copy = as_text(b, text);
    if (!v || !copy) {
        a->failed = true;
        return;
    }
    v->value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
    v->string_value = copy;
}

static void put_number(struct otlp_batch *b, struct attributes *a, const char *key, uint64_t number) {
    Otlp__AnyValue *v = put(b, a, key);
    if (!v) return;
    v->value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
    v->int_value = (int64_t)number;
}

/* ---- spans ---- */

static Otlp__Span *new_span(struct otlp_batch *b, const struct weir_trace_link *link, const uint8_t *parent_id) {
    struct span {
        Otlp__Span span;
        uint8_t ids[WEIR_TRACE_ID_SIZE + 2 * WEIR_SPAN_ID_SIZE];
    } *s = ARENA_NEW(&b->arena, struct span);
    static const uint8_t none[WEIR_SPAN_ID_SIZE];
    if (!s) return NULL;
    uint8_t *span_id = s->ids + WEIR_TRACE_ID_SIZE, *parent = span_id + WEIR_SPAN_ID_SIZE;
    otlp__span__init(&s->span);
    memcpy(s->ids, link->trace_id, WEIR_TRACE_ID_SIZE);
    memcpy(span_id, link->span_id, WEIR_SPAN_ID_SIZE);
    memcpy(parent, parent_id, WEIR_SPAN_ID_SIZE);
    s->span.trace_id = (ProtobufCBinaryData){WEIR_TRACE_ID_SIZE, s->ids};
    s->span.span_id = (ProtobufCBinaryData){WEIR_SPAN_ID_SIZE, span_id};
    if (memcmp(parent, none, sizeof none) != 0)
        s->span.parent_span_id = (ProtobufCBinaryData){WEIR_SPAN_ID_SIZE, parent};
    s->span.flags = WEIR_TRACE_FLAG_SAMPLED | FLAG_HAS_REMOTE;
    return &s->span;
}

static void set_times(const struct otlp_batch *b, Otlp__Span *s, uint64_t begin_ns, uint64_t end_ns) {
    s->start_time_unix_nano = b->wall_ns + begin_ns;
    s->end_time_unix_nano = b->wall_ns + (end_ns > begin_ns ? end_ns : begin_ns);
}

static void set_attributes(Otlp__Span *s, const struct attributes *a) {
    s->attributes = a->list;
    s->n_attributes = a->count;
}

/* A server's span fails by its own fault alone: 4xx is the client's (semantic conventions). */
static bool set_outcome(struct otlp_batch *b, const struct trace_request *r, struct attributes *a, Otlp__Span *s) {
    char text[16];
    if (r->status) put_number(b, a, "http.response.status_code", r->status);
    if (r->status && r->status < 500) return true;
    Otlp__Status *status = ARENA_NEW(&b->arena, Otlp__Status);
    if (!status) return false;
    otlp__status__init(status);
    status->code = OTLP__STATUS__CODE__ERROR;
    status->message = (char *)(uintptr_t)(r->status ? "" : "the client was gone before the answer");
    snprintf(text, sizeof text, "%u", r->status);
    put_text(b, a, "error.type", r->status ? text : "client_gone");
    s->status = status;
    return true;
}

static void put_peer(struct otlp_batch *b, struct attributes *a, const char *peer) {
    char host[TRACE_TEXT_MAX];
    const char *colon = strrchr(peer, ':');
    if (!colon || text_starts_with(weir_slice_text(peer), "unix:")) {
        put_text(b, a, "network.peer.address", peer);
        return;
    }
    size_t n = (size_t)(colon - peer);
    bool bracketed = n > 1 && peer[0] == '[' && peer[n - 1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(bracketed ? n - 2 : n), peer + bracketed);
    put_text(b, a, "network.peer.address", host);
    put_number(b, a, "network.peer.port", (uint64_t)strtoul(colon + 1, NULL, 10));
}

static bool add_request(struct otlp_batch *b, const struct trace_request *r, size_t state_size) {
    Otlp__Span *s = new_span(b, &r->link, r->parent_id);
    struct attributes a = attributes(b, ATTRIBUTES_MAX);
    if (!s || a.failed) return false;
    s->kind = OTLP__SPAN__KIND__SERVER;
    s->flags = r->flags | FLAG_HAS_REMOTE | (s->parent_span_id.len ? FLAG_IS_REMOTE : 0);
    s->name = r->route ? arena_printf(&b->arena, "%s %s", r->method, r->route) : (char *)(uintptr_t)r->method;
    s->trace_state = arena_dup_text(&b->arena, weir_slice(r->state, state_size));
    set_times(b, s, r->begin_ns, r->end_ns);
    put_text(b, &a, "http.request.method", r->method);
    put_text(b, &a, "http.route", r->route);
    put_text(b, &a, "url.path", r->path);
    put_text(b, &a, "url.scheme", r->is_tls ? "https" : "http");
    put_peer(b, &a, r->peer);
    put_text(b, &a, "weir.request_id", r->id);
    put_text(b, &a, "weir.service", r->service);
    put_text(b, &a, "weir.principal", r->principal);
    put_text(b, &a, "weir.tenant", r->tenant);
    bool whole = set_outcome(b, r, &a, s) && s->name && s->trace_state && !a.failed;
    set_attributes(s, &a);
    if (whole) b->spans[b->count++] = s;
    return whole;
}

/* Where the record's time went, below its span: waiting for the commit before (natural group commit), the journal's
 * write and sync, the fold, which runs while the disk works, and what happened between the sync and the release. */
static bool add_phases(struct otlp_batch *b, const struct trace_record *r, const struct weir_trace_link *link) {
    uint64_t settled_ns = r->durable_ns > r->applied_ns ? r->durable_ns : r->applied_ns;
    const struct {
        const char *name;
        uint64_t begin_ns, end_ns;
    } phases[PHASES] = {{"wait", r->appended_ns, r->submitted_ns}, {"journal", r->submitted_ns, r->durable_ns},
        {"release", settled_ns, r->released_ns}, {"apply", r->apply_ns, r->applied_ns}};
    for (uint32_t i = 0; i < trace_record_spans(r) - 1; i++) { /* a plain topic's has no last one */
        /* As if they were records behind the last one: ids that are functions, as the record's own. */
        struct weir_trace_link own = trace_record_link(link, r->uid, UINT64_MAX - i);
        Otlp__Span *s = new_span(b, &own, link->span_id);
        if (!s) return false;
        s->kind = OTLP__SPAN__KIND__INTERNAL;
        s->name = (char *)(uintptr_t)phases[i].name;
        set_times(b, s, phases[i].begin_ns, phases[i].end_ns);
        b->spans[b->count++] = s;
    }
    return true;
}

static bool add_record(struct otlp_batch *b, const struct trace_record *r) {
    struct weir_trace_link link = trace_record_link(&r->cause, r->uid, r->offset);
    Otlp__Span *s = new_span(b, &link, r->cause.span_id);
    struct attributes a = attributes(b, ATTRIBUTES_MAX);
    if (!s || a.failed) return false;
    s->kind = r->is_emit ? OTLP__SPAN__KIND__CONSUMER : OTLP__SPAN__KIND__INTERNAL;
    s->name = arena_printf(&b->arena, "%s %s", r->apply_ns ? "process" : "append", r->topic);
    set_times(b, s, r->appended_ns, r->released_ns);
    put_text(b, &a, "messaging.system", "weir");
    put_text(b, &a, "messaging.operation.type", r->apply_ns ? "process" : "send");
    put_text(b, &a, "messaging.destination.name", r->topic);
    put_number(b, &a, "weir.partition", r->partition);
    put_number(b, &a, "weir.offset", r->offset);
    put_number(b, &a, "weir.commit.records", r->commit_records);
    put_text(b, &a, "weir.service", r->service);
    set_attributes(s, &a);
    if (!s->name || a.failed) return false;
    b->spans[b->count++] = s;
    return add_phases(b, r, &link);
}

bool otlp_batch_add(struct otlp_batch *b, uint32_t tag, struct weir_slice message, uint32_t *ret_lost) {
    uint32_t before = b->count, spans = 1;
    bool whole;
    if (tag == TRACE_REQUEST) {
        const struct trace_request *r = (const void *)message.data;
        whole = add_request(b, r, message.size - offsetof(struct trace_request, state));
    } else {
        const struct trace_record *r = (const void *)message.data;
        WEIR_ASSERT(tag == TRACE_RECORD && message.size == sizeof *r);
        spans = trace_record_spans(r);
        whole = add_record(b, r);
    }
    *ret_lost = spans - (b->count - before);
    return whole;
}

/* ---- the request ---- */

static void put_resource(struct otlp_batch *b, const struct otlp_target *t, struct attributes *a) {
    put_text(b, a, "service.name", t->service_name);
    put_text(b, a, "service.version", WEIR_VERSION);
    for (uint32_t i = 0; i < t->attribute_count; i++) {
        const char *name = t->pairs + t->attributes[i].name;
        if (strcmp(name, "service.name") != 0) put_text(b, a, name, t->pairs + t->attributes[i].value);
    }
}

enum weir_error otlp_batch_pack(struct otlp_batch *b, const struct otlp_target *t, struct weir_slice *ret_body) {
    Otlp__ExportRequest request = OTLP__EXPORT_REQUEST__INIT;
    Otlp__ResourceSpans of_node = OTLP__RESOURCE_SPANS__INIT, *of_nodes[] = {&of_node};
    Otlp__ScopeSpans of_weir = OTLP__SCOPE_SPANS__INIT, *of_scopes[] = {&of_weir};
    Otlp__Resource resource = OTLP__RESOURCE__INIT;
    Otlp__Scope scope = OTLP__SCOPE__INIT;
    struct attributes a = attributes(b, OTLP_ATTRIBUTES_MAX + 2);
    if (!a.failed) put_resource(b, t, &a);
    resource.attributes = a.list;
    resource.n_attributes = a.count;
    scope.name = (char *)(uintptr_t) "weir";
    scope.version = (char *)(uintptr_t)WEIR_VERSION;
    of_weir.scope = &scope;
    of_weir.spans = b->spans;
    of_weir.n_spans = b->count;
    of_weir.schema_url = of_node.schema_url = (char *)(uintptr_t)SCHEMA;
    of_node.resource = &resource;
    of_node.scope_spans = of_scopes;
    of_node.n_scope_spans = 1;
    request.resource_spans = of_nodes;
    request.n_resource_spans = 1;
    size_t size = otlp__export_request__get_packed_size(&request);
    uint8_t *bytes = a.failed ? NULL : arena_alloc(&b->arena, size);
    if (!bytes)
        return weir_error_context(
            WEIR_E_NO_MEMORY, "%u spans take more than %u bytes", b->count, (unsigned)ARENA_BYTES_MAX);
    *ret_body = weir_slice(bytes, otlp__export_request__pack(&request, bytes));
    return WEIR_OK;
}
