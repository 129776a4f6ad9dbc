/* Records of recorded order streams. */
#include "wire/orderflow.h"
#include "base/bytes.h"

enum weir_error weir_orderflow_decode(struct weir_slice bytes, struct weir_orderflow_record *ret_record) {
    if (bytes.size != WEIR_ORDERFLOW_RECORD_SIZE) {
        return weir_error_context(WEIR_E_INVALID, "a record has %zu bytes, not 32: the file is cut", bytes.size);
    }
    const uint8_t *at = bytes.data;
    struct weir_orderflow_record record = {
        .op = at[0],
        .side = at[1],
        .symbol = load_le16(at + 2),
        .quantity = load_le32(at + 4),
        .order_id = load_le64(at + 8),
        .price = (int64_t)load_le64(at + 16),
        .time_ns = load_le64(at + 24),
    };
    if (record.op < WEIR_ORDERFLOW_LIMIT || record.op > WEIR_ORDERFLOW_MOVE) {
        return weir_error_context(WEIR_E_INVALID, "op %u is not 1..4", record.op);
    }
    if (record.side > WEIR_ORDERFLOW_SELL)
        return weir_error_context(WEIR_E_INVALID, "side %u is not 0 or 1", record.side);
    if (record.quantity == 0) return weir_error_context(WEIR_E_INVALID, "the quantity is 0");
    if (record.order_id == 0) return weir_error_context(WEIR_E_INVALID, "the order id is 0");
    *ret_record = record;
    return WEIR_OK;
}

void weir_orderflow_encode(const struct weir_orderflow_record *record, uint8_t out[WEIR_ORDERFLOW_RECORD_SIZE]) {
    out[0] = record->op;
    out[1] = record->side;
    store_le16(out + 2, record->symbol);
    store_le32(out + 4, record->quantity);
    store_le64(out + 8, record->order_id);
    store_le64(out + 16, (uint64_t)record->price);
    store_le64(out + 24, record->time_ns);
}
