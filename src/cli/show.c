#include "cli/show.h"
#include "base/json.h"
#include "base/units.h"
#include "cli/term.h"
#include <ctype.h>
#include <stdio.h>

#define COLUMNS_MAX 24
#define CELL_MAX    512

struct column {
    char name[48];
    int width;
};

static bool ends_in(const char *name, const char *end) {
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* The present value as text; the reader is then behind it. */
static void read_cell(struct json_reader *r, const char *name, char *cell) {
    struct text_builder t = text_builder(cell, CELL_MAX);
    uint64_t number = 0;
    switch (r->token) {
    case JSON_OBJECT_OPEN:
    case JSON_ARRAY_OPEN:
        json_skip_value(r);
        text_add(&t, "...");
        return;
    case JSON_TRUE:
        text_add(&t, "yes");
        return;
    case JSON_FALSE:
        text_add(&t, "no");
        return;
    case JSON_NULL:
        return;
    default:
        break;
    }
    if (r->token != JSON_STRING && json_get_u64(r, &number) && (ends_in(name, "Bytes") || ends_in(name, "bytes")))
        text_add_bytes_short(&t, number);
    else if (r->token != JSON_STRING && json_get_u64(r, &number) && ends_in(name, "Seconds"))
        text_add_duration_short(&t, number * 1000000000u);
    else
        text_add_slice(&t, r->text);
}

static bool is_hidden(const char *hidden, const char *name) {
    char word[64];
    struct text_builder t = TEXT_BUILDER(word);
    text_printf(&t, " %s ", name);
    return strstr(hidden, word) != NULL;
}

static void key_name(const struct json_reader *r, char *name, size_t size) {
    struct text_builder t = text_builder(name, size);
    text_add_slice(&t, r->text);
}

static struct column *column_of(struct column *columns, uint32_t *count, const char *name) {
    for (uint32_t i = 0; i < *count; i++)
        if (strcmp(columns[i].name, name) == 0) return &columns[i];
    if (*count == COLUMNS_MAX) return NULL;
    struct column *c = &columns[(*count)++];
    struct text_builder t = TEXT_BUILDER(c->name);
    text_add(&t, name);
    c->width = (int)t.size;
    return c;
}

/* Of the array that r has just opened: every member that some object has, as wide as its widest value. */
static uint32_t measure(struct json_reader r, const char *hidden, struct column *columns) {
    uint32_t count = 0;
    char name[48], cell[CELL_MAX];
    while (json_next(&r) == JSON_OBJECT_OPEN)
        while (json_next(&r) == JSON_KEY) {
            key_name(&r, name, sizeof name);
            json_next(&r);
            read_cell(&r, name, cell);
            if (is_hidden(hidden, name)) continue;
            struct column *c = column_of(columns, &count, name);
            if (c && c->width < (int)strlen(cell)) c->width = (int)strlen(cell);
        }
    return count;
}

static void print_heads(const struct column *columns, uint32_t count) {
    printf("%s", term_on(stdout, TERM_BOLD));
    for (uint32_t i = 0; i < count; i++) {
        printf("  ");
        for (const char *p = columns[i].name; *p; p++)
            putchar(toupper((unsigned char)*p));
        printf("%*s", i + 1 < count ? columns[i].width - (int)strlen(columns[i].name) : 0, "");
    }
    printf("%s\n", term_off(stdout));
}

/* Of the object that r has just opened. */
static void print_row(struct json_reader *r, const struct column *columns, uint32_t count) {
    char cells[COLUMNS_MAX][CELL_MAX] = {{0}}, name[48], other[CELL_MAX];
    while (json_next(r) == JSON_KEY) {
        uint32_t i = 0;
        key_name(r, name, sizeof name);
        while (i < count && strcmp(columns[i].name, name) != 0)
            i++;
        json_next(r);
        read_cell(r, name, i < count ? cells[i] : other);
    }
    for (uint32_t i = 0; i < count; i++)
        printf("  %-*s", i + 1 < count ? columns[i].width : 0, cells[i]);
    putchar('\n');
}

static void show_table(struct json_reader *r, const char *name, const char *hidden) {
    struct column columns[COLUMNS_MAX];
    uint32_t count = measure(*r, hidden, columns);
    if (count > 0) {
        printf("%s\n", name);
        print_heads(columns, count);
    }
    while (json_next(r) == JSON_OBJECT_OPEN)
        print_row(r, columns, count);
    /* An array of single values ends here early: nothing that is shown has one. */
    while (r->token != JSON_ARRAY_CLOSE && r->token != JSON_ERROR && r->token != JSON_END)
        json_next(r);
}

static void show_members(struct json_reader *r, const char *name) {
    char member[48], cell[CELL_MAX];
    printf("%s\n", name);
    while (json_next(r) == JSON_KEY) {
        key_name(r, member, sizeof member);
        json_next(r);
        read_cell(r, member, cell);
        printf("  %-24s %s\n", member, cell);
    }
}

void cli_show(struct weir_slice json, const char *hidden) {
    struct json_reader r = json_reader(json, 0);
    char name[48], cell[CELL_MAX];
    if (json_next(&r) != JSON_OBJECT_OPEN) return;
    for (bool first = true; json_next(&r) == JSON_KEY; first = false) {
        key_name(&r, name, sizeof name);
        json_next(&r);
        if (!first && (r.token == JSON_ARRAY_OPEN || r.token == JSON_OBJECT_OPEN)) putchar('\n');
        if (r.token == JSON_ARRAY_OPEN) {
            show_table(&r, name, hidden);
        } else if (r.token == JSON_OBJECT_OPEN) {
            show_members(&r, name);
        } else {
            read_cell(&r, name, cell);
            if (!is_hidden(hidden, name)) printf("%s: %s\n", name, cell);
        }
    }
}
