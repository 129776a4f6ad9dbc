/* What the HTTP client makes of bytes of others. The first byte picks: a value of Retry-After (a time that is bounded,
 * and a date that we print is the time until then); a network as a person writes it; an address (what the C library
 * calls loopback, link-local, private or multicast is not public); a request of strings (what is accepted has no
 * control character and comes out of a lane's ring as it went in). Covers: address.c client_messages.c request.c
 * retry_after.c. */
#include "base/assert.h"
#include "base/civil.h"
#include "http_client/address.h"
#include "http_client/client_messages.h"
#include "http_client/retry_after.h"
#include "http_client/transfer.h"

#include <netinet/in.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1700000000000000000ull

static void fuzz_retry_after(struct weir_slice s) {
    uint64_t ms = http_retry_after_parse(s, NOW);
    WEIR_ASSERT(ms == HTTP_RETRY_AFTER_NONE || ms <= HTTP_RETRY_AFTER_MAX);
    if (s.size < 3) return;
    uint64_t seconds = (uint64_t)s.data[0] << 8 | s.data[1];
    char date[CIVIL_HTTP_SIZE];
    civil_format_http((int64_t)(NOW + seconds * SYS_NANOS_PER_S), date);
    WEIR_ASSERT(http_retry_after_parse(weir_slice_text(date), NOW) == seconds * 1000);
}

static void fuzz_network(const char *text) {
    struct http_network n;
    if (http_network_parse(text, &n) != WEIR_OK) return;
    WEIR_ASSERT(n.bits <= 128 && http_network_has(&n, n.address));
    if (n.bits == 0) return;
    n.address[(n.bits - 1) / 8] ^= (uint8_t)(0x80u >> ((n.bits - 1) % 8));
    struct http_network same;
    WEIR_ASSERT(http_network_parse(text, &same) == WEIR_OK && !http_network_has(&same, n.address));
}

static bool is_closed_v4(uint32_t a) {
    return IN_MULTICAST(a) || a >> 24 == 0 || a >> 24 == 10 || a >> 24 == 127 || a >> 20 == 0xac1 ||
           a >> 16 == 0xc0a8 || a >> 16 == 0xa9fe || a >> 28 == 15;
}

static void fuzz_address(struct weir_slice s) {
    struct in6_addr a;
    if (s.size < sizeof a) return;
    memcpy(&a, s.data, sizeof a);
    bool closed = IN6_IS_ADDR_UNSPECIFIED(&a) || IN6_IS_ADDR_LOOPBACK(&a) || IN6_IS_ADDR_LINKLOCAL(&a) ||
                  IN6_IS_ADDR_SITELOCAL(&a) || IN6_IS_ADDR_MULTICAST(&a) || (a.s6_addr[0] & 0xfe) == 0xfc;
    if (IN6_IS_ADDR_V4MAPPED(&a)) closed = closed || is_closed_v4(ntohl(a.s6_addr32[3]));
    if (closed) WEIR_ASSERT(!http_address_is_public(a.s6_addr));
    uint8_t mapped[HTTP_ADDRESS_SIZE];
    http_address_of_v4(a.s6_addr, mapped);
    if (is_closed_v4(ntohl(a.s6_addr32[0]))) WEIR_ASSERT(!http_address_is_public(mapped));
}

static void check_plain(const char *text) {
    for (; *text; text++)
        WEIR_ASSERT(((uint8_t)*text >= ' ' || *text == '\t') && *text != 0x7f);
}

static void check_same(const struct http_request *a) {
    static uint64_t memory[1 << 15];
    struct http_header headers[HTTP_HEADERS_MAX];
    struct http_request b;
    if (call_message_size(a) > sizeof memory) return;
    call_message_write(memory, 7, a);
    call_message_read(memory, &b, headers);
    WEIR_ASSERT(strcmp(a->method, b.method) == 0 && strcmp(a->url, b.url) == 0 && a->header_count == b.header_count);
    for (size_t i = 0; i < a->header_count; i++)
        WEIR_ASSERT(
            strcmp(a->headers[i].name, b.headers[i].name) == 0 && strcmp(a->headers[i].value, b.headers[i].value) == 0);
    WEIR_ASSERT(
        a->body.size == b.body.size && (a->body.size == 0 || memcmp(a->body.data, b.body.data, b.body.size) == 0));
    WEIR_ASSERT(((struct call_message *)memory)->tag == 7 && a->total_ms == b.total_ms);
}

/* Lines: method, URL, then names and values in turn; the last is the body. text ends in a NUL. */
static void fuzz_request(char *text) {
    struct http_header headers[HTTP_HEADERS_MAX + 1];
    struct http_request request = {.headers = headers, .total_ms = 5};
    const char *lines[2 * HTTP_HEADERS_MAX + 5];
    size_t count = 0;
    for (char *rest = text; rest && count < sizeof lines / sizeof *lines;)
        lines[count++] = strsep(&rest, "\n");
    request.method = lines[0];
    request.url = count > 1 ? lines[1] : NULL;
    for (size_t i = 2; i + 1 < count && request.header_count <= HTTP_HEADERS_MAX; i += 2)
        headers[request.header_count++] = (struct http_header){lines[i], lines[i + 1]};
    request.body = weir_slice_text(lines[count - 1]);
    if (http_request_check(&request) != WEIR_OK) return;
    check_plain(request.method);
    check_plain(request.url);
    for (size_t i = 0; i < request.header_count; i++) {
        check_plain(headers[i].name);
        check_plain(headers[i].value);
        WEIR_ASSERT(!strchr(headers[i].name, ':') && strcasecmp(headers[i].name, "content-length") != 0);
    }
    check_same(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char text[1 << 16];
    if (size < 1 || size >= sizeof text) return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    switch (data[0] & 3) {
    case 0:
        fuzz_retry_after(weir_slice(data + 1, size - 1));
        break;
    case 1:
        fuzz_network(text);
        break;
    case 2:
        fuzz_address(weir_slice(data + 1, size - 1));
        break;
    default:
        fuzz_request(text);
    }
    return 0;
}
