/* Any text as a request of the live view: read, or refused with a sentence whose answer is whole JSON. Any bytes as an
 * event that it is to show: whole JSON, or nothing. Covers: live.c. */
#include "jobs/live.h"

#include "base/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(const char *text, size_t size) {
    struct json_reader r = json_reader(weir_slice(text, size), 0);
    if (!json_skip_value(&r)) abort();
}

/* The bytes as the head of an event and, said over and over, as what is behind it. */
static void write_event(const struct live_request *wanted, const uint8_t *data, size_t size) {
    static uint8_t value[sizeof(struct jobs_event) + 8192];
    static char text[LIVE_MESSAGE_MAX];
    struct jobs_event e = {.transition = JOBS_FAILED, .state = JOBS_RETRY};
    if (size == 0) return;
    e.job = wanted->job ? wanted->job : data[0];
    e.queue_size = wanted->queue_size;
    e.type_size = wanted->type_size;
    e.error_size = data[size - 1] % JOBS_ERROR_MAX;
    e.result_size = (uint16_t)(data[size / 2] * 16u);
    e.message_size = (uint16_t)(data[0] * 3u);
    memcpy(value, &e, sizeof e);
    size_t at = sizeof e,
           end = sizeof e + (size_t)e.queue_size + e.type_size + e.error_size + e.message_size + e.result_size;
    memcpy(value + at, wanted->queue, e.queue_size);
    at += e.queue_size;
    memcpy(value + at, wanted->type, e.type_size);
    for (at += e.type_size; at < end; at++)
        value[at] = data[at % size];
    struct weir_record record = {.offset = size, .value = weir_slice(value, end)};
    size_t written = live_event_write(wanted, 3, &record, text, sizeof text);
    if (written == 0 || written >= sizeof text) abort(); /* it is one of those that are wanted */
    check_json(text, written);
    struct live_request other = *wanted;
    other.job = e.job + 1;
    if (live_event_write(&other, 3, &record, text, sizeof text)) abort();
    record.value = weir_slice(data, size);
    written = live_event_write(wanted, 3, &record, text, sizeof text);
    if (written) check_json(text, written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct live_request r;
    const char *error = NULL;
    char text[1024];
    bool good = live_request_read(weir_slice(data, size), &r, &error);
    if (good == (error != NULL) || (good && r.op == LIVE_NONE)) abort();
    size_t written = good ? live_note_write("live", r.partition, text, sizeof text)
                          : live_error_write("INVALID", error, text, sizeof text);
    check_json(text, written);
    write_event(&r, data, size);
    return 0;
}
