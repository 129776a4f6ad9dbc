/* base/units.h: numbers as people write them in settings, and back.
 *
 * Parsers take the whole slice or fail with WEIR_E_INVALID (WEIR_E_OUT_OF_RANGE when it does not fit) and a context
 * that quotes the text and says what was expected; *ret is untouched on failure. No locale, no floating point in
 * between: "1.5s" is exact. Surrounding blanks are an error.
 */
#ifndef WEIR_BASE_UNITS_H
#define WEIR_BASE_UNITS_H

#include "base/text.h"

#include <weir/error.h>

/* Decimal digits; a sign only for i64. "0x" hexadecimal is accepted by u64. '_' may separate digits: 1_000_000. */
WEIR_MUST enum weir_error parse_u64(struct weir_slice s, uint64_t *ret);
WEIR_MUST enum weir_error parse_i64(struct weir_slice s, int64_t *ret);
/* Finite decimal number, JSON's grammar plus a leading '+'. */
WEIR_MUST enum weir_error parse_double(struct weir_slice s, double *ret);
/* true/false, yes/no, on/off, 1/0. */
WEIR_MUST enum weir_error parse_bool(struct weir_slice s, bool *ret);

/* "64MB", "64 MiB", "1.5G", "4096", "0": B, K/KB/KiB, M.., G.., T.., P..: all binary (1K = 1024). Fractions must
 * come out as whole bytes. */
WEIR_MUST enum weir_error parse_bytes(struct weir_slice s, uint64_t *ret);
/* "10ms", "1h30m", "1.5s", "250us", "1d", "0": ns, us, ms, s, m (min), h, d, w; into nanoseconds. A bare number other
 * than 0 is an error: it has no unit. */
WEIR_MUST enum weir_error parse_duration(struct weir_slice s, uint64_t *ret_ns);
/* "50%", "0.5" -> parts per million. */
WEIR_MUST enum weir_error parse_ratio(struct weir_slice s, uint32_t *ret_ppm);

/* Exact: the largest unit that divides it ("64MB", "1536KB", "1000B"), so that parse gives the same value. */
void text_add_bytes(struct text_builder *t, uint64_t bytes);
void text_add_duration(struct text_builder *t, uint64_t ns);
/* For eyes: three significant digits and a unit ("1.50MB", "12.3ms"). */
void text_add_bytes_short(struct text_builder *t, uint64_t bytes);
void text_add_duration_short(struct text_builder *t, uint64_t ns);
/* "1,234,567" */
void text_add_grouped(struct text_builder *t, uint64_t value);

#endif
