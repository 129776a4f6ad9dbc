/* The feed over WebSocket: market data as a snapshot and then its increments without a gap, and order entry, in JSON.
 *
 * A subscription starts at the very point its snapshot was taken; every increment carries the sequence of its symbol
 * and channel, and its offset in the topic: a client that lost its connection asks for the offset after the last one it
 * saw and gets all it missed instead of a snapshot. Owner: the session's lane. Nothing is allocated. */
#include "exchange/feed.h"
#include <weir/gateway.h>

#define SUBSCRIPTIONS_MAX 64u

enum slot_state { SLOT_FREE, SLOT_ASKED, SLOT_OPEN };
struct slot {
    enum slot_state state;
    uint32_t request, channel, depth, partition;
    uint64_t offset; /* to resume from; UINT64_MAX: a snapshot instead */
    char symbol[EXCHANGE_NAME_SIZE + 1];
};
struct feed {
    struct slot slots[SUBSCRIPTIONS_MAX];
};

/* What a correlation is about, and the slot or the client's request number. */
enum { ABOUT_NUMBER = 1, ABOUT_SNAPSHOT, ABOUT_ORDER };
static uint64_t correlation_of(uint64_t about, uint32_t what) {
    return about << 32 | what;
}

static void say(struct weir_session *session, const char *text, size_t size) {
    if (size) (void)weir_session_send(session, weir_slice(text, size), true);
}

static void say_error(struct weir_session *session, uint32_t request, const char *code, const char *sentence) {
    char text[FEED_MESSAGE_MAX];
    say(session, text, feed_error_write(request, code, sentence, text, sizeof text));
}

static void say_failure(struct weir_session *session, uint32_t request, enum weir_error error) {
    const char *context = weir_error_text();
    say_error(session, request, weir_error_name(error), context[0] ? context : weir_error_sentence(error));
}

static void say_note(struct weir_session *session, const char *type, uint32_t request, const struct slot *slot) {
    char text[FEED_MESSAGE_MAX];
    say(session, text,
        feed_note_write(type, request, slot ? slot->channel : 0, slot ? slot->symbol : NULL, text, sizeof text));
}

static struct slot *find(struct feed *feed, uint32_t channel, const char *symbol) {
    for (uint32_t i = 0; i < SUBSCRIPTIONS_MAX; i++) {
        struct slot *slot = &feed->slots[i];
        if (slot->state != SLOT_FREE && slot->channel == channel && strcmp(slot->symbol, symbol) == 0) return slot;
    }
    return NULL;
}

static struct feed_question question_of(const struct slot *slot) {
    struct feed_question q = {.channel = slot->channel, .depth = slot->depth, .request = slot->request};
    memcpy(q.symbol, slot->symbol, EXCHANGE_NAME_SIZE);
    return q;
}

/* First the symbol's number is asked for: records are told apart by it. */
static void subscribe(struct weir_session *session, const struct feed_request *r) {
    struct feed *feed = weir_session_state(session);
    struct slot *slot = NULL;
    if (find(feed, r->channel, r->symbol)) {
        say_error(session, r->request, "EXISTS", "this channel and symbol are subscribed already");
        return;
    }
    for (uint32_t i = 0; i < SUBSCRIPTIONS_MAX && !slot; i++)
        if (feed->slots[i].state == SLOT_FREE) slot = &feed->slots[i];
    if (!slot || r->depth > FEED_DEPTH_MAX) {
        say_error(session, r->request, slot ? "INVALID" : "FULL",
            slot ? "depth is at most 1000 levels a side" : "a session has at most 64 subscriptions");
        return;
    }
    *slot = (struct slot){.state = SLOT_ASKED,
        .request = r->request,
        .channel = r->channel,
        .depth = r->depth ? (uint32_t)r->depth : FEED_DEPTH_INITIAL,
        .partition = exchange_partition(r->symbol, weir_session_partition_count(session)),
        .offset = r->offset};
    memcpy(slot->symbol, r->symbol, sizeof slot->symbol);
    struct feed_question q = question_of(slot);
    enum weir_error e = weir_session_query(session, slot->partition, feed_query_number, weir_slice(&q, sizeof q),
        correlation_of(ABOUT_NUMBER, (uint32_t)(slot - feed->slots)));
    if (e) {
        slot->state = SLOT_FREE;
        say_failure(session, r->request, e);
    }
}

static void open_slot(struct weir_session *session, struct slot *slot, uint64_t number) {
    struct feed *feed = weir_session_state(session);
    struct feed_question q = question_of(slot);
    uint32_t place = (uint32_t)(slot - feed->slots);
    struct weir_subscribe s = {
        .id = place, .topic = slot->channel, .partition = slot->partition, .key = number, .from = slot->offset};
    if (slot->offset == UINT64_MAX) {
        s.from = WEIR_FROM_NOW;
        s.query = feed_query_snapshot;
        s.packed = weir_slice(&q, sizeof q);
        s.correlation = correlation_of(ABOUT_SNAPSHOT, place);
    }
    enum weir_error e = weir_session_subscribe(session, &s);
    slot->state = e ? SLOT_FREE : SLOT_OPEN;
    if (e)
        say_failure(session, slot->request, e);
    else if (slot->offset != UINT64_MAX)
        say_note(session, "resumed", slot->request, slot);
}

static void unsubscribe(struct weir_session *session, const struct feed_request *r) {
    struct feed *feed = weir_session_state(session);
    struct slot *slot = find(feed, r->channel, r->symbol);
    if (!slot || slot->state != SLOT_OPEN) {
        say_error(session, r->request, "NOT_FOUND", "this channel and symbol are not subscribed");
        return;
    }
    weir_session_unsubscribe(session, (uint32_t)(slot - feed->slots));
    say_note(session, "unsubscribed", r->request, slot);
    slot->state = SLOT_FREE;
}

static void order(struct weir_session *session, struct feed_request *r) {
    uint32_t count = weir_session_partition_count(session);
    struct exchange_named_command named = {.command = r->command};
    uint32_t partition = (uint32_t)(r->public_id % count);
    if (r->op == FEED_ORDER) {
        memcpy(named.name, r->symbol, EXCHANGE_NAME_SIZE);
        partition = exchange_partition(r->symbol, count);
    } else {
        named.command.order_id = r->public_id / count;
    }
    struct weir_command command = {
        .partition = partition, .type = EXCHANGE_RECORD_REQUEST, .value = weir_slice(&named, sizeof named)};
    enum weir_error e = weir_session_command(session, &command, correlation_of(ABOUT_ORDER, r->request));
    if (e) say_failure(session, r->request, e);
}

static void on_bytes(struct weir_session *session, struct weir_slice bytes, bool text, size_t *ret_consumed) {
    struct feed_request r;
    const char *error = NULL;
    (void)text;
    *ret_consumed = bytes.size;
    if (!feed_request_read(bytes, &r, &error)) {
        say_error(session, r.request, "INVALID", error);
        return;
    }
    switch (r.op) {
    case FEED_SUBSCRIBE:
        subscribe(session, &r);
        break;
    case FEED_UNSUBSCRIBE:
        unsubscribe(session, &r);
        break;
    case FEED_PING:
        say_note(session, "pong", r.request, NULL);
        break;
    default:
        order(session, &r);
    }
}

static void on_reply(struct weir_session *session, uint64_t correlation, enum weir_error error, uint16_t status,
    struct weir_slice value) {
    char text[sizeof(struct exchange_reply) * 16 + EXCHANGE_REPLY_FILLS_MAX * 64];
    uint32_t request = (uint32_t)correlation;
    if (error)
        say_failure(session, request, error);
    else
        say(session, text, feed_reply_write(request, status, value, text, sizeof text));
}

static void on_answer(struct weir_session *session, uint64_t correlation, enum weir_error error, uint16_t status,
    struct weir_slice value) {
    struct feed *feed = weir_session_state(session);
    struct slot *slot = &feed->slots[(uint32_t)correlation % SUBSCRIPTIONS_MAX];
    uint64_t number = 0;
    (void)status;
    if (error) {
        if (error == WEIR_E_NOT_FOUND)
            say_error(session, slot->request, "NOT_FOUND", "there is no symbol of this name");
        else
            say_failure(session, slot->request, error);
        if (slot->state == SLOT_OPEN) weir_session_unsubscribe(session, (uint32_t)correlation);
        slot->state = SLOT_FREE;
        return;
    }
    if (correlation >> 32 == ABOUT_SNAPSHOT) {
        (void)weir_session_send(session, value, true);
        return;
    }
    if (value.size == sizeof number) memcpy(&number, value.data, sizeof number);
    if (slot->state == SLOT_ASKED) open_slot(session, slot, number);
}

static void on_record(struct weir_session *session, uint32_t subscription, const struct weir_record *record) {
    const struct feed *feed = weir_session_state(session);
    char text[FEED_MESSAGE_MAX];
    if (subscription < SUBSCRIPTIONS_MAX)
        say(session, text, feed_record_write(record, feed->slots[subscription].symbol, text, sizeof text));
}

static void on_live(struct weir_session *session, uint32_t subscription, enum weir_error error) {
    struct feed *feed = weir_session_state(session);
    struct slot *slot = &feed->slots[subscription % SUBSCRIPTIONS_MAX];
    if (error == WEIR_OK) {
        say_note(session, "live", slot->request, slot);
        return;
    }
    say_failure(session, slot->request, error);
    slot->state = SLOT_FREE;
}

const struct weir_protocol exchange_feed_protocol = {
    .name = "feed",
    .session_bytes = sizeof(struct feed),
    .receive_bytes_max = 4096,
    .send_bytes_max = 8u << 20,
    .idle_ns_max = 0,
    .on_bytes = on_bytes,
    .on_reply = on_reply,
    .on_answer = on_answer,
    .on_record = on_record,
    .on_live = on_live,
};
