package obs

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const namespace = "linkspan"

// Metrics is a registry of metrics, with those that every server has: the Go
// runtime's, the process's, the version, and HTTP requests.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	bytes    *prometheus.CounterVec
	inFlight prometheus.Gauge
	calls    *prometheus.HistogramVec
	retries  *prometheus.CounterVec
}

// NewMetrics returns a registry for a server of the given version.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace,
			Name:      "http_request_duration_seconds",
			Help:      "Time to answer API requests, proxied calls included, by route pattern, method and class of status.",
			Buckets:   []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"route", "method", "status"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace,
			Name:      "http_response_bytes_total",
			Help:      "Bytes of the bodies of answers, by route pattern.",
		}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace,
			Name:      "http_requests_in_flight",
			Help:      "API requests that are being answered.",
		}),
	}
	m.calls = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace,
		Name:      "proxy_upstream_duration_seconds",
		Help:      "Time until upstreams began to answer proxied calls, by provider and class of the status, none when there was no answer.",
		Buckets:   []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	}, []string{"provider", "status"})
	m.retries = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace,
		Name:      "proxy_retries_total",
		Help:      "Further attempts of proxied calls, by provider.",
	}, []string{"provider"})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace:   namespace,
		Name:        "build_info",
		Help:        "Always 1; the label tells the version.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.requests, m.bytes, m.inFlight, m.calls, m.retries, build,
	)
	return m
}

// ObserveRequest records an answered request: its method, one of a bounded set,
// its route's pattern, the status, how long it took and how many bytes the
// answer's body had.
func (m *Metrics) ObserveRequest(method, pattern string, status int, took time.Duration, bytes int64) {
	m.requests.WithLabelValues(pattern, method, class(status)).Observe(took.Seconds())
	m.bytes.WithLabelValues(pattern).Add(float64(bytes))
}

// ObserveCall records a proxied call that reached the network: the provider, the
// status of the upstream's last answer, 0 when there was none, how often the
// upstream was asked again, and how long it took in all to begin its answers.
func (m *Metrics) ObserveCall(provider string, status, retries int, took time.Duration) {
	outcome := "none"
	if status != 0 {
		outcome = class(status)
	}
	m.calls.WithLabelValues(provider, outcome).Observe(took.Seconds())
	if retries > 0 {
		m.retries.WithLabelValues(provider).Add(float64(retries))
	}
}

// class turns a status into its class without allocating.
func class(status int) string {
	classes := [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}
	if i := status/100 - 1; i >= 0 && i < len(classes) {
		return classes[i]
	}
	return "other"
}

// Track counts the requests that h is answering.
func (m *Metrics) Track(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.inFlight.Inc()
		defer m.inFlight.Dec()
		h.ServeHTTP(w, r)
	})
}

// Gauge exposes a value that is read whenever the metrics are.
func (m *Metrics) Gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, read))
}

// Counter exposes a count kept elsewhere that only rises.
func (m *Metrics) Counter(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, read))
}

// Handler serves the metrics in Prometheus' formats.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}
