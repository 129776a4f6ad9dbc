#include "edge/roles.h"

#include "base/assert.h"
#include "base/text.h"
#include "host/host.h"

static const struct {
    const char *name;
    uint8_t verbs;
} verbs[] = {{"read", ROLE_READ}, {"write", ROLE_WRITE}, {"admin", ROLE_ADMIN}, {"*", ROLE_VERBS}};

const char *role_verb_name(enum role_verb verb) {
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(verbs); i++)
        if (verbs[i].verbs == verb) return verbs[i].name;
    return "?";
}

static enum weir_error wrong(struct weir_slice text, const char *what) {
    char shown[200];
    struct text_builder t = TEXT_BUILDER(shown);
    text_add_quoted(&t, text, 60);
    return weir_error_context(WEIR_E_INVALID,
        "the role %s: %s; a role is *, admin, node:VERB, SERVICE:VERB or topic/NAME:VERB with VERB read, write, admin "
        "or *",
        shown, what);
}

static bool is_name(struct weir_slice name) {
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                     c == '_' || c == '-';
        if (!plain) return false;
    }
    return true;
}

static enum weir_error read_object(struct weir_slice text, struct weir_slice object, struct role *role) {
    bool is_topic = text_starts_with(object, "topic/");
    size_t at = is_topic ? 6 : 0;
    struct weir_slice name = weir_slice(object.data + at, object.size - at);
    role->object = is_topic ? ROLE_TOPIC : ROLE_SERVICE;
    role->is_prefix = name.size > 0 && name.data[name.size - 1] == '*';
    if (role->is_prefix) name.size--;
    role->name_at = (uint8_t)at;
    role->name_size = (uint8_t)name.size;
    if (!is_name(name)) return wrong(text, "a name has letters, digits, '.', '_' and '-', and '*' only at its end");
    if (name.size == 0 && !role->is_prefix) return wrong(text, "it names nothing");
    if (is_topic) return WEIR_OK;
    if (role->is_prefix && name.size) return wrong(text, "a service is named in full, or is * for every service");
    if (weir_slice_equal(name, weir_slice_text("node"))) role->object = ROLE_NODE;
    return WEIR_OK;
}

enum weir_error role_parse(struct weir_slice text, struct role *ret_role) {
    struct role role = {.service = ROLE_NO_SERVICE};
    if (text.size == 0 || text.size > ROLE_TEXT_MAX) return wrong(text, "it is empty or too long");
    memcpy(role.text, text.data, text.size);
    role.text_size = (uint8_t)text.size;
    if (weir_slice_equal(text, weir_slice_text("*")) || weir_slice_equal(text, weir_slice_text("admin"))) {
        role.object = role.text[0] == '*' ? ROLE_EVERYTHING : ROLE_ADMINISTRATOR;
        *ret_role = role;
        return WEIR_OK;
    }
    const uint8_t *colon = memchr(text.data, ':', text.size);
    if (!colon) return wrong(text, "it has no verb");
    size_t n = (size_t)(colon - text.data);
    struct weir_slice verb = weir_slice(colon + 1, text.size - n - 1);
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(verbs); i++)
        if (weir_slice_equal(verb, weir_slice_text(verbs[i].name))) role.verbs = verbs[i].verbs;
    if (role.verbs == 0) return wrong(text, "its verb is none of read, write, admin and *");
    enum weir_error e = read_object(text, weir_slice(text.data, n), &role);
    if (e) return e;
    if (role.object == ROLE_NODE && role.verbs == ROLE_WRITE) return wrong(text, "a node has the verbs read and admin");
    if (role.object == ROLE_SERVICE && role.is_prefix) role.service = ROLE_ANY_SERVICE;
    *ret_role = role;
    return WEIR_OK;
}

static bool reaches_topic(const struct role *role, struct weir_slice topic) {
    struct weir_slice name = role_name(role);
    if (host_topic_is_nodes(topic) && !host_topic_is_nodes(name)) return false;
    if (!role->is_prefix) return weir_slice_equal(name, topic);
    return topic.size >= name.size && memcmp(topic.data, name.data, name.size) == 0;
}

bool role_allows(const struct role *role, const struct permission *p) {
    switch (role->object) {
    case ROLE_EVERYTHING:
        return true;
    case ROLE_ADMINISTRATOR:
        return p->object == ROLE_NODE || p->verb == ROLE_ADMIN ||
               (p->object == ROLE_TOPIC && p->verb == ROLE_READ && host_topic_is_nodes(p->topic));
    case ROLE_NODE:
        return p->object == ROLE_NODE && role->verbs & p->verb;
    case ROLE_SERVICE:
        return p->object == ROLE_SERVICE && role->verbs & p->verb &&
               (role->service == ROLE_ANY_SERVICE || (role->service == p->service && role->service != ROLE_NO_SERVICE));
    case ROLE_TOPIC:
        return p->object == ROLE_TOPIC && role->verbs & p->verb && reaches_topic(role, p->topic);
    }
    return false;
}
