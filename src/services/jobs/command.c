#include "jobs/command.h"

/* ---- reading ---- */
/* The next `size` bytes of what is left of an entry. */
static struct weir_slice take(struct weir_slice *rest, size_t size) {
    struct weir_slice taken = weir_slice(rest->data, size);
    *rest = weir_slice(rest->data + size, rest->size - size);
    return taken;
}

/* The entry at *at whose fixed part is head_size bytes long and begins with its size. */
static bool entry_at(struct weir_slice value, size_t at, size_t size_at, size_t head_size, struct weir_slice *ret) {
    uint32_t size;
    if (at > value.size || value.size - at < head_size) return false;
    memcpy(&size, value.data + at + size_at, sizeof size);
    if (size < head_size || size % 8 != 0 || size > value.size - at) return false;
    *ret = weir_slice(value.data + at, size);
    return true;
}

static bool new_fits(const struct jobs_new *h) {
    size_t sum = sizeof *h + h->queue_size + h->type_size + h->tenant_size + h->jid_size + h->unique_size +
                 h->tags_size + (size_t)h->payload_size + h->then_size + h->url_size;
    return h->queue_size > 0 && h->queue_size <= JOBS_NAME_MAX && h->type_size > 0 && h->type_size <= JOBS_NAME_MAX &&
           h->tenant_size <= JOBS_TENANT_MAX && h->jid_size <= JOBS_JID_MAX && h->unique_size <= JOBS_UNIQUE_MAX &&
           h->tags_size <= JOBS_TAGS_MAX && h->payload_size <= JOBS_PAYLOAD_MAX && h->then_size <= JOBS_PAYLOAD_MAX &&
           h->then_size % 8 == 0 && h->url_size <= JOBS_URL_MAX && h->priority <= JOBS_PRIORITY_MAX &&
           h->backoff <= JOBS_BACKOFF_FAKTORY && h->unique_until <= JOBS_UNIQUE_TIME && JOBS_ALIGN(sum) == h->size;
}

bool jobs_new_next(struct weir_slice value, size_t *at, struct jobs_new_view *ret) {
    struct weir_slice rest;
    struct jobs_new *h = &ret->head;
    if (!entry_at(value, *at, offsetof(struct jobs_new, size), sizeof *h, &rest)) return false;
    memcpy(h, take(&rest, sizeof *h).data, sizeof *h);
    if (!new_fits(h)) return false;
    ret->queue = take(&rest, h->queue_size);
    ret->type = take(&rest, h->type_size);
    ret->tenant = take(&rest, h->tenant_size);
    ret->jid = take(&rest, h->jid_size);
    ret->unique = take(&rest, h->unique_size);
    ret->tags = take(&rest, h->tags_size);
    ret->payload = take(&rest, h->payload_size);
    ret->then = take(&rest, h->then_size);
    ret->url = take(&rest, h->url_size);
    *at += h->size;
    return true;
}

bool jobs_fetch_read(struct weir_slice value, struct jobs_fetch_view *ret) {
    struct jobs_fetch *h = &ret->head;
    if (value.size < sizeof *h) return false;
    memcpy(h, take(&value, sizeof *h).data, sizeof *h);
    if (h->worker_size > JOBS_NAME_MAX || h->worker_size > value.size || h->queue_count < 1 ||
        h->queue_count > JOBS_QUEUES_MAX || h->max < 1 || h->max > JOBS_ENTRIES_MAX || h->wait_ms > JOBS_WAIT_MS_MAX)
        return false;
    ret->worker = take(&value, h->worker_size);
    for (uint32_t i = 0; i < h->queue_count; i++) {
        if (value.size < 1) return false;
        uint8_t size = take(&value, 1).data[0];
        if (size < 1 || size > JOBS_NAME_MAX || size > value.size) return false;
        ret->queues[i] = take(&value, size);
    }
    return value.size == 0;
}

bool jobs_report_next(struct weir_slice value, size_t *at, struct jobs_report_view *ret) {
    struct weir_slice rest;
    struct jobs_report *h = &ret->head;
    if (!entry_at(value, *at, offsetof(struct jobs_report, size), sizeof *h, &rest)) return false;
    memcpy(h, take(&rest, sizeof *h).data, sizeof *h);
    size_t sum = sizeof *h + h->jid_size + h->error_size + h->message_size + (size_t)h->result_size + h->worker_size;
    if (h->jid_size > JOBS_JID_MAX || h->error_size > JOBS_ERROR_MAX || h->message_size > JOBS_MESSAGE_MAX ||
        h->result_size > JOBS_RESULT_MAX || h->worker_size > JOBS_NAME_MAX || h->progress > 101 ||
        JOBS_ALIGN(sum) != h->size)
        return false;
    ret->jid = take(&rest, h->jid_size);
    ret->error = take(&rest, h->error_size);
    ret->message = take(&rest, h->message_size);
    ret->result = take(&rest, h->result_size);
    ret->worker = take(&rest, h->worker_size);
    *at += h->size;
    return true;
}

bool jobs_schedule_read(struct weir_slice value, struct jobs_schedule_view *ret) {
    struct jobs_schedule_order *h = &ret->head;
    if (value.size < sizeof *h) return false;
    memcpy(h, take(&value, sizeof *h).data, sizeof *h);
    size_t sum = (size_t)h->name_size + h->cron_size + h->zone_name_size + h->zone_size + h->job_size;
    if (h->name_size < 1 || h->name_size > JOBS_NAME_MAX || h->cron_size > JOBS_CRON_MAX ||
        h->zone_name_size > JOBS_NAME_MAX || h->job_size > JOBS_PAYLOAD_MAX || h->action < JOBS_SCHEDULE_PUT ||
        h->action > JOBS_SCHEDULE_RUN || h->catch_up > JOBS_CATCH_UP_NONE || sum != value.size)
        return false;
    ret->name = take(&value, h->name_size);
    ret->cron = take(&value, h->cron_size);
    ret->zone_name = take(&value, h->zone_name_size);
    ret->zone = take(&value, h->zone_size);
    ret->job = take(&value, h->job_size);
    return true;
}

bool jobs_batch_read(struct weir_slice value, struct jobs_batch_view *ret) {
    struct jobs_batch_order *h = &ret->head;
    if (value.size < sizeof *h) return false;
    memcpy(h, take(&value, sizeof *h).data, sizeof *h);
    size_t sum = (size_t)h->description_size + h->success_size + h->complete_size;
    if (h->action < JOBS_BATCH_NEW || h->action > JOBS_BATCH_OPEN || h->description_size > JOBS_DESCRIPTION_MAX ||
        h->success_size > JOBS_PAYLOAD_MAX || h->complete_size > JOBS_PAYLOAD_MAX || sum != value.size)
        return false;
    ret->description = take(&value, h->description_size);
    ret->success = take(&value, h->success_size);
    ret->complete = take(&value, h->complete_size);
    return true;
}

bool jobs_leased_next(struct weir_slice value, size_t *at, struct jobs_leased_view *ret) {
    struct weir_slice rest;
    struct jobs_leased *h = &ret->head;
    if (!entry_at(value, *at, offsetof(struct jobs_leased, size), sizeof *h, &rest)) return false;
    memcpy(h, take(&rest, sizeof *h).data, sizeof *h);
    size_t sum = sizeof *h + h->queue_size + h->type_size + h->tenant_size + h->jid_size + h->tags_size +
                 (size_t)h->payload_size + h->error_size + h->message_size;
    if (JOBS_ALIGN(sum) != h->size) return false;
    ret->queue = take(&rest, h->queue_size);
    ret->type = take(&rest, h->type_size);
    ret->tenant = take(&rest, h->tenant_size);
    ret->jid = take(&rest, h->jid_size);
    ret->tags = take(&rest, h->tags_size);
    ret->payload = take(&rest, h->payload_size);
    ret->error = take(&rest, h->error_size);
    ret->message = take(&rest, h->message_size);
    *at += h->size;
    return true;
}

/* ---- writing ---- */
static uint8_t *put(uint8_t *at, const void *data, size_t size) {
    if (size) memcpy(at, data, size);
    return at + size;
}

static uint8_t *put_slice(uint8_t *at, struct weir_slice bytes) {
    return put(at, bytes.data, bytes.size);
}

static void pad(uint8_t *from, uint8_t *at) {
    while ((at - from) % 8 != 0)
        *at++ = 0;
}

size_t jobs_new_write(const struct jobs_new_view *v, uint8_t *at) {
    struct jobs_new h = v->head;
    size_t size = JOBS_ALIGN(sizeof h + v->queue.size + v->type.size + v->tenant.size + v->jid.size + v->unique.size +
                             v->tags.size + v->payload.size + v->then.size + v->url.size);
    if (!at) return size;
    h.size = (uint32_t)size;
    h.payload_size = (uint32_t)v->payload.size;
    h.then_size = (uint32_t)v->then.size;
    h.tags_size = (uint16_t)v->tags.size;
    h.queue_size = (uint8_t)v->queue.size;
    h.type_size = (uint8_t)v->type.size;
    h.tenant_size = (uint8_t)v->tenant.size;
    h.jid_size = (uint8_t)v->jid.size;
    h.unique_size = (uint8_t)v->unique.size;
    h.url_size = (uint16_t)v->url.size;
    const struct weir_slice parts[] = {
        v->queue, v->type, v->tenant, v->jid, v->unique, v->tags, v->payload, v->then, v->url};
    uint8_t *to = put(at, &h, sizeof h);
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(parts); i++)
        to = put_slice(to, parts[i]);
    pad(at, to);
    return size;
}

size_t jobs_fetch_write(const struct jobs_fetch_view *v, uint8_t *at) {
    struct jobs_fetch h = v->head;
    size_t size = sizeof h + v->worker.size;
    for (uint32_t i = 0; i < h.queue_count; i++)
        size += 1 + v->queues[i].size;
    if (!at) return size;
    h.worker_size = (uint8_t)v->worker.size;
    at = put_slice(put(at, &h, sizeof h), v->worker);
    for (uint32_t i = 0; i < h.queue_count; i++) {
        *at++ = (uint8_t)v->queues[i].size;
        at = put_slice(at, v->queues[i]);
    }
    return size;
}

size_t jobs_report_write(const struct jobs_report_view *v, uint8_t *at) {
    struct jobs_report h = v->head;
    size_t size =
        JOBS_ALIGN(sizeof h + v->jid.size + v->error.size + v->message.size + v->result.size + v->worker.size);
    if (!at) return size;
    h.size = (uint32_t)size;
    h.jid_size = (uint8_t)v->jid.size;
    h.error_size = (uint16_t)v->error.size;
    h.message_size = (uint16_t)v->message.size;
    h.result_size = (uint32_t)v->result.size;
    h.worker_size = (uint8_t)v->worker.size;
    uint8_t *to = put(at, &h, sizeof h);
    to = put_slice(put_slice(put_slice(put_slice(to, v->jid), v->error), v->message), v->result);
    to = put_slice(to, v->worker);
    pad(at, to);
    return size;
}

/* ---- ids ---- */
void jobs_id_print(uint64_t id, char ret_text[JOBS_ID_SIZE + 1]) {
    for (uint32_t i = JOBS_ID_SIZE; i-- > 0; id >>= 4)
        ret_text[i] = "0123456789abcdef"[id & 15];
    ret_text[JOBS_ID_SIZE] = 0;
}

bool jobs_id_parse(struct weir_slice text, uint64_t *ret_id) {
    uint64_t id = 0;
    if (text.size != JOBS_ID_SIZE) return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
        if (!digit && !letter) return false;
        id = id << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
    }
    *ret_id = id;
    return id != 0;
}
