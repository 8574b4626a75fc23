package record

// SetDeleteBatch makes deletions of what was not seen go in small steps.
func (s *Service) SetDeleteBatch(n int) { s.deleteBatch = n }

// SetWalk sets how many records a page of those with some actions looks at.
func (s *Service) SetWalk(n int) { s.walk = n }

// SetSizes sets how much of what is stored is read at a time, in bytes.
func (s *Service) SetSizes(update, byIDs int) { s.updateBytes, s.byIDsBytes = update, byIDs }
