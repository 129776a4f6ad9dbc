/* Traders over HTTP. Every command has a key and is sent again under it until it has its answer; while it is under way,
 * and afterwards, others send the same once more, or something else under the same key. */
#include "exchange/sim_exchange.h"

#include "base/hash.h"

#include <stdlib.h>

#define TEXT_MAX   (16u << 10)
#define LOOKS_NS   (60 * SYS_NANOS_PER_S) /* at books and accounts in the calm, before what they show must be right */
#define BASE_PRICE 1000
#define NS_PER_MS  UINT64_C(1000000)

/* ---- what to ask --------------------------------------------------------------------------------------------- */
static struct ex_ask *ask_new(struct exchange_sim *x, uint8_t kind, const char *method) {
    struct ex_ask *a = &x->asks[x->ask_count++];
    *a = (struct ex_ask){.kind = kind, .valid = true, .record_type = EXCHANGE_RECORD_REQUEST};
    snprintf(a->method, sizeof a->method, "%s", method);
    return a;
}

static void expect_command(struct ex_ask *a, const struct exchange_command *c, const char *name) {
    struct exchange_named_command named = {.command = *c};
    named.command.type = a->kind;
    if (name) memcpy(named.name, name, EXCHANGE_NAME_SIZE);
    memcpy(a->record, &named, sizeof named);
    a->record_size = sizeof named;
}

static void ask_symbol(struct exchange_sim *x, uint32_t symbol, bool alters) {
    struct ex_ask *a = ask_new(x, alters ? EXCHANGE_COMMAND_ALTER : EXCHANGE_COMMAND_DEFINE, alters ? "PUT" : "POST");
    struct exchange_terms t = x->terms[symbol];
    t.type = a->kind;
    if (alters) {
        t.collar = sim_pick(x->sim, 30);
        if (sim_percent(x->sim, 20)) t.tick = 1 + sim_pick(x->sim, 5);
    }
    snprintf(
        a->target, sizeof a->target, alters ? "/v1/exchange/symbols/%s" : "/v1/exchange/symbols", x->names[symbol]);
    int at = alters ? snprintf(a->body, sizeof a->body, "{")
                    : snprintf(a->body, sizeof a->body, "{\"symbol\":\"%s\",", x->names[symbol]);
    snprintf(a->body + at, sizeof a->body - (size_t)at,
        "\"tick\":%lld,\"lot\":%llu,\"quantityMax\":%llu,\"reference\":%lld,\"band\":%lld,"
        "\"collar\":%lld}",
        (long long)t.tick, (unsigned long long)t.lot, (unsigned long long)t.quantity_max, (long long)t.reference,
        (long long)t.band, (long long)t.collar);
    a->record_type = EXCHANGE_RECORD_TERMS;
    a->record_size = sizeof t;
    memcpy(a->record, &t, sizeof t);
    a->partition = ex_partition(x, symbol);
}

static const char *const tif_names[] = {"GTC", "DAY", "GTD", "IOC", "FOK"};
static const char *const stp_names[] = {"ALLOW", "CANCEL_NEWEST", "CANCEL_OLDEST", "CANCEL_BOTH", "DECREMENT"};

struct exchange_command ex_http_draw(struct exchange_sim *x, uint32_t symbol) {
    static const uint8_t tifs[] = {0, 0, 0, 0, 1, 2, 3, 3, 4};
    struct sim *sim = x->sim;
    const struct exchange_terms *t = &x->terms[symbol];
    struct exchange_command c = {0};
    c.side = (uint8_t)sim_pick(sim, 2);
    c.tif = tifs[sim_pick(sim, sizeof tifs)];
    c.stp = (uint8_t)(sim_percent(sim, 50) ? 0 : sim_pick(sim, 5));
    c.account = 1 + sim_pick(sim, EX_ACCOUNTS + sim_percent(sim, 2));
    c.price = BASE_PRICE + t->tick * ((int64_t)sim_pick(sim, 9) - 4);
    c.quantity = t->lot * (1 + sim_pick(sim, 12));
    if (sim_percent(sim, 40)) c.client_ref = 1 + sim_pick(sim, 60);
    if (c.tif == EXCHANGE_TIF_GTD)
        c.expire_ns = (x->ledgers[ex_partition(x, symbol)].model->now / NS_PER_MS + sim_pick(sim, 3000)) * NS_PER_MS;
    if (c.tif >= EXCHANGE_TIF_IOC && sim_percent(sim, 40)) {
        c.flags = EXCHANGE_FLAG_MARKET;
        c.price = 0;
    } else if (c.tif < EXCHANGE_TIF_IOC && sim_percent(sim, 12)) {
        c.flags = EXCHANGE_FLAG_POST_ONLY;
    }
    if (sim_percent(sim, 3)) c.quantity++;
    if (c.price && sim_percent(sim, 2)) c.price += 300; /* outside the band, if there is one */
    return c;
}

static void ask_order(struct exchange_sim *x, uint32_t symbol) {
    struct exchange_command c = ex_http_draw(x, symbol);
    struct ex_ask *a = ask_new(x, EXCHANGE_COMMAND_NEW, "POST");
    a->valid = !sim_percent(x->sim, 2);
    snprintf(a->target, sizeof a->target, "/v1/exchange/orders");
    snprintf(a->body, sizeof a->body,
        "{\"symbol\":\"%s\",\"side\":\"%s\",\"type\":\"%s\",\"timeInForce\":\"%s\",\"price\":%lld,\"quantity\":%llu,"
        "\"postOnly\":%s,\"selfTrade\":\"%s\",\"account\":%u,\"clientRef\":%llu,\"expireAtMs\":%llu}",
        x->names[symbol],
        !a->valid ? "SIDE_UNSPECIFIED"
        : c.side  ? "SELL"
                  : "BUY",
        c.flags & EXCHANGE_FLAG_MARKET ? "MARKET" : "LIMIT", tif_names[c.tif], (long long)c.price,
        (unsigned long long)c.quantity, c.flags & EXCHANGE_FLAG_POST_ONLY ? "true" : "false", stp_names[c.stp],
        c.account, (unsigned long long)c.client_ref, (unsigned long long)(c.expire_ns / NS_PER_MS));
    expect_command(a, &c, x->names[symbol]);
    a->partition = ex_partition(x, symbol);
}

/* Of an order that was heard of, or of any number. */
static void ask_change(struct exchange_sim *x, uint8_t kind) {
    struct sim *sim = x->sim;
    uint64_t id = sim_percent(sim, 95) ? x->known[sim_pick(sim, 32)] : 0;
    if (id == 0) id = 1 + sim_pick(sim, 100);
    struct exchange_command c = {.order_id = id / x->partitions};
    c.account = sim_percent(sim, 60) ? 0 : 1 + sim_pick(sim, EX_ACCOUNTS);
    struct ex_ask *a = ask_new(x, kind,
        kind == EXCHANGE_COMMAND_CANCEL    ? "DELETE"
        : kind == EXCHANGE_COMMAND_REPLACE ? "PATCH"
                                           : "POST");
    a->partition = (uint32_t)(id % x->partitions);
    if (kind != EXCHANGE_COMMAND_CANCEL) c.quantity = 10 * sim_pick(sim, 14);
    if (kind == EXCHANGE_COMMAND_REPLACE) {
        c.price = BASE_PRICE + 5 * ((int64_t)sim_pick(sim, 5) - 2);
        if (sim_percent(sim, 30)) c.client_ref = 1 + sim_pick(sim, 60);
    }
    if (kind == EXCHANGE_COMMAND_CANCEL)
        snprintf(a->target, sizeof a->target,
            c.account ? "/v1/exchange/orders/%llu?account=%u" : "/v1/exchange/orders/%llu", (unsigned long long)id,
            c.account);
    else
        snprintf(a->target, sizeof a->target, "/v1/exchange/orders/%llu%s", (unsigned long long)id,
            kind == EXCHANGE_COMMAND_REDUCE ? "/reduce" : "");
    if (kind == EXCHANGE_COMMAND_REDUCE)
        snprintf(a->body, sizeof a->body, "{\"account\":%u,\"by\":%llu}", c.account, (unsigned long long)c.quantity);
    if (kind == EXCHANGE_COMMAND_REPLACE)
        snprintf(a->body, sizeof a->body, "{\"account\":%u,\"price\":%lld,\"quantity\":%llu,\"clientRef\":%llu}",
            c.account, (long long)c.price, (unsigned long long)c.quantity, (unsigned long long)c.client_ref);
    expect_command(a, &c, NULL);
}

static void ask_many(struct exchange_sim *x, uint32_t symbol) {
    static const char *const sides[] = {"BUY", "SELL", "SIDE_UNSPECIFIED"};
    struct exchange_command c = {.side = (uint8_t)sim_pick(x->sim, 3)};
    bool day = sim_percent(x->sim, 30);
    struct ex_ask *a = ask_new(x, day ? EXCHANGE_COMMAND_END_OF_DAY : EXCHANGE_COMMAND_MASS_CANCEL, "POST");
    if (day) {
        c.side = 0;
        snprintf(a->target, sizeof a->target, "/v1/exchange/day-end");
        snprintf(a->body, sizeof a->body, "{\"symbol\":\"%s\"}", x->names[symbol]);
    } else {
        c.account = sim_pick(x->sim, EX_ACCOUNTS + 1);
        snprintf(a->target, sizeof a->target, "/v1/exchange/mass-cancel");
        snprintf(a->body, sizeof a->body, "{\"symbol\":\"%s\",\"account\":%u,\"side\":\"%s\"}", x->names[symbol],
            c.account, sides[c.side]);
    }
    expect_command(a, &c, x->names[symbol]);
    a->partition = ex_partition(x, symbol);
}

static void ask_state(struct exchange_sim *x, uint32_t symbol) {
    bool halt = sim_percent(x->sim, 25);
    struct exchange_command c = {0};
    struct ex_ask *a = ask_new(x, halt ? EXCHANGE_COMMAND_HALT : EXCHANGE_COMMAND_RESUME, "POST");
    snprintf(a->target, sizeof a->target, "/v1/exchange/symbols/%s/%s", x->names[symbol], halt ? "halt" : "resume");
    expect_command(a, &c, x->names[symbol]);
    a->partition = ex_partition(x, symbol);
}

static void draw_ask(struct exchange_sim *x) {
    uint32_t symbol = sim_pick(x->sim, x->symbol_count), kind = sim_pick(x->sim, 100);
    bool known = ex_ledger_symbol(&x->ledgers[ex_partition(x, symbol)], x->names[symbol]) != 0;
    if ((!known && kind < 60) || kind == 99)
        ask_symbol(x, symbol, false);
    else if (kind < 66)
        ask_order(x, symbol);
    else if (kind < 78)
        ask_change(x, EXCHANGE_COMMAND_CANCEL);
    else if (kind < 84)
        ask_change(x, EXCHANGE_COMMAND_REDUCE);
    else if (kind < 93)
        ask_change(x, EXCHANGE_COMMAND_REPLACE);
    else if (kind < 95)
        ask_many(x, symbol);
    else if (kind < 98)
        ask_state(x, symbol);
    else
        ask_symbol(x, symbol, true);
}

/* ---- asking -------------------------------------------------------------------------------------------------- */
static void send_ask(struct exchange_sim *x, struct ex_trader *t, uint32_t number) {
    struct ex_ask *a = &x->asks[number];
    char key[24];
    snprintf(key, sizeof key, "ex-%u", number);
    t->role = EX_ASKS;
    t->ask = number;
    a->busy++;
    client_ask(&t->client, a->method, a->target, key, a->body[0] ? a->body : NULL);
}

/* The key of a command that is done, on another one: "quantity":1 becomes 11 or the like. */
static bool send_reused(struct exchange_sim *x, struct ex_trader *t, uint32_t number) {
    const struct ex_ask *a = &x->asks[number];
    char key[24], body[sizeof a->body + 1];
    const char *at = strstr(a->body, "\"quantity\":");
    if (!a->answered || !a->valid || !at) return false;
    int head = (int)(at - a->body) + 11;
    snprintf(body, sizeof body, "%.*s1%s", head, a->body, a->body + head);
    snprintf(key, sizeof key, "ex-%u", number);
    t->role = EX_REUSES;
    t->ask = number;
    client_ask(&t->client, a->method, a->target, key, body);
    return true;
}

static void send_query(struct exchange_sim *x, struct ex_trader *t) {
    char target[96];
    uint64_t id = x->known[sim_pick(x->sim, 32)];
    t->role = EX_QUERIES;
    switch (sim_pick(x->sim, 4)) {
    case 0:
        snprintf(target, sizeof target, "/v1/exchange/orders/%llu", (unsigned long long)(id ? id : 1));
        break;
    case 1: {
        uint32_t partition = sim_pick(x->sim, x->partitions), account = 1 + sim_pick(x->sim, EX_ACCOUNTS);
        snprintf(target, sizeof target, "/v1/exchange/accounts/%u/orders?partition=%u", account, partition);
        break;
    }
    case 2:
        snprintf(target, sizeof target, "/v1/exchange/stats?partition=%u", sim_pick(x->sim, x->partitions));
        break;
    default:
        snprintf(target, sizeof target, "/v1/exchange/book/%s", x->names[sim_pick(x->sim, x->symbol_count)]);
    }
    client_ask(&t->client, "GET", target, NULL, NULL);
}

/* One that has no answer, and is not under way unless doubles are wanted. */
static bool send_again(struct exchange_sim *x, struct ex_trader *t, bool doubles) {
    if (x->ask_count == 0) return false;
    uint32_t from = sim_pick(x->sim, x->ask_count);
    for (uint32_t i = 0; i < x->ask_count; i++) {
        uint32_t number = (from + i) % x->ask_count;
        const struct ex_ask *a = &x->asks[number];
        if (a->answered || (a->busy > 0 && !doubles)) continue;
        send_ask(x, t, number);
        return true;
    }
    return false;
}

static void draw_request(struct exchange_sim *x, struct ex_trader *t) {
    uint32_t kind = sim_pick(x->sim, 100);
    if (kind < 35 && send_again(x, t, kind < 8)) return;
    if (kind < 45 && x->ask_count > 0) {
        uint32_t number = sim_pick(x->sim, x->ask_count);
        if (kind < 38 && send_reused(x, t, number)) return;
        if (kind < 42) {
            send_ask(x, t, number);
            return;
        }
    }
    if (kind < 55) {
        send_query(x, t);
    } else if (x->ask_count < EX_ASKS_MAX) {
        draw_ask(x);
        send_ask(x, t, x->ask_count - 1);
    }
}

/* ---- answers ------------------------------------------------------------------------------------------------- */
/* The number behind "name": in text that ends at end; 0 when it is left out. */
static uint64_t number_of(const char *text, const char *end, const char *name) {
    char quoted[32];
    int size = snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *at = memmem(text, (size_t)(end - text), quoted, (size_t)size);
    if (!at) return 0;
    at += size;
    return (uint64_t)strtoll(at + (*at == '"'), NULL, 10);
}

/* False: the exchange did not say this, the node did. */
static bool read_told(const struct client *c, struct ex_told *ret_told) {
    static const char *const names[] = {"REJECTED", "OPEN", "FILLED", "CANCELED", "DONE"};
    const char *text = (const char *)c->body.data, *end = text + c->body.size;
    if (c->status != 200 && c->status != 201) {
        text = memmem(text, c->body.size, "\"response\":", 11);
        if (!text) return false;
    }
    struct ex_told t = {.http = (uint16_t)c->status, .reason = (uint8_t)number_of(text, end, "reason")};
    t.text_hash = hash_bytes(text, (size_t)(end - text), t.http);
    const char *status = memmem(text, (size_t)(end - text), "\"status\":\"", 10);
    for (uint8_t i = 0; status && i < 5; i++)
        if (strncmp(status + 10, names[i], strlen(names[i])) == 0) t.status = i;
    t.order_id = number_of(text, end, "orderId");
    t.executed = number_of(text, end, "executed");
    t.leaves = number_of(text, end, "leaves");
    t.canceled = number_of(text, end, "canceledOrders");
    const char *fill = memmem(text, (size_t)(end - text), "\"fills\":[{", 10);
    for (; fill && (fill = memchr(fill, '{', (size_t)(end - fill))); fill++, t.fills++) {
        const char *fill_end = memchr(fill, '}', (size_t)(end - fill));
        if (!fill_end) break;
        uint64_t values[] = {number_of(fill, fill_end, "price"), number_of(fill, fill_end, "quantity"),
            number_of(fill, fill_end, "matchId")};
        t.fills_hash = hash_bytes(values, sizeof values, t.fills_hash);
    }
    *ret_told = t;
    return true;
}

static void take_told(struct exchange_sim *x, struct ex_ask *a, const struct client *c, const struct ex_told *told) {
    uint32_t number = (uint32_t)(a - x->asks);
    if (a->answered && a->told.text_hash != told->text_hash && x->trusts)
        sim_fail(x->sim, "request %u is answered in another way the second time: %d %.*s", number, c->status,
            (int)c->body.size, c->body.data);
    a->answered = true;
    a->told = *told;
    a->life = x->life;
    if (told->order_id && told->status == EXCHANGE_OPEN) x->known[x->known_next++ % 32] = told->order_id;
}

static bool is_passing(int status) {
    return status >= 500 || status == 408 || status == 429;
}

static void take_answer(struct exchange_sim *x, struct ex_trader *t) {
    struct client *c = &t->client;
    struct ex_ask *a = &x->asks[t->ask];
    struct ex_told told;
    bool said = read_told(c, &told);
    if (!said && is_passing(c->status)) return;
    if (t->role == EX_REUSES) {
        if ((said || c->status != 422) && x->trusts)
            sim_fail(x->sim, "the key of request %u on another body gets %d: %.*s", t->ask, c->status,
                (int)c->body.size, c->body.data);
    } else if (said && a->valid) {
        take_told(x, a, c, &told);
    } else if (c->status == 400 && !a->valid) {
        a->answered = true;
    } else {
        sim_fail(x->sim, "request %u (%s %s %s) gets %d: %.*s", t->ask, a->method, a->target, a->body, c->status,
            (int)c->body.size, c->body.data);
    }
}

/* ---- the book, in the calm ----------------------------------------------------------------------------------- */
/* The objects of an array as text of three numbers each. */
static void read_list(const struct client *c, const char *list, const char *const names[3], char *text) {
    char quoted[32];
    int size = snprintf(quoted, sizeof quoted, "\"%s\":[", list);
    const char *all = (const char *)c->body.data, *at = memmem(all, c->body.size, quoted, (size_t)size);
    size_t used = 0;
    text[0] = 0;
    if (!at) return;
    for (at += size; *at == '{' || *at == ','; at++) {
        const char *end = strchr(at, '}');
        if (!end || used + 80 > TEXT_MAX) return;
        used +=
            (size_t)snprintf(text + used, TEXT_MAX - used, "%lld %llu %llu;", (long long)number_of(at, end, names[0]),
                (unsigned long long)number_of(at, end, names[1]), (unsigned long long)number_of(at, end, names[2]));
        at = end;
    }
}

static void look(struct exchange_sim *x, struct ex_trader *t) {
    char target[96];
    t->role = EX_LOOKS;
    if (x->looks_until_ns == 0) x->looks_until_ns = sim_now_ns(x->sim) + LOOKS_NS;
    for (uint32_t i = 0; i < x->symbol_count; i++) {
        if (x->looked[i]) continue;
        t->symbol = i;
        t->account = 0;
        t->partition = ex_partition(x, i);
        snprintf(target, sizeof target, "/v1/exchange/book/%s?depth=100", x->names[i]);
        client_ask(&t->client, "GET", target, NULL, NULL);
        return;
    }
    for (uint32_t p = 0; p < x->partitions; p++)
        for (uint32_t account = 1; account <= EX_ACCOUNTS; account++) {
            if (x->looked_account[p][account]) continue;
            t->account = account;
            t->partition = p;
            snprintf(target, sizeof target, "/v1/exchange/accounts/%u/orders?partition=%u", account, p);
            client_ask(&t->client, "GET", target, NULL, NULL);
            return;
        }
}

static void take_look(struct exchange_sim *x, struct ex_trader *t) {
    static const char *const of_level[] = {"price", "quantity", "orders"}, *const of_order[] = {
                                                                               "orderId", "price", "leaves"};
    static const char *const lists[] = {"bids", "asks"};
    static char shown[TEXT_MAX], right[TEXT_MAX];
    struct ex_ledger *l = &x->ledgers[t->partition];
    if (is_passing(t->client.status) || !node_is_open(&x->sim->node)) return;
    bool same = true, readable = ex_ledger_take(l); /* else there is nothing to hold it against */
    if (x->sim->failed) return;
    for (uint8_t side = 0; readable && same && side < (t->account ? 1 : 2); side++) {
        read_list(&t->client, t->account ? "orders" : lists[side], t->account ? of_order : of_level, shown);
        if (t->account)
            (void)ex_ledger_account(l, t->account, right, sizeof right);
        else
            (void)ex_ledger_side(l, x->names[t->symbol], side, right, sizeof right);
        same = strcmp(shown, right) == 0;
    }
    if (same && t->account) x->looked_account[t->partition][t->account] = true;
    if (same && !t->account) x->looked[t->symbol] = true;
    if (!same && sim_now_ns(x->sim) >
                     x->looks_until_ns) /* orders may expire meanwhile, or be canceled as their session is gone */
        sim_fail(x->sim, "%s %u shows \"%s\", the plain rules give \"%s\"",
            t->account ? "account" : "the book of symbol", t->account ? t->account : t->symbol, shown, right);
}

/* ---- moving on ----------------------------------------------------------------------------------------------- */
static void finish(struct exchange_sim *x, struct ex_trader *t) {
    struct client *c = &t->client;
    struct ex_ask *a = &x->asks[t->ask];
    if (c->state == CLIENT_FREE) return;
    if (t->role == EX_ASKS) {
        a->busy--;
        a->sent |= c->state != CLIENT_UNSENT;
    }
    if (c->state == CLIENT_ANSWERED && t->role == EX_LOOKS) take_look(x, t);
    if (c->state == CLIENT_ANSWERED && (t->role == EX_ASKS || t->role == EX_REUSES)) take_answer(x, t);
    if (c->state == CLIENT_ANSWERED && t->role == EX_QUERIES && c->status != 200 && c->status != 404 &&
        !is_passing(c->status))
        sim_fail(x->sim, "a query gets %d: %.*s", c->status, (int)c->body.size, c->body.data);
    client_done_with(c);
}

/* False: everything is begun. */
static bool ask_in_the_calm(struct exchange_sim *x, struct ex_trader *t) {
    if (x->calm_left == 0 || x->ask_count == EX_ASKS_MAX + EX_CALM_ASKS_MAX) return false;
    x->calm_left--;
    draw_ask(x);
    send_ask(x, t, x->ask_count - 1);
    return true;
}

void ex_http_step(struct exchange_sim *x, bool calm) {
    for (uint32_t i = 0; i < x->trader_count; i++) {
        struct ex_trader *t = &x->traders[i];
        client_step(&t->client);
        if (t->client.state == CLIENT_WAITS) continue;
        finish(x, t);
        if (!calm && sim_percent(x->sim, 60)) draw_request(x, t);
        if (!calm || t->client.state != CLIENT_FREE) continue;
        if (!send_again(x, t, false) && !ask_in_the_calm(x, t) && !ex_http_settled(x)) look(x, t);
    }
}

bool ex_http_settled(const struct exchange_sim *x) {
    for (uint32_t i = 0; i < x->trader_count; i++)
        if (x->traders[i].client.state != CLIENT_FREE) return false;
    for (uint32_t i = 0; i < x->ask_count; i++)
        if (!x->asks[i].answered) return false;
    for (uint32_t i = 0; i < x->symbol_count; i++)
        if (!x->looked[i]) return false;
    for (uint32_t p = 0; p < x->partitions; p++)
        for (uint32_t account = 1; account <= EX_ACCOUNTS; account++)
            if (!x->looked_account[p][account]) return false;
    return true;
}

/* ---- checking ------------------------------------------------------------------------------------------------ */
struct ex_ask *ex_http_seen(
    struct exchange_sim *x, struct ex_ledger *l, struct weir_slice key, uint16_t type, struct weir_slice value) {
    const char *at = memmem(key.data, key.size, "ex-", 3);
    char text[16] = {0};
    size_t left = at ? key.size - (size_t)((const uint8_t *)at - key.data) - 3 : sizeof text;
    if (left < sizeof text) memcpy(text, at + 3, left);
    uint32_t number = text[0] ? (uint32_t)strtoul(text, NULL, 10) : UINT32_MAX;
    if (number >= x->ask_count) {
        sim_fail(x->sim, "exchange.orders-%u holds a command under a key nobody used", l->partition);
        return NULL;
    }
    struct ex_ask *a = &x->asks[number];
    bool under_way = a->busy > 0;
    if (a->partition != l->partition || a->record_type != type ||
        !weir_slice_equal(value, weir_slice(a->record, a->record_size)))
        sim_fail(x->sim, "request %u (%s %s %s) stands in exchange.orders-%u as another", number, a->method, a->target,
            a->body, l->partition);
    else if (!a->valid || (!a->sent && !under_way))
        sim_fail(x->sim, "request %u was refused or never sent, and is in exchange.orders-%u", number, l->partition);
    else if (a->seen++ > 0)
        sim_fail(x->sim, "request %u stands twice in exchange.orders-%u", number, l->partition);
    return a;
}

static bool is_right(const struct ex_ask *a) {
    const struct ex_told *t = &a->told, *d = &a->derived;
    bool many = a->kind == EXCHANGE_COMMAND_MASS_CANCEL || a->kind == EXCHANGE_COMMAND_END_OF_DAY;
    return t->http == d->http && t->status == d->status && t->reason == d->reason && t->order_id == d->order_id &&
           t->executed == d->executed && t->leaves == d->leaves && t->fills == d->fills &&
           t->fills_hash == d->fills_hash && (!many || t->canceled == d->canceled);
}

/* What was answered in this life is durable, but perhaps not readable yet. */
void ex_http_check(struct exchange_sim *x, bool whole) {
    for (uint32_t i = 0; i < x->ask_count && x->trusts && !x->sim->failed; i++) {
        const struct ex_ask *a = &x->asks[i];
        const struct ex_told *t = &a->told, *d = &a->derived;
        if (!a->answered || !a->valid) continue;
        if (a->seen == 0 && (whole || a->life < x->life))
            sim_fail(x->sim, "request %u (%s %s %s) was answered with %u, and is lost", i, a->method, a->target,
                a->body, t->http);
        if (a->is_derived && !is_right(a))
            sim_fail(x->sim,
                "request %u (%s %s %s) was told: http %u status %u reason %s order %llu executed %llu leaves %llu "
                "fills "
                "%u canceled %llu; the plain rules say http %u status %u reason %s order %llu executed %llu leaves "
                "%llu "
                "fills %u canceled %llu",
                i, a->method, a->target, a->body, t->http, t->status, exchange_reason_code(t->reason),
                (unsigned long long)t->order_id, (unsigned long long)t->executed, (unsigned long long)t->leaves,
                t->fills, (unsigned long long)t->canceled, d->http, d->status, exchange_reason_code(d->reason),
                (unsigned long long)d->order_id, (unsigned long long)d->executed, (unsigned long long)d->leaves,
                d->fills, (unsigned long long)d->canceled);
    }
}
