/* cli/notify.h: what a node tells the supervisor that started it, by sd_notify's protocol: one datagram of KEY=VALUE
 * lines to the socket that $NOTIFY_SOCKET names (systemd.service(5), sd_notify(3)). Without a supervisor nothing is
 * said. What the supervisor does not take is lost: it is its own business, and no reason to stop. Owner: the main
 * thread.
 *
 * The watchdog is not a clock of its own: notify_alive() is called when the lanes have come round.
 */
#ifndef WEIR_CLI_NOTIFY_H
#define WEIR_CLI_NOTIFY_H
#include "sys/sys.h"

struct notify {
    struct sys *sys;
    const char *path;     /* NULL: no supervisor */
    uint64_t watchdog_ns; /* a process that says nothing for so long is ended; 0: never */
};

/* From $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID. */
void notify_init(struct notify *notify, struct sys *sys);
/* How long to wait between two looks at the lanes: a quarter of the watchdog's time, an hour without one. */
uint64_t notify_pause_ms(const struct notify *notify);
void notify_ready(const struct notify *notify);
void notify_reloading(const struct notify *notify); /* until the next notify_ready() */
void notify_stopping(const struct notify *notify);
void notify_alive(const struct notify *notify); /* WATCHDOG=1, when one is set */

#endif
