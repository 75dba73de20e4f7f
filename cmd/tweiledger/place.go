package main

import (
	"github.com/alecthomas/kong"
)

// place is where a command finds the ledger: in a folder that no process has open, or at a serving process.
type place struct {
	Data string `placeholder:"DIR" default:"data" help:"Folder of the ledger (${default} by default)."`
	remote
}

// remote is how a serving process is reached.
type remote struct {
	URL   string `name:"url" placeholder:"URL" help:"Address of a serving process, instead of --data."`
	Token string `placeholder:"SECRET" help:"Secret of the token to show to it. Others on this machine can see what is given here: better set the variable."`
	CA    string `name:"ca" placeholder:"FILE" help:"Certificates in PEM to trust instead of the system's."`
}

// client returns a client of the serving process.
func (r *remote) client() (*client, error) {
	c, err := newClient(r.URL)
	if err != nil {
		return nil, err
	}
	c.token = r.Token
	if r.CA != "" {
		err = c.trust(r.CA)
	}
	return c, err
}

// AfterApply sees that one of the two is meant, and leaves the other empty.
func (p *place) AfterApply(command *kong.Context) error {
	chosen, err := choose(command, "data", "url")
	if err != nil {
		return err
	}
	if chosen != "url" {
		p.URL = ""
		return nil
	}
	p.Data = ""
	_, err = p.client()
	return err
}
