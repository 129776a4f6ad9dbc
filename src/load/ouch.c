/* OUCH over SoupBinTCP: each request is an order; accepted is its answer. */
#include "wire/ouch.h"
#include "load/worker.h"
#include "wire/soupbin.h"
#include <stdio.h>

#define HEARTBEAT_NS UINT64_C(900000000) /* a little before the second is over */
#define PACKET_MAX   4096u
#define ORDER_SALT   3

static void put_packet(
    struct load_worker *w, struct load_conn *c, enum weir_soupbin_type type, struct weir_slice payload) {
    uint8_t bytes[WEIR_SOUPBIN_HEADER_SIZE + WEIR_OUCH_MESSAGE_SIZE_MAX];
    weir_soupbin_header(bytes, type, payload.size);
    if (payload.size) memcpy(bytes + WEIR_SOUPBIN_HEADER_SIZE, payload.data, payload.size);
    (void)load_conn_put(w, c, weir_slice(bytes, WEIR_SOUPBIN_HEADER_SIZE + payload.size));
}

/* Logs in and asks for the next reference: its answer says that the session is there. */
static void ouch_greet(struct load_worker *w, struct load_conn *c, uint64_t now) {
    const struct load_options *o = w->options;
    char user[24];
    uint8_t bytes[WEIR_SOUPBIN_LOGIN_REQUEST_SIZE], query[WEIR_OUCH_MESSAGE_SIZE_MAX];
    size_t size = 0;
    uint64_t account = o->ouch.account + (uint64_t)load_conn_index(w, c) * o->threads + w->index;
    snprintf(user, sizeof user, "%llu", (unsigned long long)account);
    struct weir_soupbin_login login = {.user = weir_slice_text(user),
        .password = weir_slice_text(o->ouch.password),
        .session = weir_slice_text(o->ouch.session)};
    if (weir_soupbin_login_write(bytes, sizeof bytes, &login, &size) != WEIR_OK ||
        !load_conn_put(w, c, weir_slice(bytes, size))) {
        load_conn_lose(w, c, LOAD_FAILURE_CONNECT, LOAD_FAILURE_CONNECT, now);
        return;
    }
    struct weir_ouch_request request = {.type = WEIR_OUCH_QUERY};
    put_packet(w, c, WEIR_SOUPBIN_UNSEQUENCED, weir_slice(query, weir_ouch_request_encode(&request, query)));
    c->ouch.said_ns = now;
    c->ouch.next_ref = 0;
}

/* Buys and sells take turns, at prices that cross now and then, so that a book neither empties nor fills for ever. */
static size_t ouch_render(struct load_worker *w, struct load_conn *c, struct load_pending *pending, uint8_t *out) {
    const struct load_options *o = w->options;
    uint64_t mixed = (o->seed ^ ORDER_SALT) + pending->n;
    struct prng random = prng_seed(prng_splitmix(&mixed));
    struct weir_ouch_request request = {
        .type = WEIR_OUCH_ENTER,
        .enter = {.user_ref = c->ouch.next_ref++,
            .side = pending->n % 2 ? 'S' : 'B',
            .quantity = (uint32_t)o->ouch.quantity,
            .price = prng_between(&random, o->ouch.price_low, o->ouch.price_high),
            .time_in_force = '1',
            .display = 'Y',
            .capacity = 'A',
            .sweep = 'N',
            .cross = 'N'},
    };
    weir_ouch_alpha_set(request.enter.symbol, WEIR_OUCH_SYMBOL_SIZE, weir_slice_text(o->ouch.symbol));
    memset(request.enter.client_id, ' ', sizeof request.enter.client_id);
    pending->key = request.enter.user_ref;
    c->ouch.said_ns = pending->sent_ns;
    size_t size = weir_ouch_request_encode(&request, out + WEIR_SOUPBIN_HEADER_SIZE);
    weir_soupbin_header(out, WEIR_SOUPBIN_UNSEQUENCED, size);
    return WEIR_SOUPBIN_HEADER_SIZE + size;
}

static bool message_take(struct load_worker *w, struct load_conn *c, struct weir_slice message, uint64_t now) {
    struct weir_ouch_response response;
    enum weir_ouch_reason reason = weir_ouch_response_decode(message, &response);
    if (reason) {
        load_worker_note(w, weir_ouch_reason_sentence(reason));
        return false;
    }
    uint32_t ref = 0;
    enum load_failure how = LOAD_ANSWERED;
    switch (response.type) {
    case WEIR_OUCH_R_NEXT_REF:
        if (c->state != LOAD_CONN_OPENING) return true;
        c->ouch.next_ref = response.next_ref.user_ref;
        load_conn_ready(w, c, now);
        return true;
    case WEIR_OUCH_R_ACCEPTED:
        ref = response.accepted.user_ref;
        break;
    case WEIR_OUCH_R_REJECTED:
        ref = response.rejected.user_ref;
        how = LOAD_FAILURE_REFUSED;
        load_worker_note(w, "an order was rejected");
        break;
    default: /* executions, and what happens to orders later */
        w->result.counts.pushes++;
        return true;
    }
    for (uint32_t i = 0; i < c->pending_count; i++)
        if (load_conn_pending(w, c, i)->key == ref) {
            load_conn_finish(w, c, i, how, now);
            return true;
        }
    w->result.counts.pushes++; /* of an order of an earlier login */
    return true;
}

static bool packet_take(struct load_worker *w, struct load_conn *c, const struct weir_soupbin_packet *p, uint64_t now) {
    switch (p->type) {
    case WEIR_SOUPBIN_LOGIN_REJECTED:
        weir_error_context(WEIR_E_FORBIDDEN, "the gateway refuses the login; see --account, --session and --password");
        load_conn_lose(w, c, LOAD_FAILURE_CONNECT, LOAD_FAILURE_CONNECT, now);
        return true;
    case WEIR_SOUPBIN_SEQUENCED:
    case WEIR_SOUPBIN_UNSEQUENCED:
        return message_take(w, c, p->payload, now);
    case WEIR_SOUPBIN_END_OF_SESSION:
        w->result.counts.cuts++;
        load_conn_lose(w, c, LOAD_FAILURE_CUT, LOAD_FAILURE_CUT, now);
        return true;
    default:
        return true;
    }
}

static size_t ouch_take(struct load_worker *w, struct load_conn *c, uint8_t *bytes, size_t *size_io, uint64_t now) {
    size_t at = 0;
    for (;;) {
        struct weir_soupbin_packet packet;
        enum weir_error e =
            weir_soupbin_parse(weir_slice(bytes + at, *size_io - at), WEIR_SOUPBIN_SERVER, PACKET_MAX, &packet);
        if (e == WEIR_E_AGAIN) return at;
        if (e != WEIR_OK) {
            load_worker_note(w, weir_error_text());
            return LOAD_TAKE_BAD;
        }
        at += packet.size;
        if (!packet_take(w, c, &packet, now)) return LOAD_TAKE_BAD;
        if (c->state == LOAD_CONN_DOWN) return at;
    }
}

static void ouch_tick(struct load_worker *w, struct load_conn *c, uint64_t now) {
    if (c->out_size > c->out_sent || now < c->ouch.said_ns + HEARTBEAT_NS) return;
    put_packet(w, c, WEIR_SOUPBIN_CLIENT_HEARTBEAT, weir_slice(NULL, 0));
    c->ouch.said_ns = now;
}

const struct load_protocol load_protocol_ouch = {
    .greet = ouch_greet, .render = ouch_render, .take = ouch_take, .tick = ouch_tick};
