/* backup/identity.h: who a data folder is. <folder>/identity is one line, "weir node 1 <32 hexadecimal digits>":
 * random, made at the first backup, and another one in every restored folder, whose log goes on in its own way. */
#ifndef WEIR_BACKUP_IDENTITY_H
#define WEIR_BACKUP_IDENTITY_H
#include "backup/manifest.h"

/* Reads it, makes it when absent. CORRUPT: the file says something else. */
WEIR_MUST enum weir_error identity_of(struct sys *sys, const char *folder, char node[MANIFEST_NODE_SIZE]);
/* Writes a new one. */
WEIR_MUST enum weir_error identity_new(struct sys *sys, const char *folder, char node[MANIFEST_NODE_SIZE]);

#endif
