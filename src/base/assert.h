/* base/assert.h: assertions and small compile-time helpers.
 *
 * WEIR_ASSERT states an invariant of our own code and stays on in release: it prints the expression and the place to
 * stderr and aborts. It never judges input from outside: that is an error value. WEIR_DEBUG_ASSERT is compiled out
 * when NDEBUG or WEIR_NO_DEBUG_ASSERT is defined or the build is optimised without sanitizers; use it on hot paths.
 */
#ifndef WEIR_BASE_ASSERT_H
#define WEIR_BASE_ASSERT_H

#include <stddef.h>

#ifdef __cplusplus
#define WEIR_STATIC_ASSERT(cond, text) static_assert(cond, text)
#else
#define WEIR_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif

#define WEIR_LIKELY(x)   __builtin_expect(!!(x), 1)
#define WEIR_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define WEIR_COLD        __attribute__((cold, noinline))

/* Elements of an array (not of a pointer: sizeof would lie). */
#define WEIR_ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The struct of type T whose member is at pointer; alignment is the caller's promise, hence the void pointer. */
#define WEIR_CONTAINER_OF(pointer, T, member) ((T *)(void *)((char *)(pointer)-offsetof(T, member)))

/* Prints "assertion failed: EXPRESSION at FILE:LINE" and aborts. Any thread; does not allocate. */
#ifdef __cplusplus
extern "C"
#endif
    __attribute__((noreturn, cold)) void
    weir_assert_fail(const char *expression, const char *file, int line);

#define WEIR_ASSERT(cond) (WEIR_LIKELY(cond) ? (void)0 : weir_assert_fail(#cond, __FILE__, __LINE__))

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEIR_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define WEIR_SANITIZED 1
#endif
#endif
#ifndef WEIR_SANITIZED
#define WEIR_SANITIZED 0
#endif

#if !defined(NDEBUG) && !defined(WEIR_NO_DEBUG_ASSERT) && (WEIR_SANITIZED || !defined(__OPTIMIZE__))
#define WEIR_DEBUG_ASSERT(cond) WEIR_ASSERT(cond)
#else
#define WEIR_DEBUG_ASSERT(cond) ((void)sizeof(!(cond)))
#endif

#endif
