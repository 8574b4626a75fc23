package secretname_test

import (
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/secretname"
)

func TestNames(t *testing.T) {
	t.Parallel()
	const secret, mentioned, plain = "secret", "mentioned", "plain"
	for want, names := range map[string][]string{
		secret: {
			"access_token", "accessToken", "X-Api-Key", "apiKey", "API KEY", "client_secret", "password", "Authorization", "Proxy-Authorization", "set-cookie", "private_key",
			"AWS_SECRET_ACCESS_KEY", "token", "id_token", "session.id", "webhookSecret", "csrf_token", "X-Amz-Signature", "client_assertion", "jwt", "user[token]",
			// Words that only end like one that makes a token a position.
			"exchange_token", "exchangeToken", "exchangetoken", "backendToken", "frontend-token", "sendtoken", "blastToken", "ENDTOKENTOKEN", "nextSecretToken",
			strings.Repeat("very_long_", 10) + "token",
		},
		mentioned: {"tokens", "token_type", "access_token_2", "x-secret-id", "secretary", "apiKeys", "api_key[0]", "page_token_secret_id", "end_token_token_1"},
		plain: {
			"", "key", "keyboard", "sort_key", "author", "user-agent", "cookies", "end_token", "paginationToken", "next_page_token", "nextPageToken", "nextpagetoken", "pageToken",
			"PageToken", "PAGE_TOKEN", "syncToken", "continuation_token", "$skiptoken", "page[token]", "x-amz-next-token", "X-RateLimit-Remaining-Tokens", "syncTokens",
			strings.Repeat("very_long_", 10) + "page_token",
		},
	} {
		for _, name := range names {
			if got := secretname.Is(name); got != (want == secret) {
				t.Errorf("Is(%q) = %t", name, got)
			}
			if got := secretname.Mentions(name); got != (want != plain) {
				t.Errorf("Mentions(%q) = %t", name, got)
			}
		}
	}
	for name, want := range map[string]bool{"X-RateLimit-Token": true, "ratelimit_secret": true} {
		if secretname.Is(name) != want || secretname.Mentions(name) {
			t.Errorf("%q: %t, %t", name, secretname.Is(name), secretname.Mentions(name))
		}
	}
}

func BenchmarkMentions(b *testing.B) {
	names := []string{"Content-Type", "Date", "X-Request-Id", "Cache-Control", "Strict-Transport-Security", "X-Ratelimit-Remaining", "per_page", "next_page_token", "Authorization"}
	b.ReportAllocs()
	for b.Loop() {
		for _, name := range names {
			secretname.Mentions(name)
		}
	}
}
