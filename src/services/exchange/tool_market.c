#include "exchange/tool_market.h"
#include "base/json.h"
#include "exchange/tool_client.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define L2_TOPIC      "exchange.l2"
#define L2_PAGE       10000
#define BOOK_DEPTH    500
#define NAME_SIZE_MAX 8 /* of the binary gateway */

enum weir_error market_open(struct market *market, const char *node) {
    *market = (struct market){0};
    return tool_http_init(&market->http, node);
}

void market_done(struct market *market) {
    tool_http_done(&market->http);
    free(market->symbols);
    *market = (struct market){0};
}

enum weir_error market_listener(struct market *market, const char *name, char ret_address[80]) {
    struct weir_slice answer;
    enum weir_error error = tool_http_call(&market->http, WEIR_HTTP_GET, "/v1/node", NULL, &answer);
    if (error) return error;
    struct json_reader r = json_reader(answer, 0);
    char have[64] = "", address[80] = "";
    while (json_next(&r) != JSON_END && r.token != JSON_ERROR) {
        if (r.token != JSON_KEY) continue;
        char *to = json_text_is(&r, "name") ? have : json_text_is(&r, "address") ? address : NULL;
        size_t size = to == have ? sizeof(have) : sizeof(address);
        if (to == NULL || json_next(&r) != JSON_STRING || r.text.size >= size) continue;
        to[json_text_decode(&r, to)] = 0;
        if (to != address || strcmp(have, name) != 0) continue;
        snprintf(ret_address, 80, "%s", address);
        return WEIR_OK;
    }
    return weir_error_context(
        WEIR_E_NOT_FOUND, "the node has no listener \"%s\"; its exchange does not listen, or does not run", name);
}

/* ---- symbols ---- */

static enum weir_error define_one(struct market *market, struct market_symbol *symbol) {
    char body[80], target[80];
    int status;
    struct weir_slice answer;
    snprintf(body, sizeof(body), "{\"symbol\":\"%s\",\"tick\":1,\"lot\":1}", symbol->name);
    enum weir_error error =
        tool_http_request(&market->http, WEIR_HTTP_POST, "/v1/exchange/symbols", body, &status, &answer);
    if (error) return error;
    if (status >= 400 && status != 409) {
        char detail[200] = "";
        if (!tool_json_text(answer, "detail", detail, sizeof(detail)))
            (void)tool_json_text(answer, "sentence", detail, sizeof(detail));
        return weir_error_context(WEIR_E_INVALID, "the node does not define %s (%d): %s", symbol->name, status, detail);
    }
    snprintf(target, sizeof(target), "/v1/exchange/symbols/%s", symbol->name);
    error = tool_http_call(&market->http, WEIR_HTTP_GET, target, NULL, &answer);
    if (error) return error;
    int64_t number = 0, partition = 0; /* a zero may be left out */
    (void)tool_json_number(answer, "partition", &partition);
    if (!tool_json_number(answer, "number", &number) || partition < 0 || partition >= MARKET_PARTITIONS_MAX)
        return weir_error_context(WEIR_E_UNSUPPORTED, "%s: the node does not tell its number, or is on partition %lld",
            symbol->name, (long long)partition);
    symbol->number = (uint32_t)number;
    symbol->partition = (uint32_t)partition;
    if (market->partition_count <= symbol->partition) market->partition_count = symbol->partition + 1;
    return WEIR_OK;
}

enum weir_error market_define(struct market *market, const char *name, uint32_t count) {
    market->symbols = calloc(count, sizeof(*market->symbols));
    if (market->symbols == NULL) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for %u symbols", count);
    market->symbol_count = count;
    enum weir_error error = WEIR_OK;
    for (uint32_t i = 0; i < count && error == WEIR_OK; i++) {
        char *out = market->symbols[i].name;
        int size = count == 1 ? snprintf(out, 16, "%s", name) : snprintf(out, 16, "%s%u", name, i);
        if (size > NAME_SIZE_MAX)
            return weir_error_context(WEIR_E_INVALID,
                "symbol %s: the binary gateway takes names of at most %d characters", out, NAME_SIZE_MAX);
        error = define_one(market, &market->symbols[i]);
    }
    return error;
}

/* ---- books ---- */

/* One side of a book answer: "bids" or "asks", into a book of its own. */
static bool read_levels(struct json_reader *r, unsigned side, struct tool_book *book) {
    if (json_next(r) != JSON_ARRAY_OPEN) return false;
    while (json_next(r) == JSON_OBJECT_OPEN) {
        int64_t price = 0, quantity = 0;
        while (json_next(r) == JSON_KEY) {
            int64_t *to = json_text_is(r, "price") ? &price : json_text_is(r, "quantity") ? &quantity : NULL;
            json_next(r);
            char text[24];
            if (to && r->token == JSON_STRING && r->text.size < sizeof(text)) {
                text[json_text_decode(r, text)] = 0;
                *to = strtoll(text, NULL, 10);
            } else if (to && !json_get_i64(r, to)) {
                return false;
            }
        }
        if (tool_book_set(book, side, price, (uint64_t)quantity)) return false;
    }
    return r->token == JSON_ARRAY_CLOSE;
}

static enum weir_error read_book(struct market *market, const struct market_symbol *symbol, struct tool_book *book) {
    char target[80];
    struct weir_slice answer;
    snprintf(target, sizeof(target), "/v1/exchange/book/%s?depth=%d", symbol->name, BOOK_DEPTH);
    enum weir_error error = tool_http_call(&market->http, WEIR_HTTP_GET, target, NULL, &answer);
    if (error) return error;
    struct json_reader r = json_reader(answer, 0);
    bool good = json_next(&r) == JSON_OBJECT_OPEN;
    while (good && json_next(&r) == JSON_KEY) {
        if (json_text_is(&r, "bids"))
            good = read_levels(&r, EXCHANGE_SIDE_BUY, book);
        else if (json_text_is(&r, "asks"))
            good = read_levels(&r, EXCHANGE_SIDE_SELL, book);
        else
            good = json_next(&r) != JSON_ERROR && json_skip_value(&r);
    }
    if (!good) return weir_error_context(WEIR_E_INVALID, "the book of %s cannot be read", symbol->name);
    return WEIR_OK;
}

static enum weir_error l2_end(struct market *market, uint32_t partition, uint64_t *ret_offset) {
    char target[100];
    struct weir_slice answer;
    int64_t high;
    snprintf(target, sizeof(target), "/v1/topics/" L2_TOPIC "/records?partition=%u&offset=-1&limit=1", partition);
    enum weir_error error = tool_http_call(&market->http, WEIR_HTTP_GET, target, NULL, &answer);
    if (error) return error;
    if (!tool_json_number(answer, "high", &high))
        return weir_error_context(WEIR_E_INVALID, "%s: the node does not tell where it ends", target);
    *ret_offset = (uint64_t)high;
    return WEIR_OK;
}

enum weir_error market_begin(struct market *market) {
    for (uint32_t i = 0; i < market->symbol_count; i++) {
        struct tool_book book = {0};
        enum weir_error error = read_book(market, &market->symbols[i], &book);
        bool is_empty = book.hash == 0;
        tool_book_done(&book);
        if (error) return error;
        if (!is_empty)
            return weir_error_context(WEIR_E_CONFLICT,
                "%s has open orders of others, so its book would never be the recorded one; name another with --symbol",
                market->symbols[i].name);
    }
    enum weir_error error = WEIR_OK;
    for (uint32_t p = 0; p < market->partition_count && error == WEIR_OK; p++)
        error = l2_end(market, p, &market->l2_start[p]);
    return error;
}

/* ---- the public increments ---- */

struct follower { /* of one symbol */
    struct tool_book book;
    size_t next; /* request whose book must come */
};

/* Past every request that left the book as it stands. */
static void pass(const struct check *check, uint32_t symbol, struct follower *f) {
    const struct plan *plan = check->plan;
    while (f->next < plan->count) {
        bool own = plan->requests[f->next].symbol == symbol && plan->requests[f->next].kind != PLAN_NOTHING;
        if (own && check->hashes[f->next] != f->book.hash) return;
        f->next++;
    }
}

struct increment {
    int64_t type, symbol, price, quantity, side;
};

static bool read_number(struct json_reader *r, int64_t *ret) {
    if (json_get_i64(r, ret)) return true;
    char text[24] = "";
    if (r->token != JSON_STRING || r->text.size >= sizeof(text)) return false;
    text[json_text_decode(r, text)] = 0;
    if (text[0] >= 'A') { /* a word: of the type or the side */
        *ret = text[0] == 's' || text[0] == 'S' || text[0] == 'a' || text[0] == 'A';
        return true;
    }
    *ret = strtoll(text, NULL, 10);
    return true;
}

/* The object of a record, and the one of its value: their members do not clash but for "type", which is the record's.
 */
static bool read_increment(struct json_reader *r, struct increment *ret) {
    unsigned depth = r->depth;
    bool has_type = false;
    *ret = (struct increment){0};
    while (json_next(r) != JSON_ERROR && r->depth >= depth) {
        if (r->token != JSON_KEY) continue;
        int64_t *to = json_text_is(r, "symbol_number") ? &ret->symbol
                      : json_text_is(r, "price")       ? &ret->price
                      : json_text_is(r, "quantity")    ? &ret->quantity
                      : json_text_is(r, "side")        ? &ret->side
                                                       : NULL;
        if (to == NULL && !has_type && json_text_is(r, "type")) {
            to = &ret->type;
            has_type = true;
        }
        if (to == NULL) continue;
        json_next(r);
        if (!read_number(r, to)) return false;
    }
    return r->token != JSON_ERROR;
}

static enum weir_error apply(struct market *market, struct check *check, struct follower *followers, uint32_t partition,
    const struct increment *increment) {
    if (increment->type != EXCHANGE_EVENT_L2) return WEIR_OK;
    for (uint32_t i = 0; i < market->symbol_count; i++) {
        struct follower *f = &followers[i];
        if (market->symbols[i].partition != partition || market->symbols[i].number != (uint64_t)increment->symbol)
            continue;
        pass(check, i, f);
        market->l2_increments++;
        return tool_book_set(&f->book, increment->side != 0, increment->price, (uint64_t)increment->quantity);
    }
    return WEIR_OK;
}

static enum weir_error read_page(
    struct market *market, struct check *check, struct follower *followers, uint32_t partition, uint64_t *offset) {
    char target[120];
    struct weir_slice answer;
    snprintf(target, sizeof(target), "/v1/topics/" L2_TOPIC "/records?partition=%u&offset=%llu&limit=%d", partition,
        (unsigned long long)*offset, L2_PAGE);
    enum weir_error error = tool_http_call(&market->http, WEIR_HTTP_GET, target, NULL, &answer);
    if (error) return error;
    int64_t next = (int64_t)*offset;
    struct json_reader r = json_reader(answer, 0);
    bool good = json_next(&r) == JSON_OBJECT_OPEN;
    while (good && json_next(&r) == JSON_KEY) {
        bool is_records = json_text_is(&r, "records"), is_next = json_text_is(&r, "next");
        json_next(&r);
        if (is_next) good = read_number(&r, &next);
        if (!is_records) {
            good = good && json_skip_value(&r);
            continue;
        }
        struct increment increment;
        while (good && json_next(&r) == JSON_OBJECT_OPEN) {
            good = read_increment(&r, &increment);
            if (good) error = apply(market, check, followers, partition, &increment);
            if (error) return error;
        }
    }
    if (!good) return weir_error_context(WEIR_E_INVALID, "%s: the answer cannot be read", target);
    *offset = (uint64_t)next;
    return WEIR_OK;
}

static enum weir_error compare_end(struct market *market, struct check *check, uint32_t symbol, struct follower *f) {
    const struct plan *plan = check->plan;
    pass(check, symbol, f);
    if (f->next < plan->count)
        check_mismatch(check, "%s: the L2 increments never make the book after %s %u", market->symbols[symbol].name,
            plan->levels ? "line" : "record", plan->requests[f->next].row + (plan->levels != NULL));
    struct tool_book served = {0};
    enum weir_error error = read_book(market, &market->symbols[symbol], &served);
    bool is_cut = served.sides[0].count == BOOK_DEPTH || served.sides[1].count == BOOK_DEPTH;
    if (error == WEIR_OK && !is_cut && served.hash != f->book.hash)
        check_mismatch(
            check, "%s: the book over HTTP is not the one of the L2 increments", market->symbols[symbol].name);
    tool_book_done(&served);
    return error;
}

enum weir_error market_l2_check(struct market *market, struct check *check) {
    struct follower *followers = calloc(market->symbol_count, sizeof(*followers));
    if (followers == NULL) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the books");
    enum weir_error error = WEIR_OK;
    for (uint32_t p = 0; p < market->partition_count && error == WEIR_OK; p++) {
        uint64_t at = market->l2_start[p], end = at, before = UINT64_MAX;
        error = l2_end(market, p, &end);
        while (error == WEIR_OK && at < end && at != before) {
            before = at;
            error = read_page(market, check, followers, p, &at);
        }
        if (error == WEIR_OK && at < end)
            error = weir_error_context(
                WEIR_E_INVALID, L2_TOPIC " partition %u cannot be read past offset %llu", p, (unsigned long long)at);
    }
    for (uint32_t i = 0; i < market->symbol_count && error == WEIR_OK; i++)
        error = compare_end(market, check, i, &followers[i]);
    for (uint32_t i = 0; i < market->symbol_count; i++)
        tool_book_done(&followers[i].book);
    free(followers);
    return error;
}
