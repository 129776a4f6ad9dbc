/* host/mail.h: the messages between endpoints: tag and layout. Bytes follow the struct in the order of its sizes.
 *
 * A handler lives beside the noun it changes; lane.c, work.c and reader.c only look it up by tag. It returns false when
 * the message must wait in its ring until the next cycle.
 */
#ifndef WEIR_HOST_MAIL_H
#define WEIR_HOST_MAIL_H
#include "host/host.h"
#include "host/mailbox.h"
#include "host/outbox.h"

enum mail_tag {
    MAIL_COMMAND,     /* REQUEST: struct mail_command */
    MAIL_QUERY,       /* REQUEST: struct mail_query */
    MAIL_SUBSCRIBE,   /* REQUEST: struct mail_subscribe */
    MAIL_UNSUBSCRIBE, /* REQUEST: struct host_origin */
    MAIL_FORGET,      /* REQUEST: struct host_origin */
    MAIL_APPEND,      /* REQUEST: struct mail_append */
    MAIL_MARK,        /* REQUEST: struct mail_mark: tell offset, hash and digest now */
    MAIL_SKIP,        /* REQUEST: struct mail_skip */
    MAIL_ORDER,       /* REQUEST: struct mail_order */
    MAIL_DELIVERY,    /* REPLY: delivery.h */
    MAIL_ACK,         /* REPLY: struct mail_ack */
    MAIL_MARKED,      /* REPLY: struct mail_marked */
    MAIL_CAUGHT,      /* REPLY: struct mail_caught: batches for a tap that catches up */
    MAIL_EMITTED,     /* EMIT: struct mail_emitted */
    MAIL_WORK,        /* REQUEST to the work agent: struct mail_work */
    MAIL_READ,        /* REQUEST to the read agent: struct mail_read */
    MAIL_TAGS
};

struct mail_command {
    uint32_t service, partition;
    struct host_origin origin;
    uint64_t body_hash[2];
    struct weir_trace_link trace;
    uint32_t key_size, value_size;
    uint16_t packed_key_size; /* of idempotency */
    uint16_t type;
    bool wants_reply, in_order;
};
struct mail_query { /* packed bytes follow */
    host_query_fn query;
    const void *descriptor;
    struct host_origin origin;
    uint32_t service, partition, packed_size, of_fold;
    char principal[HOST_WHO_MAX + 1], tenant[HOST_WHO_MAX + 1]; /* "": not told */
};
struct mail_append { /* the batch follows */
    struct log_partition *partition;
    struct host_origin origin;
    struct weir_trace_link trace; /* zeros: not traced */
    uint32_t batch_size, unused;
};
struct mail_subscribe { /* packed bytes of the snapshot query follow */
    struct log_partition *partition;
    uint64_t key, from;
    struct host_origin origin;
    struct mail_query snapshot; /* query NULL: none */
};
struct mail_read { /* to the read agent; from a session (purpose ANSWER) or a lane's tap */
    struct log_partition *partition;
    uint64_t offset, until_mono_ns; /* ANSWER: waits for data until then */
    struct host_origin origin;
    uint32_t bytes_max, tap, tap_number, is_tap;
};
struct mail_caught { /* batches follow */
    uint64_t offset;
    enum weir_error error;
    uint32_t tap, tap_number, size;
};
struct mail_order { /* to the partition's lane */
    struct host_effect_order order;
    uint32_t partition, unused; /* number */
};
struct mail_ack {
    uint64_t position;
    uint32_t partition, unused;
};
struct mail_emitted {
    uint64_t position; /* in the source's outbox */
    uint32_t source_partition, unused;
    struct outbox_entry entry; /* value bytes follow */
};
#endif
