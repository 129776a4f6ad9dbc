/* load/pcap.h: the UDP payloads of a capture file (pcap, both byte orders, micro- or nanoseconds; Ethernet with VLAN
 * tags, Linux cooked, raw IP, null; IPv4 and IPv6 without fragments). Everything else in it is passed over. */
#ifndef WEIR_LOAD_PCAP_H
#define WEIR_LOAD_PCAP_H
#include "load/template.h"

bool load_pcap_is(struct weir_slice file);
/* The payloads point into `file`; times_ns is when each was captured. INVALID when it is cut or holds none. */
WEIR_MUST enum weir_error load_pcap_init(struct load_lines *packets, struct weir_slice file);
#endif
