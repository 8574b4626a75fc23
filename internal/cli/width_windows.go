package cli

import (
	"os"

	"golang.org/x/sys/windows"
)

// terminalWidth asks a terminal how many columns it has; 0 if it can't tell.
func terminalWidth(f *os.File) int {
	var info windows.ConsoleScreenBufferInfo
	if err := windows.GetConsoleScreenBufferInfo(windows.Handle(f.Fd()), &info); err != nil {
		return 0
	}
	return int(info.Window.Right-info.Window.Left) + 1
}
