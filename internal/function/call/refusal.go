package call

import (
	"strconv"
	"strings"

	"github.com/linkspan/linkspan"
)

const (
	// MaxModel bounds the name of a model in errors, in bytes.
	MaxModel = 200
	// MaxIDs is how many records "records_by_ids" reads at a time.
	MaxIDs = 100
	// MaxPage is how many records "records_list" answers with at most.
	MaxPage = 1000
)

// Undeclared refuses a model that the function does not declare.
func Undeclared(function, model string, declared []string) error {
	declares := "none"
	if len(declared) > 0 {
		names := make([]string, len(declared))
		for i, m := range declared {
			names[i] = strconv.Quote(m)
		}
		declares = strings.Join(names, ", ")
	}
	return linkspan.E("call.records", linkspan.KindInvalid, "invalid_model", nil,
		"The sync %q does not declare the model %q; it declares %s.", function, Clip(model, MaxModel), declares).
		WithHint("Add the model to models in the definition, or correct its name.")
}

// NotTracked refuses "track_end" without "track_start".
func NotTracked(model string, cause error) error {
	return linkspan.E("call.trackEnd", linkspan.KindNotFound, "track_deletes_not_started", cause,
		"No track deletes starting point found for model '%s'.", model).WithHint("Call nango.trackDeletesStart before the first record is saved.")
}

// unseen is the member of the nango object that "delete_unseen" is behind.
const unseen = "deleteRecordsFromPreviousExecutions"

// NotNoted refuses "delete_unseen" where it is not known what the run saved.
func NotNoted() error {
	return linkspan.E("call.deleteUnseen", linkspan.KindInvalid, "not_available", nil,
		"nango.%s does not work here: it was not noted which records this run saved.", unseen).
		WithHint("Call nango.%s by this name in the sync's exec, or use nango.trackDeletesStart and nango.trackDeletesEnd.", unseen)
}

// Partial refuses "delete_unseen" in a run that saves only a part.
func Partial() error {
	return linkspan.E("call.deleteUnseen", linkspan.KindInvalid, "checkpoint_in_use", nil,
		"nango.%s does not go together with checkpoints: a run that goes on where another one ended saves only a part.", unseen).
		WithHint("Use nango.trackDeletesStart and nango.trackDeletesEnd.")
}

// PartialWarning is what is said when a definition asks for the same: nothing is
// deleted.
func PartialWarning(model string) string {
	return "trackDeletes does not go together with checkpoints: nothing of the model " + Clip(model, MaxModel) +
		" was deleted. Use nango.trackDeletesStart and nango.trackDeletesEnd."
}

// UnknownStrategy refuses a merging strategy.
func UnknownStrategy() error {
	return linkspan.E("call.records", linkspan.KindInvalid, "invalid_merging_strategy", nil, "There is no such merging strategy.")
}

// Model is what calls about a model take.
type Model struct {
	Model string `json:"model"`
}

// Strategy is what "records_strategy" takes.
type Strategy struct {
	Model

	Strategy string `json:"strategy"`
}

// Unseen is what "delete_unseen" takes.
type Unseen struct {
	Model

	// Automatic says that the definition asks for it, and not the function.
	Automatic bool `json:"automatic"`
}

// Deleted is what "track_end" and "delete_unseen" are answered with.
type Deleted struct {
	DeletedKeys []string `json:"deletedKeys"`
}
