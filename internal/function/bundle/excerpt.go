package bundle

// Excerpt renders a line of a text, with its number and a caret below length
// bytes at an offset, as the excerpts of problems look.
func Excerpt(number int, line string, offset, length int) string {
	return excerpt(number, line, offset, length)
}
