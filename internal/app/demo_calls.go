package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
)

// ticket is a ticket as Ticketry's API has it, as far as the demo reads it.
type ticket struct {
	ID       int    `json:"id"`
	Subject  string `json:"subject"`
	Status   string `json:"status"`
	Priority string `json:"priority"`
}

// tickets is a page of them.
type tickets struct {
	Data       []ticket `json:"data"`
	NextCursor *string  `json:"next_cursor"`
}

// stepCall lists tickets through the connection.
func (d *demonstration) stepCall(ctx context.Context, w *walk) (string, error) {
	var page tickets
	err := d.proxy(ctx, http.StatusOK, &page, client.ProxyRequest{
		Endpoint: "/tickets?limit=5", ProviderConfigKey: w.integration, ConnectionID: w.connection,
	})
	if err != nil {
		return "", err
	}
	if len(page.Data) == 0 {
		return "", errors.New("the provider answered without tickets")
	}
	return joined("GET /proxy/tickets", plural(len(page.Data), "ticket", "tickets")), nil
}

// proxy makes a call through a connection and decodes the provider's answer.
func (d *demonstration) proxy(ctx context.Context, want int, out any, p client.ProxyRequest) error {
	res, err := d.dev.Proxy(ctx, p)
	if err != nil {
		return err
	}
	return decodeAnswer(res, want, out)
}

// decodeAnswer reads an answer of the provider to its end. A nil out drops it.
func decodeAnswer(res *http.Response, want int, out any) error {
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if res.StatusCode != want {
		return fmt.Errorf("the provider answered %d: %s", res.StatusCode, printable(shortened(string(body), 500)))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("decoding the answer: %w", err)
	}
	return nil
}

// ticketry calls the provider without Linkspan, as somebody does who works with
// it.
func (d *demonstration) ticketry(ctx context.Context, method, path string, in any, want int, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encoding a body: %w", err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, d.world.providerURL+"/api/keyed"+path, body)
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", d.secret.APIKey.Reveal())
	res, err := d.world.client.Do(r)
	if err != nil {
		return fmt.Errorf("calling the provider: %w", err)
	}
	return decodeAnswer(res, want, out)
}

// countTickets asks Ticketry itself how many tickets there are.
func (d *demonstration) countTickets(ctx context.Context) (int, error) {
	n, cursor := 0, ""
	for {
		var page tickets
		q := url.Values{"limit": {"100"}, "cursor": {cursor}}
		if err := d.ticketry(ctx, http.MethodGet, "/tickets?"+q.Encode(), nil, http.StatusOK, &page); err != nil {
			return 0, err
		}
		n += len(page.Data)
		if page.NextCursor == nil {
			return n, nil
		}
		cursor = *page.NextCursor
	}
}

// stepRenew has the server exchange the refresh token, and calls with what came
// of it.
func (d *demonstration) stepRenew(ctx context.Context, w *walk) (string, error) {
	read := func(force bool) (string, error) {
		conn, err := d.dev.Connection(ctx, w.connection, api.ConnectionQuery{ProviderConfigKey: w.integration, ForceRefresh: &force})
		if err != nil {
			return "", err
		}
		token, _ := conn.Credentials["access_token"].(string)
		return token, nil
	}
	before, err := read(false)
	if err != nil {
		return "", err
	}
	after, err := read(true)
	if err != nil {
		return "", err
	}
	if after == "" || after == before {
		return "", errors.New("the token is still the same")
	}
	if _, err := d.stepCall(ctx, w); err != nil {
		return "", fmt.Errorf("calling with the new token: %w", err)
	}
	return "refresh token used, and replaced", nil
}

// stepCreate writes to the provider.
func (d *demonstration) stepCreate(ctx context.Context, w *walk) (string, error) {
	var made ticket
	err := d.proxy(ctx, http.StatusCreated, &made, client.ProxyRequest{
		Method: http.MethodPost, Endpoint: "/tickets", ProviderConfigKey: w.integration, ConnectionID: w.connection,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: strings.NewReader(`{"subject":"Hello from Linkspan"}`),
	})
	if err != nil {
		return "", err
	}
	return "POST /proxy/tickets · no. " + strconv.Itoa(made.ID), nil
}
