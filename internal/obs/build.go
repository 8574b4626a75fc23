package obs

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Build describes the running program.
type Build struct {
	// Version is the module's version, "(devel)" when built from a checkout
	// without one.
	Version string `json:"version"`
	// Revision and Time are those of the commit, if known; Modified means that
	// there were uncommitted changes.
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified"`
	// Go is the version of the toolchain, Platform the system and processor.
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// ReadBuild reads what the toolchain recorded in the program.
func ReadBuild() Build {
	b := Build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String returns the version and the platform in one line.
func (b Build) String() string {
	return fmt.Sprintf("%s (%s, %s)", b.Version, b.Go, b.Platform)
}
