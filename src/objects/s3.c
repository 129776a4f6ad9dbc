#include "objects/kinds.h"
enum weir_error object_store_open_s3(
    struct sys *sys, const struct object_store_options *options, struct object_store **ret_store) {
    (void)sys;
    (void)ret_store;
    return weir_error_context(WEIR_E_UNSUPPORTED, "%s: S3 is not known", options->url);
}
