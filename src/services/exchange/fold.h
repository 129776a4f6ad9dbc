/* exchange/fold.h: the engine as a weir service: records in, outputs on topics, replies; the state behind service.c.
 *
 * Input records (`exchange.orders`):
 *   type 1 ORDER    struct exchange_command, or it followed by the symbol's name (16 bytes, zero-padded): from
 * gateways; no reply. With a name (or zeroes) struct exchange_echo may stand behind: it is repeated behind the events
 *   type 2 REQUEST  the same, from HTTP: the fold replies with struct exchange_reply and its fills
 *   type 3 TERMS    struct exchange_terms (DEFINE, ALTER; ALTER finds the symbol by name): replies
 * A symbol is numbered by its partition's engine, so senders name it and the fold resolves it. Public order ids are
 * engine id x partitions + partition: whoever has one finds the order.
 * Threads and allocation: as weir/service.h says of a fold.
 */
#ifndef WEIR_EXCHANGE_FOLD_H
#define WEIR_EXCHANGE_FOLD_H
#include "exchange/limits.h"
#include <weir/service.h>

enum exchange_record_type { EXCHANGE_RECORD_ORDER = 1, EXCHANGE_RECORD_REQUEST = 2, EXCHANGE_RECORD_TERMS = 3 };
enum exchange_topic {
    EXCHANGE_TOPIC_ORDERS,
    EXCHANGE_TOPIC_EVENTS,
    EXCHANGE_TOPIC_L1,
    EXCHANGE_TOPIC_L2,
    EXCHANGE_TOPIC_TRADES
};
enum exchange_setting {
    EXCHANGE_PARTITIONS,
    EXCHANGE_ORDERS_MAX,
    EXCHANGE_SYMBOLS_MAX,
    EXCHANGE_ACCOUNTS_MAX,
    EXCHANGE_OPEN_MAX,
    EXCHANGE_OUCH,
    EXCHANGE_OUCH_CANCEL,
    EXCHANGE_HISTORY_KEEP,
};
enum exchange_metric {
    EXCHANGE_METRIC_COMMANDS,
    EXCHANGE_METRIC_REJECTED,
    EXCHANGE_METRIC_TRADES,
    EXCHANGE_METRIC_VOLUME,
    EXCHANGE_METRIC_OPEN
};

#define EXCHANGE_WORK_MAX 1024u /* resting orders one command may touch; sizes the outputs of one apply */

/* Command with the symbol's name behind it. */
struct exchange_named_command {
    struct exchange_command command;
    char name[EXCHANGE_NAME_SIZE]; /* all zero: none */
};
_Static_assert(sizeof(struct exchange_named_command) == 80, "a named command is 80 bytes in the topic");

/* And with what its events are to repeat. */
struct exchange_echoed_command {
    struct exchange_named_command named;
    struct exchange_echo echo;
};
_Static_assert(sizeof(struct exchange_echoed_command) == 96, "an echoed command is 96 bytes in the topic");

enum exchange_status { EXCHANGE_REJECTED, EXCHANGE_OPEN, EXCHANGE_FILLED, EXCHANGE_CANCELED, EXCHANGE_DONE };
#define EXCHANGE_REPLY_FILLS_MAX 64u
struct exchange_fill {
    int64_t price;
    uint64_t quantity, match_id;
};
/* Reply to REQUEST and TERMS records; `fills` of struct exchange_fill follow. Kept with idempotency keys. */
struct exchange_reply {
    uint8_t version; /* 1 */
    uint8_t status;  /* enum exchange_status */
    uint16_t reason;
    uint32_t fills;
    uint64_t order_id;   /* public id */
    uint64_t client_ref; /* CONNECT: offset of its event CONNECTED */
    uint64_t executed, leaves, canceled_orders;
};
_Static_assert(sizeof(struct exchange_reply) == 48, "a reply's head is 48 bytes");

/* Where the events of sessions stand in `exchange.events`: the latest EXCHANGE_MARKS of every EXCHANGE_MARK_EVERY-th,
 * so that a client that resumes is not read to from the beginning of the topic. */
#define EXCHANGE_MARKS      8u
#define EXCHANGE_MARK_EVERY 1024u
struct exchange_mark {
    uint64_t sequence, offset; /* sequence 0: none */
};

struct exchange_fold { /* queries get it as `state` */
    struct exchange_core *core;
    uint32_t partition, partition_count;
    struct exchange_limits room;                   /* what the memory is laid out for */
    struct exchange_limits in_force;               /* what the settings at this offset say */
    struct exchange_mark (*marks)[EXCHANGE_MARKS]; /* by session */
    uint64_t expiry_timer;                         /* record time the expiry timer is set to; UINT64_MAX: not set */
};

/* An offset of exchange.events at or before the session's event of that sequence number. */
uint64_t exchange_fold_event_offset(const struct exchange_fold *fold, uint32_t session, uint64_t sequence);
/* Zero-padded name from text; false when it does not fit or is empty. */
bool exchange_name(char name[EXCHANGE_NAME_SIZE], const char *text);
uint32_t exchange_partition(const char *symbol, uint32_t partition_count);
void exchange_limits_of(const struct weir_setting_value *settings, struct exchange_limits *ret_limits);
static inline uint64_t exchange_public_id(uint64_t id, uint32_t partition, uint32_t count) {
    return id ? id * count + partition : 0;
}
uint16_t exchange_reason_status(enum exchange_reason reason); /* HTTP */

size_t exchange_state_bytes(const struct weir_setting_value *settings);
enum weir_error exchange_open(const struct weir_open *open, void **ret_state);
void exchange_apply(void *state, const struct weir_record *record, struct weir_out *out);
enum weir_error exchange_save(const void *state, struct weir_sink *sink);
enum weir_error exchange_load(void *state, struct weir_source *source);
uint64_t exchange_digest(const void *state);
enum weir_error exchange_dump(const void *state, struct weir_sink *text);

/* Printers of record types (print.c). */
size_t exchange_print_command(struct weir_slice value, char *buf, size_t size);
size_t exchange_print_terms(struct weir_slice value, char *buf, size_t size);
size_t exchange_print_output(struct weir_slice value, char *buf, size_t size);

extern const struct weir_route exchange_routes[]; /* routes.c */
extern const struct weir_protocol exchange_feed_protocol, exchange_ouch_protocol;
#endif
