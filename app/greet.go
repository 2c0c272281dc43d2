package app

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/modelwatch/modelwatch/api/prom"
)

// The linker sets these in a release.
var (
	version  = "dev"
	revision = ""
	built    = ""
)

func buildVersion() prom.Version {
	v := prom.Version{Version: version, Revision: revision, BuildDate: built, Branch: "main"}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision" && v.Revision == "":
				v.Revision = s.Value
			case s.Key == "vcs.time" && v.BuildDate == "":
				v.BuildDate = s.Value
			}
		}
	}
	return v
}

// VersionString is what `modelwatch version` prints.
func VersionString() string {
	v := buildVersion()
	s := "modelwatch " + v.Version
	if v.Revision != "" {
		s += " (" + v.Revision + ")"
	}
	return s
}

func userAgent() string { return "modelwatch/" + version }

func buildInfo() prometheus.Collector {
	v := buildVersion()
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "modelwatch_build_info",
		Help:        "A constant 1, labelled by the version of modelwatch.",
		ConstLabels: prometheus.Labels{"version": v.Version, "revision": v.Revision},
	})
	g.Set(1)
	return g
}

// greet tells what runs, where the page is, and what to try next.
func (a *App) greet(w io.Writer) {
	or := func(s, otherwise string) string {
		if s == "" {
			return otherwise
		}
		return s
	}
	c := a.config
	fmt.Fprintf(w, "%s is ready.\n\n", VersionString())
	fmt.Fprintf(w, "  page      %s/\n", a.URL())
	for i, l := range a.listeners[1:] {
		fmt.Fprintf(w, "  also      %s as %s\n", l.Addr(), compatPorts[i].name)
	}
	fmt.Fprintf(w, "  metrics   %s\n", or(c.Metrics.ConfigFile, "this host and modelwatch itself (no prometheus.yml given)"))
	fmt.Fprintf(w, "  alerting  %s\n", or(c.Alerting.ConfigFile, "kept in the history, sent nowhere (no alertmanager.yml given)"))
	if f := c.Logs.Collect.ConfigFile; f != "" {
		fmt.Fprintf(w, "  logs      %s\n", f)
	}
	fmt.Fprintf(w, "  data      %s\n\n", c.Storage.Path)
	fmt.Fprintf(w, "Try next:\n")
	as := ""
	if c.Web.Auth.Enabled || len(readWebConfig(c.Web.ConfigFile).Users) > 0 {
		as = "-u NAME "
	}
	fmt.Fprintf(w, "  curl %s'%s/api/v1/query?query=up'\n", as, a.URL())
	fmt.Fprintf(w, "  curl %s'%s/api/v1/targets'\n", as, a.URL())
	if c.Metrics.ConfigFile == "" {
		fmt.Fprintf(w, "  modelwatch serve --prometheus.config=prometheus.yml --alertmanager.config=alertmanager.yml\n")
	}
	fmt.Fprintln(w)
	a.warnOpen(w)
}
