/* OUCH-style messages: the codec that the tables of ouch.h spell out. */
#include "wire/ouch.h"
#include "base/assert.h"
#include "base/bytes.h"

/* ---- layout: the tables' offsets and sizes are checked against each other ---- */

#define SIZE_TYPE    1
#define SIZE_CHAR    1
#define SIZE_U16     2
#define SIZE_U32     4
#define SIZE_U64     8
#define SIZE_ALPHA4  4
#define SIZE_ALPHA8  8
#define SIZE_ALPHA14 14

#define LAYOUT_FIELD(offset, field, kind, meaning) uint8_t field[SIZE_##kind];
#define LAYOUT_CHECK(offset, field, kind, meaning)                                                                     \
    WEIR_STATIC_ASSERT(offsetof(LAYOUT, field) == (offset), "the field is where the table says");
#define LAYOUT_SIZE(NAME, name, letter, size, title)                                                                   \
    struct name##_layout {                                                                                             \
        WEIR_OUCH_##NAME##_FIELDS(LAYOUT_FIELD)                                                                        \
    };                                                                                                                 \
    WEIR_STATIC_ASSERT(sizeof(struct name##_layout) == (size), "the fields fill the message");
WEIR_OUCH_REQUESTS(LAYOUT_SIZE)
WEIR_OUCH_RESPONSES(LAYOUT_SIZE)
#define LAYOUT struct enter_layout
WEIR_OUCH_ENTER_FIELDS(LAYOUT_CHECK)
#undef LAYOUT
#define LAYOUT struct replace_layout
WEIR_OUCH_REPLACE_FIELDS(LAYOUT_CHECK)
#undef LAYOUT
#define LAYOUT struct cancel_layout
WEIR_OUCH_CANCEL_FIELDS(LAYOUT_CHECK)
#undef LAYOUT
#define LAYOUT struct modify_layout
WEIR_OUCH_MODIFY_FIELDS(LAYOUT_CHECK)
#undef LAYOUT
#define LAYOUT struct mass_cancel_layout
WEIR_OUCH_MASS_CANCEL_FIELDS(LAYOUT_CHECK)
#undef LAYOUT
#define LAYOUT struct event_layout
WEIR_OUCH_EVENT_FIELDS(LAYOUT_CHECK)
#undef LAYOUT
#define LAYOUT struct accepted_layout
WEIR_OUCH_ACCEPTED_FIELDS(LAYOUT_CHECK)
#undef LAYOUT
#define LAYOUT struct replaced_layout
WEIR_OUCH_REPLACED_FIELDS(LAYOUT_CHECK)
#undef LAYOUT
#define LAYOUT struct canceled_layout
WEIR_OUCH_CANCELED_FIELDS(LAYOUT_CHECK)
#undef LAYOUT
#define LAYOUT struct prevented_layout
WEIR_OUCH_PREVENTED_FIELDS(LAYOUT_CHECK)
#undef LAYOUT
#define LAYOUT struct executed_layout
WEIR_OUCH_EXECUTED_FIELDS(LAYOUT_CHECK)
#undef LAYOUT
#define LAYOUT struct rejected_layout
WEIR_OUCH_REJECTED_FIELDS(LAYOUT_CHECK)
#undef LAYOUT
#define LAYOUT struct mass_canceled_layout
WEIR_OUCH_MASS_CANCELED_FIELDS(LAYOUT_CHECK)
#undef LAYOUT

/* ---- fields: name_get() and name_put() of every message that has some ---- */

#define GET_TYPE(offset, field)
#define GET_CHAR(offset, field)    message->field = (char)at[offset];
#define GET_U16(offset, field)     message->field = load_be16(at + (offset));
#define GET_U32(offset, field)     message->field = load_be32(at + (offset));
#define GET_U64(offset, field)     message->field = load_be64(at + (offset));
#define GET_ALPHA4(offset, field)  memcpy(message->field, at + (offset), 4);
#define GET_ALPHA8(offset, field)  memcpy(message->field, at + (offset), 8);
#define GET_ALPHA14(offset, field) memcpy(message->field, at + (offset), 14);
#define PUT_TYPE(offset, field)
#define PUT_CHAR(offset, field)                 at[offset] = (uint8_t)message->field;
#define PUT_U16(offset, field)                  store_be16(at + (offset), message->field);
#define PUT_U32(offset, field)                  store_be32(at + (offset), message->field);
#define PUT_U64(offset, field)                  store_be64(at + (offset), message->field);
#define PUT_ALPHA4(offset, field)               memcpy(at + (offset), message->field, 4);
#define PUT_ALPHA8(offset, field)               memcpy(at + (offset), message->field, 8);
#define PUT_ALPHA14(offset, field)              memcpy(at + (offset), message->field, 14);
#define GET_FIELD(offset, field, kind, meaning) GET_##kind(offset, field)
#define PUT_FIELD(offset, field, kind, meaning) PUT_##kind(offset, field)

#define REQUEST_CODECS(C)                                                                                              \
    C(ENTER, enter) C(REPLACE, replace) C(CANCEL, cancel) C(MODIFY, modify) C(MASS_CANCEL, mass_cancel)
#define RESPONSE_CODECS(C)                                                                                             \
    C(EVENT, event)                                                                                                    \
    C(ACCEPTED, accepted)                                                                                              \
    C(REPLACED, replaced)                                                                                              \
    C(CANCELED, canceled)                                                                                              \
    C(PREVENTED, prevented)                                                                                            \
    C(EXECUTED, executed)                                                                                              \
    C(REJECTED, rejected)                                                                                              \
    C(CANCEL_PENDING, cancel_pending)                                                                                  \
    C(CANCEL_REJECT, cancel_reject)                                                                                    \
    C(MODIFIED, modified)                                                                                              \
    C(MASS_CANCELED, mass_canceled)                                                                                    \
    C(NEXT_REF, next_ref)

#define CODEC(NAME, name)                                                                                              \
    static void name##_get(struct weir_ouch_##name *message, const uint8_t *at) {                                      \
        WEIR_OUCH_##NAME##_FIELDS(GET_FIELD)                                                                           \
    }                                                                                                                  \
    static void name##_put(const struct weir_ouch_##name *message, uint8_t *at) {                                      \
        WEIR_OUCH_##NAME##_FIELDS(PUT_FIELD)                                                                           \
    }
REQUEST_CODECS(CODEC)
RESPONSE_CODECS(CODEC)

/* Size without appendage; 0: there is no such message. */
static size_t request_size(uint8_t letter) {
    switch (letter) {
#define SIZE_CASE(NAME, name, letter, size, title)                                                                     \
    case (letter):                                                                                                     \
        return (size);
        WEIR_OUCH_REQUESTS(SIZE_CASE)
    default:
        return 0;
    }
}

static size_t response_size(uint8_t letter) {
    switch (letter) {
        WEIR_OUCH_RESPONSES(SIZE_CASE)
    default:
        return 0;
    }
}

/* ---- alpha fields ---- */

static bool is_printable(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) return false;
    }
    return true;
}

void weir_ouch_alpha_set(char *field, size_t size, struct weir_slice text) {
    size_t used = text.size < size ? text.size : size;
    memset(field, ' ', size);
    if (used) memcpy(field, text.data, used);
}

struct weir_slice weir_ouch_alpha_get(const char *field, size_t size) {
    while (size && field[size - 1] == ' ')
        size--;
    return weir_slice(field, size);
}

/* Printable and left-justified; blank only where that is allowed. */
static bool alpha_is_valid(const char *field, size_t size, bool may_be_blank) {
    if (!is_printable(field, size)) return false;
    if (field[0] != ' ') return true;
    return may_be_blank && weir_ouch_alpha_get(field, size).size == 0;
}

/* ---- options ---- */

static enum weir_ouch_reason option_value(
    struct weir_ouch_options *options, uint8_t tag, struct weir_slice value, uint32_t *ret_bit) {
#define NEED_SIZE(bytes)                                                                                               \
    if (value.size != (bytes)) return WEIR_OUCH_REASON_OPTION_SIZE
    bool is_valid = false;
    switch (tag) {
    case WEIR_OUCH_TAG_FIRM:
        NEED_SIZE(4);
        memcpy(options->firm, value.data, 4);
        *ret_bit = WEIR_OUCH_HAS_FIRM;
        is_valid = alpha_is_valid(options->firm, 4, true);
        break;
    case WEIR_OUCH_TAG_MIN_QUANTITY:
        NEED_SIZE(4);
        options->min_quantity = load_be32(value.data);
        *ret_bit = WEIR_OUCH_HAS_MIN_QUANTITY;
        is_valid = options->min_quantity >= 1 && options->min_quantity <= WEIR_OUCH_QUANTITY_MAX;
        break;
    case WEIR_OUCH_TAG_POST_ONLY:
        NEED_SIZE(1);
        options->post_only = (char)value.data[0];
        *ret_bit = WEIR_OUCH_HAS_POST_ONLY;
        is_valid = options->post_only == 'P' || options->post_only == 'N';
        break;
    case WEIR_OUCH_TAG_EXPIRE_S:
        NEED_SIZE(4);
        options->expire_s = load_be32(value.data);
        *ret_bit = WEIR_OUCH_HAS_EXPIRE_S;
        is_valid = options->expire_s >= 1 && options->expire_s <= WEIR_OUCH_EXPIRE_S_MAX;
        break;
    case WEIR_OUCH_TAG_EXPIRE_AT:
        NEED_SIZE(8);
        options->expire_at_ns = load_be64(value.data);
        *ret_bit = WEIR_OUCH_HAS_EXPIRE_AT;
        is_valid = options->expire_at_ns >= 1 && options->expire_at_ns <= INT64_MAX;
        break;
    case WEIR_OUCH_TAG_SELF_TRADE:
        NEED_SIZE(1);
        options->self_trade = (char)value.data[0];
        *ret_bit = WEIR_OUCH_HAS_SELF_TRADE;
        is_valid = value.data[0] != 0 && strchr("NOBDF", value.data[0]) != NULL;
        break;
    case WEIR_OUCH_TAG_TEXT:
        if (value.size < 1 || value.size > WEIR_OUCH_TEXT_SIZE_MAX) return WEIR_OUCH_REASON_OPTION_SIZE;
        options->text = value;
        *ret_bit = WEIR_OUCH_HAS_TEXT;
        is_valid = is_printable((const char *)value.data, value.size);
        break;
    default:
        return WEIR_OUCH_REASON_OPTION_UNKNOWN;
    }
#undef NEED_SIZE
    return is_valid ? WEIR_OUCH_REASON_NONE : WEIR_OUCH_REASON_OPTION_VALUE;
}

/* What follows a message's fields: nothing, or a length and so many bytes of options. */
static enum weir_ouch_reason options_get(
    struct weir_slice rest, uint32_t allowed, struct weir_ouch_options *ret_options) {
    *ret_options = (struct weir_ouch_options){0};
    if (rest.size == 0) return WEIR_OUCH_REASON_NONE;
    if (rest.size < 2) return WEIR_OUCH_REASON_SIZE;
    if (load_be16(rest.data) != rest.size - 2) return WEIR_OUCH_REASON_APPENDAGE;
    struct byte_reader reader = byte_reader(weir_slice(rest.data + 2, rest.size - 2));
    while (byte_reader_left(&reader)) {
        uint8_t size = byte_get_u8(&reader);
        uint8_t tag = byte_get_u8(&reader);
        if (size == 0 || reader.failed) return WEIR_OUCH_REASON_APPENDAGE;
        struct weir_slice value = byte_get_slice(&reader, size - 1u);
        if (reader.failed) return WEIR_OUCH_REASON_APPENDAGE;
        uint32_t bit = 0;
        enum weir_ouch_reason reason = option_value(ret_options, tag, value, &bit);
        if (reason) return reason;
        if (!(allowed & bit)) return WEIR_OUCH_REASON_OPTION_MISPLACED;
        if (ret_options->present & bit) return WEIR_OUCH_REASON_OPTION_TWICE;
        ret_options->present |= bit;
    }
    return WEIR_OUCH_REASON_NONE;
}

static void option_put(struct byte_writer *writer, uint8_t tag, const void *value, size_t size) {
    byte_put_u8(writer, (uint8_t)(size + 1));
    byte_put_u8(writer, tag);
    byte_put(writer, value, size);
}

/* The appendage behind the fields; returns its size, its length field included. */
static size_t options_put(const struct weir_ouch_options *options, uint8_t *out, size_t capacity) {
    struct byte_writer writer = byte_writer(out, capacity);
    uint8_t number[8];
    byte_put_be16(&writer, 0);
    if (options->present & WEIR_OUCH_HAS_FIRM) option_put(&writer, WEIR_OUCH_TAG_FIRM, options->firm, 4);
    if (options->present & WEIR_OUCH_HAS_MIN_QUANTITY) {
        store_be32(number, options->min_quantity);
        option_put(&writer, WEIR_OUCH_TAG_MIN_QUANTITY, number, 4);
    }
    if (options->present & WEIR_OUCH_HAS_POST_ONLY) {
        option_put(&writer, WEIR_OUCH_TAG_POST_ONLY, &options->post_only, 1);
    }
    if (options->present & WEIR_OUCH_HAS_EXPIRE_S) {
        store_be32(number, options->expire_s);
        option_put(&writer, WEIR_OUCH_TAG_EXPIRE_S, number, 4);
    }
    if (options->present & WEIR_OUCH_HAS_EXPIRE_AT) {
        store_be64(number, options->expire_at_ns);
        option_put(&writer, WEIR_OUCH_TAG_EXPIRE_AT, number, 8);
    }
    if (options->present & WEIR_OUCH_HAS_SELF_TRADE) {
        option_put(&writer, WEIR_OUCH_TAG_SELF_TRADE, &options->self_trade, 1);
    }
    if (options->present & WEIR_OUCH_HAS_TEXT) {
        WEIR_ASSERT(options->text.size >= 1 && options->text.size <= WEIR_OUCH_TEXT_SIZE_MAX);
        option_put(&writer, WEIR_OUCH_TAG_TEXT, options->text.data, options->text.size);
    }
    WEIR_ASSERT(!writer.failed);
    store_be16(out, (uint16_t)(writer.at - 2));
    return writer.at;
}

/* ---- checks of requests ---- */

static bool quantity_is_valid(uint32_t quantity) {
    return quantity >= 1 && quantity <= WEIR_OUCH_QUANTITY_MAX;
}

static enum weir_ouch_reason terms_check(uint64_t price, char time_in_force, const struct weir_ouch_options *options) {
    if (price < 1 || price > WEIR_OUCH_PRICE_MAX) return WEIR_OUCH_REASON_PRICE;
    if (time_in_force == 0 || !strchr("01346", time_in_force)) return WEIR_OUCH_REASON_TIME_IN_FORCE;
    bool has_seconds = (options->present & WEIR_OUCH_HAS_EXPIRE_S) != 0;
    bool has_time = (options->present & WEIR_OUCH_HAS_EXPIRE_AT) != 0;
    int expiries = has_seconds + has_time;
    if (expiries != (time_in_force == '6')) return WEIR_OUCH_REASON_EXPIRY;
    if (price == WEIR_OUCH_PRICE_MARKET && time_in_force != '3' && time_in_force != '4') {
        return WEIR_OUCH_REASON_MARKET_TIME;
    }
    return WEIR_OUCH_REASON_NONE;
}

static enum weir_ouch_reason enter_check(const struct weir_ouch_enter *enter, const struct weir_ouch_options *options) {
    if (enter->user_ref == 0) return WEIR_OUCH_REASON_USER_REF;
    if (enter->side != 'B' && enter->side != 'S') return WEIR_OUCH_REASON_SIDE;
    if (!quantity_is_valid(enter->quantity)) return WEIR_OUCH_REASON_QUANTITY;
    if (!alpha_is_valid(enter->symbol, sizeof enter->symbol, false)) return WEIR_OUCH_REASON_SYMBOL;
    if (enter->display != 'Y') return WEIR_OUCH_REASON_DISPLAY;
    if (enter->capacity == 0 || !strchr("APRO", enter->capacity)) return WEIR_OUCH_REASON_CAPACITY;
    if (enter->sweep != 'N') return WEIR_OUCH_REASON_SWEEP;
    if (enter->cross != 'N') return WEIR_OUCH_REASON_CROSS;
    if (!alpha_is_valid(enter->client_id, sizeof enter->client_id, true)) return WEIR_OUCH_REASON_CLIENT_ID;
    return terms_check(enter->price, enter->time_in_force, options);
}

static enum weir_ouch_reason replace_check(
    const struct weir_ouch_replace *replace, const struct weir_ouch_options *options) {
    if (replace->orig_user_ref == 0 || replace->user_ref == 0) return WEIR_OUCH_REASON_USER_REF;
    if (replace->user_ref <= replace->orig_user_ref) return WEIR_OUCH_REASON_SAME_USER_REF;
    if (!quantity_is_valid(replace->quantity)) return WEIR_OUCH_REASON_QUANTITY;
    if (replace->display != 'Y') return WEIR_OUCH_REASON_DISPLAY;
    if (replace->sweep != 'N') return WEIR_OUCH_REASON_SWEEP;
    if (!alpha_is_valid(replace->client_id, sizeof replace->client_id, true)) return WEIR_OUCH_REASON_CLIENT_ID;
    return terms_check(replace->price, replace->time_in_force, options);
}

static enum weir_ouch_reason cancel_check(const struct weir_ouch_cancel *cancel) {
    if (cancel->user_ref == 0) return WEIR_OUCH_REASON_USER_REF;
    return cancel->quantity <= WEIR_OUCH_QUANTITY_MAX ? WEIR_OUCH_REASON_NONE : WEIR_OUCH_REASON_QUANTITY;
}

static enum weir_ouch_reason modify_check(const struct weir_ouch_modify *modify) {
    if (modify->user_ref == 0) return WEIR_OUCH_REASON_USER_REF;
    if (modify->side != 'B' && modify->side != 'S') return WEIR_OUCH_REASON_SIDE;
    return quantity_is_valid(modify->quantity) ? WEIR_OUCH_REASON_NONE : WEIR_OUCH_REASON_QUANTITY;
}

static enum weir_ouch_reason mass_cancel_check(const struct weir_ouch_mass_cancel *mass) {
    if (mass->user_ref == 0) return WEIR_OUCH_REASON_USER_REF;
    if (!alpha_is_valid(mass->firm, sizeof mass->firm, true)) return WEIR_OUCH_REASON_FIRM;
    return alpha_is_valid(mass->symbol, sizeof mass->symbol, true) ? WEIR_OUCH_REASON_NONE : WEIR_OUCH_REASON_SYMBOL;
}

static enum weir_ouch_reason request_check(const struct weir_ouch_request *request) {
    switch (request->type) {
    case WEIR_OUCH_ENTER:
        return enter_check(&request->enter, &request->options);
    case WEIR_OUCH_REPLACE:
        return replace_check(&request->replace, &request->options);
    case WEIR_OUCH_CANCEL:
        return cancel_check(&request->cancel);
    case WEIR_OUCH_MODIFY:
        return modify_check(&request->modify);
    case WEIR_OUCH_MASS_CANCEL:
        return mass_cancel_check(&request->mass_cancel);
    case WEIR_OUCH_QUERY:
        return WEIR_OUCH_REASON_NONE;
    }
    return WEIR_OUCH_REASON_UNKNOWN_TYPE;
}

/* Options that are conditions of an order: nothing else takes one. */
static uint32_t request_options(enum weir_ouch_request_type type) {
    uint32_t terms = WEIR_OUCH_HAS_MIN_QUANTITY | WEIR_OUCH_HAS_POST_ONLY | WEIR_OUCH_HAS_EXPIRE_S |
                     WEIR_OUCH_HAS_EXPIRE_AT | WEIR_OUCH_HAS_SELF_TRADE;
    if (type == WEIR_OUCH_ENTER) return terms | WEIR_OUCH_HAS_FIRM;
    return type == WEIR_OUCH_REPLACE ? terms : 0;
}

/* ---- messages ---- */

enum weir_ouch_reason weir_ouch_request_decode(struct weir_slice message, struct weir_ouch_request *ret_request) {
    if (message.size == 0) return WEIR_OUCH_REASON_EMPTY;
    size_t size = request_size(message.data[0]);
    if (size == 0) return WEIR_OUCH_REASON_UNKNOWN_TYPE;
    if (message.size < size) return WEIR_OUCH_REASON_SIZE;
    struct weir_ouch_request request = {.type = (enum weir_ouch_request_type)message.data[0]};
    struct weir_slice rest = weir_slice(message.data + size, message.size - size);
    enum weir_ouch_reason reason = options_get(rest, request_options(request.type), &request.options);
    if (reason) return reason;
    switch (request.type) {
#define GET_CASE(NAME, name)                                                                                           \
    case WEIR_OUCH_##NAME:                                                                                             \
        name##_get(&request.name, message.data);                                                                       \
        break;
        REQUEST_CODECS(GET_CASE)
#undef GET_CASE
    case WEIR_OUCH_QUERY:
        break;
    }
    reason = request_check(&request);
    if (reason) return reason;
    *ret_request = request;
    return WEIR_OUCH_REASON_NONE;
}

void weir_ouch_request_peek(struct weir_slice message, uint32_t *ret_user_ref, char ret_client_id[14]) {
    *ret_user_ref = 0;
    memset(ret_client_id, ' ', WEIR_OUCH_CLIENT_ID_SIZE);
    if (message.size == 0 || request_size(message.data[0]) == 0) return;
    bool is_replace = message.data[0] == WEIR_OUCH_REPLACE;
    size_t ref_at = is_replace ? offsetof(struct replace_layout, user_ref) : offsetof(struct enter_layout, user_ref);
    size_t id_at = is_replace ? offsetof(struct replace_layout, client_id) : offsetof(struct enter_layout, client_id);
    if (message.size >= ref_at + 4) *ret_user_ref = load_be32(message.data + ref_at);
    if (message.data[0] != WEIR_OUCH_ENTER && !is_replace) return;
    if (message.size < id_at + WEIR_OUCH_CLIENT_ID_SIZE) return;
    const char *id = (const char *)message.data + id_at;
    if (alpha_is_valid(id, WEIR_OUCH_CLIENT_ID_SIZE, true)) memcpy(ret_client_id, id, WEIR_OUCH_CLIENT_ID_SIZE);
}

enum weir_ouch_reason weir_ouch_response_decode(struct weir_slice message, struct weir_ouch_response *ret_response) {
    if (message.size == 0) return WEIR_OUCH_REASON_EMPTY;
    size_t size = response_size(message.data[0]);
    if (size == 0) return WEIR_OUCH_REASON_UNKNOWN_TYPE;
    if (message.size < size) return WEIR_OUCH_REASON_SIZE;
    struct weir_ouch_response response = {.type = (enum weir_ouch_response_type)message.data[0]};
    struct weir_slice rest = weir_slice(message.data + size, message.size - size);
    enum weir_ouch_reason reason = options_get(rest, UINT32_MAX, &response.options);
    if (reason) return reason;
    switch (response.type) {
#define GET_CASE(NAME, name)                                                                                           \
    case WEIR_OUCH_R_##NAME:                                                                                           \
        name##_get(&response.name, message.data);                                                                      \
        break;
        RESPONSE_CODECS(GET_CASE)
#undef GET_CASE
    }
    *ret_response = response;
    return WEIR_OUCH_REASON_NONE;
}

size_t weir_ouch_request_encode(const struct weir_ouch_request *request, uint8_t *out) {
    size_t size = request_size((uint8_t)request->type);
    WEIR_ASSERT(size != 0);
    out[0] = (uint8_t)request->type;
    switch (request->type) {
#define PUT_CASE(NAME, name)                                                                                           \
    case WEIR_OUCH_##NAME:                                                                                             \
        name##_put(&request->name, out);                                                                               \
        break;
        REQUEST_CODECS(PUT_CASE)
#undef PUT_CASE
    case WEIR_OUCH_QUERY:
        break;
    }
    return size + options_put(&request->options, out + size, WEIR_OUCH_MESSAGE_SIZE_MAX - size);
}

size_t weir_ouch_response_encode(const struct weir_ouch_response *response, uint8_t *out) {
    size_t size = response_size((uint8_t)response->type);
    WEIR_ASSERT(size != 0);
    out[0] = (uint8_t)response->type;
    switch (response->type) {
#define PUT_CASE(NAME, name)                                                                                           \
    case WEIR_OUCH_R_##NAME:                                                                                           \
        name##_put(&response->name, out);                                                                              \
        break;
        RESPONSE_CODECS(PUT_CASE)
#undef PUT_CASE
    }
    return size + options_put(&response->options, out + size, WEIR_OUCH_MESSAGE_SIZE_MAX - size);
}
