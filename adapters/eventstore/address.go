package eventstore

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// settings are those of an address that are used, in lower case. The client knows more; what is not used is refused.
var settings = map[string]bool{
	"tls": true, "tlscafile": true, "tlsverifycert": true, "usercertfile": true, "userkeyfile": true,
	"keepaliveinterval": true, "keepalivetimeout": true, "gossiptimeout": true, "defaultdeadline": true,
}

// defaultDeadline is how long a call may take where the address has no defaultDeadline.
const defaultDeadline = 10 * time.Second

// ParseAddress reads the address of a store: esdb://host:port, or esdb+discover://host:port or several hosts for a
// cluster, with EventStoreDB's settings behind a question mark. Its errors never hold the password.
func ParseAddress(address string) (*Address, error) {
	if err := checkSettings(address); err != nil {
		return nil, err
	}
	config, err := esdb.ParseConnectionString(address)
	if err != nil {
		return nil, errors.New(redact(err.Error(), address))
	}
	config.Logger = nil
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.DisableTLS && config.Username != "" {
		return nil, errors.New("a user name and a password are sent over TLS only: leave them out, or tls=false")
	}
	if config.GossipTimeout <= 0 {
		return nil, fmt.Errorf("gossipTimeout is %d seconds, and has to be at least 1", config.GossipTimeout)
	}
	return &Address{config}, nil
}

// Address is the address of a store.
type Address struct{ config *esdb.Configuration }

// String returns the address without user, password and settings.
func (a *Address) String() string {
	if len(a.config.GossipSeeds) > 0 {
		return "esdb://" + strings.Join(a.seeds(), ",")
	}
	if a.config.DnsDiscover {
		return "esdb+discover://" + a.config.Address
	}
	return "esdb://" + a.config.Address
}

// seeds returns the hosts that the address names.
func (a *Address) seeds() []string {
	if len(a.config.GossipSeeds) == 0 {
		return []string{a.config.Address}
	}
	seeds := make([]string, len(a.config.GossipSeeds))
	for i, s := range a.config.GossipSeeds {
		seeds[i] = s.String()
	}
	return seeds
}

// isCluster reports whether the leader is to be asked for.
func (a *Address) isCluster() bool { return a.config.DnsDiscover || len(a.config.GossipSeeds) > 0 }

// deadline returns how long a call may take.
func (a *Address) deadline() time.Duration {
	if a.config.DefaultDeadline != nil {
		return *a.config.DefaultDeadline
	}
	return defaultDeadline
}

// checkSettings refuses what the client would overlook.
func checkSettings(address string) error {
	scheme, rest, found := strings.Cut(address, "://")
	if !found || scheme != "esdb" && scheme != "esdb+discover" {
		return errors.New("the address of a store begins with esdb:// or esdb+discover://")
	}
	_, query, _ := strings.Cut(rest, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the settings behind the question mark cannot be read")
	}
	for name := range values {
		if !settings[strings.ToLower(name)] {
			return fmt.Errorf("there is no setting %q: a store is found, and found again, without end, and its leader is used", name)
		}
	}
	return nil
}

// redact takes the address, and what it holds of a password, out of a text.
func redact(text, address string) string {
	text = strings.ReplaceAll(text, address, "the address")
	if at := strings.LastIndex(address, "@"); at >= 0 {
		user := address[strings.Index(address, "://")+len("://") : at]
		text = strings.ReplaceAll(text, user, "…")
		if _, password, found := strings.Cut(user, ":"); found && password != "" {
			text = strings.ReplaceAll(text, password, "…")
		}
	}
	return text
}
