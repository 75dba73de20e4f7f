package eventstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"slices"
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
	// No error about the rest can tell of the user then.
	address, user, err := cutUser(address)
	if err != nil {
		return nil, err
	}
	if err := checkSettings(address); err != nil {
		return nil, err
	}
	config, err := esdb.ParseConnectionString(address)
	if err != nil {
		return nil, err
	}
	config.Logger = nil
	if user != nil {
		config.Username = user.Username()
		config.Password, _ = user.Password()
	}
	switch err := config.Validate(); {
	case err != nil:
		return nil, err
	case user != nil && (config.Username == "" || config.Password == ""):
		return nil, errors.New("a user name and a password belong together")
	case user != nil && config.DisableTLS:
		return nil, errors.New("a user name and a password are sent over TLS only: leave them out, or tls=false")
	case config.GossipTimeout <= 0:
		return nil, fmt.Errorf("gossipTimeout is %d seconds, and has to be at least 1", config.GossipTimeout)
	case config.DefaultDeadline != nil && *config.DefaultDeadline <= 0:
		return nil, errors.New("defaultDeadline is a number of milliseconds from 1 on")
	}
	// A connection reads them again, and goes on trying where it cannot.
	if config.UserCertFile != "" {
		if _, err := tls.LoadX509KeyPair(config.UserCertFile, config.UserKeyFile); err != nil {
			return nil, fmt.Errorf("userCertFile and userKeyFile: %w", err)
		}
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

// SharesHost reports whether two addresses name a host and a port that are the same: so they are of one store.
func (a *Address) SharesHost(other *Address) bool {
	return slices.ContainsFunc(a.seeds(), func(seed string) bool { return slices.Contains(other.seeds(), seed) })
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

// cutUser takes the user out of an address.
func cutUser(address string) (rest string, user *url.Userinfo, err error) {
	scheme, rest, found := strings.Cut(address, "://")
	if !found || scheme != "esdb" && scheme != "esdb+discover" {
		return "", nil, errors.New("the address of a store begins with esdb:// or esdb+discover://")
	}
	at := strings.LastIndex(rest, "@")
	if at < 0 {
		return address, nil, nil
	}
	const host = "host"
	parsed, err := url.Parse("//" + rest[:at] + "@" + host)
	if err != nil || parsed.Host != host {
		return "", nil, errors.New(
			"user:password@ stands before the hosts; other characters than letters and digits in it, " +
				"and an @ elsewhere, are written %XX")
	}
	return scheme + "://" + rest[at+1:], parsed.User, nil
}

// checkSettings refuses what the client would overlook.
func checkSettings(address string) error {
	_, query, _ := strings.Cut(address, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the settings behind the question mark cannot be read")
	}
	seen := map[string]bool{}
	for name, given := range values {
		lower := strings.ToLower(name)
		if !settings[lower] {
			return fmt.Errorf(
				"there is no setting %q: a store is found, and found again, without end, and its leader is used", name)
		}
		if seen[lower] || len(given) > 1 {
			return fmt.Errorf("the setting %q is there twice", name)
		}
		seen[lower] = true
	}
	return nil
}
