package environment

import "github.com/linkspan/linkspan"

// Settings changes environment settings; nil leaves a setting as it is. Empty
// text clears one.
type Settings struct {
	CallbackURL        *string
	PublicKeyEnabled   *bool
	HMACEnabled        *bool
	HMACKey            *linkspan.Secret
	SlackNotifications *bool
	OTLPEndpoint       *string
	OTLPHeaders        *[]linkspan.SecretPair
	Webhooks           Webhooks
	ConnectUI          ConnectUI
}

// Webhooks changes where webhooks go and which are sent.
type Webhooks struct {
	PrimaryURL   *string
	SecondaryURL *string

	OnAuthCreation          *bool
	OnAuthDeletion          *bool
	OnAuthRefreshError      *bool
	OnSyncError             *bool
	OnSyncCompletionAlways  *bool
	OnAsyncActionCompletion *bool
}

// ConnectUI changes how Connect UI looks.
type ConnectUI struct {
	// LightPrimary and DarkPrimary are colours as #rrggbb.
	LightPrimary *string
	DarkPrimary  *string
	// DefaultTheme is light, dark or system.
	DefaultTheme  *string
	HideWatermark *bool
	AppName       *string
	AppLogoURL    *string
}

func (s Settings) apply(to *linkspan.EnvironmentSettings) {
	set(&to.CallbackURL, s.CallbackURL)
	set(&to.PublicKeyEnabled, s.PublicKeyEnabled)
	set(&to.HMACEnabled, s.HMACEnabled)
	set(&to.SlackNotifications, s.SlackNotifications)
	set(&to.OTLPEndpoint, s.OTLPEndpoint)
	if s.HMACKey != nil && s.HMACKey.Reveal() != Masked {
		to.HMACKey = *s.HMACKey
	}
	if s.OTLPHeaders != nil {
		to.OTLPHeaders = keepMasked(*s.OTLPHeaders, to.OTLPHeaders)
	}
	s.Webhooks.apply(&to.Webhooks)
	s.ConnectUI.apply(&to.ConnectUI)
}

func (w Webhooks) apply(to *linkspan.WebhookSettings) {
	set(&to.PrimaryURL, w.PrimaryURL)
	set(&to.SecondaryURL, w.SecondaryURL)
	set(&to.OnAuthCreation, w.OnAuthCreation)
	set(&to.OnAuthDeletion, w.OnAuthDeletion)
	set(&to.OnAuthRefreshError, w.OnAuthRefreshError)
	set(&to.OnSyncError, w.OnSyncError)
	set(&to.OnSyncCompletionAlways, w.OnSyncCompletionAlways)
	set(&to.OnAsyncActionCompletion, w.OnAsyncActionCompletion)
}

func (c ConnectUI) apply(to *linkspan.ConnectUISettings) {
	set(&to.LightPrimary, c.LightPrimary)
	set(&to.DarkPrimary, c.DarkPrimary)
	set(&to.DefaultTheme, c.DefaultTheme)
	set(&to.HideWatermark, c.HideWatermark)
	set(&to.AppName, c.AppName)
	set(&to.AppLogoURL, c.AppLogoURL)
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
