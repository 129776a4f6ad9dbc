/* What would break users of the HTTP client: a call into the private network, a public server refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_client/address.h"

static bool is_public(const char *text) {
    struct http_network n;
    if (http_network_parse(text, &n)) fail_msg("refused: %s", text);
    assert_int_equal(n.bits, 128);
    return http_address_is_public(n.address);
}

static void what_is_not_globally_reachable_is_not_public(void **state) {
    (void)state;
    static const char *const closed[] = {"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1",
        "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255",
        "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255",
        "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1",
        "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::10.0.0.1",
        "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378::1", "2001:db8::1", "2002:0a00:0001::1",
        "2002:7f00:1::1", "3fff::1", "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1", "5f00::1"};
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
        if (is_public(closed[i])) fail_msg("public: %s", closed[i]);
}

static void what_is_globally_reachable_is_public(void **state) {
    (void)state;
    static const char *const open[] = {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
        "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0",
        "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "203.0.112.255", "203.0.114.0",
        "223.255.255.255", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:0808:0808::1", "2001:200::1",
        "2001:4860:4860::8888", "2606:4700:4700::1111", "3ffe::1"};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (!is_public(open[i])) fail_msg("not public: %s", open[i]);
}

static bool has(const char *network, const char *address) {
    struct http_network n, a;
    if (http_network_parse(network, &n) || http_network_parse(address, &a)) fail_msg("%s, %s", network, address);
    return http_network_has(&n, a.address);
}

static void a_network_has_its_addresses_and_no_others(void **state) {
    (void)state;
    assert_true(has("10.1.0.0/16", "10.1.255.255") && !has("10.1.0.0/16", "10.2.0.0"));
    assert_true(has("10.1.2.3", "10.1.2.3") && !has("10.1.2.3", "10.1.2.2"));
    assert_true(has("192.168.128.0/17", "192.168.128.1") && !has("192.168.128.0/17", "192.168.127.255"));
    assert_true(has("0.0.0.0/0", "255.1.1.1") && !has("0.0.0.0/0", "fd00::1"));
    assert_true(has("fd00::/8", "fdff::1") && !has("fd00::/8", "fc00::1"));
    assert_true(has("::/0", "10.0.0.1") && has("::ffff:10.0.0.0/104", "10.9.9.9"));
}

static void what_is_no_network_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/8x",
        "fd00::/129", "host", "10.0.0.0.0", "1:2:3:4:5:6:7:8:9", "10.0.0.0/99999999999999999999",
        "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111"};
    struct http_network n;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (http_network_parse(bad[i], &n) != WEIR_E_INVALID) fail_msg("accepted: %s", bad[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_globally_reachable_is_not_public),
        cmocka_unit_test(what_is_globally_reachable_is_public),
        cmocka_unit_test(a_network_has_its_addresses_and_no_others),
        cmocka_unit_test(what_is_no_network_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
