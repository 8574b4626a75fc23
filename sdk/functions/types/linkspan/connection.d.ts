// What nango.getConnection, getIntegration and the like return.

/** What `nango.getConnection` may be asked for beyond a connection that works. Any of them reads anew instead of using what is remembered for a minute. */
export interface GetConnectionOptions {
	/** Whether a token is renewed although it is still valid. */
	forceRefresh?: boolean | undefined;
	/** Whether `refresh_token` is in the credentials. */
	refreshToken?: boolean | undefined;
	/** Reads anew. The token that an app itself signs in with is made when it is needed, and never shown. */
	refreshGithubAppJwtToken?: boolean | undefined;
}

/** A connection with its credentials. */
export interface Connection<Metadata = any> {
	/** The connection's number; `connection_id` is its name. */
	id: number;
	connection_id: string;
	/** The key of its integration. */
	provider_config_key: string;
	/** The name of the provider in the catalogue. */
	provider: string;
	/** What does not work now: credentials that can't be renewed, syncs that fail. */
	errors: { type: "auth" | "sync"; log_id: string }[];
	/** Whose account it is, if your backend says so with end users instead of tags. */
	end_user: EndUser | null;
	/** Labels that your backend gave it. */
	tags: Record<string, string>;
	/** What `nango.setMetadata` or your backend keeps with it; `null` until then. */
	metadata: Metadata;
	/** What the user said while connecting, such as `subdomain`. */
	connection_config: Record<string, any>;
	webhook_url_override: string | null;
	/** ISO 8601. */
	created_at: string;
	/** ISO 8601. */
	updated_at: string;
	/** ISO 8601; `null` when it was never read. */
	last_fetched_at: string | null;
	credentials: Credentials;
}

/** The user of your product that a connection belongs to. */
export interface EndUser {
	id: string;
	display_name: string | null;
	email: string | null;
	tags: Record<string, string>;
	organization: { id: string; display_name: string | null } | null;
}

/** Credentials by their `type`. They are secrets: never log them and never save them in records. */
export type Credentials =
	| OAuth2Credentials
	| OAuth1Credentials
	| ClientCredentials
	| BasicCredentials
	| ApiKeyCredentials
	| AppCredentials
	| CustomCredentials
	| TokenBasedCredentials
	| JwtCredentials
	| BillCredentials
	| TwoStepCredentials
	| SignatureCredentials
	| AwsCredentials
	| NoCredentials;

/** OAuth 2. */
export interface OAuth2Credentials {
	type: "OAUTH2";
	access_token: string;
	/** Only with {@link GetConnectionOptions.refreshToken}. */
	refresh_token?: string;
	/** ISO 8601. */
	expires_at?: string;
	/** What the provider answered when the token was made. */
	raw: Record<string, any>;
	/** A developer app of the connection's own. */
	config_override?: Record<string, any>;
}

/** OAuth 1. */
export interface OAuth1Credentials {
	type: "OAUTH1";
	oauth_token: string;
	oauth_token_secret: string;
	raw: Record<string, any>;
}

/** OAuth 2 with client credentials. */
export interface ClientCredentials {
	type: "OAUTH2_CC";
	token: string;
	expires_at?: string;
	client_id: string;
	client_secret: string;
	client_certificate?: string;
	client_private_key?: string;
	raw: Record<string, any>;
}

/** A user's name and password. */
export interface BasicCredentials {
	type: "BASIC";
	username: string;
	password: string;
}

/** A key. */
export interface ApiKeyCredentials {
	type: "API_KEY";
	apiKey: string;
}

/** An installation of an app. */
export interface AppCredentials {
	type: "APP";
	access_token: string;
	expires_at?: string;
	raw: Record<string, any>;
}

/** An app and its user, or what the provider wants besides. */
export interface CustomCredentials {
	type: "CUSTOM";
	app?: AppCredentials;
	user?: OAuth2Credentials | null;
	raw: Record<string, any>;
	[field: string]: any;
}

/** A token and its secret that sign each call. */
export interface TokenBasedCredentials {
	type: "TBA";
	token_id: string;
	token_secret: string;
	config_override: Record<string, any>;
}

/** A JSON web token, and what it is made of. */
export interface JwtCredentials {
	type: "JWT";
	token?: string;
	expires_at?: string;
	[field: string]: any;
}

/** A session at Bill. */
export interface BillCredentials {
	type: "BILL";
	username: string;
	password: string;
	organization_id: string;
	dev_key: string;
	session_id?: string;
	user_id?: string;
	expires_at?: string;
	raw: Record<string, any>;
}

/** A token that is fetched with what the user entered. */
export interface TwoStepCredentials {
	type: "TWO_STEP";
	token?: string;
	refresh_token?: string;
	expires_at?: string;
	raw: Record<string, any>;
	[field: string]: any;
}

/** A name and password that sign. */
export interface SignatureCredentials {
	type: "SIGNATURE";
	username: string;
	password: string;
	token?: string;
	expires_at?: string;
}

/** A role at AWS, for a while. */
export interface AwsCredentials {
	type: "AWS_SIGV4";
	role_arn: string;
	region: string;
	service: string;
	access_key_id: string;
	secret_access_key: string;
	session_token: string;
	expires_at?: string;
	external_id?: string;
	raw: Record<string, any>;
}

/** The provider needs none. */
export interface NoCredentials {
	type?: "NONE";
}

/** The integration of a run's connection. */
export interface Integration {
	/** Its key, which `nango.providerConfigKey` has as well. */
	unique_key: string;
	/** The name of the provider in the catalogue. */
	provider: string;
	display_name: string;
	/** Where its logo is. */
	logo: string;
	/** Whether the provider's webhooks are passed on to your backend. */
	forward_webhooks: boolean;
	/** ISO 8601. */
	created_at: string;
	/** ISO 8601. */
	updated_at: string;
	credentials_label?: Record<string, string>;
	/** Where the provider is to send webhooks, with `include: ["webhook"]`; `null` when its webhooks are not understood. */
	webhook_url?: string | null;
	/** The developer app, with `include: ["credentials"]`; `null` when the provider needs none. */
	credentials?: IntegrationCredentials | null;
}

/** A developer app. */
export type IntegrationCredentials =
	| { type: "OAUTH1" | "OAUTH2" | "TBA"; client_id: string; client_secret: string; scopes: string | null; webhook_secret: string | null }
	| { type: "APP"; app_id: string; app_link: string; private_key: string }
	| { type: "CUSTOM"; client_id: string; client_secret: string; app_id: string; app_link: string; private_key: string };

/** A variable of the environment. */
export interface EnvironmentVariable {
	name: string;
	value: string;
}
