package run

import (
	"github.com/linkspan/linkspan/internal/schedule"
)

// fakeSyncs is what a world knows of schedules.
type fakeSyncs struct {
	ended []schedule.End
}
