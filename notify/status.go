package notify

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"

	"go.yaml.in/yaml/v3"
)

// passwordInURL finds passwords in URLs that the configuration does not treat as
// secrets.
var passwordInURL = regexp.MustCompile(`(://[^\s/:@"']*):[^\s/@"']+@`)

// hiddenURL stands for the URL of a webhook. Until version 0.25, which is still
// around as a distribution's amtool, it was no secret and had to be a URL.
const hiddenURL = "http://secret.invalid/"

// shownConfig returns the configuration as it may be shown: what the user wrote,
// with secrets hidden. Alertmanager itself shows every default, too, which a
// client older than the newest of them, such as a distribution's amtool, refuses
// to read.
func shownConfig(written []byte, marshalled string) string {
	var (
		keep any
		root yaml.Node
	)
	shown := marshalled
	if yaml.Unmarshal(written, &keep) == nil && yaml.Unmarshal([]byte(marshalled), &root) == nil && len(root.Content) == 1 {
		prune(root.Content[0], keep)
		for _, rcv := range sequence(value(root.Content[0], "receivers")) {
			for _, hook := range sequence(value(rcv, "webhook_configs")) {
				if u := value(hook, "url"); u != nil && u.Value == hidden {
					u.Value = hiddenURL
				}
			}
		}
		var b bytes.Buffer
		enc := yaml.NewEncoder(&b)
		enc.SetIndent(2)
		if enc.Encode(&root) == nil && enc.Close() == nil {
			shown = b.String()
		}
	}
	return passwordInURL.ReplaceAllString(shown, "${1}:xxxxx@")
}

// prune removes the keys from n that keep does not have.
func prune(n *yaml.Node, keep any) {
	switch kept := keep.(type) {
	case map[string]any:
		if n.Kind != yaml.MappingNode {
			return
		}
		var content []*yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if child, ok := kept[n.Content[i].Value]; ok {
				prune(n.Content[i+1], child)
				content = append(content, n.Content[i], n.Content[i+1])
			}
		}
		n.Content = content
	case []any:
		if n.Kind != yaml.SequenceNode || len(n.Content) != len(kept) {
			return
		}
		for i, child := range kept {
			prune(n.Content[i], child)
		}
	}
}

// value returns the value of a key of a mapping, or nil.
func value(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// sequence returns the elements of a sequence, or nothing.
func sequence(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// alertmanagerVersion is the version of Alertmanager's libraries, or nothing if
// the binary does not know.
func alertmanagerVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, dep := range info.Deps {
		if dep.Path == "github.com/prometheus/alertmanager" {
			return strings.TrimPrefix(dep.Version, "v")
		}
	}
	return ""
}

// serveStatus serves Alertmanager's status with the configuration as it may be
// shown, and with the version that clients compare with theirs.
func (m *Manager) serveStatus(w http.ResponseWriter, r *http.Request) {
	answer := newHeldResponse()
	m.v2.ServeHTTP(answer, r)
	var status struct {
		Cluster     json.RawMessage   `json:"cluster"`
		Config      map[string]string `json:"config"`
		Uptime      json.RawMessage   `json:"uptime"`
		VersionInfo map[string]string `json:"versionInfo"`
	}
	if !answer.failed() && json.Unmarshal(answer.body.Bytes(), &status) == nil && status.Config != nil && status.VersionInfo != nil {
		status.Config["original"] = m.live.Load().prepared.shown
		if status.VersionInfo["version"] == "" {
			status.VersionInfo["version"] = m.version
		}
		answer.body.Reset()
		_ = json.NewEncoder(&answer.body).Encode(status) // Writing to memory does not fail.
	}
	answer.release(w)
}
