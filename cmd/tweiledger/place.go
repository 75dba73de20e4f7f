package main

import (
	"github.com/alecthomas/kong"
)

// place is where a command finds the ledger: in a folder that no process has open, in a store, or at a serving process.
type place struct {
	Data string `placeholder:"DIR" default:"data" help:"Folder of the ledger (${default} by default)."`
	storeFlags
	remote
}

// home returns where the ledger is kept that no process serves.
func (p *place) home() home { return home{p.Data, p.storeFlags} }

// remote is how a serving process is reached.
type remote struct {
	URL string `name:"url" placeholder:"URL" help:"Address of a serving process, instead of --data."`
	credentials
}

// client returns a client of the serving process.
func (r *remote) client() (*client, error) { return r.credentials.client(r.URL) }

// credentials are what a serving process is shown, and what it has to show.
type credentials struct {
	Token string `placeholder:"SECRET" help:"Secret of the token to show to a serving process. Others on this machine can see what is given here: better set the variable."`
	CA    string `name:"ca" placeholder:"FILE" help:"Certificates in PEM to trust instead of the system's."`
}

// client returns a client of the process that serves at an address.
func (k *credentials) client(address string) (*client, error) {
	c, err := newClient(address)
	if err != nil {
		return nil, err
	}
	c.token = k.Token
	if k.CA != "" {
		err = c.trust(k.CA)
	}
	return c, err
}

// AfterApply sees that one of them is meant, and leaves the others empty.
func (p *place) AfterApply(command *kong.Context) error {
	_, err := p.choose(command)
	return err
}

// choose sees that a folder, with or without a store, or a process is meant, or what another flag names, and leaves the
// others empty.
func (p *place) choose(command *kong.Context, others ...string) (string, error) {
	chosen, err := choose(command, append([]string{"data", "url"}, others...)...)
	if err != nil {
		return "", err
	}
	if p.isStore() {
		// A store comes with a folder.
		if other, err := choose(command, append([]string{"log", "url"}, others...)...); err != nil {
			return "", err
		} else if other != "log" {
			chosen, p.storeFlags = other, storeFlags{}
		} else {
			chosen = "data"
		}
	}
	if chosen != "data" {
		p.Data = ""
	}
	if chosen != "url" {
		p.URL = ""
		return chosen, p.check()
	}
	_, err = p.client()
	return chosen, err
}

// chooseLog is choose for a command that only reads the log. It needs no folder beside a store: so one on the command
// line is meant instead of a store that the environment names, and not together with one.
func (p *place) chooseLog(command *kong.Context, others ...string) (string, error) {
	if len(given(command, "data")) > 0 {
		// It fails where both are given.
		if _, err := choose(command, "data", "log"); err != nil {
			return "", err
		}
		p.Log = ""
		if len(given(command, "log-prefix")) == 0 {
			p.LogPrefix = ""
		}
	}
	return p.choose(command, others...)
}
