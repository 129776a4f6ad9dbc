/* exchange/sim_exchange.h: the exchange's workload for the simulator, between its files.
 *
 *     sim_exchange.c         the workload's table; the exchange's settings
 *     sim_exchange_http.c    traders over HTTP: commands with idempotency keys, retried until answered; queries
 *     sim_exchange_ouch.c    binary sessions: cut, resumed, taken over
 *     sim_exchange_ledger.c  what the durable input says must have happened: the naive model of the engine's tests,
 *                            with sessions and symbols' names around it; held against the output topics
 *
 * Owner: the simulator's one thread. Memory: malloc, given back when the workload closes.
 */
#ifndef WEIR_EXCHANGE_SIM_EXCHANGE_H
#define WEIR_EXCHANGE_SIM_EXCHANGE_H
#include "exchange/fold.h"
#include "exchange/test_engine_model.h"
#include "sim/workload.h"
#include "wire/ouch.h"

#define EX_PARTITIONS_MAX 3u
#define EX_SYMBOLS_MAX    6u
#define EX_ACCOUNTS       5u  /* of HTTP and binary sessions alike: they touch one another's orders */
#define EX_OPEN_MAX       12u /* open orders of one account: some are refused */
#define EX_TRADERS_MAX    5u
#define EX_ASKS_MAX       900u
#define EX_CALM_ASKS_MAX  600u /* beside them */
#define EX_BINARIES_MAX   3u
#define EX_REQUESTS_MAX   400u /* of one binary session */
#define EX_BINARY_PORT    9879

/* What a client is told of a command, as far as it has one right value. */
struct ex_told {
    uint16_t http;
    uint8_t status, reason; /* enum exchange_status, enum exchange_reason */
    uint32_t fills;
    uint64_t order_id; /* public */
    uint64_t executed, leaves, canceled;
    uint64_t fills_hash; /* over price, quantity and number of each trade */
    uint64_t text_hash;  /* of the answer as it is, but for the request's own number; not derived */
};

/* ---- the ledger of one partition ---- */
struct ex_event {
    struct exchange_event event;
    struct exchange_echo echo;
    uint8_t behind; /* bytes that stand behind it in its topic */
};
struct ex_session {
    uint32_t account;
    bool connected, refs_rise, cancels;
    uint64_t token, ref_last;
    uint32_t *events; /* where its events stand in the ledger's, by sequence number - 1 */
    uint32_t event_count, event_room;
};
struct exchange_sim;
struct ex_ledger {
    struct exchange_sim *x;
    uint32_t partition;
    struct model *model;
    struct ex_session sessions[EX_ACCOUNTS + 1];
    uint64_t input_next, events_next, trades_next; /* offsets read so far */
    struct ex_event *events;                       /* that must be in exchange.events, by offset */
    struct exchange_trade *trades;                 /* and in exchange.trades */
    uint64_t *open;                                /* what exchange.events leaves of an order, by engine id */
    uint32_t event_count, event_room, trade_count, trade_room, open_count, open_room;
    uint64_t trade_sequence[MODEL_SYMBOLS];
    uint64_t time_ns;                /* of the last record: it never goes back */
    struct exchange_command command; /* that is being taken, its symbol resolved */
    struct exchange_echo echo;
    bool has_echo, retransmitted;
};
void ex_ledger_open(struct ex_ledger *ledger, struct exchange_sim *x, uint32_t partition);
void ex_ledger_close(struct ex_ledger *ledger);
/* Takes what the input has more by now. False: damage kept it from reading. */
bool ex_ledger_take(struct ex_ledger *ledger);
/* Holds what the output topics have more by now against what they must have. whole: they must have all of it. */
bool ex_ledger_compare(struct ex_ledger *ledger, bool whole);
uint32_t ex_ledger_symbol(const struct ex_ledger *ledger, const char name[EXCHANGE_NAME_SIZE]); /* 0: none */
/* A side of a book, or an account's open orders, as text: as clients' answers are brought into it. */
size_t ex_ledger_side(const struct ex_ledger *ledger, const char *symbol, uint8_t side, char *text, size_t size);
size_t ex_ledger_account(const struct ex_ledger *ledger, uint32_t account, char *text, size_t size);

/* ---- over HTTP ---- */
struct ex_ask { /* a command with an idempotency key: its number */
    char method[8], target[64], body[320];
    uint8_t record[sizeof(struct exchange_terms)]; /* as it must stand in the input topic */
    uint32_t record_size;
    uint16_t record_type;
    bool valid;    /* well formed: becomes a record */
    bool sent;     /* some of it may have reached the node */
    bool answered; /* for good */
    uint8_t busy;  /* traders that wait for its answer */
    uint8_t kind;  /* command type */
    uint32_t partition, seen, life;
    bool is_derived;
    struct ex_told told, derived; /* by the node, by the ledger */
};
enum ex_role { EX_ASKS, EX_REUSES, EX_QUERIES, EX_LOOKS };
struct ex_trader {
    struct client client;
    enum ex_role role;
    uint32_t ask;                        /* ASKS, REUSES */
    uint32_t symbol, account, partition; /* LOOKS at a book, or at an account's orders when that is not 0 */
};
void ex_http_step(struct exchange_sim *x, bool calm);
bool ex_http_settled(const struct exchange_sim *x);
void ex_http_check(struct exchange_sim *x, bool whole);
/* An order in the symbol, by the seed. */
struct exchange_command ex_http_draw(struct exchange_sim *x, uint32_t symbol);
/* The ledger met the command with this key. */
struct ex_ask *ex_http_seen(
    struct exchange_sim *x, struct ex_ledger *ledger, struct weir_slice key, uint16_t type, struct weir_slice value);

/* ---- over OUCH ---- */
struct ex_link { /* a connection */
    int connection;
    bool accepted;
    bool resent;           /* what had no answer */
    uint64_t wanted, next; /* sequence number asked for; of the message to come */
    uint64_t heard_ns, said_ns;
    uint8_t *in, *out;
    size_t in_size, out_size, out_sent;
};
struct ex_request {
    uint8_t message[WEIR_OUCH_MESSAGE_SIZE_MAX];
    uint32_t size;
    uint32_t user_ref;                    /* 0: uses none up */
    bool answered;                        /* or not waited for */
    struct exchange_named_command record; /* as it must stand in the input topic, if it enters an order */
};
struct ex_heard {
    uint64_t hash;
    uint32_t life;
};
struct ex_binary { /* an account's session in a partition */
    uint32_t account, partition, symbol_count;
    uint32_t symbols[EX_SYMBOLS_MAX]; /* of its partition */
    struct ex_link link, ghost;       /* ghost: the connection another login took the session from */
    bool rested;                      /* in the calm: was accepted, and perhaps taken over once more */
    struct ex_request *requests;
    uint32_t request_count, user_ref;
    struct ex_heard *heard; /* by sequence number - 1 */
    uint32_t heard_count, heard_room, checked_count;
};
void ex_binary_open(struct exchange_sim *x, struct ex_binary *b, uint32_t account);
void ex_binary_close(struct exchange_sim *x, struct ex_binary *b);
void ex_binary_hang_up(struct exchange_sim *x, struct ex_binary *b);
void ex_binary_step(struct exchange_sim *x, struct ex_binary *b, bool calm);
bool ex_binary_settled(const struct ex_binary *b);
void ex_binary_check(struct exchange_sim *x, struct ex_binary *b, bool whole);
/* The ledger met an order of a session. */
void ex_binary_seen(struct exchange_sim *x, const struct ex_ledger *ledger, const struct exchange_echoed_command *c);

/* ---- the workload ---- */
struct exchange_sim {
    struct sim *sim;
    uint32_t partitions, symbol_count, trader_count, binary_count, life;
    bool cancels_on_disconnect;
    /* What rots in the newest frame is cut as a torn write and may be lost by right, and offsets are then given again.
     * So in that weather only the input and the outputs are held together, not what clients were told. */
    bool trusts;
    bool looked[EX_SYMBOLS_MAX], looked_account[EX_PARTITIONS_MAX][EX_ACCOUNTS + 1]; /* in the calm, found right */
    uint64_t looks_until_ns;                     /* from then on what they show must be right; 0: nobody looked yet */
    uint32_t calm_left;                          /* requests to be begun in the calm */
    struct exchange_terms terms[EX_SYMBOLS_MAX]; /* as they are to be defined */
    char names[EX_SYMBOLS_MAX][EXCHANGE_NAME_SIZE];
    struct ex_ledger ledgers[EX_PARTITIONS_MAX];
    struct ex_trader traders[EX_TRADERS_MAX];
    struct ex_ask *asks;
    uint32_t ask_count;
    uint64_t known[32]; /* public ids of orders that may be open */
    uint32_t known_next;
    struct ex_binary binaries[EX_BINARIES_MAX];
};
static inline uint32_t ex_partition(const struct exchange_sim *x, uint32_t symbol) {
    return exchange_partition(x->names[symbol], x->partitions);
}
/* Room for one more in a growing array. */
void *ex_room(void *array, uint32_t count, uint32_t *room, size_t size);

#endif
