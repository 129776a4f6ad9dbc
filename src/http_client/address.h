/* http_client/address.h: which addresses a call may connect to. Pure. Inside this layer only. */
#ifndef WEIR_HTTP_CLIENT_ADDRESS_H
#define WEIR_HTTP_CLIENT_ADDRESS_H
#include "http_client/http.h"

#define HTTP_ADDRESS_SIZE 16u

/* An IPv4 address as IPv6 writes it: ::ffff:a.b.c.d. */
void http_address_of_v4(const uint8_t v4[4], uint8_t ret_address[HTTP_ADDRESS_SIZE]);
/* Globally reachable, by IANA's special-purpose registries (RFC 6890 and its updates). An IPv6 address that carries an
 * IPv4 one (mapped, NAT64, 6to4) is what that is. */
bool http_address_is_public(const uint8_t address[HTTP_ADDRESS_SIZE]);
bool http_network_has(const struct http_network *network, const uint8_t address[HTTP_ADDRESS_SIZE]);

#endif
