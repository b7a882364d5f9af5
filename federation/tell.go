package federation

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
)

var (
	errLookup      = errors.New("the host name cannot be resolved")
	errCertificate = errors.New("the certificate is not valid for the host")
	errRequest     = errors.New("the request failed")
)

// Tellable returns what may be told of the error of a request: what ctx ended for, one of this package's errors, or one
// of a few that are known to be harmless. Those of net/http hold the whole address, and some errors repeat what the
// other side sent, in which there may be a token or a code. Nil stays nil.
func Tellable(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	for _, known := range []error{ErrInsecure, ErrAddress, ErrRedirect, ErrTooLarge, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return known
		}
	}
	var (
		lookup      *net.DNSError
		certificate *tls.CertificateVerificationError
		system      *os.SyscallError
		network     net.Error
	)
	switch {
	case errors.As(err, &lookup):
		return errLookup
	case errors.As(err, &certificate):
		return errCertificate
	case errors.As(err, &system):
		return system // such as "connect: connection refused"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case errors.As(err, &network) && network.Timeout():
		return context.DeadlineExceeded
	}
	return errRequest
}
