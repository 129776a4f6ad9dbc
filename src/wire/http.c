/* Names, phrases and lists of HTTP. */
#include "wire/http.h"
#include "base/assert.h"
#include "base/text.h"

const char *weir_http_method_name(enum weir_http_method method) {
    static const char *const names[] = {[WEIR_HTTP_GET] = "GET",
        [WEIR_HTTP_HEAD] = "HEAD",
        [WEIR_HTTP_POST] = "POST",
        [WEIR_HTTP_PUT] = "PUT",
        [WEIR_HTTP_DELETE] = "DELETE",
        [WEIR_HTTP_PATCH] = "PATCH",
        [WEIR_HTTP_OPTIONS] = "OPTIONS"};
    WEIR_ASSERT(method >= 0 && method < WEIR_HTTP_METHOD_COUNT);
    return names[method];
}

bool weir_http_list_has(struct weir_slice list, struct weir_slice token) {
    for (;;) {
        const uint8_t *comma = list.size ? memchr(list.data, ',', list.size) : NULL;
        size_t size = comma ? (size_t)(comma - list.data) : list.size;
        if (text_equal_nocase(text_trim(weir_slice(list.data, size)), token)) return true;
        if (!comma) return false;
        list = weir_slice(comma + 1, list.size - size - 1);
    }
}

/* The phrases of the IANA registry that a server of ours may send. */
const char *weir_http_status_text(int status) {
    static const struct {
        int status;
        const char *text;
    } rows[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {423, "Locked"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(rows); i++) {
        if (rows[i].status == status) return rows[i].text;
    }
    return "Unknown";
}
