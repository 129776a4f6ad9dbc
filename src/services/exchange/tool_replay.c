/* weir exchange replay: a recorded flow through a node's binary gateway, its trades and books checked. */
#include "exchange/tool_replay.h"
#include "exchange/tool_flow.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NODE_INITIAL   "127.0.0.1:7070"
#define WINDOW_INITIAL 4096
#define PENDING_MAX    8192u
#define PATH_MAX_BYTES 4096

static int usage(const char *what, const char *argument) {
    if (what) fprintf(stderr, "weir: %s%s\n", what, argument);
    fprintf(what ? stderr : stdout,
        "usage: weir exchange replay FILE [--expect BOOK] [--node HOST:PORT] [--ouch HOST:PORT] [--rate N] ...\n"
        "  FILE            32-byte records (.bin) or LOBSTER messages (.csv), plain or .zst\n"
        "  --expect BOOK   LOBSTER: the order book file; checked after every message\n"
        "  --trades FILE   the expected trades (default: FILE's sibling *.trades.csv, when there)\n"
        "  --top FILE      the expected best prices (default: FILE's sibling *.top.csv, when there)\n"
        "  --node H:P      the node's HTTP (default " NODE_INITIAL "); it tells where the binary gateway is\n"
        "  --ouch H:P      the binary gateway\n"
        "  --rate N        requests/s, open loop (default: as fast as the window allows)\n"
        "  --window N      requests under way on a session, 1 to 8192 (default 4096)\n"
        "  --symbol NAME   symbol of a LOBSTER file (AAPL), or what the stream's are called before their number (S)\n"
        "  --user NAME     login account; with several partitions one a session (default: one of the tool's own)\n"
        "  --password P    its password\n"
        "  --retry S       seconds to go on trying when the connection is lost; the session is resumed (default 0)\n"
        "  --no-l2         do not read the topic exchange.l2 back\n"
        "  --offline       run the engine in this process instead of a node\n"
        "  --json          one JSON object\n");
    return what ? 64 : 0;
}

static bool number(const char *text, uint64_t *ret) {
    char *end;
    *ret = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == 0;
}

static const char *parse(int argc, char **argv, struct replay_options *o) {
    const struct {
        const char *name;
        const char **text;
        uint64_t *number;
        bool *flag;
    } rows[] = {{"--expect", &o->expect, NULL, NULL}, {"--trades", &o->trades, NULL, NULL},
        {"--top", &o->top, NULL, NULL}, {"--node", &o->node, NULL, NULL}, {"--ouch", &o->ouch, NULL, NULL},
        {"--symbol", &o->symbol, NULL, NULL}, {"--user", &o->user, NULL, NULL},
        {"--password", &o->password, NULL, NULL}, {"--rate", NULL, &o->rate, NULL},
        {"--window", NULL, &o->window, NULL}, {"--retry", NULL, &o->retry_s, NULL},
        {"--offline", NULL, NULL, &o->offline}, {"--json", NULL, NULL, &o->json}, {"--no-l2", NULL, NULL, &o->no_l2}};
    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        while (k < sizeof(rows) / sizeof(*rows) && strcmp(argv[i], rows[k].name) != 0)
            k++;
        if (k == sizeof(rows) / sizeof(*rows)) {
            if (argv[i][0] == '-' || o->file) return argv[i];
            o->file = argv[i];
        } else if (rows[k].flag) {
            *rows[k].flag = true;
        } else if (i + 1 == argc || (rows[k].number && !number(argv[i + 1], rows[k].number))) {
            return argv[i];
        } else if (rows[k].text) {
            *rows[k].text = argv[++i];
        } else {
            i++;
        }
    }
    return NULL;
}

/* FILE.bin[.zst] -> FILE.WHAT.csv[.zst], when it is there. */
static const char *sibling(const char *file, const char *what, char path[PATH_MAX_BYTES]) {
    const char *bin = strstr(file, ".bin");
    for (const char *later = bin; later; later = strstr(later + 1, ".bin"))
        bin = later;
    if (bin == NULL) return NULL;
    static const char *const ends[] = {".csv.zst", ".csv"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, PATH_MAX_BYTES, "%.*s.%s%s", (int)(bin - file), file, what, ends[i]);
        if (access(path, R_OK) == 0) return path;
    }
    return NULL;
}

static void pad(char field[WEIR_OUCH_SYMBOL_SIZE], const char *name) {
    weir_ouch_alpha_set(field, WEIR_OUCH_SYMBOL_SIZE, weir_slice_text(name));
}

/* A session for each partition that has one of the symbols. */
static enum weir_error connect_sessions(const struct replay_options *o, struct market *market, struct feed *feed) {
    uint32_t session_of[MARKET_PARTITIONS_MAX];
    uint32_t symbols = feed->plan->symbols;
    char listener[80], user[32];
    enum weir_error error = WEIR_OK;
    if (o->ouch == NULL) error = market_listener(market, "exchange.ouch", listener);
    if (error) return error;
    feed->sessions = calloc(market->partition_count, sizeof(*feed->sessions));
    feed->session_of = calloc(symbols, sizeof(*feed->session_of));
    feed->names = calloc(symbols, sizeof(*feed->names));
    if (feed->sessions == NULL || feed->session_of == NULL || feed->names == NULL)
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the sessions");
    for (uint32_t p = 0; p < market->partition_count; p++)
        session_of[p] = UINT32_MAX;
    for (uint32_t i = 0; i < symbols && error == WEIR_OK; i++) {
        uint32_t partition = market->symbols[i].partition;
        pad(feed->names[i], market->symbols[i].name);
        if (session_of[partition] == UINT32_MAX) {
            session_of[partition] = feed->session_count++;
            tool_login_user(o->user, partition, user, sizeof(user));
            error = tool_client_init(&feed->sessions[session_of[partition]].client, o->ouch ? o->ouch : listener, user,
                o->password ? o->password : "", PENDING_MAX);
            if (error == WEIR_OK) tool_client_partition(&feed->sessions[session_of[partition]].client, partition);
        }
        feed->session_of[i] = session_of[partition];
    }
    return error;
}

static enum weir_error online(const struct replay_options *o, struct market *market, struct feed *feed) {
    enum weir_error error = market_open(market, o->node ? o->node : NODE_INITIAL);
    const char *symbol = o->symbol ? o->symbol : feed->plan->levels ? "AAPL" : "S";
    if (error == WEIR_OK) error = market_define(market, symbol, feed->plan->symbols);
    if (error == WEIR_OK) error = connect_sessions(o, market, feed);
    if (error == WEIR_OK) error = feed_login(feed);
    if (error == WEIR_OK) error = market_begin(market);
    if (error == WEIR_OK) error = feed_run(feed);
    if (feed->progress) fprintf(stderr, "\r\033[K");
    return error;
}

static enum weir_error load(const struct replay_options *o, struct plan *plan, struct check *check) {
    char path[PATH_MAX_BYTES];
    const char *top = o->top ? o->top : sibling(o->file, "top", path);
    enum weir_error error = o->expect ? plan_lobster(o->file, o->expect, plan) : plan_flow(o->file, plan);
    if (error == WEIR_OK) error = check_open(plan, check);
    if (error == WEIR_OK && top && !o->expect) error = check_tops_load(check, top);
    return error;
}

static enum weir_error run(const struct replay_options *o, int *ret_exit) {
    struct plan plan = {0};
    struct check check = {0};
    struct market market = {0};
    struct feed feed = {.plan = &plan,
        .check = &check,
        .rate = o->rate,
        .window = o->window,
        .retry_ns = o->retry_s * 1000000000u,
        .progress = isatty(STDERR_FILENO) ? replay_progress : NULL};
    char path[PATH_MAX_BYTES];
    const char *trades = o->trades ? o->trades : o->expect ? NULL : sibling(o->file, "trades", path);
    enum weir_error error = load(o, &plan, &check);
    if (error == WEIR_OK) error = feed_open(&feed);
    if (error == WEIR_OK) error = o->offline ? check_offline(&check) : online(o, &market, &feed);
    if (error == WEIR_OK) error = check_finish(&check, trades);
    if (error == WEIR_OK && !o->offline && !o->no_l2) error = market_l2_check(&market, &check);
    if (error == WEIR_OK) {
        (o->json ? replay_print_json : replay_print_text)(o, &feed, &market);
        *ret_exit = check.mismatches || check.failed ? 1 : 0;
    }
    feed_done(&feed);
    market_done(&market);
    if (check.plan) check_done(&check);
    plan_done(&plan);
    return error;
}

int tool_replay(int argc, char **argv) {
    struct replay_options o = {.window = WINDOW_INITIAL};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return usage(NULL, NULL);
    const char *wrong = parse(argc, argv, &o);
    if (wrong) return usage("unexpected argument, or one without its value: ", wrong);
    if (o.file == NULL) return usage("no file given", "");
    if (o.window == 0 || o.window > PENDING_MAX || o.rate > 100000000)
        return usage("--window or --rate", " is out of range");
    if (o.expect == NULL && strstr(o.file, ".csv")) return usage("a LOBSTER file needs --expect BOOK", "");
    int code = 1;
    enum weir_error error = run(&o, &code);
    if (error == WEIR_OK) return code;
    fprintf(stderr, "weir: %s: %s\n", weir_error_sentence(error), weir_error_text());
    return error == WEIR_E_MISMATCH ? 1 : weir_error_exit(error);
}
