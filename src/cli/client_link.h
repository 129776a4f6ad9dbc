/* cli/client_link.h: the bytes of a client's connection. Private to client*.c. */
#ifndef WEIR_CLI_CLIENT_LINK_H
#define WEIR_CLI_CLIENT_LINK_H
#include "cli/client.h"

/* Until the socket is ready for SYS_POLL_READ or SYS_POLL_WRITE; TIMEOUT after a minute. */
WEIR_MUST enum weir_error client_link_wait(struct client *client, uint32_t bits);
/* As socket_write and socket_read of sys. */
WEIR_MUST enum weir_error client_link_put(struct client *client, struct weir_slice bytes, size_t *ret_size);
WEIR_MUST enum weir_error client_link_get(struct client *client, uint8_t *data, size_t size, size_t *ret_size);

#endif
