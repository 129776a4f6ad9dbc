/* Any bytes as a snapshot: refused or loaded, never a crash. The checksum is made right first, or nothing behind it is
 * reached.
 * Covers: snapshot.c. */
#include "base/bytes.h"
#include "base/crc32c.h"
#include "host/envelope.h"
#include "host/snapshot.h"
#include "host/test_services.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct log_record record = {.header_key = weir_slice("w", 1), .header_value = weir_slice(data, size)};
    struct envelope envelope;
    (void)!envelope_load(&record, &envelope);
    if (size > 1 << 16) return 0;
    uint8_t *bytes = malloc(size + 24);
    memcpy(bytes, "WEIRSNAP", 8);
    store_le32(bytes + 8, SNAPSHOT_FORMAT);
    store_le64(bytes + 16, size + 24);
    if (size) memcpy(bytes + 24, data, size);
    store_le32(bytes + 12, crc32c(bytes + 16, size + 8));
    static const struct weir_setting_value values[2] = {{.number = 2}, {.number = 7}};
    struct fold_options options = {.service = &left_service,
        .values = values,
        .initial = values,
        .partition_count = 2,
        .idempotency = {.keys_max = 100, .age_ns_max = 1000, .secret = {1, 2}}};
    if (size >= 4) options.uid = load_le32(data); /* past the head's comparison */
    struct fold fold;
    if (snapshot_load(&fold, &options, weir_slice(bytes, size + 24)) == WEIR_OK) fold_done(&fold);
    free(bytes);
    return 0;
}
