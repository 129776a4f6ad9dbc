/* Requests that two servers have read, or could read, differently, and what each must get: for the unit test, which
 * feeds them cut in every way, and for the fuzzer, which asks another parser about them and starts from them. */
#ifndef WEIR_WIRE_TEST_SMUGGLING_H
#define WEIR_WIRE_TEST_SMUGGLING_H
#include <stddef.h>
#include <stdint.h>

/* status 0: accepted, `consumed` bytes of it belong to the first request. */
struct smuggling_row {
    const char *name;
    const char *bytes;
    size_t size;
    int status;
    size_t consumed;
};
/* bytes as a literal, so that NUL may be in it */
#define BAD(name, status, bytes)                                                                                       \
    { name, bytes, sizeof(bytes) - 1, status, 0 }
#define GOOD(name, consumed, bytes)                                                                                    \
    { name, bytes, sizeof(bytes) - 1, 0, consumed }
#define SMUGGLING_ALL SIZE_MAX /* consumed: every byte */
#define H             "Host: a\r\n"
#define POST          "POST / HTTP/1.1\r\n" H
#define CHUNKED       POST "Transfer-Encoding: chunked\r\n"

static const struct smuggling_row smuggling_rows[] = {
    /* framing by both, or twice */
    BAD("length and chunked", 400, POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD("chunked and length", 400, CHUNKED "Content-Length: 4\r\n\r\n0\r\n\r\n"),
    BAD("chunked and length 0", 400, CHUNKED "Content-Length: 0\r\n\r\n0\r\n\r\n"),
    BAD("two lengths that differ", 400, POST "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"),
    BAD("two lengths that agree", 400, POST "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd"),
    BAD("two lengths in one line", 400, POST "Content-Length: 4, 4\r\n\r\nabcd"),
    BAD("two codings in two lines", 400, CHUNKED "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD("a coding hidden behind identity", 400, CHUNKED "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    /* lengths that are no numbers */
    BAD("length with plus", 400, POST "Content-Length: +4\r\n\r\nabcd"),
    BAD("length with minus", 400, POST "Content-Length: -4\r\n\r\nabcd"),
    BAD("length in hex", 400, POST "Content-Length: 0x4\r\n\r\nabcd"),
    BAD("length with a space inside", 400, POST "Content-Length: 1 0\r\n\r\nabcdefghij"),
    BAD("length with a tab inside", 400, POST "Content-Length: 1\t0\r\n\r\nabcdefghij"),
    BAD("length in quotes", 400, POST "Content-Length: \"4\"\r\n\r\nabcd"),
    BAD("length with underscore", 400, POST "Content-Length: 1_0\r\n\r\nabcdefghij"),
    BAD("length with a dot", 400, POST "Content-Length: 4.0\r\n\r\nabcd"),
    BAD("length empty", 400, POST "Content-Length:\r\n\r\n"),
    BAD("length with NUL", 400, POST "Content-Length: 4\0\r\n\r\nabcd"),
    BAD("length above 64 bits", 413, POST "Content-Length: 18446744073709551620\r\n\r\nabcd"),
    BAD("length above the limit", 413, POST "Content-Length: 99999999\r\n\r\nabcd"),
    BAD("header list in length", 400, POST "Content-Length: 4;a=b\r\n\r\nabcd"),
    /* codings */
    BAD("coding unknown, not last chunked", 400, POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    BAD("coding chunked not last", 400, POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    BAD("coding chunked twice", 400, POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    BAD("coding before chunked", 501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    BAD("coding identity", 400, POST "Transfer-Encoding: identity\r\n\r\n"),
    BAD("coding empty", 400, POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
    BAD("coding with empty member", 400, POST "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"),
    BAD("coding with parameter", 400, POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
    BAD("coding in quotes", 400, POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    BAD("coding behind vertical tab", 400, POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"),
    BAD("coding before form feed", 400, POST "Transfer-Encoding: chunked\f\r\n\r\n0\r\n\r\n"),
    BAD("coding with NUL", 400, POST "Transfer-Encoding: chunk\0ed\r\n\r\n0\r\n\r\n"),
    BAD("coding in 1.0", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD("coding name with space", 400, POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    BAD("coding name with tab", 400, POST "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
    BAD("coding folded in", 400, POST "X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD("coding value on the next line", 400, POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    BAD("coding behind a bare CR", 400, POST "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD("coding behind a bare LF", 400, POST "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    GOOD("coding in other case", SMUGGLING_ALL, POST "TRANSFER-ENCODING: ChUnKeD\r\n\r\n0\r\n\r\n"),
    /* line ends and blanks */
    BAD("request line ends with LF", 400, "GET / HTTP/1.1\nHost: a\r\n\r\n"),
    BAD("header ends with LF", 400, "GET / HTTP/1.1\r\nHost: a\n\r\n"),
    BAD("head ends with LF LF", 400, "GET / HTTP/1.1\r\nHost: a\r\nX: y\n\nGET /evil HTTP/1.1\r\n\r\n"),
    BAD("blank line is LF", 400, "GET / HTTP/1.1\r\nHost: a\r\n\n"),
    BAD("CR CR LF ends a line", 400, "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"),
    BAD("line of a CR", 400, "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n"),
    BAD("folded header", 400, "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"),
    BAD("folded with tab", 400, "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\tz\r\n\r\n"),
    BAD("first header begins with space", 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    BAD("line of spaces", 400, "GET / HTTP/1.1\r\nHost: a\r\n  \r\n\r\n"),
    BAD("two empty lines first", 400, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("an empty line of LF first", 400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    GOOD("an empty line first", SMUGGLING_ALL, "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    /* header names and values */
    BAD("name empty", 400, "GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n"),
    BAD("no colon", 400, "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"),
    BAD("name with NUL", 400, "GET / HTTP/1.1\r\nHost: a\r\nX\0Y: y\r\n\r\n"),
    BAD("name with bracket", 400, "GET / HTTP/1.1\r\nHost: a\r\nX(: y\r\n\r\n"),
    BAD("name not ASCII", 400, "GET / HTTP/1.1\r\nHost: a\r\nX\xc3\xa9: y\r\n\r\n"),
    BAD("value with NUL", 400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
    BAD("value with bell", 400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\ab\r\n\r\n"),
    BAD("value with DEL", 400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\x7f\r\n\r\n"),
    BAD("value with bare CR", 400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"),
    GOOD("value with obs-text", SMUGGLING_ALL, "GET / HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n"),
    GOOD("value empty", SMUGGLING_ALL, "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n"),
    /* hosts */
    BAD("no host", 400, "GET / HTTP/1.1\r\n\r\n"),
    BAD("two hosts", 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    BAD("two equal hosts", 400, "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"),
    BAD("two hosts in 1.0", 400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
    BAD("host empty", 400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    BAD("host with user", 400, "GET / HTTP/1.1\r\nHost: me@a\r\n\r\n"),
    BAD("host with path", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    BAD("host with space", 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    BAD("host with bad port", 400, "GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n"),
    BAD("host with two ports", 400, "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n"),
    BAD("host with open bracket", 400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    GOOD("host IPv6", SMUGGLING_ALL, "GET / HTTP/1.1\r\nHost: [::1]:7070\r\n\r\n"),
    GOOD("1.0 without host", SMUGGLING_ALL, "GET / HTTP/1.0\r\n\r\n"),
    /* request lines */
    BAD("two spaces", 400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("space at the end", 400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    BAD("tab for space", 400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("space in the target", 400, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("no version", 400, "GET /\r\nHost: a\r\n\r\n"),
    BAD("version in lower case", 400, "GET / http/1.1\r\nHost: a\r\n\r\n"),
    BAD("version 1.10", 400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
    BAD("version 01.1", 400, "GET / HTTP/01.1\r\nHost: a\r\n\r\n"),
    BAD("version 1.2", 505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    BAD("version 2.0", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    BAD("version 0.9", 505, "GET / HTTP/0.9\r\n\r\n"),
    BAD("method with colon", 400, "GET: / HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("method empty", 400, " / HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("method in lower case", 501, "get / HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("method CONNECT", 501, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("method TRACE", 501, "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("fragment", 400, "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("target with NUL", 400, "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("target not ASCII", 400, "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("target with backslash", 400, "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("target with broken escape", 400, "GET /%2 HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("target with wrong escape", 400, "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("target without slash", 400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("star for GET", 400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("absolute with user", 400, "GET http://me@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("absolute of another scheme", 400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    GOOD("absolute", SMUGGLING_ALL, "GET http://b:1/x?y HTTP/1.1\r\nHost: a\r\n\r\n"),
    GOOD("star for OPTIONS", SMUGGLING_ALL, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    /* chunks */
    BAD("size with plus", 400, CHUNKED "\r\n+3\r\nabc\r\n0\r\n\r\n"),
    BAD("size with minus", 400, CHUNKED "\r\n-1\r\nabc\r\n0\r\n\r\n"),
    BAD("size with 0x", 400, CHUNKED "\r\n0x3\r\nabc\r\n0\r\n\r\n"),
    BAD("size with space before", 400, CHUNKED "\r\n 3\r\nabc\r\n0\r\n\r\n"),
    BAD("size with space behind", 400, CHUNKED "\r\n3 \r\nabc\r\n0\r\n\r\n"),
    BAD("size with underscore", 400, CHUNKED "\r\n0_3\r\nabc\r\n0\r\n\r\n"),
    BAD("size empty", 400, CHUNKED "\r\n\r\nabc\r\n0\r\n\r\n"),
    BAD("size only an extension", 400, CHUNKED "\r\n;x\r\nabc\r\n0\r\n\r\n"),
    BAD("size of 17 digits", 400, CHUNKED "\r\n00000000000000003\r\nabc\r\n0\r\n\r\n"),
    BAD("size that wraps", 413, CHUNKED "\r\nffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
    BAD("size above the limit", 413, CHUNKED "\r\nfffffff\r\nabc\r\n0\r\n\r\n"),
    BAD("size ends with LF", 400, CHUNKED "\r\n3\nabc\r\n0\r\n\r\n"),
    BAD("size ends with CR", 400, CHUNKED "\r\n3\rabc\r\n0\r\n\r\n"),
    BAD("chunk longer than its size", 400, CHUNKED "\r\n3\r\nabcd\r\n0\r\n\r\n"),
    BAD("chunk ends with LF", 400, CHUNKED "\r\n3\r\nabc\n0\r\n\r\n"),
    BAD("chunk ends with anything", 400, CHUNKED "\r\n3\r\nabcXX0\r\n\r\n"),
    BAD("extension with LF", 400, CHUNKED "\r\n3;a\nb\r\nabc\r\n0\r\n\r\n"),
    BAD("extension with CR", 400, CHUNKED "\r\n3;a\rb\r\nabc\r\n0\r\n\r\n"),
    BAD("extension with NUL", 400, CHUNKED "\r\n3;\0\r\nabc\r\n0\r\n\r\n"),
    BAD("last chunk ends with LF LF", 400, CHUNKED "\r\n0\n\n"),
    BAD("trailer is a length", 400, CHUNKED "\r\n0\r\nContent-Length: 5\r\n\r\n"),
    BAD("trailer is a coding", 400, CHUNKED "\r\n0\r\ntransfer-encoding: chunked\r\n\r\n"),
    BAD("trailer is a host", 400, CHUNKED "\r\n0\r\nHost: b\r\n\r\n"),
    BAD("trailer is folded", 400, CHUNKED "\r\n0\r\nX: y\r\n z\r\n\r\n"),
    BAD("trailer ends with LF", 400, CHUNKED "\r\n0\r\nX: y\n\r\n"),
    BAD("trailer with space before colon", 400, CHUNKED "\r\n0\r\nX : y\r\n\r\n"),
    BAD("trailers end with CR X", 400, CHUNKED "\r\n0\r\n\rX"),
    GOOD("chunks with extension and trailer", SMUGGLING_ALL, CHUNKED "\r\n3;a=\"b\"\r\nabc\r\n0\r\nX: y\r\n\r\n"),
    GOOD("size with zeros and capitals", SMUGGLING_ALL, CHUNKED "\r\n0000A\r\n0123456789\r\n00\r\n\r\n"),
    /* what only a front server would act on must not change where a request ends */
    GOOD("upgrade to h2c keeps its body", 102,
        "POST / HTTP/1.1\r\n" H "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nContent-Length: "
                                "4\r\n\r\nabcdGET /evil HTTP/1.1\r\n\r\n"),
    GOOD("upgrade without a body", 68,
        "GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /evil HTTP/1.1\r\n\r\n"),
    GOOD("connection names the framing field", SMUGGLING_ALL,
        POST "Connection: Content-Length\r\nContent-Length: 4\r\n\r\nabcd"),
    GOOD("a body of a GET", SMUGGLING_ALL, "GET / HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\nabcd"),
    GOOD("a body of a HEAD", SMUGGLING_ALL, "HEAD / HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\nabcd"),
    GOOD("expect does not hold the body back", SMUGGLING_ALL,
        POST "Expect: 100-continue\r\nContent-Length: 4\r\n\r\nabcd"),
    GOOD("a method another header asks for", SMUGGLING_ALL,
        POST "X-HTTP-Method-Override: GET\r\nContent-Length: 4\r\n\r\nabcd"),
    GOOD("length hidden in another name", 68,
        "POST / HTTP/1.1\r\n" H "X-Content-Length: 4\r\nContent_Length: 4\r\n\r\nGET /evil HTTP/1.1\r\n\r\n"),
    GOOD("coding hidden in another name", 77,
        "POST / HTTP/1.1\r\n" H "Transfer_Encoding: chunked\r\nX-Transfer: chunked\r\n\r\nGET /evil HTTP/1.1\r\n\r\n"),
    BAD("coding with a zero-width byte", 400,
        POST "Transfer-Encoding: \xef\xbb\xbf"
             "chunked\r\n\r\n0\r\n\r\n"),
    BAD("coding name with a byte behind", 400, POST "Transfer-Encoding\x00: chunked\r\n\r\n0\r\n\r\n"),
    BAD("coding given as a list of one and nothing", 400, POST "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
    BAD("coding and length in other case", 400,
        POST "content-LENGTH: 4\r\ntransfer-ENCODING: chunked\r\n\r\n0\r\n\r\n"),
    BAD("lengths in other case", 400, POST "Content-Length: 0\r\ncontent-length: 44\r\n\r\n"),
    BAD("lengths in digits of another script", 400, POST "Content-Length: \xd9\xa4\r\n\r\nabcd"),
    BAD("length with an exponent", 400, POST "Content-Length: 4e0\r\n\r\nabcd"),
    BAD("length folded in", 400, POST "X: y\r\n\tContent-Length: 4\r\n\r\nabcd"),
    BAD("length behind the version", 400, "POST / HTTP/1.1 Content-Length: 4\r\n" H "\r\nabcd"),
    BAD("host behind a bare CR", 400, "GET / HTTP/1.1\rHost: b\r\n" H "\r\n"),
    BAD("host with a comma and another", 400, "GET / HTTP/1.1\r\nHost: a, b:1:2\r\n\r\n"),
    BAD("absolute with two hosts", 400, "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    BAD("absolute without a host", 400, "GET http:///x HTTP/1.1\r\n" H "\r\n"),
    BAD("absolute with a backslash host", 400, "GET http://a\\b/ HTTP/1.1\r\n" H "\r\n"),
    BAD("target is an authority", 400, "GET a:443 HTTP/1.1\r\n" H "\r\n"),
    BAD("target holds a whole request", 400, "GET /x HTTP/1.1 /y HTTP/1.1\r\n" H "\r\n"),
    BAD("target escapes a line end and breaks it", 400, "GET /%0d%0 HTTP/1.1\r\n" H "\r\n"),
    GOOD("target escapes a line end", SMUGGLING_ALL, "GET /%0d%0aHost:%20b HTTP/1.1\r\n" H "\r\n"),
    BAD("chunk data that is a request", 400, CHUNKED "\r\n2\r\nGET /evil HTTP/1.1\r\n\r\n"),
    BAD("chunk size in capitals of hex prefix", 400, CHUNKED "\r\n0X3\r\nabc\r\n0\r\n\r\n"),
    BAD("chunk size with a comma", 400, CHUNKED "\r\n3,4\r\nabc\r\n0\r\n\r\n"),
    BAD("chunk size with NUL", 400, CHUNKED "\r\n3\0\r\nabc\r\n0\r\n\r\n"),
    BAD("last chunk without its blank line", 400, CHUNKED "\r\n0\r\nGET /evil HTTP/1.1\r\n\r\n"),
    GOOD("extension in quotes with a semicolon", SMUGGLING_ALL, CHUNKED "\r\n3;a=\"b;c\"\r\nabc\r\n0\r\n\r\n"),
    BAD("extension in quotes with a line end", 400, CHUNKED "\r\n3;a=\"\nb\"\r\nabc\r\n0\r\n\r\n"),
    /* what follows a request is the next one, to the byte */
    GOOD("two requests", 27, "GET / HTTP/1.1\r\n" H "\r\nGET /2 HTTP/1.1\r\n" H "\r\n"),
    GOOD("length 0, then bytes", 47, POST "Content-Length: 0\r\n\r\nGET /evil HTTP/1.1\r\n" H "\r\n"),
    GOOD("chunked, then bytes", 61, CHUNKED "\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n"),
    GOOD("no framing, then a chunked body", 28, "POST / HTTP/1.1\r\n" H "\r\n0\r\n\r\n"),
    GOOD("length with leading zeros", SMUGGLING_ALL, POST "Content-Length: 0004\r\n\r\nabcd"),
};
#undef BAD
#undef GOOD
#undef H
#undef POST
#undef CHUNKED

#endif
