/* host/in_force.h: version, epoch and folded settings in force at an offset, and the SETTINGS record that says so.
 *
 * A SETTINGS record is the first record of every input partition and follows each start at which version or folded
 * settings differ from those in force, or at which input may have been lost (then only the epoch rises). Its value:
 *   u32 version | u32 epoch | u16 rows | per row: u8 name size, name | u8 kind | u64 number, or u16 size and text
 * Rows that are not folded read as zero inside the fold: it must not see what is not in its log.
 * Owner: the fold's thread. Allocation: none; texts of all rows together at most IN_FORCE_TEXT_MAX bytes (CONFIG).
 */
#ifndef WEIR_HOST_IN_FORCE_H
#define WEIR_HOST_IN_FORCE_H
#include <weir/service.h>

#define IN_FORCE_ROWS_MAX   64u
#define IN_FORCE_TEXT_MAX   2048u
#define IN_FORCE_RECORD_MAX (10u + IN_FORCE_ROWS_MAX * (1u + 64u + 1u + 8u) + IN_FORCE_TEXT_MAX)

struct in_force {
    uint32_t version, epoch;                             /* 0: nothing in force yet (empty partition) */
    struct weir_setting_value values[IN_FORCE_ROWS_MAX]; /* table order; zero where not folded */
    char text[IN_FORCE_TEXT_MAX];
    size_t text_used;
};

/* What these settings would put in force. CONFIG: too many rows or too much text. */
WEIR_MUST enum weir_error in_force_from(struct in_force *ret_in_force, const struct weir_service *service,
    const struct weir_setting_value *values, uint32_t epoch);
/* Texts point into their own struct: a plain assignment would leave them behind. */
void in_force_copy(struct in_force *ret_to, const struct in_force *from);
/* Version and values alike (the epoch is not compared). */
bool in_force_same(const struct in_force *a, const struct in_force *b, const struct weir_service *service);
size_t in_force_store(const struct in_force *in_force, const struct weir_service *service, uint8_t *out);
/* Rows the bytes do not have get their initial value (`initial`, in table order); rows the table does not have are
 * passed over. INVALID: not such bytes. */
WEIR_MUST enum weir_error in_force_load(struct in_force *ret_in_force, const struct weir_service *service,
    const struct weir_setting_value *initial, struct weir_slice bytes);
/* Values for weir_open: folded rows from here, the others from `values`. */
void in_force_merge(const struct in_force *in_force, const struct weir_service *service,
    const struct weir_setting_value *values, struct weir_setting_value *ret_merged);
/* Of each folded number the larger one; the others as in `merged`. */
void in_force_capacity(const struct weir_service *service, const struct weir_setting_value *merged,
    const struct weir_setting_value *values, struct weir_setting_value *ret_capacity);
uint32_t in_force_rows(const struct weir_service *service);
#endif
