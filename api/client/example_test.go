package client_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
)

// server stands for a Linkspan server that gives one answer.
func server(status int, body string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
}

func Example() {
	s := server(http.StatusOK, `{"data":{"unique_key":"github","provider":"github","display_name":"GitHub"}}`)
	defer s.Close()

	c, err := client.New(s.URL, "9f3a3e0e-7c1d-4c55-9f0c-0d9d6a3f1b11")
	if err != nil {
		fmt.Println(err)
		return
	}
	made, err := c.CreateIntegration(context.Background(), api.CreateIntegration{
		Provider:  "github",
		UniqueKey: "github",
		Credentials: api.NewIntegrationCredentials(api.OAuthApp{
			Type: "OAUTH2", ClientID: "Iv1.8a61f9b3a7aba766", ClientSecret: "from the provider's developer page",
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(made.DisplayName)
	// Output: GitHub
}

func ExampleClient_ImportConnection() {
	s := server(http.StatusCreated, `{"connection_id":"customer-7","provider_config_key":"stripe","credentials":{"type":"API_KEY","apiKey":"sk"}}`)
	defer s.Close()

	c, _ := client.New(s.URL, "9f3a3e0e-7c1d-4c55-9f0c-0d9d6a3f1b11")
	made, err := c.ImportConnection(context.Background(), api.ImportConnection{
		ProviderConfigKey: "stripe",
		ConnectionID:      new("customer-7"),
		Credentials:       api.Import(api.APIKeyCredentials{APIKey: "sk"}),
		Tags:              map[string]string{"plan": "pro"},
	})
	fmt.Println(made.ConnectionID, made.Credentials, err)
	// Output: customer-7 [redacted] <nil>
}

func ExampleClient_AllConnections() {
	s := server(http.StatusOK, `{"connections":[{"connection_id":"a"},{"connection_id":"b"}]}`)
	defer s.Close()

	c, _ := client.New(s.URL, "9f3a3e0e-7c1d-4c55-9f0c-0d9d6a3f1b11")
	for conn, err := range c.AllConnections(context.Background(), api.ConnectionsQuery{IntegrationID: []string{"stripe"}}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(conn.ConnectionID)
	}
	// Output:
	// a
	// b
}

func ExampleClient_Proxy() {
	s := server(http.StatusOK, `{"login":"octocat"}`)
	defer s.Close()

	c, _ := client.New(s.URL, "9f3a3e0e-7c1d-4c55-9f0c-0d9d6a3f1b11")
	resp, err := c.Proxy(context.Background(), client.ProxyRequest{
		Endpoint: "/user", ProviderConfigKey: "github", ConnectionID: "customer-7", Retries: 2,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, string(body))
	// Output: 200 {"login":"octocat"}
}

func ExampleHasCode() {
	s := server(http.StatusNotFound, `{"error":{"code":"not_found","message":"Integration \"x\" does not exist"}}`)
	defer s.Close()

	c, _ := client.New(s.URL, "9f3a3e0e-7c1d-4c55-9f0c-0d9d6a3f1b11")
	_, err := c.Integration(context.Background(), "x")
	fmt.Println(client.HasCode(err, "not_found"))
	fmt.Println(err)
	// Output:
	// true
	// the server answered 404 not_found: Integration "x" does not exist
}
