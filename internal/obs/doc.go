// Package obs is what operators see of a running server: structured logs,
// Prometheus metrics, and the admin endpoint with metrics, profiles and health.
// It keeps no global state: loggers and registries are made here and handed on.
package obs
