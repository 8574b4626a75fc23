package change

import (
	"context"
	"errors"
)

var errFillPanicked = errors.New("change: the function that fills a cache panicked")

func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
