package edit

import (
	"reflect"
	"strings"

	alertmanager "github.com/prometheus/alertmanager/config"
	prometheus "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/dns"
	"github.com/prometheus/prometheus/discovery/file"
	"github.com/prometheus/prometheus/discovery/http"
	"github.com/prometheus/prometheus/discovery/kubernetes"
	"github.com/prometheus/prometheus/model/rulefmt"

	"github.com/modelwatch/modelwatch/config"
)

// Schema says which settings a kind of file knows. It is read off the types
// into which the file is decoded, so that it cannot differ from them.
type Schema struct {
	// Root is the type of the file itself; List says that the file is a list
	// of them. It is empty for files that are no YAML.
	Root string `json:"root"`
	List bool   `json:"list"`
	// Types are mappings by name.
	Types map[string]map[string]Setting `json:"types"`
}

// Setting is one key of a mapping.
type Setting struct {
	// Type names the mapping that the value is; empty for plain values.
	Type string `json:"type,omitempty"`
	// List says that the value is a list of what Type or Value say, Map that it
	// is a mapping from free names to it.
	List bool `json:"list,omitempty"`
	Map  bool `json:"map,omitempty"`
	// Value is what plain values are: text, duration, number, boolean or secret.
	Value string `json:"value,omitempty"`
}

// SchemaOf returns the schema of a kind of file.
func SchemaOf(kind Kind) Schema {
	s := &Schema{Types: map[string]map[string]Setting{}}
	switch kind {
	case Prometheus:
		s.Root = s.add(reflect.TypeFor[prometheus.Config]())
	case Scrape:
		s.Root = s.add(reflect.TypeFor[prometheus.ScrapeConfigs]())
	case Alertmanager:
		s.Root = s.add(reflect.TypeFor[alertmanager.Config]())
	case Rules:
		s.Root = s.add(reflect.TypeFor[rulefmt.RuleGroups]())
	case Modelwatch:
		s.Root = s.add(reflect.TypeFor[config.Config]())
	case Targets:
		s.Root, s.List = s.add(reflect.TypeFor[targets]()), true
	case Promtail:
		s.Root = s.add(reflect.TypeFor[promtail]())
	case Template:
	}
	return *s
}

// add adds a struct with all that it names, and returns its name.
func (s *Schema) add(t reflect.Type) string {
	parts := strings.Split(t.PkgPath(), "/")
	name := parts[len(parts)-1] + "." + t.Name()
	if _, known := s.Types[name]; known {
		return name
	}
	keys := map[string]Setting{}
	s.Types[name] = keys // Before its fields: types name themselves.
	s.fields(t, keys)
	if t == reflect.TypeFor[prometheus.ScrapeConfig]() || t == reflect.TypeFor[prometheus.AlertmanagerConfig]() {
		s.discovery(keys)
	}
	return name
}

func (s *Schema) fields(t reflect.Type, keys map[string]Setting) {
	for f := range t.Fields() {
		key, more, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case strings.Contains(more, "inline"):
			if it := deref(f.Type); it.Kind() == reflect.Struct {
				s.fields(it, keys)
			}
		case key == "-" || key == "" || !f.IsExported():
		default:
			keys[key] = s.setting(f.Type)
		}
	}
}

// discovery adds the ways to find targets that modelwatch offers. Prometheus
// decodes them into types that it makes at run time.
func (s *Schema) discovery(keys map[string]Setting) {
	for key, t := range map[string]reflect.Type{
		"static_configs":        reflect.TypeFor[targets](),
		"file_sd_configs":       reflect.TypeFor[file.SDConfig](),
		"http_sd_configs":       reflect.TypeFor[http.SDConfig](),
		"dns_sd_configs":        reflect.TypeFor[dns.SDConfig](),
		"kubernetes_sd_configs": reflect.TypeFor[kubernetes.SDConfig](),
	} {
		keys[key] = Setting{Type: s.add(t), List: true}
	}
}

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func (s *Schema) setting(t reflect.Type) Setting {
	t = deref(t)
	if strings.HasPrefix(t.Name(), "Secret") {
		return Setting{Value: "secret"}
	}
	if strings.HasSuffix(t.Name(), "Duration") {
		return Setting{Value: "duration"}
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		inner := s.setting(t.Elem())
		inner.List = true
		return inner
	case reflect.Map:
		inner := s.setting(t.Elem())
		inner.Map = true
		return inner
	case reflect.Struct:
		if hasKeys(t) {
			return Setting{Type: s.add(t)}
		}
		return Setting{Value: "text"}
	case reflect.Bool:
		return Setting{Value: "boolean"}
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint32, reflect.Uint64, reflect.Float64:
		if t.Name() == "Size" || t.Name() == "Base2Bytes" {
			return Setting{Value: "text"}
		}
		return Setting{Value: "number"}
	default:
		return Setting{Value: "text"}
	}
}

// hasKeys tells a mapping from a struct that is written as one value, such as a
// URL or a regular expression.
func hasKeys(t reflect.Type) bool {
	for f := range t.Fields() {
		key, more, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if strings.Contains(more, "inline") && deref(f.Type).Kind() == reflect.Struct && hasKeys(deref(f.Type)) {
			return true
		}
		if f.IsExported() && key != "" && key != "-" {
			return true
		}
	}
	return false
}

// targets is what static_configs and files of targets hold.
type targets struct {
	Targets []string          `yaml:"targets"`
	Labels  map[string]string `yaml:"labels"`
}

// promtail is the part of a promtail.yml that completion offers. The program
// that reads it knows more: collect/tail.
type promtail struct {
	Server    struct{} `yaml:"server"`
	Positions struct {
		Filename   string `yaml:"filename"`
		SyncPeriod string `yaml:"sync_period"`
	} `yaml:"positions"`
	Clients []struct {
		URL            string            `yaml:"url"`
		TenantID       string            `yaml:"tenant_id"`
		BatchWait      string            `yaml:"batchwait"`
		BatchSize      int               `yaml:"batchsize"`
		Timeout        string            `yaml:"timeout"`
		BearerToken    string            `yaml:"bearer_token"`
		ExternalLabels map[string]string `yaml:"external_labels"`
		BasicAuth      struct {
			Username     string `yaml:"username"`
			Password     string `yaml:"password"`
			PasswordFile string `yaml:"password_file"`
		} `yaml:"basic_auth"`
	} `yaml:"clients"`
	LimitsConfig struct {
		ReadlineRate        float64 `yaml:"readline_rate"`
		ReadlineBurst       float64 `yaml:"readline_burst"`
		ReadlineRateEnabled bool    `yaml:"readline_rate_enabled"`
		MaxLineSize         string  `yaml:"max_line_size"`
	} `yaml:"limits_config"`
	TargetConfig struct {
		SyncPeriod string `yaml:"sync_period"`
	} `yaml:"target_config"`
	ScrapeConfigs []struct {
		JobName        string           `yaml:"job_name"`
		StaticConfigs  []targets        `yaml:"static_configs"`
		PipelineStages []map[string]any `yaml:"pipeline_stages"`
		Journal        struct{}         `yaml:"journal"`
		Syslog         struct{}         `yaml:"syslog"`
		RelabelConfigs []relabelling    `yaml:"relabel_configs"`
	} `yaml:"scrape_configs"`
}

// relabelling has the settings of one step of relabelling.
type relabelling struct {
	SourceLabels []string `yaml:"source_labels"`
	Separator    string   `yaml:"separator"`
	Regex        string   `yaml:"regex"`
	Modulus      uint64   `yaml:"modulus"`
	TargetLabel  string   `yaml:"target_label"`
	Replacement  string   `yaml:"replacement"`
	Action       string   `yaml:"action"`
}
