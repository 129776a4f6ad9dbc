/* `weir tls create`, and the pair that `weir up --tls-self-signed` makes for itself. */
#include "cli/tls.h"
#include "tls/tls_create.h"
#include <stdio.h>

#define DAYS_INITIAL 365

enum weir_error cli_tls_pair(struct sys *sys, const struct cli_tls_pair *pair) {
    char fingerprint[TLS_FINGERPRINT_SIZE];
    bool has_cert = false, has_key = false;
    enum weir_error e = sys_make_folders(sys, pair->folder);
    if (e == WEIR_OK) e = sys->path_exists(sys, pair->cert, &has_cert);
    if (e == WEIR_OK) e = sys->path_exists(sys, pair->key, &has_key);
    if (e != WEIR_OK || (has_cert && has_key && pair->keeps)) return e;
    const struct tls_create create = {pair->cert, pair->key, pair->names, pair->days ? pair->days : DAYS_INITIAL};
    e = tls_create(sys, &create, fingerprint);
    if (e != WEIR_OK) return e;
    fprintf(pair->to, "certificate %s\nkey         %s\nfingerprint sha256 %s\n", pair->cert, pair->key, fingerprint);
    return WEIR_OK;
}

struct tls_values {
    const char *folder, *names;
    uint64_t days;
};

static int create(const struct cli_command *command, int argc, char **argv) {
    struct tls_values given = {.folder = ".", .names = CLI_TLS_NAMES, .days = DAYS_INITIAL};
    int positionals = 0;
    int code = cli_parse(command, argc, argv, &given, &positionals);
    if (code >= 0) return code;
    struct cli_tls_pair pair = {.names = given.names, .to = stdout, .days = (uint32_t)given.days};
    struct sys *sys = NULL;
    enum weir_error e = given.days >= 1 && given.days <= 36500
                            ? sys_linux_new(&sys)
                            : weir_error_context(WEIR_E_INVALID, "--days: a certificate is valid for 1 to 36500 days");
    if (e == WEIR_OK) e = cli_tls_in(&pair, given.folder);
    if (e == WEIR_OK) e = cli_tls_pair(sys, &pair);
    if (sys) sys_linux_free(sys);
    if (e != WEIR_OK) return cli_fail(e);
    printf(
        "start with  weir up --set tls.cert=%s --set tls.key=%s\nconnect by  curl --cacert %s https://localhost:7070/, "
        "weir topic list --node https://localhost:7070 --ca %s\n",
        pair.cert, pair.key, pair.cert, pair.cert);
    return 0;
}

enum weir_error cli_tls_in(struct cli_tls_pair *pair, const char *folder) {
    int a = snprintf(pair->folder, sizeof pair->folder, "%s", folder);
    int b = snprintf(pair->cert, sizeof pair->cert, "%s/cert.pem", folder);
    int c = snprintf(pair->key, sizeof pair->key, "%s/key.pem", folder);
    if (a > 0 && (size_t)a < sizeof pair->folder && (size_t)b < sizeof pair->cert && (size_t)c < sizeof pair->key)
        return WEIR_OK;
    return weir_error_context(WEIR_E_INVALID, "the folder's path is empty or too long: %.80s", folder);
}

const struct cli_command cli_tls_commands[] = {
    {
        .name = "tls create",
        .summary = "make a self-signed certificate and print its fingerprint",
        .description =
            "For a first try, or between machines that trust the file itself. Prints the settings that use it.",
        .flags = CLI_FLAGS({"out", CLI_TEXT, offsetof(struct tls_values, folder), "DIR",
                               "folder of the two files, cert.pem and key.pem (default .)", CLI_FOLDER},
            {"names", CLI_TEXT, offsetof(struct tls_values, names), "LIST",
                "host names and addresses, separated by commas (default " CLI_TLS_NAMES ")"},
            {"days", CLI_NUMBER, offsetof(struct tls_values, days), "N",
                "how long it is valid, 1 to 36500 (default 365)"}),
        .exits = CLI_EXITS(
            {WEIR_E_INVALID, "a name or the number of days is wrong"}, {WEIR_E_EXISTS, "one of the files is there"}),
        .examples = CLI_EXAMPLES({"weir tls create --out tls --names node1.example,10.0.0.7", "for one machine"}),
        .run = create,
    },
    {0},
};
