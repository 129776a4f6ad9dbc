#include "load/rtt.h"
#include "base/text.h"
#include "base/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NS_PER_MS 1e6

/* What stands in front of the next `end`, which goes too. */
static struct weir_slice part_take(struct weir_slice *text, uint8_t end) {
    const uint8_t *at = text->size ? memchr(text->data, end, text->size) : NULL;
    size_t size = at ? (size_t)(at - text->data) : text->size;
    struct weir_slice part = weir_slice(text->data, size);
    *text = weir_slice(text->data + size + (at != NULL), text->size - size - (at != NULL));
    if (part.size > 0 && part.data[part.size - 1] == '\r') part.size--;
    return text_trim(part);
}

static bool number_is(struct weir_slice text, double *ret) {
    return parse_double(text, ret) == WEIR_OK && *ret >= 0 && *ret <= LOAD_RTT_MS_MAX;
}

static bool is_wanted(struct weir_slice name, const char *wanted) {
    size_t size = strlen(wanted);
    if (size == 0) return true;
    if (name.size < size || memcmp(name.data, wanted, size) != 0) return false;
    return name.size == size || name.data[size] == '.';
}

static enum weir_error add(struct load_rtts *rtts, struct weir_slice name, double mean_ms, double sd_ms) {
    if (rtts->count == LOAD_RTT_ROWS_MAX)
        return weir_error_context(WEIR_E_TOO_LARGE, "there are more than %u round trips", LOAD_RTT_ROWS_MAX);
    struct load_rtt *row = &rtts->items[rtts->count++];
    /* Two ways, each with half of the mean and of the variance. */
    row->delay_ns = (uint64_t)(mean_ms / 2 * NS_PER_MS);
    row->delay_sd_ns = (uint64_t)(sd_ms / sqrt(2) * NS_PER_MS);
    snprintf(row->name, sizeof row->name, "%.*s", (int)(name.size < 60 ? name.size : 60), (const char *)name.data);
    return WEIR_OK;
}

static enum weir_error read_all(struct load_rtts *rtts, struct weir_slice text, const char *wanted, char example[64]) {
    enum weir_error e = WEIR_OK;
    for (unsigned long number = 1; text.size > 0 && e == WEIR_OK; number++) {
        struct weir_slice line = part_take(&text, '\n');
        if (line.size == 0 || line.data[0] == '#') continue;
        struct weir_slice name = part_take(&line, '\t'), mean = part_take(&line, '\t'), sd = part_take(&line, '\t');
        double mean_ms = 0, sd_ms = 0;
        bool is_row = name.size > 0 && number_is(mean, &mean_ms) && number_is(sd, &sd_ms) && mean_ms > 0;
        if (!is_row && number == 1) continue; /* headings */
        if (!is_row || line.size > 0)
            return weir_error_context(WEIR_E_INVALID,
                "line %lu is not a name, a mean and a deviation in ms (up to 60,000), with tabs between", number);
        snprintf(example, 64, "%.*s", (int)(name.size < 60 ? name.size : 60), (const char *)name.data);
        if (is_wanted(name, wanted)) e = add(rtts, name, mean_ms, sd_ms);
    }
    return e;
}

enum weir_error load_rtts_init(struct load_rtts *rtts, struct weir_slice text, const char *name) {
    char example[64] = "";
    *rtts = (struct load_rtts){.items = calloc(LOAD_RTT_ROWS_MAX, sizeof *rtts->items)};
    if (!rtts->items) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for round trips");
    enum weir_error e = read_all(rtts, text, name, example);
    if (e == WEIR_OK && !example[0]) e = weir_error_context(WEIR_E_INVALID, "no round trip in this file");
    if (e == WEIR_OK && rtts->count == 0)
        e = weir_error_context(WEIR_E_NOT_FOUND, "no round trip is named %.60s; there is %s", name, example);
    if (e != WEIR_OK) load_rtts_done(rtts);
    return e;
}

void load_rtts_done(struct load_rtts *rtts) {
    free(rtts->items);
    *rtts = (struct load_rtts){0};
}
