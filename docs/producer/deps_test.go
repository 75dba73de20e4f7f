package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestLedgerWithoutSDK: the CloudEvents SDK is for who sends. The ledger's own program is built without it.
func TestLedgerWithoutSDK(t *testing.T) {
	const sdk = "github.com/cloudevents/sdk-go/"
	if own := depsOf(t, "."); !strings.Contains(own, sdk) {
		t.Error("the producer does without the SDK, so this test finds nothing")
	}
	if of := depsOf(t, "../../cmd/tweiledger"); strings.Contains(of, sdk) {
		t.Errorf("the ledger's program contains the SDK:\n%s", of)
	}
}

// depsOf returns the import paths of all packages that a program is built of.
func depsOf(t *testing.T, program string) string {
	t.Helper()
	list, err := exec.CommandContext(t.Context(), "go", "list", "-deps", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(list)
}
