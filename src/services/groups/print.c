/* Records and state as JSON: for `weir topic read groups.commands`, tails, dumps, the console. */
#include "groups/groups.h"

#include "base/bytes.h"
#include "base/json.h"

/* ---- records ---- */

/* The record's value as weir/service.h lays it out. False: it is not such a value. */
bool groups_read_request(struct weir_slice v, struct weir_kafka_request *ret) {
    if (v.size < WEIR_KAFKA_HEAD_BYTES) return false;
    size_t client = load_le16(v.data + 2), peer = load_le16(v.data + 4);
    if (v.size < WEIR_KAFKA_HEAD_BYTES + client + peer) return false;
    const uint8_t *at = v.data + WEIR_KAFKA_HEAD_BYTES;
    ret->version = (int16_t)load_le16(v.data);
    ret->client_id = weir_slice(at, client);
    ret->peer = weir_slice(at + client, peer);
    ret->body = weir_slice(at + client + peer, v.size - WEIR_KAFKA_HEAD_BYTES - client - peer);
    return true;
}

#define SHOWN_MAX 256u /* of a text; each byte takes at most six in JSON */

static void write_text(struct json_writer *w, const char *key, struct weir_slice text) {
    if (text.size > SHOWN_MAX) text.size = SHOWN_MAX;
    json_put_slice(w, key, text);
}

size_t groups_print(struct weir_slice value, char *buf, size_t size) {
    char room[4 * 1024];
    struct text_builder out = TEXT_BUILDER(room);
    struct json_writer w = json_writer(&out, 0);
    struct weir_kafka_request request;
    json_write_object_open(&w);
    if (groups_read_request(value, &request)) {
        json_put_i64(&w, "version", request.version);
        write_text(&w, "client", request.client_id);
        write_text(&w, "address", request.peer);
        json_put_i64(&w, "bodyBytes", (int64_t)request.body.size);
    }
    json_write_object_close(&w);
    if (size > 0) {
        size_t n = out.size < size - 1 ? out.size : size - 1;
        memcpy(buf, room, n);
        buf[n] = 0;
    }
    return out.size;
}

/* ---- the state ---- */
struct dumper {
    const struct groups *g;
    struct weir_sink *sink;
    enum weir_error error;
    char room[8192];
    struct text_builder out;
};

static void flush(struct dumper *d) {
    if (!d->error) d->error = weir_sink_put(d->sink, d->out.data, d->out.size);
    text_clear(&d->out);
}

static void write_blob(const struct dumper *d, struct json_writer *w, const char *key, struct blob blob) {
    uint8_t bytes[GROUPS_ID_MAX + GROUPS_CLIENT_MAX];
    WEIR_ASSERT(blob.size <= sizeof bytes); /* of names and ids */
    blob_copy(d->g, blob, bytes);
    write_text(w, key, weir_slice(bytes, blob.size));
}

/* One object of a list, after a comma unless it is the first. */
static struct json_writer begin(struct dumper *d, bool first) {
    if (!first) text_add(&d->out, ",");
    struct json_writer w = json_writer(&d->out, 0);
    json_write_object_open(&w);
    return w;
}

static void dump_member(struct dumper *d, const struct member *member, bool first) {
    static const char *const waits[] = {"nothing", "join", "sync"};
    struct json_writer w = begin(d, first);
    write_blob(d, &w, "id", member->id);
    write_blob(d, &w, "instance", member->instance);
    write_blob(d, &w, "client", member->client);
    write_blob(d, &w, "address", member->host);
    json_put_text(&w, "waitsFor", waits[member->waits]);
    json_put_bool(&w, "leader", member->leader);
    json_put_bool(&w, "pending", member->pending);
    json_put_i64(&w, "assignmentBytes", member->assignment.size);
    json_write_object_close(&w);
    flush(d);
}

static void dump_offset(struct dumper *d, const struct offset *o, bool first) {
    struct json_writer w = begin(d, first);
    write_blob(d, &w, "topic", o->topic);
    json_put_i64(&w, "partition", o->partition);
    json_put_i64(&w, "offset", o->offset);
    json_put_i64(&w, "leaderEpoch", o->leader_epoch);
    json_write_object_close(&w);
    flush(d);
}

static void dump_group(struct dumper *d, const struct group *group, bool first) {
    struct json_writer w = begin(d, first);
    write_blob(d, &w, "group", group->name);
    write_text(&w, "state", groups_state_name(group));
    json_put_i64(&w, "generation", group->generation);
    write_blob(d, &w, "protocolType", group->type);
    write_blob(d, &w, "protocol", group->protocol);
    text_add(&d->out, ",\"members\":[");
    flush(d);
    bool first_item = true;
    MEMBERS_EACH(d->g, group, member) {
        dump_member(d, member, first_item);
        first_item = false;
    }
    text_add(&d->out, "],\"offsets\":[");
    first_item = true;
    OFFSETS_EACH(d->g, group, o) {
        dump_offset(d, o, first_item);
        first_item = false;
    }
    text_add(&d->out, "]}");
    flush(d);
}

enum weir_error groups_dump(const void *state, struct weir_sink *text) {
    struct dumper d = {.g = state, .sink = text};
    d.out = text_builder(d.room, sizeof d.room);
    text_add(&d.out, "{\"groups\":[");
    bool first = true;
    GROUPS_EACH(d.g, group) {
        dump_group(&d, group, first);
        first = false;
    }
    text_add(&d.out, "]}\n");
    flush(&d);
    return d.error;
}
