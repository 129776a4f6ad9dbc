/* The OpenAPI text: paths from the routing table, schemas from descriptors, refusals from the services' reasons. */
#include "edge/openapi.h"

#include "base/json.h"
#include "edge/transcode.h"

#include <stdio.h>

#define TYPES_MAX 512
#define TEXT_MAX  (8u << 20)

struct types {
    const ProtobufCMessageDescriptor *list[TYPES_MAX];
    uint32_t count;
};

static void add_type(struct types *types, const ProtobufCMessageDescriptor *type) {
    if (!type) return;
    for (uint32_t i = 0; i < types->count; i++)
        if (types->list[i] == type) return;
    if (types->count == TYPES_MAX) return;
    types->list[types->count++] = type;
    for (unsigned i = 0; i < type->n_fields; i++)
        if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE) add_type(types, type->fields[i].descriptor);
}

static void put_ref(struct json_writer *w, const char *type) {
    char ref[200];
    snprintf(ref, sizeof ref, "#/components/schemas/%s", type);
    json_write_object_open(w);
    json_put_text(w, "$ref", ref);
    json_write_object_close(w);
}

/* ---- schemas ---- */

static void put_integer(struct json_writer *w, const char *format, bool is_unsigned) {
    bool is_wide = strstr(format, "64") != NULL;
    if (is_wide) { /* written as text, because JSON numbers of many readers end at 2^53; read either way */
        json_write_key(w, "type");
        json_write_array_open(w);
        json_write_text(w, "string");
        json_write_text(w, "integer");
        json_write_array_close(w);
    } else {
        json_put_text(w, "type", "integer");
    }
    json_put_text(w, "format", format);
    if (is_unsigned && !is_wide) json_put_u64(w, "minimum", 0);
}

static void put_enum(struct json_writer *w, const ProtobufCEnumDescriptor *type) {
    json_put_text(w, "type", "string");
    json_write_key(w, "enum");
    json_write_array_open(w);
    for (unsigned i = 0; i < type->n_values; i++)
        json_write_text(w, type->values[i].name);
    json_write_array_close(w);
}

static void put_scalar(struct json_writer *w, const ProtobufCFieldDescriptor *f) {
    json_write_object_open(w);
    switch (f->type) {
    case PROTOBUF_C_TYPE_BOOL:
        json_put_text(w, "type", "boolean");
        break;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        json_put_text(w, "type", "number");
        json_put_text(w, "format", f->type == PROTOBUF_C_TYPE_FLOAT ? "float" : "double");
        break;
    case PROTOBUF_C_TYPE_STRING:
        json_put_text(w, "type", "string");
        break;
    case PROTOBUF_C_TYPE_BYTES:
        json_put_text(w, "type", "string");
        json_put_text(w, "contentEncoding", "base64");
        break;
    case PROTOBUF_C_TYPE_ENUM:
        put_enum(w, f->descriptor);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        put_integer(w, "uint64", true);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        put_integer(w, "uint32", true);
        break;
    default:
        put_integer(w, transcode_element_size(f->type) == 8 ? "int64" : "int32", false);
    }
    json_write_object_close(w);
}

static void put_field_schema(struct json_writer *w, const ProtobufCFieldDescriptor *f) {
    bool is_message = f->type == PROTOBUF_C_TYPE_MESSAGE;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        json_write_object_open(w);
        json_put_text(w, "type", "array");
        json_write_key(w, "items");
    }
    if (is_message)
        put_ref(w, ((const ProtobufCMessageDescriptor *)f->descriptor)->name);
    else
        put_scalar(w, f);
    if (f->label == PROTOBUF_C_LABEL_REPEATED) json_write_object_close(w);
}

static void put_type(struct json_writer *w, const ProtobufCMessageDescriptor *type) {
    json_write_key(w, type->name);
    json_write_object_open(w);
    json_put_text(w, "type", "object");
    json_put_bool(w, "additionalProperties", false);
    json_write_key(w, "properties");
    json_write_object_open(w);
    for (unsigned i = 0; i < type->n_fields; i++) {
        char name[96];
        transcode_json_name(type->fields[i].name, name, sizeof name);
        json_write_key(w, name);
        put_field_schema(w, &type->fields[i]);
    }
    json_write_object_close(w);
    json_write_object_close(w);
}

static const char problem_schema[] =
    "{\"type\":\"object\",\"description\":\"RFC 9457\",\"required\":[\"type\",\"title\",\"status\",\"code\"],"
    "\"properties\":{\"type\":{\"type\":\"string\",\"format\":\"uri\"},\"title\":{\"type\":\"string\"},"
    "\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},\"code\":{\"type\":\"string\","
    "\"description\":\"the name of the error, or of the service's reason\"},\"requestId\":{\"type\":\"string\"},"
    "\"response\":{\"type\":\"object\",\"description\":\"a service's refusal in full\"}}}";

static void put_components(struct json_writer *w, const struct types *types) {
    json_write_key(w, "components");
    json_write_object_open(w);
    json_write_key(w, "schemas");
    json_write_object_open(w);
    json_write_key(w, "Problem");
    json_write_raw(w, weir_slice_text(problem_schema));
    for (uint32_t i = 0; i < types->count; i++)
        put_type(w, types->list[i]);
    json_write_object_close(w);
    json_write_key(w, "securitySchemes");
    json_write_raw(w, weir_slice_text("{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":"
                                      "\"asked for with the setting auth: tokens\"}}"));
    json_write_key(w, "responses");
    json_write_raw(w, weir_slice_text("{\"Problem\":{\"description\":\"what went wrong and what to do\",\"content\":"
                                      "{\"application/problem+json\":{\"schema\":"
                                      "{\"$ref\":\"#/components/schemas/Problem\"}}}}}"));
    json_write_object_close(w);
}

/* ---- operations ---- */

static bool is_path_param(const struct route *route, struct weir_slice name) {
    for (uint32_t i = 0; i < route->param_count; i++)
        if (weir_slice_equal(route->params[i], name)) return true;
    return false;
}

static void put_parameter(
    struct json_writer *w, struct weir_slice name, const char *in, const ProtobufCFieldDescriptor *f) {
    bool in_path = strcmp(in, "path") == 0;
    json_write_object_open(w);
    json_put_slice(w, "name", name);
    json_put_text(w, "in", in);
    if (in_path) json_put_bool(w, "required", true);
    json_write_key(w, "schema");
    if (f)
        put_field_schema(w, f);
    else
        json_write_raw(w, weir_slice_text("{\"type\":\"string\"}"));
    json_write_object_close(w);
}

static void put_built_in_query(struct json_writer *w, const char *names) {
    while (names && *names) {
        size_t n = strcspn(names, " ");
        put_parameter(w, weir_slice(names, n), "query", NULL);
        names += n + (names[n] == ' ');
    }
}

static void put_parameters(struct json_writer *w, const struct route *route) {
    const ProtobufCMessageDescriptor *type = route->row ? route->row->request : NULL;
    json_write_key(w, "parameters");
    json_write_array_open(w);
    for (uint32_t i = 0; i < route->param_count; i++)
        put_parameter(w, route->params[i], "path", type ? transcode_field(type, route->params[i]) : NULL);
    if (route->built_in) put_built_in_query(w, route->built_in->query);
    bool reads = route->method == WEIR_HTTP_GET || route->method == WEIR_HTTP_DELETE;
    for (unsigned i = 0; type && reads && i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        char name[96];
        size_t size = transcode_json_name(f->name, name, sizeof name);
        if (f->type != PROTOBUF_C_TYPE_MESSAGE && !is_path_param(route, weir_slice_text(f->name)) &&
            !is_path_param(route, weir_slice(name, size)))
            put_parameter(w, weir_slice(name, size), "query", f);
    }
    if (route->row && route->row->kind == WEIR_ROUTE_COMMAND)
        json_write_raw(
            w, weir_slice_text("{\"name\":\"Idempotency-Key\",\"in\":\"header\",\"description\":\"the same key "
                               "and request again gives the first answer again\",\"schema\":"
                               "{\"type\":\"string\",\"maxLength\":255}}"));
    json_write_array_close(w);
}

static void put_body(struct json_writer *w, const struct route *route) {
    bool takes = route->method == WEIR_HTTP_POST || route->method == WEIR_HTTP_PUT || route->method == WEIR_HTTP_PATCH;
    const ProtobufCMessageDescriptor *type = route->row ? route->row->request : NULL;
    const char *schema = route->built_in ? route->built_in->body : NULL;
    if (!takes || (!type && !schema)) return;
    json_write_key(w, "requestBody");
    json_write_object_open(w);
    json_write_key(w, "content");
    json_write_object_open(w);
    json_write_key(w, "application/json");
    json_write_object_open(w);
    json_write_key(w, "schema");
    if (type)
        put_ref(w, type->name);
    else
        json_write_raw(w, weir_slice_text(schema));
    json_write_object_close(w);
    json_write_object_close(w);
    json_write_object_close(w);
}

static void put_content(struct json_writer *w, const struct route *route) {
    const ProtobufCMessageDescriptor *type = route->row ? route->row->response : NULL;
    const char *content =
        route->built_in && route->built_in->content_type ? route->built_in->content_type : "application/json";
    json_write_key(w, "content");
    json_write_object_open(w);
    json_write_key(w, content);
    json_write_object_open(w);
    if (type) {
        json_write_key(w, "schema");
        put_ref(w, type->name);
    }
    json_write_object_close(w);
    json_write_object_close(w);
}

/* The statuses that a service's reasons lead to, each once, with the reasons' names. */
static void put_refusals(struct json_writer *w, const struct weir_service *service, bool *given) {
    for (const struct weir_reason *r = service->reasons; r && r->name; r++) {
        char status[8], text[512];
        if (r->status < 400 || r->status > 599 || given[r->status - 400]) continue;
        given[r->status - 400] = true;
        struct text_builder t = TEXT_BUILDER(text);
        for (const struct weir_reason *o = r; o->name; o++)
            if (o->status == r->status) text_printf(&t, "%s%s: %s", t.size ? "; " : "", o->name, o->sentence);
        snprintf(status, sizeof status, "%u", r->status);
        json_write_key(w, status);
        json_write_object_open(w);
        json_put_text(w, "description", text);
        json_write_key(w, "content");
        json_write_raw(w,
            weir_slice_text("{\"application/problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"}}}"));
        json_write_object_close(w);
    }
}

static void put_responses(struct json_writer *w, const struct edge *edge, const struct route *route) {
    bool given[200] = {false};
    json_write_key(w, "responses");
    json_write_object_open(w);
    if (route->protocol) {
        json_write_key(w, "101");
        json_write_raw(w, weir_slice_text("{\"description\":\"WebSocket\"}"));
    } else {
        bool empty = route->row && !route->row->response;
        json_write_key(w, empty ? "204" : "200");
        json_write_object_open(w);
        json_put_text(w, "description", "done");
        if (!empty) put_content(w, route);
        json_write_object_close(w);
    }
    if (route->row && route->row->kind == WEIR_ROUTE_COMMAND)
        put_refusals(w, edge_service(edge, route->service), given);
    json_write_key(w, "default");
    json_write_raw(w, weir_slice_text("{\"$ref\":\"#/components/responses/Problem\"}"));
    json_write_object_close(w);
}

/* "get_v1_topics_name_records" */
static void put_operation_id(struct json_writer *w, const struct route *route) {
    char id[160];
    struct text_builder t = TEXT_BUILDER(id);
    for (const char *c = weir_http_method_name(route->method); *c; c++)
        text_add_char(&t, (char)(*c + 32));
    for (const char *c = route->path; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (plain)
            text_add_char(&t, *c);
        else if (t.size && t.data[t.size - 1] != '_')
            text_add_char(&t, '_');
    }
    json_put_text(w, "operationId", id);
}

/* Who may: OpenAPI's own word for "a token", and an extension for the role, which it has no place for with bearer. */
static void put_access(struct json_writer *w, const struct edge *edge, const struct route *route) {
    char need[200];
    struct text_builder t = TEXT_BUILDER(need);
    auth_print_need(edge, route, &t);
    json_write_key(w, "security");
    json_write_raw(w, weir_slice_text(route->access == ROUTE_OPEN ? "[]" : "[{\"token\":[]}]"));
    json_put_text(w, "x-role", route->access == ROUTE_OPEN ? "none" : need[0] ? need : "any");
}

static void put_operation(struct json_writer *w, const struct edge *edge, const struct route *route) {
    WEIR_ASSERT(route->built_in || route->row);
    char method[12];
    struct text_builder t = TEXT_BUILDER(method);
    for (const char *c = weir_http_method_name(route->method); *c; c++)
        text_add_char(&t, (char)(*c + 32));
    json_write_key(w, method);
    json_write_object_open(w);
    json_write_key(w, "tags");
    json_write_array_open(w);
    json_write_text(w, route->built_in ? route->built_in->tag : edge_service(edge, route->service)->name);
    json_write_array_close(w);
    put_operation_id(w, route);
    const char *summary = route->built_in ? route->built_in->summary : route->row->summary;
    const char *description = route->row ? route->row->description : NULL;
    if (summary) json_put_text(w, "summary", summary);
    if (description) json_put_text(w, "description", description);
    put_access(w, edge, route);
    put_parameters(w, route);
    put_body(w, route);
    put_responses(w, edge, route);
    json_write_object_close(w);
}

static void put_paths(struct json_writer *w, const struct edge *edge) {
    const struct routes *routes = &edge->routes;
    json_write_key(w, "paths");
    json_write_object_open(w);
    for (uint32_t i = 0; i < routes->count; i++) {
        bool seen = false;
        for (uint32_t k = 0; k < i; k++)
            seen |= strcmp(routes->rows[k].path, routes->rows[i].path) == 0;
        if (seen) continue;
        json_write_key(w, routes->rows[i].path);
        json_write_object_open(w);
        for (uint32_t k = i; k < routes->count; k++)
            if (strcmp(routes->rows[k].path, routes->rows[i].path) == 0) put_operation(w, edge, &routes->rows[k]);
        json_write_object_close(w);
    }
    json_write_object_close(w);
}

/* What an operator may set, where the API's limits come from: an extension, since OpenAPI has no place for it. */
static void put_settings(struct json_writer *w, const struct weir_service *service) {
    json_write_key(w, "x-settings");
    json_write_array_open(w);
    for (const struct weir_setting *row = service->settings; row && row->name; row++) {
        char key[128];
        snprintf(key, sizeof key, "%s.%s", service->name, row->name);
        json_write_object_open(w);
        json_put_text(w, "key", key);
        json_put_text(w, "initial", row->initial);
        json_put_text(w, "summary", row->summary);
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

static void put_info(struct json_writer *w, const struct edge *edge) {
    json_put_text(w, "openapi", "3.1.0");
    json_write_key(w, "info");
    json_write_object_open(w);
    json_put_text(w, "title", "weir");
    json_put_text(w, "version", edge->options.version ? edge->options.version : "0");
    json_put_text(w, "description",
        "Commands are answered once they are on disk. 64-bit integers are text in answers and may be text or numbers "
        "in "
        "requests. Errors are problem JSON (RFC 9457).");
    json_write_object_close(w);
    json_write_key(w, "tags");
    json_write_array_open(w);
    for (uint32_t i = 0; i < edge->service_count; i++) {
        json_write_object_open(w);
        json_put_text(w, "name", edge_service(edge, i)->name);
        json_put_text(w, "description", edge_service(edge, i)->summary);
        put_settings(w, edge_service(edge, i));
        json_write_object_close(w);
    }
    json_write_array_close(w);
}

enum weir_error openapi_build(const struct edge *edge, struct arena *arena, struct weir_slice *ret_text) {
    struct types types = {.count = 0};
    for (uint32_t i = 0; i < edge->routes.count; i++)
        if (edge->routes.rows[i].row) {
            add_type(&types, edge->routes.rows[i].row->request);
            add_type(&types, edge->routes.rows[i].row->response);
        }
    struct text_builder text = text_builder_arena(arena, TEXT_MAX);
    struct json_writer w = json_writer(&text, 0);
    json_write_object_open(&w);
    put_info(&w, edge);
    put_paths(&w, edge);
    put_components(&w, &types);
    json_write_object_close(&w);
    if (!json_writer_finished(&w)) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the OpenAPI text");
    *ret_text = text_slice(&text);
    return WEIR_OK;
}
