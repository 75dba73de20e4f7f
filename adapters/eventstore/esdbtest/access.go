package esdbtest

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// unary stands before the calls with one answer.
func (n *Node) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := n.authenticate(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	resp, err := handle(ctx, req)
	if refused := (*refusal)(nil); errors.As(err, &refused) && refused.trailers != nil {
		_ = grpc.SetTrailer(ctx, refused.trailers) // only fails outside of a call
	}
	return resp, err
}

// stream stands before the calls with many.
func (n *Node) stream(
	srv any, call grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler,
) error {
	if err := n.authenticate(call.Context(), info.FullMethod); err != nil {
		return err
	}
	err := handle(srv, call)
	if refused := (*refusal)(nil); errors.As(err, &refused) && refused.trailers != nil {
		call.SetTrailer(refused.trailers)
	}
	return err
}

// authenticate refuses wrong credentials everywhere, and missing ones where streams are touched: gossip and features
// are open to all.
func (n *Node) authenticate(ctx context.Context, method string) error {
	o := &n.server.options
	if o.Username == "" {
		return nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	given := md.Get("authorization")
	if len(given) == 0 {
		if strings.Contains(method, ".streams.") {
			return errAccessDenied
		}
		return nil
	}
	scheme, code, _ := strings.Cut(given[0], " ")
	text, err := base64.StdEncoding.DecodeString(code)
	if err != nil || scheme != "Basic" || string(text) != o.Username+":"+o.Password {
		return errCredentials
	}
	return nil
}

// authorizeRead refuses the streams that DenyAccess named.
func (s *Server) authorizeRead(stream string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return authorize(stream, s.denied)
}

// authorizeAppend refuses those too that DenyAppends named.
func (s *Server) authorizeAppend(stream string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(authorize(stream, s.denied), authorize(stream, s.readOnly))
}

func authorize(stream string, denied []string) error {
	for _, prefix := range denied {
		if strings.HasPrefix(stream, prefix) {
			return errAccessDenied
		}
	}
	return nil
}

// requiresLeader says whether a call is for the leader only.
func requiresLeader(ctx context.Context) bool {
	md, _ := metadata.FromIncomingContext(ctx)
	values := md.Get("requires-leader")
	return len(values) > 0 && strings.EqualFold(values[0], "true")
}
