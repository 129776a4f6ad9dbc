/* host/envelope.h: what the host knows about a record, packed into the record's one header.
 *
 * Header key "w". Value of an INPUT record, little-endian:
 *   u8 kind (bits 0-2) and flags (bit 3: idempotency, bit 4: trace) | u16 type | u64 time_ns
 *   kind EMIT:   u32 source uid | u32 source epoch | u64 source offset | u32 index
 *   kind TIMER:  u64 timer id; type 1: the host's own, of effects (the fold's timers have type 0)
 *   kind SKIP:   u64 offset to pass over
 *   kind RESULT: u64 effect | u32 attempt
 *   kind ORDER:  u64 effect | u8 order | u8 row of effects (an operator's: effects.h; never seen by apply)
 *   idempotency: u64 body hash[2] | u16 size | principal, route and key, each with a u16 length in front
 *   trace:       16 bytes trace id | 8 bytes id of the span that caused it; only of a request that is sampled
 * Value of an OUTPUT record: u16 type. Its time is the record's own (ms).
 * A record without this header was produced by a client of the log: a COMMAND of type 0 at the record's time.
 *
 * Procedure to change: a new header key ("w2"); readers keep understanding the old one.
 * Pure; no allocation. INVALID: bytes that are not an envelope (quarantine, never an assertion).
 */
#ifndef WEIR_HOST_ENVELOPE_H
#define WEIR_HOST_ENVELOPE_H
#include "log/log.h"
#include "wire/trace_context.h"

#include <weir/service.h>

#define ENVELOPE_KEY             "w"
#define ENVELOPE_KEY_BYTES_MAX   640u /* principal + route + key of idempotency, with their lengths */
#define ENVELOPE_TRACE_SIZE      (WEIR_TRACE_ID_SIZE + WEIR_SPAN_ID_SIZE)
#define ENVELOPE_SIZE_MAX        (11u + 20u + 18u + ENVELOPE_KEY_BYTES_MAX + ENVELOPE_TRACE_SIZE)
#define ENVELOPE_OUTPUT_SIZE     2u
#define ENVELOPE_ORDER           7u /* a kind beside enum weir_record_kind */
#define ENVELOPE_TIMER_HOSTS     1u
#define ENVELOPE_OUTPUT_KEY_SIZE 8u

struct envelope_source {
    uint32_t uid, epoch;
    uint64_t offset;
    uint32_t index;
};
struct envelope {
    uint8_t kind; /* enum weir_record_kind */
    uint16_t type;
    uint64_t time_ns;
    uint64_t timer_id;             /* TIMER */
    uint64_t skip;                 /* SKIP */
    struct envelope_source source; /* EMIT */
    uint64_t effect;               /* RESULT, ORDER: its id */
    uint32_t attempt;              /* RESULT */
    uint8_t order, row;            /* ORDER */
    struct weir_slice key;         /* idempotency; size 0: none */
    uint64_t body_hash[2];
    struct weir_trace_link trace; /* whose trace id is zeros: none */
};

/* Returns the bytes written to out[ENVELOPE_SIZE_MAX]. */
size_t envelope_store(const struct envelope *envelope, uint8_t *out);
/* Without reading the rest: whether the record's request is traced. Its flags are the header's first byte. */
#define ENVELOPE_FLAG_TRACE 16u
static inline bool envelope_is_traced(const struct log_record *record) {
    return record->header_value.size > ENVELOPE_TRACE_SIZE && (record->header_value.data[0] & ENVELOPE_FLAG_TRACE) &&
           weir_slice_equal(record->header_key, weir_slice(ENVELOPE_KEY, sizeof ENVELOPE_KEY - 1));
}
WEIR_MUST enum weir_error envelope_load(const struct log_record *record, struct envelope *ret_envelope);
/* Packs (principal, route, key) into out[ENVELOPE_KEY_BYTES_MAX]; 0 when it does not fit. */
size_t envelope_pack_key(struct weir_slice principal, struct weir_slice route, struct weir_slice key, uint8_t *out);
/* An output record as subscribers see it. */
void envelope_load_output(uint64_t offset, const struct log_record *record, struct weir_record *ret_record);
#endif
