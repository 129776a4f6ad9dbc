#include "projection/address.h"

#include "base/text.h"

static bool take_prefix(struct weir_slice *s, const char *prefix) {
    size_t size = strlen(prefix);
    if (s->size < size || memcmp(s->data, prefix, size) != 0) return false;
    *s = weir_slice(s->data + size, s->size - size);
    return true;
}

/* Bytes before the first of `stops`, all when there is none. */
static size_t until(struct weir_slice s, const char *stops) {
    size_t n = 0;
    while (n < s.size && !strchr(stops, s.data[n]))
        n++;
    return n;
}

static struct weir_slice behind(struct weir_slice s, size_t n) {
    return n < s.size ? weir_slice(s.data + n, s.size - n) : weir_slice(NULL, 0);
}

static bool is_hex(uint8_t c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static enum weir_error check_characters(struct weir_slice url) {
    for (size_t i = 0; i < url.size; i++) {
        if (url.data[i] <= ' ' || url.data[i] == 0x7f)
            return weir_error_context(
                WEIR_E_CONFIG, "byte %zu is a blank or a control character; write it as %%%02X", i + 1, url.data[i]);
        if (url.data[i] == '%' && (i + 2 >= url.size || !is_hex(url.data[i + 1]) || !is_hex(url.data[i + 2])))
            return weir_error_context(WEIR_E_CONFIG, "the %% at byte %zu begins no %%XX; a %% itself is %%25", i + 1);
    }
    return WEIR_OK;
}

/* What people see: who, where, which database. */
static void show(struct weir_slice user, struct weir_slice hosts, struct weir_slice database, struct address *a) {
    struct text_builder t = TEXT_BUILDER(a->shown);
    text_add(&t, "postgresql://");
    text_add_slice(&t, user);
    if (user.size) text_add(&t, "@");
    text_add_slice(&t, hosts);
    if (database.size) text_add(&t, "/");
    text_add_slice(&t, database);
}

static enum weir_error parse_postgres(struct weir_slice rest, struct address *a) {
    size_t authority_size = until(rest, "/?");
    struct weir_slice authority = weir_slice(rest.data, authority_size), user = {0};
    struct weir_slice path = behind(rest, authority_size);
    size_t at = until(authority, "@");
    if (at < authority.size) {
        user = weir_slice(authority.data, until(weir_slice(authority.data, at), ":"));
        authority = behind(authority, at + 1);
    }
    if (until(authority, "@") < authority.size || until(path, "@") < until(path, "?"))
        return weir_error_context(
            WEIR_E_CONFIG, "an @ stands where none can be; in a user or password write %%40 for @ and %%2F for /");
    struct weir_slice database = {0};
    if (take_prefix(&path, "/")) database = weir_slice(path.data, until(path, "?"));
    if (until(database, "/") < database.size)
        return weir_error_context(WEIR_E_CONFIG, "the database's name has a /; write it as %%2F");
    show(user, authority, database, a);
    return WEIR_OK;
}

static enum weir_error parse_folder(struct weir_slice folder, struct address *a) {
    take_prefix(&folder, "//"); /* sqlite:///var/lib/x, as a URL is often written */
    if (folder.size == 0 || folder.size >= sizeof a->folder || memchr(folder.data, 0, folder.size))
        return weir_error_context(
            WEIR_E_CONFIG, "behind sqlite: stands a folder of 1 to %zu bytes", sizeof a->folder - 1);
    memcpy(a->folder, folder.data, folder.size);
    a->folder[folder.size] = 0;
    memcpy(a->shown, a->folder, sizeof a->shown);
    return WEIR_OK;
}

enum weir_error address_parse(struct weir_slice url, struct address *ret_address) {
    struct address a = {.kind = ADDRESS_DATA_FOLDER};
    enum weir_error e = WEIR_OK;
    if (url.size > ADDRESS_MAX)
        return weir_error_context(WEIR_E_CONFIG, "it has %zu bytes; at most %d", url.size, ADDRESS_MAX);
    if (take_prefix(&url, "sqlite:")) {
        a.kind = ADDRESS_SQLITE;
        e = parse_folder(url, &a);
    } else if (take_prefix(&url, "postgresql://") || take_prefix(&url, "postgres://")) {
        a.kind = ADDRESS_POSTGRES;
        e = check_characters(url);
        if (!e) e = parse_postgres(url, &a);
    } else if (url.size) {
        e = weir_error_context(
            WEIR_E_CONFIG, "it begins with neither postgresql:// nor sqlite:; empty means SQLite in the data folder");
    }
    if (!e) *ret_address = a;
    return e;
}
