/* cli/disk_advice.h: what follows from a disk's facts and from what commits cost on it: sentences, and the way in which
 * the journal should be written. Pure; any thread.
 */
#ifndef WEIR_CLI_DISK_ADVICE_H
#define WEIR_CLI_DISK_ADVICE_H
#include "sys/commit_cost.h"
#include "sys/disk_facts.h"

enum advice_level {
    ADVICE_NOTE,    /* good to know */
    ADVICE_WARNING, /* may cost records or speed; can't be seen from here whether it does */
    ADVICE_UNSAFE,  /* certain: what is acknowledged here does not survive a power cut */
};
#define ADVICE_MAX       16
#define ADVICE_TEXT_SIZE 480
struct disk_advice {
    uint32_t count;
    struct {
        enum advice_level level;
        char text[ADVICE_TEXT_SIZE];
    } items[ADVICE_MAX];
    bool unsafe;
    enum sys_commit_path best; /* SYNC unless another one is faster beyond what noise explains */
    char reason[ADVICE_TEXT_SIZE];
};

/* bytes_free: UINT64_MAX when it is not known. */
void disk_advise(const struct disk_facts *facts, const struct commit_costs *costs, uint64_t bytes_free,
    struct disk_advice *ret_advice);

#endif
