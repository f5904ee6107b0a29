package xds

import (
	"fmt"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secret "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// Names of the secrets that istiod tells proxies to ask for.
const (
	secretOwn  = "default"
	secretRoot = "ROOTCA"
	typeSecret = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
)

// Secrets issues the certificates of the mesh. All of them are PEM.
type Secrets interface {
	// Workload returns the certificate chain and the key of a service account.
	Workload(namespace, serviceAccount string) (chain, key []byte, err error)
	// Root returns what all of them are signed by.
	Root() []byte
}

// StreamSecrets answers each request of a proxy with the secret it asks for.
func (r *Relay) StreamSecrets(proxy secret.SecretDiscoveryService_StreamSecretsServer) error {
	var namespace, account string
	for {
		ask, err := proxy.Recv()
		if err != nil {
			return err
		}
		if n := ask.GetNode(); n != nil {
			fields := n.GetMetadata().GetFields()
			namespace, account = fields["NAMESPACE"].GetStringValue(), fields["SERVICE_ACCOUNT"].GetStringValue()
		}
		if ask.GetErrorDetail() != nil {
			r.Logger.Error("Proxy refused a certificate", "error", ask.GetErrorDetail().GetMessage())
			continue
		}
		if ask.GetResponseNonce() != "" {
			continue // taken
		}
		answer, err := r.secrets(ask.GetResourceNames(), namespace, account)
		if err != nil {
			return status.Error(codes.Internal, err.Error())
		}
		if err := proxy.Send(answer); err != nil {
			return err
		}
	}
}

func (r *Relay) secrets(names []string, namespace, account string) (*discovery.DiscoveryResponse, error) {
	answer := &discovery.DiscoveryResponse{VersionInfo: "1", Nonce: strings.Join(names, ","), TypeUrl: typeSecret}
	for _, name := range names {
		s, err := r.secret(name, namespace, account)
		if err != nil {
			return nil, fmt.Errorf("secret %q of %s/%s: %w", name, namespace, account, err)
		}
		packed, err := anypb.New(s)
		if err != nil {
			return nil, err
		}
		answer.Resources = append(answer.Resources, packed)
	}
	return answer, nil
}

func (r *Relay) secret(name, namespace, account string) (*tls.Secret, error) {
	switch name {
	case secretRoot:
		return &tls.Secret{Name: name, Type: &tls.Secret_ValidationContext{
			ValidationContext: &tls.CertificateValidationContext{TrustedCa: inline(r.Secrets.Root())},
		}}, nil
	case secretOwn:
		chain, key, err := r.Secrets.Workload(namespace, account)
		if err != nil {
			return nil, err
		}
		return &tls.Secret{Name: name, Type: &tls.Secret_TlsCertificate{
			TlsCertificate: &tls.TlsCertificate{CertificateChain: inline(chain), PrivateKey: inline(key)},
		}}, nil
	}
	return nil, fmt.Errorf("no such secret: the lab has %s and %s", secretOwn, secretRoot)
}

func inline(pem []byte) *core.DataSource {
	return &core.DataSource{Specifier: &core.DataSource_InlineBytes{InlineBytes: pem}}
}
