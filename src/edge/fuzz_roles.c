/* Roles, Authorization headers, the text of tokens, peers' addresses.
 * Oracles: a role means what a second reading of its text, written down otherwise, says; a header gives a token that is
 * part of it; a text that is taken for a token has the shape and the check of one; an address's port does not count.
 * Input: u8 what, then the text; of a role: role, newline, topic or service. Covers: roles.c, secret.c, peer.c. */
#include "base/assert.h"
#include "base/text.h"
#include "edge/auth.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is(struct weir_slice s, const char *text) {
    return weir_slice_equal(s, weir_slice_text(text));
}

static bool nodes(struct weir_slice s) {
    return text_starts_with(s, "weir.");
}

/* What the grammar in roles.h says, from the role's text. */
static bool means(struct weir_slice role, const struct permission *p, const char *service) {
    if (is(role, "*")) return true;
    if (is(role, "admin"))
        return p->object == ROLE_NODE || p->verb == ROLE_ADMIN ||
               (p->object == ROLE_TOPIC && p->verb == ROLE_READ && nodes(p->topic));
    size_t n = 0;
    while (role.data[n] != ':')
        n++;
    struct weir_slice object = weir_slice(role.data, n), verb = weir_slice(role.data + n + 1, role.size - n - 1);
    if (!is(verb, "*") && !is(verb, role_verb_name(p->verb))) return false;
    if (p->object == ROLE_NODE) return is(object, "node");
    if (p->object == ROLE_SERVICE) return is(object, "*") || (is(object, service) && !is(object, "node"));
    if (!text_starts_with(object, "topic/")) return false;
    struct weir_slice name = weir_slice(object.data + 6, object.size - 6);
    if (nodes(p->topic) && !nodes(name)) return false;
    if (name.size && name.data[name.size - 1] == '*')
        return p->topic.size >= name.size - 1 && memcmp(p->topic.data, name.data, name.size - 1) == 0;
    return weir_slice_equal(name, p->topic);
}

static void check_role(struct weir_slice text) {
    const uint8_t *newline = memchr(text.data, '\n', text.size);
    struct weir_slice role_text = weir_slice(text.data, newline ? (size_t)(newline - text.data) : text.size);
    struct weir_slice topic =
        newline ? weir_slice(newline + 1, text.size - role_text.size - 1) : weir_slice_text("orders");
    struct role role;
    char service[ROLE_TEXT_MAX + 1] = "";
    enum weir_error e = role_parse(role_text, &role);
    WEIR_ASSERT(!e || (e == WEIR_E_INVALID && weir_error_text()[0]));
    if (e) return;
    WEIR_ASSERT(strlen(role.text) == role.text_size && memcmp(role.text, role_text.data, role_text.size) == 0);
    if (topic.size <= ROLE_TEXT_MAX) memcpy(service, topic.data, topic.size);
    if (role.object == ROLE_SERVICE && !role.is_prefix && is(role_name(&role), service)) role.service = 3;
    for (int object = ROLE_NODE; object <= ROLE_TOPIC; object++)
        for (int verb = ROLE_READ; verb <= ROLE_ADMIN; verb *= 2) {
            struct permission p = {
                .object = (enum role_object)object, .verb = (enum role_verb)verb, .service = 3, .topic = topic};
            WEIR_ASSERT(role_allows(&role, &p) == means(role_text, &p, service));
        }
}

static void check_header(struct weir_slice text) {
    struct weir_slice token;
    enum weir_error e = secret_bearer(text, &token);
    WEIR_ASSERT(!e || (e == WEIR_E_INVALID && weir_error_text()[0]));
    if (!e) WEIR_ASSERT(token.size && token.data > text.data && token.data + token.size == text.data + text.size);
    if (!e) WEIR_ASSERT(!memchr(token.data, ' ', token.size) && !memchr(token.data, ',', token.size));
}

/* One changed character of a real token is found out. */
static void check_secret(struct weir_slice text) {
    uint8_t random[SECRET_RANDOM] = {0};
    char made[SECRET_TEXT_SIZE + 1], again[SECRET_TEXT_SIZE + 1], login[SECRET_LOGIN_SIZE + 1];
    struct weir_slice id;
    memcpy(random, text.data, text.size < sizeof random ? text.size : sizeof random);
    secret_make(random, NULL, made);
    WEIR_ASSERT(secret_parse(weir_slice(made, SECRET_TEXT_SIZE), &id) && id.size == SECRET_ID_SIZE);
    secret_make(random, (const char *)id.data, again);
    WEIR_ASSERT(strcmp(made, again) == 0);
    secret_make_login(random, login);
    WEIR_ASSERT(strlen(login) == SECRET_LOGIN_SIZE);
    uint8_t at = random[1] % SECRET_TEXT_SIZE, other = random[0];
    bool is_other = (uint8_t)made[at] != other;
    made[at] = (char)other;
    WEIR_ASSERT(secret_parse(weir_slice(made, SECRET_TEXT_SIZE), &id) == !is_other);
    bool taken = secret_parse(text, &id);
    WEIR_ASSERT(!taken || (text.size == SECRET_TEXT_SIZE && text_starts_with(text, SECRET_PREFIX)));
}

static void check_login(struct weir_slice text) {
    static const uint8_t salt[SECRET_SALT_SIZE] = {1};
    uint8_t a[SECRET_HASH_SIZE], b[SECRET_HASH_SIZE], upper[SECRET_TEXT_SIZE];
    bool good = secret_hash_login(text, salt, a);
    WEIR_ASSERT(good == (text.size >= 1 && text.size <= SECRET_TEXT_SIZE));
    if (!good) return;
    for (size_t i = 0; i < text.size; i++)
        upper[i] = text.data[i] >= 'a' && text.data[i] <= 'z' ? (uint8_t)(text.data[i] - 32) : text.data[i];
    WEIR_ASSERT(secret_hash_login(weir_slice(upper, text.size), salt, b) && secret_equal(a, b, sizeof a));
}

static void check_peer(struct weir_slice text) {
    char peer[72], same[72];
    size_t n = text.size < 56 ? text.size : 56;
    snprintf(peer, sizeof peer, "%.*s:1", (int)n, (const char *)text.data);
    snprintf(same, sizeof same, "%.*s:65535", (int)n, (const char *)text.data);
    WEIR_ASSERT(auth_peer_bucket(peer, 5) < AUTH_PEERS && auth_peer_bucket(peer, 5) == auth_peer_bucket(same, 5));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const checks[])(struct weir_slice text) = {check_role, check_header, check_secret, check_peer};
    if (size == 0) return 0;
    /* Logins are slow on purpose: one of 64 inputs is enough. */
    if (data[0] % 64 == 3)
        check_login(weir_slice(data + 1, size - 1));
    else
        checks[data[0] % WEIR_ARRAY_COUNT(checks)](weir_slice(data + 1, size - 1));
    /* All ways to write a network name the same bucket, and another network another one. */
    static const char *const one[] = {"[2001:db8::1]:5", "[2001:db8:0:0::9]:7", "[2001:db8:0:0:1:2:3:4]:1"};
    for (size_t i = 1; i < WEIR_ARRAY_COUNT(one); i++)
        WEIR_ASSERT(auth_peer_bucket(one[i], 9) == auth_peer_bucket(one[0], 9));
    return 0;
}
