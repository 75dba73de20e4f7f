package main

import (
	"io"
	"os"
	"strings"
	"testing"
)

// TestOperationsCommands: every command that the page shows at the beginning of a line is one that the program takes.
func TestOperationsCommands(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for line := range strings.Lines(string(page)) {
		line, _, _ = strings.Cut(strings.TrimPrefix(line, "$ "), " #")
		args := strings.Fields(strings.ReplaceAll(line, "'", "")) // what is quoted there has no space
		if len(args) < 2 || args[0] != "tweiledger" {
			continue
		}
		commands++
		if command, err := parse(args[1:], io.Discard, io.Discard); err != nil || command == nil {
			t.Errorf("%s: %v", strings.TrimSpace(line), err)
		}
	}
	if commands < 8 {
		t.Errorf("only %d commands were found", commands)
	}
}
