/* What may be traded and on which terms. */
#include "exchange/book.h"

#define PRICE_LIMIT (INT64_C(1) << 60)

enum exchange_reason symbols_check(const struct exchange_terms *terms) {
    if (terms->tick <= 0 || terms->tick > PRICE_LIMIT || terms->lot == 0 || terms->lot > INT64_MAX)
        return EXCHANGE_REASON_TERMS;
    if (terms->band < 0 || terms->collar < 0 || terms->band > PRICE_LIMIT || terms->collar > PRICE_LIMIT)
        return EXCHANGE_REASON_MALFORMED;
    if (terms->reference > PRICE_LIMIT || terms->reference < -PRICE_LIMIT) return EXCHANGE_REASON_PRICE_RANGE;
    bool padding = false;
    for (size_t i = 0; i < EXCHANGE_NAME_SIZE; i++) {
        unsigned char c = (unsigned char)terms->name[i];
        if (c == 0)
            padding = true;
        else if (padding || c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '/')
            return EXCHANGE_REASON_MALFORMED;
    }
    return terms->name[0] ? EXCHANGE_REASON_NONE : EXCHANGE_REASON_MALFORMED;
}

void symbols_set(struct symbol *symbol, const struct exchange_terms *terms) {
    int64_t range;
    if (__builtin_mul_overflow(terms->tick, TICKS_MAX, &range) || range > PRICE_LIMIT) range = PRICE_LIMIT;
    symbol->number = terms->symbol;
    symbol->terms = *terms;
    symbol->tick = terms->tick;
    symbol->lot = terms->lot;
    symbol->quantity_max = terms->quantity_max ? terms->quantity_max : INT64_MAX;
    symbol->notional_max = terms->notional_max;
    symbol->price_low = -range;
    symbol->price_high = range;
    if (terms->band) {
        int64_t low = terms->reference - terms->band, high = terms->reference + terms->band;
        symbol->price_low = low > -range ? low : -range;
        symbol->price_high = high < range ? high : range;
    }
}

uint64_t symbols_digest(const struct symbol *symbol) {
    uint64_t words[sizeof(struct exchange_terms) / 8], sum = symbol->state;
    memcpy(words, &symbol->terms, sizeof(words));
    for (size_t i = 0; i < sizeof(words) / 8; i++)
        sum = digest_mix(sum + words[i]) * DIGEST_FIXED;
    return sum;
}

/* Terms name no account; a refusal still has to say which command it answers. */
static void refuse(struct exchange_core *core, const struct exchange_terms *terms, enum exchange_reason reason) {
    struct exchange_command command = {.type = terms->type, .symbol = terms->symbol};
    core_reject(core, &command, reason);
}

void symbols_define(struct exchange_core *core, const struct exchange_terms *terms) {
    enum exchange_reason reason = symbols_check(terms);
    if (reason == EXCHANGE_REASON_NONE && name_find(core, terms->name)) reason = EXCHANGE_REASON_SYMBOL_EXISTS;
    if (reason == EXCHANGE_REASON_NONE && core->counters.symbols >= core->limits.symbols_max)
        reason = EXCHANGE_REASON_SYMBOLS_FULL;
    if (reason) {
        refuse(core, terms, reason);
        return;
    }
    uint32_t number = (uint32_t)++core->counters.symbols;
    struct symbol *symbol = &core->symbols[number];
    struct exchange_terms own = *terms;
    own.type = 0;
    memset(own.reserved, 0, sizeof(own.reserved));
    own.symbol = number;
    symbols_set(symbol, &own);
    name_add(core, number);
    core->digest += symbols_digest(symbol);
    book_publish_state(core, symbol);
}

void symbols_alter(struct exchange_core *core, const struct exchange_terms *terms) {
    struct symbol *symbol = core_symbol(core, terms->symbol);
    struct exchange_terms own = *terms;
    if (symbol == NULL) {
        refuse(core, terms, EXCHANGE_REASON_UNKNOWN_SYMBOL);
        return;
    }
    own.type = 0;
    memset(own.reserved, 0, sizeof(own.reserved));
    memcpy(own.name, symbol->terms.name, EXCHANGE_NAME_SIZE);
    enum exchange_reason reason = symbols_check(&own);
    if (reason == EXCHANGE_REASON_NONE && symbol_orders(symbol) && (own.tick != symbol->tick || own.lot != symbol->lot))
        reason = EXCHANGE_REASON_TERMS;
    if (reason) {
        refuse(core, terms, reason);
        return;
    }
    core->digest -= symbols_digest(symbol);
    symbols_set(symbol, &own);
    core->digest += symbols_digest(symbol);
    book_publish_state(core, symbol);
}

static void state_set(struct exchange_core *core, const struct exchange_command *c, uint8_t state) {
    struct symbol *symbol = core_symbol(core, c->symbol);
    if (symbol == NULL) {
        core_reject(core, c, EXCHANGE_REASON_UNKNOWN_SYMBOL);
        return;
    }
    core->digest -= symbols_digest(symbol);
    symbol->state = state;
    core->digest += symbols_digest(symbol);
    book_publish_state(core, symbol);
}

void symbols_halt(struct exchange_core *core, const struct exchange_command *c) {
    state_set(core, c, EXCHANGE_SYMBOL_HALTED);
}

void symbols_resume(struct exchange_core *core, const struct exchange_command *c) {
    state_set(core, c, EXCHANGE_SYMBOL_OPEN);
}
