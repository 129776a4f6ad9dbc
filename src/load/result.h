/* load/result.h: what a run has measured. One per worker, merged at the end; one writer each. */
#ifndef WEIR_LOAD_RESULT_H
#define WEIR_LOAD_RESULT_H
#include "base/histogram.h"
#include <weir/error.h>

/* Why a request has no good answer. X(name, key in JSON, words) */
#define LOAD_FAILURE_TABLE(X)                                                                                          \
    X(CONNECT, "connect", "no connection could be made")                                                               \
    X(TIMEOUT, "timeout", "no answer in time")                                                                         \
    X(CUT, "cut", "the connection ended before the answer")                                                            \
    X(MALFORMED, "malformed", "the answer is not what the protocol allows")                                            \
    X(STATUS_4XX, "status_4xx", "the answer was 4xx")                                                                  \
    X(STATUS_5XX, "status_5xx", "the answer was 5xx")                                                                  \
    X(REFUSED, "refused", "the answer was a refusal (OUCH)")                                                           \
    X(UNSENT, "unsent", "never sent: no connection was free before the run was over")
enum load_failure {
#define LOAD_FAILURE_ENUM(name, key, words) LOAD_FAILURE_##name,
    LOAD_FAILURE_TABLE(LOAD_FAILURE_ENUM)
#undef LOAD_FAILURE_ENUM
        LOAD_FAILURES,
    LOAD_ANSWERED = LOAD_FAILURES, /* no failure */
};
const char *load_failure_key(enum load_failure failure);
const char *load_failure_words(enum load_failure failure);

#define LOAD_STATUS_MAX 600

/* Every request planned ends in exactly one of: answered, failed[...], given_up. */
struct load_counts {
    uint64_t planned;  /* requests that were due */
    uint64_t attempts; /* requests handed to a connection, retries too */
    uint64_t answered, failed[LOAD_FAILURES];
    uint64_t retries;       /* attempts beyond the first */
    uint64_t answered_late; /* answered after more than one attempt: an earlier one may have had its effect too */
    uint64_t given_up;      /* of --reset: the client cut the connection itself */
    uint64_t lost, doubled; /* of --loss and --duplicate; on streams `lost` were sent again */
    uint64_t pushes;        /* messages received that answered nothing */
    uint64_t bytes_out, bytes_in;
    uint64_t connects, connect_failures, cuts; /* cuts: connections the other side ended */
    uint64_t statuses[LOAD_STATUS_MAX];
};

/* Times in ns. */
struct load_result {
    struct load_counts counts;
    struct histogram latency; /* of answered requests, from their intended time */
    struct histogram service; /* of the same, from when they left: what a closed loop would have seen */
    struct histogram failed;  /* of failed ones, from the intended time to the failure */
    struct histogram slow;    /* latency on connections that are slow on purpose; not in the others */
    struct histogram late;    /* of the generator itself: from when a request could have left to when it did */
    struct histogram connect; /* from connect to ready */
    uint64_t busy_ns, run_ns; /* the thread's time outside its poller, and in all */
    uint64_t *buckets;
    /* Of the run; the merged result alone. */
    uint32_t connections, opened, threads; /* wanted, ready at the start */
    uint64_t memory_bytes;                 /* resident at the end, less before there were connections */
    double seconds, wanted_s;              /* from the first intended time to the last answer; planned */
    uint64_t seed, late_max_ns;
    char first_failure[200];
};

WEIR_MUST enum weir_error load_result_init(struct load_result *result);
void load_result_done(struct load_result *result);
void load_result_merge(struct load_result *result, const struct load_result *from);
/* A histogram of times as all of them here. close() accepts a zeroed one. */
WEIR_MUST enum weir_error load_histogram_open(struct histogram *histogram);
void load_histogram_close(struct histogram *histogram);
uint64_t load_result_failures(const struct load_result *result);
/* NULL when the generator kept up; else a sentence that says why the figures do not stand. */
const char *load_result_invalid(const struct load_result *result, char text[200]);
#endif
