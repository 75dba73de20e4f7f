package web

// Stand-ins, each removed by who writes the real one.

func (p *Pages) entries(*request) (*page, error) { return nil, notFound("") }
func (p *Pages) event(*request) (*page, error)   { return nil, notFound("") }
func (p *Pages) report(*request) (*page, error)  { return nil, notFound("") }

// Demo is the publisher's page.
type Demo struct {
	Post, Author, Reader string
	Accounts             []string
}

func (d *Demo) routes() []Route { return nil }

func embedScript() []byte { return nil }
