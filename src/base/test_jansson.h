/* jansson, the oracle of the tests and the fuzzer of JSON. It names its types as we name tokens, so they are renamed
 * here; its json_is_... macros must not be used. */
#ifndef WEIR_BASE_TEST_JANSSON_H
#define WEIR_BASE_TEST_JANSSON_H
#include "base/json.h"

#define JSON_STRING  JANSSON_STRING
#define JSON_INTEGER JANSSON_INTEGER
#define JSON_REAL    JANSSON_REAL
#define JSON_TRUE    JANSSON_TRUE
#define JSON_FALSE   JANSSON_FALSE
#define JSON_NULL    JANSSON_NULL
#include <jansson.h>
#undef JSON_STRING
#undef JSON_INTEGER
#undef JSON_REAL
#undef JSON_TRUE
#undef JSON_FALSE
#undef JSON_NULL

#endif
