/* edge/roles.h: what a token may do: the grammar of roles, and the question whether one allows something.
 *
 *     role    = "*"                            everything
 *             | "admin"                        node:*, the verb admin of all services and topics, weir.* topics'
 * records | OBJECT ":" VERB OBJECT  = "node"                         facts, metrics, errors, API text (read); tokens
 * and tenants (admin) | SERVICE | "*"                  one service, every service | "topic/" NAME | "topic/" PREFIX "*"
 *     VERB    = "read" | "write" | "admin" | "*"
 *
 * read: queries, records, subscriptions. write: commands, appends. admin: snapshots and skips of a service, making and
 * deleting a topic. No verb includes another. The node's own topics (weir.*) are reached by no pattern that does not
 * begin with "weir.", and written by nobody. The whole text has at most ROLE_TEXT_MAX bytes. Pure.
 */
#ifndef WEIR_EDGE_ROLES_H
#define WEIR_EDGE_ROLES_H
#include <weir/error.h>
#include <weir/slice.h>

#define ROLE_TEXT_MAX    140
#define ROLE_NO_SERVICE  UINT32_MAX
#define ROLE_ANY_SERVICE (UINT32_MAX - 1)

enum role_verb { ROLE_READ = 1, ROLE_WRITE = 2, ROLE_ADMIN = 4, ROLE_VERBS = 7 };
enum role_object { ROLE_NODE, ROLE_SERVICE, ROLE_TOPIC, ROLE_ADMINISTRATOR, ROLE_EVERYTHING };

struct role {
    enum role_object object;
    uint8_t verbs;   /* enum role_verb */
    bool is_prefix;  /* TOPIC: name is how it begins; SERVICE: every service */
    uint8_t name_at; /* SERVICE, TOPIC: in text */
    uint8_t name_size;
    uint8_t text_size;
    uint32_t service; /* SERVICE: its index at this node; ROLE_NO_SERVICE: it does not run here. Set by the reader */
    char text[ROLE_TEXT_MAX + 1];
};

/* What a request needs. Exactly one verb. */
struct permission {
    enum role_object object; /* NODE, SERVICE, TOPIC */
    enum role_verb verb;
    uint32_t service;        /* SERVICE */
    struct weir_slice topic; /* TOPIC */
};

/* INVALID with what is wrong and what a role looks like. */
WEIR_MUST enum weir_error role_parse(struct weir_slice text, struct role *ret_role);
bool role_allows(const struct role *role, const struct permission *permission);
const char *role_verb_name(enum role_verb verb);
static inline struct weir_slice role_name(const struct role *role) {
    return weir_slice(role->text + role->name_at, role->name_size);
}

#endif
