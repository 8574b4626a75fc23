package linkspan

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"
)

// Database-assigned ids. Each is the integer of the public API where the
// contract shows one, unique in its table and otherwise opaque.
type (
	// AccountID identifies an account (a team that owns environments).
	AccountID int64
	// EnvironmentID identifies an environment.
	EnvironmentID int64
	// APIKeyID identifies an API key.
	APIKeyID int64
	// IntegrationID identifies an integration.
	IntegrationID int64
	// ConnectionID identifies a connection. The customer's own name of it is
	// Connection.Name.
	ConnectionID int64
	// ConnectSessionID identifies a connect session.
	ConnectSessionID int64
	// OAuthSessionID identifies an authorization that the user has begun.
	OAuthSessionID int64
	// AuthorizationID identifies a finished authorization that is not yet a
	// connection.
	AuthorizationID int64
	// WebhookEventID identifies a webhook to send.
	WebhookEventID int64
	// WebhookDeliveryID identifies the sending of a webhook to one URL.
	WebhookDeliveryID int64
	// FunctionID identifies a deployed function through all its versions.
	FunctionID int64
	// FunctionVersionID identifies one version of a function.
	FunctionVersionID int64
	// RunID identifies a run of a function.
	RunID int64
	// SyncID identifies a sync function at work for a connection.
	SyncID int64
	// AuthorJobID identifies something that is done for an author of functions.
	AuthorJobID int64
)

// NewUUID returns a random UUID, version 4 (RFC 9562 §5.4), in lower case.
func NewUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the process instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var out [36]byte
	hex.Encode(out[0:8], b[0:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:], b[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// IsUUIDv4 reports whether s is a version 4 UUID in either case, the shape of
// every API key (wire contract §2.1).
func IsUUIDv4(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		case 14:
			if c != '4' {
				return false
			}
		case 19:
			if !strings.ContainsRune("89abAB", rune(c)) {
				return false
			}
		default:
			if !isHex(c) {
				return false
			}
		}
	}
	return true
}

// IsUUID reports whether s has the shape of a UUID of any version.
func IsUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !isHex(s[i]) {
				return false
			}
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// OperationID is the public id of an operation: 24 characters of [a-z0-9]. Its
// first nine encode the time of creation in milliseconds, so that ids sort by
// time.
type OperationID string

const operationAlphabet = "0123456789abcdefghijklmnopqrstuvwxyz"

// NewOperationID makes an id for an operation created at t.
func NewOperationID(t time.Time) OperationID {
	var b [24]byte
	ms := t.UnixMilli()
	for i := 8; i >= 0; i-- {
		b[i] = operationAlphabet[ms%36]
		ms /= 36
	}
	var r [30]byte
	_, _ = rand.Read(r[:]) // never fails
	for i := range 15 {
		// 16 random bits reduced modulo 36: the bias is below 0.06 %, and
		// these ids are names, not secrets.
		v := uint(r[2*i])<<8 | uint(r[2*i+1])
		b[9+i] = operationAlphabet[v%36]
	}
	return OperationID(b[:])
}

// IsOperationID reports whether s has the shape of an operation id.
func IsOperationID(s string) bool {
	if len(s) != 24 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
