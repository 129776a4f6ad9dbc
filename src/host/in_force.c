#include "host/in_force.h"
#include "base/assert.h"
#include "base/bytes.h"

uint32_t in_force_rows(const struct weir_service *service) {
    uint32_t count = 0;
    while (service->settings && service->settings[count].name)
        count++;
    return count;
}

static enum weir_error put_value(
    struct in_force *f, uint32_t row, bool is_text, uint64_t number, struct weir_slice text) {
    if (!is_text) {
        f->values[row] = (struct weir_setting_value){.number = number};
        return WEIR_OK;
    }
    if (text.size >= IN_FORCE_TEXT_MAX - f->text_used)
        return weir_error_context(
            WEIR_E_CONFIG, "the folded settings' texts are longer than %u bytes", IN_FORCE_TEXT_MAX);
    char *at = f->text + f->text_used;
    if (text.size) memcpy(at, text.data, text.size);
    at[text.size] = 0;
    f->text_used += text.size + 1;
    f->values[row] = (struct weir_setting_value){.text = at};
    return WEIR_OK;
}

enum weir_error in_force_from(struct in_force *ret_in_force, const struct weir_service *service,
    const struct weir_setting_value *values, uint32_t epoch) {
    uint32_t rows = in_force_rows(service);
    if (rows > IN_FORCE_ROWS_MAX)
        return weir_error_context(
            WEIR_E_CONFIG, "service %s has %u settings; at most %u", service->name, rows, IN_FORCE_ROWS_MAX);
    memset(ret_in_force, 0, sizeof *ret_in_force);
    ret_in_force->version = service->version;
    ret_in_force->epoch = epoch;
    for (uint32_t i = 0; i < rows; i++) {
        const struct weir_setting *row = &service->settings[i];
        if (!row->folded) continue;
        WEIR_ASSERT(strlen(row->name) <= 64);
        enum weir_error e = put_value(
            ret_in_force, i, row->kind == WEIR_SETTING_TEXT, values[i].number, weir_slice_text(values[i].text));
        if (e != WEIR_OK) return weir_error_wrap(e, "service %s", service->name);
    }
    return WEIR_OK;
}

void in_force_copy(struct in_force *ret_to, const struct in_force *from) {
    *ret_to = *from;
    for (uint32_t i = 0; i < IN_FORCE_ROWS_MAX; i++)
        if (from->values[i].text) ret_to->values[i].text = ret_to->text + (from->values[i].text - from->text);
}

bool in_force_same(const struct in_force *a, const struct in_force *b, const struct weir_service *service) {
    if (a->version != b->version) return false;
    uint32_t rows = in_force_rows(service);
    for (uint32_t i = 0; i < rows; i++) {
        if (!service->settings[i].folded) continue;
        if (a->values[i].number != b->values[i].number) return false;
        if (!weir_slice_equal(weir_slice_text(a->values[i].text), weir_slice_text(b->values[i].text))) return false;
    }
    return true;
}

size_t in_force_store(const struct in_force *in_force, const struct weir_service *service, uint8_t *out) {
    struct byte_writer w = byte_writer(out, IN_FORCE_RECORD_MAX);
    byte_put_le32(&w, in_force->version);
    byte_put_le32(&w, in_force->epoch);
    uint8_t *count_at = byte_put_raw(&w, 2);
    uint16_t count = 0;
    uint32_t rows = in_force_rows(service);
    for (uint32_t i = 0; i < rows; i++) {
        const struct weir_setting *row = &service->settings[i];
        if (!row->folded) continue;
        size_t name_size = strlen(row->name);
        byte_put_u8(&w, (uint8_t)name_size);
        byte_put(&w, row->name, name_size);
        byte_put_u8(&w, (uint8_t)row->kind);
        if (row->kind == WEIR_SETTING_TEXT) {
            struct weir_slice text = weir_slice_text(in_force->values[i].text);
            byte_put_le16(&w, (uint16_t)text.size);
            byte_put_slice(&w, text);
        } else {
            byte_put_le64(&w, in_force->values[i].number);
        }
        count++;
    }
    WEIR_ASSERT(!w.failed);
    store_le16(count_at, count);
    return w.at;
}

static enum weir_error load_row(struct in_force *f, const struct weir_service *service, struct byte_reader *r) {
    uint32_t rows = in_force_rows(service);
    struct weir_slice name = byte_get_slice(r, byte_get_u8(r));
    bool is_text = byte_get_u8(r) == WEIR_SETTING_TEXT;
    uint64_t number = 0;
    struct weir_slice text = {0};
    if (is_text)
        text = byte_get_slice(r, byte_get_le16(r));
    else
        number = byte_get_le64(r);
    for (uint32_t i = 0; i < rows && !r->failed; i++) {
        const struct weir_setting *row = &service->settings[i];
        if (row->folded && (row->kind == WEIR_SETTING_TEXT) == is_text &&
            weir_slice_equal(weir_slice_text(row->name), name))
            return put_value(f, i, is_text, number, text);
    }
    return WEIR_OK;
}

enum weir_error in_force_load(struct in_force *ret_in_force, const struct weir_service *service,
    const struct weir_setting_value *initial, struct weir_slice bytes) {
    struct byte_reader r = byte_reader(bytes);
    enum weir_error e = in_force_from(ret_in_force, service, initial, 0);
    if (e != WEIR_OK) return e;
    ret_in_force->version = byte_get_le32(&r);
    ret_in_force->epoch = byte_get_le32(&r);
    uint16_t count = byte_get_le16(&r);
    for (uint16_t i = 0; i < count && !r.failed && e == WEIR_OK; i++)
        e = load_row(ret_in_force, service, &r);
    if (e != WEIR_OK) return e;
    if (!byte_reader_finished(&r))
        return weir_error_context(WEIR_E_INVALID, "a settings record of service %s cannot be read", service->name);
    return WEIR_OK;
}

void in_force_merge(const struct in_force *in_force, const struct weir_service *service,
    const struct weir_setting_value *values, struct weir_setting_value *ret_merged) {
    uint32_t rows = in_force_rows(service);
    for (uint32_t i = 0; i < rows; i++)
        ret_merged[i] = service->settings[i].folded && in_force->version ? in_force->values[i] : values[i];
}

void in_force_capacity(const struct weir_service *service, const struct weir_setting_value *merged,
    const struct weir_setting_value *values, struct weir_setting_value *ret_capacity) {
    uint32_t rows = in_force_rows(service);
    for (uint32_t i = 0; i < rows; i++) {
        ret_capacity[i] = merged[i];
        const struct weir_setting *row = &service->settings[i];
        if (row->folded && row->kind != WEIR_SETTING_TEXT && values[i].number > merged[i].number)
            ret_capacity[i].number = values[i].number;
    }
}
