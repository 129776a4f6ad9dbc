/* Binary sessions: OUCH over SoupBinTCP. A client is cut by crashes and by its own bad manners, logs in again with the
 * sequence number it wants next, or an earlier one, and sends again what it has no answer to. It must hear every
 * message once, in order, and what it hears again must be what it heard before, to the byte. */
#include "exchange/ouch.h"
#include "exchange/sim_exchange.h"
#include "wire/soupbin.h"

#include "base/hash.h"

#include <stdlib.h>

#define LINK_BYTES      (64u << 10)
#define PATIENCE_NS     (20 * SYS_NANOS_PER_S)
#define HEARTBEAT_NS    SYS_NANOS_PER_S
#define CLIENT_ID_BYTES WEIR_OUCH_CLIENT_ID_SIZE

/* ---- a connection -------------------------------------------------------------------------------------------- */
static void link_init(struct ex_link *link) {
    *link = (struct ex_link){.connection = -1, .in = malloc(LINK_BYTES), .out = malloc(LINK_BYTES)};
    WEIR_ASSERT(link->in && link->out);
}

static void link_close(struct exchange_sim *x, struct ex_link *link) {
    if (link->connection >= 0) sys_sim_client_close(x->sim->sys, link->connection);
    *link = (struct ex_link){.connection = -1, .in = link->in, .out = link->out};
}

/* False: no room, and nothing was done. */
static bool put(struct ex_link *link, enum weir_soupbin_type type, const void *payload, size_t size) {
    size_t written = 0;
    if (link->out_size + WEIR_SOUPBIN_HEADER_SIZE + size > LINK_BYTES) return false;
    enum weir_error e = weir_soupbin_write(
        link->out + link->out_size, LINK_BYTES - link->out_size, type, weir_slice(payload, size), &written);
    WEIR_ASSERT(e == WEIR_OK);
    link->out_size += written;
    return true;
}

static void put_login(struct exchange_sim *x, struct ex_binary *b) {
    char user[12], session[12];
    size_t size = 0;
    int user_size = snprintf(user, sizeof user, "%u", b->account);
    int session_size = snprintf(session, sizeof session, "P%u", b->partition);
    uint64_t wanted = b->heard_count + 1;
    if (!x->trusts) wanted = 1; /* numbers may have been given again */
    if (sim_percent(x->sim, 20)) wanted = prng_between(&x->sim->prng, 1, wanted);
    if (b->heard_count == 0 && b->request_count == 0 && sim_percent(x->sim, 50)) wanted = 0;
    struct weir_soupbin_login login = {.user = weir_slice(user, (size_t)user_size),
        .session = weir_slice(session, (size_t)session_size),
        .sequence = wanted};
    enum weir_error e = weir_soupbin_login_write(b->link.out, LINK_BYTES, &login, &size);
    WEIR_ASSERT(e == WEIR_OK);
    b->link.out_size = size;
    b->link.wanted = wanted;
}

/* In the order of their references, before anything new: the exchange ignores those it has. */
static void resend(struct ex_binary *b) {
    for (uint32_t i = 0; i < b->request_count; i++)
        if (!b->requests[i].answered)
            (void)put(&b->link, WEIR_SOUPBIN_UNSEQUENCED, b->requests[i].message, b->requests[i].size);
    b->link.resent = true;
}

static void link_open(struct exchange_sim *x, struct ex_binary *b) {
    if (sys_sim_connect(x->sim->sys, EX_BINARY_PORT, &b->link.connection) != WEIR_OK) {
        b->link.connection = -1;
        return;
    }
    b->link.heard_ns = b->link.said_ns = sim_now_ns(x->sim);
    put_login(x, b);
    if (sim_percent(x->sim, 30)) resend(b); /* does not wait for the login's answer */
}

/* The machine is still there, and so is its connection, when another logs in under its name. */
static void take_over(struct exchange_sim *x, struct ex_binary *b) {
    struct ex_link spare = b->ghost;
    link_close(x, &spare);
    b->ghost = b->link;
    b->link = spare;
    link_open(x, b);
}

/* ---- requests ------------------------------------------------------------------------------------------------ */
static struct ex_request *request_new(struct ex_binary *b, bool names) {
    struct ex_request *r = &b->requests[b->request_count++];
    *r = (struct ex_request){.answered = true};
    if (names) r->user_ref = ++b->user_ref;
    return r;
}

static void set_options(const struct exchange_command *c, struct weir_ouch_options *o) {
    static const char strategies[] = {'F', 'N', 'O', 'B', 'D'};
    if (c->stp) {
        o->present |= WEIR_OUCH_HAS_SELF_TRADE;
        o->self_trade = strategies[c->stp];
    }
    if (c->flags & EXCHANGE_FLAG_POST_ONLY) {
        o->present |= WEIR_OUCH_HAS_POST_ONLY;
        o->post_only = 'P';
    }
    if (c->tif == EXCHANGE_TIF_GTD) {
        o->present |= WEIR_OUCH_HAS_EXPIRE_S;
        o->expire_s = (uint32_t)(c->expire_ns / SYS_NANOS_PER_S);
    }
}

static void draw_enter(struct exchange_sim *x, struct ex_binary *b) {
    static const char letters[] = {'1', '0', '6', '3', '4'}; /* by enum exchange_tif */
    uint32_t symbol = b->symbols[sim_pick(x->sim, b->symbol_count)];
    struct ex_request *request = request_new(b, true);
    struct exchange_command c = ex_http_draw(x, symbol);
    c.type = EXCHANGE_COMMAND_NEW;
    c.account = c.session = b->account;
    c.client_ref = request->user_ref;
    if (c.tif == EXCHANGE_TIF_GTD) {
        c.flags |= EXCHANGE_FLAG_EXPIRE_IN;
        c.expire_ns = (1 + sim_pick(x->sim, 3)) * SYS_NANOS_PER_S;
    }
    struct weir_ouch_request r = {.type = WEIR_OUCH_ENTER,
        .enter = {.user_ref = request->user_ref,
            .side = c.side ? 'S' : 'B',
            .quantity = (uint32_t)c.quantity,
            .price = c.flags & EXCHANGE_FLAG_MARKET ? WEIR_OUCH_PRICE_MARKET : (uint64_t)c.price,
            .time_in_force = letters[c.tif],
            .display = 'Y',
            .capacity = "APRO"[sim_pick(x->sim, 4)],
            .sweep = 'N',
            .cross = 'N'}};
    char id[CLIENT_ID_BYTES + 1];
    int size = snprintf(id, sizeof id, "c%u", request->user_ref);
    weir_ouch_alpha_set(r.enter.client_id, CLIENT_ID_BYTES, weir_slice(id, (size_t)size));
    weir_ouch_alpha_set(r.enter.symbol, WEIR_OUCH_SYMBOL_SIZE, weir_slice_text(x->names[symbol]));
    set_options(&c, &r.options);
    request->answered = false;
    request->record.command = c;
    memcpy(request->record.name, x->names[symbol], EXCHANGE_NAME_SIZE);
    request->size = (uint32_t)weir_ouch_request_encode(&r, request->message);
}

/* Of an order entered before, that may be there still; nobody waits for the answer. */
static void draw_change(struct exchange_sim *x, struct ex_binary *b) {
    struct sim *sim = x->sim;
    uint32_t kind = sim_pick(sim, 100), target = 1 + sim_pick(sim, b->user_ref);
    uint32_t quantity = 10 * sim_pick(sim, 10);
    struct ex_request *request = request_new(b, kind < 40);
    struct weir_ouch_request r = {0};
    if (kind < 40) {
        r.type = WEIR_OUCH_REPLACE;
        r.replace = (struct weir_ouch_replace){.orig_user_ref = target,
            .user_ref = request->user_ref,
            .quantity = quantity + 10,
            .price = (uint64_t)(990 + 5 * sim_pick(sim, 5)),
            .time_in_force = '1',
            .display = 'Y',
            .sweep = 'N'};
        weir_ouch_alpha_set(r.replace.client_id, CLIENT_ID_BYTES, weir_slice_text("again"));
    } else if (kind < 80) {
        r.type = WEIR_OUCH_CANCEL;
        r.cancel = (struct weir_ouch_cancel){.user_ref = target, .quantity = sim_percent(sim, 50) ? 0 : quantity};
    } else {
        r.type = WEIR_OUCH_MODIFY;
        r.modify = (struct weir_ouch_modify){.user_ref = target, .side = 'B', .quantity = quantity + 10};
    }
    request->size = (uint32_t)weir_ouch_request_encode(&r, request->message);
}

static void draw_mass_cancel(struct exchange_sim *x, struct ex_binary *b) {
    struct ex_request *request = request_new(b, true);
    struct weir_ouch_request r = {.type = WEIR_OUCH_MASS_CANCEL, .mass_cancel = {.user_ref = request->user_ref}};
    bool one = sim_percent(x->sim, 60);
    weir_ouch_alpha_set(r.mass_cancel.firm, sizeof r.mass_cancel.firm, weir_slice_text(""));
    weir_ouch_alpha_set(r.mass_cancel.symbol, WEIR_OUCH_SYMBOL_SIZE,
        weir_slice_text(one ? x->names[b->symbols[sim_pick(x->sim, b->symbol_count)]] : ""));
    request->answered = false;
    request->size = (uint32_t)weir_ouch_request_encode(&r, request->message);
}

static void draw_request(struct exchange_sim *x, struct ex_binary *b) {
    uint32_t kind = sim_pick(x->sim, 100), before = b->request_count;
    if (b->symbol_count == 0 || b->request_count == EX_REQUESTS_MAX) return;
    if (kind < 4 && b->request_count > 0) { /* a token twice */
        const struct ex_request *r = &b->requests[sim_pick(x->sim, b->request_count)];
        if (r->user_ref) (void)put(&b->link, WEIR_SOUPBIN_UNSEQUENCED, r->message, r->size);
        return;
    }
    if (kind < 7) {
        (void)put(&b->link, WEIR_SOUPBIN_UNSEQUENCED, kind < 5 ? "Q" : "O?", kind < 5 ? 1 : 2);
        return;
    }
    if (kind < 65 || b->user_ref == 0)
        draw_enter(x, b);
    else if (kind < 97)
        draw_change(x, b);
    else
        draw_mass_cancel(x, b);
    const struct ex_request *r = &b->requests[before];
    (void)put(&b->link, WEIR_SOUPBIN_UNSEQUENCED, r->message, r->size);
}

/* ---- hearing ------------------------------------------------------------------------------------------------- */
static void note_answer(struct exchange_sim *x, struct ex_binary *b, const struct weir_ouch_response *r) {
    uint32_t user_ref = 0;
    if (r->type == WEIR_OUCH_R_ACCEPTED) {
        user_ref = r->accepted.user_ref;
        x->known[x->known_next++ % 32] = r->accepted.order_id;
    }
    if (r->type == WEIR_OUCH_R_REJECTED) user_ref = r->rejected.user_ref;
    if (r->type == WEIR_OUCH_R_MASS_CANCELED) user_ref = r->mass_canceled.user_ref;
    for (uint32_t i = b->request_count; user_ref && i-- > 0;)
        if (b->requests[i].user_ref == user_ref) {
            b->requests[i].answered = true;
            return;
        }
}

static void hear(struct exchange_sim *x, struct ex_binary *b, struct ex_link *link, struct weir_slice message) {
    struct weir_ouch_response response;
    uint64_t hash = hash_bytes(message.data, message.size, message.size), number = link->next++;
    if (!link->accepted) sim_fail(x->sim, "account %u hears a message before its login is accepted", b->account);
    if (weir_ouch_response_decode(message, &response) != WEIR_OUCH_REASON_NONE) {
        sim_fail(x->sim, "account %u hears what is no message, as number %llu", b->account, (unsigned long long)number);
        return;
    }
    note_answer(x, b, &response);
    if (number <= b->heard_count) {
        if (b->heard[number - 1].hash != hash && x->trusts)
            sim_fail(x->sim, "account %u hears message %llu, a '%c', and it is not what it heard before", b->account,
                (unsigned long long)number, message.data[0]);
        return;
    }
    b->heard = ex_room(b->heard, b->heard_count, &b->heard_room, sizeof *b->heard);
    b->heard[b->heard_count++] = (struct ex_heard){hash, x->life};
}

static void take_accepted(
    struct exchange_sim *x, struct ex_binary *b, struct ex_link *link, struct weir_slice payload) {
    struct weir_soupbin_accepted a;
    if (weir_soupbin_accepted_parse(payload, &a) != WEIR_OK || a.sequence == 0) {
        sim_fail(x->sim, "account %u: the login's answer cannot be read", b->account);
        return;
    }
    if (a.sequence != (link->wanted ? link->wanted : 1) && x->trusts)
        sim_fail(x->sim, "account %u asked for message %llu and gets %llu: what it heard is lost", b->account,
            (unsigned long long)link->wanted, (unsigned long long)a.sequence);
    if (a.sequence <= b->heard_count && !x->trusts) b->heard_count = (uint32_t)a.sequence - 1;
    link->next = a.sequence;
    link->accepted = true;
}

/* False: the connection is over. */
static bool take_packet(
    struct exchange_sim *x, struct ex_binary *b, struct ex_link *link, const struct weir_soupbin_packet *packet) {
    switch (packet->type) {
    case WEIR_SOUPBIN_LOGIN_ACCEPTED:
        take_accepted(x, b, link, packet->payload);
        return true;
    case WEIR_SOUPBIN_SEQUENCED:
        hear(x, b, link, packet->payload);
        return true;
    case WEIR_SOUPBIN_LOGIN_REJECTED:
    case WEIR_SOUPBIN_END_OF_SESSION:
        return false;
    default:
        return true;
    }
}

static void receive(struct exchange_sim *x, struct ex_binary *b, struct ex_link *link) {
    size_t got = sys_sim_client_receive(
               x->sim->sys, link->connection, link->in + link->in_size, LINK_BYTES - link->in_size),
           at = 0;
    if (got == 0) return;
    link->in_size += got;
    link->heard_ns = sim_now_ns(x->sim);
    while (!x->sim->failed) {
        struct weir_soupbin_packet packet;
        enum weir_error e =
            weir_soupbin_parse(weir_slice(link->in + at, link->in_size - at), WEIR_SOUPBIN_SERVER, LINK_BYTES, &packet);
        if (e == WEIR_E_AGAIN) break;
        if (e != WEIR_OK) {
            sim_fail(x->sim, "account %u: the gateway's bytes are no packet: %s", b->account, weir_error_text());
            return;
        }
        at += packet.size;
        if (!take_packet(x, b, link, &packet)) {
            link_close(x, link);
            return;
        }
    }
    memmove(link->in, link->in + at, link->in_size - at);
    link->in_size -= at;
}

static void send_some(struct exchange_sim *x, struct ex_link *link) {
    size_t left = link->out_size - link->out_sent;
    if (left == 0 || link->connection < 0) return;
    size_t part = sim_percent(x->sim, 75) ? left : (size_t)prng_between(&x->sim->prng, 1, left);
    if (sys_sim_client_send(x->sim->sys, link->connection, weir_slice(link->out + link->out_sent, part)) != WEIR_OK) {
        link_close(x, link);
        return;
    }
    link->said_ns = sim_now_ns(x->sim);
    link->out_sent += part;
    if (link->out_sent == link->out_size) link->out_size = link->out_sent = 0;
}

/* ---- moving on ----------------------------------------------------------------------------------------------- */
static void step_link(struct exchange_sim *x, struct ex_binary *b, struct ex_link *link) {
    if (link->connection < 0) return;
    uint64_t now = sim_now_ns(x->sim);
    if (now - link->said_ns > HEARTBEAT_NS && sim_percent(x->sim, 80))
        (void)put(link, WEIR_SOUPBIN_CLIENT_HEARTBEAT, NULL, 0);
    send_some(x, link);
    if (link->connection >= 0 && sim_percent(x->sim, 90)) receive(x, b, link);
    if (link->connection < 0) return;
    if (now - link->heard_ns > PATIENCE_NS || sys_sim_client_closed(x->sim->sys, link->connection)) link_close(x, link);
}

void ex_binary_step(struct exchange_sim *x, struct ex_binary *b, bool calm) {
    if (b->link.connection < 0 && sim_percent(x->sim, 30)) link_open(x, b);
    step_link(x, b, &b->ghost);
    step_link(x, b, &b->link);
    if (b->ghost.connection >= 0 && !calm && sim_percent(x->sim, 3)) link_close(x, &b->ghost);
    if (!b->link.accepted) return;
    if (!b->link.resent) resend(b);
    if (calm && !b->rested && sim_percent(x->sim, 50)) take_over(x, b);
    b->rested = true;
    if (calm) return;
    if (sim_percent(x->sim, 40)) draw_request(x, b);
    uint32_t whim = sim_pick(x->sim, 400);
    if (whim == 0) link_close(x, &b->link);
    if (whim == 1) (void)put(&b->link, WEIR_SOUPBIN_LOGOUT, NULL, 0);
    if (whim == 2) (void)put(&b->link, WEIR_SOUPBIN_SEQUENCED, "S", 1); /* a type a client may not send */
    if (whim == 3 || whim == 4) take_over(x, b);
}

bool ex_binary_settled(const struct ex_binary *b) {
    for (uint32_t i = 0; i < b->request_count; i++)
        if (!b->requests[i].answered) return false;
    return b->link.accepted && b->ghost.connection < 0; /* the gateway ended it */
}

void ex_binary_hang_up(struct exchange_sim *x, struct ex_binary *b) {
    link_close(x, &b->link);
    link_close(x, &b->ghost);
    b->rested = false;
}

void ex_binary_open(struct exchange_sim *x, struct ex_binary *b, uint32_t account) {
    *b = (struct ex_binary){.account = account, .partition = sim_pick(x->sim, x->partitions)};
    link_init(&b->link);
    link_init(&b->ghost);
    b->requests = calloc(EX_REQUESTS_MAX, sizeof *b->requests);
    WEIR_ASSERT(b->requests != NULL);
    for (uint32_t i = 0; i < x->symbol_count; i++)
        if (ex_partition(x, i) == b->partition) b->symbols[b->symbol_count++] = i;
}

void ex_binary_close(struct exchange_sim *x, struct ex_binary *b) {
    ex_binary_hang_up(x, b);
    free(b->link.in);
    free(b->link.out);
    free(b->ghost.in);
    free(b->ghost.out);
    free(b->requests);
    free(b->heard);
}

/* ---- checking ------------------------------------------------------------------------------------------------ */
void ex_binary_seen(struct exchange_sim *x, const struct ex_ledger *l, const struct exchange_echoed_command *c) {
    const struct exchange_command *command = &c->named.command;
    const struct ex_binary *b = NULL;
    for (uint32_t i = 0; i < x->binary_count; i++)
        if (x->binaries[i].account == command->account && x->binaries[i].partition == l->partition) b = &x->binaries[i];
    if (!b) {
        sim_fail(x->sim, "exchange.orders-%u holds an order of account %u, which has no session there", l->partition,
            command->account);
        return;
    }
    if (command->client_ref == 0) return;
    for (uint32_t i = b->request_count; i-- > 0;) {
        const struct ex_request *r = &b->requests[i];
        if (r->user_ref != command->client_ref) continue;
        if (r->record.command.type && memcmp(&r->record, &c->named, sizeof r->record) != 0)
            sim_fail(x->sim, "order %u of account %u stands in exchange.orders-%u as another", r->user_ref, b->account,
                l->partition);
        return;
    }
    sim_fail(x->sim, "exchange.orders-%u holds order %llu of account %u, which nobody sent", l->partition,
        (unsigned long long)command->client_ref, b->account);
}

static uint64_t hash_of(const struct ex_ledger *l, const struct ex_event *e) {
    struct weir_ouch_response response;
    uint8_t bytes[WEIR_OUCH_MESSAGE_SIZE_MAX];
    struct ouch_behind behind = {.echo = e->behind == sizeof e->echo ? &e->echo : NULL};
    ouch_say(&e->event, &behind, exchange_public_id(e->event.order_id, l->partition, l->x->partitions), &response);
    size_t size = weir_ouch_response_encode(&response, bytes);
    return hash_bytes(bytes, size, size);
}

void ex_binary_check(struct exchange_sim *x, struct ex_binary *b, bool whole) {
    const struct ex_ledger *l = &x->ledgers[b->partition];
    const struct ex_session *s = &l->sessions[b->account];
    if (!x->trusts) return;
    for (; b->checked_count < b->heard_count && b->checked_count < s->event_count; b->checked_count++) {
        const struct ex_event *e = &l->events[s->events[b->checked_count]];
        if (e->behind == sizeof(struct exchange_prevented)) continue; /* the ledger does not know what was prevented */
        if (hash_of(l, e) == b->heard[b->checked_count].hash) continue;
        sim_fail(x->sim, "account %u heard as message %u what is not its event of type %u about order %llu", b->account,
            b->checked_count + 1, e->event.type, (unsigned long long)e->event.order_id);
        return;
    }
    if (b->checked_count < b->heard_count && (whole || b->heard[b->checked_count].life < x->life))
        sim_fail(x->sim, "account %u heard message %u, and its event is lost", b->account, b->checked_count + 1);
    for (uint32_t i = b->heard_count; whole && b->link.accepted && i < s->event_count; i++)
        if (l->events[s->events[i]].event.type != EXCHANGE_EVENT_EXPIRED) /* that may have happened just now */
            sim_fail(x->sim, "account %u heard %u messages of %u", b->account, b->heard_count, s->event_count);
}
