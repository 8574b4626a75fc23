package api

// WebhookDelivery is the sending of one event to one URL, with all its attempts.
type WebhookDelivery struct {
	ID string `json:"id"`
	// EventID is the message's id: the same for every URL and every replay.
	EventID string `json:"event_id"`
	// Type and Operation are those of the webhook, such as auth and creation.
	Type      string `json:"type"`
	Operation string `json:"operation"`
	// URL is where it goes. What its query holds is not shown.
	URL string `json:"url"`
	// State is pending, delivered, failed, gone (the receiver answered 410) or
	// blocked (the policy for outbound calls forbids the URL).
	State    string `json:"state"`
	Attempts int    `json:"attempts"`
	// NextAttemptAt is null unless the delivery is pending.
	NextAttemptAt *Time `json:"next_attempt_at"`
	// LastStatus is the status of the last answer; null: there was none.
	LastStatus *int `json:"last_status"`
	// LastError says why the last attempt failed.
	LastError     *string `json:"last_error"`
	IntegrationID *string `json:"integration_id"`
	ConnectionID  *string `json:"connection_id"`
	CreatedAt     Time    `json:"created_at"`
	EndedAt       *Time   `json:"ended_at"`
	// LogID is the operation that shows the attempts.
	LogID *string `json:"log_id"`
}

// WebhookDeliveries is a page of deliveries, newest first.
type WebhookDeliveries struct {
	Data []WebhookDelivery `json:"data"`
	// NextCursor goes into the query's cursor; null on the last page.
	NextCursor *string `json:"next_cursor"`
}

// WebhookDeliveriesQuery selects deliveries.
type WebhookDeliveriesQuery struct {
	State         []string `query:"state" check:"csv,max=5,each.enum=pending|delivered|failed|gone|blocked"`
	Type          *string  `query:"type" check:"min=1,max=32,pattern=name"`
	IntegrationID *string  `query:"integration_id" check:"min=1,max=255,pattern=pck"`
	ConnectionID  *string  `query:"connection_id" check:"min=1,max=255,pattern=cid"`
	Limit         *int     `query:"limit" check:"min=1,max=100" doc:"20 unless told."`
	Cursor        *string  `query:"cursor" check:"max=18,pattern=number" doc:"The next_cursor of the page before."`
}

// WebhookDeliveryPath names a delivery.
type WebhookDeliveryPath struct {
	DeliveryID string `path:"delivery_id" check:"required,format=uuid"`
}
