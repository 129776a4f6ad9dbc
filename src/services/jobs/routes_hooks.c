/* Jobs over HTTP: where they are sent. */
#include "jobs/hook.h"
#include "jobs/routes.h"
#include "schema/jobs.pb-c.h"

enum weir_error jobs_route_url(const char *url, struct weir_slice *ret) {
    char host[JOBS_NAME_MAX];
    size_t size;
    enum weir_error e = jobs_route_text("url", url, JOBS_URL_MAX, ret);
    if (!e && ret->size && !hook_host(*ret, host, &size))
        e = weir_error_context(WEIR_E_INVALID,
            "url: %s: it has to be http:// or https:// with a host of at most 57 bytes, without user or blanks", url);
    return e;
}

static enum weir_error encode(const struct weir_request *request, const char *queue, struct weir_slice url,
    uint32_t timeout_ms, struct weir_command *ret_command) {
    struct weir_slice name;
    enum weir_error e = jobs_route_text("queue", queue, JOBS_NAME_MAX - 1, &name);
    if (e) return e;
    struct jobs_destination_order o = {
        .timeout_ms = timeout_ms, .url_size = (uint16_t)url.size, .queue_size = (uint8_t)name.size};
    ret_command->partition = jobs_route_partition(name, request->partition_count);
    const struct weir_slice parts[] = {weir_slice(&o, sizeof o), name, url};
    return jobs_route_parts(request, parts, WEIR_ARRAY_COUNT(parts), JOBS_RECORD_DESTINATION, ret_command);
}

enum weir_error jobs_encode_destination(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Jobs__Destination *m = request->message;
    struct weir_slice url;
    enum weir_error e = jobs_route_url(m->url, &url);
    if (!e && url.size == 0) e = weir_error_context(WEIR_E_INVALID, "url: where the jobs are sent");
    return e ? e : encode(request, m->queue, url, m->timeout_ms, ret_command);
}

enum weir_error jobs_encode_no_destination(const struct weir_request *request, struct weir_command *ret_command) {
    const Weir__Jobs__QueueRef *m = request->message;
    return encode(request, m->queue, weir_slice("", 0), 0, ret_command);
}
