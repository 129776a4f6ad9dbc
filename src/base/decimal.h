/* base/decimal.h: doubles from and to decimal text, correctly rounded, whatever the locale. Pure, no allocation. */
#ifndef WEIR_BASE_DECIMAL_H
#define WEIR_BASE_DECIMAL_H

#include <weir/error.h>
#include <weir/slice.h>

/* Bytes of the JSON number (RFC 8259 section 6) at the beginning of s, 0 when there is none. *ret_whole: it has neither
 * fraction nor exponent. */
size_t decimal_scan(struct weir_slice s, bool *ret_whole);
/* A literal that decimal_scan accepts in full, of any length; nearest double, ties to even. False: beyond the largest.
 */
WEIR_MUST bool decimal_to_double(struct weir_slice literal, double *ret);
/* The fewest digits that read back as the same finite value, in JSON's grammar; out has room for DECIMAL_SIZE; returns
 * the length, no NUL. Exponent form outside 1e-5 .. 1e17. */
#define DECIMAL_SIZE 32
size_t decimal_from_double(double value, char *out);

#endif
