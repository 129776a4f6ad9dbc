#include "cli/notify.h"
#include "base/text.h"
#include "base/units.h"
#include <stdlib.h>

#define PAUSE_MS_MAX 3600000ull

void notify_init(struct notify *notify, struct sys *sys) {
    *notify = (struct notify){.sys = sys, .path = getenv("NOTIFY_SOCKET")};
    const char *watchdog = getenv("WATCHDOG_USEC"), *whose = getenv("WATCHDOG_PID");
    uint64_t us = 0, process = sys->process_id(sys);
    if (!notify->path || !watchdog || parse_u64(weir_slice_text(watchdog), &us) != WEIR_OK) return;
    if (whose && parse_u64(weir_slice_text(whose), &process) != WEIR_OK) return;
    if (process == sys->process_id(sys) && us < UINT64_MAX / 1000) notify->watchdog_ns = us * 1000;
}

uint64_t notify_pause_ms(const struct notify *notify) {
    uint64_t ms = notify->watchdog_ns / 4 / SYS_NANOS_PER_MS;
    return notify->watchdog_ns == 0 || ms > PAUSE_MS_MAX ? PAUSE_MS_MAX : ms > 0 ? ms : 1;
}

static void say(const struct notify *notify, const char *lines) {
    if (!notify->path) return;
    enum weir_error e = notify->sys->datagram_send(notify->sys, notify->path, lines, strlen(lines));
    if (e != WEIR_OK) weir_error_clear();
}

void notify_ready(const struct notify *notify) {
    say(notify, "READY=1\nSTATUS=serving\n");
}

void notify_reloading(const struct notify *notify) {
    char lines[96];
    struct text_builder t = TEXT_BUILDER(lines);
    text_printf(&t, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading\n",
        (unsigned long long)(notify->sys->mono_ns(notify->sys) / 1000));
    say(notify, lines);
}

void notify_stopping(const struct notify *notify) {
    say(notify, "STOPPING=1\nSTATUS=stopping\n");
}

void notify_alive(const struct notify *notify) {
    if (notify->watchdog_ns > 0) say(notify, "WATCHDOG=1\n");
}
