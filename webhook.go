package linkspan

import "time"

// WebhookEvent is something the customer's backend is told. It is written in the
// transaction that makes it true, and sent to one or more URLs.
type WebhookEvent struct {
	ID WebhookEventID
	// UUID is the message's id: the same in every attempt, to every URL.
	UUID          string
	EnvironmentID EnvironmentID
	// Type and Operation are those of the payload, such as "auth" and "creation".
	Type      string
	Operation string
	// IntegrationKey, Provider, ConnectionName and ConnectionUUID say what it is
	// about.
	IntegrationKey string
	Provider       string
	ConnectionName string
	ConnectionUUID string
	// Body is the exact text that is sent. It is stored encrypted.
	Body      Secret
	CreatedAt time.Time
}

// DeliveryState is where a delivery stands.
type DeliveryState string

// The states of deliveries.
const (
	// DeliveryPending means that an attempt is due or planned.
	DeliveryPending DeliveryState = "pending"
	// DeliveryDelivered means that the receiver answered with 2xx.
	DeliveryDelivered DeliveryState = "delivered"
	// DeliveryFailed means that all attempts failed.
	DeliveryFailed DeliveryState = "failed"
	// DeliveryGone means that the receiver answered 410 and wants no more.
	DeliveryGone DeliveryState = "gone"
	// DeliveryBlocked means that the policy for outbound calls forbids the URL.
	DeliveryBlocked DeliveryState = "blocked"
)

// WebhookDelivery is the sending of one event to one URL, with all its attempts.
type WebhookDelivery struct {
	ID            WebhookDeliveryID
	UUID          string
	EventID       WebhookEventID
	EnvironmentID EnvironmentID
	URL           string
	// Destination is the URL's origin: by it and by the environment receivers are
	// kept apart.
	Destination string
	State       DeliveryState
	// Attempts counts those that were made; Attempt is the number that fences the
	// holder of the lease.
	Attempts int
	Attempt  int64
	Holder   string
	// NextAt is when the next attempt is due. Zero unless pending.
	NextAt time.Time
	// LeaseUntil is until when the holder may work on it. Zero: nobody does.
	LeaseUntil time.Time
	// LastStatus is the status of the last answer; zero: there was none.
	LastStatus int
	// LastError says in safe words why the last attempt failed.
	LastError string
	Operation OperationID
	CreatedAt time.Time
	// EndedAt is when it reached its last state. Zero: not yet.
	EndedAt time.Time
	// Event is read with the row for convenience; without its Body in lists.
	Event WebhookEvent
}

// DeliveryFilter selects deliveries of one environment, newest first.
type DeliveryFilter struct {
	EnvironmentID  EnvironmentID
	States         []DeliveryState
	Type           string
	IntegrationKey string
	ConnectionName string
	// Before returns only deliveries older than this one (keyset pagination).
	Before WebhookDeliveryID
	Limit  int
}
