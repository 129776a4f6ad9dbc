/* What syncfs_preload.c and forgetful.c agree on. */
#pragma once

#include <sys/ioctl.h>

#define FORGETFUL_SYNC_ALL _IO('W', 1) /* on any open file: what syncfs() would do */
