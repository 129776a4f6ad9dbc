#include "exchange/ouch.h"

static uint8_t tif_of(char time_in_force) {
    switch (time_in_force) {
    case '0':
        return EXCHANGE_TIF_DAY;
    case '3':
        return EXCHANGE_TIF_IOC;
    case '4':
        return EXCHANGE_TIF_FOK;
    case '6':
        return EXCHANGE_TIF_GTD;
    default:
        return EXCHANGE_TIF_GTC;
    }
}

static uint8_t stp_of(const struct weir_ouch_options *options) {
    if (!(options->present & WEIR_OUCH_HAS_SELF_TRADE)) return EXCHANGE_STP_NONE;
    switch (options->self_trade) {
    case 'N':
        return EXCHANGE_STP_CANCEL_NEWEST;
    case 'O':
        return EXCHANGE_STP_CANCEL_OLDEST;
    case 'B':
        return EXCHANGE_STP_CANCEL_BOTH;
    case 'D':
        return EXCHANGE_STP_DECREMENT;
    default:
        return EXCHANGE_STP_NONE;
    }
}

static void name_of(char name[EXCHANGE_NAME_SIZE], const char symbol[WEIR_OUCH_SYMBOL_SIZE]) {
    struct weir_slice text = weir_ouch_alpha_get(symbol, WEIR_OUCH_SYMBOL_SIZE);
    memset(name, 0, EXCHANGE_NAME_SIZE);
    memcpy(name, text.data, text.size);
}

static void translate_enter(const struct weir_ouch_request *r, struct exchange_named_command *named) {
    const struct weir_ouch_enter *e = &r->enter;
    struct exchange_command *c = &named->command;
    bool market = e->price == WEIR_OUCH_PRICE_MARKET;
    c->type = EXCHANGE_COMMAND_NEW;
    c->side = e->side == 'B' ? EXCHANGE_SIDE_BUY : EXCHANGE_SIDE_SELL;
    c->tif = tif_of(e->time_in_force);
    c->stp = stp_of(&r->options);
    c->flags = market ? EXCHANGE_FLAG_MARKET : 0;
    if (r->options.present & WEIR_OUCH_HAS_POST_ONLY && r->options.post_only == 'P')
        c->flags |= EXCHANGE_FLAG_POST_ONLY;
    c->client_ref = e->user_ref;
    c->price = market ? 0 : (int64_t)e->price;
    c->quantity = e->quantity;
    if (r->options.present & WEIR_OUCH_HAS_EXPIRE_AT) c->expire_ns = r->options.expire_at_ns;
    if (r->options.present & WEIR_OUCH_HAS_EXPIRE_S) {
        c->expire_ns = r->options.expire_s * UINT64_C(1000000000);
        c->flags |= EXCHANGE_FLAG_EXPIRE_IN;
    }
    name_of(named->name, e->symbol);
}

bool ouch_translate(uint32_t account, const struct weir_ouch_request *r, struct exchange_named_command *named) {
    struct exchange_command *c = &named->command;
    *named = (struct exchange_named_command){.command = {.account = account, .session = account}};
    switch (r->type) {
    case WEIR_OUCH_ENTER:
        translate_enter(r, named);
        return true;
    case WEIR_OUCH_REPLACE:
        c->type = EXCHANGE_COMMAND_REPLACE;
        c->flags = EXCHANGE_FLAG_BY_REF | EXCHANGE_FLAG_TO;
        c->order_id = r->replace.orig_user_ref;
        c->client_ref = r->replace.user_ref;
        c->price = (int64_t)r->replace.price;
        c->quantity = r->replace.quantity;
        return true;
    case WEIR_OUCH_CANCEL:
    case WEIR_OUCH_MODIFY:
        c->type = EXCHANGE_COMMAND_REDUCE;
        c->flags = EXCHANGE_FLAG_BY_REF | EXCHANGE_FLAG_TO;
        c->order_id = r->type == WEIR_OUCH_CANCEL ? r->cancel.user_ref : r->modify.user_ref;
        c->quantity = r->type == WEIR_OUCH_CANCEL ? r->cancel.quantity : r->modify.quantity;
        if (r->type == WEIR_OUCH_MODIFY) c->flags |= EXCHANGE_FLAG_MODIFY;
        return true;
    case WEIR_OUCH_MASS_CANCEL:
        c->type = EXCHANGE_COMMAND_MASS_CANCEL;
        c->side = EXCHANGE_SIDE_ANY;
        c->session = 0; /* every order of the account, whoever entered it */
        c->order_id = account;
        c->client_ref = r->mass_cancel.user_ref;
        name_of(named->name, r->mass_cancel.symbol);
        return true;
    case WEIR_OUCH_QUERY:
        break;
    }
    return false;
}

static char canceled_letter(uint8_t reason) {
    switch (reason) {
    case EXCHANGE_REASON_BY_CLIENT:
    case EXCHANGE_REASON_REPLACED_BELOW_FILLED:
        return 'U';
    case EXCHANGE_REASON_IOC_REMAINDER:
    case EXCHANGE_REASON_FOK_UNFILLED:
    case EXCHANGE_REASON_NO_LIQUIDITY:
        return 'I';
    case EXCHANGE_REASON_DAY_ENDED:
    case EXCHANGE_REASON_TIME_REACHED:
        return 'T';
    case EXCHANGE_REASON_BY_DISCONNECT:
        return 'D';
    case EXCHANGE_REASON_BY_MASS_CANCEL:
        return 'M';
    case EXCHANGE_REASON_SELF_TRADE:
        return 'Q';
    case EXCHANGE_REASON_BY_SUSPENSION:
        return 'S';
    default:
        return 'Z';
    }
}

static void alpha_name(char symbol[WEIR_OUCH_SYMBOL_SIZE], const char name[8]) {
    weir_ouch_alpha_set(symbol, WEIR_OUCH_SYMBOL_SIZE, weir_slice(name, strnlen(name, 8)));
}

static void say_accepted(
    const struct exchange_echo *echo, const struct exchange_event *e, uint64_t order_id, struct weir_ouch_response *r) {
    r->type = WEIR_OUCH_R_ACCEPTED;
    r->accepted = (struct weir_ouch_accepted){.timestamp_ns = e->time_ns,
        .user_ref = (uint32_t)e->client_ref,
        .side = e->side == EXCHANGE_SIDE_BUY ? 'B' : 'S',
        .quantity = (uint32_t)e->quantity,
        .price = e->price ? (uint64_t)e->price : WEIR_OUCH_PRICE_MARKET,
        .time_in_force = echo->time_in_force,
        .display = 'Y',
        .order_id = order_id,
        .capacity = echo->capacity,
        .sweep = 'N',
        .cross = 'N',
        .state = 'L'};
    alpha_name(r->accepted.symbol, e->symbol_name);
    memcpy(r->accepted.client_id, echo->client_id, sizeof echo->client_id);
}

static void say_replaced(
    const struct exchange_echo *echo, const struct exchange_event *e, uint64_t order_id, struct weir_ouch_response *r) {
    r->type = WEIR_OUCH_R_REPLACED;
    r->replaced = (struct weir_ouch_replaced){.timestamp_ns = e->time_ns,
        .orig_user_ref = (uint32_t)e->quantity,
        .user_ref = (uint32_t)e->client_ref,
        .side = e->side == EXCHANGE_SIDE_BUY ? 'B' : 'S',
        .quantity = (uint32_t)e->leaves,
        .price = (uint64_t)e->price,
        .time_in_force = echo->time_in_force,
        .display = 'Y',
        .order_id = order_id,
        .capacity = echo->capacity,
        .sweep = 'N',
        .cross = 'N',
        .state = 'L'};
    alpha_name(r->replaced.symbol, e->symbol_name);
    memcpy(r->replaced.client_id, echo->client_id, sizeof echo->client_id);
}

static void say_rejected(
    const struct exchange_echo *echo, const struct exchange_event *e, struct weir_ouch_response *r) {
    const char *sentence = exchange_reason_sentence(e->reason);
    bool entered = e->command == EXCHANGE_COMMAND_NEW || e->command == EXCHANGE_COMMAND_MASS_CANCEL;
    r->options.present = WEIR_OUCH_HAS_TEXT;
    r->options.text = weir_slice_text(sentence);
    if (!entered) {
        r->type = WEIR_OUCH_R_CANCEL_REJECT;
        r->cancel_reject =
            (struct weir_ouch_cancel_reject){.timestamp_ns = e->time_ns, .user_ref = (uint32_t)e->order_id};
        return;
    }
    r->type = WEIR_OUCH_R_REJECTED;
    r->rejected = (struct weir_ouch_rejected){.timestamp_ns = e->time_ns,
        .user_ref = (uint32_t)e->client_ref,
        .reason = (uint16_t)(WEIR_OUCH_REASON_EXCHANGE + e->reason)};
    memcpy(r->rejected.client_id, echo->client_id, sizeof echo->client_id);
}

static void say_prevented(
    const struct exchange_prevented *p, const struct exchange_event *e, struct weir_ouch_response *r) {
    static const char strategies[] = {[EXCHANGE_STP_NONE] = 'F',
        [EXCHANGE_STP_CANCEL_NEWEST] = 'N',
        [EXCHANGE_STP_CANCEL_OLDEST] = 'O',
        [EXCHANGE_STP_CANCEL_BOTH] = 'B',
        [EXCHANGE_STP_DECREMENT] = 'D'};
    r->type = WEIR_OUCH_R_PREVENTED;
    r->prevented = (struct weir_ouch_prevented){.timestamp_ns = e->time_ns,
        .user_ref = (uint32_t)e->client_ref,
        .quantity = (uint32_t)e->quantity,
        .reason = 'Q',
        .prevented = (uint32_t)p->quantity,
        .price = (uint64_t)p->price,
        .liquidity = p->is_maker ? 'A' : 'R',
        .strategy = p->mode < sizeof strategies ? strategies[p->mode] : 'F'};
}

static void say_less(const struct exchange_event *e, struct weir_ouch_response *r) {
    if (e->type == EXCHANGE_EVENT_REDUCED && e->flags & EXCHANGE_EVENT_MODIFIED) {
        r->type = WEIR_OUCH_R_MODIFIED;
        r->modified = (struct weir_ouch_modified){.timestamp_ns = e->time_ns,
            .user_ref = (uint32_t)e->client_ref,
            .side = e->side == EXCHANGE_SIDE_BUY ? 'B' : 'S',
            .quantity = (uint32_t)e->leaves};
        return;
    }
    r->type = WEIR_OUCH_R_CANCELED;
    r->canceled = (struct weir_ouch_canceled){.timestamp_ns = e->time_ns,
        .user_ref = (uint32_t)e->client_ref,
        .quantity = (uint32_t)e->quantity,
        .reason = canceled_letter(e->reason)};
}

void ouch_say(
    const struct exchange_event *e, const struct ouch_behind *behind, uint64_t order_id, struct weir_ouch_response *r) {
    static const struct exchange_echo blank = {"              ", 'O', '1'};
    const struct exchange_echo *echo = behind->echo ? behind->echo : &blank;
    *r = (struct weir_ouch_response){0};
    switch (e->type) {
    case EXCHANGE_EVENT_ACCEPTED:
        say_accepted(echo, e, order_id, r);
        break;
    case EXCHANGE_EVENT_REPLACED:
        say_replaced(echo, e, order_id, r);
        break;
    case EXCHANGE_EVENT_REJECTED:
        say_rejected(echo, e, r);
        break;
    case EXCHANGE_EVENT_EXECUTED:
        r->type = WEIR_OUCH_R_EXECUTED;
        r->executed = (struct weir_ouch_executed){.timestamp_ns = e->time_ns,
            .user_ref = (uint32_t)e->client_ref,
            .quantity = (uint32_t)e->quantity,
            .price = (uint64_t)e->price,
            .liquidity = e->flags & EXCHANGE_EVENT_MAKER ? 'A' : 'R',
            .match_id = e->match_id};
        break;
    case EXCHANGE_EVENT_DONE:
        r->type = WEIR_OUCH_R_MASS_CANCELED;
        r->mass_canceled =
            (struct weir_ouch_mass_canceled){.timestamp_ns = e->time_ns, .user_ref = (uint32_t)e->client_ref};
        memset(r->mass_canceled.firm, ' ', sizeof r->mass_canceled.firm);
        alpha_name(r->mass_canceled.symbol, e->symbol_name);
        break;
    default:
        if (behind->prevented)
            say_prevented(behind->prevented, e, r);
        else
            say_less(e, r);
    }
}
