#include "load/pcap.h"
#include "base/bytes.h"
#include <stdlib.h>

#define FILE_HEADER   24
#define RECORD_HEADER 16
#define MAGIC_US      0xa1b2c3d4u
#define MAGIC_NS      0xa1b23c4du
#define LINK_NULL     0
#define LINK_ETHERNET 1
#define LINK_RAW      101
#define LINK_COOKED   113
#define TYPE_VLAN     0x8100
#define TYPE_QINQ     0x88a8
#define PROTOCOL_UDP  17

static bool magic_is(uint32_t magic) {
    return magic == MAGIC_US || magic == MAGIC_NS;
}

bool load_pcap_is(struct weir_slice file) {
    return file.size >= 4 && (magic_is(load_le32(file.data)) || magic_is(load_be32(file.data)));
}

static bool skip(struct weir_slice *bytes, size_t size) {
    if (bytes->size < size) return false;
    *bytes = weir_slice(bytes->data + size, bytes->size - size);
    return true;
}

/* Leaves the IP packet. */
static bool link_skip(struct weir_slice *frame, uint32_t link) {
    switch (link) {
    case LINK_NULL:
        return skip(frame, 4);
    case LINK_COOKED:
        return skip(frame, 16);
    case LINK_ETHERNET: {
        if (!skip(frame, 12)) return false;
        while (frame->size >= 4 && (load_be16(frame->data) == TYPE_VLAN || load_be16(frame->data) == TYPE_QINQ))
            if (!skip(frame, 4)) return false;
        return skip(frame, 2);
    }
    default:
        return link == LINK_RAW;
    }
}

/* Leaves the UDP datagram. */
static bool ip_skip(struct weir_slice *packet) {
    if (packet->size < 1) return false;
    uint8_t version = packet->data[0] >> 4;
    if (version == 4 && packet->size >= 20) {
        size_t header = (size_t)(packet->data[0] & 15) * 4, total = load_be16(packet->data + 2);
        bool is_fragment = (load_be16(packet->data + 6) & 0x3fff) != 0;
        if (header < 20 || packet->data[9] != PROTOCOL_UDP || is_fragment) return false;
        if (total >= header && total < packet->size) packet->size = total; /* what follows pads the frame */
        return skip(packet, header);
    }
    if (version == 6 && packet->size >= 40) return packet->data[6] == PROTOCOL_UDP && skip(packet, 40);
    return false;
}

static bool payload_find(struct weir_slice frame, uint32_t link, struct weir_slice *ret_payload) {
    if (!link_skip(&frame, link) || !ip_skip(&frame) || frame.size < 8) return false;
    size_t size = load_be16(frame.data + 4);
    if (size < 8 || size > frame.size) return false; /* captured in part */
    *ret_payload = weir_slice(frame.data + 8, size - 8);
    return true;
}

#define NS_PER_S UINT64_C(1000000000)

/* A record's time. A fraction beyond a second is counted as it stands, as other readers do. */
static uint64_t time_of(const uint8_t *record, bool little, bool is_ns) {
    uint32_t seconds = little ? load_le32(record) : load_be32(record);
    uint32_t rest = little ? load_le32(record + 4) : load_be32(record + 4);
    return seconds * NS_PER_S + (uint64_t)rest * (is_ns ? 1 : 1000);
}

static void time_add(struct load_lines *packets, uint64_t time_ns, uint64_t *first_ns) {
    uint64_t n = packets->count;
    if (n == 0) *first_ns = time_ns;
    uint64_t at = time_ns > *first_ns ? time_ns - *first_ns : 0, before = n ? packets->times_ns[n - 1] : 0;
    packets->times_ns[n] = at > before ? at : before; /* captures of several queues are not quite in order */
}

/* One pass over the records; items NULL: counts only. */
static enum weir_error walk(struct load_lines *packets, struct weir_slice file) {
    bool little = magic_is(load_le32(file.data));
    uint32_t link = (little ? load_le32(file.data + 20) : load_be32(file.data + 20)) & 0xffff;
    bool is_ns = load_le32(file.data) == MAGIC_NS || load_be32(file.data) == MAGIC_NS;
    uint64_t number = 0, first_ns = 0;
    packets->count = 0;
    for (size_t at = FILE_HEADER; at < file.size; number++) {
        if (file.size - at < RECORD_HEADER)
            return weir_error_context(
                WEIR_E_INVALID, "the capture is cut inside record %llu", (unsigned long long)number);
        const uint8_t *record = file.data + at;
        uint32_t size = little ? load_le32(record + 8) : load_be32(record + 8);
        at += RECORD_HEADER;
        if (size > file.size - at)
            return weir_error_context(
                WEIR_E_INVALID, "the capture is cut inside record %llu", (unsigned long long)number);
        struct weir_slice payload;
        if (payload_find(weir_slice(file.data + at, size), link, &payload)) {
            if (packets->items) {
                packets->items[packets->count] = payload;
                time_add(packets, time_of(record, little, is_ns), &first_ns);
            }
            packets->count++;
            if (payload.size > packets->size_max) packets->size_max = payload.size;
        }
        at += size;
    }
    return WEIR_OK;
}

enum weir_error load_pcap_init(struct load_lines *packets, struct weir_slice file) {
    *packets = (struct load_lines){0};
    if (!load_pcap_is(file) || file.size < FILE_HEADER)
        return weir_error_context(
            WEIR_E_INVALID, "this is no capture (pcap); convert a pcapng with tcpdump -r IN -w OUT");
    enum weir_error e = walk(packets, file);
    if (e == WEIR_OK && packets->count == 0)
        e = weir_error_context(WEIR_E_INVALID, "the capture holds no whole UDP datagram");
    if (e != WEIR_OK) return e;
    packets->items = calloc(packets->count, sizeof *packets->items);
    packets->times_ns = calloc(packets->count, sizeof *packets->times_ns);
    if (!packets->items || !packets->times_ns) {
        load_lines_done(packets);
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the capture");
    }
    return walk(packets, file);
}
