/* http_client/curl_library.h: the functions of libcurl, out of the shared object that is loaded when they are needed.
 * Inside this layer only. Nothing is global: whoever opens one has a table of its own, and the loader counts.
 */
#ifndef WEIR_HTTP_CLIENT_CURL_LIBRARY_H
#define WEIR_HTTP_CLIENT_CURL_LIBRARY_H
#include <curl/curl.h>
#include <weir/error.h>

#define CURL_FUNCTIONS(X)                                                                                              \
    X(global_init)                                                                                                     \
    X(version_info)                                                                                                    \
    X(easy_init)                                                                                                       \
    X(easy_cleanup)                                                                                                    \
    X(easy_reset)                                                                                                      \
    X(easy_setopt)                                                                                                     \
    X(easy_getinfo)                                                                                                    \
    X(easy_perform)                                                                                                    \
    X(easy_strerror)                                                                                                   \
    X(slist_append)                                                                                                    \
    X(slist_free_all)                                                                                                  \
    X(multi_init)                                                                                                      \
    X(multi_cleanup)                                                                                                   \
    X(multi_setopt)                                                                                                    \
    X(multi_add_handle)                                                                                                \
    X(multi_remove_handle)                                                                                             \
    X(multi_perform)                                                                                                   \
    X(multi_poll)                                                                                                      \
    X(multi_wakeup)                                                                                                    \
    X(multi_info_read)                                                                                                 \
    X(multi_strerror)

struct curl_library { /* curl->easy_init() is curl_easy_init() */
#define CURL_MEMBER(name) __typeof__(curl_##name) *(name);
    CURL_FUNCTIONS(CURL_MEMBER)
#undef CURL_MEMBER
};

/* UNSUPPORTED: not there, or older than 7.85 (names of protocols, and initialisation by any thread). */
WEIR_MUST enum weir_error curl_library_load(struct curl_library *ret_curl);

#endif
