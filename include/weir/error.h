/* weir/error.h: every way a weir function can fail.
 *
 * One table. A function that can fail returns `enum weir_error` (0 = WEIR_OK) and may not be ignored (WEIR_MUST).
 * Context (what, where, what to do) is added on the way up with weir_error_context(); only the edge and the CLI print.
 * Rows are never renumbered: the value is part of the API.
 */
#ifndef WEIR_ERROR_H
#define WEIR_ERROR_H

#define WEIR_MUST __attribute__((warn_unused_result))

/* X(name, value, sentence, http status, exit code, retryable) */
#define WEIR_ERROR_TABLE(X)                                                                                            \
    X(OK, 0, "success", 200, 0, 0)                                                                                     \
    X(INVALID, 1, "the request is malformed", 400, 2, 0)                                                               \
    X(NOT_FOUND, 2, "there is no such thing", 404, 3, 0)                                                               \
    X(EXISTS, 3, "it exists already", 409, 4, 0)                                                                       \
    X(FULL, 4, "a bounded queue is full, try again later", 503, 5, 1)                                                  \
    X(TOO_LARGE, 5, "the input is larger than its limit", 413, 6, 0)                                                   \
    X(NO_SPACE, 6, "the disk is full", 507, 7, 1)                                                                      \
    X(IO, 7, "an input/output operation failed", 500, 8, 0)                                                            \
    X(CORRUPT, 8, "stored bytes do not match their checksum", 500, 9, 0)                                               \
    X(LOCKED, 9, "another process holds it", 423, 10, 0)                                                               \
    X(VERSION, 10, "written by a version this binary does not understand", 500, 11, 0)                                 \
    X(NO_MEMORY, 11, "a memory limit was reached", 503, 12, 1)                                                         \
    X(CLOSED, 12, "it is closed", 503, 13, 1)                                                                          \
    X(CONFLICT, 13, "it conflicts with what was there before", 409, 14, 0)                                             \
    X(KEY_REUSED, 14, "the idempotency key was used with another body", 422, 15, 0)                                    \
    X(OUT_OF_SEQUENCE, 15, "the producer's sequence number is not the next one", 409, 16, 0)                           \
    X(FENCED, 16, "a newer epoch of this producer exists", 409, 17, 0)                                                 \
    X(OUT_OF_RANGE, 17, "the offset is outside what is stored", 416, 18, 0)                                            \
    X(FORBIDDEN, 18, "it is not allowed", 403, 19, 0)                                                                  \
    X(UNSUPPORTED, 19, "it is not supported", 501, 20, 0)                                                              \
    X(TIMEOUT, 20, "it took longer than its limit", 504, 21, 1)                                                        \
    X(PARKED, 21, "the partition is parked behind a poison record", 503, 22, 0)                                        \
    X(AGAIN, 22, "not now: the operation would block", 503, 23, 1)                                                     \
    X(PERMISSION, 23, "the system denies access", 500, 24, 0)                                                          \
    X(CONFIG, 24, "the configuration is wrong", 500, 25, 0)                                                            \
    X(DUPLICATE, 25, "it was applied before", 200, 26, 0)                                                              \
    X(MISMATCH, 26, "two things that must be equal differ", 500, 27, 0)                                                \
    X(SKIPPED, 27, "its record crashed the node, and an operator's order passed over it", 409, 28, 0)

enum weir_error {
#define WEIR_ERROR_ENUM(name, value, sentence, http, exit, retry) WEIR_E_##name = (value),
    WEIR_ERROR_TABLE(WEIR_ERROR_ENUM)
#undef WEIR_ERROR_ENUM
};
#define WEIR_OK WEIR_E_OK

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

const char *weir_error_name(enum weir_error e);     /* "OUT_OF_RANGE" */
const char *weir_error_sentence(enum weir_error e); /* the table's sentence */
int weir_error_http(enum weir_error e);
int weir_error_exit(enum weir_error e);
int weir_error_retryable(enum weir_error e);

/* The calling thread's context: one line of at most 511 bytes that says what failed, where, and what to do.
 * weir_error_context() replaces it and returns e, so that a failing function ends with
 *     return weir_error_context(WEIR_E_CORRUPT, "segment %s: batch at byte %llu ...; run: weir log repair", ...);
 * weir_error_wrap() puts a prefix in front of the present line and returns e. */
enum weir_error weir_error_context(enum weir_error e, const char *format, ...) __attribute__((format(printf, 2, 3)));
enum weir_error weir_error_wrap(enum weir_error e, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *weir_error_text(void); /* valid until the thread's next call; "" when none */
void weir_error_clear(void);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
