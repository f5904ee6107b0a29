package main

import "github.com/prometheus/client_golang/prometheus"

// registerProcess adds what every stage says of itself, whatever it does.
func (a *app) registerProcess() {
	gauge := func(name, help string, value func() float64) {
		a.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("weir_ready", "1 while /readyz says 200, else 0.", func() float64 {
		if a.ready.Err() != nil {
			return 0
		}
		return 1
	})
	gauge("weir_data_dir_free_bytes", "Room on the file system of data_dir; 0 where it cannot be seen.", func() float64 {
		free, _ := diskOf(a.cfg.DataDir)
		return float64(free)
	})
	gauge("weir_data_dir_size_bytes", "Size of the file system of data_dir; 0 where it cannot be seen, or there is no data_dir.", func() float64 {
		_, size := diskOf(a.cfg.DataDir)
		return float64(size)
	})
}
