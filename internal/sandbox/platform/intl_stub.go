package platform
func intlCall(r request) (answer, error) { return nil, errUnknown }
