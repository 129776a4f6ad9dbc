/* The OUCH order entry gateway: requests of SoupBinTCP sessions into commands, events into responses.
 *
 * The login's password is a token's (weir_session_login), its user name the account's number; its session is "P" and
 * the number of a partition, by default account modulo partitions. The engine numbers the events of every session, one
 * for each sequenced message, and the fold marks where in `exchange.events` they stand, so a client that comes back
 * with the sequence number it wants next gets all it missed, also after the node died. What concerns no event (a
 * malformed request, the next UserRefNum) goes as unsequenced data. Owner: the session's lane. Nothing is allocated. */
#include "exchange/ouch.h"
#include "wire/soupbin.h"
#include <stdio.h>
#include <weir/gateway.h>

#define NANOS_PER_MS UINT64_C(1000000)
#define CAPACITIES   1024u
#define PACKET_MAX   (WEIR_SOUPBIN_HEADER_SIZE + WEIR_OUCH_MESSAGE_SIZE_MAX)

enum phase { PHASE_LOGIN, PHASE_CONNECTING, PHASE_LIVE, PHASE_OVER };
enum correlation { ASKED_CONNECT = 1, ASKED_START, ASKED_RESUME, ASKED_NEXT_REF, ASKED_NOTHING };

struct ouch {
    enum phase phase;
    bool is_known; /* its password was accepted: a login that waits for room is not checked again */
    uint32_t account, partition;
    uint64_t wanted; /* sequence number asked for at login; 0: what is new */
    uint64_t next;   /* of the sequenced message to send next */
    uint64_t sent_ns;
    uint32_t queries;      /* Account Queries not asked yet */
    bool connected;        /* the engine knows of the session, or is about to */
    uint64_t connected_at; /* offset of the event that says so */
    struct capacity {
        uint32_t user_ref;
        char capacity;
    } capacities[CAPACITIES]; /* of the latest orders, for their replacements */
};

/* ---- what the gateway reads of the state ---- */
struct ouch_question {
    uint64_t account, wanted;
};
struct ouch_facts {
    uint64_t ref_last, events, offset; /* offset: where in exchange.events the wanted event, or one before it, stands */
};

static enum weir_error query_session(
    const void *state, const struct weir_request *request, struct weir_answer *answer) {
    struct ouch_question question;
    if (request->packed.size != sizeof question)
        return weir_error_context(WEIR_E_INVALID, "a session's question is malformed");
    memcpy(&question, request->packed.data, sizeof question);
    const struct exchange_fold *fold = state;
    struct exchange_session_view view = {0};
    (void)exchange_core_session(fold->core, (uint32_t)question.account, &view);
    struct ouch_facts facts = {.ref_last = view.ref_last, .events = view.events};
    facts.offset = exchange_fold_event_offset(fold, (uint32_t)question.account, question.wanted);
    void *room = weir_answer_room(answer, sizeof facts);
    if (!room) return weir_error_context(WEIR_E_NO_MEMORY, "no room for a session's facts");
    memcpy(room, &facts, sizeof facts);
    weir_answer_commit(answer, sizeof facts);
    return WEIR_OK;
}

/* ---- out ---- */
static void put_bytes(struct weir_session *session, const void *bytes, size_t size) {
    struct ouch *o = weir_session_state(session);
    o->sent_ns = weir_session_mono_ns(session);
    if (weir_session_send(session, weir_slice(bytes, size), false)) o->phase = PHASE_OVER;
}

static void send_packet(struct weir_session *session, enum weir_soupbin_type type) {
    uint8_t packet[WEIR_SOUPBIN_HEADER_SIZE];
    weir_soupbin_header(packet, type, 0);
    put_bytes(session, packet, sizeof packet);
}

static void send_response(
    struct weir_session *session, enum weir_soupbin_type type, const struct weir_ouch_response *r) {
    uint8_t packet[PACKET_MAX];
    size_t size = weir_ouch_response_encode(r, packet + WEIR_SOUPBIN_HEADER_SIZE);
    weir_soupbin_header(packet, type, size);
    put_bytes(session, packet, WEIR_SOUPBIN_HEADER_SIZE + size);
}

static void refuse_login(struct weir_session *session, char reason, const char *why) {
    struct ouch *o = weir_session_state(session);
    uint8_t packet[WEIR_SOUPBIN_LOGIN_REJECTED_SIZE];
    size_t size = 0;
    if (weir_soupbin_rejected_write(packet, sizeof packet, reason, &size) == WEIR_OK) put_bytes(session, packet, size);
    o->phase = PHASE_OVER;
    weir_session_close(session, why);
}

static void accept_login(struct weir_session *session, uint64_t sequence) {
    struct ouch *o = weir_session_state(session);
    char name[WEIR_SOUPBIN_SESSION_SIZE + 1];
    int length = snprintf(name, sizeof name, "P%u", o->partition);
    struct weir_soupbin_accepted accepted = {weir_slice(name, (size_t)length), sequence};
    uint8_t packet[WEIR_SOUPBIN_LOGIN_ACCEPTED_SIZE];
    size_t size = 0;
    if (weir_soupbin_accepted_write(packet, sizeof packet, &accepted, &size)) {
        refuse_login(session, WEIR_SOUPBIN_REJECT_SESSION, "no name for the session");
        return;
    }
    o->next = sequence;
    o->phase = PHASE_LIVE;
    put_bytes(session, packet, size);
    weir_session_wake_at(session, o->sent_ns + WEIR_SOUPBIN_HEARTBEAT_MS * NANOS_PER_MS);
}

/* A request that never became a command: said outside the sequence. */
static void refuse(struct weir_session *session, struct weir_slice message, uint16_t reason, const char *sentence) {
    struct weir_ouch_response r = {.type = WEIR_OUCH_R_REJECTED, .rejected = {.reason = reason}};
    weir_ouch_request_peek(message, &r.rejected.user_ref, r.rejected.client_id);
    r.options.present = WEIR_OUCH_HAS_TEXT;
    size_t size = strlen(sentence);
    r.options.text = weir_slice(sentence, size < WEIR_OUCH_TEXT_SIZE_MAX ? size : WEIR_OUCH_TEXT_SIZE_MAX);
    send_response(session, WEIR_SOUPBIN_UNSEQUENCED, &r);
}

/* ---- in ---- */
/* What the events of a request are to repeat. A replacement has no capacity of its own: the order's, if it is known. */
static bool echo_of(const struct ouch *o, const struct weir_ouch_request *r, struct exchange_echo *ret_echo) {
    if (r->type == WEIR_OUCH_ENTER) {
        *ret_echo = (struct exchange_echo){.capacity = r->enter.capacity, .time_in_force = r->enter.time_in_force};
        memcpy(ret_echo->client_id, r->enter.client_id, sizeof ret_echo->client_id);
        return true;
    }
    if (r->type != WEIR_OUCH_REPLACE) return false;
    const struct capacity *kept = &o->capacities[r->replace.orig_user_ref % CAPACITIES];
    bool is_known = kept->user_ref == r->replace.orig_user_ref && kept->capacity;
    *ret_echo =
        (struct exchange_echo){.capacity = is_known ? kept->capacity : 'O', .time_in_force = r->replace.time_in_force};
    memcpy(ret_echo->client_id, r->replace.client_id, sizeof ret_echo->client_id);
    return true;
}

static void keep(struct ouch *o, const struct weir_ouch_request *r, const struct exchange_echo *echo) {
    uint32_t user_ref = r->type == WEIR_OUCH_ENTER ? r->enter.user_ref : r->replace.user_ref;
    o->capacities[user_ref % CAPACITIES] = (struct capacity){user_ref, echo->capacity};
}

static enum weir_error ask_next_ref(struct weir_session *session) {
    struct ouch *o = weir_session_state(session);
    struct ouch_question question = {o->account, 0};
    return weir_session_query(
        session, o->partition, query_session, weir_slice(&question, sizeof question), ASKED_NEXT_REF);
}

static enum weir_error submit(
    struct weir_session *session, uint16_t type, const struct exchange_named_command *named, uint64_t correlation) {
    struct ouch *o = weir_session_state(session);
    size_t size = named->name[0] ? sizeof *named : sizeof named->command;
    struct weir_command command = {.partition = o->partition, .type = type, .value = weir_slice(named, size)};
    return weir_session_command(session, &command, correlation);
}

/* One message. FULL: not taken, to be offered again. */
static enum weir_error take_message(struct weir_session *session, struct weir_slice message) {
    struct ouch *o = weir_session_state(session);
    struct weir_ouch_request request;
    enum weir_ouch_reason reason = weir_ouch_request_decode(message, &request);
    if (reason) {
        if (o->phase == PHASE_LIVE) refuse(session, message, (uint16_t)reason, weir_ouch_reason_sentence(reason));
        return WEIR_OK;
    }
    struct exchange_echoed_command echoed;
    struct exchange_named_command *named = &echoed.named;
    if (!ouch_translate(o->account, &request, named)) {
        if (o->phase == PHASE_LIVE) return ask_next_ref(session);
        o->queries++;
        return WEIR_OK;
    }
    char text[EXCHANGE_NAME_SIZE + 1] = {0};
    memcpy(text, named->name, EXCHANGE_NAME_SIZE);
    if (text[0] && exchange_partition(text, weir_session_partition_count(session)) != o->partition) {
        refuse(session, message, WEIR_OUCH_REASON_EXCHANGE + EXCHANGE_REASON_UNKNOWN_SYMBOL,
            "the symbol is not traded in this session's partition; log in to another");
        return WEIR_OK;
    }
    if (!echo_of(o, &request, &echoed.echo)) return submit(session, EXCHANGE_RECORD_ORDER, named, ASKED_NOTHING);
    struct weir_command command = {
        .partition = o->partition, .type = EXCHANGE_RECORD_ORDER, .value = weir_slice(&echoed, sizeof echoed)};
    enum weir_error e = weir_session_command(session, &command, ASKED_NOTHING);
    if (e == WEIR_OK) keep(o, &request, &echoed.echo);
    return e;
}

/* The user name is the account; an empty session means the account's usual partition. */
static bool login_read(struct weir_session *session, const struct weir_soupbin_login *login) {
    struct ouch *o = weir_session_state(session);
    uint64_t account = 0, partition = 0;
    for (size_t i = 0; i < login->user.size; i++) {
        if (login->user.data[i] < '0' || login->user.data[i] > '9') return false;
        account = account * 10 + (uint64_t)(login->user.data[i] - '0');
    }
    uint32_t count = weir_session_partition_count(session);
    if (account == 0 || account > weir_session_settings(session)[EXCHANGE_ACCOUNTS_MAX].number) return false;
    o->account = (uint32_t)account;
    o->partition = (uint32_t)(account % count);
    o->wanted = login->sequence;
    if (login->session.size == 0) return true;
    if (login->session.data[0] != 'P' || login->session.size < 2) return false;
    for (size_t i = 1; i < login->session.size; i++) {
        if (login->session.data[i] < '0' || login->session.data[i] > '9') return false;
        partition = partition * 10 + (uint64_t)(login->session.data[i] - '0');
    }
    o->partition = (uint32_t)partition;
    return partition < count;
}

static enum weir_error take_login(struct weir_session *session, struct weir_slice payload) {
    struct ouch *o = weir_session_state(session);
    struct weir_soupbin_login login;
    if (weir_soupbin_login_parse(payload, &login)) {
        refuse_login(session, WEIR_SOUPBIN_REJECT_NOT_AUTHORIZED, "the login is malformed");
        return WEIR_OK;
    }
    enum weir_error e = o->is_known ? WEIR_OK : weir_session_login(session, login.password);
    if (e) {
        refuse_login(session, WEIR_SOUPBIN_REJECT_NOT_AUTHORIZED, weir_error_text());
        return WEIR_OK;
    }
    o->is_known = true;
    if (!login_read(session, &login)) {
        bool known = o->account != 0;
        refuse_login(session, known ? WEIR_SOUPBIN_REJECT_SESSION : WEIR_SOUPBIN_REJECT_NOT_AUTHORIZED,
            known ? "the login names no session" : "the login names no account");
        return WEIR_OK;
    }
    bool cancel = weir_session_settings(session)[EXCHANGE_OUCH_CANCEL].number;
    struct exchange_named_command named = {
        .command = {.type = EXCHANGE_COMMAND_CONNECT,
            .flags = (uint16_t)(EXCHANGE_FLAG_REFS_RISE | (cancel ? EXCHANGE_FLAG_CANCEL_ON_DISCONNECT : 0)),
            .account = o->account,
            .session = o->account,
            .order_id = weir_session_number(session)},
    };
    e = submit(session, EXCHANGE_RECORD_REQUEST, &named, ASKED_CONNECT);
    if (e == WEIR_E_FORBIDDEN) {
        refuse_login(session, WEIR_SOUPBIN_REJECT_NOT_AUTHORIZED, weir_error_text());
        return WEIR_OK;
    }
    if (e) return e;
    o->phase = PHASE_CONNECTING;
    o->connected = true;
    return WEIR_OK;
}

static enum weir_error take_packet(struct weir_session *session, const struct weir_soupbin_packet *packet) {
    struct ouch *o = weir_session_state(session);
    switch (packet->type) {
    case WEIR_SOUPBIN_LOGIN_REQUEST:
        if (o->phase == PHASE_LOGIN) return take_login(session, packet->payload);
        return WEIR_OK;
    case WEIR_SOUPBIN_UNSEQUENCED:
        if (o->phase == PHASE_LOGIN) {
            refuse_login(session, WEIR_SOUPBIN_REJECT_NOT_AUTHORIZED, "a message came before the login");
            return WEIR_OK;
        }
        return take_message(session, packet->payload);
    case WEIR_SOUPBIN_LOGOUT:
        o->phase = PHASE_OVER;
        weir_session_close(session, "logout");
        return WEIR_OK;
    default:
        return WEIR_OK;
    }
}

static void on_bytes(struct weir_session *session, struct weir_slice bytes, bool text, size_t *ret_consumed) {
    struct ouch *o = weir_session_state(session);
    size_t at = 0;
    (void)text;
    while (o->phase != PHASE_OVER) {
        struct weir_soupbin_packet packet;
        enum weir_error e =
            weir_soupbin_parse(weir_slice(bytes.data + at, bytes.size - at), WEIR_SOUPBIN_CLIENT, PACKET_MAX, &packet);
        if (e == WEIR_E_AGAIN) break;
        if (e == WEIR_OK) {
            e = take_packet(session, &packet);
            if (e == WEIR_E_FULL) break;
            at += packet.size;
        }
        if (e) { /* the framing is lost, or the node does not take commands */
            o->phase = PHASE_OVER;
            send_packet(session, WEIR_SOUPBIN_END_OF_SESSION);
            weir_session_close(session, weir_error_text());
        }
    }
    *ret_consumed = o->phase == PHASE_OVER ? bytes.size : at;
}

/* ---- answers ---- */
static void start(struct weir_session *session) {
    struct ouch *o = weir_session_state(session);
    struct ouch_question question = {o->account, o->wanted};
    struct weir_slice packed = weir_slice(&question, sizeof question);
    enum weir_error e;
    if (o->wanted) {
        e = weir_session_query(session, o->partition, query_session, packed, ASKED_RESUME);
    } else {
        struct weir_subscribe subscribe = {.id = 1,
            .topic = EXCHANGE_TOPIC_EVENTS,
            .partition = o->partition,
            .key = o->account,
            .from = WEIR_FROM_NOW,
            .query = query_session,
            .packed = packed,
            .correlation = ASKED_START};
        e = weir_session_subscribe(session, &subscribe);
    }
    if (e) refuse_login(session, WEIR_SOUPBIN_REJECT_SESSION, weir_error_text());
}

static void on_reply(struct weir_session *session, uint64_t correlation, enum weir_error error, uint16_t status,
    struct weir_slice value) {
    struct ouch *o = weir_session_state(session);
    struct exchange_reply reply;
    if (o->phase == PHASE_OVER || (correlation != ASKED_CONNECT && error == WEIR_OK)) return;
    if (error || status >= 300) {
        if (correlation == ASKED_CONNECT) {
            o->connected = false;
            refuse_login(session, WEIR_SOUPBIN_REJECT_NOT_AUTHORIZED, "the exchange does not take the session");
            return;
        }
        o->phase = PHASE_OVER;
        weir_session_close(session, weir_error_sentence(error));
        return;
    }
    if (value.size >= sizeof reply) {
        memcpy(&reply, value.data, sizeof reply);
        o->connected_at = reply.client_ref;
    }
    start(session);
}

static void resume(struct weir_session *session, const struct ouch_facts *facts) {
    struct ouch *o = weir_session_state(session);
    uint64_t sequence = o->wanted <= facts->events + 1 ? o->wanted : facts->events + 1;
    struct weir_subscribe subscribe = {
        .id = 1, .topic = EXCHANGE_TOPIC_EVENTS, .partition = o->partition, .key = o->account, .from = facts->offset};
    accept_login(session, sequence);
    if (weir_session_subscribe(session, &subscribe)) {
        o->phase = PHASE_OVER;
        send_packet(session, WEIR_SOUPBIN_END_OF_SESSION);
        weir_session_close(session, weir_error_text());
    }
}

static void on_answer(struct weir_session *session, uint64_t correlation, enum weir_error error, uint16_t status,
    struct weir_slice value) {
    struct ouch *o = weir_session_state(session);
    struct ouch_facts facts;
    (void)status;
    if (o->phase == PHASE_OVER) return;
    if (error || value.size != sizeof facts) {
        o->phase = PHASE_OVER;
        weir_session_close(session, "the exchange does not answer");
        return;
    }
    memcpy(&facts, value.data, sizeof facts);
    if (correlation == ASKED_NEXT_REF) {
        struct weir_ouch_response r = {
            .type = WEIR_OUCH_R_NEXT_REF, .next_ref = {.user_ref = (uint32_t)facts.ref_last + 1}};
        send_response(session, WEIR_SOUPBIN_UNSEQUENCED, &r);
        return;
    }
    if (correlation == ASKED_START)
        accept_login(session, facts.events + 1);
    else
        resume(session, &facts);
    for (; o->queries && o->phase == PHASE_LIVE; o->queries--)
        if (ask_next_ref(session)) break;
}

/* ---- events ---- */
/* Every event of a session is one message. */
static void say(
    struct weir_session *session, const struct exchange_event *e, const union exchange_trailer *trailer, size_t size) {
    const struct ouch *o = weir_session_state(session);
    struct weir_ouch_response r;
    struct ouch_behind behind = {.echo = size == sizeof trailer->echo ? &trailer->echo : NULL,
        .prevented = size == sizeof trailer->prevented ? &trailer->prevented : NULL};
    ouch_say(e, &behind, exchange_public_id(e->order_id, o->partition, weir_session_partition_count(session)), &r);
    send_response(session, WEIR_SOUPBIN_SEQUENCED, &r);
}

/* Another connection logged in: this one is told and closed, and what it sends from now on is not heard. */
static void taken_over(struct weir_session *session) {
    struct ouch *o = weir_session_state(session);
    o->phase = PHASE_OVER;
    o->connected = false;
    send_packet(session, WEIR_SOUPBIN_END_OF_SESSION);
    weir_session_close(session, "another login took the session over");
}

static void on_record(struct weir_session *session, uint32_t subscription, const struct weir_record *record) {
    struct ouch *o = weir_session_state(session);
    struct exchange_event e;
    union exchange_trailer trailer = {0};
    size_t size = record->value.size;
    (void)subscription;
    if (o->phase != PHASE_LIVE || size < sizeof e || size > sizeof e + sizeof trailer) return;
    memcpy(&e, record->value.data, sizeof e);
    memcpy(&trailer, record->value.data + sizeof e, size - sizeof e);
    if (e.session != o->account) return;
    if (e.type == EXCHANGE_EVENT_CONNECTED) {
        if (record->offset > o->connected_at) taken_over(session);
        return;
    }
    if (e.session_sequence < o->next) return;
    say(session, &e, &trailer, size - sizeof e);
    o->next = e.session_sequence + 1;
}

static void on_live(struct weir_session *session, uint32_t subscription, enum weir_error error) {
    struct ouch *o = weir_session_state(session);
    (void)subscription;
    if (error == WEIR_OK || o->phase == PHASE_OVER) return;
    o->phase = PHASE_OVER;
    send_packet(session, WEIR_SOUPBIN_END_OF_SESSION);
    weir_session_close(session, weir_error_sentence(error));
}

static void on_time(struct weir_session *session, uint64_t mono_ns) {
    struct ouch *o = weir_session_state(session);
    if (o->phase != PHASE_LIVE) return;
    uint64_t due = o->sent_ns + WEIR_SOUPBIN_HEARTBEAT_MS * NANOS_PER_MS;
    if (mono_ns >= due) {
        send_packet(session, WEIR_SOUPBIN_SERVER_HEARTBEAT);
        due = mono_ns + WEIR_SOUPBIN_HEARTBEAT_MS * NANOS_PER_MS;
    }
    weir_session_wake_at(session, due);
}

static void on_close(struct weir_session *session) {
    struct ouch *o = weir_session_state(session);
    if (!o->connected) return;
    struct exchange_named_command named = {
        .command = {.type = EXCHANGE_COMMAND_DISCONNECT,
            .account = o->account,
            .session = o->account,
            .order_id = weir_session_number(session)},
    };
    /* A full queue: the edge calls again. Any other refusal means that the partition takes nothing any more. */
    o->connected = submit(session, EXCHANGE_RECORD_ORDER, &named, ASKED_NOTHING) == WEIR_E_FULL;
}

const struct weir_protocol exchange_ouch_protocol = {
    .name = "ouch",
    .session_bytes = sizeof(struct ouch),
    .receive_bytes_max = 256u << 10,
    .send_bytes_max = 8u << 20,
    .idle_ns_max = WEIR_SOUPBIN_SILENCE_MS_MAX * NANOS_PER_MS,
    .on_bytes = on_bytes,
    .on_reply = on_reply,
    .on_answer = on_answer,
    .on_record = on_record,
    .on_live = on_live,
    .on_time = on_time,
    .on_close = on_close,
};
