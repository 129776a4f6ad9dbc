/* Read by clang-tidy alone, before each source: a failing function returns the error that it was given, which the
 * analyzer cannot see across files. Without this every caller looks as if it could go on with outputs that were never
 * set. */
#include <weir/error.h>

#define weir_error_context(error, ...) ((void)weir_error_context(error, __VA_ARGS__), (error))
#define weir_error_wrap(error, ...)    ((void)weir_error_wrap(error, __VA_ARGS__), (error))
