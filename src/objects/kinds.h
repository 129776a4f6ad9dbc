/* objects/kinds.h: the stores there are, each in its own file. Inside this layer only. */
#ifndef WEIR_OBJECTS_KINDS_H
#define WEIR_OBJECTS_KINDS_H
#include "objects/objects.h"

WEIR_MUST enum weir_error object_store_open_folder(struct sys *sys, const char *path, struct object_store **ret_store);
WEIR_MUST enum weir_error object_store_open_s3(
    struct sys *sys, const struct object_store_options *options, struct object_store **ret_store);

#endif
