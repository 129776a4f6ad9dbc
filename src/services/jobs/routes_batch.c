/* Batches over HTTP. */
#include "jobs/batch.h"
#include "jobs/routes.h"
#include "schema/jobs.pb-c.h"

#define NANOS_PER_MS 1000000u
#define LIST_MAX     100u

static enum weir_error read_id(
    const struct weir_request *request, const char *field, const char *text, uint64_t *ret_id) {
    if (!jobs_id_parse(weir_slice_text(text), ret_id))
        return weir_error_context(
            WEIR_E_INVALID, "%s: a batch's id is 16 hexadecimal digits, as POST /v1/jobs/batches answered it", field);
    if (jobs_id_partition(*ret_id) >= request->partition_count)
        return weir_error_context(WEIR_E_NOT_FOUND, "%s: this node has no batch %s", field, text);
    return WEIR_OK;
}

/* ---- commands ---- */
static enum weir_error encode(
    const struct weir_request *request, const struct jobs_batch_view *v, struct weir_command *ret_command) {
    struct jobs_batch_order o = v->head;
    o.description_size = (uint8_t)v->description.size;
    o.success_size = (uint32_t)v->success.size;
    o.complete_size = (uint32_t)v->complete.size;
    const struct weir_slice parts[] = {weir_slice(&o, sizeof o), v->description, v->success, v->complete};
    return jobs_route_parts(request, parts, WEIR_ARRAY_COUNT(parts), JOBS_RECORD_BATCH, ret_command);
}

/* A callback as an entry. Its queue says in which partition the batch is, unless *partition says so already. */
static enum weir_error put_callback(const struct weir_request *request, const char *field, const Weir__Jobs__Job *job,
    uint32_t *partition, struct weir_slice *ret_entry) {
    struct jobs_new_view view;
    size_t at = 0;
    *ret_entry = weir_slice("", 0);
    if (!job) return WEIR_OK;
    enum weir_error e = jobs_route_job(request, job, ret_entry);
    if (e) return weir_error_wrap(e, "%s", field);
    bool read = jobs_new_next(*ret_entry, &at, &view);
    WEIR_ASSERT(read); /* it was written a moment ago */
    uint32_t its = jobs_route_partition(view.queue, request->partition_count);
    if (*partition == JOBS_NONE) *partition = its;
    if (*partition == its) return WEIR_OK;
    return weir_error_context(WEIR_E_INVALID,
        "%s: its queue is in another partition than the batch's parent or its other callback; all of a batch is in one",
        field);
}

enum weir_error jobs_encode_batch(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Jobs__Batch *m = request->message;
    struct jobs_batch_view v = {.head = {.action = JOBS_BATCH_NEW}};
    uint32_t partition = JOBS_NONE;
    if (!m->on_success && !m->on_complete && !m->parent[0])
        return weir_error_context(
            WEIR_E_INVALID, "onSuccess or onComplete: what is pushed when its jobs have ended, or a parent");
    enum weir_error e = jobs_route_text("description", m->description, JOBS_DESCRIPTION_MAX, &v.description);
    if (!e && m->parent[0]) {
        e = read_id(request, "parent", m->parent, &v.head.id);
        if (!e) partition = jobs_id_partition(v.head.id);
    }
    if (!e) e = put_callback(request, "onSuccess", m->on_success, &partition, &v.success);
    if (!e) e = put_callback(request, "onComplete", m->on_complete, &partition, &v.complete);
    if (e) return e;
    ret_command->partition = partition;
    return encode(request, &v, ret_command);
}

static enum weir_error encode_change(
    const struct weir_request *request, uint8_t action, struct weir_command *ret_command) {
    const Weir__Jobs__BatchRef *m = request->message;
    struct jobs_batch_view v = {.head = {.action = action}};
    v.description = v.success = v.complete = weir_slice("", 0);
    enum weir_error e = read_id(request, "id", m->id, &v.head.id);
    if (e) return e;
    ret_command->partition = jobs_id_partition(v.head.id);
    return encode(request, &v, ret_command);
}
enum weir_error jobs_encode_batch_commit(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_change(request, JOBS_BATCH_COMMIT, ret_command);
}
enum weir_error jobs_encode_batch_open(const struct weir_request *request, struct weir_command *ret_command) {
    return encode_change(request, JOBS_BATCH_OPEN, ret_command);
}

enum weir_error jobs_decode_batched(uint16_t status, struct weir_slice value, struct weir_answer *answer) {
    struct jobs_batched b;
    char id[JOBS_ID_SIZE + 1];
    Weir__Jobs__BatchView m = WEIR__JOBS__BATCH_VIEW__INIT;
    if (status >= 400 || value.size != sizeof b) return jobs_route_pass(value, answer);
    memcpy(&b, value.data, sizeof b);
    jobs_id_print(b.id, id);
    m.id = id;
    m.state = (Weir__Jobs__BatchState)b.state;
    m.total = b.total;
    m.pending = b.pending;
    m.failed = b.failed;
    return jobs_route_answer(answer, &m.base);
}

/* ---- state ---- */
static void fill(
    const struct jobs *s, const struct weir_request *request, const struct jobs_batch *b, Weir__Jobs__BatchView *m) {
    struct jobs_batched counts = batch_counts(b);
    weir__jobs__batch_view__init(m);
    m->id = weir_scratch(request, JOBS_ID_SIZE + 1);
    if (m->id) jobs_id_print(b->id, m->id);
    m->state = (Weir__Jobs__BatchState)counts.state;
    m->total = counts.total;
    m->pending = counts.pending;
    m->failed = counts.failed;
    m->description = jobs_route_string(request, batch_description(s, b));
    m->created_ms = b->created_ns / NANOS_PER_MS;
    m->completed_ms = b->ended_ns / NANOS_PER_MS;
    if (b->parent != JOBS_NONE && (m->parent = weir_scratch(request, JOBS_ID_SIZE + 1)))
        jobs_id_print(s->batches[b->parent].id, m->parent);
}

enum weir_error jobs_partition_of_batch(const struct weir_request *request, uint32_t *ret_partition) {
    const Weir__Jobs__BatchRef *m = request->message;
    uint64_t id;
    enum weir_error e = read_id(request, "id", m->id, &id);
    if (!e) *ret_partition = jobs_id_partition(id);
    return e;
}

enum weir_error jobs_query_batch(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct jobs *s = state;
    const Weir__Jobs__BatchRef *m = request->message;
    Weir__Jobs__BatchView view;
    uint64_t id;
    enum weir_error e = read_id(request, "id", m->id, &id);
    if (e) return e;
    uint32_t i = batch_find(s, id);
    if (i == JOBS_NONE)
        return weir_error_context(
            WEIR_E_NOT_FOUND, "there is no batch %s; one that is over goes when its place is needed", m->id);
    fill(s, request, &s->batches[i], &view);
    return jobs_route_answer(answer, &view.base);
}

enum weir_error jobs_partition_of_batches(const struct weir_request *request, uint32_t *ret_partition) {
    const Weir__Jobs__ListBatches *m = request->message;
    if (m->partition >= request->partition_count)
        return weir_error_context(WEIR_E_NOT_FOUND, "partition: there are %u", request->partition_count);
    *ret_partition = m->partition;
    return WEIR_OK;
}

enum weir_error jobs_query_batches(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const struct jobs *s = state;
    const Weir__Jobs__ListBatches *asked = request->message;
    uint32_t most = asked->limit && asked->limit < LIST_MAX ? asked->limit : LIST_MAX;
    Weir__Jobs__BatchView *views = weir_scratch(request, most * sizeof *views);
    Weir__Jobs__BatchView **list = weir_scratch(request, most * sizeof *list);
    if (!views || !list) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the answer");
    Weir__Jobs__BatchList m = WEIR__JOBS__BATCH_LIST__INIT;
    uint64_t i = asked->after;
    for (; i < s->head->batches_used && m.n_batches < most; i++) {
        if (!s->batches[i].is_used) continue;
        fill(s, request, &s->batches[i], &views[m.n_batches]);
        list[m.n_batches] = &views[m.n_batches];
        m.n_batches++;
    }
    m.batches = list;
    if (i < s->head->batches_used) m.next = i;
    return jobs_route_answer(answer, &m.base);
}
