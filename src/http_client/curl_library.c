/* Loads libcurl. See curl_library.h. */
#include "http_client/curl_library.h"

#include "sys/sys.h"

#include <string.h>

#define CURL_OBJECT      "libcurl.so.4"
#define CURL_PACKAGE     "libcurl4" /* of Debian and Ubuntu */
#define CURL_VERSION_MIN 0x075500u  /* 7.85.0 */

enum weir_error curl_library_load(struct curl_library *ret_curl) {
    struct curl_library curl = {0};
    void *object = NULL;
    enum weir_error e = sys_library_load(CURL_OBJECT, CURL_PACKAGE, &object);
    if (e) return e;
    const struct {
        const char *name;
        void *place;
    } functions[] = {
#define CURL_ROW(name) {"curl_" #name, &curl.name},
        CURL_FUNCTIONS(CURL_ROW)
#undef CURL_ROW
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *symbol = sys_library_symbol(object, functions[i].name);
        if (!symbol)
            return weir_error_context(WEIR_E_UNSUPPORTED, "%s has no %s: it is too old; install a newer " CURL_PACKAGE,
                CURL_OBJECT, functions[i].name);
        memcpy(functions[i].place, &symbol, sizeof symbol); /* ISO C has no cast from an object to a function */
    }
    const curl_version_info_data *info = curl.version_info(CURLVERSION_NOW);
    if (info->version_num < CURL_VERSION_MIN || !(info->features & CURL_VERSION_THREADSAFE))
        return weir_error_context(WEIR_E_UNSUPPORTED,
            "%s is %s, built without what several threads need or older than 7.85; install a newer " CURL_PACKAGE,
            CURL_OBJECT, info->version);
    if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return weir_error_context(WEIR_E_NO_MEMORY, "libcurl %s can't be initialised", info->version);
    *ret_curl = curl;
    return WEIR_OK;
}
