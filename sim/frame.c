/* Apart from the rest of the simulator: the log's own struct weir_record is another one than that of weir/service.h. */
#include "sim/frame.h"
#include "log/state.h"

uint64_t sim_newest_frame(const struct log *log) {
    return log->journal.next_sequence - 1;
}
