/* The span of a request that is traced: begun with its headers, ended with its answer. */
#include "edge/http_session.h"

#include "base/text.h"

static void keep(char *out, size_t size, struct weir_slice text) {
    size_t n = text.size < size - 1 ? text.size : size - 1;
    if (n) memcpy(out, text.data, n);
    out[n] = 0;
}

static void gather(const struct weir_http_request *request, struct trace_headers *headers) {
    static const char parent[] = "traceparent", state[] = "tracestate";
    *headers = (struct trace_headers){.parents = 0};
    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct weir_http_header *h = &request->headers[i];
        if (h->name.size != sizeof parent - 1 && h->name.size != sizeof state - 1) continue;
        if (text_equal_nocase(h->name, weir_slice_text(parent))) {
            headers->parent = h->value;
            headers->parents++;
        } else if (text_equal_nocase(h->name, weir_slice_text(state)) && h->value.size) {
            if (headers->state_count < WEIR_TRACESTATE_MEMBERS) headers->states[headers->state_count] = h->value;
            headers->state_count++; /* above it: too many members */
        }
    }
}

void http_trace_begin(struct conn *conn, struct http_turn *turn, const struct weir_http_request *request) {
    struct trace_headers headers;
    gather(request, &headers);
    struct trace_request *t = turn->trace = trace_request_begin(conn->lane->trace, &headers, turn->started_ns);
    if (!t) return;
    t->method = weir_http_method_name(request->method);
    t->is_tls = conn->tls.ssl != NULL;
    keep(t->id, sizeof t->id, weir_slice(turn->id, turn->id_size));
    keep(t->path, sizeof t->path, request->path);
    keep(t->peer, sizeof t->peer, weir_slice_text(conn->peer));
}

void http_trace_admitted(const struct http_call *call) {
    struct trace_request *t = call->turn->trace;
    if (trace_request_is_root(t) && (call->route->access == ROUTE_OPEN || call->route->is_metrics)) {
        trace_request_drop(call->lane->trace, t); /* probes and scrapes: many, and nobody asks where their time went */
        call->turn->trace = NULL;
        return;
    }
    t->route = call->route->path;
    if (call->route->service != EDGE_NO_SERVICE)
        t->service = edge_service(call->lane->edge, call->route->service)->name;
    keep(t->principal, sizeof t->principal, weir_slice_text(auth_principal(call->conn, call->token)));
    keep(t->tenant, sizeof t->tenant, weir_slice_text(auth_tenant(call->lane, call->token)));
}

void http_trace_end(struct conn *conn, struct http_turn *turn, int status) {
    struct edge_lane *lane = conn->lane;
    turn->trace->status = (uint16_t)status;
    trace_request_end(lane->trace, turn->trace, lane->sys->mono_ns(lane->sys));
    turn->trace = NULL;
}
