// Package browser drives a running server in a real Chromium with the published
// frontend client, as customers' pages use it. It holds tests only.
package browser
