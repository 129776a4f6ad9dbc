#include "cli/service_print.h"
#include "cli/print.h"
#include "cli/term.h"
#include "edge/services.h"
#include <stdio.h>
#include <weir/projection.h>

static const char *origin_of(const struct cli_services *services, uint32_t i) {
    return services->paths[i] ? services->paths[i] : "built in";
}

static void print_list_json(const struct cli_services *services) {
    struct print_json p;
    struct json_writer *w = print_json_open(&p);
    json_write_object_open(w);
    json_write_key(w, "services");
    json_write_array_open(w);
    for (uint32_t i = 0; i < services->count; i++) {
        json_write_object_open(w);
        services_put_head(w, services->all[i]);
        json_put_text(w, "from", origin_of(services, i));
        json_write_object_close(w);
    }
    json_write_array_close(w);
    json_write_object_close(w);
    print_json_close(&p);
}

void service_print_list(const struct cli_services *services, bool json) {
    if (json) {
        print_list_json(services);
        return;
    }
    printf("%s%-16s %7s  %-10s %s%s\n", term_on(stdout, TERM_BOLD), "SERVICE", "VERSION", "FROM", "WHAT IT IS",
        term_off(stdout));
    for (uint32_t i = 0; i < services->count; i++)
        printf("%-16s %7u  %-10s %s\n", services->all[i]->name, services->all[i]->version, origin_of(services, i),
            services->all[i]->summary);
}

static void print_projections_of(const struct weir_service *s) {
    if (s->projections && s->projections->name) printf("\nprojections\n");
    for (const struct weir_projection *p = s->projections; p && p->name; p++) {
        printf("  %s.%s of %s: %s\n", s->name, p->name, s->topics ? s->topics[p->topic].name : "", p->summary);
        for (const struct weir_table *t = p->tables; t && t->name; t++)
            printf("    table %-26s %s\n", t->name, t->summary);
    }
}

static void print_text_of(const struct weir_service *s) {
    printf(
        "%s, version %u, replays from version %u: %s\n\ntopics\n", s->name, s->version, s->version_replays, s->summary);
    for (const struct weir_topic *t = s->topics; t && t->name; t++)
        printf("  %-28s %-6s %s\n", t->name, t->role == WEIR_TOPIC_INPUT ? "input" : "output", t->summary);
    print_projections_of(s);
    printf("\nroutes\n");
    for (const struct weir_route *r = s->routes; r && r->path; r++)
        printf("  %-6s %-44s %s\n", r->method ? r->method : "GET", r->path, r->summary ? r->summary : "");
    if (s->listeners && s->listeners->name) printf("\nlisteners\n");
    for (const struct weir_listener *l = s->listeners; l && l->name; l++)
        printf("  %-12s set by %s.%s: %s\n", l->name, s->name, l->setting, l->summary);
    printf("\nsettings\n");
    for (const struct weir_setting *r = s->settings; r && r->name; r++)
        printf("  %s.%s (initially %s): %s\n", s->name, r->name, r->initial[0] ? r->initial : "\"\"", r->summary);
    if (s->metrics && s->metrics->name) printf("\nmetrics\n");
    for (const struct weir_metric *m = s->metrics; m && m->name; m++)
        printf("  weir_%s_%s: %s\n", s->name, m->name, m->help);
    if (s->reasons && s->reasons->name) printf("\nreasons for a refusal\n");
    for (const struct weir_reason *r = s->reasons; r && r->name; r++)
        printf("  %4u %-24s HTTP %u  %s\n", r->code, r->name, r->status, r->sentence);
}

static void print_json_of(const struct weir_service *s) {
    struct print_json p;
    struct json_writer *w = print_json_open(&p);
    json_write_object_open(w);
    services_put_head(w, s);
    json_put_u64(w, "versionReplays", s->version_replays);
    json_write_key(w, "settings");
    json_write_array_open(w);
    for (const struct weir_setting *r = s->settings; r && r->name; r++) {
        json_write_object_open(w);
        json_put_text(w, "name", r->name);
        json_put_text(w, "initial", r->initial);
        json_put_text(w, "summary", r->summary);
        json_write_object_close(w);
    }
    json_write_array_close(w);
    services_put_declaration(w, s);
    json_write_object_close(w);
    print_json_close(&p);
}

void service_print(const struct weir_service *service, bool json) {
    if (json)
        print_json_of(service);
    else
        print_text_of(service);
}
