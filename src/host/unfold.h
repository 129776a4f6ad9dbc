/* host/unfold.h: stored batches as readers inside take them: plain.
 *
 * Apart from the reader, because wire/record_batch.h has a struct weir_record of its own. Owner: one thread. Memory:
 * the contexts of the codecs; two buffers of address space, touched when something was compressed.
 */
#ifndef WEIR_HOST_UNFOLD_H
#define WEIR_HOST_UNFOLD_H
#include "log/log.h"

#define UNFOLD_BYTES_MAX ((2u << 20) - 4096u) /* with what stands before it no larger than a message */

struct unfold {
    uint8_t *plain, *inflated; /* what goes out; one batch, whole */
    void *memory;              /* them, and before them a struct weir_compression */
};
WEIR_MUST enum weir_error unfold_open(struct unfold *u);
void unfold_close(struct unfold *u);
/* Whole batches, as log_read gives them. Those that are plain all stay where they are; else *ret_plain has as many as
 * fit, the first one from `offset` on, and perhaps not to its end: its header says how far. INVALID, TOO_LARGE. */
WEIR_MUST enum weir_error unfold_batches(
    struct unfold *u, struct weir_slice batches, uint64_t offset, struct weir_slice *ret_plain);

#endif
