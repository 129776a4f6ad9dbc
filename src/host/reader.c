#include "host/reader.h"
#include "host/delivery.h"
#include "host/node.h"

#define BUFFER_BYTES (2u << 20) /* a batch may be larger than what was asked for */
#define WAKES_MAX    256u       /* long polls; with more of them each look takes too long to be made at every commit */
#define LOOK_NS      1000000u   /* between two looks for the data of more long polls */
#define TIMEOUT_NS   10000000u  /* between two looks for what is over, where the log wakes us for data */
#define IDLE_NS      (100 * SYS_NANOS_PER_MS)

/* False: the lane's ring is full, try again. */
static bool answer(struct read_agent *r, const struct mail_read *read, enum weir_error e) {
    struct host_delivery d = {.kind = HOST_ANSWER,
        .origin = read->origin,
        .error = e,
        .status = e == WEIR_OK ? 200 : (uint16_t)weir_error_http(e),
        .text = e == WEIR_OK ? "" : weir_error_text(),
        .offset = atomic_load_explicit(&read->partition->high, memory_order_acquire),
        .value = e == WEIR_OK ? r->found : weir_slice(NULL, 0)};
    struct mailbox *mailbox = &r->host->mailbox;
    uint32_t from = host_read_endpoint(r->host);
    size_t bytes = delivery_size(&d);
    void *room = mailbox_reserve(mailbox, MAIL_REPLY, from, read->origin.lane, bytes);
    if (!room) return false;
    delivery_store(&d, room);
    mailbox_commit(mailbox, MAIL_REPLY, from, read->origin.lane, bytes, MAIL_DELIVERY);
    return true;
}

static bool bring(struct read_agent *r, const struct mail_read *read, enum weir_error e) {
    struct mailbox *mailbox = &r->host->mailbox;
    uint32_t from = host_read_endpoint(r->host), to = host_writer(r->host, read->partition)->index;
    size_t size = e == WEIR_OK ? r->found.size : 0;
    struct mail_caught *caught = mailbox_reserve(mailbox, MAIL_REPLY, from, to, sizeof *caught + size);
    if (!caught) return false;
    *caught = (struct mail_caught){
        .offset = read->offset, .error = e, .tap = read->tap, .tap_number = read->tap_number, .size = (uint32_t)size};
    if (size) memcpy(caught + 1, r->found.data, size);
    mailbox_commit(mailbox, MAIL_REPLY, from, to, sizeof *caught + size, MAIL_CAUGHT);
    return true;
}

static enum weir_error look(struct read_agent *r, const struct mail_read *read) {
    uint32_t bytes = read->bytes_max < READ_BYTES_MAX ? read->bytes_max : READ_BYTES_MAX;
    size_t size = 0;
    r->found = weir_slice(r->buffer, 0);
    uint64_t high = atomic_load_explicit(&read->partition->high, memory_order_acquire);
    if (read->offset > high && read->offset <= log_partition_end(read->partition)) return WEIR_OK; /* not there yet */
    enum weir_error e = log_read(r->host->log, read->partition, read->offset, true, r->buffer, bytes, &size);
    if (e == WEIR_E_TOO_LARGE && size <= BUFFER_BYTES)
        e = log_read(r->host->log, read->partition, read->offset, true, r->buffer, BUFFER_BYTES, &size);
    if (e) return e;
    return unfold_batches(&r->unfold, weir_slice(r->buffer, size), read->offset, &r->found);
}

/* False: it must be tried again. *ret_wait: nothing there yet, and the reader has time. */
static bool serve(struct read_agent *r, struct mail_read *read, bool *ret_wait) {
    struct sys *sys = r->host->sys;
    bool draining = atomic_load_explicit(&r->host->phase, memory_order_acquire) >= HOST_DRAINING;
    enum weir_error e = look(r, read);
    bool nothing = e == WEIR_OK && r->found.size == 0;
    if (nothing && read->offset < read->partition->resumed) read->offset = read->partition->resumed;
    if (e == WEIR_E_OUT_OF_RANGE && !host_ready(r->host)) e = host_not_ready(read->partition);
    *ret_wait = nothing && !draining && sys->mono_ns(sys) < read->until_mono_ns;
    if (*ret_wait) return true;
    return read->is_tap ? bring(r, read, e) : answer(r, read, e);
}

static uint32_t serve_waiting(struct read_agent *r) {
    uint32_t work = 0, kept = 0;
    uint64_t now_ns = r->host->sys->mono_ns(r->host->sys);
    bool draining = atomic_load_explicit(&r->host->phase, memory_order_acquire) >= HOST_DRAINING;
    for (uint32_t i = 0; i < r->waiting_count; i++) {
        struct mail_read *read = &r->waiting[i];
        bool there = atomic_load_explicit(&read->partition->high, memory_order_acquire) > read->offset;
        bool wait = true;
        bool served = (there || draining || now_ns >= read->until_mono_ns) && serve(r, read, &wait) && !wait;
        if (served)
            work++;
        else
            r->waiting[kept++] = *read;
    }
    r->waiting_count = kept;
    return work;
}

static uint32_t serve_lane(struct read_agent *r, uint32_t lane) {
    struct mailbox *mailbox = &r->host->mailbox;
    uint32_t self = host_read_endpoint(r->host), tag, work = 0;
    struct weir_slice message;
    while (mailbox_peek(mailbox, MAIL_REQUEST, lane, self, &message, &tag)) {
        struct mail_read read;
        memcpy(&read, message.data, sizeof read);
        if (r->waiting_count == READS_WAITING_MAX) read.until_mono_ns = 0;
        bool wait;
        if (!serve(r, &read, &wait)) break;
        if (wait) r->waiting[r->waiting_count++] = read;
        mailbox_release(mailbox, MAIL_REQUEST, lane, self);
        work++;
    }
    return work;
}

static uint32_t work_once(void *self, uint64_t block_ns) {
    struct read_agent *r = self;
    struct sys *sys = r->host->sys;
    struct sys_poll_event event;
    uint64_t limit = r->waiting_count > WAKES_MAX ? LOOK_NS : r->waiting_count ? TIMEOUT_NS : IDLE_NS;
    sys->poller_wait(sys, r->poller, &event, 1, block_ns < limit ? block_ns : limit);
    uint32_t work = 0;
    for (uint32_t lane = 0; lane < r->host->lane_count; lane++)
        work += serve_lane(r, lane);
    if (r->waiting_count && r->waiting_count <= WAKES_MAX) log_wake_when_stored(r->host->log, r->poller);
    work += serve_waiting(r);
    mailbox_wake(&r->host->mailbox, host_read_endpoint(r->host));
    return work;
}

enum weir_error host_reader_open(struct host *host, struct read_agent *reader) {
    *reader = (struct read_agent){.host = host, .poller = -1, .agent = -1};
    enum weir_error e = host->sys->poller_open(host->sys, &reader->poller);
    if (e != WEIR_OK) return e;
    host->mailbox.pollers[host_read_endpoint(host)] = reader->poller;
    reader->memory_size = BUFFER_BYTES + READS_WAITING_MAX * sizeof(struct mail_read);
    e = unfold_open(&reader->unfold);
    if (e != WEIR_OK) return e;
    e = sys_memory_map(reader->memory_size, &reader->memory);
    if (e != WEIR_OK) {
        reader->memory = NULL;
        return e;
    }
    reader->buffer = reader->memory;
    reader->waiting = (struct mail_read *)(void *)(reader->buffer + BUFFER_BYTES);
    return WEIR_OK;
}

enum weir_error host_reader_start(struct read_agent *reader) {
    struct sys_agent agent = {.name = "weir-read", .do_work = work_once, .self = reader};
    return reader->host->sys->agent_start(reader->host->sys, &agent, reader->poller, &reader->agent);
}

void host_reader_stop(struct read_agent *reader) {
    if (reader->agent >= 0) reader->host->sys->agent_stop(reader->host->sys, reader->agent);
    reader->agent = -1;
}

void host_reader_close(struct read_agent *reader) {
    if (!reader || !reader->host) return;
    unfold_close(&reader->unfold);
    if (reader->poller >= 0) reader->host->sys->poller_close(reader->host->sys, reader->poller);
    if (reader->memory) sys_memory_unmap(reader->memory, reader->memory_size);
    reader->memory = NULL;
    reader->poller = -1;
}

enum weir_error host_read(struct host_lane *lane, const char *topic, uint32_t partition, uint64_t offset,
    uint32_t bytes_max, uint64_t wait_ns, struct host_origin origin) {
    struct log_topic *found = log_topic_find(lane->host->log, topic);
    if (!found || partition >= found->partition_count)
        return weir_error_context(WEIR_E_NOT_FOUND, "there is no topic %s with partition %u", topic, partition);
    uint32_t to = host_read_endpoint(lane->host);
    struct mail_read *mail = mailbox_reserve(&lane->host->mailbox, MAIL_REQUEST, lane->index, to, sizeof *mail);
    if (!mail) return weir_error_context(WEIR_E_FULL, "too many reads wait");
    *mail = (struct mail_read){.partition = found->partitions[partition],
        .offset = offset,
        .until_mono_ns = wait_ns ? lane->mono_ns + wait_ns : 0,
        .origin = origin,
        .bytes_max = bytes_max};
    mailbox_commit(&lane->host->mailbox, MAIL_REQUEST, lane->index, to, sizeof *mail, MAIL_READ);
    return WEIR_OK;
}
