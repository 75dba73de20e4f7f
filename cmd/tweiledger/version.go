package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCommand shows what this binary was built from.
type versionCommand struct{}

// Help is the command's help beyond its flags.
func (*versionCommand) Help() string {
	return `Prints the version, the commit and the Go version on one line.

Example:

    tweiledger version
`
}

// Run runs the command.
func (*versionCommand) Run(c console) error {
	version, commit := build()
	fmt.Fprintf(c.out, "tweiledger %s (commit %s) %s %s/%s\n", version, commit, runtime.Version(), runtime.GOOS,
		runtime.GOARCH)
	return nil
}

// build returns the module's version and the commit as the Go tool stamped them, "unknown" where it did not.
func build() (version, commit string) {
	version, commit = "unknown", "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, commit
	}
	if info.Main.Version != "" {
		version = info.Main.Version
	}
	modified := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = ", modified"
		}
	}
	return version, commit + modified
}
