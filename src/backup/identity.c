/* See identity.h. */
#include "backup/identity.h"

#include "base/encode.h"

#include <stdio.h>

#define HEAD      "weir node 1 "
#define PATH_SIZE 1024u
#define BYTES_MAX 4096u

enum weir_error identity_new(struct sys *sys, const char *folder, char node[MANIFEST_NODE_SIZE]) {
    uint8_t random[(MANIFEST_NODE_SIZE - 1) / 2];
    char path[PATH_SIZE], text[64];
    sys->random(sys, random, sizeof random);
    hex_encode(weir_slice(random, sizeof random), node);
    node[MANIFEST_NODE_SIZE - 1] = 0;
    snprintf(path, sizeof path, "%s/identity", folder);
    int size = snprintf(text, sizeof text, HEAD "%s\n", node);
    return sys_replace_file(sys, path, weir_slice(text, (size_t)size));
}

enum weir_error identity_of(struct sys *sys, const char *folder, char node[MANIFEST_NODE_SIZE]) {
    char path[PATH_SIZE];
    struct weir_slice text;
    uint8_t bytes[(MANIFEST_NODE_SIZE - 1) / 2];
    snprintf(path, sizeof path, "%s/identity", folder);
    enum weir_error e = sys_read_all(sys, path, BYTES_MAX, &text);
    if (e == WEIR_E_NOT_FOUND) return identity_new(sys, folder, node);
    if (e) return e;
    size_t head = strlen(HEAD), digits = MANIFEST_NODE_SIZE - 1;
    bool good = text.size == head + digits + 1 && memcmp(text.data, HEAD, head) == 0 &&
                hex_decode(weir_slice(text.data + head, digits), bytes);
    if (good) {
        memcpy(node, text.data + head, digits);
        node[digits] = 0;
    }
    sys_bytes_free(text);
    return good ? WEIR_OK
                : weir_error_context(WEIR_E_CORRUPT,
                      "%s is not the identity of a data folder; remove it: the next backup copies everything again",
                      path);
}
