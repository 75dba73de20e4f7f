package eventstore

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

// node is the connection to the leader. It is used until it is lost, and then all of it is replaced.
type node struct {
	endpoint string
	// writes and reads are connections of their own, and so has each subscription one: a connection carries 100 calls at
	// a time, and subscriptions last.
	writes, reads *grpc.ClientConn
	appends       *appender
	// ctx ends when the node is lost; its cause says why.
	ctx  context.Context
	lose context.CancelCauseFunc
}

// maxMessage is the longest message of the store that is taken: an event at its longest, with room.
const maxMessage = 17 << 20

// open connects to a node, and sees that it is the leader and lets us in.
func (f *finder) open(endpoint string) (*node, error) {
	n := &node{endpoint: endpoint}
	n.ctx, n.lose = context.WithCancelCause(f.ctx)
	err := n.connect(f.log)
	if err != nil {
		n.lose(err) // unless it was lost before, and that is why
		n.close()
		return nil, fmt.Errorf("%s: %w", endpoint, n.lost())
	}
	return n, nil
}

func (n *node) connect(l *Log) (err error) {
	for _, conn := range []**grpc.ClientConn{&n.writes, &n.reads} {
		if *conn, err = l.dial(n.endpoint); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(n.ctx, l.patience())
	defer cancel()
	if err = l.probe(ctx, n); err != nil {
		return err
	}
	// The call of the appends lasts as long as the node; opening it may not.
	late := context.AfterFunc(ctx, func() { n.lose(errSilent) })
	defer late()
	if n.appends, err = newAppender(n, l); err != nil {
		return err
	}
	return l.stillSame(ctx, n)
}

// lost returns why the node was lost.
func (n *node) lost() error { return context.Cause(n.ctx) }

// leader returns who the leader is instead, as far as the node was lost by not being it.
func (n *node) leader() string {
	var elsewhere *notLeaderError
	if errors.As(n.lost(), &elsewhere) {
		return elsewhere.leader
	}
	return ""
}

// close closes what is open of a node that was lost.
func (n *node) close() {
	if n.appends != nil {
		n.appends.close()
	}
	for _, conn := range []*grpc.ClientConn{n.writes, n.reads} {
		if conn != nil {
			_ = conn.Close()
		}
	}
}

// patience is how long a node may take to answer while one is looked for.
func (l *Log) patience() time.Duration {
	return time.Duration(l.address.config.GossipTimeout) * time.Second
}

// dial returns a connection, which connects when it is used, as the client does.
func (l *Log) dial(endpoint string) (*grpc.ClientConn, error) {
	config := l.address.config
	transport := insecure.NewCredentials()
	if !config.DisableTLS {
		secured := &tls.Config{InsecureSkipVerify: config.SkipCertificateVerification, RootCAs: config.RootCAs}
		if config.UserCertFile != "" {
			pair, err := tls.LoadX509KeyPair(config.UserCertFile, config.UserKeyFile)
			if err != nil {
				return nil, fmt.Errorf("loading the user's certificate: %w", err)
			}
			secured.Certificates = []tls.Certificate{pair}
		}
		transport = credentials.NewTLS(secured)
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
	}
	if config.KeepAliveInterval >= 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: config.KeepAliveInterval, Timeout: config.KeepAliveTimeout, PermitWithoutStream: true,
		}))
	}
	if config.Username != "" {
		options = append(options, grpc.WithPerRPCCredentials(basicAuth(config.Username+":"+config.Password)))
	}
	return grpc.NewClient(endpoint, options...)
}

// basicAuth is user:password, sent with each call, over TLS only.
type basicAuth string

func (b basicAuth) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(b))}, nil
}

func (basicAuth) RequireTransportSecurity() bool { return true }

// fromLeader has the store refuse a call where it is not answered by the leader.
func fromLeader(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "requires-leader", "true")
}
