package main

import (
	"github.com/alecthomas/kong"
)

// place is where a command finds the ledger: in a folder that no process has open, or at a serving process.
type place struct {
	Data string `placeholder:"DIR" default:"data" help:"Folder of the ledger (${default} by default)."`
	URL  string `name:"url" placeholder:"URL" help:"Address of a serving process, instead of --data."`
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
	_, err = newClient(p.URL)
	return err
}
