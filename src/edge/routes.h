/* edge/routes.h: the routing table: every path of the node and of its services, built once at start.
 *
 * Templates are literal segments and {parameters}; a literal wins over a parameter at the same place. Parameters are
 * handed out percent-decoded. A path without a route is answered with the nearest one; a path with other methods with
 * what it allows.
 * Owner: built by one thread, read-only afterwards. Limits: ROUTES_MAX rows, 8 parameters in a path.
 */
#ifndef WEIR_EDGE_ROUTES_H
#define WEIR_EDGE_ROUTES_H
#include "base/arena.h"
#include "wire/http.h"

#include <weir/service.h>

#define ROUTES_MAX       512
#define ROUTE_NODES_MAX  2048
#define ROUTE_PARAMS_MAX 8

/* What a request to a route has to show. A route that does not say is refused at start. */
enum route_access {
    ROUTE_UNSAID,
    ROUTE_OPEN,      /* nothing */
    ROUTE_ANY_TOKEN, /* a token, whatever its roles; what is answered depends on them */
    ROUTE_NODE_READ,
    ROUTE_NODE_ADMIN,
    ROUTE_SERVICE_READ, /* the route's service; of a built-in route: the service named by its first parameter */
    ROUTE_SERVICE_WRITE,
    ROUTE_SERVICE_ADMIN,
    ROUTE_TOPIC_READ, /* the topic named by the first parameter, or by the body: then the handler asks */
    ROUTE_TOPIC_WRITE,
    ROUTE_TOPIC_ADMIN,
};

struct http_call;
struct route {
    enum weir_http_method method;
    const char *path;
    uint32_t service;                       /* index, or EDGE_NO_SERVICE */
    const struct weir_route *row;           /* a service's; NULL: built in */
    void (*handle)(struct http_call *call); /* answers now or sets turn->deliver */
    const struct route_built_in *built_in;  /* NULL: a service's */
    const struct weir_protocol *protocol;   /* WebSocket */
    enum route_access access;
    bool is_metrics; /* the setting metrics_open is about it */
    uint32_t param_count;
    struct weir_slice params[ROUTE_PARAMS_MAX]; /* names, in the template */
};

/* A row of the node's own API, for the table and for OpenAPI. Ends with path NULL. */
struct route_built_in {
    const char *method, *path;
    enum route_access access;
    const char *tag, *summary;
    void (*handle)(struct http_call *call);
    const struct weir_protocol *protocol; /* WebSocket */
    const char *query;                    /* "partition offset limit": names of query parameters; NULL: none */
    const char *body;                     /* JSON schema of the request body; NULL: none */
    const char *content_type;             /* of the answer; NULL: application/json */
};

struct route_node {
    struct weir_slice segment;               /* literal; data NULL: a parameter */
    uint16_t child, sibling;                 /* 0: none */
    uint16_t routes[WEIR_HTTP_METHOD_COUNT]; /* index in rows + 1 */
};
struct routes {
    uint32_t count, node_count;
    struct route rows[ROUTES_MAX];
    struct route_node nodes[ROUTE_NODES_MAX]; /* [0] is the root */
};

enum route_found { ROUTE_FOUND, ROUTE_OTHER_METHOD, ROUTE_NONE };
struct route_match {
    const struct route *route;
    uint32_t methods; /* bit per enum weir_http_method: what the path allows */
    uint32_t param_count;
    struct weir_slice params[ROUTE_PARAMS_MAX]; /* still encoded */
};

void routes_init(struct routes *routes);
/* CONFIG: table full, an unknown method, a malformed template, a path and method given twice (both named). */
WEIR_MUST enum weir_error routes_add(struct routes *routes, const struct route *row, const char *method);
/* GET answers HEAD too. */
enum route_found routes_match(
    const struct routes *routes, enum weir_http_method method, struct weir_slice path, struct route_match *ret_match);
/* "GET, HEAD, OPTIONS" into buf. */
void routes_allow(uint32_t methods, char *buf, size_t size);
/* The nearest template for a path that has none, or NULL. */
const char *routes_nearest(const struct routes *routes, struct weir_slice path);

#endif
