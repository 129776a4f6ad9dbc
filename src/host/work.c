#include "host/work.h"
#include "base/assert.h"
#include "host/delivery.h"
#include "host/mail.h"
#include "host/node.h"
#include "host/request.h"

#include <stdio.h>

#define IDLE_NS (20 * SYS_NANOS_PER_MS) /* between two looks for partitions that are due */
#define BUSY_NS 500000u                 /* while something waits for lanes or the disk */

/* ---- on the lane
 * ------------------------------------------------------------------------------------------------------- */
bool host_request_mark(struct host_lane *lane, struct weir_slice message) {
    uint32_t number;
    memcpy(&number, message.data, sizeof number);
    const struct host_partition *p = &lane->host->partitions[number];
    struct mailbox *mailbox = &lane->host->mailbox;
    uint32_t to = host_work_endpoint(lane->host);
    struct shadow_mark *mark = mailbox_reserve(mailbox, MAIL_REPLY, lane->index, to, sizeof *mark);
    if (!mark) return false;
    *mark = (struct shadow_mark){.applied = p->fold.applied,
        .emission = p->fold.emission.state,
        .digest = fold_digest(&p->fold),
        .partition = number};
    memcpy(mark->outputs_next, p->fold.outputs_next, sizeof mark->outputs_next);
    mailbox_commit(mailbox, MAIL_REPLY, lane->index, to, sizeof *mark, MAIL_MARKED);
    return true;
}

bool host_request_skip(struct host_lane *lane, struct weir_slice message) {
    const struct mail_skip *skip = (const void *)message.data;
    struct host_partition *p = &lane->host->partitions[skip->partition];
    struct host_delivery d = {.kind = HOST_REPLY, .origin = {.lane = host_work_endpoint(lane->host)}, .text = ""};
    struct envelope envelope = {.kind = WEIR_RECORD_SKIP, .skip = skip->offset};
    if (!p->parked || skip->offset != p->park_at)
        d.error = weir_error_context(WEIR_E_CONFLICT, "partition %u of %s is not parked at offset %llu", p->index,
            p->fold.service->name, (unsigned long long)skip->offset);
    else if (p->skip_count == FOLD_SKIPS_MAX)
        d.error = weir_error_context(WEIR_E_CONFLICT,
            "partition %u of %s passes over %u records already, which is as many as it can; correct the service",
            p->index, p->fold.service->name, FOLD_SKIPS_MAX);
    else
        d.error = host_partition_append(p, &envelope, (struct weir_slice){0}, (struct weir_slice){0}, &d.offset);
    if (d.error == WEIR_E_FULL || d.error == WEIR_E_AGAIN) return false;
    if (d.error != WEIR_OK) {
        d.text = weir_error_text();
        return host_lane_deliver(lane, &d, 0) == WEIR_OK;
    }
    /* Once it is durable the operator hears of it, and only then the partition moves. */
    WEIR_ASSERT(held_delivery(lane->open, &d));
    WEIR_ASSERT(held_mark(lane->open, HELD_SKIP, p->number, skip->offset));
    return true;
}

/* ---- on the work agent
 * ------------------------------------------------------------------------------------------------- */
static uint32_t take_replies(struct work_agent *w) {
    struct mailbox *mailbox = &w->host->mailbox;
    uint32_t self = host_work_endpoint(w->host), tag, taken = 0;
    struct weir_slice message;
    for (uint32_t lane = 0; lane < w->host->lane_count; lane++)
        while (mailbox_peek(mailbox, MAIL_REPLY, lane, self, &message, &tag)) {
            struct host_delivery d;
            if (tag == MAIL_MARKED) {
                shadow_marked(&w->shadow, (const void *)message.data);
            } else if (tag == MAIL_DELIVERY && w->skip.asked) {
                delivery_load(message.data, &d);
                w->skip.answered = true;
                w->skip.error = d.error;
                snprintf(w->skip.text, sizeof w->skip.text, "%s", d.text);
            }
            mailbox_release(mailbox, MAIL_REPLY, lane, self);
            taken++;
        }
    return taken;
}

/* False: it is not finished, or its lane cannot take the answer yet. */
static bool run_job(struct work_agent *w, const struct mail_work *job) {
    w->text[0] = 0;
    weir_error_clear();
    enum weir_error e = job->fn(w->host, (void *)(uintptr_t)(job + 1), w->text, sizeof w->text);
    if (e == WEIR_E_AGAIN) return false;
    w->text[sizeof w->text - 1] = 0;
    struct host_delivery d = {.kind = HOST_DONE,
        .origin = job->origin,
        .error = e,
        .status = (uint16_t)weir_error_http(e),
        .text = e == WEIR_OK ? "" : weir_error_text(),
        .value = weir_slice_text(w->text)};
    struct mailbox *mailbox = &w->host->mailbox;
    uint32_t self = host_work_endpoint(w->host);
    void *room = mailbox_reserve(mailbox, MAIL_REPLY, self, job->origin.lane, delivery_size(&d));
    if (!room) return false;
    delivery_store(&d, room);
    mailbox_commit(mailbox, MAIL_REPLY, self, job->origin.lane, delivery_size(&d), MAIL_DELIVERY);
    return true;
}

static uint32_t run_jobs(struct work_agent *w, bool *ret_waits) {
    struct mailbox *mailbox = &w->host->mailbox;
    uint32_t self = host_work_endpoint(w->host), tag, done = 0;
    struct weir_slice message;
    for (uint32_t lane = 0; lane < w->host->lane_count; lane++)
        while (mailbox_peek(mailbox, MAIL_REQUEST, lane, self, &message, &tag)) {
            WEIR_ASSERT(tag == MAIL_WORK);
            if (!run_job(w, (const void *)message.data)) {
                *ret_waits = true;
                return done; /* one at a time: the next lane's job waits behind it */
            }
            mailbox_release(mailbox, MAIL_REQUEST, lane, self);
            done++;
        }
    return done;
}

static uint32_t work_once(void *self, uint64_t block_ns) {
    struct work_agent *w = self;
    struct sys *sys = w->host->sys;
    bool waits = w->shadow.step != SHADOW_IDLE;
    uint32_t work = take_replies(w);
    work += run_jobs(w, &waits);
    work += shadow_work(&w->shadow);
    mailbox_wake(&w->host->mailbox, host_work_endpoint(w->host));
    if (w->host->pool) shared_pool_measure(w->host->pool);
    bool draining = atomic_load_explicit(&w->host->phase, memory_order_acquire) >= HOST_DRAINING;
    if (draining)
        atomic_store_explicit(
            &w->idle, work == 0 && host_lanes_idle(w->host) && shadow_finished(&w->shadow), memory_order_release);
    if (work) return work;
    uint64_t limit = waits || draining ? BUSY_NS : IDLE_NS;
    struct sys_poll_event event;
    sys->poller_wait(sys, w->poller, &event, 1, block_ns < limit ? block_ns : limit);
    return 0;
}

bool host_work_idle(struct host *host) {
    return atomic_load_explicit(&host->work->idle, memory_order_acquire);
}

enum weir_error host_work_open(struct host *host) {
    struct work_agent *w = ARENA_NEW(&host->arena, struct work_agent);
    if (!w) return weir_error_context(WEIR_E_NO_MEMORY, "no room for the work agent");
    host->work = w;
    w->host = host;
    w->poller = w->agent = -1;
    enum weir_error e = host->sys->poller_open(host->sys, &w->poller);
    if (e != WEIR_OK) return e;
    host->mailbox.pollers[host_work_endpoint(host)] = w->poller;
    e = shadow_open(&w->shadow, host);
    return e == WEIR_OK ? host_reader_open(host, &w->reader) : e;
}

enum weir_error host_work_start(struct host *host) {
    struct work_agent *w = host->work;
    struct sys_agent agent = {.name = "weir-work", .do_work = work_once, .self = w};
    enum weir_error e = host->sys->agent_start(host->sys, &agent, w->poller, &w->agent);
    return e == WEIR_OK ? host_reader_start(&w->reader) : e;
}

void host_work_stop(struct host *host) {
    if (host->work->agent >= 0) host->sys->agent_stop(host->sys, host->work->agent);
    host->work->agent = -1;
    host_reader_stop(&host->work->reader);
}

void host_work_close(struct host *host) {
    struct work_agent *w = host->work;
    if (!w) return;
    host_reader_close(&w->reader);
    shadow_close(&w->shadow);
    if (w->poller >= 0) host->sys->poller_close(host->sys, w->poller);
    w->poller = -1;
}

enum weir_error host_work(
    struct host_lane *lane, host_work_fn fn, const void *arg, size_t arg_size, struct host_origin origin) {
    uint32_t to = host_work_endpoint(lane->host);
    if (arg_size > WORK_TEXT_MAX) return weir_error_context(WEIR_E_TOO_LARGE, "an argument of %zu bytes", arg_size);
    struct mail_work *mail =
        mailbox_reserve(&lane->host->mailbox, MAIL_REQUEST, lane->index, to, sizeof *mail + arg_size);
    if (!mail) return weir_error_context(WEIR_E_FULL, "too much work waits");
    *mail = (struct mail_work){.fn = fn, .origin = origin, .arg_size = (uint32_t)arg_size};
    if (arg_size) memcpy(mail + 1, arg, arg_size);
    mailbox_commit(&lane->host->mailbox, MAIL_REQUEST, lane->index, to, sizeof *mail + arg_size, MAIL_WORK);
    return WEIR_OK;
}

/* ---- operations: on the work agent, through host_work
 * ---------------------------------------------------------------------- */
enum weir_error host_topic_create(
    struct host *host, const char *name, uint32_t partitions, const struct log_topic_config *config) {
    struct log_topic *topic;
    for (uint32_t i = 0; i < host->service_count; i++) {
        size_t size = strlen(host->services[i].service->name);
        if (strncmp(name, host->services[i].service->name, size) == 0 && name[size] == '.')
            return weir_error_context(
                WEIR_E_FORBIDDEN, "names that begin with %.*s. belong to that service", (int)size, name);
    }
    if (host_topic_is_nodes(weir_slice_text(name)))
        return weir_error_context(WEIR_E_FORBIDDEN, "names that begin with " HOST_NODES_TOPICS " are the node's own");
    enum weir_error e = log_topic_create(host->log, name, partitions, config, &topic);
    return e == WEIR_E_EXISTS ? weir_error_context(e, "topic %s exists", name) : e;
}

/* Whether clients may delete or change it. */
static enum weir_error check_clients(struct host *host, const char *name) {
    const struct log_topic *topic = log_topic_find(host->log, name);
    if (!topic) return weir_error_context(WEIR_E_NOT_FOUND, "there is no topic %s", name);
    if (topic->config.internal)
        return weir_error_context(
            WEIR_E_FORBIDDEN, "topic %s belongs to a service and stays as it is as long as that", name);
    if (host_topic_is_nodes(weir_slice_text(name)))
        return weir_error_context(WEIR_E_FORBIDDEN, "topic %s is the node's own and stays as it is", name);
    return WEIR_OK;
}

enum weir_error host_topic_delete(struct host *host, const char *name) {
    enum weir_error e = check_clients(host, name);
    return e ? e : log_topic_delete(host->log, name);
}

enum weir_error host_topic_alter(struct host *host, const char *name, const struct log_topic_config *config) {
    enum weir_error e = check_clients(host, name);
    return e ? e : log_topic_alter(host->log, name, config);
}

enum weir_error host_topic_grow(struct host *host, const char *name, uint32_t partitions) {
    enum weir_error e = check_clients(host, name);
    return e ? e : log_topic_grow(host->log, name, partitions);
}

static enum weir_error find_service(struct host *host, const char *name, struct host_service **ret_service) {
    struct host_service *s = host_service_find(host, name);
    if (!s) return weir_error_context(WEIR_E_NOT_FOUND, "no service %s runs here", name);
    *ret_service = s;
    return WEIR_OK;
}

enum weir_error host_service_skip(struct host *host, const char *service, uint32_t partition, uint64_t offset) {
    struct host_service *s;
    enum weir_error e = find_service(host, service, &s);
    if (e != WEIR_OK) return e;
    if (partition >= s->partition_count)
        return weir_error_context(WEIR_E_NOT_FOUND, "service %s has %u partitions", service, s->partition_count);
    struct work_skip *skip = &host->work->skip;
    uint32_t number = s->first + partition;
    if (!skip->asked) {
        uint32_t to = host->partitions[number].lane->index, self = host_work_endpoint(host);
        struct mail_skip *mail = mailbox_reserve(&host->mailbox, MAIL_REQUEST, self, to, sizeof *mail);
        if (!mail) return WEIR_E_AGAIN;
        *mail = (struct mail_skip){.offset = offset, .partition = number};
        mailbox_commit(&host->mailbox, MAIL_REQUEST, self, to, sizeof *mail, MAIL_SKIP);
        *skip = (struct work_skip){.asked = true, .partition = number, .offset = offset};
    }
    if (!skip->answered) return WEIR_E_AGAIN;
    skip->asked = false;
    return skip->error == WEIR_OK ? WEIR_OK : weir_error_context(skip->error, "%s", skip->text);
}

enum weir_error host_service_snapshot(struct host *host, const char *service) {
    struct host_service *s;
    enum weir_error e = find_service(host, service, &s);
    if (e != WEIR_OK) return e;
    struct work_agent *w = host->work;
    if (w->wish != s) { /* first call: every partition wants one */
        for (uint32_t i = 0; i < s->partition_count; i++) {
            w->shadow.paces[s->first + i].wanted = true;
            w->shadow.paces[s->first + i].error = WEIR_OK;
        }
        w->wish = s;
        return WEIR_E_AGAIN;
    }
    for (uint32_t i = 0; i < s->partition_count; i++)
        if (w->shadow.paces[s->first + i].wanted) return WEIR_E_AGAIN;
    w->wish = NULL;
    for (uint32_t i = 0; i < s->partition_count; i++)
        if (w->shadow.paces[s->first + i].error)
            return weir_error_context(w->shadow.paces[s->first + i].error, "partition %u: %s", i, w->shadow.failure);
    return WEIR_OK;
}
