package environment

import "github.com/linkspan/linkspan"

// Settings changes environment settings; nil leaves a setting as it is.
type Settings struct {
	CallbackURL        *string
	HMACEnabled        *bool
	HMACKey            *linkspan.Secret
	SlackNotifications *bool
	OTLPEndpoint       *string
	OTLPHeaders        *[]linkspan.SecretPair
}

func (s Settings) apply(to *linkspan.EnvironmentSettings) {
	set(&to.CallbackURL, s.CallbackURL)
	set(&to.HMACEnabled, s.HMACEnabled)
	set(&to.SlackNotifications, s.SlackNotifications)
	set(&to.OTLPEndpoint, s.OTLPEndpoint)
	if s.HMACKey != nil && s.HMACKey.Reveal() != Masked {
		to.HMACKey = *s.HMACKey
	}
	if s.OTLPHeaders != nil {
		to.OTLPHeaders = keepMasked(*s.OTLPHeaders, to.OTLPHeaders)
	}
}

func set[T any](dst, v *T) {
	if v != nil {
		*dst = *v
	}
}

// keepMasked returns the new pairs, with the old value of each whose new value
// is the mask. A masked pair without an old value is dropped: a literal mask is
// never what somebody wants to send.
func keepMasked(pairs, old []linkspan.SecretPair) []linkspan.SecretPair {
	values := make(map[string]linkspan.Secret, len(old))
	for _, p := range old {
		values[p.Name] = p.Value
	}
	kept := make([]linkspan.SecretPair, 0, len(pairs))
	for _, p := range pairs {
		if p.Value.Reveal() == Masked {
			v, ok := values[p.Name]
			if !ok {
				continue
			}
			p.Value = v
		}
		kept = append(kept, p)
	}
	return kept
}
