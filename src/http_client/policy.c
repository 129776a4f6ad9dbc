/* Where calls may go. See http.h. */
#include "http_client/address.h"
#include "http_client/transfer.h"

#include <stdio.h>

enum weir_error http_policy_init(struct http_policy *policy, struct sys *sys, const struct http_options *options) {
    *policy = (struct http_policy){.reach = options->reach, .allowed_count = options->allowed_count};
    if (options->allowed_count > HTTP_NETWORKS_MAX)
        return weir_error_context(
            WEIR_E_CONFIG, "%zu networks are allowed, at most may be %u", options->allowed_count, HTTP_NETWORKS_MAX);
    for (size_t i = 0; i < options->allowed_count; i++)
        policy->allowed[i] = options->allowed[i];
    if (!options->ca_file || !options->ca_file[0]) return WEIR_OK;
    bool exists = false;
    if (strlen(options->ca_file) >= sizeof policy->ca_file)
        return weir_error_context(WEIR_E_CONFIG, "the name of the file of certificates is too long");
    enum weir_error e = sys->path_exists(sys, options->ca_file, &exists);
    if (e) return e;
    if (!exists)
        return weir_error_context(
            WEIR_E_CONFIG, "there is no %s, from which certificates were to be believed", options->ca_file);
    snprintf(policy->ca_file, sizeof policy->ca_file, "%s", options->ca_file);
    return WEIR_OK;
}

bool http_policy_allows(const struct http_policy *policy, const uint8_t *address) {
    if (policy->reach == HTTP_ANYWHERE || http_address_is_public(address)) return true;
    for (size_t i = 0; i < policy->allowed_count; i++)
        if (http_network_has(&policy->allowed[i], address)) return true;
    return false;
}
