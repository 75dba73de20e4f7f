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
