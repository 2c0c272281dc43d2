package demo

import (
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Files are the ordinary configuration files that a platform runs on, by
// absolute path.
type Files struct {
	// Modelwatch points at the other four.
	Modelwatch   string
	Prometheus   string
	AlertRules   string
	Alertmanager string
	Promtail     string
	// DataDir is an empty directory for the platform's data.
	DataDir string
}

//go:embed configs/*.yml
var configs embed.FS

const (
	mailUsername = "alertmanager"
	mailPassword = "password"
)

// place is what the files have to say about where things are.
type place struct {
	dir           string // absolute
	service       string // HOST:PORT of the AI service
	log           string // its log file
	mail          string // HOST:PORT of the mailbox
	mailAuthority []byte // PEM
	window        time.Duration
}

// writeFiles lays the configuration out in a directory.
func writeFiles(p place) (Files, error) {
	at := func(name string) string { return filepath.Join(p.dir, name) }
	f := Files{
		Modelwatch:   at("modelwatch.yml"),
		Prometheus:   at("prometheus.yml"),
		AlertRules:   at("alert_rules.yml"),
		Alertmanager: at("alertmanager.yml"),
		Promtail:     at("promtail.yml"),
		DataDir:      at("data"),
	}
	if err := os.Mkdir(f.DataDir, 0o755); err != nil {
		return Files{}, fmt.Errorf("make data directory: %w", err)
	}
	authority := at("mail-ca.pem")
	if err := os.WriteFile(authority, p.mailAuthority, 0o600); err != nil {
		return Files{}, fmt.Errorf("write certificate: %w", err)
	}
	fill := strings.NewReplacer(
		"AI_SERVICE_ADDRESS", quote(p.service),
		"AI_SERVICE_LOG_FILE", quote(p.log),
		"ALERT_RULES_FILE", quote(f.AlertRules),
		"PROMETHEUS_FILE", quote(f.Prometheus),
		"ALERTMANAGER_FILE", quote(f.Alertmanager),
		"PROMTAIL_FILE", quote(f.Promtail),
		"POSITIONS_FILE", quote(filepath.Join(f.DataDir, "positions.yml")),
		"MAIL_ADDRESS", quote(p.mail),
		"MAIL_USERNAME", quote(mailUsername),
		"MAIL_PASSWORD", quote(mailPassword),
		"MAIL_AUTHORITY_FILE", quote(authority),
	)
	for _, path := range []string{f.Modelwatch, f.Prometheus, f.AlertRules, f.Alertmanager, f.Promtail} {
		text, err := configs.ReadFile("configs/" + filepath.Base(path))
		if err != nil {
			return Files{}, fmt.Errorf("read configuration: %w", err)
		}
		if path == f.Modelwatch && p.window > 0 {
			text = append(text, windows(p.window)...)
		}
		if err := os.WriteFile(path, []byte(fill.Replace(string(text))), 0o600); err != nil {
			return Files{}, fmt.Errorf("write configuration: %w", err)
		}
	}
	return f, nil
}

// windows are the settings that let a look at drift not wait for minutes.
func windows(length time.Duration) string {
	return fmt.Sprintf("inferences:\n  window: %s\n  lateness: %s\n  baseline: {records: 150, minimum: 100}\n", length, min(length, time.Second))
}

// quote gives a YAML scalar for any text: a JSON string is one.
func quote(text string) string {
	q, err := json.Marshal(text)
	if err != nil { // a string has a form
		return `""`
	}
	return string(q)
}
