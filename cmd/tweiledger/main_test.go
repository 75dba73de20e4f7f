package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tweiledger": main})
}

// TestScripts runs the commands as a shell would. Beside testscript's own commands the scripts have
//
//	exits CODE PROGRAM ARG…           runs a program that must exit with CODE
//	serving NAME ARG…                 starts tweiledger ARG… and sets $NAME to the URL that it serves,
//	                                   $NAME_ADDRESS to the address in it
//	stopping NAME                     sends it SIGTERM; it must exit with 0; its standard error is what stderr looks at
//	logged NAME PATTERN                waits until it has written what matches to its standard error
//	hangup NAME                        sends it SIGHUP
//	http METHOD STATUS URL [FILE TYPE] sends a request, with the token in $TWEILEDGER_TOKEN if there is one; its answer
//	                                   must have STATUS; the body is what stdout looks at
//	certificate CERT KEY               writes the files of a certificate for 127.0.0.1
//	setting NAME PATTERN FILE          sets $NAME to the pattern's first group in a file
//
// $STORE is the address of a double of an EventStoreDB.
func TestScripts(t *testing.T) {
	store := esdbtest.New(t, esdbtest.Options{}).ConnectionString()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Values[serversKey{}] = map[string]*process{}
			env.Setenv("STORE", store)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    scriptExits,
			"serving":  scriptServing,
			"stopping": scriptStopping,
			"logged":   scriptLogged,
			"http":     scriptHTTP,
			"setting":  scriptSetting,
			"hangup":   scriptHangUp, "certificate": scriptCertificate,
		},
	})
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// long reports whether the long campaigns are asked for.
func long() bool { return os.Getenv("TWEILEDGER_TEST_LONG") == "1" }
