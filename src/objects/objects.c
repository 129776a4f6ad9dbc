/* Which store a URL means, and what a key may be. See objects.h. */
#include "objects/objects.h"

#include "base/assert.h"
#include "base/text.h"
#include "objects/kinds.h"

#include <openssl/evp.h>

bool object_key_valid(const char *key) {
    size_t part = 0, size = strlen(key);
    if (size == 0 || size > OBJECT_KEY_MAX) return false;
    for (size_t i = 0; i <= size; i++) {
        char c = key[i];
        if (c == '/' || c == 0) {
            bool dots = (part == 1 && key[i - 1] == '.') || (part == 2 && key[i - 1] == '.' && key[i - 2] == '.');
            if (part == 0 || dots) return false;
            part = 0;
            continue;
        }
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && c != '.' && c != '_' && c != '-') return false;
        part++;
    }
    return true;
}

enum weir_error object_store_open(
    struct sys *sys, const struct object_store_options *options, struct object_store **ret_store) {
    struct weir_slice url = weir_slice_text(options->url ? options->url : "");
    if (url.size == 0)
        return weir_error_context(WEIR_E_CONFIG, "say where: a folder, file:///FOLDER or s3://BUCKET/PREFIX");
    if (text_starts_with(url, "s3://")) return object_store_open_s3(sys, options, ret_store);
    const char *path = options->url;
    if (text_starts_with(url, "file://")) {
        path += strlen("file://");
        if (path[0] != '/')
            return weir_error_context(WEIR_E_CONFIG, "%s: write file:///FOLDER, with three slashes", options->url);
    } else if (strstr(path, "://")) {
        return weir_error_context(
            WEIR_E_CONFIG, "%s: known are a folder, file:///FOLDER and s3://BUCKET/PREFIX", options->url);
    }
    return object_store_open_folder(sys, path, ret_store);
}

void object_store_close(struct object_store *store) {
    if (store) store->close(store);
}

void object_digest(const struct weir_slice *parts, size_t count, uint8_t ret_digest[OBJECT_DIGEST_SIZE]) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; good && i < count; i++)
        good = EVP_DigestUpdate(context, parts[i].data, parts[i].size) == 1;
    good = good && EVP_DigestFinal_ex(context, ret_digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    WEIR_ASSERT(good); /* SHA-256 has no way to fail but a broken libcrypto or no memory for 200 bytes */
}
