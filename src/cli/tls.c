/* `weir tls create`, and the pair that `weir up --tls-self-signed` makes for itself. */
#include "cli/tls.h"
#include "edge/tls_create.h"
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

int cli_tls_create(const struct cli_command *command, int argc, char **argv) {
    struct cli_tls_pair pair = {.names = CLI_TLS_NAMES, .to = stdout};
    const char *folder = ".";
    uint64_t days = DAYS_INITIAL;
    const struct cli_flag flags[] = {
        {"out", CLI_TEXT, &folder, "DIR", "folder of the two files, cert.pem and key.pem (default .)"},
        {"names", CLI_TEXT, &pair.names, "LIST",
            "host names and addresses, separated by commas (default " CLI_TLS_NAMES ")"},
        {"days", CLI_NUMBER, &days, "N", "how long it is valid (default 365)"},
        {0},
    };
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 0, 0, &positionals);
    if (code >= 0) return code;
    struct sys *sys = NULL;
    enum weir_error e = days >= 1 && days <= 36500
                            ? sys_linux_new(&sys)
                            : weir_error_context(WEIR_E_INVALID, "--days: a certificate is valid for 1 to 36500 days");
    if (e == WEIR_OK) e = cli_tls_in(&pair, folder);
    pair.days = (uint32_t)days;
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
