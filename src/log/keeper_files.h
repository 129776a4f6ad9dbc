/* log/keeper_files.h: journal files made ahead and recycled; the keeper agent's. */
#ifndef WEIR_LOG_KEEPER_FILES_H
#define WEIR_LOG_KEEPER_FILES_H
#include "log/keeper.h"

/* The oldest `count` files in use are not needed any more: they become ready, or are made larger first. */
void log_keeper_recycle(struct keeper *k, uint32_t count);
/* Writes a piece of the file that is being made ready, if there is need of one. NO_SPACE is passed over. */
WEIR_MUST enum weir_error log_keeper_files_step(struct keeper *k, uint64_t now, uint32_t *work);

#endif
