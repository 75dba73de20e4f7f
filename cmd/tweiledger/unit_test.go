package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
)

// TestUnitSettings: the systemd unit starts a command that there is, and sets variables that it reads.
func TestUnitSettings(t *testing.T) {
	unit, err := os.ReadFile("../../deploy/tweiledger.service")
	if err != nil {
		t.Fatal(err)
	}
	var help string
	settings := map[string]string{}
	for line := range strings.Lines(string(unit)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "ExecStart":
			args := strings.Fields(value)
			if args[0] != "/usr/local/bin/tweiledger" {
				t.Errorf("it starts %s", args[0])
			}
			for _, arg := range args[1:] {
				if strings.HasPrefix(arg, "-") {
					t.Errorf("the flag %s belongs into a variable, which the environment's file can change", arg)
				}
			}
			var out bytes.Buffer
			if err := run(t.Context(), append(args[1:], "--help"), &out, io.Discard); err != nil {
				t.Fatal(err)
			}
			help = out.String()
		case "Environment":
			name, text, _ := strings.Cut(value, "=")
			settings[name] = text
		}
	}
	if len(settings) < 3 || help == "" {
		t.Fatalf("the unit sets %v", settings)
	}
	for name, text := range settings {
		if !strings.Contains(help, "$"+name) {
			t.Errorf("no flag reads %s", name)
		}
		t.Setenv(name, text)
	}
	if _, err := parse([]string{"serve"}, io.Discard, io.Discard); err != nil {
		t.Errorf("the settings are refused: %v", err)
	}
}
