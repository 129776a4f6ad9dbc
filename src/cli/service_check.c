/* `weir service check ./counter.so`: its declaration, and by the functions it calls, whether its fold can be one. */
#include "base/text.h"
#include "cli/services.h"
#include "host/declaration.h"
#include <stdio.h>

/* What no fold may call. A name that ends with * stands for all that begin so (mangled C++). A service with tools of
 * its own may call what is marked: tools run outside of any node. */
static const struct {
    const char *functions, *instead;
    bool tools_may;
} forbidden[] = {
    {"time gettimeofday clock_gettime clock timespec_get ftime _ZNSt6chrono*",
        "a fold sees no clock; time is in the record", true},
    {"rand srand random srandom rand_r drand48 lrand48 mrand48 getrandom getentropy arc4random arc4random_uniform "
     "_ZNSt13random_device*",
        "a fold knows no randomness; the client or a command's encode puts it into the record", true},
    {"open open64 openat creat read write pread pread64 pwrite pwrite64 close lseek fopen fopen64 fdopen fread fwrite "
     "fclose fgets fprintf printf puts putchar remove rename unlink mkdir opendir stat fstat mmap mmap64 "
     "__printf_chk __fprintf_chk _ZNSt14basic_ofstream* _ZNSt14basic_ifstream* _ZSt4cout _ZSt4cerr",
        "a fold does no input or output; what it has to say is an output record", true},
    {"socket connect bind listen accept accept4 send sendto sendmsg recv recvfrom recvmsg getaddrinfo poll select "
     "epoll_wait",
        "sockets are the node's; a protocol is a row of .listeners (weir/gateway.h)", true},
    {"pthread_create thrd_create fork vfork system popen execv execve execvp posix_spawn _ZNSt6thread*",
        "threads and processes are the node's", true},
    {"sleep usleep nanosleep clock_nanosleep pause sched_yield pthread_mutex_lock pthread_cond_wait",
        "nothing in a service waits: it holds up its lane", true},
    {"getenv secure_getenv setenv setlocale", "a fold's settings are rows of .settings, marked folded", true},
    {"exit _exit quick_exit signal sigaction", "the process is the node's", true},
};

struct check {
    const char *path;
    const struct cli_list *allowed;
    bool has_tools;
    char seen[8192]; /* names told of already, each between spaces */
    uint32_t faults, imports;
};

static bool is_listed(const char *functions, const char *name) {
    while (*functions) {
        size_t n = strcspn(functions, " ");
        bool prefix = functions[n - 1] == '*';
        if (prefix ? strncmp(functions, name, n - 1) == 0 : strlen(name) == n && strncmp(functions, name, n) == 0)
            return true;
        functions += n + (functions[n] == ' ');
    }
    return false;
}

static bool is_allowed(const struct check *c, const char *name) {
    for (uint32_t i = 0; i < c->allowed->count; i++)
        if (strcmp(c->allowed->items[i], name) == 0) return true;
    return false;
}

static bool is_new(struct check *c, const char *name) {
    char word[300];
    struct text_builder w = TEXT_BUILDER(word);
    text_printf(&w, " %s ", name);
    if (strstr(c->seen, word)) return false;
    struct text_builder t = {c->seen, strlen(c->seen), sizeof c->seen, false, NULL, 0};
    text_add(&t, word);
    return true;
}

static void look_at_import(void *ctx, const char *name, bool is_there) {
    struct check *c = ctx;
    if (!is_new(c, name)) return;
    c->imports++;
    if (!is_there) {
        enum weir_error e = cli_plugin_lacks(c->path, name);
        printf("%s\n", weir_error_text());
        c->faults += e != WEIR_OK;
    }
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(forbidden); i++) {
        if (!is_listed(forbidden[i].functions, name) || is_allowed(c, name)) continue;
        bool may = c->has_tools && forbidden[i].tools_may;
        printf("%s calls %s: %s%s\n", c->path, name, forbidden[i].instead, may ? " (well for its tools)" : "");
        c->faults += !may;
    }
}

static void on_fault(void *ctx, const char *sentence) {
    const struct check *c = ctx;
    printf("%s: %s\n", c->path, sentence);
}

static enum weir_error check_one(struct cli_services *services, struct sys *sys, const char *word, struct check *c) {
    const struct weir_service *service = NULL;
    struct cli_plugin plugin = {0};
    if (!strchr(word, '/')) service = cli_services_find(services, weir_slice_text(word));
    if (!service) {
        enum weir_error e = cli_plugin_open(services, sys, weir_slice_text(word), &plugin);
        if (e != WEIR_OK) return e;
        service = plugin.service;
        c->path = plugin.path;
    }
    c->has_tools = service->tools && service->tools->name;
    uint32_t before = c->faults;
    if (declaration_check(service, on_fault, c) != WEIR_OK) c->faults++;
    if (plugin.library) {
        if (c->faults == before && cli_plugin_check_name(&plugin) != WEIR_OK) {
            printf("%s\n", weir_error_text());
            c->faults++;
        }
        sys_library_imports(plugin.library, look_at_import, c);
    }
    if (c->faults > 0) return weir_error_context(WEIR_E_CONFIG, "%s: not fit to run", c->path);
    printf("%s: service %s, version %u, replays from %u", c->path, service->name, service->version,
        service->version_replays);
    if (plugin.library)
        printf("; service API %u.%u; %u functions imported, none of them forbidden", plugin.api_major, plugin.api_minor,
            c->imports);
    printf("\n");
    return WEIR_OK;
}

struct check_values {
    struct cli_list allowed;
};

static int check(const struct cli_command *command, int argc, char **argv) {
    struct check_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    struct sys *sys = NULL;
    struct cli_services services = {0};
    struct check check = {.path = argv[0], .allowed = &given.allowed};
    enum weir_error e = sys_linux_new(&sys);
    if (e == WEIR_OK) e = cli_services_init(&services);
    if (e == WEIR_OK) e = check_one(&services, sys, argv[0], &check);
    code = e == WEIR_OK ? 0 : cli_fail(e);
    cli_services_done(&services);
    sys_linux_free(sys);
    return code;
}

const struct cli_command cli_service_check_commands[] = {
    {
        .name = "service check",
        .summary = "say what is wrong with a service in a shared object before it runs",
        .description =
            "Its version of the service API, every row of its declaration, and the functions it calls: those that a\n"
            "fold may not call (clocks, randomness, files, sockets, threads) are named, with what to use instead.",
        .positionals = CLI_POSITIONALS(
            {"FILE", CLI_FILE, false, "a shared object, as ./counter.so, or the name of a service of this binary"}),
        .flags = CLI_FLAGS({"allow", CLI_LIST, offsetof(struct check_values, allowed), "FUNCTION",
            "do not mind that it calls this one; may be given several times"}),
        .exits = CLI_EXITS({WEIR_E_CONFIG, "it is not fit to run; stdout says why, a fault per line"},
            {WEIR_E_NOT_FOUND, "there is no such file"},
            {WEIR_E_VERSION, "it is built for another version of the service API"},
            {WEIR_E_UNSUPPORTED, "it is a shared object without a service"}),
        .examples = CLI_EXAMPLES({"weir service check ./counter.so", "before `weir up --service ./counter.so`"}),
        .run = check,
    },
    {0},
};
