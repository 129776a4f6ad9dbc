/* A journal frame as bytes. See journal_format.h. */
#include "log/journal_format.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32c.h"

#define CRC_AT 60u

size_t log_frame_seal(uint8_t *frame, struct frame_header *header) {
    size_t size = (size_t)frame_bytes(header->payload_bytes), used = FRAME_HEADER_SIZE + header->payload_bytes;
    store_le32(frame, JOURNAL_MAGIC);
    store_le16(frame + 4, JOURNAL_VERSION);
    store_le16(frame + 6, FRAME_HEADER_SIZE);
    store_le64(frame + 8, header->sequence);
    store_le64(frame + 16, header->epoch.number);
    store_le64(frame + 24, header->epoch.salt);
    store_le32(frame + 32, header->previous_crc);
    store_le32(frame + 36, header->payload_bytes);
    store_le32(frame + 40, header->entry_count);
    store_le64(frame + 44, header->time_ms);
    store_le64(frame + 52, 0);
    uint32_t crc = crc32c(frame, CRC_AT);
    header->crc = crc32c_update(crc, frame + FRAME_HEADER_SIZE, header->payload_bytes);
    store_le32(frame + CRC_AT, header->crc);
    memset(frame + used, 0, size - used);
    return size;
}

bool log_frame_peek(struct weir_slice bytes, struct frame_header *ret_header, uint16_t *ret_version) {
    const uint8_t *p = bytes.data;
    if (bytes.size < FRAME_HEADER_SIZE || load_le32(p) != JOURNAL_MAGIC || load_le16(p + 6) != FRAME_HEADER_SIZE)
        return false;
    ret_header->sequence = load_le64(p + 8);
    ret_header->epoch = (struct journal_epoch){load_le64(p + 16), load_le64(p + 24)};
    ret_header->previous_crc = load_le32(p + 32);
    ret_header->payload_bytes = load_le32(p + 36);
    ret_header->entry_count = load_le32(p + 40);
    ret_header->time_ms = load_le64(p + 44);
    ret_header->crc = load_le32(p + CRC_AT);
    *ret_version = load_le16(p + 4);
    return true;
}

enum frame_look log_frame_look(
    struct weir_slice bytes, const struct journal_epoch *epoch, struct frame_header *ret_header) {
    struct frame_header header;
    uint16_t version = 0;
    if (!log_frame_peek(bytes, &header, &version)) return FRAME_NONE;
    if (header.epoch.number != epoch->number || header.epoch.salt != epoch->salt) return FRAME_NONE;
    *ret_header = header;
    if (version != JOURNAL_VERSION || header.payload_bytes > bytes.size - FRAME_HEADER_SIZE) return FRAME_BAD;
    uint32_t crc = crc32c(bytes.data, CRC_AT);
    crc = crc32c_update(crc, bytes.data + FRAME_HEADER_SIZE, header.payload_bytes);
    return crc == header.crc ? FRAME_GOOD : FRAME_BAD;
}

size_t log_frame_entry_put(uint8_t *at, uint32_t uid, struct weir_slice batch) {
    WEIR_DEBUG_ASSERT(batch.size <= UINT32_MAX);
    store_le32(at, uid);
    store_le32(at + 4, (uint32_t)batch.size);
    memcpy(at + FRAME_ENTRY_HEADER, batch.data, batch.size);
    return FRAME_ENTRY_HEADER + batch.size;
}

bool log_frame_entry_next(struct weir_slice *payload, uint32_t *ret_uid, struct weir_slice *ret_batch) {
    if (payload->size < FRAME_ENTRY_HEADER) return false;
    uint32_t size = load_le32(payload->data + 4);
    if (size > payload->size - FRAME_ENTRY_HEADER) return false;
    *ret_uid = load_le32(payload->data);
    *ret_batch = weir_slice(payload->data + FRAME_ENTRY_HEADER, size);
    *payload = weir_slice(ret_batch->data + size, payload->size - FRAME_ENTRY_HEADER - size);
    return true;
}

bool log_journal_name_parse(const char *name, uint32_t *ret_number) {
    if (name[0] != 'J' || name[1] != '-') return false;
    uint32_t number = 0;
    for (int i = 2; i < 10; i++) {
        if (name[i] < '0' || name[i] > '9') return false;
        number = number * 10 + (uint32_t)(name[i] - '0');
    }
    if (name[10] != 0) return false;
    *ret_number = number;
    return true;
}
