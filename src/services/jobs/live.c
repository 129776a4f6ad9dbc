#include "jobs/live.h"

#include "base/json.h"

/* ---- requests ---- */
static bool read_text(const struct json_reader *r, char *ret, uint8_t *ret_size) {
    char text[JOBS_NAME_MAX * 6]; /* all of it escaped */
    if (r->token != JSON_STRING || r->text.size > sizeof text) return false;
    size_t size = json_text_decode(r, text);
    if (size > JOBS_NAME_MAX) return false;
    memcpy(ret, text, size);
    *ret_size = (uint8_t)size;
    return true;
}

static bool read_op(const struct json_reader *r, struct live_request *ret) {
    if (r->token != JSON_STRING) return false;
    if (json_text_is(r, "subscribe")) ret->op = LIVE_SUBSCRIBE;
    if (json_text_is(r, "unsubscribe")) ret->op = LIVE_UNSUBSCRIBE;
    return ret->op != LIVE_NONE;
}

static bool read_job(const struct json_reader *r, struct live_request *ret) {
    char text[JOBS_NAME_MAX];
    uint8_t size;
    return read_text(r, text, &size) && jobs_id_parse(weir_slice(text, size), &ret->job);
}

static bool read_partition(const struct json_reader *r, struct live_request *ret) {
    uint64_t number;
    if (!json_get_u64(r, &number) || number >= LIVE_PARTITIONS_ALL) return false;
    ret->partition = (uint32_t)number;
    return true;
}

/* The sentence that says what is wrong with the field whose key the reader is at; NULL: nothing. */
static const char *read_field(struct json_reader *r, struct live_request *ret) {
    struct json_reader key = *r;
    json_next(r);
    if (json_text_is(&key, "op")) return read_op(r, ret) ? NULL : "op: subscribe or unsubscribe";
    if (json_text_is(&key, "queue")) return read_text(r, ret->queue, &ret->queue_size) ? NULL : "queue: a name";
    if (json_text_is(&key, "type")) return read_text(r, ret->type, &ret->type_size) ? NULL : "type: a name";
    if (json_text_is(&key, "job")) return read_job(r, ret) ? NULL : "job: an id, 16 hexadecimal digits";
    if (json_text_is(&key, "partition")) return read_partition(r, ret) ? NULL : "partition: a number";
    if (json_text_is(&key, "offset")) return json_get_u64(r, &ret->offset) ? NULL : "offset: a number";
    return "the fields are op, queue, type, job, partition and offset";
}

bool live_request_read(struct weir_slice text, struct live_request *ret, const char **ret_error) {
    struct json_reader r = json_reader(text, 1);
    const char *error = NULL;
    *ret = (struct live_request){.partition = LIVE_PARTITIONS_ALL, .offset = UINT64_MAX};
    if (json_next(&r) != JSON_OBJECT_OPEN) error = "a request is a JSON object";
    while (!error && json_next(&r) == JSON_KEY)
        error = read_field(&r, ret);
    if (!error && (r.token != JSON_OBJECT_CLOSE || json_next(&r) != JSON_END)) error = "this is no JSON";
    if (!error && ret->op == LIVE_NONE) error = "op: subscribe or unsubscribe";
    if (error) *ret_error = error;
    return error == NULL;
}

/* ---- messages ---- */
static bool is_wanted(const struct live_request *w, const struct jobs_event_view *v) {
    return (!w->job || w->job == v->head.job) &&
           (!w->queue_size || weir_slice_equal(v->queue, weir_slice(w->queue, w->queue_size))) &&
           (!w->type_size || weir_slice_equal(v->type, weir_slice(w->type, w->type_size)));
}

/* Its text without what a worker may have said at length. */
static size_t print_short(const struct jobs_event_view *v, struct weir_slice value, char *out, size_t size) {
    uint8_t bytes[sizeof v->head + 6 * 256 + JOBS_TAGS_MAX];
    struct jobs_event head = v->head;
    size_t left = value.size - head.message_size - head.result_size;
    if (left > sizeof bytes) return 0;
    head.message_size = head.result_size = 0;
    memcpy(bytes, value.data, left);
    memcpy(bytes, &head, sizeof head);
    return jobs_event_print(weir_slice(bytes, left), out, size);
}

#define EVENT_TEXT_MAX 16000u
size_t live_event_write(
    const struct live_request *wanted, uint32_t partition, const struct weir_record *record, char *out, size_t size) {
    struct jobs_event_view v;
    char event[EVENT_TEXT_MAX + 1];
    if (!jobs_event_read(record->value, &v) || !is_wanted(wanted, &v)) return 0;
    size_t event_size = jobs_event_print(record->value, event, sizeof event);
    if (event_size >= EVENT_TEXT_MAX) event_size = print_short(&v, record->value, event, sizeof event);
    if (event_size == 0 || event_size >= EVENT_TEXT_MAX) return 0;
    struct text_builder text = text_builder(out, size);
    struct json_writer w = json_writer(&text, 0);
    json_write_object_open(&w);
    json_put_text(&w, "say", "event");
    json_put_u64(&w, "partition", partition);
    json_put_u64(&w, "offset", record->offset);
    json_write_key(&w, "event");
    json_write_raw(&w, weir_slice(event, event_size));
    json_write_object_close(&w);
    return text.size;
}

size_t live_note_write(const char *say, uint32_t partition, char *out, size_t size) {
    struct text_builder text = text_builder(out, size);
    struct json_writer w = json_writer(&text, 0);
    json_write_object_open(&w);
    json_put_text(&w, "say", say);
    if (partition != LIVE_PARTITIONS_ALL) json_put_u64(&w, "partition", partition);
    json_write_object_close(&w);
    return text.size;
}

size_t live_error_write(const char *code, const char *sentence, char *out, size_t size) {
    struct text_builder text = text_builder(out, size);
    struct json_writer w = json_writer(&text, 0);
    json_write_object_open(&w);
    json_put_text(&w, "say", "error");
    json_put_text(&w, "code", code);
    json_put_text(&w, "sentence", sentence);
    json_write_object_close(&w);
    return text.size;
}
