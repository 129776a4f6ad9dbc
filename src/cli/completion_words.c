#include "cli/completion_words.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/route.h"
#include "host/settings.h"
#include "services/registry.h"
#include <string.h>
#include <weir/service.h>

struct place {
    FILE *to;
    int count;
    char **words;
    const char *current;
};

static void offer(const struct place *p, const char *word, const char *what) {
    if (strncmp(word, p->current, strlen(p->current)) == 0) fprintf(p->to, "%s\t%s\n", word, what);
}

static void offer_services(const struct place *p) {
    for (size_t i = 0; i < weir_services_count; i++)
        offer(p, weir_services[i]->name, weir_services[i]->summary);
}

static void offer_settings(const struct place *p) {
    for (int i = 0; i < NODE_SETTING_COUNT; i++)
        offer(p, node_settings[i].name, node_settings[i].summary);
    for (size_t i = 0; i < weir_services_count; i++)
        for (const struct weir_setting *row = weir_services[i]->settings; row && row->name; row++) {
            char key[200];
            snprintf(key, sizeof key, "%s.%s", weir_services[i]->name, row->name);
            offer(p, key, row->summary);
        }
}

/* The value that follows a flag on the line, or NULL. */
static const char *value_of(const struct place *p, const char *flag) {
    for (int i = 0; i + 1 < p->count; i++)
        if (strcmp(p->words[i], flag) == 0) return p->words[i + 1];
    return NULL;
}

static void offer_names(const struct place *p, struct weir_slice body) {
    struct json_reader r = json_reader(body, 0);
    for (enum json_token t = json_next(&r); t != JSON_END && t != JSON_ERROR; t = json_next(&r)) {
        if (t != JSON_KEY || !json_text_is(&r, "name") || json_next(&r) != JSON_STRING) continue;
        char name[300];
        snprintf(name, sizeof name, "%.*s", (int)r.text.size, (const char *)r.text.data);
        offer(p, name, "topic");
    }
}

/* Without a node there is nothing to offer, and nothing to say either: this is not the place. */
static void offer_topics(const struct place *p) {
    struct client client;
    struct client_answer answer;
    const struct client_options options = {.node = value_of(p, "--node"), .ca = value_of(p, "--ca")};
    if (client_open(&client, &options) != WEIR_OK) return;
    if (client_request(&client, WEIR_HTTP_GET, "/v1/topics", (struct weir_slice){0}, &answer) == WEIR_OK)
        offer_names(p, answer.body);
    client_close(&client);
}

static void offer_choices(const struct place *p, const char *choices) {
    while (choices && *choices) {
        char word[64];
        size_t n = strcspn(choices, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, choices);
        offer(p, word, "");
        choices += n + (choices[n] == ' ');
    }
}

/* The word at `index` of every command and tool whose words before are those of the line. */
static void offer_command_words(const struct place *p, int index, char **before) {
    char last[64] = "";
    size_t i = 0;
    for (const struct cli_command *c = cli_next(&i); c; c = cli_next(&i)) {
        const char *second = strchr(c->name, ' ');
        size_t size = second ? (size_t)(second - c->name) : strlen(c->name);
        char first[64];
        snprintf(first, sizeof first, "%.*s", (int)size, c->name);
        if (c->hidden || (index == 1 && (!second || strcmp(first, before[0]) != 0))) continue;
        if (index == 1)
            offer(p, second + 1, c->summary);
        else if (strcmp(first, last) != 0)
            offer(p, first, second ? "" : c->summary);
        memcpy(last, first, sizeof last);
    }
    for (size_t s = 0; s < weir_services_count; s++) {
        const struct weir_tool *t = weir_services[s]->tools;
        const struct weir_route *r = weir_services[s]->routes;
        bool is_here = index == 1 && strcmp(weir_services[s]->name, before[0]) == 0;
        if (index == 0 && ((t && t->name) || cli_has_verbs(weir_services[s]))) offer(p, weir_services[s]->name, "");
        for (; is_here && r && r->path; r++)
            if (r->verb) offer(p, r->verb, r->summary);
        for (; index == 1 && strcmp(weir_services[s]->name, before[0]) == 0 && t && t->name; t++)
            offer(p, t->name, t->summary);
    }
}

static void offer_word(const struct place *p, enum cli_word word, const char *choices, int index, char **before) {
    switch (word) {
    case CLI_FILE:
        fputs(":file\n", p->to);
        break;
    case CLI_FOLDER:
        fputs(":folder\n", p->to);
        break;
    case CLI_TOPIC:
        offer_topics(p);
        break;
    case CLI_SERVICE:
        offer_services(p);
        break;
    case CLI_SETTING:
        offer_settings(p);
        break;
    case CLI_COMMAND:
        offer_command_words(p, index, before);
        if (index == 0) offer_choices(p, "exit-codes environment");
        break;
    case CLI_CHOICE:
        offer_choices(p, choices);
        break;
    case CLI_ANY:
        break;
    }
}

static void offer_flags(const struct place *p, const struct cli_flag *flags) {
    for (const struct cli_flag *f = flags; f && f->name; f++) {
        char word[64];
        snprintf(word, sizeof word, "--%s", f->name);
        offer(p, word, cli_flag_summary(f));
    }
}

/* The flag that `word` is and whose value is still to come, or NULL. */
static const struct cli_flag *open_flag(const struct cli_flag *flags, const char *word) {
    for (const struct cli_flag *f = flags; f && f->name; f++)
        if (f->kind != CLI_SWITCH && strncmp(word, "--", 2) == 0 && strcmp(word + 2, f->name) == 0) return f;
    return NULL;
}

static const struct cli_flag *flag_before(const struct cli_command *command, const char *word) {
    const struct cli_flag *f = open_flag(command->flags, word);
    return f ? f : open_flag(cli_common_flags, word);
}

static void offer_of_command(const struct place *p, const struct cli_command *command, int words) {
    const struct cli_flag *flag = p->count > words ? flag_before(command, p->words[p->count - 1]) : NULL;
    if (flag) {
        offer_word(p, flag->word, flag->choices, 0, p->words);
        return;
    }
    if (p->current[0] == '-') {
        offer_flags(p, command->flags);
        offer_flags(p, cli_common_flags);
        return;
    }
    int index = 0;
    for (int i = words; i < p->count; i++)
        if (flag_before(command, p->words[i]))
            i++;
        else
            index += p->words[i][0] != '-';
    for (const struct cli_positional *row = command->positionals; row && row->name; row++)
        if (index-- == 0) offer_word(p, row->word, row->choices, (int)(row - command->positionals), p->words + words);
}

void completion_words_print(FILE *to, int count, char **words, const char *current) {
    struct place p = {to, count, words, current};
    int used = 0;
    const struct cli_command *command = cli_find(count, words, &used);
    if (command)
        offer_of_command(&p, command, used);
    else if (count < 2)
        offer_command_words(&p, count, words);
    else
        fputs(":file\n", to); /* a service's tool: its words are its own */
    if (count == 0 && current[0] == '-') offer_flags(&p, cli_common_flags);
}
