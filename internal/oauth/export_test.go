package oauth

// KnownOrigins returns how many servers' metadata the client remembers.
func KnownOrigins(c *Client) int {
	c.issuers.mu.Lock()
	defer c.issuers.mu.Unlock()
	return len(c.issuers.known)
}
