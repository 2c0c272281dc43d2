// Package api holds the description of modelwatch's own HTTP API. The handlers are in
// the packages below it, one for each interface that modelwatch speaks.
package api

import _ "embed" // For the description.

// OpenAPI is the description of everything under /ai/v1, as OpenAPI 3.1 in YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte
