/* exchange/message.h: the fixed binary layouts of the exchange's hot topics: commands in, events and market data out.
 *
 * Every struct here is a record's value as it stands in a topic: little-endian, explicit widths, no implicit padding,
 * sizes and offsets asserted. To change one: add a new type number with a new struct beside the old, keep reading the
 * old one, raise EXCHANGE_LAYOUT_VERSION. A type number, reason or flag is never renumbered and never reused.
 * Prices are signed integers in the symbol's price unit, quantities unsigned integers in its quantity unit.
 * Times are nanoseconds since 1970 as the record's time gives them; nothing here reads a clock.
 */
#ifndef WEIR_EXCHANGE_MESSAGE_H
#define WEIR_EXCHANGE_MESSAGE_H
#include <stddef.h>
#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the structs below are the little-endian layout itself");

#define EXCHANGE_LAYOUT_VERSION 1
#define EXCHANGE_NAME_SIZE      16

/* Why a command was refused or an order ended. X(NAME, value, code, sentence). Values are part of the layout. */
#define EXCHANGE_REASON_TABLE(X)                                                                                       \
    X(NONE, 0, "none", "nothing to say")                                                                               \
    X(UNKNOWN_COMMAND, 1, "unknown_command", "the command's type is not known to this version")                        \
    X(MALFORMED, 2, "malformed", "a field of the command is outside its range")                                        \
    X(UNKNOWN_SYMBOL, 3, "unknown_symbol", "the symbol is not defined")                                                \
    X(UNKNOWN_ACCOUNT, 4, "unknown_account", "the account number is 0 or above the configured number of accounts")     \
    X(UNKNOWN_SESSION, 5, "unknown_session", "the session is not connected for this account")                          \
    X(UNKNOWN_ORDER, 6, "unknown_order", "there is no open order with this id or reference for the account")           \
    X(DUPLICATE_REF, 7, "duplicate_ref", "the client reference was used already")                                      \
    X(HALTED, 8, "halted", "trading in the symbol is halted; only cancel and reduce are taken")                        \
    X(SUSPENDED, 9, "suspended", "the account is suspended; only cancel and reduce are taken")                         \
    X(TICK, 10, "tick", "the price is not a multiple of the symbol's tick")                                            \
    X(LOT, 11, "lot", "the quantity is not a multiple of the symbol's lot")                                            \
    X(QUANTITY, 12, "quantity", "the quantity is 0 or above the symbol's maximum order size")                          \
    X(NOTIONAL, 13, "notional", "price times quantity is above the symbol's maximum notional")                         \
    X(PRICE_BAND, 14, "price_band", "the price is outside the symbol's band around its reference price")               \
    X(PRICE_RANGE, 15, "price_range", "the price is outside what the engine can represent")                            \
    X(OPEN_LIMIT, 16, "open_limit", "the account has its maximum number of open orders")                               \
    X(ORDERS_FULL, 17, "orders_full", "the engine's configured number of open orders is reached")                      \
    X(LEVELS_FULL, 18, "levels_full", "the engine's configured number of price levels is reached")                     \
    X(POST_ONLY, 19, "post_only", "a post-only order would have traded")                                               \
    X(EXPIRED_ALREADY, 20, "expired_already", "the expiry time is not in the future")                                  \
    X(SYMBOLS_FULL, 21, "symbols_full", "the configured number of symbols is reached")                                 \
    X(SYMBOL_EXISTS, 22, "symbol_exists", "a symbol of this name is defined already")                                  \
    X(TERMS, 23, "terms", "a symbol's tick and lot must be positive and fixed while it has open orders")               \
    X(BUSY, 24, "busy", "too many mass cancels are under way; send it again")                                          \
    X(BY_CLIENT, 32, "by_client", "canceled by its owner")                                                             \
    X(BY_MASS_CANCEL, 33, "by_mass_cancel", "canceled by a mass cancel")                                               \
    X(BY_DISCONNECT, 34, "by_disconnect", "canceled because its session disconnected")                                 \
    X(IOC_REMAINDER, 35, "ioc_remainder", "the rest of an immediate-or-cancel order found nothing to trade with")      \
    X(FOK_UNFILLED, 36, "fok_unfilled", "a fill-or-kill order could not be filled entirely")                           \
    X(NO_LIQUIDITY, 37, "no_liquidity", "a market order found nothing within its collar")                              \
    X(SELF_TRADE, 38, "self_trade", "self-trade prevention")                                                           \
    X(DAY_ENDED, 39, "day_ended", "a day order at the end of the day")                                                 \
    X(TIME_REACHED, 40, "time_reached", "a good-till-date order at its time")                                          \
    X(REPLACED_BELOW_FILLED, 41, "replaced_below_filled", "the new total is not above what has been executed")         \
    X(BY_SUSPENSION, 42, "by_suspension", "canceled because its account was suspended")                                \
    X(WORK_LIMIT, 43, "work_limit", "it met as many resting orders as one command may; the rest is canceled")

enum exchange_reason {
#define EXCHANGE_REASON_ENUM(name, value, code, sentence) EXCHANGE_REASON_##name = (value),
    EXCHANGE_REASON_TABLE(EXCHANGE_REASON_ENUM)
#undef EXCHANGE_REASON_ENUM
};

/* Commands: records of `exchange.orders`. The first byte of every record is its type. */
enum exchange_command_type {
    EXCHANGE_COMMAND_NEW = 1,    /* price, quantity, client_ref, tif, stp, flags, expire_ns */
    EXCHANGE_COMMAND_CANCEL = 2, /* order_id */
    EXCHANGE_COMMAND_REDUCE = 3, /* order_id, quantity = how much to take off; priority kept */
    EXCHANGE_COMMAND_REPLACE =
        4, /* order_id, price, quantity = new total incl. executed (0: leaves stay), client_ref */
    EXCHANGE_COMMAND_MASS_CANCEL = 5, /* filters: account, symbol, session (0 = any), side (2 = any); order_id = session
                                         that gets DONE, with client_ref */
    EXCHANGE_COMMAND_HALT = 6,        /* symbol */
    EXCHANGE_COMMAND_RESUME = 7,      /* symbol */
    EXCHANGE_COMMAND_END_OF_DAY = 8,  /* symbol or 0 = all: day orders expire */
    EXCHANGE_COMMAND_TICK = 9,        /* its record's time: good-till-date orders expire; mass work under way goes on */
    EXCHANGE_COMMAND_CONNECT =
        10, /* session, account, flags; order_id = token of this connection. Takes over from one before */
    EXCHANGE_COMMAND_DISCONNECT = 11, /* session, order_id = token; refused when another connection took over */
    EXCHANGE_COMMAND_SUSPEND = 12,    /* account: its orders are canceled, new ones refused */
    EXCHANGE_COMMAND_REINSTATE = 13,  /* account */
    EXCHANGE_COMMAND_DEFINE = 14,     /* struct exchange_terms */
    EXCHANGE_COMMAND_ALTER = 15,      /* struct exchange_terms */
    /* 16 .. 31 are kept for stops, icebergs, pegs (a longer command), auctions and balances. */
};

enum exchange_side { EXCHANGE_SIDE_BUY = 0, EXCHANGE_SIDE_SELL = 1, EXCHANGE_SIDE_ANY = 2 };
enum exchange_tif {
    EXCHANGE_TIF_GTC = 0, /* good till canceled */
    EXCHANGE_TIF_DAY = 1, /* until END_OF_DAY */
    EXCHANGE_TIF_GTD = 2, /* until expire_ns */
    EXCHANGE_TIF_IOC = 3, /* immediate or cancel */
    EXCHANGE_TIF_FOK = 4, /* fill or kill */
};
enum exchange_stp {
    EXCHANGE_STP_NONE = 0,
    EXCHANGE_STP_CANCEL_NEWEST = 1,
    EXCHANGE_STP_CANCEL_OLDEST = 2,
    EXCHANGE_STP_CANCEL_BOTH = 3,
    EXCHANGE_STP_DECREMENT = 4,
};
enum exchange_command_flag {
    EXCHANGE_FLAG_MARKET = 1,                /* no price: traded within the collar and band, the rest canceled */
    EXCHANGE_FLAG_POST_ONLY = 2,             /* refused if it would trade */
    EXCHANGE_FLAG_BY_REF = 4,                /* order_id holds a client reference of the account */
    EXCHANGE_FLAG_REQUEUE = 8,               /* replace: to the tail of the queue whatever changes */
    EXCHANGE_FLAG_CANCEL_ON_DISCONNECT = 16, /* connect: its open orders are canceled at DISCONNECT */
    EXCHANGE_FLAG_REFS_RISE = 32, /* connect: every client_ref of the session must be above the one before, for ever */
    EXCHANGE_FLAG_TO = 64,        /* reduce, replace: quantity is what stays open, instead of what goes or the total */
    EXCHANGE_FLAG_MODIFY = 128,   /* reduce: answered by an event with EXCHANGE_EVENT_MODIFIED */
    EXCHANGE_FLAG_EXPIRE_IN = 256 /* new: expire_ns counts from the record's time */
};

/* One command of 64 bytes; types 1 to 13. Fields a type does not name must be 0 and are ignored. */
struct exchange_command {
    uint8_t type;
    uint8_t side;
    uint8_t tif;
    uint8_t stp;
    uint16_t flags;
    uint16_t reserved;
    uint32_t symbol;  /* 1-based */
    uint32_t account; /* 1-based; 0 in a cancel is the operator, who may touch any account's orders */
    uint32_t session; /* 0: none */
    uint32_t reserved2;
    uint64_t order_id;
    uint64_t client_ref; /* 0: none */
    int64_t price;
    uint64_t quantity;
    uint64_t expire_ns;
};
_Static_assert(sizeof(struct exchange_command) == 64, "a command is 64 bytes in the topic");
_Static_assert(offsetof(struct exchange_command, order_id) == 24, "layout of a command");
_Static_assert(offsetof(struct exchange_command, expire_ns) == 56, "layout of a command");

/* DEFINE and ALTER. DEFINE gives the symbol the next number, whatever `symbol` says; ALTER names it. */
struct exchange_terms {
    uint8_t type;
    uint8_t reserved[3];
    uint32_t symbol;
    char name[EXCHANGE_NAME_SIZE]; /* zero-padded, printable ASCII without space */
    int64_t tick;                  /* > 0; fixed while orders are open */
    uint64_t lot;                  /* > 0; fixed while orders are open */
    uint64_t quantity_max;         /* 0: no limit */
    uint64_t notional_max;         /* 0: no limit; price x quantity */
    int64_t reference;             /* price the band is around */
    int64_t band;                  /* limit prices within reference +- band; 0: no band */
    int64_t collar;                /* market orders trade within this distance of the best opposite price; 0: none */
    uint64_t decimals;             /* digits after the point of a price and, times 256, of a quantity; display only */
};
_Static_assert(sizeof(struct exchange_terms) == 88, "symbol terms are 88 bytes in the topic");

/* Events. `exchange.events` (private, keyed by account): types 1 to 8. */
enum exchange_event_type {
    EXCHANGE_EVENT_ACCEPTED = 1,  /* order as accepted: price, quantity, leaves */
    EXCHANGE_EVENT_REJECTED = 2,  /* reason; order_id of the target if one was named */
    EXCHANGE_EVENT_EXECUTED = 3,  /* price and quantity of the trade, match_id; the maker's comes before the taker's */
    EXCHANGE_EVENT_CANCELED = 4,  /* reason, quantity taken off, leaves = 0: the order ended */
    EXCHANGE_EVENT_REDUCED = 5,   /* reason, quantity taken off, leaves > 0: priority kept */
    EXCHANGE_EVENT_REPLACED = 6,  /* new price, leaves; quantity = the client reference before */
    EXCHANGE_EVENT_EXPIRED = 7,   /* reason, quantity taken off: the order ended */
    EXCHANGE_EVENT_DONE = 8,      /* a session's mass cancel came to its end; quantity = orders it ended */
    EXCHANGE_EVENT_CONNECTED = 9, /* a connection has the session from here on, whoever had it before; order_id = token.
                                     Not numbered for the session */
    /* Public, keyed by symbol. */
    EXCHANGE_EVENT_L2 = 16,    /* `exchange.l2` */
    EXCHANGE_EVENT_L1 = 17,    /* `exchange.l1` */
    EXCHANGE_EVENT_TRADE = 18, /* `exchange.trades` */
    EXCHANGE_EVENT_STATE = 19, /* symbol defined, altered, halted, resumed: in `exchange.l1` */
};
enum exchange_event_flag {
    EXCHANGE_EVENT_MAKER = 1,         /* the resting side of an execution */
    EXCHANGE_EVENT_PRIORITY_LOST = 2, /* replaced: now at the tail of its level */
    EXCHANGE_EVENT_ENDED = 4,         /* nothing more will be said about this order */
    EXCHANGE_EVENT_MODIFIED = 8,      /* reduced by a command with EXCHANGE_FLAG_MODIFY */
};

struct exchange_event {
    uint8_t type;
    uint8_t side;
    uint8_t flags;
    uint8_t reason;
    uint32_t symbol;
    uint32_t account;
    uint32_t session; /* the session that entered the order or sent the refused command; 0: none */
    uint64_t order_id;
    uint64_t client_ref;
    int64_t price;
    uint64_t quantity;
    uint64_t leaves;
    uint64_t executed;
    union {
        uint64_t match_id;   /* executed: number of the trade */
        uint64_t command;    /* rejected: type of the command */
        char symbol_name[8]; /* accepted, replaced, done: the first eight characters */
    };
    uint64_t time_ns;
    uint64_t session_sequence; /* +1 for each event of the session; 0: not for the session */
};
_Static_assert(sizeof(struct exchange_event) == 88, "a private event is 88 bytes in the topic");
_Static_assert(offsetof(struct exchange_event, order_id) == 16, "layout of an event");

/* Behind an event may stand 16 or 24 bytes more; its type and reason tell which, its size whether.
 * Accepted, replaced, rejected: what the request wanted repeated, if it said anything (16 bytes; also behind a command
 * and its symbol's name in `exchange.orders`). Replaced has the time in force of the order, whatever was asked for. */
struct exchange_echo {
    char client_id[14]; /* ClOrdID, padded with spaces */
    char capacity;
    char time_in_force; /* OUCH's letter */
};
_Static_assert(sizeof(struct exchange_echo) == 16, "an echo is 16 bytes in the topic");

/* Canceled, reduced with the reason self_trade: the trade that was prevented (24 bytes). */
struct exchange_prevented {
    int64_t price;     /* the resting order's */
    uint64_t quantity; /* that would have traded; with cancel_newest at that price in all */
    uint8_t is_maker;  /* this event is of the resting order */
    uint8_t mode;      /* enum exchange_stp of the incoming order */
    uint8_t reserved[6];
};
_Static_assert(sizeof(struct exchange_prevented) == 24, "what was prevented is 24 bytes in the topic");

/* One level after a change: absolute values, so a lost delta is repaired by the next one of that level. */
struct exchange_l2 {
    uint8_t type;
    uint8_t side;
    uint16_t reserved;
    uint32_t symbol;
    uint64_t sequence; /* per symbol and topic, +1 each: a gap means something was missed. States count as L1 */
    int64_t price;
    uint64_t quantity; /* 0: the level is gone */
    uint64_t orders;
    uint64_t time_ns;
};
_Static_assert(sizeof(struct exchange_l2) == 48, "an L2 delta is 48 bytes in the topic");

struct exchange_l1 {
    uint8_t type;
    uint8_t reserved[3];
    uint32_t symbol;
    uint64_t sequence;
    int64_t bid_price;
    uint64_t bid_quantity; /* 0: no bid, its price is 0 */
    int64_t ask_price;
    uint64_t ask_quantity;
    uint64_t time_ns;
};
_Static_assert(sizeof(struct exchange_l1) == 56, "an L1 change is 56 bytes in the topic");

struct exchange_trade {
    uint8_t type;
    uint8_t side; /* the taker's */
    uint16_t reserved;
    uint32_t symbol;
    uint64_t sequence;
    uint64_t match_id;
    int64_t price;
    uint64_t quantity;
    uint64_t time_ns;
};
_Static_assert(sizeof(struct exchange_trade) == 48, "a trade is 48 bytes in the topic");

enum exchange_symbol_state { EXCHANGE_SYMBOL_OPEN = 0, EXCHANGE_SYMBOL_HALTED = 1 };

struct exchange_state {
    uint8_t type;
    uint8_t state;
    uint16_t reserved;
    uint32_t symbol;
    uint64_t sequence;
    uint64_t time_ns;
    char name[EXCHANGE_NAME_SIZE];
    int64_t tick;
    uint64_t lot;
    uint64_t decimals;
};
_Static_assert(sizeof(struct exchange_state) == 64, "a symbol state is 64 bytes in the topic");

/* A cell of the engine's event buffer: all begin with the type byte. */
union exchange_output {
    uint8_t type;
    struct exchange_event event;
    struct exchange_l2 l2;
    struct exchange_l1 l1;
    struct exchange_trade trade;
    struct exchange_state state;
} __attribute__((aligned(32)));
_Static_assert(sizeof(union exchange_output) == 96, "an event cell is three half lines");

size_t exchange_output_size(uint8_t type);                     /* bytes of the record's value; 0 for an unknown type */
const char *exchange_reason_code(enum exchange_reason reason); /* "price_band"; "unknown" for an unknown value */
const char *exchange_reason_sentence(enum exchange_reason reason); /* the table's sentence */
#endif
