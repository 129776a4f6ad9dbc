/* host/delivery.h: a host_delivery as bytes: held in a commit until that is durable, or sent to another lane.
 *
 * Layout: struct delivery_head, then text, key and value bytes; 8-aligned; sizes in the head. Never on disk.
 * Pure; no allocation. The loaded delivery points into the bytes.
 */
#ifndef WEIR_HOST_DELIVERY_H
#define WEIR_HOST_DELIVERY_H
#include "host/host.h"

size_t delivery_size(const struct host_delivery *delivery); /* a multiple of 8 */
void delivery_store(const struct host_delivery *delivery, void *ret_bytes);
void delivery_load(const void *bytes, struct host_delivery *ret_delivery);
#endif
