// Command pki writes the certificates and keys of the test cluster into one folder. It is a program of
// its own because Node's standard library reads certificates but cannot make them.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// validFor outlives every run of a test cluster; certificates are made anew at each boot.
const validFor = 365 * 24 * time.Hour

type issuer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func main() {
	folder := flag.String("out", "", "folder to write into")
	names := flag.String("names", "", "names and addresses of the servers, with commas")
	flag.Parse()
	if err := writeAll(*folder, strings.Split(*names, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "Cannot write certificates:", err)
		os.Exit(1)
	}
}

func writeAll(folder string, names []string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	cluster, err := newIssuer(folder, "ca", "sluice-test-cluster")
	if err != nil {
		return err
	}
	front, err := newIssuer(folder, "front-proxy-ca", "sluice-test-front-proxy")
	if err != nil {
		return err
	}
	for _, leaf := range []struct {
		by      *issuer
		name    string
		subject pkix.Name
		server  bool
	}{
		{cluster, "apiserver", pkix.Name{CommonName: "kube-apiserver"}, true},
		{cluster, "kubelet", pkix.Name{CommonName: "kubelet"}, true},
		{cluster, "apiserver-kubelet-client", pkix.Name{CommonName: "kube-apiserver", Organization: []string{"system:masters"}}, false},
		{front, "front-proxy-client", pkix.Name{CommonName: "front-proxy-client"}, false},
	} {
		if err := leaf.by.issue(folder, leaf.name, leaf.subject, leaf.server, names); err != nil {
			return err
		}
	}
	return writeServiceAccountKey(folder)
}

func newIssuer(folder, file, name string) (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := newTemplate(pkix.Name{CommonName: name})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &issuer{certificate, key}, writePair(folder, file, der, key)
}

func (by *issuer) issue(folder, file string, subject pkix.Name, server bool, names []string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := newTemplate(subject)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if server {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		for _, name := range names {
			if address := net.ParseIP(name); address != nil {
				template.IPAddresses = append(template.IPAddresses, address)
			} else {
				template.DNSNames = append(template.DNSNames, name)
			}
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	if err != nil {
		return err
	}
	return writePair(folder, file, der, key)
}

func newTemplate(subject pkix.Name) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err)
	}
	// An hour back, as the clock of a virtual machine may have just been set.
	start := time.Now().Add(-time.Hour)
	return &x509.Certificate{SerialNumber: serial, Subject: subject, NotBefore: start, NotAfter: start.Add(validFor)}
}

func writePair(folder, file string, der []byte, key any) error {
	if err := writePEM(filepath.Join(folder, file+".crt"), "CERTIFICATE", der); err != nil {
		return err
	}
	return writeKey(folder, file, key)
}

// writeServiceAccountKey makes an RSA key: RS256 is what most verifiers of such tokens expect.
func writeServiceAccountKey(folder string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writePEM(filepath.Join(folder, "service-account.pub"), "PUBLIC KEY", public); err != nil {
		return err
	}
	return writeKey(folder, "service-account", key)
}

func writeKey(folder, file string, key any) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(filepath.Join(folder, file+".key"), "PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
