package controlplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
)

// host is where every part listens.
const host = "127.0.0.1"

// ports are chosen once and kept, so that a part that is started again is found where it was.
type ports struct {
	Etcd              int `json:"etcd"`
	EtcdPeer          int `json:"etcd_peer"`
	APIServer         int `json:"kube_apiserver"`
	ControllerManager int `json:"kube_controller_manager"`
	Scheduler         int `json:"kube_scheduler"`
	Kwok              int `json:"kwok"`
	IstiodHTTP        int `json:"istiod_http"`
	IstiodXDS         int `json:"istiod_xds"`
	IstiodMonitoring  int `json:"istiod_monitoring"`
}

func (p *ports) all() []*int {
	return []*int{
		&p.Etcd, &p.EtcdPeer, &p.APIServer, &p.ControllerManager, &p.Scheduler, &p.Kwok, &p.IstiodHTTP, &p.IstiodXDS, &p.IstiodMonitoring,
	}
}

// openPorts reads the ports of an earlier start from file, replaces those that somebody else has taken since, and keeps the result.
func openPorts(ctx context.Context, file string) (ports, error) {
	var p ports
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, fmt.Errorf("read the ports of an earlier start: %w", err)
	}
	if err := p.choose(ctx); err != nil {
		return p, err
	}
	text, err = json.MarshalIndent(p, "", "\t")
	if err != nil {
		return p, fmt.Errorf("write down the ports: %w", err)
	}
	return p, os.WriteFile(file, append(text, '\n'), 0o600)
}

// Ports of our own are below those that Linux gives to outgoing connections (from 32768 on): one of those could take the port of a part
// while that is being started again.
const (
	firstPort = 20000
	lastPort  = 32767
)

// choose fills in what is missing or taken. All ports are held until the last is found, so that none is given twice.
func (p *ports) choose(ctx context.Context) error {
	for _, port := range p.all() {
		l, err := listen(ctx, *port)
		for tries := 0; err != nil && tries < 200; tries++ {
			*port = firstPort + rand.IntN(lastPort-firstPort+1)
			l, err = listen(ctx, *port)
		}
		if err != nil {
			return fmt.Errorf("find a free port on %s: %w", host, err)
		}
		defer l.Close()
	}
	return nil
}

func listen(ctx context.Context, port int) (net.Listener, error) {
	if port == 0 {
		return nil, errors.New("no port")
	}
	return (&net.ListenConfig{}).Listen(ctx, "tcp", at(port))
}

// at returns the address of a port.
func at(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
