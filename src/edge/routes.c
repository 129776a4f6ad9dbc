/* The routing table as a tree of path segments. */
#include "edge/routes.h"

#include "base/text.h"

void routes_init(struct routes *routes) {
    routes->count = 0;
    routes->node_count = 1;
    memset(&routes->nodes[0], 0, sizeof routes->nodes[0]);
}

static bool method_of(const char *name, enum weir_http_method *ret_method) {
    for (int m = 0; m < WEIR_HTTP_METHOD_COUNT; m++)
        if (strcmp(weir_http_method_name((enum weir_http_method)m), name) == 0) {
            *ret_method = (enum weir_http_method)m;
            return true;
        }
    return false;
}

static struct route_node *child_of(struct routes *routes, struct route_node *node, struct weir_slice segment) {
    for (uint16_t i = node->child; i; i = routes->nodes[i].sibling) {
        struct weir_slice known = routes->nodes[i].segment;
        if (known.data && segment.data ? weir_slice_equal(known, segment) : known.data == segment.data)
            return &routes->nodes[i];
    }
    if (routes->node_count == ROUTE_NODES_MAX) return NULL;
    uint16_t index = (uint16_t)routes->node_count++;
    struct route_node *child = &routes->nodes[index];
    memset(child, 0, sizeof *child);
    child->segment = segment;
    /* Literals stand before the parameter, so that the first match is the right one. */
    uint16_t *link = &node->child;
    while (*link && (segment.data == NULL || routes->nodes[*link].segment.data != NULL))
        link = &routes->nodes[*link].sibling;
    child->sibling = *link;
    *link = index;
    return child;
}

static enum weir_error add_path(struct routes *routes, struct route *row, struct route_node **ret_node) {
    struct weir_slice rest = weir_slice_text(row->path), segment;
    struct route_node *node = &routes->nodes[0];
    row->param_count = 0;
    if (rest.size == 0 || rest.data[0] != '/')
        return weir_error_context(WEIR_E_CONFIG, "the route '%s' does not begin with '/'", row->path);
    while (weir_http_path_next(&rest, &segment)) {
        bool is_param = segment.size > 2 && segment.data[0] == '{' && segment.data[segment.size - 1] == '}';
        if (!is_param && segment.size && memchr(segment.data, '{', segment.size))
            return weir_error_context(WEIR_E_CONFIG, "the route '%s' has half a parameter in a segment", row->path);
        if (is_param) {
            if (row->param_count == ROUTE_PARAMS_MAX)
                return weir_error_context(WEIR_E_CONFIG, "the route '%s' has too many parameters", row->path);
            row->params[row->param_count++] = weir_slice(segment.data + 1, segment.size - 2);
            segment = weir_slice(NULL, 0);
        }
        node = child_of(routes, node, segment);
        if (!node) return weir_error_context(WEIR_E_CONFIG, "the routing table is full at '%s'", row->path);
    }
    *ret_node = node;
    return WEIR_OK;
}

enum weir_error routes_add(struct routes *routes, const struct route *given, const char *method) {
    if (routes->count == ROUTES_MAX)
        return weir_error_context(WEIR_E_CONFIG, "more than %d routes; '%s' has no room", ROUTES_MAX, given->path);
    struct route *row = &routes->rows[routes->count];
    *row = *given;
    if (!method_of(method, &row->method))
        return weir_error_context(WEIR_E_CONFIG, "the route '%s' has the unknown method '%s'", row->path, method);
    if (row->access == ROUTE_UNSAID)
        return weir_error_context(WEIR_E_CONFIG, "the route %s %s does not say who may use it", method, row->path);
    struct route_node *node = NULL;
    enum weir_error e = add_path(routes, row, &node);
    if (e) return e;
    if (node->routes[row->method])
        return weir_error_context(WEIR_E_CONFIG, "the route %s %s is given twice, the other time as %s", method,
            row->path, routes->rows[node->routes[row->method] - 1].path);
    node->routes[row->method] = (uint16_t)++routes->count;
    return WEIR_OK;
}

static uint32_t methods_of(const struct route_node *node) {
    uint32_t bits = 0;
    for (int m = 0; m < WEIR_HTTP_METHOD_COUNT; m++)
        if (node->routes[m]) bits |= 1u << m;
    if (bits & 1u << WEIR_HTTP_GET) bits |= 1u << WEIR_HTTP_HEAD;
    return bits ? bits | 1u << WEIR_HTTP_OPTIONS : 0;
}

/* Depth first; a path that ends at a node without routes is no match, so the next branch is tried. */
static const struct route_node *walk(
    const struct routes *routes, const struct route_node *node, struct weir_slice path, struct route_match *match) {
    struct weir_slice segment;
    if (!weir_http_path_next(&path, &segment)) return methods_of(node) ? node : NULL;
    uint32_t count = match->param_count;
    for (uint16_t i = node->child; i; i = routes->nodes[i].sibling) {
        const struct route_node *child = &routes->nodes[i];
        if (child->segment.data) {
            if (!weir_slice_equal(child->segment, segment)) continue;
        } else {
            if (segment.size == 0) continue;
            match->params[match->param_count++] = segment;
        }
        const struct route_node *found = walk(routes, child, path, match);
        if (found) return found;
        match->param_count = count;
    }
    return NULL;
}

enum route_found routes_match(
    const struct routes *routes, enum weir_http_method method, struct weir_slice path, struct route_match *ret_match) {
    ret_match->param_count = 0;
    ret_match->route = NULL;
    ret_match->methods = 0;
    const struct route_node *node = walk(routes, &routes->nodes[0], path, ret_match);
    if (!node) return ROUTE_NONE;
    ret_match->methods = methods_of(node);
    if (method == WEIR_HTTP_HEAD && !node->routes[WEIR_HTTP_HEAD]) method = WEIR_HTTP_GET;
    if (!node->routes[method]) return ROUTE_OTHER_METHOD;
    ret_match->route = &routes->rows[node->routes[method] - 1];
    return ROUTE_FOUND;
}

void routes_allow(uint32_t methods, char *buf, size_t size) {
    struct text_builder t = text_builder(buf, size);
    for (int m = 0; m < WEIR_HTTP_METHOD_COUNT; m++)
        if (methods & 1u << m) {
            if (t.size) text_add(&t, ", ");
            text_add(&t, weir_http_method_name((enum weir_http_method)m));
        }
}

const char *routes_nearest(const struct routes *routes, struct weir_slice path) {
    const char *names[ROUTES_MAX];
    for (uint32_t i = 0; i < routes->count; i++)
        names[i] = routes->rows[i].path;
    int i = text_nearest(path, names, routes->count);
    return i < 0 ? NULL : names[i];
}
