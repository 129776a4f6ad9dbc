/* The last words of a Linux process that dies of its own fault: one note into a file that was opened before. Everything
 * in the handler is async-signal-safe. What was there before us (the default, a sanitizer's report) has its turn
 * afterwards. */
#include "base/assert.h"
#include "sys/sys_linux.h"

#include <signal.h>
#include <unistd.h>

#define NOTE_BYTES_MAX 64
#define STACK_BYTES    32768 /* of a thread whose own has run over */

/* A compiler's trap is SIGILL on x86-64, SIGTRAP on arm64 and powerpc. */
static const int fault_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
#define FAULTS (sizeof fault_signals / sizeof fault_signals[0])

static struct {
    struct sigaction before[FAULTS];
    size_t (*note)(void *out);
    uint64_t offset;
    int file;
} crash = {.file = -1};
static __thread uint8_t crash_stack[STACK_BYTES];

static void on_fault(int number) {
    uint8_t bytes[NOTE_BYTES_MAX];
    size_t size = crash.note(bytes);
    if (size > 0 && pwrite(crash.file, bytes, size, (off_t)crash.offset) == (ssize_t)size) (void)fdatasync(crash.file);
    /* Back to what was there before: returning runs into the same fault again, abort() goes on by itself. */
    for (size_t i = 0; i < FAULTS; i++)
        if (fault_signals[i] == number) (void)sigaction(number, &crash.before[i], NULL);
}

static void linux_on_crash(struct sys *sys, int file, uint64_t offset, size_t (*note)(void *out)) {
    (void)sys;
    bool armed = crash.file >= 0;
    crash.note = note;
    crash.offset = offset;
    crash.file = file;
    if (armed == (file >= 0)) return;
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < FAULTS; i++) {
        int failed = file >= 0 ? sigaction(fault_signals[i], &action, &crash.before[i])
                               : sigaction(fault_signals[i], &crash.before[i], NULL);
        WEIR_ASSERT(failed == 0);
    }
}

void sys_linux_crash_thread(void) {
    stack_t now, stack = {.ss_sp = crash_stack, .ss_size = sizeof crash_stack};
    if (sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE)) (void)sigaltstack(&stack, NULL);
}

void sys_linux_crash_table(struct sys *table) {
    table->on_crash = linux_on_crash;
}
