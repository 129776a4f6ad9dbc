/* LD_PRELOAD of a process whose files are on forgetful: Linux answers syncfs() on a FUSE mount by itself, without
 * asking the file system. Here it becomes an ioctl that asks. Everywhere else it stays what it is. */
#include "forgetful.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) int syncfs(int file) {
    int failed = ioctl(file, FORGETFUL_SYNC_ALL);
    return failed && errno == ENOTTY ? (int)syscall(SYS_syncfs, file) : failed;
}
