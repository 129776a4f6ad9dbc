/* projection.url: what is taken, what is shown of it, and that no password gets out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "projection/address.h"

static void what_is_taken_is_shown_without_its_secrets(void **state) {
    (void)state;
    static const struct {
        const char *url;
        enum address_kind kind;
        const char *shown;
    } rows[] = {
        {"", ADDRESS_DATA_FOLDER, ""},
        {"sqlite:history", ADDRESS_SQLITE, "history"},
        {"sqlite:///var/lib/weir", ADDRESS_SQLITE, "/var/lib/weir"},
        {"postgresql://", ADDRESS_POSTGRES, "postgresql://"},
        {"postgresql://db/h", ADDRESS_POSTGRES, "postgresql://db/h"},
        {"postgres://weir:secret@db:5432/h?sslmode=require&password=secret", ADDRESS_POSTGRES,
            "postgresql://weir@db:5432/h"},
        {"postgresql://weir@a:1,[::1]:2/h%2Fx", ADDRESS_POSTGRES, "postgresql://weir@a:1,[::1]:2/h%2Fx"},
        {"postgresql:///h?host=/run/postgresql&user=a@b", ADDRESS_POSTGRES, "postgresql:///h"},
        {"postgresql://:secret@db", ADDRESS_POSTGRES, "postgresql://db"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct address a;
        assert_int_equal(address_parse(weir_slice_text(rows[i].url), &a), WEIR_OK);
        assert_int_equal(a.kind, rows[i].kind);
        assert_string_equal(a.shown, rows[i].shown);
    }
}

static void what_is_wrong_is_refused_and_not_repeated(void **state) {
    (void)state;
    static const struct {
        const char *url, *words;
    } rows[] = {
        {"mysql://root:secret@db/h", "postgresql://"},
        {"host=db password=secret", "postgresql://"},
        {"postgresql://weir:sec/ret@db/h", "%40"},
        {"postgresql://weir:secret@x@db/h", "%40"},
        {"postgresql://weir:sec%ret@db/h", "%25"},
        {"postgresql://weir:secret @db/h", "blank"},
        {"postgresql://db/h/secret", "%2F"},
        {"sqlite:", "folder"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct address a;
        assert_int_equal(address_parse(weir_slice_text(rows[i].url), &a), WEIR_E_CONFIG);
        assert_non_null(strstr(weir_error_text(), rows[i].words));
        assert_null(strstr(weir_error_text(), "secret"));
        assert_null(strstr(weir_error_text(), "sec/ret"));
    }
    char long_one[ADDRESS_MAX + 2];
    struct address a;
    memset(long_one, 'a', sizeof long_one);
    assert_int_equal(address_parse(weir_slice(long_one, sizeof long_one), &a), WEIR_E_CONFIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_is_shown_without_its_secrets),
        cmocka_unit_test(what_is_wrong_is_refused_and_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
