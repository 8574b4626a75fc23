package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// runners returns the processes that the program started.
func (p *process) runners() ([]int, error) {
	// Each thread has its own list.
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.cmd.Process.Pid))
	if err != nil {
		return nil, fmt.Errorf("looking for the runners: %w", err)
	}
	var all []int
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for word := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				return nil, fmt.Errorf("looking for the runners: %w", err)
			}
			all = append(all, pid)
		}
	}
	return all, nil
}

// footprint returns the memory of a process in bytes: with its share of what
// others have, too, and what is its own alone. Where only the administrator may
// know, the first is all that is resident.
func footprint(pid int) (share, own int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return resident(pid)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kilobytes, _ := strconv.ParseInt(fields[1], 10, 64) // other lines are no numbers
		switch fields[0] {
		case "Pss:":
			share = kilobytes << 10
		case "Private_Clean:", "Private_Dirty:":
			own += kilobytes << 10
		}
	}
	return share, own, nil
}

func resident(pid int) (share, own int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("reading the memory of a process: %w", err)
	}
	var size, all, shared int64
	if _, err := fmt.Sscan(string(text), &size, &all, &shared); err != nil {
		return 0, 0, fmt.Errorf("reading the memory of a process: %w", err)
	}
	page := int64(os.Getpagesize())
	return all * page, (all - shared) * page, nil
}

// peak watches the memory of the program and its runners until the context ends,
// and returns the most that it saw.
func (p *process) peak(ctx context.Context) int64 {
	var most int64
	ticker := time.NewTicker(50 * time.Millisecond) // each look holds the processes up a little
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return most
		case <-ticker.C:
		}
		var sum int64
		runners, _ := p.runners() // next time, maybe
		for _, pid := range append(runners, p.cmd.Process.Pid) {
			share, _, _ := footprint(pid) // it may have ended
			sum += share
		}
		most = max(most, sum)
	}
}
