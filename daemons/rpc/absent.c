#include "absent.h"

#include <stddef.h>

#define ACL_OFF     "ACL support disabled"
#define CONNECT_OFF "Connect must be enabled in order to use this endpoint"

static const struct {
    const char *service, *says;
    const char *methods[32];
} absent[] = {
    {"ACL",
     ACL_OFF,
     {"Apply",
      "AuthMethodDelete",
      "AuthMethodList",
      "AuthMethodRead",
      "AuthMethodSet",
      "Authorize",
      "BindingRuleDelete",
      "BindingRuleList",
      "BindingRuleRead",
      "BindingRuleSet",
      "Bootstrap",
      "BootstrapTokens",
      "Get",
      "GetPolicy",
      "List",
      "Login",
      "Logout",
      "PolicyBatchRead",
      "PolicyDelete",
      "PolicyList",
      "PolicyRead",
      "PolicyResolve",
      "PolicySet",
      "RoleBatchRead",
      "RoleDelete",
      "RoleList",
      "RoleRead",
      "RoleResolve",
      "RoleSet"}},
    {"ACL",
     ACL_OFF,
     {"ReplicationStatus", "TokenBatchRead", "TokenClone", "TokenDelete", "TokenList", "TokenRead",
      "TokenSet"}},
    {"AutoConfig", "Auto Config is disabled", {"InitialConfiguration"}},
    {"AutoEncrypt", CONNECT_OFF, {"Sign"}},
    {"ConnectCA",
     CONNECT_OFF,
     {"ConfigurationGet", "ConfigurationSet", "Roots", "Sign", "SignIntermediate"}},
};

static bool is_one_of(const char *const *names, size_t max, struct mu_str name)
{
    for (size_t i = 0; i < max && names[i]; i++) {
        if (mu__str_eq(name, mu__cstr(names[i]))) {
            return true;
        }
    }
    return false;
}

const char *rpc_absent(struct mu_str method)
{
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        struct mu_str service = mu__cstr(absent[i].service);
        if (method.len <= service.len || method.p[service.len] != '.' ||
            !mu__str_eq((struct mu_str){method.p, service.len}, service)) {
            continue;
        }
        struct mu_str name = {method.p + service.len + 1, method.len - service.len - 1};
        if (is_one_of(absent[i].methods, 32, name)) {
            return absent[i].says;
        }
    }
    return NULL;
}
