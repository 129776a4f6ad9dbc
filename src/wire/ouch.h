/* wire/ouch.h: order entry in the style of OUCH 5.0, one message per SoupBinTCP packet.
 *
 * Purpose     decode and encode every message, from the same field tables the documentation is printed from.
 * Threads     pure over its arguments.
 * Allocation  none.
 * Limits      a message is at most WEIR_OUCH_MESSAGE_SIZE_MAX bytes.
 * Errors      decoding returns an enum weir_ouch_reason: 0, or the code a Rejected message carries (sentence:
 *             weir_ouch_reason_sentence()). Nothing else is spoilt by a bad message.
 * Source      Nasdaq OUCH 5.0 for layouts and letters. It is a style, not a claim of conformance: the differences are
 *             marked (weir).
 *
 * Transport   client to server: SoupBinTCP unsequenced data ('U'). Server to client: sequenced data ('S'), so that a
 * client that reconnects reads every answer it missed by asking for its sequence number. Integers    unsigned,
 * big-endian. Quantities are 1..WEIR_OUCH_QUANTITY_MAX. Price       u64 in 1/10,000 of the quote currency (4 implied
 * decimals). The codec does not know tick sizes: a market whose tick is not a multiple of 1/10,000 publishes its own
 * unit per symbol (weir). 0x7FFFFFFF: a market order. Alpha       printable ASCII, left-justified, padded with spaces.
 * Timestamp   nanoseconds since 1970, taken from the record that caused the message (OUCH: since midnight) (weir).
 * UserRefNum  chosen by the client, strictly increasing per login account, from 1; gaps are allowed. It names the
 * order. A request that is not above the last one is ignored as a retransmission: resending after a reconnect is safe.
 * Cancel on disconnect  is a setting of the login account, not a field (weir).
 *
 * Appendage   every message may end with options: u16 length of all options, then each option as u8 length (of tag and
 *             value), u8 tag, value. A message may also end before the u16: then it has none. An option stands at most
 *             once. Unknown tags are refused, as ignoring a condition of an order would fill an order nobody wanted
 * (weir).
 *
 * The tables below are the layout: F(offset, field, kind, meaning). Kinds: TYPE the message's letter; CHAR one letter;
 * U16, U32, U64; ALPHA4, ALPHA8, ALPHA14. The appendage's u16 follows at the message's size without it.
 * Procedure to change: add an option tag; never move a field.
 */
#ifndef WEIR_WIRE_OUCH_H
#define WEIR_WIRE_OUCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/error.h>
#include <weir/slice.h>

/* ---- inbound: client to server ---- */

#define WEIR_OUCH_ENTER_FIELDS(F)                                                                                      \
    F(0, type, TYPE, "'O'")                                                                                            \
    F(1, user_ref, U32, "UserRefNum of this order")                                                                    \
    F(5, side, CHAR, "'B' buy, 'S' sell")                                                                              \
    F(6, quantity, U32, "1..999,999,999")                                                                              \
    F(10, symbol, ALPHA8, "instrument")                                                                                \
    F(18, price, U64, "limit price; 0x7FFFFFFF: market order")                                                         \
    F(26, time_in_force, CHAR,                                                                                         \
        "'0' day, '1' good till cancel (weir), '3' IOC, '4' FOK (weir), '6' until the expiry option")                  \
    F(27, display, CHAR, "'Y' visible; others are refused")                                                            \
    F(28, capacity, CHAR, "'A' agency, 'P' principal, 'R' riskless, 'O' other; echoed")                                \
    F(29, sweep, CHAR, "intermarket sweep eligibility: 'N'; 'Y' is refused")                                           \
    F(30, cross, CHAR, "'N' continuous market; others are refused")                                                    \
    F(31, client_id, ALPHA14, "ClOrdID: free text of the client, echoed")

#define WEIR_OUCH_REPLACE_FIELDS(F)                                                                                    \
    F(0, type, TYPE, "'U'")                                                                                            \
    F(1, orig_user_ref, U32, "UserRefNum of the order to replace")                                                     \
    F(5, user_ref, U32, "UserRefNum the order has from now on")                                                        \
    F(9, quantity, U32, "new open quantity; with the same price and a smaller one the order keeps its priority")       \
    F(13, price, U64, "new price")                                                                                     \
    F(21, time_in_force, CHAR, "as in Enter Order")                                                                    \
    F(22, display, CHAR, "as in Enter Order")                                                                          \
    F(23, sweep, CHAR, "as in Enter Order")                                                                            \
    F(24, client_id, ALPHA14, "new ClOrdID")

#define WEIR_OUCH_CANCEL_FIELDS(F)                                                                                     \
    F(0, type, TYPE, "'X'")                                                                                            \
    F(1, user_ref, U32, "UserRefNum of the order")                                                                     \
    F(5, quantity, U32, "quantity that stays open, priority kept; 0 cancels the order; not below it: nothing happens")

#define WEIR_OUCH_MODIFY_FIELDS(F)                                                                                     \
    F(0, type, TYPE, "'M'")                                                                                            \
    F(1, user_ref, U32, "UserRefNum of the order")                                                                     \
    F(5, side, CHAR, "the order's side: 'B' or 'S'; it cannot be changed (weir)")                                      \
    F(6, quantity, U32, "new open quantity, at most the present one; priority kept")

#define WEIR_OUCH_MASS_CANCEL_FIELDS(F)                                                                                \
    F(0, type, TYPE, "'C'")                                                                                            \
    F(1, user_ref, U32, "UserRefNum of this request")                                                                  \
    F(5, firm, ALPHA4, "blank: the login account's own")                                                               \
    F(9, symbol, ALPHA8, "blank: every symbol")

#define WEIR_OUCH_QUERY_FIELDS(F) F(0, type, TYPE, "'Q': asks for the next UserRefNum the server will take")

/* ---- outbound: server to client ---- */

#define WEIR_OUCH_EVENT_FIELDS(F)                                                                                      \
    F(0, type, TYPE, "'S'")                                                                                            \
    F(1, timestamp_ns, U64, "time")                                                                                    \
    F(9, event, CHAR, "'S' start of day, 'E' end of day, 'H' trading halted (weir), 'R' resumed (weir)")

#define WEIR_OUCH_ACCEPTED_FIELDS(F)                                                                                   \
    F(0, type, TYPE, "'A'")                                                                                            \
    F(1, timestamp_ns, U64, "time")                                                                                    \
    F(9, user_ref, U32, "as entered")                                                                                  \
    F(13, side, CHAR, "as entered")                                                                                    \
    F(14, quantity, U32, "as entered")                                                                                 \
    F(18, symbol, ALPHA8, "as entered")                                                                                \
    F(26, price, U64, "accepted price")                                                                                \
    F(34, time_in_force, CHAR, "as entered")                                                                           \
    F(35, display, CHAR, "as entered")                                                                                 \
    F(36, order_id, U64, "order reference number of the exchange, the one market data and HTTP show")                  \
    F(44, capacity, CHAR, "as entered")                                                                                \
    F(45, sweep, CHAR, "as entered")                                                                                   \
    F(46, cross, CHAR, "as entered")                                                                                   \
    F(47, state, CHAR, "'L' live, 'D' dead: accepted and at once canceled; no Canceled message follows")               \
    F(48, client_id, ALPHA14, "as entered")

#define WEIR_OUCH_REPLACED_FIELDS(F)                                                                                   \
    F(0, type, TYPE, "'U'")                                                                                            \
    F(1, timestamp_ns, U64, "time")                                                                                    \
    F(9, orig_user_ref, U32, "UserRefNum the order had")                                                               \
    F(13, user_ref, U32, "UserRefNum it has now")                                                                      \
    F(17, side, CHAR, "side")                                                                                          \
    F(18, quantity, U32, "open quantity")                                                                              \
    F(22, symbol, ALPHA8, "symbol")                                                                                    \
    F(30, price, U64, "price")                                                                                         \
    F(38, time_in_force, CHAR, "time in force")                                                                        \
    F(39, display, CHAR, "display")                                                                                    \
    F(40, order_id, U64, "order reference number")                                                                     \
    F(48, capacity, CHAR, "capacity")                                                                                  \
    F(49, sweep, CHAR, "sweep eligibility")                                                                            \
    F(50, cross, CHAR, "cross type")                                                                                   \
    F(51, state, CHAR, "'L' live, 'D' dead")                                                                           \
    F(52, client_id, ALPHA14, "ClOrdID of the replacement")

#define WEIR_OUCH_CANCELED_FIELDS(F)                                                                                   \
    F(0, type, TYPE, "'C'")                                                                                            \
    F(1, timestamp_ns, U64, "time")                                                                                    \
    F(9, user_ref, U32, "order")                                                                                       \
    F(13, quantity, U32, "quantity taken off by this message (not cumulative)")                                        \
    F(17, reason, CHAR,                                                                                                \
        "'U' user, 'I' IOC or FOK remainder, 'T' expired, 'D' disconnect (weir), 'M' mass cancel (weir), "             \
        "'Q' self-trade prevention, 'H' halted, 'S' supervisory, 'P' would cross a post-only order, "                  \
        "'Z' other")

#define WEIR_OUCH_PREVENTED_FIELDS(F)                                                                                  \
    F(0, type, TYPE, "'D': quantity taken off by self-trade prevention (OUCH: AIQ Canceled)")                          \
    F(1, timestamp_ns, U64, "time")                                                                                    \
    F(9, user_ref, U32, "order")                                                                                       \
    F(13, quantity, U32, "quantity taken off")                                                                         \
    F(17, reason, CHAR, "'Q'")                                                                                         \
    F(18, prevented, U32, "quantity that would have traded")                                                           \
    F(22, price, U64, "price it would have traded at")                                                                 \
    F(30, liquidity, CHAR, "'A' this order was resting, 'R' it was incoming")                                          \
    F(31, strategy, CHAR, "the mode, letters of the self-trade option")

#define WEIR_OUCH_EXECUTED_FIELDS(F)                                                                                   \
    F(0, type, TYPE, "'E'")                                                                                            \
    F(1, timestamp_ns, U64, "time")                                                                                    \
    F(9, user_ref, U32, "order")                                                                                       \
    F(13, quantity, U32, "quantity of this execution")                                                                 \
    F(17, price, U64, "price of this execution")                                                                       \
    F(25, liquidity, CHAR, "'A' added (resting), 'R' removed (incoming)")                                              \
    F(26, match_id, U64, "number of the trade, the same on both sides")

#define WEIR_OUCH_REJECTED_FIELDS(F)                                                                                   \
    F(0, type, TYPE, "'J'")                                                                                            \
    F(1, timestamp_ns, U64, "time")                                                                                    \
    F(9, user_ref, U32, "of the request; 0 when it could not be read")                                                 \
    F(13, reason, U16, "reason code; the text option carries its sentence")                                            \
    F(15, client_id, ALPHA14, "of the request; blank when it could not be read")

#define WEIR_OUCH_CANCEL_PENDING_FIELDS(F)                                                                             \
    F(0, type, TYPE, "'P': the cancel waits (the order is in an auction)")                                             \
    F(1, timestamp_ns, U64, "time")                                                                                    \
    F(9, user_ref, U32, "order")

#define WEIR_OUCH_CANCEL_REJECT_FIELDS(F)                                                                              \
    F(0, type, TYPE, "'I': the cancel, modify or replace could not be done; the order is as before")                   \
    F(1, timestamp_ns, U64, "time")                                                                                    \
    F(9, user_ref, U32, "order the request named")

#define WEIR_OUCH_MODIFIED_FIELDS(F)                                                                                   \
    F(0, type, TYPE, "'M'")                                                                                            \
    F(1, timestamp_ns, U64, "time")                                                                                    \
    F(9, user_ref, U32, "order")                                                                                       \
    F(13, side, CHAR, "side")                                                                                          \
    F(14, quantity, U32, "open quantity now")

#define WEIR_OUCH_MASS_CANCELED_FIELDS(F)                                                                              \
    F(0, type, TYPE, "'X': answer to Mass Cancel, after the Canceled messages")                                        \
    F(1, timestamp_ns, U64, "time")                                                                                    \
    F(9, user_ref, U32, "of the request")                                                                              \
    F(13, firm, ALPHA4, "of the request")                                                                              \
    F(17, symbol, ALPHA8, "of the request")

#define WEIR_OUCH_NEXT_REF_FIELDS(F)                                                                                   \
    F(0, type, TYPE, "'Q': answer to the query")                                                                       \
    F(1, timestamp_ns, U64, "time")                                                                                    \
    F(9, user_ref, U32, "the next UserRefNum the server will take")

/* ---- the messages: M(name, letter, size without appendage, title) ---- */

#define WEIR_OUCH_REQUESTS(M)                                                                                          \
    M(ENTER, enter, 'O', 45, "Enter Order")                                                                            \
    M(REPLACE, replace, 'U', 38, "Replace Order")                                                                      \
    M(CANCEL, cancel, 'X', 9, "Cancel Order")                                                                          \
    M(MODIFY, modify, 'M', 10, "Modify Order")                                                                         \
    M(MASS_CANCEL, mass_cancel, 'C', 17, "Mass Cancel")                                                                \
    M(QUERY, query, 'Q', 1, "Account Query")

#define WEIR_OUCH_RESPONSES(M)                                                                                         \
    M(EVENT, event, 'S', 10, "System Event")                                                                           \
    M(ACCEPTED, accepted, 'A', 62, "Order Accepted")                                                                   \
    M(REPLACED, replaced, 'U', 66, "Order Replaced")                                                                   \
    M(CANCELED, canceled, 'C', 18, "Order Canceled")                                                                   \
    M(PREVENTED, prevented, 'D', 32, "Self-Trade Prevented")                                                           \
    M(EXECUTED, executed, 'E', 34, "Order Executed")                                                                   \
    M(REJECTED, rejected, 'J', 29, "Rejected")                                                                         \
    M(CANCEL_PENDING, cancel_pending, 'P', 13, "Cancel Pending")                                                       \
    M(CANCEL_REJECT, cancel_reject, 'I', 13, "Cancel Reject")                                                          \
    M(MODIFIED, modified, 'M', 18, "Order Modified")                                                                   \
    M(MASS_CANCELED, mass_canceled, 'X', 25, "Mass Canceled")                                                          \
    M(NEXT_REF, next_ref, 'Q', 13, "Account Query Response")

/* ---- options: O(name, field, tag, kind, meaning) ---- */

#define WEIR_OUCH_OPTIONS(O)                                                                                           \
    O(FIRM, firm, 2, ALPHA4, "firm the order is for")                                                                  \
    O(MIN_QUANTITY, min_quantity, 3, U32, "minimum quantity; the exchange may refuse it")                              \
    O(POST_ONLY, post_only, 12, CHAR, "'P': never take liquidity, 'N' (default)")                                      \
    O(EXPIRE_S, expire_s, 15, U32, "with time in force '6': seconds to live, 1..86,399")                               \
    O(EXPIRE_AT, expire_at_ns, 200, U64, "with time in force '6': good till this time, nanoseconds since 1970 (weir)") \
    O(SELF_TRADE, self_trade, 201, CHAR,                                                                               \
        "self-trade prevention: 'N' cancel newest, 'O' cancel oldest, 'B' cancel both, "                               \
        "'D' decrement, 'F' off; without: the account's setting (weir)")                                               \
    O(TEXT, text, 202, TEXT, "a sentence, 1..120 printable ASCII bytes: why a request was refused (weir)")

enum {
    WEIR_OUCH_ALPHA4 = 4,
    WEIR_OUCH_SYMBOL_SIZE = 8,
    WEIR_OUCH_CLIENT_ID_SIZE = 14,
    WEIR_OUCH_QUANTITY_MAX = 999999999,
    WEIR_OUCH_EXPIRE_S_MAX = 86399,
    WEIR_OUCH_TEXT_SIZE_MAX = 120,
    WEIR_OUCH_MESSAGE_SIZE_MAX = 256, /* 66 + 2 + every option at its largest: 156 */
};
#define WEIR_OUCH_PRICE_MARKET UINT64_C(0x7FFFFFFF)
#define WEIR_OUCH_PRICE_MAX    UINT64_C(0x7FFFFFFFFFFFFFFF) /* so that it fits an int64_t */

enum weir_ouch_request_type {
#define WEIR_OUCH_ENUM(NAME, name, letter, size, title) WEIR_OUCH_##NAME = (letter),
    WEIR_OUCH_REQUESTS(WEIR_OUCH_ENUM)
#undef WEIR_OUCH_ENUM
};
enum weir_ouch_response_type {
#define WEIR_OUCH_ENUM(NAME, name, letter, size, title) WEIR_OUCH_R_##NAME = (letter),
    WEIR_OUCH_RESPONSES(WEIR_OUCH_ENUM)
#undef WEIR_OUCH_ENUM
};
enum {
#define WEIR_OUCH_ENUM(NAME, name, letter, size, title) WEIR_OUCH_##NAME##_SIZE = (size),
    WEIR_OUCH_REQUESTS(WEIR_OUCH_ENUM)
#undef WEIR_OUCH_ENUM
#define WEIR_OUCH_ENUM(NAME, name, letter, size, title) WEIR_OUCH_R_##NAME##_SIZE = (size),
        WEIR_OUCH_RESPONSES(WEIR_OUCH_ENUM)
#undef WEIR_OUCH_ENUM
};
enum weir_ouch_option_tag {
#define WEIR_OUCH_ENUM(NAME, name, tag, kind, meaning) WEIR_OUCH_TAG_##NAME = (tag),
    WEIR_OUCH_OPTIONS(WEIR_OUCH_ENUM)
#undef WEIR_OUCH_ENUM
};

/* Which options are there. */
enum weir_ouch_option {
    WEIR_OUCH_HAS_FIRM = 1,
    WEIR_OUCH_HAS_MIN_QUANTITY = 2,
    WEIR_OUCH_HAS_POST_ONLY = 4,
    WEIR_OUCH_HAS_EXPIRE_S = 8,
    WEIR_OUCH_HAS_EXPIRE_AT = 16,
    WEIR_OUCH_HAS_SELF_TRADE = 32,
    WEIR_OUCH_HAS_TEXT = 64,
};
struct weir_ouch_options {
    uint32_t present; /* enum weir_ouch_option */
    uint32_t min_quantity;
    uint32_t expire_s;
    char firm[4];
    char post_only;
    char self_trade;
    uint64_t expire_at_ns;
    struct weir_slice text; /* in the message's bytes */
};

/* struct weir_ouch_enter { uint32_t user_ref; char side; ... } and so on: the fields of the tables but `type`. */
#define WEIR_OUCH_C_TYPE(field)
#define WEIR_OUCH_C_CHAR(field)                        char field;
#define WEIR_OUCH_C_U16(field)                         uint16_t field;
#define WEIR_OUCH_C_U32(field)                         uint32_t field;
#define WEIR_OUCH_C_U64(field)                         uint64_t field;
#define WEIR_OUCH_C_ALPHA4(field)                      char field[4];
#define WEIR_OUCH_C_ALPHA8(field)                      char field[8];
#define WEIR_OUCH_C_ALPHA14(field)                     char field[14];
#define WEIR_OUCH_MEMBER(offset, field, kind, meaning) WEIR_OUCH_C_##kind(field)

struct weir_ouch_enter {
    WEIR_OUCH_ENTER_FIELDS(WEIR_OUCH_MEMBER)
};
struct weir_ouch_replace {
    WEIR_OUCH_REPLACE_FIELDS(WEIR_OUCH_MEMBER)
};
struct weir_ouch_cancel {
    WEIR_OUCH_CANCEL_FIELDS(WEIR_OUCH_MEMBER)
};
struct weir_ouch_modify {
    WEIR_OUCH_MODIFY_FIELDS(WEIR_OUCH_MEMBER)
};
struct weir_ouch_mass_cancel {
    WEIR_OUCH_MASS_CANCEL_FIELDS(WEIR_OUCH_MEMBER)
};
struct weir_ouch_event {
    WEIR_OUCH_EVENT_FIELDS(WEIR_OUCH_MEMBER)
};
struct weir_ouch_accepted {
    WEIR_OUCH_ACCEPTED_FIELDS(WEIR_OUCH_MEMBER)
};
struct weir_ouch_replaced {
    WEIR_OUCH_REPLACED_FIELDS(WEIR_OUCH_MEMBER)
};
struct weir_ouch_canceled {
    WEIR_OUCH_CANCELED_FIELDS(WEIR_OUCH_MEMBER)
};
struct weir_ouch_prevented {
    WEIR_OUCH_PREVENTED_FIELDS(WEIR_OUCH_MEMBER)
};
struct weir_ouch_executed {
    WEIR_OUCH_EXECUTED_FIELDS(WEIR_OUCH_MEMBER)
};
struct weir_ouch_rejected {
    WEIR_OUCH_REJECTED_FIELDS(WEIR_OUCH_MEMBER)
};
struct weir_ouch_cancel_pending {
    WEIR_OUCH_CANCEL_PENDING_FIELDS(WEIR_OUCH_MEMBER)
};
struct weir_ouch_cancel_reject {
    WEIR_OUCH_CANCEL_REJECT_FIELDS(WEIR_OUCH_MEMBER)
};
struct weir_ouch_modified {
    WEIR_OUCH_MODIFIED_FIELDS(WEIR_OUCH_MEMBER)
};
struct weir_ouch_mass_canceled {
    WEIR_OUCH_MASS_CANCELED_FIELDS(WEIR_OUCH_MEMBER)
};
struct weir_ouch_next_ref {
    WEIR_OUCH_NEXT_REF_FIELDS(WEIR_OUCH_MEMBER)
};

struct weir_ouch_request {
    enum weir_ouch_request_type type;
    union {
        struct weir_ouch_enter enter;
        struct weir_ouch_replace replace;
        struct weir_ouch_cancel cancel;
        struct weir_ouch_modify modify;
        struct weir_ouch_mass_cancel mass_cancel; /* QUERY has no fields */
    };
    struct weir_ouch_options options;
};

struct weir_ouch_response {
    enum weir_ouch_response_type type;
    union {
        struct weir_ouch_event event;
        struct weir_ouch_accepted accepted;
        struct weir_ouch_replaced replaced;
        struct weir_ouch_canceled canceled;
        struct weir_ouch_prevented prevented;
        struct weir_ouch_executed executed;
        struct weir_ouch_rejected rejected;
        struct weir_ouch_cancel_pending cancel_pending;
        struct weir_ouch_cancel_reject cancel_reject;
        struct weir_ouch_modified modified;
        struct weir_ouch_mass_canceled mass_canceled;
        struct weir_ouch_next_ref next_ref;
    };
    struct weir_ouch_options options;
};

/* Reasons of this codec: R(NAME, code, sentence). 1..99 are its; the exchange's own begin at 100. Never renumbered. */
#define WEIR_OUCH_REASONS(R)                                                                                           \
    R(NONE, 0, "it is well formed")                                                                                    \
    R(EMPTY, 1, "the message is empty")                                                                                \
    R(UNKNOWN_TYPE, 2, "the message type is not one of O, U, X, M, C, Q")                                              \
    R(SIZE, 3, "the message's length does not fit its type")                                                           \
    R(USER_REF, 4, "UserRefNum must not be 0")                                                                         \
    R(SIDE, 5, "side must be B or S")                                                                                  \
    R(QUANTITY, 6, "quantity must be 1..999,999,999")                                                                  \
    R(SYMBOL, 7, "symbol must be printable ASCII, left-justified, padded with spaces, and not blank")                  \
    R(PRICE, 8, "price must be 1..2^63-1")                                                                             \
    R(TIME_IN_FORCE, 9, "time in force must be 0, 1, 3, 4 or 6")                                                       \
    R(DISPLAY, 10, "display must be Y")                                                                                \
    R(CAPACITY, 11, "capacity must be A, P, R or O")                                                                   \
    R(SWEEP, 12, "intermarket sweep must be N")                                                                        \
    R(CROSS, 13, "cross type must be N")                                                                               \
    R(CLIENT_ID, 14, "ClOrdID must be printable ASCII, left-justified, padded with spaces")                            \
    R(FIRM, 15, "firm must be printable ASCII, left-justified, padded with spaces")                                    \
    R(APPENDAGE, 16, "the options do not fill the appendage's length")                                                 \
    R(OPTION_UNKNOWN, 17, "an option's tag is not known")                                                              \
    R(OPTION_SIZE, 18, "an option's length does not fit its tag")                                                      \
    R(OPTION_VALUE, 19, "an option's value is not one of those it may have")                                           \
    R(OPTION_TWICE, 20, "an option is given twice")                                                                    \
    R(OPTION_MISPLACED, 21, "this message does not take that option")                                                  \
    R(EXPIRY, 22, "time in force 6 needs exactly one of the expiry options, and no other takes one")                   \
    R(MARKET_TIME, 23, "a market order must be IOC or FOK")                                                            \
    R(SAME_USER_REF, 24, "a replacement needs a UserRefNum above the original's")

enum weir_ouch_reason {
#define WEIR_OUCH_ENUM(NAME, code, sentence) WEIR_OUCH_REASON_##NAME = (code),
    WEIR_OUCH_REASONS(WEIR_OUCH_ENUM)
#undef WEIR_OUCH_ENUM
        WEIR_OUCH_REASON_EXCHANGE = 100, /* first code of the exchange */
};
const char *weir_ouch_reason_sentence(enum weir_ouch_reason reason); /* of codes 0..99; "" for others */

/* ---- functions ---- */

/* Decodes and checks every field of a request (one SoupBinTCP payload). *ret_request is untouched on failure. */
WEIR_MUST enum weir_ouch_reason weir_ouch_request_decode(
    struct weir_slice message, struct weir_ouch_request *ret_request);

/* What a Rejected message can echo of a request that failed to decode: UserRefNum (the new one of a Replace) and
 * ClOrdID as far as the bytes go; 0 and blanks otherwise. */
void weir_ouch_request_peek(struct weir_slice message, uint32_t *ret_user_ref, char ret_client_id[14]);

/* For clients: checks type, length and options, not the letters. */
WEIR_MUST enum weir_ouch_reason weir_ouch_response_decode(
    struct weir_slice message, struct weir_ouch_response *ret_response);

/* Encode into out, which holds WEIR_OUCH_MESSAGE_SIZE_MAX bytes; return the size written. The appendage's length is
 * always written. A type or text outside the tables is our mistake (asserted); field values are written as they are. */
size_t weir_ouch_request_encode(const struct weir_ouch_request *request, uint8_t *out);
size_t weir_ouch_response_encode(const struct weir_ouch_response *response, uint8_t *out);

/* Alpha fields. set: cuts at `size`, pads with spaces. get: without the padding. */
void weir_ouch_alpha_set(char *field, size_t size, struct weir_slice text);
struct weir_slice weir_ouch_alpha_get(const char *field, size_t size);

/* The tables as data, for the printed documentation. */
struct weir_ouch_field_doc {
    uint16_t offset;
    uint16_t size;
    const char *name;
    const char *kind;
    const char *meaning;
};
struct weir_ouch_message_doc {
    char type;
    bool is_request;
    uint16_t size; /* without appendage */
    const char *title;
    const struct weir_ouch_field_doc *fields;
    uint32_t field_count;
};
const struct weir_ouch_message_doc *weir_ouch_message_docs(uint32_t *ret_count);
/* Options: offset holds the tag. */
const struct weir_ouch_field_doc *weir_ouch_option_docs(uint32_t *ret_count);

#endif
