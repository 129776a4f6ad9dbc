/* Followers of the WebSocket tail. Each record once, in order, from where it was asked for; after a cut they go on
 * where they were. Some read slowly, some never. See topics.h. */
#include "sim/topics.h"

#include "base/json.h"
#include "wire/ws.h"

#include <stdlib.h>

#define BUFFER_SIZE CLIENT_BYTES_MAX
#define FROM_NOW    UINT64_MAX
#define KEY         "AAAAAAAAAAAAAAAAAAAAAA=="
#define ULL(x)      ((unsigned long long)(x))

enum manners { MANNERS_GOOD, MANNERS_SLOW, MANNERS_SILENT /* never reads */ };
struct topics_tail {
    int connection; /* -1: none */
    bool upgraded;
    enum manners manners;
    struct weir_ws_stream stream;
    uint8_t *in;
    size_t in_size;
    uint32_t topic, changes, incarnation;
    uint32_t partition;                  /* of the one followed; TOPIC_PARTITIONS_MAX: all */
    uint64_t next[TOPIC_PARTITIONS_MAX]; /* due; FROM_NOW: whatever comes first */
};

void topics_tails_open(struct topics *t) {
    t->tails = calloc(TOPICS_TAILS_MAX, sizeof *t->tails);
    WEIR_ASSERT(t->tails != NULL);
    for (uint32_t i = 0; i < t->tail_count; i++) {
        t->tails[i].connection = -1;
        t->tails[i].in = malloc(BUFFER_SIZE);
        WEIR_ASSERT(t->tails[i].in != NULL);
    }
}

static void hang_up(struct topics *t, struct topics_tail *tail) {
    if (tail->connection >= 0) sys_sim_client_close(t->sim->sys, tail->connection);
    tail->connection = -1;
}

void topics_tails_hang_up(struct topics *t) {
    for (uint32_t i = 0; i < t->tail_count; i++)
        hang_up(t, &t->tails[i]);
}

void topics_tails_close(struct topics *t) {
    for (uint32_t i = 0; i < t->tail_count; i++) {
        hang_up(t, &t->tails[i]);
        free(t->tails[i].in);
    }
    free(t->tails);
}

/* ---- asking -------------------------------------------------------------------------------------------------- */
/* What it follows from now on: where it was cut, or something new. */
static bool choose(struct topics *t, struct topics_tail *tail) {
    const struct sim_topic *topic = &t->topics[tail->topic];
    bool goes_on = tail->incarnation != 0 && tail->incarnation == topic->incarnation &&
                   tail->partition < topic->partitions && sim_percent(t->sim, 70);
    if (goes_on && topic->state == TOPIC_THERE) {
        if (tail->next[tail->partition] < topic->start[tail->partition])
            tail->next[tail->partition] = topic->start[tail->partition];
    } else {
        tail->topic = sim_pick(t->sim, t->topic_count);
        topic = &t->topics[tail->topic];
        bool all = sim_percent(t->sim, 25);
        tail->partition = all ? TOPIC_PARTITIONS_MAX : sim_pick(t->sim, topic->partitions);
        for (uint32_t k = 0; k < topic->partitions; k++)
            tail->next[k] = all || sim_percent(t->sim, 30) ? FROM_NOW : topic->start[k];
    }
    tail->changes = topic->changes;
    tail->incarnation = topic->incarnation;
    return topic->state == TOPIC_THERE;
}

static void connect_to(struct topics *t, struct topics_tail *tail) {
    char request[320], partition[32] = "", from[40] = "";
    if (!choose(t, tail) || sys_sim_connect(t->sim->sys, NODE_PORT, &tail->connection) != WEIR_OK) {
        tail->connection = -1;
        return;
    }
    if (tail->partition < TOPIC_PARTITIONS_MAX) {
        snprintf(partition, sizeof partition, "partition=%u&", tail->partition);
        if (tail->next[tail->partition] != FROM_NOW)
            snprintf(from, sizeof from, "from=%llu", ULL(tail->next[tail->partition]));
    }
    if (sim_percent(t->sim, 2)) snprintf(from, sizeof from, "from=%s", sim_percent(t->sim, 50) ? "x" : "99999999");
    int size = snprintf(request, sizeof request,
        "GET /v1/topics/%s/tail?%s%s HTTP/1.1\r\nHost: sim\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n\r\n",
        t->topics[tail->topic].name, partition, from);
    struct weir_ws_limits limits = {.message_bytes_max = BUFFER_SIZE - 256, .fragments_max = 1};
    weir_ws_stream_init(&tail->stream, WEIR_WS_CLIENT, &limits);
    tail->upgraded = false;
    tail->in_size = 0;
    uint32_t dice = sim_pick(t->sim, 10);
    tail->manners = dice == 0 ? MANNERS_SILENT : dice < 3 ? MANNERS_SLOW : MANNERS_GOOD;
    if (sys_sim_client_send(t->sim->sys, tail->connection, weir_slice(request, (size_t)size)) != WEIR_OK)
        hang_up(t, tail);
    t->sim->tally.requests++;
}

/* A tail is not talked to, and doesn't mind. */
static void say_something(struct topics *t, struct topics_tail *tail) {
    static const uint8_t mask[4] = {1, 2, 3, 4};
    static const enum weir_ws_opcode opcodes[] = {WEIR_WS_PING, WEIR_WS_PONG, WEIR_WS_TEXT, WEIR_WS_CLOSE};
    uint8_t frame[64];
    size_t size = 0;
    enum weir_ws_opcode opcode = opcodes[sim_pick(t->sim, 4)];
    struct weir_slice payload = opcode == WEIR_WS_CLOSE ? weir_slice(NULL, 0) : weir_slice_text("well?");
    enum weir_error e = weir_ws_frame_write(frame, sizeof frame, opcode, true, payload, mask, &size);
    WEIR_ASSERT(e == WEIR_OK);
    if (sys_sim_client_send(t->sim->sys, tail->connection, weir_slice(frame, size)) != WEIR_OK) hang_up(t, tail);
}

/* ---- hearing ------------------------------------------------------------------------------------------------- */
static void take_record(struct topics *t, struct topics_tail *tail, uint32_t partition, uint64_t offset, uint64_t n) {
    const struct sim_topic *topic = &t->topics[tail->topic];
    uint64_t *next = &tail->next[partition];
    if (*next != FROM_NOW && offset != *next)
        sim_fail(t->sim, "a follower of %s-%u is given offset %llu; due is %llu", topic->name, partition, ULL(offset),
            ULL(*next));
    *next = offset + 1;
    if (!t->sim->failed) topics_saw(t, tail->topic, partition, offset, n);
}

/* {"partition": N, "record": {...}} or {"partition": N, "live": true} */
static bool take_message(struct topics *t, struct topics_tail *tail, struct weir_slice text) {
    struct json_reader json = json_reader(text, 0);
    uint64_t partition = UINT64_MAX, offset = 0, n = 0;
    bool good = json_next(&json) == JSON_OBJECT_OPEN, has_record = false;
    while (good && json_next(&json) == JSON_KEY) {
        if (json_text_is(&json, "partition")) {
            good = ((void)json_next(&json), json_get_u64(&json, &partition));
        } else if (json_text_is(&json, "record")) {
            (void)json_next(&json);
            good = has_record = topics_parse_record(t, &json, &offset, &n);
        } else {
            good = json_skip_value(&json);
        }
    }
    if (!good || json.token != JSON_OBJECT_CLOSE || partition >= t->topics[tail->topic].partitions) return false;
    if (has_record) take_record(t, tail, (uint32_t)partition, offset, n);
    return true;
}

static void drop(struct topics_tail *tail, size_t size) {
    memmove(tail->in, tail->in + size, tail->in_size - size);
    tail->in_size -= size;
}

/* The answer to the handshake. False: not yet, or refused. */
static bool take_head(struct topics *t, struct topics_tail *tail) {
    const uint8_t *end = memmem(tail->in, tail->in_size, "\r\n\r\n", 4);
    if (!end) return false;
    if (memcmp(tail->in, "HTTP/1.1 101", 12) != 0) {
        hang_up(t, tail);
        return false;
    }
    tail->upgraded = true;
    t->sim->tally.answered++;
    drop(tail, (size_t)(end - tail->in) + 4);
    return true;
}

static void take_frames(struct topics *t, struct topics_tail *tail) {
    while (tail->connection >= 0 && !t->sim->failed) {
        struct weir_ws_message message;
        size_t consumed = 0;
        enum weir_ws_event event = weir_ws_stream_feed(&tail->stream, tail->in, &tail->in_size, &consumed, &message);
        if (event == WEIR_WS_EVENT_MORE) return;
        if (event == WEIR_WS_EVENT_ERROR)
            sim_fail(t->sim, "a follower is sent what is no WebSocket frame: %s", message.reason);
        if (event == WEIR_WS_EVENT_ERROR || event == WEIR_WS_EVENT_CLOSE) {
            hang_up(t, tail);
            return;
        }
        if (event == WEIR_WS_EVENT_MESSAGE && !take_message(t, tail, message.payload) && !t->sim->failed)
            sim_fail(t->sim, "a follower of %s is given what nobody sent: %.*s", t->topics[tail->topic].name,
                (int)message.payload.size, message.payload.data);
        drop(tail, consumed);
    }
}

static void receive(struct topics *t, struct topics_tail *tail) {
    size_t room = BUFFER_SIZE - tail->in_size;
    if (tail->manners == MANNERS_SILENT || (tail->manners == MANNERS_SLOW && !sim_percent(t->sim, 20))) return;
    if (tail->manners == MANNERS_SLOW && room > 300) room = 300;
    tail->in_size += sys_sim_client_receive(t->sim->sys, tail->connection, tail->in + tail->in_size, room);
    if (tail->upgraded || take_head(t, tail)) take_frames(t, tail);
}

void topics_tails_step(struct topics *t, bool calm) {
    for (uint32_t i = 0; i < t->tail_count; i++) {
        struct topics_tail *tail = &t->tails[i];
        if (tail->connection < 0) {
            if (!calm && sim_percent(t->sim, 20)) connect_to(t, tail);
            continue;
        }
        /* When its topic is deleted a tail goes silent; what it hears may be of this incarnation or the next. */
        bool same = t->topics[tail->topic].incarnation == tail->incarnation;
        if (!same || calm || sys_sim_client_closed(t->sim->sys, tail->connection) || sim_pick(t->sim, 300) == 0) {
            hang_up(t, tail);
            continue;
        }
        if (sim_pick(t->sim, 40) == 0) say_something(t, tail);
        if (tail->connection >= 0) receive(t, tail);
    }
}
