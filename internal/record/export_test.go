package record

// SetDeleteBatch makes deletions of what was not seen go in small steps.
func (s *Service) SetDeleteBatch(n int) { s.deleteBatch = n }
