/* What a request may look like, so that nothing in it becomes more than it says. See http.h. */
#include "base/text.h"
#include "http_client/transfer.h"

#define METHOD_MAX 32u

/* RFC 9110, 5.6.2. */
static bool is_token(const char *text) {
    const char *p = text;
    for (; *p; p++) {
        bool plain = (*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z');
        if (!plain && !strchr("!#$%&'*+-.^_`|~", *p)) return false;
    }
    return p > text;
}

static bool is_value(const char *text) {
    for (const char *p = text; *p; p++)
        if (((uint8_t)*p < 0x20 && *p != '\t') || *p == 0x7f) return false;
    return true;
}

static enum weir_error check_url(const char *url) {
    struct weir_slice s = weir_slice_text(url);
    size_t scheme = strcspn(url, ":");
    bool known = (scheme == 4 && text_equal_nocase(weir_slice(s.data, 4), weir_slice_text("http"))) ||
                 (scheme == 5 && text_equal_nocase(weir_slice(s.data, 5), weir_slice_text("https")));
    if (!known || strncmp(url + scheme, "://", 3) != 0)
        return weir_error_context(WEIR_E_INVALID, "'%.64s' is no URL to call: write https://HOST/PATH", url);
    if (s.size > HTTP_URL_MAX)
        return weir_error_context(WEIR_E_INVALID, "the URL has %zu bytes, at most are %u", s.size, HTTP_URL_MAX);
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] <= ' ' || s.data[i] == 0x7f)
            return weir_error_context(WEIR_E_INVALID,
                "byte %zu of the URL is a blank or control character: encode it as %%%02X", i, s.data[i]);
    return WEIR_OK;
}

static enum weir_error check_header(const struct http_header *h) {
    if (!is_token(h->name)) return weir_error_context(WEIR_E_INVALID, "'%.64s' is no name of a header", h->name);
    if (!is_value(h->value))
        return weir_error_context(WEIR_E_INVALID, "the value of %.64s has a control character", h->name);
    struct weir_slice name = weir_slice_text(h->name);
    if (text_equal_nocase(name, weir_slice_text("Content-Length")) ||
        text_equal_nocase(name, weir_slice_text("Transfer-Encoding")))
        return weir_error_context(WEIR_E_INVALID, "%s follows from the body: leave it out", h->name);
    return WEIR_OK;
}

enum weir_error http_request_check(const struct http_request *request) {
    if (!request->method || !is_token(request->method) || strlen(request->method) > METHOD_MAX)
        return weir_error_context(
            WEIR_E_INVALID, "'%.40s' is no method of HTTP", request->method ? request->method : "");
    enum weir_error e = check_url(request->url ? request->url : "");
    if (!e && request->header_count > HTTP_HEADERS_MAX)
        e = weir_error_context(WEIR_E_INVALID, "%zu headers, at most are %u", request->header_count, HTTP_HEADERS_MAX);
    for (size_t i = 0; !e && i < request->header_count; i++)
        e = check_header(&request->headers[i]);
    return e;
}
