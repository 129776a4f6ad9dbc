#include "host/request.h"
#include "host/answer.h"
#include "host/mail.h"
#include "host/message.h"
#include "host/node.h"
#include "host/traced.h"

static void *mail_room(struct host_lane *lane, uint32_t to, size_t size, enum weir_error *ret_error) {
    if (size > MAIL_MESSAGE_MAX) {
        *ret_error = weir_error_context(WEIR_E_TOO_LARGE, "a request of %zu bytes; at most %u", size, MAIL_MESSAGE_MAX);
        return NULL;
    }
    void *room = mailbox_reserve(&lane->host->mailbox, MAIL_REQUEST, lane->index, to, size);
    *ret_error = room ? WEIR_OK : weir_error_context(WEIR_E_FULL, "lane %u has too many requests to take", to);
    return room;
}

static struct host_partition *find(struct host_lane *lane, uint32_t service, uint32_t partition) {
    struct host *host = lane->host;
    if (service >= host->service_count || partition >= host->services[service].partition_count) return NULL;
    return &host->partitions[host->services[service].first + partition];
}

/* What a request's lane has to say instead of a result. False: no room, the request waits in its ring. */
static bool refuse(
    struct host_lane *lane, enum host_delivery_kind kind, const struct host_origin *origin, enum weir_error e) {
    struct host_delivery d = {
        .kind = kind, .origin = *origin, .error = e, .status = (uint16_t)weir_error_http(e), .text = weir_error_text()};
    metric_add(&lane->metrics.commands_refused, 1);
    return host_lane_deliver(lane, &d, 0) == WEIR_OK;
}

/* ---- commands -------------------------------------------------------------------------------------------------- */
static enum weir_error forward_command(
    struct host_lane *lane, uint32_t to, const struct host_command *c, struct weir_slice packed_key) {
    enum weir_error e;
    size_t size = sizeof(struct mail_command) + c->command.key.size + c->command.value.size + packed_key.size;
    struct mail_command *mail = mail_room(lane, to, size, &e);
    if (!mail) return e;
    *mail = (struct mail_command){
        .service = c->service,
        .partition = c->command.partition,
        .origin = c->origin,
        .body_hash = {c->idempotency.body_hash[0], c->idempotency.body_hash[1]},
        .trace = c->trace,
        .key_size = (uint32_t)c->command.key.size,
        .value_size = (uint32_t)c->command.value.size,
        .packed_key_size = (uint16_t)packed_key.size,
        .type = c->command.type,
        .wants_reply = c->wants_reply,
        .in_order = c->in_order,
    };
    uint8_t *at = (uint8_t *)(mail + 1);
    if (c->command.key.size) memcpy(at, c->command.key.data, c->command.key.size);
    at += c->command.key.size;
    if (c->command.value.size) memcpy(at, c->command.value.data, c->command.value.size);
    at += c->command.value.size;
    if (packed_key.size) memcpy(at, packed_key.data, packed_key.size);
    mailbox_commit(&lane->host->mailbox, MAIL_REQUEST, lane->index, to, size, MAIL_COMMAND);
    return WEIR_OK;
}

enum weir_error host_submit(struct host_lane *lane, const struct host_command *command) {
    struct host_partition *p = find(lane, command->service, command->command.partition);
    if (!p) return weir_error_context(WEIR_E_NOT_FOUND, "there is no partition %u", command->command.partition);
    uint8_t packed[ENVELOPE_KEY_BYTES_MAX];
    struct weir_slice key = {0};
    if (command->idempotency.key.size) {
        const struct host_idempotency *i = &command->idempotency;
        key = weir_slice(packed, envelope_pack_key(i->principal, i->route, i->key, packed));
        if (key.size == 0)
            return weir_error_context(WEIR_E_TOO_LARGE, "the idempotency key with its route has more than %u bytes",
                ENVELOPE_KEY_BYTES_MAX - 6);
    }
    if (p->lane != lane) return forward_command(lane, p->lane->index, command, key);
    return host_partition_submit(p, command, key);
}

bool host_request_command(struct host_lane *lane, struct weir_slice message) {
    const struct mail_command *mail = (const void *)message.data;
    const uint8_t *at = (const uint8_t *)(mail + 1);
    struct host_command command = {
        .service = mail->service,
        .command = {.partition = mail->partition,
            .type = mail->type,
            .key = weir_slice(at, mail->key_size),
            .value = weir_slice(at + mail->key_size, mail->value_size)},
        .idempotency = {.body_hash = {mail->body_hash[0], mail->body_hash[1]}},
        .origin = mail->origin,
        .trace = mail->trace,
        .wants_reply = mail->wants_reply,
    };
    struct weir_slice key = weir_slice(at + mail->key_size + mail->value_size, mail->packed_key_size);
    struct host_partition *p = find(lane, mail->service, mail->partition);
    enum weir_error e = host_partition_submit(p, &command, key);
    /* Its session numbers its commands: were it refused here and the next one taken, it could never be sent again. So
     * it waits for room, and for the end of a replay. */
    bool replays = e == WEIR_E_CLOSED && atomic_load_explicit(&lane->host->phase, memory_order_acquire) < HOST_DRAINING;
    if ((e == WEIR_E_FULL || replays) && mail->in_order) return false;
    return e == WEIR_OK || !command.wants_reply || refuse(lane, HOST_REPLY, &mail->origin, e);
}

/* ---- queries: between records, on the live state; the answer leaves once what it saw is durable ----------------- */
enum weir_error host_query_run(
    struct host_partition *p, const struct host_query *query, struct weir_answer *ret_answer) {
    struct arena *arena = &p->lane->query_arena;
    arena_reset(arena);
    weir_answer_init(ret_answer, arena, WEIR_ANSWER_BYTES_MAX);
    if (p->replaying)
        return weir_error_context(
            WEIR_E_CLOSED, "partition %u of %s is replaying its log", p->index, p->fold.service->name);
    struct weir_request request = {.packed = query->packed,
        .principal = query->principal ? query->principal : "local",
        .tenant = query->tenant ? query->tenant : "",
        .partition_count = p->owner->partition_count,
        .settings = p->owner->values,
        .scratch = arena};
    if (query->descriptor) {
        request.message = message_unpack_arena(query->descriptor, query->packed, arena);
        if (!request.message) return weir_error_context(WEIR_E_INVALID, "the query cannot be unpacked");
    }
    metric_add(&p->lane->metrics.queries, 1);
    return query->query(query->of_fold ? &p->fold : p->fold.state, &request, ret_answer);
}

static enum weir_error answer_query(struct host_partition *p, const struct host_query *query) {
    struct weir_answer answer;
    enum weir_error e = host_query_run(p, query, &answer);
    struct host_delivery d = {.kind = HOST_ANSWER, .origin = query->origin, .error = e, .text = ""};
    d.status = e == WEIR_OK ? answer.status : (uint16_t)weir_error_http(e);
    if (e == WEIR_OK)
        d.value = weir_answer_slice(&answer);
    else
        d.text = weir_error_text();
    return host_lane_deliver(p->lane, &d, p->last_commit);
}

static void store_name(const char *name, char out[HOST_WHO_MAX + 1]) {
    size_t size = name ? strlen(name) : 0;
    WEIR_ASSERT(size <= HOST_WHO_MAX);
    if (size) memcpy(out, name, size);
    out[size] = 0;
}

void host_query_store_who(const struct host_query *query, struct mail_query *mail) {
    store_name(query->principal, mail->principal);
    store_name(query->tenant, mail->tenant);
}

void host_query_load_who(const struct mail_query *mail, struct host_query *query) {
    query->principal = mail->principal[0] ? mail->principal : NULL;
    query->tenant = mail->tenant[0] ? mail->tenant : NULL;
}

enum weir_error host_query(struct host_lane *lane, const struct host_query *query) {
    struct host_partition *p = find(lane, query->service, query->partition);
    if (!p) return weir_error_context(WEIR_E_NOT_FOUND, "there is no partition %u", query->partition);
    if (p->lane == lane) return answer_query(p, query);
    enum weir_error e;
    size_t size = sizeof(struct mail_query) + query->packed.size;
    struct mail_query *mail = mail_room(lane, p->lane->index, size, &e);
    if (!mail) return e;
    *mail = (struct mail_query){.query = query->query,
        .descriptor = query->descriptor,
        .origin = query->origin,
        .service = query->service,
        .partition = query->partition,
        .of_fold = query->of_fold,
        .packed_size = (uint32_t)query->packed.size};
    host_query_store_who(query, mail);
    if (query->packed.size) memcpy(mail + 1, query->packed.data, query->packed.size);
    mailbox_commit(&lane->host->mailbox, MAIL_REQUEST, lane->index, p->lane->index, size, MAIL_QUERY);
    return WEIR_OK;
}

bool host_request_query(struct host_lane *lane, struct weir_slice message) {
    const struct mail_query *mail = (const void *)message.data;
    struct host_query query = {.service = mail->service,
        .partition = mail->partition,
        .query = mail->query,
        .descriptor = mail->descriptor,
        .packed = weir_slice(mail + 1, mail->packed_size),
        .origin = mail->origin,
        .of_fold = mail->of_fold != 0};
    host_query_load_who(mail, &query);
    return answer_query(find(lane, mail->service, mail->partition), &query) == WEIR_OK;
}

/* ---- plain topics -------------------------------------------------------------------------------------------------
 */
static enum weir_error append_batch(struct host_lane *lane, struct log_partition *partition, struct weir_slice batch,
    const struct host_origin *origin, const struct weir_trace_link *trace) {
    struct host_delivery d = {.kind = HOST_REPLY, .origin = *origin, .status = 200, .text = ""};
    enum weir_error e = WEIR_E_AGAIN;
    struct held *held;
    /* Asked by the owner: a lane that has said it is idle takes nothing any more, also not what was on its way. */
    if (atomic_load_explicit(&lane->host->phase, memory_order_acquire) >= HOST_DRAINING)
        return weir_error_context(WEIR_E_CLOSED, "the node is stopping");
    for (int attempt = 0; attempt < 2 && e == WEIR_E_AGAIN; attempt++) {
        e = host_lane_commit(lane, &held);
        if (e != WEIR_OK) return e;
        if (held_room(held) < 4096) return weir_error_context(WEIR_E_FULL, "the commit holds too much");
        e = log_commit_append_batch(held->commit, partition, batch, 0, &d.offset);
        if (e == WEIR_E_AGAIN) host_lane_submit(lane);
    }
    if (e == WEIR_E_AGAIN) return weir_error_context(WEIR_E_FULL, "the lane's commits are full");
    /* A repeated batch may have come with a commit that is not durable yet: the open one is later than all of them. */
    d.repeated = e == WEIR_E_DUPLICATE;
    if (e != WEIR_OK && e != WEIR_E_DUPLICATE) return e;
    held->records++;
    traced_append(lane, held, partition, d.offset, trace);
    WEIR_ASSERT(held_delivery(held, &d));
    return WEIR_OK;
}

static enum weir_error find_plain(
    struct host_lane *lane, const char *topic, uint32_t partition, struct log_partition **ret) {
    struct log_topic *found = log_topic_find(lane->host->log, topic);
    if (!found) return weir_error_context(WEIR_E_NOT_FOUND, "there is no topic %s", topic);
    if (partition >= found->partition_count)
        return weir_error_context(WEIR_E_NOT_FOUND, "topic %s has %u partitions", topic, found->partition_count);
    *ret = found->partitions[partition];
    return WEIR_OK;
}

static enum weir_error append_to(struct host_lane *lane, struct log_partition *found, struct weir_slice batch,
    const struct host_origin *origin, const struct weir_trace_link *trace) {
    enum weir_error e;
    uint32_t owner = found->uid % lane->host->lane_count;
    if (owner == lane->index) return append_batch(lane, found, batch, origin, trace);
    size_t size = sizeof(struct mail_append) + batch.size;
    struct mail_append *mail = mail_room(lane, owner, size, &e);
    if (!mail) return e;
    *mail = (struct mail_append){
        .partition = found, .origin = *origin, .trace = *trace, .batch_size = (uint32_t)batch.size};
    memcpy(mail + 1, batch.data, batch.size);
    mailbox_commit(&lane->host->mailbox, MAIL_REQUEST, lane->index, owner, size, MAIL_APPEND);
    return WEIR_OK;
}

enum weir_error host_append(struct host_lane *lane, const char *topic, uint32_t partition, struct weir_slice batch,
    struct host_origin origin, const struct weir_trace_link *trace) {
    struct log_partition *found = NULL;
    enum weir_error e = find_plain(lane, topic, partition, &found);
    if (e != WEIR_OK) return e;
    if (found->topic->config.internal)
        return weir_error_context(WEIR_E_FORBIDDEN, "topic %s belongs to a service: use its own commands", topic);
    if (host_topic_is_nodes(weir_slice_text(topic)))
        return weir_error_context(WEIR_E_FORBIDDEN, "topic %s is the node's own: nobody else writes it", topic);
    static const struct weir_trace_link none;
    return append_to(lane, found, batch, &origin, trace ? trace : &none);
}

enum weir_error host_audit_append(struct host_lane *lane, struct weir_slice batch, struct host_origin origin) {
    static const struct weir_trace_link none;
    struct log_partition *found = NULL;
    enum weir_error e = find_plain(lane, HOST_TOPIC_AUDIT, 0, &found);
    return e == WEIR_OK ? append_to(lane, found, batch, &origin, &none) : e;
}

bool host_request_append(struct host_lane *lane, struct weir_slice message) {
    const struct mail_append *mail = (const void *)message.data;
    enum weir_error e =
        append_batch(lane, mail->partition, weir_slice(mail + 1, mail->batch_size), &mail->origin, &mail->trace);
    return e == WEIR_OK || refuse(lane, HOST_REPLY, &mail->origin, e);
}
