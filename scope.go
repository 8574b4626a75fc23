package linkspan

import "strings"

// Scopes of environment keys (wire contract §2.3). A key's scope grants a
// required one when both are equal, or when it ends in ":*" and the required
// one starts with what stands before the star.
const (
	ScopeEnvironmentAll             = "environment:*"
	ScopeIntegrationsList           = "environment:integrations:list"
	ScopeIntegrationsListCreds      = "environment:integrations:list_credentials"
	ScopeIntegrationsRead           = "environment:integrations:read"
	ScopeIntegrationsReadCreds      = "environment:integrations:read_credentials"
	ScopeIntegrationsCreate         = "environment:integrations:create"
	ScopeIntegrationsUpdate         = "environment:integrations:update"
	ScopeIntegrationsDelete         = "environment:integrations:delete"
	ScopeConnectionsList            = "environment:connections:list"
	ScopeConnectionsListCreds       = "environment:connections:list_credentials"
	ScopeConnectionsRead            = "environment:connections:read"
	ScopeConnectionsReadCreds       = "environment:connections:read_credentials"
	ScopeConnectionsCreate          = "environment:connections:create"
	ScopeConnectionsUpdate          = "environment:connections:update"
	ScopeConnectionsDelete          = "environment:connections:delete"
	ScopeProxy                      = "environment:proxy"
	ScopeVariablesRead              = "environment:variables:read"
	ScopeVariablesWrite             = "environment:variables:write"
	ScopeSettingsRead               = "environment:settings:read"
	ScopeSettingsUpdate             = "environment:settings:update"
	ScopeSigningKeyRotate           = "environment:webhook_signing_key:rotate"
	ScopeConnectSessionsWrite       = "environment:connect_sessions:write"
	ScopeWebhooksRead               = "environment:webhooks:read"
	ScopeWebhooksReplay             = "environment:webhooks:replay"
	ScopeLogsRead                   = "environment:logs:read"
	ScopeDeploy                     = "environment:deploy"
	ScopeFunctionsList              = "environment:functions:list"
	ScopeFunctionsRead              = "environment:functions:read"
	ScopeFunctionsUpdate            = "environment:functions:update"
	ScopeFunctionsDelete            = "environment:functions:delete"
	ScopeFunctionsCompile           = "environment:functions:compile"
	ScopeFunctionsDryRun            = "environment:functions:dryrun"
	ScopeFunctionsInvoke            = "environment:functions:invocations"
	ScopeIntegrationsListFunctions  = "environment:integrations:list_functions"
	ScopeActionsExecute             = "environment:actions:execute"
	ScopeSyncsRead                  = "environment:syncs:read"
	ScopeSyncsExecute               = "environment:syncs:execute"
	ScopeSyncsUpdate                = "environment:syncs:update"
	ScopeSyncsVariantCreate         = "environment:syncs:variant:create"
	ScopeSyncsVariantDelete         = "environment:syncs:variant:delete"
	ScopeRecordsRead                = "environment:records:read"
	ScopeRecordsWrite               = "environment:records:write"
	ScopeAccountAll                 = "account:*"
	ScopeAccountEnvironmentsList    = "account:environments:list"
	ScopeAccountEnvironmentsCreate  = "account:environments:create"
	ScopeAccountEnvironmentsUpdate  = "account:environments:update"
	ScopeAccountEnvironmentsDelete  = "account:environments:delete"
	ScopeAccountEnvironmentsSetProd = "account:environments:set_production"
	ScopeAccountKeysList            = "account:environments:api_keys:list"
	ScopeAccountKeysRead            = "account:environments:api_keys:read"
	ScopeAccountKeysCreate          = "account:environments:api_keys:create"
	ScopeAccountKeysDelete          = "account:environments:api_keys:delete"
)

// Grants reports whether a key that holds the scopes has the required one.
func Grants(held []string, required string) bool {
	for _, s := range held {
		if s == required {
			return true
		}
		if prefix, ok := strings.CutSuffix(s, "*"); ok && strings.HasSuffix(prefix, ":") && strings.HasPrefix(required, prefix) {
			return true
		}
	}
	return false
}
