package linkspan

// RunGroup is the waiting runs of one function: they are served first come, first
// served, while the groups of an environment take turns.
type RunGroup struct {
	EnvironmentID EnvironmentID
	FunctionID    FunctionID
}

// RunQuery asks for runs that are due.
type RunQuery struct {
	Lane RunLane
	// From is the environment at which to begin.
	From EnvironmentID
	// Behind says, for environments with more groups than one look sees, behind
	// which function to begin there.
	Behind map[EnvironmentID]FunctionID
	// Full are passed over. FullProviders counts for all environments,
	// FullShares for one.
	FullEnvironments []EnvironmentID
	FullFunctions    []FunctionID
	FullConnections  []ConnectionID
	FullPairs        []RunPair
	FullProviders    []string
	FullShares       []ProviderShare
	// PerGroup, PerEnvironment and Limit bound how many runs are returned.
	PerGroup, PerEnvironment, Limit int
}

// RunPair is the runs of one function for one connection.
type RunPair struct {
	FunctionID   FunctionID
	ConnectionID ConnectionID
}

// ProviderShare is what one environment has of the room for runs of a provider.
type ProviderShare struct {
	EnvironmentID EnvironmentID
	Provider      string
}
