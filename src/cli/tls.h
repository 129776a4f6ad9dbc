/* cli/tls.h: a certificate of one's own: cert.pem and key.pem in a folder. */
#ifndef WEIR_CLI_TLS_H
#define WEIR_CLI_TLS_H
#include "cli/command.h"
#include "sys/sys.h"
#include <stdio.h>

#define CLI_TLS_NAMES "localhost,127.0.0.1,::1"

struct cli_tls_pair {
    char folder[400], cert[420], key[420];
    const char *names; /* separated by commas */
    uint32_t days;     /* 0: a year */
    bool keeps;        /* a pair that is there is fine */
    FILE *to;          /* where it says what it made */
};
WEIR_MUST enum weir_error cli_tls_in(struct cli_tls_pair *pair, const char *folder); /* sets the paths */
WEIR_MUST enum weir_error cli_tls_pair(struct sys *sys, const struct cli_tls_pair *pair);

#endif
