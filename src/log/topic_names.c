/* What kinds of topic are called. Apart from topic.c: who only prints them needs no log. See log.h. */
#include "log/log.h"

/* ---- durability
 * ---------------------------------------------------------------------------------------------------------- */

static const char *const durability_names[LOG_DURABILITIES] = {"durable", "lazy", "memory"};

const char *log_durability_name(enum log_durability durability) {
    return durability < LOG_DURABILITIES ? durability_names[durability] : "unknown";
}

bool log_durability_parse(struct weir_slice name, enum log_durability *ret_durability) {
    for (int i = 0; i < LOG_DURABILITIES; i++) {
        if (!weir_slice_equal(name, weir_slice_text(durability_names[i]))) continue;
        *ret_durability = (enum log_durability)i;
        return true;
    }
    return false;
}

/* ---- compression
 * --------------------------------------------------------------------------------------------------------- */

static const char *const compression_names[LOG_COMPRESSIONS] = {"producer", "none", "lz4", "zstd"};

const char *log_compression_name(enum log_compression compression) {
    return compression < LOG_COMPRESSIONS ? compression_names[compression] : "unknown";
}

bool log_compression_parse(struct weir_slice name, enum log_compression *ret_compression) {
    for (int i = 0; i < LOG_COMPRESSIONS; i++) {
        if (!weir_slice_equal(name, weir_slice_text(compression_names[i]))) continue;
        *ret_compression = (enum log_compression)i;
        return true;
    }
    return false;
}
