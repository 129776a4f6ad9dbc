/* sim/frame.h: which journal frame is the newest: damage in it can't be told from a torn write. */
#ifndef WEIR_SIM_FRAME_H
#define WEIR_SIM_FRAME_H
#include <stdint.h>

struct log;
uint64_t sim_newest_frame(const struct log *log);

#endif
