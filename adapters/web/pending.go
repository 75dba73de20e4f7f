package web

// Stand-ins, each removed by who writes the real one.

// Demo is the publisher's page.
type Demo struct {
	Post, Author, Reader string
	Accounts             []string
}

func (d *Demo) routes() []Route { return nil }

func embedScript() []byte { return nil }
