/* wire/trace_context.h: W3C Trace Context: the headers by which a request says which trace it is part of.
 *
 *     traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
 *     tracestate:  rojo=00f067aa0ba902b7,congo=t61rcWkgMzE
 *
 * Purpose     read both headers as strictly as the specification asks; write a traceparent.
 * Threads     pure. Allocation: none.
 * Errors      none: what cannot be read is passed over and the request begins a trace of its own, as section 3.2 and
 *             4.3 say; a wrong header never fails a request.
 * Source      https://www.w3.org/TR/trace-context (level 1), https://www.w3.org/TR/trace-context-2 (level 2: the flag
 *             "random", keys that begin with a digit).
 */
#ifndef WEIR_WIRE_TRACE_CONTEXT_H
#define WEIR_WIRE_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/slice.h>

#define WEIR_TRACE_ID_SIZE      16u
#define WEIR_SPAN_ID_SIZE       8u
#define WEIR_TRACEPARENT_SIZE   55u  /* of version 00, which is what we write */
#define WEIR_TRACESTATE_MAX     512u /* bytes: what everybody has to pass on at least (3.3.1.5) */
#define WEIR_TRACESTATE_MEMBERS 32u
#define WEIR_TRACESTATE_LARGE   128u /* a longer member is the first to go */
#define WEIR_TRACE_FLAG_SAMPLED 1u
#define WEIR_TRACE_FLAG_RANDOM  2u /* level 2: the trace id's last 7 bytes are random */
#define WEIR_TRACE_FLAGS_KNOWN  (WEIR_TRACE_FLAG_SAMPLED | WEIR_TRACE_FLAG_RANDOM)

/* A place in a trace: below it hangs what it caused. A trace id of zeros is none. */
struct weir_trace_link {
    uint8_t trace_id[WEIR_TRACE_ID_SIZE];
    uint8_t span_id[WEIR_SPAN_ID_SIZE];
};
struct weir_traceparent {
    struct weir_trace_link link;
    uint8_t flags; /* those known */
};

static inline bool weir_trace_link_is_set(const struct weir_trace_link *link) {
    uint64_t id[2]; /* asked of every record */
    memcpy(id, link->trace_id, sizeof id);
    return (id[0] | id[1]) != 0;
}
/* False: malformed, or an id of zeros; *ret is untouched. A version above 00 is read as far as 00 goes. */
bool weir_traceparent_parse(struct weir_slice value, struct weir_traceparent *ret_parent);
void weir_traceparent_write(const struct weir_traceparent *parent, char out[WEIR_TRACEPARENT_SIZE]);
/* The members of all tracestate headers of a request in their order, joined as one of at most WEIR_TRACESTATE_MAX
 * bytes; returns its size. Too long: members above WEIR_TRACESTATE_LARGE go first, then the last ones. 0: none, or one
 * of them is malformed, a key is there twice, or there are more than WEIR_TRACESTATE_MEMBERS. */
size_t weir_tracestate_join(const struct weir_slice *values, size_t count, char out[WEIR_TRACESTATE_MAX]);

#endif
